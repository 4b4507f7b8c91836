/* See arc_grids.h. Grids never move, so that growing costs no second copy of them. */
#include "eval/arc_grids.h"

#include <string.h>

#include "base/hash.h"
#include "base/memory.h"

enum { CHUNK = 1 << 18, FIRST = 64 };

/* --- packing --- */

size_t trm__arc_grid_pack(const trm__arc_grid *g, unsigned char packed[TRM__ARC_PACKED]) {
  int n = g->rows * g->cols;
  packed[0] = g->rows;
  packed[1] = g->cols;
  for (int i = 0; i < n; i += 2)
    packed[2 + i / 2] =
        (unsigned char)(g->cell[i] | (i + 1 < n ? (unsigned)g->cell[i + 1] << 4 : 0));
  return 2 + ((size_t)n + 1) / 2;
}

size_t trm__arc_grid_unpack(const unsigned char *packed, size_t n, trm__arc_grid *g) {
  if (n < 2 || packed[0] > TRM__ARC_SIDE || packed[1] > TRM__ARC_SIDE) return 0;
  g->rows = packed[0];
  g->cols = packed[1];
  int cells = g->rows * g->cols;
  size_t size = 2 + ((size_t)cells + 1) / 2;
  if (size > n || !g->rows != !g->cols) return 0;
  for (int i = 0; i < cells; i++) {
    g->cell[i] = (uint8_t)(packed[2 + i / 2] >> (i % 2 ? 4 : 0) & 15);
    if (g->cell[i] >= TRM__ARC_COLOURS) return 0;
  }
  return cells % 2 && packed[size - 1] >> 4 ? 0 : size;
}

static size_t packed_size(const unsigned char *packed) {
  return 2 + ((size_t)packed[0] * packed[1] + 1) / 2;
}

/* --- the table --- */

static uint64_t hash_of(const unsigned char *packed, size_t n) {
  const uint64_t h = trm__hash_bytes(TRM__HASH_START, packed, n);
  return h ^ h >> 32;
}

/* The place of a packed grid, or the free one where it belongs. */
static uint32_t find_place(const trm__arc_grids *s, const unsigned char *packed, size_t n) {
  uint32_t i = (uint32_t)hash_of(packed, n) & (s->table_size - 1);
  for (; s->table[i]; i = (i + 1) & (s->table_size - 1)) {
    const unsigned char *other = s->at[s->table[i] - 1];
    if (packed_size(other) == n && !memcmp(other, packed, n)) break;
  }
  return i;
}

static trm_status grow_table(trm__arc_grids *s, trm_error *err) {
  uint32_t size = s->table_size ? 2 * s->table_size : 2 * FIRST, *table;
  TRM_ALLOC(&table, size, "the table of distinct grids", err);
  trm__free(s->table);
  s->table = table;
  s->table_size = size;
  for (uint32_t i = 0; i < s->n; i++)
    s->table[find_place(s, s->at[i], packed_size(s->at[i]))] = i + 1;
  return TRM_OK;
}

static trm_status grow_list(trm__arc_grids *s, trm_error *err) {
  uint32_t room = s->room ? 2 * s->room : FIRST;
  const unsigned char **at;
  TRM_ALLOC(&at, room, "the list of distinct grids", err);
  if (s->n) memcpy(at, s->at, s->n * sizeof *at);
  trm__free(s->at);
  s->at = at;
  s->room = room;
  return TRM_OK;
}

static trm_status add_chunk(trm__arc_grids *s, trm_error *err) {
  if (s->n_chunks == s->chunk_room) {
    uint32_t room = s->chunk_room ? 2 * s->chunk_room : FIRST;
    unsigned char **chunk;
    TRM_ALLOC(&chunk, room, "the list of distinct grids", err);
    if (s->n_chunks) memcpy(chunk, s->chunk, s->n_chunks * sizeof *chunk);
    trm__free(s->chunk);
    s->chunk = chunk;
    s->chunk_room = room;
  }
  TRM_ALLOC(&s->chunk[s->n_chunks], CHUNK, "distinct grids", err);
  s->n_chunks++;
  s->used = 0;
  return TRM_OK;
}

trm_status trm__arc_grids_add(trm__arc_grids *s, const trm__arc_grid *g, uint32_t *number,
                              trm_error *err) {
  unsigned char packed[TRM__ARC_PACKED];
  size_t n = trm__arc_grid_pack(g, packed);
  if (s->table_size) {
    uint32_t known = s->table[find_place(s, packed, n)];
    *number = known - 1;
    if (known) return TRM_OK;
  }
  if (s->n >= UINT32_MAX / 4) TRM_FAIL(err, TRM_E_MEMORY, "more than 2^30 distinct grids");
  if (2 * (s->n + 1) > s->table_size) TRM_TRY(grow_table(s, err));
  if (s->n == s->room) TRM_TRY(grow_list(s, err));
  if (!s->n_chunks || s->used + n > CHUNK) TRM_TRY(add_chunk(s, err));
  unsigned char *place = s->chunk[s->n_chunks - 1] + s->used;
  memcpy(place, packed, n);
  s->used += n;
  s->at[s->n] = place;
  *number = s->n++;
  s->table[find_place(s, packed, n)] = s->n;
  return TRM_OK;
}

void trm__arc_grids_get(const trm__arc_grids *s, uint32_t i, trm__arc_grid *g) {
  (void)trm__arc_grid_unpack(s->at[i], packed_size(s->at[i]), g);
}

bool trm__arc_grids_is_empty(const trm__arc_grids *s, uint32_t i) {
  return s->at[i][0] == 0; /* rows */
}

size_t trm__arc_grids_bytes(const trm__arc_grids *s) {
  return s->n_chunks * (size_t)CHUNK + s->chunk_room * sizeof *s->chunk + s->room * sizeof *s->at +
         s->table_size * sizeof *s->table;
}

void trm__arc_grids_free(trm__arc_grids *s) {
  for (uint32_t i = 0; i < s->n_chunks; i++) trm__free(s->chunk[i]);
  trm__free(s->chunk);
  trm__free(s->at);
  trm__free(s->table);
  *s = (trm__arc_grids){0};
}
