/* trm train: from the command line to a trained run folder. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/field.h"
#include "cli/commands/train_plan.h"
#include "cli/commands/train_sweep.h"
#include "cli/run/find_model.h"
#include "cli/run/named_models.h"
#include "cli/run/ranks.h"

static const cli_manual manual = {
    "trm train [preset=NAME] [key=value ...] [--config FILE] [--dry-run]\n"
    "       trm train -m key=value,value ... [--jobs N] [--dry-run]\n"
    "       trm train --resume DIR [key=value ...]",
    "Trains a model and keeps checkpoints in OUT/PROJECT_NAME/RUN_NAME: folders step_N, and\n"
    "the files last and best, which name one. Settings are layers: defaults, then the preset,\n"
    "then the file, then the command line. Keys and values are the reference implementation's\n"
    "(Hydra notation: key=value, +key=value, \"[a,b]\", null).\n"
    "Ctrl-C or SIGTERM saves and says how to go on; on the same device a resumed run\n"
    "continues bit for bit. device=cpu|cuda:N chooses where; without it, the first GPU if\n"
    "there is one that can be used.\n"
    "-m trains every combination of the values that settings have (seed=0,1,2, choice(a,b),\n"
    "range(start,stop,step)), each in a folder named by them; the same command again does\n"
    "what is left. trm runs compares them; docs/TRAINING.md has the whole story.\n" RANKS_ABOUT
    "They are 1, 2, 4 or 8, on CPUs (docs/CLUSTER.md).\n",
    "Examples:\n"
    "  trm train preset=sudoku6 data_paths=\"[data/sudoku6]\" +run_name=first\n"
    "  trm train preset=sudoku-mlp data_paths=\"[data/sudoku]\" --dry-run\n"
    "  trm train arch=trm data_paths=\"[data/sudoku]\" evaluators=\"[]\" epochs=50000 \\\n"
    "    eval_interval=5000 lr=1e-4 puzzle_emb_lr=1e-4 weight_decay=1.0 \\\n"
    "    puzzle_emb_weight_decay=1.0 arch.mlp_t=True arch.pos_encodings=none \\\n"
    "    arch.L_layers=2 arch.H_cycles=3 arch.L_cycles=6 +run_name=r ema=True\n"
    "  trm train -m preset=sudoku6 seed=0,1,2 arch.L_cycles=3,6 --jobs 2\n"
    "  trm train --resume runs/Sudoku6-trm/first max_updates=2000\n"};

typedef struct train_args {
  const char *config, *resume;
  char *command; /* as it was typed; NULL: no memory for it */
  bool dry_run, list_keys, list_presets, multirun;
  int jobs; /* 0: not given */
} train_args;

/* ---- what is shown ---- */

typedef struct train_show {
  cli_progress training, evaluating;
  bool evaluates;
} train_show;

/* A line must not stand in a bar. */
static void tell(void *arg, trm_run_level level, const char *text) {
  train_show *s = arg;
  cli_progress_clear(&s->evaluating);
  cli_progress_clear(&s->training);
  cli_tell(NULL, level, text);
}

static bool show(void *arg, const trm_run_progress *p) {
  train_show *s = arg;
  char extra[96];

  /* An evaluation has a bar of its own, in the place of the training's. */
  if (p->evaluating && !s->evaluates) {
    cli_progress_clear(&s->training);
    cli_progress_begin(&s->evaluating, "evaluating", 0, 0, "examples", 1);
  }
  if (!p->evaluating && s->evaluates) cli_progress_end(&s->evaluating);
  s->evaluates = p->evaluating;
  if (p->evaluating)
    return p->total ? cli_progress_tick(&s->evaluating, p->done, p->total) : !cli_interrupted();
  if (p->done == s->training.first) return !cli_interrupted(); /* nothing was done yet */

  /* Smoothed figures; before the first they are negative. */
  snprintf(extra, sizeof extra, "loss %.3f  exact %.1f %%", fmax(p->loss, 0),
           100 * fmax(p->exact, 0));
  cli_progress_update(&s->training, p->done, extra);
  return !cli_interrupted();
}

static void begin_showing(train_show *s, const trm_run *run) {
  char pace[TRM__NUMBER_SIZE] = "";
  double seconds;
  const trm_run_plan *plan = trm_run_get_plan(run);
  if (trm_run_config_get(trm_run_get_config(run), "log_seconds", pace, sizeof pace, NULL) ==
          TRM_OK &&
      trm__number_double(pace, &seconds))
    cli_progress_pace(seconds);
  cli_progress_begin(&s->training, "training", trm_run_get_state(run).update, plan->end, "samples",
                     plan->trainer.batch_size);
}

