/* The op interface: what the model's mathematics (src/nn) asks of a device.
 *
 * A model is a list of blocks, each y = norm(x + branch(x)) with two weight matrices, applied to a
 * tile of b rows: x, y are [b, L, D]. Blocks, embedding, head and loss are the only ops; a backend
 * is one table of functions for them (trm__backend_ops). All memory an op needs is sized beforehand
 * and comes with the workspace; ops cannot fail.
 *
 * Lockstep: every member of a team calls every op with the same arguments; the op splits its work
 * among the members and ends in a barrier.
 */
#ifndef TRM_BACKEND_BACKEND_H
#define TRM_BACKEND_BACKEND_H

#include "base/error.h"
#include "base/team.h"
#include "kernels/real.h"
#include "trm/model.h"

/* Sizes of one model (docs/MODEL.md section 1). */
typedef struct trm__dims {
  int V, S;    /* vocabulary, seq_len */
  int P, L;    /* puzzle positions, L = P + S */
  int D, H, d; /* hidden size, heads, d = D / H */
  int F, FL;   /* SwiGLU widths over D and over L */
  int E;       /* puzzle_emb_ndim */
  bool rope, learned;
  double rope_theta, eps;
  trm_loss loss;
  bool q_continue; /* the loss has a continue term */
  trm_dtype dtype; /* of the operands of products */
} trm__dims;

typedef enum trm__block_kind {
  TRM__BLOCK_ATTENTION, /* w_in = qkv_proj [3D, D],   w_out = o_proj [D, D] */
  TRM__BLOCK_MIXER,     /* w_in = gate_up [2FL, L],   w_out = down [L, FL] */
  TRM__BLOCK_MLP,       /* w_in = gate_up [2F, D],    w_out = down [D, F] */
  TRM__BLOCK_KINDS
} trm__block_kind;

/* A block and where its two weights start in the flat parameter block. */
typedef struct trm__block {
  trm__block_kind kind;
  int64_t w_in, w_out;
} trm__block;

/* Where the rest of the weights start; embed_pos -1 when there is none. */
typedef struct trm__outer {
  int64_t embed_tokens, embed_pos, lm_head, q_weight, q_bias;
} trm__outer;

/* One row's loss and what the metrics need (docs/MODEL.md section 3). */
typedef struct trm__row_loss {
  double lm, q_halt, q_continue; /* losses */
  double q[2];                   /* logits: halt, continue */
  int valid, right;              /* labels that count, and how many of them the argmax hits */
} trm__row_loss;

/* A member's view of its team's memory. */
typedef struct trm__workspace {
  trm__lane *lane;
  real *shared;  /* of the team, trm__backend_ops.shared_size reals */
  real *scratch; /* of this member, .scratch_size reals */
} trm__workspace;

typedef struct trm__backend trm__backend;

typedef struct trm__backend_ops {
  const char *name;
  void (*destroy)(trm__backend *);
  /* Reals: kept per row by a block for its backward pass; of a team for tiles of up to b rows; of a
   * member. */
  int64_t (*saved_size)(const trm__backend *, trm__block_kind);
  int64_t (*shared_size)(const trm__backend *, int b, bool training);
  int64_t (*scratch_size)(const trm__backend *, int b, bool training);
  int64_t (*held_bytes)(const trm__backend *); /* by the backend itself */
  /* Takes over new weights (flat parameter block); called once per update by all lanes of a pool,
   * which must meet at a barrier of their own before the next op. */
  void (*pack)(trm__backend *, const trm__lane *lane, const real *params);

  /* e[b, L, D] = sqrt(D) * (puzzle block, token embedding), with learned positions
   * sqrt(D) * sqrt(1/2) * (… + pos). inputs [b, S]; puzzle [b]: pointers to rows of E values. */
  void (*embed)(trm__backend *, trm__workspace *, int b, const int32_t *inputs,
                const real *const *puzzle, real *e);
  /* Adds to the gradients of embed_tokens and embed_pos in `grads` (flat), writes d_puzzle [b, E].
   */
  void (*embed_grad)(trm__backend *, trm__workspace *, int b, const int32_t *inputs, const real *de,
                     real *grads, real *d_puzzle);
  /* h[n] = sum of the n_src vectors; h may be one of them. */
  void (*sum)(trm__backend *, trm__workspace *, int64_t n, int n_src, const real *const *src,
              real *h);

  /* y = norm(x + branch(x)); saved NULL: nothing is kept and y may be x; else [b] * saved_size. */
  void (*block)(trm__backend *, trm__workspace *, const trm__block *, int b, const real *x, real *y,
                real *saved);
  /* dh: in dL/dy, out dL/dx. Weight gradients go to d_in, d_out (shapes of the weights), replacing
   * what is there unless `accumulate`. `saved` is used up. */
  void (*block_grad)(trm__backend *, trm__workspace *, const trm__block *, int b, const real *x,
                     const real *y, real *saved, real *dh, real *d_in, real *d_out,
                     bool accumulate);

  /* logits [b, S, V] = lm_head(z) behind the puzzle positions; q [b, 2] = q_head(z at position 0).
   */
  void (*head)(trm__backend *, trm__workspace *, int b, const real *z, real *logits, real *q);
  /* Losses of each row from logits and q; labels [b, S], negative: ignored. q_target [b] is the
   * continue target or NULL. logits and q become their gradients (of lm + (q_halt + q_cont) / 2).
   */
  void (*loss)(trm__backend *, trm__workspace *, int b, const int32_t *labels, const real *q_target,
               real *logits, real *q, trm__row_loss *out);
  /* dz [b, L, D] = gradient through both heads; adds to their weights' gradients in `grads`. */
  void (*head_grad)(trm__backend *, trm__workspace *, int b, const real *z, const real *d_logits,
                    const real *dq, real *dz, real *grads);
} trm__backend_ops;

struct trm__backend {
  const trm__backend_ops *ops;
  trm__dims dims;
  trm__outer outer;
  int n_blocks;
  trm__block *blocks; /* a copy; trm__block pointers given to ops point into it */
  const real *params; /* as of the last pack */
};

extern const trm__backend_ops trm__cpu_ops;
/* What saved_size of a CPU backend of these sizes would be. */
int64_t trm__cpu_saved_size(const trm__dims *dims, trm__block_kind kind);
/* The CPU backend. `training` also packs the weights for the backward pass. */
trm_status trm__cpu_create(const trm__dims *dims, const trm__outer *outer, const trm__block *blocks,
                           int n_blocks, bool training, trm__backend **out, trm_error *err);

#endif
