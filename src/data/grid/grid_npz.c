/* Grids in NumPy archives: arrays inputs and labels of integers, one grid per row. */
#include <stdio.h>

#include "data/grid/grid_list.h"
#include "io/npz.h"

static const char *const names[2] = {"inputs", "labels"};

static trm_status find_array(const trm__grid_list *list, trm__npz *npz, int grid,
                             const trm__npy **out, trm_error *err) {
  TRM_TRY(trm__npz_find(npz, names[grid], out, err));
  if (!*out) TRM_FAIL(err, TRM_E_FORMAT, "%s has no array '%s'", list->path, names[grid]);
  const trm__npy *a = *out;
  if (!trm__npy_is_integer(a) || a->ndim != 3)
    TRM_FAIL(err, TRM_E_SHAPE,
             "%s: array '%s' has type %s and %d dimensions; want integers [examples, rows, "
             "columns]",
             list->path, names[grid], trm__npy_type_name(a->type), a->ndim);
  return TRM_OK;
}

static trm_status read_grid(trm__grid_list *list, const trm__npy *a, int64_t i, int grid,
                            trm_error *err) {
  trm__grid_place at = {.line = i, .grid = grid};
  TRM_TRY(trm__grid_list_size(list, grid, a->shape[1], a->shape[2], err));
  for (int64_t cell = 0; cell < a->row_count; cell++) {
    int64_t value = trm__npy_int(a, i * a->row_count + cell);
    char text[24];
    int n = snprintf(text, sizeof text, "%lld", (long long)value);
    if (value < 0 && grid == TRM__GRID_INPUT)
      TRM_FAIL_AT(err, TRM_E_FORMAT, i,
                  "%s row %lld: array 'inputs' has %s; want 0 or more (only labels may lie below: "
                  "they are not scored)",
                  list->path, (long long)i, text);
    bool scored = grid == TRM__GRID_INPUT || value >= 0;
    at.row = (int)(cell / a->shape[2]);
    at.col = (int)(cell % a->shape[2]);
    TRM_TRY(trm__grid_list_add(list, &at, scored ? text : NULL, (size_t)n, err));
  }
  return TRM_OK;
}

static trm_status read_arrays(trm__grid_list *list, trm__npz *npz, trm_error *err) {
  const trm__npy *a[2];
  for (int g = 0; g < 2; g++) TRM_TRY(find_array(list, npz, g, &a[g], err));
  if (a[0]->shape[0] != a[1]->shape[0])
    TRM_FAIL(err, TRM_E_SHAPE, "%s: %lld inputs and %lld labels; want as many of both", list->path,
             (long long)a[0]->shape[0], (long long)a[1]->shape[0]);
  for (int64_t i = 0; i < a[0]->shape[0]; i++) {
    TRM_TRY(trm__grid_list_begin(list, i, err));
    for (int g = 0; g < 2; g++) TRM_TRY(read_grid(list, a[g], i, g, err));
  }
  return TRM_OK;
}

trm_status trm__grid_read_npz(trm__grid_list *list, trm_error *err) {
  trm__npz *npz;
  list->unit = "row";
  TRM_TRY(trm__npz_open(list->path, &npz, err));
  trm_status st = read_arrays(list, npz, err);
  trm__npz_close(npz);
  return st;
}
