/* trm runs: what is known of training runs, and how they compare. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands/runs_curves.h"
#include "cli/files.h"
#include "cli/json_print.h"
#include "cli/run/find_model.h"
#include "cli/text_table.h"

static const cli_manual manual = {
    "trm runs [FOLDER ...] [options]",
    "Lists the training runs in folders (default: runs), at any depth: the settings in which\n"
    "they differ, seed, updates, time of training, the best and the last exact accuracy, and\n"
    "whether a run is new, running, stopped (it can go on), diverged or done. Runs that differ\n"
    "in nothing but their seed are a group, of which mean and standard deviation are shown below;\n"
    "--by KEY,KEY makes groups of its own. Runs that diverged are counted, and are in no mean.\n"
    "Folders that cannot be read are told and passed over. docs/TRAINING.md explains all of it.\n",
    "Examples:\n"
    "  trm runs\n"
    "  trm runs runs/Sudoku6-trm --format markdown\n"
    "  trm runs sweep --by arch.L_cycles,lr --csv > sweep.csv\n"
    "  trm runs sweep --curves curves.svg --x time --y exact\n"};

typedef struct runs_args {
  const char *by, *format, *curves, *x, *y;
  bool csv;
} runs_args;

enum { MOST_KEYS = 64, VALUE = 160 };

/* All that is shown. */
typedef struct listing {
  trm_runs *runs;
  const char *keys[MOST_KEYS]; /* by which runs are grouped: --by, or those that differ */
  int n_keys, groups;
  int *group;    /* [runs] */
  size_t prefix; /* bytes of the folders that all have in common */
  char *by;      /* the copy that keys point into */
  char **labels; /* [groups] */
} listing;

static void free_listing(listing *l) {
  for (int g = 0; l->labels && g < l->groups; g++) free(l->labels[g]);
  free(l->labels);
  free(l->group);
  free(l->by);
  trm_runs_free(l->runs);
}

static const trm_run_summary *summary_of(const listing *l, int i) {
  return trm_run_record_summary(trm_runs_at(l->runs, i));
}

static void value_of(const listing *l, int i, const char *key, char value[VALUE]) {
  value[0] = 0;
  (void)trm_run_config_get(trm_run_record_config(trm_runs_at(l->runs, i)), key, value, VALUE, NULL);
}

/* ---- groups ---- */

static trm_status choose_keys(listing *l, const char *by, trm_error *err) {
  const char *key;
  if (!by) {
    while (l->n_keys < MOST_KEYS && (key = trm_runs_key(l->runs, l->n_keys)))
      l->keys[l->n_keys++] = key;
    return TRM_OK;
  }
  l->by = strdup(by);
  if (!l->by) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for the keys of --by");
  for (char *at = l->by, *word; (word = strsep(&at, ", ")) && l->n_keys < MOST_KEYS;)
    if (*word) l->keys[l->n_keys++] = word;
  return TRM_OK;
}

static int first_of(const listing *l, int g) {
  int i = 0;
  while (l->group[i] != g) i++;
  return i;
}

static int size_of(const listing *l, int g) {
  int n = 0;
  for (int i = 0; i < trm_runs_count(l->runs); i++) n += l->group[i] == g;
  return n;
}

static bool has_groups(const listing *l) {
  for (int g = 0; g < l->groups; g++)
    if (size_of(l, g) > 1) return true;
  return false;
}

/* "L_cycles=3, lr=1e-3"; the name of the only run where no key says more. */
static char *label_of(const listing *l, int g) {
  char *text = NULL, value[VALUE];
  size_t size;
  FILE *f = open_memstream(&text, &size);
  for (int k = 0; f && k < l->n_keys; k++) {
    const char *dot = strrchr(l->keys[k], '.');
    value_of(l, first_of(l, g), l->keys[k], value);
    fprintf(f, "%s%s=%s", k ? ", " : "", dot ? dot + 1 : l->keys[k], value);
  }
  if (f && !l->n_keys && size_of(l, g) == 1)
    fputs(trm_run_record_folder(trm_runs_at(l->runs, first_of(l, g))) + l->prefix, f);
  if (cli_memory_close(f, &text)) return text;
  free(text);
  return NULL;
}

