/* The kernels for x86-64 with AVX2 and FMA (compiled with -mavx2 -mfma). */
#include "kernels/kernels.h"
#ifdef TRM__HAVE_X86
#define TRM__SIMD_AVX2
#define TRM__ISA_NAME "avx2"
#define TRM__ISA_TABLE trm__kernels_avx2
#include "kernels/body_table.inc"
#else
typedef int trm__isa_avx2_absent; /* a translation unit may not be empty */
#endif
