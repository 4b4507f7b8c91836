/* Grids in files of one JSON object a line. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/hash.h"
#include "base/memory.h"
#include "data/grid/grid_list.h"
#include "io/json.h"

enum { MAX_LINE = 32 << 20 /* bytes: two of the largest grids and more */ };

static const char *const names[2] = {"input", "output"};

/* An integer, a text, or in outputs null. */
static trm_status read_cell(trm__grid_list *list, const json_t *cell, const trm__grid_place *at,
                            trm_error *err) {
  char number[24];
  if (json_is_string(cell))
    return trm__grid_list_add(list, at, json_string_value(cell), json_string_length(cell), err);
  if (json_is_integer(cell)) {
    int n = snprintf(number, sizeof number, "%lld", (long long)json_integer_value(cell));
    return trm__grid_list_add(list, at, number, (size_t)n, err);
  }
  if (json_is_null(cell) && at->grid == TRM__GRID_OUTPUT)
    return trm__grid_list_add(list, at, NULL, 0, err);
  TRM_FAIL_AT(err, TRM_E_FORMAT, at->line,
              "%s line %lld: %s row %d, column %d: want an integer or a text%s", list->path,
              at->line, names[at->grid], at->row + 1, at->col + 1,
              at->grid == TRM__GRID_OUTPUT ? ", or null for a cell that is not scored" : "");
}

static trm_status read_grid(trm__grid_list *list, const json_t *object, long long line, int grid,
                            trm_error *err) {
  const json_t *rows = json_object_get(object, names[grid]);
  size_t n = json_array_size(rows), width = json_array_size(json_array_get(rows, 0));
  trm__grid_place at = {.line = line, .grid = grid};
  if (!n || !width)
    TRM_FAIL_AT(err, TRM_E_FORMAT, line,
                "%s line %lld: \"%s\": want a grid, an array of rows that are arrays of cells",
                list->path, line, names[grid]);
  TRM_TRY(trm__grid_list_size(list, grid, (int64_t)n, (int64_t)width, err));
  for (size_t i = 0; i < n; i++) {
    const json_t *row = json_array_get(rows, i);
    if (json_array_size(row) != width)
      TRM_FAIL_AT(err, TRM_E_FORMAT, line,
                  "%s line %lld: %s row %zu: want an array of %zu cells, as many as in the first "
                  "row",
                  list->path, line, names[grid], i + 1, width);
    at.row = (int)i;
    for (size_t j = 0; j < width; j++) {
      at.col = (int)j;
      TRM_TRY(read_cell(list, json_array_get(row, j), &at, err));
    }
  }
  return TRM_OK;
}

static trm_status read_id(trm__grid_list *list, const json_t *id, trm_error *err) {
  trm__grid_pair *p = &list->pair[list->n - 1];
  char number[24];
  if (!id || json_is_null(id)) return TRM_OK;
  p->has_id = true;
  if (json_is_string(id)) {
    p->id = trm__hash_bytes(TRM__HASH_START, json_string_value(id), json_string_length(id));
  } else if (json_is_integer(id)) {
    int n = snprintf(number, sizeof number, "%lld", (long long)json_integer_value(id));
    p->id = trm__hash_bytes(TRM__HASH_START, number, (size_t)n);
  } else {
    TRM_FAIL_AT(err, TRM_E_FORMAT, p->line, "%s line %lld: \"id\": want a text or an integer",
                list->path, p->line);
  }
  return TRM_OK;
}

/* Other keys may say what they like, but not be one of ours written in another way; and one that
 * is not there may have been misspelt. */
static trm_status check_keys(const trm__grid_list *list, const json_t *object, long long line,
                             trm_error *err) {
  static const char *const known[] = {"input", "output", "id"};
  const char *key, *other = NULL;
  json_t *value;
  json_object_foreach((json_t *)(uintptr_t)object, key, value) {
    bool ours = false;
    for (int i = 0; i < 3; i++) {
      ours |= !strcmp(key, known[i]);
      if (!strcasecmp(key, known[i]) && strcmp(key, known[i]) != 0)
        TRM_FAIL_AT(err, TRM_E_FORMAT, line, "%s line %lld: the key \"%s\": want \"%s\"",
                    list->path, line, key, known[i]);
    }
    if (!ours) other = key;
  }
  for (int grid = 0; grid < 2; grid++)
    if (!json_object_get(object, names[grid]))
      TRM_FAIL_AT(err, TRM_E_FORMAT, line,
                  "%s line %lld: there is no \"%s\"%s%.60s%s; want the keys \"input\", "
                  "\"output\" and, for puzzles that belong together, \"id\"",
                  list->path, line, names[grid], other ? ", but \"" : "", other ? other : "",
                  other ? "\"" : "");
  return TRM_OK;
}

static trm_status read_object(trm__grid_list *list, const json_t *object, long long line,
                              trm_error *err) {
  if (!json_is_object(object))
    TRM_FAIL_AT(err, TRM_E_FORMAT, line,
                "%s line %lld: want an object {\"input\": [[...]], \"output\": [[...]]}",
                list->path, line);
  TRM_TRY(check_keys(list, object, line, err));
  TRM_TRY(trm__grid_list_begin(list, line, err));
  TRM_TRY(read_id(list, json_object_get(object, "id"), err));
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
  json_t *object;
  if (is_blank(text, n)) return TRM_OK;
  if (n > MAX_LINE)
    TRM_FAIL_AT(err, TRM_E_FORMAT, line,
                "%s line %lld: %zu bytes; want at most %d: one puzzle {\"input\": [[...]], "
                "\"output\": [[...]]} in each line, not an array of them",
                list->path, line, n, MAX_LINE);
  TRM_TRY(trm__json_parse(text, n, list->path, line, &object, err));
  trm_status st = read_object(list, object, line, err);
  json_decref(object);
  return st;
}

trm_status trm__grid_read_jsonl(trm__grid_list *list, trm_error *err) {
  trm__map map;
  TRM_TRY(trm__map_open(list->path, &map, err));
  trm_status st = TRM_OK;
  long long line = 1;
  for (size_t from = 0, to; st == TRM_OK && from < map.size; from = to + 1, line++) {
    const char *text = (const char *)map.data + from;
    const char *end = memchr(text, '\n', map.size - from);
    to = end ? from + (size_t)(end - text) : map.size;
    st = read_line(list, text, to - from, line, err);
  }
  trm__map_close(&map);
  return st;
}
