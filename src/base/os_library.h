/* The seam for the system (see os_thread.h): libraries that are loaded while the program runs. */
#ifndef TRM_BASE_OS_LIBRARY_H
#define TRM_BASE_OS_LIBRARY_H

#include <stddef.h>

/* Loads the library at `path`, or of that name where the system looks for libraries. NULL with the
 * reason in `why` [n], "" when there is no such file (a build that loads nothing says so); else
 * `why` is the path. What is no library, is cut off or could block is refused. It is never
 * unloaded: its code may be in use. */
void *trm__os_library_open(const char *path, char *why, size_t n);
/* What it calls `name`, NULL: nothing. */
void *trm__os_library_symbol(void *library, const char *name);
/* The folder, with a slash at its end, of the file that this code was loaded from; "" when the
 * system does not say, or loads no libraries. */
void trm__os_own_folder(char *out, size_t n);

#endif
