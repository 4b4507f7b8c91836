/* A queue of puzzles over a solver: three lines of places (free, waiting, done), and the places of
 * the solver's rows. */
#include "trm/queue.h"

#include <math.h>
#include <string.h>

#include "base/cpus.h"
#include "base/memory.h"
#include "base/room.h"
#include "nn/model.h"

enum {
  MAX_PLACES = 1 << 20,
  MAX_GROUP = 1 << 10,
  /* Without a number of rows each thread gets rows of about so many positions: a few tiles of the
   * solver, so that no thread waits long for another. */
  POSITIONS_PER_THREAD = 768,
  POSITIONS_PER_DEVICE = 1 << 16 /* a GPU's */
};

/* Places in a row, first come, first served. */
typedef struct line {
  int *place; /* [places] */
  int n;
} line;

typedef struct queued {
  trm_queue_puzzle puzzle; /* without inputs */
  bool taken;
  int steps; /* taken */
  float q_halt, q_continue;
  double margin; /* after the last step */
  bool halted;
} queued;

struct trm_queue {
  trm_solver *solver;
  int n_places, rows, S, V, trajectory, default_steps;
  bool logits;
  int n_latents; /* decoded; 0: none are */
  queued *places;
  line free, waiting, done;
  int *of_row; /* [rows]: the place of each row of the solver */
  /* By place: */
  int32_t *inputs, *answers; /* [places, S] */
  real *kept_logits;         /* [places, S, V]; NULL: none are kept */
  int32_t *trace;            /* [places, trajectory, S] */
  float *q_trace;            /* [places, trajectory] */
  int32_t *latents;          /* [places, n_latents, S] */
  int32_t *decoded;          /* [rows, S]: one latent of the solver's rows */
};

/* --- lines --- */

static void line_add(line *l, int place) {
  l->place[l->n++] = place;
}

static int line_remove(line *l, int i) {
  const int place = l->place[i];
  l->n--;
  memmove(l->place + i, l->place + i + 1, (size_t)(l->n - i) * sizeof *l->place);
  return place;
}

/* -1: it is not there. */
static int line_find(const line *l, int place) {
  for (int i = 0; i < l->n; i++)
    if (l->place[i] == place) return i;
  return -1;
}

/* --- creation --- */

static trm_status check_config(const trm_queue_config *c, trm_error *err) {
  if (c->rows < 0 || c->rows > MAX_PLACES || c->waiting < 0 || c->waiting > MAX_PLACES ||
      c->puzzles < 0 || c->threads < 0 || c->trajectory < 0 || c->trajectory > TRM_MAX_STEPS)
    TRM_FAIL(
        err, TRM_E_ARGUMENT,
        "rows = %d, waiting = %d, puzzles = %lld, trajectory = %d, threads = %d: expected none "
        "negative, at most %d rows, %d waiting and a trajectory of %d steps",
        c->rows, c->waiting, (long long)c->puzzles, c->trajectory, c->threads, MAX_PLACES,
        MAX_PLACES, TRM_MAX_STEPS);
  if (c->group < 0 || c->group > MAX_GROUP)
    TRM_FAIL(err, TRM_E_ARGUMENT, "group = %d: expected 0 to %d rows", c->group, MAX_GROUP);
  return TRM_OK;
}

/* Of so many rows those whose latents and logits, the queue's copies too, take half of the room at
 * most. */
static int64_t rows_that_fit(const trm_model_config *m, const trm_model_cost *cost,
                             const trm_queue_config *c, int64_t rows) {
  const int64_t logits = (int64_t)m->seq_len * m->vocab_size * (int64_t)sizeof(real);
  const int64_t row = cost->bytes_carry + (1 + m->open_cells + c->logits + c->latents) * logits;
  const int64_t fit = trm__memory_room("").bytes / 2 / row;
  return fit < 1 ? 1 : fit < rows ? fit : rows;
}

