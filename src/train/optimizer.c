/* Schedule, reduction of gradients, and the updates of all weights (docs/MODEL.md section 4). */
#include <math.h>
#include <string.h>

#include "train/trainer.h"

double trm__schedule(const trm_trainer_config *c, double base, int64_t step) {
  if (step < c->lr_warmup_steps) return base * (double)step / (double)c->lr_warmup_steps;
  int64_t rest = c->total_steps - c->lr_warmup_steps;
  double progress = (double)(step - c->lr_warmup_steps) / (double)(rest > 1 ? rest : 1);
  double wave = 0.5 * (1 + cos(3.14159265358979323846 * (progress < 1 ? progress : 1)));
  return base * (c->lr_min_ratio + (1 - c->lr_min_ratio) * wave);
}

/* ((0+1)+(2+3)) + ((4+5)+(6+7)) on elements [lo, hi). */
static void add_slots(const trm_trainer *t, int64_t lo, int64_t hi) {
  int64_t n = t->model->layout->n_params;
  for (int step = 1; step < TRM__SLOTS; step *= 2)
    for (int s = 0; s < TRM__SLOTS; s += 2 * step)
      t->k->add(hi - lo, t->slot_grads + s * n + lo, t->slot_grads + (s + step) * n + lo);
}

void trm__reduce_gradients(trm_trainer *t, trm__lane *lane) {
  int64_t n = t->model->layout->n_params, first, last;
  trm__lane_share(lane, n, TRM__CHUNK, &first, &last);
  for (int64_t lo = first; lo < last; lo += TRM__CHUNK) {
    int64_t hi = last - lo < TRM__CHUNK ? last : lo + TRM__CHUNK;
    add_slots(t, lo, hi);
    t->partial_norms[lo / TRM__CHUNK] =
        t->k->scale_norm(hi - lo, t->slot_grads + lo, (real)(1.0 / t->config.batch_size));
  }
  trm__lane_barrier(lane);
  if (lane->rank == 0) {
    double sum = 0;
    for (int64_t i = 0; i < (n + TRM__CHUNK - 1) / TRM__CHUNK; i++) sum += t->partial_norms[i];
    t->grad_norm = sqrt(sum);
  }
}

typedef void update_fn(int64_t, const trm__adam *, real *, const real *, real *, real *);
static update_fn *update_of(const trm_trainer *t) {
  update_fn *const table[] = {
      [TRM_OPT_ADAM_ATAN2] = t->k->adam_atan2, [TRM_OPT_ADAMW] = t->k->adamw};
  return table[t->config.optimizer];
}

void trm__update_weights(trm_trainer *t, trm__lane *lane) {
  update_fn *update = update_of(t);
  int64_t first, last;
  trm__lane_share(lane, t->model->layout->n_params, TRM__CHUNK, &first, &last);
  for (int64_t lo = first; lo < last; lo += TRM__CHUNK) {
    int64_t n = last - lo < TRM__CHUNK ? last - lo : TRM__CHUNK;
    real *p = t->model->params + lo;
    update(n, &t->adam, p, t->slot_grads + lo, t->m + lo, t->v + lo);
    if (t->ema) t->k->ema(n, &t->adam, p, t->ema->params + lo);
  }
}

/* Restores the heap below `at` in keys[n]: no key is larger than its parent. */
static void sift_down(int64_t *keys, int at, int n) {
  for (int child; (child = 2 * at + 1) < n; at = child) {
    if (child + 1 < n && keys[child + 1] > keys[child]) child++;
    if (keys[at] >= keys[child]) return;
    int64_t swap = keys[at];
    keys[at] = keys[child];
    keys[child] = swap;
  }
}

/* Rows by puzzle id, equal ids in batch order. A heap sort, because the C library's may allocate.
 */
static void sort_rows(trm_trainer *t) {
  int n = t->config.batch_size;
  int64_t *keys = t->puzzle_order;
  for (int r = 0; r < n; r++) keys[r] = (int64_t)t->carry->puzzle_ids[r] << 32 | r;
  for (int i = n / 2 - 1; i >= 0; i--) sift_down(keys, i, n);
  for (int end = n - 1; end > 0; end--) {
    int64_t largest = keys[0];
    keys[0] = keys[end];
    keys[end] = largest;
    sift_down(keys, 0, end);
  }
}

void trm__update_puzzle_emb(trm_trainer *t, double lr) {
  int E = t->model->layout->dims.E, B = t->config.batch_size;
  if (!t->model->puzzle_emb) return;
  t->k->scale_norm((int64_t)B * E, t->d_puzzle, (real)(1.0 / B));
  sort_rows(t);
  real decay = (real)(1 - lr * t->config.puzzle_emb_weight_decay), step = (real)lr;
  for (int i = 0; i < B;) {
    int32_t id = (int32_t)(t->puzzle_order[i] >> 32);
    memset(t->puzzle_sum, 0, (size_t)E * sizeof *t->puzzle_sum);
    for (; i < B && t->puzzle_order[i] >> 32 == id; i++)
      t->k->add(E, t->puzzle_sum, t->d_puzzle + (t->puzzle_order[i] & 0xffffffff) * E);
    real *w = t->model->puzzle_emb + (int64_t)id * E;
    for (int j = 0; j < E; j++) {
      real g = t->puzzle_sum[j];
      w[j] = w[j] * decay - step * (real)((g > 0) - (g < 0));
    }
  }
}
