/* Grids of rows, a row a line: nine lines, .sdk and .ss files, pictures with a frame, grids of
 * candidates, numbers with a separator. A grid that is not complete is refused as a whole, and what
 * follows of it is passed over: rows of two grids are never put together. */
#include <string.h>

#include "data/sudoku/sudoku_reader.h"

/* --- a row --- */

/* Takes cells that are characters. */
static bool take_cells(trm__sudoku_row *row, const char *text, size_t n, int at) {
  for (size_t i = 0; i < n; i++) {
    const int v = trm__sudoku_value(text[i], row->size);
    if (v < 0) return false;
    row->cell[at + (int)i] = text[i];
    row->marks[at + (int)i] = (uint16_t)(v > 0 ? 1u << (v - 1) : 0);
  }
  return true;
}

/* Characters in a line, in groups of a box or a row, or one by one. */
static bool row_of_groups(const trm_sudoku_reader *r, trm__sudoku_row *row) {
  const size_t n = (size_t)r->n_tokens, width = n ? r->token[0].n : 0;
  if (!n || n > TRM_SUDOKU_MAX_SIZE || !trm__sudoku_is_size(n * width)) return false;
  row->size = (int)(n * width);
  const trm_puzzle usual = trm_sudoku_of_size(row->size);
  const trm_puzzle *p = r->puzzle.rows == row->size ? &r->puzzle : &usual;
  if (n > 1 && width != 1 && width != (size_t)p->box_cols) return false;
  for (size_t i = 0; i < n; i++)
    if (r->token[i].n != width || !take_cells(row, r->token[i].text, width, (int)(i * width)))
      return false;
  return true;
}

/* A token a cell: a number up to 16. */
static bool row_of_numbers(const trm_sudoku_reader *r, trm__sudoku_row *row) {
  row->size = r->n_tokens;
  if (!trm__sudoku_is_size((size_t)row->size) || row->size < 10) return false;
  for (int i = 0; i < row->size; i++) {
    const trm__span t = r->token[i];
    char cell = t.n == 1 ? *t.text : 0;
    if (t.n == 2 && t.text[0] == '1' && t.text[1] >= '0' && t.text[1] <= '6')
      cell = (char)('A' + t.text[1] - '0');
    if (cell == '0') cell = '.'; /* beside numbers up to 16 it is no digit */
    if (!cell || !take_cells(row, &cell, 1, i)) return false;
  }
  return true;
}

/* A token a cell: its candidates, ascending; behind a '*' also a single one is no given. */
static bool row_of_candidates(const trm_sudoku_reader *r, trm__sudoku_row *row) {
  row->size = r->n_tokens;
  if (!trm__sudoku_is_size((size_t)row->size) || row->size > 9) return false;
  for (int i = 0; i < row->size; i++) {
    const trm__span t = r->token[i];
    const bool is_open = t.n > 1;
    int before = 0;
    row->cell[i] = is_open ? '.' : *t.text;
    row->marks[i] = 0;
    row->has_marks |= is_open;
    for (size_t k = is_open && *t.text == '*'; k < t.n; k++) {
      const int v = trm__sudoku_value(t.text[k], row->size);
      if (v < 0 || (is_open && v <= before)) return false;
      if (v > 0) row->marks[i] |= (uint16_t)(1u << (v - 1));
      before = v;
    }
  }
  return true;
}

/* Parts of one width between bars, a space around each cell. */
static bool take_parts(trm__sudoku_row *row, const char *text, size_t n) {
  const char *at = text, *end = text + n;
  size_t width = 0, first = 0, cells = 0, parts = 0;
  if (n < 3 || *at != '|' || end[-1] != '|') return false;
  for (at++; at < end; at += width + 1, parts++) {
    const char *bar = memchr(at, '|', (size_t)(end - at));
    if (!parts) width = (size_t)(bar - at);
    if (!bar || (size_t)(bar - at) != width || width % 2 == 0) return false;
    cells += width / 2;
  }
  if (!trm__sudoku_is_size(cells)) return false;
  row->size = (int)cells;
  for (at = text + 1; parts; parts--, at += width + 1)
    for (size_t i = 0; i < width; i++) {
      const char c = at[i] == ' ' ? '.' : at[i];
      if (i % 2 == 0 ? at[i] != ' ' : !take_cells(row, &c, 1, (int)first++)) return false;
    }
  return true;
}

/* A picture whose blanks are spaces: "| 5 3   |   7   |       |", or without the outer bars and the
 * spaces at its end. */
