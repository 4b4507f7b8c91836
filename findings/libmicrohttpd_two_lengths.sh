#!/usr/bin/env bash
# A request whose body ends in two places, to a server made with libmicrohttpd.
#
# Expected: as RFC 9112, section 6, has it: two lengths that differ are refused and the connection is
# closed; where a length and chunks are both announced the connection is closed after the answer.
#
# Seen on 2026-11-30 with libmicrohttpd 0.9.75, as Debian 12 packages it: neither. Of two lengths the
# first one counts, beside chunks none does, and the connection goes on: what follows is answered as
# a request of its own, also with MHD_OPTION_STRICT_FOR_CLIENT. The header that documents the library
# does not speak of it.
#
# Hurt: a server behind a proxy that reads the other length. A stranger's request then smuggles
# another one past whatever the proxy checks, and the next visitor may get its answer.
#
# Instead: refuse what has more than one of Content-Length and Transfer-Encoding when the headers
# are there, before the body, for then libmicrohttpd closes the connection. trm serve does.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -q libmicrohttpd12=0.9.75-6 libmicrohttpd-dev=0.9.75-6 >/dev/null 2>&1
for package in ./*.deb; do dpkg-deb -x "$package" .; done

cat >server.c <<'C'
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>

static enum MHD_Result answer(void *arg, struct MHD_Connection *c, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *n, void **state) {
  (void)arg, (void)method, (void)version, (void)data;
  if (!*state || *n) { /* the headers, then parts of the body */
    *state = c;
    *n = 0;
    return MHD_YES;
  }
  struct MHD_Response *r =
      MHD_create_response_from_buffer(strlen(url), (void *)url, MHD_RESPMEM_MUST_COPY);
  const enum MHD_Result queued = MHD_queue_response(c, 200, r);
  MHD_destroy_response(r);
  return queued;
}

int main(void) {
  struct MHD_Daemon *d = MHD_start_daemon(MHD_USE_AUTO_INTERNAL_THREAD, 0, NULL, NULL, answer, NULL,
                                          MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
  if (!d) return 1;
  printf("%d\n", (int)MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port);
  fflush(stdout);
  getchar();
  MHD_stop_daemon(d);
  return 0;
}
C
lib=$(echo usr/lib/*/)
gcc server.c -o server -Iusr/include "$lib/libmicrohttpd.so" -Wl,-rpath,"$dir/$lib"

python3 - <<'EOF2'
import socket
import subprocess
import sys

server = subprocess.Popen(["./server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
port = int(server.stdout.readline())


def answered(headers, body):
    with socket.create_connection(("127.0.0.1", port), timeout=2) as client:
        client.sendall(b"POST /first HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n" + body)
        heard = b""
        try:
            while part := client.recv(4096):
                heard += part
        except TimeoutError:
            pass
    return [path for path in ("/first", "/smuggled") if path.encode() in heard]


inner = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
length = b"Content-Length: %d\r\n" % len(inner)
two = answered(b"Content-Length: 0\r\n" + length, inner)
both = answered(length + b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n" + inner)
one = answered(length, inner)
server.stdin.close()
print("one length:", one)
print("two lengths:", two)
print("a length and chunks:", both)
if one != ["/first"] or two != ["/first", "/smuggled"] or both != ["/first", "/smuggled"]:
    sys.exit("this has changed")
EOF2
