/* What the program writes holds byte for byte, as test_same_bits holds it for the library: a preset
 * trained for a few updates, evaluated and asked. The program is preloaded with same_machine.c.
 *
 * Of the log, time and samples_per_s are left out; so is run.json, which counts the log's bytes,
 * and whatever goes to the terminal. Paths are relative to the test's folder. */
#include "launch.h"
#include "same_bits.h"

enum { UPDATES = 5 };

#define RUN_DIR "run"
#define STEP RUN_DIR "/step_5/"

static bool is_mine(const char *name) {
  return strncmp(name, "program", 7) == 0;
}

/* `"KEY":NUMBER,` is taken out of the text wherever it is. */
static void strike(char *text, const char *key) {
  char *at;
  while ((at = strstr(text, key)) != NULL) {
    const char *rest = strchr(at, ',');
    assert_non_null(rest);
    memmove(at, rest + 1, strlen(rest + 1) + 1);
  }
}

static uint64_t bits_of_log(const char *path) {
  size_t n;
  char *text = (char *)read_bytes(path, &n);
  strike(text, "\"time\":");
  strike(text, "\"samples_per_s\":");
  int lines = 0;
  for (const char *p = text; (p = strchr(p, '\n')) != NULL; p++) lines++;
  assert_int_equal(lines, UPDATES + 1); /* and the evaluation */
  const uint64_t hash = bits_add(BITS_START, text, strlen(text));
  free(text);
  return hash;
}

static void train(scratch *s, const char *dtype, const char *threads, const char *micro_batch) {
  char format[60], team[40], rows[40];
  snprintf(format, sizeof format, "arch.forward_dtype=%s", dtype);
  snprintf(team, sizeof team, "threads=%s", threads);
  snprintf(rows, sizeof rows, "micro_batch=%s", micro_batch);
  trm__remove_tree(RUN_DIR, NULL);
  want(RUN("train", "preset=sudoku4", "data_paths=[data]", "checkpoint_path=" RUN_DIR,
           "max_updates=5", "eval_limit=10", "seed=3", "global_batch_size=8", "lr_warmup_steps=2",
           "lr_min_ratio=0.1", "arch.hidden_size=32", "arch.num_heads=1", "arch.H_cycles=1",
           "arch.L_cycles=1", "arch.halt_max_steps=4", "arch.halt_exploration_prob=0.5",
           "device=cpu", format, team, rows),
       0);
}

static uint64_t bits_of_output(void) {
  return bits_add(BITS_START, out_text, strlen(out_text));
}

/* NAME=HASH of what a run left and answers. */
static void describe(scratch *s, const char *threads, char text[BITS_TEXT]) {
  static const char *const files[][2] = {{"config", STEP "config.json"},
                                         {"model", STEP "model.safetensors"},
                                         {"state", STEP "trainer.safetensors"}};
  size_t n = 0;
  for (size_t i = 0; i < sizeof files / sizeof *files; i++)
    n += (size_t)snprintf(text + n, BITS_TEXT - n, "%s=%016llx ", files[i][0],
                          (unsigned long long)bits_of_file(files[i][1]));
  n += (size_t)snprintf(text + n, BITS_TEXT - n, "log=%016llx ",
                        (unsigned long long)bits_of_log(RUN_DIR "/log.jsonl"));
  want(RUN("eval", RUN_DIR, "data", "--json", "--quiet", "--threads", threads), 0);
  n += (size_t)snprintf(text + n, BITS_TEXT - n, "eval=%016llx ",
                        (unsigned long long)bits_of_output());
  want(RUN("solve", RUN_DIR, "--data", "data", "--count", "6", "--show", "steps", "--threads",
           threads),
       0);
  snprintf(text + n, BITS_TEXT - n, "solve=%016llx", (unsigned long long)bits_of_output());
}

static void walk_isa(bits_table *t, const char *isa, void *arg) {
  static const char *const splits[][2] = {{"1", "4"}, {"3", "2"}}; /* threads, micro-batch */
  scratch *s = arg;
  for (int dtype = 0; dtype < TRM__TRAINED_DTYPES; dtype++) {
    const char *format = trm_dtype_name((trm_dtype)dtype);
    char key[BITS_KEY], text[2][BITS_TEXT];
    snprintf(key, sizeof key, "%s %s program-sudoku4", isa, format);
    for (int i = 0; i < 2; i++) {
      train(s, format, splits[i][0], splits[i][1]);
      describe(s, splits[i][0], text[i]);
    }
    assert_string_equal(text[0], text[1]);
    bits_check(t, key, text[0]);
  }
  bits_unclaimed(t, isa, is_mine);
}

static bool writes;

static void files_and_answers_hold(void **state) {
  static bits_table table;
  scratch *s = *state;
  assert_int_equal(chdir(s->dir), 0);
  want(RUN("data", "gen", "sudoku", "--size", "4", "--train", "60", "--test", "20", "--output-dir",
           "data"),
       0);
  assert_int_equal(setenv("LD_PRELOAD", SAME_MACHINE, 1), 0);
  bits_open(&table, writes);
  bits_on_every_isa(&table, is_mine, walk_isa, s);
  bits_close(&table);
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(files_and_answers_hold)};
  writes = argc == 2 && !strcmp(argv[1], "--write");
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
