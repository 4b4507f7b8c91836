/* See solve_show.h. */
#include "cli/commands/solve_show.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/pictures/grid_style.h"

static const char *const words[SHOW_KINDS] = {"final", "grid", "steps", "latents"};

solve_what solve_what_named(const char *word) {
  int what = 0;
  while (what < SHOW_KINDS && strcmp(word, words[what]) != 0) what++;
  return (solve_what)what;
}

bool solve_show_follows(const solve_show *s) {
  return s->what == SHOW_STEPS || s->what == SHOW_LATENTS;
}

bool solve_show_logits(const solve_show *s) {
  return s->json && solve_show_follows(s);
}

/* Whether steps are drawn over each other: on a terminal, or as a picture that moves. */
static bool is_live(const solve_show *s) {
  return s->what == SHOW_STEPS && !s->json && !s->svg && s->screen.redraws;
}
static bool is_film(const solve_show *s) {
  return s->what == SHOW_STEPS && s->svg && !s->still;
}

/* ---- what is needed ---- */

static trm_status take_grids(solve_show *s, const trm_solver *solver, trm_error *err) {
  solve_grids *g = &s->grids;
  const bool latents = s->what == SHOW_LATENTS;
  g->n = latents ? trm_solver_latent_count(solver) : 1;
  g->answer = latents ? trm_solver_answer_latent(solver) : 0;
  const size_t n = (size_t)g->n;
  g->names = latents ? calloc(n, sizeof *g->names) : NULL;
  g->before = calloc(n * (size_t)s->cells, sizeof *g->before);
  g->views = calloc(n, sizeof *g->views);
  g->titles = calloc(n, sizeof *g->titles);
  g->as_answer = calloc(2 * n, sizeof *g->as_answer);
  if ((latents && !g->names) || !g->before || !g->views || !g->titles || !g->as_answer)
    return cli_fail(err, TRM_E_MEMORY, -1, "no memory to show the steps of %d cells", s->cells);
  for (int i = 0; latents && i < g->n; i++) g->names[i] = trm_solver_latent_name(solver, i);
  return TRM_OK;
}

trm_status solve_show_open(solve_show *s, const trm_puzzle *p, const trm_model_config *model,
                           int steps, const trm_solver *solver, trm_error *err) {
  s->puzzle = p;
  s->cells = model->seq_len;
  s->vocab = model->vocab_size;
  s->steps = steps;
  s->colour = !s->svg && cli_colour(stdout);
  grid_screen_open(&s->screen, s->pace);
  if (s->svg) CLI_TRY(grid_svg_begin(&s->picture, p, err));
  return solve_show_follows(s) ? take_grids(s, solver, err) : TRM_OK;
}

void solve_show_close(solve_show *s) {
  solve_grids *g = &s->grids;
  trm__json_drop(&s->line);
  grid_svg_drop(&s->picture);
  free(g->names);
  free(g->before);
  free(g->views);
  free(g->titles);
  free(g->as_answer);
}

/* ---- grids ---- */

static grid_view view_of(const solve_show *s, const int32_t *tokens, trm_puzzle_box box) {
  return (grid_view){
      .puzzle = s->puzzle, .tokens = tokens, .box = box, .colour = s->colour, .ticked = is_live(s)};
}

/* Cells in the box whose tokens are the same; with a question only those that it leaves open. */
static int count_same(const trm_puzzle *p, trm_puzzle_box box, const int32_t *a, const int32_t *b,
                      const int32_t *question) {
  int same = 0;
  for (int row = box.row; row < box.row + box.rows; row++)
    for (int col = box.col; col < box.col + box.cols; col++) {
      const int cell = row * p->cols + col;
      same += a[cell] == b[cell] && !(question && grid_style_is_given(p, question[cell]));
    }
  return same;
}

/* ---- a puzzle, step by step ---- */

/* What the marks of a picture mean. */
static const char *picture_title(const trm_puzzle *p) {
  if (!trm_puzzle_facts_of(p)->blank) return "the puzzle; a corner: changed";
  return trm_sudoku_known(p) ? "the puzzle; a corner: changed, hatched: breaks a rule"
                             : "the puzzle; a corner: changed, hatched: a given overwritten";
}

