/* See report.h. */
#include "cli/reproduce/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/files.h"
#include "cli/pictures/chart_svg.h"

/* --- figures --- */

static int sign_of(double v) {
  return (v > 0) - (v < 0);
}

repro_verdict repro_judge(const repro_table *t, const repro_row *row, const repro_difference *d) {
  const repro_row *base = repro_base_of(t, row);
  int paper = row->against;
  if (row->paper >= 0 && base->paper >= 0) paper = sign_of(row->paper - base->paper);
  if (row == base || paper == REPRO_UNSAID || !d->seeds) return REPRO_OPEN;

  /* "No help" is no more than none. */
  const int ours = sign_of(d->value);
  if (ours == paper || (paper == REPRO_SAME && ours < 0)) return REPRO_AGREES;
  const bool sure = ours > 0 ? d->interval.low > 0 : d->interval.high < 0;
  return sure ? REPRO_CONTRADICTS : REPRO_DIFFERS;
}

/* Figures of a row by itself. */
static void fill_alone(const repro_report *r, const repro_results *results, repro_line *l) {
  char name[REPRO_NAME];
  double shares[REPRO_MOST_SEEDS], seconds = 0;
  int timed = 0;
  repro_row_name(l->row, name);
  l->seeds = l->diverged = 0;
  l->right = l->n = 0;

  /* What there is, seed by seed. */
  for (int seed = 0; seed < r->seeds; seed++) {
    const repro_result *one = repro_results_find(results, name, seed);
    if (!one) continue;
    if (one->seconds >= 0) seconds += one->seconds, timed++;
    if (one->diverged) {
      if (!l->diverged++) l->diverged_at = one->diverged;
      continue;
    }
    shares[l->seeds++] = (double)one->right / (double)one->n;
    l->right += one->right;
    l->n += one->n;
  }

  /* All of it together. */
  const trm_spread spread = trm_spread_of(shares, l->seeds);
  l->mean = spread.mean;
  l->deviation = spread.deviation;
  const int sets =
      r->scale == REPRO_PAPER && l->seeds ? l->seeds : 1; /* the same puzzles for all */
  l->interval = trm_wilson((double)l->right / sets, (double)l->n / sets);
  l->seconds = timed ? seconds / timed : -1;
}

/* And beside its base, over the seeds that both have. */
static void fill_beside(const repro_report *r, const repro_results *results, repro_line *l) {
  char name[REPRO_NAME], base[REPRO_NAME];
  repro_pair pairs[REPRO_MOST_SEEDS];
  int n = 0;
  const repro_row *other = repro_base_of(r->table, l->row);
  repro_row_name(l->row, name);
  repro_row_name(other, base);
  for (int seed = 0; seed < r->seeds && l->row != other; seed++) {
    const repro_result *a = repro_results_find(results, name, seed);
    const repro_result *b = repro_results_find(results, base, seed);
    if (!a || !b || a->diverged || b->diverged || a->n != b->n) continue;
    pairs[n++] = repro_pair_of(a->bits, b->bits, a->n);
  }
  l->difference = repro_difference_of(pairs, n, r->scale == REPRO_PAPER);
  l->verdict = repro_judge(r->table, l->row, &l->difference);
}

void repro_report_fill(repro_report *r, const repro_results *results) {
  for (int i = 0; i < r->table->n; i++) {
    r->lines[i].row = &r->table->rows[i];
    fill_alone(r, results, &r->lines[i]);
    fill_beside(r, results, &r->lines[i]);
  }
}

int repro_report_missing(const repro_report *r) {
  int missing = 0;
  for (int i = 0; i < r->table->n; i++) {
    const repro_line *l = &r->lines[i];
    if (l->wanted && !l->cost.unable[0]) missing += r->seeds - l->seeds - l->diverged;
  }
  return missing;
}

/* --- Markdown --- */

static void put_paper(const repro_row *row, FILE *f) {
  if (row->paper >= 0)
    fprintf(f, "| %.1f ", row->paper);
  else
    fprintf(f, "| %s ", row->said);
}

