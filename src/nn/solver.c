/* Inference on a batch. On the CPU rows are split into tiles; with at least as many tiles as
 * threads every thread is a team of its own, else all threads are one team on each tile. Rows 0 ..
 * rows - 1 are always the ones in use, so that a step never computes an empty row. A GPU takes all
 * rows as one tile, or as many as its memory holds. */
#include "trm/solver.h"

#include <string.h>

#include "base/cpus.h"
#include "base/memory.h"
#include "base/room.h"
#include "base/team.h"
#include "nn/carry.h"
#include "nn/weights.h"
#include "trm.h"

/* Positions of a tile: enough for full register tiles, few enough to stay in the cache. */
enum { TILE_POSITIONS = 384 };

struct trm_solver {
  const trm_model *model;
  trm__pool *pool;
  trm__backend *be;
  trm__weights weights;
  trm__carry *carry;
  int batch, rows, tile, n_walkers;
  trm__walker **walkers;  /* one per thread, with memory for a team of all in the first */
  real *logits, *q;       /* [batch, seq_len, V], [batch, 2] */
  real *found;            /* [batch, S, V] the head's: the logits, but with open_cells */
  real *at_logits, *at_q; /* the backend's found and q: the same on the CPU */
  int32_t *inputs;        /* [batch, seq_len] with open_cells, else NULL */
  real *latent;           /* [batch, L, D] a copy of a GPU's, once somebody wants it */
  real *decoded;          /* logits and q of any latent, one behind the other, once … */
  real *decoded_cells;    /* [batch, seq_len, V] with open_cells, else NULL */
  real *at_decoded;       /* the backend's: the same on the CPU */
  int decoding;           /* which latent */
  double noise;           /* 0: none */
  uint64_t seed;          /* of all draws */
  trm__noise *keys;       /* [batch]; NULL: nothing is drawn */
  trm__noise *at_keys;    /* the backend's, of the next step */
  int32_t *next;          /* [batch]: which step of each row that is; NULL: starts are no draws */
  float *q_halt, *q_continue;
  int32_t *answer, *steps; /* [batch, seq_len], [batch] */
};

static void pack_lane(void *arg, trm__lane *lane) {
  trm_solver *s = arg;
  s->be->ops->pack(s->be, lane, s->weights.params);
}
static void pack_program(void *arg) {
  trm_solver *s = arg;
  trm__pool_run(s->pool, 1, pack_lane, s);
}

static trm_status device_memory(trm_solver *s, int64_t logits, int64_t B, trm_error *err) {
  s->at_logits = s->found;
  s->at_q = s->q;
  if (s->be->ops->host) return TRM_OK;
  s->at_logits = s->at_q = NULL;
  TRM_TRY(trm__backend_alloc(s->be, logits, sizeof(real), "logits", &s->at_logits, err));
  TRM_TRY(trm__backend_alloc(s->be, 2 * B, sizeof(real), "q", &s->at_q, err));
  return TRM_OK;
}

/* Rows of a tile: as many as a GPU has memory for, at least one. */
static int device_tile(const trm_solver *s) {
  const trm__layout *l = s->model->layout;
  int64_t budget = s->be->ops->budget(s->be);
  int tile = s->batch;
  while (tile > 1 && trm__walker_bytes(l, s->be, tile, 1, false) > budget) tile = (tile + 1) / 2;
  return tile;
}

/* Whether its rows have keys: of noise, or of what the model itself draws. */
static bool draws(const trm_solver *s) {
  return s->noise > 0 || trm__plan_draws(s->model->layout->plan);
}

