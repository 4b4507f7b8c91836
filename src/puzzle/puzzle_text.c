/* Puzzles as one line of text. Invariant: what is written reads back as the same tokens, whatever
 * bytes the symbols have, because those that would end a cell or a line are escaped. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "puzzle/kind.h"
#include "puzzle/puzzle.h"
#include "puzzle/puzzle_json.h"

enum { CELL_TEXT = 4 * TRM_PUZZLE_MAX_SYMBOL + 1 };

/* --- where a grid lies --- */

trm_puzzle_box trm_puzzle_locate(const trm_puzzle *p, const int32_t *tokens) {
  if (!trm_puzzle_is_sized(p)) return (trm_puzzle_box){0, 0, p->rows, p->cols};
  const trm__symbol_range r = trm__symbol_range_of(p);
  int top = p->rows, left = p->cols, bottom = -1, right = -1;
  for (int row = 0; row < p->rows; row++)
    for (int col = 0; col < p->cols; col++) {
      int32_t token = tokens[row * p->cols + col];
      if (!trm__has_symbol(r, token)) continue;
      if (top > row) top = row;
      if (left > col) left = col;
      if (right < col) right = col;
      bottom = row;
    }
  if (bottom < 0) return (trm_puzzle_box){0, 0, 0, 0};
  return (trm_puzzle_box){top, left, bottom - top + 1, right - left + 1};
}

trm_puzzle_box trm_puzzle_crop(const trm_puzzle *p, const int32_t *tokens, int row, int col) {
  if (!trm_puzzle_is_sized(p)) return (trm_puzzle_box){0, 0, p->rows, p->cols};
  const trm__symbol_range r = trm__symbol_range_of(p);
  trm_puzzle_box best = {row, col, 0, 0};
  int width = p->cols - col;
  for (int rows = 1; row + rows <= p->rows && width > 0; rows++) {
    const int32_t *line = tokens + (row + rows - 1) * p->cols + col;
    int n = 0;
    while (n < width && trm__has_symbol(r, line[n])) n++;
    width = n;
    if (rows * width <= best.rows * best.cols) continue;
    best.rows = rows;
    best.cols = width;
  }
  return best;
}

/* --- the text of a cell --- */

/* Bytes of the character that begins `text`; a broken one is a single byte. */
static size_t character(const char *text, size_t n) {
  size_t length = trm__text_character(text, n);
  return length ? length : 1;
}

/* True when a character is not written as it is. */
static bool is_escaped(const char *c, size_t n) {
  return trm__text_character(c, n) == 0 || trm__text_is_control(c, n) || *c == ' ' || *c == '/' ||
         *c == '\\';
}

/* "\xHH" at `text`: the byte, else -1. */
static int escaped_byte(const char *text, size_t n) {
  int value = 0;
  if (n < 4 || text[0] != '\\' || text[1] != 'x') return -1;
  for (int i = 2; i < 4; i++) {
    char c = text[i];
    int digit = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
    if (digit < 0) return -1;
    value = 16 * value + digit;
  }
  return value;
}

/* True when every symbol is one character or one escaped byte: then nothing stands between cells.
 */
static bool is_compact(const trm_puzzle *p) {
  const trm__symbol_range r = trm__symbol_range_of(p);
  for (int32_t token = r.first; token < r.end; token++) {
    const char *symbol = trm_puzzle_symbol(p, token);
    const size_t n = strlen(symbol);
    if (character(symbol, n) != n || (n > 1 && is_escaped(symbol, n))) return false;
  }
  return true;
}

/* How a cell is written. */
static void cell_text(const trm_puzzle *p, int32_t token, char text[CELL_TEXT]) {
  const char *symbol = trm_puzzle_symbol(p, token);
  if (!symbol) symbol = "?";
  if (!strcmp(symbol, " ") && trm__puzzle_token(p, ".", 1) < 0) symbol = ".";
  for (size_t left = strlen(symbol), n; left > 0; symbol += n, left -= n) {
    n = character(symbol, left);
    const bool escaped = is_escaped(symbol, n);
    for (size_t i = 0; i < n; i++)
      text += snprintf(text, 5, escaped ? "\\x%02x" : "%c", (unsigned char)symbol[i]);
  }
}

/* --- writing --- */

