/* Writing the splits of a data set folder, and lists of puzzles to write. */
#ifndef TRM_DATA_DATASET_WRITE_H
#define TRM_DATA_DATASET_WRITE_H

#include "data/dataset_folder.h"
#include "io/npy.h"
#include "trm/dataset.h"
#include "trm/sudoku.h"

/* One split: `groups` groups of `copies` puzzles of one example each. Zeroed before begin, abort on
 * every path. */
typedef struct trm__split_writer {
  const trm_puzzle *puzzle;
  char *path;
  int64_t groups, copies;
  int cells;
  uint8_t zero;    /* what its kind adds to a value to make a token */
  uint8_t *tokens; /* [cells] */
  trm__npy_writer inputs, labels;
} trm__split_writer;
trm_status trm__split_begin(trm__split_writer *w, const trm__folder *f, const char *split,
                            const trm_puzzle *puzzle, int64_t groups, int64_t copies,
                            trm_error *err);
/* The next example, group by group, as values of its kind [rows * cols]; errors show at the end. */
void trm__split_add(trm__split_writer *w, const uint8_t *question, const uint8_t *answer);
trm_status trm__split_end(trm__split_writer *w, trm_error *err);
void trm__split_abort(trm__split_writer *w);

/* Asks the caller of a build, at every 64th example, whether it goes on. Errors: INTERRUPTED. */
trm_status trm__build_tick(trm_progress_fn *progress, void *arg, int64_t done, int64_t total,
                           trm_error *err);

/* Puzzles that a file of `size` bytes is going to have had, when `n` took `at` of them. */
int64_t trm__build_estimate(int64_t n, size_t at, size_t size);

/* Puzzles in memory: [n, cells] each, as values of their kind; n is below 2^31. */
typedef struct trm__puzzle_list {
  int64_t n, room;
  uint8_t *question, *answer;
} trm__puzzle_list;
trm_status trm__puzzle_list_alloc(trm__puzzle_list *list, int64_t n, int cells, trm_error *err);
/* Room for one more, of about `expected`. Errors: MEMORY; RANGE beyond 2^31 - 1. */
trm_status trm__puzzle_list_grow(trm__puzzle_list *list, int cells, int64_t expected,
                                 trm_error *err);
void trm__puzzle_list_free(trm__puzzle_list *list);
/* Keeps `keep` puzzles drawn by the seed, in their order; 0: all. */
trm_status trm__puzzle_list_thin(trm__puzzle_list *list, int cells, int64_t keep, uint64_t seed,
                                 trm_error *err);

/* 128 bits of a grid, good enough to stand for it. */
typedef struct trm__grid_key {
  uint64_t a, b;
} trm__grid_key;
trm__grid_key trm__grid_key_of(const uint8_t *values, int cells, uint64_t seed);
/* An order of keys, for qsort. */
int trm__grid_key_compare(const void *left, const void *right);
/* Sorts; how many are equal to one before. */
int64_t trm__grid_keys_sort(trm__grid_key *keys, int64_t n);
/* How many of `test` are in `train`; both sorted. */
int64_t trm__grid_keys_shared(const trm__grid_key *train, int64_t n_train,
                              const trm__grid_key *test, int64_t n_test);

/* Fills the counts of puzzles, duplicates and overlap of a report, or with keys of canonical forms
 * only symmetric_overlap. Sorts the keys. */
void trm__count_keys(trm__grid_key *train, int64_t n_train, trm__grid_key *test, int64_t n_test,
                     bool canonical, trm_build_report *report);

/* All counts of a report, of a kind with a canonical form of its own. Errors: MEMORY, INTERRUPTED.
 */
trm_status trm__count_duplicates(const trm_puzzle *p, const trm__puzzle_list *train,
                                 const trm__puzzle_list *test, trm_progress_fn *progress,
                                 void *progress_arg, trm_build_report *report, trm_error *err);

#endif
