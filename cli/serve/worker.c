/* See worker.h. */
#include "cli/serve/worker.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"

enum {
  STREAM_MOST = 1 << 18, /* bytes that a client of a stream may be behind, */
  STREAM_FAIR = 1 << 14, /* or where memory is short so many */
  KEPT_MOST = 64 << 20,  /* bytes of answers that are not read: with more, no jobs are taken */
  RETRY_MOST = 60,       /* seconds, */
  WINDOW = 1             /* and those over which speed is measured */
};

/* What the place of the queue holds. */
typedef struct holder {
  serve_job *job; /* NULL: nothing */
  int puzzle;
  int32_t *before; /* [seq_len] the answer after the step before, of streams */
  bool stepped;
} holder;

struct serve_worker {
  serve_model model;
  serve_worker_config config;
  trm_queue *queue; /* the thread's */
  holder *held;     /* [places], the thread's */
  int32_t *befores;
  pthread_t thread;

  pthread_mutex_t lock;
  pthread_cond_t change; /* of what follows, for the thread */
  serve_job *first, *last;
  metrics_model counts;
  double rate; /* puzzles answered in a second, lately; 0: none yet */
  double window_began;
  int64_t window_solved;
  size_t kept;    /* bytes of answers that are not read */
  bool some_over; /* jobs are over that have rows, or are in line */
  bool stopping;
  double deadline;
};

/* ---- jobs ---- */

void serve_job_free(serve_job *job) {
  serve_ask_free(&job->ask);
  serve_text_free(&job->out);
  free(job);
}

/* What its text takes is counted. */
static void count_kept(serve_job *job, size_t bytes) {
  job->worker->kept += bytes - job->kept;
  job->kept = bytes;
}

/* One of its sides, under the lock. */
static void drop(serve_job *job) {
  if (--job->sides > 0) return;
  count_kept(job, 0);
  serve_job_free(job);
}

/* Nothing is to be answered any more, or all is. */
static bool is_over(const serve_job *job) {
  return job->gone || job->ended;
}

static void wake(serve_job *job) {
  if (!job->asleep) return;
  job->asleep = false;
  job->link.wake(job->link.connection);
}

/* "event: NAME", and JSON of one line as its data. */
static void tell(serve_job *job, const char *event, const char *json) {
  serve_text *out = &job->out;
  if (job->sent) memmove(out->at, out->at + job->sent, out->n - job->sent);
  out->n -= job->sent;
  job->sent = 0;
  serve_text_say(out, "event: %s\ndata: ", event);
  serve_text_add(out, json, strlen(json));
  serve_text_add(out, "\n\n", 2);
  count_kept(job, out->room);
}

/* The end of a job that has an answer, or with 503 none. */
static void end_job(serve_job *job, int code) {
  static const char stops[] = "the server stops";
  job->ended = true;
  job->code = code;
  if (code == 503) {
    char *json = serve_error_json(code, stops);
    if (!job->ask.stream) serve_text_free(&job->out);
    if (json && job->ask.stream)
      tell(job, "error", json);
    else if (json)
      serve_text_add(&job->out, json, strlen(json));
    trm__free(json);
  }
  wake(job);
}

/* One after the other, as one text: the object of the only puzzle, or the list of many. */
static void write_answers(serve_job *job) {
  const serve_ask *ask = &job->ask;
  if (ask->many) serve_text_say(&job->out, "{\"answers\":[");
  for (int i = 0; i < ask->n; i++) {
    const char *json = ask->puzzles[i].answer;
    if (i) serve_text_add(&job->out, ",", 1);
    if (json)
      serve_text_add(&job->out, json, strlen(json));
    else
      job->out.failed = true;
  }
  if (ask->many) serve_text_say(&job->out, "]}");
}

static void finish_job(serve_job *job) {
  if (!job->ask.stream) write_answers(job);
  serve_ask_free_puzzles(&job->ask);
  count_kept(job, job->out.room);
  end_job(job, job->out.failed ? 500 : 200);
}

