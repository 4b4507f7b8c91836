/* Who may ask: keys, and the names by which the server may be called. Nothing here keeps state or
 * blocks; texts are whatever a client sent. */
#ifndef TRM_CLI_SERVE_GUARD_H
#define TRM_CLI_SERVE_GUARD_H

#include "cli/cli.h"

enum {
  GUARD_KEY_MIN = 16, /* characters of a key: fewer can be guessed */
  GUARD_KEY_MAX = 128,
  GUARD_KEYS = 256,
  GUARD_NAMES = 16
};

typedef struct guard {
  char (*keys)[GUARD_KEY_MAX]; /* [n_keys], each filled up with zeros; of malloc */
  int n_keys;                  /* 0: nobody needs one */
  char names[GUARD_NAMES][256];
  int n_names; /* beside localhost and addresses */
} guard;

/* The keys of a file, one a line; empty lines and those that begin with # are none. Errors: IO,
 * MEMORY; FORMAT with the line of a key that is too short or too long, or has other characters than
 * those of ASCII that are seen; CONFIG when there are none or too many. */
trm_status guard_load_keys(guard *g, const char *path, trm_error *err);
/* Names of the server, separated by commas. Errors: ARGUMENT. */
trm_status guard_add_names(guard *g, const char *names, trm_error *err);
void guard_free(guard *g); /* a zeroed one is fine */

/* Whether the value of the header Authorization (NULL: there is none) has one of the keys, "Bearer
 * KEY". How long it takes depends on the number of keys alone, not on what is in them or in the
 * value. True where there are no keys. */
bool guard_has_key(const guard *g, const char *authorization);
/* Whether the server may be called so, by the header Host: "localhost", one of its names, or an
 * address, each with a port or without. A page of the web that has its own name lead to this
 * machine (DNS rebinding) calls it by that name. */
bool guard_knows_host(const guard *g, const char *host);
/* Whether a request that says where it comes from, by the header Origin (NULL: it does not), comes
 * from a page of this server: of the same host and port. */
bool guard_is_same_origin(const char *origin, const char *host);

#endif
