/* Training: one call is one update of the reference's training loop (paper Fig. 3).
 *
 * The trainer owns a copy of the model, its EMA, the optimiser's moments and the carry (the
 * latents, counters and puzzles of all rows). The caller brings a fresh batch for every update;
 * rows that have not halted ignore theirs. Same seed, same bits: for any number of threads and
 * any micro-batch on the CPU, for the same micro-batch on one kind of GPU.
 *
 * A program may fork while no call is in progress: parent and child each have the trainer then, and
 * each frees its own; the child's first step starts workers of its own.
 */
#ifndef TRM_TRAINER_H
#define TRM_TRAINER_H

#include "trm/comm.h"
#include "trm/device.h"
#include "trm/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum trm_optimizer {
  TRM_OPT_ADAM_ATAN2, /* the reference's */
  TRM_OPT_ADAMW,
  TRM_OPT_MUON, /* the matrices of the nets; all else by AdamW */
  TRM_OPTIMIZERS
} trm_optimizer;

/* A depth curriculum: updates make fewer cycles than the model has until a share of all of them is
 * done, as in CGAR (arXiv 2511.08653); then, and in evaluations, they make all. */
enum { TRM_STAGES = 4 };
typedef struct trm_stage {
  int percent;            /* of total_steps, where it ends; rising from stage to stage, up to 100 */
  int H_cycles, L_cycles; /* T and n, at most the model's */
} trm_stage;
typedef struct trm_curriculum {
  int n; /* 0: none */
  trm_stage stage[TRM_STAGES];
} trm_curriculum;

/* The way of all rates from their tops to lr_min_ratio, behind the warm-up. */
typedef enum trm_lr_schedule {
  TRM_LR_COSINE, /* the reference's */
  TRM_LR_LINEAR,
  TRM_LR_CONSTANT, /* they stay; total_steps and lr_min_ratio are not used */
  TRM_LR_SCHEDULES
} trm_lr_schedule;

typedef struct trm_trainer_config {
  int batch_size; /* B, the batch of this trainer; of all ranks together */
  uint64_t seed;  /* of halting exploration; the model's weights have their own */
  trm_optimizer optimizer;
  double lr, beta1, beta2, adam_eps /* AdamW only */, weight_decay;
  double puzzle_emb_lr, puzzle_emb_weight_decay;
  /* With Muon, whose matrices have lr and weight_decay: the rate and decay of all other dense
   * weights, which AdamW has (beta1, beta2, adam_eps). */
  double adam_lr, adam_weight_decay;
  double muon_momentum;                 /* share of its mean gradient that is kept */
  int muon_steps;                       /* of Newton and Schulz; 0: the normed mean itself */
  bool muon_per_head;                   /* each head's q, k and v is a matrix of its own */
  int64_t lr_warmup_steps, total_steps; /* warm-up, then the schedule over the rest */
  trm_lr_schedule lr_schedule;
  double lr_min_ratio; /* of every rate, where the schedule ends; 1: constant after the warm-up */
  trm_curriculum curriculum; /* of total_steps */
  double grad_clip;    /* most that the norm of the mean gradient may be, over all dense weights: a
                          longer one is scaled by grad_clip / (norm + 1e-6); 0: any */
  double ema_rate;     /* 0: no EMA */
  bool freeze_weights; /* train the puzzle embedding only */
  trm_device device;   /* all zero: the CPU */
  int threads;         /* of the CPU's backend, at most as many as there are processors; 0: all */
  int64_t memory_budget; /* bytes for activations, but the fewest rows of one team at least; 0: 1.5
                            GiB or as much as there is room for (trm_memory_room), on a GPU what is
                            free */
  int micro_batch;       /* rows a team processes at once (in bfloat16 made so many that positions
                            are even, on amx_bf16 a multiple of 32); 0: by the budget, which then
                            also bounds the number of teams */
  int64_t first_row; /* of a batch that several trainers share, the first that this one has: what
                        is drawn for a row does not depend on who computes it */
  /* Ranks that share each update, NULL: none. Rank r of R has rows B r/R to B (r + 1)/R, at least
   * one, and their latents and gradients; weights and what is told of an update are everywhere, and
   * the same bits as of one trainer alone. On CPUs only. It outlives the trainer. */
  trm_comm *comm;
} trm_trainer_config;

/* The reference's defaults (batch 768, lr 1e-4, betas 0.9 and 0.95, warm-up 2000, EMA 0.999). */
TRM_API trm_trainer_config trm_trainer_config_default(void);
TRM_API const char *trm_optimizer_name(trm_optimizer o);
TRM_API bool trm_optimizer_from_name(const char *name, trm_optimizer *out);
TRM_API const char *trm_lr_schedule_name(trm_lr_schedule s);
TRM_API bool trm_lr_schedule_from_name(const char *name, trm_lr_schedule *out);

/* Fields by name, with the values, errors and the range of each as for a model's configuration
 * (trm_model_config_set). `seed` is any number of 64 bits; `memory_budget` takes units ("2GiB");
 * `device` is a name of trm_device_from_name. */
TRM_API trm_status trm_trainer_config_set(trm_trainer_config *config, const char *field,
                                          const char *value, trm_error *err);
TRM_API trm_status trm_trainer_config_get(const trm_trainer_config *config, const char *field,
                                          char *text, size_t size, trm_error *err);
TRM_API trm_status trm_trainer_config_bounds(const char *field, trm_bounds *out, trm_error *err);
/* Field i; NULL after the last. */
TRM_API const trm_field *trm_trainer_config_field(int i);

