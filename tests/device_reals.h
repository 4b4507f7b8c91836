/* Arrays on the device as values in double precision, random ones, and comparison with a reference.
 */
#ifndef TRM_TESTS_DEVICE_REALS_H
#define TRM_TESTS_DEVICE_REALS_H

#include "device_array.h"

typedef std::vector<double> reals;

/* An array of T; `values` are what it holds, as T. */
template <class T>
struct real_array : array<T> {
  explicit real_array(size_t count) : array<T>(count) {}
  explicit real_array(reals &values) : array<T>(rounded(values)) {}
  reals read() const {
    const std::vector<T> got = array<T>::read();
    reals values(got.size());
    for (size_t i = 0; i < got.size(); i++) values[i] = to_float(got[i]);
    return values;
  }

 private:
  static std::vector<T> rounded(reals &values) {
    std::vector<T> out(values.size());
    for (size_t i = 0; i < out.size(); i++) {
      out[i] = from_float<T>((float)values[i]);
      values[i] = to_float(out[i]);
    }
    return out;
  }
};

static uint64_t seed = 1;
static double uniform(void) { /* -1 .. 1 */
  seed = seed * 6364136223846793005u + 1442695040888963407u;
  return (double)(seed >> 11) / (double)(1ull << 52) - 1;
}
static reals random_values(size_t n, double size) {
  reals x(n);
  for (double &v : x) v = size * uniform();
  return x;
}

/* The error norm is below the tolerance, no single error above ten times as much. */
static void expect(const char *what, const reals &got, const reals &want, double tolerance) {
  double error = 0, norm = 0, worst = 0;
  size_t where = 0;
  assert_int_equal(got.size(), want.size());
  for (size_t i = 0; i < got.size(); i++) {
    double e = fabs(got[i] - want[i]);
    error += e * e;
    norm += want[i] * want[i];
    if (!(e <= worst)) worst = e, where = i; /* NaN, too */
    if (isnan(e)) break;
  }
  double size = sqrt(norm / (double)want.size());
  if (!(sqrt(error) <= tolerance * sqrt(norm)) || !(worst <= 10 * tolerance * (size + 1e-3)))
    fail_msg("%s: error norm %g of %g, worst %g at %zu (%g, not %g)", what, sqrt(error), sqrt(norm),
             worst, where, got[where], want[where]);
}

#endif
