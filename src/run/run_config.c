/* The run configuration: layers of entries applied to the structure, checks, printing. */
#include "run/run_config.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/nearest.h"
#include "base/text.h"
#include "nn/model_fields.h"

/* The structure of a key's field. */
static void *base_of(trm__run_config *c, const trm__run_key *k) {
  return (char *)c + k->base;
}

void trm__run_config_free(trm__run_config *c) {
  for (trm__run_key k = {0}; trm__run_next_key(&k);) trm__field_free(k.field, base_of(c, &k));
  *c = (trm__run_config){0};
}

/* Where an entry stands, as a prefix of a message. */
static const char *place_of(const trm__entries *e, const trm__entry *x, char *text, size_t n) {
  text[0] = 0;
  if (e->file) snprintf(text, n, "%s:%d:%d: ", e->file, x->line, x->column);
  return text;
}

static int64_t line_of(const trm__entry *x) {
  return x->line ? x->line : -1;
}

static trm_status fail_unknown(const trm__entries *e, const trm__entry *x, trm_error *err) {
  char place[256];
  trm__nearest near = {.word = x->key};
  const char *dot = strrchr(x->key, '.'), *word = dot ? dot + 1 : x->key;
  for (trm__run_key k = {0}; trm__run_next_key(&k);) {
    /* "hidden_size", "hidden_dim" and "arch.hidden_dim" for "arch.hidden_size" */
    if (trm__field_is_called(k.field, word)) near = (trm__nearest){x->key, k.field->key, 0};
    trm__nearest_offer(&near, k.field->key);
  }
  place_of(e, x, place, sizeof place);
  if (near.best)
    return trm__fail(err, TRM_E_CONFIG, line_of(x), "%sunknown key '%s'; did you mean '%s'?", place,
                     x->key, near.best);
  return trm__fail(err, TRM_E_CONFIG, line_of(x),
                   "%sunknown key '%s'; `trm train --list-keys` lists all", place, x->key);
}

static trm_status fail_value(const trm__entries *e, const trm__entry *x, const trm_field *f,
                             trm_error *err) {
  char place[256], expected[240] = "";
  trm__sink s = {expected, sizeof expected, 0};
  place_of(e, x, place, sizeof place);
  if (f->type == &trm__field_texts && !x->value.is_list)
    return trm__fail(err, TRM_E_CONFIG, line_of(x), "%s%s: want %s, here %s=\"[%s]\"", place,
                     f->key, f->type->expected, f->key, x->value.text);
  trm__field_expect(f, &s);
  const bool several = !e->file && !x->value.is_list && strchr(x->value.text, ',');
  return trm__fail(err, TRM_E_CONFIG, line_of(x), "%s%s: want %s, got %s%s%s%s", place, f->key,
                   expected, x->value.is_list ? "a list" : "'",
                   x->value.is_list ? "" : x->value.text, x->value.is_list ? "" : "'",
                   several ? "; a run for each of several values: trm train -m" : "");
}

static bool chooses_arch(const trm__entry *x) {
  return !strcmp(x->key, "arch") || !strcmp(x->key, "arch.name");
}

bool trm__run_find_key(const char *name, trm__run_key *k) {
  if (!strcmp(name, "arch")) name = "arch.name";
  *k = (trm__run_key){0};
  while (trm__run_next_key(k))
    if (!strcmp(k->field->key, name)) return true;
  return false;
}

static void set_arch_defaults(trm__run_config *c, trm_arch arch) {
  c->model = trm_model_config_default(arch);
  c->loss_head = 0;
  if (c->model.puzzle_emb_ndim == c->model.hidden_size)
    c->model.puzzle_emb_ndim = TRM__AS_HIDDEN_SIZE;
}

/* "${.hidden_size}", the one reference to another key that the reference's files have. */
static const char as_hidden_size[] = "${.hidden_size}";

static bool is_width(const trm__run_key *k) {
  return !strcmp(k->field->key, "arch.puzzle_emb_ndim");
}

