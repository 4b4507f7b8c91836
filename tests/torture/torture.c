/* torture MODE: commands of the program under kills, signals, failing calls, a full disk, and what
 * must hold all the same. docs/RELIABILITY.md says what; scripts/torture is the way in. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "judge.h"

enum { SKIPPED = 77, MAX_SCENARIOS = 64, MAX_ROUNDS = 3, RANDOM_CASES = 40 };

static uint64_t next_random(uint64_t *state) { /* splitmix64 */
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}
static double random_share(uint64_t *state) {
  return (double)(next_random(state) >> 11) * 0x1p-53;
}

/* ---- modes: how many cases a scenario has, and where each strikes ---- */

typedef struct mode {
  const char *name, *about;
  long (*cases)(const subject *j);                                     /* NULL: random ones */
  bool (*aim)(const subject *j, long index, uint64_t *rng, strike *s); /* false: no such case */
  bool repeated; /* the next runs are struck, too, at times */
} mode;

static bool aim_kill(const subject *j, long index, uint64_t *rng, strike *s) {
  (void)index;
  *s =
      (strike){.kind = STRIKE_MOMENT, .signal = SIGKILL, .seconds = random_share(rng) * j->seconds};
  return true;
}

static long calls_of(const subject *j) {
  return j->n_calls;
}

static bool aim_kill_each(const subject *j, long index, uint64_t *rng, strike *s) {
  (void)rng;
  *s = (strike){.kind = STRIKE_SIGNAL, .signal = SIGKILL, .at = index + 1};
  return call_writes(&j->calls[index]);
}

static bool aim_signal(const subject *j, long index, uint64_t *rng, strike *s) {
  static const int signals[] = {SIGHUP,  SIGINT,  SIGTERM, SIGUSR1, SIGXCPU,
                                SIGXFSZ, SIGUSR2, SIGPIPE, SIGALRM, SIGQUIT};
  enum { N_SIGNALS = sizeof signals / sizeof *signals };
  const int signal = signals[index % N_SIGNALS];
  if (next_random(rng) % 3 == 0)
    *s = (strike){
        .kind = STRIKE_MOMENT, .signal = signal, .seconds = random_share(rng) * j->seconds};
  else
    *s = (strike){.kind = STRIKE_SIGNAL,
                  .signal = signal,
                  .at = 1 + (long)(next_random(rng) % (uint64_t)j->n_calls)};
  return true;
}

/* Each allocation: it alone, and it with all that follow. */
static long allocations_of(const subject *j) {
  return 2 * j->n_allocations;
}

static bool aim_allocation(const subject *j, long index, uint64_t *rng, strike *s) {
  (void)rng;
  *s = (strike){.kind = STRIKE_ALLOC, .at = index / 2 + 1, .ever = index % 2};
  return index < allocations_of(j);
}

static long errors_of(const subject *j) {
  return MAX_ERRORS * j->n_calls;
}

static bool aim_error(const subject *j, long index, uint64_t *rng, strike *s) {
  (void)rng;
  const call *c = &j->calls[index / MAX_ERRORS];
  const int *errors = call_errors(c);
  for (int i = 0; i <= index % MAX_ERRORS; i++)
    if (!errors[i]) return false;
  *s = (strike){
      .kind = STRIKE_ERROR, .at = index / MAX_ERRORS + 1, .error = errors[index % MAX_ERRORS]};
  return true;
}

/* All reads and writes at once, then each by itself. */
static long moves_of(const subject *j) {
  return 1 + j->n_calls;
}

static bool aim_short(const subject *j, long index, uint64_t *rng, strike *s) {
  (void)rng;
  *s = (strike){.kind = STRIKE_SHORT, .at = index};
  return index == 0 || call_moves(&j->calls[index - 1]);
}

/* A disk that is full before, and in the middle of, each write. */
static long room_of(const subject *j) {
  return 2 * j->n_calls;
}

