/* Sudokus from files into a data set folder. A solution that stands beside a puzzle is checked
 * against the rules, puzzles without one are solved; the training puzzles are optionally thinned
 * out and multiplied by stored symmetric copies. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "data/dataset_write.h"
#include "data/sudoku/sudoku_reader.h"
#include "puzzle/sudoku/sudoku_symmetry.h"

/* A build in progress. The first puzzle read decides on shape and digits of all others. */
typedef struct build {
  const trm_sudoku_build_config *config;
  trm_puzzle puzzle;
  trm__sudoku_shape shape;
  trm__puzzle_list train, test;
  int64_t skipped; /* puzzles without a given solution that have none or several */
  int64_t unreadable, empty_rows, titles;
  trm__sudoku_zero zero;
} build;

static trm_status tick(const build *b, int64_t done, int64_t total, trm_error *err) {
  return trm__build_tick(b->config->progress, b->config->progress_arg, done, total, err);
}

/* --- puzzles --- */

/* A puzzle is refused, with `st`: it is left out and counted, or ends the build. */
static trm_status refuse_puzzle(const build *b, int64_t *left_out, trm_status st, trm_error *err) {
  if (b->config->skip_invalid) {
    ++*left_out;
    return TRM_OK;
  }
  if (err) {
    const size_t used = strlen(err->msg);
    snprintf(err->msg + used, sizeof err->msg - used, "; --skip-invalid leaves it out");
  }
  return st;
}

/* Solves a puzzle; *ok when there is a single solution. */
static trm_status solve(build *b, const trm_sudoku_reader *r, const trm_sudoku_entry *e,
                        uint8_t *answer, int64_t *backtracks, bool *ok, trm_error *err) {
  trm__sudoku_search search = {.shape = &b->shape,
                               .limit = 2,
                               .max_guesses = TRM_SUDOKU_MAX_GUESSES,
                               .answer = answer,
                               .forbidden_cell = -1};
  trm__sudoku_search_run(&search, e->givens);
  *backtracks = search.backtracks;
  *ok = search.complete && search.solutions == 1;
  if (*ok || e->has_solution) return TRM_OK;
  const trm_status st =
      trm__sudoku_refuse(r, TRM_E_PUZZLE, e->line, (size_t)e->column, err, "%s",
                         !search.complete        ? "the search for solutions was given up"
                         : search.solutions == 0 ? "the puzzle has no solution"
                                                 : "the puzzle has more than one solution");
  return refuse_puzzle(b, &b->skipped, st, err);
}

/* Appends a puzzle, unless it is too easy or skipped. */
static trm_status take_entry(build *b, const trm_sudoku_reader *r, const trm_sudoku_entry *e,
                             trm__puzzle_list *list, trm_error *err) {
  const double least = b->config->min_difficulty;
  const size_t cells = (size_t)b->shape.cells;
  uint8_t *answer = list->answer + list->n * (int64_t)cells;
  double rating = e->rating;
  bool ok = true;
  memcpy(list->question + list->n * (int64_t)cells, e->givens, cells);
  if (!e->has_solution || (least > 0 && !e->has_rating)) {
    int64_t backtracks;
    TRM_TRY(solve(b, r, e, answer, &backtracks, &ok, err));
    if (!e->has_rating) rating = (double)backtracks;
  }
  if (e->has_solution) memcpy(answer, e->solution, cells);
  list->n += (ok || e->has_solution) && rating >= least;
  return TRM_OK;
}

static trm_status add_entry(build *b, const trm_sudoku_reader *r, const trm_sudoku_entry *e,
                            trm__puzzle_list *list, int64_t expected, trm_error *err) {
  if (b->puzzle.kind == TRM_PUZZLE_NONE) {
    b->puzzle = e->puzzle;
    trm__sudoku_shape_init(&b->shape, &b->puzzle);
  }
  TRM_TRY(trm__puzzle_list_grow(list, b->shape.cells, expected, err));
  return take_entry(b, r, e, list, err);
}

