/* See puzzle.h. What depends on the kind is in its row; only what users declare is in the puzzle.
 */
#include "puzzle/puzzle.h"

#include <stdio.h>
#include <string.h>

#include "puzzle/kind.h"

/* --- symbols --- */

bool trm_puzzle_is_sized(const trm_puzzle *p) {
  const trm__puzzle_kind *kind = trm__kind_of(p);
  return kind->sized || (kind->facts.declared && p->sized);
}

int trm_puzzle_first_symbol(const trm_puzzle *p) {
  if (trm__kind_of(p) == &trm__kind_none) return 0;
  return trm_puzzle_is_sized(p) ? TRM_PUZZLE_END + 1 : 1;
}

/* The symbol i places behind `text`; the empty one at the end of the list. */
static const char *vocabulary_at(const trm_puzzle *p, int i) {
  const char *at = p->vocabulary, *end = at + sizeof p->vocabulary - 1;
  while (i-- > 0 && at < end && *at) at += strlen(at) + 1;
  return at < end ? at : end;
}

int trm__puzzle_vocabulary_size(const trm_puzzle *p) {
  const char *at = p->vocabulary, *end = at + sizeof p->vocabulary - 1;
  int n = 0;
  for (; at < end && *at; n++) at += strlen(at) + 1;
  return n;
}

int trm_puzzle_n_symbols(const trm_puzzle *p) {
  const trm__puzzle_kind *kind = trm__kind_of(p);
  return kind->count ? kind->count(p) : kind->n_symbols;
}

const char *trm_puzzle_symbol(const trm_puzzle *p, int token) {
  const trm__puzzle_kind *kind = trm__kind_of(p);
  int i = token - trm_puzzle_first_symbol(p);
  if (i < 0 || i >= trm_puzzle_n_symbols(p)) return NULL;
  return kind->symbols ? kind->symbols[i] : vocabulary_at(p, i);
}

trm__symbol_range trm__symbol_range_of(const trm_puzzle *p) {
  const int first = trm_puzzle_first_symbol(p);
  return (trm__symbol_range){first, first + trm_puzzle_n_symbols(p)};
}

int trm__puzzle_token(const trm_puzzle *p, const char *symbol, size_t n) {
  int first = trm_puzzle_first_symbol(p), count = trm_puzzle_n_symbols(p);
  for (int token = first; token < first + count; token++) {
    const char *s = trm_puzzle_symbol(p, token);
    if (strlen(s) == n && !memcmp(s, symbol, n)) return token;
  }
  return -1;
}

bool trm__puzzle_add_symbol(trm_puzzle *p, const char *symbol) {
  size_t n = strlen(symbol);
  int count = trm_puzzle_n_symbols(p);
  char *at = p->vocabulary + (vocabulary_at(p, count) - p->vocabulary);
  size_t room = sizeof p->vocabulary - 1 - (size_t)(at - p->vocabulary);
  if (n == 0 || n > TRM_PUZZLE_MAX_SYMBOL || count >= TRM_PUZZLE_MAX_SYMBOLS || n + 1 > room ||
      trm__puzzle_token(p, symbol, n) >= 0)
    return false;
  memcpy(at, symbol, n + 1);
  at[n + 1] = 0;
  return true;
}

/* --- checks --- */

trm_status trm__puzzle_check(const trm_puzzle *p, int vocab_size, int seq_len, const char *file,
                             trm_error *err) {
  const trm__puzzle_kind *kind = trm__kind_of(p);
  if (!trm_puzzle_kind_name(p->kind))
    TRM_FAIL(err, TRM_E_CONFIG, "%s: puzzle.kind is not one of its values", file);
  if (p->kind == TRM_PUZZLE_NONE) return TRM_OK;
  if (kind->check) TRM_TRY(kind->check(p, file, err));
  if (p->rows < 1 || p->cols < 1 || p->rows > TRM_PUZZLE_MAX_SIDE || p->cols > TRM_PUZZLE_MAX_SIDE)
    TRM_FAIL(err, TRM_E_CONFIG, "%s: puzzle: %d x %d cells; expected sides of 1 to %d", file,
             p->rows, p->cols, TRM_PUZZLE_MAX_SIDE);
  int cells = p->rows * p->cols, tokens = trm_puzzle_first_symbol(p) + trm_puzzle_n_symbols(p);
  if (seq_len != cells || vocab_size != tokens)
    TRM_FAIL(err, TRM_E_CONFIG,
             "%s: puzzle: a %d x %d %s has seq_len %d and vocab_size %d, not %d and %d", file,
             p->rows, p->cols, kind->name, cells, tokens, seq_len, vocab_size);
  return TRM_OK;
}

/* --- JSON --- */

