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
  trm_run_record_free(r);
  return 0;
}
