/* Command-line options from a table; see cli.h for the rules. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/folder.h"
#include "cli/files.h"

bool cli_parse_halt(const char *text, trm_halt *halt, double *margin) {
  *halt = strcmp(text, "never") ? TRM_HALT_Q : TRM_HALT_NEVER;
  *margin = 0;
  if (!strcmp(text, "never") || !strcmp(text, "q")) return true;
  if (!strncmp(text, "q=", 2) && trm__number_double(text + 2, margin)) return true;
  cli_usage_error("--halt: want never, q or q=LOGIT with a number, got '%s'", text);
  return false;
}

bool cli_thinks(const trm_thinking *how) {
  return trm_thinking_tries(how) > 1 || how->noise > 0 || how->select == TRM_SELECT_FIRST ||
         how->verify;
}

/* How many tries there are, and of what. */
static bool check_tries(const trm_thinking *how) {
  const int views = how->views ? how->views : 1, rollouts = how->rollouts ? how->rollouts : 1;
  const int64_t tries = (int64_t)views * rollouts;
  if (how->noise > TRM_MAX_NOISE) {
    cli_usage_error("--noise: want at most %g, got %g", TRM_MAX_NOISE, how->noise);
    return false;
  }
  if (tries > TRM_MAX_TRIES) {
    cli_usage_error("%s: want at most %d tries of a puzzle, got %lld",
                    rollouts == 1 ? "--views"
                    : views == 1  ? "--rollouts"
                                  : "--views times --rollouts",
                    TRM_MAX_TRIES, (long long)tries);
    return false;
  }
  return true;
}

/* Whose answer counts, and what else ends a puzzle. */
static bool check_choice(cli_thinking *t, trm_halt halt) {
  if (t->select && !trm_select_from_name(t->select, &t->how.select)) {
    cli_usage_error("--select: want q, first, mode, vote or residual, got '%s'", t->select);
    return false;
  }
  const bool first = t->how.select == TRM_SELECT_FIRST;
  if (t->select && !first && !t->how.views && !t->how.rollouts) {
    cli_usage_error(
        "--select %s is a choice among several tries: want --views K or --rollouts K beside it",
        t->select);
    return false;
  }
  if (!isnan(t->bar) && !first) {
    cli_usage_error("--bar belongs to --select first");
    return false;
  }
  if (first && halt != TRM_HALT_NEVER) {
    cli_usage_error("--select first is an early exit: want no --halt beside it");
    return false;
  }
  if (first) t->how.bar = isnan(t->bar) ? 2 : t->bar;
  return true;
}

static bool check_search(const trm_thinking *how) {
  if (how->search && !how->verify) {
    cli_usage_error("--search wants --verify: it ends where the rules accept an answer");
    return false;
  }
  if (how->search > TRM_MAX_SEARCH) {
    cli_usage_error("--search: want at most %d runs of a puzzle, got %d", TRM_MAX_SEARCH,
                    how->search);
    return false;
  }
  return true;
}

bool cli_think(cli_thinking *t, trm_halt halt) {
  return check_choice(t, halt) && check_tries(&t->how) && check_search(&t->how);
}

trm_status cli_check_draws(const trm_thinking *how, const trm_model *model, trm_error *err) {
  const trm_model_config *m = trm_model_get_config(model);
  const bool draws = trm_thinking_differs(&(trm_thinking){.rollouts = 2, .noise = how->noise}, m);
  if (!trm_thinking_differs(how, m))
    return cli_fail(err, TRM_E_ARGUMENT, -1,
                    "--rollouts wants --noise: without it all of them are the same, for this model "
                    "starts at no random latents (arch.start_std)");
  if (how->seed && !how->views && !draws)
    return cli_fail(err, TRM_E_ARGUMENT, -1,
                    "--seed is of images and noise: want --views K or --noise S beside it, for "
                    "this model draws nothing itself");
  return TRM_OK;
}

/* --- names of what is written --- */

bool cli_is_output(const char *path) {
  return *path && strcmp(path, "-") != 0;
}

const char *cli_ending(const char *path) {
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  const char *dot = strrchr(name, '.');
  return dot && dot > name && isalpha((unsigned char)dot[1]) ? dot : NULL;
}

static bool is_written(const cli_option *o) {
  return o->kind == CLI_OUTPUT || o->kind == CLI_STREAM || o->kind == CLI_STATE;
}

