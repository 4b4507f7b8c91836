/* Evaluations that ranks share: the report, the votes and the rows of one process. The ranks are
 * threads (rank_threads.h). */
#include "arc_data.h"
#include "processors.h"
#include "rank_threads.h"
#include "small_model.h"

#include <unistd.h>

enum { ROWS = 37, S = 5, V = 7, IDS = 3, STEPS = 4 };

/* One evaluation, and all that comes of it on a rank. */
typedef struct job {
  const trm_model *model;
  const trm_dataset *data;
  const char *votes; /* the folder of the tasks; NULL: none vote */
  int times;         /* that it votes */
  trm_eval_config config;
  bool tells, interrupts, fails;
  bool stops; /* at once */
  int asked;  /* how often it was asked to go on */
  trm_eval_report report;
  int64_t rows;
  uint64_t answers[ARC_MAX + ROWS]; /* of each row that was told: a hash */
  double pass[2];
  trm_arc_counts counts;
  char submission[1 << 16];
  trm_status status;
  trm_error err;
} job;

static uint64_t mix(uint64_t h, const void *data, size_t n) {
  const unsigned char *bytes = data;
  for (size_t i = 0; i < n; i++) h = (h ^ bytes[i]) * UINT64_C(0x100000001b3);
  return h;
}

static trm_status row(void *arg, const trm_eval_row *r, trm_error *err) {
  job *j = arg;
  const size_t cells = (size_t)trm_dataset_get_info(j->data)->seq_len * sizeof *r->answer;
  uint64_t h = mix(1, r->answer, cells);
  h = mix(h, r->inputs, cells);
  h = mix(h, r->labels, cells);
  h = mix(h, &r->q_halt, sizeof r->q_halt);
  h = mix(h, &r->steps, sizeof r->steps);
  h = mix(h, &r->puzzle_id, sizeof r->puzzle_id);
  if (j->answers[r->example]) return trm__fail(err, TRM_E_ARGUMENT, -1, "told twice");
  j->answers[r->example] = h + r->exact + 2u * r->valid;
  if (++j->rows == 5 && j->fails) return trm__fail(err, TRM_E_IO, -1, "no room for a row");
  return TRM_OK;
}

static bool progress(void *arg, int64_t done, int64_t total) {
  job *j = arg;
  (void)total;
  j->asked++;
  return !j->stops && (done < 8 || !j->interrupts);
}

static void evaluate(rank_thread *r) {
  job *j = r->arg;
  trm_arc_votes *v = NULL;
  trm_eval_config c = j->config;
  c.comm = r->group->size > 1 ? &r->comm : NULL;
  c.row = j->tells ? row : NULL;
  c.progress = progress;
  c.row_arg = c.progress_arg = j;
  j->status = j->votes ? trm_arc_votes_create(j->votes, &v, &j->err) : TRM_OK;
  c.votes = v;
  for (int i = 0; i < j->times && j->status == TRM_OK; i++)
    j->status = trm_evaluate(j->model, j->data, &c, &j->report, &j->err);
  if (v && j->status == TRM_OK) {
    char file[] = "/tmp/trm_test_submission_XXXXXX";
    const int fd = mkstemp(file);
    assert_true(fd >= 0);
    j->status = trm_arc_votes_count(v, (const int[]){1, 2}, 2, j->pass, &j->counts, &j->err);
    if (j->status == TRM_OK) j->status = trm_arc_votes_submit(v, file, &j->err);
    size_t n;
    unsigned char *text = read_bytes(file, &n);
    assert_true(n < sizeof j->submission);
    memcpy(j->submission, text, n + 1);
    free(text);
    close(fd);
    unlink(file);
  }
  trm_arc_votes_free(v);
}

static job alone, jobs[TRM_COMM_MOST];

static void run_ranks(int ranks, const job *as) {
  for (int i = 0; i < ranks; i++) jobs[i] = *as;
  ranks_run(ranks, evaluate, jobs, sizeof *jobs, -1, 0);
}

static void same_as_alone(const job *as) {
  job *one = &alone;
  *one = *as;
  ranks_run(1, evaluate, one, sizeof *one, -1, 0);
  if (one->status != TRM_OK) fail_msg("%s", one->err.msg);
  for (int ranks = 2; ranks <= TRM_COMM_MOST; ranks *= 2) {
    job other = *as;
    other.config.batch = ranks;
    other.config.threads = ranks == 4 ? 2 : 1;
    run_ranks(ranks, &other);
    for (int i = 0; i < ranks; i++) {
      const job *j = &jobs[i];
      if (j->status != TRM_OK) fail_msg("rank %d of %d: %s", i, ranks, j->err.msg);
      assert_memory_equal(&j->report, &one->report, sizeof one->report);
      assert_memory_equal(j->pass, one->pass, sizeof one->pass);
      assert_memory_equal(&j->counts, &one->counts, sizeof one->counts);
      assert_string_equal(j->submission, one->submission);
      assert_int_equal(j->rows, i == 0 ? one->rows : 0);
    }
    assert_memory_equal(jobs[0].answers, one->answers, sizeof one->answers);
  }
}

