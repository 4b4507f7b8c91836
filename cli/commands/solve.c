/* trm solve: puzzles as text or from a data set in, answers as text or pictures out. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands/solve_input.h"
#include "cli/commands/solve_show.h"
#include "cli/files.h"
#include "cli/run/find_model.h"
#include "cli/run/model_data.h"

static const cli_manual manual = {
    "trm solve MODEL [FILE|-] [options]",
    "Solves puzzles given as text. MODEL is a model folder, a run folder, a .safetensors\n"
    "file of trm convert, or a published checkpoint step_N with its all_config.yaml beside it.\n"
    "A file of Sudokus may have any usual form: a puzzle a line with anything beside it, a\n"
    "table (CSV), nine lines, .sdk, OpenSudoku's XML ... (docs/BUILD_DATA.md). A cell is a digit\n"
    "(then A, B ... above 9) or a blank, such as '.' or 0; 16x16 may be 0 to F with '.' for a "
    "blank.\n"
    "Other kinds are one puzzle a line, rows separated by '/': a maze is ##S./#..G, an ARC\n"
    "grid 012/340, a grid whose symbols have several characters \"12 7 / 3 10\". Empty lines and\n"
    "comments are skipped; a comment starts with #, or with // where # is a symbol, as in mazes.\n"
    "Each answer is one line: the grid, whether it keeps the rules and what was given (-\n"
    "where no rules are known), q (how sure the model is, 0 to 1), the supervision steps\n"
    "taken, and with --verify whether the rules ended it: accepted: yes, no, or by search\n"
    "(JSON: accepted, found). A line that cannot be read is answered by one that begins with\n"
    "\"error: \" (with --json by {\"line\": ..., \"error\": ...}); the others go on, and the exit\n"
    "code is 3. Without FILE on a terminal puzzles are asked for, until Ctrl-D or Ctrl-C.\n"
    "--show steps shows the grid after each step: on a terminal in one place, with marks of what\n"
    "was given (bold; without colour 5'), what changed [5] and what breaks a rule !5!; into a\n"
    "pipe below each other; with --json as the key trace, a list of objects with the names of\n"
    "the events of trm serve (docs/SERVE.md). --show latents also decodes each latent by the\n"
    "output head, as Fig. 6 of the paper does: z_H is the answer, z_L is not. --svg draws what\n"
    "is shown; steps are an animation, which is at rest for who wants less motion.\n"
    "With --data the puzzles are examples of a data set, with their puzzle ids, which ARC\n"
    "needs; then the line also says whether the answer is equal to the label.\n"
    "Many puzzles are solved side by side; answers come in the order of the "
    "puzzles.\n" CLI_HALT_ABOUT CLI_THINK_ABOUT
    "Some models come with the program: MODEL may be a name that `trm models` lists, and is not\n"
    "needed for a Sudoku by --puzzle that one of them is for.\n",
    "Examples:\n"
    "  trm solve sudoku9 --show grid --puzzle \\\n"
    "      53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79\n"
    "  trm solve runs/Sudoku6-trm/first puzzles.txt --check\n"
    "  trm solve sudoku9 puzzles.txt --views 8 --select first\n"
    "  trm solve runs/Sudoku6-trm/first --show steps \\\n"
    "      --puzzle '.3.5...4.......4..62...3.....21.....'\n"
    "  trm solve sudoku6 --steps 3 --show latents --svg latents.svg \\\n"
    "      --puzzle '.3.5...4.......4..62...3.....21.....'\n"
    "  trm solve sudoku9                    # asks for puzzles\n"
    "  trm solve sudoku9 puzzles.txt --show steps --svg steps.svg\n"
    "  trm solve runs/Maze10-trm/first --data data/maze10 --index 3 --show grid\n"
    "  head -n 3 puzzles.txt | trm solve runs/Sudoku6-trm/first - --json --halt q\n"};

enum {
  /* Puzzles solved side by side when they come from a file or a pipe. */
  SOLVE_BATCH = 32,
  /* Puzzles read and not yet printed: with 16 steps no finished one has to wait for room. */
  SOLVE_WINDOW = 16 * SOLVE_BATCH,
  /* Fewer of them where grids are large. */
  SOLVE_WINDOW_BYTES = 64 << 20
};

