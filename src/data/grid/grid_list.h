/* Pairs of grids as they are read, before vocabulary and canvas are known. */
#ifndef TRM_DATA_GRID_LIST_H
#define TRM_DATA_GRID_LIST_H

#include "base/file.h"
#include "trm/dataset.h"

enum {
  TRM__GRID_NULL = 255, /* a cell of an output that is not scored */
  TRM__GRID_INPUT = 0,
  TRM__GRID_OUTPUT = 1
};

/* Symbols in the order in which they were first met; a cell is an index into them. */
typedef struct trm__grid_symbols {
  int n;
  bool closed; /* no more may come */
  char text[TRM_PUZZLE_MAX_SYMBOLS][TRM_PUZZLE_MAX_SYMBOL + 1];
} trm__grid_symbols;

/* The input's cells, row by row, then the output's. */
typedef struct trm__grid_pair {
  int64_t at;     /* of the first cell in the list's cells */
  long long line; /* of the file, from 1; of an array the row, from 0 */
  int16_t rows[2], cols[2];
  bool has_id;
  uint64_t id; /* hash of its id */
} trm__grid_pair;

typedef struct trm__grid_list {
  const char *path, *unit;   /* unit: what `line` counts, "line" or "row" */
  const char *columns;       /* of CSV, see columns.h; NULL: the usual names */
  trm_progress_fn *progress; /* asked now and then whether to go on; NULL: always */
  void *progress_arg;
  trm__grid_symbols *symbols; /* shared by the lists of a build */
  int64_t n, n_cells;
  int64_t empty_rows; /* of CSV, passed over */
  trm__grid_pair *pair;
  uint8_t *cell;
  int64_t pair_room, cell_room;
} trm__grid_list;

/* What is being read, for messages: "FILE line 7: input row 2, column 3" (from 1). */
typedef struct trm__grid_place {
  long long line;
  int grid, row, col; /* row, col from 0 */
} trm__grid_place;

void trm__grid_list_free(trm__grid_list *list);
/* A pair begins; its cells are added one by one and are complete at the next pair or the end.
 * Errors: RANGE, MEMORY, INTERRUPTED. */
trm_status trm__grid_list_begin(trm__grid_list *list, long long line, trm_error *err);
/* The next cell, a symbol of n bytes, or NULL for one that is not scored. Errors: FORMAT for
 * a text that is no symbol, PUZZLE for one that is not in a closed vocabulary. */
trm_status trm__grid_list_add(trm__grid_list *list, const trm__grid_place *at, const char *symbol,
                              size_t n, trm_error *err);
/* Sets the size of one of the current pair's grids, whose cells have just been added. */
trm_status trm__grid_list_size(trm__grid_list *list, int grid, int64_t rows, int64_t cols,
                               trm_error *err);

/* The whole file, chosen by the end of its name. rows, cols: of grids that are rows of CSV without
 * separators, or of an array; 0, 0: they are square. */
trm_status trm__grid_read(trm__grid_list *list, int rows, int cols, trm_error *err);
trm_status trm__grid_read_csv(trm__grid_list *list, int rows, int cols, trm_error *err);
trm_status trm__grid_read_jsonl(trm__grid_list *list, trm_error *err);
trm_status trm__grid_read_npz(trm__grid_list *list, int rows, int cols, trm_error *err);

/* Reads a vocabulary, a file of one symbol a line or a list "a,b,c", and closes it. */
trm_status trm__grid_symbols_given(trm__grid_symbols *s, const char *text, trm_error *err);
/* order[i]: the symbol that comes i-th when all are integers by their value, else by their bytes.
 */
void trm__grid_symbols_sort(const trm__grid_symbols *s, uint8_t *order);

#endif
