/* trm eval: a model's accuracies on a data set. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands/eval_report.h"
#include "cli/commands/eval_scaling.h"
#include "cli/files.h"
#include "cli/run/find_model.h"
#include "cli/run/model_data.h"
#include "cli/run/ranks.h"
#include "io/npy_rows.h"

static const cli_manual manual = {
    "trm eval MODEL DATA [options]",
    "Measures a model on a data set: cell and exact accuracy with Wilson 95 % intervals,\n"
    "answers that are right by the rules of the puzzle where it has some, the accuracy of the\n"
    "q head, and the accuracies after each supervision step. On an ARC set the answers to the\n"
    "copies of a task vote, and pass@K is printed.\n"
    "MODEL is a model folder, a run folder (then its best checkpoint, else its newest), a\n"
    ".safetensors file of trm convert, a published checkpoint step_N with its\n"
    "all_config.yaml beside it, or a name that `trm models` lists. DATA is a data\n"
    "set folder. Data that the model was not made for are refused.\n" CLI_HALT_ABOUT CLI_THINK_ABOUT
    "With --state FILE an evaluation that is stopped or killed goes on where it was when it\n"
    "is called again with the same options; the file is removed at the end.\n" RANKS_ABOUT
    "Then there is no --state and no --scaling.\n",
    "Examples:\n"
    "  trm eval runs/Sudoku6-trm/first data/sudoku6\n"
    "  trm eval runs/Sudoku6-trm/first data/sudoku6 --steps 64 --limit 200 --json\n"
    "  trm eval runs/Sudoku6-trm/first data/sudoku6 --halt q=2\n"
    "  trm eval runs/Sudoku6-trm/first data/sudoku6 --views 8 --select first\n"
    "  trm eval runs/Sudoku6-trm/first/last data/sudoku6 --save-preds preds.npy\n"
    "  trm eval runs/Arc-trm/first data/arc1 --state eval.state --submission submission.json\n"};

typedef struct eval_args {
  const char *model, *data, *split, *save_preds, *save_q, *halt, *state, *submission;
  trm_halt halt_rule;
  cli_thinking think;
  double halt_margin;
  trm_dtype dtype; /* TRM_DTYPES: the model's */
  int64_t limit;
  int steps, batch, threads;
  trm_device device;
  bool json, scaling;
  const char *format, *svg; /* of the scaling */
  table_format form;
} eval_args;

typedef struct eval_run {
  const eval_args *args;
  trm_comm *comm; /* NULL: alone */
  char model_path[TRM__PATH_MAX];
  trm_model *model;
  trm_dataset *data;
  trm_arc_votes *votes; /* NULL: no ARC test set */
  trm__npy_rows preds, q;
  cli_progress bar;
  int64_t told; /* calls of the progress function */
  trm_eval_report report;
  arc_summary arc;
  trm_status status; /* what the evaluation came to */
} eval_run;

/* --- what an evaluation tells while it runs --- */

static trm_status save_row(void *arg, const trm_eval_row *row, trm_error *err) {
  eval_run *e = arg;
  if (e->preds.open) CLI_TRY(trm__npy_rows_put(&e->preds, row->example, row->answer, err));
  return e->q.open ? trm__npy_rows_put(&e->q, row->example, &row->q_halt, err) : TRM_OK;
}

/* Before a state is saved: none of what was not read may be in it. */
static trm_status sync_rows(void *arg, trm_error *err) {
  eval_run *e = arg;
  CLI_TRY(cli_faults_check(err));
  if (e->preds.open) CLI_TRY(trm__npy_rows_sync(&e->preds, err));
  return e->q.open ? trm__npy_rows_sync(&e->q, err) : TRM_OK;
}

static bool tick(void *arg, int64_t done, int64_t total) {
  eval_run *e = arg;
  if (e->told++ == 0 && e->args->state && trm__path_exists(e->args->state)) {
    cli_progress_clear(&e->bar);
    cli_note("going on after %lld of %lld example%s", (long long)done, (long long)total,
             TRM__S(total));
    e->bar.first = done;
  }
  return cli_progress_tick(&e->bar, done, total);
}

