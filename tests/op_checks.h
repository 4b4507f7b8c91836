/* What must hold of every op in the table of src/bench/ops.h, at every shape below:
 *
 *   what it computes is what plain loops in double compute (op_plain.h);
 *   a gradient agrees with differences of those loops: a random direction shows an error in any
 *     single value, for a wrong gradient g has E[((g - g') . v)^2] proportional to ||g - g'||^2;
 *   teams of one, two and three members compute the same bits, and so does a batch row by row.
 *
 * An op never sees what it has no right to: operands that it shall write, and the memory of the
 * team, are NaN before. What a test checks on is a list of backends; it says how near they come. */
#ifndef TRM_TESTS_OP_CHECKS_H
#define TRM_TESTS_OP_CHECKS_H

#include "nn/block.h"
#include "op_plain.h"

enum { TEAMS = 3, DIRECTIONS = 2 };

/* --- shapes ---------------------------------------------------------------------------------- */

typedef struct op_shape {
  const char *name;
  int b, ids;
  enum { ALL_FINITE, A_LOSS_IS_NAN, A_WEIGHT_IS_INFINITE } bad;
  trm__op_scope scope; /* of the ops that are checked at it */
  trm__block_kind kind;
  trm__dims m; /* L, d and what is alike nearly everywhere are filled in */
} op_shape;

#define ATTENTION TRM__OF_BLOCK, TRM__BLOCK_ATTENTION
#define MIXER TRM__OF_BLOCK, TRM__BLOCK_MIXER
#define MLP TRM__OF_BLOCK, TRM__BLOCK_MLP
#define EXPERTS TRM__OF_BLOCK, TRM__BLOCK_EXPERTS
#define EXPERTS_T TRM__OF_BLOCK, TRM__BLOCK_EXPERTS_T
#define SWITCH(n, width) \
  { TRM_ROUTER_SWITCH, n, 1, width }
#define TOP_TWO(n, width) \
  { TRM_ROUTER_NOISY_TOP2, n, 2, width }
#define TILE TRM__OF_TILE, TRM__BLOCK_ATTENTION
#define UPDATE TRM__OF_UPDATE, TRM__BLOCK_MLP
#define FED_BACK(a, b) .feedback = true, .blank = {(a), (b)}
#define WEIGHTS_OF_STEPS .step_decay = 0.7, .step_scale = 0.4
/* Rows, columns and boxes of 2 x 3 cells. */
#define UNITS_OF_4_BY_6 .n_units = 3, .units = {{6, 1, 6, 4}, {6, 4, 1, 6}, {6, 2, 3, 4}}
/* Several rows have an even L: their sums over positions keep their bits when they are split there
 * (kernels.h). */
