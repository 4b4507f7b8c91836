/* trm arc: ARC answers that are already there - counted, or scored. */
#include <stdlib.h>
#include <string.h>

#include "base/folder.h"
#include "cli/commands/eval_report.h"
#include "cli/json_print.h"

/* --- vote --- */

static const cli_manual vote_manual = {
    "trm arc vote --data DIR --preds FILE.npy --q FILE.npy [options]",
    "Counts saved answers to the copies of ARC tasks as trm eval does: each is cropped, its\n"
    "copy's transform undone, equal grids are counted and ranked by (count, mean q). DIR is\n"
    "the data set folder that the answers are for, its test split in file order. Answers [N,\n"
    "900] and q_halt logits [N] are those of trm eval --save-preds and --save-q, or of the\n"
    "reference. With lists the answers of several evaluations vote together.\n",
    "Examples:\n"
    "  trm arc vote --data data/arc1 --preds preds.npy --q q.npy --submission submission.json\n"
    "  trm arc vote --data data/arc1 --preds a.npy,b.npy --q a_q.npy,b_q.npy\n"};

typedef struct vote_args {
  const char *data, *split, *preds, *q, *ids, *submission;
  bool json;
} vote_args;

enum { MAX_FILES = 64 };

/* A list of files; the text is cut into its parts. */
typedef struct file_list {
  char text[TRM__PATH_MAX];
  const char *file[MAX_FILES];
  int n;
} file_list;

static trm_status split_list(const char *option, const char *text, file_list *l, trm_error *err) {
  CLI_TRY(trm__path_format(l->text, err, "%s", text));
  l->n = 0;
  for (char *next = l->text; next;) {
    char *comma = strchr(next, ',');
    if (comma) *comma = 0;
    if (l->n == MAX_FILES || !*next)
      return cli_fail(err, TRM_E_ARGUMENT, -1, "--%s: want 1 to %d files, separated by commas",
                      option, MAX_FILES);
    l->file[l->n++] = next;
    next = comma ? comma + 1 : NULL;
  }
  return TRM_OK;
}

typedef struct vote_run {
  file_list preds, q, ids;
  trm_dataset *data;
  trm_arc_votes *votes;
  arc_summary arc;
} vote_run;

static trm_status read_lists(const vote_args *a, vote_run *r, trm_error *err) {
  CLI_TRY(split_list("preds", a->preds, &r->preds, err));
  CLI_TRY(split_list("q", a->q, &r->q, err));
  if (a->ids) CLI_TRY(split_list("ids", a->ids, &r->ids, err));
  if (r->q.n != r->preds.n || (a->ids && r->ids.n != r->preds.n))
    return cli_fail(err, TRM_E_ARGUMENT, -1, "--preds has %d file%s: want as many with --q%s",
                    r->preds.n, TRM__S(r->preds.n), a->ids ? " and --ids" : "");
  return TRM_OK;
}

static trm_status vote(const vote_args *a, vote_run *r, trm_error *err) {
  CLI_TRY(read_lists(a, r, err));
  CLI_TRY(trm_dataset_open(a->data, a->split, &r->data, err));
  CLI_TRY(trm_arc_votes_create(a->data, &r->votes, err));
  for (int i = 0; i < r->preds.n; i++) {
    cli_progress bar;
    cli_progress_begin(&bar, "counting", 0, 0, "answers", 1);
    trm_status st =
        trm_arc_votes_add_files(r->votes, r->data, r->preds.file[i], r->q.file[i],
                                a->ids ? r->ids.file[i] : NULL, cli_progress_tick, &bar, err);
    cli_progress_end(&bar);
    if (st != TRM_OK) return st;
  }
  CLI_TRY(arc_summarise(r->votes, &r->arc, err));
  return a->submission ? trm_arc_votes_submit(r->votes, a->submission, err) : TRM_OK;
}

static trm_status print_votes(const arc_summary *s, trm_error *err) {
  trm__json_out o = trm__json_begin(TRM__JSON_INDENTED);
  arc_put(&o, NULL, s);
  return cli_print_json(&o, stdout, err);
}

static int run_vote(int argc, char **argv) {
  vote_args a = {.split = "test"};
  const cli_option options[] = {
      {"data", CLI_STRING, &a.data, "DIR", "the data set folder"},
      {"preds", CLI_NAMES, &a.preds, "FILE[,FILE]", "answers [N, 900], whole numbers"},
      {"q", CLI_NAMES, &a.q, "FILE[,FILE]", "q_halt logits [N]"},
      {"ids", CLI_NAMES, &a.ids, "FILE[,FILE]", "puzzle ids [N], compared with the data's"},
      {"split", CLI_STRING, &a.split, "NAME", "default: test"},
      {"submission", CLI_OUTPUT, &a.submission, "FILE.json", "write two attempts a test input"},
      {"json", CLI_FLAG, &a.json, NULL, "print one JSON object"},
      CLI_QUIET_ROW,
      {NULL, CLI_FLAG, NULL, NULL, NULL}};

  /* Three options cannot be done without. */
  int code;
  if (!cli_options_parse(&vote_manual, options, &argc, argv, &code)) return code;
  if (argc || !a.data || !a.preds || !a.q)
    return cli_usage_error("want --data, --preds and --q; see trm arc vote --help");

  /* The votes of all files, and what they make of the tasks. */
  trm_error err = {0};
  vote_run *r = calloc(1, sizeof *r);
  trm_status st = r ? vote(&a, r, &err) : cli_fail(&err, TRM_E_MEMORY, -1, "no memory for votes");
  if (st == TRM_OK && a.json)
    st = print_votes(&r->arc, &err);
  else if (st == TRM_OK)
    arc_print(&r->arc);
  if (r) {
    trm_arc_votes_free(r->votes);
    trm_dataset_free(r->data);
    free(r);
  }
  return cli_finish(st == TRM_OK ? CLI_OK : cli_report_error(&err));
}