static trm_status solver_memory(trm_solver *s, trm_error *err) {
  const trm__dims *dims = &s->model->layout->dims;
  const int64_t B = s->batch, cells = B * s->model->config.seq_len, found = B * dims->S * dims->V;
  TRM_ALLOC(&s->logits, cells * dims->V, "logits", err);
  s->found = s->logits;
  if (dims->grid_cells) {
    s->found = NULL;
    TRM_ALLOC(&s->found, found, "logits", err);
    TRM_ALLOC(&s->inputs, cells, "puzzles", err);
  }
  TRM_ALLOC(&s->q, 2 * B, "q", err);
  TRM_ALLOC(&s->q_halt, B, "q", err);
  TRM_ALLOC(&s->q_continue, B, "q", err);
  TRM_ALLOC(&s->answer, cells, "answers", err);
  TRM_ALLOC(&s->steps, B, "steps", err);

  if (draws(s)) {
    TRM_ALLOC(&s->keys, B, "keys of noise", err);
    TRM_TRY(trm__backend_alloc(s->be, B, sizeof *s->keys, "keys of noise", &s->at_keys, err));
  }
  if (s->model->layout->plan->start > 0) TRM_ALLOC(&s->next, B, "steps", err);

  /* The backend's: weights, the state of all rows, and what each team works in. */
  TRM_TRY(device_memory(s, found, B, err));
  TRM_TRY(trm__weights_create(s->be, s->model, &s->weights, err));
  TRM_TRY(trm__carry_create(s->model, s->be, &s->weights, s->batch, &s->carry, err));
  if (!s->be->ops->host) s->tile = device_tile(s);
  TRM_ALLOC(&s->walkers, s->n_walkers, "walkers", err);
  for (int i = 0; i < s->n_walkers; i++)
    TRM_TRY(trm__walker_create(s->model->layout, s->be, s->tile,
                               i == 0 ? trm__pool_threads(s->pool) : 1, false, &s->walkers[i],
                               err));
  return TRM_OK;
}

trm_status trm_solver_create(const trm_model *model, const trm_solver_config *config,
                             trm_solver **out, trm_error *err) {
  const trm__layout *l = model->layout;
  trm_solver *s;
  trm_status st;
  *out = NULL;
  if (config->batch < 0 || config->batch > 1 << 20 || config->threads < 0)
    TRM_FAIL(err, TRM_E_ARGUMENT, "batch = %d, threads = %d: expected 0 to %d, 0 or more",
             config->batch, config->threads, 1 << 20);
  if (!(config->noise >= 0) || !(config->noise <= TRM_MAX_NOISE))
    TRM_FAIL(err, TRM_E_ARGUMENT, "noise = %g: expected a standard deviation, 0 to %g",
             config->noise, TRM_MAX_NOISE);

  TRM_TRY(trm__model_check_weights(model, err));
  TRM_ALLOC(&s, 1, "a solver", err);
  s->model = model;
  s->batch = config->batch ? config->batch : 1;
  s->noise = config->noise;
  s->seed = config->seed;

  /* The backend, its threads, and rows in tiles. */
  int threads = trm__useful_threads(config->threads);
  TRM_GOTO(trm__backend_create(config->device, &l->dims, &l->outer, l->blocks, l->n_blocks, false,
                               &s->be, err));
  if (!s->be->ops->host) threads = 1; /* it only hands out work */
  TRM_GOTO(trm__pool_create(threads, &s->pool, err));
  s->tile = TILE_POSITIONS / l->dims.L > 1 ? TILE_POSITIONS / l->dims.L : 1;
  s->n_walkers = threads;

  /* Memory, refused where there is no room for it, and the weights as the products read them. */
  if (s->be->ops->host)
    TRM_GOTO(trm__room_for(trm_solver_bytes(s) - s->be->ops->held_bytes(s->be),
                           "the rows of a solver", "a smaller batch takes less", err));
  TRM_GOTO(solver_memory(s, err));
  TRM_GOTO(s->be->ops->run(s->be, pack_program, s, -1, err));
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
  if (s->be) {
    trm__weights_free(s->be, &s->weights);
    if (!s->be->ops->host) s->be->ops->release(s->be, s->at_logits);
    if (!s->be->ops->host) s->be->ops->release(s->be, s->at_q);
    if (!s->be->ops->host) s->be->ops->release(s->be, s->at_decoded);
    s->be->ops->release(s->be, s->at_keys);
    s->be->ops->destroy(s->be);
  }
  if (s->found != s->logits) trm__free(s->found);
  trm__free(s->inputs);
  trm__free(s->latent);
  trm__free(s->decoded);
  trm__free(s->decoded_cells);
  trm__free(s->steps);
  trm__free(s->keys);
  trm__free(s->next);
  trm__pool_free(s->pool);
  trm__free(s->logits);
  trm__free(s->q);
  trm__free(s->q_halt);
  trm__free(s->q_continue);
  trm__free(s->answer);
  trm__free(s);
}

