/* Models in memory: allocation, the reference's initial weights, views, copies, and what a
 * configuration costs. */
#include "nn/model.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "nn/block.h"
#include "nn/walk.h"

trm_status trm__model_outline(const trm_model_config *config, const int32_t *ids, int n_ids,
                              trm_model **out, trm_error *err) {
  trm_model *m;
  trm_status st;
  TRM_ALLOC(&m, 1, "a model", err);
  m->config = *config;
  TRM_GOTO(trm__layout_create(config, &m->layout, err));

  /* Only the embeddings of these ids are kept, one row for each. */
  if (ids) {
    m->n_ids = n_ids;
    trm__layout_keep_rows(m->layout, n_ids);
    if (!(m->ids = trm__alloc((uint64_t)n_ids, sizeof *ids))) {
      st = trm__fail(err, TRM_E_MEMORY, -1, "no memory for %d puzzle ids", n_ids);
      goto done;
    }
    memcpy(m->ids, ids, (size_t)n_ids * sizeof *ids);
  }
  *out = m;
  return TRM_OK;
done:
  trm_model_free(m);
  return st;
}

trm_status trm__model_alloc(const trm_model_config *config, const int32_t *ids, int n_ids,
                            trm_model **out, trm_error *err) {
  trm_model *m = NULL;
  TRM_TRY(trm__model_outline(config, ids, n_ids, &m, err));
  const trm__layout *l = m->layout;
  m->params = trm__alloc((uint64_t)l->n_params, sizeof *m->params);
  m->buffers = trm__alloc((uint64_t)l->n_buffers, sizeof *m->buffers);
  if (l->n_puzzle_emb > 0)
    m->puzzle_emb = trm__alloc((uint64_t)l->n_puzzle_emb, sizeof *m->puzzle_emb);
  if (!m->params || !m->buffers || (l->n_puzzle_emb > 0 && !m->puzzle_emb)) {
    const long long n = l->n_params + l->n_puzzle_emb;
    trm_model_free(m);
    TRM_FAIL(err, TRM_E_MEMORY, "no memory for %lld weights", n);
  }
  *out = m;
  return TRM_OK;
}

trm_status trm__model_check_weights(const trm_model *m, trm_error *err) {
  if (m->params) return TRM_OK;
  TRM_FAIL(err, TRM_E_ARGUMENT,
           "the model was only peeked at and has no weights: load it with trm_model_load or "
           "trm_model_import");
}

void trm_model_free(trm_model *m) {
  if (!m) return;
  trm__layout_free(m->layout);
  trm__free(m->params);
  trm__free(m->buffers);
  trm__free(m->puzzle_emb);
  trm__free(m->ids);
  trm__free(m);
}

/* Inverse error function by Newton steps on erf from Winitzki's approximation; |y| < 0.96. */
static double erf_inverse(double y) {
  double a = 0.147, w = log(1 - y * y), t = 2 / (3.14159265358979323846 * a) + w / 2;
  double x = copysign(sqrt(sqrt(t * t - w / a) - t), y);
  for (int i = 0; i < 4; i++) x -= (erf(x) - y) / (1.1283791670955126 * exp(-x * x));
  return x;
}

/* JAX's truncated normal: u uniform in (erf(-sqrt 2), erf(sqrt 2)), sqrt(2) s erfinv(u) clipped to
 * 2 s; s is larger than std so that the clipped values have standard deviation std. */
static void fill_truncated_normal(real *v, int64_t n, double std, trm__rng *rng) {
  double s = std / 0.87962566103423978, edge = erf(sqrt(2.0));
  for (int64_t i = 0; i < n; i++) {
    double x = sqrt(2.0) * s * erf_inverse(edge * (2 * trm__rng_uniform(rng) - 1));
    v[i] = (real)fmin(fmax(x, -2 * s), 2 * s);
  }
}

trm_status trm_model_create(const trm_model_config *config, uint64_t seed, trm_model **out,
                            trm_error *err) {
  trm_model *m;
  *out = NULL;
  TRM_TRY(trm__model_alloc(config, NULL, 0, &m, err));

  /* Each tensor from a sequence of its own: what it starts at does not depend on the others. */
  for (int i = 0; i < m->layout->n_slots; i++) {
    const trm__slot *s = &m->layout->slots[i];
    real *v = trm__model_slot(m, s);
    if (s->init == TRM__INIT_NORMAL) {
      trm__rng rng = trm__rng_at(seed, TRM__RNG_INIT, (uint64_t)i, 0);
      fill_truncated_normal(v, s->count, s->std, &rng);
    } else if (s->init == TRM__INIT_Q_BIAS) {
      for (int64_t j = 0; j < s->count; j++) v[j] = -5;
    }
  }
  *out = m;
  return TRM_OK;
}

trm_status trm_model_clone(const trm_model *model, trm_model **out, trm_error *err) {
  trm_model *m;
  *out = NULL;
  TRM_TRY(trm__model_check_weights(model, err));
  TRM_TRY(trm__model_alloc(&model->config, model->ids, model->n_ids, &m, err));
  const trm__layout *l = m->layout;
  memcpy(m->params, model->params, (size_t)l->n_params * sizeof *m->params);
  memcpy(m->buffers, model->buffers, (size_t)l->n_buffers * sizeof *m->buffers);
  if (m->puzzle_emb)
    memcpy(m->puzzle_emb, model->puzzle_emb, (size_t)l->n_puzzle_emb * sizeof *m->puzzle_emb);
  *out = m;
  return TRM_OK;
}

