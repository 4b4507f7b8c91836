/* The kinds of puzzles and how each is augmented: one table. Input and label of an example always
 * get the same image, and what is not scored stays so. */
#include "data/augmenter.h"

#include "data/arc/arc_move.h"
#include "data/sudoku/sudoku_shape.h"
#include "data/sudoku/sudoku_symmetry.h"
#include "trm/dataset.h"

static void sudoku_image(const trm__augmenter *a, trm__rng *rng, const int32_t *from_inputs,
                         const int32_t *from_labels, int32_t *inputs, int32_t *labels) {
  trm__symmetry g;
  trm__symmetry_draw(a->puzzle, rng, &g);
  trm__symmetry_apply_tokens(&g, from_inputs, inputs);
  trm__symmetry_apply_tokens(&g, from_labels, labels);
}

static void grid_image(const trm__augmenter *a, trm__rng *rng, const int32_t *from_inputs,
                       const int32_t *from_labels, int32_t *inputs, int32_t *labels) {
  trm__grid_image g;
  trm__grid_image_draw(&a->symmetry, from_inputs, from_labels, rng, &g);
  trm__grid_image_apply(&a->symmetry, &g, 0, from_inputs, inputs);
  trm__grid_image_apply(&a->symmetry, &g, TRM_IGNORE_LABEL, from_labels, labels);
}

static void arc_image(const trm__augmenter *a, trm__rng *rng, const int32_t *from_inputs,
                      const int32_t *from_labels, int32_t *inputs, int32_t *labels) {
  trm__arc_move(rng, a->puzzle->rows, from_inputs, from_labels, inputs, labels);
}

static trm_status init_arc(trm__augmenter *a, const char *file, trm_error *err) {
  (void)a, (void)file, (void)err;
  return TRM_OK;
}

static trm_status init_sudoku(trm__augmenter *a, const char *file, trm_error *err) {
  if (!trm__sudoku_known(a->puzzle))
    TRM_FAIL(err, TRM_E_CONFIG, "%s: no Sudoku has such boxes: set augment=none", file);
  return TRM_OK;
}

static trm_status init_maze(trm__augmenter *a, const char *file, trm_error *err) {
  return trm__grid_symmetry_init(&a->symmetry, a->puzzle, "dihedral", file, NULL, err);
}

static trm_status init_grid(trm__augmenter *a, const char *file, trm_error *err) {
  TRM_TRY(trm__grid_symmetry_init(&a->symmetry, a->puzzle, a->puzzle->symmetries, file, NULL, err));
  if (trm__grid_symmetry_none(&a->symmetry))
    TRM_FAIL(err, TRM_E_CONFIG,
             "%s: augmentation on the fly: these puzzles declare no symmetries; set augment=none, "
             "or build the data set again with symmetries",
             file);
  return TRM_OK;
}

/* A kind without a row has no images. */
static const struct {
  trm_status (*init)(trm__augmenter *a, const char *file, trm_error *err);
  void (*image)(const trm__augmenter *a, trm__rng *rng, const int32_t *from_inputs,
                const int32_t *from_labels, int32_t *inputs, int32_t *labels);
} kinds[TRM_PUZZLE_KINDS] = {
    [TRM_PUZZLE_SUDOKU] = {init_sudoku, sudoku_image},
    [TRM_PUZZLE_MAZE] = {init_maze, grid_image},
    [TRM_PUZZLE_ARC] = {init_arc, arc_image},
    [TRM_PUZZLE_GRID] = {init_grid, grid_image},
};

trm_status trm__augmenter_init(trm__augmenter *a, const trm_puzzle *p, const char *file,
                               trm_error *err) {
  a->puzzle = p;
  if (p->kind == TRM_PUZZLE_NONE)
    TRM_FAIL(err, TRM_E_CONFIG,
             "%s: augmentation on the fly needs to know what the tokens mean, and dataset.json has "
             "no \"puzzle\": set augment=none",
             file);
  const char *name = trm_puzzle_kind_name(p->kind);
  if (!name || !kinds[p->kind].init)
    TRM_FAIL(err, TRM_E_CONFIG,
             "%s: puzzles of kind %s cannot be augmented on the fly: set augment=none", file,
             name ? name : "unknown");
  a->image = kinds[p->kind].image;
  return kinds[p->kind].init(a, file, err);
}

bool trm_puzzle_has_images(const trm_puzzle *p) {
  trm__augmenter a = {0};
  return trm__augmenter_init(&a, p, "", NULL) == TRM_OK;
}
