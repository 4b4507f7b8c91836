/* See grid_svg.h. Cells are rectangles with their symbol in the middle; nothing is scaled. */
#include "cli/pictures/grid_svg.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/files.h"
#include "cli/pictures/grid_style.h"

enum { MARGIN = 12, TITLE = 24, CAPTION = 20, GAP = 36, PIXEL = 18, CELL = 28, CHARACTER = 10 };

/* Looks, as in the page of trm serve (page/board.css). */
static const char given_ground[] = "#eef0f3";
static const char changed_ground[] = "#dff2df", changed_ink[] = "#1b7a2f";
static const char wrong_ground[] = "#fdeaea", wrong_ink[] = "#b3161b";
static const char answered_ink[] = "#1a56b0"; /* what the question leaves open */

static int most(int a, int b) {
  return a > b ? a : b;
}

/* A stream of memory may not tell of what it had no room for but by each call's result. */
static void CLI_PRINTF(2, 3) put(grid_svg *g, const char *format, ...) {
  va_list args;
  va_start(args, format);
  if (vfprintf(g->body, format, args) < 0) g->cut = true;
  va_end(args);
}

/* Text of which XML sees nothing but characters. Bytes that no XML may hold become '?'. */
static void put_text(grid_svg *g, const char *text) {
  for (const char *c = text; *c; c++) {
    unsigned char byte = (unsigned char)*c;
    bool no_character = !strncmp(c, "\xef\xbf\xbe", 3) || !strncmp(c, "\xef\xbf\xbf", 3);
    if (no_character) c += 2;
    if (no_character || byte < 32 || byte == 127)
      put(g, "?");
    else if (byte == '<')
      put(g, "%s", "&lt;");
    else if (byte == '>')
      put(g, "%s", "&gt;");
    else if (byte == '&')
      put(g, "%s", "&amp;");
    else
      put(g, "%c", byte);
  }
}

/* A line of text that begins at x and stands on y. */
static void draw_text(grid_svg *g, int x, int y, const char *text) {
  put(g, "<text x=\"%d\" y=\"%d\" style=\"text-anchor:start;font-size:13px\">", x, y);
  put_text(g, text);
  put(g, "%s", "</text>\n");
}

/* Hatching: diagonals, a third of the cell apart. */
static void draw_hatch(grid_svg *g, int x, int y, bool filled) {
  const int w = g->cell_width, h = g->cell_height;
  put(g, "%s", "<path d=\"");
  for (int i = 1; i <= 3; i++) put(g, "M%d %dL%d %d", x, y + h * i / 3, x + w * i / 3, y);
  for (int i = 1; i < 3; i++) put(g, "M%d %dL%d %d", x + w * i / 3, y + h, x + w, y + h * i / 3);
  put(g, "\" stroke=\"%s\" fill=\"none\" opacity=\"%s\"/>\n", wrong_ink, filled ? "1" : "0.45");
}

/* A corner, which is seen on any colour. */
static void draw_corner(grid_svg *g, int x, int y, bool filled) {
  const int size = g->cell_height * (filled ? 4 : 3) / 10;
  put(g, "<path d=\"M%d %dv%dl-%d -%dz\" fill=\"%s\"%s/>\n", x + g->cell_width, y, size, size, size,
      changed_ink, filled ? " stroke=\"#ffffff\"" : "");
}

static void draw_symbol(grid_svg *g, int x, int y, const char *symbol, const char *ink, bool bold) {
  put(g, "<text x=\"%d\" y=\"%d\" fill=\"%s\"%s>", x + g->cell_width / 2,
      y + g->cell_height / 2 + g->cell_height / 5, ink, bold ? " font-weight=\"600\"" : "");
  put_text(g, symbol);
  put(g, "%s", "</text>\n");
}

static void draw_cell(grid_svg *g, int x, int y, const grid_view *v, int cell) {
  const grid_style style = grid_style_of(v->puzzle, v->tokens[cell]);
  const grid_look look = grid_view_look(v, cell);
  char symbol[TRM_PUZZLE_MAX_SYMBOL + 1], fill[8], ink[8];
  grid_style_symbol(v->puzzle, v->tokens[cell], symbol);
  snprintf(fill, sizeof fill, "#%06x", (unsigned)style.fill & 0xFFFFFF);
  snprintf(ink, sizeof ink, "#%06x", (unsigned)style.ink & 0xFFFFFF);
  put(g, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"%s\"/>\n", x, y, g->cell_width,
      g->cell_height,
      style.filled   ? fill
      : look.wrong   ? wrong_ground
      : look.changed ? changed_ground
      : look.given   ? given_ground
                     : fill);
  if (look.wrong) draw_hatch(g, x, y, style.filled);

  /* The ink says how the cell looks, unless it has to be seen on the cell's own colour. */
  const bool open = v->question && !look.given;
  const bool shows = !style.tells && !grid_style_is_blank(v->puzzle, symbol) && strcmp(symbol, " ");
  if (shows)
    draw_symbol(g, x, y, symbol,
                style.filled || look.given ? ink
                : look.wrong               ? wrong_ink
                : look.changed             ? changed_ink
                : open                     ? answered_ink
                                           : ink,
                look.given);
  if (look.changed) draw_corner(g, x, y, style.filled);
}

