/* Fresh images of training examples, for every kind of puzzle. */
#ifndef TRM_PUZZLE_AUGMENTER_H
#define TRM_PUZZLE_AUGMENTER_H

#include "puzzle/grid_symmetry.h"
#include "puzzle/kind.h"

typedef struct trm__augmenter {
  const trm_puzzle *puzzle;
  const trm__puzzle_kind *kind;
  trm__grid_symmetry symmetry; /* of a kind without images of its own */
} trm__augmenter;

/* `p` must outlive it. Errors: CONFIG when nothing is known that would turn a puzzle into another
 * one; the message begins with `file`. */
trm_status trm__augmenter_init(trm__augmenter *a, const trm_puzzle *p, const char *file,
                               trm_error *err);
/* The image of an example that `rng` draws: inputs, labels [rows * cols] each. */
void trm__augmenter_draw(const trm__augmenter *a, trm__rng *rng, const int32_t *from_inputs,
                         const int32_t *from_labels, int32_t *inputs, int32_t *labels);

/* --- views: images of questions, whose answers are mapped back --- */

/* Cell i of an image is cell[i] of the original, token v becomes token[v]; all others stay. */
typedef struct trm__image {
  int32_t *cell;                                               /* [rows * cols] */
  uint8_t token[TRM__VIEW_TOKENS], original[TRM__VIEW_TOKENS]; /* original[token[v]] = v */
} trm__image;

/* For views in place of images. Grids that are smaller than their canvas only have symbols renamed,
 * for the answer's size is not known. Errors: CONFIG where the kind has no symmetries. */
trm_status trm__augmenter_init_views(trm__augmenter *a, const trm_puzzle *p, trm_error *err);
/* The view that `rng` draws; NULL: the puzzle as it is. v->cell is the caller's. */
void trm__augmenter_view(const trm__augmenter *a, trm__rng *rng, trm__image *v);
static inline int32_t trm__image_token(const uint8_t table[TRM__VIEW_TOKENS], int32_t token) {
  return token >= 0 && token < TRM__VIEW_TOKENS ? table[token] : token;
}

#endif
