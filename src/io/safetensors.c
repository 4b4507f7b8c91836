/* safetensors by jansson. The file is mapped; the parsed header stays, for it owns the names.
 * After open, every tensor's bytes are known to lie in the map. */
#include "io/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "io/json.h"

enum {
  LENGTH_BYTES = 8,
  MAX_HEADER = 100000000, /* the limit of the format's first implementation */
  PIECE = 4096            /* values converted at a time */
};

static const char metadata_key[] = "__metadata__";

struct trm__safetensors {
  trm__map map;
  json_t *header;
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
    TRM_FAIL_AT(err, TRM_E_FORMAT, map->size, "%s: not a safetensors file: only %zu bytes", path,
                map->size);
  uint64_t n;
  memcpy(&n, map->data, sizeof n);
  if (n > MAX_HEADER || n > map->size - LENGTH_BYTES)
    TRM_FAIL_AT(err, TRM_E_FORMAT, 0,
                "%s: not a safetensors file or truncated: want a header of %" PRIu64
                " bytes (at most %d), found %zu",
                path, n, MAX_HEADER, map->size - LENGTH_BYTES);
  file->data_start = LENGTH_BYTES + (size_t)n;
  json_error_t cause;
  const trm_status st = trm__json_decode((const char *)map->data + LENGTH_BYTES, (size_t)n,
                                         JSON_REJECT_DUPLICATES, &file->header, &cause);
  if (st == TRM_E_MEMORY) TRM_FAIL(err, st, "%s: no memory for its header", path);
  if (st != TRM_OK)
    TRM_FAIL_AT(err, TRM_E_FORMAT, LENGTH_BYTES + cause.position, "%s: header, byte %d: %s", path,
                LENGTH_BYTES + cause.position, cause.text);
  if (!json_is_object(file->header))
    TRM_FAIL_AT(err, TRM_E_FORMAT, LENGTH_BYTES, "%s: the header is not a JSON object", path);
  return TRM_OK;
}

static trm_status check_metadata(const json_t *metadata, const char *path, trm_error *err) {
  if (metadata && !json_is_object(metadata))
    TRM_FAIL(err, TRM_E_FORMAT, "%s: %s is not an object", path, metadata_key);
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)(uintptr_t)metadata, key, value) {
    if (!json_is_string(value))
      TRM_FAIL(err, TRM_E_FORMAT, "%s: %s: \"%s\" is not a string", path, metadata_key, key);
  }
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

static trm_status read_shape(const json_t *shape, const char *path, trm__st_tensor *t,
                             trm_error *err) {
  const size_t ndim = json_array_size(shape); /* 0 for what is no array */
  if (!json_is_array(shape) || ndim > TRM__ST_MAX_DIMS)
    TRM_FAIL(err, TRM_E_FORMAT, "%s: tensor \"%s\": want a shape of at most %d dimensions", path,
             t->name, TRM__ST_MAX_DIMS);
  t->ndim = (int)ndim;
  for (size_t i = 0; i < ndim; i++) {
    const json_t *dim = json_array_get(shape, i);
    t->shape[i] = json_is_integer(dim) ? json_integer_value(dim) : -1;
  }
  if (!count_elements(t))
    TRM_FAIL(err, TRM_E_FORMAT, "%s: tensor \"%s\": its shape is not one of sizes, or too large",
             path, t->name);
  return TRM_OK;
}

static trm_status read_tensor(const trm__safetensors *file, const char *path, json_t *entry,
                              trm__st_tensor *t, trm_error *err) {
  const char *dtype;
  json_t *shape;
  json_int_t begin, end;
  if (json_unpack(entry, "{s:s, s:o, s:[I, I!]!}", "dtype", &dtype, "shape", &shape, "data_offsets",
                  &begin, &end))
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: tensor \"%s\": want dtype (a word), shape and data_offsets (two integers)", path,
             t->name);
  TRM_TRY(read_dtype(dtype, path, t, err));
  TRM_TRY(read_shape(shape, path, t, err));
  const size_t room = file->map.size - file->data_start;
  if (begin < 0 || end < begin || (uint64_t)end > room)
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: tensor \"%s\": offsets %" JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT
             " are not within the %zu bytes of data (is the file truncated?)",
             path, t->name, begin, end, room);
  if ((uint64_t)(end - begin) != tensor_bytes(t))
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: tensor \"%s\": shape and type want %zu bytes, offsets give %" JSON_INTEGER_FORMAT,
             path, t->name, tensor_bytes(t), end - begin);
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
    TRM_FAIL_AT(err, TRM_E_FORMAT, at, "%s: %zu bytes after the last tensor belong to none", path,
                file->map.size - at);
  return TRM_OK;
}

static trm_status read_file(trm__safetensors *file, const char *path, trm_error *err) {
  TRM_TRY(trm__map_open(path, &file->map, err));
  TRM_TRY(read_header(file, path, err));
  TRM_TRY(check_metadata(json_object_get(file->header, metadata_key), path, err));
  TRM_ALLOC(&file->tensors, json_object_size(file->header), "the tensors of a file", err);
  const char *name;
  json_t *entry;
  json_object_foreach(file->header, name, entry) {
    if (strcmp(name, metadata_key) == 0) continue;
    trm__st_tensor *t = &file->tensors[file->n++];
    t->name = name;
    TRM_TRY(read_tensor(file, path, entry, t, err));
  }
  return check_cover(file, path, err);
}

