/* Both directions go through a whole number and an exponent, 15e-1 for 1.5: that the C library
 * reads and writes without a decimal point. */
#include "base/number.h"

#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  EXACT_DIGITS = 15, /* whole numbers of as many are doubles */
  SHORT_DIGITS = 17, /* tell every double from its neighbours */
  READ_DIGITS = 800, /* more than a number between two doubles may have */
  EXACT_POWER = 22   /* 10^22 is a double, 10^23 is not */
};

/* --- reading --- */

/* A decimal number without its sign: the digits, read as a whole number, times 10^exponent. */
typedef struct decimal {
  char digit[READ_DIGITS + 32];
  int n;
  int64_t exponent;
} decimal;

/* Digits beyond the last only say whether the number is larger than without them. */
static void add_digits(decimal *d, const char *text, size_t n) {
  bool fraction = false, rest = false;
  for (size_t i = 0; i < n; i++) {
    if (text[i] == '.') {
      fraction = true;
      continue;
    }
    d->exponent -= fraction;
    if (d->n == 0 && text[i] == '0') continue;
    if (d->n < READ_DIGITS) {
      d->digit[d->n++] = text[i];
    } else {
      d->exponent++;
      rest |= text[i] != '0';
    }
  }
  if (!rest) return;
  d->digit[d->n++] = '1';
  d->exponent--;
}

/* [+-]DIGITS, not further from 0 than any text of digits may make up for. */
static int64_t read_exponent(const char *text, size_t n) {
  static const int64_t most = INT64_MAX / 16;
  int64_t v = 0;
  const bool negative = n && *text == '-';
  for (size_t i = 0; i < n; i++) {
    if (text[i] == '-' || text[i] == '+') continue;
    v = 10 * v + (text[i] - '0');
    if (v > most) v = most;
    if (v == most) break;
  }
  return negative ? -v : v;
}

