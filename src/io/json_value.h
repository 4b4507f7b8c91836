/* How a document lies in memory; for the files json_*.c only. */
#ifndef TRM_IO_JSON_VALUE_H
#define TRM_IO_JSON_VALUE_H

#include "io/json.h"

/* The items of an array lie side by side; so do an object's keys and values, alternating. */
struct trm__json {
  union {
    const trm__json *first; /* of an array or object */
    const char *text;       /* of a string or BEYOND */
    int64_t integer;
    double real;
  } as;
  uint32_t n; /* items, members, bytes of the text */
  uint32_t kind : 8;
  uint32_t order : 24; /* in the i-th key of an object: which key is the i-th when sorted */
};
_Static_assert(sizeof(trm__json) == 16 && TRM__JSON_MAX_VALUES < 1 << 24, "24 bits number values");

enum { TRM__JSON_FEW = 12 }; /* members that are looked through without sorting */

/* The sign of key a - key b, in an order of our own: by length first. */
int trm__json_compare(const trm__json *a, const char *text, size_t n);

#endif
