/* See answers.h. */
#include "cli/serve/answers.h"

#include <stdlib.h>

#include "base/memory.h"
#include "cli/pictures/puzzle_names.h"
#include "io/json.h"

static double probability(double logit) {
  return 1 / (1 + exp(-logit));
}

/* Four digits, which is what a confidence is good for. */
static double rounded(double v) {
  return round(v * 1e4) / 1e4;
}

static char *finish(trm__json_out *o) {
  char *text;
  return trm__json_finish(o, "an answer", &text, NULL) == TRM_OK ? text : NULL;
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

/* The part of the canvas that is the answer's grid, in the form that the question had. */
static void put_grid(trm__json_out *o, const char *key, const trm_puzzle *p, bool as_rows,
                     const int32_t *tokens, trm_puzzle_box box) {
  if (as_rows) {
    trm__json_open(o, key, '[');
    for (int row = box.row; row < box.row + box.rows; row++) {
      trm__json_open(o, NULL, '[');
      for (int col = box.col; col < box.col + box.cols; col++)
        put_cell(o, p, tokens[row * p->cols + col]);
      trm__json_close(o);
    }
    trm__json_close(o);
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

/* How likely the model holds each cell's symbol to be: the largest softmax of its logits, in the
 * order of the grid. */
static void put_confidence(trm__json_out *o, const trm_model_config *m, const float *logits,
                           trm_puzzle_box box) {
  trm__json_open(o, "confidence", '[');
  for (int row = box.row; row < box.row + box.rows; row++)
    for (int col = box.col; col < box.col + box.cols; col++) {
      const float *l = logits + ((int64_t)row * m->puzzle.cols + col) * m->vocab_size;
      double sum = 0;
      float most = l[0];
      for (int v = 1; v < m->vocab_size; v++) most = l[v] > most ? l[v] : most;
      for (int v = 0; v < m->vocab_size; v++) sum += exp((double)(l[v] - most));
      trm__json_put_real(o, NULL, rounded(1 / sum));
    }
  trm__json_close(o);
}

/* Cells that the answer and the tokens before it differ in, counted in the order of the grid. */
static void put_changed(trm__json_out *o, const trm_puzzle *p, const int32_t *before,
                        const int32_t *now, trm_puzzle_box box) {
  trm__json_open(o, "changed", '[');
  for (int i = 0; i < box.rows * box.cols; i++) {
    const int cell = (box.row + i / box.cols) * p->cols + box.col + i % box.cols;
    if (before[cell] != now[cell]) trm__json_put_int(o, NULL, i);
  }
  trm__json_close(o);
}

/* null of other kinds than Sudokus, whose rules judge a whole answer. */
static void put_violations(trm__json_out *o, const trm_puzzle *p, const int32_t *question,
                           const int32_t *answer) {
  const int n = trm_sudoku_violations(p, question, answer);
  if (n < 0)
    trm__json_put_null(o, "violations");
  else
    trm__json_put_int(o, "violations", n);
}

/* What the output head reads in each latent, the answer's among them, as `trm solve --show latents`
 * has it. */
static void put_latents(trm__json_out *o, const trm_model_config *m, const serve_puzzle *p,
                        const int32_t *latents, trm_puzzle_box box) {
  const char *name;
  trm__json_open(o, "latents", '[');
  for (int i = 0; (name = trm_model_latent(m, i)); i++) {
    trm__json_open(o, NULL, '{');
    trm__json_put_text(o, "name", name);
    put_grid(o, "grid", &m->puzzle, p->as_rows, latents + (int64_t)i * m->seq_len, box);
    trm__json_close(o);
  }
  trm__json_close(o);
}

/* What an answer and a step have in common. */
static void put_state(trm__json_out *o, const serve_model *m, const serve_ask *ask,
                      const serve_puzzle *p, const serve_state *s, trm_puzzle_box box) {
  put_violations(o, &m->config->puzzle, p->tokens, s->now->answer);
  trm__json_put_real(o, "q", rounded(probability((double)s->now->q_halt)));
  trm__json_put_real(o, "seconds", round(s->seconds * 1e6) / 1e6);
  if (ask->latents) put_latents(o, m->config, p, s->now->latents, box);
}

/* Beyond a grid a model may answer anything: its grid begins where the question's does. */
static trm_puzzle_box box_of(const trm_puzzle *p, const int32_t *question, const int32_t *answer) {
  const trm_puzzle_box asked = trm_puzzle_locate(p, question);
  return trm_puzzle_crop(p, answer, asked.row, asked.col);
}

char *serve_answer_json(const serve_model *m, const serve_ask *ask, const serve_puzzle *p,
                        const serve_state *s) {
  const trm_puzzle *puzzle = &m->config->puzzle;
  const trm_queue_answer *a = s->now;
  const trm_puzzle_box box = box_of(puzzle, p->tokens, a->answer);
  trm__json_out o = trm__json_begin(TRM__JSON_COMPACT);
  trm__json_open(&o, NULL, '{');
  trm__json_put_text(&o, "model", m->name);
  put_grid(&o, "answer", puzzle, p->as_rows, a->answer, box);
  if (trm_puzzle_has_rules(puzzle))
    trm__json_put_bool(&o, "valid", trm_puzzle_solves(puzzle, p->tokens, a->answer));
  else
    trm__json_put_null(&o, "valid");
  trm__json_put_int(&o, "steps", a->steps);
  trm__json_put_bool(&o, "halted", a->halted);
  put_state(&o, m, ask, p, s, box);
  if (ask->confidence) put_confidence(&o, m->config, a->logits, box);
  trm__json_close(&o);
  return finish(&o);
}

char *serve_step_json(const serve_model *m, const serve_ask *ask, const serve_puzzle *p,
                      const serve_state *s) {
  const trm_puzzle *puzzle = &m->config->puzzle;
  const trm_queue_answer *a = s->now;
  const trm_puzzle_box box = box_of(puzzle, p->tokens, a->answer);
  trm__json_out o = trm__json_begin(TRM__JSON_COMPACT);
  trm__json_open(&o, NULL, '{');
  trm__json_put_int(&o, "step", a->steps);
  put_grid(&o, "grid", puzzle, p->as_rows, a->answer, box);
  put_changed(&o, puzzle, s->before ? s->before : p->tokens, a->answer, box);
  put_confidence(&o, m->config, a->logits, box);
  put_state(&o, m, ask, p, s, box);
  trm__json_close(&o);
  return finish(&o);
}

char *serve_error_json(int code, const char *text) {
  char message[600];
  trm__json_out o = trm__json_begin(TRM__JSON_COMPACT);
  trm__json_open(&o, NULL, '{');
  trm__json_open(&o, "error", '{');
  trm__json_put_int(&o, "code", code);
  trm__json_put_text(&o, "message", cli_clean(message, sizeof message, text));
  trm__json_close(&o);
  trm__json_close(&o);
  return finish(&o);
}

/* What its puzzles are: for people, and member by member. */
static void put_puzzle(trm__json_out *o, const trm_puzzle *p) {
  char text[320];
  puzzle_describe(p, text, sizeof text);
  trm__json_put_text(o, "puzzle", text);
  trm__json_put_text(o, "kind", trm_puzzle_kind_name(p->kind));
  trm__json_put_int(o, "rows", p->rows);
  trm__json_put_int(o, "cols", p->cols);
  trm__json_put_int(o, "box_rows", p->box_rows);
  trm__json_put_int(o, "box_cols", p->box_cols);
  trm__json_put_bool(o, "sized", trm_puzzle_is_sized(p));
  const int first = trm_puzzle_first_symbol(p);
  trm__json_open(o, "symbols", '[');
  for (int i = 0; i < trm_puzzle_n_symbols(p); i++)
    trm__json_put_text(o, NULL, trm_puzzle_symbol(p, first + i));
  trm__json_close(o);
}

char *serve_models_json(const serve_model *models, int n) {
  trm__json_out o = trm__json_begin(TRM__JSON_COMPACT);
  trm__json_open(&o, NULL, '{');
  trm__json_put_text(&o, "object", "list");
  trm__json_open(&o, "data", '[');
  for (int i = 0; i < n; i++) {
    const trm_model_config *c = models[i].config;
    const char *latent;
    trm__json_open(&o, NULL, '{');
    trm__json_put_text(&o, "id", models[i].name);
    trm__json_put_text(&o, "object", "model");
    trm__json_put_text(&o, "description", models[i].about);
    put_puzzle(&o, &c->puzzle);
    trm__json_put_int(&o, "steps", c->halt_max_steps);
    trm__json_put_int(&o, "puzzle_ids", c->num_puzzle_identifiers);
    trm__json_open(&o, "latents", '[');
    for (int k = 0; (latent = trm_model_latent(c, k)); k++) trm__json_put_text(&o, NULL, latent);
    trm__json_close(&o);
    trm__json_close(&o);
  }
  trm__json_close(&o);
  trm__json_close(&o);
  return finish(&o);
}
