/* See named_models.h. */
#include "cli/run/named_models.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"

static const char model_ending[] = ".safetensors", card_ending[] = ".md";

/* ---- where ---- */

/* The folder of the running program; "" where there is no /proc to tell. */
static trm_status program_folder(char folder[TRM__PATH_MAX], trm_error *err) {
  static const char self[] = "/proc/self/exe";
  const ssize_t n = readlink(self, folder, TRM__PATH_MAX - 1);
  folder[n > 0 ? n : 0] = 0;
  if (n < 0 && errno != ENOENT) return cli_fail(err, TRM_E_IO, -1, "%s: %s", self, strerror(errno));
  char *slash = strrchr(folder, '/');
  if (slash) *slash = 0;
  return TRM_OK;
}

/* Takes "..", and links, out of the path of a folder, where there is one. */
static trm_status resolve(char folder[TRM__PATH_MAX], trm_error *err) {
  trm__kind kind;
  CLI_TRY(trm__path_look(folder, &kind, err));
  if (kind == TRM__ABSENT) return TRM_OK;
  char *real = realpath(folder, NULL);
  if (!real)
    return cli_fail(err, errno == ENOMEM ? TRM_E_MEMORY : TRM_E_IO, -1, "%.200s: %s", folder,
                    strerror(errno));
  const trm_status st = trm__path_format(folder, err, "%s", real);
  free(real);
  return st;
}

/* The i-th part that is not empty of a list separated by ':'. */
static const char *part_of_list(const char *list, int i, size_t *n) {
  for (const char *at = list; at && *at; at += *n + (at[*n] == ':')) {
    *n = strcspn(at, ":");
    if (*n > 0 && i-- == 0) return at;
  }
  return NULL;
}

trm_status named_models_folder(int i, char folder[TRM__PATH_MAX], bool *more, trm_error *err) {
  static const char *const beside[] = {"models", TRM_MODELS_DIR};
  enum { N_BESIDE = sizeof beside / sizeof *beside };
  char program[TRM__PATH_MAX];
  const char *list = getenv("TRM_MODELS"), *part;
  size_t n = 0;
  int listed = 0;
  *more = true;

  /* First the folders that the user lists. */
  for (; (part = part_of_list(list, listed, &n)); listed++)
    if (listed == i) return trm__path_format(folder, err, "%.*s", (int)n, part);

  /* Then those beside the program, where the system tells where it is. */
  *more = i - listed < N_BESIDE;
  if (!*more) return TRM_OK;
  CLI_TRY(program_folder(program, err));
  *more = *program;
  if (!*more) return TRM_OK;
  CLI_TRY(trm__path_format(folder, err, "%s/%s", program, beside[i - listed]));
  return resolve(folder, err);
}

/* ---- names ---- */

/* False of what has to be a path, or could not be the name of a file. */
static bool is_name(const char *word) {
  return *word && *word != '.' && !strchr(word, '/') && strlen(word) < 200;
}

/* A file called NAME.safetensors: no folder, and no link to nowhere, or in a circle. */
static trm_status is_model(const trm__dir *d, const char *name, bool *is, trm_error *err) {
  const size_t n = strlen(name), end = sizeof model_ending - 1;
  trm__kind kind;
  *is = n > end && *name != '.' && !strcmp(name + n - end, model_ending);
  if (!*is) return TRM_OK;
  CLI_TRY(trm__dir_look(d, name, &kind, err));
  *is = kind == TRM__FILE ||
        (kind == TRM__LINK && trm__path_look_at(&kind, NULL, "%s/%s", d->path, name) == TRM_OK &&
         kind == TRM__FILE);
  return TRM_OK;
}

/* Keeps the names of models, without their ending; none of those behind one that fails. */
static trm_status keep_models(const trm__dir *d, trm__names *names, trm_error *err) {
  trm_status st = TRM_OK;
  size_t kept = 0;
  for (size_t i = 0; i < names->n; i++) {
    char *name = names->v[i];
    bool is = false;
    if (st == TRM_OK) st = is_model(d, name, &is, err);
    if (st == TRM_OK && is) {
      name[strlen(name) - (sizeof model_ending - 1)] = 0;
      names->v[kept++] = name;
    } else {
      trm__free(name);
    }
  }
  names->n = kept;
  return st;
}

trm_status named_models_in(const char *folder, trm__names *out, trm_error *err) {
  trm__kind kind;
  trm__dir d;
  *out = (trm__names){0};
  CLI_TRY(trm__path_look(folder, &kind, err));
  if (kind != TRM__DIR) return TRM_OK;
  CLI_TRY(trm__dir_open(&d, folder, err));
  trm_status st = trm__dir_names(&d, out, err);
  if (st == TRM_OK) st = keep_models(&d, out, err);
  trm__dir_close(&d);
  if (st != TRM_OK) trm__names_free(out);
  return st;
}

