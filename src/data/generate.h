/* From a maker of puzzles to a data set folder, for every kind of generated puzzle.
 *
 * Try i is a function of (seed, i). Which split it may go to is decided by a hash of its
 * canonical form, so that all symmetric images of a puzzle fall to one side: train and test are
 * disjoint up to symmetry by construction, without comparing them. Tries are made in blocks by all
 * threads and taken in order of i, so the result does not depend on how many there are. */
#ifndef TRM_DATA_GENERATE_H
#define TRM_DATA_GENERATE_H

#include "base/rng.h"
#include "data/dataset_write.h"

/* One try of at most `yield` puzzles, one after the other, as values of their kind;
 * returns how many it gave. Runs on many threads. */
typedef int trm__make_fn(const void *maker, trm__rng *rng, uint8_t *questions, uint8_t *answers);

typedef struct trm__generator {
  trm_puzzle puzzle; /* known, of a kind with a canonical form of its own */
  trm__make_fn *make;
  int yield; /* above 1, tries may give related puzzles: of symmetric images one is taken, and it is
                the answer's canonical form that decides the split, so that no answer is in both */
  const void *maker;
  const char *remedy; /* what to loosen when too few are found, e.g. "givens" */
  int64_t n_train, n_test;
  uint64_t seed;
  int threads;
  const char *output_dir;
  trm_progress_fn *progress;
  void *progress_arg;
} trm__generator;
/* Errors: ARGUMENT for the counts and threads, CONFIG when too few puzzles are found, IO, MEMORY,
 * SYSTEM, INTERRUPTED. */
trm_status trm__generate(const trm__generator *config, trm_build_report *report, trm_error *err);

#endif
