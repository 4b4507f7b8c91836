/* Fields of configurations by name: for programs that read settings from a file, a command line or
 * another language, and for lists of what can be set.
 *
 * A field is a row of a constant table of the library: the functions that take none of the caller's
 * structures may be called by any thread. trm/model.h and trm/trainer.h have the tables.
 */
#ifndef TRM_FIELD_H
#define TRM_FIELD_H

#include <stdbool.h>
#include <stddef.h>

#include "trm/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct trm_field trm_field;

/* What a field is and may hold. The texts belong to the library. */
typedef struct trm_bounds {
  const char *name; /* as in the structure: "L_cycles" */
  const char *key;  /* as a setting of `trm train`: "arch.L_cycles"; NULL: it is none, as what
                       the data set tells */
  const char *type; /* "int", "float", "bool", "choice", "bytes" or "device" */
  const char *help;
  double low, high; /* of numbers, themselves allowed unless above_low; equal: there is no bound
                       but the type's, as for a seed and all that is no number */
  bool above_low;   /* must be larger than low */
} trm_bounds;

TRM_API trm_bounds trm_field_bounds(const trm_field *field);
/* Word i of those that a choice knows; NULL after the last, and for other types. */
TRM_API const char *trm_field_choice(const trm_field *field, int i);

#ifdef __cplusplus
}
#endif
#endif
