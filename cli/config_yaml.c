/* YAML into entries. The file is untrusted: it is read up to a size limit and walked event by
 * event, so nesting, aliases and repeated keys can be refused before they cost anything. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "config.h"

enum { YAML_MAX_BYTES = 1 << 20, YAML_MAX_DEPTH = 4, YAML_MAX_KEY = 128, YAML_MAX_KEYS = 500 };

typedef struct reader {
  yaml_parser_t parser;
  yaml_event_t event; /* the current one; owned */
  const char *path;
  config_entries *out;
  trm_error *err;
} reader;

static trm_status fail_at(reader *r, const char *what, const char *detail) {
  yaml_mark_t mark = r->event.start_mark;
  return cli_fail(r->err, TRM_E_CONFIG, (int64_t)mark.line + 1, "%s:%zu:%zu: %s%s", r->path,
                  mark.line + 1, mark.column + 1, what, detail);
}

static trm_status next_event(reader *r) {
  yaml_event_delete(&r->event);
  memset(&r->event, 0, sizeof r->event);
  if (!yaml_parser_parse(&r->parser, &r->event)) {
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_MEMORY_ERROR)
      return cli_fail(r->err, TRM_E_MEMORY, -1, "%s: no memory to read it", r->path);
    yaml_mark_t mark = p->problem_mark;
    if (p->error == YAML_READER_ERROR)
      return cli_fail(r->err, TRM_E_CONFIG, -1, "%s: byte %zu: not YAML: %s", r->path,
                      p->problem_offset, p->problem ? p->problem : "unreadable");
    return cli_fail(r->err, TRM_E_CONFIG, (int64_t)mark.line + 1, "%s:%zu:%zu: not YAML: %s",
                    r->path, mark.line + 1, mark.column + 1, p->problem ? p->problem : "malformed");
  }
  bool anchored =
      r->event.type == YAML_ALIAS_EVENT ||
      (r->event.type == YAML_SCALAR_EVENT && r->event.data.scalar.anchor) ||
      (r->event.type == YAML_MAPPING_START_EVENT && r->event.data.mapping_start.anchor) ||
      (r->event.type == YAML_SEQUENCE_START_EVENT && r->event.data.sequence_start.anchor);
  if (anchored) return fail_at(r, "anchors and aliases are not accepted; write the value out", "");
  return TRM_OK;
}

static const char *scalar_text(const reader *r) {
  return (const char *)r->event.data.scalar.value;
}

/* The current event is a scalar: its text must not hide a zero byte. */
static trm_status check_scalar(reader *r) {
  if (strlen(scalar_text(r)) != r->event.data.scalar.length)
    return fail_at(r, "a zero byte in a value", "");
  return TRM_OK;
}

static trm_status add_entry(reader *r, const char *key, config_value *value, yaml_mark_t mark) {
  if (r->out->n >= YAML_MAX_KEYS) {
    config_value_free(value);
    return fail_at(r, "too many keys; not a run configuration", "");
  }
  for (int i = 0; i < r->out->n; i++)
    if (!strcmp(r->out->v[i].key, key)) {
      config_value_free(value);
      return cli_fail(r->err, TRM_E_CONFIG, (int64_t)mark.line + 1,
                      "%s:%zu:%zu: '%s' is set a second time (first in line %d)", r->path,
                      mark.line + 1, mark.column + 1, key, r->out->v[i].line);
    }
  return config_entries_add(r->out, key, value, (int)mark.line + 1, (int)mark.column + 1, r->err);
}

static trm_status read_scalar(reader *r, const char *key, yaml_mark_t mark) {
  CLI_TRY(check_scalar(r));
  config_value value = {.quoted = r->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE,
                        .text = strdup(scalar_text(r))};
  if (!value.text) return cli_fail(r->err, TRM_E_MEMORY, -1, "no memory for the configuration");
  return add_entry(r, key, &value, mark);
}

static trm_status read_item(reader *r, const char *key, config_list *list) {
  if (r->event.type != YAML_SCALAR_EVENT) return fail_at(r, "want a list of plain texts for ", key);
  CLI_TRY(check_scalar(r));
  return config_list_add(list, scalar_text(r), strlen(scalar_text(r)), r->err);
}

/* "- name: TEXT", as the reference lists its evaluators. */
static trm_status read_named_item(reader *r, const char *key, config_list *list) {
  static const char expected[] = "want a list of plain texts or of single names for ";
  CLI_TRY(next_event(r));
  if (r->event.type != YAML_SCALAR_EVENT || strcmp(scalar_text(r), "name") != 0)
    return fail_at(r, expected, key);
  CLI_TRY(next_event(r));
  CLI_TRY(read_item(r, key, list));
  CLI_TRY(next_event(r));
  return r->event.type == YAML_MAPPING_END_EVENT ? TRM_OK : fail_at(r, expected, key);
}

static trm_status read_items(reader *r, const char *key, config_list *list) {
  for (;;) {
    CLI_TRY(next_event(r));
    if (r->event.type == YAML_SEQUENCE_END_EVENT) return TRM_OK;
    if (r->event.type == YAML_MAPPING_START_EVENT && !strcmp(key, "evaluators"))
      CLI_TRY(read_named_item(r, key, list));
    else
      CLI_TRY(read_item(r, key, list));
  }
}

static trm_status read_list(reader *r, const char *key, yaml_mark_t mark) {
  config_value value = {.is_list = true};
  trm_status st = read_items(r, key, &value.list);
  if (st != TRM_OK) {
    config_value_free(&value);
    return st;
  }
  return add_entry(r, key, &value, mark);
}