static trm_status make_groups(listing *l, const char *by, trm_error *err) {
  const size_t n = (size_t)trm_runs_count(l->runs);
  CLI_TRY(choose_keys(l, by, err));
  l->group = calloc(n + 1, sizeof *l->group);
  if (!l->group) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for groups of runs");
  CLI_TRY(trm_runs_group(l->runs, l->keys, l->n_keys, l->group, &l->groups, err));
  l->labels = calloc((size_t)l->groups + 1, sizeof *l->labels);
  for (int g = 0; l->labels && g < l->groups; g++)
    if (!(l->labels[g] = label_of(l, g)))
      return cli_fail(err, TRM_E_MEMORY, -1, "no memory for groups of runs");
  return l->labels ? TRM_OK : cli_fail(err, TRM_E_MEMORY, -1, "no memory for groups of runs");
}

/* What all paths begin with, up to a slash. */
static size_t common_prefix(const trm_runs *runs) {
  const char *first = trm_run_record_folder(trm_runs_at(runs, 0));
  const char *slash = strrchr(first, '/');
  size_t n = slash ? (size_t)(slash + 1 - first) : 0;
  for (int i = 1; i < trm_runs_count(runs); i++) {
    const char *path = trm_run_record_folder(trm_runs_at(runs, i));
    while (n && strncmp(path, first, n) != 0) {
      n--;
      while (n && first[n - 1] != '/') n--;
    }
  }
  return n;
}

/* ---- the table of runs ---- */

static void put_share(table *t, double share) {
  if (share < 0)
    table_text(t, NULL);
  else
    table_number(t, share, "%.2f %%", 100 * share);
}

static void put_count(table *t, int64_t n) {
  char text[32];
  cli_format_count(n, text, sizeof text);
  table_number(t, (double)n, "%s", text);
}

/* 0: it is not known. */
static void put_known(table *t, int64_t n) {
  if (n)
    put_count(t, n);
  else
    table_text(t, NULL);
}

/* A column for people, and one for programs. */
static void put_seconds(table *t, double seconds) {
  char text[32];
  cli_format_duration(seconds, text, sizeof text);
  table_text(t, text);
  table_number(t, seconds, "%g", seconds);
}

/* A setting: a number where it is one. */
static void put_value(table *t, const char *value) {
  double number;
  if (trm__number_double(value, &number))
    table_number(t, number, "%s", value);
  else
    table_text(t, value);
}

/* "done"; "stopped at 120 of 781"; "diverged at 13". */
static void put_stage(table *t, const trm_run_summary *s) {
  char text[96];
  const char *name = trm_run_stage_name(s->stage);
  snprintf(text, sizeof text, "%s", name);
  if (s->stage == TRM_RUN_DIVERGED)
    snprintf(text, sizeof text, "%s at %lld", name, (long long)s->diverged_at);
  else if (s->end && (s->stage == TRM_RUN_STOPPED || s->stage == TRM_RUN_RUNNING))
    snprintf(text, sizeof text, "%s at %lld of %lld", name, (long long)s->updates,
             (long long)s->end);
  table_text(t, text);
}

/* What programs get beside: of the newest start. */
static const char *const members[] = {"version", "commit", "host", "device", "date", "command"};
enum { MEMBERS = sizeof members / sizeof *members };

static void put_run(const listing *l, int i, table *t) {
  const trm_run_record *r = trm_runs_at(l->runs, i);
  const trm_run_summary *s = trm_run_record_summary(r);
  const char *key;
  char value[VALUE], seed[32], text[4096];

  /* What it is, and what came of it. */
  table_text(t, trm_run_record_folder(r) + l->prefix);
  table_text(t, trm_run_record_folder(r));
  for (int k = 0; (key = trm_runs_key(l->runs, k)); k++) {
    value_of(l, i, key, value);
    put_value(t, value);
  }
  snprintf(seed, sizeof seed, "%llu", (unsigned long long)s->seed);
  table_number(t, s->seed < 1ull << 53 ? (double)s->seed : NAN, "%s", seed);
  put_count(t, s->updates);
  put_seconds(t, s->seconds);
  put_share(t, s->best_exact);
  put_share(t, s->last_exact);
  put_stage(t, s);

  /* For programs. */
  table_text(t, trm_run_stage_name(s->stage));
  put_known(t, s->diverged_at);
  put_known(t, s->end);
  put_known(t, s->best_update);
  put_known(t, s->examples);
  for (int k = 0; k < MEMBERS; k++) {
    trm_run_record_text(r, members[k], text, sizeof text);
    table_text(t, *text ? text : NULL);
  }
}