/* Reports what is wrong with an output, if anything is. */
static bool check_output(const cli_option *o, const char *name, const char *path) {
  if (o->kind == CLI_STREAM && !strcmp(path, "-")) return true;
  if (!cli_is_output(path)) {
    cli_usage_error("--%s: want the name of a file or folder to write, got '%s'%s", name, path,
                    *path ? "; stdout is for the report, and ./- is a file of that name" : "");
    return false;
  }
  const char *want = cli_ending(o->value), *got = cli_ending(path);
  if (!want || !got || !strcasecmp(want, got)) return true;
  cli_usage_error("--%s: what is written is %s, so the name must not end in %s", name, want, got);
  return false;
}

/* The outputs that the whole line names; a state is gone on from. */
static void name_outputs(const cli_option *options) {
  for (const cli_option *o = options; o->name; o++) {
    if (o->kind != CLI_OUTPUT && o->kind != CLI_STREAM) continue;
    const char *path = *(const char **)o->target;
    if (path && cli_is_output(path)) cli_name_output(path);
  }
}

/* --- values --- */

static bool set_int(void *target, const char *text) {
  int64_t v;
  if (!trm__number_int64(text, &v) || v < 0 || v > INT32_MAX) return false;
  *(int *)target = (int)v;
  return true;
}

static bool set_int64(void *target, const char *text) {
  int64_t v;
  if (!trm__number_int64(text, &v) || v < 0) return false;
  *(int64_t *)target = v;
  return true;
}

static bool set_uint64(void *target, const char *text) {
  return trm__number_uint64(text, target);
}

static bool set_double(void *target, const char *text) {
  double v;
  if (!trm__number_double(text, &v) || v < 0) return false;
  *(double *)target = v;
  return true;
}

static bool set_logit(void *target, const char *text) {
  return trm__number_double(text, target);
}

static bool set_size(void *target, const char *text) {
  return set_int(target, text) && *(int *)target > 0;
}

static bool set_steps(void *target, const char *text) {
  return set_int(target, text) && *(int *)target <= TRM_MAX_STEPS;
}
_Static_assert(TRM_MAX_STEPS == 1024, "the bound below is that of steps");

static bool set_count(void *target, const char *text) {
  return set_int64(target, text) && *(int64_t *)target > 0;
}

/* Some 19 years at most. */
static bool set_minutes(void *target, const char *text) {
  return set_double(target, text) && *(double *)target > 0 && *(double *)target <= 1e7;
}

static bool set_string(void *target, const char *text) {
  *(const char **)target = text;
  return true;
}

static bool set_word(void *target, const char *text) {
  cli_words *w = target;
  if (!*text || w->n == CLI_MAX_WORDS) return false;
  w->word[w->n++] = text;
  return true;
}

static bool set_device(void *target, const char *text) {
  return trm_device_from_name(text, target);
}

static bool set_dtype(void *target, const char *text) {
  return trm_dtype_from_name(text, target);
}

static const struct {
  bool (*set)(void *target, const char *text);
  const char *expected;
} kinds[] = {
    [CLI_INT] = {set_int, "a whole number from 0 to 2147483647"},
    [CLI_INT64] = {set_int64, "a whole number, 0 or more"},
    [CLI_DEVICE] = {set_device, "cpu, auto or cuda:N"},
    [CLI_DTYPE] = {set_dtype, "float32, bfloat16 or int8"},
    [CLI_UINT64] = {set_uint64, "a whole number, 0 or more"},
    [CLI_DOUBLE] = {set_double, "a number, 0 or more"},
    [CLI_LOGIT] = {set_logit, "a number"},
    [CLI_SIZE] = {set_size, "a whole number from 1 to 2147483647"},
    [CLI_COUNT] = {set_count, "a whole number, 1 or more"},
    [CLI_MINUTES] = {set_minutes, "a number above 0, at most 10000000"},
    [CLI_STRING] = {set_string, "text"},
    [CLI_OUTPUT] = {set_string, "the name of a file or folder"},
    [CLI_STREAM] = {set_string, "the name of a file, or -"},
    [CLI_STATE] = {set_string, "the name of a file"},
    [CLI_STEPS] = {set_steps, "a whole number from 0 to 1024"},
    [CLI_NUMBERS] = {set_string, "a list, e.g. 1,64"},
    [CLI_NAMES] = {set_string, "a list separated by commas"},
    [CLI_WORDS] = {set_word, "1 to 64 names, with a space or a comma between two"},
};

/* "batch" of "b,batch". */
static const char *long_name(const cli_option *o) {
  return o->name[0] && o->name[1] == ',' ? o->name + 2 : o->name;
}

const char *cli_option_name(const cli_option *o) {
  return long_name(o);
}

