/* trm data build maze, trm data gen maze. */
#include <stdio.h>
#include <string.h>

#include "cli/commands/data.h"

static const cli_manual build_manual = {
    .usage = "trm data build maze --input TRAIN.csv[,TEST.csv] --output-dir DIR [options]",
    .about =
        "Makes a data set of mazes from tables (CSV, with , ; or tabs) whose header has columns "
        "like\n"
        "question and answer. A maze is its cells row by row: '#' wall, ' ' free, 'S' start, 'G' "
        "goal; the answer "
        "marks\n"
        "the cells between S and G on a shortest path with 'o'. Every answer is checked to be "
        "one;\n"
        "an error names the file, line and column, and nothing is written.\n",
    .notes =
        "Examples:\n"
        "  trm data build maze --input train.csv,test.csv --output-dir data/maze\n"
        "  trm data build maze --input train.csv,test.csv --output-dir data/maze-aug --aug\n"
        "      each training maze with its rotations and reflections as one group\n"
        "  trm data build maze --input wide.csv --rows 10 --cols 24 --output-dir data/wide\n"};

int cmd_data_build_maze(int argc, char **argv) {
  const char *input = NULL;
  data_work work;
  trm_maze_build_config config = {.progress = cli_progress_tick, .progress_arg = &work.bar};
  const cli_option options[] = {
      {"input", CLI_STRING, &input, "FILES", "training CSV, optionally a comma and the test CSV"},
      {"output-dir", CLI_OUTPUT, &config.output_dir, "DIR", "the data set folder to write"},
      {"columns", CLI_STRING, &config.columns, "NAMES",
       "QUESTION,ANSWER: names, or numbers from 1 where there is no header"},
      {"aug", CLI_FLAG, &config.aug, NULL,
       "store 8 images of each training maze (4 if not square)"},
      {"rows", CLI_INT, &config.rows, "R", "rows of a maze (default: it is square)"},
      {"cols", CLI_INT, &config.cols, "C", "columns of a maze"},
      {"subsample-size", CLI_INT64, &config.subsample_size, "N",
       "keep N training mazes, drawn by the seed (default: all)"},
      {"seed", CLI_UINT64, &config.seed, "S", "of the subsample (default 0)"},
      CLI_QUIET_ROW,
      {NULL, CLI_FLAG, NULL, NULL, NULL}};

  /* Sizes come in pairs; without them a maze is square. */
  int code;
  if (!cli_options_parse(&build_manual, options, &argc, argv, &code)) return code;
  if (argc) return cli_usage_error("unexpected argument '%s'", argv[0]);
  if (!input || !config.output_dir)
    return cli_usage_error("--%s is needed; see trm data build maze --help",
                           input ? "output-dir" : "input");
  if (!config.rows != !config.cols)
    return cli_usage_error("--%s is needed, too", config.rows ? "cols" : "rows");

  /* The test file may stand behind the training file. */
  data_inputs files;
  if (!data_split_inputs(input, &files)) return CLI_USAGE;
  config.train_csv = files.train;
  config.test_csv = files.test;

  /* Read, checked to be on a shortest path, and written. */
  data_work_begin(&work, "building", "mazes");
  const trm_status st = trm_build_maze(&config, &work.report, &work.err);
  return data_work_end(&work, st, config.output_dir, config.subsample_size);
}

static const cli_manual gen_manual = {
    .usage = "trm data gen maze --size N|RxC --output-dir DIR [options]",
    .about =
        "Generates random mazes as in Lehnert et al. (2024): the share of walls, start and goal\n"
        "are random; a maze is kept when its shortest path is long enough. No test maze is a\n"
        "training maze, rotated or reflected. The same seed gives the same files, whatever the\n"
        "number of threads.\n",
    .notes =
        "The length of a path counts its cells with S and G. The label is the path that goes, of\n"
        "the moves that lead nearer to G, the first of down, left, right, up: the rule of the\n"
        "published mazes.\n"
        "\n"
        "Examples:\n"
        "  trm data gen maze --size 10 --output-dir data/maze10\n"
        "  trm data gen maze --size 30 --min-path 110 --seed 1 --output-dir data/maze30\n"
        "  trm data gen maze --size 8x20 --train 500 --test 100 --output-dir data/maze8x20\n"};

/* "30" or "8x20". */
static bool parse_size(const char *text, int *rows, int *cols) {
  char first[16];
  const char *x = strchr(text, 'x');
  size_t n = x ? (size_t)(x - text) : strlen(text);

  /* One number is that of both sides. */
  int64_t r, c;
  if (n >= sizeof first) return false;
  memcpy(first, text, n);
  first[n] = 0;
  if (!trm__number_int64(first, &r) || !trm__number_int64(x ? x + 1 : first, &c)) return false;
  if (r < 1 || c < 1 || r > TRM_PUZZLE_MAX_SIDE || c > TRM_PUZZLE_MAX_SIDE) return false;
  *rows = (int)r;
  *cols = (int)c;
  return true;
}

int cmd_data_gen_maze(int argc, char **argv) {
  const char *size = NULL;
  data_work work;
  trm_maze_gen_config config = {.n_train = 1000,
                                .n_test = 1000,
                                .min_walls = 0.3,
                                .max_walls = 0.5,
                                .progress = cli_progress_tick,
                                .progress_arg = &work.bar};
  const cli_option options[] = {
      {"size", CLI_STRING, &size, "N|RxC", "a square of N x N cells, or R rows of C cells"},
      {"min-path", CLI_INT, &config.min_path, "K",
       "cells of the shortest path, at least (default: rows + columns)"},
      {"train", CLI_COUNT, &config.n_train, "N", "training mazes (default 1000)"},
      {"count", CLI_COUNT, &config.n_train, "N", "the same as --train"},
      {"test", CLI_INT64, &config.n_test, "N", "test mazes (default 1000; 0: no test split)"},
      {"min-walls", CLI_DOUBLE, &config.min_walls, "X", "least share of walls (default 0.3)"},
      {"max-walls", CLI_DOUBLE, &config.max_walls, "X", "largest share of walls (default 0.5)"},
      {"seed", CLI_UINT64, &config.seed, "S", "other mazes for another seed (default 0)"},
      {"threads", CLI_INT, &config.threads, "N", "default: as many as the process may use"},
      {"output-dir", CLI_OUTPUT, &config.output_dir, "DIR", "the data set folder to write"},
      CLI_QUIET_ROW,
      {NULL, CLI_FLAG, NULL, NULL, NULL}};

  /* Only the size and the place have no default. */
  int code;
  if (!cli_options_parse(&gen_manual, options, &argc, argv, &code)) return code;
  if (argc) return cli_usage_error("unexpected argument '%s'", argv[0]);
  if (!size || !config.output_dir)
    return cli_usage_error("--%s is needed; see trm data gen maze --help",
                           size ? "output-dir" : "size");
  if (!parse_size(size, &config.rows, &config.cols))
    return cli_usage_error("--size: want N or RxC with sides of 1 to %d, got '%s'",
                           TRM_PUZZLE_MAX_SIDE, size);

  /* Drawn, the same by any number of threads, and written. */
  data_work_begin(&work, "generating", "mazes");
  const trm_status st = trm_gen_maze(&config, &work.report, &work.err);
  return data_work_end(&work, st, config.output_dir, 0);
}
