/* tiny_model DIR [Q_HALT]: saves an untrained 6x6 Sudoku model, for tests that need a model folder.
 * Q_HALT is the bias of the halting head: above 0 the model halts after its first step. */
#include <stdio.h>
#include <stdlib.h>

#include "trm.h"

int main(int argc, char **argv) {
  /* The mixer for Sudokus of side 6, as small as it goes. */
  trm_model_config c = trm_model_config_default(TRM_ARCH_TRM);
  c.puzzle = trm_sudoku_of_size(6);
  c.vocab_size = 8;
  c.seq_len = 36;
  c.num_puzzle_identifiers = 1;
  c.hidden_size = 32;
  c.num_heads = 2;
  c.puzzle_emb_ndim = 32;
  c.puzzle_emb_len = 1;
  c.H_cycles = c.L_cycles = 2;
  c.mlp_t = true;
  c.pos_encodings = TRM_POS_NONE;

  /* Its q may be given, so that it halts when a test wants it to. */
  trm_error err = {.msg = "usage: tiny_model DIR [Q_HALT]"};
  trm_model *model = NULL;
  int ok = argc > 1 && trm_model_create(&c, 1, &model, &err) == TRM_OK;
  if (ok && argc > 2) trm_model_tensor_named(model, "q_head.bias").data[0] = strtof(argv[2], NULL);
  ok = ok && trm_model_save(model, argv[1], &err) == TRM_OK;
  if (!ok) fprintf(stderr, "tiny_model: %s\n", err.msg);
  trm_model_free(model);
  return !ok;
}
