/* trm solve: puzzles as text in, answers as text out. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "grid_view.h"
#include "puzzle_lines.h"
#include "run_folder.h"

static const cli_manual manual = {
    "trm solve MODEL [FILE|-] [options]",
    "Solves Sudokus given as text: one puzzle per line, '.' or 0 for a blank cell, digits (then "
    "A,\n"
    "B ... above 9) for givens; empty lines and lines starting with # are skipped. MODEL is a\n"
    "model folder, a run folder, a .safetensors file of trm convert, or a published checkpoint\n"
    "step_N with its all_config.yaml beside it. Each answer is one line: the grid, whether it "
    "keeps the rules\n"
    "and the givens, q (how sure the model is, 0 to 1) and the supervision steps taken. Many\n"
    "puzzles are solved side by side; answers come in the order of the puzzles. With --halt q a\n"
    "puzzle stops once q_halt > 0 (q_halt > q_continue for a model trained with both), and the\n"
    "next one takes its place; q=LOGIT sets a higher bar: q=2 is 88 % sure of being right.\n",
    "Examples:\n"
    "  trm solve runs/Sudoku6-trm/first puzzles.txt --check\n"
    "  trm solve runs/Sudoku6-trm/first --show steps --puzzle "
    "'.3.5...4.......4..62...3.....21.....'\n"
    "  head -n 3 puzzles.txt | trm solve runs/Sudoku6-trm/first - --json --halt q\n"};

enum {
  /* Puzzles solved side by side when they come from a file or a pipe. */
  SOLVE_BATCH = 32,
  /* Puzzles read and not yet printed: with 16 steps no finished one has to wait for room. */
  SOLVE_WINDOW = 16 * SOLVE_BATCH
};

typedef struct solve_args {
  const char *model, *file, *puzzle, *show, *halt;
  trm_halt halt_rule;
  double halt_margin;
  trm_dtype dtype; /* TRM_DTYPES: the model's */
  int steps, threads;
  bool json, check;
} solve_args;

typedef struct solve_puzzle {
  uint8_t question[TRM_SUDOKU_MAX_CELLS], answer[TRM_SUDOKU_MAX_CELLS];
  double q_logit;
  int steps;
  bool done;
} solve_puzzle;

typedef struct solve_run {
  const solve_args *args;
  trm_model *model;
  trm_solver *solver;
  trm_puzzle puzzle;
  int cells, batch, steps;
  bool show_steps, colour;
  int64_t invalid;
  puzzle_lines in;
  bool more;                            /* the input may hold another puzzle */
  int64_t read, printed;                /* puzzles; those between are in the window */
  solve_puzzle window[SOLVE_WINDOW];    /* puzzle i at i % SOLVE_WINDOW */
  solve_puzzle *row[SOLVE_BATCH];       /* of the solver */
  uint8_t before[TRM_SUDOKU_MAX_CELLS]; /* of the only row with show_steps */
} solve_run;

static trm_status open_model(solve_run *s, trm_error *err) {
  char path[CLI_PATH_MAX];
  CLI_TRY(run_folder_load_model(s->args->model, path, &s->model, err));
  if (s->args->dtype != TRM_DTYPES) trm_model_set_dtype(s->model, s->args->dtype);
  const trm_model_config *c = trm_model_get_config(s->model);
  s->puzzle = c->puzzle;
  s->cells = c->seq_len;
  if (c->puzzle.kind != TRM_PUZZLE_SUDOKU || c->seq_len > TRM_SUDOKU_MAX_CELLS ||
      c->puzzle.rows * c->puzzle.cols != c->seq_len)
    return cli_fail(err, TRM_E_CONFIG, -1,
                    "%s: not a Sudoku model (its config.json describes no Sudoku); trm solve reads "
                    "Sudokus only, trm eval works with every model",
                    path);
  if (s->args->puzzle)
    s->in = (puzzle_lines){.name = "--puzzle", .text = s->args->puzzle};
  else
    CLI_TRY(puzzle_lines_open(&s->in, s->args->file, err));
  s->batch = s->args->puzzle || s->show_steps ? 1 : SOLVE_BATCH;
  s->steps = s->args->steps ? s->args->steps : c->halt_max_steps;
  const trm_solver_config config = {.batch = s->batch, .threads = s->args->threads};
  return trm_solver_create(s->model, &config, &s->solver, err);
}

