/* The op interface: what the model's mathematics (src/nn) and training (src/train) ask of a device.
 *
 * A model is a list of blocks, each y = norm(x + branch(x)) with a list of weights of its own,
 * applied to a tile of b rows: x, y are [b, L, D]. Blocks, embedding, head, loss and what an update
 * does around them are the only ops; a backend is one table of functions for them
 * (trm__backend_ops). All memory an op needs is sized beforehand; ops cannot fail: what a device
 * reports, trm__backend_ops.run returns.
 *
 * Memory: pointers handed to ops are the backend's (alloc), unless said otherwise; on the CPU that
 * is the process's own. Latents, activations and what blocks keep are counted in reals but are the
 * backend's to lay out (a GPU keeps bfloat16 ones in half the space); weights, gradients, logits
 * and moments are plain reals everywhere.
 *
 * Lockstep: every member of a team calls every op with the same arguments; the op splits its work
 * among the members and ends in a barrier.
 */
#ifndef TRM_BACKEND_BACKEND_H
#define TRM_BACKEND_BACKEND_H

#include "base/error.h"
#include "base/place.h"
#include "base/team.h"
#include "base/units.h"
#include "kernels/jitter.h"
#include "kernels/kernels.h"
#include "kernels/route.h"
#include "trm/device.h"
#include "trm/model.h"
#include "trm/trainer.h"

enum { TRM__MAX_LATENTS = 17, TRM__BLOCK_WEIGHTS = 40 /* of one block, at most */ };

/* Sizes of one model (docs/MODEL.md section 1). */
typedef struct trm__dims {
  int V, S;                /* vocabulary, seq_len; or, of grid_cells, the most tokens of a row */
  int P, L;                /* positions before the cells, L = P + S: */
  int R;                   /* registers, the first of them; behind these are the puzzle's */
  int D, H, d;             /* hidden size, heads, d = D / H */
  int F, FL;               /* SwiGLU widths over D and over L */
  int E;                   /* puzzle_emb_ndim */
  trm__experts moe, moe_t; /* experts over D, and over L, in place of these SwiGLUs */
  bool rope, learned;
  double rope_theta, eps;
  int grid_cols; /* of rotary positions in two dimensions; 0: in one */
  double rope_theta_cols;
  bool qk_norm, gate_norm, attn_out_norm; /* inside of a branch, by inner_eps */
  double inner_eps;
  double label_smoothing, q_weight, constraint_weight;
  /* Of supervision steps in a row's loss: trm__step_share; a scale of 0: all count 1. */
  double step_decay, step_scale;
  bool step_decay_q; /* the losses of q, too */
  trm_loss loss;
  bool q_continue;       /* the loss has a continue term */
  trm_dtype dtype;       /* of the operands of products */
  int n_units, n_tables; /* units that a cell is in; those of which it has a table: all or none */
  trm__unit_set units[TRM__MOST_UNITS];
  int grid_cells;   /* tokens are the open ones of so many cells, each row's at its places; 0: the
                       tokens are the S cells */
  bool feedback;    /* the input has what the step before answered */
  int32_t blank[2]; /* tokens of cells that are not given; -1: none */
} trm__dims;

/* Each kind describes its weights in nn/block.c. */
typedef enum trm__block_kind {
  TRM__BLOCK_ATTENTION,
  TRM__BLOCK_MIXER,
  TRM__BLOCK_MLP,
  TRM__BLOCK_EXPERTS_T, /* over the positions: a token is a channel of a row */
  TRM__BLOCK_EXPERTS,   /* over the channels: a token is a position of a row */
  TRM__BLOCK_KINDS
} trm__block_kind;
/* The places of their weights in a block's list: attention, the two SwiGLUs, and experts, where
 * those of a SwiGLU follow for each, behind the noise's of a router that has noise. */
enum { TRM__QKV, TRM__O };
enum { TRM__GATE_UP, TRM__DOWN };
enum { TRM__ROUTER, TRM__NOISE };

/* A weight [rows, cols] (cols 0: [rows]) and where it starts in the flat parameter block. */
typedef struct trm__weight {
  int64_t at;
  int rows, cols;
} trm__weight;

typedef struct trm__block {
  trm__block_kind kind;
  int n_weights;
  trm__weight w[TRM__BLOCK_WEIGHTS];
} trm__block;

/* Where the rest of the weights start; -1 where there is none, lm_head that of embed_tokens when
 * they are tied. */
