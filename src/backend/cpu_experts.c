/* Mixtures of experts, y = norm(x + sum over the chosen of gate * expert(x)), where an expert is a
 * SwiGLU: over the channels, a token being a position of a row, and over the positions, where it is
 * a channel; there rows are transposed on the way in and out, and the rest is the same. Routers are
 * in kernels/route.h.
 *
 * Forward   r = x W_r^T, and noise; the chosen and their gates       (R tokens of K values)
 *           tokens by expert; o = expert(x)
 *           y = norm(x + sum of gate * o)             saved: logits [n, R], g u, o, inv
 * Backward  ds = norm'(dy); d gate = ds . o, and the auxiliary loss: dr
 *           do = gate * ds, through each expert as through any SwiGLU
 *           dx = ds + sum of its experts' dx + dr W_r; dW_r = dr^T x
 *
 * Entries are the tokens of expert 0, then of 1, and so on; within an expert those of one row of
 * the batch after those of the one before, those of as many rows as a tile has a multiple of filled
 * up with zeros to whole blocks of a bfloat16 product (cpu_depth_block), so that what is summed
 * together does not depend on where tiles end. */
#include <string.h>

#include "backend/cpu.h"
#include "base/check.h"

static unsigned experts_packing(const trm__block *blk, int i) {
  const int first = blk->n_weights % 2 ? 1 : 2; /* a router, and its noise */
  if (i < first) return CPU_PLAIN;
  return CPU_AS_B | ((i - first) % 2 == TRM__GATE_UP ? CPU_GATE_UP : CPU_DOWN);
}

/* What one pass works in. R tokens of K values, n experts, C entries at most. */
typedef struct experts_memory {
  const trm__experts *x;
  bool over_positions;
  int b, each, K; /* rows, tokens of each */
  int together;   /* rows whose entries at an expert are filled up .. */
  int64_t block;  /* .. to a multiple of this */
  int64_t R, C;
  cpu_swiglu swiglu;
  /* Kept: clean logits [n, R], of noisy ones spread and noise too; outputs of experts [C, K]. */
  real *logits, *out, *inv;
  /* The team's. Of a token [R, chosen]: expert, entry, gate; of an entry [C]: token, or -1, and
   * gate; where each expert's entries start [n + 1]. */
  int32_t *expert, *entry, *token, *start;
  real *gate, *entry_gate;
  real *xt, *yt, *dt; /* rows transposed, of experts over the positions */
  /* Backward: of tokens ds [R, K], gradients of logits [n, R]; of entries [C, K] x, do and dx. */
  real *ds, *d_clean, *d_spread, *xe, *d_out, *dxe, *act, *shared;
  real *part; /* the member's: a part of the tokens [CPU_ROWS, K] */
  real *grad; /* in its place */
} experts_memory;

/* Of the tokens of some rows that are filled up together. */
static int64_t most_entries(const experts_memory *own, int rows) {
  const int64_t tokens = (int64_t)own->x->chosen * own->each * rows;
  return rows ? (tokens + own->x->n * (own->block - 1)) / own->block * own->block : 0;
}

