/* trm eval: a model's accuracies on a data set. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "npy_out.h"
#include "run_folder.h"

static const cli_manual manual = {
    "trm eval MODEL DATA [options]",
    "Measures a model on a data set: cell and exact accuracy with Wilson 95 % intervals, the\n"
    "accuracy of the q head, and the accuracies after each supervision step. MODEL is a model\n"
    "folder, a run folder (then its best checkpoint, else its last), a .safetensors file of trm\n"
    "convert, or a published checkpoint step_N with its all_config.yaml beside it. DATA is a data "
    "set "
    "folder.\n"
    "With --halt q an example stops once q_halt > 0 (q_halt > q_continue for a model trained with\n"
    "both), as in training, and the next one takes its place; q=LOGIT sets a higher bar: q=2 is\n"
    "88 % sure of being right.\n",
    "Examples:\n"
    "  trm eval runs/Sudoku6-trm/first data/sudoku6\n"
    "  trm eval runs/Sudoku6-trm/first data/sudoku6 --steps 64 --limit 200 --json\n"
    "  trm eval runs/Sudoku6-trm/first data/sudoku6 --halt q=2\n"
    "  trm eval runs/Sudoku6-trm/first/last data/sudoku6 --save-preds preds.npy\n"};

typedef struct eval_args {
  const char *model, *data, *split, *save_preds, *halt;
  trm_halt halt_rule;
  double halt_margin;
  trm_dtype dtype; /* TRM_DTYPES: the model's */
  int64_t limit;
  int steps, batch, threads;
  bool json;
} eval_args;

typedef struct eval_run {
  char model_path[CLI_PATH_MAX];
  trm_model *model;
  trm_dataset *data;
  int32_t *preds;
  cli_outfile preds_file;
  trm_eval_report report;
} eval_run;

static trm_status evaluate(const eval_args *a, eval_run *e, trm_error *err) {
  cli_progress bar;
  CLI_TRY(trm_dataset_open(a->data, a->split, &e->data, err));
  const trm_dataset_info *info = trm_dataset_get_info(e->data);
  CLI_TRY(run_folder_load_model_for(a->model, info, e->model_path, &e->model, err));
  if (a->dtype != TRM_DTYPES) trm_model_set_dtype(e->model, a->dtype);
  int64_t rows = a->limit && a->limit < info->examples ? a->limit : info->examples;
  if (a->save_preds) {
    e->preds = calloc((size_t)rows, sizeof *e->preds * (size_t)info->seq_len);
    if (!e->preds)
      return cli_fail(err, TRM_E_MEMORY, -1, "no memory for %lld predictions", (long long)rows);
    /* Before the work that it is to hold. */
    CLI_TRY(cli_outfile_open(&e->preds_file, a->save_preds, err));
  }
  cli_progress_begin(&bar, "evaluating", 0, rows, "examples", 1);
  const trm_eval_config config = {.limit = a->limit,
                                  .steps = a->steps,
                                  .halt = a->halt_rule,
                                  .halt_margin = a->halt_margin,
                                  .batch = a->batch,
                                  .threads = a->threads,
                                  .preds = e->preds,
                                  .progress = cli_progress_tick,
                                  .progress_arg = &bar};
  trm_status st = trm_evaluate(e->model, e->data, &config, &e->report, err);
  cli_progress_end(&bar);
  if (st == TRM_OK && a->save_preds)
    st = cli_npy_write(&e->preds_file, e->preds, rows, info->seq_len, err);
  return st;
}

static void print_share(const char *name, double share, trm_interval range) {
  printf("%-10s %6.2f %%  (%.2f to %.2f)", name, 100 * share, 100 * range.low, 100 * range.high);
}

static const char *dtype_of(const eval_run *e) {
  return trm_dtype_name(trm_model_get_config(e->model)->forward_dtype);
}

static void print_report(const eval_args *a, const eval_run *e) {
  const trm_eval_report *r = &e->report;
  printf("model      %s, in %s\n", e->model_path, dtype_of(e));
  bool halts = a->halt_rule != TRM_HALT_NEVER;
  printf("data       %s, split %s, %lld examples, %s%d supervision steps\n", a->data, a->split,
         (long long)r->examples, halts ? "at most " : "", r->n_steps);
  if (halts) printf("steps      %.2f on average (--halt %s)\n", r->mean_steps, a->halt);
  print_share("exact", r->exact_accuracy, r->exact_interval);
  printf("  %lld of %lld\n", (long long)r->exact, (long long)r->examples);
  print_share("cells", r->accuracy, r->cell_interval);
  printf("  %lld of %lld\n", (long long)r->cells_right, (long long)r->cells);
  print_share("q", r->q_halt_accuracy, r->q_halt_interval);
  printf("  right about being right\n");
  printf("lm loss    %.6g\nq loss     %.6g\n\n  step    exact    cells%s\n", r->lm_loss,
         r->q_halt_loss, halts ? "  halted" : "");
  for (int i = 0; i < r->n_steps; i++) {
    const trm_eval_step *step = &r->step[i];
    printf("  %4d  %5.2f %%  %5.2f %%", i + 1, 100 * step->exact_accuracy, 100 * step->accuracy);
    if (halts) printf("  %6lld", (long long)step->halted);
    putchar('\n');
  }
}

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

