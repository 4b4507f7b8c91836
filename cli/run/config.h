/* The configuration of a training run: the reference's keys, and ours.
 *
 * Its keys are rows of the library's tables of fields and of one of its own (config_keys.c);
 * reading, checking, printing, comparing and the list of keys are loops over them. Every source -
 * preset, YAML file, command line - becomes a list of entries (a dotted key and a value) that is
 * applied to the structure in layers: defaults < preset < file < command line. Within a layer the
 * architecture comes first, because choosing another one resets all arch.* keys. */
#ifndef TRM_CLI_CONFIG_H
#define TRM_CLI_CONFIG_H

#include "base/field.h"
#include "cli/cli.h"

/* ---- values and entries, as read ---- */

typedef trm__texts config_list;
typedef trm__value config_value;

typedef struct config_entry {
  char *key;
  config_value value;
  int line, column; /* in the YAML file, from 1; 0: from the command line */
} config_entry;

typedef struct config_entries {
  config_entry *v;
  int n, room;
  const char *file;   /* NULL: command line */
  const char *only;   /* of a YAML file take this part alone ("arch"); NULL: all */
  const char *within; /* the file is this part ("arch"); NULL: the whole */
} config_entries;

/* Takes the value over, also when it fails. */
trm_status config_entries_add(config_entries *e, const char *key, config_value *value, int line,
                              int column, trm_error *err);
void config_entries_free(config_entries *e);
/* "key=value", "+key=value", "++key=value" in Hydra's notation. The text must be UTF-8, or the
 * configuration could not be kept as YAML. */
trm_status config_entries_add_override(config_entries *e, const char *text, trm_error *err);
/* A YAML file (config_yaml.c), nested maps flattened to dotted keys. Errors name file, line and
 * column. Deep nesting, aliases that stand for too much, repeated keys and files above 1 MiB are
 * refused. */
trm_status config_entries_add_yaml(config_entries *e, const char *path, trm_error *err);

/* ---- the configuration ---- */

typedef struct run_config {
  trm_model_config model;     /* without the data fields */
  trm_trainer_config trainer; /* without total_steps; ema_rate also while ema is false */
  int loss_head, augment;
  char *preset, *project_name, *run_name, *load_checkpoint, *checkpoint_path, *out;
  config_list data_paths, data_paths_test, evaluators, eval_save_outputs;
  int64_t epochs, eval_interval /* 0: only at the end */, min_eval_interval;
  int64_t max_updates, eval_limit, log_interval, checkpoint_interval;
  double checkpoint_minutes, log_seconds, validation_share;
  bool checkpoint_every_eval, ema;
} run_config;

/* All keys of a run, of its three tables: for (config_key k = {0}; config_next_key(&k);). */
typedef struct config_key {
  const trm_field *field;
  size_t base; /* where the structure that has the field begins in run_config */
  int table, row;
} config_key;
bool config_next_key(config_key *k);
/* puzzle_emb_ndim before it is resolved: the same as hidden_size. */
enum { CONFIG_AS_HIDDEN_SIZE = -1 };

typedef struct config_preset {
  const char *name, *about;
  const char *const *settings; /* overrides, NULL at the end */
  const char *make;            /* the command that makes its data, without --output-dir */
  trm_puzzle_kind kind;        /* of a preset for a laptop: what it is for, and up to how many */
  int cells;                   /* cells of a puzzle; 0: none such */
} config_preset;
/* A row whose name is NULL ends the table. */
extern const config_preset config_presets[];

/* NULL: no preset is called so. */
const config_preset *config_find_preset(const char *name);

/* "arch" and "arch.name" are one; false: there is none of that name. */
bool config_find_key(const char *name, config_key *k);
/* What holds before anything is set, without a preset; and a layer of entries on top of it. */
trm_status config_defaults(run_config *c, trm_error *err);
trm_status config_apply(run_config *c, const config_entries *e, trm_error *err);

/* The resolved and checked configuration of a YAML file (NULL: none) and n overrides, one of which
 * (or a line of the file) may choose a preset. On failure *c needs no free. */
trm_status run_config_load(run_config *c, const char *yaml, const char *const *overrides, int n,
                           trm_error *err);
void run_config_free(run_config *c);
/* A cli_setting_fn: "lr=1e-3"; knows keys by their last part, too ("hidden-size", "batch-size"). */
bool config_suggest(const char *name, const char *value, char *text, size_t size);
/* True for the n bytes of a key that may change when a run goes on: none of them alters what an
 * update computes, but for epochs, which the end of a cosine follows. Data may be elsewhere, but
 * must be the same. */
bool run_config_may_change(const char *key, size_t n);
/* *key: the first of the others in which two configurations differ; NULL: none. Errors: MEMORY. */
trm_status run_config_compare(const run_config *a, const run_config *b, const char **key,
                              trm_error *err);
/* *key: a key that is missing in the file `yaml` and named in the file `whole` (NULL: any that
 * there is), for the caller to free; NULL: none. */
trm_status run_config_find_missing(const char *yaml, const char *whole, char **key, trm_error *err);
/* The model that the file of a run describes by its arch.* keys, in YAML or JSON, which may also be
 * all that there is in it; all else is passed over. So are keys of the reference's forks that
 * change no answer, which is told on stderr; any other is refused. Sizes that the file does not
 * name are 0: unknown; what tensors cannot show and answers depend on must be named, and the
 * reference's defaults that are taken are told on stderr. */
trm_status run_config_load_model(trm_model_config *m, const char *yaml, trm_error *err);
/* As YAML that reads back to the same configuration, for the caller to free. reference: only the
 * reference's keys, and its class name for the architecture. Errors: MEMORY. */
trm_status run_config_text(const run_config *c, bool reference, char **text, trm_error *err);
/* The list of keys: name, type, default, help. */
trm_status config_print_keys(FILE *f, trm_error *err);
void config_print_presets(FILE *f);

#endif
