/* trm serve: models answer puzzles over HTTP. */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/serve/http.h"
#include "cli/serve/listen.h"
#include "cli/serve/served_models.h"

static const cli_manual manual = {
    "trm serve [MODEL ...] [options]",
    "Answers puzzles over HTTP. Each MODEL is what trm solve takes; without any all that `trm\n"
    "models` lists are served, and each is called by the last part of its name. The address is\n"
    "printed when the server listens, and Ctrl-C or SIGTERM ends it: what is under way has 3\n"
    "seconds.\n"
    "Puzzles of all clients go side by side in the rows of one queue for each model; clients take\n"
    "turns, and where more puzzles wait than --queue the next one is answered by 429 with a time\n"
    "to come again. A client that leaves frees its rows.\n"
    "  POST /v1/solve   {\"puzzle\": TEXT or ROWS, \"model\": NAME, \"steps\": N, \"halt\": "
    "\"q\",\n"
    "                   \"halt_margin\": LOGIT, \"confidence\": true, \"stream\": true}\n"
    "  POST /v1/batch   the same with \"puzzles\": [...], without \"stream\"\n"
    "  GET  /           a page to watch puzzles being solved, for a browser\n"
    "  GET  /v1/models  /v1/examples  /openapi.json  /health  /metrics\n"
    "With --run a page shows trainings while they go on: their curves, when they will be done, "
    "and\n"
    "what the newest checkpoint makes of a few puzzles. The address is that of this page then.\n"
    "  GET  /runs.html  /v1/runs  /v1/runs/curve?key=KEY  /v1/runs/puzzles?run=ID\n"
    "Who is not told otherwise listens on 127.0.0.1, for this machine alone. An address that\n"
    "others can reach wants --api-key-file; keys and puzzles are not encrypted on their way, "
    "which\n"
    "is for a proxy with TLS. docs/SERVE.md has the whole interface, by example.\n",
    "Examples:\n"
    "  trm serve\n"
    "  trm serve sudoku9 runs/Maze10-trm/first --port 9000\n"
    "  trm serve --run runs\n"
    "  curl -d '{\"puzzle\": \".3.5...4.......4..62...3.....21.....\"}' \\\n"
    "      http://127.0.0.1:8080/v1/solve\n"
    "  trm serve --host 0.0.0.0 --api-key-file keys.txt --metrics\n"};

enum {
  GRACE = 3,       /* seconds that what is under way has when the server is to stop, */
  LAST = 1,        /* and those that its clients have to read the answers */
  TICK = 50,       /* milliseconds between two looks at the connections */
  SPARE_FILES = 64 /* descriptors beside those of the connections */
};

typedef struct serve_args {
  const char *host, *key_file, *server_names, *run;
  int port, threads, timeout, parallel, queue;
  bool metrics;
} serve_args;

/* All that is to be released. */
typedef struct serve_run {
  serve_server server;
  serve_http *http;
  served_models models;
  int fd;
} serve_run;

/* ---- models ---- */

/* Each has a worker of its own. */
static trm_status load_models(serve_run *r, const serve_args *a, int n, char **words,
                              trm_error *err) {
  serve_server *s = &r->server;
  CLI_TRY(served_models_load(&r->models, n, words, err));
  const size_t count = (size_t)r->models.n;
  s->workers = calloc(count, sizeof *s->workers);
  s->names = calloc(count, sizeof *s->names);
  if (!s->workers || !s->names)
    return cli_fail(err, TRM_E_MEMORY, -1, "no memory for %zu models", count);
  s->models = r->models.v;
  s->n_models = r->models.n;

  const serve_worker_config config = {
      .rows = a->parallel, .waiting = a->queue, .threads = a->threads};
  for (int i = 0; i < s->n_models; i++) {
    s->names[i] = s->models[i].name;
    CLI_TRY(serve_worker_create(&s->models[i], r->models.owned[i], &config, &s->workers[i], err));
  }
  return TRM_OK;
}

/* ---- its life ---- */

/* As many files as connections want, where the system lets it. */
static void raise_file_limit(void) {
  struct rlimit limit;
  const rlim_t want = SERVE_CONNECTIONS + SPARE_FILES;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= want) return;
  limit.rlim_cur = limit.rlim_max < want ? limit.rlim_max : want;
  (void)setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < want)
    cli_warn("there may be %d connections at most, not %d: the limit of open files (ulimit -n)",
             (int)limit.rlim_cur - SPARE_FILES, SERVE_CONNECTIONS);
}

static trm_status load_keys(serve_server *s, const char *path, trm_error *err) {
  struct stat info;
  CLI_TRY(guard_load_keys(&s->guard, path, err));
  if (stat(path, &info) == 0 && (info.st_mode & (S_IRGRP | S_IROTH)))
    cli_warn("%s: other users can read the keys; chmod 600 keeps them out", path);
  return TRM_OK;
}

