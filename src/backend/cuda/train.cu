/* Refilled rows, halting, the norm of the gradient, and the optimisers. What changes from update to
 * update (rates, explorations, the fresh batch) is read from device memory, so that a recorded
 * update can run again. */
#include "train.cuh"

namespace {

/* --- rows ------------------------------------------------------------------------------------ */

/* Latents of rows that halted; a block a row and a stretch of BLOCK * LATENT_STEPS values. */
enum { LATENT_STEPS = 16 };
template <class T>
__global__ void refill_latents_kernel(trm__rows rows, int first, int64_t latent, int D) {
  const int64_t row = first + (int64_t)blockIdx.x;
  const int64_t start = blockIdx.y * (int64_t)(BLOCK * LATENT_STEPS) + threadIdx.x;
  if (!rows.halted[row]) return;
#pragma unroll /* so that the pointers stay in the kernel's parameters */
  for (int k = 0; k < TRM__MAX_LATENTS; k++) {
    if (k >= rows.n_latents) break;
    T *z = reinterpret_cast<T *>(rows.z[k]) + row * latent;
    for (int64_t i = start; i < latent && i < start + BLOCK * LATENT_STEPS; i += BLOCK)
      z[i] = from_float<T>(rows.init[k][i % D]);
  }
}

/* The rest of them; the last to run, for it clears `halted`. */
__global__ void refill_kernel(trm__dims m, trm__rows rows, trm__fresh fresh, int first,
                              int advance) {
  const int S = m.S;
  const int64_t row = first + (int64_t)blockIdx.x;
  const bool halted = rows.halted[row] != 0;
  __syncthreads();
  for (int64_t t = row * S + threadIdx.x; t < (row + 1) * S && halted; t += blockDim.x) {
    rows.inputs[t] = fresh.inputs[t];
    rows.labels[t] = fresh.labels[t];
    if (rows.places) rows.places[t] = fresh.places[t];
    if (rows.decoded) rows.decoded[t] = fresh.inputs[t];
  }

  /* What the next step sees of the last answer; each thread has its cells. */
  for (int64_t t = row * S + threadIdx.x; t < (row + 1) * S && rows.fed; t += blockDim.x)
    rows.fed[t] =
        fresh.corrupt[t] && trm__is_blank(&m, rows.inputs[t]) ? fresh.corrupt[t] : rows.decoded[t];

  if (threadIdx.x != 0) return;
  if (halted) {
    const int32_t id = fresh.puzzle_ids[row];
    rows.puzzle_ids[row] = id;
    rows.puzzle[row] = rows.puzzle_emb ? rows.puzzle_emb + (int64_t)id * m.E : NULL;
    rows.steps[row] = 0;
    rows.halted[row] = 0;
  }
  rows.steps[row] += advance;
}

__device__ bool stops_early(const trm__halting &how, const trm__row_loss &l) {
  switch (how.early) {
    case TRM__STOP_NOTHING:
      return false;
    case TRM__STOP_Q:
      return l.q[0] > how.margin;
    case TRM__STOP_Q_CONTINUE:
      return l.q[0] > l.q[1] + how.margin;
    case TRM__STOP_SOLVED:
      return l.right == l.valid;
  }
  return false;
}

__global__ void halt_kernel(trm__rows rows, int n, trm__halting how, const trm__row_loss *loss) {
  const int64_t r = thread_index();
  if (r >= n) return;
  const bool stops = rows.steps[r] >= how.max_steps || stops_early(how, loss[r]);
  rows.halted[r] = stops && rows.steps[r] >= how.least[r];
}

/* --- gradients: a block a chunk ----------------------------------------------------------------
 */

/* The mean, and its norm: NaN when a weight is not finite. */
__global__ void mean_kernel(trm__update u, float scale) {
  __shared__ double part[BLOCK];
  const int64_t first = blockIdx.x * (int64_t)TRM__CHUNK;
  double sum = 0;
  for (int i = threadIdx.x; i < TRM__CHUNK && first + i < u.n; i += BLOCK) {
    const float g = u.grads[first + i] * scale;
    u.grads[first + i] = g;
    sum += (double)g * g;
    if (!isfinite(u.params[first + i])) sum += NAN;
  }
  sum = block_sum<BLOCK>(sum, part);
  if (threadIdx.x == 0) u.partial_norms[blockIdx.x] = sum;
}

__global__ void totals_kernel(trm__update u, int64_t chunks) {
  __shared__ double part[BLOCK];
  double sum = 0, loss = 0;
  for (int64_t i = threadIdx.x; i < chunks; i += BLOCK) sum += u.partial_norms[i];
  for (int r = threadIdx.x; r < u.rows; r += BLOCK)
    loss += u.loss[r].lm + u.loss[r].q_halt + u.loss[r].q_continue + u.loss[r].constraint;
  sum = block_sum<BLOCK>(sum, part);
  loss = block_sum<BLOCK>(loss, part);
  if (threadIdx.x != 0) return;
  u.totals->grad_norm = sqrt(sum);
  u.totals->apply = isfinite(sum) && isfinite(loss);
}

/* As the host's clip_factor. */
__global__ void clip_kernel(trm__update u) {
  const int64_t i = thread_index();
  const double factor = u.clip / (u.totals->grad_norm + 1e-6);
  if (i < u.n && u.totals->apply && factor < 1) u.grads[i] *= (float)factor;
}

/* --- optimisers --------------------------------------------------------------------------------
 */

/* The step of one weight from its gradient; moments are replaced. */
struct AdamAtan2 {
  __device__ static float step(const trm__adam &, float m, float root) { return atan2f(m, root); }
};
struct AdamW {
  __device__ static float step(const trm__adam &o, float m, float root) {
    return m / (root + o.eps);
  }
};

/* Moments, weights and their EMA of one segment. */
template <class Rule>
__global__ void adam_kernel(trm__update u, trm__segment s, const trm__adam *figures, float *m_of,
                            float *v_of) {
  const int64_t j = thread_index(), i = s.at + j;
  if (j >= s.n || !u.totals->apply) return;
  const trm__adam o = *figures;
  const float g = u.grads[i], m = o.beta1 * m_of[j] + (1 - o.beta1) * g;
  const float v = o.beta2 * v_of[j] + (1 - o.beta2) * g * g, root = sqrtf(v) * o.root_scale;
  const float p = u.params[i] * o.decay - o.step_scale * Rule::step(o, m, root);
  m_of[j] = m;
  v_of[j] = v;
  u.params[i] = p;
  if (u.ema) u.ema[i] = o.ema * u.ema[i] + (1 - o.ema) * p;
}

/* d_puzzle becomes the mean's, in a launch before. */
__global__ void puzzle_mean_kernel(trm__update u, int64_t n, float scale) {
  const int64_t i = thread_index();
  if (i < n && u.totals->apply) u.d_puzzle[i] *= scale;
}

/* The rows base .. base + BLOCK - 1 of that id, in their order, to `list`, which others may read
 * until all threads have come here again; how many. */
__device__ int rows_of(const trm__update &u, int id, int base, int *list) {
  __shared__ unsigned warps[BLOCK / WARP];
  const int warp = (int)threadIdx.x / WARP, r = base + (int)threadIdx.x;
  const bool same = r < u.rows && u.puzzle_ids[r] == id;
  const unsigned votes = __ballot_sync(0xffffffffu, same);
  int before = __popc(votes & ((1u << threadIdx.x % WARP) - 1)), all = 0;
  if (threadIdx.x % WARP == 0) warps[warp] = votes;
  __syncthreads();
  for (int w = 0; w < BLOCK / WARP; w++) {
    if (w < warp) before += __popc(warps[w]);
    all += __popc(warps[w]);
  }
  if (same) list[before] = r;
  __syncthreads();
  return all;
}

/* A block a row of the batch and BLOCK values; the first row of each puzzle id adds up all rows of
 * that id, in batch order, and updates their common row of the embedding. */
__global__ void sign_rows_kernel(trm__update u, const trm__adam *figures, int E) {
  __shared__ int list[BLOCK];
  const int row = blockIdx.x, id = u.puzzle_ids[row], j = blockIdx.y * BLOCK + threadIdx.x;
  int earlier = 0;
  for (int r = threadIdx.x; r < row; r += BLOCK) earlier |= u.puzzle_ids[r] == id;
  if (__syncthreads_or(earlier) || !u.totals->apply) return;
  float g = 0;
  for (int base = row; base < u.rows; base += BLOCK) {
    const int n = rows_of(u, id, base, list);
#pragma unroll 8 /* so many loads under way */
    for (int i = 0; i < n && j < E; i++) g += u.d_puzzle[(int64_t)list[i] * E + j];
  }
  if (j >= E) return;
  float *w = u.puzzle_emb + (int64_t)id * E + j;
  *w = *w * figures->decay - figures->lr * ((g > 0) - (g < 0));
}

/* --- the rules --------------------------------------------------------------------------------
 */

template <class Rule>
void adam(CudaBackend *c, const trm__update &u, const trm__group &g) {
  for (int i = 0; i < g.n_segments; i++) {
    const trm__segment &s = g.segments[i];
    launch(adam_kernel<Rule>, grid_for(s.n), BLOCK, 0, c->stream, u, s, g.figures,
           g.state[0] + s.state, g.state[1] + s.state);
  }
}

void sign_rows(CudaBackend *c, const trm__update &u, const trm__group &g) {
  const int E = c->base.dims.E;
  const int64_t n = (int64_t)u.rows * E;
  launch(puzzle_mean_kernel, grid_for(n), BLOCK, 0, c->stream, u, n, (float)(1.0 / u.rows));
  launch(sign_rows_kernel, dim3(u.rows, (unsigned)divide_up(E, BLOCK)), BLOCK, 0, c->stream, u,
         g.figures, E);
}

typedef void Rule(CudaBackend *, const trm__update &, const trm__group &);
const struct {
  int rule;
  Rule *update;
} rules[] = {{TRM_OPT_ADAM_ATAN2, adam<AdamAtan2>},
             {TRM_OPT_ADAMW, adam<AdamW>},
             {TRM_OPT_MUON, muon},
             {TRM__RULE_SIGN_ROWS, sign_rows}};

Rule *rule_of(trm__rule rule) {
  for (const auto &row : rules)
    if (row.rule == (int)rule) return row.update;
  return NULL;
}

} /* namespace */

