/* A user's own puzzles: pairs of grids of symbols, from files into a data set folder.
 * The formats: docs/BUILD_DATA.md, "Your own puzzles". */
#ifndef TRM_GRID_H
#define TRM_GRID_H

#include "trm/dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

/* By the end of their names files are
 *   .csv    columns such as question, answer: a grid per field, one UTF-8 character a cell, rows
 *           separated by '/' or line ends
 *   .jsonl  {"input": [[...]], "output": [[...]], "id": "..."} in each line; integers or texts, in
 *           the output null where nothing is scored; also .ndjson
 *   .npz    arrays of whole numbers inputs (0 or more), labels [examples, rows, columns] or
 *           [examples, cells]; labels below 0 are not scored
 * and .csv.gz, .jsonl.gz, .ndjson.gz: whether they are packed by gzip their first bytes say.
 *
 * A canvas holds the largest grid. Where sizes differ, grids lie in its top left corner and end in
 * marks (trm/puzzle.h). No id of its own belongs to a puzzle: examples are told apart by their
 * grids alone. The folder appears when it is complete, as with trm_build_sudoku. */
typedef struct trm_grid_build_config {
  const char *train, *test; /* test NULL: none, or a share of train */
  const char
      *columns; /* of .csv: QUESTION,ANSWER, names or numbers from 1; NULL: the usual names */
  const char *output_dir;
  double test_share;            /* of the examples in `train`, 0 <= share < 1; see below */
  int rows, cols;               /* of grids given by their cells alone; 0, 0: they are square */
  int canvas_rows, canvas_cols; /* 0, 0: as large as the largest grids */
  const char *vocabulary;       /* a file of one symbol a line, else "a,b,c"; NULL: as found */
  const char *symmetries;       /* "dihedral,permute:1-9"; NULL: none */
  const char *rules;            /* a rule checker that every example must satisfy; NULL: none */
  int num_aug;                  /* stored copies per training example */
  uint64_t seed;                /* of copies and of the share */
  trm_progress_fn *progress;
  void *progress_arg;
} trm_grid_build_config;

/* The share for testing is drawn so that examples with the same id, and symmetric images of one
 * another, stay together. A found vocabulary is that of `train`, integers in their order, else
 * ordered by bytes. Symmetries (each maps input and output alike):
 *   dihedral, rotate, flip, transpose   all eight; the four rotations; mirror images; the diagonal.
 *                                       Images that would not fit the canvas are left out.
 *   permute:1-9, permute:a+b+c          these symbols change names; may be said several times
 * Errors: IO; FORMAT with file, line and cell (pos is the line); PUZZLE for a symbol that is not in
 * the vocabulary or an example against the rules; CONFIG for unknown symmetries or rules and a
 * canvas that is too small; ARGUMENT, RANGE, MEMORY, INTERRUPTED. `report` may be NULL. */
TRM_API trm_status trm_build_grid(const trm_grid_build_config *config, trm_build_report *report,
                                  trm_error *err);

#ifdef __cplusplus
}
#endif
#endif
