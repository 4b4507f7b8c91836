/* A model: its configuration, its weights, and the folder it lives in.
 *
 * Letters, as in the paper and throughout: B rows, L = P + seq_len positions (with open_cells
 * P + max_open_cells), P puzzle positions, D hidden size, H heads, V vocabulary, n = L_cycles,
 * T = H_cycles.
 *
 * Field names are the reference's option names, so that a published configuration reads
 * straight into the structure.
 */
#ifndef TRM_MODEL_H
#define TRM_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trm/field.h"
#include "trm/puzzle.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum trm_arch {
  TRM_ARCH_TRM,         /* "trm": y and z, one network (paper section 4, Fig. 3) */
  TRM_ARCH_HRM,         /* "hrm": two networks, gradient through the last two (Fig. 2) */
  TRM_ARCH_SINGLEZ,     /* "trm_singlez": one latent (Fig. 4) */
  TRM_ARCH_HIER6,       /* "trm_hier6": six z and y (Fig. 5), as published */
  TRM_ARCH_TRANSFORMER, /* "transformers_baseline": direct prediction (Table 4) */
  TRM_ARCH_HIER         /* "trm_hier": n z and y (Fig. 5), for any n = L_cycles up to 16 */
} trm_arch;

typedef enum trm_pos_encodings {
  TRM_POS_NONE,
  TRM_POS_ROPE,
  TRM_POS_LEARNED,
  TRM_POS_ROPE2D /* "rope2d": half of a head's pairs by the cell's row, half by its column */
} trm_pos_encodings;
typedef enum trm_loss { TRM_LOSS_STABLEMAX, TRM_LOSS_SOFTMAX } trm_loss;

/* Which net updates the answer, the last update of a cycle (Table 1, "separate networks"). */
typedef enum trm_nets {
  TRM_NETS_SHARED,  /* "shared": the one that updates the latents, too */
  TRM_NETS_SEPARATE /* "separate": one of its own, f_H of Fig. 2 beside f_L */
} trm_nets;

/* Which of the T (n + 1) updates of a supervision step have a gradient: always the last ones. The
 * latents that a supervision step begins with are constants. */
typedef enum trm_grad_kind {
  TRM_GRAD_LAST_CYCLE, /* "last_cycle": n + 1 (section 4.1) */
  TRM_GRAD_ONE_STEP,   /* "one_step": 2, the last one of a latent and that of the answer, HRM's
                          1-step approximation (section 3.1, Table 1) */
  TRM_GRAD_LAST,       /* "last:K" ("ideas that failed") */
  TRM_GRAD_ALL         /* "all": T (n + 1) */
} trm_grad_kind;
typedef struct trm_grad {
  trm_grad_kind kind;
  int updates; /* K of TRM_GRAD_LAST, else 0 */
} trm_grad;

/* When a row of a batch stops in training before it has taken halt_max_steps supervision steps. */
typedef enum trm_halting {
  TRM_HALTING_Q,     /* "q": when its q head says so (section 2.5) */
  TRM_HALTING_NEVER, /* "never": it does not; the q head is trained all the same */
  TRM_HALTING_SOLVED /* "solved": when every label is hit, whatever q says */
} trm_halting;

/* A mixture of experts in place of a SwiGLU: which experts a position (over the positions: a
 * channel) goes through, by the logits r = h W_r^T of a router. */
typedef enum trm_router {
  TRM_ROUTER_NONE,      /* "none": one SwiGLU for all */
  TRM_ROUTER_SWITCH,    /* "switch:N": the best of N, times its softmax (Fedus et al. 2022) */
  TRM_ROUTER_NOISY_TOP2 /* "noisy_top2:N": the best two of N by r + N(0,1) softplus(h W_n^T), times
                           the softmax of the two (Shazeer et al. 2017); no noise but in training */
} trm_router;
typedef struct trm_moe {
  trm_router router;
  int experts; /* N; 0 of TRM_ROUTER_NONE */
} trm_moe;

/* What stands for the n updates of z_L in a cycle: those, or the solution of z_L = f(z_L + z_H + e)
 * ("ideas that failed", TorchDEQ). */
typedef enum trm_recursion {
  TRM_RECURSION_UPDATES,     /* "recursion" */
  TRM_RECURSION_FIXED_POINT, /* "fixed_point": z <- f(z + …) until it stays */
  TRM_RECURSION_ANDERSON,    /* "anderson": Anderson acceleration, 6 iterates */
  TRM_RECURSION_BROYDEN      /* "broyden": Broyden's method, limited memory */
} trm_recursion;

