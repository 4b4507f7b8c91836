/* See chart_svg.h. A chart is drawn in pixels of the size it asks for; nothing is scaled. */
#include "cli/pictures/chart_svg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/text.h"
#include "cli/files.h"

/* Of letters a width is assumed, for nothing measures them. */
enum { LETTER = 7, LINE = 20, MARGIN = 16, TICK = 5, PLOT_WIDTH = 560, PLOT_HEIGHT = 320 };
enum { BAR = 14, BAR_GAP = 2, ROW_GAP = 12 };

/* Okabe and Ito's colours without yellow, which white hides, and black, which is the text's. */
static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                      "#e69f00", "#56b4e9", "#7f7f7f"};
enum { COLOURS = sizeof colours / sizeof *colours };
static const char *const dashes[] = {"", "7 4", "2 3", "9 3 2 3"};
enum { DASHES = sizeof dashes / sizeof *dashes };

/* ---- numbers and texts ---- */

/* In the locale "C", and no longer than it must be. */
static const char *pixel(double v, char text[TRM__NUMBER_SIZE]) {
  trm__number_format("%.1f", v, text);
  return text;
}

static void put_text(FILE *f, const char *text) {
  for (; *text; text++) {
    if (*text == '&')
      fputs("&amp;", f);
    else if (*text == '<')
      fputs("&lt;", f);
    else if (*text == '>')
      fputs("&gt;", f);
    else
      fputc(*text, f);
  }
}

/* A text at a place; `how`: attributes more, as its anchor. What a user named is cleaned. */
static void put_label(FILE *f, double x, double y, const char *how, const char *text) {
  char at[2][TRM__NUMBER_SIZE], room[CLI_CLEAN];
  fprintf(f, "<text x=\"%s\" y=\"%s\"%s%s>", pixel(x, at[0]), pixel(y, at[1]), *how ? " " : "",
          how);
  put_text(f, cli_clean(room, sizeof room, text));
  fputs("</text>\n", f);
}

static void put_line(FILE *f, double x1, double y1, double x2, double y2, const char *class) {
  char at[4][TRM__NUMBER_SIZE];
  fprintf(f, "<line x1=\"%s\" y1=\"%s\" x2=\"%s\" y2=\"%s\" class=\"%s\"/>\n", pixel(x1, at[0]),
          pixel(y1, at[1]), pixel(x2, at[2]), pixel(y2, at[3]), class);
}

static double width_of(const char *text) {
  return text ? LETTER * (double)trm__text_count(text, strlen(text)) : 0;
}

/* ---- scales ---- */

/* Values low … high lie at the pixels from … to, with a tick at every multiple of `step`. */
typedef struct scale {
  double low, high, step, from, to;
} scale;

static double place(const scale *s, double v) {
  return s->from + (v - s->low) / (s->high - s->low) * (s->to - s->from);
}

/* What can be drawn: no log is trusted, and of larger values the range is infinite. */
static bool is_there(double v) {
  return fabs(v) <= 1e300;
}

/* 1, 2 or 5 times a power of ten, so that there are some five ticks. */
static double step_for(double range) {
  const double power = pow(10, floor(log10(range / 5))), rest = range / 5 / power;
  return power * (rest < 1.5 ? 1 : rest < 3.5 ? 2 : rest < 7.5 ? 5 : 10);
}

/* The axis' own range, or that of the data with round ends. */
static scale scale_of(const chart_axis *axis, double least, double most, double from, double to) {
  scale s = {axis->low, axis->high, 0, from, to};
  const bool given = axis->low < axis->high;
  if (!given) {
    if (!(least <= most)) least = most = 0;
    if (axis->zero) least = fmin(least, 0), most = fmax(most, 0);

    /* Values that are as good as the same have an axis, too. */
    const double size = fmax(fabs(least), fabs(most));
    if (!(most - least > fmax(1e-12 * size, 1e-300))) most = least + (size > 1e-300 ? size : 1);
    s.low = least;
    s.high = most;
  }
  s.step = step_for(s.high - s.low);
  if (given) return s;
  s.low = floor(s.low / s.step + 1e-9) * s.step;
  s.high = ceil(s.high / s.step - 1e-9) * s.step;
  return s;
}

static void print_tick(double v, double step, char *text, size_t size) {
  char number[TRM__NUMBER_SIZE];
  if (fabs(v) < step * 1e-6) v = 0;
  if (step >= 1 && fabs(v) >= 1000 && fabs(v) < 1e15) {
    cli_format_count((int64_t)llround(v), text, size);
    return;
  }
  trm__number_format("%.6g", v, number);
  snprintf(text, size, "%s", number);
}

static int ticks_of(const scale *s) {
  return (int)floor((s->high - s->low) / s->step + 1e-6) + 1;
}

