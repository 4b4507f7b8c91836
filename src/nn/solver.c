/* Inference on a batch: rows are split into tiles; with at least as many tiles as threads every
 * thread is a team of its own, else all threads are one team on each tile. Rows 0 .. rows - 1 are
 * always the ones in use, so that a step never computes an empty row. */
#include "trm/solver.h"

#include <string.h>

#include "base/memory.h"
#include "base/team.h"
#include "nn/carry.h"
#include "trm.h"

/* Positions of a tile: enough for full register tiles, few enough to stay in the cache. */
enum { TILE_POSITIONS = 384 };

struct trm_solver {
  const trm_model *model;
  trm__pool *pool;
  trm__backend *be;
  trm__carry *carry;
  int batch, rows, tile, n_walkers;
  trm__walker **walkers; /* one per thread, with memory for a team of all in the first */
  real *logits, *q;      /* [batch, S, V], [batch, 2] */
  float *q_halt, *q_continue;
  int32_t *answer;
};

static void pack_lane(void *arg, trm__lane *lane) {
  trm_solver *s = arg;
  s->be->ops->pack(s->be, lane, s->model->params);
}

static trm_status solver_memory(trm_solver *s, trm_error *err) {
  const trm__dims *m = &s->model->layout->dims;
  size_t n = (size_t)s->batch, cells = n * (size_t)m->S;
  TRM_ALLOC(&s->logits, cells * (size_t)m->V, "logits", err);
  TRM_ALLOC(&s->q, 2 * n, "q", err);
  TRM_ALLOC(&s->q_halt, n, "q", err);
  TRM_ALLOC(&s->q_continue, n, "q", err);
  TRM_ALLOC(&s->answer, cells, "answers", err);
  TRM_ALLOC(&s->walkers, s->n_walkers, "walkers", err);
  for (int i = 0; i < s->n_walkers; i++)
    TRM_TRY(trm__walker_create(s->model->layout, s->be, s->tile,
                               i == 0 ? trm__pool_threads(s->pool) : 1, false, &s->walkers[i],
                               err));
  return trm__carry_create(s->model, s->batch, &s->carry, err);
}

trm_status trm_solver_create(const trm_model *model, const trm_solver_config *config,
                             trm_solver **out, trm_error *err) {
  const trm__layout *l = model->layout;
  trm_solver *s;
  trm_status st;
  if (config->batch < 0 || config->batch > 1 << 20 || config->threads < 0)
    TRM_FAIL(err, TRM_E_ARGUMENT, "batch = %d, threads = %d: expected 0 to %d, 0 or more",
             config->batch, config->threads, 1 << 20);
  TRM_ALLOC(&s, 1, "a solver", err);
  s->model = model;
  s->batch = config->batch ? config->batch : 1;
  int threads = config->threads ? config->threads : trm_default_threads();
  TRM_GOTO(trm__pool_create(threads, &s->pool, err));
  TRM_GOTO(trm__cpu_create(&l->dims, &l->outer, l->blocks, l->n_blocks, false, &s->be, err));
  s->tile = TILE_POSITIONS / l->dims.L > 1 ? TILE_POSITIONS / l->dims.L : 1;
  s->n_walkers = threads;
  TRM_GOTO(solver_memory(s, err));
  trm__pool_run(s->pool, 1, pack_lane, s);
  *out = s;
  return TRM_OK;
done:
  trm_solver_free(s);
  return st;
}

void trm_solver_free(trm_solver *s) {
  if (!s) return;
  for (int i = 0; s->walkers && i < s->n_walkers; i++) trm__walker_free(s->walkers[i]);
  trm__free(s->walkers);
  trm__carry_free(s->carry);
  if (s->be) s->be->ops->destroy(s->be);
  trm__pool_free(s->pool);
  trm__free(s->logits);
  trm__free(s->q);
  trm__free(s->q_halt);
  trm__free(s->q_continue);
  trm__free(s->answer);
  trm__free(s);
}

trm_status trm_solver_start(trm_solver *s, int n, const int32_t *inputs, const int32_t *puzzle_ids,
                            trm_error *err) {
  if (n < 1 || n > s->batch)
    TRM_FAIL(err, TRM_E_ARGUMENT, "%d puzzles at once, but the solver was made for 1 to %d", n,
             s->batch);
  TRM_TRY(trm__carry_check(s->carry, n, NULL, inputs, NULL, puzzle_ids, err));
  s->rows = n;
  for (int r = 0; r < n; r++)
    trm__carry_refill(s->carry, r, inputs + (int64_t)r * s->model->layout->dims.S, NULL,
                      puzzle_ids ? puzzle_ids[r] : 0);
  return TRM_OK;
}