/* How a gradient passes such a solution. */
typedef enum trm_solver_grad_kind {
  TRM_SOLVER_GRAD_ONE_STEP, /* "one_step": through one application of f at the solution */
  TRM_SOLVER_GRAD_PHANTOM,  /* "phantom:S": through S times z <- tau f(z) + (1 - tau) z */
  TRM_SOLVER_GRAD_IMPLICIT  /* "implicit": u <- u df/dz + dL/dz until it stays, then once through f
                               (implicit function theorem) */
} trm_solver_grad_kind;
typedef struct trm_solver_grad {
  trm_solver_grad_kind kind;
  int steps; /* S of TRM_SOLVER_GRAD_PHANTOM, else 0 */
} trm_solver_grad;

/* The number format of matrix operands: weights and activations are cast to it where a product uses
 * them; sums, norms, softmax, losses and the weights themselves are float32. A CPU without
 * bfloat16 products rounds the operands and multiplies in float32.
 *
 * int8 is for solving, on a CPU: a product of a block with its weights rounds each row of
 * activations, and each row of a weight, to whole numbers of at most 127 times a scale of its own;
 * what a SwiGLU hands on has a scale for every 128 values, attention's shares have 254 steps. Their
 * sums are exact. The heads are as in bfloat16. It has no gradient: training is refused. */
typedef enum trm_dtype { TRM_FLOAT32, TRM_BFLOAT16, TRM_INT8, TRM_DTYPES } trm_dtype;

enum { TRM_MODEL_ID_LISTS = 8 };

typedef struct trm_model_config {
  trm_arch arch;
  /* The data it reads; taken from the data set. */
  int vocab_size, seq_len, num_puzzle_identifiers;
  trm_puzzle puzzle;
  /* What its puzzle ids mean: trm_dataset_info.identifiers of the folders it was trained on, each
   * number once, 0 behind the last; all 0: not known. */
  uint64_t identifiers[TRM_MODEL_ID_LISTS];
  /* The network. */
  int hidden_size, num_heads;
  double expansion;
  int H_layers, L_layers, H_cycles, L_cycles;
  bool mlp_t; /* SwiGLU over positions in place of attention */
  trm_pos_encodings pos_encodings;
  double rope_theta, rms_norm_eps;
  double rope_theta_cols; /* of TRM_POS_ROPE2D, for columns; 0: rope_theta for both */
  int puzzle_emb_ndim;    /* 0: no puzzle embedding */
  int puzzle_emb_len; /* P; 0, and always in hrm and the transformer: ceil(ndim / hidden_size) */
  /* Deep supervision and halting. */
  int halt_max_steps; /* N_sup */
  double halt_exploration_prob;
  bool no_ACT_continue; /* true: no continue loss, no second forward */
  trm_loss loss;
  trm_dtype forward_dtype;
  /* The paper's ablations and what it tried; docs/MODEL.md section 5. At their defaults the model
   * is the published one. */
  trm_nets nets;
  trm_grad grad;
  bool x_always; /* the last update of a cycle, too, adds the input (Fig. 4) */
  trm_halting halting;
  double halt_margin;     /* logits that q_halt must be above 0, or above q_continue, to halt */
  bool tie_embeddings;    /* logits = z_H E^T: there is no lm_head */
  bool learned_latents;   /* the latents' starts are trained */
  double label_smoothing; /* of the cross-entropy, over all V tokens */
  double q_weight;        /* of the q losses in the total */
  /* Supervision step t counts step_decay^(t - 1), by their sum over all halt_max_steps, in the
   * losses of the answer (CGAR); with step_decay_q in those of q, too. 1: each counts 1. */
  double step_decay;
  bool step_decay_q;
  trm_moe moe, moe_t;    /* over the channels; over the positions, with mlp_t */
  double moe_aux_weight; /* alpha of their auxiliary loss */
  trm_recursion solver;
  double solver_tolerance; /* root mean square of f(z) - z over the values of a row */
  int solver_iterations;   /* at most, each an application of f */
  trm_solver_grad solver_grad;
  double solver_tau; /* of phantom gradients */
  /* Norms inside of a block's branch, without weights; docs/MODEL.md section 8. */
  bool qk_norm;       /* of q and of k over the channels of a head, before rotary positions */
  bool gate_norm;     /* of gate * up of a SwiGLU, over its width */
  bool attn_out_norm; /* of all heads' outputs, before their projection */
  double inner_norm_eps;
  /* What is put in beside the tokens; docs/MODEL.md section 9. */
  bool grid_tables;         /* a learned vector for each row, column and box */
  int registers;            /* learned positions before all others */
  double constraint_weight; /* of the loss of broken rules, beside that of the labels */
  bool feedback;            /* each supervision step sees what the one before answered */
  double feedback_corrupt_prob, feedback_corrupt_cells; /* in training: of a row; then of a cell */
  /* Draws in training and in answering, by the seed of each; docs/MODEL.md section 10. */
  double start_std;    /* of where latents start, value by value; 0: at H_init, L_init */
  double damping;      /* share of its old value that an updated latent keeps */
  double update_noise; /* standard deviation of noise behind each update */
  bool open_cells;     /* of a maze only the cells that are no walls are positions of a row */
  int max_open_cells;  /* of one maze, at most; 0: all may be open. No weight depends on it */
} trm_model_config;

