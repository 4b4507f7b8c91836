/* Parts of trm that are libraries of their own and loaded when they are wanted: where they are. */
#ifndef TRM_BASE_OPTIONAL_H
#define TRM_BASE_OPTIONAL_H

#include <stdbool.h>

enum { TRM__OPTIONAL_WHY = 4096 };

/* Loads `file` from the folder that TRM_PLUGINS names, and then from nowhere else; else from beside
 * the file that this code is in, as built or as installed, or where the system looks. NULL with the
 * reason in `why`, else `why` is its path. *there: false when no file was found. Never closed, for
 * what came of it may outlive any call, and the loader counts. */
void *trm__optional_open(const char *file, char why[TRM__OPTIONAL_WHY], bool *there);

#endif
