/* Evaluation: by default as the reference does it, where every row runs all supervision steps; or
 * with early exit, where a row that halts makes room for the next example of the file. Metrics are
 * means over rows with at least one label.
 *
 * A row's results do not depend on the others; it is counted when it is finished; counts are whole
 * numbers and losses are added up in the order of the file at the end. So a report is the same bits
 * for any batch, any number of threads and any order in which rows come and go, also when an
 * evaluation is stopped and goes on from its state. */
#include <math.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "eval/arc_votes.h"
#include "eval/evaluation.h"
#include "kernels/loss.h"

enum {
  MAX_BATCH = 1 << 20,
  /* Without a batch size each thread gets rows of about so many positions: a few tiles of the
   * solver, so that no thread waits long for another. */
  POSITIONS_PER_THREAD = 768,
  POSITIONS_PER_DEVICE = 1 << 16, /* a GPU's */
  STATE_SECONDS = 60
};

/* --- scoring --- */

typedef struct score {
  int valid, right;
} score;

static score score_row(const int32_t *answer, const int32_t *labels, int n) {
  score s = {0, 0};
  for (int i = 0; i < n; i++) {
    s.valid += labels[i] >= 0;
    s.right += labels[i] >= 0 && labels[i] == answer[i];
  }
  return s;
}

/* In double; the mean over the labels of a row that count. */
static double row_loss(const trm__evaluation *e, const real *logits, const int32_t *labels) {
  int V = e->shape.vocab_size, valid = 0;
  double sum = 0;
  for (int i = 0; i < e->shape.seq_len; i++) {
    if (labels[i] < 0) continue;
    sum += trm__cross_entropy(e->shape.loss, V, logits + (int64_t)i * V, labels[i], 0, NULL);
    valid++;
  }
  return sum / valid;
}

/* A finished row's scores of all steps; its last one stands for all that it left out. */
static void count_steps(trm__evaluation *e, int row, int valid, int step) {
  const int32_t *history = e->history + (int64_t)row * e->steps;
  for (int i = 0; i < e->steps; i++) {
    int right = history[i < step ? i : step - 1];
    e->right[i * (e->shape.seq_len + (int64_t)1) + valid] += right;
    e->exact[i] += right == valid;
  }
  e->halted[step - 1]++;
}

static trm_status count_row(trm__evaluation *e, const trm_eval_row *r, int row, score s,
                            trm_error *err) {
  int64_t S = e->shape.seq_len, V = e->shape.vocab_size;
  /* The solver's logits are `real`s behind the public type. */
  const real *logits = (const real *)(const void *)trm_solver_logits(e->solver);
  double q = (double)r->q_halt;
  bool exact = s.right == s.valid;
  trm__eval_losses l = {0, 0};
  if (s.valid)
    l = (trm__eval_losses){row_loss(e, logits + row * S * V, r->labels),
                           trm__binary_cross_entropy(q, exact)};
  if (!isfinite(l.lm) || !isfinite(q))
    TRM_FAIL_AT(err, TRM_E_NUMERIC, r->example,
                "example %lld: its logits are NaN or infinite; the model's weights are too large, "
                "take an earlier checkpoint",
                (long long)r->example);
  if (trm_puzzle_has_rules(&e->puzzle)) {
    e->totals->checked++;
    e->totals->valid += trm_puzzle_solves(&e->puzzle, r->inputs, r->answer);
  }
  if (s.valid == 0) return TRM_OK;
  count_steps(e, row, s.valid, r->steps);
  e->loss[r->example] = l;
  e->totals->rows++;
  e->totals->cells += s.valid;
  e->totals->cells_right += s.right;
  e->totals->q_right += (q >= 0) == exact;
  return TRM_OK;
}

/* --- rows come and go --- */

static trm_status add_rows(trm__evaluation *e, trm_error *err) {
  int64_t S = e->shape.seq_len;
  for (int row; (row = trm_solver_rows(e->solver)) < e->batch && e->next < e->total; e->next++) {
    if (e->done[e->next]) continue;
    trm_dataset_example(e->data, e->next, e->inputs + row * S, e->labels + row * S, &e->id[row]);
    e->example[row] = e->next;
    /* Without a table of embeddings any id will do. */
    TRM_TRY(trm_solver_add(e->solver, e->inputs + row * S,
                           e->shape.puzzle_emb_ndim ? e->id[row] : 0, err));
  }
  return TRM_OK;
}

static void move(int32_t *rows, int64_t length, int to, int from) {
  memcpy(rows + to * length, rows + from * length, (size_t)length * sizeof *rows);
}

