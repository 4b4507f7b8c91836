/* See train_sweep.h. */
#include "cli/commands/train_sweep.h"

#include <string.h>

#include "base/error.h"
#include "cli/commands/train_plan.h"
#include "cli/run/run_jobs.h"

/* ---- the jobs ---- */

static trm_status job_of(void *arg, int i, run_job *out, trm_error *err) {
  trm_sweep *sweep = arg;
  CLI_TRY(trm_sweep_settings(sweep, i, &out->settings, &out->n, err));
  return trm_sweep_name(sweep, i, &out->label, err);
}

/* The folder that all runs lie in: of the first one, without its name. */
static trm_status folder_of(const run_jobs *jobs, char *folder, trm_error *err) {
  trm_run_config *c;
  bool there;
  CLI_TRY(run_jobs_load(jobs, 0, &c, err));
  const trm_status st = trm_run_find(c, folder, &there, err);
  trm_run_config_free(c);
  CLI_TRY(st);
  char *slash = strrchr(folder, '/');
  if (slash) *slash = 0;
  return TRM_OK;
}

/* ---- what they would cost ---- */

typedef struct sweep_costs {
  double flops;            /* of all runs */
  double seconds_per_flop; /* as the first run shows; 0: not measured yet */
  int there;               /* runs whose folders are there */
} sweep_costs;

static trm_status print_cost(const trm_run *run, const char *name, bool there, sweep_costs *costs,
                             trm_error *err) {
  const trm_run_plan *plan = trm_run_get_plan(run);
  trm_model_cost cost;
  char parameters[32], updates[32], room[CLI_CLEAN];
  double seconds;
  CLI_TRY(trm_model_cost_of(plan->model, &cost, err));
  const double update = cost.flops_train * plan->trainer.batch_size;
  const double flops = update * (double)plan->end;
  if (costs->seconds_per_flop == 0) {
    CLI_TRY(train_plan_seconds(run, &seconds, err));
    costs->seconds_per_flop = seconds / update;
    train_advise_data(run);
  }
  cli_format_count(cost.n_params, parameters, sizeof parameters);
  cli_format_count(plan->end, updates, sizeof updates);
  printf("%10s parameters %10s updates %10.4g TFLOP  %s%s\n", parameters, updates, 1e-12 * flops,
         cli_clean(room, sizeof room, name), there ? " (is there)" : "");
  costs->flops += flops;
  return TRM_OK;
}

static trm_status list_run(const run_jobs *jobs, int i, sweep_costs *costs, trm_error *err) {
  char folder[TRM_PATH_SIZE];
  trm_run_config *c;
  trm_run *run;
  run_job job;
  bool there;
  CLI_TRY(run_jobs_load(jobs, i, &c, err));
  trm_status st = trm_run_find(c, folder, &there, err);
  if (st != TRM_OK) {
    trm_run_config_free(c);
    return st;
  }
  CLI_TRY(trm_run_create(c, NULL, &run, err));
  st = jobs->job(jobs->arg, i, &job, err);
  if (st == TRM_OK) st = print_cost(run, job.label, there, costs, err);
  trm_run_free(run);
  costs->there += there;
  return st;
}

static trm_status list_all(const run_jobs *jobs, trm_error *err) {
  sweep_costs costs = {0};
  char time[32];
  for (int i = 0; i < jobs->n; i++) CLI_TRY(list_run(jobs, i, &costs, err));
  cli_format_duration(costs.flops * costs.seconds_per_flop, time, sizeof time);
  printf(
      "all          %d run%s, %.4g TFLOP, about %s one after another without evaluations (timed "
      "on the first, scaled by FLOPs)\n",
      jobs->n, TRM__S(jobs->n), 1e-12 * costs.flops, time);
  if (costs.there)
    printf("             %d of them are there: what they have learned stays\n", costs.there);
  return TRM_OK;
}

/* ---- training them ---- */

static int train_all(const run_jobs *jobs, const char *folder) {
  char room[CLI_CLEAN], room2[CLI_CLEAN];
  run_jobs_tally tally;
  const int code = run_jobs_train(jobs, &tally);
  if (tally.done + tally.diverged + tally.failed + tally.busy == 0 && code != CLI_INTERRUPTED)
    return code; /* none was begun, which was told */
  printf("sweep        %d of %d run%s done", tally.done, jobs->n, TRM__S(jobs->n));
  if (tally.diverged) printf(", %d diverged", tally.diverged);
  if (tally.failed) printf(", %d failed", tally.failed);
  if (tally.busy) printf(", %d in the hands of other processes", tally.busy);
  if (tally.left) printf(", %d left", tally.left);
  printf("; compare them with: trm runs %s\n", cli_clean(room, sizeof room, folder));
  if (tally.left + tally.failed + tally.busy > 0 && jobs->command)
    cli_note("go on with the same command: %s", cli_clean(room2, sizeof room2, jobs->command));
  return code;
}

int train_sweep_run(const train_sweep *s) {
  char folder[TRM_PATH_SIZE];
  trm_error err = {0};
  trm_sweep *sweep;
  int code;
  if (trm_sweep_create(s->settings, s->n, &sweep, &err) != TRM_OK)
    return cli_finish_files(cli_report_error(&err));
  const run_jobs jobs = {.n = trm_sweep_count(sweep),
                         .job = job_of,
                         .arg = sweep,
                         .config = s->config,
                         .command = s->command,
                         .at_once = s->jobs};
  trm_status st = folder_of(&jobs, folder, &err);
  if (st == TRM_OK && s->dry_run) st = list_all(&jobs, &err);
  if (st != TRM_OK)
    code = cli_report_error(&err);
  else
    code = s->dry_run ? CLI_OK : train_all(&jobs, folder);
  trm_sweep_free(sweep);
  return cli_finish_files(code);
}
