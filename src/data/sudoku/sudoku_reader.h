/* The inside of the reader of Sudoku files (trm/sudoku_file.h): lines go from sudoku_reader.c to
 * the first form of the table trm__sudoku_forms whose probe takes them. */
#ifndef TRM_DATA_SUDOKU_READER_H
#define TRM_DATA_SUDOKU_READER_H

#include "base/error.h"
#include "base/file.h"
#include "data/columns.h"
#include "puzzle/sudoku/sudoku_shape.h"
#include "trm/sudoku_file.h"

enum {
  TRM__SUDOKU_MAX_TOKENS = TRM_SUDOKU_MAX_CELLS + 8, /* of a line that are looked at */
  TRM__SUDOKU_MARKS = 729,                           /* cells times digits of 9x9 */
  TRM__SUDOKU_MAX_LINE = 1 << 20,                    /* bytes of a line */
  TRM__SUDOKU_MAX_XML = 1 << 26,                     /* the same of XML */
  TRM__SUDOKU_MAX_JSON = 1 << 24                     /* bytes of an array */
};

/* A part of a line. */
typedef struct trm__span {
  const char *text;
  size_t n;
} trm__span;

/* A row of a grid, each cell as a character and, where it is one of candidates, as bits. */
typedef struct trm__sudoku_row {
  int size; /* cells; 0: it is none */
  char cell[TRM_SUDOKU_MAX_SIZE];
  uint16_t marks[TRM_SUDOKU_MAX_SIZE]; /* digit d is bit d - 1; 0: blank */
  bool has_marks;                      /* a cell has several candidates */
} trm__sudoku_row;

/* The grid whose rows are being read. */
typedef struct trm__sudoku_grid {
  int size, rows; /* rows 0: none is open */
  int dashes;     /* of the first rows, those that may be a frame: nothing but '-' */
  int gaps;       /* bands that an empty line stood behind */
  bool dash_is_blank, other_blank, has_marks;
  int64_t line; /* of the first row */
  char cell[TRM_SUDOKU_MAX_CELLS];
  uint16_t marks[TRM_SUDOKU_MAX_CELLS];
} trm__sudoku_grid;

/* Of the line of a table that is being collected: it does not end within quotes. */
typedef struct trm__sudoku_quotes {
  bool open, closed, field_begins; /* closed: just now; a further quote opens them again */
  bool after_cr;
  int64_t line_ends; /* within quotes */
} trm__sudoku_quotes;

typedef struct trm__sudoku_xml trm__sudoku_xml;
typedef struct trm__sudoku_json trm__sudoku_json;

struct trm_sudoku_reader {
  trm_sudoku_reader_config config;
  trm_puzzle puzzle;     /* the only one taken; kind NONE: any, so far */
  trm__sudoku_zero zero; /* what 0 is in the puzzles before */
  bool any_puzzle;       /* one was found, or refused */
  bool in_lines;         /* the last one was in a line */
  bool gave_up;          /* nothing of the text can be read */
  int other_size;        /* see trm_sudoku_reader_other_size */

  /* The text: [at, n) of `bytes` is not taken yet; a line in pieces is collected in `buffer`. */
  trm__map map;
  const char *bytes;
  size_t at, n, used, room;
  char *buffer;
  bool ended, after_cr;
  bool cut, passing; /* the line at hand is too long; its rest is being passed over */
  int64_t next_line;
  trm__sudoku_quotes quotes;

  /* The line at hand, without a comment and the spaces around it. */
  const char *text;
  size_t length;
  int64_t line;
  size_t column;     /* of its first character, from 1 */
  const char *whole; /* with both */
  char *plain;       /* a line whose characters were put into ASCII */
  size_t plain_room;
  size_t whole_length;
  bool held; /* it is to be looked at again */
  trm__span token[TRM__SUDOKU_MAX_TOKENS];
  int n_tokens; /* one more than there is room for: there are more */

  /* What a probe found in it, for the reader of its form. */
  trm__span found[2]; /* grids of found_size */
  int n_found, found_size;
  char joined[TRM_SUDOKU_MAX_CELLS]; /* a grid whose cells stand apart; see is_joined */
  bool is_joined;
  trm__sudoku_row row;

  /* What lines before said. */
  trm__sudoku_grid grid;
  bool lost;         /* a grid was refused: its other rows are passed over */
  int lost_rows;     /* of it, since the last empty line */
  bool skipped;      /* in a section that is no puzzle */
  bool has_sections; /* there was a [Puzzle] */
  bool has_table;
  trm__csv csv;
  trm__columns columns;
  int64_t empty_rows; /* of tables, passed over */
  int64_t titles;     /* behind puzzles of a line each, passed over */
  int64_t title;      /* the first of these */
  trm__sudoku_xml *xml;
  trm__sudoku_json *json;
};

/* A form of text. `probe` says whether the line at hand is of it; `read` takes the line, and says
 * *found when there is a puzzle now. An `inside` form can go on within a grid of rows; before any
 * other the grid must be complete. */
typedef struct trm__sudoku_form {
  const char *name;
  bool (*probe)(trm_sudoku_reader *r);
  trm_status (*read)(trm_sudoku_reader *r, trm_sudoku_entry *e, bool *found, trm_error *err);
  bool inside;
} trm__sudoku_form;
extern const trm__sudoku_form trm__sudoku_forms[]; /* the last one takes any line */

/* Opens the file config->name; its map is to be fed. */
trm_status trm__sudoku_reader_map(const trm_sudoku_reader_config *config, trm_sudoku_reader **out,
                                  trm_error *err);
/* No more of the text is looked at. */
void trm__sudoku_give_up(trm_sudoku_reader *r);

