/* What differs between machines of one instruction set, made the same, for tests that hold hashes
 * of results: linked into a test, and as libsame_machine.so preloaded into the program.
 *
 * Elementary functions: every libm, and every version of it, rounds some results otherwise, and
 * one libm may do so on processors with and without fused multiply-add. These are built of sums,
 * products and quotients alone, which IEEE 754 fixes, to about an ulp; they are no libm: arguments
 * are those that the library has (pow of a base of at least 0, angles up to some thousands).
 * Roots, rounding and scaling by powers of two are exact everywhere and stay the C library's.
 * Products by a constant are compiled without contraction, as the library is.
 *
 * And the number of processors, which caps the threads that are started. */
#include <math.h>

#include "processors.h"

void sincos(double x, double *s, double *c); /* what compilers make of sin and cos of one angle */

static const double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
static const double inverse_ln2 = 1.44269504088896338700;

static double exp_of(double x) {
  if (!(x < 709.78)) return x < INFINITY ? INFINITY : x;
  if (x < -745) return 0;
  const double n = floor(x * inverse_ln2 + 0.5), r = (x - n * ln2_high) - n * ln2_low;
  double sum = 1;
  for (int i = 14; i > 0; i--) sum = 1 + sum * r / i;
  return ldexp(sum, (int)n);
}

/* log((1 + s) / (1 - s)) = 2 (s + s^3 / 3 + s^5 / 5 ...), on [sqrt(1/2), sqrt(2)). */
static double log_of(double x) {
  int e;
  if (!(x > 0) || x == INFINITY) return x == 0 ? -INFINITY : x < 0 ? NAN : x;
  double m = frexp(x, &e), sum = 0;
  if (m < 0.70710678118654752440) {
    m *= 2;
    e--;
  }
  const double s = (m - 1) / (m + 1), square = s * s;
  for (int i = 25; i > 1; i -= 2) sum = (sum + 1.0 / i) * square;
  return e * ln2_high + (2 * (s + s * sum) + e * ln2_low);
}

/* Of the rest after multiples of pi / 2; `turn` 1 makes a cosine of it. */
static double wave_of(double x, int turn) {
  const double n = floor(x * 6.36619772367581382433e-01 + 0.5);
  const double r = (x - n * 1.57079632673412561417) - n * 6.07710050650619224932e-11;
  const int quarter = ((int)n % 4 + 4 + turn) % 4;
  double sum = 1;
  for (int i = 20 - quarter % 2; i > 2; i -= 2) sum = 1 - sum * r * r / (i * (i + 1.0));
  sum = quarter % 2 ? 1 - sum * r * r / 2 : r * (1 - sum * r * r / 6);
  return quarter < 2 ? sum : -sum;
}

/* Near 0 by 2 / sqrt(pi) exp(-x^2) (x + 2 x^3 / 3 + 4 x^5 / 15 ...), farther by the continued
 * fraction of 1 - erf(x). */
static double erf_of(double x) {
  const double y = fabs(x), around = exp_of(-x * x) * 5.64189583547756286948e-01; /* 1 / sqrt(pi) */
  if (!(y < 6)) return y > 6 ? copysign(1, x) : x;
  double part = y < 1 ? 1 : y;
  if (y < 1)
    for (int n = 30; n > 0; n--) part = 1 + part * 2 * x * x / (2 * n + 1);
  else
    for (int n = 20 + (int)(180 / (y * y)); n > 0; n--) part = y + n / 2.0 / part;
  return y < 1 ? 2 * x * around * part : copysign(1 - around / part, x);
}

/* In place of the C library's: */

double exp(double x) {
  return exp_of(x);
}
double log(double x) {
  return log_of(x);
}
double log2(double x) {
  return log_of(x) * inverse_ln2;
}
double log1p(double x) {
  const double y = 1 + x;
  return y == 1 ? x : log_of(y) * x / (y - 1);
}
double pow(double x, double y) {
  return y == 0 ? 1 : exp_of(y * log_of(x));
}
double erf(double x) {
  return erf_of(x);
}
double sin(double x) {
  return wave_of(x, 0);
}
double cos(double x) {
  return wave_of(x, 1);
}
void sincos(double x, double *s, double *c) {
  *s = wave_of(x, 0);
  *c = wave_of(x, 1);
}
