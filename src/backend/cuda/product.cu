/* A row-major matrix is the transpose of a column-major one, which is what cuBLASLt knows: so it
 * computes C^T = B^T A^T. The algorithm for a shape is asked for once. */
#include "product.cuh"

#include "vector.cuh"

cublasStatus_t products_create(Products *p, cudaDataType_t type, void *workspace, size_t bytes) {
  *p = Products();
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
  *plan = ProductPlan();
}

void products_destroy(Products *p) {
  for (int i = 0; i < p->n_plans; i++) free_plan(&p->plans[i]);
  if (p->handle) cublasLtDestroy(p->handle);
  p->handle = NULL;
}

/* The largest power of two up to 256 that divides every address, in a batch of products, too. */
static unsigned common_alignment(const Products *p, const Product &x) {
  const int64_t size = p->type == CUDA_R_32F ? 4 : 2, c_size = x.c_float ? 4 : size;
  const uintptr_t bits = reinterpret_cast<uintptr_t>(x.a) | reinterpret_cast<uintptr_t>(x.b) |
                         reinterpret_cast<uintptr_t>(x.c) | reinterpret_cast<uintptr_t>(x.add) |
                         (uintptr_t)(x.a_step * size | x.b_step * size | x.c_step * c_size) | 256;
  return (unsigned)(bits & -bits);
}

static bool plan_serves(const ProductPlan *plan, const Product &x, unsigned alignment) {
  const Product &s = plan->shape;
  return s.m == x.m && s.n == x.n && s.k == x.k && s.lda == x.lda && s.ldb == x.ldb &&
         s.ldc == x.ldc && s.a_transposed == x.a_transposed && s.b_transposed == x.b_transposed &&
         s.c_float == x.c_float && !s.add == !x.add && s.count == x.count && s.a_step == x.a_step &&
         s.b_step == x.b_step && s.c_step == x.c_step && plan->alignment == alignment;
}

#define TRY(call)                                       \
  do {                                                  \
    const cublasStatus_t status = (call);               \
    if (status != CUBLAS_STATUS_SUCCESS) return status; \
  } while (0)

/* A stored [rows, cols] row-major: column-major [cols, rows]. */
static cublasStatus_t stored(cublasLtMatrixLayout_t *out, cudaDataType_t type, int64_t rows,
                             int64_t cols, int64_t ld, int32_t count, int64_t step) {
  TRY(cublasLtMatrixLayoutCreate(out, type, (uint64_t)cols, (uint64_t)rows, ld));
  TRY(cublasLtMatrixLayoutSetAttribute(*out, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count,
                                       sizeof count));
  return cublasLtMatrixLayoutSetAttribute(*out, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &step,
                                          sizeof step);
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
  TRY(stored(&plan->b, type, x.b_transposed ? x.n : x.k, x.b_transposed ? x.k : x.n, x.ldb, x.count,
             x.b_step));
  TRY(stored(&plan->a, type, x.a_transposed ? x.k : x.m, x.a_transposed ? x.m : x.k, x.lda, x.count,
             x.a_step));
  return stored(&plan->c, c, x.m, x.n, x.ldc, x.count, x.c_step);
}

static cublasStatus_t choose(Products *p, ProductPlan *plan) {
  cublasLtMatmulPreference_t wish;
  const uint32_t reduction = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE; /* partial sums are floats */
  TRY(cublasLtMatmulPreferenceCreate(&wish));
  const struct {
    cublasLtMatmulPreferenceAttributes_t name;
    const void *value;
    size_t size;
  } wishes[] = {
      {CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &p->workspace_bytes, sizeof p->workspace_bytes},
      {CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &reduction, sizeof reduction},
      {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &plan->alignment, sizeof plan->alignment},
      {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &plan->alignment, sizeof plan->alignment},
      {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &plan->alignment, sizeof plan->alignment},
      {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &plan->alignment, sizeof plan->alignment}};

  /* The heuristic's first choice: it is the same for the same shape, device and library. */
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
  if (best.state != CUBLAS_STATUS_SUCCESS) return best.state;
  plan->algo = best.algo;
  plan->workspace = best.workspaceSize;
  return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t make_plan(Products *p, const Product &x, unsigned alignment,
                                ProductPlan **out) {
  /* A place of its own while there are some, then that of the oldest. */
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

  plan->shape = x;
  *out = plan;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t multiply(Products *p, const Product &x, cudaStream_t stream) {
  const unsigned alignment = common_alignment(p, x);
  const float one = 1, beta = x.add ? 1 : 0;
  ProductPlan *plan = NULL;
  for (int i = 0; i < p->n_plans && !plan; i++)
    if (plan_serves(&p->plans[i], x, alignment)) plan = &p->plans[i];
  if (!plan) TRY(make_plan(p, x, alignment, &plan));
  return cublasLtMatmul(p->handle, plan->desc, &one, x.b, plan->b, x.a, plan->a, &beta,
                        x.add ? x.add : x.c, plan->c, x.c, plan->c, &plan->algo, p->workspace,
                        plan->workspace, stream);
}

/* --- gradients of weights ----------------------------------------------------------------------
 */

enum {
  TILE = 128,         /* results that a block of threads has, in each direction */
  WANTED_TILES = 512, /* four for every multiprocessor of an H100 */
  MOST_PARTS = 64,
  LEAST_DEEP = 4096 /* terms of a part: writing and adding it up takes a fraction of its product */
};

static int64_t most_parts(int64_t m, int64_t n) {
  const int64_t parts = WANTED_TILES / (divide_up(m, TILE) * divide_up(n, TILE));
  return parts < 1 ? 1 : parts < MOST_PARTS ? parts : (int64_t)MOST_PARTS;
}
static int64_t aligned(int64_t cols) {
  return divide_up(cols, 8) * 8;
}

int64_t gradient_scratch(int64_t m, int64_t n) {
  return most_parts(m, n) * m * aligned(n);
}

int gradient_parts(int64_t m, int64_t n, int64_t k) {
  const int64_t most = most_parts(m, n), deep = k / LEAST_DEEP;
  int64_t parts = deep < most ? deep : most;
  while (parts > 1 && (k % parts != 0 || k / parts % 8 != 0)) parts--; /* equal, and aligned */
  return parts < 1 ? 1 : (int)parts;
}

cublasStatus_t multiply_gradient(Products *p, Product x, bool accumulate, float *scratch,
                                 cudaStream_t stream) {
  float *out = static_cast<float *>(x.c);
  const int64_t ld = x.ldc;
  x.count = gradient_parts(x.m, x.n, x.k);
  x.k /= x.count;
  x.a_step = x.a_transposed ? x.k * x.lda : x.k;
  x.b_step = x.b_transposed ? x.k : x.k * x.ldb;
  x.c = scratch;
  x.c_float = true;
  x.ldc = aligned(x.n);
  x.c_step = x.m * x.ldc;
  x.add = NULL;
  TRY(multiply(p, x, stream));
  add_parts(scratch, x.count, x.m, x.n, x.ldc, out, ld, accumulate, stream);
  return CUBLAS_STATUS_SUCCESS;
}
