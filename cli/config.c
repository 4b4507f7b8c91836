/* The run configuration: layers of entries applied to the structure, checks, printing. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

static void *field_of(run_config *c, const config_key *k) {
  return (char *)c + k->offset;
}

void run_config_free(run_config *c) {
  for (const config_key *k = config_keys; k->name; k++) {
    if (k->type == &config_text) free(*(char **)field_of(c, k));
    if (k->type == &config_texts) config_list_free(field_of(c, k));
  }
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
  cli_nearest near = {.word = x->key};
  for (const config_key *k = config_keys; k->name; k++) {
    const char *dot = strrchr(k->name, '.');
    /* "hidden_size" for "arch.hidden_size" */
    if (dot && !strcmp(dot + 1, x->key)) near = (cli_nearest){x->key, k->name, 0};
    cli_nearest_offer(&near, k->name);
  }
  place_of(e, x, place, sizeof place);
  if (near.best)
    return cli_fail(err, TRM_E_CONFIG, line_of(x), "%sunknown key '%s'; did you mean '%s'?", place,
                    x->key, near.best);
  return cli_fail(err, TRM_E_CONFIG, line_of(x),
                  "%sunknown key '%s'; `trm train --list-keys` lists all", place, x->key);
}

static void describe_expected(const config_key *k, char *text, size_t n) {
  size_t used = (size_t)snprintf(text, n, "%s", k->type->expected);
  for (int i = 0; k->choice && k->choice(i) && used < n; i++)
    used += (size_t)snprintf(text + used, n - used, "%s %s", i ? "," : "", k->choice(i));
  if (k->max > k->min && used < n)
    snprintf(text + used, n - used, " from %g to %.10g", k->min, k->max);
}

static trm_status fail_value(const config_entries *e, const config_entry *x, const config_key *k,
                             trm_error *err) {
  char place[256], expected[160];
  place_of(e, x, place, sizeof place);
  describe_expected(k, expected, sizeof expected);
  return cli_fail(err, TRM_E_CONFIG, line_of(x), "%s%s: want %s, got %s%s%s", place, k->name,
                  expected, x->value.is_list ? "a list" : "'",
                  x->value.is_list ? "" : x->value.text, x->value.is_list ? "" : "'");
}

static bool chooses_arch(const config_entry *x) {
  return !strcmp(x->key, "arch") || !strcmp(x->key, "arch.name");
}

static const config_key *find_key(const char *name) {
  if (!strcmp(name, "arch")) name = "arch.name";
  for (const config_key *k = config_keys; k->name; k++)
    if (!strcmp(k->name, name)) return k;
  return NULL;
}

static void set_arch_defaults(run_config *c, trm_arch arch) {
  c->model = trm_model_config_default(arch);
  c->loss_head = 0;
  if (c->model.puzzle_emb_ndim == c->model.hidden_size)
    c->model.puzzle_emb_ndim = CONFIG_AS_HIDDEN_SIZE;
}

static trm_status apply_entry(run_config *c, const config_entries *e, const config_entry *x,
                              trm_error *err) {
  const config_key *k = find_key(x->key);
  if (!k) return fail_unknown(e, x, err);
  trm_arch before = c->model.arch;
  trm_status st = k->type->set(k, field_of(c, k), &x->value);
  if (st == TRM_E_MEMORY) return cli_fail(err, st, -1, "no memory for the configuration");
  if (st != TRM_OK) return fail_value(e, x, k, err);
  if (c->model.arch != before) set_arch_defaults(c, c->model.arch);
  return TRM_OK;
}

static trm_status apply_layer(run_config *c, const config_entries *e, trm_error *err) {
  for (int i = 0; i < e->n; i++)
    if (chooses_arch(&e->v[i])) CLI_TRY(apply_entry(c, e, &e->v[i], err));
  for (int i = 0; i < e->n; i++)
    if (!chooses_arch(&e->v[i])) CLI_TRY(apply_entry(c, e, &e->v[i], err));
  return TRM_OK;
}

static trm_status add_overrides(config_entries *e, const char *const *overrides, int n,
                                trm_error *err) {
  for (int i = 0; i < n; i++) CLI_TRY(config_entries_add_override(e, overrides[i], err));
  return TRM_OK;
}

static trm_status apply_preset(run_config *c, const char *name, trm_error *err) {
  cli_nearest near = {.word = name};
  for (const config_preset *p = config_presets; p->name; p++) {
    if (strcmp(p->name, name)) {
      cli_nearest_offer(&near, p->name);
      continue;
    }
    int n = 0;
    while (p->settings[n]) n++;
    config_entries layer = {0};
    trm_status st = add_overrides(&layer, p->settings, n, err);
    if (st == TRM_OK) st = apply_layer(c, &layer, err);
    config_entries_free(&layer);
    return st;
  }
  if (near.best)
    return cli_fail(err, TRM_E_CONFIG, -1, "unknown preset '%s'; did you mean '%s'?", name,
                    near.best);
  return cli_fail(err, TRM_E_CONFIG, -1,
                  "unknown preset '%s'; `trm train --list-presets` lists all", name);
}

