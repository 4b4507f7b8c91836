/* Sudokus from files into a data set folder. Rows of a CSV file are checked against the rules,
 * lines of a plain list are solved; the training puzzles are optionally thinned out and multiplied
 * by stored symmetric copies. */
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "data/dataset_write.h"
#include "data/puzzle_csv.h"
#include "data/sudoku/sudoku_shape.h"
#include "data/sudoku/sudoku_symmetry.h"

enum { PROGRESS_EVERY = 64 /* puzzles */ };

/* A build in progress. The shape is found in the first puzzle read and binds all others. */
typedef struct build {
  const trm_sudoku_build_config *config;
  trm_puzzle puzzle;
  trm__puzzle_list train, test;
  int64_t skipped; /* puzzles of lists without exactly one solution */
} build;

/* --- grids --- */

static trm_status find_shape(build *b, const char *path, const trm__csv_field *question,
                             trm_error *err) {
  int size = 0;
  while (size < TRM_SUDOKU_MAX_SIZE && (size_t)(size * size) < question->n) size++;
  b->puzzle = trm_sudoku_of_size((size_t)(size * size) == question->n ? size : 0);
  if (b->puzzle.kind == TRM_PUZZLE_NONE)
    TRM_FAIL_AT(err, TRM_E_FORMAT, question->line,
                "%s line %lld column %lld: a question of %zu characters is no Sudoku (want 81 for "
                "9x9; 16, 36, 64, 100, 144 or 256 for 4x4, 6x6, 8x8, 10x10, 12x12 or 16x16)",
                path, question->line, question->column, question->n);
  return TRM_OK;
}

static trm_status read_grid(const build *b, const char *path, const trm__csv_field *f,
                            uint8_t *values, trm_error *err) {
  char where[300];
  snprintf(where, sizeof where, "%.250s line %lld ", path, f->line);
  trm_status st =
      trm__sudoku_parse_at(&b->puzzle, f->text, f->n, values, where, (size_t)f->column, err);
  if (st != TRM_OK && err) err->pos = f->line;
  return st;
}

/* The answer must be complete, keep the givens and obey the rules. */
static trm_status check_answer(const build *b, const char *path, const trm__csv_field *f,
                               const uint8_t *question, const uint8_t *answer, trm_error *err) {
  const trm_puzzle *p = &b->puzzle;
  int cell = 0;
  for (; cell < p->rows * p->cols; cell++) {
    if (answer[cell] && (!question[cell] || question[cell] == answer[cell])) continue;
    char given[TRM_SUDOKU_MAX_CELLS + 1], found[TRM_SUDOKU_MAX_CELLS + 1];
    trm_sudoku_format(p, question, given);
    trm_sudoku_format(p, answer, found);
    if (!answer[cell])
      TRM_FAIL_AT(err, TRM_E_PUZZLE, f->line,
                  "%s line %lld column %lld: the answer is blank in row %d, column %d of the grid",
                  path, f->line, f->column + cell, cell / p->cols + 1, cell % p->cols + 1);
    TRM_FAIL_AT(err, TRM_E_PUZZLE, f->line,
                "%s line %lld column %lld: the answer has '%c' where the question gives '%c' (row "
                "%d, column %d of the grid)",
                path, f->line, f->column + cell, found[cell], given[cell], cell / p->cols + 1,
                cell % p->cols + 1);
  }
  if (trm_sudoku_consistent(p, answer, &cell)) return TRM_OK;
  TRM_FAIL_AT(err, TRM_E_PUZZLE, f->line,
              "%s line %lld column %lld: the answer breaks the rules: the digit in row %d, column "
              "%d of the grid stands twice in its row, column or box",
              path, f->line, f->column + cell, cell / p->cols + 1, cell % p->cols + 1);
}

/* --- CSV --- */

/* Appends the row just read, unless it is too easy. */
static trm_status read_row(build *b, const trm__puzzle_csv *in, trm__puzzle_list *list,
                           trm_error *err) {
  int64_t cells = b->puzzle.rows * b->puzzle.cols;
  uint8_t *q = list->question + list->n * cells, *a = list->answer + list->n * cells;
  TRM_TRY(read_grid(b, in->csv.path, in->question, q, err));
  TRM_TRY(read_grid(b, in->csv.path, in->answer, a, err));
  TRM_TRY(check_answer(b, in->csv.path, in->answer, q, a, err));
  double rating = 0;
  if (b->config->min_difficulty > 0) TRM_TRY(trm__puzzle_csv_rating(in, &rating, err));
  list->n += rating >= b->config->min_difficulty;
  return TRM_OK;
}

