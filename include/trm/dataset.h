/* Data sets: folders in the reference's layout, and the stream of training batches.
 * See reference.md section 5 of the project notes, restated in docs/DATA.md. */
#ifndef TRM_DATASET_H
#define TRM_DATASET_H

#include "trm/model.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TRM_IGNORE_LABEL = -100 };

typedef struct trm_dataset trm_dataset;

typedef struct trm_dataset_info {
  int vocab_size, seq_len, num_puzzle_identifiers;
  int pad_id, ignore_label_id, blank_identifier_id; /* ignore_label_id -100: none */
  int64_t examples, puzzles, groups;
  double mean_puzzle_examples;
  trm_puzzle puzzle; /* what the tokens mean, if the folder says so or the data show it */
} trm_dataset_info;

/* Opens DIR/SPLIT (dataset.json and the .npy files, memory-mapped, any integer type, any set
 * names) and checks every index, token, label and id. Several folders are opened by several calls.
 * Errors: IO, FORMAT, SHAPE, RANGE, each with file, row or byte and what was expected. */
TRM_API trm_status trm_dataset_open(const char *dir, const char *split, trm_dataset **out,
                                    trm_error *err);
TRM_API void trm_dataset_free(trm_dataset *d);
TRM_API const trm_dataset_info *trm_dataset_get_info(const trm_dataset *d);
/* Example i in file order: inputs, labels [seq_len] (labels -100 where ignored), its puzzle id.
 * Any of the outputs may be NULL. */
TRM_API void trm_dataset_example(const trm_dataset *d, int64_t i, int32_t *inputs, int32_t *labels,
                                 int32_t *puzzle_id);
/* The same split without / with only a share of its groups, chosen by the seed: a validation
 * share of the training set. `d` must outlive them. */
TRM_API trm_status trm_dataset_split(const trm_dataset *d, double share, uint64_t seed,
                                     trm_dataset **rest, trm_dataset **held, trm_error *err);

typedef enum trm_augment { TRM_AUGMENT_NONE, TRM_AUGMENT_ON_THE_FLY } trm_augment;

typedef struct trm_stream_config {
  int batch_size;
  uint64_t seed;
  int64_t epochs_per_iter; /* an incomplete batch is dropped after so many epochs (>= 1) */
  trm_augment augment;     /* on-the-fly: a fresh symmetric image at every draw; needs .puzzle */
} trm_stream_config;

typedef struct trm_stream trm_stream;

/* Batches for training from n_sets data sets of equal shape (they must outlive the stream). */
TRM_API trm_status trm_stream_create(const trm_dataset *const *sets, int n_sets,
                                     const trm_stream_config *config, trm_stream **out,
                                     trm_error *err);
TRM_API void trm_stream_free(trm_stream *s);
/* The next batch: inputs, labels [B, seq_len], puzzle_ids [B]. Rows with want[row] == 0 are drawn
 * but not built (want NULL: all are). No allocation. */
TRM_API void trm_stream_next(trm_stream *s, const uint8_t *want, int32_t *inputs, int32_t *labels,
                             int32_t *puzzle_ids);
/* Batches given so far. Seeking to a count gives the same batches from there on as a stream that
 * ran so far. */
TRM_API int64_t trm_stream_position(const trm_stream *s);
TRM_API trm_status trm_stream_seek(trm_stream *s, int64_t position, trm_error *err);

/* Progress of a long build: done of total; return false to stop (TRM_E_INTERRUPTED). */
typedef bool trm_progress_fn(void *arg, int64_t done, int64_t total);

/* What a build wrote, and what it noticed. */
typedef struct trm_build_report {
  int64_t train_puzzles, test_puzzles, train_examples, test_examples;
  int64_t duplicates_in_train, duplicates_in_test, overlap; /* overlap: in train and test */
  int64_t symmetric_overlap; /* test puzzles that are a symmetric image of a training puzzle */
} trm_build_report;

/* CSV of Sudokus (source,question,answer,rating) into a data set folder. */
typedef struct trm_sudoku_build_config {
  const char *train_csv, *test_csv; /* test_csv NULL: no test split */
  const char *output_dir;
  int64_t subsample_size; /* training puzzles kept; 0: all */
  int num_aug;            /* stored copies per training puzzle */
  uint64_t seed;
  double min_difficulty; /* keep ratings >= this; 0: all */
  trm_progress_fn *progress;
  void *progress_arg;
} trm_sudoku_build_config;
TRM_API trm_status trm_build_sudoku(const trm_sudoku_build_config *config, trm_build_report *report,
                                    trm_error *err);

/* Generated Sudokus with unique solutions; train and test disjoint up to symmetry. */
typedef struct trm_sudoku_gen_config {
  int size;               /* 4, 6, 9 … */
  int64_t n_train, n_test;
  int max_givens, min_givens;                   /* 0: no limit */
  int64_t min_backtracks, max_backtracks;       /* max 0: no limit */
  uint64_t seed;
  int threads; /* 0: as many as the process may use; the result does not depend on it */
  const char *output_dir;
  trm_progress_fn *progress;
  void *progress_arg;
} trm_sudoku_gen_config;
TRM_API trm_status trm_gen_sudoku(const trm_sudoku_gen_config *config, trm_build_report *report,
                                  trm_error *err);

#ifdef __cplusplus
}
#endif
#endif
