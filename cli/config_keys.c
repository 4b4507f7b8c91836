/* The keys of a run's configuration: one row per key. Names and meanings are the reference's where
 * it has the key; the order is the order in which a configuration is printed. */
#include "config.h"

static const char *arch_choice(int i) {
  return i <= (int)TRM_ARCH_TRANSFORMER ? trm_arch_name((trm_arch)i) : NULL;
}

static bool arch_alias(const char *name, int *out) {
  trm_arch arch;
  if (!trm_arch_from_name(name, &arch)) return false;
  *out = (int)arch;
  return true;
}

static const char *pos_choice(int i) {
  return i <= (int)TRM_POS_LEARNED ? trm_pos_encodings_name((trm_pos_encodings)i) : NULL;
}

static const char *loss_choice(int i) {
  return i <= (int)TRM_LOSS_SOFTMAX ? trm_loss_name((trm_loss)i) : NULL;
}

static const char *loss_head_choice(int i) {
  return i == 0 ? "losses@ACTLossHead" : NULL;
}

static const char *dtype_choice(int i) {
  return trm_dtype_name((trm_dtype)i);
}

static bool dtype_alias(const char *name, int *out) {
  trm_dtype t;
  if (!trm_dtype_from_name(name, &t)) return false;
  *out = (int)t;
  return true;
}

static const char *optimizer_choice(int i) {
  return i <= (int)TRM_OPT_ADAMW ? trm_optimizer_name((trm_optimizer)i) : NULL;
}

static const char *augment_choice(int i) {
  static const char *const names[] = {"none", "on-the-fly"};
  return i <= (int)TRM_AUGMENT_ON_THE_FLY ? names[i] : NULL;
}

