/* An update that ranks share: each has some of the row slots, and their rows. The tree in which an
 * op adds the slots of one trainer goes on from rank to rank, ((0+1)+(2+3)) + ((4+5)+(6+7)), so the
 * sum has the bits of one trainer alone; and what is told of single rows is gathered, so that all
 * that follows - halting, metrics, norms, rules - is the same code on the same bytes everywhere. */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/os_thread.h"
#include "train/trainer.h"
#include "trm.h"

/* Reals of a sum that come in at once: they stay in a cache until they are added. */
enum { PIECE = 1 << 18 };

bool trm__is_shared(const trm_trainer *t) {
  return trm__comm_size(t->config.comm) > 1;
}

trm__share trm__share_of(const trm_trainer_config *c, int slots, int rank) {
  const int ranks = trm__comm_size(c->comm), each = slots < ranks ? 1 : slots / ranks;
  const int64_t B = c->batch_size, all = (int64_t)each * ranks;
  const int first = (int)(B * rank * each / all), end = (int)(B * (rank + 1) * each / all);
  return (trm__share){rank * each, each, first, end - first};
}

/* --- memory ---------------------------------------------------------------------------------- */

/* What is told of a row: its loss, how its last solved step went, the gradient of its puzzle's
 * embedding, its puzzle and where it is. */
typedef struct figures {
  trm__row_loss loss;
  int32_t id, steps;
  uint8_t halted;
} figures;

static size_t figures_bytes(const trm__layout *l, bool solved) {
  return sizeof(figures) + (solved ? sizeof(trm__solved) : 0) + (size_t)l->dims.E * sizeof(real);
}
static bool is_solved(const trm__layout *l) {
  return l->plan->solving.method != TRM_RECURSION_UPDATES;
}
static int64_t piece_reals(const trm__layout *l) {
  return l->n_params < PIECE ? l->n_params : PIECE;
}

int64_t trm__shared_bytes(const trm__layout *l, const trm_trainer_config *c) {
  if (trm__comm_size(c->comm) == 1) return 0;
  return piece_reals(l) * (int64_t)sizeof(real) +
         c->batch_size * (int64_t)(figures_bytes(l, is_solved(l)) + sizeof(int32_t));
}

trm_status trm__shared_memory(trm_trainer *t, trm_error *err) {
  const trm__layout *l = t->model->layout;
  const int64_t B = t->config.batch_size;
  if (!trm__is_shared(t)) return TRM_OK;
  TRM_ALLOC(&t->piece, piece_reals(l), "a part of a sum", err);
  TRM_ALLOC(&t->told, B * (int64_t)figures_bytes(l, t->solved), "the figures of rows", err);
  TRM_ALLOC(&t->ids, B, "puzzle ids", err);
  t->update.puzzle_ids = t->ids;
  return TRM_OK;
}

/* --- the start ------------------------------------------------------------------------------- */

static uint64_t hash_weights(const trm_trainer *t) {
  const trm__layout *l = t->model->layout;
  uint64_t h =
      trm__hash_bytes(TRM__HASH_START, t->update.params, (size_t)l->n_params * sizeof(real));
  if (t->update.puzzle_emb)
    h = trm__hash_bytes(h, t->update.puzzle_emb, (size_t)l->n_puzzle_emb * sizeof(real));
  return h;
}

trm_status trm__shared_begin(trm_trainer *t, trm_error *err) {
  trm_comm *c = t->config.comm;
  char text[160];
  if (!trm__is_shared(t)) return TRM_OK;
  TRM_TRY(trm__comm_same(c, "set of kernels", t->be->ops->kernels(t->be),
                         "they round differently; set TRM_ISA to one that all have", err));
  (void)snprintf(text, sizeof text, "%d rows, seed %llu, %lld weights", t->config.batch_size,
                 (unsigned long long)t->config.seed, (long long)t->update.n);
  TRM_TRY(trm__comm_same(c, "training", text, "", err));
  (void)snprintf(text, sizeof text, "fingerprint %016llx after update %lld",
                 (unsigned long long)hash_weights(t), (long long)t->updates);
  return trm__comm_same(c, "state of the weights", text, "read one file everywhere", err);
}

