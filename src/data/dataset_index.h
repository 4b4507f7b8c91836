/* What a data set is inside: mapped files and an index in memory that any part of them can share.
 */
#ifndef TRM_DATA_DATASET_INDEX_H
#define TRM_DATA_DATASET_INDEX_H

#include "data/arc_split.h"
#include "io/npy.h"
#include "trm/dataset.h"

/* The arrays of one set name, or the tasks that its examples are made from. */
typedef struct trm__dataset_file {
  trm__arc_split *arc;     /* not NULL: the compact form of ARC, and there are no arrays */
  trm__npy inputs, labels; /* [examples, seq_len] each */
  trm__npy ids, puzzle_indices, group_indices; /* until the index is built */
  int64_t first; /* its first example, counted over all files of the data set */
} trm__dataset_file;

/* Invariants: group_start and puzzle_start begin at 0, never fall, and end at the number of puzzles
 * and examples; source[p] + size of p never passes the end of the file it lies in. */
struct trm_dataset {
  trm_dataset_info info;
  const struct trm_dataset *files_of; /* a view: whose files these are; NULL: its own */
  trm__dataset_file *file;
  int n_files;
  int64_t *group_start;  /* [groups + 1]: first puzzle of a group */
  int64_t *puzzle_start; /* [puzzles + 1]: first example of a puzzle, in this data set's order */
  int64_t *source;       /* [puzzles]: the same example, counted over all files */
  int32_t *puzzle_id;    /* [puzzles] */
};

enum { TRM__MAX_VOCAB = 1 << 20, TRM__MAX_SEQ_LEN = 1 << 20 };

/* The `step` of draws for TRM__RNG_SPLIT. */
enum { TRM__SPLIT_VALIDATION, TRM__SPLIT_SUBSAMPLE, TRM__SPLIT_TEST };

/* trm_dataset_open without a look at the names of ids. */
trm_status trm__dataset_open_split(const char *dir, const char *split, trm_dataset **out,
                                   trm_error *err);
/* The index arrays for info.groups and info.puzzles; on failure what was allocated is in `d`. */
trm_status trm__dataset_alloc_index(trm_dataset *d, trm_error *err);
void trm__dataset_close_index(trm__dataset_file *f);
/* Opens FOLDER/SET__WHAT.npy, an array of integers with ndim dimensions. */
trm_status trm__dataset_open_array(const char *folder, const char *set, const char *what, int ndim,
                                   trm__npy *a, trm_error *err);
/* Where arrays are, for messages: FOLDER/SET__NAME.npy, or in memory (folder NULL), where an array
 * is called NAME. */
typedef struct trm__dataset_place {
  const char *folder, *set;
} trm__dataset_place;
/* In text[size] where it is not the name itself. */
const char *trm__dataset_array_name(trm__dataset_place at, const char *name, char *text,
                                    size_t size);
/* Checks that an array begins at 0, never falls and ends at `count`. */
trm_status trm__dataset_check_index(trm__dataset_place at, const char *name, const trm__npy *a,
                                    int64_t count, trm_error *err);
/* The five arrays of a set: shapes, indices, ids, tokens and labels. count_ids: the number of ids
 * is not known, and grows with the largest. */
trm_status trm__dataset_check_arrays(trm_dataset_info *info, trm__dataset_place at, bool count_ids,
                                     const trm__dataset_file *f, trm_error *err);
/* A number alone must not make a model of gigabytes: each id costs it an embedding. True when there
 * are no more ids than are free, or than puzzles and the blank; info->puzzles is known. */
enum { TRM__FREE_IDS = 1 << 16 };
bool trm__dataset_ids_are_few(const trm_dataset_info *info);
/* Data that do not say what they hold are known by their shape and their first examples. */
trm_status trm__dataset_recognise(trm_dataset *d, trm_error *err);
/* Counts and index of checked files, which are closed where they are no longer needed; `folder`
 * begins messages. */
trm_status trm__dataset_build_index(trm_dataset *d, const char *folder, trm_error *err);
/* Row `row` of an integer array [rows, row_count]; a value beyond int32 becomes INT32_MAX or
 * INT32_MIN. */
void trm__dataset_read_row(const trm__npy *a, int64_t row, int32_t *out);
/* Example `source` of the files: inputs, labels [seq_len], either may be NULL. */
void trm__dataset_read(const trm_dataset *d, int64_t source, int32_t *inputs, int32_t *labels);

#endif
