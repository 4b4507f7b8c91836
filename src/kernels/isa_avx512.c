/* The kernels for x86-64 with AVX-512 (F, VL, BW, DQ) (compiled with -mavx512f …). */
#include "kernels/kernels.h"
#ifdef TRM__HAVE_X86
#define TRM__SIMD_AVX512
#define TRM__ISA_NAME "avx512"
#define TRM__ISA_TABLE trm__kernels_avx512
#include "kernels/body_table.inc"
#else
typedef int trm__isa_avx512_absent; /* a translation unit may not be empty */
#endif
