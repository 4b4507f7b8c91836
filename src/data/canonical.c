/* See canonical.h. */
#include "data/canonical.h"

#include <string.h>

#include "base/memory.h"
#include "puzzle/kind.h"
#include "puzzle/puzzle.h"

/* The kind has a canonical form of its own. */
static bool has_form(const trm_puzzle *p) {
  return trm__kind_of(p)->canonical && trm__kind_knows(p);
}

trm_status trm__canonizer_init(trm__canonizer *c, const trm_puzzle *p, int seq_len,
                               trm_error *err) {
  c->puzzle = p;
  c->seq_len = seq_len;
  c->symmetric = c->has_form = has_form(p);
  const char *symmetries = trm__kind_symmetries(p);
  if (!trm__kind_of(p)->canonical && symmetries && *symmetries) {
    TRM_TRY(
        trm__grid_symmetry_init(&c->declared, p, symmetries, "dataset.json: puzzle", NULL, err));
    c->symmetric = !trm__grid_symmetry_none(&c->declared);
  }
  TRM_ALLOC(&c->line, 2 * ((size_t)seq_len + 2), "the comparison of examples", err);
  TRM_ALLOC(&c->scratch, 2 * (size_t)seq_len, "the comparison of examples", err);
  return TRM_OK;
}

void trm__canonizer_free(trm__canonizer *c) {
  trm__free(c->line);
  trm__free(c->scratch);
  memset(c, 0, sizeof *c);
}

/* The bytes of n values as a key. */
static trm__grid_key key_of(const int32_t *values, int n) {
  return trm__grid_key_of((const uint8_t *)values, n * (int)sizeof *values, 0);
}

/* Size and cells of a grid at `out`; how many values these are. */
static int write_grid(const trm__canonizer *c, const int32_t *tokens, int32_t *out) {
  const trm_puzzle *p = c->puzzle;
  if (!trm_puzzle_is_sized(p)) {
    memcpy(out, tokens, (size_t)c->seq_len * sizeof *out);
    return c->seq_len;
  }
  trm_puzzle_box box = trm_puzzle_locate(p, tokens);
  int n = 2;
  out[0] = box.rows;
  out[1] = box.cols;
  for (int row = 0; row < box.rows; row++, n += box.cols)
    memcpy(out + n, tokens + (box.row + row) * p->cols + box.col, (size_t)box.cols * sizeof *out);
  return n;
}

trm__grid_key trm__literal_key(const trm__canonizer *c, const int32_t *question,
                               const int32_t *label) {
  int n = write_grid(c, question, c->line);
  if (label) n += write_grid(c, label, c->line + n);
  return key_of(c->line, n);
}

/* Of the kind's values, which are bytes. A question with a foreign token has no images but itself.
 */
static trm__grid_key form_key(const trm__canonizer *c, const int32_t *question) {
  const trm__puzzle_kind *kind = trm__kind_of(c->puzzle);
  const trm__symbol_range r = trm__symbol_range_of(c->puzzle);
  uint8_t *values = (uint8_t *)c->scratch, *form = values + c->seq_len;
  for (int i = 0; i < c->seq_len; i++) {
    if (!trm__has_symbol(r, question[i])) return trm__literal_key(c, question, NULL);
    values[i] = (uint8_t)(question[i] - kind->zero);
  }
  kind->canonical(c->puzzle, values, form);
  return trm__grid_key_of(form, c->seq_len, 0);
}

trm__grid_key trm__canonical_key(const trm__canonizer *c, const int32_t *question) {
  if (!c->symmetric) return trm__literal_key(c, question, NULL);
  if (c->has_form) return form_key(c, question);
  trm__grid_canonical(&c->declared, question, c->scratch, c->scratch + c->seq_len);
  return key_of(c->scratch + c->seq_len, c->seq_len);
}
