/* What holds of every kind of puzzle: one row of samples for each, all tests are loops over them.
 */
#include "small_sets.h"

#include "data/canonical.h"
#include "json_text.h"
#include "puzzle/augmenter.h"
#include "puzzle/kind.h"

enum { CELLS = 900 };

typedef struct sample {
  trm_puzzle puzzle;
  const char *symbols; /* of a vocabulary of its own, a character each */
  const char *question, *answer;
  const char *wrong;        /* an answer that breaks the rules alone; NULL: there are none */
  const char *unanswerable; /* a question that the rules refuse; NULL as `wrong` is */
} sample;

static const sample samples[] = {
    {.puzzle = {TRM_PUZZLE_SUDOKU, .rows = 4, .cols = 4, .box_rows = 2, .box_cols = 2},
     .question = "1...341221434.21",
     .answer = "1234341221434321",
     .wrong = "1234341221434121",
     .unanswerable = "11.............."},
    {.puzzle = {TRM_PUZZLE_MAZE, .rows = 3, .cols = 4},
     .question = "S.##/#.../###G",
     .answer = "So##/#ooo/###G",
     .wrong = "So##/#o.o/###G",
     .unanswerable = "S.##/#.#./###G"},
    {.puzzle = {TRM_PUZZLE_ARC, .rows = 6, .cols = 6}, .question = "01/23", .answer = "10/32"},
    {.puzzle = {TRM_PUZZLE_GRID, .rows = 3, .cols = 3, .rules = "latin",
                .symmetries = "dihedral,permute:1-3"},
     .symbols = ".123",
     .question = "1../.3./...",
     .answer = "123/231/312",
     .wrong = "132/231/312",
     .unanswerable = "1../1../..."},
};
enum { N_SAMPLES = sizeof samples / sizeof *samples };

static trm_puzzle puzzle_of(const sample *s) {
  trm_puzzle p = s->puzzle;
  for (const char *c = s->symbols; c && *c; c++)
    assert_true(trm__puzzle_add_symbol(&p, (char[]){*c, 0}));
  return p;
}

static void read_text(const trm_puzzle *p, const char *text, int32_t *tokens) {
  trm_error err;
  if (trm_puzzle_parse(p, text, strlen(text), tokens, &err) != TRM_OK)
    fail_msg("%s: %s: %s", trm_puzzle_kind_name(p->kind), text, err.msg);
}

static void every_kind_has_a_sample_and_a_name_of_its_own(void **state) {
  (void)state;
  for (int kind = TRM_PUZZLE_NONE + 1; kind < TRM_PUZZLE_KINDS; kind++) {
    bool sampled = false;
    for (int i = 0; i < N_SAMPLES; i++) sampled |= (int)samples[i].puzzle.kind == kind;
    if (!sampled) fail_msg("kind %s: want a row in `samples`", trm__kinds[kind]->name);
    for (int other = 0; other < kind; other++)
      assert_string_not_equal(trm__kinds[kind]->name, trm__kinds[other]->name);
    assert_true(trm__kinds[kind]->facts.title && *trm__kinds[kind]->facts.title);
  }
  const trm_puzzle outside = {.kind = TRM_PUZZLE_KINDS};
  assert_ptr_equal(trm__kind_of(&outside), &trm__kind_none);
  assert_string_equal(trm_puzzle_facts_of(&outside)->title, "unknown");
}

static void texts_are_read_as_they_are_written(void **state) {
  (void)state;
  for (int i = 0; i < N_SAMPLES; i++) {
    const trm_puzzle p = puzzle_of(&samples[i]);
    int32_t tokens[CELLS];
    char text[2 * CELLS];
    read_text(&p, samples[i].question, tokens);
    assert_true(trm_puzzle_format(&p, tokens, text, sizeof text) < trm_puzzle_text_size(&p));
    assert_string_equal(text, samples[i].question);
  }
}

static void descriptions_are_read_as_they_are_written(void **state) {
  (void)state;
  for (int i = 0; i < N_SAMPLES; i++) {
    const trm_puzzle p = puzzle_of(&samples[i]);
    trm_puzzle back;
    trm_error err;
    char *text;
    trm__json_out o = trm__json_begin(TRM__JSON_COMPACT);
    trm__puzzle_put(&o, NULL, &p);
    assert_int_equal(trm__json_finish(&o, "a puzzle", &text, NULL), TRM_OK);
    trm__json *json = json_of(text);
    assert_int_equal(trm__puzzle_from_json(json, "file", &back, &err), TRM_OK);
    assert_memory_equal(&back, &p, sizeof p);

    /* Its own shape fits, no other does. */
    const int vocab = trm_puzzle_first_symbol(&p) + trm_puzzle_n_symbols(&p);
    assert_int_equal(trm__puzzle_check(&p, vocab, p.rows * p.cols, "file", &err), TRM_OK);
    assert_int_equal(trm__puzzle_check(&p, vocab + 1, p.rows * p.cols, "file", &err), TRM_E_CONFIG);
    trm__json_free(json);
    trm__free(text);
  }
}

