/* Drafts of files and folders; see draft.h. */
#include "base/draft.h"

#include <string.h>

#include "base/memory.h"
#include "base/os_thread.h"

/* --- locks --- */

trm_status trm__lock_take(int fd, const char *path, trm__lock *out, trm_error *err) {
  const int cause = trm__os_lock(fd, out);
  if (!cause) return TRM_OK;
  TRM_FAIL(err, TRM_E_IO, "%s: cannot be locked: %s", path, trm__os_text(cause));
}

/* --- drafts --- */

const trm__dir *trm__draft_in(const trm__draft *d) {
  return d->at ? d->at : &d->own;
}

trm_status trm__draft_fail(const trm__draft *d, int cause, trm_error *err) {
  const trm__os_why why = trm__os_reason(cause);
  const bool full = why == TRM__OS_FULL;
  TRM_FAIL(err, why == TRM__OS_NO_MEMORY ? TRM_E_MEMORY : TRM_E_IO,
           "%s: %s%s; nothing at this path has changed%s", d->path,
           full ? "the disk is full: " : "cannot be written: ", trm__os_text(cause),
           full ? ", make room and try again" : "");
}

/* Something has the draft's name. It goes unless a process holds it. */
static trm_status clear_leftover(const trm__draft *d, trm_error *err) {
  const trm__dir *in = trm__draft_in(d);
  trm__kind kind;
  trm__lock lock = TRM__LOCKED;
  int fd;
  TRM_TRY(trm__dir_look(in, d->partial, &kind, err));
  if (kind != TRM__FILE && kind != TRM__DIR) return trm__dir_remove(in, d->partial, err);
  const int cause = trm__os_hold(in, d->partial, kind == TRM__DIR, &fd);
  if (cause && trm__os_reason(cause) == TRM__OS_ABSENT) return TRM_OK;
  if (cause) return trm__draft_fail(d, cause, err);

  trm_status st = trm__lock_take(fd, d->partial, &lock, err);
  if (st == TRM_OK && lock == TRM__LOCK_BUSY)
    st = trm__fail(err, TRM_E_SYSTEM, -1, "%s: another process is writing it", d->path);
  else if (st == TRM_OK && lock == TRM__LOCK_NONE)
    st = trm__fail(err, TRM_E_IO, -1,
                   "%s/%s is there: of a process that is writing, or left by one that was "
                   "killed, which cannot be told on this file system; in the second case remove "
                   "it",
                   in->path, d->partial);
  if (st == TRM_OK) st = trm__dir_remove(in, d->partial, err);
  trm__os_close(fd);
  return st;
}

/* Creates it and takes its lock. It is ours if the name still means what is held: if nobody took it
 * for a leftover before it was locked. */
static trm_status create_locked(trm__draft *d, bool folder, trm_error *err) {
  enum { TRIES = 100 };
  const trm__dir *in = trm__draft_in(d);
  for (int i = 0; i < TRIES; i++, trm__os_yield()) {
    trm__lock lock;
    const int cause = trm__os_create(in, d->partial, folder, &d->fd);
    if (cause && trm__os_reason(cause) != TRM__OS_THERE) return trm__draft_fail(d, cause, err);
    if (cause) {
      TRM_TRY(clear_leftover(d, err));
      continue;
    }
    const trm_status st = trm__lock_take(d->fd, d->partial, &lock, err);
    if (st == TRM_OK && lock != TRM__LOCK_BUSY && trm__os_is_held(in, d->partial, d->fd))
      return TRM_OK;
    if (st != TRM_OK) (void)trm__os_remove(in, d->partial);
    trm__os_close(d->fd);
    TRM_TRY(st);
  }
  TRM_FAIL(err, TRM_E_IO, "%s: other processes keep writing it", d->path);
}

static char *with_suffix(const char *text, const char *suffix) {
  const size_t n = strlen(text), m = strlen(suffix);
  char *copy = trm__alloc(n + m + 1, 1);
  if (!copy) return NULL;
  memcpy(copy, text, n);
  memcpy(copy + n, suffix, m);
  return copy;
}

static void release(trm__draft *d) {
  trm__free(d->path);
  trm__free(d->name);
  trm__free(d->partial);
  trm__dir_close(&d->own);
  *d = (trm__draft){0};
}

