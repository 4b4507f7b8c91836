/* What `trm solve` shows beside its answers: steps and latents, on the terminal, as JSON and as a
 * picture. */
#include "json_text.h"
#include "small_sets.h"
#include "solve_models.h"
#include "xml.h"

/* A model of an architecture that reads Sudokus of side 4, with the weights that it is born with:
 * its latents differ. */
static void make_born_model(const char *dir, trm_arch arch) {
  trm_model_config c = trm_model_config_default(arch);
  trm_model *m;
  trm_error err;
  c.vocab_size = 6;
  c.seq_len = 16;
  c.num_puzzle_identifiers = 1;
  c.puzzle = trm_sudoku_of_size(4);
  c.hidden_size = 32;
  c.num_heads = 2;
  c.H_cycles = arch == TRM_ARCH_TRANSFORMER ? c.H_cycles : 1;
  c.puzzle_emb_ndim = 0;
  if (trm_model_create(&c, 2, &m, &err) != TRM_OK) fail_msg("%s", err.msg);
  if (trm_model_save(m, dir, &err) != TRM_OK) fail_msg("%s", err.msg);
  trm_model_free(m);
}

/* A step has the members of an event of trm serve, in their order. */
static void check_step(const trm__json *step, const char *before, int number) {
  static const char *const names[] = {"step",       "grid", "changed", "confidence",
                                      "violations", "q",    "seconds"};
  enum { NAMES = sizeof names / sizeof *names };
  assert_int_equal(trm__json_n_members(step), NAMES);
  for (size_t i = 0; i < NAMES; i++) assert_string_equal(trm__json_key(step, i), names[i]);
  assert_int_equal(trm__json_integer(trm__json_get(step, "step")), number);

  /* Cells that changed are those that differ from the grid before, in their order. */
  const trm__json *changed = trm__json_get(step, "changed");
  const char *grid = trm__json_text(trm__json_get(step, "grid"));
  size_t n = 0;
  for (int cell = 0; cell < 16; cell++)
    if (grid[cell] != before[cell])
      assert_int_equal(trm__json_integer(trm__json_item(changed, n++)), cell);
  assert_int_equal(trm__json_n_items(changed), n);

  /* A probability of each cell, and a cell that breaks no rule has another digit. */
  const trm__json *sure = trm__json_get(step, "confidence");
  assert_int_equal(trm__json_n_items(sure), 16);
  for (size_t i = 0; i < 16; i++) {
    const double p = trm__json_number(trm__json_item(sure, i));
    assert_true(p >= 1.0 / 6 - 1e-4 && p <= 1);
  }
  int32_t question[16], answer[16];
  const trm_puzzle p = trm_sudoku_of_size(4);
  assert_int_equal(trm_puzzle_parse(&p, grid, 16, answer, NULL), TRM_OK);
  for (int i = 0; i < 16; i++) question[i] = 1;
  assert_int_equal(trm__json_integer(trm__json_get(step, "violations")),
                   trm_sudoku_violations(&p, question, answer));
  assert_true(trm__json_number(trm__json_get(step, "seconds")) >= 0);
}

/* Each step is there in JSON, too, and the last one is the answer. */
static void steps_are_told_as_json(void **state) {
  /* Three steps of two puzzles that give nothing, and one that is none between them. */
  scratch *s = *state;
  static const char lines[] = "................\n12\n................\n";
  char model[160];
  make_model_for_ones(place(s, "ones", model));
  want(RUN_INPUT(lines, "solve", model, "--steps", "3", "--json", "--show", "steps"), 3);

  /* A line for each puzzle, and in it a row for each step. */
  const char *line = out_text;
  for (int i = 0; i < 3; i++, line = strchr(line, '\n') + 1) {
    if (i == 1) {
      assert_memory_equal(line, "{\"line\":2,\"error\":\"stdin:2:3: ", 30);
      continue;
    }
    size_t used;
    trm__json *root = json_first(line, &used);
    const trm__json *trace = trm__json_get(root, "trace"), *last = trm__json_item(trace, 2);
    assert_int_equal(trm__json_n_items(trace), 3);
    const char *before = "................";
    for (size_t k = 0; k < 3; k++) {
      const trm__json *step = trm__json_item(trace, k);
      check_step(step, before, (int)k + 1);
      before = trm__json_text(trm__json_get(step, "grid"));
    }

    /* The last step is the answer, with its q, and what breaks a rule. */
    assert_string_equal(before, trm__json_text(trm__json_get(root, "answer")));
    const double q = trm__json_number(trm__json_get(last, "q")); /* with four digits */
    assert_true(q == round(1e4 * trm__json_number(trm__json_get(root, "q"))) / 1e4);
    assert_int_equal(trm__json_integer(trm__json_get(last, "violations")),
                     trm__json_integer(trm__json_get(root, "violations")));
    trm__json_free(root);
  }

  /* Nobody who does not ask for steps pays for them. */
  want(RUN_INPUT(GOOD "\n", "solve", model, "--json"), 0);
  assert_null(strstr(out_text, "trace"));
  says(out_text, "\"halted\":false");
  want(RUN_INPUT(GOOD "\n", "solve", model, "--json", "--halt", "q=-100"), 0);
  says(out_text, "\"steps\":1,\"halted\":true");
}

