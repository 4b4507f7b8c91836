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
