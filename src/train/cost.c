/* How a trainer divides its threads, its batch and its memory. */
#include "base/cpus.h"
#include "base/room.h"
#include "train/trainer.h"

static int common_divisor(int a, int b) {
  return b ? common_divisor(b, a % b) : a;
}

/* Positions in a micro-batch beyond which nothing gets faster. Weights and their gradients are gone
 * through once per tile: when they stay in a second-level cache a small tile, whose activations
 * stay there too, is best; else a few hundred positions make that traffic a small part. Measured
 * with `trm bench train` (docs/BENCHMARKS.md). */
enum { SMALL_WEIGHTS = 1 << 18, SMALL_TILE = 96, LARGE_TILE = 400 };
/* Positions of a tile at most, whatever was asked for: sizes stay far below what an int holds. */
enum { MOST_POSITIONS = 1 << 20 };

/* Rows of a tile come in these units: else a tile would end within positions that a bfloat16
 * product sums together (a pair, or what a matrix tile takes), and sums would depend on where tiles
 * end. */
static int row_unit(const trm__dims *dims, const trm__backend *be) {
  return trm__whole_rows(dims->L, dims->dtype == TRM_BFLOAT16 ? be->ops->block_positions : 1);
}
static int round_up(int n, int unit) {
  return (n + unit - 1) / unit * unit;
}

/* The largest tile whose activations, over all teams, stay within the budget. */
static int choose_micro_batch(const trm__layout *l, const trm__backend *be,
                              const trm_trainer_config *config, int teams, int team_size,
                              int64_t budget) {
  const int slots = be->ops->slots, slot = (config->batch_size + slots - 1) / slots;
  const int unit = row_unit(&l->dims, be), limit = MOST_POSITIONS / l->dims.L / unit * unit;
  int tile = l->n_params <= SMALL_WEIGHTS ? SMALL_TILE : LARGE_TILE;
  if (!be->ops->host) tile = MOST_POSITIONS; /* a GPU is never full */

  /* What was asked for, or as many rows as fill a tile; whole units, at most a slot. */
  int b = config->micro_batch ? config->micro_batch : tile / l->dims.L;
  b = round_up(b > 1 ? (b < slot ? b : slot) : 1, unit);
  if (b > limit) b = limit;

  /* Fewer where memory binds. */
  if (!config->micro_batch) {
    while (b > unit && teams * trm__walker_bytes(l, be, b, team_size, true) > budget) b -= unit;
    int tiles = (slot + b - 1) / b; /* equal ones waste no part of the last */
    b = round_up((slot + tiles - 1) / tiles, unit);
  }
  return b < slot ? b : slot;
}

/* What a solver beside the trainer takes at least. */
static int64_t evaluation(const trm__layout *l, const trm__backend *be) {
  return be->ops->held_bytes(be) + trm__weights_bytes(be, l) +
         trm__walker_bytes(l, be, 1, 1, false);
}

/* What is left for activations beside `rest`, of which some bytes are held already. */
static int64_t activation_budget(const trm__backend *be, int64_t rest) {
  const int64_t budget = be->ops->budget(be);
  rest -= be->ops->held_bytes(be);
  if (!be->ops->host) return budget - rest;
  const int64_t room = trm__memory_room("").bytes - rest;
  return room < budget ? room : budget;
}

/* What experts tell of the rows of a batch, and what comes of it. */
static int64_t experts_bytes(const trm__layout *l, int rows) {
  const trm__experts_update x = trm__experts_update_of(l, rows);
  return x.with_grad *
         ((int64_t)x.rows * x.figures * (int64_t)sizeof *x.told + (int64_t)sizeof *x.balance);
}

/* What solvers tell of the rows of a batch. */
static int64_t solved_bytes(const trm__layout *l, int rows) {
  return l->plan->solving.method == TRM_RECURSION_UPDATES ? 0 : rows * (int64_t)sizeof(trm__solved);
}

