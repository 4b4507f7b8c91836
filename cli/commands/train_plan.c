/* What a run will do and cost: the table that `trm train` prints first, and the
 * measurement behind its estimate of the time. */
#include <math.h>
#include <stdlib.h>

#include "base/field.h"
#include "cli/commands/train_plan.h"

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

static trm_status probe_create(const trm_run *run, int rows, probe *p, trm_error *err) {
  const trm_run_plan *plan = trm_run_get_plan(run);
  const trm_dataset *data = trm_run_training_set(run, 0);
  const int64_t examples = trm_dataset_get_info(data)->examples;
  trm_model_config model = *plan->model;
  trm_trainer_config trainer = plan->trainer;
  size_t len = (size_t)model.seq_len, n = (size_t)rows;
  model.num_puzzle_identifiers = 1;
  trainer.batch_size = rows;
  trainer.comm = NULL;                      /* one rank times what it does alone */
  trainer.curriculum = (trm_curriculum){0}; /* an update of all cycles */
  trainer.lr = trainer.puzzle_emb_lr = 0;   /* the same work, but a few rows cannot break it */

  /* Rows of the first training set, over again where it has fewer. */
  *p = (probe){.rows = rows, .inputs = calloc(n * (2 * len + 1), sizeof *p->inputs)};
  if (!p->inputs) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for a batch");
  p->labels = p->inputs + n * len;
  p->ids = p->labels + n * len;
  for (size_t i = 0; i < n; i++)
    trm_dataset_example(data, (int64_t)i % examples, p->inputs + i * len, p->labels + i * len,
                        NULL);
  CLI_TRY(trm_model_create(&model, trainer.seed, &p->model, err));
  return trm_trainer_create(p->model, &trainer, &p->trainer, err);
}

/* Enough rows to keep all threads busy, few enough that an update takes about a second. */
static int probe_rows(const trm_trainer_config *c, const trm_model_cost *cost) {
  const int all = trm_default_threads(), asked = c->threads;
  const int threads = asked && asked < all ? asked : all;
  if (c->device.kind != TRM_DEVICE_CPU) return c->batch_size; /* a GPU is to be full */
  double rows = fmin(64, 2e10 / fmax(cost->flops_train, 1));
  rows = fmin(fmax(rows, threads), c->batch_size);
  return (int)fmax(rows, 1);
}

static int ranks_of(const trm_run_plan *plan) {
  return plan->trainer.comm ? plan->trainer.comm->size : 1;
}

/* Seconds of one update of the whole batch, from the faster of two updates of a few rows; of ranks
 * without what they exchange. */
