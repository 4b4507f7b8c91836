/* What the tests of `trm solve` share: models that answer without having been trained, and lines
 * for them. */
#ifndef TRM_TESTS_SOLVE_MODELS_H
#define TRM_TESTS_SOLVE_MODELS_H

#include "launch.h"
#include "trm.h"

/* Lines that the model for ones reads. */
#define GOOD "12343412........"
#define OTHER "1...............\n"

/* A model whose blocks do next to nothing, so that y at the first cell stays near its embedding,
 * and whose q is how much that looks like a 1; its latents start at random by that deviation, if it
 * is not 0. */
static inline void make_starting_model(const char *dir, double start_std) {
  /* The smallest Transformer that reads Sudokus of side 4. */
  trm_model_config c = trm_model_config_default(TRM_ARCH_TRM);
  c.vocab_size = 6;
  c.seq_len = 16;
  c.num_puzzle_identifiers = 1;
  c.puzzle = trm_sudoku_of_size(4);
  c.hidden_size = 32;
  c.num_heads = 2;
  c.H_cycles = c.L_cycles = 1;
  c.puzzle_emb_ndim = 0;
  c.start_std = start_std;

  /* Its blocks are made quiet. */
  trm_model *m;
  trm_error err;
  if (trm_model_create(&c, 1, &m, &err) != TRM_OK) fail_msg("%s", err.msg);
  for (int i = 0; i < trm_model_tensor_count(m); i++) {
    trm_tensor t = trm_model_tensor_at(m, i);
    for (int64_t k = 0; !strncmp(t.name, "L_level", 7) && k < t.count; k++) t.data[k] *= 0.1F;
  }

  /* q is the product with the embedding of a 1, whose token is 2. */
  trm_tensor q = trm_model_tensor_named(m, "q_head.weight");
  trm_tensor embed = trm_model_tensor_named(m, "embed_tokens.embedding_weight");
  assert_true(q.data && embed.data);
  memcpy(q.data, embed.data + 2 * c.hidden_size, (size_t)c.hidden_size * sizeof *q.data);
  trm_tensor bias = trm_model_tensor_named(m, "q_head.bias");
  bias.data[0] = 0;
  if (trm_model_save(m, dir, &err) != TRM_OK) fail_msg("%s", err.msg);
  trm_model_free(m);
}
static inline void make_model_for_ones(const char *dir) {
  make_starting_model(dir, 0);
}

enum { BLANK, KNOWN }; /* rows of the puzzle embedding that a test sets */

/* A model of `p` that answers its question: blocks that do next to nothing, and a head that is the
 * embedding. Of the puzzle ids only `trained` is. */
static inline void make_copying_model(const char *dir, const trm_puzzle *p, int n_ids,
                                      int trained) {
  /* The smallest Transformer that reads this puzzle, with a column for each token and each id. */
  trm_model_config c = trm_model_config_default(TRM_ARCH_TRM);
  c.vocab_size = trm_puzzle_first_symbol(p) + trm_puzzle_n_symbols(p);
  c.seq_len = p->rows * p->cols;
  c.num_puzzle_identifiers = n_ids;
  c.puzzle = *p;
  c.hidden_size = 32;
  c.num_heads = 2;
  c.H_cycles = c.L_cycles = 1;
  c.halt_max_steps = 2;
  c.puzzle_emb_ndim = 32;
  c.puzzle_emb_len = 1;

  /* Its blocks and first latents are made quiet. */
  trm_model *m;
  trm_error err;
  if (trm_model_create(&c, 1, &m, &err) != TRM_OK) fail_msg("%s", err.msg);
  trm_tensor embed = trm_model_tensor_named(m, "embed_tokens.embedding_weight");
  trm_tensor head = trm_model_tensor_named(m, "lm_head.weight");
  trm_tensor ids = trm_model_tensor_named(m, "puzzle_emb.weights");
  for (int i = 0; i < trm_model_tensor_count(m); i++) {
    trm_tensor t = trm_model_tensor_at(m, i);
    bool quiet = !strncmp(t.name, "L_level", 7) || strstr(t.name, "_init");
    for (int64_t k = 0; quiet && k < t.count; k++) t.data[k] *= 0.01F;
  }

  /* Embedding and head are the same unit vectors, so what is read is what is said. */
  memset(embed.data, 0, (size_t)embed.count * sizeof *embed.data);
  for (int token = 0; token < c.vocab_size; token++) embed.data[token * c.hidden_size + token] = 1;
  memcpy(head.data, embed.data, (size_t)embed.count * sizeof *embed.data);
  ids.data[(int64_t)trained * c.puzzle_emb_ndim] = 1;
  if (trm_model_save(m, dir, &err) != TRM_OK) fail_msg("%s", err.msg);
  trm_model_free(m);
}

static const char *place(scratch *s, const char *name, char path[160]) {
  snprintf(path, 160, "%s", scratch_path(s, name));
  return path;
}

/* How often `part` is in the text. */
static inline int count(const char *text, const char *part) {
  int n = 0;
  for (const char *at = text; (at = strstr(at, part)); at += strlen(part)) n++;
  return n;
}

#endif
