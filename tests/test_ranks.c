/* Trainers that are ranks of a communicator: the bits of one trainer alone, whatever their number,
 * and who is told of a failure. The ranks are threads (rank_threads.h); with processes and MPI:
 * test_program_ranks and mpi.sh. */
#include "processors.h"
#include "rank_threads.h"
#include "small_trainer.h"
#include "train/trainer.h"

#include <unistd.h>

enum { UPDATES = 6, STOP = 3 };

/* --- the same bits --------------------------------------------------------------------------- */

/* What a rank does, and what comes of it. */
typedef struct job {
  const trm_model *model;
  trm_trainer_config config;
  const char *from, *to; /* states, or NULL */
  int updates;           /* to be done, all in all */
  int64_t bad;           /* the update whose batch has a wrong token for rank `liar` */
  int liar;
  const char *other; /* a state that the liar loads, while the others load `from` */
  char drifts;       /* what of the liar is another value at the end: w, e, m; 0: nothing */
  trm_metrics metrics[UPDATES];
  int64_t bytes; /* what the trainer holds */
  trm__shared_cost shared;
  trm_status status;
  trm_error err;
  bool agreed;
} job;

static void train(rank_thread *r) {
  job *j = r->arg;
  trm_trainer *t = NULL;
  small_batch b;
  j->config.comm = r->group->size > 1 ? &r->comm : NULL;
  j->status = trm_trainer_create(j->model, &j->config, &t, &j->err);
  const bool lies = r->comm.rank == j->liar;
  if (j->status == TRM_OK && j->from)
    j->status = trm_trainer_load(t, lies && j->other ? j->other : j->from, &j->err);
  if (j->other && t) { /* refused: all goes on as if nothing had been loaded */
    assert_int_equal(j->status, TRM_E_CONFIG);
    assert_non_null(strstr(j->err.msg, "its state is fingerprint "));
    j->status = TRM_OK;
  }
  for (int64_t u = j->status == TRM_OK ? trm_trainer_updates(t) : UPDATES;
       u < j->updates && j->status == TRM_OK; u++) {
    const trm_batch fresh = small_batch_at(&b, (uint64_t)u);

    /* Rows of others are never looked at. */
    const uint8_t *wants = trm_trainer_wants(t);
    for (int row = 0; row < j->config.batch_size; row++)
      if (!wants[row]) memset(&b.inputs[row * SMALL_LEN], 99, SMALL_LEN * sizeof *b.inputs);
    for (int row = 0; u == j->bad && r->comm.rank == j->liar && row < SMALL_ROWS; row++)
      b.inputs[row * SMALL_LEN] = 99;
    j->status = trm_trainer_step(t, &fresh, &j->metrics[u], &j->err);
  }
  if (j->drifts && lies) {
    real *at = j->drifts == 'w'   ? t->update.params
               : j->drifts == 'e' ? t->update.ema
                                  : t->groups.state[0].at;
    at[7] = at[7] * (real)1.0000002 + (real)1e-30;
  }
  if (j->status == TRM_OK && j->to) j->status = trm_trainer_save(t, j->to, &j->err);
  j->bytes = t ? trm_trainer_bytes(t) : 0;
  if (t) j->shared = t->shared;
  j->agreed = r->comm.agreed;
  trm_trainer_free(t);
}

/* The jobs of so many ranks, all of which must come out alike. */
static rank_group run_ranks(job *jobs, int ranks, const job *as) {
  for (int i = 0; i < ranks; i++) jobs[i] = *as;
  const rank_group g = ranks_run(ranks, train, jobs, sizeof *jobs, -1, 0);
  for (int i = 0; i < ranks; i++) {
    if (jobs[i].status != TRM_OK) fail_msg("rank %d of %d: %s", i, ranks, jobs[i].err.msg);
    assert_memory_equal(jobs[i].metrics, jobs[0].metrics, sizeof jobs[0].metrics);
  }
  return g;
}

static char alone_path[200], shared_path[200];

