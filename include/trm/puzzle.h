/* What the tokens of a puzzle mean: for printing, reading text, rule checks and symmetric images.
 *
 * A puzzle is a canvas of rows * cols cells in reading order (rows * cols = seq_len). Token 0 is
 * padding. Every other token but the mark of a grid's end has a *symbol*, a short text, which the
 * puzzle's kind says.
 *
 * A grid smaller than its canvas has a row of end marks below it and a column of them to its right,
 * where they fit, as wide and as high as the grid; all else is padding.
 */
#ifndef TRM_PUZZLE_H
#define TRM_PUZZLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trm/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum trm_puzzle_kind {
  TRM_PUZZLE_NONE,   /* unknown: tokens are only numbers */
  TRM_PUZZLE_SUDOKU, /* 1 "." (blank), 2 "1", 3 "2" ... 10 "9", 11 "A" ... */
  TRM_PUZZLE_MAZE,   /* 1 "#" wall, 2 " " free, 3 "S" start, 4 "G" goal, 5 "o" path */
  TRM_PUZZLE_ARC,    /* 1 end of grid, 2 "0" ... 11 "9"; 30x30, grids of any size up to that */
  TRM_PUZZLE_GRID,   /* the user's vocabulary from token 1 on, or from 2 where grids have several
                        sizes and 1 marks the end as in arc */
  TRM_PUZZLE_KINDS
} trm_puzzle_kind;

enum {
  TRM_PUZZLE_END = 1, /* the token that marks the end of a grid, in arc and sized grids */
  TRM_PUZZLE_MAX_SIDE = 1024,
  TRM_PUZZLE_MAX_SYMBOLS = 250,
  TRM_PUZZLE_MAX_SYMBOL = 15, /* bytes of a symbol */
  TRM_PUZZLE_MAX_BLANKS = 2
};

typedef struct trm_puzzle {
  trm_puzzle_kind kind;
  int rows, cols;         /* of the canvas */
  int box_rows, box_cols; /* Sudoku: 9x9 is 3, 3; 6x6 is 2, 3; 4x4 is 2, 2 */
  /* Only of kind grid: */
  bool sized;            /* grids may be smaller than the canvas */
  char rules[16];        /* name of a rule checker; "": none */
  char symmetries[96];   /* comma-separated names, e.g. "dihedral,permute:1-9"; "": none */
  char vocabulary[1500]; /* the symbols, each ended by a 0 byte, the list by an empty one */
} trm_puzzle;

/* "none", "sudoku", "maze", "arc", "grid"; NULL outside the enumeration. */
TRM_API const char *trm_puzzle_kind_name(trm_puzzle_kind kind);

/* What is the same of all puzzles of a kind, for whoever shows, names or asks for them: read this
 * rather than compare kinds. Texts and lists are constant. */
typedef struct trm_puzzle_facts {
  const char *title; /* for people: "Sudoku", "maze"; "unknown" of kind none */
  const char *build; /* the command that builds data sets with symmetric copies, or NULL */
  bool boxes;        /* cells are in boxes of box_rows x box_cols */
  bool tasks;        /* ids are tasks and their copies: answers are whole grids, and copies vote */
  bool declared;     /* vocabulary, rules and symmetries are said by each puzzle */
  /* how it looks */
  char blank;  /* the symbol that an answer replaces, while all others are given; 0: any may be */
  bool pixels; /* cells are small squares of one colour */
  const uint32_t *fill; /* [n_fill]: 0xRRGGBB of the symbols in their order, over again */
  int n_fill;           /* 0: symbols have no colours */
  uint32_t lettered;    /* bit i: a cell of colour i shows its symbol, too */
} trm_puzzle_facts;
/* Never NULL; of a kind outside the enumeration those of none. */
TRM_API const trm_puzzle_facts *trm_puzzle_facts_of(const trm_puzzle *p);

/* The first token with a symbol, and how many have one; 0 of kind none. vocab_size is their sum. */
TRM_API int trm_puzzle_first_symbol(const trm_puzzle *p);
TRM_API int trm_puzzle_n_symbols(const trm_puzzle *p);
/* The symbol of a token; NULL when it has none. */
TRM_API const char *trm_puzzle_symbol(const trm_puzzle *p, int token);

/* What the kind, or the rules of a grid, say of the cells. Nothing is allocated.
 *
 * Tokens of cells that a question leaves open, all others being given: how many there are, 0 when
 * nothing says it. More blanks than there is room for are none. */
TRM_API int trm_puzzle_blanks(const trm_puzzle *p, int32_t out[TRM_PUZZLE_MAX_BLANKS]);
/* The token of walls, which every answer leaves as they are, of a grid that fills its canvas; -1:
 * there are none. */
