/* See arc_move.h. A grid is found by its colours: they fill a rectangle, and everything else on the
 * canvas is padding or the mark of its end. */
#include "puzzle/arc/arc_move.h"

#include <string.h>

#include "trm/dataset.h"

enum { END = TRM__ARC_FIRST - 1 };

/* The rectangle of a grid on the canvas. */
typedef struct place {
  int row, col, rows, cols;
} place;

static bool is_colour(int32_t token) {
  return token >= TRM__ARC_FIRST && token < TRM__ARC_FIRST + TRM__ARC_COLOURS;
}

/* False when the colours fill no rectangle. */
static bool find_grid(const int32_t *tokens, int side, place *at) {
  int first = 0, colours = 0;
  while (first < side * side && !is_colour(tokens[first])) first++;
  *at = (place){first / side, first % side, 0, 0};
  while (at->row + at->rows < side && is_colour(tokens[(at->row + at->rows) * side + at->col]))
    at->rows++;
  while (at->rows && at->col + at->cols < side &&
         is_colour(tokens[at->row * side + at->col + at->cols]))
    at->cols++;
  for (int i = 0; i < side * side; i++) colours += is_colour(tokens[i]);
  for (int i = 0; i < at->rows; i++)
    for (int j = 0; j < at->cols; j++)
      if (!is_colour(tokens[(at->row + i) * side + at->col + j])) return false;
  return colours > 0 && colours == at->rows * at->cols;
}

/* The canvas with the grid at (row, col) instead. */
static void put_grid(const int32_t *from, int side, const place *at, int row, int col,
                     int32_t padding, int32_t *to) {
  const int end_row = row + at->rows, end_col = col + at->cols;
  for (int i = 0; i < side * side; i++) to[i] = padding;
  for (int i = 0; i < at->rows; i++) {
    int32_t *line = to + (row + i) * side;
    memcpy(line + col, from + (at->row + i) * side + at->col, (size_t)at->cols * sizeof *line);
    if (end_col < side) line[end_col] = END;
  }
  for (int j = col; j < end_col && end_row < side; j++) to[end_row * side + j] = END;
}

/* What stands where there is neither colour nor mark, if there is such a cell. */
static int32_t padding_of(const int32_t *tokens, int side, int32_t otherwise) {
  for (int i = 0; i < side * side; i++)
    if (!is_colour(tokens[i]) && tokens[i] != END) return tokens[i];
  return otherwise;
}

void trm__arc_move(trm__rng *rng, int side, const int32_t *from_inputs, const int32_t *from_labels,
                   int32_t *inputs, int32_t *labels) {
  place in, out;
  if (!find_grid(from_inputs, side, &in) || !find_grid(from_labels, side, &out) ||
      in.row != out.row || in.col != out.col) {
    const size_t cells = (size_t)side * (size_t)side;
    memcpy(inputs, from_inputs, cells * sizeof *inputs);
    memcpy(labels, from_labels, cells * sizeof *labels);
    return;
  }
  const int rows = in.rows > out.rows ? in.rows : out.rows;
  const int cols = in.cols > out.cols ? in.cols : out.cols;
  const int row = (int)trm__rng_below(rng, (uint32_t)(side - rows + 1));
  const int col = (int)trm__rng_below(rng, (uint32_t)(side - cols + 1));
  put_grid(from_inputs, side, &in, row, col, padding_of(from_inputs, side, 0), inputs);
  put_grid(from_labels, side, &out, row, col, padding_of(from_labels, side, TRM_IGNORE_LABEL),
           labels);
}
