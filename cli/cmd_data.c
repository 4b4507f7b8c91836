/* trm data: a table of what can be done with data sets. */
#include <string.h>

#include "cmd_data.h"

static const struct action {
  const char *verb, *kind, *about; /* kind NULL: the verb stands alone */
  int (*run)(int argc, char **argv);
} actions[] = {{"build", "sudoku", "a data set from CSV files", cmd_data_build_sudoku},
               {"build", "maze", "the same of mazes", cmd_data_build_maze},
               {"build", "arc", "a data set of ARC tasks and their copies", cmd_data_build_arc},
               {"build", "grid", "a data set of your own puzzles", cmd_data_build_grid},
               {"gen", "sudoku", "a data set of generated puzzles", cmd_data_gen_sudoku},
               {"gen", "maze", "a data set of random mazes", cmd_data_gen_maze},
               {"info", NULL, "counts, sizes, repetitions, overlap", cmd_data_info},
               {"show", NULL, "examples as pictures or as text", cmd_data_show},
               {"verify", NULL, "checks everything in a data set", cmd_data_verify}};

enum { N_ACTIONS = sizeof actions / sizeof *actions };

/* Of one verb, or with NULL of all. */
static void print_usage(const char *verb, FILE *f) {
  fprintf(f, "Usage: trm data %s %s[options]\n\n", verb ? verb : "ACTION",
          verb ? "KIND " : "[KIND] ");
  for (int i = 0; i < N_ACTIONS; i++)
    if (!verb || !strcmp(verb, actions[i].verb))
      fprintf(f, "  trm data %-6s %-6s    %s\n", actions[i].verb,
              actions[i].kind ? actions[i].kind : "DIR", actions[i].about);
  fprintf(f, "\nEach has its own --help with examples.\n");
}

/* "unknown WHAT 'word'", with the name that may have been meant. */
static int refuse_word(const char *what, const char *word, cli_nearest *near) {
  if (near->best)
    return cli_usage_error("unknown %s '%s': did you mean '%s'?", what, word, near->best);
  return cli_usage_error("unknown %s '%s'; see trm data --help", what, word);
}

/* "'sudoku', 'maze'" */
static void list_kinds(const char *verb, char *text, size_t size) {
  size_t used = 0;
  *text = 0;
  for (int i = 0; i < N_ACTIONS && used < size; i++)
    if (actions[i].kind && !strcmp(verb, actions[i].verb))
      used +=
          (size_t)snprintf(text + used, size - used, "%s'%s'", used ? ", " : "", actions[i].kind);
}

static bool asks_for_help(int argc, char **argv) {
  return argc && (!strcmp(argv[0], "--help") || !strcmp(argv[0], "-h"));
}

int cmd_data(int argc, char **argv) {
  if (asks_for_help(argc, argv)) {
    print_usage(NULL, stdout);
    return cli_finish(CLI_OK);
  }
  if (argc < 1) {
    print_usage(NULL, stderr);
    return CLI_USAGE;
  }
  cli_nearest verb = {.word = argv[0]}, kind = {.word = argc > 1 ? argv[1] : ""};
  bool verb_known = false;
  for (int i = 0; i < N_ACTIONS; i++) {
    cli_nearest_offer(&verb, actions[i].verb);
    if (strcmp(argv[0], actions[i].verb) != 0) continue;
    verb_known = true;
    if (!actions[i].kind) return actions[i].run(argc - 1, argv + 1);
    if (argc > 1 && !strcmp(argv[1], actions[i].kind)) return actions[i].run(argc - 2, argv + 2);
    cli_nearest_offer(&kind, actions[i].kind);
  }
  if (!verb_known) return refuse_word("action", argv[0], &verb);
  if (asks_for_help(argc - 1, argv + 1)) {
    print_usage(argv[0], stdout);
    return cli_finish(CLI_OK);
  }
  if (argc > 1 && argv[1][0] != '-') return refuse_word("kind of puzzle", argv[1], &kind);
  char kinds[256];
  list_kinds(argv[0], kinds, sizeof kinds);
  return cli_usage_error("trm data %s: of what? Known are %s, each with its own --help", argv[0],
                         kinds);
}
