/* Completions for bash, zsh and fish, from the tables of commands and options. The scripts know the
 * words that call a command, its options and what a value of each may be; the names of models,
 * presets and keys they ask the program for when they are used. */
#include <string.h>

#include "cli/manuals/manuals.h"

static bool takes_file(const cli_option *o) {
  static const char *const ending[] = {"FILE", "DIR", "DATA"};
  if (o->kind == CLI_OUTPUT || o->kind == CLI_STREAM || o->kind == CLI_STATE) return true;
  for (size_t i = 0; o->value && i < sizeof ending / sizeof *ending; i++)
    if (!strncmp(o->value, ending[i], strlen(ending[i]))) return true;
  return false;
}

/* What a value may be, separated by spaces; NULL: it is not known. */
static const char *values_of(const cli_option *o) {
  return o->kind == CLI_DEVICE  ? "cpu auto cuda:0"
         : o->kind == CLI_DTYPE ? "float32 bfloat16"
                                : NULL;
}

/* The command wants a model first. */
static bool takes_model(const cli_manual *m) {
  return strstr(m->usage, " MODEL") != NULL;
}

/* It takes settings of a run. */
static bool takes_settings(const cli_manual *m) {
  return strstr(m->usage, "key=value") != NULL;
}

/* Shell commands that print the names of presets, and those of keys with a '='. */
#define LIST_PRESETS "trm train --list-presets 2>/dev/null | sed -n 's/^\\([^ :]*\\): .*/\\1/p'"
#define LIST_KEYS \
  "trm train --list-keys 2>/dev/null | sed -n 's/^[* ] \\([a-zA-Z_.]*\\)  *.*/\\1=/p'"

/* "gemm|ops|train" of "trm bench gemm|ops|train [options]": prints the words, separated by ' '. */
static void put_choices(const cli_manual *m) {
  char words[MANUALS_WORDS];
  manuals_words(m, words);
  const char *at = m->usage + strlen("trm ") + strlen(words);
  const size_t n = strspn(at + (*at == ' '), "abcdefghijklmnopqrstuvwxyz|");
  if (*at != ' ' || n == 0) return;
  for (size_t i = 1; i <= n; i++) putchar(at[i] == '|' ? ' ' : at[i]);
}

/* The words after those of a group, each once. */
static void put_next_words(const cli_group *g, const char *verb) {
  for (int i = 0; i < g->n; i++) {
    const cli_action *a = &g->actions[i];
    if (verb && !strcmp(verb, a->verb) && a->kind) printf(" %s", a->kind);
    if (!verb && (i == 0 || strcmp(a->verb, a[-1].verb) != 0)) printf(" %s", a->verb);
  }
}

/* Calls `put` for the group itself (verb NULL) and for each verb that has kinds. */
static void each_level(const cli_group *g, void (*put)(const cli_group *g, const char *verb)) {
  put(g, NULL);
  for (int i = 0; i < g->n; i++) {
    const cli_action *a = &g->actions[i];
    if (a->kind && (i == 0 || strcmp(a->verb, a[-1].verb) != 0)) put(g, a->verb);
  }
}

static void no_manual(const cli_manual *m, const cli_option *options) {
  (void)m;
  (void)options;
}

static void no_group(const cli_group *g) {
  (void)g;
}

/* ---- bash ---- */

static void bash_level(const cli_group *g, const char *verb) {
  printf("  '%s%s%s') echo '", g->command, verb ? " " : "", verb ? verb : "");
  put_next_words(g, verb);
  puts("' ;;");
}

static void bash_group(const cli_group *g) {
  each_level(g, bash_level);
}

/* --name is a flag; --name=f wants a file, =d a device, =t a number format, = anything else. */
static void bash_options(const cli_manual *m, const cli_option *options) {
  char words[MANUALS_WORDS];
  manuals_words(m, words);
  printf("  '%s') echo '", words);
  for (const cli_option *o = options; o->name; o++) {
    const char *name = cli_option_name(o), *kind = "";
    if (o->kind != CLI_FLAG) kind = takes_file(o) ? "=f" : "=";
    if (o->kind == CLI_DEVICE) kind = "=d";
    if (o->kind == CLI_DTYPE) kind = "=t";
    if (name > o->name) printf("-%c%s ", o->name[0], kind);
    printf("--%s%s ", name, kind);
  }
  puts("-h --help' ;;");
}

/* What may stand where no option does: m a model, k settings of a run, and words. */
static void bash_operands(const cli_manual *m, const cli_option *options) {
  (void)options;
  char words[MANUALS_WORDS];
  manuals_words(m, words);
  printf("  '%s') echo '%s%s", words, takes_model(m) ? "=m " : "", takes_settings(m) ? "=k " : "");
  put_choices(m);
  puts("' ;;");
}

