/* What ARC's scores are made of. The parts of the input: test_puzzles.json, identifiers.json,
 * the votes of an evaluation's state (as in fuzz_tensors.h), a submission, which is also the file
 * of one task in a folder, and its solutions. */
#include <string.h>

#include "cli/pictures/puzzle_names.h"
#include "eval/arc_votes.h"
#include "fuzz_tensors.h"

enum { PARTS = 5, VOTES = 4 };

/* Predictions that crop to grids of several sizes. */
static void vote(trm_arc_votes *v) {
  static int32_t inputs[TRM__ARC_CELLS], answer[TRM__ARC_CELLS];
  trm_error err;
  for (int k = 0; k < VOTES; k++) {
    memset(inputs, 0, sizeof inputs);
    memset(answer, 0, sizeof answer);
    inputs[0] = 2 + k / 2;
    inputs[1] = inputs[TRM__ARC_SIDE] = TRM_PUZZLE_END;
    for (int i = 0; i <= k; i++) answer[i % 2 * TRM__ARC_SIDE + i / 2] = 2 + i;
    (void)fuzz_accepted(trm_arc_votes_add(v, k, k, TRM__ARC_SIDE, inputs, answer, k - 1, &err),
                        &err);
  }
}

static void count(const trm_arc_votes *v) {
  static const int k[] = {1, 2};
  double pass[2];
  trm_arc_counts counts;
  trm_arc_score score;
  FUZZ_MUST(trm_arc_votes_count(v, k, 2, pass, &counts, &fuzz_error));
  FUZZ_CHECK(pass[0] >= 0 && pass[0] <= pass[1] && pass[1] <= 1);
  FUZZ_CHECK(counts.votes >= 0 && counts.unanswered <= counts.inputs);
  const char *path = fuzz_path("submission.json");
  FUZZ_MUST(trm_arc_votes_submit(v, path, &fuzz_error));
  trm_error err;
  (void)fuzz_accepted(trm_arc_score_files(path, path, &score, &err), &err);
}

static void read_votes(fuzz_bytes state) {
  trm_arc_votes *v;
  trm__safetensors *file;
  trm_error err;
  const trm_status st = trm_arc_votes_create(fuzz_folder(), &v, &err);
  FUZZ_CHECK((st == TRM_OK) == (v != NULL));
  if (!fuzz_accepted(st, &err)) return;
  if (state.size &&
      fuzz_accepted(trm__safetensors_open(fuzz_tensors(2, state, (fuzz_bytes){0}), &file, &err),
                    &err)) {
    const bool restored = fuzz_accepted(trm__arc_votes_restore(v, file, "state", &err), &err);
    trm__safetensors_close(file);
    if (restored) count(v);
  } else {
    vote(v);
    count(v);
  }
  trm_arc_votes_free(v);
}

static void read_names(void) {
  puzzle_names *names;
  trm_error err;
  if (!fuzz_accepted(puzzle_names_open(fuzz_folder(), &names, &err), &err)) return;
  for (int32_t id = -1; id < 4; id++) {
    const char *name = puzzle_name(names, id);
    if (name) FUZZ_CHECK(strlen(name) > 0);
  }
  puzzle_names_close(names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  /* A data set, a submission and solutions, in five files. */
  static bool linked;
  fuzz_bytes parts[PARTS];
  trm_arc_score score;
  trm_error err;
  fuzz_split(data, size, parts, PARTS);
  (void)fuzz_file(0, parts[0].data, parts[0].size);
  (void)fuzz_file(1, parts[1].data, parts[1].size);
  if (!linked) {
    fuzz_link("test_puzzles.json", 0);
    fuzz_link("identifiers.json", 1);
    fuzz_link("ab12.json", 3);
    linked = true;
  }

  /* Votes and names are read of the data set. */
  read_votes(parts[2]);
  read_names();

  /* A submission is scored as a file and as a folder of tasks; figures stay in their ranges. */
  const char *submission = fuzz_file(3, parts[3].data, parts[3].size);
  const char *solutions = fuzz_file(4, parts[4].data, parts[4].size);
  const char *const forms[] = {submission, fuzz_folder()};
  for (int i = 0; i < 2; i++)
    if (fuzz_accepted(trm_arc_score_files(forms[i], solutions, &score, &err), &err)) {
      FUZZ_CHECK(score.score >= 0 && score.score <= 1 && score.right <= score.inputs &&
                 score.solved <= score.tasks && score.missing <= score.tasks);
      FUZZ_CHECK(score.no_attempt >= 0 && score.unanswered <= score.inputs && score.foreign >= 0);
    }
  return 0;
}
