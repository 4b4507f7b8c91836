/* Requests to `trm serve`, as far as they are texts: bodies, and the headers that say who asks. The
 * parts are a body, the values of Host, Origin and Authorization, a file of keys, and a value of a
 * query. What is accepted is within the model's bounds, and is answered by JSON that can be asked
 * again. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/serve/answers.h"
#include "cli/serve/guard.h"
#include "fuzz.h"
#include "io/json.h"

enum { MODELS = 4, MOST = 20, LATENTS = 2 };

static trm_puzzle sized_grid(void) {
  static const char symbols[] =
      ".\0#\0"
      "7\0"
      "12\0\xc3\xa9\0";
  trm_puzzle p = {.kind = TRM_PUZZLE_GRID, .rows = 4, .cols = 3, .sized = true};
  memcpy(p.vocabulary, symbols, sizeof symbols);
  return p;
}

/* Small ones, so that one input can ask for each. */
static void make_models(serve_model *models, trm_model_config *configs) {
  static const char *const names[MODELS] = {"four", "maze", "grid", "twelve"};
  const trm_puzzle puzzles[MODELS] = {trm_sudoku_of_size(4), trm_maze_of_size(3, 4), sized_grid(),
                                      trm_sudoku_of_size(12)};
  for (int i = 0; i < MODELS; i++) {
    const trm_puzzle *p = &puzzles[i];
    configs[i] = trm_model_config_default(TRM_ARCH_TRM);
    configs[i].puzzle = *p;
    configs[i].seq_len = p->rows * p->cols;
    configs[i].vocab_size = trm_puzzle_first_symbol(p) + trm_puzzle_n_symbols(p);
    configs[i].num_puzzle_identifiers = 5;
    models[i] = (serve_model){names[i], "of a test", &configs[i]};
  }
}

/* As a text, which is then JSON again. */
static trm__json *read_again(char *text) {
  trm__json *v;
  FUZZ_CHECK(text && !strchr(text, '\n'));
  FUZZ_MUST(trm__json_parse(text, strlen(text), "an answer", 1, &v, &fuzz_error));
  trm__free(text);
  return v;
}

/* An answer, whose grid is a question of the same model unless it says more than one cell can: here
 * the model answers by the question itself. */
static void answer(const serve_model *m, const serve_ask *ask, const serve_puzzle *p) {
  const int cells = m->config->seq_len;
  const size_t n = (size_t)cells;
  float *logits = calloc(n * (size_t)m->config->vocab_size, sizeof *logits);
  int32_t *latents = calloc(LATENTS * n, sizeof *latents);
  FUZZ_CHECK(logits && latents && !trm_model_latent(m->config, LATENTS));
  for (size_t i = 0; i < LATENTS; i++) memcpy(latents + i * n, p->tokens, n * sizeof *latents);
  const trm_queue_answer now = {.inputs = p->tokens,
                                .answer = p->tokens,
                                .logits = logits,
                                .latents = latents,
                                .steps = 1,
                                .done = true};
  const serve_state state = {.now = &now};
  trm__json *step = read_again(serve_step_json(m, ask, p, &state));
  trm__json *end = read_again(serve_answer_json(m, ask, p, &state));
  FUZZ_CHECK(trm__json_n_items(trm__json_get(step, "changed")) == 0);
  FUZZ_CHECK(trm__json_same(trm__json_get(step, "grid"), trm__json_get(end, "answer")));
  FUZZ_CHECK(trm__json_is(trm__json_get(end, "answer"), TRM__JSON_ARRAY) == p->as_rows);
  const trm__json *last = trm__json_item(trm__json_get(end, "latents"), LATENTS - 1);
  FUZZ_CHECK(ask->latents
                 ? trm__json_same(trm__json_get(last, "grid"), trm__json_get(end, "answer"))
                 : !last);

  /* Asked again it is the same question. */
  serve_ask again;
  char *text;
  trm__json_out o = trm__json_begin(TRM__JSON_COMPACT);
  trm__json_open(&o, NULL, '{');
  trm__json_put_text(&o, "model", m->name);
  trm__json_put_value(&o, "puzzle", trm__json_get(end, "answer"));
  trm__json_close(&o);
  FUZZ_MUST(trm__json_finish(&o, "a question", &text, &fuzz_error));
  FUZZ_MUST(serve_ask_read(m, 1, 0, text, strlen(text), &again, &fuzz_error));
  FUZZ_CHECK(!memcmp(again.puzzles[0].tokens, p->tokens, (size_t)cells * sizeof *p->tokens));
  serve_ask_free(&again);
  trm__free(text);
  trm__json_free(step);
  trm__json_free(end);
  free(latents);
  free(logits);
}

