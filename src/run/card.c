/* The card of a model, README.md in its folder, as the Hugging Face hub and people read it: a head
 * in YAML, whose values are written as JSON, which YAML is, and what the run that made the model
 * says of itself: data, command, scores. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/pointer.h"
#include "base/text.h"
#include "nn/model.h"
#include "run/checkpoints.h"
#include "run/record.h"
#include "trm.h"
#include "trm/runs.h"

/* What is known. */
typedef struct card {
  const trm_model *model;
  const char *name; /* of the folder */
  trm_run_record *run;
  trm__record record;
  int64_t update;  /* of the checkpoint */
  double exact, n; /* the evaluation at that update; exact -1: there was none */
  const char *dtype;
} card;

/* ---- what the run knows ---- */

/* A figure of the log at the card's update; *value stays where it has none. */
static trm_status figure_at(const card *c, const char *key, double *value, trm_error *err) {
  trm_run_point *points;
  int64_t n;
  TRM_TRY(trm_run_record_curve(c->run, key, &points, &n, err));
  for (int64_t i = 0; i < n; i++)
    if (points[i].update == (double)c->update) *value = points[i].value;
  trm_run_points_free(points);
  return TRM_OK;
}

/* The run that a checkpoint RUN/step_N is of. What is no run, or broken, tells nothing. */
static trm_status find_run(card *c, const char *checkpoint, trm_error *err) {
  char path[TRM__PATH_MAX];
  size_t n = strlen(checkpoint);
  while (n > 1 && checkpoint[n - 1] == '/') n--;
  TRM_TRY(trm__path_format(path, err, "./%.*s", (int)n, checkpoint));
  char *slash = strrchr(path, '/');
  c->update = trm__step_of_name(slash + 1);
  if (c->update < 0) return TRM_OK;
  *slash = 0;
  const char *folder = checkpoint[0] == '/' ? path + 1 : path;

  /* What it says of itself, and of this update. */
  trm_status st = trm_run_record_open(folder, &c->run, err);
  if (st != TRM_OK) {
    c->run = NULL;
    return st == TRM_E_MEMORY ? st : TRM_OK;
  }
  TRM_TRY(trm__record_read(folder, &c->record, err));
  TRM_TRY(figure_at(c, "all/exact_accuracy", &c->exact, err));
  return figure_at(c, "all/n", &c->n, err);
}

/* A member of a set of data of the newest start, clean; "" where it has none. */
static void member_of(const trm__json *set, const char *key, char *text, size_t size) {
  const char *found = trm__json_text(trm__json_get(set, key));
  (void)snprintf(text, size, "%s", found ? found : "");
  trm__text_clean(text);
}

static const trm__json *sets_of(const card *c) {
  return trm__json_get(trm__record_newest(&c->record), "data");
}

/* What it was measured on, all together: the sets that it was not trained on. The i-th; NULL behind
 * the last. */
static const trm__json *test_set_at(const card *c, int i) {
  const trm__json *sets = sets_of(c);
  for (size_t k = 0; k < trm__json_n_items(sets); k++) {
    const char *split = trm__json_text(trm__json_get(trm__json_item(sets, k), "split"));
    if (split && strcmp(split, "train") != 0 && i-- == 0) return trm__json_item(sets, k);
  }
  return NULL;
}

/* The path of the only one; of several how many they are. */
static void name_test_sets(const card *c, char *text, size_t size) {
  int n = 0;
  while (test_set_at(c, n)) n++;
  member_of(test_set_at(c, 0), "path", text, size);
  if (n > 1) (void)snprintf(text, size, "%d sets", n);
  if (!text[0]) (void)snprintf(text, size, "unknown");
}

/* "6x6 Sudoku" */
static void puzzle_name(const card *c, char *text, size_t size) {
  const trm_puzzle *p = &trm_model_get_config(c->model)->puzzle;
  const char *title = trm_puzzle_facts_of(p)->title;
  (void)snprintf(text, size, p->kind == TRM_PUZZLE_NONE ? "puzzles" : "%dx%d %s", p->rows, p->cols,
                 title);
}

/* ---- the head ---- */

static void put_member(trm__json_out *o, const char *key, const char *type, const char *name) {
  trm__json_open(o, key, '{');
  trm__json_put_text(o, "type", type);
  trm__json_put_text(o, "name", name);
  trm__json_close(o);
}

/* The scores in the form of the hub's "model-index". */
static trm_status results(const card *c, char **text, trm_error *err) {
  char puzzle[64], data[TRM__PATH_MAX];
  trm__json_out o = trm__json_begin(TRM__JSON_SPACED);
  puzzle_name(c, puzzle, sizeof puzzle);
  name_test_sets(c, data, sizeof data);
  trm__json_open(&o, NULL, '[');
  trm__json_open(&o, NULL, '{');
  trm__json_put_text(&o, "name", c->name);
  trm__json_open(&o, "results", '[');
  trm__json_open(&o, NULL, '{');
  put_member(&o, "task", "puzzle-solving", puzzle);
  put_member(&o, "dataset", data, data);
  trm__json_open(&o, "metrics", '[');
  trm__json_open(&o, NULL, '{');
  trm__json_put_text(&o, "type", "exact_match");
  trm__json_put_text(&o, "name", "exact accuracy");
  trm__json_put_real(&o, "value", c->exact);
  for (int open = 0; open < 6; open++) trm__json_close(&o);
  return trm__json_finish(&o, "a card", text, err);
}

