/* The compact form of an ARC split, as files and behind an opened data set.
 *
 * Its folder holds, for G tasks with P original pairs, N puzzles and E examples:
 *   all__pairs.npy               [P, 2, S]    the original pairs on the canvas of S cells, at its
 *                                             top left
 *   all__pair_indices.npy        [G + 1]      first pair of each task
 *   all__group_indices.npy       [G + 1]      first puzzle of each task
 *   all__puzzle_identifiers.npy  [N]
 *   all__copies.npy              [N, 10]      transform, then what becomes of the colours 1 .. 9
 *   all__offsets.npy             [E, 2]       row and column of the top left cell
 * and dataset.json says "compact": "arc". */
#ifndef TRM_DATA_ARC_COMPACT_H
#define TRM_DATA_ARC_COMPACT_H

#include "data/arc_split.h"
#include "data/dataset_index.h"

/* Reads and checks the arrays of a set whose canvas has side x side cells; ids must be below
 * id_limit. `s` is zeroed before;
 * the caller frees it, after a failure, too. */
trm_status trm__arc_compact_open(const char *folder, const char *set, int side, int64_t id_limit,
                                 trm__arc_split *s, trm_error *err);
/* A data set of a split with ids below n_ids. The split is moved into it and zeroed. */
trm_status trm__arc_compact_dataset(trm__arc_split *s, int n_ids, trm_dataset **out,
                                    trm_error *err);

#endif
