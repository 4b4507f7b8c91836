/* The signals that the program answers, in one table. Whatever asks it to end - a person, a
 * terminal that closes, a batch system's warning, a timer - is one request: the long parts look at
 * cli_interrupted, keep what is done, and the program ends with CLI_INTERRUPTED.
 *
 * SIGCONT is counted, so that who draws on a terminal knows that others did in between.
 *
 * Left alone: SIGQUIT (Ctrl-\), which ends at once and leaves a core; SIGTSTP, SIGTTIN and SIGTTOU,
 * which pause; what tells of a fault in the program. SIGBUS: faults.c.
 *
 * The flags here and in faults.c are the program's only mutable globals. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

enum { PATIENCE = 1 /* second, until it is said why the program has not ended */ };
/* A request may come twice, from a terminal or `timeout` to the group and to the process. */
#define SAME_REQUEST_MS 500

static atomic_bool stop_came, limit_came;
static atomic_int pauses;
static atomic_llong interrupt_ms; /* of the first SIGINT; 0: none */

static long long now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return 1000LL * t.tv_sec + t.tv_nsec / 1000000 + 1;
}

static void say_why(void) {
  static const char text[] =
      "trm: stopping after what is under way; Ctrl-C now ends at once and loses it\n";
  if (isatty(STDERR_FILENO) && write(STDERR_FILENO, "\n", 1) < 0) return;
  if (write(STDERR_FILENO, text, sizeof text - 1) < 0) return; /* nobody listens */
}

static void on_stop(int number) {
  const int kept = errno;
  if (number == SIGINT) {
    long long first = 0;
    const long long now = now_ms();
    if (!atomic_compare_exchange_strong(&interrupt_ms, &first, now) &&
        now - first > SAME_REQUEST_MS)
      _exit(CLI_INTERRUPTED);
  }
  if (!atomic_exchange(&stop_came, true))
    alarm(PATIENCE);
  else if (number == SIGALRM)
    say_why();
  errno = kept;
}

static void on_continue(int number) {
  (void)number;
  atomic_fetch_add(&pauses, 1);
}

static void on_file_limit(int number) {
  (void)number;
  atomic_store(&limit_came, true); /* the write fails with EFBIG */
}

static const struct {
  int number;
  void (*handler)(int);
  bool always; /* else not where it was ignored at the start: nohup, and what is like it */
} answers[] = {
    {SIGPIPE, SIG_IGN, true}, /* a closed pipe shows as a write error */
    {SIGINT, on_stop, true},        {SIGTERM, on_stop, true},     {SIGHUP, on_stop, false},
    {SIGUSR1, on_stop, false},      {SIGUSR2, on_stop, false},    {SIGXCPU, on_stop, false},
    {SIGALRM, on_stop, true},       {SIGVTALRM, on_stop, false},  {SIGPROF, on_stop, false},
    {SIGXFSZ, on_file_limit, true}, {SIGCONT, on_continue, true},
#ifdef SIGPWR
    {SIGPWR, on_stop, false},
#endif
};

void cli_signals_install(void) {
  sigset_t open;
  sigemptyset(&open);
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
    struct sigaction action, before;
    sigaction(answers[i].number, NULL, &before);
    if (!answers[i].always && before.sa_handler == SIG_IGN) continue;
    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    action.sa_handler = answers[i].handler;
    action.sa_flags = SA_RESTART;
    sigaction(answers[i].number, &action, NULL);
    sigaddset(&open, answers[i].number);
  }
  sigprocmask(SIG_UNBLOCK, &open, NULL); /* a launcher may have blocked them */
}

bool cli_interrupted(void) {
  return atomic_load(&stop_came) || cli_faulted();
}

void cli_interrupted_go_on(void) {
  alarm(0);
  atomic_store(&interrupt_ms, 0);
  atomic_store(&stop_came, false);
}

int cli_pauses(void) {
  return atomic_load(&pauses);
}

bool cli_file_limit_came(void) {
  return atomic_load(&limit_came);
}
