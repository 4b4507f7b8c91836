/* See grid_symmetry.h. Invariant: the declared transforms and renamings are groups, so that the
 * images of an image are the images of the original. A turn that does not fit a canvas with unlike
 * sides is left out; whether one fits is the same for a grid and all its images. */
#include "puzzle/grid_symmetry.h"

#include <stdio.h>
#include <string.h>

#include "puzzle/puzzle.h"

/* --- reading the declaration --- */

static const struct {
  const char *name;
  int n;
  uint8_t transform[TRM__DIHEDRAL];
} families[] = {{"dihedral", 8, {0, 1, 2, 3, 4, 5, 6, 7}},
                {"rotate", 4, {0, 1, 2, 3}},
                {"flip", 4, {0, 2, 4, 5}},
                {"transpose", 2, {0, 6}}};

enum { N_FAMILIES = sizeof families / sizeof *families };

typedef struct parse {
  trm__grid_symmetry *s;
  const trm_puzzle *p;
  const char *file;
  int family; /* -1: none so far */
} parse;

/* The first and last token of "a" or "a-b"; false when it is neither. */
static bool read_range(const trm_puzzle *p, const char *text, size_t n, int *first, int *last) {
  *first = *last = trm__puzzle_token(p, text, n);
  for (size_t i = 1; *first < 0 && i + 1 < n; i++) {
    if (text[i] != '-') continue;
    *first = trm__puzzle_token(p, text, i);
    *last = trm__puzzle_token(p, text + i + 1, n - i - 1);
    if (*last < *first) *first = -1;
  }
  return *first >= 0;
}

/* "1-9" or "a+b+c": a class of its own. */
static trm_status read_class(parse *q, const char *text, size_t n, trm_error *err) {
  int members = 0, first, last;
  uint8_t class = (uint8_t)++q->s->n_classes;
  for (size_t from = 0, to; from <= n; from = to + 1) {
    /* A '+' that begins an item is the symbol itself. */
    for (to = from + 1; to < n && text[to] != '+'; to++) {
    }
    if (to > n) to = n;
    if (!read_range(q->p, text + from, to - from, &first, &last))
      TRM_FAIL(err, TRM_E_CONFIG,
               "%s: permute:%.*s: '%.*s' is no symbol of the vocabulary and no range a-b of them",
               q->file, (int)n, text, (int)(to - from), text + from);
    for (int token = first; token <= last; token++, members++) {
      if (q->s->of_class[token])
        TRM_FAIL(err, TRM_E_CONFIG, "%s: permute:%.*s: symbol '%s' is named twice", q->file, (int)n,
                 text, trm_puzzle_symbol(q->p, token));
      q->s->of_class[token] = class;
    }
  }
  if (members < 2)
    TRM_FAIL(err, TRM_E_CONFIG, "%s: permute:%.*s: want two symbols or more", q->file, (int)n,
             text);
  return TRM_OK;
}

static trm_status read_name(parse *q, const char *text, size_t n, trm_error *err) {
  static const char permute[] = "permute:";
  const size_t head = sizeof permute - 1;
  if (n > head && !memcmp(text, permute, head)) return read_class(q, text + head, n - head, err);
  for (int i = 0; i < N_FAMILIES; i++) {
    if (strlen(families[i].name) != n || memcmp(families[i].name, text, n) != 0) continue;
    /* Any two of them generate all eight. */
    q->family = q->family < 0 || q->family == i ? i : 0;
    return TRM_OK;
  }
  TRM_FAIL(err, TRM_E_CONFIG,
           "%s: unknown symmetry '%.*s': want dihedral, rotate, flip, transpose or permute:LIST",
           q->file, (int)n, text);
}

/* The transforms of the family that some grid of the canvas can have. */
static trm_status take_family(parse *q, trm_error *err) {
  trm__grid_symmetry *s = q->s;
  s->n_transforms = 1;
  if (q->family < 0) return TRM_OK;
  for (int i = 1; i < families[q->family].n; i++) {
    int t = families[q->family].transform[i];
    if (s->sized || s->rows == s->cols || !trm__dihedral_turns(t))
      s->transform[s->n_transforms++] = (uint8_t)t;
  }
  if (s->n_transforms == 1)
    TRM_FAIL(err, TRM_E_CONFIG, "%s: symmetry %s: grids of %d x %d cells have none of it", q->file,
             families[q->family].name, s->rows, s->cols);
  return TRM_OK;
}

/* What was read, in a fixed order: the family, then the classes as they were written. */
static trm_status write_canonical(const parse *q, const char *text, char *out, size_t size,
                                  trm_error *err) {
  size_t used = 0;
  out[0] = 0;
  if (q->family >= 0) used = (size_t)snprintf(out, size, "%s", families[q->family].name);
  for (const char *at = text; used < size && (at = strstr(at, "permute:")); at++)
    if (at == text || at[-1] == ',')
      used += (size_t)snprintf(out + used, size - used, "%s%.*s", used ? "," : "",
                               (int)strcspn(at, ","), at);
  if (used >= size)
    TRM_FAIL(err, TRM_E_CONFIG, "%s: symmetries: want at most %zu characters, got %zu", q->file,
             size - 1, strlen(text));
  return TRM_OK;
}

