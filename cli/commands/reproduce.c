/* trm reproduce: the rows of one of the paper's tables, trained, measured and compared. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/folder.h"
#include "cli/reproduce/report.h"
#include "cli/reproduce/runner.h"
#include "cli/run/ranks.h"
#include "io/json.h"

static const cli_manual manual = {
    "trm reproduce TABLE [options] [key=value ...]",
    "Trains every row of a table of the paper with several seeds, and writes what came of it\n"
    "beside the paper's figures into a folder: results.jsonl (a line a run), TABLE.md and\n"
    "TABLE.svg. TABLE is table1, table2, table3, table4 or failed (the ideas that failed).\n"
    "At the scale `laptop` a row is a training of minutes on puzzles that are generated, at\n"
    "`paper` it is the paper's, on its data and with its sizes; costs are printed first.\n"
    "Seed 0 of all rows comes first, so that there is a whole table early; more seeds\n"
    "tighten it. Called again with the same words it goes on where it was stopped or killed.\n"
    "A row that diverges is a result; one that this machine cannot train says why. Tables may\n"
    "share a folder, and then the runs that they have in common; other settings may not.\n"
    "key=value are settings of `trm train` for all rows, as max_updates=100.\n",
    "Examples:\n"
    "  trm reproduce table1 --dry-run\n"
    "  trm reproduce table1 --time 3h\n"
    "  trm reproduce table3 --seeds 1 --rows trm,trm-n12-t6\n"
    "  trm reproduce table1 --scale paper --device cuda:0 --output runs/paper\n"};

typedef struct reproduce_args {
  const char *scale, *rows, *time, *output, *threads, *device;
  int seeds;
  bool dry_run;
} reproduce_args;

typedef struct job {
  const reproduce_args *args;
  const repro_table *table;
  repro_bench bench;
  repro_results results;
  repro_report report;
  bool wanted[REPRO_MAX_ROWS]; /* at least one */
  double deadline;             /* on the clock of cli_now; infinite: none */
  double rate;                 /* FLOP per second; 0: not measured */
  trm__dir folder;             /* locked while it is open */
  char *settings;              /* the user's, as a text */
  const char *place[2];
  char *command; /* the line as it was typed */
  char device[64], threads[64], output[64];
} job;

/* --- words of the command line --- */

/* "3h", "1h30min", "90min", "45s": units from large to small, none twice. */
static bool parse_time(const char *text, double *seconds) {
  static const struct {
    const char *name;
    double seconds;
  } units[] = {{"h", 3600}, {"min", 60}, {"m", 60}, {"s", 1}};
  enum { N_UNITS = sizeof units / sizeof *units };
  size_t next = 0;
  *seconds = 0;
  while (*text) {
    char *end;
    const double value = strspn(text, "0123456789.") ? strtod(text, &end) : -1;
    size_t u = next;
    if (value < 0) return false;
    while (u < N_UNITS && strncmp(end, units[u].name, strlen(units[u].name)) != 0) u++;
    if (u == N_UNITS) return false;
    *seconds += value * units[u].seconds;
    text = end + strlen(units[u].name);
    next = u + 1;
  }
  return *seconds > 0;
}

static const repro_table *find_table(const char *name) {
  trm__nearest near = {.word = name};
  const repro_table *t = repro_table_find(name);
  if (t) return t;
  for (int i = 0; repro_table_at(i); i++) trm__nearest_offer(&near, repro_table_at(i)->name);
  cli_usage_error("unknown table '%s'; %s%s", name, near.best ? "did you mean " : "there are ",
                  near.best ? near.best : "table1, table2, table3, table4 and failed");
  return NULL;
}

