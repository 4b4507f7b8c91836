/* A pickle, read with a list of names; all that it built is walked through. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "io/pickle.h"

static const trm__pickle_global globals[] = {
    {"collections", "OrderedDict", TRM__PICKLE_MAKE_DICT},
    {"torch._utils", "_rebuild_tensor_v2", TRM__PICKLE_RECORD},
    {"torch", "FloatStorage", TRM__PICKLE_NAME},
    {NULL, NULL, TRM__PICKLE_NAME}};
enum { N_GLOBALS = sizeof globals / sizeof *globals - 1, DEPTH = 6, WIDTH = 8 };

static void walk(const trm__pickle *p, const trm__pickle_value *v, const uint8_t *data, size_t size,
                 int depth) {
  /* Whatever it is, it can be named and described. */
  const trm__pickle_value *key, *value;
  char text[200];
  FUZZ_CHECK(v && trm__pickle_kind_name(v->kind));
  trm__pickle_describe(p, v, text, sizeof text);
  FUZZ_CHECK(*text && memchr(text, 0, sizeof text));

  /* A global is one of the table; a text lies within the input. */
  if (v->kind == TRM__PICKLE_GLOBAL || v->kind == TRM__PICKLE_CALL)
    FUZZ_CHECK(v->global >= 0 && v->global < N_GLOBALS);
  if (v->kind == TRM__PICKLE_TEXT) {
    const char *begin = (const char *)data, *bytes = v->u.text.bytes;
    FUZZ_CHECK(bytes >= begin && bytes <= begin + size);
    FUZZ_CHECK(v->u.text.n <= (size_t)(begin + size - bytes) && !memchr(bytes, 0, v->u.text.n));
  }

  /* Only containers and calls have parts. */
  if (v->kind < TRM__PICKLE_TUPLE || v->kind == TRM__PICKLE_GLOBAL || depth == DEPTH) return;

  /* What they have: keys in dictionaries alone, items found by their index. */
  int32_t at = 0;
  for (int i = 0; i < WIDTH && trm__pickle_next(p, v, &at, &key, &value); i++) {
    FUZZ_CHECK((key != NULL) == (v->kind == TRM__PICKLE_DICT));
    if (key) walk(p, key, data, size, depth + 1);
    walk(p, value, data, size, depth + 1);
    if (v->kind != TRM__PICKLE_DICT) FUZZ_CHECK(trm__pickle_item(p, v, i) == value);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  trm__pickle *p;
  trm_error err;
  const uint8_t *bytes = data ? data : (const uint8_t *)"";
  if (!fuzz_accepted(trm__pickle_read("file", bytes, size, globals, &p, &err), &err)) return 0;
  walk(p, trm__pickle_root(p), bytes, size, 0);
  trm__pickle_free(p);
  return 0;
}
