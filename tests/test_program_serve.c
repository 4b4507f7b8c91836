/* trm serve as a client sees it: what it answers, and what it refuses. */
#include "serve_client.h"

/* ---- answers ---- */

static void same_answer(const trm__json *v, const char *answer, int steps) {
  assert_string_equal(trm__json_text(trm__json_get(v, "answer")), answer);
  assert_int_equal(trm__json_integer(trm__json_get(v, "steps")), steps);
}

/* As text and as rows, by default and with options, the answer is that of trm solve. */
static void solves(void **state) {
  scratch *s = *state;
  is_status(ask_post(&shared, "/v1/solve", "", SOLVE4), 200);
  says(heard, "Content-Type: application/json");
  trm__json *v = json_of(body());
  same_answer(v, solved(s, "four", FOUR, "0"), 3);
  assert_string_equal(trm__json_text(trm__json_get(v, "model")), "four");
  assert_null(trm__json_get(v, "confidence"));
  trm__json_free(v);

  /* Rows come back as rows. */
  char cells[17] = "";
  is_status(ask_post(&shared, "/v1/solve", "",
                     "{\"puzzle\": [[1,0,null,0],[3,4,1,2],[2,\"1\",4,3],[4,0,2,1]]}"),
            200);
  v = json_of(body());
  const trm__json *rows = trm__json_get(v, "answer");
  for (size_t i = 0; i < 16; i++) {
    const trm__json *cell = trm__json_item(trm__json_item(rows, i / 4), i % 4);
    cells[i] = ".1234"[trm__json_integer(cell)];
  }
  assert_string_equal(cells, solved(s, "four", "1...341221434.21", "0"));
  trm__json_free(v);

  /* The options of the queue. */
  is_status(
      ask_post(&shared, "/v1/solve", "",
               "{\"model\": \"six\", \"puzzle\": \"" SIX "\", \"steps\": 2, \"confidence\": true}"),
      200);
  v = json_of(body());
  same_answer(v, solved(s, "six", SIX, "2"), 2);
  assert_int_equal(trm__json_n_items(trm__json_get(v, "confidence")), 36);
  trm__json_free(v);
  is_status(ask_post(&shared, "/v1/solve", "",
                     "{\"puzzle\": \"" FOUR "\", \"halt\": \"q\", \"halt_margin\": -1000}"),
            200);
  v = json_of(body());
  same_answer(v, solved(s, "four", FOUR, "1"), 1);
  assert_true(trm__json_is_true(trm__json_get(v, "halted")));
  trm__json_free(v);
}

/* In the order of the request; what is no puzzle fails alone. */
static void solves_batches(void **state) {
  scratch *s = *state;
  is_status(ask_post(&shared, "/v1/batch", "",
                     "{\"puzzles\": [\"" FOUR "\", \"12\", \"................\"]}"),
            200);
  trm__json *v = json_of(body());
  const trm__json *list = trm__json_get(v, "answers");
  assert_int_equal(trm__json_n_items(list), 3);
  same_answer(trm__json_item(list, 0), solved(s, "four", FOUR, "0"), 3);
  says(trm__json_text(trm__json_get(trm__json_get(trm__json_item(list, 1), "error"), "message")),
       "16 characters");
  same_answer(trm__json_item(list, 2), solved(s, "four", "................", "0"), 3);
  trm__json_free(v);
}

/* An event for each step, then the answer: the steps are those of trm solve. */
static void streams(void **state) {
  scratch *s = *state;
  is_status(ask_post(&shared, "/v1/solve", "", "{\"puzzle\": \"" SIX "\", \"stream\": true}"), 200);
  says(heard, "Content-Type: text/event-stream");
  const char *at = heard;
  char before[37] = SIX;
  for (int step = 1; step <= 5; step++) {
    size_t used;
    at = strstr(at, "event: step\ndata: ");
    assert_non_null(at);
    at += strlen("event: step\ndata: ");
    trm__json *v = json_first(at, &used);
    char steps[8];
    snprintf(steps, sizeof steps, "%d", step);
    const char *grid = trm__json_text(trm__json_get(v, "grid"));
    assert_int_equal(trm__json_integer(trm__json_get(v, "step")), step);
    assert_string_equal(grid, solved(s, "six", SIX, steps));
    assert_int_equal(trm__json_n_items(trm__json_get(v, "confidence")), 36);

    /* What changed since the step before, or the question. */
    const trm__json *changed = trm__json_get(v, "changed");
    size_t k = 0;
    for (int cell = 0; cell < 36; cell++) {
      if (grid[cell] == before[cell]) continue;
      assert_int_equal(trm__json_integer(trm__json_item(changed, k)), cell);
      k++;
    }
    assert_int_equal(trm__json_n_items(changed), k);
    snprintf(before, sizeof before, "%s", grid);
    trm__json_free(v);
  }
  at = strstr(at, "event: answer\ndata: ");
  assert_non_null(at);
  says(at, before);
}

