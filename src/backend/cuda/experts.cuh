/* What blocks of experts are made of beside products and SwiGLU (experts_block.cu): routers, gates,
 * and the load of the experts. The same functions of a token as on the CPU (kernels/route.h). */
#ifndef TRM_BACKEND_CUDA_EXPERTS_CUH
#define TRM_BACKEND_CUDA_EXPERTS_CUH

#include "backend/backend.h"
#include "device.cuh"

/* R tokens of K values: value i of token t is at t * token + i * value; `each` of a row. */
struct Tokens {
  int64_t R;
  int each, K;
  int64_t token, value;
};

/* What is known of each token: of its logits [n, R] the clean ones, and of noisy ones spread and
 * noise, one behind the other; the chosen [R, chosen] and their gates. */
struct Routes {
  trm__experts x;
  bool noisy;
  float *logits;
  int32_t *expert;
  float *gate;
};

/* Logits from x and the router's matrices [n, K], spread NULL without noise; noise as it is told;
 * and the chosen. */
template <class T>
void route_tokens(const Tokens &tokens, const Routes &routes, const T *x, const float *router,
                  const float *spread, const trm__routing *routing, cudaStream_t stream);
/* The chosen once more, from the logits. */
void choose_experts(const Tokens &tokens, const Routes &routes, cudaStream_t stream);
/* told [rows, 2 n] of the tokens of each row. */
void tell_load(const Tokens &tokens, const Routes &routes, double *told, cudaStream_t stream);
/* trm__backend_ops.balance. */
void balance_load(const trm__experts &x, int rows, double n_tokens, double weight,
                  const double *told, trm__balance *out, cudaStream_t stream);

/* to += gate * from at the tokens of that expert. */
template <class T>
void add_gated(const Tokens &tokens, const Routes &routes, int expert, const T *from, T *to,
               cudaStream_t stream);
/* to = gate * from at the tokens of that expert, else 0. */
template <class T>
void take_gated(const Tokens &tokens, const Routes &routes, int expert, const T *from, T *to,
                cudaStream_t stream);
/* Tokens here have the width of an expert. Where a token goes to that expert, d_gate [R, chosen] =
 * da . act, and da becomes gate * da; elsewhere da becomes 0. */
template <class T>
void gate_grad(const Tokens &tokens, const Routes &routes, int expert, const T *act, T *da,
               float *d_gate, cudaStream_t stream);

/* d_logits [2 n, R]: of the clean logits, and of the spreads, from those of the gates and, unless
 * NULL, the balance of the batch. */
void route_grad(const Tokens &tokens, const Routes &routes, const float *d_gate,
                const trm__balance *balance, float *d_logits, cudaStream_t stream);
/* dx += d W, of `n` rows of d [n, R] and W [n, K]. */
template <class T>
void router_grad(const Tokens &tokens, int n, const float *d, const float *w, T *dx,
                 cudaStream_t stream);
/* dW [n, K] (+)= d x, tokens in a fixed order; d NULL: nothing is added. */
template <class T>
void router_weight_grad(const Tokens &tokens, int n, const float *d, const T *x, float *dw,
                        bool accumulate, cudaStream_t stream);

#endif