static trm_status print_json(const eval_args *a, const eval_run *e, trm_error *err) {
  const trm_eval_report *r = &e->report;
  json_t *root = json_pack(
      "{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:f, s:[f,f], s:f, s:[f,f], s:f, s:[f,f], s:f, "
      "s:f, "
      "s:s, s:f, s:o}",
      "model", e->model_path, "forward_dtype", dtype_of(e), "data", a->data, "split", a->split,
      "examples", (json_int_t)r->examples, "exact", (json_int_t)r->exact, "cells",
      (json_int_t)r->cells, "cells_right", (json_int_t)r->cells_right, "exact_accuracy",
      r->exact_accuracy, "exact_interval", r->exact_interval.low, r->exact_interval.high,
      "accuracy", r->accuracy, "cell_interval", r->cell_interval.low, r->cell_interval.high,
      "q_halt_accuracy", r->q_halt_accuracy, "q_halt_interval", r->q_halt_interval.low,
      r->q_halt_interval.high, "lm_loss", r->lm_loss, "q_halt_loss", r->q_halt_loss, "halt",
      a->halt, "mean_steps", r->mean_steps, "steps", steps_json(r));
  if (!root)
    return cli_fail(err, TRM_E_FORMAT, -1,
                    "the report cannot be written as JSON: a path is not UTF-8 or a value is NaN");
  json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
  fputc('\n', stdout);
  json_decref(root);
  return TRM_OK;
}

int cmd_eval(int argc, char **argv) {
  eval_args a = {.split = "test", .halt = "never", .dtype = TRM_DTYPES};
  const cli_option options[] = {
      {"split", CLI_STRING, &a.split, "NAME", "train or test (default: test)"},
      {"limit", CLI_INT64, &a.limit, "N", "only the first N examples (0: all)"},
      {"steps", CLI_INT, &a.steps, "S", "supervision steps at most (0: as trained)"},
      {"halt", CLI_STRING, &a.halt, "RULE", "never (default), q or q=LOGIT: early exit, see above"},
      {"batch", CLI_INT, &a.batch, "B", "examples at once (0: chosen)"},
      {"threads", CLI_INT, &a.threads, "T", "0: as many as the process may use"},
      {"dtype", CLI_DTYPE, &a.dtype, "FORMAT", "float32 or bfloat16 (default: as trained)"},
      {"json", CLI_FLAG, &a.json, NULL, "print one JSON object"},
      {"save-preds", CLI_STRING, &a.save_preds, "FILE.npy",
       "write the answers, int32 [examples, seq_len], file order"},
      {NULL, CLI_FLAG, NULL, NULL, NULL}};
  int code;
  if (!cli_options_parse(&manual, options, &argc, argv, &code)) return code;
  if (argc != 2) return cli_usage_error("want MODEL and DATA, got %d arguments; see --help", argc);
  if (a.steps > TRM_EVAL_MAX_STEPS)
    return cli_usage_error("--steps: want at most %d, got %d", TRM_EVAL_MAX_STEPS, a.steps);
  if (!cli_parse_halt(a.halt, &a.halt_rule, &a.halt_margin)) return CLI_USAGE;
  a.model = argv[0];
  a.data = argv[1];
  eval_run *e = calloc(1, sizeof *e);
  trm_error err = {0};
  trm_status st =
      e ? evaluate(&a, e, &err) : cli_fail(&err, TRM_E_MEMORY, -1, "no memory for an evaluation");
  if (st == TRM_OK && a.json)
    st = print_json(&a, e, &err);
  else if (st == TRM_OK)
    print_report(&a, e);
  if (e) {
    cli_outfile_abort(&e->preds_file);
    free(e->preds);
    trm_dataset_free(e->data);
    trm_model_free(e->model);
    free(e);
  }
  return cli_finish(st == TRM_OK ? CLI_OK : cli_report_error(&err));
}
