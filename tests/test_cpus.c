/* The number of threads a process is given by default: CPU limits of control groups in made-up
 * trees of both versions, and what nonsense in them does (nothing). */
#include "base/cpus.h"
#include "system_trees.h"
#include "trm.h"

#define MAX_NAME "max 100000\n"

static int limit(const scratch *s, const char *tree) {
  const uint64_t n = group_limit(s, tree, TRM__CGROUP_CPUS);
  return n == TRM__NO_LIMIT ? 0 : (int)n;
}

static const char mounts_v2[] =
    "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
    "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";

/* A process in /a/b whose groups have these limits (NULL: no file). */
static void put_v2(const scratch *s, const char *tree, const char *top, const char *a,
                   const char *b) {
  put(s, tree, "proc/self/cgroup", "0::/a/b\n");
  put(s, tree, "proc/self/mountinfo", mounts_v2);
  if (top) put(s, tree, "sys/fs/cgroup/cpu.max", top);
  if (a) put(s, tree, "sys/fs/cgroup/a/cpu.max", a);
  if (b) put(s, tree, "sys/fs/cgroup/a/b/cpu.max", b);
}

static void version_2_takes_the_smallest_up_to_the_mount(void **state) {
  const scratch *s = *state;
  put_v2(s, "v2_none", NULL, NULL, NULL);
  assert_int_equal(limit(s, "v2_none"), 0);
  put_v2(s, "v2_max", NULL, MAX_NAME, MAX_NAME);
  assert_int_equal(limit(s, "v2_max"), 0);
  put_v2(s, "v2_own", NULL, MAX_NAME, "400000 100000\n");
  assert_int_equal(limit(s, "v2_own"), 4);
  put_v2(s, "v2_above", NULL, "300000 100000\n", "400000 100000\n");
  assert_int_equal(limit(s, "v2_above"), 3);
  put_v2(s, "v2_top", "100000 50000\n", MAX_NAME, "400000 100000\n");
  assert_int_equal(limit(s, "v2_top"), 2);
  put_v2(s, "v2_below", "900000 100000\n", MAX_NAME, "500000 100000\n");
  assert_int_equal(limit(s, "v2_below"), 5);
}

static void parts_of_a_processor_count_as_one(void **state) {
  const scratch *s = *state;
  static const struct {
    const char *text;
    int want;
  } cases[] = {{"150000 100000\n", 2}, {"200000 100000\n", 2},
               {"200001 100000\n", 3}, {"1000 100000\n", 1},
               {"50000 100000\n", 1},  {"999999999999999999 1\n", INT32_MAX}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    put_v2(s, "parts", NULL, NULL, cases[i].text);
    assert_int_equal(limit(s, "parts"), cases[i].want);
  }
}

static void nonsense_sets_no_limit(void **state) {
  const scratch *s = *state;
  static const char *const texts[] = {"",
                                      "\n",
                                      "100000",
                                      "100000\n",
                                      "100000 \n",
                                      "100000 0\n",
                                      "0 100000\n",
                                      "-100000 100000\n",
                                      "100000 -1\n",
                                      "100000 100000 7\n",
                                      "1e5 100000\n",
                                      " 100000 100000\n",
                                      "99999999999999999999999999 100000\n",
                                      "100000 99999999999999999999999999\n",
                                      "0000000000000000000000000000000000000000000100000 100000\n",
                                      "\xff\xfe\n"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    put_v2(s, "bad", NULL, NULL, texts[i]);
    assert_int_equal(limit(s, "bad"), 0);
    /* and does not hide the good limit above it */
    put_v2(s, "bad_below", NULL, "300000 100000\n", texts[i]);
    assert_int_equal(limit(s, "bad_below"), 3);
  }

  /* A zero byte within. */
  char zero[64] = "100000 100000\n";
  zero[3] = 0;
  put_v2(s, "bad", NULL, NULL, "");
  char path[256];
  snprintf(path, sizeof path, "%s/bad/sys/fs/cgroup/a/b/cpu.max", s->dir);
  write_bytes(path, zero, sizeof zero);
  assert_int_equal(limit(s, "bad"), 0);
}

static const char mounts_v1[] =
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
    "33 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpuacct,cpu\n";

static void put_v1(const scratch *s, const char *tree, const char *dir, const char *quota,
                   const char *period) {
  char name[256];
  put(s, tree, "proc/self/cgroup", "9:name=systemd:/x\n3:cpuset:/y\n2:cpuacct,cpu:/box\n0::/\n");
  put(s, tree, "proc/self/mountinfo", mounts_v1);
  snprintf(name, sizeof name, "sys/fs/cgroup/%s/cpu.cfs_quota_us", dir);
  if (quota) put(s, tree, name, quota);
  snprintf(name, sizeof name, "sys/fs/cgroup/%s/cpu.cfs_period_us", dir);
  if (period) put(s, tree, name, period);
}

static void version_1_has_two_files(void **state) {
  const scratch *s = *state;
  put_v1(s, "v1", "cpu,cpuacct/box", "250000\n", "100000\n");
  assert_int_equal(limit(s, "v1"), 3);
  put_v1(s, "v1", "cpu,cpuacct", "100000\n", "100000\n");
  assert_int_equal(limit(s, "v1"), 1);
  put_v1(s, "v1_free", "cpu,cpuacct/box", "-1\n", "100000\n");
  assert_int_equal(limit(s, "v1_free"), 0);
  put_v1(s, "v1_half", "cpu,cpuacct/box", "250000\n", NULL);
  assert_int_equal(limit(s, "v1_half"), 0);
  /* The limit of another hierarchy is none on processor time. */
  put_v1(s, "v1_other", "cpuset/y", "100000\n", "100000\n");
  assert_int_equal(limit(s, "v1_other"), 0);
}

