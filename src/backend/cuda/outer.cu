/* Embedding, heads and losses. The tables (embedding of tokens, lm_head) have few rows, so their
 * gradients are sums over very many positions: each block adds a stretch of them, and a second
 * kernel adds the stretches in order, so that the bits are the same in every run. */
#include "outer.cuh"

#include "vector.cuh"

namespace {

/* --- embedding ------------------------------------------------------------------------------- */

/* Value j of token i, of that cell: the token's, and those of the cell's units, of the walls of its
 * place and of what is fed back. */
__device__ float cell_value(const trm__dims &m, const trm__outer &o, const float *params,
                            const int32_t *inputs, const int32_t *places, const int32_t *fed,
                            int64_t i, int cell, int64_t j) {
  float v = params[o.embed_tokens + (int64_t)inputs[i] * m.D + j];
#pragma unroll /* so that the tables stay in the kernel's parameters */
  for (int k = 0; k < TRM__MOST_UNITS; k++)
    if (k < m.n_tables)
      v += params[o.embed_units[k] + (int64_t)trm__unit_of(m.units[k], cell) * m.D + j];
  if (places) v += params[o.embed_walls + (int64_t)trm__place_walls(places[i]) * m.D + j];
  if (fed) v += params[o.embed_feedback + (int64_t)fed[i] * m.D + j];
  return v;
}

template <class T>
__global__ void embed_kernel(int64_t n, trm__dims m, trm__outer o, const float *params,
                             const int32_t *inputs, const int32_t *places, const int32_t *fed,
                             const float *const *puzzle, float scale, T *e) {
  const int64_t i = thread_index();
  if (i >= n) return;
  const int64_t row = i / m.D, r = row / m.L, t = row % m.L, j = i % m.D;
  const int64_t at = (t - m.R) * m.D + j;
  const int at_grid = trm__grid_position(&m, places, r, (int)t);
  float v;
  if (at_grid < 0) {
    e[i] = from_float<T>(0);
    return;
  }
  if (t >= m.P)
    v = cell_value(m, o, params, inputs, places, fed, r * m.S + t - m.P, at_grid - m.P, j);
  else if (t < m.R)
    v = params[o.registers + t * m.D + j];
  else /* the puzzle's E values fill the block from its start, zeros the rest */
    v = at < m.E ? puzzle[r][at] : 0;
  if (m.learned) v += params[o.embed_pos + (int64_t)at_grid * m.D + j];
  e[i] = from_float<T>(scale * v);
}

/* `before`: values of a row's positions before the puzzle's. */
template <class T>
__global__ void puzzle_grad_kernel(int64_t n, int64_t latent, int64_t before, int E, const T *de,
                                   float scale, float *d_puzzle) {
  const int64_t i = thread_index();
  if (i < n) d_puzzle[i] = scale * to_float(de[i / E * latent + before + i % E]);
}

/* Where in its own sequence row r has position t of the grid; -1: nowhere. */
__device__ int find_position(const trm__dims &m, const int32_t *places, int64_t r, int t) {
  if (!places || t < m.P) return t;
  const int32_t *own = places + r * m.S;
  const int i = trm__places_before(own, m.S, t - m.P);
  const bool found = i < m.S && own[i] != TRM__NO_PLACE && trm__place_cell(own[i]) == t - m.P;
  return found ? m.P + i : -1;
}

template <class T>
__global__ void position_grad_kernel(int64_t n, trm__dims m, const int32_t *places, int b,
                                     const T *de, float scale, float *d_pos) {
  const int64_t i = thread_index();
  if (i >= n) return;
  float sum = 0;
  for (int64_t r = 0; r < b; r++) {
    const int t = find_position(m, places, r, (int)(i / m.D));
    if (t >= 0) sum += to_float(de[(r * m.L + t) * m.D + i % m.D]);
  }
  d_pos[i] += scale * sum;
}

/* --- heads ----------------------------------------------------------------------------------- */

/* A warp an output row of n values: out[k] = x . w[k] (+ bias). */
template <class T>
__device__ void dot_row(const T *x, const float *w, int D, int n, const float *bias, float *out) {
  const int lane = threadIdx.x % WARP;
  for (int k = 0; k < n; k++) {
    float sum = 0;
    for (int j = lane; j < D; j += WARP) sum += to_float(x[j]) * w[(int64_t)k * D + j];
    sum = warp_sum(sum);
    if (lane == 0) out[k] = bias ? sum + bias[k] : sum;
  }
}

template <class T>
__global__ void logits_kernel(int64_t rows, int L, int P, int S, int D, int V, const T *z,
                              const float *w, float *logits) {
  const int64_t row = thread_index() / WARP;
  if (row < rows) dot_row(z + (row / S * L + P + row % S) * D, w, D, V, NULL, logits + row * V);
}
template <class T>
__global__ void q_kernel(int b, int64_t stride, int D, const T *z, const float *wq,
                         const float *bias, float *q) {
  const int64_t row = thread_index() / WARP;
  if (row < b) dot_row(z + row * stride, wq, D, 2, bias, q + 2 * row);
}

template <class T>
__global__ void head_grad_kernel(int64_t n, int L, int P, int S, int D, int V,
                                 const float *d_logits, const float *dq, const float *w,
                                 const float *wq, T *dz) {
  const int64_t i = thread_index();
  if (i >= n) return;
  const int64_t row = i / D, r = row / L, t = row % L, j = i % D;
  float sum = 0;
  if (t >= P) {
    const float *d = d_logits + (r * S + t - P) * V;
    for (int v = 0; v < V; v++) sum += d[v] * w[(int64_t)v * D + j];
  }
  if (t == 0) sum += dq[2 * r] * wq[j] + dq[2 * r + 1] * wq[D + j];
  dz[i] = from_float<T>(sum);
}

/* A block each of the two. */
__global__ void bias_grad_kernel(int b, const float *dq, float *d_bias) {
  __shared__ float part[BLOCK];
  float sum = 0;
  for (int r = threadIdx.x; r < b; r += BLOCK) sum += dq[2 * r + blockIdx.x];
  sum = block_sum<BLOCK>(sum, part);
  if (threadIdx.x == 0) d_bias[blockIdx.x] += sum;
}

/* --- losses: a block a row of the batch, in double -------------------------------------------- */

enum { LOSS_THREADS = 128 };

/* What p_i shall be: kept [i = label] + spread (kernels/loss.c). */
struct Target {
  int label;
  double kept, spread;
};

/* s(x) = x + 1 for x >= 0, else 1 / (1 - x); the logits become weight * gradient. */
__device__ double stablemax(int V, float *x, const Target &t, double weight) {
  double sum = 0, at_label = 1, logs = 0;
  for (int i = 0; i < V; i++) {
    const double v = x[i], s = v < 0 ? 1 / (1 - v + 1e-30) : v + 1;
    sum += s;
    if (i == t.label) at_label = s;
    if (t.spread > 0) logs += log(s);
  }
  for (int i = 0; i < V; i++) {
    const double v = x[i], slope = v < 0 ? 1 / ((1 - v + 1e-30) * (1 - v + 1e-30)) : 1;
    double pull = i == t.label ? t.kept / at_label : 0;
    if (t.spread > 0) pull += t.spread * (v < 0 ? 1 - v : 1 / (v + 1));
    x[i] = (float)(weight * slope * (1 / sum - pull));
  }
  if (t.spread > 0) return log(sum) - t.kept * log(at_label) - t.spread * logs;
  return -log(at_label / sum);
}

__device__ double softmax(int V, float *x, const Target &t, double weight) {
  double big = x[0], sum = 0, wanted = t.kept * x[t.label];
  for (int i = 1; i < V; i++) big = x[i] > big ? x[i] : big;
  for (int i = 0; i < V; i++) sum += exp(x[i] - big);
  for (int i = 0; t.spread > 0 && i < V; i++) wanted += t.spread * x[i];
  for (int i = 0; i < V; i++)
    x[i] = (float)(weight * (exp(x[i] - big) / sum - ((i == t.label ? t.kept : 0) + t.spread)));
  return log(sum) + big - wanted;
}

__device__ int argmax(int V, const float *x) {
  int best = 0;
  for (int i = 1; i < V; i++)
    if (x[i] > x[best]) best = i;
  return best;
}

__global__ void decode_kernel(int64_t n, trm__dims m, const int32_t *inputs, const float *logits,
                              int32_t *decoded) {
  const int64_t i = thread_index();
  if (i < n) decoded[i] = trm__is_blank(&m, inputs[i]) ? argmax(m.V, logits + i * m.V) : inputs[i];
}

__device__ double sigmoid(double x) {
  return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}
__device__ double binary_cross_entropy(double x, double target) {
  return (x > 0 ? x : 0) - x * target + log1p(exp(-fabs(x)));
}

__device__ void q_losses(double weight, trm__row_loss *l, float *q, const float *q_target) {
  const double exact = l->right == l->valid;
  l->q[0] = q[0];
  l->q[1] = q[1];
  l->q_halt = binary_cross_entropy(l->q[0], exact);
  q[0] = (float)(weight * (sigmoid(l->q[0]) - exact));
  q[1] = 0;
  l->q_continue = 0;
  if (!q_target) return;
  l->q_continue = binary_cross_entropy(l->q[1], *q_target);
  q[1] = (float)(weight * (sigmoid(l->q[1]) - *q_target));
}

__device__ int count_units(const trm__dims &m) {
  int n = 0;
#pragma unroll /* so that the units stay in the kernel's parameters, here and below */
  for (int k = 0; k < TRM__MOST_UNITS; k++) n += k < m.n_units ? m.units[k].n : 0;
  return n;
}

/* What the sum of symbol i is off by in unit u, counted through all kinds of units: p [S, V]. */
__device__ double find_off(const trm__dims &m, int u, int i, const float *p, float target) {
  double sum = -target;
#pragma unroll
  for (int k = 0; k < TRM__MOST_UNITS; k++) {
    if (k >= m.n_units) break;
    for (int j = 0; u >= 0 && u < m.units[k].n && j < m.units[k].high * m.units[k].wide; j++)
      sum += p[(int64_t)trm__unit_cell(m.units[k], u, j) * m.V + i];
    u -= m.units[k].n;
  }
  return sum;
}

/* dL/dp of symbol i in a cell: off [units, V]. */
__device__ double find_slope(const trm__dims &m, int cell, int i, double share, const float *off) {
  double sum = 0;
  int before = 0;
#pragma unroll
  for (int k = 0; k < TRM__MOST_UNITS; k++) {
    if (k >= m.n_units) break;
    sum += off[(int64_t)(before + trm__unit_of(m.units[k], cell)) * m.V + i];
    before += m.units[k].n;
  }
  return 2 * share * sum;
}

/* The constraint loss of kernels/loss.c, a block a row. p [b, S, V] becomes its gradient, with its
 * weight; off [b, units + 1, V], of which the first is what is wanted of each symbol. */
__global__ void constraint_kernel(trm__dims m, const int32_t *labels, const int32_t *steps,
                                  const float *logits, float *p, float *off, trm__row_loss *out) {
  __shared__ double parts[LOSS_THREADS];
  const int64_t r = blockIdx.x, V = m.V;
  const int n = count_units(m);
  const double share = 1 / ((double)n * (V - 1));
  labels += r * m.S;
  logits += r * m.S * V;
  p += r * m.S * V;
  off += r * (n + 1) * V;
  float *wanted = off;
  off += V;

  /* The softmax, and which symbols are wanted. */
  for (int t = threadIdx.x; t < m.S; t += LOSS_THREADS) {
    const float *x = logits + t * V;
    double big = x[0], sum = 0;
    for (int i = 1; i < V; i++) big = x[i] > big ? x[i] : big;
    for (int i = 0; i < V; i++) sum += exp(x[i] - big);
    for (int i = 0; i < V; i++) p[t * V + i] = (float)(exp(x[i] - big) / sum);
  }
  for (int i = threadIdx.x; i < V; i += LOSS_THREADS) {
    bool occurs = false;
    for (int t = 0; t < m.S && i > 0; t++) occurs |= labels[t] == i;
    wanted[i] = occurs;
  }
  __syncthreads();
  double any = 0;
  for (int i = threadIdx.x; i < V; i += LOSS_THREADS) any += wanted[i];
  any = block_sum<LOSS_THREADS>(any, parts);

  /* How far each sum is off: mean square. */
  double loss = 0;
  for (int64_t at = threadIdx.x; at < n * V; at += LOSS_THREADS) {
    const int u = (int)(at / V), i = (int)(at % V);
    const double v = i ? find_off(m, u, i, p, wanted[i]) : 0;
    off[at] = (float)v;
    loss += share * v * v;
  }
  loss = block_sum<LOSS_THREADS>(loss, parts);
  if (threadIdx.x == 0) out[r].constraint = any > 0 ? loss : 0;

  /* And back. */
  const double weight = any > 0 ? trm__step_share(&m, steps[r]) * m.constraint_weight : 0;
  for (int t = threadIdx.x; t < m.S; t += LOSS_THREADS) {
    double mean = 0;
    for (int i = 1; i < V; i++) mean += p[t * V + i] * find_slope(m, t, i, share, off);
    for (int i = 0; i < V; i++)
      p[t * V + i] =
          (float)(weight * p[t * V + i] * ((i ? find_slope(m, t, i, share, off) : 0) - mean));
  }
}

__global__ void add_kernel(int64_t n, const float *x, float *y) {
  const int64_t i = thread_index();
  if (i < n) y[i] += x[i];
}

__global__ void losses_kernel(trm__dims m, const int32_t *labels, const int32_t *steps,
                              const float *q_target, float *logits, float *q, trm__row_loss *out) {
  __shared__ int counts[LOSS_THREADS];
  __shared__ double parts[LOSS_THREADS];
  const int S = m.S, V = m.V;
  const int64_t r = blockIdx.x;
  const double share = trm__step_share(&m, steps[r]);
  labels += r * S;
  logits += r * S * V;

  /* Every label that counts has the same weight. */
  int valid = 0, right = 0;
  for (int t = threadIdx.x; t < S; t += LOSS_THREADS) valid += labels[t] >= 0;
  valid = block_sum<LOSS_THREADS>(valid, counts);
  const double weight = 1.0 / (valid > 0 ? valid : 1);

  /* lm: the mean cross-entropy over them; logits become its gradient. */
  double lm = 0;
  for (int t = threadIdx.x; t < S; t += LOSS_THREADS) {
    float *x = logits + (int64_t)t * V;
    if (labels[t] < 0) {
      for (int v = 0; v < V; v++) x[v] = 0;
      continue;
    }
    right += argmax(V, x) == labels[t];
    const Target target = {labels[t], 1 - m.label_smoothing, m.label_smoothing / V};
    lm += weight * (m.loss == TRM_LOSS_STABLEMAX ? stablemax(V, x, target, share * weight)
                                                 : softmax(V, x, target, share * weight));
  }

  right = block_sum<LOSS_THREADS>(right, counts);
  lm = block_sum<LOSS_THREADS>(lm, parts);
  if (threadIdx.x != 0) return;
  out[r].lm = lm;
  out[r].valid = valid;
  out[r].right = right;
  if (!(m.constraint_weight > 0)) out[r].constraint = 0;
  q_losses((m.step_decay_q ? share : 1) * m.q_weight, &out[r], q + 2 * r,
           q_target ? q_target + r : NULL);
}

__global__ void q_targets_kernel(int b, const float *q, const int32_t *steps, int max_steps,
                                 float *target) {
  const int64_t r = thread_index();
  if (r >= b) return;
  const float halt = q[2 * r], go = q[2 * r + 1];
  target[r] = (float)sigmoid(steps[r] >= max_steps || halt > go ? halt : go);
}

/* --- gradients of starts --------------------------------------------------------------------- */

/* Row blockIdx.x, channels of blockIdx.y: part [b, D] = the sum over its positions, or nothing. */
template <class T>
__global__ void start_grad_kernel(int L, int D, const int32_t *steps, const T *dz, float *part) {
  const int64_t row = blockIdx.x, j = blockIdx.y * (int64_t)BLOCK + threadIdx.x;
  if (j >= D) return;
  float sum = 0;
  for (int t = 0; t < L && steps[row] == 1; t++) sum += to_float(dz[(row * L + t) * D + j]);
  part[row * D + j] = sum;
}

/* --- gradients of tables ---------------------------------------------------------------------- */

enum { TABLE_ROWS = 16 /* accumulators of a thread */, MOST_STRETCHES = 256, LEAST_STRETCH = 64 };

int64_t stretch_rows(int64_t rows) {
  const int64_t even = divide_up(rows, MOST_STRETCHES);
  return even > LEAST_STRETCH ? even : (int64_t)LEAST_STRETCH;
}

/* The row of a table of units or walls that token r has a part of; -1: it is padding. */
template <class T>
__device__ int row_of_place(const TableGrad<T> &g, int64_t r) {
  if (!g.places) return trm__unit_of(g.units, (int)(r % g.S));
  const int32_t place = g.places[r];
  if (place == TRM__NO_PLACE) return -1;
  return g.walls ? trm__place_walls(place) : trm__unit_of(g.units, trm__place_cell(place));
}

/* Stretch blockIdx.x, channels of blockIdx.y, table rows of blockIdx.z: part [stretches, V, D]. */
template <class T>
__global__ void table_grad_kernel(TableGrad<T> g, int64_t stretch, float *part) {
  const int d = blockIdx.y * blockDim.x + threadIdx.x, v0 = blockIdx.z * TABLE_ROWS;
  if (d >= g.D) return;
  const int64_t rows = (int64_t)g.b * g.S, first = blockIdx.x * stretch;
  const int64_t last = first + stretch < rows ? first + stretch : rows;

  /* dW[v] = sum over rows of c_v x: c is the scale where the token (or unit) is v, or a coefficient
   * for v. */
  float sum[TABLE_ROWS] = {};
  for (int64_t r = first; r < last; r++) {
    const float x = to_float(g.x[(r / g.S * g.L + g.first + r % g.S) * g.D + d]);
    const int token = g.coefficient ? -1 : g.tokens ? g.tokens[r] : row_of_place(g, r);
    for (int k = 0; k < TABLE_ROWS; k++) {
      const int v = v0 + k;
      float c = 0;
      if (!g.coefficient)
        c = token == v ? g.scale : 0;
      else if (v < g.V)
        c = g.coefficient[r * g.V + v];
      sum[k] += c * x;
    }
  }

  for (int k = 0; k < TABLE_ROWS && v0 + k < g.V; k++)
    part[((int64_t)blockIdx.x * g.V + v0 + k) * g.D + d] = sum[k];
}

} /* namespace */

