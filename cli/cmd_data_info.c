/* trm data info: what a data set holds, and what its splits share. */
#include <jansson.h>
#include <string.h>

#include "cmd_data.h"
#include "grid_style.h"
#include "puzzle_names.h"

static const cli_manual manual = {
    .usage = "trm data info DIR [options]",
    .about =
        "Looks at all examples of a data set: counts, symbols, sizes of grids, examples per\n"
        "puzzle, questions that occur more than once, and test questions that are training\n"
        "questions, literally or as a symmetric image (of Sudokus, mazes, and grids that declare\n"
        "symmetries). Images are looked for among originals, the first puzzle of each group. Of\n"
        "ARC the originals' pairs of question and answer are compared.\n",
    .notes =
        "Examples:\n"
        "  trm data info data/sudoku6\n"
        "  trm data info data/sudoku-extreme --limit 10000 --json\n"};

/* ---- as JSON ---- */

static json_t *sizes_json(const trm_survey_split *s) {
  json_t *list = json_array();
  for (int i = 0; i < TRM_SURVEY_SIZES && s->size[i].count > 0; i++)
    json_array_append_new(list, json_pack("{s:i, s:i, s:I}", "rows", s->size[i].rows, "cols",
                                          s->size[i].cols, "count", (json_int_t)s->size[i].count));
  return list;
}

static json_t *split_json(const trm_survey_split *s, bool symmetric) {
  const trm_dataset_info *i = &s->info;
  json_t *root =
      json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:I, s:I, s:I, s:I, s:o}", "examples",
                (json_int_t)i->examples, "puzzles", (json_int_t)i->puzzles, "groups",
                (json_int_t)i->groups, "copies", (json_int_t)s->copies, "ids", (json_int_t)s->ids,
                "least_puzzle_examples", (json_int_t)s->least_examples, "mean_puzzle_examples",
                i->mean_puzzle_examples, "most_puzzle_examples", (json_int_t)s->most_examples,
                "compared", (json_int_t)s->compared, "repeated", (json_int_t)s->repeated, "sizes",
                (json_int_t)s->sizes, "most_frequent_sizes", sizes_json(s));
  if (root && symmetric)
    json_object_update_new(root, json_pack("{s:I, s:I}", "originals", (json_int_t)s->originals,
                                           "repeated_images", (json_int_t)s->images));
  return root;
}

static json_t *survey_json(const char *dir, const trm_survey *s) {
  const trm_dataset_info *info = s->has_train ? &s->train.info : &s->test.info;
  const trm_puzzle *p = &info->puzzle;
  char puzzle[320];
  puzzle_describe(p, puzzle, sizeof puzzle);
  json_t *vocabulary = json_array();
  int first = trm_puzzle_first_symbol(p);
  for (int token = first; token < first + trm_puzzle_n_symbols(p); token++)
    json_array_append_new(vocabulary, json_string(trm_puzzle_symbol(p, token)));
  json_t *root =
      json_pack("{s:s, s:s, s:i, s:i, s:i, s:o}", "data", dir, "puzzle", puzzle, "vocab_size",
                info->vocab_size, "seq_len", info->seq_len, "num_puzzle_identifiers",
                info->num_puzzle_identifiers, "vocabulary", vocabulary);
  if (!root) return NULL;
  if (s->has_train) json_object_set_new(root, "train", split_json(&s->train, s->symmetric));
  if (s->has_test) json_object_set_new(root, "test", split_json(&s->test, s->symmetric));
  if (!s->has_train || !s->has_test) return root;
  json_object_set_new(root, "overlap", json_integer((json_int_t)s->overlap));
  if (s->symmetric)
    json_object_set_new(root, "overlap_images", json_integer((json_int_t)s->overlap_originals));
  return root;
}

/* ---- as text ---- */

enum { LABEL = 28 }; /* columns before a value */

static void print_count(const char *what, int64_t value) {
  char text[32];
  cli_format_count(value, text, sizeof text);
  printf("  %-*s %s\n", LABEL, what, text);
}

/* "12 of 1,000" */
static void print_share(const char *what, int64_t part, int64_t whole) {
  char a[32], b[32];
  cli_format_count(part, a, sizeof a);
  cli_format_count(whole, b, sizeof b);
  printf("  %-*s %s of %s\n", LABEL, what, a, b);
}

