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
  /* The same product of `count` triples, each so many values behind the one before. */
  int count = 1;
  int64_t a_step = 0, b_step = 0, c_step = 0;
};

/* What cuBLASLt chose for a shape. */
struct ProductPlan {
  Product shape;      /* its addresses do not matter; m = 0: none */
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

/* A gradient of weights, C [m, n] of floats (+)= A B: few results, each the sum over the many rows
 * of a batch. So k is cut into parts that fill the GPU side by side, and the parts are added up in
 * their order: the same bits in every run, whatever cuBLASLt would have done. Sums are written to
 * rows that are aligned, which the rows of C need not be. add is not used.
 * scratch: gradient_scratch(m, n) floats. */
cublasStatus_t multiply_gradient(Products *p, Product x, bool accumulate, float *scratch,
                                 cudaStream_t stream);
int64_t gradient_scratch(int64_t m, int64_t n);
/* Into how many parts; a divisor of k. */
int gradient_parts(int64_t m, int64_t n, int64_t k);

#endif
