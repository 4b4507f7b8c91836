/* Data sets of Sudokus, built of texts in a scratch folder. */
#ifndef TRM_TESTS_SUDOKU_BUILDS_H
#define TRM_TESTS_SUDOKU_BUILDS_H

#include "processors.h"
#include "scratch.h"
#include "trm/dataset.h"
#include "trm/sudoku.h"

/* A question of side 4, its answer, and the header of a table of them. */
#define Q1 "1...3......3...."
#define A1 "1234341221434321"
#define HEAD "source,question,answer,rating\n"

/* Builds DIR of the texts; test may be NULL. */
static inline trm_status build(scratch *s, const char *train, const char *test, const char *dir,
                               trm_sudoku_build_config config, trm_build_report *report,
                               trm_error *err) {
  char train_path[200], test_path[200], out[200];
  snprintf(train_path, sizeof train_path, "%s/train.csv", s->dir);
  snprintf(test_path, sizeof test_path, "%s/test.csv", s->dir);
  snprintf(out, sizeof out, "%s/%s", s->dir, dir);
  write_bytes(train_path, train, strlen(train));
  if (test) write_bytes(test_path, test, strlen(test));
  config.train_csv = train_path;
  config.test_csv = test ? test_path : NULL;
  config.output_dir = out;
  return trm_build_sudoku(&config, report, err);
}

/* Names in the scratch folder that contain `part`. */
static inline int count_names(const scratch *s, const char *part) {
  char command[200];
  snprintf(command, sizeof command, "ls '%s' | grep -c -- '%s'", s->dir, part);
  FILE *p = popen(command, "r");
  int n = -1;
  assert_non_null(p);
  assert_int_equal(fscanf(p, "%d", &n), 1);
  pclose(p);
  return n;
}

#endif
