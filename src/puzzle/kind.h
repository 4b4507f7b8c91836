/* A kind of puzzle is one row of facts and functions, in a file of its own kind's folder; whatever
 * depends on the kind asks its row, once for a data set, a text or an example. No other place
 * compares kinds (tests/kinds.cmake). Rows are constant; their functions may run on any thread. */
#ifndef TRM_PUZZLE_KIND_H
#define TRM_PUZZLE_KIND_H

#include "base/error.h"
#include "base/rng.h"
#include "puzzle/puzzle_view.h"
#include "trm/puzzle.h"

/* All kinds: the end of the name in trm_puzzle_kind, and of the row's name. */
#define TRM__PUZZLE_KINDS(ROW) \
  ROW(NONE, none)              \
  ROW(SUDOKU, sudoku)          \
  ROW(MAZE, maze)              \
  ROW(ARC, arc)                \
  ROW(GRID, grid)

/* A rule checker; also of the grids of users, who name it. `check` sees the question alone, and
 * says why no answer can be valid; NULL: that is not known. Errors: PUZZLE. */
typedef struct trm__puzzle_rules {
  const char *name;
  bool (*solves)(const trm__puzzle_view *v);
  trm_status (*check)(const trm__puzzle_view *v, trm_error *err);
  /* Whether the cells of a puzzle of such size are in boxes, too, and of which; NULL: never. */
  bool (*boxes)(const trm_puzzle *p, int *rows, int *cols);
  bool once; /* an answer has each of its symbols once in every row, column and box */
  /* Letters of cells that the question leaves open, of grids whose kind does not say (NULL: none);
   * letters that an answer has there, NULL: any but these. */
  const char *blanks, *fills;
  char wall; /* the letter of cells that are the same in every answer, and that nothing passes; 0:
                there are none */
} trm__puzzle_rules;

/* What `check` says; of a cell of the grid, from 1 in both directions. */
trm_status trm__rules_refuse(const char *what, trm_error *err);
trm_status trm__rules_refuse_cell(int i, int j, const char *what, trm_error *err);

typedef struct trm__puzzle_kind {
  const char *name;       /* in dataset.json and config.json */
  trm_puzzle_facts facts; /* what programs may know of it */

  /* --- tokens and canvas --- */
  const char *const *symbols; /* in the order of their tokens; NULL: the puzzle's own vocabulary */
  int n_symbols;
  int (*count)(const trm_puzzle *p); /* in place of n_symbols where the puzzle says it */
  bool sized;                        /* grids may be smaller than their canvas */
  /* More than sides of 1 to TRM_PUZZLE_MAX_SIDE; NULL: nothing more. Errors: CONFIG; the message
   * begins with `file`. */
  trm_status (*check)(const trm_puzzle *p, const char *file, trm_error *err);

  /* --- text --- */
  bool joined; /* nothing stands between rows */
  /* trm_puzzle_parse of a text of its own; NULL: a grid of symbols, or one in JSON. */
  trm_status (*parse)(const trm_puzzle *p, const char *text, size_t n, int32_t *tokens,
                      trm_error *err);

  /* --- answers --- */
  const trm__puzzle_rules *rules; /* the kind's own first, ended by a NULL name; NULL: none */
  /* A check of questions and what it shows ("every Sudoku has exactly one solution"), or NULL.
   * Errors: PUZZLE. */
  const char *shows;
  trm_status (*check_question)(const trm_puzzle *p, const int32_t *question, trm_error *err);

  /* --- symmetries --- */
  const char *symmetries; /* as users declare theirs, for images and canonical form; or ... */
  /* ... images of its own: a draw by `rng` from examples [rows * cols] each. Unscored labels stay
   * unscored. */
  void (*image)(const trm_puzzle *p, trm__rng *rng, const int32_t *from_inputs,
                const int32_t *from_labels, int32_t *inputs, int32_t *labels);
  /* ... and an image as tables, where it is one of the whole canvas whatever lies there: cell i is
   * cell[i] of the original, token v becomes token[v] [TRM__VIEW_TOKENS]; NULL: of `symmetries`. */
  void (*tables)(const trm_puzzle *p, trm__rng *rng, int32_t *cell, uint8_t *token);
  /* ... and a canonical form of its own, the same for all images: values [rows * cols], which are
   * tokens less `zero`, of a puzzle that is `known`. */
  bool (*known)(const trm_puzzle *p); /* NULL: all are */
  void (*canonical)(const trm_puzzle *p, const uint8_t *values, uint8_t *form);
  uint8_t zero;

  /* --- data sets that do not say what they hold, and names of ids --- */
  /* The puzzle of data of that shape, if the kind can be it; NULL: it must be said. */
  bool (*fits)(int seq_len, int vocab_size, trm_puzzle *p);
  /* Whether an example looks like one; NULL: the shape says enough. */
  bool (*is_example)(const trm_puzzle *p, const int32_t *inputs, const int32_t *labels);
  /* Whether a name in identifiers.json is one of the kind's, and what is wanted; NULL: any is. */
  bool (*is_id)(const char *name);
  const char *wanted_id;
} trm__puzzle_kind;

#define TRM__DECLARE_KIND(NAME, row) extern const trm__puzzle_kind trm__kind_##row;
TRM__PUZZLE_KINDS(TRM__DECLARE_KIND)
#undef TRM__DECLARE_KIND
extern const trm__puzzle_kind *const trm__kinds[TRM_PUZZLE_KINDS];

/* Never NULL: of a kind outside the enumeration that of none. */
static inline const trm__puzzle_kind *trm__kind_of(const trm_puzzle *p) {
  return trm__kinds[(unsigned)p->kind < TRM_PUZZLE_KINDS ? p->kind : TRM_PUZZLE_NONE];
}
/* Whether the kind's own images and canonical form, if it has them, are of such a puzzle. */
bool trm__kind_knows(const trm_puzzle *p);
/* The symmetries that the kind, or a puzzle of the user's, declares; NULL: none are said. */
const char *trm__kind_symmetries(const trm_puzzle *p);

#endif
