/* See arc_split.h. */
#include "data/arc_split.h"

#include <string.h>

#include "base/memory.h"
#include "puzzle/dihedral.h"

trm_status trm__arc_split_alloc(trm__arc_split *s, int64_t groups, int64_t puzzles, int64_t pairs,
                                trm_error *err) {
  TRM_ALLOC(&s->pair, pairs, "the pairs of tasks", err);
  TRM_ALLOC(&s->pair_start, groups + 1, "the tasks of a split", err);
  TRM_ALLOC(&s->group_start, groups + 1, "the tasks of a split", err);
  TRM_ALLOC(&s->example_start, groups + 1, "the tasks of a split", err);
  TRM_ALLOC(&s->copy, puzzles, "the copies of tasks", err);
  TRM_ALLOC(&s->id, puzzles, "the copies of tasks", err);
  return TRM_OK;
}

trm_status trm__arc_split_count(trm__arc_split *s, trm_error *err) {
  for (int64_t g = 0; g < s->groups; g++) {
    const int64_t pairs = s->pair_start[g + 1] - s->pair_start[g];
    const int64_t puzzles = s->group_start[g + 1] - s->group_start[g];
    if (pairs > INT32_MAX || puzzles > (INT32_MAX - s->example_start[g]) / pairs)
      TRM_FAIL(err, TRM_E_RANGE, "the copies have more than 2^31 - 1 examples: ask for fewer");
    s->example_start[g + 1] = s->example_start[g] + pairs * puzzles;
  }
  s->examples = s->example_start[s->groups];
  return TRM_OK;
}

trm_status trm__arc_split_alloc_offsets(trm__arc_split *s, trm_error *err) {
  TRM_ALLOC(&s->offset, s->examples, "the offsets of examples", err);
  return TRM_OK;
}

void trm__arc_split_free(trm__arc_split *s) {
  trm__free(s->pair);
  trm__free(s->pair_start);
  trm__free(s->group_start);
  trm__free(s->example_start);
  trm__free(s->copy);
  trm__free(s->id);
  trm__free(s->offset);
  memset(s, 0, sizeof *s);
}

void trm__arc_split_tokens(const trm__arc_split *s, int64_t e, int side, uint8_t *tokens) {
  int64_t low = 0, high = s->groups;
  while (high - low > 1) {
    const int64_t middle = low + (high - low) / 2;
    if (s->example_start[middle] <= e)
      low = middle;
    else
      high = middle;
  }
  const int64_t pairs = s->pair_start[low + 1] - s->pair_start[low];
  const int64_t at = e - s->example_start[low];
  const trm__arc_grid *original = &s->pair[s->pair_start[low] + at % pairs][side];
  trm__arc_grid image;
  trm__arc_copy_apply(&s->copy[s->group_start[low] + at / pairs], original, &image);
  trm__arc_place(&image, s->canvas, s->offset[e][0], s->offset[e][1], tokens);
}

void trm__arc_pair_room(const trm__arc_grid pair[2], int canvas, const trm__arc_copy *c,
                        int limit[2]) {
  const int rows = pair[0].rows > pair[1].rows ? pair[0].rows : pair[1].rows;
  const int cols = pair[0].cols > pair[1].cols ? pair[0].cols : pair[1].cols;
  const bool turns = trm__dihedral_turns(c->transform);
  limit[0] = canvas - (turns ? cols : rows);
  limit[1] = canvas - (turns ? rows : cols);
}