trm_status trm__draft_open(trm__draft *d, const trm__dir *in, const char *name, bool folder,
                           trm_error *err) {
  *d = (trm__draft){.at = in};
  trm_status st = TRM_OK;
  trm_error cause = {0};
  d->path = trm__path_join(in ? in->path : "", name);
  if (in)
    d->name = trm__path_join("", name);
  else if (trm__dir_open_parent(&d->own, name, &d->name, &cause) != TRM_OK)
    st = trm__fail(err, cause.code, -1, "%s: cannot be written: %s", name, cause.msg);
  if (d->path && d->name) d->partial = with_suffix(d->name, TRM__PARTIAL);
  if (st == TRM_OK && !d->partial) st = trm__fail(err, TRM_E_MEMORY, -1, "no memory for a path");
  if (st == TRM_OK) st = create_locked(d, folder, err);
  if (st != TRM_OK) release(d);
  return st;
}

trm_status trm__draft_place(trm__draft *d, trm_error *err) {
  const int cause = trm__os_rename(trm__draft_in(d), d->partial, trm__draft_in(d), d->name);
  if (!cause) return trm__draft_placed(d, err);
  const trm_status st = trm__draft_fail(d, cause, err);
  trm__draft_drop(d);
  return st;
}

trm_status trm__draft_placed(trm__draft *d, trm_error *err) {
  const trm_status st = trm__dir_sync(trm__draft_in(d), err);
  trm__os_close(d->fd);
  release(d);
  return st;
}

/* The lock ends with the descriptor: what is removed is removed before. */
void trm__draft_drop(trm__draft *d) {
  if (!d->partial) return;
  (void)trm__dir_remove(trm__draft_in(d), d->partial, NULL);
  trm__os_close(d->fd);
  release(d);
}

/* --- whole folders --- */

/* The name of what grows inside a place that is filled. */
static const char inner_name[] = "new", inner_partial[] = "new" TRM__PARTIAL;

/* Replaces *place by what it leads to. */
static trm_status follow_links(char **place, const char *path, trm_error *err) {
  char *real;
  const int cause = trm__os_real_path(*place, &real);
  if (cause && trm__os_reason(cause) == TRM__OS_NO_MEMORY)
    TRM_FAIL(err, TRM_E_MEMORY, "%s: no memory to see where it leads", path);
  if (cause) TRM_FAIL(err, TRM_E_IO, "%s leads nowhere: %s", path, trm__os_text(cause));
  trm__free(*place);
  *place = real;
  return TRM_OK;
}

/* "." and ".." stand for a place without its name: whoever is in it would see its name go. */
static bool is_nameless(const char *place) {
  const char *slash = strrchr(place, '/'), *last = slash ? slash + 1 : place;
  return !*last || !strcmp(last, ".") || !strcmp(last, "..");
}

/* The place itself where `path` is a link to one: the link stays. */
static trm_status find_place(const char *path, char **place, trm_error *err) {
  trm__dir in;
  trm__kind kind = TRM__ABSENT;
  char *name;
  *place = NULL;
  if (!path || !*path) TRM_FAIL(err, TRM_E_ARGUMENT, "no output folder was named");
  *place = trm__path_join("", path);
  if (!*place) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a path");
  for (size_t n = strlen(*place); n > 1 && (*place)[n - 1] == '/'; n--) (*place)[n - 1] = 0;
  if (is_nameless(*place)) return TRM_OK;

  /* Folders above it that do not exist yet hold no link. */
  char *slash = strrchr(*place, '/');
  if (slash && slash != *place) {
    *slash = 0;
    const trm_status above = trm__path_look(*place, &kind, err);
    *slash = '/';
    if (above != TRM_OK || kind == TRM__ABSENT) return above;
  }
  TRM_TRY(trm__dir_open_parent(&in, *place, &name, err));
  const trm_status st = trm__dir_look(&in, name, &kind, err);
  trm__dir_close(&in);
  trm__free(name);
  return st == TRM_OK && kind == TRM__LINK ? follow_links(place, path, err) : st;
}

static bool is_among(const char *name, const char *const *names) {
  while (*names && strcmp(name, *names) != 0) names++;
  return *names != NULL;
}

/* Refuses what no folder of this kind holds. */
static trm_status check_name(const trm__dir *d, const char *name, const trm__folder_kind *kind,
                             trm_error *err) {
  trm__kind is;
  if (!strcmp(name, inner_partial)) return TRM_OK; /* grows in it, or was left there */
  TRM_TRY(trm__dir_look(d, name, &is, err));
  if (is_among(name, kind->names) && (is != TRM__DIR || !kind->flat)) return TRM_OK;
  TRM_FAIL(err, TRM_E_IO,
           "%s holds %s'%s', which no %s does: it is not replaced; choose another output folder",
           d->path, is == TRM__DIR ? "the folder " : "", name, kind->noun);
}

