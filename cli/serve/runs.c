/* See runs.h. */
#include "cli/serve/runs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/folder.h"
#include "base/memory.h"
#include "cli/serve/run_curves.h"
#include "cli/serve/run_puzzles.h"

enum {
  FOUND_MOST = 4096, /* folders that are looked at */
  SLICE = 1 << 20,   /* bytes of a log that are read before another run has its turn */
  PROBLEM = 400
};
static const double often = 1, seldom = 2; /* seconds between two looks at a run that is trained, or
                                              at another, and for runs that are new */

typedef struct watched {
  int64_t id;   /* never another's */
  char *folder; /* of malloc; fixed, as is the id */
  char name[200];

  /* Of the thread that reads: */
  trm_run_follower *follower; /* NULL: it could not be opened yet */
  double looked;              /* when; 0: never */
  bool found;
  int64_t most_left; /* of bytes of its log that were to be read */

  /* Under the lock: */
  trm_run_summary summary;
  run_curves curves;
  int64_t revision; /* grows with each change of the curves */
  double read;      /* the share of the log that was read */
  double rate;      /* samples in a second, as its newest line has it; 0: none yet */
  double noted;     /* when that line was read */
  int batch;
  char state[32], message[300], host[100], device[32], started[40];
  char *from;             /* the folder that it was started in; of malloc; NULL: not known yet */
  char problem[PROBLEM];  /* why it cannot be read; "": it can */
  int64_t tried, solved;  /* the newest checkpoint, and that of the puzzles; 0: none */
  char *puzzles;          /* of trm__alloc, as run_puzzles_solve writes them; NULL: none */
  char unsolved[PROBLEM]; /* why there are none */
} watched;

struct serve_runs {
  char *folder;
  pthread_t reader, solver;
  bool reads, solves; /* these threads are there */
  atomic_bool stop;

  pthread_mutex_t lock;
  pthread_cond_t change; /* of `stop` */
  watched *run[RUNS_MOST];
  int n;
  int64_t next_id, beyond; /* beyond: found and not watched */
  char problem[PROBLEM];   /* of the folder */
};

/* ---- runs come and go ---- */

static void free_watched(watched *w) {
  if (!w) return;
  trm_run_follower_free(w->follower);
  run_curves_clear(&w->curves);
  trm__free(w->puzzles);
  free(w->from);
  free(w->folder);
  free(w);
}

/* What of a path is below the folder; of the folder itself its last part. */
static void name_run(const char *root, const char *folder, char name[200]) {
  size_t n = strlen(root);
  while (n > 1 && root[n - 1] == '/') n--;
  const char *last = strrchr(folder, '/');
  const char *below = strncmp(folder, root, n) ? folder : folder + n + (folder[n] == '/');
  (void)cli_clean(name, 200, *below ? below : last ? last + 1 : folder);
}

static watched *new_watched(serve_runs *r, const char *folder) {
  watched *w = calloc(1, sizeof *w);
  if (w) w->folder = strdup(folder);
  if (!w || !w->folder) {
    free(w);
    return NULL;
  }
  w->id = r->next_id++;
  w->summary.best_exact = w->summary.last_exact = -1; /* nothing was read yet */
  name_run(r->folder, folder, w->name);
  return w;
}

/* A folder that was found, and when its run was last written to. */
typedef struct found {
  char *folder;
  time_t written;
  bool trained; /* now */
  int known;    /* its place among those that are watched; -1: none */
} found;
typedef struct finding {
  serve_runs *r;
  found *v; /* [FOUND_MOST] */
  int n;
} finding;

static bool take_folder(void *arg, const char *folder) {
  finding *f = arg;
  char path[TRM__PATH_MAX];
  struct stat info = {0};
  found *one = &f->v[f->n];
  snprintf(path, sizeof path, "%s/log.jsonl", folder);
  *one = (found){.folder = strdup(folder), .known = -1};
  if (!one->folder) return false;
  if (stat(path, &info) == 0) one->written = info.st_mtime;
  for (int i = 0; i < f->r->n; i++)
    if (!strcmp(f->r->run[i]->folder, folder)) one->known = i;
  return ++f->n < FOUND_MOST && !atomic_load(&f->r->stop);
}

