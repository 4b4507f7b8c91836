/* See answers.h. */
#include "cli/serve/answers.h"

#include "base/memory.h"
#include "cli/pictures/puzzle_names.h"
#include "cli/pictures/step_json.h"

/* Of a logit, with four digits, which is what it is good for. */
static double probability(double logit) {
  return round(1e4 / (1 + exp(-logit))) / 1e4;
}

static char *finish(trm__json_out *o) {
  char *text;
  return trm__json_finish(o, "an answer", &text, NULL) == TRM_OK ? text : NULL;
}

/* What the output head reads in each latent, the answer's among them, as `trm solve --show latents`
 * has it. */
static void put_latents(trm__json_out *o, const trm_model_config *m, const serve_puzzle *p,
                        const int32_t *latents, trm_puzzle_box box) {
  const char *name;
  trm__json_open(o, "latents", '[');
  for (int i = 0; (name = trm_model_latent(m, i)); i++) {
    trm__json_open(o, NULL, '{');
    step_json_latent(o, name, &m->puzzle, p->as_rows, latents + (int64_t)i * m->seq_len, box);
    trm__json_close(o);
  }
  trm__json_close(o);
}

char *serve_answer_json(const serve_model *m, const serve_ask *ask, const serve_puzzle *p,
                        const serve_state *s) {
  const trm_puzzle *puzzle = &m->config->puzzle;
  const trm_queue_answer *a = s->now;
  const trm_puzzle_box box = step_answer_box(puzzle, p->tokens, a->answer);
  trm__json_out o = trm__json_begin(TRM__JSON_COMPACT);
  trm__json_open(&o, NULL, '{');
  trm__json_put_text(&o, "model", m->name);
  step_json_grid(&o, "answer", puzzle, p->as_rows, a->answer, box);
  if (trm_puzzle_has_rules(puzzle))
    trm__json_put_bool(&o, "valid", trm_puzzle_solves(puzzle, p->tokens, a->answer));
  else
    trm__json_put_null(&o, "valid");
  trm__json_put_int(&o, "steps", a->steps);
  trm__json_put_bool(&o, "halted", a->halted);
  step_json_violations(&o, puzzle, p->tokens, a->answer);
  trm__json_put_real(&o, "q", probability((double)a->q_halt));
  step_json_seconds(&o, s->seconds);
  if (ask->latents) put_latents(&o, m->config, p, a->latents, box);
  if (ask->confidence) step_json_confidence(&o, puzzle, a->logits, m->config->vocab_size, box);
  trm__json_close(&o);
  return finish(&o);
}

void serve_put_step(trm__json_out *o, const serve_model *m, const serve_ask *ask,
                    const serve_puzzle *p, const serve_state *s) {
  const trm_puzzle *puzzle = &m->config->puzzle;
  const trm_queue_answer *a = s->now;
  const step_state state = {.question = p->tokens,
                            .before = s->before ? s->before : p->tokens,
                            .answer = a->answer,
                            .logits = a->logits,
                            .vocab = m->config->vocab_size,
                            .step = a->steps,
                            .q = probability((double)a->q_halt),
                            .seconds = s->seconds};
  trm__json_open(o, NULL, '{');
  step_json_put(o, puzzle, &state, p->as_rows);
  if (ask->latents)
    put_latents(o, m->config, p, a->latents, step_answer_box(puzzle, p->tokens, a->answer));
  trm__json_close(o);
}

char *serve_step_json(const serve_model *m, const serve_ask *ask, const serve_puzzle *p,
                      const serve_state *s) {
  trm__json_out o = trm__json_begin(TRM__JSON_COMPACT);
  serve_put_step(&o, m, ask, p, s);
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

void serve_put_rows(trm__json_out *o, const char *key, const trm_puzzle *p, const int32_t *tokens) {
  step_json_grid(o, key, p, true, tokens, trm_puzzle_locate(p, tokens));
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

void serve_put_model(trm__json_out *o, const trm_model_config *c) {
  const char *latent;
  put_puzzle(o, &c->puzzle);
  trm__json_put_int(o, "steps", c->halt_max_steps);
  trm__json_put_int(o, "puzzle_ids", c->num_puzzle_identifiers);
  trm__json_open(o, "latents", '[');
  for (int k = 0; (latent = trm_model_latent(c, k)); k++) trm__json_put_text(o, NULL, latent);
  trm__json_close(o);
}

char *serve_models_json(const serve_model *models, int n) {
  trm__json_out o = trm__json_begin(TRM__JSON_COMPACT);
  trm__json_open(&o, NULL, '{');
  trm__json_put_text(&o, "object", "list");
  trm__json_open(&o, "data", '[');
  for (int i = 0; i < n; i++) {
    trm__json_open(&o, NULL, '{');
    trm__json_put_text(&o, "id", models[i].name);
    trm__json_put_text(&o, "object", "model");
    trm__json_put_text(&o, "description", models[i].about);
    serve_put_model(&o, models[i].config);
    trm__json_close(&o);
  }
  trm__json_close(&o);
  trm__json_close(&o);
  return finish(&o);
}
