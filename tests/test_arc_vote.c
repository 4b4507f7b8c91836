/* ARC votes: against a plain recount of a small set, against the reference's on a large one, and
 * against files that are not what they should be. */
#include <math.h>

#include "arc_data.h"
#include "json_text.h"
#include "npy_forms.h"

static const int ks[] = {1, 2, 3, 5, 1000};
enum { N_K = sizeof ks / sizeof *ks, TEXT = 1 << 16 };

static arc_set set;

/* --- a recount --- */

typedef struct ranked {
  trm__arc_grid grid;
  int count;
  double q;
} ranked;

/* The distinct answers to a test input among the examples with seen[i], the best first. */
static int rank_again(const bool *seen, int task, int test, ranked *list) {
  /* Predictions for this input, whichever test pair of the task they were made for. */
  int n = 0;
  for (int i = 0; i < set.n; i++) {
    const arc_example *e = &set.example[i];
    if (!seen[i] || e->task != task ||
        !trm__arc_same(&set.input[task][e->test], &set.input[task][test]))
      continue;

    /* Equal grids are one answer: how often it came, and the sum of its q. */
    int k = 0;
    while (k < n && !trm__arc_same(&list[k].grid, &e->predicted)) k++;
    if (k == n) list[n++] = (ranked){.grid = e->predicted};
    list[k].count++;
    list[k].q += 1 / (1 + exp(-e->q));
  }

  /* The best are those that came most often, then those of the highest mean q. */
  for (int k = 0; k < n; k++) list[k].q /= list[k].count;
  for (int end = n; end > 1; end--) /* stable: neighbours change places only when they must */
    for (int k = 0; k + 1 < end; k++) {
      bool worse = list[k].count < list[k + 1].count ||
                   (list[k].count == list[k + 1].count && list[k].q < list[k + 1].q - 1e-12);
      ranked other = list[k];
      if (worse) list[k] = list[k + 1], list[k + 1] = other;
    }
  return n;
}

static int pass_again(const bool *seen, double *pass) {
  static ranked list[ARC_MAX];
  int unanswered = 0;
  for (int i = 0; i < N_K; i++) pass[i] = 0;
  for (int t = 0; t < ARC_TASKS; t++)
    for (int test = 0; test < arc_tests[t]; test++) {
      int n = rank_again(seen, t, test, list), place = 0;
      while (place < n && !trm__arc_same(&list[place].grid, &set.output[t][test])) place++;
      unanswered += n == 0;
      for (int i = 0; i < N_K; i++)
        pass[i] += (place < n && place < ks[i]) / (double)arc_tests[t] / ARC_TASKS;
    }
  return unanswered;
}

static void submission_again(const bool *seen, char *out) {
  static const char *const names[] = {"\"00ab\"", "\"q\\\"\\\\\\u00e9\\ud83c\\udf0d\"", "\"dup\"",
                                      "\"last\""};
  static ranked list[ARC_MAX];
  out += sprintf(out, "{");
  for (int t = 0; t < ARC_TASKS; t++) {
    out += sprintf(out, "%s%s: [", t ? ", " : "", names[t]);
    bool first = true;
    for (int test = 0; test < arc_tests[t]; test++) {
      int n = rank_again(seen, t, test, list);
      if (!n) continue;
      out = arc_grid_text(out + sprintf(out, first ? "{\"attempt_1\": " : ", {\"attempt_1\": "),
                          &list[0].grid);
      out = arc_grid_text(out + sprintf(out, ", \"attempt_2\": "), &list[n > 1].grid);
      out += sprintf(out, "}");
      first = false;
    }
    out += sprintf(out, "]");
  }
  sprintf(out, "}");
}

/* --- helpers --- */

static trm_arc_votes *open_votes(const char *dir) {
  trm_arc_votes *v;
  trm_error err;
  if (trm_arc_votes_create(dir, &v, &err) != TRM_OK) fail_msg("%s", err.msg);
  return v;
}

static void add(trm_arc_votes *v, int i) {
  const arc_example *e = &set.example[i];
  assert_int_equal(trm_arc_votes_add(v, i, e->id, TRM__ARC_SIDE, e->inputs, e->answer, e->q, NULL),
                   TRM_OK);
}

