/* The model that a checkpoint's configuration describes: that of the reference, or of a fork, whose
 * own keys matter only where they change an answer. */
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "base/text.h"
#include "run/run_config.h"
#include "run/tell.h"

/* ---- keys of forks ---- */

/* What a key may be without changing an answer. */
typedef enum freedom { ANY, OFF /* null, false or 0 */ } freedom;

static const struct {
  const char *key;
  freedom may_be;
} idle_keys[] = {
    /* noise of the training */
    {"arch.puzzle_emb_dropout", ANY},
    {"arch.grid_token_dropout", ANY},
    {"arch.grid_noise_prob", ANY},
    {"arch.grid_noise_fraction", ANY},
    {"arch.attention_dropout", ANY},
    {"arch.mlp_dropout", ANY},
    /* adapters: nothing without a rank */
    {"arch.lora_rank", OFF},
    {"arch.lora_alpha", ANY},
    {"arch.lora_dropout", ANY},
    {"arch.lora_train_base", ANY},
    {"arch.lora_train_bias", ANY},
    /* halting of the training, in answers only with act_inference */
    {"arch.act_inference", OFF},
    {"arch.disable_act_halt", ANY},
    {"arch.halt_threshold", ANY},
    {"arch.halt_confirm_steps", ANY},
    {"arch.halt_confirm_mode", ANY},
    /* a board for two-dimensional positions, which are no pos_encodings that are known */
    {"arch.board_height", ANY},
    {"arch.board_width", ANY},
    /* what a class is given beside its configuration */
    {"arch.short_name", ANY},
    {"arch.batch_size", ANY},
    {"arch.causal", OFF},
};

/* Classes of the field whose computation is another one. */
static const struct {
  const char *ending, *what;
} others[] = {
    {"@URM", "the Universal Reasoning Model, whose layers have convolutions"},
    {"@EqRModel", "an Equilibrium Reasoner, whose updates are damped and start at random"}};

static bool is_off(const trm__value *v) {
  double d;
  if (v->is_list) return false;
  return !v->text[0] || !strcmp(v->text, "null") || !strcmp(v->text, "~") ||
         !strcmp(v->text, "false") || !strcmp(v->text, "False") ||
         (trm__number_double(v->text, &d) && d == 0);
}

/* A loss head is for the training; of its keys only the kind of loss is shown in evaluations. */
static bool is_of_loss_head(const char *key) {
  static const char head[] = "arch.loss.";
  return !strncmp(key, head, strlen(head)) && strcmp(key, "arch.loss.loss_type") != 0;
}

/* A key of a fork that changes no answer as it is set; one that does is refused by name. */
static trm_status look_idle(const trm__entries *file, const trm__entry *x, bool *idle,
                            trm_error *err) {
  *idle = is_of_loss_head(x->key);
  for (size_t i = 0; i < sizeof idle_keys / sizeof *idle_keys; i++) {
    if (strcmp(x->key, idle_keys[i].key) != 0) continue;
    *idle = true;
    if (idle_keys[i].may_be == OFF && !is_off(&x->value))
      return trm__fail(err, TRM_E_CONFIG, x->line,
                       "%s:%d:%d: %s = %.60s changes the answers, and trm does not compute it: it "
                       "is a key of a fork, and read only where it is off",
                       file->file, x->line, x->column, x->key,
                       x->value.is_list ? "a list" : x->value.text);
  }
  return TRM_OK;
}

/* Sizes that are learned from the tensors, or the data, where they are not told. */
static trm_status take_size(trm_model_config *m, const trm__entry *x, bool *taken) {
  const trm_field *f;
  *taken = false;
  for (int i = 0; (f = trm_model_config_field(i)); i++) {
    if (!(f->use & TRM__DATA) || strcmp(x->key, f->key) != 0) continue;
    *taken = true;
    return trm__field_set(f, m, &x->value);
  }
  return TRM_OK;
}