static trm_status write_head(const card *c, trm__writer *w, trm_error *err) {
  const trm_model_config *m = trm_model_get_config(c->model);
  char *scores = NULL;
  trm__writer_printf(w, "---\nlibrary_name: trm\ntags: [tiny-recursive-model, %s, %s]\n",
                     trm_arch_name(m->arch), trm_puzzle_kind_name(m->puzzle.kind));
  if (c->exact >= 0) {
    TRM_TRY(results(c, &scores, err));
    trm__writer_printf(w, "model-index: %s\n", scores);
    trm__free(scores);
  }
  trm__writer_printf(w, "---\n");
  return TRM_OK;
}

/* ---- the text ---- */

static trm_status write_model(const card *c, trm__writer *w, trm_error *err) {
  const trm_model_config *m = trm_model_get_config(c->model);
  char puzzle[64];
  trm_model_cost cost;
  TRM_TRY(trm_model_cost_of(m, &cost, err));
  puzzle_name(c, puzzle, sizeof puzzle);
  trm__writer_printf(w, "\n# %s: %s\n\n", c->name, puzzle);
  trm__writer_printf(
      w,
      "A [Tiny Recursive Model](https://arxiv.org/abs/2510.04871) of %lld weights: architecture "
      "`%s`,\nwidth %d. `config.json` has its configuration, `model.safetensors` its weights in "
      "%s, by the\nreference's names.\n\n    import trm  # pip install trm-solver\n\n"
      "    trm.load(\"%s\").solve(puzzle)\n",
      (long long)cost.n_params, trm_arch_name(m->arch), m->hidden_size, c->dtype, c->name);
  return TRM_OK;
}

/* Texts from outside stand in blocks that nothing ends but a line. */
static void write_data(const card *c, trm__writer *w) {
  const trm__json *sets = sets_of(c);
  char path[TRM__PATH_MAX], split[64], fingerprint[64];
  trm__writer_printf(w, "\n## Data\n\n");
  if (!trm__json_n_items(sets)) trm__writer_printf(w, "Not known.\n");
  for (size_t i = 0; i < trm__json_n_items(sets); i++) {
    const trm__json *set = trm__json_item(sets, i);
    member_of(set, "path", path, sizeof path);
    member_of(set, "split", split, sizeof split);
    member_of(set, "fingerprint", fingerprint, sizeof fingerprint);
    trm__writer_printf(w, "    %s: %s, %lld examples, fingerprint %s\n", path, split,
                       (long long)trm__json_integer(trm__json_get(set, "examples")), fingerprint);
  }
}

static void write_training(const card *c, trm__writer *w) {
  const trm__json *start = trm__record_newest(&c->record);
  const char *command = trm__json_text(trm__json_get(start, "command"));
  char processor[256], version[64], commit[64];
  trm__writer_printf(w, "\n## Training\n\n");
  if (!start) {
    trm__writer_printf(w, "Not known.\n");
    return;
  }
  char *clean = command ? trm__text_copy(command, SIZE_MAX) : NULL;
  if (clean) trm__text_clean(clean);
  if (clean) trm__writer_printf(w, "    %s\n\n", clean);
  trm__free(clean);
  member_of(start, "processor", processor, sizeof processor);
  member_of(start, "version", version, sizeof version);
  member_of(start, "commit", commit, sizeof commit);
  trm__writer_printf(w, "%lld of %lld updates, by trm %s%s%s, on\n\n    %s\n", (long long)c->update,
                     (long long)trm_run_record_summary(c->run)->end, version, commit[0] ? " " : "",
                     commit, processor);
}

static void write_scores(const card *c, trm__writer *w) {
  char path[TRM__PATH_MAX];
  trm__writer_printf(w, "\n## Scores\n\n");
  if (c->exact < 0 || !(c->n > 0)) {
    trm__writer_printf(w, "It was not evaluated.\n");
    return;
  }
  const trm_interval range = trm_wilson(c->exact * c->n, c->n);
  trm__writer_printf(
      w, "Exactly right: %.2f %% (%.1f to %.1f, 95 %%) of %.0f examples, with all steps, of\n\n",
      100 * c->exact, 100 * range.low, 100 * range.high, c->n);
  if (!test_set_at(c, 0)) trm__writer_printf(w, "    an unknown set\n");
  for (int i = 0; test_set_at(c, i); i++) {
    member_of(test_set_at(c, i), "path", path, sizeof path);
    trm__writer_printf(w, "    %s\n", path[0] ? path : "an unknown set");
  }
}

static trm_status write_card(void *arg, trm__writer *w, trm_error *err) {
  const card *c = arg;
  TRM_TRY(write_head(c, w, err));
  TRM_TRY(write_model(c, w, err));
  write_data(c, w);
  write_training(c, w);
  write_scores(c, w);
  trm__writer_printf(w, "\n%s\n", trm__model_card_mark);
  return TRM_OK;
}

trm_status trm_model_publish(const trm_model *model, const char *checkpoint, const char *dir,
                             trm_dtype dtype, trm_error *err) {
  char name[TRM__PATH_MAX];
  TRM_TRY(trm__dtype_stored(dtype, err));
  card c = {.model = model, .update = -1, .exact = -1, .dtype = trm_dtype_name(dtype)};

  /* The folder's name, for people. */
  size_t n = strlen(dir);
  while (n > 1 && dir[n - 1] == '/') n--;
  TRM_TRY(trm__path_format(name, err, "%.*s", (int)n, dir));
  c.name = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
  trm__text_clean(name);

  trm_status st = checkpoint ? find_run(&c, checkpoint, err) : TRM_OK;
  if (st == TRM_OK) st = trm__model_save_with(model, dir, dtype, write_card, &c, err);
  trm__record_free(&c.record);
  trm_run_record_free(c.run);
  return st;
}
