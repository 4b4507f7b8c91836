/* The reader of Sudoku files: bytes become lines, and each line goes to the first form that takes
 * it. A line is where it lies in the text that was fed, or, when it came in pieces, in a buffer.
 * Invariant: at <= n; the line at hand stays until the next one is taken. */
#include "data/sudoku/sudoku_reader.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "io/foreign.h"
#include "io/gzip.h"
#include "io/lines.h"

/* --- the reader --- */

trm_status trm_sudoku_reader_create(const trm_sudoku_reader_config *config, trm_sudoku_reader **out,
                                    trm_error *err) {
  trm_sudoku_reader *r;
  *out = NULL;
  if (config->puzzle.kind != TRM_PUZZLE_NONE && !trm_sudoku_known(&config->puzzle))
    TRM_FAIL(err, TRM_E_ARGUMENT, "the puzzle is not a Sudoku of a known shape");
  TRM_ALLOC(&r, 1, "a reader of Sudokus", err);
  r->config = *config;
  r->puzzle = config->puzzle;
  r->next_line = 1;
  *out = r;
  return TRM_OK;
}

trm_status trm__sudoku_reader_map(const trm_sudoku_reader_config *config, trm_sudoku_reader **out,
                                  trm_error *err) {
  trm_sudoku_reader *r;
  *out = NULL;
  TRM_TRY(trm_sudoku_reader_create(config, &r, err));
  trm_status st = trm__gzip_map(config->name, &r->map, err);
  if (st == TRM_OK) st = trm__foreign_page(config->name, r->map.data, r->map.size, err);
  if (st != TRM_OK) {
    trm_sudoku_reader_free(r);
    return st;
  }
  *out = r;
  return TRM_OK;
}

trm_status trm_sudoku_reader_open(const trm_sudoku_reader_config *config, trm_sudoku_reader **out,
                                  trm_error *err) {
  TRM_TRY(trm__sudoku_reader_map(config, out, err));
  trm_sudoku_reader_feed(*out, (const char *)(*out)->map.data, (*out)->map.size);
  trm_sudoku_reader_end(*out);
  return TRM_OK;
}

void trm_sudoku_reader_free(trm_sudoku_reader *r) {
  if (!r) return;
  trm__map_close(&r->map);
  trm__sudoku_free_xml(r->xml);
  trm__sudoku_free_json(r->json);
  trm__free(r->buffer);
  trm__free(r->plain);
  trm__free(r);
}

void trm_sudoku_reader_feed(trm_sudoku_reader *r, const char *bytes, size_t n) {
  r->bytes = bytes;
  r->at = 0;
  r->n = n;
}

void trm_sudoku_reader_end(trm_sudoku_reader *r) {
  r->ended = true;
}

int trm_sudoku_reader_rows(const trm_sudoku_reader *r) {
  return r->grid.rows;
}

int64_t trm_sudoku_reader_title(const trm_sudoku_reader *r) {
  return r->title;
}

int trm_sudoku_reader_other_size(const trm_sudoku_reader *r) {
  return r->other_size;
}

trm_status trm__sudoku_refuse(const trm_sudoku_reader *r, trm_status code, int64_t line,
                              size_t column, trm_error *err, const char *fmt, ...) {
  char what[400];
  va_list args;
  va_start(args, fmt);
  if (vsnprintf(what, sizeof what, fmt, args) < 0) *what = 0;
  va_end(args);
  trm__fail(err, code, line, "%.300s:%lld:%zu: %s", r->config.name, (long long)line, column, what);
  return code;
}

void trm__sudoku_give_up(trm_sudoku_reader *r) {
  r->ended = r->gave_up = true;
  r->at = r->n;
}

size_t trm__sudoku_column(const trm_sudoku_reader *r, const char *at) {
  return r->column + (size_t)(at - r->text);
}

/* --- lines --- */

/* Follows the quotes of a table; false when the byte ends the line. */
static bool follow_quotes(trm__sudoku_quotes *q, char c) {
  const bool was_cr = q->after_cr;
  const bool opens = q->field_begins || q->closed;
  q->closed = q->after_cr = q->field_begins = false;
  if (c == '"' && (q->open || opens)) {
    q->closed = q->open;
    q->open = !q->open;
  } else if (!q->open && (c == '\n' || c == '\r')) {
    return false;
  } else if (c == '\r' || (c == '\n' && !was_cr)) {
    q->line_ends++;
  }
  q->after_cr = c == '\r';
  return true;
}

