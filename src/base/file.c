/* Files that are written; see file.h. */
#include "base/file.h"

#include <errno.h>
#include <stdarg.h>

/* --- writers --- */

static trm_status open_writer(trm__writer *w, const trm__dir *in, const char *name,
                              trm_error *err) {
  *w = (trm__writer){0};
  TRM_TRY(trm__draft_open(&w->draft, in, name, false, err));
  const int cause = trm__os_stream(trm__draft_in(&w->draft), w->draft.partial, w->draft.fd, &w->f);
  if (!cause) return TRM_OK;
  const trm_status st = trm__draft_fail(&w->draft, cause, err);
  trm__draft_drop(&w->draft);
  return st;
}

trm_status trm__writer_open(trm__writer *w, const char *path, trm_error *err) {
  return open_writer(w, NULL, path, err);
}

trm_status trm__writer_open_at(trm__writer *w, const trm__dir *in, const char *name,
                               trm_error *err) {
  return open_writer(w, in, name, err);
}

/* Streams of C need not say why: then it is the disk. */
static void remember(trm__writer *w) {
  if (!w->error) w->error = errno ? errno : TRM__OS_UNKNOWN;
}

void trm__write(trm__writer *w, const void *data, size_t n) {
  if (w->error || n == 0) return;
  errno = 0;
  if (fwrite(data, 1, n, w->f) != n) remember(w);
}

int64_t trm__writer_tell(trm__writer *w) {
  errno = 0;
  const int64_t at = trm__os_tell(w->f);
  if (at < 0 && !w->error) remember(w);
  return at < 0 ? 0 : at;
}

static void seek(trm__writer *w, int64_t at, int whence) {
  errno = 0;
  if (!w->error && trm__os_seek(w->f, at, whence)) remember(w);
}

void trm__writer_seek(trm__writer *w, int64_t at) {
  seek(w, at, SEEK_SET);
}

void trm__writer_seek_end(trm__writer *w) {
  seek(w, 0, SEEK_END);
}

void trm__writer_printf(trm__writer *w, const char *fmt, ...) {
  if (w->error) return;
  errno = 0;
  va_list args;
  va_start(args, fmt);
  if (vfprintf(w->f, fmt, args) < 0) remember(w);
  va_end(args);
}

trm_status trm__writer_commit(trm__writer *w, trm_error *err) {
  errno = 0;
  if (!w->error && (ferror(w->f) || fflush(w->f))) remember(w);
  if (!w->error) w->error = trm__os_sync(w->f);
  errno = 0;
  if (fclose(w->f)) remember(w);
  w->f = NULL;

  if (!w->error) return trm__draft_place(&w->draft, err);
  const trm_status st = trm__draft_fail(&w->draft, w->error, err);
  trm__draft_drop(&w->draft);
  return st;
}

trm_status trm__writer_save(const trm__dir *in, const char *name, const void *data, size_t n,
                            trm_error *err) {
  trm__writer w;
  TRM_TRY(in ? trm__writer_open_at(&w, in, name, err) : trm__writer_open(&w, name, err));
  trm__write(&w, data, n);
  return trm__writer_commit(&w, err);
}

void trm__writer_abort(trm__writer *w) {
  if (w->f) (void)fclose(w->f); /* the bytes are not wanted */
  trm__draft_drop(&w->draft);
  *w = (trm__writer){0};
}
