/* Models in files. A folder: model.safetensors holds every tensor of the layout under the
 * reference's names, config.json every field of trm_model_config under its own name; the weights
 * are written first, so a folder with a config.json is complete. A single file: the same tensors,
 * with the text of config.json in the metadata. A file from outside is compared with the layout
 * before memory for a model is taken, so that a false configuration costs nothing. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/pointer.h"
#include "io/torch_file.h"
#include "nn/model.h"
#include "nn/model_config.h"

enum { CHUNK = 1024 /* values converted at a time */ };

static const char config_name[] = "config.json", weights_name[] = "model.safetensors",
                  card_name[] = "README.md";
const char trm__model_card_mark[] =
    "<!-- Written by trm, which replaces it with its model. Without this line it stays. -->";
static const char ids_name[] = "puzzle_emb.identifiers"; /* int32, where not all are kept */
static const char meta_key[] = "trm_config";
/* Where the reference wraps its model: a compiled module, a loss head, a model. */
static const char torch_prefix[] = "_orig_mod.model.inner.";

/* What a file's tensors are compared with. */
typedef struct weights {
  const trm__safetensors *file;
  const char *path, *config; /* config: where the configuration stands, for messages */
} weights;

/* --- reading tensors --- */

/* "[2, 32]" */
static const char *shape_text(char *text, size_t size, const int64_t *shape, int ndim) {
  size_t used = (size_t)snprintf(text, size, "[");
  for (int i = 0; i < ndim; i++)
    used +=
        (size_t)snprintf(text + used, size - used, "%s%lld", i ? ", " : "", (long long)shape[i]);
  snprintf(text + used, size - used, "]");
  return text;
}

static trm_status check_tensor(const trm__layout *l, const trm__slot *s, const trm__st_tensor *t,
                               const weights *w, trm_error *err) {
  enum { TEXT = 4 + 22 * TRM__ST_MAX_DIMS };
  char want[TEXT], found[TEXT];
  int ndim = s->shape[1] ? 2 : 1;
  shape_text(want, sizeof want, s->shape, ndim);
  if (!t)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: no tensor \"%s\" %s; does this file belong to %s?%s", w->path,
             s->name, want, w->config, trm__layout_hint(l, s->name));
  bool same =
      t->ndim == ndim && t->shape[0] == s->shape[0] && (ndim == 1 || t->shape[1] == s->shape[1]);
  if (!same)
    TRM_FAIL(err, TRM_E_SHAPE,
             "%s: tensor \"%s\" is %s, but %s wants %s: the two are not of one model", w->path,
             s->name, shape_text(found, sizeof found, t->shape, t->ndim), w->config, want);
  return TRM_OK;
}

/* The file has every tensor of the layout in its shape, and no other. */
static trm_status check_tensors(const trm__layout *l, const weights *w, trm_error *err) {
  for (int i = 0; i < trm__safetensors_count(w->file); i++) {
    const char *name = trm__safetensors_at(w->file, i)->name;
    if (trm__layout_find(l, name) < 0 && strcmp(name, ids_name))
      TRM_FAIL(err, TRM_E_FORMAT, "%s: tensor \"%.80s\" is none of the model that %s describes%s",
               w->path, name, w->config, trm__layout_hint(l, name));
  }
  for (int i = 0; i < l->n_slots; i++)
    TRM_TRY(
        check_tensor(l, &l->slots[i], trm__safetensors_find(w->file, l->slots[i].name), w, err));
  return TRM_OK;
}

static trm_status read_tensor(const trm__st_tensor *t, const char *path, real *out,
                              trm_error *err) {
  float values[CHUNK];
  size_t size = trm__dtype_size(t->dtype);
  for (int64_t first = 0; first < t->count; first += CHUNK) {
    trm__st_tensor part = *t;
    part.count = t->count - first < CHUNK ? t->count - first : CHUNK;
    part.data = (const unsigned char *)t->data + (size_t)first * size;
    trm_error cause;
    trm_status st = trm__st_to_float(&part, values, &cause);
    if (st != TRM_OK) TRM_FAIL(err, st, "%s: %s", path, cause.msg);
    TRM_TRY(trm__store_weights(values, part.count, t->name, path, first, out, err));
  }
  return TRM_OK;
}

