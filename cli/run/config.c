/* The run configuration: layers of entries applied to the structure, checks, printing. */
#include "cli/run/config.h"

#include <stdlib.h>
#include <string.h>

#include "cli/files.h"

/* The structure of a key's field. */
static void *base_of(run_config *c, const config_key *k) {
  return (char *)c + k->base;
}

void run_config_free(run_config *c) {
  for (config_key k = {0}; config_next_key(&k);) trm__field_free(k.field, base_of(c, &k));
  *c = (run_config){0};
}

/* Where an entry stands, as a prefix of a message. */
static const char *place_of(const config_entries *e, const config_entry *x, char *text, size_t n) {
  text[0] = 0;
  if (e->file) snprintf(text, n, "%s:%d:%d: ", e->file, x->line, x->column);
  return text;
}

static int64_t line_of(const config_entry *x) {
  return x->line ? x->line : -1;
}

static trm_status fail_unknown(const config_entries *e, const config_entry *x, trm_error *err) {
  char place[256];
  trm__nearest near = {.word = x->key};
  const char *dot = strrchr(x->key, '.'), *word = dot ? dot + 1 : x->key;
  for (config_key k = {0}; config_next_key(&k);) {
    /* "hidden_size", "hidden_dim" and "arch.hidden_dim" for "arch.hidden_size" */
    if (trm__field_is_called(k.field, word)) near = (trm__nearest){x->key, k.field->key, 0};
    trm__nearest_offer(&near, k.field->key);
  }
  place_of(e, x, place, sizeof place);
  if (near.best)
    return cli_fail(err, TRM_E_CONFIG, line_of(x), "%sunknown key '%s'; did you mean '%s'?", place,
                    x->key, near.best);
  return cli_fail(err, TRM_E_CONFIG, line_of(x),
                  "%sunknown key '%s'; `trm train --list-keys` lists all", place, x->key);
}

static trm_status fail_value(const config_entries *e, const config_entry *x, const trm_field *f,
                             trm_error *err) {
  char place[256], expected[160] = "";
  trm__sink s = {expected, sizeof expected, 0};
  place_of(e, x, place, sizeof place);
  if (f->type == &trm__field_texts && !x->value.is_list)
    return cli_fail(err, TRM_E_CONFIG, line_of(x), "%s%s: want %s, here %s=\"[%s]\"", place, f->key,
                    f->type->expected, f->key, x->value.text);
  trm__field_expect(f, &s);
  return cli_fail(err, TRM_E_CONFIG, line_of(x), "%s%s: want %s, got %s%s%s", place, f->key,
                  expected, x->value.is_list ? "a list" : "'",
                  x->value.is_list ? "" : x->value.text, x->value.is_list ? "" : "'");
}

static bool chooses_arch(const config_entry *x) {
  return !strcmp(x->key, "arch") || !strcmp(x->key, "arch.name");
}

bool config_find_key(const char *name, config_key *k) {
  if (!strcmp(name, "arch")) name = "arch.name";
  *k = (config_key){0};
  while (config_next_key(k))
    if (!strcmp(k->field->key, name)) return true;
  return false;
}

static void set_arch_defaults(run_config *c, trm_arch arch) {
  c->model = trm_model_config_default(arch);
  c->loss_head = 0;
  if (c->model.puzzle_emb_ndim == c->model.hidden_size)
    c->model.puzzle_emb_ndim = CONFIG_AS_HIDDEN_SIZE;
}

/* "${.hidden_size}", the one reference to another key that the reference's files have. */
static const char as_hidden_size[] = "${.hidden_size}";

static bool is_width(const config_key *k) {
  return !strcmp(k->field->key, "arch.puzzle_emb_ndim");
}

static trm_status apply_entry(run_config *c, const config_entries *e, const config_entry *x,
                              trm_error *err) {
  config_key k;
  if (!config_find_key(x->key, &k)) return fail_unknown(e, x, err);
  const trm_arch before = c->model.arch;
  trm_status st = TRM_OK;
  if (is_width(&k) && !x->value.is_list && !strcmp(x->value.text, as_hidden_size))
    c->model.puzzle_emb_ndim = CONFIG_AS_HIDDEN_SIZE;
  else
    st = trm__field_set(k.field, base_of(c, &k), &x->value);
  if (st == TRM_E_MEMORY) return cli_fail(err, st, -1, "no memory for the configuration");
  if (st != TRM_OK) return fail_value(e, x, k.field, err);
  if (c->model.arch != before) set_arch_defaults(c, c->model.arch);
  return TRM_OK;
}

