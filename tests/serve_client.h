/* A server that runs and clients that ask it by sockets, for the tests of trm serve: one server of
 * two small models, whose steps are known, for all tests of a program. */
#ifndef TRM_TESTS_SERVE_CLIENT_H
#define TRM_TESTS_SERVE_CLIENT_H

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include "json_text.h"
#include "launch.h"
#include "small_model.h"

static const char key[] = "0123456789abcdef0123456789abcdef";

/* ---- servers ---- */

typedef struct server {
  scratch *s;
  pid_t child;
  int port;
} server;

/* An untrained model of Sudokus of `size` in NAME.safetensors. */
static inline void put_model(scratch *s, const char *name, int size, int steps) {
  char path[200];
  trm_model_config c = small_config(TRM_ARCH_TRM, size * size);
  c.puzzle = trm_sudoku_of_size(size);
  c.vocab_size = size + 2;
  c.halt_max_steps = steps;
  snprintf(path, sizeof path, "%s/%s.safetensors", s->dir, name);
  trm_model *m = small_model(&c, 1);
  assert_int_equal(trm_model_export(m, path, TRM_FILE_SAFETENSORS, TRM_FLOAT32, NULL), TRM_OK);
  trm_model_free(m);
}

/* The port behind the last ':' of what is printed, once there is a line. */
static inline int printed_port(scratch *s, pid_t child) {
  char path[160], text[400] = "";
  snprintf(path, sizeof path, "%s/out", s->dir);
  for (int naps = 0; naps < 6000; naps++) {
    FILE *f = fopen(path, "r");
    const size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f) fclose(f);
    text[n] = 0;
    if (strchr(text, '\n')) return atoi(strrchr(text, ':') + 1);
    if (waitpid(child, NULL, WNOHANG) == child) break;
    nap(10);
  }
  slurp(scratch_path(s, "err"), err_text);
  fail_msg("no address: %s", err_text);
  return 0;
}

static inline server open_any(scratch *s, const char *const *args) {
  (void)remove(scratch_path(s, "out"));
  server v = {.s = s, .child = start(s, args, &(launch){0}, -1)};
  v.port = printed_port(s, v.child);
  return v;
}

/* Starts it with more arguments, behind those that every server here has. */
static inline server open_server(scratch *s, const char *const *more) {
  static char four[200], six[200];
  const char *args[MAX_ARGS + 1] = {"serve", four, six, "--port", "0", "--threads", "1"};
  snprintf(four, sizeof four, "%s/four.safetensors", s->dir);
  snprintf(six, sizeof six, "%s/six.safetensors", s->dir);
  int n = 7;
  for (int i = 0; more && more[i]; i++) args[n++] = more[i];
  return open_any(s, args);
}

/* Its exit code after SIGTERM. */
static inline int close_server(server *v) {
  kill(v->child, SIGTERM);
  return finish(v->s, v->child);
}

/* ---- clients ---- */

/* A connection, which takes in `buffer` bytes before they are read (NULL: as many as usual). */
static inline int dial_with(const server *v, const int *buffer) {
  const struct sockaddr_in at = {.sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)v->port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  assert_true(fd >= 0);
  if (buffer) assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, buffer, sizeof *buffer), 0);
  assert_int_equal(connect(fd, (const struct sockaddr *)&at, sizeof at), 0);
  return fd;
}

static inline int dial(const server *v) {
  return dial_with(v, NULL);
}

static inline void put(int fd, const char *text) {
  for (size_t n = strlen(text), done = 0; done < n;) {
    const ssize_t sent = send(fd, text + done, n - done, MSG_NOSIGNAL);
    if (sent <= 0) return; /* it was refused meanwhile, and says so */
    done += (size_t)sent;
  }
}

/* Milliseconds until a silent server is a failure: a sanitizer on a busy machine takes its time. */
enum { WAIT = 240000 };

/* Reads until `until` is there (NULL: until the end), and returns whether the connection is still
 * open. */
static inline bool hear(int fd, char *text, size_t size, const char *until) {
  size_t n = strlen(text);
  while (!until || !strstr(text, until)) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (poll(&p, 1, WAIT) <= 0) fail_msg("the server says no more than:\n%s", text);
    const ssize_t got = recv(fd, text + n, size - 1 - n, 0);
    if (got <= 0) return false;
    text[n += (size_t)got] = 0;
    if (n == size - 1) fail_msg("too much:\n%s", text);
  }
  return true;
}

static char heard[1 << 20];

static inline void post(int fd, const char *path, const char *more, const char *body) {
  char head[500];
  snprintf(head, sizeof head,
           "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n%s\r\n", path,
           strlen(body), more);
  put(fd, head);
  put(fd, body);
}