/* One operation on two exact doubles, which rounds once; false where that cannot be. */
static bool read_exactly(const decimal *d, double *v) {
  static const double power[EXACT_POWER + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  int64_t whole = 0;
  if (FLT_EVAL_METHOD != 0 || d->n > EXACT_DIGITS) return false;
  if (d->exponent < -EXACT_POWER || d->exponent > EXACT_POWER) return false;
  for (int i = 0; i < d->n; i++) whole = 10 * whole + (d->digit[i] - '0');
  *v = d->exponent < 0 ? (double)whole / power[-d->exponent] : (double)whole * power[d->exponent];
  return true;
}

static double read_decimal(decimal *d) {
  enum { BEYOND = 100000 }; /* exponents that make any such number 0 or infinite */
  double v = 0;
  if (d->n == 0 || read_exactly(d, &v)) return v;
  const int64_t e = d->exponent < -BEYOND ? -BEYOND : d->exponent > BEYOND ? BEYOND : d->exponent;
  (void)snprintf(d->digit + d->n, sizeof d->digit - (size_t)d->n, "e%" PRId64, e);
  return strtod(d->digit, NULL);
}

static size_t skip_digits(const char *text, size_t at, size_t n) {
  while (at < n && text[at] >= '0' && text[at] <= '9') at++;
  return at;
}

static size_t skip_sign(const char *text, size_t at, size_t n) {
  return at + (at < n && (text[at] == '-' || text[at] == '+'));
}

bool trm__number_is_decimal(const char *text, size_t n) {
  const size_t start = skip_sign(text, 0, n);
  size_t at = skip_digits(text, start, n), digits = at - start;
  if (at < n && text[at] == '.') {
    const size_t after = skip_digits(text, at + 1, n);
    digits += after - (at + 1);
    at = after;
  }
  if (digits && at < n && (text[at] == 'e' || text[at] == 'E')) {
    const size_t exponent = skip_sign(text, at + 1, n);
    at = skip_digits(text, exponent, n);
    if (at == exponent) return false;
  }
  return digits && at == n;
}

double trm__number_read(const char *text, size_t n) {
  decimal d = {.n = 0};
  const size_t sign = skip_sign(text, 0, n);
  size_t end = sign;
  while (end < n && text[end] != 'e' && text[end] != 'E') end++;
  if (end < n) d.exponent = read_exponent(text + end + 1, n - end - 1);
  add_digits(&d, text + sign, end - sign);
  const double v = read_decimal(&d);
  return sign && *text == '-' ? -v : v;
}

/* --- printing --- */

/* The n leading digits, rounded, and the power of ten of the first; |v| > 0. Of "d.ddde+XX" the
 * point, which may be of several bytes, lies between digits whose number is known. */
static int leading_digits(double v, int n, decimal *d) {
  char text[64];
  (void)snprintf(text, sizeof text, "%.*e", n - 1, fabs(v));
  const char *mark = strrchr(text, 'e');
  d->digit[0] = text[0];
  memcpy(d->digit + 1, mark - (n - 1), (size_t)n - 1);
  d->n = n;
  return (int)strtol(mark + 1, NULL, 10);
}

static bool reads_back(const decimal *d, int power, double v) {
  decimal whole = *d;
  whole.exponent = power - (d->n - 1);
  const double back = read_decimal(&whole);
  return !(back < fabs(v)) && !(back > fabs(v));
}

/* The next larger number of as many digits. No carry comes out at the front: 9.99... is read back
 * before. */
static void step_up(decimal *d) {
  int i = d->n - 1;
  for (; i > 0 && d->digit[i] == '9'; i--) d->digit[i] = '0';
  d->digit[i]++;
}

/* As few digits as tell v from its neighbours; up to EXACT_DIGITS rounding finds them by itself,
 * but for the numbers next to 0, which have fewer bits. Above a power of two the neighbour is twice
 * as far as below: there a number may be nearer to v than any other, though one below it, which
 * was rounded to, is not. */
static int shortest_digits(double v, decimal *d) {
  int power = 0;
  *d = (decimal){.digit = "0", .n = 1};
  if (!(fabs(v) > 0)) return 0;
  for (int n = fabs(v) < DBL_MIN ? 1 : EXACT_DIGITS; n <= SHORT_DIGITS; n++) {
    power = leading_digits(v, n, d);
    if (reads_back(d, power, v)) break;
    if (n != SHORT_DIGITS - 1 || d->digit[0] == '9') continue;
    step_up(d);
    if (reads_back(d, power, v)) break;
  }
  while (d->n > 1 && d->digit[d->n - 1] == '0') d->n--;
  return power;
}

/* The digits with a point behind the first `before` of them, zeros where there are none. */
static size_t put_digits(char *to, const decimal *d, int before) {
  size_t n = 0;
  if (before <= 0) to[n++] = '0';
  for (int i = before < 0 ? before : 0; i < d->n || i < before; i++) {
    if (i == before || (before <= 0 && n == 1)) to[n++] = '.';
    to[n++] = (char)(i < 0 || i >= d->n ? '0' : d->digit[i]);
  }
  if (d->n <= before) {
    to[n++] = '.';
    to[n++] = '0';
  }
  return n;
}

size_t trm__number_print(double v, char text[TRM__NUMBER_SIZE]) {
  enum { LEAST_POWER = -4, MOST_POWER = 15 }; /* that are written out */
  decimal d;
  const int power = shortest_digits(v, &d);
  size_t n = 0;
  if (signbit(v)) text[n++] = '-';
  if (power >= LEAST_POWER && power <= MOST_POWER) {
    n += put_digits(text + n, &d, power + 1);
    text[n] = 0;
    return n;
  }
  text[n++] = d.digit[0];
  if (d.n > 1) {
    text[n++] = '.';
    memcpy(text + n, d.digit + 1, (size_t)d.n - 1);
    n += (size_t)d.n - 1;
  }
  return n + (size_t)snprintf(text + n, TRM__NUMBER_SIZE - n, "e%+03d", power);
}

/* The point is all that is neither a letter, a digit nor a sign. */
static bool is_plain(unsigned char c) {
  return c == '+' || c == '-' || (c < 0x80 && isalnum(c));
}

void trm__number_format(const char *format, double v, char text[TRM__NUMBER_SIZE]) {
  size_t n = 0;
  (void)snprintf(text, TRM__NUMBER_SIZE, format, v);
  for (const char *c = text; *c; c++) {
    if (is_plain((unsigned char)*c))
      text[n++] = *c;
    else if (n && text[n - 1] != '.')
      text[n++] = '.';
  }
  text[n] = 0;
}

bool trm__number_int64(const char *text, int64_t *out) {
  char *end;
  errno = 0;
  const long long v = strtoll(text, &end, 10);
  if (end == text || *end || errno || isspace((unsigned char)*text)) return false;
  *out = v;
  return true;
}

bool trm__number_uint64(const char *text, uint64_t *out) {
  char *end;
  errno = 0;
  if (*text < '0' || *text > '9') return false;
  const unsigned long long v = strtoull(text, &end, 10);
  if (*end || errno) return false;
  *out = v;
  return true;
}

bool trm__number_double(const char *text, double *out) {
  const size_t n = strlen(text);
  if (!trm__number_is_decimal(text, n)) return false;
  const double v = trm__number_read(text, n);
  if (isinf(v)) return false;
  *out = v;
  return true;
}
