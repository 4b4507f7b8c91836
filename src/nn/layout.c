/* The tensors of a configuration in the reference's names and shapes (docs/MODEL.md section 1). */
#include "nn/layout.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "nn/block.h"
#include "puzzle/puzzle.h"

int trm__swiglu_width(double expansion, int in) {
  int64_t w = (int64_t)rint(expansion * in * 2 / 3);
  return (int)((w + 255) / 256 * 256);
}

int trm__experts_chosen(trm_router router) {
  return router == TRM_ROUTER_NOISY_TOP2 ? 2 : 1;
}

/* Experts in place of a SwiGLU of that width, at its FLOPs: of two each has half of it. */
static trm__experts experts_of(const trm_moe *moe, int width) {
  const int chosen = trm__experts_chosen(moe->router);
  return (trm__experts){moe->router, moe->experts, chosen, width / chosen};
}

/* 1 / sum of decay^(t - 1) over all supervision steps t; 0 where each counts 1. */
static double step_scale_of(const trm_model_config *c) {
  double sum = 0, power = 1;
  for (int t = 0; t < c->halt_max_steps; t++, power *= c->step_decay) sum += power;
  return c->step_decay < 1 ? 1 / sum : 0;
}

static trm__dims dims_of(const trm_model_config *c) {
  trm__dims dims = {.V = c->vocab_size,
                    .S = c->seq_len,
                    .D = c->hidden_size,
                    .H = c->num_heads,
                    .d = c->hidden_size / c->num_heads,
                    .E = c->puzzle_emb_ndim,
                    .rope = c->pos_encodings == TRM_POS_ROPE || c->pos_encodings == TRM_POS_ROPE2D,
                    .grid_cols = c->pos_encodings == TRM_POS_ROPE2D ? c->puzzle.cols : 0,
                    .rope_theta_cols = c->rope_theta_cols > 0 ? c->rope_theta_cols : c->rope_theta,
                    .learned = c->pos_encodings == TRM_POS_LEARNED,
                    .rope_theta = c->rope_theta,
                    .eps = c->rms_norm_eps,
                    .qk_norm = c->qk_norm,
                    .gate_norm = c->gate_norm,
                    .attn_out_norm = c->attn_out_norm,
                    .inner_eps = c->inner_norm_eps,
                    .label_smoothing = c->label_smoothing,
                    .q_weight = c->q_weight,
                    .constraint_weight = c->constraint_weight,
                    .step_decay = c->step_decay,
                    .step_scale = step_scale_of(c),
                    .step_decay_q = c->step_decay_q,
                    .loss = c->loss,
                    .dtype = c->forward_dtype,
                    .q_continue = !c->no_ACT_continue && c->halt_max_steps > 1 &&
                                  trm__arch_of(c->arch)->continue_loss};
  dims.R = c->registers;
  dims.P = trm__front_positions(c);
  if (c->open_cells) {
    dims.grid_cells = c->seq_len;
    dims.S = c->max_open_cells ? c->max_open_cells : c->seq_len;
  }
  dims.L = dims.P + dims.S;
  dims.n_units = trm__puzzle_units(&c->puzzle, dims.units);
  dims.n_tables = c->grid_tables ? dims.n_units : 0;
  dims.feedback = c->feedback;
  for (int i = trm_puzzle_blanks(&c->puzzle, dims.blank); i < TRM_PUZZLE_MAX_BLANKS; i++)
    dims.blank[i] = -1;
  dims.F = trm__swiglu_width(c->expansion, dims.D);
  dims.FL = trm__swiglu_width(c->expansion, dims.L);
  dims.moe = experts_of(&c->moe, dims.F);
  dims.moe_t = experts_of(&c->moe_t, dims.FL);
  return dims;
}

