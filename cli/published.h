/* Published checkpoints as a user has them: a torch file step_N and all_config.yaml beside it. */
#ifndef TRM_CLI_PUBLISHED_H
#define TRM_CLI_PUBLISHED_H

#include "config.h"
#include "files.h"

/* A file that is no .safetensors is taken for one. */
bool published_is(const char *path);
/* Its configuration: that of the YAML file, completed by the tensors and then by what is known of
 * the data that it is to be used on (NULL: nothing; vocab_size 0: only seq_len): seq_len, where no
 * tensor shows it (0: still unknown), and what the tokens mean. Without data a Sudoku is known by
 * its sizes. */
trm_status published_config(const char *path, const trm_dataset_info *data, trm_model_config *c,
                            trm_error *err);
trm_status published_load(const char *path, const trm_dataset_info *data, trm_model **out,
                          trm_error *err);
/* "DIR/all_config.yaml" beside a file. */
trm_status published_yaml(const char *path, char *yaml, trm_error *err);

#endif