static const double PACE = 0.4; /* seconds of a step that is watched */

typedef struct solve_args {
  const char *model, *show_name, *halt, *svg;
  bool still; /* of a picture of steps */
  double pace;
  solve_source source;
  solve_what show;
  trm_halt halt_rule;
  cli_thinking think;
  double halt_margin;
  trm_dtype dtype; /* TRM_DTYPES: the model's */
  int steps, threads;
  trm_device device;
  bool json, check;
} solve_args;

typedef struct solve_puzzle {
  int32_t *question, *answer, *label; /* [cells] */
  int64_t index;                      /* in the data set; -1: none, and no label */
  int32_t id;
  double q_logit;
  int steps;
  bool accepted, searched; /* by the rules; after a search */
  bool done;
  bool halted;     /* by --halt */
  trm_error error; /* code other than TRM_OK: why it has no answer */
} solve_puzzle;

typedef struct solve_run {
  const solve_args *args;
  trm_model *model;
  trm_thinker *thinker;
  solve_input in;
  const trm_puzzle *puzzle;
  int cells, batch, steps;
  solve_show show;
  int64_t invalid, untrained, failed;
  int64_t accepted, found; /* by the rules (--verify); and how many of them by a search */
  int64_t hasty;         /* of the invalid ones, those that --halt stopped before their last step */
  bool more;             /* the input may hold another puzzle */
  int64_t read, printed; /* puzzles; those between are in the window */
  int window_size;       /* puzzle i is at i % window_size */
  solve_puzzle *window;
  int32_t *cells_of_window; /* [window_size, 3, cells] */
  solve_puzzle **at;        /* by place of the thinker */
  char *text;               /* [2, text_size]: question and answer */
  size_t text_size;
} solve_run;

/* ---- what is needed ---- */

/* Room for the puzzles in the window and what is printed of them. */
static trm_status take_memory(solve_run *s, trm_error *err) {
  size_t cells = (size_t)s->cells, most = SOLVE_WINDOW_BYTES / (3 * sizeof(int32_t) * cells);
  s->window_size = most < SOLVE_WINDOW ? (int)most : SOLVE_WINDOW;
  if (s->window_size < s->batch) s->window_size = s->batch;
  s->window = calloc((size_t)s->window_size, sizeof *s->window);
  s->cells_of_window = calloc((size_t)s->window_size * 3 * cells, sizeof(int32_t));
  s->text_size = trm_puzzle_text_size(s->puzzle);
  s->text = calloc(2, s->text_size);
  if (!s->window || !s->cells_of_window || !s->text)
    return cli_fail(err, TRM_E_MEMORY, -1, "no memory to solve puzzles of %d cells", s->cells);

  /* Each puzzle has its three grids side by side. */
  for (int i = 0; i < s->window_size; i++) {
    int32_t *at = s->cells_of_window + 3 * cells * (size_t)i;
    s->window[i] = (solve_puzzle){.question = at, .answer = at + cells, .label = at + 2 * cells};
  }
  return TRM_OK;
}

/* The data say of a published checkpoint what it does not say itself. */
static trm_status load_model(solve_run *s, trm_error *err) {
  char path[TRM__PATH_MAX];
  const solve_args *a = s->args;
  trm_dataset *data;
  bool published = false;
  const char *which;
  if (a->source.data) {
    CLI_TRY(cli_find_model(a->model, path, &which, err));
    CLI_TRY(trm_published_is(path, &published, err));
  }
  if (!published) return cli_load_model(a->model, NULL, path, &s->model, err);
  CLI_TRY(trm_dataset_open(a->source.data, a->source.split, &data, err));
  trm_status st = cli_load_model(a->model, trm_dataset_get_info(data), path, &s->model, err);
  trm_dataset_free(data);
  return st;
}

