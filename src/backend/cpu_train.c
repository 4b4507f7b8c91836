/* What an update does around the gradients: memory, refilled rows, halting, the reduction of the
 * gradients and the optimisers (docs/MODEL.md sections 2 and 4). */
#include <math.h>
#include <string.h>

#include "backend/cpu.h"
#include "base/memory.h"
#include "kernels/loss.h"

/* --- memory ---------------------------------------------------------------------------------- */

static void *op_alloc(trm__backend *be, size_t bytes) {
  (void)be;
  return trm__alloc(bytes, 1);
}
static void op_release(trm__backend *be, void *p) {
  (void)be;
  trm__free(p);
}
static void op_move(trm__backend *be, void *to, const void *from, size_t bytes) {
  (void)be;
  if (to != from) memcpy(to, from, bytes);
}
static int64_t op_latent_size(const trm__backend *be) {
  return (int64_t)be->dims.L * be->dims.D;
}
static void op_move_latents(trm__backend *be, int n, real *to, const real *from) {
  op_move(be, to, from, (size_t)n * (size_t)op_latent_size(be) * sizeof *to);
}
/* 1.5 GiB: beyond that nothing gets faster. */
static int64_t op_budget(const trm__backend *be) {
  (void)be;
  return (int64_t)3 << 29;
}
static trm_status op_run(trm__backend *be, trm__program *program, void *arg, int key,
                         trm_error *err) {
  (void)be;
  (void)key;
  (void)err;
  if (program) program(arg);
  return TRM_OK;
}

static void op_clear(trm__backend *be, trm__workspace *ws, int64_t n, real *h) {
  int64_t lo, hi;
  (void)be;
  trm__lane_barrier(ws->lane);
  trm__lane_share(ws->lane, n, 64, &lo, &hi);
  memset(h + lo, 0, (size_t)(hi - lo) * sizeof *h);
  trm__lane_barrier(ws->lane);
}

/* --- rows ------------------------------------------------------------------------------------ */

static void take_fresh(const trm__dims *dims, const trm__rows *rows, const trm__fresh *fresh,
                       int64_t row) {
  int64_t S = dims->S, D = dims->D, latent = dims->L * D;
  memcpy(rows->inputs + row * S, fresh->inputs + row * S, (size_t)S * sizeof *rows->inputs);
  memcpy(rows->labels + row * S, fresh->labels + row * S, (size_t)S * sizeof *rows->labels);
  if (rows->places)
    memcpy(rows->places + row * S, fresh->places + row * S, (size_t)S * sizeof *rows->places);
  if (rows->decoded)
    memcpy(rows->decoded + row * S, fresh->inputs + row * S, (size_t)S * sizeof *rows->decoded);
  rows->puzzle_ids[row] = fresh->puzzle_ids[row];
  rows->puzzle[row] =
      rows->puzzle_emb ? rows->puzzle_emb + (int64_t)rows->puzzle_ids[row] * dims->E : NULL;

  /* Every position of a latent starts at the same vector. */
  for (int i = 0; i < rows->n_latents; i++)
    for (int64_t t = 0; t < dims->L; t++)
      memcpy(rows->z[i] + row * latent + t * D, rows->init[i], (size_t)D * sizeof(real));
}

/* What the row's next step sees of its last answer. */
static void feed_back(const trm__dims *dims, const trm__rows *rows, const trm__fresh *fresh,
                      int64_t row) {
  for (int64_t t = row * dims->S; t < (row + 1) * dims->S; t++)
    rows->fed[t] = fresh->corrupt[t] && trm__is_blank(dims, rows->inputs[t]) ? fresh->corrupt[t]
                                                                             : rows->decoded[t];
}

static void op_refill(trm__backend *be, trm__workspace *ws, const trm__rows *rows,
                      const trm__fresh *fresh, int first, int n, int advance) {
  int64_t lo, hi;
  trm__lane_share(ws->lane, n, 1, &lo, &hi);
  for (int64_t row = first + lo; row < first + hi; row++) {
    if (rows->halted[row]) {
      take_fresh(&be->dims, rows, fresh, row);
      rows->steps[row] = 0;
      rows->halted[row] = 0;
    }
    rows->steps[row] += advance;
    if (rows->fed) feed_back(&be->dims, rows, fresh, row);
  }
  trm__lane_barrier(ws->lane);
}

static bool stops_early(const trm__halting *how, const trm__row_loss *l) {
  switch (how->early) {
    case TRM__STOP_NOTHING:
      return false;
    case TRM__STOP_Q:
      return l->q[0] > how->margin;
    case TRM__STOP_Q_CONTINUE:
      return l->q[0] > l->q[1] + how->margin;
    case TRM__STOP_SOLVED:
      return l->right == l->valid;
  }
  return false;
}

