/* The stack machine. Values live in one growing array and name each other by index; items of
 * containers are chained through a second one, so that a dictionary can grow after it was put on
 * the stack. */
#include "io/pickle_machine.h"

#include <inttypes.h>
#include <string.h>

#include "base/memory.h"

enum { MAX_STACK = 1 << 16 };

/* --- memory --- */

/* Room for one more than n elements, doubled when it is used up. */
static trm_status grow(void **block, size_t n, size_t *room, size_t size, trm_error *err) {
  if (n < *room) return TRM_OK;
  const size_t more = *room ? 2 * *room : 256;
  void *grown = trm__alloc(more, size);
  if (!grown) TRM_FAIL(err, TRM_E_MEMORY, "no memory for the %zu values of a pickle", more);
  if (n) memcpy(grown, *block, n * size);
  trm__free(*block);
  *block = grown;
  *room = more;
  return TRM_OK;
}

trm_status trm__pickle_push_index(trm__pickle_machine *m, int32_t index) {
  void *stack = m->stack;
  if (m->n_stack == MAX_STACK)
    TRM__PICKLE_BROKEN(m, "%s: byte %zu: more than %d values on the stack", m->file, m->op_at,
                       MAX_STACK);
  TRM_TRY(grow(&stack, m->n_stack, &m->room_stack, sizeof *m->stack, m->err));
  m->stack = stack;
  m->stack[m->n_stack++] = index;
  return TRM_OK;
}

trm_status trm__pickle_push(trm__pickle_machine *m, trm__pickle_value v) {
  void *values = m->p->values;
  TRM_TRY(grow(&values, (size_t)m->p->n_values, &m->room_values, sizeof v, m->err));
  m->p->values = values;
  m->p->values[m->p->n_values] = v;
  return trm__pickle_push_index(m, m->p->n_values++);
}

trm_status trm__pickle_add_item(trm__pickle_machine *m, int32_t to, int32_t key, int32_t value) {
  void *items = m->p->items;
  TRM_TRY(grow(&items, (size_t)m->p->n_items, &m->room_items, sizeof(trm__pickle_item_of), m->err));
  m->p->items = items;
  const int32_t at = m->p->n_items++;
  m->p->items[at] = (trm__pickle_item_of){key, value, 0};
  trm__pickle_value *v = &m->p->values[to];
  if (v->u.items.n++ == 0)
    v->u.items.first = at;
  else
    m->p->items[v->u.items.last].next = at;
  v->u.items.last = at;
  return TRM_OK;
}

/* --- the stack --- */

trm_status trm__pickle_pop(trm__pickle_machine *m, int32_t *index) {
  if (m->n_stack == 0 || m->stack[m->n_stack - 1] == TRM__PICKLE_MARK)
    TRM__PICKLE_BROKEN(m, "%s: byte %zu: an instruction finds too few values on the stack", m->file,
                       m->op_at);
  *index = m->stack[--m->n_stack];
  return TRM_OK;
}

trm_status trm__pickle_top(trm__pickle_machine *m, size_t below, trm__pickle_kind kind,
                           int32_t *index) {
  if (m->n_stack <= below || m->stack[m->n_stack - 1 - below] == TRM__PICKLE_MARK ||
      m->p->values[m->stack[m->n_stack - 1 - below]].kind != kind)
    TRM__PICKLE_BROKEN(m, "%s: byte %zu: want %s on the stack", m->file, m->op_at,
                       trm__pickle_kind_name(kind));
  *index = m->stack[m->n_stack - 1 - below];
  return TRM_OK;
}

trm_status trm__pickle_top_or_opaque(trm__pickle_machine *m, size_t below, trm__pickle_kind kind,
                                     int32_t *index) {
  const bool opaque = m->n_stack > below && m->stack[m->n_stack - 1 - below] != TRM__PICKLE_MARK &&
                      m->p->values[m->stack[m->n_stack - 1 - below]].kind == TRM__PICKLE_OPAQUE;
  return trm__pickle_top(m, below, opaque ? TRM__PICKLE_OPAQUE : kind, index);
}

bool trm__pickle_is_opaque(const trm__pickle_machine *m, int32_t index) {
  return m->p->values[index].kind == TRM__PICKLE_OPAQUE;
}

trm_status trm__pickle_find_mark(trm__pickle_machine *m, size_t *first) {
  for (size_t i = m->n_stack; i > 0; i--)
    if (m->stack[i - 1] == TRM__PICKLE_MARK) {
      *first = i;
      return TRM_OK;
    }
  TRM__PICKLE_BROKEN(m, "%s: byte %zu: an instruction finds no mark on the stack", m->file,
                     m->op_at);
}

/* --- operands --- */

trm_status trm__pickle_take(trm__pickle_machine *m, uint64_t n, const unsigned char **p) {
  if (n > m->end - m->at)
    TRM__PICKLE_BROKEN(m,
                       "%s: byte %zu: the pickle is truncated: want %" PRIu64 " bytes, found %zu",
                       m->file, m->op_at, n, m->end - m->at);
  *p = m->bytes + m->at;
  m->at += (size_t)n;
  return TRM_OK;
}

trm_status trm__pickle_take_number(trm__pickle_machine *m, int bytes, uint64_t *v) {
  const unsigned char *p;
  TRM_TRY(trm__pickle_take(m, (uint64_t)bytes, &p));
  *v = 0;
  for (int i = 0; i < bytes; i++) *v |= (uint64_t)p[i] << 8 * i;
  return TRM_OK;
}
