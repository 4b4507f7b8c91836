/* See byte_input.h. */
#include "cli/commands/byte_input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/foreign.h"
#include "io/gzip.h"

enum {
  READ_ROOM = 1 << 16,
  /* Milliseconds after which a wait looks whether a signal came: it may have come just before the
   * wait, or to another thread. */
  WAIT = 200
};

/* Nothing waits for a packed file, so all of it is unpacked at once; and what a file is in place of
 * a text is seen before a line of it. */
static trm_status look_at_file(byte_input *in, trm_error *err) {
  unsigned char head[512];
  struct stat st;
  if (!in->own || fstat(in->fd, &st) != 0 || !S_ISREG(st.st_mode)) return TRM_OK;
  const ssize_t n = pread(in->fd, head, sizeof head, 0);
  if (n <= 0) return TRM_OK;
  in->looked = true;
  if (!trm__gzip_is(head, (size_t)n)) return trm__foreign_page(in->name, head, (size_t)n, err);
  CLI_TRY(trm__gzip_map(in->name, &in->packed, err));
  in->bytes = (const char *)in->packed.data;
  in->n = in->packed.size;
  in->ended = true;
  return trm__foreign_page(in->name, in->bytes, in->n, err);
}

trm_status byte_input_open(byte_input *in, const char *path, trm_error *err) {
  *in = (byte_input){.name = path};
  if (!strcmp(path, "-")) {
    in->name = "stdin"; /* its descriptor is 0 */
    in->asks = cli_is_terminal(stdin);
    strcpy(in->prompt, "> ");
  } else {
    /* A pipe that nobody writes to yet is waited for where a signal can end it. */
    in->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (in->fd < 0)
      return cli_fail(err, errno == ENOMEM ? TRM_E_MEMORY : TRM_E_IO, -1, "%s: %s", path,
                      strerror(errno));
    in->own = true;
  }
  in->room = malloc(READ_ROOM);
  const trm_status st = in->room ? look_at_file(in, err)
                                 : cli_fail(err, TRM_E_MEMORY, -1, "no memory for a line of text");
  if (st != TRM_OK) byte_input_close(in);
  return st;
}

void byte_input_open_text(byte_input *in, const char *name, const char *text) {
  *in = (byte_input){.name = name, .bytes = text, .n = strlen(text), .ended = true};
}

void byte_input_close(byte_input *in) {
  if (in->own) close(in->fd);
  trm__map_close(&in->packed);
  free(in->room);
  *in = (byte_input){.ended = true};
}

/* Asks for a line where there is none yet. */
static void ask(const byte_input *in) {
  struct pollfd input = {.fd = in->fd, .events = POLLIN};
  if (!in->asks || in->in_line || !cli_is_terminal(stderr) || poll(&input, 1, 0) > 0) return;
  fputs(in->prompt, stderr);
  fflush(stderr);
}

/* What is said next does not stand behind what was asked. */
static void end_asking(const byte_input *in) {
  if (in->asks && cli_is_terminal(stderr)) fputc('\n', stderr);
}

/* The first bytes of a pipe say, too, whether a line of it is worth reading. */
static trm_status take(byte_input *in, size_t n, trm_error *err) {
  const bool first = !in->looked;
  in->looked = true;
  in->ended = n == 0;
  in->in_line = n > 0 && in->bytes[n - 1] != '\n';
  if (in->ended) end_asking(in);
  const trm_status st = first ? trm__foreign_page(in->name, in->bytes, n, err) : TRM_OK;
  if (st == TRM_OK)
    in->n = n;
  else
    in->ended = true;
  return st;
}

trm_status byte_input_fill(byte_input *in, bool wait, int64_t line, trm_error *err) {
  in->n = 0;
  if (in->ended) return TRM_OK;
  int asked = -1;
  do {
    struct pollfd input = {.fd = in->fd, .events = POLLIN};
    const int pauses = cli_pauses();

    /* Who comes back to it (Ctrl-Z, fg) is asked again. */
    if (wait && asked != pauses) ask(in);
    asked = pauses;
    if (wait && cli_interrupted()) {
      end_asking(in);
      return cli_fail(err, TRM_E_INTERRUPTED, -1, "interrupted while waiting for %s", in->name);
    }

    /* A signal or nothing to read: what waits asks again, and looks whether it is to end. */
    if (poll(&input, 1, wait ? WAIT : 0) <= 0) continue;
    const ssize_t n = read(in->fd, in->room, READ_ROOM);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0)
      return cli_fail(err, TRM_E_IO, -1, "%s: cannot read line %lld: %s", in->name, (long long)line,
                      strerror(errno));
    in->bytes = in->room;
    return take(in, (size_t)n, err);
  } while (wait);
  return TRM_OK;
}
