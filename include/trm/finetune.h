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

/* After every update: of how many, and its metrics, which are sums over the rows of the batch (the
 * smaller of batch_size and the data's examples); return false to stop (TRM_E_INTERRUPTED). */
typedef bool trm_finetune_progress_fn(void *arg, int64_t update, int64_t total,
                                      const trm_metrics *metrics);

/* Before every update: so many are done; true when that is enough. They end as after the last one.
 */
typedef bool trm_finetune_enough_fn(void *arg, int64_t done);

typedef struct trm_finetune_config {
  int64_t steps;  /* updates, at most */
  int64_t warmup; /* of them the first so many, in which the rates grow; 0: a tenth */
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
  /* A file, for a fine-tuning that can be stopped: the trainer's state and what it depends on. It
   * is written after the first update, every minute, when `progress` stops them, and after the
   * last, and read when it exists; who has the model removes it. NULL: none. */
  const char *state;
  double state_seconds; /* between writes; 0: 60 */
  trm_finetune_progress_fn *progress;
  trm_finetune_enough_fn *enough; /* NULL: it never is; also called with progress_arg */
  void *progress_arg;
} trm_finetune_config;

/* 100 updates of 32 rows, lr 1e-4, puzzle_emb_lr 1e-2, no weight decay. */
TRM_API trm_finetune_config trm_finetune_config_default(void);

/* Trains a copy of `model` on `data`, whose ids are new: every embedding of the copy begins at the
 * mean of the trained ones, as where the reference loads a checkpoint for other data, and there
 * are data's num_puzzle_identifiers of them, whose names the copy remembers. *out, with the weights
 * after the last update (no average: the runs are short), belongs to the caller; INTERRUPTED comes
 * with what was learned until then, other errors with NULL. One that goes on from its state gives
 * the same bits as one that was never stopped, on the same device; a state is refused unless model,
 * data and configuration are those it was saved with (but for threads, device and how often it is
 * written). Errors: ARGUMENT; CONFIG with freeze_weights for a model without puzzle embeddings, or
 * when a state belongs to another fine-tuning; SHAPE when model and data disagree; NUMERIC; FORMAT,
 * IO; MEMORY; SYSTEM; INTERRUPTED. */
TRM_API trm_status trm_finetune(const trm_model *model, const trm_dataset *data,
                                const trm_finetune_config *config, trm_model **out, trm_error *err);

#ifdef __cplusplus
}
#endif
#endif
