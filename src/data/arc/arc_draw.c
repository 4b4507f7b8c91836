/* See arc_draw.h. The order of the draws is the contract: the list of a subset is shuffled; then
 * for each of its tasks, for each try at a copy, a transform and a permutation of the colours 1..9.
 * Only when all subsets are through do the splits follow, one after the other: for each copy the
 * example that stays at the top left, for each of the others a row and a column. */
#include "data/arc/arc_draw.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/mt19937.h"
#include "data/arc/arc_tally.h"

enum { TRIES = 5 /* at each copy */, ORIGINAL = 8 /* the transform in the name of an original */ };

/* A draw in progress. */
typedef struct drawing {
  const trm__arc_plan *plan;
  trm__arc_drawn *drawn;
  trm__mt19937 mt;
  int64_t *first;  /* [n_subsets + 1]: tasks before a subset */
  int32_t *number; /* [tasks of all subsets]: which entry of drawn->task has their id */
  int32_t *owner[TRM__ARC_SPLITS]; /* [groups]: the same of a group's task */
  trm__arc_mark *numbers;
  trm__arc_tally (*tally)[2]; /* of the largest task */
  trm__arc_marks marks;
  int64_t most; /* examples, if every task gets all its copies */
} drawing;

/* --- task ids --- */

typedef struct known_task {
  const trm__arc_task *task;
  int64_t at; /* counted over all subsets */
  int subset;
} known_task;

static int by_id(const void *a, const void *b) {
  const known_task *x = a, *y = b;
  const int order = strcmp(x->task->id, y->task->id);
  return order ? order : (x->at > y->at) - (x->at < y->at);
}

/* Numbers the different ids of the sorted tasks. */
static void number_ids(drawing *w, const known_task *known, int64_t n) {
  const int test = w->plan->test_subset;
  for (int64_t i = 0; i < n;) {
    bool in_test = false, elsewhere = false;
    const int64_t first = i;
    for (; i < n && !strcmp(known[first].task->id, known[i].task->id); i++) {
      w->number[known[i].at] = (int32_t)w->drawn->tasks;
      in_test |= known[i].subset == test;
      elsewhere |= known[i].subset != test;
    }
    w->drawn->repeated += in_test && elsewhere;
    w->drawn->task[w->drawn->tasks++] = known[first].task;
  }
}

static trm_status know_tasks(drawing *w, trm_error *err) {
  const trm__arc_plan *plan = w->plan;
  known_task *known;
  TRM_ALLOC(&w->first, plan->n_subsets + 1, "the subsets", err);
  for (int k = 0; k < plan->n_subsets; k++) w->first[k + 1] = w->first[k] + plan->subset[k].n;
  const int64_t n = w->first[plan->n_subsets];
  if (n < 1 || n >= 1 << 20)
    TRM_FAIL(err, TRM_E_RANGE, "%lld tasks: want 1 to 2^20 - 1", (long long)n);
  TRM_ALLOC(&w->number, n, "the tasks", err);
  TRM_ALLOC(&w->drawn->task, n, "the tasks", err);
  TRM_ALLOC(&known, n, "the tasks", err);
  for (int k = 0; k < plan->n_subsets; k++)
    for (int64_t i = 0; i < plan->subset[k].n; i++)
      known[w->first[k] + i] = (known_task){&plan->subset[k].task[i], w->first[k] + i, k};
  qsort(known, (size_t)n, sizeof *known, by_id);
  number_ids(w, known, n);
  trm__free(known);
  return TRM_OK;
}

/* --- room --- */

static trm_status check_test_tasks(const drawing *w, trm_error *err) {
  const trm__arc_tasks *test = &w->plan->subset[w->plan->test_subset];
  for (int64_t i = 0; i < test->n; i++)
    if (!test->task[i].n_test)
      TRM_FAIL(err, TRM_E_FORMAT, "task %s of the test set has no test pair", test->task[i].id);
  TRM_ALLOC(&w->drawn->test_order, test->n, "the order of the test set", err);
  return TRM_OK;
}