static void draw_line(grid_svg *g, int x1, int y1, int x2, int y2, bool thick) {
  put(g, "<path d=\"M%d %dL%d %d\" stroke-width=\"%d\"/>\n", x1, y1, x2, y2, thick ? 3 : 1);
}

/* Lines between the cells, thick ones around boxes. */
static void draw_lines(grid_svg *g, int x, int y, trm_puzzle_box box) {
  bool boxes = trm_puzzle_facts_of(g->puzzle)->boxes;
  int width = box.cols * g->cell_width, height = box.rows * g->cell_height;
  put(g, "%s", "<g stroke=\"#777777\">\n");
  for (int row = 0; row <= box.rows; row++)
    draw_line(g, x, y + row * g->cell_height, x + width, y + row * g->cell_height,
              boxes && row % g->puzzle->box_rows == 0);
  for (int col = 0; col <= box.cols; col++)
    draw_line(g, x + col * g->cell_width, y, x + col * g->cell_width, y + height,
              boxes && col % g->puzzle->box_cols == 0);
  put(g, "%s", "</g>\n");
}

static void draw_grid(grid_svg *g, int x, int y, const grid_view *v) {
  const trm_puzzle_box box = v->box;
  for (int row = 0; row < box.rows; row++)
    for (int col = 0; col < box.cols; col++)
      draw_cell(g, x + col * g->cell_width, y + row * g->cell_height, v,
                (box.row + row) * v->puzzle->cols + box.col + col);
  draw_lines(g, x, y, box);
}

trm_status grid_svg_begin(grid_svg *g, const trm_puzzle *p, trm_error *err) {
  *g = (grid_svg){
      .puzzle = p, .cell_width = PIXEL, .cell_height = PIXEL, .width = 240, .height = MARGIN};
  if (!grid_style_is_pixels(p)) {
    g->cell_height = CELL;
    g->cell_width = most(CELL, grid_style_symbol_width(p) * CHARACTER + 8);
  }
  g->body = open_memstream(&g->text, &g->size);
  g->shown = calloc((size_t)p->rows * (size_t)p->cols, sizeof *g->shown);
  if (g->body && g->shown) return TRM_OK;
  grid_svg_drop(g);
  return cli_fail(err, TRM_E_MEMORY, -1, "no memory for a drawing");
}

/* --- animations --- */

/* A picture that a program for pictures at rest shows is the last frame, too: frames lie over each
 * other, each has what differs from those below, and only who may move something hides them until
 * their time comes. */
enum { HOLD = 4 /* steps that the last frame stays */ };

static void end_film(grid_svg *g) {
  const double seconds = (g->frames - 1 + HOLD) * g->pace;
  if (g->frames == 0) return;
  put(g, "%s", "<style>@media (prefers-reduced-motion:no-preference){\n");
  for (int i = 1; i < g->frames; i++)
    put(g,
        ".s%d-%d{animation:s%d-%d %.6gs step-end infinite}"
        "@keyframes s%d-%d{0%%{visibility:hidden}%.6g%%{visibility:visible}}\n",
        g->films, i, g->films, i, seconds, g->films, i, 100 * i * g->pace / seconds);
  put(g, "%s", "}</style>\n");
  g->height = g->top + g->high + MARGIN + MARGIN / 2;
  g->frames = g->high = 0;
}

void grid_svg_film(grid_svg *g, double pace) {
  end_film(g);
  g->films++;
  g->pace = pace;
  g->top = g->height - MARGIN / 2 + TITLE;
  g->box = (trm_puzzle_box){0};
}

static bool is_same_box(trm_puzzle_box a, trm_puzzle_box b) {
  return a.row == b.row && a.col == b.col && a.rows == b.rows && a.cols == b.cols;
}

static bool is_same_cell(const grid_svg_cell *a, const grid_svg_cell *b) {
  return a->token == b->token && a->look.given == b->look.given &&
         a->look.changed == b->look.changed && a->look.wrong == b->look.wrong;
}

/* Cells that are seen to change, or all of them; returns whether there are any. */
static bool draw_changes(grid_svg *g, const grid_view *v, bool all) {
  const trm_puzzle_box box = v->box;
  bool any = all;
  for (int row = 0; row < box.rows; row++)
    for (int col = 0; col < box.cols; col++) {
      const int cell = (box.row + row) * v->puzzle->cols + box.col + col;
      const grid_svg_cell now = {v->tokens[cell], grid_view_look(v, cell)};
      if (!all && is_same_cell(&now, &g->shown[cell])) continue;
      g->shown[cell] = now;
      any = true;
      draw_cell(g, MARGIN + col * g->cell_width, g->top + row * g->cell_height, v, cell);
    }
  return any;
}

