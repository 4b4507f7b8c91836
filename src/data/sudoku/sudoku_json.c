/* Sudokus in JSON: a grid as a list of lists, over as many lines as json.dump likes, its cells in
 * one list, or its rows or all of them as texts; an object that has one under a name that a column
 * of a table would have, with its solution; and a list of any of these, in such an object, too. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "data/sudoku/sudoku_reader.h"
#include "puzzle/json_grid.h"

/* The text of a value that is being collected, or the value with what was read of it. */
struct trm__sudoku_json {
  char *text;
  size_t n, room;
  trm__json_span span;
  int64_t line; /* where it begins */
  trm__json *root;
  const trm__json *list; /* of several puzzles; NULL: the root is one */
  size_t next;           /* item of it */
};

void trm__sudoku_free_json(trm__sudoku_json *j) {
  if (!j) return;
  trm__json_free(j->root);
  trm__free(j->text);
  trm__free(j);
}

/* --- one puzzle --- */

/* A cell as a character; 0: it is none. A 0 that is a number is a blank. */
static char cell_of(const trm__json *cell) {
  char number[TRM__JSON_CELL];
  size_t n;
  const char *text = trm__json_cell(cell, number, &n);
  if (!text || n > 2) return 0;
  if (n == 0 || (n == 1 && (*text == ' ' || (*text == '0' && text == number)))) return '.';
  if (n == 1) return trm__sudoku_value(*text, TRM_SUDOKU_MAX_SIZE) < 0 ? 0 : *text;
  if (text[0] != '1' || text[1] < '0' || text[1] > '6') return 0;
  return (char)('A' + text[1] - '0');
}

/* Cells of an array of rows, or of one of cells; *bad is the first that is none. */
static int cells_of_arrays(const trm__json *v, char *cells, int *bad) {
  size_t rows, cols;
  const bool is_grid = trm__json_grid_size(v, &rows, &cols);
  const int size = !is_grid       ? trm__sudoku_size_of(trm__json_n_items(v))
                   : rows == cols ? (int)rows
                                  : 0;
  if (!size || !trm__sudoku_is_size((size_t)size)) return 0;
  for (int i = 0; i < size * size; i++) {
    const trm__json *row = is_grid ? trm__json_item(v, (size_t)(i / size)) : v;
    const trm__json *cell = trm__json_item(row, (size_t)(is_grid ? i % size : i));
    if (!is_grid && (trm__json_n_items(cell) || trm__json_length(cell) > 2)) return 0;
    cells[i] = cell_of(cell);
    if (*bad < 0 && (!cells[i] || trm__sudoku_value(cells[i], size) < 0)) *bad = i;
  }
  return size;
}

/* The same of a text of all cells, or of an array of texts that are rows. */
static int cells_of_texts(const trm__json *v, char *cells) {
  const size_t n = trm__json_is(v, TRM__JSON_STRING) ? 1 : trm__json_n_items(v);
  const trm__json *first = n == 1 ? v : trm__json_item(v, 0);
  const size_t width = trm__json_length(first);
  const int size = trm__sudoku_size_of(n * width);
  if (!size || (n > 1 && n != width)) return 0;
  for (size_t i = 0; i < n; i++) {
    const trm__json *row = n == 1 ? v : trm__json_item(v, i);
    if (trm__json_length(row) != width ||
        !trm__sudoku_are_cells((trm__span){trm__json_text(row), width}, size))
      return 0;
    memcpy(cells + i * width, trm__json_text(row), width);
  }
  return size;
}

/* The size of the puzzle that a value is; 0: none. */
static int read_value(const trm__json *v, char *cells, int *bad) {
  *bad = -1;
  const int size = cells_of_texts(v, cells);
  return size ? size : cells_of_arrays(v, cells, bad);
}

/* --- objects --- */

/* The member of an object that is for a role, by the names of columns; NULL: none. */
static const trm__json *member_for(const trm_sudoku_reader *r, const trm__json *v, int role) {
  char name[TRM__ROLE_NAME];
  for (int k = 0; trm__role_name(r->config.columns, role, k, name); k++)
    for (size_t i = 0; i < trm__json_n_members(v); i++)
      if (trm__text_alike(trm__json_key(v, i), name, sizeof name)) return trm__json_member(v, i);
  return NULL;
}

