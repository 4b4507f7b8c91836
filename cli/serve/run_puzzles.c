/* See run_puzzles.h. */
#include "cli/serve/run_puzzles.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/folder.h"
#include "base/memory.h"

enum {
  PUZZLES = 4,  /* at most, */
  CELLS = 1600, /* of so many cells together, but for the first, */
  STEPS = 24    /* and so many supervision steps of each */
};

/* The puzzles, and what comes of them. */
typedef struct solving {
  trm_model *model;
  serve_model as; /* for answers.h */
  trm_queue *queue;
  const char *split; /* that they are of */
  int n;
  int32_t *inputs, *labels, *ids; /* [n, seq_len], [n, seq_len], [n] */
  int32_t *before;                /* [n, seq_len] the answer after the step before */
  int place[PUZZLES];
  trm__json_out steps[PUZZLES]; /* an array of those so far */
  bool right[PUZZLES];          /* the last answer is the label, */
  bool valid[PUZZLES];          /* or right by the rules */
} solving;

/* ---- data ---- */

/* Where the i-th path of a key leads; false: there is none. */
static trm_status path_of(const trm_run_config *config, const char *key, int i, const char *started,
                          char path[TRM__PATH_MAX], bool *there, trm_error *err) {
  const char *item = trm_run_config_item(config, key, i);
  trm__kind kind = TRM__ABSENT;
  *there = item != NULL;
  if (!item) return TRM_OK;
  if (item[0] != '/' && started[0]) {
    CLI_TRY(trm__path_format(path, err, "%s/%s", started, item));
    CLI_TRY(trm__path_look(path, &kind, err));
  }
  return kind == TRM__DIR ? TRM_OK : trm__path_format(path, err, "%s", item);
}

/* The first set that there is of those that training evaluates on, else of those it learns from. */
static trm_status open_data(const trm_run_config *config, const char *started, trm_dataset **out,
                            const char **split, trm_error *err) {
  static const struct {
    const char *key, *split;
  } places[] = {{"data_paths_test", "test"}, {"data_paths", "test"}, {"data_paths", "train"}};
  char path[TRM__PATH_MAX], first[TRM__PATH_MAX] = "";
  trm__kind kind;
  bool there;
  for (size_t k = 0; k < sizeof places / sizeof *places; k++) {
    CLI_TRY(path_of(config, places[k].key, 0, started, path, &there, err));
    if (!there) continue;
    memcpy(first, path, sizeof first);
    CLI_TRY(trm__path_look_at(&kind, err, "%s/%s/dataset.json", path, places[k].split));
    if (kind != TRM__FILE) continue;
    *split = places[k].split;
    return trm_dataset_open(path, places[k].split, out, err);
  }
  return cli_fail(err, TRM_E_IO, -1, "%.300s: the run's data set is not there", first);
}

/* A few examples, spread over the set. */
static trm_status take_examples(solving *s, const trm_dataset *data, trm_error *err) {
  const trm_dataset_info *info = trm_dataset_get_info(data);
  const int cells = info->seq_len;
  int64_t n = CELLS / cells < 1 ? 1 : CELLS / cells;
  if (n > PUZZLES) n = PUZZLES;
  if (n > info->examples) n = info->examples;
  s->n = (int)n;
  s->inputs = calloc((size_t)(n * cells) + 1, sizeof *s->inputs);
  s->labels = calloc((size_t)(n * cells) + 1, sizeof *s->labels);
  s->before = calloc((size_t)(n * cells) + 1, sizeof *s->before);
  s->ids = calloc((size_t)n + 1, sizeof *s->ids);
  if (!s->inputs || !s->labels || !s->before || !s->ids)
    return cli_fail(err, TRM_E_MEMORY, -1, "no memory for puzzles");
  for (int i = 0; i < s->n; i++)
    trm_dataset_example(data, i * (info->examples / n), s->inputs + i * cells,
                        s->labels + i * cells, &s->ids[i]);
  return TRM_OK;
}

static trm_status read_puzzles(solving *s, const char *folder, const char *started,
                               trm_error *err) {
  trm_run_config *config;
  trm_dataset *data = NULL;
  CLI_TRY(trm_run_config_load_run(folder, NULL, 0, &config, err));
  trm_status st = open_data(config, started, &data, &s->split, err);
  if (st == TRM_OK)
    st = trm_model_check_data(trm_model_get_config(s->model), trm_dataset_get_info(data), err);
  if (st == TRM_OK) st = take_examples(s, data, err);
  trm_dataset_free(data);
  trm_run_config_free(config);
  return st;
}

/* ---- solving ---- */

static trm_status begin(solving *s, trm_error *err) {
  const trm_model_config *c = s->as.config;
  const trm_queue_config how = {.rows = s->n, .threads = 1, .puzzles = s->n, .logits = true};
  CLI_TRY(trm_queue_create(s->model, &how, &s->queue, err));
  for (int i = 0; i < s->n; i++) {
    const trm_queue_puzzle puzzle = {
        .inputs = s->inputs + (int64_t)i * c->seq_len,
        .puzzle_id = s->ids[i],
        .steps = c->halt_max_steps < STEPS ? c->halt_max_steps : STEPS};
    CLI_TRY(trm_queue_submit(s->queue, &puzzle, &s->place[i], err));
    s->steps[i] = trm__json_begin(TRM__JSON_COMPACT);
    trm__json_open(&s->steps[i], NULL, '[');
  }
  return TRM_OK;
}