void trm__puzzle_put(trm__json_out *o, const char *key, const trm_puzzle *p) {
  const trm_puzzle_facts *facts = trm_puzzle_facts_of(p);
  trm__json_open(o, key, '{');
  trm__json_put_text(o, "kind", trm_puzzle_kind_name(p->kind));
  trm__json_put_int(o, "rows", p->rows);
  trm__json_put_int(o, "cols", p->cols);
  if (facts->boxes) {
    trm__json_put_int(o, "box_rows", p->box_rows);
    trm__json_put_int(o, "box_cols", p->box_cols);
  }
  if (facts->declared) {
    trm__json_put_bool(o, "sized", p->sized);
    trm__json_put_text(o, "rules", p->rules);
    trm__json_put_text(o, "symmetries", p->symmetries);
    trm__json_open(o, "vocabulary", '[');
    for (int i = 0; *vocabulary_at(p, i); i++) trm__json_put_text(o, NULL, vocabulary_at(p, i));
    trm__json_close(o);
  }
  trm__json_close(o);
}

/* "none, sudoku, maze, arc or grid" */
static void list_kinds(char *text, size_t size) {
  size_t used = 0;
  for (int i = 0; i < TRM_PUZZLE_KINDS && used < size; i++) {
    const char *before = i == 0 ? "" : i + 1 == TRM_PUZZLE_KINDS ? " or " : ", ";
    used += (size_t)snprintf(text + used, size - used, "%s%s", before, trm__kinds[i]->name);
  }
}

static trm_status read_kind(const trm__json *o, const char *file, trm_puzzle *p, trm_error *err) {
  const char *name;
  TRM_TRY(trm__json_string(o, file, "kind", &name, err));
  for (int i = 0; i < TRM_PUZZLE_KINDS; i++) {
    p->kind = (trm_puzzle_kind)i;
    if (!strcmp(name, trm__kinds[i]->name)) return TRM_OK;
  }
  char known[160];
  list_kinds(known, sizeof known);
  TRM_FAIL(err, TRM_E_CONFIG, "%s: puzzle.kind = \"%.60s\": expected %s", file, name, known);
}

static trm_status read_text(const trm__json *o, const char *file, const char *key, char *out,
                            size_t size, trm_error *err) {
  const char *text;
  if (!trm__json_get(o, key)) return TRM_OK;
  TRM_TRY(trm__json_string(o, file, key, &text, err));
  if (strlen(text) >= size)
    TRM_FAIL(err, TRM_E_CONFIG, "%s: puzzle.%s is longer than %zu bytes", file, key, size - 1);
  memcpy(out, text, strlen(text) + 1);
  return TRM_OK;
}

static trm_status read_vocabulary(const trm__json *o, const char *file, trm_puzzle *p,
                                  trm_error *err) {
  const trm__json *list = trm__json_get(o, "vocabulary");
  if (!trm__json_is(list, TRM__JSON_ARRAY) || trm__json_n_items(list) == 0)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: puzzle.vocabulary: want an array of symbols", file);
  for (size_t i = 0; i < trm__json_n_items(list); i++) {
    const char *symbol = trm__json_text(trm__json_item(list, i));
    if (!symbol || !trm__puzzle_add_symbol(p, symbol))
      TRM_FAIL(err, TRM_E_CONFIG,
               "%s: puzzle.vocabulary, entry %zu: want a text of 1 to %d bytes that does not occur "
               "before, and at most %d of them",
               file, i, TRM_PUZZLE_MAX_SYMBOL, TRM_PUZZLE_MAX_SYMBOLS);
  }
  return TRM_OK;
}

static const char *const known_keys[] = {"kind",  "rows",  "cols",       "box_rows",  "box_cols",
                                         "sized", "rules", "symmetries", "vocabulary"};

static trm_status check_keys(const trm__json *o, const char *file, trm_error *err) {
  for (size_t m = 0; m < trm__json_n_members(o); m++) {
    const char *key = trm__json_key(o, m);
    bool known = false;
    for (size_t i = 0; i < sizeof known_keys / sizeof *known_keys; i++)
      known |= !strcmp(key, known_keys[i]);
    if (!known)
      TRM_FAIL(err, TRM_E_CONFIG,
               "%s: unknown key \"puzzle.%.60s\"; remove it, or use the version of trm that wrote "
               "it",
               file, key);
  }
  return TRM_OK;
}

trm_status trm__puzzle_from_json(const trm__json *o, const char *file, trm_puzzle *p,
                                 trm_error *err) {
  memset(p, 0, sizeof *p);
  if (!trm__json_is(o, TRM__JSON_OBJECT))
    TRM_FAIL(err, TRM_E_FORMAT, "%s: \"puzzle\": want an object", file);
  TRM_TRY(check_keys(o, file, err));
  TRM_TRY(read_kind(o, file, p, err));
  int *const at[] = {&p->rows, &p->cols, &p->box_rows, &p->box_cols};
  for (int i = 0; i < 4; i++) {
    int64_t v = 0;
    if (!trm__json_get(o, known_keys[1 + i])) continue;
    TRM_TRY(trm__json_int(o, file, known_keys[1 + i], 0, TRM_PUZZLE_MAX_SIDE, &v, err));
    *at[i] = (int)v;
  }
  if (!trm_puzzle_facts_of(p)->declared) return TRM_OK;
  if (trm__json_get(o, "sized")) TRM_TRY(trm__json_bool(o, file, "sized", &p->sized, err));
  TRM_TRY(read_text(o, file, "rules", p->rules, sizeof p->rules, err));
  TRM_TRY(read_text(o, file, "symmetries", p->symmetries, sizeof p->symmetries, err));
  return read_vocabulary(o, file, p, err);
}
