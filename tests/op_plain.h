/* Every op of a backend by plain loops in double: from operands as they are outside of a backend
 * (src/bench/ops.h), v[...], to what the op makes of them, in their place. */
#ifndef TRM_TESTS_OP_PLAIN_H
#define TRM_TESTS_OP_PLAIN_H

#include <math.h>
#include <string.h>

#include "bench/ops.h"
#include "probe.h"

typedef void op_plain(const trm__op_site *s, double *const *v);

static inline double *plain_new(int64_t n) {
  double *v = trm__alloc((size_t)n, sizeof *v);
  assert_non_null(v);
  return v;
}
static inline double plain_dot(int64_t n, const double *a, const double *b) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

/* --- blocks ---------------------------------------------------------------------------------- */

/* y[i][o] = sum_j x[i][j] w[o][j] */
static void plain_linear(int rows, int in, int out, const double *x, const double *w, double *y) {
  for (int i = 0; i < rows; i++)
    for (int o = 0; o < out; o++)
      y[(int64_t)i * out + o] = plain_dot(in, x + (int64_t)i * in, w + (int64_t)o * in);
}

/* y = norm(x + r) over `count` values `step` apart; y may be x. */
static void plain_norm(int count, int step, double eps, const double *x, const double *r,
                       double *y) {
  double sum = 0;
  for (int i = 0; i < count; i++) {
    const double s = x[i * step] + r[i * step];
    sum += s * s;
  }
  for (int i = 0; i < count; i++)
    y[i * step] = (x[i * step] + r[i * step]) / sqrt(sum / count + eps);
}

/* The same of x alone, in place. */
static void plain_rms(int count, double eps, double *x) {
  const double scale = 1 / sqrt(plain_dot(count, x, x) / count + eps);
  for (int i = 0; i < count; i++) x[i] *= scale;
}

static double plain_sigmoid(double x) {
  return 1 / (1 + exp(-x));
}

/* rows x in -> rows x in: down(silu(gate) * up); with norm_eps, sigmoid(gate) * norm(gate * up) */
static void plain_swiglu(int rows, int in, int width, double norm_eps, const double *x,
                         const double *w_in, const double *w_out, double *y) {
  double *gu = plain_new((int64_t)rows * 2 * width), *a = plain_new((int64_t)rows * width);
  plain_linear(rows, in, 2 * width, x, w_in, gu);
  for (int i = 0; i < rows; i++)
    for (int f = 0; f < width; f++) {
      const double g = gu[(int64_t)i * 2 * width + f], u = gu[(int64_t)i * 2 * width + width + f];
      a[(int64_t)i * width + f] = norm_eps > 0 ? g * u : g * plain_sigmoid(g) * u;
    }
  for (int i = 0; i < rows && norm_eps > 0; i++) {
    plain_rms(width, norm_eps, a + (int64_t)i * width);
    for (int f = 0; f < width; f++)
      a[(int64_t)i * width + f] *= plain_sigmoid(gu[(int64_t)i * 2 * width + f]);
  }
  plain_linear(rows, width, in, a, w_out, y);
  trm__free(gu);
  trm__free(a);
}

/* What routers are told of a row and tell: noise [tokens, n], NULL: none; told [2 n], added to. */
typedef struct plain_routing {
  const double *noise;
  double *told;
} plain_routing;

/* A kind's branch of one row, r from x [L, D]; and whether the norm is over the positions of a
 * channel. */
typedef struct plain_kind {
  void (*branch)(const trm__dims *, const double *x, const double *const *w,
                 const plain_routing *routing, double *r);
  bool over_positions;
} plain_kind;

static void plain_mlp(const trm__dims *m, const double *x, const double *const *w,
                      const plain_routing *routing, double *r) {
  (void)routing;
  plain_swiglu(m->L, m->D, m->F, m->gate_norm ? m->inner_eps : 0, x, w[TRM__GATE_UP], w[TRM__DOWN],
               r);
}

static void plain_transpose(int rows, int cols, const double *x, double *t) {
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < cols; j++) t[(int64_t)j * rows + i] = x[(int64_t)i * cols + j];
}
static void plain_mixer(const trm__dims *m, const double *x, const double *const *w,
                        const plain_routing *routing, double *r) {
  (void)routing;
  double *xt = plain_new((int64_t)m->L * m->D), *rt = plain_new((int64_t)m->L * m->D);
  plain_transpose(m->L, m->D, x, xt);
  plain_swiglu(m->D, m->L, m->FL, m->gate_norm ? m->inner_eps : 0, xt, w[TRM__GATE_UP],
               w[TRM__DOWN], rt);
  plain_transpose(m->D, m->L, rt, r);
  trm__free(xt);
  trm__free(rt);
}

/* Where a position is: on a line, or in a grid below a row of puzzle positions at 0, 1, … */
static void plain_coordinates(const trm__dims *m, int position, double at[2]) {
  const int cell = position - m->P;
  at[0] = position;
  at[1] = 0;
  if (!m->grid_cols) return;
  at[0] = cell < 0 ? 0 : m->P + floor((double)cell / m->grid_cols);
  at[1] = cell < 0 ? position : cell - m->grid_cols * floor((double)cell / m->grid_cols);
}
/* x cos + rotate_half(x) sin with tables of concatenated frequencies, of one axis or of two */
static void plain_rope(const trm__dims *m, int position, double *x) {
  double old[64], coordinates[2];
  const int half = m->d / 2, pairs = m->grid_cols ? half / 2 : half;
  const double base[2] = {m->rope_theta, m->rope_theta_cols};
  memcpy(old, x, (size_t)m->d * sizeof *x);
  plain_coordinates(m, position, coordinates);
  for (int i = 0; i < m->d; i++) {
    const int axis = i % half / pairs, pair = i % half % pairs;
    const double angle = coordinates[axis] / pow(base[axis], (double)pair / pairs);
    const double rotated = i < half ? -old[i + half] : old[i - half];
    x[i] = old[i] * cos(angle) + rotated * sin(angle);
  }
}

