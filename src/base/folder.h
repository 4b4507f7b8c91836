/* Folders. What is done in an open one happens there, whatever its path comes to mean, and never
 * through a link that lies in it. Only a path that a caller names is followed. (Where the system
 * cannot do that, by TRM_OS=none, all happens by paths.)
 *
 * Only "does not exist" means no: every other failure to look is an error. */
#ifndef TRM_BASE_FOLDER_H
#define TRM_BASE_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/os_file.h"

/* --- paths --- */

enum { TRM__PATH_MAX = 4096 };
/* Formats a path; TRM_E_ARGUMENT when it does not fit TRM__PATH_MAX bytes. */
trm_status trm__path_format(char *out, trm_error *err, const char *fmt, ...) TRM__PRINTF(3, 4);
/* What a path that is formatted leads to, as trm__path_look says. */
trm_status trm__path_look_at(trm__kind *kind, trm_error *err, const char *fmt, ...)
    TRM__PRINTF(3, 4);
/* What `path` leads to, links followed: never TRM__LINK. Errors: IO, MEMORY. */
trm_status trm__path_look(const char *path, trm__kind *kind, trm_error *err);
/* For where nothing depends on a failure to look: false only if it is known that nothing is there.
 */
bool trm__path_exists(const char *path);
bool trm__path_is_dir(const char *path);
/* "dir/name" in a fresh block (trm__free), NULL when out of memory. */
char *trm__path_join(const char *dir, const char *name);
/* mkdir -p; an existing folder is fine. */
trm_status trm__make_dirs(const char *path, trm_error *err);
/* Removes it, a folder with all that is in it, no link followed; absent is fine. */
trm_status trm__remove_tree(const char *path, trm_error *err);
/* fsync of a folder, so that renames in it survive a power cut. */
trm_status trm__sync_dir(const char *path, trm_error *err);

/* --- open folders --- */

trm_status trm__dir_open(trm__dir *d, const char *path, trm_error *err);
void trm__dir_close(trm__dir *d); /* zeroed is fine; zeroes it */
/* The folder that holds `path`, and its last part in a fresh block. Errors: IO, also for a path
 * that ends in no name (".", "/"); MEMORY. */
trm_status trm__dir_open_parent(trm__dir *d, const char *path, char **name, trm_error *err);
trm_status trm__dir_sync(const trm__dir *d, trm_error *err);

/* What `name` is, links not followed. */
trm_status trm__dir_look(const trm__dir *d, const char *name, trm__kind *kind, trm_error *err);
/* A failure of `what` ("cannot be opened") for that name, by a cause of base/os_file.h. */
trm_status trm__dir_fail(const trm__dir *d, const char *name, const char *what, int cause,
                         trm_error *err);
/* Opens a plain file that grows, made if it is absent, for the functions of os_file.h that say so.
 * *links: its names (a second one may lie anywhere). Errors: IO, SYSTEM where there is no such
 * thing.
 */
trm_status trm__dir_open_log(const trm__dir *d, const char *name, int *fd, int *links,
                             trm_error *err);
/* All names in it but . and .., sorted; freed by trm__names_free. */
trm_status trm__dir_names(const trm__dir *d, trm__names *out, trm_error *err);
void trm__names_free(trm__names *names);
/* As trm__remove_tree. */
trm_status trm__dir_remove(const trm__dir *d, const char *name, trm_error *err);
/* What is called `to` is replaced: a file or link by a file, an empty folder by a folder. */
trm_status trm__dir_rename(const trm__dir *d, const char *from, const char *to, trm_error *err);
/* Two names change places in one step. *done: false where kernel or file system cannot. */
trm_status trm__dir_exchange(const trm__dir *d, const char *a, const char *b, bool *done,
                             trm_error *err);

#endif
