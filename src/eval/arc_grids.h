/* Distinct grids, each kept once in half a byte a cell and known by a number. */
#ifndef TRM_EVAL_ARC_GRIDS_H
#define TRM_EVAL_ARC_GRIDS_H

#include "base/error.h"
#include "puzzle/arc/arc_grid.h"

enum { TRM__ARC_PACKED = 2 + TRM__ARC_CELLS / 2 /* rows, cols, two cells a byte */ };

/* A zeroed one is empty. */
typedef struct trm__arc_grids {
  const unsigned char **at; /* [n]: packed */
  uint32_t *table;          /* [table_size]: a power of two, a number + 1 or 0; linear probing */
  unsigned char **chunk;    /* the packed grids' memory */
  uint32_t n, room, table_size, n_chunks, chunk_room;
  size_t used; /* bytes of the last chunk */
} trm__arc_grids;

void trm__arc_grids_free(trm__arc_grids *s);
/* The number of an equal grid; a new one is added. Errors: MEMORY, and nothing changes. */
trm_status trm__arc_grids_add(trm__arc_grids *s, const trm__arc_grid *g, uint32_t *number,
                              trm_error *err);
/* Grid 0 <= i < n. */
void trm__arc_grids_get(const trm__arc_grids *s, uint32_t i, trm__arc_grid *g);
bool trm__arc_grids_is_empty(const trm__arc_grids *s, uint32_t i); /* it has no cell */
size_t trm__arc_grids_bytes(const trm__arc_grids *s);

/* A grid as bytes; returns how many. */
size_t trm__arc_grid_pack(const trm__arc_grid *g, unsigned char packed[TRM__ARC_PACKED]);
/* Reads one of at most n bytes; returns how many it took, 0 when they are no packed grid. */
size_t trm__arc_grid_unpack(const unsigned char *packed, size_t n, trm__arc_grid *g);

#endif