static bool is_label(const int32_t *answer, const int32_t *label, int cells) {
  for (int i = 0; i < cells; i++)
    if (label[i] != TRM_IGNORE_LABEL && label[i] != answer[i]) return false;
  return true;
}

static void take_step(solving *s, const trm_queue_answer *a, double seconds) {
  int i = 0;
  while (s->place[i] != a->place) i++;
  const trm_model_config *c = s->as.config;
  const size_t at = (size_t)i * (size_t)c->seq_len;
  const serve_puzzle puzzle = {.tokens = s->inputs + at, .as_rows = true};
  const bool first = !s->steps[i].begun;
  const serve_state state = {.now = a, .before = first ? NULL : s->before + at, .seconds = seconds};
  const serve_ask ask = {0}; /* nothing beside */
  serve_put_step(&s->steps[i], &s->as, &ask, &puzzle, &state);
  memcpy(s->before + at, a->answer, (size_t)c->seq_len * sizeof *s->before);
  s->right[i] = is_label(a->answer, s->labels + at, c->seq_len);
  s->valid[i] = trm_puzzle_solves(&c->puzzle, s->inputs + at, a->answer);
}

static trm_status solve(solving *s, const atomic_bool *stop, trm_error *err) {
  const double began = cli_now();
  trm_queue_answer a;
  while (trm_queue_busy(s->queue)) {
    if (atomic_load(stop)) return cli_fail(err, TRM_E_INTERRUPTED, -1, "stopped");
    CLI_TRY(trm_queue_step(s->queue, err));
    for (int i = 0; trm_queue_look(s->queue, i, &a); i++) take_step(s, &a, cli_now() - began);
    while (trm_queue_take(s->queue, &a)) take_step(s, &a, cli_now() - began);
  }
  return TRM_OK;
}

/* ---- what is told ---- */

/* The steps of a puzzle, with which these end. */
static void put_steps(trm__json_out *o, trm__json_out *steps) {
  char *text;
  trm__json_close(steps);
  const trm_status st = trm__json_finish(steps, "steps", &text, NULL);
  if (st == TRM_OK)
    trm__json_put_made(o, "steps", text);
  else
    o->status = st;
  trm__free(text);
}

static trm_status write_all(solving *s, int64_t update, char **text, trm_error *err) {
  const trm_model_config *c = s->as.config;
  trm__json_out o = trm__json_begin(TRM__JSON_COMPACT);
  trm__json_open(&o, NULL, '{');
  trm__json_put_int(&o, "update", update);
  trm__json_put_text(&o, "split", s->split);
  trm__json_open(&o, "model", '{');
  serve_put_model(&o, c);
  trm__json_close(&o);
  trm__json_open(&o, "puzzles", '[');
  for (int i = 0; i < s->n; i++) {
    const int64_t at = (int64_t)i * c->seq_len;
    trm__json_open(&o, NULL, '{');
    serve_put_rows(&o, "question", &c->puzzle, s->inputs + at);
    serve_put_rows(&o, "solution", &c->puzzle, s->labels + at);
    trm__json_put_bool(&o, "right", s->right[i]);
    if (trm_puzzle_has_rules(&c->puzzle))
      trm__json_put_bool(&o, "valid", s->valid[i]);
    else
      trm__json_put_null(&o, "valid");
    put_steps(&o, &s->steps[i]);
    trm__json_close(&o);
  }
  trm__json_close(&o);
  trm__json_close(&o);
  return trm__json_finish(&o, "puzzles of a run", text, err);
}

static trm_status solve_by(solving *s, const char *folder, const char *started, int64_t update,
                           const atomic_bool *stop, char **text, trm_error *err) {
  char file[TRM__PATH_MAX];
  CLI_TRY(trm__path_format(file, err, "%s/step_%" PRId64, folder, update));
  CLI_TRY(trm_model_load(file, &s->model, err));
  s->as = (serve_model){.name = "", .about = "", .config = trm_model_get_config(s->model)};
  const trm_puzzle *p = &s->as.config->puzzle;
  if (trm_puzzle_n_symbols(p) == 0 || p->rows * p->cols != s->as.config->seq_len)
    return cli_fail(err, TRM_E_CONFIG, -1,
                    "nothing says what the tokens of its data mean, so puzzles have no text");
  CLI_TRY(read_puzzles(s, folder, started, err));
  CLI_TRY(begin(s, err));
  CLI_TRY(solve(s, stop, err));
  return write_all(s, update, text, err);
}

trm_status run_puzzles_solve(const char *folder, const char *started, int64_t update,
                             const atomic_bool *stop, char **text, trm_error *err) {
  solving s = {0};
  *text = NULL;
  const trm_status st = solve_by(&s, folder, started, update, stop, text, err);
  trm_queue_free(s.queue);
  trm_model_free(s.model);
  void *blocks[] = {s.inputs, s.labels, s.before, s.ids};
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) free(blocks[i]);
  for (int i = 0; i < PUZZLES; i++) trm__json_drop(&s.steps[i]);
  return st;
}
