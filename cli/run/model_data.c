/* See model_data.h. */
#include "cli/run/model_data.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"
#include "cli/run/find_model.h"

trm_status model_check_data(const trm_model_config *model, const trm_dataset_info *data,
                            const char *dir, trm_error *err) {
  trm_error cause;
  const trm_status st = trm_model_check_data(model, data, &cause);
  if (st != TRM_OK) return cli_fail(err, st, cause.pos, "%.300s: %.600s", dir, cause.msg);
  if (trm_model_ids_unsure(model, data))
    cli_warn(
        "%s has %d puzzle ids, the model %d, and nothing says whether they mean the same: ids of "
        "other subsets, order, seed or copies get the answers of other tasks",
        dir, data->num_puzzle_identifiers, model->num_puzzle_identifiers);
  return TRM_OK;
}

static bool is_data_set(const char *path) {
  static const char *const splits[] = {"train", "test"};
  trm__kind kind;
  for (int i = 0; i < 2; i++)
    if (trm__path_look_at(&kind, NULL, "%s/%s/dataset.json", path, splits[i]) == TRM_OK &&
        kind != TRM__ABSENT)
      return true;
  return false;
}

bool model_data_arguments(const char *command, int argc, char *const *argv) {
  if (argc == 2 && is_data_set(argv[0]) && !is_data_set(argv[1]))
    cli_usage_error("%s is a data set: want MODEL, then DATA, as in: trm %s %s %s", argv[0],
                    command, argv[1], argv[0]);
  else if (argc == 1 && is_data_set(argv[0]))
    cli_usage_error("want MODEL and DATA, got the data set only: trm %s MODEL %s", command,
                    argv[0]);
  else if (argc == 1)
    cli_usage_error("want MODEL and DATA, got one argument: trm %s %s DATA", command, argv[0]);
  else if (argc != 2)
    cli_usage_error("want MODEL and DATA, got %d arguments; see --help", argc);
  else
    return true;
  return false;
}

static bool is_model(const char *path) {
  char model[TRM__PATH_MAX];
  const char *which;
  return cli_find_model(path, model, &which, NULL) == TRM_OK;
}

static bool has_json(const char *folder) {
  trm__names names;
  trm__dir d;
  bool found = false;
  if (trm__dir_open(&d, folder, NULL) != TRM_OK) return false;
  if (trm__dir_names(&d, &names, NULL) == TRM_OK) {
    for (size_t i = 0; i < names.n && !found; i++) found = trm__text_ends_in(names.v[i], ".json");
    trm__names_free(&names);
  }
  trm__dir_close(&d);
  return found;
}

/* False of a model that answers another kind of puzzle; what cannot be looked at may be one. */
static bool may_know_tasks(const char *name) {
  char path[TRM__PATH_MAX];
  const char *which;
  trm_model *model;
  if (cli_find_model(name, path, &which, NULL) != TRM_OK ||
      trm_model_peek(path, NULL, &model, NULL) != TRM_OK)
    return true;
  const trm_puzzle *p = &trm_model_get_config(model)->puzzle;
  const bool may = trm_puzzle_facts_of(p)->tasks || p->kind == TRM_PUZZLE_NONE;
  trm_model_free(model);
  return may;
}

int model_data_refuse_folder(const char *model, const char *folder) {
  trm__kind kind;
  if (is_data_set(folder))
    return cli_usage_error("%s is a data set: want it as in: trm solve %s --data %s", folder, model,
                           folder);
  if (is_model(folder))
    return cli_usage_error(
        "%s is a model: want MODEL, then a FILE of puzzles, as in: trm solve %s %s", folder, folder,
        trm__path_look_at(&kind, NULL, "%s", model) == TRM_OK && kind == TRM__FILE ? model
                                                                                   : "FILE");
  if (has_json(folder) && may_know_tasks(model))
    return cli_usage_error(
        "%s is a folder with files of JSON: want a FILE of puzzles; tasks of ARC are answered by: "
        "trm finetune %s --task %s",
        folder, model, folder);
  return cli_usage_error("%s is a folder, and no data set: want a FILE of puzzles", folder);
}

void model_print_identifiers(const uint64_t *identifiers, int n, char out[MODEL_IDENTIFIERS_ROOM]) {
  size_t used = 0;
  out[0] = 0;
  for (int i = 0; i < n && identifiers[i]; i++)
    used += (size_t)snprintf(out + used, MODEL_IDENTIFIERS_ROOM - used, "%s%016" PRIx64,
                             i ? ", " : "", identifiers[i]);
}
