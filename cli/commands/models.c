/* trm models: the models that have a name, and what each is. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/json_print.h"
#include "cli/pictures/puzzle_names.h"
#include "cli/run/named_models.h"

static const cli_manual manual = {
    "trm models [options]",
    "Lists the models that can be named wherever a command wants a MODEL: files NAME.safetensors\n"
    "in the folders that TRM_MODELS lists (separated by ':'), in models/ beside the program, and\n"
    "where models are installed with it. The first one of a name is taken, and a path that exists\n"
    "wins over a name. The description is the first line of the card NAME.md beside the file,\n"
    "\"# NAME: DESCRIPTION\"; the card says what the model was trained on, how, and how good it\n"
    "is. A model of your own joins them by `trm convert RUN FOLDER/NAME.safetensors`.\n",
    "Examples:\n"
    "  trm models\n"
    "  trm models --json\n"
    "  trm solve sudoku9 --puzzle \\\n"
    "      53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79\n"
    "  TRM_MODELS=$HOME/models trm models\n"};

typedef struct models_args {
  bool json, names;
} models_args;

typedef struct named_model {
  const char *name;
  char path[TRM__PATH_MAX], about[256], puzzle[320], problem[256];
  int64_t bytes, parameters;
} named_model;

/* A file that is no model is listed, with what is wrong. */
static trm_status look_at(const char *folder, const char *name, named_model *m, trm_error *err) {
  trm_model *model;
  trm_error cause;
  struct stat s;

  /* What is known without reading the file. */
  *m = (named_model){.name = name};
  CLI_TRY(trm__path_format(m->path, err, "%s/%s.safetensors", folder, name));
  CLI_TRY(named_model_describe(folder, name, m->about, sizeof m->about, err));
  if (stat(m->path, &s) != 0)
    return cli_fail(err, TRM_E_IO, -1, "%.300s: %s", m->path, strerror(errno));
  m->bytes = s.st_size;

  /* What the machine is short of is an error; what the file is not is a finding. */
  const trm_status st = trm_model_peek(m->path, NULL, &model, &cause);
  if (st == TRM_E_MEMORY || st == TRM_E_IO || st == TRM_E_SYSTEM)
    return cli_fail(err, st, cause.pos, "%.400s", cause.msg);
  if (st != TRM_OK) {
    snprintf(m->problem, sizeof m->problem, "%.250s", cause.msg);
    return TRM_OK;
  }

  /* It is a model: what it solves and how large it is. */
  puzzle_describe(&trm_model_get_config(model)->puzzle, m->puzzle, sizeof m->puzzle);
  for (int i = 0; i < trm_model_tensor_count(model); i++)
    if (trm_model_tensor_at(model, i).kind != TRM_TENSOR_BUFFER)
      m->parameters += trm_model_tensor_at(model, i).count;
  trm_model_free(model);
  return TRM_OK;
}

static void put_model(const named_model *m, trm__json_out *o) {
  trm__json_open(o, NULL, '{');
  trm__json_put_text(o, "name", m->name);
  trm__json_put_text(o, "path", m->path);
  if (m->problem[0]) {
    trm__json_put_text(o, "error", m->problem);
  } else {
    trm__json_put_text(o, "puzzle", m->puzzle);
    trm__json_put_int(o, "parameters", m->parameters);
  }
  trm__json_put_int(o, "bytes", m->bytes);
  trm__json_put_text(o, "description", m->about);
  trm__json_close(o);
}

static void print_model(const named_model *m) {
  char name[CLI_CLEAN], about[4 * sizeof m->about], bytes[32];
  cli_format_bytes((double)m->bytes, bytes, sizeof bytes);
  cli_clean(about, sizeof about, m->problem[0] ? m->problem : m->about);
  printf("  %-12s %-26s %10s  %s%s\n", cli_clean(name, sizeof name, m->name), m->puzzle, bytes,
         m->problem[0] ? "error: " : "", about);
}

static bool is_among(const char *name, const trm__names *names) {
  for (size_t i = 0; i < names->n; i++)
    if (!strcmp(names->v[i], name)) return true;
  return false;
}

/* One of a name that an earlier folder has is never taken, and not listed. */
static trm_status is_hidden(int folder, const char *name, bool *hidden, trm_error *err) {
  char earlier[TRM__PATH_MAX];
  *hidden = false;
  for (int i = 0; i < folder && !*hidden; i++) {
    bool more;
    trm__names names;
    CLI_TRY(named_models_folder(i, earlier, &more, err));
    CLI_TRY(named_models_in(earlier, &names, err));
    *hidden = is_among(name, &names);
    trm__names_free(&names);
  }
  return TRM_OK;
}

/* The models of the i-th folder; *n counts them. */
static trm_status list_folder(const models_args *a, int i, const char *folder,
                              const trm__names *names, trm__json_out *o, int *n, trm_error *err) {
  bool told = false;
  for (size_t j = 0; j < names->n; j++) {
    named_model m;
    bool hidden;
    char room[CLI_CLEAN];
    CLI_TRY(is_hidden(i, names->v[j], &hidden, err));
    if (hidden) continue;

    /* Names alone need no look at the file. */
    ++*n;
    if (a->names) printf("%s\n", cli_clean(room, sizeof room, names->v[j]));
    if (a->names) continue;
    CLI_TRY(look_at(folder, names->v[j], &m, err));
    if (a->json) put_model(&m, o);
    if (a->json) continue;

    /* A folder is told above its first model. */
    if (!told) printf("%s\n", cli_clean(room, sizeof room, folder));
    told = true;
    print_model(&m);
  }
  return TRM_OK;
}

static trm_status list_models(const models_args *a, trm__json_out *o, trm_error *err) {
  char folder[TRM__PATH_MAX], searched[400] = "";
  int n = 0;
  for (int i = 0;; i++) {
    bool more;
    trm__names names;
    CLI_TRY(named_models_folder(i, folder, &more, err));
    if (!more) break;
    const size_t used = strlen(searched);
    snprintf(searched + used, sizeof searched - used, "%s%.150s", used ? ", " : "", folder);
    CLI_TRY(named_models_in(folder, &names, err));
    const trm_status st = list_folder(a, i, folder, &names, o, &n, err);
    trm__names_free(&names);
    CLI_TRY(st);
  }
  if (n == 0) cli_note("no models in %s", searched);
  return TRM_OK;
}

int cmd_models(int argc, char **argv) {
  models_args a = {0};
  const cli_option options[] = {
      {"json", CLI_FLAG, &a.json, NULL, "print a JSON list"},
      {"names", CLI_FLAG, &a.names, NULL, "print the names only, one a line"},
      {NULL, CLI_FLAG, NULL, NULL, NULL}};
  int code;
  trm_error err = {0};
  if (!cli_options_parse(&manual, options, &argc, argv, &code)) return code;
  if (argc) return cli_usage_error("unexpected argument '%s'", argv[0]);
  if (a.json && a.names) return cli_usage_error("--json and --names exclude each other");
  trm__json_out o = trm__json_begin(TRM__JSON_INDENTED);
  trm__json_open(&o, NULL, '[');
  trm_status st = list_models(&a, &o, &err);
  trm__json_close(&o);
  if (st == TRM_OK && a.json)
    st = cli_print_json(&o, stdout, &err);
  else
    trm__json_drop(&o);
  return cli_finish(st == TRM_OK ? CLI_OK : cli_report_error(&err));
}