/* The question is its own; below it a change is told by marks, which are explained once. */
static void draw_question(solve_show *s, const int32_t *question) {
  grid_view v = view_of(s, question, trm_puzzle_locate(s->puzzle, question));
  v.question = v.before = question;
  if (is_live(s)) {
    grid_screen_begin(&s->screen);
    grid_screen_show(&s->screen, "the puzzle", &v, true);
  } else if (is_film(s)) {
    grid_svg_film(&s->picture, s->pace);
    grid_svg_frame(&s->picture, picture_title(s->puzzle), &v);
  } else if (s->svg) {
    grid_svg_add(&s->picture, picture_title(s->puzzle), &v, 1, false);
  } else {
    printf("the puzzle%s\n",
           s->colour ? "" : "; below, [5] is a cell that changed, !5! a given overwritten");
    grid_view_draw(&v, stdout);
  }
}

void solve_show_begin(solve_show *s, const int32_t *question) {
  solve_grids *g = &s->grids;
  const size_t cells = (size_t)s->cells;
  s->began = cli_now();
  for (int i = 0; i < g->n; i++)
    memcpy(g->before + (size_t)i * cells, question, cells * sizeof *g->before);
  if (!s->json) {
    draw_question(s, question);
    return;
  }
  trm__json_drop(&s->line);
  s->line = trm__json_begin(TRM__JSON_COMPACT);
  trm__json_open(&s->line, NULL, '{');
  trm__json_open(&s->line, "trace", '[');
}

/* The grids after a step, with what each has in common with the answer. */
static void set_views(solve_show *s, const solve_shown *a, trm_puzzle_box box) {
  solve_grids *g = &s->grids;
  for (int i = 0; i < g->n; i++) {
    const int32_t *tokens = g->names ? a->latents + (int64_t)i * s->cells : a->answer;
    grid_view *v = &g->views[i];
    *v = view_of(s, tokens, box);
    v->question = a->question;
    v->before = g->before + (int64_t)i * s->cells;
    v->judged = (is_live(s) || s->svg) && i == g->answer;
    if (!g->names) return;
    v->title = g->titles[i];
    if (i == g->answer)
      snprintf(g->titles[i], sizeof g->titles[i], "%s, the answer", g->names[i]);
    else
      snprintf(g->titles[i], sizeof g->titles[i], "%s: %d of %d as %s", g->names[i],
               count_same(s->puzzle, box, tokens, a->answer, NULL), box.rows * box.cols,
               g->names[g->answer]);
  }
}

/* Cells of grid i that the step changed. */
static int count_changed(const solve_show *s, int i) {
  const grid_view *v = &s->grids.views[i];
  return v->box.rows * v->box.cols - count_same(s->puzzle, v->box, v->tokens, v->before, NULL);
}

/* The step as an element of the key trace, with the names of trm serve. */
static void trace_step(solve_show *s, const solve_shown *a) {
  const solve_grids *g = &s->grids;
  const step_state state = {.question = a->question,
                            .before = g->views[g->answer].before,
                            .answer = a->answer,
                            .logits = a->logits,
                            .vocab = s->vocab,
                            .step = a->steps,
                            .q = a->q,
                            .seconds = cli_now() - s->began};
  trm__json_open(&s->line, NULL, '{');
  step_json_put(&s->line, s->puzzle, &state, false);
  if (g->names) trm__json_open(&s->line, "latents", '[');
  for (int i = 0; g->names && i < g->n; i++) {
    const grid_view *v = &g->views[i];
    trm__json_open(&s->line, NULL, '{');
    step_json_latent(&s->line, g->names[i], s->puzzle, false, v->tokens, v->box);
    step_json_changed(&s->line, s->puzzle, v->before, v->tokens, v->box);
    trm__json_put_int(&s->line, "as_answer",
                      count_same(s->puzzle, v->box, v->tokens, a->answer, NULL));
    trm__json_close(&s->line);
  }
  if (g->names) trm__json_close(&s->line);
  trm__json_close(&s->line);
}

/* Where it is drawn over the step before, it also says how many cells break a rule. */
static void name_step(const solve_show *s, const solve_shown *a, int changed, char *text,
                      size_t size) {
  const int wrong = trm_sudoku_violations(s->puzzle, a->question, a->answer);
  const bool judged = (is_live(s) || is_film(s)) && wrong > 0;
  char break_a_rule[40] = "";
  if (judged)
    snprintf(break_a_rule, sizeof break_a_rule, ", %d break%s a rule", wrong,
             wrong == 1 ? "s" : "");
  snprintf(text, size, "step %d of %d: %d cell%s changed%s, q %.3f", a->steps, s->steps, changed,
           TRM__S(changed), break_a_rule, a->q);
}

