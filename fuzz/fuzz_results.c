/* results.jsonl of trm reproduce: what is read can be written and read again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/reproduce/results.h"
#include "cli/reproduce/stats.h"
#include "fuzz.h"

/* Counts are those of the bits, and every run is found by its name. */
static void check(const repro_results *r) {
  for (int i = 0; i < r->n; i++) {
    const repro_result *one = &r->v[i];
    int64_t right = 0;
    FUZZ_CHECK(one->settings && one->line && !strchr(one->line, '\n') && one->seed >= 0);
    FUZZ_CHECK(repro_results_find(r, one->name, one->seed));
    FUZZ_CHECK(one->diverged > 0 || (one->n > 0 && one->bits));
    for (int64_t k = 0; one->bits && k < one->n; k++) right += repro_bit(one->bits, k);
    FUZZ_CHECK(right == one->right);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const settings[] = {"lr=1"};
  static const trm_model_cost cost = {.n_params = 1, .depth = 1, .flops_train = 1};
  const repro_record record = {settings, 1, &cost, 1, 2, "cpu"};
  repro_result more = {.name = "more", .diverged = 1, .seconds = -1};
  repro_results r, again;
  trm_error err;
  fuzz_put_file("results.jsonl", data, size);
  if (!fuzz_accepted_cli(repro_results_load(&r, fuzz_folder(), &err), &err)) {
    repro_results_free(&r);
    return 0;
  }
  check(&r);

  /* One more line, and all of them again. */
  FUZZ_MUST(repro_results_add(&r, &more, &record, &fuzz_error));
  FUZZ_MUST(repro_results_load(&again, fuzz_folder(), &fuzz_error));
  check(&again);
  FUZZ_CHECK(again.n == r.n);
  for (int i = 0; i < r.n; i++) FUZZ_CHECK(!strcmp(again.v[i].line, r.v[i].line));
  repro_results_free(&r);
  repro_results_free(&again);
  return 0;
}
