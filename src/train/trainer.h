/* Inside a trainer. One update is a program of ops on the backend: refill the halted rows; per row
 * slot, in micro-batches, forward and backward; halting; sum the slots in a fixed tree; mean and
 * norm; group by group, its rule and the EMA; pack. The host sets its figures before (the fresh
 * batch, rates, explorations) and reads what it found after (losses, halting, totals), so that a
 * GPU runs it as one graph.
 *
 * Bits, on the CPU: slot s of 8 holds rows [B s / 8, B (s + 1) / 8) of the batch whatever the
 * threads. Within a slot every gradient element adds its rows in order (one accumulator per step of
 * the plan, so that micro-batches of any size add in the same order); then steps, then slots, are
 * added in fixed order. A backend with one slot adds all steps into it directly. */
#ifndef TRM_TRAIN_TRAINER_H
#define TRM_TRAIN_TRAINER_H

#include "base/field.h"
#include "base/team.h"
#include "comm/comm.h"
#include "io/safetensors.h"
#include "nn/carry.h"
#include "nn/model.h"
#include "nn/walk.h"
#include "nn/weights.h"
#include "train/curriculum.h"
#include "train/groups.h"
#include "trm/trainer.h"

/* Of a batch that ranks share, what this one has: its row slots, and their rows. */
typedef struct trm__share {
  int first_slot, slots;
  int first, rows;
} trm__share;

/* What the host sees of the backend's blocks: these themselves where it can, else copies. Where
 * ranks share the batch, rows of others are what was gathered of them. */
typedef struct trm__view {
  trm__row_loss *loss;   /* [B] */
  trm__solved *solved;   /* [B]; NULL where nothing is solved */
  int32_t *steps;        /* [B] */
  uint8_t *halted;       /* [B] */
  uint8_t *wants;        /* [B]: halted, but 0 of others' rows */
  trm__balance *balance; /* [experts.with_grad] */
  real *grads;           /* [n_params] */
  real *d_puzzle;        /* [B, E] */
} trm__view;

/* What the host does between the two parts of the reduction: update->grads, in the backend's
 * memory, starts with the sum over this trainer's rows, and update->loss and d_puzzle are theirs.
 * Here others' sums are added, or the norm is bounded. A failure ends the update before any weight
 * changes. */
typedef trm_status trm__between(void *arg, trm__backend *be, const trm__update *update,
                                trm_error *err);

/* What sharing has cost this rank since its trainer was made: sums over the updates. */
typedef struct trm__shared_cost {
  int64_t updates, bytes;          /* sent */
  double update, waiting, talking; /* seconds: all of an update; until the slowest rank has its
                                      gradients; of the sums and figures that are exchanged then */
} trm__shared_cost;

struct trm_trainer {
  trm_trainer_config config;
  trm__share share;       /* alone: all of it */
  trm_model *model, *ema; /* the host's; ema NULL when there is none */
  trm__pool *pool;
  trm__backend *be;
  trm__weights weights;
  trm__carry *carry;
  int n_teams, micro_batch;
  trm__plan *stage_plan[TRM_STAGES]; /* of the curriculum */
  const trm__plan *plan;             /* of the next update: the model's, or a stage's */
  int n_grad_steps;                  /* of that plan */
  trm__walker **walkers;             /* [n_teams] */
  real **step_grads;                 /* [n_teams * n_grad_steps] */
  real *step_memory;                 /* behind them; NULL: the slot's block itself */
  real *head_memory; /* [n_teams, net_offset[0]]: heads' part of a tied table; else NULL */
  trm__update update;
  trm__groups groups;
  trm__between *between; /* NULL: one program does it all */
  void *between_arg;
  trm__shared_cost shared;
  real *piece;         /* of a sum over ranks, as it comes in; NULL: alone */
  unsigned char *told; /* figures of the rows, as they are gathered; NULL: alone */
  int32_t *ids;        /* [B] puzzle ids of all rows; NULL: alone */
  trm__halting halting;
  trm__experts_update experts; /* with_grad 0: none */
  trm__row_loss *loss;         /* [B] of the backend */
  trm__solved *solved;         /* [B] of the backend; NULL where nothing is solved */
  int32_t *least;              /* [B] of the backend */
  int32_t *drawn;              /* [B] of the host: least */
  trm__noise *keys;            /* [B] of the backend; NULL: rows draw nothing */
  trm__noise *drawn_keys;      /* [B] of the host: keys */
  int32_t *corrupt; /* [B, S] of the host: what replaces what is fed back; NULL: nothing */
  int n_fills;      /* tokens that may do so */
  int32_t *fills;
  trm__view view;
  trm__totals totals; /* of the last update */
  int64_t updates;
  trm_trainer_cost cost;
};

