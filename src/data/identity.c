/* See identity.h. The file of a full ARC set has a million names and tens of megabytes, and every
 * open reads it: names go from the file into the hash as they stand, only escapes are decoded. */
#include "data/identity.h"

#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

/* --- the fingerprint --- */

static void mix(trm__identity *i, uint64_t word) {
  i->hash = (i->hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
  i->hash ^= i->hash >> 32;
}

/* The bytes of all names are one stream of words, in whatever pieces they come. */
static void add_bytes(trm__identity *i, const char *bytes, size_t n) {
  uint64_t word;
  for (size_t at = 0; at < n;) {
    if (i->n == 0 && n - at >= sizeof word) {
      memcpy(&word, bytes + at, sizeof word);
      at += sizeof word;
    } else {
      i->part[i->n++] = bytes[at++];
      if (i->n < sizeof word) continue;
      memcpy(&word, i->part, sizeof word);
      i->n = 0;
    }
    mix(i, word);
  }
}

/* No UTF-8 has the byte that ends a name. */
static void end_name(trm__identity *i) {
  add_bytes(i, "\xff", 1);
}

void trm__identity_add(trm__identity *i, const char *name, size_t n) {
  add_bytes(i, name, n);
  end_name(i);
}

uint64_t trm__identity_number(const trm__identity *i) {
  trm__identity whole = *i;
  uint64_t word = 0;
  memcpy(&word, whole.part, whole.n);
  mix(&whole, word);
  return whole.hash ? whole.hash : 1; /* 0 would mean that nothing is known */
}

/* --- identifiers.json --- */

/* A place in the text of the file. */
typedef struct reading {
  const char *path, *text;
  size_t at, size;
  trm__identity identity;
} reading;

static trm_status fail_at(const reading *r, const char *what, trm_error *err) {
  TRM_FAIL_AT(err, TRM_E_FORMAT, r->at,
              "%s: byte %zu: %s; build the data set anew, or remove the file where ids have no "
              "names",
              r->path, r->at, what);
}

static char next_mark(reading *r) {
  while (r->at < r->size && r->text[r->at] && strchr(" \t\r\n", r->text[r->at])) r->at++;
  return (char)(r->at < r->size ? r->text[r->at] : 0);
}

/* One of `marks` must follow, and is passed. */
static trm_status expect(reading *r, const char *marks, const char *what, char *found,
                         trm_error *err) {
  *found = next_mark(r);
  if (!*found || !strchr(marks, *found)) return fail_at(r, what, err);
  r->at++;
  return TRM_OK;
}

/* Four hexadecimal digits at `at`. */
static bool read_hex(const reading *r, size_t at, unsigned *code) {
  static const char digits[] = "0123456789abcdefABCDEF";
  *code = 0;
  if (r->size < 4 || at > r->size - 4) return false;
  for (size_t i = at; i < at + 4; i++) {
    const char *digit = r->text[i] ? strchr(digits, r->text[i]) : NULL;
    if (!digit) return false;
    const unsigned value = (unsigned)(digit - digits);
    *code = *code << 4 | (value < 16 ? value : value - 6);
  }
  return true;
}

/* A character as UTF-8; its length. */
static size_t encode(unsigned code, char out[4]) {
  const size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
  for (size_t i = n - 1; i > 0; i--, code >>= 6) out[i] = (char)(0x80 | (code & 0x3f));
  out[0] = (char)(lead[n] | code);
  return n;
}

/* An escape behind its backslash, which is passed with it. */
static trm_status read_escape(reading *r, trm_error *err) {
  static const char marks[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
  const char c = (char)(r->at + 1 < r->size ? r->text[r->at + 1] : 0);
  const char *mark = c ? strchr(marks, c) : NULL;
  unsigned code = mark ? (unsigned char)meant[mark - marks] : 0, low = 0;
  if (!mark && (c != 'u' || !read_hex(r, r->at + 2, &code)))
    return fail_at(r, "an escape that JSON does not know", err);
  r->at += mark ? 2 : 6;
  if (code >= 0xd800 && code < 0xe000) {
    const bool pair = code < 0xdc00 && r->size - r->at > 6 && !memcmp(r->text + r->at, "\\u", 2) &&
                      read_hex(r, r->at + 2, &low) && low >= 0xdc00 && low < 0xe000;
    if (!pair) return fail_at(r, "half a character", err);
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    r->at += 6;
  }
  char text[sizeof(uint64_t)] = {0}; /* a character has four bytes at most, add_bytes takes words */
  add_bytes(&r->identity, text, encode(code, text));
  return TRM_OK;
}

/* A name behind its first quote, to behind its last. The next quote is looked for once only, so
 * that a name of escapes costs no more than another. */
static trm_status read_name(reading *r, trm_error *err) {
  for (const char *quote = NULL;;) {
    const char *first = r->text + r->at;
    if (!quote || quote < first) quote = memchr(first, '"', r->size - r->at);
    if (!quote) return fail_at(r, "a name without an end", err);
    const char *escape = memchr(first, '\\', (size_t)(quote - first));
    const size_t n = (size_t)((escape ? escape : quote) - first);
    add_bytes(&r->identity, first, n);
    r->at += n;
    if (!escape) break;
    TRM_TRY(read_escape(r, err));
  }
  r->at++;
  end_name(&r->identity);
  return TRM_OK;
}

static trm_status read_names(reading *r, trm_error *err) {
  char mark;
  TRM_TRY(expect(r, "[", "want an array of names [\"<blank>\", ...]", &mark, err));
  do {
    TRM_TRY(expect(r, "\"", "want a name in quotes", &mark, err));
    TRM_TRY(read_name(r, err));
    TRM_TRY(expect(r, ",]", "want ',' or ']' after a name", &mark, err));
  } while (mark == ',');
  return next_mark(r) || r->at < r->size ? fail_at(r, "text after the array", err) : TRM_OK;
}

static trm_status read_file(const char *path, uint64_t *identity, trm_error *err) {
  trm__kind kind;
  trm__map map;
  TRM_TRY(trm__path_look(path, &kind, err));
  if (kind == TRM__ABSENT) return TRM_OK;
  TRM_TRY(trm__map_open(path, &map, err));
  reading r = {.path = path, .text = map.size ? (const char *)map.data : "", .size = map.size};
  r.at = trm__text_mark(r.text, r.size);
  const trm_status st = read_names(&r, err);
  trm__map_close(&map);
  if (st == TRM_OK) *identity = trm__identity_number(&r.identity);
  return st;
}

trm_status trm__identity_read(const char *dir, uint64_t *identity, trm_error *err) {
  *identity = 0;
  char *path = trm__path_join(dir, "identifiers.json");
  if (!path) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a path");
  const trm_status st = read_file(path, identity, err);
  trm__free(path);
  return st;
}

/* --- a model and data --- */

static trm_status check_symbols(const char *a_name, const trm_puzzle *a, const char *b_name,
                                const trm_puzzle *b, trm_error *err) {
  enum { TOKENS = TRM_PUZZLE_END + 1 + TRM_PUZZLE_MAX_SYMBOLS };
  for (int token = 0; token < TOKENS; token++) {
    const char *mine = trm_puzzle_symbol(a, token), *other = trm_puzzle_symbol(b, token);
    if (mine == other || (mine && other && !strcmp(mine, other))) continue;
    TRM_FAIL(err, TRM_E_SHAPE, "token %d is '%s' in %s, '%s' in %s: want the same symbols", token,
             mine ? mine : "", a_name, other ? other : "", b_name);
  }
  return TRM_OK;
}

trm_status trm__puzzles_agree(const char *a_name, const trm_puzzle *a, const char *b_name,
                              const trm_puzzle *b, trm_error *err) {
  if (a->kind == TRM_PUZZLE_NONE || b->kind == TRM_PUZZLE_NONE) return TRM_OK;
  if (a->kind != b->kind || a->rows != b->rows || a->cols != b->cols)
    TRM_FAIL(err, TRM_E_SHAPE, "%s: kind %s, %d x %d cells; %s: kind %s, %d x %d: want one kind",
             a_name, trm_puzzle_kind_name(a->kind), a->rows, a->cols, b_name,
             trm_puzzle_kind_name(b->kind), b->rows, b->cols);
  const trm_puzzle_facts *facts = trm_puzzle_facts_of(a);
  if (facts->boxes && (a->box_rows != b->box_rows || a->box_cols != b->box_cols))
    TRM_FAIL(err, TRM_E_SHAPE, "%s: %ss with boxes of %d x %d; %s: of %d x %d: want one kind",
             a_name, facts->title, a->box_rows, a->box_cols, b_name, b->box_rows, b->box_cols);
  return facts->declared ? check_symbols(a_name, a, b_name, b, err) : TRM_OK;
}

trm_status trm__data_fit(const trm_model_config *m, const trm_dataset_info *d, trm_error *err) {
  if (m->seq_len != d->seq_len || m->vocab_size != d->vocab_size)
    TRM_FAIL(err, TRM_E_SHAPE,
             "the data have seq_len %d and vocab_size %d, the model %d and %d: use a model on "
             "the kind of data that it was trained on",
             d->seq_len, d->vocab_size, m->seq_len, m->vocab_size);
  return trm__puzzles_agree("the data", &d->puzzle, "the model", &m->puzzle, err);
}

/* Ids tell tasks apart: not with one of them, nor without embeddings. */
static bool ids_matter(const trm_model_config *m, const trm_dataset_info *d) {
  return m->puzzle_emb_ndim > 0 && m->num_puzzle_identifiers > 1 && d->num_puzzle_identifiers > 1;
}

bool trm_model_ids_unsure(const trm_model_config *m, const trm_dataset_info *d) {
  return ids_matter(m, d) && (!m->identifiers[0] || !d->identifiers) &&
         m->num_puzzle_identifiers != d->num_puzzle_identifiers;
}

trm_status trm_model_check_data(const trm_model_config *m, const trm_dataset_info *d,
                                trm_error *err) {
  TRM_TRY(trm__data_fit(m, d, err));
  if (m->puzzle_emb_ndim > 0 && d->num_puzzle_identifiers > m->num_puzzle_identifiers)
    TRM_FAIL(err, TRM_E_SHAPE,
             "the data have %d puzzle ids, the model only knows %d: an id that was not trained has "
             "no embedding; `trm finetune MODEL --task FILE.json` trains a new task",
             d->num_puzzle_identifiers, m->num_puzzle_identifiers);
  if (!ids_matter(m, d) || !m->identifiers[0] || !d->identifiers) return TRM_OK;
  for (int i = 0; i < TRM_MODEL_ID_LISTS && m->identifiers[i]; i++)
    if (m->identifiers[i] == d->identifiers) return TRM_OK;
  TRM_FAIL(
      err, TRM_E_SHAPE,
      "the puzzle ids of the data are not those that the model was trained with: their "
      "identifiers.json has the fingerprint %016llx (%d ids), the model's had %016llx (%d "
      "ids), so an id would get the answers of another task; use the data set of its training, "
      "or build one with the same subsets, order, seed and copies",
      (unsigned long long)d->identifiers, d->num_puzzle_identifiers,
      (unsigned long long)m->identifiers[0], m->num_puzzle_identifiers);
}
