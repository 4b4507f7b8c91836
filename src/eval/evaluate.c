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

#include "base/memory.h"
#include "base/os_thread.h"
#include "eval/arc_votes.h"
#include "eval/evaluation.h"
#include "kernels/loss.h"

enum { MAX_BATCH = 1 << 20, STATE_SECONDS = 60 };

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
    sum += trm__cross_entropy(e->shape.loss, V, logits + (int64_t)i * V, labels[i], 0, 0, NULL);
    valid++;
  }
  return sum / valid;
}

/* A finished puzzle's scores of all steps; its last one stands for all that it left out. */
static void count_steps(trm__evaluation *e, int place, int valid, int step) {
  const int32_t *history = e->history + (int64_t)place * e->told;
  for (int i = 0; i < e->told; i++) {
    int right = history[i < step ? i : step - 1];
    e->right[i * (e->shape.seq_len + (int64_t)1) + valid] += right;
    e->exact[i] += right == valid;
  }
  e->halted[step - 1]++;
}

static trm_status count_row(trm__evaluation *e, const trm_eval_row *r, const trm_queue_answer *a,
                            score s, trm_error *err) {
  /* A queue's logits are `real`s behind the public type. */
  const real *logits = (const real *)(const void *)a->logits;
  double q = (double)r->q_halt;
  trm__eval_losses l = {0, 0};
  if (s.valid)
    l = (trm__eval_losses){row_loss(e, logits, r->labels), trm__binary_cross_entropy(q, r->exact)};
  if (!isfinite(l.lm) || !isfinite(q))
    TRM_FAIL_AT(err, TRM_E_NUMERIC, r->example,
                "example %lld: its logits are NaN or infinite; the model's weights are too large, "
                "take an earlier checkpoint",
                (long long)r->example);
  if (trm_puzzle_has_rules(&e->puzzle)) {
    e->totals->checked++;
    e->totals->valid += r->valid;
    *e->q_valid += (q >= 0) == r->valid;
  }
  if (s.valid == 0) return TRM_OK;
  count_steps(e, a->place, s.valid, trm_thinker_is_single(e->thinker) ? r->steps : 1);
  e->taken[TRM__TAKEN_STEPS] += r->steps;
  e->loss[r->example] = l;
  e->totals->rows++;
  e->totals->cells += s.valid;
  e->totals->cells_right += s.right;
  e->totals->q_right += (q >= 0) == r->exact;
  return TRM_OK;
}

/* --- puzzles come and go --- */

static trm_status add_puzzle(trm__evaluation *e, int64_t example, trm_error *err) {
  const trm_eval_config *c = e->config;
  int32_t id;
  int at;
  trm_dataset_example(e->data, example, e->inputs, e->labels, &id);
  const trm_queue_puzzle p = {.inputs = e->inputs,
                              /* Without a table of embeddings any id will do. */
                              .puzzle_id = e->shape.puzzle_emb_ndim ? id : 0,
                              .steps = e->steps,
                              .halt = c->halt,
                              .halt_margin = c->halt_margin};
  TRM_TRY(trm_thinker_submit(e->thinker, &p, &at, err));
  e->example[at] = example;
  return TRM_OK;
}

static trm_status add_puzzles(trm__evaluation *e, trm_error *err) {
  const int ranks = trm__comm_size(e->config->comm), rank = trm__comm_rank(e->config->comm);
  for (; trm_thinker_room(e->thinker) && e->next < e->total; e->next++) {
    const int64_t example = e->next * e->stride % e->total;
    if (!e->done[example] && e->next % ranks == rank) TRM_TRY(add_puzzle(e, example, err));
  }
  return TRM_OK;
}

/* The score of an answer after a step, with the example's labels and id. */
static score score_step(trm__evaluation *e, const trm_queue_answer *a, int32_t *id) {
  trm_dataset_example(e->data, e->example[a->place], NULL, e->labels, id);
  const score s = score_row(a->answer, e->labels, e->shape.seq_len);
  const int step = trm_thinker_is_single(e->thinker) ? a->steps : 1;
  e->history[a->place * (int64_t)e->told + step - 1] = s.right;
  return s;
}

