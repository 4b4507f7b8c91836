/* What ran, how often: with HOSTCUDA_COUNT=FILE the counts are written there when the process ends,
 * a line each. Kernels go by their offset in the file that they were loaded from, which `nm -C`
 * tells the names of: they are local symbols, which no program can ask the loader for. */
#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <map>
#include <string>

#include "cuda_runtime.h"

namespace {

struct Counts {
  const char *path = getenv("HOSTCUDA_COUNT");
  std::map<std::string, long> of;
  ~Counts() {
    FILE *f = path && *path ? fopen(path, "w") : NULL;
    if (!f) return;
    for (const auto &c : of) fprintf(f, "%s %ld\n", c.first.c_str(), c.second);
    fclose(f);
  }
} counts;

} /* namespace */

void hostcuda_count(const char *what) {
  if (counts.path) counts.of[what]++;
}

void hostcuda_count_kernel(const void *kernel) {
  Dl_info info;
  char name[32];
  if (!counts.path || !dladdr(kernel, &info)) return;
  const uintptr_t offset =
      reinterpret_cast<uintptr_t>(kernel) - reinterpret_cast<uintptr_t>(info.dli_fbase);
  snprintf(name, sizeof name, "kernel %" PRIxPTR, offset);
  hostcuda_count(name);
}
