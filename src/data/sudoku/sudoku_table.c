/* Tables of Sudokus: CSV with any usual separator, whose header names the columns in any case, or
 * whose columns the user names. Without either a line is read like any other (sudoku_line.c). */
#include <math.h>
#include <string.h>

#include "base/number.h"
#include "data/sudoku/sudoku_reader.h"

/* --- the header --- */

static trm_status split(trm_sudoku_reader *r, char separator, trm_error *err) {
  trm__csv_open_text(&r->csv, r->config.name, r->whole, r->whole_length, r->line, separator);
  return trm__csv_next(&r->csv, err);
}

bool trm__sudoku_is_header(trm_sudoku_reader *r) {
  if (r->any_puzzle || r->grid.rows) return false;
  if (r->config.columns) return true;
  for (int i = 0; i < r->n_tokens && i < TRM__SUDOKU_MAX_TOKENS; i++) {
    const int size = trm__sudoku_size_of(r->token[i].n);
    if (size && trm__sudoku_are_cells(r->token[i], size)) return false;
  }
  return split(r, 0, NULL) == TRM_OK && r->csv.n_fields > 1 && trm__columns_are_named(&r->csv);
}

/* With columns that were chosen the first line may be a puzzle. */
static trm_status find_columns(trm_sudoku_reader *r, trm_error *err) {
  const unsigned needed = 1u << TRM__QUESTION | (unsigned)r->config.need_rating << TRM__RATING;
  TRM_TRY(split(r, 0, err));
  TRM_TRY(trm__columns_find(&r->csv, r->config.columns, needed, &r->columns, err));
  const trm__csv_field first = trm__csv_trimmed(r->csv.field[r->columns.at[TRM__QUESTION]]);
  const int size = trm__sudoku_size_of(first.n);
  r->columns.named |= !size || !trm__sudoku_are_cells((trm__span){first.text, first.n}, size);
  return TRM_OK;
}

trm_status trm__sudoku_read_header(trm_sudoku_reader *r, trm_sudoku_entry *e, bool *found,
                                   trm_error *err) {
  const trm_status st = find_columns(r, err);
  if (st != TRM_OK) { /* no row can be read */
    trm__sudoku_give_up(r);
    return st;
  }
  r->has_table = true;
  r->quotes = (trm__sudoku_quotes){.field_begins = true};
  return r->columns.named ? TRM_OK : trm__sudoku_read_record(r, e, found, err);
}

/* --- records --- */

bool trm__sudoku_in_table(trm_sudoku_reader *r) {
  return r->has_table;
}

static trm_status read_rating(const trm_sudoku_reader *r, trm_sudoku_entry *e, trm_error *err) {
  const trm__csv_field *f;
  TRM_TRY(trm__columns_field(&r->columns, &r->csv, TRM__RATING, &f, err));
  const trm__csv_field s = trm__csv_trimmed(*f);
  const bool is_decimal = trm__number_is_decimal(s.text, s.n);
  e->rating = is_decimal ? trm__number_read(s.text, s.n) : 0;
  e->has_rating = is_decimal && isfinite(e->rating);
  if (e->has_rating) return TRM_OK;
  return trm__sudoku_refuse(r, TRM_E_FORMAT, f->line, (size_t)f->column, err,
                            "the rating is no number");
}

/* The entry of a puzzle column. */
static trm_status read_puzzle(trm_sudoku_reader *r, trm_sudoku_entry *e, trm__csv_field f,
                              trm_error *err) {
  const trm__span s = {f.text, f.n};
  const int size = trm__sudoku_size_of(s.n);
  const int want = r->puzzle.kind == TRM_PUZZLE_NONE ? 0 : r->puzzle.rows;
  r->line = f.line;
  r->text = s.text;
  r->column = (size_t)f.column;
  if (!size || (want && size != want)) return trm__sudoku_refuse_line(r, s, err);
  TRM_TRY(trm__sudoku_begin(r, e, size, f.line, r->column, err));
  e->in_line = true;
  return trm__sudoku_read_givens(r, e, s, err);
}

trm_status trm__sudoku_read_record(trm_sudoku_reader *r, trm_sudoku_entry *e, bool *found,
                                   trm_error *err) {
  const trm__csv_field *f;
  TRM_TRY(split(r, r->csv.separator, err));
  if (!r->csv.n_fields) return TRM_OK;
  if (trm__csv_is_empty(&r->csv, true)) {
    r->empty_rows++;
    return TRM_OK;
  }
  TRM_TRY(trm__columns_check(&r->columns, &r->csv, err));
  TRM_TRY(trm__columns_field(&r->columns, &r->csv, TRM__QUESTION, &f, err));
  TRM_TRY(read_puzzle(r, e, trm__csv_trimmed(*f), err));
  if (r->columns.at[TRM__ANSWER] >= 0) {
    TRM_TRY(trm__columns_field(&r->columns, &r->csv, TRM__ANSWER, &f, err));
    const trm__csv_field s = trm__csv_trimmed(*f);
    TRM_TRY(trm__sudoku_read_solution(r, e, (trm__span){s.text, s.n}, (size_t)s.column, err));
  }
  if (r->config.need_rating) TRM_TRY(read_rating(r, e, err));
  *found = true;
  return TRM_OK;
}
