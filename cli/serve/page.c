/* See page.h. */
#include "cli/serve/page.h"

#include <string.h>

const page_file *page_file_of(const char *path) {
  for (const page_file *f = page_files; f->path; f++)
    if (!strcmp(f->path, path)) return f;
  return NULL;
}