static trm_status choose_rows(const trm_model *model, const trm_queue_config *c, int *out,
                              trm_error *err) {
  const trm_model_config *m = trm_model_get_config(model);
  int64_t rows = c->rows;
  if (!rows) {
    trm_model_cost cost;
    TRM_TRY(trm_model_cost_of(m, &cost, err));
    const int64_t each = POSITIONS_PER_THREAD / cost.positions;
    rows = trm__useful_threads(c->threads) * (each > 1 ? each : 1);
    if (trm_device_resolve(c->device, NULL).kind != TRM_DEVICE_CPU)
      rows = POSITIONS_PER_DEVICE / cost.positions + 1;
    else
      rows = rows_that_fit(m, &cost, c, rows);
  }
  if (rows > MAX_PLACES) rows = MAX_PLACES;
  if (c->puzzles && c->puzzles < rows) rows = c->puzzles;
  const int64_t group = c->group ? c->group : 1;
  *out = (int)(rows < group ? group : rows / group * group);
  return TRM_OK;
}

static trm_status queue_memory(trm_queue *q, trm_error *err) {
  const int64_t n = q->n_places, S = q->S, kept = n * q->trajectory;
  TRM_ALLOC(&q->places, n, "the places of a queue", err);
  TRM_ALLOC(&q->free.place, n, "the places of a queue", err);
  TRM_ALLOC(&q->waiting.place, n, "the places of a queue", err);
  TRM_ALLOC(&q->done.place, n, "the places of a queue", err);
  TRM_ALLOC(&q->of_row, q->rows, "the places of a queue", err);
  TRM_ALLOC(&q->inputs, n * S, "the puzzles of a queue", err);
  TRM_ALLOC(&q->answers, n * S, "the answers of a queue", err);
  if (q->logits) TRM_ALLOC(&q->kept_logits, n * S * q->V, "the logits of a queue", err);
  if (q->trajectory) {
    TRM_ALLOC(&q->trace, kept * S, "the trajectories of a queue", err);
    TRM_ALLOC(&q->q_trace, kept, "the trajectories of a queue", err);
  }
  if (!q->n_latents) return TRM_OK;
  TRM_ALLOC(&q->latents, n * q->n_latents * S, "the latents of a queue", err);
  TRM_ALLOC(&q->decoded, q->rows * S, "the latents of a queue", err);
  return trm_solver_decode_latent(q->solver, 0, NULL, NULL, err); /* its memory */
}

trm_status trm_queue_create(const trm_model *model, const trm_queue_config *config, trm_queue **out,
                            trm_error *err) {
  const trm_model_config *m = trm_model_get_config(model);
  trm_queue *q;
  trm_status st;
  *out = NULL;
  TRM_TRY(check_config(config, err));
  TRM_TRY(trm__model_check_weights(model, err));
  TRM_ALLOC(&q, 1, "a queue", err);

  /* Rows that the solver steps at once, and places for those that wait behind them. */
  q->S = m->seq_len;
  q->V = m->vocab_size;
  q->default_steps = m->halt_max_steps;
  q->logits = config->logits;
  q->trajectory = config->trajectory;
  TRM_GOTO(choose_rows(model, config, &q->rows, err));
  q->n_places = q->rows + config->waiting;

  const trm_solver_config solver = {.batch = q->rows,
                                    .threads = config->threads,
                                    .device = config->device,
                                    .noise = config->noise,
                                    .seed = config->seed};
  TRM_GOTO(trm_solver_create(model, &solver, &q->solver, err));
  if (config->latents) q->n_latents = trm_solver_latent_count(q->solver);
  TRM_GOTO(queue_memory(q, err));

  /* All places are free; the first is taken first. */
  for (int i = q->n_places - 1; i >= 0; i--) line_add(&q->free, i);
  *out = q;
  return TRM_OK;
done:
  trm_queue_free(q);
  return st;
}

void trm_queue_free(trm_queue *q) {
  if (!q) return;
  trm_solver_free(q->solver);
  void *blocks[] = {q->places, q->free.place, q->waiting.place, q->done.place,
                    q->of_row, q->inputs,     q->answers,       q->kept_logits,
                    q->trace,  q->q_trace,    q->latents,       q->decoded};
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) trm__free(blocks[i]);
  trm__free(q);
}

