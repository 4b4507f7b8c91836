/* Augmentation of ARC on the fly: the copies are as they were drawn when the data set was made, for
 * an id stands for one of them; what is fresh at every draw is where the pair lies. */
#ifndef TRM_PUZZLE_ARC_MOVE_H
#define TRM_PUZZLE_ARC_MOVE_H

#include "base/rng.h"
#include "puzzle/arc/arc_grid.h"

/* An example of side x side cells each, with its pair moved to a place drawn uniformly from those
 * where both grids fit. Padding of the labels, -100 or 0, stays what it is. Tokens that are no pair
 * of grids at a common place are copied as they are. */
void trm__arc_move(trm__rng *rng, int side, const int32_t *from_inputs, const int32_t *from_labels,
                   int32_t *inputs, int32_t *labels);

#endif
