/* The kernels for x86-64 with AMX: those of AVX-512 with bfloat16 products, but for the product
 * itself (compiled with -mamx-bf16 …). */
#include "kernels/kernels.h"
#ifdef TRM__HAVE_AMX
#define TRM__SIMD_AVX512
#define TRM__SIMD_BF16
#define TRM__SIMD_AMX
#define TRM__ISA_NAME "amx_bf16"
#define TRM__ISA_TABLE trm__kernels_amx_bf16
#include "kernels/body_table.inc"
#else
typedef int trm__isa_amx_bf16_absent; /* a translation unit may not be empty */
#endif