/* What the server says to a request, all of it; its status. */
static inline int ask(const server *v, const char *request) {
  const int fd = dial(v);
  put(fd, request);
  *heard = 0;
  (void)hear(fd, heard, sizeof heard, NULL);
  close(fd);
  return strncmp(heard, "HTTP/1.1 ", 9) ? 0 : atoi(heard + 9);
}

static inline int ask_post(const server *v, const char *path, const char *more, const char *body) {
  const int fd = dial(v);
  char headers[300];
  snprintf(headers, sizeof headers, "Connection: close\r\n%s", more);
  post(fd, path, headers, body);
  *heard = 0;
  (void)hear(fd, heard, sizeof heard, NULL);
  close(fd);
  return strncmp(heard, "HTTP/1.1 ", 9) ? 0 : atoi(heard + 9);
}

#define GET(path, more) \
  "GET " path " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" more "\r\n"

/* The body of what was heard. */
static inline const char *body(void) {
  const char *at = strstr(heard, "\r\n\r\n");
  if (!at) fail_msg("no body in:\n%s", heard);
  return at + 4;
}

static inline void is_status(int got, int want) {
  if (got != want) fail_msg("status %d, want %d:\n%s", got, want, heard);
}

/* The value of a line of /metrics. */
static inline int64_t metric(const server *v, const char *name) {
  char line[200];
  is_status(ask(v, GET("/metrics", "")), 200);
  snprintf(line, sizeof line, "\n%s ", name);
  const char *at = strstr(heard, line);
  if (!at) fail_msg("no %s in:\n%s", name, heard);
  return atoll(at + strlen(line));
}

static inline void await_metric(const server *v, const char *name, int64_t value) {
  for (int naps = 0; metric(v, name) != value; naps++) {
    if (naps == WAIT / 10) fail_msg("%s is not %lld:\n%s", name, (long long)value, heard);
    nap(10);
  }
}

/* Bytes of memory that the server has, by what the system tells of it; 0: it does not. */
static inline int64_t memory_of(const server *v) {
  char path[64], text[4096];
  snprintf(path, sizeof path, "/proc/%d/status", (int)v->child);
  FILE *f = fopen(path, "r");
  if (!f) return 0;
  text[fread(text, 1, sizeof text - 1, f)] = 0;
  fclose(f);
  const char *at = strstr(text, "VmRSS:");
  return at ? 1024 * atoll(at + strlen("VmRSS:")) : 0;
}

/* Sanitizers keep something beside every byte, and what was freed. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SHADOW = 8 };
#else
enum { SHADOW = 1 };
#endif
static inline void grew_at_most(const server *v, int64_t before, int64_t most) {
  const int64_t more = memory_of(v) - before;
  if (more > most * SHADOW) fail_msg("%lld bytes more than before", (long long)more);
}

/* Every member of `v` is described, and of those described all but one that was not asked for. */
static inline void is_described(const trm__json *api, const char *schema, const trm__json *v,
                                size_t n) {
  const trm__json *schemas = trm__json_get(trm__json_get(api, "components"), "schemas");
  const trm__json *properties = trm__json_get(trm__json_get(schemas, schema), "properties");
  assert_int_equal(trm__json_n_members(v), n);
  assert_int_equal(trm__json_n_members(properties), n);
  for (size_t i = 0; i < n; i++)
    if (!trm__json_get(properties, trm__json_key(v, i)))
      fail_msg("%s: %s is not described", schema, trm__json_key(v, i));
}

/* ---- the server of a group ---- */

#define FOUR "1...341221434.21"
#define SIX "123456456123231564564231312645......"
#define SOLVE4 "{\"puzzle\": \"" FOUR "\"}"

static server shared;

static inline int set_up(void **state) {
  if (scratch_open(state) != 0) return -1;
  scratch *s = *state;
  put_model(s, "four", 4, 3);
  put_model(s, "six", 6, 5);
  write_bytes(scratch_path(s, "keys"), key, strlen(key));
  if (RUN("serve", "--port", "0", "--host", "256.0.0.1") == 1 &&
      strstr(err_text, "libmicrohttpd")) {
    print_message("skipped: %s\n", err_text);
    (void)scratch_close(state);
    exit(77);
  }
  shared = open_server(s, ARGS("--metrics"));
  return 0;
}

static inline int tear_down(void **state) {
  want(close_server(&shared), 0);
  return scratch_close(state);
}

/* What the program says of the same puzzle by itself. */
static inline const char *solved(scratch *s, const char *model, const char *puzzle,
                                 const char *steps) {
  static char answer[64];
  char file[200];
  snprintf(file, sizeof file, "%s/%s.safetensors", s->dir, model);
  want(RUN("solve", file, "--puzzle", puzzle, "--steps", steps, "--threads", "1"), 0);
  snprintf(answer, sizeof answer, "%.*s", (int)strcspn(out_text, " "), out_text);
  return answer;
}

#endif
