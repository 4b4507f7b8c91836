/* The geometry of a Sudoku, computed once and shared by solver, generator and canonical form. */
#ifndef TRM_PUZZLE_SUDOKU_SHAPE_H
#define TRM_PUZZLE_SUDOKU_SHAPE_H

#include "base/rng.h"
#include "trm/sudoku.h"

enum {
  TRM__SUDOKU_MAX_UNITS = 3 * TRM_SUDOKU_MAX_SIZE,
  TRM__SUDOKU_CELL_WORDS = TRM_SUDOKU_MAX_CELLS / 64 /* of a set of cells: cell i is bit i */
};

typedef struct trm__sudoku_shape {
  int size, cells, box_rows, box_cols;
  int words;    /* that a set of its cells needs */
  uint16_t all; /* the bits of all digits */
  uint8_t row[TRM_SUDOKU_MAX_CELLS], col[TRM_SUDOKU_MAX_CELLS], box[TRM_SUDOKU_MAX_CELLS];
  uint8_t units[TRM_SUDOKU_MAX_CELLS][3]; /* of a cell: rows, then columns, then boxes */
  uint64_t unit_cells[TRM__SUDOKU_MAX_UNITS][TRM__SUDOKU_CELL_WORDS];
  uint64_t peers[TRM_SUDOKU_MAX_CELLS][TRM__SUDOKU_CELL_WORDS]; /* cells that share a unit */
} trm__sudoku_shape;

/* `p` must be known. */
void trm__sudoku_shape_init(trm__sudoku_shape *s, const trm_puzzle *p);

/* A cell as a character: true for a blank, one of ".0_*-xX?"; the value it stands for, -1 when it
 * stands for none of that size. */
bool trm__sudoku_is_blank(char c);
int trm__sudoku_value(char c, int size);

/* False of a text with characters outside ASCII. */
bool trm__sudoku_is_plain(const char *text, size_t n);
/* Such a text with those in ASCII that are known in place of digits, blanks and frames; `out` has
 * room for n bytes. Returns how many it has. */
size_t trm__sudoku_make_plain(const char *text, size_t n, char *out);

/* What '0' is in a text of a size above 9, which may have been written in the digits 0 to F: the
 * last digit, if there is no G, and blanks are another character or there are none because it is
 * `complete`. */
typedef enum trm__sudoku_zero {
  TRM__ZERO_UNSEEN, /* nothing in the text says it */
  TRM__ZERO_IS_BLANK,
  TRM__ZERO_IS_LAST
} trm__sudoku_zero;
trm__sudoku_zero trm__sudoku_zero_of(const trm_puzzle *p, const char *text, size_t n,
                                     bool complete);
enum { TRM__SUDOKU_WHY = 200 };
/* n characters into values; false with the first that is wrong, and why. `p` must be known. */
bool trm__sudoku_read_cells(const trm_puzzle *p, const char *text, size_t n, bool complete,
                            uint8_t *values, size_t *at, char why[TRM__SUDOKU_WHY]);

/* The search behind solver and generator. */
typedef struct trm__sudoku_search {
  const trm__sudoku_shape *shape;
  int limit;           /* solutions looked for */
  int64_t max_guesses; /* work bound */
  trm__rng *rng;       /* NULL: first cell, ascending digits; else both in random order */
  uint8_t *answer;     /* solutions found, one after the other; NULL is fine */
  int room;            /* how many of them; 0: the first */
  int forbidden_cell;  /* -1, or a cell that may not hold ... */
  int forbidden_value; /* ... this digit */
  /* results */
  int solutions;
  int64_t guesses, backtracks;
  bool complete; /* false: given up before the question was settled */
} trm__sudoku_search;
void trm__sudoku_search_run(trm__sudoku_search *search, const uint8_t *question);

/* What a generated puzzle must look like; see trm_sudoku_gen_config. */
typedef struct trm__sudoku_target {
  int min_givens, max_givens;
  int64_t min_backtracks, max_backtracks;
} trm__sudoku_target;
/* One try: a random grid, dug out. True when the puzzle meets the target; it then has exactly one
 * solution, `answer`. */
bool trm__sudoku_generate(const trm__sudoku_shape *s, const trm__sudoku_target *target,
                          trm__rng *rng, uint8_t *question, uint8_t *answer);

/* Takes givens away in random order until none can be spared; the puzzle has one solution. */
void trm__sudoku_minimise(const trm__sudoku_shape *s, trm__rng *rng, uint8_t *question,
                          const uint8_t *answer);

enum { TRM__SUDOKU_HARD_YIELD = 16 };
/* Up to so many minimal 9x9 puzzles with one solution each, whose backtracks are distributed as
 * those of Sudoku-Extreme; values [TRM__SUDOKU_HARD_YIELD, 81]. Returns how many; fewer when a
 * rating was not met in a bounded number of steps. `s` is the shape of `p`. */
int trm__sudoku_generate_hard(const trm_puzzle *p, const trm__sudoku_shape *s, trm__rng *rng,
                              uint8_t *questions, uint8_t *answers);

#endif
