/* trm serve under many clients: who waits, who leaves, who is slow, how it ends. */
#include "serve_client.h"

/* ---- many clients ---- */

/* One puzzle of so many steps that it is not done until it is stopped: a row that is taken. */
#define ENDLESS "{\"puzzle\": \"" FOUR "\", \"steps\": 1024, \"stream\": true}"
#define LONG "{\"puzzle\": \"" FOUR "\", \"steps\": 1024}"

/* With one row and one place in line, the third has to come again; one that leaves frees its row,
 * and so does one that leaves the line. */
static void is_bounded(void **state) {
  scratch *s = *state;
  char batch[40 * 100] = "{\"steps\": 1024, \"puzzles\": [";
  for (int i = 0; i < 40; i++) strcat(batch, i ? ",\"" FOUR "\"" : "\"" FOUR "\"");
  strcat(batch, "]}");
  server v = open_server(s, ARGS("--parallel", "1", "--queue", "40", "--metrics"));

  /* Forty that take long fill the line. */
  const int many = dial(&v);
  post(many, "/v1/batch", "", batch);
  await_metric(&v, "trm_puzzles_running{model=\"four\"}", 1);
  assert_true(metric(&v, "trm_puzzles_waiting{model=\"four\"}") > 30);
  is_status(ask_post(&v, "/v1/batch", "", batch), 429);
  says(heard, "Retry-After: ");
  assert_int_equal(metric(&v, "trm_puzzles_refused_total{model=\"four\"}"), 40);

  /* The other model has its own. */
  is_status(ask_post(&v, "/v1/solve", "", "{\"puzzle\": \"" SIX "\"}"), 200);

  /* Who asks for one does not wait for all of them. */
  is_status(ask_post(&v, "/v1/solve", "", SOLVE4), 200);
  assert_true(metric(&v, "trm_puzzles_waiting{model=\"four\"}") > 10);

  /* They leave, and all is free. */
  close(many);
  await_metric(&v, "trm_puzzles_waiting{model=\"four\"}", 0);
  await_metric(&v, "trm_puzzles_running{model=\"four\"}", 0);
  assert_true(metric(&v, "trm_puzzles_cancelled_total{model=\"four\"}") > 10);
  is_status(ask_post(&v, "/v1/solve", "", SOLVE4), 200);
  want(close_server(&v), 0);
}

/* A stream whose client leaves in the middle. */
static void leavers_free_rows(void **state) {
  scratch *s = *state;
  server v = open_server(s, ARGS("--metrics"));
  const int fd = dial(&v);
  post(fd, "/v1/solve", "", ENDLESS);
  *heard = 0;
  assert_true(hear(fd, heard, sizeof heard, "\"step\":2,"));
  close(fd);
  await_metric(&v, "trm_puzzles_running{model=\"four\"}", 0);
  assert_int_equal(metric(&v, "trm_puzzles_solved_total{model=\"four\"}"), 0);
  assert_int_equal(metric(&v, "trm_puzzles_cancelled_total{model=\"four\"}"), 1);
  want(close_server(&v), 0);
}

/* Clients that end their direction with the request, as nc -N does, are gone once they are closed.
 */