static double tick_at(const scale *s, int i) {
  return (ceil(s->low / s->step - 1e-6) + i) * s->step;
}

static void put_x_axis(FILE *f, const scale *x, const scale *y, const char *label) {
  char text[40];
  for (int i = 0; i < ticks_of(x) && tick_at(x, i) <= x->high + 1e-6 * x->step; i++) {
    const double at = place(x, tick_at(x, i));
    print_tick(tick_at(x, i), x->step, text, sizeof text);
    put_line(f, at, y->from, at, y->to, "grid");
    put_label(f, at, y->from + LINE, "text-anchor=\"middle\"", text);
  }
  put_line(f, x->from, y->from, x->to, y->from, "axis");
  if (label)
    put_label(f, (x->from + x->to) / 2, y->from + 2.2 * LINE, "text-anchor=\"middle\"", label);
}

static void put_y_axis(FILE *f, const scale *x, const scale *y) {
  char text[40];
  for (int i = 0; i < ticks_of(y) && tick_at(y, i) <= y->high + 1e-6 * y->step; i++) {
    const double at = place(y, tick_at(y, i));
    print_tick(tick_at(y, i), y->step, text, sizeof text);
    put_line(f, x->from, at, x->to, at, "grid");
    put_label(f, x->from - TICK, at + 4, "text-anchor=\"end\"", text);
  }
  put_line(f, x->from, y->from, x->from, y->to, "axis");
}

/* Room for the labels of the ticks to the left of a plot. */
static double room_of_ticks(const scale *y) {
  double room = 0;
  char text[40];
  for (int i = 0; i < ticks_of(y); i++) {
    print_tick(tick_at(y, i), y->step, text, sizeof text);
    room = fmax(room, width_of(text));
  }
  return room;
}

/* ---- the whole ---- */

static void begin(FILE *f, double width, double height, const char *title) {
  char text[2][TRM__NUMBER_SIZE];
  trm__number_format("%.0f", ceil(width), text[0]);
  trm__number_format("%.0f", ceil(height), text[1]);
  fprintf(f,
          "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
          "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%s\" height=\"%s\" "
          "viewBox=\"0 0 %s %s\">\n<style>\n"
          "text{font:12px sans-serif;fill:#1f2328}.title{font-weight:bold}"
          ".note{font-style:italic}\n"
          ".back{fill:#ffffff}.grid{stroke:#d8dee4}.axis,.whisker{stroke:#1f2328}\n"
          ".whisker{stroke-width:1.5}.line{fill:none;stroke-width:2;stroke-linejoin:round}\n"
          ".band{stroke:none;fill-opacity:0.2}\n",
          text[0], text[1], text[0], text[1]);
  for (int i = 0; i < COLOURS; i++)
    fprintf(f, ".s%d{stroke:%s}.f%d{fill:%s}\n", i, colours[i], i, colours[i]);
  fputs(
      "@media (prefers-color-scheme:dark){text{fill:#e6edf3}.back{fill:#0d1117}"
      ".grid{stroke:#30363d}.axis,.whisker{stroke:#e6edf3}}\n</style>\n"
      "<rect width=\"100%\" height=\"100%\" class=\"back\"/>\n",
      f);
  if (title) put_label(f, MARGIN, MARGIN + 8, "class=\"title\"", title);
}

/* Draws into memory, then writes what is whole. */
typedef void draw_fn(FILE *f, const void *what);
static trm_status write_drawing(const char *path, draw_fn *draw, const void *what, trm_error *err) {
  char *text = NULL;
  size_t size = 0;
  trm__writer out;
  trm_status st = TRM_OK;
  FILE *f = open_memstream(&text, &size);
  if (f) draw(f, what);
  if (f) fputs("</svg>\n", f);
  if (!cli_memory_close(f, &text)) {
    st = cli_fail(err, TRM_E_MEMORY, -1, "%s: no memory for the drawing", path);
  } else if (!strcmp(path, "-")) {
    fwrite(text, 1, size, stdout); /* the end of the program tells what stdout did not take */
  } else if ((st = trm__writer_open(&out, path, err)) == TRM_OK) {
    trm__write(&out, text, size);
    st = trm__writer_commit(&out, err);
  }
  free(text);
  return st;
}

/* ---- lines ---- */

typedef struct line_chart {
  const char *title;
  const chart_axis *x, *y;
  const chart_line *lines;
  int n;
} line_chart;

static void take_range(double v, double *least, double *most) {
  if (!is_there(v)) return;
  *least = fmin(*least, v);
  *most = fmax(*most, v);
}

static void put_point(FILE *f, const scale *x, const scale *y, double vx, double vy, char command) {
  char at[2][TRM__NUMBER_SIZE];
  fprintf(f, "%c%s %s", command, pixel(place(x, vx), at[0]), pixel(place(y, vy), at[1]));
}

