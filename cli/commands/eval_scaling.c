/* See eval_scaling.h. */
#include "cli/commands/eval_scaling.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/json_print.h"
#include "cli/pictures/chart_svg.h"

enum { BINS = 10, LONGER = 3 /* of one try: 1, 2 and 4 times the steps */, MOST = 24 };

/* What makes an answer right, and q with it. */
typedef enum judge { BY_LABEL, BY_RULES, JUDGES } judge;

/* A row of the table. */
typedef struct choice {
  trm_thinking think;
  int steps;
  trm_eval_report report;
  double auc[JUDGES];
} choice;

/* Of answers with q in a tenth of 0 to 1. */
typedef struct bin {
  int64_t n, right;
  double q; /* their sum */
} bin;

/* The examples of one choice that a judge can tell of. */
typedef struct verdicts {
  eval_judged *of;
  int64_t n;
} verdicts;

typedef struct scaling {
  const eval_scaling *s;
  double flops; /* of a step */
  int cells;
  bool rules; /* the puzzle has some */
  choice *choices;
  int n; /* of them; after an interruption those that are done */
  verdicts verdicts[JUDGES];
  bin bins[JUDGES][BINS]; /* of the first choice */
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

static void keep(verdicts *v, float q, bool right) {
  v->of[v->n++] = (eval_judged){q, right};
}

static trm_status keep_row(void *arg, const trm_eval_row *row, trm_error *err) {
  scaling *c = arg;
  int labels = 0;
  (void)err;
  for (int i = 0; i < c->cells; i++) labels += row->labels[i] >= 0;
  if (labels) keep(&c->verdicts[BY_LABEL], row->q_halt, row->exact);
  if (c->rules) keep(&c->verdicts[BY_RULES], row->q_halt, row->valid);
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

/* Sorted by q, whatever the order of the answers. */
static void fill_bins(const verdicts *v, bin bins[BINS]) {
  for (int64_t i = 0; i < v->n; i++) {
    const double p = 1 / (1 + exp(-(double)v->of[i].q));
    bin *b = &bins[p >= 1 ? BINS - 1 : (int)(p * BINS)];
    b->n++;
    b->right += v->of[i].right;
    b->q += p;
  }
}

/* --- what is shown: percents to people, shares to programs --- */

static void put_share(table *t, int digits, double share) {
  table_number(t, share, "%.*f", digits, 100 * share);
}

/* A mean of n; of none nothing is known. */
static void put_mean(table *t, int digits, double sum, int64_t n) {
  if (n)
    put_share(t, digits, sum / (double)n);
  else
    table_text(t, NULL);
}

static void put_auc(table *t, double auc) {
  if (isfinite(auc))
    table_number(t, auc, "%.4f", auc);
  else
    table_text(t, NULL);
}

static void fill_choices(const scaling *c, table *t) {
  /* What goes by the rules is nothing to people where there are none. */
  const table_reader by_rules = c->rules ? TABLE_ALL : TABLE_PROGRAMS;
  table_column(t, "tries", TABLE_ALL);
  table_column(t, "steps", TABLE_ALL);
  table_column(t, "select", TABLE_PEOPLE);
  table_column(t, "select", TABLE_PROGRAMS);
  table_column_keyed(t, "exact %", "exact_accuracy", TABLE_ALL);
  table_column_keyed(t, "from", "exact_low", TABLE_ALL);
  table_column_keyed(t, "to", "exact_high", TABLE_ALL);
  table_column_keyed(t, "valid %", "valid_accuracy", by_rules);
  table_column_keyed(t, "mean steps", "mean_steps", TABLE_ALL);
  table_column_keyed(t, "GFLOP", "gflop", TABLE_ALL);
  table_column_keyed(t, "q right %", "q_halt_accuracy", TABLE_ALL);
  table_column_keyed(t, "q AUC", "q_halt_auc", TABLE_ALL);
  table_column_keyed(t, "q valid %", "q_valid_accuracy", by_rules);
  table_column_keyed(t, "valid AUC", "q_valid_auc", by_rules);
  for (int i = 0; i < c->n; i++) {
    const choice *o = &c->choices[i];
    const trm_eval_report *r = &o->report;
    const char *select = cli_thinks(&o->think) ? trm_select_name(o->think.select) : NULL;
    const double gflop = r->mean_steps * c->flops / 1e9;
    table_number(t, r->tries, "%d", r->tries);
    table_number(t, o->steps, "%d", o->steps);
    table_text(t, select ? select : "-");
    table_text(t, select);
    put_share(t, 2, r->exact_accuracy);
    put_share(t, 2, r->exact_interval.low);
    put_share(t, 2, r->exact_interval.high);
    put_mean(t, 2, (double)r->valid, r->checked);
    table_number(t, r->mean_steps, "%.2f", r->mean_steps);
    table_number(t, gflop, "%.3g", gflop);
    put_share(t, 2, r->q_halt_accuracy);
    put_auc(t, o->auc[BY_LABEL]);
    put_mean(t, 2, r->q_valid_accuracy * (double)r->checked, r->checked);
    put_auc(t, o->auc[BY_RULES]);
  }
}

static void fill_calibration(const scaling *c, table *t) {
  table_column_keyed(t, "q from", "q_from", TABLE_ALL);
  table_column_keyed(t, "to", "q_to", TABLE_ALL);
  table_column(t, "examples", TABLE_ALL);
  table_column_keyed(t, "mean q %", "mean_q", TABLE_ALL);
  table_column_keyed(t, "right %", "exact_accuracy", TABLE_ALL);
  table_column_keyed(t, "valid %", "valid_accuracy", c->rules ? TABLE_ALL : TABLE_PROGRAMS);
  for (int i = 0; i < BINS; i++) {
    const bin *label = &c->bins[BY_LABEL][i], *rules = &c->bins[BY_RULES][i];
    table_number(t, (double)i / BINS, "%.1f", (double)i / BINS);
    table_number(t, (double)(i + 1) / BINS, "%.1f", (double)(i + 1) / BINS);
    table_number(t, (double)label->n, "%lld", (long long)label->n);
    put_mean(t, 1, label->q, label->n);
    put_mean(t, 1, (double)label->right, label->n);
    put_mean(t, 1, (double)rules->right, rules->n);
  }
}

static trm_status print_json(const scaling *c, const table *choices, const table *calibration,
                             bool interrupted, trm_error *err) {
  trm__json_out o = trm__json_begin(TRM__JSON_INDENTED);
  trm__json_open(&o, NULL, '{');
  trm__json_put_text(&o, "model", c->s->model);
  trm__json_put_text(&o, "data", c->s->data);
  trm__json_put_text(&o, "split", c->s->split);
  trm__json_put_int(&o, "examples", c->choices[0].report.examples);
  trm__json_put_real(&o, "flops_step", c->flops);
  trm__json_put_bool(&o, "interrupted", interrupted);
  table_put_json(choices, "choices", &o);
  table_put_json(calibration, "calibration", &o);
  trm__json_close(&o);
  return cli_print_json(&o, stdout, err);
}

static trm_status print(const scaling *c, bool interrupted, trm_error *err) {
  table choices = {0}, calibration = {0};
  char model[CLI_CLEAN], data[CLI_CLEAN];
  trm_status st;
  fill_choices(c, &choices);
  fill_calibration(c, &calibration);
  if (c->s->format == TABLE_JSON) {
    st = print_json(c, &choices, &calibration, interrupted, err);
  } else {
    if (c->s->format != TABLE_CSV)
      printf(
          "%s on %lld example%s of %s; steps and GFLOP of a puzzle, all its tries together%s\n\n",
          cli_clean(model, sizeof model, c->s->model), (long long)c->choices[0].report.examples,
          TRM__S(c->choices[0].report.examples), cli_clean(data, sizeof data, c->s->data),
          c->rules ? ";\nq right % and q AUC go by the label, q valid % and valid AUC by the rules"
                   : "");
    st = table_print(&choices, c->s->format, stdout, err);
    if (c->s->format != TABLE_CSV)
      printf("\nHow often answers are right of which the model says so, one try of %d step%s\n\n",
             c->choices[0].steps, TRM__S(c->choices[0].steps));
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

/* Counts what is done: all, or what there is when one fails. */
static trm_status evaluate(scaling *c, const trm_model *model, const trm_dataset *data,
                           const trm_eval_config *how, trm_error *err) {
  const int n = c->n;
  for (c->n = 0; c->n < n; c->n++) {
    choice *o = &c->choices[c->n];
    trm_eval_config config = *how;
    char label[80];
    cli_progress bar;
    snprintf(label, sizeof label, "choice %d of %d", c->n + 1, n);
    cli_progress_begin(&bar, label, 0, 0, "examples", 1);
    config.steps = o->steps;
    config.think = o->think;
    config.row = keep_row;
    config.row_arg = c;
    config.progress = cli_progress_tick;
    config.progress_arg = &bar;
    for (int j = 0; j < JUDGES; j++) c->verdicts[j].n = 0;
    const trm_status st = trm_evaluate(model, data, &config, &o->report, err);
    cli_progress_end(&bar);
    if (st == TRM_E_INTERRUPTED && c->n)
      return cli_fail(err, st, -1, "stopped after %d of %d choices; what is finished is printed",
                      c->n, n);
    if (st != TRM_OK) return st;
    CLI_TRY(cli_faults_check(err));
    for (int j = 0; j < JUDGES; j++) {
      const verdicts *v = &c->verdicts[j];
      o->auc[j] = eval_auc(v->n, v->of);
      if (c->n == 0) fill_bins(v, c->bins[j]);
    }
  }
  return TRM_OK;
}

/* Also what was done before a signal came. */
static trm_status tell(const scaling *c, bool interrupted, trm_error *err) {
  CLI_TRY(print(c, interrupted, err));
  return c->s->svg ? draw(c, err) : TRM_OK;
}

trm_status eval_scaling_run(const eval_scaling *s, const trm_model *model, const trm_dataset *data,
                            const trm_eval_config *how, trm_error *err) {
  const trm_dataset_info *info = trm_dataset_get_info(data);
  const trm_model_config *m = trm_model_get_config(model);
  const int64_t most = how->limit && how->limit < info->examples ? how->limit : info->examples;
  trm_model_cost cost;
  CLI_TRY(trm_model_cost_of(m, &cost, err));
  scaling c = {.s = s,
               .flops = cost.flops_forward,
               .cells = m->seq_len,
               .rules = trm_puzzle_has_rules(info->puzzle.kind == TRM_PUZZLE_NONE ? &m->puzzle
                                                                                  : &info->puzzle),
               .choices = calloc(MOST, sizeof *c.choices)};
  bool room = c.choices;
  for (int j = 0; j < JUDGES; j++) {
    c.verdicts[j].of = calloc((size_t)most + 1, sizeof *c.verdicts[j].of);
    room = room && c.verdicts[j].of;
  }
  trm_status st = TRM_OK;
  if (!room)
    st = cli_fail(err, TRM_E_MEMORY, -1, "no memory for the answers of %lld example%s",
                  (long long)most, TRM__S(most));
  if (st == TRM_OK) list_choices(&c, m, how);
  if (st == TRM_OK) st = evaluate(&c, model, data, how, err);
  const bool some = st == TRM_E_INTERRUPTED && c.n > 0;
  if (st == TRM_OK || some) {
    trm_error failure;
    const trm_status told = tell(&c, some, &failure);
    if (told != TRM_OK) {
      *err = failure;
      st = told;
    }
  }
  free(c.choices);
  for (int j = 0; j < JUDGES; j++) free(c.verdicts[j].of);
  return st;
}
