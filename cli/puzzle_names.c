/* See puzzle_names.h. */
#include "puzzle_names.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"

void puzzle_describe(const trm_puzzle *p, char *text, size_t size) {
  static const char *const kinds[TRM_PUZZLE_KINDS] = {[TRM_PUZZLE_NONE] = "unknown",
                                                      [TRM_PUZZLE_SUDOKU] = "Sudoku",
                                                      [TRM_PUZZLE_MAZE] = "maze",
                                                      [TRM_PUZZLE_ARC] = "ARC, grids",
                                                      [TRM_PUZZLE_GRID] = "grid"};
  char more[256] = "";
  if (p->kind == TRM_PUZZLE_NONE) {
    snprintf(text, size, "%s", kinds[p->kind]);
    return;
  }
  if (p->kind == TRM_PUZZLE_SUDOKU)
    snprintf(more, sizeof more, ", boxes %dx%d", p->box_rows, p->box_cols);
  if (p->kind == TRM_PUZZLE_GRID)
    snprintf(more, sizeof more, ", %d symbols%s%s%s%s", trm_puzzle_n_symbols(p),
             *p->rules ? ", rules " : "", p->rules, *p->symmetries ? ", symmetries " : "",
             p->symmetries);
  snprintf(text, size, "%s %s%dx%d%s", kinds[p->kind], trm_puzzle_is_sized(p) ? "up to " : "",
           p->rows, p->cols, more);
}

struct puzzle_names {
  json_t *list;
};

trm_status puzzle_names_open(const char *dir, puzzle_names **out, trm_error *err) {
  char path[CLI_PATH_MAX];
  CLI_TRY(cli_path(path, err, "%s/identifiers.json", dir));
  *out = calloc(1, sizeof **out);
  if (!*out) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for the names of puzzles");
  (*out)->list = json_load_file(path, 0, NULL);
  return TRM_OK;
}

void puzzle_names_close(puzzle_names *n) {
  if (!n) return;
  json_decref(n->list);
  free(n);
}

const char *puzzle_name(const puzzle_names *n, int32_t id) {
  if (!n || id < 0) return NULL;
  const char *name = json_string_value(json_array_get(n->list, (size_t)id));
  return name && *name && strcmp(name, "<blank>") ? name : NULL;
}