static void op_halt(trm__backend *be, trm__workspace *ws, const trm__rows *rows, int n,
                    const trm__halting *how, const trm__row_loss *loss) {
  (void)be;
  for (int r = 0; r < n && ws->lane->rank == 0; r++) {
    const bool stops = rows->steps[r] >= how->max_steps || stops_early(how, &loss[r]);
    rows->halted[r] = stops && rows->steps[r] >= how->least[r];
  }
  trm__lane_barrier(ws->lane);
}

static void op_q_target(trm__backend *be, trm__workspace *ws, int b, const real *q,
                        const int32_t *steps, int max_steps, real *target) {
  (void)be;
  for (int r = 0; r < b && ws->lane->rank == 0; r++) {
    real halt = q[2 * r], go = q[2 * r + 1];
    target[r] = (real)trm__sigmoid((double)(steps[r] >= max_steps || halt > go ? halt : go));
  }
  trm__lane_barrier(ws->lane);
}

/* --- gradients ------------------------------------------------------------------------------- */

/* ((0+1)+(2+3)) + ((4+5)+(6+7)), or as much of it as there are slots, on elements [lo, hi). */
static void add_slots(const trm__kernels *kernels, const trm__update *u, int64_t lo, int64_t hi) {
  for (int step = 1; step < u->slots; step *= 2)
    for (int s = 0; s < u->slots; s += 2 * step)
      kernels->add(hi - lo, u->grads + s * u->n + lo, u->grads + (s + step) * u->n + lo);
}

static bool all_finite(int64_t n, const real *v) {
  for (int64_t i = 0; i < n; i++)
    if (!isfinite((double)v[i])) return false;
  return true;
}

/* Calls f on this member's chunks of the weights. */
typedef void chunk_fn(const trm__kernels *kernels, const trm__update *u, int64_t lo, int64_t hi);
static void each_chunk(trm__backend *be, trm__workspace *ws, const trm__update *u, chunk_fn *f) {
  int64_t first, last;
  trm__lane_share(ws->lane, u->n, TRM__CHUNK, &first, &last);
  for (int64_t lo = first; lo < last; lo += TRM__CHUNK)
    f(cpu_of(be)->kernels, u, lo, last - lo < TRM__CHUNK ? last : lo + TRM__CHUNK);
  trm__lane_barrier(ws->lane);
}

static void op_sum_slots(trm__backend *be, trm__workspace *ws, const trm__update *u) {
  each_chunk(be, ws, u, add_slots);
}

/* A weight that is not finite counts here, for a token that does not occur keeps a bad row of its
 * embedding out of the loss. */
static void finish_chunk(const trm__kernels *kernels, const trm__update *u, int64_t lo,
                         int64_t hi) {
  double norm = kernels->scale_norm(hi - lo, u->grads + lo, (real)(1.0 / u->rows));
  u->partial_norms[lo / TRM__CHUNK] = all_finite(hi - lo, u->params + lo) ? norm : NAN;
}

static void find_totals(const trm__update *u) {
  double sum = 0, loss = 0;
  for (int64_t i = 0; i < (u->n + TRM__CHUNK - 1) / TRM__CHUNK; i++) sum += u->partial_norms[i];
  for (int r = 0; r < u->rows; r++)
    loss += u->loss[r].lm + u->loss[r].q_halt + u->loss[r].q_continue + u->loss[r].constraint;
  u->totals->grad_norm = sqrt(sum);
  u->totals->apply = isfinite(sum) && isfinite(loss);
}

static double clip_factor(const trm__update *u) {
  return u->clip / (u->totals->grad_norm + 1e-6);
}
static void clip_chunk(const trm__kernels *kernels, const trm__update *u, int64_t lo, int64_t hi) {
  kernels->scale_norm(hi - lo, u->grads + lo, (real)clip_factor(u));
}

static void op_finish_grads(trm__backend *be, trm__workspace *ws, const trm__update *u) {
  each_chunk(be, ws, u, finish_chunk);
  if (ws->lane->rank == 0) find_totals(u);
  trm__lane_barrier(ws->lane);
  if (u->clip > 0 && u->totals->apply && clip_factor(u) < 1) each_chunk(be, ws, u, clip_chunk);
}

/* --- optimisers ------------------------------------------------------------------------------ */