static const struct {
  trm_arch arch;
  const char *answer, *others; /* latents by their names */
  int n;
} archs[] = {{TRM_ARCH_TRM, "z_H", "z_L", 2},
             {TRM_ARCH_HRM, "z_H", "z_L", 2},
             {TRM_ARCH_SINGLEZ, "z_L", "", 1},
             {TRM_ARCH_HIER6, "z_H", "z_L1z_L2z_L3z_L4z_L5z_L6", 7},
             {TRM_ARCH_TRANSFORMER, "z_H", "", 1}};
enum { ARCHS = sizeof archs / sizeof *archs };

static const char *text_at(const trm__json *object, const char *key) {
  return trm__json_text(trm__json_get(object, key));
}

/* One latent of a step: that of the answer reads as the answer, another as something else, of which
 * is told how much is the same. Returns whether it differs. */
static bool check_latent(const trm__json *latent, const trm__json *step, int k) {
  const char *name = text_at(latent, "name"), *grid = text_at(latent, "grid");
  const char *answer = text_at(step, "grid");
  int same = 0;
  for (int i = 0; i < 16; i++) same += grid[i] == answer[i];
  assert_int_equal(trm__json_integer(trm__json_get(latent, "as_answer")), same);
  if (!strcmp(name, archs[k].answer)) {
    assert_string_equal(grid, answer);
    const trm__json *changed = trm__json_get(latent, "changed"),
                    *same_of = trm__json_get(step, "changed");
    assert_int_equal(trm__json_n_items(changed), trm__json_n_items(same_of));
    for (size_t i = 0; i < trm__json_n_items(changed); i++)
      assert_int_equal(trm__json_integer(trm__json_item(changed, i)),
                       trm__json_integer(trm__json_item(same_of, i)));
    return false;
  }
  assert_non_null(strstr(archs[k].others, name));
  return same < 16;
}

/* Every latent of every architecture is there after every step. */
static void latents_are_told_as_json(void **state) {
  scratch *s = *state;
  char model[160];
  for (int k = 0; k < ARCHS; k++) {
    bool differ = false;
    make_born_model(place(s, "born", model), archs[k].arch);
    want(RUN("solve", model, "--puzzle", GOOD, "--steps", "3", "--json", "--show", "latents"), 0);
    trm__json *root = json_of(out_text);
    const trm__json *trace = trm__json_get(root, "trace");
    assert_int_equal(trm__json_n_items(trace), 3);
    for (size_t i = 0; i < 3; i++) {
      const trm__json *step = trm__json_item(trace, i), *latents = trm__json_get(step, "latents");
      assert_int_equal(trm__json_n_items(latents), archs[k].n);
      for (size_t j = 0; j < trm__json_n_items(latents); j++)
        differ |= check_latent(trm__json_item(latents, j), step, k);
    }
    assert_string_equal(text_at(trm__json_item(trace, 2), "grid"), text_at(root, "answer"));
    trm__json_free(root);

    /* Were all latents the same, nothing above would tell one from another. */
    assert_int_equal(differ, archs[k].n > 1);
    assert_int_equal(count(err_text, "reads as the answer in"), archs[k].n - 1);

    /* The same trace without latents is that of the steps. */
    want(RUN("solve", model, "--puzzle", GOOD, "--steps", "3", "--json", "--show", "steps"), 0);
    assert_null(strstr(out_text, "latents"));
  }
}

/* The n-th line that has the text, from 0; fails where there is none. */
static const char *line_with(const char *text, const char *part, int n) {
  const char *at = text;
  for (; (at = strstr(at, part)); at += strlen(part))
    if (n-- == 0) break;
  if (!at) fail_msg("no '%s'", part);
  while (at > text && at[-1] != '\n') at--;
  return at;
}

