/* Reading. The directory is walked by minizip, which sees the file only through functions that read
 * from our mapping: what it looked at is what we read, and nothing outside is ever touched. For
 * each entry it gives the place of the data; that the data lie in the file is checked here. */
#include "io/zip.h"

#include <minizip/unzip.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum {
  MAX_ENTRIES = 1 << 16,
  MAX_NAME = 1024,
  MAX_RATIO = 1032, /* deflate cannot shrink more */
  ENCRYPTED = 1     /* bit of the flags */
};

struct trm__zip {
  trm__map map;
  char *path;
  int n;
  trm__zip_entry *entries; /* [n], by name */
};

/* --- minizip's view of the mapping --- */

typedef struct stream {
  const trm__map *map;
  ZPOS64_T at;
  bool ended; /* somebody wanted more than there is: minizip takes the end for zeros, unless told */
} stream;

static voidpf stream_open(voidpf opaque, const void *name, int mode) {
  (void)name, (void)mode;
  return opaque;
}

static uLong stream_read(voidpf opaque, voidpf handle, void *buf, uLong n) {
  (void)opaque;
  stream *s = handle;
  const size_t left = s->at < s->map->size ? s->map->size - (size_t)s->at : 0;
  if (n > left) {
    n = left;
    s->ended = true;
  }
  if (n) memcpy(buf, s->map->data + s->at, n);
  s->at += n;
  return n;
}

static uLong stream_write(voidpf opaque, voidpf handle, const void *buf, uLong n) {
  (void)opaque, (void)handle, (void)buf, (void)n;
  return 0;
}

static ZPOS64_T stream_tell(voidpf opaque, voidpf handle) {
  (void)opaque;
  return ((const stream *)handle)->at;
}

static long stream_seek(voidpf opaque, voidpf handle, ZPOS64_T offset, int origin) {
  (void)opaque;
  stream *s = handle;
  const ZPOS64_T base = origin == ZLIB_FILEFUNC_SEEK_SET   ? 0
                        : origin == ZLIB_FILEFUNC_SEEK_CUR ? s->at
                                                           : s->map->size;
  if (offset > s->map->size || base > s->map->size - offset) return -1;
  s->at = base + offset;
  return 0;
}

static int stream_close(voidpf opaque, voidpf handle) {
  (void)opaque, (void)handle;
  return 0;
}

static int stream_error(voidpf opaque, voidpf handle) {
  (void)opaque;
  return ((const stream *)handle)->ended;
}

/* --- the list of entries --- */

/* The current entry's place; its header in front of the data is compared with the directory's. */
static trm_status locate_data(unzFile z, const unz_file_info64 *info, const trm__zip *zip,
                              const char *name, trm__zip_entry *e, trm_error *err) {
  int method;
  if (unzOpenCurrentFile2(z, &method, NULL, 1) != UNZ_OK)
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: entry \"%.80s\": what stands before its data contradicts the archive's directory",
             zip->path, name);
  const ZPOS64_T at = unzGetCurrentFileZStreamPos64(z);
  (void)unzCloseCurrentFile(z); /* nothing was read, so there is no CRC to fail */
  if (at > zip->map.size || info->compressed_size > zip->map.size - at)
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: entry \"%.80s\": %llu bytes from byte %llu on are not in the file of %zu bytes "
             "(is it truncated?)",
             zip->path, name, (unsigned long long)info->compressed_size, (unsigned long long)at,
             zip->map.size);
  e->offset = (size_t)at;
  e->stored_size = (size_t)info->compressed_size;
  return TRM_OK;
}

static trm_status check_method(const unz_file_info64 *info, const trm__zip *zip, const char *name,
                               trm_error *err) {
  if (info->flag & ENCRYPTED)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: entry \"%.80s\" is encrypted", zip->path, name);
  if (info->compression_method != 0 && info->compression_method != Z_DEFLATED)
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: entry \"%.80s\" is packed by method %lu; want stored (0) or deflated (8)",
             zip->path, name, info->compression_method);
  const bool stored = info->compression_method == 0;
  const ZPOS64_T most =
      stored ? info->compressed_size : info->compressed_size * MAX_RATIO + MAX_RATIO;
  const bool overflows = info->compressed_size > PTRDIFF_MAX / MAX_RATIO - 1;
  if (overflows || info->uncompressed_size > most ||
      (stored && info->uncompressed_size != info->compressed_size))
    TRM_FAIL(err, TRM_E_FORMAT, "%s: entry \"%.80s\": %llu bytes cannot come from %llu stored ones",
             zip->path, name, (unsigned long long)info->uncompressed_size,
             (unsigned long long)info->compressed_size);
  return TRM_OK;
}

