/* What the commands of the trm program share: options, exit codes, messages, progress, signals.
 *
 * Results go to stdout, everything else to stderr. A command is a function of its arguments that
 * returns an exit code; it reports its own errors with cli_report_error. */
#ifndef TRM_CLI_H
#define TRM_CLI_H

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "base/nearest.h"
#include "base/number.h"
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
/* From here on neither is said: another process of the same work says them. */
void cli_mute(void);
/* For the device asked for: a note when it is any, and a GPU that is there is not used. */
void cli_note_device(trm_device device);
/* `text` as a terminal may have it, in `room`, which it returns: '?' in place of control characters
 * and of bytes that are not UTF-8, and cut where there is no room. For names and texts that come
 * from a file or a command line, wherever they are printed; messages are cleaned by themselves. */
const char *cli_clean(char *room, size_t size, const char *text);
enum { CLI_CLEAN = 4096 }; /* room for a path or a name */
/* The first call of the program: opens /dev/null on those of the descriptors 0, 1, 2 that are
 * closed, so that no file gets their numbers; what is written there still fails. */
void cli_hold_standard_files(void);
/* Flushes stdout; why what was printed could not be written (a full disk, a closed pipe), NULL: it
 * was. Asks once: what is printed from then on is another matter. */
const char *cli_stdout_fault(void);
/* The same for who ends: CLI_FAILED with a message, else `code`. */
int cli_finish_output(int code);
/* The same, and tells what was replaced; CLI_FAILED with a message when what was printed could
 * not be written, else `code`. The last call of a command that prints results. */
int cli_finish(int code);
/* The same for a command whose results are files, and which only tells of them: who started it with
 * stdout closed does not want to hear it. */
int cli_finish_files(int code);

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

/* ---- options (options.c) ---- */

typedef enum cli_kind {
  CLI_FLAG,    /* bool *: --name, no value */
  CLI_INT,     /* int * */
  CLI_INT64,   /* int64_t * */
  CLI_UINT64,  /* uint64_t *: seeds */
  CLI_DOUBLE,  /* double * */
  CLI_LOGIT,   /* double *, of any sign */
  CLI_SIZE,    /* int *, from 1 */
  CLI_COUNT,   /* int64_t *, from 1 */
  CLI_MINUTES, /* double *, above 0 */
  CLI_DTYPE,   /* trm_dtype * */
  CLI_DEVICE,  /* trm_device * */
  CLI_STRING,  /* const char **: points into argv */
  CLI_OUTPUT,  /* the same, of a file or folder to write, never "-"; FILE.npy as what the help calls
                  it says that no other ending will do, though none at all will */
  CLI_STREAM,  /* the same, but "-" is stdout */
  CLI_STATE,   /* the same as CLI_OUTPUT, of a file that work goes on from */
  CLI_STEPS,   /* int *: supervision steps; 0: as many as the model was trained with */
  CLI_NUMBERS, /* const char **: a list of whole numbers, as text */
  CLI_NAMES,   /* const char **: a list of words, as text */
  CLI_WORDS /* cli_words *: all arguments up to the next option, e.g. --subsets a b c; again: more.
               For commands without positional arguments */
} cli_kind;

enum { CLI_MAX_WORDS = 64 };
typedef struct cli_words {
  const char *word[CLI_MAX_WORDS]; /* they point into argv */
  int n;
} cli_words;

/* Numbers must be finite and, unless the kind says more, >= 0. A table ends with a row whose name
 * is NULL. */
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

/* The rows of --steps and --halt, and what the manual of their command says of them. */
#define CLI_STEPS_HELP "supervision steps at most (0: as trained)"
#define CLI_STEPS_ROW(at) \
  { "steps", CLI_STEPS, at, "S", CLI_STEPS_HELP }
#define CLI_HALT_ROW(at) \
  { "halt", CLI_STRING, at, "RULE", "never (default), q or q=LOGIT: early exit, see above" }
#define CLI_HALT_ABOUT                                                                            \
  "With --halt q a puzzle stops once q_halt > 0 (q_halt > q_continue for a model trained with\n"  \
  "both), whatever arch.halt_margin was in training, and the next one takes its place; q=LOGIT\n" \
  "sets another bar: at q=2 the model calls itself 88 % sure. Models can be surer than they\n"    \
  "are right: sudoku9 loses one in fifty at q=2 and none at q=4 (docs/EVALUATION.md). Compare\n"  \
  "on data like yours: trm eval MODEL DATA, with and without --halt.\n"

/* Several tries of each puzzle (trm/think.h): the rows of a command's table, what its manual says
 * of them, and what they come to. */