static trm_status open_model(solve_run *s, trm_error *err) {
  const solve_args *a = s->args;
  CLI_TRY(cli_check_writable(a->svg, err));
  CLI_TRY(load_model(s, err));
  CLI_TRY(cli_check_draws(&a->think.how, s->model, err));
  if (a->dtype != TRM_DTYPES) CLI_TRY(trm_model_set_dtype(s->model, a->dtype, err));
  const trm_model_config *c = trm_model_get_config(s->model);
  CLI_TRY(solve_input_open(&s->in, &a->source, c, err));
  s->puzzle = &s->in.puzzle;
  s->cells = c->seq_len;
  s->batch = a->source.puzzle || solve_show_follows(&s->show) ? 1 : SOLVE_BATCH;
  s->steps = a->steps ? a->steps : c->halt_max_steps;
  CLI_TRY(take_memory(s, err));
  const trm_queue_config config = {.rows = s->batch,
                                   .threads = a->threads,
                                   .latents = a->show == SHOW_LATENTS,
                                   .logits = solve_show_logits(&s->show),
                                   .device = a->device};
  CLI_TRY(trm_thinker_create(s->model, &config, &a->think.how, s->puzzle, &s->thinker, err));
  s->at = calloc((size_t)trm_thinker_places(s->thinker), sizeof *s->at);
  if (!s->at) return cli_fail(err, TRM_E_MEMORY, -1, "no memory to solve puzzles");
  return solve_show_open(&s->show, s->puzzle, c, s->steps,
                         trm_queue_solver(trm_thinker_queue(s->thinker)), err);
}

static void close_all(solve_run *s) {
  solve_input_close(&s->in);
  trm_thinker_free(s->thinker);
  trm_model_free(s->model);
  solve_show_close(&s->show);
  free(s->window);
  free(s->cells_of_window);
  free(s->text);
  free(s->at);
  free(s);
}

/* ---- puzzle ids ---- */

/* A model of one id only knows no tasks to tell apart. */
static void check_id(solve_run *s, const solve_puzzle *p) {
  static const char remedy[] = "teach it with trm finetune MODEL --task FILE.json";
  int known = trm_model_get_config(s->model)->num_puzzle_identifiers;
  const char *name = puzzle_name(s->in.names, p->id);
  if (known == 1 || trm_model_puzzle_is_trained(s->model, p->id, s->in.blank_id)) return;
  if (s->untrained++ > 0) return;
  if (p->index < 0)
    cli_warn("a puzzle given as text has no id, and this model answers tasks by their ids; %s",
             remedy);
  else
    cli_warn("puzzle id %" PRId32 "%s%.100s was not trained: the model does not know this task; %s",
             p->id, name ? " " : "", name ? name : "", remedy);
}

/* ---- answers ---- */

static double probability(double logit) {
  return 1 / (1 + exp(-logit));
}

static solve_shown shown(const solve_puzzle *p) {
  return (solve_shown){.question = p->question,
                       .answer = p->answer,
                       .q = probability(p->q_logit),
                       .steps = p->steps,
                       .done = p->done};
}

static trm_puzzle_box answer_box(const solve_run *s, const solve_puzzle *p) {
  return step_answer_box(s->puzzle, p->question, p->answer);
}

static bool is_same_grid(const solve_run *s, const solve_puzzle *p) {
  trm_puzzle_box want = trm_puzzle_locate(s->puzzle, p->label), got = answer_box(s, p);
  if (want.row != got.row || want.col != got.col || want.rows != got.rows || want.cols != got.cols)
    return false;
  for (int row = want.row; row < want.row + want.rows; row++) {
    size_t first = (size_t)row * (size_t)s->puzzle->cols + (size_t)want.col;
    if (memcmp(p->label + first, p->answer + first, (size_t)want.cols * sizeof *p->label) != 0)
      return false;
  }
  return true;
}

/* Of tasks the grids are compared, otherwise all cells that the label scores. */
static bool is_label(const solve_run *s, const solve_puzzle *p) {
  if (trm_puzzle_facts_of(s->puzzle)->tasks) return is_same_grid(s, p);
  for (int i = 0; i < s->cells; i++)
    if (p->label[i] != TRM_IGNORE_LABEL && p->label[i] != p->answer[i]) return false;
  return true;
}

