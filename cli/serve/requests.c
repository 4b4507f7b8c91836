/* See requests.h. */
#include "cli/serve/requests.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "io/json.h"

/* ---- the members of a request ---- */

typedef struct members {
  const trm__json *puzzle, *puzzles;
  const char *model;
  int64_t steps, puzzle_id;
  double halt_margin;
  int halt; /* as trm_halt */
  bool confidence, latents, stream;
} members;

static const char *const halts[] = {
    [TRM_HALT_NEVER] = "never", [TRM_HALT_Q] = "q", [TRM_HALT_TWICE] = "twice", NULL};

#define AT(name) offsetof(members, name)
const serve_member serve_members[] = {
    {"puzzle", SERVE_OF_ONE, SERVE_PUZZLE, AT(puzzle), 0, NULL,
     "The puzzle, as trm solve takes it, or an array of rows of cells."},
    {"puzzles", SERVE_OF_MANY, SERVE_PUZZLES, AT(puzzles), 0, NULL,
     "Puzzles, each a text or an array of rows of cells."},
    {"model", SERVE_OF_BOTH, SERVE_MODEL, AT(model), 0, NULL,
     "A name of /v1/models. Default: the first model that takes the (first) puzzle."},
    {"steps", SERVE_OF_BOTH, SERVE_WHOLE, AT(steps), TRM_MAX_STEPS, NULL,
     "Supervision steps at most. 0, the default: as many as the model was trained with."},
    {"halt", SERVE_OF_BOTH, SERVE_WORD, AT(halt), 0, halts,
     "Early exit: once q is above halt_margin, or was so after two steps in a row."},
    {"halt_margin", SERVE_OF_BOTH, SERVE_REAL, AT(halt_margin), 0, NULL,
     "The bar of halt, in logits. Default: 0."},
    {"puzzle_id", SERVE_OF_BOTH, SERVE_WHOLE, AT(puzzle_id), INT32_MAX, NULL,
     "Of a model that knows tasks by ids. Default: 0."},
    {"confidence", SERVE_OF_BOTH, SERVE_BOOL, AT(confidence), 0, NULL,
     "Whether the answer says how sure the model is of each cell."},
    {"latents", SERVE_OF_BOTH, SERVE_BOOL, AT(latents), 0, NULL,
     "Whether answer and events say what the output head reads in each latent."},
    {"stream", SERVE_OF_ONE, SERVE_BOOL, AT(stream), 0, NULL,
     "Whether there is an event after each supervision step."},
    {NULL, 0, SERVE_BOOL, 0, 0, NULL, NULL}};
#undef AT

static trm_status refuse_member(const serve_member *row, const char *want, trm_error *err) {
  return cli_fail(err, TRM_E_FORMAT, -1, "\"%.40s\": want %s", row->name, want);
}

static trm_status read_word(const serve_member *row, const char *word, int *out, trm_error *err) {
  char want[100] = "one of";
  for (*out = 0; row->words[*out]; ++*out) {
    if (word && !strcmp(row->words[*out], word)) return TRM_OK;
    const size_t used = strlen(want);
    snprintf(want + used, sizeof want - used, " \"%s\"", row->words[*out]);
  }
  return refuse_member(row, want, err);
}

static trm_status read_whole(const serve_member *row, const trm__json *v, int64_t *out,
                             trm_error *err) {
  char want[60];
  if (trm__json_whole(v, out) && *out >= 0 && *out <= row->most) return TRM_OK;
  snprintf(want, sizeof want, "a whole number from 0 to %" PRId64, row->most);
  return refuse_member(row, want, err);
}

