/* Man pages and completions: they are made from the tables of commands and options, so whatever
 * --help says is in them, and the shells take them. */
#include <ctype.h>

#include "shell.h"

/* One text of the program, kept. */
static char *text_of(scratch *s, const char *line) {
  char *text = strdup(shell(s, 0, line));
  assert_non_null(text);
  return text;
}

/* The line of `text` after *at that a --help has for a command or an option: two spaces and a word
 * that begins with `first` (0: a letter), which goes to `word`. NULL: no more. */
static const char *next_row(const char *at, const char *begin, char word[64]) {
  for (const char *line = strstr(at, "\n  "); line; line = strstr(line + 1, "\n  ")) {
    const char *name = line + 3;
    if (*begin ? strncmp(name, begin, strlen(begin)) != 0 : !islower((unsigned char)*name))
      continue;
    snprintf(word, 64, "%.*s", (int)strcspn(name, " \n,"), name);
    return line + 1;
  }
  return NULL;
}

enum { SCRIPTS = 3, LEAVES = 64 };
static const char *const shells[SCRIPTS] = {"bash", "zsh", "fish"};

typedef struct leaves {
  char words[LEAVES][140]; /* "data build sudoku" */
  int n;
} leaves;

/* Commands, and those that are groups by their actions, as their help has them. */
static void find_leaves(scratch *s, leaves *l) {
  /* The commands of the main help, up to its examples. */
  char line[200], word[64];
  char *help = text_of(s, "$TRM --help");
  const char *end = strstr(help, "\n\nExamples:");
  assert_non_null(end);
  for (const char *at = strstr(help, "Commands:"); (at = next_row(at, "", word)) && at < end;) {
    /* Each one's own help. */
    snprintf(line, sizeof line, "$TRM help %s", word);
    char *own = text_of(s, line);
    int actions = 0;
    snprintf(line, sizeof line, "\n  trm %s ", word);

    /* A group has a row for each action, of one word or of two. */
    for (const char *row = strstr(own, line); row && strstr(own, "ACTION"); actions++) {
      char verb[32], kind[32];
      assert_int_equal(sscanf(row + strlen(line), "%31s %31s", verb, kind), 2);
      const bool single = isupper((unsigned char)*kind) || row[strlen(line) + 7] == ' ';
      snprintf(l->words[l->n++], sizeof *l->words, "%s %s%s%s", word, verb, single ? "" : " ",
               single ? "" : kind);
      row = strstr(row + 1, line);
    }

    /* What is no group is a leaf itself. */
    if (actions == 0) snprintf(l->words[l->n++], sizeof *l->words, "%s", word);
    free(own);
  }
  free(help);

  /* There are enough to be all of them. */
  assert_true(l->n > 15 && l->n < LEAVES);
}

/* True of a line of the script that is of the command and has the option. */
static bool script_has(const char *script, const char *shell_name, const char *command,
                       const char *option) {
  char from[200], what[96];
  if (!strcmp(shell_name, "fish")) {
    snprintf(from, sizeof from, "'__trm_at %s' -l %s", command, option + 2);
    return strstr(script, from);
  }
  const bool bash = !strcmp(shell_name, "bash");
  snprintf(from, sizeof from, bash ? "\n  '%s') echo '" : "if _trm_at %s; then\n    _arguments",
           command);
  const char *at = strstr(script, from);
  const char *end = at ? strstr(at + 1, bash ? " ;;" : "\n  fi") : NULL;
  if (!end) return false;
  for (const char *after = bash ? "= " : "=[", *c = after; *c; c++) {
    snprintf(what, sizeof what, "%s%s%c", bash ? "" : "'", option, *c);
    const char *found = strstr(at, what);
    if (found && found < end) return true;
  }
  return false;
}

