/* Sweeps: settings with several values, in the part of Hydra's notation that lists of values need,
 * and the names of the runs that come of them. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/text.h"
#include "run/run_config.h"
#include "trm/runs.h"

enum { MOST_RUNS = 1000000, MOST_VALUES = 10000 };

/* One setting: what stands before its values ("++seed="), and these. */
typedef struct axis {
  char *before;
  trm__texts values;
  bool named; /* its values are part of the runs' names: there are several */
} axis;

struct trm_sweep {
  axis *axes;
  int n, runs;
  const char *run_name; /* that the settings give; NULL: none */
  trm__texts settings;  /* of the run that was asked for last */
  char name[512];
};

void trm_sweep_free(trm_sweep *sweep) {
  if (!sweep) return;
  for (int i = 0; i < sweep->n; i++) {
    trm__free(sweep->axes[i].before);
    trm__texts_free(&sweep->axes[i].values);
  }
  trm__texts_free(&sweep->settings);
  trm__free(sweep->axes);
  trm__free(sweep);
}

int trm_sweep_count(const trm_sweep *sweep) {
  return sweep->runs;
}

/* ---- reading ---- */

static const char *skip_spaces(const char *s) {
  return s + strspn(s, " \t");
}

static trm_status add_value(axis *a, const char *text, size_t n, const char *setting,
                            trm_error *err) {
  while (n && strchr(" \t", text[n - 1])) n--;
  for (; n && strchr(" \t", *text); text++) n--;
  if (!n) TRM_FAIL(err, TRM_E_CONFIG, "'%.200s': a value is missing beside a comma", setting);
  for (int i = 0; i < a->values.n; i++)
    if (strlen(a->values.v[i]) == n && !memcmp(a->values.v[i], text, n))
      TRM_FAIL(err, TRM_E_CONFIG, "'%.200s': %.*s is there twice, and would be one run", setting,
               n < 100 ? (int)n : 100, text);
  if (a->values.n == MOST_VALUES)
    TRM_FAIL(err, TRM_E_CONFIG, "'%.200s': want at most %d values", setting, MOST_VALUES);
  return trm__texts_add(&a->values, text, n, err);
}

/* Values with commas between them, up to `end`: what is in brackets and quotes belongs together. */
static trm_status add_list(axis *a, const char *s, const char *end, const char *setting,
                           trm_error *err) {
  const char *begin = s;
  int depth = 0;
  char quote = 0;
  for (; s < end; s++) {
    if (quote)
      quote = *s == quote ? 0 : quote;
    else if (*s == '\'' || *s == '"')
      quote = *s;
    else if (strchr("([{", *s))
      depth++;
    else if (strchr(")]}", *s))
      depth--;
    if (*s != ',' || quote || depth > 0) continue;
    TRM_TRY(add_value(a, begin, (size_t)(s - begin), setting, err));
    begin = s + 1;
  }
  if (quote || depth)
    TRM_FAIL(err, TRM_E_CONFIG, "'%.200s': a quote or bracket does not match", setting);
  return add_value(a, begin, (size_t)(end - begin), setting, err);
}

static trm_status fail_range(const char *setting, trm_error *err) {
  TRM_FAIL(err, TRM_E_CONFIG,
           "'%.200s': want range(STOP), range(START,STOP) or range(START,STOP,STEP) with numbers "
           "that lead from START to before STOP",
           setting);
}

/* range(start, stop, step) as Hydra and Python have it: without its stop. */
static trm_status add_range(axis *a, const char *s, const char *end, const char *setting,
                            trm_error *err) {
  /* Up to three numbers. */
  axis numbers = {0};
  double v[3] = {0, 0, 1};
  bool whole = true;
  trm_status st = add_list(&numbers, s, end, setting, NULL); /* 3,3 is no range either */
  bool good = st == TRM_OK && numbers.values.n <= 3;
  for (int i = 0; good && i < numbers.values.n; i++) {
    const char *text = numbers.values.v[i];
    good = trm__number_double(text, numbers.values.n == 1 ? &v[1] : &v[i]);
    whole = whole && !text[strcspn(text, ".eE")];
  }
  trm__texts_free(&numbers.values);
  if (st == TRM_E_MEMORY) TRM_FAIL(err, st, "no memory for a sweep");

  /* Rounding must not add the stop itself: 0, 0.1 ... 1. */
  const double count = v[2] != 0 ? ceil((v[1] - v[0]) / v[2] - 1e-9) : 0;
  if (!good || !(count >= 1 && count <= MOST_VALUES)) return fail_range(setting, err);
  for (int i = 0; i < (int)count; i++) {
    char text[TRM__NUMBER_SIZE];
    const double value = v[0] + i * v[2];
    trm__number_format(whole ? "%.0f" : "%.12g", value, text);
    TRM_TRY(add_value(a, text, strlen(text), setting, err));
  }
  return TRM_OK;
}

