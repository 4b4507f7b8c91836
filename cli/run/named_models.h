/* Models that have a name in place of a path: NAME.safetensors in a folder of models, with a card
 * NAME.md beside it, whose first line is "# NAME: DESCRIPTION". */
#ifndef TRM_CLI_NAMED_MODELS_H
#define TRM_CLI_NAMED_MODELS_H

#include "base/folder.h"
#include "cli/cli.h"

/* The i-th folder that is searched, from 0; *more false behind the last one. They are those that
 * TRM_MODELS lists, separated by ':', then models/ beside the program, and the folder where models
 * are installed with it. One that does not exist is passed over by whoever asks. Errors: IO,
 * MEMORY, ARGUMENT. */
trm_status named_models_folder(int i, char folder[TRM__PATH_MAX], bool *more, trm_error *err);
/* The names in a folder, sorted (trm__names_free); an absent folder has none. Errors: IO, MEMORY.
 */
trm_status named_models_in(const char *folder, trm__names *out, trm_error *err);
/* What a user means by `word` where a model is wanted: a path at which something is, else the first
 * model of that name, else `word` as it is. Errors: IO, MEMORY. */
trm_status named_model_find(const char *word, char path[TRM__PATH_MAX], trm_error *err);
/* The first model with a name whose puzzles are of the kind and size of `p`; false: there is none,
 * or it cannot be told. */
bool named_model_for(const trm_puzzle *p, char *name, size_t size);
/* The names of all folders in a line, as far as it has room; "": none. Errors: those of
 * named_models_in. */
trm_status named_models_list(char *text, size_t size, trm_error *err);
/* Refuses a path at which nothing is, and tells the names that there are. Returns IO. */
trm_status named_model_missing(const char *word, trm_error *err);
/* The name of a model that a run is to start from becomes its path, and one that is not there is
 * told at once. */
trm_status named_model_start(trm_run_config *c, trm_error *err);
/* The description of the model at FOLDER/NAME.safetensors; "" without a card that has one. */
trm_status named_model_describe(const char *folder, const char *name, char *text, size_t size,
                                trm_error *err);

#endif
