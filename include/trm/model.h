/* A model: its configuration, its weights, and the folder it lives in.
 *
 * Letters, as in the paper and throughout: B rows, L = P + seq_len positions, P puzzle
 * positions, D hidden size, H heads, V vocabulary, n = L_cycles, T = H_cycles.
 *
 * Field names are the reference's option names, so that a published configuration reads
 * straight into the structure.
 */
#ifndef TRM_MODEL_H
#define TRM_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trm/puzzle.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum trm_arch {
  TRM_ARCH_TRM,        /* "trm": y and z, one network (paper section 4, Fig. 3) */
  TRM_ARCH_HRM,        /* "hrm": two networks, gradient through the last two (Fig. 2) */
  TRM_ARCH_SINGLEZ,    /* "trm_singlez": one latent (Fig. 4) */
  TRM_ARCH_HIER6,      /* "trm_hier6": six z and y (Fig. 5) */
  TRM_ARCH_TRANSFORMER /* "transformers_baseline": direct prediction (Table 4) */
} trm_arch;

typedef enum trm_pos_encodings { TRM_POS_NONE, TRM_POS_ROPE, TRM_POS_LEARNED } trm_pos_encodings;
typedef enum trm_loss { TRM_LOSS_STABLEMAX, TRM_LOSS_SOFTMAX } trm_loss;

/* The number format of matrix operands: weights and activations are cast to it where a product uses
 * them; sums, norms, softmax, losses and the weights themselves are float32. A CPU without
 * bfloat16 products rounds the operands and multiplies in float32. */
typedef enum trm_dtype { TRM_FLOAT32, TRM_BFLOAT16, TRM_DTYPES } trm_dtype;

typedef struct trm_model_config {
  trm_arch arch;
  /* The data it reads; taken from the data set. */
  int vocab_size, seq_len, num_puzzle_identifiers;
  trm_puzzle puzzle;
  /* The network. */
  int hidden_size, num_heads;
  double expansion;
  int H_layers, L_layers, H_cycles, L_cycles;
  bool mlp_t; /* SwiGLU over positions in place of attention */
  trm_pos_encodings pos_encodings;
  double rope_theta, rms_norm_eps;
  int puzzle_emb_ndim; /* 0: no puzzle embedding */
  int puzzle_emb_len;  /* P; 0, and always in hrm and the transformer: ceil(ndim / hidden_size) */
  /* Deep supervision and halting. */
  int halt_max_steps; /* N_sup */
  double halt_exploration_prob;
  bool no_ACT_continue; /* true: no continue loss, no second forward */
  trm_loss loss;
  trm_dtype forward_dtype;
} trm_model_config;

/* The reference's defaults of an architecture (config/arch/NAME.yaml); the data fields are 0. */
TRM_API trm_model_config trm_model_config_default(trm_arch arch);
/* TRM_E_CONFIG with the first field that is out of range or contradicts another. */
TRM_API trm_status trm_model_config_check(const trm_model_config *config, trm_error *err);
/* Names as in configuration files; NULL for a value outside the enumeration. */
TRM_API const char *trm_arch_name(trm_arch arch);
TRM_API const char *trm_arch_class_name(trm_arch arch); /* the reference's long one */
TRM_API const char *trm_pos_encodings_name(trm_pos_encodings p);
TRM_API const char *trm_loss_name(trm_loss l);
TRM_API const char *trm_dtype_name(trm_dtype t); /* "float32", "bfloat16" */
/* The reverse; false when the name is unknown. Accepts the reference's long class names too, and
 * of number formats also "f32" and "bf16". */
TRM_API bool trm_arch_from_name(const char *name, trm_arch *out);
TRM_API bool trm_pos_encodings_from_name(const char *name, trm_pos_encodings *out);
TRM_API bool trm_loss_from_name(const char *name, trm_loss *out);
TRM_API bool trm_dtype_from_name(const char *name, trm_dtype *out);

/* What a configuration costs, before anything is allocated. */
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
  TRM_TENSOR_BUFFER,    /* H_init, L_init …: never trained */
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
/* Reads a model folder (config.json + model.safetensors) or one .safetensors file that
 * trm_model_export wrote; weights of any float type. Errors: IO, FORMAT, SHAPE, CONFIG, NUMERIC
 * when a weight is NaN or infinite. */
TRM_API trm_status trm_model_load(const char *path, trm_model **out, trm_error *err);
/* Writes the folder (created if absent); each file appears complete or not at all, and config.json,
 * without which there is no model, last: a failure never leaves it beside the weights of another. */
TRM_API trm_status trm_model_save(const trm_model *model, const char *dir, trm_error *err);

typedef enum trm_file_format {
  TRM_FILE_FOLDER,      /* as trm_model_save */
  TRM_FILE_SAFETENSORS, /* one file, with the configuration in its metadata */
  TRM_FILE_TORCH        /* as torch.save of the reference's state dict, without a configuration */
} trm_file_format;
/* Writes the model in a format, its weights as float32 or rounded to bfloat16. Complete or not at
 * all. Errors: IO, MEMORY; ARGUMENT for a torch file of a model that keeps only some puzzle ids. */
TRM_API trm_status trm_model_export(const trm_model *model, const char *path,
                                    trm_file_format format, trm_dtype dtype, trm_error *err);

/* A published checkpoint: a state dict of the reference written by torch.save, with names that
 * begin by "_orig_mod.", "model.", "inner." or none of them, in bfloat16, float16, float32 or
 * float64. It holds no configuration: `config` gives what the tensors do not show. Its fields
 * vocab_size, seq_len, num_puzzle_identifiers, hidden_size, expansion, puzzle_emb_ndim and the
 * layers of a net may be 0: unknown. Where tensors and a known field contradict each other, the
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

/* What trm_model_load (config NULL) or trm_model_import would give, without the weights and at the
 * cost of the file's header: a model that can only be asked for its configuration, ids and tensors,
 * whose data are NULL. An unknown seq_len stays 0. Errors: IO, FORMAT, SHAPE, CONFIG, MEMORY. */
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
 * id is (of `blank` itself: zero), or when there is none of it. True of a model without embeddings.
 */
TRM_API bool trm_model_puzzle_is_trained(const trm_model *model, int32_t id, int32_t blank);
/* An independent copy. */
TRM_API trm_status trm_model_clone(const trm_model *model, trm_model **out, trm_error *err);
TRM_API void trm_model_free(trm_model *model);

TRM_API const trm_model_config *trm_model_get_config(const trm_model *model);
/* Solvers and trainers created from now on multiply in another format than the configuration's. */
TRM_API void trm_model_set_dtype(trm_model *model, trm_dtype dtype);
TRM_API int trm_model_tensor_count(const trm_model *model);
/* The i-th tensor, 0 <= i < count; the view stays valid as long as the model. */
TRM_API trm_tensor trm_model_tensor_at(const trm_model *model, int i);
/* By name; data NULL when there is none. */
TRM_API trm_tensor trm_model_tensor_named(const trm_model *model, const char *name);
/* Copies weights of `from` into `to` (same architecture and sizes); a puzzle embedding with
 * another number of ids is replaced by the mean of the loaded rows, as the reference does when it
 * loads a checkpoint, and so are the rows of ids that `from` does not keep; *reset_puzzle_emb (NULL
 * is fine) tells. Errors: SHAPE. */
TRM_API trm_status trm_model_copy_weights(trm_model *to, const trm_model *from,
                                          bool *reset_puzzle_emb, trm_error *err);

#ifdef __cplusplus
}
#endif
#endif