static trm_status measure_update(const trm_run *run, const trm_model_cost *cost, int *rows,
                                 double *seconds, trm_error *err) {
  const trm_trainer_config *c = &trm_run_get_plan(run)->trainer;
  probe p;
  trm_metrics metrics;
  cli_patience patience;
  *seconds = INFINITY;
  *rows = probe_rows(c, cost);
  const double times = (double)c->batch_size / *rows / ranks_of(trm_run_get_plan(run));
  cli_patience_begin(&patience, CLI_PATIENCE, "timing an update, which takes a while");
  trm_status st = probe_create(run, *rows, &p, err);
  const trm_batch batch = {p.inputs, p.labels, p.ids};
  for (int i = 0; st == TRM_OK && i < 3; i++) {
    double start = cli_now();
    st = trm_trainer_step(p.trainer, &batch, &metrics, err);
    double took = cli_now() - start;
    /* The first one also touches fresh memory. */
    if (i > 0 || took > 5) *seconds = fmin(*seconds, took * times);
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
  if (trainer->device.kind != TRM_DEVICE_CPU || room == INT64_MAX) return TRM_OK;
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

static trm_status print_memory(const trm_run_plan *plan, FILE *f, trm_error *err) {
  char all[32], weights[32], gradients[32], carry[32], activations[32];
  const trm_trainer_config *trainer = &plan->trainer;
  trm_trainer_cost cost;
  CLI_TRY(trm_trainer_cost_of(plan->model, trainer, &cost, err));
  cli_format_bytes((double)cost.bytes, all, sizeof all);
  cli_format_bytes((double)cost.weights, weights, sizeof weights);
  cli_format_bytes((double)cost.gradients, gradients, sizeof gradients);
  cli_format_bytes((double)cost.carry, carry, sizeof carry);
  cli_format_bytes((double)cost.activations, activations, sizeof activations);
  fprintf(f,
          "memory       %s: weights and optimiser %s, gradients %s, latents %s, activations %s\n",
          all, weights, gradients, carry, activations);
  CLI_TRY(print_room(&cost, trainer, f, err));

  if (trainer->device.kind == TRM_DEVICE_CPU)
    fprintf(f, "work         %d team%s of %d thread%s, micro-batches of %d row%s%s\n", cost.teams,
            cost.teams == 1 ? "" : "s", cost.threads / cost.teams,
            cost.threads == cost.teams ? "" : "s", cost.micro_batch, TRM__S(cost.micro_batch),
            cost.threads < trainer->threads ? " (no more threads than processors)" : "");
  else
    fprintf(f, "work         micro-batches of %d row%s\n", cost.micro_batch,
            TRM__S(cost.micro_batch));
  return TRM_OK;
}

static trm_status print_device(trm_device device, FILE *f, trm_error *err) {
  char name[32], about[160];
  trm_device_name(device, name, sizeof name);
  CLI_TRY(trm_device_describe(device, about, sizeof about, err));
  fprintf(f, "device       %s: %s\n", name, about);
  return TRM_OK;
}

/* In what a model differs from the published one. */
static void print_variant(const trm_model_config *m, FILE *f) {
  const trm_model_config usual = trm_model_config_default(m->arch);
  const trm_field *field;
  const char *between = "variant      ";
  for (int i = 0; (field = trm_model_config_field(i)); i++) {
    char text[64];
    if (!(field->use & TRM__LATER) ||
        trm__field_number(field, m) == trm__field_number(field, &usual) ||
        trm_model_config_get(m, field->name, text, sizeof text, NULL) != TRM_OK)
      continue;
    fprintf(f, "%s%s=%s", between, field->key, text);
    between = ", ";
  }
  if (*between == ',') fprintf(f, "\n");
}

static void print_model(const trm_model_config *m, const trm_model_cost *cost, FILE *f) {
  char params[32], embedding[32], kept[32];
  const bool as_low = m->nets == TRM_NETS_SEPARATE && m->H_layers == 0;
  cli_format_count(cost->n_params, params, sizeof params);
  cli_format_count(cost->n_puzzle_emb, embedding, sizeof embedding);
  cli_format_bytes((double)cost->bytes_saved, kept, sizeof kept);
  fprintf(f, "model        %s: D=%d, %s, T=%d, n=%d, layers H %d L %d, %d positions, %s\n",
          trm_arch_name(m->arch), m->hidden_size, m->mlp_t ? "mixer" : "attention", m->H_cycles,
          m->L_cycles, as_low ? m->L_layers : m->H_layers, m->L_layers, cost->positions,
          trm_dtype_name(m->forward_dtype));
  print_variant(m, f);
  fprintf(f, "parameters   %s, and %s of puzzle embeddings\n", params, embedding);
  fprintf(
      f,
      "plan         depth %d%s, %d latent update%s per supervision step, %d with gradient (%s kept "
      "per row on a CPU), at most %d supervision step%s\n",
      cost->depth, m->solver == TRM_RECURSION_UPDATES ? "" : " at most", cost->n_updates,
      TRM__S(cost->n_updates), cost->n_updates_with_grad, kept, m->halt_max_steps,
      TRM__S(m->halt_max_steps));
}

static void print_data(const trm_run_plan *plan, FILE *f) {
  char groups[32], tests[32];
  cli_format_count(plan->groups, groups, sizeof groups);
  cli_format_count(plan->tests, tests, sizeof tests);
  fprintf(f, "data         %s group%s to train on, %s example%s to evaluate on (%s)\n", groups,
          TRM__S(plan->groups), tests, TRM__S(plan->tests),
          plan->held_back ? "held back from the training data" : "test split");
}

static void print_updates(const trm_run_plan *plan, const trm_model_cost *cost, FILE *f) {
  char updates[32], all[32];
  cli_format_count(plan->end, updates, sizeof updates);
  cli_format_count(plan->total, all, sizeof all);
  fprintf(f, "updates      %s of %d row%s", updates, plan->trainer.batch_size,
          TRM__S(plan->trainer.batch_size));
  if (plan->end < plan->total) fprintf(f, " (max_updates; all epochs would make %s)", all);
  fprintf(f, ", %.4g GFLOP each\n", cost->flops_train * plan->trainer.batch_size * 1e-9);
}

/* FLOPs of an update's row in a stage of the curriculum, of a whole one; the last stage is 1. */
static double share_of_stage(const trm_run_plan *plan, const trm_model_cost *whole, int stage) {
  const trm_curriculum *c = &plan->trainer.curriculum;
  trm_model_config m = *plan->model;
  trm_model_cost cost;
  if (stage == c->n) return 1;
  m.H_cycles = c->stage[stage].H_cycles;
  m.L_cycles = c->stage[stage].L_cycles;
  return trm_model_cost_of(&m, &cost, NULL) == TRM_OK ? cost.flops_train / whole->flops_train : 1;
}

/* How many updates of all cycles cost as much as those of the run. */
static double whole_updates(const trm_run_plan *plan, const trm_model_cost *whole) {
  const trm_curriculum *c = &plan->trainer.curriculum;
  double done = 0, worth = 0;
  for (int i = 0; i <= c->n; i++) {
    double until = (double)plan->end;
    if (i < c->n) until = fmin(until, ceil(c->stage[i].percent * 0.01 * (double)plan->total));
    worth += fmax(until - done, 0) * share_of_stage(plan, whole, i);
    done = fmax(until, done);
  }
  return worth;
}

static void print_curriculum(const trm_run_plan *plan, const trm_model_cost *whole, FILE *f) {
  const trm_curriculum *c = &plan->trainer.curriculum;
  for (int i = 0; i < c->n; i++)
    fprintf(f, "%suntil %d %% T=%d, n=%d (%.2g of the arithmetic)", i ? ", " : "curriculum   ",
            c->stage[i].percent, c->stage[i].H_cycles, c->stage[i].L_cycles,
            share_of_stage(plan, whole, i));
  if (c->n) fprintf(f, "; in all %.3g updates' worth\n", whole_updates(plan, whole));
}

static trm_status fail_interrupted(trm_error *err) {
  return cli_fail(err, TRM_E_INTERRUPTED, -1, "interrupted before the first update");
}

trm_status train_plan_seconds(const trm_run *run, double *seconds, trm_error *err) {
  trm_model_cost cost;
  int rows;
  CLI_TRY(trm_model_cost_of(trm_run_get_plan(run)->model, &cost, err));
  CLI_TRY(measure_update(run, &cost, &rows, seconds, err));
  return cli_interrupted() ? fail_interrupted(err) : TRM_OK;
}

trm_status train_plan_print(const trm_run *run, FILE *f, trm_error *err) {
  const trm_run_plan *plan = trm_run_get_plan(run);
  trm_model_cost cost;
  char duration[32];
  double seconds;
  int rows;

  /* What is known ... */
  CLI_TRY(trm_model_cost_of(plan->model, &cost, err));
  print_data(plan, f);
  print_model(plan->model, &cost, f);
  CLI_TRY(print_device(plan->trainer.device, f, err));
  if (ranks_of(plan) > 1)
    fprintf(f, "ranks        %d, which share each update; memory and work are those of one\n",
            ranks_of(plan));
  CLI_TRY(print_memory(plan, f, err));
  print_updates(plan, &cost, f);
  print_curriculum(plan, &cost, f);
  fflush(f);

  /* ... and what takes a while to know. */
  CLI_TRY(measure_update(run, &cost, &rows, &seconds, err));
  if (cli_interrupted()) return fail_interrupted(err);
  const double all = seconds * whole_updates(plan, &cost);
  cli_format_duration(all, duration, sizeof duration);
  fprintf(f,
          "time         about %s without evaluations, %.3g s per update (timed on %d row%s, scaled "
          "to %d)\n",
          duration, seconds, rows, TRM__S(rows), plan->trainer.batch_size);
  fflush(f);
  train_advise_data(run);
  train_advise_time(run, all);
  return TRM_OK;
}
