/* The configuration beside a checkpoint, in YAML or JSON: the reference's, or that of a fork. */
#include <stdio.h>

#include "cli/run/config.h"
#include "fuzz.h"

/* What is told of each input would fill the log: stderr is another stream meanwhile. */
static trm_status load_silently(trm_model_config *m, const char *path, trm_error *err) {
  static FILE *nothing;
  if (!nothing) nothing = fopen("/dev/null", "w");
  FUZZ_CHECK(nothing);
  FILE *said = stderr;
  stderr = nothing;
  const trm_status st = run_config_load_model(m, path, err);
  stderr = said;
  return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  trm_model_config m;
  trm_error err;
  if (!fuzz_accepted_cli(load_silently(&m, fuzz_file(0, data, size), &err), &err)) return 0;
  FUZZ_CHECK(trm_arch_name(m.arch) && m.vocab_size >= 0 && m.seq_len >= 0);
  FUZZ_CHECK(m.halt_max_steps >= 1 && m.num_heads >= 1);
  return 0;
}
