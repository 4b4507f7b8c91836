/* See eval_scaling.h. */
#include "cli/commands/eval_scaling.h"

#include <stdlib.h>
#include <string.h>

#include "cli/json_print.h"
#include "cli/pictures/chart_svg.h"

enum { BINS = 10, LONGER = 3 /* of one try: 1, 2 and 4 times the steps */, MOST = 24 };

/* A row of the table. */
typedef struct choice {
  trm_thinking think;
  int steps;
  trm_eval_report report;
  double auc;
} choice;

/* Of answers with q in a tenth of 0 to 1. */
typedef struct bin {
  int64_t n, right;
  double q; /* their sum */
} bin;

typedef struct scaling {
  const eval_scaling *s;
  double flops; /* of a step */
  int cells;
  choice *choices;
  int n;
  bin bins[BINS]; /* of the first choice */
  /* Of the examples of one choice that have labels: */
  eval_judged *judged;
  int64_t rows;
} scaling;

/* --- what is evaluated --- */

static void add(scaling *c, const trm_eval_config *how, int tries, int steps, trm_select select) {
  trm_thinking t = how->think;
  /* Fewer tries: fewer views, and where there are none, rollouts. */
  const int rollouts = t.rollouts ? t.rollouts : 1;
  if (tries < trm_thinking_tries(&t)) {
    t.views = tries / rollouts > 1 ? tries / rollouts : 1;
    t.rollouts = tries / t.views;
  }
  if (tries == 1) t = (trm_thinking){.seed = t.seed};
  t.select = select;
  t.bar = select == TRM_SELECT_FIRST ? how->think.bar : 0;
  if (c->n < MOST && steps <= TRM_MAX_STEPS)
    c->choices[c->n++] = (choice){.think = t, .steps = steps};
}

static void list_choices(scaling *c, const trm_model_config *m, const trm_eval_config *how) {
  static const trm_select rules[] = {TRM_SELECT_FIRST, TRM_SELECT_Q, TRM_SELECT_MODE,
                                     TRM_SELECT_VOTE, TRM_SELECT_RESIDUAL};
  const int tries = trm_thinking_tries(&how->think), S = how->steps;
  for (int i = 0; i < LONGER; i++) add(c, how, 1, S << i, TRM_SELECT_Q);
  add(c, how, 1, S << (LONGER - 1), TRM_SELECT_FIRST);
  for (size_t i = 0; i < sizeof rules / sizeof *rules && tries > 1; i++) {
    /* Residuals are of noise or random starts; the cheap rules are those to try with fewer tries,
     * too. */
    if (rules[i] == TRM_SELECT_RESIDUAL && !(how->think.noise > 0) && !(m->start_std > 0)) continue;
    if (tries >= 8 && i < 2) add(c, how, tries / 4, S, rules[i]);
    add(c, how, tries, S, rules[i]);
  }
}

static trm_status keep_row(void *arg, const trm_eval_row *row, trm_error *err) {
  scaling *c = arg;
  int labels = 0, right = 0;
  (void)err;
  for (int i = 0; i < c->cells; i++) {
    labels += row->labels[i] >= 0;
    right += row->labels[i] >= 0 && row->labels[i] == row->answer[i];
  }
  if (!labels) return TRM_OK;
  c->judged[c->rows++] = (eval_judged){row->q_halt, right == labels};
  return TRM_OK;
}

/* --- how well q knows --- */

static int by_q(const void *a, const void *b) {
  const float x = ((const eval_judged *)a)->q, y = ((const eval_judged *)b)->q;
  return (x > y) - (x < y);
}

/* By ranks: equal ones share the mean of theirs. */
double eval_auc(int64_t n, eval_judged *all) {
  double ranks = 0, rights = 0;
  qsort(all, (size_t)n, sizeof *all, by_q);
  for (int64_t i = 0, end; i < n; i = end) {
    for (end = i; end < n && all[end].q <= all[i].q; end++) {
    }
    for (int64_t k = i; k < end; k++) {
      if (!all[k].right) continue;
      ranks += (double)(i + end + 1) / 2;
      rights++;
    }
  }
  const double wrongs = (double)n - rights;
  return rights > 0 && wrongs > 0 ? (ranks - rights * (rights + 1) / 2) / (rights * wrongs) : NAN;
}

/* In the order of q, whatever that of the answers. */
static void fill_bins(scaling *c) {
  for (int64_t i = 0; i < c->rows; i++) {
    const double p = 1 / (1 + exp(-(double)c->judged[i].q));
    bin *b = &c->bins[p >= 1 ? BINS - 1 : (int)(p * BINS)];
    b->n++;
    b->right += c->judged[i].right;
    b->q += p;
  }
}

