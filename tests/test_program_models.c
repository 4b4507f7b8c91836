/* Models with a name, as a user meets them: where they are found, what wins, what is told when
 * there is none, what `trm models` lists; and those of the source tree. */
#include <sys/stat.h>

#include "json_text.h"
#include "shell.h"
#include "small_model.h"

static void is_silent_on(const char *text, const char *part) {
  if (strstr(text, part)) fail_msg("'%s' in:\n%s", part, text);
}

/* An untrained model of Sudokus of `size` in FOLDER/NAME.safetensors. */
static void put_model(scratch *s, const char *folder, const char *name, int size) {
  char path[300];
  trm_model_config c = small_config(TRM_ARCH_TRM, size * size);
  c.puzzle = trm_sudoku_of_size(size);
  c.vocab_size = size + 2;
  snprintf(path, sizeof path, "%s/%s", s->dir, folder);
  assert_int_equal(trm__make_dirs(path, NULL), TRM_OK);
  snprintf(path, sizeof path, "%s/%s/%s.safetensors", s->dir, folder, name);
  trm_model *m = small_model(&c, 1);
  assert_int_equal(trm_model_export(m, path, TRM_FILE_SAFETENSORS, TRM_BFLOAT16, NULL), TRM_OK);
  trm_model_free(m);
}

static void put_text(scratch *s, const char *path, const char *text) {
  write_bytes(scratch_path(s, path), text, strlen(text));
}

/* A copy of the program in bin, installed and without models beside it. */
static int set_up(void **state) {
  unsetenv("TRM_MODELS");
  if (scratch_open(state) != 0) return -1;
  scratch *s = *state;
  put_model(s, "first", "four", 4);
  put_model(s, "second", "four", 6);
  put_model(s, "second", "six", 6);
  put_text(s, "first/four.md", "# four: Sudokus of four\n\nMore.\n");
  (void)shell(s, 0, "mkdir bin && cp $TRM bin/trm && chmod +x bin/trm");
  return 0;
}

#define FOUR "1234341221434..."
#define SIX "123456456123231564564231312645......"

static void test_found(void **state) {
  scratch *s = *state;
  says(shell(s, 0, "TRM_MODELS=first $TRM solve four --puzzle " FOUR), "valid: ");
  /* the first folder of the list wins, empty parts and absent folders are passed over */
  says(shell(s, 0, "TRM_MODELS=:none:first:second $TRM solve four --puzzle " FOUR), "valid: ");
  says(shell(s, 0, "TRM_MODELS=second:first $TRM solve four --puzzle " SIX), "valid: ");
  says(shell(s, 0, "TRM_MODELS=first:second: $TRM solve six --puzzle " SIX), "valid: ");
  /* a name has no folder in it, and none of a file's ending */
  (void)shell(s, 1, "TRM_MODELS=. $TRM solve first/four --puzzle " FOUR);
  (void)shell(s, 1, "TRM_MODELS=first $TRM solve four.safetensors --puzzle " FOUR);
  (void)shell(s, 1, "TRM_MODELS=first $TRM solve '' --puzzle " FOUR);
}

/* Wherever a command takes a model. */
static void test_every_command(void **state) {
  scratch *s = *state;
  (void)shell(s, 0, "$TRM data gen sudoku --size 4 --train 4 --test 4 --output-dir data4");
  says(shell(s, 0, "TRM_MODELS=first $TRM eval four data4 --limit 2"), "exact");
  says(shell(s, 0, "TRM_MODELS=first $TRM info four"), "Sudoku 4x4");
  says(shell(s, 0, "TRM_MODELS=first $TRM convert four again && $TRM info again"), "Sudoku 4x4");
  says(shell(s, 0,
             "TRM_MODELS=first $TRM train data_paths='[data4]' load_checkpoint=four "
             "arch.hidden_size=32 max_updates=1 --dry-run"),
       "updates");
  /* this one is found, and refused for what it is */
  put_text(s, "task.json",
           "{\"train\": [{\"input\": [[1]], \"output\": [[2]]}], "
           "\"test\": [{\"input\": [[1]]}]}");
  is_silent_on(shell(s, 3, "TRM_MODELS=first $TRM finetune four --task task.json"), "no such file");
}

