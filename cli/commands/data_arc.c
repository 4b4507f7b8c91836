/* trm data build arc. */
#include <string.h>

#include "cli/commands/data.h"

static const cli_manual manual = {
    .usage = "trm data build arc --input-file-prefix P --subsets A B --output-dir DIR [options]",
    .about =
        "Makes a data set of ARC tasks and symmetric copies of them, byte for byte as the\n"
        "reference does for the same seed, so that the puzzle ids of its checkpoints fit.\n"
        "\n"
        "Subset A is P_A_challenges.json and P_A_solutions.json (as on Kaggle; \"-\" in place of "
        "a\n"
        "\"_\" will do), or the folder P/A or A with one task per file (as from the ARC Prize);\n"
        "each file may end in .json.gz. All pairs are for training, but for the test pairs of the\n"
        "test set. Of a list of pairs, as RE-ARC has them, the last pair is the test pair.\n",
    .notes =
        "Training on ARC-AGI-2's training tasks and testing on ARC-AGI-1's evaluation tasks\n"
        "proves nothing: most of these are among those. A warning says so.\n"
        "\n"
        "Examples:\n"
        "  trm data build arc --input-file-prefix kaggle/arc-agi \\\n"
        "      --subsets training evaluation concept --test-set-name evaluation \\\n"
        "      --output-dir data/arc1\n"
        "      the paper's ARC-AGI-1, 7 GB\n"
        "  trm data build arc --input-file-prefix kaggle/arc-agi \\\n"
        "      --subsets training2 evaluation2 concept --test-set-name evaluation2 \\\n"
        "      --compact --output-dir data/arc2\n"
        "      the same for ARC-AGI-2 in 70 MB: copies are made when they are read\n"
        "  trm data build arc --input-file-prefix ARC-AGI/data --subsets training evaluation \\\n"
        "      --test-set-name evaluation --num-aug 100 --output-dir data/arc1\n"
        "      from the folders ARC-AGI/data/training and ARC-AGI/data/evaluation\n"
        "  trm data build arc --input-file-prefix re_arc --subsets tasks --num-aug 0 \\\n"
        "      --compact --output-dir data/re-arc\n"
        "      RE-ARC, whose tasks are the files re_arc/tasks/ID.json\n"
        "  trm data build arc --input-file-prefix kaggle/arc-agi --subsets training \\\n"
        "      --test-set-name training --num-aug 16 --canvas 6 --output-dir data/arc-6x6\n"
        "      small tasks only, for a model that a laptop trains in minutes\n"};

/* The names in words with commas, which are cut into them. */
typedef struct subset_list {
  char text[4096];
  const char *name[CLI_MAX_WORDS];
  int n;
} subset_list;

/* False after a usage error. */
static bool split_subsets(const cli_words *words, subset_list *l) {
  size_t used = 0;
  for (int i = 0; i < words->n; i++) {
    /* A copy of the word, which its names point into. */
    const size_t size = strlen(words->word[i]) + 1;
    if (size > sizeof l->text - used) {
      cli_usage_error("--subsets: the names are too long");
      return false;
    }
    char *next = memcpy(l->text + used, words->word[i], size);

    /* Its names, cut at the commas. */
    for (used += size; next;) {
      char *comma = strchr(next, ',');
      if (comma) *comma++ = 0;
      if (!*next || l->n == CLI_MAX_WORDS) {
        cli_usage_error("--subsets: want 1 to %d names, with a space or a comma between two",
                        CLI_MAX_WORDS);
        return false;
      }
      l->name[l->n++] = next;
      next = comma;
    }
  }
  return true;
}

static void print_split(const char *name, int64_t tasks, int64_t puzzles, int64_t examples) {
  char t[64], p[64], e[64];
  cli_format_number(tasks, "task", "tasks", t, sizeof t);
  cli_format_number(puzzles, "puzzle", "puzzles", p, sizeof p);
  cli_format_number(examples, "example", "examples", e, sizeof e);
  printf("  %-5s  %s, %s with their copies, %s\n", name, t, p, e);
}

static void report_invalid(const trm_arc_invalid *v) {
  char count[32], ids[sizeof v->ids];
  if (!v->tasks) return;
  cli_format_count(v->tasks, count, sizeof count);
  printf("  tasks left out, not valid: %s (%s%s)\n", count, cli_clean(ids, sizeof ids, v->ids),
         v->tasks > 5 ? ", ..." : "");
  cli_note("%s", v->why.msg);
}