/* A row is called by its variant, or with its task before it. */
static bool choose_row(job *j, const char *word) {
  trm__nearest near = {.word = word};
  bool found = false;
  for (int i = 0; i < j->table->n; i++) {
    char name[REPRO_NAME];
    repro_row_name(&j->table->rows[i], name);
    const bool is = !strcmp(word, name) || !strcmp(word, j->table->rows[i].variant);
    trm__nearest_offer(&near, j->table->rows[i].variant);
    j->wanted[i] |= is;
    found |= is;
  }
  if (!found)
    cli_usage_error("--rows: %s has no row '%s'%s%s; `trm reproduce %s --dry-run` lists them",
                    j->table->name, word, near.best ? "; did you mean " : "",
                    near.best ? near.best : "", j->table->name);
  return found;
}

static bool choose_rows(job *j) {
  char word[REPRO_NAME];
  const char *list = j->args->rows;
  for (int i = 0; i < j->table->n; i++) j->wanted[i] = !list;
  while (list) {
    const size_t n = strcspn(list, ",");
    snprintf(word, sizeof word, "%.*s", (int)(n < sizeof word ? n : sizeof word - 1), list);
    if (!choose_row(j, word)) return false;
    list = list[n] ? list + n + 1 : NULL;
  }
  return true;
}

static bool choose_scale(job *j) {
  const char *word = j->args->scale;
  for (int s = 0; s < REPRO_SCALES; s++)
    if (!strcmp(word, repro_scale_name((repro_scale)s))) {
      j->bench.scale = (repro_scale)s;
      return true;
    }
  cli_usage_error("--scale: want laptop or paper, got '%s'", word);
  return false;
}

/* What the command itself says of its runs. */
static bool check_settings(const char *const *settings, int n) {
  static const struct {
    const char *key, *use;
  } taken[] = {{"seed", "--seeds"},
               {"device", "--device"},
               {"threads", "--threads"},
               {"out", "--output"},
               {"run_name", "--output"},
               {"project_name", "--output"},
               {"data_paths", "--sudoku or --maze"},
               {"preset", "--scale"},
               {"arch", "--rows: which architecture it has, a row says itself"},
               {"arch.name", "--rows: which architecture it has, a row says itself"},
               {"data_paths_test", "--scale"},
               {"checkpoint_path", "--output"}};
  if (n > REPRO_MAX_SETTINGS / 2) {
    cli_usage_error("more than %d settings", REPRO_MAX_SETTINGS / 2);
    return false;
  }
  for (int i = 0; i < n; i++) {
    const char *key = settings[i] + strspn(settings[i], "+");
    const size_t length = strcspn(key, "=");
    if (!key[length]) {
      cli_usage_error("unexpected argument '%s': want key=value", settings[i]);
      return false;
    }
    for (size_t k = 0; k < sizeof taken / sizeof *taken; k++)
      if (length == strlen(taken[k].key) && !strncmp(key, taken[k].key, length)) {
        cli_usage_error("%s: use %s", taken[k].key, taken[k].use);
        return false;
      }
  }
  return true;
}

static bool read_words(job *j, int argc, char **argv) {
  const reproduce_args *a = j->args;
  double seconds = INFINITY;
  if (argc < 1) {
    cli_usage_error("want table1, table2, table3, table4 or failed; see trm reproduce --help");
    return false;
  }
  j->table = find_table(argv[0]);
  j->bench.user = (const char *const *)argv + 1;
  j->bench.n_user = argc - 1;
  if (!j->table || !choose_scale(j) || !choose_rows(j)) return false;
  if (!check_settings(j->bench.user, j->bench.n_user)) return false;
  if (a->seeds > REPRO_MOST_SEEDS) {
    cli_usage_error("--seeds: want 1 to %d, got %d", REPRO_MOST_SEEDS, a->seeds);
    return false;
  }
  if (j->bench.scale == REPRO_LAPTOP &&
      (j->bench.data[REPRO_SUDOKU] || j->bench.data[REPRO_MAZE])) {
    cli_usage_error("--sudoku and --maze are for --scale paper: a laptop's data are generated");
    return false;
  }
  if (a->time && !parse_time(a->time, &seconds)) {
    cli_usage_error("--time: want a time as 3h, 1h30min or 45s, got '%s'", a->time);
    return false;
  }

  /* Where it runs changes no setting of the folder. */
  int n = 0;
  j->deadline = cli_now() + seconds;
  snprintf(j->output, sizeof j->output, "reproduce/%s", a->scale);
  snprintf(j->device, sizeof j->device, "device=%s", a->device ? a->device : "auto");
  snprintf(j->threads, sizeof j->threads, "threads=%s", a->threads ? a->threads : "0");
  if (a->device) j->place[n++] = j->device;
  if (a->threads) j->place[n++] = j->threads;
  j->bench.place = j->place;
  j->bench.n_place = n;
  j->bench.folder = a->output ? a->output : j->output;
  return true;
}

