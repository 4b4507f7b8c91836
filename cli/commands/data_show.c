/* trm data show: examples of a data set as pictures on the terminal, as an SVG file, or as the text
 * that trm solve reads. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands/data.h"
#include "cli/commands/puzzle_lines.h"
#include "cli/pictures/grid_svg.h"
#include "cli/pictures/grid_view.h"
#include "cli/pictures/puzzle_names.h"

static const cli_manual manual = {
    .usage = "trm data show DIR [options]",
    .about =
        "Shows examples of a data set. On a terminal each is drawn, question and answer side by\n"
        "side where they fit. Into a pipe or a file, and with --text, a question is one line of\n"
        "text, ready for trm solve, behind a comment with its answer, which trm solve skips.\n"
        "--svg draws the same examples into a file. An example has the name of its puzzle in\n"
        "identifiers.json: of ARC a task's id, or ID|||tK|||COLOURS of a copy.\n",
    .notes =
        "Examples:\n"
        "  trm data show data/maze10 --index 7\n"
        "  trm data show data/arc1 --split train --index 40 --count 3 --svg tasks.svg\n"
        "  trm data show data/sudoku6 --count 20 | trm solve runs/Sudoku6-trm/first --check\n"};

enum { MAX_PICTURES = 1000 };

typedef struct show_args {
  const char *dir, *split, *svg;
  int64_t first, count;
  bool text, grid;
} show_args;

typedef struct showing {
  const show_args *args;
  const trm_dataset *d;
  const trm_dataset_info *info;
  puzzle_names *names;
  int32_t *question, *label; /* [seq_len] */
  char *line;                /* [line_size] */
  size_t line_size;
  int64_t index;
  int32_t id;
} showing;

static void read_example(showing *s, int64_t index) {
  s->index = index;
  trm_dataset_example(s->d, index, s->question, s->label, &s->id);
}

/* "test 7, id 12, NAME" */
static void title_of(const showing *s, char *title, size_t size) {
  char clean[256];
  const char *name = puzzle_name(s->names, s->id);
  int used = snprintf(title, size, "%s %" PRId64, s->args->split, s->index);
  if (s->info->num_puzzle_identifiers > 1 && used > 0 && (size_t)used < size)
    snprintf(title + used, size - (size_t)used, ", id %" PRId32 "%s%s", s->id, name ? ", " : "",
             name ? cli_clean(clean, sizeof clean, name) : "");
}

static void print_title(const showing *s) {
  char title[320];
  title_of(s, title, sizeof title);
  fputs(title, stdout);
}

static void show_text(showing *s) {
  const trm_puzzle *p = &s->info->puzzle;
  printf("%s ", puzzle_lines_comment(p));
  print_title(s);
  trm_puzzle_format(p, s->label, s->line, s->line_size);
  printf(", solution %s\n", s->line);
  trm_puzzle_format(p, s->question, s->line, s->line_size);
  printf("%s\n", s->line);
}

/* Of a puzzle of unknown kind. */
static void show_numbers(const showing *s) {
  const int32_t *const rows[] = {s->question, s->label};
  printf("# ");
  print_title(s);
  for (int k = 0; k < 2; k++) {
    printf("\n%s", k ? "label   " : "question");
    for (int i = 0; i < s->info->seq_len; i++) printf(" %" PRId32, rows[k][i]);
  }
  printf("\n");
}

static void show_grids(const showing *s) {
  const trm_puzzle *p = &s->info->puzzle;
  bool colour = cli_colour(stdout);
  const grid_view pair[] = {{.puzzle = p,
                             .tokens = s->question,
                             .box = trm_puzzle_locate(p, s->question),
                             .colour = colour,
                             .title = "question"},
                            {.puzzle = p,
                             .tokens = s->label,
                             .question = colour ? s->question : NULL,
                             .box = trm_puzzle_locate(p, s->label),
                             .colour = colour,
                             .title = "answer"}};
  print_title(s);
  printf("\n");
  grid_view_draw_row(pair, 2, grid_view_terminal_columns(), stdout);
}

/* All pictures in one file. */
static trm_status write_svg(showing *s, int64_t end, trm_error *err) {
  const trm_puzzle *p = &s->info->puzzle;
  grid_svg picture;
  CLI_TRY(grid_svg_begin(&picture, p, err));
  for (int64_t i = s->args->first; i < end; i++) {
    char title[160];
    read_example(s, i);
    title_of(s, title, sizeof title);
    const grid_view pair[] = {
        {.puzzle = p, .tokens = s->question, .box = trm_puzzle_locate(p, s->question)},
        {.puzzle = p,
         .tokens = s->label,
         .question = s->question,
         .box = trm_puzzle_locate(p, s->label)}};
    grid_svg_add(&picture, title, pair, 2, true);
  }
  return grid_svg_end(&picture, s->args->svg, err);
}