void cli_print_help(const cli_manual *manual, const cli_option *options, FILE *f) {
  fprintf(f, "Usage: %s\n\n%s\nOptions:\n", manual->usage, manual->about);
  for (const cli_option *o = options; o->name; o++) {
    char left[64];
    char letter[] = {'-', o->name[0], ',', ' ', 0};
    const char *name = long_name(o), *short_name = name > o->name ? letter : "";
    snprintf(left, sizeof left, "%s--%s%s%s", short_name, name, o->value ? " " : "",
             o->value ? o->value : "");
    fprintf(f, "  %-22s %s\n", left, o->help);
  }
  fprintf(f, "  %-22s %s\n", "-h, --help", "this text");
  if (manual->notes) fprintf(f, "\n%s", manual->notes);
}

const cli_tellers *cli_teller;

static void show_help(const cli_manual *manual, const cli_option *options) {
  if (cli_teller)
    cli_teller->manual(manual, options);
  else
    cli_print_help(manual, options, stdout);
}

static bool usage_failure(const cli_manual *manual, int *code) {
  fprintf(stderr, "usage: %s\n", manual->usage);
  *code = CLI_USAGE;
  return false;
}

/* The option of an argument "--name", "--name=value", "-n" or "-n=value"; NULL: none. */
static const cli_option *find_option(const cli_option *options, const char *arg) {
  size_t n = strcspn(arg, "=");
  for (const cli_option *o = options; o->name; o++) {
    const char *name = long_name(o);
    if (n == strlen(name) + 2 && !strncmp(arg, "--", 2) && !strncmp(arg + 2, name, n - 2)) return o;
    if (n == 2 && name > o->name && arg[0] == '-' && arg[1] == o->name[0]) return o;
  }
  return NULL;
}

/* The words of a command line while it is read. */
typedef struct reading {
  const cli_manual *manual;
  const cli_option *options;
  cli_setting_fn *setting; /* NULL: the command takes none */
  int *code;
} reading;

/* True when the word before `at` is an option, whose value stands there. */
static bool is_behind_option(const char *usage, const char *at) {
  while (at > usage && at[-1] == ' ') at--;
  while (at > usage && at[-1] != ' ') at--;
  return at[strspn(at, "[")] == '-';
}

/* True when the usage has the word in capitals: it stands without an option. */
static bool is_argument(const cli_manual *manual, const char *name) {
  static const char ends[] = " |[]\n";
  char word[64];
  const size_t n = strlen(name);
  for (size_t i = 0; i <= n; i++) word[i] = (char)toupper((unsigned char)name[i]);
  for (const char *at = manual->usage; n && (at = strstr(at, word)); at += n)
    if (at > manual->usage && strchr(ends, at[-1]) && strchr(ends, at[n]) &&
        !is_behind_option(manual->usage, at))
      return true;
  return false;
}

/* "dir" and "output" of "output-dir". */
static bool is_part_of(const char *word, const char *name) {
  const size_t n = strlen(word), m = strlen(name);
  if (n < 2 || n >= m) return false;
  return (!strncmp(name, word, n) && name[n] == '-') ||
         (!strcmp(name + m - n, word) && name[m - n - 1] == '-');
}

/* The option that may have been meant; NULL: none. */
static const char *nearest_option(const cli_option *options, const char *name) {
  trm__nearest near = {.word = name};
  trm__nearest_offer(&near, "help");
  for (const cli_option *o = options; o->name; o++) trm__nearest_offer(&near, long_name(o));
  for (const cli_option *o = options; o->name && !near.best; o++)
    if (is_part_of(name, long_name(o))) near.best = long_name(o);
  return near.best;
}

/* `next`: the argument behind it, or NULL. */
static bool unknown_option(const reading *r, const char *arg, const char *next) {
  char name[64], setting[160];
  snprintf(name, sizeof name, "%.*s", (int)strcspn(arg, "="), arg);
  const char *bare = name + strspn(name, "-"), *value = strchr(arg, '=');
  if (value) value++;
  if (!value && next && next[0] != '-') value = next;

  /* The most likely slip first: a setting, an argument, a misspelt name. */
  const char *near = nearest_option(r->options, bare);
  if (r->setting && strlen(bare) > 1 && r->setting(bare, value, setting, sizeof setting))
    cli_usage_error("unknown option %s; it is a setting, written without dashes: %s", name,
                    setting);
  else if (is_argument(r->manual, bare))
    cli_usage_error("unknown option %s; this argument is written without one", name);
  else if (near)
    cli_usage_error("unknown option %s; did you mean --%s?", name, near);
  else
    cli_usage_error("unknown option %s; --help lists the options", name);
  return usage_failure(r->manual, r->code);
}

