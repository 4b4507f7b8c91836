/* Routers and gates, a thread a token or a value; sums over tokens by a tree over a block, so that
 * every run adds in the same order. */
#include "experts.cuh"

namespace {

/* A token's values are shared by the lanes of a warp where they are neighbours in memory, and are
 * those of one thread where the neighbour in memory is the same value of the next token. */
__host__ __device__ int lanes_of(const Tokens &tokens) {
  return tokens.value == 1 ? WARP : 1;
}
__device__ float lanes_sum(const Tokens &tokens, float sum) {
  return lanes_of(tokens) == WARP ? warp_sum(sum) : sum;
}

/* --- routes ---------------------------------------------------------------------------------- */

/* Dot products of all tokens with one row of a router. */
template <class T>
__global__ void logits_kernel(Tokens tokens, const T *x, const float *w, float *out) {
  const int lanes = lanes_of(tokens);
  const int64_t t = thread_index() / lanes;
  const int lane = (int)(thread_index() % lanes);
  if (t >= tokens.R) return;
  w += (int64_t)blockIdx.y * tokens.K;
  x += t * tokens.token;
  float sum = 0;
  for (int i = lane; i < tokens.K; i += lanes) sum += to_float(x[i * tokens.value]) * w[i];
  sum = lanes_sum(tokens, sum);
  if (lane == 0) out[blockIdx.y * tokens.R + t] = sum;
}

__global__ void noise_kernel(Tokens tokens, int n, const trm__noise *key, int64_t application,
                             int64_t row, float *out) {
  const int64_t t = thread_index();
  double noise[TRM__MAX_EXPERTS];
  if (t >= tokens.R) return;
  trm__route_noise(key, application, row + t / tokens.each, (int)(t % tokens.each), n, noise);
  for (int e = 0; e < n; e++) out[e * tokens.R + t] = (float)noise[e];
}

__device__ trm__logits logits_of(const Routes &routes, int64_t R, int64_t t) {
  const int n = routes.x.n;
  trm__logits l;
  l.noisy = routes.noisy;
  for (int e = 0; e < n; e++) {
    const float *at = routes.logits + e * R + t;
    l.clean[e] = at[0];
    l.spread[e] = routes.noisy ? at[n * R] : 0;
    l.noise[e] = routes.noisy ? at[2 * n * R] : 0;
  }
  return l;
}

__global__ void choose_kernel(Tokens tokens, Routes routes) {
  const int64_t t = thread_index();
  if (t >= tokens.R) return;
  const trm__logits l = logits_of(routes, tokens.R, t);
  const trm__route route = trm__route_of(&routes.x, &l);
  for (int k = 0; k < routes.x.chosen; k++) {
    routes.expert[t * routes.x.chosen + k] = route.expert[k];
    routes.gate[t * routes.x.chosen + k] = (float)route.gate[k];
  }
}

/* A block a row. */
__global__ void tell_kernel(Tokens tokens, Routes routes, double *told) {
  __shared__ double part[BLOCK];
  const int64_t first = blockIdx.x * (int64_t)tokens.each;
  double own[2 * TRM__MAX_EXPERTS];
  for (int i = 0; i < 2 * routes.x.n; i++) own[i] = 0;
  for (int64_t t = first + threadIdx.x; t < first + tokens.each; t += BLOCK) {
    const trm__logits l = logits_of(routes, tokens.R, t);
    const trm__route route = trm__route_of(&routes.x, &l);
    trm__route_tell(&routes.x, &l, &route, own);
  }
  for (int i = 0; i < 2 * routes.x.n; i++) {
    const double sum = block_sum<BLOCK>(own[i], part);
    if (threadIdx.x == 0) told[blockIdx.x * 2 * routes.x.n + i] = sum;
  }
}

/* One block: a thread a figure, rows in their order. */
__global__ void balance_kernel(trm__experts x, int rows, double n_tokens, double weight,
                               const double *told, trm__balance *out) {
  const int i = (int)threadIdx.x;
  double sum = 0;
  for (int r = 0; r < rows && i < 2 * x.n; r++) sum += told[(int64_t)r * 2 * x.n + i];
  out->told[i] = sum;
  out->slope[i] = 0;
  __syncthreads();
  if (i == 0) out->loss = trm__route_balance(&x, n_tokens, out->told, weight, out->slope);
}

/* --- gates ----------------------------------------------------------------------------------- */

/* The place of the expert among the chosen of a token, or -1. */
__device__ int place_of(const Routes &routes, int64_t t, int expert) {
  for (int k = 0; k < routes.x.chosen; k++)
    if (routes.expert[t * routes.x.chosen + k] == expert) return k;
  return -1;
}

/* The value of a thread: neighbours are neighbours in memory. */
__device__ bool value_of(const Tokens &tokens, int64_t *t, int64_t *at) {
  const int64_t index = thread_index();
  if (index >= tokens.R * tokens.K) return false;
  *t = tokens.value == 1 ? index / tokens.K : index % tokens.R;
  *at = index;
  return true;
}

template <class T>
__global__ void add_gated_kernel(Tokens tokens, Routes routes, int expert, const T *from, T *to) {
  int64_t t, at;
  if (!value_of(tokens, &t, &at)) return;
  const int k = place_of(routes, t, expert);
  if (k < 0) return;
  to[at] =
      from_float<T>(to_float(to[at]) + routes.gate[t * routes.x.chosen + k] * to_float(from[at]));
}

template <class T>
__global__ void take_gated_kernel(Tokens tokens, Routes routes, int expert, const T *from, T *to) {
  int64_t t, at;
  if (!value_of(tokens, &t, &at)) return;
  const int k = place_of(routes, t, expert);
  to[at] = from_float<T>(k < 0 ? 0 : routes.gate[t * routes.x.chosen + k] * to_float(from[at]));
}

template <class T>
__global__ void gate_grad_kernel(Tokens tokens, Routes routes, int expert, const T *act, T *da,
                                 float *d_gate) {
  const int lanes = lanes_of(tokens);
  const int64_t t = thread_index() / lanes;
  const int lane = (int)(thread_index() % lanes);
  if (t >= tokens.R) return;
  const int k = place_of(routes, t, expert);
  const int64_t slot = t * routes.x.chosen + k;
  const float gate = k < 0 ? 0 : routes.gate[slot];
  act += t * tokens.token;
  da += t * tokens.token;
  float sum = 0;
  for (int i = lane; i < tokens.K; i += lanes) {
    const int64_t at = i * tokens.value;
    const float d = to_float(da[at]);
    if (k >= 0) sum += d * to_float(act[at]);
    da[at] = from_float<T>(k < 0 ? 0 : gate * d);
  }
  sum = lanes_sum(tokens, sum);
  if (k >= 0 && lane == 0) d_gate[slot] = sum;
}

/* --- the way back to routers ----------------------------------------------------------------- */

__global__ void route_grad_kernel(Tokens tokens, Routes routes, const float *d_gate,
                                  const trm__balance *balance, float *d_logits) {
  const int64_t t = thread_index();
  const int n = routes.x.n;
  double d[TRM__MAX_CHOSEN] = {}, d_clean[TRM__MAX_EXPERTS], d_spread[TRM__MAX_EXPERTS];
  if (t >= tokens.R) return;
  for (int k = 0; k < routes.x.chosen; k++) d[k] = d_gate[t * routes.x.chosen + k];
  const trm__logits l = logits_of(routes, tokens.R, t);
  const trm__route route = trm__route_of(&routes.x, &l);
  trm__route_grad(&routes.x, &l, &route, d, balance ? balance->slope : NULL, d_clean, d_spread);
  for (int e = 0; e < n; e++) {
    d_logits[e * tokens.R + t] = (float)d_clean[e];
    if (routes.noisy) d_logits[(n + e) * tokens.R + t] = (float)d_spread[e];
  }
}

template <class T>
__global__ void router_grad_kernel(Tokens tokens, int n, const float *d, const float *w, T *dx) {
  int64_t t, at;
  if (!value_of(tokens, &t, &at)) return;
  const int64_t i = tokens.value == 1 ? at % tokens.K : at / tokens.R;
  float sum = to_float(dx[at]);
  for (int e = 0; e < n; e++) sum += d[e * tokens.R + t] * w[e * tokens.K + i];
  dx[at] = from_float<T>(sum);
}

/* A block a weight. */
template <class T>
__global__ void router_weight_grad_kernel(Tokens tokens, const float *d, const T *x, float *dw,
                                          bool accumulate) {
  __shared__ float part[BLOCK];
  const int64_t i = blockIdx.x, e = blockIdx.y, at = e * tokens.K + i;
  float sum = 0;
  for (int64_t t = threadIdx.x; t < tokens.R && d; t += BLOCK)
    sum += d[e * tokens.R + t] * to_float(x[t * tokens.token + i * tokens.value]);
  sum = block_sum<BLOCK>(sum, part);
  if (threadIdx.x == 0) dw[at] = (accumulate ? dw[at] : 0) + sum;
}

} /* namespace */

