/* Files as the program writes them: beside their place, fsynced, renamed into it. */
#ifndef TRM_CLI_FILES_H
#define TRM_CLI_FILES_H

#include "cli.h"

enum { CLI_PATH_MAX = 4096 };

/* Formats a path; TRM_E_ARGUMENT when it does not fit CLI_PATH_MAX bytes. */
trm_status cli_path(char *out, trm_error *err, const char *fmt, ...) CLI_PRINTF(3, 4);
bool cli_exists(const char *path);
bool cli_is_file(const char *path); /* follows links */
bool cli_ends_in(const char *path, const char *suffix);
/* mkdir -p. */
trm_status cli_make_dirs(const char *path, trm_error *err);
/* fsync of a folder: renames in it survive a power cut. */
trm_status cli_sync_dir(const char *path, trm_error *err);
/* Removes a folder of plain files and links; absent is fine, a folder in it is an error. */
trm_status cli_remove_folder(const char *path, trm_error *err);
/* TRM_E_IO unless a model may be written into this folder: it is absent, or holds nothing but
 * config.json and model.safetensors. */
trm_status cli_check_model_folder(const char *path, trm_error *err);
/* Makes `link` (replaced atomically) a symbolic link to `target`. */
trm_status cli_swap_link(const char *link, const char *target, trm_error *err);

/* A file that is complete or absent: open, write to .f, then commit or abort. */
typedef struct cli_outfile {
  FILE *f;
  char path[CLI_PATH_MAX], tmp[CLI_PATH_MAX + 8];
} cli_outfile;
trm_status cli_outfile_open(cli_outfile *o, const char *path, trm_error *err);
trm_status cli_outfile_commit(cli_outfile *o, trm_error *err); /* on failure it is removed */
void cli_outfile_abort(cli_outfile *o);                        /* no effect after a commit */

#endif
