/* Creation of a trainer and one update (trainer.h says how the bits stay the same). */
#include "train/trainer.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "trm.h"

/* --- creation -------------------------------------------------------------------------------- */

/* Every pointer of step_grads: per team, the parameters of the net of each step with gradient. */
static int64_t lay_out_steps(trm_trainer *t) {
  const trm__layout *l = t->model->layout;
  int64_t at = 0;
  for (int team = 0; team < t->n_teams; team++)
    for (int i = 0; i < t->n_grad_steps; i++) {
      int net = l->plan->steps[l->plan->first_grad + i].net;
      t->step_grads[team * t->n_grad_steps + i] = t->step_memory ? t->step_memory + at : NULL;
      at += l->net_offset[net + 1] - l->net_offset[net];
    }
  return at;
}

static trm_status trainer_memory(trm_trainer *t, trm_error *err) {
  const trm__layout *l = t->model->layout;
  size_t n = (size_t)l->n_params, B = (size_t)t->config.batch_size;
  int team_size = t->cost.threads / t->n_teams;
  TRM_ALLOC(&t->slot_grads, TRM__SLOTS * n, "gradients", err);
  TRM_ALLOC(&t->m, n, "first moments", err);
  TRM_ALLOC(&t->v, n, "second moments", err);
  TRM_ALLOC(&t->step_grads, t->n_teams * t->n_grad_steps, "gradients of steps", err);
  int64_t steps = lay_out_steps(t);
  TRM_ALLOC(&t->step_memory, steps, "gradients of steps", err);
  lay_out_steps(t);
  TRM_ALLOC(&t->d_puzzle, B * (size_t)l->dims.E, "puzzle gradients", err);
  TRM_ALLOC(&t->puzzle_sum, l->dims.E, "a puzzle gradient", err);
  TRM_ALLOC(&t->puzzle_order, B, "row order", err);
  TRM_ALLOC(&t->loss, B, "losses", err);
  TRM_ALLOC(&t->partial_norms, n / TRM__CHUNK + 1, "norms", err);
  TRM_ALLOC(&t->walkers, t->n_teams, "walkers", err);
  for (int i = 0; i < t->n_teams; i++)
    TRM_TRY(trm__walker_create(l, t->be, t->micro_batch, team_size, true, &t->walkers[i], err));
  return trm__carry_create(t->model, t->config.batch_size, &t->carry, err);
}

static void pack_lane(void *arg, trm__lane *lane) {
  trm_trainer *t = arg;
  t->be->ops->pack(t->be, lane, t->model->params);
}
void trm__pack_weights(trm_trainer *t) {
  trm__pool_run(t->pool, 1, pack_lane, t);
}

/* A model with weights of its own that shares what has no average: buffers and puzzle embedding. */
static trm_status clone_for_ema(const trm_model *model, trm_model **out, trm_error *err) {
  size_t n = (size_t)model->layout->n_params;
  trm_model *m;
  TRM_ALLOC(&m, 1, "the EMA", err);
  m->config = model->config;
  trm_status st = trm__layout_create(&m->config, &m->layout, err);
  if (st == TRM_OK && !(m->params = trm__alloc(n, sizeof *m->params)))
    st = trm__fail(err, TRM_E_MEMORY, -1, "no memory for the EMA of %zu weights", n);
  if (st != TRM_OK) {
    trm_model_free(m);
    return st;
  }
  memcpy(m->params, model->params, n * sizeof *m->params);
  m->buffers = model->buffers;
  m->puzzle_emb = model->puzzle_emb;
  *out = m;
  return TRM_OK;
}

