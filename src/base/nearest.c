/* See nearest.h. */
#include "base/nearest.h"

#include <stddef.h>
#include <string.h>

enum { NEAREST_MAX = 64 };

/* Levenshtein distance with one row; words of NEAREST_MAX characters and more are far away. */
static int edit_distance(const char *a, const char *b) {
  int row[NEAREST_MAX + 1];
  size_t na = strlen(a), nb = strlen(b);
  if (na >= NEAREST_MAX || nb >= NEAREST_MAX) return NEAREST_MAX;
  for (size_t j = 0; j <= nb; j++) row[j] = (int)j;
  for (size_t i = 1; i <= na; i++) {
    int diagonal = row[0];
    row[0] = (int)i;
    for (size_t j = 1; j <= nb; j++) {
      int change = diagonal + (a[i - 1] != b[j - 1]);
      int shorter = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
      diagonal = row[j];
      row[j] = change < shorter ? change : shorter;
    }
  }
  return row[nb];
}

void trm__nearest_offer(trm__nearest *n, const char *name) {
  int near_enough = (int)strlen(n->word) / 3 + 1;
  int distance = edit_distance(n->word, name);
  if (distance > near_enough || (n->best && distance >= n->distance)) return;
  n->best = name;
  n->distance = distance;
}
