/* What the builders have in common: naming their input files, showing that they work, and reporting
 * what they wrote. */
#include <string.h>

#include "cli/commands/data.h"

bool data_split_inputs(const char *text, data_inputs *in) {
  size_t n = strlen(text);
  *in = (data_inputs){.train = in->text};
  if (n >= sizeof in->text) {
    cli_usage_error("--input: the text is too long");
    return false;
  }
  memcpy(in->text, text, n + 1);
  char *comma = strchr(in->text, ',');
  if (comma) *comma++ = 0;
  if (!*in->text || (comma && (!*comma || strchr(comma, ',')))) {
    cli_usage_error("--input: want TRAIN or TRAIN,TEST, got '%s'", text);
    return false;
  }
  in->test = comma;
  return true;
}

static void print_split(const char *dir, const char *name, int64_t puzzles, int64_t examples) {
  char count[64], rows[64];
  cli_format_number(puzzles, "puzzle", "puzzles", count, sizeof count);
  cli_format_number(examples, "example", "examples", rows, sizeof rows);
  if (puzzles == examples)
    printf("  %s/%s: %s\n", dir, name, count);
  else
    printf("  %s/%s: %s, %s with their copies\n", dir, name, count, rows);
}

static void warn_count(int64_t n, const char *one, const char *many) {
  char text[200];
  cli_format_number(n, one, many, text, sizeof text);
  if (n) cli_warn("%s", text);
}

static void warn_subsample(int64_t wanted, const trm_build_report *r) {
  char text[64];
  cli_format_number(r->train_puzzles, "training puzzle", "training puzzles", text, sizeof text);
  if (wanted > r->train_puzzles)
    cli_warn("--subsample-size %lld: there is no more than %s", (long long)wanted, text);
}

/* What the folder has now. */
static void print_written(const char *folder, const trm_build_report *r) {
  char dir[CLI_CLEAN];
  size_t n = strlen(folder);
  while (n > 1 && folder[n - 1] == '/') n--;
  cli_clean(dir, n < sizeof dir ? n + 1 : sizeof dir, folder);
  printf("wrote %s\n", dir);
  print_split(dir, "train", r->train_puzzles, r->train_examples);
  if (r->test_puzzles) print_split(dir, "test", r->test_puzzles, r->test_examples);
  if (r->test_puzzles && !r->symmetric_overlap)
    printf("  no test puzzle is a symmetric image of a training puzzle\n");
}

/* What was left out, and what would flatter a score. */
static void warn_of_puzzles(const trm_build_report *r) {
  warn_count(r->skipped, "puzzle without exactly one solution was left out",
             "puzzles without exactly one solution were left out");
  warn_count(r->unreadable, "puzzle that cannot be read, or whose solution is wrong, was left out",
             "puzzles that cannot be read, or whose solutions are wrong, were left out");
  warn_count(r->empty_rows, "empty row was passed over", "empty rows were passed over");
  warn_count(r->titles, "line of words was passed over as a title",
             "lines of words were passed over as titles");
  warn_count(r->duplicates_in_train, "training puzzle repeats another one",
             "training puzzles repeat others");
  warn_count(r->duplicates_in_test, "test puzzle repeats another one",
             "test puzzles repeat others");
  warn_count(r->overlap, "test puzzle is in the training set, too",
             "test puzzles are in the training set, too");
  warn_count(r->symmetric_overlap - r->overlap,
             "more test puzzle is a symmetric image of a training puzzle",
             "more test puzzles are symmetric images of training puzzles");
}

void data_work_begin(data_work *w, const char *doing, const char *units) {
  cli_faults_defer();
  cli_progress_begin(&w->bar, doing, 0, 0, units, 1);
}

int data_work_end(data_work *w, trm_status st, const char *folder, int64_t subsample) {
  cli_progress_end(&w->bar);
  if (st != TRM_OK) return cli_report_error(&w->err);
  warn_subsample(subsample, &w->report);
  print_written(folder, &w->report);
  warn_of_puzzles(&w->report);
  return cli_finish_files(CLI_OK);
}