trm_status trm_trainer_create(const trm_model *model, const trm_trainer_config *config,
                              trm_trainer **out, trm_error *err) {
  const trm__layout *l = model->layout;
  trm_trainer *t;
  trm_status st;
  TRM_TRY(trm__trainer_check(config, err));
  if (model->ids)
    TRM_FAIL(
        err, TRM_E_ARGUMENT,
        "the model keeps the embeddings of %d of its %d puzzle ids; train the model that it was "
        "made from",
        model->n_ids, model->config.num_puzzle_identifiers);
  TRM_ALLOC(&t, 1, "a trainer", err);
  t->config = *config;
  TRM_GOTO(trm__kernels_select(&t->k, err));
  TRM_GOTO(trm_model_clone(model, &t->model, err));
  if (config->ema_rate > 0) TRM_GOTO(clone_for_ema(t->model, &t->ema, err));
  TRM_GOTO(trm__cpu_create(&l->dims, &l->outer, l->blocks, l->n_blocks, true, &t->be, err));
  t->cost = trm__trainer_cost(l, t->be, config);
  TRM_GOTO(trm__pool_create(t->cost.threads, &t->pool, err));
  t->n_teams = t->cost.teams;
  t->micro_batch = t->cost.micro_batch;
  t->n_grad_steps = l->plan->n_steps - l->plan->first_grad;
  TRM_GOTO(trainer_memory(t, err));
  trm__pack_weights(t);
  *out = t;
  return TRM_OK;
done:
  trm_trainer_free(t);
  return st;
}

void trm_trainer_free(trm_trainer *t) {
  if (!t) return;
  for (int i = 0; t->walkers && i < t->n_teams; i++) trm__walker_free(t->walkers[i]);
  if (t->be) t->be->ops->destroy(t->be);
  trm__pool_free(t->pool);
  trm__carry_free(t->carry);
  if (t->ema) t->ema->buffers = t->ema->puzzle_emb = NULL; /* the model's */
  trm_model_free(t->ema);
  trm_model_free(t->model);
  void *blocks[] = {t->slot_grads,    t->m,    t->v,       t->step_grads, t->step_memory,
                    t->d_puzzle,      t->loss, t->walkers, t->puzzle_sum, t->puzzle_order,
                    t->partial_norms, t};
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) trm__free(blocks[i]);
}

/* --- one update ------------------------------------------------------------------------------ */

/* Rows [first, last) of a slot. */
static int slot_start(const trm_trainer *t, int slot) {
  return (int)((int64_t)t->config.batch_size * slot / TRM__SLOTS);
}

/* The net's gradient of a slot: its steps added in the order of the reverse walk. */
static void add_steps(trm_trainer *t, trm__lane *lane, real *const *steps, real *slot) {
  const trm__layout *l = t->model->layout;
  trm__workspace ws = {lane, NULL, NULL};
  for (int net = 0; net < l->plan->n_nets; net++) {
    int64_t n = l->net_offset[net + 1] - l->net_offset[net];
    real *to = slot + l->net_offset[net];
    bool first = true;
    for (int i = t->n_grad_steps - 1; i >= 0; i--) {
      if (l->plan->steps[l->plan->first_grad + i].net != net) continue;
      const real *src[] = {steps[i], to};
      t->be->ops->sum(t->be, &ws, n, first ? 1 : 2, src, to);
      first = false;
    }
  }
}

/* Gradients of one slot by one team. */
static void slot_gradients(trm_trainer *t, trm__lane *lane, int slot) {
  const trm__layout *l = t->model->layout;
  real *grads = t->slot_grads + slot * l->n_params;
  real *const *steps = t->step_grads + lane->team * t->n_grad_steps;
  int first = slot_start(t, slot), last = slot_start(t, slot + 1);
  if (lane->rank == 0) memset(grads, 0, (size_t)l->n_params * sizeof *grads);
  trm__lane_barrier(lane);
  for (int row = first; row < last; row += t->micro_batch) {
    int n = last - row < t->micro_batch ? last - row : t->micro_batch;
    trm__tile tile = trm__carry_tile(t->carry, row, n);
    tile.loss = t->loss + row;
    tile.d_puzzle = t->d_puzzle + (int64_t)row * l->dims.E;
    trm__walk_train(t->walkers[lane->team], lane, &tile, steps, grads, row > first);
  }
  if (first < last) add_steps(t, lane, steps, grads);
}

