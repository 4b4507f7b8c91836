/* See augmenter.h. Input and label of an example always get the same image, and what is not scored
 * stays so. */
#include "puzzle/augmenter.h"

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

bool trm_puzzle_has_images(const trm_puzzle *p) {
  trm__augmenter a = {0};
  return trm__augmenter_init(&a, p, "", NULL) == TRM_OK;
}
