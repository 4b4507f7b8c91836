/* The ops of one model's training update, each by itself on random values of the sizes it has in
 * training. How often an update calls each follows from the plan. */
#include <stdio.h>

#include "backend/muon.h"
#include "base/check.h"
#include "base/memory.h"
#include "bench/measure.h"
#include "bench/ops.h"
#include "nn/block.h"
#include "nn/layout.h"

enum { MAX_OPS = (int)TRM__OPS * (int)TRM__BLOCK_KINDS };

/* What an op of the bench works on: a row of the table at the sites of all teams. */
typedef struct timed {
  const trm__op *op;
  const trm__op_site *sites;
  char name[48];
} timed;

typedef struct state {
  trm__layout *l;
  trm__backend *be;
  int teams, n_timed;
  trm__op_site *sites[TRM__BLOCK_KINDS + 1]; /* [teams] of each kind of block, of none */
  timed timed[MAX_OPS];
  trm__group muon; /* the matrices of the nets, where that is the optimiser */
  trm__segment *matrices;
} state;

static void free_state(void *arg) {
  state *s = arg;
  if (!s) return;
  for (int i = 0; i <= TRM__BLOCK_KINDS; i++) {
    for (int team = 0; s->sites[i] && team < s->teams; team++)
      trm__op_site_free(&s->sites[i][team]);
    trm__free(s->sites[i]);
  }
  if (s->be) s->be->ops->release(s->be, s->muon.scratch);
  if (s->be) s->be->ops->destroy(s->be);
  trm__free(s->matrices);
  trm__layout_free(s->l);
  trm__free(s);
}

/* --- the operations -------------------------------------------------------------------------- */

static void call(trm__op_fn *f, const trm__bench_op *op, trm__lane *lane) {
  const trm__op_site *site = &((const timed *)op->arg)->sites[lane->team];
  trm__workspace ws = trm__op_workspace(site, lane);
  f(site, &ws);
}
static void prepare_op(trm_bench *b, const trm__bench_op *op, trm__lane *lane) {
  (void)b;
  call(((const timed *)op->arg)->op->prepare, op, lane);
}
static void run_op(trm_bench *b, const trm__bench_op *op, trm__lane *lane) {
  (void)b;
  call(((const timed *)op->arg)->op->run, op, lane);
}

/* Muon works on matrices as they lie in the weights, of which the table of ops knows nothing. */
static void run_muon(trm_bench *b, const trm__bench_op *op, trm__lane *lane) {
  (void)b;
  const state *s = op->arg;
  const trm__op_site *site = s->sites[TRM__BLOCK_KINDS];
  trm__workspace ws = trm__op_workspace(site, lane);
  const trm__update u = {.n = site->n_params,
                         .rows = site->b,
                         .grads = site->at[TRM__GRADS],
                         .params = site->at[TRM__PARAMS],
                         .ema = site->at[TRM__EMA],
                         .totals = site->at[TRM__TOTALS]};
  s->be->ops->update(s->be, &ws, &u, &s->muon);
}

/* --- how often ------------------------------------------------------------------------------- */

static int n_sources(const trm__step *s) {
  int n = s->add_input;
  for (int i = 0; i < TRM__MAX_LATENTS; i++) n += (int)(s->src >> i & 1);
  return n;
}

/* Calls per tile, of an update's ops per update; of blocks those of one kind. */
static void count_calls(const trm__layout *l, int slots, int kind, double calls[TRM__OP_TIMES]) {
  const trm__plan *p = l->plan;
  const int again = l->dims.q_continue; /* one more forward walk, for the continue target */

  /* What does not depend on the steps. */
  for (int i = 0; i < TRM__OP_TIMES; i++) calls[i] = 0;
  calls[TRM__ONCE] = 1;
  calls[TRM__HEADS] = 1 + again;
  calls[TRM__ADDS] = (double)slots * (p->n_steps - p->first_grad);
  calls[TRM__DECODES] = l->dims.feedback;
  calls[TRM__STARTS] = p->start > 0 ? p->n_latents : 0;

  /* Each step's blocks, and the sums of its sources. */
  for (int i = 0; i < p->n_steps; i++) {
    const trm__step *s = &p->steps[i];
    const bool gradient = i >= p->first_grad;
    for (int j = l->net_first[s->net]; j < l->net_first[s->net + 1]; j++) {
      const int of_kind = (int)l->blocks[j].kind == kind;
      calls[gradient ? TRM__SAVINGS : TRM__FORWARDS] += of_kind;
      calls[TRM__FORWARDS] += again * of_kind;
    }
    calls[TRM__SUMS] += (1 + again) * (n_sources(s) + 1) / 3.0;
    if (gradient) calls[TRM__SUMS] += 2 / 3.0 + n_sources(s); /* a copy; gradients of sources */
    if (p->share != 1) calls[TRM__MIXES] += 1 + again + 2 * gradient;
    if (p->noise > 0) calls[TRM__STIRS] += 1 + again;
  }
}

