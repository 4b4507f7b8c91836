/* How many updates a run has, and where among them the evaluations are. */
#include <math.h>

#include "run/run_parts.h"

trm_status trm__schedule_of(const trm__run_config *c, const trm__run_data *d, trm__schedule *s,
                            trm_error *err) {
  double examples = (double)d->groups * d->mean_puzzle_examples, batch = c->trainer.batch_size;
  s->total = (int64_t)fmin(floor((double)c->epochs * examples / batch), 9e15);
  s->end = c->max_updates && c->max_updates < s->total ? c->max_updates : s->total;
  s->updates_per_epoch = examples / batch;
  s->eval_every = (double)c->eval_interval * s->updates_per_epoch;
  s->skip_evals = c->min_eval_interval;
  if (s->total < 1)
    return trm__fail(
        err, TRM_E_CONFIG, -1,
        "epochs=%lld of %g examples make less than one update of global_batch_size=%d; "
        "raise epochs or lower global_batch_size",
        (long long)c->epochs, examples, c->trainer.batch_size);
  return TRM_OK;
}

bool trm__schedule_evaluates(const trm__schedule *s, int64_t u) {
  if (u >= s->end) return true;
  if (s->eval_every <= 0) return false;
  double k = floor((double)u / s->eval_every + 1e-9);
  return k > floor((double)(u - 1) / s->eval_every + 1e-9) && k > (double)s->skip_evals;
}

trm_trainer_config trm__schedule_trainer(const trm__run_config *c, const trm__schedule *s) {
  trm_trainer_config t = c->trainer;
  t.total_steps = s->total;
  t.device = trm_device_resolve(t.device, NULL);
  if (!c->ema) t.ema_rate = 0;
  return t;
}
