/* YAML into entries, by libyaml; a build without it says so. The file is untrusted: it is read up
 * to a size limit, first into a list of its events, then walked event by event, so nesting and
 * repeated keys can be refused before they cost anything. An alias is a way back into the list, to
 * the node that its anchor names; how many events come by such ways is limited. */
#include "run/run_config.h"

#ifdef TRM_YAML
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/memory.h"
#include "base/os_file.h"
#include "base/text.h"
#include "io/foreign.h"

enum {
  YAML_MAX_BYTES = 1 << 20,
  YAML_MAX_DEPTH = 4,
  YAML_MAX_KEY = 128,
  YAML_MAX_KEYS = 500,
  YAML_MAX_NESTING = 64, /* of the file, also where nobody looks */
  YAML_MAX_ANCHORS = 256,
  YAML_MAX_ALIASED = 10000 /* events that come by aliases */
};

/* An event that stays. */
typedef struct node {
  yaml_event_type_t type;
  yaml_mark_t start_mark;
  char *text, *anchor; /* text: of a scalar, or the name that an alias has */
  size_t length;
  bool quoted;
  int end; /* the place behind the node that begins here */
} node;

/* A place to go back to behind an alias: when `end` is reached, go on at `next`. */
typedef struct way_back {
  int end, next;
} way_back;

typedef struct reader {
  yaml_parser_t parser;
  node *nodes;
  int n, room, at, aliased, n_ways, n_anchors;
  int anchors[YAML_MAX_ANCHORS]; /* nodes that have one */
  way_back ways[YAML_MAX_NESTING];
  node event; /* the current one */
  const char *path;
  trm__entries *out;
  trm_error *err;
} reader;

static trm_status fail_at(reader *r, const char *what, const char *detail) {
  yaml_mark_t mark = r->event.start_mark;
  return trm__fail(r->err, TRM_E_CONFIG, (int64_t)mark.line + 1, "%s:%zu:%zu: %s%s", r->path,
                   mark.line + 1, mark.column + 1, what, detail);
}

/* --- the list of events --- */

static trm_status fail_syntax(reader *r) {
  const yaml_parser_t *p = &r->parser;
  if (p->error == YAML_MEMORY_ERROR)
    return trm__fail(r->err, TRM_E_MEMORY, -1, "%s: no memory to read it", r->path);
  yaml_mark_t mark = p->problem_mark;
  if (p->error == YAML_READER_ERROR)
    return trm__fail(r->err, TRM_E_CONFIG, -1, "%s: byte %zu: not YAML: %s", r->path,
                     p->problem_offset, p->problem ? p->problem : "unreadable");
  return trm__fail(r->err, TRM_E_CONFIG, (int64_t)mark.line + 1, "%s:%zu:%zu: not YAML: %s",
                   r->path, mark.line + 1, mark.column + 1, p->problem ? p->problem : "malformed");
}

/* Takes over what the node keeps of an event. */
static node take_node(yaml_event_t *e) {
  node n = {.type = e->type, .start_mark = e->start_mark};
  yaml_char_t **text = NULL, **anchor = NULL;
  if (e->type == YAML_SCALAR_EVENT) {
    text = &e->data.scalar.value;
    anchor = &e->data.scalar.anchor;
    n.length = e->data.scalar.length;
    n.quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
  }
  if (e->type == YAML_ALIAS_EVENT) text = &e->data.alias.anchor;
  if (e->type == YAML_MAPPING_START_EVENT) anchor = &e->data.mapping_start.anchor;
  if (e->type == YAML_SEQUENCE_START_EVENT) anchor = &e->data.sequence_start.anchor;
  if (text) n.text = (char *)*text, *text = NULL;
  if (anchor) n.anchor = (char *)*anchor, *anchor = NULL;
  return n;
}

static void free_nodes(reader *r) {
  for (int i = 0; i < r->n; i++) {
    free(r->nodes[i].text);
    free(r->nodes[i].anchor);
  }
  free(r->nodes);
}

static bool opens(yaml_event_type_t type) {
  return type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT;
}

