/* The names of an enumeration: one list serves both directions. */
#ifndef TRM_BASE_WORDS_H
#define TRM_BASE_WORDS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct trm__word {
  /* What YAML takes for a text as it is. The alias is read, too; NULL: there is none. */
  const char *name, *alias;
} trm__word;

/* Row i names the value i, and begins with its trm__word. */
typedef struct trm__words {
  const void *rows;
  size_t size; /* of a row */
  int n;
  bool (*read)(const char *name, int *value); /* more that is understood; may be NULL */
} trm__words;

#define TRM__WORDS(array, more) \
  { (array), sizeof *(array), (int)(sizeof(array) / sizeof *(array)), (more) }

/* TYPE_name and TYPE_from_name of a public enumeration. */
#define TRM__WORDS_FUNCTIONS(type, words)                       \
  const char *type##_name(type value) {                         \
    return trm__words_name(&(words), (int)value);               \
  }                                                             \
  bool type##_from_name(const char *name, type *out) {          \
    int value;                                                  \
    const bool known = trm__words_read(&(words), name, &value); \
    if (known) *out = (type)value;                              \
    return known;                                               \
  }

/* NULL for a value outside of the enumeration. */
const char *trm__words_name(const trm__words *w, int value);
const char *trm__words_alias(const trm__words *w, int value);
bool trm__words_read(const trm__words *w, const char *name, int *value);

/* True when `word` is one of a list of words with spaces between them; NULL is an empty list. */
bool trm__word_is_listed(const char *word, const char *list);

#endif