size_t trm_puzzle_text_size(const trm_puzzle *p) {
  const trm__symbol_range r = trm__symbol_range_of(p);
  size_t widest = 1;
  for (int32_t token = r.first; token < r.end; token++) {
    char text[CELL_TEXT];
    cell_text(p, token, text);
    if (strlen(text) > widest) widest = strlen(text);
  }
  return (size_t)p->rows * ((size_t)p->cols * (widest + 1) + 3) + 1;
}

typedef struct output {
  char *text;
  size_t size, used;
} output;

static void put(output *o, const char *text) {
  for (; *text; text++, o->used++)
    if (o->used + 1 < o->size) o->text[o->used] = *text;
}

size_t trm_puzzle_format_box(const trm_puzzle *p, const int32_t *tokens, trm_puzzle_box box,
                             char *text, size_t size) {
  output o = {text, size, 0};
  bool joined = trm__kind_of(p)->joined, compact = is_compact(p);
  if (trm_puzzle_n_symbols(p) == 0) box.rows = 0; /* of kind none */
  for (int row = 0; row < box.rows; row++) {
    if (row && !joined) put(&o, compact ? "/" : " / ");
    for (int col = 0; col < box.cols; col++) {
      char cell[CELL_TEXT];
      cell_text(p, tokens[(box.row + row) * p->cols + box.col + col], cell);
      if (col && !compact) put(&o, " ");
      put(&o, cell);
    }
  }
  if (size) text[o.used < size ? o.used : size - 1] = 0;
  return o.used;
}

size_t trm_puzzle_format(const trm_puzzle *p, const int32_t *tokens, char *text, size_t size) {
  return trm_puzzle_format_box(p, tokens, trm_puzzle_locate(p, tokens), text, size);
}

/* --- reading --- */

typedef struct reader {
  const trm_puzzle *p;
  const char *text;
  size_t n, at;
  bool compact, flat; /* flat: without any row separator */
  int row, col;       /* of the next cell */
  int width;          /* of a row; -1: the first row of a sized grid decides */
} reader;

/* The bytes of the cell at r->at, unescaped, and how many of the text they took. */
static size_t read_symbol(const reader *r, char *symbol, size_t *used) {
  size_t n = 0, at = r->at;
  while (at < r->n && r->text[at] != '/' && (r->compact || r->text[at] != ' ')) {
    int byte = escaped_byte(r->text + at, r->n - at);
    size_t step = byte >= 0 ? 4 : character(r->text + at, r->n - at);
    if (n + (byte >= 0 ? 1 : step) > TRM_PUZZLE_MAX_SYMBOL) {
      n = TRM_PUZZLE_MAX_SYMBOL + 1; /* longer than any symbol: only its end is looked for */
    } else if (byte >= 0) {
      symbol[n++] = (char)byte;
    } else {
      memcpy(symbol + n, r->text + at, step);
      n += step;
    }
    at += step;
    if (r->compact || n > TRM_PUZZLE_MAX_SYMBOL) break;
  }
  *used = at - r->at;
  return n;
}

/* "want one of: 0 1 2 ..." as far as it fits. */
static void list_symbols(const trm_puzzle *p, char *text, size_t size) {
  const trm__symbol_range r = trm__symbol_range_of(p);
  size_t used = 0;
  *text = 0;
  for (int32_t token = r.first; token < r.end; token++) {
    char cell[CELL_TEXT];
    cell_text(p, token, cell);
    if (used + strlen(cell) + 8 > size) {
      snprintf(text + used, size - used, " ...");
      return;
    }
    used += (size_t)snprintf(text + used, size - used, "%s%s", used ? " " : "", cell);
  }
}

/* `used` bytes at r->at are no symbol: they are shown whole where they are few and harmless. */
static trm_status refuse_cell(const reader *r, size_t used, trm_error *err) {
  const char *text = r->text + r->at;
  const size_t column = r->at + 1;
  char known[160], first[TRM__TEXT_SHOWN];
  bool whole = used < 20;
  for (size_t i = 0, step; whole && i < used; i += step) {
    step = trm__text_character(text + i, used - i);
    whole = step && !trm__text_is_control(text + i, step);
  }
  list_symbols(r->p, known, sizeof known);
  trm__text_show(text, used, first);
  TRM_FAIL_AT(err, TRM_E_FORMAT, column,
              "column %zu: '%.*s' is no symbol of this puzzle (want one of: %s)", column,
              whole ? (int)used : TRM__TEXT_SHOWN, whole ? text : first, known);
}

