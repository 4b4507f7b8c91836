/* The configuration beside a checkpoint, in YAML or JSON: the reference's, or that of a fork. */
#include "fuzz.h"
#include "run/run_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  trm_model_config m;
  trm_error err;
  if (!fuzz_accepted_cli(trm__run_config_load_model(&m, fuzz_file(0, data, size), NULL, &err),
                         &err))
    return 0;
  FUZZ_CHECK(trm_arch_name(m.arch) && m.vocab_size >= 0 && m.seq_len >= 0);
  FUZZ_CHECK(m.halt_max_steps >= 1 && m.num_heads >= 1);
  return 0;
}