/* What the latents read as, in events and in the answer, is what trm solve shows of them. */
static void tells_latents(void **state) {
  scratch *s = *state;
  char file[200];
  size_t used;
  snprintf(file, sizeof file, "%s/six.safetensors", s->dir);
  want(RUN("solve", file, "--puzzle", SIX, "--steps", "2", "--show", "latents", "--json"), 0);
  trm__json *shown = json_of(out_text);
  is_status(
      ask_post(&shared, "/v1/solve", "",
               "{\"puzzle\": \"" SIX "\", \"steps\": 2, \"stream\": true, \"latents\": true}"),
      200);

  /* An answer says what the last step does. */
  const char *at = body();
  for (size_t event = 0; event < 3; event++) {
    at = strstr(at, "data: ");
    assert_non_null(at);
    at += strlen("data: ");
    trm__json *told = json_first(at, &used);
    const trm__json *step = trm__json_item(trm__json_get(shown, "trace"), event == 2 ? 1 : event);
    const trm__json *latents = trm__json_get(told, "latents");
    assert_int_equal(trm__json_n_items(latents), 2);
    for (size_t i = 0; i < 2; i++) {
      static const char *const same[] = {"name", "grid"};
      const trm__json *a = trm__json_item(latents, i);
      const trm__json *b = trm__json_item(trm__json_get(step, "latents"), i);
      for (size_t k = 0; k < 2; k++)
        assert_true(trm__json_same(trm__json_get(a, same[k]), trm__json_get(b, same[k])));
    }
    assert_false(trm__json_same(trm__json_item(latents, 0), trm__json_item(latents, 1)));
    trm__json_free(told);
  }
  trm__json_free(shown);

  /* Who does not ask is not told. */
  is_status(ask_post(&shared, "/v1/solve", "", SOLVE4), 200);
  assert_null(strstr(body(), "latents"));
}

/* One connection, many requests. */
static void keeps_connections(void **state) {
  (void)state;
  const int fd = dial(&shared);
  for (int i = 0; i < 3; i++) {
    *heard = 0;
    put(fd, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_true(hear(fd, heard, sizeof heard, "\"ok\"}"));
    *heard = 0;
    post(fd, "/v1/solve", "", SOLVE4);
    assert_true(hear(fd, heard, sizeof heard, "\"seconds\":"));
    assert_true(hear(fd, heard, sizeof heard, "}"));
  }
  close(fd);
}

static void tells_of_itself(void **state) {
  (void)state;
  is_status(ask(&shared, GET("/v1/models", "")), 200);
  trm__json *v = json_of(body());
  const trm__json *list = trm__json_get(v, "data");
  assert_int_equal(trm__json_n_items(list), 2);
  assert_string_equal(trm__json_text(trm__json_get(trm__json_item(list, 1), "id")), "six");
  assert_int_equal(trm__json_integer(trm__json_get(trm__json_item(list, 1), "steps")), 5);
  trm__json_free(v);
  is_status(ask(&shared, GET("/metrics", "")), 200);
  says(heard, "trm_puzzles_solved_total{model=\"four\"} ");
  says(heard, "trm_puzzle_duration_seconds_bucket{model=\"six\",le=\"+Inf\"} ");
  says(heard, "trm_http_requests_total{route=\"/v1/models\",code=\"200\"} 1\n");

  /* Every answer has what browsers must know. */
  is_status(ask(&shared, GET("/health", "")), 200);
  says(heard, "X-Content-Type-Options: nosniff");
  says(heard, "Content-Security-Policy: default-src 'none'");
  is_status(ask(&shared, GET("/../etc/passwd", "")), 404);
  says(heard, "X-Content-Type-Options: nosniff");
}

/* The page's files are answered without a key, as what they are, and not again to who has them. */
static void serves_the_page(void **state) {
  (void)state;
  static const struct {
    const char *path, *type;
  } files[] = {{"/", "text/html"}, {"/main.js", "text/javascript"}, {"/page.css", "text/css"}};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    char request[300], type[60], tag[60];
    snprintf(request, sizeof request,
             "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", files[i].path);
    is_status(ask(&shared, request), 200);
    snprintf(type, sizeof type, "Content-Type: %s", files[i].type);
    assert_non_null(strstr(heard, type));
    assert_non_null(strstr(heard, "script-src 'self'"));
    const char *etag = strstr(heard, "ETag: ");
    assert_non_null(etag);
    assert_int_equal(sscanf(etag, "ETag: %59[^\r]", tag), 1);
    snprintf(request, sizeof request,
             "GET %s HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: %s\r\nConnection: close\r\n\r\n",
             files[i].path, tag);
    is_status(ask(&shared, request), 304);
    assert_int_equal(strlen(body()), 0);
  }
  is_status(ask(&shared, GET("/../page/main.js", "")), 404);
  is_status(ask(&shared, GET("/v1/main.js", "")), 404);
}