/* ---- solving ---- */

/* Reads the next puzzle and submits it. */
static trm_status add_puzzle(solve_run *s, solve_puzzle *p, trm_error *err) {
  const solve_args *a = s->args;
  int at;
  CLI_TRY(solve_input_next(&s->in, p->question, p->label, &p->id, &p->index, &s->more, err));
  CLI_TRY(cli_faults_check(err)); /* what was answered before is printed */
  if (!s->more) return TRM_OK;
  check_id(s, p);
  const trm_queue_puzzle puzzle = {.inputs = p->question,
                                   .puzzle_id = p->id,
                                   .steps = s->steps,
                                   .halt = a->halt_rule,
                                   .halt_margin = a->halt_margin};
  CLI_TRY(trm_thinker_submit(s->thinker, &puzzle, &at, err));
  s->at[at] = p;
  return TRM_OK;
}

/* Fills the queue from the input. Who sends puzzles one by one, and perhaps waits for each
 * answer, keeps nothing waiting: what is there goes on. */
static trm_status add_puzzles(solve_run *s, trm_error *err) {
  for (; trm_thinker_room(s->thinker); s->read++) {
    solve_puzzle *p = &s->window[s->read % s->window_size];
    if (!s->more || s->read - s->printed == s->window_size) return TRM_OK;
    if (s->read > s->printed && !solve_input_ready(&s->in)) return TRM_OK;
    p->error = (trm_error){.code = TRM_OK};
    trm_status st = add_puzzle(s, p, &p->error);
    p->done = cli_is_of_one(st);
    if (p->done) continue;
    if (st != TRM_OK) *err = p->error;
    if (st != TRM_OK || !s->more) return st;
    if (solve_show_follows(&s->show)) solve_show_begin(&s->show, p->question);
  }
  return TRM_OK;
}

/* Takes over an answer, which may change while it is not done, and how it was chosen. */
static void take_answer(solve_run *s, const trm_queue_answer *a, const trm_choice *choice) {
  solve_puzzle *p = s->at[a->place];
  memcpy(p->answer, a->answer, (size_t)s->cells * sizeof *p->answer);
  p->q_logit = (double)a->q_halt;
  p->steps = a->steps;
  p->accepted = choice->accepted;
  p->searched = choice->searched > 0;
  p->halted = a->halted;
  p->done = a->done;
  if (!solve_show_follows(&s->show)) return;
  solve_shown now = shown(p);
  now.latents = a->latents;
  now.logits = a->logits;
  solve_show_step(&s->show, &now);
}

static void take_step(solve_run *s) {
  trm_queue_answer a;
  trm_choice choice = {0};
  for (int i = 0; solve_show_follows(&s->show) && trm_thinker_look(s->thinker, i, &a); i++)
    take_answer(s, &a, &choice);
  while (trm_thinker_take(s->thinker, &a, &choice)) take_answer(s, &a, &choice);
}

/* What is known of an answer. */
typedef struct verdict {
  bool has_rules, valid, has_label, equal;
} verdict;

static verdict judge(solve_run *s, const solve_puzzle *p) {
  verdict v = {.has_rules = trm_puzzle_has_rules(s->puzzle), .has_label = p->index >= 0};
  v.valid = v.has_rules && trm_puzzle_solves(s->puzzle, p->question, p->answer);
  v.equal = v.has_label && is_label(s, p);
  const bool wrong = v.has_rules ? !v.valid : v.has_label && !v.equal;
  s->invalid += wrong;
  s->accepted += p->accepted;
  s->found += p->accepted && p->searched;
  s->hasty += wrong && s->args->halt_rule != TRM_HALT_NEVER && p->steps < s->steps;
  return v;
}

