/* See comm.h. The number of ranks is a power of two, and in step k a rank talks to the one whose
 * number differs in bit k. */
#include "comm/comm.h"

#include <stdio.h>
#include <string.h>

trm_status trm__comm_check(const trm_comm *c, trm_error *err) {
  if (!c) return TRM_OK;
  if (!c->exchange || c->rank < 0 || c->rank >= c->size)
    TRM_FAIL(err, TRM_E_CONFIG, "a communicator of rank %d of %d: want one that can exchange",
             c->rank, c->size);
  if (c->size > TRM_COMM_MOST || (c->size & (c->size - 1)))
    TRM_FAIL(err, TRM_E_CONFIG,
             "%d ranks: want 1, 2, 4 or 8, among which the eight row slots of a batch are shared",
             c->size);
  return TRM_OK;
}

trm_status trm__comm_exchange(trm_comm *c, int peer, const void *out, size_t n_out, void *in,
                              size_t n_in, trm_error *err) {
  c->agreed = false; /* a failure of this is this rank's alone */
  return c->exchange(c->arg, peer, out, n_out, in, n_in, err);
}

/* --- data ------------------------------------------------------------------------------------ */

trm_status trm__comm_gather(trm_comm *c, void *all, const size_t *at, trm_error *err) {
  char *bytes = all;
  /* Two neighbouring groups of `width` ranks hand each other what they have. */
  for (int width = 1; width < trm__comm_size(c); width *= 2) {
    const int own = c->rank / width * width, other = own ^ width;
    TRM_TRY(trm__comm_exchange(c, c->rank ^ width, bytes + at[own], at[own + width] - at[own],
                               bytes + at[other], at[other + width] - at[other], err));
  }
  return TRM_OK;
}

trm_status trm__comm_gather_equal(trm_comm *c, void *all, size_t bytes, trm_error *err) {
  size_t at[TRM_COMM_MOST + 1];
  for (size_t r = 0; r <= TRM_COMM_MOST; r++) at[r] = r * bytes;
  return trm__comm_gather(c, all, at, err);
}

trm_status trm__comm_broadcast_from(trm_comm *c, int from, void *data, size_t n, trm_error *err) {
  /* By numbers in which `from` is 0: those below `width` have it. */
  for (int width = 1; width < trm__comm_size(c); width *= 2) {
    const int self = c->rank ^ from, peer = self ^ width;
    if (self < width)
      TRM_TRY(trm__comm_exchange(c, peer ^ from, data, n, NULL, 0, err));
    else if (peer < width)
      TRM_TRY(trm__comm_exchange(c, peer ^ from, NULL, 0, data, n, err));
  }
  return TRM_OK;
}

trm_status trm__comm_broadcast(trm_comm *c, void *data, size_t n, trm_error *err) {
  return trm__comm_broadcast_from(c, 0, data, n, err);
}

trm_status trm__comm_add(trm_comm *c, int64_t *v, size_t n, int64_t *scratch, trm_error *err) {
  for (int width = 1; width < trm__comm_size(c); width *= 2) {
    const size_t bytes = n * sizeof *v;
    TRM_TRY(trm__comm_exchange(c, c->rank ^ width, v, bytes, scratch, bytes, err));
    for (size_t i = 0; i < n; i++) v[i] += scratch[i];
  }
  return TRM_OK;
}

/* --- agreement ------------------------------------------------------------------------------- */

/* What a rank says of itself. */
typedef struct word {
  int32_t status, rank;
  int64_t pos;
  char name[TRM_COMM_NAME];
  char msg[sizeof((trm_error *)0)->msg];
} word;

trm_status trm__comm_settle(trm_comm *c, trm_status st, trm_error *err) {
  if (trm__comm_size(c) == 1 || (st != TRM_OK && c->agreed)) return st;
  word first = {.status = (int32_t)st, .rank = c->rank, .pos = -1}, other;
  (void)snprintf(first.name, sizeof first.name, "%s", c->name);
  if (st != TRM_OK && err) {
    first.pos = err->pos;
    (void)snprintf(first.msg, sizeof first.msg, "%s", err->msg);
  }

  /* The failure of the least rank wins. */
  for (int width = 1; width < c->size; width *= 2) {
    TRM_TRY(
        trm__comm_exchange(c, c->rank ^ width, &first, sizeof first, &other, sizeof other, err));
    if (other.status != TRM_OK && (first.status == TRM_OK || other.rank < first.rank))
      first = other;
  }
  if (first.status == TRM_OK) return TRM_OK;

  /* A stop is nobody's fault. */
  c->agreed = true;
  if (first.status == TRM_E_INTERRUPTED)
    return trm__fail(err, TRM_E_INTERRUPTED, first.pos, "%s", first.msg);
  return trm__fail(err, (trm_status)first.status, first.pos, "rank %d (%s): %.400s", first.rank,
                   first.name, first.msg[0] ? first.msg : trm_status_text(first.status));
}

trm_status trm__comm_same(trm_comm *c, const char *what, const char *text, const char *remedy,
                          trm_error *err) {
  char first[160];
  if (trm__comm_size(c) == 1) return TRM_OK;
  (void)snprintf(first, sizeof first, "%s", text);
  TRM_TRY(trm__comm_broadcast(c, first, sizeof first, err));
  trm_status st = TRM_OK;
  if (strncmp(first, text, sizeof first - 1) != 0)
    st = trm__fail(err, TRM_E_CONFIG, -1, "its %s is %.120s, that of rank 0 %.120s%s%s", what, text,
                   first, *remedy ? ": " : "", remedy);
  return trm__comm_settle(c, st, err);
}