int trm_queue_places(const trm_queue *q) {
  return q->n_places;
}
int trm_queue_room(const trm_queue *q) {
  return q->free.n;
}
int trm_queue_busy(const trm_queue *q) {
  return q->waiting.n + trm_solver_rows(q->solver);
}
trm_solver *trm_queue_solver(trm_queue *q) {
  return q->solver;
}

/* --- puzzles come --- */

static trm_status check_puzzle(const trm_queue *q, const trm_queue_puzzle *p, trm_error *err) {
  if (p->steps < 0 || p->steps > TRM_MAX_STEPS)
    TRM_FAIL(err, TRM_E_ARGUMENT, "steps = %d: expected 0 to %d", p->steps, TRM_MAX_STEPS);
  if ((unsigned)p->halt >= TRM_HALTS || !isfinite(p->halt_margin))
    TRM_FAIL(
        err, TRM_E_ARGUMENT,
        "halt = %d, halt_margin = %g: expected a rule of halting, 0 to %d, and a finite number",
        (int)p->halt, p->halt_margin, (int)TRM_HALTS - 1);
  if (q->free.n == 0)
    TRM_FAIL(err, TRM_E_ARGUMENT,
             "all %d places of the queue are taken: step and take answers, or make a queue where "
             "more may wait",
             q->n_places);
  return trm_solver_check(q->solver, p->inputs, p->puzzle_id, err);
}

trm_status trm_queue_submit(trm_queue *q, const trm_queue_puzzle *puzzle, int *out,
                            trm_error *err) {
  const size_t S = (size_t)q->S;
  TRM_TRY(check_puzzle(q, puzzle, err));
  const int at = line_remove(&q->free, q->free.n - 1);
  q->places[at] = (queued){.puzzle = *puzzle, .taken = true};
  if (!puzzle->steps) q->places[at].puzzle.steps = q->default_steps;
  memcpy(q->inputs + (size_t)at * S, puzzle->inputs, S * sizeof *q->inputs);
  line_add(&q->waiting, at);
  if (out) *out = at;
  return TRM_OK;
}

/* Rows that are free are those of the puzzles that have waited longest. */
static trm_status fill_rows(trm_queue *q, trm_error *err) {
  for (int row; q->waiting.n && (row = trm_solver_rows(q->solver)) < q->rows;) {
    const int at = q->waiting.place[0];
    TRM_TRY(trm_solver_add(q->solver, q->inputs + (int64_t)at * q->S,
                           q->places[at].puzzle.puzzle_id, err));
    trm_solver_set_noise_key(q->solver, row, q->places[at].puzzle.noise_key);
    q->of_row[row] = line_remove(&q->waiting, 0);
  }
  return TRM_OK;
}

/* --- and go --- */

static void leave_row(trm_queue *q, int row) {
  trm_solver_remove(q->solver, row);
  q->of_row[row] = q->of_row[trm_solver_rows(q->solver)];
}

/* What is kept of a row after a step. */
static void keep_step(trm_queue *q, int at, int row) {
  const trm_solver *s = q->solver;
  const int64_t S = q->S, step = q->places[at].steps - 1, kept = at * (int64_t)q->trajectory + step;
  if (step >= q->trajectory) return;
  memcpy(q->trace + kept * S, trm_solver_answer(s) + row * S, (size_t)S * sizeof *q->trace);
  q->q_trace[kept] = q->places[at].q_halt;
}

/* What is kept of a row that is done. */
static void keep_answer(trm_queue *q, int at, int row) {
  const trm_solver *s = q->solver;
  const int64_t S = q->S, logits = S * q->V;
  memcpy(q->answers + at * S, trm_solver_answer(s) + row * S, (size_t)S * sizeof *q->answers);
  /* The solver's logits are `real`s behind the public type. */
  const real *all = (const real *)(const void *)trm_solver_logits(s);
  if (q->kept_logits)
    memcpy(q->kept_logits + at * logits, all + row * logits, (size_t)logits * sizeof(real));
}

