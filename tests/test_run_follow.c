/* Runs that are read while they grow. */
#include <math.h>
#include <unistd.h>

#include "small_runs.h"

/* What a follower tells of one key. */
typedef struct told {
  const char *key;
  int n, anew;
  trm_run_point last;
} told;

static void take_figure(void *arg, const char *key, const trm_run_point *point) {
  told *t = arg;
  if (!key) t->n = 0;
  t->anew += !key;
  if (!key || (t->key && strcmp(key, t->key) != 0)) return;
  t->n++;
  t->last = *point;
}

static trm_run_follower *follower_of(const char *folder) {
  trm_run_follower *f;
  trm_error err;
  if (trm_run_follow(folder, &f, &err) != TRM_OK) fail_msg("%s", err.msg);
  return f;
}

static int read_more(trm_run_follower *f, told *t) {
  int64_t left;
  trm_error err;
  if (trm_run_follower_read(f, INT64_MAX, take_figure, t, &left, &err) != TRM_OK)
    fail_msg("%s", err.msg);
  return (int)left;
}

/* A log that grows, is cut, is replaced, goes away: each line is told once, whole. */
static void growing_logs_are_followed(void **state) {
  scratch *s = *state;
  char path[400], text[40];
  told t = {.key = "train/lm_loss"};
  train(MORE("run_name=grows", "max_updates=1"));
  snprintf(path, sizeof path, "%s/log.jsonl", path_of(s, "grows"));
  put_files(s, "grows", LOSS(1, 110, 2) LOSS(2, 120, 1.5) "{\"step\":3,\"ti", START(0, 4, 100));
  trm_run_follower *f = follower_of(path_of(s, "grows"));
  assert_int_equal(read_more(f, &t), 0);
  assert_int_equal(t.n, 2);
  assert_true(t.last.update == 2 && t.last.seconds == 20 && t.last.samples == 32);
  trm_run_record_end(trm_run_follower_record(f), "state", text, sizeof text);
  assert_string_equal(text, "");

  /* The rest of the line, a pause, and how it ended. */
  put_files(s, "grows", LOSS(1, 110, 2) LOSS(2, 120, 1.5) LOSS(3, 520, 1),
            START(0, 4, 100) START(2, 9, 510) END(3, "failed", 530));
  assert_int_equal(read_more(f, &t), 0);
  assert_true(t.n == 3 && t.anew == 0 && t.last.value == 1 && t.last.seconds == 30);
  assert_int_equal(trm_run_record_summary(trm_run_follower_record(f))->end, 9);
  trm_run_record_end(trm_run_follower_record(f), "state", text, sizeof text);
  assert_string_equal(text, "failed");

  /* It goes on from an earlier place: shorter, or meanwhile as long as before and other. */
  put_files(s, "grows", LOSS(1, 110, 2) LOSS(2, 120, 1.5), NULL);
  assert_int_equal(read_more(f, &t), 0);
  assert_true(t.n == 2 && t.anew == 1);
  put_files(s, "grows", LOSS(1, 110, 3) LOSS(2, 120, 3) LOSS(5, 130, 0.5), NULL);
  assert_int_equal(read_more(f, &t), 0);
  assert_true(t.n == 3 && t.anew == 2 && t.last.update == 5);
  assert_int_equal(trm_run_record_summary(trm_run_follower_record(f))->updates, 5);
  assert_int_equal(unlink(path), 0);
  assert_int_equal(read_more(f, &t), 0);
  assert_true(t.n == 0 && t.anew == 3);

  /* No link is followed, and a run that is gone is told. */
  int64_t left;
  trm_error err;
  assert_int_equal(symlink(scratch_path(s, "mine"), path), 0);
  assert_int_equal(read_more(f, &t), 0);
  snprintf(path, sizeof path, "%s/config.yaml", path_of(s, "grows"));
  assert_int_equal(unlink(path), 0);
  put_files(s, "grows", "", START(0, 4, 100));
  assert_int_not_equal(trm_run_follower_read(f, 1, take_figure, &t, &left, &err), TRM_OK);
  trm_run_follower_free(f);
}

/* A long log comes in parts, and neither lines without an end nor what is no line stop it. */
static void long_logs_come_in_parts(void **state) {
  enum { LINES = 20000, JUNK = 3 << 20, PART = 1 << 18 };
  scratch *s = *state;
  char path[400];
  told t = {.key = "a"};
  int64_t left = 1;
  int parts = 0;
  train(MORE("run_name=long", "max_updates=1"));
  snprintf(path, sizeof path, "%s/log.jsonl", path_of(s, "long"));
  FILE *out = fopen(path, "wb");
  for (int i = 1; i <= LINES; i++)
    fprintf(out, "{\"step\":%d,\"epoch\":1.0,\"time\":%d.0,\"a\":%d,\"b\":null}\n", i, 100 + i, i);
  for (int i = 0; i < JUNK; i++) fputc('{', out);
  fputs("\n{\"step\":-1,\"a\":1}\n{\"step\":20001,\"a\":7}\n", out);
  fclose(out);
  trm_run_follower *f = follower_of(path_of(s, "long"));
  for (trm_error err; left; parts++) {
    const int before = t.n;
    if (trm_run_follower_read(f, PART, take_figure, &t, &left, &err) != TRM_OK)
      fail_msg("%s", err.msg);
    assert_in_range(t.n - before, 0, PART / 40);
  }
  assert_int_equal(t.n, LINES + 1);
  assert_true(t.last.value == 7 && parts > 4);
  assert_int_equal(trm_run_record_summary(trm_run_follower_record(f))->updates, LINES + 1);
  trm_run_follower_free(f);
}

/* Of a run at every stage of its life. */
static void followers_and_records_agree(void **state) {
  static const char *const records[] = {
      NULL, START(0, 4, 100), START(0, 4, 100) END(2, "stopped", 125),
      START(0, 4, 100) END(2, "diverged", 125), START(0, 2, 100) END(2, "done", 125)};
  scratch *s = *state;
  train(MORE("run_name=both", "max_updates=1"));
  for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
    put_files(s, "both", LOSS(1, 110, 2) EXACT(2, 120, 0.5), records[i]);
    trm_run_record *r = record_of(path_of(s, "both"));
    trm_run_follower *f = follower_of(path_of(s, "both"));
    read_more(f, &(told){0});
    const trm_run_summary *a = trm_run_record_summary(r);
    const trm_run_summary *b = trm_run_record_summary(trm_run_follower_record(f));
    assert_int_equal(a->stage, b->stage);
    assert_true(a->updates == b->updates && a->end == b->end && a->seconds == b->seconds);
    assert_true(a->best_update == b->best_update && a->best_exact == b->best_exact);
    assert_true(a->last_exact == b->last_exact && a->examples == b->examples);
    assert_true(a->diverged_at == b->diverged_at && a->seed == b->seed);
    trm_run_follower_free(f);
    trm_run_record_free(r);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(growing_logs_are_followed),
                                     cmocka_unit_test(long_logs_come_in_parts),
                                     cmocka_unit_test(followers_and_records_agree)};
  return cmocka_run_group_tests(tests, set_up, scratch_close);
}
