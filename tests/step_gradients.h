/* A whole supervision step of a small model, in double, and the check of its gradients: all
 * parameters and the puzzle embedding against central differences of the total loss, the same bits
 * for teams of any size, and sums over tiles.
 *
 * Only the steps with gradient may be differenced. The plan is data, so a second layout runs just
 * the tail, starting from the latents that the prefix left with unperturbed weights; the continue
 * target is computed once, by a third run from the new carry, and held fixed. */
#ifndef TRM_TESTS_STEP_GRADIENTS_H
#define TRM_TESTS_STEP_GRADIENTS_H

#include "probe.h"

#include "nn/model.h"
#include "nn/walk.h"

enum { ROWS = 3, TEAMS = 3, PROBES = 3 };
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

/* Short branches: the net approaches a fixed point, and the solver finds all of its digits. */
static void make_contract(bench *t) {
  for (int i = 0; i < t->l->n_blocks; i++) {
    const trm__block *blk = &t->l->blocks[i];
    const trm__weight *w = &blk->w[blk->n_weights - 1];
    for (int64_t j = 0; j < (int64_t)w->rows * w->cols; j++) t->model->params[w->at + j] *= 0.2;
  }
}

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

/* Training says the loss that differences are taken of, and moves the latents as inference. */
static void check_loss(bench *t, const char *name, const gradients *g) {
  const trm_model_config *c = &t->model->config;
  double want = total_loss(t), got = 0;
  for (int r = 0; r < ROWS; r++)
    got += share_of(t, r, false) * (t->loss[r].lm + c->constraint_weight * t->loss[r].constraint) +
           share_of(t, r, true) * c->q_weight * (t->loss[r].q_halt + t->loss[r].q_continue);
  for (int i = 0; i < t->experts.with_grad; i++)
    got += t->experts.weight * t->experts.balance[i].loss;
  probe_below(fabs(got - want), 1e-10, "%s loss", name);
  probe_true(probe_same(g->z, t->z[t->l->plan->answer], t->latent),
             "%s: training moves the latents as inference", name);
}

static void check_step(const char *name, const trm_model_config *c, edit_fn *edit) {
  bench *t = bench_open(c, edit);
  gradients g = gradients_new(t);
  prepare(t);
  train(t, 1, &g, false);
  /* Differences of a solved step begin at the value of the net, training at its argument. */
  if (!is_through_applications(t->l->plan)) check_loss(t, name, &g);
  real *sum = flat(t, &g);
  check_tensors(t, name, &g, sum);
  check_teams(t, name, &g);
  check_accumulation(t, name, sum);
  trm__free(sum);
  gradients_free(&g);
  bench_close(t);
}

#endif