serve_waited serve_job_await(serve_job *job) {
  serve_worker *w = job->worker;
  pthread_mutex_lock(&w->lock);
  serve_waited what = job->gone ? SERVE_GONE : job->ended ? SERVE_READY : SERVE_ASLEEP;
  if (what == SERVE_ASLEEP) {
    job->asleep = true;
    job->link.sleep(job->link.connection);
  }
  pthread_mutex_unlock(&w->lock);
  return what;
}

serve_waited serve_job_read(serve_job *job, char *to, size_t size, size_t *n) {
  serve_worker *w = job->worker;
  serve_text *out = &job->out;
  pthread_mutex_lock(&w->lock);
  *n = out->n - job->sent < size ? out->n - job->sent : size;
  serve_waited what = job->gone || out->failed ? SERVE_GONE
                      : *n                     ? SERVE_READY
                      : job->ended             ? SERVE_ENDED
                                               : SERVE_ASLEEP;
  if (what == SERVE_READY) {
    memcpy(to, out->at + job->sent, *n);
    job->sent += *n;
    if (job->sent == out->n) job->sent = out->n = 0;
  }
  if (what == SERVE_ASLEEP) {
    job->asleep = true;
    job->link.sleep(job->link.connection);
  }
  pthread_mutex_unlock(&w->lock);
  return what;
}

/* Under the lock. */
static void abandon(serve_job *job) {
  if (job->gone) return;
  job->gone = true;
  if (!job->ended) job->worker->some_over = true;
  pthread_cond_signal(&job->worker->change);
  wake(job);
}

void serve_job_abandon(serve_job *job) {
  serve_worker *w = job->worker;
  pthread_mutex_lock(&w->lock);
  abandon(job);
  pthread_mutex_unlock(&w->lock);
}

void serve_job_leave(serve_job *job) {
  serve_worker *w = job->worker;
  pthread_mutex_lock(&w->lock);
  job->asleep = false;
  abandon(job);
  drop(job);
  pthread_mutex_unlock(&w->lock);
}

/* ---- the line ---- */

static void add_last(serve_worker *w, serve_job *job) {
  job->next = NULL;
  *(w->last ? &w->last->next : &w->first) = job;
  w->last = job;
}

static serve_job *take_first(serve_worker *w) {
  serve_job *job = w->first;
  w->first = job->next;
  if (!w->first) w->last = NULL;
  return job;
}

/* The puzzles of a job that has left the line are nobody's any more. */
static void forget(serve_worker *w, serve_job *job) {
  w->counts.waiting -= job->ask.n - job->submitted;
  job->submitted = job->ask.n;
}

static int retry_after(const serve_worker *w) {
  const double seconds = w->rate > 0 ? w->counts.waiting / w->rate : 1;
  return seconds < 1 ? 1 : seconds > RETRY_MOST ? RETRY_MOST : (int)ceil(seconds);
}

serve_taken serve_worker_take(serve_worker *w, serve_job *job, int *seconds) {
  serve_taken taken = SERVE_TAKEN;
  pthread_mutex_lock(&w->lock);
  if (w->stopping) taken = SERVE_STOPPING;
  const bool full = w->counts.waiting + job->ask.n > w->config.waiting || w->kept > KEPT_MOST;
  if (taken == SERVE_TAKEN && full) {
    taken = SERVE_FULL;
    w->counts.refused += job->ask.n;
    *seconds = retry_after(w);
  }
  if (taken == SERVE_TAKEN) {
    job->worker = w;
    job->sides = 2;
    job->began = cli_now();
    w->counts.waiting += job->ask.n;
    add_last(w, job);
    pthread_cond_signal(&w->change);
  }
  pthread_mutex_unlock(&w->lock);
  return taken;
}

/* ---- the thread: puzzles into rows ---- */

/* One more of the job's puzzles has an answer, or is what cannot have one. */
static void count_answer(serve_job *job) {
  if (++job->answered == job->ask.n && !is_over(job)) finish_job(job);
}

