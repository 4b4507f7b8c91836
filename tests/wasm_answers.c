/* What tests/wasm.mjs compares a page's answers with, by the library's kernels of plain C:
 *
 *   TRM_ISA=portable wasm_answers MODEL STEPS f32|bf16 FILE < PUZZLES
 *
 * writes the model in that format to FILE, and of each line of PUZZLES, in the machine's order of
 * bytes, the tokens of the answer [seq_len], the logits [seq_len, V], and q_halt. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trm.h"

enum { LINE = 4096 };

static void need(trm_status st, const trm_error *err) {
  if (st == TRM_OK) return;
  fprintf(stderr, "wasm_answers: %s\n", err->msg);
  exit(1);
}

static void answer(const trm_model *m, trm_solver *s, int steps, const char *text) {
  const trm_model_config *c = trm_model_get_config(m);
  const size_t S = (size_t)c->seq_len, V = (size_t)c->vocab_size;
  trm_error err;
  int32_t *tokens = calloc(S, sizeof *tokens);
  if (!tokens) exit(1);
  need(trm_puzzle_parse(&c->puzzle, text, strlen(text), tokens, &err), &err);
  need(trm_solver_start(s, 1, tokens, NULL, &err), &err);
  for (int i = 0; i < steps; i++) need(trm_solver_step(s, &err), &err);
  fwrite(trm_solver_answer(s), sizeof(int32_t), S, stdout);
  fwrite(trm_solver_logits(s), sizeof(float), S * V, stdout);
  fwrite(trm_solver_q_halt(s), sizeof(float), 1, stdout);
  free(tokens);
}

int main(int argc, char **argv) {
  trm_model *m, *as_written;
  trm_solver *s;
  trm_error err;
  trm_dtype dtype;
  char line[LINE];
  if (argc != 5 || !trm_dtype_from_name(argv[3], &dtype)) return 2;

  /* The configuration's format is what a page multiplies in. */
  need(trm_model_load(argv[1], &m, &err), &err);
  trm_model_config c = *trm_model_get_config(m);
  c.forward_dtype = dtype;
  need(trm_model_create(&c, 1, &as_written, &err), &err);
  need(trm_model_copy_weights(as_written, m, NULL, &err), &err);
  need(trm_model_export(as_written, argv[4], TRM_FILE_SAFETENSORS, TRM_BFLOAT16, &err), &err);
  trm_model_free(m);
  trm_model_free(as_written);

  need(trm_model_load(argv[4], &m, &err), &err);
  need(trm_solver_create(m, &(trm_solver_config){.batch = 1, .threads = 1}, &s, &err), &err);
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    answer(m, s, atoi(argv[2]), line);
  }
  trm_solver_free(s);
  trm_model_free(m);
  return fflush(stdout) == 0 ? 0 : 1;
}
