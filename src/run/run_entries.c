/* Entries: what a configuration source said, before the table of keys gives it meaning. Here also
 * the small part of Hydra's notation that lists, quotes and prefixes need. */
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "run/run_config.h"

/* Room for one entry more. */
static bool grow(trm__entries *e) {
  if (e->n < e->room) return true;
  trm__entry *grown = trm__alloc((uint64_t)(2 * e->room + 32), sizeof *grown);
  if (!grown) return false;
  if (e->n) memcpy(grown, e->v, (size_t)e->n * sizeof *grown);
  trm__free(e->v);
  e->v = grown;
  e->room = 2 * e->room + 32;
  return true;
}

trm_status trm__entries_add(trm__entries *e, const char *key, trm__value *value, int line,
                            int column, trm_error *err) {
  char *name = grow(e) ? trm__text_copy(key, SIZE_MAX) : NULL;
  if (!name) {
    trm__value_free(value);
    TRM_FAIL(err, TRM_E_MEMORY, "no memory for the configuration");
  }
  e->v[e->n++] = (trm__entry){.key = name, .value = *value, .line = line, .column = column};
  *value = (trm__value){0};
  return TRM_OK;
}

void trm__entries_free(trm__entries *e) {
  for (int i = 0; i < e->n; i++) {
    trm__free(e->v[i].key);
    trm__value_free(&e->v[i].value);
  }
  trm__free(e->v);
  *e = (trm__entries){0};
}

bool trm__entries_have(const trm__entries *e, const char *key) {
  for (int i = 0; i < e->n; i++)
    if (!strcmp(e->v[i].key, key)) return true;
  return false;
}

static const char *skip_spaces(const char *s) {
  return s + strspn(s, " \t");
}

/* One scalar of a list or a whole value: quoted text, or plain text up to one of `stops`. Gives
 * where it begins, its length and whether it was quoted; returns what follows, NULL when a closing
 * quote is missing. */
static const char *scan_scalar(const char *s, const char *stops, const char **begin, size_t *n,
                               bool *quoted) {
  s = skip_spaces(s);
  *quoted = *s == '\'' || *s == '"';
  if (*quoted) {
    const char *end = strchr(s + 1, *s);
    if (!end) return NULL;
    *begin = s + 1;
    *n = (size_t)(end - s - 1);
    return skip_spaces(end + 1);
  }
  *begin = s;
  *n = strcspn(s, stops);
  const char *next = s + *n;
  while (*n && strchr(" \t", s[*n - 1])) --*n;
  return next;
}

/* "[a,b]" after the opening bracket; NULL text on a syntax error. */
static trm_status parse_list(const char *s, trm__value *v, bool *good, trm_error *err) {
  const char *begin;
  size_t n;
  bool quoted;
  *good = false;
  v->is_list = true;

  /* Texts with a comma between two, and one more may stand behind the last. */
  s = skip_spaces(s);
  while (*s && *s != ']') {
    s = scan_scalar(s, ",[]{}", &begin, &n, &quoted);
    if (!s || (!n && !quoted)) return TRM_OK;
    TRM_TRY(trm__texts_add(&v->list, begin, n, err));
    if (*s == ',')
      s = skip_spaces(s + 1);
    else if (*s != ']')
      return TRM_OK;
  }
  *good = *s == ']' && !*skip_spaces(s + 1);
  return TRM_OK;
}

static bool is_utf8(const char *text) {
  size_t n = 1;
  while (*text && n) text += n = trm__text_character(text, strlen(text));
  return n > 0;
}

trm_status trm__entries_add_setting(trm__entries *e, const char *text, trm_error *err) {
  const char *key = text + strspn(text, "+"), *equals = strchr(key, '='), *begin;
  trm__value value = {0};
  bool good = true;
  char name[128];
  size_t n;

  /* The key ... */
  if (!equals || equals == key || key - text > 2 || (size_t)(equals - key) >= sizeof name)
    return trm__fail(err, TRM_E_CONFIG, -1, "'%s': want key=value, e.g. lr=1e-4", text);
  if (!is_utf8(text))
    return trm__fail(
        err, TRM_E_CONFIG, -1,
        "'%s': want UTF-8: the configuration is kept as YAML, which has no other bytes", text);
  memcpy(name, key, (size_t)(equals - key));
  name[equals - key] = 0;

  /* ... and its value, a list or a scalar. */
  const char *s = skip_spaces(equals + 1);
  trm_status st = TRM_OK;
  if (*s == '[') {
    st = parse_list(s + 1, &value, &good, err);
  } else {
    const char *rest = scan_scalar(s, "", &begin, &n, &value.quoted);
    good = rest && !*rest;
    if (good && !(value.text = trm__text_copy(begin, n)))
      st = trm__fail(err, TRM_E_MEMORY, -1, "no memory for the configuration");
  }
  if (st == TRM_OK && !good)
    st = trm__fail(err, TRM_E_CONFIG, -1,
                   "'%s': a quote or bracket does not match; lists are written \"[a,b]\"", text);
  if (st != TRM_OK) {
    trm__value_free(&value);
    return st;
  }
  return trm__entries_add(e, name, &value, 0, 0, err);
}