/* What /openapi.json says of paths and answers is so. */
static void describes_itself(void **state) {
  (void)state;
  is_status(ask(&shared, GET("/openapi.json", "")), 200);
  trm__json *api = json_of(body());
  const trm__json *paths = trm__json_get(api, "paths");
  assert_int_equal(trm__json_n_members(paths), 11);
  for (size_t i = 0; i < 11; i++) {
    char request[200];
    const char *path = trm__json_key(paths, i);
    const bool get = trm__json_get(trm__json_get(paths, path), "get");
    snprintf(request, sizeof request,
             "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
    const bool of_runs = !strncmp(path, "/v1/runs", 8); /* which this server watches none of */
    is_status(ask(&shared, request), of_runs ? 404 : get ? 200 : 405);
    if (of_runs) says(heard, "without --run FOLDER");
  }

  is_status(ask_post(&shared, "/v1/solve", "",
                     "{\"puzzle\": \"" FOUR "\", \"confidence\": true, \"latents\": true}"),
            200);
  trm__json *v = json_of(body());
  is_described(api, "Answer", v, 10);
  trm__json_free(v);
  is_status(ask(&shared, GET("/v1/models", "")), 200);
  v = json_of(body());
  is_described(api, "Models", v, 2);
  is_described(api, "Model", trm__json_item(trm__json_get(v, "data"), 0), 14);
  trm__json_free(v);
  trm__json_free(api);
}

/* Each is a puzzle of a model that is here. */
static void has_examples(void **state) {
  (void)state;
  is_status(ask(&shared, GET("/v1/examples", "")), 200);
  trm__json *v = json_of(body());
  const trm__json *list = trm__json_get(v, "examples");
  assert_int_equal(trm__json_n_items(list), 6);
  for (size_t i = 0; i < 6; i++) {
    const trm__json *one = trm__json_item(list, i);
    char request[200], model[40];
    snprintf(model, sizeof model, "\"model\":\"%s\"", trm__json_text(trm__json_get(one, "model")));
    snprintf(request, sizeof request, "{\"puzzle\": \"%s\"}",
             trm__json_text(trm__json_get(one, "puzzle")));
    is_status(ask_post(&shared, "/v1/solve", "", request), 200);
    says(heard, model);
  }
  trm__json_free(v);
}

/* ---- refusals ---- */

static void refuses_bodies(void **state) {
  (void)state;
  static const struct {
    const char *path, *body, *says;
  } cases[] = {
      {"/v1/solve", "", "line 1"},
      {"/v1/solve", "{\"puzzle\"", "line 1, column 10"},
      {"/v1/solve", "[]", "want an object"},
      {"/v1/solve", "{}", "\\\"puzzle\\\" is missing"},
      {"/v1/solve", "{\"puzle\": 1}", "\\\"puzzle\\\" is"},
      {"/v1/solve", "{\"puzzle\": 7, \"model\": \"four\"}", "want a text or an array of rows"},
      {"/v1/solve", "{\"puzzle\": \"12\", \"model\": \"four\"}", "16 characters"},
      {"/v1/solve", "{\"puzzle\": \"11..............\"}", "column 2"},
      {"/v1/solve", "{\"puzzle\": [[1,2,3,4],[5]], \"model\": \"four\"}", "row 2, column 1"},
      {"/v1/solve", "{\"puzzle\": [[2147483647]], \"model\": \"four\"}", "row 1, column 1"},
      {"/v1/solve", "{\"puzzle\": \"" FOUR "\", \"model\": \"for\"}", "such as \\\"four\\\""},
      {"/v1/solve", "{\"puzzle\": \"" FOUR "\", \"steps\": 1025}", "from 0 to 1024"},
      {"/v1/solve", "{\"puzzle\": \"" FOUR "\", \"halt\": \"now\"}", "\\\"twice\\\""},
      {"/v1/solve", "{\"puzzle\": \"" FOUR "\", \"puzzle_id\": 3}", "ids below 3"},
      {"/v1/solve", "{\"puzzle\": \"" FOUR "\", \"stream\": 1}", "true or false"},
      {"/v1/batch", "{\"puzzles\": []}", "want 1 to 1024"},
      {"/v1/batch", "{\"puzzles\": [\"" FOUR "\"], \"stream\": true}", "is not known here"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    is_status(ask_post(&shared, cases[i].path, "", cases[i].body), 400);
    says(heard, cases[i].says);
  }

  /* Too large, by what it says or by what it is; and the connection is not kept. */
  char *large = malloc((1 << 20) + 2);
  assert_non_null(large);
  memset(large, ' ', (1 << 20) + 1);
  large[(1 << 20) + 1] = 0;
  is_status(ask_post(&shared, "/v1/solve", "", large), 413);
  is_status(ask(&shared,
                "POST /v1/solve HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
                "99999999999999999999\r\n\r\n"),
            413);
  const int fd = dial(&shared);
  put(fd,
      "POST /v1/solve HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
      "Transfer-Encoding: chunked\r\n\r\n100001\r\n");
  put(fd, large);
  put(fd, "\r\n0\r\n\r\n");
  *heard = 0;
  (void)hear(fd, heard, sizeof heard, NULL);
  says(heard, "HTTP/1.1 413 ");
  close(fd);
  free(large);
}

/* Where the body ends must be said once: else a proxy may read other requests than the server. */
static void wants_one_length(void **state) {
  (void)state;
  static const char *const headers[] = {
      "Content-Length: 0\r\nContent-Length: 0\r\n",
      "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
      "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
      "Transfer-Encoding: gzip, chunked\r\n",
      "Transfer-Encoding: identity\r\n",
      "Content-Length : 0\r\n",
      "Content-Length\t: 0\r\n",
      "content-length:\r\n 0\r\n",
      "Transfer-Encoding : chunked\r\n",
      "Transfer-Encoding:\r\n chunked\r\n",
  };
  for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
    char request[400];
    snprintf(request, sizeof request, "POST /v1/solve HTTP/1.1\r\nHost: localhost\r\n%s\r\n%s",
             headers[i], strstr(headers[i], "chunked") ? "0\r\n\r\n" : "");
    is_status(ask(&shared, request), 400); /* and the connection ends */
    says(heard, "where the body ends");
  }

  /* Nor is a path cut by a zero. */
  is_status(ask(&shared, GET("/v1/models%00", "")), 404);
}

static void refuses_strangers(void **state) {
  (void)state;
  static const struct {
    const char *host;
    int status;
  } hosts[] = {{"localhost", 200},
               {"LOCALHOST:80", 200},
               {"127.0.0.1:8080", 200},
               {"[::1]:8080", 200},
               {"evil.example", 421},
               {"localhost.evil.example", 421},
               {"127.0.0.1.nip.io", 421},
               {"", 421},
               {"localhost:8080x", 421},
               {"user@localhost", 421},
               {"[::1", 421},
               {"evil.example:80:80", 421}};
  for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
    char request[200];
    snprintf(request, sizeof request,
             "GET /v1/models HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", hosts[i].host);
    is_status(ask(&shared, request), hosts[i].status);
  }
  is_status(ask(&shared, GET("/v1/models", "Host: evil.example\r\n")), 421);

  /* Pages of others. */
  is_status(ask_post(&shared, "/v1/solve", "Origin: http://evil.example\r\n", SOLVE4), 403);
  is_status(ask_post(&shared, "/v1/solve", "Origin: null\r\n", SOLVE4), 403);
  is_status(ask_post(&shared, "/v1/solve", "Origin: http://localhost\r\n", SOLVE4), 200);

  /* Methods and paths that there are not. */
  is_status(ask(&shared, GET("/v1/solve", "")), 405);
  says(heard, "Allow: POST");
  is_status(ask_post(&shared, "/v1/models", "", ""), 405);
  says(heard, "Allow: GET, HEAD");
  is_status(ask(&shared, GET("/v1/models/", "")), 404);
}

