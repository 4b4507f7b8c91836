/* Creation of a trainer and one update (trainer.h says how the bits stay the same). */
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/os_thread.h"
#include "base/rng.h"
#include "trm.h"

/* --- creation -------------------------------------------------------------------------------- */

static void pack_lane(void *arg, trm__lane *lane) {
  trm_trainer *t = arg;
  t->be->ops->pack(t->be, lane, t->weights.params);
}
static void pack_program(void *arg) {
  trm_trainer *t = arg;
  trm__pool_run(t->pool, 1, pack_lane, t);
}

enum { KEY_PACK, KEY_UPDATE, KEY_GRADIENTS, KEY_TELL, KEY_REST, KEY_WEIGHTS, KEYS };

trm_status trm__pack_weights(trm_trainer *t, trm_error *err) {
  return t->be->ops->run(t->be, pack_program, t, KEY_PACK, err);
}

trm_status trm__trainer_create(const trm_model *model, const trm_trainer_config *config,
                               const trm__group_spec *specs, int n_specs, trm_trainer **out,
                               trm_error *err) {
  const trm__layout *l = model->layout;
  trm_trainer *t;
  trm_status st;
  if (model->ids)
    TRM_FAIL(
        err, TRM_E_ARGUMENT,
        "the model keeps the embeddings of %d of its %d puzzle ids; train the model that it was "
        "made from",
        model->n_ids, model->config.num_puzzle_identifiers);

  /* What it is going to take is known, and refused where there is no room, before it is taken. */
  TRM_ALLOC(&t, 1, "a trainer", err);
  t->config = *config;
  TRM_GOTO(trm__groups_create(l, specs, n_specs, &t->groups, err));
  TRM_GOTO(trm__backend_create(config->device, &l->dims, &l->outer, l->blocks, l->n_blocks, true,
                               &t->be, err));
  if (trm__is_shared(t) && !t->be->ops->host)
    TRM_GOTO(trm__fail(err, TRM_E_CONFIG, -1,
                       "device: ranks share a batch on CPUs only; set device=cpu"));
  t->share = trm__share_of(config, t->be->ops->slots, trm__comm_rank(config->comm));
  t->cost = trm__trainer_cost(l, t->be, &t->groups, config);
  TRM_GOTO(trm__trainer_room(t->be, &t->cost, err));

  TRM_GOTO(trm_model_clone(model, &t->model, err));
  TRM_GOTO(trm__pool_create(t->cost.threads, &t->pool, err));
  TRM_GOTO(trm__trainer_memory(t, err));
  TRM_GOTO(trm__pack_weights(t, err));
  *out = t;
  return TRM_OK;
done:
  trm_trainer_free(t);
  return st;
}

trm_status trm_trainer_create(const trm_model *model, const trm_trainer_config *config,
                              trm_trainer **out, trm_error *err) {
  trm__group_spec specs[TRM__MAX_GROUPS];
  *out = NULL;
  TRM_TRY(trm__comm_meet(config->comm, err));
  trm__comm_begin(config->comm);
  trm_status st = trm__trainer_check(config, err);
  if (st == TRM_OK)
    st = trm__trainer_create(model, config, specs, trm__group_specs(config, specs), out, err);
  st = trm__comm_settle(config->comm, st, err);
  if (st == TRM_OK) st = trm__shared_begin(*out, err);
  if (st == TRM_OK) return st;
  trm_trainer_free(*out);
  *out = NULL;
  return st;
}

void trm_trainer_free(trm_trainer *t) {
  if (!t) return;
  if (t->be) trm__trainer_release(t);
  trm__groups_free(&t->groups, t->be);
  if (t->be) t->be->ops->destroy(t->be);
  trm__pool_free(t->pool);
  if (t->ema) t->ema->buffers = t->ema->puzzle_emb = NULL; /* the model's */
  trm_model_free(t->ema);
  trm_model_free(t->model);
  trm__free(t);
}

/* --- one update ------------------------------------------------------------------------------ */

/* The first row of one of this trainer's slots; of the slot behind the last, where they end. */
static int slot_start(const trm_trainer *t, int slot) {
  return (int)((int64_t)t->config.batch_size * (t->share.first_slot + slot) / t->be->ops->slots);
}

