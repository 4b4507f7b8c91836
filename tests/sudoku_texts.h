/* Sudokus in texts: a few that are known, and what a reader makes of a text, whole and in pieces.
 */
#ifndef TRM_TESTS_SUDOKU_TEXTS_H
#define TRM_TESTS_SUDOKU_TEXTS_H

#include "data/sudoku/sudoku_reader.h"
#include "scratch.h"

#define P "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79"
#define P0 "530070000600195000098000060800060003400803001700020006060000280000419005000080079"
#define S "534678912672195348198342567859761423426853791713924856961537284287419635345286179"
#define WRONG "534678912672195348198342567859761423426853791713924856961537284287419635345286197"
/* Another puzzle. */
#define P2 "..............3.85..1.2.......5.7.....4...1...9.......5......73..2.1........4...9"
#define FOUR "1...3......3...."
#define FOUR_S "1234341221434321"

/* Reads a text, fed `step` bytes at a time, into lines of "PUZZLE", "PUZZLE=SOLUTION" and "!ERROR";
 * returns how many. */
static inline int read_text(const trm_sudoku_reader_config *config, const char *text, size_t step,
                            char out[][700], int room) {
  /* The reader, and how much of the text it has had. */
  trm_sudoku_reader *r;
  const size_t n = strlen(text);
  size_t at = 0;
  char puzzle[TRM_SUDOKU_MAX_CELLS + 1], solution[TRM_SUDOKU_MAX_CELLS + 1];
  assert_int_equal(trm_sudoku_reader_create(config, &r, NULL), TRM_OK);
  for (int i = 0;;) {
    trm_sudoku_entry e;
    trm_sudoku_state state;
    trm_error err;
    assert_in_range(i, 0, room - 1);

    /* What it found is written as one line; otherwise it gets the next piece, then the end. */
    const trm_status st = trm_sudoku_reader_next(r, &e, &state, &err);
    if (st != TRM_OK) {
      snprintf(out[i++], 700, "!%s", err.msg);
    } else if (state == TRM_SUDOKU_FOUND) {
      trm_sudoku_format(&e.puzzle, e.givens, puzzle);
      trm_sudoku_format(&e.puzzle, e.solution, solution);
      snprintf(out[i++], 700, "%s%s%s", puzzle, e.has_solution ? "=" : "",
               e.has_solution ? solution : "");
    } else if (state == TRM_SUDOKU_END) {
      trm_sudoku_reader_free(r);
      return i;
    } else if (at == n) {
      trm_sudoku_reader_feed(r, NULL, 0);
      trm_sudoku_reader_end(r);
    } else {
      const size_t piece = n - at < step ? n - at : step;
      trm_sudoku_reader_feed(r, text + at, piece);
      at += piece;
    }
  }
}

/* A text, and what is in it; "!" begins a part of a message. */
typedef struct sample {
  const char *text, *want[4];
} sample;

static inline void check(const trm_sudoku_reader_config *config, const sample *s) {
  static const size_t steps[] = {1 << 20, 1, 7};
  static char out[3][12][700];
  int n[3];
  for (int k = 0; k < 3; k++) n[k] = read_text(config, s->text, steps[k], out[k], 12);
  for (int i = 0; i < 4 && (i < n[0] || s->want[i]); i++) {
    const char *want = s->want[i] ? s->want[i] : "";
    const bool same = i < n[0] && (*want == '!' ? *out[0][i] == '!' && strstr(out[0][i], want + 1)
                                                : !strcmp(out[0][i], want));
    if (!same)
      fail_msg("'%.300s'\n  number %d: %s\n  want: %s", s->text, i + 1,
               i < n[0] ? out[0][i] : "nothing", want);
  }
  for (int k = 1; k < 3; k++) {
    assert_int_equal(n[k], n[0]);
    for (int i = 0; i < n[0]; i++) assert_string_equal(out[k][i], out[0][i]);
  }
}

static inline void check_all(const sample *samples, size_t n,
                             const trm_sudoku_reader_config *config) {
  for (size_t i = 0; i < n; i++) check(config, &samples[i]);
}
#define CHECK_ALL(samples, ...)                             \
  check_all((samples), sizeof(samples) / sizeof *(samples), \
            &(const trm_sudoku_reader_config){.name = "f", __VA_ARGS__})

#endif