/* The weights and their EMA in one pass, chunk by chunk of each segment. */
static void elementwise(const trm__kernels *kernels, trm__workspace *ws, const trm__update *u,
                        const trm__group *g, trm__step_fn *step) {
  for (int i = 0; i < g->n_segments; i++) {
    const trm__segment *s = &g->segments[i];
    int64_t first, last;
    trm__lane_share(ws->lane, s->n, TRM__CHUNK, &first, &last);
    for (int64_t lo = first; lo < last; lo += TRM__CHUNK) {
      int64_t n = last - lo < TRM__CHUNK ? last - lo : TRM__CHUNK, at = s->at + lo;
      real *state[TRM__RULE_STATES];
      for (int j = 0; j < TRM__RULE_STATES; j++)
        state[j] = g->state[j] ? g->state[j] + s->state + lo : NULL;
      step(n, g->figures, u->params + at, u->grads + at, state[0], state[1]);
      if (u->ema) kernels->ema(n, g->figures, u->params + at, u->ema + at);
    }
  }
}

/* Restores the heap below `at` in keys[n]: no key is larger than its parent. */
static void sift_down(int64_t *keys, int at, int n) {
  for (int child; (child = 2 * at + 1) < n; at = child) {
    if (child + 1 < n && keys[child + 1] > keys[child]) child++;
    if (keys[at] >= keys[child]) return;
    int64_t swap = keys[at];
    keys[at] = keys[child];
    keys[child] = swap;
  }
}

/* Rows by puzzle id, equal ids in batch order. A heap sort, because the C library's may allocate.
 */
static void sort_rows(const trm__update *u) {
  int64_t *keys = u->order;
  for (int r = 0; r < u->rows; r++) keys[r] = (int64_t)u->puzzle_ids[r] << 32 | r;
  for (int i = u->rows / 2 - 1; i >= 0; i--) sift_down(keys, i, u->rows);
  for (int end = u->rows - 1; end > 0; end--) {
    int64_t largest = keys[0];
    keys[0] = keys[end];
    keys[end] = largest;
    sift_down(keys, 0, end);
  }
}

/* Sign-SGD on the rows of the puzzle embedding that the batch used, by one member. */
static void sign_rows(trm__backend *be, trm__workspace *ws, const trm__update *u,
                      const trm__group *g) {
  const trm__kernels *kernels = cpu_of(be)->kernels;
  const int E = be->dims.E;
  if (ws->lane->rank != 0) return;
  kernels->scale_norm((int64_t)u->rows * E, u->d_puzzle, (real)(1.0 / u->rows));

  /* Rows of one id after the other: their gradients d are added up, w <- decay w - lr sign(d). */
  sort_rows(u);
  for (int i = 0; i < u->rows;) {
    int32_t id = (int32_t)(u->order[i] >> 32);
    memset(u->sum, 0, (size_t)E * sizeof *u->sum);
    for (; i < u->rows && u->order[i] >> 32 == id; i++)
      kernels->add(E, u->sum, u->d_puzzle + (u->order[i] & 0xffffffff) * E);

    real *w = u->puzzle_emb + (int64_t)id * E;
    for (int j = 0; j < E; j++) {
      real d = u->sum[j];
      w[j] = w[j] * g->figures->decay - g->figures->lr * (real)((d > 0) - (d < 0));
    }
  }
}

/* --- the rules ------------------------------------------------------------------------------- */

/* Those that are more than a kernel's step of each element. */
typedef void rule_fn(trm__backend *, trm__workspace *, const trm__update *, const trm__group *);
static rule_fn *const rules[TRM__RULES] = {
    [TRM_OPT_MUON] = trm__cpu_muon,
    [TRM__RULE_SIGN_ROWS] = sign_rows,
};

static trm__step_fn *step_of(const trm__backend *be, trm__rule rule) {
  return (int)rule < TRM_OPTIMIZERS ? ((const cpu_backend *)be)->kernels->step[rule] : NULL;
}

static bool op_has_rule(const trm__backend *be, trm__rule rule) {
  return step_of(be, rule) || rules[rule];
}

static void op_update(trm__backend *be, trm__workspace *ws, const trm__update *u,
                      const trm__group *g) {
  trm__step_fn *step = step_of(be, g->rule);
  if (u->totals->apply && step) elementwise(cpu_of(be)->kernels, ws, u, g, step);
  if (u->totals->apply && !step) rules[g->rule](be, ws, u, g);
  trm__lane_barrier(ws->lane);
}

void trm__cpu_train_ops(trm__backend_ops *ops) {
  ops->alloc = op_alloc;
  ops->release = op_release;
  ops->put = op_move;
  ops->get = op_move;
  ops->copy = op_move;
  ops->put_latents = op_move_latents;
  ops->get_latents = op_move_latents;
  ops->budget = op_budget;
  ops->run = op_run;
  ops->latent_size = op_latent_size;
  ops->clear = op_clear;
  ops->q_target = op_q_target;
  ops->refill = op_refill;
  ops->halt = op_halt;
  ops->clear_grads = op_clear;
  ops->sum_slots = op_sum_slots;
  ops->finish_grads = op_finish_grads;
  ops->has_rule = op_has_rule;
  ops->update = op_update;
}
