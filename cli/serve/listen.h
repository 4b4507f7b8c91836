/* The socket that a server listens on. */
#ifndef TRM_CLI_SERVE_LISTEN_H
#define TRM_CLI_SERVE_LISTEN_H

#include "cli/cli.h"

enum { LISTEN_URL = 300 };

/* Listens on `host`, a name or an address, and `port` (0: one that is free); *url is what it is
 * then called. Errors: CONFIG when the address can be reached from other machines and nobody needs
 * a key; SYSTEM where there is no such host, or the port is taken. */
trm_status serve_listen(const char *host, int port, bool has_keys, int *fd, char url[LISTEN_URL],
                        trm_error *err);

#endif