/* Those that are trained now come first, then those that were written last, then by their paths. */
static int by_news(const void *a, const void *b) {
  const found *x = a, *y = b;
  if (x->trained != y->trained) return x->trained ? -1 : 1;
  if (x->written != y->written) return x->written < y->written ? 1 : -1;
  return strcmp(x->folder, y->folder);
}

static int by_path(const void *a, const void *b) {
  return strcmp(((const found *)a)->folder, ((const found *)b)->folder);
}

/* Those that are watched become those that were found. */
static void settle(serve_runs *r, finding *f) {
  watched *kept[RUNS_MOST], *gone[RUNS_MOST];
  int n = 0, n_gone = 0;
  for (int i = 0; i < f->n; i++)
    f->v[i].trained = f->v[i].known >= 0 && r->run[f->v[i].known]->summary.stage == TRM_RUN_RUNNING;
  qsort(f->v, (size_t)f->n, sizeof *f->v, by_news);
  qsort(f->v, (size_t)(f->n < RUNS_MOST ? f->n : RUNS_MOST), sizeof *f->v, by_path);
  for (int i = 0; i < r->n; i++) r->run[i]->found = false;
  for (int i = 0; i < f->n && n < RUNS_MOST; i++) {
    watched *w = f->v[i].known < 0 ? new_watched(r, f->v[i].folder) : r->run[f->v[i].known];
    if (!w) break;
    w->found = true;
    kept[n++] = w;
  }

  /* In the order of their ids, in which they were found. */
  pthread_mutex_lock(&r->lock);
  for (int i = 0; i < r->n; i++)
    if (!r->run[i]->found) gone[n_gone++] = r->run[i];
  for (int i = 0; i < n; i++) {
    int at = i;
    for (; at > 0 && r->run[at - 1]->id > kept[i]->id; at--) r->run[at] = r->run[at - 1];
    r->run[at] = kept[i];
  }
  r->n = n;
  r->beyond = f->n - n;
  pthread_mutex_unlock(&r->lock);
  for (int i = 0; i < n_gone; i++) free_watched(gone[i]);
}

static void find_runs(serve_runs *r) {
  const char *const folders[] = {r->folder};
  trm_error err = {0};
  finding f = {.r = r, .v = calloc(FOUND_MOST, sizeof *f.v)};
  const trm_status st =
      f.v ? trm_runs_look(folders, 1, NULL, take_folder, &f, &err)
          : cli_fail(&err, TRM_E_MEMORY, -1, "no memory to look for runs in %.200s", r->folder);
  if (st == TRM_OK && !atomic_load(&r->stop)) settle(r, &f);
  pthread_mutex_lock(&r->lock);
  (void)cli_clean(r->problem, sizeof r->problem, st == TRM_OK ? "" : err.msg);
  pthread_mutex_unlock(&r->lock);
  for (int i = 0; i < f.n; i++) free(f.v[i].folder);
  free(f.v);
}

/* ---- what their logs say ---- */

/* A figure, for trm_run_follower_read. */
typedef struct taking {
  serve_runs *r;
  watched *w;
  bool any;
} taking;

static void take_figure(void *arg, const char *key, const trm_run_point *point) {
  taking *t = arg;
  watched *w = t->w;
  t->any = true;
  pthread_mutex_lock(&t->r->lock);
  if (!key) {
    run_curves_clear(&w->curves);
    w->rate = 0;
  } else if (!strcmp(key, "samples_per_s")) {
    w->rate = point->value;
    w->noted = cli_now();
  } else {
    run_curves_add(&w->curves, key, point);
  }
  pthread_mutex_unlock(&t->r->lock);
}

/* What is shown of a record, under the lock. */
static void show_record(watched *w, const trm_run_record *record) {
  static const struct {
    const char *member;
    size_t at, size;
    bool of_end;
  } texts[] = {
      {"state", offsetof(watched, state), sizeof w->state, true},
      {"message", offsetof(watched, message), sizeof w->message, true},
      {"host", offsetof(watched, host), sizeof w->host, false},
      {"device", offsetof(watched, device), sizeof w->device, false},
      {"date", offsetof(watched, started), sizeof w->started, false},
  };
  char text[TRM__PATH_MAX];
  w->summary = *trm_run_record_summary(record);
  w->batch = trm_run_config_trainer(trm_run_record_config(record))->batch_size;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    (texts[i].of_end ? trm_run_record_end : trm_run_record_text)(record, texts[i].member, text,
                                                                 sizeof text);
    (void)cli_clean((char *)w + texts[i].at, texts[i].size, text);
  }
  trm_run_record_text(record, "folder", text, sizeof text);
  if (w->from && !strcmp(w->from, text)) return;
  free(w->from);
  w->from = strdup(text);
}