static trm_status show_examples(showing *s, trm_error *err) {
  const show_args *a = s->args;
  bool known = s->info->puzzle.kind != TRM_PUZZLE_NONE;
  int64_t left = s->info->examples - a->first, end = a->first + (a->count < left ? a->count : left);

  /* Pictures in a file: only of puzzles that are known, and not too many. */
  if (a->svg && !known)
    return cli_fail(err, TRM_E_CONFIG, -1,
                    "%s: what its tokens mean is unknown, no picture can be drawn; \"puzzle\" in "
                    "dataset.json would say it",
                    a->dir);
  if (a->svg && end - a->first > MAX_PICTURES)
    return cli_fail(err, TRM_E_ARGUMENT, -1, "--svg: at most %d examples in a file, got %" PRId64,
                    MAX_PICTURES, end - a->first);
  if (a->svg) return end > a->first ? write_svg(s, end, err) : TRM_OK;

  /* To stdout one after the other, as pictures where somebody looks. */
  bool text = a->text || (!a->grid && !cli_is_terminal(stdout));
  for (int64_t i = a->first; i < end; i++) {
    if (cli_interrupted())
      return cli_fail(err, TRM_E_INTERRUPTED, -1, "interrupted after %" PRId64 " example%s",
                      i - a->first, TRM__S(i - a->first));
    read_example(s, i);

    /* Without a known meaning tokens are numbers. */
    if (!known)
      show_numbers(s);
    else if (text)
      show_text(s);
    else
      show_grids(s);
  }
  return TRM_OK;
}

static trm_status prepare(showing *s, trm_error *err) {
  size_t len = (size_t)s->info->seq_len;
  s->line_size = trm_puzzle_text_size(&s->info->puzzle);
  s->question = calloc(2 * len, sizeof *s->question);
  s->line = malloc(s->line_size);
  if (!s->question || !s->line) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for an example");
  s->label = s->question + len;
  return s->info->num_puzzle_identifiers > 1 ? puzzle_names_open(s->args->dir, &s->names, err)
                                             : TRM_OK;
}

static int run_show(const show_args *a, const trm_dataset *d) {
  trm_error err = {0};
  showing s = {.args = a, .d = d, .info = trm_dataset_get_info(d)};
  if (a->first >= s.info->examples)
    return cli_usage_error("--index: %s/%s has examples 0 to %" PRId64 ", got %" PRId64, a->dir,
                           a->split, s.info->examples - 1, a->first);
  trm_status st = prepare(&s, &err);
  if (st == TRM_OK) st = show_examples(&s, &err);
  puzzle_names_close(s.names);
  free(s.question);
  free(s.line);
  return cli_finish(st == TRM_OK ? CLI_OK : cli_report_error(&err));
}

int cmd_data_show(int argc, char **argv) {
  show_args a = {.split = "test", .count = 1};
  const cli_option options[] = {
      {"split", CLI_STRING, &a.split, "NAME", "train or test (default test)"},
      {"index", CLI_INT64, &a.first, "I", "the first example to show (default 0)"},
      {"count", CLI_COUNT, &a.count, "N", "how many (default 1)"},
      {"text", CLI_FLAG, &a.text, NULL, "lines of text, also on a terminal"},
      {"grid", CLI_FLAG, &a.grid, NULL, "grids, also into a pipe or a file"},
      {"svg", CLI_STREAM, &a.svg, "FILE.svg", "write a picture and print nothing; - is stdout"},
      {NULL, CLI_FLAG, NULL, NULL, NULL}};
  int code;
  trm_dataset *d;
  trm_error err;
  if (!cli_options_parse(&manual, options, &argc, argv, &code)) return code;
  if (argc != 1) return cli_usage_error("want one data set folder; see trm data show --help");
  if (a.text && a.grid) return cli_usage_error("--text and --grid exclude each other");

  /* Whether there is such an example is known when the data are open. */
  a.dir = argv[0];
  if (trm_dataset_open(a.dir, a.split, &d, &err) != TRM_OK) return cli_report_error(&err);
  code = run_show(&a, d);
  trm_dataset_free(d);
  return code;
}
