/* Reading. A zip archive's directory is at its end: an end record, which in archives beyond 4 GiB
 * points to a wider one; in front of it one record per entry; and each entry has a header of its
 * own before its data. All of it is read from a mapping, and nothing is believed before it is seen
 * to lie in the file. The end record must close the file, and the data lie before the directory. */
#include "io/zip.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/memory.h"

enum {
  MAX_ENTRIES = 1 << 16,
  MAX_NAME = 1023,
  MAX_RATIO = 1032, /* deflate cannot shrink more */
  STORED = 0,
  ENCRYPTED = 1 /* bit of the flags */
};

struct trm__zip {
  trm__map map;
  char *path;
  int n;
  trm__zip_entry *entries; /* [n], by name */
};

/* --- the records; numbers are little-endian and in no alignment --- */

static const uint64_t narrow_full = UINT32_MAX; /* "see the zip64 field" */

static uint64_t number_at(const unsigned char *p, int bytes) {
  uint64_t v = 0;
  for (int i = 0; i < bytes; i++) v |= (uint64_t)p[i] << 8 * i;
  return v;
}

/* Where the directory is: checked to lie in the file. */
typedef struct directory {
  uint64_t at, size, entries;
} directory;

static trm_status fail_no_archive(const trm__zip *zip, trm_error *err) {
  TRM_FAIL(err, TRM_E_FORMAT,
           "%s: not a zip archive, or truncated: no directory at the end of its %zu byte%s",
           zip->path, zip->map.size, TRM__S(zip->map.size));
}

/* The place of the end record, which a comment of up to 64 KiB may follow; 0: none. */
static size_t find_end(const trm__map *map) {
  if (map->size < TRM__ZIP_END) return 0;
  const size_t last = map->size - TRM__ZIP_END;
  for (size_t comment = 0; comment <= last && comment <= UINT16_MAX; comment++) {
    const unsigned char *p = map->data + last - comment;
    if (number_at(p, 4) == TRM__ZIP_END_MARK && number_at(p + 20, 2) == comment)
      return last - comment;
  }
  return 0;
}

/* The wide end record, if a locator stands in front of the narrow one at `end`. */
static trm_status read_wide_end(const trm__zip *zip, size_t end, directory *d, size_t *limit,
                                trm_error *err) {
  const unsigned char *file = zip->map.data;
  if (end < TRM__ZIP_LOCATOR ||
      number_at(file + end - TRM__ZIP_LOCATOR, 4) != TRM__ZIP_LOCATOR_MARK)
    return TRM_OK;
  const size_t locator = end - TRM__ZIP_LOCATOR;
  const uint64_t at = number_at(file + locator + 8, 8);
  if (locator < TRM__ZIP_WIDE_END || at > locator - TRM__ZIP_WIDE_END ||
      number_at(file + at, 4) != TRM__ZIP_WIDE_END_MARK)
    TRM_FAIL_AT(err, TRM_E_FORMAT, locator,
                "%s: byte %zu: the zip64 directory is not where it should be", zip->path, locator);
  *d = (directory){.entries = number_at(file + at + 32, 8),
                   .size = number_at(file + at + 40, 8),
                   .at = number_at(file + at + 48, 8)};
  *limit = (size_t)at;
  return TRM_OK;
}

static trm_status find_directory(const trm__zip *zip, directory *d, trm_error *err) {
  const size_t end = find_end(&zip->map);
  if (!end) return fail_no_archive(zip, err);
  const unsigned char *p = zip->map.data + end;
  size_t limit = end;
  *d = (directory){
      .entries = number_at(p + 10, 2), .size = number_at(p + 12, 4), .at = number_at(p + 16, 4)};
  TRM_TRY(read_wide_end(zip, end, d, &limit, err));
  if (d->at > limit || d->size > limit - d->at)
    TRM_FAIL_AT(
        err, TRM_E_FORMAT, end,
        "%s: the zip directory (%llu bytes from byte %llu on) is not in front of byte %zu: is "
        "the file truncated, or something put in front of it?",
        zip->path, (unsigned long long)d->size, (unsigned long long)d->at, limit);
  if (d->entries > MAX_ENTRIES)
    TRM_FAIL_AT(err, TRM_E_FORMAT, end, "%s: %llu entries in a zip archive; want at most %d",
                zip->path, (unsigned long long)d->entries, MAX_ENTRIES);
  return TRM_OK;
}

