/* What each rule of an update is made of, whichever device computes it: one row per rule. */
#ifndef TRM_TRAIN_RULES_H
#define TRM_TRAIN_RULES_H

#include "backend/backend.h"
#include "base/words.h"

typedef struct trm__rule_about {
  trm__word word; /* an optimiser's is the one in configurations */
  /* Its tensors of state, one value per weight, by their names in a saved state; a NULL is the end.
   * Groups whose rules have a name in common share the tensor, each its part of it. */
  const char *state[TRM__RULE_STATES];
  bool never_negative[TRM__RULE_STATES];
  /* Matrix by matrix, in place of element by element: an optimiser has the matrices of the nets
   * then, and AdamW all else. */
  bool by_matrix;
  /* Reals of scratch for one segment, on any device; NULL: none. */
  int64_t (*scratch)(const trm__segment *);
} trm__rule_about;

extern const trm__rule_about trm__rules[TRM__RULES];
extern const trm__words trm__optimizer_words; /* trm_optimizer's */

#endif