static bool closes(yaml_event_type_t type) {
  return type == YAML_MAPPING_END_EVENT || type == YAML_SEQUENCE_END_EVENT;
}

/* Appends the next event of the parser. */
static trm_status list_event(reader *r) {
  yaml_event_t e;
  if (r->n == r->room) {
    node *grown = realloc(r->nodes, (size_t)(r->room + 1) * 2 * sizeof *grown);
    if (!grown) return trm__fail(r->err, TRM_E_MEMORY, -1, "%s: no memory to read it", r->path);
    r->nodes = grown;
    r->room = 2 * (r->room + 1);
  }
  if (!yaml_parser_parse(&r->parser, &e)) return fail_syntax(r);
  r->nodes[r->n] = take_node(&e);
  r->nodes[r->n].end = r->n + 1;
  r->n++;
  yaml_event_delete(&e);
  return TRM_OK;
}

static trm_status list_events(reader *r) {
  int open[YAML_MAX_NESTING], depth = 0;
  for (;;) {
    TRM_TRY(list_event(r));
    r->event = r->nodes[r->n - 1];
    if (r->event.anchor) {
      if (r->n_anchors == YAML_MAX_ANCHORS) return fail_at(r, "too many anchors", "");
      r->anchors[r->n_anchors++] = r->n - 1;
    }

    /* A node that opens learns where it ends when its partner comes. */
    if (opens(r->event.type)) {
      if (depth == YAML_MAX_NESTING) return fail_at(r, "nested too deeply", "");
      open[depth++] = r->n - 1;
      r->nodes[r->n - 1].end = 0; /* open: nothing may lead back into it */
    }
    if (closes(r->event.type)) r->nodes[open[--depth]].end = r->n;
    if (r->event.type == YAML_STREAM_END_EVENT) return TRM_OK;
  }
}

/* --- walking --- */

/* Goes to the node that an alias at the current place means: the last of that name before it. */
static trm_status follow_alias(reader *r) {
  const int from = r->at;
  int i = r->n_anchors - 1;
  while (i >= 0 &&
         (r->anchors[i] > from || strcmp(r->nodes[r->anchors[i]].anchor, r->event.text) != 0))
    i--;
  if (i < 0) return fail_at(r, "no anchor before it has the name of the alias ", r->event.text);
  const int target = r->anchors[i];
  if (r->nodes[target].end == 0 || r->nodes[target].end > from)
    return fail_at(r, "an alias inside of what it stands for: ", r->event.text);
  if (r->n_ways == YAML_MAX_NESTING) return fail_at(r, "too many aliases in each other", "");
  r->ways[r->n_ways++] = (way_back){r->nodes[target].end, from + 1};
  r->at = target;
  return TRM_OK;
}

static trm_status next_event(reader *r) {
  while (r->n_ways && r->at == r->ways[r->n_ways - 1].end) r->at = r->ways[--r->n_ways].next;
  r->event = r->nodes[r->at];
  while (r->event.type == YAML_ALIAS_EVENT) {
    TRM_TRY(follow_alias(r));
    r->event = r->nodes[r->at];
  }
  if (r->n_ways && ++r->aliased > YAML_MAX_ALIASED)
    return fail_at(r, "aliases that stand for too much; not a run configuration", "");
  if (r->at < r->n - 1) r->at++; /* the end of the stream is the last */
  return TRM_OK;
}

static const char *scalar_text(const reader *r) {
  return r->event.text;
}

/* The current event is a scalar: its text must not hide a zero byte. */
static trm_status check_scalar(reader *r) {
  if (strlen(scalar_text(r)) != r->event.length) return fail_at(r, "a zero byte in a value", "");
  return TRM_OK;
}

