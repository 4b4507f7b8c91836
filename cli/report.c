/* Exit codes and messages: the one place where a status becomes an exit code, and where the
 * program says on stderr what went wrong. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/folder.h"
#include "base/text.h"
#include "cli/cli.h"

static const struct {
  cli_exit code;
  const char *meaning;
} exit_codes[] = {
    {CLI_OK, "done"},
    {CLI_FAILED, "failed (files, memory, system, NaN in a computation)"},
    {CLI_USAGE, "usage: a wrong option, argument or configuration value"},
    {CLI_BAD_DATA, "bad data: a file or puzzle is not what it must be"},
    {CLI_INVALID_ANSWER,
     "an answer breaks the rules (trm solve --check), or is not the only one (trm sudoku)"},
    {CLI_INTERRUPTED, "interrupted (Ctrl-C, SIGTERM, SIGHUP ...); what was done is saved"},
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

/* File contents and names in it must not do more to a terminal than be shown. */
static void print_message(const char *kind, const char *fmt, va_list args) {
  char text[1024];
  vsnprintf(text, sizeof text, fmt, args);
  trm__text_clean(text);
  fprintf(stderr, "trm: %s%s\n", kind, text);
}

static void print_error(const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  print_message("error: ", fmt, args);
  va_end(args);
}

int cli_report_error(const trm_error *err) {
  trm_error cut;
  if (cli_faults_check(&cut) != TRM_OK) err = &cut; /* whatever else failed follows from it */
  const char *text = err->msg[0] ? err->msg : trm_status_text(err->code);
  const bool limited = err->code == TRM_E_IO && cli_file_limit_came();
  print_error("%s%s", text, limited ? "; this is the file size limit (ulimit -f)" : "");
  return cli_exit_code(err->code);
}

const char *cli_clean(char *room, size_t size, const char *text) {
  snprintf(room, size, "%s", text);
  trm__text_clean(room);
  return room;
}

int cli_usage_error(const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  print_message("error: ", fmt, args);
  va_end(args);
  return CLI_USAGE;
}

static bool muted;

void cli_mute(void) {
  muted = true;
}

void cli_warn(const char *fmt, ...) {
  va_list args;
  if (muted) return;
  va_start(args, fmt);
  print_message("warning: ", fmt, args);
  va_end(args);
}

void cli_note(const char *fmt, ...) {
  va_list args;
  if (muted) return;
  va_start(args, fmt);
  print_message("", fmt, args);
  va_end(args);
}

void cli_note_device(trm_device device) {
  char why[sizeof((trm_error *)NULL)->msg];
  if (device.kind == TRM_DEVICE_AUTO && trm_device_passed_over(why, sizeof why))
    cli_note("on the CPU: %s", why);
}

/* --- standard files --- */

static bool stdout_closed; /* when the program started */

/* Opened the other way round, so that reading and writing fail as they would. */
void cli_hold_standard_files(void) {
  static const int modes[] = {O_WRONLY, O_RDONLY, O_RDONLY};
  for (int fd = 0; fd < 3; fd++) {
    if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    stdout_closed |= fd == STDOUT_FILENO;
    if (open("/dev/null", modes[fd]) != fd) _exit(CLI_FAILED);
  }
}

/* ---- what is replaced ---- */

enum { MAX_OUTPUTS = 8 }; /* of one command */
static const char *replaced[MAX_OUTPUTS];
static int n_replaced;

/* True of a folder in which something is. */
static bool is_filled(const char *folder) {
  trm__dir d;
  trm__names names;
  bool filled = false;
  if (trm__dir_open(&d, folder, NULL) != TRM_OK) return false;
  if (trm__dir_names(&d, &names, NULL) == TRM_OK) {
    filled = names.n > 0;
    trm__names_free(&names);
  }
  trm__dir_close(&d);
  return filled;
}

void cli_name_output(const char *path) {
  trm__kind kind;
  if (trm__path_look(path, &kind, NULL) != TRM_OK) return; /* who writes it says why */
  if (kind == TRM__FILE || (kind == TRM__DIR && is_filled(path)))
    replaced[trm__push(&n_replaced, MAX_OUTPUTS)] = path;
}

static void tell_replaced(int code) {
  for (int i = 0; code == CLI_OK && i < n_replaced && i < MAX_OUTPUTS; i++)
    cli_note("%s was there and is replaced", replaced[i]);
  n_replaced = 0;
}

/* ---- the end ---- */

const char *cli_stdout_fault(void) {
  errno = 0;
  if (fflush(stdout) == 0 && !ferror(stdout)) return NULL;

  /* Of something that was printed before, the reason is lost by now: the system is asked again. */
  int why = errno;
  clearerr(stdout);
  if (!why && write(STDOUT_FILENO, "\n", 1) < 0) why = errno;
  return stdout_closed ? "it is closed" : why ? strerror(why) : "a part of them was refused";
}

int cli_finish_output(int code) {
  static bool told; /* help of many commands ends many times */
  const char *why = cli_stdout_fault();
  if (!why && !told) return code;
  if (!told) fprintf(stderr, "trm: error: the results could not be written to stdout: %s\n", why);
  told = true;
  return CLI_FAILED;
}

int cli_finish(int code) {
  trm_error cut;
  if (cli_finish_output(CLI_OK) != CLI_OK) return CLI_FAILED;
  if (code == CLI_OK && cli_faults_check(&cut) != TRM_OK) code = cli_report_error(&cut);
  tell_replaced(code);
  return code;
}

int cli_finish_files(int code) {
  return stdout_closed ? code : cli_finish(code);
}
