/* Configurations of a model: one row per field; the defaults and checks that follow from them and
 * from the row of the architecture. */
#include "nn/model_fields.h"

#include <string.h>

#include "nn/plan.h"
#include "puzzle/puzzle.h"
#include "trm/eval.h"

/* --- names --- */

static const trm__word pos_words[] = {
    [TRM_POS_NONE] = {"none", NULL},
    [TRM_POS_ROPE] = {"rope", NULL},
    [TRM_POS_LEARNED] = {"learned", NULL},
    [TRM_POS_ROPE2D] = {"rope2d", NULL},
};
static const trm__word loss_words[] = {
    [TRM_LOSS_STABLEMAX] = {"stablemax_cross_entropy", NULL},
    [TRM_LOSS_SOFTMAX] = {"softmax_cross_entropy", NULL},
};
static const trm__word dtype_words[TRM_DTYPES] = {
    [TRM_FLOAT32] = {"float32", "f32"},
    [TRM_BFLOAT16] = {"bfloat16", "bf16"},
    [TRM_INT8] = {"int8", "i8"},
};
static const trm__word nets_words[] = {
    [TRM_NETS_SHARED] = {"shared", NULL},
    [TRM_NETS_SEPARATE] = {"separate", NULL},
};
static const trm__counted_word grad_words[] = {
    [TRM_GRAD_LAST_CYCLE] = {{"last_cycle", NULL}, 0, 0},
    [TRM_GRAD_ONE_STEP] = {{"one_step", NULL}, 0, 0},
    [TRM_GRAD_LAST] = {{"last", NULL}, 1, TRM__MOST_KEPT},
    [TRM_GRAD_ALL] = {{"all", NULL}, 0, 0},
};
static const trm__word halting_words[] = {
    [TRM_HALTING_Q] = {"q", NULL},
    [TRM_HALTING_NEVER] = {"never", NULL},
    [TRM_HALTING_SOLVED] = {"solved", NULL},
};
static const trm__counted_word moe_words[] = {
    [TRM_ROUTER_NONE] = {{"none", NULL}, 0, 0},
    [TRM_ROUTER_SWITCH] = {{"switch", NULL}, 2, TRM__MAX_EXPERTS},
    [TRM_ROUTER_NOISY_TOP2] = {{"noisy_top2", NULL}, 3, TRM__MAX_EXPERTS},
};
static const trm__word recursion_words[] = {
    [TRM_RECURSION_UPDATES] = {"recursion", NULL},
    [TRM_RECURSION_FIXED_POINT] = {"fixed_point", NULL},
    [TRM_RECURSION_ANDERSON] = {"anderson", NULL},
    [TRM_RECURSION_BROYDEN] = {"broyden", NULL},
};
static const trm__counted_word solver_grad_words[] = {
    [TRM_SOLVER_GRAD_ONE_STEP] = {{"one_step", NULL}, 0, 0},
    [TRM_SOLVER_GRAD_PHANTOM] = {{"phantom", NULL}, 1, 64},
    [TRM_SOLVER_GRAD_IMPLICIT] = {{"implicit", NULL}, 0, 0},
};
static const trm__words pos = TRM__WORDS(pos_words, NULL), loss = TRM__WORDS(loss_words, NULL),
                        dtype = TRM__WORDS(dtype_words, NULL), nets = TRM__WORDS(nets_words, NULL),
                        grad = TRM__WORDS(grad_words, NULL),
                        halting = TRM__WORDS(halting_words, NULL),
                        moe = TRM__WORDS(moe_words, NULL),
                        recursion = TRM__WORDS(recursion_words, NULL),
                        solver_grad = TRM__WORDS(solver_grad_words, NULL);

TRM__WORDS_FUNCTIONS(trm_pos_encodings, pos)
TRM__WORDS_FUNCTIONS(trm_loss, loss)
TRM__WORDS_FUNCTIONS(trm_dtype, dtype)
TRM__WORDS_FUNCTIONS(trm_nets, nets)
TRM__WORDS_FUNCTIONS(trm_halting, halting)
TRM__WORDS_FUNCTIONS(trm_recursion, recursion)

/* --- the fields --- */