/* What of a value is the question: of an object a member, else the value itself. */
static const trm__json *question_of(const trm_sudoku_reader *r, const trm__json *v) {
  return trm__json_is(v, TRM__JSON_OBJECT) ? member_for(r, v, TRM__QUESTION) : v;
}

/* --- the value --- */

static size_t count_items(const trm__sudoku_json *j) {
  return j->list ? trm__json_n_items(j->list) : 1;
}

/* Whether a value is a puzzle or has one first. */
static bool has_puzzle(const trm_sudoku_reader *r, trm__sudoku_json *j) {
  char cells[TRM_SUDOKU_MAX_CELLS];
  int bad;
  const trm__json *v = question_of(r, j->root);
  if (v && read_value(v, cells, &bad)) return true;
  j->list = v;
  v = v ? question_of(r, trm__json_item(v, 0)) : NULL;
  return v && read_value(v, cells, &bad);
}

/* The solution beside a puzzle in an object, if it has one. */
static trm_status read_solution(trm_sudoku_reader *r, trm_sudoku_entry *e, const trm__json *v,
                                const char *which, trm_error *err) {
  char cells[TRM_SUDOKU_MAX_CELLS];
  int bad;
  const trm__json *solution =
      trm__json_is(v, TRM__JSON_OBJECT) ? member_for(r, v, TRM__ANSWER) : NULL;
  if (!solution || trm__json_is(solution, TRM__JSON_NULL)) return TRM_OK;
  const int size = read_value(solution, cells, &bad);
  if (size != e->puzzle.rows || bad >= 0)
    return trm__sudoku_refuse(r, TRM_E_FORMAT, e->line, 1, err,
                              "%sthe solution is no grid of %d rows of %d cells", which,
                              e->puzzle.rows, e->puzzle.cols);
  return trm__sudoku_read_solution(r, e, (trm__span){cells, (size_t)(size * size)}, 1, err);
}

/* The grid that a question is, NULL where there is none; `which` begins messages. */
static trm_status read_grid(trm_sudoku_reader *r, const trm__json *v, const char *which,
                            trm_sudoku_entry *e, trm_error *err) {
  const int64_t line = r->json->line;
  char cells[TRM_SUDOKU_MAX_CELLS];
  int bad;
  const int size = v ? read_value(v, cells, &bad) : 0;
  if (!size)
    return trm__sudoku_refuse(r, TRM_E_FORMAT, line, 1, err,
                              "%swant a list of 9 rows of 9 cells, numbers, texts or null, or of "
                              "another size that is known, or an object that has it as \"puzzle\"",
                              which);
  if (bad >= 0)
    return trm__sudoku_refuse(r, TRM_E_FORMAT, line, 1, err,
                              "%srow %d, column %d is no cell of a Sudoku (want 0 or null for a "
                              "blank, or 1 to %d)",
                              which, bad / size + 1, bad % size + 1, size);

  /* The cells stand for a line of text. */
  e->form = "a grid in JSON";
  TRM_TRY(trm__sudoku_begin(r, e, size, line, 1, err));
  return trm__sudoku_read_givens(r, e, (trm__span){cells, (size_t)(size * size)}, err);
}

bool trm__sudoku_next_json(trm_sudoku_reader *r, trm_sudoku_entry *e, trm_status *st,
                           trm_error *err) {
  trm__sudoku_json *j = r->json;
  char which[40] = "";
  if (!j->root) return false;
  if (j->next == count_items(j)) {
    trm__sudoku_free_json(j);
    r->json = NULL;
    return false;
  }
  const trm__json *v = j->list ? trm__json_item(j->list, j->next) : j->root;
  const trm__json *question = question_of(r, v);
  if (j->list) snprintf(which, sizeof which, "item %zu of the array: ", j->next + 1);
  j->next++;
  *st = read_grid(r, question, which, e, err);
  if (*st == TRM_OK) *st = read_solution(r, e, v, which, err);
  return true;
}

