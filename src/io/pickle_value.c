/* What a pickle built, to be walked through. */
#include "io/pickle_value.h"

#include <stdio.h>

#include "base/memory.h"

void trm__pickle_free(trm__pickle *p) {
  if (!p) return;
  trm__free(p->values);
  trm__free(p->items);
  trm__free(p);
}

const trm__pickle_value *trm__pickle_root(const trm__pickle *p) {
  return &p->values[p->root];
}

bool trm__pickle_next(const trm__pickle *p, const trm__pickle_value *of, int32_t *at,
                      const trm__pickle_value **key, const trm__pickle_value **value) {
  const bool holds_items = of->kind == TRM__PICKLE_TUPLE || of->kind == TRM__PICKLE_LIST ||
                           of->kind == TRM__PICKLE_DICT || of->kind == TRM__PICKLE_CALL ||
                           of->kind == TRM__PICKLE_PERSISTENT;
  if (!holds_items || of->u.items.n == 0) return false;
  if (*at == of->u.items.last) return false;
  *at = *at ? p->items[*at].next : of->u.items.first;
  const trm__pickle_item_of *i = &p->items[*at];
  if (key) *key = i->key < 0 ? NULL : &p->values[i->key];
  *value = &p->values[i->value];
  return true;
}

const trm__pickle_value *trm__pickle_item(const trm__pickle *p, const trm__pickle_value *of,
                                          int i) {
  const trm__pickle_value *value = NULL;
  int32_t at = 0;
  for (int k = 0; k <= i; k++)
    if (!trm__pickle_next(p, of, &at, NULL, &value)) return NULL;
  return value;
}

const char *trm__pickle_kind_name(trm__pickle_kind kind) {
  static const char *const names[] = {[TRM__PICKLE_NONE] = "None",
                                      [TRM__PICKLE_BOOL] = "a boolean",
                                      [TRM__PICKLE_INT] = "a whole number",
                                      [TRM__PICKLE_FLOAT] = "a number",
                                      [TRM__PICKLE_TEXT] = "a text",
                                      [TRM__PICKLE_TUPLE] = "a tuple",
                                      [TRM__PICKLE_LIST] = "a list",
                                      [TRM__PICKLE_DICT] = "a dictionary",
                                      [TRM__PICKLE_GLOBAL] = "a name",
                                      [TRM__PICKLE_CALL] = "a call",
                                      [TRM__PICKLE_PERSISTENT] = "an object outside the pickle",
                                      [TRM__PICKLE_OPAQUE] = "an object"};
  return names[kind];
}

void trm__pickle_describe(const trm__pickle *p, const trm__pickle_value *v, char *text,
                          size_t room) {
  const trm__pickle_name *of = &v->u.of;
  const bool named = v->kind == TRM__PICKLE_OPAQUE || v->kind == TRM__PICKLE_GLOBAL;
  if (named && of->n_name)
    snprintf(text, room, "an object (%.*s.%.*s)", (int)of->n_module, p->bytes + of->module,
             (int)of->n_name, p->bytes + of->name);
  else
    snprintf(text, room, "%s", trm__pickle_kind_name(v->kind));
}
