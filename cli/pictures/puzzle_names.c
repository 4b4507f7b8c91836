/* See puzzle_names.h. */
#include "cli/pictures/puzzle_names.h"

#include <stdlib.h>
#include <string.h>

#include "base/folder.h"
#include "io/json.h"

void puzzle_describe(const trm_puzzle *p, char *text, size_t size) {
  const trm_puzzle_facts *facts = trm_puzzle_facts_of(p);
  char more[256] = "";
  if (p->kind == TRM_PUZZLE_NONE) {
    snprintf(text, size, "%s", facts->title);
    return;
  }
  if (facts->boxes) snprintf(more, sizeof more, ", boxes %dx%d", p->box_rows, p->box_cols);
  if (facts->declared)
    snprintf(more, sizeof more, ", %d symbol%s%s%s%s%s", trm_puzzle_n_symbols(p),
             TRM__S(trm_puzzle_n_symbols(p)), *p->rules ? ", rules " : "", p->rules,
             *p->symmetries ? ", symmetries " : "", p->symmetries);
  snprintf(text, size, "%s %s%dx%d%s", facts->title, trm_puzzle_is_sized(p) ? "up to " : "",
           p->rows, p->cols, more);
}

struct puzzle_names {
  trm__json *list;
};

/* A data set without the file has puzzles without names. */
trm_status puzzle_names_open(const char *dir, puzzle_names **out, trm_error *err) {
  enum { MAX_NAMES = 1 << 28 }; /* bytes */
  char path[TRM__PATH_MAX];
  trm__kind kind;
  CLI_TRY(trm__path_format(path, err, "%s/identifiers.json", dir));
  CLI_TRY(trm__path_look(path, &kind, err));
  *out = calloc(1, sizeof **out);
  if (!*out) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for the names of puzzles");
  if (kind == TRM__ABSENT) return TRM_OK;
  const trm_status st = trm__json_load(path, MAX_NAMES, &(*out)->list, err);
  if (st == TRM_OK) return TRM_OK;
  puzzle_names_close(*out);
  *out = NULL;
  return st;
}

void puzzle_names_close(puzzle_names *n) {
  if (!n) return;
  trm__json_free(n->list);
  free(n);
}

const char *puzzle_name(const puzzle_names *n, int32_t id) {
  if (!n || id < 0) return NULL;
  const char *name = trm__json_text(trm__json_item(n->list, (size_t)id));
  return name && *name && strcmp(name, "<blank>") ? name : NULL;
}
