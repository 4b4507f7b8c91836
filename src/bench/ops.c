/* The table of ops: how each is called, and what a call comes to. */
#include "bench/ops.h"

#include "nn/block.h"

/* --- calls ----------------------------------------------------------------------------------- */

/* Opens a call: the backend be and its ops; AT(NAME) is an operand as it lies there. */
#define BEGIN                            \
  trm__backend *be = s->be;              \
  const trm__backend_ops *ops = be->ops; \
  (void)ws;
#define AT(operand) (s->at[TRM__##operand])

static int64_t latent_reals(const trm__op_site *s) {
  return s->b * s->be->ops->latent_size(s->be);
}

static void run_embed(const trm__op_site *s, trm__workspace *ws) {
  BEGIN
  ops->embed(be, ws, s->b, AT(INPUTS), be->dims.feedback ? AT(FED) : NULL, AT(ROWS), AT(Y));
}
static void run_embed_grad(const trm__op_site *s, trm__workspace *ws) {
  BEGIN
  ops->embed_grad(be, ws, s->b, AT(INPUTS), be->dims.feedback ? AT(FED) : NULL, AT(DY), AT(GRADS),
                  AT(D_PUZZLE));
}

static void add_up(const trm__op_site *s, trm__workspace *ws, real *to) {
  BEGIN
  const real *src[] = {AT(X), AT(DY)};
  ops->sum(be, ws, latent_reals(s), 2, src, to);
}
static void run_sum(const trm__op_site *s, trm__workspace *ws) {
  add_up(s, ws, AT(Y));
}
static void run_sum_in_place(const trm__op_site *s, trm__workspace *ws) {
  add_up(s, ws, AT(X));
}
static void run_clear(const trm__op_site *s, trm__workspace *ws) {
  BEGIN
  ops->clear(be, ws, latent_reals(s), AT(Y));
}
static void run_mix(const trm__op_site *s, trm__workspace *ws) {
  BEGIN
  ops->mix(be, ws, latent_reals(s), (real)0.25, AT(DY), (real)0.75, AT(X));
}

static void run_jitter(const trm__op_site *s, trm__workspace *ws) {
  BEGIN
  const trm__draws draws = trm__draws_before(3);
  ops->jitter(be, ws, s->b, AT(KEYS), &draws, (real)0.25, AT(X));
}
static void run_jitter_behind(const trm__op_site *s, trm__workspace *ws) {
  BEGIN
  const trm__draws draws = trm__draws_behind(true, 5);
  ops->jitter(be, ws, s->b, AT(KEYS), &draws, (real)0.25, AT(X));
}
static void run_start(const trm__op_site *s, trm__workspace *ws) {
  BEGIN
  const trm__draws draws = trm__draws_start(false, 2);
  ops->start(be, ws, s->b, AT(KEYS), &draws, AT(STEPS), (real)0.75, AT(X));
}

/* An iteration of a solver at x, whose f is dy. */
static void iterate(const trm__op_site *s, trm__workspace *ws, trm_recursion method, int k,
                    bool relative) {
  BEGIN
  const trm__solving how = {method, 0.5, relative, k + 2, TRM__MOST_HISTORY};
  ops->solve(be, ws, &how, s->b, k, AT(X), AT(DY), k ? AT(DY) : AT(X), AT(Y), AT(HISTORY),
             AT(SOLVED));
}
static void run_fixed_point(const trm__op_site *s, trm__workspace *ws) {
  iterate(s, ws, TRM_RECURSION_FIXED_POINT, 7, false);
}
static void run_anderson(const trm__op_site *s, trm__workspace *ws) {
  iterate(s, ws, TRM_RECURSION_ANDERSON, 7, true);
}
static void run_broyden(const trm__op_site *s, trm__workspace *ws) {
  iterate(s, ws, TRM_RECURSION_BROYDEN, 7, false);
}
static void run_solve_first(const trm__op_site *s, trm__workspace *ws) {
  iterate(s, ws, TRM_RECURSION_ANDERSON, 0, false);
}

