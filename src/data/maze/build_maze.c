/* Mazes from CSV files into a data set folder: every answer checked to be a shortest path, the
 * training mazes optionally thinned out and stored with their symmetric images. */
#include <string.h>

#include "base/memory.h"
#include "data/dataset_write.h"
#include "data/puzzle_csv.h"
#include "puzzle/dihedral.h"
#include "puzzle/maze/maze_board.h"

/* A build in progress. A square size is found in the first maze read and binds all others. */
typedef struct build {
  const trm_maze_build_config *config;
  trm_puzzle puzzle;
  trm__puzzle_list train, test;
  int64_t empty_rows;
  int transforms[TRM__DIHEDRAL], n_transforms;
} build;

/* --- one CSV file --- */

static trm_status find_shape(build *b, const trm__puzzle_csv *in, trm_error *err) {
  const trm__csv_field *f = &in->question;
  int side = 0;
  while (side < TRM_PUZZLE_MAX_SIDE && (size_t)side * (size_t)side < f->n) side++;
  b->puzzle = trm_maze_of_size(side, side);
  if ((size_t)side * (size_t)side != f->n)
    TRM_FAIL_AT(err, TRM_E_FORMAT, f->line,
                "%s line %lld column %lld: a question of %zu characters is no square: give the "
                "numbers of rows and columns",
                in->csv.path, f->line, f->column, f->n);
  if (b->puzzle.kind == TRM_PUZZLE_NONE)
    TRM_FAIL_AT(err, TRM_E_FORMAT, f->line,
                "%s line %lld column %lld: a question of %zu characters: want 1 to %d",
                in->csv.path, f->line, f->column, f->n, TRM_MAZE_MAX_CELLS);
  return TRM_OK;
}

static trm_status read_maze(const build *b, const char *path, const trm__csv_field *f,
                            uint8_t *tokens, trm_error *err) {
  char where[300];
  snprintf(where, sizeof where, "%.250s line %lld ", path, f->line);
  trm_status st =
      trm__maze_parse_at(&b->puzzle, f->text, f->n, tokens, where, (size_t)f->column, err);
  if (st != TRM_OK && err) err->pos = f->line;
  return st;
}

/* The question has one S, one G and a way between them; the answer is a shortest one. */
static trm_status check_row(const build *b, const trm__puzzle_csv *in, const uint8_t *question,
                            const uint8_t *answer, trm_error *err) {
  int rows = b->puzzle.rows, cols = b->puzzle.cols, marked = 0;
  const trm__csv_field *q = &in->question, *a = &in->answer;

  /* The question by itself. */
  int length = trm_maze_shortest(rows, cols, question, NULL);
  if (!length)
    TRM_FAIL_AT(err, TRM_E_PUZZLE, q->line,
                "%s line %lld column %lld: the question is no maze with a solution (want one S, "
                "one G, no 'o', and a way from S to G)",
                in->csv.path, q->line, q->column);

  /* The answer: what is wrong with it is told by the first cell that differs beyond the path,
   * else by the length of the path. */
  if (trm_maze_solves(rows, cols, question, answer)) return TRM_OK;
  for (int i = 0; i < rows * cols; i++) {
    bool path = answer[i] == TRM_MAZE_PATH && question[i] == TRM_MAZE_FREE;
    marked += path;
    if (!path && answer[i] != question[i])
      TRM_FAIL_AT(err, TRM_E_PUZZLE, a->line,
                  "%s line %lld column %lld: the answer has '%c' where the question has '%c' (row "
                  "%d, column %d of the maze)",
                  in->csv.path, a->line, a->column + i, a->text[i], q->text[i], i / cols + 1,
                  i % cols + 1);
  }
  TRM_FAIL_AT(err, TRM_E_PUZZLE, a->line,
              "%s line %lld column %lld: the answer is no shortest path: %d cells are marked, a "
              "shortest path has %d between S and G",
              in->csv.path, a->line, a->column, marked, length - 2);
}

static trm_status tick(const build *b, int64_t done, int64_t total, trm_error *err) {
  return trm__build_tick(b->config->progress, b->config->progress_arg, done, total, err);
}

