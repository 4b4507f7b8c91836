/* trm data build sudoku, trm data gen sudoku. */
#include "cli/commands/data.h"

static const cli_manual build_manual = {
    .usage = "trm data build sudoku --input TRAIN[,TEST] --output-dir DIR [options]",
    .about =
        "Makes a data set of Sudokus from files of any usual form: tables (CSV) whose header has\n"
        "columns like puzzle and solution, puzzles a line with or without something beside them,\n"
        "nine lines, .sdk, .ss, .sdm, candidates, OpenSudoku's XML, HoDoKu's library, game ids of\n"
        "Solo, addresses of puzz.link, JSON (docs/BUILD_DATA.md). A cell is a digit, A, B ...\n"
        "above 9, or a blank: one of . 0 _ * - x ?; sizes above 9 may be written from 0 on, as\n"
        "0 to F, with another blank. The size is that of the first puzzle. A solution beside a "
        "puzzle is\n"
        "checked; a puzzle without one is solved, and must have a single solution. An error names\n"
        "the file, line and column, and nothing is written.\n",
    .notes =
        "Examples:\n"
        "  trm data build sudoku --input train.csv,test.csv --output-dir data/sudoku\n"
        "      all puzzles as they are: train with augment=on-the-fly\n"
        "  trm data build sudoku --input train.csv,test.csv --output-dir data/sudoku-1k-aug \\\n"
        "      --subsample-size 1000 --num-aug 1000\n"
        "      the paper's data set: 1,000 puzzles with 1,000 stored copies each\n"
        "  trm data build sudoku --input puzzles.txt,hardest.txt --output-dir data/lists\n"
        "  trm data build sudoku --input sudoku.csv --columns start,end --output-dir data/mine\n"};

int cmd_data_build_sudoku(int argc, char **argv) {
  const char *input = NULL;
  trm_sudoku_build_config config = {0};
  const cli_option options[] = {
      {"input", CLI_STRING, &input, "FILES", "training file, optionally a comma and the test file"},
      {"output-dir", CLI_OUTPUT, &config.output_dir, "DIR", "the data set folder to write"},
      {"subsample-size", CLI_INT64, &config.subsample_size, "N",
       "keep N training puzzles, drawn by the seed (default: all)"},
      {"num-aug", CLI_INT, &config.num_aug, "K",
       "store K symmetric copies of each training puzzle (default 0)"},
      {"columns", CLI_STRING, &config.columns, "NAMES",
       "of tables: PUZZLE[,SOLUTION[,RATING]], names or numbers from 1"},
      {"seed", CLI_UINT64, &config.seed, "S", "of subsample and copies (default 0)"},
      CLI_QUIET_ROW,
      {"min-difficulty", CLI_DOUBLE, &config.min_difficulty, "R",
       "keep ratings of at least R: of tables, or else backtracks (default: all)"},
      {"skip-invalid", CLI_FLAG, &config.skip_invalid, NULL,
       "leave out and count puzzles that have not one solution or cannot be read"},
      {NULL, CLI_FLAG, NULL, NULL, NULL}};
  int code;
  if (!cli_options_parse(&build_manual, options, &argc, argv, &code)) return code;
  if (argc) return cli_usage_error("unexpected argument '%s'", argv[0]);
  if (!input || !config.output_dir)
    return cli_usage_error("--%s is needed; see trm data build sudoku --help",
                           input ? "output-dir" : "input");
  data_inputs files;
  if (!data_split_inputs(input, &files)) return CLI_USAGE;
  config.train_csv = files.train;
  config.test_csv = files.test;
  cli_progress bar;
  cli_progress_begin(&bar, "building", 0, 0, "puzzles", 1);
  config.progress = cli_progress_tick;
  config.progress_arg = &bar;
  trm_build_report report;
  trm_error err;
  cli_faults_defer(); /* a stop removes what is half built; progress looks */
  trm_status st = trm_build_sudoku(&config, &report, &err);
  cli_progress_end(&bar);
  if (st == TRM_OK) data_warn_subsample(config.subsample_size, &report);
  return st == TRM_OK ? data_report_build(config.output_dir, &report) : cli_report_error(&err);
}