static void check(scratch *s, const trm_arc_votes *v, const bool *seen) {
  static char want[TEXT];
  double pass[N_K], again[N_K];
  trm_arc_counts c;
  int unanswered = pass_again(seen, again), votes = 0;
  for (int i = 0; i < set.n; i++) votes += seen[i];
  assert_int_equal(trm_arc_votes_count(v, ks, N_K, pass, &c, NULL), TRM_OK);
  for (int i = 0; i < N_K; i++)
    if (fabs(pass[i] - again[i]) > 1e-12)
      fail_msg("pass@%d: %g, want %g", ks[i], pass[i], again[i]);
  assert_true(c.tasks == ARC_TASKS && c.inputs == 7 && c.unanswered == unanswered);
  assert_int_equal(c.votes, votes);
  submission_again(seen, want);
  assert_int_equal(trm_arc_votes_submit(v, scratch_path(s, "submission.json"), NULL), TRM_OK);
  size_t n;
  unsigned char *got = read_bytes(s->path, &n);
  assert_string_equal((char *)got, want);
  free(got);
}

static const char *make_set(scratch *s, uint64_t seed) {
  arc_make(&set, seed);
  arc_write(&set, scratch_path(s, "arc"));
  return s->path;
}

/* --- tests --- */

static void votes_are_what_a_recount_gives(void **state) {
  scratch *s = *state;
  double sum = 0;
  for (uint64_t seed = 0; seed < 20; seed++) {
    trm_arc_votes *v = open_votes(make_set(s, seed));
    bool seen[ARC_MAX] = {false};
    check(s, v, seen); /* nothing yet: all unanswered, empty lists */
    trm__rng r = trm__rng_at(seed, TRM__RNG_TEST, 8, 0);
    for (int i = 0; i < set.n; i++)
      if ((seen[i] = trm__rng_below(&r, 4) && set.example[i].task != 3)) add(v, i);
    check(s, v, seen);
    double pass[N_K];
    pass_again(seen, pass);
    sum += pass[0];
    trm_arc_votes_free(v);
  }
  assert_true(sum > 2 && sum < 14); /* neither always right nor always wrong */
}

/* Rows finish in any order: what counts is their place in the file. */
static void arrival_does_not_matter(void **state) {
  scratch *s = *state;
  const char *dir = make_set(s, 3);
  bool all[ARC_MAX];
  memset(all, true, sizeof all);
  for (uint32_t way = 0; way < 5; way++) {
    int32_t order[ARC_MAX];
    trm__rng r = trm__rng_at(1, TRM__RNG_TEST, 9, way);
    trm_arc_votes *v = open_votes(scratch_path(s, "arc"));
    for (int i = 0; i < set.n; i++) order[i] = i;
    if (way) trm__rng_shuffle(&r, order, set.n);
    for (int i = 0; i < set.n; i++) add(v, order[i]);
    check(s, v, all);
    trm_arc_votes_free(v);
  }
  (void)dir;
}

static void what_is_no_vote_is_counted(void **state) {
  /* A set of which one example is known well. */
  scratch *s = *state;
  trm_arc_votes *v = open_votes(make_set(s, 4));
  const arc_example *e = &set.example[0], *other = &set.example[set.n - 1];
  trm_arc_counts c;
  trm_error err;
  double pass;

  /* A row of padding is blank; an input that no task has is foreign. Neither votes. */
  assert_int_equal(trm_arc_votes_add(v, 0, 0, TRM__ARC_SIDE, e->inputs, e->answer, 0, NULL),
                   TRM_OK);
  assert_int_equal(trm_arc_votes_add(v, 1, e->id, TRM__ARC_SIDE, other->inputs, e->answer, 0, NULL),
                   TRM_OK);
  assert_int_equal(trm_arc_votes_count(v, ks, 1, &pass, &c, NULL), TRM_OK);
  assert_true(c.blank == 1 && c.foreign == 1 && c.votes == 0 && c.unanswered == 7 && pass == 0);

  /* Ids that there are not, and a q that is no number, are refused. */
  assert_int_equal(trm_arc_votes_add(v, 2, ARC_IDS, TRM__ARC_SIDE, e->inputs, e->answer, 0, &err),
                   TRM_E_RANGE);
  assert_true(speaks_of(&err, "puzzle id 25"));
  assert_int_equal(trm_arc_votes_add(v, 2, -1, TRM__ARC_SIDE, e->inputs, e->answer, 0, NULL),
                   TRM_E_RANGE);
  assert_int_equal(trm_arc_votes_add(v, 2, e->id, TRM__ARC_SIDE, e->inputs, e->answer, NAN, NULL),
                   TRM_E_NUMERIC);

  /* So is an evaluation of no attempts. */
  assert_int_equal(trm_arc_votes_count(v, (const int[]){0}, 1, &pass, &c, NULL), TRM_E_ARGUMENT);
  trm_arc_votes_free(v);
}

