/* See eval_report.h. */
#include "eval_report.h"

/* --- ARC --- */

const int arc_pass_k[ARC_N_PASS] = {1, 2, 5, 10, 100, 1000};

trm_status arc_summarise(const trm_arc_votes *votes, arc_summary *s, trm_error *err) {
  return trm_arc_votes_count(votes, arc_pass_k, ARC_N_PASS, s->pass, &s->counts, err);
}

void arc_print(const arc_summary *s) {
  const trm_arc_counts *c = &s->counts;
  double tasks = (double)c->tasks;
  printf("ARC        %lld tasks, %lld test inputs, %lld predictions, %lld distinct grids\n",
         (long long)c->tasks, (long long)c->inputs, (long long)c->votes, (long long)c->grids);
  for (int i = 0; i < ARC_N_PASS; i++) {
    trm_interval range = trm_wilson(s->pass[i] * tasks, tasks);
    printf("  pass@%-4d %6.2f %%  (%.2f to %.2f)\n", arc_pass_k[i], 100 * s->pass[i],
           100 * range.low, 100 * range.high);
  }
  char text[120];
  cli_format_number(c->unanswered,
                    "test input has no prediction: it counts as wrong and is not in a submission",
                    "test inputs have no prediction: they count as wrong and are not in a "
                    "submission",
                    text, sizeof text);
  if (c->unanswered) printf("  %s\n", text);
  cli_format_number(c->foreign, "prediction is for no test input and does not count",
                    "predictions are for no test input and do not count", text, sizeof text);
  if (c->foreign) printf("  %s\n", text);
}

void arc_add_pass(json_t **object, const double pass[ARC_N_PASS]) {
  for (int i = 0; *object && i < ARC_N_PASS; i++) {
    char name[32];
    snprintf(name, sizeof name, "ARC/pass@%d", arc_pass_k[i]);
    if (json_object_set_new(*object, name, json_real(pass[i])) == 0) continue;
    json_decref(*object);
    *object = NULL;
  }
}

json_t *arc_json(const arc_summary *s) {
  const trm_arc_counts *c = &s->counts;
  json_t *root = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "tasks", (json_int_t)c->tasks,
                           "test_inputs", (json_int_t)c->inputs, "unanswered",
                           (json_int_t)c->unanswered, "predictions", (json_int_t)c->votes,
                           "foreign", (json_int_t)c->foreign, "grids", (json_int_t)c->grids);
  arc_add_pass(&root, s->pass);
  return root;
}

/* --- text --- */

static void print_share(const char *name, double share, trm_interval range) {
  printf("%-10s %6.2f %%  (%.2f to %.2f)", name, 100 * share, 100 * range.low, 100 * range.high);
}

static double valid_share(const trm_eval_report *r) {
  return r->checked ? (double)r->valid / (double)r->checked : 0;
}

static double cell_share(const trm_eval_report *r) {
  return r->cells ? (double)r->cells_right / (double)r->cells : 0;
}

static void print_steps(const trm_eval_report *r, bool halts) {
  printf("\n  step    exact  accuracy%s\n", halts ? "  halted" : "");
  for (int i = 0; i < r->n_steps; i++) {
    const trm_eval_step *step = &r->step[i];
    printf("  %4d  %5.2f %%   %5.2f %%", i + 1, 100 * step->exact_accuracy, 100 * step->accuracy);
    if (halts) printf("  %6lld", (long long)step->halted);
    putchar('\n');
  }
}

