/* JSON files, values in them, and the description of a puzzle, which dataset.json and config.json
 * contain. A description that is accepted must be written to JSON and come back the same. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "io/json.h"
#include "io/puzzle.h"

enum { MAX_BYTES = 1 << 16 };

static void ask_values(const json_t *object) {
  trm_error err;
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)(uintptr_t)object, key, value) {
    int64_t i;
    double d;
    bool b;
    const char *text;
    if (fuzz_accepted(trm__json_int(object, "file", key, -1000, 1000, &i, &err), &err))
      FUZZ_CHECK(json_integer_value(value) == i && i >= -1000 && i <= 1000);
    if (fuzz_accepted(trm__json_double(object, "file", key, -1e9, 1e9, &d, &err), &err))
      FUZZ_CHECK(json_number_value(value) == d);
    if (fuzz_accepted(trm__json_bool(object, "file", key, &b, &err), &err))
      FUZZ_CHECK(json_is_true(value) == b);
    if (fuzz_accepted(trm__json_string(object, "file", key, &text, &err), &err))
      FUZZ_CHECK(text == json_string_value(value));
  }
}

static void check_symbols(const trm_puzzle *p) {
  const int first = trm_puzzle_first_symbol(p), end = first + trm_puzzle_n_symbols(p);
  FUZZ_CHECK(!trm_puzzle_symbol(p, first - 1) && !trm_puzzle_symbol(p, end));
  for (int token = first; token < end; token += 1 + (end - first) / 8) {
    const char *symbol = trm_puzzle_symbol(p, token);
    FUZZ_CHECK(symbol && trm__puzzle_token(p, symbol, strlen(symbol)) == token);
  }
}

static void read_puzzle(json_t *object) {
  trm_puzzle p, again;
  trm_error err;
  if (!fuzz_accepted(trm__puzzle_from_json(object, "file", &p, &err), &err)) return;
  const int tokens = trm_puzzle_first_symbol(&p) + trm_puzzle_n_symbols(&p);
  if (!fuzz_accepted(trm__puzzle_check(&p, tokens, p.rows * p.cols, "file", &err), &err)) return;
  check_symbols(&p);
  json_t *copy = trm__puzzle_to_json(&p);
  FUZZ_CHECK(copy);
  FUZZ_MUST(trm__puzzle_from_json(copy, "copy", &again, &fuzz_error));
  json_decref(copy);
  if (p.kind != TRM_PUZZLE_SUDOKU) p.box_rows = p.box_cols = 0;
  FUZZ_CHECK(memcmp(&p, &again, sizeof p) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  json_t *root;
  trm_error err;
  json_object_seed(1); /* the same order of keys in every run */
  const trm_status st = trm__json_load(fuzz_file(0, data, size), MAX_BYTES, &root, &err);
  FUZZ_CHECK((st == TRM_OK) == (root != NULL));
  if (!fuzz_accepted(st, &err)) return 0;
  ask_values(root);
  read_puzzle(root);
  read_puzzle(json_object_get(root, "puzzle"));
  json_decref(root);
  return 0;
}