/* --- what is shown --- */

static void fill_choices(const scaling *c, table *t) {
  static const char *const columns[] = {"tries", "steps",     "select",  "exact %",
                                        "from",  "to",        "valid %", "mean steps",
                                        "GFLOP", "q right %", "q AUC"};
  for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
    table_column(t, columns[i], TABLE_ALL);
  for (int i = 0; i < c->n; i++) {
    const choice *o = &c->choices[i];
    const trm_eval_report *r = &o->report;
    const double valid = r->checked ? 100 * (double)r->valid / (double)r->checked : 0;
    table_number(t, r->tries, "%d", r->tries);
    table_number(t, o->steps, "%d", o->steps);
    table_text(t, cli_thinks(&o->think) ? trm_select_name(o->think.select) : "-");
    table_number(t, 100 * r->exact_accuracy, "%.2f", 100 * r->exact_accuracy);
    table_number(t, 100 * r->exact_interval.low, "%.2f", 100 * r->exact_interval.low);
    table_number(t, 100 * r->exact_interval.high, "%.2f", 100 * r->exact_interval.high);
    if (r->rules)
      table_number(t, valid, "%.2f", valid);
    else
      table_text(t, NULL);
    table_number(t, r->mean_steps, "%.2f", r->mean_steps);
    table_number(t, r->mean_steps * c->flops / 1e9, "%.3g", r->mean_steps * c->flops / 1e9);
    table_number(t, 100 * r->q_halt_accuracy, "%.2f", 100 * r->q_halt_accuracy);
    if (isfinite(o->auc))
      table_number(t, o->auc, "%.4f", o->auc);
    else
      table_text(t, NULL);
  }
}

static void fill_calibration(const scaling *c, table *t) {
  static const char *const columns[] = {"q from", "to", "examples", "mean q %", "right %"};
  for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
    table_column(t, columns[i], TABLE_ALL);
  for (int i = 0; i < BINS; i++) {
    const bin *b = &c->bins[i];
    table_number(t, (double)i / BINS, "%.1f", (double)i / BINS);
    table_number(t, (double)(i + 1) / BINS, "%.1f", (double)(i + 1) / BINS);
    table_number(t, (double)b->n, "%lld", (long long)b->n);
    for (int k = 0; k < 2; k++) {
      const double share = 100 * (k ? (double)b->right : b->q) / (double)b->n;
      if (b->n)
        table_number(t, share, "%.1f", share);
      else
        table_text(t, NULL);
    }
  }
}

static trm_status print_json(const scaling *c, const table *choices, const table *calibration,
                             trm_error *err) {
  trm__json_out o = trm__json_begin(TRM__JSON_INDENTED);
  trm__json_open(&o, NULL, '{');
  trm__json_put_text(&o, "model", c->s->model);
  trm__json_put_text(&o, "data", c->s->data);
  trm__json_put_text(&o, "split", c->s->split);
  trm__json_put_int(&o, "examples", c->choices[0].report.examples);
  trm__json_put_real(&o, "flops_step", c->flops);
  table_put_json(choices, "choices", &o);
  table_put_json(calibration, "calibration", &o);
  trm__json_close(&o);
  return cli_print_json(&o, stdout, err);
}

static trm_status print(const scaling *c, trm_error *err) {
  table choices = {0}, calibration = {0};
  char model[CLI_CLEAN], data[CLI_CLEAN];
  trm_status st;
  fill_choices(c, &choices);
  fill_calibration(c, &calibration);
  if (c->s->format == TABLE_JSON) {
    st = print_json(c, &choices, &calibration, err);
  } else {
    if (c->s->format != TABLE_CSV)
      printf("%s on %lld examples of %s; steps and GFLOP of a puzzle, all its tries together\n\n",
             cli_clean(model, sizeof model, c->s->model), (long long)c->choices[0].report.examples,
             cli_clean(data, sizeof data, c->s->data));
    st = table_print(&choices, c->s->format, stdout, err);
    if (c->s->format != TABLE_CSV)
      printf("\nHow often answers are right of which the model says so, one try of %d steps\n\n",
             c->choices[0].steps);
    else
      putchar('\n');
    if (st == TRM_OK) st = table_print(&calibration, c->s->format, stdout, err);
  }
  table_free(&choices);
  table_free(&calibration);
  return st;
}