/* --- before and after --- */

/* An ARC set with what its tasks should give; only the test split has their test inputs. */
static trm_status open_votes(eval_run *e, trm_error *err) {
  trm__kind kind;
  const eval_args *a = e->args;
  CLI_TRY(trm__path_look_at(&kind, err, "%s/test_puzzles.json", a->data));
  bool arc = trm_puzzle_facts_of(&trm_dataset_get_info(e->data)->puzzle)->tasks &&
             !strcmp(a->split, "test") && kind != TRM__ABSENT;
  if (a->submission && !arc)
    return cli_fail(err, TRM_E_ARGUMENT, -1,
                    "--submission: %s, split %s, is not the test split of an ARC set with its "
                    "test_puzzles.json",
                    a->data, a->split);
  return arc ? trm_arc_votes_create(a->data, &e->votes, err) : TRM_OK;
}

/* Rank 0 writes. */
static bool leads(const eval_run *e) {
  return !e->comm || e->comm->rank == 0;
}

static trm_status open_all(eval_run *e, trm_error *err) {
  const eval_args *a = e->args;
  const char *const written[] = {a->submission, a->state, a->svg};
  for (size_t i = 0; i < sizeof written / sizeof *written && leads(e); i++)
    CLI_TRY(cli_check_writable(written[i], err));
  CLI_TRY(trm_dataset_open(a->data, a->split, &e->data, err));
  CLI_TRY(open_votes(e, err));
  const trm_dataset_info *info = trm_dataset_get_info(e->data);
  CLI_TRY(cli_load_model(a->model, info, e->model_path, &e->model, err));
  CLI_TRY(model_check_data(trm_model_get_config(e->model), info, a->data, err));
  CLI_TRY(cli_check_draws(&a->think.how, e->model, err));
  if (a->dtype != TRM_DTYPES) CLI_TRY(trm_model_set_dtype(e->model, a->dtype, err));
  int64_t rows = a->limit && a->limit < info->examples ? a->limit : info->examples;
  if (!leads(e)) return TRM_OK;
  if (a->save_preds)
    CLI_TRY(trm__npy_rows_open(&e->preds, a->save_preds, TRM__NPY_I4, rows, info->seq_len, a->state,
                               err));
  if (a->save_q) CLI_TRY(trm__npy_rows_open(&e->q, a->save_q, TRM__NPY_F4, rows, 0, a->state, err));
  return TRM_OK;
}

static trm_status evaluate(eval_run *e, trm_error *err) {
  const eval_args *a = e->args;
  CLI_TRY(open_all(e, err));
  cli_progress_begin(&e->bar, "evaluating", 0, 0, "examples", 1);

  /* The state is bound to the files of answers and q that are written beside it. */
  const trm_eval_config config = {.limit = a->limit,
                                  .steps = a->steps,
                                  .halt = a->halt_rule,
                                  .halt_margin = a->halt_margin,
                                  .think = a->think.how,
                                  .batch = a->batch,
                                  .threads = a->threads,
                                  .device = a->device,
                                  .row = a->save_preds || a->save_q ? save_row : NULL,
                                  .row_arg = e,
                                  .votes = e->votes,
                                  .state = a->state,
                                  .state_tag = e->preds.tag ^ e->q.tag << 1,
                                  .state_sync = sync_rows,
                                  .progress = tick,
                                  .progress_arg = e,
                                  .comm = e->comm};
  cli_faults_defer(); /* the state that was saved before one stays */
  trm_status st = trm_evaluate(e->model, e->data, &config, &e->report, err);
  cli_progress_end(&e->bar);
  return st == TRM_OK ? cli_faults_check(err) : st;
}

