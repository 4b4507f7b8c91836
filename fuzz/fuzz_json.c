/* JSON files, values in them, and the description of a puzzle, which dataset.json and config.json
 * contain. What is accepted must be written to JSON and come back the same. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "fuzz.h"
#include "io/json.h"
#include "puzzle/puzzle.h"

enum { MAX_BYTES = 1 << 16 };

static void ask_values(const trm__json *object) {
  trm_error err;
  for (size_t k = 0; k < trm__json_n_members(object); k++) {
    const char *key = trm__json_key(object, k);
    const trm__json *value = trm__json_member(object, k);
    int64_t i, whole;
    double d;
    bool b;
    const char *text;
    FUZZ_CHECK(trm__json_get(object, key) == value);
    if (fuzz_accepted(trm__json_int(object, "file", key, -1000, 1000, &i, &err), &err))
      FUZZ_CHECK(trm__json_whole(value, &whole) && whole == i && i >= -1000 && i <= 1000);
    if (fuzz_accepted(trm__json_double(object, "file", key, -1e9, 1e9, &d, &err), &err))
      FUZZ_CHECK(trm__json_number(value) == d);
    if (fuzz_accepted(trm__json_bool(object, "file", key, &b, &err), &err))
      FUZZ_CHECK(trm__json_is_true(value) == b);
    if (fuzz_accepted(trm__json_string(object, "file", key, &text, &err), &err))
      FUZZ_CHECK(text == trm__json_text(value) && strlen(text) == trm__json_length(value));
  }
}

static int depth_of(const trm__json *v) {
  int most = 0;
  for (size_t i = 0; i < trm__json_n_items(v) + trm__json_n_members(v); i++) {
    const int depth =
        depth_of(trm__json_n_items(v) ? trm__json_item(v, i) : trm__json_member(v, i));
    if (depth > most) most = depth;
  }
  return most + 1;
}

/* In every style it is written in, it is read as the same. */
static void write_again(const trm__json *root) {
  if (depth_of(root) > 60) return; /* more than is ever written */
  for (int style = TRM__JSON_COMPACT; style <= TRM__JSON_INDENTED; style++) {
    trm__json_out o = trm__json_begin((trm__json_style)style);
    char *text;
    trm__json *again;
    trm__json_put_value(&o, NULL, root);
    FUZZ_MUST(trm__json_finish(&o, "copy", &text, &fuzz_error));
    FUZZ_MUST(trm__json_parse(text, strlen(text), "copy", 1, &again, &fuzz_error));
    FUZZ_CHECK(trm__json_same(root, again));
    trm__json_free(again);
    trm__free(text);
  }
}

/* A piece of it stands for the whole: read from the front, it takes as much of the text. */
static void read_front(const uint8_t *data, size_t size) {
  trm__json *root;
  trm__json_fault fault;
  size_t used = 0;
  const trm_status st = trm__json_decode((const char *)data, size, &used, &root, &fault);
  FUZZ_CHECK(st == TRM_OK || st == TRM_E_FORMAT);
  FUZZ_CHECK(st == TRM_OK ? used <= size && root : fault.byte <= size && !root);
  FUZZ_CHECK(st == TRM_OK || (fault.line >= 1 && fault.column >= 1 && *fault.what));
  trm__json_free(root);
}

static void check_symbols(const trm_puzzle *p) {
  const int first = trm_puzzle_first_symbol(p), end = first + trm_puzzle_n_symbols(p);
  FUZZ_CHECK(!trm_puzzle_symbol(p, first - 1) && !trm_puzzle_symbol(p, end));
  for (int token = first; token < end; token += 1 + (end - first) / 8) {
    const char *symbol = trm_puzzle_symbol(p, token);
    FUZZ_CHECK(symbol && trm__puzzle_token(p, symbol, strlen(symbol)) == token);
  }
}

static void read_puzzle(const trm__json *object) {
  trm_puzzle p, again;
  trm_error err;
  if (!fuzz_accepted(trm__puzzle_from_json(object, "file", &p, &err), &err)) return;
  const int tokens = trm_puzzle_first_symbol(&p) + trm_puzzle_n_symbols(&p);
  if (!fuzz_accepted(trm__puzzle_check(&p, tokens, p.rows * p.cols, "file", &err), &err)) return;
  check_symbols(&p);
  char *text;
  trm__json *copy;
  trm__json_out o = trm__json_begin(TRM__JSON_COMPACT);
  trm__puzzle_put(&o, NULL, &p);
  FUZZ_MUST(trm__json_finish(&o, "copy", &text, &fuzz_error));
  FUZZ_MUST(trm__json_parse(text, strlen(text), "copy", 1, &copy, &fuzz_error));
  FUZZ_MUST(trm__puzzle_from_json(copy, "copy", &again, &fuzz_error));
  trm__json_free(copy);
  trm__free(text);
  if (p.kind != TRM_PUZZLE_SUDOKU) p.box_rows = p.box_cols = 0;
  FUZZ_CHECK(memcmp(&p, &again, sizeof p) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  trm__json *root;
  trm_error err;
  read_front(data, size);
  const trm_status st = trm__json_load(fuzz_file(0, data, size), MAX_BYTES, &root, &err);
  FUZZ_CHECK((st == TRM_OK) == (root != NULL));
  if (!fuzz_accepted(st, &err)) return 0;
  ask_values(root);
  write_again(root);
  read_puzzle(root);
  read_puzzle(trm__json_get(root, "puzzle"));
  trm__json_free(root);
  return 0;
}
