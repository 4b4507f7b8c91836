/* Words of a choice as they are set: one that counts with its least or its largest number. */
#ifndef TRM_TESTS_CHOICES_H
#define TRM_TESTS_CHOICES_H

#include <stdio.h>

#include "base/field.h"

enum { CHOICE_TEXT = 64 };

/* Word i of the field as a value; false after the last. */
static inline bool choice_value(const trm_field *f, int i, bool most, char text[CHOICE_TEXT]) {
  const trm__counted_word *row = f->type->form == TRM__FORM_COUNTED ? f->words->rows : NULL;
  const char *word = trm_field_choice(f, i);
  if (!word) return false;
  const int n = row ? most ? row[i].most : row[i].least : 0;
  snprintf(text, CHOICE_TEXT, n ? "%s:%d" : "%s", word, n);
  return true;
}

#endif
