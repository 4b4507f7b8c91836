/* Votes over the copies of ARC tasks; see trm/arc_vote.h.
 *
 * A vote is kept, not just counted: rows of an evaluation finish in an order that depends on the
 * batch, and only when all are there are they put into the order of the file, so that ties and sums
 * come out the same. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "eval/arc_votes.h"
#include "io/json.h"
#include "kernels/loss.h"

enum { FIRST_VOTES = 1024, ATTEMPTS = 2 };

/* Takes the new object over; its tests have been filled with success or not. */
static trm_status finish_create(trm_arc_votes *v, trm_status st, trm_arc_votes **out) {
  v->own_grids = v->grids.n;
  if (st == TRM_OK)
    *out = v;
  else
    trm_arc_votes_free(v);
  return st;
}

trm_status trm_arc_votes_create(const char *dir, trm_arc_votes **out, trm_error *err) {
  trm_arc_votes *v;
  *out = NULL;
  TRM_ALLOC(&v, 1, "the votes", err);
  return finish_create(v, trm__arc_tests_load(dir, &v->tests, &v->grids, err), out);
}

trm_status trm_arc_votes_create_for(const trm_arc_tasks *tasks, const char *const *names,
                                    int n_names, trm_arc_votes **out, trm_error *err) {
  trm_arc_votes *v;
  *out = NULL;
  TRM_ALLOC(&v, 1, "the votes", err);
  trm_status st = trm__arc_tests_of(tasks, names, n_names, &v->tests, &v->grids, err);
  return finish_create(v, st, out);
}

void trm_arc_votes_free(trm_arc_votes *v) {
  if (!v) return;
  trm__arc_tests_free(&v->tests);
  trm__arc_grids_free(&v->grids);
  trm__free(v->vote);
  trm__free(v);
}

int64_t trm_arc_votes_bytes(const trm_arc_votes *v) {
  return (int64_t)sizeof *v + (int64_t)trm__arc_grids_bytes(&v->grids) +
         v->room * (int64_t)sizeof *v->vote + v->tests.n_names * (int64_t)sizeof *v->tests.name +
         v->tests.n_tasks * (int64_t)sizeof *v->tests.task +
         v->tests.n_tests * (int64_t)sizeof *v->tests.test;
}

/* --- adding --- */

trm_status trm__arc_votes_room(trm_arc_votes *v, int64_t more, trm_error *err) {
  trm__arc_vote *vote;
  if (v->n + more <= v->room) return TRM_OK;
  int64_t room = v->room ? v->room + v->room / 2 : FIRST_VOTES;
  if (room < v->n + more) room = v->n + more;
  TRM_ALLOC(&vote, room, "votes", err);
  if (v->n) memcpy(vote, v->vote, (size_t)v->n * sizeof *vote);
  trm__free(v->vote);
  v->vote = vote;
  v->room = room;
  return TRM_OK;
}

/* The test input of a task that `g` is; -1: none. */
static int32_t find_slot(const trm_arc_votes *v, int32_t task, const trm__arc_grid *g) {
  const trm__arc_tested *t = &v->tests.task[task];
  trm__arc_grid input;
  for (int32_t i = t->first; i < t->first + t->n; i++) {
    trm__arc_grids_get(&v->grids, v->tests.test[i].input, &input);
    if (trm__arc_same(&input, g)) return v->tests.test[i].slot;
  }
  return -1;
}

static void original(const trm__arc_copy *copy, const int32_t *tokens, int side, trm__arc_grid *g) {
  trm__arc_grid cropped;
  trm__arc_crop(tokens, side, &cropped);
  trm__arc_copy_undo(copy, &cropped, g);
}

trm_status trm_arc_votes_add(trm_arc_votes *v, int64_t order, int32_t puzzle_id, int side,
                             const int32_t *inputs, const int32_t *answer, double q_halt,
                             trm_error *err) {
  if (side < 1 || side > TRM__ARC_SIDE)
    TRM_FAIL(err, TRM_E_ARGUMENT, "a canvas of %d x %d cells: want 1 x 1 to 30 x 30", side, side);
  if (puzzle_id < 0 || puzzle_id >= v->tests.n_names)
    TRM_FAIL_AT(err, TRM_E_RANGE, order, "puzzle id %d: identifiers.json names 0 to %d", puzzle_id,
                v->tests.n_names - 1);
  if (isnan(q_halt))
    TRM_FAIL_AT(err, TRM_E_NUMERIC, order, "prediction %lld: q_halt is NaN", (long long)order);

  /* Whose test input it is: the copy undone, its question is one of the task's. */
  const trm__arc_name *name = &v->tests.name[puzzle_id];
  if (name->task == TRM__ARC_BLANK) {
    v->blank++;
    return TRM_OK;
  }
  trm__arc_grid g;
  int32_t slot = -1;
  if (name->task >= 0) {
    original(&name->copy, inputs, side, &g);
    slot = find_slot(v, name->task, &g);
  }
  if (slot < 0) {
    v->foreign++;
    return TRM_OK;
  }

  /* A vote for the answer, the copy undone. */
  trm__arc_vote vote = {.order = order, .slot = slot, .q = q_halt};
  TRM_TRY(trm__arc_votes_room(v, 1, err));
  original(&name->copy, answer, side, &g);
  TRM_TRY(trm__arc_grids_add(&v->grids, &g, &vote.grid, err));
  v->vote[v->n++] = vote;
  return TRM_OK;
}

