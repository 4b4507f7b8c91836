/* The ops in double: errors of the mathematics, as small as they may be, stand out of its rounding.
 */
#include "test_ops.c"
