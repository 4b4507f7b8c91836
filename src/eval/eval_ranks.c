/* An evaluation that ranks share: each has every size-th turn, and at the end everyone has what all
 * counted. Counts are whole numbers, a loss is known to one rank and zero bits elsewhere, votes
 * have their order, and rows are told to rank 0: so the report, the votes and the files are those
 * of one process. */
#include <string.h>

#include "base/memory.h"
#include "base/os_thread.h"
#include "eval/arc_votes.h"
#include "eval/evaluation.h"

/* ---- counts ---- */

static trm_status add_counts(trm__evaluation *e, trm_error *err) {
  const int64_t cells = e->told * (e->shape.seq_len + (int64_t)1);
  const struct {
    void *at;
    int64_t n; /* of 64 bits */
  } parts[] = {{e->loss, 2 * e->total},
               {e->exact, e->told},
               {e->halted, e->told},
               {e->right, cells},
               {e->totals, sizeof *e->totals / sizeof(int64_t)},
               {e->q_valid, 1},
               {e->taken, TRM__TAKEN},
               {&e->n_done, 1}};
  _Static_assert(sizeof(trm__eval_losses) == 2 * sizeof(int64_t), "two doubles are as many bits");
  int64_t most = 2 * e->total > cells ? 2 * e->total : cells, *scratch;
  if (most < TRM__TAKEN) most = TRM__TAKEN;
  if (most < (int64_t)(sizeof *e->totals / sizeof(int64_t)))
    most = sizeof *e->totals / sizeof(int64_t);
  scratch = trm__alloc((uint64_t)most, sizeof *scratch);
  trm_status st =
      scratch ? TRM_OK
              : trm__no_memory("the counts of other ranks", (uint64_t)most, sizeof *scratch, err);
  st = trm__comm_settle(e->config->comm, st, err);
  for (size_t i = 0; i < sizeof parts / sizeof *parts && st == TRM_OK; i++)
    st = trm__comm_add(e->config->comm, parts[i].at, (size_t)parts[i].n, scratch, err);
  trm__free(scratch);
  return st;
}

/* ---- votes ---- */

/* What one rank's votes are, for the others: how many, and bytes of grids. */
typedef struct votes_head {
  int64_t n, grids, blank, foreign;
} votes_head;

static trm_status add_grids(trm_arc_votes *v, const unsigned char *bytes, size_t n,
                            uint32_t *number, uint32_t *n_grids, trm_error *err) {
  *n_grids = 0;
  for (size_t at = 0, used; at < n; at += used) {
    trm__arc_grid g;
    used = trm__arc_grid_unpack(bytes + at, n - at, &g);
    if (!used) TRM_FAIL(err, TRM_E_SYSTEM, "votes of another rank hold no grids");
    TRM_TRY(trm__arc_grids_add(&v->grids, &g, &number[(*n_grids)++], err));
  }
  return TRM_OK;
}

/* No more votes than examples, each for one grid at most beside those that all had before. */
static trm_status check_head(const trm__evaluation *e, int from, const votes_head *h,
                             const votes_head *mine, trm_error *err) {
  const int64_t most = e->total;
  if (h->n >= 0 && h->n <= most && h->blank >= 0 && h->blank <= most && h->foreign >= 0 &&
      h->foreign <= most && h->grids >= 0 && h->grids <= mine->grids + most * TRM__ARC_PACKED)
    return TRM_OK;
  TRM_FAIL(err, TRM_E_SYSTEM,
           "rank %d says that it has %lld votes and %lld bytes of grids for %lld examples", from,
           (long long)h->n, (long long)h->grids, (long long)most);
}

