/* Configurations of a trainer: names, the reference's defaults, the range of every field, and the
 * schedule of the learning rates. */
#include <math.h>
#include <string.h>

#include "train/trainer.h"

static const char *const optimizer_names[] = {
    [TRM_OPT_ADAM_ATAN2] = "adam_atan2", [TRM_OPT_ADAMW] = "adamw"};
enum { N_OPTIMIZERS = sizeof optimizer_names / sizeof *optimizer_names };

const char *trm_optimizer_name(trm_optimizer o) {
  return (unsigned)o < N_OPTIMIZERS ? optimizer_names[o] : NULL;
}
bool trm_optimizer_from_name(const char *name, trm_optimizer *out) {
  for (int i = 0; i < N_OPTIMIZERS; i++)
    if (!strcmp(name, optimizer_names[i])) {
      *out = (trm_optimizer)i;
      return true;
    }
  return false;
}

trm_trainer_config trm_trainer_config_default(void) {
  return (trm_trainer_config){.batch_size = 768,
                              .optimizer = TRM_OPT_ADAM_ATAN2,
                              .lr = 1e-4,
                              .beta1 = 0.9,
                              .beta2 = 0.95,
                              .adam_eps = 1e-8,
                              .weight_decay = 0.1,
                              .puzzle_emb_lr = 1e-2,
                              .puzzle_emb_weight_decay = 0.1,
                              .lr_warmup_steps = 2000,
                              .lr_min_ratio = 1,
                              .ema_rate = 0.999};
}

/* In float32 a beta nearer to 1 would be 1, and without an eps AdamW divides 0 by 0 where a weight
 * has never had a gradient. */
#define MOST_BETA (1 - 1e-6)
#define LEAST_EPS 1e-30

trm_status trm__trainer_check(const trm_trainer_config *c, trm_error *err) {
  const struct {
    const char *name;
    double value, low, high;
  } ranges[] = {
      {"batch_size", c->batch_size, 1, 1 << 20},
      {"lr", c->lr, 0, 1e3},
      {"puzzle_emb_lr", c->puzzle_emb_lr, 0, 1e3},
      {"beta1", c->beta1, 0, MOST_BETA},
      {"beta2", c->beta2, 0, MOST_BETA},
      {"adam_eps", c->adam_eps, LEAST_EPS, 1},
      {"weight_decay", c->weight_decay, 0, 1e6},
      {"puzzle_emb_weight_decay", c->puzzle_emb_weight_decay, 0, 1e6},
      {"lr_warmup_steps", (double)c->lr_warmup_steps, 0, 1e15},
      {"total_steps", (double)c->total_steps, 0, 1e15},
      {"lr_min_ratio", c->lr_min_ratio, 0, 1e3},
      {"ema_rate", c->ema_rate, 0, 1},
      {"threads", c->threads, 0, 1024},
      {"micro_batch", c->micro_batch, 0, 1 << 20},
      {"memory_budget", (double)c->memory_budget, 0, 1e15},
  };
  for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
    if (!(ranges[i].value >= ranges[i].low && ranges[i].value <= ranges[i].high))
      TRM_FAIL(err, TRM_E_CONFIG, "%s = %.10g: expected %.10g to %.10g", ranges[i].name,
               ranges[i].value, ranges[i].low, ranges[i].high);
  if (c->lr_min_ratio != 1 && c->total_steps <= c->lr_warmup_steps)
    TRM_FAIL(err, TRM_E_CONFIG,
             "lr_min_ratio = %g: a cosine needs total_steps (%lld) beyond lr_warmup_steps (%lld)",
             c->lr_min_ratio, (long long)c->total_steps, (long long)c->lr_warmup_steps);
  if (!trm_optimizer_name(c->optimizer))
    TRM_FAIL(err, TRM_E_CONFIG, "optimizer is not one of its names");
  return TRM_OK;
}

double trm__schedule(const trm_trainer_config *c, double base, int64_t step) {
  if (step < c->lr_warmup_steps) return base * (double)step / (double)c->lr_warmup_steps;
  int64_t rest = c->total_steps - c->lr_warmup_steps;
  double progress = (double)(step - c->lr_warmup_steps) / (double)(rest > 1 ? rest : 1);
  double wave = 0.5 * (1 + cos(3.14159265358979323846 * (progress < 1 ? progress : 1)));
  return base * (c->lr_min_ratio + (1 - c->lr_min_ratio) * wave);
}