static trm_status apply_entry(trm__run_config *c, const trm__entries *e, const trm__entry *x,
                              trm_error *err) {
  trm__run_key k;
  if (!trm__run_find_key(x->key, &k)) return fail_unknown(e, x, err);
  const trm_arch before = c->model.arch;
  trm_status st = TRM_OK;
  if (is_width(&k) && !x->value.is_list && !strcmp(x->value.text, as_hidden_size))
    c->model.puzzle_emb_ndim = TRM__AS_HIDDEN_SIZE;
  else
    st = trm__field_set(k.field, base_of(c, &k), &x->value);
  if (st == TRM_E_MEMORY) return trm__fail(err, st, -1, "no memory for the configuration");
  if (st != TRM_OK) return fail_value(e, x, k.field, err);
  if (c->model.arch != before) set_arch_defaults(c, c->model.arch);
  return TRM_OK;
}

trm_status trm__run_config_apply(trm__run_config *c, const trm__entries *e, trm_error *err) {
  for (int i = 0; i < e->n; i++)
    if (chooses_arch(&e->v[i])) TRM_TRY(apply_entry(c, e, &e->v[i], err));
  for (int i = 0; i < e->n; i++)
    if (!chooses_arch(&e->v[i])) TRM_TRY(apply_entry(c, e, &e->v[i], err));
  return TRM_OK;
}

/* True when `word` is the key, or words at an end of its last part: "size" of "hidden_size". */
static bool is_part_of(const char *word, const char *key) {
  const char *dot = strrchr(key, '.'), *last = dot ? dot + 1 : key;
  const size_t n = strlen(word), m = strlen(last);
  if (n > m) return false;
  return (!strncmp(last, word, n) && (n == m || last[n] == '_')) ||
         (!strcmp(last + m - n, word) && last[m - n - 1] == '_');
}

static bool find_part(const char *word, trm__run_key *k) {
  if (trm__run_find_key(word, k)) return true;
  *k = (trm__run_key){0};
  while (trm__run_next_key(k))
    if (trm__field_is_called(k->field, word) || is_part_of(word, k->field->key)) return true;
  return false;
}

bool trm_run_config_suggest(const char *name, const char *value, char *text, size_t size) {
  char word[64];
  trm__run_key k;
  snprintf(word, sizeof word, "%s", name);
  for (char *c = word; *c; c++)
    if (*c == '-') *c = '_';
  if (!find_part(word, &k)) return false;
  const bool list = k.field->type == &trm__field_texts && !(value && *value == '[');
  snprintf(text, size, "%s=%s%s%s", k.field->key, list ? "\"[" : "", value ? value : "VALUE",
           list ? "]\"" : "");
  return true;
}

/* An argument that is no setting: what may have been meant. */
static trm_status fail_word(const char *word, trm_error *err) {
  char setting[160];
  if (trm_run_preset_find(word))
    return trm__fail(err, TRM_E_CONFIG, -1, "'%s': want key=value; the preset is preset=%s", word,
                     word);
  if (trm__path_is_dir(word))
    return trm__fail(err, TRM_E_CONFIG, -1,
                     "'%s': want key=value; a data set is data_paths=\"[%s]\"", word, word);
  if (trm__text_ends_in(word, ".yaml") || trm__text_ends_in(word, ".yml"))
    return trm__fail(err, TRM_E_CONFIG, -1, "'%s': want key=value; a file of them is --config %s",
                     word, word);
  if (trm_run_config_suggest(word, NULL, setting, sizeof setting))
    return trm__fail(err, TRM_E_CONFIG, -1, "'%s': want key=value, as in %s", word, setting);
  return trm__fail(
      err, TRM_E_CONFIG, -1,
      "'%s': want key=value, e.g. preset=sudoku6 or lr=1e-4; `trm train --list-presets` "
      "and --list-keys list them",
      word);
}

static trm_status add_settings(trm__entries *e, const char *const *settings, int n,
                               trm_error *err) {
  for (int i = 0; i < n; i++) {
    if (!strchr(settings[i], '=')) return fail_word(settings[i], err);
    TRM_TRY(trm__entries_add_setting(e, settings[i], err));
  }
  return TRM_OK;
}