static trm_status add_entry(reader *r, const char *key, trm__value *value, yaml_mark_t mark) {
  if (r->out->n >= YAML_MAX_KEYS) {
    trm__value_free(value);
    return fail_at(r, "too many keys; not a run configuration", "");
  }
  for (int i = 0; i < r->out->n; i++)
    if (!strcmp(r->out->v[i].key, key)) {
      trm__value_free(value);
      return trm__fail(r->err, TRM_E_CONFIG, (int64_t)mark.line + 1,
                       "%s:%zu:%zu: '%s' is set a second time (first in line %d)", r->path,
                       mark.line + 1, mark.column + 1, key, r->out->v[i].line);
    }
  return trm__entries_add(r->out, key, value, (int)mark.line + 1, (int)mark.column + 1, r->err);
}

static trm_status read_scalar(reader *r, const char *key, yaml_mark_t mark) {
  TRM_TRY(check_scalar(r));
  trm__value value = {.quoted = r->event.quoted, .text = trm__text_copy(scalar_text(r), SIZE_MAX)};
  if (!value.text) return trm__fail(r->err, TRM_E_MEMORY, -1, "no memory for the configuration");
  return add_entry(r, key, &value, mark);
}

static trm_status read_item(reader *r, const char *key, trm__texts *list) {
  if (r->event.type != YAML_SCALAR_EVENT) return fail_at(r, "want a list of plain texts for ", key);
  TRM_TRY(check_scalar(r));
  return trm__texts_add(list, scalar_text(r), strlen(scalar_text(r)), r->err);
}

/* "- name: TEXT", as the reference lists its evaluators. */
static trm_status read_named_item(reader *r, const char *key, trm__texts *list) {
  static const char expected[] = "want a list of plain texts or of single names for ";
  TRM_TRY(next_event(r));
  if (r->event.type != YAML_SCALAR_EVENT || strcmp(scalar_text(r), "name") != 0)
    return fail_at(r, expected, key);
  TRM_TRY(next_event(r));
  TRM_TRY(read_item(r, key, list));
  TRM_TRY(next_event(r));
  return r->event.type == YAML_MAPPING_END_EVENT ? TRM_OK : fail_at(r, expected, key);
}

static trm_status read_items(reader *r, const char *key, trm__texts *list) {
  for (;;) {
    TRM_TRY(next_event(r));
    if (r->event.type == YAML_SEQUENCE_END_EVENT) return TRM_OK;
    if (r->event.type == YAML_MAPPING_START_EVENT && !strcmp(key, "evaluators"))
      TRM_TRY(read_named_item(r, key, list));
    else
      TRM_TRY(read_item(r, key, list));
  }
}

static trm_status read_list(reader *r, const char *key, yaml_mark_t mark) {
  trm__value value = {.is_list = true};
  trm_status st = read_items(r, key, &value.list);
  if (st != TRM_OK) {
    trm__value_free(&value);
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
    if (type == YAML_SCALAR_EVENT && is_arch) TRM_TRY(read_scalar(r, "arch", r->event.start_mark));
    is_arch =
        type == YAML_SCALAR_EVENT && !is_arch && depth == 2 && !strcmp(scalar_text(r), "arch");
    if (depth) TRM_TRY(next_event(r));
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
    TRM_TRY(next_event(r));
  }
}

/* The current event opens a map whose keys get `prefix`. */
static trm_status read_map(reader *r, const char *prefix, int depth) {
  char key[YAML_MAX_KEY];
  if (depth > YAML_MAX_DEPTH) return fail_at(r, "nested too deeply", "");
  for (;;) {
    TRM_TRY(next_event(r));
    if (r->event.type == YAML_MAPPING_END_EVENT) return TRM_OK;
    if (r->event.type != YAML_SCALAR_EVENT) return fail_at(r, "want a key", "");
    TRM_TRY(check_scalar(r));
    int n = snprintf(key, sizeof key, "%s%s%s", prefix, *prefix ? "." : "", scalar_text(r));
    if (n < 0 || (size_t)n >= sizeof key) return fail_at(r, "the key is too long", "");
    yaml_mark_t mark = r->event.start_mark;
    TRM_TRY(next_event(r));

    /* Its value. */
    if (r->out->only && depth == 1 && strcmp(key, r->out->only) != 0)
      TRM_TRY(skip_value(r));
    else if (!strcmp(key, "hydra") || !strcmp(key, "defaults"))
      TRM_TRY(read_hydra(r));
    else if (r->event.type == YAML_SCALAR_EVENT)
      TRM_TRY(read_scalar(r, key, mark));
    else if (r->event.type == YAML_SEQUENCE_START_EVENT)
      TRM_TRY(read_list(r, key, mark));
    else
      TRM_TRY(read_map(r, key, depth + 1));
  }
}

