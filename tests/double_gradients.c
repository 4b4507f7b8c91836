/* The gradients of a whole supervision step, in double, for every architecture: all parameters and
 * the puzzle embedding against central differences of the total loss.
 *
 * Only the steps with gradient may be differenced. The plan is data, so a second layout runs just
 * the tail, starting from the latents that the prefix left with unperturbed weights; the continue
 * target is computed once, by a third run from the new carry, and held fixed. */
#include "probe.h"

#include <stdlib.h>

#include "nn/model.h"
#include "nn/walk.h"
#include "trm/maze.h"
#include "trm/sudoku.h"

enum { ROWS = 3, TEAMS = 3, PROBES = 3, IDS = 5 };
static const double GRADIENT = 1e-6, STEP = 2e-5;

typedef struct bench {
  trm_model *model;
  const trm__layout *l;
  trm__layout *prefix, *tail; /* the same model with parts of the plan */
  trm__backend *be;
  trm__pool *pool[TEAMS];
  int64_t latent; /* values of one latent of all rows */
  int32_t inputs[ROWS * 64], labels[ROWS * 64], steps[ROWS];
  int32_t fed[ROWS * 64], decoded[ROWS * 64], places[ROWS * 64];
  const real *puzzle[ROWS]; /* rows of `table` */
  real *table;              /* [ROWS, E]: copies that can be perturbed */
  real *start[TRM__MAX_LATENTS], *middle[TRM__MAX_LATENTS], *z[TRM__MAX_LATENTS];
  real *logits, *q;
  double target[ROWS]; /* of the continue loss */
  trm__row_loss loss[ROWS];
  real *d_puzzle;
  trm__walker *infer; /* of the tail */
  /* Of a model with experts: the batch is the rows here. */
  trm__experts_update experts;
  trm__noise noise;
  trm__noise keys[ROWS]; /* of a model that draws behind its updates */
} bench;

enum { APPLICATIONS_BEFORE = 1000 };

/* --- one walk by a team --- */

typedef struct job {
  bench *t;
  trm__walker *w;
  trm__tile tile;
  real *const *step_grads; /* NULL: inference */
  real *outer;
  bool accumulate;
  bool tells; /* first, where experts see the batch */
} job;

static void walk_lane(void *arg, trm__lane *lane) {
  job *j = arg;
  j->t->be->ops->pack(j->t->be, lane, j->t->model->params);
  trm__lane_barrier(lane);
  if (j->tells) {
    trm__workspace ws = {.lane = lane};
    trm__walk_tell(j->w, lane, &j->tile);
    trm__walk_balance(j->w, &ws, &j->t->experts);
  }
  if (j->step_grads)
    trm__walk_train(j->w, lane, &j->tile, j->step_grads, j->outer, j->outer, j->accumulate);
  else
    trm__walk_infer(j->w, lane, &j->tile);
}

static trm__walker *walker(bench *t, const trm__layout *l, int members, bool training) {
  trm__walker *w;
  trm_error err;
  assert_int_equal(trm__walker_create(l, t->be, ROWS, members, training, &w, &err), TRM_OK);
  probe_spoil(w->memory,
              trm__walker_bytes(l, t->be, ROWS, members, training) / (int64_t)sizeof(real));
  return w;
}

static trm__tile tile_of(bench *t) {
  trm__tile tile = {.rows = ROWS,
                    .inputs = t->inputs,
                    .places = t->l->dims.grid_cells ? t->places : NULL,
                    .puzzle = t->l->dims.E ? t->puzzle : NULL,
                    .logits = t->logits,
                    .q = t->q,
                    .fed = t->l->dims.feedback ? t->fed : NULL,
                    .decoded = t->decoded,
                    .labels = t->labels,
                    .steps = t->steps,
                    .max_steps = t->model->config.halt_max_steps,
                    .loss = t->loss,
                    .d_puzzle = t->d_puzzle,
                    .experts = t->experts.with_grad ? &t->experts : NULL,
                    .noise = trm__plan_draws(t->l->plan) ? t->keys : NULL};
  for (int i = 0; i < t->l->plan->n_latents; i++) tile.z[i] = t->z[i];
  return tile;
}

static void copy_latents(const bench *t, real *const *to, real *const *from) {
  for (int i = 0; i < t->l->plan->n_latents; i++)
    memcpy(to[i], from[i], (size_t)t->latent * sizeof(real));
}

/* Draws go by the steps of the plan; those here begin with this one. */
static void draw_from(bench *t, int first) {
  t->noise.first = APPLICATIONS_BEFORE + (uint64_t)(first * t->experts.stride);
  for (int r = 0; r < ROWS; r++)
    t->keys[r] = (trm__noise){.seed = 5, .first = 1000 + (uint64_t)first, .row = 7 + r};
}

/* From t->z in place, as the steps from `first` on. */
static void infer_with(bench *t, trm__walker *w, int first) {
  job j = {.t = t, .w = w, .tile = tile_of(t), .tells = t->experts.with_grad && w == t->infer};
  draw_from(t, first);
  trm__pool_run(t->pool[0], 1, walk_lane, &j);
}
static void infer(bench *t, const trm__layout *l, int first) {
  trm__walker *w = walker(t, l, 1, trm__plan_draws(l->plan)); /* training draws otherwise */
  infer_with(t, w, first);
  trm__walker_free(w);
}