static bool row_of_picture(const trm_sudoku_reader *r, trm__sudoku_row *row) {
  enum { ROOM = 4 * TRM_SUDOKU_MAX_SIZE + 4 };
  char text[ROOM];
  const char *end = r->text + r->length, *first = memchr(r->text, '|', r->length), *last = first;
  if (!first) return false;
  if (take_parts(row, r->text, r->length)) return true;
  for (const char *c = first; c < end; c++)
    if (*c == '|') last = c;
  const size_t before = (size_t)(first - r->whole), at_last = (size_t)(last - r->whole);
  const size_t end_bar = at_last + before + 4; /* all parts are as wide as the first */
  const size_t length = (size_t)(end - r->whole);
  if (end_bar >= ROOM || 2 + length > end_bar) return false;
  memset(text, ' ', ROOM);
  text[0] = text[end_bar] = '|';
  memcpy(text + 2, r->whole, length);
  return take_parts(row, text, end_bar + 1);
}

/* Cells between separators, where nothing is a blank: ",,3,,2,,6,,". */
static bool row_of_fields(const trm_sudoku_reader *r, trm__sudoku_row *row) {
  static const char separators[] = ",;\t";
  const char *text = r->whole;
  const size_t n = r->whole_length;
  for (const char *s = separators; *s; s++) {
    size_t fields = 1, at = 0;
    for (size_t i = 0; i < n; i++) fields += text[i] == *s;
    if (!trm__sudoku_is_size(fields)) continue;
    row->size = (int)fields;
    for (size_t i = 0; i < fields; i++, at++) {
      const bool is_empty = at == n || text[at] == *s;
      if (!take_cells(row, is_empty ? "." : text + at, 1, (int)i)) return false;
      at += !is_empty;
      if (at < n && text[at] != *s) return false;
    }
    return true;
  }
  return false;
}

/* The line as a row of `size` cells, of any with 0. */
static bool parse_row(trm_sudoku_reader *r, int size) {
  static bool (*const kinds[])(const trm_sudoku_reader *, trm__sudoku_row *) = {
      row_of_groups, row_of_numbers, row_of_candidates, row_of_picture, row_of_fields};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    r->row = (trm__sudoku_row){.size = 0};
    if (kinds[i](r, &r->row) && (!size || r->row.size == size)) return true;
  }
  r->row.size = 0;
  return false;
}

/* --- frames --- */

/* How many '-' a line has that has nothing else but bars; 0: it has more. */
static size_t count_dashes(const trm_sudoku_reader *r) {
  size_t dashes = 0;
  for (size_t i = 0; i < r->length; i++) {
    if (!strchr("-| ", r->text[i]) || !r->text[i]) return 0;
    dashes += r->text[i] == '-';
  }
  return dashes;
}

/* A line of '-' and bars is a row of blanks where other blanks of its grid are '-', too; else it
 * is a frame. Before the first row nobody knows: then it is a row until another one speaks. */
static bool are_dashes_frame(const trm_sudoku_reader *r, size_t dashes) {
  const trm__sudoku_grid *g = &r->grid;
  if (!g->rows)
    return r->puzzle.kind == TRM_PUZZLE_NONE ? !trm__sudoku_is_size(dashes)
                                             : dashes != (size_t)r->puzzle.rows;
  if (dashes != (size_t)g->size) return true;
  return g->rows != g->dashes && (!g->dash_is_blank || g->other_blank);
}

bool trm__sudoku_is_frame(trm_sudoku_reader *r) {
  const size_t dashes = count_dashes(r);
  bool drawn = false;
  if (dashes) return are_dashes_frame(r, dashes);
  for (size_t i = 0; i < r->length; i++) {
    const char c = r->text[i];
    if (!c || !strchr("-=+|*.:'`, _#~", c)) return false;
    drawn |= i > 0 && (c == '-' || c == '=') && c == r->text[i - 1];
  }
  return drawn && !(r->n_tokens == 1 && trm__sudoku_is_size(r->token[0].n) &&
                    trm__sudoku_are_cells(r->token[0], (int)r->token[0].n));
}

/* --- grids --- */

static const trm_puzzle *puzzle_of(const trm_sudoku_reader *r, trm_puzzle *room) {
  if (r->puzzle.kind != TRM_PUZZLE_NONE) return &r->puzzle;
  *room = trm_sudoku_of_size(r->grid.size);
  return room;
}

/* A whole puzzle in a line is no row of what is passed over, unless its rows are such lines. */
bool trm__sudoku_is_lost(trm_sudoku_reader *r) {
  if (!r->lost || r->grid.rows) return false;
  const bool is_puzzle = trm__sudoku_is_line(r) && r->found_size * r->found_size != r->grid.size;
  if (is_puzzle || !(trm__sudoku_is_frame(r) || parse_row(r, 0))) return false;
  r->lost_rows++;
  return true;
}