/* The reference's defaults of an architecture (config/arch/NAME.yaml); the data fields are 0. */
TRM_API trm_model_config trm_model_config_default(trm_arch arch);
/* TRM_E_CONFIG with the first field that is out of range or contradicts another. */
TRM_API trm_status trm_model_config_check(const trm_model_config *config, trm_error *err);
/* Names as in configuration files; NULL for a value outside the enumeration. */
TRM_API const char *trm_arch_name(trm_arch arch);
/* The reference's long one, or the name of an architecture that the reference does not have. */
TRM_API const char *trm_arch_class_name(trm_arch arch);
TRM_API const char *trm_pos_encodings_name(trm_pos_encodings p);
TRM_API const char *trm_loss_name(trm_loss l);
TRM_API const char *trm_dtype_name(trm_dtype t); /* "float32", "bfloat16", "int8" */
TRM_API const char *trm_nets_name(trm_nets n);
TRM_API const char *trm_halting_name(trm_halting h);
TRM_API const char *trm_recursion_name(trm_recursion r);
/* The reverse; false when the name is unknown. Accepts the long class names too, which the
 * reference and its forks have ("hrm.hrm_act_v1@HierarchicalReasoningModel_ACTV1": folders are
 * free), and of number formats also "f32" and "bf16". */
TRM_API bool trm_arch_from_name(const char *name, trm_arch *out);
TRM_API bool trm_pos_encodings_from_name(const char *name, trm_pos_encodings *out);
TRM_API bool trm_loss_from_name(const char *name, trm_loss *out);
TRM_API bool trm_dtype_from_name(const char *name, trm_dtype *out);
TRM_API bool trm_nets_from_name(const char *name, trm_nets *out);
TRM_API bool trm_halting_from_name(const char *name, trm_halting *out);
TRM_API bool trm_recursion_from_name(const char *name, trm_recursion *out);

/* False for a field that the reference's class of an architecture does not have, so that a
 * published configuration does not name it. */
TRM_API bool trm_arch_names_field(trm_arch arch, const char *field);
/* "z_H", "z_L", "z_L1" …: latent i of a model of this configuration, from 0; NULL behind the last.
 * The answer is read from the first. */
TRM_API const char *trm_model_latent(const trm_model_config *config, int i);

/* The architecture whose nets and starts of latents are among the names of some tensors: `has`
 * tells whether one of them has this part. Of several that one which has most; false: none. */
TRM_API bool trm_arch_of_tensors(bool has(const void *tensors, const char *part),
                                 const void *tensors, trm_arch *out);

/* Configurations by the names of their fields. A field is called as in the structure, and as in
 * config.json; its value is a text: "6", "1e-5", "true", "rope". All fields but puzzle and
 * identifiers have one. Only the range of the field itself is checked: trm_model_config_check looks
 * at them together. Setting `arch` sets nothing else; begin with trm_model_config_default. Nothing
 * is allocated; a call that fails changes nothing. Get gives a number as it stands, in its range or
 * not: fields of the data are 0 by default. Errors: CONFIG for an unknown field, with the name that
 * may have been meant, for a value that it cannot have, with what it can, and of get for one
 * outside an enumeration; ARGUMENT when `text` is too small (64 bytes are enough). */
TRM_API trm_status trm_model_config_set(trm_model_config *config, const char *field,
                                        const char *value, trm_error *err);