void choose_experts(const Tokens &tokens, const Routes &routes, cudaStream_t stream) {
  launch(choose_kernel, grid_for(tokens.R), BLOCK, 0, stream, tokens, routes);
}

template <class T>
void route_tokens(const Tokens &tokens, const Routes &routes, const T *x, const float *router,
                  const float *spread, const trm__routing *routing, cudaStream_t stream) {
  const int n = routes.x.n;
  const dim3 grid((unsigned)divide_up(tokens.R * lanes_of(tokens), BLOCK), (unsigned)n);
  launch(logits_kernel<T>, grid, BLOCK, 0, stream, tokens, x, router, routes.logits);
  if (routes.noisy) {
    launch(logits_kernel<T>, grid, BLOCK, 0, stream, tokens, x, spread,
           routes.logits + n * tokens.R);
    launch(noise_kernel, grid_for(tokens.R), BLOCK, 0, stream, tokens, n, routing->noise,
           routing->application, routing->row, routes.logits + 2 * n * tokens.R);
  }
  choose_experts(tokens, routes, stream);
}

void tell_load(const Tokens &tokens, const Routes &routes, double *told, cudaStream_t stream) {
  launch(tell_kernel, (unsigned)(tokens.R / tokens.each), BLOCK, 0, stream, tokens, routes, told);
}
void balance_load(const trm__experts &x, int rows, double n_tokens, double weight,
                  const double *told, trm__balance *out, cudaStream_t stream) {
  launch(balance_kernel, 1, 2 * TRM__MAX_EXPERTS, 0, stream, x, rows, n_tokens, weight, told, out);
}