static bool aim_full(const subject *j, long index, uint64_t *rng, strike *s) {
  (void)rng;
  int64_t written = 0;
  for (long i = 0; i < index / 2; i++)
    if (call_moves(&j->calls[i]) && call_writes(&j->calls[i])) written += j->calls[i].bytes;
  const call *c = &j->calls[index / 2];
  const bool inside = index % 2;
  *s = (strike){.kind = STRIKE_FULL, .bytes = written + (inside ? c->bytes / 2 : 0)};
  return call_writes(c) && (!inside || call_moves(c));
}

static const mode modes[] = {
    {"kills", "kill -9 at random moments, the next run at times, too", NULL, aim_kill, true},
    {"kill-each", "kill -9 at each operation that writes", calls_of, aim_kill_each, false},
    {"signals", "ten signals at random moments and operations", NULL, aim_signal, false},
    {"alloc", "each allocation fails, alone and with all that follow", allocations_of,
     aim_allocation, false},
    {"syscall", "each system call fails, with each of its errors", errors_of, aim_error, false},
    {"short", "reads and writes of half of the bytes", moves_of, aim_short, false},
    {"full", "a disk that is full from each write on", room_of, aim_full, false},
};
enum { N_MODES = sizeof modes / sizeof *modes };

/* ---- one case ---- */

typedef struct options {
  const mode *mode;
  const char *program, *only;
  double minutes; /* 0: until all is done */
  long cases;     /* at most so many; of random ones, so many; 0: all, or 40 a scenario */
  long index;     /* this case only; -1: all */
  uint64_t seed;
  int jobs;
  bool keep;
} options;

typedef struct tally {
  atomic_long cases, strikes, failures;
} tally;

typedef struct worker {
  const options *o;
  char dir[PATH_SIZE], out[PATH_SIZE], err[PATH_SIZE], log[PATH_SIZE];
} worker;

/* The seed of a case: the same whatever else is run. */
static uint64_t seed_of(const options *o, const subject *j, long index) {
  uint64_t state = o->seed * 1000003u + (uint64_t)index;
  for (const char *c = j->s->name; *c; c++) state = state * 131u + (unsigned char)*c;
  next_random(&state);
  return state;
}

/* The first line of a run's log, or "": a run that starts over has another. */
static char *first_log_line(const worker *w) {
  char *text = file_text(w->log);
  text[strcspn(text, "\n")] = 0;
  return text;
}

static bool has_checkpoint(const tree *t) {
  for (int i = 0; i < t->n; i++) {
    const char *path = t->entries[i].path;
    if (!strncmp(path, "run/step_", 9) && !strstr(path, "tmp") && !strstr(path, "partial") &&
        strstr(path, "/run.json"))
      return true;
  }
  return false;
}

/* Runs the command, struck, and judges it; whether it did all there was to do. */
static bool run_round(const worker *w, const subject *j, const strike *s, bool resumes,
                      tally *total, verdict *v, outcome *o) {
  char words[WORDS_SIZE];
  bool done = false;
  command_words(w->o->program, resumes && j->s->again ? j->s->again : j->s->command, 0, words);
  if (!run_struck(w->dir, words, w->out, w->err, s, o)) {
    verdict_set(v, words, "cannot be started");
    return false;
  }
  if (o->struck) total->strikes++;
  char *report = file_text(w->out), *message = file_text(w->err);
  tree now = tree_read(w->dir);
  /* A run that the kill before left nothing to go on with may say so. */
  if (!(resumes && j->s->again && o->code > 0)) {
    judge_end(j, s, o, report, message, &now, v, &done);
    judge_files(j, s, o, &now, v);
  }
  tree_free(&now);
  free(report);
  free(message);
  return done;
}