static trm_status read_member(const serve_member *row, const trm__json *v, members *m,
                              trm_error *err) {
  void *at = (char *)m + row->at;
  switch (row->kind) {
    case SERVE_PUZZLE:
    case SERVE_PUZZLES:
      *(const trm__json **)at = v;
      return TRM_OK;
    case SERVE_MODEL:
      *(const char **)at = trm__json_text(v);
      return trm__json_text(v) ? TRM_OK : refuse_member(row, "a text", err);
    case SERVE_WORD:
      return read_word(row, trm__json_text(v), at, err);
    case SERVE_WHOLE:
      return read_whole(row, v, at, err);
    case SERVE_REAL:
      *(double *)at = trm__json_number(v);
      return trm__json_is_number(v) ? TRM_OK : refuse_member(row, "a number", err);
    default:
      *(bool *)at = trm__json_is_true(v);
      return trm__json_is_bool(v) ? TRM_OK : refuse_member(row, "true or false", err);
  }
}

/* Every member of the object is one of the table; what is meant by another one is guessed. */
static trm_status read_members(const trm__json *root, int of, members *m, trm_error *err) {
  if (!trm__json_is(root, TRM__JSON_OBJECT))
    return cli_fail(err, TRM_E_FORMAT, -1, "want an object, such as {\"%s}",
                    of == SERVE_OF_ONE ? "puzzle\": \"53..7...\"" : "puzzles\": [\"53..7...\"]");
  for (size_t i = 0; i < trm__json_n_members(root); i++) {
    const char *key = trm__json_key(root, i);
    trm__nearest near = {.word = key};
    const serve_member *row = serve_members;
    for (; row->name && (!(row->of & of) || strcmp(row->name, key) != 0); row++)
      if (row->of & of) trm__nearest_offer(&near, row->name);
    if (!row->name)
      return cli_fail(err, TRM_E_FORMAT, -1, "\"%.40s\": is not known here%s%s%s", key,
                      near.best ? "; \"" : "", near.best ? near.best : "",
                      near.best ? "\" is" : "");
    CLI_TRY(read_member(row, trm__json_member(root, i), m, err));
  }
  return TRM_OK;
}

/* ---- puzzles ---- */

/* A cell of a Sudoku, 0 for a blank: a number or a text of one symbol. */
static bool sudoku_cell(const trm_puzzle *p, const trm__json *cell, int32_t *token) {
  int64_t value;
  uint8_t one;
  if (trm__json_is(cell, TRM__JSON_NULL)) {
    *token = 1;
    return true;
  }
  if (trm__json_whole(cell, &value)) {
    if (value < 0 || value > p->rows) return false;
    *token = (int32_t)value + 1;
    return true;
  }
  if (trm__json_length(cell) != 1) return false;
  const char symbol = *trm__json_text(cell);
  for (one = 0; one <= p->rows; one++) {
    const char *has = trm_puzzle_symbol(p, one + 1);
    if (has && has[0] == symbol) break;
  }
  *token = symbol == '0' ? 1 : one + 1;
  return symbol == '0' || one <= p->rows;
}

static trm_status read_sudoku_rows(const trm_puzzle *p, const trm__json *rows, int32_t *tokens,
                                   trm_error *err) {
  for (int row = 0; row < p->rows; row++) {
    const trm__json *cells = trm__json_item(rows, (size_t)row);
    for (int col = 0; col < p->cols; col++)
      if (!sudoku_cell(p, trm__json_item(cells, (size_t)col), &tokens[row * p->cols + col]))
        return cli_fail(err, TRM_E_FORMAT, -1,
                        "row %d, column %d: want a whole number from 0 (blank) to %d", row + 1,
                        col + 1, p->rows);
    if (trm__json_n_items(cells) != (size_t)p->cols)
      return cli_fail(err, TRM_E_FORMAT, -1, "row %d: want %d cells, got %zu", row + 1, p->cols,
                      trm__json_n_items(cells));
  }
  if (trm__json_n_items(rows) == (size_t)p->rows) return TRM_OK;
  return cli_fail(err, TRM_E_FORMAT, -1, "want %d rows, got %zu", p->rows, trm__json_n_items(rows));
}

