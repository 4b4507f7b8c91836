/* See comm.h. The number of ranks is a power of two, and in step k a rank talks to the one whose
 * number differs in bit k. */
#include "comm/comm.h"

#include <stdio.h>
#include <string.h>

#include "trm.h"

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

/* --- the first message ----------------------------------------------------------------------- */

/* What ranks say to each other before anything else, as long and laid out so in every version of
 * trm: of nothing that follows can be said that another version reads it alike. */
typedef struct hello {
  char version[192], name[TRM_COMM_NAME];
} hello;
_Static_assert(sizeof(hello) == 256, "a first message is never of another length");

trm_status trm__comm_meet_as(trm_comm *c, const char *version, trm_error *err) {
  hello all[TRM_COMM_MOST] = {{{0}, {0}}};
  TRM_TRY(trm__comm_check(c, err));
  if (trm__comm_size(c) == 1 || c->met) return TRM_OK;
  (void)snprintf(all[c->rank].version, sizeof all->version, "%s", version);
  (void)snprintf(all[c->rank].name, sizeof all->name, "%s", c->name);
  TRM_TRY(trm__comm_gather_equal(c, all, sizeof *all, err));

  /* Everyone finds the same. */
  c->agreed = true;
  for (int r = 0; r < c->size; r++) all[r].version[191] = all[r].name[TRM_COMM_NAME - 1] = 0;
  for (int r = 1; r < c->size; r++)
    if (strcmp(all[r].version, all[0].version) != 0)
      TRM_FAIL(err, TRM_E_CONFIG,
               "rank %d (%s): its version of trm is %.120s, that of rank 0 %.120s: install one "
               "everywhere",
               r, all[r].name, all[r].version, all[0].version);
  c->agreed = false;
  c->met = true;
  return TRM_OK;
}

trm_status trm__comm_meet(trm_comm *c, trm_error *err) {
  char version[128];
  (void)snprintf(version, sizeof version, "%s %s", trm_version(), trm_commit());
  return trm__comm_meet_as(c, version, err);
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
    /* Unsigned: what comes from elsewhere may be too large. */
    for (size_t i = 0; i < n; i++) v[i] = (int64_t)((uint64_t)v[i] + (uint64_t)scratch[i]);
  }
  return TRM_OK;
}

/* --- agreement ------------------------------------------------------------------------------- */

/* What a rank says of itself. Of another it is read with care. */
typedef struct word {
  int32_t status, rank;
  int64_t pos;
  char name[TRM_COMM_NAME];
  char msg[sizeof((trm_error *)0)->msg];
} word;

/* As far as it can be believed: texts that end, a rank and a status that there are. */
static void make_sound(const trm_comm *c, word *w, int peer) {
  w->name[sizeof w->name - 1] = w->msg[sizeof w->msg - 1] = 0;
  if (w->status >= TRM_OK && w->status <= TRM_E_INTERRUPTED && w->rank >= 0 && w->rank < c->size)
    return;
  w->status = TRM_E_SYSTEM;
  w->rank = peer;
  w->pos = -1;
  (void)snprintf(w->msg, sizeof w->msg, "it tells of a status or a rank that there is not");
}

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
    make_sound(c, &other, c->rank ^ width);
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
  first[sizeof first - 1] = 0;
  if (strncmp(first, text, sizeof first - 1) != 0)
    st = trm__fail(err, TRM_E_CONFIG, -1, "its %s is %.120s, that of rank 0 %.120s%s%s", what, text,
                   first, *remedy ? ": " : "", remedy);
  return trm__comm_settle(c, st, err);
}