static void refill(trm_solver *s, int first, int n, const int32_t *inputs, const int32_t *ids) {
  trm__lane lane = {0, 1, 0, 1, NULL};
  trm__workspace ws = {.lane = &lane};
  const size_t cells = (size_t)s->model->config.seq_len;
  if (s->inputs)
    memcpy(s->inputs + (size_t)first * cells, inputs, (size_t)n * cells * sizeof *inputs);
  trm__carry_offer(s->carry, first, n, inputs, NULL, ids);
  trm__carry_halt(s->carry, first, n);
  s->be->ops->refill(s->be, &ws, &s->carry->rows, &s->carry->fresh, first, n, 0);
  memset(s->steps + first, 0, (size_t)n * sizeof *s->steps);
  for (int r = first; r < first + n; r++) trm_solver_set_noise_key(s, r, 0);
}

void trm_solver_set_noise_key(trm_solver *s, int row, uint64_t key) {
  if (s->keys) s->keys[row] = (trm__noise){.seed = s->seed, .first = key};
}

trm_status trm_solver_start(trm_solver *s, int n, const int32_t *inputs, const int32_t *puzzle_ids,
                            trm_error *err) {
  if (n < 1 || n > s->batch)
    TRM_FAIL(err, TRM_E_ARGUMENT, "%d puzzles at once, but the solver was made for 1 to %d", n,
             s->batch);
  TRM_TRY(trm__carry_check(s->carry, n, NULL, inputs, NULL, puzzle_ids, err));
  s->rows = n;
  refill(s, 0, n, inputs, puzzle_ids);
  return TRM_OK;
}

trm_status trm_solver_check(const trm_solver *s, const int32_t *inputs, int32_t puzzle_id,
                            trm_error *err) {
  return trm__carry_check_row(s->carry, s->rows, inputs, NULL, puzzle_id, err);
}

trm_status trm_solver_add(trm_solver *s, const int32_t *inputs, int32_t puzzle_id, trm_error *err) {
  if (s->rows == s->batch)
    TRM_FAIL(
        err, TRM_E_ARGUMENT,
        "all %d rows of the solver are taken: remove one, or make a solver with a larger batch",
        s->batch);
  TRM_TRY(trm_solver_check(s, inputs, puzzle_id, err));
  refill(s, s->rows++, 1, inputs, &puzzle_id);
  return TRM_OK;
}

void trm_solver_remove(trm_solver *s, int row) {
  const trm__dims *dims = &s->model->layout->dims;
  int64_t S = s->model->config.seq_len, logits = S * dims->V;
  int last = --s->rows;
  if (row == last) return;
  trm__carry_move(s->carry, row, last);
  if (s->inputs) memcpy(s->inputs + row * S, s->inputs + last * S, (size_t)S * sizeof *s->inputs);
  memcpy(s->logits + row * logits, s->logits + last * logits, (size_t)logits * sizeof *s->logits);
  memcpy(s->answer + row * S, s->answer + last * S, (size_t)S * sizeof *s->answer);
  s->steps[row] = s->steps[last];
  if (s->keys) s->keys[row] = s->keys[last];
  s->q_halt[row] = s->q_halt[last];
  s->q_continue[row] = s->q_continue[last];
}

/* tokens [cells] = argmax of logits [cells, V] */
static void read_tokens(int V, int64_t cells, const real *logits, int32_t *tokens) {
  for (int64_t i = 0; i < cells; i++, logits += V) {
    int best = 0;
    for (int v = 1; v < V; v++)
      if (logits[v] > logits[best]) best = v;
    tokens[i] = best;
  }
}

/* What the head found in n rows, as logits of all cells; both start at the solver's first row. */
static void spread(const trm_solver *s, int first, int n, const real *found, real *logits) {
  const trm__dims *dims = &s->model->layout->dims;
  const int64_t cells = s->model->config.seq_len;
  for (int64_t r = first; r < first + n && s->inputs; r++)
    trm__spread_logits(dims, s->carry->wall, s->inputs + r * cells, found + r * dims->S * dims->V,
                       logits + r * cells * dims->V);
}

/* The public view of a tile's results. */
static void read_results(trm_solver *s, int first, int n) {
  const trm__dims *dims = &s->model->layout->dims;
  const int64_t cells = s->model->config.seq_len, at = first * cells;
  spread(s, first, n, s->found, s->logits);
  read_tokens(dims->V, n * cells, s->logits + at * dims->V, s->answer + at);
  for (int r = first; r < first + n; r++) {
    s->q_halt[r] = (float)s->q[2 * r];
    s->q_continue[r] = (float)s->q[2 * r + 1];
    s->steps[r]++;
  }
}

/* As few tiles as hold the rows, and as many for one team as for another. */
static int tile_count(const trm_solver *s, int teams) {
  int tiles = (s->rows + s->tile - 1) / s->tile;
  return (tiles + teams - 1) / teams * teams;
}

