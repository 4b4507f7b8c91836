/* Commands that are groups of actions: trm data build sudoku, trm arc vote. */
#include <string.h>

#include "cli/cli.h"

/* Of one verb, or with NULL of all. */
static void print_usage(const cli_group *g, const char *verb, FILE *f) {
  bool kinds = false;
  for (int i = 0; i < g->n; i++) kinds |= g->actions[i].kind != NULL;
  fprintf(f, "Usage: trm %s %s %s[options]\n\n", g->command, verb ? verb : "ACTION",
          !kinds ? ""
          : verb ? "KIND "
                 : "[KIND] ");
  for (int i = 0; i < g->n; i++) {
    const cli_action *a = &g->actions[i];
    if (verb && strcmp(verb, a->verb) != 0) continue;
    fprintf(f, "  trm %s %-6s %-6s    %s\n", g->command, a->verb, a->kind ? a->kind : g->operand,
            a->about);
  }
  fprintf(f, "\nEach has its own --help with examples.\n");
}

/* "unknown WHAT 'word'", with the name that may have been meant. */
static int refuse_word(const cli_group *g, const char *what, const char *word, trm__nearest *near) {
  if (near->best)
    return cli_usage_error("unknown %s '%s': did you mean '%s'?", what, word, near->best);
  return cli_usage_error("unknown %s '%s'; see trm %s --help", what, word, g->command);
}

/* A kind in the place of the action: "trm data build sudoku or trm data gen sudoku". */
static bool refuse_kind(const cli_group *g, const char *word) {
  char text[256] = "";
  size_t used = 0;
  for (int i = 0; i < g->n && used < sizeof text; i++)
    if (g->actions[i].kind && !strcmp(word, g->actions[i].kind))
      used += (size_t)snprintf(text + used, sizeof text - used, "%strm %s %s %s",
                               used ? " or " : "", g->command, g->actions[i].verb, word);
  if (used) cli_usage_error("trm %s %s: what is to be done? Want %s", g->command, word, text);
  return used;
}

/* "'sudoku', 'maze'" */
static void list_kinds(const cli_group *g, const char *verb, char *text, size_t size) {
  size_t used = 0;
  *text = 0;
  for (int i = 0; i < g->n && used < size; i++)
    if (g->actions[i].kind && !strcmp(verb, g->actions[i].verb))
      used += (size_t)snprintf(text + used, size - used, "%s'%s'", used ? ", " : "",
                               g->actions[i].kind);
}

static bool asks_for_help(int argc, char **argv) {
  return argc && (!strcmp(argv[0], "--help") || !strcmp(argv[0], "-h") || !strcmp(argv[0], "help"));
}

/* The tables of all actions go to whoever makes something else than help of them. */
static int show_all(const cli_group *g, char **argv) {
  cli_teller->group(g);
  for (int i = 0; i < g->n; i++) (void)g->actions[i].run(1, argv);
  return CLI_OK;
}

int cli_group_run(const cli_group *g, int argc, char **argv) {
  if (asks_for_help(argc, argv)) {
    if (cli_teller) return show_all(g, argv);
    print_usage(g, NULL, stdout);
    return cli_finish(CLI_OK);
  }
  if (argc < 1) {
    print_usage(g, NULL, stderr);
    return CLI_USAGE;
  }

  /* The row of both words; on the way, the names nearest to them. */
  trm__nearest verb = {.word = argv[0]}, kind = {.word = argc > 1 ? argv[1] : ""};
  bool verb_known = false;
  for (int i = 0; i < g->n; i++) {
    const cli_action *a = &g->actions[i];
    trm__nearest_offer(&verb, a->verb);
    if (strcmp(argv[0], a->verb) != 0) continue;
    verb_known = true;
    if (!a->kind) return a->run(argc - 1, argv + 1);
    if (argc > 1 && !strcmp(argv[1], a->kind)) return a->run(argc - 2, argv + 2);
    trm__nearest_offer(&kind, a->kind);
  }

  /* The first word is none of the verbs, or a kind in their place. */
  if (!verb_known && refuse_kind(g, argv[0])) return CLI_USAGE;
  if (!verb_known) return refuse_word(g, "action", argv[0], &verb);

  /* Help with one verb; else the kind is missing, or there is none of its name. */
  if (asks_for_help(argc - 1, argv + 1)) {
    print_usage(g, argv[0], stdout);
    return cli_finish(CLI_OK);
  }
  if (argc > 1 && argv[1][0] != '-') return refuse_word(g, "kind of puzzle", argv[1], &kind);
  char kinds[256];
  list_kinds(g, argv[0], kinds, sizeof kinds);
  return cli_usage_error("trm %s %s: of what? Known are %s, each with its own --help", g->command,
                         argv[0], kinds);
}