trm_status named_model_find(const char *word, char path[TRM__PATH_MAX], trm_error *err) {
  char folder[TRM__PATH_MAX];
  trm__kind kind;
  CLI_TRY(trm__path_format(path, err, "%s", word));
  CLI_TRY(trm__path_look(word, &kind, err));
  if (kind != TRM__ABSENT || !is_name(word)) return TRM_OK;
  for (int i = 0;; i++) {
    bool more;
    CLI_TRY(named_models_folder(i, folder, &more, err));
    if (!more) return TRM_OK;
    CLI_TRY(trm__path_look_at(&kind, err, "%s/%s%s", folder, word, model_ending));
    if (kind == TRM__FILE)
      return trm__path_format(path, err, "%s/%s%s", folder, word, model_ending);
  }
}

static bool is_for(const trm_puzzle *p, const char *folder, const char *name) {
  char path[TRM__PATH_MAX];
  trm_model *model;
  if (trm__path_format(path, NULL, "%s/%s%s", folder, name, model_ending) != TRM_OK ||
      trm_model_peek(path, NULL, &model, NULL) != TRM_OK)
    return false;
  const trm_puzzle *has = &trm_model_get_config(model)->puzzle;
  const bool same = has->kind == p->kind && has->rows == p->rows && has->cols == p->cols;
  trm_model_free(model);
  return same;
}

bool named_model_for(const trm_puzzle *p, char *name, size_t size) {
  char folder[TRM__PATH_MAX];
  bool more = true, found = false;
  for (int i = 0; !found; i++) {
    trm__names names;
    if (named_models_folder(i, folder, &more, NULL) != TRM_OK || !more) return false;
    if (named_models_in(folder, &names, NULL) != TRM_OK) continue;
    for (size_t j = 0; j < names.n && !found; j++) {
      found = is_for(p, folder, names.v[j]);
      if (found) snprintf(name, size, "%s", names.v[j]);
    }
    trm__names_free(&names);
  }
  return found;
}

trm_status named_models_list(char *text, size_t size, trm_error *err) {
  char folder[TRM__PATH_MAX];
  *text = 0;
  for (int i = 0;; i++) {
    bool more;
    trm__names names;
    CLI_TRY(named_models_folder(i, folder, &more, err));
    if (!more) return TRM_OK;
    CLI_TRY(named_models_in(folder, &names, err));
    for (size_t j = 0; j < names.n; j++) {
      const size_t used = strlen(text);
      snprintf(text + used, size - used, "%s%.60s", used ? ", " : "", names.v[j]);
    }
    trm__names_free(&names);
  }
}

trm_status named_model_missing(const char *word, trm_error *err) {
  char known[240];
  CLI_TRY(named_models_list(known, sizeof known, err));

  /* Without any, the remedy is to know where they are looked for. */
  if (!known[0])
    return cli_fail(err, TRM_E_IO, -1,
                    "%.150s: no such file or folder, and no model has a name here: `trm models` "
                    "says where they are looked for",
                    word);
  return cli_fail(err, TRM_E_IO, -1,
                  "%.150s: no such file or folder; models with a name are %s (`trm models`)", word,
                  known);
}

/* ---- cards ---- */

trm_status named_model_describe(const char *folder, const char *name, char *text, size_t size,
                                trm_error *err) {
  char path[TRM__PATH_MAX], head[300];
  trm__kind kind;
  trm__map card;
  *text = 0;
  CLI_TRY(trm__path_format(path, err, "%s/%s%s", folder, name, card_ending));
  CLI_TRY(trm__path_look(path, &kind, err));
  if (kind != TRM__FILE) return TRM_OK;

  /* The first line is "# NAME: DESCRIPTION", or there is none. */
  const int n_head = snprintf(head, sizeof head, "# %s: ", name);
  CLI_TRY(trm__map_open(path, &card, err));
  if (card.size > (size_t)n_head && !memcmp(card.data, head, (size_t)n_head)) {
    const char *line = (const char *)card.data + n_head;
    size_t n = 0;
    while (n < card.size - (size_t)n_head && n + 1 < size && line[n] && !strchr("\r\n", line[n]))
      n++;
    memcpy(text, line, n);
    text[n] = 0;
  }
  trm__map_close(&card);
  return TRM_OK;
}

trm_status named_model_start(trm_run_config *c, trm_error *err) {
  const char *word = trm_run_config_item(c, "load_checkpoint", 0), *which;
  char named[TRM__PATH_MAX], file[TRM__PATH_MAX];
  if (!word) return TRM_OK;
  CLI_TRY(named_model_find(word, named, err));
  CLI_TRY(trm_model_find(named, NULL, file, &which, err));
  if (!file[0]) return named_model_missing(word, err);
  return strcmp(named, word) ? trm_run_config_set(c, "load_checkpoint", named, err) : TRM_OK;
}
