/* Puzzle embeddings by id: a model may keep the rows of some ids only, and takes over those of a
 * model that knows other ids. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "nn/model.h"

static int compare_ids(const void *left, const void *right) {
  const int32_t a = *(const int32_t *)left, b = *(const int32_t *)right;
  return (a > b) - (a < b);
}

int64_t trm__model_puzzle_row(const trm_model *m, int32_t id) {
  if (!m->ids) return id;
  const int32_t *found = bsearch(&id, m->ids, (size_t)m->n_ids, sizeof id, compare_ids);
  return found ? found - m->ids : -1;
}

const int32_t *trm_model_puzzle_ids(const trm_model *m, int *n) {
  *n = m->n_ids;
  return m->ids;
}

bool trm_model_puzzle_is_trained(const trm_model *m, int32_t id, int32_t blank) {
  if (m->layout->dims.E == 0) return true;
  if (!m->puzzle_emb) return false; /* only peeked at */
  int64_t ids = m->config.num_puzzle_identifiers, E = m->layout->dims.E;
  int64_t row = id >= 0 && id < ids ? trm__model_puzzle_row(m, id) : -1;
  int64_t untouched =
      blank >= 0 && blank < ids && blank != id ? trm__model_puzzle_row(m, blank) : -1;
  for (int64_t i = 0; row >= 0 && i < E; i++)
    if (m->puzzle_emb[row * E + i] != (untouched < 0 ? 0 : m->puzzle_emb[untouched * E + i]))
      return true;
  return false;
}

/* --- keeping some --- */

static trm_status check_ids(const trm_model *m, const int32_t *ids, int n, trm_error *err) {
  TRM_TRY(trm__model_check_weights(m, err));
  if (!m->puzzle_emb || n < 1)
    TRM_FAIL(err, TRM_E_ARGUMENT, "%s",
             n < 1 ? "no puzzle ids to keep" : "the model has no puzzle embeddings");
  for (int i = 0; i < n; i++)
    if (ids[i] < 0 || ids[i] >= m->config.num_puzzle_identifiers ||
        trm__model_puzzle_row(m, ids[i]) < 0)
      TRM_FAIL(err, TRM_E_RANGE, "puzzle id %d: the model has no embedding of it (ids 0 to %d%s)",
               ids[i], m->config.num_puzzle_identifiers - 1, m->ids ? ", not all kept" : "");
  return TRM_OK;
}

/* A model with the rows of the n sorted, different ids. */
static trm_status copy_rows(const trm_model *m, const int32_t *ids, int n, trm_model **out,
                            trm_error *err) {
  const trm__layout *l = m->layout;
  const bool all = n == m->config.num_puzzle_identifiers;
  const size_t E = (size_t)l->dims.E;
  trm_model *to;
  TRM_TRY(trm__model_alloc(&m->config, all ? NULL : ids, all ? 0 : n, &to, err));
  memcpy(to->params, m->params, (size_t)l->n_params * sizeof *m->params);
  memcpy(to->buffers, m->buffers, (size_t)l->n_buffers * sizeof *m->buffers);
  for (int i = 0; i < n; i++)
    memcpy(to->puzzle_emb + (size_t)i * E,
           m->puzzle_emb + (size_t)trm__model_puzzle_row(m, ids[i]) * E, E * sizeof *m->puzzle_emb);
  *out = to;
  return TRM_OK;
}

trm_status trm_model_keep_puzzle_ids(const trm_model *model, const int32_t *ids, int n,
                                     trm_model **out, trm_error *err) {
  int32_t *sorted;
  int kept = 0;
  *out = NULL;
  TRM_TRY(check_ids(model, ids, n, err));
  TRM_ALLOC(&sorted, n, "puzzle ids", err);
  memcpy(sorted, ids, (size_t)n * sizeof *ids);
  qsort(sorted, (size_t)n, sizeof *sorted, compare_ids);
  for (int i = 0; i < n; i++)
    if (kept == 0 || sorted[i] != sorted[kept - 1]) sorted[kept++] = sorted[i];
  const trm_status st = copy_rows(model, sorted, kept, out, err);
  trm__free(sorted);
  return st;
}

/* --- taking over --- */

/* Every row of `to` is the mean of the rows of `from`, which may be the same ones. A strip of
 * columns at a time: a published table has 876,000 rows, and one column of it touches every cache
 * line. */
static void spread_mean(real *to, int64_t to_rows, const real *from, int64_t from_rows, int64_t n) {
  enum { STRIP = 64 };
  for (int64_t first = 0; first < n; first += STRIP) {
    int64_t width = n - first < STRIP ? n - first : STRIP;
    double sum[STRIP] = {0};
    for (int64_t i = 0; i < from_rows; i++)
      for (int64_t j = 0; j < width; j++) sum[j] += (double)from[i * n + first + j];
    for (int64_t i = 0; i < to_rows; i++)
      for (int64_t j = 0; j < width; j++)
        to[i * n + first + j] = (real)(sum[j] / (double)from_rows);
  }
}