static void read_body(const serve_model *models, int most, fuzz_bytes body) {
  serve_ask ask;
  trm_error err;
  const trm_status st =
      serve_ask_read(models, MODELS, most, (const char *)body.data, body.size, &ask, &err);
  if (st != TRM_OK) {
    FUZZ_CHECK(!fuzz_accepted_cli(st, &err) && !ask.puzzles && !ask.tokens);
    trm__json_free(read_again(serve_error_json(400, err.msg)));
    return;
  }
  const serve_model *m = &models[ask.model];
  FUZZ_CHECK(ask.model >= 0 && ask.model < MODELS && ask.n >= 1 && ask.n <= (most ? most : 1));
  FUZZ_CHECK(ask.how.steps >= 0 && ask.how.steps <= TRM_MAX_STEPS && isfinite(ask.how.halt_margin));
  FUZZ_CHECK(ask.how.puzzle_id >= 0 && ask.how.puzzle_id < m->config->num_puzzle_identifiers);
  for (int i = 0; i < ask.n; i++) {
    const serve_puzzle *p = &ask.puzzles[i];
    FUZZ_CHECK(!p->problem || (most && *p->problem));
    if (p->problem) continue;
    for (int k = 0; k < m->config->seq_len; k++)
      FUZZ_CHECK(p->tokens[k] >= 0 && p->tokens[k] < m->config->vocab_size);
    answer(m, &ask, p);
  }
  serve_ask_free(&ask);
}

/* A part as a header has it: up to its first zero or line end. */
static char *value_of(fuzz_bytes part) {
  char *text = malloc(part.size + 1);
  FUZZ_CHECK(text);
  if (part.size) memcpy(text, part.data, part.size);
  text[part.size] = 0;
  text[strcspn(text, "\r\n")] = 0;
  return text;
}

static void ask_guard(const fuzz_bytes *part) {
  char *host = value_of(part[1]), *origin = value_of(part[2]), *key = value_of(part[3]);
  guard g = {0};
  trm_error err;

  /* Names: who is known with a port is known without. */
  FUZZ_MUST(guard_add_names(&g, "puzzles.example", &fuzz_error));
  if (guard_knows_host(&g, host)) {
    const size_t end = strcspn(host, *host == '[' ? "]" : ":") + (*host == '[');
    host[end] = 0;
    FUZZ_CHECK(guard_knows_host(&g, host) && !strchr(host, '/') && !strchr(host, '@'));
  }
  if (*origin && guard_is_same_origin(origin, host)) FUZZ_CHECK(strstr(origin, "://"));

  /* Keys: nobody is let in by what is no line of the file. */
  if (part[4].size &&
      fuzz_accepted_cli(guard_load_keys(&g, fuzz_file(0, part[4].data, part[4].size), &err),
                        &err)) {
    FUZZ_CHECK(g.n_keys >= 1 && g.n_keys <= GUARD_KEYS);
    char header[GUARD_KEY_MAX + 10];
    for (int i = 0; i < g.n_keys; i++) {
      snprintf(header, sizeof header, "Bearer %s", g.keys[i]);
      FUZZ_CHECK(strlen(g.keys[i]) >= GUARD_KEY_MIN && guard_has_key(&g, header));
    }
    FUZZ_CHECK(!guard_has_key(&g, NULL) && !guard_has_key(&g, "Bearer "));
    if (guard_has_key(&g, key)) {
      const char *given = key + strlen("Bearer ");
      given += strspn(given, " ");
      FUZZ_CHECK(memmem(part[4].data, part[4].size, given, strlen(given)));
    }
  }
  guard_free(&g);
  free(host);
  free(origin);
  free(key);
}

/* What is understood is no longer than it was, and text. */
static void read_query(fuzz_bytes part) {
  char *value = value_of(part);
  const size_t n = strlen(value);
  if (serve_unescape(value)) {
    FUZZ_CHECK(strlen(value) <= n);
    for (const char *c = value; *c; c++) FUZZ_CHECK((unsigned char)*c >= ' ');
    trm__json_out o = trm__json_begin(TRM__JSON_COMPACT);
    char *text;
    trm__json_open(&o, NULL, '[');
    trm__json_put_text(&o, NULL, value);
    trm__json_close(&o);
    FUZZ_MUST(trm__json_finish(&o, "a value", &text, &fuzz_error));
    trm__free(text);
  }
  free(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  serve_model models[MODELS];
  trm_model_config configs[MODELS];
  fuzz_bytes part[6];
  make_models(models, configs);
  fuzz_split(data, size, part, 6);
  read_body(models, 0, part[0]);
  read_body(models, MOST, part[0]);
  ask_guard(part);
  read_query(part[5]);
  return 0;
}