/* A call of one of Hydra's functions, "choice(...)": its arguments; NULL: it is none. */
static const char *call_of(const char *value, const char *name, const char **end) {
  const size_t n = strlen(name), all = strlen(value);
  *end = value + all;
  while (*end > value && strchr(" \t", (*end)[-1])) --*end;
  if (strncmp(value, name, n) != 0 || value[n] != '(' || (*end)[-1] != ')') return NULL;
  --*end;
  return value + n + 1;
}

static trm_status add_values(axis *a, const char *value, const char *setting, trm_error *err) {
  static const char *const others[] = {"glob", "interval", "shuffle", "sort", "tag"};
  const char *end, *arguments;
  if ((arguments = call_of(value, "choice", &end)))
    return add_list(a, arguments, end, setting, err);
  if ((arguments = call_of(value, "range", &end)))
    return add_range(a, arguments, end, setting, err);
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    if (call_of(value, others[i], &end))
      TRM_FAIL(err, TRM_E_CONFIG,
               "'%.200s': of Hydra's functions trm has choice(a,b) and range(start,stop,step); "
               "write the values, with commas between them",
               setting);
  return add_list(a, value, value + strlen(value), setting, err);
}

static trm_status read_setting(trm_sweep *sweep, const char *setting, trm_error *err) {
  axis *a = &sweep->axes[sweep->n++];
  const char *equals = strchr(setting, '='), *key = setting + strspn(setting, "+");

  /* What stands before the values, and these. */
  if (!equals) /* not a setting: who loads the configuration says so */
    return trm__texts_add(&a->values, setting, strlen(setting), err);
  a->before = trm__text_copy(setting, (size_t)(equals + 1 - setting));
  if (!a->before) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a sweep");
  const char *value = skip_spaces(equals + 1);
  if (*value)
    TRM_TRY(add_values(a, value, setting, err));
  else
    TRM_TRY(trm__texts_add(&a->values, "", 0, err));

  /* What has a meaning for the folders of the runs. */
  const size_t n = (size_t)(equals - key);
  a->named = a->values.n > 1;
  if (n == strlen("checkpoint_path") && !strncmp(key, "checkpoint_path", n))
    TRM_FAIL(err, TRM_E_CONFIG,
             "checkpoint_path is the folder of one run; those of a sweep are named "
             "OUT/PROJECT_NAME/RUN_NAME: want out=, project_name= and run_name=");
  if (n == strlen("run_name") && !strncmp(key, "run_name", n) && !a->named)
    sweep->run_name = a->values.v[0];
  return TRM_OK;
}

static trm_status read_all(trm_sweep *sweep, const char *const *settings, int n, trm_error *err) {
  TRM_ALLOC(&sweep->axes, n + 1, "a sweep", err);
  int64_t runs = 1;
  for (int i = 0; i < n; i++) {
    TRM_TRY(read_setting(sweep, settings[i], err));
    runs *= sweep->axes[i].values.n;
    if (runs > MOST_RUNS)
      TRM_FAIL(err, TRM_E_CONFIG, "these settings make more than %d runs", MOST_RUNS);
  }
  sweep->runs = (int)runs;
  return TRM_OK;
}

trm_status trm_sweep_create(const char *const *settings, int n, trm_sweep **out, trm_error *err) {
  trm_sweep *sweep;
  *out = NULL;
  TRM_ALLOC(&sweep, 1, "a sweep", err);
  const trm_status st = read_all(sweep, settings, n, err);
  if (st == TRM_OK)
    *out = sweep;
  else
    trm_sweep_free(sweep);
  return st;
}

/* ---- one run ---- */