static trm_status fail_preset(const char *name, trm_error *err) {
  trm__nearest near = {.word = name};
  for (int i = 0; trm_run_preset_at(i); i++) trm__nearest_offer(&near, trm_run_preset_at(i)->name);
  if (near.best)
    return trm__fail(err, TRM_E_CONFIG, -1, "unknown preset '%s'; did you mean '%s'?", name,
                     near.best);
  return trm__fail(err, TRM_E_CONFIG, -1,
                   "unknown preset '%s'; `trm train --list-presets` lists all", name);
}

static trm_status apply_preset(trm__run_config *c, const char *name, trm_error *err) {
  const trm_run_preset *p = trm_run_preset_find(name);
  if (!p) return fail_preset(name, err);
  int n = 0;
  while (p->settings[n]) n++;
  trm__entries layer = {0};
  trm_status st = add_settings(&layer, p->settings, n, err);
  if (st == TRM_OK) st = trm__run_config_apply(c, &layer, err);
  trm__entries_free(&layer);
  return st;
}

trm_status trm__run_config_default(trm__run_config *c, trm_error *err) {
  *c = (trm__run_config){0};
  for (trm__run_key k = {0}; trm__run_next_key(&k);)
    trm__field_set_number(k.field, base_of(c, &k), k.field->initial);
  set_arch_defaults(c, c->model.arch);
  c->trainer = trm_trainer_config_default();
  c->trainer.device = (trm_device){TRM_DEVICE_AUTO, 0};
  c->out = trm__text_copy("runs", SIZE_MAX);
  if (!c->out) return trm__fail(err, TRM_E_MEMORY, -1, "no memory for the configuration");
  return TRM_OK;
}

static const char *chosen_preset(const trm__entries *e) {
  const char *name = NULL;
  for (int i = 0; i < e->n; i++)
    if (!strcmp(e->v[i].key, "preset") && !e->v[i].value.is_list &&
        strcmp(e->v[i].value.text, "null") != 0)
      name = e->v[i].value.text;
  return name;
}

bool trm__run_config_tries(const trm__run_config *c) {
  const trm_thinking *how = &c->tries;
  return trm_thinking_tries(how) > 1 || how->noise > 0 || how->select == TRM_SELECT_FIRST;
}

/* Tries of evaluations: each key is for something. */
static trm_status check_tries(const trm__run_config *c, trm_error *err) {
  const trm_thinking *how = &c->tries;
  const int64_t tries = (int64_t)how->views * how->rollouts;
  if (tries > TRM_MAX_TRIES)
    return trm__fail(err, TRM_E_CONFIG, -1,
                     "eval_views times eval_rollouts: want at most %d tries of a puzzle, got %lld",
                     TRM_MAX_TRIES, (long long)tries);
  if (how->select != TRM_SELECT_Q && how->select != TRM_SELECT_FIRST && tries == 1)
    return trm__fail(err, TRM_E_CONFIG, -1,
                     "eval_select=%s is a choice among several tries: want eval_views=K or "
                     "eval_rollouts=K beside it",
                     trm_select_name(how->select));
  if (how->select != TRM_SELECT_FIRST && how->bar != TRM__RUN_BAR)
    return trm__fail(err, TRM_E_CONFIG, -1,
                     "eval_bar belongs to eval_select=first; leave it out with eval_select=%s",
                     trm_select_name(how->select));
  if (!trm_thinking_differs(how, &c->model))
    return trm__fail(err, TRM_E_CONFIG, -1,
                     "eval_rollouts wants eval_noise: without it all of them are the same, for the "
                     "model starts at no random latents (arch.start_std)");
  return TRM_OK;
}

/* What can only be said once all layers are applied. */
static trm_status check_config(const trm__run_config *c, trm_error *err) {
  const struct {
    const char *key, *path;
  } outputs[] = {{"out", c->out ? c->out : ""},
                 {"checkpoint_path", c->checkpoint_path ? c->checkpoint_path : "runs"}};
  for (int i = 0; i < 2; i++)
    if (!*outputs[i].path || !strcmp(outputs[i].path, "-"))
      return trm__fail(err, TRM_E_CONFIG, -1, "%s: want the name of a folder to write, got '%s'",
                       outputs[i].key, outputs[i].path);

  /* Of the reference's evaluators, and of what they save, one is ours. */
  for (int i = 0; i < c->evaluators.n; i++)
    if (strcmp(c->evaluators.v[i], "arc@ARC") != 0)
      return trm__fail(
          err, TRM_E_CONFIG, -1,
          "evaluators: '%s' does not exist; cell, exact and q accuracy are always "
          "measured, so write evaluators=\"[]\", or \"[arc@ARC]\" to count the votes for "
          "the tasks of an ARC set",
          c->evaluators.v[i]);
  if (c->eval_save_outputs.n)
    return trm__fail(err, TRM_E_CONFIG, -1,
                     "eval_save_outputs: '%s' is not saved during training; use `trm eval MODEL "
                     "DATA --save-preds FILE.npy` afterwards",
                     c->eval_save_outputs.v[0]);
  return check_tries(c, err);
}