static trm_status print_all(const eval_run *e, trm_error *err) {
  const eval_args *a = e->args;
  const eval_outcome o = {
      .model = e->model_path,
      .data = a->data,
      .split = a->split,
      .dtype = trm_dtype_name(trm_model_get_config(e->model)->forward_dtype),
      .halt = a->halt,
      .steps = a->steps ? a->steps : trm_model_get_config(e->model)->halt_max_steps,
      .think = &a->think.how,
      .halts = a->halt_rule != TRM_HALT_NEVER,
      .examples_of_split = trm_dataset_get_info(e->data)->examples,
      .report = &e->report,
      .arc = e->votes ? &e->arc : NULL};

  /* What makes the figures say little. */
  if (e->report.untrained)
    cli_warn(
        "%lld of the examples are of tasks that the model was not trained on: their puzzle "
        "embeddings say nothing; `trm finetune MODEL --task FILE.json` trains a new task",
        (long long)e->report.untrained);
  if (o.arc && !o.arc->counts.scored)
    cli_warn(
        "the right outputs of these tasks are hidden: labels hold the [[0]] that stands for each, "
        "so what is equal to them says nothing");
  if (a->json) return eval_print_json(&o, err);
  eval_print(&o);
  return TRM_OK;
}

/* The saved rows are put in their places last: until then the state and the parts are a finished
 * evaluation that the same command tells again. The state goes when everybody has what it was kept
 * for. */
static trm_status commit_rows(eval_run *e, trm_error *err) {
  trm__npy_rows *list[2];
  int n = 0;
  if (e->preds.open) list[n++] = &e->preds;
  if (e->q.open) list[n++] = &e->q;
  CLI_TRY(trm__npy_rows_commit(list, n, err));
  if (!e->args->state) return TRM_OK;
  if (unlink(e->args->state) && errno != ENOENT)
    return cli_fail(err, TRM_E_IO, -1, "%s cannot be removed: %s", e->args->state, strerror(errno));
  return trm__npy_rows_finish(list, n, err);
}

/* --- --scaling --- */

static trm_status scale(eval_run *e, trm_error *err) {
  const eval_args *a = e->args;
  CLI_TRY(open_all(e, err));
  cli_faults_defer();
  const trm_model_config *m = trm_model_get_config(e->model);
  const trm_eval_config how = {.limit = a->limit,
                               .steps = a->steps ? a->steps : m->halt_max_steps,
                               .think = a->think.how,
                               .batch = a->batch,
                               .threads = a->threads,
                               .device = a->device};
  const eval_scaling s = {.model = e->model_path,
                          .data = a->data,
                          .split = a->split,
                          .format = a->json ? TABLE_JSON : a->form,
                          .svg = a->svg};
  return eval_scaling_run(&s, e->model, e->data, &how, err);
}

static int scale_and_tell(eval_run *e) {
  trm_error err = {0};
  int code;
  if (ranks_refuse("--scaling", &code)) return code;
  return cli_finish(scale(e, &err) == TRM_OK ? CLI_OK : cli_report_error(&err));
}

/* What is not asked of a table of choices, or only of one. */
static bool check_scaling(eval_args *a) {
  const bool other = a->state || a->save_preds || a->save_q || a->submission;
  if (!a->scaling && (a->format || a->svg)) {
    cli_usage_error("--%s is of --scaling", a->format ? "format" : "svg");
    return false;
  }
  if (!a->scaling) return true;
  if (other || a->think.how.verify || a->think.how.search || a->think.select ||
      a->halt_rule != TRM_HALT_NEVER) {
    cli_usage_error(
        "--scaling measures a table of choices: want none of --select, --halt, --verify, --search, "
        "--state, --save-preds, --save-q and --submission beside it");
    return false;
  }
  if (a->think.how.noise > 0 && a->think.how.views < 2 && a->think.how.rollouts < 2) {
    cli_usage_error(
        "--scaling: --noise is of several tries: want --rollouts K or --views K beside it");
    return false;
  }
  if (a->json && a->format) {
    cli_usage_error("--json is --format json: want one of them");
    return false;
  }
  a->think.how.bar = isnan(a->think.bar) ? 2 : a->think.bar;
  a->think.bar = NAN; /* it has been read */
  return table_parse_format(a->format ? a->format : "table", &a->form);
}

