/* See grid_svg.h. Cells are rectangles with their symbol in the middle; nothing is scaled. */
#include "cli/pictures/grid_svg.h"

#include <stdlib.h>
#include <string.h>

#include "cli/files.h"
#include "cli/pictures/grid_style.h"

enum { MARGIN = 12, TITLE = 24, GAP = 36, PIXEL = 18, CELL = 28, CHARACTER = 10 };

static const char answered_ink[] = "#1a56b0"; /* what the question leaves open */

typedef struct drawing {
  FILE *f;
  const trm_puzzle *p;
  int cell_width, cell_height;
} drawing;

static int most(int a, int b) {
  return a > b ? a : b;
}

static int pair_width(const drawing *d, const grid_svg_pair *pair) {
  return (pair->question_box.cols + pair->answer_box.cols) * d->cell_width + GAP;
}

static int pair_height(const drawing *d, const grid_svg_pair *pair) {
  return TITLE + most(pair->question_box.rows, pair->answer_box.rows) * d->cell_height;
}

/* Text of which XML sees nothing but characters. Bytes that no XML may hold become '?'. */
static void put_text(FILE *f, const char *text) {
  for (const char *c = text; *c; c++) {
    unsigned char byte = (unsigned char)*c;
    bool no_character = !strncmp(c, "\xef\xbf\xbe", 3) || !strncmp(c, "\xef\xbf\xbf", 3);
    if (no_character) c += 2;
    if (no_character || byte < 32 || byte == 127)
      fputc('?', f);
    else if (byte == '<')
      fputs("&lt;", f);
    else if (byte == '>')
      fputs("&gt;", f);
    else if (byte == '&')
      fputs("&amp;", f);
    else
      fputc(byte, f);
  }
}

static void draw_cell(const drawing *d, int x, int y, int32_t token, bool open) {
  grid_style style = grid_style_of(d->p, token);
  char symbol[TRM_PUZZLE_MAX_SYMBOL + 1];
  grid_style_symbol(d->p, token, symbol);
  fprintf(d->f, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"#%06x\"/>\n", x, y,
          d->cell_width, d->cell_height, (unsigned)style.fill);
  if (style.tells || grid_style_is_blank(d->p, symbol) || !strcmp(symbol, " ")) return;
  fprintf(d->f, "<text x=\"%d\" y=\"%d\" ", x + d->cell_width / 2,
          y + d->cell_height / 2 + d->cell_height / 5);
  if (open && !style.filled)
    fprintf(d->f, "fill=\"%s\">", answered_ink);
  else
    fprintf(d->f, "fill=\"#%06x\">", (unsigned)style.ink);
  put_text(d->f, symbol);
  fputs("</text>\n", d->f);
}

static void draw_line(const drawing *d, int x1, int y1, int x2, int y2, bool thick) {
  fprintf(d->f, "<path d=\"M%d %dL%d %d\" stroke-width=\"%d\"/>\n", x1, y1, x2, y2, thick ? 3 : 1);
}

/* Lines between the cells, thick ones around boxes. */
static void draw_lines(const drawing *d, int x, int y, trm_puzzle_box box) {
  bool boxes = trm_puzzle_facts_of(d->p)->boxes;
  int width = box.cols * d->cell_width, height = box.rows * d->cell_height;
  fputs("<g stroke=\"#777777\">\n", d->f);
  for (int row = 0; row <= box.rows; row++)
    draw_line(d, x, y + row * d->cell_height, x + width, y + row * d->cell_height,
              boxes && row % d->p->box_rows == 0);
  for (int col = 0; col <= box.cols; col++)
    draw_line(d, x + col * d->cell_width, y, x + col * d->cell_width, y + height,
              boxes && col % d->p->box_cols == 0);
  fputs("</g>\n", d->f);
}

/* With `question` what it leaves open is drawn in another ink. */
static void draw_grid(const drawing *d, int x, int y, trm_puzzle_box box, const int32_t *tokens,
                      const int32_t *question) {
  for (int row = 0; row < box.rows; row++)
    for (int col = 0; col < box.cols; col++) {
      int cell = (box.row + row) * d->p->cols + box.col + col;
      draw_cell(d, x + col * d->cell_width, y + row * d->cell_height, tokens[cell],
                question && !grid_style_is_given(d->p, question[cell]));
    }
  draw_lines(d, x, y, box);
}

static void draw_pair(const drawing *d, int y, const grid_svg_pair *pair) {
  int answer_x = MARGIN + pair->question_box.cols * d->cell_width + GAP;
  int top = y + TITLE;
  fprintf(d->f, "<text x=\"%d\" y=\"%d\" style=\"text-anchor:start;font-size:13px\">", MARGIN,
          y + TITLE - 8);
  put_text(d->f, pair->title);
  fputs("</text>\n", d->f);
  draw_grid(d, MARGIN, top, pair->question_box, pair->question, NULL);
  fprintf(d->f, "<text x=\"%d\" y=\"%d\">\xe2\x86\x92</text>\n", answer_x - GAP / 2,
          top + d->cell_height * most(pair->question_box.rows, 1) / 2 + 5);
  draw_grid(d, answer_x, top, pair->answer_box, pair->answer, pair->question);
}

static void draw_all(FILE *f, const trm_puzzle *p, const grid_svg_pair *pairs, int n) {
  int symbol = grid_style_symbol_width(p) * CHARACTER + 8;
  drawing d = {.f = f, .p = p, .cell_width = PIXEL, .cell_height = PIXEL};
  if (!grid_style_is_pixels(p)) {
    d.cell_height = CELL;
    d.cell_width = most(CELL, symbol);
  }

  /* As wide as the widest pair, as high as all of them. */
  int width = 240, height = MARGIN;
  for (int i = 0; i < n; i++) {
    width = most(width, most(pair_width(&d, &pairs[i]), (int)strlen(pairs[i].title) * 8));
    height += pair_height(&d, &pairs[i]) + MARGIN;
  }

  /* The style is here once, for all pairs. */
  fprintf(d.f,
          "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" "
          "width=\"%d\" height=\"%d\">\n<style>text{font-family:sans-serif;font-size:%dpx;"
          "text-anchor:middle}</style>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>"
          "\n",
          width + 2 * MARGIN, height, d.cell_height * 6 / 10);

  /* The pairs, one below the other. */
  for (int i = 0, y = MARGIN / 2; i < n; i++) {
    draw_pair(&d, y, &pairs[i]);
    y += pair_height(&d, &pairs[i]) + MARGIN;
  }
  fputs("</svg>\n", d.f);
}

trm_status grid_svg_write(const char *path, const trm_puzzle *p, const grid_svg_pair *pairs, int n,
                          trm_error *err) {
  char *text = NULL;
  size_t size = 0;
  trm__writer out;
  trm_status st = TRM_OK;
  FILE *f = open_memstream(&text, &size);
  if (f) draw_all(f, p, pairs, n);
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
