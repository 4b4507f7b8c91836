/* The seam for the system (see os_thread.h): files and folders. base/folder.h, draft.h and file.h
 * are what the rest of the library uses.
 *
 * Functions that can fail return 0 or a *cause*, a number of the system's: trm__os_text says it in
 * words, trm__os_reason which of a few it is that somebody asks for. Results are untouched then
 * unless it says otherwise. Names below an open folder have no '/', and no link of that name is
 * followed. Any thread may call them; of two that change the same name, either may be first. */
#ifndef TRM_BASE_OS_FILE_H
#define TRM_BASE_OS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* --- causes --- */

typedef enum trm__os_why {
  TRM__OS_OTHER,
  TRM__OS_ABSENT, /* there is no such file or folder */
  TRM__OS_THERE,  /* it exists already */
  TRM__OS_FIXED,  /* the name cannot go elsewhere: a mount point, another disk, a lower layer */
  TRM__OS_FULL,   /* the disk is, or a quota */
  TRM__OS_NO_MEMORY
} trm__os_why;

/* Causes that are no system's. */
enum {
  TRM__OS_UNKNOWN = -1, /* a failure to read or write of which nothing more is known */
  TRM__OS_UNABLE = -2   /* there is no such thing in this build: threads, folders */
};

trm__os_why trm__os_reason(int cause);
/* Valid until somebody asks again: for a message that is made at once. */
const char *trm__os_text(int cause);

/* --- folders --- */

typedef enum trm__kind { TRM__ABSENT, TRM__FILE, TRM__DIR, TRM__LINK, TRM__OTHER } trm__kind;

/* An open folder: what happens in it happens there, whatever its path comes to mean, where the
 * system can do that, else by its path. */
typedef struct trm__dir {
  int fd;     /* valid while path is set; the system's affair */
  char *path; /* for messages, and for what only takes paths */
} trm__dir;

typedef struct trm__names {
  char **v;
  size_t n;
} trm__names;

/* What is called `name` in the folder; with `in` NULL what the path leads to, links followed. That
 * it is absent is no failure. */
int trm__os_look(const trm__dir *in, const char *name, trm__kind *kind);
/* Makes one folder; a path that leads to one already is fine. */
int trm__os_make_dir(const char *path);
/* Fills in d->fd for d->path; trm__os_close gives it back. */
int trm__os_open_dir(trm__dir *d);
void trm__os_close(int fd);
/* Brings its names to the disk; success where there is nothing to bring. */
int trm__os_sync_dir(const trm__dir *d);
/* All names in it but . and .., in any order: blocks of trm__alloc. A failure leaves those that
 * came before it. */
int trm__os_list(const trm__dir *d, trm__names *out);
/* Removes a file, a link, or a folder with all that is in it; absent is fine. `in` NULL: a path,
 * the last part of which is not followed either. Takes no memory where the system allows it. */
int trm__os_remove(const trm__dir *in, const char *name);
/* Gives `from` the name `to`, in one step but by TRM_OS=none. What had it is replaced: a file or
 * link by a file, an empty folder by a folder. */
int trm__os_rename(const trm__dir *from_in, const char *from, const trm__dir *to_in,
                   const char *to);
/* Two names change places in one step; *done is false where the system cannot. */
int trm__os_exchange(const trm__dir *in, const char *a, const char *b, bool *done);
/* Whether the folder cannot be renamed, for it begins a disk or a mount. */
int trm__os_is_fixed(const char *path, bool *fixed);
/* Where a path leads when all links are followed: a block of trm__alloc. */
int trm__os_real_path(const char *path, char **real);

/* --- what is written: see draft.h --- */

typedef enum trm__lock { TRM__LOCKED, TRM__LOCK_BUSY, TRM__LOCK_NONE } trm__lock;

/* Makes an empty file or folder. *fd holds it, for the functions below, until trm__os_close. */
int trm__os_create(const trm__dir *in, const char *name, bool folder, int *fd);
/* Holds a file or folder that is there, without waiting for anybody. */
int trm__os_hold(const trm__dir *in, const char *name, bool folder, int *fd);
/* Whether the name still means what is held. */
bool trm__os_is_held(const trm__dir *in, const char *name, int fd);
/* Locks what is held for this process until it is closed, without waiting. NONE: the system, or
 * its disk, has no locks. */
int trm__os_lock(int fd, trm__lock *out);
/* A stream that writes the file `name` which is held, from its beginning: fclose ends the stream
 * and not the hold. */
int trm__os_stream(const trm__dir *in, const char *name, int fd, FILE **out);
/* Brings what was flushed to the disk. */
int trm__os_sync(FILE *f);
/* ftell and fseek for files of any length; -1 and a cause in errno on failure. */
int64_t trm__os_tell(FILE *f);
int trm__os_seek(FILE *f, int64_t at, int whence);

/* --- what grows: opened by trm__dir_open_log of folder.h, locked and closed as what is held --- */

/* Its length, and what cuts it to so many bytes. */
int trm__os_size(int fd, int64_t *bytes);
int trm__os_cut(int fd, int64_t bytes);
/* n bytes at its end; after a failure some of them may be there. */
int trm__os_append(int fd, const void *data, size_t n);
/* Brings it, or what is written below, to the disk; success where there is none behind it. */
int trm__os_sync_fd(int fd);

/* --- what is written in any order: made by trm__os_create, or opened here; also what grows --- */

/* Opens a file for reading and writing. *links: its names; 0: it is no plain file. */
int trm__os_open_rows(const trm__dir *in, const char *name, int *fd, int *links);
int trm__os_write_at(int fd, const void *data, size_t n, int64_t at);
/* *got: fewer than n at the end of the file. */
int trm__os_read_at(int fd, void *data, size_t n, int64_t at, size_t *got);
/* A number that no other folder of the disk has. */
int trm__os_identity(const trm__dir *d, uint64_t *id);

/* --- what is read --- */

/* A stream over a file or a pipe. One that nobody has open for writing is at its end, and not
 * waited for; *is_file: it is a plain file. */
int trm__os_open_stream(const char *path, FILE **out, bool *is_file);

/* The first `room` bytes of a small file or, of a link, of where it leads. */
int trm__os_read_small(const trm__dir *in, const char *name, char *text, size_t room, size_t *n);

/* trm__map_open and trm__map_close of file.h are the seam's, too. */

#endif