static const cli_manual gen_manual = {
    .usage = "trm data gen sudoku --size N | --hard --output-dir DIR [options]",
    .about =
        "Generates Sudokus with exactly one solution. No test puzzle is a training puzzle or a\n"
        "symmetric image of one (digits renamed, bands, stacks, rows and columns permuted, grid\n"
        "transposed). The same seed gives the same files, whatever the number of threads.\n",
    .notes =
        "Without --min-givens a puzzle is dug out until no given can be spared. With it, the\n"
        "number of givens to stop at is drawn between the two bounds. Backtracks are the wrong\n"
        "guesses of the built-in solver while it proves that the solution is the only one.\n"
        "\n"
        "Examples:\n"
        "  trm data gen sudoku --size 6 --max-givens 12 --output-dir data/sudoku6\n"
        "  trm data gen sudoku --size 9 --train 5000 --min-backtracks 5 \\\n"
        "      --output-dir data/sudoku9-hard\n"
        "  trm data gen sudoku --hard --train 1000 --test 1000 --output-dir data/sudoku-hard\n"
        "  trm data gen sudoku --size 4 --train 500 --test 100 --seed 7 --output-dir "
        "data/sudoku4\n"};

int cmd_data_gen_sudoku(int argc, char **argv) {
  trm_sudoku_gen_config config = {.n_train = 1000, .n_test = 1000};
  const cli_option options[] = {
      {"hard", CLI_FLAG, &config.hard, NULL,
       "9x9 as hard as Sudoku-Extreme; no other limit can be given"},
      {"size", CLI_SIZE, &config.size, "N",
       "4, 6, 8, 9, 10, 12 or 16 (of 16 a puzzle takes seconds)"},
      {"train", CLI_COUNT, &config.n_train, "N", "training puzzles (default 1000)"},
      {"count", CLI_COUNT, &config.n_train, "N", "the same as --train"},
      {"test", CLI_INT64, &config.n_test, "N", "test puzzles (default 1000; 0: no test split)"},
      {"max-givens", CLI_INT, &config.max_givens, "K", "at most K givens (default: no limit)"},
      {"min-givens", CLI_INT, &config.min_givens, "K", "at least K givens (default: no limit)"},
      {"min-backtracks", CLI_INT64, &config.min_backtracks, "K",
       "hard for the solver: at least K wrong guesses (default 0)"},
      {"max-backtracks", CLI_INT64, &config.max_backtracks, "K",
       "at most K wrong guesses (default 0: no limit)"},
      {"seed", CLI_UINT64, &config.seed, "S", "other puzzles for another seed (default 0)"},
      {"threads", CLI_INT, &config.threads, "N", "default: as many as the process may use"},
      CLI_QUIET_ROW,
      {"output-dir", CLI_OUTPUT, &config.output_dir, "DIR", "the data set folder to write"},
      {NULL, CLI_FLAG, NULL, NULL, NULL}};
  int code;
  if (!cli_options_parse(&gen_manual, options, &argc, argv, &code)) return code;
  if (argc) return cli_usage_error("unexpected argument '%s'", argv[0]);
  if (config.hard && !config.size) config.size = 9;
  if (!config.size || !config.output_dir)
    return cli_usage_error("--%s is needed; see trm data gen sudoku --help",
                           config.size ? "output-dir" : "size");
  cli_progress bar;
  cli_progress_begin(&bar, "generating", 0, 0, "puzzles", 1);
  config.progress = cli_progress_tick;
  config.progress_arg = &bar;
  trm_build_report report;
  trm_error err;
  trm_status st = trm_gen_sudoku(&config, &report, &err);
  cli_progress_end(&bar);
  if (st == TRM_E_ARGUMENT) return cli_usage_error("%s", err.msg);
  return st == TRM_OK ? data_report_build(config.output_dir, &report) : cli_report_error(&err);
}
