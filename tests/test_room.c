/* How much memory may still be taken: limits of control groups in made-up trees of both versions,
 * the machine's, and limits of this process; and that what does not fit is refused before it is
 * taken. */
#include "base/memory.h"
#include "base/room.h"
#include "child.h"
#include "resource_limits.h"
#include "small_trainer.h"
#include "system_trees.h"

#define MIB ((int64_t)1 << 20)

static trm__room room_of(const scratch *s, const char *tree) {
  char root[256];
  snprintf(root, sizeof root, "%s/%s", s->dir, tree);
  return trm__memory_room(root);
}

static int64_t left(const scratch *s, const char *tree) {
  const uint64_t n = group_limit(s, tree, TRM__CGROUP_MEMORY);
  return n == TRM__NO_LIMIT ? -1 : (int64_t)n;
}

/* A process in /a/b. */
static void put_v2(const scratch *s, const char *tree) {
  put(s, tree, "proc/self/cgroup", "0::/a/b\n");
  put(s, tree, "proc/self/mountinfo",
      "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n");
}

#define GROUP "sys/fs/cgroup/a/b/"

static void version_2_less_what_is_used(void **state) {
  const scratch *s = *state;
  put_v2(s, "v2");
  assert_int_equal(left(s, "v2"), -1);
  put(s, "v2", GROUP "memory.max", "max\n");
  put(s, "v2", GROUP "memory.high", "max\n");
  assert_int_equal(left(s, "v2"), -1);
  put(s, "v2", GROUP "memory.max", "1000000\n");
  assert_int_equal(left(s, "v2"), 1000000);
  put(s, "v2", GROUP "memory.current", "600000\n");
  assert_int_equal(left(s, "v2"), 400000);
  put(s, "v2", GROUP "memory.stat", "anon 1\ninactive_file 50000\nfile 9\nactive_file 150000\n");
  assert_int_equal(left(s, "v2"), 600000);
  put(s, "v2", GROUP "memory.stat", "inactive_file 700000\nactive_file 150000\n");
  assert_int_equal(left(s, "v2"), 1000000);
  put(s, "v2", GROUP "memory.high", "800000\n");
  assert_int_equal(left(s, "v2"), 800000);
  put(s, "v2", GROUP "memory.stat", "");
  put(s, "v2", GROUP "memory.current", "900000\n");
  assert_int_equal(left(s, "v2"), 0);
}

static void the_smallest_up_to_the_mount(void **state) {
  const scratch *s = *state;
  put_v2(s, "up");
  put(s, "up", GROUP "memory.max", "max\n");
  put(s, "up", "sys/fs/cgroup/a/memory.max", "5000000\n");
  assert_int_equal(left(s, "up"), 5000000);
  put(s, "up", "sys/fs/cgroup/memory.max", "4000000\n");
  assert_int_equal(left(s, "up"), 4000000);
  put(s, "up", GROUP "memory.max", "3000000\n");
  assert_int_equal(left(s, "up"), 3000000);
  put(s, "up", "sys/fs/cgroup/a/memory.current", "4000000\n"); /* mostly by neighbours */
  assert_int_equal(left(s, "up"), 1000000);
}

