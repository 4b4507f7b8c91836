/* Arrays are read in the order of their bytes, header first, as the archive unpacks them: a small
 * file may stand for a large array. Of one in Fortran order no row is complete before all is read.
 */
#include "io/npz.h"

#include <string.h>

#include "base/memory.h"
#include "base/room.h"
#include "io/foreign.h"
#include "io/zip.h"

static const char suffix[] = ".npy";
enum { SUFFIX = sizeof suffix - 1 };
enum { MAX_HEAD = 1 << 16 /* of a header; NumPy's have 128 bytes */ };

typedef struct member {
  const trm__zip_entry *entry;
  char *name;
} member;

struct trm__npz {
  trm__zip *zip;
  int n;
  member *members;
};

struct trm__npz_rows {
  const trm__npz *npz;
  const trm__zip_entry *entry;
  trm__zip_stream *stream;
  unsigned char *row;
  unsigned char *whole; /* in Fortran order */
  int64_t left;         /* rows to come */
  trm__npy array;       /* in C order, as its rows are */
};

static bool is_array(const char *name) {
  const size_t n = strlen(name);
  return n > SUFFIX && !strcmp(name + n - SUFFIX, suffix);
}

static trm_status list_members(trm__npz *npz, trm_error *err) {
  const int n = trm__zip_count(npz->zip);
  TRM_ALLOC(&npz->members, n, "the arrays of a .npz", err);
  for (int i = 0; i < n; i++) {
    const trm__zip_entry *e = trm__zip_at(npz->zip, i);
    if (!is_array(e->name)) continue;
    const size_t length = strlen(e->name) - SUFFIX;
    member *m = &npz->members[npz->n++];
    m->entry = e;
    TRM_ALLOC(&m->name, length + 1, "the name of an array", err);
    memcpy(m->name, e->name, length);
  }
  return TRM_OK;
}

static trm_status open_archive(trm__npz *npz, const char *path, trm_error *err) {
  const trm_status st = trm__zip_open(path, &npz->zip, err);
  if (st == TRM_E_FORMAT) TRM_TRY(trm__foreign_check(TRM__WANT_ARRAY, path, err));
  return st;
}

trm_status trm__npz_open(const char *path, trm__npz **out, trm_error *err) {
  *out = NULL;
  trm__npz *npz;
  TRM_ALLOC(&npz, 1, "a .npz", err);
  trm_status st;
  TRM_GOTO(open_archive(npz, path, err));
  TRM_GOTO(list_members(npz, err));
  *out = npz;
  return TRM_OK;
done:
  trm__npz_close(npz);
  return st;
}

void trm__npz_close(trm__npz *npz) {
  if (!npz) return;
  for (int i = 0; i < npz->n; i++) trm__free(npz->members[i].name);
  trm__free(npz->members);
  trm__zip_close(npz->zip);
  trm__free(npz);
}

int trm__npz_count(const trm__npz *npz) {
  return npz->n;
}

const char *trm__npz_name(const trm__npz *npz, int i) {
  return npz->members[i].name;
}

/* --- rows --- */

/* Reads the head: its length first, then the rest. */
static trm_status read_head(trm__npz_rows *r, trm_error *err) {
  const trm__zip_entry *e = r->entry;
  const char *path = trm__zip_path(r->npz->zip);
  unsigned char *head;
  trm_error cause;
  const size_t first = e->size < TRM__NPY_PREFIX ? e->size : TRM__NPY_PREFIX;

  /* The first bytes say how many the header has. */
  TRM_ALLOC(&head, MAX_HEAD, "the header of an array", err);
  trm_status st = trm__zip_stream_read(r->stream, head, first, err);
  size_t n = st == TRM_OK ? trm__npy_head_bytes(head, first) : 0;
  if (n > e->size || n < first) n = first; /* what is wrong is told below */
  if (st == TRM_OK && n > MAX_HEAD)
    st = trm__fail(err, TRM_E_FORMAT, -1,
                   "%s: array \"%.80s\": a header of %zu bytes; want at most %d", path, e->name, n,
                   MAX_HEAD);

  /* All of it, as of a file that is no archive. */
  if (st == TRM_OK) st = trm__zip_stream_read(r->stream, head + first, n - first, err);
  if (st == TRM_OK) {
    st = trm__npy_from_head(e->name, head, n, e->size, &r->array, &cause);
    if (st != TRM_OK) trm__fail(err, st, cause.pos, "%s: %s", path, cause.msg);
  }
  trm__free(head);
  return st;
}