static int run_and_tell(eval_run *e) {
  trm_error err = {0};
  const char *submission = leads(e) ? e->args->submission : NULL;
  trm_status st = ranks_open(&e->comm, &err);
  if (st == TRM_OK) st = evaluate(e, &err);
  if (st == TRM_OK && e->votes) st = arc_summarise(e->votes, &e->arc, &err);
  if (st == TRM_OK && submission) st = trm_arc_votes_submit(e->votes, submission, &err);
  if (st == TRM_OK) st = print_all(e, &err);
  int code = cli_finish(st == TRM_OK ? CLI_OK : ranks_report(e->comm, st, &err));
  e->status = st;
  /* With a state the same command can tell a report again that nobody got; else the rows are all
   * that is left. */
  const bool commit = code == CLI_OK || (st == TRM_OK && !e->args->state);
  if (commit && commit_rows(e, &err) != TRM_OK) code = cli_report_error(&err);
  return code;
}

static int run(const eval_args *a) {
  trm_error err = {0};
  eval_run *e = calloc(1, sizeof *e);
  if (!e) {
    cli_fail(&err, TRM_E_MEMORY, -1, "no memory for an evaluation");
    return cli_report_error(&err);
  }
  e->args = a;
  cli_note_device(a->device);
  int code = a->scaling ? scale_and_tell(e) : run_and_tell(e);

  /* Parts of files are kept as long as there is a state that goes on with them. */
  bool keep = a->state && trm__path_exists(a->state);
  trm__npy_rows_close(&e->preds, keep);
  trm__npy_rows_close(&e->q, keep);
  trm_arc_votes_free(e->votes);
  trm_dataset_free(e->data);
  trm_model_free(e->model);
  code = ranks_close(e->comm, e->status, code);
  free(e);
  return code;
}

int cmd_eval(int argc, char **argv) {
  eval_args a = {.split = "test",
                 .halt = "never",
                 .think = CLI_ONE_TRY,
                 .dtype = TRM_DTYPES,
                 .device = CLI_ANY_DEVICE};
  const cli_option options[] = {
      {"split", CLI_STRING, &a.split, "NAME", "train or test (default: test)"},
      {"limit", CLI_INT64, &a.limit, "N", "only the first N examples (0: all)"},
      CLI_STEPS_ROW(&a.steps),
      CLI_HALT_ROW(&a.halt),
      CLI_THINK_ROWS(&a.think),
      {"batch", CLI_INT, &a.batch, "B", "examples at once (0: chosen)"},
      CLI_DEVICE_ROW(&a.device),
      {"threads", CLI_INT, &a.threads, "T", "0: as many as the process may use"},
      {"dtype", CLI_DTYPE, &a.dtype, "FORMAT", "float32, bfloat16 or int8 (default: as trained)"},
      {"json", CLI_FLAG, &a.json, NULL, "print one JSON object"},
      {"scaling", CLI_FLAG, &a.scaling, NULL,
       "a table: accuracy and cost of more steps and more tries; how well q knows"},
      {"format", CLI_STRING, &a.format, "FORM",
       "of --scaling: table (default), markdown, csv or json"},
      {"svg", CLI_OUTPUT, &a.svg, "FILE.svg", "of --scaling: draw it, too"},
      {"state", CLI_STATE, &a.state, "FILE", "keep what is done there; go on from it"},
      {"save-preds", CLI_OUTPUT, &a.save_preds, "FILE.npy",
       "write the answers, int32 [examples, seq_len], file order"},
      {"save-q", CLI_OUTPUT, &a.save_q, "FILE.npy", "write q_halt, float32 [examples], logits"},
      {"submission", CLI_OUTPUT, &a.submission, "FILE.json",
       "ARC: write two attempts a test input"},
      CLI_QUIET_ROW,
      {NULL, CLI_FLAG, NULL, NULL, NULL}};

  /* What the words mean is checked before anything is read. */
  int code;
  if (!cli_options_parse(&manual, options, &argc, argv, &code)) return code;
  if (!model_data_arguments("eval", argc, argv)) return CLI_USAGE;
  if (!cli_parse_halt(a.halt, &a.halt_rule, &a.halt_margin)) return CLI_USAGE;
  if (!check_scaling(&a)) return CLI_USAGE;
  if (!cli_think(&a.think, a.halt_rule)) return CLI_USAGE;
  a.model = argv[0];
  a.data = argv[1];
  return run(&a);
}