/* "limit=10" for --limit 10: an argument, if no setting and no file is called so. */
static bool is_misspelt(const reading *r, const char *arg) {
  char name[64], setting[160];
  const size_t n = strcspn(arg, "=");
  if (!arg[n] || n + 3 > sizeof name || trm__path_exists(arg)) return false;
  snprintf(name, sizeof name, "--%.*s", (int)n, arg);
  for (char *c = name; *c; c++)
    if (*c == '_') *c = '-';
  const cli_option *o = find_option(r->options, name);
  if (!o) return false;
  if (r->setting && r->setting(name + 2, "", setting, sizeof setting) &&
      !strncmp(setting, arg, n + 1))
    return false;
  cli_usage_error("'%s' is written as an option: --%s%s%s", arg, long_name(o), o->value ? " " : "",
                  o->value ? arg + n + 1 : "");
  return true;
}

/* Another word of an option that takes several. */
static bool more_words(const cli_option *o, char **argv, int argc, int *i, const char **value) {
  if (o->kind != CLI_WORDS || *i + 1 == argc || argv[*i + 1][0] == '-') return false;
  *value = argv[++*i];
  return true;
}

/* The option at argv[*i], which is at its last word then; false after a usage error. */
static bool read_option(const cli_option *o, int argc, char **argv, int *i) {
  const char *value = strchr(argv[*i], '=');
  if (o->kind == CLI_FLAG) {
    *(bool *)o->target = !value;
    if (value) cli_usage_error("--%s takes no value", long_name(o));
    return !value;
  }

  /* Its value stands behind '=' or is the next word. */
  if (value) {
    value++;
  } else if (*i + 1 < argc) {
    value = argv[++*i];
  } else {
    cli_usage_error("--%s needs a value: %s", long_name(o), kinds[o->kind].expected);
    return false;
  }

  /* Words are set one by one; of what is written there is one. */
  do {
    if (kinds[o->kind].set(o->target, value)) continue;
    cli_usage_error("--%s: want %s, got '%s'", long_name(o), kinds[o->kind].expected, value);
    return false;
  } while (more_words(o, argv, argc, i, &value));
  return !is_written(o) || check_output(o, long_name(o), value);
}

bool cli_options_parse(const cli_manual *manual, const cli_option *options, int *argc, char **argv,
                       int *code) {
  return cli_options_parse_settings(manual, options, NULL, argc, argv, code);
}

bool cli_options_parse_settings(const cli_manual *manual, const cli_option *options,
                                cli_setting_fn *setting, int *argc, char **argv, int *code) {
  const reading r = {manual, options, setting, code};
  int n = 0, i = 0;
  for (; i < *argc; i++) {
    char *arg = argv[i];

    /* Arguments move to the front, where the command looks for them. "-" is one: stdin. */
    if (arg[0] != '-' || !arg[1]) {
      if (is_misspelt(&r, arg)) return usage_failure(manual, code);
      argv[n++] = arg;
      continue;
    }

    /* "--" ends the options, and a wish for help ends everything. */
    if (!strcmp(arg, "--")) break;
    if (!strcmp(arg, "-h") || !strcmp(arg, "--help")) {
      show_help(manual, options);
      *code = cli_finish(CLI_OK);
      return false;
    }

    /* An option of the table, with its value. */
    const cli_option *o = find_option(options, arg);
    if (!o) return unknown_option(&r, arg, i + 1 < *argc ? argv[i + 1] : NULL);
    if (!read_option(o, *argc, argv, &i)) return usage_failure(manual, code);
  }

  /* Behind "--" are arguments only, whatever they begin with. */
  for (i++; i < *argc; i++) argv[n++] = argv[i];
  *argc = n;
  name_outputs(options);
  return true;
}

/* ---- the line itself ---- */

static void quote(FILE *f, const char *word) {
  static const char plain[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-+=,:@%";
  if (*word && !word[strspn(word, plain)]) {
    fputs(word, f);
    return;
  }
  fputc('\'', f);
  for (; *word; word++) {
    if (*word == '\'')
      fputs("'\\''", f);
    else
      fputc(*word, f);
  }
  fputc('\'', f);
}

char *cli_command_line(const char *command, int argc, char *const *argv) {
  char *text = NULL;
  size_t size = 0;
  FILE *f = open_memstream(&text, &size);
  if (f) fprintf(f, "trm %s", command);
  for (int i = 0; f && i < argc; i++) {
    fputc(' ', f);
    quote(f, argv[i]);
  }
  if (cli_memory_close(f, &text)) return text;
  free(text);
  return NULL;
}