static bool has_band(const chart_line *l, int i) {
  return is_there(l->x[i]) && is_there(l->low[i]) && is_there(l->high[i]);
}

/* Stretches of the band, each there along its upper edge and back along the lower one. */
static void put_band(FILE *f, const scale *x, const scale *y, const chart_line *l) {
  for (int i = 0; i < l->n; i++) {
    int end = i;
    while (end < l->n && has_band(l, end)) end++;
    if (end - i < 2) continue;
    fprintf(f, "<path class=\"band f%d\" d=\"", l->colour % COLOURS);
    for (int j = i; j < end; j++) put_point(f, x, y, l->x[j], l->high[j], j == i ? 'M' : 'L');
    for (int j = end - 1; j >= i; j--) put_point(f, x, y, l->x[j], l->low[j], 'L');
    fputs("Z\"/>\n", f);
    i = end;
  }
}

static void put_dashes(FILE *f, int colour) {
  const char *dash = dashes[colour / COLOURS % DASHES];
  if (*dash) fprintf(f, " stroke-dasharray=\"%s\"", dash);
}

static void put_curve(FILE *f, const scale *x, const scale *y, const chart_line *l) {
  char at[2][TRM__NUMBER_SIZE];
  bool open = false;
  fprintf(f, "<path class=\"line s%d\"", l->colour % COLOURS);
  put_dashes(f, l->colour);
  fputs(" d=\"", f);
  for (int i = 0; i < l->n; i++) {
    const bool there = is_there(l->x[i]) && is_there(l->y[i]);
    if (there) put_point(f, x, y, l->x[i], l->y[i], open ? 'L' : 'M');
    open = there;
  }
  fputs("\"/>\n", f);

  /* One point is no line. */
  for (int i = 0; i < l->n && l->n < 2; i++)
    if (is_there(l->x[i]) && is_there(l->y[i]))
      fprintf(f, "<circle class=\"f%d\" cx=\"%s\" cy=\"%s\" r=\"3\"/>\n", l->colour % COLOURS,
              pixel(place(x, l->x[i]), at[0]), pixel(place(y, l->y[i]), at[1]));
}

static void put_legend(FILE *f, const line_chart *c, double x, double y) {
  char at[3][TRM__NUMBER_SIZE];
  for (int i = 0; i < c->n; i++) {
    const chart_line *l = &c->lines[i];
    if (!l->label) continue;
    fprintf(f, "<path class=\"line s%d\"", l->colour % COLOURS);
    put_dashes(f, l->colour);
    fprintf(f, " d=\"M%s %sH%s\"/>\n", pixel(x, at[0]), pixel(y, at[1]), pixel(x + 24, at[2]));
    put_label(f, x + 30, y + 4, "", l->label);
    y += LINE;
  }
}

static void draw_lines(FILE *f, const void *what) {
  const line_chart *c = what;
  double least[2] = {INFINITY, INFINITY}, most[2] = {-INFINITY, -INFINITY}, legend = 0;
  int labels = 0;

  /* What there is to show. */
  for (int k = 0; k < c->n; k++) {
    const chart_line *l = &c->lines[k];
    for (int i = 0; i < l->n; i++) {
      if (is_there(l->y[i])) take_range(l->x[i], &least[0], &most[0]);
      take_range(l->y[i], &least[1], &most[1]);
      if (l->low) take_range(l->low[i], &least[1], &most[1]);
      if (l->high) take_range(l->high[i], &least[1], &most[1]);
    }
    if (!l->label) continue;
    labels++;
    legend = fmax(legend, 30 + width_of(l->label));
  }

  /* The places of the plot, from what its labels need. */
  const double top = MARGIN + (c->title ? LINE : 0) + (c->y->label ? LINE + 6 : 0);
  const double height = fmax(PLOT_HEIGHT, labels * LINE);
  scale y = scale_of(c->y, least[1], most[1], top + height, top);
  const double left = MARGIN + room_of_ticks(&y) + TICK;
  scale x = scale_of(c->x, least[0], most[0], left, left + PLOT_WIDTH);
  const double width = x.to + MARGIN + (legend > 0 ? MARGIN + legend : LETTER * 2);

  /* Axes behind bands behind lines. */
  begin(f, width, y.from + 2.2 * LINE + MARGIN, c->title);
  if (c->y->label) put_label(f, MARGIN, top - 14, "", c->y->label);
  put_x_axis(f, &x, &y, c->x->label);
  put_y_axis(f, &x, &y);
  for (int k = 0; k < c->n; k++)
    if (c->lines[k].low && c->lines[k].high) put_band(f, &x, &y, &c->lines[k]);
  for (int k = 0; k < c->n; k++) put_curve(f, &x, &y, &c->lines[k]);
  put_legend(f, c, x.to + 2 * MARGIN, top + LINE / 2.0);
}