/* Takes the memory of both splits, as if every task got all its copies. */
static trm_status make_room(drawing *w, trm_error *err) {
  const trm__arc_plan *plan = w->plan;
  int64_t groups[TRM__ARC_SPLITS] = {0}, pairs[TRM__ARC_SPLITS] = {0}, most = 0;

  /* Test pairs of the tested subset are the test split; those of all others are learned from. */
  for (int k = 0; k < plan->n_subsets; k++)
    for (int64_t i = 0; i < plan->subset[k].n; i++) {
      const trm__arc_task *t = &plan->subset[k].task[i];
      const bool tested = k == plan->test_subset;
      groups[TRM__ARC_TRAIN]++;
      groups[TRM__ARC_TEST] += tested;
      pairs[TRM__ARC_TRAIN] += t->n_train;
      pairs[tested ? TRM__ARC_TEST : TRM__ARC_TRAIN] += t->n_test;
      if (t->n_train + t->n_test > most) most = t->n_train + t->n_test;
    }

  /* A group is a task and its copies; each pair of it becomes an example of every member. */
  const int64_t members = (int64_t)plan->num_aug + 1;
  for (int s = 0; s < TRM__ARC_SPLITS; s++) {
    if (groups[s] > INT32_MAX / 2 / members)
      TRM_FAIL(err, TRM_E_RANGE, "%lld tasks with %d copies each are too many: ask for fewer",
               (long long)groups[s], plan->num_aug);
    TRM_TRY(
        trm__arc_split_alloc(&w->drawn->split[s], groups[s], groups[s] * members, pairs[s], err));
    w->drawn->split[s].canvas = plan->canvas;
    TRM_ALLOC(&w->owner[s], groups[s], "the tasks of a split", err);
    w->most += pairs[s] * members;
  }

  /* What tells whether two copies are alike. */
  TRM_ALLOC(&w->numbers, TRM__ARC_CELLS * TRM__ARC_COLOURS, "numbers to mark grids", err);
  TRM_ALLOC(&w->tally, most, "the marks of a task", err);
  return trm__arc_marks_alloc(&w->marks, members, err);
}

/* --- copies --- */

/* Appends a group with these pairs, as yet without puzzles. */
static void begin_group(drawing *w, int split, int32_t number) {
  trm__arc_split *s = &w->drawn->split[split];
  w->owner[split][s->groups++] = number;
}

static void add_pairs(trm__arc_split *s, const trm__arc_pair *pair, int n) {
  for (int i = 0; i < n; i++, s->pairs++) {
    s->pair[s->pairs][0] = pair[i].input;
    s->pair[s->pairs][1] = pair[i].output;
  }
  s->pair_start[s->groups] = s->pairs;
}

static void add_puzzle(trm__arc_split *s, const trm__arc_copy *c) {
  s->copy[s->puzzles++] = *c;
  s->group_start[s->groups] = s->puzzles;
}

static void draw_copy(trm__mt19937 *mt, trm__arc_copy *c) {
  *c = trm__arc_identity;
  c->transform = (uint8_t)trm__mt19937_below(mt, TRM__DIHEDRAL);
  trm__mt19937_shuffle_bytes(mt, c->colour + 1, TRM__ARC_COLOURS - 1);
}

/* The original and its copies, into the last group of each split that the task is in. */
static void draw_group(drawing *w, const trm__arc_task *t, bool tested) {
  const int64_t pairs = t->n_train + t->n_test;
  for (int64_t i = 0; i < pairs; i++) {
    trm__arc_tally_grid(w->numbers, &t->train[i].input, &w->tally[i][0]);
    trm__arc_tally_grid(w->numbers, &t->train[i].output, &w->tally[i][1]);
  }
  const trm__arc_tally(*tally)[2] = (const trm__arc_tally(*)[2])w->tally;
  trm__arc_copy c = trm__arc_identity;
  int64_t copies = -1; /* the original is none */
  trm__arc_marks_clear(&w->marks);
  for (int64_t tries = 0;; tries++) {
    if (trm__arc_marks_add(&w->marks, trm__arc_tally_copy(tally, pairs, &c))) {
      copies++;
      add_puzzle(&w->drawn->split[TRM__ARC_TRAIN], &c);
      if (tested) add_puzzle(&w->drawn->split[TRM__ARC_TEST], &c);
    }
    if (copies == w->plan->num_aug || tries == (int64_t)TRIES * w->plan->num_aug) break;
    draw_copy(&w->mt, &c);
  }
  w->drawn->short_of_copies += copies < w->plan->num_aug;
}

