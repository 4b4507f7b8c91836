/* See lines.h. */
#include "io/lines.h"

#include "base/text.h"
#include "io/foreign.h"
#include "io/gzip.h"

static trm_status check_text(const char *path, const trm__map *map, size_t *begin, trm_error *err) {
  const char *text = (const char *)map->data;
  *begin = map->size ? trm__text_mark(text, map->size) : 0;
  TRM_TRY(trm__foreign_page(path, map->data, map->size, err));
  if (!map->size || !trm__text_is_wide(text, map->size)) return TRM_OK;
  TRM_FAIL_AT(err, TRM_E_FORMAT, 1, "%s is text in UTF-16 or UTF-32; save it as UTF-8", path);
}

trm_status trm__lines_map(const char *path, trm__map *map, size_t *begin, trm_error *err) {
  TRM_TRY(trm__gzip_map(path, map, err));
  const trm_status st = check_text(path, map, begin, err);
  if (st != TRM_OK) trm__map_close(map);
  return st;
}

trm_status trm__lines_open(trm__lines *in, const char *path, trm_error *err) {
  *in = (trm__lines){.n = 0};
  return trm__lines_map(path, &in->map, &in->at, err);
}

void trm__lines_close(trm__lines *in) {
  trm__map_close(&in->map);
}

bool trm__lines_next(trm__lines *in, const char **text, size_t *n) {
  const char *begin = (const char *)in->map.data;
  size_t end = in->at, size = in->map.size;
  if (end >= size) return false;
  if (size - end > TRM__LINES_MAX + 1) size = end + TRM__LINES_MAX + 1;
  while (end < size && begin[end] != '\n' && begin[end] != '\r') end++;
  *text = begin + in->at;
  *n = end - in->at;
  in->at = end < size ? end + trm__text_line_end(begin + end, size - end) : size;
  in->n++;
  return true;
}
