/* What ops work on: the table of operands, their ways in and out of a backend, and sites. */
#include "bench/ops.h"

#include <string.h>

#include "base/memory.h"

/* --- operands -------------------------------------------------------------------------------- */

static int64_t one(const trm__op_site *s) {
  (void)s;
  return 1;
}
static int64_t rows(const trm__op_site *s) {
  return s->b;
}
static int64_t pairs(const trm__op_site *s) {
  return 2 * (int64_t)s->b;
}
static int64_t tokens(const trm__op_site *s) {
  return (int64_t)s->b * s->be->dims.S;
}
static int64_t logits(const trm__op_site *s) {
  return tokens(s) * s->be->dims.V;
}
static int64_t latents(const trm__op_site *s) {
  return (int64_t)s->b * s->be->dims.L * s->be->dims.D;
}
static int64_t histories(const trm__op_site *s) {
  return TRM__MOST_HISTORY * latents(s);
}
static int64_t channels(const trm__op_site *s) {
  return s->be->dims.D;
}
static int64_t params(const trm__op_site *s) {
  return s->n_params;
}
static int64_t slots(const trm__op_site *s) {
  return s->be->ops->slots * s->n_params;
}
static int64_t embedding(const trm__op_site *s) {
  return (int64_t)s->ids * s->be->dims.E;
}
static int64_t puzzles(const trm__op_site *s) {
  return (int64_t)s->b * s->be->dims.E;
}
static int64_t figures(const trm__op_site *s) {
  (void)s;
  return sizeof(trm__adam) / sizeof(real);
}
/* From the first to the last of the block's weights. */
static int64_t weights(const trm__op_site *s) {
  const trm__block *blk = s->blk;
  if (!blk) return 0;
  const trm__weight *w = &blk->w[blk->n_weights - 1];
  return w->at - blk->w[0].at + (int64_t)w->rows * (w->cols ? w->cols : 1);
}

static int64_t told(const trm__op_site *s) {
  const trm__experts *x = s->blk ? trm__experts_of(&s->be->dims, s->blk->kind) : NULL;
  return x ? (int64_t)s->b * 2 * x->n : 0;
}

/* Hidden ones are counted in bytes. */
static int64_t kept_bytes(const trm__op_site *s) {
  if (!s->blk) return 0;
  return s->b * s->be->ops->saved_size(s->be, s->blk->kind) * (int64_t)sizeof(real);
}
static int64_t norms_bytes(const trm__op_site *s) {
  return (s->n_params / TRM__CHUNK + 1) * (int64_t)sizeof(double);
}
static int64_t order_bytes(const trm__op_site *s) {
  return s->b * (int64_t)sizeof(int64_t);
}
static int64_t sum_bytes(const trm__op_site *s) {
  return s->be->dims.E * (int64_t)sizeof(real);
}

static int words(const trm__op_site *s) {
  return s->be->dims.V;
}
static int ids(const trm__op_site *s) {
  return s->ids;
}

