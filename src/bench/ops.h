/* The ops of a backend as one table: what each reads and writes, how it is called, and what a call
 * comes to. Timing (bench_ops.c) and the tests' checks, against plain loops, against differences,
 * by teams of several sizes and on every device, are loops over it.
 *
 * Ops work on operands: arrays, each with one meaning, that are in the memory of a backend. A site
 * is all of them that some ops need, of one size; outside of the backend an operand is an array of
 * doubles.
 */
#ifndef TRM_BENCH_OPS_H
#define TRM_BENCH_OPS_H

#include "backend/backend.h"
#include "base/rng.h"

typedef enum trm__operand {
  TRM__PARAMS,
  TRM__INPUTS,
  TRM__LABELS,
  TRM__PUZZLE, /* rows of the puzzle embedding */
  TRM__IDS,    /* of the rows of the batch */
  TRM__ROWS,   /* the same as pointers; outside of the backend, as ids */
  TRM__X,
  TRM__Y,
  TRM__KEPT, /* by a block's forward pass */
  TRM__LOGITS,
  TRM__Q,
  TRM__TARGET, /* of q's continue */
  TRM__LOSS,
  TRM__DX, /* gradients with respect to ... */
  TRM__DY,
  TRM__D_LOGITS,
  TRM__DQ,
  TRM__D_PUZZLE,
  TRM__GRADS, /* all weights */
  TRM__DW,    /* the weights of the block */
  TRM__MORE,  /* gradients to be added */
  TRM__SLOTS, /* blocks of gradients to be added up */
  TRM__MOMENT_1,
  TRM__MOMENT_2,
  TRM__EMA,
  TRM__FIGURES, /* a trm__adam */
  TRM__TOTALS,
  TRM__PARTIAL_NORMS,
  TRM__ORDER,
  TRM__SUM,
  TRM__STEPS,
  TRM__LEAST,
  TRM__HALTED,
  TRM__INIT,   /* where latents start */
  TRM__D_INIT, /* and its gradient */
  TRM__FRESH_INPUTS,
  TRM__FRESH_LABELS,
  TRM__FRESH_IDS,
  TRM__KEYS, /* of routers' noise: row r of the batch by that of the first, or its own */
  TRM__TOLD, /* by the tokens of each row, of their experts */
  TRM__BALANCE,
  TRM__HISTORY, /* of a solver */
  TRM__SOLVED,
  TRM__DECODED, /* what a step answered, with the givens; what the next sees; what corrupts it */
  TRM__FED,
  TRM__CORRUPT,
  TRM__OPERANDS
} trm__operand;
/* A set of operands. */
#define TRM__BIT(operand) (UINT64_C(1) << (operand))

/* How values lie in the backend's memory, and as how many doubles outside. Hidden ones are the
 * backend's own, outside nothing. */
typedef enum trm__values {
  TRM__REALS,
  TRM__LATENTS,
  TRM__INTS,
  TRM__BYTES,
  TRM__POINTERS,
  TRM__LOSSES, /* lm, q_halt, q_continue, both q, valid, right, constraint */
  TRM__TOTAL,  /* grad_norm, apply */
  TRM__DOUBLES,
  TRM__NOISES,   /* a trm__noise */
  TRM__BALANCES, /* a trm__balance: loss, told, slope */
  TRM__SOLVES,   /* residual, first, iterations, done, pairs, product, weight */
  TRM__HIDDEN
} trm__values;

typedef struct trm__op_site {
  trm__backend *be;
  const trm__block *blk; /* of the ops of blocks; NULL: there are none */
  int b, ids;            /* rows of the batch, and of the puzzle embedding */
  int64_t n_params;
  void *at[TRM__OPERANDS]; /* in the backend's memory */
  real *shared, *scratch;  /* of one team */
  int64_t scratch_size;    /* of a member */
} trm__op_site;

typedef struct trm__operand_about {
  const char *name;
  trm__values values;
  int64_t (*count)(const trm__op_site *);
  double low, high;                   /* random values; whole numbers: below high */
  int (*below)(const trm__op_site *); /* NULL, or in place of high */
} trm__operand_about;
extern const trm__operand_about trm__operands[TRM__OPERANDS];

/* Latents of a row that the operand TRM__HISTORY has: of each method the same. */
enum { TRM__MOST_HISTORY = 2 * TRM__BROYDEN + 2 };