static void end_showing(train_show *s) {
  cli_progress_end(&s->evaluating);
  cli_progress_end(&s->training);
}

/* ---- a run ---- */

static trm_status open_run(const train_args *args, const char *const *settings, int n,
                           const trm_run_listener *listener, trm_run **run, trm_error *err) {
  trm_run_config *c;
  if (args->resume && !args->dry_run)
    return trm_run_open(args->resume, settings, n, listener, run, err);
  CLI_TRY(args->resume ? trm_run_config_load_run(args->resume, settings, n, &c, err)
                       : trm_run_config_load(args->config, settings, n, &c, err));
  const trm_status st = args->dry_run ? TRM_OK : named_model_start(c, err);
  if (st == TRM_OK) return trm_run_create(c, listener, run, err);
  trm_run_config_free(c);
  return st;
}

static void print_result(const trm_run *run) {
  char room[CLI_CLEAN];
  const trm_run_state at = trm_run_get_state(run);
  const char *path = cli_clean(room, sizeof room, at.folder);
  if (at.best_exact >= 0)
    printf("best         %.2f %% exact, update %lld: %s/best\n", 100 * at.best_exact,
           (long long)at.best_update, path);
  printf("last         update %lld: %s/last\n", (long long)at.update, path);
}

/* The plan is rank 0's, who has the folder; the others wait for it in trm_run_begin. */
static bool leads(const trm_run *run) {
  const trm_comm *comm = trm_run_get_plan(run)->trainer.comm;
  return !comm || comm->rank == 0;
}

/* Says what is ahead and gets ready for it. */
static trm_status start_run(trm_run *run, trm_error *err) {
  const trm_run_state at = trm_run_get_state(run);
  const long long done = at.update, end = trm_run_get_plan(run)->end;
  char path[CLI_CLEAN];
  printf("run          %s\n", cli_clean(path, sizeof path, at.folder));
  if (done == 0 && leads(run)) CLI_TRY(train_plan_print(run, stdout, err));
  if (done > 0 && done < end)
    cli_note("%s: going on after update %lld of %lld", at.folder, done, end);
  else if (done > 0)
    cli_note("%s: all %lld update%s done; with a higher max_updates or epochs it goes on",
             at.folder, done, done == 1 ? " is" : "s are");
  CLI_TRY(trm_run_begin(run, err));
  return cli_faults_check(err);
}

/* The plan, and a warning of what a run would refuse. */
static trm_status print_plan(trm_run *run, const train_args *args, trm_error *err) {
  trm_error refusal;
  if (!leads(run)) return TRM_OK;
  CLI_TRY(train_plan_print(run, stdout, err));
  const trm_status st = args->resume ? TRM_OK : trm_run_check(run, &refusal);
  if (st == TRM_E_MEMORY) return cli_fail(err, st, -1, "%.400s", refusal.msg);
  if (st != TRM_OK) cli_warn("%s", refusal.msg);
  return TRM_OK;
}

static trm_status train(trm_run *run, train_show *shown, const train_args *args, trm_error *err) {
  cli_note_device(trm_run_config_trainer(trm_run_get_config(run))->device);
  if (args->dry_run) return print_plan(run, args, err);
  cli_faults_defer(); /* what was learned before one is saved */
  CLI_TRY(trm_run_set_command(run, args->command, err));
  CLI_TRY(trm_run_place(run, err));
  trm_status st = start_run(run, err);
  const bool asked = st == TRM_E_INTERRUPTED && !cli_faulted(); /* it can begin with --resume */
  if (st != TRM_OK && !asked) trm_run_discard(run);
  if (st != TRM_OK) return st;
  begin_showing(shown, run);
  st = trm_run_train(run, 0, err);
  end_showing(shown);
  if (st == TRM_OK) print_result(run);
  return st;
}

/* The exit code, and how a run that was stopped is gone on with. */
static int report(const trm_run *run, const trm_comm *comm, trm_status st, const trm_error *err) {
  const trm_run_state at = run ? trm_run_get_state(run) : (trm_run_state){0};
  const bool asked = st == TRM_E_INTERRUPTED && !cli_faulted();
  int code = CLI_OK;
  if (asked) {
    cli_note("%s", err->msg);
    code = CLI_INTERRUPTED;
  } else if (st != TRM_OK) {
    code = ranks_report(comm, st, err);
  }
  if (at.folder && (asked || (cli_faulted() && at.update > 0)))
    cli_note("go on with: trm train --resume %s", at.folder);
  return code;
}

