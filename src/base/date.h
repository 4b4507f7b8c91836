/* Dates as text. C's gmtime keeps state, which threads would share. */
#ifndef TRM_BASE_DATE_H
#define TRM_BASE_DATE_H

#include <stdint.h>

enum { TRM__DATE_SIZE = 32 };
/* "2026-11-29T11:48:18Z", UTC, for seconds since 1970; those before it are 1970, those that no four
 * digits can say the end of 9999. */
void trm__date_print(int64_t seconds, char text[TRM__DATE_SIZE]);

#endif
