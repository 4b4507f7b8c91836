/* See puzzle_lines.h. */
#include "puzzle_lines.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Bytes beside the puzzle: spaces around it, and comments of their own. */
enum { LINE_ROOM = 960 };

/* Takes the line buffer. */
static trm_status open_lines(puzzle_lines *in, const trm_puzzle *p, trm_error *err) {
  in->puzzle = p;
  in->buffer_size = trm_puzzle_text_size(p) + LINE_ROOM;
  in->buffer = malloc(in->buffer_size);
  if (!in->buffer) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for a line of text");
  return TRM_OK;
}

trm_status puzzle_lines_open_text(puzzle_lines *in, const trm_puzzle *p, const char *name,
                                  const char *text, trm_error *err) {
  *in = (puzzle_lines){.name = name, .text = text};
  return open_lines(in, p, err);
}

trm_status puzzle_lines_open(puzzle_lines *in, const trm_puzzle *p, const char *path,
                             trm_error *err) {
  bool is_stdin = !strcmp(path, "-");
  *in = (puzzle_lines){.name = is_stdin ? "stdin" : path};
  in->f = is_stdin ? stdin : fopen(path, "r");
  if (!in->f) return cli_fail(err, TRM_E_IO, -1, "%s: %s", path, strerror(errno));
  struct stat file;
  in->may_wait = fstat(fileno(in->f), &file) != 0 || !S_ISREG(file.st_mode);
  /* What poll says of the descriptor then holds for the stream. */
  if (in->may_wait) setvbuf(in->f, NULL, _IONBF, 0);
  return open_lines(in, p, err);
}

void puzzle_lines_close(puzzle_lines *in) {
  if (in->f && in->f != stdin) fclose(in->f);
  in->f = NULL;
  free(in->buffer);
  in->buffer = NULL;
}

bool puzzle_lines_ready(const puzzle_lines *in) {
  if (!in->f || !in->may_wait) return true;
  struct pollfd input = {.fd = fileno(in->f), .events = POLLIN};
  return poll(&input, 1, 0) != 0; /* after an error or at the end reading says so */
}

/* The next line without its end, also when it holds zero bytes (which the parser refuses). */
static trm_status read_line(puzzle_lines *in, size_t *n, bool *more, trm_error *err) {
  int c = 0;
  size_t most = in->buffer_size;
  *n = 0;
  if (!in->f) {
    *more = in->line++ == 0;
    if (!*more) return TRM_OK;
    *n = strlen(in->text);
    if (*n < most) {
      memcpy(in->buffer, in->text, *n);
      return TRM_OK;
    }
  } else {
    in->line++;
    while (*n < most && (c = getc(in->f)) != EOF && c != '\n') in->buffer[(*n)++] = (char)c;
    if (c == EOF && ferror(in->f))
      return cli_fail(err, TRM_E_IO, in->line, "%s: cannot read line %lld: %s", in->name,
                      (long long)in->line, strerror(errno));
    *more = *n > 0 || c != EOF;
  }
  if (*n >= most)
    return cli_fail(err, TRM_E_FORMAT, in->line, "%s:%lld:%zu: the line is too long for a puzzle",
                    in->name, (long long)in->line, most);
  return TRM_OK;
}

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
  return c == '\t' || c == '\r' || c == '\f' || (c == ' ' && !begins_symbol(p, ' '));
}

/* Nothing, or nothing but spaces, or a comment. */
static bool is_skipped(const trm_puzzle *p, const char *text, size_t n) {
  const char *comment = puzzle_lines_comment(p);
  size_t spaces = 0;
  while (spaces < n && text[spaces] == ' ') spaces++;
  return spaces == n || (n >= strlen(comment) && !strncmp(text, comment, strlen(comment)));
}

/* Givens of a Sudoku that contradict each other. */
static trm_status check_givens(const puzzle_lines *in, const char *text, size_t skipped,
                               const int32_t *tokens, trm_error *err) {
  const trm_puzzle *p = in->puzzle;
  uint8_t values[TRM_SUDOKU_MAX_CELLS];
  int cell = 0;
  if (p->kind != TRM_PUZZLE_SUDOKU) return TRM_OK;
  for (int i = 0; i < p->rows * p->cols; i++) values[i] = (uint8_t)(tokens[i] - 1);
  if (trm_sudoku_consistent(p, values, &cell)) return TRM_OK;
  return cli_fail(err, TRM_E_PUZZLE, in->line,
                  "%s:%lld:%zu: '%c' in row %d, column %d stands twice in its row, column or "
                  "box: no answer can be valid",
                  in->name, (long long)in->line, (size_t)cell + 1 + skipped, text[cell],
                  cell / p->cols + 1, cell % p->cols + 1);
}

static trm_status parse_line(const puzzle_lines *in, const char *text, size_t n, size_t skipped,
                             int32_t *tokens, trm_error *err) {
  trm_error cause = {0};
  trm_status st = trm_puzzle_parse(in->puzzle, text, n, tokens, &cause);
  if (st != TRM_OK) {
    size_t column = (size_t)(cause.pos > 0 ? cause.pos : 1) + skipped;
    /* The place is said once, with the spaces that were skipped. */
    const char *what = strncmp(cause.msg, "column ", 7) ? NULL : strstr(cause.msg, ": ");
    return cli_fail(err, st, in->line, "%s:%lld:%zu: %.300s", in->name, (long long)in->line, column,
                    what ? what + 2 : cause.msg);
  }
  return check_givens(in, text, skipped, tokens, err);
}

trm_status puzzle_lines_next(puzzle_lines *in, int32_t *tokens, bool *more, trm_error *err) {
  for (;;) {
    size_t n, first = 0;
    CLI_TRY(read_line(in, &n, more, err));
    if (!*more) return TRM_OK;
    while (n > 0 && is_margin(in->puzzle, in->buffer[n - 1])) n--;
    while (first < n && is_margin(in->puzzle, in->buffer[first])) first++;
    if (!is_skipped(in->puzzle, in->buffer + first, n - first))
      return parse_line(in, in->buffer + first, n - first, first, tokens, err);
  }
}