const trm__operand_about trm__operands[TRM__OPERANDS] = {
    [TRM__PARAMS] = {"weights", TRM__REALS, params, -1, 1, NULL},
    [TRM__INPUTS] = {"inputs", TRM__INTS, tokens, 0, 0, words},
    [TRM__LABELS] = {"labels", TRM__INTS, tokens, 0, 0, words},
    [TRM__PUZZLE] = {"puzzle embedding", TRM__REALS, embedding, -1, 1, NULL},
    [TRM__IDS] = {"puzzle ids", TRM__INTS, rows, 0, 0, ids},
    [TRM__ROWS] = {"rows of the puzzle embedding", TRM__POINTERS, rows, 0, 0, ids},
    [TRM__X] = {"x", TRM__LATENTS, latents, -1.5, 1.5, NULL},
    [TRM__Y] = {"y", TRM__LATENTS, latents, -1.5, 1.5, NULL},
    [TRM__KEPT] = {"what is kept", TRM__HIDDEN, kept_bytes, 0, 0, NULL},
    [TRM__LOGITS] = {"logits", TRM__REALS, logits, -6, 6, NULL},
    [TRM__Q] = {"q", TRM__REALS, pairs, -3, 3, NULL},
    [TRM__TARGET] = {"target", TRM__REALS, rows, 0, 1, NULL},
    [TRM__LOSS] = {"losses", TRM__LOSSES, rows, -2, 2, NULL},
    [TRM__DX] = {"dx", TRM__LATENTS, latents, -1, 1, NULL},
    [TRM__DY] = {"dy", TRM__LATENTS, latents, -1, 1, NULL},
    [TRM__D_LOGITS] = {"gradient of logits", TRM__REALS, logits, -1, 1, NULL},
    [TRM__DQ] = {"gradient of q", TRM__REALS, pairs, -1, 1, NULL},
    [TRM__D_PUZZLE] = {"gradient of puzzles", TRM__REALS, puzzles, -1, 1, NULL},
    [TRM__GRADS] = {"gradient of weights", TRM__REALS, params, -1, 1, NULL},
    [TRM__DW] = {"gradient of the block's weights", TRM__REALS, weights, -1, 1, NULL},
    [TRM__MORE] = {"further gradients", TRM__REALS, params, -1, 1, NULL},
    [TRM__SLOTS] = {"slots of gradients", TRM__REALS, slots, -1, 1, NULL},
    [TRM__MOMENT_1] = {"first moments", TRM__REALS, params, -1, 1, NULL},
    [TRM__MOMENT_2] = {"second moments", TRM__REALS, params, 0, 1, NULL},
    [TRM__EMA] = {"EMA", TRM__REALS, params, -1, 1, NULL},
    [TRM__FIGURES] = {"figures", TRM__REALS, figures, 0.1, 0.9, NULL},
    [TRM__TOTALS] = {"totals", TRM__TOTAL, one, 1, 3, NULL},
    [TRM__PARTIAL_NORMS] = {"partial norms", TRM__HIDDEN, norms_bytes, 0, 0, NULL},
    [TRM__ORDER] = {"order of puzzles", TRM__HIDDEN, order_bytes, 0, 0, NULL},
    [TRM__SUM] = {"sum of puzzles", TRM__HIDDEN, sum_bytes, 0, 0, NULL},
    [TRM__STEPS] = {"steps", TRM__INTS, rows, 0, 4, NULL},
    [TRM__LEAST] = {"least steps", TRM__INTS, rows, 0, 4, NULL},
    [TRM__HALTED] = {"halted", TRM__BYTES, rows, 0, 2, NULL},
    [TRM__INIT] = {"start", TRM__REALS, channels, -1, 1, NULL},
    [TRM__D_INIT] = {"gradient of the start", TRM__REALS, channels, -1, 1, NULL},
    [TRM__FRESH_INPUTS] = {"fresh inputs", TRM__INTS, tokens, 0, 0, words},
    [TRM__FRESH_LABELS] = {"fresh labels", TRM__INTS, tokens, 0, 0, words},
    [TRM__FRESH_IDS] = {"fresh ids", TRM__INTS, rows, 0, 0, ids},
    [TRM__KEYS] = {"keys of noise", TRM__NOISES, rows, 7, 7, NULL},
    [TRM__TOLD] = {"what is told of experts", TRM__DOUBLES, told, 0.5, 3, NULL},
    [TRM__BALANCE] = {"balance of experts", TRM__BALANCES, one, -1, 1, NULL},
    [TRM__HISTORY] = {"history", TRM__LATENTS, histories, -0.3, 0.3, NULL},
    [TRM__SOLVED] = {"how far rows are", TRM__SOLVES, rows, 0, 2, NULL},
    [TRM__DECODED] = {"answers", TRM__INTS, tokens, 0, 0, words},
    [TRM__FED] = {"what is fed back", TRM__INTS, tokens, 0, 0, words},
    [TRM__CORRUPT] = {"what corrupts it", TRM__INTS, tokens, 0, 0, words},
};

/* An element between the forms that it has in the backend and outside. */
static void put_real(const trm__op_site *s, const double *v, void *to) {
  (void)s;
  *(real *)to = (real)*v;
}
static void get_real(const trm__op_site *s, const void *from, double *v) {
  (void)s;
  *v = (double)*(const real *)from;
}
static void put_int(const trm__op_site *s, const double *v, void *to) {
  (void)s;
  *(int32_t *)to = (int32_t)*v;
}
static void get_int(const trm__op_site *s, const void *from, double *v) {
  (void)s;
  *v = *(const int32_t *)from;
}
static void put_byte(const trm__op_site *s, const double *v, void *to) {
  (void)s;
  *(uint8_t *)to = (uint8_t)*v;
}
static void get_byte(const trm__op_site *s, const void *from, double *v) {
  (void)s;
  *v = *(const uint8_t *)from;
}
/* Without a puzzle embedding they point nowhere. */
static void put_pointer(const trm__op_site *s, const double *v, void *to) {
  *(const real **)to = (const real *)s->at[TRM__PUZZLE] + (int64_t)*v * s->be->dims.E;
}
static void get_pointer(const trm__op_site *s, const void *from, double *v) {
  const real *row = *(const real *const *)from;
  const int E = s->be->dims.E;
  *v = E ? (double)(row - (const real *)s->at[TRM__PUZZLE]) / E : 0;
}
static void put_loss(const trm__op_site *s, const double *v, void *to) {
  (void)s;
  *(trm__row_loss *)to =
      (trm__row_loss){v[0], v[1], v[2], v[7], {v[3], v[4]}, (int)v[5], (int)v[6]};
}
static void get_loss(const trm__op_site *s, const void *from, double *v) {
  const trm__row_loss *l = from;
  const double all[] = {l->lm,   l->q_halt, l->q_continue, l->q[0],
                        l->q[1], l->valid,  l->right,      l->constraint};
  (void)s;
  memcpy(v, all, sizeof all);
}
static void put_totals(const trm__op_site *s, const double *v, void *to) {
  (void)s;
  *(trm__totals *)to = (trm__totals){v[0], (int32_t)v[1], 0};
}
static void get_totals(const trm__op_site *s, const void *from, double *v) {
  const trm__totals *t = from;
  (void)s;
  v[0] = t->grad_norm;
  v[1] = t->apply;
}

