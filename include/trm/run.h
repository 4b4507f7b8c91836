/* A training run, from settings to a folder of checkpoints: what `trm train` does, for programs.
 *
 *   const char *settings[] = {"preset=sudoku6", "data_paths=[data/sudoku6]", "run_name=first"};
 *   trm_run_config_load(NULL, settings, 3, &config, &err);
 *   trm_run_create(config, &listener, &run, &err);          // opens the data
 *   st = trm_run_train(run, 0, &err);                       // to the end, or until it is stopped
 *   trm_run_free(run);
 *   ...
 *   trm_run_open("runs/Sudoku6-trm/first", NULL, 0, &listener, &run, &err);
 *   st = trm_run_train(run, 0, &err);                       // the same bits as without the stop
 *
 * examples/train_run.c is that as a whole program. A run is a folder: config.yaml, log.jsonl (one
 * JSON object per line), record.jsonl (what trained it, where and on which data: docs/TRAINING.md)
 * and checkpoints step_N, each a model folder with the state of the training;
 * `last` and `best` are small files that name one. It holds a complete state at any moment: what a
 * kill leaves is put right when the run is opened again.
 *
 * Nothing is printed: what is worth telling goes to a listener, which can also stop the run. It is
 * called by the thread that called the library, never while another call of it is in progress, and
 * may look at its run, but not have it do anything. One run, one thread at a time; who opens the
 * folder a second time, in this process or another, is refused. A run starts
 * threads, one of its own beside those of its trainer where a GPU is used: a process that goes on
 * with it after a fork must not have it on a GPU.
 *
 * A build without libyaml reads no YAML: settings and presets work, opening a run does not. One
 * without folders (TRM_OS=none) can resolve configurations and load models of one file.
 */
#ifndef TRM_RUN_H
#define TRM_RUN_H

#include "trm/comm.h"
#include "trm/eval.h"
#include "trm/field.h"
#include "trm/trainer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- what is told --- */

typedef enum trm_run_level {
  TRM_RUN_NOTE,
  TRM_RUN_WARNING,
  TRM_RUN_LINE /* of a file that a note announced: to be copied as it is */
} trm_run_level;

/* Where a run is: when it goes on, after every update, and during evaluations. */
typedef struct trm_run_progress {
  bool evaluating;     /* done and total count examples of an evaluation, else updates */
  int64_t done, total; /* total of an evaluation: 0 at its start, then of a data set */
  double loss, exact;  /* of the training, smoothed, exact from 0 to 1; -1: none yet */
} trm_run_progress;

/* The fresh batch of update `update` (from 1) before it is learned from: inputs, labels [B,
 * seq_len] and puzzle_ids [B] may be changed in place, of rows with wants[row] 0 nothing is read.
 * Called once for each update, in order, also when a run goes on: a function of the update and of
 * what it is given keeps the bits of a run that was stopped. What comes out is checked as data are
 * (RANGE, and the run ends). A failure ends the run; the updates before it are saved. `err` is
 * never NULL. */
typedef trm_status trm_run_batch_fn(void *arg, int64_t update, const uint8_t *wants,
                                    int32_t *inputs, int32_t *labels, int32_t *puzzle_ids,
                                    trm_error *err);

/* All zero: nobody listens, and the run is this process's alone. It is copied; `arg` and `comm`
 * must outlive the run.
 *
 * Of ranks that share a run (trm/comm.h) rank 0 alone has the folder, and tells; what the others
 * say of a path is what rank 0 says. `progress` and `sound` are asked on every rank, and one that
 * wants to stop stops all. trm_run_create, _open, _continue, _place, _begin, _train, _evaluate and
 * _save are calls of all ranks. */