static trm_status read_cell(reader *r, int32_t *token, trm_error *err) {
  char symbol[TRM_PUZZLE_MAX_SYMBOL + 1];
  size_t used, n = read_symbol(r, symbol, &used);
  *token = n <= TRM_PUZZLE_MAX_SYMBOL ? trm__puzzle_token(r->p, symbol, n) : -1;
  if (*token < 0 && n == 1 && *symbol == '.') *token = trm__puzzle_token(r->p, " ", 1);
  if (*token < 0) return refuse_cell(r, used, err);
  r->at += used;
  return TRM_OK;
}

/* Ends the current row. */
static trm_status end_row(reader *r, trm_error *err) {
  if (r->width < 0) r->width = r->col;
  if (r->col != r->width || r->col == 0)
    TRM_FAIL_AT(err, TRM_E_FORMAT, r->at + 1, "column %zu: row %d has %d cell%s, want %d",
                r->at + 1, r->row + 1, r->col, TRM__S(r->col),
                r->width > 0 ? r->width : r->p->cols);
  r->row++;
  r->col = 0;
  return TRM_OK;
}

/* Makes sure that the next cell has a place. */
static trm_status begin_cell(reader *r, trm_error *err) {
  if (r->flat && r->width > 0 && r->col == r->width) TRM_TRY(end_row(r, err));
  int cols = r->width > 0 ? r->width : r->p->cols;
  if (r->row >= r->p->rows || r->col >= cols)
    TRM_FAIL_AT(err, TRM_E_FORMAT, r->at + 1,
                "column %zu: a cell in row %d, column %d; want %s%d rows of %d cells", r->at + 1,
                r->row + 1, r->col + 1, trm_puzzle_is_sized(r->p) ? "at most " : "", r->p->rows,
                cols);
  return TRM_OK;
}

static trm_status read_grid(reader *r, int32_t *tokens, trm_error *err) {
  while (r->at < r->n) {
    if (r->text[r->at] == '/') {
      TRM_TRY(end_row(r, err));
      r->at++;
    } else if (!r->compact && r->text[r->at] == ' ') {
      r->at++;
    } else {
      TRM_TRY(begin_cell(r, err));
      TRM_TRY(read_cell(r, &tokens[r->row * r->p->cols + r->col], err));
      r->col++;
    }
  }
  TRM_TRY(end_row(r, err));
  if (!trm_puzzle_is_sized(r->p) && r->row != r->p->rows)
    TRM_FAIL_AT(err, TRM_E_FORMAT, r->n + 1,
                "column %zu: the grid has %d x %d cells, here %s %d row%s", r->n + 1, r->p->rows,
                r->p->cols, r->row == 1 ? "is" : "are", r->row, TRM__S(r->row));
  return TRM_OK;
}

/* The marks below and beside a grid of rows x cols in the first corner. */
static void mark_end(const trm_puzzle *p, int rows, int cols, int32_t *tokens) {
  for (int row = 0; row < rows && cols < p->cols; row++)
    tokens[row * p->cols + cols] = TRM_PUZZLE_END;
  for (int col = 0; col < cols && rows < p->rows; col++)
    tokens[rows * p->cols + col] = TRM_PUZZLE_END;
}

trm_status trm_puzzle_parse(const trm_puzzle *p, const char *text, size_t n, int32_t *tokens,
                            trm_error *err) {
  const trm__puzzle_kind *kind = trm__kind_of(p);
  if (kind == &trm__kind_none)
    TRM_FAIL(err, TRM_E_ARGUMENT, "a puzzle of unknown kind has no text");
  if (kind->parse) return kind->parse(p, text, n, tokens, err);
  bool sized = trm_puzzle_is_sized(p);
  reader r = {.p = p, .text = text, .n = n, .compact = is_compact(p)};
  r.flat = !sized && !memchr(text, '/', n);
  r.width = sized ? -1 : p->cols;
  memset(tokens, 0, (size_t)p->rows * (size_t)p->cols * sizeof *tokens);
  TRM_TRY(trm__puzzle_is_json(p, text, n)
              ? trm__puzzle_parse_json(p, text, n, sized, tokens, &r.row, &r.width, err)
              : read_grid(&r, tokens, err));
  if (sized) mark_end(p, r.row, r.width, tokens);
  return TRM_OK;
}