template <class T>
void refill(const trm__dims &dims, const trm__rows &rows, const trm__fresh &fresh, int first, int n,
            int advance, cudaStream_t stream) {
  const int64_t latent = (int64_t)dims.L * dims.D;
  launch(refill_latents_kernel<T>, dim3(n, (unsigned)divide_up(latent, BLOCK * LATENT_STEPS)),
         BLOCK, 0, stream, rows, first, latent, dims.D);
  launch(refill_kernel, n, BLOCK, 0, stream, dims, rows, fresh, first, advance);
}
template void refill<float>(const trm__dims &, const trm__rows &, const trm__fresh &, int, int, int,
                            cudaStream_t);
template void refill<bf16>(const trm__dims &, const trm__rows &, const trm__fresh &, int, int, int,
                           cudaStream_t);

void halt(const trm__rows &rows, int n, const trm__halting &how, const trm__row_loss *loss,
          cudaStream_t stream) {
  launch(halt_kernel, grid_for(n), BLOCK, 0, stream, rows, n, how, loss);
}

void finish_grads(const trm__update &u, cudaStream_t stream) {
  const int64_t chunks = divide_up(u.n, TRM__CHUNK);
  launch(mean_kernel, (unsigned)chunks, BLOCK, 0, stream, u, (float)(1.0 / u.rows));
  launch(totals_kernel, 1, BLOCK, 0, stream, u, chunks);
  if (u.clip > 0) launch(clip_kernel, grid_for(u.n), BLOCK, 0, stream, u);
}

bool has_rule(trm__rule rule) {
  return rule_of(rule) != NULL;
}

void update(CudaBackend *c, const trm__update &u, const trm__group &g) {
  rule_of(g.rule)(c, u, g);
}