trm_status trm__arc_votes_fit(const trm_arc_votes *v, const trm_dataset_info *data,
                              trm_error *err) {
  if (!data->identifiers || data->identifiers == trm__identity_number(&v->tests.identity))
    return TRM_OK;
  TRM_FAIL(err, TRM_E_SHAPE,
           "votes: the puzzle ids of the data have other names than those of the tasks: want the "
           "votes of the same data set");
}

int64_t trm__arc_votes_next(const trm_arc_votes *v) {
  int64_t next = 0;
  for (int64_t i = 0; i < v->n; i++)
    if (v->vote[i].order >= next) next = v->vote[i].order + 1;
  return next;
}

/* --- ranking --- */

/* A distinct answer to a test input. */
typedef struct candidate {
  uint32_t grid;
  bool empty;           /* no cell at all, and ranked behind all others for it */
  int64_t count, first; /* first: its place among the input's candidates as they came */
  double q;             /* sum, then mean */
} candidate;

typedef struct ranking {
  const trm_arc_votes *votes;
  trm__arc_vote *sorted; /* by test input, then order */
  int64_t *start;        /* [n_tests + 1]: of a test input's votes */
  int64_t *seat;         /* [grids]: of a candidate in the list + 1; all 0 between inputs */
  bool cells_first;      /* no empty grid, which is never right, before another; the reference's
                            pass@K and submissions know no such rule */
  candidate *list;       /* of the input that was ranked last */
  int64_t n;
} ranking;

static int by_slot_and_order(const void *a, const void *b) {
  const trm__arc_vote *x = a, *y = b;
  if (x->slot != y->slot) return x->slot < y->slot ? -1 : 1;
  if (x->order != y->order) return x->order < y->order ? -1 : 1;
  if (x->grid != y->grid) return x->grid < y->grid ? -1 : 1;
  return (x->q > y->q) - (x->q < y->q);
}

static int best_first(const void *a, const void *b) {
  const candidate *x = a, *y = b;
  if (x->empty != y->empty) return x->empty ? 1 : -1;
  if (x->count != y->count) return x->count > y->count ? -1 : 1;
  if (x->q > y->q || x->q < y->q) return x->q > y->q ? -1 : 1;
  return x->first < y->first ? -1 : x->first > y->first;
}

static void ranking_end(ranking *r) {
  trm__free(r->sorted);
  trm__free(r->start);
  trm__free(r->seat);
  trm__free(r->list);
}

static trm_status ranking_begin(ranking *r, const trm_arc_votes *v, bool cells_first,
                                trm_error *err) {
  int32_t tests = v->tests.n_tests;
  int64_t most = 0;
  *r = (ranking){.votes = v, .cells_first = cells_first};
  TRM_ALLOC(&r->sorted, v->n, "sorted votes", err);
  TRM_ALLOC(&r->start, tests + 1, "sorted votes", err);
  TRM_ALLOC(&r->seat, v->grids.n, "distinct answers", err);
  if (v->n) memcpy(r->sorted, v->vote, (size_t)v->n * sizeof *r->sorted);
  qsort(r->sorted, (size_t)v->n, sizeof *r->sorted, by_slot_and_order);
  for (int64_t i = 0; i < v->n; i++) r->start[r->sorted[i].slot + 1]++;
  for (int32_t i = 0; i < tests; i++) {
    if (r->start[i + 1] > most) most = r->start[i + 1];
    r->start[i + 1] += r->start[i];
  }
  TRM_ALLOC(&r->list, most, "distinct answers", err);
  return TRM_OK;
}