/* --- what is sent ---------------------------------------------------------------------------- */

/* Exchanges of an update, which are counted. */
static trm_status exchange(trm_trainer *t, int peer, const void *out, size_t n_out, void *in,
                           size_t n_in, trm_error *err) {
  t->shared.bytes += (int64_t)n_out;
  return trm__comm_exchange(t->config.comm, peer, out, n_out, in, n_in, err);
}

static trm_status gather(trm_trainer *t, void *all, const size_t *at, trm_error *err) {
  const trm_comm *c = t->config.comm;
  for (int width = 1; width < c->size; width *= 2) {
    const int own = c->rank / width * width;
    t->shared.bytes += (int64_t)(at[own + width] - at[own]);
  }
  return trm__comm_gather(t->config.comm, all, at, err);
}

/* --- an update ------------------------------------------------------------------------------- */

/* Where the parts of the ranks begin in what has `bytes` for each row. */
static void row_places(const trm_trainer *t, size_t bytes, size_t at[TRM_COMM_MOST + 1]) {
  const int ranks = t->config.comm->size;
  for (int r = 0; r < ranks; r++)
    at[r] = bytes * (size_t)trm__share_of(&t->config, t->be->ops->slots, r).first;
  at[ranks] = bytes * (size_t)t->config.batch_size;
}

/* All have computed their rows: who is slow is told apart from what is slow. */
static trm_status wait_for_all(trm_trainer *t, trm_error *err) {
  char there[TRM_COMM_MOST] = {0};
  const double start = trm__os_seconds();
  TRM_TRY(trm__comm_gather_equal(t->config.comm, there, 1, err));
  t->shared.waiting += trm__os_seconds() - start;
  return TRM_OK;
}

static trm_status share_experts(trm_trainer *t, trm_error *err) {
  const trm__experts_update *x = &t->experts;
  const trm__layout *l = t->model->layout;
  size_t at[TRM_COMM_MOST + 1];
  for (int i = t->plan->first_grad; i < t->plan->n_steps; i++) {
    const int net = t->plan->steps[i].net;
    for (int block = l->net_first[net]; block < l->net_first[net + 1]; block++) {
      const trm__experts *e = trm__experts_of(&l->dims, l->blocks[block].kind);
      const int64_t a = (int64_t)(i - t->plan->first_grad) * x->stride + block - l->net_first[net];
      if (!e) continue;
      row_places(t, 2 * (size_t)e->n * sizeof *x->told, at);
      TRM_TRY(gather(t, x->told + a * x->rows * x->figures, at, err));
    }
  }
  return TRM_OK;
}

trm_status trm__shared_experts(trm_trainer *t, trm_error *err) {
  TRM_TRY(wait_for_all(t, err));
  const double start = trm__os_seconds();
  TRM_TRY(share_experts(t, err));
  t->shared.talking += trm__os_seconds() - start;
  return TRM_OK;
}

/* Elements [lo, hi) of a block. */
typedef struct range {
  int64_t lo, hi;
} range;

/* `give` of the block goes to the peer, and its values of `keep` are added to those that are there.
 */
static trm_status add_from(trm_trainer *t, int peer, range give, range keep, trm_error *err) {
  real *sum = t->update.grads;
  const int64_t most = piece_reals(t->model->layout);
  while (give.lo < give.hi || keep.lo < keep.hi) {
    const int64_t out = give.hi - give.lo < most ? give.hi - give.lo : most;
    const int64_t in = keep.hi - keep.lo < most ? keep.hi - keep.lo : most;
    TRM_TRY(exchange(t, peer, sum + give.lo, (size_t)out * sizeof *sum, t->piece,
                     (size_t)in * sizeof *sum, err));
    for (int64_t i = 0; i < in; i++) sum[keep.lo + i] += t->piece[i];
    give.lo += out;
    keep.lo += in;
  }
  return TRM_OK;
}

/* The tree over the ranks: at each of its levels a rank hands half of what it has to its neighbour
 * and goes on with the sum of the other half; then the finished parts go the same way back. So each
 * element is added once at each level, by one rank, and 2 (R - 1) / R of the block are sent. */