/* --- the plan --- */

static double flops_of(const repro_cost *c) {
  return c->train + c->eval;
}

/* Of the first wanted row. */
static const char *why_not(const job *j) {
  int i = 0;
  while (!j->wanted[i]) i++;
  return j->report.lines[i].cost.unable;
}

/* Costs of all wanted rows; what takes a while to know is measured on the first that can run. */
static trm_status plan(job *j, trm_error *err) {
  const char *all[REPRO_MAX_SETTINGS];
  repro_report *r = &j->report;
  int n = 0;
  for (int i = 0; i < j->bench.n_user; i++) all[n++] = j->bench.user[i];
  for (int i = 0; i < j->bench.n_place; i++) all[n++] = j->place[i];
  *r = (repro_report){.table = j->table, .scale = j->bench.scale, .seeds = j->args->seeds};
  r->settings = j->settings;
  r->lines = calloc((size_t)j->table->n, sizeof *r->lines);
  if (!r->lines) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for a table");
  int first = -1;
  for (int i = 0; i < j->table->n; i++) {
    r->lines[i].row = &j->table->rows[i];
    r->lines[i].wanted = j->wanted[i];
    r->lines[i].cost = repro_cost_of(&j->table->rows[i], j->bench.scale, all, n);
    if (first < 0 && j->wanted[i] && !r->lines[i].cost.unable[0]) first = i;
  }
  if (first < 0) return cli_fail(err, TRM_E_CONFIG, -1, "no row can be run: %s", why_not(j));
  return repro_rate_of(&j->table->rows[first], j->bench.scale, all, n, &j->rate, err);
}

static void print_task(const job *j, repro_where where) {
  const repro_task *task = repro_task_of(j->bench.scale, where);
  const trm_run_preset *preset = task->preset ? trm_run_preset_find(task->preset) : NULL;
  if (preset)
    printf("%s: data of preset=%s\n  %s --output-dir DIR\n", task->about, preset->name,
           preset->make[0]);
  else
    printf("%s: a set for every seed, as made by\n  %s --seed SEED\n", task->about, task->make);
}

