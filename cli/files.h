/* Paths as the program makes them; files are written by base/file.h. */
#ifndef TRM_CLI_FILES_H
#define TRM_CLI_FILES_H

#include "base/file.h"
#include "cli/cli.h"

/* The program's words for paths that are formatted (base/folder.h). */
enum { CLI_PATH_MAX = TRM__PATH_MAX };
#define cli_path trm__path_format
#define cli_look trm__path_look_at
/* Closes a stream of open_memstream (NULL: it could not be had); false when its *text is not whole.
 */
bool cli_memory_close(FILE *f, char *const *text);
/* What trm_model_save would refuse; ARGUMENT when it is absent and its name is that of a file. */
trm_status cli_check_model_folder(const char *path, trm_error *err);

#endif
