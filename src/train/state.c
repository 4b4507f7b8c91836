/* The trainer's state as one safetensors file: the flat blocks, and the carry; the same from every
 * device (latents as reals, in the order [rows, L, D]). */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/carve.h"
#include "base/check.h"
#include "base/memory.h"
#include "io/safetensors.h"
#include "train/trainer.h"

/* Everything that training changes: saved and loaded by the same list. */
enum { MAX_PARTS = 10 + TRM__MAX_GROUPS * TRM__RULE_STATES + TRM__MAX_LATENTS };

#define MAX_UPDATES 1000000000000000 /* as many as a configuration may ask for */

typedef struct part {
  trm__st_tensor tensor; /* .data: the host's copy */
  void *at;              /* in the backend's memory */
  int latent_rows;       /* > 0: of a latent */
  bool never_negative;
} part;

#ifdef TRM_REAL_DOUBLE
#define REAL_DTYPE TRM__F64
#else
#define REAL_DTYPE TRM__F32
#endif

static part *add_part(part parts[MAX_PARTS], int *n, const char *name, trm__dtype type,
                      int64_t count, void *at) {
  part *p = &parts[trm__push(n, MAX_PARTS)];
  *p = (part){.tensor = {.name = name, .dtype = type, .ndim = 1, .shape = {count}}, .at = at};
  return p;
}

static trm_status list_parts(const trm_trainer *t, part parts[MAX_PARTS], int *count,
                             trm_error *err) {
  const trm__layout *l = t->model->layout;
  const trm__rows *c = &t->carry->rows;
  const trm__update *u = &t->update;
  int n = 0;
  int64_t B = t->config.batch_size, latent = (int64_t)l->dims.L * l->dims.D;

  /* Weights, their average, and what the groups' rules keep. */
  add_part(parts, &n, "params", REAL_DTYPE, l->n_params, u->params);
  if (l->n_buffers > 0)
    add_part(parts, &n, "buffers", REAL_DTYPE, l->n_buffers, t->weights.buffers);
  if (u->puzzle_emb) add_part(parts, &n, "puzzle_emb", REAL_DTYPE, l->n_puzzle_emb, u->puzzle_emb);
  if (t->ema) add_part(parts, &n, "ema", REAL_DTYPE, l->n_params, u->ema);
  for (int i = 0; i < t->groups.n_states; i++) {
    const trm__rule_state *s = &t->groups.state[i];
    add_part(parts, &n, s->name, REAL_DTYPE, s->n, s->at)->never_negative = s->never_negative;
  }

  /* The carry. */
  for (int i = 0; i < l->plan->n_latents; i++)
    add_part(parts, &n, l->plan->latent[i], REAL_DTYPE, B * latent, c->z[i])->latent_rows = (int)B;
  add_part(parts, &n, "inputs", TRM__I32, B * l->dims.S, c->inputs);
  add_part(parts, &n, "labels", TRM__I32, B * l->dims.S, c->labels);
  if (c->places) add_part(parts, &n, "places", TRM__I32, B * l->dims.S, c->places);
  if (c->decoded) add_part(parts, &n, "decoded", TRM__I32, B * l->dims.S, c->decoded);
  add_part(parts, &n, "puzzle_ids", TRM__I32, B, c->puzzle_ids);
  add_part(parts, &n, "steps", TRM__I32, B, c->steps);
  add_part(parts, &n, "halted", TRM__U8, B, c->halted);
  *count = n;
  return trm__check_list(n, MAX_PARTS, "parts of a trainer's state", err);
}

static size_t part_bytes(const part *p) {
  return (size_t)p->tensor.shape[0] * trm__dtype_size(p->tensor.dtype);
}

/* The parts where the host can read them: there, or copied into *memory. */
static trm_status fetch_parts(const trm_trainer *t, part *parts, int n, unsigned char **memory,
                              trm_error *err) {
  const trm__backend_ops *ops = t->be->ops;
  trm__carver count = {0}, copies = {0};
  *memory = NULL;
  for (int i = 0; i < n; i++) parts[i].tensor.data = parts[i].at;
  if (ops->host) return TRM_OK;

  for (int i = 0; i < n; i++) (void)trm__carve(&count, (int64_t)part_bytes(&parts[i]), 1);
  TRM_ALLOC(memory, count.bytes, "a copy of the trainer's state", err);
  copies.block = *memory;
  for (int i = 0; i < n; i++) {
    void *copy = trm__carve(&copies, (int64_t)part_bytes(&parts[i]), 1);
    if (parts[i].latent_rows)
      ops->get_latents(t->be, parts[i].latent_rows, copy, parts[i].at);
    else
      ops->get(t->be, copy, parts[i].at, part_bytes(&parts[i]));
    parts[i].tensor.data = copy;
  }
  TRM_ASSERT(copies.bytes == count.bytes);
  return ops->run(t->be, NULL, NULL, 0, err);
}

