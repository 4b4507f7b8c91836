/* A search over questions with guessed cells (trm_thinking.search). */
#ifndef TRM_NN_PINS_H
#define TRM_NN_PINS_H

#include "kernels/real.h"
#include "trm/puzzle.h"

enum {
  TRM__PINS = 8 /* cells that are guessed at most */,
  TRM__FIRST_PINS = 5,
  TRM__NEXT_PINS = 2
};

/* A question's open cells that are given a symbol. */
typedef struct trm__pins {
  int n;
  int32_t cell[TRM__PINS], token[TRM__PINS];
} trm__pins;

/* The question [rows * cols] with them. */
void trm__pins_apply(const trm__pins *pins, int32_t *inputs);
/* The open cell of the largest entropy gets each of its likeliest symbols, one more guess than
 * `from`: as many as `room` in out, those left out that no answer can be right to. inputs: the
 * question without guesses; logits [S, V]; scratch [S]. Returns how many. */
int trm__pins_grow(const trm_puzzle *p, int V, const int32_t *inputs, const trm__pins *from,
                   const real *logits, int room, trm__pins *out, int32_t *scratch);

#endif