typedef struct trm_run_listener {
  /* One sentence in UTF-8 without a newline, cut at 1,023 bytes. */
  void (*message)(void *arg, trm_run_level level, const char *text);
  /* False stops the run as soon as what was learned is saved. */
  bool (*progress)(void *arg, const trm_run_progress *p);
  /* Asked when files were read and before anything is made of it: for programs that know of reads
   * that failed beneath the library, of a mapped file that was cut. A failure ends the run; the
   * updates before it are saved. `err` is never NULL; a message there is the call's. */
  trm_status (*sound)(void *arg, trm_error *err);
  void *arg;
  trm_eval_row_fn *row; /* told every example of an evaluation, of one test set after the other */
  trm_run_batch_fn *batch; /* may change every fresh batch; NULL: they stay */
  trm_comm *comm;          /* the ranks that share the run; NULL: none */
} trm_run_listener;

/* --- configurations --- */

/* Settings under one name. */
typedef struct trm_run_preset {
  const char *name, *about;
  const char *const *settings; /* "key=value", NULL at the end */
  const char *const *make; /* the commands that make its data, one for each of data_paths, without
                              --output-dir; NULL at the end */
  trm_puzzle_kind kind;    /* of a preset for a laptop: what it is for, and up to how many */
  int cells;               /* cells of a puzzle; 0: none such */
} trm_run_preset;
/* Preset i; NULL after the last. */
TRM_API const trm_run_preset *trm_run_preset_at(int i);
/* NULL: no preset is called so. */
TRM_API const trm_run_preset *trm_run_preset_find(const char *name);

typedef struct trm_run_config trm_run_config;

/* Resolved and checked, in layers: defaults, the preset that a setting or the file names, the YAML
 * file (NULL: none), n settings, of which a later one wins. Settings are "key=value", "+key=value"
 * or "++key=value" in Hydra's notation, with "[a,b]", quotes and null. Keys are the reference's,
 * and ours: trm_run_config_field lists them. Errors: CONFIG with file, line and column, or the
 * setting; FORMAT for what is no text; IO; MEMORY; SYSTEM in a build without libyaml. */
TRM_API trm_status trm_run_config_load(const char *yaml, const char *const *settings, int n,
                                       trm_run_config **out, trm_error *err);
/* That of the run in a folder, with settings that may change when it goes on, as a plan of that.
 * Errors: also CONFIG for a setting that may not, IO for what is no run folder. */
TRM_API trm_status trm_run_config_load_run(const char *folder, const char *const *settings, int n,
                                           trm_run_config **out, trm_error *err);
TRM_API void trm_run_config_free(trm_run_config *c);

/* As one setting more behind the others; after a failure the configuration is as before. */
TRM_API trm_status trm_run_config_set(trm_run_config *c, const char *key, const char *value,
                                      trm_error *err);
/* The value of a key as YAML has it, cut where there is no room; c NULL: its default. Errors:
 * CONFIG, no such key; MEMORY. */
TRM_API trm_status trm_run_config_get(const trm_run_config *c, const char *key, char *text,
                                      size_t size, trm_error *err);
/* Text i of a key that is a list, or text 0 of one that is a text; NULL after the last, for null
 * and for other keys. A view, until the configuration changes. */
TRM_API const char *trm_run_config_item(const trm_run_config *c, const char *key, int i);
/* The whole as YAML that reads back to the same configuration: at most `size` bytes with the zero
 * that ends them; returns how many there are without it. reference: only the reference's keys, with
 * its class name for the architecture. */
TRM_API size_t trm_run_config_text(const trm_run_config *c, bool reference, char *text,
                                   size_t size);
/* Views. The model's lacks what the data say, the trainer's the number of updates. */
TRM_API const trm_model_config *trm_run_config_model(const trm_run_config *c);
TRM_API const trm_trainer_config *trm_run_config_trainer(const trm_run_config *c);
/* Key i of a run; NULL after the last. */
TRM_API const trm_field *trm_run_config_field(int i);
/* For somebody who wrote `name` and `value` (NULL: none) otherwise, as "--batch-size 32": the
 * setting that is meant, "global_batch_size=32". False: there is none like it. */
TRM_API bool trm_run_config_suggest(const char *name, const char *value, char *text, size_t size);

/* --- a run --- */

typedef struct trm_run trm_run;

