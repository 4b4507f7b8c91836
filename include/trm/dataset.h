/* Data sets: folders in the reference's layout, and the stream of training batches.
 * The format and the order of batches: docs/DATA.md. */
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
  /* A number for the names of the ids in their order (DIR/identifiers.json), however that file
   * writes them; 0: there is no such file, or one id only. */
  uint64_t identifiers;
} trm_dataset_info;

/* Opens DIR/SPLIT (dataset.json and the .npy files, memory-mapped, of integers or floats that
 * are whole, any set names) and checks every index, token, label and id; of several ids
 * DIR/identifiers.json is read, where there is one. Several folders are opened by several calls.
 * Of dataset.json only vocab_size and seq_len must be there; else pad_id and blank_identifier_id
 * are 0, no label is ignored but -100, the ids are those in the data, and the set is "all".
 * Errors: IO, FORMAT, SHAPE, RANGE, each with file, row or byte and what was expected; pos is the
 * row (from 0) of an array or the line of dataset.json. At most 2^31 - 1 examples. */
TRM_API trm_status trm_dataset_open(const char *dir, const char *split, trm_dataset **out,
                                    trm_error *err);

/* Examples in memory, in the reference's arrays. */
typedef struct trm_dataset_arrays {
  int vocab_size, seq_len;
  int num_puzzle_identifiers; /* as many as a model of the data has embeddings; 0: the largest id
                                 and those below, which beyond 65,536 are believed only where there
                                 are as many puzzles: one wrong id would cost a model its memory */
  int64_t examples, puzzles, groups;
  const int32_t *inputs, *labels;    /* [examples, seq_len]; labels TRM_IGNORE_LABEL: ignored */
  const int32_t *puzzle_identifiers; /* [puzzles]; NULL: all 0 */
  const int64_t *puzzle_indices;     /* [puzzles + 1] first example of each; NULL: one example each,
                                        and `puzzles` need not be said */
  const int64_t *group_indices; /* [groups + 1] first puzzle of each; NULL: one puzzle each, and
                                   `groups` need not be said */
  trm_puzzle puzzle; /* what the tokens mean; of kind none: known by the examples, or unknown */
} trm_dataset_arrays;
/* A data set of arrays, checked as a folder is. inputs and labels are not copied: they must outlive
 * it, unchanged; the other arrays and the structure need not. Errors: ARGUMENT, SHAPE, RANGE,
 * CONFIG with array, row and what was expected; MEMORY. */
TRM_API trm_status trm_dataset_from_arrays(const trm_dataset_arrays *arrays, trm_dataset **out,
                                           trm_error *err);
TRM_API void trm_dataset_free(trm_dataset *d);
TRM_API const trm_dataset_info *trm_dataset_get_info(const trm_dataset *d);
/* Example i in file order: inputs, labels [seq_len] (labels -100 where ignored), its puzzle id.
 * Any of the outputs may be NULL. */
TRM_API void trm_dataset_example(const trm_dataset *d, int64_t i, int32_t *inputs, int32_t *labels,
                                 int32_t *puzzle_id);
/* A number that differs between sets that are not the same: of their counts and of up to 4,096
 * examples spread over the set. Errors: MEMORY. */
TRM_API trm_status trm_dataset_fingerprint(const trm_dataset *d, uint64_t *out, trm_error *err);
/* The same split without / with only a share of its groups (at least one each), chosen by the
 * seed: a validation share of the training set. Views without copies of the examples; `d` must
 * outlive them. Errors: ARGUMENT unless 0 < share < 1, RANGE for a single group. */
TRM_API trm_status trm_dataset_split(const trm_dataset *d, double share, uint64_t seed,
                                     trm_dataset **rest, trm_dataset **held, trm_error *err);

/* Writes data sets, of arrays, of a split or of a folder, into the folder DIR as its splits train
 * and test (NULL: none), which trm_dataset_open reads, and the reference: groups, puzzles and ids
 * stay. names [num_puzzle_identifiers] of the ids for identifiers.json, each a text in UTF-8; NULL:
 * they have none. The folder appears complete, in place of an earlier data set; one that holds
 * anything else is refused. Errors: SHAPE when the two do not fit together; ARGUMENT for a name
 * that is none; IO, MEMORY. */