/* The next run, undisturbed: as if nothing had happened. */
static void run_next(const worker *w, const subject *j, verdict *v) {
  /* What the strike has left. */
  char words[WORDS_SIZE];
  outcome o = {.code = -1};
  tree was = tree_read(w->dir);
  char *line = first_log_line(w);

  /* The command again, or what is to be done instead; a run with a checkpoint must go on at the
   * first try. */
  const char *list = j->s->again ? j->s->again : j->s->command;
  for (int i = 0; o.code != 0 && command_words(w->o->program, list, i, words); i++) {
    run_struck(w->dir, words, w->out, w->err, &(strike){.kind = STRIKE_NONE}, &o);
    if (o.code != 0 && i == 0 && has_checkpoint(&was)) break;
  }
  if (o.code != 0) {
    char *message = file_text(w->err);
    verdict_set(v, message, "the next run fails");
    free(message);
  }

  /* The folder as it is now is judged as one that nothing disturbed. */
  tree now = tree_read(w->dir);
  judge_next(j, &now, v);

  /* A run is known by the first line of its log. */
  char *new_line = first_log_line(w);
  if (has_checkpoint(&was) && *line && strcmp(line, new_line) != 0)
    verdict_set(v, "run", "a run with a checkpoint is started over");
  free(line);
  free(new_line);
  tree_free(&was);
  tree_free(&now);
}

static void describe(const strike *s, const outcome *o, char *text, size_t n) {
  /* The call that was struck, where one was. */
  const char *name = o->struck && (s->at || s->kind == STRIKE_FULL) ? call_name(&o->hit) : "";
  switch (s->kind) {
    case STRIKE_MOMENT:
      snprintf(text, n, "SIG%s after %.4f s", sigabbrev_np(s->signal), s->seconds);
      break;
    case STRIKE_SIGNAL:
      snprintf(text, n, "SIG%s at call %ld, %s", sigabbrev_np(s->signal), s->at, name);
      break;
    case STRIKE_ERROR:
      snprintf(text, n, "call %ld, %s: %s", s->at, name, strerrorname_np(s->error));
      break;
    case STRIKE_SHORT:
      if (s->at)
        snprintf(text, n, "call %ld, %s: half", s->at, name);
      else
        snprintf(text, n, "all calls: half");
      break;
    case STRIKE_FULL:
      snprintf(text, n, "full at %lld bytes, %s", (long long)s->bytes, name);
      break;
    case STRIKE_ALLOC:
      snprintf(text, n, "allocation %ld%s", s->at, s->ever ? " and all after" : "");
      break;
    default:
      snprintf(text, n, "nothing");
  }
}

static void report_failure(const options *o, const subject *j, long index, const strike *s,
                           const outcome *last, const verdict *v) {
  char what[160];
  describe(s, last, what, sizeof what);
  printf("FAIL\t%s\t%s\t%s\t%s\t%s\tscripts/torture %s --only %s --case %ld --seed %llu\n",
         o->mode->name, j->s->name, v->problem, what, v->about, o->mode->name, j->s->name, index,
         (unsigned long long)o->seed);
  fflush(stdout);
}

static void run_case(const worker *w, const subject *j, long index, tally *total) {
  uint64_t rng = seed_of(w->o, j, index);
  strike s;
  outcome o = {0};
  verdict v = {0};
  if (!w->o->mode->aim(j, index, &rng, &s)) return;
  total->cases++;
  if (!shell("rm -rf '%s' && cp -a '%s' '%s'", w->dir, j->folder, w->dir)) exit(2);
  const int rounds = w->o->mode->repeated ? 1 + (int)(next_random(&rng) % MAX_ROUNDS) : 1;
  bool done = false;
  for (int i = 0; i < rounds && !done && !v.problem[0]; i++) {
    if (i) w->o->mode->aim(j, index, &rng, &s);
    done = run_round(w, j, &s, i > 0, total, &v, &o);
  }
  if (s.kind == STRIKE_ALLOC) total->strikes++;
  if (!done && !v.problem[0]) run_next(w, j, &v);
  if (!v.problem[0]) return;
  total->failures++;
  report_failure(w->o, j, index, &s, &o, &v);
}

/* ---- all cases ---- */

typedef struct case_id {
  int subject;
  long index;
} case_id;

typedef struct campaign {
  const options *o;
  const subject *subjects;
  int n_subjects;
  case_id *cases;
  long n_cases;
} campaign;