/* What an op is called for, and how often an update does so. */
typedef enum trm__op_scope { TRM__OF_BLOCK, TRM__OF_TILE, TRM__OF_UPDATE } trm__op_scope;
typedef enum trm__op_times {
  TRM__UNTIMED,
  TRM__ONCE,
  TRM__FORWARDS, /* of a kind of block; without and with keeping what the backward pass needs */
  TRM__SAVINGS,
  TRM__HEADS,
  TRM__SUMS,    /* in units of three latents read or written */
  TRM__DECODES, /* where the answer is fed back */
  TRM__MIXES,   /* of damped updates, and of their gradients */
  TRM__STIRS,   /* noise behind updates */
  TRM__STARTS,  /* of latents that start at random */
  TRM__ADDS,    /* of one step's gradients */
  TRM__OP_TIMES
} trm__op_times;

/* The places of the rows. */
typedef enum trm__op_id {
  TRM__OP_EMBED,
  TRM__OP_SUM,
  TRM__OP_SUM_IN_PLACE,
  TRM__OP_CLEAR,
  TRM__OP_MIX,
  TRM__OP_JITTER,
  TRM__OP_JITTER_BEHIND,
  TRM__OP_START,
  TRM__OP_FIXED_POINT,
  TRM__OP_ANDERSON,
  TRM__OP_BROYDEN,
  TRM__OP_SOLVE_FIRST,
  TRM__OP_FORWARD,
  TRM__OP_SAVING,
  TRM__OP_IN_PLACE,
  TRM__OP_BACKWARD,
  TRM__OP_REPLACING,
  TRM__OP_TELLING,
  TRM__OP_BALANCED,
  TRM__OP_BALANCE,
  TRM__OP_HEAD,
  TRM__OP_DECODE,
  TRM__OP_Q_TARGET,
  TRM__OP_LOSS,
  TRM__OP_LOSS_CONTINUE,
  TRM__OP_HEAD_GRAD,
  TRM__OP_EMBED_GRAD,
  TRM__OP_START_GRAD,
  TRM__OP_REFILL,
  TRM__OP_HALT,
  TRM__OP_HALT_CONTINUE,
  TRM__OP_HALT_NEVER,
  TRM__OP_HALT_SOLVED,
  TRM__OP_CLEAR_GRADS,
  TRM__OP_ADD_GRADS,
  TRM__OP_SUM_SLOTS,
  TRM__OP_FINISH_GRADS,
  TRM__OP_ADAM_ATAN2,
  TRM__OP_ADAMW,
  TRM__OP_SIGN_ROWS,
  TRM__OP_PACK,
  TRM__OPS
} trm__op_id;

typedef void trm__op_fn(const trm__op_site *, trm__workspace *);
typedef struct trm__op {
  const char *name; /* of a block's, behind that of its kind */
  trm__op_scope scope;
  trm__op_times times;
  /* Sets of operands: what is read, what is written whatever was there, what is added to or
   * otherwise changed. */
  uint64_t reads, writes, changes;
  /* The gradient of the op `of`, which may be itself: from the gradients with respect to what that
   * one writes come those with respect to what it reads. */
  bool is_gradient;
  trm__op_id of;
  trm__op_fn *prepare; /* what comes before a call, not timed; NULL: nothing */
  trm__op_fn *run;
  double (*flops)(const trm__op_site *); /* of its products; NULL: none */
} trm__op;
extern const trm__op trm__ops[TRM__OPS];

/* Which application of a block of experts its ops are, and the weight of its auxiliary loss. */
#define TRM__OP_APPLICATION 5
#define TRM__OP_WEIGHT 0.75

/* Whether the site has what the op works on: a block, one of experts, a puzzle embedding. */
bool trm__op_applies(const trm__op *op, const trm__op_site *site);
/* Bytes of weights and activations in and out of a call, each once. */
double trm__op_bytes(const trm__op *op, const trm__op_site *site);

/* Doubles that an operand is outside of the backend, and its bytes there. */
int64_t trm__operand_size(const trm__op_site *site, trm__operand operand);
int64_t trm__operand_bytes(const trm__op_site *site, trm__operand operand);
/* Random values within its bounds; totals say apply. */
void trm__operand_fill(const trm__op_site *site, trm__operand operand, trm__rng *rng, double *v);
/* To and from the backend; not of hidden ones. TRM__ROWS needs TRM__PUZZLE. MEMORY. */
trm_status trm__operand_put(const trm__op_site *site, trm__operand operand, const double *v,
                            trm_error *err);
trm_status trm__operand_get(const trm__op_site *site, trm__operand operand, double *v,
                            trm_error *err);

/* Takes the operands of the set, zeroed, and a team's memory for so many members; what goes before
 * `at` is set by the caller. On failure, and at last, the site is to be freed. MEMORY. */
trm_status trm__op_site_open(trm__op_site *site, uint64_t operands, int members, trm_error *err);
void trm__op_site_free(trm__op_site *site);
/* A member's view of it. */
trm__workspace trm__op_workspace(const trm__op_site *site, trm__lane *lane);

#endif