const trm_model_config *trm_model_get_config(const trm_model *model) {
  return &model->config;
}
trm_status trm__dtype_stored(trm_dtype dtype, trm_error *err) {
  if (dtype == TRM_FLOAT32 || dtype == TRM_BFLOAT16) return TRM_OK;
  TRM_FAIL(
      err, TRM_E_ARGUMENT,
      "dtype = %d (%s): files hold weights in float32 or bfloat16; int8 is chosen when a model "
      "solves",
      (int)dtype, dtype == TRM_INT8 ? "int8" : "unknown");
}
trm_status trm_model_set_dtype(trm_model *model, trm_dtype dtype, trm_error *err) {
  if ((unsigned)dtype >= TRM_DTYPES)
    TRM_FAIL(err, TRM_E_ARGUMENT, "dtype = %d: expected TRM_FLOAT32, TRM_BFLOAT16 or TRM_INT8",
             (int)dtype);
  TRM_TRY(trm__model_check_weights(model, err));
  model->config.forward_dtype = model->layout->dims.dtype = dtype;
  return TRM_OK;
}
int trm_model_tensor_count(const trm_model *model) {
  return model->layout->n_slots;
}

trm_tensor trm_model_tensor_at(const trm_model *model, int i) {
  const trm__slot *s = &model->layout->slots[i];
  /* In the double build the view is only of use for its name and shape. */
  real *block = trm__model_block(model, s->kind);
  return (trm_tensor){.name = s->name,
                      .kind = s->kind,
                      .ndim = s->shape[1] ? 2 : 1,
                      .shape = {s->shape[0], s->shape[1]},
                      .count = s->count,
                      .data = block ? (float *)(void *)(block + s->offset) : NULL};
}

trm_tensor trm_model_tensor_named(const trm_model *model, const char *name) {
  int i = trm__layout_find(model->layout, name);
  return i >= 0 ? trm_model_tensor_at(model, i) : (trm_tensor){0};
}

/* --- what a configuration costs -------------------------------------------------------------- */

static double net_flops(const trm__layout *l, int net) {
  double sum = 0;
  for (int block = l->net_first[net]; block < l->net_first[net + 1]; block++)
    sum += trm__block_kinds[l->blocks[block].kind].flops(&l->dims);
  return sum;
}

/* Of a step's net going forward, where a solver takes all of its iterations. */
static int applications(const trm__plan *p, const trm__step *s) {
  return s->solved ? p->solving.iterations : 1;
}

/* Those that an update's forward and backward passes come to: a way back is two, and an implicit
 * gradient takes one, and one forward, for each iteration but the first. */
static int trained_applications(const trm__plan *p, const trm__step *s, bool gradient) {
  const int found = s->solved || !gradient ? applications(p, s) : 0;
  const bool implicit = s->solved && p->solver_grad == TRM_SOLVER_GRAD_IMPLICIT;
  return found + gradient * (3 * s->kept + implicit * 3 * (p->solving.iterations - 1));
}

trm_status trm_model_cost_of(const trm_model_config *config, trm_model_cost *cost, trm_error *err) {
  trm__layout *l;
  TRM_TRY(trm__layout_create(config, &l, err));
  const trm__dims *dims = &l->dims;
  const trm__plan *p = l->plan;
  trm_model_cost c = {.positions = dims->L,
                      .n_updates = p->n_steps,
                      .n_updates_with_grad = p->n_steps - p->first_grad};

  for (int i = 0; i < l->n_slots; i++) {
    if (l->slots[i].kind == TRM_TENSOR_PARAM) c.n_params += l->slots[i].count;
    if (l->slots[i].kind == TRM_TENSOR_PUZZLE_EMB) c.n_puzzle_emb += l->slots[i].count;
  }

  /* Depth and FLOPs, step by step; a backward pass takes twice its forward pass, and the target of
   * the continue loss one more pass. Experts run the steps with gradient once more beforehand, for
   * the load of the whole batch. */
  const bool with_experts = config->moe.router || config->moe_t.router;
  double head = 2.0 * dims->S * dims->V * dims->D;
  for (int i = 0; i < p->n_steps; i++) {
    const trm__step *s = &p->steps[i];
    const double forward = net_flops(l, s->net);
    const bool with_grad = i >= p->first_grad;
    c.depth += applications(p, s) * p->layers[s->net];
    c.flops_forward += applications(p, s) * forward;
    c.flops_train +=
        (trained_applications(p, s, with_grad) + (with_grad && with_experts)) * forward;
  }
  if (dims->q_continue) c.flops_train += c.flops_forward;
  c.flops_forward += head;
  c.flops_train += 3 * head;

  c.bytes_saved = trm__walk_saved_bytes(l);
  c.bytes_carry = (int64_t)p->n_latents * dims->L * dims->D * (int64_t)sizeof(real);
  *cost = c;
  trm__layout_free(l);
  return TRM_OK;
}