static trm_status print_json(solve_run *s, const solve_puzzle *p, const char *question,
                             const char *answer, const verdict *v, trm_error *err) {
  trm__json_out o = solve_show_json(&s->show);

  /* What every answer has. */
  trm__json_put_text(&o, "puzzle", question);
  trm__json_put_text(&o, "answer", answer);
  if (v->has_rules)
    trm__json_put_bool(&o, "valid", v->valid);
  else
    trm__json_put_null(&o, "valid");
  trm__json_put_real(&o, "q", probability(p->q_logit));
  trm__json_put_int(&o, "steps", p->steps);
  trm__json_put_bool(&o, "halted", p->halted);
  step_json_violations(&o, s->puzzle, p->question, p->answer);
  if (s->args->think.how.verify) {
    trm__json_put_bool(&o, "accepted", p->accepted);
    trm__json_put_bool(&o, "found", p->accepted && p->searched);
  }

  /* What only examples of a data set have. */
  if (v->has_label) {
    const char *name = puzzle_name(s->in.names, p->id);
    trm__json_put_int(&o, "index", p->index);
    trm__json_put_int(&o, "id", p->id);
    trm__json_put_text(&o, "label", v->equal ? "equal" : "different");
    if (name) trm__json_put_text(&o, "name", name);
  }
  trm__json_close(&o);
  return cli_print_json(&o, stdout, err);
}

static trm_status print_failed(solve_run *s, const solve_puzzle *p, trm_error *err) {
  const bool has_index = p->index >= 0;
  s->failed++;
  if (s->args->svg) { /* nothing but a picture may be on stdout */
    cli_report_error(&p->error);
    return TRM_OK;
  }
  return cli_print_failed(&p->error, s->args->json, has_index ? "index" : "line",
                          has_index ? p->index : p->error.pos, err);
}

static trm_status print_puzzle(solve_run *s, const solve_puzzle *p, trm_error *err) {
  char *question = s->text, *answer = s->text + s->text_size;
  if (p->error.code != TRM_OK) return print_failed(s, p, err);
  verdict v = judge(s, p);
  trm_puzzle_format(s->puzzle, p->question, question, s->text_size);
  trm_puzzle_format_box(s->puzzle, p->answer, answer_box(s, p), answer, s->text_size);
  if (s->args->json) return print_json(s, p, question, answer, &v, err);

  /* What is known of the answer, in one line behind it. */
  char about[100];
  const solve_shown a = shown(p);
  snprintf(about, sizeof about, "valid: %s  q %.3f  steps %d%s%s",
           !v.has_rules ? "-"
           : v.valid    ? "yes"
                        : "no",
           a.q, a.steps,
           !s->args->think.how.verify ? ""
           : !p->accepted             ? "  accepted: no"
           : p->searched              ? "  accepted: by search"
                                      : "  accepted: yes",
           !v.has_label ? ""
           : v.equal    ? "  label: equal"
                        : "  label: different");
  solve_show_answer(&s->show, &a, about);
  if (!s->args->svg) printf("%s  %s\n", answer, about);
  return TRM_OK;
}

/* The answers that no earlier puzzle holds back. */
static trm_status print_done(solve_run *s, trm_error *err) {
  int64_t first = s->printed;
  for (; s->printed < s->read && s->window[s->printed % s->window_size].done; s->printed++)
    CLI_TRY(print_puzzle(s, &s->window[s->printed % s->window_size], err));
  return s->printed > first ? cli_flush_answers(err) : TRM_OK;
}

/* True of a run that a signal ended, with *err. */
static bool is_interrupted(const solve_run *s, trm_error *err) {
  if (!cli_interrupted()) return false;
  cli_fail(err, TRM_E_INTERRUPTED, -1, "interrupted after %" PRId64 " answer%s", s->printed,
           TRM__S(s->printed));
  return true;
}

