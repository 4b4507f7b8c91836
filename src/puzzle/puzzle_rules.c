/* Rule checkers by name: whether an answer is right, be it the labelled one or another, and whether
 * a question can have such an answer at all. */
#include <string.h>

#include "puzzle/kind.h"
#include "puzzle/puzzle.h"

/* --- the grid --- */

static int number_of(const char *symbol) {
  int n = 0;
  for (const char *c = symbol; *c; c++) {
    if (*c < '0' || *c > '9' || n > 100000) return -1;
    n = 10 * n + *c - '0';
  }
  return n;
}

static void name_tokens(trm__puzzle_view *v) {
  int first = trm_puzzle_first_symbol(v->puzzle), n = trm_puzzle_n_symbols(v->puzzle);
  for (int token = 0; token < TRM__VIEW_TOKENS; token++) v->number[token] = -1;
  for (int token = first; token < first + n && token < TRM__VIEW_TOKENS; token++) {
    const char *symbol = trm_puzzle_symbol(v->puzzle, token);
    v->number[token] = number_of(symbol);
    if (!symbol[1]) v->letter[token] = symbol[0];
  }
}

/* The rectangle of symbols of the input, as everywhere; the canvas when grids fill it. */
static void find_grid(trm__puzzle_view *v) {
  const trm_puzzle_box box = trm_puzzle_locate(v->puzzle, v->inputs);
  v->top = box.row;
  v->left = box.col;
  v->rows = box.rows;
  v->cols = box.cols;
}

/* --- by name --- */

/* The i-th of the rules of all kinds; NULL behind the last. */
static const trm__puzzle_rules *rules_at(int i) {
  for (int kind = 0; kind < TRM_PUZZLE_KINDS; kind++)
    for (const trm__puzzle_rules *r = trm__kinds[kind]->rules; r && r->name; r++)
      if (i-- == 0) return r;
  return NULL;
}

const char *trm_puzzle_rules_name(int i) {
  const trm__puzzle_rules *r = i >= 0 ? rules_at(i) : NULL;
  return r ? r->name : NULL;
}

/* A kind's own, or those that a grid names. */
static const trm__puzzle_rules *find_rules(const trm_puzzle *p) {
  const trm__puzzle_kind *kind = trm__kind_of(p);
  const trm__puzzle_rules *r;
  if (!kind->facts.declared) return kind->rules;
  for (int i = 0; (r = rules_at(i)) && strcmp(r->name, p->rules) != 0; i++) {
  }
  return r;
}

int trm__puzzle_units(const trm_puzzle *p, trm__unit_set out[TRM__MOST_UNITS]) {
  const trm__puzzle_rules *rules = find_rules(p);
  int high, wide;
  if (p->kind == TRM_PUZZLE_NONE) return 0;
  out[0] = (trm__unit_set){p->cols, 1, p->cols, p->rows};
  out[1] = (trm__unit_set){p->cols, p->rows, 1, p->cols};
  if (!rules || !rules->boxes || trm_puzzle_is_sized(p) || !rules->boxes(p, &high, &wide)) return 2;
  out[2] = (trm__unit_set){p->cols, high, wide, p->rows * p->cols / (high * wide)};
  return 3;
}

bool trm_puzzle_boxes(const trm_puzzle *p, int *rows, int *cols) {
  trm__unit_set units[TRM__MOST_UNITS];
  const bool boxes = trm__puzzle_units(p, units) == TRM__MOST_UNITS;
  *rows = boxes ? units[TRM__MOST_UNITS - 1].high : 0;
  *cols = boxes ? units[TRM__MOST_UNITS - 1].wide : 0;
  return boxes;
}

bool trm__puzzle_rules_once(const trm_puzzle *p) {
  const trm__puzzle_rules *rules = find_rules(p);
  return rules && rules->once;
}

bool trm__puzzle_is_once(const trm_puzzle *p) {
  return trm__puzzle_rules_once(p) && !trm_puzzle_is_sized(p);
}

/* The symbol is one letter, and that is among these. */
static bool is_among(const char *symbol, const char *letters) {
  return symbol && symbol[0] && !symbol[1] && strchr(letters, symbol[0]);
}

