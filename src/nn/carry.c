/* Rows of the carry: one latent block [rows, L, D] per latent, so that a tile is a slice. */
#include "nn/carry.h"

#include <stdio.h>
#include <string.h>

#include "base/carve.h"
#include "base/check.h"
#include "base/memory.h"
#include "puzzle/puzzle.h"

/* Carves the state of so many rows, and what those that halted take next. */
static void lay_out(trm__rows *r, trm__fresh *fresh, const trm__layout *l, const trm__backend *be,
                    int64_t rows, trm__carver *memory) {
  const int64_t cells = rows * l->dims.S, latent = be->ops->latent_size(be);
  for (int i = 0; i < l->plan->n_latents; i++)
    r->z[i] = trm__carve(memory, rows * latent, sizeof(real));
  r->inputs = trm__carve(memory, cells, sizeof *r->inputs);
  r->labels = trm__carve(memory, cells, sizeof *r->labels);
  if (l->dims.grid_cells) r->places = trm__carve(memory, cells, sizeof *r->places);
  r->puzzle_ids = trm__carve(memory, rows, sizeof *r->puzzle_ids);
  r->steps = trm__carve(memory, rows, sizeof *r->steps);
  r->halted = trm__carve(memory, rows, sizeof *r->halted);
  r->puzzle = trm__carve(memory, rows, sizeof *r->puzzle);

  if (l->dims.feedback) {
    r->decoded = trm__carve(memory, cells, sizeof *r->decoded);
    r->fed = trm__carve(memory, cells, sizeof *r->fed);
    fresh->corrupt = trm__carve(memory, cells, sizeof *fresh->corrupt);
  }

  fresh->inputs = trm__carve(memory, cells, sizeof *fresh->inputs);
  fresh->labels = trm__carve(memory, cells, sizeof *fresh->labels);
  if (l->dims.grid_cells) fresh->places = trm__carve(memory, cells, sizeof *fresh->places);
  fresh->puzzle_ids = trm__carve(memory, rows, sizeof *fresh->puzzle_ids);
}

int64_t trm__carry_bytes(const trm__layout *layout, const trm__backend *be, int rows) {
  trm__carver count = {0};
  trm__rows r = {0};
  trm__fresh fresh = {0};
  lay_out(&r, &fresh, layout, be, rows, &count);
  return count.bytes;
}

/* Where a row of the host waits for the backend; until then all rows are padding. */
static trm_status offered_row(trm__carry *c, trm_error *err) {
  const trm__layout *l = c->model->layout;
  const size_t S = (size_t)l->dims.S;
  c->wall = l->dims.grid_cells ? trm_puzzle_wall(&c->model->config.puzzle) : -1;
  if (!l->dims.grid_cells) return TRM_OK;
  TRM_ALLOC(&c->offered.inputs, 3 * S, "a row", err);
  c->offered.labels = c->offered.inputs + S;
  c->offered.places = c->offered.labels + S;
  for (size_t t = 0; t < S; t++) c->offered.places[t] = TRM__NO_PLACE;
  for (size_t r = 0; r < (size_t)c->n_rows; r++)
    c->be->ops->put(c->be, c->rows.places + r * S, c->offered.places,
                    S * sizeof *c->offered.places);
  return TRM_OK;
}

trm_status trm__carry_create(const trm_model *model, trm__backend *be, const trm__weights *weights,
                             int rows, trm__carry **out, trm_error *err) {
  const trm__layout *l = model->layout;
  const int64_t bytes = trm__carry_bytes(l, be, rows);
  trm__carry *c;
  TRM_ALLOC(&c, 1, "the carry", err);
  c->model = model;
  c->be = be;
  c->n_rows = rows;

  char what[40];
  snprintf(what, sizeof what, "the latents of %d rows", rows);
  trm_status st = trm__backend_alloc(be, bytes, 1, what, &c->memory, err);
  if (st != TRM_OK) goto done;
  trm__carver memory = {.block = c->memory};
  lay_out(&c->rows, &c->fresh, l, be, rows, &memory);
  TRM_ASSERT(memory.bytes == bytes);
  TRM_GOTO(offered_row(c, err));

  c->rows.n_latents = l->plan->n_latents;
  c->rows.puzzle_emb = weights->puzzle_emb;
  for (int i = 0; i < l->plan->n_latents; i++)
    c->rows.init[i] = (l->learned_latents ? weights->params : weights->buffers) + l->latent_init[i];
  trm__carry_halt(c, 0, rows);
  *out = c;
  return TRM_OK;
done:
  trm__carry_free(c);
  return st;
}

