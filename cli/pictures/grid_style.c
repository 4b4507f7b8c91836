/* See grid_style.h. */
#include "cli/pictures/grid_style.h"

#include <string.h>

enum { DARK_INK = 0x111111, LIGHT_INK = 0xFFFFFF, N_TINTS = 12 };

/* The colours in which ARC's tasks are published. */
static const uint32_t arc_fill[] = {0x000000, 0x0074D9, 0xFF4136, 0x2ECC40, 0xFFDC00,
                                    0xAAAAAA, 0xF012BE, 0xFF851B, 0x7FDBFF, 0x870C25};
/* Wall, free, start, goal, path. */
static const uint32_t maze_fill[] = {0x333333, 0xF2F2F2, 0x2ECC40, 0xFF4136, 0xFFDC00};
/* Of a user's symbols in their order; the first is most often the blank. */
static const uint32_t tint[N_TINTS] = {0xF2F2F2, 0x4477AA, 0xEE6677, 0x228833, 0xCCBB44, 0x66CCEE,
                                       0xAA3377, 0xBBBBBB, 0xEE8866, 0x99DDFF, 0x77AADD, 0xFFAABB};

static uint32_t ink_on(uint32_t fill) {
  uint32_t light = 299 * (fill >> 16) + 587 * (fill >> 8 & 255) + 114 * (fill & 255);
  return light > 140000 ? DARK_INK : LIGHT_INK;
}

grid_style grid_style_of(const trm_puzzle *p, int32_t token) {
  static const struct {
    const uint32_t *fill; /* NULL: none */
    uint32_t n;
    uint32_t untold; /* bits of the symbols that are shown in spite of their colour */
  } kinds[TRM_PUZZLE_KINDS] = {[TRM_PUZZLE_ARC] = {arc_fill, 10, 0},
                               [TRM_PUZZLE_MAZE] = {maze_fill, 5, 1u << 2 | 1u << 3},
                               [TRM_PUZZLE_GRID] = {tint, N_TINTS, ~0u}};
  grid_style style = {.fill = 0xFFFFFF, .ink = DARK_INK};
  if (!trm_puzzle_symbol(p, token) || !kinds[p->kind].fill) return style;
  uint32_t i = (uint32_t)(token - trm_puzzle_first_symbol(p)) % kinds[p->kind].n;
  style.filled = true;
  style.tells = !(kinds[p->kind].untold >> i & 1);
  style.fill = kinds[p->kind].fill[i];
  style.ink = ink_on(style.fill);
  return style;
}

bool grid_style_is_pixels(const trm_puzzle *p) {
  return p->kind == TRM_PUZZLE_ARC || p->kind == TRM_PUZZLE_MAZE;
}

bool grid_style_is_given(const trm_puzzle *p, int32_t token) {
  const char *symbol = trm_puzzle_symbol(p, token);
  if (!symbol) return false;
  return (p->kind == TRM_PUZZLE_SUDOKU && *symbol != '.') ||
         (p->kind == TRM_PUZZLE_MAZE && *symbol != ' ');
}

int grid_style_symbol(const trm_puzzle *p, int32_t token, char text[TRM_PUZZLE_MAX_SYMBOL + 1]) {
  const char *symbol = trm_puzzle_symbol(p, token);
  int characters = 0;
  cli_clean(text, TRM_PUZZLE_MAX_SYMBOL + 1, symbol ? symbol : "?");
  for (const char *c = text; *c; c++) characters += ((unsigned char)*c & 0xc0) != 0x80;
  return characters;
}

int grid_style_symbol_width(const trm_puzzle *p) {
  char text[TRM_PUZZLE_MAX_SYMBOL + 1];
  int widest = 1, first = trm_puzzle_first_symbol(p);
  for (int token = first; token < first + trm_puzzle_n_symbols(p); token++) {
    int width = grid_style_symbol(p, token, text);
    if (width > widest) widest = width;
  }
  return widest;
}
