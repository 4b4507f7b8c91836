/* Bytes that grow: bodies of requests, and what is to be sent. */
#ifndef TRM_CLI_SERVE_TEXT_H
#define TRM_CLI_SERVE_TEXT_H

#include "cli/cli.h"

/* All zero: nothing. What had no memory is remembered, not returned: nothing is added any more. */
typedef struct serve_text {
  char *at;
  size_t n, room;
  bool failed;
} serve_text;

void serve_text_add(serve_text *t, const char *bytes, size_t n);
void serve_text_say(serve_text *t, const char *fmt, ...) CLI_PRINTF(2, 3); /* 1,000 bytes at most */
void serve_text_free(serve_text *t);                                       /* zeroes it */

#endif
