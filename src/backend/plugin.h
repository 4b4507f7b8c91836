/* The one symbol of a plug-in: a table that hands out backends. Both sides are compiled from the
 * same declarations, which the loader checks; a plug-in uses nothing of libtrm. */
#ifndef TRM_BACKEND_PLUGIN_H
#define TRM_BACKEND_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#include "backend/backend.h"

#define TRM__PLUGIN_SYMBOL "trm__plugin_table"
#define TRM__PLUGIN_FILE "libtrm-cuda.so"

typedef struct trm__plugin {
  /* These two stay where they are, in every version. */
  const char *version; /* trm_version() */
  uint64_t abi;        /* trm__plugin_abi() */
  /* SYSTEM when device `index` cannot be used, with what is missing and the remedy. */
  trm_status (*describe)(int index, char *out, size_t n, trm_error *err);
  trm_status (*create)(int index, const trm__dims *dims, const trm__outer *outer,
                       const trm__block *blocks, int n_blocks, bool training, trm__backend **out,
                       trm_error *err);
  /* The rate of one product C [m, n] = A [m, k] B [k, n] (FLOP/s) and of a copy (bytes/s). */
  trm_status (*rates)(int index, trm_dtype dtype, int m, int n, int k, double *flops, double *bytes,
                      trm_error *err);
} trm__plugin;

typedef const trm__plugin *trm__plugin_fn(void);

/* All that crosses between the two sides, every struct of backend.h, of base/units.h and of this
 * file among it:
 * structs by members, whose places tell of those before them, and counts that both go by. */
/* clang-format off */
#define TRM__CROSSING_STRUCTS(X)                                                             \
  X(trm__dims, d) X(trm__dims, rope_theta) X(trm__dims, dtype) X(trm__dims, blank)           \
  X(trm__unit_set, n) X(trm__dims, units) X(trm__outer, embed_units)                         \
  X(trm__dims, step_decay_q)                                                                 \
  X(trm__weight, rows) X(trm__weight, cols)                                                  \
  X(trm__block, n_weights) X(trm__block, w)                                                  \
  X(trm__outer, lm_head) X(trm__outer, q_bias) X(trm__outer, embed_feedback)                 \
  X(trm__row_loss, q) X(trm__row_loss, right)                                                \
  X(trm__solving, iterations) X(trm__solved, iterations) X(trm__solved, weight)              \
  X(trm__lane, rank) X(trm__lane, barrier)                                                   \
  X(trm__workspace, shared) X(trm__workspace, scratch) X(trm__workspace, routing)            \
  X(trm__experts, chosen) X(trm__experts, width) X(trm__dims, moe) X(trm__dims, moe_t)       \
  X(trm__noise, first) X(trm__noise, row) X(trm__draws, own) X(trm__draws, step)             \
  X(trm__balance, told) X(trm__balance, slope)                                               \
  X(trm__routing, application) X(trm__routing, told) X(trm__routing, balance)                \
  X(trm__rows, init) X(trm__rows, inputs) X(trm__rows, steps) X(trm__rows, puzzle)           \
  X(trm__fresh, labels) X(trm__fresh, puzzle_ids) X(trm__fresh, corrupt) X(trm__rows, fed)   \
  X(trm__halting, early) X(trm__halting, least) X(trm__halting, margin)                      \
  X(trm__totals, grad_norm) X(trm__totals, apply)                                            \
  X(trm__update, slots) X(trm__update, grads) X(trm__update, params) X(trm__update, ema)     \
  X(trm__update, loss)                                                                       \
  X(trm__update, partial_norms) X(trm__update, totals) X(trm__update, d_puzzle)              \
  X(trm__update, order) X(trm__update, sum)                                                  \
  X(trm__segment, state) X(trm__segment, cols)                                               \
  X(trm__group, segments) X(trm__group, state) X(trm__group, scratch) X(trm__group, figures) \
  X(trm__adam, step_scale) X(trm__adam, eps) X(trm__adam, ema)                               \
  X(trm__backend, dims) X(trm__backend, blocks) X(trm__backend, params)                      \
  X(trm__backend_ops, slots) X(trm__backend_ops, block_positions)                            \
  X(trm__backend_ops, run) X(trm__backend_ops, pack)                                         \
  X(trm__backend_ops, start)                                                                 \
  X(trm__backend_ops, solve) X(trm__backend_ops, block) X(trm__backend_ops, balance)         \
  X(trm__backend_ops, loss) X(trm__backend_ops, refill) X(trm__backend_ops, sum_slots)       \
  X(trm__backend_ops, update)                                                                \
  X(trm__plugin, create) X(trm__plugin, rates)                                               \
  X(trm_error, msg)
/* clang-format on */
#define TRM__CROSSING_COUNTS(X) \
  X(TRM__MAX_LATENTS)           \
  X(TRM__BLOCK_KINDS)           \
  X(TRM__ANDERSON)              \
  X(TRM__BROYDEN)               \
  X(TRM__BLOCK_WEIGHTS)         \
  X(TRM__MOST_UNITS)            \
  X(TRM__CHUNK) X(TRM_DTYPES) X(TRM__RULES) X(TRM__RULE_STATES) X(TRM__MAX_EXPERTS)

/* A number that differs where one of them does. */
static inline uint64_t trm__plugin_abi(void) {
#define TRM__PLACE(type, member) sizeof(type), offsetof(type, member),
#define TRM__COUNT(n) (size_t)(n),
  const size_t parts[] = {TRM__CROSSING_STRUCTS(TRM__PLACE) TRM__CROSSING_COUNTS(TRM__COUNT)};
#undef TRM__PLACE
#undef TRM__COUNT
  uint64_t abi = 14695981039346656037u; /* FNV-1a, of whole numbers */
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) abi = (abi ^ parts[i]) * 1099511628211u;
  return abi;
}

#endif
