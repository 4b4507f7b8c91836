/* Sudokus in files of any form. The first byte chooses the size that is wanted and the length of
 * the pieces in which the text comes: they say the same as the whole. What is read is written as a
 * line, which reads back to the same. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "trm/sudoku_file.h"

/* What the caller wants, and the size of the puzzles; 0: any. */
static const struct {
  int size;
  trm_sudoku_reader_config config;
} choices[] = {{0, {.name = "f"}},
               {0, {.name = "f", .uniform = true}},
               {0, {.name = "f", .uniform = true, .need_rating = true}},
               {0, {.name = "f", .columns = "2,1"}},
               {0, {.name = "f", .columns = "b"}},
               {4, {.name = "f", .owner = "the model"}},
               {9, {.name = "f", .owner = "the model"}},
               {16, {.name = "f", .owner = "the model"}}};
enum { N_CHOICES = sizeof choices / sizeof *choices };

static trm_sudoku_reader_config choose(uint8_t choice) {
  trm_sudoku_reader_config config = choices[choice % N_CHOICES].config;
  if (choices[choice % N_CHOICES].size)
    config.puzzle = trm_sudoku_of_size(choices[choice % N_CHOICES].size);
  return config;
}

static void check_values(const trm_puzzle *p, const uint8_t *values) {
  for (int i = 0; i < p->rows * p->cols; i++) FUZZ_CHECK(values[i] <= p->rows);
}

/* As a line it is the same puzzle. */
static void read_again(const trm_sudoku_entry *e) {
  char text[TRM_SUDOKU_MAX_CELLS + 1];
  uint8_t again[TRM_SUDOKU_MAX_CELLS];
  trm_sudoku_format(&e->puzzle, e->givens, text);
  FUZZ_MUST(trm_sudoku_parse(&e->puzzle, text, strlen(text), again, &fuzz_error));
  FUZZ_CHECK(!memcmp(again, e->givens, (size_t)(e->puzzle.rows * e->puzzle.cols)));
}

static void check_entry(const trm_sudoku_reader_config *config, const trm_sudoku_entry *e) {
  const trm_puzzle *p = &e->puzzle;
  FUZZ_CHECK(p->kind == TRM_PUZZLE_SUDOKU && p->rows == p->cols && p->rows <= TRM_SUDOKU_MAX_SIZE &&
             p->box_rows * p->box_cols == p->rows);
  FUZZ_CHECK(config->puzzle.kind == TRM_PUZZLE_NONE || config->puzzle.rows == p->rows);
  FUZZ_CHECK(e->line >= 1 && e->column >= 1 && e->form && (!e->has_rating || config->need_rating));
  check_values(p, e->givens);
  read_again(e);
  if (e->has_solution) FUZZ_CHECK(trm_sudoku_solves(p, e->givens, e->solution));
}

/* Goes through a text and gives what it says as one number. */
static uint64_t read_text(const trm_sudoku_reader_config *config, const char *text, size_t n,
                          size_t step) {
  /* A reader, and how much of the text it has had. */
  trm_sudoku_reader *r;
  size_t at = 0;
  uint64_t sum = 0;
  int64_t found = 0;
  FUZZ_MUST(trm_sudoku_reader_create(config, &r, &fuzz_error));
  for (;;) {
    trm_sudoku_entry e;
    trm_sudoku_state state;
    trm_error err;

    /* Whatever it says counts: messages, puzzles with their lines. */
    const bool accepted = fuzz_accepted(trm_sudoku_reader_next(r, &e, &state, &err), &err);
    if (!accepted) {
      if (err.code == TRM_E_ARGUMENT) break; /* --columns */
      for (const char *c = err.msg; *c; c++) sum = sum * 31 + (uint8_t)*c;
    } else if (state == TRM_SUDOKU_FOUND) {
      check_entry(config, &e);
      found++;
      for (int i = 0; i < e.puzzle.rows * e.puzzle.cols; i++) sum = sum * 31 + e.givens[i];
      sum = sum * 31 + (uint64_t)e.line;
    } else if (state == TRM_SUDOKU_END) {
      break;

      /* It gets the next piece, then the end. */
    } else if (at == n) {
      trm_sudoku_reader_feed(r, NULL, 0);
      trm_sudoku_reader_end(r);
    } else {
      const size_t piece = n - at < step ? n - at : step;
      trm_sudoku_reader_feed(r, text + at, piece);
      at += piece;
    }
  }

  /* There are no more puzzles than characters. */
  trm_sudoku_reader_free(r);
  FUZZ_CHECK(found <= (int64_t)n);
  return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!size) return 0;
  const trm_sudoku_reader_config config = choose(data[0]);
  const char *text = (const char *)data + 1;
  const uint64_t whole = read_text(&config, text, size - 1, size);
  const size_t step = 1 + (size_t)data[0] / N_CHOICES;
  FUZZ_CHECK(read_text(&config, text, size - 1, step) == whole);
  return 0;
}