template <class T>
void embed(const trm__dims &dims, const trm__outer &outer, const float *params, int b,
           const int32_t *inputs, const int32_t *places, const int32_t *fed,
           const float *const *puzzle, float scale, T *e, cudaStream_t stream) {
  const int64_t n = (int64_t)b * dims.L * dims.D;
  launch(embed_kernel<T>, grid_for(n), BLOCK, 0, stream, n, dims, outer, params, inputs, places,
         fed, puzzle, scale, e);
}
template <class T>
void puzzle_grad(const trm__dims &dims, int b, const T *de, float scale, float *d_puzzle,
                 cudaStream_t stream) {
  const int64_t n = (int64_t)b * dims.E, D = dims.D;
  if (n > 0)
    launch(puzzle_grad_kernel<T>, grid_for(n), BLOCK, 0, stream, n, dims.L * D, dims.R * D, dims.E,
           de, scale, d_puzzle);
}
template <class T>
void position_grad(const trm__dims &dims, int b, int n, const int32_t *places, const T *de,
                   float scale, float *d_pos, cudaStream_t stream) {
  const int64_t values = (int64_t)n * dims.D;
  if (n > 0)
    launch(position_grad_kernel<T>, grid_for(values), BLOCK, 0, stream, values, dims, places, b, de,
           scale, d_pos);
}

