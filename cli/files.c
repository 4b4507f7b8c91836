/* See files.h. */
#include "cli/files.h"

#include <string.h>

bool cli_memory_close(FILE *f, char *const *text) {
  if (!f) return false;
  const bool whole = !ferror(f);
  return fclose(f) == 0 && whole && *text; /* glibc 2.36 closes well without memory for the end */
}

trm_status cli_check_model_folder(const char *path, trm_error *err) {
  trm__kind kind;
  CLI_TRY(trm__path_look(path, &kind, err));
  if (kind == TRM__ABSENT && cli_ending(path))
    return cli_fail(err, TRM_E_ARGUMENT, -1,
                    "%s: what is written is a folder, and %s is the ending of a file; with '/' "
                    "behind it the folder has that name",
                    path, cli_ending(path));
  return trm_model_check_folder(path, err);
}

trm_status cli_check_writable(const char *path, trm_error *err) {
  trm__writer probe;
  trm__kind kind;
  if (!path || !strcmp(path, "-")) return TRM_OK;
  CLI_TRY(trm__path_look(path, &kind, err));
  if (kind != TRM__ABSENT && kind != TRM__FILE)
    return cli_fail(err, TRM_E_IO, -1, "%s: cannot write: it is not a plain file", path);
  CLI_TRY(trm__writer_open(&probe, path, err));
  trm__writer_abort(&probe);
  return TRM_OK;
}
