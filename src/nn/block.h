/* What each kind of block is made of, whichever device computes it: one row per kind. */
#ifndef TRM_NN_BLOCK_H
#define TRM_NN_BLOCK_H

#include "backend/backend.h"

/* A weight of a block: its name below the layer's, as in the reference, and its shape. */
typedef struct trm__weight_about {
  char name[40];  /* "self_attn.qkv_proj" */
  int rows, cols; /* cols 0: one dimension */
  bool zero;      /* it starts at zero */
  int heads;      /* so many heads' own matrices lie below each other in it; 0: one matrix */
} trm__weight_about;

typedef struct trm__block_about {
  const char *name; /* "attention" */
  /* Writes the block's weights in the order of its list; returns their number. A list that is as
   * long as the configuration says is written by trm__push (base/check.h). */
  int (*weights)(const trm__dims *, trm__weight_about out[TRM__BLOCK_WEIGHTS]);
  /* FLOPs of the products of one row, forward; 2 per multiply-add. */
  double (*flops)(const trm__dims *);
} trm__block_about;

extern const trm__block_about trm__block_kinds[TRM__BLOCK_KINDS];

#endif
