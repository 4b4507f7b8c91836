/* Lists of grids that grow while a file is read, and their symbols. */
#include "data/grid/grid_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "data/dataset_write.h"
#include "io/lines.h"

/* Makes room for `need` elements; what is there stays. */
static trm_status grow(void **block, int64_t *room, int64_t used, int64_t need, size_t size,
                       trm_error *err) {
  if (need <= *room) return TRM_OK;
  int64_t more = need > 512 ? 2 * need : 1024;
  char *fresh;
  TRM_ALLOC(&fresh, (uint64_t)more * size, "grids", err);
  if (used) memcpy(fresh, *block, (size_t)used * size);
  trm__free(*block);
  *block = fresh;
  *room = more;
  return TRM_OK;
}

void trm__grid_list_free(trm__grid_list *list) {
  trm__free(list->pair);
  trm__free(list->cell);
  list->pair = NULL;
  list->cell = NULL;
}

trm_status trm__grid_list_begin(trm__grid_list *list, long long line, trm_error *err) {
  if (list->n == INT32_MAX)
    TRM_FAIL(err, TRM_E_RANGE, "%s holds more than 2^31 - 1 puzzles", list->path);
  if (list->n % 64 == 0) TRM_TRY(trm__build_tick(list->progress, list->progress_arg, 0, 1, err));
  void *block = list->pair;
  TRM_TRY(grow(&block, &list->pair_room, list->n, list->n + 1, sizeof *list->pair, err));
  list->pair = block;
  list->pair[list->n++] = (trm__grid_pair){.at = list->n_cells, .line = line};
  return TRM_OK;
}

static int find_symbol(const trm__grid_symbols *s, const char *symbol, size_t n) {
  for (int i = 0; i < s->n; i++)
    if (!memcmp(s->text[i], symbol, n) && !s->text[i][n]) return i;
  return -1;
}

/* Texts that a terminal would not show as they are make no symbols. */
static bool is_symbol(const char *symbol, size_t n) {
  if (n < 1 || n > TRM_PUZZLE_MAX_SYMBOL) return false;
  for (size_t i = 0, step; i < n; i += step) {
    step = trm__text_character(symbol + i, n - i);
    if (!step || trm__text_is_control(symbol + i, step)) return false;
  }
  return true;
}

/* With a sign in front, maybe. */
static bool is_digits(const char *symbol, size_t n) {
  size_t i = *symbol == '-';
  while (i < n && symbol[i] >= '0' && symbol[i] <= '9') i++;
  return i == n;
}

static trm_status refuse_symbol(const trm__grid_list *list, const trm__grid_place *at,
                                const char *symbol, size_t n, trm_error *err) {
  const trm__grid_symbols *s = list->symbols;

  /* The place that every message begins with. */
  char where[400];
  snprintf(where, sizeof where, "%.300s %s %lld: %s row %d, column %d", list->path, list->unit,
           at->line, at->grid == TRM__GRID_INPUT ? "input" : "output", at->row + 1, at->col + 1);

  /* No symbol at all, or an integer that is too long for one. */
  if (n > TRM_PUZZLE_MAX_SYMBOL && is_digits(symbol, n))
    TRM_FAIL_AT(err, TRM_E_FORMAT, at->line,
                "%s: an integer of %zu characters; want at most %d, a sign counted", where, n,
                TRM_PUZZLE_MAX_SYMBOL);
  if (!is_symbol(symbol, n))
    TRM_FAIL_AT(err, TRM_E_FORMAT, at->line,
                "%s: no symbol: want an integer or a text of 1 to %d bytes of UTF-8 "
                "without control characters",
                where, TRM_PUZZLE_MAX_SYMBOL);

  /* A good symbol for which there is no place. */
  if (s->closed)
    TRM_FAIL_AT(err, TRM_E_PUZZLE, at->line,
                "%s: '%.*s' is none of the %d symbols of the vocabulary (that of the training "
                "puzzles unless one is given)",
                where, (int)n, symbol, s->n);
  TRM_FAIL_AT(err, TRM_E_RANGE, at->line,
              "%s: '%.*s' would be symbol %d; a vocabulary has at most %d", where, (int)n, symbol,
              s->n + 1, TRM_PUZZLE_MAX_SYMBOLS);
}

trm_status trm__grid_list_add(trm__grid_list *list, const trm__grid_place *at, const char *symbol,
                              size_t n, trm_error *err) {
  trm__grid_symbols *s = list->symbols;
  int index = TRM__GRID_NULL;
  if (symbol) {
    bool good = is_symbol(symbol, n);
    index = good ? find_symbol(s, symbol, n) : -1;
    if (index < 0 && (!good || s->closed || s->n == TRM_PUZZLE_MAX_SYMBOLS))
      return refuse_symbol(list, at, symbol, n, err);
    if (index < 0) {
      index = s->n++;
      memcpy(s->text[index], symbol, n);
      s->text[index][n] = 0;
    }
  }
  void *block = list->cell;
  TRM_TRY(grow(&block, &list->cell_room, list->n_cells, list->n_cells + 1, 1, err));
  list->cell = block;
  list->cell[list->n_cells++] = (uint8_t)index;
  return TRM_OK;
}

