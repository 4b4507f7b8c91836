/* Writing. An entry's size is known before its bytes, its CRC after them: it is put into the header
 * by going back in the file, which appears when all is written. */
#include <string.h>
#include <zlib.h>

#include "base/memory.h"
#include "io/zip.h"

enum {
  VERSION = 20,
  VERSION_ZIP64 = 45,
  DATE = 0x21, /* 1 January 1980, the format's first day */
  CRC_AT = 14, /* in a header */
  FIELD_HEAD = 4,
  WIDE_FIELD = 1
};

/* A record on its way into the file. */
typedef struct bytes {
  unsigned char data[TRM__ZIP_WIDE_END + 2 * TRM__ZIP_ALIGN];
  size_t n;
} bytes;

/* The n lowest bytes of v; beyond the eighth they are zero. */
static void put(bytes *b, uint64_t v, int n) {
  for (int i = 0; i < n; i++, v >>= 8) b->data[b->n++] = (unsigned char)(v & 0xFF);
}

static uint64_t narrow(uint64_t v) {
  return v < UINT32_MAX ? v : UINT32_MAX;
}

trm_status trm__zip_create(trm__zip_writer *w, const char *path, trm_error *err) {
  *w = (trm__zip_writer){0};
  return trm__writer_open(&w->file, path, err);
}

/* Room for one entry more, with its name; NULL and a status when there is none. */
static trm__zip_entry *new_entry(trm__zip_writer *w, const char *name) {
  if (w->n == w->room) {
    const int room = w->room ? 2 * w->room : 64;
    trm__zip_entry *grown = trm__alloc((size_t)room, sizeof *grown);
    if (!grown) return NULL;
    if (w->n) memcpy(grown, w->entries, (size_t)w->n * sizeof *grown);
    trm__free(w->entries);
    w->entries = grown;
    w->room = room;
  }
  const size_t n = strlen(name);
  char *copy = trm__alloc(n + 1, 1);
  if (!copy) return NULL;
  memcpy(copy, name, n);
  trm__zip_entry *e = &w->entries[w->n++];
  *e = (trm__zip_entry){.name = copy};
  return e;
}

/* The local header of an entry. Its CRC is written later. */
static void write_header(trm__zip_writer *w, const char *name, uint64_t size, size_t extra) {
  const bool wide = size >= UINT32_MAX;
  const size_t n = strlen(name);
  bytes b = {.n = 0};
  put(&b, TRM__ZIP_HEADER_MARK, 4);
  put(&b, wide ? VERSION_ZIP64 : VERSION, 2);
  put(&b, 0, 6); /* flags, stored, time */
  put(&b, DATE, 2);
  put(&b, 0, 4); /* the CRC to come */
  put(&b, wide ? UINT32_MAX : size, 4);
  put(&b, wide ? UINT32_MAX : size, 4);
  put(&b, n, 2);
  put(&b, extra, 2);
  trm__write(&w->file, b.data, b.n);
  trm__write(&w->file, name, n);
}

/* Its extra fields: the sizes where 32 bits do not hold them, and padding. */
static void write_extra(trm__zip_writer *w, uint64_t size, size_t padding) {
  bytes b = {.n = 0};
  if (size >= UINT32_MAX) {
    put(&b, WIDE_FIELD, 2);
    put(&b, 16, 2);
    put(&b, size, 8);
    put(&b, size, 8);
  }
  put(&b, 'F' | 'B' << 8, 2); /* the field of no meaning that torch.save pads with, too */
  put(&b, padding, 2);
  memset(b.data + b.n, 0, padding);
  trm__write(&w->file, b.data, b.n + padding);
}

void trm__zip_begin(trm__zip_writer *w, const char *name, uint64_t size) {
  const bool wide = size >= UINT32_MAX;
  const int64_t at = trm__writer_tell(&w->file);
  if (w->st != TRM_OK) return;
  trm__zip_entry *e = new_entry(w, name);
  if (!e) {
    w->st = TRM_E_MEMORY;
    return;
  }
  const size_t fields = (wide ? FIELD_HEAD + 16 : 0) + FIELD_HEAD;
  const size_t before = (size_t)at + TRM__ZIP_HEADER + strlen(name) + fields;
  const size_t padding = (TRM__ZIP_ALIGN - before % TRM__ZIP_ALIGN) % TRM__ZIP_ALIGN;
  *e = (trm__zip_entry){.name = e->name, .offset = (size_t)at, .size = (size_t)size};
  w->left = size;
  write_header(w, name, size, fields + padding);
  write_extra(w, size, padding);
}

void trm__zip_append(trm__zip_writer *w, const void *data, size_t n) {
  if (w->st != TRM_OK) return;
  if (n > w->left) {
    w->st = TRM_E_ARGUMENT;
    return;
  }
  trm__zip_entry *e = &w->entries[w->n - 1];
  e->crc = (uint32_t)crc32_z(e->crc, data, n);
  w->left -= n;
  trm__write(&w->file, data, n);
}