TRM_API trm_status trm_model_config_get(const trm_model_config *config, const char *field,
                                        char *text, size_t size, trm_error *err);
TRM_API trm_status trm_model_config_bounds(const char *field, trm_bounds *out, trm_error *err);
/* Field i, in the order of config.json; NULL after the last. */
TRM_API const trm_field *trm_model_config_field(int i);

/* What a configuration costs, before anything is allocated; a solver is taken to need all of its
 * iterations, so that depth and FLOPs are at most these. */
typedef struct trm_model_cost {
  int64_t n_params;        /* trained by the dense optimiser, as the paper counts them */
  int64_t n_puzzle_emb;    /* values in the puzzle embedding table */
  int positions;           /* L */
  int depth;               /* layer applications per supervision step: T(n+1)layers for TRM */
  int n_updates;           /* latent updates per supervision step */
  int n_updates_with_grad; /* of those, with gradient */
  double flops_forward;    /* per row and supervision step, matrix products only */
  double flops_train;      /* the same with the backward pass */
  int64_t bytes_saved;     /* activations kept for the backward pass, per row */
  int64_t bytes_carry;     /* latents carried between supervision steps, per row */
} trm_model_cost;
TRM_API trm_status trm_model_cost_of(const trm_model_config *config, trm_model_cost *cost,
                                     trm_error *err);

typedef struct trm_model trm_model;

typedef enum trm_tensor_kind {
  TRM_TENSOR_PARAM,     /* trained by the dense optimiser */
  TRM_TENSOR_BUFFER,    /* H_init, L_init … unless they are learned: never trained */
  TRM_TENSOR_PUZZLE_EMB /* puzzle_emb.weights: trained by sign-SGD */
} trm_tensor_kind;

typedef struct trm_tensor {
  const char *name; /* the reference's, without "inner." */
  trm_tensor_kind kind;
  int ndim;
  int64_t shape[2], count;
  float *data; /* inside the model, row-major */
} trm_tensor;

/* Allocates and initialises as the reference does (truncated normal; zeros for the puzzle
 * embedding; q head 0 and -5), drawn by (seed, tensor). Errors: CONFIG, MEMORY. */
TRM_API trm_status trm_model_create(const trm_model_config *config, uint64_t seed, trm_model **out,
                                    trm_error *err);
/* Reads a model folder (config.json + model.safetensors), one .safetensors file that
 * trm_model_export wrote, or what RUN/best or RUN/last of a training names; weights of any float
 * type. Errors: IO, FORMAT, SHAPE, CONFIG, NUMERIC when a weight is NaN or infinite. */
TRM_API trm_status trm_model_load(const char *path, trm_model **out, trm_error *err);
/* The same of the n bytes of a .safetensors file that trm_model_export wrote, in no particular
 * alignment; they may be freed afterwards. `name` stands for the path in messages. */
TRM_API trm_status trm_model_load_memory(const void *bytes, size_t n, const char *name,
                                         trm_model **out, trm_error *err);
/* Writes the folder. It appears complete, takes the place of a model folder that is there as a
 * whole, or leaves everything as it was; a folder that holds anything else is refused (IO). It
 * grows beside its place, as DIR.trm-partial. Folders above it are made. */
TRM_API trm_status trm_model_save(const trm_model *model, const char *dir, trm_error *err);
/* What trm_model_save would refuse of a folder, before the work that leads there. */
TRM_API trm_status trm_model_check_folder(const char *dir, trm_error *err);

typedef enum trm_file_format {
  TRM_FILE_FOLDER,      /* as trm_model_save */
  TRM_FILE_SAFETENSORS, /* one file, with the configuration in its metadata */
  TRM_FILE_TORCH        /* as torch.save of the reference's state dict, without a configuration */
} trm_file_format;
/* Writes the model in a format, its weights as float32 or rounded to bfloat16. Complete or not at
 * all. Errors: IO, MEMORY; ARGUMENT for a torch file of a model that keeps only some puzzle ids. */
TRM_API trm_status trm_model_export(const trm_model *model, const char *path,
                                    trm_file_format format, trm_dtype dtype, trm_error *err);

