#include "io/gzip.h"

#include <stdint.h>
#include <string.h>
#include <zlib.h>

#include "base/memory.h"
#include "base/room.h"

enum { PIECE = 1 << 30 /* below what zlib's counters hold */ };

struct trm__gzip {
  const char *path;
  size_t left; /* packed bytes that zlib has not been given */
  bool ended;  /* nothing comes behind the last member */
  z_stream z;
};

bool trm__gzip_is(const void *data, size_t n) {
  return n >= 2 && !memcmp(data, "\x1f\x8b", 2);
}

trm_status trm__gzip_open(const char *path, const void *data, size_t n, trm__gzip **out,
                          trm_error *err) {
  enum { GZIP_ONLY = 16 };
  trm__gzip *g;
  *out = NULL;
  TRM_ALLOC(&g, 1, "a packed file", err);
  g->path = path;
  g->left = n;
  g->z.next_in = (unsigned char *)(uintptr_t)data;
  if (inflateInit2(&g->z, MAX_WBITS + GZIP_ONLY) != Z_OK) {
    trm__free(g);
    TRM_FAIL(err, TRM_E_MEMORY, "%s: no memory to unpack it", path);
  }
  *out = g;
  return TRM_OK;
}

void trm__gzip_close(trm__gzip *g) {
  if (!g) return;
  (void)inflateEnd(&g->z);
  trm__free(g);
}

static void feed(trm__gzip *g) {
  if (g->z.avail_in) return;
  g->z.avail_in = g->left < PIECE ? (uInt)g->left : PIECE;
  g->left -= g->z.avail_in;
}

/* Behind a member another one may begin; zeros may pad the file. */
static bool is_padding(const trm__gzip *g) {
  for (size_t i = 0; i < g->z.avail_in + g->left; i++)
    if (g->z.next_in[i]) return false;
  return true;
}

/* What there is room for in z; at most one member's. */
static trm_status inflate_some(trm__gzip *g, trm_error *err) {
  z_stream *z = &g->z;
  feed(g);
  const int st = inflate(z, Z_NO_FLUSH);
  if (st == Z_MEM_ERROR) TRM_FAIL(err, TRM_E_MEMORY, "%s: no memory to unpack it", g->path);
  if (st == Z_BUF_ERROR && !z->avail_in && !g->left)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: truncated: the gzip data do not end", g->path);
  if (st != Z_OK && st != Z_STREAM_END && st != Z_BUF_ERROR)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: broken gzip data: %s", g->path, z->msg ? z->msg : "no cause");
  if (st == Z_STREAM_END) g->ended = is_padding(g) || inflateReset(z) != Z_OK;
  return TRM_OK;
}

trm_status trm__gzip_read(trm__gzip *g, void *out, size_t n, size_t *got, trm_error *err) {
  z_stream *z = &g->z;
  *got = 0;
  while (*got < n && !g->ended) {
    const uInt room = n - *got < PIECE ? (uInt)(n - *got) : PIECE;
    z->next_out = (unsigned char *)out + *got;
    z->avail_out = room;
    TRM_TRY(inflate_some(g, err));
    *got += room - z->avail_out;
  }
  return TRM_OK;
}

/* --- whole files --- */

trm_status trm__gzip_measure(const char *path, const void *data, size_t n, size_t most,
                             size_t *size, trm_error *err) {
  enum { ROOM = 1 << 16 };
  unsigned char *unseen;
  trm__gzip *g = NULL;
  size_t got = 0;
  *size = 0;
  TRM_ALLOC(&unseen, ROOM, "a packed file", err);
  trm_status st = trm__gzip_open(path, data, n, &g, err);
  do {
    if (st == TRM_OK) st = trm__gzip_read(g, unseen, ROOM, &got, err);
    *size += got;
  } while (st == TRM_OK && got == ROOM && *size <= most);
  trm__gzip_close(g);
  trm__free(unseen);
  return st;
}

trm_status trm__gzip_unpack(const char *path, const void *data, size_t n, size_t size,
                            unsigned char **out, trm_error *err) {
  unsigned char *text;
  trm__gzip *g;
  size_t got = 0;
  *out = NULL;
  TRM_ALLOC(&text, size, "a packed file's text", err);
  trm_status st = trm__gzip_open(path, data, n, &g, err);
  if (st == TRM_OK) st = trm__gzip_read(g, text, size, &got, err);
  trm__gzip_close(g);
  if (st == TRM_OK && got != size)
    st = trm__fail(err, TRM_E_FORMAT, -1, "%s: the file changed while it was read", path);
  if (st == TRM_OK)
    *out = text;
  else
    trm__free(text);
  return st;
}

/* In place of the packed bytes what they hold. */
static trm_status unpack_map(const char *path, trm__map *map, trm_error *err) {
  const int64_t room = trm__memory_room("").bytes;
  trm__map text = {.copied = true};
  unsigned char *bytes = NULL;
  TRM_TRY(trm__gzip_measure(path, map->data, map->size, (size_t)room, &text.size, err));
  if (text.size > (size_t)room)
    TRM_FAIL(err, TRM_E_MEMORY,
             "%s: unpacked it has more than the %.1f MiB of memory that are left; unpack it with "
             "gunzip, for a plain file is not read into memory",
             path, (double)room / 0x1p20);
  if (text.size) TRM_TRY(trm__gzip_unpack(path, map->data, map->size, text.size, &bytes, err));
  text.data = bytes;
  trm__map_close(map);
  *map = text;
  return TRM_OK;
}

trm_status trm__gzip_map(const char *path, trm__map *map, trm_error *err) {
  TRM_TRY(trm__map_open(path, map, err));
  trm_status st = TRM_OK;
  if (map->size && trm__gzip_is(map->data, map->size)) st = unpack_map(path, map, err);
  if (st != TRM_OK) trm__map_close(map);
  return st;
}
