/* Fine-tuning: a trained model learns puzzles whose ids it has never seen.
 *
 * A model with puzzle embeddings (paper section 2.4: one per task and symmetric copy) answers
 * a new task no better than chance, because the task's embedding was never trained. Its
 * demonstrations, and symmetric copies of them, are enough to train one: alone, with the network
 * frozen, or together with the network.
 */
#ifndef TRM_FINETUNE_H
#define TRM_FINETUNE_H

#include "trm/dataset.h"
#include "trm/trainer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* After every update: of how many; return false to stop (TRM_E_INTERRUPTED). */
typedef bool trm_finetune_progress_fn(void *arg, int64_t update, int64_t total,
                                      const trm_metrics *metrics);

typedef struct trm_finetune_config {
  int64_t steps;  /* updates */
  int batch_size; /* at most; a batch is never larger than the examples of an epoch */
  double lr;      /* of the network; not used with freeze_weights */
  double puzzle_emb_lr;
  double weight_decay; /* of the network */
  bool freeze_weights; /* train the puzzle embeddings only */
  trm_augment
      augment; /* on-the-fly: needs a puzzle with symmetries; ARC's grids move on the canvas */
  uint64_t seed;
  int threads;       /* 0: as many as the process may use */
  trm_device device; /* all zero: the CPU */
  trm_finetune_progress_fn *progress;
  void *progress_arg;
} trm_finetune_config;

/* 100 updates of 32 rows, lr 1e-4, puzzle_emb_lr 1e-2, no weight decay. */
TRM_API trm_finetune_config trm_finetune_config_default(void);

/* Trains a copy of `model` on `data`, whose ids are new: every embedding of the copy begins at the
 * mean of the trained ones, as where the reference loads a checkpoint for other data, and there
 * are data's num_puzzle_identifiers of them. *out, with the weights after the last update (no
 * average: the runs are short), belongs to the caller. Errors: ARGUMENT; CONFIG with freeze_weights
 * for a model without puzzle embeddings; SHAPE when model and data disagree; NUMERIC; MEMORY;
 * SYSTEM; INTERRUPTED. */
TRM_API trm_status trm_finetune(const trm_model *model, const trm_dataset *data,
                                const trm_finetune_config *config, trm_model **out, trm_error *err);

#ifdef __cplusplus
}
#endif
#endif
