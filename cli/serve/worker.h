/* One thread for each model: it owns the queue (trm/queue.h), in whose rows the puzzles of all
 * clients go side by side, and answers their jobs.
 *
 * A job is a request for one puzzle or many. Its puzzles wait in line until there are free rows;
 * jobs take turns, a puzzle each, so that who asks for thousands does not keep out who asks for
 * one. The line is bounded, and so is the memory for what clients are slow to read. A job whose
 * client has left gives its rows to others before the next step.
 *
 * Jobs belong to two sides. The worker's is this file. The connection's side asks for what there is
 * to send, and goes to sleep where there is nothing yet: `sleep` is called, and later `wake`, once,
 * from the worker's thread. Both are called with the worker's lock held, and must neither wait nor
 * call anything here. All functions may be called from any thread. */
#ifndef TRM_CLI_SERVE_WORKER_H
#define TRM_CLI_SERVE_WORKER_H

#include "cli/serve/answers.h"
#include "cli/serve/metrics.h"

typedef struct serve_worker serve_worker;

typedef struct serve_job_link {
  void (*sleep)(void *connection), (*wake)(void *connection);
  void *connection;
} serve_job_link;

typedef struct serve_job {
  serve_ask ask;
  serve_job_link link;

  /* Of the worker and its lock. */
  serve_worker *worker;
  struct serve_job *next; /* in line */
  double began;
  int submitted, answered; /* puzzles */
  int sides;               /* that still have it */
  bool gone;               /* its client left: nothing is to be answered any more */
  bool ended;              /* nothing more will come */
  bool asleep;
  int code; /* HTTP, once it has ended */
  serve_text out;
  size_t sent; /* of `out` */
  size_t kept; /* bytes for it, as the worker counts them */
} serve_job;

typedef struct serve_worker_config {
  int rows;    /* puzzles side by side */
  int waiting; /* puzzles in line at most, */
  int threads; /* of the queue, as trm_queue_config.threads */
} serve_worker_config;

/* Starts the thread; `m` is copied, and `model` must outlive the worker. Errors: those of
 * trm_queue_create; SYSTEM where no thread can be had. */
trm_status serve_worker_create(const serve_model *m, const trm_model *model,
                               const serve_worker_config *config, serve_worker **out,
                               trm_error *err);
/* No job is taken any more; those that are in line end with 503, those with rows are given until
 * `deadline` (cli_now). */
void serve_worker_stop(serve_worker *w, double deadline);
/* Waits for the thread after that. Jobs that connections still have stay valid until they are left.
 */
void serve_worker_join(serve_worker *w);
void serve_worker_free(serve_worker *w); /* after that; NULL is fine */
metrics_model serve_worker_metrics(serve_worker *w);

typedef enum serve_taken {
  SERVE_TAKEN,
  SERVE_FULL,    /* try again after *retry_after seconds */
  SERVE_STOPPING /* the worker takes none any more */
} serve_taken;
/* A job of calloc with its ask and its link, in line; it is the worker's, too, when it was
 * taken, else the caller's alone. */
serve_taken serve_worker_take(serve_worker *w, serve_job *job, int *retry_after);

typedef enum serve_waited {
  SERVE_READY,  /* of a stream: *n bytes were copied; else the whole text is job->out */
  SERVE_ASLEEP, /* it will be woken */
  SERVE_ENDED,  /* a stream, all of which was read */
  SERVE_GONE    /* serve_job_abandon was called */
} serve_waited;
/* The whole answer of a job that is no stream: job->code and job->out. */
serve_waited serve_job_await(serve_job *job);
/* The next bytes of a stream, at most `size`. */
serve_waited serve_job_read(serve_job *job, char *to, size_t size, size_t *n);
/* The client has left; whoever sleeps is woken. */
void serve_job_abandon(serve_job *job);
/* The connection's side is done with it, whatever its state. */
void serve_job_leave(serve_job *job);
/* For a job that was not taken. */
void serve_job_free(serve_job *job);

#endif
