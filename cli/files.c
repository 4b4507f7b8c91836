/* See files.h. */
#include "cli/files.h"

#include <stdarg.h>
#include <string.h>
#include <strings.h>

static trm_status format_path(char *out, const char *fmt, va_list args, trm_error *err) {
  int n = vsnprintf(out, CLI_PATH_MAX, fmt, args);
  if (n < 0 || n >= CLI_PATH_MAX)
    return cli_fail(err, TRM_E_ARGUMENT, -1, "a path is longer than %d bytes: %.80s...",
                    CLI_PATH_MAX - 1, out);
  return TRM_OK;
}

trm_status cli_path(char *out, trm_error *err, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  const trm_status st = format_path(out, fmt, args, err);
  va_end(args);
  return st;
}

trm_status cli_look(trm__kind *kind, trm_error *err, const char *fmt, ...) {
  char path[CLI_PATH_MAX];
  va_list args;
  *kind = TRM__ABSENT;
  va_start(args, fmt);
  const trm_status st = format_path(path, fmt, args, err);
  va_end(args);
  return st == TRM_OK ? trm__path_look(path, kind, err) : st;
}

bool cli_memory_close(FILE *f, char *const *text) {
  if (!f) return false;
  const bool whole = !ferror(f);
  return fclose(f) == 0 && whole && *text; /* glibc 2.36 closes well without memory for the end */
}

bool cli_ends_in(const char *path, const char *suffix) {
  size_t n = strlen(path), m = strlen(suffix);
  return n > m && !strcasecmp(path + n - m, suffix);
}

trm_status cli_check_model_folder(const char *path, trm_error *err) {
  trm__kind kind;
  CLI_TRY(trm__path_look(path, &kind, err));
  if (kind == TRM__ABSENT && cli_ending(path))
    return cli_fail(err, TRM_E_ARGUMENT, -1,
                    "%s: what is written is a folder, and %s is the ending of a file; with '/' "
                    "behind it the folder has that name",
                    path, cli_ending(path));
  return trm_model_check_folder(path, err);
}
