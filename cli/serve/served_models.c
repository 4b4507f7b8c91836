/* See served_models.h. */
#include "cli/serve/served_models.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/run/find_model.h"
#include "cli/run/named_models.h"

/* "first" of "runs/Sudoku6-trm/first/", "sudoku9" of "models/sudoku9.safetensors". */
static void name_of(const char *word, char *name, size_t size) {
  static const char ending[] = ".safetensors";
  size_t n = strlen(word);
  while (n > 1 && word[n - 1] == '/') n--;
  size_t first = n;
  while (first > 0 && word[first - 1] != '/') first--;
  const size_t end = sizeof ending - 1;
  if (n - first > end && !strncmp(word + n - end, ending, end)) n -= end;
  snprintf(name, size, "%.*s", (int)(n - first), word + first);
  trm__text_clean(name);
}

/* The first line of the card beside the file. */
static trm_status describe(const char *file, const char *name, char about[256], trm_error *err) {
  char folder[TRM__PATH_MAX], text[256];
  CLI_TRY(trm__path_format(folder, err, "%s", file));
  char *slash = strrchr(folder, '/');
  if (slash) *slash = 0;
  CLI_TRY(named_model_describe(slash ? folder : ".", name, text, sizeof text, err));
  cli_clean(about, sizeof text, text);
  return TRM_OK;
}

static trm_status load(served_models *s, const char *word, trm_error *err) {
  /* It joins the list before anything can fail, so that all of it is released. */
  char file[TRM__PATH_MAX];
  const int i = s->n++;
  serve_model *m = &s->v[i];
  name_of(word, s->names[i], sizeof s->names[i]);
  m->name = s->names[i];
  m->about = s->abouts[i];
  for (int k = 0; k < i; k++)
    if (!strcmp(s->names[k], m->name))
      return cli_fail(err, TRM_E_ARGUMENT, -1,
                      "two models are called %.100s: nobody could tell them apart", m->name);

  CLI_TRY(cli_load_model(word, NULL, file, &s->owned[i], err));
  CLI_TRY(describe(file, m->name, s->abouts[i], err));
  m->config = trm_model_get_config(s->owned[i]);
  const trm_puzzle *p = &m->config->puzzle;
  if (trm_puzzle_n_symbols(p) > 0 && p->rows * p->cols == m->config->seq_len &&
      trm_puzzle_first_symbol(p) + trm_puzzle_n_symbols(p) <= m->config->vocab_size)
    return TRM_OK;
  return cli_fail(err, TRM_E_CONFIG, -1,
                  "%.200s: its config.json does not say what its tokens mean (\"puzzle\"), so "
                  "puzzles have no text",
                  word);
}

static trm_status make_room(served_models *s, int n, trm_error *err) {
  s->v = calloc((size_t)n, sizeof *s->v);
  s->owned = calloc((size_t)n, sizeof(trm_model *));
  s->names = calloc((size_t)n, sizeof *s->names);
  s->abouts = calloc((size_t)n, sizeof *s->abouts);
  if (s->v && s->owned && s->names && s->abouts) return TRM_OK;
  return cli_fail(err, TRM_E_MEMORY, -1, "no memory for %d models", n);
}

/* What is no model that puzzles can be given to is told of and left out, for nobody named it. */
static trm_status try_model(served_models *s, const char *name, trm_error *err) {
  const trm_status st = load(s, name, err);
  if (st == TRM_OK || st == TRM_E_MEMORY || st == TRM_E_IO || st == TRM_E_SYSTEM) return st;
  cli_warn("%s is left out: %s", name, err->msg);
  trm_model_free(s->owned[--s->n]);
  s->owned[s->n] = NULL;
  return TRM_OK;
}

/* Every model that has a name, the first one of each. */
static trm_status load_named(served_models *s, trm_error *err) {
  enum { MOST = 64 };
  char folder[TRM__PATH_MAX];
  CLI_TRY(make_room(s, MOST, err));
  for (int i = 0;; i++) {
    bool more;
    trm__names names;
    trm_status st = TRM_OK;
    CLI_TRY(named_models_folder(i, folder, &more, err));
    if (!more) break;
    CLI_TRY(named_models_in(folder, &names, err));
    for (size_t j = 0; j < names.n && st == TRM_OK; j++) {
      int k = 0;
      while (k < s->n && strcmp(s->names[k], names.v[j]) != 0) k++;
      if (k == s->n && k < MOST) st = try_model(s, names.v[j], err);
    }
    trm__names_free(&names);
    CLI_TRY(st);
  }
  if (s->n) return TRM_OK;
  return cli_fail(err, TRM_E_IO, -1,
                  "no model has a name here: want MODEL; `trm models` says where they are looked "
                  "for");
}

trm_status served_models_load(served_models *out, int n, char **words, trm_error *err) {
  if (n == 0) return load_named(out, err);
  CLI_TRY(make_room(out, n, err));
  for (int i = 0; i < n; i++) CLI_TRY(load(out, words[i], err));
  return TRM_OK;
}

void served_models_free(served_models *m) {
  for (int i = 0; i < m->n; i++) trm_model_free(m->owned[i]);
  free(m->v);
  free(m->owned);
  free(m->names);
  free(m->abouts);
  *m = (served_models){0};
}
