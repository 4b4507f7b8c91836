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
};
static const trm__word loss_words[] = {
    [TRM_LOSS_STABLEMAX] = {"stablemax_cross_entropy", NULL},
    [TRM_LOSS_SOFTMAX] = {"softmax_cross_entropy", NULL},
};
static const trm__word dtype_words[TRM_DTYPES] = {
    [TRM_FLOAT32] = {"float32", "f32"},
    [TRM_BFLOAT16] = {"bfloat16", "bf16"},
};
static const trm__words pos = TRM__WORDS(pos_words, NULL), loss = TRM__WORDS(loss_words, NULL),
                        dtype = TRM__WORDS(dtype_words, NULL);

TRM__WORDS_FUNCTIONS(trm_pos_encodings, pos)
TRM__WORDS_FUNCTIONS(trm_loss, loss)
TRM__WORDS_FUNCTIONS(trm_dtype, dtype)

/* --- the fields --- */

#define AT(f) .name = #f, .offset = offsetof(trm_model_config, f)
#define ARCH(f) AT(f), .key = "arch." #f
#define INT(least, most, first) \
  .type = &trm__field_int, .low = (least), .high = (most), .initial = (first)
#define REAL(least, most, first) \
  .type = &trm__field_double, .low = (least), .high = (most), .initial = (first)
#define BOOL(first) .type = &trm__field_bool, .initial = (first)
#define WORD(w, first) .type = &trm__field_word, .words = (w), .initial = (first)

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
};
const trm__fields trm__model_fields = TRM__FIELDS(rows, "a model", trm_model_config);

_Static_assert(sizeof(trm_arch) == sizeof(int) && sizeof(trm_pos_encodings) == sizeof(int) &&
                   sizeof(trm_loss) == sizeof(int) && sizeof(trm_dtype) == sizeof(int),
               "an enumeration is read and written as an int");

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
  for (int i = 0; i < a->n_nets; i++)
    if (trm__net_layers(&a->nets[i], c) < 1)
      TRM_FAIL(err, TRM_E_CONFIG, "%s needs %s of at least 1", a->word.name, a->nets[i].layers);
  if (!a->once && c->L_cycles < 1)
    TRM_FAIL(err, TRM_E_CONFIG, "%s needs L_cycles of at least 1", a->word.name);
  if (a->most_L_cycles && c->L_cycles > a->most_L_cycles)
    TRM_FAIL(err, TRM_E_CONFIG, "%s has %d latents: L_cycles = %d is too many", a->word.name,
             a->most_L_cycles, c->L_cycles);
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
  if ((int64_t)trm__puzzle_positions(c) * c->hidden_size < c->puzzle_emb_ndim)
    TRM_FAIL(err, TRM_E_CONFIG,
             "puzzle_emb_ndim = %d does not fit into puzzle_emb_len = %d positions of %d values",
             c->puzzle_emb_ndim, c->puzzle_emb_len, c->hidden_size);
  return TRM_OK;
}