static void put_ours(const repro_line *l, FILE *f) {
  if (l->cost.unable[0])
    fprintf(f, "| cannot be run | ");
  else if (!l->seeds && l->diverged)
    fprintf(f, "| diverged at update %lld | ", (long long)l->diverged_at);
  else if (!l->seeds)
    fprintf(f, "| | ");
  else if (l->seeds == 1)
    fprintf(f, "| %.1f (1) | %.1f to %.1f ", 100 * l->mean, 100 * l->interval.low,
            100 * l->interval.high);
  else
    fprintf(f, "| %.1f ± %.1f (%d) | %.1f to %.1f ", 100 * l->mean, 100 * l->deviation, l->seeds,
            100 * l->interval.low, 100 * l->interval.high);
}

static void put_difference(const repro_table *t, const repro_line *l, FILE *f) {
  static const char *const verdicts[] = {[REPRO_OPEN] = "",
                                         [REPRO_AGREES] = "",
                                         [REPRO_DIFFERS] = " ≠",
                                         [REPRO_CONTRADICTS] = " **≠**"};
  const repro_row *base = repro_base_of(t, l->row);
  const repro_difference *d = &l->difference;
  if (l->row == base)
    fprintf(f, "| base ");
  else if (!d->seeds)
    fprintf(f, "| ");
  else
    fprintf(f, "| %+.1f (%+.1f to %+.1f)%s ", 100 * d->value, 100 * d->interval.low,
            100 * d->interval.high, verdicts[l->verdict]);
  if (l->row != base && l->row->paper >= 0 && base->paper >= 0)
    fprintf(f, "| %+.1f ", l->row->paper - base->paper);
  else
    fprintf(f, "| ");
}

static void put_cost(const repro_line *l, FILE *f) {
  char parameters[32], seconds[32] = "";
  if (l->cost.unable[0]) {
    fprintf(f, "| | | | |\n");
    return;
  }
  cli_format_count(l->cost.model.n_params, parameters, sizeof parameters);
  if (l->seconds >= 0) cli_format_duration(l->seconds, seconds, sizeof seconds);
  fprintf(f, "| %s | %d | %.4g | %s |\n", parameters, l->cost.model.depth,
          l->cost.model.flops_train * 1e-6, seconds);
}

/* Test puzzles of a seed: those that were answered, else those that the task should have. */
static int64_t tests_of(const repro_report *r, int base) {
  for (int i = 0; i < r->table->n; i++)
    if (r->lines[i].row->where == r->table->rows[base].where && r->lines[i].seeds)
      return r->lines[i].n / r->lines[i].seeds;
  return r->lines[base].cost.tests;
}

/* What the figures are of. */
static void put_head(const repro_report *r, FILE *f) {
  const repro_table *t = r->table;
  bool shown[REPRO_TASKS] = {false};
  fprintf(f, "# %s: %s\n\n", t->title, t->about);
  fprintf(f, "`trm reproduce %s --scale %s --seeds %d%s%s`, trm %s.\n", t->name,
          repro_scale_name(r->scale), r->seeds, r->settings[0] ? " " : "", r->settings,
          trm_version());
  for (int i = 0; i < t->n; i++) {
    const repro_where where = t->rows[i].where;
    const repro_task *task = repro_task_of(r->scale, where);
    if (shown[where] || !t->rows[i].base) continue;
    shown[where] = true;
    const int64_t updates = r->lines[i].cost.updates, tests = tests_of(r, i);
    fprintf(f, "%s: %lld update%s, %lld test puzzle%s a seed.\n", task->about, (long long)updates,
            TRM__S(updates), (long long)tests, TRM__S(tests));
  }
}

static void put_notes(const repro_report *r, FILE *f) {
  const int missing = repro_report_missing(r);
  fprintf(f,
          "\nPercent exactly right: mean ± standard deviation (seeds), Wilson interval of the "
          "puzzles of all\nseeds together, difference to the base of the task in points; all "
          "intervals are of 95 %%.\n≠: the sign of the difference is not the paper's; **≠**: and "
          "zero is not within the interval.\n");
  for (int i = 0; i < r->table->n; i++) {
    const repro_line *l = &r->lines[i];
    if (l->cost.unable[0]) fprintf(f, "\n%s cannot be run: %s.\n", l->row->label, l->cost.unable);
    if (l->diverged)
      fprintf(f, "\n%s diverged with %d of %d seed%s, first at update %lld.\n", l->row->label,
              l->diverged, l->diverged + l->seeds, TRM__S(l->diverged + l->seeds),
              (long long)l->diverged_at);
  }
  if (missing)
    fprintf(f, "\n%d run%s missing: the same command goes on.\n", missing,
            missing == 1 ? " is" : "s are");
}

