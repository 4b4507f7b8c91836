/* trm data verify: every check that a data set folder allows, one line each. */
#include "cli/commands/data.h"

static const cli_manual manual = {
    .usage = "trm data verify DIR [options]",
    .about =
        "Checks a whole data set folder: shapes, indices, tokens and ids; the counts and names in\n"
        "its JSON files; whether every grid is whole; whether answers obey the rules of the "
        "puzzle\n"
        "and keep what the question gives; whether a Sudoku has one solution. Each check is a "
        "line\n"
        "that says ok, or FAILED with the first thing wrong and where. Exit code 3 when one "
        "failed.\n",
    .notes =
        "Examples:\n"
        "  trm data verify data/sudoku6\n"
        "  trm data verify data/sudoku-extreme --limit 10000\n"};

/* Lines go to stdout, the bar to stderr. */
static void print_check(void *arg, const char *check, const trm_error *failure) {
  cli_progress_clear(arg);
  if (failure)
    printf("FAILED  %s: %s\n", check, failure->msg);
  else
    printf("ok      %s\n", check);
  fflush(stdout);
}

/* Millions of examples take minutes: there is a way to look at fewer. */
static bool tick(void *arg, int64_t done, int64_t total) {
  enum { MANY = 1000000 };
  cli_progress *bar = arg;
  if (bar->total == 0 && total > MANY) {
    char text[64];
    cli_format_number(total, "example", "examples", text, sizeof text);
    cli_progress_clear(bar);
    cli_note("%s are to be checked one by one; --limit N checks N of each split", text);
  }
  return cli_progress_tick(bar, done, total);
}

int cmd_data_verify(int argc, char **argv) {
  cli_progress bar;
  trm_verify_config config = {
      .report = print_check, .report_arg = &bar, .progress = tick, .progress_arg = &bar};
  const cli_option options[] = {{"limit", CLI_INT64, &config.max_examples, "N",
                                 "check single examples in so many of each split (0: all)"},
                                CLI_QUIET_ROW,
                                {NULL, CLI_FLAG, NULL, NULL, NULL}};
  int code, failures;
  trm_error err;
  if (!cli_options_parse(&manual, options, &argc, argv, &code)) return code;
  if (argc != 1) return cli_usage_error("want one data set folder; see trm data verify --help");
  cli_progress_begin(&bar, "verifying", 0, 0, "examples", 1);
  trm_status st = trm_dataset_verify(argv[0], &config, &failures, &err);
  cli_progress_end(&bar);
  if (st != TRM_OK) return cli_finish(cli_report_error(&err));
  char text[64];
  cli_format_number(failures, "check failed", "checks failed", text, sizeof text);
  if (failures) cli_note("%s: %s", argv[0], text);
  return cli_finish(failures ? CLI_BAD_DATA : CLI_OK);
}
