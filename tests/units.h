/* The number formats of every instruction set of this machine, and the values inside of operands.
 */
#ifndef TRM_TESTS_UNITS_H
#define TRM_TESTS_UNITS_H

#include "fence.h"

#include <float.h>

#include "kernels/kernels.h"

enum { MAX_ISA = 8 };

typedef void product_check(const trm__kernels *k, const trm__product *p);

static inline int isas(const trm__kernels **k) {
  int n = trm__kernels_runnable(k, MAX_ISA);
  assert_in_range(n, 1, MAX_ISA);
  assert_string_equal(k[n - 1]->name, "portable");
  return n;
}
static inline void on_every_product(product_check *check) {
  const trm__kernels *k[MAX_ISA];
  int n = isas(k);
  for (int i = 0; i < n; i++)
    for (int t = 0; t < TRM__TRAINED_DTYPES; t++) { /* int8: test_int8.c */
      assert_int_equal(k[i]->product[t].dtype, t);
      check(k[i], &k[i]->product[t]);
    }
}

static inline uint32_t bits_of(real x) {
  uint32_t u;
  memcpy(&u, &x, sizeof u);
  return u;
}
static inline real of_bits(uint32_t u) {
  real x;
  memcpy(&x, &u, sizeof x);
  return x;
}
/* What the format makes of a number. */
static inline real cast(const trm__product *p, real x) {
  uint32_t u = bits_of(x), rest = u & 0xffff;
  if (p->dtype == TRM_FLOAT32 || x != x) return x;
  u -= rest;
  return of_bits(rest > 0x8000 || (rest == 0x8000 && u & 0x10000) ? u + 0x10000 : u);
}
/* Step p of the depth, out of units that lie `next` apart. */
static inline real value_at(const trm__product *pr, const real *units, ptrdiff_t next, int p) {
  static const real one_zero[] = {1, 0};
  real probe;
  if (pr->group == 1) return units[p * next];
  pr->to_a(1, 2, one_zero, 2, 1, &probe, 1);
  bool first_high = bits_of(probe) > 0xffff, high = (p % 2 == 0) == first_high;
  uint32_t unit = bits_of(units[p / 2 * next]);
  return of_bits(high ? unit & 0xffff0000u : unit << 16);
}
/* A multiple of the group that holds k. */
static inline int whole(const trm__product *p, int k) {
  return trm__units(p, k) * p->group;
}

#endif
