/* See puzzle_lines.h. */
#include "cli/commands/puzzle_lines.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/pictures/grid_style.h"
#include "cli/pictures/puzzle_names.h"
#include "io/json.h"

enum {
  LINE_ROOM = 960, /* bytes beside the puzzle: spaces around it */
  JSON_CELL = 40   /* bytes of a cell of JSON with the spaces before it */
};

/* Takes the buffer. */
static trm_status open_lines(puzzle_lines *in, const trm_puzzle *p, trm_error *err) {
  in->puzzle = p;
  const size_t text = trm_puzzle_text_size(p), json = (size_t)(p->rows * p->cols) * JSON_CELL;
  in->buffer_size = (text > json ? text : json) + LINE_ROOM;
  in->buffer = malloc(in->buffer_size);
  if (!in->buffer) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for a line of text");
  return TRM_OK;
}

trm_status puzzle_lines_open_text(puzzle_lines *in, const trm_puzzle *p, const char *name,
                                  const char *text, trm_error *err) {
  *in = (puzzle_lines){.first = 1};
  byte_input_open_text(&in->in, name, text);
  return open_lines(in, p, err);
}

/* What may be typed. */
static void tell_form(const trm_puzzle *p) {
  char about[320], cells[200] = "";
  const int first = trm_puzzle_first_symbol(p);
  const bool wide = grid_style_symbol_width(p) > 1;
  puzzle_describe(p, about, sizeof about);
  for (int token = first; token < first + trm_puzzle_n_symbols(p); token++) {
    const size_t used = strlen(cells);
    const char *symbol = trm_puzzle_symbol(p, token);
    if (used + strlen(symbol) + 2 > sizeof cells) break;
    snprintf(cells + used, sizeof cells - used, " %s", strcmp(symbol, " ") ? symbol : ".");
  }
  cli_note("type a puzzle (%s) in a line, rows separated by %s, of the cells%s; Ctrl-D ends", about,
           wide ? "\" / \" and cells by spaces" : "/", cells);
}

trm_status puzzle_lines_open(puzzle_lines *in, const trm_puzzle *p, const char *path,
                             trm_error *err) {
  *in = (puzzle_lines){.first = 1};
  CLI_TRY(byte_input_open(&in->in, path, err));
  if (in->in.asks) tell_form(p);
  return open_lines(in, p, err);
}

void puzzle_lines_close(puzzle_lines *in) {
  byte_input_close(&in->in);
  free(in->buffer);
  *in = (puzzle_lines){.in.ended = true};
}

/* --- lines --- */

/* True when a symbol of the puzzle begins with `c`. */
static bool begins_symbol(const trm_puzzle *p, char c) {
  int first = trm_puzzle_first_symbol(p);
  for (int token = first; token < first + trm_puzzle_n_symbols(p); token++)
    if (trm_puzzle_symbol(p, token)[0] == c) return true;
  return false;
}

const char *puzzle_lines_comment(const trm_puzzle *p) {
  return begins_symbol(p, '#') ? "//" : "#";
}

/* True for what stands before and after a puzzle. A space that is a cell does not. */
static bool is_margin(const trm_puzzle *p, char c) {
  return c == '\t' || c == '\f' || (c == ' ' && !begins_symbol(p, ' '));
}

/* Nothing but spaces, as far as the buffer goes. */
static bool is_blank(const char *text, size_t n) {
  while (n > 0 && text[n - 1] == ' ') n--;
  return n == 0;
}

static bool is_comment(const trm_puzzle *p, const char *text, size_t n) {
  const char *comment = puzzle_lines_comment(p);
  return n >= strlen(comment) && !strncmp(text, comment, strlen(comment));
}

static void begin_line(puzzle_lines *in) {
  in->used = 0;
  in->first = in->line + 1;
  in->complete = in->cut = false;
}

/* A grid of JSON, or an object with one, goes on in the next line. */
static bool goes_on(const puzzle_lines *in) {
  size_t at = 0;
  while (at < in->used && is_margin(in->puzzle, in->buffer[at])) at++;
  const char *text = in->buffer + at;
  const size_t n = in->used - at;
  if (n == 0 || begins_symbol(in->puzzle, *text)) return false;
  trm__json_span span = {.depth = 0};
  return *text == '{' ? !trm__json_span_take(&span, text, n) : trm__json_begins_grid(text, n);
}

static void end_line(puzzle_lines *in) {
  if (in->line++ == 0 && in->used > 0) {
    const size_t mark = trm__text_mark(in->buffer, in->used);
    in->used -= mark;
    memmove(in->buffer, in->buffer + mark, in->used);
  }
  in->complete = in->used == in->buffer_size || !goes_on(in);
  if (!in->complete) in->buffer[in->used++] = ' ';
}

/* Takes a byte of the input into the line. What is too long for it is passed over. */
static void take_byte(puzzle_lines *in, char c) {
  const bool second = in->after_cr && c == '\n', ends = c == '\n' || c == '\r';
  in->after_cr = c == '\r';
  if (second) return;
  if (in->passing) {
    in->passing = !ends;
  } else if (ends) {
    end_line(in);
  } else if (in->used < in->buffer_size) {
    in->buffer[in->used++] = c;
  } else {
    in->line++;
    in->complete = in->cut = in->passing = true;
  }
}

