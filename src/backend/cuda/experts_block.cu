/* Experts over the positions and over the channels, as blocks. */
#include "experts.cuh"

#include "blocks.cuh"
#include "norms.cuh"
#include "swiglu.cuh"
#include "vector.cuh"

/* How many tokens an expert gets is known to the device alone, while the shapes of products are
 * part of a recorded program: so every expert sees all tokens, and its gates, of which most are
 * zero, say what counts. Over the channels tokens are rows; over the positions they are columns of
 * X [L, N], weights are on the left. */
template <class T>
struct Experts {
  Tokens in, inner; /* of K values; of as many as an expert is wide */
  Routes routes;
  float *inv, *d_gate, *d_logits;
  T *xt, *gu, *act, *out, *sum, *ds, *d_out, *da, *dx;
};

static Tokens tokens_of(bool columns, int64_t R, int each, int K) {
  return columns ? Tokens{R, each, K, 1, R} : Tokens{R, each, K, K, 1};
}

template <class T, bool POSITIONS>
static Experts<T> experts_memory(const CudaBackend *c, int b, trm__carver *saved,
                                 trm__carver *shared, bool backward) {
  const trm__dims &dims = c->base.dims;
  const trm__block_kind kind = POSITIONS ? TRM__BLOCK_EXPERTS_T : TRM__BLOCK_EXPERTS;
  const trm__experts &x = *trm__experts_of(&dims, kind);
  const int each = trm__experts_tokens(&dims, kind), K = trm__experts_inputs(&dims, kind);
  const int64_t R = (int64_t)b * each;
  const bool noisy = x.router == TRM_ROUTER_NOISY_TOP2;

  /* The tokens. */
  Experts<T> e = {};
  e.in = tokens_of(POSITIONS, R, each, K);
  e.inner = tokens_of(POSITIONS, R, each, x.width);
  e.routes.x = x;
  e.routes.noisy = noisy && c->routing && c->routing->noise;

  /* Kept; then what a pass works in. */
  e.routes.logits = carve<float>(saved, (noisy ? 3 : 1) * x.n * R);
  e.inv = carve<float>(saved, R);
  e.routes.expert = carve<int32_t>(shared, R * x.chosen);
  e.routes.gate = carve<float>(shared, R * x.chosen);
  if (POSITIONS) e.xt = carve<T>(shared, R * K);
  e.gu = carve<T>(shared, R * 2 * x.width);
  e.act = carve<T>(shared, R * x.width);
  if (!backward) {
    e.out = carve<T>(shared, R * K);
    e.sum = carve<T>(shared, R * K);
    return e;
  }
  if (POSITIONS) e.ds = carve<T>(shared, R * K);
  e.d_out = carve<T>(shared, R * K);
  e.da = carve<T>(shared, R * x.width);
  e.dx = carve<T>(shared, R * K);
  e.d_gate = carve<float>(shared, R * x.chosen);
  e.d_logits = carve<float>(shared, 2 * x.n * R);
  return e;
}

template <class T, bool POSITIONS>
static void experts_count(const CudaBackend *c, int b, trm__carver *saved, trm__carver *shared,
                          bool backward) {
  experts_memory<T, POSITIONS>(c, b, saved, shared, backward);
}

/* Products of tokens with the weight [rows, cols] and with its transpose, and its gradient. */
template <class T, bool POSITIONS>
static void tokens_times(CudaBackend *c, int64_t R, int rows, int cols, const Operand &w,
                         const T *x, T *y) {
  if (POSITIONS)
    weight_times(c, R, rows, cols, w, x, y);
  else
    times_weight<T>(c, R, rows, cols, x, w, NULL, y);
}
template <class T, bool POSITIONS>
static void tokens_times_back(CudaBackend *c, int64_t R, int rows, int cols, const Operand &w,
                              const T *dy, const T *add, T *dx) {
  if (POSITIONS)
    weight_times_back<T>(c, R, rows, cols, w, dy, add, dx);
  else
    times_weight_back<T>(c, R, rows, cols, dy, w, add, dx);
}
template <class T, bool POSITIONS>
static void tokens_grad(CudaBackend *c, int64_t R, int rows, int cols, const T *dy, const T *x,
                        real *dw, bool accumulate) {
  if (POSITIONS)
    column_grad(c, R, rows, cols, dy, x, dw, accumulate);
  else
    weight_grad(c, R, rows, cols, dy, x, dw, accumulate);
}

/* gu and act of one expert at all tokens. */
template <class T, bool POSITIONS>
static void expert_forward(CudaBackend *c, const BlockWeights *w, const Experts<T> &e, int expert,
                           const T *x) {
  const int64_t R = e.in.R, F = e.routes.x.width;
  const Operand *own = w->w + trm__expert_at(&e.routes.x, expert);
  tokens_times<T, POSITIONS>(c, R, (int)(2 * F), e.in.K, own[TRM__GATE_UP], x, e.gu);
  if (POSITIONS)
    swiglu(e.gu, e.act, F, R, R, F * R, c->stream);
  else
    swiglu(e.gu, e.act, R, F, 2 * F, F, c->stream);
}

/* The matrices of the block's router; of the noise NULL where there is none. */
static const real *router_of(const CudaBackend *c, int which) {
  return c->base.params + c->block->w[which].at;
}

