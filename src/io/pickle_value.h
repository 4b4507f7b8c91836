/* How a pickle's values lie in memory; for pickle.c, pickle_machine.c and pickle_value.c only. */
#ifndef TRM_IO_PICKLE_VALUE_H
#define TRM_IO_PICKLE_VALUE_H

#include "io/pickle.h"

typedef struct trm__pickle_item_of {
  int32_t key, value, next; /* value -1: none; next 0: the last. Item 0 is nobody's */
} trm__pickle_item_of;

struct trm__pickle {
  const char *bytes;
  trm__pickle_value *values;
  trm__pickle_item_of *items;
  int32_t n_values, n_items, root;
};

#endif
