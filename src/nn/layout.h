/* Where every tensor of a model lies: one flat block of trained parameters (so that update, EMA,
 * reduction and checkpoint are single loops), one of buffers, one of puzzle embeddings. */
#ifndef TRM_NN_LAYOUT_H
#define TRM_NN_LAYOUT_H

#include "backend/backend.h"
#include "nn/plan.h"
#include "trm/model.h"

enum {
  TRM__LAYER_BLOCKS = 2, /* a mixer of positions or attention, and an MLP */
  /* Of the tensors of any model: those of its layers, the outer ones (embeddings and heads, nine,
   * and those of units) and the states that latents begin with. */
  TRM__MOST_TENSORS = TRM__MAX_NETS * TRM__MAX_LAYERS * TRM__LAYER_BLOCKS * TRM__BLOCK_WEIGHTS + 9 +
                      TRM__MOST_UNITS + TRM__MAX_LATENTS
};

/* The tensor that a model with tied embeddings does without. */
#define TRM__LM_HEAD "lm_head.weight"

typedef enum trm__init { TRM__INIT_NORMAL, TRM__INIT_ZERO, TRM__INIT_Q_BIAS } trm__init;

typedef struct trm__slot {
  char name[80];
  trm_tensor_kind kind;
  trm__init init;
  double std;            /* of the truncated normal */
  int64_t shape[2];      /* shape[1] = 0: one dimension */
  int64_t count, offset; /* within the block of its kind */
  int matrices;          /* of a net's: so many, one below the other; 0: of no net, or a vector */
} trm__slot;

typedef struct trm__layout {
  trm__plan *plan;
  trm__dims dims;
  trm__outer outer;
  int n_slots, n_blocks; /* in the lists */
  int max_slots, max_blocks;
  int most_weights; /* of one block */
  trm__slot *slots;
  trm__block *blocks;
  int net_first[TRM__MAX_NETS + 1];      /* blocks of net i: [net_first[i], net_first[i + 1]) */
  int64_t net_offset[TRM__MAX_NETS + 1]; /* parameters of net i: [net_offset[i], net_offset[i+1]) */
  int64_t n_params;                      /* of the flat block, padding included */
  int64_t n_buffers, n_puzzle_emb;
  bool learned_latents;                  /* where latents start is trained */
  int64_t latent_init[TRM__MAX_LATENTS]; /* and where it lies: in the parameters then, else in the
                                            buffers */
} trm__layout;

/* Checks the configuration first. */
trm_status trm__layout_create(const trm_model_config *config, trm__layout **out, trm_error *err);
void trm__layout_free(trm__layout *layout);
/* The puzzle embedding has only so many rows (>= 1); for a layout that has one. */
void trm__layout_keep_rows(trm__layout *layout, int64_t rows);
/* SwiGLU width of a branch with so many inputs: round(expansion * in * 2/3), up to a multiple of
 * 256. */
int trm__swiglu_width(double expansion, int in);
/* How many experts a token goes through, each with its share of the width of one for all. */
int trm__experts_chosen(trm_router router);
/* The slot of that name, or -1. */
int trm__layout_find(const trm__layout *layout, const char *name);
/* The token embedding is the output head, too. */
static inline bool trm__layout_is_tied(const trm__layout *layout) {
  return layout->outer.lm_head == layout->outer.embed_tokens;
}
/* What may be meant when a file lacks a tensor of the layout, or has one beside it: a sentence for
 * the end of a message, "" where there is nothing to say. */
const char *trm__layout_hint(const trm__layout *layout, const char *name);
/* Its part about experts, of a tensor that is in a file, where a configuration has these routers.
 */
const char *trm__experts_hint(const char *name, trm_router moe, trm_router moe_t);

#endif