typedef struct trm__outer {
  int64_t embed_tokens, embed_pos, lm_head, q_weight, q_bias;
  /* As dims have tables, grid_cells, registers and feedback. */
  int64_t embed_units[TRM__MOST_UNITS], embed_walls, registers, embed_feedback;
} trm__outer;

/* One row's loss and what the metrics need (docs/MODEL.md section 3). */
typedef struct trm__row_loss {
  double lm, q_halt, q_continue; /* losses */
  double constraint;             /* of broken rules, without its weight, where it has one */
  double q[2];                   /* logits: halt, continue */
  int valid, right;              /* labels that count, and how many of them the argmax hits */
} trm__row_loss;

/* What all tokens of a batch told in one application of a block (kernels/route.h), and what follows
 * from it. */
typedef struct trm__balance {
  double loss;                        /* the auxiliary one, without its weight */
  double told[2 * TRM__MAX_EXPERTS];  /* the sum: [2 n] */
  double slope[2 * TRM__MAX_EXPERTS]; /* of the weighted loss by each of them */
} trm__balance;

/* An application of a block of experts in training: a step of the plan, on a tile. */
typedef struct trm__routing {
  const trm__noise *noise;     /* NULL: none */
  int64_t application;         /* of this supervision step */
  int64_t row;                 /* of the batch, the tile's first */
  double *told;                /* out [b, 2 n]: what each row's tokens tell; NULL: nobody asks */
  const trm__balance *balance; /* the backward pass adds the gradient of its loss; NULL: not */
} trm__routing;
/* A solver of x = F(x) for a latent, each row for itself (docs/MODEL.md section 7). */
enum {
  TRM__ANDERSON = 6, /* iterates that are combined */
  TRM__BROYDEN = 16  /* pairs of vectors that stand for the inverse of the Jacobian, at most */
};
typedef struct trm__solving {
  trm_recursion method;
  double tolerance; /* of a residual: the root mean square of F(x) - x over the row's values */
  bool relative;    /* the tolerance is in units of the first residual */
  int iterations;   /* applications of F, at most */
  int history;      /* latents from one row's history to the next: trm__solve_history or more */
} trm__solving;

/* How far a row is. */
typedef struct trm__solved {
  double residual, first; /* the least so far, and that of iteration 0 */
  int32_t iterations;     /* applications of F that counted */
  int32_t done;           /* the row stays as it is */
  int32_t pairs;          /* Broyden: so many were found */
  int32_t unused;
  /* Anderson, by iterations modulo their number: products of the F(x) - x, and the weights of the
   * last combination. */
  double product[TRM__ANDERSON][TRM__ANDERSON], weight[TRM__ANDERSON];
} trm__solved;

/* Latents of a row that a method keeps between iterations: Anderson F(x), then F(x) - x, of its
 * iterates; Broyden u, then v of its pairs, the last F(x) - x and the last step. */
static inline int trm__solve_history(trm_recursion method) {
  return method == TRM_RECURSION_ANDERSON  ? 2 * TRM__ANDERSON
         : method == TRM_RECURSION_BROYDEN ? 2 * TRM__BROYDEN + 2
                                           : 0;
}

/* A member's view of its team's memory. */
typedef struct trm__workspace {
  trm__lane *lane;
  real *shared;                /* of the team, trm__backend_ops.shared_size reals */
  real *scratch;               /* of this member, .scratch_size reals */
  const trm__routing *routing; /* of blocks of experts; NULL: no noise, and nobody asks */
  const int32_t *places; /* [b, S] of the tile's rows (base/place.h), for embed, embed_grad, block
                            and block_grad; NULL: token t is that of cell t */
} trm__workspace;

/* The state of all rows between supervision steps (docs/MODEL.md section 2). */
typedef struct trm__rows {
  int n_latents;
  real *z[TRM__MAX_LATENTS];          /* [rows] * latent_size */
  const real *init[TRM__MAX_LATENTS]; /* [D]: where a latent starts, at every position */
  const real *puzzle_emb;             /* NULL without one */
  int32_t *inputs, *labels;           /* [rows, S]; of padding 0 and a label that is ignored */
  int32_t *places;                    /* [rows, S] with dims.grid_cells, else NULL */
  int32_t *puzzle_ids;                /* [rows] rows of puzzle_emb */
  int32_t *steps;                     /* [rows] supervision steps taken */
  uint8_t *halted;                    /* [rows] */
  const real **puzzle;                /* [rows] into puzzle_emb */
  /* With feedback, else NULL: [rows, S] what the last step answered, at first the inputs; and what
   * the next one sees of it. */
  int32_t *decoded, *fed;
} trm__rows;

