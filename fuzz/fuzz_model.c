/* A model folder: config.json and model.safetensors as two parts of the input (the second as in
 * fuzz_tensors.h); one that is absent is that of a small good model. The second alone is also read
 * as a model in one file. A configuration that is accepted can be costed, saved and read again; a
 * model that loads can be saved and solves. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "fuzz_tensors.h"
#include "nn/model_config.h"
#include "trm/solver.h"

enum { MAX_VALUES = 1 << 16 };

static trm__map good_config, good_weights;
static size_t good_data; /* where the data begins in good_weights */

/* The small model's files, and the folder with links to the slots. */
static void prepare(void) {
  const trm_model_config c = fuzz_small_model();
  trm_model *m;
  uint64_t length;
  FUZZ_MUST(trm_model_create(&c, 1, &m, &fuzz_error));
  FUZZ_MUST(trm_model_save(m, fuzz_path("good"), &fuzz_error));
  trm_model_free(m);
  FUZZ_MUST(trm__map_open(fuzz_path("good/config.json"), &good_config, &fuzz_error));
  FUZZ_MUST(trm__map_open(fuzz_path("good/model.safetensors"), &good_weights, &fuzz_error));
  memcpy(&length, good_weights.data, sizeof length);
  good_data = sizeof length + (size_t)length;
  FUZZ_MUST(trm__make_dirs(fuzz_path("model"), &fuzz_error));
  fuzz_link("model/config.json", 0);
  fuzz_link("model/model.safetensors", 1);
  fuzz_link("one.safetensors", 1);
}

/* The cost, and the way through a file; true when the model is small enough to be run. */
static bool check_config(const char *path) {
  trm_model_config c, again;
  trm_model_cost cost;
  trm_error err;
  memset(&c, 0, sizeof c);
  if (!fuzz_accepted(trm__model_config_load(path, &c, &err), &err)) return false;
  FUZZ_MUST(trm_model_config_check(&c, &fuzz_error));
  FUZZ_MUST(trm__model_config_save(&c, fuzz_path("copy.json"), &fuzz_error));
  FUZZ_MUST(trm__model_config_load(fuzz_path("copy.json"), &again, &fuzz_error));
  FUZZ_CHECK(again.arch == c.arch && again.hidden_size == c.hidden_size);
  FUZZ_CHECK(again.expansion == c.expansion && again.rope_theta == c.rope_theta);
  FUZZ_CHECK(again.rms_norm_eps == c.rms_norm_eps && again.puzzle.kind == c.puzzle.kind);
  if (!fuzz_accepted(trm_model_cost_of(&c, &cost, &err), &err)) return false;
  FUZZ_CHECK(cost.n_params > 0 && cost.n_puzzle_emb >= 0 && cost.positions >= c.seq_len);
  FUZZ_CHECK(cost.bytes_carry > 0 && cost.bytes_saved >= 0 && cost.flops_forward > 0);
  return cost.n_params + cost.n_puzzle_emb < MAX_VALUES && cost.flops_forward < 1e6 &&
         cost.bytes_carry < MAX_VALUES;
}

static void solve(const trm_model *m) {
  const trm_model_config *c = trm_model_get_config(m);
  int32_t *tokens = calloc((size_t)c->seq_len, sizeof *tokens);
  trm_solver *s;
  FUZZ_CHECK(tokens);
  FUZZ_MUST(trm_solver_create(m, &(trm_solver_config){.threads = 1}, &s, &fuzz_error));
  FUZZ_MUST(trm_solver_start(s, 1, tokens, NULL, &fuzz_error));
  trm_solver_step(s, NULL);
  for (int i = 0; i < c->seq_len; i++)
    FUZZ_CHECK(trm_solver_answer(s)[i] >= 0 && trm_solver_answer(s)[i] < c->vocab_size);
  trm_solver_free(s);
  free(tokens);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  /* A part that is empty stands for the good one. */
  fuzz_bytes parts[2];
  trm_model *m;
  trm_error err;
  if (!good_data) prepare();
  fuzz_split(data, size, parts, 2);
  const fuzz_bytes weights = {good_weights.data, good_weights.size};
  const fuzz_bytes values = {good_weights.data + good_data, good_weights.size - good_data};
  if (!parts[0].size) parts[0] = (fuzz_bytes){good_config.data, good_config.size};

  /* The configuration and the weights. */
  const char *config = fuzz_file(0, parts[0].data, parts[0].size);
  (void)fuzz_tensors(1, parts[1].size ? parts[1] : weights, values);

  /* As one file, whole and peeked at. */
  const bool small = check_config(config);
  if (fuzz_accepted(trm_model_load(fuzz_path("one.safetensors"), &m, &err), &err))
    trm_model_free(m);
  if (fuzz_accepted(trm_model_peek(fuzz_path("one.safetensors"), NULL, &m, &err), &err))
    trm_model_free(m);

  /* As a folder: what is accepted can be saved and, where it is small, computes. */
  const trm_status st = trm_model_load(fuzz_path("model"), &m, &err);
  FUZZ_CHECK((st == TRM_OK) == (m != NULL));
  FUZZ_CHECK(size || (st == TRM_OK && small)); /* the good model is good */
  if (!fuzz_accepted(st, &err)) return 0;
  FUZZ_MUST(trm_model_save(m, fuzz_path("copy"), &fuzz_error));
  if (small) solve(m);
  trm_model_free(m);
  return 0;
}