static experts_memory carve(const cpu_backend *c, trm__block_kind kind, int b, bool backward,
                            cpu_memory memory) {
  const trm__dims *dims = &c->base.dims;
  const trm__experts *x = trm__experts_of(dims, kind);
  const bool noisy = x->router == TRM_ROUTER_NOISY_TOP2;
  experts_memory own = {.x = x,
                        .over_positions = kind == TRM__BLOCK_EXPERTS_T,
                        .b = b,
                        .each = trm__experts_tokens(dims, kind),
                        .K = trm__experts_inputs(dims, kind)};
  const int64_t R = own.R = (int64_t)b * own.each, K = own.K;
  const int64_t block = own.block = cpu_depth_block(c->product);
  own.together = block > 2 ? trm__whole_rows(dims->L, (int)block) : 1;
  const int64_t C = own.C =
      b / own.together * most_entries(&own, own.together) + most_entries(&own, b % own.together);

  /* Kept. */
  own.swiglu = (cpu_swiglu){.in = own.K, .width = x->width, .next = trm__units(c->product, (int)C)};
  own.logits = cpu_carve(memory.saved, (noisy ? 3 : 1) * x->n * R);
  own.out = cpu_carve(memory.saved, C * K);
  own.inv = cpu_carve(memory.saved, R);
  if (memory.saved != memory.shared)
    own.swiglu.gu = cpu_carve(memory.saved, own.swiglu.next * 2 * x->width);

  /* The team's. */
  own.expert = trm__carve(memory.shared, R * x->chosen, sizeof *own.expert);
  own.entry = trm__carve(memory.shared, R * x->chosen, sizeof *own.entry);
  own.token = trm__carve(memory.shared, C, sizeof *own.token);
  own.start = trm__carve(memory.shared, x->n + 1, sizeof *own.start);
  own.gate = cpu_carve(memory.shared, R * x->chosen);
  own.entry_gate = cpu_carve(memory.shared, C);
  if (own.over_positions) own.xt = cpu_carve(memory.shared, R * K);

  trm__cpu_swiglu_carve(c, &own.swiglu, backward, memory.scratch);
  own.part = cpu_carve(memory.scratch, CPU_ROWS * K);
  if (!backward) return own;

  if (own.over_positions) {
    own.yt = cpu_carve(memory.shared, R * K);
    own.dt = cpu_carve(memory.shared, R * K);
  }
  own.ds = cpu_carve(memory.shared, R * K);
  own.d_clean = cpu_carve(memory.shared, x->n * R);
  own.d_spread = cpu_carve(memory.shared, x->n * R);
  own.xe = cpu_carve(memory.shared, C * K);
  own.d_out = cpu_carve(memory.shared, C * K);
  own.dxe = cpu_carve(memory.shared, C * K);
  own.act = cpu_carve(memory.shared, trm__size_b(c->product, (int)C, x->width));
  own.shared = cpu_carve(memory.shared, trm__size_b(c->product, (int)C, K));
  trm__carve_anew(memory.scratch);
  own.grad = cpu_carve(memory.scratch, cpu_grad_scratch(c, (int)C));
  return own;
}

static void experts_count(const cpu_backend *c, int b, bool backward, cpu_memory memory) {
  (void)carve(c, TRM__BLOCK_EXPERTS, b, backward, memory);
}
static void experts_t_count(const cpu_backend *c, int b, bool backward, cpu_memory memory) {
  (void)carve(c, TRM__BLOCK_EXPERTS_T, b, backward, memory);
}

/* --- rows and their transposes --------------------------------------------------------------- */

/* Tokens [lo, hi) as rows of K values: of [b, L, D], in `to` where they are channels. */
static const real *as_tokens(const experts_memory *own, int64_t lo, int64_t hi, const real *x,
                             real *to) {
  if (!own->over_positions) return x;
  for (int64_t t = lo; t < hi; t++) {
    const real *from = x + t / own->each * own->each * own->K + t % own->each;
    for (int i = 0; i < own->K; i++) to[t * own->K + i] = from[(int64_t)i * own->each];
  }
  return to;
}

/* And back, into y. */
static void from_tokens(const experts_memory *own, int64_t lo, int64_t hi, const real *from,
                        real *y) {
  for (int64_t t = lo; t < hi && own->over_positions; t++) {
    real *to = y + t / own->each * own->each * own->K + t % own->each;
    for (int i = 0; i < own->K; i++) to[(int64_t)i * own->each] = from[t * own->K + i];
  }
}

/* --- routes ---------------------------------------------------------------------------------- */

static bool is_noisy(const experts_memory *own, const trm__routing *routing) {
  return routing && routing->noise && own->x->router == TRM_ROUTER_NOISY_TOP2;
}