/* --- the picture: a curve for more steps, and one for each rule, from one try on --- */

typedef struct curve {
  int n;
  double x[MOST], y[MOST], low[MOST], high[MOST];
} curve;

static void add_point(curve *l, const choice *o) {
  l->x[l->n] = log2(o->report.mean_steps);
  l->y[l->n] = 100 * o->report.exact_accuracy;
  l->low[l->n] = 100 * o->report.exact_interval.low;
  l->high[l->n++] = 100 * o->report.exact_interval.high;
}

static trm_status draw(const scaling *c, trm_error *err) {
  curve *curves = calloc(TRM_SELECTS + 1, sizeof *curves);
  chart_line lines[TRM_SELECTS + 1];
  int n = 0;
  if (!curves) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for a picture");
  for (int i = 0; i < LONGER && i < c->n; i++)
    if (c->choices[i].report.tries == 1) add_point(&curves[n], &c->choices[i]);
  lines[n] = (chart_line){.label = "more steps", .colour = n};
  n++;
  for (int rule = 0; rule < TRM_SELECTS; rule++) {
    /* From one try on, but for the rule that ends when it is sure. */
    curve *l = &curves[n];
    if (rule != TRM_SELECT_FIRST) add_point(l, &c->choices[0]);
    const int from = l->n;
    for (int i = 0; i < c->n; i++)
      if (c->choices[i].report.tries > 1 && c->choices[i].think.select == (trm_select)rule)
        add_point(l, &c->choices[i]);
    if (l->n == from) {
      l->n = 0;
      continue;
    }
    lines[n] = (chart_line){.label = trm_select_name((trm_select)rule), .colour = n};
    n++;
  }
  for (int i = 0; i < n; i++) {
    lines[i].n = curves[i].n;
    lines[i].x = curves[i].x;
    lines[i].y = curves[i].y;
    lines[i].low = curves[i].low;
    lines[i].high = curves[i].high;
  }
  const chart_axis x = {.label = "supervision steps of a puzzle, all tries together (log2)"},
                   y = {.label = "exactly right, %"};
  const trm_status st =
      chart_svg_lines(c->s->svg, "The same weights, more thinking", &x, &y, lines, n, err);
  free(curves);
  return st;
}

/* --- all of it --- */

static trm_status evaluate(scaling *c, const trm_model *model, const trm_dataset *data,
                           const trm_eval_config *how, trm_error *err) {
  for (int i = 0; i < c->n; i++) {
    choice *o = &c->choices[i];
    trm_eval_config config = *how;
    char label[80];
    cli_progress bar;
    snprintf(label, sizeof label, "choice %d of %d", i + 1, c->n);
    cli_progress_begin(&bar, label, 0, 0, "examples", 1);
    config.steps = o->steps;
    config.think = o->think;
    config.row = keep_row;
    config.row_arg = c;
    config.progress = cli_progress_tick;
    config.progress_arg = &bar;
    c->rows = 0;
    const trm_status st = trm_evaluate(model, data, &config, &o->report, err);
    cli_progress_end(&bar);
    if (st != TRM_OK) return st;
    CLI_TRY(cli_faults_check(err));
    o->auc = eval_auc(c->rows, c->judged);
    if (i == 0) fill_bins(c);
  }
  return TRM_OK;
}

trm_status eval_scaling_run(const eval_scaling *s, const trm_model *model, const trm_dataset *data,
                            const trm_eval_config *how, trm_error *err) {
  const int64_t examples = trm_dataset_get_info(data)->examples;
  const int64_t most = how->limit && how->limit < examples ? how->limit : examples;
  trm_model_cost cost;
  CLI_TRY(trm_model_cost_of(trm_model_get_config(model), &cost, err));
  scaling c = {.s = s,
               .flops = cost.flops_forward,
               .cells = trm_model_get_config(model)->seq_len,
               .choices = calloc(MOST, sizeof *c.choices),
               .judged = calloc((size_t)most + 1, sizeof *c.judged)};
  trm_status st = TRM_OK;
  if (!c.choices || !c.judged)
    st = cli_fail(err, TRM_E_MEMORY, -1, "no memory for the answers of %lld examples",
                  (long long)most);
  if (st == TRM_OK) list_choices(&c, trm_model_get_config(model), how);
  if (st == TRM_OK) st = evaluate(&c, model, data, how, err);
  if (st == TRM_OK) st = print(&c, err);
  if (st == TRM_OK && s->svg) st = draw(&c, err);
  free(c.choices);
  free(c.judged);
  return st;
}