/* A part from the host's values, which may be unaligned. */
static void set_part(const trm_trainer *t, const part *p, const void *values) {
  if (p->latent_rows)
    t->be->ops->put_latents(t->be, p->latent_rows, p->at, values);
  else
    t->be->ops->put(t->be, p->at, values, part_bytes(p));
}

/* What cannot be trained on is neither saved nor loaded; `data` may be unaligned. */
static trm_status check_values(const char *path, const part *p, const void *data, trm_error *err) {
  const trm__st_tensor *want = &p->tensor;
  for (int64_t i = 0; want->dtype == REAL_DTYPE && i < want->shape[0]; i++) {
    real v;
    memcpy(&v, (const char *)data + i * (int64_t)sizeof v, sizeof v);
    if (!isfinite((double)v) || (p->never_negative && v < 0))
      TRM_FAIL_AT(err, TRM_E_NUMERIC, i, "%s: value %lld of %s is %g; expected a finite%s number",
                  path, (long long)i, want->name, (double)v,
                  p->never_negative ? ", not negative" : "");
  }
  return TRM_OK;
}

static trm_status save_parts(const trm_trainer *t, const part *parts, int n, const char *path,
                             const trm__st_meta *more, int n_more, trm_error *err) {
  trm__st_tensor tensors[MAX_PARTS];
  char updates[32];
  for (int i = 0; i < n; i++) {
    tensors[i] = parts[i].tensor;
    TRM_TRY(check_values(path, &parts[i], tensors[i].data, err));
  }
  snprintf(updates, sizeof updates, "%lld", (long long)t->updates);
  trm__st_meta meta[2 + TRM__TRAINER_METAS] = {{"format", "trm trainer state"},
                                               {"updates", updates}};
  TRM_TRY(trm__check_list(n_more, TRM__TRAINER_METAS, "metadata of a trainer's state", err));
  for (int i = 0; i < n_more; i++) meta[2 + i] = more[i];
  return trm__safetensors_save(path, tensors, n, meta, 2 + n_more, err);
}

trm_status trm__trainer_save(const trm_trainer *t, const char *path, const trm__st_meta *more,
                             int n_more, trm_error *err) {
  part parts[MAX_PARTS];
  unsigned char *memory;
  int n;
  TRM_TRY(list_parts(t, parts, &n, err));
  trm_status st = fetch_parts(t, parts, n, &memory, err);
  if (st == TRM_OK) st = save_parts(t, parts, n, path, more, n_more, err);
  trm__free(memory);
  return st;
}

trm_status trm_trainer_save(const trm_trainer *t, const char *path, trm_error *err) {
  return trm__trainer_save(t, path, NULL, 0, err);
}

static trm_status check_parts(const trm__safetensors *file, const part *parts, int n,
                              const char *path, trm_error *err) {
  for (int i = 0; i < n; i++) {
    const trm__st_tensor *want = &parts[i].tensor, *have = trm__safetensors_find(file, want->name);
    if (!have)
      TRM_FAIL(err, TRM_E_SHAPE, "%s: no tensor %s; it is the state of another kind of run", path,
               want->name);
    if (have->dtype != want->dtype || have->count != want->shape[0])
      TRM_FAIL(
          err, TRM_E_SHAPE,
          "%s: %s has %lld values of %s, this run needs %lld of %s; resume with the configuration "
          "and batch size it was saved with",
          path, want->name, (long long)have->count, trm__dtype_name(have->dtype),
          (long long)want->shape[0], trm__dtype_name(want->dtype));
    TRM_TRY(check_values(path, &parts[i], have->data, err));
  }

  /* All of ours are there, so a tensor more is one of another run. */
  if (trm__safetensors_count(file) != n)
    TRM_FAIL(err, TRM_E_SHAPE,
             "%s: %d tensors, this run needs %d; it is the state of another kind of run", path,
             trm__safetensors_count(file), n);
  return TRM_OK;
}