trm_status trm__store_weights(const float *values, int64_t n, const char *name, const char *path,
                              int64_t first, real *out, trm_error *err) {
  for (int64_t i = 0; i < n; i++) {
    if (!isfinite(values[i]))
      TRM_FAIL(err, TRM_E_NUMERIC,
               "%s: tensor \"%s\", element %lld is %g; want finite weights: take a checkpoint from "
               "before the training broke down",
               path, name, (long long)(first + i), (double)values[i]);
    out[first + i] = (real)values[i];
  }
  return TRM_OK;
}

/* The ids whose embeddings the file has, if it says so: *ids in a fresh block, or NULL. */
static trm_status read_ids(const trm_model_config *config, const weights *w, int32_t **ids, int *n,
                           trm_error *err) {
  const trm__st_tensor *t = trm__safetensors_find(w->file, ids_name);
  *ids = NULL;
  *n = 0;
  if (!t) return TRM_OK;
  if (t->dtype != TRM__I32 || t->ndim != 1 || t->count < 1 ||
      t->count > config->num_puzzle_identifiers || config->puzzle_emb_ndim == 0)
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: tensor \"%s\" is no list of 1 to %d puzzle ids (I32) of a model with puzzle "
             "embeddings",
             w->path, ids_name, config->num_puzzle_identifiers);

  /* Copied before they are checked: they may be unaligned. Rising, so that none is there twice. */
  TRM_ALLOC(ids, t->count, "puzzle ids", err);
  memcpy(*ids, t->data, (size_t)t->count * sizeof **ids);
  *n = (int)t->count;
  for (int i = 0; i < *n; i++)
    if ((*ids)[i] <= (i ? (*ids)[i - 1] : -1) || (*ids)[i] >= config->num_puzzle_identifiers) {
      const int32_t id = (*ids)[i];
      trm__free(*ids);
      *ids = NULL;
      TRM_FAIL_AT(err, TRM_E_RANGE, i,
                  "%s: tensor \"%s\", element %d is %d: want rising ids below %d", w->path,
                  ids_name, i, id, config->num_puzzle_identifiers);
    }
  return TRM_OK;
}

/* with_weights false: an outline. */
static trm_status read_model(const trm_model_config *config, const weights *w, bool with_weights,
                             trm_model **out, trm_error *err) {
  trm_model *outline = NULL, *m = NULL;
  int32_t *ids;
  int n_ids;
  trm_status st;
  TRM_TRY(read_ids(config, w, &ids, &n_ids, err));

  /* An outline shows whether the file has every tensor before memory for them is taken. */
  TRM_GOTO(trm__model_outline(config, ids, n_ids, &outline, err));
  TRM_GOTO(check_tensors(outline->layout, w, err));
  if (with_weights) TRM_GOTO(trm__model_alloc(config, ids, n_ids, &m, err));
  for (int i = 0; m && i < m->layout->n_slots; i++) {
    const trm__slot *s = &m->layout->slots[i];
    TRM_GOTO(
        read_tensor(trm__safetensors_find(w->file, s->name), w->path, trm__model_slot(m, s), err));
  }
  *out = with_weights ? m : outline;
done:
  trm__free(ids);
  if (st != TRM_OK) trm_model_free(m);
  if (st != TRM_OK || with_weights) trm_model_free(outline);
  return st;
}

/* --- writing tensors --- */

/* True when rounding to bfloat16 changes nothing. */
static bool is_bf16(const float *values, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    uint16_t half;
    float back;
    trm__dtype_from_float(TRM__BF16, &values[i], 1, &half);
    trm__dtype_to_float(TRM__BF16, &half, 1, 1, &back);
    if (back != values[i]) return false;
  }
  return true;
}

/* A list of what is to be written; `copy` holds the weights in a build whose `real` is no float. */
typedef struct tensor_list {
  trm__st_tensor *tensors;
  int n, most;
  float *copy;
} tensor_list;

static void list_free(tensor_list *l) {
  trm__free(l->tensors);
  trm__free(l->copy);
}

static trm_status list_memory(const trm_model *m, tensor_list *list, trm_error *err) {
  const trm__layout *l = m->layout;
  int64_t total = 0;
  *list = (tensor_list){.most = l->n_slots + (m->ids != NULL)};
  TRM_ALLOC(&list->tensors, list->most, "a list of tensors", err);
  for (int i = 0; i < l->n_slots; i++) total += l->slots[i].count;
  if (sizeof(real) != sizeof(float) &&
      !(list->copy = trm__alloc((uint64_t)total, sizeof *list->copy)))
    TRM_FAIL(err, TRM_E_MEMORY, "no memory for %lld weights", (long long)total);
  return TRM_OK;
}