static trm_status read_entry(unzFile z, const trm__zip *zip, trm__zip_entry *e, trm_error *err) {
  unz_file_info64 info;
  char name[MAX_NAME + 1];
  if (unzGetCurrentFileInfo64(z, &info, name, MAX_NAME, NULL, 0, NULL, 0) != UNZ_OK)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: the zip archive's directory is damaged", zip->path);
  if (info.size_filename >= MAX_NAME)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: the name of an entry has %lu bytes; want at most %d",
             zip->path, info.size_filename, MAX_NAME - 1);
  name[info.size_filename] = 0;
  if (strlen(name) != info.size_filename)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: the name of an entry (\"%.80s\") holds a zero byte", zip->path,
             name);
  TRM_TRY(check_method(&info, zip, name, err));
  TRM_TRY(locate_data(z, &info, zip, name, e, err));
  e->deflated = info.compression_method != 0;
  e->size = (size_t)info.uncompressed_size;
  e->crc = (uint32_t)info.crc;
  char *copy;
  TRM_ALLOC(&copy, info.size_filename + 1, "the name of a zip entry", err);
  memcpy(copy, name, info.size_filename);
  e->name = copy;
  return TRM_OK;
}

static int compare_names(const void *left, const void *right) {
  const trm__zip_entry *a = left, *b = right;
  return strcmp(a->name, b->name);
}

static trm_status read_entries(unzFile z, trm__zip *zip, trm_error *err) {
  unz_global_info64 global;
  if (unzGetGlobalInfo64(z, &global) != UNZ_OK)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: the zip archive's directory is damaged", zip->path);
  if (global.number_entry > MAX_ENTRIES)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: %llu entries; want at most %d", zip->path,
             (unsigned long long)global.number_entry, MAX_ENTRIES);
  const int n = (int)global.number_entry;
  TRM_ALLOC(&zip->entries, n, "the entries of a zip archive", err);
  int at = n ? unzGoToFirstFile(z) : UNZ_END_OF_LIST_OF_FILE;
  for (; at == UNZ_OK && zip->n < n; at = unzGoToNextFile(z)) {
    TRM_TRY(read_entry(z, zip, &zip->entries[zip->n], err));
    zip->n++;
  }
  if (zip->n != n)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: the zip archive's directory ends after %d of %d entries",
             zip->path, zip->n, n);
  if (n) qsort(zip->entries, (size_t)n, sizeof *zip->entries, compare_names);
  for (int i = 1; i < n; i++)
    if (!strcmp(zip->entries[i - 1].name, zip->entries[i].name))
      TRM_FAIL(err, TRM_E_FORMAT, "%s: two entries are named \"%.80s\"", zip->path,
               zip->entries[i].name);
  return TRM_OK;
}

static trm_status read_archive(const char *path, trm__zip *zip, trm_error *err) {
  const size_t n = strlen(path);
  TRM_ALLOC(&zip->path, n + 1, "a file name", err);
  memcpy(zip->path, path, n);
  TRM_TRY(trm__map_open(path, &zip->map, err));
  stream s = {.map = &zip->map};
  zlib_filefunc64_def functions = {.zopen64_file = stream_open,
                                   .zread_file = stream_read,
                                   .zwrite_file = stream_write,
                                   .ztell64_file = stream_tell,
                                   .zseek64_file = stream_seek,
                                   .zclose_file = stream_close,
                                   .zerror_file = stream_error,
                                   .opaque = &s};
  unzFile z = unzOpen2_64(path, &functions);
  if (!z)
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: not a zip archive, or truncated (a zip archive's directory is at its end; the "
             "file has %zu bytes)",
             path, zip->map.size);
  const trm_status st = read_entries(z, zip, err);
  (void)unzClose(z);
  return st;
}

trm_status trm__zip_open(const char *path, trm__zip **out, trm_error *err) {
  *out = NULL;
  trm__zip *zip;
  TRM_ALLOC(&zip, 1, "a zip archive", err);
  const trm_status st = read_archive(path, zip, err);
  if (st != TRM_OK) {
    trm__zip_close(zip);
    return st;
  }
  *out = zip;
  return TRM_OK;
}