#define AT(field) offsetof(run_config, field)
#define NUMBER(name, type, field, min, max, help) \
  { name, &config_##type, AT(field), min, max, NULL, NULL, help, false }
#define PLAIN(name, type, field, help) \
  { name, &config_##type, AT(field), 0, 0, NULL, NULL, help, false }
#define CHOICE(name, field, choice, alias, help) \
  { name, &config_choice, AT(field), 0, 0, choice, alias, help, false }
#define OUR_NUMBER(name, type, field, min, max, help) \
  { name, &config_##type, AT(field), min, max, NULL, NULL, help, true }
#define OUR_PLAIN(name, type, field, help) \
  { name, &config_##type, AT(field), 0, 0, NULL, NULL, help, true }
#define OUR_CHOICE(name, field, choice, help) \
  { name, &config_choice, AT(field), 0, 0, choice, NULL, help, true }

/* Just below 1, where 1 itself would divide by zero. */
#define BELOW_1 0.9999999999

const config_key config_keys[] = {
    OUR_PLAIN("preset", text, preset, "settings to start from; `trm train --list-presets`"),

    CHOICE("arch.name", model.arch, arch_choice, arch_alias,
           "architecture; choosing another one (also as arch=NAME) resets all arch.* keys"),
    CHOICE("arch.loss.name", loss_head, loss_head_choice, NULL, "loss head"),
    CHOICE("arch.loss.loss_type", model.loss, loss_choice, NULL, "cross-entropy of the labels"),
    NUMBER("arch.halt_exploration_prob", double, model.halt_exploration_prob, 0, 1,
           "share of rows that must take a random number of supervision steps"),
    NUMBER("arch.halt_max_steps", int, model.halt_max_steps, 1, TRM_EVAL_MAX_STEPS,
           "N_sup, supervision steps at most"),
    NUMBER("arch.H_cycles", int, model.H_cycles, 1, 1 << 10, "T, cycles per supervision step"),
    NUMBER("arch.L_cycles", int, model.L_cycles, 0, 1 << 10, "n, latent updates per cycle"),
    NUMBER("arch.H_layers", int, model.H_layers, 0, 1 << 10, "layers of the H network"),
    NUMBER("arch.L_layers", int, model.L_layers, 0, 1 << 10, "layers of the L network"),
    NUMBER("arch.hidden_size", int, model.hidden_size, 1, 1 << 16, "D, width"),
    NUMBER("arch.num_heads", int, model.num_heads, 1, 1 << 12, "attention heads"),
    NUMBER("arch.expansion", double, model.expansion, 0, 64, "width of SwiGLU relative to D"),
    NUMBER("arch.puzzle_emb_ndim", width, model.puzzle_emb_ndim, 0, 1 << 20,
           "values of a puzzle embedding; 0: none; ${.hidden_size}: as hidden_size"),
    CHOICE("arch.pos_encodings", model.pos_encodings, pos_choice, NULL, "positions"),
    CHOICE("arch.forward_dtype", model.forward_dtype, dtype_choice, dtype_alias,
           "number format of matrix operands; all else is float32"),
    PLAIN("arch.mlp_t", bool, model.mlp_t, "SwiGLU over positions in place of attention"),
    NUMBER("arch.puzzle_emb_len", int, model.puzzle_emb_len, 0, 1 << 12,
           "P, puzzle positions; 0: as many as puzzle_emb_ndim needs"),
    PLAIN("arch.no_ACT_continue", bool, model.no_ACT_continue, "no continue loss"),
    NUMBER("arch.rope_theta", double, model.rope_theta, 1, 1e9, "base of the rotary positions"),
    NUMBER("arch.rms_norm_eps", double, model.rms_norm_eps, 1e-12, 1, "epsilon of the norms"),

    PLAIN("data_paths", texts, data_paths, "folders of the training data"),
    PLAIN("data_paths_test", texts, data_paths_test,
          "folders of the test data; []: the same as data_paths"),
    PLAIN("evaluators", texts, evaluators,
          "[arc@ARC]: evaluations count the votes for ARC's tasks, too; [] otherwise"),
    NUMBER("global_batch_size", int, trainer.batch_size, 1, 1 << 20, "rows per update"),
    NUMBER("epochs", int64, epochs, 1, 1e12, "passes over the training data"),
    NUMBER("eval_interval", limit, eval_interval, 0, 1e12,
           "epochs between evaluations; null: only at the end"),
    NUMBER("min_eval_interval", int64, min_eval_interval, 0, 1e12,
           "leave out the first so many evaluations"),
    PLAIN("checkpoint_every_eval", bool, checkpoint_every_eval,
          "keep the checkpoint of every evaluation, not only the last and the best"),
    NUMBER("lr", double, trainer.lr, 0, 1e3, "learning rate"),
    NUMBER("lr_min_ratio", double, trainer.lr_min_ratio, 0, 1,
           "the cosine ends at this share of lr; 1: constant"),
    NUMBER("lr_warmup_steps", int64, trainer.lr_warmup_steps, 0, 1e12, "updates of warm-up"),
    NUMBER("weight_decay", double, trainer.weight_decay, 0, 1e3, "weight decay"),
    NUMBER("beta1", double, trainer.beta1, 0, BELOW_1, "decay of the first moment"),
    NUMBER("beta2", double, trainer.beta2, 0, BELOW_1, "decay of the second moment"),
    NUMBER("puzzle_emb_lr", double, trainer.puzzle_emb_lr, 0, 1e3,
           "learning rate of puzzle embeddings"),
    NUMBER("puzzle_emb_weight_decay", double, trainer.puzzle_emb_weight_decay, 0, 1e3,
           "weight decay of puzzle embeddings"),
    PLAIN("project_name", text, project_name, "folder of the run's family; null: from the data"),
    PLAIN("run_name", text, run_name, "folder of the run; null: a free name"),
    PLAIN("load_checkpoint", text, load_checkpoint,
          "model to start from: folder, run, .safetensors or step_N; null: none"),
    PLAIN("checkpoint_path", text, checkpoint_path,
          "the run folder itself; null: OUT/PROJECT_NAME/RUN_NAME"),
    PLAIN("seed", seed, trainer.seed, "seed of all random draws"),
    PLAIN("ema", bool, ema, "evaluate and save an average of the weights"),
    NUMBER("ema_rate", double, trainer.ema_rate, 0, BELOW_1, "decay of that average"),
    PLAIN("freeze_weights", bool, trainer.freeze_weights, "train the puzzle embeddings only"),
    PLAIN("eval_save_outputs", texts, eval_save_outputs,
          "must be []; `trm eval --save-preds` writes predictions"),

    OUR_CHOICE("optimizer", trainer.optimizer, optimizer_choice, "of the dense weights"),
    OUR_CHOICE("augment", augment, augment_choice,
               "on-the-fly: a fresh symmetric image of a puzzle at every draw"),
    OUR_NUMBER("validation_share", double, validation_share, 0, 0.9,
               "share of the training data held back to evaluate on, in place of the test data"),
    OUR_PLAIN("device", device, trainer.device,
              "cpu, cuda:N or auto: the first GPU if there is one"),
    OUR_NUMBER("threads", int, trainer.threads, 0, 4096, "0: as many as the process may use"),
    OUR_NUMBER("memory_budget", bytes, trainer.memory_budget, 0, 1e15,
               "memory for activations, e.g. 2GiB; 0: 1.5 GiB, on a GPU what is free"),
    OUR_NUMBER("micro_batch", int, trainer.micro_batch, 0, 1 << 20,
               "rows processed at once; 0: by memory_budget"),
    OUR_NUMBER("max_updates", limit, max_updates, 0, 1e12, "stop after so many; null: no limit"),
    OUR_NUMBER("eval_limit", limit, eval_limit, 0, 1e12, "evaluate on so many examples; null: all"),
    OUR_NUMBER("log_interval", int64, log_interval, 1, 1e12, "updates between lines of log.jsonl"),
    OUR_NUMBER("checkpoint_interval", limit, checkpoint_interval, 0, 1e12,
               "updates between checkpoints; null: at evaluations and by time only"),
    OUR_NUMBER("checkpoint_minutes", double, checkpoint_minutes, 0, 1e6,
               "minutes between checkpoints; 0: never by time"),
    OUR_PLAIN("out", text, out, "root of the run folders"),
    {NULL, NULL, 0, 0, 0, NULL, NULL, NULL, false},
};
