/* A run from its configuration to its first update; run_loop.c trains it. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/os_thread.h"
#include "base/text.h"
#include "run/run_parts.h"
#include "run/tell.h"
#include "trm/runs.h"

static const char config_name[] = "config.yaml";

void trm_run_free(trm_run *run) {
  if (!run) return;
  trm__run_record_end(run, TRM_E_INTERRUPTED, NULL);
  trm__ahead_free(run->batches); /* its thread has the stream */
  trm_stream_free(run->stream);
  trm_trainer_free(run->trainer);
  trm__run_folder_close(&run->folder);
  trm__run_data_free(&run->data);
  trm_run_config_free(run->config);
  trm__free(run->command);
  trm__free(run);
}

/* ---- configuration of a run that is there ---- */

static trm_status check_resumable(const char *const *settings, int n, trm_error *err) {
  for (int i = 0; i < n; i++) {
    const char *key = settings[i] + strspn(settings[i], "+");
    if (!trm__run_config_may_change(key, strcspn(key, "=")))
      TRM_FAIL(err, TRM_E_CONFIG,
               "'%.100s': a resumed run keeps its configuration; max_updates, epochs, device, "
               "threads, memory, the intervals of log and checkpoints, and the place of the data "
               "(data_paths) may change",
               settings[i]);
  }
  return TRM_OK;
}

/* A run's configuration cannot be read: the file is at fault when it fails alone, too. */
static trm_status explain(const char *folder, const char *file, trm_status st, trm_error *err) {
  trm__run_config alone;
  if (trm__run_config_load(&alone, file, NULL, 0, NULL) != TRM_OK)
    return trm__run_folder_explain_config(folder, st, err);
  trm__run_config_free(&alone);
  return st;
}

trm_status trm_run_config_load_run(const char *folder, const char *const *settings, int n,
                                   trm_run_config **out, trm_error *err) {
  char file[TRM__PATH_MAX];
  *out = NULL;
  TRM_TRY(check_resumable(settings, n, err));
  TRM_TRY(trm__run_folder_check_is_run(folder, err));
  TRM_TRY(trm__path_format(file, err, "%s/%s", folder, config_name));
  trm_status st = trm_run_config_load(file, settings, n, out, err);
  if (st != TRM_OK) return explain(folder, file, st, err);
  st = trm__run_paths_find(*out, folder, err);
  if (st == TRM_OK) return st;
  trm_run_config_free(*out);
  *out = NULL;
  return st;
}

/* ---- creating and opening ---- */

/* An iteration of the stream ends with an evaluation. */
static trm_status create_stream(trm_run *run, trm_error *err) {
  const trm__run_config *c = &run->config->now;
  const trm_stream_config config = {
      .batch_size = c->trainer.batch_size,
      .seed = c->trainer.seed,
      .epochs_per_iter = c->eval_interval ? c->eval_interval : c->epochs,
      .augment = (trm_augment)c->augment};
  return trm_stream_create(run->data.train, run->data.n_train, &config, &run->stream, err);
}

static void make_plan(trm_run *run) {
  const trm__run_config *c = &run->config->now;
  const trm__run_data *d = &run->data;
  run->plan = (trm_run_plan){.model = &c->model,
                             .trainer = trm__schedule_trainer(c, &run->schedule),
                             .total = run->schedule.total,
                             .end = run->schedule.end,
                             .updates_per_epoch = run->schedule.updates_per_epoch,
                             .groups = d->groups,
                             .held_back = d->held_back};
  run->plan.trainer.comm = run->listener.comm;
  run->plan.evaluation = (trm_eval_config){.limit = c->eval_limit,
                                           .think = c->tries,
                                           .threads = c->trainer.threads,
                                           .device = run->plan.trainer.device};
  run->plan.evaluation.comm = run->listener.comm;
  for (int i = 0; i < d->n_test; i++) run->plan.tests += trm_dataset_get_info(d->test[i])->examples;
}

static trm_status open_data(trm_run *run, trm_error *err) {
  const trm__run_config *c = &run->config->now;
  TRM_TRY(trm__run_data_open(run->config, &run->listener, &run->data, err));
  TRM_TRY(trm__schedule_of(c, &run->data, &run->schedule, err));
  TRM_TRY(create_stream(run, err));

  /* A run that has passed its new max_updates ends where it is. */
  if (run->schedule.end < run->folder.mark.update) run->schedule.end = run->folder.mark.update;
  make_plan(run);

  /* What nobody asked for. */
  if (run->data.held_back && c->validation_share == 0)
    trm__note(&run->listener,
              "no test split: a tenth of the training data is held back to evaluate on");
  return TRM_OK;
}