static const op_shape op_shapes[] = {
    {"attention, one position", 1, 1, 0, ATTENTION, {.S = 1, .D = 6}},
    {"attention", 1, 1, 0, ATTENTION, {.S = 13, .D = 24, .H = 3}},
    {"rope", 3, 1, 0, ATTENTION, {.S = 34, .P = 2, .D = 16, .H = 2, .rope = true}},
    {"rope, long", 1, 1, 0, ATTENTION, {.S = 130, .D = 8, .rope = true}},
    {"normed heads", 1, 1, 0, ATTENTION, {.S = 13, .D = 24, .H = 2, .qk_norm = true}},
    {"normed heads, rope",
     3,
     1,
     0,
     ATTENTION,
     {.S = 34, .P = 2, .D = 72, .H = 2, .rope = true, .qk_norm = true}},
    {"normed outputs", 3, 1, 0, ATTENTION, {.S = 14, .D = 24, .H = 3, .attn_out_norm = true}},
    {"rope in two dimensions",
     3,
     1,
     0,
     ATTENTION,
     {.S = 30, .P = 2, .D = 24, .H = 2, .rope = true, .grid_cols = 6, .rope_theta_cols = 100}},
    {"all of attention",
     2,
     1,
     0,
     ATTENTION,
     {.S = 35,
      .P = 1,
      .D = 80,
      .H = 2,
      .rope = true,
      .grid_cols = 7,
      .rope_theta_cols = 10000,
      .qk_norm = true,
      .attn_out_norm = true}},
    {"attention, longer", 2, 1, 0, ATTENTION, {.S = 70, .D = 8}},
    {"mixer, few positions", 2, 1, 0, MIXER, {.S = 3, .D = 5}},
    {"mixer", 1, 1, 0, MIXER, {.S = 13, .D = 16}},
    {"mixer, wide", 2, 1, 0, MIXER, {.S = 21, .D = 136, .H = 2}},
    {"mixer, long", 1, 1, 0, MIXER, {.S = 130, .D = 24}},
    {"mixer, 65 positions", 2, 1, 0, MIXER, {.S = 65, .D = 16}},
    {"gate norm over positions", 3, 1, 0, MIXER, {.S = 14, .D = 16, .gate_norm = true}},
    {"gate norm, wide", 2, 1, 0, MIXER, {.S = 21, .D = 136, .H = 2, .FL = 512, .gate_norm = true}},
    {"gate norm, few positions", 1, 1, 0, MIXER, {.S = 3, .D = 5, .gate_norm = true}},
    {"gate norm", 3, 1, 0, MLP, {.S = 14, .D = 16, .gate_norm = true}},
    {"gate norm, odd width", 2, 1, 0, MLP, {.S = 20, .D = 27, .gate_norm = true}},
    {"gate norm, long", 1, 1, 0, MLP, {.S = 113, .D = 8, .F = 512, .gate_norm = true}},
    {"mlp", 1, 1, 0, MLP, {.S = 13, .D = 16}},
    {"mlp, odd width", 3, 1, 0, MLP, {.S = 20, .D = 27}},
    {"mlp, long", 1, 1, 0, MLP, {.S = 113, .D = 8, .F = 512}},
    {"switch", 3, 1, 0, EXPERTS, {.S = 13, .D = 16, .moe = SWITCH(4, 256)}},
    {"switch, odd width", 1, 1, 0, EXPERTS, {.S = 9, .D = 27, .moe = SWITCH(2, 256)}},
    {"switch, nobody comes", 2, 1, 0, EXPERTS, {.S = 2, .D = 8, .moe = SWITCH(19, 128)}},
    {"switch, many come", 1, 1, 0, EXPERTS, {.S = 300, .D = 8, .moe = SWITCH(2, 128)}},
    {"top two", 3, 1, 0, EXPERTS, {.S = 13, .D = 16, .moe = TOP_TWO(8, 128)}},
    {"top two of three", 2, 1, 0, EXPERTS, {.S = 14, .D = 24, .moe = TOP_TWO(3, 128)}},
    {"switch over positions", 3, 1, 0, EXPERTS_T, {.S = 13, .D = 16, .moe_t = SWITCH(4, 256)}},
    {"top two, positions",
     2,
     1,
     0,
     EXPERTS_T,
     {.S = 12, .P = 1, .D = 17, .moe_t = TOP_TWO(5, 128)}},
    {"top two, 14 positions", 3, 1, 0, EXPERTS_T, {.S = 14, .D = 16, .moe_t = TOP_TWO(4, 128)}},
    {"tile", 3, 1, 0, TILE, {.V = 7, .S = 13, .D = 24}},
    {"softmax", 4, 1, 0, TILE, {.S = 13, .D = 16, .learned = true, .loss = TRM_LOSS_SOFTMAX}},
    {"smoothed", 3, 1, 0, TILE, {.V = 7, .S = 13, .D = 24, .label_smoothing = 0.1}},
    {"smoothed softmax",
     3,
     1,
     0,
     TILE,
     {.S = 9, .P = 2, .D = 16, .loss = TRM_LOSS_SOFTMAX, .label_smoothing = 0.5, .q_weight = 0.05}},
    {"puzzles of whole positions", 3, 2, 0, TILE, {.V = 7, .S = 9, .P = 4, .E = 16, .D = 16}},
    {"puzzles of some", 4, 5, 0, TILE, {.S = 9, .P = 3, .E = 37, .D = 16, .learned = true}},
    {"tables of units", 3, 1, 0, TILE, {.S = 24, .D = 24, UNITS_OF_4_BY_6, .n_tables = 3}},
    {"constraint",
     3,
     1,
     0,
     TILE,
     {.V = 7, .S = 24, .D = 24, UNITS_OF_4_BY_6, .constraint_weight = 3}},
    {"constraint, softmax",
     2,
     1,
     0,
     TILE,
     {.S = 6,
      .D = 16,
      .loss = TRM_LOSS_SOFTMAX,
      .n_units = 2,
      .units = {{3, 1, 3, 2}, {3, 2, 1, 3}},
      .constraint_weight = 0.3}},
    {"weights of steps", 4, 1, 0, TILE, {.V = 7, .S = 13, .D = 24, WEIGHTS_OF_STEPS}},
    {"weights of steps, of q, too",
     3,
     1,
     0,
     TILE,
     {.V = 7,
      .S = 24,
      .D = 24,
      .loss = TRM_LOSS_SOFTMAX,
      UNITS_OF_4_BY_6,
      .constraint_weight = 3,
      WEIGHTS_OF_STEPS,
      .step_decay_q = true}},
    {"feedback", 3, 2, 0, TILE, {.V = 7, .S = 9, .P = 1, .E = 16, .D = 16, FED_BACK(1, -1)}},
    {"feedback, units",
     4,
     1,
     0,
     TILE,
     {.S = 24, .D = 24, UNITS_OF_4_BY_6, .n_tables = 3, .learned = true, FED_BACK(1, 3)}},
    {"registers",
     4,
     3,
     0,
     TILE,
     {.S = 24, .R = 2, .P = 4, .E = 37, .D = 24, .learned = true, UNITS_OF_4_BY_6, .n_tables = 2}},
    {"registers alone", 2, 1, 0, TILE, {.S = 9, .R = 3, .P = 3, .D = 16}},
    {"one row", 1, 1, 0, TILE, {.S = 9, .P = 2, .E = 5, .D = 33, .loss = TRM_LOSS_SOFTMAX}},
    {"more words than channels", 2, 1, 0, TILE, {.V = 41, .S = 130, .P = 1, .D = 16}},
    {"tile of many rows", 260, 7, 0, TILE, {.V = 3, .S = 1, .P = 1, .E = 3, .D = 8}},
    {"update", 3, 2, 0, UPDATE, {.S = 3, .P = 2, .E = 20, .D = 16}},
    {"update, many rows", 300, 5, 0, UPDATE, {.S = 1, .P = 1, .E = 3, .D = 8}},
    {"update, wide puzzles", 3, 2, 0, UPDATE, {.S = 1, .P = 20, .E = 300, .D = 16}},
    {"update, a loss", 2, 2, A_LOSS_IS_NAN, UPDATE, {.S = 3, .P = 1, .E = 5, .D = 16}},
    {"update, a weight", 2, 1, A_WEIGHT_IS_INFINITE, UPDATE, {.S = 3, .D = 24}},
};
enum { OP_SHAPES = sizeof op_shapes / sizeof *op_shapes };

