/* Sudokus in files of the usual forms, one by one.
 *
 * A form is recognised by what is there, not by a name: a puzzle a line, with a hash, a rating, a
 * solution or a comment beside it; tables (CSV) with a header; grids of rows, with or without a
 * frame; grids of candidates; .sdk, .ss and .sdm files; OpenSudoku's XML; lines of HoDoKu's
 * library; game ids of Simon Tatham's Solo; addresses of puzz.link; lists of lists in JSON.
 * docs/BUILD_DATA.md has the rules.
 *
 *   trm_sudoku_reader *r;
 *   trm_sudoku_entry e;
 *   trm_sudoku_state state;
 *   trm_sudoku_reader_config config = {.name = "puzzles.txt"};
 *   if (trm_sudoku_reader_open(&config, &r, &err)) ...
 *   while (trm_sudoku_reader_next(r, &e, &state, &err) == TRM_OK && state == TRM_SUDOKU_FOUND) ...
 */
#ifndef TRM_SUDOKU_FILE_H
#define TRM_SUDOKU_FILE_H

#include "trm/sudoku.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct trm_sudoku_entry {
  trm_puzzle puzzle; /* size and boxes */
  uint8_t givens[TRM_SUDOKU_MAX_CELLS];
  uint8_t solution[TRM_SUDOKU_MAX_CELLS]; /* that stood beside it and is one; see has_solution */
  bool has_solution;
  bool zero_is_digit; /* it was written in the digits from 0 on */
  bool has_rating;    /* of a table, when it was asked for */
  double rating;
  const char *form; /* in words, for people */
  int64_t line;     /* where it begins, from 1 */
  int column;
  bool in_line; /* its cells follow each other from there, one character each */
} trm_sudoku_entry;

typedef struct trm_sudoku_reader_config {
  const char *name;    /* of the file: for messages, and what trm_sudoku_reader_open opens */
  const char *columns; /* of a table: PUZZLE[,SOLUTION[,RATING]], names or numbers from 1; NULL: the
                          usual names */
  bool need_rating;    /* a table must have ratings */
  trm_puzzle puzzle;   /* the only size and boxes taken; kind NONE: any */
  const char *owner;   /* who wants that size, for messages: "the model" */
  bool uniform;        /* all must be of the size, boxes and digits of the first */
  bool typed; /* by a person, who begins anew after an error: no rows are passed over behind a grid
                 that was refused, and a title is an error like any other */
} trm_sudoku_reader_config;

typedef struct trm_sudoku_reader trm_sudoku_reader;

/* Reads the file config->name. Texts must outlive the reader. Errors: IO, MEMORY. */
TRM_API trm_status trm_sudoku_reader_open(const trm_sudoku_reader_config *config,
                                          trm_sudoku_reader **out, trm_error *err);
/* Reads what trm_sudoku_reader_feed is given. Errors: MEMORY. */
TRM_API trm_status trm_sudoku_reader_create(const trm_sudoku_reader_config *config,
                                            trm_sudoku_reader **out, trm_error *err);
TRM_API void trm_sudoku_reader_free(trm_sudoku_reader *r); /* NULL is fine */
/* The next bytes of the text, once all before are taken (TRM_SUDOKU_WANTS_MORE, or the first); they
 * must stay until then. */
TRM_API void trm_sudoku_reader_feed(trm_sudoku_reader *r, const char *bytes, size_t n);
/* Nothing comes behind what was fed. */
TRM_API void trm_sudoku_reader_end(trm_sudoku_reader *r);

typedef enum trm_sudoku_state {
  TRM_SUDOKU_FOUND,      /* *entry is the next puzzle */
  TRM_SUDOKU_WANTS_MORE, /* nothing yet in what was fed */
  TRM_SUDOKU_END
} trm_sudoku_state;
/* The next puzzle. FORMAT, PUZZLE and RANGE are of one puzzle, and name file, line and column
 * (err->pos is the line): the next call goes on behind it. MEMORY is final. Not every text is meant
 * to be a Sudoku: a title and a frame are passed over, but nothing that might be a damaged puzzle.
 */
TRM_API trm_status trm_sudoku_reader_next(trm_sudoku_reader *r, trm_sudoku_entry *entry,
                                          trm_sudoku_state *state, trm_error *err);
/* Rows of a grid that came so far and are not all of it; 0: none. */
TRM_API int trm_sudoku_reader_rows(const trm_sudoku_reader *r);
/* The first line of words that was passed over as a title although the puzzle before it has a line
 * of its own, where a title is unusual; 0: none so far. */
TRM_API int64_t trm_sudoku_reader_title(const trm_sudoku_reader *r);
/* After an error: the size of the puzzle that it is about, where that is another one than the size
 * that is wanted; else 0. */
TRM_API int trm_sudoku_reader_other_size(const trm_sudoku_reader *r);

#ifdef __cplusplus
}
#endif
#endif
