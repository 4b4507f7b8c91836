/* What people, fonts and spreadsheets write for digits, blanks and frames outside ASCII, as what
 * the forms know. */
#include <string.h>

#include "base/text.h"
#include "puzzle/sudoku/sudoku_shape.h"

/* Characters [first, last] as `as`; with `counts` the following ones as those behind it. */
static const struct {
  uint32_t first, last;
  char as;
  bool counts;
} plain[] = {
    {0xff10, 0xff19, '0', true},  /* digits of full width */
    {0xb7, 0xb7, '.', false},     /* middle dot */
    {0x2022, 0x2022, '.', false}, /* bullet */
    {0x2219, 0x2219, '.', false}, /* bullet operator */
    {0x22c5, 0x22c5, '.', false}, /* dot operator */
    {0x25a1, 0x25a1, '.', false}, /* white square */
    {0xff0e, 0xff0e, '.', false}, /* full stop of full width */
    {0xa0, 0xa0, ' ', false},     /* no-break space */
    {0x3000, 0x3000, ' ', false}, /* space of full width */
    {0x2500, 0x2501, '-', false}, /* frames */
    {0x2502, 0x2503, '|', false}, {0x2504, 0x2505, '-', false}, {0x2506, 0x2507, '|', false},
    {0x2508, 0x2509, '-', false}, {0x250a, 0x250b, '|', false}, {0x250c, 0x254b, '+', false},
    {0x2550, 0x2550, '-', false}, {0x2551, 0x2551, '|', false}, {0x2552, 0x256c, '+', false}};

static char plain_of(const char *character, size_t n) {
  const uint32_t code = trm__text_code(character, n);
  for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
    if (code >= plain[i].first && code <= plain[i].last)
      return (char)(plain[i].as + (plain[i].counts ? (int)(code - plain[i].first) : 0));
  return 0;
}

bool trm__sudoku_is_plain(const char *text, size_t n) {
  unsigned char seen = 0;
  for (size_t i = 0; i < n; i++) seen |= (unsigned char)text[i];
  return seen < 0x80;
}

size_t trm__sudoku_make_plain(const char *text, size_t n, char *out) {
  size_t used = 0;
  for (size_t i = 0, step; i < n; i += step) {
    const size_t length = trm__text_character(text + i, n - i);
    const char as = length > 1 ? plain_of(text + i, length) : 0;
    step = length ? length : 1;
    if (as) {
      out[used++] = as;
    } else {
      memmove(out + used, text + i, step);
      used += step;
    }
  }
  return used;
}
