/* The terminal side of a long command: is there one, how wide, the bar, and Ctrl-C.
 *
 * The signal flags are the program's only mutable globals. */
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

static volatile sig_atomic_t signal_came, interrupt_came;

static void on_signal(int number) {
  signal_came = 1;
  if (number != SIGINT) return;
  if (interrupt_came) _exit(CLI_INTERRUPTED);
  interrupt_came = 1;
}

void cli_signals_install(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  sigemptyset(&action.sa_mask);
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, NULL);
}

bool cli_interrupted(void) {
  return signal_came != 0;
}

bool cli_is_terminal(FILE *f) {
  return isatty(fileno(f)) != 0;
}

bool cli_colour(FILE *f) {
  const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
  if ((no_colour && *no_colour) || (term && !strcmp(term, "dumb"))) return false;
  return cli_is_terminal(f);
}

double cli_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void cli_format_duration(double seconds, char *text, size_t n) {
  if (!(seconds < 1e12)) {
    snprintf(text, n, "?");
    return;
  }
  int64_t s = (int64_t)(seconds + 0.5);
  if (s < 60)
    snprintf(text, n, "%d s", (int)s);
  else if (s < 3600)
    snprintf(text, n, "%d min %d s", (int)(s / 60), (int)(s % 60));
  else if (s < 86400)
    snprintf(text, n, "%d h %d min", (int)(s / 3600), (int)(s % 3600 / 60));
  else
    snprintf(text, n, "%lld d %d h", (long long)(s / 86400), (int)(s % 86400 / 3600));
}

void cli_format_bytes(double bytes, char *text, size_t n) {
  static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  size_t u = 0;
  while (bytes >= 1024 && u + 1 < sizeof units / sizeof *units) {
    bytes /= 1024;
    u++;
  }
  snprintf(text, n, "%.*f %s", u && bytes < 100 ? 1 : 0, bytes, units[u]);
}

void cli_format_count(int64_t value, char *text, size_t n) {
  char digits[32];
  int len = snprintf(digits, sizeof digits, "%lld", (long long)value);
  size_t out = 0;
  for (int i = 0; i < len && out + 2 < n; i++) {
    text[out++] = digits[i];
    if (digits[i] != '-' && i + 1 < len && (len - 1 - i) % 3 == 0) text[out++] = ',';
  }
  if (n) text[out] = 0;
}

void cli_format_number(int64_t n, const char *one, const char *many, char *text, size_t size) {
  char count[32];
  cli_format_count(n, count, sizeof count);
  snprintf(text, size, "%s %s", count, n == 1 ? one : many);
}

static int terminal_width(void) {
  struct winsize size;
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20) return size.ws_col;
  return 80;
}

void cli_progress_begin(cli_progress *p, const char *label, int64_t first, int64_t total,
                        const char *unit, double per_step) {
  *p = (cli_progress){.label = label,
                      .unit = unit,
                      .first = first,
                      .total = total,
                      .per_step = per_step,
                      .started = cli_now(),
                      .drawn = -1,
                      .active = cli_is_terminal(stderr)};
}

static void draw_bar(const cli_progress *p, int64_t done, const char *extra, double now) {
  char left[128], right[512], eta[32];
  double elapsed = now - p->started, steps = (double)(done - p->first);
  double share = p->total > 0 ? fmin(1, (double)done / (double)p->total) : 0;
  double rate = elapsed > 0 && steps > 0 ? steps / elapsed : 0;
  cli_format_duration(rate > 0 ? (double)(p->total - done) / rate : INFINITY, eta, sizeof eta);
  snprintf(left, sizeof left, "%s %3d%% ", p->label, (int)(100 * share));
  double shown = rate * p->per_step;
  snprintf(right, sizeof right, " %lld/%lld%s%s  %.*f %s/s  ETA %s", (long long)done,
           (long long)p->total, extra && *extra ? "  " : "", extra ? extra : "", shown < 10 ? 2 : 0,
           shown, p->unit, eta);
  int width = terminal_width() - 1;
  int room = width - (int)strlen(left) - (int)strlen(right) - 2;
  int cells = room > 30 ? 30 : room;
  if (cells < 5) {
    fprintf(stderr, "\r\033[K%.*s", width, left);
    int rest = width - (int)strlen(left);
    if (rest > 0) fprintf(stderr, "%.*s", rest, right + 1);
  } else {
    int full = (int)(share * cells);
    fprintf(stderr, "\r\033[K%s[", left);
    for (int i = 0; i < cells; i++) fputc(i < full ? '#' : '.', stderr);
    fprintf(stderr, "]%s", right);
  }
  fflush(stderr);
}

void cli_progress_update(cli_progress *p, int64_t done, const char *extra) {
  if (!p->active) return;
  double now = cli_now();
  if (p->drawn >= 0 && now - p->drawn < 0.1 && done < p->total) return;
  p->drawn = now;
  draw_bar(p, done, extra, now);
}

void cli_progress_clear(cli_progress *p) {
  if (!p->active || p->drawn < 0) return;
  fputs("\r\033[K", stderr);
  fflush(stderr);
  p->drawn = -1;
}

void cli_progress_end(cli_progress *p) {
  cli_progress_clear(p);
  p->active = false;
}

bool cli_progress_tick(void *arg, int64_t done, int64_t total) {
  cli_progress *p = arg;
  if (p->total != total) p->total = total;
  cli_progress_update(p, done, NULL);
  return !cli_interrupted();
}