static void memory_is_what_is_promised(void **state) {
  enum { VOTES = 4000 };
  scratch *s = *state;
  trm_arc_votes *v = open_votes(make_set(s, 5));
  const arc_example *e = &set.example[0];
  int64_t before = trm_arc_votes_bytes(v);
  trm__rng r = trm__rng_at(5, TRM__RNG_TEST, 0, 0);
  for (int i = 0; i < VOTES; i++) {
    int32_t answer[TRM__ARC_CELLS];
    for (int k = 0; k < TRM__ARC_CELLS; k++) answer[k] = 2 + (int32_t)trm__rng_below(&r, 10);
    assert_int_equal(trm_arc_votes_add(v, i, e->id, TRM__ARC_SIDE, e->inputs, answer, 0, NULL),
                     TRM_OK);
  }
  trm_arc_counts c;
  double pass;
  assert_int_equal(trm_arc_votes_count(v, ks, 1, &pass, &c, NULL), TRM_OK);
  assert_true(c.grids >= VOTES);
  /* All different and as large as can be: 452 bytes each, and the tables at their emptiest. */
  assert_true(trm_arc_votes_bytes(v) - before <
              VOTES * (452 + 24 * 3 / 2 + 2 * 8 + 4 * 4) + (1 << 19));
  int64_t full = trm_arc_votes_bytes(v);
  for (int i = 0; i < VOTES / 2; i++) add(v, i % set.n);
  assert_true(trm_arc_votes_bytes(v) - full < VOTES / 2 * 24 * 3 / 2 + VOTES * 24);
  trm_arc_votes_free(v);
}

/* --- files of predictions --- */

static void save(const char *path, trm__npy_type type, int64_t rows, int64_t cols,
                 const void *data) {
  const int64_t shape[] = {rows, cols};
  assert_int_equal(trm__npy_save(path, type, cols ? 2 : 1, shape, data, NULL), TRM_OK);
}

/* The answers of the set in files, as bytes and as integers, with their q and ids. */
typedef struct saved {
  char dir[160], preds[160], ints[160], q[160], ids[160];
  float q_values[ARC_MAX];
  int32_t id_values[ARC_MAX];
} saved;

static saved save_predictions(scratch *s) {
  static uint8_t bytes[ARC_MAX * TRM__ARC_CELLS];
  static int32_t ints[ARC_MAX * TRM__ARC_CELLS];
  saved p;
  snprintf(p.dir, sizeof p.dir, "%s", make_set(s, 6));
  snprintf(p.preds, sizeof p.preds, "%s/p.npy", s->dir);
  snprintf(p.ints, sizeof p.ints, "%s/p4.npy", s->dir);
  snprintf(p.q, sizeof p.q, "%s/q.npy", s->dir);
  snprintf(p.ids, sizeof p.ids, "%s/ids.npy", s->dir);

  for (int i = 0; i < set.n; i++) {
    for (int k = 0; k < TRM__ARC_CELLS; k++)
      bytes[i * TRM__ARC_CELLS + k] =
          (uint8_t)(ints[i * TRM__ARC_CELLS + k] = set.example[i].answer[k]);
    p.q_values[i] = (float)set.example[i].q;
    p.id_values[i] = set.example[i].id;
  }
  save(p.preds, TRM__NPY_U1, set.n, TRM__ARC_CELLS, bytes);
  save(p.ints, TRM__NPY_I4, set.n, TRM__ARC_CELLS, ints);
  save(p.q, TRM__NPY_F4, set.n, 0, p.q_values);
  save(p.ids, TRM__NPY_I4, set.n, 0, p.id_values);
  return p;
}