static void test_path_wins(void **state) {
  scratch *s = *state;
  (void)shell(s, 0,
              "cp second/six.safetensors here.safetensors && mkdir -p models6 && cp "
              "first/four.safetensors models6/here.safetensors");
  says(shell(s, 0, "TRM_MODELS=models6 $TRM solve here --puzzle " FOUR), "valid: ");
  (void)shell(s, 0, "TRM_MODELS=second $TRM convert six here"); /* a folder of that name */
  says(shell(s, 0, "TRM_MODELS=models6 $TRM solve here --puzzle " SIX), "valid: ");
  says(shell(s, 0, "TRM_MODELS=models6 $TRM info here"), "Sudoku 6x6");
  /* also one that is no model: nothing else is taken in its place */
  says(shell(s, 1,
             "mkdir empty; cp first/four.safetensors models6/empty.safetensors;"
             "TRM_MODELS=models6 $TRM solve empty --puzzle " FOUR),
       "not a model folder");
}

static void test_beside_the_program(void **state) {
  scratch *s = *state;
  says(shell(s, 1, "bin/trm solve four --puzzle " FOUR), "no model has a name here");
  says(shell(s, 0, "bin/trm models"), "no models in ");
  says(shell(s, 0, "bin/trm models --json"), "[]");
  (void)shell(s, 0, "mkdir -p share/trm && cp -r first share/trm/models");
  says(shell(s, 0, "bin/trm solve four --puzzle " FOUR), "valid: ");
  says(shell(s, 0, "cd bin && PATH=.:$PATH trm solve four --puzzle " FOUR), "valid: ");
  /* beside it comes before where it is installed, and after what the user lists */
  (void)shell(s, 0, "cp -r second bin/models");
  says(shell(s, 0, "bin/trm solve four --puzzle " SIX), "valid: ");
  says(shell(s, 0, "TRM_MODELS=first bin/trm solve four --puzzle " FOUR), "valid: ");
  says(shell(s, 0, "ln -s bin/trm link && ./link solve four --puzzle " SIX), "valid: ");
}

static void test_not_found(void **state) {
  scratch *s = *state;
  const char *text = shell(s, 1, "TRM_MODELS=first:second $TRM solve fur --puzzle " FOUR);
  says(text, "trm: error: fur: no such file or folder");
  says(text, "four");
  says(text, "six");
  says(text, "trm models");
  says(shell(s, 1, "TRM_MODELS=second $TRM info none/such"), "six");
}

static void test_list(void **state) {
  scratch *s = *state;
  const char *text = shell(s, 0, "TRM_MODELS=first:second $TRM models");
  says(text, "first\n");
  says(text, "four");
  says(text, "Sudoku 4x4");
  says(text, "Sudokus of four");
  says(text, "six");
  assert_null(strstr(strstr(text, "second"), "four")); /* the first one of a name is taken */

  trm__json *list = json_of(shell(s, 0, "TRM_MODELS=first:second $TRM models --json"));
  const trm__json *four = trm__json_item(list, 0);
  assert_string_equal(trm__json_text(trm__json_get(four, "name")), "four");
  assert_string_equal(trm__json_text(trm__json_get(four, "path")), "first/four.safetensors");
  assert_string_equal(trm__json_text(trm__json_get(four, "description")), "Sudokus of four");
  says(trm__json_text(trm__json_get(four, "puzzle")), "Sudoku 4x4");
  assert_true(trm__json_integer(trm__json_get(four, "bytes")) > 1000);
  assert_true(trm__json_integer(trm__json_get(four, "parameters")) > 1000);
  trm__json_free(list);

  is_silent_on(shell(s, 0, "TRM_MODELS=first:second $TRM models --names | head -n 2"), " ");
  says(out, "four\nsix\n");
  (void)shell(s, 2, "$TRM models --names --json");
  (void)shell(s, 2, "$TRM models more");
}

/* A card is any bytes, a model may be none. */
static void test_strange_files(void **state) {
  scratch *s = *state;

  /* Cards, and what is taken of their first line. */
  static const struct {
    const char *card, *about;
  } cards[] = {{"# odd: one line", "one line"},
               {"# odd: \x1b[31mred\r\nmore", "?[31mred"},
               {"# other: name", ""},
               {"", ""},
               {"# odd: ", ""},
               {"odd: no mark", ""}};

  /* Whatever it is, the list has one line for the model, and no codes for a terminal. */
  put_model(s, "strange", "odd", 4);
  for (size_t i = 0; i < sizeof cards / sizeof *cards; i++) {
    char want[64];
    put_text(s, "strange/odd.md", cards[i].card);
    snprintf(want, sizeof want, "  %s\n", cards[i].about);
    says(shell(s, 0, "TRM_MODELS=strange $TRM models | grep -a odd"), want);
    is_silent_on(out, "\x1b");
  }

  /* A long line is cut. */
  char *text = calloc(100001, 1);
  assert_non_null(text);
  memset(text, 'x', 100000);
  memcpy(text, "# odd: ", 7);
  put_text(s, "strange/odd.md", text);
  free(text);
  assert_true(strlen(shell(s, 0, "TRM_MODELS=strange $TRM models")) < 1000);

  /* A file that is no model is told of beside the others, and cannot be used. */
  put_text(s, "strange/bad.safetensors", "no model");
  says(shell(s, 0, "TRM_MODELS=strange $TRM models"), "error: ");
  says(out, "Sudoku 4x4");
  says(shell(s, 0, "TRM_MODELS=strange $TRM models --json"), "\"error\"");
  (void)shell(s, 3, "TRM_MODELS=strange $TRM solve bad --puzzle " FOUR);
}