TRM_API trm_status trm_dataset_save(const trm_dataset *train, const trm_dataset *test,
                                    const char *const *names, const char *dir, trm_error *err);

/* Whether a model may be used on data: same sizes, same meaning of tokens, and, where the model has
 * embeddings of several puzzle ids, no id that it does not have and, where both know their names,
 * ids of the same names. trm_evaluate and `trm` ask this; who feeds a solver with ids asks, too.
 * Errors: SHAPE with what differs. */
TRM_API trm_status trm_model_check_data(const trm_model_config *model, const trm_dataset_info *data,
                                        trm_error *err);
/* True where ids may mean something else and nothing tells: the names are not known to both, and
 * the numbers of ids differ. */
TRM_API bool trm_model_ids_unsure(const trm_model_config *model, const trm_dataset_info *data);

/* Files are mapped while a data set is open: they must be replaced (renamed over), never cut or
 * written into. Reading a part that is cut off, or that the disk cannot read, raises SIGBUS. */

typedef enum trm_augment { TRM_AUGMENT_NONE, TRM_AUGMENT_ON_THE_FLY } trm_augment;
/* True when puzzles of this meaning have images, so that they can be augmented on the fly. */
TRM_API bool trm_puzzle_has_images(const trm_puzzle *p);

typedef struct trm_stream_config {
  int batch_size;
  uint64_t seed;
  int64_t epochs_per_iter; /* an incomplete batch is dropped after so many epochs (>= 1) */
  trm_augment augment;     /* on-the-fly: a fresh image at every draw under the symmetries of
                            * .puzzle, which must have some; an ARC grid only moves on its canvas,
                            * since colours and turns are those of its puzzle id */
} trm_stream_config;

typedef struct trm_stream trm_stream;

/* Batches for training from n_sets data sets of equal shape (they must outlive the stream). An
 * epoch visits the groups of all sets in one random order; puzzle ids are those of the folders.
 * Order, picks and images are functions of (seed, epoch), (seed, epoch, group) and (seed, batch,
 * row). Errors: ARGUMENT; SHAPE when the sets differ; CONFIG when the augmentation does not know
 * the puzzle, or when an iteration cannot fill a batch. */
TRM_API trm_status trm_stream_create(const trm_dataset *const *sets, int n_sets,
                                     const trm_stream_config *config, trm_stream **out,
                                     trm_error *err);
TRM_API void trm_stream_free(trm_stream *s);
/* The next batch: inputs, labels [B, seq_len], puzzle_ids [B]. Rows with want[row] == 0 are drawn
 * but not built (want NULL: all are). No allocation. */
TRM_API void trm_stream_next(trm_stream *s, const uint8_t *want, int32_t *inputs, int32_t *labels,
                             int32_t *puzzle_ids);
/* Batches given so far. Seeking to a count gives the same batches from there on as a stream that
 * ran so far; at once when all puzzles have as many examples, else by counting through. */
TRM_API int64_t trm_stream_position(const trm_stream *s);
TRM_API trm_status trm_stream_seek(trm_stream *s, int64_t position, trm_error *err);

/* Progress of a long build: done of total; return false to stop (TRM_E_INTERRUPTED). */
typedef bool trm_progress_fn(void *arg, int64_t done, int64_t total);

/* --- looking at a data set folder ---
 *
 * Examples are compared by their questions: literally, and by a form that is the same for all
 * images under the symmetries of the puzzle (a user's grids: those declared). The *original* of a
 * group is its first puzzle, the others are taken for its stored copies. Images are looked for
 * among the originals; literal repetitions among all examples, of ARC among the originals' pairs of
 * question and answer. Memory: up to 32 bytes per example compared. */

enum { TRM_SURVEY_SIZES = 8 };

