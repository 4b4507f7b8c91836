/* trm data: data sets from CSV files and from the generator, and a look at them. */
#include <string.h>

#include "cli.h"
#include "cmd_data_show.h"

/* --- what both commands report --- */

static void print_split(const char *dir, const char *name, int64_t puzzles, int64_t examples) {
  char count[32], rows[32];
  cli_format_count(puzzles, count, sizeof count);
  cli_format_count(examples, rows, sizeof rows);
  if (puzzles == examples)
    printf("  %s/%s: %s puzzles\n", dir, name, count);
  else
    printf("  %s/%s: %s puzzles, %s examples with their copies\n", dir, name, count, rows);
}

static void warn_count(int64_t n, const char *one, const char *many) {
  char count[32];
  cli_format_count(n, count, sizeof count);
  if (n) cli_warn("%s %s", count, n == 1 ? one : many);
}

static int report_build(const char *folder, const trm_build_report *r) {
  char dir[4096];
  size_t n = strlen(folder);
  while (n > 1 && folder[n - 1] == '/') n--;
  snprintf(dir, sizeof dir, "%.*s", (int)(n < sizeof dir ? n : sizeof dir - 1), folder);
  printf("wrote %s\n", dir);
  print_split(dir, "train", r->train_puzzles, r->train_examples);
  if (r->test_puzzles) print_split(dir, "test", r->test_puzzles, r->test_examples);
  if (r->test_puzzles && !r->symmetric_overlap)
    printf("  no test puzzle is a symmetric image of a training puzzle\n");
  warn_count(r->duplicates_in_train, "training puzzle repeats another one",
             "training puzzles repeat others");
  warn_count(r->duplicates_in_test, "test puzzle repeats another one",
             "test puzzles repeat others");
  warn_count(r->overlap, "test puzzle is in the training set, too",
             "test puzzles are in the training set, too");
  warn_count(r->symmetric_overlap - r->overlap,
             "more test puzzle is a symmetric image of a training puzzle",
             "more test puzzles are symmetric images of training puzzles");
  return cli_finish(CLI_OK);
}

/* --- trm data build sudoku --- */

static const cli_manual build_manual = {
    .usage = "trm data build sudoku --input TRAIN.csv[,TEST.csv] --output-dir DIR [options]",
    .about =
        "Makes a data set of Sudokus from CSV files with the header "
        "source,question,answer,rating.\n"
        "A grid is its cells row by row: '.' or '0' for a blank, 1 to 9, then A, B ... for sizes\n"
        "above 9. The size is read from the first puzzle. Every row is checked against the rules;\n"
        "an error names the file, line and column, and nothing is written.\n",
    .notes =
        "Examples:\n"
        "  trm data build sudoku --input train.csv,test.csv --output-dir data/sudoku\n"
        "      all puzzles as they are: train with augment=on-the-fly\n"
        "  trm data build sudoku --input train.csv,test.csv --output-dir data/sudoku-1k-aug \\\n"
        "      --subsample-size 1000 --num-aug 1000\n"
        "      the paper's data set: 1,000 puzzles with 1,000 stored copies each\n"};

static int build_sudoku(int argc, char **argv) {
  const char *input = NULL;
  trm_sudoku_build_config config = {0};
  const cli_option options[] = {
      {"input", CLI_STRING, &input, "FILES", "training CSV, optionally a comma and the test CSV"},
      {"output-dir", CLI_STRING, &config.output_dir, "DIR", "the data set folder to write"},
      {"subsample-size", CLI_INT64, &config.subsample_size, "N",
       "keep N training puzzles, drawn by the seed (default: all)"},
      {"num-aug", CLI_INT, &config.num_aug, "K",
       "store K symmetric copies of each training puzzle (default 0)"},
      {"seed", CLI_UINT64, &config.seed, "S", "of subsample and copies (default 0)"},
      {"min-difficulty", CLI_DOUBLE, &config.min_difficulty, "R",
       "keep puzzles with a rating of at least R (default: all)"},
      {NULL, CLI_FLAG, NULL, NULL, NULL}};
  int code;
  if (!cli_options_parse(&build_manual, options, &argc, argv, &code)) return code;
  if (argc) return cli_usage_error("unexpected argument '%s'", argv[0]);
  if (!input || !config.output_dir)
    return cli_usage_error("--%s is needed; see trm data build sudoku --help",
                           input ? "output-dir" : "input");
  char files[4096];
  if (strlen(input) >= sizeof files) return cli_usage_error("--input: the text is too long");
  memcpy(files, input, strlen(input) + 1);
  char *comma = strchr(files, ',');
  if (comma) *comma++ = 0;
  if (!*files || (comma && (!*comma || strchr(comma, ','))))
    return cli_usage_error("--input: want TRAIN.csv or TRAIN.csv,TEST.csv, got '%s'", input);
  config.train_csv = files;
  config.test_csv = comma;
  cli_progress bar;
  cli_progress_begin(&bar, "writing", 0, 0, "puzzles", 1);
  config.progress = cli_progress_tick;
  config.progress_arg = &bar;
  trm_build_report report;
  trm_error err;
  trm_status st = trm_build_sudoku(&config, &report, &err);
  cli_progress_end(&bar);
  return st == TRM_OK ? report_build(config.output_dir, &report) : cli_report_error(&err);
}

