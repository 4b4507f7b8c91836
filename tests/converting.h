/* Models to convert, data for them, and whether a model comes back. */
#ifndef TRM_TESTS_CONVERTING_H
#define TRM_TESTS_CONVERTING_H

#include "launch.h"
#include "small_data.h"
#include "small_model.h"

enum { SEQ = 6, VOCAB = 7 };

enum { PATH = 160 };
/* Of a model, of what is made of it, and of data. */
static char path_a[PATH], path_b[PATH], path_data[PATH];

static inline const char *place(scratch *s, char *out, const char *name) {
  snprintf(out, PATH, "%s/%s", s->dir, name);
  return out;
}

static inline trm_model *load(const char *path) {
  trm_model *m;
  trm_error err;
  if (trm_model_load(path, &m, &err) != TRM_OK) fail_msg("%s", err.msg);
  return m;
}

static inline float bf16(float v) {
  uint32_t bits;
  memcpy(&bits, &v, sizeof bits);
  bits = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000;
  memcpy(&v, &bits, sizeof v);
  return v;
}

static inline void same_weights(const trm_model *a, const trm_model *b, bool rounded) {
  assert_int_equal(trm_model_tensor_count(a), trm_model_tensor_count(b));
  for (int i = 0; i < trm_model_tensor_count(a); i++) {
    const trm_tensor x = trm_model_tensor_at(a, i), y = trm_model_tensor_named(b, x.name);
    assert_int_equal(x.count, y.count);
    for (int64_t k = 0; k < x.count; k++)
      assert_true(y.data[k] == (rounded ? bf16(x.data[k]) : x.data[k]));
  }
}

static inline void same_config(const trm_model *a, const trm_model *b) {
  assert_memory_equal(trm_model_get_config(a), trm_model_get_config(b), sizeof(trm_model_config));
}

/* What lies at a path is the model, its weights perhaps rounded to bfloat16. */
static inline void comes_back(const char *path, const trm_model *m, bool rounded) {
  trm_model *back = load(path);
  same_config(m, back);
  same_weights(m, back, rounded);
  trm_model_free(back);
}

/* A mixer, so that the tensors show seq_len; its folder. */
static inline trm_model *make_model(scratch *s, const char *name, bool mixer) {
  trm_model_config c = small_config(TRM_ARCH_TRM, SEQ);
  c.mlp_t = mixer;
  c.pos_encodings = mixer ? TRM_POS_NONE : TRM_POS_ROPE;
  trm_model *m = small_model(&c, 3);
  trm_error err;
  if (trm_model_save(m, place(s, path_a, name), &err) != TRM_OK) fail_msg("%s", err.msg);
  return m;
}

static inline const char *make_data(scratch *s, const char *name, int32_t id_a, int32_t id_b) {
  static const int32_t tokens[2 * SEQ] = {1, 2, 3, 4, 5, 6, 1, 1, 1, 1, 1, 1};
  const int32_t ids[2] = {id_a, id_b};
  snprintf(path_data, sizeof path_data, "%s/%s", s->dir, name);
  write_small_data(path_data, 2, SEQ, VOCAB, 3, tokens, tokens, ids);
  return path_data;
}

#endif