static void draw_task(drawing *w, const trm__arc_task *t, int32_t number, bool tested) {
  trm__arc_split *train = &w->drawn->split[TRM__ARC_TRAIN],
                 *test = tested ? &w->drawn->split[TRM__ARC_TEST] : train;
  begin_group(w, TRM__ARC_TRAIN, number);
  if (tested) begin_group(w, TRM__ARC_TEST, number);
  if (t->test_first) add_pairs(test, t->test, t->n_test);
  add_pairs(train, t->train, t->n_train);
  if (!t->test_first) add_pairs(test, t->test, t->n_test);
  draw_group(w, t, tested);
}

static trm_status draw_tasks(drawing *w, int k, const int32_t *order, trm_error *err) {
  const trm__arc_plan *plan = w->plan;
  const trm__arc_tasks *list = &plan->subset[k];
  for (int64_t i = 0; i < list->n; i++) {
    if (plan->progress && !plan->progress(plan->progress_arg, 0, w->most))
      TRM_FAIL(err, TRM_E_INTERRUPTED, "stopped: nothing was written");
    draw_task(w, &list->task[order[i]], w->number[w->first[k] + order[i]], k == plan->test_subset);
  }
  return TRM_OK;
}

static trm_status draw_subset(drawing *w, int k, trm_error *err) {
  const trm__arc_tasks *list = &w->plan->subset[k];
  int32_t *order;
  TRM_ALLOC(&order, list->n, "the order of a subset", err);
  for (int64_t i = 0; i < list->n; i++) order[i] = (int32_t)i;
  trm__mt19937_shuffle(&w->mt, order, list->n);
  const trm_status st = draw_tasks(w, k, order, err);
  if (k == w->plan->test_subset)
    memcpy(w->drawn->test_order, order, (size_t)list->n * sizeof *order);
  trm__free(order);
  return st;
}

/* --- ids --- */

/* A name in 64 bits: colours of 4 bits each, 4 bits of transform, the number of the task's id. */
static uint64_t pack_name(int32_t number, const trm__arc_copy *c, bool original) {
  uint64_t name = (uint64_t)number << 4 | (original ? ORIGINAL : c->transform);
  for (int v = 0; v < TRM__ARC_COLOURS; v++) name = name << 4 | c->colour[v];
  return name;
}

void trm__arc_drawn_name(const trm__arc_drawn *drawn, int32_t id, char name[TRM__ARC_NAME_ROOM]) {
  const uint64_t packed = drawn->name[id - 1];
  const trm__arc_task *task = drawn->task[packed >> 44];
  trm__arc_copy c = {.transform = packed >> 40 & 15};
  const size_t n = strlen(task->id);
  memcpy(name, task->id, n + 1);
  if (c.transform == ORIGINAL) return;
  for (int v = 0; v < TRM__ARC_COLOURS; v++)
    c.colour[v] = packed >> 4 * (TRM__ARC_COLOURS - 1 - v) & 15;
  trm__arc_copy_tail(&c, name + n);
}

/* The id of a name: that of its first appearance. `slot` is a table of ids by the hash of the name,
 * 0 where free. */
static int32_t id_of(trm__arc_drawn *drawn, uint64_t name, int32_t *slot, size_t mask) {
  size_t i = (size_t)(name * UINT64_C(0x9e3779b97f4a7c15) >> 20) & mask;
  for (; slot[i]; i = (i + 1) & mask)
    if (drawn->name[slot[i] - 1] == name) return slot[i];
  drawn->name[drawn->n_names++] = name;
  return slot[i] = drawn->n_names;
}