/* A run that has its configuration, which it takes over, also when it fails. */
static trm_status make_run(trm_run_config *config, const trm_run_listener *listener, trm_run **out,
                           trm_error *err) {
  trm_run *run = *out = trm__alloc(1, sizeof *run);
  if (!run) {
    trm_run_config_free(config);
    TRM_FAIL(err, TRM_E_MEMORY, "no memory for a run");
  }
  if (listener) run->listener = *listener;
  run->config = config;
  run->folder.at.to = &run->listener;
  if (trm__comm_size(run->listener.comm) > 1 && config->now.trainer.device.kind == TRM_DEVICE_AUTO)
    config->now.trainer.device = (trm_device){TRM_DEVICE_CPU, 0}; /* which ranks share a batch on */
  run->folder.mark.best_exact = -1;
  run->loss = run->exact = -1;
  return TRM_OK;
}

static trm_status hand_out(trm_run **out, trm_status st) {
  if (st == TRM_OK) return st;
  trm_run_free(*out);
  *out = NULL;
  return st;
}

trm_status trm_run_create(trm_run_config *config, const trm_run_listener *listener, trm_run **out,
                          trm_error *err) {
  TRM_TRY(make_run(config, listener, out, err));
  trm_comm *comm = (*out)->listener.comm;
  trm_status st = trm__comm_meet(comm, err);
  if (st != TRM_OK) return hand_out(out, st);
  trm__comm_begin(comm);
  return hand_out(out, trm__run_settle(*out, open_data(*out, err), err));
}

/* By the rank that has it. */
static trm_status open_folder(trm_run *run, const char *folder, trm_error *err) {
  if (!trm__run_leads(run)) return TRM_OK;
  TRM_TRY(trm__run_folder_open(&run->folder, folder, err));
  return trm__run_folder_check_config(&run->folder, &run->config->now, err);
}

static trm_status open_run(trm_run *run, const char *folder, trm_error *err) {
  run->resumed = true;
  TRM_TRY(trm__run_settle(run, open_folder(run, folder, err), err));
  TRM_TRY(trm__run_ranks_follow(run, err));
  return trm__run_settle(run, open_data(run, err), err);
}

trm_status trm_run_open(const char *folder, const char *const *settings, int n,
                        const trm_run_listener *listener, trm_run **out, trm_error *err) {
  trm_run_config *config;
  trm_comm *comm = listener ? listener->comm : NULL;
  *out = NULL;
  TRM_TRY(trm__comm_meet(comm, err));
  trm__comm_begin(comm);
  const trm_status st = trm_run_config_load_run(folder, settings, n, &config, err);
  TRM_TRY(trm__comm_settle(comm, st, err));
  TRM_TRY(make_run(config, listener, out, err));
  (*out)->settings = n > 0;
  return hand_out(out, open_run(*out, folder, err));
}

/* ---- the one or the other ---- */

/* The run in a folder has these settings, but for those that may change when it goes on. */
static trm_status check_same(const char *folder, trm_run_config *config, trm_error *err) {
  char was[128], is[128];
  const char *key;
  trm_run_config *there;
  TRM_TRY(trm_run_config_load_run(folder, NULL, 0, &there, err));

  /* Where nobody asks, it is what the data said when the run began. */
  trm_model_config *model = &config->now.model;
  if (model->open_cells && !model->max_open_cells)
    model->max_open_cells = there->now.model.max_open_cells;

  trm_status st = trm__run_config_compare(&there->now, &config->now, &key, err);
  if (st == TRM_OK && key) {
    (void)trm_run_config_get(there, key, was, sizeof was, NULL);
    (void)trm_run_config_get(config, key, is, sizeof is, NULL);
    st = trm__fail(err, TRM_E_CONFIG, -1,
                   "%.200s is a run of other settings: its %s is %.60s, not %.60s; choose another "
                   "run_name or project_name, or remove it",
                   folder, key, was, is);
  }
  trm_run_config_free(there);
  return st;
}

trm_status trm_run_find(trm_run_config *config, char *folder, bool *there, trm_error *err) {
  trm__kind kind;
  *there = false;
  if (!config->now.project_name && !config->now.data_paths.n)
    TRM_FAIL(err, TRM_E_CONFIG, "project_name: without data_paths there is none by itself");
  TRM_TRY(trm__run_folder_path(&config->now, folder, err));
  if (!folder[0])
    TRM_FAIL(err, TRM_E_CONFIG, "run_name: want one, by which the run is found again");
  TRM_TRY(trm__path_look(folder, &kind, err));
  if (kind == TRM__ABSENT) return TRM_OK;
  TRM_TRY(check_same(folder, config, err));
  *there = true;
  return TRM_OK;
}