static void gradients_lane(void *arg, trm__lane *lane) {
  trm_trainer *t = arg;
  int each = TRM__SLOTS / lane->n_teams; /* neighbours, so that few rows still reach all teams */
  for (int i = 0; i < each; i++) slot_gradients(t, lane, lane->team * each + i);
}

static void reduce_lane(void *arg, trm__lane *lane) {
  trm__reduce_gradients(arg, lane);
}

static void update_lane(void *arg, trm__lane *lane) {
  trm_trainer *t = arg;
  trm__update_weights(t, lane);
  trm__lane_barrier(lane);
  t->be->ops->pack(t->be, lane, t->model->params);
}

/* Whether a row stops after this step (docs/MODEL.md section 2). */
static bool row_halts(const trm_trainer *t, int row) {
  const trm_model_config *c = &t->model->config;
  int steps = t->carry->steps[row], least = 0;
  const double *q = t->loss[row].q;
  bool halts = steps >= c->halt_max_steps;
  if (c->halt_max_steps > 1) {
    halts |= c->no_ACT_continue ? q[0] > 0 : q[0] > q[1];
    trm__rng rng =
        trm__rng_at(t->config.seed, TRM__RNG_EXPLORE, (uint64_t)t->updates, (uint32_t)row);
    if (trm__rng_uniform(&rng) < c->halt_exploration_prob)
      least = 2 + (int)trm__rng_below(&rng, (uint32_t)c->halt_max_steps - 1);
  }
  return halts && steps >= least;
}

/* Halting of all rows, and the sums the reference reports. */
static void halt_and_measure(trm_trainer *t, trm_metrics *out) {
  trm_metrics m = {0};
  for (int r = 0; r < t->config.batch_size; r++) {
    const trm__row_loss *l = &t->loss[r];
    t->carry->halted[r] = row_halts(t, r);
    m.lm_loss += l->lm;
    m.q_halt_loss += l->q_halt;
    m.q_continue_loss += l->q_continue;
    if (!t->carry->halted[r] || l->valid == 0) continue;
    bool exact = l->right == l->valid;
    m.count += 1;
    m.accuracy += (double)l->right / l->valid;
    m.exact_accuracy += exact;
    m.q_halt_accuracy += (l->q[0] >= 0) == exact;
    m.steps += t->carry->steps[r];
  }
  m.loss = m.lm_loss + 0.5 * (m.q_halt_loss + m.q_continue_loss);
  *out = m;
}

/* The name of the first tensor of a kind with a value that is not finite in its block, or NULL. */
static const char *find_not_finite(const trm_trainer *t, trm_tensor_kind kind, const real *block) {
  const trm__layout *l = t->model->layout;
  for (int i = 0; i < l->n_slots; i++) {
    const trm__slot *s = &l->slots[i];
    for (int64_t j = 0; s->kind == kind && j < s->count; j++)
      if (!isfinite((double)block[s->offset + j])) return s->name;
  }
  return NULL;
}

/* Dense weights are looked at in every update, for a token that does not occur keeps a bad row of
 * its embedding out of the loss; the rest, of which the puzzle embedding may be huge, when the loss
 * or a gradient is bad. */
static trm_status check_finite(const trm_trainer *t, const trm_metrics *m, trm_error *err) {
  const trm_model *w = t->model;
  const char *weight = find_not_finite(t, TRM_TENSOR_PARAM, w->params);
  if (isfinite(m->loss) && isfinite(t->grad_norm) && !weight) return TRM_OK;
  if (!weight) weight = find_not_finite(t, TRM_TENSOR_BUFFER, w->buffers);
  if (!weight) weight = find_not_finite(t, TRM_TENSOR_PUZZLE_EMB, w->puzzle_emb);
  const char *gradient = find_not_finite(t, TRM_TENSOR_PARAM, t->slot_grads);
  TRM_FAIL_AT(err, TRM_E_NUMERIC, t->updates + 1,
              "update %lld: %s%s is NaN or infinite (loss %g); the update was not applied",
              (long long)t->updates + 1,
              weight     ? "weight "
              : gradient ? "the gradient of "
                         : "the loss",
              weight     ? weight
              : gradient ? gradient
                         : "",
              m->loss / t->config.batch_size);
}