/* What may be replaced: nothing, an empty folder, or one of its kind. */
static trm_status check_place(const char *place, const trm__folder_kind *kind, trm_error *err) {
  trm__dir d;
  trm__names names;
  trm__kind is;
  TRM_TRY(trm__path_look(place, &is, err));
  if (is == TRM__ABSENT) return TRM_OK;
  if (is != TRM__DIR)
    TRM_FAIL(err, TRM_E_IO, "%s exists and is no folder: choose another output folder", place);
  TRM_TRY(trm__dir_open(&d, place, err));
  trm_status st = trm__dir_names(&d, &names, err);
  for (size_t i = 0; i < names.n && st == TRM_OK; i++) st = check_name(&d, names.v[i], kind, err);
  if (st == TRM_OK && kind->check && names.n) st = kind->check(place, err);
  trm__names_free(&names);
  trm__dir_close(&d);
  return st;
}

trm_status trm__folder_check(const char *path, const trm__folder_kind *kind, trm_error *err) {
  char *place;
  trm_status st = find_place(path, &place, err);
  if (st == TRM_OK) st = check_place(place, kind, err);
  trm__free(place);
  return st;
}

/* The folders above the place. */
static trm_status make_parents(char *place, trm_error *err) {
  char *slash = strrchr(place, '/');
  if (!slash || slash == place) return TRM_OK;
  *slash = 0;
  const trm_status st = trm__make_dirs(place, err);
  *slash = '/';
  return st;
}

/* An old folder that stepped aside, or what is left of it: nothing in it is foreign to its kind. */
static trm_status is_ours(const trm__dir *in, const char *name, const trm__folder_kind *kind,
                          bool *ours, trm_error *err) {
  trm__dir d;
  trm__names names;
  trm__kind is;
  *ours = false;
  TRM_TRY(trm__dir_look(in, name, &is, err));
  if (is != TRM__DIR) return TRM_OK;
  char *path = trm__path_join(in->path, name);
  if (!path) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a path");
  trm_status st = trm__dir_open(&d, path, err);
  trm__free(path);
  TRM_TRY(st);
  st = trm__dir_names(&d, &names, err);
  *ours = st == TRM_OK;
  for (size_t i = 0; i < names.n && *ours; i++) *ours = is_among(names.v[i], kind->names);
  trm__names_free(&names);
  trm__dir_close(&d);
  return st;
}

/* What an interrupted replacement left under another name is put back, or removed where the new
 * folder is in place. What is not ours is left alone. */
static trm_status restore(const trm__draft *d, const trm__folder_kind *kind, trm_error *err) {
  trm__kind here;
  bool ours;
  char *replaced = with_suffix(d->name, TRM__REPLACED);
  if (!replaced) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a path");
  trm_status st = trm__dir_look(trm__draft_in(d), d->name, &here, err);
  if (st == TRM_OK) st = is_ours(trm__draft_in(d), replaced, kind, &ours, err);
  if (st == TRM_OK && ours)
    st = here == TRM__ABSENT ? trm__dir_rename(trm__draft_in(d), replaced, d->name, err)
                             : trm__dir_remove(trm__draft_in(d), replaced, err);
  trm__free(replaced);
  return st;
}

/* Whether the place is there and cannot be renamed. */
static trm_status is_fixed(const char *place, bool *fixed, trm_error *err) {
  trm__kind kind;
  *fixed = is_nameless(place);
  TRM_TRY(trm__path_look(place, &kind, err));
  if (*fixed || kind == TRM__ABSENT) return TRM_OK;
  const int cause = trm__os_is_fixed(place, fixed);
  if (!cause) return TRM_OK;
  TRM_FAIL(err, trm__os_reason(cause) == TRM__OS_NO_MEMORY ? TRM_E_MEMORY : TRM_E_IO,
           "%s: cannot be examined: %s", place, trm__os_text(cause));
}

static trm_status begin_inside(trm__folder *f, trm_error *err) {
  TRM_TRY(trm__dir_open(&f->inside, f->place, err));
  TRM_TRY(trm__draft_open(&f->draft, &f->inside, inner_name, true, err));
  f->path = trm__path_join(f->place, f->draft.partial);
  if (!f->path) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a path");
  return TRM_OK;
}

