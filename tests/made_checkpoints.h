/* Checkpoints as trainers of the field write them, made out of a model: tensors under other names,
 * and files of torch.save whose state dict lies in other values. */
#ifndef TRM_TESTS_MADE_CHECKPOINTS_H
#define TRM_TESTS_MADE_CHECKPOINTS_H

#include "io/torch_file.h"
#include "io/zip.h"
#include "small_model.h"

enum { MADE_TENSORS = 128, MADE_NAME = 160 };

/* A list of tensors to be written, and the room for their names. */
typedef struct made {
  trm__st_tensor tensors[MADE_TENSORS];
  char names[MADE_TENSORS][MADE_NAME];
  int n;
} made;

static inline trm__st_tensor *made_add(made *l, const char *name, int64_t rows, int64_t columns,
                                       const float *values) {
  assert_true(l->n < MADE_TENSORS);
  snprintf(l->names[l->n], MADE_NAME, "%s", name);
  l->tensors[l->n] = (trm__st_tensor){.name = l->names[l->n],
                                      .dtype = TRM__F32,
                                      .ndim = columns ? 2 : 1,
                                      .shape = {rows, columns},
                                      .count = rows * (columns ? columns : 1),
                                      .data = values};
  return &l->tensors[l->n++];
}

/* The tensors of a model behind a prefix, and with `inside` behind "L_level.layers.". */
static inline void made_model(made *l, const trm_model *m, const char *prefix, const char *inside) {
  static const char layers[] = "L_level.layers.";
  for (int i = 0; i < trm_model_tensor_count(m); i++) {
    const trm_tensor t = trm_model_tensor_at(m, i);
    const bool in_layers = !strncmp(t.name, layers, strlen(layers));
    char name[MADE_NAME];
    snprintf(name, sizeof name, "%s%s%s%s", prefix, in_layers ? layers : "",
             in_layers ? inside : "", t.name + (in_layers ? strlen(layers) : 0));
    made_add(l, name, t.shape[0], t.ndim == 2 ? t.shape[1] : 0, t.data);
  }
}

static inline void made_save(const made *l, const char *path) {
  trm_error err;
  if (trm__torch_save(path, "", l->tensors, l->n, &err) != TRM_OK) fail_msg("%s", err.msg);
}

/* The same file with the pickle `before` + its dictionary + `between` + its dictionary + `after`
 * (between NULL: once). */
static inline void made_wrap(const char *from, const char *to, const char *before, size_t n_before,
                             const char *between, size_t n_between, const char *after,
                             size_t n_after) {
  /* The file that is there, and the one that it becomes. */
  enum { HEAD = 2 /* PROTO 2 */ };
  trm__zip *zip;
  trm__zip_writer w;
  trm_error err;
  assert_int_equal(trm__zip_open(from, &zip, &err), TRM_OK);
  assert_int_equal(trm__zip_create(&w, to, &err), TRM_OK);

  /* All but the pickle are copied; its length changes. */
  for (int i = 0; i < trm__zip_count(zip); i++) {
    const trm__zip_entry *e = trm__zip_at(zip, i);
    const unsigned char *data = trm__zip_view(zip, e);
    const bool pickle = strstr(e->name, "/data.pkl") != NULL;
    const size_t body = e->size - HEAD - 1;
    trm__zip_begin(
        &w, e->name,
        pickle ? HEAD + n_before + (between ? 2 : 1) * body + n_between + n_after : e->size);

    /* The dictionary without its protocol and its stop, between what stands around it. */
    if (pickle) {
      trm__zip_append(&w, data, HEAD);
      trm__zip_append(&w, before, n_before);
      trm__zip_append(&w, data + HEAD, body);
      if (between) {
        trm__zip_append(&w, between, n_between);
        trm__zip_append(&w, data + HEAD, body);
      }
      trm__zip_append(&w, after, n_after);
    } else {
      trm__zip_append(&w, data, e->size);
    }

    trm__zip_end(&w);
  }
  trm__zip_close(zip);
  assert_int_equal(trm__zip_commit(&w, &err), TRM_OK);
}

static inline void made_same_weights(const trm_model *a, const trm_model *b) {
  assert_int_equal(trm_model_tensor_count(a), trm_model_tensor_count(b));
  for (int i = 0; i < trm_model_tensor_count(a); i++) {
    const trm_tensor x = trm_model_tensor_at(a, i), y = trm_model_tensor_named(b, x.name);
    assert_int_equal(x.count, y.count);
    assert_memory_equal(x.data, y.data, (size_t)x.count * sizeof *x.data);
  }
}

#endif
