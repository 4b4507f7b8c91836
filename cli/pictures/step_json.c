/* See step_json.h. */
#include "cli/pictures/step_json.h"

#include <math.h>
#include <stdlib.h>

trm_puzzle_box step_answer_box(const trm_puzzle *p, const int32_t *question,
                               const int32_t *answer) {
  const trm_puzzle_box asked = trm_puzzle_locate(p, question);
  return trm_puzzle_crop(p, answer, asked.row, asked.col);
}

/* Four digits, which is what a probability of a model is good for. */
static double rounded(double probability) {
  return round(1e4 * probability) / 1e4;
}

/* A cell is a number where its symbol is one, also a Sudoku's above 9; null without a symbol. */
static void put_cell(trm__json_out *o, const trm_puzzle *p, int32_t token) {
  const char *symbol = trm_puzzle_symbol(p, token);
  int64_t number;
  if (trm_sudoku_known(p) && symbol)
    trm__json_put_int(o, NULL, token - 1);
  else if (symbol && trm__number_int64(symbol, &number))
    trm__json_put_int(o, NULL, number);
  else if (symbol)
    trm__json_put_text(o, NULL, symbol);
  else
    trm__json_put_null(o, NULL);
}

static void put_rows(trm__json_out *o, const char *key, const trm_puzzle *p, const int32_t *tokens,
                     trm_puzzle_box box) {
  trm__json_open(o, key, '[');
  for (int row = box.row; row < box.row + box.rows; row++) {
    trm__json_open(o, NULL, '[');
    for (int col = box.col; col < box.col + box.cols; col++)
      put_cell(o, p, tokens[row * p->cols + col]);
    trm__json_close(o);
  }
  trm__json_close(o);
}

void step_json_grid(trm__json_out *o, const char *key, const trm_puzzle *p, bool as_rows,
                    const int32_t *tokens, trm_puzzle_box box) {
  if (as_rows) {
    put_rows(o, key, p, tokens, box);
    return;
  }
  const size_t size = trm_puzzle_text_size(p);
  char *text = malloc(size);
  if (!text) {
    o->status = TRM_E_MEMORY;
    return;
  }
  trm_puzzle_format_box(p, tokens, box, text, size);
  trm__json_put_text(o, key, text);
  free(text);
}

void step_json_latent(trm__json_out *o, const char *name, const trm_puzzle *p, bool as_rows,
                      const int32_t *tokens, trm_puzzle_box box) {
  trm__json_put_text(o, "name", name);
  step_json_grid(o, "grid", p, as_rows, tokens, box);
}

void step_json_changed(trm__json_out *o, const trm_puzzle *p, const int32_t *before,
                       const int32_t *now, trm_puzzle_box box) {
  trm__json_open(o, "changed", '[');
  for (int i = 0; i < box.rows * box.cols; i++) {
    const int cell = (box.row + i / box.cols) * p->cols + box.col + i % box.cols;
    if (before[cell] != now[cell]) trm__json_put_int(o, NULL, i);
  }
  trm__json_close(o);
}

void step_json_confidence(trm__json_out *o, const trm_puzzle *p, const float *logits, int vocab,
                          trm_puzzle_box box) {
  trm__json_open(o, "confidence", '[');
  for (int row = box.row; row < box.row + box.rows; row++)
    for (int col = box.col; col < box.col + box.cols; col++) {
      const float *l = logits + ((int64_t)row * p->cols + col) * vocab;
      double sum = 0;
      float most = l[0];
      for (int v = 1; v < vocab; v++) most = l[v] > most ? l[v] : most;
      for (int v = 0; v < vocab; v++) sum += exp((double)(l[v] - most));
      trm__json_put_real(o, NULL, rounded(1 / sum));
    }
  trm__json_close(o);
}

void step_json_violations(trm__json_out *o, const trm_puzzle *p, const int32_t *question,
                          const int32_t *answer) {
  const int n = trm_sudoku_violations(p, question, answer);
  if (n < 0)
    trm__json_put_null(o, "violations");
  else
    trm__json_put_int(o, "violations", n);
}

void step_json_seconds(trm__json_out *o, double seconds) {
  trm__json_put_real(o, "seconds", round(seconds * 1e6) / 1e6);
}

void step_json_put(trm__json_out *o, const trm_puzzle *p, const step_state *s, bool as_rows) {
  const trm_puzzle_box box = step_answer_box(p, s->question, s->answer);
  trm__json_put_int(o, "step", s->step);
  step_json_grid(o, "grid", p, as_rows, s->answer, box);
  step_json_changed(o, p, s->before, s->answer, box);
  step_json_confidence(o, p, s->logits, s->vocab, box);
  step_json_violations(o, p, s->question, s->answer);
  trm__json_put_real(o, "q", rounded(s->q));
  step_json_seconds(o, s->seconds);
}