static void print_sizes(const trm_survey_split *s) {
  printf("  %-*s ", LABEL, "sizes of questions");
  for (int i = 0; i < TRM_SURVEY_SIZES && s->size[i].count > 0; i++) {
    char count[32];
    cli_format_count(s->size[i].count, count, sizeof count);
    printf("%s%dx%d: %s", i ? ", " : "", s->size[i].rows, s->size[i].cols, count);
  }
  if (s->sizes > TRM_SURVEY_SIZES)
    printf(", and %d sizes more", (int)(s->sizes - TRM_SURVEY_SIZES));
  printf("\n");
}

static void print_split(const char *name, const trm_survey_split *s, bool symmetric) {
  const trm_dataset_info *info = &s->info;
  char least[32], most[32];
  printf("%s\n", name);
  print_count("examples", info->examples);
  print_count("puzzles", info->puzzles);
  print_count("groups", info->groups);
  print_count("copies", s->copies);
  print_count("puzzle ids", s->ids);
  cli_format_count(s->least_examples, least, sizeof least);
  cli_format_count(s->most_examples, most, sizeof most);
  printf("  %-*s %s to %s, mean %.4g\n", LABEL, "examples per puzzle", least, most,
         info->mean_puzzle_examples);
  if (s->sizes) print_sizes(s);
  print_share("repeated", s->repeated, s->compared);
  if (symmetric) print_share("images of others", s->images, s->originals);
}

static void print_vocabulary(const trm_puzzle *p) {
  int first = trm_puzzle_first_symbol(p), n = trm_puzzle_n_symbols(p);
  if (!n) return;
  printf("  %-*s", LABEL, "symbols");
  for (int token = first; token < first + n; token++) {
    char symbol[TRM_PUZZLE_MAX_SYMBOL + 1];
    grid_style_symbol(p, token, symbol);
    printf(strchr(symbol, ' ') ? " '%s'" : " %s", symbol);
  }
  printf("\n");
}

static void print_survey(const char *dir, const trm_survey *s) {
  const trm_dataset_info *info = s->has_train ? &s->train.info : &s->test.info;
  char puzzle[320];
  puzzle_describe(&info->puzzle, puzzle, sizeof puzzle);
  printf("%s\n  %-*s %s\n", dir, LABEL, "puzzle", puzzle);
  print_count("tokens (vocab_size)", info->vocab_size);
  print_vocabulary(&info->puzzle);
  print_count("cells (seq_len)", info->seq_len);
  print_count("puzzle ids", info->num_puzzle_identifiers);
  if (s->has_train) print_split("train", &s->train, s->symmetric);
  if (s->has_test) print_split("test", &s->test, s->symmetric);
  if (!s->has_train || !s->has_test) return;
  printf("test questions that are training questions\n");
  print_share("literally", s->overlap, s->test.compared);
  if (s->symmetric)
    print_share("up to symmetry", s->overlap_originals, s->test.originals);
  else if (info->puzzle.kind == TRM_PUZZLE_GRID)
    printf("  %-*s %s\n", LABEL, "up to symmetry", "not looked at: no symmetries are declared");
}

/* ---- the command ---- */

static int print_report(const char *dir, const trm_survey *s, bool json) {
  if (!json) {
    print_survey(dir, s);
    return CLI_OK;
  }
  json_t *root = survey_json(dir, s);
  if (!root) {
    trm_error err;
    cli_fail(&err, TRM_E_MEMORY, -1, "no memory for a report");
    return cli_report_error(&err);
  }
  json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
  fputc('\n', stdout);
  json_decref(root);
  return CLI_OK;
}

int cmd_data_info(int argc, char **argv) {
  cli_progress bar;
  bool json = false;
  trm_survey survey;
  trm_survey_config config = {.progress = cli_progress_tick, .progress_arg = &bar};
  const cli_option options[] = {{"limit", CLI_INT64, &config.max_groups, "N",
                                 "compare only N groups of each split, spread evenly (0: all)"},
                                {"json", CLI_FLAG, &json, NULL, "print one JSON object"},
                                {NULL, CLI_FLAG, NULL, NULL, NULL}};
  int code;
  trm_error err;
  if (!cli_options_parse(&manual, options, &argc, argv, &code)) return code;
  if (argc != 1) return cli_usage_error("want one data set folder; see trm data info --help");
  cli_progress_begin(&bar, "looking at", 0, 0, "examples", 1);
  trm_status st = trm_dataset_survey(argv[0], &config, &survey, &err);
  cli_progress_end(&bar);
  if (st != TRM_OK) return cli_report_error(&err);
  if (config.max_groups)
    cli_note("of each split at most %lld groups were compared: more may be repeated or shared",
             (long long)config.max_groups);
  return cli_finish(print_report(argv[0], &survey, json));
}
