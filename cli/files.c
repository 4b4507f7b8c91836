/* See files.h. */
#include "cli/files.h"

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
