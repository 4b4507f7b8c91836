/* The configuration of a training run: the reference's keys, and ours.
 *
 * One table of keys (config_keys.c) drives reading, checking, printing and the list of keys. Every
 * source - preset, YAML file, command line - becomes a list of entries (a dotted key and a value)
 * that is applied to the structure in layers: defaults < preset < file < command line. Within a
 * layer the architecture comes first, because choosing another one resets all arch.* keys. */
#ifndef TRM_CLI_CONFIG_H
#define TRM_CLI_CONFIG_H

#include "cli.h"

/* ---- values and entries, as read ---- */

typedef struct config_list {
  char **v;
  int n;
} config_list;

typedef struct config_value {
  bool is_list, quoted; /* quoted: never null, a number or a boolean */
  char *text;           /* of a scalar */
  config_list list;
} config_value;

typedef struct config_entry {
  char *key;
  config_value value;
  int line, column; /* in the YAML file, from 1; 0: from the command line */
} config_entry;

typedef struct config_entries {
  config_entry *v;
  int n, room;
  const char *file; /* NULL: command line */
  const char *only; /* of a YAML file take this part alone ("arch"); NULL: all */
} config_entries;

void config_list_free(config_list *l);
trm_status config_list_add(config_list *l, const char *text, size_t n, trm_error *err);
void config_value_free(config_value *v);
/* Takes the value over, also when it fails. */
trm_status config_entries_add(config_entries *e, const char *key, config_value *value, int line,
                              int column, trm_error *err);
void config_entries_free(config_entries *e);
/* "key=value", "+key=value", "++key=value" in Hydra's notation. The text must be UTF-8, or the
 * configuration could not be kept as YAML. */
trm_status config_entries_add_override(config_entries *e, const char *text, trm_error *err);
/* A YAML file (config_yaml.c), nested maps flattened to dotted keys. Errors name file, line and
 * column. Anchors, aliases, deep nesting, repeated keys and files above 1 MiB are refused. */
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
  double checkpoint_minutes, validation_share;
  bool checkpoint_every_eval, ema;
} run_config;

typedef struct config_key config_key;

/* How a kind of key is read and written. */
typedef struct config_type {
  const char *name, *expected;
  /* TRM_E_CONFIG: not such a value; TRM_E_MEMORY. */
  trm_status (*set)(const config_key *key, void *field, const config_value *value);
  void (*print)(const config_key *key, const void *field, FILE *f);
} config_type;

struct config_key {
  const char *name; /* dotted */
  const config_type *type;
  size_t offset;                /* in run_config */
  double min, max;              /* of numbers */
  const char *(*choice)(int i); /* of enumerations: name i, NULL after the last */
  bool (*choice_alias)(const char *name, int *out); /* other accepted names; may be NULL */
  const char *help;
  bool ours; /* not a key of the reference */
};

/* The length of the UTF-8 character at `s` and its code; 0 when there is no such character. */
size_t config_utf8(const char *s, uint32_t *code);

/* A row whose name is NULL ends the table. Keys with a common prefix stand together. */
extern const config_key config_keys[];
extern const config_type config_bool, config_int, config_int64, config_limit, config_seed,
    config_double, config_bytes, config_text, config_texts, config_choice, config_width,
    config_device;
/* puzzle_emb_ndim before it is resolved: the same as hidden_size. */
enum { CONFIG_AS_HIDDEN_SIZE = -1 };

typedef struct config_preset {
  const char *name, *about;
  const char *const *settings; /* overrides, NULL at the end */
} config_preset;
/* A row whose name is NULL ends the table. */
extern const config_preset config_presets[];

/* The resolved and checked configuration of a YAML file (NULL: none) and n overrides, one of which
 * (or a line of the file) may choose a preset. On failure *c needs no free. */
trm_status run_config_load(run_config *c, const char *yaml, const char *const *overrides, int n,
                           trm_error *err);
void run_config_free(run_config *c);
/* The model that a run's YAML file describes by its arch.* keys; all else in the file is passed
 * over. Sizes that the file does not name are 0: unknown. */
trm_status run_config_load_model(trm_model_config *m, const char *yaml, trm_error *err);
/* The keys of the reference alone, its class name for the architecture. */
void run_config_print_reference(const run_config *c, FILE *f);
/* As YAML that reads back to the same configuration. */
void run_config_print(const run_config *c, FILE *f);
/* The list of keys: name, type, default, help. */
trm_status config_print_keys(FILE *f, trm_error *err);
void config_print_presets(FILE *f);

#endif
