/* trm data info: what a data set holds, and what its splits share. */
#include <string.h>

#include "cli/commands/data.h"
#include "cli/json_print.h"
#include "cli/pictures/grid_style.h"
#include "cli/pictures/puzzle_names.h"

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

static void put_sizes(trm__json_out *o, const trm_survey_split *s) {
  trm__json_open(o, "most_frequent_sizes", '[');
  for (int i = 0; i < TRM_SURVEY_SIZES && s->size[i].count > 0; i++) {
    trm__json_open(o, NULL, '{');
    trm__json_put_int(o, "rows", s->size[i].rows);
    trm__json_put_int(o, "cols", s->size[i].cols);
    trm__json_put_int(o, "count", s->size[i].count);
    trm__json_close(o);
  }
  trm__json_close(o);
}

static void put_split(trm__json_out *o, const char *key, const trm_survey_split *s,
                      bool symmetric) {
  const trm_dataset_info *i = &s->info;
  trm__json_open(o, key, '{');
  trm__json_put_int(o, "examples", i->examples);
  trm__json_put_int(o, "puzzles", i->puzzles);
  trm__json_put_int(o, "groups", i->groups);
  trm__json_put_int(o, "copies", s->copies);
  trm__json_put_int(o, "ids", s->ids);
  trm__json_put_int(o, "least_puzzle_examples", s->least_examples);
  trm__json_put_real(o, "mean_puzzle_examples", i->mean_puzzle_examples);
  trm__json_put_int(o, "most_puzzle_examples", s->most_examples);

  /* What was found when the questions were compared. */
  trm__json_put_int(o, "compared", s->compared);
  trm__json_put_int(o, "repeated", s->repeated);
  trm__json_put_int(o, "sizes", s->sizes);
  put_sizes(o, s);
  if (symmetric) {
    trm__json_put_int(o, "originals", s->originals);
    trm__json_put_int(o, "repeated_images", s->images);
  }
  trm__json_close(o);
}

static void put_survey(trm__json_out *o, const char *dir, const trm_survey *s) {
  const trm_dataset_info *info = s->has_train ? &s->train.info : &s->test.info;
  const trm_puzzle *p = &info->puzzle;
  const int first = trm_puzzle_first_symbol(p);
  char puzzle[320];
  puzzle_describe(p, puzzle, sizeof puzzle);
  trm__json_put_text(o, "data", dir);
  trm__json_put_text(o, "puzzle", puzzle);
  trm__json_put_int(o, "vocab_size", info->vocab_size);
  trm__json_put_int(o, "seq_len", info->seq_len);
  trm__json_put_int(o, "num_puzzle_identifiers", info->num_puzzle_identifiers);
  trm__json_open(o, "vocabulary", '[');
  for (int token = first; token < first + trm_puzzle_n_symbols(p); token++)
    trm__json_put_text(o, NULL, trm_puzzle_symbol(p, token));
  trm__json_close(o);

  /* Each split, then what both have in common. */
  if (s->has_train) put_split(o, "train", &s->train, s->symmetric);
  if (s->has_test) put_split(o, "test", &s->test, s->symmetric);
  if (!s->has_train || !s->has_test) return;
  trm__json_put_int(o, "overlap", s->overlap);
  if (s->symmetric) trm__json_put_int(o, "overlap_images", s->overlap_originals);
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
    printf(", and %d size%s more", (int)(s->sizes - TRM_SURVEY_SIZES),
           TRM__S(s->sizes - TRM_SURVEY_SIZES));
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

  /* A puzzle may have several examples, as in ARC. */
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
  char text[320], puzzle[320], name[CLI_CLEAN];
  puzzle_describe(&info->puzzle, text, sizeof text);
  printf("%s\n  %-*s %s\n", cli_clean(name, sizeof name, dir), LABEL, "puzzle",
         cli_clean(puzzle, sizeof puzzle, text));

  /* What both splits have in common, and then each. */
  print_count("tokens (vocab_size)", info->vocab_size);
  print_vocabulary(&info->puzzle);
  print_count("cells (seq_len)", info->seq_len);
  print_count("puzzle ids", info->num_puzzle_identifiers);
  if (s->has_train) print_split("train", &s->train, s->symmetric);
  if (s->has_test) print_split("test", &s->test, s->symmetric);

  /* What a score on the test set owes to the training set. */
  if (!s->has_train || !s->has_test) return;
  printf("test questions that are training questions\n");
  print_share("literally", s->overlap, s->test.compared);
  if (s->symmetric)
    print_share("up to symmetry", s->overlap_originals, s->test.originals);
  else if (trm_puzzle_facts_of(&info->puzzle)->declared)
    printf("  %-*s %s\n", LABEL, "up to symmetry", "not looked at: no symmetries are declared");
}

/* ---- the command ---- */

static trm_status print_json(const char *dir, const trm_survey *s, trm_error *err) {
  trm__json_out o = trm__json_begin(TRM__JSON_INDENTED);
  trm__json_open(&o, NULL, '{');
  put_survey(&o, dir, s);
  trm__json_close(&o);
  return cli_print_json(&o, stdout, err);
}

int cmd_data_info(int argc, char **argv) {
  cli_progress bar;
  bool json = false;
  trm_survey survey;
  trm_survey_config config = {.progress = cli_progress_tick, .progress_arg = &bar};
  const cli_option options[] = {{"limit", CLI_INT64, &config.max_groups, "N",
                                 "compare only N groups of each split, spread evenly (0: all)"},
                                {"json", CLI_FLAG, &json, NULL, "print one JSON object"},
                                CLI_QUIET_ROW,
                                {NULL, CLI_FLAG, NULL, NULL, NULL}};
  int code;
  trm_error err;
  if (!cli_options_parse(&manual, options, &argc, argv, &code)) return code;
  if (argc != 1) return cli_usage_error("want one data set folder; see trm data info --help");

  /* All examples are read and compared. */
  cli_progress_begin(&bar, "looking at", 0, 0, "examples", 1);
  trm_status st = trm_dataset_survey(argv[0], &config, &survey, &err);
  cli_progress_end(&bar);
  if (st != TRM_OK) return cli_report_error(&err);

  /* What was found, for a program or for a reader. */
  if (config.max_groups)
    cli_note("of each split at most %lld groups were compared: more may be repeated or shared",
             (long long)config.max_groups);
  if (json)
    st = print_json(argv[0], &survey, &err);
  else
    print_survey(argv[0], &survey);
  return cli_finish(st == TRM_OK ? CLI_OK : cli_report_error(&err));
}
