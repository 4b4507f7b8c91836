/* The kernels for WebAssembly with vectors of 128 bits: of a module as a whole (-msimd128). */
#include "kernels/kernels.h"
#ifdef TRM__HAVE_WASM
#define TRM__SIMD_WASM
#define TRM__ISA_NAME "simd128"
#define TRM__ISA_TABLE trm__kernels_simd128
#include "kernels/body_table.inc"
#else
typedef int trm__isa_simd128_absent; /* a translation unit may not be empty */
#endif