/* The values of one head at position t, weighed by softmax(q k / sqrt(d)). */
static void plain_attend(const trm__dims *m, const double *qkv, int h, int t, double *p,
                         double *o) {
  const int d = m->d, width = 3 * m->D;
  const double *q = qkv + (int64_t)t * width + h * d;
  double sum = 0;
  for (int s = 0; s < m->L; s++) {
    p[s] = exp(plain_dot(d, q, qkv + (int64_t)s * width + m->D + h * d) / sqrt((double)d));
    sum += p[s];
  }
  for (int i = 0; i < d; i++) {
    double v = 0;
    for (int s = 0; s < m->L; s++) v += p[s] * qkv[(int64_t)s * width + 2 * m->D + h * d + i];
    o[i] = v / sum;
  }
}
static void plain_attention(const trm__dims *m, const double *x, const double *const *w,
                            const plain_routing *routing, double *r) {
  const int L = m->L, D = m->D;
  (void)routing;
  double *qkv = plain_new((int64_t)L * 3 * D), *o = plain_new((int64_t)L * D), *p = plain_new(L);
  plain_linear(L, D, 3 * D, x, w[TRM__QKV], qkv);
  for (int t = 0; t < L; t++)
    for (int h = 0; h < 2 * m->H; h++) {
      double *head = qkv + (int64_t)t * 3 * D + h * m->d;
      if (m->qk_norm) plain_rms(m->d, m->inner_eps, head);
      if (m->rope) plain_rope(m, t, head);
    }
  for (int h = 0; h < m->H; h++)
    for (int t = 0; t < L; t++) plain_attend(m, qkv, h, t, p, o + (int64_t)t * D + h * m->d);
  for (int t = 0; t < L && m->attn_out_norm; t++) plain_rms(D, m->inner_eps, o + (int64_t)t * D);
  plain_linear(L, D, D, o, w[TRM__O], r);
  trm__free(qkv);
  trm__free(o);
  trm__free(p);
}

/* The k-th largest of n values, of equal ones the first first. */
static int plain_ranked(int n, const double *v, int k) {
  for (int i = 0; i < n; i++) {
    int before = 0;
    for (int j = 0; j < n; j++) before += v[j] > v[i] || (v[j] == v[i] && j < i);
    if (before == k) return i;
  }
  return 0;
}

/* Gates of all experts, most of them zero, and what they tell; clean and spread are the products
 * of a token with the router's matrices. */
static void plain_gates(const trm__experts *e, const double *clean, const double *spread,
                        const double *noise, double *gate, double *told) {
  const int n = e->n, k = e->chosen;
  const bool noisy = noise && e->router == TRM_ROUTER_NOISY_TOP2;
  double r[TRM__MAX_EXPERTS], sum = 0;
  for (int i = 0; i < n; i++) r[i] = clean[i] + (noisy ? noise[i] * log1p(exp(spread[i])) : 0);

  /* The softmax of all, of which the first is kept; or of the first k, of which all are. */
  const bool one = e->router == TRM_ROUTER_SWITCH;
  for (int j = 0; j < (one ? n : k); j++) sum += exp(r[plain_ranked(n, r, j)]);
  for (int i = 0; i < n; i++) gate[i] = 0;
  for (int j = 0; j < k; j++) {
    const int i = plain_ranked(n, r, j);
    gate[i] = exp(r[i]) / sum;
    if (told) told[i] += one ? 1 : gate[i];
  }

  for (int i = 0; i < n && told; i++) {
    const bool chosen = gate[i] > 0;
    const double rival = r[plain_ranked(n, r, chosen ? k : k - 1)];
    const double z = noisy ? (clean[i] - rival) / log1p(exp(spread[i])) : 0;
    told[n + i] += one ? exp(r[i]) / sum : noisy ? 0.5 * erfc(-z / sqrt(2)) : chosen;
  }
}

/* y[t] = sum of gate * expert(x[t]), of tokens of `in` values; weights as in a block's list. */
static void plain_experts(const trm__experts *e, int tokens, int in, const double *x,
                          const double *const *w, const plain_routing *routing, double *y) {
  double clean[TRM__MAX_EXPERTS], spread[TRM__MAX_EXPERTS] = {0}, gate[TRM__MAX_EXPERTS];
  double *out = plain_new(in);
  for (int t = 0; t < tokens; t++, x += in, y += in) {
    plain_linear(1, in, e->n, x, w[TRM__ROUTER], clean);
    if (e->router == TRM_ROUTER_NOISY_TOP2) plain_linear(1, in, e->n, x, w[TRM__NOISE], spread);
    plain_gates(e, clean, spread,
                routing && routing->noise ? routing->noise + (int64_t)t * e->n : NULL, gate,
                routing ? routing->told : NULL);
    memset(y, 0, (size_t)in * sizeof *y);
    for (int i = 0; i < e->n; i++) {
      if (!(gate[i] > 0)) continue;
      const double *const *own = w + trm__expert_at(e, i);
      plain_swiglu(1, in, e->width, 0, x, own[TRM__GATE_UP], own[TRM__DOWN], out);
      for (int j = 0; j < in; j++) y[j] += gate[i] * out[j];
    }
  }
  trm__free(out);
}