/* The first row has just begun: where starts are learned its latents are these, as they now are. */
static void start_first_row(bench *t, real *const *z) {
  const trm__dims *m = &t->l->dims;
  for (int i = 0; i < t->l->plan->n_latents && t->l->learned_latents; i++)
    for (int s = 0; s < m->L; s++)
      memcpy(z[i] + (int64_t)s * m->D, t->model->params + t->l->latent_init[i],
             (size_t)m->D * sizeof(real));
}

/* --- set-up --- */

static void make_contract(bench *t);

/* Changes a plan; NULL: as the architecture has it. */
typedef void edit_fn(trm__plan *p);

/* A gradient that passes a solution by applications of its net is one from the solution on: that is
 * a constant, and behind it come so many steps. Of one cycle. */
static bool is_through_applications(const trm__plan *p) {
  return p->solving.method != TRM_RECURSION_UPDATES && p->solver_grad != TRM_SOLVER_GRAD_IMPLICIT;
}
static void split_at_solution(trm__plan *p, bool tail) {
  const trm__step solution = p->steps[p->first_grad], last = p->steps[p->first_grad + 1];
  assert_true(p->n_steps == p->first_grad + 2 && solution.kept < p->n_steps);
  p->n_steps = tail ? solution.kept + 1 : p->first_grad + 1;
  for (int i = 0; i < p->n_steps && tail; i++) {
    p->steps[i] = i < solution.kept ? solution : last;
    p->steps[i].solved = false;
  }
  if (tail) p->first_grad = 0;
}

static trm__layout *part_of_plan(const trm_model_config *c, edit_fn *edit, bool tail) {
  trm__layout *l;
  trm_error err;
  assert_int_equal(trm__layout_create(c, &l, &err), TRM_OK);
  trm__plan *p = l->plan;
  if (edit) edit(p);
  if (is_through_applications(p)) {
    split_at_solution(p, tail);
  } else if (tail) {
    p->n_steps -= p->first_grad;
    memmove(p->steps, p->steps + p->first_grad, (size_t)p->n_steps * sizeof *p->steps);
    p->first_grad = 0;
  } else {
    p->n_steps = p->first_grad;
  }
  return l;
}

/* Each row has some of the grid's cells as its tokens, two fewer than the row before it. */
static void fill_places(bench *t, trm__rng *rng) {
  const trm__dims *m = &t->l->dims;
  for (int r = 0; r < ROWS && m->grid_cells; r++) {
    int n = 0;
    const int wanted = m->S - 2 * r;
    for (int cell = 0; cell < m->grid_cells; cell++) {
      const bool must = m->grid_cells - cell == wanted - n;
      if (n == wanted || !(must || trm__rng_below(rng, 2))) continue;
      t->places[r * m->S + n++] = trm__place_of(cell, (int)trm__rng_below(rng, TRM__WALLS));
    }
    for (int i = r * m->S + n; i < (r + 1) * m->S; i++) {
      t->places[i] = TRM__NO_PLACE;
      t->inputs[i] = 0;
      t->labels[i] = -1;
    }
  }
}

static void fill_inputs(bench *t, trm__rng *rng) {
  const trm__dims *m = &t->l->dims;
  for (int i = 0; i < ROWS * m->S; i++) {
    t->inputs[i] = (int32_t)trm__rng_below(rng, (uint32_t)m->V);
    t->labels[i] = trm__rng_below(rng, 4) ? (int32_t)trm__rng_below(rng, (uint32_t)m->V) : -1;
  }
  for (int i = 0; i < ROWS * m->S && m->feedback; i++)
    t->fed[i] = (int32_t)trm__rng_below(rng, (uint32_t)m->V);
  fill_places(t, rng);
  for (int r = 0; r < ROWS; r++) {
    t->puzzle[r] = t->table + (int64_t)r * m->E;
    t->steps[r] = r + 1; /* the last row is at its last step */
  }
}