static trm_status solve_all(solve_run *s, trm_error *err) {
  CLI_TRY(open_model(s, err));
  cli_faults_defer();
  s->more = true;

  /* Puzzles go in while there is room, the queue makes a step, answers come out. */
  while (s->more || trm_thinker_busy(s->thinker)) {
    trm_status st = add_puzzles(s, err);
    CLI_TRY(print_done(s, err)); /* also those that failed at once */
    if (is_interrupted(s, err)) return TRM_E_INTERRUPTED;
    if (st != TRM_OK) return st;
    if (trm_thinker_busy(s->thinker) == 0) continue;
    CLI_TRY(trm_thinker_step(s->thinker, err));
    take_step(s);
    CLI_TRY(print_done(s, err));
  }
  if (s->read == 0 && !solve_input_typed(&s->in))
    return cli_fail(err, TRM_E_FORMAT, -1, "%s holds no puzzle: want one a line", s->in.name);
  return solve_show_end(&s->show, err);
}

/* --check: by the rules, or where there are none by the labels. */
static int check_answers(const solve_run *s) {
  if (!trm_puzzle_has_rules(s->puzzle) && !s->in.data)
    cli_warn("--check: no rules are known for this puzzle and no answers: nothing was checked");
  if (!s->invalid) return CLI_OK;
  cli_note("%" PRId64 " answer%s not %s", s->invalid, s->invalid == 1 ? " is" : "s are",
           trm_puzzle_has_rules(s->puzzle) ? "valid" : "equal to the label");
  return CLI_INVALID_ANSWER;
}

/* What is known of all puzzles only at their end. */
static void tell_of_puzzles(const solve_run *s) {
  const int64_t answers = s->printed - s->failed;
  if (s->args->think.how.verify && answers > 1)
    cli_note("accepted by the rules: %" PRId64 " of %" PRId64 " answers, %" PRId64
             " of them found by search: this is what model and rules do together",
             s->accepted, answers, s->found);
  if (s->failed > 1)
    cli_note("%" PRId64 " of %" PRId64 " puzzles have no answer", s->failed, s->printed);
  if (s->untrained > 1)
    cli_warn("%" PRId64 " puzzles have ids that were not trained", s->untrained);
  if (s->hasty)
    cli_warn("%" PRId64
             " of the answers that --halt stopped early %s wrong: with a higher q=LOGIT, "
             "or without --halt, the model takes more steps",
             s->hasty, s->hasty == 1 ? "is" : "are");
}

static int run_solve(const solve_args *a) {
  trm_error err = {0};
  solve_run *s = calloc(1, sizeof *s);
  if (!s) {
    cli_fail(&err, TRM_E_MEMORY, -1, "no memory to solve puzzles");
    return cli_report_error(&err);
  }
  s->args = a;
  cli_note_device(a->device);
  s->show = (solve_show){
      .what = a->show, .json = a->json, .svg = a->svg, .still = a->still, .pace = a->pace};
  trm_status st = solve_all(s, &err);
  int code = st == TRM_OK ? CLI_OK : cli_report_error(&err);

  /* What is said of all puzzles together, and the exit code that it makes. */
  tell_of_puzzles(s);
  if (code == CLI_OK && s->failed) code = CLI_BAD_DATA;
  if (code == CLI_OK && a->check) code = check_answers(s);
  close_all(s);
  return cli_finish(code);
}

/* What is shown, and how; false after a usage error. */
static bool check_show(solve_args *a) {
  a->show = solve_what_named(a->show_name);
  if (a->show == SHOW_KINDS) {
    cli_usage_error("--show: want final, grid, steps or latents, got '%s'", a->show_name);
    return false;
  }

  /* A picture is in place of what would be printed. */
  if (a->svg && a->json) {
    cli_usage_error("--svg draws what --json tells: want one of them");
    return false;
  }
  if (a->svg && a->show == SHOW_FINAL) a->show = SHOW_GRID;

  /* Steps in one place, one after the other. */
  const bool steps = a->show == SHOW_STEPS && !a->json, paced = !isnan(a->pace);
  if (a->still && !(steps && a->svg)) {
    cli_usage_error("--still belongs to --show steps --svg FILE: other pictures do not move");
    return false;
  }
  if (paced && (!steps || a->still)) {
    cli_usage_error(
        "--pace is of --show steps, on a terminal or with --svg as a picture that moves");
    return false;
  }
  if (!paced) a->pace = PACE;
  if (a->svg && a->pace == 0) {
    cli_usage_error("--pace 0: a picture that moves wants more; --still has all steps at once");
    return false;
  }
  return true;
}