static void set_adam(trm_trainer *t, double lr) {
  const trm_trainer_config *c = &t->config;
  double steps = (double)t->updates + 1;
  t->adam = (trm__adam){.lr = (real)lr,
                        .decay = (real)(1 - lr * c->weight_decay),
                        .beta1 = (real)c->beta1,
                        .beta2 = (real)c->beta2,
                        .step_scale = (real)(lr / (1 - pow(c->beta1, steps))),
                        .root_scale = (real)(1 / sqrt(1 - pow(c->beta2, steps))),
                        .eps = (real)c->adam_eps,
                        .ema = (real)c->ema_rate};
}

trm_status trm_trainer_step(trm_trainer *t, const trm_batch *fresh, trm_metrics *metrics,
                            trm_error *err) {
  const trm__dims *d = &t->model->layout->dims;
  trm_metrics m;
  TRM_TRY(trm__carry_check(t->carry, t->config.batch_size, t->carry->halted, fresh->inputs,
                           fresh->labels, fresh->puzzle_ids, err));
  for (int r = 0; r < t->config.batch_size; r++) {
    if (t->carry->halted[r])
      trm__carry_refill(t->carry, r, fresh->inputs + (int64_t)r * d->S,
                        fresh->labels + (int64_t)r * d->S, fresh->puzzle_ids[r]);
    t->carry->steps[r]++;
  }
  trm__pool_run(t->pool, t->n_teams, gradients_lane, t);
  halt_and_measure(t, &m);
  trm__pool_run(t->pool, 1, reduce_lane, t);
  TRM_TRY(check_finite(t, &m, err));

  m.grad_norm = t->grad_norm;
  m.lr = trm__schedule(&t->config, t->config.lr, t->updates + 1);
  m.puzzle_emb_lr = trm__schedule(&t->config, t->config.puzzle_emb_lr, t->updates + 1);
  set_adam(t, m.lr);
  if (!t->config.freeze_weights) trm__pool_run(t->pool, 1, update_lane, t);
  trm__update_puzzle_emb(t, m.puzzle_emb_lr);
  t->updates++;
  if (metrics) *metrics = m;
  return TRM_OK;
}

/* --- views ----------------------------------------------------------------------------------- */

const uint8_t *trm_trainer_wants(const trm_trainer *t) {
  return t->carry->halted;
}
const uint8_t *trm_trainer_halted(const trm_trainer *t) {
  return t->carry->halted;
}
const int32_t *trm_trainer_steps_taken(const trm_trainer *t) {
  return t->carry->steps;
}
int64_t trm_trainer_updates(const trm_trainer *t) {
  return t->updates;
}
int64_t trm_trainer_bytes(const trm_trainer *t) {
  return t->cost.bytes;
}
int trm_trainer_micro_batch(const trm_trainer *t) {
  return t->micro_batch;
}
const trm_model *trm_trainer_weights(const trm_trainer *t) {
  return t->model;
}

const trm_model *trm_trainer_ema(const trm_trainer *t) {
  return t->ema ? t->ema : t->model;
}

trm_tensor trm_trainer_gradient_at(const trm_trainer *t, int i) {
  trm_tensor v = trm_model_tensor_at(t->model, i);
  const trm__slot *s = &t->model->layout->slots[i];
  v.data = s->kind == TRM_TENSOR_PARAM ? (float *)(void *)(t->slot_grads + s->offset) : NULL;
  return v;
}
const float *trm_trainer_puzzle_emb_gradient(const trm_trainer *t) {
  return t->model->puzzle_emb ? (const float *)(const void *)t->d_puzzle : NULL;
}