/* --- a shape, and the values of its operands -------------------------------------------------- */

typedef struct op_trial {
  const op_shape *shape;
  trm__dims m;
  trm__outer outer;
  trm__block blk;
  trm__op_site site; /* of the first backend, without memory: for sizes */
  double *start[TRM__OPERANDS];
  trm__rng rng;
} op_trial;

/* A backend, and how it is called: by a pool for each size of team, or by this thread alone. */
typedef struct op_backend {
  const char *name;
  trm__backend *be;
  trm__pool *const *pools; /* [TEAMS], or NULL */
  double value, gradient;  /* how far off it may be, relative */
} op_backend;

static int64_t weight_values(const trm__weight *w) {
  return (int64_t)w->rows * (w->cols ? w->cols : 1);
}
static int64_t take_place(int64_t *end, int64_t n) {
  const int64_t at = *end;
  *end += n;
  return at;
}

/* The model's side: one block, whose weights are the last. */
static op_trial trial_of(const op_shape *shape) {
  op_trial t = {.shape = shape, .m = shape->m, .rng = probe_rng(11)};
  trm__weight_about about[TRM__BLOCK_WEIGHTS];
  trm__dims *m = &t.m;
  int64_t *n = &t.site.n_params;

  /* The dimensions that the shape leaves open. */
  m->V = m->V ? m->V : 5;
  m->H = m->H ? m->H : 1;
  m->F = m->F ? m->F : 256;
  m->FL = m->FL ? m->FL : 256;
  m->L = m->P + m->S;
  m->d = m->D / m->H;
  m->rope_theta = 10000;
  m->eps = 1e-5;
  m->inner_eps = 1e-3; /* so large that it shows */
  m->q_weight = m->q_weight > 0 ? m->q_weight : 0.5;

  /* The places of the weights. */
  const int64_t V = m->V, D = m->D;
  t.outer.embed_tokens = take_place(n, V * D);
  t.outer.embed_pos = m->learned ? take_place(n, m->L * D) : -1;
  for (int i = 0; i < m->n_tables; i++) t.outer.embed_units[i] = take_place(n, m->units[i].n * D);
  t.outer.registers = take_place(n, m->R * D);
  t.outer.embed_feedback = m->feedback ? take_place(n, V * D) : -1;
  t.outer.lm_head = take_place(n, V * D);
  t.outer.q_weight = take_place(n, 2 * D);
  t.outer.q_bias = take_place(n, 2);
  t.blk.kind = shape->kind;
  t.blk.n_weights = trm__block_kinds[shape->kind].weights(m, about);
  for (int i = 0; i < t.blk.n_weights; i++) {
    t.blk.w[i] = (trm__weight){0, about[i].rows, about[i].cols};
    t.blk.w[i].at = take_place(n, weight_values(&t.blk.w[i]));
  }
  *n = (*n + 15) / 16 * 16; /* as layouts are padded */
  return t;
}

