/* See date.h. Years begin in March here, so that the day of a leap year is the last of one; 400 of
 * them have 146,097 days. */
#include "base/date.h"

#include <stdio.h>

void trm__date_print(int64_t seconds, char text[TRM__DATE_SIZE]) {
  enum { ERA = 146097, TO_1970 = 719468 /* days from 1 March of year 0 */, DAY = 86400 };
  const int64_t last = 253402300799; /* of 9999 */
  if (seconds < 0) seconds = 0;
  if (seconds > last) seconds = last;

  /* The year: of its era, without the leap days that came before the day. */
  const int64_t days = seconds / DAY + TO_1970, era = days / ERA, day = days % ERA;
  const int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;

  /* Months from March have 31, 30, 31, 30, 31 days, over and over: 153 in five. */
  const int64_t of_year = day - (365 * year + year / 4 - year / 100);
  const int64_t march = (5 * of_year + 2) / 153, month = march < 10 ? march + 3 : march - 9;
  (void)snprintf(text, TRM__DATE_SIZE, "%04d-%02d-%02dT%02d:%02d:%02dZ",
                 (int)(year + era * 400 + (month <= 2)), (int)month,
                 (int)(of_year - (153 * march + 2) / 5 + 1), (int)(seconds / 3600 % 24),
                 (int)(seconds / 60 % 60), (int)(seconds % 60));
}
