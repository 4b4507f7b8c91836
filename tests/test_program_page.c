/* trm page: what is in the folder that it writes, and which folders it leaves alone. How the page
 * works in a browser is tested there (page/test_static.py). */
#include "json_text.h"
#include "shell.h"
#include "small_model.h"

/* Whether this trm has the solver for web pages; without it the command says so and writes nothing.
 */
static bool has_module(scratch *s) {
  (void)shell(s, 0, "$TRM page site four.safetensors maze.safetensors >out 2>err; echo $? >code");
  if (!strcmp(shell(s, 0, "cat code"), "0\n")) return true;
  says(shell(s, 0, "cat code err"), "1\ntrm: error: this trm has no solver for web pages");
  says(shell(s, 0, "cat err"), "scripts/setup wasm");
  (void)shell(s, 0, "test ! -e site");
  return false;
}

static void put_model(scratch *s, const char *name, trm_puzzle p, int vocab_size, uint64_t seed) {
  trm_model_config c = small_config(TRM_ARCH_TRM, p.rows * p.cols);
  c.puzzle = p;
  c.vocab_size = vocab_size;
  trm_model *m = small_model(&c, seed);
  const trm_status st =
      trm_model_export(m, scratch_path(s, name), TRM_FILE_SAFETENSORS, TRM_FLOAT32, NULL);
  trm_model_free(m);
  assert_int_equal(st, TRM_OK);
}

/* Two models in float32, one of which loses nothing as bfloat16. */
static int set_up(void **state) {
  if (scratch_open(state) != 0) return -1;
  scratch *s = *state;
  put_model(s, "four.safetensors", trm_sudoku_of_size(4), 6, 1);
  put_model(s, "first.safetensors", trm_maze_of_size(3, 4), 6, 2);
  (void)shell(s, 0,
              "$TRM convert first.safetensors rounded.safetensors --dtype bf16 && "
              "$TRM convert rounded.safetensors maze.safetensors && mkdir kept");
  return 0;
}

/* The page's files, the module, the models and what is known of them. */
static void has_all_that_a_host_gives_out(void **state) {
  scratch *s = *state;
  if (!has_module(s)) skip();
  says(shell(s, 0, "cat out"), "site: a page with 2 models");
  says(shell(s, 0, "cd site && ls"), "api.js\nboard.css\nboard.js\ncharts.js\nexamples.json\n");
  (void)shell(s, 0, "cd site && test -s trm.js -a -s trm-worker.js -a -s offline.js");
  says(shell(s, 0, "head -c 4 site/trm.wasm | od -An -c"), "\\0   a   s   m");
  (void)shell(s, 1, "ls site | grep runs"); /* what only a server can tell of */

  /* The page says that it stands alone and, for nobody sends headers, what it may load. */
  says(shell(s, 0, "cat site/index.html"), "<meta name=\"trm-offline\"");
  says(shell(s, 0, "cat site/index.html"),
       "http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'self' "
       "'wasm-unsafe-eval'; worker-src 'self';");
  says(shell(s, 0, "tail -n 1 site/index.html"), "</html>");
  (void)shell(s, 1, "grep -e '<!-- more' site/index.html");

  /* The models are named and described as by the server, with examples. */
  trm__json *v = json_of(shell(s, 0, "cat site/models.json"));
  const trm__json *first = trm__json_item(trm__json_get(v, "data"), 0);
  assert_int_equal(trm__json_n_items(trm__json_get(v, "data")), 2);
  assert_string_equal(trm__json_text(trm__json_get(first, "id")), "four");
  assert_string_equal(trm__json_text(trm__json_get(first, "kind")), "sudoku");
  assert_int_equal(trm__json_n_items(trm__json_get(first, "symbols")), 5);
  trm__json_free(v);
  says(shell(s, 0, "cat site/examples.json"), "{\"model\":\"four\",\"puzzle\":\"");
}

/* Their weights are the same numbers, in the smaller format only where that is so. */
static void models_lose_nothing(void **state) {
  scratch *s = *state;
  if (!has_module(s)) skip();
  (void)shell(s, 0,
              "cmp site/models/maze.safetensors rounded.safetensors && "
              "cmp site/models/four.safetensors four.safetensors");
}

/* A page takes the place of one; nothing else is replaced, and what is wrong changes nothing. */
static void replaces_pages_alone(void **state) {
  scratch *s = *state;
  if (!has_module(s)) skip();
  says(shell(s, 0, "$TRM page site maze.safetensors 2>&1"), "site was there");
  (void)shell(s, 0, "test ! -e site/models/four.safetensors -a -e site/models/maze.safetensors");

  /* A model that is none, twice the same name. */
  (void)shell(s, 1, "$TRM page site nowhere 2>err");
  says(shell(s, 0, "cat err"), "nowhere: no such file or folder");
  (void)shell(s, 2, "$TRM page site maze.safetensors ./maze.safetensors 2>err");
  says(shell(s, 0, "cat err"), "two models are called maze");
  (void)shell(s, 0, "test -e site/models/maze.safetensors && ls -a >all && ! grep partial all");

  /* Folders of others: with a file of theirs, beside the page or among models, or without the
   * module.
   */
  static const char *const others[] = {"echo >kept/mine.txt", "echo >kept/models/mine.txt",
                                       "rm kept/trm.wasm"};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    char make[200];
    snprintf(make, sizeof make, "rm -r kept && cp -r site kept && %s && ls -R kept >before",
             others[i]);
    (void)shell(s, 0, make);
    (void)shell(s, 1, "$TRM page kept maze.safetensors 2>err");
    says(shell(s, 0, "cat err"), "it is not replaced; choose another output folder");
    (void)shell(s, 0, "ls -R kept | cmp - before");
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(has_all_that_a_host_gives_out),
      cmocka_unit_test(models_lose_nothing),
      cmocka_unit_test(replaces_pages_alone),
  };
  return cmocka_run_group_tests(tests, set_up, scratch_close);
}