/* Ignored labels: all of row 0, where there are others; none in row 1, whose answers are right. */
static void choose_labels(op_trial *t) {
  const trm__dims *m = &t->m;
  double *logits = t->start[TRM__LOGITS], *labels = t->start[TRM__LABELS];
  for (int i = 0; i < t->shape->b * m->S; i++) {
    const int row = i / m->S;
    if (row == 1) logits[(int64_t)i * m->V + (int)labels[i]] = 9;
    if (row != 1 && ((row == 0 && t->shape->b > 1) || trm__rng_below(&t->rng, 3) == 0))
      labels[i] = -1 - labels[i];
  }
}

/* Rows that are and are not done, with and without all of Broyden's pairs; Anderson's products are
 * those of the history, and Broyden's last step went about where its residual did. */
static void choose_solved(op_trial *t) {
  const int64_t n = (int64_t)t->m.L * t->m.D;
  for (int r = 0; r < t->shape->b; r++) {
    double *row = t->start[TRM__SOLVED] + (int64_t)r * PLAIN_SOLVES;
    const double *g = t->start[TRM__HISTORY] + ((int64_t)r * TRM__MOST_HISTORY + TRM__ANDERSON) * n;
    double *of_broyden = t->start[TRM__HISTORY] + (int64_t)r * TRM__MOST_HISTORY * n,
           *last = of_broyden + (int64_t)2 * TRM__BROYDEN * n;
    for (int64_t i = 0; i < n; i++)
      last[n + i] = (double)(real)(last[n + i] - t->start[TRM__DY][r * n + i] +
                                   t->start[TRM__X][r * n + i] + last[i]);
    row[ITERATIONS] = 7;
    row[DONE] = r % 3 == 1;
    row[PAIRS_FOUND] = 3 + 9 * (r % 4);
    for (int i = 0; i < TRM__ANDERSON; i++)
      for (int j = 0; j < TRM__ANDERSON; j++)
        row[PRODUCT + i * TRM__ANDERSON + j] = plain_dot(n, g + i * n, g + j * n);
  }
}

/* Random values of all operands, and what is not left to chance. */
static void start_values(op_trial *t) {
  const trm__op_site *s = &t->site;

  /* Random values; weights are as large as their products are long. */
  const bool over_positions =
      s->blk->kind == TRM__BLOCK_MIXER || s->blk->kind == TRM__BLOCK_EXPERTS_T;
  const double scale = 1.5 / sqrt(over_positions ? t->m.L : t->m.D);
  for (int i = 0; i < TRM__OPERANDS; i++) {
    t->start[i] = plain_new(trm__operand_size(s, (trm__operand)i));
    trm__operand_fill(s, (trm__operand)i, &t->rng, t->start[i]);
  }
  for (int64_t i = 0; i < s->n_params; i++)
    t->start[TRM__PARAMS][i] = (double)(real)(scale * t->start[TRM__PARAMS][i]);

  /* stablemax has a second derivative that jumps at 0: differences stay on one side */
  double *logits = t->start[TRM__LOGITS];
  for (int64_t i = 0; i < trm__operand_size(s, TRM__LOGITS); i++)
    logits[i] = (double)(real)(logits[i] < 0 ? logits[i] - 0.1 : logits[i] + 0.1);
  choose_labels(t);

  /* Tokens go where they go in every number format. */
  for (int64_t i = 0; trm__experts_of(&t->m, s->blk->kind) && i < trm__operand_size(s, TRM__X); i++)
    t->start[TRM__X][i] = rint(128 * t->start[TRM__X][i]) / 128;

  /* Whatever row of the batch a tile begins with, the noise of its rows is theirs. */
  for (int r = 0; r < s->b; r++) t->start[TRM__KEYS][3 * r + 2] = r;
  choose_solved(t);

  /* What makes an update that must not be applied. */
  t->start[TRM__TOTALS][1] = t->shape->bad == ALL_FINITE;
  if (t->shape->bad == A_LOSS_IS_NAN) t->start[TRM__LOSS][PLAIN_LOSSES] = NAN;
  if (t->shape->bad == A_WEIGHT_IS_INFINITE) t->start[TRM__PARAMS][s->n_params - 1] = INFINITY;
}

static void trial_start(op_trial *t, trm__backend *be) {
  t->site.be = be;
  t->site.blk = be->blocks;
  t->site.b = t->shape->b;
  t->site.ids = t->shape->ids;
  start_values(t);
}
static void trial_end(op_trial *t) {
  for (int i = 0; i < TRM__OPERANDS; i++) trm__free(t->start[i]);
}

/* --- what is expected of an op ---------------------------------------------------------------- */

