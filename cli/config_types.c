/* The kinds of configuration values: how each is read from an entry and printed as YAML. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config.h"

static bool is_null(const config_value *v) {
  return !v->is_list && !v->quoted &&
         (!v->text[0] || !strcasecmp(v->text, "null") || !strcmp(v->text, "~"));
}

/* A plain scalar's text, or NULL. */
static const char *plain(const config_value *v) {
  return v->is_list || v->quoted || !v->text[0] ? NULL : v->text;
}

/* As Hydra, take 5e4 for a whole number too. */
static bool whole_number(const config_key *k, const char *text, int64_t *out) {
  double d;
  if (!text) return false;
  if (!cli_parse_int64(text, out)) {
    if (!cli_parse_double(text, &d) || d != floor(d) || fabs(d) > 9e15) return false;
    *out = (int64_t)d;
  }
  return (double)*out >= k->min && (double)*out <= k->max;
}

static trm_status set_bool(const config_key *k, void *field, const config_value *v) {
  static const struct {
    const char *word;
    bool value;
  } words[] = {{"true", true},   {"yes", true}, {"on", true},
               {"false", false}, {"no", false}, {"off", false}};
  (void)k;
  const char *text = plain(v);
  for (size_t i = 0; text && i < sizeof words / sizeof *words; i++)
    if (!strcasecmp(text, words[i].word)) {
      *(bool *)field = words[i].value;
      return TRM_OK;
    }
  return TRM_E_CONFIG;
}

static void print_bool(const config_key *k, const void *field, FILE *f) {
  (void)k;
  fputs(*(const bool *)field ? "true" : "false", f);
}

static trm_status set_int(const config_key *k, void *field, const config_value *v) {
  int64_t n;
  if (!whole_number(k, plain(v), &n)) return TRM_E_CONFIG;
  *(int *)field = (int)n;
  return TRM_OK;
}

static void print_int(const config_key *k, const void *field, FILE *f) {
  (void)k;
  fprintf(f, "%d", *(const int *)field);
}

static trm_status set_width(const config_key *k, void *field, const config_value *v) {
  if (!v->is_list && !strcmp(v->text, "${.hidden_size}")) {
    *(int *)field = CONFIG_AS_HIDDEN_SIZE;
    return TRM_OK;
  }
  return set_int(k, field, v);
}

static void print_width(const config_key *k, const void *field, FILE *f) {
  if (*(const int *)field == CONFIG_AS_HIDDEN_SIZE)
    fputs("${.hidden_size}", f);
  else
    print_int(k, field, f);
}

static trm_status set_int64(const config_key *k, void *field, const config_value *v) {
  return whole_number(k, plain(v), field) ? TRM_OK : TRM_E_CONFIG;
}

static void print_int64(const config_key *k, const void *field, FILE *f) {
  (void)k;
  fprintf(f, "%lld", (long long)*(const int64_t *)field);
}

static trm_status set_limit(const config_key *k, void *field, const config_value *v) {
  if (!is_null(v)) return set_int64(k, field, v);
  *(int64_t *)field = 0;
  return TRM_OK;
}

static void print_limit(const config_key *k, const void *field, FILE *f) {
  if (*(const int64_t *)field)
    print_int64(k, field, f);
  else
    fputs("null", f);
}

static trm_status set_seed(const config_key *k, void *field, const config_value *v) {
  (void)k;
  const char *text = plain(v);
  return text && cli_parse_uint64(text, field) ? TRM_OK : TRM_E_CONFIG;
}

static void print_seed(const config_key *k, const void *field, FILE *f) {
  (void)k;
  fprintf(f, "%llu", (unsigned long long)*(const uint64_t *)field);
}

static trm_status set_double(const config_key *k, void *field, const config_value *v) {
  double d;
  const char *text = plain(v);
  if (!text || !cli_parse_double(text, &d) || d < k->min || d > k->max) return TRM_E_CONFIG;
  *(double *)field = d;
  return TRM_OK;
}

/* The shortest decimals that read back to the same double, with a point or exponent. */
static void print_double(const config_key *k, const void *field, FILE *f) {
  char text[40];
  double d = *(const double *)field;
  (void)k;
  for (int digits = 1; digits <= 17; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, d);
    if (strtod(text, NULL) == d) break;
  }
  /* YAML takes 1e-05 for a text, 1.0e-05 for a number. */
  const char *e = strchr(text, 'e');
  const int mantissa = (int)(e ? e - text : (ptrdiff_t)strlen(text));
  fprintf(f, "%.*s%s%s", mantissa, text, memchr(text, '.', (size_t)mantissa) ? "" : ".0",
          text + mantissa);
}

static trm_status set_device(const config_key *k, void *field, const config_value *v) {
  const char *text = plain(v);
  (void)k;
  return text && trm_device_from_name(text, field) ? TRM_OK : TRM_E_CONFIG;
}

static void print_device(const config_key *k, const void *field, FILE *f) {
  char name[32];
  (void)k;
  trm_device_name(*(const trm_device *)field, name, sizeof name);
  fputs(name, f);
}

static trm_status set_bytes(const config_key *k, void *field, const config_value *v) {
  static const struct {
    const char *unit;
    double bytes;
  } units[] = {{"", 1},         {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30},
               {"TiB", 0x1p40}, {"kB", 1e3},     {"MB", 1e6},     {"GB", 1e9},
               {"TB", 1e12},    {"K", 0x1p10},   {"M", 0x1p20},   {"G", 0x1p30}};
  const char *text = plain(v);
  char number[32];
  size_t n = text ? strspn(text, "0123456789.eE+") : 0;
  double d;
  if (!n || n >= sizeof number) return TRM_E_CONFIG;
  memcpy(number, text, n);
  number[n] = 0;
  if (!cli_parse_double(number, &d)) return TRM_E_CONFIG;
  const char *unit = text + n + strspn(text + n, " ");
  for (size_t i = 0; i < sizeof units / sizeof *units; i++)
    if (!strcmp(unit, units[i].unit)) {
      d = floor(d * units[i].bytes);
      if (d < k->min || d > k->max) return TRM_E_CONFIG;
      *(int64_t *)field = (int64_t)d;
      return TRM_OK;
    }
  return TRM_E_CONFIG;
}

