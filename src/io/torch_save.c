/* Writing: the pickle of an OrderedDict of tensors in protocol 2, spelled out without a memo, and
 * one storage per tensor. */
#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "io/torch_file.h"
#include "io/zip.h"

enum {
  PIECE = 2048, /* values converted at a time */
  /* Of what the pickle needs for a tensor besides its name: 220 bytes and 10 per dimension. */
  ROOM_PER_TENSOR = 512,
  ROOM = 256
};

typedef struct pickler {
  char *text;
  size_t n;
} pickler;

static void put(pickler *p, const void *bytes, size_t n) {
  memcpy(p->text + p->n, bytes, n);
  p->n += n;
}

static void put_words(pickler *p, const char *words) {
  put(p, words, strlen(words));
}

static void put_number(pickler *p, uint64_t v, int bytes) {
  for (int i = 0; i < bytes; i++) p->text[p->n++] = (char)(v >> 8 * i & 0xFF);
}

/* BINUNICODE of prefix and text in one. */
static void put_text(pickler *p, const char *prefix, const char *text) {
  put_words(p, "X");
  put_number(p, strlen(prefix) + strlen(text), 4);
  put_words(p, prefix);
  put_words(p, text);
}

/* BININT, or LONG1 where 31 bits are too few. */
static void put_int(pickler *p, int64_t v) {
  if (v <= INT32_MAX) {
    put_words(p, "J");
    put_number(p, (uint64_t)v, 4);
  } else {
    put_words(p, "\x8a\x08");
    put_number(p, (uint64_t)v, 8);
  }
}

static const char *storage_of(trm__dtype dtype) {
  static const char *const names[TRM__N_DTYPES] = {[TRM__F32] = "ctorch\nFloatStorage\n",
                                                   [TRM__BF16] = "ctorch\nBFloat16Storage\n",
                                                   [TRM__I32] = "ctorch\nIntStorage\n"};
  return names[dtype];
}

static void put_tensor(pickler *p, const char *prefix, const trm__st_tensor *t, int index) {
  char key[16];
  snprintf(key, sizeof key, "%d", index);
  put_text(p, prefix, t->name);

  /* torch._utils._rebuild_tensor_v2((storage, type, key, device, count), offset 0, ... */
  put_words(p, "ctorch._utils\n_rebuild_tensor_v2\n((");
  put_text(p, "", "storage");
  put_words(p, storage_of(t->dtype));
  put_text(p, "", key);
  put_text(p, "", "cpu");
  put_int(p, t->count);
  put_words(p, "tQ");
  put_int(p, 0);

  /* ... the shape, the strides of rows one after the other ... */
  put_words(p, "(");
  for (int i = 0; i < t->ndim; i++) put_int(p, t->shape[i]);

  /* ... no gradient, and no hooks) under the name. */
  put_words(p, "t(");
  int64_t stride = t->count;
  for (int i = 0; i < t->ndim; i++) {
    stride = t->shape[i] ? stride / t->shape[i] : 1;
    put_int(p, stride);
  }
  put_words(p,
            "t\x89"
            "ccollections\nOrderedDict\n)RtR");
}

/* The whole pickle in a fresh block. */
static trm_status make_pickle(pickler *p, const char *prefix, const trm__st_tensor *tensors, int n,
                              trm_error *err) {
  size_t room = ROOM;
  for (int i = 0; i < n; i++) room += ROOM_PER_TENSOR + strlen(prefix) + strlen(tensors[i].name);
  *p = (pickler){0};
  TRM_ALLOC(&p->text, room, "a pickle", err);
  put_words(p,
            "\x80\x02"
            "ccollections\nOrderedDict\n)R(");
  for (int i = 0; i < n; i++) put_tensor(p, prefix, &tensors[i], i);
  put_words(p, "u.");
  return TRM_OK;
}

static void write_storage(trm__zip_writer *w, const trm__st_tensor *t) {
  unsigned char piece[PIECE * sizeof(float)];
  const float *values = t->data;
  const size_t size = trm__dtype_size(t->dtype);
  if (!t->from_float) {
    trm__zip_append(w, t->data, (size_t)t->count * size);
    return;
  }
  for (int64_t at = 0; at < t->count; at += PIECE) {
    const int64_t n = t->count - at < PIECE ? t->count - at : PIECE;
    trm__dtype_from_float(t->dtype, values + at, n, piece);
    trm__zip_append(w, piece, (size_t)n * size);
  }
}

static void write_entry(trm__zip_writer *w, const char *archive, const char *name, const void *data,
                        size_t n) {
  char whole[128];
  snprintf(whole, sizeof whole, "%s/%s", archive, name);
  trm__zip_begin(w, whole, n);
  trm__zip_append(w, data, n);
  trm__zip_end(w);
}

/* The archive has one name for all files, so that the same tensors give the same bytes. */
static trm_status write_archive(const char *path, const pickler *p, const trm__st_tensor *tensors,
                                int n, trm_error *err) {
  static const char archive[] = "archive", version[] = "3\n", order[] = "little";
  trm__zip_writer w;
  TRM_TRY(trm__zip_create(&w, path, err));
  write_entry(&w, archive, "data.pkl", p->text, p->n);
  write_entry(&w, archive, "byteorder", order, strlen(order));
  for (int i = 0; i < n; i++) {
    char name[48];
    snprintf(name, sizeof name, "%s/data/%d", archive, i);
    trm__zip_begin(&w, name, (uint64_t)tensors[i].count * trm__dtype_size(tensors[i].dtype));
    write_storage(&w, &tensors[i]);
    trm__zip_end(&w);
  }
  write_entry(&w, archive, "version", version, strlen(version));
  return trm__zip_commit(&w, err);
}

trm_status trm__torch_save(const char *path, const char *prefix, const trm__st_tensor *tensors,
                           int n, trm_error *err) {
  pickler p;
  for (int i = 0; i < n; i++)
    if (!storage_of(tensors[i].dtype) || tensors[i].ndim > TRM__ST_MAX_DIMS)
      TRM_FAIL(err, TRM_E_ARGUMENT, "tensor \"%s\": %s cannot be written to a torch file",
               tensors[i].name, trm__dtype_name(tensors[i].dtype));
  TRM_TRY(make_pickle(&p, prefix, tensors, n, err));
  const trm_status st = write_archive(path, &p, tensors, n, err);
  trm__free(p.text);
  return st;
}
