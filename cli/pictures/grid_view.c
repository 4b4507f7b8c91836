/* See grid_view.h. */
#include "cli/pictures/grid_view.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/pictures/grid_style.h"

grid_look grid_view_look(const grid_view *v, int cell) {
  const int32_t now = v->tokens[cell];
  const bool given = v->question && grid_style_is_given(v->puzzle, v->question[cell]);
  const bool kept = given && now == v->question[cell];
  const bool judged = v->judged && v->question;
  return (grid_look){
      .given = kept,
      .changed = !given && v->before && now != v->before[cell],
      .wrong = (given && !kept) ||
               (judged && trm_sudoku_violates(v->puzzle, v->question, v->tokens, cell))};
}

/* --- marks --- */

static char left_mark(grid_look look) {
  return look.changed ? '[' : look.wrong ? '!' : ' ';
}

/* Kinds whose cells are small squares tell a given by what it is. */
static bool ticks_givens(const grid_view *v) {
  return v->ticked && !v->colour && !grid_style_is_pixels(v->puzzle);
}

static char right_mark(const grid_view *v, grid_look look) {
  if (look.wrong) return '!';
  if (look.changed) return ']';
  return look.given && ticks_givens(v) ? '\'' : ' ';
}

/* With colour, where the cell has none of its own. */
static const char *colour_of(grid_look look) {
  if (look.wrong) return look.given ? "\033[1;31m" : "\033[31m";
  return look.changed ? "\033[32m" : look.given ? "\033[1m" : "";
}

/* --- size --- */

/* Two columns a cell. Marks without colour need three. */
static bool is_narrow(const grid_view *v) {
  return grid_style_is_pixels(v->puzzle) && (v->colour || (!v->question && !v->before));
}

static int cell_columns(const grid_view *v) {
  return is_narrow(v) ? 2 : grid_style_symbol_width(v->puzzle) + (v->tight ? 1 : 2);
}

static bool has_boxes(const grid_view *v) {
  return trm_puzzle_facts_of(v->puzzle)->boxes;
}

/* Lines or columns between boxes; size and step of the boxes. */
static int count_rules(const grid_view *v, int size, int box) {
  return has_boxes(v) && size ? (size - 1) / box : 0;
}

int grid_view_lines(const grid_view *v) {
  return v->box.rows + count_rules(v, v->box.rows, v->puzzle->box_rows);
}

int grid_view_columns(const grid_view *v) {
  return v->box.cols * cell_columns(v) + count_rules(v, v->box.cols, v->puzzle->box_cols);
}

/* --- lines --- */

/* The nearest of the 216 colours of the 256-colour palette. */
static int palette_of(uint32_t rgb) {
  int level[3];
  for (int i = 0; i < 3; i++) level[i] = ((int)(rgb >> (16 - 8 * i) & 255) * 5 + 127) / 255;
  return 16 + 36 * level[0] + 6 * level[1] + level[2];
}

static void draw_cell(const grid_view *v, int cell, FILE *f) {
  char symbol[TRM_PUZZLE_MAX_SYMBOL + 1];
  const int32_t token = v->tokens[cell];
  const int width = grid_style_symbol(v->puzzle, token, symbol), columns = cell_columns(v);
  const grid_look look = grid_view_look(v, cell);
  const grid_style style = grid_style_of(v->puzzle, token);
  const char left = left_mark(look), right = right_mark(v, look);
  const char *on = v->colour && !style.filled ? colour_of(look) : "";
  if (v->colour && style.filled)
    fprintf(f, "\033[48;5;%d;38;5;%dm", palette_of(style.fill), palette_of(style.ink));
  fputs(on, f);

  /* A narrow cell has no room for marks beside the symbol: they take its place. */
  if (!is_narrow(v) && v->tight)
    fprintf(f, "%s%*s%c", symbol, columns - 1 - width, "", right);
  else if (!is_narrow(v))
    fprintf(f, "%c%s%*s%c", left, symbol, columns - 2 - width, "", right);
  else if (look.changed || look.wrong)
    fprintf(f, "%c%c", left, right);
  else
    fprintf(f, "%s ", v->colour && style.tells ? " " : symbol);
  if (*on || (v->colour && style.filled)) fputs("\033[0m", f);
}