/* The net's gradient of a slot: its steps added in the order of the reverse walk. */
static void add_steps(trm_trainer *t, trm__lane *lane, real *const *steps, real *slot) {
  const trm__layout *l = t->model->layout;
  trm__workspace ws = {.lane = lane};
  for (int net = 0; net < l->plan->n_nets; net++) {
    int64_t n = l->net_offset[net + 1] - l->net_offset[net];
    real *to = slot + l->net_offset[net];
    bool first = true;
    for (int i = t->n_grad_steps - 1; i >= 0; i--) {
      if (t->plan->grad_net[i] != net) continue;
      const real *src[] = {steps[i], to};
      t->be->ops->add_grads(t->be, &ws, n, first ? 1 : 2, src, to);
      first = false;
    }
  }
}

/* Rows [row, row + n) of the batch, with what training needs of them. */
static trm__tile tile_of(trm_trainer *t, int row, int n) {
  const int own = row - t->share.first;
  trm__tile tile = trm__carry_tile(t->carry, own, n);
  if (tile.fed) tile.fed = t->carry->rows.fed + (int64_t)own * t->model->layout->dims.S;
  tile.loss = t->loss + row;
  tile.solved = t->solved ? t->solved + row : NULL;
  tile.noise = t->keys ? t->keys + row : NULL;
  tile.d_puzzle = t->update.d_puzzle + (int64_t)row * t->model->layout->dims.E;
  tile.experts = t->experts.with_grad ? &t->experts : NULL;
  tile.first_row = row;
  return tile;
}

/* Where the tokens of one slot go. */
static void slot_tells(trm_trainer *t, trm__lane *lane, int slot) {
  const int first = slot_start(t, slot), last = slot_start(t, slot + 1);
  for (int row = first; row < last; row += t->micro_batch) {
    const trm__tile tile =
        tile_of(t, row, last - row < t->micro_batch ? last - row : t->micro_batch);
    trm__walk_tell(t->walkers[lane->team], lane, &tile);
  }
}

/* Gradients of one slot by one team. A tied table has two, as embedding and as head; each is the
 * sum over the rows in their order before they are added, whatever the micro-batch. */
static void slot_gradients(trm_trainer *t, trm__lane *lane, int slot) {
  const trm__layout *l = t->model->layout;
  real *grads = t->update.grads + slot * l->n_params;
  real *heads = t->head_memory ? t->head_memory + lane->team * l->net_offset[0] : grads;
  real *const *steps = t->step_grads + lane->team * t->n_grad_steps;
  int first = slot_start(t, slot), last = slot_start(t, slot + 1);
  trm__workspace ws = {.lane = lane};

  /* Micro-batch by micro-batch: the first replaces the steps' gradients, the others add to them. */
  t->be->ops->clear_grads(t->be, &ws, l->n_params, grads);
  if (heads != grads) t->be->ops->clear_grads(t->be, &ws, l->net_offset[0], heads);
  for (int row = first; row < last; row += t->micro_batch) {
    int n = last - row < t->micro_batch ? last - row : t->micro_batch;
    const trm__tile tile = tile_of(t, row, n);
    trm__walk_train(t->walkers[lane->team], lane, &tile, steps, grads, heads,
                    !t->step_memory || row > first);
  }
  if (heads != grads)
    t->be->ops->add_grads(t->be, &ws, l->net_offset[0], 2, (const real *[]){grads, heads}, grads);
  if (first < last && t->step_memory) add_steps(t, lane, steps, grads);
}

typedef void slot_fn(trm_trainer *t, trm__lane *lane, int slot);
static void each_slot(trm_trainer *t, trm__lane *lane, slot_fn *f) {
  int each = t->share.slots / lane->n_teams; /* neighbours, so that few rows still reach all */
  for (int i = 0; i < each; i++) f(t, lane, lane->team * each + i);
}
static void gradients_lane(void *arg, trm__lane *lane) {
  each_slot(arg, lane, slot_gradients);
}
static void tell_lane(void *arg, trm__lane *lane) {
  each_slot(arg, lane, slot_tells);
}
static void balance_lane(void *arg, trm__lane *lane) {
  trm_trainer *t = arg;
  trm__workspace ws = {.lane = lane};
  trm__walk_balance(t->walkers[0], &ws, &t->experts);
}

static void refill_lane(void *arg, trm__lane *lane) {
  trm_trainer *t = arg;
  trm__workspace ws = {.lane = lane};
  t->be->ops->refill(t->be, &ws, &t->carry->rows, &t->carry->fresh, 0, t->share.rows, 1);
}

