/* trm serve when much comes at once: good clients among bad ones, bodies that fill its memory,
 * streams that nobody reads, and an end in the middle of many. Nothing is lost, nobody comes in who
 * must not, and memory stays what it may be. */
#include "serve_client.h"

enum { MIB = 1 << 20 };

static bool many_files(int n) {
  struct rlimit limit;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = limit.rlim_max;
  return limit.rlim_cur >= (rlim_t)n + 100 && setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

static void needs_files(int n) {
  if (many_files(n)) return;
  print_message("skipped: fewer than %d files may be open\n", n + 100);
  skip();
}

/* The last bytes that each connection says, read as they come until all are closed. */
enum { TAIL = 800 };
static void hear_all(int *fd, int n, char (*tail)[TAIL]) {
  static char part[1 << 16];
  struct pollfd *polled = calloc((size_t)n, sizeof *polled);
  assert_non_null(polled);
  for (int i = 0; i < n; i++) polled[i] = (struct pollfd){.fd = fd[i], .events = POLLIN};
  for (int open = n; open > 0;) {
    if (poll(polled, (nfds_t)n, WAIT) <= 0) fail_msg("%d connections stay open", open);
    for (int i = 0; i < n; i++) {
      if (!polled[i].revents) continue;
      const ssize_t got = recv(fd[i], part, sizeof part, 0);
      if (got <= 0) {
        open--;
        polled[i].fd = -1;
        continue;
      }
      const size_t have = strlen(tail[i]), all = have + (size_t)got;
      const size_t from_part = (size_t)got < TAIL - 1 ? (size_t)got : TAIL - 1;
      const size_t kept = all < TAIL ? have : TAIL - 1 - from_part;
      memmove(tail[i], tail[i] + have - kept, kept);
      memcpy(tail[i] + kept, part + got - from_part, from_part);
      tail[i][kept + from_part] = 0;
    }
  }
  free(polled);
}

/* ---- all kinds of clients at once ---- */

#define KEYED "Authorization: Bearer 0123456789abcdef0123456789abcdef\r\n"
#define SOLVE6 "{\"puzzle\": \"" SIX "\"}"
#define HEAD(host, more) "POST /v1/solve HTTP/1.1\r\nHost: " host "\r\nConnection: close\r\n" more

/* What a client sends, and what it hears; those that must not come in ask the model "six". */
static const struct kind {
  const char *head, *body; /* body NULL: the head is all, and it waits */
  const char *hears;       /* NULL: nobody looks */
  bool large, leaves;
} kinds[] = {
    {HEAD("localhost", KEYED), SOLVE4, "HTTP/1.1 200 ", false, false},
    {HEAD("localhost", KEYED), "{\"puzzle\": \"" FOUR "\", \"stream\": true}", "event: answer\n",
     false, false},
    {HEAD("localhost", ""), SOLVE6, "HTTP/1.1 401 ", false, false},
    {HEAD("localhost", "Authorization: Bearer 0123456789abcdef0123456789abcdee\r\n"), SOLVE6,
     "HTTP/1.1 401 ", false, false},
    {HEAD("evil.example", KEYED), SOLVE6, "HTTP/1.1 421 ", false, false},
    {HEAD("localhost", KEYED "Origin: http://evil.example\r\n"), SOLVE6, "HTTP/1.1 403 ", false,
     false},
    {HEAD("localhost", KEYED), NULL, "HTTP/1.1 413 ", true, false},
    {HEAD("localhost", KEYED), SOLVE4, NULL, false, true},
    {"", NULL, NULL, false, false},
    {HEAD("localhost", KEYED "Content-Length: 100000\r\n\r\n{\"puzzle\""), NULL, NULL, false,
     false},
    {"\x16\x03\x01\x02\r\n\r\n\r\n", NULL, NULL, false, false},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void begin_client(int fd, const struct kind *k) {
  char length[60];
  put(fd, k->head);
  if (k->large) put(fd, "Content-Length: 1048577\r\n\r\n");
  if (!k->body) return;
  snprintf(length, sizeof length, "Content-Length: %zu\r\n\r\n", strlen(k->body));
  put(fd, length);
  put(fd, k->body);
}

static void good_ones_pass_among_bad_ones(void **state) {
  enum { EACH = 40, MOST = 60 * MIB };
  static int fd[EACH][KINDS];
  scratch *s = *state;
  char answer[64], keys[200];
  needs_files(EACH * KINDS);
  snprintf(keys, sizeof keys, "%s/keys", s->dir);
  snprintf(answer, sizeof answer, "\"answer\":\"%s\"", solved(s, "four", FOUR, "0"));
  server v = open_server(s, ARGS("--metrics", "--api-key-file", keys, "--timeout", "5"));
  const int64_t before = memory_of(&v);
  for (int i = 0; i < EACH; i++)
    for (int k = 0; k < KINDS; k++) {
      fd[i][k] = dial(&v);
      begin_client(fd[i][k], &kinds[k]);
      if (kinds[k].leaves) close(fd[i][k]);
    }

  /* Each hears what it must; who is silent or in the middle is cut in the end. */
  for (int k = 0; k < KINDS; k++)
    for (int i = 0; i < EACH; i++) {
      if (kinds[k].leaves) continue;
      *heard = 0;
      (void)hear(fd[i][k], heard, sizeof heard, NULL);
      if (kinds[k].hears) says(heard, kinds[k].hears);
      if (k < 2) says(heard, answer);
      close(fd[i][k]);
    }
  grew_at_most(&v, before, MOST);

  /* Nobody came in by the way of the others. */
  is_status(ask(&v, GET("/metrics", KEYED)), 200);
  says(heard, "\ntrm_puzzles_solved_total{model=\"six\"} 0\n");
  says(heard, "\ntrm_puzzles_waiting{model=\"four\"} 0\n");
  says(heard, "\ntrm_http_connections 1\n");
  want(close_server(&v), 0);
}

/* ---- memory ---- */

/* Bodies that are under way, and do not end, take so much and no more; the next ones are told to
 * come again, and when those are gone there is room. */
static void bodies_are_bounded(void **state) {
  enum { CLIENTS = 90, BODY = MIB - 1000, ROOM = 64, MOST = 96 * MIB };
  scratch *s = *state;
  int fd[CLIENTS], refused = 0, answered = 0;
  char head[200], *body_text = malloc(BODY + 1);
  assert_non_null(body_text);
  memset(body_text, ' ', BODY);
  memcpy(body_text, SOLVE4, strlen(SOLVE4));
  body_text[BODY] = 0;
  snprintf(head, sizeof head,
           "POST /v1/solve HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
           "Content-Length: %d\r\n\r\n",
           BODY + 1);
  server v = open_server(s, ARGS("--timeout", "1000"));
  const int64_t before = memory_of(&v);
  for (int i = 0; i < CLIENTS; i++) {
    fd[i] = dial(&v);
    put(fd[i], head);
    put(fd[i], body_text);
  }
  for (int64_t last = 0; last != memory_of(&v); nap(500)) last = memory_of(&v); /* it reads them */
  is_status(ask(&v, GET("/health", "")), 200);
  grew_at_most(&v, before, MOST);

  /* The last byte of each: those that had room are solved. */
  for (int i = 0; i < CLIENTS; i++) put(fd[i], " ");
  for (int i = 0; i < CLIENTS; i++) {
    *heard = 0;
    (void)hear(fd[i], heard, sizeof heard, NULL);
    answered += strstr(heard, "HTTP/1.1 200 ") != NULL;
    refused += strstr(heard, "HTTP/1.1 429 ") != NULL;
    if (strstr(heard, "HTTP/1.1 429 ")) says(heard, "Retry-After: ");
    close(fd[i]);
  }
  assert_int_equal(answered + refused, CLIENTS);
  assert_in_range(refused, 1, CLIENTS - ROOM + 8);
  is_status(ask_post(&v, "/v1/solve", "", body_text), 200);
  free(body_text);
  want(close_server(&v), 0);
}

/* Streams that nobody reads are ended when they are too far behind, and hold up nobody. They are
 * longer than what the system takes in for them. */
static void streams_that_are_not_read_end(void **state) {
  enum { CLIENTS = 16, BUFFER = 4096, MOST = 48 * MIB };
  scratch *s = *state;
  int fd[CLIENTS];
  char four[200], big[200], question[200];
  snprintf(question, sizeof question, "{\"puzzle\": \"%081d\", \"steps\": 1024, \"stream\": true}",
           0);
  put_model(s, "big", 9, 4);
  snprintf(four, sizeof four, "%s/four.safetensors", s->dir);
  snprintf(big, sizeof big, "%s/big.safetensors", s->dir);
  server v = open_any(s, ARGS("serve", four, big, "--port", "0", "--threads", "1", "--metrics",
                              "--timeout", "1000"));
  const int64_t before = memory_of(&v);
  for (int i = 0; i < CLIENTS; i++) {
    const int size = BUFFER;
    fd[i] = dial_with(&v, &size);
    post(fd[i], "/v1/solve", "", question);
  }
  is_status(ask_post(&v, "/v1/solve", "", SOLVE4), 200);
  await_metric(&v, "trm_puzzles_cancelled_total{model=\"big\"}", CLIENTS);
  await_metric(&v, "trm_puzzles_running{model=\"big\"}", 0);
  assert_int_equal(metric(&v, "trm_puzzles_solved_total{model=\"big\"}"), 0);
  grew_at_most(&v, before, MOST);

  /* What comes of them has no end that looks like one. */
  static char tail[CLIENTS][TAIL];
  memset(tail, 0, sizeof tail);
  hear_all(fd, CLIENTS, tail);
  for (int i = 0; i < CLIENTS; i++) {
    assert_non_null(strstr(tail[i], "\"seconds\":"));
    assert_null(strstr(tail[i], "event: answer"));
    assert_null(strstr(tail[i], "\r\n0\r\n"));
    close(fd[i]);
  }
  want(close_server(&v), 0);
}

/* ---- the end ---- */

/* Two hundred streams are under way or in line: each comes to an end that says what it is. */
static void ends_amid_many_streams(void **state) {
  enum { CLIENTS = 200 };
  static char tail[CLIENTS][TAIL];
  scratch *s = *state;
  int fd[CLIENTS], told = 0;
  needs_files(CLIENTS);
  memset(tail, 0, sizeof tail);
  server v = open_server(s, ARGS("--metrics"));
  for (int i = 0; i < CLIENTS; i++) {
    fd[i] = dial(&v);
    post(fd[i], "/v1/solve", "", "{\"puzzle\": \"" FOUR "\", \"steps\": 1024, \"stream\": true}");
  }
  await_metric(&v, "trm_puzzles_running{model=\"four\"}", 32);
  kill(v.child, SIGTERM);
  hear_all(fd, CLIENTS, tail);
  for (int i = 0; i < CLIENTS; i++) {
    const bool answered = strstr(tail[i], "event: answer\n");
    if (!answered) says(tail[i], "event: error\ndata: {\"error\":{\"code\":503,");
    if (!answered) told++;
    says(tail[i], "\r\n0\r\n");
    close(fd[i]);
  }
  assert_in_range(told, 1, CLIENTS);
  want(finish(v.s, v.child), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(good_ones_pass_among_bad_ones),
      cmocka_unit_test(bodies_are_bounded),
      cmocka_unit_test(streams_that_are_not_read_end),
      cmocka_unit_test(ends_amid_many_streams),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