void repro_report_markdown(const repro_report *r, FILE *f) {
  put_head(r, f);
  fprintf(f,
          "\n| | paper | ours | 95 %% | difference | paper's | parameters | depth | MFLOP per row "
          "and update | time |\n|---|---|---|---|---|---|---|---|---|---|\n");
  for (int i = 0; i < r->table->n; i++) {
    const repro_line *l = &r->lines[i];
    fprintf(f, "| %s ", l->row->label);
    put_paper(l->row, f);
    put_ours(l, f);
    put_difference(r->table, l, f);
    put_cost(l, f);
  }
  put_notes(r, f);
}

/* --- files --- */

static trm_status save_markdown(const repro_report *r, const char *path, trm_error *err) {
  char *text = NULL;
  size_t size = 0;
  FILE *f = open_memstream(&text, &size);
  if (f) repro_report_markdown(r, f);
  const trm_status st = cli_memory_close(f, &text)
                            ? trm__writer_save(NULL, path, text, size, err)
                            : cli_fail(err, TRM_E_MEMORY, -1, "%s: no memory for a table", path);
  free(text);
  return st;
}

/* What stands where a row has no figure of ours. */
static const char *without_figure(const repro_line *l) {
  return l->cost.unable[0] ? "cannot be run" : l->diverged ? "diverged" : "not run yet";
}

/* Ours with its whiskers above the paper's. */
static trm_status save_picture(const repro_report *r, const char *path, trm_error *err) {
  static const char *const kinds[] = {"ours", "the paper"};
  enum { OURS, PAPER, KINDS };
  const size_t n = (size_t)r->table->n;
  double *all = malloc(3 * KINDS * n * sizeof *all);
  const char **labels = malloc((1 + KINDS) * n * sizeof *labels), **notes = labels + n;
  trm_status st = TRM_OK;
  if (!all || !labels) st = cli_fail(err, TRM_E_MEMORY, -1, "%s: no memory for a picture", path);

  /* Bars of both kinds for every row. */
  double *value = all, *low = all + KINDS * n, *high = low + KINDS * n;
  for (size_t i = 0; st == TRM_OK && i < n; i++) {
    const repro_line *l = &r->lines[i];
    const size_t ours = i * KINDS + OURS, paper = i * KINDS + PAPER;
    labels[i] = l->row->label;
    value[ours] = l->seeds ? 100 * l->mean : NAN;
    low[ours] = l->seeds ? 100 * l->interval.low : NAN;
    high[ours] = l->seeds ? 100 * l->interval.high : NAN;
    value[paper] = l->row->paper >= 0 ? l->row->paper : NAN;
    notes[ours] = without_figure(l);
    notes[paper] = l->row->said;
    low[paper] = high[paper] = NAN;
  }

  /* One axis for both: percent exactly right. */
  const chart_axis axis = {.label = "exactly right, %", .low = 0, .high = 100};
  const chart_bars bars = {.rows = r->table->n,
                           .kinds = KINDS,
                           .row_labels = labels,
                           .kind_labels = kinds,
                           .value = value,
                           .low = low,
                           .high = high,
                           .notes = notes};
  if (st == TRM_OK) st = chart_svg_bars(path, r->table->title, &axis, &bars, err);
  free(all);
  free(labels);
  return st;
}

trm_status repro_report_save(const repro_report *r, const char *folder, trm_error *err) {
  char path[TRM__PATH_MAX];
  CLI_TRY(trm__path_format(path, err, "%s/%s.md", folder, r->table->name));
  CLI_TRY(save_markdown(r, path, err));
  CLI_TRY(trm__path_format(path, err, "%s/%s.svg", folder, r->table->name));
  return save_picture(r, path, err);
}