/* What belongs together; false after a usage error. */
static bool check_usage(solve_args *a, int argc) {
  const solve_source *from = &a->source;
  if (argc > 2 || (argc == 2) + !!from->puzzle + !!from->data > 1) {
    cli_usage_error(
        "want MODEL and then a FILE, - for stdin, --puzzle or --data; see trm solve --help");
    return false;
  }
  if (!from->data && (from->first != 0 || from->count != 1)) {
    cli_usage_error("--index and --count belong to --data");
    return false;
  }

  /* Words that have to be known ones. */
  if (!check_show(a)) return false;
  if (!cli_parse_halt(a->halt, &a->halt_rule, &a->halt_margin)) return false;
  if (!cli_think(&a->think, a->halt_rule)) return false;
  if ((trm_thinking_tries(&a->think.how) > 1 || a->think.how.verify) && a->show >= SHOW_STEPS) {
    cli_usage_error("--show %s follows one try of a puzzle, not several, and without --verify",
                    a->show_name);
    return false;
  }
  return true;
}

int cmd_solve(int argc, char **argv) {
  solve_args a = {.source = {.file = "-", .split = "test", .count = 1},
                  .show_name = "final",
                  .halt = "never",
                  .think = CLI_ONE_TRY,
                  .pace = NAN,
                  .device = CLI_ANY_DEVICE,
                  .dtype = TRM_DTYPES};
  const cli_option options[] = {
      {"puzzle", CLI_STRING, &a.source.puzzle, "TEXT", "solve this puzzle, read no file"},
      {"columns", CLI_STRING, &a.source.columns, "NAMES",
       "of a table of Sudokus: PUZZLE[,SOLUTION], names or numbers from 1"},
      {"data", CLI_STRING, &a.source.data, "DIR", "solve examples of this data set"},
      {"split", CLI_STRING, &a.source.split, "NAME", "of --data: train or test (default test)"},
      {"index", CLI_INT64, &a.source.first, "I", "of --data: the first example (default 0)"},
      {"count", CLI_COUNT, &a.source.count, "N", "of --data: how many (default 1)"},
      {"show", CLI_STRING, &a.show_name, "WHAT",
       "final (default); grid: pictures, too; steps: every step; latents: all of them decoded"},
      {"svg", CLI_STREAM, &a.svg, "FILE.svg",
       "draw what is shown (default grid; steps move) and print nothing; - is stdout"},
      {"still", CLI_FLAG, &a.still, NULL, "with --show steps --svg: below each other, at rest"},
      {"pace", CLI_DOUBLE, &a.pace, "SECONDS",
       "of --show steps: how long each is seen on a terminal or in a picture (default 0.4)"},
      CLI_STEPS_ROW(&a.steps),
      CLI_HALT_ROW(&a.halt),
      CLI_THINK_ROWS(&a.think),
      {"check", CLI_FLAG, &a.check, NULL,
       "exit code 4 when one is not valid (no rules: not the label)"},
      {"json", CLI_FLAG, &a.json, NULL, "one JSON object per puzzle"},
      CLI_DEVICE_ROW(&a.device),
      {"threads", CLI_INT, &a.threads, "T", "0: as many as the process may use"},
      {"dtype", CLI_DTYPE, &a.dtype, "FORMAT", "float32, bfloat16 or int8 (default: as trained)"},
      {NULL, CLI_FLAG, NULL, NULL, NULL}};

  /* A folder in place of a file is a data set that wants --data. */
  int code;
  if (!cli_options_parse(&manual, options, &argc, argv, &code)) return code;
  if (!check_usage(&a, argc)) return CLI_USAGE;
  if (argc == 2 && trm__path_is_dir(argv[1])) return model_data_refuse_folder(argv[0], argv[1]);

  char name[80];
  a.model = argc ? argv[0] : NULL;
  if (!solve_input_model(&a.model, &a.source, name, sizeof name)) return CLI_USAGE;
  if (argc == 2) a.source.file = argv[1];
  return run_solve(&a);
}
