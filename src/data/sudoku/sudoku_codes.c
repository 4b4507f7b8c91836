/* Puzzles in the codes of other programs, a puzzle a line: HoDoKu's library, the game ids of Simon
 * Tatham's Solo, and the addresses of puzz.link. Variants with other rules are refused by name. */
#include <ctype.h>
#include <string.h>

#include "data/sudoku/sudoku_reader.h"

static trm_status refuse_code(const trm_sudoku_reader *r, const char *at, const char *what,
                              trm_error *err) {
  return trm__sudoku_refuse(r, TRM_E_FORMAT, r->line, trm__sudoku_column(r, at), err, "%s", what);
}

/* A number of at most three digits at *at, which moves behind it; -1: none. */
static int read_number(const char **at, const char *end) {
  int value = -1;
  for (int i = 0; i < 3 && *at < end && isdigit((unsigned char)**at); i++, ++*at)
    value = (value < 0 ? 0 : 10 * value) + **at - '0';
  return value;
}

/* --- ":CODE:CANDIDATES:GRID:DELETED:ELIMINATED:COMMENT" --- */

enum { LIBRARY_GRID = 3, LIBRARY_DELETED, LIBRARY_FIELDS };

bool trm__sudoku_is_library(trm_sudoku_reader *r) {
  int colons = 0;
  for (size_t i = 0; i < r->length; i++) colons += r->text[i] == ':';
  return r->length > 0 && r->text[0] == ':' && colons >= LIBRARY_GRID;
}

static void split_library(const trm_sudoku_reader *r, trm__span *field) {
  const char *at = r->text, *end = r->text + r->length;
  for (int i = 0; i < LIBRARY_FIELDS; i++) {
    const char *colon = at < end ? memchr(at, ':', (size_t)(end - at)) : NULL;
    field[i] = (trm__span){at, (size_t)((colon ? colon : end) - at)};
    at = colon ? colon + 1 : end;
  }
}

/* "314 916": digit, row and column of candidates that were taken away. */
static trm_status read_deleted(const trm_sudoku_reader *r, trm__span s, uint16_t *marks,
                               trm_error *err) {
  const char *at = s.text, *end = s.text + s.n;
  while (at < end) {
    const char *first = at;
    const int value = read_number(&at, end), digit = value / 100, row = value / 10 % 10;
    if (at - first != 3 || !digit || !row || value % 10 == 0 || (at < end && *at != ' '))
      return refuse_code(r, first, "want deleted candidates as digit, row and column: 314", err);
    marks[9 * (row - 1) + value % 10 - 1] &= (uint16_t) ~(1u << (digit - 1));
    while (at < end && *at == ' ') at++;
  }
  return TRM_OK;
}

/* A '+' stands before what its player placed: that is no given, but must be right. */
trm_status trm__sudoku_read_library(trm_sudoku_reader *r, trm_sudoku_entry *e, bool *found,
                                    trm_error *err) {
  trm__span field[LIBRARY_FIELDS];
  char cells[81];
  uint16_t marks[TRM_SUDOKU_MAX_CELLS];
  size_t n = 0;

  /* The grid is one of the fields between colons. */
  split_library(r, field);
  const trm__span grid = field[LIBRARY_GRID];
  TRM_TRY(trm__sudoku_begin(r, e, 9, r->line, trm__sudoku_column(r, grid.text), err));

  /* A placed digit leaves its cell blank and becomes the only candidate there. */
  for (size_t i = 0; i < grid.n; i++, n++) {
    const bool placed = grid.text[i] == '+';
    i += placed;
    if (n == 81 || i == grid.n || trm__sudoku_value(grid.text[i], 9) < 0)
      return refuse_code(r, grid.text + (i < grid.n ? i : grid.n - 1),
                         "want 81 cells of a HoDoKu library line here", err);
    const int v = trm__sudoku_value(grid.text[i], 9);
    cells[n] = placed ? '.' : grid.text[i];
    marks[n] = (uint16_t)(placed && v ? 1u << (v - 1) : 0x1ff);
  }
  if (n != 81) return refuse_code(r, grid.text, "a HoDoKu library line has 81 cells here", err);

  /* Candidates that were deleted must leave the solution possible. */
  TRM_TRY(trm__sudoku_read_givens(r, e, (trm__span){cells, n}, err));
  TRM_TRY(read_deleted(r, field[LIBRARY_DELETED], marks, err));
  TRM_TRY(trm__sudoku_check_marks(r, e, marks, err));
  *found = true;
  return TRM_OK;
}