/* Fills r->list with the answers to a test input, the best first. */
static void rank(ranking *r, int32_t test) {
  int32_t slot = r->votes->tests.test[test].slot;
  r->n = 0;
  for (int64_t i = r->start[slot]; i < r->start[slot + 1]; i++) {
    const trm__arc_vote *vote = &r->sorted[i];
    int64_t *seat = &r->seat[vote->grid];
    if (!*seat) {
      r->list[r->n] = (candidate){.grid = vote->grid, .first = r->n};
      *seat = ++r->n;
    }
    r->list[*seat - 1].count++;
    r->list[*seat - 1].q += trm__sigmoid(vote->q);
  }
  for (int64_t i = 0; i < r->n; i++) {
    r->list[i].q /= (double)r->list[i].count;
    r->seat[r->list[i].grid] = 0;
    r->list[i].empty = r->cells_first && trm__arc_grids_is_empty(&r->votes->grids, r->list[i].grid);
  }
  qsort(r->list, (size_t)r->n, sizeof *r->list, best_first);
}

/* --- pass@K --- */

/* The place of the right answer, from 0; INT64_MAX when nobody gave it. */
static int64_t place_of_right(const ranking *r, int32_t test) {
  uint32_t right = r->votes->tests.test[test].output;
  for (int64_t i = 0; i < r->n; i++)
    if (r->list[i].grid == right) return i;
  return INT64_MAX;
}

static void count_task(ranking *r, const trm__arc_tested *task, const int *k, int n, double *pass,
                       int64_t *solved, trm_arc_counts *counts) {
  int known = 0;
  memset(solved, 0, (size_t)n * sizeof *solved);
  for (int32_t test = task->first; test < task->first + task->n; test++) {
    rank(r, test);
    counts->unanswered += r->n == 0;
    if (!r->votes->tests.test[test].known) continue;
    known++;
    int64_t place = place_of_right(r, test);
    for (int i = 0; i < n; i++) solved[i] += place < k[i];
  }
  counts->hidden += task->n - known;
  if (!known) return;
  counts->scored++;
  for (int i = 0; i < n; i++) pass[i] += (double)solved[i] / known;
}

const int *trm_arc_pass_k(void) {
  static const int k[TRM_ARC_PASSES] = {1, 2, 5, 10, 100, 1000};
  return k;
}

trm_status trm_arc_votes_count(const trm_arc_votes *v, const int *k, int n, double *pass,
                               trm_arc_counts *counts, trm_error *err) {
  ranking r;
  int64_t *solved = NULL;
  trm_arc_counts c = {.tasks = v->tests.n_tasks,
                      .inputs = v->tests.n_tests,
                      .votes = v->n,
                      .blank = v->blank,
                      .foreign = v->foreign,
                      .grids = v->grids.n};
  for (int i = 0; i < n; i++)
    if (k[i] < 1) TRM_FAIL(err, TRM_E_ARGUMENT, "pass@%d: want at least 1", k[i]);

  /* Each task's share of test inputs that are right within k attempts, and the mean of these. */
  trm_status st = ranking_begin(&r, v, false, err);
  solved = trm__alloc((uint64_t)n, sizeof *solved);
  if (st == TRM_OK && !solved) st = trm__fail(err, TRM_E_MEMORY, -1, "no memory for %d counts", n);
  if (st == TRM_OK) {
    for (int i = 0; i < n; i++) pass[i] = 0;
    for (int32_t t = 0; t < v->tests.n_tasks; t++)
      count_task(&r, &v->tests.task[t], k, n, pass, solved, &c);
    for (int i = 0; i < n; i++) pass[i] = c.scored ? pass[i] / (double)c.scored : (double)NAN;
    if (counts) *counts = c;
  }
  trm__free(solved);
  ranking_end(&r);
  return st;
}

/* --- answers --- */

static void show_answer(const ranking *r, int32_t test, int64_t place, trm_arc_answer *out) {
  const candidate *c = &r->list[place];
  trm__arc_grid g;
  trm__arc_grids_get(&r->votes->grids, c->grid, &g);
  *out = (trm_arc_answer){
      .rows = g.rows,
      .cols = g.cols,
      .votes = c->count,
      .q = c->q,
      .right = r->votes->tests.test[test].known && c->grid == r->votes->tests.test[test].output};
  memcpy(out->cell, g.cell, (size_t)g.rows * g.cols);
}

trm_status trm_arc_votes_answers(const trm_arc_votes *v, int64_t task, int input, int n,
                                 trm_arc_answer *out, int *found, trm_error *err) {
  ranking r;
  *found = 0;
  if (task < 0 || task >= v->tests.n_tasks || input < 0 || input >= v->tests.task[task].n || n < 0)
    TRM_FAIL(err, TRM_E_ARGUMENT, "task %lld, input %d: there are %d tasks, each with its inputs",
             (long long)task, input, v->tests.n_tasks);
  trm_status st = ranking_begin(&r, v, true, err);
  int32_t test = v->tests.task[task].first + input;
  if (st == TRM_OK) rank(&r, test);
  for (int i = 0; st == TRM_OK && i < n && i < r.n; i++, ++*found)
    show_answer(&r, test, i, &out[i]);
  ranking_end(&r);
  return st;
}