/* Clean logits, spreads, and the noise of tokens [lo, hi). */
static void find_logits(const cpu_backend *c, const trm__block *blk, const experts_memory *own,
                        const trm__routing *routing, int64_t lo, int64_t hi, const real *x) {
  const int n = own->x->n, K = own->K;
  const real *const params = c->base.params;

  /* One product of rows per expert. */
  for (int which = 0; which < (is_noisy(own, routing) ? 2 : 1); which++)
    for (int e = 0; e < n; e++)
      c->kernels->dot_rows((int)(hi - lo), K, x + lo * K, K,
                           params + blk->w[TRM__ROUTER + which].at + (int64_t)e * K, 0,
                           own->logits + (which * n + e) * own->R + lo);
  if (!is_noisy(own, routing)) return;

  /* The noise is its row's and its token's, whoever computes it. */
  for (int64_t t = lo; t < hi; t++) {
    double noise[TRM__MAX_EXPERTS];
    trm__route_noise(routing->noise, routing->application, routing->row + t / own->each,
                     (int)(t % own->each), n, noise);
    for (int e = 0; e < n; e++) own->logits[(2 * n + e) * own->R + t] = (real)noise[e];
  }
}

static trm__logits logits_of(const experts_memory *own, bool noisy, int64_t t) {
  const int n = own->x->n;
  trm__logits l = {.noisy = noisy};
  for (int e = 0; e < n; e++) {
    const real *at = own->logits + e * own->R + t;
    l.clean[e] = (double)at[0];
    if (!noisy) continue;
    l.spread[e] = (double)at[n * own->R];
    l.noise[e] = (double)at[2 * n * own->R];
  }
  return l;
}

/* The chosen and their gates. */
static void find_routes(const experts_memory *own, bool noisy, int64_t lo, int64_t hi) {
  const int chosen = own->x->chosen;
  for (int64_t t = lo; t < hi; t++) {
    const trm__logits l = logits_of(own, noisy, t);
    const trm__route route = trm__route_of(own->x, &l);
    for (int k = 0; k < chosen; k++) {
      own->expert[t * chosen + k] = route.expert[k];
      own->gate[t * chosen + k] = (real)route.gate[k];
    }
  }
}

/* Entries by expert, by one member. */
static void group_tokens(const experts_memory *own) {
  const int n = own->x->n, chosen = own->x->chosen;
  int32_t at = 0;
  for (int e = 0; e < n; e++) {
    own->start[e] = at;
    for (int64_t row = 0; row < own->b; row++) {
      for (int64_t i = row * own->each * chosen; i < (row + 1) * own->each * chosen; i++) {
        if (own->expert[i] != e) continue;
        own->entry[i] = at;
        own->token[at] = (int32_t)(i / chosen);
        own->entry_gate[at++] = own->gate[i];
      }
      if ((row + 1) % own->together == 0 || row + 1 == own->b)
        while (at % own->block) own->token[at++] = -1;
    }
  }
  own->start[n] = at;
  TRM_ASSERT(at <= own->C);
}

/* What the tokens of each row tell, rows among the members. */
static void tell(trm__lane *lane, const experts_memory *own, const trm__routing *routing) {
  const int n = own->x->n;
  int64_t lo, hi;
  if (!routing || !routing->told) return;
  trm__lane_share(lane, own->b, 1, &lo, &hi);
  for (int64_t row = lo; row < hi; row++) {
    double *told = routing->told + row * 2 * n;
    memset(told, 0, (size_t)(2 * n) * sizeof *told);
    for (int64_t t = row * own->each; t < (row + 1) * own->each; t++) {
      const trm__logits l = logits_of(own, is_noisy(own, routing), t);
      const trm__route route = trm__route_of(own->x, &l);
      trm__route_tell(own->x, &l, &route, told);
    }
  }
}

typedef struct experts_pass {
  const cpu_backend *c;
  const trm__block *blk;
  experts_memory own;
  const real *x; /* of all tokens */
} experts_pass;

/* Calls f for every part of this member's share of the entries, at most CPU_ROWS of one expert. */
typedef void part_fn(experts_pass *pass, int expert, int64_t at, int n);
static void each_part(experts_pass *pass, trm__lane *lane, part_fn *f) {
  const experts_memory *own = &pass->own;
  const cpu_packed *w = &pass->c->packed[pass->blk - pass->c->base.blocks];
  int64_t lo, hi;
  trm__lane_share(lane, own->start[own->x->n], 2, &lo, &hi);
  for (int e = 0; e < own->x->n; e++) {
    const int64_t first = own->start[e] > lo ? own->start[e] : lo;
    const int64_t end = own->start[e + 1] < hi ? own->start[e + 1] : hi;
    const int64_t part = cpu_part(pass->c->product, end - first);
    trm__cpu_swiglu_weights(&pass->own.swiglu, w, trm__expert_at(own->x, e));
    for (int64_t at = first; at < end; at += part)
      f(pass, e, at, (int)(end - at < part ? end - at : part));
  }
}

