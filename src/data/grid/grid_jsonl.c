/* Grids in files of one JSON object a line. */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/text.h"
#include "data/grid/grid_list.h"
#include "io/json.h"
#include "io/lines.h"

static const char *const names[2] = {"input", "output"};

/* An integer, also as 3.0, a text, or in outputs null. */
static trm_status read_cell(trm__grid_list *list, const trm__json *cell, const trm__grid_place *at,
                            trm_error *err) {
  char number[24];
  int64_t value;
  if (trm__json_is(cell, TRM__JSON_STRING))
    return trm__grid_list_add(list, at, trm__json_text(cell), trm__json_length(cell), err);
  if (trm__json_whole(cell, &value)) {
    int n = snprintf(number, sizeof number, "%lld", (long long)value);
    return trm__grid_list_add(list, at, number, (size_t)n, err);
  }
  if (trm__json_is(cell, TRM__JSON_NULL) && at->grid == TRM__GRID_OUTPUT)
    return trm__grid_list_add(list, at, NULL, 0, err);
  TRM_FAIL_AT(err, TRM_E_FORMAT, at->line,
              "%s line %lld: %s row %d, column %d: want an integer of 64 bits or a text%s",
              list->path, at->line, names[at->grid], at->row + 1, at->col + 1,
              at->grid == TRM__GRID_OUTPUT ? ", or null for a cell that is not scored" : "");
}

static trm_status read_grid(trm__grid_list *list, const trm__json *object, long long line, int grid,
                            trm_error *err) {
  const trm__json *rows = trm__json_get(object, names[grid]);
  size_t n = trm__json_n_items(rows), width = trm__json_n_items(trm__json_item(rows, 0));
  trm__grid_place at = {.line = line, .grid = grid};

  /* An array of arrays, whose first row says how wide all are. */
  if (!n || !width)
    TRM_FAIL_AT(err, TRM_E_FORMAT, line,
                "%s line %lld: \"%s\": want a grid, an array of rows that are arrays of cells",
                list->path, line, names[grid]);
  TRM_TRY(trm__grid_list_size(list, grid, (int64_t)n, (int64_t)width, err));

  /* Every row must be as wide as the first. */
  for (size_t i = 0; i < n; i++) {
    const trm__json *row = trm__json_item(rows, i);
    if (trm__json_n_items(row) != width)
      TRM_FAIL_AT(err, TRM_E_FORMAT, line,
                  "%s line %lld: %s row %zu: want an array of %zu cells, as many as in the first "
                  "row",
                  list->path, line, names[grid], i + 1, width);
    at.row = (int)i;
    for (size_t j = 0; j < width; j++) {
      at.col = (int)j;
      TRM_TRY(read_cell(list, trm__json_item(row, j), &at, err));
    }
  }
  return TRM_OK;
}

static trm_status read_id(trm__grid_list *list, const trm__json *id, trm_error *err) {
  trm__grid_pair *p = &list->pair[list->n - 1];
  char number[24];
  int64_t value;
  if (!id || trm__json_is(id, TRM__JSON_NULL)) return TRM_OK;
  p->has_id = true;
  if (trm__json_is(id, TRM__JSON_STRING)) {
    p->id = trm__hash_bytes(TRM__HASH_START, trm__json_text(id), trm__json_length(id));
  } else if (trm__json_whole(id, &value)) {
    int n = snprintf(number, sizeof number, "%lld", (long long)value);
    p->id = trm__hash_bytes(TRM__HASH_START, number, (size_t)n);
  } else {
    TRM_FAIL_AT(err, TRM_E_FORMAT, p->line,
                "%s line %lld: \"id\": want a text or an integer of 64 bits", list->path, p->line);
  }
  return TRM_OK;
}

/* Other keys may say what they like, but not be one of ours written in another way; and one that
 * is not there may have been misspelt. */
static trm_status check_keys(const trm__grid_list *list, const trm__json *object, long long line,
                             trm_error *err) {
  static const char *const known[] = {"input", "output", "id"};
  const char *other = NULL;

  /* A key that is ours but for how it is written is refused. */
  for (size_t m = 0; m < trm__json_n_members(object); m++) {
    const char *key = trm__json_key(object, m);
    bool ours = false;
    for (int i = 0; i < 3; i++) {
      ours |= !strcmp(key, known[i]);
      if (trm__text_alike(key, known[i], SIZE_MAX) && strcmp(key, known[i]) != 0)
        TRM_FAIL_AT(err, TRM_E_FORMAT, line, "%s line %lld: the key \"%s\": want \"%s\"",
                    list->path, line, key, known[i]);
    }
    if (!ours) other = key;
  }

  /* Both grids must be there; a foreign key may be the one that was meant. */
  for (int grid = 0; grid < 2; grid++)
    if (!trm__json_get(object, names[grid]))
      TRM_FAIL_AT(err, TRM_E_FORMAT, line,
                  "%s line %lld: there is no \"%s\"%s%.60s%s; want the keys \"input\", "
                  "\"output\" and, for puzzles that belong together, \"id\"",
                  list->path, line, names[grid], other ? ", but \"" : "", other ? other : "",
                  other ? "\"" : "");
  return TRM_OK;
}

static trm_status read_object(trm__grid_list *list, const trm__json *object, long long line,
                              trm_error *err) {
  if (!trm__json_is(object, TRM__JSON_OBJECT))
    TRM_FAIL_AT(err, TRM_E_FORMAT, line,
                "%s line %lld: want an object {\"input\": [[...]], \"output\": [[...]]}",
                list->path, line);
  TRM_TRY(check_keys(list, object, line, err));
  TRM_TRY(trm__grid_list_begin(list, line, err));
  TRM_TRY(read_id(list, trm__json_get(object, "id"), err));
  TRM_TRY(read_grid(list, object, line, TRM__GRID_INPUT, err));
  return read_grid(list, object, line, TRM__GRID_OUTPUT, err);
}

static bool is_blank(const char *text, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (!strchr(" \t\r", text[i]) || !text[i]) return false;
  return true;
}

static trm_status read_line(trm__grid_list *list, const char *text, size_t n, long long line,
                            trm_error *err) {
  trm__json *object;
  if (is_blank(text, n)) return TRM_OK;
  if (n > TRM__LINES_MAX)
    TRM_FAIL_AT(err, TRM_E_FORMAT, line,
                "%s line %lld: more than %d bytes: want one puzzle {\"input\": [[...]], "
                "\"output\": [[...]]} in each line, not an array of them",
                list->path, line, TRM__LINES_MAX);
  TRM_TRY(trm__json_parse(text, n, list->path, line, &object, err));
  trm_status st = read_object(list, object, line, err);
  trm__json_free(object);
  return st;
}

trm_status trm__grid_read_jsonl(trm__grid_list *list, trm_error *err) {
  trm__lines in;
  const char *text;
  size_t n;
  TRM_TRY(trm__lines_open(&in, list->path, err));
  trm_status st = TRM_OK;
  while (st == TRM_OK && trm__lines_next(&in, &text, &n)) st = read_line(list, text, n, in.n, err);
  trm__lines_close(&in);
  return st;
}
