/* See listen.h. */
#include "cli/serve/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool is_loopback(const struct sockaddr *a) {
  if (a->sa_family == AF_INET) {
    struct sockaddr_in in;
    memcpy(&in, a, sizeof in);
    return ntohl(in.sin_addr.s_addr) >> 24 == 127;
  }
  struct sockaddr_in6 in6 = {0};
  if (a->sa_family == AF_INET6) memcpy(&in6, a, sizeof in6);
  return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
}

/* A socket that listens there; -1 with errno. What the system keeps for a client that does not read
 * is bounded for each connection, where it would else be megabytes. */
static int listen_on(const struct addrinfo *at) {
  enum { UNREAD = 64 << 10 };
  const int on = 1, unread = UNREAD, fd = socket(at->ai_family, SOCK_STREAM, 0);
  if (fd < 0) return -1;
  (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
  (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &unread, sizeof unread);
  if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0 &&
      listen(fd, SOMAXCONN) == 0)
    return fd;
  const int cause = errno;
  close(fd);
  errno = cause;
  return -1;
}

static void write_url(int fd, char url[LISTEN_URL]) {
  struct sockaddr_storage at;
  socklen_t size = sizeof at;
  char host[256] = "?", port[16] = "?";
  if (getsockname(fd, (struct sockaddr *)&at, &size) == 0)
    (void)getnameinfo((struct sockaddr *)&at, size, host, sizeof host, port, sizeof port,
                      NI_NUMERICHOST | NI_NUMERICSERV);
  const bool brackets = strchr(host, ':');
  snprintf(url, LISTEN_URL, "http://%s%s%s:%s", brackets ? "[" : "", host, brackets ? "]" : "",
           port);
}

trm_status serve_listen(const char *host, int port, bool has_keys, int *fd, char url[LISTEN_URL],
                        trm_error *err) {
  char digits[16];
  struct addrinfo *found;
  const struct addrinfo want = {.ai_socktype = SOCK_STREAM,
                                .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
  snprintf(digits, sizeof digits, "%d", port);
  const int failed = getaddrinfo(host, digits, &want, &found);
  if (failed)
    return cli_fail(err, TRM_E_SYSTEM, -1, "--host %.100s: %s", host, gai_strerror(failed));

  /* The first address of a name is its address. */
  trm_status st = TRM_OK;
  if (!has_keys && !is_loopback(found->ai_addr))
    st = cli_fail(err, TRM_E_CONFIG, -1,
                  "--host %.100s can be reached from other machines: want --api-key-file FILE "
                  "beside it, for else anybody may ask; 127.0.0.1 is for this machine alone",
                  host);
  if (st == TRM_OK && (*fd = listen_on(found)) < 0)
    st = cli_fail(err, TRM_E_SYSTEM, -1, "%.100s, port %d: %s%s", host, port, strerror(errno),
                  errno == EADDRINUSE ? "; --port takes another, 0 one that is free" : "");
  freeaddrinfo(found);
  if (st == TRM_OK) write_url(*fd, url);
  return st;
}