/* One trainer, and every number of ranks, write the same file and tell the same figures. */
static void same_bits(scratch *s, const trm_model_config *mc, const trm_trainer_config *config,
                      const char *what) {
  static job alone[1], jobs[TRM_COMM_MOST];
  trm_model *m = small_model(mc, 5);
  snprintf(alone_path, sizeof alone_path, "%s", scratch_path(s, "alone"));
  snprintf(shared_path, sizeof shared_path, "%s", scratch_path(s, "shared"));
  job as = {.model = m, .config = *config, .to = alone_path, .updates = UPDATES, .bad = -1};
  run_ranks(alone, 1, &as);
  as.to = shared_path;
  for (int ranks = 2; ranks <= TRM_COMM_MOST; ranks *= 2) {
    as.config.threads = ranks == 4 ? 2 : ranks == 2 ? 3 : 1;
    run_ranks(jobs, ranks, &as);
    if (memcmp(jobs[0].metrics, alone[0].metrics, sizeof alone[0].metrics) != 0)
      fail_msg("%s: %d ranks tell other figures than one", what, ranks);
    same_files(alone_path, shared_path);
  }
  trm_model_free(m);
}

static void ranks_train_as_one(void **state) {
  static const char *const names[] = {"mixer",     "attention",     "hrm", "",
                                      "odd mixer", "odd attention", "tied"};
  for (int which = 0; which <= TIED; which++) {
    if (which == N_MODELS) continue;
    trm_model_config mc = model_config(which);
    trm_trainer_config c = small_training(which % 2 ? 24 : 19); /* slots of unequal size */
    mc.forward_dtype = which % 2 ? TRM_BFLOAT16 : TRM_FLOAT32;
    if (which == HRM) mc.no_ACT_continue = false;
    if (which == ODD_MIXER) c.grad_clip = 0.05;
    same_bits(*state, &mc, &c, names[which]);
  }
}

static void what_depends_on_all_rows_is_the_same(void **state) {
  /* Experts, whose balance is the batch's; a solver, whose figures are told; Muon. */
  trm_model_config mc = model_config(MIXER);
  trm_trainer_config c = small_training(24);
  mc.moe = mc.moe_t = (trm_moe){TRM_ROUTER_NOISY_TOP2, 4};
  mc.moe_aux_weight = 0.25;
  same_bits(*state, &mc, &c, "experts");
  mc = model_config(ATTENTION);
  mc.solver = TRM_RECURSION_ANDERSON;
  mc.solver_iterations = 5;
  mc.solver_tolerance = 0.22;
  same_bits(*state, &mc, &c, "solver");
  mc = model_config(ATTENTION);
  mc.start_std = 0.5;
  c.optimizer = TRM_OPT_MUON;
  same_bits(*state, &mc, &c, "muon, random starts");
}

static void a_state_goes_on_with_any_number_of_ranks(void **state) {
  static job jobs[TRM_COMM_MOST];
  scratch *s = *state;
  const trm_model_config mc = model_config(ATTENTION);
  trm_model *m = small_model(&mc, 5);
  char whole[200], half[200], end[200];
  snprintf(whole, sizeof whole, "%s", scratch_path(s, "whole"));
  snprintf(half, sizeof half, "%s", scratch_path(s, "half"));
  snprintf(end, sizeof end, "%s", scratch_path(s, "end"));
  const job all = {.model = m, .config = small_training(21), .updates = UPDATES, .bad = -1};
  job as = all;
  as.to = whole;
  run_ranks(jobs, 1, &as);
  static const int ways[][2] = {{1, 4}, {4, 2}, {2, 8}, {8, 1}};
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    as = all;
    as.to = half;
    as.updates = STOP;
    run_ranks(jobs, ways[i][0], &as);
    as = all;
    as.from = half;
    as.to = end;
    run_ranks(jobs, ways[i][1], &as);
    same_files(whole, end);
  }
  trm_model_free(m);
}

/* --- what each holds, and sends -------------------------------------------------------------- */