/* Rows are spread evenly over the tiles: those of tile i, perhaps none. */
static trm__tile tile_at(const trm_solver *s, int i, int tiles, int *first, real *logits, real *q) {
  const trm__dims *dims = &s->model->layout->dims;
  *first = (int)((int64_t)s->rows * i / tiles);
  trm__tile t =
      trm__carry_tile(s->carry, *first, (int)((int64_t)s->rows * (i + 1) / tiles) - *first);
  t.logits = logits + (int64_t)*first * dims->S * dims->V;
  t.q = q + 2 * *first;
  if (s->keys) t.noise = s->at_keys + *first;
  t.deviation = (real)s->noise;
  return t;
}

/* Tiles go round the teams. */
static void step_lane(void *arg, trm__lane *lane) {
  trm_solver *s = arg;
  int first, tiles = tile_count(s, lane->n_teams);
  for (int i = lane->team; i < tiles; i += lane->n_teams) {
    trm__tile t = tile_at(s, i, tiles, &first, s->at_logits, s->at_q);
    if (t.rows == 0) continue;
    trm__walk_infer(s->walkers[lane->team], lane, &t);
    if (lane->rank == 0 && s->be->ops->host) read_results(s, first, t.rows);
  }
}

static void run_tiles(trm_solver *s, void lane(void *, trm__lane *)) {
  int threads = trm__pool_threads(s->pool);
  trm__pool_run(s->pool, tile_count(s, 1) >= threads ? threads : 1, lane, s);
}

static void step_program(void *arg) {
  run_tiles(arg, step_lane);
}

/* What the rows of the next step draw by. */
static void send_draws(trm_solver *s) {
  const trm__backend_ops *ops = s->be->ops;
  const size_t n = (size_t)s->rows;
  for (size_t r = 0; r < n && s->keys; r++) s->keys[r].row = s->steps[r];
  for (size_t r = 0; r < n && s->next; r++) s->next[r] = s->steps[r] + 1;
  if (s->keys) ops->put(s->be, s->at_keys, s->keys, n * sizeof *s->keys);
  if (s->next) ops->put(s->be, s->carry->rows.steps, s->next, n * sizeof *s->next);
}

trm_status trm_solver_step(trm_solver *s, trm_error *err) {
  const trm__backend_ops *ops = s->be->ops;
  const trm__dims *dims = &s->model->layout->dims;
  if (s->rows == 0) return TRM_OK;
  send_draws(s);
  TRM_TRY(ops->run(s->be, step_program, s, s->rows, err));
  if (ops->host) return TRM_OK;
  ops->get(s->be, s->found, s->at_logits,
           (size_t)s->rows * (size_t)dims->S * (size_t)dims->V * sizeof *s->found);
  ops->get(s->be, s->q, s->at_q, 2 * (size_t)s->rows * sizeof *s->q);
  TRM_TRY(ops->run(s->be, NULL, NULL, s->rows, err));
  read_results(s, 0, s->rows);
  return TRM_OK;
}

/* --- latents, decoded --- */

/* Reals of all rows' logits, rounded up: q is aligned behind them. */
static int64_t logits_size(const trm_solver *s) {
  const trm__dims *dims = &s->model->layout->dims;
  return ((int64_t)s->batch * dims->S * dims->V + 15) / 16 * 16;
}

/* The same tiles as a step's, so that the same latent gives the same bits. */
static void decode_lane(void *arg, trm__lane *lane) {
  trm_solver *s = arg;
  int first, tiles = tile_count(s, lane->n_teams);
  for (int i = lane->team; i < tiles; i += lane->n_teams) {
    trm__tile t = tile_at(s, i, tiles, &first, s->at_decoded, s->at_decoded + logits_size(s));
    if (t.rows) trm__walk_decode(s->walkers[lane->team], lane, &t, s->decoding);
  }
}

static void decode_program(void *arg) {
  run_tiles(arg, decode_lane);
}

static trm_status decode_memory(trm_solver *s, trm_error *err) {
  const int64_t n = logits_size(s) + 2 * s->batch;
  if (!s->decoded) TRM_ALLOC(&s->decoded, n, "the logits of latents", err);
  if (s->inputs && !s->decoded_cells)
    TRM_ALLOC(&s->decoded_cells,
              (int64_t)s->batch * s->model->config.seq_len * s->model->layout->dims.V,
              "the logits of latents", err);
  if (s->be->ops->host) s->at_decoded = s->decoded;
  if (s->at_decoded) return TRM_OK;
  return trm__backend_alloc(s->be, n, sizeof(real), "the logits of latents", &s->at_decoded, err);
}