bool trm__sudoku_goes_on(trm_sudoku_reader *r) {
  return r->grid.rows && !trm__sudoku_is_frame(r) && parse_row(r, r->grid.size);
}

bool trm__sudoku_is_row(trm_sudoku_reader *r) {
  return (r->puzzle.kind != TRM_PUZZLE_NONE && parse_row(r, r->puzzle.rows)) || parse_row(r, 0);
}

trm_status trm__sudoku_refuse_grid(trm_sudoku_reader *r, trm_error *err) {
  trm__sudoku_grid *g = &r->grid;
  const int rows = g->rows;
  g->rows = 0;
  r->lost = !r->config.typed;
  r->lost_rows = rows;
  return trm__sudoku_refuse(r, TRM_E_FORMAT, g->line, 1, err,
                            "the grid that begins here has %d row%s of %d cells, want %d", rows,
                            TRM__S(rows), g->size, g->size);
}

/* Grids end at an empty line, unless what was passed over is so short that it may be a band. */
static void end_lost(trm_sudoku_reader *r) {
  r->lost &= r->lost_rows <= TRM_SUDOKU_MAX_SIZE / 4;
  r->lost_rows = 0;
}

trm_status trm__sudoku_read_gap(trm_sudoku_reader *r, trm_error *err) {
  trm__sudoku_grid *g = &r->grid;
  trm_puzzle room;
  if (!g->rows || g->rows == g->dashes) {
    end_lost(r);
    g->rows = 0;
    return TRM_OK;
  }
  const int band = puzzle_of(r, &room)->box_rows, bands = g->rows / band;
  if (g->rows % band || g->gaps < bands - 1) {
    const trm_status st = trm__sudoku_refuse_grid(r, err);
    end_lost(r);
    return st;
  }
  g->gaps = bands;
  return TRM_OK;
}

/* All rows are there. */
static trm_status end_grid(trm_sudoku_reader *r, trm_sudoku_entry *e, bool *found, trm_error *err) {
  trm__sudoku_grid *g = &r->grid;
  const int cells = g->size * g->size;
  g->rows = 0;
  TRM_TRY(trm__sudoku_begin(r, e, g->size, g->line, 1, err));
  TRM_TRY(trm__sudoku_read_givens(r, e, (trm__span){g->cell, (size_t)cells}, err));
  if (g->has_marks) TRM_TRY(trm__sudoku_check_marks(r, e, g->marks, err));
  *found = true;
  return TRM_OK;
}

/* What the blanks of a row are written as. */
static void look_at_blanks(const trm__sudoku_row *row, bool *dash, bool *other, bool *only_dashes) {
  *dash = *other = false;
  *only_dashes = true;
  for (int i = 0; i < row->size; i++) {
    *dash |= row->cell[i] == '-';
    *other |= row->cell[i] != '-' && trm__sudoku_is_blank(row->cell[i]);
    *only_dashes &= row->cell[i] == '-';
  }
}

trm_status trm__sudoku_read_row(trm_sudoku_reader *r, trm_sudoku_entry *e, bool *found,
                                trm_error *err) {
  trm__sudoku_grid *g = &r->grid;
  const trm__sudoku_row *row = &r->row;
  trm_puzzle room;
  bool dash, other, only_dashes;
  look_at_blanks(row, &dash, &other, &only_dashes);
  if (r->puzzle.kind != TRM_PUZZLE_NONE && row->size != r->puzzle.rows) {
    r->lost = !r->config.typed;
    r->lost_rows = 1;
    g->size = row->size;
    return trm__sudoku_refuse_row(r, row->size, err);
  }
  if (g->rows && g->rows == g->dashes && !dash) g->rows = 0; /* that was a frame */
  if (!g->rows) *g = (trm__sudoku_grid){.size = row->size, .line = r->line};

  /* Empty lines stand behind every band, or behind none. */
  const int band = puzzle_of(r, &room)->box_rows;
  if (g->gaps && g->rows % band == 0 && g->gaps != g->rows / band)
    return trm__sudoku_refuse_grid(r, err);

  if (only_dashes && g->rows == g->dashes) g->dashes++;
  g->dash_is_blank |= dash && !only_dashes;
  g->other_blank |= other;
  g->has_marks |= row->has_marks;
  memcpy(g->cell + g->rows * g->size, row->cell, (size_t)g->size);
  memcpy(g->marks + g->rows * g->size, row->marks, (size_t)g->size * sizeof *row->marks);
  return ++g->rows == g->size ? end_grid(r, e, found, err) : TRM_OK;
}
