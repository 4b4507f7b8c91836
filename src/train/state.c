/* The trainer's state as one safetensors file: the flat blocks, and the carry; the same from every
 * device (latents as reals, in the order [rows, L, D]) and from any number of ranks: rank 0 writes
 * it, and asks the others for their rows of a tensor when it comes to it. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/carve.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/memory.h"
#include "io/safetensors.h"
#include "train/trainer.h"

/* Everything that training changes: saved and loaded by the same list. */
enum { MAX_PARTS = 10 + TRM__MAX_GROUPS * TRM__RULE_STATES + TRM__MAX_LATENTS };

#define MAX_UPDATES 1000000000000000 /* as many as a configuration may ask for */

typedef struct part {
  trm__st_tensor tensor; /* .data: the host's copy */
  void *at;              /* in the backend's memory */
  int64_t row;           /* > 0: values of a row, of which at has this trainer's */
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

/* Of all rows of the batch. */
static part *add_rows(const trm_trainer *t, part parts[MAX_PARTS], int *n, const char *name,
                      trm__dtype type, int64_t row, void *at) {
  part *p = add_part(parts, n, name, type, t->config.batch_size * row, at);
  p->row = row;
  return p;
}

static trm_status list_parts(const trm_trainer *t, part parts[MAX_PARTS], int *count,
                             trm_error *err) {
  const trm__layout *l = t->model->layout;
  const trm__rows *c = &t->carry->rows;
  const trm__update *u = &t->update;
  const int64_t S = l->dims.S, latent = (int64_t)l->dims.L * l->dims.D;
  int n = 0;

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
    add_rows(t, parts, &n, l->plan->latent[i], REAL_DTYPE, latent, c->z[i])->latent_rows =
        t->share.rows;
  add_rows(t, parts, &n, "inputs", TRM__I32, S, c->inputs);
  add_rows(t, parts, &n, "labels", TRM__I32, S, c->labels);
  if (c->places) add_rows(t, parts, &n, "places", TRM__I32, S, c->places);
  if (c->decoded) add_rows(t, parts, &n, "decoded", TRM__I32, S, c->decoded);
  add_rows(t, parts, &n, "puzzle_ids", TRM__I32, 1, c->puzzle_ids);
  add_rows(t, parts, &n, "steps", TRM__I32, 1, c->steps);
  add_rows(t, parts, &n, "halted", TRM__U8, 1, c->halted);
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

static size_t row_bytes(const part *p) {
  return (size_t)p->row * trm__dtype_size(p->tensor.dtype);
}

/* A part, or what this trainer has of it, from the host's values of all, which may be unaligned. */
static void set_part(const trm_trainer *t, const part *p, const void *all) {
  const void *values = (const char *)all + row_bytes(p) * (size_t)t->share.first;
  if (p->row && !p->latent_rows)
    t->be->ops->put(t->be, p->at, values, row_bytes(p) * (size_t)t->share.rows);
  else if (p->latent_rows)
    t->be->ops->put_latents(t->be, p->latent_rows, p->at, values);
  else
    t->be->ops->put(t->be, p->at, values, part_bytes(p));
}

/* What cannot be trained on is neither saved nor loaded: n values of a part; `data` may be
 * unaligned.
 */
static trm_status check_values(const char *path, const part *p, const void *data, int64_t n,
                               trm_error *err) {
  const trm__st_tensor *want = &p->tensor;
  for (int64_t i = 0; want->dtype == REAL_DTYPE && i < n; i++) {
    real v;
    memcpy(&v, (const char *)data + i * (int64_t)sizeof v, sizeof v);
    if (!isfinite((double)v) || (p->never_negative && v < 0))
      TRM_FAIL_AT(err, TRM_E_NUMERIC, i, "%s: value %lld of %s is %g; expected a finite%s number",
                  path, (long long)i, want->name, (double)v,
                  p->never_negative ? ", not negative" : "");
  }
  return TRM_OK;
}

static int64_t own_values(const trm_trainer *t, const part *p) {
  return p->row ? p->row * t->share.rows : p->tensor.shape[0];
}

/* --- rows of other ranks --------------------------------------------------------------------- */

enum { SERVED = -1 /* in place of a part's number */, PIECE = 1 << 20 /* bytes at once */ };

/* Rank 0's way to the rows of a part while it is written. */
typedef struct rows_of_all {
  const trm_trainer *t;
  const part *part;
  int32_t index;
  trm_status *st; /* and the first failure to get some */
  trm_error *err;
} rows_of_all;

/* The rows of one rank, piece by piece; after a failure all that is written is worthless anyway. */
static trm_status fetch_rows(const rows_of_all *from, int rank, unsigned char *piece,
                             trm__writer *w, trm_error *err) {
  const trm_trainer *t = from->t;
  trm_comm *c = t->config.comm;
  const trm__share s = trm__share_of(&t->config, t->be->ops->slots, rank);
  size_t left = row_bytes(from->part) * (size_t)s.rows;
  TRM_TRY(trm__comm_exchange(c, rank, &from->index, sizeof from->index, NULL, 0, err));
  while (left > 0) {
    const size_t n = left < PIECE ? left : PIECE;
    TRM_TRY(trm__comm_exchange(c, rank, NULL, 0, piece, n, err));
    trm__write(w, piece, n);
    left -= n;
  }
  return TRM_OK;
}

static void write_rows(const trm__st_tensor *tensor, trm__writer *w) {
  const rows_of_all *from = tensor->data;
  const trm_trainer *t = from->t;
  trm__write(w, from->part->at, row_bytes(from->part) * (size_t)t->share.rows);
  if (*from->st != TRM_OK) return;
  unsigned char *piece = trm__alloc(PIECE, 1);
  if (!piece) *from->st = trm__no_memory("rows of other ranks", PIECE, 1, from->err);
  for (int r = 1; r < t->config.comm->size && *from->st == TRM_OK; r++)
    *from->st = fetch_rows(from, r, piece, w, from->err);
  trm__free(piece);
}

static trm_status send_rows(const trm_trainer *t, const part *p, trm_error *err) {
  const unsigned char *from = p->at;
  size_t left = row_bytes(p) * (size_t)t->share.rows;
  while (left > 0) {
    const size_t n = left < PIECE ? left : PIECE;
    TRM_TRY(trm__comm_exchange(t->config.comm, 0, from, n, NULL, 0, err));
    from += n;
    left -= n;
  }
  return TRM_OK;
}

trm_status trm__trainer_serve(const trm_trainer *t, trm_error *err) {
  part parts[MAX_PARTS];
  int n;
  TRM_TRY(list_parts(t, parts, &n, err));
  for (int32_t wanted;;) {
    TRM_TRY(trm__comm_exchange(t->config.comm, 0, NULL, 0, &wanted, sizeof wanted, err));
    if (wanted == SERVED) return TRM_OK;
    if (wanted < 0 || wanted >= n || !parts[wanted].row)
      TRM_FAIL(err, TRM_E_SYSTEM, "rank 0 asks for rows of part %d, which has none", (int)wanted);
    TRM_TRY(send_rows(t, &parts[wanted], err));
  }
}

trm_status trm__trainer_served(const trm_trainer *t, trm_error *err) {
  const int32_t end = SERVED;
  for (int r = 1; r < trm__comm_size(t->config.comm); r++)
    TRM_TRY(trm__comm_exchange(t->config.comm, r, &end, sizeof end, NULL, 0, err));
  return TRM_OK;
}

/* --- the same everywhere --------------------------------------------------------------------- */

/* Of bytes that nobody makes collide on purpose, eight at a time. */
static uint64_t hash_fast(uint64_t hash, const void *data, size_t n) {
  const unsigned char *bytes = data;
  for (uint64_t word; n >= sizeof word; n -= sizeof word, bytes += sizeof word) {
    memcpy(&word, bytes, sizeof word);
    hash = (hash ^ word) * TRM__HASH_PRIME;
    hash ^= hash >> 32;
  }
  return trm__hash_bytes(hash, bytes, n);
}

/* A rank that has another value than most; where no value has most, than rank 0. -1: none. */
static int find_odd(uint64_t (*of)[MAX_PARTS], int ranks, int i) {
  int usual = 0, times = 0;
  for (int r = 0; r < ranks; r++) {
    int n = 0;
    for (int k = 0; k < ranks; k++) n += of[k][i] == of[r][i];
    if (n > times) usual = r, times = n;
  }
  for (int r = 0; r < ranks; r++)
    if (of[r][i] != of[usual][i]) return r;
  return -1;
}

/* Ranks compute weights, averages and what the rules keep each for itself, from the same figures:
 * one whose memory or processor errs is found before what it has, or what the others have, is
 * believed. */
static trm_status check_alike(const trm_trainer *t, const part *parts, int n, trm_error *err) {
  uint64_t of[TRM_COMM_MOST][MAX_PARTS] = {{0}};
  trm_comm *c = t->config.comm;
  for (int i = 0; i < n; i++) {
    const uint64_t start = TRM__HASH_START ^ (uint64_t)t->updates;
    of[c->rank][i] = parts[i].row ? 0 : hash_fast(start, parts[i].at, part_bytes(&parts[i]));
  }
  TRM_TRY(trm__comm_gather_equal(c, of, sizeof *of, err));

  /* Who is at fault says so, as all the others know. */
  trm_status st = TRM_OK;
  for (int i = 0, odd = -1; i < n && odd < 0; i++) {
    odd = find_odd(of, c->size, i);
    if (odd == c->rank)
      st = trm__fail(err, TRM_E_SYSTEM, -1,
                     "after update %lld its %s differs from that of the other ranks, though all "
                     "compute the same: look at the memory and the processor of this host. Nothing "
                     "was saved; --resume goes on from the last checkpoint",
                     (long long)t->updates, parts[i].tensor.name);
  }
  return trm__comm_settle(c, st, err);
}

/* --- saving ---------------------------------------------------------------------------------- */

static trm_status check_parts_here(const trm_trainer *t, const part *parts, int n, const char *path,
                                   trm_error *err) {
  for (int i = 0; i < n; i++)
    TRM_TRY(check_values(path, &parts[i], parts[i].tensor.data, own_values(t, &parts[i]), err));
  return TRM_OK;
}

trm_status trm__trainer_check_ranks(const trm_trainer *t, const char *path, trm_error *err) {
  part parts[MAX_PARTS];
  int n;
  trm_status st = list_parts(t, parts, &n, err);
  for (int i = 0; i < n && st == TRM_OK; i++) parts[i].tensor.data = parts[i].at;
  if (st == TRM_OK) st = check_parts_here(t, parts, n, path, err);
  TRM_TRY(trm__comm_settle(t->config.comm, st, err));
  return check_alike(t, parts, n, err);
}

static trm_status save_parts(const trm_trainer *t, const part *parts, int n, const char *path,
                             const trm__st_meta *more, int n_more, trm_error *err) {
  trm__st_tensor tensors[MAX_PARTS];
  rows_of_all rows[MAX_PARTS];
  char updates[32];
  trm_error missing = {0};
  trm_status others = TRM_OK;
  TRM_TRY(check_parts_here(t, parts, n, path, err));
  for (int i = 0; i < n; i++) {
    tensors[i] = parts[i].tensor;
    if (!parts[i].row || !trm__is_shared(t)) continue;
    rows[i] = (rows_of_all){t, &parts[i], i, &others, &missing};
    tensors[i].data = &rows[i];
    tensors[i].write = write_rows;
  }
  snprintf(updates, sizeof updates, "%lld", (long long)t->updates);
  trm__st_meta meta[2 + TRM__TRAINER_METAS] = {{"format", "trm trainer state"},
                                               {"updates", updates}};
  TRM_TRY(trm__check_list(n_more, TRM__TRAINER_METAS, "metadata of a trainer's state", err));
  for (int i = 0; i < n_more; i++) meta[2 + i] = more[i];
  TRM_TRY(trm__safetensors_save(path, tensors, n, meta, 2 + n_more, err));
  return others == TRM_OK ? others : trm__fail(err, others, missing.pos, "%s", missing.msg);
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
  trm_comm *c = t->config.comm;
  if (!trm__is_shared(t)) return trm__trainer_save(t, path, NULL, 0, err);
  trm__comm_begin(c);
  TRM_TRY(trm__trainer_check_ranks(t, path, err));
  trm_error unserved;
  trm_status st =
      trm__comm_leads(c) ? trm__trainer_save(t, path, NULL, 0, err) : trm__trainer_serve(t, err);
  if (trm__comm_leads(c) && trm__trainer_served(t, &unserved) != TRM_OK && st == TRM_OK)
    st = trm__fail(err, unserved.code, -1, "%s", unserved.msg);
  return trm__comm_settle(c, st, err);
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
    TRM_TRY(check_values(path, &parts[i], have->data, want->shape[0], err));
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

/* Opens a state and checks all of it, before any of the trainer changes. */
static trm_status open_state(const trm_trainer *t, const part *parts, int n, const char *path,
                             trm__safetensors **file, int64_t *updates, trm_error *err) {
  TRM_TRY(trm__safetensors_open(path, file, err));
  TRM_TRY(read_updates(*file, path, updates, err));
  TRM_TRY(check_parts(*file, parts, n, path, err));
  TRM_TRY(check_carry(*file, t, path, err));
  return check_halting(*file, t, path, err);
}

/* The parts, and what follows from them. */
static trm_status take_state(trm_trainer *t, const part *parts, int n, const trm__safetensors *file,
                             int64_t updates, trm_error *err) {
  const size_t B = (size_t)t->config.batch_size;
  for (int i = 0; i < n; i++)
    set_part(t, &parts[i], trm__safetensors_find(file, parts[i].tensor.name)->data);
  trm__carry_restore(t->carry);
  t->updates = updates;
  if (trm__is_shared(t)) { /* what nobody has gathered yet */
    memcpy(t->view.steps, trm__safetensors_find(file, "steps")->data, B * sizeof *t->view.steps);
    memcpy(t->view.halted, trm__safetensors_find(file, "halted")->data, B);
  }
  trm__read_rows(t);
  TRM_TRY(trm__pack_weights(t, err));
  return trm_trainer_sync(t, err);
}

/* All ranks have read the same file: CONFIG, while every trainer is as it was. */
static trm_status same_state(const trm_trainer *t, const part *parts, int n,
                             const trm__safetensors *file, int64_t updates, trm_error *err) {
  uint64_t h = TRM__HASH_START;
  char text[64];
  if (!trm__is_shared(t)) return TRM_OK;
  for (int i = 0; i < n; i++)
    h = hash_fast(h, trm__safetensors_find(file, parts[i].tensor.name)->data,
                  part_bytes(&parts[i]));
  (void)snprintf(text, sizeof text, "fingerprint %016llx after update %lld", (unsigned long long)h,
                 (long long)updates);
  return trm__comm_same(t->config.comm, "state", text, "read one file everywhere", err);
}

trm_status trm_trainer_load(trm_trainer *t, const char *path, trm_error *err) {
  trm__safetensors *file = NULL;
  part parts[MAX_PARTS];
  int64_t updates = 0;
  int n;
  trm__comm_begin(t->config.comm);
  trm_status st = list_parts(t, parts, &n, err);
  if (st == TRM_OK) st = open_state(t, parts, n, path, &file, &updates, err);
  st = trm__comm_settle(t->config.comm, st, err);
  if (st == TRM_OK) st = same_state(t, parts, n, file, updates, err);
  if (st == TRM_OK)
    st = trm__comm_settle(t->config.comm, take_state(t, parts, n, file, updates, err), err);
  trm__safetensors_close(file);
  return st;
}
