/* cuBLASLt's product of column-major matrices, D = alpha op(A) op(B) + beta C, in float sums. */
#include <string.h>

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
};
struct hostcuda_preference {
  uint32_t alignment[4];
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
cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *out, cublasComputeType_t,
                                        cudaDataType_t) {
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
  desc->transposed[name == CUBLASLT_MATMUL_DESC_TRANSB] = op == CUBLAS_OP_T;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *out, cudaDataType_t type,
                                          uint64_t rows, uint64_t cols, int64_t ld) {
  *out = new hostcuda_layout{type, (int64_t)rows, (int64_t)cols, ld};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete layout;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *out) {
  *out = new hostcuda_preference{{256, 256, 256, 256}};
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
  if (name == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES)
    return size == sizeof(uint64_t) ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
  if (size != sizeof(uint32_t)) return CUBLAS_STATUS_INVALID_VALUE;
  if (i >= 0) memcpy(&preference->alignment[i], value, size);
  return CUBLAS_STATUS_SUCCESS;
}

/* Whether the layouts fit each other and the types are a combination that cuBLASLt has. */
static bool fits(const hostcuda_desc *desc, const hostcuda_layout *a, const hostcuda_layout *b,
                 const hostcuda_layout *c) {
  const int64_t m = desc->transposed[0] ? a->cols : a->rows;
  const int64_t k = desc->transposed[0] ? a->rows : a->cols;
  const int64_t n = desc->transposed[1] ? b->rows : b->cols;
  return k == (desc->transposed[1] ? b->cols : b->rows) && c->rows == m && c->cols == n &&
         a->ld >= a->rows && b->ld >= b->rows && c->ld >= c->rows && a->type == b->type &&
         (c->type == CUDA_R_32F || c->type == a->type) && m > 0 && n > 0 && k > 0;
}

/* The declared alignments travel in the algorithm; they must be what the product gets. */
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t desc,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int wanted,
                                              cublasLtMatmulHeuristicResult_t results[],
                                              int *found) {
  *found = 0;
  if (wanted < 1) return CUBLAS_STATUS_INVALID_VALUE;
  if (!fits(desc, a, b, c) || !fits(desc, a, b, d)) return CUBLAS_STATUS_NOT_SUPPORTED;
  memset(results, 0, sizeof *results);
  for (int i = 0; i < 4; i++) {
    const uint32_t n = preference->alignment[i];
    if (n == 0 || n & (n - 1)) return CUBLAS_STATUS_INVALID_VALUE;
    results->algo.data[i] = n;
  }
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
  hostcuda_layout a, b, c, d;
  float alpha, beta;
  const void *at_a, *at_b, *at_c;
  void *at_d;
};

void multiply(const Call &x) {
  const std::vector<float> a = unfold(x.at_a, x.a, x.desc.transposed[0]);
  const std::vector<float> b = unfold(x.at_b, x.b, x.desc.transposed[1]);
  const int64_t m = x.c.rows, n = x.c.cols, k = (int64_t)a.size() / m;
  std::vector<float> row((size_t)n);
  for (int64_t i = 0; i < m; i++) {
    std::fill(row.begin(), row.end(), 0.0f);
    for (int64_t j = 0; j < k; j++) {
      const float v = a[(size_t)(i * k + j)], *from = &b[(size_t)(j * n)];
      for (int64_t h = 0; h < n; h++) row[(size_t)h] += v * from[h];
    }
    for (int64_t h = 0; h < n; h++) {
      float v = x.alpha * row[(size_t)h];
      if (x.beta != 0) v += x.beta * value_at(x.at_c, x.c.type, h * x.c.ld + i);
      const int64_t at = h * x.d.ld + i;
      if (x.d.type == CUDA_R_32F)
        static_cast<float *>(x.at_d)[at] = v;
      else
        static_cast<__nv_bfloat16 *>(x.at_d)[at] = __float2bfloat16(v);
    }
  }
}

} /* namespace */

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t desc, const void *alpha,
                              const void *a, cublasLtMatrixLayout_t a_layout, const void *b,
                              cublasLtMatrixLayout_t b_layout, const void *beta, const void *c,
                              cublasLtMatrixLayout_t c_layout, void *d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t *algo,
                              void *, size_t, cudaStream_t stream) {
  const void *at[4] = {a, b, c, d};
  for (int i = 0; i < 4; i++)
    if (reinterpret_cast<uintptr_t>(at[i]) % algo->data[i]) return CUBLAS_STATUS_INVALID_VALUE;
  if (!fits(desc, a_layout, b_layout, c_layout)) return CUBLAS_STATUS_INVALID_VALUE;
  const Call call = {*desc,
                     *a_layout,
                     *b_layout,
                     *c_layout,
                     *d_layout,
                     *static_cast<const float *>(alpha),
                     *static_cast<const float *>(beta),
                     a,
                     b,
                     c,
                     d};
  const auto work = [call] {
    hostcuda_count("product");
    multiply(call);
  };
  return hostcuda_enqueue(stream, work) == cudaSuccess
             ? CUBLAS_STATUS_SUCCESS
             : CUBLAS_STATUS_EXECUTION_FAILED;
}