/* Appends a slot and returns its offset; sizes of each kind grow in 16-value steps. */
static int64_t add_slot(trm__layout *l, trm_tensor_kind kind, trm__init init, double std,
                        int64_t rows, int64_t cols, const char *name) {
  int64_t *end = kind == TRM_TENSOR_PARAM    ? &l->n_params
                 : kind == TRM_TENSOR_BUFFER ? &l->n_buffers
                                             : &l->n_puzzle_emb;
  trm__slot s = {.kind = kind,
                 .init = init,
                 .std = std,
                 .shape = {rows, cols},
                 .count = rows * (cols ? cols : 1),
                 .offset = *end};

  *end += (s.count + 15) / 16 * 16;
  if (l->slots) {
    snprintf(s.name, sizeof s.name, "%s", name);
    l->slots[trm__push(&l->n_slots, l->max_slots)] = s;
  } else {
    l->max_slots++;
  }
  return s.offset;
}

static void add_block(trm__layout *l, const char *net, int layer, trm__block_kind kind) {
  trm__weight_about about[TRM__BLOCK_WEIGHTS];
  trm__block b = {.kind = kind, .n_weights = trm__block_kinds[kind].weights(&l->dims, about)};
  if (b.n_weights > l->most_weights) l->most_weights = b.n_weights;

  /* Its weights one after the other, each at a standard deviation of 1 / sqrt(inputs). */
  for (int i = 0; i < b.n_weights && i < TRM__BLOCK_WEIGHTS; i++) {
    const int rows = about[i].rows, cols = about[i].cols;
    char name[80];
    snprintf(name, sizeof name, "%.8s.layers.%d.%.39s.weight", net, layer, about[i].name);
    b.w[i] = (trm__weight){
        add_slot(l, TRM_TENSOR_PARAM, about[i].zero ? TRM__INIT_ZERO : TRM__INIT_NORMAL,
                 1 / sqrt((double)(cols ? cols : rows)), rows, cols, name),
        rows, cols};
    if (l->slots && cols) l->slots[l->n_slots - 1].matrices = about[i].heads ? about[i].heads : 1;
  }

  if (l->blocks)
    l->blocks[trm__push(&l->n_blocks, l->max_blocks)] = b;
  else
    l->max_blocks++;
}

static void add_net(trm__layout *l, const trm_model_config *c, int net) {
  const trm__block_kind layer[TRM__LAYER_BLOCKS] = {
      c->moe_t.router ? TRM__BLOCK_EXPERTS_T
      : c->mlp_t      ? TRM__BLOCK_MIXER
                      : TRM__BLOCK_ATTENTION,
      c->moe.router ? TRM__BLOCK_EXPERTS : TRM__BLOCK_MLP};
  l->net_first[net] = l->n_blocks;
  l->net_offset[net] = l->n_params;
  for (int i = 0; i < l->plan->layers[net]; i++)
    for (int j = 0; j < TRM__LAYER_BLOCKS; j++) add_block(l, l->plan->net[net], i, layer[j]);
  l->net_first[net + 1] = l->n_blocks;
  l->net_offset[net + 1] = l->n_params;
}

/* Tables of what is put in beside the tokens. */
#define REGISTERS "embed_registers.embedding_weight"
#define FEEDBACK "embed_feedback.embedding_weight"
#define WALLS "embed_walls.embedding_weight"
static const char *const units_tables[TRM__MOST_UNITS] = {
    "embed_row.embedding_weight", "embed_column.embedding_weight", "embed_box.embedding_weight"};