/* The next part of a run's log; true: there is more of it. */
static bool read_run(serve_runs *r, watched *w) {
  taking t = {r, w, false};
  trm_error err = {0};
  int64_t left = 0;
  trm_status st = TRM_OK;
  if (!w->follower) st = trm_run_follow(w->folder, &w->follower, &err);
  if (st == TRM_OK) st = trm_run_follower_read(w->follower, SLICE, take_figure, &t, &left, &err);
  if (left > w->most_left) w->most_left = left;
  w->looked = cli_now();

  pthread_mutex_lock(&r->lock);
  (void)cli_clean(w->problem, sizeof w->problem, st == TRM_OK ? "" : err.msg);
  if (st == TRM_OK) show_record(w, trm_run_follower_record(w->follower));
  w->read = left ? 1 - (double)left / ((double)w->most_left + SLICE) : 1;
  w->revision += t.any;
  pthread_mutex_unlock(&r->lock);
  return left > 0;
}

/* Until all that is due was read; false: there is more. */
static bool read_runs(serve_runs *r) {
  bool all = true;
  for (int i = 0; i < r->n && !atomic_load(&r->stop); i++) {
    watched *w = r->run[i];
    const bool busy = w->summary.stage == TRM_RUN_RUNNING || w->read < 1;
    if (w->looked == 0 || cli_now() - w->looked > (busy ? often : seldom) - 0.1 || w->read < 1)
      all = !read_run(r, w) && all;
  }
  return all;
}

/* Waits for so long, or until the end is asked for. */
static void wait_for(serve_runs *r, double seconds) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  const int64_t ns = until.tv_nsec + (int64_t)(seconds * 1e9);
  until.tv_sec += ns / 1000000000;
  until.tv_nsec = ns % 1000000000;
  pthread_mutex_lock(&r->lock);
  while (!atomic_load(&r->stop) &&
         pthread_cond_timedwait(&r->change, &r->lock, &until) != ETIMEDOUT) {
  }
  pthread_mutex_unlock(&r->lock);
}

/* A large tree is looked through for a twentieth of the time at most. */
static void *read_all(void *arg) {
  serve_runs *r = arg;
  double due = 0;
  while (!atomic_load(&r->stop)) {
    if (cli_now() >= due) {
      const double began = cli_now();
      find_runs(r);
      due = cli_now() + fmax(seldom, 20 * (cli_now() - began));
    }
    if (read_runs(r)) wait_for(r, often);
  }
  return NULL;
}

/* ---- what they solve ---- */

/* What the thread needs to know of a run, which may go meanwhile. */
typedef struct task {
  int64_t id, tried;
  char folder[TRM__PATH_MAX], from[TRM__PATH_MAX];
} task;

static watched *find_id(serve_runs *r, int64_t id) {
  for (int i = 0; i < r->n; i++)
    if (r->run[i]->id == id) return r->run[i];
  return NULL;
}

/* The run with the least id from `id` on whose record was read; false: there is none. */
static bool next_task(serve_runs *r, int64_t id, task *t) {
  bool there = false;
  pthread_mutex_lock(&r->lock);
  for (int i = 0; i < r->n && !there; i++) {
    const watched *w = r->run[i];
    there = w->id >= id && w->from;
    if (!there) continue;
    t->id = w->id;
    t->tried = w->tried;
    snprintf(t->folder, sizeof t->folder, "%s", w->folder);
    snprintf(t->from, sizeof t->from, "%s", w->from);
  }
  pthread_mutex_unlock(&r->lock);
  return there;
}