/* Without the right key nothing is told but that the server is there. */
static void wants_keys(void **state) {
  scratch *s = *state;
  char keys[200];
  snprintf(keys, sizeof keys, "%s/keys", s->dir);
  server v = open_server(s, ARGS("--api-key-file", keys));
  is_status(ask(&v, GET("/health", "")), 200);
  is_status(ask(&v, GET("/v1/models", "")), 401);
  says(heard, "WWW-Authenticate: Bearer");
  is_status(ask(&v, GET("/nothing", "")), 401);
  is_status(ask(&v, GET("/metrics", "Authorization: Bearer 0123456789abcdef0123456789abcdef\r\n")),
            404);
  static const struct {
    const char *header;
    int status;
  } cases[] = {{"Bearer 0123456789abcdef0123456789abcdef", 200},
               {"bearer  0123456789abcdef0123456789abcdef", 200},
               {"Bearer 0123456789abcdef0123456789abcdee", 401},
               {"Bearer 0123456789abcdef0123456789abcde", 401},
               {"Bearer 0123456789abcdef0123456789abcdeff", 401},
               {"Bearer ", 401},
               {"Bearer", 401},
               {"0123456789abcdef0123456789abcdef", 401},
               {"Basic 0123456789abcdef0123456789abcdef", 401}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char header[200];
    snprintf(header, sizeof header, "Authorization: %s\r\n", cases[i].header);
    is_status(ask_post(&v, "/v1/solve", header, SOLVE4), cases[i].status);
  }
  want(close_server(&v), 0);

  /* What is no file of keys is told at once. */
  write_bytes(keys, "# none\n\n", 8);
  want(RUN("serve", "--port", "0", "--api-key-file", keys), 2);
  says(err_text, "has no key");
  write_bytes(keys, "\nshort\n", 7);
  want(RUN("serve", "--port", "0", "--api-key-file", keys), 3);
  says(err_text, ":2: want a key of 16 to 127 characters");
}