static bench *bench_open(const trm_model_config *c, edit_fn *edit) {
  bench *t = trm__alloc(1, sizeof *t);
  trm__rng rng = probe_rng(5);
  trm_error err;
  assert_non_null(t);
  assert_int_equal(trm_model_create(c, 3, &t->model, &err), TRM_OK);
  if (edit) edit(t->model->layout->plan);

  /* The plan in two parts: without a gradient and with. */
  t->l = t->model->layout;
  const trm__dims *m = &t->l->dims;
  assert_true(m->S <= 64);
  t->prefix = part_of_plan(c, edit, false);
  t->tail = part_of_plan(c, edit, true);

  /* With the halting head at zero, as a new model has it, nothing would come back from there. */
  probe_fill(t->model->params + t->l->outer.q_weight, 2 * m->D, 0.5, &rng); /* zero by default */
  probe_fill(t->model->params + t->l->outer.q_bias, 2, 1, &rng);
  assert_int_equal(
      trm__cpu_create(&t->l->dims, &t->l->outer, t->l->blocks, t->l->n_blocks, true, &t->be, &err),
      TRM_OK);

  if (c->solver != TRM_RECURSION_UPDATES) make_contract(t);

  /* Teams that share the rows, the inputs and every latent's start. */
  for (int i = 0; i < TEAMS; i++)
    assert_int_equal(trm__pool_create(i + 1, &t->pool[i], &err), TRM_OK);
  t->latent = (int64_t)ROWS * m->L * m->D;
  t->table = probe_random(ROWS * (int64_t)m->E, 1, &rng);
  t->d_puzzle = probe_reals(ROWS * (int64_t)m->E);
  t->logits = probe_reals((int64_t)ROWS * m->S * m->V);
  t->q = probe_reals(2 * ROWS);
  for (int i = 0; i < t->l->plan->n_latents; i++) {
    t->start[i] = probe_random(t->latent, 1.7, &rng);
    t->middle[i] = probe_reals(t->latent);
    t->z[i] = probe_reals(t->latent);
  }
  start_first_row(t, t->start);
  fill_inputs(t, &rng);
  t->infer = walker(t, t->tail, 1, true);

  /* What experts tell each other; spreads start at zero. */
  t->experts = trm__experts_update_of(t->l, ROWS);
  trm__experts_update *x = &t->experts;
  x->weight = 3;
  x->noise = &t->noise;
  t->noise.seed = 77;
  x->told = trm__alloc((size_t)(x->with_grad * ROWS * x->figures), sizeof *x->told);
  x->balance = trm__alloc((size_t)x->with_grad, sizeof *x->balance);
  assert_true(x->told && x->balance);
  for (int s = 0; s < t->l->n_slots; s++)
    if (strstr(t->l->slots[s].name, ".noise."))
      probe_fill(t->model->params + t->l->slots[s].offset, t->l->slots[s].count, 0.3, &rng);
  return t;
}

static void bench_close(bench *t) {
  for (int i = 0; i < TRM__MAX_LATENTS; i++) {
    trm__free(t->start[i]);
    trm__free(t->middle[i]);
    trm__free(t->z[i]);
  }
  trm__free(t->experts.told);
  trm__free(t->experts.balance);
  trm__free(t->table);
  trm__free(t->d_puzzle);
  trm__free(t->logits);
  trm__free(t->q);
  trm__walker_free(t->infer);
  for (int i = 0; i < TEAMS; i++) trm__pool_free(t->pool[i]);
  t->be->ops->destroy(t->be);
  trm__layout_free(t->prefix);
  trm__layout_free(t->tail);
  trm_model_free(t->model);
  trm__free(t);
}

/* --- the total loss, by plain loops --- */

static double cross_entropy(const trm__dims *m, const real *x, int label) {
  const double e = m->label_smoothing;
  double sum = 0, logs = 0;
  for (int v = 0; v < m->V; v++) {
    double s = m->loss == TRM_LOSS_SOFTMAX ? exp(x[v]) : x[v] >= 0 ? x[v] + 1 : 1 / (1 - x[v]);
    sum += s;
    logs += ((v == label ? 1 - e : 0) + e / m->V) * log(s);
  }
  return log(sum) - logs;
}
static double bce(double x, double target) {
  return log1p(exp(x)) - target * x;
}

/* Once in each row, column and box of a Sudoku of 4 x 4: [off from] 0 or 1. */
static double constraint(const bench *t, int row) {
  const trm__dims *m = &t->l->dims;
  const real *x = t->logits + (int64_t)row * m->S * m->V;
  const int32_t *labels = t->labels + row * m->S;
  double off[12][8] = {{0}}, sum = 0;
  for (int s = 0; s < 16; s++) {
    const int units[] = {s / 4, 4 + s % 4, 8 + s / 8 * 2 + s % 4 / 2};
    double all = 0;
    for (int v = 0; v < m->V; v++) all += exp(x[s * m->V + v]);
    for (int v = 1; v < m->V; v++)
      for (int k = 0; k < 3; k++) off[units[k]][v] += exp(x[s * m->V + v]) / all;
  }
  for (int v = 1; v < m->V; v++) {
    bool wanted = false;
    for (int s = 0; s < 16; s++) wanted |= labels[s] == v;
    for (int u = 0; u < 12; u++) sum += (off[u][v] - wanted) * (off[u][v] - wanted);
  }
  return sum / (12 * (m->V - 1));
}

/* What the step of a row counts in its losses, or in those of q: of three steps, as `tiny` has. */
static double share_of(const bench *t, int row, bool of_q) {
  const trm_model_config *c = &t->model->config;
  const double d = c->step_decay, powers[] = {1, d, d * d};
  if (of_q && !c->step_decay_q) return 1;
  return d < 1 ? powers[t->steps[row] - 1] / (1 + d + d * d) : 1;
}

