/* Data sets built of a few lines of text, and what is looked at in them. */
#ifndef TRM_TESTS_GRID_BUILDS_H
#define TRM_TESTS_GRID_BUILDS_H

#include "scratch.h"
#include "trm/grid.h"

typedef struct built {
  trm_dataset *train, *test;
  trm_build_report report;
} built;

static inline void write_text(scratch *s, const char *name, const char *text) {
  write_bytes(scratch_path(s, name), text, strlen(text));
}

static inline trm_grid_build_config config_in(scratch *s, char paths[3][160], const char *train,
                                              const char *test) {
  snprintf(paths[0], 160, "%s", scratch_path(s, train));
  if (test) snprintf(paths[1], 160, "%s", scratch_path(s, test));
  snprintf(paths[2], 160, "%s", scratch_path(s, "out"));
  return (trm_grid_build_config){
      .train = paths[0], .test = test ? paths[1] : NULL, .output_dir = paths[2]};
}

static inline built build(const trm_grid_build_config *c) {
  built b = {0};
  trm_error err;
  if (trm_build_grid(c, &b.report, &err) != TRM_OK) fail_msg("%s", err.msg);
  assert_int_equal(trm_dataset_open(c->output_dir, "train", &b.train, &err), TRM_OK);
  if (b.report.test_puzzles)
    assert_int_equal(trm_dataset_open(c->output_dir, "test", &b.test, &err), TRM_OK);
  return b;
}

static inline void release(built *b) {
  trm_dataset_free(b->train);
  trm_dataset_free(b->test);
}

/* The tokens as text: '_' padding, '|' end marks, '*' not scored, else a symbol's first byte. */
static inline const char *as_text(const trm_puzzle *p, const int32_t *tokens, char *text) {
  int n = p->rows * p->cols;
  for (int i = 0; i < n; i++) {
    const char *symbol = trm_puzzle_symbol(p, tokens[i]);
    text[i] = symbol ? *symbol : '_';
    if (tokens[i] == TRM_IGNORE_LABEL) text[i] = '*';
    if (p->sized && tokens[i] == TRM_PUZZLE_END) text[i] = '|';
  }
  text[n] = 0;
  return text;
}

static inline void expect_example(const trm_dataset *d, int64_t i, const char *input,
                                  const char *label) {
  int32_t inputs[64], labels[64];
  char text[65];
  const trm_puzzle *p = &trm_dataset_get_info(d)->puzzle;
  trm_dataset_example(d, i, inputs, labels, NULL);
  assert_string_equal(as_text(p, inputs, text), input);
  assert_string_equal(as_text(p, labels, text), label);
}

static inline void expect_failure(const trm_grid_build_config *c, trm_status code, int64_t pos,
                                  const char *word) {
  trm_error err;
  trm_build_report report;
  trm_status st = trm_build_grid(c, &report, &err);
  if (st != code) print_message("%s\n", st == TRM_OK ? "was accepted" : err.msg);
  assert_int_equal(st, code);
  assert_true(speaks_of(&err, word));
  if (pos >= 0) assert_int_equal(err.pos, pos);
  assert_false(trm__path_exists(c->output_dir));
}

#endif