/* --- lines --- */

/* Behind the brace of an object, or of the first in an array: a name or nothing. NULL: none. */
static const char *object_in(const trm_sudoku_reader *r) {
  const char *at = r->text, *end = at + r->length;
  while (at < end && (*at == '[' || *at == ' ' || *at == '\t')) at++;
  if (at == end || *at++ != '{') return NULL;
  while (at < end && (*at == ' ' || *at == '\t')) at++;
  return at == end || *at == '"' ? at : NULL;
}

/* A whole object of texts in one line is as good a line with a puzzle as any, and a better one for
 * messages. */
static bool is_line_of_texts(trm_sudoku_reader *r, const char *object) {
  trm__json_span span = {.depth = 0};
  const size_t left = r->length - (size_t)(object - r->text);
  if (!trm__json_span_take(&span, r->text, r->length) || memchr(object, '[', left)) return false;
  return trm__sudoku_is_line(r) && r->n_found < 3;
}

/* An array or object that goes on in other lines, or a whole one that no other form reads. */
bool trm__sudoku_is_json(trm_sudoku_reader *r) {
  if (r->json) return true;
  if (r->has_table || r->grid.rows || r->length < 1 || !strchr("[{", *r->text)) return false;
  const char *object = object_in(r);
  if (object) return !is_line_of_texts(r, object);
  if (trm__json_begins_grid(r->text, r->length)) return !trm__sudoku_is_row(r);
  if (r->length < 3 || r->text[r->length - 1] != ']' || !strchr("[\"0123456789n", r->text[1]))
    return false;
  return !(trm__sudoku_is_line(r) && r->n_found < 3) && !trm__sudoku_is_row(r);
}

static trm_status append(trm__sudoku_json *j, const char *text, size_t n, trm_error *err) {
  if (j->n + n + 1 > j->room) {
    char *larger;
    const size_t room = 2 * (j->n + n) + 1024;
    TRM_ALLOC(&larger, room, "a value of JSON", err);
    if (j->n) memcpy(larger, j->text, j->n);
    trm__free(j->text);
    j->text = larger;
    j->room = room;
  }
  memcpy(j->text + j->n, text, n);
  j->n += n;
  j->text[j->n++] = '\n';
  return TRM_OK;
}

trm_status trm__sudoku_read_json(trm_sudoku_reader *r, trm_sudoku_entry *e, bool *found,
                                 trm_error *err) {
  (void)e, (void)found;
  if (!r->json) {
    TRM_ALLOC(&r->json, 1, "a value of JSON", err);
    r->json->line = r->line;
  }
  trm__sudoku_json *j = r->json;
  if (j->n + r->length > TRM__SUDOKU_MAX_JSON) return trm__sudoku_end_json(r, err);
  TRM_TRY(append(j, r->text, r->length, err));
  if (!trm__json_span_take(&j->span, r->text, r->length)) return TRM_OK;
  const trm_status st = trm__json_parse(j->text, j->n, r->config.name, j->line, &j->root, err);
  if (st == TRM_OK && has_puzzle(r, j)) return TRM_OK;
  const int64_t line = j->line;
  trm__sudoku_free_json(j);
  r->json = NULL;
  if (st != TRM_OK) return st;
  return trm__sudoku_refuse(r, TRM_E_FORMAT, line, 1, err,
                            "the JSON that begins here holds no Sudoku: want 9 rows of 9 cells, "
                            "numbers, texts or null, or of another size that is known; in an "
                            "object as \"puzzle\"");
}

trm_status trm__sudoku_end_json(trm_sudoku_reader *r, trm_error *err) {
  const int64_t line = r->json->line;
  trm__sudoku_free_json(r->json);
  r->json = NULL;
  return trm__sudoku_refuse(r, TRM_E_FORMAT, line, 1, err,
                            "the JSON that begins here is not closed, or has more than %d MiB",
                            TRM__SUDOKU_MAX_JSON >> 20);
}