/* trainer_config.c: the fields of a trainer's configuration, and the type of one that is a device.
 */
extern const trm__fields trm__trainer_fields;
extern const trm__field_type trm__field_device;
/* TRM_E_CONFIG with the first field that is out of its range. */
trm_status trm__trainer_check(const trm_trainer_config *c, trm_error *err);
/* base * step / warm-up, then lr_schedule from base to base * min_ratio at total (docs/MODEL.md
 * section 4). */
double trm__schedule(const trm_trainer_config *c, double base, int64_t step);

/* trainer.c: trm_trainer_create with groups other than the configuration's. */
trm_status trm__trainer_create(const trm_model *model, const trm_trainer_config *config,
                               const trm__group_spec *specs, int n_specs, trm_trainer **out,
                               trm_error *err);
/* trm_trainer_step of a caller who comes with a failure of its own, whose text is in `err`, or with
 * OK. *begun: false after a failure that left everything as it was. */
trm_status trm__trainer_step(trm_trainer *t, trm_status given, const trm_batch *fresh,
                             trm_metrics *metrics, bool *begun, trm_error *err);
/* What the host sees of the rows' steps and halting, which have changed. */
void trm__read_rows(trm_trainer *t);
/* Hands the current weights to the backend's products. */
trm_status trm__pack_weights(trm_trainer *t, trm_error *err);

/* trainer_memory.c: everything a trainer holds, and its end. */
trm_status trm__trainer_memory(trm_trainer *t, trm_error *err);
/* Updates go by this plan from now on, in the same memory. */
void trm__trainer_follow(trm_trainer *t, const trm__plan *plan);
void trm__trainer_release(trm_trainer *t);

/* shared.c: what of an update ranks do together. */
bool trm__is_shared(const trm_trainer *t);
trm__share trm__share_of(const trm_trainer_config *c, int slots, int rank);
int64_t trm__shared_bytes(const trm__layout *l, const trm_trainer_config *c);
trm_status trm__shared_memory(trm_trainer *t, trm_error *err);
/* CONFIG on all ranks where one has other kernels, another batch, or other weights. */
trm_status trm__shared_begin(trm_trainer *t, trm_error *err);
/* What the rows told of their experts: everyone has that of all rows. */
trm_status trm__shared_experts(trm_trainer *t, trm_error *err);
/* The first slot becomes the sum over all ranks', and the figures of all rows are everywhere. */
trm_status trm__shared_sums(trm_trainer *t, trm_error *err);

/* state.c: trm_trainer_save with up to TRM__TRAINER_METAS more metadata, for the caller to read. Of
 * ranks rank 0 calls it, alone and as often as it likes, while the others serve it their rows,
 * until it says that it is served. */
enum { TRM__TRAINER_METAS = 4 };
trm_status trm__trainer_save(const trm_trainer *t, const char *path, const trm__st_meta *more,
                             int n_more, trm_error *err);
trm_status trm__trainer_serve(const trm_trainer *t, trm_error *err);
trm_status trm__trainer_served(const trm_trainer *t, trm_error *err);
/* Before ranks save: NUMERIC for values of one that cannot be saved, SYSTEM where ranks have
 * drifted apart, both on all of them. `path` is for the message. */
trm_status trm__trainer_check_ranks(const trm_trainer *t, const char *path, trm_error *err);

/* cost.c: reals of the teams' head_memory; 0: there is none. */
int64_t trm__head_reals(const trm__layout *l, int teams);
/* With the groups' state. */
trm_trainer_cost trm__trainer_cost(const trm__layout *l, const trm__backend *be,
                                   const trm__groups *groups, const trm_trainer_config *config);
/* MEMORY, before any is taken, when there is no room for it (base/room.h). */
trm_status trm__trainer_room(const trm__backend *be, const trm_trainer_cost *cost, trm_error *err);

#endif