template <class T>
void head(const trm__dims &dims, int b, const T *z, const float *w, const float *wq,
          const float *bias, float *logits, float *q, cudaStream_t stream) {
  const int64_t rows = (int64_t)b * dims.S;
  launch(logits_kernel<T>, grid_for(rows * WARP), BLOCK, 0, stream, rows, dims.L, dims.P, dims.S,
         dims.D, dims.V, z, w, logits);
  launch(q_kernel<T>, grid_for((int64_t)b * WARP), BLOCK, 0, stream, b, (int64_t)dims.L * dims.D,
         dims.D, z, wq, bias, q);
}
template <class T>
void head_grad(const trm__dims &dims, int b, const float *d_logits, const float *dq, const float *w,
               const float *wq, T *dz, cudaStream_t stream) {
  const int64_t n = (int64_t)b * dims.L * dims.D;
  launch(head_grad_kernel<T>, grid_for(n), BLOCK, 0, stream, n, dims.L, dims.P, dims.S, dims.D,
         dims.V, d_logits, dq, w, wq, dz);
}
void bias_grad(int b, const float *dq, float *d_bias, cudaStream_t stream) {
  launch(bias_grad_kernel, 2, BLOCK, 0, stream, b, dq, d_bias);
}

void decode(const trm__dims &dims, int b, const int32_t *inputs, const float *logits,
            int32_t *decoded, cudaStream_t stream) {
  const int64_t n = (int64_t)b * dims.S;
  launch(decode_kernel, grid_for(n), BLOCK, 0, stream, n, dims, inputs, logits, decoded);
}