static void draw_rule(const grid_view *v, FILE *f) {
  for (int col = 0; col < v->box.cols; col++) {
    if (col && col % v->puzzle->box_cols == 0) fputc('+', f);
    for (int i = cell_columns(v); i > 0; i--) fputc('-', f);
  }
}

void grid_view_line(const grid_view *v, int line, FILE *f) {
  const trm_puzzle *p = v->puzzle;
  bool boxes = has_boxes(v);
  if (line >= grid_view_lines(v)) {
    fprintf(f, "%*s", grid_view_columns(v), "");
    return;
  }

  /* Rules between the boxes are lines, too. */
  int row = boxes ? line - line / (p->box_rows + 1) : line;
  if (boxes && line % (p->box_rows + 1) == p->box_rows) {
    draw_rule(v, f);
    return;
  }
  for (int col = 0; col < v->box.cols; col++) {
    if (boxes && col && col % p->box_cols == 0) fputc('|', f);
    draw_cell(v, (v->box.row + row) * p->cols + v->box.col + col, f);
  }
}

void grid_view_draw(const grid_view *v, FILE *f) {
  for (int line = 0; line < grid_view_lines(v); line++) {
    fputs("  ", f);
    grid_view_line(v, line, f);
    fputc('\n', f);
  }
}

static int most(int a, int b) {
  return a > b ? a : b;
}

void grid_view_legend(const grid_view *v, char *text, size_t size) {
  const bool narrow = is_narrow(v), blank = trm_puzzle_facts_of(v->puzzle)->blank;
  const char *given = !blank || grid_style_is_pixels(v->puzzle) ? ""
                      : v->colour                               ? "bold: given  "
                      : ticks_givens(v)                         ? "5' given  "
                                                                : "";
  const char *changed = narrow ? "[]" : v->tight ? "5]" : "[5]";
  const char *wrong = narrow ? "!!" : v->tight ? "5!" : "!5!";
  snprintf(text, size, "%s%s changed", given, changed);
  if (!blank) return; /* anything may stand anywhere */
  const size_t used = strlen(text);
  snprintf(text + used, size - used, "  %s %s", wrong,
           trm_sudoku_known(v->puzzle) ? "breaks a rule" : "a given overwritten");
}

/* Between grids side by side, as before the first. */
enum { INDENT = 2, GAP = 3 };

static int titled_columns(const grid_view *v) {
  return most(grid_view_columns(v), (int)strlen(v->title));
}

static void draw_side_by_side(const grid_view *views, int n, FILE *f) {
  const grid_view *last = &views[n - 1];
  int lines = 0;
  fprintf(f, "%*s", INDENT, "");
  for (const grid_view *v = views; v <= last; v++) {
    fprintf(f, "%-*s", v == last ? 0 : titled_columns(v) + GAP, v->title);
    lines = most(lines, grid_view_lines(v));
  }
  fputc('\n', f);

  /* Shorter ones are filled up with spaces, so that those behind them stand where they should. */
  for (int line = 0; line < lines; line++) {
    fprintf(f, "%*s", INDENT, "");
    for (const grid_view *v = views; v <= last; v++) {
      if (v < last || line < grid_view_lines(v)) grid_view_line(v, line, f);
      if (v < last) fprintf(f, "%*s", titled_columns(v) - grid_view_columns(v) + GAP, "");
    }
    fputc('\n', f);
  }
}

void grid_view_draw_row(const grid_view *views, int n, int width, FILE *f) {
  for (int first = 0, end; first < n; first = end) {
    int used = INDENT + titled_columns(&views[first]);
    for (end = first + 1; end < n; end++) {
      used += GAP + titled_columns(&views[end]);
      if (used > width) break;
    }
    draw_side_by_side(views + first, end - first, f);
  }
}

int grid_view_terminal_columns(void) {
  struct winsize size;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

int grid_view_terminal_lines(void) {
  struct winsize size;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0) return 24;
  return size.ws_row;
}