/* Votes whose grids, but for the tasks' own, are numbered as their rank has them. */
static trm_status add_votes(trm_arc_votes *v, const votes_head *h, const trm__arc_vote *votes,
                            const unsigned char *grids, uint32_t *number, trm_error *err) {
  uint32_t n_grids;
  TRM_TRY(add_grids(v, grids, (size_t)h->grids, number, &n_grids, err));
  TRM_TRY(trm__arc_votes_room(v, h->n, err));
  for (int64_t i = 0; i < h->n; i++) {
    trm__arc_vote vote = votes[i];
    if (vote.grid >= v->own_grids && vote.grid - v->own_grids < n_grids)
      vote.grid = number[vote.grid - v->own_grids];
    else if (vote.grid >= v->own_grids)
      vote.grid = UINT32_MAX;
    if (!trm__arc_vote_fits(v, &vote))
      TRM_FAIL(err, TRM_E_SYSTEM,
               "vote %lld of another rank is for a test input or grid that there is not",
               (long long)i);
    v->vote[v->n++] = vote;
  }
  v->blank += h->blank;
  v->foreign += h->foreign;
  return TRM_OK;
}

/* What rank `from` found, in front of what it was given since, goes to all others. */
static trm_status hand_over(trm__evaluation *e, int from, const trm_arc_votes *found,
                            const votes_head *mine, trm_error *err) {
  trm_comm *c = e->config->comm;
  const bool giver = c->rank == from;
  votes_head h = *mine;
  TRM_TRY(trm__comm_broadcast_from(c, from, &h, sizeof h, err));
  TRM_TRY(trm__comm_settle(c, check_head(e, from, &h, mine, err), err));
  const size_t votes = (size_t)h.n * sizeof(trm__arc_vote), grids = (size_t)h.grids;

  /* A grid takes two bytes at least, so there are at most half as many. */
  unsigned char *bytes = trm__alloc(votes + grids + 1, 1);
  uint32_t *number = trm__alloc(grids / 2 + 1, sizeof *number);
  trm_status st =
      bytes && number ? TRM_OK : trm__no_memory("votes of other ranks", votes + grids, 1, err);
  st = trm__comm_settle(c, st, err);
  if (st == TRM_OK && giver) {
    if (votes) memcpy(bytes, found->vote + e->voted, votes);
    trm__arc_votes_grids(found, bytes + votes);
  }
  if (st == TRM_OK) st = trm__comm_broadcast_from(c, from, bytes, votes + grids, err);
  if (st == TRM_OK && !giver)
    st = add_votes(e->config->votes, &h, (const trm__arc_vote *)(const void *)bytes, bytes + votes,
                   number, err);
  trm__free(bytes);
  trm__free(number);
  return trm__comm_settle(c, st, err);
}

/* What the votes held before is the same everywhere, but for the numbers of grids. */
static trm_status share_votes(trm__evaluation *e, trm_error *err) {
  trm_arc_votes *v = e->config->votes;
  if (!v) return TRM_OK;
  const trm_arc_votes found = *v;
  const votes_head mine = {.n = v->n - e->voted,
                           .grids = (int64_t)trm__arc_votes_grids_size(&found),
                           .blank = v->blank - e->blank,
                           .foreign = v->foreign - e->foreign};
  for (int r = 0; r < e->config->comm->size; r++) {
    trm_arc_votes view = *v; /* its lists may have moved */
    view.grids.n = found.grids.n;
    TRM_TRY(hand_over(e, r, &view, &mine, err));
  }
  return TRM_OK;
}

/* ---- rows ---- */

static size_t record_bytes(const trm__evaluation *e) {
  return sizeof(trm__eval_record) + (size_t)e->shape.seq_len * sizeof(int32_t);
}

trm_status trm__eval_ranks_begin(trm__evaluation *e, trm_error *err) {
  const int ranks = trm__comm_size(e->config->comm);
  const int64_t most = (e->total + ranks - 1) / ranks;
  const trm_arc_votes *v = e->config->votes;
  if (v) {
    e->voted = v->n;
    e->blank = v->blank;
    e->foreign = v->foreign;
  }
  e->round_steps = e->round_left = 1;
  e->round_began = trm__os_seconds();
  if (ranks == 1 || !e->config->row) return TRM_OK;
  TRM_ALLOC(&e->records, ranks * most * (int64_t)record_bytes(e), "the rows of all ranks", err);
  e->n_records = most;
  return TRM_OK;
}

void trm__eval_ranks_keep(trm__evaluation *e, const trm_eval_row *r) {
  const int rank = e->config->comm->rank;
  const trm__eval_record record = {r->example, r->steps, r->q_halt, 1, r->exact, r->valid};
  unsigned char *to = e->records + (size_t)(rank * e->n_records + e->kept++) * record_bytes(e);
  memcpy(to, &record, sizeof record);
  memcpy(to + sizeof record, r->answer, (size_t)e->shape.seq_len * sizeof *r->answer);
}

