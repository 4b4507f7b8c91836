/* See json_print.h. */
#include "cli/json_print.h"

#include "base/memory.h"

trm_status cli_print_json(trm__json_out *o, FILE *f, trm_error *err) {
  char *text;
  TRM_TRY(trm__json_finish(o, "the result as JSON", &text, err));
  fprintf(f, "%s\n", text);
  trm__free(text);
  return TRM_OK;
}

trm_status cli_print_failed(const trm_error *cause, bool json, const char *key, int64_t at,
                            trm_error *err) {
  char text[sizeof cause->msg];
  cli_clean(text, sizeof text, cause->msg);
  if (json) {
    trm__json_out o = trm__json_begin(TRM__JSON_COMPACT);
    trm__json_open(&o, NULL, '{');
    trm__json_put_int(&o, key, at);
    trm__json_put_text(&o, "error", text);
    trm__json_close(&o);
    TRM_TRY(cli_print_json(&o, stdout, err));
  } else {
    printf("error: %s\n", text);
  }
  if (!cli_is_terminal(stdout) || !cli_is_terminal(stderr)) cli_report_error(cause);
  return TRM_OK;
}

bool cli_is_of_one(trm_status st) {
  return st == TRM_E_FORMAT || st == TRM_E_PUZZLE || st == TRM_E_RANGE;
}

trm_status cli_flush_answers(trm_error *err) {
  const char *why = cli_stdout_fault(); /* it is said here, cli_finish need not */
  return why ? cli_fail(err, TRM_E_IO, -1, "the answers could not be written to stdout: %s", why)
             : TRM_OK;
}