static int report_build(const trm_arc_build_config *c, const trm_arc_build_report *r) {
  char count[32], dir[CLI_CLEAN];
  cli_format_count(r->identifiers, count, sizeof count);
  printf("wrote %s%s\n", cli_clean(dir, sizeof dir, c->output_dir), c->compact ? " (compact)" : "");
  print_split("train", r->train_tasks, r->train_puzzles, r->train_examples);
  if (r->test_tasks) print_split("test", r->test_tasks, r->test_puzzles, r->test_examples);
  printf("  %s puzzle ids, seed %llu\n", count, (unsigned long long)c->seed);

  /* What is not in the data set, or is there by a special rule. */
  cli_format_count(r->too_large, count, sizeof count);
  if (r->too_large)
    printf("  tasks left out, larger than %d x %d: %s\n", c->canvas, c->canvas, count);
  report_invalid(&r->invalid);
  cli_format_count(r->listed, count, sizeof count);
  if (r->listed)
    printf("  tasks that are one list of pairs, of which the last is the test pair: %s\n", count);
  cli_format_count(r->short_of_copies, count, sizeof count);
  if (r->short_of_copies)
    printf("  tasks with fewer than %d different copies: %s\n", c->num_aug, count);

  /* What makes a score on the test set mean less. */
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
  return cli_finish_files(CLI_OK);
}

int cmd_data_build_arc(int argc, char **argv) {
  cli_words subsets = {.n = 0};
  trm_arc_build_config config = {.num_aug = 1000, .seed = 42};
  const cli_option options[] = {
      {"input-file-prefix", CLI_STRING, &config.input_prefix, "P",
       "before _SUBSET_challenges.json, or the folder of the subsets"},
      {"subsets", CLI_WORDS, &subsets, "A B ...", "the subsets, in this order; or A,B,..."},
      {"test-set-name", CLI_STRING, &config.test_set_name, "A",
       "the subset whose test pairs are kept for testing (default: none)"},
      {"output-dir", CLI_OUTPUT, &config.output_dir, "DIR", "the data set folder to write"},
      {"num-aug", CLI_INT, &config.num_aug, "N", "copies of each task (default 1000)"},
      {"canvas", CLI_INT, &config.canvas, "C",
       "keep tasks with grids up to C x C, on that canvas (default 30)"},
      {"seed", CLI_UINT64, &config.seed, "S",
       "of order, copies and offsets, below 2^32 (default 42)"},
      {"compact", CLI_FLAG, &config.compact, NULL,
       "store what was drawn, not the copies: 100 times smaller"},
      {"skip-invalid", CLI_FLAG, &config.skip_invalid, NULL,
       "leave out tasks with grids above 30 x 30, other colours and the like"},
      CLI_QUIET_ROW,
      {"threads", CLI_INT, &config.threads, "N", "default: as many as the process may use"},
      {NULL, CLI_FLAG, NULL, NULL, NULL}};
  int code;
  if (!cli_options_parse(&manual, options, &argc, argv, &code)) return code;
  if (argc) return cli_usage_error("unexpected argument '%s'", argv[0]);

  /* Three options cannot be done without. */
  const char *missing = !config.input_prefix ? "input-file-prefix"
                        : !subsets.n         ? "subsets"
                        : !config.output_dir ? "output-dir"
                                             : NULL;
  if (missing) return cli_usage_error("--%s is needed; see trm data build arc --help", missing);

  /* Names may be words of their own or separated by commas. */
  subset_list list = {.n = 0};
  if (!split_subsets(&subsets, &list)) return CLI_USAGE;
  config.subsets = list.name;
  config.n_subsets = list.n;

  /* Read, copied and written; what of it is half built goes when it is stopped. */
  cli_progress bar;
  cli_progress_begin(&bar, "writing", 0, 0, "examples", 1);
  config.progress = cli_progress_tick;
  config.progress_arg = &bar;
  trm_arc_build_report report;
  trm_error err;
  cli_faults_defer();
  const trm_status st = trm_build_arc(&config, &report, &err);
  cli_progress_end(&bar);

  /* What came of it. */
  if (st == TRM_OK) return report_build(&config, &report);
  code = cli_report_error(&err);
  if (report.invalid.tasks && !config.skip_invalid)
    cli_note("--skip-invalid leaves out such tasks, and says how many those were");
  return code;
}