template <class T>
void add_gated(const Tokens &tokens, const Routes &routes, int expert, const T *from, T *to,
               cudaStream_t stream) {
  launch(add_gated_kernel<T>, grid_for(tokens.R * tokens.K), BLOCK, 0, stream, tokens, routes,
         expert, from, to);
}
template <class T>
void take_gated(const Tokens &tokens, const Routes &routes, int expert, const T *from, T *to,
                cudaStream_t stream) {
  launch(take_gated_kernel<T>, grid_for(tokens.R * tokens.K), BLOCK, 0, stream, tokens, routes,
         expert, from, to);
}
template <class T>
void gate_grad(const Tokens &tokens, const Routes &routes, int expert, const T *act, T *da,
               float *d_gate, cudaStream_t stream) {
  launch(gate_grad_kernel<T>, grid_for(tokens.R * lanes_of(tokens)), BLOCK, 0, stream, tokens,
         routes, expert, act, da, d_gate);
}

void route_grad(const Tokens &tokens, const Routes &routes, const float *d_gate,
                const trm__balance *balance, float *d_logits, cudaStream_t stream) {
  launch(route_grad_kernel, grid_for(tokens.R), BLOCK, 0, stream, tokens, routes, d_gate, balance,
         d_logits);
}
template <class T>
void router_grad(const Tokens &tokens, int n, const float *d, const float *w, T *dx,
                 cudaStream_t stream) {
  launch(router_grad_kernel<T>, grid_for(tokens.R * tokens.K), BLOCK, 0, stream, tokens, n, d, w,
         dx);
}
template <class T>
void router_weight_grad(const Tokens &tokens, int n, const float *d, const T *x, float *dw,
                        bool accumulate, cudaStream_t stream) {
  launch(router_weight_grad_kernel<T>, dim3((unsigned)tokens.K, (unsigned)n), BLOCK, 0, stream,
         tokens, d, x, dw, accumulate);
}

#define INSTANTIATE(T)                                                                            \
  template void route_tokens<T>(const Tokens &, const Routes &, const T *, const float *,         \
                                const float *, const trm__routing *, cudaStream_t);               \
  template void add_gated<T>(const Tokens &, const Routes &, int, const T *, T *, cudaStream_t);  \
  template void take_gated<T>(const Tokens &, const Routes &, int, const T *, T *, cudaStream_t); \
  template void gate_grad<T>(const Tokens &, const Routes &, int, const T *, T *, float *,        \
                             cudaStream_t);                                                       \
  template void router_grad<T>(const Tokens &, int, const float *, const float *, T *,            \
                               cudaStream_t);                                                     \
  template void router_weight_grad<T>(const Tokens &, int, const float *, const T *, float *,     \
                                      bool, cudaStream_t);
INSTANTIATE(float)
INSTANTIATE(bf16)