static int run_train(const train_args *args, const char *const *settings, int n) {
  train_show shown = {0};
  trm_run_listener listener = cli_listener;
  trm_run *run = NULL;
  trm_error err = {0};
  listener.message = tell;
  listener.progress = show;
  listener.arg = &shown;
  trm_status st = ranks_open(&listener.comm, &err);
  if (st == TRM_OK) st = open_run(args, settings, n, &listener, &run, &err);
  if (st == TRM_OK) st = train(run, &shown, args, &err);
  const int code = report(run, listener.comm, st, &err);
  trm_run_free(run);
  return ranks_close(listener.comm, st, cli_finish_files(code));
}

/* ---- lists ---- */

static trm_status print_key(const trm_field *f, trm_error *err) {
  char value[160];
  const trm_bounds bounds = trm_field_bounds(f);
  CLI_TRY(trm_run_config_get(NULL, f->key, value, sizeof value, err));
  printf("%c %-27s %-9s %s\n      %s", f->use & TRM__OURS ? '*' : ' ', f->key, bounds.type, value,
         bounds.help);
  for (int i = 0; trm_field_choice(f, i); i++)
    printf("%s%s", i ? ", " : ": ", trm_field_choice(f, i));
  printf("\n");
  return TRM_OK;
}

static trm_status print_keys(trm_error *err) {
  printf("Keys of a run, with their defaults (* ours, not the reference's):\n");
  for (int i = 0; trm_run_config_field(i); i++) CLI_TRY(print_key(trm_run_config_field(i), err));
  return TRM_OK;
}

static void print_presets(void) {
  const trm_run_preset *p;
  for (int i = 0; (p = trm_run_preset_at(i)); i++) {
    printf("%s: %s\n   ", p->name, p->about);
    for (const char *const *s = p->settings; *s; s++) printf(" %s", *s);
    printf("\n");
    for (const char *const *make = p->make; *make; make++) printf("    data: %s\n", *make);
  }
}

static int list(const train_args *args) {
  trm_error err = {0};
  if (args->list_presets) print_presets();
  if (args->list_keys && print_keys(&err) != TRM_OK) return cli_report_error(&err);
  return cli_finish(CLI_OK);
}

static int run(const train_args *args, const char *const *settings, int n) {
  if (args->list_keys || args->list_presets) return list(args);
  if (args->resume && args->config)
    return cli_usage_error("--resume takes the run's own configuration; leave --config out");
  if (args->resume && args->multirun)
    return cli_usage_error(
        "-m goes on with the runs of a sweep by itself, as the same command again: leave --resume "
        "out");
  if (args->jobs && !args->multirun)
    return cli_usage_error("--jobs is for the runs of a sweep: want -m, too");
  if (!args->multirun) return run_train(args, settings, n);
  int code;
  if (ranks_refuse("a sweep (-m)", &code)) return code;
  return train_sweep_run(&(train_sweep){.settings = settings,
                                        .n = n,
                                        .config = args->config,
                                        .command = args->command,
                                        .jobs = args->jobs ? args->jobs : 1,
                                        .dry_run = args->dry_run});
}

int cmd_train(int argc, char **argv) {
  train_args args = {.command = cli_command_line("train", argc, argv)};
  const cli_option options[] = {
      {"config", CLI_STRING, &args.config, "FILE", "a YAML file of settings"},
      {"resume", CLI_STRING, &args.resume, "DIR", "go on with the run in this folder"},
      {"m,multirun", CLI_FLAG, &args.multirun, NULL, "train every combination of the values"},
      {"jobs", CLI_SIZE, &args.jobs, "N", "of these so many at once, which share the processors"},
      {"dry-run", CLI_FLAG, &args.dry_run, NULL, "print the plan and its costs, write nothing"},
      {"list-keys", CLI_FLAG, &args.list_keys, NULL, "print all keys with defaults and meaning"},
      {"list-presets", CLI_FLAG, &args.list_presets, NULL, "print all presets"},
      CLI_QUIET_ROW,
      {NULL, CLI_FLAG, NULL, NULL, NULL}};
  int code;
  if (cli_options_parse_settings(&manual, options, trm_run_config_suggest, &argc, argv, &code))
    code = run(&args, (const char *const *)argv, argc);
  free(args.command);
  return code;
}