/* --- one entry --- */

typedef struct record {
  unsigned flags, method;
  uint64_t stored_size, size, header; /* header: place of the one before the data */
} record;

/* The wide numbers of a directory record; false when the field is too short for those it owes. */
static bool read_wide(const unsigned char *extra, size_t n, record *r) {
  enum { WIDE = 1 };
  uint64_t *const numbers[] = {&r->size, &r->stored_size, &r->header};
  for (size_t at = 0; n - at >= 4;) {
    const size_t length = (size_t)number_at(extra + at + 2, 2);
    const bool wide = number_at(extra + at, 2) == WIDE;
    if (length > n - at - 4) return false;
    size_t used = 0;
    for (int i = 0; wide && i < 3; i++) {
      if (*numbers[i] != narrow_full) continue;
      if (length - used < 8) return false;
      *numbers[i] = number_at(extra + at + 4 + used, 8);
      used += 8;
    }
    if (wide) return true;
    at += 4 + length;
  }
  return r->size != narrow_full && r->stored_size != narrow_full && r->header != narrow_full;
}

static trm_status check_record(const trm__zip *zip, const record *r, const char *name,
                               trm_error *err) {
  if (r->flags & ENCRYPTED)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: entry \"%.80s\" is encrypted", zip->path, name);
  if (r->method != STORED && r->method != Z_DEFLATED)
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: entry \"%.80s\" is packed by method %u; want stored (0) or deflated (8)",
             zip->path, name, r->method);
  const bool overflows = r->stored_size > PTRDIFF_MAX / MAX_RATIO - 1;
  if (overflows || r->size > (r->stored_size + 1) * MAX_RATIO ||
      (r->method == STORED && r->size != r->stored_size))
    TRM_FAIL(err, TRM_E_FORMAT, "%s: entry \"%.80s\": %llu bytes cannot come from %llu stored ones",
             zip->path, name, (unsigned long long)r->size, (unsigned long long)r->stored_size);
  return TRM_OK;
}

/* The place of the data, behind a header that must name the same entry. */
static trm_status locate_data(const trm__zip *zip, const directory *d, const record *r,
                              const char *name, size_t *at, trm_error *err) {
  const size_t n = strlen(name);
  const uint64_t room = r->header < d->at ? d->at - r->header : 0;
  const unsigned char *p = zip->map.data + (room ? r->header : 0);
  if (room < TRM__ZIP_HEADER || number_at(p, 4) != TRM__ZIP_HEADER_MARK ||
      number_at(p + 8, 2) != r->method || number_at(p + 26, 2) != n || room - TRM__ZIP_HEADER < n ||
      memcmp(p + TRM__ZIP_HEADER, name, n))
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: entry \"%.80s\": the header before its data (byte %llu) is damaged or of another "
             "entry",
             zip->path, name, (unsigned long long)r->header);
  const uint64_t before = TRM__ZIP_HEADER + n + number_at(p + 28, 2);
  if (before > room || r->stored_size > room - before)
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: entry \"%.80s\": %llu bytes from byte %llu on reach into the directory at byte "
             "%llu",
             zip->path, name, (unsigned long long)r->stored_size,
             (unsigned long long)(r->header + before), (unsigned long long)d->at);
  *at = (size_t)(r->header + before);
  return TRM_OK;
}