/* A checkpoint that another one has replaced meanwhile is no problem: the next look finds that. */
static void solve_newest(serve_runs *r, const task *t) {
  trm_run_state state = {0};
  trm_error err = {0};
  char *puzzles = NULL;
  trm_status st = trm_run_look(t->folder, NULL, &state, &err);
  if (st == TRM_OK && state.update == t->tried) return;
  if (st == TRM_OK && state.update > 0)
    st = run_puzzles_solve(t->folder, t->from, state.update, &r->stop, &puzzles, &err);
  if (st == TRM_E_INTERRUPTED) return;

  pthread_mutex_lock(&r->lock);
  watched *w = find_id(r, t->id);
  if (w) {
    (void)cli_clean(w->unsolved, sizeof w->unsolved, st == TRM_OK ? "" : err.msg);
    w->tried = state.update;
    if (st == TRM_OK) {
      w->solved = state.update;
      char *before = w->puzzles;
      w->puzzles = puzzles;
      puzzles = before;
    }
  }
  pthread_mutex_unlock(&r->lock);
  trm__free(puzzles);
}

static void *solve_all(void *arg) {
  serve_runs *r = arg;
  task *t = calloc(1, sizeof *t);
  while (t && !atomic_load(&r->stop)) {
    for (int64_t id = 0; !atomic_load(&r->stop) && next_task(r, id, t); id = t->id + 1)
      solve_newest(r, t);
    wait_for(r, often);
  }
  free(t);
  return NULL;
}

/* ---- what is told ---- */

static char *finish(trm__json_out *o) {
  char *text;
  return trm__json_finish(o, "runs", &text, NULL) == TRM_OK ? text : NULL;
}

static void put_if(trm__json_out *o, const char *key, bool known, double v) {
  if (known && isfinite(v))
    trm__json_put_real(o, key, v);
  else
    trm__json_put_null(o, key);
}

static void put_words(trm__json_out *o, const char *key, const char *text) {
  if (*text)
    trm__json_put_text(o, key, text);
  else
    trm__json_put_null(o, key);
}

static void put_run(trm__json_out *o, const watched *w) {
  const trm_run_summary *s = &w->summary;
  const double rate = w->batch > 0 ? w->rate / w->batch : 0;
  const bool goes_on = s->stage == TRM_RUN_RUNNING && rate > 0;
  const double left = (double)(s->end - s->updates) / rate - (cli_now() - w->noted);
  trm__json_open(o, NULL, '{');
  trm__json_put_int(o, "id", w->id);
  trm__json_put_text(o, "name", w->name);
  trm__json_put_text(o, "stage", trm_run_stage_name(s->stage));
  put_words(o, "state", w->state);
  put_words(o, "message", w->message);
  put_words(o, "problem", w->problem);

  /* How far it is. */
  trm__json_put_int(o, "updates", s->updates);
  trm__json_put_int(o, "end", s->end);
  put_if(o, "rate", goes_on, rate);
  put_if(o, "eta", goes_on && s->end >= s->updates, fmax(0, left));
  trm__json_put_real(o, "seconds", s->seconds);
  trm__json_put_real(o, "read", w->read);
  trm__json_put_int(o, "revision", w->revision);

  /* What it reached, and what it is. */
  put_if(o, "best_exact", s->best_exact >= 0, s->best_exact);
  trm__json_put_int(o, "best_update", s->best_update);
  put_if(o, "last_exact", s->last_exact >= 0, s->last_exact);
  trm__json_put_int(o, "last_update", s->last_update);
  trm__json_put_int(o, "examples", s->examples);
  trm__json_put_uint(o, "seed", s->seed);
  put_words(o, "host", w->host);
  put_words(o, "device", w->device);
  put_words(o, "started", w->started);
  trm__json_put_int(o, "checkpoint", w->puzzles ? w->solved : 0);
  trm__json_close(o);
}

/* Each key once, in the order in which runs have them. */
static void put_keys(trm__json_out *o, const serve_runs *r) {
  trm__json_open(o, "keys", '[');
  for (int i = 0; i < r->n; i++)
    for (int k = 0; k < r->run[i]->curves.n; k++) {
      const char *key = r->run[i]->curves.curve[k]->key;
      bool before = false;
      for (int j = 0; j < i && !before; j++)
        before = run_curves_find(&r->run[j]->curves, key) != NULL;
      if (!before) trm__json_put_text(o, NULL, key);
    }
  trm__json_close(o);
}