trm_status trm__folder_begin(trm__folder *f, const char *path, const trm__folder_kind *kind,
                             trm_error *err) {
  bool fixed;
  f->kind = kind;
  TRM_TRY(find_place(path, &f->place, err));
  TRM_TRY(check_place(f->place, kind, err));
  TRM_TRY(is_fixed(f->place, &fixed, err));
  if (fixed) return begin_inside(f, err);
  TRM_TRY(make_parents(f->place, err));
  TRM_TRY(trm__draft_open(&f->draft, NULL, f->place, true, err));
  TRM_TRY(restore(&f->draft, kind, err));
  TRM_TRY(check_place(f->place, kind, err));
  f->path = with_suffix(f->place, TRM__PARTIAL);
  if (!f->path) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a path");
  return TRM_OK;
}

/* Moves the parts of what grew into the open place. */
static trm_status fill(const trm__folder *f, const trm__dir *place, trm_error *err) {
  const char *const *names = f->kind->names;
  const trm__dir from = {.fd = f->draft.fd, .path = f->path};
  int n = 0;
  for (; names[n]; n++) TRM_TRY(trm__dir_remove(place, names[n], err));
  while (n-- > 0) {
    const int cause = trm__os_rename(&from, names[n], place, names[n]);
    if (cause && trm__os_reason(cause) != TRM__OS_ABSENT)
      return trm__dir_fail(place, names[n], "cannot be put in place", cause, err);
  }
  return trm__dir_sync(place, err);
}

/* Without an exchange of names: the old folder steps aside, and back again if the new one cannot
 * take its place. One that cannot step aside, of a lower layer of a container's files, is filled.
 */
static trm_status replace_in_steps(const trm__folder *f, const char *aside, trm_error *err) {
  const trm__draft *d = &f->draft;
  trm__kind taken; /* what was ours went at the beginning */
  TRM_TRY(trm__dir_look(trm__draft_in(d), aside, &taken, err));
  if (taken != TRM__ABSENT)
    TRM_FAIL(err, TRM_E_IO, "%s: its old folder has to step aside, and %s is there: move it away",
             d->path, aside);
  const int cause = trm__os_rename(trm__draft_in(d), d->name, trm__draft_in(d), aside);
  if (cause) {
    trm__dir place;
    if (trm__os_reason(cause) != TRM__OS_FIXED)
      TRM_FAIL(err, TRM_E_IO, "%s: cannot be replaced: %s", d->path, trm__os_text(cause));
    TRM_TRY(trm__dir_open(&place, f->place, err));
    const trm_status st = fill(f, &place, err);
    trm__dir_close(&place);
    return st == TRM_OK ? trm__dir_remove(trm__draft_in(d), d->partial, err) : st;
  }
  const trm_status st = trm__dir_rename(trm__draft_in(d), d->partial, d->name, err);
  if (st != TRM_OK) (void)trm__dir_rename(trm__draft_in(d), aside, d->name, NULL);
  return st;
}

/* The new folder takes its name. *old: what the one that had it is called now, one of the draft's
 * names or `aside`; NULL: there was none. */
static trm_status take_name(const trm__folder *f, const char *aside, const char **old,
                            trm_error *err) {
  const trm__draft *d = &f->draft;
  trm__kind kind;
  bool done = false;
  TRM_TRY(trm__dir_look(trm__draft_in(d), d->name, &kind, err));
  if (kind == TRM__ABSENT) return trm__dir_rename(trm__draft_in(d), d->partial, d->name, err);
  TRM_TRY(trm__dir_exchange(trm__draft_in(d), d->partial, d->name, &done, err));
  *old = done ? d->partial : aside;
  return done ? TRM_OK : replace_in_steps(f, aside, err);
}

trm_status trm__folder_commit(trm__folder *f, trm_error *err) {
  trm__draft *d = &f->draft;
  const char *old = NULL;
  TRM_TRY(trm__sync_dir(f->path, err));
  TRM_TRY(check_place(f->place, f->kind, err));
  if (f->inside.path) return fill(f, &f->inside, err); /* abort removes what is empty then */
  char *aside = with_suffix(d->name, TRM__REPLACED);
  if (!aside) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a path");
  trm_status st = take_name(f, aside, &old, err);
  if (st == TRM_OK) {
    /* The new folder is in place. What cannot be removed now, the next write removes. */
    st = trm__dir_sync(trm__draft_in(d), err);
    if (old) (void)trm__dir_remove(trm__draft_in(d), old, NULL);
    trm__os_close(d->fd);
    release(d);
  }
  trm__free(aside);
  return st;
}

void trm__folder_abort(trm__folder *f) {
  trm__draft_drop(&f->draft);
  trm__dir_close(&f->inside);
  trm__free(f->place);
  trm__free(f->path);
  *f = (trm__folder){0};
}