static trm_status list_tensors(const trm_model *m, trm_dtype dtype, tensor_list *list,
                               trm_error *err) {
  const trm__layout *l = m->layout;
  TRM_TRY(list_memory(m, list, err));

  /* The weights, as the file's floats where they are none. */
  float *next = list->copy;
  for (int i = 0; i < l->n_slots; i++) {
    const trm__slot *s = &l->slots[i];
    const real *v = trm__model_slot(m, s);
    list->tensors[trm__push(&list->n, list->most)] =
        (trm__st_tensor){.name = s->name,
                         .dtype = dtype == TRM_BFLOAT16 ? TRM__BF16 : TRM__F32,
                         .ndim = s->shape[1] ? 2 : 1,
                         .shape = {s->shape[0], s->shape[1]},
                         .count = s->count,
                         .data = next ? (const void *)next : v,
                         .from_float = true};
    for (int64_t k = 0; next && k < s->count; k++) next[k] = (float)v[k];
    if (next) next += s->count;
  }

  /* Which ids the puzzle embedding's rows are of, where it is not all. */
  if (m->ids)
    list->tensors[trm__push(&list->n, list->most)] = (trm__st_tensor){.name = ids_name,
                                                                      .dtype = TRM__I32,
                                                                      .ndim = 1,
                                                                      .shape = {m->n_ids},
                                                                      .count = m->n_ids,
                                                                      .data = m->ids};
  return TRM_OK;
}

/* config NULL: not in the metadata. */
static trm_status save_safetensors(const trm_model *m, const char *path, trm_dtype dtype,
                                   const char *config, trm_error *err) {
  /* What other readers of the format expect, and what ours needs. */
  const trm__st_meta meta[] = {{"format", "pt"}, {meta_key, config}};
  tensor_list list;
  trm_status st = list_tensors(m, dtype, &list, err);
  if (st == TRM_OK)
    st = trm__safetensors_save(path, list.tensors, list.n, meta, config ? 2 : 1, err);
  list_free(&list);
  return st;
}

/* The reference's initial latents are bfloat16 in its files; ours are, too, where they can. */
static trm_status save_torch(const trm_model *m, const char *path, trm_dtype dtype,
                             trm_error *err) {
  tensor_list list;
  if (m->ids)
    TRM_FAIL(
        err, TRM_E_ARGUMENT,
        "%s: a torch file has no place for which %d of the %d puzzle embeddings are kept; write "
        "a .safetensors file or a folder",
        path, m->n_ids, m->config.num_puzzle_identifiers);
  trm_status st = list_tensors(m, dtype, &list, err);

  for (int i = 0; i < m->layout->n_slots && st == TRM_OK; i++)
    if (m->layout->slots[i].kind == TRM_TENSOR_BUFFER &&
        is_bf16(list.tensors[i].data, list.tensors[i].count))
      list.tensors[i].dtype = TRM__BF16;
  if (st == TRM_OK) st = trm__torch_save(path, torch_prefix, list.tensors, list.n, err);
  list_free(&list);
  return st;
}

/* --- one file --- */

/* config.json beside `path` in a fresh block, NULL when out of memory. */
static char *config_beside(const char *path) {
  const char *slash = strrchr(path, '/');
  const size_t n = slash ? (size_t)(slash - path) + 1 : 0;
  char *beside = trm__alloc(n + sizeof config_name, 1);
  if (!beside) return NULL;
  memcpy(beside, path, n);
  memcpy(beside + n, config_name, sizeof config_name);
  return beside;
}

/* The weights of a model folder, named by themselves. */
static trm_status load_part(const char *path, const trm__safetensors *file, bool with_weights,
                            trm_model **out, trm_error *err) {
  const weights w = {file, path, "config.json beside it"};
  trm_model_config config;
  trm_status st;
  char *beside = config_beside(path);
  if (!beside) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a path");
  trm__kind kind;
  TRM_GOTO(trm__path_look(beside, &kind, err));
  if (kind != TRM__ABSENT) {
    TRM_GOTO(trm__model_config_load(beside, &config, err));
    st = read_model(&config, &w, with_weights, out, err);
  } else {
    st = trm__fail(err, TRM_E_FORMAT, -1,
                   "%s: no %s in its metadata and no config.json beside it, so what its tensors "
                   "are is not known",
                   path, meta_key);
  }
done:
  trm__free(beside);
  return st;
}

