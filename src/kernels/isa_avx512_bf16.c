/* The kernels for x86-64 with AVX-512 (F, VL, BW, DQ) and its bfloat16 products (compiled with
 * -mavx512bf16 …). */
#include "kernels/kernels.h"
#ifdef TRM__HAVE_X86
#define TRM__SIMD_AVX512
#define TRM__SIMD_BF16
#define TRM__ISA_NAME "avx512_bf16"
#define TRM__ISA_TABLE trm__kernels_avx512_bf16
#include "kernels/body_table.inc"
#else
typedef int trm__isa_avx512_bf16_absent; /* a translation unit may not be empty */
#endif
