/* Rows of the carry: one latent block [rows, L, D] per latent, so that a tile is a slice. */
#include "nn/carry.h"

#include <string.h>

#include "base/memory.h"

trm_status trm__carry_create(const trm_model *model, int rows, trm__carry **out, trm_error *err) {
  const trm__dims *m = &model->layout->dims;
  trm__carry *c;
  size_t n = (size_t)rows;
  bool ok = true;
  TRM_ALLOC(&c, 1, "the carry", err);
  c->model = model;
  c->rows = rows;
  for (int i = 0; i < model->layout->plan->n_latents; i++) {
    c->z[i] = trm__alloc(n * (size_t)m->L, (size_t)m->D * sizeof(real));
    ok = ok && c->z[i];
  }
  c->inputs = trm__alloc(n * (size_t)m->S, sizeof *c->inputs);
  c->labels = trm__alloc(n * (size_t)m->S, sizeof *c->labels);
  c->puzzle_ids = trm__alloc(n, sizeof *c->puzzle_ids);
  c->steps = trm__alloc(n, sizeof *c->steps);
  c->halted = trm__alloc(n, sizeof *c->halted);
  c->puzzle = trm__alloc(n, sizeof *c->puzzle);
  if (!ok || !c->inputs || !c->labels || !c->puzzle_ids || !c->steps || !c->halted || !c->puzzle) {
    trm__carry_free(c);
    TRM_FAIL(err, TRM_E_MEMORY, "no memory for the latents of %d rows (%lld MiB)", rows,
             (long long)(trm__carry_bytes(model->layout, rows) >> 20));
  }
  memset(c->halted, 1, n);
  *out = c;
  return TRM_OK;
}

void trm__carry_free(trm__carry *c) {
  if (!c) return;
  for (int i = 0; i < TRM__MAX_LATENTS; i++) trm__free(c->z[i]);
  trm__free(c->inputs);
  trm__free(c->labels);
  trm__free(c->puzzle_ids);
  trm__free(c->steps);
  trm__free(c->halted);
  trm__free(c->puzzle);
  trm__free(c);
}

int64_t trm__carry_bytes(const trm__layout *layout, int rows) {
  const trm__dims *m = &layout->dims;
  int64_t latent = (int64_t)m->L * m->D * (int64_t)sizeof(real);
  return rows * (layout->plan->n_latents * latent + 8 * (int64_t)m->S + 24);
}

trm_status trm__carry_check_row(const trm__carry *c, int row, const int32_t *inputs,
                                const int32_t *labels, int32_t puzzle_id, trm_error *err) {
  const trm__dims *m = &c->model->layout->dims;
  int ids = c->model->config.num_puzzle_identifiers;
  if (puzzle_id < 0 || puzzle_id >= ids)
    TRM_FAIL_AT(err, TRM_E_RANGE, row, "row %d: puzzle id %d, but the model knows 0 to %d", row,
                puzzle_id, ids - 1);
  if (trm__model_puzzle_row(c->model, puzzle_id) < 0)
    TRM_FAIL_AT(err, TRM_E_RANGE, row,
                "row %d: puzzle id %d has no embedding: the model keeps those of %d of its %d ids; "
                "use the model that it was made from",
                row, puzzle_id, c->model->n_ids, ids);
  for (int t = 0; t < m->S; t++) {
    int32_t token = inputs[t], label = labels ? labels[t] : 0;
    if (token < 0 || token >= m->V || label >= m->V)
      TRM_FAIL_AT(err, TRM_E_RANGE, row,
                  "row %d, position %d: %s %d, but the model's tokens are 0 to %d", row, t,
                  token < 0 || token >= m->V ? "token" : "label",
                  token < 0 || token >= m->V ? token : label, m->V - 1);
  }
  return TRM_OK;
}

trm_status trm__carry_check(const trm__carry *c, int n, const uint8_t *want, const int32_t *inputs,
                            const int32_t *labels, const int32_t *puzzle_ids, trm_error *err) {
  int64_t S = c->model->layout->dims.S;
  for (int r = 0; r < n; r++)
    if (!want || want[r])
      TRM_TRY(trm__carry_check_row(c, r, inputs + r * S, labels ? labels + r * S : NULL,
                                   puzzle_ids ? puzzle_ids[r] : 0, err));
  return TRM_OK;
}

void trm__carry_refill(trm__carry *c, int row, const int32_t *inputs, const int32_t *labels,
                       int32_t puzzle_id) {
  const trm__layout *l = c->model->layout;
  const trm__dims *m = &l->dims;
  int64_t S = m->S, latent = (int64_t)m->L * m->D;
  memcpy(c->inputs + row * S, inputs, (size_t)S * sizeof *inputs);
  for (int64_t t = 0; t < S; t++) c->labels[row * S + t] = labels ? labels[t] : -1;
  c->puzzle_ids[row] = puzzle_id;
  c->puzzle[row] = c->model->puzzle_emb
                       ? c->model->puzzle_emb + trm__model_puzzle_row(c->model, puzzle_id) * m->E
                       : NULL;
  c->steps[row] = 0;
  c->halted[row] = 0;
  for (int i = 0; i < l->plan->n_latents; i++) {
    const real *init = c->model->buffers + l->slots[l->latent_init[i]].offset;
    real *z = c->z[i] + row * latent;
    for (int t = 0; t < m->L; t++) memcpy(z + (int64_t)t * m->D, init, (size_t)m->D * sizeof *z);
  }
}

void trm__carry_move(trm__carry *c, int to, int from) {
  const trm__layout *l = c->model->layout;
  int64_t S = l->dims.S, latent = (int64_t)l->dims.L * l->dims.D;
  if (to == from) return;
  for (int i = 0; i < l->plan->n_latents; i++)
    memcpy(c->z[i] + to * latent, c->z[i] + from * latent, (size_t)latent * sizeof(real));
  memcpy(c->inputs + to * S, c->inputs + from * S, (size_t)S * sizeof *c->inputs);
  memcpy(c->labels + to * S, c->labels + from * S, (size_t)S * sizeof *c->labels);
  c->puzzle_ids[to] = c->puzzle_ids[from];
  c->puzzle[to] = c->puzzle[from];
  c->steps[to] = c->steps[from];
  c->halted[to] = c->halted[from];
}

trm__tile trm__carry_tile(const trm__carry *c, int first, int n) {
  const trm__layout *l = c->model->layout;
  int64_t S = l->dims.S, latent = (int64_t)l->dims.L * l->dims.D;
  trm__tile t = {.rows = n,
                 .inputs = c->inputs + first * S,
                 .labels = c->labels + first * S,
                 .puzzle = c->puzzle + first,
                 .steps = c->steps + first,
                 .max_steps = c->model->config.halt_max_steps};
  for (int i = 0; i < l->plan->n_latents; i++) t.z[i] = c->z[i] + first * latent;
  return t;
}