/* The next piece of the file, so that a stop is seen wherever puzzles are far between. */
static trm_status feed(const build *b, trm_sudoku_reader *r, size_t *fed, trm_error *err) {
  enum { PIECE = 1 << 20 };
  const size_t left = r->map.size - *fed, n = left < PIECE ? left : PIECE;
  trm_sudoku_reader_feed(r, n ? (const char *)r->map.data + *fed : NULL, n);
  *fed += n;
  if (*fed == r->map.size) trm_sudoku_reader_end(r);
  return tick(b, 0, 1, err);
}

/* All puzzles of a file; *seen, and of those that cannot be read the first error. */
static trm_status read_all(build *b, trm_sudoku_reader *r, trm__puzzle_list *list, int64_t *seen,
                           trm_error *first, trm_error *err) {
  size_t fed = 0;
  trm_sudoku_state state;
  do {
    /* A puzzle that cannot be read may be passed over; another error ends the file. */
    trm_sudoku_entry e;
    trm_error cause;
    trm_status st = trm_sudoku_reader_next(r, &e, &state, &cause);
    if (st != TRM_OK) {
      if (err) *err = cause;
      if (r->gave_up || (st != TRM_E_FORMAT && st != TRM_E_PUZZLE && st != TRM_E_RANGE)) return st;
      TRM_TRY(refuse_puzzle(b, &b->unreadable, st, err));
      if (!first->code) *first = cause;
    } else if (state == TRM_SUDOKU_WANTS_MORE) {
      TRM_TRY(feed(b, r, &fed, err));
    } else if (state == TRM_SUDOKU_FOUND) {
      /* How many there will be is estimated by the bytes that these took. */
      const size_t at = fed - (r->n - r->at);
      const int64_t expected = trm__build_estimate(*seen, at, r->map.size);
      TRM_TRY(add_entry(b, r, &e, list, expected, err));
      TRM_TRY(tick(b, *seen, expected, err));
      ++*seen;
    }
  } while (state != TRM_SUDOKU_END);
  return TRM_OK;
}

static trm_status read_entries(build *b, trm_sudoku_reader *r, const char *path,
                               trm__puzzle_list *list, trm_error *err) {
  int64_t seen = 0;
  trm_error first = {.code = TRM_OK};

  /* What one file settles, such as what 0 means, holds for the next. */
  TRM_TRY(read_all(b, r, list, &seen, &first, err));
  b->zero = r->zero;
  b->empty_rows += r->empty_rows;
  b->titles += r->titles;

  /* A file of which nothing could be read is refused with its first error, or as no file of
   * Sudokus. */
  if (!seen && first.code) {
    if (err) *err = first;
    return first.code;
  }
  if (!seen)
    TRM_FAIL_AT(err, TRM_E_FORMAT, 1,
                "%s:1:1: there is no Sudoku in this file; docs/BUILD_DATA.md names the forms that "
                "are read, the simplest is a puzzle a line",
                path);

  /* All were read, and none was taken. */
  if (!list->n)
    TRM_FAIL(err, TRM_E_RANGE,
             "%s: none of %lld puzzle%s has exactly one solution and a rating, or else backtracks, "
             "of at least %g",
             path, (long long)seen, TRM__S(seen), b->config->min_difficulty);
  return TRM_OK;
}

static trm_status read_file(build *b, const char *path, trm__puzzle_list *list, trm_error *err) {
  const trm_sudoku_reader_config config = {.name = path,
                                           .columns = b->config->columns,
                                           .need_rating = b->config->min_difficulty > 0,
                                           .puzzle = b->puzzle,
                                           .uniform = true};
  trm_sudoku_reader *r;
  TRM_TRY(trm__sudoku_reader_map(&config, &r, err));
  r->zero = b->zero;
  const trm_status st = read_entries(b, r, path, list, err);
  trm_sudoku_reader_free(r);
  return st;
}

/* --- the folder --- */

