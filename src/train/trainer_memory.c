/* Everything a trainer holds: in the backend's memory, and what the host sees of it. */
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "puzzle/puzzle.h"
#include "train/trainer.h"

/* A model with weights of its own that shares what has no average: buffers and puzzle embedding. */
static trm_status clone_for_ema(const trm_model *model, trm_model **out, trm_error *err) {
  const uint64_t n = (uint64_t)model->layout->n_params;
  trm_model *m;
  TRM_ALLOC(&m, 1, "the EMA", err);
  m->config = model->config;
  trm_status st = trm__layout_create(&m->config, &m->layout, err);
  if (st == TRM_OK && !(m->params = trm__alloc(n, sizeof *m->params)))
    st = trm__fail(err, TRM_E_MEMORY, -1, "no memory for the EMA of %llu weights",
                   (unsigned long long)n);
  if (st != TRM_OK) {
    trm_model_free(m);
    return st;
  }
  memcpy(m->params, model->params, (size_t)n * sizeof *m->params);
  m->buffers = model->buffers;
  m->puzzle_emb = model->puzzle_emb;
  *out = m;
  return TRM_OK;
}

static trm_status weights_and_ema(trm_trainer *t, trm_error *err) {
  const int64_t n = t->model->layout->n_params;
  TRM_TRY(trm__weights_create(t->be, t->model, &t->weights, err));
  t->update.params = t->weights.params;
  t->update.puzzle_emb = t->weights.puzzle_emb;
  if (t->config.ema_rate == 0) return TRM_OK;
  TRM_TRY(clone_for_ema(t->model, &t->ema, err));
  t->update.ema = t->ema->params;
  if (t->be->ops->host) return TRM_OK;
  t->update.ema = NULL;
  TRM_TRY(trm__backend_alloc(t->be, n, sizeof(real), "the EMA", &t->update.ema, err));
  t->be->ops->put(t->be, t->update.ema, t->ema->params, (size_t)n * sizeof(real));
  return TRM_OK;
}

/* Per team and step with gradient, where its net's gradient goes: memory of its own, or the one
 * slot. */
static void lay_out_steps(trm_trainer *t, int64_t *size) {
  const trm__layout *l = t->model->layout;
  int64_t at = 0;
  for (int team = 0; team < t->n_teams; team++)
    for (int i = 0; i < t->n_grad_steps; i++) {
      int net = t->plan->grad_net[i];
      t->step_grads[team * t->n_grad_steps + i] =
          t->step_memory ? t->step_memory + at : t->update.grads + l->net_offset[net];
      at += l->net_offset[net + 1] - l->net_offset[net];
    }
  *size = at;
}

static trm_status gradients(trm_trainer *t, trm_error *err) {
  trm__backend *be = t->be;
  trm__update *u = &t->update;
  const int64_t n = t->model->layout->n_params, B = t->config.batch_size;
  const int64_t E = t->model->layout->dims.E;
  int64_t steps;
  TRM_TRY(trm__backend_alloc(be, t->share.slots * n, sizeof(real), "gradients", &u->grads, err));
  TRM_ALLOC(&t->step_grads, t->n_teams * t->n_grad_steps, "gradients of steps", err);
  lay_out_steps(t, &steps);
  if (be->ops->slots > 1) {
    TRM_TRY(
        trm__backend_alloc(be, steps, sizeof(real), "gradients of steps", &t->step_memory, err));
    lay_out_steps(t, &steps);
  }
  const int64_t heads = trm__head_reals(t->model->layout, t->n_teams);
  if (heads)
    TRM_TRY(
        trm__backend_alloc(be, heads, sizeof(real), "gradients of heads", &t->head_memory, err));
  return trm__backend_alloc(be, B * E, sizeof(real), "puzzle gradients", &u->d_puzzle, err);
}