static trm_status read_rows(build *b, trm__puzzle_csv *in, trm__puzzle_list *list, trm_error *err) {
  int64_t rows = 0;
  for (;; rows++) {
    TRM_TRY(trm__puzzle_csv_next(in, err));
    if (!in->question) break;
    if (b->puzzle.kind == TRM_PUZZLE_NONE) TRM_TRY(find_shape(b, in->csv.path, in->question, err));
    if (!list->question)
      TRM_TRY(trm__puzzle_list_alloc(list, in->most, b->puzzle.rows * b->puzzle.cols, err));
    TRM_TRY(read_row(b, in, list, err));
  }
  if (!list->n)
    TRM_FAIL(err, TRM_E_RANGE, "%s: none of %lld puzzles has a rating of at least %g", in->csv.path,
             (long long)rows, b->config->min_difficulty);
  return TRM_OK;
}

static trm_status read_csv(build *b, const char *path, trm__puzzle_list *list, trm_error *err) {
  trm__puzzle_csv *in;
  TRM_ALLOC(&in, 1, "a CSV reader", err);
  trm_status st = trm__puzzle_csv_open(in, path, b->config->min_difficulty > 0, err);
  if (st == TRM_OK) st = read_rows(b, in, list, err);
  trm__puzzle_csv_close(in);
  trm__free(in);
  return st;
}

/* --- plain lists --- */

/* Lines of a mapped file. */
typedef struct lines {
  trm__map map;
  size_t at;
  long long n; /* lines read */
} lines;

static bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

/* The first word of the next line that has one and does not begin with '#'; false at the end. With
 * `rest` it is all from there to the line's end. */
static bool next_word(lines *in, bool rest, trm__csv_field *word) {
  const char *text = (const char *)in->map.data;
  while (in->at < in->map.size) {
    size_t start = in->at, end = start;
    while (end < in->map.size && text[end] != '\n') end++;
    in->at = end + 1;
    in->n++;
    size_t first = start, last;
    while (first < end && is_space(text[first])) first++;
    if (first == end || text[first] == '#') continue;
    for (last = first; last < end && (rest || !is_space(text[last]));) last++;
    *word = (trm__csv_field){text + first, last - first, in->n, (long long)(first - start) + 1};
    return true;
  }
  return false;
}

/* Solves the question at the end of the list and takes it in when it has one solution. */
static trm_status take_puzzle(build *b, const trm__sudoku_shape *shape, const char *path,
                              const trm__csv_field *f, trm__puzzle_list *list, trm_error *err) {
  int64_t at = list->n * shape->cells;
  trm__sudoku_search search = {.shape = shape,
                               .limit = 2,
                               .max_guesses = TRM_SUDOKU_MAX_GUESSES,
                               .answer = list->answer + at,
                               .forbidden_cell = -1};
  trm__sudoku_search_run(&search, list->question + at);
  if (search.complete && search.solutions == 1) {
    list->n += (double)search.backtracks >= b->config->min_difficulty;
    return TRM_OK;
  }
  b->skipped++;
  if (b->config->skip_invalid) return TRM_OK;
  TRM_FAIL_AT(
      err, TRM_E_PUZZLE, f->line,
      "%s line %lld column %lld: %s; take it out of the list, or ask for such puzzles to be "
      "skipped",
      path, f->line, f->column,
      !search.complete        ? "the search for solutions was given up"
      : search.solutions == 0 ? "the puzzle has no solution"
                              : "the puzzle has more than one solution");
}

