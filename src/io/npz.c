/* Stored arrays are read where they lie in the mapping of the archive, compressed ones unpacked.
 * The CRC of both is checked. */
#include "io/npz.h"

#include <string.h>

#include "base/memory.h"
#include "io/zip.h"

static const char suffix[] = ".npy";
enum { SUFFIX = sizeof suffix - 1 };
enum { MAX_HEAD = 1 << 16 /* of a header; NumPy's have 128 bytes */ };
static const size_t max_unpacked = (size_t)1 << 32;

typedef struct member {
  const trm__zip_entry *entry;
  char *name;
  unsigned char *unpacked; /* of a compressed one that was read */
  trm__npy array;          /* data NULL: not read yet */
} member;

struct trm__npz {
  trm__zip *zip;
  int n;
  member *members;
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

trm_status trm__npz_open(const char *path, trm__npz **out, trm_error *err) {
  *out = NULL;
  trm__npz *npz;
  TRM_ALLOC(&npz, 1, "a .npz", err);
  trm_status st;
  TRM_GOTO(trm__zip_open(path, &npz->zip, err));
  TRM_GOTO(list_members(npz, err));
  *out = npz;
  return TRM_OK;
done:
  trm__npz_close(npz);
  return st;
}

void trm__npz_close(trm__npz *npz) {
  if (!npz) return;
  for (int i = 0; i < npz->n; i++) {
    trm__free(npz->members[i].name);
    trm__free(npz->members[i].unpacked);
  }
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

/* FORMAT when the array is too large, or not what its header says, before it is unpacked. */
static trm_status check_packed(const trm__npz *npz, const trm__zip_entry *e, trm_error *err) {
  if (e->size > max_unpacked)
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: array \"%.80s\" has %zu bytes unpacked; want at most %zu: save it with "
             "numpy.savez, which does not compress, or as a smaller type",
             trm__zip_path(npz->zip), e->name, e->size, max_unpacked);
  const size_t n = e->size < MAX_HEAD ? e->size : MAX_HEAD;
  unsigned char *head;
  trm_error cause;
  TRM_ALLOC(&head, n, "the header of an array", err);
  trm_status st = trm__zip_head(npz->zip, e, n, head, err);
  if (st == TRM_OK) {
    st = trm__npy_check_head(e->name, head, n, e->size, &cause);
    if (st != TRM_OK) trm__fail(err, st, cause.pos, "%s: %s", trm__zip_path(npz->zip), cause.msg);
  }
  trm__free(head);
  return st;
}

static trm_status read_member(const trm__npz *npz, member *m, trm_error *err) {
  const trm__zip_entry *e = m->entry;
  const unsigned char *data = trm__zip_view(npz->zip, e);
  trm_error cause;
  if (data) {
    TRM_TRY(trm__zip_check(npz->zip, e, err));
  } else if (!m->unpacked) {
    TRM_TRY(check_packed(npz, e, err));
    TRM_TRY(trm__zip_read(npz->zip, e, max_unpacked, &m->unpacked, err));
  }
  const trm_status st =
      trm__npy_from_memory(e->name, data ? data : m->unpacked, e->size, &m->array, &cause);
  if (st != TRM_OK) TRM_FAIL_AT(err, st, cause.pos, "%s: %s", trm__zip_path(npz->zip), cause.msg);
  return TRM_OK;
}

trm_status trm__npz_find(trm__npz *npz, const char *name, const trm__npy **out, trm_error *err) {
  *out = NULL;
  for (int i = 0; i < npz->n; i++) {
    member *m = &npz->members[i];
    if (strcmp(m->name, name)) continue;
    if (!m->array.data) TRM_TRY(read_member(npz, m, err));
    *out = &m->array;
    break;
  }
  return TRM_OK;
}
