/* trm data build grid. */
#include <string.h>

#include "cli/commands/data.h"

static const cli_manual manual = {
    .usage = "trm data build grid --input TRAIN[,TEST] --output-dir DIR [options]",
    .about =
        "Makes a data set of puzzles of your own: pairs of grids of symbols.\n"
        "  .csv    a header like question,answer; one character a cell, rows separated by '/'\n"
        "  .jsonl  {\"input\": [[...]], \"output\": [[...]], \"id\": \"...\"} in each line; "
        "integers or\n"
        "          texts as cells, null in the output where nothing is scored\n"
        "  .npz    arrays inputs, labels of whole numbers, [examples, rows, columns] or\n"
        "          [examples, cells]; a label below 0 is not scored\n"
        "Texts may be packed: .csv.gz, .jsonl.gz; .ndjson is .jsonl. Grids of several sizes lie "
        "in\n"
        "the top left corner of a canvas. An error names the file and line, and nothing is "
        "written.\n",
    .notes =
        "Symmetries: dihedral (rotations and reflections), rotate, flip, transpose, and permute:\n"
        "with symbols that can change names, as permute:1-9 or permute:a+b+c. Declare only those\n"
        "that turn every puzzle with its answer into another true pair.\n"
        "\n"
        "Examples:\n"
        "  trm data build grid --input train.jsonl,test.jsonl --output-dir data/mine\n"
        "  trm data build grid --input latin.csv --test-share 0.1 --output-dir data/latin \\\n"
        "      --symmetry dihedral,permute:1-5 --rules latin\n"
        "  trm data build grid --input nonograms.csv --output-dir data/nonogram7 --test-share 0.1 "
        "\\\n"
        "      --vocabulary '.,#,?,1,2,3,4,5,6,7' --symmetry transpose --rules nonogram\n"};

/* "RxC" */
static bool read_canvas(const char *text, trm_grid_build_config *c) {
  char rows[16] = {0};
  const char *x = strchr(text, 'x');
  int64_t r, n;
  if (!x || (size_t)(x - text) >= sizeof rows) return false;
  memcpy(rows, text, (size_t)(x - text));
  if (!trm__number_int64(rows, &r) || !trm__number_int64(x + 1, &n) || r < 1 || n < 1 ||
      r > TRM_PUZZLE_MAX_SIDE || n > TRM_PUZZLE_MAX_SIDE)
    return false;
  c->canvas_rows = (int)r;
  c->canvas_cols = (int)n;
  return true;
}

int cmd_data_build_grid(int argc, char **argv) {
  const char *input = NULL, *canvas = NULL;
  data_work work;
  trm_grid_build_config config = {.progress = cli_progress_tick, .progress_arg = &work.bar};
  const cli_option options[] = {
      {"input", CLI_STRING, &input, "FILES", "training file, optionally a comma and the test file"},
      {"output-dir", CLI_OUTPUT, &config.output_dir, "DIR", "the data set folder to write"},
      {"columns", CLI_STRING, &config.columns, "NAMES",
       "of .csv: QUESTION,ANSWER, names, or numbers from 1 without a header"},
      {"test-share", CLI_DOUBLE, &config.test_share, "P",
       "share held out for testing, images together (default 0)"},
      {"rows", CLI_INT, &config.rows, "R",
       "rows of a grid where the file has only its cells (default: it is square)"},
      {"cols", CLI_INT, &config.cols, "C", "columns of such a grid"},
      {"canvas", CLI_STRING, &canvas, "RxC", "rows and columns (default: the largest grids)"},
      {"vocabulary", CLI_STRING, &config.vocabulary, "LIST",
       "symbols as \"a,b,c\" or a file with one a line (default: as found)"},
      {"symmetry", CLI_NAMES, &config.symmetries, "NAMES", "see below (default: none)"},
      {"rules", CLI_STRING, &config.rules, "NAME",
       "every example must obey them: sudoku, maze, latin, nonogram"},
      {"num-aug", CLI_INT, &config.num_aug, "K",
       "store K symmetric images of each training example (default 0)"},
      {"seed", CLI_UINT64, &config.seed, "S", "of the share and the images (default 0)"},
      CLI_QUIET_ROW,
      {NULL, CLI_FLAG, NULL, NULL, NULL}};
  int code;
  if (!cli_options_parse(&manual, options, &argc, argv, &code)) return code;
  if (argc) return cli_usage_error("unexpected argument '%s'", argv[0]);
  if (!input || !config.output_dir)
    return cli_usage_error("--%s is needed; see trm data build grid --help",
                           input ? "output-dir" : "input");

  /* Sizes come in pairs. */
  if (!config.rows != !config.cols)
    return cli_usage_error("--%s needs --%s", config.rows ? "rows" : "cols",
                           config.rows ? "cols" : "rows");
  if (canvas && !read_canvas(canvas, &config))
    return cli_usage_error("--canvas: want rows x columns, e.g. 10x12, sides of 1 to %d, got '%s'",
                           TRM_PUZZLE_MAX_SIDE, canvas);

  /* The test file may stand behind the training file. */
  data_inputs files;
  if (!data_split_inputs(input, &files)) return CLI_USAGE;
  config.train = files.train;
  config.test = files.test;

  /* Read, checked by the rules if there are any, and written. */
  data_work_begin(&work, "building", "puzzles");
  const trm_status st = trm_build_grid(&config, &work.report, &work.err);
  return data_work_end(&work, st, config.output_dir, 0);
}