/* What the rows that halted take next: inputs, labels, places [rows, S], puzzle_ids [rows]. And of
 * all rows what takes the place of cells in what they see of their last answer: corrupt [rows, S],
 * 0 where nothing does; NULL without feedback. */
typedef struct trm__fresh {
  int32_t *inputs, *labels, *places, *puzzle_ids, *corrupt;
} trm__fresh;

/* What stops a row before its last supervision step. */
typedef enum trm__stop {
  TRM__STOP_NOTHING,
  TRM__STOP_Q,          /* q_halt > margin */
  TRM__STOP_Q_CONTINUE, /* q_halt - q_continue > margin, where there is a continue loss */
  TRM__STOP_SOLVED      /* every label that counts is hit */
} trm__stop;

/* When a row stops after a supervision step: at max_steps, or when `early` says so, but not before
 * its least[row]. */
typedef struct trm__halting {
  int max_steps;
  trm__stop early;
  const int32_t *least; /* [rows], drawn by the host */
  real margin;
} trm__halting;

/* Figures of one update that the device finds. */
typedef struct trm__totals {
  double grad_norm; /* before it is clipped; NaN too when a weight is not finite */
  int32_t apply;    /* 0: loss, gradient or weight is not finite, and no weight was changed */
  int32_t unused;
} trm__totals;

enum {
  /* Elements of the flat block handled at a time: partial norms are one per chunk, added in order,
   * so that the norm does not depend on the number of threads. */
  TRM__CHUNK = 4096
};

/* What an update works on, whatever its rules. */
typedef struct trm__update {
  int64_t n;                 /* weights */
  int rows;                  /* of the batch: gradients are divided by it */
  int slots;                 /* blocks of gradients there are here: a power of two */
  double clip;               /* > 0: of the mean gradient's norm, beyond which it is scaled down */
  real *grads;               /* [slots, n]; the first becomes the mean gradient */
  real *params, *ema;        /* [n]; ema NULL when there is none */
  const trm__row_loss *loss; /* [rows] */
  double *partial_norms;     /* scratch, one per TRM__CHUNK weights */
  trm__totals *totals;
  /* Puzzle embedding: */
  real *puzzle_emb, *d_puzzle; /* NULL, or [ids, E], [rows, E]; d_puzzle becomes the mean's */
  const int32_t *puzzle_ids;   /* [rows] */
  int64_t *order;              /* scratch [rows] */
  real *sum;                   /* scratch [E] */
} trm__update;

/* How a group of tensors is updated; train/rules.c describes each rule. An optimizer's rule has its
 * number (trm_optimizer); these are beside them. */
typedef enum trm__rule {
  TRM__RULE_SIGN_ROWS = TRM_OPTIMIZERS, /* sign-SGD on the rows of the puzzle embedding that the
                                           batch used */
  TRM__RULES
} trm__rule;
enum { TRM__RULE_STATES = 2 /* tensors of state, at most */ };

/* Neighbours in the flat block that a rule updates as one: a stretch of any tensors, or `count`
 * matrices [rows, cols] one behind the other, of a rule that works on matrices. */
typedef struct trm__segment {
  int64_t at, n;
  int64_t state; /* where they start in the group's state */
  int count, rows, cols;
} trm__segment;

/* Tensors with a rule and figures of their own. */
typedef struct trm__group {
  trm__rule rule;
  int n_segments;
  const trm__segment *segments;  /* of the host */
  real *state[TRM__RULE_STATES]; /* as many as the rule has */
  real *scratch;                 /* what the rule asks for */
  int steps;                     /* of a rule that iterates */
  const trm__adam *figures;      /* of this update, set by the host beforehand */
} trm__group;

/* The least rows of L positions that are a multiple of `block` positions. */
static inline int trm__whole_rows(int L, int block) {
  int rows = 1;
  while (rows * (L % block) % block) rows++;
  return rows;
}

typedef struct trm__backend trm__backend;
typedef void trm__program(void *arg);

