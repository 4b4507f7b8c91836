/* Model folders: model.safetensors holds every tensor of the layout in float32 under the
 * reference's names, config.json every field of trm_model_config under its own name. The weights
 * are written first: a folder with a config.json is complete. A file from outside is compared with
 * the layout before memory for a model is taken, so that a false configuration costs nothing. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "io/safetensors.h"
#include "nn/model.h"
#include "nn/model_config.h"

enum { CHUNK = 1024 /* values converted at a time */ };

static const char config_name[] = "config.json", weights_name[] = "model.safetensors";

/* --- model.safetensors --- */

/* "[2, 32]" */
static const char *shape_text(char *text, size_t size, const int64_t *shape, int ndim) {
  size_t used = (size_t)snprintf(text, size, "[");
  for (int i = 0; i < ndim; i++)
    used +=
        (size_t)snprintf(text + used, size - used, "%s%lld", i ? ", " : "", (long long)shape[i]);
  snprintf(text + used, size - used, "]");
  return text;
}

static trm_status check_tensor(const trm__slot *s, const trm__st_tensor *t, const char *path,
                               trm_error *err) {
  enum { TEXT = 4 + 22 * TRM__ST_MAX_DIMS };
  char want[TEXT], found[TEXT];
  int ndim = s->shape[1] ? 2 : 1;
  shape_text(want, sizeof want, s->shape, ndim);
  if (!t)
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: no tensor \"%s\" %s; does this file belong to the config.json beside it?", path,
             s->name, want);
  bool same =
      t->ndim == ndim && t->shape[0] == s->shape[0] && (ndim == 1 || t->shape[1] == s->shape[1]);
  if (!same)
    TRM_FAIL(
        err, TRM_E_SHAPE,
        "%s: tensor \"%s\" is %s, but config.json beside it wants %s: the two files are not of "
        "one model",
        path, s->name, shape_text(found, sizeof found, t->shape, t->ndim), want);
  return TRM_OK;
}

/* The file has every tensor of the layout in its shape, and no other. */
static trm_status check_tensors(const trm__layout *l, const trm__safetensors *file,
                                const char *path, trm_error *err) {
  for (int i = 0; i < trm__safetensors_count(file); i++) {
    const char *name = trm__safetensors_at(file, i)->name;
    if (trm__layout_find(l, name) < 0)
      TRM_FAIL(err, TRM_E_FORMAT,
               "%s: tensor \"%.80s\" is none of the model that config.json beside it describes",
               path, name);
  }
  for (int i = 0; i < l->n_slots; i++)
    TRM_TRY(check_tensor(&l->slots[i], trm__safetensors_find(file, l->slots[i].name), path, err));
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
    for (int64_t i = 0; i < part.count; i++) {
      if (!isfinite(values[i]))
        TRM_FAIL(
            err, TRM_E_NUMERIC,
            "%s: tensor \"%s\", element %lld is %g; want finite weights: take a checkpoint from "
            "before the training broke down",
            path, t->name, (long long)(first + i), (double)values[i]);
      out[first + i] = (real)values[i];
    }
  }
  return TRM_OK;
}

static trm_status read_weights(const trm_model_config *config, const trm__safetensors *file,
                               const char *path, trm_model **out, trm_error *err) {
  trm__layout *l;
  TRM_TRY(trm__layout_create(config, &l, err));
  trm_status st = check_tensors(l, file, path, err);
  trm__layout_free(l);
  if (st != TRM_OK) return st;
  trm_model *m;
  TRM_TRY(trm__model_alloc(config, &m, err));
  for (int i = 0; i < m->layout->n_slots && st == TRM_OK; i++) {
    const trm__slot *s = &m->layout->slots[i];
    st = read_tensor(trm__safetensors_find(file, s->name), path, trm__model_slot(m, s), err);
  }
  if (st == TRM_OK)
    *out = m;
  else
    trm_model_free(m);
  return st;
}

static trm_status save_weights(const trm_model *m, const char *path, trm_error *err) {
  static const trm__st_meta meta = {"format", "pt"}; /* what other readers of the format expect */
  const trm__layout *l = m->layout;
  trm__st_tensor *tensors;
  float *copy = NULL; /* of all weights, in a build whose `real` is no float */
  trm_status st = TRM_OK;
  int64_t total = 0;
  TRM_ALLOC(&tensors, l->n_slots, "a list of tensors", err);
  for (int i = 0; i < l->n_slots; i++) total += l->slots[i].count;
  if (sizeof(real) != sizeof(float) && !(copy = trm__alloc((size_t)total, sizeof *copy)))
    st = trm__fail(err, TRM_E_MEMORY, -1, "no memory for %lld weights", (long long)total);
  float *next = copy;
  for (int i = 0; i < l->n_slots && st == TRM_OK; i++) {
    const trm__slot *s = &l->slots[i];
    const real *v = trm__model_slot(m, s);
    tensors[i] = (trm__st_tensor){.name = s->name,
                                  .dtype = TRM__F32,
                                  .ndim = s->shape[1] ? 2 : 1,
                                  .shape = {s->shape[0], s->shape[1]},
                                  .data = copy ? (const void *)next : v};
    if (!copy) continue;
    for (int64_t k = 0; k < s->count; k++) *next++ = (float)v[k];
  }
  if (st == TRM_OK) st = trm__safetensors_save(path, tensors, l->n_slots, &meta, 1, err);
  trm__free(copy);
  trm__free(tensors);
  return st;
}

/* --- the folder --- */

typedef struct folder {
  char *config, *weights; /* paths of the two files */
} folder;

static void folder_free(folder *f) {
  trm__free(f->config);
  trm__free(f->weights);
}

static trm_status folder_paths(const char *dir, folder *f, trm_error *err) {
  *f = (folder){trm__path_join(dir, config_name), trm__path_join(dir, weights_name)};
  if (f->config && f->weights) return TRM_OK;
  folder_free(f);
  TRM_FAIL(err, TRM_E_MEMORY, "no memory for a path");
}

static trm_status check_folder(const char *dir, const folder *f, trm_error *err) {
  const char *missing = !trm__path_exists(dir)          ? "it does not exist"
                        : !trm__path_is_dir(dir)        ? "it is no folder"
                        : !trm__path_exists(f->config)  ? "it has no config.json"
                        : !trm__path_exists(f->weights) ? "it has no model.safetensors"
                                                        : NULL;
  if (missing)
    TRM_FAIL(
        err, TRM_E_IO,
        "%s is not a model folder: %s. A model folder holds config.json (the configuration) and "
        "model.safetensors (the weights), as training writes them",
        dir, missing);
  return TRM_OK;
}

trm_status trm_model_load(const char *dir, trm_model **out, trm_error *err) {
  folder f;
  trm_model_config config;
  trm__safetensors *file = NULL;
  trm_status st;
  *out = NULL;
  TRM_TRY(folder_paths(dir, &f, err));
  TRM_GOTO(check_folder(dir, &f, err));
  TRM_GOTO(trm__model_config_load(f.config, &config, err));
  TRM_GOTO(trm__safetensors_open(f.weights, &file, err));
  st = read_weights(&config, file, f.weights, out, err);
done:
  trm__safetensors_close(file);
  folder_free(&f);
  return st;
}

trm_status trm_model_save(const trm_model *model, const char *dir, trm_error *err) {
  folder f;
  trm_status st;
  TRM_TRY(folder_paths(dir, &f, err));
  TRM_GOTO(trm__make_dirs(dir, err));
  TRM_GOTO(save_weights(model, f.weights, err));
  st = trm__model_config_save(&model->config, f.config, err);
done:
  folder_free(&f);
  return st;
}
