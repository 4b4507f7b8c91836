/* Grids in CSV files: one UTF-8 character a cell. */
#include "base/memory.h"
#include "base/text.h"
#include "data/grid/grid_list.h"
#include "data/puzzle_csv.h"
#include "io/json.h"

/* Bytes of a row separator, 0 when there is none. */
static size_t separator(const char *text, size_t n) {
  return *text == '/' ? 1 : trm__text_line_end(text, n);
}

typedef struct reader {
  trm__puzzle_csv in;
  trm__grid_list *list;
  int rows, cols; /* of grids without separators; 0, 0: square */
} reader;

static trm_status grid_size(const reader *r, const trm__csv_field *f, int grid,
                            const trm__grid_place *last, int64_t cells, trm_error *err) {
  int64_t rows = r->rows, cols = r->cols;
  if (last->row > 0) {
    rows = last->row + 1;
    cols = cells / rows;
  } else if (!rows) {
    while (rows * rows < cells) rows++;
    cols = rows;
  }
  if (rows * cols != cells)
    TRM_FAIL_AT(
        err, TRM_E_FORMAT, f->line, "%s line %lld column %lld: %lld cell%s %s %lld x %lld%s",
        r->list->path, f->line, f->column, (long long)cells, TRM__S(cells),
        r->rows ? "are not" : "are no square, not even", (long long)rows, (long long)cols,
        r->rows ? "" : ": separate rows by '/', or say how many rows and columns there are");
  return trm__grid_list_size(r->list, grid, rows, cols, err);
}

/* Columns of a grid without separators, 0 when they are not known before its end: needed to say
 * which cell an error is about. */
static int known_width(const reader *r, const char *text, size_t n) {
  int64_t cells = 0, side = 0;
  for (size_t i = 0, step; i < n; i += step, cells++) {
    if (separator(text + i, n - i)) return 0;
    step = trm__text_character(text + i, n - i);
    if (!step) return 0;
  }
  if (r->cols) return r->cols;
  while (side <= TRM_PUZZLE_MAX_SIDE && side * side < cells) side++;
  return side * side == cells ? (int)side : 0;
}

/* Every row must be as long as the first. */
static trm_status end_row(const reader *r, const trm__csv_field *f, const trm__grid_place *at,
                          int width, trm_error *err) {
  if (at->row == 0 || at->col == width) return TRM_OK;
  TRM_FAIL_AT(err, TRM_E_FORMAT, f->line,
              "%s line %lld column %lld: row %d of the grid has %d cell%s, the first has %d",
              r->list->path, f->line, f->column, at->row + 1, at->col, TRM__S(at->col), width);
}

/* The bytes of a field without the line end that it may have. */
static size_t trimmed(const trm__csv_field *f) {
  const size_t n = f->n;
  if (n > 1 && trm__text_line_end(f->text + n - 2, 2) == 2) return n - 2;
  return n ? n - trm__text_line_end(f->text + n - 1, 1) : 0;
}

static trm_status refuse_large(const reader *r, const trm__csv_field *f, trm_error *err) {
  TRM_FAIL_AT(err, TRM_E_FORMAT, f->line,
              "%s line %lld column %lld: the grid is larger than %d x %d", r->list->path, f->line,
              f->column, TRM_PUZZLE_MAX_SIDE, TRM_PUZZLE_MAX_SIDE);
}

static trm_status read_grid(const reader *r, const trm__csv_field *f, int grid, trm_error *err) {
  const size_t n = trimmed(f);
  const int columns = known_width(r, f->text, n);
  trm__grid_place at = {.line = f->line, .grid = grid};
  int width = 0;
  int64_t cells = 0;
  for (size_t i = 0, step; i < n; i += step) {
    if (at.row == TRM_PUZZLE_MAX_SIDE || cells == TRM_PUZZLE_MAX_SIDE * TRM_PUZZLE_MAX_SIDE)
      return refuse_large(r, f, err);

    /* A separator ends a row; the first row says how wide all are. */
    if ((step = separator(f->text + i, n - i))) {
      if (at.row == 0) width = at.col;
      TRM_TRY(end_row(r, f, &at, width, err));
      at.row++;
      at.col = 0;
      continue;
    }

    /* Any other character is a cell. */
    step = trm__text_character(f->text + i, n - i);
    if (!step || f->text[i] == '"')
      TRM_FAIL_AT(err, TRM_E_FORMAT, f->line, "%s line %lld column %lld: %s", r->list->path,
                  f->line, f->column + (long long)i,
                  step ? "a quote cannot be a cell of CSV; write .jsonl"
                       : "the bytes from here on are not UTF-8");

    /* A grid without separators is named by the rows that it is going to have. */
    trm__grid_place named = at;
    if (columns) named.row = at.col / columns, named.col = at.col % columns;
    TRM_TRY(trm__grid_list_add(r->list, &named, f->text + i, step, err));
    cells++;
    at.col++;
  }
  TRM_TRY(end_row(r, f, &at, width, err));
  return grid_size(r, f, grid, &at, cells, err);
}

static trm_status read_rows(reader *r, trm_error *err) {
  for (;;) {
    TRM_TRY(trm__puzzle_csv_next(&r->in, err));
    if (!r->in.question.text) return TRM_OK;
    TRM_TRY(trm__grid_list_begin(r->list, r->in.question.line, err));
    TRM_TRY(read_grid(r, &r->in.question, TRM__GRID_INPUT, err));
    TRM_TRY(read_grid(r, &r->in.answer, TRM__GRID_OUTPUT, err));
  }
}

trm_status trm__grid_read_csv(trm__grid_list *list, int rows, int cols, trm_error *err) {
  reader *r;
  TRM_ALLOC(&r, 1, "a CSV reader", err);
  r->list = list;
  r->rows = rows;
  r->cols = cols;
  trm_status st = trm__puzzle_csv_open(&r->in, list->path, list->columns, err);
  if (st == TRM_OK) st = read_rows(r, err);
  list->empty_rows = r->in.empty;
  trm__puzzle_csv_close(&r->in);
  trm__free(r);
  return st;
}
