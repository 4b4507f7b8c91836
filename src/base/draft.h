/* Drafts. What is written grows beside its place, as NAME.trm-partial, and takes its name when it
 * is complete. While it grows it is locked, so that what a killed process left is known as such:
 * the next one to write NAME replaces it. */
#ifndef TRM_BASE_DRAFT_H
#define TRM_BASE_DRAFT_H

#include "base/folder.h"

/* The suffix of a draft, and of a folder that is being replaced where two cannot change places. */
#define TRM__PARTIAL ".trm-partial"
#define TRM__REPLACED ".trm-replaced"

/* --- locks --- */

/* Locks an open file or folder for this process until the descriptor is closed, without waiting.
 * NONE: its file system has no locks. Errors: IO. */
trm_status trm__lock_take(int fd, const char *path, trm__lock *out, trm_error *err);

/* --- drafts --- */

/* Zeroed: none. */
typedef struct trm__draft {
  const trm__dir *at; /* the folder of its place; NULL: `own` */
  trm__dir own;
  char *path; /* of its place, for messages */
  char *name, *partial;
  int fd; /* of what grows, valid while `partial` is set; it carries the lock */
} trm__draft;
/* The open folder of its place. */
const trm__dir *trm__draft_in(const trm__draft *d);
/* A fresh empty file, or folder, for `name` in `in`; or, with in NULL, for the path `name`. `in`
 * stays open until the draft is placed or dropped. Errors: SYSTEM when another process is writing
 * it; IO; MEMORY. */
trm_status trm__draft_open(trm__draft *d, const trm__dir *in, const char *name, bool folder,
                           trm_error *err);
/* Gives it its name, whatever comes; a file replaces a file or a link, a folder an empty one. */
trm_status trm__draft_place(trm__draft *d, trm_error *err);
/* The same after it was given its name by other means. */
trm_status trm__draft_placed(trm__draft *d, trm_error *err);
/* Removes it, if it was not placed, and frees what it takes. */
void trm__draft_drop(trm__draft *d);
/* A failure to write it: names the place and the cause (base/os_file.h; an errno), a full disk in
 * particular. */
trm_status trm__draft_fail(const trm__draft *d, int cause, trm_error *err);

/* --- whole folders --- */

/* What kind of folder is written, so that nothing else is ever replaced. */
typedef struct trm__folder_kind {
  const char *noun;         /* "data set" */
  const char *const *names; /* what may be in one, up to NULL; without the first it is none */
  bool flat;                /* that is files only */
  trm_status (*check)(const char *dir, trm_error *err); /* refuses more; may be NULL */
} trm__folder_kind;

/* A folder that appears complete, or replaces the one that is there, or is not seen. Zeroed before
 * begin:
 *   trm__folder_begin(&f, path, &kind, err); files below f.path ...; trm__folder_commit(&f, err);
 * and trm__folder_abort(&f) on every way out; it removes what was not committed. Where the system
 * cannot let two folders change places, an old one is renamed first, and for an instant there is
 * none; the next write of this place puts it back if that instant was the last.
 *
 * A place that cannot be renamed, a mount point or ".", is filled: the new folder grows in it, and
 * its parts move up one by one when it is complete, the first of kind->names last, after the old
 * ones went, that one first. A kill in between leaves no folder of this kind. */
typedef struct trm__folder {
  const trm__folder_kind *kind;
  trm__draft draft;
  trm__dir inside; /* the place that is filled; path NULL: it is replaced */
  char *place;     /* with a link that was named resolved */
  char *path;      /* where it grows */
} trm__folder;
/* Refuses a place that holds anything but such a folder; makes the folders above it. */
trm_status trm__folder_begin(trm__folder *f, const char *path, const trm__folder_kind *kind,
                             trm_error *err);
trm_status trm__folder_commit(trm__folder *f, trm_error *err);
void trm__folder_abort(trm__folder *f);
/* What trm__folder_begin would refuse; makes nothing. */
trm_status trm__folder_check(const char *path, const trm__folder_kind *kind, trm_error *err);

#endif