typedef struct trm_survey_split {
  trm_dataset_info info;
  int64_t ids;                           /* different puzzle ids in use */
  int64_t copies;                        /* puzzles beyond the first of their group */
  int64_t least_examples, most_examples; /* of a puzzle */
  int64_t compared, repeated;            /* examples; those whose like came before */
  int64_t originals, images;             /* examples of originals; those whose image came before */
  int64_t sizes; /* different sizes of the compared questions' grids, and the most frequent ones */
  struct trm_survey_size {
    int rows, cols;
    int64_t count;
  } size[TRM_SURVEY_SIZES];
} trm_survey_split;

typedef struct trm_survey {
  bool has_train, has_test;
  trm_survey_split train, test;
  bool symmetric;  /* the puzzle has symmetries: images, overlap_originals mean something */
  int64_t overlap; /* compared test examples that are training examples */
  int64_t overlap_originals; /* originals of test that are an original of train or an image of it */
} trm_survey;

typedef struct trm_survey_config {
  int64_t max_groups; /* looks at so many groups of each split, spread evenly; 0: all */
  trm_progress_fn *progress;
  void *progress_arg;
} trm_survey_config;

/* Counts what the splits of a folder hold. Errors: IO when there is neither train nor test; those
 * of trm_dataset_open; SHAPE when the splits do not fit together; MEMORY, INTERRUPTED. */
TRM_API trm_status trm_dataset_survey(const char *dir, const trm_survey_config *config,
                                      trm_survey *out, trm_error *err);

/* One check: `failure` is NULL when it passed, else it says what is wrong and where. */
typedef void trm_check_fn(void *arg, const char *check, const trm_error *failure);

typedef struct trm_verify_config {
  int64_t
      max_examples; /* of each split, spread evenly, for the checks of single examples; 0: all */
  trm_check_fn *report;
  void *report_arg;
  trm_progress_fn *progress;
  void *progress_arg;
} trm_verify_config;

/* Checks a whole folder: each split opens; dataset.json agrees with the arrays; the splits fit
 * together; identifiers.json names every id (ARC: in the form of a copy's name) and ARC's
 * test_puzzles.json holds whole tasks with test pairs, each named in identifiers.json (none where
 * there is no test split); every grid is whole; labels obey the rules of the puzzle; a Sudoku has
 * one solution. *failures counts the checks that failed. Errors: IO when there is neither train
 * nor test; MEMORY, INTERRUPTED. */
TRM_API trm_status trm_dataset_verify(const char *dir, const trm_verify_config *config,
                                      int *failures, trm_error *err);

/* What a build wrote, and what it noticed (in the originals, not their stored copies). */
typedef struct trm_build_report {
  int64_t train_puzzles, test_puzzles, train_examples, test_examples;
  int64_t duplicates_in_train, duplicates_in_test, overlap; /* overlap: in train and test */
  int64_t symmetric_overlap; /* test puzzles that are a training puzzle or an image of one */
  int64_t skipped;           /* puzzles left out because they have not exactly one solution */
  int64_t unreadable;        /* left out because they cannot be read, or their solution is wrong */
  int64_t empty_rows;        /* of tables, passed over */
  int64_t titles;            /* lines of words behind Sudokus of a line each, passed over */
} trm_build_report;

/* Sudokus into a data set folder, from a file of any form that trm/sudoku_file.h reads. A solution
 * beside a puzzle is checked against the rules; where there is none the solver finds it and proves
 * that there is no other one. Its backtracks are the rating, except in a table, which must have a
 * column of ratings for min_difficulty. Size and digits are those of the first puzzle. A training
 * puzzle and its copies are one group; test puzzles are not copied. The folder appears when it is
 * complete, in place of an earlier data set; a folder that holds anything else is refused. Errors:
 * IO; FORMAT and PUZZLE with file, line and column (pos is the line); RANGE when no rating is high
 * enough; ARGUMENT, MEMORY, INTERRUPTED. `report` may be NULL. */
