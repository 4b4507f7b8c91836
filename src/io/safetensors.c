/* safetensors. The file is mapped; the parsed header stays, for it owns the names.
 * After open, every tensor's bytes are known to lie in the map. */
#include "io/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "io/foreign.h"
#include "io/json.h"

enum {
  LENGTH_BYTES = 8,
  MAX_HEADER = 100000000, /* the limit of the format's first implementation */
  PIECE = 2048            /* values converted at a time */
};

static const char metadata_key[] = "__metadata__";

struct trm__safetensors {
  trm__map map;
  bool borrowed; /* the bytes are the caller's */
  trm__json *header;
  size_t data_start;
  int n;
  trm__st_tensor *tensors; /* [n], in the order of the data */
};

trm_status trm__st_to_float(const trm__st_tensor *t, float *out, trm_error *err) {
  if (!trm__dtype_is_float(t->dtype))
    TRM_FAIL(err, TRM_E_FORMAT, "tensor \"%s\" is %s; want F32, F64, BF16 or F16", t->name,
             trm__dtype_name(t->dtype));
  trm__dtype_to_float(t->dtype, t->data, 1, t->count, out);
  return TRM_OK;
}

/* Elements of a shape; false when their bytes exceed an int64. */
static bool count_elements(trm__st_tensor *t) {
  int64_t room = INT64_MAX / (int64_t)trm__dtype_size(t->dtype);
  t->count = 1;
  for (int i = 0; i < t->ndim; i++) {
    if (t->shape[i] < 0 || t->shape[i] > room) return false;
    if (t->shape[i] > 0) room /= t->shape[i];
    t->count *= t->shape[i];
  }
  return true;
}

static size_t tensor_bytes(const trm__st_tensor *t) {
  return (size_t)t->count * trm__dtype_size(t->dtype);
}

/* --- reading --- */

/* The JSON text, parsed. */
static trm_status read_header(trm__safetensors *file, const char *path, trm_error *err) {
  const trm__map *map = &file->map;
  if (map->size < LENGTH_BYTES)
    TRM_FAIL_AT(err, TRM_E_FORMAT, map->size, "%s: not a safetensors file: only %zu byte%s", path,
                map->size, TRM__S(map->size));

  /* Eight bytes, little-endian, say how long the text is. */
  uint64_t n;
  memcpy(&n, map->data, sizeof n);
  if (n > MAX_HEADER || n > map->size - LENGTH_BYTES)
    TRM_FAIL_AT(err, TRM_E_FORMAT, 0,
                "%s: not a safetensors file or truncated: want a header of %" PRIu64
                " bytes (at most %d), found %zu",
                path, n, MAX_HEADER, map->size - LENGTH_BYTES);
  file->data_start = LENGTH_BYTES + (size_t)n;

  /* The text is an object of tensors by name. */
  trm__json_fault fault;
  const trm_status st = trm__json_decode((const char *)map->data + LENGTH_BYTES, (size_t)n, NULL,
                                         &file->header, &fault);
  if (st == TRM_E_MEMORY) TRM_FAIL(err, st, "%s: no memory for its header", path);
  if (st != TRM_OK)
    TRM_FAIL_AT(err, TRM_E_FORMAT, LENGTH_BYTES + fault.byte, "%s: header, byte %zu: %s", path,
                LENGTH_BYTES + fault.byte, fault.what);
  if (!trm__json_is(file->header, TRM__JSON_OBJECT))
    TRM_FAIL_AT(err, TRM_E_FORMAT, LENGTH_BYTES, "%s: the header is not a JSON object", path);
  return TRM_OK;
}

static trm_status check_metadata(const trm__json *metadata, const char *path, trm_error *err) {
  if (metadata && !trm__json_is(metadata, TRM__JSON_OBJECT))
    TRM_FAIL(err, TRM_E_FORMAT, "%s: %s is not an object", path, metadata_key);
  for (size_t i = 0; i < trm__json_n_members(metadata); i++)
    if (!trm__json_is(trm__json_member(metadata, i), TRM__JSON_STRING))
      TRM_FAIL(err, TRM_E_FORMAT, "%s: %s: \"%s\" is not a string", path, metadata_key,
               trm__json_key(metadata, i));
  return TRM_OK;
}