typedef struct trm__backend_ops {
  const char *name;
  bool host; /* its memory is the process's: pointers may be used by the host */
  /* Which set of kernels: results of one agree to the bit. */
  const char *(*kernels)(const trm__backend *);
  int slots; /* blocks of gradients that an update's rows are spread over, added in fixed order */
  /* Positions that a bfloat16 product sums together: a sum over the positions of rows has the same
   * bits when it is cut at multiples of so many. */
  int block_positions;
  void (*destroy)(trm__backend *);

  /* Zeroed, aligned to 64 bytes; NULL when there is none left. release(NULL) is fine. */
  void *(*alloc)(trm__backend *, size_t bytes);
  void (*release)(trm__backend *, void *);
  /* Between the host's memory and the backend's, and within the latter. What is put may be changed
   * at once, and is there for the ops and copies that follow; what is got is there on return. */
  void (*put)(trm__backend *, void *to, const void *from, size_t bytes);
  void (*get)(trm__backend *, void *to, const void *from, size_t bytes);
  void (*copy)(trm__backend *, void *to, const void *from, size_t bytes);
  /* n rows of a latent [n, L, D] as reals of the host. */
  void (*put_latents)(trm__backend *, int n, real *to, const real *from);
  void (*get_latents)(trm__backend *, int n, real *to, const real *from);
  /* Bytes that activations may take when nobody says. */
  int64_t (*budget)(const trm__backend *);
  /* Runs program(arg), which calls ops, and waits for the device; a program of NULL only waits. A
   * call with the key of the call before may repeat what that one did instead of calling the
   * program: it must be the same ops on the same pointers. Errors: SYSTEM, MEMORY; also those that
   * put and get came across before. */
  trm_status (*run)(trm__backend *, trm__program *program, void *arg, int key, trm_error *err);

  /* Reals of one row's latent [L, D]. */
  int64_t (*latent_size)(const trm__backend *);
  /* Reals: kept per row by a block for its backward pass; of a team for tiles of up to b rows; of a
   * member. */
  int64_t (*saved_size)(const trm__backend *, trm__block_kind);
  int64_t (*shared_size)(const trm__backend *, int b, bool training);
  int64_t (*scratch_size)(const trm__backend *, int b, bool training);
  int64_t (*held_bytes)(const trm__backend *); /* by the backend itself */
  /* Takes over new weights (flat parameter block); called once per update by all lanes of a pool,
   * which must meet at a barrier of their own before the next op. */
  void (*pack)(trm__backend *, const trm__lane *lane, const real *params);

  /* e[b, L, D] = sqrt(D) * (registers, puzzle block, token embedding + those of the cell's units +
   * that of the walls around its place + that of what is fed back), with learned positions sqrt(D)
   * * sqrt(1/2) * (… + pos of the cell); 0 of padding. inputs, fed [b, S], fed NULL without
   * feedback; puzzle [b]: pointers to rows of E values. */
  void (*embed)(trm__backend *, trm__workspace *, int b, const int32_t *inputs, const int32_t *fed,
                const real *const *puzzle, real *e);
  /* Adds to the gradients of these tables in `grads` (flat), writes d_puzzle [b, E]. */
  void (*embed_grad)(trm__backend *, trm__workspace *, int b, const int32_t *inputs,
                     const int32_t *fed, const real *de, real *grads, real *d_puzzle);
  /* h[n] = 0; h[n] = sum of the n_src vectors, h may be one of them; n in reals of latents. */
  void (*clear)(trm__backend *, trm__workspace *, int64_t n, real *h);
  void (*sum)(trm__backend *, trm__workspace *, int64_t n, int n_src, const real *const *src,
              real *h);

  /* h[n] = a x + b h; x may be h; n in reals of latents. */
  void (*mix)(trm__backend *, trm__workspace *, int64_t n, real a, const real *x, real b, real *h);
  /* z[b, L, D]: every value gets deviation * N(0, 1) more, by the row's key [b] (kernels/jitter.h).
   */
  void (*jitter)(trm__backend *, trm__workspace *, int b, const trm__noise *keys,
                 const trm__draws *draws, real deviation, real *z);
  /* The same in place of what is there, in rows at their first step, steps [b] = 1, and of a normal
   * distribution that is cut at two of its scales. */
  void (*start)(trm__backend *, trm__workspace *, int b, const trm__noise *keys,
                const trm__draws *draws, const int32_t *steps, real deviation, real *z);
  /* Iteration k = 0, 1, … of a solver: x is the iterate, f = F(x), both [b, L, D]. Of rows that are
   * not done the residual is measured, and where it is the least so far, best = keep, which is x or
   * f. Then the row is done (tolerance, iterations, or a residual that is not finite), or x becomes
   * the next iterate. history [b, how->history, L, D] and rows [b] are the solver's; k = 0
   * begins them anew. No row depends on another. */
  void (*solve)(trm__backend *, trm__workspace *, const trm__solving *how, int b, int k, real *x,
                const real *f, const real *keep, real *best, real *history, trm__solved *rows);

  /* y = norm(x + branch(x)); saved NULL: nothing is kept and y may be x; else [b] * saved_size.
   * Attention sees nothing of padding, whose own y is any finite number. */
  void (*block)(trm__backend *, trm__workspace *, const trm__block *, int b, const real *x, real *y,
                real *saved);
  /* dh: in dL/dy, which is 0 of padding, out dL/dx, which then is, too. The gradient of weight i of
   * the block goes to dw[i] (of its shape), replacing what is there unless `accumulate`. `saved` is
   * used up. */
  void (*block_grad)(trm__backend *, trm__workspace *, const trm__block *, int b, const real *x,
                     const real *y, real *saved, real *dh, real *const *dw, bool accumulate);
  /* Of told [rows, 2 n] of a block of experts, added up in the order of the rows: the auxiliary
   * loss, and its slopes times `weight`. NULL where a backend has no such block. */
  void (*balance)(trm__backend *, trm__workspace *, trm__block_kind, int rows, double weight,
                  const double *told, trm__balance *out);

  /* logits [b, S, V] = lm_head(z) at the cells, positions before them have none; q [b, 2] =
   * q_head(z at position 0). */
  void (*head)(trm__backend *, trm__workspace *, int b, const real *z, real *logits, real *q);
  /* decoded [b, S] = the token of the largest logit where the input is blank, else the input. */
  void (*decode)(trm__backend *, trm__workspace *, int b, const int32_t *inputs, const real *logits,
                 int32_t *decoded);
  /* Losses of each row from logits and q; labels [b, S], negative: ignored; steps [b]: supervision
   * steps taken, this one included. q_target [b] is the continue target or NULL. logits and q
   * become their gradients: of share (lm + constraint_weight * constraint) + q_weight (q_halt +
   * q_continue), whose share is trm__step_share; with step_decay_q it is that of q, too. */
  void (*loss)(trm__backend *, trm__workspace *, int b, const int32_t *labels, const int32_t *steps,
               const real *q_target, real *logits, real *q, trm__row_loss *out);
  /* dz [b, L, D] = gradient through both heads; adds to their weights' gradients in `grads`. */
  void (*head_grad)(trm__backend *, trm__workspace *, int b, const real *z, const real *d_logits,
                    const real *dq, real *dz, real *grads);
  /* d_init [D] += dz [b, L, D] of the rows with steps [b] = 1, summed over their positions: the
   * gradient of the vector that a latent of theirs started from at every position. */
  void (*start_grad)(trm__backend *, trm__workspace *, int b, const int32_t *steps, const real *dz,
                     real *d_init);
  /* target[b] = sigmoid(halt >= max_steps steps ? q[0] : max(q[0], q[1])) of one more step's q. */
  void (*q_target)(trm__backend *, trm__workspace *, int b, const real *q, const int32_t *steps,
                   int max_steps, real *target);

  /* Rows [first, first + n): those that halted take their fresh puzzle, with latents at their start
   * and no steps taken; then steps += advance. With feedback the fresh puzzle is what was answered
   * last, and fed is that, but what `corrupt` has in its place where the input is blank. */
  void (*refill)(trm__backend *, trm__workspace *, const trm__rows *rows, const trm__fresh *fresh,
                 int first, int n, int advance);
  void (*halt)(trm__backend *, trm__workspace *, const trm__rows *rows, int n,
               const trm__halting *how, const trm__row_loss *loss);
  /* Training: grads[n] = 0, to[n] = sum of steps' gradients (plain reals); n is a multiple of 16,
   * as a layout's parts are. */
  void (*clear_grads)(trm__backend *, trm__workspace *, int64_t n, real *grads);
  void (*add_grads)(trm__backend *, trm__workspace *, int64_t n, int n_src, const real *const *src,
                    real *to);
  /* The reduction: the first slot of gradients becomes the sum of all; it becomes the mean over the
   * rows, totals are filled in, and a mean whose norm is beyond `clip` > 0 is multiplied by
   * clip / (norm + 1e-6), if that is less than 1. Between the two the host may change the sum. */
  void (*sum_slots)(trm__backend *, trm__workspace *, const trm__update *);
  void (*finish_grads)(trm__backend *, trm__workspace *, const trm__update *);
  /* Whether update knows that rule. */
  bool (*has_rule)(const trm__backend *, trm__rule);
  /* Where totals say apply: the weights of one group and their EMA. */
  void (*update)(trm__backend *, trm__workspace *, const trm__update *, const trm__group *);
} trm__backend_ops;