/* The text of an array is what a line of text may be, too. */
static trm_status read_rows(const trm_puzzle *p, const trm__json *rows, int32_t *tokens,
                            trm_error *err) {
  char *text;
  if (trm_sudoku_known(p)) return read_sudoku_rows(p, rows, tokens, err);
  trm__json_out o = trm__json_begin(TRM__JSON_COMPACT);
  trm__json_put_value(&o, NULL, rows);
  CLI_TRY(trm__json_finish(&o, "the puzzle", &text, err));
  const trm_status st = trm_puzzle_parse(p, text, strlen(text), tokens, err);
  trm__free(text);
  return st;
}

static trm_status parse_puzzle(const serve_model *m, const trm__json *v, serve_puzzle *out,
                               trm_error *err) {
  const trm_puzzle *p = &m->config->puzzle;
  out->as_rows = trm__json_is(v, TRM__JSON_ARRAY);
  if (out->as_rows) return read_rows(p, v, out->tokens, err);
  if (!trm__json_text(v)) return cli_fail(err, TRM_E_FORMAT, -1, "want a text or an array of rows");
  return trm_puzzle_parse(p, trm__json_text(v), trm__json_length(v), out->tokens, err);
}

/* Also one that no answer can be right to is refused, as by trm solve. */
static trm_status read_puzzle(const serve_model *m, const trm__json *v, serve_puzzle *out,
                              trm_error *err) {
  CLI_TRY(parse_puzzle(m, v, out, err));
  return trm_puzzle_check(&m->config->puzzle, out->tokens, err);
}

/* What is wrong with one of many puzzles is its answer; with the only one it is the request's. */
static trm_status read_puzzles(const serve_model *m, const members *in, serve_ask *ask,
                               trm_error *err) {
  const size_t cells = (size_t)m->config->seq_len;
  ask->puzzles = calloc((size_t)ask->n, sizeof *ask->puzzles);
  ask->tokens = calloc((size_t)ask->n * cells, sizeof *ask->tokens);
  if (!ask->puzzles || !ask->tokens)
    return cli_fail(err, TRM_E_MEMORY, -1, "no memory for %d puzzles", ask->n);
  for (int i = 0; i < ask->n; i++) {
    serve_puzzle *p = &ask->puzzles[i];
    trm_error cause;
    p->tokens = ask->tokens + cells * (size_t)i;
    const trm__json *v = in->puzzle ? in->puzzle : trm__json_item(in->puzzles, (size_t)i);
    if (read_puzzle(m, v, p, &cause) == TRM_OK) continue;
    if (in->puzzle || cause.code == TRM_E_MEMORY)
      return cli_fail(err, cause.code, cause.pos, "\"puzzle\" for %.60s: %.400s", m->name,
                      cause.msg);
    p->problem = strdup(cause.msg);
    if (!p->problem) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for %d puzzles", ask->n);
  }
  return TRM_OK;
}

/* ---- parameters of queries ---- */

static int hex_of(char c) {
  static const char digits[] = "0123456789abcdef";
  const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;
  return at ? (int)(at - digits) : -1;
}

bool serve_unescape(char *value) {
  char *to = value;
  for (const char *from = value; *from; from++, to++) {
    *to = (char)(*from == '+' ? ' ' : *from);
    if (*from != '%') continue;
    const int high = hex_of(from[1]), low = high < 0 ? -1 : hex_of(from[2]);
    if (low < 0 || high + low == 0) return false;
    *to = (char)(16 * high + low);
    from += 2;
  }
  *to = 0;
  trm__text_clean(value);
  return true;
}

/* ---- which model ---- */

static bool takes(const serve_model *m, const trm__json *first) {
  serve_puzzle p = {.tokens = calloc((size_t)m->config->seq_len, sizeof *p.tokens)};
  const bool fits = p.tokens && parse_puzzle(m, first, &p, NULL) == TRM_OK;
  free(p.tokens);
  return fits;
}

/* About as many as whoever wrote it thought that there are. */
static int64_t cells_of(const trm__json *v) {
  const size_t rows = trm__json_n_items(v), cols = trm__json_n_items(trm__json_item(v, 0));
  return (int64_t)(rows ? rows * cols : trm__json_length(v));
}