static void plain_experts_mlp(const trm__dims *m, const double *x, const double *const *w,
                              const plain_routing *routing, double *r) {
  plain_experts(&m->moe, m->L, m->D, x, w, routing, r);
}
static void plain_experts_mixer(const trm__dims *m, const double *x, const double *const *w,
                                const plain_routing *routing, double *r) {
  double *xt = plain_new((int64_t)m->L * m->D), *rt = plain_new((int64_t)m->L * m->D);
  plain_transpose(m->L, m->D, x, xt);
  plain_experts(&m->moe_t, m->D, m->L, xt, w, routing, rt);
  plain_transpose(m->D, m->L, rt, r);
  trm__free(xt);
  trm__free(rt);
}

static const plain_kind plain_kinds[TRM__BLOCK_KINDS] = {
    [TRM__BLOCK_ATTENTION] = {plain_attention, false},
    [TRM__BLOCK_MIXER] = {plain_mixer, true},
    [TRM__BLOCK_MLP] = {plain_mlp, false},
    [TRM__BLOCK_EXPERTS_T] = {plain_experts_mixer, true},
    [TRM__BLOCK_EXPERTS] = {plain_experts_mlp, false},
};

/* routing [b], or NULL */
static void plain_block(const trm__op_site *s, const double *params, const double *x,
                        const plain_routing *routing, double *y) {
  const trm__dims *m = &s->be->dims;
  const int64_t row = (int64_t)m->L * m->D;
  const bool over_positions = plain_kinds[s->blk->kind].over_positions;
  const double *w[TRM__BLOCK_WEIGHTS];
  double *r = plain_new(row);
  for (int i = 0; i < s->blk->n_weights; i++) w[i] = params + s->blk->w[i].at;

  /* y = norm(x + r) of each row, over positions or over channels */
  for (int b = 0; b < s->b; b++, x += row, y += row) {
    plain_kinds[s->blk->kind].branch(m, x, w, routing ? &routing[b] : NULL, r);
    for (int c = 0; over_positions && c < m->D; c++)
      plain_norm(m->L, m->D, m->eps, x + c, r + c, y + c);
    for (int64_t t = 0; !over_positions && t < row; t += m->D)
      plain_norm(m->D, 1, m->eps, x + t, r + t, y + t);
  }
  trm__free(r);
}
static void plain_forward(const trm__op_site *s, double *const *v) {
  plain_block(s, v[TRM__PARAMS], v[TRM__X], NULL, v[TRM__Y]);
}
static void plain_in_place(const trm__op_site *s, double *const *v) {
  plain_block(s, v[TRM__PARAMS], v[TRM__X], NULL, v[TRM__X]);
}

/* The noise of a row. */
static double *plain_noise(const trm__experts *e, int tokens, const double *key, int row) {
  const trm__noise noise = {(uint64_t)key[0], (uint64_t)key[1], (int64_t)key[2]};
  double *v = plain_new((int64_t)tokens * e->n);
  for (int t = 0; t < tokens; t++)
    trm__route_noise(&noise, TRM__OP_APPLICATION, row, t, e->n, v + (int64_t)t * e->n);
  for (int i = 0; i < tokens * e->n; i++) v[i] = (double)(real)v[i];
  return v;
}
static void plain_telling(const trm__op_site *s, double *const *v) {
  const trm__experts *e = trm__experts_of(&s->be->dims, s->blk->kind);
  plain_routing *routing = trm__alloc((size_t)s->b, sizeof *routing);
  double *noise[16];
  assert_non_null(routing);
  assert_true(s->b <= 16);
  for (int r = 0; r < s->b; r++) {
    noise[r] = plain_noise(e, trm__experts_tokens(&s->be->dims, s->blk->kind), v[TRM__KEYS], r);
    routing[r] = (plain_routing){noise[r], v[TRM__TOLD] + (int64_t)r * 2 * e->n};
    memset(routing[r].told, 0, (size_t)(2 * e->n) * sizeof *routing[r].told);
  }
  plain_block(s, v[TRM__PARAMS], v[TRM__X], routing, v[TRM__Y]);
  for (int r = 0; r < s->b; r++) trm__free(noise[r]);
  trm__free(routing);
}

/* The auxiliary loss of shares f and means P, or of importance and load: CV^2 is the mean square by
 * the squared mean, less one. */
static void plain_balance(const trm__op_site *s, double *const *v) {
  const trm__experts *e = trm__experts_of(&s->be->dims, s->blk->kind);
  const double tokens = s->b * (double)trm__experts_tokens(&s->be->dims, s->blk->kind);
  double *loss = v[TRM__BALANCE], *told = loss + 1, *slope = told + 2 * TRM__MAX_EXPERTS;
  for (int i = 0; i < 1 + 4 * TRM__MAX_EXPERTS; i++) loss[i] = 0;
  for (int r = 0; r < s->b; r++)
    for (int i = 0; i < 2 * e->n; i++) told[i] += v[TRM__TOLD][r * 2 * e->n + i];

  for (int i = 0; i < e->n && e->router == TRM_ROUTER_SWITCH; i++) {
    *loss += e->n * told[i] * told[e->n + i] / (tokens * tokens);
    slope[e->n + i] = TRM__OP_WEIGHT * e->n * told[i] / (tokens * tokens);
  }
  for (int part = 0; part < 2 && e->router == TRM_ROUTER_NOISY_TOP2; part++) {
    const double *t = told + part * e->n;
    double sum = 0, squares = 0;
    for (int i = 0; i < e->n; i++) {
      sum += t[i];
      squares += t[i] * t[i];
    }

    /* (S2 / n - m^2) / (m^2 + c), m = S / n; derivative by t[i], of S and S2 */
    const double n = e->n, m = sum / n, low = m * m + 1e-10, high = squares / n - m * m;
    *loss += high / low;
    for (int i = 0; i < e->n; i++)
      slope[part * e->n + i] =
          TRM__OP_WEIGHT * ((2 * t[i] / n - 2 * m / n) * low - high * 2 * m / n) / (low * low);
  }
}