static trm_status read_dtype(const char *word, const char *path, trm__st_tensor *t,
                             trm_error *err) {
  for (int i = 0; i < TRM__N_DTYPES; i++) {
    if (strcmp(word, trm__dtype_name((trm__dtype)i)) == 0) {
      t->dtype = (trm__dtype)i;
      return TRM_OK;
    }
  }
  TRM_FAIL(err, TRM_E_FORMAT,
           "%s: tensor \"%s\": type %s; want F64, F32, BF16, F16, I64, I32, I16, I8, U8 or BOOL",
           path, t->name, word);
}

static bool is_integer(const trm__json *v) {
  return trm__json_is(v, TRM__JSON_INTEGER);
}

static trm_status read_shape(const trm__json *shape, const char *path, trm__st_tensor *t,
                             trm_error *err) {
  const size_t ndim = trm__json_n_items(shape); /* 0 for what is no array */
  if (!trm__json_is(shape, TRM__JSON_ARRAY) || ndim > TRM__ST_MAX_DIMS)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: tensor \"%s\": want a shape of at most %d dimensions", path,
             t->name, TRM__ST_MAX_DIMS);
  t->ndim = (int)ndim;
  for (size_t i = 0; i < ndim; i++) {
    const trm__json *dim = trm__json_item(shape, i);
    t->shape[i] = is_integer(dim) ? trm__json_integer(dim) : -1;
  }
  if (!count_elements(t))
    TRM_FAIL(err, TRM_E_FORMAT, "%s: tensor \"%s\": its shape is not one of sizes, or too large",
             path, t->name);
  return TRM_OK;
}

static trm_status read_tensor(const trm__safetensors *file, const char *path,
                              const trm__json *entry, trm__st_tensor *t, trm_error *err) {
  const char *dtype = trm__json_text(trm__json_get(entry, "dtype"));
  const trm__json *shape = trm__json_get(entry, "shape");
  const trm__json *offsets = trm__json_get(entry, "data_offsets");
  const trm__json *first = trm__json_item(offsets, 0), *second = trm__json_item(offsets, 1);

  /* {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, and nothing else. */
  if (trm__json_n_members(entry) != 3 || !dtype || !shape || trm__json_n_items(offsets) != 2 ||
      !is_integer(first) || !is_integer(second))
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: tensor \"%s\": want dtype (a word), shape and data_offsets (two integers)", path,
             t->name);
  const int64_t begin = trm__json_integer(first), end = trm__json_integer(second);
  TRM_TRY(read_dtype(dtype, path, t, err));
  TRM_TRY(read_shape(shape, path, t, err));

  /* The bytes must lie in the file, and be as many as shape and type want. */
  const size_t room = file->map.size - file->data_start;
  if (begin < 0 || end < begin || (uint64_t)end > room)
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: tensor \"%s\": offsets %" PRId64 " to %" PRId64
             " are not within the %zu bytes of data (is the file truncated?)",
             path, t->name, begin, end, room);
  if ((uint64_t)(end - begin) != tensor_bytes(t))
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: tensor \"%s\": shape and type want %zu bytes, offsets give %" PRId64, path,
             t->name, tensor_bytes(t), end - begin);
  t->data = file->map.data + file->data_start + (size_t)begin;
  return TRM_OK;
}

/* By begin, then by end: empty tensors before the one that starts at the same byte. */
static int compare_places(const void *left, const void *right) {
  const trm__st_tensor *a = left, *b = right;
  const uintptr_t at_a = (uintptr_t)a->data, at_b = (uintptr_t)b->data;
  if (at_a != at_b) return at_a < at_b ? -1 : 1;
  if (a->count != b->count) return a->count < b->count ? -1 : 1;
  return strcmp(a->name, b->name);
}

/* No byte of the data belongs to two tensors or to none. */
static trm_status check_cover(trm__safetensors *file, const char *path, trm_error *err) {
  if (file->n) qsort(file->tensors, (size_t)file->n, sizeof *file->tensors, compare_places);
  size_t at = file->data_start;
  for (int i = 0; i < file->n; i++) {
    const trm__st_tensor *t = &file->tensors[i];
    const size_t begin = (size_t)((const unsigned char *)t->data - file->map.data);
    if (begin != at)
      TRM_FAIL_AT(err, TRM_E_FORMAT, begin, "%s: tensor \"%s\" starts at byte %zu; want %zu (%s)",
                  path, t->name, begin, at, begin < at ? "an overlap" : "a gap");
    at += tensor_bytes(t);
  }
  if (at != file->map.size)
    TRM_FAIL_AT(err, TRM_E_FORMAT, at, "%s: %zu byte%s after the last tensor belong to none", path,
                file->map.size - at, TRM__S(file->map.size - at));
  return TRM_OK;
}

