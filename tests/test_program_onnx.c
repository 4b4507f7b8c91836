/* `trm convert MODEL OUT.onnx`: what the program asks of Python, and what comes of its answers.
 * What the writer writes is tested in Python (python/tests/test_onnx.py). */
#include "shell.h"
#include "small_model.h"

static void put_script(scratch *s, const char *name, const char *text) {
  write_bytes(scratch_path(s, name), text, strlen(text));
  char line[100];
  snprintf(line, sizeof line, "chmod +x %s", name);
  (void)shell(s, 0, line);
}

/* A model m.safetensors, and a Python that tells what it is asked. */
static int set_up(void **state) {
  if (scratch_open(state) != 0) return -1;
  scratch *s = *state;
  trm_model_config c = small_config(TRM_ARCH_TRM, 16);
  trm_model *m = small_model(&c, 1);
  const trm_status st = trm_model_export(m, scratch_path(s, "m.safetensors"), TRM_FILE_SAFETENSORS,
                                         TRM_FLOAT32, NULL);
  trm_model_free(m);
  assert_int_equal(st, TRM_OK);
  put_script(s, "tell",
             "#!/bin/sh\n"
             "[ \"$1\" = -c ] && [ -s \"$3\" ] || exit 9\n"
             "cp \"$3\" \"$4\"; echo \"$3\" >file; echo \"$4 $5 $6 $7\" >asked\n");
  (void)shell(s, 0, "mkdir tmp");
  return 0;
}

/* Python gets a file with the model as it is to be written, and where, which graph and format. The
 * file is gone behind it. */
static void python_gets_the_model(void **state) {
  scratch *s = *state;
  says(shell(s, 0,
             "TMPDIR=$PWD/tmp TRM_PYTHON=./tell $TRM convert m.safetensors o.onnx && cat asked"),
       "o.onnx solve float32 m.safetensors");
  (void)shell(s, 0, "grep -q \"^$PWD/tmp/trm-.*/m.safetensors$\" file && rmdir tmp && mkdir tmp");
  (void)shell(s, 0, "mv o.onnx o.safetensors && $TRM info o.safetensors");
  says(shell(s, 0,
             "TRM_PYTHON=./tell $TRM convert ./m.safetensors O.ONNX --dtype bf16 --graph step "
             "&& cat asked"),
       "O.ONNX step bfloat16 ./m.safetensors");
  says(shell(s, 0, "TRM_PYTHON=./tell $TRM convert m.safetensors O.ONNX"), "O.ONNX was there");
}

/* What Python refuses is this program's error, of the kind that the exit code says; the model's
 * file is gone then, too. */
static void refusals_are_errors(void **state) {
  scratch *s = *state;
  static const struct {
    const char *script;
    int code;
    const char *says;
  } cases[] = {
      {"echo moe=switch:4: it cannot become ONNX; exit 2", 2,
       "trm: error: moe=switch:4: it cannot become ONNX\n"},
      {"echo m: is cut short; exit 3", 3, "trm: error: m: is cut short\n"},
      {"echo no room; exit 1", 1, "trm: error: no room\n"},
      {"exit 7", 1, "trm: error: ./answer, which writes ONNX files, ended with exit code 7\n"},
      {"kill -9 $$", 1, "trm: error: ./answer, which writes ONNX files, ended with signal 9\n"},
      {"exit 130", 130, "trm: error: stopped; nothing was written\n"},
      {"kill -2 $PPID; exit 1", 130, "trm: error: stopped; nothing was written\n"},
      {"yes a long message | head -c 100000; exit 2", 2, "trm: error: a long message?a long"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char script[200];
    snprintf(script, sizeof script, "#!/bin/sh\n%s\n", cases[i].script);
    put_script(s, "answer", script);
    says(shell(s, cases[i].code,
               "TMPDIR=$PWD/tmp TRM_PYTHON=./answer $TRM convert m.safetensors no.onnx"),
         cases[i].says);
    (void)shell(s, 0, "[ ! -e no.onnx ] && rmdir tmp && mkdir tmp");
  }
}

/* Whatever is missing is named, with the remedy; and what cannot be is refused beforehand. */
static void what_is_missing_is_named(void **state) {
  scratch *s = *state;
  says(shell(s, 1, "TRM_PYTHON=./none $TRM convert m.safetensors o.onnx"),
       "./none cannot be started: No such file or directory; pip install 'trm-solver[onnx]'");
  says(shell(s, 1, "TMPDIR=$PWD/none TRM_PYTHON=./tell $TRM convert m.safetensors o.onnx"),
       "cannot make a folder for the model");
  says(shell(s, 1, "TRM_PYTHON=./tell $TRM convert m.safetensors none/o.onnx"), "none/o.onnx: ");
  says(shell(s, 2, "TRM_PYTHON=./tell $TRM convert m.safetensors o.onnx --graph loop"),
       "--graph: want solve or step, got 'loop'");
  says(shell(s, 2, "$TRM convert m.safetensors o.pt --graph step"), "--graph: only an ONNX file");
}

/* A folder called trm in the current one is no package of ours, and is not run. */
static void the_current_folder_is_not_imported(void **state) {
  scratch *s = *state;
  if (system("python3 -S -c '' 2>/dev/null") != 0) {
    print_message("there is no python3\n");
    skip();
  }
  put_script(s, "bare", "#!/bin/sh\nexec python3 -S \"$@\"\n");
  (void)shell(s, 0,
              "mkdir trm && touch trm/__init__.py && "
              "echo 'def main(a): open(\"ran\", \"w\").close(); return 0' >trm/_onnx.py");
  says(shell(s, 1, "unset PYTHONPATH; TRM_PYTHON=./bare $TRM convert m.safetensors o.onnx"),
       "trm: error: ONNX files are written by the Python package trm: No module named 'trm'; pip "
       "install 'trm-solver[onnx]'");
  (void)shell(s, 1, "[ -e ran ]");

  /* Where the package is, it is run. */
  (void)shell(s, 0,
              "PYTHONPATH=$PWD TRM_PYTHON=./bare $TRM convert m.safetensors o.onnx && [ -e ran ]");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(python_gets_the_model),
      cmocka_unit_test(refusals_are_errors),
      cmocka_unit_test(what_is_missing_is_named),
      cmocka_unit_test(the_current_folder_is_not_imported),
  };
  return cmocka_run_group_tests(tests, set_up, scratch_close);
}