static trm_status load_file(const char *path, bool with_weights, trm_model **out, trm_error *err) {
  trm__safetensors *file;
  trm_model_config config;
  trm_status st;
  TRM_TRY(trm__safetensors_open(path, &file, err));
  const char *text = trm__safetensors_meta(file, meta_key);
  const weights w = {file, path, "the configuration in its metadata"};
  if (text) {
    TRM_GOTO(trm__model_config_parse(text, path, &config, err));
    st = read_model(&config, &w, with_weights, out, err);
  } else {
    st = load_part(path, file, with_weights, out, err);
  }
done:
  trm__safetensors_close(file);
  return st;
}

trm_status trm_model_load_memory(const void *bytes, size_t n, const char *name, trm_model **out,
                                 trm_error *err) {
  trm__safetensors *file;
  trm_model_config config;
  trm_status st;
  *out = NULL;
  TRM_TRY(trm__safetensors_from_memory(name, bytes, n, &file, err));
  const char *text = trm__safetensors_meta(file, meta_key);
  const weights w = {file, name, "the configuration in its metadata"};
  if (!text) {
    st = trm__fail(err, TRM_E_FORMAT, -1,
                   "%s: no %s in its metadata, so what its tensors are is not known: want a file "
                   "that trm_model_export wrote",
                   name, meta_key);
    goto done;
  }
  TRM_GOTO(trm__model_config_parse(text, name, &config, err));
  st = read_model(&config, &w, true, out, err);
done:
  trm__safetensors_close(file);
  return st;
}

static trm_status save_file(const trm_model *m, const char *path, trm_dtype dtype, trm_error *err) {
  char *text;
  TRM_TRY(trm__model_config_print(&m->config, &text, err));
  const trm_status st = save_safetensors(m, path, dtype, text, err);
  trm__free(text);
  return st;
}

/* --- the folder --- */

typedef struct folder {
  char *config, *weights; /* paths of the two files */
} folder;

static void folder_free(folder *f) {
  trm__free(f->config);
  trm__free(f->weights);
  *f = (folder){0};
}

static trm_status folder_paths(const char *dir, folder *f, trm_error *err) {
  *f = (folder){trm__path_join(dir, config_name), trm__path_join(dir, weights_name)};
  if (f->config && f->weights) return TRM_OK;
  folder_free(f);
  TRM_FAIL(err, TRM_E_MEMORY, "no memory for a path");
}

static trm_status check_folder(const char *dir, const folder *f, trm_error *err) {
  const struct {
    const char *path, *missing;
  } wanted[] = {{dir, "it does not exist"},
                {f->config, "it has no config.json"},
                {f->weights, "it has no model.safetensors"}};
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
    trm__kind kind;
    TRM_TRY(trm__path_look(wanted[i].path, &kind, err));
    if (kind == TRM__ABSENT)
      TRM_FAIL(
          err, TRM_E_IO,
          "%s is not a model folder: %s. A model folder holds config.json (the configuration) and "
          "model.safetensors (the weights), as training writes them",
          dir, wanted[i].missing);
  }
  return TRM_OK;
}

static trm_status load_folder(const char *dir, bool with_weights, trm_model **out, trm_error *err) {
  folder f;
  trm_model_config config;
  trm__safetensors *file = NULL;
  trm_status st;
  TRM_TRY(folder_paths(dir, &f, err));
  TRM_GOTO(check_folder(dir, &f, err));
  TRM_GOTO(trm__model_config_load(f.config, &config, err));
  TRM_GOTO(trm__safetensors_open(f.weights, &file, err));
  const weights w = {file, f.weights, "config.json beside it"};
  st = read_model(&config, &w, with_weights, out, err);
done:
  trm__safetensors_close(file);
  folder_free(&f);
  return st;
}