/* The one that can best say what is wrong with a puzzle of so many cells. */
static int nearest_model(const serve_model *models, int n_models, int64_t cells) {
  int best = 0;
  for (int i = 1; i < n_models; i++)
    if (llabs(models[i].config->seq_len - cells) < llabs(models[best].config->seq_len - cells))
      best = i;
  return best;
}

static trm_status choose_model(const serve_model *models, int n_models, const members *in, int *out,
                               trm_error *err) {
  const trm__json *first = in->puzzle ? in->puzzle : trm__json_item(in->puzzles, 0);
  trm__nearest near = {.word = in->model};
  if (in->model) {
    for (*out = 0; *out < n_models; ++*out) {
      if (!strcmp(models[*out].name, in->model)) return TRM_OK;
      trm__nearest_offer(&near, models[*out].name);
    }
    if (!near.best) near.best = models[0].name;
    return cli_fail(err, TRM_E_ARGUMENT, -1,
                    "\"model\": there is none of that name here; want one that /v1/models lists, "
                    "such as \"%.60s\"",
                    near.best);
  }
  for (*out = 0; *out < n_models; ++*out)
    if (takes(&models[*out], first)) return TRM_OK;
  *out = nearest_model(models, n_models, cells_of(first));
  return TRM_OK;
}

static trm_status read_ask(const serve_model *models, int n_models, int most, const trm__json *root,
                           serve_ask *ask, trm_error *err) {
  members in = {0};
  ask->many = most > 0;
  CLI_TRY(read_members(root, most ? SERVE_OF_MANY : SERVE_OF_ONE, &in, err));
  ask->confidence = in.confidence;
  ask->latents = in.latents;
  ask->stream = in.stream;
  ask->how.steps = (int)in.steps;
  ask->how.halt = (trm_halt)in.halt;
  ask->how.halt_margin = in.halt_margin;
  ask->how.puzzle_id = (int32_t)in.puzzle_id;

  /* How many puzzles there are, and for whom. */
  const size_t n = in.puzzle ? 1 : trm__json_n_items(in.puzzles);
  if (!most && !in.puzzle)
    return cli_fail(err, TRM_E_FORMAT, -1, "\"puzzle\" is missing: a text or an array of rows");
  if (most && !trm__json_is(in.puzzles, TRM__JSON_ARRAY))
    return cli_fail(err, TRM_E_FORMAT, -1, "\"puzzles\" is missing, or is no array of puzzles");
  if (n == 0 || (most && n > (size_t)most))
    return cli_fail(err, TRM_E_ARGUMENT, -1, "\"puzzles\": want 1 to %d, got %zu", most, n);
  ask->n = (int)n;
  CLI_TRY(choose_model(models, n_models, &in, &ask->model, err));
  const serve_model *m = &models[ask->model];
  if (ask->how.puzzle_id >= m->config->num_puzzle_identifiers)
    return cli_fail(err, TRM_E_RANGE, -1, "\"puzzle_id\": %.60s knows ids below %d, got %" PRId32,
                    m->name, (int)m->config->num_puzzle_identifiers, ask->how.puzzle_id);
  return read_puzzles(m, &in, ask, err);
}

trm_status serve_ask_read(const serve_model *models, int n_models, int most, const char *text,
                          size_t n, serve_ask *out, trm_error *err) {
  trm__json *root;
  *out = (serve_ask){0};
  CLI_TRY(trm__json_parse(text, n, "the body", 1, &root, err));
  const trm_status st = read_ask(models, n_models, most, root, out, err);
  trm__json_free(root);
  if (st != TRM_OK) serve_ask_free(out);
  return st;
}

void serve_ask_free_puzzles(serve_ask *ask) {
  for (int i = 0; ask->puzzles && i < ask->n; i++) {
    free(ask->puzzles[i].problem);
    trm__free(ask->puzzles[i].answer);
  }
  free(ask->puzzles);
  free(ask->tokens);
  ask->puzzles = NULL;
  ask->tokens = NULL;
}

void serve_ask_free(serve_ask *ask) {
  serve_ask_free_puzzles(ask);
  *ask = (serve_ask){0};
}