static void listens_where_it_may(void **state) {
  scratch *s = *state;
  char port[16];
  want(RUN("serve", "--host", "0.0.0.0", "--port", "0"), 2);
  says(err_text, "want --api-key-file");
  want(RUN("serve", "--host", "::", "--port", "0"), 2);
  snprintf(port, sizeof port, "%d", shared.port);
  want(RUN("serve", "--port", port), 1);
  says(err_text, "--port takes another");
  want(RUN("serve", "--port", "65536"), 2);
  want(RUN("serve", "four", "--port", "0"), 1); /* no model of that name here */
  char six[200];
  snprintf(six, sizeof six, "%s/six.safetensors", s->dir);
  want(RUN("serve", six, six, "--port", "0"), 2);
  says(err_text, "two models are called six");
}

/* Without a MODEL all that have a name are served, and what is none is left out with a word. */
static void serves_named(void **state) {
  scratch *s = *state;
  write_bytes(scratch_path(s, "broken.safetensors"), "no model", 8);
  setenv("TRM_MODELS", s->dir, 1);
  server v = open_any(s, ARGS("serve", "--port", "0", "--threads", "1"));
  unsetenv("TRM_MODELS");
  is_status(ask(&v, GET("/v1/models", "")), 200);
  says(heard, "\"id\":\"four\"");
  says(heard, "\"id\":\"six\"");
  is_status(ask_post(&v, "/v1/solve", "", SOLVE4), 200);
  want(close_server(&v), 0);
  says(err_text, "broken is left out: ");
  assert_int_equal(remove(scratch_path(s, "broken.safetensors")), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(solves),
      cmocka_unit_test(solves_batches),
      cmocka_unit_test(streams),
      cmocka_unit_test(tells_latents),
      cmocka_unit_test(keeps_connections),
      cmocka_unit_test(tells_of_itself),
      cmocka_unit_test(describes_itself),
      cmocka_unit_test(serves_the_page),
      cmocka_unit_test(has_examples),
      cmocka_unit_test(refuses_bodies),
      cmocka_unit_test(wants_one_length),
      cmocka_unit_test(refuses_strangers),
      cmocka_unit_test(wants_keys),
      cmocka_unit_test(listens_where_it_may),
      cmocka_unit_test(serves_named),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
