/* trm train: from the command line to a trained run folder. */
#include <stdlib.h>
#include <string.h>

#include "cli/run/train.h"

static const cli_manual manual = {
    "trm train [preset=NAME] [key=value ...] [--config FILE] [--dry-run]\n"
    "       trm train --resume DIR [key=value ...]",
    "Trains a model and keeps checkpoints in OUT/PROJECT_NAME/RUN_NAME: folders step_N, and\n"
    "the files last and best, which name one. Settings are layers: defaults, then the preset,\n"
    "then the file, then the command line. Keys and values are the reference implementation's\n"
    "(Hydra notation: key=value, +key=value, \"[a,b]\", null).\n"
    "Ctrl-C or SIGTERM saves and says how to go on; on the same device a resumed run\n"
    "continues bit for bit. device=cpu|cuda:N chooses where; without it, the first GPU if\n"
    "there is one that can be used.\n",
    "Examples:\n"
    "  trm train preset=sudoku6 data_paths=\"[data/sudoku6]\" +run_name=first\n"
    "  trm train preset=sudoku-mlp data_paths=\"[data/sudoku]\" --dry-run\n"
    "  trm train arch=trm data_paths=\"[data/sudoku]\" evaluators=\"[]\" epochs=50000 \\\n"
    "    eval_interval=5000 lr=1e-4 puzzle_emb_lr=1e-4 weight_decay=1.0 \\\n"
    "    puzzle_emb_weight_decay=1.0 arch.mlp_t=True arch.pos_encodings=none \\\n"
    "    arch.L_layers=2 arch.H_cycles=3 arch.L_cycles=6 +run_name=r ema=True\n"
    "  trm train --resume runs/Sudoku6-trm/first max_updates=2000\n"};

typedef struct train_args {
  const char *config, *resume;
  bool dry_run, list_keys, list_presets;
} train_args;

static trm_status check_resumable(const char *const *overrides, int n, trm_error *err) {
  for (int i = 0; i < n; i++) {
    const char *key = overrides[i] + strspn(overrides[i], "+");
    size_t length = strcspn(key, "=");
    if (!run_config_may_change(key, length))
      return cli_fail(
          err, TRM_E_CONFIG, -1,
          "'%.100s': a resumed run keeps its configuration; max_updates, epochs, "
          "device, threads, memory, the intervals of log and checkpoints, and the place "
          "of the data (data_paths) may change",
          overrides[i]);
  }
  return TRM_OK;
}

/* The model to start from: fresh, with loaded weights if asked for. A resumed one gets them from
 * its state. */
static trm_status create_model(const run_config *c, bool resumed, trm_model **model,
                               trm_error *err) {
  char path[CLI_PATH_MAX];
  trm_model *loaded = NULL;
  bool reset = false;
  CLI_TRY(trm_model_create(&c->model, c->trainer.seed, model, err));
  if (!c->load_checkpoint || resumed) return TRM_OK;
  const trm_dataset_info data = {
      .vocab_size = c->model.vocab_size, .seq_len = c->model.seq_len, .puzzle = c->model.puzzle};
  CLI_TRY(run_folder_load_model_for(c->load_checkpoint, &data, path, &loaded, err));
  trm_error cause = {0};
  trm_status st = trm_model_copy_weights(*model, loaded, &reset, &cause);
  trm_model_free(loaded);
  if (st != TRM_OK)
    return cli_fail(
        err, st, cause.pos,
        "load_checkpoint: %.120s is not a model of this kind: %.300s; it needs the arch.* "
        "keys and the kind of data it was trained with",
        path, cause.msg);
  if (st == TRM_OK && reset)
    cli_warn(
        "%s has other puzzle ids than the data, or only some of them: embeddings that it has none "
        "for start at the mean of its own",
        path);
  return st;
}

typedef struct train_run {
  run_config config;
  train_data data;
  train_schedule schedule;
  run_folder folder;
  trm_model *model;
  trm_trainer *trainer;
  trm_stream *stream;
} train_run;

static void train_run_free(train_run *run) {
  if (!run) return;
  trm_stream_free(run->stream);
  trm_trainer_free(run->trainer);
  trm_model_free(run->model);
  run_folder_close(&run->folder);
  train_data_free(&run->data);
  run_config_free(&run->config);
  free(run);
}

/* An iteration of the stream ends with an evaluation. */
static trm_status create_stream(train_run *run, trm_error *err) {
  const run_config *c = &run->config;
  const trm_stream_config config = {
      .batch_size = c->trainer.batch_size,
      .seed = c->trainer.seed,
      .epochs_per_iter = c->eval_interval ? c->eval_interval : c->epochs,
      .augment = (trm_augment)c->augment};
  return trm_stream_create(run->data.train, run->data.n_train, &config, &run->stream, err);
}