void trm__carry_free(trm__carry *c) {
  if (!c) return;
  c->be->ops->release(c->be, c->memory);
  trm__free(c->offered.inputs);
  trm__free(c);
}

static trm_status check_id(const trm__carry *c, int row, int32_t puzzle_id, trm_error *err) {
  int ids = c->model->config.num_puzzle_identifiers;
  if (puzzle_id < 0 || puzzle_id >= ids)
    TRM_FAIL_AT(err, TRM_E_RANGE, row, "row %d: puzzle id %d, but the model knows 0 to %d", row,
                puzzle_id, ids - 1);
  if (trm__model_puzzle_row(c->model, puzzle_id) < 0)
    TRM_FAIL_AT(err, TRM_E_RANGE, row,
                "row %d: puzzle id %d has no embedding: the model keeps those of %d of its %d ids; "
                "use the model that it was made from",
                row, puzzle_id, c->model->n_ids, ids);
  return TRM_OK;
}

static trm_status check_tokens(const trm__carry *c, int row, int64_t n, const int32_t *inputs,
                               const int32_t *labels, trm_error *err) {
  const int V = c->model->layout->dims.V;
  for (int t = 0; t < n; t++) {
    int32_t token = inputs[t], label = labels ? labels[t] : 0;
    if (token < 0 || token >= V || label >= V)
      TRM_FAIL_AT(err, TRM_E_RANGE, row,
                  "row %d, position %d: %s %d, but the model's tokens are 0 to %d", row, t,
                  token < 0 || token >= V ? "token" : "label",
                  token < 0 || token >= V ? token : label, V - 1);
  }
  return TRM_OK;
}

static trm_status check_open_cells(const trm__carry *c, int row, const int32_t *inputs,
                                   trm_error *err) {
  const int most = c->model->layout->dims.S;
  if (!c->model->layout->dims.grid_cells) return TRM_OK;
  const int n = trm__puzzle_open_cells(&c->model->config.puzzle, c->wall, inputs, 0, NULL);
  if (n == 0)
    TRM_FAIL_AT(err, TRM_E_RANGE, row, "row %d: the maze has no open cell, which a row is made of",
                row);
  if (n > most)
    TRM_FAIL_AT(err, TRM_E_RANGE, row,
                "row %d: the maze has %d open cells, but the model takes at most %d; set "
                "max_open_cells = %d in its configuration (config.json of its folder), on which no "
                "weight depends",
                row, n, most, n);
  return TRM_OK;
}

trm_status trm__carry_check_row(const trm__carry *c, int row, const int32_t *inputs,
                                const int32_t *labels, int32_t puzzle_id, trm_error *err) {
  TRM_TRY(check_id(c, row, puzzle_id, err));
  TRM_TRY(check_tokens(c, row, c->model->config.seq_len, inputs, labels, err));
  return check_open_cells(c, row, inputs, err);
}

trm_status trm__carry_check(const trm__carry *c, int n, const uint8_t *want, const int32_t *inputs,
                            const int32_t *labels, const int32_t *puzzle_ids, trm_error *err) {
  const int64_t cells = c->model->config.seq_len;
  for (int r = 0; r < n; r++)
    if (!want || want[r])
      TRM_TRY(trm__carry_check_row(c, r, inputs + r * cells, labels ? labels + r * cells : NULL,
                                   puzzle_ids ? puzzle_ids[r] : 0, err));
  return TRM_OK;
}

trm_status trm__carry_check_kept(const trm__carry *c, int n, const int32_t *inputs,
                                 const int32_t *labels, const int32_t *places,
                                 const int32_t *puzzle_ids, trm_error *err) {
  const trm__dims *dims = &c->model->layout->dims;
  const int64_t S = dims->S;
  for (int r = 0; r < n; r++) {
    TRM_TRY(check_id(c, r, puzzle_ids[r], err));
    TRM_TRY(check_tokens(c, r, S, inputs + r * S, labels + r * S, err));
    if (places) TRM_TRY(trm__check_places(dims, r, places + r * S, err));
  }
  return TRM_OK;
}