static void remove_row(trm__evaluation *e, int row) {
  trm_solver_remove(e->solver, row);
  int last = trm_solver_rows(e->solver);
  if (row == last) return;
  e->example[row] = e->example[last];
  e->id[row] = e->id[last];
  move(e->inputs, e->shape.seq_len, row, last);
  move(e->labels, e->shape.seq_len, row, last);
  move(e->history, e->steps, row, last);
}

static trm_status finish_row(trm__evaluation *e, int row, const int32_t *answer, score s, int step,
                             trm_error *err) {
  const trm_eval_config *c = e->config;
  int64_t S = e->shape.seq_len;
  const trm_eval_row r = {.example = e->example[row],
                          .puzzle_id = e->id[row],
                          .inputs = e->inputs + row * S,
                          .labels = e->labels + row * S,
                          .answer = answer,
                          .q_halt = trm_solver_q_halt(e->solver)[row],
                          .steps = step};
  TRM_TRY(count_row(e, &r, row, s, err));
  if (c->row) TRM_TRY(c->row(c->row_arg, &r, err));
  if (c->votes)
    TRM_TRY(trm_arc_votes_add(c->votes, e->first_order + r.example, r.puzzle_id, e->puzzle.rows,
                              r.inputs, answer, (double)r.q_halt, err));
  e->done[r.example] = 1;
  e->n_done++;
  remove_row(e, row);
  return TRM_OK;
}

/* A row after a supervision step. */
static trm_status take_row(trm__evaluation *e, int row, trm_error *err) {
  const trm_eval_config *c = e->config;
  int64_t S = e->shape.seq_len;
  const int32_t *answer = trm_solver_answer(e->solver) + row * S;
  int step = trm_solver_steps_taken(e->solver)[row];
  bool halts = c->halt == TRM_HALT_Q && trm_solver_halt_margin(e->solver, row) > c->halt_margin;
  score s = score_row(answer, e->labels + row * S, (int)S);
  e->history[row * (int64_t)e->steps + step - 1] = s.right;
  return halts || step == e->steps ? finish_row(e, row, answer, s, step, err) : TRM_OK;
}

/* --- between steps --- */

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static trm_status save_state(trm__evaluation *e, trm_error *err) {
  const trm_eval_config *c = e->config;
  if (c->state_sync) TRM_TRY(c->state_sync(c->row_arg, err));
  TRM_TRY(trm__eval_state_save(e, err));
  e->saved_at = now();
  return TRM_OK;
}

static trm_status stop(trm__evaluation *e, trm_error *err) {
  const char *state = e->config->state;
  if (state) TRM_TRY(save_state(e, err));
  TRM_FAIL(err, TRM_E_INTERRUPTED, "stopped after %lld of %lld examples%s%.300s",
           (long long)e->n_done, (long long)e->total, state ? "; they are kept in " : "",
           state ? state : "");
}

static trm_status tell_progress(trm__evaluation *e, trm_error *err) {
  const trm_eval_config *c = e->config;
  int64_t taken = 0;
  for (int row = 0; row < trm_solver_rows(e->solver); row++)
    taken += trm_solver_steps_taken(e->solver)[row];
  if (c->progress && !c->progress(c->progress_arg, e->n_done + taken / e->steps, e->total))
    return stop(e, err);
  double seconds = c->state_seconds > 0 ? c->state_seconds : STATE_SECONDS;
  return c->state && now() - e->saved_at > seconds ? save_state(e, err) : TRM_OK;
}

static trm_status run_all(trm__evaluation *e, trm_error *err) {
  for (;;) {
    TRM_TRY(add_rows(e, err));
    if (trm_solver_rows(e->solver) == 0) return TRM_OK;
    TRM_TRY(trm_solver_step(e->solver, err));
    for (int row = trm_solver_rows(e->solver) - 1; row >= 0; row--) TRM_TRY(take_row(e, row, err));
    TRM_TRY(tell_progress(e, err));
  }
}

/* From the state if there is one, to the state if one is wanted. */
static trm_status run(trm__evaluation *e, trm_error *err) {
  bool found = false;
  if (e->config->state) TRM_TRY(trm__eval_state_open(e, &found, err));
  if (found) TRM_TRY(tell_progress(e, err));
  if (e->n_done == e->total) return TRM_OK;
  TRM_TRY(run_all(e, err));
  return e->config->state ? save_state(e, err) : TRM_OK;
}

/* --- set-up --- */

