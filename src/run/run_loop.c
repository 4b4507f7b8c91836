/* The training loop: batches, updates, the log, evaluations, checkpoints, requests to stop.
 * Everything that must survive a stop is in the trainer, the stream's position and the run's mark.
 */
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "base/memory.h"
#include "base/os_thread.h"
#include "run/run_parts.h"
#include "run/tell.h"

static double per_count(double sum, const trm_metrics *m) {
  return sum / fmax(m->count, 1);
}

static double wall_time(void) {
  struct timespec t = {0};
  (void)timespec_get(&t, TIME_UTC);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double epoch_of(const trm_run *run) {
  return (double)run->folder.mark.update / run->schedule.updates_per_epoch;
}

static double samples_per_second(const trm_run *run) {
  double elapsed = trm__os_seconds() - run->started;
  return (double)(run->folder.mark.update - run->first) * run->config->now.trainer.batch_size /
         fmax(elapsed, 1e-9);
}

/* Where a line of the log stands. */
static trm__json_out begin_line(const trm_run *run) {
  trm__json_out line = trm__json_begin(TRM__JSON_COMPACT);
  trm__json_open(&line, NULL, '{');
  trm__json_put_int(&line, "step", run->folder.mark.update);
  trm__json_put_real(&line, "epoch", epoch_of(run));
  trm__json_put_real(&line, "time", wall_time());
  return line;
}

static trm_status log_update(trm_run *run, const trm_metrics *m, trm_error *err) {
  const double batch = run->config->now.trainer.batch_size;
  const struct {
    const char *key;
    double value;
  } values[] = {{"samples_per_s", samples_per_second(run)},
                {"train/lm_loss", m->lm_loss / batch},
                {"train/q_halt_loss", m->q_halt_loss / batch},
                {"train/q_continue_loss", m->q_continue_loss / batch},
                {"train/count", m->count},
                {"train/accuracy", per_count(m->accuracy, m)},
                {"train/exact_accuracy", per_count(m->exact_accuracy, m)},
                {"train/q_halt_accuracy", per_count(m->q_halt_accuracy, m)},
                {"train/steps", per_count(m->steps, m)},
                {"train/lr", m->lr},
                {"train/grad_norm", m->grad_norm},
                {"train/aux_loss", m->aux_loss},
                {"train/expert_load_min", m->expert_load_min},
                {"train/expert_load_max", m->expert_load_max}};
  enum { OF_EXPERTS = 3 /* the last ones */ };
  const size_t n = sizeof values / sizeof *values - (m->expert_load_max > 0 ? 0 : OF_EXPERTS);

  trm__json_out line = begin_line(run);
  for (size_t i = 0; i < n; i++) trm__json_put_real(&line, values[i].key, values[i].value);
  if (run->config->now.model.solver != TRM_RECURSION_UPDATES) {
    trm__json_put_real(&line, "train/residual", m->residual / batch);
    trm__json_put_real(&line, "train/solver_iterations", m->solver_iterations / batch);
  }
  if (run->config->now.model.constraint_weight > 0)
    trm__json_put_real(&line, "train/constraint_loss", m->constraint_loss / batch);
  trm__json_close(&line);
  return trm__run_folder_log(&run->folder, &line, err);
}

/* ---- evaluation ---- */

/* What several test sets say together. */
typedef struct eval_sum {
  double n, exact, accuracy, exact_accuracy, q_halt_accuracy, lm_loss, q_halt_loss, steps;
  bool arc; /* votes were counted */
  double tasks,
      pass[TRM_ARC_PASSES]; /* ARC tasks whose outputs are known, how many of them are solved */
} eval_sum;

static void add_report(eval_sum *sum, const trm_eval_report *r) {
  double n = (double)r->examples;
  sum->n += n;
  sum->exact += (double)r->exact;
  sum->accuracy += n * r->accuracy;
  sum->exact_accuracy += n * r->exact_accuracy;
  sum->q_halt_accuracy += n * r->q_halt_accuracy;
  sum->lm_loss += n * r->lm_loss;
  sum->q_halt_loss += n * r->q_halt_loss;
  sum->steps += n * r->mean_steps;
}

/* Tasks whose outputs are known, and how many of them are solved. */
static trm_status add_votes(const trm_arc_votes *votes, eval_sum *sum, trm_error *err) {
  double pass[TRM_ARC_PASSES];
  trm_arc_counts counts;
  TRM_TRY(trm_arc_votes_count(votes, trm_arc_pass_k(), TRM_ARC_PASSES, pass, &counts, err));
  const double scored = (double)counts.scored;
  sum->arc = true;
  sum->tasks += scored;
  for (int k = 0; scored > 0 && k < TRM_ARC_PASSES; k++) sum->pass[k] += pass[k] * scored;
  return TRM_OK;
}

/* Every evaluation has votes of its own: those of earlier ones are no part of what it measures. */
static trm_status evaluate_set(const trm_run *run, int i, trm_eval_config config, eval_sum *sum,
                               trm_error *err) {
  trm_status st = TRM_OK;
  trm_eval_report *report = trm__alloc(1, sizeof *report); /* too large for a small stack */
  if (!report) st = trm__no_memory("the report of an evaluation", 1, sizeof *report, err);
  if (st == TRM_OK && run->data.votes[i])
    st = trm_arc_votes_create(run->data.votes[i], &config.votes, err);
  st = trm__run_settle(run, st, err);
  if (st == TRM_OK)
    st = trm_evaluate(trm_trainer_ema(run->trainer), run->data.test[i], &config, report, err);
  if (st == TRM_OK && config.votes) st = add_votes(config.votes, sum, err);
  if (st == TRM_OK) add_report(sum, report);
  trm_arc_votes_free(config.votes);
  trm__free(report);
  return st;
}

static trm_run_progress progress_of(const trm_run *run) {
  return (trm_run_progress){.done = run->folder.mark.update,
                            .total = run->schedule.end,
                            .loss = run->loss,
                            .exact = run->exact};
}

static bool tell_evaluation(void *arg, int64_t done, int64_t total) {
  const trm_run *run = arg;
  trm_run_progress p = progress_of(run);
  p.evaluating = true;
  p.done = done;
  p.total = total;
  return trm__tell_progress(&run->listener, &p);
}

static trm_status evaluate_all(trm_run *run, eval_sum *sum, trm_error *err) {
  trm_eval_config config = run->plan.evaluation;
  config.row = run->listener.row;
  config.row_arg = run->listener.arg;
  config.progress = tell_evaluation;
  config.progress_arg = run;
  *sum = (eval_sum){0};
  trm_status st = TRM_OK;
  if (!tell_evaluation(run, 0, 0))
    st = trm__fail(err, TRM_E_INTERRUPTED, -1, "interrupted before an evaluation");
  TRM_TRY(trm__run_settle(run, st, err));
  for (int i = 0; i < run->data.n_test; i++) TRM_TRY(evaluate_set(run, i, config, sum, err));
  return TRM_OK;
}

/* "ARC/pass@K", null where the outputs are hidden. */
static void put_pass(trm__json_out *line, const eval_sum *sum) {
  for (int i = 0; i < TRM_ARC_PASSES; i++) {
    char key[32];
    (void)snprintf(key, sizeof key, "ARC/pass@%d", trm_arc_pass_k()[i]);
    if (sum->tasks > 0)
      trm__json_put_real(line, key, sum->pass[i] / sum->tasks);
    else
      trm__json_put_null(line, key);
  }
}

static trm_status log_evaluation(trm_run *run, const eval_sum *sum, trm_error *err) {
  const trm__run_config *c = &run->config->now;
  double n = fmax(sum->n, 1);
  trm__json_out line = begin_line(run);
  trm__json_put_real(&line, "all/accuracy", sum->accuracy / n);
  trm__json_put_real(&line, "all/exact_accuracy", sum->exact_accuracy / n);
  trm__json_put_real(&line, "all/q_halt_accuracy", sum->q_halt_accuracy / n);
  trm__json_put_real(&line, "all/lm_loss", sum->lm_loss / n);
  trm__json_put_real(&line, "all/q_halt_loss", sum->q_halt_loss / n);
  trm__json_put_int(&line, "all/n", (int64_t)sum->n);
  if (trm__run_config_tries(c)) {
    trm__json_put_int(&line, "all/tries", trm_thinking_tries(&c->tries));
    trm__json_put_real(&line, "all/steps", sum->steps / n);
  }
  if (sum->arc) put_pass(&line, sum);
  trm__json_close(&line);
  return trm__run_folder_log(&run->folder, &line, err);
}

/* Evaluates, logs, notes, and decides what is best, which must be saved. */
static trm_status evaluate(trm_run *run, trm_error *err) {
  eval_sum sum;
  trm__run_mark *mark = &run->folder.mark;
  TRM_TRY(trm_trainer_sync(run->trainer, err));
  TRM_TRY(evaluate_all(run, &sum, err));
  TRM_TRY(trm__ask_sound(&run->listener, err));

  /* A result that could not be logged is none. */
  double exact = sum.exact_accuracy / fmax(sum.n, 1);
  trm_interval range = trm_wilson(sum.exact, sum.n);
  if (trm__run_leads(run)) TRM_TRY(log_evaluation(run, &sum, err));
  mark->evaluated = mark->update;
  const bool best = exact > mark->best_exact;
  if (best) {
    mark->best_exact = exact;
    mark->best_update = mark->update;
  }

  trm__note(
      &run->listener,
      "update %lld/%lld, epoch %.1f: exact %.2f %% of %lld (%.1f to %.1f), accuracy %.2f %%%s",
      (long long)mark->update, (long long)run->schedule.end, epoch_of(run), 100 * exact,
      (long long)sum.n, 100 * range.low, 100 * range.high, 100 * sum.accuracy / fmax(sum.n, 1),
      best ? ", best so far" : "");
  if (sum.tasks > 0)
    trm__note(&run->listener, "ARC: pass@1 %.2f %%, pass@2 %.2f %% of %.0f tasks",
              100 * sum.pass[0] / sum.tasks, 100 * sum.pass[1] / sum.tasks, sum.tasks);
  else if (sum.arc)
    trm__note(&run->listener, "ARC: pass@K cannot be measured: the test outputs are hidden");
  return TRM_OK;
}

/* ---- checkpoints ---- */

static trm_status save(trm_run *run, trm_error *err) {
  trm_error cause = {0};
  trm_status st = trm__run_folder_save_all(&run->folder, &run->config->now, run->trainer, &cause);
  if (st == TRM_OK) st = trm__run_ranks_follow(run, &cause);
  run->saved_at = trm__os_seconds();
  if (st == TRM_OK) {
    run->saved = run->folder.mark.update;
    return st;
  }
  char last[TRM__PATH_MAX];
  if (trm__path_format(last, err, "%s/last", run->folder.path) != TRM_OK || !trm__path_exists(last))
    return trm__fail(err, st, cause.pos, "%.300s; nothing has been saved yet", cause.msg);
  return trm__fail(err, st, cause.pos, "%.300s; the last checkpoint is intact: %.120s", cause.msg,
                   last);
}

static bool checkpoint_due(const trm_run *run) {
  int64_t every = run->config->now.checkpoint_interval;
  double minutes = run->config->now.checkpoint_minutes;
  return (every && run->folder.mark.update % every == 0) ||
         (minutes > 0 && trm__os_seconds() - run->saved_at > 60 * minutes);
}

static trm_status fail_stopped(const trm_run *run, trm_error *err) {
  trm__comm_all_know(run->listener.comm);
  TRM_FAIL(err, TRM_E_INTERRUPTED, "interrupted after update %lld, which is saved",
           (long long)run->folder.mark.update);
}

/* An evaluation may be long: a kill must not cost the updates before it. What it finds best is a
 * checkpoint by then. */
static trm_status evaluate_and_save(trm_run *run, trm_error *err) {
  TRM_TRY(save(run, err));
  const trm_status st = trm__run_settle(run, evaluate(run, err), err);
  if (st == TRM_E_INTERRUPTED) return fail_stopped(run, err);
  return st == TRM_OK ? save(run, err) : st;
}

/* After an update that came to `st` here, or on resuming a run that stopped before its evaluation.
 */
static trm_status evaluate_or_save(trm_run *run, trm_status st, trm_error *err) {
  const trm_run_progress p = progress_of(run);
  const trm__run_mark *mark = &run->folder.mark;
  bool stop = st == TRM_OK && !trm__tell_progress(&run->listener, &p);
  bool due = st == TRM_OK && checkpoint_due(run);
  TRM_TRY(trm__run_ranks_stop(run, st, &stop, &due, err));

  /* A stop saves what was done. */
  if (stop) {
    TRM_TRY(save(run, err));
    return fail_stopped(run, err);
  }

  /* An evaluation that is due. */
  if (mark->evaluated < mark->update && trm__schedule_evaluates(&run->schedule, mark->update))
    return evaluate_and_save(run, err);
  return due ? save(run, err) : TRM_OK;
}

/* ---- updates ---- */

static void smooth(double *value, double sample) {
  *value = *value < 0 ? sample : 0.95 * *value + 0.05 * sample;
}

static void keep_figures(trm_run *run, const trm_metrics *m) {
  smooth(&run->loss, m->loss / run->config->now.trainer.batch_size);
  if (m->count > 0) smooth(&run->exact, per_count(m->exact_accuracy, m));
}

/* The batch was not read as a whole, or is refused: the updates before it are kept, unless they are
 * already. */
static trm_status end_unsound(trm_run *run, const trm_error *cause, trm_error *err) {
  const int64_t done = run->folder.mark.update;
  trm_comm *comm = run->listener.comm;

  /* Ranks that have lost one of them have nobody to save with. */
  if (trm__comm_size(comm) > 1 && !comm->agreed)
    return trm__fail(err, cause->code, cause->pos, "%s", cause->msg);
  if (done > 0 && done > run->saved) TRM_TRY(save(run, err));
  trm__comm_all_know(comm);
  return trm__fail(err, cause->code, cause->pos, "%s", cause->msg);
}

/* The next batch, as a listener leaves it. */
static trm_status take_batch(trm_run *run, const trm_batch **out, trm_error *err) {
  const uint8_t *wants = trm_trainer_wants(run->trainer);
  *out = trm__ahead_next(run->batches, wants);
  TRM_TRY(trm__ask_sound(&run->listener, err));
  return trm__ahead_change(run->batches, &run->listener, run->folder.mark.update + 1, wants, err);
}

static trm_status update(trm_run *run, trm_error *err) {
  trm_error cause = {0};
  trm_metrics m;
  const trm_batch *batch;
  run->failed = true; /* until the batch that is taken now has been learned from */
  bool begun;
  const trm_status given = take_batch(run, &batch, &cause);
  trm_status st = trm__run_step(run->trainer, given, batch, &m, &begun, &cause);
  if (st != TRM_OK && !begun) return end_unsound(run, &cause, err);
  if (st == TRM_E_NUMERIC)
    return trm__fail(err, st, -1,
                     "%.330s; try a smaller lr or a longer lr_warmup_steps (`trm train --resume` "
                     "would fail again)",
                     cause.msg);
  if (st != TRM_OK) return trm__fail(err, st, cause.pos, "%s", cause.msg);
  run->failed = false;

  /* What a checkpoint would say from here on. */
  run->folder.mark.update = trm_trainer_updates(run->trainer);
  run->folder.mark.stream_position = trm__ahead_position(run->batches);
  keep_figures(run, &m);
  const bool logs = run->folder.mark.update % run->config->now.log_interval == 0;
  return logs && trm__run_leads(run) ? log_update(run, &m, err) : TRM_OK;
}

static trm_status train(trm_run *run, int64_t last, trm_error *err) {
  const trm__run_mark *mark = &run->folder.mark;
  run->started = trm__os_seconds();
  run->first = mark->update;

  /* What an earlier process, or a call that was stopped, did not come to. */
  if (run->resumes) TRM_TRY(evaluate_or_save(run, TRM_OK, err));
  run->resumes = false;
  while (mark->update < last) {
    run->resumes = true;
    TRM_TRY(evaluate_or_save(run, update(run, err), err));
    run->resumes = false;
  }
  return TRM_OK;
}

trm_status trm_run_train(trm_run *run, int64_t updates, trm_error *err) {
  trm_error cause = {0};
  if (updates < 0)
    TRM_FAIL(err, TRM_E_ARGUMENT, "updates = %lld: expected 0 or more", (long long)updates);
  trm__comm_begin(run->listener.comm);
  TRM_TRY(trm_run_begin(run, err));
  const trm__run_mark *mark = &run->folder.mark;
  const int64_t end = run->schedule.end, left = end - mark->update;
  trm_status begun = TRM_OK;
  if (trm__run_leads(run) && (left > 0 || !run->ended)) begun = trm__run_record_start(run, err);
  TRM_TRY(trm__run_settle(run, begun, err));
  const trm_status st =
      train(run, mark->update + (updates > 0 && updates < left ? updates : left), &cause);
  trm__run_tell_shared(&run->listener, run->trainer);
  if (st != TRM_OK || mark->update >= end) trm__run_record_end(run, st, cause.msg);
  return st == TRM_OK ? st : trm__fail(err, st, cause.pos, "%s", cause.msg);
}

static trm_status check_trained(trm_run *run, const char *what, trm_error *err) {
  trm__comm_begin(run->listener.comm);
  TRM_TRY(trm_run_begin(run, err));
  if (run->folder.mark.update > 0) return TRM_OK;
  TRM_FAIL(err, TRM_E_ARGUMENT, "%s: there is nothing to %s before the first update",
           run->folder.path, what);
}

trm_status trm_run_evaluate(trm_run *run, trm_error *err) {
  TRM_TRY(check_trained(run, "evaluate", err));
  return trm__run_settle(run, evaluate_and_save(run, err), err);
}

trm_status trm_run_save(trm_run *run, trm_error *err) {
  TRM_TRY(check_trained(run, "save", err));
  return trm__run_settle(run, save(run, err), err);
}