static trm_dataset *small_set(scratch *s) {
  int32_t inputs[ROWS * S], labels[ROWS * S], ids[ROWS];
  trm__rng r = trm__rng_at(4, TRM__RNG_TEST, 1, 0);
  for (int i = 0; i < ROWS * S; i++) {
    inputs[i] = (int32_t)trm__rng_below(&r, V);
    labels[i] = (int32_t)trm__rng_below(&r, V);
    if (i % S == 0) ids[i / S] = (int32_t)trm__rng_below(&r, IDS);
  }
  write_small_data(scratch_path(s, "data"), ROWS, S, V, IDS, inputs, labels, ids);
  return open_small_data(s->path);
}

static void ranks_report_as_one(void **state) {
  trm_dataset *d = small_set(*state);
  trm_model_config c = small_config(TRM_ARCH_TRM, S);
  c.halt_max_steps = STEPS;
  trm_model *m = small_model(&c, 21);
  job as = {.model = m, .data = d, .times = 1, .tells = true, .config = {.threads = 1}};
  same_as_alone(&as);
  assert_int_equal(alone.rows, ROWS);
  as.config.halt = TRM_HALT_Q;
  same_as_alone(&as);
  as.config.spread = true;
  as.config.limit = 23;
  same_as_alone(&as);
  as.config.limit = 3; /* fewer than ranks */
  same_as_alone(&as);
  as.config = (trm_eval_config){.threads = 1, .think = {.rollouts = 3, .noise = 0.5}};
  as.tells = false;
  same_as_alone(&as);

  /* One that stops, and a row that cannot be told, end it for all. */
  as = (job){.model = m, .data = d, .times = 1, .tells = true, .config = {.threads = 1}};
  for (int fails = 0; fails < 2; fails++) {
    for (int i = 0; i < 4; i++) jobs[i] = as;
    jobs[2].interrupts = !fails;
    jobs[0].fails = fails;
    ranks_run(4, evaluate, jobs, sizeof *jobs, -1, 0);
    for (int i = 0; i < 4; i++) {
      assert_int_equal(jobs[i].status, fails ? TRM_E_IO : TRM_E_INTERRUPTED);
      if (fails) assert_string_equal(jobs[i].err.msg, "rank 0 (host0): no room for a row");
    }
  }

  /* One that has something else than rank 0 is refused before any of them works. */
  trm_model *other = small_model(&c, 22);
  static const char *const differs[] = {"model", "limit", "halt", "thinking", "order"};
  for (int which = 0; which < 5; which++) {
    char begins[80];
    for (int i = 0; i < 4; i++) jobs[i] = as;
    job *j = &jobs[3];
    if (which == 0) j->model = other;
    if (which == 1) j->config.limit = 5;
    if (which == 2) j->config.halt = TRM_HALT_Q;
    if (which == 3) j->config.think = (trm_thinking){.rollouts = 2, .noise = 0.5};
    if (which == 4) j->tells = false;
    ranks_run(4, evaluate, jobs, sizeof *jobs, -1, 0);
    snprintf(begins, sizeof begins, "rank 3 (host3): its %s is ", differs[which]);
    for (int i = 0; i < 4; i++) {
      assert_int_equal(jobs[i].status, TRM_E_CONFIG);
      if (strncmp(jobs[i].err.msg, begins, strlen(begins)) != 0) fail_msg("%s", jobs[i].err.msg);
      assert_int_equal(jobs[i].rows, 0);
    }
  }
  trm_model_free(other);

  /* No state. */
  as.config.state = "/nowhere/state";
  run_ranks(2, &as);
  assert_int_equal(jobs[1].status, TRM_E_ARGUMENT);
  assert_non_null(strstr(jobs[1].err.msg, "2 ranks"));
  trm_model_free(m);
  trm_dataset_free(d);
}

