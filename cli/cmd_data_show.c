/* trm data show: puzzles of a data set as the text that trm solve reads. */
#include <inttypes.h>
#include <string.h>

#include "cmd_data.h"

static const cli_manual manual = {
    .usage = "trm data show DIR [options]",
    .about =
        "Prints Sudokus of a data set as text, one line each, ready for trm solve; the solution\n"
        "stands in the line before as a comment, which trm solve skips.\n",
    .notes =
        "Examples:\n"
        "  trm data show data/sudoku6 --index 7\n"
        "  trm data show data/sudoku6 --count 20 | trm solve runs/Sudoku6-trm/first --check\n"};

/* Tokens 2 and up are digits; blanks, padding and ignored labels are blank. */
static void print_grid(const trm_puzzle *p, const int32_t *tokens) {
  uint8_t values[TRM_SUDOKU_MAX_CELLS];
  char text[TRM_SUDOKU_MAX_CELLS + 1];
  for (int i = 0; i < p->rows * p->cols; i++)
    values[i] = (uint8_t)(tokens[i] >= 2 && tokens[i] <= p->rows + 1 ? tokens[i] - 1 : 0);
  trm_sudoku_format(p, values, text);
  printf("%s\n", text);
}

static int show(const trm_dataset *d, const char *dir, const char *split, int64_t first,
                int64_t count) {
  const trm_dataset_info *info = trm_dataset_get_info(d);
  int32_t inputs[TRM_SUDOKU_MAX_CELLS], labels[TRM_SUDOKU_MAX_CELLS];
  trm_error err;
  if (info->puzzle.kind != TRM_PUZZLE_SUDOKU || info->seq_len > TRM_SUDOKU_MAX_CELLS) {
    cli_fail(&err, TRM_E_CONFIG, -1, "%s: not a set of Sudokus, and no other puzzle can be shown",
             dir);
    return cli_report_error(&err);
  }
  if (first >= info->examples)
    return cli_usage_error("--index: %s/%s has examples 0 to %" PRId64 ", got %" PRId64, dir, split,
                           info->examples - 1, first);
  for (int64_t i = first; i < info->examples && i - first < count; i++) {
    trm_dataset_example(d, i, inputs, labels, NULL);
    printf("# %s %" PRId64 ", solution ", split, i);
    print_grid(&info->puzzle, labels);
    print_grid(&info->puzzle, inputs);
  }
  return cli_finish(CLI_OK);
}

int cmd_data_show(int argc, char **argv) {
  const char *split = "test";
  int64_t index = 0, count = 1;
  const cli_option options[] = {
      {"split", CLI_STRING, &split, "NAME", "train or test (default test)"},
      {"index", CLI_INT64, &index, "I", "the first example to show (default 0)"},
      {"count", CLI_INT64, &count, "N", "how many (default 1)"},
      {NULL, CLI_FLAG, NULL, NULL, NULL}};
  int code;
  trm_dataset *d;
  trm_error err;
  if (!cli_options_parse(&manual, options, &argc, argv, &code)) return code;
  if (argc != 1) return cli_usage_error("want one data set folder; see trm data show --help");
  if (trm_dataset_open(argv[0], split, &d, &err) != TRM_OK) return cli_report_error(&err);
  code = show(d, argv[0], split, index, count);
  trm_dataset_free(d);
  return code;
}