void trm__zip_end(trm__zip_writer *w) {
  if (w->st != TRM_OK) return;
  if (w->left) {
    w->st = TRM_E_ARGUMENT;
    return;
  }
  const trm__zip_entry *e = &w->entries[w->n - 1];
  bytes b = {.n = 0};
  put(&b, e->crc, 4);
  trm__writer_seek(&w->file, (int64_t)e->offset + CRC_AT);
  trm__write(&w->file, b.data, b.n);
  trm__writer_seek_end(&w->file);
}

static void write_record(trm__zip_writer *w, const trm__zip_entry *e) {
  const bool wide_size = e->size >= UINT32_MAX, wide_offset = e->offset >= UINT32_MAX;
  const size_t field = (wide_size ? 16u : 0u) + (wide_offset ? 8u : 0u);

  /* What 32 bits do not hold is all ones here and stands in the field behind the name. */
  bytes b = {.n = 0};
  put(&b, TRM__ZIP_RECORD_MARK, 4);
  put(&b, field ? VERSION_ZIP64 : VERSION, 2);
  put(&b, field ? VERSION_ZIP64 : VERSION, 2);
  put(&b, 0, 6); /* flags, stored, time */
  put(&b, DATE, 2);
  put(&b, e->crc, 4);
  put(&b, wide_size ? UINT32_MAX : e->size, 4);
  put(&b, wide_size ? UINT32_MAX : e->size, 4);
  put(&b, strlen(e->name), 2);
  put(&b, field ? FIELD_HEAD + field : 0, 2);
  put(&b, 0, 10); /* no comment, first volume, attributes */
  put(&b, narrow(e->offset), 4);
  trm__write(&w->file, b.data, b.n);
  trm__write(&w->file, e->name, strlen(e->name));

  /* The wide field: both sizes, then the offset, as far as they are wide. */
  b.n = 0;
  if (field) {
    put(&b, WIDE_FIELD, 2);
    put(&b, field, 2);
  }
  if (wide_size) {
    put(&b, e->size, 8);
    put(&b, e->size, 8);
  }
  if (wide_offset) put(&b, e->offset, 8);
  trm__write(&w->file, b.data, b.n);
}

static void write_end(trm__zip_writer *w, uint64_t at, uint64_t size) {
  enum { MANY = UINT16_MAX };
  const uint64_t n = (uint64_t)w->n;
  bytes b = {.n = 0};

  /* A wide end and where it is, for a directory that the plain end cannot describe. */
  if (at >= UINT32_MAX || size >= UINT32_MAX || n >= MANY) {
    put(&b, TRM__ZIP_WIDE_END_MARK, 4);
    put(&b, TRM__ZIP_WIDE_END - 12, 8);
    put(&b, VERSION_ZIP64, 2);
    put(&b, VERSION_ZIP64, 2);
    put(&b, 0, 8); /* the only volume */
    put(&b, n, 8);
    put(&b, n, 8);
    put(&b, size, 8);
    put(&b, at, 8);
    put(&b, TRM__ZIP_LOCATOR_MARK, 4);
    put(&b, 0, 4);
    put(&b, at + size, 8);
    put(&b, 1, 4);
  }

  /* The plain end, which every archive has. */
  put(&b, TRM__ZIP_END_MARK, 4);
  put(&b, 0, 4);
  put(&b, n < MANY ? n : MANY, 2);
  put(&b, n < MANY ? n : MANY, 2);
  put(&b, narrow(size), 4);
  put(&b, narrow(at), 4);
  put(&b, 0, 2);
  trm__write(&w->file, b.data, b.n);
}

static void release(trm__zip_writer *w) {
  for (int i = 0; i < w->n; i++) trm__free((char *)(uintptr_t)w->entries[i].name);
  trm__free(w->entries);
  w->entries = NULL;
  w->n = w->room = 0;
}

trm_status trm__zip_commit(trm__zip_writer *w, trm_error *err) {
  const int64_t at = trm__writer_tell(&w->file);
  for (int i = 0; i < w->n && w->st == TRM_OK; i++) write_record(w, &w->entries[i]);
  const int64_t end = trm__writer_tell(&w->file);
  if (w->st == TRM_OK) write_end(w, (uint64_t)at, (uint64_t)(end - at));
  release(w);
  if (w->st == TRM_OK || w->file.error) return trm__writer_commit(&w->file, err);
  (void)trm__fail(err, w->st, -1, "%s: the zip archive could not be written: %s",
                  w->file.draft.path,
                  w->st == TRM_E_ARGUMENT ? "an entry has not the bytes that were announced"
                                          : "no memory for the names in it");
  trm__writer_abort(&w->file);
  return w->st;
}

void trm__zip_abort(trm__zip_writer *w) {
  release(w);
  trm__writer_abort(&w->file);
}