static void run_forward(const trm__op_site *s, trm__workspace *ws) {
  BEGIN
  ops->block(be, ws, s->blk, s->b, AT(X), AT(Y), NULL);
}
static void run_saving(const trm__op_site *s, trm__workspace *ws) {
  BEGIN
  ops->block(be, ws, s->blk, s->b, AT(X), AT(Y), AT(KEPT));
}
static void run_in_place(const trm__op_site *s, trm__workspace *ws) {
  BEGIN
  ops->block(be, ws, s->blk, s->b, AT(X), AT(X), NULL);
}
/* A backward pass uses up what the forward pass kept, and turns dy into dx in its place. */
static void prepare_backward(const trm__op_site *s, trm__workspace *ws) {
  BEGIN
  const real *src[] = {AT(DY)};
  ops->block(be, ws, s->blk, s->b, AT(X), AT(Y), AT(KEPT));
  ops->sum(be, ws, latent_reals(s), 1, src, AT(DX));
}
static void go_back(const trm__op_site *s, trm__workspace *ws, bool accumulate) {
  BEGIN
  const trm__block *blk = s->blk;
  real *dw[TRM__BLOCK_WEIGHTS];
  for (int i = 0; i < blk->n_weights; i++) dw[i] = (real *)AT(DW) + (blk->w[i].at - blk->w[0].at);
  ops->block_grad(be, ws, blk, s->b, AT(X), AT(Y), AT(KEPT), AT(DX), dw, accumulate);
}
static void run_backward(const trm__op_site *s, trm__workspace *ws) {
  go_back(s, ws, true);
}
static void run_replacing(const trm__op_site *s, trm__workspace *ws) {
  go_back(s, ws, false);
}

/* Experts, in an application of their own. */
static trm__routing routing_of(const trm__op_site *s) {
  return (trm__routing){.noise = AT(KEYS), .application = TRM__OP_APPLICATION};
}
static void run_telling(const trm__op_site *s, trm__workspace *ws) {
  BEGIN
  trm__routing routing = routing_of(s);
  routing.told = AT(TOLD);
  ws->routing = &routing;
  ops->block(be, ws, s->blk, s->b, AT(X), AT(Y), NULL);
  ws->routing = NULL;
}
static void prepare_balanced(const trm__op_site *s, trm__workspace *ws) {
  const trm__routing routing = routing_of(s);
  ws->routing = &routing;
  prepare_backward(s, ws);
  ws->routing = NULL;
}
static void run_balanced(const trm__op_site *s, trm__workspace *ws) {
  trm__routing routing = routing_of(s);
  routing.balance = AT(BALANCE);
  ws->routing = &routing;
  go_back(s, ws, true);
  ws->routing = NULL;
}
static void run_balance(const trm__op_site *s, trm__workspace *ws) {
  BEGIN
  ops->balance(be, ws, s->blk->kind, s->b, TRM__OP_WEIGHT, AT(TOLD), AT(BALANCE));
}

static void run_head(const trm__op_site *s, trm__workspace *ws) {
  BEGIN
  ops->head(be, ws, s->b, AT(X), AT(LOGITS), AT(Q));
}
static void run_decode(const trm__op_site *s, trm__workspace *ws) {
  BEGIN
  ops->decode(be, ws, s->b, AT(INPUTS), AT(LOGITS), AT(DECODED));
}
static void run_q_target(const trm__op_site *s, trm__workspace *ws) {
  BEGIN
  ops->q_target(be, ws, s->b, AT(Q), AT(STEPS), 2, AT(TARGET));
}
/* Losses turn logits and q into their gradients in their place. */
static void prepare_loss(const trm__op_site *s, trm__workspace *ws) {
  BEGIN
  if (ws->lane->rank == 0) {
    ops->copy(be, AT(D_LOGITS), AT(LOGITS), (size_t)trm__operand_bytes(s, TRM__LOGITS));
    ops->copy(be, AT(DQ), AT(Q), (size_t)trm__operand_bytes(s, TRM__Q));
  }
  trm__lane_barrier(ws->lane);
}
static void run_loss(const trm__op_site *s, trm__workspace *ws) {
  BEGIN
  ops->loss(be, ws, s->b, AT(LABELS), AT(STEPS), NULL, AT(D_LOGITS), AT(DQ), AT(LOSS));
}
static void run_loss_continue(const trm__op_site *s, trm__workspace *ws) {
  BEGIN
  ops->loss(be, ws, s->b, AT(LABELS), AT(STEPS), AT(TARGET), AT(D_LOGITS), AT(DQ), AT(LOSS));
}
static void run_head_grad(const trm__op_site *s, trm__workspace *ws) {
  BEGIN
  ops->head_grad(be, ws, s->b, AT(X), AT(D_LOGITS), AT(DQ), AT(DX), AT(GRADS));
}
static void run_start_grad(const trm__op_site *s, trm__workspace *ws) {
  BEGIN
  ops->start_grad(be, ws, s->b, AT(STEPS), AT(DY), AT(D_INIT));
}