/* Of a label of which nothing is left there is nothing to learn. */
#define MOST_SMOOTHING (1 - 1e-6)
/* A latent that keeps all of its old value is never updated. */
#define MOST_DAMPING (1 - 1e-6)

#define AT(f) .name = #f, .offset = offsetof(trm_model_config, f)
#define ARCH(f) AT(f), .key = "arch." #f
#define INT(least, most, first) \
  .type = &trm__field_int, .low = (least), .high = (most), .initial = (first)
#define REAL(least, most, first) \
  .type = &trm__field_double, .low = (least), .high = (most), .initial = (first)
#define BOOL(first) .type = &trm__field_bool, .initial = (first)
#define WORD(w, first) .type = &trm__field_word, .words = (w), .initial = (first)
#define COUNTED(w) .type = &trm__field_counted, .words = (w)
#define ABLATION .use = TRM__OURS | TRM__LATER | TRM__ANSWERS
#define OF_TRAINING .use = TRM__OURS | TRM__LATER

/* Ranges keep every size and product far from overflow; they are generous, not meaningful. */
static const trm_field rows[] = {
    {AT(arch), .key = "arch.name", WORD(&trm__arch_words, TRM_ARCH_TRM), .use = TRM__ANSWERS,
     .synonyms = "architecture model",
     .help = "architecture; choosing another one (also as arch=NAME) resets all arch.* keys"},
    {ARCH(vocab_size), INT(2, 65536, 0), .use = TRM__DATA | TRM__ANSWERS, .help = "V, tokens"},
    {ARCH(seq_len), INT(1, 16384, 0), .use = TRM__DATA | TRM__ANSWERS, .help = "cells of a puzzle"},
    {ARCH(num_puzzle_identifiers), INT(1, 1 << 28, 0), .use = TRM__DATA | TRM__ANSWERS,
     .help = "puzzle ids"},
    {ARCH(hidden_size), INT(2, 8192, 512), .use = TRM__ANSWERS | TRM__SHOWN,
     .synonyms = "D hidden_dim d_model width", .help = "D, width"},
    {ARCH(num_heads), INT(1, 256, 8), .use = TRM__ANSWERS | TRM__NEEDED,
     .synonyms = "H heads n_heads", .help = "attention heads"},
    {ARCH(expansion), REAL(0, 64, 4), .use = TRM__ANSWERS | TRM__SHOWN | TRM__ABOVE,
     .help = "width of SwiGLU relative to D"},
    {ARCH(H_layers), INT(0, TRM__MAX_LAYERS, 0), .use = TRM__ANSWERS | TRM__SHOWN,
     .help = "layers of the H network"},
    {ARCH(L_layers), INT(0, TRM__MAX_LAYERS, 2), .use = TRM__ANSWERS | TRM__SHOWN,
     .synonyms = "layers num_layers n_layers", .help = "layers of the L network"},
    {ARCH(H_cycles), INT(1, 1024, 3), .use = TRM__ANSWERS | TRM__NEEDED, .synonyms = "T",
     .help = "T, cycles per supervision step"},
    {ARCH(L_cycles), INT(0, 1024, 6), .use = TRM__ANSWERS | TRM__NEEDED, .synonyms = "n",
     .help = "n, latent updates per cycle"},
    {ARCH(mlp_t), BOOL(false), .use = TRM__ANSWERS, .synonyms = "mixer",
     .help = "SwiGLU over positions in place of attention"},
    {ARCH(pos_encodings), WORD(&pos, TRM_POS_ROPE), .use = TRM__ANSWERS | TRM__NEEDED,
     .synonyms = "pos_encoding", .help = "positions"},
    {ARCH(rope_theta), REAL(0, 1e30, 10000), .use = TRM__ANSWERS | TRM__ABOVE,
     .help = "base of the rotary positions"},
    {ARCH(rms_norm_eps), REAL(0, 1, 1e-5), .use = TRM__ANSWERS, .synonyms = "norm_eps",
     .help = "epsilon of the norms"},
    {ARCH(puzzle_emb_ndim), INT(0, 1 << 20, 512), .use = TRM__ANSWERS | TRM__SHOWN,
     .help = "values of a puzzle embedding; 0: none; ${.hidden_size}: as hidden_size"},
    {ARCH(puzzle_emb_len), INT(0, 1024, 16), .use = TRM__ANSWERS | TRM__TOLD, .synonyms = "P",
     .help = "P, puzzle positions; 0: as many as puzzle_emb_ndim needs"},
    {ARCH(halt_max_steps), INT(1, TRM_EVAL_MAX_STEPS, 16), .use = TRM__ANSWERS | TRM__NEEDED,
     .synonyms = "N_sup n_sup", .help = "N_sup, supervision steps at most"},
    {ARCH(halt_exploration_prob), REAL(0, 1, 0.1), .use = TRM__TOLD,
     .help = "share of rows that must take a random number of supervision steps"},
    {ARCH(no_ACT_continue), BOOL(true), .use = TRM__ANSWERS | TRM__TOLD,
     .help = "no continue loss"},
    {AT(loss), .key = "arch.loss.loss_type", WORD(&loss, TRM_LOSS_STABLEMAX), .synonyms = "loss",
     .use = TRM__ANSWERS | TRM__TOLD, .help = "cross-entropy of the labels"},
    {ARCH(forward_dtype), WORD(&dtype, TRM_BFLOAT16), .use = TRM__OPTIONAL | TRM__TOLD,
     .synonyms = "dtype", .help = "number format of matrix operands; all else is float32"},
    {ARCH(nets), WORD(&nets, TRM_NETS_SHARED), ABLATION,
     .help = "whether a net of its own updates the answer"},
    {ARCH(grad), COUNTED(&grad), OF_TRAINING, .synonyms = "gradient",
     .help = "updates of a supervision step that have a gradient (last:4, the last four)"},
    {ARCH(x_always), BOOL(false), ABLATION, .help = "every update adds the input"},
    {ARCH(halting), WORD(&halting, TRM_HALTING_Q), OF_TRAINING,
     .help = "what stops a row in training before halt_max_steps"},
    {ARCH(halt_margin), REAL(-1e3, 1e3, 0), OF_TRAINING, .synonyms = "halt_bar",
     .help = "logits above which q stops a row in training"},
    {ARCH(tie_embeddings), BOOL(false), ABLATION, .synonyms = "tie_word_embeddings tied",
     .help = "the token embedding is the output head, too"},
    {ARCH(learned_latents), BOOL(false), ABLATION,
     .help = "train the vectors that the latents start from"},
    {AT(label_smoothing), .key = "arch.loss.label_smoothing", REAL(0, MOST_SMOOTHING, 0),
     OF_TRAINING, .help = "share of a label that is spread over all tokens"},
    {AT(q_weight), .key = "arch.loss.q_weight", REAL(0, 1e3, 0.5), OF_TRAINING,
     .help = "weight of the losses of q"},
    {AT(step_decay), .key = "arch.loss.step_decay", REAL(0, 1, 1), OF_TRAINING | TRM__ABOVE,
     .help = "weight of a supervision step's loss by that of the one before; 1: no weights (CGAR)"},
    {AT(step_decay_q), .key = "arch.loss.step_decay_q", BOOL(false), OF_TRAINING,
     .help = "the same weights for the losses of q"},
    {ARCH(moe), COUNTED(&moe), ABLATION,
     .help = "experts in place of the SwiGLU over channels (switch:4, four)"},
    {ARCH(moe_t), COUNTED(&moe), ABLATION,
     .help = "the same in place of the SwiGLU over positions (mlp_t)"},
    {ARCH(moe_aux_weight), REAL(0, 1e3, 0.01), OF_TRAINING,
     .help = "weight of the experts' auxiliary loss"},
    {ARCH(solver), WORD(&recursion, TRM_RECURSION_UPDATES), ABLATION,
     .help = "what finds z_L in a cycle: n updates, or a solver of z_L = f(z_L + z_H + x)"},
    {ARCH(solver_tolerance), REAL(0, 1e3, 1e-3), ABLATION,
     .help = "residual per value at which a solver stops"},
    {ARCH(solver_iterations), INT(1, 1024, 40), ABLATION,
     .help = "applications of f that a solver takes at most"},
    {ARCH(solver_grad), COUNTED(&solver_grad), OF_TRAINING,
     .help = "how a gradient passes a solver's solution (phantom:3, three steps)"},
    {ARCH(solver_tau), REAL(0, 1, 1), OF_TRAINING | TRM__ABOVE,
     .help = "share of f(z) in each step of a phantom gradient"},
    {ARCH(qk_norm), BOOL(false), ABLATION,
     .help = "RMS norm of queries and keys of each head (Henry et al. 2020, priml)"},
    {ARCH(gate_norm), BOOL(false), ABLATION,
     .help = "SwiGLU is sigmoid(gate) norm(gate up), an RMS norm over its width (sic)"},
    {ARCH(attn_out_norm), BOOL(false), ABLATION,
     .help = "RMS norm of the outputs of all heads, before their projection (sic)"},
    {ARCH(inner_norm_eps), REAL(0, 1, 1e-6), ABLATION | TRM__ABOVE,
     .help = "epsilon of the norms inside of a block (qk_norm, gate_norm, attn_out_norm)"},
    {ARCH(rope_theta_cols), REAL(0, 1e30, 0), ABLATION,
     .help = "base of rope2d's columns; 0: that of the rows, rope_theta"},
    {ARCH(grid_tables), BOOL(false), ABLATION,
     .help = "add learned vectors of its row, column and box to each cell (rekursiv-ai/priml)"},
    {ARCH(registers), INT(0, 64, 0), ABLATION, .synonyms = "num_registers register_tokens",
     .help = "learned positions in front, of which q reads the first (sic, priml)"},
    {ARCH(feedback), BOOL(false), ABLATION,
     .help = "add learned vectors of what the step before answered to each cell (priml)"},
    {ARCH(feedback_corrupt_prob), REAL(0, 1, 0.5), OF_TRAINING,
     .help = "share of rows in which training corrupts what is fed back"},
    {ARCH(feedback_corrupt_cells), REAL(0, 1, 12. / 81), OF_TRAINING,
     .help = "share of the cells that are not given that it replaces there"},
    {ARCH(start_std), REAL(0, 1e3, 0), ABLATION, .synonyms = "random_start",
     .help = "standard deviation of random starts of latents, in training and at test (EqR: 1)"},
    {ARCH(damping), REAL(0, MOST_DAMPING, 0), ABLATION,
     .help = "share of its old value that an updated latent keeps (EqR: 0.05)"},
    {ARCH(update_noise), REAL(0, 1e3, 0), ABLATION, .synonyms = "noise_scale",
     .help = "standard deviation of noise behind each update of a latent (EqR: 0.01)"},
    {ARCH(open_cells), BOOL(false), ABLATION, .synonyms = "sparse_cells skip_walls",
     .help =
         "of mazes only cells that are no walls are tokens, with learned vectors of their walls"},
    {ARCH(max_open_cells), INT(0, 16384, 0), OF_TRAINING,
     .help = "open cells of a maze, at most; 0: as many as one of the data sets has"},
    {AT(constraint_weight), .key = "arch.loss.constraint_weight", REAL(0, 1e3, 0), OF_TRAINING,
     .synonyms = "csp_weight csp_loss",
     .help = "weight of the loss of symbols that are not once in a row, column or box (priml)"},
};
const trm__fields trm__model_fields = TRM__FIELDS(rows, "a model", trm_model_config);