/* Finds the command in the words so far, then what fits at their end. */
static const char bash_search[] =
    "  esac\n}\n"
    "_trm() {\n"
    "  local cur=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD-1]} at='' w i words\n"
    "  [[ $cur == '=' ]] && cur='' && COMP_WORDS[COMP_CWORD]=''\n"
    "  [[ $option == '=' ]] && option=${COMP_WORDS[COMP_CWORD-2]}\n"
    "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "    w=${COMP_WORDS[i]}\n"
    "    [[ -z $at && $w == help ]] && continue\n"
    "    [[ \" $(_trm_words \"$at\") \" == *\" $w \"* ]] || break\n"
    "    at+=${at:+ }$w\n"
    "  done\n"
    "  case \" $(_trm_options \"$at\") \" in\n"
    "  *\" $option=f \"*) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); "
    "return ;;\n"
    "  *\" $option=d \"*) words='cpu auto cuda:0' ;;\n"
    "  *\" $option=t \"*) words='float32 bfloat16' ;;\n"
    "  *\" $option= \"*) return ;;\n"
    "  *)\n"
    "    words=$(_trm_words \"$at\")\n"
    "    if [[ $option == preset ]]; then\n"
    "      words=$(" LIST_PRESETS
    ")\n"
    "    elif [[ $cur == -* ]]; then\n"
    "      words=$(_trm_options \"$at\" | sed 's/=[a-z]*//g')\n"
    "    elif [[ -z $words ]]; then\n"
    "      words=$(_trm_operands \"$at\")\n"
    "      [[ $words == *=m* ]] && words+=\" $(trm models --names 2>/dev/null)\"\n"
    "      [[ $words == *=k* ]] && compopt -o nospace && words+=\" $(" LIST_KEYS
    ")\"\n"
    "      words=${words//=[mk]/}\n"
    "      compopt -o filenames\n"
    "      mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
    "    fi ;;\n"
    "  esac\n"
    "  COMPREPLY+=($(compgen -W \"$words\" -- \"$cur\"))\n"
    "}\n"
    "complete -F _trm trm\n";

void manuals_bash(const cli_program *p) {
  const cli_tellers groups = {no_manual, bash_group}, options = {bash_options, no_group},
                    operands = {bash_operands, no_group};
  printf(
      "# bash completion for trm %s, made by `trm help --bash`\n"
      "_trm_words() {\n  case $1 in\n  '') echo '",
      trm_version());
  for (int i = 0; i < p->n; i++) printf("%s ", p->commands[i].name);
  puts("help' ;;");
  manuals_walk(p, NULL, &groups);
  puts("  esac\n}\n_trm_options() {\n  case $1 in\n  '') echo '-h --help --version' ;;");
  manuals_walk(p, NULL, &options);
  puts("  esac\n}\n_trm_operands() {\n  case $1 in");
  manuals_walk(p, NULL, &operands);
  fputs(bash_search, stdout);
}

/* ---- zsh ---- */

/* A text in a spec of _arguments, inside single quotes. */
static void zsh_text(const char *text, const char *special) {
  for (; *text; text++)
    if (*text == '\'')
      fputs("'\\''", stdout);
    else
      printf("%s%c", strchr(special, *text) ? "\\" : "", *text);
}

/* "-b" or "--batch", with the characters that join a value to it. */
static void zsh_option(const cli_option *o, const char *called, const char *joined) {
  const char *values = values_of(o);
  printf(" \\\n      '%s%s[", called, o->value ? joined : "");
  zsh_text(o->help, "[]\\:");
  putchar(']');

  /* What the value is called, and what may stand there: words, files or anything. */
  if (o->value) {
    putchar(':');
    zsh_text(o->value, ":\\");
    putchar(':');
    if (values) {
      putchar('(');
      zsh_text(values, ":");
      putchar(')');
    } else {
      fputs(takes_file(o) ? "_files" : " ", stdout);
    }
  }
  putchar('\'');
}

static void zsh_manual(const cli_manual *m, const cli_option *options) {
  char words[MANUALS_WORDS];
  manuals_words(m, words);

  /* Arguments are offered by a function that all commands share; a letter says which kind. */
  printf("  if _trm_at %s; then\n    _arguments -s", words);
  for (const cli_option *o = options; o->name; o++) {
    char called[64];
    snprintf(called, sizeof called, "-%c", o->name[0]);
    if (cli_option_name(o) > o->name) zsh_option(o, called, "+");
    snprintf(called, sizeof called, "--%s", cli_option_name(o));
    zsh_option(o, called, "=");
  }
  printf(
      " \\\n      '(-h --help)'{-h,--help}'[the help of this command]' \\\n      '*: : "
      "_trm_operand "
      "%c ",
      takes_model(m)      ? 'm'
      : takes_settings(m) ? 'k'
                          : '-');
  put_choices(m);
  puts("'\n    return\n  fi");
}

static void zsh_level(const cli_group *g, const char *verb) {
  printf("  if _trm_at %s%s%s; then\n    _values action", g->command, verb ? " " : "",
         verb ? verb : "");
  put_next_words(g, verb);
  puts("\n    return\n  fi");
}

static void zsh_group(const cli_group *g) {
  each_level(g, zsh_level);
}

