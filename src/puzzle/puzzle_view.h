/* What a rule checker sees of question and answer: a rectangle of symbols, not tokens. So one works
 * for its own kind of puzzle and for a user's grids whose vocabulary has its symbols, and sees of a
 * grid that is smaller than its canvas the grid alone. */
#ifndef TRM_PUZZLE_PUZZLE_VIEW_H
#define TRM_PUZZLE_PUZZLE_VIEW_H

#include "trm/puzzle.h"

enum { TRM__VIEW_TOKENS = TRM_PUZZLE_MAX_SYMBOLS + 2 };

typedef struct trm__puzzle_view {
  const trm_puzzle *puzzle;
  int rows, cols, top, left; /* the grid on the canvas */
  const int32_t *inputs, *answer;
  char letter[TRM__VIEW_TOKENS]; /* a token's symbol of one byte, else 0 */
  int number[TRM__VIEW_TOKENS];  /* a symbol that is a number, else -1 */
} trm__puzzle_view;

/* The token in row i, column j of the grid; 0 of one that nobody has. `tokens` are the view's
 * inputs or answer. */
static inline int trm__view_token(const trm__puzzle_view *v, const int32_t *tokens, int i, int j) {
  int32_t token = tokens[(v->top + i) * v->puzzle->cols + v->left + j];
  return token >= 0 && token < TRM__VIEW_TOKENS ? token : 0;
}

static inline char trm__view_letter(const trm__puzzle_view *v, const int32_t *tokens, int i,
                                    int j) {
  return v->letter[trm__view_token(v, tokens, i, j)];
}

/* A cell that the question leaves open, where digits are symbols. */
static inline bool trm__view_is_blank(char letter) {
  return letter == '.' || letter == '0';
}

#endif
