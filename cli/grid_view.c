/* See grid_view.h. */
#include "grid_view.h"

typedef enum cell_look { LOOK_PLAIN, LOOK_GIVEN, LOOK_CHANGED, LOOK_WRONG } cell_look;

static const struct {
  const char *on, *off; /* with colour */
  char left, right;     /* without */
} looks[] = {
    [LOOK_PLAIN] = {"", "", ' ', ' '},
    [LOOK_GIVEN] = {"\033[2m", "\033[0m", ' ', ' '},
    [LOOK_CHANGED] = {"\033[1;32m", "\033[0m", '[', ']'},
    [LOOK_WRONG] = {"\033[1;31m", "\033[0m", '!', '!'},
};

static cell_look look_of(uint8_t given, uint8_t before, uint8_t now) {
  if (given) return now == given ? LOOK_GIVEN : LOOK_WRONG;
  return now != before ? LOOK_CHANGED : LOOK_PLAIN;
}

static void draw_rule(const trm_puzzle *p, FILE *f) {
  fputs("  ", f);
  for (int col = 0; col < p->cols; col++) {
    if (col && col % p->box_cols == 0) fputc('+', f);
    fputs("---", f);
  }
  fputc('\n', f);
}

void grid_view_draw(const trm_puzzle *p, const uint8_t *question, const uint8_t *before,
                    const uint8_t *values, bool colour, FILE *f) {
  char text[TRM_SUDOKU_MAX_CELLS + 1];
  trm_sudoku_format(p, values, text);
  for (int row = 0; row < p->rows; row++) {
    if (row && row % p->box_rows == 0) draw_rule(p, f);
    fputs("  ", f);
    for (int col = 0; col < p->cols; col++) {
      int i = row * p->cols + col;
      cell_look look = look_of(question[i], before[i], values[i]);
      if (col && col % p->box_cols == 0) fputc('|', f);
      if (colour)
        fprintf(f, "%s %c %s", looks[look].on, text[i], looks[look].off);
      else
        fprintf(f, "%c%c%c", looks[look].left, text[i], looks[look].right);
    }
    fputc('\n', f);
  }
}