static trm_status check_config(const trm_eval_config *c, trm_error *err) {
  if (c->limit < 0 || c->steps < 0 || c->steps > TRM_EVAL_MAX_STEPS || c->batch < 0 ||
      c->batch > MAX_BATCH || c->threads < 0)
    TRM_FAIL(
        err, TRM_E_ARGUMENT,
        "limit = %lld, steps = %d, batch = %d, threads = %d: expected none negative, at most %d "
        "steps and a batch of at most %d",
        (long long)c->limit, c->steps, c->batch, c->threads, TRM_EVAL_MAX_STEPS, MAX_BATCH);
  if ((c->halt != TRM_HALT_NEVER && c->halt != TRM_HALT_Q) || !isfinite(c->halt_margin))
    TRM_FAIL(err, TRM_E_ARGUMENT,
             "halt = %d, halt_margin = %g: expected TRM_HALT_NEVER or TRM_HALT_Q and a finite "
             "number",
             (int)c->halt, c->halt_margin);
  if (c->votes && c->state && (c->votes->n || c->votes->blank || c->votes->foreign))
    TRM_FAIL(err, TRM_E_ARGUMENT, "votes: an evaluation with a state wants them empty");
  return TRM_OK;
}

static trm_status check_agreement(const trm_model_config *m, const trm_dataset_info *d,
                                  trm_error *err) {
  if (m->seq_len != d->seq_len || m->vocab_size != d->vocab_size)
    TRM_FAIL(err, TRM_E_SHAPE,
             "the data have seq_len %d and vocab_size %d, the model %d and %d: evaluate a model on "
             "the kind of data that it was trained on",
             d->seq_len, d->vocab_size, m->seq_len, m->vocab_size);
  if (m->puzzle.kind != TRM_PUZZLE_NONE && d->puzzle.kind != TRM_PUZZLE_NONE &&
      (m->puzzle.kind != d->puzzle.kind || m->puzzle.rows != d->puzzle.rows))
    TRM_FAIL(err, TRM_E_SHAPE,
             "the data are of kind %s with %d x %d cells, the model is for %s with %d x %d: "
             "evaluate a model on the kind of data that it was trained on",
             trm_puzzle_kind_name(d->puzzle.kind), d->puzzle.rows, d->puzzle.cols,
             trm_puzzle_kind_name(m->puzzle.kind), m->puzzle.rows, m->puzzle.cols);
  if (m->puzzle_emb_ndim > 0 && d->num_puzzle_identifiers > m->num_puzzle_identifiers)
    TRM_FAIL(err, TRM_E_SHAPE,
             "the data have %d puzzle ids, the model only knows %d: an id that was not trained has "
             "no embedding; `trm finetune MODEL --task FILE.json` trains a new task",
             d->num_puzzle_identifiers, m->num_puzzle_identifiers);
  return TRM_OK;
}

static trm_status choose_batch(const trm_model *model, const trm_eval_config *c, int64_t total,
                               int *batch, trm_error *err) {
  trm_model_cost cost;
  TRM_TRY(trm_model_cost_of(trm_model_get_config(model), &cost, err));
  int64_t threads = c->threads ? c->threads : trm_default_threads();
  int64_t each = POSITIONS_PER_THREAD / cost.positions, rows = threads * (each > 1 ? each : 1);
  if (trm_device_resolve(c->device, NULL).kind != TRM_DEVICE_CPU)
    rows = POSITIONS_PER_DEVICE / cost.positions + 1;
  if (c->batch) rows = c->batch;
  if (rows > MAX_BATCH) rows = MAX_BATCH;
  *batch = (int)(rows < total ? rows : total > 0 ? total : 1);
  return TRM_OK;
}

static trm_status evaluation_alloc(trm__evaluation *e, trm_error *err) {
  size_t S = (size_t)e->shape.seq_len, B = (size_t)e->batch, steps = (size_t)e->steps;
  TRM_ALLOC(&e->example, B, "the examples of a batch", err);
  TRM_ALLOC(&e->id, B, "the examples of a batch", err);
  TRM_ALLOC(&e->inputs, B * S, "the inputs of a batch", err);
  TRM_ALLOC(&e->labels, B * S, "the labels of a batch", err);
  TRM_ALLOC(&e->history, B * steps, "the scores of a batch", err);
  TRM_ALLOC(&e->done, e->total, "a mark for each example", err);
  TRM_ALLOC(&e->loss, e->total, "the losses of all examples", err);
  TRM_ALLOC(&e->exact, steps, "the counts of each step", err);
  TRM_ALLOC(&e->halted, steps, "the counts of each step", err);
  TRM_ALLOC(&e->right, steps * (S + 1), "the counts of each step", err);
  TRM_ALLOC(&e->totals, 1, "the counts", err);
  return TRM_OK;
}

