/* Fields of a configuration: one row says all that there is to know of a field, and whatever reads,
 * checks, prints or compares configurations is a loop over rows.
 *
 * The rows of a model are in nn/model_fields.c, those of a trainer in train/trainer_config.c, those
 * of a run beside them in run/run_keys.c. */
#ifndef TRM_BASE_FIELD_H
#define TRM_BASE_FIELD_H

#include <stdint.h>

#include "base/error.h"
#include "base/words.h"
#include "trm/field.h"

/* --- what a source says --- */

typedef struct trm__texts {
  char **v;
  int n;
} trm__texts;

typedef struct trm__value {
  bool is_list, quoted; /* quoted: never null, a number or a boolean */
  char *text;           /* of a scalar */
  trm__texts list;
} trm__value;

/* n bytes of a text behind the others. Errors: MEMORY. */
trm_status trm__texts_add(trm__texts *l, const char *text, size_t n, trm_error *err);
void trm__texts_free(trm__texts *l);
void trm__value_free(trm__value *v);
/* Unquoted null, ~ or nothing. */
bool trm__value_is_null(const trm__value *v);

/* --- what is printed --- */

/* Text into [room], always ended, cut where there is no room; n counts what there would be. */
typedef struct trm__sink {
  char *text;
  size_t room, n;
} trm__sink;
void trm__sink_put(trm__sink *s, const char *fmt, ...) TRM__PRINTF(2, 3);

/* --- a row --- */

/* A word, and for some words a number behind it: "all", "last:4". Public structures of two ints lie
 * the same. */
typedef struct trm__counted {
  int word;
  int n; /* 0 of a word without a number */
} trm__counted;

/* A row of the words of such a field. */
typedef struct trm__counted_word {
  trm__word word;
  int least, most; /* of its number; most 0: it has none */
} trm__counted_word;

/* How a value lies in the structure. Enumerations are ints. */
typedef enum trm__form {
  TRM__FORM_INT,
  TRM__FORM_INT64,
  TRM__FORM_UINT64,
  TRM__FORM_DOUBLE,
  TRM__FORM_BOOL,
  TRM__FORM_WORD,
  TRM__FORM_COUNTED, /* trm__counted */
  TRM__FORM_OTHER
} trm__form;

typedef struct trm__field_type {
  const char *name, *expected; /* expected: "a number", in messages behind "want" */
  trm__form form;
  /* TRM_E_CONFIG: not such a value; TRM_E_MEMORY. */
  trm_status (*set)(const trm_field *f, void *at, const trm__value *v);
  void (*print)(const trm_field *f, const void *at, trm__sink *s);
} trm__field_type;

typedef enum trm__field_use {
  TRM__OURS = 1 << 0, /* not a key of the reference */
  TRM__FREE = 1 << 1, /* may change when a run goes on: it alters nothing that an update computes */
  TRM__DATA = 1 << 2, /* taken from the data set; 0: not known yet */
  TRM__ANSWERS = 1 << 3,  /* a model's answers depend on it */
  TRM__ABOVE = 1 << 4,    /* the low bound itself is out */
  TRM__OPTIONAL = 1 << 5, /* the first release did not write it: files may lack it */
  /* Came later than the first release and changes nothing at its default, where it is left out of
   * files and fingerprints: these stay what they were. */
  TRM__LATER = 1 << 6,
  /* What a published configuration without it means, if not the default: */
  TRM__SHOWN = 1 << 7,    /* the tensors show it */
  TRM__NEEDED = 1 << 8,   /* no tensor does, and the reference has no default */
  TRM__TOLD = 1 << 9,     /* the default, of which the user is told */
  TRM__MATRICES = 1 << 10 /* of optimisers that work on matrices: no other looks at it */
} trm__field_use;