/* The trainer and the stream at the run's mark. */
static trm_status start_machinery(train_run *run, trm_error *err) {
  const run_config *c = &run->config;
  const run_mark *mark = &run->folder.mark;
  char state[CLI_PATH_MAX];
  const trm_trainer_config config = train_trainer_config(c, &run->schedule);
  CLI_TRY(create_model(c, mark->update > 0, &run->model, err));
  CLI_TRY(cli_faults_check(err));
  CLI_TRY(trm_trainer_create(run->model, &config, &run->trainer, err));
  trm_model_free(run->model);
  run->model = NULL;
  if (mark->update == 0) return TRM_OK;
  CLI_TRY(run_folder_state(&run->folder, state, err));
  CLI_TRY(trm_trainer_load(run->trainer, state, err));
  if (trm_trainer_updates(run->trainer) != mark->update)
    return cli_fail(err, TRM_E_FORMAT, -1, "%s is of update %lld, run.json beside it of %lld",
                    state, (long long)trm_trainer_updates(run->trainer), (long long)mark->update);
  CLI_TRY(cli_faults_check(err));
  return trm_stream_seek(run->stream, mark->stream_position, err);
}

/* A run's configuration cannot be read: the file is at fault when it fails alone, too. */
static trm_status explain(const char *run, const char *file, trm_status st, trm_error *err) {
  run_config alone;
  trm_error cause;
  const trm_status again = run_config_load(&alone, file, NULL, 0, &cause);
  if (again != TRM_OK) return run_folder_explain_config(run, st, err);
  run_config_free(&alone);
  return st;
}

static trm_status load_config(train_run *run, const train_args *args, const char *const *overrides,
                              int n, trm_error *err) {
  char path[CLI_PATH_MAX];
  const char *file = args->config;
  if (args->resume) {
    CLI_TRY(check_resumable(overrides, n, err));
    CLI_TRY(run_folder_check_is_run(args->resume, err));
    CLI_TRY(cli_path(path, err, "%s/config.yaml", args->resume));
    file = path;
  }
  trm_status st = run_config_load(&run->config, file, overrides, n, err);
  if (st != TRM_OK) return args->resume ? explain(args->resume, file, st, err) : st;
  if (args->resume && !args->dry_run) {
    CLI_TRY(run_folder_open(&run->folder, args->resume, err));
    CLI_TRY(run_folder_check_config(&run->folder, &run->config, err));
  }
  CLI_TRY(train_data_open(&run->config, &run->data, err));
  CLI_TRY(train_schedule_of(&run->config, &run->data, &run->schedule, err));
  return create_stream(run, err);
}

static trm_status open_folder(train_run *run, const train_args *args, int n_overrides,
                              trm_error *err) {
  uint64_t data;
  CLI_TRY(train_data_fingerprint(&run->data, &data, err));
  if (!args->resume) {
    CLI_TRY(run_folder_create(&run->folder, &run->config, err));
    run->folder.mark.data = data;
    return TRM_OK;
  }
  if (run->folder.mark.update == 0)
    cli_note("%s: no checkpoint yet: starting at update 0", args->resume);
  if (run->folder.mark.update > 0 && run->folder.mark.data != data)
    return cli_fail(
        err, TRM_E_SHAPE, -1,
        "%s: the training data are not those the run began with; say where these are with "
        "data_paths=, or start a new run with load_checkpoint=%s/last",
        args->resume, args->resume);
  CLI_TRY(run_folder_go_on(&run->folder, run->config.checkpoint_every_eval, err));
  run->folder.mark.seed = run->config.trainer.seed;
  run->folder.mark.data = data;
  return n_overrides ? run_folder_write_config(&run->folder, &run->config, err) : TRM_OK;
}

static void print_result(const run_folder *r) {
  char room[CLI_CLEAN];
  const char *path = cli_clean(room, sizeof room, r->path);
  if (r->mark.best_exact >= 0)
    printf("best         %.2f %% exact, update %lld: %s/best\n", 100 * r->mark.best_exact,
           (long long)r->mark.best_update, path);
  printf("last         update %lld: %s/last\n", (long long)r->mark.update, path);
}