static trm_status figures(trm_trainer *t, trm_error *err) {
  trm__backend *be = t->be;
  trm__update *u = &t->update;
  const int64_t n = u->n, B = u->rows, E = t->model->layout->dims.E;
  TRM_TRY(trm__backend_alloc(be, B, sizeof *t->loss, "losses", &t->loss, err));
  u->loss = t->loss;
  if (t->model->config.solver != TRM_RECURSION_UPDATES)
    TRM_TRY(trm__backend_alloc(be, B, sizeof *t->solved, "solved steps", &t->solved, err));
  TRM_TRY(trm__backend_alloc(be, B, sizeof *t->least, "explorations", &t->least, err));
  TRM_TRY(
      trm__backend_alloc(be, n / TRM__CHUNK + 1, sizeof(double), "norms", &u->partial_norms, err));
  TRM_TRY(trm__backend_alloc(be, 1, sizeof *u->totals, "totals", &u->totals, err));
  TRM_TRY(trm__backend_alloc(be, B, sizeof *u->order, "row order", &u->order, err));
  TRM_TRY(trm__backend_alloc(be, E, sizeof *u->sum, "a puzzle gradient", &u->sum, err));
  TRM_ALLOC(&t->drawn, B, "explorations", err);
  if (!trm__plan_draws(t->model->layout->plan)) return TRM_OK;
  TRM_ALLOC(&t->drawn_keys, B, "keys of noise", err);
  return trm__backend_alloc(be, B, sizeof *t->keys, "keys of noise", &t->keys, err);
}

static trm_status experts(trm_trainer *t, trm_error *err) {
  trm__experts_update *x = &t->experts;
  *x = trm__experts_update_of(t->model->layout, t->config.batch_size);
  if (x->with_grad == 0) return TRM_OK;
  TRM_TRY(trm__backend_alloc(t->be, 1, sizeof *x->noise, "noise", &x->noise, err));
  TRM_TRY(trm__backend_alloc(t->be, (int64_t)x->with_grad * x->rows * x->figures, sizeof *x->told,
                             "the load of experts", &x->told, err));
  return trm__backend_alloc(t->be, x->with_grad, sizeof *x->balance, "the load of experts",
                            &x->balance, err);
}

static trm_status feedback(trm_trainer *t, trm_error *err) {
  const trm_model_config *c = &t->model->config;
  if (!c->feedback || c->feedback_corrupt_prob == 0 || c->feedback_corrupt_cells == 0)
    return TRM_OK;
  TRM_ALLOC(&t->fills, TRM_PUZZLE_MAX_SYMBOLS, "symbols", err);
  t->n_fills = trm__puzzle_fills(&c->puzzle, t->fills);
  if (t->n_fills == 0) return TRM_OK;
  TRM_ALLOC(&t->corrupt, (int64_t)t->share.rows * t->model->layout->dims.S, "corrupted answers",
            err);
  return TRM_OK;
}

static trm_status views(trm_trainer *t, trm_error *err) {
  const trm__rows *rows = &t->carry->rows;
  trm__view *v = &t->view;
  const int64_t B = t->config.batch_size;
  *v = (trm__view){.loss = t->loss,
                   .solved = t->solved,
                   .steps = rows->steps,
                   .halted = rows->halted,
                   .wants = rows->halted,
                   .balance = t->experts.balance,
                   .grads = t->update.grads,
                   .d_puzzle = t->update.d_puzzle};
  if (trm__is_shared(t)) {
    v->steps = NULL;
    v->halted = v->wants = NULL;
    TRM_ALLOC(&v->steps, B, "steps", err);
    TRM_ALLOC(&v->halted, B, "halting", err);
    TRM_ALLOC(&v->wants, B, "halting", err);
    memset(v->halted, 1, (size_t)B);
    memset(v->wants + t->share.first, 1, (size_t)t->share.rows);
  }
  if (t->be->ops->host) return TRM_OK;
  *v = (trm__view){0};
  TRM_ALLOC(&v->loss, B, "losses", err);
  if (t->solved) TRM_ALLOC(&v->solved, B, "solved steps", err);
  TRM_ALLOC(&v->steps, B, "steps", err);
  TRM_ALLOC(&v->halted, B, "halting", err);
  TRM_ALLOC(&v->balance, t->experts.with_grad, "the load of experts", err);
  TRM_ALLOC(&v->grads, t->update.n, "gradients", err);
  TRM_ALLOC(&v->d_puzzle, B * t->model->layout->dims.E, "puzzle gradients", err);
  memset(v->halted, 1, (size_t)B);
  v->wants = v->halted;
  return TRM_OK;
}

static trm__stop stop_of(const trm_model_config *c) {
  static const trm__stop stops[] = {[TRM_HALTING_Q] = TRM__STOP_Q,
                                    [TRM_HALTING_NEVER] = TRM__STOP_NOTHING,
                                    [TRM_HALTING_SOLVED] = TRM__STOP_SOLVED};
  const trm__stop stop = c->halt_max_steps > 1 ? stops[c->halting] : TRM__STOP_NOTHING;
  return stop == TRM__STOP_Q && !c->no_ACT_continue ? TRM__STOP_Q_CONTINUE : stop;
}