static trm_status read_stream(reader *r) {
  TRM_TRY(next_event(r)); /* stream start */
  TRM_TRY(next_event(r));
  if (r->event.type == YAML_STREAM_END_EVENT) return TRM_OK;
  TRM_TRY(next_event(r)); /* after the document's start */
  if (r->event.type == YAML_MAPPING_START_EVENT)
    TRM_TRY(read_map(r, r->out->within ? r->out->within : "", 1));
  else if (r->event.type != YAML_SCALAR_EVENT || scalar_text(r)[0])
    return fail_at(r, "want a map of keys (key: value) at the top", "");
  TRM_TRY(next_event(r)); /* document end */
  TRM_TRY(next_event(r));
  if (r->event.type != YAML_STREAM_END_EVENT)
    return fail_at(r, "want one document, got a second", "");
  return TRM_OK;
}

/* The whole file in a fresh block. */
static trm_status read_text(const char *path, char **text, size_t *n, trm_error *err) {
  bool is_file = false;
  FILE *f = NULL;
  const int cause = trm__os_open_stream(path, &f, &is_file);
  if (cause)
    TRM_FAIL(err, trm__os_reason(cause) == TRM__OS_NO_MEMORY ? TRM_E_MEMORY : TRM_E_IO, "%s: %s",
             path, trm__os_text(cause));

  /* One byte more than there may be shows that there are more. */
  trm_status st = TRM_OK;
  errno = 0;
  *text = trm__alloc(YAML_MAX_BYTES + 1, 1);
  if (*text) *n = fread(*text, 1, YAML_MAX_BYTES + 1, f);
  if (!*text)
    st = trm__fail(err, TRM_E_MEMORY, -1, "%s: no memory to read it", path);
  else if (ferror(f))
    st =
        trm__fail(err, TRM_E_IO, -1, "%s: %s", path, trm__os_text(errno ? errno : TRM__OS_UNKNOWN));
  else if (*n == 0 && !is_file)
    st = trm__fail(err, TRM_E_IO, -1, "%s: is no file, and nothing comes from it", path);
  else if (*n > YAML_MAX_BYTES)
    st = trm__fail(err, TRM_E_CONFIG, -1, "%s: more than %d bytes; not a run configuration", path,
                   YAML_MAX_BYTES);
  (void)fclose(f); /* only read from */
  return st;
}

trm_status trm__entries_add_yaml(trm__entries *e, const char *path, trm_error *err) {
  reader r = {.path = path, .out = e, .err = err};
  char *text = NULL;
  size_t n = 0;
  trm_status st = read_text(path, &text, &n, err);
  if (st == TRM_OK && !yaml_parser_initialize(&r.parser))
    st = trm__fail(err, TRM_E_MEMORY, -1, "%s: no memory to read it", path);
  else if (st == TRM_OK) {
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, n);
    st = list_events(&r);
    if (st == TRM_OK) st = read_stream(&r);

    /* What is no YAML may be another kind of file, which is then named. */
    if (st == TRM_E_CONFIG && trm__foreign_look(TRM__WANT_TEXT, path, text, n, err) != TRM_OK)
      st = TRM_E_FORMAT;
    free_nodes(&r);
    yaml_parser_delete(&r.parser);
  }
  trm__free(text);
  return st;
}

#else

trm_status trm__entries_add_yaml(trm__entries *e, const char *path, trm_error *err) {
  (void)e;
  TRM_FAIL(err, TRM_E_SYSTEM,
           "%s: is YAML, which this build of trm does not read: it was made without libyaml", path);
}
#endif