void grid_svg_frame(grid_svg *g, const char *title, const grid_view *v) {
  /* The title on paper of its own, for it lies over another. */
  put(g, "<g class=\"s%d-%d\">\n<rect y=\"%d\" width=\"100%%\" height=\"%d\" fill=\"#ffffff\"/>\n",
      g->films, g->frames, g->top - TITLE, TITLE - 2);
  draw_text(g, MARGIN, g->top - 8, title);

  /* A grid of another size takes the place of the whole. */
  const bool first = g->frames == 0, resized = first || !is_same_box(v->box, g->box);
  if (resized && !first)
    put(g, "<rect y=\"%d\" width=\"100%%\" height=\"%d\" fill=\"#ffffff\"/>\n", g->top - 2,
        g->high + 4);
  const bool any = draw_changes(g, v, resized);
  if (resized) {
    put(g, "<g id=\"l%d-%d\">\n", g->films, g->frames);
    draw_lines(g, MARGIN, g->top, v->box);
    put(g, "%s", "</g>\n");
    g->lines = g->frames;
  } else if (any) {
    put(g, "<use href=\"#l%d-%d\"/>\n", g->films, g->lines);
  }
  put(g, "%s", "</g>\n");

  /* What the picture has to be as large as. */
  g->box = v->box;
  g->high = most(g->high, v->box.rows * g->cell_height);
  g->width = most(g->width, most(v->box.cols * g->cell_width, (int)strlen(title) * 8));
  g->frames++;
}

/* --- pictures --- */

void grid_svg_add(grid_svg *g, const char *title, const grid_view *views, int n, bool arrow) {
  end_film(g);

  /* As high as the highest grid, below the title and where there are any the grids' own. */
  const int titles = n && views[0].title ? CAPTION : 0;
  int x = MARGIN, high = 0;
  const int top = g->height - MARGIN / 2 + TITLE + titles;
  draw_text(g, MARGIN, top - titles - 8, title);
  for (int i = 0; i < n; i++) high = most(high, views[i].box.rows * g->cell_height);

  /* From left to right; the width of a text is a guess. */
  for (int i = 0; i < n; i++) {
    const int grid = views[i].box.cols * g->cell_width;
    if (titles) draw_text(g, x, top - 8, views[i].title);
    draw_grid(g, x, top, &views[i]);
    x += titles ? most(grid, (int)strlen(views[i].title) * 8) : grid;
    if (arrow && i == 0)
      put(g, "<text x=\"%d\" y=\"%d\">\xe2\x86\x92</text>\n", x + GAP / 2,
          top + g->cell_height * most(views[0].box.rows, 1) / 2 + 5);
    x += GAP;
  }
  g->width = most(g->width, most(x - GAP - MARGIN, (int)strlen(title) * 8));
  g->height += TITLE + titles + high + MARGIN;
}

/* What stands before the body: its size, known at last, and the style of all text. */
static void put_head(const grid_svg *g, char *head, size_t size) {
  snprintf(head, size,
           "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" "
           "width=\"%d\" height=\"%d\">\n%s<style>text{font-family:sans-serif;font-size:%dpx;"
           "text-anchor:middle}</style>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>"
           "\n",
           g->width + 2 * MARGIN, g->height,
           g->films ? "<title>Puzzles and their answers, step by step</title>\n" : "",
           g->cell_height * 6 / 10);
}

trm_status grid_svg_end(grid_svg *g, const char *path, trm_error *err) {
  char head[500];
  trm__writer out;
  trm_status st = TRM_OK;
  end_film(g);
  put(g, "</svg>\n");
  const bool whole = cli_memory_close(g->body, &g->text) && !g->cut;
  g->body = NULL;
  put_head(g, head, sizeof head);
  if (!whole) {
    st = cli_fail(err, TRM_E_MEMORY, -1, "%s: no memory for the drawing", path);
  } else if (!strcmp(path, "-")) {
    fputs(head, stdout); /* the end of the program tells what stdout did not take */
    fwrite(g->text, 1, g->size, stdout);
  } else if ((st = trm__writer_open(&out, path, err)) == TRM_OK) {
    trm__write(&out, head, strlen(head));
    trm__write(&out, g->text, g->size);
    st = trm__writer_commit(&out, err);
  }
  grid_svg_drop(g);
  return st;
}

void grid_svg_drop(grid_svg *g) {
  if (g->body) fclose(g->body);
  free(g->text);
  free(g->shown);
  *g = (grid_svg){0};
}
