/* Draws on latents, value by value: where they start, noise behind each update of one (EqR, arXiv
 * 2605.21488) and before each supervision step of a puzzle that is solved (PTRM, arXiv 2605.19943).
 * Written once for every device (base/philox.h). */
#ifndef TRM_KERNELS_JITTER_H
#define TRM_KERNELS_JITTER_H

#include "kernels/route.h"

/* One of the sequences of a row with a key: (seed, purpose, first + step, each * row + own). In
 * training `first` goes on by 2^TRM__UPDATE_DRAWS with each update and `row` is that of the batch;
 * of a puzzle that is solved `first` is the key of the try, `row` the supervision step, from 0. */
typedef struct trm__draws {
  trm__purpose purpose;
  uint32_t each, own;
  uint64_t step;
} trm__draws;
enum {
  TRM__UPDATE_DRAWS = 22, /* twice the updates of a supervision step are less: a continue loss looks
                             one step further */
  TRM__LATENT_DRAWS = 32  /* latents that have sequences of their own, at most */
};

/* Before a supervision step, of latent i. */
TRM__EVERYWHERE trm__draws trm__draws_before(uint32_t i) {
  const trm__draws draws = {TRM__RNG_JITTER, TRM__LATENT_DRAWS, i, 0};
  return draws;
}
/* Behind update u of a supervision step; u = 0, 1, … through all its cycles. */
TRM__EVERYWHERE trm__draws trm__draws_behind(bool training, uint64_t u) {
  const trm__draws draws = {training ? TRM__RNG_UPDATE : TRM__RNG_SOLVED_UPDATE, 1, 0, u};
  return draws;
}
/* The start of latent i: the steps i, i + 32, … until there is a value for each. */
TRM__EVERYWHERE trm__draws trm__draws_start(bool training, uint64_t i) {
  const trm__draws draws = {training ? TRM__RNG_START : TRM__RNG_SOLVED_START, 1, 0, i};
  return draws;
}

/* Two values of N(0, 1), the pair-th: block `pair` of the sequence. */
TRM__EVERYWHERE void trm__jitter(const trm__noise *key, const trm__draws *draws, int64_t pair,
                                 double v[2]) {
  const uint32_t row = (uint32_t)key->row * draws->each + draws->own;
  trm__philox_normals(trm__philox((uint32_t)key->seed, (uint32_t)(key->seed >> 32),
                                  trm__philox_counter(draws->purpose, key->first + draws->step, row,
                                                      (uint32_t)pair)),
                      v);
}

/* The same of a normal distribution that is cut at two of its scales, so wide that its standard
 * deviation is 1: of each value the first draw that is within them. */
TRM__EVERYWHERE void trm__jitter_cut(const trm__noise *key, const trm__draws *draws, int64_t pair,
                                     double v[2]) {
  const double scale = 1 / 0.87962566103423978; /* as of initial weights (nn/model.c) */
  trm__draws at = *draws;
  v[0] = v[1] = 3;
  for (; v[0] > 2 || v[1] > 2; at.step += TRM__LATENT_DRAWS) {
    double drawn[2];
    trm__jitter(key, &at, pair, drawn);
    for (int k = 0; k < 2; k++)
      if (v[k] > 2 && fabs(drawn[k]) <= 2) v[k] = drawn[k];
  }
  v[0] *= scale;
  v[1] *= scale;
}

#endif