static void a_stop_of_one_comes_to_all_at_once(void **state) {
  trm_dataset *d = small_set(*state);
  trm_model_config c = small_config(TRM_ARCH_TRM, S);
  c.halt_max_steps = STEPS;
  trm_model *m = small_model(&c, 21);
  for (int who = 0; who < 2; who++) {
    for (int i = 0; i < 2; i++)
      jobs[i] = (job){.model = m,
                      .data = d,
                      .times = 1,
                      .config = {.batch = 1, .threads = 1},
                      .stops = i == who};
    const rank_group g = ranks_run(2, evaluate, jobs, sizeof *jobs, -1, 0);
    assert_int_equal(g.first[0], 256); /* versions */
    for (int i = 0; i < 2; i++) {
      assert_int_equal(jobs[i].status, TRM_E_INTERRUPTED);
      assert_true(jobs[i].asked <= 2); /* of ROWS / 2 * STEPS */
    }
  }

  /* One that has done its part hears of it, too: rank 1 has nothing to do. */
  for (int i = 0; i < 2; i++)
    jobs[i] = (job){.model = m,
                    .data = d,
                    .times = 1,
                    .config = {.batch = 1, .threads = 1, .limit = 1},
                    .stops = i == 1};
  ranks_run(2, evaluate, jobs, sizeof *jobs, -1, 0);
  for (int i = 0; i < 2; i++) assert_int_equal(jobs[i].status, TRM_E_INTERRUPTED);
  trm_model_free(m);
  trm_dataset_free(d);
}

static void what_a_peer_says_is_not_believed(void **state) {
  /* Every message of an evaluation with votes and rows, in turn, is rubbish: none reads or writes
   * elsewhere (sanitizers), and none waits for ever. */
  static arc_set set;
  scratch *s = *state;
  char dir[160];
  arc_make(&set, 11);
  snprintf(dir, sizeof dir, "%s", scratch_path(s, "garbled"));
  arc_write(&set, dir);
  trm_dataset *d = open_small_data(dir);
  trm_model_config c = small_config(TRM_ARCH_TRM, TRM__ARC_CELLS);
  c.vocab_size = 12;
  c.num_puzzle_identifiers = ARC_IDS;
  c.H_cycles = c.L_cycles = 1;
  c.halt_max_steps = 2;
  trm_model *m = small_model(&c, 5);
  static const unsigned char bytes[] = {0xff, 0x7f, 1};
  const job as = {.model = m,
                  .data = d,
                  .votes = dir,
                  .times = 1,
                  .tells = true,
                  .config = {.threads = 1, .limit = 6, .steps = 1}};
  int failed = 0;
  static const char *const told[] = {"says that it has",
                                     "for a test input or grid that there is not", "hold no grids",
                                     "a row of another rank"};
  bool heard[4] = {false};
  jobs[0] = jobs[1] = as;
  const int all = ranks_run(2, evaluate, jobs, sizeof *jobs, -1, 0).exchanges[0];
  for (garbles.at = 1; garbles.at <= all; garbles.at++)
    for (int k = 0; k < 2; k++) {
      garbles.rank = k;
      garbles.byte = bytes[(garbles.at + 2 * k) % 3];
      jobs[0] = jobs[1] = as;
      ranks_run(2, evaluate, jobs, sizeof *jobs, -1, 0);
      failed += jobs[0].status != TRM_OK || jobs[1].status != TRM_OK;
      for (int i = 0; i < 2; i++)
        for (int w = 0; w < 4; w++)
          heard[w] = heard[w] || (jobs[i].status != TRM_OK && strstr(jobs[i].err.msg, told[w]));
    }
  garbles.rank = -1;
  assert_true(failed > 20);
  for (int w = 0; w < 4; w++)
    if (!heard[w]) fail_msg("nobody said: %s", told[w]);
  trm_model_free(m);
  trm_dataset_free(d);
}

static void ranks_vote_as_one(void **state) {
  static arc_set set;
  scratch *s = *state;
  char dir[160];
  arc_make(&set, 11);
  snprintf(dir, sizeof dir, "%s", scratch_path(s, "arc"));
  arc_write(&set, dir);
  trm_dataset *d = open_small_data(dir);
  trm_model_config c = small_config(TRM_ARCH_TRM, TRM__ARC_CELLS);
  c.vocab_size = 12;
  c.num_puzzle_identifiers = ARC_IDS;
  c.H_cycles = c.L_cycles = 1;
  c.halt_max_steps = 2;
  trm_model *m = small_model(&c, 5);
  job as = {.model = m, .data = d, .votes = dir, .times = 1, .config = {.threads = 1}};
  same_as_alone(&as);
  assert_int_equal(alone.counts.votes, set.n);
  assert_true(alone.counts.grids > 14);

  /* Behind votes that are there already. */
  as.times = 2;
  same_as_alone(&as);
  assert_int_equal(alone.counts.votes, 2 * set.n);
  trm_model_free(m);
  trm_dataset_free(d);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ranks_report_as_one),
      cmocka_unit_test(ranks_vote_as_one),
      cmocka_unit_test(a_stop_of_one_comes_to_all_at_once),
      cmocka_unit_test(what_a_peer_says_is_not_believed),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