/* The letters of a blank: the kind's, or those of the rules that a grid names; "": nothing says. */
typedef struct letters {
  char of_kind[2];
  const char *blanks, *fills;
} letters;
static void find_letters(const trm_puzzle *p, letters *l) {
  const trm__puzzle_rules *rules = find_rules(p);
  *l =
      (letters){.of_kind = {trm__kind_of(p)->facts.blank, 0}, .fills = rules ? rules->fills : NULL};
  l->blanks = l->of_kind[0] || !rules || !rules->blanks ? l->of_kind : rules->blanks;
}

int trm_puzzle_blanks(const trm_puzzle *p, int32_t out[TRM_PUZZLE_MAX_BLANKS]) {
  const trm__symbol_range r = trm__symbol_range_of(p);
  letters l;
  int n = 0;
  find_letters(p, &l);
  for (int32_t token = r.first; token < r.end; token++) {
    if (!is_among(trm_puzzle_symbol(p, token), l.blanks)) continue;
    if (n == TRM_PUZZLE_MAX_BLANKS) return 0;
    out[n++] = token;
  }
  return n;
}

int trm__puzzle_fills(const trm_puzzle *p, int32_t out[TRM_PUZZLE_MAX_SYMBOLS]) {
  const trm__symbol_range r = trm__symbol_range_of(p);
  letters l;
  int n = 0;
  find_letters(p, &l);
  for (int32_t token = r.first; *l.blanks && token < r.end; token++) {
    const char *symbol = trm_puzzle_symbol(p, token);
    const bool takes = l.fills ? is_among(symbol, l.fills) : !is_among(symbol, l.blanks);
    if (takes && n < TRM_PUZZLE_MAX_SYMBOLS) out[n++] = token;
  }
  return n;
}

/* --- walls --- */

int32_t trm_puzzle_wall(const trm_puzzle *p) {
  const trm__puzzle_rules *rules = find_rules(p);
  if (!rules || !rules->wall || trm_puzzle_is_sized(p)) return -1;
  return trm__puzzle_token(p, &rules->wall, 1);
}

/* What is beyond the canvas is a wall, too. */
static bool is_wall(const trm_puzzle *p, int32_t wall, const int32_t *tokens, int i, int j) {
  return i < 0 || j < 0 || i >= p->rows || j >= p->cols || tokens[i * p->cols + j] == wall;
}

int trm__puzzle_open_cells(const trm_puzzle *p, int32_t wall, const int32_t *tokens, int room,
                           int32_t *places) {
  int n = 0;
  for (int cell = 0; cell < p->rows * p->cols; cell++) {
    const int i = cell / p->cols, j = cell % p->cols;
    if (tokens[cell] == wall) continue;
    if (n++ >= room) continue;
    const int walls =
        is_wall(p, wall, tokens, i - 1, j) << 0 | is_wall(p, wall, tokens, i, j + 1) << 1 |
        is_wall(p, wall, tokens, i + 1, j) << 2 | is_wall(p, wall, tokens, i, j - 1) << 3;
    places[n - 1] = trm__place_of(cell, walls);
  }
  return n;
}

bool trm_puzzle_has_rules(const trm_puzzle *p) {
  return find_rules(p) != NULL;
}

static trm__puzzle_view look_at(const trm_puzzle *p, const int32_t *inputs, const int32_t *answer) {
  trm__puzzle_view v = {.puzzle = p, .inputs = inputs, .answer = answer};
  name_tokens(&v);
  find_grid(&v);
  return v;
}

bool trm_puzzle_solves(const trm_puzzle *p, const int32_t *inputs, const int32_t *answer) {
  const trm__puzzle_rules *rules = find_rules(p);
  if (!rules) return false;
  const trm__puzzle_view v = look_at(p, inputs, answer);
  return rules->solves(&v);
}

trm_status trm_puzzle_check(const trm_puzzle *p, const int32_t *inputs, trm_error *err) {
  const trm__puzzle_rules *rules = find_rules(p);
  if (!rules || !rules->check) return TRM_OK;
  const trm__puzzle_view v = look_at(p, inputs, inputs);
  return rules->check(&v, err);
}

/* --- what a check says --- */

trm_status trm__rules_refuse_cell(int i, int j, const char *what, trm_error *err) {
  TRM_FAIL_AT(err, TRM_E_PUZZLE, -1, "row %d, column %d: %s: no answer can be valid", i + 1, j + 1,
              what);
}

trm_status trm__rules_refuse(const char *what, trm_error *err) {
  TRM_FAIL(err, TRM_E_PUZZLE, "%s: no answer can be valid", what);
}