static void version_1(void **state) {
  const scratch *s = *state;
  put(s, "v1", "proc/self/cgroup", "4:memory:/box\n3:cpu,cpuacct:/box\n0::/\n");
  put(s, "v1", "proc/self/mountinfo",
      "33 31 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
      "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpuacct,cpu\n");
  put(s, "v1", "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  put(s, "v1", "sys/fs/cgroup/cpu/box/memory.limit_in_bytes", "5\n"); /* of another hierarchy */
  assert_int_equal(left(s, "v1"), -1);
  put(s, "v1", "sys/fs/cgroup/memory/box/memory.limit_in_bytes", "1000000\n");
  put(s, "v1", "sys/fs/cgroup/memory/box/memory.usage_in_bytes", "500000\n");
  assert_int_equal(left(s, "v1"), 500000);
  put(s, "v1", "sys/fs/cgroup/memory/box/memory.stat",
      "inactive_file 7\ntotal_inactive_file 100000\ntotal_active_file 100000\n");
  assert_int_equal(left(s, "v1"), 700000);
}

static void nonsense_sets_no_limit(void **state) {
  const scratch *s = *state;
  static const char *const texts[] = {
      "", "\n", "-1\n", "1e9\n", " 5\n", "5 5\n", "5k\n", "\xff\n", "99999999999999999999999\n"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    put_v2(s, "bad");
    put(s, "bad", GROUP "memory.max", texts[i]);
    assert_int_equal(left(s, "bad"), -1);
    put(s, "bad", GROUP "memory.max", "700\n");
    put(s, "bad", GROUP "memory.current", texts[i]);
    assert_int_equal(left(s, "bad"), 700);
    put(s, "bad", GROUP "memory.current", "");
  }
}

static void the_limit_that_binds_has_a_name(void **state) {
  const scratch *s = *state;
  put(s, "name", "proc/meminfo", "MemFree: 1 kB\nMemAvailable:   2000 kB\nSwapFree:     48 kB\n");
  trm__room room = room_of(s, "name");
  assert_int_equal(room.bytes, 2048 * 1024);
  assert_non_null(strstr(room.of, "machine"));
  put_v2(s, "name");
  put(s, "name", GROUP "memory.max", "1000000\n");
  room = room_of(s, "name");
  assert_int_equal(room.bytes, 1000000);
  assert_non_null(strstr(room.of, "control group"));
  /* Without a word about what is available, the machine sets no limit. */
  put(s, "old", "proc/meminfo", "MemFree: 1 kB\nSwapFree: 5 kB\n");
  assert_true(room_of(s, "old").bytes > 5 * 1024);
}

/* --- limits of this process, and what comes of them --- */

typedef struct limited {
  int resource;
  int64_t bytes; /* beside what is taken */
  const char *name;
} limited;

/* Pages of the address space, or of private memory, in bytes. */
static uint64_t taken(bool whole) {
  unsigned long size = 0, data = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  if (f && fscanf(f, "%lu %*u %*u %*u %*u %lu", &size, &data) != 2) size = data = 0;
  if (f) fclose(f);
  return (uint64_t)(whole ? size : data) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Leaves this process so much room, to a page or two. */
static bool limit_to(const limited *l) {
  struct rlimit limit = {.rlim_max = RLIM_INFINITY};
  if (trm__memory_room("").bytes < l->bytes) return false;
  limit.rlim_cur = (rlim_t)l->bytes + taken(l->resource == RLIMIT_AS);
  return setrlimit(l->resource, &limit) == 0;
}

static bool says(const trm_error *err, const char *words) {
  if (strstr(err->msg, words)) return true;
  print_error("'%s' does not say '%s'\n", err->msg, words);
  return false;
}

static bool blocks_are_refused(void *arg) {
  const limited *l = arg;
  trm_error err;
  char limit[128];
  if (!limit_to(l) || trm_memory_room(limit, sizeof limit) > l->bytes + MIB) return false;
  void *small = trm__alloc(1 << 20, 1), *large = trm__alloc(1, (size_t)(2 * l->bytes));
  const bool good = small && !large;
  trm__free(small);
  return good && trm__no_memory("a test", 1, (size_t)(2 * l->bytes), &err) == TRM_E_MEMORY &&
         says(&err, "no memory for a test") && says(&err, l->name) && strstr(limit, l->name);
}

static void large_blocks_are_refused(void **state) {
  (void)state;
  limited as = {RLIMIT_AS, 100 * MIB, "ulimit -v"}, data = {RLIMIT_DATA, 100 * MIB, "ulimit -d"};
  if (!limits_work()) skip();
  assert_true(child_does(blocks_are_refused, &as));
  assert_true(child_does(blocks_are_refused, &data));
}

/* A trainer whose batch is the large part: refused whole, before any of it is taken. */
static bool trainers_are_refused(void *arg) {
  const limited *l = arg;
  const trm_model_config mc = model_config(MIXER);
  trm_trainer_config c = small_training(1 << 20);
  trm_trainer_cost cost;
  trm_trainer *t;
  trm_error err;
  trm_model *m = small_model(&mc, 5);
  if (!limit_to(l)) return false;
  const bool refused = trm_trainer_create(m, &c, &t, &err) == TRM_E_MEMORY;
  bool good = refused && says(&err, "are needed") && says(&err, l->name) &&
              says(&err, "a smaller batch_size") &&
              trm_trainer_cost_of(&mc, &c, &cost, NULL) == TRM_OK && cost.bytes > l->bytes;
  c.batch_size = 8;
  good = good && trm_trainer_create(m, &c, &t, &err) == TRM_OK;
  if (good) trm_trainer_free(t);
  trm_model_free(m);
  return good;
}

/* Of activations as much is planned as there is room for. */
static bool micro_batches_fit(void *arg) {
  const limited *l = arg;
  trm_model_config mc = model_config(ATTENTION);
  trm_trainer_config c = small_training(512);
  trm_trainer_cost before, after;
  mc.hidden_size = 512;
  mc.L_cycles = 6;
  mc.H_cycles = 3;
  c.threads = 8;
  if (trm_trainer_cost_of(&mc, &c, &before, NULL) != TRM_OK) return false;
  limited some = *l;
  some.bytes = before.bytes + before.evaluation - before.activations / 2;
  if (!limit_to(&some) || trm_trainer_cost_of(&mc, &c, &after, NULL) != TRM_OK) return false;
  return after.bytes + after.evaluation <= some.bytes && after.micro_batch < before.micro_batch;
}

/* The rows of a queue, and the logits that it keeps of them, take half of what is left at most. */
static bool queues_fit(void *arg) {
  /* Rows of 8 MiB of logits. */
  const limited *l = arg;
  trm_model_config mc = model_config(MIXER);
  trm_error err;
  mc.vocab_size = 1 << 15;
  mc.seq_len = 64; /* 8 MiB of logits a row */
  trm_model *m = small_model(&mc, 5);

  /* Under the limit, with the logits of the solver alone, and with a copy of them. */
  bool good = limit_to(l);
  for (int copies = 1; copies <= 2 && good; copies++) {
    const trm_queue_config c = {.threads = 1, .logits = copies == 2};
    trm_queue *q;
    good = trm_queue_create(m, &c, &q, &err) == TRM_OK;
    if (!good) {
      print_error("%s\n", err.msg);
      break;
    }

    /* The queue has as many rows as fit, but for what else it needs. */
    const int64_t most = l->bytes / 2 / (copies * 8 * MIB);
    good = trm_queue_places(q) <= most && trm_queue_places(q) >= most - 2;
    if (!good) print_error("%d rows of %lld\n", trm_queue_places(q), (long long)most);
    trm_queue_free(q);
  }
  trm_model_free(m);
  return good;
}

static bool solvers_are_refused(void *arg) {
  const limited *l = arg;
  const trm_model_config mc = model_config(MIXER);
  trm_solver *solver;
  trm_error err;
  trm_model *m = small_model(&mc, 5);
  const trm_solver_config c = {.batch = 1 << 20, .threads = 1};
  const bool good = limit_to(l) && trm_solver_create(m, &c, &solver, &err) == TRM_E_MEMORY &&
                    says(&err, "a smaller batch") && says(&err, l->name);
  trm_model_free(m);
  return good;
}

static void what_does_not_fit_is_refused_whole(void **state) {
  (void)state;
  limited data = {RLIMIT_DATA, 100 * MIB, "ulimit -d"};
  if (!limits_work()) skip();
  assert_true(child_does(trainers_are_refused, &data));
  assert_true(child_does(solvers_are_refused, &data));
}

static void automatic_sizes_fit(void **state) {
  (void)state;
  limited data = {RLIMIT_DATA, 0, "ulimit -d"}, queue = {RLIMIT_DATA, 100 * MIB, "ulimit -d"};
  if (!limits_work()) skip();
  assert_true(child_does(micro_batches_fit, &data));
  assert_true(child_does(queues_fit, &queue));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(version_2_less_what_is_used),
      cmocka_unit_test(the_smallest_up_to_the_mount),
      cmocka_unit_test(version_1),
      cmocka_unit_test(nonsense_sets_no_limit),
      cmocka_unit_test(the_limit_that_binds_has_a_name),
      cmocka_unit_test(large_blocks_are_refused),
      cmocka_unit_test(what_does_not_fit_is_refused_whole),
      cmocka_unit_test(automatic_sizes_fit),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
