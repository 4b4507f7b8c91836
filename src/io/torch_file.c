/* Reading. What a tensor says of its place is compared with its storage's bytes before anything is
 * kept: afterwards every element lies in the mapping. */
#include "io/torch_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "io/pickle.h"
#include "io/zip.h"

enum {
  MAX_KEY = 24,         /* of a storage: a decimal number */
  MAX_SPREAD = 1 << 20, /* elements of a tensor that is larger than its storage */
  TENSOR_ARGS = 6,      /* of _rebuild_tensor_v2, at least */
  PERSISTENT_ARGS = 5
};

/* The names that a state_dict needs. From N_CALLS on: types of storages, in the order of `types`.
 */
enum { ORDERED_DICT, REBUILD_TENSOR, REBUILD_PARAMETER, N_CALLS };
static const trm__pickle_global globals[] = {
    {"collections", "OrderedDict", TRM__PICKLE_MAKE_DICT},
    {"torch._utils", "_rebuild_tensor_v2", TRM__PICKLE_RECORD},
    {"torch._utils", "_rebuild_parameter", TRM__PICKLE_RECORD},
    {"torch", "DoubleStorage", TRM__PICKLE_NAME},
    {"torch", "FloatStorage", TRM__PICKLE_NAME},
    {"torch", "HalfStorage", TRM__PICKLE_NAME},
    {"torch", "BFloat16Storage", TRM__PICKLE_NAME},
    {"torch", "LongStorage", TRM__PICKLE_NAME},
    {"torch", "IntStorage", TRM__PICKLE_NAME},
    {"torch", "ShortStorage", TRM__PICKLE_NAME},
    {"torch", "CharStorage", TRM__PICKLE_NAME},
    {"torch", "ByteStorage", TRM__PICKLE_NAME},
    {"torch", "BoolStorage", TRM__PICKLE_NAME},
    {NULL, NULL, TRM__PICKLE_NAME}};
static const trm__dtype types[] = {TRM__F64, TRM__F32, TRM__F16, TRM__BF16, TRM__I64,
                                   TRM__I32, TRM__I16, TRM__I8,  TRM__U8,   TRM__BOOL};

struct trm__torch_file {
  trm__zip *zip;
  char *prefix; /* "step_10/" */
  int n;
  trm__torch_tensor *tensors;
};

typedef struct reader {
  const char *path;
  trm__torch_file *file;
  const trm__pickle *pickle;
  trm_error *err;
} reader;

typedef const trm__pickle_value value;

/* --- the archive --- */

/* "NAME/data.pkl" is in every such archive; its NAME/ is that of all entries. */
static trm_status find_prefix(trm__torch_file *f, const char *path, trm_error *err) {
  static const char pickle[] = "/data.pkl";
  const char *found = NULL;
  size_t n = 0;
  for (int i = 0; i < trm__zip_count(f->zip); i++) {
    const char *name = trm__zip_at(f->zip, i)->name, *slash = strchr(name, '/');
    if (!slash || strcmp(slash, pickle)) continue;
    if (found)
      TRM_FAIL(err, TRM_E_FORMAT, "%s: two pickles, \"%.80s\" and \"%.80s\"; want one", path, found,
               name);
    found = name;
    n = (size_t)(slash - name) + 1;
  }
  if (!found)
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: a zip archive, but none of torch.save: it has no entry NAME/data.pkl", path);
  TRM_ALLOC(&f->prefix, n + 1, "a name", err);
  memcpy(f->prefix, found, n);
  return TRM_OK;
}

/* The entry NAME/`name`; NULL when there is none, or the name is too long. */
static const trm__zip_entry *find_entry(const trm__torch_file *f, const char *name) {
  char whole[1100];
  const int n = snprintf(whole, sizeof whole, "%s%s", f->prefix, name);
  return n > 0 && (size_t)n < sizeof whole ? trm__zip_find(f->zip, whole) : NULL;
}

