/* cuBLASLt's product of column-major matrices, D = alpha op(A) op(B) + beta C, in float sums. */
#include <string.h>

#include <algorithm>
#include <type_traits>
#include <vector>

#include "cublasLt.h"

struct hostcuda_lt {
  int unused;
};
struct hostcuda_desc {
  bool transposed[2];
};
struct hostcuda_layout {
  cudaDataType_t type;
  int64_t rows, cols, ld;
  int32_t count;
  int64_t step;
};
enum { ANY_REDUCTION = 7 };
struct hostcuda_preference {
  uint64_t workspace;
  uint32_t alignment[4], reduction;
};

const char *cublasLtGetStatusString(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_EXECUTION_FAILED:
      return "CUBLAS_STATUS_EXECUTION_FAILED";
    default:
      return "CUBLAS_STATUS_NOT_SUPPORTED";
  }
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t *out) {
  *out = new hostcuda_lt();
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *out, cublasComputeType_t compute,
                                        cudaDataType_t scale) {
  *out = NULL;
  if (compute != CUBLAS_COMPUTE_32F || scale != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
  *out = new hostcuda_desc();
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc) {
  delete desc;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc,
                                              cublasLtMatmulDescAttributes_t name,
                                              const void *value, size_t size) {
  cublasOperation_t op;
  if (size != sizeof op) return CUBLAS_STATUS_INVALID_VALUE;
  memcpy(&op, value, sizeof op);
  if (name != CUBLASLT_MATMUL_DESC_TRANSA && name != CUBLASLT_MATMUL_DESC_TRANSB)
    return CUBLAS_STATUS_NOT_SUPPORTED;
  if (op != CUBLAS_OP_N && op != CUBLAS_OP_T) return CUBLAS_STATUS_INVALID_VALUE;
  desc->transposed[name == CUBLASLT_MATMUL_DESC_TRANSB] = op == CUBLAS_OP_T;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *out, cudaDataType_t type,
                                          uint64_t rows, uint64_t cols, int64_t ld) {
  *out = new hostcuda_layout{type, (int64_t)rows, (int64_t)cols, ld, 1, 0};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                cublasLtMatrixLayoutAttribute_t name,
                                                const void *value, size_t size) {
  const bool counts = name == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT;
  if (size != (counts ? sizeof layout->count : sizeof layout->step))
    return CUBLAS_STATUS_INVALID_VALUE;
  if (counts)
    memcpy(&layout->count, value, size);
  else
    memcpy(&layout->step, value, size);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete layout;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *out) {
  *out = new hostcuda_preference{0, {256, 256, 256, 256}, ANY_REDUCTION};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  delete preference;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t name,
                                                    const void *value, size_t size) {
  const int i = (int)name - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES;
  const bool room = name == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES;
  if (size != (room ? sizeof preference->workspace : sizeof(uint32_t)))
    return CUBLAS_STATUS_INVALID_VALUE;
  if (room) memcpy(&preference->workspace, value, size);
  if (i >= 0 && i < 4) memcpy(&preference->alignment[i], value, size);
  if (name == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK)
    memcpy(&preference->reduction, value, size);
  return CUBLAS_STATUS_SUCCESS;
}

namespace {

enum { WORKSPACE = 4096 }; /* what a product uses, where it may */

/* What cublasLtMatmulAlgo_t says: the product that was asked about, so that one used for another
 * shape, other alignments or without its workspace is refused. */
struct Algorithm {
  uint32_t alignment[4];
  int64_t m, n, k;
  uint32_t workspace;
  int32_t count;
  bool halves; /* adds two halves of k up in the type of the result, as cuBLASLt does if it may */
};
static_assert(sizeof(Algorithm) <= sizeof(cublasLtMatmulAlgo_t),
              "an algorithm travels in 64 bytes");

Algorithm shape_of(const hostcuda_desc *desc, const hostcuda_layout *a, const hostcuda_layout *b) {
  Algorithm shape = {};
  shape.m = desc->transposed[0] ? a->cols : a->rows;
  shape.k = desc->transposed[0] ? a->rows : a->cols;
  shape.n = desc->transposed[1] ? b->rows : b->cols;
  shape.count = a->count;
  return shape;
}

/* Whether the layouts fit each other and the types are a combination that cuBLASLt has. */
bool fits(const hostcuda_desc *desc, const hostcuda_layout *a, const hostcuda_layout *b,
          const hostcuda_layout *c, const hostcuda_layout *d) {
  const Algorithm s = shape_of(desc, a, b);
  return s.k == (desc->transposed[1] ? b->cols : b->rows) && s.m > 0 && s.n > 0 && s.k > 0 &&
         s.count > 0 && b->count == s.count && c->count == s.count && d->count == s.count &&
         c->rows == s.m && c->cols == s.n && d->rows == s.m && d->cols == s.n && a->ld >= a->rows &&
         b->ld >= b->rows && c->ld >= c->rows && d->ld >= d->rows && a->type == b->type &&
         c->type == d->type && (c->type == CUDA_R_32F || c->type == a->type);
}

} /* namespace */

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t desc,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int wanted,
                                              cublasLtMatmulHeuristicResult_t results[],
                                              int *found) {
  *found = 0;
  if (wanted < 1) return CUBLAS_STATUS_INVALID_VALUE;
  if (!fits(desc, a, b, c, d)) return CUBLAS_STATUS_NOT_SUPPORTED;
  Algorithm algorithm = shape_of(desc, a, b);
  for (int i = 0; i < 4; i++) {
    const uint32_t n = algorithm.alignment[i] = preference->alignment[i];
    if (n == 0 || n & (n - 1)) return CUBLAS_STATUS_INVALID_VALUE;
  }
  algorithm.workspace = preference->workspace < WORKSPACE ? 0 : WORKSPACE;
  algorithm.halves = preference->reduction & CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE;
  memset(results, 0, sizeof *results);
  memcpy(&results->algo, &algorithm, sizeof algorithm);
  results->workspaceSize = algorithm.workspace;
  *found = 1;
  return CUBLAS_STATUS_SUCCESS;
}