/* The first line end in [at, n), whatever stands before it; n when there is none. In steps, for a
 * file may have a single kind of line ends. */
static size_t find_end(const char *bytes, size_t at, size_t n) {
  enum { STEP = 1024 };
  while (at < n) {
    const size_t step = n - at < STEP ? n - at : STEP;
    const char *lf = memchr(bytes + at, '\n', step);
    const size_t before = lf ? (size_t)(lf - bytes) - at : step;
    const char *cr = memchr(bytes + at, '\r', before);
    if (cr) return (size_t)(cr - bytes);
    if (lf) return (size_t)(lf - bytes);
    at += step;
  }
  return n;
}

/* Looks for the end of the line in the bytes that are there, at most as many as a line may have;
 * *end is where it looked to. */
static bool find_line_end(trm_sudoku_reader *r, size_t *end) {
  trm__sudoku_quotes *q = &r->quotes;
  const size_t most = TRM__SUDOKU_MAX_LINE;
  const size_t stop = r->n - r->at > most ? r->at + most : r->n;
  *end = find_end(r->bytes, r->at, stop);
  if (!r->has_table) return *end < stop;
  const bool is_plain = !q->open && (*end == r->at || !memchr(r->bytes + r->at, '"', *end - r->at));
  if (is_plain && *end < stop) return true;
  for (*end = r->at; *end < stop; ++*end) {
    const char c = r->bytes[*end];
    if (q->open || c == '"' || c == '\n' || c == '\r') {
      if (!follow_quotes(q, c)) return true;
    } else {
      q->closed = false;
      q->field_begins = c == r->csv.separator;
    }
  }
  return false;
}

/* A program may write all of its XML in one line. */
static size_t longest_line(const trm_sudoku_reader *r, const char *text, size_t n) {
  const char *first = r->used ? r->buffer : text, *end = first + (r->used ? r->used : n);
  if (first < end) first += trm__text_mark(first, (size_t)(end - first));
  while (first < end && isspace((unsigned char)*first)) first++;
  return r->xml || (first < end && *first == '<') ? TRM__SUDOKU_MAX_XML : TRM__SUDOKU_MAX_LINE;
}

/* Room for `need` bytes of which `used` are there. */
static trm_status make_room(char **block, size_t *room, size_t used, size_t need, trm_error *err) {
  char *larger;
  if (need <= *room) return TRM_OK;
  TRM_ALLOC(&larger, 2 * need + 256, "a line of text", err);
  if (used) memcpy(larger, *block, used);
  trm__free(*block);
  *block = larger;
  *room = 2 * need + 256;
  return TRM_OK;
}

/* Collects a part of a line; what is too long for one is cut. */
static trm_status collect(trm_sudoku_reader *r, const char *text, size_t n, trm_error *err) {
  const size_t most = longest_line(r, text, n);
  if (r->used + n > most) {
    n = r->used < most ? most - r->used : 0;
    r->cut = true;
  }
  TRM_TRY(make_room(&r->buffer, &r->room, r->used, r->used + n, err));
  if (n) memcpy(r->buffer + r->used, text, n);
  r->used += n;
  return TRM_OK;
}

/* True of the '#' in "3x3dt#123456", the game of a seed: it begins no comment. */
static bool is_seed(const char *text, const char *mark, const char *end) {
  bool crossed = false;
  while (text < mark && (*text == ' ' || *text == '\t')) text++;
  for (const char *c = text; c < mark; c++) {
    if (!isdigit((unsigned char)*c) && !islower((unsigned char)*c)) return false;
    crossed |= *c == 'x';
  }
  return crossed && isdigit((unsigned char)*text) && mark + 1 < end &&
         isdigit((unsigned char)mark[1]);
}

static bool is_margin(char c) {
  return c == ' ' || c == '\t' || c == '\f' || c == '\v';
}

static bool is_separator(char c) {
  return c && strchr(" \t\f\v,;:|\"'[](){}", c);
}

static void split_line(trm_sudoku_reader *r) {
  const char *at = r->text, *end = r->text + r->length;
  for (r->n_tokens = 0; at < end && r->n_tokens <= TRM__SUDOKU_MAX_TOKENS;) {
    while (at < end && is_separator(*at)) at++;
    const char *first = at;
    while (at < end && !is_separator(*at)) at++;
    if (at == first) break;
    if (r->n_tokens < TRM__SUDOKU_MAX_TOKENS)
      r->token[r->n_tokens] = (trm__span){first, (size_t)(at - first)};
    r->n_tokens++;
  }
}