static void latents_stand_side_by_side(void **state) {
  scratch *s = *state;
  char model[160];
  make_born_model(place(s, "trm", model), TRM_ARCH_TRM);
  want(RUN("solve", model, "--puzzle", GOOD, "--steps", "2", "--show", "latents"), 0);
  says(out_text, "the puzzle; below, [5] is a cell that changed, !5! a given overwritten\n");
  says(out_text, "step 2 of 2: ");
  assert_int_equal(count(out_text, "z_H, the answer"), 2);

  /* The titles are on one line, each above its grid, whose rules are on one line, too. */
  const char *titles = line_with(out_text, "z_H, the answer", 1), *at = titles;
  const char *second = strstr(titles, "z_L: ");
  assert_true(second && second < strchr(titles, '\n'));
  for (int i = 0; i < 3; i++) at = strchr(at, '\n') + 1;
  assert_memory_equal(at, "  ------+------", 15);
  assert_memory_equal(at + (second - titles), "------+------\n", 14);

  /* Seven have no room beside each other: three, three and one. */
  make_born_model(place(s, "seven", model), TRM_ARCH_HIER6);
  want(RUN("solve", model, "--puzzle", GOOD, "--steps", "1", "--show", "latents"), 0);
  static const char *const first[] = {"z_H", "z_L3", "z_L6"};
  for (int i = 0; i < 3; i++) {
    const char *line = line_with(out_text, first[i], 0);
    assert_memory_equal(line + 2, first[i], strlen(first[i]));
    assert_true(strchr(line, '\n') - line <= 80);
  }
}

/* Draws what is shown of a puzzle of a model; `more`: an option, or NULL. */
static char *picture_of(scratch *s, const char *model, const char *puzzle, const char *show,
                        const char *more) {
  char path[160];
  size_t n;
  want(RUN("solve", model, "--puzzle", puzzle, "--steps", "2", "--show", show, "--svg",
           place(s, "picture.svg", path), more),
       0);
  assert_string_equal(out_text, "");
  char *svg = (char *)read_bytes(path, &n);
  assert_int_equal(strlen(svg), n);
  check_xml(svg);
  return svg;
}

static void what_is_shown_can_be_drawn(void **state) {
  scratch *s = *state;
  static const struct {
    const char *show, *more, *part;
    int grids;
  } cases[] = {{"final", NULL, "valid: ", 2},
               {"grid", NULL, "valid: ", 2},
               {"steps", "--still", "step 2 of 2: ", 3},
               {"latents", NULL, ">z_L: ", 5}};
  char model[160];
  make_born_model(place(s, "drawn", model), TRM_ARCH_TRM);
  for (int i = 0; i < 4; i++) {
    char *svg = picture_of(s, model, GOOD, cases[i].show, cases[i].more);
    says(svg, cases[i].part);

    /* A step that changes nothing has no grid, and nothing moves. */
    const int still = !strcmp(cases[i].show, "steps") ? count(svg, " 0 cells changed") : 0;
    assert_int_equal(count(svg, "<g stroke"), cases[i].grids - still);
    assert_null(strstr(svg, "animation"));
    free(svg);
  }

  /* To stdout, where nothing else is, not even a puzzle that cannot be read. */
  want(RUN_INPUT("x\n" GOOD "\n", "solve", model, "--steps", "1", "--svg", "-"), 3);
  assert_memory_equal(out_text, "<?xml", 5);
  check_xml(out_text);
  says(err_text, "stdin:1:2: ");
  want(RUN("solve", model, "--puzzle", GOOD, "--svg", "/nonexistent/p.svg"), 1);
}

/* Steps lie over each other, and are hidden until their time comes only where things may move. */
static void steps_are_drawn_as_an_animation(void **state) {
  scratch *s = *state;
  char model[160];
  make_born_model(place(s, "film", model), TRM_ARCH_TRM);
  char *svg = picture_of(s, model, GOOD, "steps", "--pace=0.5");
  says(svg, ">the puzzle; a corner: changed, hatched: breaks a rule<");
  says(svg, ">step 2 of 2: ");
  for (int i = 0; i < 3; i++) {
    char group[40];
    snprintf(group, sizeof group, "<g class=\"s1-%d\">", i);
    assert_int_equal(count(svg, group), 1);
  }

  /* Three frames, of which the last stays four times as long: six halves of a second. */
  const char *moves = strstr(svg, "@media (prefers-reduced-motion:no-preference){\n");
  assert_non_null(moves);
  says(moves,
       ".s1-1{animation:s1-1 3s step-end infinite}@keyframes s1-1{0%{visibility:hidden}"
       "16.6667%{visibility:visible}}\n");
  says(moves, "33.3333%{visibility:visible}}\n}</style>");
  assert_int_equal(count(svg, "animation:"), 2);
  assert_int_equal(count(svg, "visibility"), count(moves, "visibility"));

  /* The first frame has every cell, the next what is seen to change, and no more. */
  const char *next = strstr(svg, "<g class=\"s1-1\">");
  assert_int_equal(
      count(svg, "width=\"28\" height=\"28\"") - count(next, "width=\"28\" height=\"28\""), 16);
  assert_true(count(next, "width=\"28\" height=\"28\"") < 32);
  assert_int_equal(count(svg, "<g stroke"), 1);
  says(next, "<use href=\"#l1-0\"/>");
  free(svg);

  /* Each puzzle has its own, below the others. */
  want(RUN_INPUT(GOOD "\n" OTHER, "solve", model, "--steps", "2", "--show", "steps", "--svg", "-"),
       0);
  check_xml(out_text);
  says(out_text, "@keyframes s2-2{");
  assert_int_equal(count(out_text, "<style>@media"), 2);
  assert_int_equal(count(out_text, ">the puzzle;"), 2);
}