static void test_everything_is_in_them(void **state) {
  scratch *s = *state;
  leaves l = {.n = 0};
  char *scripts[SCRIPTS], line[200];
  int options = 0;
  find_leaves(s, &l);
  for (int k = 0; k < SCRIPTS; k++) {
    snprintf(line, sizeof line, "$TRM help --%s", shells[k]);
    scripts[k] = text_of(s, line);
  }
  for (int i = 0; i < l.n; i++) {
    char command[140], row[64], option[64], roff[128];
    snprintf(command, sizeof command, "%.*s", (int)strcspn(l.words[i], " "), l.words[i]);
    snprintf(line, sizeof line, "$TRM help --man %s", command);
    char *page = text_of(s, line);
    snprintf(line, sizeof line, "$TRM help %s", l.words[i]);
    char *help = text_of(s, line);
    says(help, "-h, --help");
    for (const char *at = strstr(help, "\nOptions:"); at && (at = next_row(at, "-", row));) {
      const char *name = strstr(at, "--");
      assert_non_null(name);
      snprintf(option, sizeof option, "%.*s", (int)strcspn(name, " \n"), name);
      /* the page is of all actions of a command; the option is spelt with \- */
      size_t n = 0;
      for (const char *c = option; *c && n + 3 < sizeof roff; c++)
        n += (size_t)snprintf(roff + n, sizeof roff - n, *c == '-' ? "\\-" : "%c", *c);
      says(page, roff);
      for (int k = 0; k < SCRIPTS; k++)
        if (strcmp(option, "--help") != 0 && !script_has(scripts[k], shells[k], l.words[i], option))
          fail_msg("%s: no %s of trm %s in:\n%s", shells[k], option, l.words[i], scripts[k]);
      options++;
    }
    free(help);
    free(page);
  }
  assert_true(options > 100);
  for (int k = 0; k < SCRIPTS; k++) free(scripts[k]);
}

static void test_man_pages(void **state) {
  scratch *s = *state;
  const char *page = shell(s, 0, "SOURCE_DATE_EPOCH=86400 $TRM help --man solve");
  assert_int_equal(strncmp(page, ".TH \"TRM-SOLVE\" 1 \"1970-01-02\" \"trm ", 36), 0);
  says(page, ".SH NAME\ntrm\\-solve \\- ");
  says(page, ".SH SYNOPSIS");
  says(page, ".SH \"EXAMPLES\"");
  says(shell(s, 0, "$TRM help --man data"), ".SH \"trm data gen maze\"");
  page = shell(s, 0, "$TRM help --man");
  says(page, "TRM_PLUGINS");
  says(page, "EXIT CODES");
  (void)shell(s, 2, "$TRM help --man nothing");
  (void)shell(s, 0,
              "command -v mandoc >/dev/null || { echo skipped: no mandoc here; exit 0; };"
              "for c in '' train runs eval solve info models data finetune arc convert bench; do "
              "$TRM help --man $c >page.1 && mandoc -Tlint -Wwarning page.1 || exit 1; done");
  if (strstr(out, "skipped")) print_message("%s", out);
}

/* True where the shell is installed. */
static bool has_shell(scratch *s, const char *name) {
  char line[100];
  snprintf(line, sizeof line, "command -v %s || echo none", name);
  return strcmp(shell(s, 0, line), "none\n") != 0;
}

/* What bash offers at the end of a line. */
static const char *offered(scratch *s, const char *words) {
  char line[1200];
  snprintf(line, sizeof line,
           "mkdir -p bin files; ln -sf $TRM bin/trm; PATH=$PWD/bin:$PATH; $TRM help --bash >c; "
           "cd files; touch afile; exec bash --norc -c '. ../c; compopt() { :; }; "
           "COMP_WORDS=(%s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _trm; "
           "echo \" ${COMPREPLY[*]} \"'",
           words);
  return shell(s, 0, line);
}

static void test_bash(void **state) {
  scratch *s = *state;
  if (!has_shell(s, "bash")) skip();
  assert_string_equal(offered(s, "trm so"), " solve \n");
  assert_string_equal(offered(s, "trm data gen \"\""), " sudoku maze \n");
  assert_string_equal(offered(s, "trm help data g"), " gen \n");
  assert_string_equal(offered(s, "trm data build sudoku --skip"), " --skip-invalid \n");
  assert_string_equal(offered(s, "trm data build sudoku --input a"), " afile \n");
  assert_string_equal(offered(s, "trm solve --device = c"), " cpu cuda:0 \n");
  assert_string_equal(offered(s, "trm solve m --threads \"\""), "  \n");
  assert_string_equal(offered(s, "trm bench gro"), " growth \n");
  says(offered(s, "trm train preset = su"), " sudoku6 ");
  assert_null(strstr(out, "arc-small"));
  says(offered(s, "trm train arch.H_"), " arch.H_cycles= ");
  says(offered(s, "trm solve a"), " afile ");
}