typedef struct cli_thinking {
  trm_thinking how;
  const char *select; /* NULL: not given */
  double bar;         /* NAN: not given */
} cli_thinking;
#define CLI_ONE_TRY ((cli_thinking){.bar = NAN})
#define CLI_THINK_ROWS(t)                                                                   \
  {"views", CLI_SIZE, &(t)->how.views, "K",                                                 \
   "try K symmetric images of each puzzle, the puzzle itself the first"},                   \
      {"rollouts", CLI_SIZE, &(t)->how.rollouts, "K",                                       \
       "try each K times, with --noise, or from random starts"},                            \
      {"noise", CLI_DOUBLE, &(t)->how.noise, "S",                                           \
       "standard deviation of noise on the latents before each step (0.2 to 1)"},           \
      {"select", CLI_STRING, &(t)->select, "RULE",                                          \
       "whose answer counts: q (default), first, mode, vote or residual, see above"},       \
      {"bar", CLI_LOGIT, &(t)->bar, "LOGIT", "of --select first (default 2)"},              \
      {"verify", CLI_FLAG, &(t)->how.verify, NULL,                                          \
       "an answer that the puzzle's rules accept ends it (they are no part of the model)"}, \
      {"search", CLI_SIZE, &(t)->how.search, "N",                                           \
       "where none is accepted, N runs more at most with guessed cells (with --verify)"},   \
  {                                                                                         \
    "seed", CLI_UINT64, &(t)->how.seed, "N", "of images, starts and noise (default 0)"      \
  }
#define CLI_THINK_ABOUT                                                                            \
  "With --views K each puzzle is tried K times, as it is and in random symmetric images (digits\n" \
  "renamed, lines exchanged, grids turned), and answers are mapped back. With --rollouts K\n"      \
  "--noise S each of these is tried K times with noise on what the model thinks; a model that\n"   \
  "starts at random (arch.start_std) has rollouts without --noise, too. --select says whose\n"     \
  "answer counts: q, the surest after its last step; first, the first that is surer than --bar\n"  \
  "after two steps in a row, which ends the others and is by far the cheapest; mode, the answer\n" \
  "that most tries give; vote, for each cell the symbol that is likeliest on average; residual,\n" \
  "the one that moves least at its end. Steps are those of all tries together\n"                   \
  "(docs/EVALUATION.md).\n"
/* Fills in `how`; a usage error is reported when it is false. */
bool cli_think(cli_thinking *t, trm_halt halt);
/* ARGUMENT where rollouts of the model would all be the same, or a seed would seed nothing. */
trm_status cli_check_draws(const trm_thinking *how, const trm_model *model, trm_error *err);
/* Whether anything was asked for. */
bool cli_thinks(const trm_thinking *how);

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
/* For a command that also takes settings, key=value: writes how `name` is set to `value` (NULL: not
 * given) into `text`; false when there is no such setting. */
typedef bool cli_setting_fn(const char *name, const char *value, char *text, size_t size);
/* The same for such a command: a setting that is written as an option is refused with its form. */
bool cli_options_parse_settings(const cli_manual *manual, const cli_option *options,
                                cli_setting_fn *setting, int *argc, char **argv, int *code);
void cli_print_help(const cli_manual *manual, const cli_option *options, FILE *f);
/* The line as it was typed, "trm COMMAND ...", with quotes for a shell where it needs some: a block
 * of malloc; NULL: no memory. Before the options are read, which moves the words. */
char *cli_command_line(const char *command, int argc, char *const *argv);
/* "batch" of "b,batch". */
const char *cli_option_name(const cli_option *o);
/* Whether `path` can name what is to be written: not nothing and not "-". */
bool cli_is_output(const char *path);
/* What a command writes replaces what is there of the same kind, and nothing else. Who names an
 * output, which must outlive the command, says so here before it is written, as reading an option
 * does; cli_finish then tells what was replaced. */
void cli_name_output(const char *path);
/* ".pt" of "a/b.pt": the last part of a name that begins with a dot and a letter; NULL when there
 * is none, as in "a.b/c", "step_1.5", ".hidden" and "a.b/". */
const char *cli_ending(const char *path);

/* The value of --halt: "never", "q" or "q=LOGIT"; a usage error is reported when it is false. */
bool cli_parse_halt(const char *text, trm_halt *halt, double *margin);

/* ---- commands and their actions (actions.c) ---- */

typedef struct cli_command {
  const char *name;
  int (*run)(int argc, char **argv);
  const char *about;
} cli_command;

typedef struct cli_action {
  const char *verb, *kind, *about; /* kind NULL: the verb stands alone */
  int (*run)(int argc, char **argv);
} cli_action;
typedef struct cli_group {
  const char *command, *operand; /* operand: what the list shows behind a verb without kinds */
  const cli_action *actions;
  int n;
} cli_group;
/* The rest of the line for the action that its first words name. */
int cli_group_run(const cli_group *g, int argc, char **argv);

