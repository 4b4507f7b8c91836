/* See import_choice.h. A model is known by its embed_tokens.embedding_weight: whatever stands
 * before that name, in whatever dictionary, stands before all of its names. */
#include "nn/import_choice.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

enum { MAX_MODELS = 16, MAX_ABOUT = 400 };

static const char mark[] = "embed_tokens.embedding_weight";

/* A model in the file. */
typedef struct model {
  const char *where, *prefix; /* prefix: the first n_prefix bytes */
  size_t n_prefix;
  bool average;
} model;

/* Modules that only wrap another one, wherever they stand in a name. */
static bool is_wrapper(const char *part, size_t n) {
  static const char *const wrappers[] = {"_orig_mod", "module", "_forward_module",
                                         "_checkpoint_wrapped_module", "_fsdp_wrapped_module"};
  for (size_t i = 0; i < sizeof wrappers / sizeof *wrappers; i++)
    if (strlen(wrappers[i]) == n && !memcmp(part, wrappers[i], n)) return true;
  return false;
}

/* Copies a name without the wrappers in it; returns the byte behind the copy. */
static char *unwrap(const char *name, char *out) {
  for (const char *part = name; part;) {
    const char *dot = strchr(part, '.');
    const size_t n = dot ? (size_t)(dot - part) : strlen(part);
    if (!dot || !is_wrapper(part, n)) {
      memcpy(out, part, n);
      out += n;
      if (dot) *out++ = '.';
    }
    part = dot ? dot + 1 : NULL;
  }
  *out++ = 0;
  return out;
}

/* A word of a name says that these weights are an average: "ema", "ema_model", "shadow". */
static bool has_word(const char *text, size_t n, const char *word) {
  const size_t length = strlen(word);
  for (size_t i = 0; i + length <= n; i++)
    if (!memcmp(text + i, word, length) && (i == 0 || !isalnum((unsigned char)text[i - 1])) &&
        (i + length == n || !isalnum((unsigned char)text[i + length])))
      return true;
  return false;
}

static bool is_average(const char *text, size_t n) {
  return has_word(text, n, "ema") || has_word(text, n, "shadow") || has_word(text, n, "swa");
}

/* --- finding --- */

static bool is_of(const model *m, const char *where, const char *name) {
  return !strcmp(m->where, where) && !strncmp(name, m->prefix, m->n_prefix);
}

/* The number of bytes before the mark that a name ends in; false when it does not. */
static bool ends_in_mark(const char *name, size_t *before) {
  const size_t n = strlen(name), m = strlen(mark);
  *before = n - m;
  return n >= m && !strcmp(name + n - m, mark) && (n == m || name[n - m - 1] == '.');
}

static int find_models(const trm__tensor_set *set, const char *const *names, model *models) {
  int n = 0;
  for (int i = 0; i < trm__tensor_set_count(set) && n < MAX_MODELS; i++) {
    model m = {.where = trm__tensor_set_at(set, i)->where, .prefix = names[i]};
    if (!ends_in_mark(names[i], &m.n_prefix)) continue;
    m.average = is_average(m.where, strlen(m.where)) || is_average(m.prefix, m.n_prefix);
    models[n++] = m;
  }
  return n;
}

/* The first average, else the first; *second: the first beside an average that is none, or -1. */
static int choose_model(const model *models, int n, int *second) {
  int chosen = 0;
  while (chosen < n && !models[chosen].average) chosen++;
  if (chosen == n) chosen = 0;
  *second = -1;
  for (int i = n - 1; i >= 0 && models[chosen].average; i--)
    if (!models[i].average) *second = i;
  return chosen;
}

/* The model that a tensor belongs to: that of the longest prefix; -1: none. */
static int owner_of(const model *models, int n, const char *where, const char *name) {
  int owner = -1;
  for (int i = 0; i < n; i++)
    if (is_of(&models[i], where, name) &&
        (owner < 0 || models[i].n_prefix > models[owner].n_prefix))
      owner = i;
  return owner;
}

/* "ema.shadow", or "model." in it: how a user would find it. */
static void print_model(const model *m, char *text, size_t room) {
  if (*m->where && m->n_prefix)
    snprintf(text, room, "\"%.60s\" (%.*s…)", m->where, m->n_prefix < 60 ? (int)m->n_prefix : 60,
             m->prefix);
  else if (*m->where)
    snprintf(text, room, "\"%.60s\"", m->where);
  else
    snprintf(text, room, "%.*s…", m->n_prefix < 60 ? (int)m->n_prefix : 60, m->prefix);
}