static void put_double(const trm__op_site *s, const double *v, void *to) {
  (void)s;
  *(double *)to = *v;
}
static void get_double(const trm__op_site *s, const void *from, double *v) {
  (void)s;
  *v = *(const double *)from;
}
static void put_noise(const trm__op_site *s, const double *v, void *to) {
  (void)s;
  *(trm__noise *)to = (trm__noise){(uint64_t)v[0], (uint64_t)v[1], (int64_t)v[2]};
}
static void get_noise(const trm__op_site *s, const void *from, double *v) {
  const trm__noise *noise = from;
  (void)s;
  v[0] = (double)noise->seed;
  v[1] = (double)noise->first;
  v[2] = (double)noise->row;
}
/* All doubles. */
static void put_balance(const trm__op_site *s, const double *v, void *to) {
  (void)s;
  memcpy(to, v, sizeof(trm__balance));
}
static void get_balance(const trm__op_site *s, const void *from, double *v) {
  (void)s;
  memcpy(v, from, sizeof(trm__balance));
}

enum { PRODUCTS = TRM__ANDERSON * TRM__ANDERSON, SOLVES = 5 + PRODUCTS + TRM__ANDERSON };
static void put_solved(const trm__op_site *s, const double *v, void *to) {
  trm__solved *row = to;
  (void)s;
  *row = (trm__solved){.residual = v[0],
                       .first = v[1],
                       .iterations = (int32_t)v[2],
                       .done = (int32_t)v[3],
                       .pairs = (int32_t)v[4]};
  memcpy(row->product, v + 5, sizeof row->product);
  memcpy(row->weight, v + 5 + PRODUCTS, sizeof row->weight);
}
static void get_solved(const trm__op_site *s, const void *from, double *v) {
  const trm__solved *row = from;
  const double first[] = {row->residual, row->first, row->iterations, row->done, row->pairs};
  (void)s;
  memcpy(v, first, sizeof first);
  memcpy(v + 5, row->product, sizeof row->product);
  memcpy(v + 5 + PRODUCTS, row->weight, sizeof row->weight);
}

/* Latents are reals of the host here; how large they are in its memory is the backend's to say. */
static const struct {
  size_t bytes;
  int doubles;
  void (*put)(const trm__op_site *, const double *v, void *to);
  void (*get)(const trm__op_site *, const void *from, double *v);
} elements[] = {
    [TRM__REALS] = {sizeof(real), 1, put_real, get_real},
    [TRM__LATENTS] = {sizeof(real), 1, put_real, get_real},
    [TRM__INTS] = {sizeof(int32_t), 1, put_int, get_int},
    [TRM__BYTES] = {1, 1, put_byte, get_byte},
    [TRM__POINTERS] = {sizeof(real *), 1, put_pointer, get_pointer},
    [TRM__LOSSES] = {sizeof(trm__row_loss), 8, put_loss, get_loss},
    [TRM__TOTAL] = {sizeof(trm__totals), 2, put_totals, get_totals},
    [TRM__DOUBLES] = {sizeof(double), 1, put_double, get_double},
    [TRM__NOISES] = {sizeof(trm__noise), 3, put_noise, get_noise},
    [TRM__BALANCES] = {sizeof(trm__balance), 1 + 4 * TRM__MAX_EXPERTS, put_balance, get_balance},
    [TRM__SOLVES] = {sizeof(trm__solved), SOLVES, put_solved, get_solved},
    [TRM__HIDDEN] = {1, 0, NULL, NULL},
};