/* What supervision step t = 1, 2, … counts in the loss of its row. */
TRM__EVERYWHERE double trm__step_share(const trm__dims *dims, int32_t t) {
  return dims->step_scale > 0 ? dims->step_scale * pow(dims->step_decay, t - 1) : 1;
}

/* Of position t of row `row` of a tile, with the workspace's places, its position where all cells
 * are tokens: that by which it is rotated, and has its learned vector; -1 of padding. */
TRM__EVERYWHERE int trm__grid_position(const trm__dims *dims, const int32_t *places, int64_t row,
                                       int t) {
  if (!places || t < dims->P) return t;
  const int32_t place = places[row * dims->S + t - dims->P];
  return place == TRM__NO_PLACE ? -1 : dims->P + trm__place_cell(place);
}
/* How many there are of those. */
TRM__EVERYWHERE int trm__grid_positions(const trm__dims *dims) {
  return dims->P + (dims->grid_cells ? dims->grid_cells : dims->S);
}
/* Positions of a row that are no padding: the first ones. */
TRM__EVERYWHERE int trm__row_length(const trm__dims *dims, const int32_t *places, int64_t row) {
  if (!places) return dims->L;
  return dims->P + trm__places_before(places + row * dims->S, dims->S, dims->grid_cells);
}

/* A cell of that input is not given. */
TRM__EVERYWHERE bool trm__is_blank(const trm__dims *dims, int32_t input) {
  return input == dims->blank[0] || input == dims->blank[1];
}