/* What a trainer holds; all of it is taken when it is created. */
typedef struct trm_trainer_cost {
  int threads, teams;  /* teams of threads / teams threads each */
  int micro_batch;     /* rows a team processes at once */
  int64_t weights;     /* bytes: weights, packed copies, EMA, the optimiser's moments */
  int64_t gradients;   /* one block per row slot, one per step with gradient and team */
  int64_t carry;       /* latents and puzzles of all rows */
  int64_t activations; /* of one micro-batch per team */
  int64_t bytes;       /* the sum */
  int64_t evaluation;  /* bytes that an evaluation beside it takes at least */
} trm_trainer_cost;
/* The cost of a trainer before it is created. Errors: CONFIG, MEMORY. */
TRM_API trm_status trm_trainer_cost_of(const trm_model_config *model,
                                       const trm_trainer_config *config, trm_trainer_cost *cost,
                                       trm_error *err);

/* A fresh batch: inputs, labels [B, seq_len] (negative labels: ignored), puzzle_ids [B]. */
typedef struct trm_batch {
  const int32_t *inputs, *labels, *puzzle_ids;
} trm_batch;

/* Sums over the rows that halted in this update, and losses over all rows, as the reference
 * reports them (docs/MODEL.md section 3); divide by count, losses by the batch size. */
typedef struct trm_metrics {
  double count, accuracy, exact_accuracy, q_halt_accuracy, steps;
  double lm_loss, q_halt_loss, q_continue_loss;
  double loss; /* lm + q_weight (q_halt + q_continue) + constraint_weight constraint, of each row as
                  its step counts (step_decay); the other losses are without weights */
  double lr, puzzle_emb_lr;
  double grad_norm; /* of the mean gradient over all dense parameters, before grad_clip */
  /* Of models with experts, else 0: their weighted auxiliary loss, which is minimised beside `loss`
   * (docs/MODEL.md section 6); and the smallest and the largest load of an expert of any block, its
   * share of all gates (with a switch: of all tokens) times their number: 1 is an equal share. */
  double aux_loss, expert_load_min, expert_load_max;
  /* Sums over all rows, of the last cycle's solution (arch.solver; else 0): its residual and the
   * applications of f that it took. */
  double residual, solver_iterations;
  double constraint_loss; /* where it has a weight, else 0 (docs/MODEL.md section 9) */
} trm_metrics;

typedef struct trm_trainer trm_trainer;

/* Copies `model`. Errors: CONFIG, ARGUMENT, MEMORY, SYSTEM. Of ranks that share updates, creating,
 * steps, saving and loading are calls of all of them (trm/comm.h). */
TRM_API trm_status trm_trainer_create(const trm_model *model, const trm_trainer_config *config,
                                      trm_trainer **out, trm_error *err);
TRM_API void trm_trainer_free(trm_trainer *t);

/* [B]: 1 where the next update takes the row's fresh puzzle (all 1 before the first); 0 of rows
 * that another rank has, of which trm_trainer_step reads nothing. */
TRM_API const uint8_t *trm_trainer_wants(const trm_trainer *t);
/* One update. No allocation. Errors: RANGE (token, label or id out of range; nothing has changed),
 * NUMERIC with the tensor's name when a loss, gradient or weight is NaN or infinite (weights,
 * moments and the count of updates are as before, but the rows have moved on: load a state). */
TRM_API trm_status trm_trainer_step(trm_trainer *t, const trm_batch *fresh, trm_metrics *metrics,
                                    trm_error *err);
TRM_API int64_t trm_trainer_updates(const trm_trainer *t);
/* Brings the views below up to date; on the CPU they always are. Errors: SYSTEM (a GPU). */
TRM_API trm_status trm_trainer_sync(trm_trainer *t, trm_error *err);
/* After an update: [B] halted, [B] supervision steps taken by the row's puzzle. */
TRM_API const uint8_t *trm_trainer_halted(const trm_trainer *t);
TRM_API const int32_t *trm_trainer_steps_taken(const trm_trainer *t);

/* The weights being trained, and their EMA (the raw weights when ema_rate is 0; with EMA, buffers
 * and the puzzle embedding are the current ones). Views into the trainer, valid until it is freed.
 */
TRM_API const trm_model *trm_trainer_weights(const trm_trainer *t);
TRM_API const trm_model *trm_trainer_ema(const trm_trainer *t);
/* Gradients of the last update, mean over the batch and as grad_clip left them, in the order and
 * shape of the model's tensors; data NULL for tensors without one. Not part of the saved state. */
TRM_API trm_tensor trm_trainer_gradient_at(const trm_trainer *t, int i);
/* Per-row gradient of the puzzle embedding [B, puzzle_emb_ndim] before equal ids are summed. */
TRM_API const float *trm_trainer_puzzle_emb_gradient(const trm_trainer *t);

/* Bytes the trainer holds, and rows in a micro-batch. */
TRM_API int64_t trm_trainer_bytes(const trm_trainer *t);
TRM_API int trm_trainer_micro_batch(const trm_trainer *t);

/* The whole state but the configuration, as one safetensors file, complete or absent. Loading
 * needs a trainer created with the same model configuration and batch size, with EMA if it was
 * saved with it; training then goes on bit for bit, also with another number of ranks. Rank 0
 * writes the file, all ranks read it. A load that fails changes nothing. A NaN or infinite value is
 * neither saved nor loaded. Errors: IO, FORMAT, SHAPE, NUMERIC, MEMORY. */
TRM_API trm_status trm_trainer_save(const trm_trainer *t, const char *path, trm_error *err);
TRM_API trm_status trm_trainer_load(trm_trainer *t, const char *path, trm_error *err);

#ifdef __cplusplus
}
#endif
#endif
