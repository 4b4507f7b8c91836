/* The int8 product for x86-64 with AVX-512 and its VNNI
 * (compiled with -mavx512vnni …). */
#include "kernels/kernels.h"
#ifdef TRM__HAVE_X86
#define TRM__SIMD_AVX512
#define TRM__SIMD_VNNI
#include "kernels/simd_int8.h"

#include "kernels/body_tiles.inc"

#include "kernels/body_int8.inc" /* on the tiles */

const trm__product trm__int8_avx512_vnni = INT8_PRODUCT;
#else
typedef int trm__int8_avx512_vnni_absent; /* a translation unit may not be empty */
#endif