static void saved_predictions_vote_the_same(void **state) {
  scratch *s = *state;
  const saved p = save_predictions(s);
  trm_dataset *d = open_small_data(p.dir);
  trm_error err;
  bool all[ARC_MAX];
  memset(all, true, sizeof all);

  /* With ids and without, which then follow from the data. */
  for (int k = 0; k < 2; k++) {
    trm_arc_votes *v = open_votes(p.dir);
    assert_int_equal(trm_arc_votes_add_files(v, d, k ? p.ints : p.preds, p.q, k ? NULL : p.ids,
                                             NULL, NULL, &err),
                     TRM_OK);
    check(s, v, all);
    trm_arc_votes_free(v);
  }

  /* In whatever form the arrays are. */
  for (int f = 0; f < NPY_FORMS; f += 5) {
    trm_arc_votes *v = open_votes(p.dir);
    npy_form_again(p.ints, npy_forms[f], NAN);
    npy_form_again(p.q, (npy_form){f % 2 ? ">f4" : "<f8", true, 2}, NAN);
    npy_form_again(p.ids, npy_forms[f], NAN);
    if (trm_arc_votes_add_files(v, d, p.ints, p.q, p.ids, NULL, NULL, &err) != TRM_OK)
      fail_msg("%s: %s", npy_forms[f].descr, err.msg);
    check(s, v, all);
    trm_arc_votes_free(v);
  }
  trm_dataset_free(d);
}

static void predictions_that_do_not_fit_are_refused(void **state) {
  saved p = save_predictions(*state);
  trm_dataset *d = open_small_data(p.dir);
  trm_arc_votes *v = open_votes(p.dir);
  trm_error err;
  static const int32_t zeros[(ARC_MAX + 1) * TRM__ARC_CELLS / 2];

  /* Fractions, with the file and the element. */
  npy_form_again(p.ints, (npy_form){">f4", true, 1}, 1.5);
  assert_int_equal(trm_arc_votes_add_files(v, d, p.ints, p.q, NULL, NULL, NULL, &err),
                   TRM_E_FORMAT);
  assert_true(speaks_of(&err, p.ints) && speaks_of(&err, "element [0, 0] is 1.5"));
  npy_form_again(p.ids, (npy_form){"<f8", false, 1}, 1.5);
  assert_int_equal(trm_arc_votes_add_files(v, d, p.preds, p.q, p.ids, NULL, NULL, &err),
                   TRM_E_FORMAT);
  assert_true(speaks_of(&err, p.ids) && speaks_of(&err, "element [0] is 1.5"));

  /* The id of another row. */
  p.id_values[5]++;
  save(p.ids, TRM__NPY_I4, set.n, 0, p.id_values);
  assert_int_equal(trm_arc_votes_add_files(v, d, p.preds, p.q, p.ids, NULL, NULL, &err),
                   TRM_E_RANGE);
  assert_true(speaks_of(&err, "row 5"));

  /* A q that is no number, one q too few, and arrays of another shape. */
  p.q_values[7] = NAN;
  save(p.q, TRM__NPY_F4, set.n, 0, p.q_values);
  assert_int_equal(trm_arc_votes_add_files(v, d, p.preds, p.q, NULL, NULL, NULL, &err),
                   TRM_E_NUMERIC);
  save(p.q, TRM__NPY_F4, set.n - 1, 0, p.q_values);
  assert_int_equal(trm_arc_votes_add_files(v, d, p.preds, p.q, NULL, NULL, NULL, &err),
                   TRM_E_SHAPE);
  save(p.ints, TRM__NPY_I4, set.n + 1, TRM__ARC_CELLS / 2, zeros);
  assert_int_equal(trm_arc_votes_add_files(v, d, p.ints, p.q, NULL, NULL, NULL, &err), TRM_E_SHAPE);
  trm_arc_votes_free(v);
  trm_dataset_free(d);
}

/* --- the reference --- */

