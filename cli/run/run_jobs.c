/* See run_jobs.h. This process trains nothing and opens no device, which no child could go on with:
 * a first child makes the plans, one more trains each run, and what they know of how far they are
 * lies in memory that all share. */
#include "cli/run/run_jobs.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/run/find_model.h"
#include "cli/run/named_models.h"

/* Of one run, for all processes. */
typedef struct cell {
  trm_run_stage stage; /* as it was found, or as its process left it */
  double flops;        /* of an update */
  int64_t end;
  atomic_llong update;
} cell;

typedef struct worker {
  pid_t pid; /* 0: none */
  int job;
} worker;

typedef struct crew {
  const run_jobs *r;
  cell *cells;     /* [r->n], shared */
  worker *workers; /* [at_once] */
  int next;        /* the job to be looked at next */
  cli_progress progress;
  run_jobs_tally *tally;
  pid_t self; /* the parent of all workers */
  bool told;  /* these were told to stop */
} crew;

/* ---- one job ---- */

/* A failure of one of many says which. */
static trm_status fail_job(const run_job *job, const trm_error *cause, trm_error *err) {
  return cli_fail(err, cause->code, cause->pos, "%.150s: %.330s", job->label, cause->msg);
}

static trm_status load(const run_jobs *r, int i, run_job *job, trm_run_config **out,
                       trm_error *err) {
  trm_error cause = {0};
  *out = NULL;
  CLI_TRY(r->job(r->arg, i, job, err));
  trm_status st = trm_run_config_load(r->config, job->settings, job->n, out, &cause);
  if (st == TRM_OK) st = named_model_start(*out, &cause);
  if (st == TRM_OK) return st;
  trm_run_config_free(*out);
  *out = NULL;
  return fail_job(job, &cause, err);
}

trm_status run_jobs_load(const run_jobs *r, int i, trm_run_config **out, trm_error *err) {
  run_job job;
  return load(r, i, &job, out, err);
}

/* ---- the child that plans ---- */

static trm_status look_at(trm_run_config *c, cell *at, bool *there, trm_error *err) {
  char folder[TRM_PATH_SIZE];
  trm_run_record *record;
  CLI_TRY(trm_run_find(c, folder, there, err));
  if (!*there) return TRM_OK;
  CLI_TRY(trm_run_record_open(folder, &record, err));
  const trm_run_summary *s = trm_run_record_summary(record);
  at->stage = s->stage;
  atomic_store(&at->update, s->updates);
  trm_run_record_free(record);
  return TRM_OK;
}

static trm_status plan_job(trm_run_config *c, cell *at, trm_error *err) {
  trm_model_cost cost = {0};
  trm_run *run;
  bool there;
  trm_status st = look_at(c, at, &there, err);
  if (st != TRM_OK) {
    trm_run_config_free(c);
    return st;
  }

  /* Its plan, as its settings are now: a finished run may have more updates to come. */
  CLI_TRY(trm_run_create(c, NULL, &run, err));
  const trm_run_plan *plan = trm_run_get_plan(run);
  st = trm_model_cost_of(plan->model, &cost, err);
  at->flops = cost.flops_train * plan->trainer.batch_size;
  at->end = plan->end;
  if (at->stage == TRM_RUN_DONE && atomic_load(&at->update) < plan->end)
    at->stage = TRM_RUN_STOPPED;
  trm_run_free(run);
  return st;
}

static int plan_all(const crew *w) {
  trm_error err = {0}, cause;
  for (int i = 0; i < w->r->n && !cli_interrupted(); i++) {
    trm_run_config *c;
    run_job job;
    if (load(w->r, i, &job, &c, &err) != TRM_OK) return cli_report_error(&err);
    if (i == 0) cli_note_device(trm_run_config_trainer(c)->device);
    if (plan_job(c, &w->cells[i], &cause) == TRM_OK) continue;
    fail_job(&job, &cause, &err);
    return cli_report_error(&err);
  }
  return cli_interrupted() ? CLI_INTERRUPTED : CLI_OK;
}

/* ---- a child that trains ---- */

typedef struct teller {
  const char *label;
  cell *at;
  pid_t parent;
} teller;

/* The line of progress, which the parent draws, makes room. */
static void tell(void *arg, trm_run_level level, const char *text) {
  const teller *t = arg;
  char whole[1400];
  if (cli_is_terminal(stderr)) fputs("\r\033[K", stderr);
  snprintf(whole, sizeof whole, "%.200s: %.1100s", t->label, text);
  cli_tell(NULL, level, whole);
}

static bool progress(void *arg, const trm_run_progress *p) {
  teller *t = arg;
  if (!p->evaluating) atomic_store(&t->at->update, p->done);
  return !cli_interrupted() && getppid() == t->parent; /* a killed one can tell nobody to stop */
}