/* Rows with one latent. */
static trm__rows rows_of(const trm__op_site *s) {
  return (trm__rows){.n_latents = 1,
                     .z = {AT(X)},
                     .init = {AT(INIT)},
                     .puzzle_emb = s->be->dims.E ? AT(PUZZLE) : NULL,
                     .inputs = AT(INPUTS),
                     .labels = AT(LABELS),
                     .puzzle_ids = AT(IDS),
                     .steps = AT(STEPS),
                     .halted = AT(HALTED),
                     .puzzle = AT(ROWS),
                     .decoded = s->be->dims.feedback ? AT(DECODED) : NULL,
                     .fed = s->be->dims.feedback ? AT(FED) : NULL};
}
/* All but the first row, where there are more. */
static void run_refill(const trm__op_site *s, trm__workspace *ws) {
  BEGIN
  const trm__rows all = rows_of(s);
  const trm__fresh fresh = {.inputs = AT(FRESH_INPUTS),
                            .labels = AT(FRESH_LABELS),
                            .puzzle_ids = AT(FRESH_IDS),
                            .corrupt = AT(CORRUPT)};
  const int first = s->b > 1;
  ops->refill(be, ws, &all, &fresh, first, s->b - first, 1);
}
static void stop_rows(const trm__op_site *s, trm__workspace *ws, trm__stop early) {
  BEGIN
  const trm__rows all = rows_of(s);
  const trm__halting how = {3, early, AT(LEAST), (real)0.25};
  ops->halt(be, ws, &all, s->b, &how, AT(LOSS));
}
static void run_halt(const trm__op_site *s, trm__workspace *ws) {
  stop_rows(s, ws, TRM__STOP_Q);
}
static void run_halt_continue(const trm__op_site *s, trm__workspace *ws) {
  stop_rows(s, ws, TRM__STOP_Q_CONTINUE);
}
static void run_halt_never(const trm__op_site *s, trm__workspace *ws) {
  stop_rows(s, ws, TRM__STOP_NOTHING);
}
static void run_halt_solved(const trm__op_site *s, trm__workspace *ws) {
  stop_rows(s, ws, TRM__STOP_SOLVED);
}

static void run_clear_grads(const trm__op_site *s, trm__workspace *ws) {
  BEGIN
  ops->clear_grads(be, ws, s->n_params, AT(GRADS));
}
static void run_add_grads(const trm__op_site *s, trm__workspace *ws) {
  BEGIN
  const real *src[] = {AT(GRADS), AT(MORE)};
  ops->add_grads(be, ws, s->n_params, 2, src, AT(GRADS));
}

