/* The int8 product for x86-64 with AVX2 and AVX-VNNI
 * (compiled with -mavxvnni …). */
#include "kernels/kernels.h"
#if defined(TRM__HAVE_X86) && !defined(TRM__NO_AVX_VNNI)
#define TRM__SIMD_AVX2
#define TRM__SIMD_VNNI
#include "kernels/simd_int8.h"

#include "kernels/body_tiles.inc"

#include "kernels/body_int8.inc" /* on the tiles */

const trm__product trm__int8_avx_vnni = INT8_PRODUCT;
#else
typedef int trm__int8_avx_vnni_absent; /* a translation unit may not be empty */
#endif