void eval_print(const eval_outcome *o) {
  const trm_eval_report *r = o->report;
  printf("model      %s, in %s\n", o->model, o->dtype);
  printf("data       %s, split %s, %lld examples, %s%d supervision steps\n", o->data, o->split,
         (long long)r->examples, o->halts ? "at most " : "", r->n_steps);
  if (o->halts) printf("steps      %.2f on average (--halt %s)\n", r->mean_steps, o->halt);
  print_share("exact", r->exact_accuracy, r->exact_interval);
  printf("  %lld of %lld equal their label\n", (long long)r->exact, (long long)r->examples);
  if (r->rules) {
    print_share("valid", valid_share(r), r->valid_interval);
    printf("  %lld of %lld are right by the rules\n", (long long)r->valid, (long long)r->checked);
  }
  print_share("cells", cell_share(r), r->cell_interval);
  printf("  %lld of %lld\n", (long long)r->cells_right, (long long)r->cells);
  printf("accuracy   %6.2f %%  mean of the examples' shares of right cells\n", 100 * r->accuracy);
  print_share("q", r->q_halt_accuracy, r->q_halt_interval);
  printf("  right about being right\n");
  printf("lm loss    %.6g\nq loss     %.6g\n", r->lm_loss, r->q_halt_loss);
  if (o->arc) arc_print(o->arc);
  if (o->arc && r->examples < o->examples_of_split)
    printf("  only %lld of %lld answers voted (--limit)\n", (long long)r->examples,
           (long long)o->examples_of_split);
  print_steps(r, o->halts);
}

/* --- JSON --- */

static json_t *steps_json(const trm_eval_report *r) {
  json_t *steps = json_array();
  for (int i = 0; steps && i < r->n_steps; i++) {
    json_t *step = json_pack("{s:i, s:f, s:f, s:I}", "step", i + 1, "accuracy", r->step[i].accuracy,
                             "exact_accuracy", r->step[i].exact_accuracy, "halted",
                             (json_int_t)r->step[i].halted);
    if (json_array_append_new(steps, step) != 0) {
      json_decref(steps);
      return NULL;
    }
  }
  return steps;
}

/* What only some data have; true when it is in. */
static bool add_kinds(json_t *root, const eval_outcome *o) {
  const trm_eval_report *r = o->report;
  json_t *rules =
      r->rules ? json_pack("{s:I, s:I, s:f, s:[f,f]}", "valid", (json_int_t)r->valid, "checked",
                           (json_int_t)r->checked, "valid_accuracy", valid_share(r),
                           "valid_interval", r->valid_interval.low, r->valid_interval.high)
               : json_object();
  bool good = json_object_update(root, rules) == 0;
  json_decref(rules);
  if (!good || !o->arc) return good;
  return json_object_set_new(root, "arc", arc_json(o->arc)) == 0 &&
         json_object_set_new(root, "examples_of_split", json_integer(o->examples_of_split)) == 0;
}

trm_status eval_print_json(const eval_outcome *o, trm_error *err) {
  const trm_eval_report *r = o->report;
  json_t *root = json_pack(
      "{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:f, s:[f,f], s:f, s:f, s:[f,f], s:f, s:[f,f], "
      "s:f, s:f, s:s, s:f, s:I, s:o}",
      "model", o->model, "forward_dtype", o->dtype, "data", o->data, "split", o->split, "examples",
      (json_int_t)r->examples, "exact", (json_int_t)r->exact, "cells", (json_int_t)r->cells,
      "cells_right", (json_int_t)r->cells_right, "exact_accuracy", r->exact_accuracy,
      "exact_interval", r->exact_interval.low, r->exact_interval.high, "accuracy", r->accuracy,
      "cell_accuracy", cell_share(r), "cell_interval", r->cell_interval.low, r->cell_interval.high,
      "q_halt_accuracy", r->q_halt_accuracy, "q_halt_interval", r->q_halt_interval.low,
      r->q_halt_interval.high, "lm_loss", r->lm_loss, "q_halt_loss", r->q_halt_loss, "halt",
      o->halt, "mean_steps", r->mean_steps, "untrained", (json_int_t)r->untrained, "steps",
      steps_json(r));
  if (!root || !add_kinds(root, o)) {
    json_decref(root);
    return cli_fail(err, TRM_E_FORMAT, -1,
                    "the report cannot be written as JSON: a path is not UTF-8 or a value is NaN");
  }
  json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
  fputc('\n', stdout);
  json_decref(root);
  return TRM_OK;
}
