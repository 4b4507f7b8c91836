/* See words.h. */
#include "base/words.h"

#include <string.h>

static const trm__word *word_at(const trm__words *w, int value) {
  if (value < 0 || value >= w->n) return NULL;
  return (const void *)((const char *)w->rows + (size_t)value * w->size);
}

const char *trm__words_name(const trm__words *w, int value) {
  const trm__word *word = word_at(w, value);
  return word ? word->name : NULL;
}

const char *trm__words_alias(const trm__words *w, int value) {
  const trm__word *word = word_at(w, value);
  return word ? word->alias : NULL;
}

bool trm__words_read(const trm__words *w, const char *name, int *value) {
  for (int i = 0; i < w->n; i++) {
    const trm__word *word = word_at(w, i);
    if (strcmp(name, word->name) != 0 && !(word->alias && !strcmp(name, word->alias))) continue;
    *value = i;
    return true;
  }
  return w->read && w->read(name, value);
}

bool trm__word_is_listed(const char *word, const char *list) {
  const size_t n = strlen(word);
  for (const char *at = list; at && *at; at += strspn(at, " ")) {
    const size_t length = strcspn(at, " ");
    if (length == n && !memcmp(at, word, n)) return true;
    at += length;
  }
  return false;
}