static void leavers_free_connections(void **state) {
  scratch *s = *state;
  server v = open_server(s, ARGS("--metrics", "--timeout", "600"));
  for (int i = 0; i < 100; i++) {
    const int fd = dial(&v);
    put(fd, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    shutdown(fd, SHUT_WR);
    *heard = 0;
    (void)hear(fd, heard, sizeof heard, "\"ok\"}");
    says(heard, "HTTP/1.1 200 ");
    close(fd);
  }
  await_metric(&v, "trm_http_connections", 1);
  want(close_server(&v), 0);
}

/* Many at once, in rows of one queue, each with its own answer. */
static void answers_many(void **state) {
  enum { CLIENTS = 100 };
  scratch *s = *state;
  int fd[CLIENTS];
  char want4[64], want6[64];
  snprintf(want4, sizeof want4, "\"answer\":\"%s\"", solved(s, "four", FOUR, "0"));
  snprintf(want6, sizeof want6, "\"answer\":\"%s\"", solved(s, "six", SIX, "0"));
  for (int i = 0; i < CLIENTS; i++) fd[i] = dial(&shared);
  for (int i = 0; i < CLIENTS; i++)
    post(fd[i], "/v1/solve", "Connection: close\r\n", i % 2 ? SOLVE4 : "{\"puzzle\": \"" SIX "\"}");
  for (int i = 0; i < CLIENTS; i++) {
    *heard = 0;
    (void)hear(fd[i], heard, sizeof heard, NULL);
    says(heard, i % 2 ? want4 : want6);
    close(fd[i]);
  }
}

/* A thousand connections: a third says nothing, a third half of a request, and those that ask are
 * all answered, while memory stays what headers and parts of bodies take. */
static void stands_crowds(void **state) {
  enum { CROWD = 1000, MOST = 100 << 20 };
  static int fd[CROWD];
  scratch *s = *state;
  struct rlimit limit;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = limit.rlim_max;
  if (limit.rlim_cur < CROWD + 100 || setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    print_message("skipped: fewer than %d files may be open\n", CROWD + 100);
    skip();
  }
  server v = open_server(s, NULL);
  const int64_t before = memory_of(&v);
  for (int i = 0; i < CROWD; i++) {
    fd[i] = dial(&v);
    if (i % 3 == 1)
      put(fd[i], "POST /v1/batch HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999");
    if (i % 3 == 1 && i % 2) put(fd[i], "\r\n\r\n{\"puzzles\": [");
    if (i % 3 == 2) post(fd[i], "/v1/solve", "", SOLVE4);
  }
  for (int i = 2; i < CROWD; i += 3) {
    *heard = 0;
    assert_true(hear(fd[i], heard, sizeof heard, "\"seconds\":"));
    says(heard, "HTTP/1.1 200 ");
  }
  grew_at_most(&v, before, MOST);
  for (int i = 0; i < CROWD; i++) close(fd[i]);
  want(close_server(&v), 0);
}

/* A request that does not come to its end in time is cut; meanwhile others are answered. */
static void cuts_slow_clients(void **state) {
  scratch *s = *state;
  server v = open_server(s, ARGS("--timeout", "1"));
  const int silent = dial(&v), head = dial(&v), part = dial(&v);
  put(head, "POST /v1/solve HTTP/1.1\r\nHost: ");
  put(part, "POST /v1/solve HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{");
  is_status(ask_post(&v, "/v1/solve", "", SOLVE4), 200);
  for (int i = 0; i < 8; i++) { /* drops that keep it alive for a timeout of silence */
    nap(200);
    put(head, "a");
    put(part, " ");
  }
  *heard = 0;
  assert_false(hear(silent, heard, sizeof heard, NULL));
  assert_false(hear(head, heard, sizeof heard, NULL));
  assert_false(hear(part, heard, sizeof heard, NULL));
  close(silent);
  close(head);
  close(part);
  want(close_server(&v), 0);
}

/* ---- the end ---- */

/* Whether a server that is asked to end takes less than what has a row is given: a slow machine may
 * need more. */
static bool ends_soon(server *v) {
  enum { GRACE = 3 };
  struct timespec from, to;
  clock_gettime(CLOCK_MONOTONIC, &from);
  want(close_server(v), 0);
  clock_gettime(CLOCK_MONOTONIC, &to);
  return to.tv_sec - from.tv_sec < GRACE;
}

/* In the middle of work: what has a row is answered, what is in line is told that it will not be,
 * and nobody is left without an answer. */
static void ends_in_order(void **state) {
  enum { CLIENTS = 20 };
  scratch *s = *state;
  int fd[CLIENTS], answered = 0;
  server v = open_server(s, ARGS("--parallel", "1", "--metrics"));
  const int idle = dial(&v), stream = dial(&v);
  for (int i = 0; i < CLIENTS; i++) {
    fd[i] = dial(&v);
    post(fd[i], "/v1/solve", "", LONG);
  }
  await_metric(&v, "trm_puzzles_running{model=\"four\"}", 1);

  /* Behind them a stream, of which the beginning comes at once. */
  char events[4000] = "";
  post(stream, "/v1/solve", "", ENDLESS);
  assert_true(hear(stream, events, sizeof events, "text/event-stream"));
  const bool soon = ends_soon(&v);

  for (int i = 0; i < CLIENTS; i++) {
    *heard = 0;
    (void)hear(fd[i], heard, sizeof heard, NULL);
    answered += strstr(heard, "HTTP/1.1 200 ") != NULL;
    if (!strstr(heard, "HTTP/1.1 200 ")) says(heard, "HTTP/1.1 503 ");
    says(heard, strstr(heard, "HTTP/1.1 200 ") ? "\"steps\":1024," : "the server stops");
    close(fd[i]);
  }
  assert_in_range(answered, soon ? 1 : 0, CLIENTS - 1);

  /* A stream ends with an event that says so, and as a whole. */
  (void)hear(stream, events, sizeof events, NULL);
  says(events, "HTTP/1.1 200 ");
  says(events, "event: error\ndata: {\"error\":{\"code\":503,");
  says(events, "\r\n0\r\n");
  close(stream);
  close(idle);
}

/* A stream that is being read when the server is asked to end comes to its own end, if that is
 * soon. */
static void ends_streams(void **state) {
  scratch *s = *state;
  server v = open_server(s, NULL);
  const int fd = dial(&v);
  post(fd, "/v1/solve", "", "{\"puzzle\": \"" FOUR "\", \"steps\": 300, \"stream\": true}");
  *heard = 0;
  assert_true(hear(fd, heard, sizeof heard, "\"step\":1,"));
  const bool soon = ends_soon(&v);
  (void)hear(fd, heard, sizeof heard, NULL);
  says(heard, soon || strstr(heard, "\"step\":300,") ? "event: answer\n" : "event: error\n");
  says(heard, "\r\n0\r\n");
  close(fd);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(answers_many),      cmocka_unit_test(is_bounded),
      cmocka_unit_test(leavers_free_rows), cmocka_unit_test(leavers_free_connections),
      cmocka_unit_test(stands_crowds),     cmocka_unit_test(cuts_slow_clients),
      cmocka_unit_test(ends_in_order),     cmocka_unit_test(ends_streams),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
