/* JSON results of the commands. */
#ifndef TRM_CLI_JSON_PRINT_H
#define TRM_CLI_JSON_PRINT_H

#include <stdio.h>

#include "cli/cli.h"
#include "io/json.h"

/* Finishes it and prints it with a newline. Errors: as trm__json_finish; those of `f` are left to
 * whoever closes it (cli_finish for stdout). */
trm_status cli_print_json(trm__json_out *o, FILE *f, trm_error *err);
/* Why a puzzle has no answer, in its place on stdout: "error: ...", or an object with the keys
 * error and `key`, which says where; and as an error on stderr, unless both are read on one
 * terminal. */
trm_status cli_print_failed(const trm_error *cause, bool json, const char *key, int64_t at,
                            trm_error *err);
/* True of what is wrong with one puzzle and leaves the others alone. */
bool cli_is_of_one(trm_status st);
/* Has whoever waits for answers get those that were printed. */
trm_status cli_flush_answers(trm_error *err);

#endif
