/* libmicrohttpd, loaded when a server starts: the other commands do not pay for it and what it
 * needs (its TLS), and a system without it has all of them. */
#ifndef TRM_CLI_SERVE_MHD_H
#define TRM_CLI_SERVE_MHD_H

#include <microhttpd.h>

#include "cli/cli.h"

#define SERVE_MHD_FUNCTIONS(X)         \
  X(MHD_start_daemon)                  \
  X(MHD_quiesce_daemon)                \
  X(MHD_stop_daemon)                   \
  X(MHD_get_connection_info)           \
  X(MHD_get_connection_values)         \
  X(MHD_suspend_connection)            \
  X(MHD_resume_connection)             \
  X(MHD_create_response_from_buffer)   \
  X(MHD_create_response_from_callback) \
  X(MHD_add_response_header)           \
  X(MHD_queue_response)                \
  X(MHD_destroy_response)

/* A member for each, of its name and type. */
typedef struct serve_mhd {
#define SERVE_MHD_MEMBER(name) __typeof__(&name) name;
  SERVE_MHD_FUNCTIONS(SERVE_MHD_MEMBER)
#undef SERVE_MHD_MEMBER
} serve_mhd;

/* Errors: SYSTEM with the package that is missing. */
trm_status serve_mhd_load(serve_mhd *out, trm_error *err);

#endif
