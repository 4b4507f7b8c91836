/* The mark of a run's checkpoint, run.json. */
#include <string.h>

#include "fuzz.h"
#include "run/run_folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static bool linked;
  trm__run_mark mark;
  trm_error err;
  (void)fuzz_file(0, data, size);
  if (!linked) fuzz_link("run.json", 0);
  linked = true;
  memset(&mark, 0, sizeof mark);
  if (!fuzz_accepted_cli(trm__run_mark_read(&mark, fuzz_folder(), &err), &err)) return 0;
  FUZZ_CHECK(mark.update >= 0 && mark.stream_position == mark.update && mark.log_bytes >= 0);
  return 0;
}