/* The layers on top of each other. */
static trm_status resolve(trm__run_config *c, const trm__entries *file,
                          const trm__entries *settings, trm_error *err) {
  TRM_TRY(trm__run_config_default(c, err));
  const char *preset = chosen_preset(settings);
  if (!preset) preset = chosen_preset(file);
  if (preset) TRM_TRY(apply_preset(c, preset, err));
  TRM_TRY(trm__run_config_apply(c, file, err));
  TRM_TRY(trm__run_config_apply(c, settings, err));
  if (c->model.puzzle_emb_ndim == TRM__AS_HIDDEN_SIZE)
    c->model.puzzle_emb_ndim = c->model.hidden_size;
  return check_config(c, err);
}

static trm_status resolve_whole(trm__run_config *c, const trm__entries *file,
                                const trm__entries *settings, trm_error *err) {
  const trm_status st = resolve(c, file, settings, err);
  if (st != TRM_OK) trm__run_config_free(c);
  return st;
}

static trm_status read_layers(trm__entries *file, trm__entries *line, const char *const *settings,
                              int n, trm_error *err) {
  if (file->file) TRM_TRY(trm__entries_add_yaml(file, file->file, err));
  return add_settings(line, settings, n, err);
}

trm_status trm__run_config_load(trm__run_config *c, const char *yaml, const char *const *settings,
                                int n, trm_error *err) {
  trm__entries file = {.file = yaml}, line = {0};
  *c = (trm__run_config){0};
  trm_status st = read_layers(&file, &line, settings, n, err);
  if (st == TRM_OK) st = resolve_whole(c, &file, &line, err);
  trm__entries_free(&file);
  trm__entries_free(&line);
  return st;
}

bool trm__run_config_may_change(const char *key, size_t n) {
  for (trm__run_key k = {0}; trm__run_next_key(&k);)
    if (strlen(k.field->key) == n && !memcmp(key, k.field->key, n)) return k.field->use & TRM__FREE;
  return false;
}

/* ---- printing ---- */

static void print_value(const trm__run_config *c, const void *key, trm__sink *s) {
  const trm__run_key *k = key;
  if (is_width(k) && c->model.puzzle_emb_ndim == TRM__AS_HIDDEN_SIZE)
    trm__sink_put(s, "%s", as_hidden_size);
  else
    trm__field_print(k->field, (const char *)c + k->base, s);
}

/* No key before it begins with the same n characters. */
static bool is_first(const trm__run_key *key, size_t n) {
  for (trm__run_key k = {0}; trm__run_next_key(&k) && k.field != key->field;)
    if (!strncmp(k.field->key, key->field->key, n)) return false;
  return true;
}

/* A key that the reference does not know: its files have one only where it says something of the
 * model. */
static bool is_unknown_to_reference(const trm__run_config *c, const trm__run_key *k) {
  const bool of_model = k->table == TRM__MODEL_KEYS;
  return k->field->use & TRM__OURS &&
         !(of_model && !trm__model_field_is_silent(k->field, &c->model));
}

