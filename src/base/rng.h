/* Random numbers without state: Philox4x32-10 (Salmon et al. 2011) as a function
 * of (seed, purpose, step, row) and a running block counter. Whoever asks for the
 * same key gets the same numbers, in any order, on any thread, after any resume. */
#ifndef TRM_BASE_RNG_H
#define TRM_BASE_RNG_H

#include <stdint.h>

/* Every kind of draw has its own purpose, so that no two share a sequence. */
typedef enum trm__purpose {
  TRM__RNG_INIT = 1, /* initial weights: step = tensor index, row = 0 */
  TRM__RNG_EPOCH,    /* order of groups: step = epoch */
  TRM__RNG_PICK,     /* puzzle and examples within a group: step = epoch, row = group */
  TRM__RNG_AUGMENT,  /* on-the-fly augmentation: step = fresh batch, row = batch row */
  TRM__RNG_EXPLORE,  /* halting exploration: step = update, row = batch row */
  TRM__RNG_GENERATE, /* puzzle generators: step = split, row = puzzle */
  TRM__RNG_SPLIT,    /* train/validation splits and subsamples */
  TRM__RNG_TEST,     /* tests and benches */
  TRM__RNG_ROUTE,    /* noise of routers: step = application of a block, row = batch row */
  TRM__RNG_FEEDBACK, /* corruption of what is fed back: step = update, row = batch row */
  TRM__RNG_START,  /* starts of latents (kernels/jitter.h): row = batch row, step: of the update */
  TRM__RNG_UPDATE, /* noise behind their updates: the same */
  /* Puzzles that are solved: */
  TRM__RNG_VIEW = 24,    /* symmetric views: step = hash of the puzzle, row = view */
  TRM__RNG_JITTER,       /* noise on latents (kernels/jitter.h): step = key of the try */
  TRM__RNG_SOLVED_START, /* starts, and noise behind updates: step by the key, row = step taken */
  TRM__RNG_SOLVED_UPDATE
} trm__purpose;

typedef struct trm__rng {
  uint32_t key[2], counter[4], block[4];
  int used; /* words of `block` already handed out */
} trm__rng;

trm__rng trm__rng_at(uint64_t seed, trm__purpose purpose, uint64_t step, uint32_t row);
uint32_t trm__rng_u32(trm__rng *r);
uint64_t trm__rng_u64(trm__rng *r);
/* Uniform in [0, n) without bias, n >= 1. */
uint32_t trm__rng_below(trm__rng *r, uint32_t n);
/* Uniform in the open interval (0, 1): odd multiples of 2^-53. */
double trm__rng_uniform(trm__rng *r);
/* Fisher-Yates shuffle of n < 2^32 ints. */
void trm__rng_shuffle(trm__rng *r, int32_t *v, int64_t n);

#endif