int64_t losses_scratch(const trm__dims &dims, int b) {
  int64_t units = 0;
  for (int k = 0; k < dims.n_units; k++) units += dims.units[k].n;
  return dims.constraint_weight > 0 ? b * (dims.S + units + 1) * dims.V : 0;
}
void losses(const trm__dims &dims, int b, const int32_t *labels, const int32_t *steps,
            const float *q_target, float *logits, float *q, trm__row_loss *out, float *scratch,
            cudaStream_t stream) {
  const bool constrained = dims.constraint_weight > 0;
  const int64_t n = (int64_t)b * dims.S * dims.V;
  if (constrained)
    launch(constraint_kernel, b, LOSS_THREADS, 0, stream, dims, labels, steps, logits, scratch,
           scratch + n, out);
  launch(losses_kernel, b, LOSS_THREADS, 0, stream, dims, labels, steps, q_target, logits, q, out);
  if (constrained) launch(add_kernel, grid_for(n), BLOCK, 0, stream, n, scratch, logits);
}
void q_targets(int b, const float *q, const int32_t *steps, int max_steps, float *target,
               cudaStream_t stream) {
  launch(q_targets_kernel, grid_for(b), BLOCK, 0, stream, b, q, steps, max_steps, target);
}

template <class T>
void start_grad(const trm__dims &dims, int b, const int32_t *steps, const T *dz, float *scratch,
                float *d_init, cudaStream_t stream) {
  launch(start_grad_kernel<T>, dim3(b, (unsigned)divide_up(dims.D, BLOCK)), BLOCK, 0, stream,
         dims.L, dims.D, steps, dz, scratch);
  add_parts(scratch, b, 1, dims.D, dims.D, d_init, dims.D, true, stream);
}

