/* A user's own grids, from JSONL or CSV. The parts of the input: "jsonl" or "csv" with the options
 * test_share, vocabulary, symmetries and rules in lines of their own (empty: none), the file. What
 * is accepted gives a data set that passes its verification. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "trm/grid.h"

enum { LINES = 5, LINE = 256 };

/* The first lines of a part; those that are absent are empty. */
static void split_lines(fuzz_bytes part, char lines[LINES][LINE]) {
  memset(lines, 0, LINES * sizeof *lines);
  for (int i = 0; i < LINES && part.size; i++) {
    const uint8_t *end = memchr(part.data, '\n', part.size);
    const size_t n = end ? (size_t)(end - part.data) : part.size;
    memcpy(lines[i], part.data, n < LINE ? n : LINE - 1);
    part.data += end ? n + 1 : n;
    part.size -= end ? n + 1 : n;
  }
}

static void report_check(void *arg, const char *check, const trm_error *failure) {
  FUZZ_CHECK(check && check[0]);
  if (failure) fuzz_failed(__FILE__, __LINE__, check, failure->msg);
  (void)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static bool linked;
  fuzz_bytes parts[2];
  char lines[LINES][LINE];
  trm_build_report report;
  trm_error err;
  int failures;

  /* Settings, one a line, and the file of puzzles, whose form its name says. */
  fuzz_split(data, size, parts, 2);
  split_lines(parts[0], lines);
  (void)fuzz_file(0, parts[1].data, parts[1].size);
  if (!linked) {
    fuzz_link("own.jsonl", 0);
    fuzz_link("own.csv", 0);
    linked = true;
  }

  const trm_grid_build_config config = {
      .train = fuzz_path(strcmp(lines[0], "csv") ? "own.jsonl" : "own.csv"),
      .output_dir = fuzz_path("built"),
      .test_share = lines[1][0] ? 0.5 : 0,
      /* A name of a file would be read: only lists. */
      .vocabulary = strchr(lines[2], ',') && !strchr(lines[2], '/') ? lines[2] : NULL,
      .symmetries = lines[3][0] ? lines[3] : NULL,
      .rules = lines[4][0] ? lines[4] : NULL,
      .num_aug = 2};

  /* What is built is verified: rows, rules and symmetries. */
  if (!fuzz_accepted(trm_build_grid(&config, &report, &err), &err)) return 0;
  const trm_verify_config verify = {.max_examples = 8, .report = report_check};
  FUZZ_MUST(trm_dataset_verify(config.output_dir, &verify, &failures, &fuzz_error));
  FUZZ_CHECK(failures == 0);
  return 0;
}
