/* Fine-tuning as a short training run of its own: a model with new embeddings, a stream, a trainer;
 * and its state in a file, which is the trainer's. */
#include "trm/finetune.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/os_thread.h"
#include "data/identity.h"
#include "nn/model.h"
#include "nn/model_fields.h"
#include "train/trainer.h"

enum {
  MAX_BATCH = 1 << 16,
  WARMUP_SHARE = 10, /* a tenth of the updates */
  STATE_SECONDS = 60
};

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
  double saved_at; /* seconds, of the last state */
} finetuning;

static trm_status check(const trm_model_config *m, const trm_dataset_info *d,
                        const trm_finetune_config *c, trm_error *err) {
  if (c->steps < 1 || c->warmup < 0 || c->batch_size < 1 || c->batch_size > MAX_BATCH ||
      c->threads < 0 || !(c->lr >= 0 && isfinite(c->lr)) ||
      !(c->puzzle_emb_lr >= 0 && isfinite(c->puzzle_emb_lr)) ||
      !(c->weight_decay >= 0 && isfinite(c->weight_decay)))
    TRM_FAIL(
        err, TRM_E_ARGUMENT,
        "steps = %lld, warmup = %lld, batch_size = %d, threads = %d, lr = %g, puzzle_emb_lr = %g, "
        "weight_decay = %g: want at least 1 update, a batch of 1 to %d, and nothing negative",
        (long long)c->steps, (long long)c->warmup, c->batch_size, c->threads, c->lr,
        c->puzzle_emb_lr, c->weight_decay, MAX_BATCH);
  TRM_TRY(trm__data_fit(m, d, err));
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
  memset(config.identifiers, 0, sizeof config.identifiers);
  config.identifiers[0] = d->identifiers;
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

  /* A short run of its own: a warm-up, then a constant rate, and no average of the weights. */
  trm_trainer_config t = trm_trainer_config_default();
  t.batch_size = f->batch;
  t.seed = c->seed;
  t.lr = c->lr;
  t.puzzle_emb_lr = c->puzzle_emb_lr;
  t.weight_decay = c->weight_decay;
  t.puzzle_emb_weight_decay = 0; /* it would pull towards 0, away from the trained ones */
  t.lr_warmup_steps = c->warmup ? c->warmup : c->steps / WARMUP_SHARE;
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

  const int64_t S = info->seq_len, B = f->batch;
  TRM_ALLOC(&f->inputs, B * S, "a batch", err);
  TRM_ALLOC(&f->labels, B * S, "a batch", err);
  TRM_ALLOC(&f->ids, B, "a batch", err);
  return TRM_OK;
}

/* --- the state --- */

enum { MODEL, DATA, OPTIONS, IDENTITIES };

/* What a state belongs to, and how a refusal names it. */
static const struct {
  const char *key, *words;
} identities[IDENTITIES] = {
    [MODEL] = {"finetuned model", "another model (weights or architecture)"},
    [DATA] = {"finetuned data", "other data (tasks or their copies)"},
    [OPTIONS] = {"finetuning",
                 "other settings (steps, batch, learning rates, decay, frozen weights, "
                 "augmentation, seed)"},
};

typedef struct identity {
  char text[IDENTITIES][24];
  trm__st_meta meta[IDENTITIES];
} identity;

/* What no tensor shows of a configuration, in the order that the first release added it up, and
 * what came later where it is set. */
static uint64_t hash_config(const trm_model_config *c) {
  static const char *const names[] = {"arch",           "H_cycles",
                                      "L_cycles",       "mlp_t",
                                      "pos_encodings",  "num_heads",
                                      "halt_max_steps", "no_ACT_continue",
                                      "loss",           "puzzle_emb_len",
                                      "forward_dtype",  "rope_theta",
                                      "rms_norm_eps",   "halt_exploration_prob"};

  /* Fields of the first release, as doubles or 32-bit numbers. */
  const trm__fields *all = &trm__model_fields;
  uint64_t hash = TRM__HASH_START;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const trm_field *f = trm__fields_find(all, names[i]);
    const double v = trm__field_number(f, c);
    const int32_t whole = (int32_t)v;
    hash = f->type->form == TRM__FORM_DOUBLE ? trm__hash_bytes(hash, &v, sizeof v)
                                             : trm__hash_bytes(hash, &whole, sizeof whole);
  }

  /* Later ones, by name, where they say something. */
  for (int i = 0; i < all->n; i++) {
    const trm_field *f = &all->v[i];
    const double v = trm__field_number(f, c);
    if (!(f->use & TRM__LATER) || trm__model_field_is_silent(f, c)) continue;
    hash = trm__hash_bytes(trm__hash_bytes(hash, f->name, strlen(f->name)), &v, sizeof v);
  }
  return hash;
}

/* The model as it begins, with the new ids: of the old embeddings only their mean counts. */
static uint64_t hash_model(const trm_model *m) {
  uint64_t hash = hash_config(trm_model_get_config(m));
  for (int i = 0; i < trm_model_tensor_count(m); i++) {
    const trm_tensor t = trm_model_tensor_at(m, i);
    hash = trm__hash_bytes(hash, t.data, (size_t)t.count * sizeof *t.data);
  }
  return hash;
}

static uint64_t hash_options(const trm_finetune_config *c) {
  const int64_t whole[] = {c->steps, c->batch_size, c->freeze_weights, (int64_t)c->augment,
                           (int64_t)c->seed};
  const double rates[] = {c->lr, c->puzzle_emb_lr, c->weight_decay};
  uint64_t hash = trm__hash_bytes(TRM__HASH_START, whole, sizeof whole);
  if (c->warmup) hash = trm__hash_bytes(hash, &c->warmup, sizeof c->warmup);
  return trm__hash_bytes(hash, rates, sizeof rates);
}