static void tick(void) {
  const struct timespec t = {0, TICK * 1000000L};
  nanosleep(&t, NULL);
}

/* Stops in the order of the work: nobody comes, what waits ends, what runs is given its time, what
 * is answered is sent. */
static void stop(serve_run *r, const serve_args *a) {
  serve_server *s = &r->server;
  const double deadline = cli_now() + GRACE;
  atomic_store(&s->stopping, true);
  if (r->http) serve_http_quiesce(r->http);
  for (int i = 0; i < s->n_models; i++)
    if (s->workers[i]) serve_worker_stop(s->workers[i], deadline);
  for (int i = 0; i < s->n_models; i++)
    if (s->workers[i]) serve_worker_join(s->workers[i]);
  const double last = cli_now() + LAST;
  while (s->began > 0 && serve_connections_watch(&s->connections, a->timeout) && cli_now() < last)
    tick();
}

static trm_status serve(serve_run *r, const serve_args *a, int n, char **words, trm_error *err) {
  serve_server *s = &r->server;
  char url[LISTEN_URL];

  /* What can be wrong without a model comes before the models. */
  CLI_TRY(serve_http_create(s, &r->http, err));
  if (a->key_file) CLI_TRY(load_keys(s, a->key_file, err));
  if (a->server_names) CLI_TRY(guard_add_names(&s->guard, a->server_names, err));
  raise_file_limit();
  CLI_TRY(serve_listen(a->host, a->port, s->guard.n_keys > 0, &r->fd, url, err));
  CLI_TRY(serve_connections_create(&s->connections, SERVE_CONNECTIONS, err));
  if (a->run) CLI_TRY(serve_runs_create(a->run, &s->runs, err));
  CLI_TRY(load_models(r, a, n, words, err));

  /* From here on there are answers. */
  s->metrics = a->metrics;
  s->waiting = a->queue;
  s->began = cli_now();
  CLI_TRY(serve_http_start(r->http, r->fd, err));
  printf("%s%s\n", url, s->runs ? "/runs.html" : "");
  fflush(stdout);
  while (!cli_interrupted()) {
    tick();
    (void)serve_connections_watch(&s->connections, a->timeout);
  }
  cli_note("stopping");
  return TRM_OK;
}

static void release(serve_run *r) {
  serve_server *s = &r->server;
  serve_http_free(r->http);
  serve_runs_free(s->runs);
  if (r->fd >= 0) close(r->fd);
  for (int i = 0; i < s->n_models; i++) serve_worker_free(s->workers[i]);
  served_models_free(&r->models);
  serve_connections_free(&s->connections);
  guard_free(&s->guard);
  free(s->workers);
  free(s->names);
  free(r);
}

int cmd_serve(int argc, char **argv) {
  serve_args a = {.host = "127.0.0.1", .port = 8080, .timeout = 30, .parallel = 32, .queue = 1024};
  const cli_option options[] = {
      {"host", CLI_STRING, &a.host, "ADDRESS", "where to listen (default 127.0.0.1)"},
      {"port", CLI_INT, &a.port, "N", "on which port (default 8080; 0: one that is free)"},
      {"api-key-file", CLI_STRING, &a.key_file, "FILE",
       "keys, one a line, of which clients need one"},
      {"server-names", CLI_NAMES, &a.server_names, "NAMES",
       "by which it may be called beside localhost and addresses, separated by commas"},
      {"run", CLI_STRING, &a.run, "FOLDER",
       "show the trainings in a folder, or a single one, as they go on"},
      {"threads", CLI_INT, &a.threads, "T", "of each model (0: as many as the process may use)"},
      {"parallel", CLI_SIZE, &a.parallel, "N", "puzzles of a model side by side (default 32)"},
      {"queue", CLI_SIZE, &a.queue, "N", "puzzles of a model that may wait (default 1024)"},
      {"timeout", CLI_SIZE, &a.timeout, "S",
       "seconds to send a request in, and to read an answer (default 30)"},
      {"metrics", CLI_FLAG, &a.metrics, NULL, "answer GET /metrics, for Prometheus"},
      {NULL, CLI_FLAG, NULL, NULL, NULL}};
  int code;
  trm_error err = {0};
  if (!cli_options_parse(&manual, options, &argc, argv, &code)) return code;
  if (a.port > 65535) return cli_usage_error("--port: want 0 to 65535, got %d", a.port);

  serve_run *r = calloc(1, sizeof *r);
  if (!r) {
    cli_fail(&err, TRM_E_MEMORY, -1, "no memory for a server");
    return cli_report_error(&err);
  }
  r->fd = -1;
  const trm_status st = serve(r, &a, argc, argv, &err);
  stop(r, &a);
  release(r);
  return cli_finish(st == TRM_OK ? CLI_OK : cli_report_error(&err));
}
