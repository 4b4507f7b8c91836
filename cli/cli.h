/* What the commands of the trm program share: options, exit codes, messages, progress, signals.
 *
 * Results go to stdout, everything else to stderr. A command is a function of its arguments that
 * returns an exit code; it reports its own errors with cli_report_error. */
#ifndef TRM_CLI_H
#define TRM_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "trm.h"

#if defined(__GNUC__)
#define CLI_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define CLI_PRINTF(fmt, args)
#endif

/* ---- exit codes and errors (report.c) ---- */

typedef enum cli_exit {
  CLI_OK = 0,
  CLI_FAILED = 1,
  CLI_USAGE = 2,
  CLI_BAD_DATA = 3,
  CLI_INVALID_ANSWER = 4,
  CLI_INTERRUPTED = 130
} cli_exit;

/* The exit code a status of the library leads to. */
int cli_exit_code(trm_status code);
/* Prints the documented list of exit codes. */
void cli_print_exit_codes(FILE *f);
/* Fills `err` (which may be NULL); returns `code`. pos -1: none. */
trm_status cli_fail(trm_error *err, trm_status code, int64_t pos, const char *fmt, ...)
    CLI_PRINTF(4, 5);
/* "trm: error: MESSAGE" on stderr; returns the exit code of err->code. */
int cli_report_error(const trm_error *err);
/* "trm: error: ..." on stderr; returns CLI_USAGE. */
int cli_usage_error(const char *fmt, ...) CLI_PRINTF(1, 2);
/* "trm: warning: ..." and "trm: ..." on stderr. */
void cli_warn(const char *fmt, ...) CLI_PRINTF(1, 2);
void cli_note(const char *fmt, ...) CLI_PRINTF(1, 2);
/* Flushes stdout; CLI_FAILED with a message when what was printed could not be written (a full
 * disk, a closed pipe), else `code`. The last call of a command that prints results. */
int cli_finish(int code);

/* Forward a failure, as in the library. */
#define CLI_TRY(call)                                    \
  do {                                                   \
    trm_status cli_try_status = (call);                  \
    if (cli_try_status != TRM_OK) return cli_try_status; \
  } while (0)
#define CLI_GOTO(call)           \
  do {                           \
    st = (call);                 \
    if (st != TRM_OK) goto done; \
  } while (0)

/* The nearest of many names: offer each, then read `best` (NULL when none is near enough to be
 * what was meant). Start from {.word = ...}. */
typedef struct cli_nearest {
  const char *word, *best;
  int distance; /* of best */
} cli_nearest;
void cli_nearest_offer(cli_nearest *n, const char *name);

/* ---- options (options.c) ---- */

typedef enum cli_kind {
  CLI_FLAG,    /* bool *: --name, no value */
  CLI_INT,     /* int * */
  CLI_INT64,   /* int64_t * */
  CLI_UINT64,  /* uint64_t *: seeds */
  CLI_DOUBLE,  /* double * */
  CLI_DTYPE,   /* trm_dtype * */
  CLI_DEVICE,  /* trm_device * */
  CLI_STRING,  /* const char **: points into argv */
  CLI_NUMBERS, /* const char **: a list of whole numbers, as text */
  CLI_NAMES    /* const char **: a list of words, as text */
} cli_kind;

/* Numbers must be finite and >= 0. A table ends with a row whose name is NULL. */
typedef struct cli_option {
  const char *name; /* without the dashes; "b,batch": -b and --batch */
  cli_kind kind;
  void *target;
  const char *value; /* what the help calls the value, e.g. "N"; NULL for flags */
  const char *help;
} cli_option;
/* The row of --device in a command's table; `at` starts as CLI_ANY_DEVICE. */
#define CLI_DEVICE_ROW(at)                                             \
  {                                                                    \
    "device", CLI_DEVICE, at, "NAME",                                  \
        "cpu, cuda:N or auto (default): the first GPU if there is one" \
  }
#define CLI_ANY_DEVICE ((trm_device){TRM_DEVICE_AUTO, 0})

/* The help of a command. */
typedef struct cli_manual {
  const char *usage; /* "trm eval MODEL DATA [options]" */
  const char *about; /* one or more lines, ending in a newline */
  const char *notes; /* after the options: examples; may be NULL */
} cli_manual;

/* Reads `--name value`, `--name=value`, `-n value`, `-n=value`, `-h`, `--help` and `--` from
 * argv[0..*argc) (argv[0] is the first argument, not the program). Positional arguments are moved
 * to the front and counted in *argc. Returns true to go on; false when the command is to return
 * *code at once: help was printed, or a usage error was reported. */
bool cli_options_parse(const cli_manual *manual, const cli_option *options, int *argc, char **argv,
                       int *code);
void cli_print_help(const cli_manual *manual, const cli_option *options, FILE *f);

/* Whole-string numbers; false when the text is anything else or out of range. */
bool cli_parse_int64(const char *text, int64_t *out);
bool cli_parse_uint64(const char *text, uint64_t *out);
bool cli_parse_double(const char *text, double *out); /* finite */
/* The value of --halt: "never", "q" or "q=LOGIT"; a usage error is reported when it is false. */
bool cli_parse_halt(const char *text, trm_halt *halt, double *margin);

/* ---- terminal, progress and signals (progress.c) ---- */

bool cli_is_terminal(FILE *f);
/* True on a terminal unless NO_COLOR is set or TERM is "dumb". */
bool cli_colour(FILE *f);
double cli_now(void); /* seconds on a clock that never goes back */
/* A duration as "42 s", "3 min 20 s", "5 h 12 min" or "3 d 4 h". */
void cli_format_duration(double seconds, char *text, size_t n);
/* A number of bytes as "512 B", "1.5 MiB" ... */
void cli_format_bytes(double bytes, char *text, size_t n);
/* "1 puzzle", "1,000 puzzles": `one` and `many` begin with the word that is counted. */
void cli_format_number(int64_t n, const char *one, const char *many, char *text, size_t size);
/* An integer with a comma every three digits. */
void cli_format_count(int64_t value, char *text, size_t n);

/* A bar on stderr; silent unless stderr is a terminal. */
typedef struct cli_progress {
  const char *label, *unit; /* "training", "samples" */
  int64_t total, first;     /* first: where it stood at the start (a resumed run) */
  double per_step;          /* units shown for one step: 1, or the batch size */
  double started, drawn;
  bool active;
} cli_progress;
/* total 0: unknown until the first update. */
void cli_progress_begin(cli_progress *p, const char *label, int64_t first, int64_t total,
                        const char *unit, double per_step);
/* Redraws at most ten times a second; `extra` (NULL is fine) is shown after the counts. */
void cli_progress_update(cli_progress *p, int64_t done, const char *extra);
/* Removes the bar from the screen, so that a line can be printed; the next update redraws it. */
void cli_progress_clear(cli_progress *p);
void cli_progress_end(cli_progress *p);
/* A trm_progress_fn: arg is a cli_progress; false once a signal has come. */
bool cli_progress_tick(void *arg, int64_t done, int64_t total);

/* SIGINT and SIGTERM set a flag; a second SIGINT ends the program at once with code 130. SIGPIPE
 * is ignored: a closed pipe shows as a write error. */
void cli_signals_install(void);
bool cli_interrupted(void);

/* ---- commands: argv[0] is the first argument after the command's name ---- */

int cmd_train(int argc, char **argv);
int cmd_eval(int argc, char **argv);
int cmd_solve(int argc, char **argv);
int cmd_finetune(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_data(int argc, char **argv);
int cmd_arc(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_convert(int argc, char **argv);

#endif