/* Rank 0 tells them all; the others have nobody to tell. */
static trm_status tell_rows(trm__evaluation *e, trm_error *err) {
  const trm_eval_config *c = e->config;
  for (int64_t i = 0; i < c->comm->size * e->n_records; i++) {
    const unsigned char *from = e->records + (size_t)i * record_bytes(e);
    trm__eval_record record;
    int32_t id;
    memcpy(&record, from, sizeof record);
    if (!record.there) continue;
    if (record.example < 0 || record.example >= e->total)
      TRM_FAIL(err, TRM_E_SYSTEM, "a row of another rank is of example %lld of %lld",
               (long long)record.example, (long long)e->total);
    trm_dataset_example(e->data, record.example, e->inputs, e->labels, &id);
    const trm_eval_row row = {.example = record.example,
                              .puzzle_id = id,
                              .inputs = e->inputs,
                              .labels = e->labels,
                              .answer = (const int32_t *)(const void *)(from + sizeof record),
                              .exact = record.exact,
                              .valid = record.valid,
                              .q_halt = record.q_halt,
                              .steps = record.steps};
    TRM_TRY(c->row(c->row_arg, &row, err));
  }
  return TRM_OK;
}

static trm_status share_rows(trm__evaluation *e, trm_error *err) {
  trm_comm *c = e->config->comm;
  if (!e->records) return TRM_OK;
  TRM_TRY(trm__comm_gather_equal(c, e->records, (size_t)e->n_records * record_bytes(e), err));
  return trm__comm_settle(c, trm__comm_leads(c) ? tell_rows(e, err) : TRM_OK, err);
}

/* ---- whether to go on ---- */

/* Seconds that a stop may take to come to all, where steps are shorter; steps of a round at most.
 */
static const double round_seconds = 0.5;
enum { MOST_STEPS = 1 << 20 };

/* What a rank says of itself at the end of a round. */
typedef struct round_word {
  int64_t steps; /* that the next one should have: rank 0 says it */
  uint8_t failed, busy, unused[6];
} round_word;

/* Rank 0's clock decides how many steps are about as long as a round should be. */
static int64_t choose_steps(const trm__evaluation *e) {
  const double seconds = trm__os_seconds() - e->round_began;
  const int64_t steps = e->round_steps;
  if (seconds > round_seconds) return steps > 1 ? steps / 2 : 1;
  return seconds < round_seconds / 4 && steps < MOST_STEPS ? 2 * steps : steps;
}

trm_status trm__eval_ranks_round(trm__evaluation *e, trm_status st, bool *busy, trm_error *err) {
  trm_comm *c = e->config->comm;
  if (trm__comm_size(c) == 1) return st;
  if (st == TRM_OK && *busy && --e->round_left > 0) return st;

  /* A rank that fails, or has nothing left to do, comes early, and waits for the others here. */
  round_word said[TRM_COMM_MOST] = {{0}};
  said[c->rank] =
      (round_word){.steps = choose_steps(e), .failed = st != TRM_OK, .busy = *busy && st == TRM_OK};
  TRM_TRY(trm__comm_gather_equal(c, said, sizeof *said, err));
  bool failed = false;
  *busy = false;
  for (int r = 0; r < c->size; r++) {
    failed = failed || said[r].failed;
    *busy = *busy || said[r].busy;
  }
  e->round_steps = said[0].steps < 1 ? 1 : said[0].steps > MOST_STEPS ? MOST_STEPS : said[0].steps;
  e->round_left = e->round_steps;
  e->round_began = trm__os_seconds();
  return failed ? trm__comm_settle(c, st, err) : TRM_OK;
}

/* ---- all of it ---- */

trm_status trm__eval_ranks_end(trm__evaluation *e, trm_error *err) {
  if (trm__comm_size(e->config->comm) == 1) return TRM_OK;
  TRM_TRY(add_counts(e, err));
  TRM_TRY(share_votes(e, err));
  return share_rows(e, err);
}
