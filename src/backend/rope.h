/* Rotary positions, for every device: pairs (i, i + d/2) of a head's channels are turned by an
 * angle of their position (docs/MODEL.md section 1). */
#ifndef TRM_BACKEND_ROPE_H
#define TRM_BACKEND_ROPE_H

#include <math.h>

#include "backend/backend.h"

/* Of pair i < d / 2 at position t: t theta^(-2i/d). In two dimensions the first half of the pairs
 * turns by the row and the second by the column, each as a head of d / 2 channels would. A cell
 * stands at (P + row, column), puzzle position t at (0, t). */
static inline double trm__rope_angle(const trm__dims *dims, int t, int i) {
  if (!dims->grid_cols) return t * pow(dims->rope_theta, -2.0 * i / dims->d);
  const int each = dims->d / 4, cell = t - dims->P;
  if (i < each)
    return (cell < 0 ? 0 : dims->P + cell / dims->grid_cols) *
           pow(dims->rope_theta, -4.0 * i / dims->d);
  return (cell < 0 ? t : cell % dims->grid_cols) *
         pow(dims->rope_theta_cols, -4.0 * (i - each) / dims->d);
}

#endif
