/* Files packed by gzip: measured, unpacked at once and in pieces, and read as lines of grids. An
 * input that does not begin as one gives parts, each packed as a member, whose texts come back
 * joined. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/memory.h"
#include "fuzz.h"
#include "io/gzip.h"
#include "trm/grid.h"

enum { PARTS = 4, MOST = 1 << 18, ROOM = 1 << 16 };

/* In pieces of growing length it is the same as at once. */
static void read_pieces(const uint8_t *data, size_t size, const unsigned char *want, size_t n) {
  trm__gzip *g;
  unsigned char piece[4096];
  size_t at = 0, length = 1, got = 1;
  FUZZ_MUST(trm__gzip_open("packed", data, size, &g, &fuzz_error));
  for (; got; length = length % sizeof piece + 1, at += got) {
    FUZZ_MUST(trm__gzip_read(g, piece, length, &got, &fuzz_error));
    FUZZ_CHECK(got <= length && got <= n - at && memcmp(piece, want + at, got) == 0);
    FUZZ_CHECK(got == length || at + got == n);
  }
  FUZZ_CHECK(at == n);
  trm__gzip_close(g);
}

/* What it holds, in a block; NULL where it is refused. */
static unsigned char *unpack(const uint8_t *data, size_t size, size_t *n) {
  trm_error err;
  unsigned char *text;
  if (!fuzz_accepted(trm__gzip_measure("packed", data, size, MOST, n, &err), &err)) return NULL;
  if (*n > MOST) return NULL;
  FUZZ_CHECK(trm__gzip_unpack("packed", data, size, *n + 1, &text, &err) == TRM_E_FORMAT && !text);
  FUZZ_MUST(trm__gzip_unpack("packed", data, size, *n, &text, &fuzz_error));
  read_pieces(data, size, text, *n);
  return text;
}

static size_t pack(fuzz_bytes part, uint8_t *out, size_t room) {
  z_stream z = {.next_in = (Bytef *)(uintptr_t)part.data,
                .avail_in = (uInt)part.size,
                .next_out = out,
                .avail_out = (uInt)room};
  FUZZ_CHECK(deflateInit2(&z, 1, Z_DEFLATED, MAX_WBITS + 16, 8, 0) == Z_OK);
  FUZZ_CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
  (void)deflateEnd(&z);
  return z.total_out;
}

static size_t pack_parts(const uint8_t *data, size_t size, uint8_t *packed) {
  fuzz_bytes parts[PARTS];
  uint8_t joined[ROOM / 2];
  size_t n = 0, at = 0, found;
  fuzz_split(data, size < sizeof joined ? size : sizeof joined, parts, PARTS);
  for (int i = 0; i < PARTS; i++) {
    n += pack(parts[i], packed + n, ROOM - n);
    if (parts[i].size) memcpy(joined + at, parts[i].data, parts[i].size);
    at += parts[i].size;
  }
  unsigned char *text = unpack(packed, n, &found);
  FUZZ_CHECK(text && found == at && memcmp(text, joined, at) == 0);
  trm__free(text);
  return n;
}

static void build(const uint8_t *data, size_t size) {
  static bool linked;
  trm_error err;
  (void)fuzz_file(0, data, size);
  if (!linked) fuzz_link("own.jsonl.gz", 0);
  linked = true;
  const trm_grid_build_config config = {.train = fuzz_path("own.jsonl.gz"),
                                        .output_dir = fuzz_path("built")};
  (void)fuzz_accepted(trm_build_grid(&config, NULL, &err), &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static uint8_t packed[ROOM];
  size_t n;
  if (trm__gzip_is(data, size)) {
    trm__free(unpack(data, size, &n));
    build(data, size);
  } else {
    build(packed, pack_parts(data, size, packed));
  }
  return 0;
}