static trm_status evaluation_begin(trm__evaluation *e, trm_error *err) {
  const trm_dataset_info *d = trm_dataset_get_info(e->data);
  const trm_eval_config *c = e->config;
  TRM_TRY(check_config(c, err));
  TRM_TRY(check_agreement(&e->shape, d, err));
  e->puzzle = d->puzzle.kind == TRM_PUZZLE_NONE ? e->shape.puzzle : d->puzzle;
  if (c->votes && e->puzzle.kind != TRM_PUZZLE_ARC)
    TRM_FAIL(err, TRM_E_ARGUMENT, "votes: the data are no ARC tasks");
  e->steps = c->steps ? c->steps : e->shape.halt_max_steps;
  e->total = c->limit && c->limit < d->examples ? c->limit : d->examples;
  e->first_order = c->votes ? trm__arc_votes_next(c->votes) : 0;
  e->saved_at = now();
  TRM_TRY(choose_batch(e->model, c, e->total, &e->batch, err));
  TRM_TRY(evaluation_alloc(e, err));
  return trm_solver_create(
      e->model, &(trm_solver_config){.batch = e->batch, .threads = c->threads, .device = c->device},
      &e->solver, err);
}

static void evaluation_end(trm__evaluation *e) {
  trm_solver_free(e->solver);
  trm__free(e->example);
  trm__free(e->id);
  trm__free(e->inputs);
  trm__free(e->labels);
  trm__free(e->history);
  trm__free(e->done);
  trm__free(e->loss);
  trm__free(e->exact);
  trm__free(e->halted);
  trm__free(e->right);
  trm__free(e->totals);
}

/* --- the report --- */

static trm_eval_step step_report(const trm__evaluation *e, int i, double n) {
  const int64_t *right = e->right + i * (e->shape.seq_len + (int64_t)1);
  double shares = 0;
  for (int valid = 1; valid <= e->shape.seq_len; valid++) shares += (double)right[valid] / valid;
  return (trm_eval_step){shares / n, (double)e->exact[i] / n, e->halted[i]};
}

static int64_t count_untrained(const trm__evaluation *e) {
  int32_t id, blank = trm_dataset_get_info(e->data)->blank_identifier_id;
  int64_t untrained = 0;
  for (int64_t i = 0; i < e->total; i++) {
    trm_dataset_example(e->data, i, NULL, NULL, &id);
    untrained += id != blank && !trm_model_puzzle_is_trained(e->model, id, blank);
  }
  return untrained;
}

static void make_report(const trm__evaluation *e, trm_eval_report *r) {
  const trm__eval_totals *t = e->totals;
  double n = t->rows > 0 ? (double)t->rows : 1;
  trm__eval_losses sum = {0, 0};
  int64_t taken = 0;
  for (int64_t i = 0; i < e->total; i++) {
    sum.lm += e->loss[i].lm;
    sum.q_halt += e->loss[i].q_halt;
  }
  memset(r, 0, sizeof *r);
  for (int i = 0; i < e->steps; i++) {
    r->step[i] = step_report(e, i, n);
    taken += (i + 1) * e->halted[i];
  }
  const trm_eval_step *last = &r->step[e->steps - 1];
  r->n_steps = e->steps;
  r->examples = t->rows;
  r->exact = e->exact[e->steps - 1];
  r->cells = t->cells;
  r->cells_right = t->cells_right;
  r->accuracy = last->accuracy;
  r->exact_accuracy = last->exact_accuracy;
  r->q_halt_accuracy = (double)t->q_right / n;
  r->lm_loss = sum.lm / n;
  r->q_halt_loss = sum.q_halt / n;
  r->mean_steps = (double)taken / n;
  r->rules = trm_puzzle_has_rules(&e->puzzle);
  r->checked = t->checked;
  r->valid = t->valid;
  r->untrained = count_untrained(e);
  r->exact_interval = trm_wilson((double)r->exact, (double)t->rows);
  r->valid_interval = trm_wilson((double)t->valid, (double)t->checked);
  r->q_halt_interval = trm_wilson((double)t->q_right, (double)t->rows);
  r->cell_interval = trm_wilson((double)t->cells_right, (double)t->cells);
}

trm_status trm_evaluate(const trm_model *model, const trm_dataset *data,
                        const trm_eval_config *config, trm_eval_report *report, trm_error *err) {
  trm__evaluation e = {
      .data = data, .config = config, .model = model, .shape = *trm_model_get_config(model)};
  trm_status st;
  TRM_GOTO(evaluation_begin(&e, err));
  TRM_GOTO(run(&e, err));
  make_report(&e, report);
done:
  evaluation_end(&e);
  return st;
}