trm_status config_apply(run_config *c, const config_entries *e, trm_error *err) {
  for (int i = 0; i < e->n; i++)
    if (chooses_arch(&e->v[i])) CLI_TRY(apply_entry(c, e, &e->v[i], err));
  for (int i = 0; i < e->n; i++)
    if (!chooses_arch(&e->v[i])) CLI_TRY(apply_entry(c, e, &e->v[i], err));
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

static bool find_part(const char *word, config_key *k) {
  if (config_find_key(word, k)) return true;
  *k = (config_key){0};
  while (config_next_key(k))
    if (trm__field_is_called(k->field, word) || is_part_of(word, k->field->key)) return true;
  return false;
}

bool config_suggest(const char *name, const char *value, char *text, size_t size) {
  char word[64];
  config_key k;
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
  if (config_find_preset(word))
    return cli_fail(err, TRM_E_CONFIG, -1, "'%s': want key=value; the preset is preset=%s", word,
                    word);
  if (trm__path_is_dir(word))
    return cli_fail(err, TRM_E_CONFIG, -1,
                    "'%s': want key=value; a data set is data_paths=\"[%s]\"", word, word);
  if (cli_ends_in(word, ".yaml") || cli_ends_in(word, ".yml"))
    return cli_fail(err, TRM_E_CONFIG, -1, "'%s': want key=value; a file of them is --config %s",
                    word, word);
  if (config_suggest(word, NULL, setting, sizeof setting))
    return cli_fail(err, TRM_E_CONFIG, -1, "'%s': want key=value, as in %s", word, setting);
  return cli_fail(
      err, TRM_E_CONFIG, -1,
      "'%s': want key=value, e.g. preset=sudoku6 or lr=1e-4; `trm train --list-presets` "
      "and --list-keys list them",
      word);
}

static trm_status add_overrides(config_entries *e, const char *const *overrides, int n,
                                trm_error *err) {
  for (int i = 0; i < n; i++) {
    if (!strchr(overrides[i], '=')) return fail_word(overrides[i], err);
    CLI_TRY(config_entries_add_override(e, overrides[i], err));
  }
  return TRM_OK;
}

static trm_status fail_preset(const char *name, trm_error *err) {
  trm__nearest near = {.word = name};
  for (const config_preset *p = config_presets; p->name; p++) trm__nearest_offer(&near, p->name);
  if (near.best)
    return cli_fail(err, TRM_E_CONFIG, -1, "unknown preset '%s'; did you mean '%s'?", name,
                    near.best);
  return cli_fail(err, TRM_E_CONFIG, -1,
                  "unknown preset '%s'; `trm train --list-presets` lists all", name);
}

static trm_status apply_preset(run_config *c, const char *name, trm_error *err) {
  const config_preset *p = config_find_preset(name);
  if (!p) return fail_preset(name, err);
  int n = 0;
  while (p->settings[n]) n++;
  config_entries layer = {0};
  trm_status st = add_overrides(&layer, p->settings, n, err);
  if (st == TRM_OK) st = config_apply(c, &layer, err);
  config_entries_free(&layer);
  return st;
}

trm_status config_defaults(run_config *c, trm_error *err) {
  *c = (run_config){0};
  for (config_key k = {0}; config_next_key(&k);)
    trm__field_set_number(k.field, base_of(c, &k), k.field->initial);
  set_arch_defaults(c, c->model.arch);
  c->trainer = trm_trainer_config_default();
  c->trainer.device = CLI_ANY_DEVICE;
  c->out = strdup("runs");
  if (!c->out) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for the configuration");
  return TRM_OK;
}

static const char *chosen_preset(const config_entries *e) {
  const char *name = NULL;
  for (int i = 0; i < e->n; i++)
    if (!strcmp(e->v[i].key, "preset") && !e->v[i].value.is_list &&
        strcmp(e->v[i].value.text, "null") != 0)
      name = e->v[i].value.text;
  return name;
}

/* What can only be said once all layers are applied. */
static trm_status check_config(const run_config *c, trm_error *err) {
  const struct {
    const char *key, *path;
  } outputs[] = {{"out", c->out ? c->out : ""},
                 {"checkpoint_path", c->checkpoint_path ? c->checkpoint_path : "runs"}};
  for (int i = 0; i < 2; i++)
    if (!cli_is_output(outputs[i].path))
      return cli_fail(err, TRM_E_CONFIG, -1, "%s: want the name of a folder to write, got '%s'",
                      outputs[i].key, outputs[i].path);
  for (int i = 0; i < c->evaluators.n; i++)
    if (strcmp(c->evaluators.v[i], "arc@ARC") != 0)
      return cli_fail(
          err, TRM_E_CONFIG, -1,
          "evaluators: '%s' does not exist; cell, exact and q accuracy are always "
          "measured, so write evaluators=\"[]\", or \"[arc@ARC]\" to count the votes for "
          "the tasks of an ARC set",
          c->evaluators.v[i]);
  if (c->eval_save_outputs.n)
    return cli_fail(err, TRM_E_CONFIG, -1,
                    "eval_save_outputs: '%s' is not saved during training; use `trm eval MODEL "
                    "DATA --save-preds FILE.npy` afterwards",
                    c->eval_save_outputs.v[0]);
  return TRM_OK;
}

static trm_status load_layers(run_config *c, config_entries *file, config_entries *line,
                              const char *yaml, const char *const *overrides, int n,
                              trm_error *err) {
  CLI_TRY(config_defaults(c, err));
  if (yaml) CLI_TRY(config_entries_add_yaml(file, yaml, err));
  CLI_TRY(add_overrides(line, overrides, n, err));
  const char *preset = chosen_preset(line);
  if (!preset) preset = chosen_preset(file);
  if (preset) CLI_TRY(apply_preset(c, preset, err));
  CLI_TRY(config_apply(c, file, err));
  CLI_TRY(config_apply(c, line, err));
  if (c->model.puzzle_emb_ndim == CONFIG_AS_HIDDEN_SIZE)
    c->model.puzzle_emb_ndim = c->model.hidden_size;
  return check_config(c, err);
}

trm_status run_config_load(run_config *c, const char *yaml, const char *const *overrides, int n,
                           trm_error *err) {
  config_entries file = {.file = yaml}, line = {0};
  trm_status st = load_layers(c, &file, &line, yaml, overrides, n, err);
  config_entries_free(&file);
  config_entries_free(&line);
  if (st != TRM_OK) run_config_free(c);
  return st;
}

bool run_config_may_change(const char *key, size_t n) {
  for (config_key k = {0}; config_next_key(&k);)
    if (strlen(k.field->key) == n && !memcmp(key, k.field->key, n)) return k.field->use & TRM__FREE;
  return false;
}

/* ---- printing ---- */

static void print_value(const run_config *c, const config_key *k, trm__sink *s) {
  if (is_width(k) && c->model.puzzle_emb_ndim == CONFIG_AS_HIDDEN_SIZE)
    trm__sink_put(s, "%s", as_hidden_size);
  else
    trm__field_print(k->field, (const char *)c + k->base, s);
}

/* No key before it begins with the same n characters. */
static bool is_first(const config_key *key, size_t n) {
  for (config_key k = {0}; config_next_key(&k) && k.field != key->field;)
    if (!strncmp(k.field->key, key->field->key, n)) return false;
  return true;
}

/* The keys that begin with `map`, nested as YAML has them. */
static void print_map(const run_config *c, bool reference, const char *map, int depth,
                      trm__sink *s) {
  const size_t n = strlen(map);
  for (config_key k = {0}; config_next_key(&k);) {
    if (strncmp(k.field->key, map, n) != 0 || (reference && k.field->use & TRM__OURS)) continue;
    const char *name = k.field->key + n, *dot = strchr(name, '.');
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

static void print_yaml(const run_config *c, bool reference, trm__sink *s) {
  print_map(c, reference, "", 0, s);
}

static void print_list(const run_config *c, bool unused, trm__sink *s) {
  (void)unused;
  trm__sink_put(s, "Keys of a run, with their defaults (* ours, not the reference's):\n");
  for (config_key k = {0}; config_next_key(&k);) {
    const trm_field *f = k.field;
    trm__sink_put(s, "%c %-27s %-9s ", f->use & TRM__OURS ? '*' : ' ', f->key, f->type->name);
    print_value(c, &k, s);
    trm__sink_put(s, "\n      %s", f->help);
    for (int i = 0; trm_field_choice(f, i); i++)
      trm__sink_put(s, "%s%s", i ? ", " : ": ", trm_field_choice(f, i));
    trm__sink_put(s, "\n");
  }
}

/* What `print` prints, for the caller to free. */
static trm_status print_text(void print(const run_config *, bool, trm__sink *), const run_config *c,
                             bool reference, char **text, trm_error *err) {
  trm__sink s = {0};
  print(c, reference, &s);
  *text = malloc(s.n + 1);
  if (!*text) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for the configuration");
  print(c, reference, &(trm__sink){*text, s.n + 1, 0});
  return TRM_OK;
}

trm_status run_config_text(const run_config *c, bool reference, char **text, trm_error *err) {
  return print_text(print_yaml, c, reference, text, err);
}

trm_status config_print_keys(FILE *f, trm_error *err) {
  run_config c;
  char *text = NULL;
  trm_status st = config_defaults(&c, err);
  if (st == TRM_OK) st = print_text(print_list, &c, false, &text, err);
  if (st == TRM_OK) fputs(text, f);
  free(text);
  run_config_free(&c);
  return st;
}

void config_print_presets(FILE *f) {
  for (const config_preset *p = config_presets; p->name; p++) {
    fprintf(f, "%s: %s\n   ", p->name, p->about);
    for (const char *const *s = p->settings; *s; s++) fprintf(f, " %s", *s);
    fprintf(f, "\n    data: %s\n", p->make);
  }
}

/* ---- comparing ---- */

/* The value of a key, for the caller to free; NULL: no memory. */
static char *value_of(const run_config *c, const config_key *k) {
  trm__sink s = {0};
  print_value(c, k, &s);
  char *text = malloc(s.n + 1);
  if (text) print_value(c, k, &(trm__sink){text, s.n + 1, 0});
  return text;
}

trm_status run_config_compare(const run_config *a, const run_config *b, const char **key,
                              trm_error *err) {
  *key = NULL;
  for (config_key k = {0}; !*key && config_next_key(&k);) {
    if (k.field->use & TRM__FREE) continue;
    char *x = value_of(a, &k), *y = value_of(b, &k);
    const bool known = x && y;
    if (known && strcmp(x, y) != 0) *key = k.field->key;
    free(x);
    free(y);
    if (!known) return cli_fail(err, TRM_E_MEMORY, -1, "no memory to compare configurations");
  }
  return TRM_OK;
}

static bool is_named(const config_entries *e, const char *key) {
  for (int i = 0; i < e->n; i++)
    if (!strcmp(e->v[i].key, key)) return true;
  return false;
}

static trm_status find_missing(const config_entries *have, const config_entries *want, char **key,
                               trm_error *err) {
  const char *missing = NULL;
  for (int i = 0; want && i < want->n && !missing; i++)
    if (!is_named(have, want->v[i].key)) missing = want->v[i].key;
  for (config_key k = {0}; !want && !missing && config_next_key(&k);)
    if (!is_named(have, k.field->key) && !(k.field->use & TRM__LATER)) missing = k.field->key;
  if (!missing) return TRM_OK;
  *key = strdup(missing);
  return *key ? TRM_OK : cli_fail(err, TRM_E_MEMORY, -1, "no memory for the name of a key");
}

trm_status run_config_find_missing(const char *yaml, const char *whole, char **key,
                                   trm_error *err) {
  config_entries have = {.file = yaml}, want = {.file = whole};
  *key = NULL;
  trm_status st = config_entries_add_yaml(&have, yaml, err);
  if (st == TRM_OK && whole) st = config_entries_add_yaml(&want, whole, err);
  if (st == TRM_OK) st = find_missing(&have, whole ? &want : NULL, key, err);
  config_entries_free(&have);
  config_entries_free(&want);
  return st;
}