static void a_rank_holds_its_part_and_sends_each_sum_once(void **state) {
  (void)state;
  static job jobs[TRM_COMM_MOST];
  const trm_model_config mc = model_config(ATTENTION);
  trm_model *m = small_model(&mc, 5);
  const int64_t n = m->layout->n_params;
  job as = {.model = m, .config = small_training(48), .updates = UPDATES, .bad = -1};
  int64_t before = INT64_MAX;
  for (int ranks = 1; ranks <= TRM_COMM_MOST; ranks *= 2) {
    const rank_group g = run_ranks(jobs, ranks, &as);
    for (int r = 0; r < ranks; r++) {
      assert_true(jobs[r].bytes < before);
      /* 2 (R - 1) / R of the weights an update, and little else. */
      const int64_t sums = (int64_t)UPDATES * 2 * (ranks - 1) * n / ranks * (int64_t)sizeof(real);
      assert_true(g.sent[r] >= sums);
      const trm__shared_cost *cost = &jobs[r].shared; /* all but settling is counted */
      assert_true(cost->bytes >= sums && cost->bytes <= g.sent[r]);
      assert_true(g.sent[r] - cost->bytes < UPDATES * 4096 + 65536);
      assert_int_equal(cost->updates, UPDATES);
      assert_true(cost->waiting >= 0 && cost->talking >= 0);
      assert_true(cost->waiting + cost->talking <= cost->update);
      assert_true(ranks == 1 ? cost->talking <= 0 : cost->talking > 0);
      assert_true(ranks == 1 || g.sent[r] < sums + UPDATES * 32768 + 65536);
    }
    before = jobs[0].bytes;
  }
  trm_model_free(m);
}

/* --- failures -------------------------------------------------------------------------------- */

/* All ranks fail, with the same message, which begins so and has `part` in it. */
static void all_say(const job *jobs, int ranks, trm_status st, const char *begin,
                    const char *part) {
  for (int i = 0; i < ranks; i++) {
    assert_int_equal(jobs[i].status, st);
    assert_true(jobs[i].agreed);
    if (strncmp(jobs[i].err.msg, begin, strlen(begin)) != 0 || !strstr(jobs[i].err.msg, part))
      fail_msg("rank %d: '%s', want '%s…%s'", i, jobs[i].err.msg, begin, part);
  }
}

static void a_failure_of_one_is_told_to_all(void **state) {
  static job jobs[4];
  scratch *s = *state;
  const trm_model_config mc = model_config(MIXER);
  trm_model *m = small_model(&mc, 5), *other = small_model(&mc, 6);
  const job as = {.model = m, .config = small_training(24), .updates = UPDATES, .bad = -1};

  /* A batch that one of them has otherwise: update 2 is nobody's. */
  for (int i = 0; i < 4; i++) {
    jobs[i] = as;
    jobs[i].bad = 2;
    jobs[i].liar = 3;
  }
  ranks_run(4, train, jobs, sizeof *jobs, -1, 0);
  all_say(jobs, 4, TRM_E_RANGE, "rank 3 (host3): row ", "token 99");

  /* Other weights; another seed; a batch with fewer rows than ranks. */
  for (int i = 0; i < 4; i++) jobs[i] = as;
  jobs[2].model = other;
  ranks_run(4, train, jobs, sizeof *jobs, -1, 0);
  all_say(jobs, 4, TRM_E_CONFIG, "rank 2 (host2): its state of the weights is ", "rank 0");
  for (int i = 0; i < 4; i++) jobs[i] = as;
  jobs[1].config.seed = 7;
  ranks_run(4, train, jobs, sizeof *jobs, -1, 0);
  all_say(jobs, 4, TRM_E_CONFIG, "rank 1 (host1): its training is ", "seed 7");
  for (int i = 0; i < 4; i++) jobs[i] = as;
  for (int i = 0; i < 4; i++) jobs[i].config.batch_size = 3;
  ranks_run(4, train, jobs, sizeof *jobs, -1, 0);
  all_say(jobs, 4, TRM_E_CONFIG, "rank 0 (host0): batch_size = 3", "4 ranks");

  /* A file that one of them does not have, and one that cannot be written. */
  char there[200];
  snprintf(there, sizeof there, "%s", scratch_path(s, "there"));
  for (int i = 0; i < 4; i++) jobs[i] = as;
  for (int i = 0; i < 4; i++) jobs[i].to = there;
  ranks_run(4, train, jobs, sizeof *jobs, -1, 0);
  assert_int_equal(jobs[3].status, TRM_OK);
  for (int i = 0; i < 4; i++) jobs[i] = as;
  for (int i = 0; i < 4; i++) jobs[i].from = i == 1 ? "/nowhere/state" : there;
  ranks_run(4, train, jobs, sizeof *jobs, -1, 0);
  all_say(jobs, 4, TRM_E_IO, "rank 1 (host1): /nowhere/state", "");
  for (int i = 0; i < 4; i++) jobs[i] = as;
  for (int i = 0; i < 4; i++) jobs[i].to = "/nowhere/state";
  ranks_run(4, train, jobs, sizeof *jobs, -1, 0);
  all_say(jobs, 4, TRM_E_IO, "rank 0 (host0): ", "/nowhere/state");
  trm_model_free(m);
  trm_model_free(other);
}

