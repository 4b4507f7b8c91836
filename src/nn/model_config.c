/* config.json of a model folder: one table says how each field of a configuration is named, typed
 * and printed; reading and writing are loops over it. */
#include "nn/model_config.h"

#include <float.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "io/json.h"
#include "io/puzzle.h"

enum { FOLDER_VERSION = 1, MAX_CONFIG_BYTES = 1 << 20 };

static const char format_name[] = "trm";

/* --- the fields of a configuration --- */

typedef enum field_type { FIELD_INT, FIELD_DOUBLE, FIELD_BOOL, FIELD_NAME, FIELD_TYPES } field_type;

/* Words for the values of an enumeration, by index. */
typedef const char *name_of_fn(int value);
typedef bool name_read_fn(const char *name, int *value);

typedef struct field {
  const char *key;
  field_type type;
  bool required; /* no architecture has a default for it */
  size_t offset; /* in the structure that the table describes */
  name_of_fn *name_of;
  name_read_fn *name_read;
} field;

static const char *name_of_pos(int v) {
  return trm_pos_encodings_name((trm_pos_encodings)v);
}
static bool read_pos(const char *name, int *v) {
  trm_pos_encodings p;
  if (!trm_pos_encodings_from_name(name, &p)) return false;
  *v = (int)p;
  return true;
}

static const char *name_of_loss(int v) {
  return trm_loss_name((trm_loss)v);
}
static bool read_loss(const char *name, int *v) {
  trm_loss l;
  if (!trm_loss_from_name(name, &l)) return false;
  *v = (int)l;
  return true;
}

static const char *name_of_dtype(int v) {
  return trm_dtype_name((trm_dtype)v);
}
static bool read_dtype(const char *name, int *v) {
  trm_dtype t;
  if (!trm_dtype_from_name(name, &t)) return false;
  *v = (int)t;
  return true;
}

/* Enumerations are read and written through an int. */
_Static_assert(sizeof(trm_pos_encodings) == sizeof(int) && sizeof(trm_loss) == sizeof(int) &&
                   sizeof(trm_dtype) == sizeof(int),
               "an enumeration is as wide as an int");

#define AT(f) offsetof(trm_model_config, f)
static const field config_fields[] = {
    {"vocab_size", FIELD_INT, true, AT(vocab_size), NULL, NULL},
    {"seq_len", FIELD_INT, true, AT(seq_len), NULL, NULL},
    {"num_puzzle_identifiers", FIELD_INT, true, AT(num_puzzle_identifiers), NULL, NULL},
    {"hidden_size", FIELD_INT, false, AT(hidden_size), NULL, NULL},
    {"num_heads", FIELD_INT, false, AT(num_heads), NULL, NULL},
    {"expansion", FIELD_DOUBLE, false, AT(expansion), NULL, NULL},
    {"H_layers", FIELD_INT, false, AT(H_layers), NULL, NULL},
    {"L_layers", FIELD_INT, false, AT(L_layers), NULL, NULL},
    {"H_cycles", FIELD_INT, false, AT(H_cycles), NULL, NULL},
    {"L_cycles", FIELD_INT, false, AT(L_cycles), NULL, NULL},
    {"mlp_t", FIELD_BOOL, false, AT(mlp_t), NULL, NULL},
    {"pos_encodings", FIELD_NAME, false, AT(pos_encodings), name_of_pos, read_pos},
    {"rope_theta", FIELD_DOUBLE, false, AT(rope_theta), NULL, NULL},
    {"rms_norm_eps", FIELD_DOUBLE, false, AT(rms_norm_eps), NULL, NULL},
    {"puzzle_emb_ndim", FIELD_INT, false, AT(puzzle_emb_ndim), NULL, NULL},
    {"puzzle_emb_len", FIELD_INT, false, AT(puzzle_emb_len), NULL, NULL},
    {"halt_max_steps", FIELD_INT, false, AT(halt_max_steps), NULL, NULL},
    {"halt_exploration_prob", FIELD_DOUBLE, false, AT(halt_exploration_prob), NULL, NULL},
    {"no_ACT_continue", FIELD_BOOL, false, AT(no_ACT_continue), NULL, NULL},
    {"loss", FIELD_NAME, false, AT(loss), name_of_loss, read_loss},
    {"forward_dtype", FIELD_NAME, false, AT(forward_dtype), name_of_dtype, read_dtype},
};
#undef AT
enum { N_CONFIG = sizeof config_fields / sizeof *config_fields };