trm_status trm_run_continue(trm_run_config *config, const trm_run_listener *listener, trm_run **out,
                            trm_error *err) {
  char folder[TRM__PATH_MAX];
  bool there;
  trm_comm *comm = listener ? listener->comm : NULL;
  *out = NULL;
  trm_status st = trm__comm_meet(comm, err);
  if (st == TRM_OK) trm__comm_begin(comm);
  if (st == TRM_OK) st = trm__comm_settle(comm, trm_run_find(config, folder, &there, err), err);
  uint8_t said = st == TRM_OK && there;
  if (st == TRM_OK) st = trm__comm_broadcast(comm, &said, sizeof said, err);
  if (st != TRM_OK) {
    trm_run_config_free(config);
    return st;
  }
  if (!said) return trm_run_create(config, listener, out, err);
  TRM_TRY(make_run(config, listener, out, err));
  (*out)->settings = true;
  return hand_out(out, open_run(*out, folder, err));
}

/* ---- its place ---- */

trm_status trm_run_check(trm_run *run, trm_error *err) {
  return run->resumed ? TRM_OK : trm__run_folder_check(&run->config->now, err);
}

static trm_status go_on(trm_run *run, uint64_t data, trm_error *err) {
  trm__run_folder *r = &run->folder;
  const trm__run_config *c = &run->config->now;
  if (r->mark.update == 0)
    trm__note(&run->listener, "%s: no checkpoint yet: starting at update 0", r->path);
  if (r->mark.update > 0 && r->mark.data != data)
    TRM_FAIL(err, TRM_E_SHAPE,
             "%s: the training data are not those the run began with; say where these are with "
             "data_paths=, or start a new run with load_checkpoint=%s/last",
             r->path, r->path);
  TRM_TRY(trm__run_record_look(run, err));
  TRM_TRY(trm__run_folder_go_on(r, c->checkpoint_every_eval, err));
  r->mark.seed = c->trainer.seed;
  return run->settings ? trm__run_folder_write_config(r, c, err) : TRM_OK;
}

/* By the rank that has the folder. */
static trm_status place_folder(trm_run *run, uint64_t data, trm_error *err) {
  if (!trm__run_leads(run)) return TRM_OK;
  return run->resumed ? go_on(run, data, err)
                      : trm__run_folder_create(&run->folder, &run->config->now, err);
}

trm_status trm_run_place(trm_run *run, trm_error *err) {
  uint64_t data = 0;
  if (run->placed) return TRM_OK;
  trm__comm_begin(run->listener.comm);
  TRM_TRY(trm__run_settle(run, trm__run_data_fingerprint(&run->data, &data, err), err));
  TRM_TRY(trm__run_ranks_meet(run, data, err));
  TRM_TRY(trm__run_settle(run, place_folder(run, data, err), err));
  TRM_TRY(trm__run_ranks_follow(run, err));
  run->folder.mark.data = data;
  run->placed = true;
  return TRM_OK;
}

void trm_run_discard(trm_run *run) {
  if (!run->placed || run->resumed || run->folder.mark.update > 0) return;
  if (trm__run_leads(run)) trm__run_folder_discard(&run->folder);
  run->placed = false;
}

/* ---- model and trainer ---- */

/* The model to start from: fresh, with loaded weights if asked for. */
static trm_status load_weights(const trm_run *run, trm_model *model, trm_error *err) {
  char file[TRM__PATH_MAX];
  const char *which, *path = trm__run_path_at(run->config, "load_checkpoint", 0);
  const trm_model_config *m = &run->config->now.model;
  const trm_dataset_info data = {
      .vocab_size = m->vocab_size, .seq_len = m->seq_len, .puzzle = m->puzzle};
  trm_model *loaded = NULL;
  bool reset = false;
  TRM_TRY(trm_model_find(path, &run->listener, file, &which, err));
  if (!file[0]) TRM_FAIL(err, TRM_E_IO, "load_checkpoint: %.150s: no such file or folder", path);
  if (which) trm__note(&run->listener, "%s is a run; using its %s checkpoint", path, which);
  TRM_TRY(trm_model_open(file, &data, &run->listener, &loaded, err));

  trm_error cause = {0};
  const trm_status st = trm_model_copy_weights(model, loaded, &reset, &cause);
  trm_model_free(loaded);
  if (st != TRM_OK)
    return trm__fail(
        err, st, cause.pos,
        "load_checkpoint: %.120s is not a model of this kind: %.300s; it needs the arch.* keys and "
        "the kind of data it was trained with",
        file, cause.msg);
  if (reset)
    trm__warn(&run->listener,
              "%s has other puzzle ids than the data, or only some of them: embeddings that it has "
              "none for start at the mean of its own",
              file);
  return TRM_OK;
}