/* One line when nothing moved; latents are always drawn, for the others may have. */
static void draw_step(solve_show *s, const solve_shown *a) {
  char title[160];
  const solve_grids *g = &s->grids;
  const int changed = count_changed(s, g->answer);
  const bool draws = changed || g->names;
  name_step(s, a, changed, title, sizeof title);
  if (is_live(s)) {
    grid_screen_show(&s->screen, title, g->views, changed > 0);
    return;
  }
  if (s->svg) {
    if (is_film(s))
      grid_svg_frame(&s->picture, title, g->views);
    else
      grid_svg_add(&s->picture, title, g->views, draws ? g->n : 0, false);
    return;
  }
  printf("%s\n", title);
  if (g->names)
    grid_view_draw_row(g->views, g->n, grid_view_terminal_columns(), stdout);
  else if (draws)
    grid_view_draw(g->views, stdout);
  fflush(stdout);
}

/* What the last step of a puzzle adds to the figures of all. */
static void count_answers(solve_show *s, const solve_shown *a, trm_puzzle_box box) {
  solve_grids *g = &s->grids;
  g->puzzles++;
  g->cells += box.rows * box.cols;
  g->open += count_same(s->puzzle, box, a->answer, a->answer, a->question);
  for (int i = 0; i < g->n; i++) {
    const int32_t *tokens = g->views[i].tokens;
    g->as_answer[2 * i] += count_same(s->puzzle, box, tokens, a->answer, NULL);
    g->as_answer[2 * i + 1] += count_same(s->puzzle, box, tokens, a->answer, a->question);
  }
}

void solve_show_step(solve_show *s, const solve_shown *a) {
  solve_grids *g = &s->grids;
  const trm_puzzle_box box = step_answer_box(s->puzzle, a->question, a->answer);
  set_views(s, a, box);
  if (s->json)
    trace_step(s, a);
  else
    draw_step(s, a);
  if (g->names && a->done) count_answers(s, a, box);
  for (int i = 0; i < g->n; i++)
    memcpy(g->before + (int64_t)i * s->cells, g->views[i].tokens,
           (size_t)s->cells * sizeof *g->before);
}

/* ---- and its answer ---- */

void solve_show_answer(solve_show *s, const solve_shown *a, const char *title) {
  grid_view pair[] = {view_of(s, a->question, trm_puzzle_locate(s->puzzle, a->question)),
                      view_of(s, a->answer, step_answer_box(s->puzzle, a->question, a->answer))};
  if (s->what != SHOW_GRID) return;

  /* Marks without colour would make the squares of one grid wider than those of the other. */
  if (s->svg || s->colour || !grid_style_is_pixels(s->puzzle)) pair[1].question = a->question;
  if (s->svg) {
    pair[0].question = a->question;
    pair[1].judged = true;
    grid_svg_add(&s->picture, title, pair, 2, true);
    return;
  }
  pair[0].title = "puzzle";
  pair[1].title = "answer";
  grid_view_draw_row(pair, 2, grid_view_terminal_columns(), stdout);
}

trm__json_out solve_show_json(solve_show *s) {
  trm__json_out o = s->line;
  if (solve_show_follows(s)) {
    trm__json_close(&o); /* the trace */
    s->line = (trm__json_out){0};
    return o;
  }
  o = trm__json_begin(TRM__JSON_COMPACT);
  trm__json_open(&o, NULL, '{');
  return o;
}

/* ---- all puzzles ---- */

static double percent(int64_t part, int64_t whole) {
  return whole ? 100 * (double)part / (double)whole : 0;
}

trm_status solve_show_end(solve_show *s, trm_error *err) {
  const solve_grids *g = &s->grids;
  for (int i = 0; g->puzzles && i < g->n; i++)
    if (i != g->answer)
      cli_note(
          "%s reads as the answer in %.1f %% of the cells, in %.1f %% of those that the "
          "puzzle%s open (%" PRId64 " puzzle%s, after the last step)",
          g->names[i], percent(g->as_answer[2 * i], g->cells),
          percent(g->as_answer[2 * i + 1], g->open), g->puzzles == 1 ? " leaves" : "s leave",
          g->puzzles, TRM__S(g->puzzles));
  return s->svg ? grid_svg_end(&s->picture, s->svg, err) : TRM_OK;
}