static trm_status check_archive(const trm__torch_file *f, const char *path, trm_error *err) {
  static const char little[] = "little";
  const trm__zip_entry *order = find_entry(f, "byteorder");
  unsigned char *text;
  if (find_entry(f, "constants.pkl"))
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: a TorchScript program (torch.jit.save), which would have to be executed; save "
             "torch.jit.load(FILE).state_dict() with torch.save",
             path);
  if (!order) return TRM_OK;
  TRM_TRY(trm__zip_read(f->zip, order, MAX_KEY, &text, err));
  const bool good = order->size == strlen(little) && !memcmp(text, little, strlen(little));
  trm__free(text);
  if (!good)
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: written on a big-endian machine; load and save it with torch on a little-endian "
             "one",
             path);
  return TRM_OK;
}

/* A torch file of before 1.6 is a row of pickles, of which the first is this number. */
static trm_status check_legacy(const char *path, trm_error *err) {
  static const unsigned char magic[] = {0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46,
                                        0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
  trm__map map;
  TRM_TRY(trm__map_open(path, &map, err));
  const bool legacy = map.size > 2 + sizeof magic && map.data[0] == 0x80 &&
                      !memcmp(map.data + 2, magic, sizeof magic);
  trm__map_close(&map);
  if (legacy)
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: a torch file of the old kind (before torch 1.6); save it anew: "
             "torch.save(torch.load(FILE), NEW)",
             path);
  return TRM_OK;
}

/* --- values of the pickle --- */

static trm_status fail_tensor(const reader *r, const char *name, const char *what) {
  TRM_FAIL(r->err, TRM_E_FORMAT, "%s: tensor \"%.80s\": %s", r->path, name, what);
}

static bool is_kind(const value *v, trm__pickle_kind kind) {
  return v && v->kind == kind;
}

/* A whole number, 0 or more. */
static bool is_size(const value *v) {
  return is_kind(v, TRM__PICKLE_INT) && v->u.integer >= 0;
}

static trm_status read_sizes(const reader *r, const value *tuple, const char *name, int64_t *out,
                             int *n) {
  int32_t at = 0;
  const value *v;
  *n = 0;
  if (!is_kind(tuple, TRM__PICKLE_TUPLE))
    return fail_tensor(r, name, "its shape or strides are no tuple");
  while (trm__pickle_next(r->pickle, tuple, &at, NULL, &v)) {
    if (!is_size(v) || *n == TRM__ST_MAX_DIMS)
      return fail_tensor(r, name, "want a shape and strides of at most 8 numbers, 0 or more");
    out[(*n)++] = v->u.integer;
  }
  return TRM_OK;
}

/* The storage of ('storage', torch.FloatStorage, '7', 'cpu', count): its type, entry, and elements.
 */
static trm_status read_storage(const reader *r, const value *id, trm__torch_tensor *t,
                               int64_t *elements) {
  const value *item[PERSISTENT_ARGS];
  if (!is_kind(id, TRM__PICKLE_PERSISTENT) || id->u.items.n != PERSISTENT_ARGS)
    return fail_tensor(r, t->name, "it has no storage of the kind that torch.save writes");
  for (int i = 0; i < PERSISTENT_ARGS; i++) item[i] = trm__pickle_item(r->pickle, id, i);
  const value *type = item[1], *key = item[2];
  if (!is_kind(type, TRM__PICKLE_GLOBAL) || type->global < N_CALLS ||
      !is_kind(key, TRM__PICKLE_TEXT) || !is_size(item[4]) || key->u.text.n >= MAX_KEY)
    return fail_tensor(r, t->name, "its storage is not described as torch.save does");
  char name[MAX_KEY + 8];
  snprintf(name, sizeof name, "data/%.*s", (int)key->u.text.n, key->u.text.bytes);
  const trm__zip_entry *e = find_entry(r->file, name);
  if (!e)
    TRM_FAIL(r->err, TRM_E_FORMAT, "%s: tensor \"%.80s\": its storage %s is not in the file",
             r->path, t->name, name);
  const unsigned char *data = trm__zip_view(r->file->zip, e);
  if (!data)
    return fail_tensor(r, t->name, "its storage is compressed; torch.save stores it plain");
  t->dtype = types[type->global - N_CALLS];
  t->entry = (int)(e - trm__zip_at(r->file->zip, 0));
  t->data = data;
  *elements = item[4]->u.integer;
  if ((uint64_t)*elements > e->size / trm__dtype_size(t->dtype))
    TRM_FAIL(r->err, TRM_E_FORMAT,
             "%s: tensor \"%.80s\": its storage wants %lld elements of %zu bytes, but %s has %zu "
             "bytes",
             r->path, t->name, (long long)*elements, trm__dtype_size(t->dtype), name, e->size);
  return TRM_OK;
}