/* Which operand is the gradient with respect to which, where there is one. */
static const struct op_pair {
  trm__operand of, gradient;
} op_pairs[] = {{TRM__X, TRM__DX},     {TRM__LOGITS, TRM__D_LOGITS}, {TRM__Q, TRM__DQ},
                {TRM__Y, TRM__DY},     {TRM__PUZZLE, TRM__D_PUZZLE}, {TRM__PARAMS, TRM__GRADS},
                {TRM__PARAMS, TRM__DW}};
enum { PAIRS = sizeof op_pairs / sizeof *op_pairs };

/* The slopes along some directions of an operand (of the part whose gradient it is). */
typedef struct op_slopes {
  double *direction[DIRECTIONS], slope[DIRECTIONS];
} op_slopes;

typedef struct op_expected {
  uint64_t computed;            /* operands that plain loops write */
  double *value[TRM__OPERANDS]; /* of those */
  op_slopes slopes[PAIRS];      /* of the gradients that the op writes */
} op_expected;

static bool has(uint64_t operands, int operand) {
  return operands >> operand & 1;
}
static const trm__op *op_computing(const trm__op *op) {
  return op->is_gradient ? &trm__ops[op->of] : op;
}
static bool is_pair_of(const trm__op *op, int pair) {
  return op->is_gradient && has(op->writes | op->changes, op_pairs[pair].gradient) &&
         has(op_computing(op)->reads, op_pairs[pair].of);
}
static bool is_gradient_of(const trm__op *op, int operand) {
  for (int p = 0; p < PAIRS; p++)
    if ((int)op_pairs[p].gradient == operand && is_pair_of(op, p)) return true;
  return false;
}

/* Runs the plain loops on the values of the start, into e->value. */
static void compute_plainly(const op_trial *t, const trm__op *op, op_expected *e) {
  double *v[TRM__OPERANDS];
  memcpy(v, t->start, sizeof v);
  for (int i = 0; i < TRM__OPERANDS; i++) {
    if (!has(e->computed, i)) continue;
    const int64_t n = trm__operand_size(&t->site, (trm__operand)i);
    if (!e->value[i]) e->value[i] = plain_new(n);
    memcpy(e->value[i], t->start[i], (size_t)n * sizeof *v[i]);
    v[i] = e->value[i];
  }
  plain_ops[op - trm__ops](&t->site, v);
}

/* Doubles of one row of the batch; 0: the operand is not made of rows. */
static int64_t row_size(const op_trial *t, int operand) {
  trm__op_site one = t->site;
  one.b = 1;
  const int64_t n = trm__operand_size(&one, (trm__operand)operand);
  return n * t->site.b == trm__operand_size(&t->site, (trm__operand)operand) ? n : 0;
}

/* What the gradient is of: results times the gradients that stand for them; losses as training
 * weighs them. */
static double objective(const op_trial *t, const trm__op *op, op_expected *e) {
  double sum = 0;
  compute_plainly(t, op, e);
  for (int p = 0; p < PAIRS; p++)
    if (has(e->computed, op_pairs[p].of))
      sum += plain_dot(trm__operand_size(&t->site, op_pairs[p].of), e->value[op_pairs[p].of],
                       t->start[op_pairs[p].gradient]);
  for (int r = 0; has(e->computed, TRM__LOSS) && r < t->site.b; r++) {
    const double share = plain_share(&t->m, t->start[TRM__STEPS][r]);
    const double q_weight = (t->m.step_decay_q ? share : 1) * t->m.q_weight;
    const double weights[PLAIN_LOSSES] = {share, q_weight,
                                          q_weight, [CONSTRAINT] = share * t->m.constraint_weight};
    sum += plain_dot(PLAIN_LOSSES, e->value[TRM__LOSS] + PLAIN_LOSSES * r, weights);
  }

  /* What the rows tell of experts, by the slopes of the batch. */
  const int64_t told = row_size(t, TRM__TOLD);
  const double *slope = t->start[TRM__BALANCE] + 1 + 2 * TRM__MAX_EXPERTS;
  for (int r = 0; has(e->computed, TRM__TOLD) && r < t->site.b; r++)
    sum += plain_dot(told, e->value[TRM__TOLD] + r * told, slope);
  return sum;
}

/* Central differences of fourth order along v, at n values. */
static double slope_along(const op_trial *t, const trm__op *op, op_expected *e, double *at,
                          const double *v, int64_t n) {
  static const double offset[] = {1, -1, 2, -2}, weight[] = {8, -8, -1, 1};
  const double h = 1e-3;
  double sum = 0, *base = plain_new(n);
  memcpy(base, at, (size_t)n * sizeof *at);
  for (int i = 0; i < 4; i++) {
    for (int64_t j = 0; j < n; j++) at[j] = base[j] + offset[i] * h * v[j];
    sum += weight[i] * objective(t, op, e);
  }
  memcpy(at, base, (size_t)n * sizeof *at);
  trm__free(base);
  return sum / (12 * h);
}