/* The value of axis k in run i: the last axis changes with every run. */
static const char *value_of(const trm_sweep *sweep, int i, int k) {
  for (int j = sweep->n - 1; j > k; j--) i /= sweep->axes[j].values.n;
  return sweep->axes[k].values.v[i % sweep->axes[k].values.n];
}

/* "arch.L_cycles" of "+arch.L_cycles=". */
static void key_of(const axis *a, char *key, size_t size) {
  const char *begin = a->before + strspn(a->before, "+");
  (void)snprintf(key, size, "%.*s", (int)strcspn(begin, "="), begin);
}

static const char *last_part(const char *key) {
  const char *dot = strrchr(key, '.');
  return dot ? dot + 1 : key;
}

/* The last part of a key, unless another of the names has the same. */
static void short_key(const trm_sweep *sweep, int k, char *key, size_t size) {
  char other[256];
  key_of(&sweep->axes[k], key, size);
  for (int j = 0; j < sweep->n; j++) {
    if (j == k || !sweep->axes[j].named) continue;
    key_of(&sweep->axes[j], other, sizeof other);
    if (!strcmp(last_part(other), last_part(key))) return;
  }
  memmove(key, last_part(key), strlen(last_part(key)) + 1);
}

/* A value as a part of a name: letters, digits and few signs; *changed where it had others. */
static void print_value(const char *value, trm__sink *s, bool *changed) {
  static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.+-:@";
  for (; *value; value++) {
    const bool kept = strchr(plain, *value) != NULL;
    *changed = *changed || !kept;
    trm__sink_put(s, "%c", kept ? *value : '-');
  }
}

trm_status trm_sweep_name(trm_sweep *sweep, int i, const char **name, trm_error *err) {
  enum { LONGEST = 160 };
  trm__sink s = {sweep->name, sizeof sweep->name, 0};
  uint64_t hash = TRM__HASH_START;
  bool changed = false, first = true;
  (void)err;

  /* The name that was given, then the keys that have several values with this run's. */
  sweep->name[0] = 0;
  if (sweep->run_name) {
    print_value(sweep->run_name, &s, &(bool){false});
    first = false;
  }
  for (int k = 0; k < sweep->n; k++) {
    char key[256];
    const axis *a = &sweep->axes[k];
    if (!a->named) continue;
    const char *value = value_of(sweep, i, k);
    short_key(sweep, k, key, sizeof key);
    const bool is_name = !strcmp(key, "run_name");
    trm__sink_put(&s, "%s%s%s", first ? "" : "_", is_name ? "" : key, is_name ? "" : "=");
    print_value(value, &s, &changed);
    hash = trm__hash_bytes(hash, value, strlen(value) + 1);
    first = false;
  }

  /* Two values that only look the same, or a name that was cut, are told apart by their hash. */
  if (s.n > LONGEST) changed = true;
  if (changed)
    (void)snprintf(sweep->name + (s.n < LONGEST ? s.n : LONGEST), 16, "~%08" PRIx32,
                   (uint32_t)(hash >> 32));
  if (!sweep->name[0]) (void)snprintf(sweep->name, sizeof sweep->name, "run");
  *name = sweep->name;
  return TRM_OK;
}

static trm_status add_setting(trm__texts *list, const char *before, const char *value,
                              trm_error *err) {
  trm__sink s = {0};
  trm__sink_put(&s, "%s%s", before, value);
  char *text = trm__alloc((uint64_t)s.n + 1, 1);
  if (!text) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a sweep");
  trm__sink_put(&(trm__sink){text, s.n + 1, 0}, "%s%s", before, value);
  const trm_status st = trm__texts_add(list, text, s.n, err);
  trm__free(text);
  return st;
}

trm_status trm_sweep_settings(trm_sweep *sweep, int i, const char *const **settings, int *n,
                              trm_error *err) {
  const char *name;
  trm__texts_free(&sweep->settings);
  sweep->settings = (trm__texts){0};
  for (int k = 0; k < sweep->n; k++)
    TRM_TRY(add_setting(&sweep->settings, sweep->axes[k].before ? sweep->axes[k].before : "",
                        value_of(sweep, i, k), err));
  TRM_TRY(trm_sweep_name(sweep, i, &name, err));
  TRM_TRY(add_setting(&sweep->settings, "run_name=", name, err));
  *settings = (const char *const *)sweep->settings.v;
  *n = sweep->settings.n;
  return TRM_OK;
}