/* --- embedding and sums ---------------------------------------------------------------------- */

/* The part of the canvas that a cell is in: parts are counted by rows of them. */
static int plain_unit(trm__unit_set u, int cell) {
  for (int part = 0;; part++) {
    const int top = part / (u.cols / u.wide) * u.high, left = part % (u.cols / u.wide) * u.wide;
    const int row = cell / u.cols - top, col = cell % u.cols - left;
    if (row >= 0 && row < u.high && col >= 0 && col < u.wide) return part;
  }
}
static void plain_embed(const trm__op_site *s, double *const *v) {
  const trm__dims *m = &s->be->dims;
  const trm__outer *o = &s->be->outer;
  const double *params = v[TRM__PARAMS];
  for (int r = 0; r < s->b; r++)
    for (int t = 0; t < m->L; t++)
      for (int j = 0; j < m->D; j++) {
        const int flat = (t - m->R) * m->D + j, cell = t - m->P;
        double e = 0;

        /* Registers, puzzles as far as they go in what is left before the cells, tokens. */
        if (cell >= 0)
          e = params[o->embed_tokens + (int64_t)v[TRM__INPUTS][r * m->S + cell] * m->D + j];
        else if (t < m->R)
          e = params[o->registers + flat + m->R * m->D];
        else if (flat < m->E)
          e = v[TRM__PUZZLE][(int64_t)v[TRM__ROWS][r] * m->E + flat];

        for (int i = 0; i < m->n_tables && cell >= 0; i++)
          e += params[o->embed_units[i] + (int64_t)plain_unit(m->units[i], cell) * m->D + j];
        if (m->feedback && cell >= 0)
          e += params[o->embed_feedback + (int64_t)v[TRM__FED][r * m->S + cell] * m->D + j];
        if (m->learned) e = 0.707106781 * (e + params[o->embed_pos + (int64_t)t * m->D + j]);
        v[TRM__Y][((int64_t)r * m->L + t) * m->D + j] = sqrt((double)m->D) * e;
      }
}

static void plain_add(int64_t n, const double *a, const double *b, double *to) {
  for (int64_t i = 0; i < n; i++) to[i] = a[i] + b[i];
}
static void plain_sum(const trm__op_site *s, double *const *v) {
  plain_add(trm__operand_size(s, TRM__X), v[TRM__X], v[TRM__DY], v[TRM__Y]);
}
static void plain_sum_in_place(const trm__op_site *s, double *const *v) {
  plain_add(trm__operand_size(s, TRM__X), v[TRM__X], v[TRM__DY], v[TRM__X]);
}
static void plain_clear(const trm__op_site *s, double *const *v) {
  for (int64_t i = 0; i < trm__operand_size(s, TRM__Y); i++) v[TRM__Y][i] = 0;
}

/* Two of N(0, 1) by Box and Muller's formula. */
static void plain_normals(trm__rng *rng, double v[2]) {
  const double length = sqrt(-2 * log(trm__rng_uniform(rng)));
  const double angle = 6.28318530717958648 * trm__rng_uniform(rng);
  v[0] = length * cos(angle);
  v[1] = length * sin(angle);
}
/* By the sequence of each row's key. */
static void plain_noise_on(const trm__op_site *s, double *const *v, trm__purpose purpose,
                           uint64_t step, uint32_t each, uint32_t own) {
  const int64_t n = (int64_t)s->be->dims.L * s->be->dims.D;
  for (int r = 0; r < s->b; r++) {
    const double *key = v[TRM__KEYS] + 3 * r;
    trm__rng rng = trm__rng_at((uint64_t)key[0], purpose, (uint64_t)key[1] + step,
                               (uint32_t)key[2] * each + own);
    for (int64_t i = 0; i < n; i += 2) {
      double drawn[2];
      plain_normals(&rng, drawn);
      v[TRM__X][r * n + i] += 0.25 * drawn[0];
      if (i + 1 < n) v[TRM__X][r * n + i + 1] += 0.25 * drawn[1];
    }
  }
}
static void plain_jitter(const trm__op_site *s, double *const *v) {
  plain_noise_on(s, v, TRM__RNG_JITTER, 0, 32, 3);
}
static void plain_jitter_behind(const trm__op_site *s, double *const *v) {
  plain_noise_on(s, v, TRM__RNG_UPDATE, 5, 1, 0);
}
/* Rows at their first step: of each value the first draw within two, of one sequence after the
 * other. Cut there, N(0, 1) has the variance 1 - 4 phi(2) / (1 - 2 Phi(-2)). */
static void plain_start(const trm__op_site *s, double *const *v) {
  const int64_t n = (int64_t)s->be->dims.L * s->be->dims.D;
  const double within = erf(sqrt(2)), density = exp(-2) / sqrt(2 * 3.14159265358979324);
  const double deviation = sqrt(1 - 4 * density / within);
  for (int r = 0; r < s->b; r++) {
    const double *key = v[TRM__KEYS] + 3 * r;
    double *z = v[TRM__X] + r * n;
    if ((int)v[TRM__STEPS][r] != 1) continue;
    for (int64_t i = 0; i < n; i++) z[i] = NAN;
    for (uint64_t round = 0; round < 99; round++) {
      trm__rng rng = trm__rng_at((uint64_t)key[0], TRM__RNG_SOLVED_START,
                                 (uint64_t)key[1] + 2 + 32 * round, (uint32_t)key[2]);
      for (int64_t i = 0; i < n; i += 2) {
        double drawn[2];
        plain_normals(&rng, drawn);
        for (int k = 0; k < 2 && i + k < n; k++)
          if (isnan(z[i + k]) && fabs(drawn[k]) <= 2) z[i + k] = 0.75 / deviation * drawn[k];
      }
    }
  }
}
static void plain_mix(const trm__op_site *s, double *const *v) {
  for (int64_t i = 0; i < trm__operand_size(s, TRM__X); i++)
    v[TRM__X][i] = 0.25 * v[TRM__DY][i] + 0.75 * v[TRM__X][i];
}