/* Makes [text, n) the line at hand. */
static trm_status take_line(trm_sudoku_reader *r, const char *text, size_t n, trm_error *err) {
  const size_t mark = r->next_line == 1 && n ? trm__text_mark(text, n) : 0;

  /* A quoted field may have had line ends: the next line has another number. */
  r->line = r->next_line;
  r->next_line += 1 + r->quotes.line_ends;
  r->quotes = (trm__sudoku_quotes){.field_begins = true};
  text += mark;
  n -= mark;

  /* Digits and frames in other characters than ASCII are read as those. */
  if (!r->xml && !trm__sudoku_is_plain(text, n)) {
    TRM_TRY(make_room(&r->plain, &r->plain_room, 0, n, err));
    n = trm__sudoku_make_plain(text, n, r->plain);
    text = r->plain;
  }
  r->whole = text;
  r->whole_length = n;

  /* A comment goes to the end of the line, but not in a table; margins are left out. */
  const char *comment = n && !r->has_table && !r->xml ? memchr(text, '#', n) : NULL;
  if (comment && !is_seed(text, comment, text + n)) n = (size_t)(comment - text);
  size_t first = 0;
  while (first < n && is_margin(text[first])) first++;
  while (n > first && is_margin(text[n - 1])) n--;

  /* What the forms look at. */
  r->text = text + first;
  r->length = n - first;
  r->column = first + 1;
  r->n_tokens = 0;
  if (!r->has_table && !r->xml) split_line(r);
  return TRM_OK;
}

/* Takes the next bytes, up to a line end; *text and *n, and whether the line is complete. */
static bool take_bytes(trm_sudoku_reader *r, const char **text, size_t *n) {
  if (r->after_cr && r->at < r->n) {
    r->at += r->bytes[r->at] == '\n';
    r->after_cr = false;
  }
  const size_t first = r->at;
  size_t end;
  const bool ends = find_line_end(r, &end), is_last = r->ended && end == r->n;
  *text = r->n ? r->bytes + first : "";
  *n = end - first;
  r->at = end + ends;
  if (ends) r->after_cr = r->bytes[end] == '\r';
  return ends || (is_last && (*n > 0 || r->used > 0));
}

/* The next line, if the bytes that are there end it; *got. Of one that is too long its beginning,
 * with r->cut; the rest is passed over. */
static trm_status next_line(trm_sudoku_reader *r, bool *got, trm_error *err) {
  do {
    const char *text;
    size_t n;
    *got = take_bytes(r, &text, &n);
    if (r->passing) {
      r->passing = !*got;
      *got = false;
      r->quotes = (trm__sudoku_quotes){.field_begins = true};
      continue;
    }
    const bool is_part = r->used > 0;
    if (!*got || is_part) TRM_TRY(collect(r, text, n, err));
    r->passing = r->cut && !*got;
    *got |= r->cut;
    if (*got) TRM_TRY(take_line(r, r->used ? r->buffer : text, r->used ? r->used : n, err));
    if (*got) r->used = 0;
  } while (!*got && r->at < r->n);
  return TRM_OK;
}

/* --- forms --- */

static trm_status pass_over(trm_sudoku_reader *r, trm_sudoku_entry *e, bool *found,
                            trm_error *err) {
  (void)r, (void)e, (void)found, (void)err;
  return TRM_OK;
}

/* "[Puzzle]", "[State]" ... of .sdk files; "[xxxx]" is a row of blanks. */
static bool is_section(trm_sudoku_reader *r) {
  if (r->length < 3 || r->text[0] != '[' || r->text[r->length - 1] != ']') return false;
  for (size_t i = 1; i + 1 < r->length; i++)
    if (!isalpha((unsigned char)r->text[i])) return false;
  return !trm__sudoku_are_cells((trm__span){r->text + 1, r->length - 2}, 9);
}

static bool is_section_called(const trm_sudoku_reader *r, const char *name) {
  return strlen(name) == r->length && trm__text_alike(r->text, name, r->length);
}

/* What stands beside [Puzzle] is none, and neither is a game half played; other headings are titles
 * of the puzzles behind them. */