/* to[n, K] = scale[i] * from[token of entry i], zeros where there is none; scale NULL: 1. */
static void gather(const experts_pass *pass, int64_t at, int n, const real *from, const real *scale,
                   real *to) {
  const experts_memory *own = &pass->own;
  const int K = own->K;
  memset(to, 0, (size_t)n * (size_t)K * sizeof *to);
  for (int i = 0; i < n; i++) {
    const int64_t t = own->token[at + i];
    if (t < 0) continue;
    if (scale)
      pass->c->kernels->scale_add(K, to + (int64_t)i * K, scale[at + i], from + t * K);
    else
      memcpy(to + (int64_t)i * K, from + t * K, (size_t)K * sizeof *to);
  }
}

/* --- forward --------------------------------------------------------------------------------- */

static void forward_part(experts_pass *pass, int expert, int64_t at, int n) {
  const experts_memory *own = &pass->own;
  (void)expert;
  gather(pass, at, n, pass->x, NULL, own->part);
  trm__cpu_swiglu_rows(pass->c, &own->swiglu, at, n, own->part, own->out + at * own->K);
}

/* y = norm(x + sum of gate * out), of tokens [t, t + n). */
static void combine(const experts_pass *pass, int64_t t, int n, real *y) {
  const experts_memory *own = &pass->own;
  const int K = own->K, chosen = own->x->chosen;
  memset(own->part, 0, (size_t)n * (size_t)K * sizeof *own->part);
  for (int i = 0; i < n; i++)
    for (int k = 0; k < chosen; k++) {
      const int64_t slot = (t + i) * chosen + k;
      pass->c->kernels->scale_add(K, own->part + (int64_t)i * K, own->gate[slot],
                                  own->out + (int64_t)own->entry[slot] * K);
    }
  pass->c->kernels->add_rms_rows(n, K, pass->x + t * K, K, own->part, K,
                                 (real)pass->c->base.dims.eps, y + t * K, K, own->inv + t);
}

static void experts_forward(trm__backend *be, trm__lane *lane, const trm__block *blk, int b,
                            const real *x, real *y, cpu_memory memory) {
  const cpu_backend *c = cpu_of(be);
  experts_pass pass = {c, blk, carve(c, blk->kind, b, false, memory), NULL};
  const experts_memory *own = &pass.own;
  int64_t lo, hi;

  /* Where each token goes. */
  trm__lane_share(lane, own->R, 1, &lo, &hi);
  pass.x = as_tokens(own, lo, hi, x, own->xt);
  find_logits(c, blk, own, memory.routing, lo, hi, pass.x);
  find_routes(own, is_noisy(own, memory.routing), lo, hi);
  trm__lane_barrier(lane);
  if (lane->rank == 0) group_tokens(own);
  tell(lane, own, memory.routing);
  trm__lane_barrier(lane);

  /* Expert by expert, and together again. */
  each_part(&pass, lane, forward_part);
  trm__lane_barrier(lane);
  real *to = own->over_positions ? own->xt : y;
  const int64_t part = cpu_part(c->product, hi - lo);
  for (int64_t t = lo; t < hi; t += part)
    combine(&pass, t, (int)(hi - t < part ? hi - t : part), to);
  from_tokens(own, lo, hi, to, y);
  trm__lane_barrier(lane);
}

/* --- backward -------------------------------------------------------------------------------- */

