/* Bytes of a file, a pipe, stdin or the command line, as they come: a wait for them ends after a
 * signal. */
#ifndef TRM_CLI_BYTE_INPUT_H
#define TRM_CLI_BYTE_INPUT_H

#include "base/file.h"
#include "cli/cli.h"

typedef struct byte_input {
  const char *name; /* for messages */
  int fd;
  bool own;          /* `fd` is to be closed */
  bool looked;       /* at its first bytes, whether they are a text */
  bool ended;        /* nothing comes behind `bytes` */
  bool asks;         /* it is typed at a terminal: where it has to be waited for, */
  char prompt[16];   /* this is asked, by default "> ", */
  bool in_line;      /* unless a line is begun */
  const char *bytes; /* the n that were read last */
  size_t n;
  char *room;      /* where they are read to; NULL for a text */
  trm__map packed; /* a file that is packed by gzip, unpacked as a whole */
} byte_input;

/* A file (packed by gzip, too) or pipe, "-" is stdin, whose lines are asked for where that is a
 * terminal; or a text, all of which is there. The texts must outlive it. */
trm_status byte_input_open(byte_input *in, const char *path, trm_error *err);
void byte_input_open_text(byte_input *in, const char *name, const char *text);
void byte_input_close(byte_input *in); /* a zeroed one is fine */
/* Reads what is there, and with `wait` until something is: then n > 0, or it has ended. Errors: IO;
 * FORMAT for what is no text, which ends it; INTERRUPTED after a signal. `line` is the one that is
 * being read, for messages. */
trm_status byte_input_fill(byte_input *in, bool wait, int64_t line, trm_error *err);

#endif