template <class T, bool POSITIONS>
static void experts_block(CudaBackend *c, const BlockWeights *w, int b, const T *x, T *y,
                          trm__carver *saved, trm__carver *shared) {
  const trm__dims &dims = c->base.dims;
  const Experts<T> e = experts_memory<T, POSITIONS>(c, b, saved, shared, false);
  const int64_t R = e.in.R, n = e.routes.x.n, F = e.routes.x.width;
  const T *xs = POSITIONS ? e.xt : x;

  /* Where each token goes. */
  if (POSITIONS) to_columns(x, e.xt, b, dims.L, dims.D, c->stream);
  route_tokens(e.in, e.routes, xs, router_of(c, TRM__ROUTER),
               e.routes.noisy ? router_of(c, TRM__NOISE) : NULL, c->routing, c->stream);
  if (c->routing && c->routing->told) tell_load(e.in, e.routes, c->routing->told, c->stream);

  /* sum of gate * expert(x) */
  note(c, cudaMemsetAsync(e.sum, 0, (size_t)(R * e.in.K) * sizeof(T), c->stream));
  for (int i = 0; i < n; i++) {
    const Operand *own = w->w + trm__expert_at(&e.routes.x, i);
    expert_forward<T, POSITIONS>(c, w, e, i, xs);
    tokens_times<T, POSITIONS>(c, R, e.in.K, (int)F, own[TRM__DOWN], e.act, e.out);
    add_gated(e.in, e.routes, i, e.out, e.sum, c->stream);
  }

  /* y = norm(x + sum) */
  if (POSITIONS) {
    norm_columns(x, e.sum, y, e.inv, b, dims.L, dims.D, (float)dims.eps, c->stream);
  } else {
    const Sources<T> both = {{x, e.sum}};
    sum(both, 2, y, R * e.in.K, c->stream);
    norm_rows(y, e.inv, R, dims.D, (float)dims.eps, c->stream);
  }
}

template <class T, bool POSITIONS>
static void experts_block_grad(CudaBackend *c, const BlockWeights *w, int b, const T *x, const T *y,
                               T *dh, real *const *dw, bool accumulate, trm__carver *saved,
                               trm__carver *shared) {
  const trm__dims &dims = c->base.dims;
  const Experts<T> e = experts_memory<T, POSITIONS>(c, b, saved, shared, true);
  const trm__experts &about = e.routes.x;
  const int64_t R = e.in.R, F = about.width;
  const T *xs = POSITIONS ? e.xt : x, *ds = POSITIONS ? e.ds : dh;

  /* ds = norm'(dy), the first part of dx */
  choose_experts(e.in, e.routes, c->stream);
  if (POSITIONS) {
    to_columns(x, e.xt, b, dims.L, dims.D, c->stream);
    norm_columns_grad(y, e.inv, dh, e.ds, b, dims.L, dims.D, c->stream);
  } else {
    norm_rows_grad(y, e.inv, dh, R, dims.D, c->stream);
  }
  const Sources<T> first = {{ds}};
  sum(first, 1, e.dx, R * e.in.K, c->stream);

  for (int i = 0; i < about.n; i++) {
    const int at = trm__expert_at(&about, i);
    const Operand *own = w->w + at;

    /* da = ds W_out; d gate = da . a, and of the expert's tokens gate * da goes on */
    expert_forward<T, POSITIONS>(c, w, e, i, xs);
    tokens_times_back<T, POSITIONS>(c, R, e.in.K, (int)F, own[TRM__DOWN], ds, NULL, e.da);
    gate_grad(e.inner, e.routes, i, e.act, e.da, e.d_gate, c->stream);
    take_gated(e.in, e.routes, i, ds, e.d_out, c->stream);
    if (POSITIONS)
      swiglu_grad(e.gu, e.da, F, R, R, F * R, c->stream);
    else
      swiglu_grad(e.gu, e.da, R, F, 2 * F, F, c->stream);

    /* dW_out = do^T a, dW_in = [dg du]^T x, dx += [dg du] W_in */
    tokens_grad<T, POSITIONS>(c, R, e.in.K, (int)F, e.d_out, e.da, dw[at + TRM__DOWN], accumulate);
    tokens_grad<T, POSITIONS>(c, R, (int)(2 * F), e.in.K, e.gu, xs, dw[at + TRM__GATE_UP],
                              accumulate);
    tokens_times_back<T, POSITIONS>(c, R, (int)(2 * F), e.in.K, own[TRM__GATE_UP], e.gu, e.dx,
                                    e.dx);
  }

  /* To the router. */
  const float *d_spread = e.routes.noisy ? e.d_logits + about.n * R : NULL;
  route_grad(e.in, e.routes, e.d_gate, c->routing ? c->routing->balance : NULL, e.d_logits,
             c->stream);
  router_grad(e.in, about.n, e.d_logits, router_of(c, TRM__ROUTER), e.dx, c->stream);
  router_weight_grad(e.in, about.n, e.d_logits, xs, dw[TRM__ROUTER], accumulate, c->stream);
  if (d_spread) router_grad(e.in, about.n, d_spread, router_of(c, TRM__NOISE), e.dx, c->stream);
  if (about.router == TRM_ROUTER_NOISY_TOP2)
    router_weight_grad(e.in, about.n, d_spread, xs, dw[TRM__NOISE], accumulate, c->stream);

  const Sources<T> last = {{e.dx}};
  if (POSITIONS)
    from_columns(e.dx, dh, b, dims.L, dims.D, c->stream);
  else
    sum(last, 1, dh, R * e.in.K, c->stream);
}

const Kind experts_t_kind = {{experts_count<float, true>, experts_block<float, true>,
                              experts_block_grad<float, true>, NULL, NULL},
                             {experts_count<bf16, true>, experts_block<bf16, true>,
                              experts_block_grad<bf16, true>, NULL, NULL}};
const Kind experts_kind = {{experts_count<float, false>, experts_block<float, false>,
                            experts_block_grad<float, false>, NULL, NULL},
                           {experts_count<bf16, false>, experts_block<bf16, false>,
                            experts_block_grad<bf16, false>, NULL, NULL}};