/* The values whose gradient a pair is: all, or the block's weights. */
static double *values_of(const op_trial *t, int pair, int64_t *n) {
  const bool of_block = op_pairs[pair].gradient == TRM__DW;
  *n = trm__operand_size(&t->site, of_block ? TRM__DW : op_pairs[pair].of);
  return t->start[op_pairs[pair].of] + (of_block ? t->site.blk->w[0].at : 0);
}

static op_expected expected_of(op_trial *t, const trm__op *op) {
  const trm__op *computing = op_computing(op);

  /* Plain loops compute what is written and no gradient. */
  op_expected e = {.computed = computing->writes | computing->changes};
  for (int i = 0; i < TRM__OPERANDS; i++)
    if (trm__operands[i].values == TRM__HIDDEN || (op->is_gradient && is_gradient_of(op, i)))
      e.computed &= ~TRM__BIT(i);

  /* Slopes where there are gradients, then the values where the operands start. */
  for (int p = 0; p < PAIRS; p++)
    for (int d = 0; d < DIRECTIONS && is_pair_of(op, p); d++) {
      int64_t n;
      double *at = values_of(t, p, &n), *v = plain_new(n);
      for (int64_t i = 0; i < n; i++) v[i] = sqrt(3.0 / (double)n) * probe_uniform(&t->rng);
      e.slopes[p].direction[d] = v;
      e.slopes[p].slope[d] = slope_along(t, computing, &e, at, v, n);
    }
  compute_plainly(t, computing, &e);
  return e;
}
static void expected_free(op_expected *e) {
  for (int i = 0; i < TRM__OPERANDS; i++) trm__free(e->value[i]);
  for (int p = 0; p < PAIRS; p++)
    for (int d = 0; d < DIRECTIONS; d++) trm__free(e->slopes[p].direction[d]);
}

/* --- running an op ---------------------------------------------------------------------------- */

/* What an op left, whole or of one row after the other. */
typedef struct op_result {
  double *v[TRM__OPERANDS]; /* of operands that it writes and that are not hidden */
} op_result;

static void result_free(op_result *r) {
  for (int i = 0; i < TRM__OPERANDS; i++) trm__free(r->v[i]);
}

/* What nobody may read. */
static double spoilt(trm__values values) {
  return values == TRM__INTS || values == TRM__BYTES || values == TRM__POINTERS ? 77 : NAN;
}
static void spoil_memory(trm__backend *be, void *at, int64_t bytes) {
  uint8_t *v = be->ops->host ? at : trm__alloc((size_t)bytes, 1);
  assert_non_null(v);
  memset(v, 0xff, (size_t)bytes);
  be->ops->put(be, at, v, (size_t)bytes);
  if (v != at) trm__free(v);
}

static void must(trm_status st, const trm_error *err) {
  if (st != TRM_OK) fail_msg("%s", err->msg);
}

/* Operands from v, as far as the op may know them. */
static void site_fill(const trm__op_site *s, const trm__op *op, double *const *v, int members) {
  trm_error err;

  /* What is read is put there; what is written holds nothing yet. */
  for (int i = 0; i < TRM__OPERANDS; i++) {
    const trm__operand operand = (trm__operand)i;
    const trm__values values = trm__operands[i].values;
    if (!s->at[i]) continue;
    if (values == TRM__HIDDEN) {
      spoil_memory(s->be, s->at[i], trm__operands[i].count(s));
    } else if (has(op->writes, i)) {
      const int64_t n = trm__operand_size(s, operand);
      double *nothing = plain_new(n);
      for (int64_t j = 0; j < n; j++) nothing[j] = spoilt(values);
      must(trm__operand_put(s, operand, nothing, &err), &err);
      trm__free(nothing);
    } else {
      must(trm__operand_put(s, operand, v[i], &err), &err);
    }
  }

  /* Neither does the memory of the team. */
  spoil_memory(s->be, s->shared,
               s->be->ops->shared_size(s->be, s->b, true) * (int64_t)sizeof(real));
  spoil_memory(s->be, s->scratch, s->scratch_size * members * (int64_t)sizeof(real));
}

typedef struct op_call {
  const trm__op *op;
  const trm__op_site *site;
} op_call;

static void call_op(void *arg, trm__lane *lane) {
  const op_call *c = arg;
  trm__workspace ws = trm__op_workspace(c->site, lane);
  c->site->be->ops->pack(c->site->be, lane, c->site->at[TRM__PARAMS]);
  trm__lane_barrier(lane);
  if (c->op->prepare) c->op->prepare(c->site, &ws);
  c->op->run(c->site, &ws);
}