/* What the latents of all rows read as. */
static trm_status keep_latents(trm_queue *q, trm_error *err) {
  const int64_t S = q->S;
  for (int i = 0; i < q->n_latents; i++) {
    TRM_TRY(trm_solver_decode_latent(q->solver, i, q->decoded, NULL, err));
    for (int row = 0; row < trm_solver_rows(q->solver); row++)
      memcpy(q->latents + (q->of_row[row] * (int64_t)q->n_latents + i) * S, q->decoded + row * S,
             (size_t)S * sizeof *q->latents);
  }
  return TRM_OK;
}

/* After a step of a puzzle, whose margin was `before`. */
static bool halts(const queued *p, double before) {
  const double bar = p->puzzle.halt_margin;
  const bool twice = p->puzzle.halt == TRM_HALT_TWICE;
  return p->puzzle.halt != TRM_HALT_NEVER && p->margin > bar &&
         (!twice || (p->steps > 1 && before > bar));
}

static void take_row(trm_queue *q, int row) {
  const int at = q->of_row[row];
  queued *p = &q->places[at];
  p->steps = trm_solver_steps_taken(q->solver)[row];
  p->q_halt = trm_solver_q_halt(q->solver)[row];
  p->q_continue = trm_solver_q_continue(q->solver)[row];
  const double before = p->margin;
  p->margin = trm_solver_halt_margin(q->solver, row);
  keep_step(q, at, row);

  p->halted = halts(p, before);
  if (!p->halted && p->steps < p->puzzle.steps) return;
  keep_answer(q, at, row);
  leave_row(q, row);
  line_add(&q->done, at);
}

trm_status trm_queue_step(trm_queue *q, trm_error *err) {
  TRM_TRY(fill_rows(q, err));
  TRM_TRY(trm_solver_step(q->solver, err));
  TRM_TRY(keep_latents(q, err));
  for (int row = trm_solver_rows(q->solver) - 1; row >= 0; row--) take_row(q, row);
  return TRM_OK;
}

trm_status trm_queue_cancel(trm_queue *q, int at, trm_error *err) {
  if (at < 0 || at >= q->n_places || !q->places[at].taken)
    TRM_FAIL(err, TRM_E_ARGUMENT, "place %d of the queue holds no puzzle", at);
  const int waits = line_find(&q->waiting, at), done = line_find(&q->done, at);
  if (waits >= 0) line_remove(&q->waiting, waits);
  if (done >= 0) line_remove(&q->done, done);
  for (int row = 0; row < trm_solver_rows(q->solver); row++)
    if (q->of_row[row] == at) leave_row(q, row);
  q->places[at].taken = false;
  line_add(&q->free, at);
  return TRM_OK;
}

/* --- what is known --- */

static trm_queue_answer answer_of(const trm_queue *q, int at) {
  const queued *p = &q->places[at];
  const int64_t S = q->S, kept = at * (int64_t)q->trajectory;
  trm_queue_answer a = {.place = at,
                        .done = true,
                        .row = -1,
                        .steps = p->steps,
                        .halted = p->halted,
                        .margin = p->margin,
                        .inputs = q->inputs + at * S,
                        .answer = q->answers + at * S,
                        .q_halt = p->q_halt,
                        .q_continue = p->q_continue};
  if (q->kept_logits) a.logits = (const float *)(const void *)(q->kept_logits + at * S * q->V);
  if (q->trajectory) {
    a.trajectory = q->trace + kept * S;
    a.q_trajectory = q->q_trace + kept;
  }
  if (q->n_latents) a.latents = q->latents + at * q->n_latents * S;
  return a;
}

bool trm_queue_look(const trm_queue *q, int i, trm_queue_answer *out) {
  const int64_t S = q->S;
  if (i < 0 || i >= trm_solver_rows(q->solver)) return false;
  const real *all = (const real *)(const void *)trm_solver_logits(q->solver);
  *out = answer_of(q, q->of_row[i]);
  out->done = false;
  out->row = i;
  out->answer = trm_solver_answer(q->solver) + i * S;
  out->logits = (const float *)(const void *)(all + i * S * q->V);
  return true;
}

bool trm_queue_take(trm_queue *q, trm_queue_answer *out) {
  if (!q->done.n) return false;
  const int at = line_remove(&q->done, 0);
  *out = answer_of(q, at);
  q->places[at].taken = false;
  line_add(&q->free, at);
  return true;
}