/* The keys that begin with `map`, nested as YAML has them. */
static void print_map(const trm__run_config *c, bool reference, const char *map, int depth,
                      trm__sink *s) {
  const size_t n = strlen(map);
  for (trm__run_key k = {0}; trm__run_next_key(&k);) {
    if (strncmp(k.field->key, map, n) != 0 || (reference && is_unknown_to_reference(c, &k)))
      continue;
    const char *name = k.field->key + n, *dot = strchr(name, '.');

    /* A map stands where the first of its keys does. */
    if (dot && is_first(&k, (size_t)(dot + 1 - k.field->key))) {
      char inner[64];
      snprintf(inner, sizeof inner, "%.*s", (int)(dot + 1 - k.field->key), k.field->key);
      trm__sink_put(s, "%*s%.*s:\n", 2 * depth, "", (int)(dot - name), name);
      print_map(c, reference, inner, depth + 1, s);
    }
    if (dot) continue;
    trm__sink_put(s, "%*s%s: ", 2 * depth, "", name);
    if (reference && !strcmp(k.field->key, "arch.name"))
      trm__sink_put(s, "%s", trm_arch_class_name(c->model.arch));
    else
      print_value(c, &k, s);
    trm__sink_put(s, "\n");
  }
}

static void print_yaml(const trm__run_config *c, const void *reference, trm__sink *s) {
  print_map(c, *(const bool *)reference, "", 0, s);
}

/* What `print` prints of a configuration and what else it is given, a fresh block; NULL: no memory.
 */
typedef void print_fn(const trm__run_config *c, const void *what, trm__sink *s);
static char *printed(print_fn *print, const trm__run_config *c, const void *what) {
  trm__sink s = {0};
  print(c, what, &s);
  char *text = trm__alloc((uint64_t)s.n + 1, 1);
  if (text) print(c, what, &(trm__sink){text, s.n + 1, 0});
  return text;
}

trm_status trm__run_config_text(const trm__run_config *c, bool reference, char **text,
                                trm_error *err) {
  *text = printed(print_yaml, c, &reference);
  if (!*text) TRM_FAIL(err, TRM_E_MEMORY, "no memory for the configuration");
  return TRM_OK;
}

trm_status trm__run_config_save(const trm__run_config *c, bool reference, const trm__dir *in,
                                const char *name, trm_error *err) {
  char *text;
  TRM_TRY(trm__run_config_text(c, reference, &text, err));
  const trm_status st = trm__writer_save(in, name, text, strlen(text), err);
  trm__free(text);
  return st;
}

/* ---- comparing ---- */

trm_status trm__run_config_compare(const trm__run_config *a, const trm__run_config *b,
                                   const char **key, trm_error *err) {
  *key = NULL;
  for (trm__run_key k = {0}; !*key && trm__run_next_key(&k);) {
    if (k.field->use & TRM__FREE) continue;
    char *x = printed(print_value, a, &k), *y = printed(print_value, b, &k);
    const bool known = x && y;
    if (known && strcmp(x, y) != 0) *key = k.field->key;
    trm__free(x);
    trm__free(y);
    if (!known) return trm__fail(err, TRM_E_MEMORY, -1, "no memory to compare configurations");
  }
  return TRM_OK;
}

static trm_status find_missing(const trm__entries *have, const trm__entries *want, char **key,
                               trm_error *err) {
  const char *missing = NULL;
  for (int i = 0; want && i < want->n && !missing; i++)
    if (!trm__entries_have(have, want->v[i].key)) missing = want->v[i].key;
  for (trm__run_key k = {0}; !want && !missing && trm__run_next_key(&k);)
    if (!trm__entries_have(have, k.field->key) && !(k.field->use & TRM__LATER))
      missing = k.field->key;
  if (!missing) return TRM_OK;
  *key = trm__text_copy(missing, SIZE_MAX);
  return *key ? TRM_OK : trm__fail(err, TRM_E_MEMORY, -1, "no memory for the name of a key");
}

trm_status trm__run_config_find_missing(const char *yaml, const char *whole, char **key,
                                        trm_error *err) {
  trm__entries have = {.file = yaml}, want = {.file = whole};
  *key = NULL;
  trm_status st = trm__entries_add_yaml(&have, yaml, err);
  if (st == TRM_OK && whole) st = trm__entries_add_yaml(&want, whole, err);
  if (st == TRM_OK) st = find_missing(&have, whole ? &want : NULL, key, err);
  trm__entries_free(&have);
  trm__entries_free(&want);
  return st;
}

/* ---- what others hold ---- */

