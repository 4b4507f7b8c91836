/* See record.h. The file is small and written as a whole: a kill leaves it as it was, and so does
 * a second name that it has elsewhere. */
#include "run/record.h"

#include <string.h>

#include "base/memory.h"

const char trm__record_name[] = "record.jsonl", trm__record_start[] = "start",
           trm__record_end[] = "end";

void trm__record_free(trm__record *r) {
  for (int i = 0; i < r->n; i++) trm__json_free(r->line[i]);
  trm__free(r->line);
  *r = (trm__record){0};
}

const trm__json *trm__record_newest(const trm__record *r) {
  for (int i = r->n - 1; i >= 0; i--)
    if (!strcmp(trm__json_text(trm__json_get(r->line[i], "event")), trm__record_start))
      return r->line[i];
  return NULL;
}

/* ---- reading ---- */

static bool is_line(const trm__json *v) {
  const char *event = trm__json_text(trm__json_get(v, "event"));
  return trm__json_is_number(trm__json_get(v, "time")) && event &&
         (!strcmp(event, trm__record_start) || !strcmp(event, trm__record_end));
}

/* The line at `text`; NULL where it is none. */
static trm_status read_line(const char *text, size_t n, trm__json **out, trm_error *err) {
  const trm_status st = trm__json_decode(text, n, NULL, out, NULL);
  if (st == TRM_E_MEMORY) TRM_FAIL(err, st, "no memory for %s", trm__record_name);
  if (st == TRM_OK && is_line(*out)) return TRM_OK;
  if (st == TRM_OK) trm__json_free(*out);
  *out = NULL;
  return TRM_OK;
}

static trm_status take_lines(trm__record *r, const trm__map *map, trm_error *err) {
  const char *text = (const char *)map->data, *end = text + map->size;
  int64_t lines = 1;
  for (const char *c = text; (c = memchr(c, '\n', (size_t)(end - c))); c++) lines++;
  TRM_ALLOC(&r->line, lines, "the record of a run", err);
  while (text < end) {
    const char *stop = memchr(text, '\n', (size_t)(end - text));
    if (!stop) stop = end;
    if (stop > text) TRM_TRY(read_line(text, (size_t)(stop - text), &r->line[r->n], err));
    r->n += r->line[r->n] != NULL;
    text = stop + (stop < end);
  }
  return TRM_OK;
}

/* A file of the folder itself; what else has its name is none. */
static trm_status map_record(const trm__dir *d, trm__map *map, trm_error *err) {
  char path[TRM__PATH_MAX];
  trm__kind kind;
  *map = (trm__map){0};
  TRM_TRY(trm__dir_look(d, trm__record_name, &kind, err));
  if (kind != TRM__FILE) return TRM_OK;
  TRM_TRY(trm__path_format(path, err, "%s/%s", d->path, trm__record_name));
  return trm__map_open(path, map, err);
}

trm_status trm__record_read(const char *folder, trm__record *out, trm_error *err) {
  trm__dir d = {0};
  trm__map map = {0};
  *out = (trm__record){0};
  TRM_TRY(trm__dir_open(&d, folder, err));
  trm_status st = map_record(&d, &map, err);
  if (st == TRM_OK && map.size) st = take_lines(out, &map, err);
  trm__map_close(&map);
  trm__dir_close(&d);
  if (st != TRM_OK) trm__record_free(out);
  return st;
}

trm_status trm__record_size(const char *folder, size_t *bytes, trm_error *err) {
  trm__dir d = {0};
  trm__map map = {0};
  TRM_TRY(trm__dir_open(&d, folder, err));
  const trm_status st = map_record(&d, &map, err);
  *bytes = map.size;
  trm__map_close(&map);
  trm__dir_close(&d);
  return st;
}

/* From the end backwards, so that a long record takes no more than a short one. */
static trm_status find_last(const trm__map *map, const char *event, trm__json **out, int *broken,
                            trm_error *err) {
  const char *text = (const char *)map->data, *stop = text + map->size;
  while (stop > text) {
    const char *begin = stop;
    while (begin > text && begin[-1] != '\n') begin--;
    if (stop > begin) {
      TRM_TRY(read_line(begin, (size_t)(stop - begin), out, err));
      const char *is = trm__json_text(trm__json_get(*out, "event"));
      if (is && (!event || !strcmp(is, event))) return TRM_OK;
      *broken += !is;
      trm__json_free(*out);
      *out = NULL;
    }
    stop = begin - (begin > text);
  }
  return TRM_OK;
}

trm_status trm__record_last(const char *folder, const char *event, trm__json **out, int *broken,
                            trm_error *err) {
  trm__dir d = {0};
  trm__map map = {0};
  *out = NULL;
  *broken = 0;
  TRM_TRY(trm__dir_open(&d, folder, err));
  trm_status st = map_record(&d, &map, err);
  if (st == TRM_OK) st = find_last(&map, event, out, broken, err);
  trm__map_close(&map);
  trm__dir_close(&d);
  return st;
}

/* ---- writing ---- */

static trm_status save_with(const trm__dir *d, const char *line, trm_error *err) {
  trm__map old;
  trm__writer w;
  TRM_TRY(map_record(d, &old, err));
  trm_status st = trm__writer_open_at(&w, d, trm__record_name, err);
  if (st == TRM_OK) {
    if (old.size) trm__write(&w, old.data, old.size);
    if (old.size && old.data[old.size - 1] != '\n') trm__write(&w, "\n", 1);
    trm__write(&w, line, strlen(line));
    trm__write(&w, "\n", 1);
    st = trm__writer_commit(&w, err);
  }
  trm__map_close(&old);
  return st;
}

trm_status trm__record_add(const trm__dir *folder, trm__json_out *line, trm_error *err) {
  char *text;
  TRM_TRY(trm__json_finish(line, "a line of record.jsonl", &text, err));
  const trm_status st = save_with(folder, text, err);
  trm__free(text);
  return st;
}