trm_status trm__safetensors_open(const char *path, trm__safetensors **out, trm_error *err) {
  *out = NULL;
  trm__safetensors *file = NULL;
  TRM_ALLOC(&file, 1, "a safetensors file", err);
  const trm_status st = read_file(file, path, err);
  if (st != TRM_OK) {
    trm__safetensors_close(file);
    return st;
  }
  *out = file;
  return TRM_OK;
}

void trm__safetensors_close(trm__safetensors *file) {
  if (!file) return;
  trm__free(file->tensors);
  json_decref(file->header);
  trm__map_close(&file->map);
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
  return json_string_value(json_object_get(json_object_get(file->header, metadata_key), key));
}

/* --- writing --- */

/* An entry of the header for data at [*at, *at + bytes), which moves *at. */
static trm_status describe_tensor(json_t *header, const trm__st_tensor *tensor, uint64_t *at,
                                  trm_error *err) {
  trm__st_tensor t = *tensor;
  if (t.ndim < 0 || t.ndim > TRM__ST_MAX_DIMS || !count_elements(&t) ||
      tensor_bytes(&t) > INT64_MAX - *at)
    TRM_FAIL(err, TRM_E_ARGUMENT, "tensor \"%s\": its shape cannot be written", t.name);
  if (json_object_get(header, t.name) || strcmp(t.name, metadata_key) == 0)
    TRM_FAIL(err, TRM_E_ARGUMENT, "tensor \"%s\": the name is taken", t.name);
  const uint64_t end = *at + tensor_bytes(&t);
  json_t *shape = json_array();
  int failed = !shape;
  for (int i = 0; i < t.ndim && !failed; i++)
    failed = json_array_append_new(shape, json_integer(t.shape[i]));
  json_t *entry = failed
                      ? NULL
                      : json_pack("{s:s, s:O, s:[I, I]}", "dtype", trm__dtype_name(t.dtype),
                                  "shape", shape, "data_offsets", (json_int_t)*at, (json_int_t)end);
  json_decref(shape);
  if (!entry || json_object_set_new(header, t.name, entry))
    TRM_FAIL(err, TRM_E_ARGUMENT, "tensor \"%s\": no memory, or its name is not UTF-8", t.name);
  *at = end;
  return TRM_OK;
}

static trm_status describe_metadata(json_t *header, const trm__st_meta *meta, int n,
                                    trm_error *err) {
  if (n == 0) return TRM_OK;
  json_t *object = json_object();
  if (!object || json_object_set_new(header, metadata_key, object))
    TRM_FAIL(err, TRM_E_MEMORY, "no memory for metadata");
  for (int i = 0; i < n; i++) {
    if (json_object_set_new(object, meta[i].key, json_string(meta[i].value)))
      TRM_FAIL(err, TRM_E_ARGUMENT, "metadata \"%s\": no memory, or it is not UTF-8", meta[i].key);
  }
  return TRM_OK;
}

/* The types from large elements to small, as the enum lists them: each size is a multiple of the
 * next, so alignment needs no padding. */
static trm_status describe_all(json_t *header, const trm__st_tensor *tensors, int n,
                               trm_error *err) {
  uint64_t at = 0;
  for (int type = 0; type < TRM__N_DTYPES; type++) {
    for (int i = 0; i < n; i++) {
      if ((int)tensors[i].dtype == type) TRM_TRY(describe_tensor(header, &tensors[i], &at, err));
    }
  }
  return TRM_OK;
}

static void write_data(trm__writer *w, const trm__st_tensor *t) {
  unsigned char piece[PIECE * sizeof(float)];
  const float *values = t->data;
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

/* The header's text in a fresh block. */
static trm_status print_header(const json_t *header, char **text, trm_error *err) {
  const size_t n = json_dumpb(header, NULL, 0, JSON_COMPACT);
  if (n == 0) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a safetensors header");
  TRM_ALLOC(text, n + 1, "a safetensors header", err);
  if (json_dumpb(header, *text, n, JSON_COMPACT) != n)
    TRM_FAIL(err, TRM_E_MEMORY, "no memory for a safetensors header");
  return TRM_OK;
}

trm_status trm__safetensors_save(const char *path, const trm__st_tensor *tensors, int n,
                                 const trm__st_meta *meta, int n_meta, trm_error *err) {
  json_t *header = json_object();
  char *text = NULL;
  trm_status st;
  if (!header) TRM_FAIL(err, TRM_E_MEMORY, "%s: no memory for its header", path);
  TRM_GOTO(describe_metadata(header, meta, n_meta, err));
  TRM_GOTO(describe_all(header, tensors, n, err));
  TRM_GOTO(print_header(header, &text, err));
  st = write_all(path, text, tensors, n, err);
done:
  trm__free(text);
  json_decref(header);
  return st;
}
