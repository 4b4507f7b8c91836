/* See puzzle_lines.h. */
#include "puzzle_lines.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

/* Longer than any puzzle with room for a comment; the rest of a longer line is a mistake. */
enum { LINE_MAX_BYTES = 1024 };

trm_status puzzle_lines_open(puzzle_lines *in, const char *path, trm_error *err) {
  bool is_stdin = !strcmp(path, "-");
  *in = (puzzle_lines){.name = is_stdin ? "stdin" : path};
  in->f = is_stdin ? stdin : fopen(path, "r");
  if (!in->f) return cli_fail(err, TRM_E_IO, -1, "%s: %s", path, strerror(errno));
  struct stat file;
  in->may_wait = fstat(fileno(in->f), &file) != 0 || !S_ISREG(file.st_mode);
  /* What poll says of the descriptor then holds for the stream. */
  if (in->may_wait) setvbuf(in->f, NULL, _IONBF, 0);
  return TRM_OK;
}

void puzzle_lines_close(puzzle_lines *in) {
  if (in->f && in->f != stdin) fclose(in->f);
  in->f = NULL;
}

bool puzzle_lines_ready(const puzzle_lines *in) {
  if (!in->f || !in->may_wait) return true;
  struct pollfd input = {.fd = fileno(in->f), .events = POLLIN};
  return poll(&input, 1, 0) != 0; /* after an error or at the end reading says so */
}

/* The next line without its end, also when it holds zero bytes (which the parser refuses). */
static trm_status read_line(puzzle_lines *in, char *line, size_t *n, bool *more, trm_error *err) {
  int c = 0;
  *n = 0;
  if (!in->f) {
    *more = in->line++ == 0;
    if (!*more) return TRM_OK;
    *n = strlen(in->text);
    if (*n < LINE_MAX_BYTES) {
      memcpy(line, in->text, *n);
      return TRM_OK;
    }
  } else {
    in->line++;
    while (*n < LINE_MAX_BYTES && (c = getc(in->f)) != EOF && c != '\n') line[(*n)++] = (char)c;
    if (c == EOF && ferror(in->f))
      return cli_fail(err, TRM_E_IO, in->line, "%s: cannot read line %lld: %s", in->name,
                      (long long)in->line, strerror(errno));
    *more = *n > 0 || c != EOF;
  }
  if (*n >= LINE_MAX_BYTES)
    return cli_fail(err, TRM_E_FORMAT, in->line, "%s:%lld:%d: the line is too long for a puzzle",
                    in->name, (long long)in->line, LINE_MAX_BYTES);
  return TRM_OK;
}

static bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\f';
}

static trm_status parse_line(const puzzle_lines *in, const trm_puzzle *p, const char *text,
                             size_t n, size_t skipped, uint8_t *values, trm_error *err) {
  trm_error cause = {0};
  int cell = 0;
  long long line = in->line;
  trm_status st = trm_sudoku_parse(p, text, n, values, &cause);
  if (st != TRM_OK) {
    long long column = (cause.pos > 0 ? cause.pos : 1) + (long long)skipped;
    /* The place is said once, with the spaces that were skipped. */
    const char *what = strncmp(cause.msg, "column ", 7) ? NULL : strstr(cause.msg, ": ");
    return cli_fail(err, st, in->line, "%s:%lld:%lld: %.300s", in->name, line, column,
                    what ? what + 2 : cause.msg);
  }
  if (!trm_sudoku_consistent(p, values, &cell))
    return cli_fail(err, TRM_E_PUZZLE, in->line,
                    "%s:%lld:%lld: '%c' in row %d, column %d stands twice in its row, column or "
                    "box: no answer can be valid",
                    in->name, line, (long long)(cell + 1) + (long long)skipped, text[cell],
                    cell / p->cols + 1, cell % p->cols + 1);
  return TRM_OK;
}

trm_status puzzle_lines_next(puzzle_lines *in, const trm_puzzle *p, uint8_t *values, bool *more,
                             trm_error *err) {
  char line[LINE_MAX_BYTES];
  size_t n;
  for (;;) {
    CLI_TRY(read_line(in, line, &n, more, err));
    if (!*more) return TRM_OK;
    size_t first = 0;
    while (n > 0 && is_space(line[n - 1])) n--;
    while (first < n && is_space(line[first])) first++;
    if (first < n && line[first] != '#')
      return parse_line(in, p, line + first, n - first, first, values, err);
  }
}