/* The next puzzle of a job, which is none or takes a place. */
static void submit(serve_worker *w, serve_job *job) {
  const int i = job->submitted++;
  serve_puzzle *p = &job->ask.puzzles[i];
  trm_queue_puzzle ask = job->ask.how;
  trm_error err;
  int place;
  w->counts.waiting--;
  ask.inputs = p->tokens;
  if (!p->problem && trm_queue_submit(w->queue, &ask, &place, &err) == TRM_OK) {
    holder *h = &w->held[place];
    h->job = job;
    h->puzzle = i;
    h->stepped = false;
    job->sides++;
    w->counts.running++;
    return;
  }
  p->answer = serve_error_json(400, p->problem ? p->problem : err.msg);
  count_answer(job);
}

/* Jobs take turns: one puzzle, and back to the end of the line. */
static void fill_rows(serve_worker *w) {
  while (w->first && trm_queue_room(w->queue)) {
    serve_job *job = take_first(w);
    submit(w, job);
    if (job->submitted < job->ask.n)
      add_last(w, job);
    else
      drop(job); /* it is no more in line */
  }
}

static void let_go(serve_worker *w, int place) {
  serve_job *job = w->held[place].job;
  w->held[place].job = NULL;
  w->counts.running--;
  drop(job);
}

/* Rows of jobs that are over, of those who left above all, and their places in line. */
static void clear_over(serve_worker *w) {
  if (!w->some_over) return;
  w->some_over = false;
  for (int i = 0; i < trm_queue_places(w->queue); i++) {
    if (!w->held[i].job || !is_over(w->held[i].job)) continue;
    const trm_status st = trm_queue_cancel(w->queue, i, NULL);
    TRM_ASSERT(st == TRM_OK);
    (void)st;
    w->counts.cancelled++;
    let_go(w, i);
  }
  serve_job *job = w->first;
  w->first = w->last = NULL;
  while (job) {
    serve_job *next = job->next;
    if (is_over(job)) {
      w->counts.cancelled += job->ask.n - job->submitted;
      forget(w, job);
      drop(job);
    } else {
      add_last(w, job);
    }
    job = next;
  }
}

/* ---- and their answers ---- */

/* Whose client reads too slowly. */
static bool is_behind(const serve_job *job) {
  const size_t n = job->out.n - job->sent;
  return n > STREAM_MOST || (n > STREAM_FAIR && job->worker->kept > KEPT_MOST);
}

/* After a step: an event where each is followed, and the answer after the last. The lock is taken
 * for what others see, not for what is long. */
static void take_answer(serve_worker *w, const trm_queue_answer *a) {
  holder *h = &w->held[a->place];
  serve_job *job = h->job;
  serve_puzzle *p = &job->ask.puzzles[h->puzzle];
  char *step = NULL, *answer = NULL;
  const serve_state s = {
      .now = a, .before = h->stepped ? h->before : NULL, .seconds = cli_now() - job->began};
  if (job->ask.stream) step = serve_step_json(&w->model, &job->ask, p, &s);
  if (a->done) answer = serve_answer_json(&w->model, &job->ask, p, &s);
  memcpy(h->before, a->answer, (size_t)w->model.config->seq_len * sizeof *h->before);
  h->stepped = true;

  pthread_mutex_lock(&w->lock);
  if (job->ask.stream && !is_over(job)) {
    if (step) tell(job, "step", step);
    if (answer) tell(job, "answer", answer);
    if (!step || (a->done && !answer) || job->out.failed || is_behind(job)) abandon(job);
    wake(job);
  }
  if (a->done) {
    p->answer = answer;
    answer = NULL;
    metrics_solved(&w->counts, s.seconds);
    count_answer(job);
    let_go(w, a->place);
  }
  pthread_mutex_unlock(&w->lock);
  trm__free(step);
  trm__free(answer);
}