static void golden_votes_are_equal(void **state) {
  /* Predictions of the reference's evaluation on all public tasks, where they are beside the
   * checkout. */
  scratch *s = *state;
  static const char *const subsets[] = {"training", "evaluation", "concept"};
  static const int k[] = {1, 2, 5, 10, 100, 1000};
  const char *golden = TRM_SHARED_DIR "/golden/arc-vote";
  char dir[160];
  double pass[6];
  trm_arc_counts c;
  trm_error err;
  if (!trm__path_is_dir(golden)) {
    print_message("skipped: no %s\n", golden);
    skip();
  }

  /* Its set, built anew. */
  snprintf(dir, sizeof dir, "%s", scratch_path(s, "golden"));
  const trm_arc_build_config build = {.input_prefix = TRM_SHARED_DIR "/data/arc/arc-agi",
                                      .subsets = subsets,
                                      .n_subsets = 3,
                                      .test_set_name = "evaluation",
                                      .output_dir = dir,
                                      .num_aug = 5,
                                      .seed = 42,
                                      .compact = true};
  if (trm_build_arc(&build, NULL, &err) != TRM_OK) fail_msg("%s", err.msg);

  /* The predictions vote. */
  trm_dataset *d = open_small_data(dir);
  trm_arc_votes *v = open_votes(dir);
  if (trm_arc_votes_add_files(v, d, TRM_SHARED_DIR "/golden/arc-vote/preds.npy",
                              TRM_SHARED_DIR "/golden/arc-vote/q_halt_logits.npy",
                              TRM_SHARED_DIR "/golden/arc-vote/puzzle_identifiers.npy", NULL, NULL,
                              &err) != TRM_OK)
    fail_msg("%s", err.msg);
  assert_int_equal(trm_arc_votes_count(v, k, 6, pass, &c, NULL), TRM_OK);
  assert_true(c.tasks == 400 && c.inputs == 419 && c.unanswered == 0 && c.votes == 2514);

  /* The scores are those that the reference printed. */
  trm__json *want = json_of_file(TRM_SHARED_DIR "/golden/arc-vote/expected.json");
  for (int i = 0; i < 6; i++) {
    char name[32];
    snprintf(name, sizeof name, "ARC/pass@%d", k[i]);
    assert_true(fabs(pass[i] - trm__json_number(trm__json_get(want, name))) < 1e-12);
  }
  trm__json_free(want);

  /* The submission is the same to the byte. */
  assert_int_equal(trm_arc_votes_submit(v, scratch_path(s, "golden.json"), NULL), TRM_OK);
  same_files(s->path, TRM_SHARED_DIR "/golden/arc-vote/submission.json");

  /* Scored against the solutions, it has the score of pass@2. */
  trm_arc_score score;
  assert_int_equal(
      trm_arc_score_files(s->path, TRM_SHARED_DIR "/data/arc/arc-agi_evaluation_solutions.json",
                          &score, NULL),
      TRM_OK);
  assert_true(fabs(score.score - pass[1]) < 1e-12);
  assert_true(score.tasks == 400 && score.inputs == 419 && score.missing == 0);
  trm_arc_votes_free(v);
  trm_dataset_free(d);
}

/* --- data sets that are none --- */

static void false_data_sets_are_refused(void **state) {
  /* Tasks, tasks without a test, and what is wrong about them or about the names. */
  scratch *s = *state;
  static const char good_tasks[] =
      "{\"a\": {\"train\": [{\"input\": [[1]], \"output\": [[2]]}],"
      " \"test\": [{\"input\": [[1]], \"output\": [[2]]}]}}";
  static const char no_tests[] =
      "{\"a\": {\"train\": [{\"input\": [[1]], \"output\": [[2]]}], \"test\": []}}";
  static const struct {
    const char *tasks, *names, *word;
  } bad[] = {{"[]", "[\"<blank>\"]", "test_puzzles.json"},
             {"{\"a\": 1}", "[\"<blank>\"]", "test_puzzles.json"},
             {no_tests, "[\"<blank>\"]", "task a"},
             {good_tasks, "", "byte 0"},
             {good_tasks, "{}", "byte 0"},
             {good_tasks, "[]", "byte 1"},
             {good_tasks, "[\"<blank>\", 3]", "byte 12"},
             {good_tasks, "[\"<blank>\"", "byte 10"},
             {good_tasks, "[\"<blank>\"] x", "byte 12"},
             {good_tasks, "[\"<blank>\",]", "byte 11"},
             {good_tasks, "[\"<bl", "byte 1"},
             {good_tasks, "[\"a|||t9|||0123456789\"]", "id 0"},
             {good_tasks, "[\"a\", \"a|||t1|||0123456788\"]", "id 1"}};

  /* An empty folder is no set. */
  scratch_path(s, "bad");
  char dir[160], path[200];
  snprintf(dir, sizeof dir, "%s", s->path);
  assert_int_equal(trm__make_dirs(dir, NULL), TRM_OK);
  trm_arc_votes *v;
  trm_error err;
  assert_int_equal(trm_arc_votes_create(dir, &v, &err), TRM_E_IO);

  /* After all the bad ones a good one, with letters written otherwise. */
  for (size_t i = 0; i <= sizeof bad / sizeof *bad; i++) {
    bool good = i == sizeof bad / sizeof *bad;
    const char *tasks = good ? good_tasks : bad[i].tasks;
    const char *names = good ? " [ \"\\u003cblank>\" ,\n\"a\"] " : bad[i].names;
    snprintf(path, sizeof path, "%s/test_puzzles.json", dir);
    write_bytes(path, tasks, strlen(tasks));
    snprintf(path, sizeof path, "%s/identifiers.json", dir);
    write_bytes(path, names, strlen(names));

    /* Refused by the file, the byte or the task; nothing is left of it. */
    trm_status st = trm_arc_votes_create(dir, &v, &err);
    if ((st == TRM_OK) != good) fail_msg("%s with %s: status %d", tasks, names, (int)st);
    if (!good) assert_null(v);
    if (!good) assert_true(speaks_of(&err, bad[i].word));
    trm_arc_votes_free(v);
  }
}

