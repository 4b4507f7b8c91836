/* How far a share measured on n cases may be from the true one: Wilson (1927). */
#include <math.h>

#include "trm/eval.h"

trm_interval trm_wilson(double right, double n) {
  const double z = 1.9599639845400545; /* 97.5 % of a normal distribution lie below */
  if (!(n > 0)) return (trm_interval){0, 1};
  double p = right / n, scale = 1 / (1 + z * z / n);
  double centre = scale * (p + z * z / (2 * n));
  double half = scale * z * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  /* At p = 0 and 1 the ends are exact, which rounding would not leave them. */
  return (trm_interval){p > 0 ? centre - half : 0, p < 1 ? centre + half : 1};
}
