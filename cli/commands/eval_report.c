/* See eval_report.h. */
#include "cli/commands/eval_report.h"

#include <math.h>

#include "base/error.h"
#include "cli/json_print.h"

/* --- ARC --- */

trm_status arc_summarise(const trm_arc_votes *votes, arc_summary *s, trm_error *err) {
  return trm_arc_votes_count(votes, trm_arc_pass_k(), TRM_ARC_PASSES, s->pass, &s->counts, err);
}

void arc_print(const arc_summary *s) {
  const trm_arc_counts *c = &s->counts;
  double tasks = (double)c->scored;
  printf("ARC        %lld task%s, %lld test input%s, %lld prediction%s, %lld distinct grid%s\n",
         (long long)c->tasks, TRM__S(c->tasks), (long long)c->inputs, TRM__S(c->inputs),
         (long long)c->votes, TRM__S(c->votes), (long long)c->grids, TRM__S(c->grids));

  /* The share of tasks solved, with its interval. */
  if (!c->scored)
    printf(
        "  pass@K cannot be measured: the test outputs are hidden (each is the [[0]] that stands "
        "for one)\n");
  for (int i = 0; c->scored && i < TRM_ARC_PASSES; i++) {
    trm_interval range = trm_wilson(s->pass[i] * tasks, tasks);
    printf("  pass@%-4d %6.2f %%  (%.2f to %.2f)\n", trm_arc_pass_k()[i], 100 * s->pass[i],
           100 * range.low, 100 * range.high);
  }

  /* What did not count, where there is any. */
  char text[120];
  cli_format_number(c->hidden, "test input has a hidden output and is not scored",
                    "test inputs have hidden outputs and are not scored", text, sizeof text);
  if (c->hidden && c->scored) printf("  %s\n", text);
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

static void put_pass(trm__json_out *o, const double pass[TRM_ARC_PASSES]) {
  for (int i = 0; i < TRM_ARC_PASSES; i++) {
    char name[32];
    snprintf(name, sizeof name, "ARC/pass@%d", trm_arc_pass_k()[i]);
    if (isnan(pass[i]))
      trm__json_put_null(o, name);
    else
      trm__json_put_real(o, name, pass[i]);
  }
}

void arc_put(trm__json_out *o, const char *key, const arc_summary *s) {
  const trm_arc_counts *c = &s->counts;
  trm__json_open(o, key, '{');
  trm__json_put_int(o, "tasks", c->tasks);
  trm__json_put_int(o, "hidden", c->hidden);
  trm__json_put_int(o, "test_inputs", c->inputs);
  trm__json_put_int(o, "unanswered", c->unanswered);
  trm__json_put_int(o, "predictions", c->votes);
  trm__json_put_int(o, "foreign", c->foreign);
  trm__json_put_int(o, "grids", c->grids);
  put_pass(o, s->pass);
  trm__json_close(o);
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
  if (!r->n_steps) return;
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
  char name[CLI_CLEAN], split[64];
  printf("model      %s, in %s\n", cli_clean(name, sizeof name, o->model), o->dtype);
  printf("data       %s, split %s, %lld example%s, %s%d supervision step%s\n",
         cli_clean(name, sizeof name, o->data), cli_clean(split, sizeof split, o->split),
         (long long)r->examples, TRM__S(r->examples),
         o->halts || cli_thinks(o->think) ? "at most " : "", o->steps, TRM__S(o->steps));
  if (cli_thinks(o->think))
    printf("tries      %d of each, --select %s: %.2f steps on average, all tries together\n",
           r->tries, trm_select_name(o->think->select), r->mean_steps);
  if (o->think->verify)
    printf(
        "verified   %lld answer%s accepted by the rules, %lld of them found by search: this is "
        "what model\n           and rules do together\n",
        (long long)r->accepted, r->accepted == 1 ? " was" : "s were", (long long)r->found);
  if (o->halts) printf("steps      %.2f on average (--halt %s)\n", r->mean_steps, o->halt);

  /* Shares with their intervals: of whole answers, then of cells. */
  print_share("exact", r->exact_accuracy, r->exact_interval);
  printf("  %lld of %lld equal their label\n", (long long)r->exact, (long long)r->examples);
  if (r->rules) {
    print_share("valid", valid_share(r), r->valid_interval);
    printf("  %lld of %lld are right by the rules\n", (long long)r->valid, (long long)r->checked);
  }
  print_share("cells", cell_share(r), r->cell_interval);
  printf("  %lld of %lld\n", (long long)r->cells_right, (long long)r->cells);
  printf("accuracy   %6.2f %%  mean of the examples' shares of right cells\n", 100 * r->accuracy);

  /* How well the model knows when it is right. */
  print_share("q", r->q_halt_accuracy, r->q_halt_interval);
  printf("  right about being right%s\n", r->rules ? ", by the label" : "");
  if (r->rules) {
    print_share("", r->q_valid_accuracy, r->q_valid_interval);
    printf("  the same, by the rules\n");
  }
  printf("lm loss    %.6g\nq loss     %.6g\n", r->lm_loss, r->q_halt_loss);

  /* Of ARC the votes count, of the answers that were computed. */
  if (o->arc) arc_print(o->arc);
  if (o->arc && r->examples < o->examples_of_split)
    printf("  only %lld of %lld answer%s voted (--limit)\n", (long long)r->examples,
           (long long)o->examples_of_split, TRM__S(o->examples_of_split));
  print_steps(r, o->halts || o->think->select == TRM_SELECT_FIRST);
}

/* --- JSON --- */

static void put_steps(trm__json_out *o, const trm_eval_report *r) {
  trm__json_open(o, "steps", '[');
  for (int i = 0; i < r->n_steps; i++) {
    trm__json_open(o, NULL, '{');
    trm__json_put_int(o, "step", i + 1);
    trm__json_put_real(o, "accuracy", r->step[i].accuracy);
    trm__json_put_real(o, "exact_accuracy", r->step[i].exact_accuracy);
    trm__json_put_int(o, "halted", r->step[i].halted);
    trm__json_close(o);
  }
  trm__json_close(o);
}

static void put_interval(trm__json_out *o, const char *key, trm_interval range) {
  trm__json_open(o, key, '[');
  trm__json_put_real(o, NULL, range.low);
  trm__json_put_real(o, NULL, range.high);
  trm__json_close(o);
}

/* How the answers were chosen, where there was a choice. */
static void put_thinking(trm__json_out *o, const eval_outcome *out) {
  const trm_thinking *how = out->think;
  if (!cli_thinks(how)) return;
  trm__json_open(o, "thinking", '{');
  trm__json_put_int(o, "tries", out->report->tries);
  trm__json_put_int(o, "steps", out->steps);
  trm__json_put_int(o, "views", how->views ? how->views : 1);
  trm__json_put_int(o, "rollouts", how->rollouts ? how->rollouts : 1);
  trm__json_put_real(o, "noise", how->noise);
  trm__json_put_text(o, "select", trm_select_name(how->select));
  if (how->select == TRM_SELECT_FIRST) trm__json_put_real(o, "bar", how->bar);
  if (how->verify) {
    trm__json_put_int(o, "search", how->search);
    trm__json_put_int(o, "accepted", out->report->accepted);
    trm__json_put_int(o, "found", out->report->found);
  }
  trm__json_put_uint(o, "seed", how->seed);
  trm__json_close(o);
}

/* What only some data have. */
static void put_kinds(trm__json_out *o, const eval_outcome *out) {
  const trm_eval_report *r = out->report;
  if (r->rules) {
    trm__json_put_int(o, "valid", r->valid);
    trm__json_put_int(o, "checked", r->checked);
    trm__json_put_real(o, "valid_accuracy", valid_share(r));
    put_interval(o, "valid_interval", r->valid_interval);
    trm__json_put_real(o, "q_valid_accuracy", r->q_valid_accuracy);
    put_interval(o, "q_valid_interval", r->q_valid_interval);
  }
  if (!out->arc) return;
  arc_put(o, "arc", out->arc);
  trm__json_put_int(o, "examples_of_split", out->examples_of_split);
}

static void put_outcome(trm__json_out *o, const eval_outcome *out) {
  const trm_eval_report *r = out->report;
  trm__json_put_text(o, "model", out->model);
  trm__json_put_text(o, "forward_dtype", out->dtype);
  trm__json_put_text(o, "data", out->data);
  trm__json_put_text(o, "split", out->split);

  /* What was counted, and the shares that follow. */
  trm__json_put_int(o, "examples", r->examples);
  trm__json_put_int(o, "exact", r->exact);
  trm__json_put_int(o, "cells", r->cells);
  trm__json_put_int(o, "cells_right", r->cells_right);
  trm__json_put_real(o, "exact_accuracy", r->exact_accuracy);
  put_interval(o, "exact_interval", r->exact_interval);
  trm__json_put_real(o, "accuracy", r->accuracy);
  trm__json_put_real(o, "cell_accuracy", cell_share(r));
  put_interval(o, "cell_interval", r->cell_interval);
  trm__json_put_real(o, "q_halt_accuracy", r->q_halt_accuracy);
  put_interval(o, "q_halt_interval", r->q_halt_interval);
  trm__json_put_real(o, "lm_loss", r->lm_loss);
  trm__json_put_real(o, "q_halt_loss", r->q_halt_loss);

  /* How it was evaluated; step by step; and what only some data have. */
  trm__json_put_text(o, "halt", out->halt);
  trm__json_put_real(o, "mean_steps", r->mean_steps);
  put_thinking(o, out);
  trm__json_put_int(o, "untrained", r->untrained);
  put_steps(o, r);
  put_kinds(o, out);
}

trm_status eval_print_json(const eval_outcome *out, trm_error *err) {
  trm__json_out o = trm__json_begin(TRM__JSON_INDENTED);
  trm__json_open(&o, NULL, '{');
  put_outcome(&o, out);
  trm__json_close(&o);
  return cli_print_json(&o, stdout, err);
}
