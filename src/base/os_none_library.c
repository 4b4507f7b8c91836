/* No libraries: what is loaded would want libraries of its own, and has nobody to load them. See
 * os_library.h. */
#include "base/os_library.h"

#include <stdio.h>

void *trm__os_library_open(const char *path, char *why, size_t n) {
  (void)path;
  snprintf(why, n, "this build loads no plug-ins");
  return NULL;
}

void *trm__os_library_symbol(void *library, const char *name) {
  (void)library;
  (void)name;
  return NULL;
}

void trm__os_own_folder(char *out, size_t n) {
  (void)n;
  out[0] = 0;
}