/* Mazes and tasks have cells with colours of their own, and grids that need not fill the canvas. */
static void latents_of_every_kind_are_shown(void **state) {
  scratch *s = *state;
  trm_puzzle grid = {.kind = TRM_PUZZLE_GRID, .rows = 3, .cols = 4, .sized = true};
  static const char *const symbols[] = {".", "<&>", "12", "a b"};
  for (int i = 0; i < 4; i++) assert_true(trm__puzzle_add_symbol(&grid, symbols[i]));
  const struct {
    trm_puzzle puzzle;
    const char *question;
  } kinds[] = {{{.kind = TRM_PUZZLE_MAZE, .rows = 3, .cols = 4}, "##SG/.###/####"},
               {{.kind = TRM_PUZZLE_ARC, .rows = 30, .cols = 30}, "12/30"},
               {grid, "12 . / . <&>"}};
  char model[160];
  for (int i = 0; i < 3; i++) {
    make_copying_model(place(s, "kind", model), &kinds[i].puzzle, 1, BLANK);
    want(RUN("solve", model, "--puzzle", kinds[i].question, "--show", "latents", "--json"), 0);
    trm__json *root = json_of(out_text);
    const trm__json *step = trm__json_item(trm__json_get(root, "trace"), 1);
    const trm__json *z = trm__json_item(trm__json_get(step, "latents"), 0);
    assert_string_equal(text_at(z, "grid"), text_at(root, "answer"));
    trm__json_free(root);
    want(RUN("solve", model, "--puzzle", kinds[i].question, "--show", "latents"), 0);
    says(out_text, "z_H, the answer");
    free(picture_of(s, model, kinds[i].question, "latents", NULL));
    free(picture_of(s, model, kinds[i].question, "steps", NULL));
  }
}

static void what_excludes_each_other_is_refused(void **state) {
  scratch *s = *state;
  char model[160];
  make_born_model(place(s, "refused", model), TRM_ARCH_TRM);
  want(RUN("solve", model, "--puzzle", GOOD, "--svg", "p.svg", "--json"), 2);
  says(err_text, "--svg draws what --json tells: want one of them");
  static const struct {
    const char *args[5], *words;
  } cases[] = {{{"--still"}, "--still belongs to --show steps --svg FILE"},
               {{"--still", "--show", "steps"}, "--still belongs to"},
               {{"--still", "--svg", "p.svg"}, "--still belongs to"},
               {{"--pace", "1"}, "--pace is of --show steps"},
               {{"--pace=1", "--json", "--show", "steps"}, "--pace is of --show steps"},
               {{"--pace=1", "--still", "--show=steps", "--svg=p.svg"}, "--pace is of"},
               {{"--pace=0", "--show=steps", "--svg=p.svg"}, "--pace 0: a picture that moves"},
               {{"--pace=-1", "--show=steps"}, "--pace"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *const *a = cases[i].args;
    want(RUN("solve", model, "--puzzle", GOOD, a[0], a[1], a[2], a[3], a[4]), 2);
    says(err_text, cases[i].words);
  }
  want(RUN("solve", model, "--puzzle", GOOD, "--show", "latent"), 2);
  says(err_text, "want final, grid, steps or latents, got 'latent'");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(steps_are_told_as_json),
      cmocka_unit_test(latents_are_told_as_json),
      cmocka_unit_test(latents_stand_side_by_side),
      cmocka_unit_test(what_is_shown_can_be_drawn),
      cmocka_unit_test(steps_are_drawn_as_an_animation),
      cmocka_unit_test(latents_of_every_kind_are_shown),
      cmocka_unit_test(what_excludes_each_other_is_refused),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
