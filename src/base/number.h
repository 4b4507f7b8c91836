/* Numbers as text, the same in every locale of the host program: the C library's printf and strtod
 * follow the locale's decimal point, these do not, and they keep no state. */
#ifndef TRM_BASE_NUMBER_H
#define TRM_BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TRM__NUMBER_SIZE = 32 };

/* True for [+-]DIGITS[.DIGITS][e[+-]DIGITS], with digits on one side of the point at least: no
 * spaces, no hexadecimal, no "inf". */
bool trm__number_is_decimal(const char *text, size_t n);
/* The double nearest to such a text of n bytes, of any length, in bounded memory; infinite when
 * there is none. */
double trm__number_read(const char *text, size_t n);
/* A whole text as a number; false when it is anything else, or there is no such number of the type.
 * The double is finite. */
bool trm__number_int64(const char *text, int64_t *out);
bool trm__number_uint64(const char *text, uint64_t *out);
bool trm__number_double(const char *text, double *out);
/* The shortest text that reads back as the same finite double, as Python prints it: 0.1, 1.0,
 * 1e-05. It always has a point or an exponent. Returns its length. */
size_t trm__number_print(double v, char text[TRM__NUMBER_SIZE]);
/* As printf with one conversion for a double, such as "%a", in the locale "C". The text is cut
 * where it does not fit. */
void trm__number_format(const char *format, double v, char text[TRM__NUMBER_SIZE]);

#endif