static trm_status read_rows(build *b, trm__puzzle_csv *in, trm__puzzle_list *list, trm_error *err) {
  for (;;) {
    TRM_TRY(trm__puzzle_csv_next(in, err));
    if (!in->question.text) return TRM_OK;
    if (b->puzzle.kind == TRM_PUZZLE_NONE) TRM_TRY(find_shape(b, in, err));
    int64_t cells = b->puzzle.rows * b->puzzle.cols;
    const int64_t expected = trm__build_estimate(list->n, in->csv.at, in->csv.size);
    TRM_TRY(trm__puzzle_list_grow(list, (int)cells, expected, err));
    uint8_t *q = list->question + list->n * cells, *a = list->answer + list->n * cells;
    TRM_TRY(read_maze(b, in->csv.path, &in->question, q, err));
    TRM_TRY(read_maze(b, in->csv.path, &in->answer, a, err));
    TRM_TRY(check_row(b, in, q, a, err));
    list->n++;
    TRM_TRY(tick(b, list->n, expected > list->n ? expected : list->n, err));
  }
}

static trm_status read_file(build *b, const char *path, trm__puzzle_list *list, trm_error *err) {
  trm__puzzle_csv *in;
  TRM_ALLOC(&in, 1, "a CSV reader", err);
  trm_status st = trm__puzzle_csv_open(in, path, b->config->columns, err);
  if (st == TRM_OK) st = read_rows(b, in, list, err);
  b->empty_rows += in->empty;
  trm__puzzle_csv_close(in);
  trm__free(in);
  return st;
}

/* --- the folder --- */

/* Maze i and, of a group of several, its images; transform 0 is the maze itself. */
static void add_group(const build *b, trm__split_writer *w, const trm__puzzle_list *list,
                      int64_t i) {
  int64_t cells = b->puzzle.rows * b->puzzle.cols;
  for (int64_t k = 0; k < w->copies; k++) {
    uint8_t question[TRM_MAZE_MAX_CELLS], answer[TRM_MAZE_MAX_CELLS];
    trm__maze_image(&b->puzzle, b->transforms[k], list->question + i * cells, question);
    trm__maze_image(&b->puzzle, b->transforms[k], list->answer + i * cells, answer);
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
  TRM_TRY(write_split(b, f, "train", &b->train, b->config->aug ? b->n_transforms : 1, err));
  if (b->test.n) TRM_TRY(write_split(b, f, "test", &b->test, 1, err));
  TRM_TRY(trm__dataset_folder_write_blank(f, err));
  return trm__folder_commit(f, err);
}

static trm_status check_config(const trm_maze_build_config *c, trm_error *err) {
  if (!c->train_csv) TRM_FAIL(err, TRM_E_ARGUMENT, "no CSV of training mazes was named");
  if (c->subsample_size < 0)
    TRM_FAIL(err, TRM_E_ARGUMENT, "the subsample size must not be negative");
  if ((c->rows || c->cols) && trm_maze_of_size(c->rows, c->cols).kind == TRM_PUZZLE_NONE)
    TRM_FAIL(err, TRM_E_ARGUMENT,
             "%d rows and %d columns: want both, of 1 to %d, with at most %d cells", c->rows,
             c->cols, TRM_PUZZLE_MAX_SIDE, TRM_MAZE_MAX_CELLS);
  return TRM_OK;
}

static trm_status run_build(build *b, trm_build_report *report, trm_error *err) {
  const trm_maze_build_config *c = b->config;
  if (c->rows) b->puzzle = trm_maze_of_size(c->rows, c->cols);
  TRM_TRY(read_file(b, c->train_csv, &b->train, err));
  if (c->test_csv) TRM_TRY(read_file(b, c->test_csv, &b->test, err));
  TRM_TRY(trm__puzzle_list_thin(&b->train, b->puzzle.rows * b->puzzle.cols, c->subsample_size,
                                c->seed, err));
  TRM_TRY(trm__count_duplicates(&b->puzzle, &b->train, &b->test, c->progress, c->progress_arg,
                                report, err));
  b->n_transforms = trm__maze_transforms(&b->puzzle, b->transforms);
  trm__folder folder = {0};
  trm_status st = write_folder(b, &folder, err);
  trm__folder_abort(&folder);
  report->train_examples = b->train.n * (c->aug ? b->n_transforms : 1);
  report->test_examples = b->test.n;
  report->empty_rows = b->empty_rows;
  return st;
}

trm_status trm_build_maze(const trm_maze_build_config *config, trm_build_report *report,
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