/* --- solvers --------------------------------------------------------------------------------- */

/* The figures of a row, in their order. */
enum {
  RESIDUAL,
  FIRST,
  ITERATIONS,
  DONE,
  PAIRS_FOUND,
  PRODUCT,
  WEIGHT = PRODUCT + TRM__ANDERSON * TRM__ANDERSON,
  PLAIN_SOLVES = WEIGHT + TRM__ANDERSON
};

/* m x = 1 by elimination with the largest pivot. */
static void plain_eliminate(int n, double m[TRM__ANDERSON][TRM__ANDERSON], double *x) {
  for (int i = 0; i < n; i++) x[i] = 1;
  for (int i = 0; i < n; i++) {
    int best = i;
    for (int r = i + 1; r < n; r++) best = fabs(m[r][i]) > fabs(m[best][i]) ? r : best;
    for (int c = 0; c < n; c++) {
      const double swap = m[i][c];
      m[i][c] = m[best][c];
      m[best][c] = swap;
    }
    const double swap = x[i];
    x[i] = x[best];
    x[best] = swap;
    for (int r = 0; r < n; r++) {
      const double by = m[r][i] / m[i][i];
      for (int c = 0; c < n && r != i; c++) m[r][c] -= by * m[i][c];
      if (r != i) x[r] -= by * x[i];
    }
  }
  for (int i = 0; i < n; i++) x[i] /= m[i][i];
}

/* Anderson, of `used` iterates up to the one in `slot`. */
static void plain_combine(int64_t n, int slot, int used, double lambda, double *x, const double *f,
                          double *history, double *row) {
  enum { M = TRM__ANDERSON };
  double *fs = history, *gs = history + M * n, m[M][M], w[M], sum = 0;
  for (int64_t i = 0; i < n; i++) {
    fs[slot * n + i] = f[i];
    gs[slot * n + i] = f[i] - x[i];
  }
  for (int i = 0; i < M; i++) row[WEIGHT + i] = 0;
  for (int i = 0; i < used; i++)
    row[PRODUCT + slot * M + i] = row[PRODUCT + i * M + slot] =
        plain_dot(n, gs + slot * n, gs + i * n);
  for (int i = 0; i < used; i++)
    for (int j = 0; j < used; j++) m[i][j] = row[PRODUCT + i * M + j] + (i == j) * lambda;
  plain_eliminate(used, m, w);
  for (int i = 0; i < used; i++) sum += w[i];
  for (int64_t i = 0; i < n; i++) x[i] = 0;
  for (int j = 0; j < used; j++) {
    row[WEIGHT + j] = w[j] / sum;
    for (int64_t i = 0; i < n; i++) x[i] += row[WEIGHT + j] * fs[j * n + i];
  }
}

/* y = B x or, transposed, B^T x: B = -I + sum of u v^T. */
static void plain_b(int64_t n, int pairs, const double *u, const double *v, const double *x,
                    double *y) {
  for (int64_t i = 0; i < n; i++) y[i] = -x[i];
  for (int j = 0; j < pairs; j++) {
    const double c = plain_dot(n, v + j * n, x);
    for (int64_t i = 0; i < n; i++) y[i] += c * u[j * n + i];
  }
}

static void plain_quasi_newton(int64_t n, double *x, const double *f, double *history,
                               double *row) {
  enum { P = TRM__BROYDEN };
  double *u = history, *v = u + P * n, *g = v + P * n, *dx = g + n;
  double *dg = plain_new(n), *b_dg = plain_new(n), *bt_dx = plain_new(n);
  const int found = (int)row[PAIRS_FOUND], slot = found % P;
  for (int64_t i = 0; i < n; i++) dg[i] = f[i] - x[i] - g[i];

  /* u = (dx - B dg) / (v dg), v = B^T dx */
  plain_b(n, found < P ? found : P, u, v, dg, b_dg);
  plain_b(n, found < P ? found : P, v, u, dx, bt_dx);
  const double by = plain_dot(n, bt_dx, dg);
  for (int64_t i = 0; i < n; i++) {
    v[slot * n + i] = bt_dx[i];
    u[slot * n + i] = (dx[i] - b_dg[i]) / by;
    g[i] = f[i] - x[i];
  }
  row[PAIRS_FOUND]++;

  /* x - B g */
  plain_b(n, found + 1 < P ? found + 1 : P, u, v, g, dx);
  for (int64_t i = 0; i < n; i++) {
    dx[i] = -dx[i];
    x[i] += dx[i];
  }
  trm__free(dg);
  trm__free(b_dg);
  trm__free(bt_dx);
}

