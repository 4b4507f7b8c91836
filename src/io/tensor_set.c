/* See tensor_set.h. Every file becomes a part; the tensors of all parts stand in one list. */
#include "io/tensor_set.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "io/json.h"

enum { MAX_INDEX = 16 << 20, MAX_PARTS = 1024 };

/* One of the two. */
typedef struct part {
  char *path;
  trm__torch_file *torch;
  trm__safetensors *safe;
} part;

typedef struct entry {
  trm__torch_tensor tensor;
  int part, at; /* the at-th of its part */
} entry;

struct trm__tensor_set {
  part *parts;
  entry *entries;
  int n_parts, n;
};

/* --- parts --- */

/* The length of its header in eight bytes, of which the last are zero, and an object. */
static bool is_safetensors(const trm__map *map) {
  return map->size > 8 && map->data[8] == '{' && map->data[6] == 0 && map->data[7] == 0;
}

static trm_status open_part(part *p, trm_error *err) {
  trm__map map;
  TRM_TRY(trm__map_open(p->path, &map, err));
  const bool safe = is_safetensors(&map);
  trm__map_close(&map);
  if (safe) return trm__safetensors_open(p->path, &p->safe, err);
  return trm__torch_open(p->path, &p->torch, err);
}

static int count_part(const part *p) {
  return p->torch ? trm__torch_count(p->torch) : trm__safetensors_count(p->safe);
}

/* The i-th of a part; a safetensors file has its rows one behind the other. */
static trm__torch_tensor tensor_of(const part *p, int i) {
  if (p->torch) return *trm__torch_at(p->torch, i);
  const trm__st_tensor *s = trm__safetensors_at(p->safe, i);
  trm__torch_tensor t = {.name = s->name,
                         .where = "",
                         .dtype = s->dtype,
                         .ndim = s->ndim,
                         .count = s->count,
                         .data = s->data};
  int64_t step = 1;
  for (int d = s->ndim - 1; d >= 0; d--) {
    t.shape[d] = s->shape[d];
    t.stride[d] = step;
    step *= s->shape[d];
  }
  return t;
}

/* The bytes of "DIR/" in front of a file's name. */
static int folder_of(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? (int)(slash - path) + 1 : 0;
}

/* --- an index --- */

/* The part of that name, beside the index; a new one is noted, not opened. */
static trm_status find_part(trm__tensor_set *set, const char *path, const char *name, int *out,
                            trm_error *err) {
  const int n = folder_of(path);
  for (int i = 0; i < set->n_parts; i++)
    if (!strcmp(set->parts[i].path + n, name)) {
      *out = i;
      return TRM_OK;
    }
  if (!*name || *name == '.' || strchr(name, '/') || set->n_parts == MAX_PARTS)
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: \"weight_map\" names the file \"%.80s\": want the names of at most %d files "
             "beside it",
             path, name, MAX_PARTS);
  char *whole;
  const size_t room = (size_t)n + strlen(name) + 1;
  TRM_ALLOC(&whole, room, "a file name", err);
  snprintf(whole, room, "%.*s%s", n, path, name);
  *out = set->n_parts;
  set->parts[set->n_parts++].path = whole;
  return TRM_OK;
}

static trm_status note_parts(trm__tensor_set *set, const char *path, const trm__json *map,
                             trm_error *err) {
  if (!trm__json_is(map, TRM__JSON_OBJECT))
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: a JSON text, but no index of weights: it has no \"weight_map\"", path);
  for (size_t i = 0; i < trm__json_n_members(map); i++) {
    const char *name = trm__json_text(trm__json_member(map, i));
    int at;
    if (!name)
      TRM_FAIL(err, TRM_E_FORMAT, "%s: \"weight_map\": \"%.80s\": want the name of a file", path,
               trm__json_key(map, i));
    TRM_TRY(find_part(set, path, name, &at, err));
  }
  return TRM_OK;
}

