/* The kernels in plain C: every machine, and the double build. */
#if defined(__GNUC__)
/* Vectors of four doubles never cross a function boundary here. */
#pragma GCC diagnostic ignored "-Wpsabi"
#endif
#define TRM__ISA_NAME "portable"
#define TRM__ISA_TABLE trm__kernels_portable
#include "kernels/body_table.inc"