static double row_total(const bench *t, int row) {
  const trm__dims *m = &t->l->dims;
  double lm = 0;
  int valid = 0, right = 0;
  for (int s = 0; s < m->S; s++) {
    const real *x = t->logits + ((int64_t)row * m->S + s) * m->V;
    int label = t->labels[row * m->S + s], best = 0;
    if (label < 0) continue;
    for (int v = 1; v < m->V; v++) best = x[v] > x[best] ? v : best;
    lm += cross_entropy(m, x, label);
    valid++;
    right += best == label;
  }
  double go = m->q_continue ? bce(t->q[2 * row + 1], t->target[row]) : 0;
  const double rules = m->constraint_weight > 0 ? m->constraint_weight * constraint(t, row) : 0;
  return share_of(t, row, false) * (lm / (valid ? valid : 1) + rules) +
         share_of(t, row, true) * m->q_weight * (bce(t->q[2 * row], right == valid) + go);
}

/* Of the tail, from the latents in the middle, with the weights and puzzle rows as they now are. */
static double total_loss(void *arg) {
  bench *t = arg;
  double sum = 0;
  copy_latents(t, t->z, t->middle);
  start_first_row(t, t->z);
  infer_with(t, t->infer, t->l->plan->first_grad);
  for (int r = 0; r < ROWS; r++) sum += row_total(t, r);
  for (int i = 0; i < t->experts.with_grad; i++)
    sum += t->experts.weight * t->experts.balance[i].loss;
  return sum;
}

/* The middle latents, and the continue targets from one more step on the new carry. */
static void prepare(bench *t) {
  copy_latents(t, t->z, t->start);
  if (t->prefix->plan->n_steps > 0) infer(t, t->prefix, 0);
  copy_latents(t, t->middle, t->z);
  infer(t, t->tail, t->l->plan->first_grad);
  infer(t, t->l, t->l->plan->n_steps);
  for (int r = 0; r < ROWS; r++) {
    double halt = t->q[2 * r], go = t->q[2 * r + 1];
    bool last = t->steps[r] >= t->model->config.halt_max_steps;
    t->target[r] = 1 / (1 + exp(-(last ? halt : fmax(halt, go))));
  }
}

/* --- gradients --- */

typedef struct gradients {
  int n;       /* steps with gradient */
  real **step; /* as trm__walk_train fills them */
  real *outer, *d_puzzle, *z;
} gradients;

static int64_t net_size(const trm__layout *l, int net) {
  return l->net_offset[net + 1] - l->net_offset[net];
}

static gradients gradients_new(const bench *t) {
  const trm__plan *p = t->l->plan;
  gradients g = {.n = p->n_grads, .step = trm__alloc((size_t)p->n_grads, sizeof *g.step)};
  assert_non_null(g.step);
  for (int i = 0; i < g.n; i++) g.step[i] = probe_reals(net_size(t->l, p->grad_net[i]));
  g.outer = trm__alloc((size_t)t->l->n_params, sizeof *g.outer);
  assert_non_null(g.outer);
  return g;
}
static void gradients_free(gradients *g) {
  for (int i = 0; i < g->n; i++) trm__free(g->step[i]);
  trm__free(g->step);
  trm__free(g->outer);
  trm__free(g->d_puzzle);
  trm__free(g->z);
}

static void train(bench *t, int members, gradients *g, bool accumulate) {
  trm__walker *w = walker(t, t->l, members, true);
  copy_latents(t, t->z, t->start);
  probe_spoil(t->d_puzzle, (int64_t)ROWS * t->l->dims.E);
  job j = {.t = t,
           .w = w,
           .tile = tile_of(t),
           .step_grads = g->step,
           .outer = g->outer,
           .accumulate = accumulate,
           .tells = t->experts.with_grad > 0};
  draw_from(t, 0);
  trm__pool_run(t->pool[members - 1], 1, walk_lane, &j);
  trm__walker_free(w);
  trm__free(g->d_puzzle);
  trm__free(g->z);
  g->d_puzzle = probe_copy(t->d_puzzle, (int64_t)ROWS * t->l->dims.E);
  g->z = probe_copy(t->z[t->l->plan->answer], t->latent);
}

/* One flat block: the outer gradients and the sum over steps of each net's. Padding between tensors
 * is never written, so tensors are added one by one. */
static real *flat(const bench *t, const gradients *g) {
  const trm__layout *l = t->l;
  real *sum = probe_copy(g->outer, l->n_params);
  for (int i = 0; i < g->n; i++) {
    int net = l->plan->grad_net[i];
    for (int s = 0; s < l->n_slots; s++) {
      const trm__slot *slot = &l->slots[s];
      int64_t at = slot->offset - l->net_offset[net];
      if (slot->kind != TRM_TENSOR_PARAM || at < 0 || slot->offset >= l->net_offset[net + 1])
        continue;
      for (int64_t j = 0; j < slot->count; j++) sum[slot->offset + j] += g->step[i][at + j];
    }
  }
  return sum;
}

static void check_teams(bench *t, const char *name, const gradients *first) {
  real *want = flat(t, first);
  for (int members = 2; members <= TEAMS; members++) {
    gradients g = gradients_new(t);
    train(t, members, &g, false);
    real *got = flat(t, &g);
    probe_true(probe_same(got, want, t->l->n_params) && probe_same(g.z, first->z, t->latent) &&
                   probe_same(g.d_puzzle, first->d_puzzle, (int64_t)ROWS * t->l->dims.E),
               "%s by %d members", name, members);
    trm__free(got);
    gradients_free(&g);
  }
  trm__free(want);
}

