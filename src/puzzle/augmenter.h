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

#endif