/* What a model answers that is no digit counts as blank. */
static void tokens_to_values(const solve_run *s, const int32_t *tokens, uint8_t *values) {
  for (int i = 0; i < s->cells; i++)
    values[i] = (uint8_t)(tokens[i] >= 2 && tokens[i] <= s->puzzle.rows + 1 ? tokens[i] - 1 : 0);
}

static double probability(double logit) {
  return 1 / (1 + exp(-logit));
}

/* --show steps: the puzzle, then the grid after a step, or one line when nothing moved. */
static void show_start(solve_run *s, const solve_puzzle *p) {
  memcpy(s->before, p->question, sizeof s->before);
  printf("the puzzle%s\n",
         s->colour ? "" : "; below, [5] is a cell that changed, !5! a given overwritten");
  grid_view_draw(&s->puzzle, p->question, s->before, s->before, s->colour, stdout);
}

static void show_step(solve_run *s, const solve_puzzle *p) {
  int changed = 0;
  for (int i = 0; i < s->cells; i++) changed += s->before[i] != p->answer[i];
  printf("step %d of %d: %d cell%s changed, q %.3f\n", p->steps, s->steps, changed,
         changed == 1 ? "" : "s", probability(p->q_logit));
  if (changed) grid_view_draw(&s->puzzle, p->question, s->before, p->answer, s->colour, stdout);
  memcpy(s->before, p->answer, sizeof s->before);
  fflush(stdout);
}

/* Fills the solver's rows from the input. Who sends puzzles one by one, and perhaps waits for each
 * answer, keeps nothing waiting: what is there goes on. */
static trm_status add_puzzles(solve_run *s, trm_error *err) {
  int32_t tokens[TRM_SUDOKU_MAX_CELLS];
  for (int row; (row = trm_solver_rows(s->solver)) < s->batch; s->read++) {
    solve_puzzle *p = &s->window[s->read % SOLVE_WINDOW];
    if (!s->more || s->read - s->printed == SOLVE_WINDOW) return TRM_OK;
    if (row > 0 && !puzzle_lines_ready(&s->in)) return TRM_OK;
    CLI_TRY(puzzle_lines_next(&s->in, &s->puzzle, p->question, &s->more, err));
    if (!s->more) return TRM_OK;
    for (int i = 0; i < s->cells; i++) tokens[i] = p->question[i] + 1;
    CLI_TRY(trm_solver_add(s->solver, tokens, 0, err));
    p->done = false;
    s->row[row] = p;
    if (s->show_steps) show_start(s, p);
  }
  return TRM_OK;
}

/* Takes over the answer of a row after a step; one that is done leaves the solver. */
static void take_row(solve_run *s, int row) {
  solve_puzzle *p = s->row[row];
  size_t first = (size_t)row * (size_t)s->cells;
  tokens_to_values(s, trm_solver_answer(s->solver) + first, p->answer);
  p->q_logit = (double)trm_solver_q_halt(s->solver)[row];
  p->steps = trm_solver_steps_taken(s->solver)[row];
  p->done = p->steps == s->steps || (s->args->halt_rule == TRM_HALT_Q &&
                                     trm_solver_halt_margin(s->solver, row) > s->args->halt_margin);
  if (s->show_steps) show_step(s, p);
  if (!p->done) return;
  trm_solver_remove(s->solver, row);
  s->row[row] = s->row[trm_solver_rows(s->solver)];
}

static trm_status print_puzzle(solve_run *s, const solve_puzzle *p, trm_error *err) {
  char question[TRM_SUDOKU_MAX_CELLS + 1], answer[TRM_SUDOKU_MAX_CELLS + 1];
  bool valid = trm_sudoku_solves(&s->puzzle, p->question, p->answer);
  double q = probability(p->q_logit);
  s->invalid += !valid;
  trm_sudoku_format(&s->puzzle, p->question, question);
  trm_sudoku_format(&s->puzzle, p->answer, answer);
  if (!s->args->json) {
    printf("%s  valid: %s  q %.3f  steps %d\n", answer, valid ? "yes" : "no", q, p->steps);
    return TRM_OK;
  }
  json_t *line = json_pack("{s:s, s:s, s:b, s:f, s:i}", "puzzle", question, "answer", answer,
                           "valid", valid, "q", q, "steps", p->steps);
  if (!line) return cli_fail(err, TRM_E_NUMERIC, -1, "q of an answer is not a number");
  json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
  json_decref(line);
  fputc('\n', stdout);
  return TRM_OK;
}