/* What runs side by side shares the processors, unless the settings say how many. */
static trm_status share_threads(const run_jobs *r, trm_run_config *c, trm_error *err) {
  char threads[16];
  const int all = trm_default_threads(), each = all / r->at_once;
  if (r->at_once == 1 || trm_run_config_trainer(c)->threads) return TRM_OK;
  snprintf(threads, sizeof threads, "%d", each > 0 ? each : 1);
  return trm_run_config_set(c, "threads", threads, err);
}

static trm_status train(trm_run *run, const run_jobs *r, trm_error *err) {
  cli_faults_defer(); /* what was learned before one is saved */
  CLI_TRY(trm_run_set_command(run, r->command, err));
  CLI_TRY(trm_run_place(run, err));
  trm_status st = trm_run_begin(run, err);
  if (st != TRM_OK && st != TRM_E_INTERRUPTED) trm_run_discard(run);
  return st == TRM_OK ? trm_run_train(run, 0, err) : st;
}

static int train_job(const crew *w, int i) {
  run_job job = {0};
  trm_error err = {0}, cause = {0};
  trm_run_config *c;
  trm_run *run = NULL;
  if (load(w->r, i, &job, &c, &err) != TRM_OK) return cli_report_error(&err);
  teller t = {job.label, &w->cells[i], w->self};
  trm_run_listener listener = cli_listener;
  listener.message = tell;
  listener.progress = progress;
  listener.arg = &t;

  /* From its configuration to its end. */
  trm_status st = share_threads(w->r, c, &cause);
  if (st == TRM_OK)
    st = trm_run_continue(c, &listener, &run, &cause);
  else
    trm_run_config_free(c);
  if (st == TRM_OK) st = train(run, w->r, &cause);
  trm_run_free(run);

  /* What it came to. */
  if (st == TRM_OK) w->cells[i].stage = TRM_RUN_DONE;
  if (st == TRM_E_NUMERIC) w->cells[i].stage = TRM_RUN_DIVERGED;
  if (st == TRM_OK || st == TRM_E_NUMERIC) return CLI_OK;
  if (st == TRM_E_INTERRUPTED && !cli_faulted()) return CLI_INTERRUPTED;
  fail_job(&job, &cause, &err);
  return cli_report_error(&err);
}

/* ---- processes ---- */

/* Starts a child for one job, -1: the plans; its process, or -1. */
static pid_t start(const crew *w, int job) {
  fflush(stdout);
  const pid_t pid = fork();
  if (pid != 0) return pid;
  signal(SIGALRM, SIG_IGN); /* the parent says why it waits */
  _exit(cli_finish_output(job < 0 ? plan_all(w) : train_job(w, job)));
}

static void nap(void) {
  nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
}

/* The exit code of a child, 128 + the signal that ended it. */
static int code_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int fail_fork(void) {
  trm_error err;
  cli_fail(&err, TRM_E_SYSTEM, -1, "no process for a run: %s", strerror(errno));
  return cli_report_error(&err);
}

static int make_plans(const crew *w) {
  int status;
  cli_patience patience;
  const pid_t pid = start(w, -1);
  if (pid < 0) return fail_fork();
  cli_patience_begin(&patience, CLI_PATIENCE, "looking at the runs and their data");
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  cli_patience_end(&patience);
  return code_of(status);
}

/* ---- what is shown ---- */

/* Where a run stands, in a line. */
static void print_run(const crew *w, int i) {
  char folder[TRM_PATH_SIZE], room[CLI_CLEAN], text[128] = "";
  trm_run_config *c;
  trm_run_record *record = NULL;
  trm_error err;
  run_job job;
  bool there = false;

  /* What its folder tells; what cannot be read was told when it was trained. */
  if (load(w->r, i, &job, &c, &err) != TRM_OK) return;
  if (trm_run_find(c, folder, &there, &err) == TRM_OK && there)
    (void)trm_run_record_open(folder, &record, &err);
  trm_run_config_free(c);
  if (!record) return;

  /* Its stage, and a figure to it. */
  const trm_run_summary *s = trm_run_record_summary(record);
  if (s->stage == TRM_RUN_DIVERGED)
    snprintf(text, sizeof text, "at update %lld", (long long)s->diverged_at);
  else if (s->last_exact >= 0)
    snprintf(text, sizeof text, "%6.2f %% exact, best %6.2f %%", 100 * s->last_exact,
             100 * s->best_exact);
  printf("%-12s %s%s%s\n", trm_run_stage_name(s->stage), text, *text ? ": " : "",
         cli_clean(room, sizeof room, folder));
  fflush(stdout);
  trm_run_record_free(record);
}

static bool is_finished(const cell *c) {
  return c->stage == TRM_RUN_DONE || c->stage == TRM_RUN_DIVERGED;
}