/* --- what is compared ------------------------------------------------------------------------ */

static void meet(rank_thread *r) {
  job *j = r->arg;
  j->status =
      trm__comm_meet_as(&r->comm, r->comm.rank == j->liar ? "9.9 other" : "9.8 ours", &j->err);
  j->agreed = r->comm.agreed;
}

static void versions_are_compared_before_all_else(void **state) {
  (void)state;
  static job jobs[4];
  for (int i = 0; i < 4; i++) jobs[i] = (job){.liar = 2};
  rank_group g = ranks_run(4, meet, jobs, sizeof *jobs, -1, 0);
  all_say(jobs, 4, TRM_E_CONFIG, "rank 2 (host2): its version of trm is 9.9 other, ", "9.8 ours");
  for (int i = 0; i < 4; i++) assert_int_equal(g.sent[i], 256 + 2 * 256);

  /* In front of all that a trainer says. */
  const trm_model_config mc = model_config(MIXER);
  trm_model *m = small_model(&mc, 5);
  const job as = {.model = m, .config = small_training(24), .updates = 1, .bad = -1};
  g = run_ranks(jobs, 4, &as);
  for (int i = 0; i < 4; i++) assert_int_equal(g.first[i], 256);
  trm_model_free(m);
}

static void ranks_that_drift_apart_are_not_saved(void **state) {
  static job jobs[4];
  scratch *s = *state;
  const trm_model_config mc = model_config(MIXER);
  trm_model *m = small_model(&mc, 5);
  static const struct {
    char what;
    int rank;
    const char *says;
  } cases[] = {{'w', 3, "rank 3 (host3): after update 6 its params differs"},
               {'e', 1, "rank 1 (host1): after update 6 its ema differs"},
               {'m', 2, "rank 2 (host2): after update 6 its "},
               {'w', 0, "rank 0 (host0): after update 6 its params differs"}};
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    const job as = {.model = m,
                    .config = small_training(24),
                    .to = scratch_path(s, "drifted"),
                    .updates = UPDATES,
                    .bad = -1,
                    .liar = cases[k].rank,
                    .drifts = cases[k].what};
    for (int i = 0; i < 4; i++) jobs[i] = as;
    ranks_run(4, train, jobs, sizeof *jobs, -1, 0);
    all_say(jobs, 4, TRM_E_SYSTEM, cases[k].says, "last checkpoint");
    assert_int_not_equal(access(as.to, F_OK), 0);
  }
  trm_model_free(m);
}

static void a_state_that_one_has_otherwise_changes_nobody(void **state) {
  static job jobs[2];
  scratch *s = *state;
  const trm_model_config mc = model_config(ATTENTION);
  trm_model *m = small_model(&mc, 5);
  char path[4][200];
  static const char *const names[] = {"three", "four", "never", "refused"};
  for (int i = 0; i < 4; i++) snprintf(path[i], sizeof path[i], "%s", scratch_path(s, names[i]));
  job as = {.model = m, .config = small_training(24), .bad = -1, .liar = 1};
  for (int i = 0; i < 3; i++) {
    as.updates = i < 2 ? 3 + i : UPDATES;
    as.to = path[i];
    run_ranks(jobs, 2, &as);
  }
  as.from = path[0];
  as.other = path[1];
  as.to = path[3];
  run_ranks(jobs, 2, &as);
  same_files(path[2], path[3]);
  trm_model_free(m);
}