static trm_status read_file(trm__safetensors *file, const char *path, trm_error *err) {
  TRM_TRY(read_header(file, path, err));
  TRM_TRY(check_metadata(trm__json_get(file->header, metadata_key), path, err));
  TRM_ALLOC(&file->tensors, trm__json_n_members(file->header), "the tensors of a file", err);
  for (size_t i = 0; i < trm__json_n_members(file->header); i++) {
    const char *name = trm__json_key(file->header, i);
    if (strcmp(name, metadata_key) == 0) continue;
    trm__st_tensor *t = &file->tensors[file->n++];
    t->name = name;
    TRM_TRY(read_tensor(file, path, trm__json_member(file->header, i), t, err));
  }
  return check_cover(file, path, err);
}

trm_status trm__safetensors_open(const char *path, trm__safetensors **out, trm_error *err) {
  *out = NULL;
  trm__safetensors *file = NULL;
  TRM_ALLOC(&file, 1, "a safetensors file", err);
  trm_status st = trm__map_open(path, &file->map, err);
  if (st == TRM_OK) st = read_file(file, path, err);
  if (st != TRM_OK) {
    trm__safetensors_close(file);
    if (st == TRM_E_FORMAT) TRM_TRY(trm__foreign_check(TRM__WANT_MODEL, path, err));
    return st;
  }
  *out = file;
  return TRM_OK;
}

trm_status trm__safetensors_from_memory(const char *name, const void *bytes, size_t n,
                                        trm__safetensors **out, trm_error *err) {
  *out = NULL;
  trm__safetensors *file = NULL;
  TRM_ALLOC(&file, 1, "a safetensors file", err);
  file->map = (trm__map){.data = bytes, .size = n};
  file->borrowed = true;
  const trm_status st = read_file(file, name, err);
  if (st == TRM_OK)
    *out = file;
  else
    trm__safetensors_close(file);
  return st;
}

void trm__safetensors_close(trm__safetensors *file) {
  if (!file) return;
  trm__free(file->tensors);
  trm__json_free(file->header);
  if (!file->borrowed) trm__map_close(&file->map);
  trm__free(file);
}

int trm__safetensors_count(const trm__safetensors *file) {
  return file->n;
}

const trm__st_tensor *trm__safetensors_at(const trm__safetensors *file, int i) {
  return &file->tensors[i];
}

const trm__st_tensor *trm__safetensors_find(const trm__safetensors *file, const char *name) {
  for (int i = 0; i < file->n; i++) {
    if (strcmp(file->tensors[i].name, name) == 0) return &file->tensors[i];
  }
  return NULL;
}

const char *trm__safetensors_meta(const trm__safetensors *file, const char *key) {
  return trm__json_text(trm__json_get(trm__json_get(file->header, metadata_key), key));
}

/* --- writing --- */

/* A tensor that can be written, under a name that none before it has. */
static trm_status check_tensor(const trm__st_tensor *tensors, int i, trm_error *err) {
  trm__st_tensor t = tensors[i];
  if (t.ndim < 0 || t.ndim > TRM__ST_MAX_DIMS || !count_elements(&t))
    TRM_FAIL(err, TRM_E_ARGUMENT, "tensor \"%s\": its shape cannot be written", t.name);
  bool taken = strcmp(t.name, metadata_key) == 0;
  for (int k = 0; k < i && !taken; k++) taken = strcmp(t.name, tensors[k].name) == 0;
  if (taken) TRM_FAIL(err, TRM_E_ARGUMENT, "tensor \"%s\": the name is taken", t.name);
  return TRM_OK;
}

