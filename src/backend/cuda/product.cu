/* A row-major matrix is the transpose of a column-major one, which is what cuBLASLt knows: so it
 * computes C^T = B^T A^T. The algorithm for a shape is asked for once. */
#include "product.cuh"

#include <string.h>

cublasStatus_t products_create(Products *p, cudaDataType_t type, void *workspace, size_t bytes) {
  memset(p, 0, sizeof *p);
  p->type = type;
  p->workspace = workspace;
  p->workspace_bytes = bytes;
  return cublasLtCreate(&p->handle);
}

static void free_plan(ProductPlan *plan) {
  if (plan->desc) cublasLtMatmulDescDestroy(plan->desc);
  if (plan->a) cublasLtMatrixLayoutDestroy(plan->a);
  if (plan->b) cublasLtMatrixLayoutDestroy(plan->b);
  if (plan->c) cublasLtMatrixLayoutDestroy(plan->c);
  memset(plan, 0, sizeof *plan);
}

void products_destroy(Products *p) {
  for (int i = 0; i < p->n_plans; i++) free_plan(&p->plans[i]);
  if (p->handle) cublasLtDestroy(p->handle);
  p->handle = NULL;
}

/* The largest power of two up to 256 that divides every address. */
static unsigned common_alignment(const Product &x) {
  const uintptr_t bits = reinterpret_cast<uintptr_t>(x.a) | reinterpret_cast<uintptr_t>(x.b) |
                         reinterpret_cast<uintptr_t>(x.c) | reinterpret_cast<uintptr_t>(x.add) |
                         256;
  return (unsigned)(bits & -bits);
}

static bool plan_serves(const ProductPlan *plan, const Product &x, unsigned alignment) {
  return plan->m == x.m && plan->n == x.n && plan->k == x.k && plan->lda == x.lda &&
         plan->ldb == x.ldb && plan->ldc == x.ldc && plan->a_transposed == x.a_transposed &&
         plan->b_transposed == x.b_transposed && plan->c_float == x.c_float &&
         plan->adds == (x.add != NULL) && plan->alignment == alignment;
}

#define TRY(call)                                       \
  do {                                                  \
    const cublasStatus_t status = (call);               \
    if (status != CUBLAS_STATUS_SUCCESS) return status; \
  } while (0)

/* A stored [rows, cols] row-major: column-major [cols, rows]. */
static cublasStatus_t stored(cublasLtMatrixLayout_t *out, cudaDataType_t type, int64_t rows,
                             int64_t cols, int64_t ld) {
  return cublasLtMatrixLayoutCreate(out, type, (uint64_t)cols, (uint64_t)rows, ld);
}

static cublasStatus_t describe(ProductPlan *plan, cudaDataType_t type, const Product &x) {
  const cublasOperation_t yes = CUBLAS_OP_T, no = CUBLAS_OP_N;
  const cudaDataType_t c = x.c_float ? CUDA_R_32F : type;
  TRY(cublasLtMatmulDescCreate(&plan->desc, CUBLAS_COMPUTE_32F, CUDA_R_32F));
  /* cuBLASLt's first operand is B. */
  TRY(cublasLtMatmulDescSetAttribute(plan->desc, CUBLASLT_MATMUL_DESC_TRANSA,
                                     x.b_transposed ? &yes : &no, sizeof yes));
  TRY(cublasLtMatmulDescSetAttribute(plan->desc, CUBLASLT_MATMUL_DESC_TRANSB,
                                     x.a_transposed ? &yes : &no, sizeof yes));
  TRY(stored(&plan->b, type, x.b_transposed ? x.n : x.k, x.b_transposed ? x.k : x.n, x.ldb));
  TRY(stored(&plan->a, type, x.a_transposed ? x.k : x.m, x.a_transposed ? x.m : x.k, x.lda));
  return stored(&plan->c, c, x.m, x.n, x.ldc);
}

static cublasStatus_t choose(Products *p, ProductPlan *plan) {
  cublasLtMatmulPreference_t wish;
  TRY(cublasLtMatmulPreferenceCreate(&wish));
  const struct {
    cublasLtMatmulPreferenceAttributes_t name;
    const void *value;
    size_t size;
  } wishes[] = {
      {CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &p->workspace_bytes, sizeof p->workspace_bytes},
      {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &plan->alignment, sizeof plan->alignment},
      {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &plan->alignment, sizeof plan->alignment},
      {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &plan->alignment, sizeof plan->alignment},
      {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &plan->alignment, sizeof plan->alignment}};
  cublasStatus_t status = CUBLAS_STATUS_SUCCESS;
  for (size_t i = 0; i < sizeof wishes / sizeof *wishes && status == CUBLAS_STATUS_SUCCESS; i++)
    status =
        cublasLtMatmulPreferenceSetAttribute(wish, wishes[i].name, wishes[i].value, wishes[i].size);
  cublasLtMatmulHeuristicResult_t best;
  int found = 0;
  if (status == CUBLAS_STATUS_SUCCESS)
    status = cublasLtMatmulAlgoGetHeuristic(p->handle, plan->desc, plan->b, plan->a, plan->c,
                                            plan->c, wish, 1, &best, &found);
  cublasLtMatmulPreferenceDestroy(wish);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  if (found == 0) return CUBLAS_STATUS_NOT_SUPPORTED;
  plan->algo = best.algo;
  plan->workspace = best.workspaceSize;
  return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t make_plan(Products *p, const Product &x, unsigned alignment,
                                ProductPlan **out) {
  int i = p->n_plans;
  if (i == PRODUCT_SHAPES) {
    i = p->next;
    p->next = (p->next + 1) % PRODUCT_SHAPES;
  } else {
    p->n_plans++;
  }
  ProductPlan *plan = &p->plans[i];
  free_plan(plan);
  cublasStatus_t status = describe(plan, p->type, x);
  plan->alignment = alignment;
  if (status == CUBLAS_STATUS_SUCCESS) status = choose(p, plan);
  if (status != CUBLAS_STATUS_SUCCESS) {
    free_plan(plan); /* an empty one serves nothing */
    return status;
  }
  plan->m = x.m;
  plan->n = x.n;
  plan->k = x.k;
  plan->lda = x.lda;
  plan->ldb = x.ldb;
  plan->ldc = x.ldc;
  plan->a_transposed = x.a_transposed;
  plan->b_transposed = x.b_transposed;
  plan->c_float = x.c_float;
  plan->adds = x.add != NULL;
  *out = plan;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t multiply(Products *p, const Product &x, cudaStream_t stream) {
  const unsigned alignment = common_alignment(x);
  const float one = 1, beta = x.add ? 1 : 0;
  ProductPlan *plan = NULL;
  for (int i = 0; i < p->n_plans && !plan; i++)
    if (plan_serves(&p->plans[i], x, alignment)) plan = &p->plans[i];
  if (!plan) TRY(make_plan(p, x, alignment, &plan));
  return cublasLtMatmul(p->handle, plan->desc, &one, x.b, plan->b, x.a, plan->a, &beta,
                        x.add ? x.add : x.c, plan->c, x.c, plan->c, &plan->algo, p->workspace,
                        plan->workspace, stream);
}