static trm_status give_ids(drawing *w, trm_error *err) {
  trm__arc_drawn *drawn = w->drawn;
  const int64_t most = drawn->split[TRM__ARC_TRAIN].puzzles + drawn->split[TRM__ARC_TEST].puzzles;
  size_t slots = 16;
  while (slots < 2 * (size_t)most) slots *= 2;
  int32_t *slot;
  TRM_ALLOC(&drawn->name, most, "the names of copies", err);
  TRM_ALLOC(&slot, slots, "the names of copies", err);
  for (int k = 0; k < TRM__ARC_SPLITS; k++) {
    trm__arc_split *s = &drawn->split[k];
    for (int64_t g = 0; g < s->groups; g++)
      for (int64_t p = s->group_start[g]; p < s->group_start[g + 1]; p++) {
        const bool original = p == s->group_start[g];
        s->id[p] = id_of(drawn, pack_name(w->owner[k][g], &s->copy[p], original), slot, slots - 1);
      }
  }
  trm__free(slot);
  return TRM_OK;
}

/* --- offsets --- */

static void draw_offsets(drawing *w, trm__arc_split *s, bool moved) {
  int64_t e = 0;
  for (int64_t g = 0; g < s->groups; g++) {
    const int64_t pairs = s->pair_start[g + 1] - s->pair_start[g];
    for (int64_t p = s->group_start[g]; p < s->group_start[g + 1]; p++) {
      const int64_t kept = trm__mt19937_below(&w->mt, (uint32_t)pairs);
      for (int64_t i = 0; i < pairs; i++, e++) {
        if (!moved || i == kept) continue;
        int limit[2];
        trm__arc_pair_room(s->pair[s->pair_start[g] + i], s->canvas, &s->copy[p], limit);
        s->offset[e][0] = (uint8_t)trm__mt19937_below(&w->mt, (uint32_t)limit[0] + 1);
        s->offset[e][1] = (uint8_t)trm__mt19937_below(&w->mt, (uint32_t)limit[1] + 1);
      }
    }
  }
}

/* --- all of it --- */

static trm_status draw_all(drawing *w, trm_error *err) {
  const trm__arc_plan *plan = w->plan;
  TRM_TRY(know_tasks(w, err));
  if (plan->test_subset >= 0) TRM_TRY(check_test_tasks(w, err));
  TRM_TRY(make_room(w, err));
  trm__arc_tally_numbers(w->numbers);
  trm__mt19937_seed(&w->mt, plan->seed);
  for (int k = 0; k < plan->n_subsets; k++) TRM_TRY(draw_subset(w, k, err));
  TRM_TRY(give_ids(w, err));
  for (int k = 0; k < TRM__ARC_SPLITS; k++) {
    TRM_TRY(trm__arc_split_count(&w->drawn->split[k], err));
    TRM_TRY(trm__arc_split_alloc_offsets(&w->drawn->split[k], err));
    draw_offsets(w, &w->drawn->split[k], k == TRM__ARC_TRAIN);
  }
  return TRM_OK;
}

trm_status trm__arc_draw(const trm__arc_plan *plan, trm__arc_drawn *drawn, trm_error *err) {
  if (plan->num_aug < 0 || plan->num_aug > TRM__ARC_MAX_AUG)
    TRM_FAIL(err, TRM_E_ARGUMENT, "%d copies per task: want 0 to %d", plan->num_aug,
             TRM__ARC_MAX_AUG);
  drawing w = {.plan = plan, .drawn = drawn};
  const trm_status st = draw_all(&w, err);
  trm__free(w.first);
  trm__free(w.number);
  for (int k = 0; k < TRM__ARC_SPLITS; k++) trm__free(w.owner[k]);
  trm__free(w.numbers);
  trm__free(w.tally);
  trm__arc_marks_free(&w.marks);
  if (st != TRM_OK) trm__arc_drawn_free(drawn);
  return st;
}

void trm__arc_drawn_free(trm__arc_drawn *drawn) {
  for (int k = 0; k < TRM__ARC_SPLITS; k++) trm__arc_split_free(&drawn->split[k]);
  trm__free(drawn->name);
  trm__free(drawn->task);
  trm__free(drawn->test_order);
  memset(drawn, 0, sizeof *drawn);
}
