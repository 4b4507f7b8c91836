/* What the program asks of files beside base/file.h. */
#ifndef TRM_CLI_FILES_H
#define TRM_CLI_FILES_H

#include "base/file.h"
#include "cli/cli.h"

/* Closes a stream of open_memstream (NULL: it could not be had); false when its *text is not whole.
 */
bool cli_memory_close(FILE *f, char *const *text);
/* What trm_model_save would refuse; ARGUMENT when it is absent and its name is that of a file. */
trm_status cli_check_model_folder(const char *path, trm_error *err);
/* Hours of work are not to end with a file that cannot be created: what will be written at `path`
 * is tried before them. "-" is stdout, NULL nothing. Errors: IO. */
trm_status cli_check_writable(const char *path, trm_error *err);

#endif
