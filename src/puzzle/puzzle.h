/* The description of a puzzle: checked, and as JSON in dataset.json and config.json. */
#ifndef TRM_PUZZLE_PUZZLE_H
#define TRM_PUZZLE_PUZZLE_H

#include "base/error.h"
#include "base/place.h"
#include "base/units.h"
#include "io/json.h"
#include "trm/puzzle.h"

/* True when the kind, the canvas and what belongs to the kind fit together and to the data (of
 * kind none: always). Errors: CONFIG; `file` begins the message. */
trm_status trm__puzzle_check(const trm_puzzle *p, int vocab_size, int seq_len, const char *file,
                             trm_error *err);
/* Appends a symbol to the vocabulary; false when there is no room, it is empty, too long, or there
 * already. */
bool trm__puzzle_add_symbol(trm_puzzle *p, const char *symbol);
/* The tokens [first, end) have a symbol: asked for once, where many cells are looked at. */
typedef struct trm__symbol_range {
  int32_t first, end;
} trm__symbol_range;
trm__symbol_range trm__symbol_range_of(const trm_puzzle *p);
static inline bool trm__has_symbol(trm__symbol_range r, int32_t token) {
  return token >= r.first && token < r.end;
}

/* The units that a cell of the canvas is in: its row, its column and, where the kind or the rules
 * of a grid say so, its box. Returns how many; of kind none 0. */
int trm__puzzle_units(const trm_puzzle *p, trm__unit_set out[TRM__MOST_UNITS]);
/* An answer has each of its symbols once in every one of these: the kind or the rules of a grid say
 * so; and grids fill their canvas, too. */
bool trm__puzzle_rules_once(const trm_puzzle *p);
bool trm__puzzle_is_once(const trm_puzzle *p);
/* Tokens that an answer has in the place of blanks, as the kind or the rules of a grid say: how
 * many there are, 0 when nothing says it. */
int trm__puzzle_fills(const trm_puzzle *p, int32_t out[TRM_PUZZLE_MAX_SYMBOLS]);

/* The cells of tokens [rows * cols] that are no walls, in reading order: the places of the first
 * `room` of them (base/place.h). Returns how many there are. */
int trm__puzzle_open_cells(const trm_puzzle *p, int32_t wall, const int32_t *tokens, int room,
                           int32_t *places);

/* How many symbols the puzzle's own vocabulary has. */
int trm__puzzle_vocabulary_size(const trm_puzzle *p);
/* The token of a symbol of n bytes; -1 when there is none. */
int trm__puzzle_token(const trm_puzzle *p, const char *symbol, size_t n);

/* As a member of an object, or with NULL as a document. */
void trm__puzzle_put(trm__json_out *o, const char *key, const trm_puzzle *p);
/* Types and names only; trm__puzzle_check does the rest. Errors: FORMAT, CONFIG with file and key.
 */
trm_status trm__puzzle_from_json(const trm__json *object, const char *file, trm_puzzle *p,
                                 trm_error *err);

#endif
