/* See find_model.h. */
#include "cli/run/find_model.h"

#include "cli/run/named_models.h"

void cli_tell(void *arg, trm_run_level level, const char *text) {
  (void)arg;
  if (level == TRM_RUN_LINE)
    fprintf(stderr, "%s\n", text);
  else if (level == TRM_RUN_WARNING)
    cli_warn("%s", text);
  else
    cli_note("%s", text);
}

static trm_status is_sound(void *arg, trm_error *err) {
  (void)arg;
  return cli_faults_check(err);
}

const trm_run_listener cli_listener = {.message = cli_tell, .sound = is_sound};

trm_status cli_find_model(const char *path, char file[TRM__PATH_MAX], const char **which,
                          trm_error *err) {
  char named[TRM__PATH_MAX];
  CLI_TRY(named_model_find(path, named, err));
  CLI_TRY(trm_model_find(named, &cli_listener, file, which, err));
  return file[0] ? TRM_OK : named_model_missing(path, err);
}

trm_status cli_load_model(const char *path, const trm_dataset_info *data, char file[TRM__PATH_MAX],
                          trm_model **out, trm_error *err) {
  const char *which;
  CLI_TRY(cli_find_model(path, file, &which, err));
  if (which) cli_note("%s is a run; using its %s checkpoint", path, which);
  return trm_model_open(file, data, &cli_listener, out, err);
}