/* Keys beside those of config_fields. */
static const char *const head_keys[] = {"format", "version", "arch", "puzzle"};
enum { N_HEAD = sizeof head_keys / sizeof *head_keys };

/* --- config.json, written --- */

static json_t *value_of(const field *f, const void *base) {
  const char *at = (const char *)base + f->offset;
  int i = 0;
  double d = 0;
  bool b = false;
  switch (f->type) {
    case FIELD_DOUBLE:
      memcpy(&d, at, sizeof d);
      return json_real(d);
    case FIELD_BOOL:
      memcpy(&b, at, sizeof b);
      return json_boolean(b);
    default:
      memcpy(&i, at, sizeof i);
      return f->type == FIELD_NAME ? json_string(f->name_of(i)) : json_integer(i);
  }
}

/* 0, or -1 when out of memory. */
static int set_fields(json_t *object, const field *fields, int n, const void *base) {
  for (int i = 0; i < n; i++)
    if (json_object_set_new(object, fields[i].key, value_of(&fields[i], base))) return -1;
  return 0;
}

/* NULL when out of memory. */
static json_t *config_to_json(const trm_model_config *c) {
  json_t *root = json_object();
  if (!root || json_object_set_new(root, "format", json_string(format_name)) ||
      json_object_set_new(root, "version", json_integer(FOLDER_VERSION)) ||
      json_object_set_new(root, "arch", json_string(trm_arch_name(c->arch))) ||
      set_fields(root, config_fields, N_CONFIG, c) ||
      json_object_set_new(root, "puzzle", trm__puzzle_to_json(&c->puzzle))) {
    json_decref(root);
    return NULL;
  }
  return root;
}

trm_status trm__model_config_save(const trm_model_config *c, const char *path, trm_error *err) {
  json_t *root = config_to_json(c);
  if (!root) TRM_FAIL(err, TRM_E_MEMORY, "%s: no memory for its JSON", path);
  const trm_status st = trm__json_save(path, root, err);
  json_decref(root);
  return st;
}

trm_status trm__model_config_print(const trm_model_config *c, char **text, trm_error *err) {
  json_t *root = config_to_json(c);
  const size_t n = root ? json_dumpb(root, NULL, 0, JSON_COMPACT) : 0;
  *text = n ? trm__alloc(n + 1, 1) : NULL;
  const bool good = *text && json_dumpb(root, *text, n, JSON_COMPACT) == n;
  json_decref(root);
  if (good) return TRM_OK;
  trm__free(*text);
  *text = NULL;
  TRM_FAIL(err, TRM_E_MEMORY, "no memory for a configuration");
}

/* --- config.json, read --- */

static trm_status read_int(const json_t *object, const char *path, const field *f, void *at,
                           trm_error *err) {
  int64_t wide;
  TRM_TRY(trm__json_int(object, path, f->key, INT64_MIN, INT64_MAX, &wide, err));
  if (wide < INT_MIN || wide > INT_MAX)
    TRM_FAIL(err, TRM_E_CONFIG, "%s: %s = %lld is out of range", path, f->key, (long long)wide);
  int v = (int)wide;
  memcpy(at, &v, sizeof v);
  return TRM_OK;
}

static trm_status read_double(const json_t *object, const char *path, const field *f, void *at,
                              trm_error *err) {
  double v;
  TRM_TRY(trm__json_double(object, path, f->key, -DBL_MAX, DBL_MAX, &v, err));
  memcpy(at, &v, sizeof v);
  return TRM_OK;
}

static trm_status read_bool(const json_t *object, const char *path, const field *f, void *at,
                            trm_error *err) {
  bool v;
  TRM_TRY(trm__json_bool(object, path, f->key, &v, err));
  memcpy(at, &v, sizeof v);
  return TRM_OK;
}

static trm_status read_name(const json_t *object, const char *path, const field *f, void *at,
                            trm_error *err) {
  const char *name;
  int v = 0;
  TRM_TRY(trm__json_string(object, path, f->key, &name, err));
  if (!f->name_read(name, &v)) {
    char known[160] = "";
    for (int i = 0; f->name_of(i); i++) {
      size_t used = strlen(known);
      snprintf(known + used, sizeof known - used, "%s\"%s\"", i ? ", " : "", f->name_of(i));
    }
    TRM_FAIL(err, TRM_E_CONFIG, "%s: %s = \"%.60s\": expected one of %s", path, f->key, name,
             known);
  }
  memcpy(at, &v, sizeof v);
  return TRM_OK;
}

