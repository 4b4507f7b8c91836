/* Exit codes and messages: the one place where a status becomes an exit code, and where the
 * program says on stderr what went wrong. */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "cli.h"

static const struct {
  cli_exit code;
  const char *meaning;
} exit_codes[] = {
    {CLI_OK, "done"},
    {CLI_FAILED, "failed (files, memory, system, NaN in a computation)"},
    {CLI_USAGE, "usage: a wrong option, argument or configuration value"},
    {CLI_BAD_DATA, "bad data: a file or puzzle is not what it must be"},
    {CLI_INVALID_ANSWER, "an answer breaks the rules (trm solve --check)"},
    {CLI_INTERRUPTED, "interrupted (Ctrl-C or SIGTERM); what was done is saved"},
};

static const struct {
  trm_status status;
  cli_exit code;
} exit_of_status[] = {
    {TRM_OK, CLI_OK},
    {TRM_E_ARGUMENT, CLI_USAGE},
    {TRM_E_CONFIG, CLI_USAGE},
    {TRM_E_FORMAT, CLI_BAD_DATA},
    {TRM_E_SHAPE, CLI_BAD_DATA},
    {TRM_E_RANGE, CLI_BAD_DATA},
    {TRM_E_PUZZLE, CLI_BAD_DATA},
    {TRM_E_INTERRUPTED, CLI_INTERRUPTED},
};

int cli_exit_code(trm_status code) {
  for (size_t i = 0; i < sizeof exit_of_status / sizeof *exit_of_status; i++)
    if (exit_of_status[i].status == code) return exit_of_status[i].code;
  return CLI_FAILED;
}

void cli_print_exit_codes(FILE *f) {
  fputs("Exit codes:\n", f);
  for (size_t i = 0; i < sizeof exit_codes / sizeof *exit_codes; i++)
    fprintf(f, "  %3d  %s\n", (int)exit_codes[i].code, exit_codes[i].meaning);
}

trm_status cli_fail(trm_error *err, trm_status code, int64_t pos, const char *fmt, ...) {
  if (!err) return code;
  va_list args;
  va_start(args, fmt);
  vsnprintf(err->msg, sizeof err->msg, fmt, args);
  va_end(args);
  err->code = code;
  err->pos = pos;
  return code;
}

/* Control characters of file contents and names must not reach the terminal. */
static void print_clean(const char *kind, const char *text) {
  fprintf(stderr, "trm: %s", kind);
  for (const unsigned char *c = (const unsigned char *)text; *c; c++)
    fputc(*c < 32 || *c == 127 ? '?' : *c, stderr);
  fputc('\n', stderr);
}

static void print_message(const char *kind, const char *fmt, va_list args) {
  char text[1024];
  vsnprintf(text, sizeof text, fmt, args);
  print_clean(kind, text);
}

int cli_report_error(const trm_error *err) {
  print_clean("error: ", err->msg[0] ? err->msg : trm_status_text(err->code));
  return cli_exit_code(err->code);
}

int cli_usage_error(const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  print_message("error: ", fmt, args);
  va_end(args);
  return CLI_USAGE;
}

void cli_warn(const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  print_message("warning: ", fmt, args);
  va_end(args);
}

void cli_note(const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  print_message("", fmt, args);
  va_end(args);
}

int cli_finish(int code) {
  errno = 0;
  if (fflush(stdout) == 0 && !ferror(stdout)) return code;
  fprintf(stderr, "trm: error: the results could not be written to stdout: %s\n",
          errno ? strerror(errno) : "write error");
  return CLI_FAILED;
}

enum { NEAREST_MAX = 64 };

/* Levenshtein distance with one row; words of NEAREST_MAX characters and more are far away. */
static int edit_distance(const char *a, const char *b) {
  int row[NEAREST_MAX + 1];
  size_t na = strlen(a), nb = strlen(b);
  if (na >= NEAREST_MAX || nb >= NEAREST_MAX) return NEAREST_MAX;
  for (size_t j = 0; j <= nb; j++) row[j] = (int)j;
  for (size_t i = 1; i <= na; i++) {
    int diagonal = row[0];
    row[0] = (int)i;
    for (size_t j = 1; j <= nb; j++) {
      int change = diagonal + (a[i - 1] != b[j - 1]);
      int shorter = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
      diagonal = row[j];
      row[j] = change < shorter ? change : shorter;
    }
  }
  return row[nb];
}

void cli_nearest_offer(cli_nearest *n, const char *name) {
  int near_enough = (int)strlen(n->word) / 3 + 1;
  int distance = edit_distance(n->word, name);
  if (distance > near_enough || (n->best && distance >= n->distance)) return;
  n->best = name;
  n->distance = distance;
}