/* Every element of the tensor lies in its storage, and their number can be counted. */
static bool fits_storage(trm__torch_tensor *t, int64_t offset, int64_t elements) {
  int64_t last = offset;
  t->count = 1;
  for (int i = 0; i < t->ndim; i++)
    if (t->shape[i] == 0) t->count = 0;
  if (t->count == 0) return offset <= elements;
  for (int i = 0; i < t->ndim; i++) {
    const int64_t steps = t->shape[i] - 1;
    if (t->shape[i] > INT64_MAX / 8 / t->count) return false;
    t->count *= t->shape[i];
    if (steps > 0 && t->stride[i] > (INT64_MAX - last) / steps) return false;
    last += steps * t->stride[i];
  }
  return last < elements && (t->count <= MAX_SPREAD || t->count <= elements);
}

/* _rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks …) */
static trm_status read_tensor(const reader *r, const value *call, trm__torch_tensor *t) {
  int n_strides;
  int64_t elements;
  if (is_kind(call, TRM__PICKLE_CALL) && call->global == REBUILD_PARAMETER)
    call = trm__pickle_item(r->pickle, call, 0); /* its first argument is the tensor */
  if (!is_kind(call, TRM__PICKLE_CALL) || call->global != REBUILD_TENSOR)
    TRM_FAIL(r->err, TRM_E_FORMAT,
             "%s: \"%.80s\" is %s, want a tensor: save model.state_dict() alone", r->path, t->name,
             call ? trm__pickle_kind_name(call->kind) : "nothing");
  if (call->u.items.n < TENSOR_ARGS) return fail_tensor(r, t->name, "it is not fully described");
  const value *offset = trm__pickle_item(r->pickle, call, 1);
  TRM_TRY(read_storage(r, trm__pickle_item(r->pickle, call, 0), t, &elements));
  TRM_TRY(read_sizes(r, trm__pickle_item(r->pickle, call, 2), t->name, t->shape, &t->ndim));
  TRM_TRY(read_sizes(r, trm__pickle_item(r->pickle, call, 3), t->name, t->stride, &n_strides));
  if (n_strides != t->ndim || !is_size(offset))
    return fail_tensor(r, t->name, "its shape, strides and offset do not go together");
  if (!fits_storage(t, offset->u.integer, elements))
    TRM_FAIL(r->err, TRM_E_FORMAT,
             "%s: tensor \"%.80s\": its shape and strides reach beyond the %lld elements of its "
             "storage",
             r->path, t->name, (long long)elements);
  t->data += (size_t)offset->u.integer * trm__dtype_size(t->dtype);
  return TRM_OK;
}

