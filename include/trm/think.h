/* The same weights answer better: a puzzle is tried several times, and one of the answers is
 * chosen.
 *
 *   trm_thinking how = {.views = 8, .select = TRM_SELECT_FIRST, .bar = 2};
 *   trm_thinker_create(model, &(trm_queue_config){.rows = 32}, &how, NULL, &t, &err);
 *   ... and then as with a queue (trm/queue.h): submit while there is room, step, take.
 *
 * A *view* is a symmetric image of the puzzle, as its kind knows them (of a Sudoku: digits renamed,
 * bands, stacks and lines exchanged), whose answer is mapped back; view 0 is the puzzle as it is.
 * A *rollout* is a try with noise on the latents of the reasoning before each supervision step
 * (PTRM, arXiv 2605.19943; trm_solver_config.noise), or, of a model that starts at random
 * (arch.start_std; EqR, arXiv 2605.21488), from a start of its own. There are as many rollouts of
 * each view. What view, start and noise are follows from the seed, the puzzle and their numbers,
 * from nothing else: the answers are the same bits whatever else is asked, for any rows and any
 * threads (on a GPU: see solver.h).
 *
 * All tries are rows of one queue over all puzzles, so that none of its rows is empty while puzzles
 * wait; a puzzle costs the steps that its tries take. Where nothing is asked for, a thinker is the
 * queue and costs nothing.
 *
 * One thinker, one thread at a time. The model must outlive it and must not change meanwhile.
 */
#ifndef TRM_THINK_H
#define TRM_THINK_H

#include "trm/queue.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
  TRM_MAX_TRIES = 1024, /* of one puzzle, */
  TRM_MAX_SEARCH = 4096 /* and runs of a search beside them */
};

/* Whose answer counts. Of equals the one with the larger q does, then the earlier try. */
typedef enum trm_select {
  TRM_SELECT_Q,     /* the largest margin (trm_solver_halt_margin) after the last step */
  TRM_SELECT_FIRST, /* the first that is above `bar` after two steps in a row, which ends the
                       others; where none is, as Q. All tries of a puzzle go side by side: if they
                       are more than the rows asked for, there are as many rows */
  TRM_SELECT_VOTE,  /* each cell's token of the largest mean probability (softmax of the logits) */
  TRM_SELECT_MODE,  /* the answer that most tries give */
  TRM_SELECT_RESIDUAL, /* whose logits move least at the end (EqR, arXiv 2605.21488): the mean, over
                          the last three steps and the positions, of the L2 norm over the vocabulary
                          of the difference to the step before */
  TRM_SELECTS
} trm_select;

/* All zero: one try of the puzzle as it is. */
typedef struct trm_thinking {
  int views;    /* images of the puzzle, the puzzle itself the first; 0: 1 */
  int rollouts; /* tries of each view; 0: 1. More than one are for noise, or for a model that draws
                   itself: trm_thinking_differs */
  double noise; /* standard deviation, 0 to TRM_MAX_NOISE */
  trm_select select;
  double bar; /* of FIRST: a margin in logits, finite */
  /* The rules of the puzzle beside the model: a try whose answer they accept, after any step, ends
   * the puzzle, and is what counts. A try above the bar that they refuse only ends itself. */
  bool verify;
  /* Where no try is accepted, so many runs more at most (0: none; it wants the rules, too): the
   * open cell of the largest entropy is given each of its likeliest symbols, 5 of the first cell
   * and 2 of each that follows, in the order of their number, and up to 8 deep. Questions that can
   * have no answer are left out. */
  int search;
  uint64_t seed; /* of images, noise and what the model draws itself */
} trm_thinking;

/* "q", "first", …; NULL for what is none. */
TRM_API const char *trm_select_name(trm_select select);
/* False when there is no such name. */
TRM_API bool trm_select_from_name(const char *name, trm_select *select);
/* Tries of a puzzle, views times rollouts: try t is rollout t % rollouts of view t / rollouts. */
TRM_API int trm_thinking_tries(const trm_thinking *how);

/* False when its rollouts would all be the same: there are several, no noise, and the model draws
 * nothing itself (start_std, update_noise). */
TRM_API bool trm_thinking_differs(const trm_thinking *how, const trm_model_config *model);

/* What is known of a choice. */
typedef struct trm_choice {
  int tries;     /* that were begun */
  int chosen;    /* the try; of VOTE the one of the largest margin, whose q and logits are told */
  int agree;     /* tries that ended with this answer, of those that were not ended before */
  bool accepted; /* by the rules, where they were asked */
  int searched;  /* runs of a search */
} trm_choice;

typedef struct trm_thinker trm_thinker;

/* `puzzle` says what the tokens mean; NULL: the model's own. Errors: ARGUMENT for what is out of
 * range, or where trajectories or latents are to be kept of several tries; CONFIG when views are
 * asked for of puzzles without symmetries, rules where none are known, a search where no symbol is
 * a blank; those of trm_queue_create. */
TRM_API trm_status trm_thinker_create(const trm_model *model, const trm_queue_config *config,
                                      const trm_thinking *how, const trm_puzzle *puzzle,
                                      trm_thinker **out, trm_error *err);
TRM_API void trm_thinker_free(trm_thinker *t);

/* As of a queue, of puzzles instead of rows. */
TRM_API int trm_thinker_places(const trm_thinker *t);
TRM_API int trm_thinker_room(const trm_thinker *t);
TRM_API int trm_thinker_busy(const trm_thinker *t);
/* Errors: also ARGUMENT for an early exit of the puzzle's own (TRM_HALT_Q) with FIRST, which is
 * one. */
TRM_API trm_status trm_thinker_submit(trm_thinker *t, const trm_queue_puzzle *puzzle, int *place,
                                      trm_error *err);
TRM_API trm_status trm_thinker_step(trm_thinker *t, trm_error *err);
/* Puzzles that are not done, as trm_queue_look; of one try a puzzle only, else none. */
TRM_API bool trm_thinker_look(const trm_thinker *t, int i, trm_queue_answer *out);
/* As trm_queue_take: the answer that was chosen, in the puzzle's own symbols and cells, with the
 * logits and q of the chosen try; `steps` are those of all tries together. *choice: NULL is fine.
 */
TRM_API bool trm_thinker_take(trm_thinker *t, trm_queue_answer *out, trm_choice *choice);

/* True of one try of the puzzle as it is: its steps can be looked at. */
TRM_API bool trm_thinker_is_single(const trm_thinker *t);
/* The queue of the tries, to look at. */
TRM_API trm_queue *trm_thinker_queue(trm_thinker *t);

#ifdef __cplusplus
}
#endif
#endif