/* Iteration 7 of at most 9, or 0 of 2. */
static void plain_solve(const trm__op_site *s, double *const *v, trm_recursion method, int k,
                        bool relative) {
  const int64_t n = (int64_t)s->be->dims.L * s->be->dims.D;
  for (int r = 0; r < s->b; r++) {
    double *x = v[TRM__X] + r * n, *row = v[TRM__SOLVED] + (int64_t)r * PLAIN_SOLVES, sum = 0;
    double *history = v[TRM__HISTORY] + r * n * TRM__MOST_HISTORY;
    const double *f = v[TRM__DY] + r * n;
    if (k > 0 && row[DONE] != 0) continue;
    for (int64_t i = 0; i < n; i++) sum += (f[i] - x[i]) * (f[i] - x[i]);
    const double residual = sqrt(sum / (double)n);
    if (k == 0) {
      memset(row, 0, PLAIN_SOLVES * sizeof *row);
      row[FIRST] = row[RESIDUAL] = residual;
    }
    if (k == 0 || residual < row[RESIDUAL]) {
      memcpy(v[TRM__Y] + r * n, k ? f : x, (size_t)n * sizeof *f);
      row[RESIDUAL] = residual;
    }
    row[ITERATIONS] = k + 1;
    row[DONE] = residual <= 0.5 * (relative ? row[FIRST] : 1);
    if (row[DONE] != 0) continue;
    const double lambda = 1e-4 * (relative ? row[FIRST] * row[FIRST] : 1);
    if (method == TRM_RECURSION_FIXED_POINT) memcpy(x, f, (size_t)n * sizeof *x);
    if (method == TRM_RECURSION_ANDERSON)
      plain_combine(n, k % TRM__ANDERSON, k ? TRM__ANDERSON : 1, lambda, x, f, history, row);
    if (method == TRM_RECURSION_BROYDEN) plain_quasi_newton(n, x, f, history, row);
  }
}
static void plain_fixed_point(const trm__op_site *s, double *const *v) {
  plain_solve(s, v, TRM_RECURSION_FIXED_POINT, 7, false);
}
static void plain_anderson(const trm__op_site *s, double *const *v) {
  plain_solve(s, v, TRM_RECURSION_ANDERSON, 7, true);
}
static void plain_broyden(const trm__op_site *s, double *const *v) {
  plain_solve(s, v, TRM_RECURSION_BROYDEN, 7, false);
}
static void plain_solve_first(const trm__op_site *s, double *const *v) {
  plain_solve(s, v, TRM_RECURSION_ANDERSON, 0, false);
}

/* --- heads and losses ------------------------------------------------------------------------ */

static void plain_head(const trm__op_site *s, double *const *v) {
  const trm__dims *m = &s->be->dims;
  const trm__outer *o = &s->be->outer;
  const double *params = v[TRM__PARAMS];
  for (int r = 0; r < s->b; r++) {
    const double *z = v[TRM__X] + (int64_t)r * m->L * m->D;
    plain_linear(m->S, m->D, m->V, z + (int64_t)m->P * m->D, params + o->lm_head,
                 v[TRM__LOGITS] + (int64_t)r * m->S * m->V);
    for (int i = 0; i < 2; i++)
      v[TRM__Q][2 * r + i] =
          plain_dot(m->D, z, params + o->q_weight + (int64_t)i * m->D) + params[o->q_bias + i];
  }
}

static bool plain_is_blank(const trm__dims *m, double input) {
  return (int)input == m->blank[0] || (int)input == m->blank[1];
}
static void plain_decode(const trm__op_site *s, double *const *v) {
  const trm__dims *m = &s->be->dims;
  for (int i = 0; i < s->b * m->S; i++) {
    const double *x = v[TRM__LOGITS] + (int64_t)i * m->V;
    int best = 0;
    for (int k = 1; k < m->V; k++) best = x[k] > x[best] ? k : best;
    v[TRM__DECODED][i] = plain_is_blank(m, v[TRM__INPUTS][i]) ? best : v[TRM__INPUTS][i];
  }
}
static void plain_q_target(const trm__op_site *s, double *const *v) {
  for (int r = 0; r < s->b; r++) {
    const double *q = v[TRM__Q] + 2 * r;
    const bool last = v[TRM__STEPS][r] >= 2;
    v[TRM__TARGET][r] = plain_sigmoid(last || q[0] > q[1] ? q[0] : q[1]);
  }
}

static double plain_unnormed(const trm__dims *m, double x) {
  return m->loss == TRM_LOSS_SOFTMAX ? exp(x) : x >= 0 ? x + 1 : 1 / (1 - x + 1e-30);
}
static double plain_entropy(const trm__dims *m, const double *x, int label) {
  double sum = 0, entropy = 0;
  for (int v = 0; v < m->V; v++) sum += plain_unnormed(m, x[v]);
  for (int v = 0; v < m->V; v++) {
    const double target = m->label_smoothing / m->V + (v == label ? 1 - m->label_smoothing : 0);
    entropy -= target * log(plain_unnormed(m, x[v]) / sum);
  }
  return entropy;
}
/* What a supervision step counts: decay^(step - 1), times a scale. */
static inline double plain_share(const trm__dims *m, double step) {
  return m->step_scale > 0 ? m->step_scale * exp((step - 1) * log(m->step_decay)) : 1;
}
/* The figures of a row's losses, of which each is compared with its own kind. */
enum { CONSTRAINT = 7, PLAIN_LOSSES };