/* Without a right output nothing is right or wrong: other test inputs decide, and if there are none
 * nothing is measured. */
static void hidden_outputs_are_not_scored(void **state) {
  scratch *s = *state;
  double pass[N_K];
  trm_arc_counts c;
  make_set(s, 5);
  const trm__arc_grid zero = {.rows = 1, .cols = 1};

  /* With the outputs of one task hidden, and with all. */
  for (int hide = 0; hide < 2; hide++) {
    for (int t = 0; t < ARC_TASKS; t++)
      for (int test = 0; test < arc_tests[t]; test++)
        if (hide || t == 0) set.output[t][test] = zero;
    arc_write(&set, scratch_path(s, "hidden"));
    trm_arc_votes *v = open_votes(s->path);
    for (int i = 0; i < set.n; i++) add(v, i);
    assert_int_equal(trm_arc_votes_count(v, ks, N_K, pass, &c, NULL), TRM_OK);
    /* Where others are known, [[0]] is an output like any other. */
    assert_true(c.tasks == ARC_TASKS && c.scored == (hide ? 0 : ARC_TASKS));
    assert_int_equal(c.hidden, hide ? c.inputs : 0);
    for (int i = 0; i < N_K; i++) assert_true(hide ? isnan(pass[i]) : pass[i] >= 0);

    /* An answer to a hidden output is not called right. */
    trm_arc_answer best;
    int found;
    assert_int_equal(trm_arc_votes_answers(v, 0, 0, 1, &best, &found, NULL), TRM_OK);
    if (hide) assert_false(found && best.right);
    trm_arc_votes_free(v);
  }

  /* A file of tasks tells of each test input whether its output is known. */
  static const char text[] =
      "{\"a\": {\"train\": [{\"input\": [[1]], \"output\": [[2]]}], \"test\": [{\"input\": [[1]], "
      "\"output\": [[0]]}, {\"input\": [[2]]}]}, \"b\": {\"train\": [{\"input\": [[1]], "
      "\"output\": "
      "[[2]]}], \"test\": [{\"input\": [[3]]}]}}";

  /* One of three outputs is known: only that one counts. */
  static const char *const names[] = {"<blank>", "a", "b"};
  trm_arc_tasks *tasks;
  trm_arc_votes *v;
  write_bytes(scratch_path(s, "some.json"), text, sizeof text - 1);
  assert_int_equal(trm_arc_tasks_load(s->path, &tasks, NULL), TRM_OK);
  assert_int_equal(trm_arc_votes_create_for(tasks, names, 3, &v, NULL), TRM_OK);
  static const int32_t question[] = {3}, answer[] = {2};
  assert_int_equal(trm_arc_votes_add(v, 0, 1, 1, question, answer, 0, NULL), TRM_OK);
  assert_int_equal(trm_arc_votes_count(v, ks, N_K, pass, &c, NULL), TRM_OK);
  assert_true(c.tasks == 2 && c.scored == 1 && c.hidden == 2 && c.unanswered == 2);
  assert_true(pass[0] == 1);
  trm_arc_votes_free(v);
  trm_arc_tasks_free(tasks);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(votes_are_what_a_recount_gives),
      cmocka_unit_test(arrival_does_not_matter),
      cmocka_unit_test(what_is_no_vote_is_counted),
      cmocka_unit_test(memory_is_what_is_promised),
      cmocka_unit_test(saved_predictions_vote_the_same),
      cmocka_unit_test(predictions_that_do_not_fit_are_refused),
      cmocka_unit_test(golden_votes_are_equal),
      cmocka_unit_test(false_data_sets_are_refused),
      cmocka_unit_test(hidden_outputs_are_not_scored),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
