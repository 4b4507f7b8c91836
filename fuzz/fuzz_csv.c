/* CSV: every field of every record lies in the file; a file of Sudokus or mazes that a build
 * accepts gives a data set that opens. */
#include <stdlib.h>
#include <string.h>

#include "data/csv.h"
#include "fuzz.h"
#include "trm/dataset.h"

static void read_records(const char *path) {
  static trm__csv csv;
  trm_error err;
  long long line = 1;
  FUZZ_MUST(trm__csv_open(&csv, path, &fuzz_error));
  while (fuzz_accepted(trm__csv_next(&csv, &err), &err) && csv.n_fields) {
    const char *begin = (const char *)csv.map.data, *end = begin + csv.map.size;
    FUZZ_CHECK(csv.n_fields > 0 && csv.n_fields <= TRM__CSV_MAX_FIELDS);
    for (int i = 0; i < csv.n_fields; i++) {
      const trm__csv_field *f = &csv.field[i];
      FUZZ_CHECK(f->text >= begin && f->text <= end && f->n <= (size_t)(end - f->text));
      FUZZ_CHECK(f->line >= line && f->line <= csv.line && f->column >= 1);
      line = f->line;
      begin = f->text + f->n;
    }
  }
  trm__csv_close(&csv);
}

static void open_built(const char *dir, const char *split, trm_puzzle_kind kind, int64_t examples) {
  trm_dataset *d;
  FUZZ_MUST(trm_dataset_open(dir, split, &d, &fuzz_error));
  FUZZ_CHECK(trm_dataset_get_info(d)->examples == examples);
  FUZZ_CHECK(trm_dataset_get_info(d)->puzzle.kind == kind);
  trm_dataset_free(d);
}

static void build_sudoku(const char *path, double min_difficulty) {
  trm_build_report report;
  trm_error err;
  const trm_sudoku_build_config config = {.train_csv = path,
                                          .test_csv = path,
                                          .output_dir = fuzz_path("built"),
                                          .subsample_size = 2,
                                          .num_aug = 1,
                                          .min_difficulty = min_difficulty};
  if (!fuzz_accepted(trm_build_sudoku(&config, &report, &err), &err)) return;
  FUZZ_CHECK(report.train_puzzles >= 1 && report.train_puzzles <= 2);
  FUZZ_CHECK(report.train_examples == 2 * report.train_puzzles);
  FUZZ_CHECK(report.overlap <= report.test_puzzles &&
             report.symmetric_overlap <= report.test_puzzles);
  open_built(config.output_dir, "train", TRM_PUZZLE_SUDOKU, report.train_examples);
  open_built(config.output_dir, "test", TRM_PUZZLE_SUDOKU, report.test_examples);
}

static void build_maze(const char *path, const char *columns, bool aug) {
  trm_build_report report;
  trm_error err;
  const trm_maze_build_config config = {.train_csv = path,
                                        .test_csv = path,
                                        .columns = columns,
                                        .output_dir = fuzz_path("mazes"),
                                        .aug = aug};
  if (!fuzz_accepted(trm_build_maze(&config, &report, &err), &err)) return;
  open_built(config.output_dir, "train", TRM_PUZZLE_MAZE, report.train_examples);
  open_built(config.output_dir, "test", TRM_PUZZLE_MAZE, report.test_examples);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *path = fuzz_file(0, data, size);
  read_records(path);
  build_sudoku(path, 0);
  build_sudoku(path, 1);
  build_maze(path, size % 5 ? NULL : "2,1", size % 2);
  return 0;
}
