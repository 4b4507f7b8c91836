/* trm sudoku: the exact solver, for files of any form. */
#include <inttypes.h>
#include <string.h>

#include "cli/commands/sudoku_input.h"
#include "cli/json_print.h"

/* What a search says of a puzzle. */
typedef struct finding {
  const trm_sudoku_entry *entry;
  trm_sudoku_result result;
  char puzzle[TRM_SUDOKU_MAX_CELLS + 1], answer[TRM_SUDOKU_MAX_CELLS + 1];
  int givens;
} finding;

typedef struct action {
  const char *name;
  cli_manual manual;
  void (*print)(const finding *f);
  void (*put)(const finding *f, trm__json_out *o);
  bool wants_one; /* a puzzle without exactly one solution fails */
} action;

typedef struct sudoku_run {
  const action *action;
  sudoku_source source;
  bool json;
  int64_t done, failed, not_one;
} sudoku_run;

/* --- solve and rate --- */

/* "1", "2 or more" ... */
static const char *count_of(const trm_sudoku_result *r) {
  if (r->solutions > 1) return "2 or more";
  if (!r->complete) return "unknown";
  return r->solutions ? "1" : "0";
}

static void put_count(const trm_sudoku_result *r, trm__json_out *o) {
  if (r->complete || r->solutions > 1)
    trm__json_put_int(o, "solutions", r->solutions);
  else
    trm__json_put_null(o, "solutions");
}

static void print_solution(const finding *f) {
  const trm_sudoku_result *r = &f->result;
  const char *none = r->complete ? "none" : "unknown";
  printf("%s  solutions: %s\n", r->solutions ? f->answer : none, count_of(r));
}

static void put_solution(const finding *f, trm__json_out *o) {
  if (f->result.solutions)
    trm__json_put_text(o, "answer", f->answer);
  else
    trm__json_put_null(o, "answer");
  put_count(&f->result, o);
}

/* Of a puzzle with one solution wrong guesses are made unless singles lead to it. */
static bool needs_no_guess(const trm_sudoku_result *r) {
  return r->complete && r->solutions == 1 && r->backtracks == 0;
}

static void print_rating(const finding *f) {
  const trm_sudoku_result *r = &f->result;
  printf("%s  givens: %d  solutions: %s  wrong guesses: %" PRId64 "  singles suffice: %s\n",
         f->puzzle, f->givens, count_of(r), r->backtracks, needs_no_guess(r) ? "yes" : "no");
}

static void put_rating(const finding *f, trm__json_out *o) {
  trm__json_put_int(o, "givens", f->givens);
  put_count(&f->result, o);
  trm__json_put_int(o, "wrong_guesses", f->result.backtracks);
  trm__json_put_bool(o, "singles_suffice", needs_no_guess(&f->result));
}

#define FORMS                                                                                      \
  "FILE may have any usual form, recognised by what is in it: a puzzle a line, with or\n"          \
  "without a solution, hash, rating or comment beside it; a table (CSV) with a header; nine\n"     \
  "lines, .sdk, .ss, .sdm; candidates; OpenSudoku's XML; HoDoKu's library; game ids of Simon\n"    \
  "Tatham's Solo; addresses of puzz.link; JSON (docs/BUILD_DATA.md). Sizes are 4, 6, 8, 9,\n"      \
  "10, 12 and 16.\n"                                                                               \
  "A puzzle that cannot be read, or whose given solution is wrong, is answered by a line that\n"   \
  "begins with \"error: \" (with --json by an object with the key error); the others go on, and\n" \
  "the exit code is 3.\n"

static const action solve_action = {
    "solve",
    {"trm sudoku solve [FILE|-] [options]",
     "Solves Sudokus exactly and says whether the solution is the only one; no model is needed.\n"
     "Each answer is one line, in the order of the file: the grid (none: there is no solution),\n"
     "and how many solutions there are: 0, 1, or 2 or more, of which one is shown. Exit code 4\n"
     "tells that a puzzle has not exactly one.\n" FORMS,
     "Examples:\n"
     "  trm sudoku solve puzzles.txt\n"
     "  trm sudoku solve --puzzle "
     "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79\n"
     "  qqwing --generate 10 | trm sudoku solve --json\n"},
    print_solution,
    put_solution,
    true};
static const action rate_action = {
    "rate",
    {"trm sudoku rate [FILE|-] [options]",
     "Says of each Sudoku, in the order of the file, how many givens and solutions it has, and "
     "how\n"
     "hard it is for the built-in solver: the wrong guesses that it makes until it has proven\n"
     "that there is no second solution, and whether singles suffice: cells that only one digit\n"
     "fits, and digits that only fit one cell of a row, column or box.\n" FORMS,
     "Examples:\n"
     "  trm sudoku rate puzzles.txt\n"
     "  trm sudoku rate --json hardest.sdm\n"
     "  trm sudoku rate --columns 2,3 sudoku.csv\n"},
    print_rating,
    put_rating,
    false};

/* --- a run --- */