static trm__update update_of(const trm__op_site *s, real *grads) {
  return (trm__update){.n = s->n_params,
                       .rows = s->b,
                       .slots = s->be->ops->slots,
                       .grads = grads,
                       .params = AT(PARAMS),
                       .ema = AT(EMA),
                       .loss = AT(LOSS),
                       .partial_norms = AT(PARTIAL_NORMS),
                       .totals = AT(TOTALS),
                       .puzzle_emb = s->be->dims.E ? AT(PUZZLE) : NULL,
                       .d_puzzle = AT(D_PUZZLE),
                       .puzzle_ids = AT(IDS),
                       .order = AT(ORDER),
                       .sum = AT(SUM)};
}
static void run_sum_slots(const trm__op_site *s, trm__workspace *ws) {
  BEGIN
  const trm__update u = update_of(s, AT(SLOTS));
  ops->sum_slots(be, ws, &u);
}
static void run_finish_grads(const trm__op_site *s, trm__workspace *ws) {
  BEGIN
  const trm__update u = update_of(s, AT(GRADS));
  ops->finish_grads(be, ws, &u);
}
/* One group: two stretches, with one weight between them that is in no group. */
static void move_weights(const trm__op_site *s, trm__workspace *ws, trm__rule rule) {
  BEGIN
  const trm__update u = update_of(s, AT(GRADS));
  const int64_t half = s->n_params / 2, rest = half + 1;
  const trm__segment segments[] = {{.at = 0, .n = half},
                                   {.at = rest, .n = s->n_params - rest, .state = half}};
  const trm__group group = {.rule = rule,
                            .n_segments = 2,
                            .segments = segments,
                            .state = {AT(MOMENT_1), AT(MOMENT_2)},
                            .figures = AT(FIGURES)};
  ops->update(be, ws, &u, &group);
}
static void run_adam_atan2(const trm__op_site *s, trm__workspace *ws) {
  move_weights(s, ws, (trm__rule)TRM_OPT_ADAM_ATAN2);
}
static void run_adamw(const trm__op_site *s, trm__workspace *ws) {
  move_weights(s, ws, (trm__rule)TRM_OPT_ADAMW);
}
static void run_sign_rows(const trm__op_site *s, trm__workspace *ws) {
  BEGIN
  const trm__update u = update_of(s, AT(GRADS));
  const trm__group group = {.rule = TRM__RULE_SIGN_ROWS, .figures = AT(FIGURES)};
  ops->update(be, ws, &u, &group);
}
static void run_pack(const trm__op_site *s, trm__workspace *ws) {
  BEGIN
  ops->pack(be, ws->lane, AT(PARAMS));
}

/* --- what a call comes to -------------------------------------------------------------------- */

static double block_flops(const trm__op_site *s) {
  return s->b * trm__block_kinds[s->blk->kind].flops(&s->be->dims);
}
static double block_flops_back(const trm__op_site *s) {
  return 2 * block_flops(s);
}
static double head_flops(const trm__op_site *s) {
  return 2 * (double)trm__operand_size(s, TRM__LOGITS) * s->be->dims.D;
}
static double head_flops_back(const trm__op_site *s) {
  return 2 * head_flops(s);
}

static double weight_values(const trm__block *blk) {
  double n = 0;
  for (int i = 0; i < blk->n_weights; i++)
    n += (double)blk->w[i].rows * (blk->w[i].cols ? blk->w[i].cols : 1);
  return n;
}

/* Of tables that stay in cache nothing counts; a block reads its weights as operands. */
static double bytes_moved(const trm__op *op, const trm__op_site *s, trm__operand operand) {
  const bool of_weights = operand == TRM__PARAMS || operand == TRM__GRADS;
  const double unit = s->be->dims.dtype == TRM_BFLOAT16 ? 2 : sizeof(float);
  if (op->scope == TRM__OF_BLOCK && operand == TRM__PARAMS) return unit * weight_values(s->blk);
  return op->scope == TRM__OF_TILE && of_weights ? 0 : (double)trm__operand_bytes(s, operand);
}

double trm__op_bytes(const trm__op *op, const trm__op_site *s) {
  double sum = op->run == run_pack ? (double)s->be->ops->held_bytes(s->be) : 0;
  for (int i = 0; i < TRM__OPERANDS; i++) {
    const int times =
        !!((op->reads | op->writes) & TRM__BIT(i)) + 2 * !!(op->changes & TRM__BIT(i));
    if (times) sum += times * bytes_moved(op, s, (trm__operand)i);
  }
  return sum;
}

bool trm__op_applies(const trm__op *op, const trm__op_site *s) {
  const uint64_t of_experts = TRM__BIT(TRM__KEYS) | TRM__BIT(TRM__TOLD);
  if (op->scope == TRM__OF_BLOCK && !s->blk) return false;
  if (op->scope == TRM__OF_BLOCK && op->reads & of_experts)
    return trm__experts_of(&s->be->dims, s->blk->kind) != NULL;
  return s->be->dims.E || !(op->changes & TRM__BIT(TRM__PUZZLE));
}

/* --- the table ------------------------------------------------------------------------------- */

#define B(operand) TRM__BIT(TRM__##operand)
#define MOVED (B(PARAMS) | B(EMA) | B(MOMENT_1) | B(MOMENT_2))