/* Ids of as many, and of the same names where both know them. */
static bool have_same_ids(const trm_model_config *a, const trm_model_config *b) {
  const bool known = a->identifiers[0] && b->identifiers[0];
  return a->num_puzzle_identifiers == b->num_puzzle_identifiers &&
         (!known || !memcmp(a->identifiers, b->identifiers, sizeof a->identifiers));
}

/* The rows of the ids that both know; the others of `to` get the mean, and *reset is set. */
static void copy_embeddings(trm_model *to, const trm_model *from, const trm__slot *s,
                            const trm__slot *t, bool *reset) {
  const size_t E = (size_t)s->shape[1];
  const bool same_ids = have_same_ids(&to->config, &from->config);
  if (same_ids && !to->ids && !from->ids) {
    memcpy(to->puzzle_emb, from->puzzle_emb, (size_t)s->count * sizeof(real));
    return;
  }

  /* An id that is new starts at the mean of the old ones; where ids mean the same puzzles, those
   * that are kept keep their embedding. */
  spread_mean(to->puzzle_emb, s->shape[0], from->puzzle_emb, t->shape[0], s->shape[1]);
  *reset = !same_ids;
  for (int64_t row = 0; row < s->shape[0] && same_ids; row++) {
    const int64_t source = trm__model_puzzle_row(from, to->ids ? to->ids[row] : (int32_t)row);
    if (source < 0)
      *reset = true;
    else
      memcpy(to->puzzle_emb + (size_t)row * E, from->puzzle_emb + (size_t)source * E,
             E * sizeof(real));
  }
}

/* Whatever one has the other has, too; `to`: the layout of the model whose configuration may want
 * another word. */
static trm_status check_names(const trm__layout *has, const trm__layout *lacks, const char *one,
                              const char *other, const trm__layout *to, trm_error *err) {
  for (int i = 0; i < has->n_slots; i++) {
    const char *name = has->slots[i].name;
    if (trm__layout_find(lacks, name) < 0)
      TRM_FAIL(err, TRM_E_SHAPE, "the %s has a tensor %s, the %s has none%s", one, name, other,
               trm__layout_hint(to, name));
  }
  return TRM_OK;
}

trm_status trm_model_copy_weights(trm_model *to, const trm_model *from, bool *reset_puzzle_emb,
                                  trm_error *err) {
  const trm__layout *a = to->layout, *b = from->layout;
  TRM_TRY(trm__model_check_weights(to, err));
  TRM_TRY(trm__model_check_weights(from, err));

  /* Both must have the same tensors, of which those that there are tell most of what is meant; only
   * the puzzle embedding may have other rows. */
  TRM_TRY(check_names(b, a, "checkpoint", "model", a, err));
  TRM_TRY(check_names(a, b, "model", "checkpoint", a, err));
  for (int i = 0; i < a->n_slots; i++) {
    const trm__slot *s = &a->slots[i], *t = &b->slots[trm__layout_find(b, s->name)];
    bool rows_may_differ = s->kind == TRM_TENSOR_PUZZLE_EMB;
    if (s->shape[1] != t->shape[1] || (s->shape[0] != t->shape[0] && !rows_may_differ))
      TRM_FAIL(err, TRM_E_SHAPE,
               "%s is [%lld, %lld] in the model, and [%lld, %lld] in the checkpoint", s->name,
               (long long)s->shape[0], (long long)s->shape[1], (long long)t->shape[0],
               (long long)t->shape[1]);
  }

  bool reset = false;
  for (int i = 0; i < a->n_slots; i++) {
    const trm__slot *s = &a->slots[i], *t = &b->slots[trm__layout_find(b, s->name)];
    if (s->kind == TRM_TENSOR_PUZZLE_EMB)
      copy_embeddings(to, from, s, t, &reset);
    else
      memcpy(trm__model_slot(to, s), trm__model_slot(from, t), (size_t)s->count * sizeof(real));
  }
  if (reset_puzzle_emb) *reset_puzzle_emb = reset;
  return TRM_OK;
}

void trm__model_level_puzzle_emb(trm_model *m) {
  for (int i = 0; i < m->layout->n_slots; i++) {
    const trm__slot *s = &m->layout->slots[i];
    if (s->kind == TRM_TENSOR_PUZZLE_EMB)
      spread_mean(trm__model_slot(m, s), s->shape[0], trm__model_slot(m, s), s->shape[0],
                  s->shape[1]);
  }
}