static int compare_names(const void *left, const void *right) {
  return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static trm_status check_names(const reader *r) {
  const trm__torch_file *f = r->file;
  const char **names;
  trm_status st = TRM_OK;
  TRM_ALLOC(&names, f->n, "the names of tensors", r->err);
  for (int i = 0; i < f->n; i++) names[i] = f->tensors[i].name;
  if (f->n) qsort(names, (size_t)f->n, sizeof *names, compare_names);
  for (int i = 1; i < f->n && st == TRM_OK; i++)
    if (!strcmp(names[i - 1], names[i])) st = fail_tensor(r, names[i], "the name occurs twice");
  trm__free(names);
  return st;
}

static trm_status read_tensors(const reader *r) {
  trm__torch_file *f = r->file;
  const value *root = trm__pickle_root(r->pickle), *key, *v;
  if (root->kind != TRM__PICKLE_DICT)
    TRM_FAIL(r->err, TRM_E_FORMAT,
             "%s: holds %s, want a dictionary of tensors: save model.state_dict()", r->path,
             trm__pickle_kind_name(root->kind));
  TRM_ALLOC(&f->tensors, root->u.items.n, "the tensors of a file", r->err);
  for (int32_t at = 0; trm__pickle_next(r->pickle, root, &at, &key, &v);) {
    if (!is_kind(key, TRM__PICKLE_TEXT))
      TRM_FAIL(r->err, TRM_E_FORMAT, "%s: a tensor's name is %s, want a text", r->path,
               trm__pickle_kind_name(key->kind));
    char *name;
    TRM_ALLOC(&name, key->u.text.n + 1, "the name of a tensor", r->err);
    memcpy(name, key->u.text.bytes, key->u.text.n);
    trm__torch_tensor *t = &f->tensors[f->n++];
    t->name = name;
    TRM_TRY(read_tensor(r, v, t));
  }
  return check_names(r);
}

static trm_status read_pickle(trm__torch_file *f, const char *path, trm_error *err) {
  unsigned char *bytes;
  trm__pickle *pickle;
  const trm__zip_entry *e = find_entry(f, "data.pkl");
  TRM_TRY(trm__zip_read(f->zip, e, TRM__PICKLE_MAX_BYTES, &bytes, err));
  trm_status st = trm__pickle_read(path, bytes, e->size, globals, &pickle, err);
  if (st == TRM_OK) {
    const reader r = {path, f, pickle, err};
    st = read_tensors(&r);
    trm__pickle_free(pickle);
  }
  trm__free(bytes);
  return st;
}

trm_status trm__torch_open(const char *path, trm__torch_file **out, trm_error *err) {
  *out = NULL;
  trm__torch_file *f;
  trm_status st;
  TRM_TRY(check_legacy(path, err));
  TRM_ALLOC(&f, 1, "a torch file", err);
  TRM_GOTO(trm__zip_open(path, &f->zip, err));
  TRM_GOTO(find_prefix(f, path, err));
  TRM_GOTO(check_archive(f, path, err));
  TRM_GOTO(read_pickle(f, path, err));
  *out = f;
  return TRM_OK;
done:
  trm__torch_close(f);
  return st;
}

void trm__torch_close(trm__torch_file *f) {
  if (!f) return;
  for (int i = 0; i < f->n; i++) trm__free((char *)(uintptr_t)f->tensors[i].name);
  trm__free(f->tensors);
  trm__free(f->prefix);
  trm__zip_close(f->zip);
  trm__free(f);
}

int trm__torch_count(const trm__torch_file *f) {
  return f->n;
}

const trm__torch_tensor *trm__torch_at(const trm__torch_file *f, int i) {
  return &f->tensors[i];
}

trm_status trm__torch_check(const trm__torch_file *f, const trm__torch_tensor *t, trm_error *err) {
  return trm__zip_check(f->zip, trm__zip_at(f->zip, t->entry), err);
}

/* --- elements --- */

/* Elements behind the first of the tensor where row-major element i lies. */
static int64_t place_of(const trm__torch_tensor *t, int64_t i) {
  int64_t at = 0;
  for (int d = t->ndim - 1; d >= 0; d--) {
    at += i % t->shape[d] * t->stride[d];
    i /= t->shape[d];
  }
  return at;
}

void trm__torch_to_float(const trm__torch_tensor *t, int64_t first, int64_t n, float *out) {
  const int last = t->ndim - 1;
  const int64_t row = t->ndim ? t->shape[last] : 1, step = t->ndim ? t->stride[last] : 1;
  for (int64_t i = first, end = first + n; i < end;) {
    const int64_t left = row - i % row, run = left < end - i ? left : end - i;
    const unsigned char *p = t->data + (size_t)place_of(t, i) * trm__dtype_size(t->dtype);
    trm__dtype_to_float(t->dtype, p, step, run, out);
    out += run;
    i += run;
  }
}