const trm__op trm__ops[TRM__OPS] = {
    [TRM__OP_EMBED] = {.name = "embed",
                       .scope = TRM__OF_TILE,
                       .times = TRM__ONCE,
                       .reads = B(PARAMS) | B(INPUTS) | B(FED) | B(PUZZLE) | B(ROWS),
                       .writes = B(Y),
                       .run = run_embed},
    [TRM__OP_SUM] = {.name = "sum",
                     .scope = TRM__OF_TILE,
                     .times = TRM__SUMS,
                     .reads = B(X) | B(DY),
                     .writes = B(Y),
                     .run = run_sum},
    [TRM__OP_SUM_IN_PLACE] = {.name = "sum in place",
                              .scope = TRM__OF_TILE,
                              .reads = B(DY),
                              .changes = B(X),
                              .run = run_sum_in_place},
    [TRM__OP_CLEAR] = {.name = "clear", .scope = TRM__OF_TILE, .writes = B(Y), .run = run_clear},
    [TRM__OP_MIX] = {.name = "mix",
                     .scope = TRM__OF_TILE,
                     .times = TRM__MIXES,
                     .reads = B(DY),
                     .changes = B(X),
                     .run = run_mix},
    [TRM__OP_JITTER] = {.name = "jitter",
                        .scope = TRM__OF_TILE,
                        .reads = B(KEYS),
                        .changes = B(X),
                        .run = run_jitter},
    [TRM__OP_JITTER_BEHIND] = {.name = "jitter behind an update",
                               .scope = TRM__OF_TILE,
                               .times = TRM__STIRS,
                               .reads = B(KEYS),
                               .changes = B(X),
                               .run = run_jitter_behind},
    [TRM__OP_START] = {.name = "start",
                       .scope = TRM__OF_TILE,
                       .times = TRM__STARTS,
                       .reads = B(KEYS) | B(STEPS),
                       .changes = B(X),
                       .run = run_start},
    [TRM__OP_FIXED_POINT] = {.name = "iteration",
                             .scope = TRM__OF_TILE,
                             .reads = B(DY),
                             .changes = B(X) | B(Y) | B(HISTORY) | B(SOLVED),
                             .run = run_fixed_point},
    [TRM__OP_ANDERSON] = {.name = "iteration, anderson",
                          .scope = TRM__OF_TILE,
                          .reads = B(DY),
                          .changes = B(X) | B(Y) | B(HISTORY) | B(SOLVED),
                          .run = run_anderson},
    [TRM__OP_BROYDEN] = {.name = "iteration, broyden",
                         .scope = TRM__OF_TILE,
                         .reads = B(DY),
                         .changes = B(X) | B(Y) | B(HISTORY) | B(SOLVED),
                         .run = run_broyden},
    [TRM__OP_SOLVE_FIRST] = {.name = "first iteration",
                             .scope = TRM__OF_TILE,
                             .reads = B(DY),
                             .changes = B(X) | B(HISTORY),
                             .writes = B(Y) | B(SOLVED),
                             .run = run_solve_first},
    [TRM__OP_FORWARD] = {.name = "forward",
                         .scope = TRM__OF_BLOCK,
                         .times = TRM__FORWARDS,
                         .reads = B(PARAMS) | B(X),
                         .writes = B(Y),
                         .run = run_forward,
                         .flops = block_flops},
    [TRM__OP_SAVING] = {.name = "forward, saving",
                        .scope = TRM__OF_BLOCK,
                        .times = TRM__SAVINGS,
                        .reads = B(PARAMS) | B(X),
                        .writes = B(Y) | B(KEPT),
                        .run = run_saving,
                        .flops = block_flops},
    [TRM__OP_IN_PLACE] = {.name = "forward in place",
                          .scope = TRM__OF_BLOCK,
                          .reads = B(PARAMS),
                          .changes = B(X),
                          .run = run_in_place,
                          .flops = block_flops},
    [TRM__OP_BACKWARD] = {.name = "backward",
                          .scope = TRM__OF_BLOCK,
                          .times = TRM__SAVINGS,
                          .reads = B(PARAMS) | B(X) | B(DY),
                          .writes = B(DX) | B(Y) | B(KEPT),
                          .changes = B(DW),
                          .is_gradient = true,
                          .of = TRM__OP_FORWARD,
                          .prepare = prepare_backward,
                          .run = run_backward,
                          .flops = block_flops_back},
    [TRM__OP_REPLACING] = {.name = "backward, replacing",
                           .scope = TRM__OF_BLOCK,
                           .reads = B(PARAMS) | B(X) | B(DY),
                           .writes = B(DX) | B(Y) | B(KEPT) | B(DW),
                           .is_gradient = true,
                           .of = TRM__OP_FORWARD,
                           .prepare = prepare_backward,
                           .run = run_replacing,
                           .flops = block_flops_back},
    [TRM__OP_TELLING] = {.name = "forward, telling",
                         .scope = TRM__OF_BLOCK,
                         .reads = B(PARAMS) | B(X) | B(KEYS),
                         .writes = B(Y) | B(TOLD),
                         .run = run_telling,
                         .flops = block_flops},
    [TRM__OP_BALANCED] = {.name = "backward, balanced",
                          .scope = TRM__OF_BLOCK,
                          .reads = B(PARAMS) | B(X) | B(DY) | B(KEYS) | B(BALANCE),
                          .writes = B(DX) | B(Y) | B(KEPT),
                          .changes = B(DW),
                          .is_gradient = true,
                          .of = TRM__OP_TELLING,
                          .prepare = prepare_balanced,
                          .run = run_balanced,
                          .flops = block_flops_back},
    [TRM__OP_BALANCE] = {.name = "balance",
                         .scope = TRM__OF_BLOCK,
                         .reads = B(TOLD),
                         .writes = B(BALANCE),
                         .run = run_balance},
    [TRM__OP_HEAD] = {.name = "head",
                      .scope = TRM__OF_TILE,
                      .times = TRM__HEADS,
                      .reads = B(PARAMS) | B(X),
                      .writes = B(LOGITS) | B(Q),
                      .run = run_head,
                      .flops = head_flops},
    [TRM__OP_DECODE] = {.name = "decode",
                        .scope = TRM__OF_TILE,
                        .times = TRM__DECODES,
                        .reads = B(INPUTS) | B(LOGITS),
                        .writes = B(DECODED),
                        .run = run_decode},
    [TRM__OP_Q_TARGET] = {.name = "continue target",
                          .scope = TRM__OF_TILE,
                          .reads = B(Q) | B(STEPS),
                          .writes = B(TARGET),
                          .run = run_q_target},
    [TRM__OP_LOSS] = {.name = "loss",
                      .scope = TRM__OF_TILE,
                      .times = TRM__ONCE,
                      .reads = B(LOGITS) | B(Q) | B(LABELS) | B(STEPS),
                      .writes = B(LOSS) | B(D_LOGITS) | B(DQ),
                      .is_gradient = true,
                      .of = TRM__OP_LOSS,
                      .prepare = prepare_loss,
                      .run = run_loss},
    [TRM__OP_LOSS_CONTINUE] = {.name = "loss with continue",
                               .scope = TRM__OF_TILE,
                               .reads = B(LOGITS) | B(Q) | B(LABELS) | B(STEPS) | B(TARGET),
                               .writes = B(LOSS) | B(D_LOGITS) | B(DQ),
                               .is_gradient = true,
                               .of = TRM__OP_LOSS_CONTINUE,
                               .prepare = prepare_loss,
                               .run = run_loss_continue},
    [TRM__OP_HEAD_GRAD] = {.name = "head backward",
                           .scope = TRM__OF_TILE,
                           .times = TRM__ONCE,
                           .reads = B(PARAMS) | B(X) | B(D_LOGITS) | B(DQ),
                           .writes = B(DX),
                           .changes = B(GRADS),
                           .is_gradient = true,
                           .of = TRM__OP_HEAD,
                           .run = run_head_grad,
                           .flops = head_flops_back},
    [TRM__OP_EMBED_GRAD] = {.name = "embed backward",
                            .scope = TRM__OF_TILE,
                            .times = TRM__ONCE,
                            .reads = B(INPUTS) | B(FED) | B(DY),
                            .writes = B(D_PUZZLE),
                            .changes = B(GRADS),
                            .is_gradient = true,
                            .of = TRM__OP_EMBED,
                            .run = run_embed_grad},
    [TRM__OP_START_GRAD] = {.name = "start backward",
                            .scope = TRM__OF_TILE,
                            .reads = B(STEPS) | B(DY),
                            .changes = B(D_INIT),
                            .run = run_start_grad},
    [TRM__OP_REFILL] = {.name = "refill",
                        .scope = TRM__OF_TILE,
                        .reads = B(PUZZLE) | B(INIT) | B(FRESH_INPUTS) | B(FRESH_LABELS) |
                                 B(FRESH_IDS) | B(CORRUPT),
                        .changes = B(X) | B(INPUTS) | B(LABELS) | B(IDS) | B(ROWS) | B(STEPS) |
                                   B(HALTED) | B(DECODED) | B(FED),
                        .run = run_refill},
    [TRM__OP_HALT] = {.name = "halt",
                      .scope = TRM__OF_TILE,
                      .reads = B(LOSS) | B(STEPS) | B(LEAST),
                      .writes = B(HALTED),
                      .run = run_halt},
    [TRM__OP_HALT_CONTINUE] = {.name = "halt with continue",
                               .scope = TRM__OF_TILE,
                               .reads = B(LOSS) | B(STEPS) | B(LEAST),
                               .writes = B(HALTED),
                               .run = run_halt_continue},
    [TRM__OP_HALT_NEVER] = {.name = "halt at the end only",
                            .scope = TRM__OF_TILE,
                            .reads = B(LOSS) | B(STEPS) | B(LEAST),
                            .writes = B(HALTED),
                            .run = run_halt_never},
    [TRM__OP_HALT_SOLVED] = {.name = "halt when solved",
                             .scope = TRM__OF_TILE,
                             .reads = B(LOSS) | B(STEPS) | B(LEAST),
                             .writes = B(HALTED),
                             .run = run_halt_solved},
    [TRM__OP_CLEAR_GRADS] = {.name = "clear gradients",
                             .scope = TRM__OF_UPDATE,
                             .writes = B(GRADS),
                             .run = run_clear_grads},
    [TRM__OP_ADD_GRADS] = {.name = "add gradients",
                           .scope = TRM__OF_UPDATE,
                           .times = TRM__ADDS,
                           .reads = B(MORE),
                           .changes = B(GRADS),
                           .run = run_add_grads},
    [TRM__OP_SUM_SLOTS] = {.name = "sum of slots",
                           .scope = TRM__OF_UPDATE,
                           .times = TRM__ONCE,
                           .changes = B(SLOTS),
                           .run = run_sum_slots},
    [TRM__OP_FINISH_GRADS] = {.name = "mean and norm",
                              .scope = TRM__OF_UPDATE,
                              .times = TRM__ONCE,
                              .reads = B(PARAMS) | B(LOSS),
                              .writes = B(TOTALS) | B(PARTIAL_NORMS),
                              .changes = B(GRADS),
                              .run = run_finish_grads},
    [TRM__OP_ADAM_ATAN2] = {.name = "optimiser",
                            .scope = TRM__OF_UPDATE,
                            .times = TRM__ONCE,
                            .reads = B(GRADS) | B(FIGURES) | B(TOTALS),
                            .changes = MOVED,
                            .run = run_adam_atan2},
    [TRM__OP_ADAMW] = {.name = "AdamW",
                       .scope = TRM__OF_UPDATE,
                       .reads = B(GRADS) | B(FIGURES) | B(TOTALS),
                       .changes = MOVED,
                       .run = run_adamw},
    [TRM__OP_SIGN_ROWS] = {.name = "rows of puzzles",
                           .scope = TRM__OF_UPDATE,
                           .times = TRM__ONCE,
                           .reads = B(IDS) | B(FIGURES) | B(TOTALS),
                           .writes = B(ORDER) | B(SUM),
                           .changes = B(PUZZLE) | B(D_PUZZLE),
                           .run = run_sign_rows},
    [TRM__OP_PACK] = {.name = "pack",
                      .scope = TRM__OF_UPDATE,
                      .times = TRM__ONCE,
                      .reads = B(PARAMS),
                      .run = run_pack},
};
