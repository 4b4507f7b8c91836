/* What a run will do and cost: the schedule, the table that `trm train` prints first, and the
 * measurement behind its estimate of the time. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/run/train.h"

trm_status train_schedule_of(const run_config *c, const train_data *d, train_schedule *s,
                             trm_error *err) {
  double examples = (double)d->groups * d->mean_puzzle_examples, batch = c->trainer.batch_size;
  s->total = (int64_t)fmin(floor((double)c->epochs * examples / batch), 9e15);
  s->end = c->max_updates && c->max_updates < s->total ? c->max_updates : s->total;
  s->updates_per_epoch = examples / batch;
  s->eval_every = (double)c->eval_interval * s->updates_per_epoch;
  s->skip_evals = c->min_eval_interval;
  if (s->total < 1)
    return cli_fail(err, TRM_E_CONFIG, -1,
                    "epochs=%lld of %g examples make less than one update of global_batch_size=%d; "
                    "raise epochs or lower global_batch_size",
                    (long long)c->epochs, examples, c->trainer.batch_size);
  return TRM_OK;
}

bool train_schedule_evaluates(const train_schedule *s, int64_t u) {
  if (u >= s->end) return true;
  if (s->eval_every <= 0) return false;
  double k = floor((double)u / s->eval_every + 1e-9);
  return k > floor((double)(u - 1) / s->eval_every + 1e-9) && k > (double)s->skip_evals;
}

trm_trainer_config train_trainer_config(const run_config *c, const train_schedule *s) {
  trm_trainer_config t = c->trainer;
  t.total_steps = s->total;
  t.device = trm_device_resolve(t.device, NULL);
  if (!c->ema) t.ema_rate = 0;
  return t;
}

/* A trainer of a few rows with the first examples of the data. */
typedef struct probe {
  trm_model *model;
  trm_trainer *trainer;
  int32_t *inputs, *labels, *ids; /* one block */
  int rows;
} probe;

static void probe_free(probe *p) {
  trm_trainer_free(p->trainer);
  trm_model_free(p->model);
  free(p->inputs);
}

static trm_status probe_create(const run_config *c, const train_data *d, const train_schedule *s,
                               int rows, probe *p, trm_error *err) {
  trm_model_config model = c->model;
  trm_trainer_config trainer = train_trainer_config(c, s);
  const trm_dataset_info *info = trm_dataset_get_info(d->train[0]);
  size_t len = (size_t)model.seq_len, n = (size_t)rows;
  model.num_puzzle_identifiers = 1;
  trainer.batch_size = rows;
  trainer.lr = trainer.puzzle_emb_lr = 0; /* the same work, but a few rows cannot break it */
  *p = (probe){.rows = rows, .inputs = calloc(n * (2 * len + 1), sizeof *p->inputs)};
  if (!p->inputs) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for a batch");
  p->labels = p->inputs + n * len;
  p->ids = p->labels + n * len;
  for (size_t i = 0; i < n; i++)
    trm_dataset_example(d->train[0], (int64_t)i % info->examples, p->inputs + i * len,
                        p->labels + i * len, NULL);
  CLI_TRY(trm_model_create(&model, trainer.seed, &p->model, err));
  return trm_trainer_create(p->model, &trainer, &p->trainer, err);
}

/* Enough rows to keep all threads busy, few enough that an update takes about a second. */
static int probe_rows(const run_config *c, const trm_model_cost *cost) {
  const int all = trm_default_threads(), asked = c->trainer.threads;
  const int threads = asked && asked < all ? asked : all;
  if (trm_device_resolve(c->trainer.device, NULL).kind != TRM_DEVICE_CPU)
    return c->trainer.batch_size; /* a GPU is to be full */
  double rows = fmin(64, 2e10 / fmax(cost->flops_train, 1));
  rows = fmin(fmax(rows, threads), c->trainer.batch_size);
  return (int)fmax(rows, 1);
}

/* Seconds of one update of the whole batch, from the faster of two updates of a few rows. */
static trm_status measure_update(const run_config *c, const train_data *d, const train_schedule *s,
                                 const trm_model_cost *cost, int *rows, double *seconds,
                                 trm_error *err) {
  probe p;
  trm_metrics metrics;
  cli_patience patience;
  *seconds = INFINITY;
  *rows = probe_rows(c, cost);
  cli_patience_begin(&patience, CLI_PATIENCE, "timing an update, which takes a while");
  trm_status st = probe_create(c, d, s, *rows, &p, err);
  const trm_batch batch = {p.inputs, p.labels, p.ids};
  for (int i = 0; st == TRM_OK && i < 3; i++) {
    double start = cli_now();
    st = trm_trainer_step(p.trainer, &batch, &metrics, err);
    double took = cli_now() - start;
    /* The first one also touches fresh memory. */
    if (i > 0 || took > 5) *seconds = fmin(*seconds, took * c->trainer.batch_size / *rows);
    if (took > 5 || cli_interrupted()) break;
  }
  cli_patience_end(&patience);
  probe_free(&p);
  return st;
}

