/* The scalar type of all model arithmetic. The library computes in float; the tests also build it
 * in double, where gradient checks are exact to 1e-7. */
#ifndef TRM_KERNELS_REAL_H
#define TRM_KERNELS_REAL_H

#ifdef TRM_REAL_DOUBLE
typedef double real;
#else
typedef float real;
#endif

#endif
