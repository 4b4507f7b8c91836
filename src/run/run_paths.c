/* Where the paths of a run lead. A path in its config.yaml is as it was typed, and relative ones
 * were meant from the folder that the run was started in, which its record tells. */
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "run/record.h"
#include "run/run_config.h"

static const char *const keys[] = {"data_paths", "data_paths_test", "load_checkpoint"};

void trm__run_paths_free(trm__run_paths *p) {
  for (int i = 0; i < p->n; i++) {
    trm__free(p->v[i].path);
    trm__free(p->v[i].at);
  }
  trm__free(p->v);
  *p = (trm__run_paths){0};
}

const char *trm__run_path_at(const trm_run_config *c, const char *key, int i) {
  const char *path = trm_run_config_item(c, key, i);
  for (int j = 0; path && j < c->paths.n; j++)
    if (!strcmp(c->paths.v[j].key, key) && !strcmp(c->paths.v[j].path, path))
      return c->paths.v[j].at;
  return path;
}

/* Where the record says that the path of a key led; NULL: it does not say. */
static const char *find_at(const trm__json *start, const char *key, const char *path) {
  const trm__json *data = trm__json_get(start, "data"), *from = trm__json_get(start, "from");
  const size_t n = trm__json_n_items(data);
  for (size_t i = 0; i <= n; i++) {
    const trm__json *one = i < n ? trm__json_item(data, i) : from;
    const char *k = trm__json_text(trm__json_get(one, "key")),
               *p = trm__json_text(trm__json_get(one, "path"));
    if (k && p && !strcmp(k, key) && !strcmp(p, path))
      return trm__json_text(trm__json_get(one, "at"));
  }
  return NULL;
}

static trm_status add_place(trm__run_paths *paths, const char *key, const char *path,
                            const char *at, trm_error *err) {
  trm__run_path *p = &paths->v[paths->n++];
  *p = (trm__run_path){key, trm__text_copy(path, SIZE_MAX), trm__text_copy(at, SIZE_MAX)};
  if (!p->path || !p->at) TRM_FAIL(err, TRM_E_MEMORY, "no memory for the paths of a run");
  return TRM_OK;
}

static trm_status find_all(trm_run_config *c, const trm__json *start, trm_error *err) {
  for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
    const char *path;
    if (trm__entries_have(&c->settings, keys[k])) continue;
    for (int i = 0; (path = trm_run_config_item(c, keys[k], i)); i++) {
      const char *at = path[0] == '/' ? NULL : find_at(start, keys[k], path);
      if (at && at[0] == '/' && trm__path_exists(at))
        TRM_TRY(add_place(&c->paths, keys[k], path, at, err));
    }
  }
  return TRM_OK;
}

trm_status trm__run_paths_find(trm_run_config *c, const char *folder, trm_error *err) {
  trm__json *start;
  int broken;
  const trm__run_config *now = &c->now;
  const int most = now->data_paths.n + now->data_paths_test.n + 1;
  TRM_TRY(trm__record_last(folder, trm__record_start, &start, &broken, err));
  if (!start) return TRM_OK;
  c->paths.v = trm__alloc((uint64_t)most, sizeof *c->paths.v);
  const trm_status st = c->paths.v
                            ? find_all(c, start, err)
                            : trm__fail(err, TRM_E_MEMORY, -1, "no memory for the paths of a run");
  trm__json_free(start);
  return st;
}