namespace {

float value_at(const void *p, cudaDataType_t type, int64_t i) {
  return type == CUDA_R_32F ? static_cast<const float *>(p)[i]
                            : __bfloat162float(static_cast<const __nv_bfloat16 *>(p)[i]);
}

/* op(X) as floats, row-major [rows, cols]. */
std::vector<float> unfold(const void *x, const hostcuda_layout &l, bool transposed) {
  const int64_t rows = transposed ? l.cols : l.rows, cols = transposed ? l.rows : l.cols;
  std::vector<float> out((size_t)(rows * cols));
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < cols; j++)
      out[(size_t)(i * cols + j)] = value_at(x, l.type, transposed ? i * l.ld + j : j * l.ld + i);
  return out;
}

struct Call {
  hostcuda_desc desc;
  bool halves;
  hostcuda_layout a, b, c, d;
  float alpha, beta;
  const void *at_a, *at_b, *at_c;
  void *at_d, *workspace;
  size_t workspace_bytes;
};

enum { ROWS = 4 }; /* that share a pass over B */

/* sums [ROWS, n] += a [rows, k] b [k, n] over j0 <= j < j1, in the order of j. */
void multiply_rows(int rows, int64_t n, int64_t k, int64_t j0, int64_t j1, const float *a,
                   const float *b, float *__restrict sums) {
  b += j0 * n;
  for (int64_t j = j0; j < j1; j++, b += n) {
    float v[ROWS] = {};
    for (int r = 0; r < rows; r++) v[r] = a[r * k + j];
    for (int64_t h = 0; h < n; h++) {
      sums[h] += v[0] * b[h];
      sums[n + h] += v[1] * b[h];
      sums[2 * n + h] += v[2] * b[h];
      sums[3 * n + h] += v[3] * b[h];
    }
  }
}