typedef struct trm_sudoku_build_config {
  const char *train_csv, *test_csv; /* of any form; test_csv NULL: no test split */
  const char *columns; /* of tables: PUZZLE[,SOLUTION[,RATING]], see trm/sudoku_file.h; NULL: the
                          usual names */
  const char *output_dir;
  int64_t subsample_size; /* training puzzles kept; 0: all */
  int num_aug;            /* stored copies per training puzzle */
  uint64_t seed;
  double min_difficulty; /* keep ratings >= this; 0: all */
  bool skip_invalid;     /* leave out, and count, puzzles that have no solution or several, and what
                            cannot be read, instead of PUZZLE or FORMAT */
  trm_progress_fn *progress;
  void *progress_arg;
} trm_sudoku_build_config;
TRM_API trm_status trm_build_sudoku(const trm_sudoku_build_config *config, trm_build_report *report,
                                    trm_error *err);

/* Generated Sudokus with unique solutions into such a folder. A hash of the canonical form decides
 * between train and test, which are therefore disjoint up to symmetry; no puzzle occurs twice.
 * Givens: with min_givens 0 every puzzle is dug out until none can be spared, else until a number
 * drawn between min_givens and max_givens (max 0: until min_givens). Backtracks are those of
 * trm_sudoku_solve with limit 2. Errors: ARGUMENT; CONFIG when too few such puzzles can be found;
 * IO, MEMORY, SYSTEM, INTERRUPTED. `report` may be NULL. */
typedef struct trm_sudoku_gen_config {
  int size; /* 4, 6, 9 … */
  int64_t n_train, n_test;
  int max_givens, min_givens;             /* 0: no limit */
  int64_t min_backtracks, max_backtracks; /* max 0: no limit */
  bool hard; /* 9x9 with the backtracks of Sudoku-Extreme (docs/BUILD_DATA.md); no other limits */
  uint64_t seed;
  int threads; /* 0: as many as the process may use; the result does not depend on it */
  const char *output_dir;
  trm_progress_fn *progress;
  void *progress_arg;
} trm_sudoku_gen_config;
TRM_API trm_status trm_gen_sudoku(const trm_sudoku_gen_config *config, trm_build_report *report,
                                  trm_error *err);

/* CSV of mazes (columns such as question and answer, a cell one of "# SGo", see trm/maze.h) into
 * such a folder. Every answer must be a shortest path of its question. With `aug` the symmetric
 * images of a training maze that have its shape (8, or 4 when it is not square) are one group; test
 * mazes are not copied. Errors: as trm_build_sudoku; PUZZLE for an answer that is not right, and
 * ARGUMENT for a size that is given in part. `report` may be NULL. */
typedef struct trm_maze_build_config {
  const char *train_csv, *test_csv; /* test_csv NULL: no test split */
  const char *columns; /* QUESTION,ANSWER, names or numbers from 1; NULL: the usual names */
  const char *output_dir;
  int rows, cols;         /* 0, 0: square, by the length of the first question */
  int64_t subsample_size; /* training mazes kept, drawn by the seed; 0: all */
  uint64_t seed;
  bool aug;
  trm_progress_fn *progress;
  void *progress_arg;
} trm_maze_build_config;
TRM_API trm_status trm_build_maze(const trm_maze_build_config *config, trm_build_report *report,
                                  trm_error *err);

/* Random mazes as in Lehnert et al. (2024): a share of walls drawn between two bounds, every cell a
 * wall with that chance, start and goal drawn among the free cells; kept when a shortest path has
 * at least min_path cells, S and G counted; labelled by trm_maze_shortest. Train and test are
 * disjoint up to symmetry as those of trm_gen_sudoku. Errors: the same. `report` may be NULL. */
typedef struct trm_maze_gen_config {
  int rows, cols;
  int64_t n_train, n_test;
  int min_path;                /* 0: rows + cols; the published 30x30 mazes have 110 */
  double min_walls, max_walls; /* within 0 to 1; both 0: 0.3 and 0.5 */
  uint64_t seed;
  int threads; /* 0: as many as the process may use; the result does not depend on it */
  const char *output_dir;
  trm_progress_fn *progress;
  void *progress_arg;
} trm_maze_gen_config;
TRM_API trm_status trm_gen_maze(const trm_maze_gen_config *config, trm_build_report *report,
                                trm_error *err);

#ifdef __cplusplus
}
#endif
#endif
