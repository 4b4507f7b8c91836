/* See optional.h. */
#include "base/optional.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/os_library.h"

/* As trm__os_library_open. */
static void *open_library(const char *folder, const char *below, const char *file,
                          char why[TRM__OPTIONAL_WHY]) {
  char path[TRM__OPTIONAL_WHY + 64];
  (void)snprintf(path, sizeof path, "%s%s%s", folder, below, file);
  return trm__os_library_open(path, why, TRM__OPTIONAL_WHY);
}

void *trm__optional_open(const char *file, char why[TRM__OPTIONAL_WHY], bool *there) {
  static const char *const below[] = {"", "trm/", "../" TRM_LIBDIR "/trm/"};
  const char *named = getenv("TRM_PLUGINS");
  char folder[TRM__OPTIONAL_WHY];
  void *library = NULL;
  why[0] = 0;
  *there = true;

  /* TRM_PLUGINS says where. */
  if (named && *named) {
    (void)snprintf(folder, sizeof folder, "%s/", named);
    library = open_library(folder, "", file, why);
    *there = library || why[0];
    if (!*there) (void)snprintf(why, TRM__OPTIONAL_WHY, "TRM_PLUGINS is %.2000s", named);
    return library;
  }

  /* Beside this code; else where the system looks. */
  trm__os_own_folder(folder, sizeof folder);
  for (size_t i = 0; folder[0] && i < sizeof below / sizeof *below && !library && !why[0]; i++)
    library = open_library(folder, below[i], file, why);
  if (library || why[0]) return library;
  *there = false;
  return open_library("", "", file, why);
}