char *serve_runs_json(serve_runs *r) {
  trm__json_out o = trm__json_begin(TRM__JSON_COMPACT);
  trm__json_open(&o, NULL, '{');
  pthread_mutex_lock(&r->lock);
  trm__json_open(&o, "runs", '[');
  for (int i = 0; i < r->n; i++) put_run(&o, r->run[i]);
  trm__json_close(&o);
  put_keys(&o, r);
  trm__json_put_int(&o, "beyond", r->beyond);
  put_words(&o, "problem", r->problem);
  pthread_mutex_unlock(&r->lock);
  trm__json_close(&o);
  return finish(&o);
}

char *serve_runs_curve_json(serve_runs *r, const char *key) {
  trm__json_out o = trm__json_begin(TRM__JSON_COMPACT);
  trm__json_open(&o, NULL, '{');
  trm__json_put_text(&o, "key", key);
  trm__json_open(&o, "curves", '[');
  pthread_mutex_lock(&r->lock);
  for (int i = 0; i < r->n; i++) {
    const run_curve *curve = run_curves_find(&r->run[i]->curves, key);
    if (!curve) continue;
    trm__json_open(&o, NULL, '{');
    trm__json_put_int(&o, "run", r->run[i]->id);
    trm__json_put_int(&o, "revision", r->run[i]->revision);
    run_curve_put(curve, &o);
    trm__json_close(&o);
  }
  pthread_mutex_unlock(&r->lock);
  trm__json_close(&o);
  trm__json_close(&o);
  return finish(&o);
}

char *serve_runs_puzzles_json(serve_runs *r, int64_t id, bool *there) {
  trm__json_out o = trm__json_begin(TRM__JSON_COMPACT);
  trm__json_open(&o, NULL, '{');
  trm__json_put_int(&o, "run", id);
  pthread_mutex_lock(&r->lock);
  const watched *w = find_id(r, id);
  *there = w != NULL;
  if (w) put_words(&o, "problem", w->unsolved);
  if (w && w->puzzles)
    trm__json_put_made(&o, "solved", w->puzzles);
  else
    trm__json_put_null(&o, "solved");
  pthread_mutex_unlock(&r->lock);
  trm__json_close(&o);
  return finish(&o);
}

/* ---- its life ---- */

static trm_status start(serve_runs *r, const char *folder, trm_error *err) {
  trm__kind kind;
  r->folder = strdup(folder);
  if (!r->folder) return cli_fail(err, TRM_E_MEMORY, -1, "no memory to watch runs");
  CLI_TRY(trm__path_look(folder, &kind, err));
  if (kind != TRM__DIR)
    return cli_fail(err, TRM_E_IO, -1, "--run %.300s: %s; want a folder of runs, or a run", folder,
                    kind == TRM__ABSENT ? "it does not exist" : "it is no folder");
  r->reads = pthread_create(&r->reader, NULL, read_all, r) == 0;
  r->solves = r->reads && pthread_create(&r->solver, NULL, solve_all, r) == 0;
  if (r->solves) return TRM_OK;
  return cli_fail(err, TRM_E_SYSTEM, -1, "no thread could be started to watch %.200s", folder);
}

trm_status serve_runs_create(const char *folder, serve_runs **out, trm_error *err) {
  *out = NULL;
  serve_runs *r = calloc(1, sizeof *r);
  if (!r) return cli_fail(err, TRM_E_MEMORY, -1, "no memory to watch runs");
  pthread_mutex_init(&r->lock, NULL);
  pthread_cond_init(&r->change, NULL);
  const trm_status st = start(r, folder, err);
  if (st == TRM_OK)
    *out = r;
  else
    serve_runs_free(r);
  return st;
}

void serve_runs_free(serve_runs *r) {
  if (!r) return;
  pthread_mutex_lock(&r->lock);
  atomic_store(&r->stop, true);
  pthread_cond_broadcast(&r->change);
  pthread_mutex_unlock(&r->lock);
  if (r->reads) pthread_join(r->reader, NULL);
  if (r->solves) pthread_join(r->solver, NULL);
  for (int i = 0; i < r->n; i++) free_watched(r->run[i]);
  pthread_mutex_destroy(&r->lock);
  pthread_cond_destroy(&r->change);
  free(r->folder);
  free(r);
}
