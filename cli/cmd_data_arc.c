/* trm data build arc. */
#include <string.h>

#include "cmd_data.h"

enum { MAX_SUBSETS = 64 };

static const cli_manual manual = {
    .usage =
        "trm data build arc --input-file-prefix P --subsets A,B,... --output-dir DIR [options]",
    .about =
        "Makes a data set of ARC tasks and symmetric copies of them, byte for byte as the "
        "reference\n"
        "does for the same seed, so that the puzzle ids of its checkpoints fit.\n"
        "\n"
        "Subset A is P_A_challenges.json and P_A_solutions.json (as on Kaggle), or the folder P/A "
        "or\n"
        "A with one task per file (as from the ARC Prize); each file may end in .json.gz. All "
        "pairs\n"
        "are for training, but for the test pairs of the test set.\n",
    .notes =
        "Training on ARC-AGI-2's training tasks and testing on ARC-AGI-1's evaluation tasks "
        "proves\n"
        "nothing: most of these are among those. A warning says so.\n"
        "\n"
        "Examples:\n"
        "  trm data build arc --input-file-prefix kaggle/arc-agi --subsets "
        "training,evaluation,concept \\\n"
        "      --test-set-name evaluation --output-dir data/arc1\n"
        "      the paper's ARC-AGI-1, 7 GB\n"
        "  trm data build arc --input-file-prefix kaggle/arc-agi --subsets "
        "training2,evaluation2,concept \\\n"
        "      --test-set-name evaluation2 --compact --output-dir data/arc2\n"
        "      the same for ARC-AGI-2 in 70 MB: copies are made when they are read\n"
        "  trm data build arc --input-file-prefix ARC-AGI/data --subsets training,evaluation \\\n"
        "      --test-set-name evaluation --num-aug 100 --output-dir data/arc1\n"
        "      from the folders ARC-AGI/data/training and ARC-AGI/data/evaluation\n"
        "  trm data build arc --input-file-prefix kaggle/arc-agi --subsets training \\\n"
        "      --test-set-name training --num-aug 16 --canvas 6 --output-dir data/arc-6x6\n"
        "      small tasks only, for a model that a laptop trains in minutes\n"};

/* "a,b,c" into `names`, which point into `text`; how many, 0 after a usage error. */
static int split_subsets(char *text, const char *names[MAX_SUBSETS]) {
  int n = 0;
  for (char *next = text; next;) {
    char *comma = strchr(next, ',');
    if (comma) *comma++ = 0;
    if (!*next || n == MAX_SUBSETS) {
      cli_usage_error("--subsets: want 1 to %d names with a comma between two", MAX_SUBSETS);
      return 0;
    }
    names[n++] = next;
    next = comma;
  }
  return n;
}

static void print_split(const char *name, int64_t tasks, int64_t puzzles, int64_t examples) {
  char t[64], p[64], e[64];
  cli_format_number(tasks, "task", "tasks", t, sizeof t);
  cli_format_number(puzzles, "puzzle", "puzzles", p, sizeof p);
  cli_format_number(examples, "example", "examples", e, sizeof e);
  printf("  %-5s  %s, %s with their copies, %s\n", name, t, p, e);
}

static int report_build(const trm_arc_build_config *c, const trm_arc_build_report *r) {
  char count[32];
  cli_format_count(r->identifiers, count, sizeof count);
  printf("wrote %s%s\n", c->output_dir, c->compact ? " (compact)" : "");
  print_split("train", r->train_tasks, r->train_puzzles, r->train_examples);
  if (r->test_tasks) print_split("test", r->test_tasks, r->test_puzzles, r->test_examples);
  printf("  %s puzzle ids, seed %llu\n", count, (unsigned long long)c->seed);
  cli_format_count(r->too_large, count, sizeof count);
  if (r->too_large)
    printf("  tasks left out, larger than %d x %d: %s\n", c->canvas, c->canvas, count);
  cli_format_count(r->short_of_copies, count, sizeof count);
  if (r->short_of_copies)
    printf("  tasks with fewer than %d different copies: %s\n", c->num_aug, count);
  cli_format_count(r->test_tasks_trained, count, sizeof count);
  if (r->test_tasks_trained)
    cli_warn(
        "tasks of the test set that are in another subset, too, and are trained on with their "
        "answers: %s of %lld; a score on this test set says little (most of ARC-AGI-1 is in the "
        "training tasks of ARC-AGI-2)",
        count, (long long)r->test_tasks);
  cli_format_count(r->unsolved, count, sizeof count);
  if (r->unsolved)
    cli_warn(
        "test pairs whose answer is in none of the files: %s; the grid [[0]] stands in for it, as "
        "in the reference, so they can be answered but not scored",
        count);
  return cli_finish(CLI_OK);
}

int cmd_data_build_arc(int argc, char **argv) {
  const char *subsets = NULL;
  trm_arc_build_config config = {.num_aug = 1000, .seed = 42};
  const cli_option options[] = {
      {"input-file-prefix", CLI_STRING, &config.input_prefix, "P",
       "what stands before _SUBSET_challenges.json, or the folder of the subsets"},
      {"subsets", CLI_STRING, &subsets, "A,B,...", "the subsets, in this order"},
      {"test-set-name", CLI_STRING, &config.test_set_name, "A",
       "the subset whose test pairs are kept for testing (default: none)"},
      {"output-dir", CLI_STRING, &config.output_dir, "DIR", "the data set folder to write"},
      {"num-aug", CLI_INT, &config.num_aug, "N", "copies of each task (default 1000)"},
      {"canvas", CLI_INT, &config.canvas, "C",
       "keep tasks whose grids have at most C rows and columns, on a square of that size: so much "
       "faster to train (default 30)"},
      {"seed", CLI_UINT64, &config.seed, "S",
       "of order, copies and offsets, below 2^32 (default 42)"},
      {"compact", CLI_FLAG, &config.compact, NULL,
       "store what was drawn instead of the copies: the same data set, 100 times smaller"},
      {"threads", CLI_INT, &config.threads, "N", "default: as many as the process may use"},
      {NULL, CLI_FLAG, NULL, NULL, NULL}};
  int code;
  if (!cli_options_parse(&manual, options, &argc, argv, &code)) return code;
  if (argc) return cli_usage_error("unexpected argument '%s'", argv[0]);
  const char *missing = !config.input_prefix ? "input-file-prefix"
                        : !subsets           ? "subsets"
                        : !config.output_dir ? "output-dir"
                                             : NULL;
  if (missing) return cli_usage_error("--%s is needed; see trm data build arc --help", missing);
  char text[4096];
  const char *names[MAX_SUBSETS];
  if (strlen(subsets) >= sizeof text) return cli_usage_error("--subsets: the text is too long");
  memcpy(text, subsets, strlen(subsets) + 1);
  config.subsets = names;
  config.n_subsets = split_subsets(text, names);
  if (!config.n_subsets) return CLI_USAGE;
  cli_progress bar;
  cli_progress_begin(&bar, "writing", 0, 0, "examples", 1);
  config.progress = cli_progress_tick;
  config.progress_arg = &bar;
  trm_arc_build_report report;
  trm_error err;
  const trm_status st = trm_build_arc(&config, &report, &err);
  cli_progress_end(&bar);
  if (st == TRM_E_ARGUMENT) return cli_usage_error("%s", err.msg);
  return st == TRM_OK ? report_build(&config, &report) : cli_report_error(&err);
}
