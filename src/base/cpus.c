#include "base/cpus.h"

#include <stdbool.h>

#include "base/os_machine.h"
#include "base/team.h"

int trm__default_threads(void) {
  return trm__os_processors();
}

int trm__useful_threads(int asked) {
  const int processors = trm__default_threads();
  const bool more = asked == 0 || asked > processors;
  return more && asked <= TRM__MAX_THREADS ? processors : asked;
}