static void print_plan(const job *j) {
  bool shown[REPRO_TASKS] = {false};
  char text[40], memory[40];
  double all = 0;

  /* What is learned ... */
  printf("%s: %s, scale %s\n\n", j->table->title, j->table->about,
         repro_scale_name(j->bench.scale));
  for (int i = 0; i < j->table->n; i++) {
    const repro_where where = j->table->rows[i].where;
    if (!shown[where]) print_task(j, where);
    shown[where] = true;
  }

  /* ... and by which rows; a row's FLOP are those of one seed, evaluation and all. */
  printf("\n%-24s %8s %12s %6s %9s %9s %10s %12s\n", "row", "paper", "parameters", "depth",
         "updates", "TFLOP", "memory", "time");
  for (int i = 0; i < j->table->n; i++) {
    const repro_row *row = &j->table->rows[i];
    const repro_cost *c = &j->report.lines[i].cost;
    char name[REPRO_NAME], count[32], paper[16] = "-";
    if (!j->wanted[i]) continue;
    repro_row_name(row, name);
    if (row->paper >= 0) snprintf(paper, sizeof paper, "%.1f", row->paper);
    if (c->unable[0]) {
      printf("%-24s %8s cannot be run: %s\n", name, paper, c->unable);
      continue;
    }
    all += j->args->seeds * flops_of(c);
    cli_format_count(c->model.n_params, count, sizeof count);
    cli_format_bytes((double)c->bytes, memory, sizeof memory);
    cli_format_duration(flops_of(c) / j->rate, text, sizeof text);
    printf("%-24s %8s %12s %6d %9lld %9.4g %10s %12s\n", name, paper, count, c->model.depth,
           (long long)c->updates, flops_of(c) * 1e-12, memory, text);
  }
  cli_format_duration(all / j->rate, text, sizeof text);
  if (j->rate > 0)
    printf(
        "\n%d seed%s of all: %.4g TFLOP, about %s at the %.4g GFLOP/s of a few updates of the "
        "first\n",
        j->args->seeds, j->args->seeds == 1 ? "" : "s", all * 1e-12, text, j->rate * 1e-9);
}

/* --- the folder --- */

static trm_status write_identity(const job *j, const char *path, trm_error *err) {
  trm__json_out o = trm__json_begin(TRM__JSON_INDENTED);
  trm__json_open(&o, NULL, '{');
  trm__json_put_int(&o, "format", 1);
  trm__json_put_text(&o, "scale", repro_scale_name(j->bench.scale));
  trm__json_put_text(&o, "settings", j->settings);
  trm__json_close(&o);
  return trm__json_save(path, &o, err);
}

/* A folder is of one scale and of the same settings for all rows. */
static trm_status check_identity(const job *j, const char *path, trm_error *err) {
  enum { MOST = 1 << 16 };
  trm__json *o;
  const char *scale, *settings;
  CLI_TRY(trm__json_load(path, MOST, &o, err));
  trm_status st = trm__json_string(o, path, "scale", &scale, err);
  if (st == TRM_OK) st = trm__json_string(o, path, "settings", &settings, err);
  if (st == TRM_OK &&
      (strcmp(scale, repro_scale_name(j->bench.scale)) != 0 || strcmp(settings, j->settings) != 0))
    st = cli_fail(err, TRM_E_CONFIG, -1,
                  "%s: its runs have --scale %.20s and settings '%.200s', not --scale %s and "
                  "'%.200s': tables are not mixed; name another --output",
                  j->bench.folder, scale, settings, repro_scale_name(j->bench.scale), j->settings);
  trm__json_free(o);
  return st;
}

/* Lines of rows that this program would train otherwise. */
static trm_status check_results(const job *j, trm_error *err) {
  for (int i = 0; i < j->table->n; i++) {
    const char *list[REPRO_MAX_SETTINGS];
    const repro_row *row = &j->table->rows[i];
    char name[REPRO_NAME], *text;
    repro_row_name(row, name);
    const int n = repro_row_settings(row, j->bench.scale, j->bench.user, j->bench.n_user, list);
    if (!(text = repro_settings_text(list, n)))
      return cli_fail(err, TRM_E_MEMORY, -1, "no memory for settings");
    trm_status st = TRM_OK;
    for (int k = 0; k < j->results.n && st == TRM_OK; k++)
      if (!strcmp(j->results.v[k].name, name) && strcmp(j->results.v[k].settings, text) != 0)
        st = cli_fail(err, TRM_E_CONFIG, -1,
                      "%s, line %d: %s was trained with other settings than this program's: "
                      "tables are not mixed; name another --output",
                      j->results.path, k + 1, name);
    free(text);
    CLI_TRY(st);
  }
  return TRM_OK;
}