static trm_status read_lines(build *b, lines *in, const char *path, trm__puzzle_list *list,
                             trm_error *err) {
  int64_t most = 1, seen = 0;
  trm__csv_field f;
  trm__sudoku_shape shape;
  for (size_t i = 0; i < in->map.size; i++) most += in->map.data[i] == '\n';
  if (most > INT32_MAX) TRM_FAIL(err, TRM_E_RANGE, "%s has more than 2^31 - 1 lines", path);
  for (; next_word(in, false, &f); seen++) {
    if (b->puzzle.kind == TRM_PUZZLE_NONE) TRM_TRY(find_shape(b, path, &f, err));
    if (!list->question) {
      trm__sudoku_shape_init(&shape, &b->puzzle);
      TRM_TRY(trm__puzzle_list_alloc(list, most, shape.cells, err));
    }
    TRM_TRY(read_grid(b, path, &f, list->question + list->n * shape.cells, err));
    TRM_TRY(take_puzzle(b, &shape, path, &f, list, err));
    const trm_sudoku_build_config *c = b->config;
    if (c->progress && seen % PROGRESS_EVERY == 0 && !c->progress(c->progress_arg, seen, most))
      TRM_FAIL(err, TRM_E_INTERRUPTED, "stopped: nothing was written");
  }
  if (!list->n)
    TRM_FAIL(err, TRM_E_RANGE,
             "%s: none of %lld puzzles has exactly one solution and at least %g backtracks", path,
             (long long)seen, b->config->min_difficulty);
  return TRM_OK;
}

/* A file whose first line with content has no comma is a list. */
static trm_status read_file(build *b, const char *path, trm__puzzle_list *list, trm_error *err) {
  lines in = {.at = 0};
  trm__csv_field first;
  TRM_TRY(trm__map_open(path, &in.map, err));
  bool plain = next_word(&in, true, &first) && !memchr(first.text, ',', first.n);
  in.at = 0;
  in.n = 0;
  trm_status st = plain ? read_lines(b, &in, path, list, err) : TRM_OK;
  trm__map_close(&in.map);
  return plain ? st : read_csv(b, path, list, err);
}

/* --- the folder --- */

/* Puzzle i and its symmetric copies: one group. */
static void add_group(const build *b, trm__split_writer *w, const trm__puzzle_list *list,
                      int64_t i) {
  int64_t cells = b->puzzle.rows * b->puzzle.cols;
  const uint8_t *q = list->question + i * cells, *a = list->answer + i * cells;
  trm__split_add_sudoku(w, q, a);
  for (int64_t k = 1; k < w->copies; k++) {
    trm__rng rng = trm__rng_at(b->config->seed, TRM__RNG_AUGMENT, (uint64_t)i, (uint32_t)k);
    trm__symmetry g;
    uint8_t question[TRM_SUDOKU_MAX_CELLS], answer[TRM_SUDOKU_MAX_CELLS];
    trm__symmetry_draw(&b->puzzle, &rng, &g);
    trm__symmetry_apply(&g, q, question);
    trm__symmetry_apply(&g, a, answer);
    trm__split_add_sudoku(w, question, answer);
  }
}

static trm_status write_split(const build *b, const trm__folder *f, const char *name,
                              const trm__puzzle_list *list, int64_t copies, trm_error *err) {
  const trm_sudoku_build_config *c = b->config;
  trm__split_writer w = {0};
  trm_status st = trm__split_begin(&w, f, name, &b->puzzle, list->n, copies, err);
  for (int64_t i = 0; st == TRM_OK && i < list->n; i++) {
    add_group(b, &w, list, i);
    if (c->progress && i % PROGRESS_EVERY == 0 && !c->progress(c->progress_arg, i, list->n))
      st = trm__fail(err, TRM_E_INTERRUPTED, -1, "stopped: nothing was written");
  }
  if (st == TRM_OK) st = trm__split_end(&w, err);
  trm__split_abort(&w);
  return st;
}

static trm_status write_folder(const build *b, trm__folder *f, trm_error *err) {
  TRM_TRY(trm__folder_begin(f, b->config->output_dir, err));
  TRM_TRY(write_split(b, f, "train", &b->train, 1 + (int64_t)b->config->num_aug, err));
  if (b->test.n) TRM_TRY(write_split(b, f, "test", &b->test, 1, err));
  TRM_TRY(trm__folder_write_blank(f, err));
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
  TRM_TRY(trm__count_duplicates(&b->puzzle, &b->train, &b->test, report, err));
  trm__folder folder = {0};
  trm_status st = write_folder(b, &folder, err);
  trm__folder_abort(&folder);
  report->train_examples = b->train.n * (1 + (int64_t)c->num_aug);
  report->test_examples = b->test.n;
  report->skipped = b->skipped;
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