static void what_a_peer_says_is_not_believed(void **state) {
  /* Every message of a training and its save, in turn, is rubbish: none reads or writes elsewhere
   * (sanitizers), and none waits for ever. */
  static job jobs[2];
  scratch *s = *state;
  trm_model_config mc = model_config(ATTENTION);
  trm_model *m = small_model(&mc, 5);
  static const unsigned char bytes[] = {0xff, 0x7f, 1};
  const job as = {.model = m,
                  .config = small_training(8),
                  .to = scratch_path(s, "garbled"),
                  .updates = 1,
                  .bad = -1};
  int failed = 0;
  for (garbles.at = 1; garbles.at < 40; garbles.at++)
    for (int k = 0; k < 3; k++) {
      garbles.rank = k % 2;
      garbles.byte = bytes[k];
      jobs[0] = jobs[1] = as;
      ranks_run(2, train, jobs, sizeof *jobs, -1, 0);
      failed += jobs[0].status != TRM_OK || jobs[1].status != TRM_OK;
    }
  garbles.rank = -1;
  assert_true(failed > 20);
  trm_model_free(m);
}

static void not_a_number_is_the_same_on_all(void **state) {
  (void)state;
  static job jobs[4];
  const trm_model_config mc = model_config(MIXER);
  trm_model *m = small_model(&mc, 5);
  trm_tensor w = trm_model_tensor_named(m, "q_head.bias");
  w.data[0] = NAN;
  const job as = {.model = m, .config = small_training(24), .updates = UPDATES, .bad = -1};
  for (int i = 0; i < 4; i++) jobs[i] = as;
  ranks_run(4, train, jobs, sizeof *jobs, -1, 0);
  for (int i = 0; i < 4; i++) {
    assert_int_equal(jobs[i].status, TRM_E_NUMERIC);
    assert_string_equal(jobs[i].err.msg, jobs[0].err.msg);
  }
  assert_non_null(strstr(jobs[0].err.msg, "weight q_head.bias"));
  assert_non_null(strstr(jobs[0].err.msg, "first in row 0, of rank 0"));
  trm_model_free(m);
}

static void who_is_gone_fails_the_others(void **state) {
  /* At every exchange of a whole training: before, within and behind each of the collectives. */
  (void)state;
  static job jobs[4];
  const trm_model_config mc = model_config(MIXER);
  trm_model *m = small_model(&mc, 5);
  job as = {.model = m, .config = small_training(24), .updates = 2, .bad = -1};
  int ends = 0;
  for (int after = 1; after < 200 && !ends; after++) {
    for (int i = 0; i < 4; i++) jobs[i] = as;
    ranks_run(4, train, jobs, sizeof *jobs, 2, after);
    for (int i = 0; i < 4; i++) {
      ends += jobs[i].status == TRM_OK;
      if (jobs[i].status == TRM_OK) continue;
      assert_int_equal(jobs[i].status, TRM_E_SYSTEM);
      assert_non_null(strstr(jobs[i].err.msg, "is gone"));
      assert_false(jobs[i].agreed);
    }
  }
  assert_true(ends > 0);
  trm_model_free(m);
}

static void numbers_of_ranks_that_share_no_tree_are_refused(void **state) {
  (void)state;
  const trm_model_config mc = model_config(MIXER);
  trm_model *m = small_model(&mc, 5);
  static const int sizes[][2] = {{0, 3}, {0, 16}, {2, 2}, {-1, 2}, {0, 0}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    trm_comm comm = {.rank = sizes[i][0], .size = sizes[i][1], .exchange = rank_exchange};
    trm_trainer_config c = small_training(24);
    trm_trainer *t;
    trm_error err;
    c.comm = &comm;
    assert_int_equal(trm_trainer_create(m, &c, &t, &err), TRM_E_CONFIG);
    assert_null(t);
  }
  trm_model_free(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ranks_train_as_one),
      cmocka_unit_test(what_depends_on_all_rows_is_the_same),
      cmocka_unit_test(a_state_goes_on_with_any_number_of_ranks),
      cmocka_unit_test(a_rank_holds_its_part_and_sends_each_sum_once),
      cmocka_unit_test(a_failure_of_one_is_told_to_all),
      cmocka_unit_test(versions_are_compared_before_all_else),
      cmocka_unit_test(ranks_that_drift_apart_are_not_saved),
      cmocka_unit_test(a_state_that_one_has_otherwise_changes_nobody),
      cmocka_unit_test(what_a_peer_says_is_not_believed),
      cmocka_unit_test(not_a_number_is_the_same_on_all),
      cmocka_unit_test(who_is_gone_fails_the_others),
      cmocka_unit_test(numbers_of_ranks_that_share_no_tree_are_refused),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