static trm_status read_section(trm_sudoku_reader *r, trm_sudoku_entry *e, bool *found,
                               trm_error *err) {
  (void)e, (void)found, (void)err;
  const bool puzzle = is_section_called(r, "[puzzle]");
  r->has_sections |= puzzle;
  r->skipped = !puzzle && (r->has_sections || is_section_called(r, "[state]"));
  return TRM_OK;
}

static bool is_skipped(trm_sudoku_reader *r) {
  return r->skipped;
}

/* Separators only, as rows of a spreadsheet that nobody filled in. Nine of them may be a row, too,
 * but no grid begins with it behind puzzles of lines. */
static bool is_empty_row(trm_sudoku_reader *r) {
  for (size_t i = 0; i < r->length; i++)
    if (!memchr(",;\t\" ", r->text[i], 5)) return false;
  return r->in_lines || !trm__sudoku_is_row(r);
}

static trm_status pass_empty_row(trm_sudoku_reader *r, trm_sudoku_entry *e, bool *found,
                                 trm_error *err) {
  (void)e, (void)found, (void)err;
  r->empty_rows++;
  return TRM_OK;
}

/* A word, and nothing that might be a damaged puzzle. */
static bool is_title(trm_sudoku_reader *r) {
  enum { MOST_CELLS = 26 }; /* dates and numbers have fewer */
  bool has_word = false;
  size_t cells = 0;
  if (r->config.typed || r->n_tokens > TRM__SUDOKU_MAX_TOKENS) return false;
  for (int i = 0; i < r->n_tokens; i++) {
    const trm__span t = r->token[i];
    size_t letters = 0, digits = 0;
    for (size_t k = 0; k < t.n; k++) {
      const unsigned char c = (unsigned char)t.text[k];
      letters += isalpha(c) || c >= 0x80;
      digits += c >= '0' && c <= '9';
    }
    if (t.n >= 16 && digits) return false;
    if (digits && trm__sudoku_are_cells(t, 16)) cells += t.n;
    has_word |= letters > 1 && !digits && letters + 2 >= t.n;
  }
  return has_word && cells <= MOST_CELLS;
}

/* A list has no title of each puzzle: somebody may miss the line. */
static trm_status pass_title(trm_sudoku_reader *r, trm_sudoku_entry *e, bool *found,
                             trm_error *err) {
  (void)e, (void)found, (void)err;
  if (r->in_lines && r->titles++ == 0) r->title = r->line;
  return TRM_OK;
}

static bool is_anything(trm_sudoku_reader *r) {
  (void)r;
  return true;
}

static trm_status read_anything(trm_sudoku_reader *r, trm_sudoku_entry *e, bool *found,
                                trm_error *err) {
  (void)e, (void)found;
  trm__span longest = {r->text, 0};
  for (int i = 0; i < r->n_tokens && i < TRM__SUDOKU_MAX_TOKENS; i++)
    if (r->token[i].n > longest.n) longest = r->token[i];
  return trm__sudoku_refuse_line(r, r->n_tokens ? longest : (trm__span){r->text, r->length}, err);
}

const trm__sudoku_form trm__sudoku_forms[] = {
    {"XML of OpenSudoku", trm__sudoku_is_xml, trm__sudoku_read_xml, false},
    {"a list of lists (JSON)", trm__sudoku_is_json, trm__sudoku_read_json, false},
    {"a table", trm__sudoku_in_table, trm__sudoku_read_record, false},
    {"a section", is_section, read_section, false},
    {"a section beside the puzzle", is_skipped, pass_over, true},
    {"the header of a table", trm__sudoku_is_header, trm__sudoku_read_header, false},
    {"rows of a refused grid", trm__sudoku_is_lost, pass_over, true},
    {"a grid of rows", trm__sudoku_goes_on, trm__sudoku_read_row, true},
    {"an empty row", is_empty_row, pass_empty_row, false},
    {"a frame", trm__sudoku_is_frame, pass_over, true},
    {"a line of candidates", trm__sudoku_is_candidates, trm__sudoku_read_candidates, false},
    {"a line of HoDoKu's library", trm__sudoku_is_library, trm__sudoku_read_library, false},
    {"an address of puzz.link", trm__sudoku_is_link, trm__sudoku_read_link, false},
    {"a puzzle a line", trm__sudoku_is_line, trm__sudoku_read_line, false},
    {"a game id of Solo", trm__sudoku_is_game_id, trm__sudoku_read_game_id, false},
    {"a grid of rows", trm__sudoku_is_row, trm__sudoku_read_row, false},
    {"a title", is_title, pass_title, false},
    {"no Sudoku", is_anything, read_anything, false}};

