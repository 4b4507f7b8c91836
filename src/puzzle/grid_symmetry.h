/* Symmetries that a puzzle on a canvas declares: turned and mirrored grids, renamed symbols. Grids
 * here are rows of tokens [rows * cols], in labels with cells of -100 that are not scored. */
#ifndef TRM_PUZZLE_GRID_SYMMETRY_H
#define TRM_PUZZLE_GRID_SYMMETRY_H

#include "base/error.h"
#include "base/rng.h"
#include "puzzle/dihedral.h"
#include "trm/puzzle.h"

enum { TRM__GRID_TOKENS = TRM_PUZZLE_MAX_SYMBOLS + 2 };

typedef struct trm__grid_symmetry {
  int rows, cols; /* of the canvas */
  int tokens;
  bool sized;
  int n_transforms, n_classes;
  uint8_t transform[TRM__DIHEDRAL];   /* [0] is the identity */
  uint8_t of_class[TRM__GRID_TOKENS]; /* tokens of one class change names; 0: keeps its name */
} trm__grid_symmetry;

/* One image: `transform`, and token v becomes token[v]. */
typedef struct trm__grid_image {
  int transform;
  uint8_t token[TRM__GRID_TOKENS];
} trm__grid_image;

/* Reads "dihedral,permute:1-9" ("": none). `canonical` (NULL is fine) gets the same in the way it
 * is stored. Errors: CONFIG; the message begins with `file`. */
trm_status trm__grid_symmetry_init(trm__grid_symmetry *s, const trm_puzzle *p, const char *text,
                                   const char *file, char canonical[sizeof p->symmetries],
                                   trm_error *err);
static inline bool trm__grid_symmetry_none(const trm__grid_symmetry *s) {
  return s->n_transforms == 1 && s->n_classes == 0;
}

/* A uniform draw among the images of which both grids fit the canvas. */
void trm__grid_image_draw(const trm__grid_symmetry *s, const int32_t *inputs, const int32_t *labels,
                          trm__rng *rng, trm__grid_image *image);
/* `from` and `to` may not overlap; `pad` is what the rest of the canvas holds. */
void trm__grid_image_apply(const trm__grid_symmetry *s, const trm__grid_image *image, int32_t pad,
                           const int32_t *from, int32_t *to);
/* The same for all images of a grid; `scratch` and `out` [rows * cols]. */
void trm__grid_canonical(const trm__grid_symmetry *s, const int32_t *grid, int32_t *scratch,
                         int32_t *out);

#endif