/* Another number of steps for evaluations; null: the same. */
static trm_status take_eval_steps(const trm__entry *x, int *steps, bool *taken) {
  int64_t n;
  *taken = !strcmp(x->key, "arch.halt_max_steps_eval");
  if (!*taken || is_off(&x->value)) return TRM_OK;
  if (x->value.is_list || !trm__number_int64(x->value.text, &n) || n < 1 || n > TRM_EVAL_MAX_STEPS)
    return TRM_E_CONFIG;
  *steps = (int)n;
  return TRM_OK;
}

enum { SAID = 800 }; /* room for a list in a message, which is cut there */

/* What the entries say beside the keys of a run, and what is to be told of them. */
typedef struct extras {
  trm_model_config sizes;
  int eval_steps; /* 0: as halt_max_steps */
  char passed_over[SAID], assumed[SAID];
} extras;

/* One more item of a list in a message. */
static void say(char list[SAID], const char *item, const char *value) {
  const size_t used = strlen(list);
  (void)snprintf(list + used, SAID - used, "%s%s%s%s", used ? ", " : "", item, value ? "=" : "",
                 value ? value : "");
}

static trm_status fail_entry(const trm__entries *file, const trm__entry *x, trm_error *err) {
  return trm__fail(err, TRM_E_CONFIG, x->line, "%s:%d:%d: %s: want a whole number, got '%s'",
                   file->file, x->line, x->column, x->key,
                   x->value.is_list ? "a list" : x->value.text);
}

/* Takes out of the entries what is no key of a run. */
static trm_status sort_out(trm__entries *file, extras *e, trm_error *err) {
  int n = 0;
  for (int i = 0; i < file->n; i++) {
    trm__entry *x = &file->v[i];
    bool size, steps, idle;
    if (take_size(&e->sizes, x, &size) != TRM_OK ||
        take_eval_steps(x, &e->eval_steps, &steps) != TRM_OK)
      return fail_entry(file, x, err);
    TRM_TRY(look_idle(file, x, &idle, err));

    /* Keys of a run close up; the others were taken, or change nothing. */
    if (!size && !steps && !idle) {
      if (n != i) file->v[n] = *x, *x = (trm__entry){0};
      n++;
      continue;
    }
    if (idle && strcmp(x->key, "arch.loss.name") != 0) say(e->passed_over, x->key, NULL);
    trm__value_free(&x->value);
    trm__free(x->key);
    *x = (trm__entry){0};
  }
  file->n = n;
  return TRM_OK;
}

/* ---- what must be there ---- */

/* A key of the model that the file lacks, though such a model has it. */
static bool is_missing(const trm__run_key *k, const trm_model_config *m, const trm__entries *file) {
  if (k->table != TRM__MODEL_KEYS || trm__entries_have(file, k->field->key)) return false;
  if (m->mlp_t && !strcmp(k->field->name, "num_heads")) return false;
  return trm_arch_names_field(m->arch, k->field->name);
}

static trm_status check_needed(const trm__run_config *c, const trm__entries *file, trm_error *err) {
  for (trm__run_key k = {0}; trm__run_next_key(&k);)
    if (k.field->use & TRM__NEEDED && is_missing(&k, &c->model, file))
      return trm__fail(
          err, TRM_E_CONFIG, -1,
          "%s: no %s, which no tensor shows and the reference has no default for: take "
          "the file that was published with the checkpoint",
          file->file, k.field->key);
  return TRM_OK;
}

static void list_assumed(const trm__run_config *c, const trm__entries *file, char list[SAID]) {
  for (trm__run_key k = {0}; trm__run_next_key(&k);) {
    char value[80] = "";
    trm__sink s = {value, sizeof value, 0};
    if (!(k.field->use & TRM__TOLD) || !is_missing(&k, &c->model, file)) continue;
    trm__field_print(k.field, &c->model, &s);
    say(list, k.field->key, value);
  }
}