static void make_runs(const listing *l, table *t) {
  const char *key;
  table_column(t, "run", TABLE_PEOPLE);
  table_column(t, "folder", TABLE_PROGRAMS);
  for (int k = 0; (key = trm_runs_key(l->runs, k)); k++) table_column(t, key, TABLE_ALL);
  table_column(t, "seed", TABLE_ALL);
  table_column(t, "updates", TABLE_ALL);
  table_column(t, "time", TABLE_PEOPLE);
  table_column(t, "seconds", TABLE_PROGRAMS);
  table_column(t, "best", TABLE_ALL);
  table_column(t, "last", TABLE_ALL);
  table_column(t, "state", TABLE_PEOPLE);
  table_column(t, "state", TABLE_PROGRAMS);
  table_column(t, "diverged_at", TABLE_PROGRAMS);
  table_column(t, "end", TABLE_PROGRAMS);
  table_column(t, "best_update", TABLE_PROGRAMS);
  table_column(t, "examples", TABLE_PROGRAMS);
  for (int k = 0; k < MEMBERS; k++) table_column(t, members[k], TABLE_PROGRAMS);
  for (int i = 0; i < trm_runs_count(l->runs); i++) put_run(l, i, t);
}

/* ---- the table of groups ---- */

/* A mean of shares with its deviation: one cell for people, two for programs. */
static void put_spread(table *t, trm_spread s) {
  if (!s.n) {
    for (int i = 0; i < 3; i++) table_text(t, NULL);
    return;
  }
  char text[64];
  if (s.n > 1)
    snprintf(text, sizeof text, "%.2f ± %.2f %%", 100 * s.mean, 100 * s.deviation);
  else
    snprintf(text, sizeof text, "%.2f %%", 100 * s.mean);
  table_text(t, text);
  table_number(t, s.mean, "%g", s.mean);
  if (s.n > 1)
    table_number(t, s.deviation, "%g", s.deviation);
  else
    table_text(t, NULL);
}

/* Figures of the runs of a group that did not diverge; best, last, updates and seconds are columns
 * of `values`, of a room of n each. */
enum { BEST, LAST, UPDATES, SECONDS, FIGURES };

static void put_group(const listing *l, int g, double *values, table *t) {
  char value[VALUE];
  const int n = trm_runs_count(l->runs);
  int diverged = 0, runs = 0;

  /* The figures of its runs. */
  for (int i = 0; i < n; i++) {
    const trm_run_summary *s = summary_of(l, i);
    const bool mine = l->group[i] == g, counts = mine && s->stage != TRM_RUN_DIVERGED;
    runs += mine;
    diverged += mine && !counts;
    values[BEST * n + i] = counts && s->best_exact >= 0 ? s->best_exact : NAN;
    values[LAST * n + i] = counts && s->last_exact >= 0 ? s->last_exact : NAN;
    values[UPDATES * n + i] = counts ? (double)s->updates : NAN;
    values[SECONDS * n + i] = counts ? s->seconds : NAN;
  }

  /* The settings of the group, and what came of them. */
  for (int k = 0; k < l->n_keys; k++) {
    value_of(l, first_of(l, g), l->keys[k], value);
    put_value(t, value);
  }
  put_count(t, runs);
  put_count(t, (int64_t)llround(trm_spread_of(values + UPDATES * n, n).mean));
  put_seconds(t, trm_spread_of(values + SECONDS * n, n).mean);
  put_spread(t, trm_spread_of(values + BEST * n, n));
  put_spread(t, trm_spread_of(values + LAST * n, n));
  put_count(t, diverged);
}

static trm_status make_group_table(const listing *l, table *t, trm_error *err) {
  const size_t n = (size_t)trm_runs_count(l->runs);
  double *values = calloc(FIGURES * n + 1, sizeof *values);
  if (!values) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for groups of runs");
  for (int k = 0; k < l->n_keys; k++) table_column(t, l->keys[k], TABLE_ALL);
  table_column(t, "runs", TABLE_ALL);
  table_column(t, "updates", TABLE_ALL);
  table_column(t, "time", TABLE_PEOPLE);
  table_column(t, "seconds", TABLE_PROGRAMS);
  table_column(t, "best", TABLE_PEOPLE);
  table_column(t, "best_mean", TABLE_PROGRAMS);
  table_column(t, "best_deviation", TABLE_PROGRAMS);
  table_column(t, "last", TABLE_PEOPLE);
  table_column(t, "last_mean", TABLE_PROGRAMS);
  table_column(t, "last_deviation", TABLE_PROGRAMS);
  table_column(t, "diverged", TABLE_ALL);
  for (int g = 0; g < l->groups; g++) put_group(l, g, values, t);
  free(values);
  return TRM_OK;
}