trm_status trm__grid_symmetry_init(trm__grid_symmetry *s, const trm_puzzle *p, const char *text,
                                   const char *file, char canonical[sizeof p->symmetries],
                                   trm_error *err) {
  memset(s, 0, sizeof *s);
  parse q = {s, p, file, -1};
  s->rows = p->rows;
  s->cols = p->cols;
  s->sized = trm_puzzle_facts_of(p)->declared && p->sized;
  s->tokens = trm_puzzle_first_symbol(p) + trm_puzzle_n_symbols(p);
  for (const char *at = text; *at;) {
    size_t n = strcspn(at, ",");
    TRM_TRY(read_name(&q, at, n, err));
    at += n + (at[n] == ',');
  }
  TRM_TRY(take_family(&q, err));
  return canonical ? write_canonical(&q, text, canonical, sizeof p->symmetries, err) : TRM_OK;
}

/* --- images --- */

typedef struct extent {
  int rows, cols;
} extent;

/* The size of the grid in the canvas' corner: only its end marks stand in the first column below
 * and in the first row beside it. */
static extent find_extent(const trm__grid_symmetry *s, const int32_t *grid) {
  extent e = {s->rows, s->cols};
  if (!s->sized) return e;
  for (int i = s->rows - 1; i > 0; i--)
    if (grid[i * s->cols] == TRM_PUZZLE_END) e.rows = i;
  for (int j = s->cols - 1; j > 0; j--)
    if (grid[j] == TRM_PUZZLE_END) e.cols = j;
  return e;
}

static bool fits(const trm__grid_symmetry *s, int transform, extent e) {
  return !trm__dihedral_turns(transform) || (e.rows <= s->cols && e.cols <= s->rows);
}

static void keep_names(const trm__grid_symmetry *s, trm__grid_image *image) {
  for (int v = 0; v < s->tokens; v++) image->token[v] = (uint8_t)v;
}

void trm__grid_image_draw(const trm__grid_symmetry *s, const int32_t *inputs, const int32_t *labels,
                          trm__rng *rng, trm__grid_image *image) {
  extent in = find_extent(s, inputs), out = find_extent(s, labels);
  int allowed[TRM__DIHEDRAL], n = 0;
  for (int i = 0; i < s->n_transforms; i++)
    if (fits(s, s->transform[i], in) && fits(s, s->transform[i], out))
      allowed[n++] = s->transform[i];
  image->transform = allowed[n > 1 ? trm__rng_below(rng, (uint32_t)n) : 0];
  keep_names(s, image);
  for (int class = 1; class <= s->n_classes; class ++) {
    int32_t member[TRM__GRID_TOKENS], name[TRM__GRID_TOKENS];
    int members = 0;
    for (int v = 0; v < s->tokens; v++)
      if (s->of_class[v] == class) member[members++] = v;
    memcpy(name, member, (size_t)members * sizeof *name);
    trm__rng_shuffle(rng, name, members);
    for (int i = 0; i < members; i++) image->token[member[i]] = (uint8_t)name[i];
  }
}

void trm__grid_image_apply(const trm__grid_symmetry *s, const trm__grid_image *image, int32_t pad,
                           const int32_t *from, int32_t *to) {
  extent e = find_extent(s, from);
  bool turns = trm__dihedral_turns(image->transform);
  int rows = turns ? e.cols : e.rows, cols = turns ? e.rows : e.cols;
  for (int i = 0; i < s->rows; i++, to += s->cols)
    for (int j = 0; j < s->cols; j++) {
      int32_t token = pad;
      if (i < rows && j < cols) {
        int source = trm__dihedral_source(image->transform, e.rows, e.cols, i, j);
        token = from[source / e.cols * s->cols + source % e.cols];
        if (token >= 0 && token < s->tokens) token = image->token[token];
      } else if ((i == rows && j < cols) || (j == cols && i < rows)) {
        token = TRM_PUZZLE_END;
      }
      to[j] = token;
    }
}

/* Gives the k-th symbol of a class that occurs the name of its k-th symbol. */
static void rename_by_occurrence(const trm__grid_symmetry *s, int32_t *grid) {
  uint8_t name[TRM__GRID_TOKENS] = {0}, next[TRM__GRID_TOKENS] = {0};
  for (int i = 0; i < s->rows * s->cols; i++) {
    int32_t v = grid[i];
    if (v < 0 || v >= s->tokens || !s->of_class[v]) continue;
    int class = s->of_class[v];
    if (!name[v]) {
      int to = next[class];
      while (s->of_class[to] != class) to++;
      name[v] = (uint8_t)to;
      next[class] = (uint8_t)(to + 1);
    }
    grid[i] = name[v];
  }
}

static bool is_less(const int32_t *a, const int32_t *b, int n) {
  for (int i = 0; i < n; i++)
    if (a[i] != b[i]) return a[i] < b[i];
  return false;
}

void trm__grid_canonical(const trm__grid_symmetry *s, const int32_t *grid, int32_t *scratch,
                         int32_t *out) {
  trm__grid_image image;
  extent e = find_extent(s, grid);
  size_t bytes = (size_t)(s->rows * s->cols) * sizeof *out;
  keep_names(s, &image);
  for (int i = 0; i < s->n_transforms; i++) {
    image.transform = s->transform[i];
    if (!fits(s, image.transform, e)) continue;
    trm__grid_image_apply(s, &image, 0, grid, scratch);
    rename_by_occurrence(s, scratch);
    if (i == 0 || is_less(scratch, out, s->rows * s->cols)) memcpy(out, scratch, bytes);
  }
}