/* --- "3x3dt:9a4e5_8a1…" --- */

/* A game id's parameters, up to ':' or '#'; false when it is none. */
static bool read_parameters(const trm_sudoku_reader *r, int *boxes_across, int *boxes_down,
                            trm__span *flags, const char **mark) {
  const char *at = r->text, *end = r->text + r->length;
  *boxes_across = *boxes_down = read_number(&at, end);
  if (*boxes_across < 1) return false;
  if (at + 1 < end && *at == 'x' && isdigit((unsigned char)at[1])) {
    at++;
    *boxes_down = read_number(&at, end);
  }
  flags->text = at;
  while (at < end && (islower((unsigned char)*at) || isdigit((unsigned char)*at))) at++;
  flags->n = (size_t)(at - flags->text);
  *mark = at;
  return at < end && (*at == ':' || *at == '#');
}

bool trm__sudoku_is_game_id(trm_sudoku_reader *r) {
  int across, down;
  trm__span flags;
  const char *mark, *end = r->text + r->length;
  if (!read_parameters(r, &across, &down, &flags, &mark)) return false;
  if (*mark == '#') return mark + 1 < end && isdigit((unsigned char)mark[1]);
  for (const char *c = mark + 1; c < end; c++)
    if (!islower((unsigned char)*c) && !isdigit((unsigned char)*c) && *c != '_' && *c != ',')
      return false;
  return mark + 1 < end;
}

/* Variants of Solo that have other rules. */
static const char *variant_of(trm__span flags) {
  static const struct {
    char flag;
    const char *why;
  } variants[] = {{'j', "a jigsaw Sudoku of Solo: its regions are no boxes"},
                  {'x', "an X Sudoku of Solo: its diagonals are no rule here"},
                  {'k', "a Killer Sudoku of Solo: its cages are no rule here"}};
  for (size_t i = 0; i < flags.n; i++)
    for (size_t k = 0; k < sizeof variants / sizeof *variants; k++)
      if (flags.text[i] == variants[k].flag) return variants[k].why;
  return NULL;
}

/* Letters are that many blanks, numbers givens, '_' stands between two of these. */
static trm_status read_runs(const trm_sudoku_reader *r, const trm_puzzle *p, const char *at,
                            uint8_t *values, trm_error *err) {
  const char *end = r->text + r->length;
  const int cells = p->rows * p->cols;
  int n = 0;
  while (at < end) {
    const char *first = at;
    const int given = read_number(&at, end);
    int run = given < 0 && islower((unsigned char)*at) ? *at - 'a' + 1 : 0;
    if (given < 0) at++;
    if (given == 0 || given > p->rows || (given < 0 && !run && *first != '_'))
      return refuse_code(r, first, "no part of a game id of Solo", err);
    if (n + run + (given > 0) > cells)
      return refuse_code(r, first, "the game id has more cells than its grid", err);
    if (given > 0) values[n++] = (uint8_t)given;
    n += run;
  }
  if (n == cells) return TRM_OK;
  return refuse_code(r, end, "the game id has fewer cells than its grid", err);
}

trm_status trm__sudoku_read_game_id(trm_sudoku_reader *r, trm_sudoku_entry *e, bool *found,
                                    trm_error *err) {
  int across, down;
  trm__span flags;
  const char *mark;

  /* "3x3:a1b2_3": the sides of a box, perhaps letters of variants, and behind the mark the cells,
   * or the seed of a game. */
  if (!read_parameters(r, &across, &down, &flags, &mark))
    return refuse_code(r, r->text, "no game id of Solo", err);
  const char *why = variant_of(flags);
  if (why) return refuse_code(r, flags.text, why, err);
  if (*mark == '#')
    return refuse_code(r, mark,
                       "the seed of a game: only Solo can tell what puzzle it is; copy its "
                       "game id, with ':'",
                       err);

  /* Boxes of A x B cells make a grid of A * B. */
  const int size = across * down;
  trm_puzzle p = {
      .kind = TRM_PUZZLE_SUDOKU, .rows = size, .cols = size, .box_rows = across, .box_cols = down};
  if (size > TRM_SUDOKU_MAX_SIZE || !trm_sudoku_known(&p))
    return refuse_code(r, r->text, "a game id of Solo of a size that is not known (at most 16x16)",
                       err);

  /* Runs of blanks and numbers. */
  TRM_TRY(trm__sudoku_take_shape(r, &p, r->line, r->column, err));
  *e = (trm_sudoku_entry){.puzzle = p, .form = e->form, .line = r->line, .column = (int)r->column};
  TRM_TRY(read_runs(r, &p, mark + 1, e->givens, err));
  *found = true;
  return TRM_OK;
}

