/* The kernels for 64-bit ARM with bfloat16 products (compiled with -march=armv8.2-a+bf16). */
#include "kernels/kernels.h"
#ifdef TRM__HAVE_NEON
#define TRM__SIMD_NEON
#define TRM__SIMD_BF16
#define TRM__ISA_NAME "neon_bf16"
#define TRM__ISA_TABLE trm__kernels_neon_bf16
#include "kernels/body_table.inc"
#else
typedef int trm__isa_neon_bf16_absent; /* a translation unit may not be empty */
#endif