/* --- submission --- */

/* A file that is written, test input by test input. */
typedef struct submission {
  trm__writer w;
  ranking r;
  int64_t stand_ins;
} submission;

static void write_grids(trm__writer *w, const trm__arc_grid attempt[ATTEMPTS]) {
  for (int i = 0; i < ATTEMPTS; i++) {
    trm__writer_printf(w, "%s\"attempt_%d\": ", i ? ", " : "{", i + 1);
    trm__arc_grid_write(w, &attempt[i]);
  }
  trm__write(w, "}", 1);
}

/* The attempts to a test input of the votes (-1: none of them), or else the stand-in for both;
 * false: there is none either. */
static bool find_attempts(submission *s, int32_t test, const trm__arc_grid *stand_in,
                          trm__arc_grid attempt[ATTEMPTS]) {
  ranking *r = &s->r;
  r->n = 0;
  if (test >= 0) rank(r, test);
  for (int i = 0; i < ATTEMPTS && r->n; i++) {
    trm__arc_grids_get(&r->votes->grids, r->list[i < r->n ? i : 0].grid, &attempt[i]);
    if (stand_in && !attempt[i].rows) attempt[i] = *stand_in;
  }
  if (r->n) return true;
  if (!stand_in) return false;
  attempt[0] = attempt[1] = *stand_in;
  s->stand_ins++;
  return true;
}

/* `votes` NULL: none of the task's; `whole` NULL: what has no votes is left out. */
static void write_task(submission *s, const char *id, const trm__arc_tested *votes,
                       const trm__arc_task *whole) {
  const int n = whole ? whole->n_test : votes->n;
  bool first = true;
  trm__json_write_text(&s->w, id);
  trm__write(&s->w, ": [", 3);
  for (int i = 0; i < n; i++) {
    trm__arc_grid attempt[ATTEMPTS];
    const trm__arc_grid *stand_in = whole ? &whole->test[i].input : NULL;
    if (!find_attempts(s, votes ? votes->first + i : -1, stand_in, attempt)) continue;
    if (!first) trm__write(&s->w, ", ", 2);
    write_grids(&s->w, attempt);
    first = false;
  }
  trm__write(&s->w, "]", 1);
}

static void write_tested(submission *s, const trm_arc_votes *v) {
  for (int32_t t = 0; t < v->tests.n_tasks; t++) {
    if (t) trm__write(&s->w, ", ", 2);
    write_task(s, v->tests.task[t].id, &v->tests.task[t], NULL);
  }
}

static trm_status write_listed(submission *s, const trm_arc_votes *v, const trm_arc_tasks *tasks,
                               trm_error *err) {
  int32_t next = 0; /* of the votes' tasks */
  for (int64_t t = 0; t < tasks->n; t++) {
    const trm__arc_task *task = &tasks->task[t];
    const trm__arc_tested *votes = next < v->tests.n_tasks ? &v->tests.task[next] : NULL;
    if (votes && (strcmp(votes->id, task->id) != 0 || votes->n != task->n_test)) votes = NULL;
    next += votes != NULL;
    if (t) trm__write(&s->w, ", ", 2);
    write_task(s, task->id, votes, task);
  }
  if (next == v->tests.n_tasks) return TRM_OK;
  TRM_FAIL(err, TRM_E_ARGUMENT, "the votes have a task %s that is not in the list of tasks",
           v->tests.task[next].id);
}

static trm_status submit(const trm_arc_votes *v, const trm_arc_tasks *tasks, const char *path,
                         int64_t *stand_ins, trm_error *err) {
  submission s = {.stand_ins = 0};
  trm_status st;
  TRM_GOTO(ranking_begin(&s.r, v, tasks != NULL, err));
  TRM_GOTO(trm__writer_open(&s.w, path, err));
  trm__write(&s.w, "{", 1);
  if (tasks)
    st = write_listed(&s, v, tasks, err);
  else
    write_tested(&s, v);
  trm__write(&s.w, "}", 1);
  if (st == TRM_OK)
    st = trm__writer_commit(&s.w, err);
  else
    trm__writer_abort(&s.w);
  if (stand_ins) *stand_ins = s.stand_ins;
done:
  ranking_end(&s.r);
  return st;
}

trm_status trm_arc_votes_submit(const trm_arc_votes *v, const char *path, trm_error *err) {
  return submit(v, NULL, path, NULL, err);
}

trm_status trm_arc_votes_submit_all(const trm_arc_votes *v, const trm_arc_tasks *tasks,
                                    const char *path, int64_t *stand_ins, trm_error *err) {
  return submit(v, tasks, path, stand_ins, err);
}
