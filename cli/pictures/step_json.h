/* What is told of an answer and of a step on the way to it as JSON: the same members, under the
 * same names, whoever tells it (trm serve, trm solve). */
#ifndef TRM_CLI_STEP_JSON_H
#define TRM_CLI_STEP_JSON_H

#include "cli/json_print.h"

/* What is known after a step. Tokens are [seq_len] of the model, all of one puzzle. */
typedef struct step_state {
  const int32_t *question, *before, *answer; /* before: the answer after the step before, or the
                                                question */
  const float *logits;                       /* [seq_len, vocab] */
  int vocab, step;                           /* step: from 1 */
  double q, seconds;                         /* q: 0 to 1; seconds since it was asked */
} step_state;

/* Where the answer is. Beyond a grid a model may answer anything: its grid begins where the
 * question's does. */
trm_puzzle_box step_answer_box(const trm_puzzle *p, const int32_t *question, const int32_t *answer);
/* The members step, grid, changed, confidence, violations, q and seconds of an open object. */
void step_json_put(trm__json_out *o, const trm_puzzle *p, const step_state *s, bool as_rows);

/* One of them each. A grid is a line of text or an array of rows. */
void step_json_grid(trm__json_out *o, const char *key, const trm_puzzle *p, bool as_rows,
                    const int32_t *tokens, trm_puzzle_box box);
/* What the output head reads in a latent: the members name and grid. */
void step_json_latent(trm__json_out *o, const char *name, const trm_puzzle *p, bool as_rows,
                      const int32_t *tokens, trm_puzzle_box box);
/* The cells of the box that differ, counted from 0 in its order. */
void step_json_changed(trm__json_out *o, const trm_puzzle *p, const int32_t *before,
                       const int32_t *now, trm_puzzle_box box);
/* How likely the model holds each cell's symbol to be: the largest softmax of its logits. */
void step_json_confidence(trm__json_out *o, const trm_puzzle *p, const float *logits, int vocab,
                          trm_puzzle_box box);
/* null of other kinds than Sudokus, whose rules judge a whole answer. */
void step_json_violations(trm__json_out *o, const trm_puzzle *p, const int32_t *question,
                          const int32_t *answer);
void step_json_seconds(trm__json_out *o, double seconds);

#endif
