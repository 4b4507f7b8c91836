/* See text.h. */
#include "base/text.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"

size_t trm__text_character(const char *text, size_t n) {
  const unsigned char *u = (const unsigned char *)text;
  const size_t length = u[0] < 0x80 ? 1 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
  if ((u[0] >= 0x80 && u[0] < 0xc2) || u[0] > 0xf4 || length > n) return 0;
  for (size_t i = 1; i < length; i++)
    if ((u[i] & 0xc0) != 0x80) return 0;
  /* Longer than need be, halves of a surrogate pair, and beyond the last character. */
  if ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f) ||
      (u[0] == 0xf0 && u[1] < 0x90) || (u[0] == 0xf4 && u[1] > 0x8f))
    return 0;
  return length;
}

uint32_t trm__text_code(const char *character, size_t n) {
  static const unsigned char first[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
  const unsigned char *u = (const unsigned char *)character;
  uint32_t code = u[0] & first[n];
  for (size_t i = 1; i < n; i++) code = code << 6 | (u[i] & 0x3fu);
  return code;
}

size_t trm__text_count(const char *text, size_t n) {
  size_t count = 0;
  for (size_t i = 0, step; i < n; i += step ? step : 1, count++)
    step = trm__text_character(text + i, n - i);
  return count;
}

bool trm__text_is_control(const char *character, size_t n) {
  static const struct {
    uint32_t first, last;
  } controls[] = {{0, 0x1f}, {0x7f, 0x9f}, {0x2028, 0x202e}, {0x2066, 0x2069}};
  const uint32_t code = trm__text_code(character, n);
  for (size_t i = 0; i < sizeof controls / sizeof *controls; i++)
    if (code >= controls[i].first && code <= controls[i].last) return true;
  return false;
}

/* Spaces other than ' ', and what has no width. */
static bool is_unseen(uint32_t code) {
  return code == 0xa0 || code == 0xad || (code >= 0x2000 && code <= 0x200f) || code == 0x202f ||
         code == 0x2060 || code == 0x3000 || code == 0xfeff;
}

const char *trm__text_show(const char *text, size_t n, char shown[TRM__TEXT_SHOWN]) {
  const size_t length = trm__text_character(text, n);
  const uint32_t code = length ? trm__text_code(text, length) : 0;
  if (!length || (code < 0x80 && trm__text_is_control(text, length)))
    snprintf(shown, TRM__TEXT_SHOWN, "\\x%02x", (unsigned char)*text);
  else if (trm__text_is_control(text, length) || is_unseen(code))
    snprintf(shown, TRM__TEXT_SHOWN, "U+%04X", (unsigned)code);
  else
    snprintf(shown, TRM__TEXT_SHOWN, "%.*s", (int)length, text);
  return shown;
}

void trm__text_clean(char *text) {
  size_t left = strlen(text);
  char *to = text;
  while (left > 0) {
    const size_t n = trm__text_character(text, left), step = n ? n : 1;
    if (n == 0 || trm__text_is_control(text, n)) {
      *to++ = '?';
    } else {
      memmove(to, text, n);
      to += n;
    }
    text += step;
    left -= step;
  }
  *to = 0;
}

size_t trm__text_line_end(const char *text, size_t n) {
  if (*text == '\r') return n > 1 && text[1] == '\n' ? 2 : 1;
  return *text == '\n';
}

size_t trm__text_mark(const char *text, size_t n) {
  return n >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;
}

bool trm__text_is_wide(const char *text, size_t n) {
  return (n >= 2 && (!memcmp(text, "\xff\xfe", 2) || !memcmp(text, "\xfe\xff", 2))) ||
         (n >= 4 && !memcmp(text, "\0\0\xfe\xff", 4));
}

char trm__small_letter(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

char trm__capital_letter(char c) {
  return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

bool trm__text_alike(const char *a, const char *b, size_t n) {
  size_t i = 0;
  while (i < n && a[i] && trm__small_letter(a[i]) == trm__small_letter(b[i])) i++;
  return i == n || trm__small_letter(a[i]) == trm__small_letter(b[i]);
}

bool trm__text_ends_in(const char *text, const char *suffix) {
  const size_t n = strlen(text), m = strlen(suffix);
  return n > m && trm__text_alike(text + n - m, suffix, SIZE_MAX);
}

char *trm__text_copy(const char *text, size_t n) {
  const char *end = n == SIZE_MAX ? NULL : memchr(text, 0, n);
  const size_t length = end ? (size_t)(end - text) : n == SIZE_MAX ? strlen(text) : n;
  char *copy = trm__alloc((uint64_t)length + 1, 1);
  if (copy) memcpy(copy, text, length);
  return copy;
}