/* --- score --- */

static const cli_manual score_manual = {
    "trm arc score SUBMISSION SOLUTIONS [options]",
    "Scores a submission in Kaggle's format as ARC Prize does: a test input is right when one\n"
    "of its two attempts is, a task counts with the share of its test inputs that are right,\n"
    "and the score is the mean over the tasks of the solutions ({id: [grid, ...]}). An attempt\n"
    "that is null or missing is wrong; {\"answer\": grid} is one, too. The submission may be a\n"
    "folder with a file ID.json for each task, and the solutions may be the tasks themselves,\n"
    "in a file or a folder.\n",
    "Examples:\n"
    "  trm arc score submission.json arc-agi_evaluation_solutions.json\n"
    "  trm arc score submissions/some-model ARC-AGI/data/evaluation\n"};

static void print_some(int64_t n, const char *one, const char *many) {
  char text[100];
  cli_format_number(n, one, many, text, sizeof text);
  if (n) printf("           %s\n", text);
}

static void print_score(const trm_arc_score *s) {
  trm_interval range = trm_wilson(s->score * (double)s->tasks, (double)s->tasks);
  trm_interval inputs = trm_wilson((double)s->right, (double)s->inputs);
  printf(
      "score      %6.2f %%  (%.2f to %.2f)  mean over %lld task%s, %lld of them right as a whole\n",
      100 * s->score, 100 * range.low, 100 * range.high, (long long)s->tasks, TRM__S(s->tasks),
      (long long)s->solved);
  printf("inputs     %6.2f %%  (%.2f to %.2f)  %lld of %lld test input%s\n",
         100 * (double)s->right / (double)s->inputs, 100 * inputs.low, 100 * inputs.high,
         (long long)s->right, (long long)s->inputs, TRM__S(s->inputs));
  print_some(s->missing, "task is missing: wrong", "tasks are missing: wrong");
  print_some(s->unanswered, "test input of another task has no entry: wrong",
             "test inputs of other tasks have no entry: wrong");
  print_some(s->no_attempt, "attempt is null or missing: wrong",
             "attempts are null or missing: wrong");
  print_some(s->foreign, "task is not in the solutions: ignored",
             "tasks are not in the solutions: ignored");
}

static trm_status print_score_json(const trm_arc_score *s, trm_error *err) {
  trm__json_out o = trm__json_begin(TRM__JSON_INDENTED);
  trm__json_open(&o, NULL, '{');
  trm__json_put_real(&o, "score", s->score);
  trm__json_put_int(&o, "tasks", s->tasks);
  trm__json_put_int(&o, "solved", s->solved);
  trm__json_put_int(&o, "test_inputs", s->inputs);
  trm__json_put_int(&o, "right", s->right);
  trm__json_put_int(&o, "missing", s->missing);
  trm__json_put_int(&o, "unanswered", s->unanswered);
  trm__json_put_int(&o, "no_attempt", s->no_attempt);
  trm__json_put_int(&o, "foreign", s->foreign);
  trm__json_close(&o);
  return cli_print_json(&o, stdout, err);
}

static int run_score(int argc, char **argv) {
  bool json = false;
  const cli_option options[] = {{"json", CLI_FLAG, &json, NULL, "print one JSON object"},
                                {NULL, CLI_FLAG, NULL, NULL, NULL}};
  int code;
  if (!cli_options_parse(&score_manual, options, &argc, argv, &code)) return code;
  if (argc != 2)
    return cli_usage_error("want SUBMISSION and SOLUTIONS, got %d argument%s", argc, TRM__S(argc));
  trm_error err = {0};
  trm_arc_score s;
  trm_status st = trm_arc_score_files(argv[0], argv[1], &s, &err);
  if (st == TRM_OK && json)
    st = print_score_json(&s, &err);
  else if (st == TRM_OK)
    print_score(&s);
  return cli_finish(st == TRM_OK ? CLI_OK : cli_report_error(&err));
}

/* --- both --- */

int cmd_arc(int argc, char **argv) {
  static const cli_action actions[] = {
      {"vote", NULL, "pass@K and a submission from saved answers", run_vote},
      {"score", NULL, "a submission against the solutions", run_score}};
  static const cli_group group = {"arc", "", actions, sizeof actions / sizeof *actions};
  return cli_group_run(&group, argc, argv);
}
