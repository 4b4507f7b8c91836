/* What a long command shows on stderr: on a terminal a bar, elsewhere a line now and then. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

bool cli_is_terminal(FILE *f) {
  return isatty(fileno(f)) != 0;
}

bool cli_moves(FILE *f) {
  const char *term = getenv("TERM");
  return cli_is_terminal(f) && !(term && !strcmp(term, "dumb"));
}

bool cli_colour(FILE *f) {
  const char *no_colour = getenv("NO_COLOR");
  return cli_moves(f) && !(no_colour && *no_colour);
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

bool cli_quiet;

/* Lines where there is no terminal, of all that a command does. A first one shows soon that it
 * works, and how long it will take. */
static const double first_line = 3;
static double line_interval = 30, next_line = -1; /* -1: none was printed */

void cli_progress_pace(double seconds) {
  line_interval = seconds;
  next_line = -1;
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
                      .active = !cli_quiet,
                      .bar = cli_is_terminal(stderr)};
}

/* What is done, to the left and to the right of the bar. */
typedef struct progress_text {
  double share;
  char left[128], right[512];
} progress_text;

static void describe(const cli_progress *p, int64_t done, const char *extra, double now,
                     progress_text *t) {
  char eta[32];
  double elapsed = now - p->started, steps = (double)(done - p->first);
  double rate = elapsed > 0 && steps > 0 ? steps / elapsed : 0, shown = rate * p->per_step;
  t->share = p->total > 0 ? fmin(1, (double)done / (double)p->total) : 0;
  cli_format_duration(rate > 0 ? (double)(p->total - done) / rate : INFINITY, eta, sizeof eta);
  snprintf(t->left, sizeof t->left, "%s %3d%% ", p->label, (int)(100 * t->share));
  snprintf(t->right, sizeof t->right, " %lld/%lld%s%s  %.*f %s/s  ETA %s", (long long)done,
           (long long)p->total, extra && *extra ? "  " : "", extra ? extra : "", shown < 10 ? 2 : 0,
           shown, p->unit, eta);
}

static void draw_bar(const progress_text *t) {
  const char *left = t->left, *right = t->right;
  int width = terminal_width() - 1;
  int room = width - (int)strlen(left) - (int)strlen(right) - 2;
  int cells = room > 30 ? 30 : room;

  /* Without room for a bar the texts stand alone, as far as they fit. */
  if (cells < 5) {
    fprintf(stderr, "\r\033[K%.*s", width, left);
    int rest = width - (int)strlen(left);
    if (rest > 0) fprintf(stderr, "%.*s", rest, right + 1);
  } else {
    int full = (int)(t->share * cells);
    fprintf(stderr, "\r\033[K%s[", left);
    for (int i = 0; i < cells; i++) fputc(i < full ? '#' : '.', stderr);
    fprintf(stderr, "]%s", right);
  }
  fflush(stderr);
}

/* Whether it is time to show something, which is then taken to have been shown. */
static bool is_due(cli_progress *p, int64_t done, double now) {
  if (p->bar) {
    if (p->drawn >= 0 && now - p->drawn < 0.1 && done < p->total) return false;
    p->drawn = now;
    return true;
  }
  if (line_interval <= 0) return false;
  if (next_line < 0) next_line = p->started + fmin(first_line, line_interval);
  if (now < next_line) return false;
  next_line = now + line_interval;
  return true;
}

void cli_progress_update_at(cli_progress *p, int64_t done, const char *extra, double now) {
  progress_text t;
  if (!p->active || !is_due(p, done, now)) return;
  describe(p, done, extra, now, &t);
  if (p->bar)
    draw_bar(&t);
  else
    cli_note("%s%s", t.left, t.right);
}

void cli_progress_update(cli_progress *p, int64_t done, const char *extra) {
  cli_progress_update_at(p, done, extra, cli_now());
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
