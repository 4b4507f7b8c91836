/* The model that a command is given, and what the library tells of it. */
#ifndef TRM_CLI_FIND_MODEL_H
#define TRM_CLI_FIND_MODEL_H

#include "base/folder.h"
#include "cli/cli.h"

/* Messages go to stderr; reads are sound while no fault has come. */
extern const trm_run_listener cli_listener;
/* Its function for messages, for listeners that show more. */
void cli_tell(void *arg, trm_run_level level, const char *text);

/* As trm_model_find, and also the name of a model (named_models.h). Errors: IO with the names that
 * there are when nothing is at `path`. */
trm_status cli_find_model(const char *path, char file[TRM__PATH_MAX], const char **which,
                          trm_error *err);
/* Finds and loads it, and says on stderr which checkpoint of a run it is. `data` as in
 * trm_model_open. */
trm_status cli_load_model(const char *path, const trm_dataset_info *data, char file[TRM__PATH_MAX],
                          trm_model **out, trm_error *err);

#endif