static uint64_t row_bytes(const trm__npz_rows *r) {
  return (uint64_t)r->array.row_count * trm__npy_type_size(r->array.type);
}

/* A small file may hold a large array: whether it fits is asked before it is unpacked. */
static trm_status read_whole(trm__npz_rows *r, trm_error *err) {
  char what[300];
  const uint64_t bytes = (uint64_t)r->array.shape[0] * row_bytes(r);
  snprintf(what, sizeof what, "%.150s: array \"%.80s\", which is in Fortran order",
           trm__zip_path(r->npz->zip), r->entry->name);
  TRM_TRY(trm__room_for((int64_t)bytes, what, "save numpy.ascontiguousarray(a)", err));
  TRM_ALLOC(&r->whole, bytes, what, err);
  return trm__zip_stream_read(r->stream, r->whole, (size_t)bytes, err);
}

static trm_status open_rows(trm__npz_rows *r, trm_error *err) {
  TRM_TRY(trm__zip_stream_open(r->npz->zip, r->entry, &r->stream, err));
  TRM_TRY(read_head(r, err));
  r->left = r->array.shape[0];
  if (r->array.fortran) TRM_TRY(read_whole(r, err));
  r->array.fortran = false;
  return TRM_OK;
}

trm_status trm__npz_find(const trm__npz *npz, const char *name, trm__npz_rows **out,
                         trm_error *err) {
  *out = NULL;
  int i = 0;
  while (i < npz->n && strcmp(npz->members[i].name, name) != 0) i++;
  if (i == npz->n) return TRM_OK;
  trm__npz_rows *r;
  TRM_ALLOC(&r, 1, "an array of a .npz", err);
  r->npz = npz;
  r->entry = npz->members[i].entry;
  const trm_status st = open_rows(r, err);
  if (st != TRM_OK) {
    trm__npz_rows_close(r);
    return st;
  }
  *out = r;
  return TRM_OK;
}

void trm__npz_rows_close(trm__npz_rows *r) {
  if (!r) return;
  trm__zip_stream_close(r->stream);
  trm__free(r->row);
  trm__free(r->whole);
  trm__free(r);
}

const trm__npy *trm__npz_array(const trm__npz_rows *r) {
  return &r->array;
}

/* Row-major, from where the first index moves fastest; bytes stay in their order. */
static void pick_row(trm__npz_rows *r) {
  const trm__npy *a = &r->array;
  const size_t size = trm__npy_type_size(a->type);
  unsigned char *to = r->row;
  for (int64_t i = 0; i < a->shape[1]; i++)
    for (int64_t j = 0; j < a->shape[2]; j++, to += size) {
      const int64_t at = a->shape[0] - r->left + a->shape[0] * (i + a->shape[1] * j);
      memcpy(to, r->whole + (size_t)at * size, size);
    }
}

trm_status trm__npz_next(trm__npz_rows *r, trm_error *err) {
  const uint64_t bytes = row_bytes(r);
  if (r->left == 0)
    TRM_FAIL(err, TRM_E_ARGUMENT, "array \"%.80s\" has no more rows", r->entry->name);
  if (!r->row) TRM_ALLOC(&r->row, bytes, "a row of an array", err);
  if (r->whole)
    pick_row(r);
  else
    TRM_TRY(trm__zip_stream_read(r->stream, r->row, (size_t)bytes, err));
  r->array.data = r->row;
  r->left--;
  return TRM_OK;
}