/* A second tile with the same rows doubles the sum. */
static void check_accumulation(bench *t, const char *name, const real *once) {
  gradients g = gradients_new(t);
  train(t, 1, &g, false);
  train(t, 1, &g, true);
  real *got = flat(t, &g);
  for (int64_t i = 0; i < t->l->n_params; i++) got[i] /= 2;
  probe_below(probe_error(got, once, t->l->n_params), 1e-13, "%s accumulated", name);
  trm__free(got);
  gradients_free(&g);
}

static void check_tensors(bench *t, const char *name, const gradients *g, real *sum) {
  trm__rng rng = probe_rng(9);
  for (int s = 0; s < t->l->n_slots; s++) {
    const trm__slot *slot = &t->l->slots[s];
    if (slot->kind != TRM_TENSOR_PARAM) continue;
    probe_below(probe_gradient(total_loss, t, t->model->params + slot->offset, sum + slot->offset,
                               slot->count, PROBES, STEP, &rng),
                GRADIENT, "%s %s", name, slot->name);
  }
  if (t->l->dims.E)
    probe_below(probe_gradient(total_loss, t, t->table, g->d_puzzle, (int64_t)ROWS * t->l->dims.E,
                               2 * PROBES, STEP, &rng),
                GRADIENT, "%s puzzle_emb", name);
}

static void check_plan(const char *name, const trm_model_config *c, edit_fn *edit) {
  bench *t = bench_open(c, edit);
  gradients g = gradients_new(t);
  prepare(t);
  train(t, 1, &g, false);
  double want = total_loss(t), got = 0;
  for (int r = 0; r < ROWS; r++)
    got += share_of(t, r, false) * (t->loss[r].lm + c->constraint_weight * t->loss[r].constraint) +
           share_of(t, r, true) * c->q_weight * (t->loss[r].q_halt + t->loss[r].q_continue);
  for (int i = 0; i < t->experts.with_grad; i++)
    got += t->experts.weight * t->experts.balance[i].loss;
  probe_below(fabs(got - want), 1e-10, "%s loss", name);
  probe_true(probe_same(g.z, t->z[t->l->plan->answer], t->latent),
             "%s: training moves the latents as inference", name);
  real *sum = flat(t, &g);
  check_tensors(t, name, &g, sum);
  check_teams(t, name, &g);
  check_accumulation(t, name, sum);
  trm__free(sum);
  gradients_free(&g);
  bench_close(t);
}

/* The same where training and inference need not agree in every bit: differences begin at the value
 * of the net, training at its argument. */
static void check_through_applications(const char *name, const trm_model_config *c) {
  bench *t = bench_open(c, NULL);
  gradients g = gradients_new(t);
  prepare(t);
  train(t, 1, &g, false);
  real *sum = flat(t, &g);
  check_tensors(t, name, &g, sum);
  check_teams(t, name, &g);
  check_accumulation(t, name, sum);
  trm__free(sum);
  gradients_free(&g);
  bench_close(t);
}

static void check_model(const char *name, const trm_model_config *c) {
  check_plan(name, c, NULL);
}

/* --- the models --- */

static trm_model_config tiny(trm_arch arch) {
  trm_model_config c = trm_model_config_default(arch);
  c.vocab_size = 7;
  c.seq_len = 11;
  c.num_puzzle_identifiers = IDS;
  c.hidden_size = 16;
  c.num_heads = 2;
  c.expansion = 2;
  c.puzzle_emb_ndim = c.puzzle_emb_len = 0;
  c.halt_max_steps = 3;
  c.forward_dtype = TRM_FLOAT32; /* rounding has no gradient */
  if (arch != TRM_ARCH_TRANSFORMER) {
    c.H_cycles = c.L_cycles = 2;
    c.L_layers = 2;
  }
  if (c.H_layers) c.H_layers = 2;
  return c;
}