trm_status trm__grid_list_size(trm__grid_list *list, int grid, int64_t rows, int64_t cols,
                               trm_error *err) {
  trm__grid_pair *p = &list->pair[list->n - 1];
  const char *name = grid == TRM__GRID_INPUT ? "input" : "output";
  if (rows < 1 || cols < 1 || rows > TRM_PUZZLE_MAX_SIDE || cols > TRM_PUZZLE_MAX_SIDE)
    TRM_FAIL_AT(err, TRM_E_FORMAT, p->line,
                "%s %s %lld: the %s is %lld x %lld cells; want sides of 1 to %d", list->path,
                list->unit, p->line, name, (long long)rows, (long long)cols, TRM_PUZZLE_MAX_SIDE);
  p->rows[grid] = (int16_t)rows;
  p->cols[grid] = (int16_t)cols;
  return TRM_OK;
}

/* Whether the first n characters of a path end so. */
static bool ends_in(const char *path, size_t n, const char *end) {
  const size_t m = strlen(end);
  return n > m && trm__text_alike(path + n - m, end, m);
}

trm_status trm__grid_read(trm__grid_list *list, int rows, int cols, trm_error *err) {
  const char *path = list->path;
  size_t n = strlen(path);
  list->unit = "line";
  if (ends_in(path, n, ".npz") && !list->columns) return trm__grid_read_npz(list, rows, cols, err);
  if (ends_in(path, n, ".gz")) n -= strlen(".gz"); /* whether it is packed its bytes say */
  if (ends_in(path, n, ".csv")) return trm__grid_read_csv(list, rows, cols, err);
  if (list->columns)
    TRM_FAIL(err, TRM_E_ARGUMENT, "%s: columns are chosen of .csv files only", path);
  if (ends_in(path, n, ".jsonl") || ends_in(path, n, ".ndjson"))
    return trm__grid_read_jsonl(list, err);
  TRM_FAIL(err, TRM_E_FORMAT,
           "%s: what it holds is known by its name: want .csv, .jsonl or .ndjson (each also with "
           ".gz), or .npz",
           path);
}

/* --- vocabularies --- */

static trm_status add_given(trm__grid_symbols *s, const char *what, const char *symbol, size_t n,
                            trm_error *err) {
  if (!is_symbol(symbol, n) || find_symbol(s, symbol, n) >= 0 || s->n == TRM_PUZZLE_MAX_SYMBOLS)
    TRM_FAIL(err, TRM_E_ARGUMENT,
             "%s, symbol %d: want a text of 1 to %d bytes that does not come before, without "
             "control characters, and at most %d of them",
             what, s->n + 1, TRM_PUZZLE_MAX_SYMBOL, TRM_PUZZLE_MAX_SYMBOLS);
  memcpy(s->text[s->n], symbol, n);
  s->text[s->n++][n] = 0;
  return TRM_OK;
}

static trm_status add_list(trm__grid_symbols *s, const char *list, trm_error *err) {
  for (const char *next = list; next && *next;) {
    const char *comma = strchr(next, ',');
    TRM_TRY(add_given(s, "vocabulary", next, comma ? (size_t)(comma - next) : strlen(next), err));
    next = comma ? comma + 1 : NULL;
  }
  return TRM_OK;
}

static trm_status add_lines(trm__grid_symbols *s, const char *path, trm_error *err) {
  trm__lines in;
  const char *text;
  size_t n;
  TRM_TRY(trm__lines_open(&in, path, err));
  trm_status st = TRM_OK;
  while (st == TRM_OK && trm__lines_next(&in, &text, &n)) st = add_given(s, path, text, n, err);
  trm__lines_close(&in);
  return st;
}

/* One text without a comma: a vocabulary of one symbol says nothing, so a file was meant when it
 * cannot be a symbol or looks like a path. */
static bool names_file(const char *text) {
  const char *dot = strrchr(text, '.');
  if (strchr(text, ',')) return false;
  return strlen(text) > TRM_PUZZLE_MAX_SYMBOL || (strchr(text, '/') && text[1]) ||
         (dot && dot > text && dot[1]);
}

trm_status trm__grid_symbols_given(trm__grid_symbols *s, const char *text, trm_error *err) {
  trm__kind kind;
  TRM_TRY(trm__path_look(text, &kind, err));
  const bool file = kind != TRM__ABSENT;
  if (!file && names_file(text))
    TRM_FAIL(err, TRM_E_IO,
             "vocabulary: there is no file %s; symbols themselves are separated by commas", text);
  TRM_TRY((file ? add_lines : add_list)(s, text, err));
  if (!s->n) TRM_FAIL(err, TRM_E_ARGUMENT, "%s: no symbols", file ? text : "vocabulary");
  s->closed = true;
  return TRM_OK;
}

static bool is_integer(const char *text, long long *value) {
  char *end;
  errno = 0;
  *value = strtoll(text, &end, 10);
  return !*end && !errno && (*text == '-' || (*text >= '0' && *text <= '9'));
}

void trm__grid_symbols_sort(const trm__grid_symbols *s, uint8_t *order) {
  long long value[TRM_PUZZLE_MAX_SYMBOLS] = {0};
  bool integers = true;
  for (int i = 0; i < s->n; i++) integers &= is_integer(s->text[i], &value[i]);
  if (!integers) memset(value, 0, sizeof value);
  for (int i = 0; i < s->n; i++) { /* by insertion: there are few */
    int at = i;
    for (; at > 0; at--) {
      int before = order[at - 1];
      if (value[before] < value[i]) break;
      if (value[before] == value[i] && strcmp(s->text[before], s->text[i]) < 0) break;
      order[at] = (uint8_t)before;
    }
    order[at] = (uint8_t)i;
  }
}