static trm_status set_defaults(run_config *c, trm_error *err) {
  *c = (run_config){0};
  set_arch_defaults(c, TRM_ARCH_TRM);
  c->trainer = trm_trainer_config_default();
  c->trainer.device = CLI_ANY_DEVICE;
  c->trainer.seed = 0;
  c->epochs = 100000;
  c->eval_interval = 10000;
  c->log_interval = 1;
  c->checkpoint_minutes = 10;
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
  CLI_TRY(set_defaults(c, err));
  if (yaml) CLI_TRY(config_entries_add_yaml(file, yaml, err));
  CLI_TRY(add_overrides(line, overrides, n, err));
  const char *preset = chosen_preset(line);
  if (!preset) preset = chosen_preset(file);
  if (preset) CLI_TRY(apply_preset(c, preset, err));
  CLI_TRY(apply_layer(c, file, err));
  CLI_TRY(apply_layer(c, line, err));
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

static bool is_named(const config_entries *e, const char *key) {
  for (int i = 0; i < e->n; i++)
    if (!strcmp(e->v[i].key, key)) return true;
  return false;
}

static trm_status apply_arch(run_config *c, config_entries *file, const char *yaml,
                             trm_error *err) {
  trm_model_config *m = &c->model;
  CLI_TRY(set_defaults(c, err));
  CLI_TRY(config_entries_add_yaml(file, yaml, err));
  if (!is_named(file, "arch") && !is_named(file, "arch.name"))
    return cli_fail(err, TRM_E_CONFIG, -1, "%s: no arch.name: not the configuration of a run",
                    yaml);
  CLI_TRY(apply_layer(c, file, err));
  if (!is_named(file, "arch.hidden_size")) m->hidden_size = 0;
  if (!is_named(file, "arch.expansion")) m->expansion = 0;
  if (!is_named(file, "arch.L_layers") && m->L_layers) m->L_layers = 0;
  if (!is_named(file, "arch.H_layers") && m->H_layers) m->H_layers = 0;
  if (!is_named(file, "arch.puzzle_emb_ndim")) m->puzzle_emb_ndim = 0;
  if (m->puzzle_emb_ndim == CONFIG_AS_HIDDEN_SIZE) m->puzzle_emb_ndim = m->hidden_size;
  return TRM_OK;
}

trm_status run_config_load_model(trm_model_config *m, const char *yaml, trm_error *err) {
  config_entries file = {.file = yaml, .only = "arch"};
  run_config c;
  const trm_status st = apply_arch(&c, &file, yaml, err);
  *m = c.model;
  config_entries_free(&file);
  run_config_free(&c);
  return st;
}

/* Prints the map headers that `name` needs and `before` has not opened; returns the depth. */
static int open_maps(const char *name, const char *before, FILE *f) {
  int depth = 0;
  for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.'), depth++) {
    size_t n = (size_t)(dot - name + 1);
    if (strncmp(name, before, n) == 0) continue;
    const char *part = dot;
    while (part > name && part[-1] != '.') part--;
    fprintf(f, "%*s%.*s:\n", 2 * depth, "", (int)(dot - part), part);
  }
  return depth;
}

static void print_keys(const run_config *c, bool reference, FILE *f) {
  const char *before = "";
  for (const config_key *k = config_keys; k->name; k++) {
    if (reference && k->ours) continue;
    int depth = open_maps(k->name, before, f);
    const char *dot = strrchr(k->name, '.');
    fprintf(f, "%*s%s: ", 2 * depth, "", dot ? dot + 1 : k->name);
    if (reference && !strcmp(k->name, "arch.name"))
      fputs(trm_arch_class_name(c->model.arch), f);
    else
      k->type->print(k, (const char *)c + k->offset, f);
    fputc('\n', f);
    before = k->name;
  }
}

void run_config_print(const run_config *c, FILE *f) {
  print_keys(c, false, f);
}

void run_config_print_reference(const run_config *c, FILE *f) {
  print_keys(c, true, f);
}

trm_status config_print_keys(FILE *f, trm_error *err) {
  run_config c;
  trm_status st = set_defaults(&c, err);
  fprintf(f, "Keys of a run, with their defaults (* ours, not the reference's):\n");
  for (const config_key *k = config_keys; k->name && st == TRM_OK; k++) {
    fprintf(f, "%c %-27s %-9s ", k->ours ? '*' : ' ', k->name, k->type->name);
    k->type->print(k, field_of(&c, k), f);
    fprintf(f, "\n      %s", k->help);
    for (int i = 0; k->choice && k->choice(i); i++)
      fprintf(f, "%s%s", i ? ", " : ": ", k->choice(i));
    fputc('\n', f);
  }
  run_config_free(&c);
  return st;
}

void config_print_presets(FILE *f) {
  for (const config_preset *p = config_presets; p->name; p++) {
    fprintf(f, "%s: %s\n   ", p->name, p->about);
    for (const char *const *s = p->settings; *s; s++) fprintf(f, " %s", *s);
    fputc('\n', f);
  }
}