/* Rows [at, at + n): as they are, or each one's open cells. */
static void offer_cells(trm__carry *c, int64_t at, int64_t n, const int32_t *inputs,
                        const int32_t *labels) {
  const trm__backend_ops *ops = c->be->ops;
  const trm__dims *dims = &c->model->layout->dims;
  const int64_t S = dims->S, cells = c->model->config.seq_len;
  trm__fresh *to = &c->fresh;
  if (!dims->grid_cells) {
    const size_t bytes = (size_t)(n * S) * sizeof *inputs;
    ops->put(c->be, to->inputs + at * S, inputs, bytes);
    if (labels) ops->put(c->be, to->labels + at * S, labels, bytes);
    return;
  }
  const size_t bytes = (size_t)S * sizeof *inputs;
  for (int64_t r = 0; r < n; r++) {
    trm__gather_cells(dims, &c->model->config.puzzle, c->wall, inputs + r * cells,
                      labels ? labels + r * cells : NULL, &c->offered);
    ops->put(c->be, to->inputs + (at + r) * S, c->offered.inputs, bytes);
    ops->put(c->be, to->places + (at + r) * S, c->offered.places, bytes);
    if (labels) ops->put(c->be, to->labels + (at + r) * S, c->offered.labels, bytes);
  }
}

void trm__carry_offer(trm__carry *c, int first, int n, const int32_t *inputs, const int32_t *labels,
                      const int32_t *puzzle_ids) {
  const trm__backend_ops *ops = c->be->ops;
  offer_cells(c, first, n, inputs, labels);
  if (!c->model->ids && puzzle_ids) {
    ops->put(c->be, c->fresh.puzzle_ids + first, puzzle_ids, (size_t)n * sizeof *puzzle_ids);
    return;
  }
  for (int r = 0; r < n; r++) {
    int32_t id = puzzle_ids ? puzzle_ids[r] : 0, row = (int32_t)trm__model_puzzle_row(c->model, id);
    ops->put(c->be, c->fresh.puzzle_ids + first + r, &row, sizeof row);
  }
}

void trm__carry_halt(trm__carry *c, int first, int n) {
  uint8_t ones[64];
  memset(ones, 1, sizeof ones);
  for (int r = 0; r < n; r += 64)
    c->be->ops->put(c->be, c->rows.halted + first + r, ones, (size_t)(n - r < 64 ? n - r : 64));
}

void trm__carry_restore(trm__carry *c) {
  const trm__backend_ops *ops = c->be->ops;
  for (int64_t r = 0; r < c->n_rows; r++) {
    int32_t id;
    ops->get(c->be, &id, c->rows.puzzle_ids + r, sizeof id);
    const real *row =
        c->rows.puzzle_emb ? c->rows.puzzle_emb + (int64_t)id * c->model->layout->dims.E : NULL;
    ops->put(c->be, (void *)(c->rows.puzzle + r), &row, sizeof row);
  }
}

void trm__carry_move(trm__carry *c, int to, int from) {
  const trm__backend_ops *ops = c->be->ops;
  const trm__rows *r = &c->rows;
  int64_t S = c->model->layout->dims.S, latent = ops->latent_size(c->be);
  if (to == from) return;
  for (int i = 0; i < r->n_latents; i++)
    ops->copy(c->be, r->z[i] + to * latent, r->z[i] + from * latent, (size_t)latent * sizeof(real));
  ops->copy(c->be, r->inputs + to * S, r->inputs + from * S, (size_t)S * sizeof *r->inputs);
  ops->copy(c->be, r->labels + to * S, r->labels + from * S, (size_t)S * sizeof *r->labels);
  if (r->places)
    ops->copy(c->be, r->places + to * S, r->places + from * S, (size_t)S * sizeof *r->places);
  if (r->decoded)
    ops->copy(c->be, r->decoded + to * S, r->decoded + from * S, (size_t)S * sizeof *r->decoded);
  ops->copy(c->be, r->puzzle_ids + to, r->puzzle_ids + from, sizeof *r->puzzle_ids);
  ops->copy(c->be, r->puzzle + to, r->puzzle + from, sizeof *r->puzzle);
  ops->copy(c->be, r->steps + to, r->steps + from, sizeof *r->steps);
  ops->copy(c->be, r->halted + to, r->halted + from, sizeof *r->halted);
}

trm__tile trm__carry_tile(const trm__carry *c, int first, int n) {
  const trm__rows *r = &c->rows;
  int64_t S = c->model->layout->dims.S, latent = c->be->ops->latent_size(c->be);
  trm__tile t = {.rows = n,
                 .inputs = r->inputs + first * S,
                 .labels = r->labels + first * S,
                 .puzzle = r->puzzle + first,
                 .steps = r->steps + first,
                 .max_steps = c->model->config.halt_max_steps};
  for (int i = 0; i < r->n_latents; i++) t.z[i] = r->z[i] + first * latent;
  if (r->places) t.places = r->places + first * S;
  if (r->decoded) t.fed = t.decoded = r->decoded + first * S;
  return t;
}