void manuals_zsh(const cli_program *p) {
  const cli_tellers options = {zsh_manual, no_group}, groups = {no_manual, zsh_group};
  printf(
      "#compdef trm\n# zsh completion for trm %s, made by `trm help --zsh`\n"
      "_trm_at() {\n"
      "  local -a at=(\"${(@)words[2,CURRENT-1]}\")\n"
      "  [[ ${at[1]} == help ]] && shift at\n"
      "  [[ \"${at[1,$#]}\" == \"$*\" ]]\n"
      "}\n"
      "_trm_operand() {\n"
      "  local -a choices=(${=argv[2,-1]})\n"
      "  [[ $1 == m ]] && choices+=(${(f)\"$(trm models --names 2>/dev/null)\"})\n"
      "  (( $#choices )) && compadd -a choices\n"
      "  if [[ $1 == k ]]; then\n"
      "    if compset -P 'preset='; then\n"
      "      compadd -- ${(f)\"$(" LIST_PRESETS
      ")\"}\n"
      "      return\n"
      "    fi\n"
      "    compadd -S '' -- ${(f)\"$(" LIST_KEYS
      ")\"}\n"
      "  fi\n"
      "  _files\n"
      "}\n"
      "_trm() {\n",
      trm_version());
  manuals_walk(p, NULL, &options);
  /* "data build" begins with "data": the longer one has to be asked for first */
  manuals_walk(p, NULL, &groups);
  puts("  local -a commands=(");
  for (int i = 0; i < p->n; i++) {
    printf("    '%s:", p->commands[i].name);
    zsh_text(p->commands[i].about, ":\\");
    puts("'");
  }
  puts(
      "    'help:the help of a command'\n  )\n"
      "  _describe command commands\n"
      "  (( CURRENT == 2 )) && compadd -- --help --version\n"
      "}\n"
      "if [[ $funcstack[1] == _trm ]]; then _trm \"$@\"; else compdef _trm trm; fi");
}

/* ---- fish ---- */

static void fish_text(const char *text) {
  putchar('\'');
  for (; *text; text++) printf("%s%c", strchr("'\\", *text) ? "\\" : "", *text);
  putchar('\'');
}

static void fish_manual(const cli_manual *m, const cli_option *options) {
  char words[MANUALS_WORDS];
  manuals_words(m, words);
  for (const cli_option *o = options; o->name; o++) {
    const char *name = cli_option_name(o), *values = values_of(o);
    printf("complete -c trm -n '__trm_at %s' -l %s", words, name);
    if (name > o->name) printf(" -s %c", o->name[0]);
    if (o->kind != CLI_FLAG) fputs(takes_file(o) ? " -rF" : " -x", stdout);
    if (values) printf(" -a '%s'", values);
    fputs(" -d ", stdout);
    fish_text(o->help);
    putchar('\n');
  }

  /* What every command has, and what stands beside the options. */
  printf("complete -c trm -n '__trm_at %s' -s h -l help -d 'the help of this command'\n", words);
  if (takes_model(m))
    printf("complete -c trm -n '__trm_at %s' -a '(trm models --names 2>/dev/null)'\n", words);
  if (takes_settings(m)) printf("complete -c trm -n '__trm_at %s' -a '(__trm_settings)'\n", words);
  printf("complete -c trm -n '__trm_at %s' -a '", words);
  put_choices(m);
  puts("'");
}

static void fish_level(const cli_group *g, const char *verb) {
  printf("complete -c trm -f -n '__trm_is %s%s%s' -a '", g->command, verb ? " " : "",
         verb ? verb : "");
  put_next_words(g, verb);
  puts("'");
}

static void fish_group(const cli_group *g) {
  each_level(g, fish_level);
}

void manuals_fish(const cli_program *p) {
  const cli_tellers tellers = {fish_manual, fish_group};
  printf(
      "# fish completion for trm %s, made by `trm help --fish`\n"
      "function __trm_is\n"
      "    set -l at (commandline -opc)[2..-1]\n"
      "    test \"$at[1]\" = help; and set -e at[1]\n"
      "    test \"$at\" = \"$argv\"\n"
      "end\n"
      "function __trm_at\n"
      "    set -l at (commandline -opc)[2..-1]\n"
      "    test \"$at[1]\" = help; and set -e at[1]\n"
      "    set -l n (count $argv)\n"
      "    test (count $at) -ge $n; and test \"$at[1..$n]\" = \"$argv\"\n"
      "end\n"
      "function __trm_settings\n"
      "    if string match -q 'preset=*' -- (commandline -ct)\n"
      "        " LIST_PRESETS
      " | sed 's/^/preset=/'\n"
      "    else\n"
      "        " LIST_KEYS
      "\n"
      "    end\n"
      "end\n",
      trm_version());

  /* The commands, with what stands beside their names; then what each of them takes. */
  for (int i = 0; i < p->n; i++) {
    printf("complete -c trm -f -n __trm_is -a %s -d ", p->commands[i].name);
    fish_text(p->commands[i].about);
    putchar('\n');
  }
  puts(
      "complete -c trm -f -n __trm_is -a help -d 'the help of a command'\n"
      "complete -c trm -f -n __trm_is -l version -d 'version, kernels, processor and GPU'");
  manuals_walk(p, NULL, &tellers);
}