static void trm_mixer(void **state) {
  (void)state;
  trm_model_config c = tiny(TRM_ARCH_TRM);
  c.mlp_t = true;
  c.pos_encodings = TRM_POS_NONE;
  c.puzzle_emb_ndim = 16;
  c.puzzle_emb_len = 2;
  check_model("trm mlp_t", &c);
}
static void trm_rope(void **state) {
  (void)state;
  trm_model_config c = tiny(TRM_ARCH_TRM);
  check_model("trm rope", &c);
}
static void normed_heads(void **state) {
  (void)state;
  trm_model_config c = tiny(TRM_ARCH_TRM);
  c.qk_norm = true;
  c.inner_norm_eps = 1e-3;
  check_model("trm rope, normed heads", &c);
  c.pos_encodings = TRM_POS_LEARNED;
  c.num_heads = 1;
  c.L_layers = 1;
  check_model("trm learned, one normed head", &c);
}
static void normed_gates(void **state) {
  (void)state;
  trm_model_config c = tiny(TRM_ARCH_TRM);
  c.gate_norm = true;
  c.inner_norm_eps = 1e-3;
  c.mlp_t = true;
  c.puzzle_emb_ndim = 16;
  c.puzzle_emb_len = 2;
  check_model("trm mlp_t, gate norm", &c);
}
static void all_norms(void **state) {
  (void)state;
  trm_model_config c = tiny(TRM_ARCH_HRM);
  c.gate_norm = c.qk_norm = c.attn_out_norm = true;
  c.pos_encodings = TRM_POS_ROPE2D;
  c.rope_theta_cols = 30;
  c.puzzle = (trm_puzzle){.kind = TRM_PUZZLE_MAZE, .rows = 2, .cols = 6};
  c.vocab_size = 6;
  c.seq_len = 12;
  c.L_layers = c.H_layers = 1;
  c.puzzle_emb_ndim = 16;
  check_model("hrm rope2d, all norms", &c);
}
static void trm_learned(void **state) {
  (void)state;
  trm_model_config c = tiny(TRM_ARCH_TRM);
  c.pos_encodings = TRM_POS_LEARNED;
  c.hidden_size = 20;
  c.puzzle_emb_ndim = 27;
  c.puzzle_emb_len = 3;
  check_model("trm learned", &c);
}
static void trm_softmax(void **state) {
  (void)state;
  trm_model_config c = tiny(TRM_ARCH_TRM);
  c.loss = TRM_LOSS_SOFTMAX;
  c.no_ACT_continue = false;
  c.H_cycles = 1; /* no prefix */
  check_model("trm softmax, continue", &c);
}
static void hrm(void **state) {
  (void)state;
  trm_model_config c = tiny(TRM_ARCH_HRM);
  c.puzzle_emb_ndim = 16;
  check_model("hrm", &c);
}
static void single_z(void **state) {
  (void)state;
  trm_model_config c = tiny(TRM_ARCH_SINGLEZ);
  check_model("trm_singlez", &c);
}
static void hier6(void **state) {
  (void)state;
  trm_model_config c = tiny(TRM_ARCH_HIER6);
  c.L_cycles = 6;
  c.L_layers = 1;
  check_model("trm_hier6", &c);
}
static void hier6_short(void **state) {
  (void)state;
  trm_model_config c = tiny(TRM_ARCH_HIER6);
  check_model("trm_hier6 with two of its latents updated", &c);
}
/* The ablations of the recursion: which net, which updates have a gradient, and the input in all.
 */
static void separate_nets(void **state) {
  (void)state;
  trm_model_config c = tiny(TRM_ARCH_TRM);
  c.nets = TRM_NETS_SEPARATE;
  c.L_layers = 1;
  check_model("trm with two nets", &c);
  c = tiny(TRM_ARCH_SINGLEZ);
  c.nets = TRM_NETS_SEPARATE;
  c.x_always = true;
  check_model("trm_singlez with two nets, x always", &c);
}
static void gradients_of_some_updates(void **state) {
  static const trm_grad grads[] = {
      {TRM_GRAD_ONE_STEP, 0}, {TRM_GRAD_LAST, 1}, {TRM_GRAD_LAST, 4}, {TRM_GRAD_ALL, 0}};
  (void)state;
  for (size_t i = 0; i < sizeof grads / sizeof *grads; i++) {
    trm_model_config c = tiny(TRM_ARCH_TRM);
    c.grad = grads[i];
    c.L_layers = 1;
    c.puzzle_emb_ndim = 16;
    check_model("trm, another gradient", &c);
  }
}
static void hrm_whole(void **state) {
  (void)state;
  trm_model_config c = tiny(TRM_ARCH_HRM);
  c.grad.kind = TRM_GRAD_ALL;
  check_model("hrm, all updates", &c);
}
static void hier_any(void **state) {
  (void)state;
  trm_model_config c = tiny(TRM_ARCH_HIER);
  c.L_cycles = 3;
  c.L_layers = 1;
  check_model("trm_hier of three latents", &c);
}
static void tied(void **state) {
  (void)state;
  trm_model_config c = tiny(TRM_ARCH_TRM);
  c.tie_embeddings = true;
  c.L_layers = 1;
  c.puzzle_emb_ndim = 16;
  check_model("trm, tied embeddings", &c);
  c.pos_encodings = TRM_POS_LEARNED;
  c.no_ACT_continue = false;
  check_model("trm, tied embeddings, learned positions", &c);
}
static void smoothed(void **state) {
  (void)state;
  trm_model_config c = tiny(TRM_ARCH_TRM);
  c.label_smoothing = 0.3;
  c.L_layers = 1;
  check_model("trm, smoothed labels", &c);
  c.loss = TRM_LOSS_SOFTMAX;
  check_model("trm, smoothed labels, softmax", &c);
}
static void weighted_q(void **state) {
  (void)state;
  trm_model_config c = tiny(TRM_ARCH_TRM);
  c.q_weight = 0.05;
  c.no_ACT_continue = false;
  c.L_layers = 1;
  check_model("trm, weighted q", &c);
}
static void weighted_steps(void **state) {
  (void)state;
  trm_model_config c = tiny(TRM_ARCH_TRM);
  c.step_decay = 0.7;
  c.L_layers = 1;
  check_model("trm, weighted steps", &c);
  c.step_decay_q = true;
  c.no_ACT_continue = false;
  c.label_smoothing = 0.1;
  check_model("trm, weighted steps and q", &c);
}
/* z_L <- net(z_H + e), z_H <- net(z_L): an update that forgets the old value of its latent. */
static void forget(trm__plan *p) {
  for (int i = 0; i < p->n_steps; i++) p->steps[i].src = 1u << !p->steps[i].dst;
}

