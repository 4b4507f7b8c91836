/* The embedded question and the sums of latents (docs/MODEL.md section 1, Input). */
#include "backend/cpu.h"

#include <math.h>
#include <string.h>

/* sqrt(D), and with learned positions another sqrt(1/2). */
static real embed_scale(const trm__dims *dims) {
  return (real)(sqrt((double)dims->D) * (dims->learned ? 0.707106781 : 1.0));
}

/* Where the table of units i has the row of a cell. */
static int64_t unit_row(const trm__backend *be, int i, int cell) {
  return be->outer.embed_units[i] + (int64_t)trm__unit_of(be->dims.units[i], cell) * be->dims.D;
}

static int64_t fed_row(const trm__backend *be, int32_t token) {
  return be->outer.embed_feedback + (int64_t)token * be->dims.D;
}

static int64_t walls_row(const trm__backend *be, int32_t place) {
  return be->outer.embed_walls + (int64_t)trm__place_walls(place) * be->dims.D;
}

static void op_embed(trm__backend *be, trm__workspace *ws, int b, const int32_t *inputs,
                     const int32_t *fed, const real *const *puzzle, real *e) {
  const trm__dims *dims = &be->dims;
  const trm__kernels *kernels = cpu_of(be)->kernels;
  int D = dims->D;
  const real *tokens = be->params + be->outer.embed_tokens;
  const real *pos = dims->learned ? be->params + be->outer.embed_pos : NULL;
  real scale = embed_scale(dims);
  int64_t lo, hi;
  trm__lane_share(ws->lane, (int64_t)b * dims->L, 1, &lo, &hi);
  for (int64_t r = lo; r < hi; r++) {
    int row = (int)(r / dims->L), t = (int)(r % dims->L);
    const int at_grid = trm__grid_position(dims, ws->places, row, t);
    real *out = e + r * D;

    /* A token's embedding, to which those of its units, of the walls around it and of what is fed
     * back are added; before these, registers, then the puzzle's E values fill the block from its
     * start, and zeros the rest. */
    if (at_grid < 0) {
      memset(out, 0, (size_t)D * sizeof *out);
      continue;
    }
    if (t >= dims->P) {
      const int64_t cell = (int64_t)row * dims->S + t - dims->P;
      memcpy(out, tokens + (int64_t)inputs[cell] * D, (size_t)D * sizeof *out);
      for (int i = 0; i < dims->n_tables; i++)
        kernels->add(D, out, be->params + unit_row(be, i, at_grid - dims->P));
      if (ws->places) kernels->add(D, out, be->params + walls_row(be, ws->places[cell]));
      if (fed) kernels->add(D, out, be->params + fed_row(be, fed[cell]));
    } else if (t < dims->R) {
      memcpy(out, be->params + be->outer.registers + (int64_t)t * D, (size_t)D * sizeof *out);
    } else {
      int64_t at = (int64_t)(t - dims->R) * D, have = (int64_t)dims->E - at;
      int n = have <= 0 ? 0 : have < D ? (int)have : D;
      memset(out + n, 0, (size_t)(D - n) * sizeof *out);
      if (n > 0) memcpy(out, puzzle[row] + at, (size_t)n * sizeof *out);
    }

    for (int j = 0; j < D; j++)
      out[j] = scale * (pos ? out[j] + pos[(int64_t)at_grid * D + j] : out[j]);
  }
  trm__lane_barrier(ws->lane);
}

/* Members split the channels, so that every row of a gradient is summed in the order of the tile.
 */
static void op_embed_grad(trm__backend *be, trm__workspace *ws, int b, const int32_t *inputs,
                          const int32_t *fed, const real *de, real *grads, real *d_puzzle) {
  const trm__dims *dims = &be->dims;
  const trm__kernels *kernels = cpu_of(be)->kernels;
  int D = dims->D;
  real scale = embed_scale(dims);
  int64_t lo, hi;
  trm__lane_share(ws->lane, D, 16, &lo, &hi);
  for (int row = 0; row < b && lo < hi; row++) {
    for (int t = 0; t < dims->L; t++) {
      const int at_grid = trm__grid_position(dims, ws->places, row, t);
      const real *src = de + ((int64_t)row * dims->L + t) * D;

      /* e = scale (sum of rows), so each receives scale de: the position's, and those of the token,
       * its units and its walls, or the register, or the part of the puzzle embedding that fills
       * it. */
      if (at_grid < 0) continue;
      if (dims->learned)
        kernels->scale_add(hi - lo, grads + be->outer.embed_pos + (int64_t)at_grid * D + lo, scale,
                           src + lo);
      if (t >= dims->P) {
        const int64_t cell = (int64_t)row * dims->S + t - dims->P, token = inputs[cell];
        kernels->scale_add(hi - lo, grads + be->outer.embed_tokens + token * D + lo, scale,
                           src + lo);
        for (int i = 0; i < dims->n_tables; i++)
          kernels->scale_add(hi - lo, grads + unit_row(be, i, at_grid - dims->P) + lo, scale,
                             src + lo);
        if (ws->places)
          kernels->scale_add(hi - lo, grads + walls_row(be, ws->places[cell]) + lo, scale,
                             src + lo);
        if (fed) kernels->scale_add(hi - lo, grads + fed_row(be, fed[cell]) + lo, scale, src + lo);
      } else if (t < dims->R) {
        kernels->scale_add(hi - lo, grads + be->outer.registers + (int64_t)t * D + lo, scale,
                           src + lo);
      } else {
        const int64_t at = (int64_t)(t - dims->R) * D;
        for (int64_t j = lo; j < hi && at + j < dims->E; j++)
          d_puzzle[(int64_t)row * dims->E + at + j] = scale * src[j];
      }
    }
  }
  trm__lane_barrier(ws->lane);
}