typedef trm_status read_fn(const json_t *, const char *path, const field *, void *at, trm_error *);
static read_fn *const readers[FIELD_TYPES] = {[FIELD_INT] = read_int,
                                              [FIELD_DOUBLE] = read_double,
                                              [FIELD_BOOL] = read_bool,
                                              [FIELD_NAME] = read_name};

/* Fields that are absent keep what `base` holds. */
static trm_status read_fields(const json_t *object, const char *path, const field *fields, int n,
                              void *base, trm_error *err) {
  for (int i = 0; i < n; i++)
    if (fields[i].required || json_object_get(object, fields[i].key))
      TRM_TRY(
          readers[fields[i].type](object, path, &fields[i], (char *)base + fields[i].offset, err));
  return TRM_OK;
}

static bool is_known(const char *key, const field *fields, int n) {
  for (int i = 0; i < n; i++)
    if (!strcmp(key, fields[i].key)) return true;
  return false;
}

static bool is_head_key(const char *key) {
  for (int i = 0; i < N_HEAD; i++)
    if (!strcmp(key, head_keys[i])) return true;
  return false;
}

static trm_status check_keys(json_t *object, const char *path, trm_error *err) {
  const char *key;
  json_t *value;
  json_object_foreach(object, key, value) {
    if (!is_known(key, config_fields, N_CONFIG) && !is_head_key(key))
      TRM_FAIL(err, TRM_E_CONFIG,
               "%s: unknown key \"%.60s\"; remove it, or load the model with the version that "
               "wrote it",
               path, key);
  }
  return TRM_OK;
}

static trm_status read_head(json_t *root, const char *path, trm_arch *arch, trm_error *err) {
  const char *format, *name;
  int64_t version;
  if (!json_is_object(root))
    TRM_FAIL(err, TRM_E_FORMAT, "%s: want an object with the model's configuration", path);
  TRM_TRY(trm__json_string(root, path, "format", &format, err));
  if (strcmp(format, format_name))
    TRM_FAIL(err, TRM_E_FORMAT, "%s: format \"%.60s\"; want \"%s\", the configuration of a model",
             path, format, format_name);
  TRM_TRY(trm__json_int(root, path, "version", INT64_MIN, INT64_MAX, &version, err));
  if (version != FOLDER_VERSION)
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: version %lld; this library reads version %d: load the model with the release "
             "that wrote it",
             path, (long long)version, FOLDER_VERSION);
  TRM_TRY(trm__json_string(root, path, "arch", &name, err));
  if (!trm_arch_from_name(name, arch))
    TRM_FAIL(err, TRM_E_CONFIG,
             "%s: arch = \"%.60s\": expected trm, hrm, trm_singlez, trm_hier6 or "
             "transformers_baseline",
             path, name);
  return TRM_OK;
}

static trm_status read_config(json_t *root, const char *path, trm_model_config *c, trm_error *err) {
  trm_arch arch;
  trm_error cause;
  TRM_TRY(read_head(root, path, &arch, err));
  TRM_TRY(check_keys(root, path, err));
  *c = trm_model_config_default(arch);
  TRM_TRY(read_fields(root, path, config_fields, N_CONFIG, c, err));
  json_t *puzzle = json_object_get(root, "puzzle");
  if (puzzle) TRM_TRY(trm__puzzle_from_json(puzzle, path, &c->puzzle, err));
  trm_status st = trm_model_config_check(c, &cause);
  if (st != TRM_OK) TRM_FAIL(err, st, "%s: %s", path, cause.msg);
  return TRM_OK;
}

trm_status trm__model_config_load(const char *path, trm_model_config *c, trm_error *err) {
  json_t *root;
  TRM_TRY(trm__json_load(path, MAX_CONFIG_BYTES, &root, err));
  trm_status st = read_config(root, path, c, err);
  json_decref(root);
  return st;
}

trm_status trm__model_config_parse(const char *text, const char *path, trm_model_config *c,
                                   trm_error *err) {
  json_error_t cause;
  json_t *root;
  trm_status st = trm__json_decode(text, strlen(text), JSON_REJECT_DUPLICATES, &root, &cause);
  if (st == TRM_E_MEMORY)
    TRM_FAIL(err, st, "%s: no memory for the configuration in its metadata", path);
  if (st != TRM_OK)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: the configuration in its metadata is no JSON: %s", path,
             cause.text);
  st = read_config(root, path, c, err);
  json_decref(root);
  return st;
}
