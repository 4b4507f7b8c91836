/* config.json of a model folder: loops over the table of a model's fields. */
#include "nn/model_config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "io/field_json.h"
#include "nn/model_fields.h"
#include "puzzle/puzzle.h"

enum { FOLDER_VERSION = 1, MAX_CONFIG_BYTES = 1 << 20 };

static const char format_name[] = "trm";
static const trm__fields *const fields = &trm__model_fields;

/* Keys beside the fields. */
static const char *const head_keys[] = {"format", "version", "puzzle", "identifiers"};
enum { N_HEAD = sizeof head_keys / sizeof *head_keys };

/* --- config.json, written --- */

/* Numbers of 64 bits are more than JSON is sure to keep: they are texts of 16 digits. */
static void put_identifiers(trm__json_out *o, const trm_model_config *c) {
  trm__json_open(o, "identifiers", '[');
  for (int i = 0; i < TRM_MODEL_ID_LISTS && c->identifiers[i]; i++) {
    char text[24];
    snprintf(text, sizeof text, "%016" PRIx64, c->identifiers[i]);
    trm__json_put_text(o, NULL, text);
  }
  trm__json_close(o);
}

/* int8 is chosen anew by who solves: not every program, device and page has it. */
static trm__json_out print_config(const trm_model_config *told, trm__json_style style) {
  trm_model_config stored = *told, *const c = &stored;
  if (c->forward_dtype == TRM_INT8) c->forward_dtype = TRM_BFLOAT16;

  trm__json_out o = trm__json_begin(style);
  trm__json_open(&o, NULL, '{');
  trm__json_put_text(&o, "format", format_name);
  trm__json_put_int(&o, "version", FOLDER_VERSION);
  for (int i = 0; i < fields->n; i++)
    if (!trm__model_field_is_silent(&fields->v[i], c))
      trm__field_put_json(&o, fields->v[i].name, &fields->v[i], c);
  trm__puzzle_put(&o, "puzzle", &c->puzzle);
  if (c->identifiers[0]) put_identifiers(&o, c);
  trm__json_close(&o);
  return o;
}

trm_status trm__model_config_save(const trm_model_config *c, const char *path, trm_error *err) {
  trm__json_out o = print_config(c, TRM__JSON_INDENTED);
  return trm__json_save(path, &o, err);
}

trm_status trm__model_config_print(const trm_model_config *c, char **text, trm_error *err) {
  trm__json_out o = print_config(c, TRM__JSON_COMPACT);
  return trm__json_finish(&o, "a configuration", text, err);
}

/* --- config.json, read --- */

/* A field that may be absent, and is, keeps the architecture's default. */
static trm_status read_fields(const trm__json *root, const char *path, trm_model_config *c,
                              trm_error *err) {
  for (int i = 0; i < fields->n; i++) {
    const trm_field *f = &fields->v[i];
    const bool optional = f->use & (TRM__OPTIONAL | TRM__LATER);
    if (!optional || trm__json_get(root, f->name))
      TRM_TRY(trm__field_from_json(root, path, f, c, err));
  }
  return TRM_OK;
}

static bool is_head_key(const char *key) {
  for (int i = 0; i < N_HEAD; i++)
    if (!strcmp(key, head_keys[i])) return true;
  return false;
}

static trm_status check_keys(const trm__json *object, const char *path, trm_error *err) {
  for (size_t i = 0; i < trm__json_n_members(object); i++) {
    const char *key = trm__json_key(object, i);
    if (!trm__fields_find(fields, key) && !is_head_key(key))
      TRM_FAIL(err, TRM_E_CONFIG,
               "%s: unknown key \"%.60s\"; remove it, or load the model with the version that "
               "wrote it",
               path, key);
  }
  return TRM_OK;
}

static trm_status read_head(const trm__json *root, const char *path, trm_error *err) {
  const char *format;
  int64_t version;
  if (!trm__json_is(root, TRM__JSON_OBJECT))
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
  return TRM_OK;
}

static bool read_identifier(const char *text, uint64_t *out) {
  *out = 0;
  if (!text || strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16) return false;
  for (; *text; text++)
    *out = *out << 4 | (uint64_t)(*text <= '9' ? *text - '0' : *text - 'a' + 10);
  return *out != 0;
}

static trm_status read_identifiers(const trm__json *root, const char *path, trm_model_config *c,
                                   trm_error *err) {
  const trm__json *list = trm__json_get(root, "identifiers");
  const size_t n = trm__json_n_items(list);
  if (!list) return TRM_OK;
  bool good = n > 0 && n <= TRM_MODEL_ID_LISTS;
  for (size_t i = 0; good && i < n; i++)
    good = read_identifier(trm__json_text(trm__json_item(list, i)), &c->identifiers[i]);
  if (!good)
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: \"identifiers\": want 1 to %d texts of 16 hexadecimal digits, not all 0", path,
             TRM_MODEL_ID_LISTS);
  return TRM_OK;
}

static trm_status read_config(const trm__json *root, const char *path, trm_model_config *c,
                              trm_error *err) {
  trm_error cause;
  TRM_TRY(read_head(root, path, err));
  TRM_TRY(trm__field_from_json(root, path, trm__fields_find(fields, "arch"), c, err));
  TRM_TRY(check_keys(root, path, err));
  *c = trm_model_config_default(c->arch);
  TRM_TRY(read_fields(root, path, c, err));
  TRM_TRY(read_identifiers(root, path, c, err));
  const trm__json *puzzle = trm__json_get(root, "puzzle");
  if (puzzle) TRM_TRY(trm__puzzle_from_json(puzzle, path, &c->puzzle, err));
  trm_status st = trm_model_config_check(c, &cause);
  if (st != TRM_OK) TRM_FAIL(err, st, "%s: %s", path, cause.msg);
  return TRM_OK;
}

trm_status trm__model_config_load(const char *path, trm_model_config *c, trm_error *err) {
  trm__json *root;
  TRM_TRY(trm__json_load(path, MAX_CONFIG_BYTES, &root, err));
  trm_status st = read_config(root, path, c, err);
  trm__json_free(root);
  return st;
}

trm_status trm__model_config_parse(const char *text, const char *path, trm_model_config *c,
                                   trm_error *err) {
  trm__json_fault fault;
  trm__json *root;
  trm_status st = trm__json_decode(text, strlen(text), NULL, &root, &fault);
  if (st == TRM_E_MEMORY)
    TRM_FAIL(err, st, "%s: no memory for the configuration in its metadata", path);
  if (st != TRM_OK)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: the configuration in its metadata is no JSON: %s", path,
             fault.what);
  st = read_config(root, path, c, err);
  trm__json_free(root);
  return st;
}
