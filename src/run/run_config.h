/* The configuration of a training run: the reference's keys, and ours.
 *
 * Its keys are rows of the library's tables of fields and of one of its own (run_keys.c); reading,
 * checking, printing, comparing and the list of keys are loops over them. Every source - preset,
 * YAML file, settings - becomes a list of entries (a dotted key and a value) that is applied to the
 * structure in layers: defaults < preset < file < settings. Within a layer the architecture comes
 * first, because choosing another one resets all arch.* keys. */
#ifndef TRM_RUN_RUN_CONFIG_H
#define TRM_RUN_RUN_CONFIG_H

#include "base/field.h"
#include "base/file.h"
#include "trm/run.h"
#include "trm/think.h"

/* ---- entries, as read ---- */

typedef struct trm__entry {
  char *key;
  trm__value value;
  int line, column; /* in the YAML file, from 1; 0: of a setting */
} trm__entry;

typedef struct trm__entries {
  trm__entry *v;
  int n, room;
  const char *file;   /* NULL: settings */
  const char *only;   /* of a YAML file take this part alone ("arch"); NULL: all */
  const char *within; /* the file is this part ("arch"); NULL: the whole */
} trm__entries;

/* Takes the value over, also when it fails. */
trm_status trm__entries_add(trm__entries *e, const char *key, trm__value *value, int line,
                            int column, trm_error *err);
void trm__entries_free(trm__entries *e);
bool trm__entries_have(const trm__entries *e, const char *key);
/* "key=value", "+key=value", "++key=value" in Hydra's notation. The text must be UTF-8, or the
 * configuration could not be kept as YAML. */
trm_status trm__entries_add_setting(trm__entries *e, const char *text, trm_error *err);
/* A YAML file (run_yaml.c), nested maps flattened to dotted keys. Errors name file, line and
 * column; SYSTEM in a build without libyaml. Deep nesting, aliases that stand for too much,
 * repeated keys and files above 1 MiB are refused. */
trm_status trm__entries_add_yaml(trm__entries *e, const char *path, trm_error *err);

/* ---- the configuration ---- */

#define TRM__RUN_BAR 2.0 /* eval_bar, as that of `trm eval` */

typedef struct trm__run_config {
  trm_model_config model;     /* without the data fields */
  trm_trainer_config trainer; /* without total_steps; ema_rate also while ema is false */
  int loss_head, augment;
  char *preset, *project_name, *run_name, *load_checkpoint, *checkpoint_path, *out;
  trm__texts data_paths, data_paths_test, evaluators, eval_save_outputs;
  int64_t epochs, eval_interval /* 0: only at the end */, min_eval_interval;
  int64_t max_updates, eval_limit, log_interval, checkpoint_interval;
  double checkpoint_minutes, log_seconds, validation_share;
  bool checkpoint_every_eval, ema;
  trm_thinking tries; /* of each example of an evaluation; of seed 0, as trm_evaluate has it */
} trm__run_config;

/* Whether evaluations are to be more than one try of each puzzle as it is. */
bool trm__run_config_tries(const trm__run_config *c);

/* Paths that lead elsewhere than from here: of a key, as the configuration has them (run_paths.c).
 */
typedef struct trm__run_path {
  const char *key;
  char *path, *at;
} trm__run_path;
typedef struct trm__run_paths {
  trm__run_path *v;
  int n;
} trm__run_paths;

/* What the program and others hold of it: also the layers that it is resolved from. */
struct trm_run_config {
  trm__run_config now;
  trm__entries file, settings;
  char *yaml; /* the file's path; NULL: none */
  trm__run_paths paths;
};

/* Where path i of a key leads, "data_paths", "data_paths_test" or "load_checkpoint"; a view. */
const char *trm__run_path_at(const trm_run_config *c, const char *key, int i);
/* Has the relative paths of a run's configuration lead where they led when it was started last, as
 * its record says, where something is there still; but for keys that are set anew. */
trm_status trm__run_paths_find(trm_run_config *c, const char *folder, trm_error *err);
void trm__run_paths_free(trm__run_paths *p);

/* All keys of a run, of its three tables: for (trm__run_key k = {0}; trm__run_next_key(&k);). */
typedef struct trm__run_key {
  const trm_field *field;
  size_t base;    /* where the structure that has the field begins in trm__run_config */
  int table, row; /* table: TRM__MODEL_KEYS, then the trainer's and the run's own */
} trm__run_key;
enum { TRM__MODEL_KEYS };
bool trm__run_next_key(trm__run_key *k);
/* "arch" and "arch.name" are one; false: there is none of that name. */
bool trm__run_find_key(const char *name, trm__run_key *k);

/* puzzle_emb_ndim before it is resolved: the same as hidden_size. */
enum { TRM__AS_HIDDEN_SIZE = -1 };
/* What holds before anything is set, without a preset; and a layer of entries on top of it. */
trm_status trm__run_config_default(trm__run_config *c, trm_error *err);
trm_status trm__run_config_apply(trm__run_config *c, const trm__entries *e, trm_error *err);

/* What trm_run_config_load resolves, alone. On failure *c needs no free. */
trm_status trm__run_config_load(trm__run_config *c, const char *yaml, const char *const *settings,
                                int n, trm_error *err);
void trm__run_config_free(trm__run_config *c);
/* True for the n bytes of a key that may change when a run goes on: none of them alters what an
 * update computes, but for epochs, which the end of a cosine follows. Data may be elsewhere, but
 * must be the same. */
bool trm__run_config_may_change(const char *key, size_t n);
/* *key: the first of the others in which two configurations differ; NULL: none. Errors: MEMORY. */
trm_status trm__run_config_compare(const trm__run_config *a, const trm__run_config *b,
                                   const char **key, trm_error *err);
/* *key: a key that is missing in the file `yaml` and named in the file `whole` (NULL: any that
 * there is), a fresh block; NULL: none. */
trm_status trm__run_config_find_missing(const char *yaml, const char *whole, char **key,
                                        trm_error *err);
/* As YAML that reads back to the same configuration, a fresh block. reference: only the reference's
 * keys, and its class name for the architecture. Errors: MEMORY. */
trm_status trm__run_config_text(const trm__run_config *c, bool reference, char **text,
                                trm_error *err);
/* The same as a file in an open folder, or with in NULL at a path. */
trm_status trm__run_config_save(const trm__run_config *c, bool reference, const trm__dir *in,
                                const char *name, trm_error *err);
/* The model that the file of a run describes by its arch.* keys, in YAML or JSON, which may also be
 * all that there is in it; all else is passed over (fork_config.c). So are keys of the reference's
 * forks that change no answer, which is told; any other is refused. Sizes that the file does not
 * name are 0: unknown; what tensors cannot show and answers depend on must be named, and the
 * reference's defaults that are taken are told. */
trm_status trm__run_config_load_model(trm_model_config *m, const char *yaml,
                                      const trm_run_listener *to, trm_error *err);

#endif
