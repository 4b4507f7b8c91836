/* A model's blocks where a backend can use them: the model's own on the CPU, copies elsewhere. */
#ifndef TRM_NN_WEIGHTS_H
#define TRM_NN_WEIGHTS_H

#include "nn/model.h"

typedef struct trm__weights {
  real *params, *buffers, *puzzle_emb; /* puzzle_emb NULL when there is none */
} trm__weights;

trm_status trm__weights_create(trm__backend *be, const trm_model *model, trm__weights *out,
                               trm_error *err);
void trm__weights_free(trm__backend *be, trm__weights *w);
/* Bytes they take beside the model itself. */
int64_t trm__weights_bytes(const trm__backend *be, const trm__layout *layout);

#endif