/* Members split the channels; rows, and positions within them, are added in their order. */
static void op_start_grad(trm__backend *be, trm__workspace *ws, int b, const int32_t *steps,
                          const real *dz, real *d_init) {
  const int64_t L = be->dims.L, D = be->dims.D;
  int64_t lo, hi;
  trm__lane_share(ws->lane, D, 16, &lo, &hi);
  for (int row = 0; row < b && lo < hi; row++)
    for (int64_t t = 0; t < L && steps[row] == 1; t++)
      cpu_of(be)->kernels->add(hi - lo, d_init + lo, dz + (row * L + t) * D + lo);
  trm__lane_barrier(ws->lane);
}

/* Element by element in the order of the sources, so that the bits are the same whether or not h is
 * one of them: a short stretch is summed aside and written to h by its last addition. */
static void op_sum(trm__backend *be, trm__workspace *ws, int64_t n, int n_src,
                   const real *const *src, real *h) {
  enum { STRETCH = 256 };
  const trm__kernels *kernels = cpu_of(be)->kernels;
  int64_t lo, hi;
  trm__lane_share(ws->lane, n, 64, &lo, &hi);

  if (n_src == 1 && h != src[0]) memcpy(h + lo, src[0] + lo, (size_t)(hi - lo) * sizeof *h);
  for (int64_t j = lo; j < hi && n_src > 1; j += STRETCH) {
    int64_t w = hi - j < STRETCH ? hi - j : STRETCH;
    real part[STRETCH];
    const real *sum = src[0] + j;
    for (int i = 1; i < n_src; i++) {
      real *to = i == n_src - 1 ? h + j : part;
      kernels->add_to(w, to, sum, src[i] + j);
      sum = to;
    }
  }
  trm__lane_barrier(ws->lane);
}

static void op_mix(trm__backend *be, trm__workspace *ws, int64_t n, real a, const real *x, real b,
                   real *h) {
  int64_t lo, hi;
  (void)be;
  trm__lane_share(ws->lane, n, 64, &lo, &hi);
  for (int64_t i = lo; i < hi; i++) h[i] = a * x[i] + b * h[i];
  trm__lane_barrier(ws->lane);
}

/* Two values at a time: the lane's share of the pairs of each row. */
static void op_jitter(trm__backend *be, trm__workspace *ws, int b, const trm__noise *keys,
                      const trm__draws *draws, real deviation, real *z) {
  const int64_t n = (int64_t)be->dims.L * be->dims.D;
  int64_t lo, hi;
  trm__lane_share(ws->lane, (n + 1) / 2, 1, &lo, &hi);
  for (int r = 0; r < b; r++, z += n)
    for (int64_t pair = lo; pair < hi; pair++) {
      double v[2];
      trm__jitter(&keys[r], draws, pair, v);
      z[2 * pair] += deviation * (real)v[0];
      if (2 * pair + 1 < n) z[2 * pair + 1] += deviation * (real)v[1];
    }
  trm__lane_barrier(ws->lane);
}

static void op_start(trm__backend *be, trm__workspace *ws, int b, const trm__noise *keys,
                     const trm__draws *draws, const int32_t *steps, real deviation, real *z) {
  const int64_t n = (int64_t)be->dims.L * be->dims.D;
  int64_t lo, hi;
  trm__lane_share(ws->lane, (n + 1) / 2, 1, &lo, &hi);
  for (int r = 0; r < b; r++, z += n)
    for (int64_t pair = lo; pair < hi && steps[r] == 1; pair++) {
      double v[2];
      trm__jitter_cut(&keys[r], draws, pair, v);
      z[2 * pair] = deviation * (real)v[0];
      if (2 * pair + 1 < n) z[2 * pair + 1] = deviation * (real)v[1];
    }
  trm__lane_barrier(ws->lane);
}

void trm__cpu_embed_ops(trm__backend_ops *ops) {
  ops->embed = op_embed;
  ops->embed_grad = op_embed_grad;
  ops->start_grad = op_start_grad;
  ops->sum = op_sum;
  ops->mix = op_mix;
  ops->jitter = op_jitter;
  ops->start = op_start;
  ops->add_grads = op_sum;
}