static trm__json_out begin_line(void) {
  trm__json_out o = trm__json_begin(TRM__JSON_COMPACT);
  trm__json_open(&o, NULL, '{');
  return o;
}

static trm_status end_line(trm__json_out *o, trm_error *err) {
  trm__json_close(o);
  return cli_print_json(o, stdout, err);
}

static trm_status print_puzzle(sudoku_run *s, const trm_sudoku_entry *e, trm_error *err) {
  uint8_t answer[TRM_SUDOKU_MAX_CELLS];
  finding f = {.entry = e, .result = trm_sudoku_solve(&e->puzzle, e->givens, 2, answer)};
  trm_sudoku_format(&e->puzzle, e->givens, f.puzzle);
  if (f.result.solutions) trm_sudoku_format(&e->puzzle, answer, f.answer);
  for (int i = 0; i < e->puzzle.rows * e->puzzle.cols; i++) f.givens += e->givens[i] > 0;
  s->not_one += !f.result.complete || f.result.solutions != 1;
  if (!s->json) {
    s->action->print(&f);
    return TRM_OK;
  }

  /* What all actions tell, and what this one does. */
  trm__json_out o = begin_line();
  trm__json_put_text(&o, "puzzle", f.puzzle);
  s->action->put(&f, &o);
  trm__json_put_int(&o, "line", e->line);
  return end_line(&o, err);
}

static trm_status answer_all(sudoku_run *s, sudoku_input *in, trm_error *err) {
  trm_sudoku_entry e;
  bool more = true;
  for (;; s->done++) {
    /* Before the next puzzle is waited for, the answers so far go out. */
    if (!sudoku_input_ready(in)) CLI_TRY(cli_flush_answers(err));
    if (cli_interrupted())
      return cli_fail(err, TRM_E_INTERRUPTED, -1, "interrupted after %" PRId64 " puzzle%s", s->done,
                      TRM__S(s->done));

    /* One that cannot be read is answered by its error; what ends the input ends the run. */
    trm_error cause = {.code = TRM_OK};
    const trm_status st = sudoku_input_next(in, &e, &more, &cause);
    if (st != TRM_OK && !cli_is_of_one(st)) {
      if (err) *err = cause;
      return st;
    }
    if (st == TRM_OK && !more) break;
    s->failed += st != TRM_OK;
    CLI_TRY(st == TRM_OK ? print_puzzle(s, &e, err)
                         : cli_print_failed(&cause, s->json, "line", cause.pos, err));
  }
  if (s->done || in->in.asks) return TRM_OK;
  return cli_fail(err, TRM_E_FORMAT, -1, "%s holds no Sudoku in a form that is known", in->in.name);
}

static int run(sudoku_run *s) {
  trm_error err = {0};
  sudoku_input in = {.known = false};
  trm_status st = sudoku_input_open(&in, &s->source, NULL, NULL, &err);
  if (st == TRM_OK) st = answer_all(s, &in, &err);
  sudoku_input_close(&in);
  int code = st == TRM_OK ? CLI_OK : cli_report_error(&err);

  /* Puzzles that could not be read outweigh those without a single solution. */
  if (s->failed > 1)
    cli_note("%" PRId64 " of %" PRId64 " puzzles could not be read", s->failed, s->done);
  if (code == CLI_OK && s->failed) code = CLI_BAD_DATA;
  if (code == CLI_OK && s->action->wants_one && s->not_one) {
    cli_note("%" PRId64 " of %" PRId64 " puzzle%s not exactly one solution", s->not_one, s->done,
             s->done == 1 ? " has" : "s have");
    code = CLI_INVALID_ANSWER;
  }
  return cli_finish(code);
}

static int run_action(const action *a, int argc, char **argv) {
  sudoku_run s = {.action = a, .source = {.file = "-"}};
  const cli_option options[] = {
      {"puzzle", CLI_STRING, &s.source.text, "TEXT", "take this puzzle, read no file"},
      {"columns", CLI_STRING, &s.source.columns, "NAMES",
       "of a table: PUZZLE[,SOLUTION], names or numbers from 1"},
      {"json", CLI_FLAG, &s.json, NULL, "one JSON object per puzzle"},
      {NULL, CLI_FLAG, NULL, NULL, NULL}};
  int code;
  if (!cli_options_parse(&a->manual, options, &argc, argv, &code)) return code;
  if (argc + !!s.source.text > 1)
    return cli_usage_error("want one FILE, - for stdin, or --puzzle; see trm sudoku %s --help",
                           a->name);
  if (argc) s.source.file = argv[0];
  return run(&s);
}

static int run_solve(int argc, char **argv) {
  return run_action(&solve_action, argc, argv);
}
static int run_rate(int argc, char **argv) {
  return run_action(&rate_action, argc, argv);
}

int cmd_sudoku(int argc, char **argv) {
  static const cli_action actions[] = {{"solve", NULL, "solves Sudokus exactly", run_solve},
                                       {"rate", NULL, "says how hard they are", run_rate}};
  static const cli_group group = {"sudoku", "FILE", actions, sizeof actions / sizeof *actions};
  return cli_group_run(&group, argc, argv);
}