/* A run that goes on gets its weights from its state. *out is to be freed, also after a failure. */
static trm_status create_model(const trm_run *run, trm_model **out, trm_error *err) {
  const trm__run_config *c = &run->config->now;
  trm_model *model;
  TRM_TRY(trm_model_create(&c->model, c->trainer.seed, &model, err));
  trm_status st = TRM_OK;
  if (c->load_checkpoint && run->folder.mark.update == 0) st = load_weights(run, model, err);
  if (st == TRM_OK) st = trm__ask_sound(&run->listener, err);
  *out = model;
  return st;
}

static trm_status create_trainer(trm_run *run, trm_error *err) {
  trm_model *model = NULL;
  trm_status st = trm__run_settle(run, create_model(run, &model, err), err);
  if (st == TRM_OK) st = trm_trainer_create(model, &run->plan.trainer, &run->trainer, err);
  trm_model_free(model);
  return st;
}

/* Trainer and stream at the run's mark. */
static trm_status load_state(trm_run *run, trm_error *err) {
  const trm__run_mark *mark = &run->folder.mark;
  char state[TRM__PATH_MAX];
  TRM_TRY(trm__run_folder_state(&run->folder, state, err));
  TRM_TRY(trm_trainer_load(run->trainer, state, err));
  if (trm_trainer_updates(run->trainer) != mark->update)
    TRM_FAIL(err, TRM_E_FORMAT, "%s is of update %lld, run.json beside it of %lld", state,
             (long long)trm_trainer_updates(run->trainer), (long long)mark->update);
  TRM_TRY(trm__ask_sound(&run->listener, err));
  return trm_stream_seek(run->stream, mark->stream_position, err);
}

static trm_status make_machinery(trm_run *run, trm_error *err) {
  const trm_trainer_config *c = &run->plan.trainer;
  const bool gpu = c->device.kind != TRM_DEVICE_CPU;
  TRM_TRY(create_trainer(run, err));
  if (run->folder.mark.update > 0) TRM_TRY(load_state(run, err));
  TRM_TRY(trm__ask_sound(&run->listener, err));
  return trm__ahead_create(run->stream, c->batch_size, run->plan.model->seq_len, gpu, &run->batches,
                           err);
}

trm_status trm_run_begin(trm_run *run, trm_error *err) {
  if (run->failed)
    TRM_FAIL(err, TRM_E_ARGUMENT, "%s: an update has failed: free the run, and open it again",
             run->folder.path);
  TRM_TRY(trm_run_place(run, err));
  if (run->batches) return TRM_OK;
  trm__comm_begin(run->listener.comm);
  const trm_status st = trm__run_settle(run, make_machinery(run, err), err);
  if (st != TRM_OK) {
    trm_trainer_free(run->trainer);
    run->trainer = NULL;
    return st;
  }
  run->saved_at = trm__os_seconds();
  run->saved = run->folder.mark.update;
  run->resumes = run->saved > 0;
  return TRM_OK;
}

trm_status trm_run_set_command(trm_run *run, const char *command, trm_error *err) {
  char *copy = command ? trm__text_copy(command, SIZE_MAX) : NULL;
  if (command && !copy) TRM_FAIL(err, TRM_E_MEMORY, "no memory for the command of a run");
  trm__free(run->command);
  run->command = copy;
  return TRM_OK;
}

/* ---- looking ---- */

const trm_run_config *trm_run_get_config(const trm_run *run) {
  return run->config;
}

const trm_run_plan *trm_run_get_plan(const trm_run *run) {
  return &run->plan;
}

trm_run_state trm_run_get_state(const trm_run *run) {
  const trm__run_mark *mark = &run->folder.mark;
  return (trm_run_state){.folder = run->folder.path[0] ? run->folder.path : NULL,
                         .update = mark->update,
                         .saved = run->batches ? run->saved : mark->update,
                         .best_update = mark->best_update,
                         .best_exact = mark->best_exact};
}

const trm_dataset *trm_run_training_set(const trm_run *run, int i) {
  return i >= 0 && i < run->data.n_train ? run->data.train[i] : NULL;
}

const trm_dataset *trm_run_test_set(const trm_run *run, int i) {
  return i >= 0 && i < run->data.n_test ? run->data.test[i] : NULL;
}

const trm_model *trm_run_model(const trm_run *run) {
  return run->trainer ? trm_trainer_ema(run->trainer) : NULL;
}
