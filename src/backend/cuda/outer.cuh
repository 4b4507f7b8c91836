/* What stands around the blocks: the embedded question, the heads, the losses and their gradients
 * (docs/MODEL.md sections 1 and 3). Weights and their gradients are floats; z, e, de, dz are T. */
#ifndef TRM_BACKEND_CUDA_OUTER_CUH
#define TRM_BACKEND_CUDA_OUTER_CUH

#include "backend/backend.h"
#include "device.cuh"

/* e [b, L, D] = scale * the sum of the rows that the op of that name takes of tables in params. */
template <class T>
void embed(const trm__dims &dims, const trm__outer &outer, const float *params, int b,
           const int32_t *inputs, const int32_t *places, const int32_t *fed,
           const float *const *puzzle, float scale, T *e, cudaStream_t stream);
/* From de: d_puzzle [b, E]; and n positions from the first on, of the grid where rows have places,
 * d_pos [n, D] +=. */
template <class T>
void puzzle_grad(const trm__dims &dims, int b, const T *de, float scale, float *d_puzzle,
                 cudaStream_t stream);
template <class T>
void position_grad(const trm__dims &dims, int b, int n, const int32_t *places, const T *de,
                   float scale, float *d_pos, cudaStream_t stream);

/* logits [b, S, V] = z w^T behind the puzzle positions; q [b, 2] = z wq^T + bias at position 0. */
template <class T>
void head(const trm__dims &dims, int b, const T *z, const float *w, const float *wq,
          const float *bias, float *logits, float *q, cudaStream_t stream);
/* dz [b, L, D] from d_logits [b, S, V], dq [b, 2]. */
template <class T>
void head_grad(const trm__dims &dims, int b, const float *d_logits, const float *dq, const float *w,
               const float *wq, T *dz, cudaStream_t stream);
/* d_bias [2] += the sum of dq [b, 2]. */
void bias_grad(int b, const float *dq, float *d_bias, cudaStream_t stream);

/* As the op of that name. */
void decode(const trm__dims &dims, int b, const int32_t *inputs, const float *logits,
            int32_t *decoded, cudaStream_t stream);

/* As the op of that name; scratch has losses_scratch floats, none without a constraint loss. */
int64_t losses_scratch(const trm__dims &dims, int b);
void losses(const trm__dims &dims, int b, const int32_t *labels, const int32_t *steps,
            const float *q_target, float *logits, float *q, trm__row_loss *out, float *scratch,
            cudaStream_t stream);
void q_targets(int b, const float *q, const int32_t *steps, int max_steps, float *target,
               cudaStream_t stream);

/* As the op of that name; scratch has b D floats. */
template <class T>
void start_grad(const trm__dims &dims, int b, const int32_t *steps, const T *dz, float *scratch,
                float *d_init, cudaStream_t stream);

/* Gradients of tables with few rows: out [V, D] += sum over r of c(r, v) x(r), with the rows x of
 * x [b, L, D] at positions first .. first + S - 1 of each b, and
 *   c(r, v) = coefficient[r * V + v], or, with tokens [b, S], scale where tokens[r] = v, or, with
 * neither, scale where v is the unit of the cell, that of places [b, S] where rows have some, or
 * with `walls` where v are the walls of the place. */
template <class T>
struct TableGrad {
  const T *x;
  int b, L, D, first, S, V;
  const float *coefficient;
  const int32_t *tokens;
  float scale;
  trm__unit_set units;
  const int32_t *places;
  bool walls;
};
/* Floats of scratch that table_grad needs. */
int64_t table_grad_scratch(int64_t rows, int V, int D);
template <class T>
void table_grad(const TableGrad<T> &g, float *scratch, float *out, cudaStream_t stream);

#endif