/* What the folder is about, if it says; *known: it does. */
static trm_status look_at_folder(const job *j, char path[TRM__PATH_MAX], bool *known,
                                 trm_error *err) {
  trm__kind kind;
  *known = false;
  CLI_TRY(trm__path_format(path, err, "%s/reproduce.json", j->bench.folder));
  CLI_TRY(trm__path_look(path, &kind, err));
  *known = kind != TRM__ABSENT;
  return *known ? check_identity(j, path, err) : TRM_OK;
}

static trm_status open_folder(job *j, trm_error *err) {
  char path[TRM__PATH_MAX];
  trm__lock lock;
  bool known;
  const char *folder = j->bench.folder;
  CLI_TRY(trm__make_dirs(folder, err));
  CLI_TRY(trm__dir_open(&j->folder, folder, err));
  CLI_TRY(trm__lock_take(j->folder.fd, folder, &lock, err));
  if (lock == TRM__LOCK_BUSY)
    return cli_fail(err, TRM_E_IO, -1, "%s: another trm reproduce is at work there", folder);

  /* What it is about, and what is done. */
  CLI_TRY(look_at_folder(j, path, &known, err));
  if (!known) CLI_TRY(write_identity(j, path, err));
  CLI_TRY(repro_results_load(&j->results, folder, err));
  return check_results(j, err);
}

/* --- the runs --- */

static trm_status report(job *j, trm_error *err) {
  repro_report_fill(&j->report, &j->results);
  return repro_report_save(&j->report, j->bench.folder, err);
}

/* One run, unless it is done or cannot be; *outcome only changes when it ends the table. */
static trm_status run_row(job *j, int i, int seed, int *done, int total, repro_outcome *outcome,
                          trm_error *err) {
  const repro_row *row = &j->table->rows[i];
  char name[REPRO_NAME], label[REPRO_MAX_LABEL], *unable = j->report.lines[i].cost.unable;
  repro_row_name(row, name);

  /* What there is to do. */
  if (!j->wanted[i] || unable[0]) return TRM_OK;
  ++*done;
  if (repro_results_find(&j->results, name, seed)) return TRM_OK;
  snprintf(label, sizeof label, "%d/%d %s seed %d", *done, total, name, seed);

  /* What ends the table, and what only this row. */
  const repro_outcome how = repro_run(&j->bench, row, seed, label, &j->results, err);
  if (how == REPRO_UNABLE) {
    snprintf(unable, REPRO_REASON, "%.*s", REPRO_REASON - 1, err->msg);
    cli_warn("%s cannot be run: %s", name, unable);
    return report(j, err);
  }
  if (how != REPRO_DONE) {
    *outcome = how;
    return err->code;
  }

  /* A result. */
  const repro_result *r = repro_results_find(&j->results, name, seed);
  if (r->diverged)
    cli_note("%s: diverged at update %lld", label, (long long)r->diverged);
  else
    cli_note("%s: %lld of %lld exactly right", label, (long long)r->right, (long long)r->n);
  return report(j, err);
}

/* Seed by seed: a whole table early. *late: the time was up. */
static trm_status run_all(job *j, repro_outcome *outcome, bool *late, trm_error *err) {
  int rows = 0, done = 0;
  for (int i = 0; i < j->table->n; i++) rows += j->wanted[i] && !j->report.lines[i].cost.unable[0];
  for (int seed = 0; seed < j->args->seeds; seed++)
    for (int i = 0; i < j->table->n; i++) {
      if (cli_interrupted()) {
        *outcome = REPRO_STOPPED;
        return cli_fail(err, TRM_E_INTERRUPTED, -1, "interrupted between two runs");
      }
      if (*late || cli_now() >= j->deadline) {
        *late = true;
        return TRM_OK;
      }
      CLI_TRY(run_row(j, i, seed, &done, rows * j->args->seeds, outcome, err));
    }
  return TRM_OK;
}

