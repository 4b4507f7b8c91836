/* The stack machine of pickles: values and their items, the stack, and the operands behind an
 * instruction; for pickle.c, which has the instructions. */
#ifndef TRM_IO_PICKLE_MACHINE_H
#define TRM_IO_PICKLE_MACHINE_H

#include "io/pickle_value.h"

enum { TRM__PICKLE_MARK = -1 /* on the stack */ };

typedef struct trm__pickle_machine {
  const char *file;
  const unsigned char *bytes;
  size_t at, end, op_at; /* op_at: where the instruction that runs began */
  const trm__pickle_global *globals;
  trm__pickle *p;
  int32_t *stack, *memo; /* memo: value + 1, 0: nothing there */
  size_t n_stack, room_stack, n_memo, room_values, room_items;
  bool stopped;
  trm_error *err;
} trm__pickle_machine;

#define TRM__PICKLE_BROKEN(m, ...) TRM_FAIL_AT((m)->err, TRM_E_FORMAT, (m)->op_at, __VA_ARGS__)

/* All fail with FORMAT and the byte, or with MEMORY. */

/* A value that is there, or TRM__PICKLE_MARK; or a new one. */
trm_status trm__pickle_push_index(trm__pickle_machine *m, int32_t index);
trm_status trm__pickle_push(trm__pickle_machine *m, trm__pickle_value v);
trm_status trm__pickle_add_item(trm__pickle_machine *m, int32_t to, int32_t key, int32_t value);

trm_status trm__pickle_pop(trm__pickle_machine *m, int32_t *index);
/* The value with so many above it, which must be of a kind, and stays. */
trm_status trm__pickle_top(trm__pickle_machine *m, size_t below, trm__pickle_kind kind,
                           int32_t *index);
/* What is to be filled or called: of that kind, or an object that is not read, which swallows what
 * it is given. */
trm_status trm__pickle_top_or_opaque(trm__pickle_machine *m, size_t below, trm__pickle_kind kind,
                                     int32_t *index);
bool trm__pickle_is_opaque(const trm__pickle_machine *m, int32_t index);
/* The place after the last mark. */
trm_status trm__pickle_find_mark(trm__pickle_machine *m, size_t *first);

/* The next n bytes of the pickle, or a little-endian number. */
trm_status trm__pickle_take(trm__pickle_machine *m, uint64_t n, const unsigned char **p);
trm_status trm__pickle_take_number(trm__pickle_machine *m, int bytes, uint64_t *v);

#endif
