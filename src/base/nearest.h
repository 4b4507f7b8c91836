/* Names that are nearly right. */
#ifndef TRM_BASE_NEAREST_H
#define TRM_BASE_NEAREST_H

/* The nearest of many names: offer each, then read `best` (NULL when none is near enough to be what
 * was meant). Start from {.word = ...}. */
typedef struct trm__nearest {
  const char *word, *best;
  int distance; /* of best */
} trm__nearest;
void trm__nearest_offer(trm__nearest *n, const char *name);

#endif
