/* See arc_tally.h. The place of a cell is its row and column on the canvas, so that grids of
 * different shapes differ by their places, too; the shape goes into the mark all the same. */
#include "data/arc/arc_tally.h"

#include <string.h>

#include "base/memory.h"
#include "base/rng.h"

enum { MARK_SEED = 1 };

void trm__arc_tally_numbers(trm__arc_mark *numbers) {
  trm__rng rng = trm__rng_at(MARK_SEED, TRM__RNG_SPLIT, 0, 0);
  for (int i = 0; i < TRM__ARC_CELLS * TRM__ARC_COLOURS; i++) {
    numbers[i].a = trm__rng_u64(&rng);
    numbers[i].b = trm__rng_u64(&rng);
  }
}

void trm__arc_tally_grid(const trm__arc_mark *numbers, const trm__arc_grid *g, trm__arc_tally *t) {
  memset(t, 0, sizeof *t);
  t->rows = g->rows;
  t->cols = g->cols;
  for (int k = 0; k < TRM__DIHEDRAL; k++) {
    const bool turns = trm__dihedral_turns(k);
    const int rows = turns ? g->cols : g->rows, cols = turns ? g->rows : g->cols;
    for (int i = 0; i < rows; i++)
      for (int j = 0; j < cols; j++) {
        const uint8_t c = g->cell[trm__dihedral_source(k, g->rows, g->cols, i, j)];
        const trm__arc_mark *number = numbers + (i * TRM__ARC_SIDE + j) * TRM__ARC_COLOURS;
        for (int v = 0; v < TRM__ARC_COLOURS; v++) {
          t->sum[k][c][v].a += number[v].a;
          t->sum[k][c][v].b += number[v].b;
        }
      }
  }
}

/* A bijection whose output bits all depend on all input bits: the finaliser of SplitMix64. */
static uint64_t mix(uint64_t x) {
  x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
  return x ^ x >> 31;
}

/* Goes on from the mark `m` with the grid of `t` under the copy. */
static trm__arc_mark add_grid(trm__arc_mark m, const trm__arc_tally *t, const trm__arc_copy *c) {
  const bool turns = trm__dihedral_turns(c->transform);
  const uint64_t shape = (uint64_t)(turns ? t->cols : t->rows) << 8 | (turns ? t->rows : t->cols);
  trm__arc_mark sum = {0, 0};
  for (int v = 0; v < TRM__ARC_COLOURS; v++) {
    const trm__arc_mark *part = &t->sum[c->transform][v][c->colour[v]];
    sum.a += part->a;
    sum.b += part->b;
  }
  return (trm__arc_mark){mix(mix(m.a + shape) + sum.a), mix(mix(m.b + shape) + sum.b)};
}

trm__arc_mark trm__arc_tally_copy(const trm__arc_tally (*tally)[2], int64_t n,
                                  const trm__arc_copy *c) {
  trm__arc_mark all = {0, 0};
  for (int64_t i = 0; i < n; i++) {
    trm__arc_mark pair = {1, 2};
    pair = add_grid(pair, &tally[i][0], c);
    pair = add_grid(pair, &tally[i][1], c);
    all.a += pair.a; /* a sum: the order of the pairs does not matter */
    all.b += pair.b;
  }
  all.a |= !all.a && !all.b;
  return all;
}

/* --- sets --- */

trm_status trm__arc_marks_alloc(trm__arc_marks *set, int64_t n, trm_error *err) {
  size_t slots = 16;
  while (slots < 2 * (size_t)n) slots *= 2;
  TRM_ALLOC(&set->slot, slots, "the marks of a task's copies", err);
  set->mask = slots - 1;
  return TRM_OK;
}

void trm__arc_marks_free(trm__arc_marks *set) {
  trm__free(set->slot);
  set->slot = NULL;
}

void trm__arc_marks_clear(trm__arc_marks *set) {
  memset(set->slot, 0, (set->mask + 1) * sizeof *set->slot);
}

bool trm__arc_marks_add(trm__arc_marks *set, trm__arc_mark m) {
  size_t i = (size_t)m.a & set->mask;
  for (; set->slot[i].a || set->slot[i].b; i = (i + 1) & set->mask)
    if (set->slot[i].a == m.a && set->slot[i].b == m.b) return false;
  set->slot[i] = m;
  return true;
}