/* Work in updates of the mean run, of which all have as many FLOPs. */
static void show(crew *w) {
  double all = 0, done = 0, updates = 0;
  int finished = 0;
  char extra[96];
  for (int i = 0; i < w->r->n; i++) {
    const cell *c = &w->cells[i];
    const double end = (double)c->end;
    all += c->flops * end;
    updates += end;
    done += c->flops * (is_finished(c) ? end : fmin((double)atomic_load(&c->update), end));
    finished += is_finished(c);
  }
  const double each = updates > 0 && all > 0 ? all / updates : 1;
  if (!w->progress.label)
    cli_progress_begin(&w->progress, "runs", (int64_t)(done / each), (int64_t)(all / each),
                       "updates", 1);
  snprintf(extra, sizeof extra, "%d of %d runs done", finished, w->r->n);
  cli_progress_update(&w->progress, (int64_t)(done / each), extra);
}

/* ---- the crew ---- */

/* Counts a run that is finished, and says what came of it. */
static void count_finished(crew *w, int i) {
  *(w->cells[i].stage == TRM_RUN_DONE ? &w->tally->done : &w->tally->diverged) += 1;
  print_run(w, i);
}

/* Gives a free worker the next run that is not finished; what fails is an exit code. */
static int begin_next(crew *w, worker *free_one) {
  while (w->next < w->r->n && !cli_interrupted()) {
    const int i = w->next++;
    if (is_finished(&w->cells[i])) {
      count_finished(w, i);
      continue;
    }
    if (w->cells[i].stage == TRM_RUN_RUNNING) {
      w->tally->busy++;
      continue;
    }
    *free_one = (worker){start(w, i), i};
    if (free_one->pid > 0) return CLI_OK;
    free_one->pid = 0;
    w->tally->left++;
    return fail_fork();
  }
  return CLI_OK;
}

static void take_end(crew *w, int job, int code) {
  const cell *c = &w->cells[job];
  cli_progress_clear(&w->progress);
  if (code == CLI_OK && is_finished(c)) {
    count_finished(w, job);
  } else if (code == CLI_INTERRUPTED) {
    w->tally->left++;
  } else {
    w->tally->failed++;
    if (code > 128) {
      trm_error err;
      cli_fail(&err, TRM_E_SYSTEM, -1, "the process of run %d was ended by signal %d", job + 1,
               code - 128);
      (void)cli_report_error(&err);
    }
  }
}

/* Once a signal came, those who did not get it themselves are told. */
static void tell_workers(crew *w) {
  if (w->told || !cli_interrupted()) return;
  w->told = true;
  for (int k = 0; k < w->r->at_once; k++)
    if (w->workers[k].pid) kill(w->workers[k].pid, SIGTERM);
}

/* Takes the end of a worker's run, if it has come, and gives it another one. */
static int look_after(crew *w, worker *one) {
  int status;
  if (one->pid && waitpid(one->pid, &status, WNOHANG) == one->pid) {
    take_end(w, one->job, code_of(status));
    one->pid = 0;
  }
  return one->pid ? CLI_OK : begin_next(w, one);
}

/* Until nobody works any more. Returns what kept a run from beginning. */
static int work(crew *w) {
  int code = CLI_OK;
  for (bool busy = true; busy;) {
    busy = false;
    for (int k = 0; k < w->r->at_once; k++) {
      const int failed = look_after(w, &w->workers[k]);
      if (failed != CLI_OK) {
        code = failed;
        w->tally->left += w->r->n - w->next;
        w->next = w->r->n; /* no more are begun */
      }
      busy = busy || w->workers[k].pid;
    }
    tell_workers(w);
    if (busy) show(w);
    if (busy) nap();
  }
  w->tally->left += w->r->n - w->next;
  cli_progress_end(&w->progress);
  return code;
}

int run_jobs_train(const run_jobs *r, run_jobs_tally *tally) {
  crew w = {.r = r, .tally = tally, .self = getpid()};
  const size_t size = (size_t)r->n * sizeof *w.cells;
  trm_error err;
  *tally = (run_jobs_tally){0};
  w.workers = calloc((size_t)r->at_once, sizeof *w.workers);
  w.cells = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (!w.workers || w.cells == MAP_FAILED) {
    free(w.workers);
    cli_fail(&err, TRM_E_MEMORY, -1, "no memory for %d runs", r->n);
    return cli_report_error(&err);
  }

  /* Plans, then runs. */
  int code = make_plans(&w);
  if (code == CLI_OK)
    code = work(&w);
  else
    tally->left = r->n;
  munmap(w.cells, size);
  free(w.workers);
  if (code != CLI_OK) return code;
  return cli_interrupted() ? CLI_INTERRUPTED : tally->failed || tally->busy ? CLI_FAILED : CLI_OK;
}