trm_status trm_solver_decode_latent(trm_solver *s, int i, int32_t *tokens, float *logits,
                                    trm_error *err) {
  const trm__backend_ops *ops = s->be->ops;
  const trm__dims *dims = &s->model->layout->dims;
  const int n_latents = trm_solver_latent_count(s);
  const int64_t cells = (int64_t)s->rows * s->model->config.seq_len;
  if (i < 0 || i >= n_latents)
    TRM_FAIL(err, TRM_E_ARGUMENT, "latent %d, but the model's are 0 to %d", i, n_latents - 1);
  TRM_TRY(decode_memory(s, err));
  if (s->rows == 0) return TRM_OK;

  /* Both heads; a recorded program is that of one latent. */
  s->decoding = i;
  TRM_TRY(ops->run(s->be, decode_program, s, s->rows * n_latents + i, err));
  if (!ops->host) {
    ops->get(s->be, s->decoded, s->at_decoded,
             (size_t)s->rows * (size_t)dims->S * (size_t)dims->V * sizeof *s->decoded);
    TRM_TRY(ops->run(s->be, NULL, NULL, s->rows, err));
  }

  /* What the caller wants of it. */
  const real *all = s->inputs ? s->decoded_cells : s->decoded;
  spread(s, 0, s->rows, s->decoded, s->decoded_cells);
  if (tokens) read_tokens(dims->V, cells, all, tokens);
  for (int64_t k = 0; logits && k < cells * dims->V; k++) logits[k] = (float)all[k];
  return TRM_OK;
}

int64_t trm_solver_bytes(const trm_solver *s) {
  const trm__layout *l = s->model->layout;
  int64_t cells = (int64_t)s->batch * s->model->config.seq_len;
  int64_t bytes = s->be->ops->held_bytes(s->be) + trm__carry_bytes(l, s->be, s->batch) +
                  trm__weights_bytes(s->be, l);
  for (int i = 0; i < s->n_walkers; i++)
    bytes += trm__walker_bytes(l, s->be, s->tile, i == 0 ? s->n_walkers : 1, false);
  return bytes + (int64_t)sizeof(real) * (cells * l->dims.V + 2 * s->batch) +
         (int64_t)sizeof(trm__noise) * 2 * (draws(s) ? s->batch : 0) +
         (int64_t)sizeof(int32_t) * (l->plan->start > 0 ? s->batch : 0) +
         (int64_t)sizeof(float) * 2 * s->batch + (int64_t)sizeof(int32_t) * cells +
         (l->dims.grid_cells ? (int64_t)sizeof(int32_t) * cells +
                                   (int64_t)sizeof(real) * s->batch * l->dims.S * l->dims.V
                             : 0);
}

const char *trm_solver_kernels(const trm_solver *s) {
  return s->be->ops->kernels(s->be);
}
int trm_solver_rows(const trm_solver *s) {
  return s->rows;
}
const int32_t *trm_solver_steps_taken(const trm_solver *s) {
  return s->steps;
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
int trm_solver_answer_latent(const trm_solver *s) {
  return s->model->layout->plan->answer;
}
const char *trm_solver_latent_name(const trm_solver *s, int i) {
  return trm_model_latent(&s->model->config, i);
}

/* float in the library; the double build only hands the address through. */
const float *trm_solver_logits(const trm_solver *s) {
  return (const float *)(const void *)s->logits;
}
const float *trm_solver_latent(trm_solver *s, int i, const char **name) {
  if (i < 0 || i >= trm_solver_latent_count(s)) return NULL;
  if (name) *name = trm_solver_latent_name(s, i);
  if (s->be->ops->host) return (const float *)(const void *)s->carry->rows.z[i];
  const trm__dims *dims = &s->model->layout->dims;
  const int64_t n = (int64_t)s->batch * dims->L * dims->D;
  if (!s->latent) s->latent = trm__alloc((uint64_t)n, sizeof *s->latent);
  if (!s->latent) return NULL;
  s->be->ops->get_latents(s->be, s->rows, s->latent, s->carry->rows.z[i]);
  return s->be->ops->run(s->be, NULL, NULL, s->rows, NULL) == TRM_OK
             ? (const float *)(const void *)s->latent
             : NULL;
}