static trm_status set_text(const config_key *k, void *field, const config_value *v) {
  (void)k;
  char *copy = NULL, **text = field;
  if (v->is_list || (!is_null(v) && !v->text[0])) return TRM_E_CONFIG;
  if (!is_null(v) && !(copy = strdup(v->text))) return TRM_E_MEMORY;
  free(*text);
  *text = copy;
  return TRM_OK;
}

size_t config_utf8(const char *s, uint32_t *code) {
  static const struct {
    unsigned char mask, mark; /* of the first byte */
    uint32_t least;           /* a smaller code has a shorter form */
  } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
  const unsigned char *c = (const unsigned char *)s;
  size_t n = 0;
  while (n < 4 && (c[0] & forms[n].mask) != forms[n].mark) n++;
  if (n == 4) return 0;
  *code = c[0] & (unsigned char)~forms[n].mask;
  for (size_t i = 1; i <= n; i++) {
    if ((c[i] & 0xc0) != 0x80) return 0;
    *code = *code << 6 | (c[i] & 0x3f);
  }
  bool surrogate = *code >= 0xd800 && *code <= 0xdfff;
  return *code < forms[n].least || *code > 0x10ffff || surrogate ? 0 : n + 1;
}

/* What YAML does not let stand in double quotes, or takes for the end of a line or file. */
static bool must_escape(uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029 ||
         code == 0xfeff || code == 0xfffe || code == 0xffff;
}

/* In double quotes unless the text can be taken for nothing but itself. */
static void print_quoted(const char *s, FILE *f) {
  static const char *const words[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
  bool simple = *s &&
                strspn(s,
                       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                       "0123456789_./@-") == strlen(s) &&
                strspn(s, "0123456789.-@") == 0;
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (!strcasecmp(s, words[i])) simple = false;
  if (simple) {
    fputs(s, f);
    return;
  }
  fputc('"', f);
  uint32_t code;
  for (size_t n; *s && (n = config_utf8(s, &code)) > 0; s += n) {
    if (must_escape(code))
      fprintf(f, "\\u%04x", (unsigned)code);
    else
      fprintf(f, "%s%.*s", *s == '"' || *s == '\\' ? "\\" : "", (int)n, s);
  }
  fputc('"', f);
}

static void print_text(const config_key *k, const void *field, FILE *f) {
  const char *text = *(char *const *)field;
  (void)k;
  if (text)
    print_quoted(text, f);
  else
    fputs("null", f);
}

static trm_status set_texts(const config_key *k, void *field, const config_value *v) {
  (void)k;
  config_list copy = {0};
  if (!v->is_list && !is_null(v)) return TRM_E_CONFIG;
  for (int i = 0; v->is_list && i < v->list.n; i++)
    if (config_list_add(&copy, v->list.v[i], strlen(v->list.v[i]), NULL) != TRM_OK) {
      config_list_free(&copy);
      return TRM_E_MEMORY;
    }
  config_list_free(field);
  *(config_list *)field = copy;
  return TRM_OK;
}

static void print_texts(const config_key *k, const void *field, FILE *f) {
  const config_list *l = field;
  (void)k;
  fputc('[', f);
  for (int i = 0; i < l->n; i++) {
    if (i) fputs(", ", f);
    print_quoted(l->v[i], f);
  }
  fputc(']', f);
}

/* Enumerations are stored as int; the library's are of the same size. */
_Static_assert(sizeof(trm_arch) == sizeof(int), "enumerations are read and written as int");

static trm_status set_choice(const config_key *k, void *field, const config_value *v) {
  if (v->is_list) return TRM_E_CONFIG;
  int found = -1;
  for (int i = 0; k->choice(i); i++)
    if (!strcmp(v->text, k->choice(i))) found = i;
  if (found < 0 && !(k->choice_alias && k->choice_alias(v->text, &found))) return TRM_E_CONFIG;
  memcpy(field, &found, sizeof found);
  return TRM_OK;
}

static void print_choice(const config_key *k, const void *field, FILE *f) {
  int i;
  memcpy(&i, field, sizeof i);
  print_quoted(k->choice(i), f);
}

const config_type config_bool = {"bool", "True or False", set_bool, print_bool};
const config_type config_int = {"int", "a whole number", set_int, print_int};
const config_type config_int64 = {"int", "a whole number", set_int64, print_int64};
const config_type config_limit = {"int|null", "null or a whole number", set_limit, print_limit};
const config_type config_seed = {"int", "a whole number, 0 or more", set_seed, print_seed};
const config_type config_double = {"float", "a number", set_double, print_double};
const config_type config_device = {"device", "cpu, auto or cuda:N", set_device, print_device};
const config_type config_bytes = {"bytes", "bytes such as 1500MiB or 2GiB", set_bytes, print_int64};
const config_type config_text = {"text|null", "null or text", set_text, print_text};
const config_type config_texts = {"list", "a list such as \"[a,b]\"", set_texts, print_texts};
const config_type config_choice = {"choice", "one of", set_choice, print_choice};
const config_type config_width = {"int", "${.hidden_size} or a whole number", set_width,
                                  print_width};
