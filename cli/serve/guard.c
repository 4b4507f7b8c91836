/* See guard.h. */
#include "cli/serve/guard.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"

/* ---- keys ---- */

static bool is_key(const char *text, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (text[i] <= ' ' || text[i] > '~') return false;
  return n >= GUARD_KEY_MIN && n < GUARD_KEY_MAX;
}

/* Adds the keys of the lines of a file. */
static trm_status read_keys(guard *g, const char *text, size_t n, const char *path,
                            trm_error *err) {
  int64_t line = 1;
  for (size_t at = 0; at < n; line++) {
    /* One line, without the spaces around it. */
    size_t end = at;
    while (end < n && text[end] != '\n') end++;
    size_t first = at, last = end;
    while (first < last && strchr(" \t", text[first])) first++;
    while (last > first && strchr(" \t\r", text[last - 1])) last--;
    at = end + 1;
    if (first == last || text[first] == '#') continue;

    if (!is_key(text + first, last - first))
      return cli_fail(err, TRM_E_FORMAT, line,
                      "%.200s:%lld: want a key of %d to %d characters of ASCII without spaces, "
                      "such as `openssl rand -hex 32` makes",
                      path, (long long)line, GUARD_KEY_MIN, GUARD_KEY_MAX - 1);
    if (g->n_keys == GUARD_KEYS)
      return cli_fail(err, TRM_E_CONFIG, line, "%.200s: has more than %d keys", path, GUARD_KEYS);
    memcpy(g->keys[g->n_keys++], text + first, last - first);
  }
  if (g->n_keys == 0)
    return cli_fail(err, TRM_E_CONFIG, -1, "%.200s: has no key; want one a line", path);
  return TRM_OK;
}

trm_status guard_load_keys(guard *g, const char *path, trm_error *err) {
  trm__map file;
  g->keys = calloc(GUARD_KEYS, sizeof *g->keys);
  if (!g->keys) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for keys");
  CLI_TRY(trm__map_open(path, &file, err));
  const trm_status st = read_keys(g, (const char *)file.data, file.size, path, err);
  trm__map_close(&file);
  return st;
}

bool guard_has_key(const guard *g, const char *authorization) {
  static const char scheme[] = "Bearer ";
  const size_t skip = sizeof scheme - 1;
  char given[GUARD_KEY_MAX] = {0};
  bool found = g->n_keys == 0;

  /* What was given, filled up with zeros as the keys are; what is no key is equal to none. */
  if (authorization && trm__text_alike(authorization, scheme, skip)) {
    const char *key = authorization + skip;
    while (*key == ' ') key++;
    const size_t n = strlen(key);
    if (is_key(key, n)) memcpy(given, key, n);
  }

  /* Every byte of every key is looked at. */
  for (int k = 0; k < g->n_keys; k++) {
    volatile unsigned char differs = 0;
    for (int i = 0; i < GUARD_KEY_MAX; i++)
      differs = (unsigned char)(differs | (g->keys[k][i] ^ given[i]));
    found |= differs == 0;
  }
  return found;
}

/* ---- names ---- */

trm_status guard_add_names(guard *g, const char *names, trm_error *err) {
  for (const char *at = names; *at;) {
    const size_t n = strcspn(at, ",");
    if (n == 0 || n >= sizeof g->names[0] || strcspn(at, ":/@ ") < n || g->n_names == GUARD_NAMES)
      return cli_fail(err, TRM_E_ARGUMENT, -1,
                      "--server-names: want up to %d names separated by commas, without ports, got "
                      "'%.100s'",
                      GUARD_NAMES, names);
    memcpy(g->names[g->n_names], at, n);
    g->names[g->n_names++][n] = 0;
    at += n + (at[n] == ',');
  }
  return TRM_OK;
}

void guard_free(guard *g) {
  free(g->keys);
  *g = (guard){0};
}

/* "name" of "name:port", "::1" of "[::1]:port"; false for what is neither. */
static bool split_host(const char *host, char name[256], bool *bracketed) {
  const char *end;
  *bracketed = *host == '[';
  host += *bracketed;
  end = host + strcspn(host, *bracketed ? "]" : ":");
  const size_t n = (size_t)(end - host);
  if (n == 0 || n >= 256) return false;
  memcpy(name, host, n);
  name[n] = 0;
  if (*bracketed && *end++ != ']') return false;

  /* What is left is a port, or nothing. */
  if (!*end) return true;
  return *end == ':' && strlen(end) <= 6 && strspn(end + 1, "0123456789") == strlen(end + 1);
}

bool guard_knows_host(const guard *g, const char *host) {
  char name[256];
  bool bracketed;
  struct in6_addr address;
  if (!split_host(host, name, &bracketed)) return false;
  if (inet_pton(bracketed ? AF_INET6 : AF_INET, name, &address) == 1) return true;
  if (bracketed) return false;
  const size_t n = strlen(name) + 1;
  bool known = trm__text_alike(name, "localhost", n);
  for (int i = 0; i < g->n_names; i++) known |= trm__text_alike(name, g->names[i], n);
  return known;
}

bool guard_is_same_origin(const char *origin, const char *host) {
  static const char *const schemes[] = {"http://", "https://"};
  if (!origin) return true;
  for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
    const size_t n = strlen(schemes[i]);
    if (trm__text_alike(origin, schemes[i], n))
      return trm__text_alike(origin + n, host, strlen(host) + 1);
  }
  return false; /* "null", of a page without a place */
}