static void backward_part(experts_pass *pass, int expert, int64_t at, int n) {
  const experts_memory *own = &pass->own;
  const trm__product *p = pass->c->product;
  const int64_t K = own->K, first = own->start[expert];
  const int units = trm__units(p, own->start[expert + 1] - own->start[expert]);
  real *act = own->act + (int64_t)own->x->width * trm__units(p, (int)first);
  gather(pass, at, n, pass->x, NULL, own->xe + at * K);
  gather(pass, at, n, own->ds, own->entry_gate, own->d_out + at * K);
  memset(own->dxe + at * K, 0, (size_t)n * (size_t)K * sizeof *own->dxe);
  trm__cpu_swiglu_rows_grad(pass->c, &own->swiglu, at, n, own->d_out + at * K, own->dxe + at * K,
                            act + (at - first) / p->group * p->nr, (ptrdiff_t)units * p->nr);
}

/* The gradients of token t's logits. */
static void route_grad(const experts_pass *pass, const trm__routing *routing, int64_t t) {
  const experts_memory *own = &pass->own;
  const int n = own->x->n, chosen = own->x->chosen;
  const bool noisy = is_noisy(own, routing);
  const double *slope = routing && routing->balance ? routing->balance->slope : NULL;
  double d_gate[TRM__MAX_CHOSEN] = {0}, d_clean[TRM__MAX_EXPERTS], d_spread[TRM__MAX_EXPERTS];

  /* d gate = ds . out */
  for (int k = 0; k < chosen; k++) {
    real d;
    pass->c->kernels->dot_rows(1, own->K, own->ds + t * own->K, own->K,
                               own->out + (int64_t)own->entry[t * chosen + k] * own->K, own->K, &d);
    d_gate[k] = (double)d;
  }

  const trm__logits l = logits_of(own, noisy, t);
  const trm__route route = trm__route_of(own->x, &l);
  trm__route_grad(own->x, &l, &route, d_gate, slope, d_clean, d_spread);
  for (int e = 0; e < n; e++) {
    own->d_clean[e * own->R + t] = (real)d_clean[e];
    if (noisy) own->d_spread[e * own->R + t] = (real)d_spread[e];
  }
}

/* dx = ds + dx of its experts + dr W, of token t. */
static void token_grad(const experts_pass *pass, bool noisy, int64_t t, real *dx) {
  const experts_memory *own = &pass->own;
  const trm__kernels *kernels = pass->c->kernels;
  const int K = own->K, chosen = own->x->chosen;
  const real *router = pass->c->base.params + pass->blk->w[TRM__ROUTER].at;
  memcpy(dx, own->ds + t * K, (size_t)K * sizeof *dx);
  for (int k = 0; k < chosen; k++)
    kernels->add(K, dx, own->dxe + (int64_t)own->entry[t * chosen + k] * K);
  for (int e = 0; e < own->x->n; e++)
    kernels->scale_add(K, dx, own->d_clean[e * own->R + t], router + (int64_t)e * K);
  if (!noisy) return;
  const real *noise = pass->c->base.params + pass->blk->w[TRM__NOISE].at;
  for (int e = 0; e < own->x->n; e++)
    kernels->scale_add(K, dx, own->d_spread[e * own->R + t], noise + (int64_t)e * K);
}

/* dW [n, K] (+)= d^T x, tokens in their order; experts among the members. Without d: nothing. */
static void router_weight_grad(const experts_pass *pass, trm__lane *lane, const real *d, real *dw,
                               bool accumulate) {
  const experts_memory *own = &pass->own;
  const int K = own->K;
  int64_t lo, hi;
  trm__lane_share(lane, own->x->n, 1, &lo, &hi);
  for (int64_t e = lo; e < hi; e++) {
    if (!accumulate) memset(dw + e * K, 0, (size_t)K * sizeof *dw);
    for (int64_t t = 0; t < own->R && d; t++)
      pass->c->kernels->scale_add(K, dw + e * K, d[e * own->R + t], pass->x + t * K);
  }
}