void trm__zip_close(trm__zip *zip) {
  if (!zip) return;
  for (int i = 0; i < zip->n; i++) trm__free((char *)(uintptr_t)zip->entries[i].name);
  trm__free(zip->entries);
  trm__free(zip->path);
  trm__map_close(&zip->map);
  trm__free(zip);
}

int trm__zip_count(const trm__zip *zip) {
  return zip->n;
}

const trm__zip_entry *trm__zip_at(const trm__zip *zip, int i) {
  return &zip->entries[i];
}

const trm__zip_entry *trm__zip_find(const trm__zip *zip, const char *name) {
  const trm__zip_entry key = {.name = name};
  if (zip->n == 0) return NULL;
  return bsearch(&key, zip->entries, (size_t)zip->n, sizeof key, compare_names);
}

const char *trm__zip_path(const trm__zip *zip) {
  return zip->path;
}

/* --- data --- */

const unsigned char *trm__zip_view(const trm__zip *zip, const trm__zip_entry *entry) {
  return entry->deflated ? NULL : zip->map.data + entry->offset;
}

static trm_status check_crc(const trm__zip *zip, const trm__zip_entry *e, const unsigned char *data,
                            trm_error *err) {
  const uint32_t found = (uint32_t)crc32_z(crc32_z(0, NULL, 0), data, e->size);
  if (found != e->crc)
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: entry \"%.80s\" is damaged: its CRC is %08x, the archive says %08x; copy or "
             "download the file again",
             zip->path, e->name, found, e->crc);
  return TRM_OK;
}

trm_status trm__zip_check(const trm__zip *zip, const trm__zip_entry *entry, trm_error *err) {
  return check_crc(zip, entry, trm__zip_view(zip, entry), err);
}

/* Exactly e->size bytes out of all stored ones; false for anything else. */
static bool inflate_entry(z_stream *z, const trm__zip *zip, const trm__zip_entry *e,
                          unsigned char *out) {
  enum { PIECE = 1 << 30 /* below what zlib's counters hold */ };
  size_t in_left = e->stored_size, out_left = e->size;
  unsigned char spare; /* zlib wants room even where nothing is to come */
  int st = Z_OK;
  z->next_in = (unsigned char *)(uintptr_t)(zip->map.data + e->offset);
  z->next_out = out_left ? out : &spare;
  while (st == Z_OK) {
    const uInt in = in_left < PIECE ? (uInt)in_left : PIECE;
    const uInt room = out_left < PIECE ? (uInt)out_left : PIECE;
    z->avail_in = in;
    z->avail_out = room;
    st = inflate(z, Z_NO_FLUSH);
    in_left -= in - z->avail_in;
    out_left -= room - z->avail_out;
    if (in == z->avail_in && room == z->avail_out && st == Z_OK) break;
  }
  return st == Z_STREAM_END && in_left == 0 && out_left == 0;
}

static trm_status unpack_entry(const trm__zip *zip, const trm__zip_entry *e, unsigned char *out,
                               trm_error *err) {
  z_stream z = {0};
  if (inflateInit2(&z, -MAX_WBITS) != Z_OK)
    TRM_FAIL(err, TRM_E_MEMORY, "%s: no memory to unpack \"%.80s\"", zip->path, e->name);
  const bool good = inflate_entry(&z, zip, e, out);
  (void)inflateEnd(&z);
  if (!good)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: entry \"%.80s\" does not unpack to its %zu bytes: damaged",
             zip->path, e->name, e->size);
  return TRM_OK;
}

trm_status trm__zip_read(const trm__zip *zip, const trm__zip_entry *e, size_t max,
                         unsigned char **out, trm_error *err) {
  *out = NULL;
  if (e->size > max)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: entry \"%.80s\" has %zu bytes; want at most %zu", zip->path,
             e->name, e->size, max);
  unsigned char *data;
  TRM_ALLOC(&data, e->size, "an entry of a zip archive", err);
  trm_status st = TRM_OK;
  if (e->deflated)
    st = unpack_entry(zip, e, data, err);
  else if (e->size)
    memcpy(data, zip->map.data + e->offset, e->size);
  if (st == TRM_OK) st = check_crc(zip, e, data, err);
  if (st != TRM_OK) {
    trm__free(data);
    return st;
  }
  *out = data;
  return TRM_OK;
}
