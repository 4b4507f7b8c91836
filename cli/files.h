/* Paths as the program makes them; files are written by base/file.h. */
#ifndef TRM_CLI_FILES_H
#define TRM_CLI_FILES_H

#include "base/file.h"
#include "cli/cli.h"

enum { CLI_PATH_MAX = 4096 };

/* Formats a path; TRM_E_ARGUMENT when it does not fit CLI_PATH_MAX bytes. */
trm_status cli_path(char *out, trm_error *err, const char *fmt, ...) CLI_PRINTF(3, 4);
/* What lies at a path that is formatted, as trm__path_look says. */
trm_status cli_look(trm__kind *kind, trm_error *err, const char *fmt, ...) CLI_PRINTF(3, 4);
/* Closes a stream of open_memstream (NULL: it could not be had); false when its *text is not whole.
 */
bool cli_memory_close(FILE *f, char *const *text);
bool cli_ends_in(const char *path, const char *suffix); /* in letters of either case */
/* What trm_model_save would refuse; ARGUMENT when it is absent and its name is that of a file. */
trm_status cli_check_model_folder(const char *path, trm_error *err);

#endif