/* dW_out = do^T a, a packed already; dW_in = [dg du]^T x, of one expert. */
static void expert_weight_grad(const experts_pass *pass, trm__lane *lane, int expert,
                               real *const *dw, bool accumulate) {
  const cpu_backend *c = pass->c;
  const experts_memory *own = &pass->own;
  const int64_t at = own->start[expert], K = own->K, F = own->x->width;
  const int n = (int)(own->start[expert + 1] - at);
  const cpu_operand act = {.form = CPU_PACKED,
                           .data = own->act + F * trm__units(c->product, (int)at)};

  /* Nobody came: no gradient. */
  if (n == 0) {
    if (accumulate || lane->rank != 0) return;
    memset(dw[TRM__DOWN], 0, (size_t)(K * F) * sizeof(real));
    memset(dw[TRM__GATE_UP], 0, (size_t)(2 * F * K) * sizeof(real));
    return;
  }
  trm__cpu_weight_grad(c, lane, (int)K, (int)F, n, 1, cpu_across(own->d_out + at * K, K), act,
                       dw[TRM__DOWN], accumulate, NULL, own->grad);
  trm__cpu_weight_grad(c, lane, (int)(2 * F), (int)K, n, 1, cpu_swiglu_dgu(c, &own->swiglu, at),
                       cpu_across(own->xe + at * K, K), dw[TRM__GATE_UP], accumulate, own->shared,
                       own->grad);
}

static void experts_backward(trm__backend *be, trm__lane *lane, const trm__block *blk, int b,
                             const real *x, const real *y, real *dh, real *const *dw,
                             bool accumulate, cpu_memory memory) {
  const cpu_backend *c = cpu_of(be);
  experts_pass pass = {c, blk, carve(c, blk->kind, b, true, memory), NULL};
  const experts_memory *own = &pass.own;
  const bool noisy = is_noisy(own, memory.routing);
  const int K = own->K;
  int64_t lo, hi;

  /* The routes once more; ds = norm'(dy). */
  trm__lane_share(lane, own->R, 1, &lo, &hi);
  pass.x = as_tokens(own, lo, hi, x, own->xt);
  const real *ys = as_tokens(own, lo, hi, y, own->yt), *dy = as_tokens(own, lo, hi, dh, own->dt);
  find_routes(own, noisy, lo, hi);
  c->kernels->rms_rows_grad((int)(hi - lo), K, ys + lo * K, K, own->inv + lo, dy + lo * K, K,
                            own->ds + lo * K, K);
  trm__lane_barrier(lane);
  if (lane->rank == 0) group_tokens(own);
  trm__lane_barrier(lane);

  /* Through the experts, then to the tokens. */
  each_part(&pass, lane, backward_part);
  trm__lane_barrier(lane);
  real *dx = own->over_positions ? own->dt : dh;
  for (int64_t t = lo; t < hi; t++) {
    route_grad(&pass, memory.routing, t);
    token_grad(&pass, noisy, t, dx + t * K);
  }
  from_tokens(own, lo, hi, dx, dh);
  trm__lane_barrier(lane);

  /* To the weights. */
  router_weight_grad(&pass, lane, own->d_clean, dw[TRM__ROUTER], accumulate);
  if (own->x->router == TRM_ROUTER_NOISY_TOP2)
    router_weight_grad(&pass, lane, noisy ? own->d_spread : NULL, dw[TRM__NOISE], accumulate);
  for (int e = 0; e < own->x->n; e++)
    expert_weight_grad(&pass, lane, e, dw + trm__expert_at(own->x, e), accumulate);
  trm__lane_barrier(lane);
}

/* --- the load -------------------------------------------------------------------------------- */

void trm__cpu_balance(trm__backend *be, trm__workspace *ws, trm__block_kind kind, int rows,
                      double weight, const double *told, trm__balance *out) {
  const trm__experts *x = trm__experts_of(&be->dims, kind);
  const double tokens = (double)rows * trm__experts_tokens(&be->dims, kind);
  if (ws->lane->rank == 0) {
    *out = (trm__balance){0};
    for (int r = 0; r < rows; r++)
      for (int i = 0; i < 2 * x->n; i++) out->told[i] += told[(int64_t)r * 2 * x->n + i];
    out->loss = trm__route_balance(x, tokens, out->told, weight, out->slope);
  }
  trm__lane_barrier(ws->lane);
}

const cpu_block_kind trm__cpu_experts_t = {
    .packing = experts_packing,
    .count = experts_t_count,
    .forward = experts_forward,
    .backward = experts_backward,
};
const cpu_block_kind trm__cpu_experts = {
    .packing = experts_packing,
    .count = experts_count,
    .forward = experts_forward,
    .backward = experts_backward,
};