static void rules_tell_answers_from_others(void **state) {
  (void)state;
  for (int i = 0; i < N_SAMPLES; i++) {
    const trm_puzzle p = puzzle_of(&samples[i]);
    int32_t question[CELLS], answer[CELLS], wrong[CELLS];
    trm_error err;
    assert_int_equal(trm_puzzle_has_rules(&p), samples[i].wrong != NULL);
    assert_int_equal(trm_puzzle_has_rules(&p), samples[i].unanswerable != NULL);
    if (!samples[i].wrong) continue;
    read_text(&p, samples[i].question, question);
    read_text(&p, samples[i].answer, answer);
    read_text(&p, samples[i].wrong, wrong);
    assert_true(trm_puzzle_solves(&p, question, answer));
    assert_false(trm_puzzle_solves(&p, question, wrong));
    assert_false(trm_puzzle_solves(&p, question, question));

    /* Of questions, too. */
    read_text(&p, samples[i].unanswerable, wrong);
    assert_int_equal(trm_puzzle_check(&p, question, &err), TRM_OK);
    assert_int_equal(trm_puzzle_check(&p, wrong, &err), TRM_E_PUZZLE);
  }
}

/* The image of an answer answers the image of its question, and has its canonical form. */
static void images_are_puzzles_of_the_same_form(void **state) {
  (void)state;
  enum { DRAWS = 40 };
  for (int i = 0; i < N_SAMPLES; i++) {
    const trm_puzzle p = puzzle_of(&samples[i]);
    int32_t question[CELLS], answer[CELLS], inputs[CELLS], labels[CELLS];
    trm__augmenter a;
    trm__canonizer c = {0};
    trm_error err;
    bool moved = false;

    /* The original, which every kind in the table can move. */
    read_text(&p, samples[i].question, question);
    read_text(&p, samples[i].answer, answer);
    assert_true(trm_puzzle_has_images(&p));
    assert_int_equal(trm__augmenter_init(&a, &p, "file", &err), TRM_OK);
    assert_int_equal(trm__canonizer_init(&c, &p, p.rows * p.cols, &err), TRM_OK);

    /* Each image has the form of the original, and where there are rules keeps them. */
    const trm__grid_key form = trm__canonical_key(&c, question);
    for (uint32_t k = 0; k < DRAWS; k++) {
      trm__rng rng = trm__rng_at(1, TRM__RNG_TEST, (uint64_t)i, k);
      trm__augmenter_draw(&a, &rng, question, answer, inputs, labels);
      const trm__grid_key key = trm__canonical_key(&c, inputs);
      moved |= memcmp(inputs, question, (size_t)(p.rows * p.cols) * sizeof *inputs) != 0;
      if (samples[i].wrong) assert_true(trm_puzzle_solves(&p, inputs, labels));
      assert_int_equal(trm__grid_key_compare(&key, &form), 0);
    }

    /* Some image is another grid, or nothing was tried. */
    assert_true(moved);
    trm__canonizer_free(&c);
  }
}

static void finding(void *arg, const char *check, const trm_error *err) {
  (void)arg;
  if (err) print_message("%s: %s\n", check, err->msg);
}

/* Tasks want more files than these: test_survey has them. */
static void data_sets_are_verified(void **state) {
  for (int i = 0; i < N_SAMPLES; i++) {
    const trm_puzzle p = puzzle_of(&samples[i]);
    const char *dir = scratch_path(*state, trm_puzzle_kind_name(p.kind));
    const trm_verify_config config = {.report = finding};
    trm_error err;
    int failures;
    if (trm_puzzle_facts_of(&p)->tasks) continue;
    small_split s = {.question = {samples[i].question}, .answer = {samples[i].answer}};
    write_split(dir, "train", &p, 1, &s);
    write_beside(dir, "identifiers.json", "[\"<blank>\"]");
    assert_int_equal(trm_dataset_verify(dir, &config, &failures, &err), TRM_OK);
    assert_int_equal(failures, 0);

    /* A label that breaks the rules is found, and nothing else. */
    if (!samples[i].wrong) continue;
    s.answer[0] = samples[i].wrong;
    write_split(dir, "train", &p, 1, &s);
    assert_int_equal(trm_dataset_verify(dir, NULL, &failures, &err), TRM_OK);
    assert_int_equal(failures, 1);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_kind_has_a_sample_and_a_name_of_its_own),
      cmocka_unit_test(texts_are_read_as_they_are_written),
      cmocka_unit_test(descriptions_are_read_as_they_are_written),
      cmocka_unit_test(rules_tell_answers_from_others),
      cmocka_unit_test(images_are_puzzles_of_the_same_form),
      cmocka_unit_test(data_sets_are_verified),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
