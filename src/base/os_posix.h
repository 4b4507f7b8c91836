/* Between the parts of the seam that POSIX has (os_posix_*.c) and those that differ between its
 * systems (os_linux*.c, os_plain*.c); and what only a program for POSIX may ask for. */
#ifndef TRM_BASE_OS_POSIX_H
#define TRM_BASE_OS_POSIX_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>

/* Empties the folder open at `fd` by remove_at(fd, name), which returns 0 or an errno; so does
 * this, and stops at the first that is not 0. */
int trm__posix_empty(int fd, int (*remove_at)(int parent, const char *name));
/* "." and "..". */
static inline bool trm__posix_is_dots(const char *name) {
  return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}
/* A stream over the folder open at `fd`, from its first name on, with a descriptor of its own; NULL
 * and errno. */
DIR *trm__posix_read_from_start(int fd);

/* The file that the code at `here` was loaded from, as fully as the system knows it; "" when it
 * does not say. */
void trm__posix_file_of(const void *here, char *out, size_t n);
/* False when the library open at `fd` ends before what its headers want mapped: the loader maps it
 * all the same, and the program dies where it touches what is not there. Other damage it sees. */
bool trm__posix_is_whole(int fd);

#endif