/* What a run will do, as its data and its configuration say. */
typedef struct trm_run_plan {
  const trm_model_config *model; /* complete; a view */
  trm_trainer_config trainer;    /* of the run's trainer: its device is resolved */
  int64_t total, end; /* updates of all epochs, as the learning rate sees them; where it ends: at
                         that, at max_updates, or where a run is that has passed them */
  double updates_per_epoch;
  int64_t groups; /* of puzzles to train on */
  int64_t tests;  /* examples to evaluate on */
  bool held_back; /* they are a share of the training data */
  /* How it evaluates a test set: examples, tries of each, threads, device. Nobody listens, and
   * nothing votes. */
  trm_eval_config evaluation;
} trm_run_plan;

/* Where a run stands. */
typedef struct trm_run_state {
  const char *folder;    /* NULL: it has none yet; a view */
  int64_t update, saved; /* updates done; that of the newest checkpoint */
  int64_t best_update;   /* of the best evaluation, */
  double best_exact;     /* and its exact accuracy, from 0 to 1; -1: there was none */
} trm_run_state;

/* A new run: opens the data and makes the plan, and writes nothing yet. Takes the configuration
 * over, also when it fails. `listener` may be NULL. Errors: CONFIG, IO, FORMAT, RANGE, SHAPE,
 * MEMORY. */
TRM_API trm_status trm_run_create(trm_run_config *config, const trm_run_listener *listener,
                                  trm_run **out, trm_error *err);
/* The run in a folder, to go on with from its newest complete checkpoint (which one that is gets
 * told where it is not the newest), with settings that may change. Locks the folder. Errors: as
 * trm_run_config_load_run and trm_run_create; CONFIG when config.yaml was edited; SHAPE for other
 * data than it began with; IO also when another process has it. */
TRM_API trm_status trm_run_open(const char *folder, const char *const *settings, int n,
                                const trm_run_listener *listener, trm_run **out, trm_error *err);
/* Saves nothing. The folder stays. */
TRM_API void trm_run_free(trm_run *run);

/* Views, valid until the run is freed. */
TRM_API const trm_run_config *trm_run_get_config(const trm_run *run);
TRM_API const trm_run_plan *trm_run_get_plan(const trm_run *run);
TRM_API trm_run_state trm_run_get_state(const trm_run *run);
/* Data set i; NULL after the last. */
TRM_API const trm_dataset *trm_run_training_set(const trm_run *run, int i);
TRM_API const trm_dataset *trm_run_test_set(const trm_run *run, int i);
/* The model as it would be saved, with averaged weights where the run has them; NULL before it was
 * begun. On a GPU it is that of the last evaluation or checkpoint. */
TRM_API const trm_model *trm_run_model(const trm_run *run);

/* What trm_run_place would refuse of the names of a new run; makes nothing. */
TRM_API trm_status trm_run_check(trm_run *run, trm_error *err);
/* Makes the folder of a new run, under a free name where the configuration leaves it open; of one
 * that was opened, removes checkpoints that are no longer wanted and cuts the log to the state that
 * it goes on from. Errors: CONFIG when the folder exists; IO; MEMORY. */
TRM_API trm_status trm_run_place(trm_run *run, trm_error *err);
/* Makes model and trainer, or loads them. Places the run, if it is not. Errors: IO, FORMAT, SHAPE,
 * MEMORY, SYSTEM. */
TRM_API trm_status trm_run_begin(trm_run *run, trm_error *err);
/* What trains it, for its record.jsonl: a command line as it was typed (copied); NULL: unknown.
 * Errors: MEMORY. */
TRM_API trm_status trm_run_set_command(trm_run *run, const char *command, trm_error *err);
/* So many updates (0: all that are left) with the evaluations, checkpoints and lines of the log
 * that come between and behind them. Begins the run, if it is not. INTERRUPTED: the listener
 * stopped it, its state is saved, and another call goes on. Other errors: ARGUMENT for less than 0;
 * NUMERIC with a hint; IO, MEMORY, SYSTEM; what `sound` returned. The newest checkpoint is intact
 * then; after an update that failed the run can only be freed, and more of it is ARGUMENT. */
TRM_API trm_status trm_run_train(trm_run *run, int64_t updates, trm_error *err);
/* An evaluation, which is saved, and a checkpoint out of turn, of a run with an update. Errors:
 * ARGUMENT; those of trm_run_train. */