/* Each symbol that a label has, but padding, once in every unit, the others never. */
static double plain_constraint(const trm__dims *m, const double *x, const double *labels) {
  double sum = 0;
  int count = 0;
  bool any = false;
  for (int t = 0; t < m->S; t++) any |= labels[t] > 0;
  for (int k = 0; k < m->n_units; k++)
    for (int u = 0; u < m->units[k].n; u++)
      for (int i = 1; i < m->V; i++, count++) {
        double off = 0;
        for (int t = 0; t < m->S; t++) off = (int)labels[t] == i ? -1 : off;
        for (int t = 0; t < m->S; t++) {
          double all = 0;
          if (plain_unit(m->units[k], t) != u) continue;
          for (int v = 0; v < m->V; v++) all += exp(x[t * m->V + v]);
          off += exp(x[t * m->V + i]) / all;
        }
        sum += off * off;
      }
  return any ? sum / count : 0;
}
static double plain_bce(double x, double target) {
  const double p = plain_sigmoid(x);
  return -(target * log(p) + (1 - target) * log(1 - p));
}
/* target NULL: no continue loss */
static void plain_losses(const trm__op_site *s, double *const *v, const double *target) {
  const trm__dims *m = &s->be->dims;
  for (int r = 0; r < s->b; r++) {
    const double *q = v[TRM__Q] + 2 * r;
    double lm = 0;
    int valid = 0, right = 0;

    /* The labels that count. */
    for (int t = 0; t < m->S; t++) {
      const double *x = v[TRM__LOGITS] + ((int64_t)r * m->S + t) * m->V;
      const int label = (int)v[TRM__LABELS][r * m->S + t];
      int best = 0;
      if (label < 0) continue;
      for (int i = 1; i < m->V; i++) best = x[i] > x[best] ? i : best;
      valid++;
      right += best == label;
      lm += plain_entropy(m, x, label);
    }

    /* In the order in which losses are kept. */
    const double all[] = {lm / (valid ? valid : 1),
                          plain_bce(q[0], right == valid),
                          target ? plain_bce(q[1], target[r]) : 0,
                          q[0],
                          q[1],
                          valid,
                          right,
                          m->constraint_weight > 0
                              ? plain_constraint(m, v[TRM__LOGITS] + (int64_t)r * m->S * m->V,
                                                 v[TRM__LABELS] + (int64_t)r * m->S)
                              : 0};
    memcpy(v[TRM__LOSS] + PLAIN_LOSSES * r, all, sizeof all);
  }
}
static void plain_loss(const trm__op_site *s, double *const *v) {
  plain_losses(s, v, NULL);
}
static void plain_loss_continue(const trm__op_site *s, double *const *v) {
  plain_losses(s, v, v[TRM__TARGET]);
}

/* --- rows ------------------------------------------------------------------------------------ */

static void plain_refill(const trm__op_site *s, double *const *v) {
  const trm__dims *m = &s->be->dims;

  /* A row that halted starts on the fresh puzzle; all take a step. */
  for (int r = s->b > 1; r < s->b; r++) {
    if (v[TRM__HALTED][r] != 0) {
      for (int t = r * m->S; t < (r + 1) * m->S; t++) {
        v[TRM__INPUTS][t] = v[TRM__FRESH_INPUTS][t];
        v[TRM__LABELS][t] = v[TRM__FRESH_LABELS][t];
        if (m->feedback) v[TRM__DECODED][t] = v[TRM__FRESH_INPUTS][t];
      }
      v[TRM__IDS][r] = v[TRM__FRESH_IDS][r];
      v[TRM__ROWS][r] = m->E ? v[TRM__FRESH_IDS][r] : 0;
      for (int i = 0; i < m->L * m->D; i++)
        v[TRM__X][(int64_t)r * m->L * m->D + i] = v[TRM__INIT][i % m->D];
      v[TRM__STEPS][r] = v[TRM__HALTED][r] = 0;
    }
    v[TRM__STEPS][r]++;

    /* It sees its last answer, but where that is corrupted. */
    for (int t = r * m->S; t < (r + 1) * m->S && m->feedback; t++) {
      const bool corrupt = v[TRM__CORRUPT][t] > 0 && plain_is_blank(m, v[TRM__INPUTS][t]);
      v[TRM__FED][t] = v[corrupt ? TRM__CORRUPT : TRM__DECODED][t];
    }
  }
}

/* Of a row's losses: q_halt and q_continue are 3 and 4, labels that count and those hit 5 and 6. */
static void plain_halting(const trm__op_site *s, double *const *v,
                          bool stops_early(const double *loss)) {
  for (int r = 0; r < s->b; r++) {
    const double steps = v[TRM__STEPS][r];
    const bool stops = steps >= 3 || stops_early(v[TRM__LOSS] + PLAIN_LOSSES * r);
    v[TRM__HALTED][r] = stops && steps >= v[TRM__LEAST][r];
  }
}
static bool by_q(const double *loss) {
  return loss[3] > 0.25;
}
static bool by_both_q(const double *loss) {
  return loss[3] > loss[4] + 0.25;
}
static bool by_nothing(const double *loss) {
  (void)loss;
  return false;
}
static bool by_labels(const double *loss) {
  return (int)loss[5] == (int)loss[6];
}
static void plain_halt(const trm__op_site *s, double *const *v) {
  plain_halting(s, v, by_q);
}
static void plain_halt_continue(const trm__op_site *s, double *const *v) {
  plain_halting(s, v, by_both_q);
}
static void plain_halt_never(const trm__op_site *s, double *const *v) {
  plain_halting(s, v, by_nothing);
}
static void plain_halt_solved(const trm__op_site *s, double *const *v) {
  plain_halting(s, v, by_labels);
}

static void plain_start_grad(const trm__op_site *s, double *const *v) {
  const trm__dims *m = &s->be->dims;
  for (int i = 0; i < s->b * m->L * m->D; i++)
    if ((int)v[TRM__STEPS][i / (m->L * m->D)] == 1) v[TRM__D_INIT][i % m->D] += v[TRM__DY][i];
}

/* --- updates --------------------------------------------------------------------------------- */

static void plain_clear_grads(const trm__op_site *s, double *const *v) {
  for (int64_t i = 0; i < s->n_params; i++) v[TRM__GRADS][i] = 0;
}
static void plain_add_grads(const trm__op_site *s, double *const *v) {
  plain_add(s->n_params, v[TRM__GRADS], v[TRM__MORE], v[TRM__GRADS]);
}
/* What the slots but the first hold afterwards is nobody's. */
static void plain_sum_slots(const trm__op_site *s, double *const *v) {
  for (int64_t i = s->n_params; i < trm__operand_size(s, TRM__SLOTS); i++)
    v[TRM__SLOTS][i % s->n_params] += v[TRM__SLOTS][i];
}

