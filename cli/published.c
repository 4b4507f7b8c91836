/* See published.h. */
#include "published.h"

#include <string.h>

bool published_is(const char *path) {
  return cli_is_file(path) && !cli_ends_in(path, ".safetensors");
}

trm_status published_yaml(const char *path, char *yaml, trm_error *err) {
  const char *slash = strrchr(path, '/');
  return cli_path(yaml, err, "%.*sall_config.yaml", slash ? (int)(slash - path) + 1 : 0, path);
}

static void learn_from_data(const trm_dataset_info *data, trm_model_config *c) {
  if (c->seq_len == 0) c->seq_len = data->seq_len;
  if (c->seq_len == data->seq_len && c->vocab_size == data->vocab_size) c->puzzle = data->puzzle;
}

trm_status published_config(const char *path, const trm_dataset_info *data, trm_model_config *c,
                            trm_error *err) {
  char yaml[CLI_PATH_MAX];
  CLI_TRY(published_yaml(path, yaml, err));
  if (!cli_exists(yaml))
    return cli_fail(err, TRM_E_IO, -1,
                    "%s: no all_config.yaml beside it, which says what the model is; it is "
                    "published with the checkpoint",
                    path);
  CLI_TRY(run_config_load_model(c, yaml, err));
  CLI_TRY(trm_model_complete_config(path, c, err));
  if (data) learn_from_data(data, c);
  if (!data || data->vocab_size == 0) {
    const trm_puzzle sudoku = trm_sudoku_of_size(c->vocab_size - 2);
    if (sudoku.kind == TRM_PUZZLE_SUDOKU && sudoku.rows * sudoku.cols == c->seq_len)
      c->puzzle = sudoku;
  }
  return TRM_OK;
}

trm_status published_load(const char *path, const trm_dataset_info *data, trm_model **out,
                          trm_error *err) {
  trm_model_config c;
  CLI_TRY(published_config(path, data, &c, err));
  if (c.seq_len == 0)
    return cli_fail(
        err, TRM_E_CONFIG, -1,
        "%s does not show seq_len, because attention with rotary positions works at any "
        "length; make a file that says it: trm convert %s model.safetensors --data DATA",
        path, path);
  return trm_model_import(path, &c, out, err);
}