/* --- "https://puzz.link/p?sudoku/9/9/g3h6…" --- */

bool trm__sudoku_is_link(trm_sudoku_reader *r) {
  return r->length > 8 && (!strncmp(r->text, "http://", 7) || !strncmp(r->text, "https://", 8));
}

/* The part up to the next '/', which *at moves behind. */
static trm__span next_part(const char **at, const char *end) {
  trm__span part = {*at, 0};
  while (*at < end && **at != '/') ++*at;
  part.n = (size_t)(*at - part.text);
  if (*at < end) ++*at;
  return part;
}

static bool is_text(trm__span s, const char *text) {
  return s.n == strlen(text) && !memcmp(s.text, text, s.n);
}

static int number_of(trm__span s) {
  const char *at = s.text;
  const int value = read_number(&at, s.text + s.n);
  return at == s.text + s.n ? value : -1;
}

/* Hexadecimal digits are givens, "-10" the given 16, letters from g on that many blanks, '.' a cell
 * with a question mark. */
static trm_status read_body(const trm_sudoku_reader *r, const trm_puzzle *p, const char *at,
                            uint8_t *values, trm_error *err) {
  const char *end = r->text + r->length;
  const int cells = p->rows * p->cols;
  int n = 0;

  /* Each part is a given or a run of blanks, never both. */
  for (; at < end; at++) {
    const char *first = at, c = *at;
    int given = isdigit((unsigned char)c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 0;
    int run = c >= 'g' && c <= 'z' ? c - 'g' + 1 : c == '.';
    if (c == '-' && end - at > 2 && at[1] == '1' && at[2] == '0') {
      given = 16;
      at += 2;
    }

    /* It must be one, and have room. */
    if ((!given && !run) || given > p->rows)
      return refuse_code(r, first, "no part of a Sudoku of puzz.link", err);
    if (n + run + (given > 0) > cells)
      return refuse_code(r, first, "the address has more cells than its grid", err);
    if (given) values[n++] = (uint8_t)given;
    n += run;
  }

  /* No cell may be missing at the end. */
  if (n == cells) return TRM_OK;
  return refuse_code(r, end, "the address has fewer cells than its grid", err);
}

trm_status trm__sudoku_read_link(trm_sudoku_reader *r, trm_sudoku_entry *e, bool *found,
                                 trm_error *err) {
  const char *end = r->text + r->length, *at = memchr(r->text, '?', r->length);
  if (!at)
    return refuse_code(r, r->text,
                       "no address of puzz.link (want https://puzz.link/p?sudoku/9/9/...)", err);
  at++;

  /* ".../p?sudoku/9/9/...": the kind of puzzle comes first. */
  const trm__span kind = next_part(&at, end);
  if (!is_text(kind, "sudoku"))
    return trm__sudoku_refuse(r, TRM_E_FORMAT, r->line, trm__sudoku_column(r, kind.text), err,
                              "a puzzle of the kind '%.*s' is no Sudoku of puzz.link",
                              (int)(kind.n < 40 ? kind.n : 40), kind.text);

  /* Columns, then rows; options may stand before them. */
  const char *numbers = at;
  trm__span cols = next_part(&at, end);
  if (cols.n > 1 && cols.text[cols.n - 1] == ':') cols = next_part(&at, end); /* "v:": options */
  const int width = number_of(cols), height = number_of(next_part(&at, end));
  if (width != height || (width != 4 && width != 6 && width != 9 && width != 16))
    return refuse_code(r, numbers, "want a Sudoku of 4/4, 6/6, 9/9 or 16/16", err);

  /* The boxes are those usual for the size. */
  TRM_TRY(trm__sudoku_begin(r, e, width, r->line, r->column, err));
  const trm_puzzle usual = trm_sudoku_of_size(width);
  TRM_TRY(trm__sudoku_take_shape(r, &usual, r->line, r->column, err));
  TRM_TRY(read_body(r, &usual, at, e->givens, err));
  *found = true;
  return TRM_OK;
}