/* An entry of the header for data at [*at, *at + bytes), which moves *at. */
static trm_status put_tensor(trm__json_out *o, const trm__st_tensor *tensor, uint64_t *at,
                             trm_error *err) {
  trm__st_tensor t = *tensor;
  (void)count_elements(&t);
  if (tensor_bytes(&t) > INT64_MAX - *at)
    TRM_FAIL(err, TRM_E_ARGUMENT, "tensor \"%s\": too many bytes with those before it", t.name);
  const uint64_t end = *at + tensor_bytes(&t);
  trm__json_open(o, t.name, '{');
  trm__json_put_text(o, "dtype", trm__dtype_name(t.dtype));
  trm__json_open(o, "shape", '[');
  for (int i = 0; i < t.ndim; i++) trm__json_put_int(o, NULL, t.shape[i]);
  trm__json_close(o);
  trm__json_open(o, "data_offsets", '[');
  trm__json_put_int(o, NULL, (int64_t)*at);
  trm__json_put_int(o, NULL, (int64_t)end);
  trm__json_close(o);
  trm__json_close(o);
  *at = end;
  return TRM_OK;
}

static void put_metadata(trm__json_out *o, const trm__st_meta *meta, int n) {
  if (n == 0) return;
  trm__json_open(o, metadata_key, '{');
  for (int i = 0; i < n; i++) trm__json_put_text(o, meta[i].key, meta[i].value);
  trm__json_close(o);
}

/* The types from large elements to small, as the enum lists them: each size is a multiple of the
 * next, so alignment needs no padding. */
static trm_status put_tensors(trm__json_out *o, const trm__st_tensor *tensors, int n,
                              trm_error *err) {
  uint64_t at = 0;
  for (int i = 0; i < n; i++) TRM_TRY(check_tensor(tensors, i, err));
  for (int type = 0; type < TRM__N_DTYPES; type++) {
    for (int i = 0; i < n; i++) {
      if ((int)tensors[i].dtype == type) TRM_TRY(put_tensor(o, &tensors[i], &at, err));
    }
  }
  return TRM_OK;
}

static void write_data(trm__writer *w, const trm__st_tensor *t) {
  unsigned char piece[PIECE * sizeof(float)];
  const float *values = t->data;
  if (t->write) {
    t->write(t, w);
    return;
  }
  if (!t->from_float) {
    trm__write(w, t->data, tensor_bytes(t));
    return;
  }
  for (int64_t at = 0; at < t->count; at += PIECE) {
    const int64_t n = t->count - at < PIECE ? t->count - at : PIECE;
    trm__dtype_from_float(t->dtype, values + at, n, piece);
    trm__write(w, piece, (size_t)n * trm__dtype_size(t->dtype));
  }
}

static trm_status write_all(const char *path, const char *text, const trm__st_tensor *tensors,
                            int n, trm_error *err) {
  static const char spaces[LENGTH_BYTES] = "       ";
  const size_t length = strlen(text);
  const size_t padding = (LENGTH_BYTES - length % LENGTH_BYTES) % LENGTH_BYTES;
  const uint64_t total = length + padding;
  if (total > MAX_HEADER)
    TRM_FAIL(err, TRM_E_ARGUMENT, "%s: a header of %" PRIu64 " bytes; want at most %d", path, total,
             MAX_HEADER);
  trm__writer w;
  TRM_TRY(trm__writer_open(&w, path, err));
  trm__write(&w, &total, sizeof total);
  trm__write(&w, text, length);
  trm__write(&w, spaces, padding);
  for (int type = 0; type < TRM__N_DTYPES; type++) {
    for (int i = 0; i < n; i++) {
      trm__st_tensor t = tensors[i];
      if ((int)t.dtype == type && count_elements(&t)) write_data(&w, &t);
    }
  }
  return trm__writer_commit(&w, err);
}

trm_status trm__safetensors_save(const char *path, const trm__st_tensor *tensors, int n,
                                 const trm__st_meta *meta, int n_meta, trm_error *err) {
  trm__json_out header = trm__json_begin(TRM__JSON_COMPACT);
  char *text;
  trm__json_open(&header, NULL, '{');
  put_metadata(&header, meta, n_meta);
  trm_status st = put_tensors(&header, tensors, n, err);
  trm__json_close(&header);
  const trm_status finished = trm__json_finish(&header, path, &text, st == TRM_OK ? err : NULL);
  if (st == TRM_OK) st = finished;
  if (st == TRM_OK) st = write_all(path, text, tensors, n, err);
  trm__free(text);
  return st;
}
