/* Holding out puzzles for testing so that none of their relatives is trained on. */
#ifndef TRM_DATA_GRID_SHARE_H
#define TRM_DATA_GRID_SHARE_H

#include "data/dataset_write.h"

/* Puzzles with equal forms, and puzzles with equal ids, stay on one side. */
typedef struct trm__share_item {
  trm__grid_key form;
  uint64_t id;
  bool has_id, chosen; /* chosen: the result */
} trm__share_item;

/* Chooses at most the rounded share of n items, but at least one, by the seed. Errors: RANGE when
 * related puzzles are too many for that. */
trm_status trm__grid_share(trm__share_item *item, int64_t n, double share, uint64_t seed,
                           trm_error *err);

#endif