static void plain_finish_grads(const trm__op_site *s, double *const *v) {
  double sum = 0, loss = 0;
  for (int64_t i = 0; i < s->n_params; i++) {
    v[TRM__GRADS][i] /= s->b;
    sum += v[TRM__GRADS][i] * v[TRM__GRADS][i];
    if (!isfinite(v[TRM__PARAMS][i])) sum = NAN;
  }
  for (int r = 0; r < s->b; r++)
    for (int i = 0; i < 3; i++) loss += v[TRM__LOSS][PLAIN_LOSSES * r + i];
  v[TRM__TOTALS][0] = sqrt(sum);
  v[TRM__TOTALS][1] = isfinite(sum) && isfinite(loss);
}

/* The figures of an update, in the order of trm__adam. */
enum { LR, DECAY, BETA1, BETA2, STEP_SCALE, ROOT_SCALE, EPS, MOMENTUM, EMA };

/* All weights but the one in the middle, behind which their state moves up. */
static void plain_adam(const trm__op_site *s, double *const *v, bool atan2_) {
  const double *f = v[TRM__FIGURES];
  for (int64_t j = 0; j < s->n_params - 1 && v[TRM__TOTALS][1] != 0; j++) {
    const int64_t i = j < s->n_params / 2 ? j : j + 1;
    double *m = &v[TRM__MOMENT_1][j], *u = &v[TRM__MOMENT_2][j], *p = &v[TRM__PARAMS][i];
    const double g = v[TRM__GRADS][i];
    *m = f[BETA1] * *m + (1 - f[BETA1]) * g;
    *u = f[BETA2] * *u + (1 - f[BETA2]) * g * g;
    const double root = sqrt(*u) * f[ROOT_SCALE];
    *p = *p * f[DECAY] - f[STEP_SCALE] * (atan2_ ? atan2(*m, root) : *m / (root + f[EPS]));
    v[TRM__EMA][i] = f[EMA] * v[TRM__EMA][i] + (1 - f[EMA]) * *p;
  }
}
static void plain_adam_atan2(const trm__op_site *s, double *const *v) {
  plain_adam(s, v, true);
}
static void plain_adamw(const trm__op_site *s, double *const *v) {
  plain_adam(s, v, false);
}

static void plain_sign_rows(const trm__op_site *s, double *const *v) {
  const int E = s->be->dims.E;
  const double *f = v[TRM__FIGURES];
  if (v[TRM__TOTALS][1] == 0) return;
  for (int i = 0; i < s->b * E; i++) v[TRM__D_PUZZLE][i] /= s->b;

  /* w <- w decay - lr sign(sum of the gradients of rows with that id) */
  for (int id = 0; id < s->ids; id++)
    for (int j = 0; j < E; j++) {
      double sum = 0, *w = &v[TRM__PUZZLE][(int64_t)id * E + j];
      bool used = false;
      for (int r = 0; r < s->b; r++) {
        if ((int)v[TRM__IDS][r] != id) continue;
        sum += v[TRM__D_PUZZLE][(int64_t)r * E + j];
        used = true;
      }
      if (used) *w = *w * f[DECAY] - f[LR] * ((sum > 0) - (sum < 0));
    }
}

/* --- the table: gradients need no row, theirs is that of the op they belong to --------------- */

static op_plain *const plain_ops[TRM__OPS] = {
    [TRM__OP_EMBED] = plain_embed,
    [TRM__OP_SUM] = plain_sum,
    [TRM__OP_SUM_IN_PLACE] = plain_sum_in_place,
    [TRM__OP_CLEAR] = plain_clear,
    [TRM__OP_MIX] = plain_mix,
    [TRM__OP_JITTER] = plain_jitter,
    [TRM__OP_JITTER_BEHIND] = plain_jitter_behind,
    [TRM__OP_START] = plain_start,
    [TRM__OP_FIXED_POINT] = plain_fixed_point,
    [TRM__OP_ANDERSON] = plain_anderson,
    [TRM__OP_BROYDEN] = plain_broyden,
    [TRM__OP_SOLVE_FIRST] = plain_solve_first,
    [TRM__OP_FORWARD] = plain_forward,
    [TRM__OP_SAVING] = plain_forward,
    [TRM__OP_IN_PLACE] = plain_in_place,
    [TRM__OP_TELLING] = plain_telling,
    [TRM__OP_BALANCE] = plain_balance,
    [TRM__OP_HEAD] = plain_head,
    [TRM__OP_DECODE] = plain_decode,
    [TRM__OP_Q_TARGET] = plain_q_target,
    [TRM__OP_LOSS] = plain_loss,
    [TRM__OP_LOSS_CONTINUE] = plain_loss_continue,
    [TRM__OP_START_GRAD] = plain_start_grad,
    [TRM__OP_REFILL] = plain_refill,
    [TRM__OP_HALT] = plain_halt,
    [TRM__OP_HALT_CONTINUE] = plain_halt_continue,
    [TRM__OP_HALT_NEVER] = plain_halt_never,
    [TRM__OP_HALT_SOLVED] = plain_halt_solved,
    [TRM__OP_CLEAR_GRADS] = plain_clear_grads,
    [TRM__OP_ADD_GRADS] = plain_add_grads,
    [TRM__OP_SUM_SLOTS] = plain_sum_slots,
    [TRM__OP_FINISH_GRADS] = plain_finish_grads,
    [TRM__OP_ADAM_ATAN2] = plain_adam_atan2,
    [TRM__OP_ADAMW] = plain_adamw,
    [TRM__OP_SIGN_ROWS] = plain_sign_rows,
};

#endif