void multiply(const Call &x) {
  /* Operands as plain matrices of floats. */
  const std::vector<float> a = unfold(x.at_a, x.a, x.desc.transposed[0]);
  const std::vector<float> b = unfold(x.at_b, x.b, x.desc.transposed[1]);
  const bool bf16 = x.d.type == CUDA_R_16BF;
  const int64_t m = x.d.rows, n = x.d.cols, k = (int64_t)a.size() / m;

  /* Rows by blocks, which stay in the cache. */
  std::vector<float> sums((size_t)(ROWS * n));
  for (int64_t i = 0; i < m; i++) {
    /* A block's sums over the depth, rounded at half of it where a device would split the depth. */
    if (i % ROWS == 0) {
      const int rows = (int)std::min<int64_t>(ROWS, m - i);
      std::fill(sums.begin(), sums.end(), 0.0f);
      multiply_rows(rows, n, k, 0, k / 2, &a[(size_t)(i * k)], b.data(), sums.data());
      for (float &v : sums)
        if (x.halves && bf16) v = __bfloat162float(__float2bfloat16(v));
      multiply_rows(rows, n, k, k / 2, k, &a[(size_t)(i * k)], b.data(), sums.data());
    }

    /* A row of the result, with what is added to it, in its format. */
    for (int64_t h = 0; h < n; h++) {
      float v = x.alpha * sums[(size_t)(i % ROWS * n + h)];
      if (x.beta != 0) v += x.beta * value_at(x.at_c, x.c.type, h * x.c.ld + i);
      const int64_t at = h * x.d.ld + i;
      if (bf16)
        static_cast<__nv_bfloat16 *>(x.at_d)[at] = __float2bfloat16(v);
      else
        static_cast<float *>(x.at_d)[at] = v;
    }
  }
}

template <class V>
V *next(V *p, const hostcuda_layout &l) {
  typedef typename std::conditional<std::is_const<V>::value, const char, char>::type byte;
  return static_cast<byte *>(p) + l.step * (l.type == CUDA_R_32F ? 4 : 2);
}

void multiply_all(Call x) {
  if (x.workspace_bytes) memset(x.workspace, 0xff, x.workspace_bytes);
  for (int i = 0; i < x.a.count; i++) {
    multiply(x);
    x.at_a = next(x.at_a, x.a);
    x.at_b = next(x.at_b, x.b);
    x.at_c = next(x.at_c, x.c);
    x.at_d = next(x.at_d, x.d);
  }
}

} /* namespace */

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t desc, const void *alpha,
                              const void *a, cublasLtMatrixLayout_t a_layout, const void *b,
                              cublasLtMatrixLayout_t b_layout, const void *beta, const void *c,
                              cublasLtMatrixLayout_t c_layout, void *d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t *algo,
                              void *workspace, size_t bytes, cudaStream_t stream) {
  /* The algorithm was found for these shapes, with at least that workspace. */
  Algorithm asked;
  memcpy(&asked, algo, sizeof asked);
  if (!fits(desc, a_layout, b_layout, c_layout, d_layout)) return CUBLAS_STATUS_INVALID_VALUE;
  const Algorithm is = shape_of(desc, a_layout, b_layout);
  if (asked.m != is.m || asked.n != is.n || asked.k != is.k || asked.count != is.count ||
      bytes < asked.workspace || (asked.workspace && !workspace))
    return CUBLAS_STATUS_INVALID_VALUE;

  /* And for pointers of that alignment. */
  const void *at[4] = {a, b, c, d};
  for (int i = 0; i < 4; i++)
    if (!at[i] || reinterpret_cast<uintptr_t>(at[i]) % asked.alignment[i])
      return CUBLAS_STATUS_INVALID_VALUE;

  /* What will be computed when the stream comes to it. */
  Call call = {};
  call.desc = *desc;
  call.halves = asked.halves;
  call.a = *a_layout;
  call.b = *b_layout;
  call.c = *c_layout;
  call.d = *d_layout;
  call.alpha = *static_cast<const float *>(alpha);
  call.beta = *static_cast<const float *>(beta);
  call.at_a = a;
  call.at_b = b;
  call.at_c = c;
  call.at_d = d;
  call.workspace = workspace;
  call.workspace_bytes = asked.workspace;

  /* A product counts as one kernel. */
  const auto work = [call] {
    hostcuda_count("product");
    multiply_all(call);
  };
  return hostcuda_enqueue(stream, work) == cudaSuccess ? CUBLAS_STATUS_SUCCESS
                                                       : CUBLAS_STATUS_EXECUTION_FAILED;
}