/* z <- (1 - d) f(z + i) + d z + noise. */
static void damped(void **state) {
  (void)state;
  trm_model_config c = tiny(TRM_ARCH_TRM);
  c.damping = 0.3;
  c.mlp_t = true;
  c.L_layers = 1;
  check_model("trm mlp_t, damped", &c);
  check_plan("a damped plan whose updates forget", &c, forget);
  c.update_noise = 0.5;
  c.no_ACT_continue = false;
  check_model("trm mlp_t, damped, with noise and continue", &c);
  c = tiny(TRM_ARCH_HRM);
  c.damping = 0.3;
  c.update_noise = 0.2;
  c.L_layers = c.H_layers = 1;
  c.grad.kind = TRM_GRAD_ALL;
  c.learned_latents = true;
  check_model("hrm, damped, with noise and learned latents", &c);
  c = tiny(TRM_ARCH_TRM);
  c.moe = (trm_moe){TRM_ROUTER_SWITCH, 3};
  c.L_layers = 1;
  c.damping = 0.3;
  c.update_noise = 0.2;
  check_model("trm with a switch, damped, with noise", &c);
}
static void learned_starts(void **state) {
  (void)state;
  trm_model_config c = tiny(TRM_ARCH_TRM);
  c.learned_latents = true;
  c.grad.kind = TRM_GRAD_ALL;
  c.L_layers = 1;
  check_model("trm, learned latents", &c);
  c = tiny(TRM_ARCH_HIER6);
  c.learned_latents = true;
  c.H_cycles = 1;
  c.L_layers = 1;
  check_model("trm_hier6, learned latents of which two are updated", &c);
  c = tiny(TRM_ARCH_TRANSFORMER);
  c.learned_latents = c.tie_embeddings = true;
  check_model("transformers_baseline, learned latent, tied embeddings", &c);
}
/* Beside the tokens: tables of rows, columns and boxes, and registers before a puzzle embedding. */
static trm_model_config of_sudoku(trm_arch arch) {
  trm_model_config c = tiny(arch);
  c.puzzle = trm_sudoku_of_size(4);
  c.vocab_size = 6;
  c.seq_len = 16;
  c.L_layers = arch == TRM_ARCH_TRANSFORMER ? 0 : 1;
  return c;
}
static void tables_and_registers(void **state) {
  (void)state;
  trm_model_config c = of_sudoku(TRM_ARCH_TRM);
  c.grid_tables = true;
  check_model("trm, tables of the grid", &c);
  c.registers = 2;
  c.mlp_t = true;
  c.puzzle_emb_ndim = 27;
  check_model("trm, tables of the grid, registers, a puzzle embedding", &c);
  c = of_sudoku(TRM_ARCH_TRANSFORMER);
  c.registers = 1;
  c.grid_tables = c.tie_embeddings = true;
  c.pos_encodings = TRM_POS_LEARNED;
  check_model("transformers_baseline, the same, learned positions, tied embeddings", &c);
}

static void fed_back(void **state) {
  (void)state;
  trm_model_config c = of_sudoku(TRM_ARCH_TRM);
  c.feedback = true;
  check_model("trm, feedback", &c);
  c.grid_tables = c.tie_embeddings = true;
  c.pos_encodings = TRM_POS_LEARNED;
  c.registers = 1;
  check_model("trm, feedback, tables, tied embeddings, learned positions", &c);
}
static void constrained(void **state) {
  (void)state;
  trm_model_config c = of_sudoku(TRM_ARCH_TRM);
  c.constraint_weight = 0.3;
  check_model("trm, constraint loss", &c);
  c.step_decay = 0.5;
  check_model("trm, constraint loss, weighted steps", &c);
  c.step_decay = 1;
  c.loss = TRM_LOSS_SOFTMAX;
  c.no_ACT_continue = false;
  c.mlp_t = true;
  check_model("trm, constraint loss, softmax, continue", &c);
}

static void transformer(void **state) {
  (void)state;
  trm_model_config c = tiny(TRM_ARCH_TRANSFORMER);
  c.puzzle_emb_ndim = 10;
  check_model("transformers_baseline", &c);
}

static void switched(void **state) {
  (void)state;
  trm_model_config c = tiny(TRM_ARCH_TRM);
  c.moe = (trm_moe){TRM_ROUTER_SWITCH, 3};
  c.L_layers = 1;
  check_model("trm with a switch", &c);
}
static void switched_mixer(void **state) {
  (void)state;
  trm_model_config c = tiny(TRM_ARCH_TRM);
  c.mlp_t = true;
  c.moe = (trm_moe){TRM_ROUTER_NOISY_TOP2, 3};
  c.moe_t = (trm_moe){TRM_ROUTER_SWITCH, 2};
  c.L_layers = 1;
  c.no_ACT_continue = false;
  check_model("trm with experts in both", &c);
}
static void noisy_mixer(void **state) {
  (void)state;
  trm_model_config c = tiny(TRM_ARCH_HRM);
  c.mlp_t = true;
  c.moe_t = (trm_moe){TRM_ROUTER_NOISY_TOP2, 3};
  c.L_layers = c.H_layers = 1;
  c.puzzle_emb_ndim = 16;
  check_model("hrm with noisy experts over the positions", &c);
}

