/* Attention as a block. */
#include "attention.cuh"

#include "blocks.cuh"
#include "norms.cuh"
#include "vector.cuh"

template <class T>
struct Attention {
  T *qkv, *o, *d_o, *dqkv;
  T *out; /* o, or divided by its root mean square, out_inv [R] by it */
  float *lse, *inv, *qk_inv, *delta, *out_inv;
};

template <class T>
static Attention<T> attention_memory(const CudaBackend *c, int b, trm__carver *saved,
                                     trm__carver *shared, bool backward) {
  const trm__dims &dims = c->base.dims;
  const int64_t R = (int64_t)b * dims.L;
  Attention<T> a = {};
  a.qkv = carve<T>(saved, R * 3 * dims.D);
  a.o = carve<T>(saved, R * dims.D);
  a.lse = carve<float>(saved, R * dims.H);
  a.inv = carve<float>(saved, R);
  if (dims.qk_norm) a.qk_inv = carve<float>(saved, R * 2 * dims.H);
  a.out = dims.attn_out_norm ? carve<T>(shared, R * dims.D) : a.o;
  if (dims.attn_out_norm) a.out_inv = carve<float>(shared, R);
  if (!backward) return a;
  a.d_o = carve<T>(shared, R * dims.D);
  a.dqkv = carve<T>(shared, R * 3 * dims.D);
  a.delta = carve<float>(shared, R * dims.H);
  return a;
}

template <class T>
static void attention_count(const CudaBackend *c, int b, trm__carver *saved, trm__carver *shared,
                            bool backward) {
  attention_memory<T>(c, b, saved, shared, backward);
}

template <class T>
static void attention_block(CudaBackend *c, const BlockWeights *w, int b, const T *x, T *y,
                            trm__carver *saved, trm__carver *shared) {
  const trm__dims &dims = c->base.dims;
  const int64_t R = (int64_t)b * dims.L;
  const Attention<T> a = attention_memory<T>(c, b, saved, shared, false);

  /* [q k v] = x W_qkv^T, q and k normed and rotated; o = softmax(q k^T / sqrt(d)) v */
  times_weight<T>(c, R, 3 * dims.D, dims.D, x, w->w[TRM__QKV], NULL, a.qkv);
  if (dims.qk_norm)
    norm_heads(a.qkv, a.qk_inv, R, dims.H, dims.d, (float)dims.inner_eps, c->stream);
  if (dims.rope) rotate(a.qkv, c->cosine, c->sine, b, dims, c->places, 1, c->stream);
  attention_forward(a.qkv, a.o, a.lse, b, dims, c->places, c->stream);

  /* y = norm(x + o W_o^T) */
  if (dims.attn_out_norm)
    norm_rows_of(a.o, a.out, a.out_inv, R, dims.D, (float)dims.inner_eps, c->stream);
  times_weight<T>(c, R, dims.D, dims.D, a.out, w->w[TRM__O], x, y);
  norm_rows(y, a.inv, R, dims.D, (float)dims.eps, c->stream);
}

template <class T>
static void attention_block_grad(CudaBackend *c, const BlockWeights *w, int b, const T *x,
                                 const T *y, T *dh, real *const *dw, bool accumulate,
                                 trm__carver *saved, trm__carver *shared) {
  const trm__dims &dims = c->base.dims;
  const int64_t R = (int64_t)b * dims.L;
  const Attention<T> a = attention_memory<T>(c, b, saved, shared, true);

  /* dh <- ds = norm'(dy); do = ds W_o, dW_o = ds^T o */
  norm_rows_grad(y, a.inv, dh, R, dims.D, c->stream);
  times_weight_back<T>(c, R, dims.D, dims.D, dh, w->w[TRM__O], NULL, a.d_o);
  if (dims.attn_out_norm) {
    norm_rows_of(a.o, a.out, a.out_inv, R, dims.D, (float)dims.inner_eps, c->stream);
    norm_rows_grad(a.out, a.out_inv, a.d_o, R, dims.D, c->stream);
  }
  weight_grad(c, R, dims.D, dims.D, dh, a.out, dw[TRM__O], accumulate);

  /* [dq dk dv] before norm and rotation, which keeps products and lengths, so that the norm sees
   * rotated ones; dW_qkv = [dq dk dv]^T x, dx = ds + [dq dk dv] W_qkv */
  attention_backward(a.qkv, a.o, a.lse, a.d_o, a.delta, a.dqkv, b, dims, c->places, c->stream);
  if (dims.qk_norm) norm_heads_grad(a.qkv, a.qk_inv, a.dqkv, R, dims.H, dims.d, c->stream);
  if (dims.rope) rotate(a.dqkv, c->cosine, c->sine, b, dims, c->places, -1, c->stream);
  weight_grad(c, R, 3 * dims.D, dims.D, a.dqkv, x, dw[TRM__QKV], accumulate);
  times_weight_back<T>(c, R, 3 * dims.D, dims.D, a.dqkv, w->w[TRM__QKV], dh, dh);
}

const Kind attention_kind = {
    {attention_count<float>, attention_block<float>, attention_block_grad<float>, NULL, NULL},
    {attention_count<bf16>, attention_block<bf16>, attention_block_grad<bf16>, NULL, NULL}};