static void describe(const model *models, int n, int chosen, int second, char *about) {
  char taken[150], other[150];
  if (n < 2) return;
  print_model(&models[chosen], taken, sizeof taken);
  print_model(&models[second >= 0 ? second : chosen == 0], other, sizeof other);
  snprintf(about, MAX_ABOUT, "it has weights %d times: %s%s, and not %s", n, taken,
           models[chosen].average ? ", the average, is taken" : " is taken", other);
}

/* --- the choice --- */

static trm_status fail_no_model(const trm__tensor_set *set, const char *path, trm_error *err) {
  const int n = trm__tensor_set_count(set);
  const char *rest = trm__tensor_set_rest(set);
  TRM_FAIL(err, TRM_E_FORMAT,
           "%s: no tensor %s among its %d (the first is \"%.60s\")%s%.160s: not a checkpoint of a "
           "Tiny Recursive Model",
           path, mark, n, n ? trm__tensor_set_at(set, 0)->name : "", *rest ? "; it holds " : "",
           rest);
}

/* Appends the tensors of a model, or with owner -1 the strays in the dictionary `where`. */
static int add_tensors(const trm__tensor_set *set, const char *const *names, const model *models,
                       int n_models, int owner, const char *where, trm__named_tensor *out) {
  int n = 0;
  for (int i = 0; i < trm__tensor_set_count(set); i++) {
    const trm__torch_tensor *t = trm__tensor_set_at(set, i);
    if (strcmp(t->where, where) || owner_of(models, n_models, where, names[i]) != owner) continue;
    const size_t skip = owner < 0 ? 0 : models[owner].n_prefix;
    out[n++] = (trm__named_tensor){names[i] + skip, t, i};
  }
  return n;
}

static trm_status choose(const trm__tensor_set *set, const char *path, const char *const *names,
                         trm__import_choice *c, trm_error *err) {
  model models[MAX_MODELS];
  int second;
  const int n = find_models(set, names, models);
  if (n == 0) return fail_no_model(set, path, err);
  const int chosen = choose_model(models, n, &second);
  const char *where = models[chosen].where;
  c->n = add_tensors(set, names, models, n, chosen, where, c->tensors);
  if (second >= 0)
    c->n_second =
        add_tensors(set, names, models, n, second, models[second].where, c->tensors + c->n);
  c->n_strays = add_tensors(set, names, models, n, -1, where, c->tensors + c->n + c->n_second);
  describe(models, n, chosen, second, c->about);
  return TRM_OK;
}

trm_status trm__import_choose(const trm__tensor_set *set, const char *path, trm__import_choice *out,
                              trm_error *err) {
  const int n = trm__tensor_set_count(set);
  const char **names = NULL;
  size_t room = 1;
  trm_status st;
  *out = (trm__import_choice){0};

  /* Memory for the worst: every name as long as in the file, every tensor chosen. */
  for (int i = 0; i < n; i++) room += strlen(trm__tensor_set_at(set, i)->name) + 1;
  names = trm__alloc((uint64_t)n, sizeof *names);
  out->names = trm__alloc(room, 1);
  out->tensors = trm__alloc((uint64_t)n, sizeof *out->tensors);
  out->about = trm__alloc(MAX_ABOUT, 1);
  if (!names || !out->names || !out->tensors || !out->about)
    TRM_GOTO(trm__fail(err, TRM_E_MEMORY, -1, "%s: no memory for the names of its tensors", path));

  /* Names without what compilers and wrappers of models put before them. */
  char *next = out->names;
  for (int i = 0; i < n; i++) {
    names[i] = next;
    next = unwrap(trm__tensor_set_at(set, i)->name, next);
  }
  st = choose(set, path, names, out, err);
done:
  trm__free(names);
  if (st != TRM_OK) trm__import_choice_free(out);
  return st;
}

void trm__import_choice_free(trm__import_choice *c) {
  trm__free(c->tensors);
  trm__free(c->names);
  trm__free(c->about);
  *c = (trm__import_choice){0};
}

const trm__named_tensor *trm__import_find(const trm__import_choice *c, const char *name,
                                          bool second) {
  for (int i = 0; i < c->n + (second ? c->n_second : 0); i++)
    if (!strcmp(c->tensors[i].name, name)) return &c->tensors[i];
  return NULL;
}

bool trm__import_is_idle(const char *name) {
  static const char *const idle[] = {"local_weights", "local_ids",  "inv_freq", "cos_cached",
                                     "sin_cached",    "n_averaged", "initted",  "step"};
  const char *dot = strrchr(name, '.');
  for (size_t i = 0; i < sizeof idle / sizeof *idle; i++)
    if (!strcmp(dot ? dot + 1 : name, idle[i])) return true;
  return false;
}
