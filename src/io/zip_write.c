/* Writing. minizip writes through our file, so that the archive appears complete or not at all. It
 * goes back to put the CRC in front of an entry's data; a FILE can do that. */
#include <minizip/zip.h>
#include <string.h>

#include "io/zip.h"

static voidpf file_open(voidpf opaque, const void *name, int mode) {
  (void)name, (void)mode;
  return opaque;
}

static uLong file_read(voidpf opaque, voidpf handle, void *buf, uLong n) {
  (void)opaque, (void)handle, (void)buf, (void)n;
  return 0;
}

static uLong file_write(voidpf opaque, voidpf handle, const void *buf, uLong n) {
  (void)opaque;
  trm__writer *w = handle;
  trm__write(w, buf, n);
  return w->error ? 0 : n;
}

static ZPOS64_T file_tell(voidpf opaque, voidpf handle) {
  (void)opaque;
  return (ZPOS64_T)ftello(((trm__writer *)handle)->f);
}

static long file_seek(voidpf opaque, voidpf handle, ZPOS64_T offset, int origin) {
  static const int origins[] = {[ZLIB_FILEFUNC_SEEK_SET] = SEEK_SET,
                                [ZLIB_FILEFUNC_SEEK_CUR] = SEEK_CUR,
                                [ZLIB_FILEFUNC_SEEK_END] = SEEK_END};
  (void)opaque;
  return fseeko(((trm__writer *)handle)->f, (off_t)offset, origins[origin]) ? -1 : 0;
}

/* The commit closes the file, and the writer remembers errors. */
static int file_close(voidpf opaque, voidpf handle) {
  (void)opaque, (void)handle;
  return 0;
}

static void remember(trm__zip_writer *w, int error) {
  if (!w->error) w->error = error;
}

trm_status trm__zip_create(trm__zip_writer *w, const char *path, trm_error *err) {
  *w = (trm__zip_writer){0};
  TRM_TRY(trm__writer_open(&w->file, path, err));
  zlib_filefunc64_def functions = {.zopen64_file = file_open,
                                   .zread_file = file_read,
                                   .zwrite_file = file_write,
                                   .ztell64_file = file_tell,
                                   .zseek64_file = file_seek,
                                   .zclose_file = file_close,
                                   .zerror_file = file_close,
                                   .opaque = &w->file};
  w->zip = zipOpen2_64(path, APPEND_STATUS_CREATE, NULL, &functions);
  if (!w->zip) {
    trm__writer_abort(&w->file);
    TRM_FAIL(err, TRM_E_MEMORY, "%s: no memory to write a zip archive", path);
  }
  return TRM_OK;
}

void trm__zip_begin(trm__zip_writer *w, const char *name, uint64_t size) {
  enum { HEADER = 30, ZIP64_FIELD = 20, FIELD_HEAD = 4 };
  /* A field of no meaning pads the header; "FB" is the one that torch.save uses for that. */
  unsigned char field[TRM__ZIP_ALIGN + FIELD_HEAD] = "FB";
  const int zip64 = size >= UINT32_MAX;
  const off_t at = ftello(w->file.f);
  if (w->error || at < 0) {
    remember(w, ZIP_ERRNO);
    return;
  }
  const size_t before = (size_t)at + HEADER + strlen(name) + (zip64 ? ZIP64_FIELD : 0) + FIELD_HEAD;
  const size_t padding = (TRM__ZIP_ALIGN - before % TRM__ZIP_ALIGN) % TRM__ZIP_ALIGN;
  field[2] = (unsigned char)padding;
  remember(w, zipOpenNewFileInZip64(w->zip, name, NULL, field, (uInt)(FIELD_HEAD + padding), NULL,
                                    0, NULL, 0 /* stored */, 0, zip64));
}

void trm__zip_append(trm__zip_writer *w, const void *data, size_t n) {
  enum { PIECE = 1 << 30 };
  for (const char *p = data; n && !w->error;) {
    const unsigned piece = n < PIECE ? (unsigned)n : PIECE;
    remember(w, zipWriteInFileInZip(w->zip, p, piece));
    p += piece;
    n -= piece;
  }
}

void trm__zip_end(trm__zip_writer *w) {
  if (!w->error) remember(w, zipCloseFileInZip(w->zip));
}

trm_status trm__zip_commit(trm__zip_writer *w, trm_error *err) {
  const int closed = zipClose(w->zip, NULL);
  w->zip = NULL;
  remember(w, closed);
  if (w->error && !w->file.error) {
    const trm_status st =
        trm__fail(err, TRM_E_IO, -1, "%s: the zip archive could not be written", w->file.path);
    trm__writer_abort(&w->file);
    return st;
  }
  return trm__writer_commit(&w->file, err);
}

void trm__zip_abort(trm__zip_writer *w) {
  if (w->zip) (void)zipClose(w->zip, NULL); /* the bytes are not wanted */
  w->zip = NULL;
  trm__writer_abort(&w->file);
}
