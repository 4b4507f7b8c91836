/* The canonical form of a Sudoku under its symmetries: bands, stacks, rows in bands, columns in
 * stacks, transposition where boxes are square, and digit names.
 *
 * Search by individualisation and refinement. Rows, columns and digits carry colours (hashes) that
 * only depend on the grid up to symmetry; refinement mixes each colour with those it meets. Where
 * rows or columns still share a colour, one class is chosen by a rule that no symmetry can notice
 * and each member in turn is singled out. Leaves, where all rows and columns differ, order the
 * grid; the least image among leaves with the least trace of colours is the canonical form. Equal
 * hashes of unlike objects only widen the search: the form is exact whatever the hash does.
 *
 * A leaf with the same image as the best one shows a symmetry of the grid itself, which carries the
 * subtree of its ancestor beside the best leaf's path into the subtree just begun: the search goes
 * straight back to where the paths part. Even an empty grid is therefore cheap. */
#include <string.h>

#include "puzzle/sudoku/sudoku_shape.h"

enum { N = TRM_SUDOKU_MAX_SIZE, MAX_DEPTH = 2 * N + 2, GO_ON = MAX_DEPTH };

typedef struct colours {
  uint64_t row[N], col[N], digit[N + 1];
} colours;

typedef struct canonizer {
  const trm__sudoku_shape *shape;
  uint8_t grid[TRM_SUDOKU_MAX_CELLS];  /* the orientation being searched */
  uint8_t given[TRM_SUDOKU_MAX_CELLS]; /* its cells with a digit */
  int n_given;
  uint8_t *best;
  bool has_best;
  uint64_t trace[MAX_DEPTH], best_trace[MAX_DEPTH];
  int best_depth;
  uint8_t path[MAX_DEPTH], best_path[MAX_DEPTH]; /* what was singled out to reach each depth */
} canonizer;

/* The finaliser of MurmurHash3's 64-bit variant. */
static uint64_t mix(uint64_t x) {
  x = (x ^ x >> 33) * 0xff51afd7ed558ccdull;
  x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53ull;
  return x ^ x >> 33;
}

static uint64_t mix2(uint64_t a, uint64_t b) {
  return mix(a + 0x9e3779b97f4a7c15ull * (b | 1) + mix(b));
}

/* Distinct values among n. */
static int count_distinct(const uint64_t *v, int n) {
  int distinct = 0;
  for (int i = 0; i < n; i++) {
    int j = 0;
    while (j < i && v[j] != v[i]) j++;
    distinct += j == i;
  }
  return distinct;
}

/* Mixes into every line the colours of its `per` neighbours in the same band (or stack). */
static void mix_groups(uint64_t *line, int size, int per) {
  for (int first = 0; first < size; first += per) {
    uint64_t sum = 0;
    for (int i = 0; i < per; i++) sum += mix(line[first + i]);
    for (int i = 0; i < per; i++) line[first + i] = mix2(line[first + i], sum);
  }
}

static void refine_once(const canonizer *z, colours *c) {
  const trm__sudoku_shape *s = z->shape;
  colours sum;
  memset(&sum, 0, sizeof sum);
  for (int i = 0; i < z->n_given; i++) {
    int cell = z->given[i], row = s->row[cell], col = s->col[cell], v = z->grid[cell];
    sum.row[row] += mix(c->col[col] + 3 * c->digit[v]);
    sum.col[col] += mix(c->row[row] + 3 * c->digit[v]);
    sum.digit[v] += mix(c->row[row] + 3 * c->col[col]);
  }
  for (int i = 0; i < s->size; i++) {
    c->row[i] = mix2(c->row[i], sum.row[i]);
    c->col[i] = mix2(c->col[i], sum.col[i]);
    c->digit[i + 1] = mix2(c->digit[i + 1], sum.digit[i + 1]);
  }
  mix_groups(c->row, s->size, s->box_rows);
  mix_groups(c->col, s->size, s->box_cols);
}

static int count_classes(const canonizer *z, const colours *c) {
  int size = z->shape->size;
  return count_distinct(c->row, size) + count_distinct(c->col, size) +
         count_distinct(c->digit + 1, size);
}

/* Refines until no class splits; returns a hash of the result. */
static uint64_t refine(const canonizer *z, colours *c) {
  int before, now = 0;
  do {
    before = now;
    refine_once(z, c);
    now = count_classes(z, c);
  } while (now > before);
  uint64_t sum = (uint64_t)now;
  for (int i = 0; i < z->shape->size; i++) sum += mix(c->row[i]) + mix(c->col[i] + 1);
  return sum;
}

/* The smallest class of more than one line, least colour first; its size, 0 when all differ. */
static int choose_class(const uint64_t *line, int size, uint64_t *colour) {
  int best = 0;
  for (int i = 0; i < size; i++) {
    int members = 0;
    for (int j = 0; j < size; j++) members += line[j] == line[i];
    if (members < 2) continue;
    if (!best || members < best || (members == best && line[i] < *colour)) {
      best = members;
      *colour = line[i];
    }
  }
  return best;
}