/* The answers that no earlier puzzle holds back. */
static trm_status print_done(solve_run *s, trm_error *err) {
  int64_t first = s->printed;
  for (; s->printed < s->read && s->window[s->printed % SOLVE_WINDOW].done; s->printed++)
    CLI_TRY(print_puzzle(s, &s->window[s->printed % SOLVE_WINDOW], err));
  if (s->printed > first && fflush(stdout) != 0) {
    int cause = errno;
    clearerr(stdout); /* it is said here, cli_finish need not */
    return cli_fail(err, TRM_E_IO, -1, "the answers could not be written to stdout: %s",
                    strerror(cause));
  }
  return TRM_OK;
}

/* Answers what stands before a bad line, then fails with it. */
static trm_status solve_all(solve_run *s, trm_error *err) {
  trm_status bad = TRM_OK;
  trm_error later = {0};
  CLI_TRY(open_model(s, err));
  for (s->more = true;;) {
    if (bad == TRM_OK) bad = add_puzzles(s, &later);
    int rows = trm_solver_rows(s->solver);
    if (rows == 0) break;
    if (cli_interrupted())
      return cli_fail(err, TRM_E_INTERRUPTED, -1, "interrupted after %" PRId64 " answers",
                      s->printed);
    trm_solver_step(s->solver);
    for (int row = rows - 1; row >= 0; row--) take_row(s, row);
    CLI_TRY(print_done(s, err));
  }
  if (bad == TRM_OK && s->read == 0) cli_note("%s holds no puzzle", s->in.name);
  if (bad != TRM_OK && err) *err = later;
  return bad;
}

static int run_solve(const solve_args *a) {
  trm_error err = {0};
  solve_run *s = calloc(1, sizeof *s);
  if (!s) {
    cli_fail(&err, TRM_E_MEMORY, -1, "no memory to solve puzzles");
    return cli_report_error(&err);
  }
  s->args = a;
  s->show_steps = !strcmp(a->show, "steps") && !a->json;
  s->colour = cli_colour(stdout);
  trm_status st = solve_all(s, &err);
  int code = st == TRM_OK ? CLI_OK : cli_report_error(&err);
  if (code == CLI_OK && a->check && s->invalid) {
    cli_note("%" PRId64 " answer%s not valid", s->invalid, s->invalid == 1 ? " is" : "s are");
    code = CLI_INVALID_ANSWER;
  }
  puzzle_lines_close(&s->in);
  trm_solver_free(s->solver);
  trm_model_free(s->model);
  free(s);
  return cli_finish(code);
}

int cmd_solve(int argc, char **argv) {
  solve_args a = {.show = "final", .file = "-", .halt = "never", .dtype = TRM_DTYPES};
  const cli_option options[] = {
      {"puzzle", CLI_STRING, &a.puzzle, "TEXT", "solve this puzzle, read no file"},
      {"show", CLI_STRING, &a.show, "WHAT", "final (default), or steps: the grid after each step"},
      {"steps", CLI_INT, &a.steps, "S", "supervision steps at most (0: as trained)"},
      {"halt", CLI_STRING, &a.halt, "RULE", "never (default), q or q=LOGIT: early exit, see above"},
      {"check", CLI_FLAG, &a.check, NULL, "exit code 4 when an answer is not valid"},
      {"json", CLI_FLAG, &a.json, NULL, "one JSON object per puzzle"},
      {"threads", CLI_INT, &a.threads, "T", "0: as many as the process may use"},
      {"dtype", CLI_DTYPE, &a.dtype, "FORMAT", "float32 or bfloat16 (default: as trained)"},
      {NULL, CLI_FLAG, NULL, NULL, NULL}};
  int code;
  if (!cli_options_parse(&manual, options, &argc, argv, &code)) return code;
  if (argc < 1 || argc > 2 || (argc == 2 && a.puzzle))
    return cli_usage_error("want MODEL and then a FILE, - for stdin, or --puzzle; see --help");
  if (strcmp(a.show, "final") && strcmp(a.show, "steps"))
    return cli_usage_error("--show: want final or steps, got '%s'", a.show);
  if (!cli_parse_halt(a.halt, &a.halt_rule, &a.halt_margin)) return CLI_USAGE;
  a.model = argv[0];
  if (argc == 2) a.file = argv[1];
  return run_solve(&a);
}
