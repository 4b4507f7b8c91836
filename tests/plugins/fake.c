/* A plug-in whose only device says what it is and then computes nothing. FAKE_OTHER is what its
 * interface differs by. */
#include "backend/plugin.h"

#include <stdio.h>

static trm_status describe(int index, char *out, size_t n, trm_error *err) {
  (void)err;
  snprintf(out, n, "made-up device %d", index);
  return TRM_OK;
}

static const trm__plugin *table(void) {
  static trm__plugin plugin = {.version = TRM_VERSION, .describe = describe};
  plugin.abi = trm__plugin_abi() ^ FAKE_OTHER;
  return &plugin;
}

__attribute__((visibility("default"))) const trm__plugin *trm__plugin_table(void);
const trm__plugin *trm__plugin_table(void) {
  return table();
}
