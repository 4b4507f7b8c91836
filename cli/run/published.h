/* Published checkpoints as a user has them: a file of torch.save or safetensors, or the index of
 * several, and beside it what says what the model is: all_config.yaml, or config.json with the
 * reference's keys. */
#ifndef TRM_CLI_PUBLISHED_H
#define TRM_CLI_PUBLISHED_H

#include "cli/files.h"
#include "cli/run/config.h"

/* The checkpoint in a folder: step_N, NAME.pt, .pth, .ckpt, .bin, .safetensors, the index of
 * several files, or a file of torch.save of any name. *found false: it has none, and no
 * all_config.yaml, or is a run of ours. Errors: IO when there is no checkpoint, or more than one to
 * choose from. */
trm_status published_find(const char *dir, char *file, bool *found, trm_error *err);
/* A file is taken for one, unless it is a .safetensors of trm's own. */
trm_status published_is(const char *path, bool *is, trm_error *err);
/* Its configuration: that of the file beside it, completed by the tensors and then by what is known
 * of the data that it is to be used on (NULL: nothing; vocab_size 0: only seq_len): seq_len, where
 * no tensor shows it (0: still unknown), what the tokens mean, and what the ids mean, where there
 * are as many. What is assumed is told on stderr. Without data a Sudoku is known by its sizes. */
trm_status published_config(const char *path, const trm_dataset_info *data, trm_model_config *c,
                            trm_error *err);
trm_status published_load(const char *path, const trm_dataset_info *data, trm_model **out,
                          trm_error *err);
/* "DIR/all_config.yaml" beside a file. */
trm_status published_yaml(const char *path, char *yaml, trm_error *err);

#endif