_Static_assert(sizeof(trm_arch) == sizeof(int) && sizeof(trm_pos_encodings) == sizeof(int) &&
                   sizeof(trm_loss) == sizeof(int) && sizeof(trm_dtype) == sizeof(int) &&
                   sizeof(trm_nets) == sizeof(int) && sizeof(trm_halting) == sizeof(int) &&
                   sizeof(trm_recursion) == sizeof(int),
               "an enumeration is read and written as an int");
#define LIES_AS_COUNTED(type, n)                                                           \
  _Static_assert(sizeof(type) == sizeof(trm__counted) && offsetof(type, n) == sizeof(int), \
                 #type " is read and written as a trm__counted")
LIES_AS_COUNTED(trm_grad, updates);
LIES_AS_COUNTED(trm_moe, experts);
LIES_AS_COUNTED(trm_solver_grad, steps);

/* --- by name --- */

const trm_field *trm_model_config_field(int i) {
  return trm__fields_at(&trm__model_fields, i);
}

trm_status trm_model_config_set(trm_model_config *config, const char *name, const char *value,
                                trm_error *err) {
  return trm__fields_set(&trm__model_fields, config, name, value, err);
}

trm_status trm_model_config_get(const trm_model_config *config, const char *name, char *text,
                                size_t size, trm_error *err) {
  return trm__fields_get(&trm__model_fields, config, name, text, size, err);
}

trm_status trm_model_config_bounds(const char *name, trm_bounds *out, trm_error *err) {
  return trm__fields_bounds(&trm__model_fields, name, out, err);
}

/* --- defaults and checks --- */

trm_model_config trm_model_config_default(trm_arch arch) {
  trm_model_config c = {0};
  const trm__arch *a = trm__arch_of(arch);
  trm__fields_default(&trm__model_fields, &c);
  c.arch = arch;
  for (size_t i = 0; a && i < sizeof a->defaults / sizeof *a->defaults; i++) {
    if (!a->defaults[i].field) break;
    trm__field_set_number(trm__fields_find(&trm__model_fields, a->defaults[i].field), &c,
                          a->defaults[i].value);
  }
  return c;
}

bool trm__model_field_is_silent(const trm_field *f, const trm_model_config *c) {
  if (!(f->use & TRM__LATER)) return false;
  const trm_model_config usual = trm_model_config_default(c->arch);
  return trm__field_number(f, c) == trm__field_number(f, &usual);
}

/* What the row of its architecture asks for. */
static trm_status check_arch(const trm_model_config *c, trm_error *err) {
  const trm__arch *a = trm__arch_of(c->arch);
  if (c->nets == TRM_NETS_SEPARATE && !a->nets[1].prefix)
    TRM_FAIL(err, TRM_E_CONFIG, "%s has one update: there is nothing for separate nets to share",
             a->word.name);
  for (int i = 0; i < trm__n_nets(a, c); i++)
    if (trm__net_layers(&a->nets[i], c) < 1)
      TRM_FAIL(err, TRM_E_CONFIG, "%s needs %s of at least 1", a->word.name, a->nets[i].layers);
  if (!a->once && c->L_cycles < 1)
    TRM_FAIL(err, TRM_E_CONFIG, "%s needs L_cycles of at least 1", a->word.name);
  if (a->most_L_cycles && c->L_cycles > a->most_L_cycles)
    TRM_FAIL(err, TRM_E_CONFIG, "%s has %d latents: L_cycles = %d is too many", a->word.name,
             a->most_L_cycles, c->L_cycles);

  /* Which updates have a gradient. */
  const int n_updates = trm__plan_updates(c), n_grad = trm__plan_updates_with_grad(c);
  if (n_grad > n_updates)
    TRM_FAIL(
        err, TRM_E_CONFIG,
        "grad: %d updates with gradient are wanted, but a supervision step of %s with H_cycles "
        "= %d and L_cycles = %d has %d",
        n_grad, a->word.name, c->H_cycles, c->L_cycles, n_updates);
  if (trm__plan_kept(c) > TRM__MOST_KEPT)
    TRM_FAIL(err, TRM_E_CONFIG,
             "grad: %d applications of nets would have a gradient, more than %d; choose grad = "
             "last:K with a smaller K, or fewer steps of solver_grad",
             trm__plan_kept(c), TRM__MOST_KEPT);
  return TRM_OK;
}

/* Positions in two dimensions. */
static trm_status check_rope2d(const trm_model_config *c, trm_error *err) {
  const int d = c->hidden_size / c->num_heads;
  if (c->pos_encodings != TRM_POS_ROPE2D) {
    if (c->rope_theta_cols > 0)
      TRM_FAIL(err, TRM_E_CONFIG, "rope_theta_cols: only pos_encodings = rope2d has columns");
    return TRM_OK;
  }
  if (c->mlp_t)
    TRM_FAIL(err, TRM_E_CONFIG,
             "pos_encodings = rope2d: with mlp_t, a SwiGLU over the positions, there is no "
             "attention whose queries it could turn");
  if (c->puzzle.kind == TRM_PUZZLE_NONE)
    TRM_FAIL(err, TRM_E_CONFIG,
             "pos_encodings = rope2d: nothing says that the data are grids, and how wide; "
             "dataset.json has to have a \"puzzle\"");
  if (d % 4)
    TRM_FAIL(err, TRM_E_CONFIG,
             "pos_encodings = rope2d needs a head size that is a multiple of 4, two pairs of "
             "channels or more; hidden_size / num_heads = %d",
             d);
  return TRM_OK;
}

/* What the net sees of its last answer. */
static trm_status check_feedback(const trm_model_config *c, trm_error *err) {
  int32_t blanks[TRM_PUZZLE_MAX_BLANKS];
  if (!c->feedback) return TRM_OK;
  if (trm_puzzle_blanks(&c->puzzle, blanks) == 0)
    TRM_FAIL(
        err, TRM_E_CONFIG,
        "feedback: nothing says which cells of the puzzle are given; Sudokus and mazes do, and "
        "grids whose rules have a symbol for a blank");
  if (!c->no_ACT_continue && c->halt_max_steps > 1 && trm__arch_of(c->arch)->continue_loss)
    TRM_FAIL(err, TRM_E_CONFIG,
             "feedback: the continue loss looks one supervision step ahead with the input of this "
             "one, but the next would see another answer; it needs no_ACT_continue = true");
  return TRM_OK;
}

/* Padding of rows with fewer open cells than others must not be seen anywhere. */
static trm_status check_open_cells(const trm_model_config *c, trm_error *err) {
  if (c->max_open_cells > 0 && !c->open_cells)
    TRM_FAIL(err, TRM_E_CONFIG,
             "max_open_cells: all cells of the puzzle are tokens; it needs open_cells = true");
  if (c->max_open_cells > c->seq_len)
    TRM_FAIL(err, TRM_E_CONFIG, "max_open_cells = %d, but a puzzle has %d cells", c->max_open_cells,
             c->seq_len);
  if (!c->open_cells) return TRM_OK;
  if (trm_puzzle_wall(&c->puzzle) < 0)
    TRM_FAIL(err, TRM_E_CONFIG,
             "open_cells: nothing says which cells of the puzzle are walls; mazes do, and grids of "
             "one size with rules = maze");
  if (c->mlp_t)
    TRM_FAIL(err, TRM_E_CONFIG,
             "open_cells: mlp_t, a SwiGLU over the positions, has weights for each position, which "
             "is another cell in every maze; it needs mlp_t = false");
  if (c->moe.router)
    TRM_FAIL(err, TRM_E_CONFIG,
             "open_cells: experts (moe) are to have equal shares of all positions, and those "
             "behind a maze's last open cell would count; choose one of the two");
  if (c->solver != TRM_RECURSION_UPDATES)
    TRM_FAIL(err, TRM_E_CONFIG,
             "open_cells: solver = %s looks at the residual of all positions, and those behind a "
             "maze's last open cell would count; choose solver = recursion",
             trm_recursion_name(c->solver));
  return TRM_OK;
}

/* Options that only some configurations can have. */
static trm_status check_options(const trm_model_config *c, trm_error *err) {
  TRM_TRY(check_feedback(c, err));
  TRM_TRY(check_open_cells(c, err));
  if (c->grid_tables && c->puzzle.kind == TRM_PUZZLE_NONE)
    TRM_FAIL(err, TRM_E_CONFIG,
             "grid_tables: the data do not say which puzzle they are, so nobody knows the row and "
             "column of a cell");
  if (c->constraint_weight > 0 && !trm__puzzle_is_once(&c->puzzle))
    TRM_FAIL(
        err, TRM_E_CONFIG,
        "constraint_weight: no rule says that the puzzle has each symbol once in every row and "
        "column; Sudokus have one, and grids of one size with rules = sudoku or latin");
  if (c->step_decay_q && c->step_decay == 1)
    TRM_FAIL(err, TRM_E_CONFIG,
             "step_decay_q: there are no weights of steps that q could have; choose a step_decay "
             "below 1");
  if (c->moe_t.router != TRM_ROUTER_NONE && !c->mlp_t)
    TRM_FAIL(err, TRM_E_CONFIG,
             "moe_t: attention has no SwiGLU over the positions; it needs mlp_t = true");
  if ((c->qk_norm || c->attn_out_norm) && c->mlp_t)
    TRM_FAIL(err, TRM_E_CONFIG,
             "%s: with mlp_t, a SwiGLU over the positions, there is no attention; it needs mlp_t = "
             "false",
             c->qk_norm ? "qk_norm" : "attn_out_norm");
  if (c->gate_norm && (c->moe.router || c->moe_t.router))
    TRM_FAIL(err, TRM_E_CONFIG,
             "gate_norm: experts (moe, moe_t) share the width that the norm is over, each with a "
             "part of it; choose one of the two");
  if (c->learned_latents && trm__plan_updates_with_grad(c) < trm__plan_updates(c))
    TRM_FAIL(
        err, TRM_E_CONFIG,
        "learned_latents: no gradient reaches the start of a supervision step of which only the "
        "last %d of %d updates %s one; it needs grad = all",
        trm__plan_updates_with_grad(c), trm__plan_updates(c),
        trm__plan_updates_with_grad(c) == 1 ? "has" : "have");
  if (c->learned_latents && c->solver != TRM_RECURSION_UPDATES)
    TRM_FAIL(err, TRM_E_CONFIG,
             "learned_latents: a solution does not depend on where its solver began, so no "
             "gradient would reach L_init; choose solver = recursion");
  if (c->learned_latents && c->start_std > 0)
    TRM_FAIL(err, TRM_E_CONFIG,
             "learned_latents: with start_std latents start at random, not at vectors that could "
             "be learned; choose one of the two");
  if (c->solver != TRM_RECURSION_UPDATES && (c->damping > 0 || c->update_noise > 0))
    TRM_FAIL(err, TRM_E_CONFIG,
             "%s: a solver finds where z_L = f(z_L + z_H + x), by updates of its own; choose "
             "solver = recursion",
             c->damping > 0 ? "damping" : "update_noise");
  if (c->solver != TRM_RECURSION_UPDATES && !trm__arch_of(c->arch)->solvable)
    TRM_FAIL(err, TRM_E_CONFIG,
             "solver = %s: %s has no z_L of its own to solve for; trm and hrm have",
             trm_recursion_name(c->solver), trm_arch_name(c->arch));
  if (c->solver_grad.kind != TRM_SOLVER_GRAD_ONE_STEP && c->solver == TRM_RECURSION_UPDATES)
    TRM_FAIL(err, TRM_E_CONFIG,
             "solver_grad: there is no solver; choose solver = fixed_point, "
             "anderson or broyden");
  if (c->solver_tau < 1 && c->solver_grad.kind != TRM_SOLVER_GRAD_PHANTOM)
    TRM_FAIL(err, TRM_E_CONFIG,
             "solver_tau: only a phantom gradient has it; choose solver_grad = phantom:S");
  if (c->solver != TRM_RECURSION_UPDATES && (c->moe.router || c->moe_t.router))
    TRM_FAIL(err, TRM_E_CONFIG,
             "solver = %s: the auxiliary loss of experts (moe, moe_t) is a mean over the "
             "applications of a net, of which a solver has no fixed number; choose one of the two",
             trm_recursion_name(c->solver));
  return TRM_OK;
}

trm_status trm_model_config_check(const trm_model_config *c, trm_error *err) {
  TRM_TRY(trm__fields_check(&trm__model_fields, c, err));
  TRM_TRY(trm__puzzle_check(&c->puzzle, c->vocab_size, c->seq_len, "the model", err));

  /* What no field shows alone. */
  if (c->hidden_size % c->num_heads)
    TRM_FAIL(err, TRM_E_CONFIG, "hidden_size = %d must be a multiple of num_heads = %d",
             c->hidden_size, c->num_heads);
  if (c->pos_encodings == TRM_POS_ROPE && !c->mlp_t && c->hidden_size / c->num_heads % 2)
    TRM_FAIL(err, TRM_E_CONFIG,
             "rotary positions need an even head size; hidden_size / num_heads = %d",
             c->hidden_size / c->num_heads);
  TRM_TRY(check_arch(c, err));
  TRM_TRY(check_options(c, err));
  TRM_TRY(check_rope2d(c, err));
  if ((int64_t)trm__puzzle_positions(c) * c->hidden_size < c->puzzle_emb_ndim)
    TRM_FAIL(err, TRM_E_CONFIG,
             "puzzle_emb_ndim = %d does not fit into puzzle_emb_len = %d positions of %d values",
             c->puzzle_emb_ndim, c->puzzle_emb_len, c->hidden_size);
  return TRM_OK;
}