/* Lines in canonical order: groups by their least colour, lines in a group by colour. */
static void order_lines(const uint64_t *line, int size, int per, uint8_t *order) {
  uint64_t key[N];
  for (int first = 0; first < size; first += per) {
    uint64_t least = line[first];
    for (int i = 1; i < per; i++)
      if (line[first + i] < least) least = line[first + i];
    for (int i = 0; i < per; i++) key[first + i] = least;
  }
  for (int i = 0; i < size; i++) {
    int at = i;
    for (; at > 0; at--) {
      int p = order[at - 1];
      if (key[p] < key[i] || (key[p] == key[i] && line[p] < line[i])) break;
      order[at] = order[at - 1];
    }
    order[at] = (uint8_t)i;
  }
}

static void draw_image(const canonizer *z, const colours *c, uint8_t *image) {
  const trm__sudoku_shape *s = z->shape;
  uint8_t row[N], col[N], name[N + 1] = {0}, names = 0;
  order_lines(c->row, s->size, s->box_rows, row);
  order_lines(c->col, s->size, s->box_cols, col);
  for (int i = 0; i < s->cells; i++) {
    uint8_t v = z->grid[row[s->row[i]] * s->size + col[s->col[i]]];
    if (v && !name[v]) name[v] = ++names;
    image[i] = name[v];
  }
}

/* Compares a leaf with the best. Returns the depth at which their paths part when they are images
 * of each other (the node there is to be abandoned), else GO_ON. */
static int visit_leaf(canonizer *z, const colours *c, int depth) {
  uint8_t image[TRM_SUDOKU_MAX_CELLS];
  size_t cells = (size_t)z->shape->cells;
  draw_image(z, c, image);
  int order = -1;
  if (z->has_best && z->best_depth == depth &&
      !memcmp(z->trace, z->best_trace, (size_t)(depth + 1) * sizeof *z->trace))
    order = memcmp(image, z->best, cells);
  if (order == 0) {
    int parting = 0;
    while (parting < depth && z->path[parting] == z->best_path[parting]) parting++;
    return parting;
  }
  if (order > 0) return GO_ON;
  memcpy(z->best, image, cells);
  memcpy(z->best_trace, z->trace, sizeof z->trace);
  memcpy(z->best_path, z->path, sizeof z->path);
  z->best_depth = depth;
  z->has_best = true;
  return GO_ON;
}

/* True when no leaf below this node can have the best trace. The traces above are equal or less. */
static bool is_worse(const canonizer *z, int depth) {
  if (!z->has_best) return false;
  for (int d = 0; d <= depth; d++) {
    if (d > z->best_depth) return true; /* of two paths with equal traces the shorter is less */
    if (z->trace[d] != z->best_trace[d]) return z->trace[d] > z->best_trace[d];
  }
  return false;
}

/* Searches below the node whose member path[depth] has just been singled out (at depth 0: the
 * orientation). Returns the depth of the node to abandon, GO_ON when there is none. */
static int search_node(canonizer *z, const colours *from, int depth) {
  colours c = *from;
  z->trace[depth] = refine(z, &c);
  if (is_worse(z, depth)) return GO_ON;
  int size = z->shape->size;
  uint64_t row_colour = 0, col_colour = 0;
  int rows = choose_class(c.row, size, &row_colour), cols = choose_class(c.col, size, &col_colour);
  if ((!rows && !cols) || depth + 1 == MAX_DEPTH) return visit_leaf(z, &c, depth);
  /* The kind that is known least, so that a solved grid is split from both sides at once. */
  bool take_row = rows && (!cols || count_distinct(c.row, size) <= count_distinct(c.col, size));
  uint64_t *line = take_row ? c.row : c.col, colour = take_row ? row_colour : col_colour;
  for (int i = 0; i < size; i++) {
    if (line[i] != colour) continue;
    line[i] = mix(colour + 0x51ed27);
    z->path[depth + 1] = (uint8_t)i;
    int back = search_node(z, &c, depth + 1);
    line[i] = colour;
    if (back <= depth) return back;
  }
  return GO_ON;
}

static void search_orientation(canonizer *z, const uint8_t *values, bool transposed) {
  const trm__sudoku_shape *s = z->shape;
  z->n_given = 0;
  for (int i = 0; i < s->cells; i++) {
    z->grid[i] = transposed ? values[s->col[i] * s->size + s->row[i]] : values[i];
    if (z->grid[i]) z->given[z->n_given++] = (uint8_t)i;
  }
  colours start;
  for (int i = 0; i < N; i++) start.row[i] = 1, start.col[i] = 2;
  for (int i = 0; i <= N; i++) start.digit[i] = 3;
  z->path[0] = transposed;
  search_node(z, &start, 0);
}

void trm_sudoku_canonical(const trm_puzzle *p, const uint8_t *values, uint8_t *canonical) {
  if (!trm_sudoku_known(p)) return;
  trm__sudoku_shape shape;
  trm__sudoku_shape_init(&shape, p);
  canonizer z;
  memset(&z, 0, sizeof z);
  z.shape = &shape;
  z.best = canonical;
  uint8_t input[TRM_SUDOKU_MAX_CELLS];
  for (int i = 0; i < shape.cells; i++) input[i] = values[i] <= shape.size ? values[i] : 0;
  search_orientation(&z, input, false);
  if (shape.box_rows == shape.box_cols) search_orientation(&z, input, true);
}