/* What has no lines of text at all, told by its first bytes; NULL: nothing against it. */
static const char *what_is_no_text(const trm_sudoku_reader *r) {
  if (r->line != 1 || !r->whole_length) return NULL;
  if (trm__text_is_wide(r->whole, r->whole_length))
    return "text in UTF-16 or UTF-32; save it as UTF-8";
  if (trm__gzip_is(r->whole, r->whole_length))
    return "packed by gzip; unpack it before: gunzip -c FILE | trm ... -";
  return NULL;
}

/* Gives the line at hand to its form. */
static trm_status look(trm_sudoku_reader *r, trm_sudoku_entry *e, bool *found, trm_error *err) {
  const trm__sudoku_form *form = trm__sudoku_forms;
  const char *no_text = what_is_no_text(r);
  if (no_text) {
    trm__sudoku_give_up(r);
    return trm__sudoku_refuse(r, TRM_E_FORMAT, 1, 1, err, "%s", no_text);
  }
  if (r->cut) {
    r->cut = false;
    return trm__sudoku_refuse(r, TRM_E_FORMAT, r->line, TRM__SUDOKU_MAX_LINE, err,
                              "the line is too long for a puzzle: it has more than %d MiB",
                              (r->xml ? TRM__SUDOKU_MAX_XML : TRM__SUDOKU_MAX_LINE) >> 20);
  }
  if (!r->length && !r->xml) return r->has_table ? TRM_OK : trm__sudoku_read_gap(r, err);
  while (!form->probe(r)) form++;

  /* A grid must be complete before something else begins; nothing but '-' was a frame. */
  if (!form->inside && r->grid.rows && r->grid.rows == r->grid.dashes) r->grid.rows = 0;
  if (!form->inside && r->grid.rows) {
    r->held = true;
    return trm__sudoku_refuse_grid(r, err);
  }
  if (!form->inside) r->lost = false;
  e->form = form->name;
  return form->read(r, e, found, err);
}

/* What only the end can tell. */
static trm_status end_text(trm_sudoku_reader *r, trm_error *err) {
  if (r->grid.rows && r->grid.rows > r->grid.dashes) return trm__sudoku_refuse_grid(r, err);
  r->grid.rows = 0;
  if (r->xml) return trm__sudoku_end_xml(r, err);
  if (r->json) return trm__sudoku_end_json(r, err);
  if (!r->has_table || r->any_puzzle) return TRM_OK;
  r->any_puzzle = true; /* it is said once */
  return trm__sudoku_refuse(r, TRM_E_FORMAT, r->next_line, 1, err,
                            "there is a header but no puzzle");
}

trm_status trm_sudoku_reader_next(trm_sudoku_reader *r, trm_sudoku_entry *entry,
                                  trm_sudoku_state *state, trm_error *err) {
  trm_status st = TRM_OK;
  bool found = false, got = true;
  const trm_puzzle settled = r->puzzle;
  const trm__sudoku_zero zero = r->zero;
  *state = TRM_SUDOKU_FOUND;
  r->other_size = 0;

  /* A document of XML or JSON gives its puzzles one by one; else lines are read until a puzzle
   * is whole. */
  while (st == TRM_OK && !found) {
    if (r->xml && trm__sudoku_next_xml(r, entry, &st, err)) break;
    if (r->json && trm__sudoku_next_json(r, entry, &st, err)) break;
    if (!r->held) TRM_TRY(next_line(r, &got, err));
    if (!got) break;
    r->held = false;
    st = look(r, entry, &found, err);
  }
  if (st != TRM_OK) { /* what is refused settles nothing for the others */
    r->puzzle = settled;
    r->zero = zero;
  }
  r->any_puzzle |= st != TRM_OK || found;
  if (found) r->in_lines = entry->in_line;

  /* Without a line more, it is the end or the caller's turn to feed. */
  if (got) return st;
  *state = r->ended ? TRM_SUDOKU_END : TRM_SUDOKU_WANTS_MORE;
  return r->ended ? end_text(r, err) : TRM_OK;
}
