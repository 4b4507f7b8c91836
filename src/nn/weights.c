/* Weights in a backend's memory. */
#include "nn/weights.h"

static trm_status copy_block(trm__backend *be, const real *from, int64_t n, const char *what,
                             real **out, trm_error *err) {
  TRM_TRY(trm__backend_alloc(be, n, sizeof **out, what, out, err));
  be->ops->put(be, *out, from, (size_t)n * sizeof **out);
  return TRM_OK;
}

trm_status trm__weights_create(trm__backend *be, const trm_model *model, trm__weights *out,
                               trm_error *err) {
  const trm__layout *l = model->layout;
  *out = (trm__weights){model->params, model->buffers, model->puzzle_emb};
  if (be->ops->host) return TRM_OK;
  *out = (trm__weights){0};
  TRM_TRY(copy_block(be, model->params, l->n_params, "weights", &out->params, err));
  TRM_TRY(copy_block(be, model->buffers, l->n_buffers, "buffers", &out->buffers, err));
  if (model->puzzle_emb)
    TRM_TRY(copy_block(be, model->puzzle_emb, l->n_puzzle_emb, "puzzle embeddings",
                       &out->puzzle_emb, err));
  return TRM_OK;
}

void trm__weights_free(trm__backend *be, trm__weights *w) {
  if (be->ops->host) return;
  be->ops->release(be, w->params);
  be->ops->release(be, w->buffers);
  be->ops->release(be, w->puzzle_emb);
}

int64_t trm__weights_bytes(const trm__backend *be, const trm__layout *layout) {
  int64_t n = layout->n_params + layout->n_buffers + layout->n_puzzle_emb;
  return be->ops->host ? 0 : n * (int64_t)sizeof(real);
}