/* Says what is ahead and gets ready for it. */
static trm_status start_run(train_run *run, trm_error *err) {
  const run_mark *mark = &run->folder.mark;
  const long long done = mark->update, end = run->schedule.end;
  char path[CLI_CLEAN];
  printf("run          %s\n", cli_clean(path, sizeof path, run->folder.path));
  if (done == 0)
    CLI_TRY(train_plan_print(&run->config, &run->data, &run->schedule, stdout, err));
  else if (done < end)
    cli_note("%s: going on after update %lld of %lld", run->folder.path, done, end);
  else
    cli_note("%s: all %lld updates are done; with a higher max_updates or epochs it goes on",
             run->folder.path, done);
  return start_machinery(run, err);
}

/* The plan, and a warning of what a run would refuse. */
static trm_status print_plan(train_run *run, const train_args *args, trm_error *err) {
  trm_error refusal;
  CLI_TRY(train_plan_print(&run->config, &run->data, &run->schedule, stdout, err));
  const trm_status st = args->resume ? TRM_OK : run_folder_check(&run->config, &refusal);
  if (st == TRM_E_MEMORY) return cli_fail(err, st, -1, "%.400s", refusal.msg);
  if (st != TRM_OK) cli_warn("%s", refusal.msg);
  return TRM_OK;
}

static trm_status train(train_run *run, const train_args *args, const char *const *overrides, int n,
                        trm_error *err) {
  CLI_TRY(load_config(run, args, overrides, n, err));
  cli_note_device(run->config.trainer.device);
  if (run->data.held_back && run->config.validation_share == 0)
    cli_note("no test split: a tenth of the training data is held back to evaluate on");
  if (args->dry_run) return print_plan(run, args, err);
  cli_faults_defer(); /* what was learned before one is saved */
  cli_progress_pace(run->config.log_seconds);
  CLI_TRY(open_folder(run, args, n, err));
  trm_status st = start_run(run, err);
  if (st == TRM_OK) st = cli_faults_check(err);
  const bool asked = st == TRM_E_INTERRUPTED && !cli_faulted(); /* it can begin with --resume */
  if (st != TRM_OK && !asked && !args->resume) run_folder_discard(&run->folder);
  if (st != TRM_OK) return st;
  CLI_TRY(train_loop(&run->config, &run->data, &run->schedule, &run->folder, run->trainer,
                     run->stream, err));
  print_result(&run->folder);
  return TRM_OK;
}

static int run_train(const train_args *args, const char *const *overrides, int n) {
  train_run *run = calloc(1, sizeof *run);
  trm_error err = {0};
  int code = CLI_OK;
  if (!run) {
    cli_fail(&err, TRM_E_MEMORY, -1, "no memory for a run");
    return cli_report_error(&err);
  }
  run->folder.log = -1;
  trm_status st = train(run, args, overrides, n, &err);
  bool goes_on = cli_faulted() && run->folder.mark.update > 0;
  if (st == TRM_E_INTERRUPTED && !cli_faulted()) {
    cli_note("%s", err.msg);
    code = CLI_INTERRUPTED;
    goes_on = run->folder.path[0];
  } else if (st != TRM_OK) {
    code = cli_report_error(&err);
  }
  if (goes_on) cli_note("go on with: trm train --resume %s", run->folder.path);
  train_run_free(run);
  return cli_finish_files(code);
}

static int list(const train_args *args) {
  trm_error err = {0};
  if (args->list_presets) config_print_presets(stdout);
  if (args->list_keys && config_print_keys(stdout, &err) != TRM_OK) return cli_report_error(&err);
  return cli_finish(CLI_OK);
}

int cmd_train(int argc, char **argv) {
  train_args args = {0};
  const cli_option options[] = {
      {"config", CLI_STRING, &args.config, "FILE", "a YAML file of settings"},
      {"resume", CLI_STRING, &args.resume, "DIR", "go on with the run in this folder"},
      {"dry-run", CLI_FLAG, &args.dry_run, NULL, "print the plan and its costs, write nothing"},
      {"list-keys", CLI_FLAG, &args.list_keys, NULL, "print all keys with defaults and meaning"},
      {"list-presets", CLI_FLAG, &args.list_presets, NULL, "print all presets"},
      CLI_QUIET_ROW,
      {NULL, CLI_FLAG, NULL, NULL, NULL}};
  int code;
  if (!cli_options_parse_settings(&manual, options, config_suggest, &argc, argv, &code))
    return code;
  if (args.list_keys || args.list_presets) return list(&args);
  if (args.resume && args.config)
    return cli_usage_error("--resume takes the run's own configuration; leave --config out");
  return run_train(&args, (const char *const *)argv, argc);
}