static trm_status finish_puzzle(trm__evaluation *e, const trm_queue_answer *a,
                                const trm_choice *choice, trm_error *err) {
  const trm_eval_config *c = e->config;
  int32_t id;
  const score s = score_step(e, a, &id);
  const bool valid =
      trm_puzzle_has_rules(&e->puzzle) && trm_puzzle_solves(&e->puzzle, a->inputs, a->answer);
  const trm_eval_row r = {.example = e->example[a->place],
                          .puzzle_id = id,
                          .inputs = a->inputs,
                          .labels = e->labels,
                          .answer = a->answer,
                          .exact = s.right == s.valid,
                          .valid = valid,
                          .q_halt = a->q_halt,
                          .steps = a->steps};
  TRM_TRY(count_row(e, &r, a, s, err));
  if (e->records) trm__eval_ranks_keep(e, &r);
  if (c->row && !e->records) TRM_TRY(c->row(c->row_arg, &r, err));
  if (c->votes)
    TRM_TRY(trm_arc_votes_add(c->votes, e->first_order + r.example, id, e->puzzle.rows, r.inputs,
                              r.answer, (double)r.q_halt, err));
  e->taken[TRM__TAKEN_ACCEPTED] += choice->accepted;
  e->taken[TRM__TAKEN_FOUND] += choice->accepted && choice->searched;
  e->done[r.example] = 1;
  e->n_done++;
  return TRM_OK;
}

static trm_status take_step(trm__evaluation *e, trm_error *err) {
  trm_queue_answer a;
  trm_choice choice;
  int32_t id;
  for (int i = 0; trm_thinker_look(e->thinker, i, &a); i++) (void)score_step(e, &a, &id);
  while (trm_thinker_take(e->thinker, &a, &choice)) TRM_TRY(finish_puzzle(e, &a, &choice, err));
  return TRM_OK;
}

/* --- between steps --- */

static trm_status save_state(trm__evaluation *e, trm_error *err) {
  const trm_eval_config *c = e->config;
  if (c->state_sync) TRM_TRY(c->state_sync(c->row_arg, err));
  TRM_TRY(trm__eval_state_save(e, err));
  e->saved_at = trm__os_seconds();
  return TRM_OK;
}

static trm_status stop(trm__evaluation *e, trm_error *err) {
  const char *state = e->config->state;
  if (state) TRM_TRY(save_state(e, err));
  TRM_FAIL(err, TRM_E_INTERRUPTED, "stopped after %lld of %lld example%s%s%.300s",
           (long long)e->n_done, (long long)e->total, TRM__S(e->total),
           state ? "; they are kept in " : "", state ? state : "");
}

static trm_status tell_progress(trm__evaluation *e, trm_error *err) {
  const trm_eval_config *c = e->config;
  trm_queue_answer a;
  int64_t taken = 0;
  for (int i = 0; trm_thinker_look(e->thinker, i, &a); i++) taken += a.steps;
  int64_t done = (e->n_done + taken / e->steps) * trm__comm_size(c->comm);
  if (done > e->total) done = e->total;
  if (c->progress && !c->progress(c->progress_arg, done, e->total)) return stop(e, err);
  double seconds = c->state_seconds > 0 ? c->state_seconds : (double)STATE_SECONDS;
  return c->state && trm__os_seconds() - e->saved_at > seconds ? save_state(e, err) : TRM_OK;
}

/* *busy: there was something to do. A rank that has done its part still hears who asks it to stop.
 */
static trm_status step(trm__evaluation *e, bool *busy, trm_error *err) {
  TRM_TRY(add_puzzles(e, err));
  *busy = trm_thinker_busy(e->thinker) > 0;
  if (*busy) TRM_TRY(trm_thinker_step(e->thinker, err));
  if (*busy) TRM_TRY(take_step(e, err));
  return *busy || trm__comm_size(e->config->comm) > 1 ? tell_progress(e, err) : TRM_OK;
}

