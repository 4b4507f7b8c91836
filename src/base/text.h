/* Text from outside: its UTF-8, and what of it a terminal must not get. */
#ifndef TRM_BASE_TEXT_H
#define TRM_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the UTF-8 character at `text`, n >= 1; 0 when there is none. */
size_t trm__text_character(const char *text, size_t n);
/* True of a character of n bytes that a terminal obeys and does not show: the control characters
 * below U+0020 and from U+007F to U+009F, line ends of Unicode, and what turns the direction of
 * writing. */
bool trm__text_is_control(const char *character, size_t n);
/* The code point of a character of n bytes. */
uint32_t trm__text_code(const char *character, size_t n);
/* How many characters there are; a byte that is not UTF-8 counts as one. */
size_t trm__text_count(const char *text, size_t n);
/* The first character for a message: itself, its code point ("U+00A0") when nobody would see it, or
 * its byte ("\xff") when it is none. n >= 1. */
enum { TRM__TEXT_SHOWN = 12 };
const char *trm__text_show(const char *text, size_t n, char shown[TRM__TEXT_SHOWN]);
/* Puts '?' in place of each of them, and of each byte that is not UTF-8. */
void trm__text_clean(char *text);
/* A letter of ASCII as a small one, or a capital; any other character as it is, whatever the locale. */
char trm__small_letter(char c);
char trm__capital_letter(char c);
/* Whether two texts are the same up to n bytes or to their ends, but for the case of the letters of
 * ASCII. */
bool trm__text_alike(const char *a, const char *b, size_t n);

/* Whether a text ends so and is longer, in letters of either case. */
bool trm__text_ends_in(const char *text, const char *suffix);
/* The first n bytes of a text, or all if it has fewer, in a fresh block (trm__free); NULL when out
 * of memory. */
char *trm__text_copy(const char *text, size_t n);

/* --- files of lines --- */

/* Bytes of the line end at `text`, n >= 1: LF, CR LF or a lone CR; 0 when there is none. */
size_t trm__text_line_end(const char *text, size_t n);
/* Bytes of the byte order mark of UTF-8 that begins `text`, 0 or 3. */
size_t trm__text_mark(const char *text, size_t n);
/* True when `text` begins with that of UTF-16 or UTF-32, which no reader here takes. */
bool trm__text_is_wide(const char *text, size_t n);

#endif
