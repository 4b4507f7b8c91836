/* Reading. What a tensor says of its place is compared with its storage's bytes before anything is
 * kept: afterwards every element lies in the mapping. */
#include "io/torch_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "io/foreign.h"
#include "io/pickle.h"
#include "io/zip.h"

enum {
  MAX_KEY = 24,         /* of a storage: a decimal number */
  MAX_SPREAD = 1 << 20, /* elements of a tensor that is larger than its storage */
  TENSOR_ARGS = 6,      /* of _rebuild_tensor_v2, and metadata where there are some */
  PARAMETER_ARGS = 3,   /* of _rebuild_parameter */
  PERSISTENT_ARGS = 5,
  MAX_DEPTH = 4,    /* dictionaries in dictionaries that are looked into */
  MAX_DICTS = 4096, /* of which so many */
  MAX_WHERE = 200
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
  char *top;    /* what the outermost dictionary holds, for messages */
  int n, n_dicts;
  trm__torch_tensor *tensors;
  char **wheres; /* [n_dicts], of `tensors` */
};

/* A dictionary that is looked into. */
typedef struct place {
  const trm__pickle_value *dict;
  const char *where;
  int depth;
} place;

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
  const bool pickle = map.size > 2 && map.data[0] == 0x80 && map.data[1] >= 2 && map.data[1] <= 5;
  const bool legacy = map.size > 2 + sizeof magic && map.data[0] == 0x80 &&
                      !memcmp(map.data + 2, magic, sizeof magic);
  trm__map_close(&map);
  if (legacy)
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: a torch file of the old kind (before torch 1.6); save it anew: "
             "torch.save(torch.load(FILE), NEW)",
             path);
  if (pickle)
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: a pickle by itself, not a file of torch.save: load it in Python and write the "
             "state dict with torch.save",
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

/* None, or a dictionary without entries: nothing that would change a tensor. */
static bool is_nothing(const value *v) {
  return is_kind(v, TRM__PICKLE_NONE) || (is_kind(v, TRM__PICKLE_DICT) && v->u.items.n == 0);
}