static void add_cases(campaign *c) {
  const options *o = c->o;
  const bool random = !o->mode->cases;
  long total = 0, n[MAX_SCENARIOS];
  for (int i = 0; i < c->n_subjects; i++) {
    n[i] = random ? (o->cases ? (o->cases + c->n_subjects - 1) / c->n_subjects : RANDOM_CASES)
                  : o->mode->cases(&c->subjects[i]);
    if (o->index >= 0) n[i] = o->index + 1;
    total += n[i];
  }
  c->cases = malloc((size_t)(total + 1) * sizeof *c->cases);
  if (!c->cases) exit(2);
  for (int i = 0; i < c->n_subjects; i++)
    for (long k = o->index >= 0 ? o->index : 0; k < n[i]; k++)
      c->cases[c->n_cases++] = (case_id){i, k};
  /* In a random order, so that a part of them is a part of every scenario. */
  uint64_t rng = o->seed;
  for (long i = c->n_cases - 1; i > 0; i--) {
    const long k = (long)(next_random(&rng) % (uint64_t)(i + 1));
    const case_id swapped = c->cases[i];
    c->cases[i] = c->cases[k];
    c->cases[k] = swapped;
  }
}

typedef struct board { /* shared by the workers */
  atomic_long next;
  tally tallies[MAX_SCENARIOS];
} board;

static void work(const campaign *c, board *b, const char *folder, int number, time_t deadline) {
  worker w = {.o = c->o};
  path_format(w.dir, sizeof w.dir, "%s/case%d", folder, number);
  path_format(w.out, sizeof w.out, "%s/out%d", folder, number);
  path_format(w.err, sizeof w.err, "%s/err%d", folder, number);
  path_format(w.log, sizeof w.log, "%s/case%d/run/log.jsonl", folder, number);
  for (long i; (i = atomic_fetch_add(&b->next, 1)) < c->n_cases;) {
    if (deadline && time(NULL) >= deadline) break;
    const case_id id = c->cases[i];
    tally *t = &b->tallies[id.subject];
    if (c->o->cases && c->o->mode->cases && t->cases * c->n_subjects >= c->o->cases) continue;
    run_case(&w, &c->subjects[id.subject], id.index, t);
  }
}

static int summarise(const campaign *c, const board *b) {
  long cases = 0, strikes = 0, failures = 0;
  for (int i = 0; i < c->n_subjects; i++) {
    const tally *t = &b->tallies[i];
    printf("%-24s %7ld cases %7ld strikes %6ld failed\n", c->subjects[i].s->name, (long)t->cases,
           (long)t->strikes, (long)t->failures);
    cases += t->cases;
    strikes += t->strikes;
    failures += t->failures;
  }
  printf("%s, seed %llu: %ld cases, %ld strikes over %d commands: %ld failed\n", c->o->mode->name,
         (unsigned long long)c->o->seed, cases, strikes, c->n_subjects, failures);
  return failures || !cases;
}

