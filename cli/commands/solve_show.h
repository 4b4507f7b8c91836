/* What trm solve shows of puzzles: grids on the terminal, a trace in JSON, or a picture. */
#ifndef TRM_CLI_SOLVE_SHOW_H
#define TRM_CLI_SOLVE_SHOW_H

#include "cli/pictures/grid_screen.h"
#include "cli/pictures/grid_svg.h"
#include "cli/pictures/step_json.h"

typedef enum solve_what {
  SHOW_FINAL,   /* the answer as a line */
  SHOW_GRID,    /* the puzzle and its answer */
  SHOW_STEPS,   /* the answer after each step, */
  SHOW_LATENTS, /* and how each latent reads */
  SHOW_KINDS
} solve_what;

/* The word of --show; KINDS: there is no such word. */
solve_what solve_what_named(const char *word);

/* Grids that are followed from step to step: the answer, or one for each latent. */
typedef struct solve_grids {
  int n, answer;       /* which of them is the answer */
  const char **names;  /* [n] of latents; NULL: the answer alone */
  int32_t *before;     /* [n, cells] after the step before */
  grid_view *views;    /* [n] */
  char (*titles)[80];  /* [n] */
  int64_t *as_answer;  /* [n, 2] cells that read as the answer after a last step, and of those the
                          ones that the puzzle leaves open */
  int64_t cells, open; /* of how many */
  int64_t puzzles;
} solve_grids;

typedef struct solve_show {
  solve_what what;
  bool json, colour;
  const char *svg; /* the picture's file; NULL: none, and what is shown is printed */
  bool still;      /* a picture of steps has them below each other, and does not move */
  double pace;     /* seconds of a step, where steps are shown one after the other in one place */
  const trm_puzzle *puzzle;
  int cells, vocab, steps; /* vocab: of the logits; supervision steps at most */
  trm__json_out line;      /* of the only row with steps: its trace so far */
  double began;            /* cli_now when its puzzle did */
  grid_svg picture;
  grid_screen screen;
  solve_grids grids;
} solve_show;

/* A puzzle with what its model answered, so far. */
typedef struct solve_shown {
  const int32_t *question, *answer; /* [cells] */
  const int32_t *latents;           /* [n, cells] of SHOW_LATENTS */
  const float *logits;              /* [cells, vocab] where steps are told as JSON */
  double q;
  int steps;
  bool done;
} solve_shown;

/* With what, json, svg, still and pace set: takes memory, and of the solver the names of its
 * latents. */
trm_status solve_show_open(solve_show *s, const trm_puzzle *p, const trm_model_config *model,
                           int steps, const trm_solver *solver, trm_error *err);
void solve_show_close(solve_show *s); /* a zeroed one is fine */

/* True when each step is shown, so that puzzles go one by one. */
bool solve_show_follows(const solve_show *s);
/* True when that needs the logits of answers that are done. */
bool solve_show_logits(const solve_show *s);

/* A puzzle begins; after each step; when it is answered. */
void solve_show_begin(solve_show *s, const int32_t *question);
void solve_show_step(solve_show *s, const solve_shown *a);
void solve_show_answer(solve_show *s, const solve_shown *a, const char *title);
/* The object that a line of JSON begins as: with the trace where there is one. */
trm__json_out solve_show_json(solve_show *s);
/* What is known of all puzzles: how much of the answers the other latents say; the picture. */
trm_status solve_show_end(solve_show *s, trm_error *err);

#endif