struct trm__backend {
  const trm__backend_ops *ops;
  trm__dims dims;
  trm__outer outer;
  int n_blocks;
  trm__block *blocks; /* a copy; trm__block pointers given to ops point into it */
  const real *params; /* as of the last pack */
};

/* The experts of a kind of block that has some; tokens of a row, and values of each. */
static inline const trm__experts *trm__experts_of(const trm__dims *dims, trm__block_kind kind) {
  return kind == TRM__BLOCK_EXPERTS     ? &dims->moe
         : kind == TRM__BLOCK_EXPERTS_T ? &dims->moe_t
                                        : NULL;
}
static inline int trm__experts_tokens(const trm__dims *dims, trm__block_kind kind) {
  return kind == TRM__BLOCK_EXPERTS_T ? dims->D : dims->L;
}
static inline int trm__experts_inputs(const trm__dims *dims, trm__block_kind kind) {
  return kind == TRM__BLOCK_EXPERTS_T ? dims->L : dims->D;
}
/* The place of an expert's first weight. */
static inline int trm__expert_at(const trm__experts *x, int expert) {
  return (x->router == TRM_ROUTER_NOISY_TOP2 ? 2 : 1) + 2 * expert;
}

/* What saved_size of a CPU backend of these sizes would be. */
int64_t trm__cpu_saved_size(const trm__dims *dims, trm__block_kind kind);
/* The CPU backend. `training` also packs the weights for the backward pass. */
trm_status trm__cpu_create(const trm__dims *dims, const trm__outer *outer, const trm__block *blocks,
                           int n_blocks, bool training, trm__backend **out, trm_error *err);

/* The backend of a device (not AUTO). Errors: SYSTEM, CONFIG, MEMORY. */
trm_status trm__backend_create(trm_device device, const trm__dims *dims, const trm__outer *outer,
                               const trm__block *blocks, int n_blocks, bool training,
                               trm__backend **out, trm_error *err);
/* *out = n zeroed objects of `size` bytes in the backend's memory, or MEMORY naming `what`. */
trm_status trm__backend_alloc(trm__backend *be, int64_t n, size_t size, const char *what, void *out,
                              trm_error *err);

#endif
