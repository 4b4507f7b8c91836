/* The int8 product for 64-bit ARM with dot products
 * (compiled with -march=armv8.2-a+dotprod). */
#include "kernels/kernels.h"
#ifdef TRM__HAVE_NEON
#define TRM__SIMD_NEON
#include "kernels/simd_int8.h"

#include "kernels/body_tiles.inc"

#include "kernels/body_int8.inc" /* on the tiles */

const trm__product trm__int8_neon_dot = INT8_PRODUCT;
#else
typedef int trm__int8_neon_dot_absent; /* a translation unit may not be empty */
#endif