/* Where the line has more than spaces: [*first, return value). */
static size_t trim(const puzzle_lines *in, size_t *first) {
  size_t n = in->used;
  *first = 0;
  while (n > 0 && is_margin(in->puzzle, in->buffer[n - 1])) n--;
  while (*first < n && is_margin(in->puzzle, in->buffer[*first])) ++*first;
  return n;
}

/* Goes on to the next line that is not skipped, as far as the bytes read allow; true when it is
 * complete. */
static bool collect(puzzle_lines *in) {
  for (;;) {
    size_t first, n;
    while (!in->complete && in->at < in->in.n) take_byte(in, in->in.bytes[in->at++]);
    if (!in->complete && in->in.ended && in->used > 0) {
      if (in->first > in->line) end_line(in); /* else a grid of JSON that is not closed */
      in->complete = true;
    }
    if (!in->complete) return false;
    n = trim(in, &first) - first;
    const char *text = in->buffer + first;
    if (!is_comment(in->puzzle, text, n) && (in->cut || !is_blank(text, n))) return true;
    begin_line(in);
  }
}

static trm_status fill(puzzle_lines *in, bool wait, trm_error *err) {
  in->at = 0;
  strcpy(in->in.prompt, in->used ? "... " : "> "); /* JSON goes on in the next line */
  return byte_input_fill(&in->in, wait, in->line + 1, err);
}

bool puzzle_lines_ready(puzzle_lines *in) {
  while (!collect(in) && !in->in.ended) {
    /* What cannot be read is told by puzzle_lines_next, which comes to the same place. */
    if (fill(in, false, NULL) != TRM_OK) return true;
    if (in->in.n == 0 && !in->in.ended) return false;
  }
  return true;
}

/* --- puzzles --- */

/* In UTF-16 no line is one. */
static trm_status refuse_wide(puzzle_lines *in, trm_error *err) {
  in->in.ended = true;
  in->at = in->in.n;
  return cli_fail(err, TRM_E_FORMAT, in->line, "%s:1:1: text in UTF-16 or UTF-32; save it as UTF-8",
                  in->in.name);
}

/* What JSON opens in a text, at most three, one after the other: "{", "[{" or "[[[" begin tasks,
 * "[[" a grid. */
static bool is_task(const puzzle_lines *in, size_t first) {
  char opened[4] = "";
  if (!trm_puzzle_facts_of(in->puzzle)->tasks) return false;
  for (size_t i = first, n = 0; i < in->used && n < 3; i++) {
    const char c = in->buffer[i];
    if (isspace((unsigned char)c)) continue;
    if (c != '{' && c != '[') break;
    opened[n++] = c;
  }
  return strchr(opened, '{') || !strcmp(opened, "[[[");
}

static trm_status refuse_task(puzzle_lines *in, trm_error *err) {
  in->in.ended = true;
  in->at = in->in.n;
  return cli_fail(
      err, TRM_E_FORMAT, in->line,
      "%.300s:%lld: a task in JSON, and puzzles are one grid a line; it is answered by: "
      "trm finetune MODEL --task %.300s",
      in->in.name, (long long)in->line, in->in.own ? in->in.name : "FILE.json");
}

static trm_status refuse_long(const puzzle_lines *in, trm_error *err) {
  return cli_fail(err, TRM_E_FORMAT, in->first, "%s:%lld:%zu: the line is too long for a puzzle",
                  in->in.name, (long long)in->first, in->buffer_size);
}

static trm_status parse_line(puzzle_lines *in, const char *text, size_t n, size_t skipped,
                             int32_t *tokens, trm_error *err) {
  trm_error cause = {0};
  trm_status st = trm_puzzle_parse(in->puzzle, text, n, tokens, &cause);
  if (st != TRM_OK) {
    size_t column = (size_t)(cause.pos > 0 ? cause.pos : 1) + skipped;
    /* The place is said once, with the spaces that were skipped. */
    const char *what = strncmp(cause.msg, "column ", 7) ? NULL : strstr(cause.msg, ": ");
    return cli_fail(err, st, in->first, "%s:%lld:%zu: %.300s", in->in.name, (long long)in->first,
                    column, what ? what + 2 : cause.msg);
  }
  st = trm_puzzle_check(in->puzzle, tokens, &cause);
  if (st != TRM_OK)
    return cli_fail(err, st, in->first, "%s:%lld:%zu: %.300s", in->in.name, (long long)in->first,
                    skipped + 1, cause.msg);
  return TRM_OK;
}

trm_status puzzle_lines_next(puzzle_lines *in, int32_t *tokens, bool *more, trm_error *err) {
  size_t first, n;
  while (!collect(in) && !in->in.ended) CLI_TRY(fill(in, true, err));
  *more = in->complete;
  if (!*more) return TRM_OK;
  n = trim(in, &first);
  trm_status st = in->line == 1 && trm__text_is_wide(in->buffer, n) ? refuse_wide(in, err)
                  : is_task(in, first)                              ? refuse_task(in, err)
                  : in->cut                                         ? refuse_long(in, err)
                            : parse_line(in, in->buffer + first, n - first, first, tokens, err);
  begin_line(in);
  return st;
}