/* By a team of so many, on b rows of v; leaves what it wrote in `out`. */
static void run_op(const op_trial *t, const trm__op *op, const op_backend *on, int b,
                   double *const *v, int members, double *const *out) {
  trm__op_site s = t->site;
  trm_error err;

  /* A site on that backend. */
  s.be = on->be;
  s.blk = on->be->blocks;
  s.b = b;
  must(trm__op_site_open(&s, op->reads | op->writes | op->changes | TRM__BIT(TRM__PARAMS), members,
                         &err),
       &err);
  site_fill(&s, op, v, members);

  /* The call, until the device is done. */
  op_call call = {op, &s};
  if (on->pools)
    trm__pool_run(on->pools[members - 1], 1, call_op, &call);
  else
    call_op(&call, &(trm__lane){0, 1, 0, 1, NULL});
  must(on->be->ops->run(on->be, NULL, NULL, 0, &err), &err);

  for (int i = 0; i < TRM__OPERANDS; i++)
    if (out[i]) must(trm__operand_get(&s, (trm__operand)i, out[i], &err), &err);
  trm__op_site_free(&s);
}

static op_result result_of(const op_trial *t, const trm__op *op) {
  op_result r = {{NULL}};
  for (int i = 0; i < TRM__OPERANDS; i++)
    if (has(op->writes | op->changes, i) && trm__operands[i].values != TRM__HIDDEN)
      r.v[i] = plain_new(trm__operand_size(&t->site, (trm__operand)i));
  return r;
}

/* --- checks ----------------------------------------------------------------------------------- */

/* ||got - want|| / ||want|| over every step-th value: NaN where one has it and the other not. */
static double distance_of(const double *got, const double *want, int64_t n, int step) {
  double wrong = 0, size = 0;
  for (int64_t i = 0; i < n; i += step) {
    if (got[i] == want[i] || (isnan(got[i]) && isnan(want[i]))) continue;
    wrong += (got[i] - want[i]) * (got[i] - want[i]);
  }
  for (int64_t i = 0; i < n; i += step)
    if (isfinite(want[i])) size += want[i] * want[i];
  return wrong == 0 ? 0 : sqrt(wrong / size);
}

static void check_values(const op_trial *t, const trm__op *op, const op_backend *on,
                         const op_expected *e, const op_result *got) {
  for (int i = 0; i < TRM__OPERANDS; i++) {
    if (!got->v[i] || is_gradient_of(op, i)) continue;

    /* Each figure of a loss is compared with its own kind; of slots only the first counts in the
     * end. */
    probe_true(has(e->computed, i), "%s %s: nobody says what %s should be", t->shape->name,
               op->name, trm__operands[i].name);
    const int step = trm__operands[i].values == TRM__LOSSES  ? PLAIN_LOSSES
                     : trm__operands[i].values == TRM__TOTAL ? 2
                                                             : 1;
    const int64_t n = i == TRM__SLOTS ? t->site.n_params /* the others are used up */
                                      : trm__operand_size(&t->site, (trm__operand)i);

    for (int j = 0; j < step && j < n; j++)
      probe_below(distance_of(got->v[i] + j, e->value[i] + j, n - j, step), on->value,
                  "%s, %s, %s on %s", t->shape->name, op->name, trm__operands[i].name, on->name);
  }
}

/* The slope that a gradient g promises along v; of puzzles each row has its own gradient. */
static double promised(const op_trial *t, trm__operand gradient, const double *g, const double *v) {
  const int64_t n = trm__operand_size(&t->site, gradient);
  const int E = t->m.E;
  double sum = 0;
  if (gradient != TRM__D_PUZZLE) return plain_dot(n, g, v);
  for (int r = 0; r < t->site.b; r++)
    sum += plain_dot(E, g + (int64_t)r * E, v + (int64_t)t->start[TRM__ROWS][r] * E);
  return sum;
}

static void check_gradient(const op_trial *t, const trm__op *op, const op_backend *on, int pair,
                           const op_slopes *slopes, double *g) {
  const trm__operand gradient = op_pairs[pair].gradient;
  const int64_t n = trm__operand_size(&t->site, gradient);

  /* What was added to is no part of it. */
  for (int64_t i = 0; has(op->changes, gradient) && i < n; i++) g[i] -= t->start[gradient][i];

  /* A direction's length is 1: slopes are of this size. */
  const double usual = sqrt(plain_dot(n, g, g) / (double)(n ? n : 1));
  double wrong = 0, size = 0;
  for (int d = 0; d < DIRECTIONS; d++) {
    const double want = slopes->slope[d],
                 off = promised(t, gradient, g, slopes->direction[d]) - want;
    wrong += off * off;
    size += fmax(want * want, usual * usual);
  }
  probe_below(wrong == 0 ? 0 : sqrt(wrong / size), on->gradient, "%s, %s, %s on %s", t->shape->name,
              op->name, trm__operands[gradient].name, on->name);
}