static void both_versions_at_once(void **state) {
  const scratch *s = *state;
  char mounts[1024];
  snprintf(mounts, sizeof mounts, "%s41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 none rw\n",
           mounts_v1);
  put_v1(s, "hybrid", "cpu,cpuacct/box", "250000\n", "100000\n");
  put(s, "hybrid", "proc/self/mountinfo", mounts);
  assert_int_equal(limit(s, "hybrid"), 3);
  put(s, "hybrid", "sys/fs/cgroup/unified/cpu.max", "200000 100000\n");
  assert_int_equal(limit(s, "hybrid"), 2);
}

/* A container may see its own group as the top of the mount, and any folder may be that. */
static void mounts_that_show_a_part(void **state) {
  /* The group that a process is in, the part that the mount shows, and the limit that follows. */
  const scratch *s = *state;
  static const struct {
    const char *group, *shown;
    int want;
  } cases[] = {{"/docker/id", "/docker/id", 4},
               {"/docker/id/in", "/docker/id", 2},
               {"/docker/idea", "/docker/id", 0},
               {"/other", "/docker/id", 0},
               {"/", "/docker/id", 0},
               {"/in", "/", 2},
               {"/../in", "/", 0},
               {"/in/..", "/", 0},
               {"/gone", "/", 4},
               {"/in/gone/too (deleted)", "/", 2}};

  /* Two groups with limits, in a folder with a space. */
  put(s, "part", "my groups/cpu.max", "400000 100000\n");
  put(s, "part", "my groups/in/cpu.max", "200000 100000\n");

  /* A group is found below what is shown, and where it is not, no limit is guessed. */
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[256];
    snprintf(text, sizeof text, "0::%s\n", cases[i].group);
    put(s, "part", "proc/self/cgroup", text);
    snprintf(text, sizeof text, "5 4 0:9 %s /my\\040groups rw - cgroup2 c rw\n", cases[i].shown);
    put(s, "part", "proc/self/mountinfo", text);
    if (limit(s, "part") != cases[i].want) fail_msg("%s in %s", cases[i].group, cases[i].shown);
  }
}

/* Lines that are cut, too long, or of no form; the good one behind them still counts. */
static void strange_lines_are_passed_over(void **state) {
  const scratch *s = *state;
  static const char *const strange[] = {
      "",        "\n",      "0\n",        "0:\n",       "0::\n",           "0::x\n",
      ":::::\n", "7:cpu\n", "\\040 - \n", " - a b c\n", "a b c d e - f\n", "1 2 3 4 5 - cgroup2\n"};

  /* Each line in front of the right one, and once more behind a line that is longer than any
   * buffer. */
  char *text = malloc(40000);
  assert_non_null(text);
  put_v2(s, "odd", NULL, "100000 100000\n", NULL);
  for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
    for (int length = 0; length <= 20000; length += 20000) {
      memset(text, 'x', (size_t)length);
      snprintf(text + length, 20000, "%s%s0::/a/b\n", length ? "\n" : "", strange[i]);
      put(s, "odd", "proc/self/cgroup", text);
      snprintf(text + length, 20000, "%s%s%s", length ? "\n" : "", strange[i], mounts_v2);
      put(s, "odd", "proc/self/mountinfo", text);
      if (limit(s, "odd") != 1) fail_msg("line %zu after %d bytes", i, length);
    }
  }

  put(s, "odd", "proc/self/mountinfo", "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw");
  assert_int_equal(limit(s, "odd"), 0); /* a line without its end may be half a path */

  /* a path that no file can have */
  memset(text, 'x', 20000);
  memcpy(text, "0::/", 4);
  memcpy(text + 5000, "\n", 2);
  put(s, "odd", "proc/self/cgroup", text);
  put(s, "odd", "proc/self/mountinfo", mounts_v2);
  assert_int_equal(limit(s, "odd"), 0);
  free(text);
}

static void files_that_are_not_there(void **state) {
  const scratch *s = *state;
  assert_int_equal(limit(s, "nowhere"), 0);
  put(s, "half", "proc/self/cgroup", "0::/\n");
  assert_int_equal(limit(s, "half"), 0);
  put(s, "folder", "proc/self/cgroup", "0::/\n");
  put(s, "folder", "proc/self/mountinfo", mounts_v2);
  put(s, "folder", "sys/fs/cgroup/cpu.max/x", "100000 100000\n");
  assert_int_equal(limit(s, "folder"), 0);
  char root[6000];
  memset(root, 'r', sizeof root);
  root[sizeof root - 1] = 0;
  assert_true(trm__cgroup_limit(root, TRM__CGROUP_CPUS) == TRM__NO_LIMIT);
}

static void this_machine_has_at_least_one(void **state) {
  (void)state;
  const uint64_t allowed = trm__cgroup_limit("", TRM__CGROUP_CPUS);
  assert_true(trm__default_threads() >= 1);
  assert_true((uint64_t)trm__default_threads() <= allowed);
  assert_int_equal(trm_default_threads(), trm__default_threads());
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(version_2_takes_the_smallest_up_to_the_mount),
      cmocka_unit_test(parts_of_a_processor_count_as_one),
      cmocka_unit_test(nonsense_sets_no_limit),
      cmocka_unit_test(version_1_has_two_files),
      cmocka_unit_test(both_versions_at_once),
      cmocka_unit_test(mounts_that_show_a_part),
      cmocka_unit_test(strange_lines_are_passed_over),
      cmocka_unit_test(files_that_are_not_there),
      cmocka_unit_test(this_machine_has_at_least_one),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