int64_t table_grad_scratch(int64_t rows, int V, int D) {
  return divide_up(rows, stretch_rows(rows)) * V * D;
}
template <class T>
void table_grad(const TableGrad<T> &g, float *scratch, float *out, cudaStream_t stream) {
  enum { THREADS = 128 };
  const int64_t rows = (int64_t)g.b * g.S, stretch = stretch_rows(rows), n = (int64_t)g.V * g.D;
  const int stretches = (int)divide_up(rows, stretch);
  launch(table_grad_kernel<T>,
         dim3(stretches, (unsigned)divide_up(g.D, THREADS), (unsigned)divide_up(g.V, TABLE_ROWS)),
         THREADS, 0, stream, g, stretch, scratch);
  add_parts(scratch, stretches, 1, n, n, out, n, true, stream);
}

#define FOR_TYPE(T)                                                                               \
  template void embed<T>(const trm__dims &, const trm__outer &, const float *, int,               \
                         const int32_t *, const int32_t *, const int32_t *, const float *const *, \
                         float, T *, cudaStream_t);                                               \
  template void puzzle_grad<T>(const trm__dims &, int, const T *, float, float *, cudaStream_t);  \
  template void position_grad<T>(const trm__dims &, int, int, const int32_t *, const T *, float,  \
                                 float *, cudaStream_t);                                          \
  template void head<T>(const trm__dims &, int, const T *, const float *, const float *,          \
                        const float *, float *, float *, cudaStream_t);                           \
  template void head_grad<T>(const trm__dims &, int, const float *, const float *, const float *, \
                             const float *, T *, cudaStream_t);                                   \
  template void start_grad<T>(const trm__dims &, int, const int32_t *, const T *, float *,        \
                              float *, cudaStream_t);                                             \
  template void table_grad<T>(const TableGrad<T> &, float *, float *, cudaStream_t);
FOR_TYPE(float)
FOR_TYPE(bf16)
