/* Fine-tuning as a short training run of its own: a model with new embeddings, a stream, a trainer.
 */
#include "trm/finetune.h"

#include <math.h>

#include "base/memory.h"
#include "nn/model.h"

enum { MAX_BATCH = 1 << 16, WARMUP_SHARE = 10 /* a tenth of the updates */ };

trm_finetune_config trm_finetune_config_default(void) {
  return (trm_finetune_config){.steps = 100, .batch_size = 32, .lr = 1e-4, .puzzle_emb_lr = 1e-2};
}

typedef struct finetuning {
  const trm_finetune_config *config;
  trm_model *model;
  trm_stream *stream;
  trm_trainer *trainer;
  int batch;
  int32_t *inputs, *labels, *ids;
} finetuning;

static trm_status check(const trm_model_config *m, const trm_dataset_info *d,
                        const trm_finetune_config *c, trm_error *err) {
  if (c->steps < 1 || c->batch_size < 1 || c->batch_size > MAX_BATCH || c->threads < 0 ||
      !(c->lr >= 0 && isfinite(c->lr)) || !(c->puzzle_emb_lr >= 0 && isfinite(c->puzzle_emb_lr)) ||
      !(c->weight_decay >= 0 && isfinite(c->weight_decay)))
    TRM_FAIL(err, TRM_E_ARGUMENT,
             "steps = %lld, batch_size = %d, threads = %d, lr = %g, puzzle_emb_lr = %g, "
             "weight_decay = %g: want at least 1 update, a batch of 1 to %d, and nothing negative",
             (long long)c->steps, c->batch_size, c->threads, c->lr, c->puzzle_emb_lr,
             c->weight_decay, MAX_BATCH);
  if (m->seq_len != d->seq_len || m->vocab_size != d->vocab_size)
    TRM_FAIL(err, TRM_E_SHAPE,
             "the data have seq_len %d and vocab_size %d, the model %d and %d: fine-tune on the "
             "kind of data that the model was trained on",
             d->seq_len, d->vocab_size, m->seq_len, m->vocab_size);
  if (c->freeze_weights && m->puzzle_emb_ndim == 0)
    TRM_FAIL(err, TRM_E_CONFIG,
             "the model has no puzzle embeddings, so with frozen weights nothing is left to "
             "train: let the weights train, too");
  return TRM_OK;
}

/* A model of the data's ids with the network of `from`. */
static trm_status adopt(const trm_model *from, const trm_dataset_info *d, uint64_t seed,
                        trm_model **out, trm_error *err) {
  trm_model_config config = *trm_model_get_config(from);
  config.num_puzzle_identifiers = d->num_puzzle_identifiers;
  TRM_TRY(trm_model_create(&config, seed, out, err));
  TRM_TRY(trm_model_copy_weights(*out, from, NULL, err));
  trm__model_level_puzzle_emb(*out);
  return TRM_OK;
}

static trm_status begin(finetuning *f, const trm_model *model, const trm_dataset *data,
                        trm_error *err) {
  const trm_finetune_config *c = f->config;
  const trm_dataset_info *info = trm_dataset_get_info(data);
  TRM_TRY(check(trm_model_get_config(model), info, c, err));
  TRM_TRY(adopt(model, info, c->seed, &f->model, err));
  f->batch = info->examples < c->batch_size ? (int)info->examples : c->batch_size;
  trm_trainer_config t = trm_trainer_config_default();
  t.batch_size = f->batch;
  t.seed = c->seed;
  t.lr = c->lr;
  t.puzzle_emb_lr = c->puzzle_emb_lr;
  t.weight_decay = c->weight_decay;
  t.puzzle_emb_weight_decay = 0; /* it would pull towards 0, away from the trained ones */
  t.lr_warmup_steps = c->steps / WARMUP_SHARE;
  t.total_steps = c->steps;
  t.lr_min_ratio = 1;
  t.ema_rate = 0;
  t.freeze_weights = c->freeze_weights;
  t.threads = c->threads;
  t.device = c->device;
  TRM_TRY(trm_trainer_create(f->model, &t, &f->trainer, err));
  /* Epochs run on within an iteration, so that no group's examples are dropped for long. */
  const trm_stream_config s = {
      .batch_size = f->batch, .seed = c->seed, .epochs_per_iter = f->batch, .augment = c->augment};
  TRM_TRY(trm_stream_create(&data, 1, &s, &f->stream, err));
  size_t S = (size_t)info->seq_len, B = (size_t)f->batch;
  TRM_ALLOC(&f->inputs, B * S, "a batch", err);
  TRM_ALLOC(&f->labels, B * S, "a batch", err);
  TRM_ALLOC(&f->ids, B, "a batch", err);
  return TRM_OK;
}

static trm_status run(finetuning *f, trm_error *err) {
  const trm_finetune_config *c = f->config;
  const trm_batch batch = {f->inputs, f->labels, f->ids};
  for (int64_t update = 1; update <= c->steps; update++) {
    trm_metrics metrics;
    trm_stream_next(f->stream, trm_trainer_wants(f->trainer), f->inputs, f->labels, f->ids);
    TRM_TRY(trm_trainer_step(f->trainer, &batch, &metrics, err));
    if (c->progress && !c->progress(c->progress_arg, update, c->steps, &metrics))
      TRM_FAIL(err, TRM_E_INTERRUPTED, "stopped after update %lld of %lld", (long long)update,
               (long long)c->steps);
  }
  return TRM_OK;
}

trm_status trm_finetune(const trm_model *model, const trm_dataset *data,
                        const trm_finetune_config *config, trm_model **out, trm_error *err) {
  finetuning f = {.config = config};
  trm_status st;
  *out = NULL;
  TRM_GOTO(begin(&f, model, data, err));
  TRM_GOTO(run(&f, err));
  TRM_GOTO(trm_trainer_sync(f.trainer, err));
  st = trm_model_clone(trm_trainer_weights(f.trainer), out, err);
done:
  trm__free(f.inputs);
  trm__free(f.labels);
  trm__free(f.ids);
  trm_stream_free(f.stream);
  trm_trainer_free(f.trainer);
  trm_model_free(f.model);
  return st;
}
