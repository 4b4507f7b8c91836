/* See tune_show.h. */
#include "cli/bench/tune_show.h"

#include <stdlib.h>
#include <string.h>

#include "cli/json_print.h"
#include "cli/pictures/grid_view.h"

enum { ATTEMPTS = 2 };

static void print_grid(const trm_arc_answer *g) {
  const trm_puzzle arc = {.kind = TRM_PUZZLE_ARC, .rows = 30, .cols = 30};
  int32_t tokens[900] = {0};
  if (g->rows == 0) {
    printf("  (an empty grid)\n");
    return;
  }
  for (int i = 0; i < g->rows * g->cols; i++)
    tokens[i / g->cols * arc.cols + i % g->cols] = g->cell[i] + trm_puzzle_first_symbol(&arc);
  const grid_view view = {.puzzle = &arc,
                          .tokens = tokens,
                          .box = {0, 0, g->rows, g->cols},
                          .colour = cli_colour(stdout)};
  grid_view_draw(&view, stdout);
}

static void print_attempts(const char *id, int input, int inputs, bool known,
                           const trm_arc_answer *g, int n) {
  char name[256];
  printf("task %s, test input %d of %d\n", cli_clean(name, sizeof name, id), input + 1, inputs);
  for (int i = 0; i < n; i++) {
    printf("attempt %d: %lld vote%s, q %.3f%s\n", i + 1, (long long)g[i].votes,
           g[i].votes == 1 ? "" : "s", g[i].q, known && g[i].right ? ", right" : "");
    print_grid(&g[i]);
  }
  if (n == 0) printf("no answer\n");
}

static void put_grid(trm__json_out *o, const char *key, const trm_arc_answer *g) {
  trm__json_open(o, key, '[');
  for (int i = 0; i < g->rows; i++) {
    trm__json_open(o, NULL, '[');
    for (int j = 0; j < g->cols; j++) trm__json_put_int(o, NULL, g->cell[i * g->cols + j]);
    trm__json_close(o);
  }
  trm__json_close(o);
}

static void put_attempt(trm__json_out *o, bool known, const trm_arc_answer *g) {
  trm__json_open(o, NULL, '{');
  put_grid(o, "grid", g);
  trm__json_put_int(o, "votes", g->votes);
  trm__json_put_real(o, "q", g->q);
  if (known)
    trm__json_put_bool(o, "right", g->right);
  else
    trm__json_put_null(o, "right");
  trm__json_close(o);
}

static trm_status print_json(const char *id, int input, bool known, const trm_arc_answer *g, int n,
                             trm_error *err) {
  trm__json_out o = trm__json_begin(TRM__JSON_COMPACT);
  trm__json_open(&o, NULL, '{');
  trm__json_put_text(&o, "task", id);
  trm__json_put_int(&o, "input", input);
  trm__json_open(&o, "attempts", '[');
  for (int i = 0; i < n; i++) put_attempt(&o, known, &g[i]);
  trm__json_close(&o);
  trm__json_close(&o);
  return cli_print_json(&o, stdout, err);
}

/* The answers to one task: number `task` of the votes, or -1 where it could not be answered. */
static trm_status show_task(const tune_answers *a, int64_t place, int64_t task,
                            trm_arc_answer *best, trm_error *err) {
  const char *id = trm_arc_tasks_id(a->all, place);
  const int inputs = trm_arc_tasks_test_pairs(a->all, place);
  for (int input = 0; input < inputs; input++) {
    const bool known = trm_arc_tasks_test_solved(a->all, place, input);
    int found = 0;
    if (task >= 0)
      CLI_TRY(trm_arc_votes_answers(a->votes, task, input, ATTEMPTS, best, &found, err));
    if (a->json)
      CLI_TRY(print_json(id, input, known, best, found, err));
    else
      print_attempts(id, input, inputs, known, best, found);
  }
  return TRM_OK;
}

trm_status tune_show(const tune_answers *a, trm_error *err) {
  trm_arc_answer *best = calloc(ATTEMPTS, sizeof *best);
  if (!best) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for the answers");
  trm_status st = TRM_OK;
  int64_t next = 0; /* of the tasks that are answered */
  for (int64_t i = 0; st == TRM_OK && i < trm_arc_tasks_count(a->all); i++) {
    const bool answered = next < trm_arc_tasks_count(a->tasks) &&
                          !strcmp(trm_arc_tasks_id(a->all, i), trm_arc_tasks_id(a->tasks, next));
    st = show_task(a, i, answered ? next : -1, best, err);
    next += answered;
  }
  free(best);
  return st;
}