static int work(job *j) {
  char path[TRM__PATH_MAX];
  bool known;
  trm_error err = {0};
  repro_outcome outcome = REPRO_DONE;
  bool late = false;
  int refused;
  if (ranks_refuse("a table", &refused)) return refused;

  /* A folder of other settings is told before anything is timed; then the costs. */
  trm_status st = TRM_OK;
  if (!(j->settings = repro_settings_text(j->bench.user, j->bench.n_user)))
    st = cli_fail(&err, TRM_E_MEMORY, -1, "no memory for settings");
  if (st == TRM_OK) st = look_at_folder(j, path, &known, &err);
  if (st == TRM_OK) st = plan(j, &err);
  if (st != TRM_OK) return cli_report_error(&err);
  print_plan(j);
  if (j->args->dry_run) return CLI_OK;
  fflush(stdout);

  /* The runs. */
  cli_faults_defer(); /* what was learned before one is saved */
  st = open_folder(j, &err);
  if (st == TRM_OK) st = run_all(j, &outcome, &late, &err);

  /* The table of what there is, also after a stop. */
  const bool stopped = outcome == REPRO_STOPPED;
  if (stopped) cli_note("%s", err.msg);
  if (st != TRM_OK && !stopped) return cli_report_error(&err);
  if (report(j, &err) != TRM_OK) return cli_report_error(&err);
  printf("\n");
  repro_report_markdown(&j->report, stdout);
  const int missing = repro_report_missing(&j->report);
  if (late) cli_note("the time is up; %d run%s missing", missing, missing == 1 ? " is" : "s are");
  cli_note("%s/%s.md, %s.svg and results.jsonl%s", j->bench.folder, j->table->name, j->table->name,
           missing ? "; the same command goes on" : "");
  return stopped ? CLI_INTERRUPTED : CLI_OK;
}

int cmd_reproduce(int argc, char **argv) {
  reproduce_args args = {.scale = "laptop", .seeds = 3};
  job *j = calloc(1, sizeof *j);
  trm_error err = {.code = TRM_E_MEMORY};
  if (!j) return cli_report_error(&err);
  const cli_option options[] = {
      {"scale", CLI_STRING, &args.scale, "NAME", "laptop (default) or paper"},
      {"seeds", CLI_SIZE, &args.seeds, "N", "trainings of each row (default 3)"},
      {"time", CLI_STRING, &args.time, "T", "begin no run after so long: 3h, 1h30min, 45s"},
      {"rows", CLI_NAMES, &args.rows, "LIST", "only these rows, as the plan calls them"},
      {"output", CLI_STRING, &args.output, "DIR", "the folder (default: reproduce/SCALE)"},
      {"device", CLI_STRING, &args.device, "NAME",
       "cpu, cuda:N or auto (default): the first GPU if there is one"},
      {"threads", CLI_STRING, &args.threads, "N", "default: as many as the process may use"},
      {"sudoku", CLI_STRING, &j->bench.data[REPRO_SUDOKU], "DIR",
       "of --scale paper: the Sudokus (default: data/sudoku)"},
      {"maze", CLI_STRING, &j->bench.data[REPRO_MAZE], "DIR",
       "of --scale paper: the mazes (default: data/maze)"},
      {"dry-run", CLI_FLAG, &args.dry_run, NULL, "print the rows and their costs, write nothing"},
      CLI_QUIET_ROW,
      {NULL, CLI_FLAG, NULL, NULL, NULL}};
  int code = CLI_FAILED;
  j->args = &args;
  j->bench.command = j->command = cli_command_line("reproduce", argc, argv);
  if (cli_options_parse_settings(&manual, options, trm_run_config_suggest, &argc, argv, &code))
    code = read_words(j, argc, argv) ? cli_finish(work(j)) : CLI_USAGE;
  repro_results_free(&j->results);
  trm__dir_close(&j->folder);
  free(j->report.lines);
  free(j->settings);
  free(j->command);
  free(j);
  return code;
}
