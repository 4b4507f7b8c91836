/* Operands rounded to bfloat16 in the library that computes in double: all that is left between the
 * two formats is that rounding. */
#include "test_formats.c"