static trm_status run_all(trm__evaluation *e, trm_error *err) {
  for (bool busy = true; busy;) {
    const trm_status st = step(e, &busy, err);
    TRM_TRY(trm__eval_ranks_round(e, st, &busy, err));
  }
  return TRM_OK;
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

/* Without what the queue checks of a puzzle. */
static trm_status check_config(const trm_eval_config *c, trm_error *err) {
  if (c->limit < 0 || c->steps < 0 || c->steps > TRM_EVAL_MAX_STEPS || c->batch < 0 ||
      c->batch > MAX_BATCH || c->threads < 0)
    TRM_FAIL(
        err, TRM_E_ARGUMENT,
        "limit = %lld, steps = %d, batch = %d, threads = %d: expected none negative, at most %d "
        "steps and a batch of at most %d",
        (long long)c->limit, c->steps, c->batch, c->threads, TRM_EVAL_MAX_STEPS, MAX_BATCH);
  if (c->state && trm__comm_size(c->comm) > 1)
    TRM_FAIL(err, TRM_E_ARGUMENT,
             "state: an evaluation that %d ranks share has none; leave it out, or evaluate by one "
             "process",
             c->comm->size);
  if (c->votes && c->state && (c->votes->n || c->votes->blank || c->votes->foreign))
    TRM_FAIL(err, TRM_E_ARGUMENT, "votes: an evaluation with a state wants them empty");
  return TRM_OK;
}

/* Near the golden section of n, whose multiples fill a circle evenly, and without a common factor.
 */
static int64_t choose_stride(int64_t n) {
  for (int64_t stride = 618 * n / 1000 + 1;; stride++) {
    int64_t a = n, b = stride;
    while (b) {
      const int64_t rest = a % b;
      a = b;
      b = rest;
    }
    if (a == 1) return stride;
  }
}

static trm_status evaluation_alloc(trm__evaluation *e, trm_error *err) {
  const int64_t S = e->shape.seq_len, steps = e->told, B = trm_thinker_places(e->thinker);
  TRM_ALLOC(&e->example, B, "the examples of a batch", err);
  TRM_ALLOC(&e->inputs, S, "an example", err);
  TRM_ALLOC(&e->labels, S, "an example", err);
  TRM_ALLOC(&e->history, B * steps, "the scores of a batch", err);

  /* What is counted, of all examples and of each step. */
  TRM_ALLOC(&e->done, e->total, "a mark for each example", err);
  TRM_ALLOC(&e->loss, e->total, "the losses of all examples", err);
  TRM_ALLOC(&e->exact, steps, "the counts of each step", err);
  TRM_ALLOC(&e->halted, steps, "the counts of each step", err);
  TRM_ALLOC(&e->right, steps * (S + 1), "the counts of each step", err);
  TRM_ALLOC(&e->totals, 1, "the counts", err);
  TRM_ALLOC(&e->q_valid, 1, "the counts", err);
  TRM_ALLOC(&e->taken, TRM__TAKEN, "the counts", err);
  return TRM_OK;
}

static trm_status evaluation_begin(trm__evaluation *e, trm_error *err) {
  const trm_dataset_info *d = trm_dataset_get_info(e->data);
  const trm_eval_config *c = e->config;

  /* Model, data and votes must be of one data set. */
  TRM_TRY(check_config(c, err));
  TRM_TRY(trm_model_check_data(&e->shape, d, err));
  e->puzzle = d->puzzle.kind == TRM_PUZZLE_NONE ? e->shape.puzzle : d->puzzle;
  if (c->votes && !trm_puzzle_facts_of(&e->puzzle)->tasks)
    TRM_FAIL(err, TRM_E_ARGUMENT, "votes: the data are no ARC tasks");
  if (c->votes) TRM_TRY(trm__arc_votes_fit(c->votes, d, err));

  /* How many steps, which examples, in which order. */
  e->steps = c->steps ? c->steps : e->shape.halt_max_steps;
  e->total = c->limit && c->limit < d->examples ? c->limit : d->examples;
  e->stride = c->spread && e->total > 1 ? choose_stride(e->total) : 1;
  e->first_order = c->votes ? trm__arc_votes_next(c->votes) : 0;
  e->saved_at = trm__os_seconds();

  const trm_queue_config queue = {
      .rows = c->batch,
      .puzzles = (e->total + trm__comm_size(c->comm) - 1) / trm__comm_size(c->comm),
      .logits = true,
      .threads = c->threads,
      .device = c->device};
  TRM_TRY(trm_thinker_create(e->model, &queue, &c->think, &e->puzzle, &e->thinker, err));
  e->told = trm_thinker_is_single(e->thinker) ? e->steps : 1;
  TRM_TRY(evaluation_alloc(e, err));
  return trm__eval_ranks_begin(e, err);
}

static void evaluation_end(trm__evaluation *e) {
  trm_thinker_free(e->thinker);
  trm__free(e->example);
  trm__free(e->inputs);
  trm__free(e->labels);
  trm__free(e->history);
  trm__free(e->done);
  trm__free(e->loss);
  trm__free(e->exact);
  trm__free(e->halted);
  trm__free(e->right);
  trm__free(e->totals);
  trm__free(e->q_valid);
  trm__free(e->taken);
  trm__free(e->records);
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

  /* Sums in the order of the file, whatever the order of the answers. */
  trm__eval_losses sum = {0, 0};
  int64_t taken = trm_thinker_is_single(e->thinker) ? 0 : e->taken[TRM__TAKEN_STEPS];
  for (int64_t i = 0; i < e->total; i++) {
    sum.lm += e->loss[i].lm;
    sum.q_halt += e->loss[i].q_halt;
  }
  memset(r, 0, sizeof *r);
  const bool single = trm_thinker_is_single(e->thinker);
  for (int i = 0; i < e->told && single; i++) {
    r->step[i] = step_report(e, i, n);
    taken += (i + 1) * e->halted[i];
  }

  /* Every row counts at the last step: one that halted stays as it was. */
  const trm_eval_step last = step_report(e, e->told - 1, n);
  r->n_steps = single ? e->steps : 0;
  r->accepted = e->taken[TRM__TAKEN_ACCEPTED];
  r->found = e->taken[TRM__TAKEN_FOUND];
  r->tries = trm_thinking_tries(&e->config->think);
  r->examples = t->rows;
  r->exact = e->exact[e->told - 1];
  r->cells = t->cells;
  r->cells_right = t->cells_right;
  r->accuracy = last.accuracy;
  r->exact_accuracy = last.exact_accuracy;
  r->q_halt_accuracy = (double)t->q_right / n;
  r->lm_loss = sum.lm / n;
  r->q_halt_loss = sum.q_halt / n;
  r->mean_steps = (double)taken / n;

  r->rules = trm_puzzle_has_rules(&e->puzzle);
  r->checked = t->checked;
  r->valid = t->valid;
  r->q_valid_accuracy = t->checked ? (double)*e->q_valid / (double)t->checked : 0;
  r->untrained = count_untrained(e);

  /* What so many examples say of the shares. */
  r->exact_interval = trm_wilson((double)r->exact, (double)t->rows);
  r->valid_interval = trm_wilson((double)t->valid, (double)t->checked);
  r->q_valid_interval = trm_wilson((double)*e->q_valid, (double)t->checked);
  r->q_halt_interval = trm_wilson((double)t->q_right, (double)t->rows);
  r->cell_interval = trm_wilson((double)t->cells_right, (double)t->cells);
}

trm_status trm_evaluate(const trm_model *model, const trm_dataset *data,
                        const trm_eval_config *config, trm_eval_report *report, trm_error *err) {
  trm__evaluation e = {
      .data = data, .config = config, .model = model, .shape = *trm_model_get_config(model)};
  TRM_TRY(trm__comm_meet(config->comm, err));
  trm__comm_begin(config->comm);
  trm_status st = trm__comm_settle(config->comm, evaluation_begin(&e, err), err);
  if (st == TRM_OK) st = trm__eval_ranks_meet(&e, err);
  if (st == TRM_OK) st = trm__comm_settle(config->comm, run(&e, err), err);
  if (st == TRM_OK) st = trm__eval_ranks_end(&e, err);
  if (st == TRM_OK) make_report(&e, report);
  evaluation_end(&e);
  return st;
}
