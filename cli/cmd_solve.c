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
    "model folder or a run folder. Each answer is one line: the grid, whether it keeps the rules\n"
    "and the givens, q (how sure the model is, 0 to 1) and the supervision steps taken.\n",
    "Examples:\n"
    "  trm solve runs/Sudoku6-trm/first puzzles.txt --check\n"
    "  trm solve runs/Sudoku6-trm/first --show steps --puzzle "
    "'..3..6.5....1..2....4..3....6.2..5..'\n"
    "  head -n 3 puzzles.txt | trm solve runs/Sudoku6-trm/first - --json --halt q\n"};

/* Puzzles solved at once when they come from a file or a pipe. */
enum { SOLVE_BATCH = 32 };

typedef struct solve_args {
  const char *model, *file, *puzzle, *show, *halt;
  trm_dtype dtype; /* TRM_DTYPES: the model's */
  int steps, threads;
  bool json, check;
} solve_args;

typedef struct solve_run {
  const solve_args *args;
  trm_model *model;
  trm_solver *solver;
  trm_puzzle puzzle;
  int cells, batch, steps;
  bool show_steps, halt_by_q, colour;
  int64_t solved, invalid;
  puzzle_lines in;
  /* Per row of a batch. */
  uint8_t question[SOLVE_BATCH][TRM_SUDOKU_MAX_CELLS], answer[SOLVE_BATCH][TRM_SUDOKU_MAX_CELLS];
  uint8_t before[TRM_SUDOKU_MAX_CELLS]; /* of the only row with show_steps */
  double q_logit[SOLVE_BATCH];
  int steps_taken[SOLVE_BATCH];
  bool halted[SOLVE_BATCH];
  int32_t tokens[SOLVE_BATCH * TRM_SUDOKU_MAX_CELLS];
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
  /* Someone who types, or watches the steps, wants each answer at once. */
  s->batch = s->args->puzzle || s->show_steps || cli_is_terminal(s->in.f) ? 1 : SOLVE_BATCH;
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

/* --show steps: the grid after a step, or one line when nothing moved. */
static void show_step(solve_run *s, int step) {
  int changed = 0;
  for (int i = 0; i < s->cells; i++) changed += s->before[i] != s->answer[0][i];
  printf("step %d of %d: %d cell%s changed, q %.3f\n", step, s->steps, changed,
         changed == 1 ? "" : "s", probability(s->q_logit[0]));
  if (changed)
    grid_view_draw(&s->puzzle, s->question[0], s->before, s->answer[0], s->colour, stdout);
  memcpy(s->before, s->answer[0], sizeof s->before);
  fflush(stdout);
}

/* Takes over the answers of the rows that still run; returns how many go on. */
static int take_answers(solve_run *s, int n, int step) {
  const int32_t *answer = trm_solver_answer(s->solver);
  const float *q = trm_solver_q_halt(s->solver);
  int running = 0;
  for (int row = 0; row < n; row++) {
    if (s->halted[row]) continue;
    tokens_to_values(s, answer + (size_t)row * (size_t)s->cells, s->answer[row]);
    s->q_logit[row] = (double)q[row];
    s->steps_taken[row] = step;
    s->halted[row] = s->halt_by_q && q[row] > 0;
    running += !s->halted[row];
  }
  return running;
}

static trm_status solve_batch(solve_run *s, int n, trm_error *err) {
  for (int row = 0; row < n; row++) {
    s->halted[row] = false;
    for (int i = 0; i < s->cells; i++) s->tokens[row * s->cells + i] = s->question[row][i] + 1;
  }
  CLI_TRY(trm_solver_start(s->solver, n, s->tokens, NULL, err));
  if (s->show_steps) {
    memcpy(s->before, s->question[0], sizeof s->before);
    printf("the puzzle%s\n",
           s->colour ? "" : "; below, [5] is a cell that changed, !5! a given overwritten");
    grid_view_draw(&s->puzzle, s->question[0], s->before, s->before, s->colour, stdout);
  }
  int running = n;
  for (int step = 1; running > 0 && step <= s->steps; step++) {
    if (cli_interrupted())
      return cli_fail(err, TRM_E_INTERRUPTED, -1, "interrupted in supervision step %d", step);
    trm_solver_step(s->solver);
    running = take_answers(s, n, step);
    if (s->show_steps) show_step(s, step);
  }
  return TRM_OK;
}

static trm_status print_row(solve_run *s, int row, trm_error *err) {
  char question[TRM_SUDOKU_MAX_CELLS + 1], answer[TRM_SUDOKU_MAX_CELLS + 1];
  bool valid = trm_sudoku_solves(&s->puzzle, s->question[row], s->answer[row]);
  double q = probability(s->q_logit[row]);
  s->solved++;
  s->invalid += !valid;
  trm_sudoku_format(&s->puzzle, s->question[row], question);
  trm_sudoku_format(&s->puzzle, s->answer[row], answer);
  if (!s->args->json) {
    printf("%s  valid: %s  q %.3f  steps %d\n", answer, valid ? "yes" : "no", q,
           s->steps_taken[row]);
    return TRM_OK;
  }
  json_t *line = json_pack("{s:s, s:s, s:b, s:f, s:i}", "puzzle", question, "answer", answer,
                           "valid", valid, "q", q, "steps", s->steps_taken[row]);
  if (!line) return cli_fail(err, TRM_E_NUMERIC, -1, "q of an answer is not a number");
  json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
  json_decref(line);
  fputc('\n', stdout);
  return TRM_OK;
}

static trm_status finish_batch(solve_run *s, int n, trm_error *err) {
  if (n == 0) return TRM_OK;
  CLI_TRY(solve_batch(s, n, err));
  for (int row = 0; row < n; row++) CLI_TRY(print_row(s, row, err));
  if (fflush(stdout) != 0) {
    int cause = errno;
    clearerr(stdout); /* it is said here, cli_finish need not */
    return cli_fail(err, TRM_E_IO, -1, "the answers could not be written to stdout: %s",
                    strerror(cause));
  }
  return TRM_OK;
}

/* Answers what stands before a bad line, then fails with it. */
static trm_status solve_all(solve_run *s, trm_error *err) {
  bool more = true;
  trm_status bad = TRM_OK;
  trm_error later = {0};
  CLI_TRY(open_model(s, err));
  while (more && bad == TRM_OK) {
    int n = 0;
    for (; n < s->batch && bad == TRM_OK; n++) {
      bad = puzzle_lines_next(&s->in, &s->puzzle, s->question[n], &more, &later);
      if (bad != TRM_OK || !more) break;
    }
    CLI_TRY(finish_batch(s, n, err));
  }
  if (bad == TRM_OK && s->solved == 0) cli_note("%s holds no puzzle", s->in.name);
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
  s->halt_by_q = a->halt != NULL;
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
  solve_args a = {.show = "final", .file = "-", .dtype = TRM_DTYPES};
  const cli_option options[] = {
      {"puzzle", CLI_STRING, &a.puzzle, "TEXT", "solve this puzzle, read no file"},
      {"show", CLI_STRING, &a.show, "WHAT", "final (default), or steps: the grid after each step"},
      {"steps", CLI_INT, &a.steps, "S", "supervision steps (0: as trained)"},
      {"halt", CLI_STRING, &a.halt, "q", "stop a puzzle once q says it is right"},
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
  if (a.halt && strcmp(a.halt, "q")) return cli_usage_error("--halt: want q, got '%s'", a.halt);
  a.model = argv[0];
  if (argc == 2) a.file = argv[1];
  return run_solve(&a);
}