/* What leads to no file is no model, and hides none of its name in a later folder. */
static void test_no_files(void **state) {
  scratch *s = *state;
  put_model(s, "links", "whole", 4);
  (void)shell(s, 0,
              "cd links && ln -s nowhere.safetensors gone.safetensors && ln -s loop.safetensors "
              "loop.safetensors && mkdir six.safetensors && mkfifo pipe.safetensors && "
              "ln -s whole.safetensors same.safetensors");
  says(shell(s, 0, "TRM_MODELS=links:second $TRM models"), "whole ");
  says(out, "same ");
  says(out, "six ");
  says(shell(s, 0, "TRM_MODELS=links:second $TRM models --names | head -n 4 | sort | tr '\\n' ' '"),
       "four same six whole ");
  trm__json *list = json_of(shell(s, 0, "TRM_MODELS=links:second $TRM models --json"));
  for (size_t i = 0; i < trm__json_n_items(list); i++)
    assert_null(trm__json_get(trm__json_item(list, i), "error"));
  trm__json_free(list);
  says(shell(s, 1, "TRM_MODELS=links $TRM solve gone --puzzle " FOUR), "whole");
  is_silent_on(out, "gone,");
  is_silent_on(out, "loop");
  is_silent_on(out, "six,");
}

/* What ships: small, of a known puzzle, and with a card that says all that one has to. */
static void test_own_models(void **state) {
  /* What a card must have. */
  scratch *s = *state;
  static const char *const parts[] = {"\n## Data",    "\n## Training", "\n## Scores",
                                      "\n## Licence", "trm data gen",  "trm train",
                                      "seed",         "trm convert",   " to "};

  /* In a package the models may be left out. */
  trm__json *list = json_of(shell(s, 0, "$TRM models --json 2>/dev/null"));
  if (trm__json_n_items(list) == 0) {
    trm__json_free(list);
    print_message("skipped: no models in the source tree\n");
    skip();
  }

  /* A model can be read, is small enough to ship, and says what it is for. */
  for (size_t i = 0; i < trm__json_n_items(list); i++) {
    const trm__json *m = trm__json_item(list, i);
    const char *path = trm__json_text(trm__json_get(m, "path"));
    char card[400];
    size_t n;
    assert_null(trm__json_get(m, "error"));
    assert_true(trm__json_integer(trm__json_get(m, "bytes")) < 3000000);
    assert_true(*trm__json_text(trm__json_get(m, "description")));

    /* Its card is complete. */
    snprintf(card, sizeof card, "%.*s.md", (int)(strstr(path, ".safetensors") - path), path);
    char *text = (char *)read_bytes(card, &n);
    for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) says(text, parts[k]);
    free(text);
  }
  trm__json_free(list);
}

static void test_first_command(void **state) {
  scratch *s = *state;
  if (!strstr(shell(s, 0, "$TRM models --names"), "sudoku9")) {
    print_message("skipped: no model sudoku9 in the source tree\n");
    skip();
  }
  says(shell(s, 0,
             "$TRM solve sudoku9 --check --puzzle "
             "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79"),
       "534678912672195348198342567859761423426853791713924856961537284287419635345286179  valid: "
       "yes");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_found),         cmocka_unit_test(test_every_command),
      cmocka_unit_test(test_path_wins),     cmocka_unit_test(test_beside_the_program),
      cmocka_unit_test(test_not_found),     cmocka_unit_test(test_list),
      cmocka_unit_test(test_strange_files), cmocka_unit_test(test_own_models),
      cmocka_unit_test(test_first_command), cmocka_unit_test(test_no_files),
  };
  return cmocka_run_group_tests(tests, set_up, scratch_close);
}