/* ---- the command ---- */

static trm_status print_json(const table *runs, const table *groups, trm_error *err) {
  trm__json_out o = trm__json_begin(TRM__JSON_INDENTED);
  if (runs->failed || groups->failed)
    return cli_fail(err, TRM_E_MEMORY, -1, "no memory for a table");
  trm__json_open(&o, NULL, '{');
  table_put_json(runs, "runs", &o);
  table_put_json(groups, "groups", &o);
  trm__json_close(&o);
  return cli_print_json(&o, stdout, err);
}

/* Runs, and below them their groups, unless groups were asked for by --by. */
static trm_status print_tables(const listing *l, bool by, table_format format, trm_error *err) {
  table runs = {0}, groups = {0};
  const bool with_runs = !by, with_groups = by || (has_groups(l) && format != TABLE_CSV);
  char room[CLI_CLEAN];
  make_runs(l, &runs);
  trm_status st = make_group_table(l, &groups, err);
  if (st == TRM_OK && format == TABLE_JSON) {
    st = print_json(&runs, &groups, err);
  } else if (st == TRM_OK) {
    if (with_runs && format == TABLE_PLAIN && l->prefix)
      printf("in %.*s\n", (int)l->prefix,
             cli_clean(room, sizeof room, trm_run_record_folder(trm_runs_at(l->runs, 0))));
    if (with_runs) st = table_print(&runs, format, stdout, err);
    if (st == TRM_OK && with_runs && with_groups) printf("\n");
    if (st == TRM_OK && with_groups) st = table_print(&groups, format, stdout, err);
  }
  table_free(&runs);
  table_free(&groups);
  return st;
}

static trm_status compare(listing *l, const runs_args *a, table_format format,
                          const runs_axes *axes, const char *const *folders, int n,
                          trm_error *err) {
  char room[CLI_CLEAN];
  CLI_TRY(trm_runs_find(folders, n, &cli_listener, &l->runs, err));
  if (!trm_runs_count(l->runs))
    return cli_fail(err, TRM_E_IO, -1, "%.300s: no training runs are in it",
                    cli_clean(room, sizeof room, folders[0]));
  l->prefix = common_prefix(l->runs);
  CLI_TRY(make_groups(l, a->by, err));
  CLI_TRY(print_tables(l, a->by != NULL, format, err));
  return a->curves ? runs_curves_draw(l->runs, l->group, l->groups, (const char *const *)l->labels,
                                      axes, a->curves, err)
                   : TRM_OK;
}

int cmd_runs(int argc, char **argv) {
  static const char *const standard[] = {"runs"};
  runs_args a = {0};
  const cli_option options[] = {
      {"by", CLI_NAMES, &a.by, "KEYS", "groups of runs with the same values of these keys"},
      {"format", CLI_STRING, &a.format, "FORM", "table (default), markdown, csv or json"},
      {"csv", CLI_FLAG, &a.csv, NULL, "as --format csv"},
      {"curves", CLI_OUTPUT, &a.curves, "FILE.svg", "draw learning curves, one for each group"},
      {"x", CLI_STRING, &a.x, "AXIS", "updates (default), time or samples"},
      {"y", CLI_STRING, &a.y, "FIGURE",
       "exact (default), accuracy, test_loss, loss, train_exact, train_accuracy, steps, or a key "
       "of the log"},
      {NULL, CLI_FLAG, NULL, NULL, NULL}};
  int code;
  table_format format;
  runs_axes axes;
  listing l = {0};
  trm_error err = {0};
  if (!cli_options_parse(&manual, options, &argc, argv, &code)) return code;
  if (a.csv && a.format) return cli_usage_error("--csv is --format csv: want one of them");
  if (!table_parse_format(a.csv ? "csv" : a.format ? a.format : "table", &format)) return CLI_USAGE;
  if (!runs_axes_parse(a.x ? a.x : "updates", a.y ? a.y : "exact", &axes)) return CLI_USAGE;
  if ((a.x || a.y) && !a.curves)
    return cli_usage_error("--%s is of a picture: name one with --curves", a.x ? "x" : "y");
  const trm_status st = compare(&l, &a, format, &axes, argc ? (const char *const *)argv : standard,
                                argc ? argc : 1, &err);
  free_listing(&l);
  return cli_finish(st == TRM_OK ? CLI_OK : cli_report_error(&err));
}