/* --- the list -------------------------------------------------------------------------------- */

/* One op, of every team on its tile or of all threads once every row's gradients are there. */
static void add_op(trm_bench *b, state *s, const trm__op *op, int kind, double calls) {
  const trm__op_site *sites = s->sites[kind];
  const bool per_update = op->scope == TRM__OF_UPDATE;
  const int teams = per_update ? 1 : s->teams;
  timed *t = &s->timed[trm__push(&s->n_timed, MAX_OPS)];
  t->op = op;
  t->sites = sites;
  snprintf(t->name, sizeof t->name, "%s%s%s",
           kind < TRM__BLOCK_KINDS ? trm__block_kinds[kind].name : "",
           kind < TRM__BLOCK_KINDS ? " " : "", op->name);

  const trm_bench_op about = {.name = t->name,
                              .flops = op->flops ? teams * op->flops(sites) : 0,
                              .bytes = teams * trm__op_bytes(op, sites),
                              .calls = calls,
                              .per_update = per_update};
  b->ops[trm__push(&b->n_ops, MAX_OPS)] =
      (trm__bench_op){.about = about,
                      .prepare = op->prepare ? prepare_op : NULL,
                      .run = run_op,
                      .arg = t,
                      .teams = teams};
}

/* Each weight of a matrix is read with its gradient; it, its average and its momentum change. */
static void add_muon(trm_bench *b, state *s) {
  double flops = 0, weights = 0;
  for (int i = 0; i < s->muon.n_segments; i++) {
    flops += trm__muon_flops(&s->matrices[i], s->muon.steps);
    weights += (double)s->matrices[i].n;
  }
  const trm_bench_op about = {.name = "Muon",
                              .flops = flops,
                              .bytes = (1 + 3 * 2) * sizeof(real) * weights,
                              .calls = 1,
                              .per_update = true};
  b->ops[trm__push(&b->n_ops, MAX_OPS)] =
      (trm__bench_op){.about = about, .run = run_muon, .arg = s, .teams = 1};
}

/* The rows of the table that such an update calls, those of blocks for every kind there is. */
static void add_ops(trm_bench *b, state *s) {
  for (const trm__op *op = trm__ops; op < trm__ops + TRM__OPS; op++)
    for (int kind = 0; kind <= TRM__BLOCK_KINDS; kind++) {
      double calls[TRM__OP_TIMES];
      if (!s->sites[kind] || (op->scope == TRM__OF_BLOCK) != (kind < TRM__BLOCK_KINDS)) continue;
      count_calls(s->l, s->be->ops->slots, kind, calls);
      if (op == &trm__ops[TRM__OP_ADAM_ATAN2] && s->matrices) continue;
      if (calls[op->times] > 0 && trm__op_applies(op, s->sites[kind]))
        add_op(b, s, op, kind, calls[op->times]);
    }
  if (s->matrices) add_muon(b, s);
}

/* --- memory ---------------------------------------------------------------------------------- */

/* The operands of what is timed at a site; what belongs to an update only the first team has. */
static uint64_t operands_of(bool of_block, int team) {
  uint64_t all = 0;
  for (const trm__op *op = trm__ops; op < trm__ops + TRM__OPS; op++)
    if (op->times != TRM__UNTIMED && (op->scope == TRM__OF_BLOCK) == of_block &&
        (op->scope != TRM__OF_UPDATE || team == 0))
      all |= op->reads | op->writes | op->changes;
  return of_block || team ? all & ~TRM__BIT(TRM__PARAMS) : all;
}

/* Sums take as long of zeros, which the many blocks of gradients stay. */
static trm_status open_site(trm__op_site *site, uint64_t operands, int members, trm_error *err) {
  trm__rng rng = trm__rng_at(0, TRM__RNG_TEST, 0, 0);
  TRM_TRY(trm__op_site_open(site, operands, members, err));

  for (int i = 0; i < TRM__OPERANDS; i++) {
    const trm__operand operand = (trm__operand)i;
    double *v;
    if (!site->at[i] || trm__operands[i].values == TRM__HIDDEN || operand == TRM__SLOTS) continue;
    TRM_ALLOC(&v, trm__operand_size(site, operand), "values of a bench", err);
    trm__operand_fill(site, operand, &rng, v);
    const trm_status st = trm__operand_put(site, operand, v, err);
    trm__free(v);
    TRM_TRY(st);
  }
  return TRM_OK;
}