/* The rows' part of an update, up to the sum of their gradients. */
static void sum_lane(void *arg, trm__lane *lane) {
  trm_trainer *t = arg;
  trm__workspace ws = {.lane = lane};
  t->be->ops->halt(t->be, &ws, &t->carry->rows, t->share.rows, &t->halting,
                   t->loss + t->share.first);
  t->be->ops->sum_slots(t->be, &ws, &t->update);
}
static void tell_program(void *arg) {
  trm_trainer *t = arg;
  trm__pool_run(t->pool, 1, refill_lane, t);
  if (t->experts.with_grad) trm__pool_run(t->pool, t->n_teams, tell_lane, t);
}
static void rest_program(void *arg) {
  trm_trainer *t = arg;
  if (t->experts.with_grad) trm__pool_run(t->pool, 1, balance_lane, t);
  trm__pool_run(t->pool, t->n_teams, gradients_lane, t);
  trm__pool_run(t->pool, 1, sum_lane, t);
}
static void gradients_program(void *arg) {
  tell_program(arg);
  rest_program(arg);
}

/* The weights' part. */
static void weights_lane(void *arg, trm__lane *lane) {
  trm_trainer *t = arg;
  const trm__backend_ops *ops = t->be->ops;
  trm__workspace ws = {.lane = lane};
  ops->finish_grads(t->be, &ws, &t->update);
  for (int i = 0; i < t->groups.n; i++)
    if (t->groups.group[i].n_segments > 0 && !t->groups.spec[i].frozen)
      ops->update(t->be, &ws, &t->update, &t->groups.group[i]);
  if (!t->config.freeze_weights) ops->pack(t->be, lane, t->weights.params);
}
static void weights_program(void *arg) {
  trm_trainer *t = arg;
  trm__pool_run(t->pool, 1, weights_lane, t);
}

static void update_program(void *arg) {
  gradients_program(arg);
  weights_program(arg);
}

/* What ranks do of the gradients: between their programs all hear of all rows. */
static trm_status run_shared(trm_trainer *t, int keys, trm_error *err) {
  const trm__backend_ops *ops = t->be->ops;
  TRM_TRY(ops->run(t->be, tell_program, t, KEY_TELL + keys, err));
  if (t->experts.with_grad) TRM_TRY(trm__shared_experts(t, err));
  TRM_TRY(ops->run(t->be, rest_program, t, KEY_REST + keys, err));
  return trm__shared_sums(t, err);
}

/* One program; two where the host has something to do between them, or other ranks. The plan is the
 * curriculum's, whose stages are different programs. */
static trm_status run_update(trm_trainer *t, trm_error *err) {
  const trm__backend_ops *ops = t->be->ops;
  const trm_curriculum *c = &t->config.curriculum;
  const int stage = trm__curriculum_stage(c, t->updates, t->config.total_steps);
  const trm__plan *plan = stage < c->n ? t->stage_plan[stage] : t->model->layout->plan;
  const bool shared = trm__is_shared(t);
  if (plan != t->plan) trm__trainer_follow(t, plan);

  if (!t->between && !shared)
    return ops->run(t->be, update_program, t, KEY_UPDATE + KEYS * stage, err);
  TRM_TRY(shared ? run_shared(t, KEYS * stage, err)
                 : ops->run(t->be, gradients_program, t, KEY_GRADIENTS + KEYS * stage, err));
  if (t->between) TRM_TRY(t->between(t->between_arg, t->be, &t->update, err));
  return ops->run(t->be, weights_program, t, KEY_WEIGHTS, err);
}

/* Halting exploration: with its probability a row draws the least steps of this update. */
static void draw_explorations(trm_trainer *t) {
  const trm_model_config *c = &t->model->config;
  for (int r = 0; r < t->config.batch_size && c->halt_max_steps > 1; r++) {
    trm__rng rng = trm__rng_at(t->config.seed, TRM__RNG_EXPLORE, (uint64_t)t->updates,
                               (uint32_t)(t->config.first_row + r));
    t->drawn[r] = 0;
    if (trm__rng_uniform(&rng) < c->halt_exploration_prob)
      t->drawn[r] = 2 + (int)trm__rng_below(&rng, (uint32_t)c->halt_max_steps - 1);
  }
}

/* Corruption of what is fed back: with its probability a row draws for each cell whether another
 * symbol takes its place; the device keeps the givens. */