/* Every tensor that the index names is in the file that it says, and no file has another one. */
static trm_status check_index(const trm__tensor_set *set, const char *path, const trm__json *map,
                              trm_error *err) {
  const int dir = folder_of(path);
  for (int i = 0; i < set->n; i++) {
    const entry *e = &set->entries[i];
    const char *said = trm__json_text(trm__json_get(map, e->tensor.name));
    const char *file = set->parts[e->part].path;
    if (!said || strcmp(said, file + dir))
      TRM_FAIL(err, TRM_E_FORMAT,
               "%s: tensor \"%.80s\" is there, but by %s it is in \"%.80s\": files of different "
               "models?",
               file, e->tensor.name, path, said ? said : "none");
  }
  if ((size_t)set->n != trm__json_n_members(map))
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: names %zu tensors, but its files have %d of them: one was cut or is of another "
             "model",
             path, trm__json_n_members(map), set->n);
  return TRM_OK;
}

/* --- the set --- */

static trm_status open_parts(trm__tensor_set *set, trm_error *err) {
  size_t n = 0;
  for (int i = 0; i < set->n_parts; i++) {
    TRM_TRY(open_part(&set->parts[i], err));
    n += (size_t)count_part(&set->parts[i]);
  }
  TRM_ALLOC(&set->entries, n, "the tensors of a checkpoint", err);
  for (int p = 0; p < set->n_parts; p++)
    for (int i = 0; i < count_part(&set->parts[p]); i++)
      set->entries[set->n++] = (entry){tensor_of(&set->parts[p], i), p, i};
  return TRM_OK;
}

static trm_status open_index(trm__tensor_set *set, const char *path, trm_error *err) {
  trm__json *root;
  TRM_TRY(trm__json_load(path, MAX_INDEX, &root, err));
  const trm__json *map = trm__json_get(root, "weight_map");
  trm_status st = note_parts(set, path, map, err);
  if (st == TRM_OK) st = open_parts(set, err);
  if (st == TRM_OK) st = check_index(set, path, map, err);
  trm__json_free(root);
  return st;
}

static trm_status open_single(trm__tensor_set *set, const char *path, trm_error *err) {
  const size_t n = strlen(path) + 1;
  TRM_ALLOC(&set->parts[0].path, n, "a file name", err);
  memcpy(set->parts[0].path, path, n);
  set->n_parts = 1;
  return open_parts(set, err);
}

/* An index is a JSON text: an object from its first character on. */
static trm_status is_index(const char *path, bool *index, trm_error *err) {
  trm__map map;
  size_t i = 0;
  TRM_TRY(trm__map_open(path, &map, err));
  while (i < map.size && isspace(map.data[i])) i++;
  *index = i < map.size && map.data[i] == '{' && !is_safetensors(&map);
  trm__map_close(&map);
  return TRM_OK;
}

trm_status trm__tensor_set_open(const char *path, trm__tensor_set **out, trm_error *err) {
  trm__tensor_set *set;
  bool index = false;
  trm_status st;
  *out = NULL;
  TRM_ALLOC(&set, 1, "the tensors of a checkpoint", err);
  TRM_GOTO(is_index(path, &index, err));
  set->parts = trm__alloc(index ? MAX_PARTS : 1, sizeof *set->parts);
  if (!set->parts)
    TRM_GOTO(trm__fail(err, TRM_E_MEMORY, -1, "%s: no memory for the list of its files", path));
  TRM_GOTO((index ? open_index : open_single)(set, path, err));
  *out = set;
  return TRM_OK;
done:
  trm__tensor_set_close(set);
  return st;
}

void trm__tensor_set_close(trm__tensor_set *set) {
  if (!set) return;
  for (int i = 0; i < set->n_parts; i++) {
    trm__torch_close(set->parts[i].torch);
    trm__safetensors_close(set->parts[i].safe);
    trm__free(set->parts[i].path);
  }
  trm__free(set->parts);
  trm__free(set->entries);
  trm__free(set);
}

int trm__tensor_set_count(const trm__tensor_set *set) {
  return set->n;
}

const trm__torch_tensor *trm__tensor_set_at(const trm__tensor_set *set, int i) {
  return &set->entries[i].tensor;
}

trm_status trm__tensor_set_check(const trm__tensor_set *set, int i, trm_error *err) {
  const entry *e = &set->entries[i];
  const part *p = &set->parts[e->part];
  return p->torch ? trm__torch_check(p->torch, trm__torch_at(p->torch, e->at), err) : TRM_OK;
}

const char *trm__tensor_set_rest(const trm__tensor_set *set) {
  return set->n_parts == 1 && set->parts[0].torch ? trm__torch_top(set->parts[0].torch) : "";
}