/* ---- the model ---- */

static const char *arch_of(const trm__entries *file) {
  const char *name = NULL;
  for (int i = 0; i < file->n; i++)
    if ((!strcmp(file->v[i].key, "arch") || !strcmp(file->v[i].key, "arch.name")) &&
        !file->v[i].value.is_list)
      name = file->v[i].value.text;
  return name;
}

static trm_status check_arch(const trm__entries *file, trm_error *err) {
  const char *name = arch_of(file);
  if (!name)
    return trm__fail(err, TRM_E_CONFIG, -1, "%s: no arch.name: not the configuration of a run",
                     file->file);
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    if (trm__text_ends_in(name, others[i].ending))
      return trm__fail(err, TRM_E_CONFIG, -1,
                       "%s: arch.name '%.80s' is %s: none of the models that trm computes",
                       file->file, name, others[i].what);
  return TRM_OK;
}

/* Sizes that the file does not name are unknown. */
static void forget_sizes(trm_model_config *m, const trm__entries *file) {
  const trm_field *f;
  for (int i = 0; (f = trm_model_config_field(i)); i++)
    if (f->use & TRM__SHOWN && !trm__entries_have(file, f->key)) trm__field_set_number(f, m, 0);
  if (m->puzzle_emb_ndim == TRM__AS_HIDDEN_SIZE) m->puzzle_emb_ndim = m->hidden_size;
}

static trm_status apply_model(trm__run_config *c, trm__entries *file, extras *e, trm_error *err) {
  trm_model_config *m = &c->model;
  TRM_TRY(trm__run_config_default(c, err));
  TRM_TRY(trm__run_config_apply(c, file, err));
  TRM_TRY(check_needed(c, file, err));
  if (m->mlp_t && !trm__entries_have(file, "arch.num_heads")) m->num_heads = 1;
  list_assumed(c, file, e->assumed);
  forget_sizes(m, file);
  m->vocab_size = e->sizes.vocab_size;
  m->seq_len = e->sizes.seq_len;
  m->num_puzzle_identifiers = e->sizes.num_puzzle_identifiers;
  if (e->eval_steps) m->halt_max_steps = e->eval_steps;
  return TRM_OK;
}

/* The entries of arch, or of a file that has nothing else. */
static trm_status read_entries(trm__entries *file, trm_error *err) {
  file->only = "arch";
  TRM_TRY(trm__entries_add_yaml(file, file->file, err));
  if (file->n) return TRM_OK;
  file->only = NULL;
  file->within = "arch";
  return trm__entries_add_yaml(file, file->file, err);
}

static trm_status load_model(trm__run_config *c, trm__entries *file, extras *e, trm_error *err) {
  TRM_TRY(read_entries(file, err));
  TRM_TRY(check_arch(file, err));
  TRM_TRY(sort_out(file, e, err));
  return apply_model(c, file, e, err);
}

static void tell(const trm__entries *file, const extras *e, const trm_run_listener *to) {
  if (*e->passed_over)
    trm__note(to, "%s: passed over, for it changes no answer: %s", file->file, e->passed_over);
  if (e->eval_steps)
    trm__note(to, "%s: halt_max_steps_eval: %d steps are taken", file->file, e->eval_steps);
  if (*e->assumed)
    trm__note(to, "%s does not say all: %s is assumed, as by the reference", file->file,
              e->assumed);
}

trm_status trm__run_config_load_model(trm_model_config *m, const char *yaml,
                                      const trm_run_listener *to, trm_error *err) {
  trm__entries file = {.file = yaml};
  trm__run_config c = {0};
  extras e = {0};
  const trm_status st = load_model(&c, &file, &e, err);
  if (st == TRM_OK) tell(&file, &e, to);
  *m = c.model;
  trm__entries_free(&file);
  trm__run_config_free(&c);
  return st;
}
