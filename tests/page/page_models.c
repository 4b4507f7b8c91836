/* page_models FOLDER: untrained models of kinds that none comes with trm for, which test_page.py
 * has a server answer by. */
#include "small_model.h"

static void put_model(const char *folder, const char *name, trm_puzzle p, int vocab_size) {
  char path[400];
  trm_error err;
  trm_model_config c = small_config(TRM_ARCH_TRM, p.rows * p.cols);
  c.puzzle = p;
  c.vocab_size = vocab_size;
  snprintf(path, sizeof path, "%s/%s.safetensors", folder, name);
  trm_model *m = small_model(&c, 1);
  if (trm_model_export(m, path, TRM_FILE_SAFETENSORS, TRM_FLOAT32, &err) != TRM_OK)
    fail_msg("%s", err.msg);
  trm_model_free(m);
}

int main(int argc, char **argv) {
  if (argc != 2) return 1;
  put_model(argv[1], "arc", (trm_puzzle){.kind = TRM_PUZZLE_ARC, .rows = 12, .cols = 12}, 12);
  put_model(argv[1], "letters",
            (trm_puzzle){.kind = TRM_PUZZLE_GRID, .rows = 2, .cols = 3, .vocabulary = "a\0b\0c\0"},
            4);
  put_model(argv[1], "sudoku16", trm_sudoku_of_size(16), 18);
  return 0;
}