static bool is_word(const value *v, const char *word) {
  return is_kind(v, TRM__PICKLE_TEXT) && v->u.text.n == strlen(word) &&
         !memcmp(v->u.text.bytes, word, v->u.text.n);
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

  /* Word, type, key, device and count, each of its kind. */
  const value *type = item[1], *key = item[2];
  if (!is_word(item[0], "storage") || !is_kind(type, TRM__PICKLE_GLOBAL) ||
      type->global < N_CALLS || !is_kind(key, TRM__PICKLE_TEXT) ||
      !is_kind(item[3], TRM__PICKLE_TEXT) || !is_size(item[4]) || key->u.text.n >= MAX_KEY)
    return fail_tensor(r, t->name, "its storage is not described as torch.save does");

  /* The key names an entry of the archive, which is stored as it is. */
  char name[MAX_KEY + 8];
  snprintf(name, sizeof name, "data/%.*s", (int)key->u.text.n, key->u.text.bytes);
  const trm__zip_entry *e = find_entry(r->file, name);
  if (!e)
    TRM_FAIL(r->err, TRM_E_FORMAT, "%s: tensor \"%.80s\": its storage %s is not in the file",
             r->path, t->name, name);
  const unsigned char *data = trm__zip_view(r->file->zip, e);
  if (!data)
    return fail_tensor(r, t->name, "its storage is compressed; torch.save stores it plain");

  /* It must hold as many elements as it says. */
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

/* What torch does to a tensor after it has its elements: hooks in Python, and metadata, of which
 * "neg" and "conj" change every element when it is read. What is not understood is refused. */
static trm_status check_extras(const reader *r, const value *call, const char *name) {
  const value *grad = trm__pickle_item(r->pickle, call, 4);
  const value *hooks = trm__pickle_item(r->pickle, call, 5);
  const value *metadata = trm__pickle_item(r->pickle, call, TENSOR_ARGS);
  if (!is_kind(grad, TRM__PICKLE_BOOL) || !is_nothing(hooks))
    return fail_tensor(r, name, "it has hooks or is not described as torch.save does");
  if (metadata && !is_nothing(metadata))
    return fail_tensor(
        r, name,
        "its metadata (a lazily negated or conjugated view) are not understood; save "
        "it with .resolve_neg().resolve_conj()");
  return TRM_OK;
}

static bool is_tensor(const value *v) {
  return is_kind(v, TRM__PICKLE_CALL) &&
         (v->global == REBUILD_TENSOR || v->global == REBUILD_PARAMETER);
}

/* The _rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks[, metadata]) of a
 * value, which may be the first argument of _rebuild_parameter(tensor, requires_grad, hooks). */
static trm_status find_call(const reader *r, const value *v, const char *name, const value **call) {
  if (is_kind(v, TRM__PICKLE_CALL) && v->global == REBUILD_PARAMETER) {
    if (v->u.items.n != PARAMETER_ARGS ||
        !is_kind(trm__pickle_item(r->pickle, v, 1), TRM__PICKLE_BOOL) ||
        !is_nothing(trm__pickle_item(r->pickle, v, 2)))
      return fail_tensor(r, name, "it has hooks or is not described as torch.save does");
    v = trm__pickle_item(r->pickle, v, 0);
  }
  if (!is_kind(v, TRM__PICKLE_CALL) || v->global != REBUILD_TENSOR)
    return fail_tensor(r, name, "it is a parameter of no tensor");
  if (v->u.items.n < TENSOR_ARGS || v->u.items.n > TENSOR_ARGS + 1)
    return fail_tensor(r, name, "it is not described by the arguments that torch.save writes");
  *call = v;
  return check_extras(r, v, name);
}

static trm_status read_tensor(const reader *r, const value *v, trm__torch_tensor *t) {
  int n_strides;
  int64_t elements;
  const value *call;
  TRM_TRY(find_call(r, v, t->name, &call));
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
  const trm__torch_tensor *a = *(const trm__torch_tensor *const *)left,
                          *b = *(const trm__torch_tensor *const *)right;
  const int order = strcmp(a->where, b->where);
  return order ? order : strcmp(a->name, b->name);
}

static trm_status check_names(const reader *r) {
  const trm__torch_file *f = r->file;
  const trm__torch_tensor **sorted;
  trm_status st = TRM_OK;
  TRM_ALLOC(&sorted, f->n, "the names of tensors", r->err);
  for (int i = 0; i < f->n; i++) sorted[i] = &f->tensors[i];
  if (f->n) qsort(sorted, (size_t)f->n, sizeof *sorted, compare_names);
  for (int i = 1; i < f->n && st == TRM_OK; i++)
    if (compare_names(&sorted[i - 1], &sorted[i]) == 0)
      st = fail_tensor(r, sorted[i]->name, "the name occurs twice");
  trm__free(sorted);
  return st;
}

/* --- dictionaries --- */

/* Notes a dictionary, called `key` in the one at `in`; one that was met before is passed over. */
static trm_status add_place(const reader *r, place *places, const place *in, const value *key,
                            const value *dict) {
  trm__torch_file *f = r->file;
  for (int i = 0; i < f->n_dicts; i++)
    if (places[i].dict == dict) return TRM_OK;
  if (f->n_dicts == MAX_DICTS)
    TRM_FAIL(r->err, TRM_E_FORMAT, "%s: more than %d dictionaries in each other", r->path,
             MAX_DICTS);
  char *where;
  TRM_ALLOC(&where, MAX_WHERE, "the name of a dictionary", r->err);
  if (in)
    snprintf(where, MAX_WHERE, "%s%s%.*s", in->where, *in->where ? "." : "",
             key->u.text.n < MAX_WHERE ? (int)key->u.text.n : MAX_WHERE, key->u.text.bytes);
  f->wheres[f->n_dicts] = where;
  places[f->n_dicts++] = (place){dict, where, in ? in->depth + 1 : 1};
  return TRM_OK;
}

static trm_status add_tensor(const reader *r, const place *in, const value *key, const value *v) {
  trm__torch_file *f = r->file;
  char *name;
  TRM_ALLOC(&name, key->u.text.n + 1, "the name of a tensor", r->err);
  memcpy(name, key->u.text.bytes, key->u.text.n);
  trm__torch_tensor *t = &f->tensors[f->n++];
  t->name = name;
  t->where = in->where;
  return read_tensor(r, v, t);
}

/* Appends "step" (a whole number) to the list for messages, while there is room. */
static void describe_item(const reader *r, const value *key, const value *v) {
  char *top = r->file->top, what[120];
  const size_t used = strlen(top);
  trm__pickle_describe(r->pickle, v, what, sizeof what);
  snprintf(top + used, MAX_WHERE - used, "%s\"%.*s\" (%s)", used ? ", " : "",
           key->u.text.n < MAX_WHERE ? (int)key->u.text.n : MAX_WHERE, key->u.text.bytes, what);
}

/* Notes the dictionaries in one and counts its tensors; whatever else it holds is not read. */
static trm_status look_into(const reader *r, place *places, const place *in, size_t *n_tensors) {
  const value *key, *v;
  for (int32_t at = 0; trm__pickle_next(r->pickle, in->dict, &at, &key, &v);) {
    if (!is_kind(key, TRM__PICKLE_TEXT)) continue;
    if (is_tensor(v))
      ++*n_tensors;
    else if (in->depth == 1)
      describe_item(r, key, v);
    if (is_kind(v, TRM__PICKLE_DICT) && in->depth < MAX_DEPTH)
      TRM_TRY(add_place(r, places, in, key, v));
  }
  return TRM_OK;
}

static trm_status add_tensors(const reader *r, const place *in) {
  const value *key, *v;
  for (int32_t at = 0; trm__pickle_next(r->pickle, in->dict, &at, &key, &v);)
    if (is_kind(key, TRM__PICKLE_TEXT) && is_tensor(v)) TRM_TRY(add_tensor(r, in, key, v));
  return TRM_OK;
}

static trm_status read_places(const reader *r, place *places) {
  trm__torch_file *f = r->file;
  size_t n_tensors = 0;
  TRM_TRY(add_place(r, places, NULL, NULL, trm__pickle_root(r->pickle)));
  for (int i = 0; i < f->n_dicts; i++) {
    const place in = places[i];
    TRM_TRY(look_into(r, places, &in, &n_tensors));
  }
  TRM_ALLOC(&f->tensors, n_tensors, "the tensors of a file", r->err);
  for (int i = 0; i < f->n_dicts; i++) TRM_TRY(add_tensors(r, &places[i]));
  return check_names(r);
}

static trm_status read_tensors(const reader *r) {
  trm__torch_file *f = r->file;
  const value *root = trm__pickle_root(r->pickle);
  place *places;
  if (root->kind != TRM__PICKLE_DICT) {
    char what[200];
    trm__pickle_describe(r->pickle, root, what, sizeof what);
    TRM_FAIL(r->err, TRM_E_FORMAT,
             "%s: holds %s, want a dictionary of tensors: save model.state_dict(); nothing was "
             "executed",
             r->path, what);
  }
  TRM_ALLOC(&f->wheres, MAX_DICTS, "the dictionaries of a file", r->err);
  TRM_ALLOC(&f->top, MAX_WHERE, "a message", r->err);
  TRM_ALLOC(&places, MAX_DICTS, "the dictionaries of a file", r->err);
  const trm_status st = read_places(r, places);
  trm__free(places);
  return st;
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

/* What is no archive is called by its name, where it has one. */
static trm_status open_archive(trm__torch_file *f, const char *path, trm_error *err) {
  const trm_status st = trm__zip_open(path, &f->zip, err);
  if (st == TRM_E_FORMAT) TRM_TRY(trm__foreign_check(TRM__WANT_MODEL, path, err));
  return st;
}

trm_status trm__torch_open(const char *path, trm__torch_file **out, trm_error *err) {
  *out = NULL;
  trm__torch_file *f;
  trm_status st;
  TRM_TRY(check_legacy(path, err));
  TRM_ALLOC(&f, 1, "a torch file", err);
  TRM_GOTO(open_archive(f, path, err));
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
  for (int i = 0; i < f->n_dicts; i++) trm__free(f->wheres[i]);
  trm__free(f->wheres);
  trm__free(f->top);
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

const char *trm__torch_top(const trm__torch_file *f) {
  return f->top;
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