static trm_status identify(const finetuning *f, const trm_dataset *data, identity *id,
                           trm_error *err) {
  uint64_t hash[IDENTITIES] = {[MODEL] = hash_model(f->model), [OPTIONS] = hash_options(f->config)};
  TRM_TRY(trm_dataset_fingerprint(data, &hash[DATA], err));
  for (int i = 0; i < IDENTITIES; i++) {
    (void)snprintf(id->text[i], sizeof id->text[i], "%016llx", (unsigned long long)hash[i]);
    id->meta[i] = (trm__st_meta){identities[i].key, id->text[i]};
  }
  return TRM_OK;
}

static trm_status check_identity(const char *path, const identity *id, trm_error *err) {
  trm__safetensors *file;
  TRM_TRY(trm__safetensors_open(path, &file, err));
  trm_status st = TRM_OK;
  for (int i = 0; i < IDENTITIES && st == TRM_OK; i++) {
    const char *found = trm__safetensors_meta(file, identities[i].key);
    if (!found)
      st = trm__fail(err, TRM_E_FORMAT, -1, "%s: not the state of a fine-tuning", path);
    else if (strcmp(found, id->text[i]) != 0)
      st = trm__fail(err, TRM_E_CONFIG, -1,
                     "%.200s: the state of a fine-tuning with %s; repeat that one, or remove the "
                     "file to begin anew",
                     path, identities[i].words);
  }
  trm__safetensors_close(file);
  return st;
}

/* Goes on from the state if there is one. */
static trm_status restore(finetuning *f, const identity *id, trm_error *err) {
  const trm_finetune_config *c = f->config;
  trm__kind kind = TRM__ABSENT;
  if (c->state) TRM_TRY(trm__path_look(c->state, &kind, err));
  if (kind == TRM__ABSENT) return TRM_OK;

  TRM_TRY(check_identity(c->state, id, err));
  TRM_TRY(trm_trainer_load(f->trainer, c->state, err));
  const int64_t done = trm_trainer_updates(f->trainer);
  if (done > c->steps)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: %lld updates, but the fine-tuning has %lld", c->state,
             (long long)done, (long long)c->steps);
  return trm_stream_seek(f->stream, done, err);
}

static trm_status save(finetuning *f, const identity *id, trm_error *err) {
  TRM_TRY(trm__trainer_save(f->trainer, f->config->state, id->meta, IDENTITIES, err));
  f->saved_at = trm__os_seconds();
  return TRM_OK;
}

/* --- the updates --- */

static trm_status update(finetuning *f, trm_metrics *metrics, trm_error *err) {
  const trm_batch batch = {f->inputs, f->labels, f->ids};
  trm_stream_next(f->stream, trm_trainer_wants(f->trainer), f->inputs, f->labels, f->ids);
  return trm_trainer_step(f->trainer, &batch, metrics, err);
}

static trm_status run(finetuning *f, const identity *id, trm_error *err) {
  const trm_finetune_config *c = f->config;
  const double seconds = c->state_seconds > 0 ? c->state_seconds : (double)STATE_SECONDS;
  int64_t done = trm_trainer_updates(f->trainer), saved = done;

  /* The first state is written at once: a place that cannot be written ends it early. */
  f->saved_at = done ? trm__os_seconds() : -INFINITY;
  while (done < c->steps && !(c->enough && c->enough(c->progress_arg, done))) {
    trm_metrics metrics;
    TRM_TRY(update(f, &metrics, err));
    done = trm_trainer_updates(f->trainer);

    /* A state once in a while, and before it stops because somebody wants it. */
    const bool stop = c->progress && !c->progress(c->progress_arg, done, c->steps, &metrics);
    if (c->state && (stop || trm__os_seconds() - f->saved_at > seconds)) {
      TRM_TRY(save(f, id, err));
      saved = done;
    }
    if (stop)
      TRM_FAIL(err, TRM_E_INTERRUPTED, "stopped after update %lld%s%.300s", (long long)done,
               c->state ? "; it is kept in " : "", c->state ? c->state : "");
  }
  return c->state && saved != done ? save(f, id, err) : TRM_OK;
}

/* The model as learned so far; `st`, of the updates, is what is returned where it can be had. */
static trm_status hand_over(finetuning *f, trm_status st, trm_model **out, trm_error *err) {
  trm_error failure;
  trm_status given = trm_trainer_sync(f->trainer, &failure);
  if (given == TRM_OK) given = trm_model_clone(trm_trainer_weights(f->trainer), out, &failure);
  if (given != TRM_OK && err) *err = failure;
  return given == TRM_OK ? st : given;
}

trm_status trm_finetune(const trm_model *model, const trm_dataset *data,
                        const trm_finetune_config *config, trm_model **out, trm_error *err) {
  finetuning f = {.config = config};
  identity id = {.meta = {{NULL, NULL}}};
  trm_status st;
  *out = NULL;
  TRM_GOTO(begin(&f, model, data, err));
  if (config->state) TRM_GOTO(identify(&f, data, &id, err));
  TRM_GOTO(restore(&f, &id, err));

  /* What was learned is handed over when it was stopped, too. */
  st = run(&f, &id, err);
  if (st == TRM_OK || st == TRM_E_INTERRUPTED) st = hand_over(&f, st, out, err);
done:
  trm__free(f.inputs);
  trm__free(f.labels);
  trm__free(f.ids);
  trm_stream_free(f.stream);
  trm_trainer_free(f.trainer);
  trm_model_free(f.model);
  return st;
}
