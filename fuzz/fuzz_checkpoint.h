/* Tensors and models of other programs' checkpoints, in whatever files they are. */
#ifndef TRM_FUZZ_CHECKPOINT_H
#define TRM_FUZZ_CHECKPOINT_H

#include <string.h>

#include "fuzz_tensors.h"
#include "io/torch_file.h"

/* Its first values and its last one. */
static inline void fuzz_read_values(const trm__torch_tensor *t) {
  enum { MOST = 4096, PIECE = 64 };
  float values[PIECE];
  FUZZ_CHECK(t->name && t->where && t->ndim >= 0 && t->ndim <= TRM__ST_MAX_DIMS && t->count >= 0);
  if (!trm__dtype_is_float(t->dtype)) return;
  for (int64_t i = 0; i < t->count && i < MOST; i += PIECE)
    trm__torch_to_float(t, i, t->count - i < PIECE ? t->count - i : PIECE, values);
  if (t->count) trm__torch_to_float(t, t->count - 1, 1, values);
}

/* What the tensors tell of a model, of which nothing else is known; false where it is refused.
 * `seq_len`, if it is not 0, is what the data have. */
static inline bool fuzz_complete(const char *path, int seq_len, trm_model_config *c) {
  char note[200];
  trm_error err;
  *c = trm_model_config_default(TRM_ARCH_TRM);
  c->vocab_size = c->seq_len = c->num_puzzle_identifiers = c->hidden_size = c->puzzle_emb_ndim = 0;
  c->num_heads = c->puzzle_emb_len = 1;
  c->expansion = 0;
  c->L_layers = 0;
  if (!fuzz_accepted(trm_model_complete_config(path, c, &err), &err)) return false;
  if (seq_len) c->seq_len = seq_len;
  if (fuzz_accepted(trm_model_import_note(path, c, note, sizeof note, &err), &err))
    FUZZ_CHECK(memchr(note, 0, sizeof note));
  return true;
}

#endif