struct trm_field {
  const char *name; /* in the structure, and in config.json */
  const char *key;  /* of a run, dotted; NULL: none */
  const trm__field_type *type;
  size_t offset;
  double low, high;        /* of numbers, if high > low */
  double initial;          /* the default, of numbers, words and booleans */
  const trm__words *words; /* of words */
  unsigned use;            /* trm__field_use */
  const char *synonyms;    /* what others call it, between spaces; may be NULL */
  const char *help;
  int count;               /* of an array: values side by side; else 0 */
  const trm_record *inner; /* of a structure within */
};

/* 5e4 is a whole number, too; null is 0 for a limit and NULL for a text. A text (char *) and texts
 * (trm__texts) own memory. */
extern const trm__field_type trm__field_int, trm__field_int64, trm__field_limit, trm__field_seed,
    trm__field_bytes, trm__field_double, trm__field_bool, trm__field_word, trm__field_counted,
    trm__field_text, trm__field_texts;
/* Only in records: a number that is a float or a byte, a text of `count` bytes in place, and what
 * has no text of its own. */
extern const trm__field_type trm__field_float, trm__field_byte, trm__field_chars,
    trm__field_pointer, trm__field_record;

/* --- one field of the structure `base` --- */

trm_status trm__field_set(const trm_field *f, void *base, const trm__value *v);
void trm__field_print(const trm_field *f, const void *base, trm__sink *s);
/* What the field owns. */
void trm__field_free(const trm_field *f, void *base);
/* A number, a word's index, for a counted word one number of both, or a boolean; 0 of other types.
 */
double trm__field_number(const trm_field *f, const void *base);
void trm__field_set_number(const trm_field *f, void *base, double v);
/* "a number from 0 to 1000": what may stand there. Also without its range. */
void trm__field_expect(const trm_field *f, trm__sink *s);
/* A number is in the field's range; NaN is in none. */
bool trm__field_allows(const trm_field *f, double v);
/* A word that there is, with a number of its range where it has one. */
bool trm__counted_is_good(const trm_field *f, trm__counted v);
/* It is, or the field has no range. */
bool trm__field_takes(const trm_field *f, double v);
/* TRM_E_CONFIG, "L_cycles = 1025: want a whole number from 0 to 1024", for what is out of range. */
trm_status trm__field_check(const trm_field *f, const void *base, trm_error *err);
/* `word` is its name, its key, the last part of that, or what others call it. */
bool trm__field_is_called(const trm_field *f, const char *word);

/* --- a table --- */

struct trm_record {
  const trm_field *v;
  int n;
  const char *of;   /* in messages: "a model" */
  const char *name; /* of the structure */
  size_t size;
};
typedef struct trm_record trm__fields;
/* All rows of an array, of a structure. */
#define TRM__FIELDS(fields, of, structure) \
  { (fields), sizeof(fields) / sizeof *(fields), (of), TRM__TEXT_OF(structure), sizeof(structure) }
#define TRM__TEXT_OF(name) #name

const trm_field *trm__fields_at(const trm__fields *t, int i);
/* NULL when there is none of that name. */
const trm_field *trm__fields_find(const trm__fields *t, const char *name);
void trm__fields_default(const trm__fields *t, void *base);
/* TRM_E_CONFIG with the first that is out of its range. */
trm_status trm__fields_check(const trm__fields *t, const void *base, trm_error *err);

/* The field that a path such as "step[3].accuracy" leads to, and where its value lies, in bytes
 * from the start of the structure. CONFIG, naming what there is none of. */
trm_status trm__fields_follow(const trm__fields *t, const char *path, const trm_field **field,
                              size_t *offset, trm_error *err);

/* What the public functions of a table do. */
trm_status trm__fields_set(const trm__fields *t, void *base, const char *name, const char *value,
                           trm_error *err);
trm_status trm__fields_get(const trm__fields *t, const void *base, const char *name, char *text,
                           size_t size, trm_error *err);
trm_status trm__fields_bounds(const trm__fields *t, const char *name, trm_bounds *out,
                              trm_error *err);

#endif
