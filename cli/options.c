/* Command-line options from a table; see cli.h for the rules. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

bool cli_parse_int64(const char *text, int64_t *out) {
  char *end;
  errno = 0;
  long long v = strtoll(text, &end, 10);
  if (end == text || *end || errno || isspace((unsigned char)*text)) return false;
  *out = v;
  return true;
}

bool cli_parse_uint64(const char *text, uint64_t *out) {
  char *end;
  errno = 0;
  if (*text < '0' || *text > '9') return false;
  unsigned long long v = strtoull(text, &end, 10);
  if (*end || errno) return false;
  *out = v;
  return true;
}

/* Decimal only: strtod would take "inf", "nan" and hexadecimal as well. */
bool cli_parse_double(const char *text, double *out) {
  if (!*text || strspn(text, "+-.0123456789eE") != strlen(text)) return false;
  char *end;
  double v = strtod(text, &end);
  if (end == text || *end || !isfinite(v)) return false;
  *out = v;
  return true;
}

bool cli_parse_halt(const char *text, trm_halt *halt, double *margin) {
  *halt = strcmp(text, "never") ? TRM_HALT_Q : TRM_HALT_NEVER;
  *margin = 0;
  if (!strcmp(text, "never") || !strcmp(text, "q")) return true;
  if (!strncmp(text, "q=", 2) && cli_parse_double(text + 2, margin)) return true;
  cli_usage_error("--halt: want never, q or q=LOGIT with a number, got '%s'", text);
  return false;
}

static bool set_int(void *target, const char *text) {
  int64_t v;
  if (!cli_parse_int64(text, &v) || v < 0 || v > INT32_MAX) return false;
  *(int *)target = (int)v;
  return true;
}

static bool set_int64(void *target, const char *text) {
  int64_t v;
  if (!cli_parse_int64(text, &v) || v < 0) return false;
  *(int64_t *)target = v;
  return true;
}

static bool set_uint64(void *target, const char *text) {
  return cli_parse_uint64(text, target);
}

static bool set_double(void *target, const char *text) {
  double v;
  if (!cli_parse_double(text, &v) || v < 0) return false;
  *(double *)target = v;
  return true;
}

static bool set_string(void *target, const char *text) {
  *(const char **)target = text;
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
    [CLI_DTYPE] = {set_dtype, "float32 or bfloat16"},
    [CLI_UINT64] = {set_uint64, "a whole number, 0 or more"},
    [CLI_DOUBLE] = {set_double, "a number, 0 or more"},
    [CLI_STRING] = {set_string, "text"},
    [CLI_NUMBERS] = {set_string, "a list, e.g. 1,64"},
    [CLI_NAMES] = {set_string, "a list separated by commas"},
};

/* "batch" of "b,batch". */
static const char *long_name(const cli_option *o) {
  return o->name[0] && o->name[1] == ',' ? o->name + 2 : o->name;
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

static bool unknown_option(const cli_manual *manual, const cli_option *options, const char *arg,
                           int *code) {
  char name[64];
  snprintf(name, sizeof name, "%.*s", (int)strcspn(arg, "="), arg);
  cli_nearest near = {.word = name + strspn(name, "-")};
  cli_nearest_offer(&near, "help");
  for (const cli_option *o = options; o->name; o++) cli_nearest_offer(&near, long_name(o));
  if (near.best)
    cli_usage_error("unknown option %s; did you mean --%s?", name, near.best);
  else
    cli_usage_error("unknown option %s; --help lists the options", name);
  return usage_failure(manual, code);
}

bool cli_options_parse(const cli_manual *manual, const cli_option *options, int *argc, char **argv,
                       int *code) {
  int n = 0, i = 0;
  for (; i < *argc; i++) {
    char *arg = argv[i];
    if (arg[0] != '-' || !arg[1]) {
      argv[n++] = arg;
      continue;
    }
    if (!strcmp(arg, "--")) break;
    if (!strcmp(arg, "-h") || !strcmp(arg, "--help")) {
      cli_print_help(manual, options, stdout);
      *code = cli_finish(CLI_OK);
      return false;
    }
    const cli_option *o = find_option(options, arg);
    if (!o) return unknown_option(manual, options, arg, code);
    const char *value = strchr(arg, '=');
    if (o->kind == CLI_FLAG) {
      if (value) {
        cli_usage_error("--%s takes no value", long_name(o));
        return usage_failure(manual, code);
      }
      *(bool *)o->target = true;
      continue;
    }
    if (value) {
      value++;
    } else if (i + 1 < *argc) {
      value = argv[++i];
    } else {
      cli_usage_error("--%s needs a value: %s", long_name(o), kinds[o->kind].expected);
      return usage_failure(manual, code);
    }
    if (!kinds[o->kind].set(o->target, value)) {
      cli_usage_error("--%s: want %s, got '%s'", long_name(o), kinds[o->kind].expected, value);
      return usage_failure(manual, code);
    }
  }
  for (i++; i < *argc; i++) argv[n++] = argv[i];
  *argc = n;
  return true;
}
