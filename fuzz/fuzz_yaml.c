/* The YAML file of a run's configuration. */
#include "fuzz_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  trm__run_config c;
  trm_error err;
  if (fuzz_accepted_cli(trm__run_config_load(&c, fuzz_file(0, data, size), NULL, 0, &err), &err))
    fuzz_print_again(&c);
  return 0;
}