static int run_campaign(const campaign *c, const char *folder) {
  board *b = mmap(NULL, sizeof *b, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (b == MAP_FAILED) return 2;
  const time_t deadline = c->o->minutes > 0 ? time(NULL) + (time_t)(60 * c->o->minutes) : 0;
  bool good = true;
  for (int i = 0; i < c->o->jobs; i++) {
    const pid_t pid = fork();
    if (pid < 0) return 2;
    if (pid == 0) {
      work(c, b, folder, i, deadline);
      exit(0);
    }
  }
  for (int status; wait(&status) > 0;) good &= status == 0;
  const int failed = summarise(c, b);
  if (!good) fprintf(stderr, "torture: a worker has failed\n");
  return good ? failed : 2;
}

/* ---- the way in ---- */

static int usage(void) {
  fputs(
      "Usage: torture MODE [MINUTES] [--only SCENARIO] [--cases N] [--case I] [--seed S] [--jobs "
      "J]\n"
      "               [--program FILE] [--keep]\n\nModes:\n",
      stderr);
  for (int i = 0; i < N_MODES; i++) fprintf(stderr, "  %-10s %s\n", modes[i].name, modes[i].about);
  fputs("\nScenarios:\n", stderr);
  for (int i = 0; i < n_scenarios; i++)
    fprintf(stderr, "  %-24s trm %s\n", scenarios[i].name, scenarios[i].command);
  return 2;
}

static bool read_options(int argc, char **argv, options *o) {
  /* Options in any order, before and behind the mode. */
  static const struct option known[] = {
      {"only", 1, NULL, 'o'}, {"cases", 1, NULL, 'n'},   {"case", 1, NULL, 'c'},
      {"seed", 1, NULL, 's'}, {"jobs", 1, NULL, 'j'},    {"program", 1, NULL, 'p'},
      {"keep", 0, NULL, 'k'}, {"minutes", 1, NULL, 'm'}, {NULL, 0, NULL, 0}};
  *o = (options){.program = TRM_PROGRAM, .index = -1, .seed = 1, .jobs = 1};

  /* The last of each counts. */
  for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
    if (c == 'o') o->only = optarg;
    if (c == 'n') o->cases = strtol(optarg, NULL, 10);
    if (c == 'c') o->index = strtol(optarg, NULL, 10);
    if (c == 's') o->seed = strtoull(optarg, NULL, 10);
    if (c == 'j') o->jobs = (int)strtol(optarg, NULL, 10);
    if (c == 'p') o->program = optarg;
    if (c == 'k') o->keep = true;
    if (c == 'm') o->minutes = strtod(optarg, NULL);
    if (c == '?') return false;
  }

  /* Then the mode, and the minutes as a word. */
  for (int i = 0; optind < argc && i < N_MODES; i++)
    if (!strcmp(argv[optind], modes[i].name)) o->mode = &modes[i];
  if (optind + 1 < argc) o->minutes = strtod(argv[optind + 1], NULL);
  return o->mode && o->jobs > 0;
}

/* Whether a child may be traced here. */
static bool may_trace(const char *folder) {
  outcome o;
  const strike s = {.kind = STRIKE_ERROR};
  return run_struck(folder, "/bin/true", "/dev/null", "/dev/null", &s, &o) && o.code == 0;
}

static int torture(const options *o, const char *folder) {
  /* Where nobody may trace, nothing can be shown. */
  static subject subjects[MAX_SCENARIOS];
  campaign c = {.o = o, .subjects = subjects};
  bool good = true;
  if (!may_trace(folder)) {
    printf("skipped: no process may be traced here (ptrace, seccomp)\n");
    return SKIPPED;
  }

  /* Every scenario once, undisturbed: that is what strikes are judged by. */
  if (!fixture_make(folder, o->program)) return 2;
  for (int i = 0; good && i < n_scenarios; i++) {
    if (o->only && strcmp(o->only, scenarios[i].name) != 0) continue;
    good = subject_make(&subjects[c.n_subjects++], &scenarios[i], folder, o->program);
  }
  if (!c.n_subjects) return usage();

  /* Then the cases. */
  int code = 2;
  if (good) {
    add_cases(&c);
    code = run_campaign(&c, folder);
  }

  for (int i = 0; i < c.n_subjects; i++) subject_free(&subjects[i]);
  free(c.cases);
  return code;
}

int main(int argc, char **argv) {
  options o;
  char folder[PATH_MAX], program[PATH_MAX];
  if (!read_options(argc, argv, &o)) return usage();
  if (!realpath(o.program, program)) {
    perror(o.program);
    return 2;
  }
  o.program = program;
  /* A folder in memory: all that is struck is the program, not the disk. */
  path_format(folder, sizeof folder, "%s/trm_torture.XXXXXX",
              access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
  if (!mkdtemp(folder)) {
    perror(folder);
    return 2;
  }
  setenv("NO_COLOR", "1", 1);
  const int code = torture(&o, folder);
  if (o.keep)
    printf("kept: %s\n", folder);
  else
    shell("rm -rf '%s'", folder);
  return code;
}
