/* See augmenter.h. Input and label of an example always get the same image, and what is not scored
 * stays so. */
#include "puzzle/augmenter.h"

#include <string.h>

#include "trm/dataset.h"

static trm_status init_symmetry(trm__augmenter *a, const char *symmetries, const char *file,
                                trm_error *err) {
  TRM_TRY(trm__grid_symmetry_init(&a->symmetry, a->puzzle, symmetries, file, NULL, err));
  if (trm__grid_symmetry_none(&a->symmetry))
    TRM_FAIL(err, TRM_E_CONFIG,
             "%s: augmentation on the fly: these puzzles declare no symmetries; set augment=none, "
             "or build the data set again with symmetries",
             file);
  return TRM_OK;
}

trm_status trm__augmenter_init(trm__augmenter *a, const trm_puzzle *p, const char *file,
                               trm_error *err) {
  const trm__puzzle_kind *kind = trm__kind_of(p);
  const char *symmetries = trm__kind_symmetries(p);
  a->puzzle = p;
  a->kind = kind;
  if (kind == &trm__kind_none)
    TRM_FAIL(err, TRM_E_CONFIG,
             "%s: augmentation on the fly needs to know what the tokens mean, and dataset.json has "
             "no \"puzzle\": set augment=none",
             file);
  if (!kind->image && !symmetries)
    TRM_FAIL(err, TRM_E_CONFIG,
             "%s: puzzles of kind %s cannot be augmented on the fly: set augment=none", file,
             kind->name);
  if (!kind->image) return init_symmetry(a, symmetries, file, err);
  if (!trm__kind_knows(p))
    TRM_FAIL(err, TRM_E_CONFIG,
             "%s: no puzzle of kind %s has such sides or boxes: set augment=none", file,
             kind->name);
  return TRM_OK;
}

void trm__augmenter_draw(const trm__augmenter *a, trm__rng *rng, const int32_t *from_inputs,
                         const int32_t *from_labels, int32_t *inputs, int32_t *labels) {
  trm__grid_image g;
  if (a->kind->image) {
    a->kind->image(a->puzzle, rng, from_inputs, from_labels, inputs, labels);
    return;
  }
  trm__grid_image_draw(&a->symmetry, from_inputs, from_labels, rng, &g);
  trm__grid_image_apply(&a->symmetry, &g, 0, from_inputs, inputs);
  trm__grid_image_apply(&a->symmetry, &g, TRM_IGNORE_LABEL, from_labels, labels);
}

/* --- views --- */

trm_status trm__augmenter_init_views(trm__augmenter *a, const trm_puzzle *p, trm_error *err) {
  const trm__puzzle_kind *kind = trm__kind_of(p);
  const char *symmetries = trm__kind_symmetries(p);
  *a = (trm__augmenter){.puzzle = p, .kind = kind};
  if (kind->tables && trm__kind_knows(p)) return TRM_OK;

  /* Those that are declared; of smaller grids what does not depend on a size. */
  trm__grid_symmetry *s = &a->symmetry;
  if (symmetries) TRM_TRY(trm__grid_symmetry_init(s, p, symmetries, "the puzzle", NULL, err));
  if (symmetries && s->sized) s->n_transforms = 1;
  s->sized = false;
  if (symmetries && !trm__grid_symmetry_none(s)) return TRM_OK;
  TRM_FAIL(err, TRM_E_CONFIG,
           "views: puzzles of kind %s have no symmetries that are known for every answer: want one "
           "view",
           kind->name);
}

void trm__augmenter_view(const trm__augmenter *a, trm__rng *rng, trm__image *v) {
  const int rows = a->puzzle->rows, cols = a->puzzle->cols;
  for (int i = 0; i < rows * cols; i++) v->cell[i] = i;
  for (int i = 0; i < TRM__VIEW_TOKENS; i++) v->token[i] = (uint8_t)i;
  if (rng && a->kind->tables) {
    a->kind->tables(a->puzzle, rng, v->cell, v->token);
  } else if (rng) {
    trm__grid_image g;
    trm__grid_image_draw(&a->symmetry, NULL, NULL, rng, &g);
    for (int i = 0; i < rows * cols; i++)
      v->cell[i] = trm__dihedral_source(g.transform, rows, cols, i / cols, i % cols);
    memcpy(v->token, g.token, (size_t)a->symmetry.tokens);
  }
  for (int i = 0; i < TRM__VIEW_TOKENS; i++) v->original[v->token[i]] = (uint8_t)i;
}

bool trm_puzzle_has_images(const trm_puzzle *p) {
  trm__augmenter a = {0};
  return trm__augmenter_init(&a, p, "", NULL) == TRM_OK;
}