/* What there is for it, and of which limit; a plan that does not fit is none. */
static trm_status print_room(const trm_trainer_cost *cost, const trm_trainer_config *trainer,
                             FILE *f, trm_error *err) {
  char limit[128], left[32], need[32];
  const int64_t room = trm_memory_room(limit, sizeof limit), bytes = cost->bytes + cost->evaluation;
  if (trm_device_resolve(trainer->device, NULL).kind != TRM_DEVICE_CPU || room == INT64_MAX)
    return TRM_OK;
  cli_format_bytes((double)room, left, sizeof left);
  cli_format_bytes((double)bytes, need, sizeof need);
  fprintf(f, "room         %s left of %s\n", left, limit);
  if (bytes <= room) return TRM_OK;
  return cli_fail(
      err, TRM_E_MEMORY, -1,
      "no memory for this training: %s are needed with evaluations, %s are left of %s; a "
      "smaller global_batch_size, micro_batch or number of threads takes less",
      need, left, limit);
}

static trm_status print_memory(const run_config *c, const train_schedule *s, FILE *f,
                               trm_error *err) {
  char all[32], weights[32], gradients[32], carry[32], activations[32];
  const trm_trainer_config trainer = train_trainer_config(c, s);
  trm_trainer_cost cost;
  CLI_TRY(trm_trainer_cost_of(&c->model, &trainer, &cost, err));
  cli_format_bytes((double)cost.bytes, all, sizeof all);
  cli_format_bytes((double)cost.weights, weights, sizeof weights);
  cli_format_bytes((double)cost.gradients, gradients, sizeof gradients);
  cli_format_bytes((double)cost.carry, carry, sizeof carry);
  cli_format_bytes((double)cost.activations, activations, sizeof activations);
  fprintf(f,
          "memory       %s: weights and optimiser %s, gradients %s, latents %s, activations %s\n",
          all, weights, gradients, carry, activations);
  CLI_TRY(print_room(&cost, &trainer, f, err));
  if (trainer.device.kind == TRM_DEVICE_CPU)
    fprintf(f, "work         %d team%s of %d thread%s, micro-batches of %d rows%s\n", cost.teams,
            cost.teams == 1 ? "" : "s", cost.threads / cost.teams,
            cost.threads == cost.teams ? "" : "s", cost.micro_batch,
            cost.threads < trainer.threads ? " (no more threads than processors)" : "");
  else
    fprintf(f, "work         micro-batches of %d rows\n", cost.micro_batch);
  return TRM_OK;
}

static trm_status print_device(const run_config *c, FILE *f, trm_error *err) {
  char name[32], about[160];
  const trm_device device = trm_device_resolve(c->trainer.device, NULL);
  trm_device_name(device, name, sizeof name);
  CLI_TRY(trm_device_describe(device, about, sizeof about, err));
  fprintf(f, "device       %s: %s\n", name, about);
  return TRM_OK;
}

static void print_model(const run_config *c, const trm_model_cost *cost, FILE *f) {
  char params[32], embedding[32];
  const trm_model_config *m = &c->model;
  cli_format_count(cost->n_params, params, sizeof params);
  cli_format_count(cost->n_puzzle_emb, embedding, sizeof embedding);
  fprintf(f, "model        %s: D=%d, %s, T=%d, n=%d, layers H %d L %d, %d positions, %s\n",
          trm_arch_name(m->arch), m->hidden_size, m->mlp_t ? "mixer" : "attention", m->H_cycles,
          m->L_cycles, m->H_layers, m->L_layers, cost->positions, trm_dtype_name(m->forward_dtype));
  fprintf(f, "parameters   %s, and %s of puzzle embeddings\n", params, embedding);
  fprintf(f,
          "plan         depth %d, %d latent updates per supervision step, %d with gradient, at "
          "most %d supervision steps\n",
          cost->depth, cost->n_updates, cost->n_updates_with_grad, m->halt_max_steps);
}

static void print_data(const train_data *d, FILE *f) {
  char groups[32], tests[32];
  int64_t examples = 0;
  for (int i = 0; i < d->n_test; i++) examples += trm_dataset_get_info(d->test[i])->examples;
  cli_format_count(d->groups, groups, sizeof groups);
  cli_format_count(examples, tests, sizeof tests);
  fprintf(f, "data         %s groups to train on, %s examples to evaluate on (%s)\n", groups, tests,
          d->held_back ? "held back from the training data" : "test split");
}

trm_status train_plan_print(const run_config *c, const train_data *d, const train_schedule *s,
                            FILE *f, trm_error *err) {
  trm_model_cost cost;
  char updates[32], all[32], duration[32];
  double seconds;
  int rows;
  CLI_TRY(trm_model_cost_of(&c->model, &cost, err));
  print_data(d, f);
  print_model(c, &cost, f);
  CLI_TRY(print_device(c, f, err));
  CLI_TRY(print_memory(c, s, f, err));
  cli_format_count(s->end, updates, sizeof updates);
  cli_format_count(s->total, all, sizeof all);
  fprintf(f, "updates      %s of %d rows", updates, c->trainer.batch_size);
  if (s->end < s->total) fprintf(f, " (max_updates; all epochs would make %s)", all);
  fprintf(f, ", %.4g GFLOP each\n", cost.flops_train * c->trainer.batch_size * 1e-9);
  fflush(f);
  CLI_TRY(measure_update(c, d, s, &cost, &rows, &seconds, err));
  if (cli_interrupted())
    return cli_fail(err, TRM_E_INTERRUPTED, -1, "interrupted before the first update");
  cli_format_duration(seconds * (double)s->end, duration, sizeof duration);
  fprintf(f,
          "time         about %s without evaluations, %.3g s per update (timed on %d rows, scaled "
          "to %d)\n",
          duration, seconds, rows, c->trainer.batch_size);
  fflush(f);
  train_advise_data(c, d, s);
  train_advise_time(c, d, seconds * (double)s->end);
  return TRM_OK;
}