/* --- trm data gen sudoku --- */

static const cli_manual gen_manual = {
    .usage = "trm data gen sudoku --size 4|6|9 --output-dir DIR [options]",
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
        "  trm data gen sudoku --size 4 --train 500 --test 100 --seed 7 --output-dir "
        "data/sudoku4\n"};

static int gen_sudoku(int argc, char **argv) {
  trm_sudoku_gen_config config = {.n_train = 1000, .n_test = 1000};
  const cli_option options[] = {
      {"size", CLI_INT, &config.size, "N", "4, 6 or 9; also 8, 10, 12 and 16 (slow)"},
      {"train", CLI_INT64, &config.n_train, "N", "training puzzles (default 1000)"},
      {"test", CLI_INT64, &config.n_test, "N", "test puzzles (default 1000; 0: no test split)"},
      {"max-givens", CLI_INT, &config.max_givens, "K", "at most K givens (default: no limit)"},
      {"min-givens", CLI_INT, &config.min_givens, "K", "at least K givens (default: no limit)"},
      {"min-backtracks", CLI_INT64, &config.min_backtracks, "K",
       "hard for the solver: at least K wrong guesses (default 0)"},
      {"max-backtracks", CLI_INT64, &config.max_backtracks, "K",
       "at most K wrong guesses (default 0: no limit)"},
      {"seed", CLI_UINT64, &config.seed, "S", "other puzzles for another seed (default 0)"},
      {"threads", CLI_INT, &config.threads, "N", "default: as many as the process may use"},
      {"output-dir", CLI_STRING, &config.output_dir, "DIR", "the data set folder to write"},
      {NULL, CLI_FLAG, NULL, NULL, NULL}};
  int code;
  if (!cli_options_parse(&gen_manual, options, &argc, argv, &code)) return code;
  if (argc) return cli_usage_error("unexpected argument '%s'", argv[0]);
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
  return st == TRM_OK ? report_build(config.output_dir, &report) : cli_report_error(&err);
}

/* --- the command --- */

static const struct action {
  const char *verb, *kind, *about; /* kind NULL: the verb stands alone */
  int (*run)(int argc, char **argv);
} actions[] = {{"build", "sudoku", "a data set from CSV files", build_sudoku},
               {"gen", "sudoku", "a data set of generated puzzles", gen_sudoku},
               {"show", NULL, "puzzles of a data set as text", cmd_data_show}};

enum { N_ACTIONS = sizeof actions / sizeof *actions };

static void print_usage(FILE *f) {
  fprintf(f, "Usage: trm data ACTION [KIND] [options]\n\n");
  for (int i = 0; i < N_ACTIONS; i++)
    fprintf(f, "  trm data %-5s %-6s    %s\n", actions[i].verb,
            actions[i].kind ? actions[i].kind : "DIR", actions[i].about);
  fprintf(f, "\nEach has its own --help with examples.\n");
}

/* "unknown WHAT 'word'", with the name that may have been meant. */
static int refuse_word(const char *what, const char *word, cli_nearest *near) {
  if (near->best)
    return cli_usage_error("unknown %s '%s': did you mean '%s'?", what, word, near->best);
  return cli_usage_error("unknown %s '%s'; see trm data --help", what, word);
}

int cmd_data(int argc, char **argv) {
  if (argc && (!strcmp(argv[0], "--help") || !strcmp(argv[0], "-h"))) {
    print_usage(stdout);
    return cli_finish(CLI_OK);
  }
  if (argc < 1) {
    print_usage(stderr);
    return CLI_USAGE;
  }
  cli_nearest verb = {.word = argv[0]}, kind = {.word = argc > 1 ? argv[1] : ""};
  bool verb_known = false;
  for (int i = 0; i < N_ACTIONS; i++) {
    cli_nearest_offer(&verb, actions[i].verb);
    if (strcmp(argv[0], actions[i].verb) != 0) continue;
    verb_known = true;
    if (!actions[i].kind) return actions[i].run(argc - 1, argv + 1);
    /* "trm data build --help" has one kind to speak of. */
    if (argc > 1 && argv[1][0] == '-') return actions[i].run(argc - 1, argv + 1);
    if (argc > 1 && !strcmp(argv[1], actions[i].kind)) return actions[i].run(argc - 2, argv + 2);
    cli_nearest_offer(&kind, actions[i].kind);
  }
  if (!verb_known) return refuse_word("action", argv[0], &verb);
  if (argc < 2) return cli_usage_error("trm data %s: of what? 'sudoku' is known", argv[0]);
  return refuse_word("kind of puzzle", argv[1], &kind);
}