trm_status trm__trainer_memory(trm_trainer *t, trm_error *err) {
  const trm__layout *l = t->model->layout;
  const trm_model_config *c = &t->model->config;
  t->n_teams = t->cost.teams;
  t->micro_batch = t->cost.micro_batch;
  t->plan = l->plan;
  t->n_grad_steps = l->plan->n_grads;
  TRM_TRY(trm__curriculum_plans(&t->config.curriculum, c, t->stage_plan, err));
  t->update.n = l->n_params;
  t->update.rows = t->config.batch_size;
  t->update.slots = t->share.slots;
  t->update.clip = t->config.grad_clip;

  /* What an update works on. */
  TRM_TRY(weights_and_ema(t, err));
  TRM_TRY(trm__carry_create(t->model, t->be, &t->weights, t->share.rows, &t->carry, err));
  t->update.puzzle_ids = t->carry->rows.puzzle_ids;
  TRM_TRY(gradients(t, err));
  TRM_TRY(trm__groups_memory(&t->groups, t->be, err));
  TRM_TRY(figures(t, err));
  TRM_TRY(experts(t, err));
  TRM_TRY(feedback(t, err));
  TRM_TRY(trm__shared_memory(t, err));
  t->halting = (trm__halting){c->halt_max_steps, stop_of(c), t->least + t->share.first,
                              (real)c->halt_margin};

  /* What the host sees, and what each team works in. */
  TRM_TRY(views(t, err));
  TRM_ALLOC(&t->walkers, t->n_teams, "walkers", err);
  for (int i = 0; i < t->n_teams; i++)
    TRM_TRY(trm__walker_create(l, t->be, t->micro_batch, t->cost.threads / t->n_teams, true,
                               &t->walkers[i], err));
  trm__trainer_follow(t, l->plan);
  return TRM_OK;
}

void trm__trainer_follow(trm_trainer *t, const trm__plan *plan) {
  int64_t size;
  TRM_ASSERT(plan->n_grads <= t->model->layout->plan->n_grads);
  t->plan = plan;
  t->n_grad_steps = plan->n_grads;
  lay_out_steps(t, &size);
  /* The auxiliary loss is the mean over the steps with gradient of the sum over their blocks; what
   * an update adds up is the sum over the rows. */
  t->experts.weight = t->model->config.moe_aux_weight * t->experts.rows / t->n_grad_steps;
  for (int i = 0; i < t->n_teams; i++) t->walkers[i]->plan = plan;
}

void trm__trainer_release(trm_trainer *t) {
  trm__backend *be = t->be;
  trm__update *u = &t->update;
  if (!be->ops->host) {
    void *copies[] = {t->view.loss,    t->view.solved, t->view.steps,   t->view.halted,
                      t->view.balance, t->view.grads,  t->view.d_puzzle};
    for (size_t i = 0; i < sizeof copies / sizeof *copies; i++) trm__free(copies[i]);
    be->ops->release(be, u->ema);
  }
  if (trm__is_shared(t)) {
    void *gathered[] = {t->view.steps, t->view.halted, t->view.wants, t->piece, t->told, t->ids};
    for (size_t i = 0; i < sizeof gathered / sizeof *gathered; i++) trm__free(gathered[i]);
  }
  for (int i = 0; t->walkers && i < t->n_teams; i++) trm__walker_free(t->walkers[i]);
  for (int i = 0; i < TRM_STAGES; i++) trm__plan_free(t->stage_plan[i]);
  trm__carry_free(t->carry);
  trm__weights_free(be, &t->weights);
  void *blocks[] = {u->grads,  t->step_memory,   t->head_memory,   u->d_puzzle,        t->loss,
                    t->solved, t->least,         u->partial_norms, u->totals,          u->order,
                    u->sum,    t->experts.noise, t->experts.told,  t->experts.balance, t->keys};
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) be->ops->release(be, blocks[i]);
  trm__free(t->walkers);
  trm__free(t->step_grads);
  trm__free(t->drawn);
  trm__free(t->drawn_keys);
  trm__free(t->corrupt);
  trm__free(t->fills);
}