TRM_API int32_t trm_puzzle_wall(const trm_puzzle *p);
/* The cells of a box, of a grid that fills its canvas; false: there are no boxes, and both are 0.
 */
TRM_API bool trm_puzzle_boxes(const trm_puzzle *p, int *rows, int *cols);

/* Rule checkers, by name; those of a kind have the kind's:
 *
 *   sudoku    "." or "0" blank, "1" ... "9", "A" ...; grids of a size in trm/sudoku.h
 *   maze      "#", " ", "S", "G", "o" as in trm/maze.h; any shortest path is right
 *   latin     "." or "0" blank; every row and column has the same symbols, each once
 *   nonogram  the cells to find are the rectangle of "?" in the lower right corner; left of it are
 *             the row hints, above it the column hints: numbers ("0": no run), "." where there is
 *             none; the answer has "#" or "." for each "?", elsewhere it is not looked at
 *
 * A grid smaller than its canvas is found by its symbols; nothing outside it is looked at. */
/* The name of checker i = 0, 1, ...; NULL behind the last. */
TRM_API const char *trm_puzzle_rules_name(int i);
/* True when the kind, or the rules of a grid, name a checker. */
TRM_API bool trm_puzzle_has_rules(const trm_puzzle *p);
/* True when `answer` is a right answer to `inputs` by the rules, whether or not it is the labelled
 * one; tokens [rows * cols], any values. False without rules. No allocation. */
TRM_API bool trm_puzzle_solves(const trm_puzzle *p, const int32_t *inputs, const int32_t *answer);
/* Refuses a question that no answer can be right to by the rules: PUZZLE, with what is wrong and
 * where, of a Sudoku or Latin square whose givens contradict each other, a maze without one S, one
 * G and a way between them, a nonogram without a rectangle to find. OK without rules. No
 * allocation. */
TRM_API trm_status trm_puzzle_check(const trm_puzzle *p, const int32_t *inputs, trm_error *err);

/* --- where a grid lies on its canvas: tokens [rows * cols] --- */

/* True of kinds whose grids may be smaller than their canvas: arc, and sized grids. */
TRM_API bool trm_puzzle_is_sized(const trm_puzzle *p);
typedef struct trm_puzzle_box {
  int row, col, rows, cols; /* rows and cols 0: there is no grid */
} trm_puzzle_box;
/* Of a question or a label: the smallest rectangle that holds all symbols; the canvas where grids
 * have one size. */
TRM_API trm_puzzle_box trm_puzzle_locate(const trm_puzzle *p, const int32_t *tokens);
/* Of what a model answered, which beyond the grid may be anything: the largest rectangle of symbols
 * whose first cell is (row, col), the first found by rows when several are as large; the canvas
 * where grids have one size. */
TRM_API trm_puzzle_box trm_puzzle_crop(const trm_puzzle *p, const int32_t *tokens, int row,
                                       int col);

/* --- one line of text ---
 *
 * Cells in reading order, rows separated by '/': "12/30" is a grid of two rows. Padding and end
 * marks are not written; a cell without a symbol is '?'. Where a symbol has more than one character
 * (code point), cells are separated by a space and rows by " / ": "12 7 / 3 10".
 * The bytes of a space, '/', '\', of a control character or of what is not UTF-8 in a symbol are
 * written \xHH; the symbol " " alone is '.', unless '.' is a symbol: a maze is "S.#/o.#/oG#". A
 * Sudoku has no '/': "1..." as ever. Read are also: grids of one size without any '/', a space for
 * the symbol " ", and a Sudoku's '0' for a blank. */

/* Bytes that hold any text of the puzzle, with the terminating 0. */
TRM_API size_t trm_puzzle_text_size(const trm_puzzle *p);
/* The grid on the canvas as text, at most size - 1 bytes and a terminating 0 (size 0: nothing).
 * Returns the bytes of the whole text without the 0. Of kind none: "". */
TRM_API size_t trm_puzzle_format(const trm_puzzle *p, const int32_t *tokens, char *text,
                                 size_t size);
/* The same of a part of the canvas. */
TRM_API size_t trm_puzzle_format_box(const trm_puzzle *p, const int32_t *tokens, trm_puzzle_box box,
                                     char *text, size_t size);
/* n bytes of text into tokens [rows * cols]; a smaller grid is placed in the first corner, with its
 * end marks. Of all kinds but Sudoku the text may be JSON, an array of rows of numbers and texts,
 * or an object with such an array or a text as "puzzle" (or "question", "input" and the like),
 * unless its bracket is a symbol. Errors: FORMAT with the column (from 1, in bytes) and what was
 * expected; ARGUMENT for kind none; MEMORY. */
TRM_API trm_status trm_puzzle_parse(const trm_puzzle *p, const char *text, size_t n,
                                    int32_t *tokens, trm_error *err);

#ifdef __cplusplus
}
#endif
#endif