static void check_same(const op_trial *t, const trm__op *op, const op_backend *on,
                       const op_result *a, const op_result *b, const char *how, int number) {
  for (int i = 0; i < TRM__OPERANDS; i++) {
    const size_t bytes = (size_t)trm__operand_size(&t->site, (trm__operand)i) * sizeof(double);
    const bool same = !a->v[i] || memcmp(a->v[i], b->v[i], bytes) == 0;
    probe_true(same, "%s, %s, %s on %s, by %d %s", t->shape->name, op->name, trm__operands[i].name,
               on->name, number, how);
  }
}

/* Whether a batch is its rows one after the other, each adding to what is of all rows. */
static bool goes_by_rows(const op_trial *t, const trm__op *op) {
  bool by_rows = t->site.b > 1 && t->site.b < 8 && op->scope != TRM__OF_UPDATE &&
                 op != &trm__ops[TRM__OP_REFILL]; /* leaves the first row out */
  for (int i = 0; i < TRM__OPERANDS; i++)
    if (has(op->writes, i) && trm__operands[i].values != TRM__HIDDEN && row_size(t, i) == 0)
      by_rows = false;
  return by_rows;
}

static void check_rows(const op_trial *t, const trm__op *op, const op_backend *on,
                       const op_result *whole) {
  op_result parts = result_of(t, op);
  double *v[TRM__OPERANDS], *out[TRM__OPERANDS];
  memcpy(v, t->start, sizeof v);
  memcpy(out, parts.v, sizeof out);

  /* Operands of rows move on; the others go from one row to the next. */
  for (int row = 0; row < t->site.b; row++) {
    for (int i = 0; i < TRM__OPERANDS; i++) {
      const int64_t n = row_size(t, i);
      if (n > 0) v[i] = t->start[i] + row * n;
      if (n > 0 && parts.v[i]) out[i] = parts.v[i] + row * n;
    }
    run_op(t, op, on, 1, v, 1, out);
    for (int i = 0; i < TRM__OPERANDS; i++)
      if (parts.v[i] && row_size(t, i) == 0) v[i] = parts.v[i];
  }

  /* A sum over positions is cut between blocks of a product, or rounds otherwise. */
  const trm__dims *dims = &on->be->dims;
  const bool cut =
      dims->dtype == TRM_BFLOAT16 && trm__whole_rows(dims->L, on->be->ops->block_positions) > 1;
  for (int i = 0; i < TRM__OPERANDS; i++)
    if (cut && parts.v[i] && row_size(t, i) == 0)
      memcpy(parts.v[i], whole->v[i],
             (size_t)trm__operand_size(&t->site, (trm__operand)i) * sizeof(double));
  check_same(t, op, on, whole, &parts, "single rows", t->site.b);
  result_free(&parts);
}

static void check_op(const op_trial *t, const trm__op *op, const op_backend *on,
                     const op_expected *e) {
  op_result whole = result_of(t, op);

  /* The same bits from all who may compute it. */
  run_op(t, op, on, t->site.b, t->start, 1, whole.v);
  for (int members = 2; members <= TEAMS && on->pools; members++) {
    op_result r = result_of(t, op);
    run_op(t, op, on, t->site.b, t->start, members, r.v);
    check_same(t, op, on, &whole, &r, "members", members);
    result_free(&r);
  }
  if (on->pools && goes_by_rows(t, op)) check_rows(t, op, on, &whole);

  /* And the right ones. */
  check_values(t, op, on, e, &whole);
  for (int p = 0; p < PAIRS; p++)
    if (is_pair_of(op, p))
      check_gradient(t, op, on, p, &e->slopes[p], whole.v[op_pairs[p].gradient]);
  result_free(&whole);
}

/* All ops of the shape's scope on all of these, which are of one kind of device. */
static void check_shape(op_trial *t, const op_backend *on, int n) {
  op_expected e = {0};
  const trm__op *last = NULL;
  trial_start(t, on[0].be);

  /* Gradients of one op expect the same: it is found once. */
  for (const trm__op *op = trm__ops; op < trm__ops + TRM__OPS; op++) {
    if (op->scope != t->shape->scope || op == &trm__ops[TRM__OP_PACK] ||
        !trm__op_applies(op, &t->site))
      continue;
    if (!last || !op->is_gradient || last->of != op->of) {
      expected_free(&e);
      e = expected_of(t, op);
    }
    last = op->is_gradient ? op : NULL;
    for (int i = 0; i < n; i++) check_op(t, op, &on[i], &e);
  }

  expected_free(&e);
  trial_end(t);
}

#endif