/* One step of all rows, and what came of it. */
static void take_step(serve_worker *w) {
  trm_queue_answer a;
  trm_error err;
  const int rows = trm_queue_busy(w->queue);
  const trm_status st = trm_queue_step(w->queue, &err);
  TRM_ASSERT(st == TRM_OK); /* on the CPU it cannot fail */
  (void)st;
  for (int i = 0; trm_queue_look(w->queue, i, &a); i++)
    if (w->held[a.place].job->ask.stream) take_answer(w, &a);
  int64_t solved = 0;
  for (; trm_queue_take(w->queue, &a); solved++) take_answer(w, &a);

  /* How fast the line moves. */
  pthread_mutex_lock(&w->lock);
  w->counts.steps += rows;
  w->window_solved += solved;
  const double now = cli_now(), passed = now - w->window_began;
  if (passed >= WINDOW && passed <= 10 * WINDOW) w->rate = (double)w->window_solved / passed;
  if (passed >= WINDOW) {
    w->window_began = now;
    w->window_solved = 0;
  }
  pthread_mutex_unlock(&w->lock);
}

/* ---- its life ---- */

/* All that is in line or, when the time for it is over, has rows ends without an answer. */
static void end_jobs(serve_worker *w, bool rows_too) {
  for (serve_job *job = w->first; job; job = job->next)
    if (!is_over(job)) end_job(job, 503);
  for (int i = 0; rows_too && i < trm_queue_places(w->queue); i++)
    if (w->held[i].job && !is_over(w->held[i].job)) end_job(w->held[i].job, 503);
  w->some_over = true;
  clear_over(w);
}

static void *work(void *arg) {
  serve_worker *w = arg;
  pthread_mutex_lock(&w->lock);
  for (;;) {
    clear_over(w);
    if (w->stopping) end_jobs(w, cli_now() > w->deadline);
    fill_rows(w);
    if (trm_queue_busy(w->queue)) {
      pthread_mutex_unlock(&w->lock);
      take_step(w);
      pthread_mutex_lock(&w->lock);
    } else if (w->stopping) {
      break;
    } else {
      pthread_cond_wait(&w->change, &w->lock);
    }
  }
  pthread_mutex_unlock(&w->lock);
  return NULL;
}

static trm_status open_queue(serve_worker *w, const trm_model *model, trm_error *err) {
  const trm_queue_config queue = {
      .rows = w->config.rows, .threads = w->config.threads, .logits = true, .latents = true};
  const size_t cells = (size_t)w->model.config->seq_len;
  CLI_TRY(trm_queue_create(model, &queue, &w->queue, err));
  const size_t places = (size_t)trm_queue_places(w->queue);
  w->held = calloc(places, sizeof *w->held);
  w->befores = calloc(places * cells, sizeof *w->befores);
  if (!w->held || !w->befores) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for a worker");
  for (size_t i = 0; i < places; i++) w->held[i].before = w->befores + cells * i;
  return TRM_OK;
}

trm_status serve_worker_create(const serve_model *m, const trm_model *model,
                               const serve_worker_config *config, serve_worker **out,
                               trm_error *err) {
  *out = NULL;
  serve_worker *w = calloc(1, sizeof *w);
  if (!w) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for a worker");
  w->model = *m;
  w->config = *config;
  w->window_began = cli_now();
  pthread_mutex_init(&w->lock, NULL);
  pthread_cond_init(&w->change, NULL);
  trm_status st = open_queue(w, model, err);
  if (st == TRM_OK && pthread_create(&w->thread, NULL, work, w) != 0)
    st = cli_fail(err, TRM_E_SYSTEM, -1, "no thread could be started for %.100s", m->name);
  if (st == TRM_OK)
    *out = w;
  else
    serve_worker_free(w);
  return st;
}

void serve_worker_stop(serve_worker *w, double deadline) {
  pthread_mutex_lock(&w->lock);
  w->stopping = true;
  w->deadline = deadline;
  pthread_cond_signal(&w->change);
  pthread_mutex_unlock(&w->lock);
}

void serve_worker_join(serve_worker *w) {
  pthread_join(w->thread, NULL);
}

void serve_worker_free(serve_worker *w) {
  if (!w) return;
  trm_queue_free(w->queue);
  free(w->held);
  free(w->befores);
  pthread_mutex_destroy(&w->lock);
  pthread_cond_destroy(&w->change);
  free(w);
}

metrics_model serve_worker_metrics(serve_worker *w) {
  pthread_mutex_lock(&w->lock);
  const metrics_model counts = w->counts;
  pthread_mutex_unlock(&w->lock);
  return counts;
}