/* Fills err with "NAME:LINE:COLUMN: ..." and the line; returns `code`. */
trm_status trm__sudoku_refuse(const trm_sudoku_reader *r, trm_status code, int64_t line,
                              size_t column, trm_error *err, const char *fmt, ...)
    TRM__PRINTF(6, 7);
/* The same where a span of the line at hand begins. */
size_t trm__sudoku_column(const trm_sudoku_reader *r, const char *at);

/* --- what forms are made of (sudoku_cells.c) --- */

/* The size that has so many cells; 0: none. */
int trm__sudoku_size_of(size_t cells);
bool trm__sudoku_is_size(size_t n);
/* True when every character of the span is a cell of that size. */
bool trm__sudoku_are_cells(trm__span s, int size);
/* Checks size and boxes against what is wanted, which the first puzzle of a uniform file decides.
 */
trm_status trm__sudoku_take_shape(trm_sudoku_reader *r, const trm_puzzle *p, int64_t line,
                                  size_t column, trm_error *err);
/* The line at hand is a row of another size than the one that is wanted. */
trm_status trm__sudoku_refuse_row(trm_sudoku_reader *r, int size, trm_error *err);
/* Begins an entry of a size at a place. Boxes are those that are wanted or usual. */
trm_status trm__sudoku_begin(trm_sudoku_reader *r, trm_sudoku_entry *e, int size, int64_t line,
                             size_t column, trm_error *err);
/* The givens of a begun entry, its cells as text, and a solution beside it, if it has n > 0. */
trm_status trm__sudoku_read_givens(trm_sudoku_reader *r, trm_sudoku_entry *e, trm__span cells,
                                   trm_error *err);
trm_status trm__sudoku_read_solution(trm_sudoku_reader *r, trm_sudoku_entry *e, trm__span cells,
                                     size_t column, trm_error *err);
/* Candidates [cells] beside the givens: they must leave the solution, and say nothing that a model
 * would have to know and the givens do not say. */
trm_status trm__sudoku_check_marks(const trm_sudoku_reader *r, const trm_sudoku_entry *e,
                                   const uint16_t *marks, trm_error *err);
/* No span of the line is a puzzle: says what is wrong with the one that is most like it. */
trm_status trm__sudoku_refuse_line(trm_sudoku_reader *r, trm__span s, trm_error *err);

/* --- forms in files of their own --- */

bool trm__sudoku_is_line(trm_sudoku_reader *r);
trm_status trm__sudoku_read_line(trm_sudoku_reader *r, trm_sudoku_entry *e, bool *found,
                                 trm_error *err);
bool trm__sudoku_is_candidates(trm_sudoku_reader *r);
trm_status trm__sudoku_read_candidates(trm_sudoku_reader *r, trm_sudoku_entry *e, bool *found,
                                       trm_error *err);

bool trm__sudoku_in_table(trm_sudoku_reader *r);
bool trm__sudoku_is_header(trm_sudoku_reader *r);
trm_status trm__sudoku_read_header(trm_sudoku_reader *r, trm_sudoku_entry *e, bool *found,
                                   trm_error *err);
trm_status trm__sudoku_read_record(trm_sudoku_reader *r, trm_sudoku_entry *e, bool *found,
                                   trm_error *err);

bool trm__sudoku_is_lost(trm_sudoku_reader *r);
bool trm__sudoku_goes_on(trm_sudoku_reader *r);
bool trm__sudoku_is_frame(trm_sudoku_reader *r);
bool trm__sudoku_is_row(trm_sudoku_reader *r);
trm_status trm__sudoku_read_row(trm_sudoku_reader *r, trm_sudoku_entry *e, bool *found,
                                trm_error *err);
/* An empty line, which may stand between bands. */
trm_status trm__sudoku_read_gap(trm_sudoku_reader *r, trm_error *err);
/* The open grid is not complete; what follows of it is passed over. */
trm_status trm__sudoku_refuse_grid(trm_sudoku_reader *r, trm_error *err);

bool trm__sudoku_is_link(trm_sudoku_reader *r);
trm_status trm__sudoku_read_link(trm_sudoku_reader *r, trm_sudoku_entry *e, bool *found,
                                 trm_error *err);
bool trm__sudoku_is_library(trm_sudoku_reader *r);
trm_status trm__sudoku_read_library(trm_sudoku_reader *r, trm_sudoku_entry *e, bool *found,
                                    trm_error *err);
bool trm__sudoku_is_game_id(trm_sudoku_reader *r);
trm_status trm__sudoku_read_game_id(trm_sudoku_reader *r, trm_sudoku_entry *e, bool *found,
                                    trm_error *err);

bool trm__sudoku_is_xml(trm_sudoku_reader *r);
trm_status trm__sudoku_read_xml(trm_sudoku_reader *r, trm_sudoku_entry *e, bool *found,
                                trm_error *err);
/* The text has ended: so must the document. */
trm_status trm__sudoku_end_xml(trm_sudoku_reader *r, trm_error *err);
/* A puzzle that the lines before held. */
bool trm__sudoku_next_xml(trm_sudoku_reader *r, trm_sudoku_entry *e, trm_status *st,
                          trm_error *err);
void trm__sudoku_free_xml(trm__sudoku_xml *x); /* NULL is fine */

bool trm__sudoku_is_json(trm_sudoku_reader *r);
trm_status trm__sudoku_read_json(trm_sudoku_reader *r, trm_sudoku_entry *e, bool *found,
                                 trm_error *err);
/* The text has ended, or the array is too long. */
trm_status trm__sudoku_end_json(trm_sudoku_reader *r, trm_error *err);
bool trm__sudoku_next_json(trm_sudoku_reader *r, trm_sudoku_entry *e, trm_status *st,
                           trm_error *err);
void trm__sudoku_free_json(trm__sudoku_json *j); /* NULL is fine */

#endif