static void add_outer(trm__layout *l, const trm_model_config *c) {
  const trm__dims *dims = &l->dims;
  double std = 1 / sqrt((double)dims->D);
  trm__outer *o = &l->outer;

  /* Embeddings and heads. */
  o->embed_tokens = add_slot(l, TRM_TENSOR_PARAM, TRM__INIT_NORMAL, std, dims->V, dims->D,
                             "embed_tokens.embedding_weight");
  o->embed_pos = !dims->learned
                     ? -1
                     : add_slot(l, TRM_TENSOR_PARAM, TRM__INIT_NORMAL, std,
                                trm__grid_positions(dims), dims->D, "embed_pos.embedding_weight");
  for (int i = 0; i < TRM__MOST_UNITS; i++)
    o->embed_units[i] = i >= dims->n_tables ? -1
                                            : add_slot(l, TRM_TENSOR_PARAM, TRM__INIT_NORMAL, std,
                                                       dims->units[i].n, dims->D, units_tables[i]);
  o->embed_walls = !dims->grid_cells ? -1
                                     : add_slot(l, TRM_TENSOR_PARAM, TRM__INIT_NORMAL, std,
                                                TRM__WALLS, dims->D, WALLS);
  o->registers = dims->R == 0 ? -1
                              : add_slot(l, TRM_TENSOR_PARAM, TRM__INIT_NORMAL, std, dims->R,
                                         dims->D, REGISTERS);
  o->embed_feedback = !dims->feedback ? -1
                                      : add_slot(l, TRM_TENSOR_PARAM, TRM__INIT_ZERO, 0, dims->V,
                                                 dims->D, FEEDBACK);
  o->lm_head = c->tie_embeddings ? o->embed_tokens
                                 : add_slot(l, TRM_TENSOR_PARAM, TRM__INIT_NORMAL, std, dims->V,
                                            dims->D, TRM__LM_HEAD);
  o->q_weight = add_slot(l, TRM_TENSOR_PARAM, TRM__INIT_ZERO, 0, 2, dims->D, "q_head.weight");
  o->q_bias = add_slot(l, TRM_TENSOR_PARAM, TRM__INIT_Q_BIAS, 0, 2, 0, "q_head.bias");

  /* Where the latents start. One row per puzzle id, trained by a rule of its own. */
  l->learned_latents = c->learned_latents;
  for (int i = 0; i < l->plan->n_latents; i++)
    l->latent_init[i] = add_slot(l, c->learned_latents ? TRM_TENSOR_PARAM : TRM_TENSOR_BUFFER,
                                 TRM__INIT_NORMAL, 1, dims->D, 0, l->plan->init[i]);
  if (dims->E > 0)
    add_slot(l, TRM_TENSOR_PUZZLE_EMB, TRM__INIT_ZERO, 0, c->num_puzzle_identifiers, dims->E,
             "puzzle_emb.weights");
}

/* Goes through all tensors and blocks in their order; without lists it only counts them. */
static void add_all(trm__layout *l, const trm_model_config *c) {
  l->n_params = l->n_buffers = l->n_puzzle_emb = 0;
  add_outer(l, c);
  for (int i = 0; i < l->plan->n_nets; i++) add_net(l, c, i);
}

trm_status trm__layout_create(const trm_model_config *config, trm__layout **out, trm_error *err) {
  trm__layout *l;
  trm_status st;
  TRM_TRY(trm_model_config_check(config, err));
  TRM_ALLOC(&l, 1, "the model's layout", err);
  TRM_GOTO(trm__plan_create(config, &l->plan, err));
  l->dims = dims_of(config);

  /* Counted first, then listed. */
  add_all(l, config);
  TRM_GOTO(trm__check_list(l->most_weights, TRM__BLOCK_WEIGHTS, "weights of a block", err));
  TRM_GOTO(trm__check_list(l->max_slots, TRM__MOST_TENSORS, "tensors of a model", err));
  l->slots = trm__alloc((uint64_t)l->max_slots, sizeof *l->slots);
  l->blocks = trm__alloc((uint64_t)l->max_blocks, sizeof *l->blocks);
  if (!l->slots || !l->blocks) {
    st = trm__fail(err, TRM_E_MEMORY, -1, "no memory for the model's layout");
    goto done;
  }
  add_all(l, config);
  TRM_GOTO(trm__check_list(l->n_slots, l->max_slots, "tensors of a model", err));
  TRM_GOTO(trm__check_list(l->n_blocks, l->max_blocks, "blocks of a model", err));
  *out = l;
  return TRM_OK;
done:
  trm__layout_free(l);
  return st;
}

