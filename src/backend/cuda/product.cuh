/* Matrix products by cuBLASLt. Matrices are row-major here; sums are in float32 (never TF32). */
#ifndef TRM_BACKEND_CUDA_PRODUCT_CUH
#define TRM_BACKEND_CUDA_PRODUCT_CUH

#include <cublasLt.h>

#include "device.cuh"

enum { PRODUCT_SHAPES = 64 /* remembered: more than a model's, at two sizes of tile */ };

/* C [m, n] = A B (+ add). transposed: A is stored as [k, m], B as [n, k]. ld: values from a row to
 * the next, as stored. */
struct Product {
  int64_t m, n, k;
  const void *a;
  int64_t lda;
  bool a_transposed;
  const void *b;
  int64_t ldb;
  bool b_transposed;
  void *c;
  int64_t ldc;
  const void *add; /* of C's type and ld; may be c; NULL: none */
  bool c_float;    /* C holds floats, else the type of A and B */
};

/* What cuBLASLt chose for a shape. */
struct ProductPlan {
  int64_t m, n, k, lda, ldb, ldc;
  bool a_transposed, b_transposed, c_float, adds;
  unsigned alignment; /* bytes, that all of A, B, C have */
  cublasLtMatmulDesc_t desc;
  cublasLtMatrixLayout_t a, b, c;
  cublasLtMatmulAlgo_t algo;
  size_t workspace;
};

/* One stream's products of one type of operand. */
struct Products {
  cublasLtHandle_t handle;
  cudaDataType_t type;
  void *workspace;
  size_t workspace_bytes;
  int n_plans, next; /* next: the one that is given up when all are taken */
  ProductPlan plans[PRODUCT_SHAPES];
};

/* workspace: device memory that the products of one stream share, one after the other. */
cublasStatus_t products_create(Products *p, cudaDataType_t type, void *workspace, size_t bytes);
void products_destroy(Products *p);
cublasStatus_t multiply(Products *p, const Product &x, cudaStream_t stream);

#endif
