/* The training loop: batches, updates, the log, evaluations, checkpoints, Ctrl-C. Everything that
 * must survive a stop is in the trainer, the stream's position and the run's mark. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/commands/eval_report.h"
#include "cli/run/train.h"

typedef struct loop {
  const run_config *c;
  const train_data *d;
  const train_schedule *s;
  run_folder *r;
  trm_trainer *t;
  train_ahead *batches;
  cli_progress bar;
  double started, saved_at; /* seconds of cli_now */
  int64_t saved;            /* the update of the last checkpoint */
  int64_t first;            /* the update this process began after */
  double loss, exact;       /* smoothed, for the bar; -1: none yet */
} loop;

static double per_count(double sum, const trm_metrics *m) {
  return sum / fmax(m->count, 1);
}

static double wall_time(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double epoch_of(const loop *l) {
  return (double)l->r->mark.update / l->s->updates_per_epoch;
}

static double samples_per_second(const loop *l) {
  double elapsed = cli_now() - l->started;
  return (double)(l->r->mark.update - l->first) * l->c->trainer.batch_size / fmax(elapsed, 1e-9);
}

/* Where a line of the log stands. */
static trm__json_out begin_line(const loop *l) {
  trm__json_out line = trm__json_begin(TRM__JSON_COMPACT);
  trm__json_open(&line, NULL, '{');
  trm__json_put_int(&line, "step", l->r->mark.update);
  trm__json_put_real(&line, "epoch", epoch_of(l));
  trm__json_put_real(&line, "time", wall_time());
  return line;
}

static trm_status log_update(loop *l, const trm_metrics *m, trm_error *err) {
  const double batch = l->c->trainer.batch_size;
  const struct {
    const char *key;
    double value;
  } values[] = {{"samples_per_s", samples_per_second(l)},
                {"train/lm_loss", m->lm_loss / batch},
                {"train/q_halt_loss", m->q_halt_loss / batch},
                {"train/q_continue_loss", m->q_continue_loss / batch},
                {"train/count", m->count},
                {"train/accuracy", per_count(m->accuracy, m)},
                {"train/exact_accuracy", per_count(m->exact_accuracy, m)},
                {"train/q_halt_accuracy", per_count(m->q_halt_accuracy, m)},
                {"train/steps", per_count(m->steps, m)},
                {"train/lr", m->lr},
                {"train/grad_norm", m->grad_norm}};
  trm__json_out line = begin_line(l);
  for (size_t i = 0; i < sizeof values / sizeof *values; i++)
    trm__json_put_real(&line, values[i].key, values[i].value);
  trm__json_close(&line);
  return run_folder_log(l->r, &line, err);
}

/* ---- evaluation ---- */

/* What several test sets say together. */
typedef struct eval_sum {
  double n, exact, accuracy, exact_accuracy, q_halt_accuracy, lm_loss, q_halt_loss;
  bool arc; /* votes were counted */
  double tasks,
      pass[ARC_N_PASS]; /* ARC tasks whose outputs are known, how many of them are solved */
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
}

/* Every evaluation has votes of its own: those of earlier ones are no part of what it measures. */
static trm_status evaluate_set(const loop *l, int i, trm_eval_config config, eval_sum *sum,
                               trm_error *err) {
  arc_summary arc;
  trm_status st = TRM_OK;
  trm_eval_report *report = calloc(1, sizeof *report); /* too large for a small stack */
  if (!report) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for the report of an evaluation");
  if (l->d->votes[i]) st = trm_arc_votes_create(l->d->votes[i], &config.votes, err);
  if (st == TRM_OK) st = trm_evaluate(trm_trainer_ema(l->t), l->d->test[i], &config, report, err);
  if (st == TRM_OK && config.votes) st = arc_summarise(config.votes, &arc, err);
  if (st == TRM_OK) add_report(sum, report);
  if (st == TRM_OK && config.votes) {
    const double scored = (double)arc.counts.scored;
    sum->arc = true;
    sum->tasks += scored;
    for (int k = 0; scored > 0 && k < ARC_N_PASS; k++) sum->pass[k] += arc.pass[k] * scored;
  }
  trm_arc_votes_free(config.votes);
  free(report);
  return st;
}

static trm_status evaluate_all(loop *l, eval_sum *sum, trm_error *err) {
  cli_progress bar;
  trm_status st = TRM_OK;
  *sum = (eval_sum){0};
  cli_progress_clear(&l->bar);
  cli_progress_begin(&bar, "evaluating", 0, 0, "examples", 1);
  const trm_eval_config config = {.limit = l->c->eval_limit,
                                  .threads = l->c->trainer.threads,
                                  .device = l->c->trainer.device,
                                  .progress = cli_progress_tick,
                                  .progress_arg = &bar};
  for (int i = 0; st == TRM_OK && i < l->d->n_test; i++) st = evaluate_set(l, i, config, sum, err);
  cli_progress_end(&bar);
  return st;
}

static trm_status log_evaluation(loop *l, const eval_sum *sum, trm_error *err) {
  double n = fmax(sum->n, 1);
  trm__json_out line = begin_line(l);
  trm__json_put_real(&line, "all/accuracy", sum->accuracy / n);
  trm__json_put_real(&line, "all/exact_accuracy", sum->exact_accuracy / n);
  trm__json_put_real(&line, "all/q_halt_accuracy", sum->q_halt_accuracy / n);
  trm__json_put_real(&line, "all/lm_loss", sum->lm_loss / n);
  trm__json_put_real(&line, "all/q_halt_loss", sum->q_halt_loss / n);
  trm__json_put_int(&line, "all/n", (int64_t)sum->n);
  double pass[ARC_N_PASS];
  for (int i = 0; i < ARC_N_PASS; i++) pass[i] = sum->tasks > 0 ? sum->pass[i] / sum->tasks : NAN;
  if (sum->arc) arc_put_pass(&line, pass);
  trm__json_close(&line);
  return run_folder_log(l->r, &line, err);
}

/* Evaluates, logs, notes, and decides what is best; the caller saves. */
static trm_status evaluate(loop *l, trm_error *err) {
  eval_sum sum;
  run_mark *mark = &l->r->mark;
  CLI_TRY(trm_trainer_sync(l->t, err));
  CLI_TRY(evaluate_all(l, &sum, err));
  CLI_TRY(cli_faults_check(err));
  double exact = sum.exact_accuracy / fmax(sum.n, 1);
  trm_interval range = trm_wilson(sum.exact, sum.n);
  CLI_TRY(log_evaluation(l, &sum, err));
  mark->evaluated = mark->update;
  const bool best = exact > mark->best_exact;
  if (best) {
    mark->best_exact = exact;
    mark->best_update = mark->update;
  }
  cli_note("update %lld/%lld, epoch %.1f: exact %.2f %% of %lld (%.1f to %.1f), accuracy %.2f %%%s",
           (long long)mark->update, (long long)l->s->end, epoch_of(l), 100 * exact,
           (long long)sum.n, 100 * range.low, 100 * range.high, 100 * sum.accuracy / fmax(sum.n, 1),
           best ? ", best so far" : "");
  if (sum.tasks > 0)
    cli_note("ARC: pass@1 %.2f %%, pass@2 %.2f %% of %.0f tasks", 100 * sum.pass[0] / sum.tasks,
             100 * sum.pass[1] / sum.tasks, sum.tasks);
  else if (sum.arc)
    cli_note("ARC: pass@K cannot be measured: the test outputs are hidden");
  return TRM_OK;
}

/* ---- checkpoints ---- */

static trm_status save(loop *l, trm_error *err) {
  trm_error cause = {0};
  trm_status st = run_folder_save(l->r, l->c, l->t, &cause);
  l->saved_at = cli_now();
  if (st == TRM_OK) {
    l->saved = l->r->mark.update;
    return st;
  }
  char last[CLI_PATH_MAX];
  if (cli_path(last, err, "%s/last", l->r->path) != TRM_OK || !trm__path_exists(last))
    return cli_fail(err, st, cause.pos, "%.300s; nothing has been saved yet", cause.msg);
  return cli_fail(err, st, cause.pos, "%.300s; the last checkpoint is intact: %.120s", cause.msg,
                  last);
}

static bool checkpoint_due(const loop *l) {
  int64_t every = l->c->checkpoint_interval;
  double minutes = l->c->checkpoint_minutes;
  return (every && l->r->mark.update % every == 0) ||
         (minutes > 0 && cli_now() - l->saved_at > 60 * minutes);
}

/* After an update, or on resuming a run that stopped before its evaluation. */
static trm_status evaluate_or_save(loop *l, trm_error *err) {
  const bool stop = cli_interrupted();
  const run_mark *mark = &l->r->mark;
  trm_status st = TRM_OK;
  if (!stop && mark->evaluated < mark->update && train_schedule_evaluates(l->s, mark->update)) {
    CLI_TRY(save(l, err)); /* an evaluation may be long: a kill must not cost the updates */
    st = evaluate(l, err);
    if (st == TRM_OK) return save(l, err);
  }
  if (st != TRM_OK && st != TRM_E_INTERRUPTED) return st; /* it was saved before */
  if (stop || st == TRM_E_INTERRUPTED) {
    CLI_TRY(save(l, err));
    return cli_fail(err, TRM_E_INTERRUPTED, -1, "interrupted after update %lld, which is saved",
                    (long long)mark->update);
  }
  return checkpoint_due(l) ? save(l, err) : TRM_OK;
}

/* ---- updates ---- */

static void smooth(double *value, double sample) {
  *value = *value < 0 ? sample : 0.95 * *value + 0.05 * sample;
}

static void show(loop *l, const trm_metrics *m) {
  char extra[96];
  smooth(&l->loss, m->loss / l->c->trainer.batch_size);
  if (m->count > 0) smooth(&l->exact, per_count(m->exact_accuracy, m));
  snprintf(extra, sizeof extra, "loss %.3f  exact %.1f %%", l->loss, 100 * fmax(l->exact, 0));
  cli_progress_update(&l->bar, l->r->mark.update, extra);
}

/* The batch was not read as a whole: the updates before it are kept, unless they are already. */
static trm_status save_before_fault(loop *l, trm_error *err) {
  const int64_t done = l->r->mark.update;
  if (done > 0 && done > l->saved) CLI_TRY(save(l, err));
  return cli_faults_check(err);
}

static trm_status update(loop *l, trm_error *err) {
  trm_error cause = {0};
  trm_metrics m;
  const trm_batch *batch = train_ahead_next(l->batches, trm_trainer_wants(l->t));
  if (cli_faults_check(err) != TRM_OK) return save_before_fault(l, err);
  trm_status st = trm_trainer_step(l->t, batch, &m, &cause);
  if (st == TRM_E_NUMERIC)
    return cli_fail(err, st, -1,
                    "%.330s; try a smaller lr or a longer lr_warmup_steps (`trm train --resume` "
                    "would fail again)",
                    cause.msg);
  if (st != TRM_OK) return cli_fail(err, st, cause.pos, "%s", cause.msg);
  l->r->mark.update = trm_trainer_updates(l->t);
  l->r->mark.stream_position = train_ahead_position(l->batches);
  show(l, &m);
  if (l->r->mark.update % l->c->log_interval == 0) return log_update(l, &m, err);
  return TRM_OK;
}

static trm_status run_updates(loop *l, trm_error *err) {
  if (l->r->mark.update > 0) CLI_TRY(evaluate_or_save(l, err));
  while (l->r->mark.update < l->s->end) {
    CLI_TRY(update(l, err));
    CLI_TRY(evaluate_or_save(l, err));
  }
  return TRM_OK;
}

trm_status train_loop(const run_config *c, const train_data *d, const train_schedule *s,
                      run_folder *r, trm_trainer *t, trm_stream *stream, trm_error *err) {
  const int rows = c->trainer.batch_size;
  const bool gpu = trm_device_resolve(c->trainer.device, NULL).kind != TRM_DEVICE_CPU;
  loop l = {.c = c, .d = d, .s = s, .r = r, .t = t, .loss = -1, .exact = -1};
  CLI_TRY(train_ahead_create(stream, rows, c->model.seq_len, gpu, &l.batches, err));
  l.started = l.saved_at = cli_now();
  l.first = l.saved = r->mark.update;
  cli_progress_begin(&l.bar, "training", r->mark.update, s->end, "samples", rows);
  trm_status st = run_updates(&l, err);
  cli_progress_end(&l.bar);
  train_ahead_free(l.batches);
  return st;
}
