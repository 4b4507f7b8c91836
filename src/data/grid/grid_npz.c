/* Grids in NumPy archives: arrays inputs and labels of whole numbers, one grid per row. */
#include <stdio.h>

#include "base/number.h"
#include "base/room.h"
#include "data/grid/grid_list.h"
#include "io/npz.h"

static const char *const names[2] = {"inputs", "labels"};

/* An array and the size of the grids that its rows are. */
typedef struct grids {
  trm__npz_rows *rows;
  const trm__npy *array;
  int64_t height, width;
} grids;

/* Rows of an array of two dimensions have no size of their own: what was said, or a square. Of
 * three, nothing else may be said than what they have. */
static trm_status find_size(const trm__grid_list *list, int rows, int cols, int grid, grids *g,
                            trm_error *err) {
  const trm__npy *a = g->array;
  if (a->ndim == 3 && rows && (a->shape[1] != rows || a->shape[2] != cols))
    TRM_FAIL(err, TRM_E_SHAPE,
             "%s: the grids of array '%s' have %lld rows and %lld columns, not %d and %d as said",
             list->path, names[grid], (long long)a->shape[1], (long long)a->shape[2], rows, cols);
  g->height = a->ndim == 3 ? a->shape[1] : rows;
  g->width = a->ndim == 3 ? a->shape[2] : cols;
  if (a->ndim == 2 && !rows) {
    while (g->height <= TRM_PUZZLE_MAX_SIDE && g->height * g->height < a->shape[1]) g->height++;
    g->width = g->height;
  }
  if (g->height * g->width == a->row_count) return TRM_OK;
  TRM_FAIL(err, TRM_E_SHAPE, "%s: array '%s' is [%lld, %lld]: rows of %lld cells %s", list->path,
           names[grid], (long long)a->shape[0], (long long)a->shape[1], (long long)a->shape[1],
           rows ? "are not as many as the rows times the columns that were said"
                : "are no square: say how many rows and columns a grid has");
}

static trm_status open_grids(const trm__grid_list *list, const trm__npz *npz, int rows, int cols,
                             int grid, grids *g, trm_error *err) {
  TRM_TRY(trm__npz_find(npz, names[grid], &g->rows, err));
  if (!g->rows) TRM_FAIL(err, TRM_E_FORMAT, "%s has no array '%s'", list->path, names[grid]);
  g->array = trm__npz_array(g->rows);
  if (g->array->ndim < 2)
    TRM_FAIL(err, TRM_E_SHAPE,
             "%s: array '%s' has %d dimension; want [examples, rows, columns] or [examples, cells]",
             list->path, names[grid], g->array->ndim);
  return find_size(list, rows, cols, grid, g, err);
}

static trm_status fail_cell(const trm__grid_list *list, const trm__grid_place *at, double value,
                            const char *wanted, trm_error *err) {
  char text[TRM__NUMBER_SIZE];
  trm__number_format("%.9g", value, text);
  TRM_FAIL_AT(err, TRM_E_FORMAT, at->line,
              "%s row %lld: array '%s' has %s at row %d, column %d; %s", list->path, at->line,
              names[at->grid], text, at->row + 1, at->col + 1, wanted);
}

/* The next row of an array, the i-th. */
static trm_status read_grid(trm__grid_list *list, const grids *g, int64_t i, int grid,
                            trm_error *err) {
  const trm__npy *a = g->array;
  trm__grid_place at = {.line = i, .grid = grid};
  TRM_TRY(trm__grid_list_size(list, grid, g->height, g->width, err));
  TRM_TRY(trm__npz_next(g->rows, err));
  const int64_t fraction = trm__npy_find_fraction(a, a->row_count);
  for (int64_t cell = 0; cell < a->row_count; cell++) {
    /* A label below 0 is not scored, and has no symbol. */
    const int64_t value = trm__npy_int(a, cell);
    const bool scored = grid == TRM__GRID_INPUT || value >= 0;
    char text[24];
    at.row = (int)(cell / g->width);
    at.col = (int)(cell % g->width);

    /* Only whole numbers are symbols, in their decimal form. */
    if (cell == fraction)
      return fail_cell(list, &at, trm__npy_double(a, cell), "want whole numbers", err);
    if (value < 0 && scored)
      return fail_cell(list, &at, (double)value,
                       "want 0 or more (only labels may lie below: they are not scored)", err);
    const int n = snprintf(text, sizeof text, "%lld", (long long)value);
    TRM_TRY(trm__grid_list_add(list, &at, scored ? text : NULL, (size_t)n, err));
  }
  return TRM_OK;
}

/* A small packed file may hold many grids: whether they fit is asked before the first is read. */
static trm_status check_room(const trm__grid_list *list, const trm__npy *a, const trm__npy *b,
                             trm_error *err) {
  enum { COPIES = 3 /* a list that grows is copied to one twice as long */ };
  char what[300];
  const int64_t cells = a->row_count + b->row_count;
  snprintf(what, sizeof what, "%.150s: 2 x %lld grids, a pair of %lld cells", list->path,
           (long long)a->shape[0], (long long)cells);
  if (cells > 0 && a->shape[0] > INT64_MAX / COPIES / cells)
    TRM_FAIL(err, TRM_E_MEMORY, "no memory for %s", what);
  return trm__room_for(COPIES * cells * a->shape[0], what, "split the file", err);
}

static trm_status read_rows(trm__grid_list *list, const grids g[2], trm_error *err) {
  const trm__npy *a = g[0].array, *b = g[1].array;
  if (a->shape[0] != b->shape[0])
    TRM_FAIL(err, TRM_E_SHAPE, "%s: %lld inputs and %lld labels; want as many of both", list->path,
             (long long)a->shape[0], (long long)b->shape[0]);
  TRM_TRY(check_room(list, a, b, err));
  for (int64_t i = 0; i < a->shape[0]; i++) {
    TRM_TRY(trm__grid_list_begin(list, i, err));
    for (int k = 0; k < 2; k++) TRM_TRY(read_grid(list, &g[k], i, k, err));
  }
  return TRM_OK;
}

trm_status trm__grid_read_npz(trm__grid_list *list, int rows, int cols, trm_error *err) {
  trm__npz *npz;
  grids g[2] = {{.rows = NULL}, {.rows = NULL}};
  trm_status st;
  list->unit = "row";
  TRM_TRY(trm__npz_open(list->path, &npz, err));
  for (int k = 0; k < 2; k++) TRM_GOTO(open_grids(list, npz, rows, cols, k, &g[k], err));
  st = read_rows(list, g, err);
done:
  for (int k = 0; k < 2; k++) trm__npz_rows_close(g[k].rows);
  trm__npz_close(npz);
  return st;
}