trm_status chart_svg_lines(const char *path, const char *title, const chart_axis *x,
                           const chart_axis *y, const chart_line *lines, int n, trm_error *err) {
  return write_drawing(path, draw_lines, &(line_chart){title, x, y, lines, n}, err);
}

/* ---- bars ---- */

typedef struct bar_chart {
  const char *title;
  const chart_axis *value;
  const chart_bars *bars;
} bar_chart;

static void put_bar(FILE *f, const scale *x, double top, int kind, double value, double low,
                    double high) {
  char at[4][TRM__NUMBER_SIZE];
  if (!is_there(value)) return;
  const double zero = place(x, fmin(fmax(0, x->low), x->high)), end = place(x, value),
               middle = top + BAR / 2.0;
  fprintf(f, "<rect class=\"f%d\" x=\"%s\" y=\"%s\" width=\"%s\" height=\"%s\"/>\n", kind % COLOURS,
          pixel(fmin(zero, end), at[0]), pixel(top, at[1]), pixel(fabs(end - zero), at[2]),
          pixel(BAR, at[3]));
  if (!is_there(low) || !is_there(high)) return;
  put_line(f, place(x, low), middle, place(x, high), middle, "whisker");
  put_line(f, place(x, low), middle - 3, place(x, low), middle + 3, "whisker");
  put_line(f, place(x, high), middle - 3, place(x, high), middle + 3, "whisker");
}

static void put_kinds(FILE *f, const chart_bars *b, double x, double y) {
  char at[2][TRM__NUMBER_SIZE];
  for (int k = 0; k < b->kinds; k++) {
    fprintf(f, "<rect class=\"f%d\" x=\"%s\" y=\"%s\" width=\"12\" height=\"12\"/>\n", k % COLOURS,
            pixel(x, at[0]), pixel(y - 10, at[1]));
    put_label(f, x + 18, y, "", b->kind_labels[k]);
    x += 18 + width_of(b->kind_labels[k]) + 2 * MARGIN;
  }
}

static void draw_bars(FILE *f, const void *what) {
  const bar_chart *c = what;
  const chart_bars *b = c->bars;
  double least = 0, most = -INFINITY, labels = 0, kinds = MARGIN;

  /* The range of values and whiskers, and what the labels need. */
  for (int i = 0; i < b->rows * b->kinds; i++) {
    take_range(b->value[i], &least, &most);
    if (b->low) take_range(b->low[i], &least, &most);
    if (b->high) take_range(b->high[i], &least, &most);
  }
  for (int r = 0; r < b->rows; r++) labels = fmax(labels, width_of(b->row_labels[r]));
  for (int k = 0; k < b->kinds; k++) kinds += 18 + width_of(b->kind_labels[k]) + 2 * MARGIN;

  /* The places: a legend above the rows. */
  const double row = b->kinds * (BAR + BAR_GAP) + ROW_GAP;
  const double legend = MARGIN + 10 + (c->title ? LINE : 0), top = legend + LINE;
  const double left = MARGIN + labels + 2 * TICK, bottom = top + b->rows * row;
  const scale x = scale_of(c->value, least, most, left, left + PLOT_WIDTH);
  const scale y = {0, 1, 1, bottom, top};
  begin(f, fmax(x.to + 2 * MARGIN, kinds), bottom + 2.2 * LINE + MARGIN, c->title);
  put_kinds(f, b, MARGIN, legend);
  put_x_axis(f, &x, &y, c->value->label);

  /* Row by row. */
  for (int r = 0; r < b->rows; r++) {
    const double at = top + r * row + ROW_GAP / 2.0;
    put_label(f, left - 2 * TICK, at + (row - ROW_GAP) / 2 + 4, "text-anchor=\"end\"",
              b->row_labels[r]);
    for (int k = 0; k < b->kinds; k++) {
      const int i = r * b->kinds + k;
      const double middle = at + k * (BAR + BAR_GAP) + BAR / 2.0;
      put_bar(f, &x, at + k * (BAR + BAR_GAP), k, b->value[i], b->low ? b->low[i] : NAN,
              b->high ? b->high[i] : NAN);
      if (!is_there(b->value[i]) && b->notes && b->notes[i])
        put_label(f, left + TICK, middle + 4, "class=\"note\"", b->notes[i]);
    }
  }
  put_line(f, left, top, left, bottom, "axis");
}

trm_status chart_svg_bars(const char *path, const char *title, const chart_axis *value,
                          const chart_bars *bars, trm_error *err) {
  return write_drawing(path, draw_bars, &(bar_chart){title, value, bars}, err);
}
