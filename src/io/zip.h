/* Zip archives: read from a mapping of the file, also zip64 and files that want to do harm; written
 * with aligned entries, complete or absent. */
#ifndef TRM_IO_ZIP_H
#define TRM_IO_ZIP_H

#include <stdint.h>

#include "base/file.h"

enum { TRM__ZIP_ALIGN = 64 /* of the data of a written entry in the file, as torch.save does */ };

/* The data lie at [offset, offset + stored_size) of the file: this was checked. */
typedef struct trm__zip_entry {
  const char *name;
  bool deflated; /* else stored: size == stored_size */
  uint32_t crc;  /* as the archive says, 0: none; compared by trm__zip_read and trm__zip_check */
  size_t offset, stored_size, size;
} trm__zip_entry;

typedef struct trm__zip trm__zip;

/* Reads the list of entries, no data. Encrypted entries, other methods than stored and deflated, a
 * name that occurs twice and more than 2^16 entries are refused. Errors: IO; MEMORY; FORMAT with
 * the file and the entry. */
trm_status trm__zip_open(const char *path, trm__zip **out, trm_error *err);
void trm__zip_close(trm__zip *zip); /* NULL is fine */
int trm__zip_count(const trm__zip *zip);
/* The i-th by name, 0 <= i < count. */
const trm__zip_entry *trm__zip_at(const trm__zip *zip, int i);
/* NULL when there is none of that name. */
const trm__zip_entry *trm__zip_find(const trm__zip *zip, const char *name);
const char *trm__zip_path(const trm__zip *zip);
/* The bytes of a stored entry in the mapping, as they lie there: the CRC is not looked at. NULL of
 * a deflated one. */
const unsigned char *trm__zip_view(const trm__zip *zip, const trm__zip_entry *entry);
/* FORMAT unless the bytes of a stored entry have its CRC. Reads all of them. */
trm_status trm__zip_check(const trm__zip *zip, const trm__zip_entry *entry, trm_error *err);
/* An entry from its first byte on, piece by piece: memory is taken for none. */
typedef struct trm__zip_stream trm__zip_stream;
trm_status trm__zip_stream_open(const trm__zip *zip, const trm__zip_entry *entry,
                                trm__zip_stream **out, trm_error *err);
void trm__zip_stream_close(trm__zip_stream *s); /* NULL is fine */
/* The next n bytes, which must be there. With the last of an entry its CRC is checked. */
trm_status trm__zip_stream_read(trm__zip_stream *s, void *out, size_t n, trm_error *err);
/* A whole entry of at most max bytes in a fresh block (trm__free), with its CRC checked. */
trm_status trm__zip_read(const trm__zip *zip, const trm__zip_entry *entry, size_t max,
                         unsigned char **out, trm_error *err);

/* An archive of stored entries:
 *   TRM_TRY(trm__zip_create(&w, path, err));
 *   trm__zip_begin(&w, "data/0", size); trm__zip_append(&w, p, n); ... trm__zip_end(&w);
 *   return trm__zip_commit(&w, err);     (errors are remembered, not returned before)
 * The same entries give the same bytes: no date is written. */
typedef struct trm__zip_writer {
  trm__writer file;
  trm__zip_entry *entries; /* [room] */
  int n, room;
  uint64_t left; /* bytes of the entry that is open */
  trm_status st; /* what went wrong beside the file: MEMORY, ARGUMENT */
} trm__zip_writer;
trm_status trm__zip_create(trm__zip_writer *w, const char *path, trm_error *err);
/* `size`: bytes to come; entries and archives of 4 GiB and more become zip64. */
void trm__zip_begin(trm__zip_writer *w, const char *name, uint64_t size);
void trm__zip_append(trm__zip_writer *w, const void *data, size_t n);
void trm__zip_end(trm__zip_writer *w);
trm_status trm__zip_commit(trm__zip_writer *w, trm_error *err);
void trm__zip_abort(trm__zip_writer *w); /* after commit or on a zeroed one: no effect */

/* Sizes of the format's records without their names and fields, and the marks they begin with. */
enum {
  TRM__ZIP_HEADER = 30,
  TRM__ZIP_RECORD = 46,
  TRM__ZIP_END = 22,
  TRM__ZIP_LOCATOR = 20,
  TRM__ZIP_WIDE_END = 56,
  TRM__ZIP_HEADER_MARK = 0x04034b50,
  TRM__ZIP_RECORD_MARK = 0x02014b50,
  TRM__ZIP_END_MARK = 0x06054b50,
  TRM__ZIP_LOCATOR_MARK = 0x07064b50,
  TRM__ZIP_WIDE_END_MARK = 0x06064b50
};

#endif
