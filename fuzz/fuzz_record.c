/* What the folder of a run tells: a log, and behind "====" a record.jsonl. */
#include <math.h>
#include <stdio.h>

#include "fuzz.h"
#include "trm/runs.h"

static void check_summary(const trm_run_summary *s) {
  FUZZ_CHECK(s->stage >= 0 && s->stage < TRM_RUN_STAGES);
  FUZZ_CHECK(s->updates >= 0 && s->end >= 0 && s->examples >= 0 && s->diverged_at >= 0);
  FUZZ_CHECK(s->seconds >= 0 && s->seconds <= 1e12);
  FUZZ_CHECK(s->best_exact == -1 || (s->best_exact >= 0 && s->best_exact <= 1));
  FUZZ_CHECK(s->last_exact <= s->best_exact && s->best_update <= s->last_update);
  FUZZ_CHECK(s->last_update <= s->updates);
}

/* What a follower tells, as far as it can be compared. */
typedef struct told {
  int64_t figures, anew;
  uint64_t hash;
  double seconds;
} told;

static void take_figure(void *arg, const char *key, const trm_run_point *point) {
  told *t = arg;
  t->anew += !key;
  if (!key) return;
  FUZZ_CHECK(isfinite(point->value) && point->update >= 0 && point->seconds >= t->seconds);
  t->figures++;
  t->seconds = point->seconds;
  for (const unsigned char *c = (const unsigned char *)key; *c; c++)
    t->hash = (t->hash ^ *c) * 0x100000001b3;
  t->hash = (t->hash ^ (uint64_t)(int64_t)point->update) * 0x100000001b3;
}

static void read_all(trm_run_follower *f, told *t) {
  int64_t left = 1;
  while (left) {
    FUZZ_MUST(trm_run_follower_read(f, 1, take_figure, t, &left, &fuzz_error));
    check_summary(trm_run_record_summary(trm_run_follower_record(f)));
  }
}

/* A log that grows tells the same as one that was there; a complete one what its record does. */
static void follow(const trm_run_record *r, fuzz_bytes log) {
  trm_run_follower *f;
  told grown = {0}, whole = {0};
  fuzz_put_file("log.jsonl", log.data, log.size / 2);
  FUZZ_MUST(trm_run_follow(fuzz_folder(), &f, &fuzz_error));
  read_all(f, &grown);
  fuzz_put_file("log.jsonl", log.data, log.size);
  read_all(f, &grown);
  FUZZ_CHECK(grown.anew == 0);
  const trm_run_summary *a = trm_run_record_summary(trm_run_follower_record(f));
  const trm_run_summary *b = trm_run_record_summary(r);
  if (log.size && log.data[log.size - 1] == '\n')
    FUZZ_CHECK(a->best_exact == b->best_exact && a->seconds == b->seconds);
  trm_run_follower_free(f);

  FUZZ_MUST(trm_run_follow(fuzz_folder(), &f, &fuzz_error));
  read_all(f, &whole);
  FUZZ_CHECK(whole.figures == grown.figures && whole.hash == grown.hash);
  trm_run_follower_free(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char config[] = "seed: 3\nepochs: 10\n";
  static const char *const keys[] = {"train/lm_loss", "all/exact_accuracy", "step"};
  fuzz_bytes parts[2];
  trm_run_record *r;
  trm_error err;
  fuzz_split(data, size, parts, 2);
  fuzz_put_file("config.yaml", config, sizeof config - 1);
  fuzz_put_file("log.jsonl", parts[0].data, parts[0].size);
  fuzz_put_file("record.jsonl", parts[1].data, parts[1].size);
  if (!fuzz_accepted_cli(trm_run_record_open(fuzz_folder(), &r, &err), &err)) return 0;
  check_summary(trm_run_record_summary(r));

  /* Curves go on in time, and have no more points than the log has bytes. */
  for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
    trm_run_point *points;
    int64_t n;
    FUZZ_MUST(trm_run_record_curve(r, keys[k], &points, &n, &fuzz_error));
    FUZZ_CHECK(n >= 0 && (size_t)n <= parts[0].size);
    for (int64_t i = 0; i < n; i++)
      FUZZ_CHECK(isfinite(points[i].value) && points[i].seconds >= 0 &&
                 (i == 0 || points[i].seconds >= points[i - 1].seconds));
    trm_run_points_free(points);
  }
  follow(r, parts[0]);
  trm_run_record_free(r);
  return 0;
}