static int64_t count_of(const trm__op_site *s, trm__operand operand) {
  return trm__operands[operand].count(s);
}
/* Rows of what is made of latents: of the tile, as often as a row of it has some. */
static int latent_rows(const trm__op_site *s, trm__operand operand) {
  const int64_t n = count_of(s, operand);
  return (int)(n / ((int64_t)s->be->dims.L * s->be->dims.D));
}
int64_t trm__operand_bytes(const trm__op_site *s, trm__operand operand) {
  const trm__values values = trm__operands[operand].values;
  if (values == TRM__LATENTS)
    return latent_rows(s, operand) * s->be->ops->latent_size(s->be) * (int64_t)sizeof(real);
  return count_of(s, operand) * (int64_t)elements[values].bytes;
}
int64_t trm__operand_size(const trm__op_site *s, trm__operand operand) {
  return count_of(s, operand) * elements[trm__operands[operand].values].doubles;
}

void trm__operand_fill(const trm__op_site *s, trm__operand operand, trm__rng *rng, double *v) {
  const trm__operand_about *o = &trm__operands[operand];
  const int64_t n = trm__operand_size(s, operand);
  const double high = o->below ? o->below(s) : o->high;
  const bool whole =
      o->values == TRM__INTS || o->values == TRM__BYTES || o->values == TRM__POINTERS;

  for (int64_t i = 0; i < n; i++) {
    v[i] = o->low + (high - o->low) * trm__rng_uniform(rng);
    v[i] = whole ? (double)(int)v[i] : (double)(real)v[i];
  }
}

trm_status trm__operand_put(const trm__op_site *s, trm__operand operand, const double *v,
                            trm_error *err) {
  const trm__values values = trm__operands[operand].values;
  const int64_t n = count_of(s, operand);
  const size_t size = elements[values].bytes;
  char *host;
  TRM_ALLOC(&host, (size_t)n * size, "an operand", err);

  for (int64_t i = 0; i < n; i++)
    elements[values].put(s, v + i * elements[values].doubles, host + (size_t)i * size);
  if (values == TRM__LATENTS)
    s->be->ops->put_latents(s->be, latent_rows(s, operand), s->at[operand],
                            (const real *)(const void *)host);
  else
    s->be->ops->put(s->be, s->at[operand], host, (size_t)n * size);

  trm__free(host);
  return TRM_OK;
}

trm_status trm__operand_get(const trm__op_site *s, trm__operand operand, double *v,
                            trm_error *err) {
  const trm__values values = trm__operands[operand].values;
  const int64_t n = count_of(s, operand);
  const size_t size = elements[values].bytes;
  char *host;
  TRM_ALLOC(&host, (size_t)n * size, "an operand", err);

  if (values == TRM__LATENTS)
    s->be->ops->get_latents(s->be, latent_rows(s, operand), (real *)(void *)host, s->at[operand]);
  else
    s->be->ops->get(s->be, host, s->at[operand], (size_t)n * size);
  for (int64_t i = 0; i < n; i++)
    elements[values].get(s, host + (size_t)i * size, v + i * elements[values].doubles);

  trm__free(host);
  return TRM_OK;
}

/* --- sites ----------------------------------------------------------------------------------- */

trm_status trm__op_site_open(trm__op_site *s, uint64_t operands, int members, trm_error *err) {
  trm__backend *be = s->be;
  for (int i = 0; i < TRM__OPERANDS; i++) {
    if (!(operands & TRM__BIT(i))) continue;
    TRM_TRY(trm__backend_alloc(be, trm__operand_bytes(s, (trm__operand)i), 1, trm__operands[i].name,
                               &s->at[i], err));
  }

  /* Members' scratch begins on whole cache lines, with more than one between them. */
  s->scratch_size = (be->ops->scratch_size(be, s->b, true) + 31) / 16 * 16;
  TRM_TRY(trm__backend_alloc(be, be->ops->shared_size(be, s->b, true), sizeof(real),
                             "what a team shares", &s->shared, err));
  return trm__backend_alloc(be, s->scratch_size * members, sizeof(real), "scratch", &s->scratch,
                            err);
}

void trm__op_site_free(trm__op_site *s) {
  if (!s->be) return;
  for (int i = 0; i < TRM__OPERANDS; i++) s->be->ops->release(s->be, s->at[i]);
  s->be->ops->release(s->be, s->shared);
  s->be->ops->release(s->be, s->scratch);
}

trm__workspace trm__op_workspace(const trm__op_site *s, trm__lane *lane) {
  return (trm__workspace){
      .lane = lane, .shared = s->shared, .scratch = s->scratch + lane->rank * s->scratch_size};
}