/* The first block of that kind, or NULL. */
static const trm__block *block_of(const trm__backend *be, int kind) {
  for (int i = 0; i < be->n_blocks; i++)
    if ((int)be->blocks[i].kind == kind) return &be->blocks[i];
  return NULL;
}

static trm_status open_sites(state *s, int rows, int members, trm_error *err) {
  for (int kind = 0; kind <= TRM__BLOCK_KINDS; kind++) {
    const trm__block *blk = block_of(s->be, kind);
    if (!blk && kind < TRM__BLOCK_KINDS) continue;
    TRM_ALLOC(&s->sites[kind], s->teams, "the teams of a bench", err);
    for (int team = 0; team < s->teams; team++) {
      trm__op_site *site = &s->sites[kind][team];
      *site = (trm__op_site){
          .be = s->be, .blk = blk, .b = rows, .ids = rows, .n_params = s->l->n_params};
      TRM_TRY(open_site(site, operands_of(blk != NULL, team), members, err));
    }
  }
  return TRM_OK;
}

/* As src/train/groups.c gives them to Muon; the state of a weight lies at the weight's own place.
 */
static trm_status open_muon(state *s, const trm_trainer_config *trainer, trm_error *err) {
  const trm__op_site *site = s->sites[TRM__BLOCK_KINDS];
  int64_t scratch = 0;
  int n = 0;
  TRM_ALLOC(&s->matrices, s->l->n_slots, "the matrices of a bench", err);
  for (const trm__slot *slot = s->l->slots; slot < s->l->slots + s->l->n_slots; slot++) {
    if (slot->kind != TRM_TENSOR_PARAM || !slot->matrices) continue;
    const int count = trainer->muon_per_head ? slot->matrices : 1;
    const trm__segment matrix = {.at = slot->offset,
                                 .n = slot->count,
                                 .state = slot->offset,
                                 .count = count,
                                 .rows = (int)slot->shape[0] / count,
                                 .cols = (int)slot->shape[1]};
    const int64_t takes = trm__muon_scratch(&matrix);
    if (takes > scratch) scratch = takes;
    s->matrices[n++] = matrix;
  }

  s->muon = (trm__group){.rule = (trm__rule)TRM_OPT_MUON,
                         .n_segments = n,
                         .segments = s->matrices,
                         .state = {site->at[TRM__MOMENT_1]},
                         .scratch = s->be->ops->alloc(s->be, (size_t)scratch * sizeof(real)),
                         .steps = trainer->muon_steps,
                         .figures = site->at[TRM__FIGURES]};
  if (!s->muon.scratch) TRM_FAIL(err, TRM_E_MEMORY, "no memory for Muon's scratch");
  return TRM_OK;
}

static trm_status fill_state(state *s, const trm_model_config *config,
                             const trm_trainer_config *trainer, int rows, int members,
                             trm_error *err) {
  TRM_TRY(trm__layout_create(config, &s->l, err));
  TRM_TRY(
      trm__cpu_create(&s->l->dims, &s->l->outer, s->l->blocks, s->l->n_blocks, true, &s->be, err));
  TRM_TRY(open_sites(s, rows, members, err));
  return trainer && trainer->optimizer == TRM_OPT_MUON ? open_muon(s, trainer, err) : TRM_OK;
}

static void pack_lane(void *arg, trm__lane *lane) {
  const state *s = arg;
  s->be->ops->pack(s->be, lane, s->sites[TRM__BLOCK_KINDS][0].at[TRM__PARAMS]);
}

trm_status trm_bench_create_ops(const trm_model_config *config, const trm_trainer_config *trainer,
                                int threads, int teams, int rows, trm_bench **out, trm_error *err) {
  state *s;
  trm_bench *b;
  *out = NULL;

  /* Refuse what is no list of teams. */
  if (threads < 1 || teams < 1 || threads % teams || rows < 1 || rows > 1 << 14 ||
      threads > TRM__BENCH_THREADS)
    TRM_FAIL(err, TRM_E_ARGUMENT,
             "%d threads as %d teams, %d rows: want teams that divide the threads, 1 to %d rows",
             threads, teams, rows, 1 << 14);

  /* The sites, in memory; then the ops on them, with weights that are packed. */
  TRM_ALLOC(&s, 1, "a bench", err);
  s->teams = teams;
  trm_status st = fill_state(s, config, trainer, rows, threads / teams, err);
  if (st != TRM_OK) {
    free_state(s);
    return st;
  }
  TRM_TRY(trm__bench_create(threads, MAX_OPS, s, free_state, &b, err));
  add_ops(b, s);
  trm__pool_run(b->pool, 1, pack_lane, s);
  *out = b;
  return TRM_OK;
}