/* A card that somebody wrote, or made theirs, is not replaced. */
static trm_status check_card(const char *dir, trm_error *err) {
  char path[TRM__PATH_MAX];
  trm__kind kind;
  trm__map map;
  TRM_TRY(trm__path_format(path, err, "%s/%s", dir, card_name));
  TRM_TRY(trm__path_look(path, &kind, err));
  if (kind == TRM__ABSENT) return TRM_OK;
  TRM_TRY(trm__map_open(path, &map, err));
  const size_t n = strlen(trm__model_card_mark);
  bool ours = false;
  for (size_t at = 0; !ours && at + n <= map.size; at++)
    ours = !memcmp(map.data + at, trm__model_card_mark, n);
  trm__map_close(&map);
  if (ours) return TRM_OK;
  TRM_FAIL(err, TRM_E_IO,
           "%s is somebody's own text, which would be lost: move it away, or name another folder",
           path);
}

static const char *const folder_names[] = {config_name, weights_name, card_name, NULL};
static const trm__folder_kind folder_kind = {"model folder", folder_names, true, check_card};

trm_status trm_model_check_folder(const char *dir, trm_error *err) {
  return trm__folder_check(dir, &folder_kind, err);
}

static trm_status save_card(const char *dir, trm__card_fn *card, void *arg, trm_error *err) {
  char path[TRM__PATH_MAX];
  trm__writer w;
  TRM_TRY(trm__path_format(path, err, "%s/%s", dir, card_name));
  TRM_TRY(trm__writer_open(&w, path, err));
  trm_status st = card(arg, &w, err);
  if (st == TRM_OK) st = trm__writer_commit(&w, err);
  trm__writer_abort(&w);
  return st;
}

/* The new folder takes the place of the old one at once: a configuration never stands beside other
 * weights, where both could fit and mean something else. */
trm_status trm__model_save_with(const trm_model *m, const char *dir, trm_dtype dtype,
                                trm__card_fn *card, void *arg, trm_error *err) {
  trm__folder whole = {0};
  folder f = {0};
  trm_status st;
  TRM_TRY(trm__model_check_weights(m, err));
  TRM_GOTO(trm__folder_begin(&whole, dir, &folder_kind, err));
  TRM_GOTO(folder_paths(whole.path, &f, err));
  TRM_GOTO(save_safetensors(m, f.weights, dtype, NULL, err));
  TRM_GOTO(trm__model_config_save(&m->config, f.config, err));
  if (card) TRM_GOTO(save_card(whole.path, card, arg, err));
  st = trm__folder_commit(&whole, err);
done:
  folder_free(&f);
  trm__folder_abort(&whole);
  return st;
}

static trm_status save_folder(const trm_model *m, const char *dir, trm_dtype dtype,
                              trm_error *err) {
  return trm__model_save_with(m, dir, dtype, NULL, NULL, err);
}

/* --- either --- */

trm_status trm__model_open(const char *path, bool with_weights, trm_model **out, trm_error *err) {
  char *target;
  trm__kind kind;
  *out = NULL;
  TRM_TRY(trm__pointer_follow(path, &target, err));
  trm_status st = trm__path_look(target, &kind, err);
  const bool is_file = kind != TRM__ABSENT && kind != TRM__DIR;
  if (st == TRM_OK) st = (is_file ? load_file : load_folder)(target, with_weights, out, err);
  trm__free(target);
  return st;
}

trm_status trm_model_load(const char *path, trm_model **out, trm_error *err) {
  return trm__model_open(path, true, out, err);
}

trm_status trm_model_save(const trm_model *model, const char *dir, trm_error *err) {
  return trm_model_export(model, dir, TRM_FILE_FOLDER, TRM_FLOAT32, err);
}

trm_status trm_model_export(const trm_model *model, const char *path, trm_file_format format,
                            trm_dtype dtype, trm_error *err) {
  static trm_status (*const writers[])(const trm_model *, const char *, trm_dtype, trm_error *) = {
      [TRM_FILE_FOLDER] = save_folder,
      [TRM_FILE_SAFETENSORS] = save_file,
      [TRM_FILE_TORCH] = save_torch};
  if ((unsigned)format > TRM_FILE_TORCH)
    TRM_FAIL(err, TRM_E_ARGUMENT, "format = %d: unknown", (int)format);
  TRM_TRY(trm__dtype_stored(dtype, err));
  TRM_TRY(trm__model_check_weights(model, err));
  return writers[format](model, path, dtype, err);
}