/* The number of updates; it is counted on, so it must leave room. */
static trm_status read_updates(const trm__safetensors *file, const char *path, int64_t *out,
                               trm_error *err) {
  const char *text = trm__safetensors_meta(file, "updates");
  char *end = NULL;
  errno = 0;
  long long n = text && *text >= '0' && *text <= '9' ? strtoll(text, &end, 10) : -1;
  if (n < 0 || *end != 0 || errno || n > MAX_UPDATES)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: not a trainer's state: updates is %s; expected 0 to %lld",
             path, text ? text : "missing", (long long)MAX_UPDATES);
  *out = n;
  return TRM_OK;
}

/* Rows of the carry must make sense before they are indexed with. */
static trm_status check_carry(const trm__safetensors *file, const trm_trainer *t, const char *path,
                              trm_error *err) {
  size_t B = (size_t)t->config.batch_size, cells = B * (size_t)t->model->layout->dims.S;
  const bool placed = t->carry->rows.places;
  int32_t *copy;
  TRM_ALLOC(&copy, 3 * (uint64_t)cells + B, "a check of the carry", err);
  int32_t *ids = copy + 2 * cells, *places = placed ? ids + B : NULL;
  memcpy(copy, trm__safetensors_find(file, "inputs")->data, cells * sizeof *copy);
  memcpy(copy + cells, trm__safetensors_find(file, "labels")->data, cells * sizeof *copy);
  memcpy(ids, trm__safetensors_find(file, "puzzle_ids")->data, B * sizeof *copy);
  if (placed) memcpy(places, trm__safetensors_find(file, "places")->data, cells * sizeof *copy);
  trm_error inner;
  trm_status st = trm__carry_check_kept(t->carry, t->config.batch_size, copy, copy + cells, places,
                                        ids, &inner);

  /* The answers that are fed back are tokens, too. */
  const trm__st_tensor *decoded = trm__safetensors_find(file, "decoded");
  if (st == TRM_OK && decoded) {
    memcpy(copy, decoded->data, cells * sizeof *copy);
    st = trm__carry_check_kept(t->carry, t->config.batch_size, copy, copy + cells, places, ids,
                               &inner);
  }
  trm__free(copy);
  if (st != TRM_OK) TRM_FAIL(err, TRM_E_FORMAT, "%s: %s", path, inner.msg);
  return TRM_OK;
}

/* A row that is still busy has taken fewer steps than the most; one that halted, up to as many. */
static trm_status check_halting(const trm__safetensors *file, const trm_trainer *t,
                                const char *path, trm_error *err) {
  const char *steps = trm__safetensors_find(file, "steps")->data;
  const uint8_t *halted = trm__safetensors_find(file, "halted")->data;
  int most = t->model->config.halt_max_steps;
  for (int r = 0; r < t->config.batch_size; r++) {
    int32_t taken;
    memcpy(&taken, steps + (size_t)r * sizeof taken, sizeof taken);
    if (halted[r] > 1 || taken < 0 || taken > most - !halted[r])
      TRM_FAIL_AT(err, TRM_E_FORMAT, r,
                  "%s: row %d: halted %d after %d steps; expected 0 or 1, and at most %d steps",
                  path, r, halted[r], taken, most);
  }
  return TRM_OK;
}

trm_status trm_trainer_load(trm_trainer *t, const char *path, trm_error *err) {
  trm__safetensors *file;
  part parts[MAX_PARTS];
  trm_status st;
  int n;
  TRM_TRY(list_parts(t, parts, &n, err));
  TRM_TRY(trm__safetensors_open(path, &file, err));

  /* All of the file is checked before any of the trainer changes. */
  int64_t updates;
  TRM_GOTO(read_updates(file, path, &updates, err));
  TRM_GOTO(check_parts(file, parts, n, path, err));
  TRM_GOTO(check_carry(file, t, path, err));
  TRM_GOTO(check_halting(file, t, path, err));

  /* The parts, and what follows from them. */
  for (int i = 0; i < n; i++)
    set_part(t, &parts[i], trm__safetensors_find(file, parts[i].tensor.name)->data);
  trm__carry_restore(t->carry);
  t->updates = updates;
  trm__read_rows(t);
  TRM_GOTO(trm__pack_weights(t, err));
  st = trm_trainer_sync(t, err);
done:
  trm__safetensors_close(file);
  return st;
}