void trm__layout_free(trm__layout *layout) {
  if (!layout) return;
  trm__plan_free(layout->plan);
  trm__free(layout->slots);
  trm__free(layout->blocks);
  trm__free(layout);
}

void trm__layout_keep_rows(trm__layout *l, int64_t rows) {
  for (int i = 0; i < l->n_slots; i++) {
    trm__slot *s = &l->slots[i];
    if (s->kind != TRM_TENSOR_PUZZLE_EMB) continue;
    s->shape[0] = rows;
    s->count = rows * s->shape[1];
    l->n_puzzle_emb = (s->count + 15) / 16 * 16;
  }
}

int trm__layout_find(const trm__layout *layout, const char *name) {
  for (int i = 0; i < layout->n_slots; i++)
    if (!strcmp(layout->slots[i].name, name)) return i;
  return -1;
}

static bool has_net(const trm__layout *l, const char *net) {
  for (int i = 0; i < l->plan->n_nets; i++)
    if (!strcmp(l->plan->net[i], net)) return true;
  return false;
}

const char *trm__experts_hint(const char *name, trm_router moe, trm_router moe_t) {
  static const struct {
    const char *branch, *wants, *without;
  } texts[] = {{".mlp.",
                "; with experts over the channels the configuration has to say moe = switch:N or "
                "noisy_top2:N, as many as there are",
                "; without experts over the channels the configuration has to say moe = none"},
               {".mlp_t.",
                "; with experts over the positions the configuration has to say moe_t = switch:N "
                "or noisy_top2:N, as many as there are",
                "; without experts over the positions the configuration has to say moe_t = none"}};
  const trm_router routers[] = {moe, moe_t};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    const char *part = strstr(name, texts[i].branch);
    if (!part) continue;
    part += strlen(texts[i].branch);
    const bool of_experts =
        strncmp(part, "gate_up_proj.", 13) != 0 && strncmp(part, "down_proj.", 10) != 0;
    if (of_experts) return texts[i].wants;
    return routers[i] ? texts[i].without : "";
  }
  return "";
}

/* A table that only an option has. */
static const char *option_hint(const trm__layout *l, const char *name) {
  const bool there = trm__layout_find(l, name) >= 0;
  for (int i = 0; i < TRM__MOST_UNITS; i++)
    if (!strcmp(name, units_tables[i]))
      return there ? "; without tables of rows, columns and boxes the configuration has to say "
                     "grid_tables = false"
                   : "; with tables of rows, columns and boxes the configuration has to say "
                     "grid_tables = true";
  if (!strcmp(name, REGISTERS))
    return there ? "; without registers the configuration has to say registers = 0"
                 : "; with registers the configuration has to say how many: registers = R";
  if (!strcmp(name, WALLS))
    return there ? "; where all cells are tokens the configuration has to say open_cells = false"
                 : "; where only open cells are tokens the configuration has to say open_cells = "
                   "true";
  if (!strcmp(name, FEEDBACK))
    return there ? "; without feedback the configuration has to say feedback = false"
                 : "; with feedback the configuration has to say feedback = true";
  return "";
}

const char *trm__layout_hint(const trm__layout *l, const char *name) {
  static const char own[] = "H_level"; /* the net that the answer may have of its own */
  if (*option_hint(l, name)) return option_hint(l, name);
  if (!strcmp(name, TRM__LM_HEAD))
    return trm__layout_is_tied(l)
               ? "; with tie_embeddings = true the token embedding is the head, and there is no "
                 "other"
               : "; where the token embedding is the head, too, the configuration has to say "
                 "tie_embeddings = true";
  if (!strncmp(name, own, strlen(own)) && !has_net(l, own))
    return "; where the answer has a net of its own, the configuration has to say nets = separate";
  const char *of_experts = trm__experts_hint(name, l->dims.moe.router, l->dims.moe_t.router);
  if (*of_experts || strncmp(name, own, strlen(own)) != 0) return of_experts;
  return l->plan->n_nets > 1
             ? "; where one net updates all, the configuration has to say nets = shared"
             : "";
}