/* What the rows of a batch draw by. */
static int64_t keys_bytes(const trm__layout *l, int rows) {
  return trm__plan_draws(l->plan) ? rows * (int64_t)sizeof(trm__noise) : 0;
}

trm_status trm__trainer_room(const trm__backend *be, const trm_trainer_cost *cost, trm_error *err) {
  if (!be->ops->host) return TRM_OK; /* a GPU says itself when its memory is over */
  return trm__room_for(cost->bytes + cost->evaluation - be->ops->held_bytes(be),
                       "a trainer and evaluations beside it",
                       "a smaller batch_size, micro_batch or number of threads takes less", err);
}

int64_t trm__head_reals(const trm__layout *l, int teams) {
  return trm__layout_is_tied(l) ? teams * l->net_offset[0] : 0;
}

trm_trainer_cost trm__trainer_cost(const trm__layout *l, const trm__backend *be,
                                   const trm__groups *groups, const trm_trainer_config *config) {
  trm_trainer_cost c = {.threads = trm__useful_threads(config->threads)};
  if (!be->ops->host) c.threads = 1; /* it only hands out work */

  /* Each team has a gradient of the net of every step that has one. */
  const int64_t real_size = (int64_t)sizeof(real), ema = config->ema_rate > 0;
  int64_t steps = 0;
  for (int i = 0; i < l->plan->n_grads; i++) {
    int net = l->plan->grad_net[i];
    steps += l->net_offset[net + 1] - l->net_offset[net];
  }
  const trm__share share = trm__share_of(config, be->ops->slots, trm__comm_rank(config->comm));

  /* What depends on neither teams nor micro-batch. */
  c.weights = real_size * ((1 + ema) * l->n_params + trm__groups_reals(groups) + l->n_puzzle_emb) +
              be->ops->held_bytes(be);
  c.carry = trm__carry_bytes(l, be, share.rows) + experts_bytes(l, config->batch_size) +
            solved_bytes(l, config->batch_size) + keys_bytes(l, config->batch_size);
  c.evaluation = evaluation(l, be);

  /* Activations: the largest micro-batch that the rest leaves room for, and where the smallest of
   * every team does not fit, fewer teams of more threads. */
  int64_t budget;
  for (c.teams = common_divisor(c.threads, share.slots);; c.teams /= 2) {
    const int size = c.threads / c.teams;
    c.gradients =
        real_size * (share.slots * l->n_params + (be->ops->slots > 1 ? c.teams * steps : 0) +
                     trm__head_reals(l, c.teams)) +
        trm__shared_bytes(l, config);
    budget = config->memory_budget;
    if (!budget) budget = activation_budget(be, c.weights + c.gradients + c.carry + c.evaluation);
    c.micro_batch = choose_micro_batch(l, be, config, c.teams, size, budget);
    c.activations = c.teams * trm__walker_bytes(l, be, c.micro_batch, size, true);
    if (c.activations <= budget || config->micro_batch || c.teams % 2) break;
  }
  c.bytes = c.weights + c.gradients + c.carry + c.activations;
  return c;
}

trm_status trm_trainer_cost_of(const trm_model_config *model, const trm_trainer_config *config,
                               trm_trainer_cost *cost, trm_error *err) {
  trm__group_spec specs[TRM__MAX_GROUPS];
  trm__groups groups = {0};
  trm__layout *l;
  trm__backend *be;
  trm_status st;
  TRM_TRY(trm__trainer_check(config, err));
  TRM_TRY(trm__layout_create(model, &l, err));
  TRM_GOTO(trm__groups_create(l, specs, trm__group_specs(config, specs), &groups, err));
  TRM_GOTO(trm__backend_create(config->device, &l->dims, &l->outer, l->blocks, l->n_blocks, true,
                               &be, err));
  *cost = trm__trainer_cost(l, be, &groups, config);
  be->ops->destroy(be);
done:
  trm__groups_free(&groups, NULL);
  trm__layout_free(l);
  return st;
}