/* What --help does in place of printing; NULL: it prints. A group hands over itself and then,
 * asked for help in its turn, each of its actions. */
typedef struct cli_tellers {
  void (*manual)(const cli_manual *manual, const cli_option *options);
  void (*group)(const cli_group *g);
} cli_tellers;
extern const cli_tellers *cli_teller;

/* ---- terminal and progress (progress.c) ---- */

bool cli_is_terminal(FILE *f);
/* True on a terminal unless TERM is "dumb": its cursor can be moved. */
bool cli_moves(FILE *f);
/* The same, unless NO_COLOR is set. */
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

/* How far a long command is, on stderr: a bar on a terminal; elsewhere, as in the log of a batch
 * job, a whole line soon after the start and then every 30 s; nothing with --quiet. */
typedef struct cli_progress {
  const char *label, *unit; /* "training", "samples" */
  int64_t total, first;     /* first: where it stood at the start (a resumed run) */
  double per_step;          /* units shown for one step: 1, or the batch size */
  double started, drawn;    /* of the bar; -1: it is not on the screen */
  bool active, bar;
} cli_progress;
extern bool cli_quiet; /* what CLI_QUIET_ROW of a command's table sets */
#define CLI_QUIET_ROW \
  { "q,quiet", CLI_FLAG, &cli_quiet, NULL, "show no progress" }
/* Seconds between lines in place of 30; 0: none. */
void cli_progress_pace(double seconds);
/* total 0: unknown until the first update. */
void cli_progress_begin(cli_progress *p, const char *label, int64_t first, int64_t total,
                        const char *unit, double per_step);
/* Shows it when it is time to; `extra` (NULL is fine) is shown after the counts. */
void cli_progress_update(cli_progress *p, int64_t done, const char *extra);
/* The same at another time than now, in seconds of cli_now. */
void cli_progress_update_at(cli_progress *p, int64_t done, const char *extra, double now);
/* Removes the bar from the screen, so that a line can be printed; the next update redraws it. */
void cli_progress_clear(cli_progress *p);
void cli_progress_end(cli_progress *p);
/* A trm_progress_fn: arg is a cli_progress; false once a signal has come. */
bool cli_progress_tick(void *arg, int64_t done, int64_t total);

/* Work of one piece, which shows no progress: a thread says on stderr what is being done, if it is
 * not done after some seconds; nothing with --quiet. `text` must outlive it. */
typedef struct cli_patience {
  const char *text;
  struct timespec when;
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t change;
  bool waits, over;
} cli_patience;
enum { CLI_PATIENCE = 3 /* seconds */ };
void cli_patience_begin(cli_patience *p, double seconds, const char *text);
void cli_patience_end(cli_patience *p);

/* ---- signals (signals.c) ---- */

/* Signals that ask the program to end set a flag, and after a second it is said what it waits for;
 * a second Ctrl-C ends it at once with code 130. */
void cli_signals_install(void);
/* True once such a signal, or a fault, has come: keep what is done and end. */
bool cli_interrupted(void);
/* What was asked to end has ended, the next thing goes on until it is asked again. */
void cli_interrupted_go_on(void);
/* Times that the program was paused (Ctrl-Z) and went on. */
int cli_pauses(void);
/* True once a write met the limit of `ulimit -f`. */
bool cli_file_limit_came(void);

/* ---- mapped files that are cut, or that the disk cannot read (faults.c) ---- */

#define CLI_CUT_MESSAGE                                                                          \
  ": was cut short, or could not be read from its disk, while it was in use; make it whole and " \
  "repeat"
/* A fault ends the program at once with CLI_FAILED and the file's name ... */
void cli_faults_install(void);
/* ... and from here on reads as zeros and is noted, so that the caller can keep what was done
 * before: it looks with cli_faults_check before anything that was read is used. */
void cli_faults_defer(void);
bool cli_faulted(void);
trm_status cli_faults_check(trm_error *err); /* TRM_E_IO with the file's name */

/* ---- commands: argv[0] is the first argument after the command's name ---- */

int cmd_train(int argc, char **argv);
int cmd_eval(int argc, char **argv);
int cmd_solve(int argc, char **argv);
int cmd_sudoku(int argc, char **argv);
int cmd_finetune(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_models(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_page(int argc, char **argv);
int cmd_runs(int argc, char **argv);
int cmd_data(int argc, char **argv);
int cmd_arc(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_convert(int argc, char **argv);
int cmd_reproduce(int argc, char **argv);

#endif