/* What fish offers for a line, each in a line of its own. */
static const char *offered_by_fish(scratch *s, const char *words) {
  char line[1200];
  snprintf(line, sizeof line,
           "mkdir -p bin; ln -sf $TRM bin/trm; $TRM help --fish >bin/script; "
           "HOME=$PWD PATH=$PWD/bin:$PATH fish --no-config -c 'source bin/script; "
           "complete -C \"%s\"' | cut -f 1",
           words);
  return shell(s, 0, line);
}

static void test_fish(void **state) {
  scratch *s = *state;
  if (!has_shell(s, "fish")) skip();
  assert_string_equal(offered_by_fish(s, "trm so"), "solve\n");
  says(offered_by_fish(s, "trm train preset=su"), "preset=sudoku6\n");
  assert_null(strstr(out, "maze-small"));
  says(offered_by_fish(s, "trm train arch.H_"), "arch.H_cycles=\n");
  says(offered_by_fish(s, "trm bench train preset="), "preset=arc-small\n");
  assert_null(strstr(offered_by_fish(s, "trm eval preset="), "preset=sudoku6"));
}

/* In a terminal of its own, zsh adds `rest` to the words of a line; false where it never does. */
static bool zsh_adds(scratch *s, const char *words, const char *rest) {
  static const char start[] =
      "mkdir -p bin files && ln -sf $TRM bin/trm && $TRM help --zsh >bin/_trm && cat >ask <<'X'\n"
      "zmodload zsh/zpty; zpty z zsh -f; bin=$PWD/bin\n"
      "zpty -w z \"PATH=$bin:\\$PATH; fpath=($bin \\$fpath); autoload -Uz compinit; compinit -u "
      "-D; "
      "cd files; PS1=RE''ADY\"\n"
      "zpty -r z x '*READY*'; zpty -n -w z \"$1\"$'\\t'; zpty -r z x \"*$2*\"\n"
      "X\n";
  char line[1600];
  snprintf(line, sizeof line,
           "export TRM_MODELS=$PWD/models; %stimeout 30 zsh -f ask '%s' '%s' >/dev/null; echo $?",
           start, words, rest);
  return !strcmp(shell(s, 0, line), "0\n");
}

static void test_zsh(void **state) {
  scratch *s = *state;
  if (!has_shell(s, "zsh")) skip();
  (void)shell(s, 0, "zsh -fc 'zmodload zsh/zpty; autoload -Uz +X compinit' || echo none");
  if (strstr(out, "none")) skip();
  (void)shell(s, 0, "mkdir -p models && touch models/onlyone.safetensors");
  assert_true(zsh_adds(s, "trm so", "lve"));
  assert_true(zsh_adds(s, "trm train preset=grid-s", "mall"));
  assert_true(zsh_adds(s, "trm train arch.H_c", "ycles="));
  assert_true(zsh_adds(s, "trm bench gro", "wth"));
  assert_true(zsh_adds(s, "trm solve only", "one"));
}

/* The other shells, where they are installed. */
static void test_syntax(void **state) {
  scratch *s = *state;
  for (int k = 0; k < SCRIPTS; k++) {
    char line[200];
    snprintf(line, sizeof line,
             "command -v %s >/dev/null || { echo skipped: no %s here; exit 0; };"
             "$TRM help --%s >script && %s -n script",
             shells[k], shells[k], shells[k], shells[k]);
    if (strcmp(shell(s, 0, line), "") != 0) print_message("%s", out);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_everything_is_in_them),
      cmocka_unit_test(test_man_pages),
      cmocka_unit_test(test_bash),
      cmocka_unit_test(test_fish),
      cmocka_unit_test(test_zsh),
      cmocka_unit_test(test_syntax),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