static trm_status sum_ranks(trm_trainer *t, trm_error *err) {
  const trm_comm *c = t->config.comm;
  range have[TRM_COMM_MOST] = {{0, t->update.n}}, other[TRM_COMM_MOST];
  real *sum = t->update.grads;
  int levels = 0;
  for (; 1 << levels < c->size; levels++) {
    const range all = have[levels];
    const int64_t middle = all.lo + (all.hi - all.lo) / 2;
    const range low = {all.lo, middle}, high = {middle, all.hi};
    const bool upper = c->rank >> levels & 1;
    have[levels + 1] = upper ? high : low;
    other[levels] = upper ? low : high;
    TRM_TRY(add_from(t, c->rank ^ 1 << levels, other[levels], have[levels + 1], err));
  }
  while (levels-- > 0) {
    const range own = have[levels + 1], theirs = other[levels];
    TRM_TRY(exchange(t, c->rank ^ 1 << levels, sum + own.lo,
                     (size_t)(own.hi - own.lo) * sizeof *sum, sum + theirs.lo,
                     (size_t)(theirs.hi - theirs.lo) * sizeof *sum, err));
  }
  return TRM_OK;
}

/* Figures of row r (of the batch) to or from its place in what is gathered. */
static void pack_row(const trm_trainer *t, int r, unsigned char *to) {
  const trm__rows *rows = &t->carry->rows;
  const int own = r - t->share.first;
  const size_t E = (size_t)t->model->layout->dims.E;
  figures f = {.loss = t->loss[r],
               .id = rows->puzzle_ids[own],
               .steps = rows->steps[own],
               .halted = rows->halted[own]};
  memcpy(to, &f, sizeof f);
  to += sizeof f;
  if (t->solved) memcpy(to, &t->solved[r], sizeof *t->solved);
  to += t->solved ? sizeof *t->solved : 0;
  memcpy(to, t->update.d_puzzle + (size_t)r * E, E * sizeof(real));
}
static void unpack_row(trm_trainer *t, int r, const unsigned char *from) {
  const size_t E = (size_t)t->model->layout->dims.E;
  figures f;
  memcpy(&f, from, sizeof f);
  from += sizeof f;
  t->loss[r] = f.loss;
  t->ids[r] = f.id;
  t->view.steps[r] = f.steps;
  t->view.halted[r] = f.halted != 0;
  if (t->solved) memcpy(&t->solved[r], from, sizeof *t->solved);
  from += t->solved ? sizeof *t->solved : 0;
  memcpy(t->update.d_puzzle + (size_t)r * E, from, E * sizeof(real));
}

/* What a peer says is counted and indexed with. */
static trm_status check_row(const trm_trainer *t, int r, trm_error *err) {
  const trm_model_config *m = &t->model->config;
  const bool id =
      t->ids[r] >= 0 && (!t->update.puzzle_emb || t->ids[r] < m->num_puzzle_identifiers);
  if (id && t->view.steps[r] >= 0 && t->view.steps[r] <= m->halt_max_steps) return TRM_OK;
  TRM_FAIL(err, TRM_E_SYSTEM, "row %d, of another rank, is said to be puzzle %d after %d steps", r,
           (int)t->ids[r], (int)t->view.steps[r]);
}

static trm_status gather_rows(trm_trainer *t, trm_error *err) {
  const size_t bytes = figures_bytes(t->model->layout, t->solved);
  const trm__share *s = &t->share;
  size_t at[TRM_COMM_MOST + 1];
  row_places(t, bytes, at);
  for (int r = s->first; r < s->first + s->rows; r++) pack_row(t, r, t->told + (size_t)r * bytes);
  TRM_TRY(gather(t, t->told, at, err));
  for (int r = 0; r < t->config.batch_size; r++) {
    unpack_row(t, r, t->told + (size_t)r * bytes);
    TRM_TRY(check_row(t, r, err));
  }
  return TRM_OK;
}

trm_status trm__shared_sums(trm_trainer *t, trm_error *err) {
  TRM_TRY(wait_for_all(t, err));
  const double start = trm__os_seconds();
  TRM_TRY(sum_ranks(t, err));
  TRM_TRY(gather_rows(t, err));
  t->shared.talking += trm__os_seconds() - start;
  return TRM_OK;
}
