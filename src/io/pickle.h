/* Python pickles as data. A pickle is a program for a small stack machine; of its instructions only
 * those that build numbers, texts, lists and dictionaries are carried out. Names of Python's are
 * looked up in a list that the caller gives, and a call is kept as a record of who was to be called
 * with what. Whatever else Python would make - objects of other classes, results of other
 * functions, bytes, sets, huge numbers - is one opaque value, of which only the name is kept.
 * Nothing is ever executed or imported. */
#ifndef TRM_IO_PICKLE_H
#define TRM_IO_PICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { TRM__PICKLE_MAX_BYTES = 4 << 20 }; /* memory stays below 100 times the bytes */

typedef enum trm__pickle_kind {
  TRM__PICKLE_NONE,
  TRM__PICKLE_BOOL,
  TRM__PICKLE_INT,
  TRM__PICKLE_FLOAT,
  TRM__PICKLE_TEXT,
  TRM__PICKLE_TUPLE,
  TRM__PICKLE_LIST,
  TRM__PICKLE_DICT,
  TRM__PICKLE_GLOBAL,
  TRM__PICKLE_CALL,       /* items: the arguments */
  TRM__PICKLE_PERSISTENT, /* items: of the tuple that names an object outside the pickle */
  TRM__PICKLE_OPAQUE      /* what is not read */
} trm__pickle_kind;

/* What a name may be used for. */
typedef enum trm__pickle_use {
  TRM__PICKLE_NAME,      /* only to be named */
  TRM__PICKLE_MAKE_DICT, /* called without arguments: a dictionary */
  TRM__PICKLE_RECORD     /* a call of it is recorded */
} trm__pickle_use;

typedef struct trm__pickle_global {
  const char *module, *name; /* NULL at the end of a list */
  trm__pickle_use use;
} trm__pickle_global;

/* Places in the pickle; n_name 0: no name. */
typedef struct trm__pickle_name {
  uint32_t module, name;
  uint16_t n_module, n_name;
} trm__pickle_name;

typedef struct trm__pickle_value {
  trm__pickle_kind kind;
  int global; /* of GLOBAL and CALL: index in the caller's list */
  union {
    int64_t integer; /* BOOL: 0 or 1 */
    double real;
    struct {
      const char *bytes; /* in the pickle, not terminated, without zero bytes */
      size_t n;
    } text;
    struct {
      int32_t first, last, n;
    } items;
    trm__pickle_name of; /* GLOBAL, OPAQUE */
  } u;
} trm__pickle_value;

typedef struct trm__pickle trm__pickle;

/* `file` is for messages; `bytes` and `globals` must outlive the result. Protocols 2 to 5. Errors:
 * MEMORY; FORMAT with the byte (pos, too) and what stands there. */
trm_status trm__pickle_read(const char *file, const unsigned char *bytes, size_t n,
                            const trm__pickle_global *globals, trm__pickle **out, trm_error *err);
void trm__pickle_free(trm__pickle *p); /* NULL is fine */
const trm__pickle_value *trm__pickle_root(const trm__pickle *p);
/* Goes through the items of a tuple, list, dict, call or persistent id: *at is 0 at first; false
 * after the last. *key (NULL is fine) is NULL but for dictionaries. A list or dictionary may hold
 * itself: who goes into the depth must know how far. */
bool trm__pickle_next(const trm__pickle *p, const trm__pickle_value *of, int32_t *at,
                      const trm__pickle_value **key, const trm__pickle_value **value);
/* Item i; NULL when there are not so many. */
const trm__pickle_value *trm__pickle_item(const trm__pickle *p, const trm__pickle_value *of, int i);
/* "a number" ... */
const char *trm__pickle_kind_name(trm__pickle_kind kind);
/* The same, with the name of what is not read: "an object (os.system)". */
void trm__pickle_describe(const trm__pickle *p, const trm__pickle_value *v, char *text,
                          size_t room);

#endif