static void forgetful(void **state) {
  (void)state;
  trm_model_config c = tiny(TRM_ARCH_TRM);
  check_plan("a plan whose updates forget", &c, forget);
}

/* Tokens that are the open cells of mazes, each row's at its own places, before padding of which no
 * gradient comes. */
static void open_cells(void **state) {
  (void)state;
  trm_model_config c = tiny(TRM_ARCH_TRM);
  c.vocab_size = 6;
  c.seq_len = 16;
  c.puzzle = trm_maze_of_size(4, 4);
  c.pos_encodings = TRM_POS_ROPE2D;
  c.hidden_size = 16;
  c.open_cells = true;
  c.max_open_cells = 9;
  check_model("trm, open cells", &c);
  c.pos_encodings = TRM_POS_LEARNED;
  c.grid_tables = c.qk_norm = c.attn_out_norm = c.gate_norm = true;
  c.registers = 1;
  check_model("trm, open cells, learned positions, tables, norms", &c);
  c.no_ACT_continue = c.feedback = true;
  c.pos_encodings = TRM_POS_ROPE;
  c.max_open_cells = 12;
  check_model("trm, open cells, feedback, rotary positions", &c);
}

/* --- solved steps ---------------------------------------------------------------------------- */

/* Short branches: the net approaches a fixed point, and the solver finds all of its digits. */
static void make_contract(bench *t) {
  for (int i = 0; i < t->l->n_blocks; i++) {
    const trm__block *blk = &t->l->blocks[i];
    const trm__weight *w = &blk->w[blk->n_weights - 1];
    for (int64_t j = 0; j < (int64_t)w->rows * w->cols; j++) t->model->params[w->at + j] *= 0.2;
  }
}

/* Small, for each difference solves it anew. */
static trm_model_config solved(trm_recursion solver, trm_solver_grad_kind grad, int steps) {
  trm_model_config c = tiny(TRM_ARCH_TRM);
  c.seq_len = 4;
  c.hidden_size = 8;
  c.L_layers = 1;
  c.puzzle_emb_ndim = 16;
  c.puzzle_emb_len = 2;
  c.solver = solver;
  c.solver_tolerance = 1e-11;
  c.solver_iterations = 200;
  c.solver_grad = (trm_solver_grad){grad, steps};
  return c;
}

/* Differences of the solved system: the gradient of the implicit function theorem is that. */
static void implicit(void **state) {
  (void)state;
  trm_model_config c = solved(TRM_RECURSION_FIXED_POINT, TRM_SOLVER_GRAD_IMPLICIT, 0);
  check_model("fixed_point, implicit", &c);
  c.solver = TRM_RECURSION_BROYDEN;
  c.grad.kind = TRM_GRAD_ALL;
  check_model("broyden, implicit", &c);
}

/* Neither is a gradient of the solution: of what they are is their definition. */
static void through_applications(void **state) {
  (void)state;
  trm_model_config c = solved(TRM_RECURSION_BROYDEN, TRM_SOLVER_GRAD_ONE_STEP, 0);
  check_through_applications("one_step", &c);
  c.solver_grad = (trm_solver_grad){TRM_SOLVER_GRAD_PHANTOM, 3};
  check_through_applications("phantom:3", &c);
}

int main(void) {
  unsetenv("TRM_ISA"); /* in double there is only the portable table */
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(trm_mixer),
      cmocka_unit_test(trm_rope),
      cmocka_unit_test(normed_heads),
      cmocka_unit_test(normed_gates),
      cmocka_unit_test(all_norms),
      cmocka_unit_test(trm_learned),
      cmocka_unit_test(trm_softmax),
      cmocka_unit_test(hrm),
      cmocka_unit_test(single_z),
      cmocka_unit_test(hier6),
      cmocka_unit_test(hier6_short),
      cmocka_unit_test(transformer),
      cmocka_unit_test(switched),
      cmocka_unit_test(switched_mixer),
      cmocka_unit_test(noisy_mixer),
      cmocka_unit_test(forgetful),
      cmocka_unit_test(separate_nets),
      cmocka_unit_test(gradients_of_some_updates),
      cmocka_unit_test(hrm_whole),
      cmocka_unit_test(hier_any),
      cmocka_unit_test(tied),
      cmocka_unit_test(smoothed),
      cmocka_unit_test(weighted_q),
      cmocka_unit_test(weighted_steps),
      cmocka_unit_test(damped),
      cmocka_unit_test(learned_starts),
      cmocka_unit_test(tables_and_registers),
      cmocka_unit_test(constrained),
      cmocka_unit_test(fed_back),
      cmocka_unit_test(open_cells),
      cmocka_unit_test(implicit),
      cmocka_unit_test(through_applications),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