static void draw_corruption(trm_trainer *t) {
  const trm_model_config *c = &t->model->config;
  const size_t cells = (size_t)t->model->layout->dims.S;
  for (int r = 0; r < t->share.rows; r++) {
    trm__rng rng = trm__rng_at(t->config.seed, TRM__RNG_FEEDBACK, (uint64_t)t->updates,
                               (uint32_t)(t->config.first_row + t->share.first + r));
    int32_t *row = t->corrupt + (size_t)r * cells;
    memset(row, 0, cells * sizeof *row);
    if (trm__rng_uniform(&rng) >= c->feedback_corrupt_prob) continue;
    for (size_t i = 0; i < cells; i++)
      if (trm__rng_uniform(&rng) < c->feedback_corrupt_cells)
        row[i] = t->fills[trm__rng_below(&rng, (uint32_t)t->n_fills)];
  }
  t->be->ops->put(t->be, t->carry->fresh.corrupt, t->corrupt,
                  (size_t)t->share.rows * cells * sizeof *t->corrupt);
}

/* The auxiliary loss, and the load of the experts over all applications of their blocks. */
static void measure_experts(const trm_trainer *t, trm_metrics *m) {
  const trm__experts_update *x = &t->experts;
  const trm__layout *l = t->model->layout;
  m->expert_load_min = HUGE_VAL;
  for (int own = 0; own < x->stride; own++)
    for (int net = 0; net < l->plan->n_nets; net++) {
      const int block = l->net_first[net] + own;
      if (block >= l->net_first[net + 1]) continue;
      const trm__experts *e = trm__experts_of(&l->dims, l->blocks[block].kind);
      double load[TRM__MAX_EXPERTS] = {0}, sum = 0;

      /* What went to each expert of the block, in all steps of its net. */
      for (int i = 0; i < t->n_grad_steps && e; i++) {
        const trm__balance *b = &t->view.balance[i * x->stride + own];
        if (t->plan->steps[t->plan->first_grad + i].net != net) continue;
        m->aux_loss += t->model->config.moe_aux_weight / t->n_grad_steps * b->loss;
        for (int j = 0; j < e->n; j++) load[j] += b->told[j];
      }

      /* Their shares. */
      for (int j = 0; e && j < e->n; j++) sum += load[j];
      for (int j = 0; e && sum > 0 && j < e->n; j++) {
        m->expert_load_min = fmin(m->expert_load_min, load[j] / sum * e->n);
        m->expert_load_max = fmax(m->expert_load_max, load[j] / sum * e->n);
      }
    }
}

static void measure_solved(const trm_trainer *t, trm_metrics *m) {
  for (int r = 0; r < t->config.batch_size; r++) {
    m->residual += t->view.solved[r].residual;
    m->solver_iterations += t->view.solved[r].iterations;
  }
}

static bool weighs_steps(const trm_trainer *t) {
  return t->model->config.step_decay < 1;
}
/* A row's loss by the weight of its step. */
static double total_of(const trm_trainer *t, int row) {
  const trm__dims *dims = &t->model->layout->dims;
  const trm__row_loss *l = &t->view.loss[row];
  const double share = trm__step_share(dims, t->view.steps[row]);
  return share * (l->lm + dims->constraint_weight * l->constraint) +
         (dims->step_decay_q ? share : 1) * dims->q_weight * (l->q_halt + l->q_continue);
}