/* A published checkpoint: a state dict of the reference in a file of torch.save, a safetensors file
 * or the index (NAME.index.json) of several of them, in bfloat16, float16, float32 or float64. Its
 * names may begin in any way that all of them do, and hold those of wrappers ("module.",
 * "_orig_mod."); in a torch file it may lie in dictionaries. Of weights and their average the
 * average is taken. It holds no configuration: `config` gives what the tensors do not show. Its
 * fields vocab_size, seq_len, num_puzzle_identifiers, hidden_size, expansion, puzzle_emb_ndim and
 * the layers of a net may be 0: unknown. Where tensors and a known field contradict each other, the
 * message names both. Nothing in the file is executed (docs/CHECKPOINTS.md).
 *
 * Completes *config by the tensors' shapes, reading no weights. seq_len stays 0 when no tensor
 * shows it: attention without learned positions works at any length. Errors: IO, FORMAT, SHAPE,
 * CONFIG. */
TRM_API trm_status trm_model_complete_config(const char *path, trm_model_config *config,
                                             trm_error *err);
/* Reads it; beside the model's own weights it takes next to no memory. Errors: those, CONFIG when
 * seq_len is still unknown, NUMERIC, MEMORY. */
TRM_API trm_status trm_model_import(const char *path, const trm_model_config *config,
                                    trm_model **out, trm_error *err);

/* What a user should know of an import, as a sentence: which weights were taken of several, which
 * tensors are passed over, that a q head has one row. text[room], cut where it is too short; "":
 * nothing. Errors: those of trm_model_complete_config, MEMORY. */
TRM_API trm_status trm_model_import_note(const char *path, const trm_model_config *config,
                                         char *text, size_t room, trm_error *err);

/* What trm_model_load (config NULL) or trm_model_import would give, without the weights and at the
 * cost of the file's header: a model that can only be asked for its configuration, ids and tensors,
 * whose data are NULL; all else is refused (ARGUMENT). An unknown seq_len stays 0. Errors: IO,
 * FORMAT, SHAPE, CONFIG, MEMORY. */
TRM_API trm_status trm_model_peek(const char *path, const trm_model_config *config, trm_model **out,
                                  trm_error *err);

/* A copy that keeps the puzzle embeddings of n ids only (any order, repetitions are fine) and
 * remembers which they are: an id means the same row as before, one that is not kept is an error
 * wherever it is used. The configuration's num_puzzle_identifiers stays the range of the ids. Such
 * a model solves and evaluates, but is not trained. Errors: ARGUMENT, RANGE, MEMORY. */
TRM_API trm_status trm_model_keep_puzzle_ids(const trm_model *model, const int32_t *ids, int n,
                                             trm_model **out, trm_error *err);
/* The ids it keeps, rising, and their number; NULL and 0 when it keeps all. */
TRM_API const int32_t *trm_model_puzzle_ids(const trm_model *model, int *n);
/* False when no update has touched the embedding of an id, which then is what that of the `blank`
 * id is (of `blank` itself: zero), or when there is none of it, as in a model that was only peeked
 * at. True of a model without embeddings. */
TRM_API bool trm_model_puzzle_is_trained(const trm_model *model, int32_t id, int32_t blank);
/* An independent copy. */
TRM_API trm_status trm_model_clone(const trm_model *model, trm_model **out, trm_error *err);
TRM_API void trm_model_free(trm_model *model);

TRM_API const trm_model_config *trm_model_get_config(const trm_model *model);
/* Solvers and trainers created from now on multiply in another format than the configuration's.
 * Errors: ARGUMENT for a format that does not exist. */
TRM_API trm_status trm_model_set_dtype(trm_model *model, trm_dtype dtype, trm_error *err);
TRM_API int trm_model_tensor_count(const trm_model *model);
/* The i-th tensor, 0 <= i < count; the view stays valid as long as the model. */
TRM_API trm_tensor trm_model_tensor_at(const trm_model *model, int i);
/* By name; data NULL when there is none. */
TRM_API trm_tensor trm_model_tensor_named(const trm_model *model, const char *name);
/* Copies weights of `from` into `to` (same architecture and sizes); a puzzle embedding with
 * another number of ids, or of ids with other names, is replaced by the mean of the loaded rows, as
 * the reference does when it loads a checkpoint, and so are the rows of ids that `from` does not
 * keep; *reset_puzzle_emb (NULL is fine) tells. Errors: SHAPE. */
TRM_API trm_status trm_model_copy_weights(trm_model *to, const trm_model *from,
                                          bool *reset_puzzle_emb, trm_error *err);

#ifdef __cplusplus
}
#endif
#endif
