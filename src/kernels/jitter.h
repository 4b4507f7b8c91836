/* Noise on the latents of puzzles that are solved (PTRM, arXiv 2605.19943): written once for every
 * device (base/philox.h). */
#ifndef TRM_KERNELS_JITTER_H
#define TRM_KERNELS_JITTER_H

#include "kernels/route.h"

/* Latents of one supervision step have sequences of their own: so many, of which each has one. */
enum { TRM__JITTER_LATENTS = 32 };

/* Two values of N(0, 1), the pair-th of latent i of a row before the supervision step key->row
 * (from 0): the block `pair` of the sequence (seed, TRM__RNG_JITTER, first, 32 row + i). */
TRM__EVERYWHERE void trm__jitter(const trm__noise *key, int i, int64_t pair, double v[2]) {
  const uint32_t row = (uint32_t)(key->row * TRM__JITTER_LATENTS + i);
  trm__philox_normals(
      trm__philox((uint32_t)key->seed, (uint32_t)(key->seed >> 32),
                  trm__philox_counter(TRM__RNG_JITTER, key->first, row, (uint32_t)pair)),
      v);
}

#endif
