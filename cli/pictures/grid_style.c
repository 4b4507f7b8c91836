/* See grid_style.h. */
#include "cli/pictures/grid_style.h"

#include <string.h>

enum { DARK_INK = 0x111111, LIGHT_INK = 0xFFFFFF };

static uint32_t ink_on(uint32_t fill) {
  uint32_t light = 299 * (fill >> 16) + 587 * (fill >> 8 & 255) + 114 * (fill & 255);
  return light > 140000 ? DARK_INK : LIGHT_INK;
}

grid_style grid_style_of(const trm_puzzle *p, int32_t token) {
  const trm_puzzle_facts *facts = trm_puzzle_facts_of(p);
  grid_style style = {.fill = 0xFFFFFF, .ink = DARK_INK};
  if (!trm_puzzle_symbol(p, token) || !facts->n_fill) return style;
  uint32_t i = (uint32_t)(token - trm_puzzle_first_symbol(p)) % (uint32_t)facts->n_fill;
  style.filled = true;
  style.tells = !(facts->lettered >> i & 1);
  style.fill = facts->fill[i];
  style.ink = ink_on(style.fill);
  return style;
}

bool grid_style_is_pixels(const trm_puzzle *p) {
  return trm_puzzle_facts_of(p)->pixels;
}

bool grid_style_is_blank(const trm_puzzle *p, const char *symbol) {
  const char blank = trm_puzzle_facts_of(p)->blank;
  return blank && *symbol == blank;
}

bool grid_style_is_given(const trm_puzzle *p, int32_t token) {
  const char *symbol = trm_puzzle_symbol(p, token);
  return symbol && trm_puzzle_facts_of(p)->blank && !grid_style_is_blank(p, symbol);
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