/* Puzzle i and its symmetric copies: one group. */
static void add_group(const build *b, trm__split_writer *w, const trm__puzzle_list *list,
                      int64_t i) {
  int64_t cells = b->puzzle.rows * b->puzzle.cols;
  const uint8_t *q = list->question + i * cells, *a = list->answer + i * cells;
  trm__split_add(w, q, a);
  for (int64_t k = 1; k < w->copies; k++) {
    trm__rng rng = trm__rng_at(b->config->seed, TRM__RNG_AUGMENT, (uint64_t)i, (uint32_t)k);
    trm__symmetry g;
    uint8_t question[TRM_SUDOKU_MAX_CELLS], answer[TRM_SUDOKU_MAX_CELLS];
    trm__symmetry_draw(&b->puzzle, &rng, &g);
    trm__symmetry_apply(&g, q, question);
    trm__symmetry_apply(&g, a, answer);
    trm__split_add(w, question, answer);
  }
}

static trm_status write_split(const build *b, const trm__folder *f, const char *name,
                              const trm__puzzle_list *list, int64_t copies, trm_error *err) {
  trm__split_writer w = {0};
  trm_status st = trm__split_begin(&w, f, name, &b->puzzle, list->n, copies, err);
  for (int64_t i = 0; st == TRM_OK && i < list->n; i++) {
    add_group(b, &w, list, i);
    st = tick(b, i, list->n, err);
  }
  if (st == TRM_OK) st = trm__split_end(&w, err);
  trm__split_abort(&w);
  return st;
}

static trm_status write_folder(const build *b, trm__folder *f, trm_error *err) {
  TRM_TRY(trm__dataset_folder_begin(f, b->config->output_dir, err));
  TRM_TRY(write_split(b, f, "train", &b->train, 1 + (int64_t)b->config->num_aug, err));
  if (b->test.n) TRM_TRY(write_split(b, f, "test", &b->test, 1, err));
  TRM_TRY(trm__dataset_folder_write_blank(f, err));
  return trm__folder_commit(f, err);
}

static trm_status check_config(const trm_sudoku_build_config *c, trm_error *err) {
  if (!c->train_csv) TRM_FAIL(err, TRM_E_ARGUMENT, "no file of training puzzles was named");
  if (c->subsample_size < 0 || c->num_aug < 0 || !(c->min_difficulty >= 0))
    TRM_FAIL(err, TRM_E_ARGUMENT, "subsample size, copies and least rating must not be negative");
  return TRM_OK;
}

static trm_status run_build(build *b, trm_build_report *report, trm_error *err) {
  const trm_sudoku_build_config *c = b->config;
  TRM_TRY(read_file(b, c->train_csv, &b->train, err));
  if (c->test_csv) TRM_TRY(read_file(b, c->test_csv, &b->test, err));
  TRM_TRY(trm__puzzle_list_thin(&b->train, b->puzzle.rows * b->puzzle.cols, c->subsample_size,
                                c->seed, err));
  TRM_TRY(trm__count_duplicates(&b->puzzle, &b->train, &b->test, c->progress, c->progress_arg,
                                report, err));
  trm__folder folder = {0};
  trm_status st = write_folder(b, &folder, err);
  trm__folder_abort(&folder);
  report->train_examples = b->train.n * (1 + (int64_t)c->num_aug);
  report->test_examples = b->test.n;
  report->skipped = b->skipped;
  report->unreadable = b->unreadable;
  report->empty_rows = b->empty_rows;
  report->titles = b->titles;
  return st;
}

trm_status trm_build_sudoku(const trm_sudoku_build_config *config, trm_build_report *report,
                            trm_error *err) {
  trm_build_report unused;
  if (!report) report = &unused;
  memset(report, 0, sizeof *report);
  TRM_TRY(check_config(config, err));
  build b = {.config = config};
  trm_status st = run_build(&b, report, err);
  trm__puzzle_list_free(&b.train);
  trm__puzzle_list_free(&b.test);
  return st;
}