/* The record at *at of the directory, which moves *at. */
static trm_status read_entry(const trm__zip *zip, const directory *d, uint64_t *at,
                             trm__zip_entry *e, trm_error *err) {
  const unsigned char *p = zip->map.data + *at;
  const uint64_t room = d->at + d->size - *at;
  if (room < TRM__ZIP_RECORD || number_at(p, 4) != TRM__ZIP_RECORD_MARK)
    TRM_FAIL_AT(err, TRM_E_FORMAT, *at, "%s: byte %llu: the zip directory is damaged", zip->path,
                (unsigned long long)*at);

  /* The record with its name, extra fields and comment must lie within the directory. */
  const size_t n = (size_t)number_at(p + 28, 2), extra = (size_t)number_at(p + 30, 2);
  const size_t whole = TRM__ZIP_RECORD + n + extra + (size_t)number_at(p + 32, 2);
  record r = {.flags = (unsigned)number_at(p + 8, 2),
              .method = (unsigned)number_at(p + 10, 2),
              .stored_size = number_at(p + 20, 4),
              .size = number_at(p + 24, 4),
              .header = number_at(p + 42, 4)};
  if (whole > room || n > MAX_NAME || memchr(p + TRM__ZIP_RECORD, 0, n) ||
      !read_wide(p + TRM__ZIP_RECORD + n, extra, &r))
    TRM_FAIL_AT(err, TRM_E_FORMAT, *at,
                "%s: byte %llu: a record of the zip directory is damaged (or a name has more than "
                "%d bytes)",
                zip->path, (unsigned long long)*at, MAX_NAME);

  /* The entry is usable once its data are found. */
  char *name;
  TRM_ALLOC(&name, n + 1, "the name of a zip entry", err);
  memcpy(name, p + TRM__ZIP_RECORD, n);
  *e = (trm__zip_entry){.name = name,
                        .deflated = r.method != STORED,
                        .crc = (uint32_t)number_at(p + 16, 4),
                        .stored_size = (size_t)r.stored_size,
                        .size = (size_t)r.size};
  trm_status st = check_record(zip, &r, name, err);
  if (st == TRM_OK) st = locate_data(zip, d, &r, name, &e->offset, err);
  *at += whole;
  if (st != TRM_OK) trm__free(name);
  return st;
}

/* --- the archive --- */

static int compare_names(const void *left, const void *right) {
  const trm__zip_entry *a = left, *b = right;
  return strcmp(a->name, b->name);
}

static trm_status read_entries(trm__zip *zip, const directory *d, trm_error *err) {
  const int n = (int)d->entries;
  uint64_t at = d->at;
  TRM_ALLOC(&zip->entries, n, "the entries of a zip archive", err);
  while (zip->n < n) {
    TRM_TRY(read_entry(zip, d, &at, &zip->entries[zip->n], err));
    zip->n++;
  }
  if (at != d->at + d->size)
    TRM_FAIL_AT(err, TRM_E_FORMAT, at,
                "%s: byte %llu: the zip directory has more than its %d entries", zip->path,
                (unsigned long long)at, n);
  if (n) qsort(zip->entries, (size_t)n, sizeof *zip->entries, compare_names);
  for (int i = 1; i < n; i++)
    if (!strcmp(zip->entries[i - 1].name, zip->entries[i].name))
      TRM_FAIL(err, TRM_E_FORMAT, "%s: two entries are named \"%.80s\"", zip->path,
               zip->entries[i].name);
  return TRM_OK;
}