/* The sums the reference reports. */
static void measure(const trm_trainer *t, trm_metrics *out) {
  const trm_model_config *c = &t->model->config;
  trm_metrics m = {0};
  for (int r = 0; r < t->config.batch_size; r++) {
    const trm__row_loss *l = &t->view.loss[r];
    m.lm_loss += l->lm;
    m.q_halt_loss += l->q_halt;
    m.q_continue_loss += l->q_continue;
    m.constraint_loss += l->constraint;
    if (weighs_steps(t)) m.loss += total_of(t, r);

    /* The rest is measured where an answer is complete: at rows that halted. */
    if (!t->view.halted[r] || l->valid == 0) continue;
    bool exact = l->right == l->valid;
    m.count += 1;
    m.accuracy += (double)l->right / l->valid;
    m.exact_accuracy += exact;
    m.q_halt_accuracy += (l->q[0] >= 0) == exact;
    m.steps += t->view.steps[r];
  }
  if (!weighs_steps(t))
    m.loss = m.lm_loss + c->q_weight * (m.q_halt_loss + m.q_continue_loss) +
             c->constraint_weight * m.constraint_loss;
  if (t->experts.with_grad) measure_experts(t, &m);
  if (t->view.solved) measure_solved(t, &m);
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

/* Whose row it is that has the first loss that is not finite, where ranks share the batch. */
static void name_rank(const trm_trainer *t, char *where, size_t n) {
  int row = 0, rank = 0;
  while (row < t->config.batch_size && isfinite(total_of(t, row))) row++;
  if (!trm__is_shared(t) || row == t->config.batch_size) return;
  for (trm__share s; rank + 1 < t->config.comm->size; rank++) {
    s = trm__share_of(&t->config, t->be->ops->slots, rank);
    if (row < s.first + s.rows) break;
  }
  (void)snprintf(where, n, ", first in row %d, of rank %d", row, rank);
}

/* Why the update was not applied. */
static trm_status report_not_finite(trm_trainer *t, const trm_metrics *m, trm_error *err) {
  TRM_TRY(trm_trainer_sync(t, err));

  /* The first tensor to blame: a weight, else a gradient, else the loss alone. */
  const trm_model *w = t->model;
  const char *weight = find_not_finite(t, TRM_TENSOR_PARAM, w->params);
  if (!weight) weight = find_not_finite(t, TRM_TENSOR_BUFFER, w->buffers);
  if (!weight) weight = find_not_finite(t, TRM_TENSOR_PUZZLE_EMB, w->puzzle_emb);
  const char *gradient = find_not_finite(t, TRM_TENSOR_PARAM, t->view.grads);
  char where[48] = "";
  name_rank(t, where, sizeof where);
  TRM_FAIL_AT(err, TRM_E_NUMERIC, t->updates + 1,
              "update %lld: %s%s is NaN or infinite (loss %g%s); the update was not applied",
              (long long)t->updates + 1,
              weight     ? "weight "
              : gradient ? "the gradient of "
                         : "the loss",
              weight     ? weight
              : gradient ? gradient
                         : "",
              m->loss / t->config.batch_size, where);
}

/* What a group's rule reads in the next update. */
static trm__adam figures_of(const trm_trainer *t, const trm__group_spec *spec) {
  const trm_trainer_config *c = &t->config;
  const double steps = (double)t->updates + 1, lr = trm__schedule(c, spec->lr, t->updates + 1);
  return (trm__adam){.lr = (real)lr,
                     .decay = (real)(1 - lr * spec->weight_decay),
                     .beta1 = (real)c->beta1,
                     .beta2 = (real)c->beta2,
                     .step_scale = (real)(lr / (1 - pow(c->beta1, steps))),
                     .root_scale = (real)(1 / sqrt(1 - pow(c->beta2, steps))),
                     .eps = (real)c->adam_eps,
                     .momentum = (real)c->muon_momentum,
                     .ema = (real)c->ema_rate};
}

static void send_noise(trm_trainer *t) {
  const trm__noise noise = {.seed = t->config.seed,
                            .first = (uint64_t)t->updates * (uint64_t)t->experts.applications,
                            .row = t->config.first_row};
  if (t->experts.with_grad) t->be->ops->put(t->be, t->experts.noise, &noise, sizeof noise);
}

/* What the latents of each row draw by. */
static void send_keys(trm_trainer *t) {
  const size_t B = (size_t)t->config.batch_size;
  for (size_t r = 0; r < B && t->keys; r++)
    t->drawn_keys[r] = (trm__noise){.seed = t->config.seed,
                                    .first = (uint64_t)t->updates << TRM__UPDATE_DRAWS,
                                    .row = t->config.first_row + (int64_t)r};
  if (t->keys) t->be->ops->put(t->be, t->keys, t->drawn_keys, B * sizeof *t->keys);
}

static void send_figures(trm_trainer *t) {
  trm__adam figures[TRM__MAX_GROUPS];
  for (int i = 0; i < t->groups.n; i++) figures[i] = figures_of(t, &t->groups.spec[i]);
  t->be->ops->put(t->be, t->groups.figures, figures, (size_t)t->groups.n * sizeof *figures);
}

void trm__read_rows(trm_trainer *t) {
  const trm__rows *rows = &t->carry->rows;
  const trm__view *v = &t->view;
  const int first = t->share.first;
  const size_t n = (size_t)t->share.rows;
  t->be->ops->get(t->be, v->steps + first, rows->steps, n * sizeof *rows->steps);
  t->be->ops->get(t->be, v->halted + first, rows->halted, n * sizeof *rows->halted);
  if (v->wants != v->halted) memcpy(v->wants + first, v->halted + first, n);
}

/* Copies what the host looks at after every update. */
static void read_back(trm_trainer *t) {
  const trm__backend_ops *ops = t->be->ops;
  trm__read_rows(t);
  ops->get(t->be, t->view.loss, t->loss, (size_t)t->config.batch_size * sizeof *t->loss);
  if (t->experts.with_grad)
    ops->get(t->be, t->view.balance, t->experts.balance,
             (size_t)t->experts.with_grad * sizeof *t->view.balance);
  if (t->solved)
    ops->get(t->be, t->view.solved, t->solved, (size_t)t->config.batch_size * sizeof *t->solved);
  ops->get(t->be, &t->totals, t->update.totals, sizeof t->totals);
}

trm_status trm__trainer_step(trm_trainer *t, trm_status given, const trm_batch *fresh,
                             trm_metrics *metrics, bool *begun, trm_error *err) {
  const trm__backend_ops *ops = t->be->ops;
  const int B = t->config.batch_size, first = t->share.first, rows = t->share.rows;
  const int64_t cell = (int64_t)first * t->model->config.seq_len;
  const double start = trm__os_seconds();
  *begun = false;
  trm__comm_begin(t->config.comm);
  if (given == TRM_OK)
    given = trm__carry_check(t->carry, B, t->view.wants, fresh->inputs, fresh->labels,
                             fresh->puzzle_ids, err);
  TRM_TRY(trm__comm_settle(t->config.comm, given, err));
  *begun = true;

  /* What the host has for this update: explorations, the fresh batch, rates. */
  draw_explorations(t);
  if (t->corrupt) draw_corruption(t);
  trm__carry_offer(t->carry, 0, rows, fresh->inputs + cell, fresh->labels + cell,
                   fresh->puzzle_ids + first);
  ops->put(t->be, t->least, t->drawn, (size_t)B * sizeof *t->drawn);
  send_figures(t);
  send_noise(t);
  send_keys(t);

  /* The update, and what came of it. */
  TRM_TRY(run_update(t, err));
  read_back(t);
  TRM_TRY(ops->run(t->be, NULL, NULL, KEY_UPDATE, err));

  trm_metrics m;
  measure(t, &m);
  if (!t->totals.apply) {
    const trm_status st = report_not_finite(t, &m, err);
    trm__comm_all_know(t->config.comm);
    return st;
  }
  m.grad_norm = t->totals.grad_norm;
  m.lr = trm__schedule(&t->config, t->config.lr, t->updates + 1);
  m.puzzle_emb_lr = trm__schedule(&t->config, t->config.puzzle_emb_lr, t->updates + 1);
  t->updates++;
  t->shared.updates++;
  t->shared.update += trm__os_seconds() - start;
  if (metrics) *metrics = m;
  return TRM_OK;
}

trm_status trm_trainer_step(trm_trainer *t, const trm_batch *fresh, trm_metrics *metrics,
                            trm_error *err) {
  bool begun;
  return trm__trainer_step(t, TRM_OK, fresh, metrics, &begun, err);
}

trm_status trm_trainer_sync(trm_trainer *t, trm_error *err) {
  const trm__backend_ops *ops = t->be->ops;
  const trm__layout *l = t->model->layout;
  const trm__update *u = &t->update;
  const size_t n = (size_t)l->n_params * sizeof(real);
  if (ops->host) return TRM_OK;

  ops->get(t->be, t->model->params, u->params, n);
  ops->get(t->be, t->model->buffers, t->weights.buffers, (size_t)l->n_buffers * sizeof(real));
  if (t->ema) ops->get(t->be, t->ema->params, u->ema, n);
  if (u->puzzle_emb)
    ops->get(t->be, t->model->puzzle_emb, u->puzzle_emb, (size_t)l->n_puzzle_emb * sizeof(real));

  ops->get(t->be, t->view.grads, u->grads, n);
  ops->get(t->be, t->view.d_puzzle, u->d_puzzle,
           (size_t)t->config.batch_size * (size_t)l->dims.E * sizeof(real));
  return ops->run(t->be, NULL, NULL, KEY_UPDATE, err);
}

/* --- views ----------------------------------------------------------------------------------- */

const uint8_t *trm_trainer_wants(const trm_trainer *t) {
  return t->view.wants;
}
const uint8_t *trm_trainer_halted(const trm_trainer *t) {
  return t->view.halted;
}
const int32_t *trm_trainer_steps_taken(const trm_trainer *t) {
  return t->view.steps;
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
  v.data = s->kind == TRM_TENSOR_PARAM ? (float *)(void *)(t->view.grads + s->offset) : NULL;
  return v;
}
const float *trm_trainer_puzzle_emb_gradient(const trm_trainer *t) {
  return t->model->puzzle_emb ? (const float *)(const void *)t->view.d_puzzle : NULL;
}