static trm_status load(trm_run_config *c, const char *yaml, const char *const *settings, int n,
                       trm_error *err) {
  c->yaml = yaml ? trm__text_copy(yaml, SIZE_MAX) : NULL;
  if (yaml && !c->yaml) TRM_FAIL(err, TRM_E_MEMORY, "no memory for the configuration");
  c->file.file = c->yaml;
  TRM_TRY(read_layers(&c->file, &c->settings, settings, n, err));
  return resolve_whole(&c->now, &c->file, &c->settings, err);
}

trm_status trm_run_config_load(const char *yaml, const char *const *settings, int n,
                               trm_run_config **out, trm_error *err) {
  *out = NULL;
  trm_run_config *c;
  TRM_ALLOC(&c, 1, "the configuration", err);
  const trm_status st = load(c, yaml, settings, n, err);
  if (st == TRM_OK)
    *out = c;
  else
    trm_run_config_free(c);
  return st;
}

void trm_run_config_free(trm_run_config *c) {
  if (!c) return;
  trm__run_config_free(&c->now);
  trm__entries_free(&c->file);
  trm__entries_free(&c->settings);
  trm__run_paths_free(&c->paths);
  trm__free(c->yaml);
  trm__free(c);
}

static trm_status add_setting(trm__entries *e, const char *key, const char *value, trm_error *err) {
  trm__sink s = {0};
  trm__sink_put(&s, "%s=%s", key, value);
  char *text = trm__alloc((uint64_t)s.n + 1, 1);
  if (!text) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a setting");
  trm__sink_put(&(trm__sink){text, s.n + 1, 0}, "%s=%s", key, value);
  const trm_status st = trm__entries_add_setting(e, text, err);
  trm__free(text);
  return st;
}

trm_status trm_run_config_set(trm_run_config *c, const char *key, const char *value,
                              trm_error *err) {
  trm__run_config fresh;
  TRM_TRY(add_setting(&c->settings, key, value, err));
  const trm_status st = resolve_whole(&fresh, &c->file, &c->settings, err);

  /* A setting that does not hold leaves the list again. */
  if (st != TRM_OK) {
    trm__entry *last = &c->settings.v[--c->settings.n];
    trm__free(last->key);
    trm__value_free(&last->value);
    return st;
  }
  trm__run_config_free(&c->now);
  c->now = fresh;
  return TRM_OK;
}

static trm_status find_known(const char *name, trm__run_key *k, trm_error *err) {
  const trm__entries none = {0};
  if (trm__run_find_key(name, k)) return TRM_OK;
  return fail_unknown(&none, &(trm__entry){.key = (char *)(uintptr_t)name}, err);
}

trm_status trm_run_config_get(const trm_run_config *c, const char *key, char *text, size_t size,
                              trm_error *err) {
  trm__run_key k;
  trm__run_config initial;
  TRM_TRY(find_known(key, &k, err));
  if (!c) TRM_TRY(trm__run_config_default(&initial, err));
  print_value(c ? &c->now : &initial, &k, &(trm__sink){text, size, 0});
  if (!c) trm__run_config_free(&initial);
  return TRM_OK;
}

const char *trm_run_config_item(const trm_run_config *c, const char *key, int i) {
  trm__run_key k;
  if (!trm__run_find_key(key, &k)) return NULL;
  const void *at = (const char *)&c->now + k.base + k.field->offset;
  if (k.field->type == &trm__field_text) return i == 0 ? *(char *const *)at : NULL;
  if (k.field->type != &trm__field_texts) return NULL;
  const trm__texts *list = at;
  return i >= 0 && i < list->n ? list->v[i] : NULL;
}

size_t trm_run_config_text(const trm_run_config *c, bool reference, char *text, size_t size) {
  trm__sink s = {text, size, 0};
  print_yaml(&c->now, &reference, &s);
  return s.n;
}

const trm_model_config *trm_run_config_model(const trm_run_config *c) {
  return &c->now.model;
}

const trm_trainer_config *trm_run_config_trainer(const trm_run_config *c) {
  return &c->now.trainer;
}

const trm_field *trm_run_config_field(int i) {
  trm__run_key k = {0};
  while (trm__run_next_key(&k))
    if (i-- == 0) return k.field;
  return NULL;
}