TRM_API trm_status trm_run_evaluate(trm_run *run, trm_error *err);
TRM_API trm_status trm_run_save(trm_run *run, trm_error *err);
/* Removes the folder of a new run without an update, so that its name is free again; no other. The
 * run is as before trm_run_place then. */
TRM_API void trm_run_discard(trm_run *run);

/* --- runs and checkpoints of others, by their paths --- */

enum { TRM_PATH_SIZE = 4096 /* room for a path; a longer one is ARGUMENT */ };

/* What the newest checkpoint of the run in a folder says, as a model: update 0 where there is none,
 * folder NULL. Locks nothing. Errors: IO, FORMAT, MEMORY. */
TRM_API trm_status trm_run_look(const char *folder, const trm_run_listener *listener,
                                trm_run_state *out, trm_error *err);

/* What a user means by the model at `path`: a model folder, a file, what RUN/best or RUN/last
 * names, the checkpoint in a download, or a run's best, else newest, checkpoint (then *which is
 * "best" or "last", else NULL). file [TRM_PATH_SIZE]: "" when nothing is at `path`. Errors: IO,
 * FORMAT, MEMORY. */
TRM_API trm_status trm_model_find(const char *path, const trm_run_listener *listener, char *file,
                                  const char **which, trm_error *err);
/* Loads what was found, trm's or published. `data` as in trm_published_config. Errors: as
 * trm_model_load and trm_published_config, FORMAT for a bad value in a file. */
TRM_API trm_status trm_model_open(const char *file, const trm_dataset_info *data,
                                  const trm_run_listener *listener, trm_model **out,
                                  trm_error *err);

/* Writes the model as a folder, as trm_model_export does, and with it a card, README.md, as the
 * Hugging Face hub reads it: a head in YAML with the scores, what the model is, and of the run that
 * `checkpoint` (RUN/step_N, as trm_model_find gives it; NULL: unknown) is of the data, the command
 * and the evaluation at that update. A README.md that lacks the card's last line is somebody's own,
 * and refused (IO). Errors: those of trm_model_export. */
TRM_API trm_status trm_model_publish(const trm_model *model, const char *checkpoint,
                                     const char *dir, trm_dtype dtype, trm_error *err);

/* Published checkpoints as a user has them: a file of torch.save or safetensors, or the index of
 * several, and beside it what says what the model is: all_config.yaml, or config.json with the
 * reference's keys. A file is taken for one, unless it is a .safetensors of trm's own. */
TRM_API trm_status trm_published_is(const char *file, bool *is, trm_error *err);
/* The checkpoint in a folder: step_N, NAME.pt, .pth, .ckpt, .bin, .safetensors, the index of
 * several files, or a file of torch.save of any name. *found false: it has none, and no
 * all_config.yaml, or is a run of ours. Errors: IO when there is no checkpoint, or more than one to
 * choose from. */
TRM_API trm_status trm_published_find(const char *folder, char *file, bool *found, trm_error *err);
/* Its configuration: that of the file beside it, completed by the tensors and then by what is known
 * of the data that it is to be used on (NULL: nothing; vocab_size 0: only seq_len): seq_len, where
 * no tensor shows it (0: still unknown), what the tokens mean, and what the ids mean, where there
 * are as many. What is assumed is told. Without data a Sudoku is known by its sizes. Errors: IO
 * when nothing says what the model is (what would is told); CONFIG, FORMAT; SHAPE; MEMORY; SYSTEM.
 */
TRM_API trm_status trm_published_config(const char *file, const trm_dataset_info *data,
                                        const trm_run_listener *listener, trm_model_config *c,
                                        trm_error *err);
/* A state dict for torch.load and all_config.yaml beside it, with the reference's names in both.
 * The settings of its training are not known: they are the defaults. Errors: IO also when another
 * model's all_config.yaml is there; those of trm_model_export. */
TRM_API trm_status trm_published_save(const trm_model *model, const char *file, trm_dtype dtype,
                                      trm_error *err);

#ifdef __cplusplus
}
#endif
#endif
