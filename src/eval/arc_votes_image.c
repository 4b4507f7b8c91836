/* The votes in an evaluation's state file. The tasks' own grids are not in it: they come first, in
 * the same order, whenever the same tasks are read. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "eval/arc_votes.h"

/* In the order of trm__arc_votes_image. */
static const struct {
  const char *name;
  trm__dtype dtype;
} parts[TRM__ARC_VOTES_TENSORS] = {{"votes.order", TRM__I64},  {"votes.q", TRM__F64},
                                   {"votes.slot", TRM__I32},   {"votes.grid", TRM__I32},
                                   {"votes.others", TRM__I64}, {"votes.grids", TRM__U8}};
enum { ORDER, Q, SLOT, GRID, OTHERS, GRIDS };

void trm__arc_votes_image_free(trm__arc_votes_image *image) {
  for (int i = 0; i < TRM__ARC_VOTES_TENSORS; i++) {
    trm__free(image->block[i]);
    image->block[i] = NULL;
  }
}

size_t trm__arc_votes_grids_size(const trm_arc_votes *v) {
  size_t n = 0;
  for (uint32_t i = v->own_grids; i < v->grids.n; i++)
    n += 2 + ((size_t)v->grids.at[i][0] * v->grids.at[i][1] + 1) / 2;
  return n;
}

void trm__arc_votes_grids(const trm_arc_votes *v, unsigned char *out) {
  trm__arc_grid g;
  for (uint32_t i = v->own_grids; i < v->grids.n; i++) {
    unsigned char packed[TRM__ARC_PACKED];
    trm__arc_grids_get(&v->grids, i, &g);
    size_t n = trm__arc_grid_pack(&g, packed);
    memcpy(out, packed, n);
    out += n;
  }
}

trm_status trm__arc_votes_image_make(const trm_arc_votes *v, trm__arc_votes_image *image,
                                     trm_error *err) {
  const uint64_t n = (uint64_t)v->n, count[] = {n, n, n, n, 2, trm__arc_votes_grids_size(v)};
  for (int i = 0; i < TRM__ARC_VOTES_TENSORS; i++) {
    size_t size = trm__dtype_size(parts[i].dtype);
    image->block[i] = trm__alloc(count[i], size);
    if (!image->block[i])
      TRM_FAIL(err, TRM_E_MEMORY, "no memory to save votes (%llu x %zu bytes)",
               (unsigned long long)count[i], size);
    image->tensor[i] = (trm__st_tensor){.name = parts[i].name,
                                        .dtype = parts[i].dtype,
                                        .ndim = 1,
                                        .shape = {(int64_t)count[i]},
                                        .data = image->block[i]};
  }

  int64_t *order = image->block[ORDER], *others = image->block[OTHERS];
  int32_t *slot = image->block[SLOT], *grid = image->block[GRID];
  double *q = image->block[Q];
  for (int64_t i = 0; i < v->n; i++) {
    order[i] = v->vote[i].order;
    slot[i] = v->vote[i].slot;
    grid[i] = (int32_t)v->vote[i].grid;
    q[i] = v->vote[i].q;
  }
  others[0] = v->blank;
  others[1] = v->foreign;
  trm__arc_votes_grids(v, image->block[GRIDS]);
  return TRM_OK;
}

static trm_status find_parts(const trm__safetensors *file, const char *path,
                             const trm__st_tensor **part, trm_error *err) {
  for (int i = 0; i < TRM__ARC_VOTES_TENSORS; i++) {
    const trm__st_tensor *t = part[i] = trm__safetensors_find(file, parts[i].name);
    if (!t || t->dtype != parts[i].dtype || (i < OTHERS && t->count != part[ORDER]->count) ||
        (i == OTHERS && t->count != 2))
      TRM_FAIL(err, TRM_E_FORMAT, "%s: %s is missing, of a wrong type or a wrong length", path,
               parts[i].name);
  }
  return TRM_OK;
}

static trm_status restore_grids(trm_arc_votes *v, const trm__st_tensor *t, const char *path,
                                trm_error *err) {
  const unsigned char *bytes = t->data;
  for (size_t at = 0, size = (size_t)t->count, n; at < size; at += n) {
    trm__arc_grid g;
    uint32_t number, expected = v->grids.n;
    n = trm__arc_grid_unpack(bytes + at, size - at, &g);
    if (n) TRM_TRY(trm__arc_grids_add(&v->grids, &g, &number, err));
    if (!n || number != expected)
      TRM_FAIL_AT(err, TRM_E_FORMAT, at,
                  "%s: byte %zu of votes.grids begins no grid, or an old one", path, at);
  }
  return TRM_OK;
}

bool trm__arc_vote_fits(const trm_arc_votes *v, const trm__arc_vote *vote) {
  return vote->order >= 0 && vote->order <= INT64_MAX / 2 && !isnan(vote->q) && vote->slot >= 0 &&
         vote->slot < v->tests.n_tests && v->tests.test[vote->slot].slot == vote->slot &&
         vote->grid < v->grids.n;
}

static trm_status restore_votes(trm_arc_votes *v, const trm__st_tensor **part, const char *path,
                                trm_error *err) {
  TRM_ALLOC(&v->vote, part[ORDER]->count, "votes", err);
  v->room = part[ORDER]->count;
  for (int64_t i = 0; i < v->room; i++) {
    trm__arc_vote *vote = &v->vote[i];
    memcpy(&vote->order, (const char *)part[ORDER]->data + i * 8, 8);
    memcpy(&vote->q, (const char *)part[Q]->data + i * 8, 8);
    memcpy(&vote->slot, (const char *)part[SLOT]->data + i * 4, 4);
    memcpy(&vote->grid, (const char *)part[GRID]->data + i * 4, 4);
    if (!trm__arc_vote_fits(v, vote))
      TRM_FAIL_AT(err, TRM_E_FORMAT, i,
                  "%s: vote %lld is for a test input or grid that there is not", path,
                  (long long)i);
  }
  v->n = v->room;
  return TRM_OK;
}

trm_status trm__arc_votes_restore(trm_arc_votes *v, const trm__safetensors *file, const char *path,
                                  trm_error *err) {
  const trm__st_tensor *part[TRM__ARC_VOTES_TENSORS];
  int64_t others[2];
  TRM_TRY(find_parts(file, path, part, err));
  memcpy(others, part[OTHERS]->data, sizeof others);
  if (others[0] < 0 || others[1] < 0)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: votes.others has a negative count", path);
  trm__free(v->vote);
  v->vote = NULL;
  v->n = v->room = 0;
  TRM_TRY(restore_grids(v, part[GRIDS], path, err));
  TRM_TRY(restore_votes(v, part, path, err));
  v->blank = others[0];
  v->foreign = others[1];
  return TRM_OK;
}
