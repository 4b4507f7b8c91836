/* The program run by a test as a user runs it: arguments, what it reads, says and returns. */
#ifndef TRM_TESTS_LAUNCH_H
#define TRM_TESTS_LAUNCH_H

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "scratch.h"
#include "trm.h"

enum { MAX_ARGS = 32, TEXT = 1 << 16 };

static char out_text[TEXT], err_text[TEXT]; /* of the last program run */
typedef struct launch {
  const char *input; /* for stdin, or NULL */
  rlim_t file_limit; /* bytes a file may have; 0: no limit */
  bool terminal;     /* stderr is a terminal */
  int closed;        /* bit n: descriptor n is closed */
  int ignored;       /* a signal that is ignored when the program starts; 0: none */
  int blocked;       /* one that is blocked */
} launch;

static inline void slurp(const char *path, char *text) {
  size_t n;
  unsigned char *bytes = read_bytes(path, &n);
  snprintf(text, TEXT, "%s", (char *)bytes);
  free(bytes);
}

static inline void redirect(const char *path, int flags, int fd) {
  int file = open(path, flags, 0666);
  if (file < 0 || dup2(file, fd) < 0) _exit(99);
  close(file);
}

static inline void become(scratch *s, const char *const *args, const launch *l, int terminal) {
  /* The three streams: files of the scratch folder, or a terminal for messages. */
  char path[200];
  snprintf(path, sizeof path, "%s/in", s->dir);
  redirect(l->input ? path : "/dev/null", O_RDONLY, 0);
  snprintf(path, sizeof path, "%s/out", s->dir);
  redirect(path, O_WRONLY | O_CREAT | O_TRUNC, 1);
  snprintf(path, sizeof path, "%s/err", s->dir);
  if (terminal >= 0)
    dup2(terminal, 2);
  else
    redirect(path, O_WRONLY | O_CREAT | O_TRUNC, 2);

  /* Limits and signals as the caller wants them. */
  if (l->file_limit) {
    struct rlimit limit = {l->file_limit, l->file_limit};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  if (l->ignored) signal(l->ignored, SIG_IGN);
  if (l->blocked) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, l->blocked);
    sigprocmask(SIG_BLOCK, &set, NULL);
  }

  /* Streams that are closed at the start. */
  for (int fd = 0; fd < 3; fd++)
    if (l->closed >> fd & 1) close(fd);

  /* The program. A child that cannot start it must not go on as a test. */
  const char *argv[MAX_ARGS + 2] = {TRM_PROGRAM};
  for (int i = 0; i < MAX_ARGS && args[i]; i++) argv[i + 1] = args[i];
  execv(TRM_PROGRAM, (char *const *)argv);
  _exit(98);
}

static inline pid_t start(scratch *s, const char *const *args, const launch *l, int terminal) {
  if (l->input) write_bytes(scratch_path(s, "in"), l->input, strlen(l->input));
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) become(s, args, l, terminal);
  return child;
}

static inline void nap(int milliseconds) {
  struct timespec t = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
  nanosleep(&t, NULL);
}

/* The exit code, or 1000 + the signal that ended it. One that hangs is killed. */
static inline int finish(scratch *s, pid_t child) {
  enum { PATIENCE = 300 /* seconds */, NAP = 5 /* milliseconds */ };
  int status, naps = 0;
  pid_t ended;
  while ((ended = waitpid(child, &status, WNOHANG)) == 0) {
    if (naps++ == PATIENCE * 1000 / NAP) kill(child, SIGKILL);
    nap(NAP);
  }
  assert_int_equal(ended, child);
  slurp(scratch_path(s, "out"), out_text);
  if (access(scratch_path(s, "err"), R_OK) == 0) slurp(scratch_path(s, "err"), err_text);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static inline int run_with(scratch *s, const launch *l, const char *const *args) {
  return finish(s, start(s, args, l, -1));
}

#define ARGS(...)         \
  (const char *const[]) { \
    __VA_ARGS__, NULL     \
  }
#define RUN(...) run_with(s, &(const launch){0}, ARGS(__VA_ARGS__))
#define RUN_INPUT(text, ...) run_with(s, &(const launch){.input = (text)}, ARGS(__VA_ARGS__))
static inline void says(const char *text, const char *part) {
  if (!strstr(text, part)) fail_msg("no '%s' in:\n%s", part, text);
}

static inline void want(int got, int expected) {
  if (got != expected) fail_msg("exit %d, want %d\n%s", got, expected, err_text);
}

#endif
