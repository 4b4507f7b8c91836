/* Inside a model. `real` blocks are the weights; in the library `real` is float, so that the
 * public views point straight into them. */
#ifndef TRM_NN_MODEL_H
#define TRM_NN_MODEL_H

#include "base/file.h"
#include "nn/layout.h"

struct trm_model {
  trm_model_config config;
  trm__layout *layout;
  real *params, *buffers, *puzzle_emb; /* flat blocks; puzzle_emb NULL when there is none */
  /* Where only some rows of the puzzle embedding are kept: row i is that of ids[i], rising. NULL:
   * row i is that of id i. */
  int32_t *ids;
  int n_ids;
};

/* The row of an id below num_puzzle_identifiers in the puzzle embedding; -1: not kept. */
int64_t trm__model_puzzle_row(const trm_model *model, int32_t id);

/* The block a slot lies in. */
static inline real *trm__model_block(const trm_model *m, trm_tensor_kind kind) {
  return kind == TRM_TENSOR_PARAM    ? m->params
         : kind == TRM_TENSOR_BUFFER ? m->buffers
                                     : m->puzzle_emb;
}
static inline real *trm__model_slot(const trm_model *m, const trm__slot *s) {
  return trm__model_block(m, s->kind) + s->offset;
}
/* A model of a configuration that keeps the embeddings of n_ids ids (NULL: of all), without memory
 * for weights. */
trm_status trm__model_outline(const trm_model_config *config, const int32_t *ids, int n_ids,
                              trm_model **out, trm_error *err);
/* The same with weights, which are zero. */
trm_status trm__model_alloc(const trm_model_config *config, const int32_t *ids, int n_ids,
                            trm_model **out, trm_error *err);
/* ARGUMENT unless files hold weights in that format. */
trm_status trm__dtype_stored(trm_dtype dtype, trm_error *err);
/* ARGUMENT for a model that was only peeked at: nothing can be computed with it. */
trm_status trm__model_check_weights(const trm_model *model, trm_error *err);
/* trm_model_load, or an outline of what it would load. */
trm_status trm__model_open(const char *path, bool with_weights, trm_model **out, trm_error *err);
/* Writes the text of a card. */
typedef trm_status trm__card_fn(void *arg, trm__writer *w, trm_error *err);
/* trm_model_export of a folder, with a card in it (NULL: none), which has to end with this mark. */
trm_status trm__model_save_with(const trm_model *m, const char *dir, trm_dtype dtype,
                                trm__card_fn *card, void *arg, trm_error *err);
extern const char trm__model_card_mark[];
/* out[first + i] = values[i] for i < n; NUMERIC, with tensor and file, for one that is not finite.
 */
trm_status trm__store_weights(const float *values, int64_t n, const char *name, const char *path,
                              int64_t first, real *out, trm_error *err);
/* Every puzzle embedding becomes the mean of all: where ids get a new meaning. */
void trm__model_level_puzzle_emb(trm_model *m);
#endif
