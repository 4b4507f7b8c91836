/* See grid_svg.h. Cells are rectangles with their symbol in the middle; nothing is scaled. */
#include "cli/pictures/grid_svg.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/files.h"
#include "cli/pictures/grid_style.h"

enum { MARGIN = 12, TITLE = 24, CAPTION = 20, GAP = 36, PIXEL = 18, CELL = 28, CHARACTER = 10 };

/* A cell that stands out: its ground and ink, or its frame where it has a colour of its own. */
static const struct {
  const char *ground, *ink;
} marks[] = {[GRID_CHANGED] = {"#dff2df", "#1b7a2f"}, [GRID_WRONG] = {"#fbdfdf", "#c01818"}};

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

static void draw_cell(grid_svg *g, int x, int y, const grid_view *v, int cell) {
  const grid_style style = grid_style_of(v->puzzle, v->tokens[cell]);
  const grid_look look = grid_view_look(v, cell);
  const bool marked = look == GRID_CHANGED || look == GRID_WRONG;
  char symbol[TRM_PUZZLE_MAX_SYMBOL + 1];
  grid_style_symbol(v->puzzle, v->tokens[cell], symbol);
  put(g, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"", x, y, g->cell_width,
      g->cell_height);
  if (marked && !style.filled)
    put(g, "%s\"/>\n", marks[look].ground);
  else
    put(g, "#%06x\"/>\n", (unsigned)style.fill);
  if (marked && style.filled)
    put(g,
        "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"none\" stroke=\"%s\" "
        "stroke-width=\"2\"/>\n",
        x + 2, y + 2, g->cell_width - 4, g->cell_height - 4, marks[look].ink);
  if (style.tells || grid_style_is_blank(v->puzzle, symbol) || !strcmp(symbol, " ")) return;

  /* The ink says how the cell looks, unless it has to be seen on the cell's own colour. */
  const bool open = v->question && look != GRID_GIVEN;
  put(g, "<text x=\"%d\" y=\"%d\" ", x + g->cell_width / 2,
      y + g->cell_height / 2 + g->cell_height / 5);
  if (style.filled || (!open && !marked))
    put(g, "fill=\"#%06x\">", (unsigned)style.ink);
  else
    put(g, "fill=\"%s\">", marked ? marks[look].ink : answered_ink);
  put_text(g, symbol);
  put(g, "%s", "</text>\n");
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
  return g->body ? TRM_OK : cli_fail(err, TRM_E_MEMORY, -1, "no memory for a drawing");
}

void grid_svg_add(grid_svg *g, const char *title, const grid_view *views, int n, bool arrow) {
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
           "width=\"%d\" height=\"%d\">\n<style>text{font-family:sans-serif;font-size:%dpx;"
           "text-anchor:middle}</style>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>"
           "\n",
           g->width + 2 * MARGIN, g->height, g->cell_height * 6 / 10);
}

trm_status grid_svg_end(grid_svg *g, const char *path, trm_error *err) {
  char head[400];
  trm__writer out;
  trm_status st = TRM_OK;
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
  *g = (grid_svg){0};
}