trm_status trm_solver_add(trm_solver *s, const int32_t *inputs, int32_t puzzle_id, trm_error *err) {
  if (s->rows == s->batch)
    TRM_FAIL(
        err, TRM_E_ARGUMENT,
        "all %d rows of the solver are taken: remove one, or make a solver with a larger batch",
        s->batch);
  TRM_TRY(trm__carry_check_row(s->carry, s->rows, inputs, NULL, puzzle_id, err));
  trm__carry_refill(s->carry, s->rows++, inputs, NULL, puzzle_id);
  return TRM_OK;
}

void trm_solver_remove(trm_solver *s, int row) {
  const trm__dims *m = &s->model->layout->dims;
  int64_t S = m->S, logits = S * m->V;
  int last = --s->rows;
  if (row == last) return;
  trm__carry_move(s->carry, row, last);
  memcpy(s->logits + row * logits, s->logits + last * logits, (size_t)logits * sizeof *s->logits);
  memcpy(s->answer + row * S, s->answer + last * S, (size_t)S * sizeof *s->answer);
  s->q_halt[row] = s->q_halt[last];
  s->q_continue[row] = s->q_continue[last];
}

/* The public view of a tile's results. */
static void read_results(trm_solver *s, int first, int n) {
  const trm__dims *m = &s->model->layout->dims;
  for (int64_t i = (int64_t)first * m->S; i < (int64_t)(first + n) * m->S; i++) {
    const real *x = s->logits + i * m->V;
    int best = 0;
    for (int v = 1; v < m->V; v++)
      if (x[v] > x[best]) best = v;
    s->answer[i] = best;
  }
  for (int r = first; r < first + n; r++) {
    s->q_halt[r] = (float)s->q[2 * r];
    s->q_continue[r] = (float)s->q[2 * r + 1];
    s->carry->steps[r]++;
  }
}

/* As few tiles as hold the rows, and as many for one team as for another. */
static int tile_count(const trm_solver *s, int teams) {
  int tiles = (s->rows + s->tile - 1) / s->tile;
  return (tiles + teams - 1) / teams * teams;
}

/* Tiles go round the teams; rows are spread evenly over the tiles. */
static void step_lane(void *arg, trm__lane *lane) {
  trm_solver *s = arg;
  const trm__dims *m = &s->model->layout->dims;
  int tiles = tile_count(s, lane->n_teams);
  for (int i = lane->team; i < tiles; i += lane->n_teams) {
    int first = (int)((int64_t)s->rows * i / tiles);
    int n = (int)((int64_t)s->rows * (i + 1) / tiles) - first;
    if (n == 0) continue;
    trm__tile t = trm__carry_tile(s->carry, first, n);
    t.logits = s->logits + (int64_t)first * m->S * m->V;
    t.q = s->q + 2 * first;
    trm__walk_infer(s->walkers[lane->team], lane, &t);
    if (lane->rank == 0) read_results(s, first, n);
  }
}

void trm_solver_step(trm_solver *s) {
  int threads = trm__pool_threads(s->pool);
  trm__pool_run(s->pool, tile_count(s, 1) >= threads ? threads : 1, step_lane, s);
}

int64_t trm_solver_bytes(const trm_solver *s) {
  const trm__layout *l = s->model->layout;
  int64_t cells = (int64_t)s->batch * l->dims.S;
  int64_t bytes = s->be->ops->held_bytes(s->be) + trm__carry_bytes(l, s->batch);
  for (int i = 0; i < s->n_walkers; i++)
    bytes += trm__walker_bytes(l, s->be, s->tile, i == 0 ? s->n_walkers : 1, false);
  return bytes + (int64_t)sizeof(real) * (cells * l->dims.V + 2 * s->batch) +
         (int64_t)sizeof(float) * 2 * s->batch + (int64_t)sizeof(int32_t) * cells;
}

int trm_solver_rows(const trm_solver *s) {
  return s->rows;
}
const int32_t *trm_solver_steps_taken(const trm_solver *s) {
  return s->carry->steps;
}
const int32_t *trm_solver_answer(const trm_solver *s) {
  return s->answer;
}
const float *trm_solver_q_halt(const trm_solver *s) {
  return s->q_halt;
}
const float *trm_solver_q_continue(const trm_solver *s) {
  return s->q_continue;
}
double trm_solver_halt_margin(const trm_solver *s, int row) {
  bool q_continue = !s->model->config.no_ACT_continue;
  return (double)s->q_halt[row] - (q_continue ? (double)s->q_continue[row] : 0);
}
int trm_solver_latent_count(const trm_solver *s) {
  return s->model->layout->plan->n_latents;
}

/* float in the library; the double build only hands the address through. */
const float *trm_solver_logits(const trm_solver *s) {
  return (const float *)(const void *)s->logits;
}
const float *trm_solver_latent(const trm_solver *s, int i, const char **name) {
  if (i < 0 || i >= trm_solver_latent_count(s)) return NULL;
  if (name) *name = s->model->layout->plan->latent[i];
  return (const float *)(const void *)s->carry->z[i];
}
