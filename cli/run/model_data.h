/* A model and the data that it is to be used on. */
#ifndef TRM_CLI_MODEL_DATA_H
#define TRM_CLI_MODEL_DATA_H

#include "cli/cli.h"

/* TRM_E_SHAPE, with the folder, for data that the model is not made for (trm_model_check_data); a
 * warning where its puzzle ids may mean other tasks and nothing tells. */
trm_status model_check_data(const trm_model_config *model, const trm_dataset_info *data,
                            const char *dir, trm_error *err);

/* The arguments MODEL and DATA of a command; false after a usage error, which knows a data set when
 * it sees one in the wrong place. */
bool model_data_arguments(const char *command, int argc, char *const *argv);

/* A usage error of `trm solve MODEL FOLDER`: a folder is no file of puzzles, but may be what
 * another option or command takes. Returns the exit code. */
int model_data_refuse_folder(const char *model, const char *folder);

enum { MODEL_IDENTIFIERS_ROOM = TRM_MODEL_ID_LISTS * 18 };
/* The fingerprints of names of ids as "%016x, %016x"; "" when none is known. */
void model_print_identifiers(const uint64_t *identifiers, int n, char out[MODEL_IDENTIFIERS_ROOM]);

#endif