static trm_status read_archive(const char *path, trm__zip *zip, trm_error *err) {
  const size_t n = strlen(path);
  directory d;
  TRM_ALLOC(&zip->path, n + 1, "a file name", err);
  memcpy(zip->path, path, n);
  TRM_TRY(trm__map_open(path, &zip->map, err));
  TRM_TRY(find_directory(zip, &d, err));
  return read_entries(zip, &d, err);
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

/* A CRC of 0 means that the writer computed none (torch's set_crc32_options(False)). */
static trm_status check_crc(const trm__zip *zip, const trm__zip_entry *e, uint32_t found,
                            trm_error *err) {
  if (found == e->crc || e->crc == 0) return TRM_OK;
  TRM_FAIL(err, TRM_E_FORMAT,
           "%s: entry \"%.80s\" is damaged: its CRC is %08x, the archive says %08x; copy or "
           "download the file again",
           zip->path, e->name, found, e->crc);
}

static uint32_t crc_of(uint32_t before, const void *data, size_t n) {
  return (uint32_t)crc32_z(before, data, n);
}

trm_status trm__zip_check(const trm__zip *zip, const trm__zip_entry *e, trm_error *err) {
  if (e->crc == 0) return TRM_OK;
  return check_crc(zip, e, crc_of(0, zip->map.data + e->offset, e->size), err);
}

struct trm__zip_stream {
  const trm__zip *zip;
  const trm__zip_entry *entry;
  z_stream z;
  size_t in_left, out_left; /* stored bytes that zlib has not been given, bytes to come */
  uint32_t crc;             /* of what came */
};

/* Exactly n bytes more out of the stored ones, or with n 0 their end, which no byte may precede. */
static bool inflate_more(trm__zip_stream *s, unsigned char *out, size_t n) {
  enum { PIECE = 1 << 30 /* below what zlib's counters hold */ };
  unsigned char spare;
  const bool ends = n == 0;
  z_stream *z = &s->z;

  /* At the end one spare byte shows whether there is more than there should be. */
  z->next_out = ends ? &spare : out;
  z->avail_out = ends;
  for (;;) {
    /* Output and input are handed over in pieces that zlib can count. */
    if (!ends && z->avail_out == 0) {
      if (n == 0) return true;
      z->avail_out = n < PIECE ? (uInt)n : PIECE;
      n -= z->avail_out;
    }
    if (z->avail_in == 0) {
      z->avail_in = s->in_left < PIECE ? (uInt)s->in_left : PIECE;
      s->in_left -= z->avail_in;
    }

    /* The end of the stream must be that of the bytes, too. */
    const int st = inflate(z, Z_NO_FLUSH);
    if (st == Z_STREAM_END)
      return ends ? z->avail_out == 1 && z->avail_in == 0 && s->in_left == 0
                  : n == 0 && z->avail_out == 0;
    if (st != Z_OK || (ends && z->avail_out == 0)) return false;
  }
}

static trm_status fail_size(const trm__zip_stream *s, trm_error *err) {
  TRM_FAIL(err, TRM_E_FORMAT, "%s: entry \"%.80s\" does not unpack to its %zu bytes: damaged",
           s->zip->path, s->entry->name, s->entry->size);
}

static trm_status check_end(trm__zip_stream *s, trm_error *err) {
  if (s->entry->deflated && !inflate_more(s, NULL, 0)) return fail_size(s, err);
  return check_crc(s->zip, s->entry, s->crc, err);
}

trm_status trm__zip_stream_open(const trm__zip *zip, const trm__zip_entry *e, trm__zip_stream **out,
                                trm_error *err) {
  trm__zip_stream *s;
  *out = NULL;
  TRM_ALLOC(&s, 1, "an entry of a zip archive", err);
  s->zip = zip;
  s->entry = e;
  s->in_left = e->stored_size;
  s->out_left = e->size;
  s->z.next_in = (unsigned char *)(uintptr_t)(zip->map.data + e->offset);
  trm_status st = TRM_OK;
  if (e->deflated && inflateInit2(&s->z, -MAX_WBITS) != Z_OK)
    st = trm__fail(err, TRM_E_MEMORY, -1, "%s: no memory to unpack \"%.80s\"", zip->path, e->name);
  else if (e->size == 0)
    st = check_end(s, err);
  if (st != TRM_OK) {
    trm__zip_stream_close(s);
    return st;
  }
  *out = s;
  return TRM_OK;
}

void trm__zip_stream_close(trm__zip_stream *s) {
  if (!s) return;
  if (s->entry->deflated) (void)inflateEnd(&s->z); /* fine where it did not begin */
  trm__free(s);
}

trm_status trm__zip_stream_read(trm__zip_stream *s, void *out, size_t n, trm_error *err) {
  if (n == 0) return TRM_OK;
  if (n > s->out_left) return fail_size(s, err);
  if (!s->entry->deflated)
    memcpy(out, s->zip->map.data + s->entry->offset + (s->entry->size - s->out_left), n);
  else if (!inflate_more(s, out, n))
    return fail_size(s, err);
  s->crc = crc_of(s->crc, out, n);
  s->out_left -= n;
  return s->out_left ? TRM_OK : check_end(s, err);
}

trm_status trm__zip_read(const trm__zip *zip, const trm__zip_entry *e, size_t max,
                         unsigned char **out, trm_error *err) {
  *out = NULL;
  if (e->size > max)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: entry \"%.80s\" has %zu bytes; want at most %zu", zip->path,
             e->name, e->size, max);
  unsigned char *data;
  trm__zip_stream *s;
  TRM_TRY(trm__zip_stream_open(zip, e, &s, err));
  data = trm__alloc(e->size, 1);
  trm_status st =
      data ? trm__zip_stream_read(s, data, e->size, err)
           : trm__fail(err, TRM_E_MEMORY, -1, "%s: no memory for \"%.80s\"", zip->path, e->name);
  trm__zip_stream_close(s);
  if (st != TRM_OK) {
    trm__free(data);
    return st;
  }
  *out = data;
  return TRM_OK;
}
