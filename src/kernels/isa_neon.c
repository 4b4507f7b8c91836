/* The kernels for 64-bit ARM, every one of which has NEON with fused multiply-add. */
#include "kernels/kernels.h"
#ifdef TRM__HAVE_NEON
#define TRM__SIMD_NEON
#define TRM__ISA_NAME "neon"
#define TRM__ISA_TABLE trm__kernels_neon
#include "kernels/body_table.inc"
#else
typedef int trm__isa_neon_absent; /* a translation unit may not be empty */
#endif
