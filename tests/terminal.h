/* The program on a terminal: a pseudo-terminal, and the screen that a person would see. */
#ifndef TRM_TESTS_TERMINAL_H
#define TRM_TESTS_TERMINAL_H

#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <utmp.h>

#include "launch.h"

enum { SCREEN_LINES = 400, SCREEN_COLUMNS = 200 };

/* What was written, as a terminal shows it: the last `high` lines of `text` are on the screen,
 * those before have left it at the top. */
typedef struct terminal {
  int master;
  pid_t child;
  int high, wide;
  char text[SCREEN_LINES][SCREEN_COLUMNS + 1];
  int top, line, column; /* top: of the screen; line and column: of the cursor */
  int lowest;            /* line that anything was written to */
  int ups;               /* times that the cursor was moved up */
  char escape[32];       /* begun; [0] is its length */
  char raw[TEXT];        /* all bytes */
  size_t n;
} terminal;

/* --- the screen --- */

static inline void terminal_down(terminal *t) {
  t->line++;
  if (t->line >= t->top + t->high) t->top++;
  if (t->line >= SCREEN_LINES) fail_msg("more lines than a test should write");
  if (t->line > t->lowest) t->lowest = t->line;
}

/* A sequence that is complete: those that the program may use, and no others. */
static inline void terminal_obey(terminal *t, const char *sequence, char last) {
  char *line = t->text[t->line];
  const int n = atoi(sequence + 1), at = t->column < t->wide ? t->column : t->wide - 1;
  if (last == 'm') return;
  if (last == 'A') {
    t->ups++;
    t->line -= n;
    if (t->line < t->top) fail_msg("the cursor is moved up beyond the screen");
  } else if (last == 'K' || last == 'J') {
    /* A character at the edge, on which the cursor waits, goes, too. */
    memset(line + at, ' ', (size_t)(t->wide - at));
    for (int i = t->line + 1; last == 'J' && i < SCREEN_LINES; i++)
      memset(t->text[i], ' ', (size_t)t->wide);
  } else {
    fail_msg("an escape sequence that nobody expects: %s%c", sequence, last);
  }
}

static inline void terminal_put(terminal *t, char c) {
  const int begun = t->escape[0];
  if (begun) {
    if (begun == 1 && c != '[') fail_msg("an escape that begins with '%c'", c);
    const bool ends = begun > 1 && ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'));
    if (begun > 28) fail_msg("an endless escape");
    t->escape[begun] = c;
    t->escape[0] = (char)(begun + 1);
    if (!ends) return;
    t->escape[begun] = 0;
    terminal_obey(t, t->escape + 1, c);
    t->escape[0] = 0;
  } else if (c == '\033') {
    t->escape[0] = 1;
  } else if (c == '\r') {
    t->column = 0;
  } else if (c == '\n') {
    terminal_down(t);
  } else if (c == '\b') {
    t->column -= t->column > 0;
  } else {
    /* A character at the edge stays there until the next one comes. */
    if (t->column == t->wide) {
      t->column = 0;
      terminal_down(t);
    }
    t->text[t->line][t->column++] = c;
  }
}

/* --- the program --- */

/* Starts it on a terminal of `high` lines and `wide` columns; `as`: settings of its environment
 * beside TERM=xterm, ended by NULL; `input`: its stdin is the terminal, too, else /dev/null. Skips
 * the test where there is no pseudo-terminal. */
static inline void terminal_start(terminal *t, int high, int wide, const char *const *as,
                                  bool input, const char *const *args) {
  int slave;
  const struct winsize size = {(unsigned short)high, (unsigned short)wide, 0, 0};
  *t = (terminal){.high = high, .wide = wide};
  for (int i = 0; i < SCREEN_LINES; i++) memset(t->text[i], ' ', (size_t)wide);
  if (openpty(&t->master, &slave, NULL, NULL, &size) != 0) {
    print_message("no pseudo-terminal here\n");
    skip();
  }

  /* A session of its own, whose terminal that is, so that Ctrl-C comes from it. */
  t->child = fork();
  assert_true(t->child >= 0);
  if (t->child == 0) {
    const char *argv[MAX_ARGS + 2] = {TRM_PROGRAM};
    for (int i = 0; i < MAX_ARGS && args[i]; i++) argv[i + 1] = args[i];
    alarm(120);
    close(t->master);
    if (input)
      login_tty(slave);
    else
      redirect("/dev/null", O_RDONLY, 0);
    for (int fd = input ? 3 : 1; fd < 3; fd++) dup2(slave, fd);
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    for (int i = 0; as && as[i]; i++) putenv((char *)(uintptr_t)as[i]);
    execv(TRM_PROGRAM, (char *const *)argv);
    _exit(98);
  }
  close(slave);
}

/* Takes what it writes; false when nothing comes in `patience` milliseconds, or it has ended. */
static inline bool terminal_take(terminal *t, int patience) {
  char bytes[4096];
  struct pollfd output = {.fd = t->master, .events = POLLIN};
  if (poll(&output, 1, patience) <= 0) return false;
  const ssize_t n = read(t->master, bytes, sizeof bytes);
  for (ssize_t i = 0; i < n; i++) {
    terminal_put(t, bytes[i]);
    if (t->n < sizeof t->raw - 1) t->raw[t->n++] = bytes[i];
  }
  return n > 0;
}

/* The lines from the first of all, without spaces at their ends; until the next call. */
static inline const char *terminal_text(const terminal *t) {
  static char text[SCREEN_LINES * (SCREEN_COLUMNS + 1) + 1];
  char *to = text;
  for (int i = 0; i <= t->lowest; i++) {
    int n = t->wide;
    while (n > 0 && t->text[i][n - 1] == ' ') n--;
    memcpy(to, t->text[i], (size_t)n);
    to += n;
    *to++ = '\n';
  }
  *to = 0;
  return text;
}

/* Until the screen, or what has left it, has the text `part`. */
static inline void terminal_await(terminal *t, const char *part) {
  while (!strstr(terminal_text(t), part))
    if (!terminal_take(t, 60000)) fail_msg("no '%s' in:\n%s", part, terminal_text(t));
}

static inline void terminal_type(terminal *t, const char *text) {
  assert_int_equal(write(t->master, text, strlen(text)), strlen(text));
}

static inline void terminal_resize(terminal *t, int high, int wide) {
  const struct winsize size = {(unsigned short)high, (unsigned short)wide, 0, 0};
  assert_int_equal(ioctl(t->master, TIOCSWINSZ, &size), 0);
  t->high = high;
  t->top = t->line >= high ? t->line - high + 1 : 0;
}

/* Stops it, as Ctrl-Z does, and lets it go on. */
static inline void terminal_pause(terminal *t) {
  int status;
  assert_int_equal(kill(t->child, SIGSTOP), 0);
  assert_int_equal(waitpid(t->child, &status, WUNTRACED), t->child);
  assert_int_equal(kill(t->child, SIGCONT), 0);
}

/* Its exit code, with all that it wrote. */
static inline int terminal_end(terminal *t) {
  int status;
  while (terminal_take(t, 60000)) {
  }
  close(t->master);
  assert_int_equal(waitpid(t->child, &status, 0), t->child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* All of it at once, without input. */
static inline int terminal_run(terminal *t, int high, int wide, const char *const *as,
                               const char *const *args) {
  terminal_start(t, high, wide, as, false, args);
  return terminal_end(t);
}

#endif