/* Hydra's own lists: "defaults" names the architecture ("- arch: trm"), all else is for Hydra. The
 * current event opens the value; it is walked to its end. */
static trm_status read_hydra(reader *r) {
  int depth = 0;
  bool is_arch = false;
  do {
    yaml_event_type_t type = r->event.type;
    if (type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT) depth++;
    if (type == YAML_MAPPING_END_EVENT || type == YAML_SEQUENCE_END_EVENT) depth--;
    if (depth > YAML_MAX_DEPTH) return fail_at(r, "nested too deeply", "");
    if (type == YAML_SCALAR_EVENT && is_arch) CLI_TRY(read_scalar(r, "arch", r->event.start_mark));
    is_arch =
        type == YAML_SCALAR_EVENT && !is_arch && depth == 2 && !strcmp(scalar_text(r), "arch");
    if (depth) CLI_TRY(next_event(r));
  } while (depth);
  return TRM_OK;
}

/* The current event opens a value that nobody asked for; it is walked to its end. */
static trm_status skip_value(reader *r) {
  int depth = 0;
  for (;;) {
    yaml_event_type_t type = r->event.type;
    if (type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT) depth++;
    if (type == YAML_MAPPING_END_EVENT || type == YAML_SEQUENCE_END_EVENT) depth--;
    if (depth > YAML_MAX_DEPTH) return fail_at(r, "nested too deeply", "");
    if (depth == 0) return TRM_OK;
    CLI_TRY(next_event(r));
  }
}

/* The current event opens a map whose keys get `prefix`. */
static trm_status read_map(reader *r, const char *prefix, int depth) {
  char key[YAML_MAX_KEY];
  if (depth > YAML_MAX_DEPTH) return fail_at(r, "nested too deeply", "");
  for (;;) {
    CLI_TRY(next_event(r));
    if (r->event.type == YAML_MAPPING_END_EVENT) return TRM_OK;
    if (r->event.type != YAML_SCALAR_EVENT) return fail_at(r, "want a key", "");
    CLI_TRY(check_scalar(r));
    int n = snprintf(key, sizeof key, "%s%s%s", prefix, *prefix ? "." : "", scalar_text(r));
    if (n < 0 || (size_t)n >= sizeof key) return fail_at(r, "the key is too long", "");
    yaml_mark_t mark = r->event.start_mark;
    CLI_TRY(next_event(r));
    if (r->out->only && depth == 1 && strcmp(key, r->out->only) != 0)
      CLI_TRY(skip_value(r));
    else if (!strcmp(key, "hydra") || !strcmp(key, "defaults"))
      CLI_TRY(read_hydra(r));
    else if (r->event.type == YAML_SCALAR_EVENT)
      CLI_TRY(read_scalar(r, key, mark));
    else if (r->event.type == YAML_SEQUENCE_START_EVENT)
      CLI_TRY(read_list(r, key, mark));
    else
      CLI_TRY(read_map(r, key, depth + 1));
  }
}

static trm_status read_stream(reader *r) {
  CLI_TRY(next_event(r)); /* stream start */
  CLI_TRY(next_event(r));
  if (r->event.type == YAML_STREAM_END_EVENT) return TRM_OK;
  CLI_TRY(next_event(r)); /* after the document's start */
  if (r->event.type == YAML_MAPPING_START_EVENT)
    CLI_TRY(read_map(r, "", 1));
  else if (r->event.type != YAML_SCALAR_EVENT || scalar_text(r)[0])
    return fail_at(r, "want a map of keys (key: value) at the top", "");
  CLI_TRY(next_event(r)); /* document end */
  CLI_TRY(next_event(r));
  if (r->event.type != YAML_STREAM_END_EVENT)
    return fail_at(r, "want one document, got a second", "");
  return TRM_OK;
}

/* The whole file in a fresh block. */
static trm_status read_text(const char *path, char **text, size_t *n, trm_error *err) {
  FILE *f = fopen(path, "rb");
  if (!f) return cli_fail(err, TRM_E_IO, -1, "%s: %s", path, strerror(errno));
  trm_status st = TRM_OK;
  *text = malloc(YAML_MAX_BYTES + 1);
  if (*text) *n = fread(*text, 1, YAML_MAX_BYTES + 1, f);
  if (!*text)
    st = cli_fail(err, TRM_E_MEMORY, -1, "%s: no memory to read it", path);
  else if (ferror(f))
    st = cli_fail(err, TRM_E_IO, -1, "%s: %s", path, strerror(errno));
  else if (*n > YAML_MAX_BYTES)
    st = cli_fail(err, TRM_E_CONFIG, -1, "%s: more than %d bytes; not a run configuration", path,
                  YAML_MAX_BYTES);
  fclose(f);
  return st;
}

trm_status config_entries_add_yaml(config_entries *e, const char *path, trm_error *err) {
  reader r = {.path = path, .out = e, .err = err};
  char *text = NULL;
  size_t n = 0;
  trm_status st = read_text(path, &text, &n, err);
  if (st == TRM_OK && !yaml_parser_initialize(&r.parser))
    st = cli_fail(err, TRM_E_MEMORY, -1, "%s: no memory to read it", path);
  else if (st == TRM_OK) {
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, n);
    st = read_stream(&r);
    yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
  }
  free(text);
  return st;
}
