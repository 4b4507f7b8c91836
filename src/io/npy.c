/* .npy: six magic bytes, a version, a length, a Python dictionary as text, then the elements.
 * The dictionary is read by a parser of exactly what NumPy writes there: three keys in any
 * order, each once. Nothing of the file is believed before the file is seen to hold it. */
#include "io/npy.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include "base/number.h"
#include "io/dtype.h"
#include "io/foreign.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "elements are read as they lie in the file: little-endian"
#endif

/* --- element types --- */

#define DEFINE_LOAD(name, type)                \
  static int64_t int_##name(const void *p) {   \
    type v;                                    \
    memcpy(&v, p, sizeof v);                   \
    return (int64_t)v;                         \
  }                                            \
  static double double_##name(const void *p) { \
    type v;                                    \
    memcpy(&v, p, sizeof v);                   \
    return (double)v;                          \
  }
DEFINE_LOAD(u1, uint8_t)
DEFINE_LOAD(i1, int8_t)
DEFINE_LOAD(u2, uint16_t)
DEFINE_LOAD(i2, int16_t)
DEFINE_LOAD(u4, uint32_t)
DEFINE_LOAD(i4, int32_t)
DEFINE_LOAD(i8, int64_t)
#undef DEFINE_LOAD

static int64_t int_u8(const void *p) {
  uint64_t v;
  memcpy(&v, p, sizeof v);
  return v > INT64_MAX ? INT64_MAX : (int64_t)v;
}

static double double_u8(const void *p) {
  uint64_t v;
  memcpy(&v, p, sizeof v);
  return (double)v;
}

static double double_f2(const void *p) {
  float v;
  trm__dtype_to_float(TRM__F16, p, 1, 1, &v);
  return v;
}

static double double_f4(const void *p) {
  float v;
  memcpy(&v, p, sizeof v);
  return v;
}

static double double_f8(const void *p) {
  double v;
  memcpy(&v, p, sizeof v);
  return v;
}

/* The names are those that NumPy writes; a byte order and the size follow from them. */
static const struct element_type {
  const char *name;
  size_t size;
  int64_t (*as_int)(const void *); /* NULL: no integer type */
  double (*as_double)(const void *);
} types[TRM__NPY_N_TYPES] = {
    [TRM__NPY_B1] = {"|b1", 1, int_u1, double_u1}, [TRM__NPY_U1] = {"|u1", 1, int_u1, double_u1},
    [TRM__NPY_I1] = {"|i1", 1, int_i1, double_i1}, [TRM__NPY_U2] = {"<u2", 2, int_u2, double_u2},
    [TRM__NPY_I2] = {"<i2", 2, int_i2, double_i2}, [TRM__NPY_U4] = {"<u4", 4, int_u4, double_u4},
    [TRM__NPY_I4] = {"<i4", 4, int_i4, double_i4}, [TRM__NPY_U8] = {"<u8", 8, int_u8, double_u8},
    [TRM__NPY_I8] = {"<i8", 8, int_i8, double_i8}, [TRM__NPY_F2] = {"<f2", 2, NULL, double_f2},
    [TRM__NPY_F4] = {"<f4", 4, NULL, double_f4},   [TRM__NPY_F8] = {"<f8", 8, NULL, double_f8},
};
enum { MAX_SIZE = 8 };

const char *trm__npy_type_name(trm__npy_type type) {
  return types[type].name;
}
size_t trm__npy_type_size(trm__npy_type type) {
  return types[type].size;
}
bool trm__npy_is_integer(const trm__npy *a) {
  return types[a->type].as_int != NULL;
}

/* --- elements --- */

/* Where the element of a row-major number lies in Fortran order. */
static int64_t fortran_place(const trm__npy *a, int64_t i) {
  const int64_t row = i / a->row_count, rest = i % a->row_count;
  return row + a->shape[0] * (rest / a->shape[2] + a->shape[1] * (rest % a->shape[2]));
}

void trm__npy_load(const trm__npy *a, int64_t i, void *out) {
  const size_t size = types[a->type].size;
  const unsigned char *p = a->data + (size_t)(a->fortran ? fortran_place(a, i) : i) * size;
  unsigned char *to = out;
  for (size_t k = 0; k < size; k++) to[k] = p[a->swapped ? size - 1 - k : k];
}

/* Element i as a machine reads it: where it lies, or in `room`. */
static const unsigned char *element_at(const trm__npy *a, int64_t i, unsigned char *room) {
  if (!a->swapped && !a->fortran) return a->data + (size_t)i * types[a->type].size;
  trm__npy_load(a, i, room);
  return room;
}

int64_t trm__npy_int(const trm__npy *a, int64_t i) {
  unsigned char room[MAX_SIZE];
  const struct element_type *t = &types[a->type];
  const unsigned char *element = element_at(a, i, room);
  if (t->as_int) return t->as_int(element);
  const double v = t->as_double(element);
  if (v >= 0x1p63) return INT64_MAX;
  return v >= -0x1p63 ? (int64_t)v : v < 0 ? INT64_MIN : 0;
}

double trm__npy_double(const trm__npy *a, int64_t i) {
  unsigned char room[MAX_SIZE];
  return types[a->type].as_double(element_at(a, i, room));
}

int64_t trm__npy_find_fraction(const trm__npy *a, int64_t n) {
  if (trm__npy_is_integer(a)) return -1;
  for (int64_t i = 0; i < n; i++) {
    const double v = trm__npy_double(a, i);
    if (!(fabs(v) < 0x1p63) || v < floor(v) || v > floor(v)) return i;
  }
  return -1;
}

trm_status trm__npy_check_whole(const trm__npy *a, const char *path, trm_error *err) {
  const int64_t i = trm__npy_find_fraction(a, a->count);
  if (i < 0) return TRM_OK;
  char number[TRM__NUMBER_SIZE], place[80];
  const int64_t index[] = {i / a->row_count, i % a->row_count / a->shape[2],
                           i % a->row_count % a->shape[2]};
  size_t n = 0;
  for (int d = 0; d < a->ndim; d++)
    n += (size_t)snprintf(place + n, sizeof place - n, "%s%" PRId64, d ? ", " : "", index[d]);
  trm__number_format("%.9g", trm__npy_double(a, i), number);
  TRM_FAIL_AT(err, TRM_E_FORMAT, i, "%s: element [%s] is %s; want whole numbers", path, place,
              number);
}

/* --- the header's dictionary --- */

enum { MAX_WORD = 32 };

typedef struct cursor {
  const char *path;
  const unsigned char *text;
  size_t at, end; /* at <= end, both bytes of the file */
  trm_error *err;
} cursor;

#define BROKEN(c, ...) TRM_FAIL_AT((c)->err, TRM_E_FORMAT, (c)->at, __VA_ARGS__)

static int peek(const cursor *c) {
  return c->at < c->end ? c->text[c->at] : -1;
}

static void skip_spaces(cursor *c) {
  while (peek(c) == ' ' || peek(c) == '\n' || peek(c) == '\t') c->at++;
}

/* Takes `mark` and the space around it, if it comes next. */
static bool take(cursor *c, char mark) {
  skip_spaces(c);
  if (peek(c) != mark) return false;
  c->at++;
  skip_spaces(c);
  return true;
}

static trm_status want(cursor *c, char mark) {
  if (take(c, mark)) return TRM_OK;
  BROKEN(c, "%s: byte %zu: want '%c' in the .npy header", c->path, c->at, mark);
}

static trm_status read_string(cursor *c, char *word) {
  const int quote = peek(c);
  if (quote != '\'' && quote != '"')
    BROKEN(c, "%s: byte %zu: want a quoted word in the .npy header", c->path, c->at);
  size_t n = 0;
  for (c->at++; peek(c) != quote; c->at++) {
    if (peek(c) < 0 || n == MAX_WORD - 1)
      BROKEN(c, "%s: byte %zu: a word in the .npy header does not end", c->path, c->at);
    word[n++] = (char)peek(c);
  }
  c->at++;
  word[n] = 0;
  return TRM_OK;
}

/* Whatever is not in `types` has its right name, for it is somebody's valid file. */
static trm_status refuse_type(cursor *c, const char *word) {
  static const struct {
    char mark;
    const char *what;
  } kinds[] = {{'O', "Python objects, pickled, which only a program of Python's can make again"},
               {'U', "texts"},
               {'S', "texts"},
               {'a', "texts"},
               {'c', "complex numbers"},
               {'M', "dates"},
               {'m', "spans of time"},
               {'V', "bytes without a type"}};
  const char mark = word[strspn(word, "<>=|")];
  const char *what = "of a type that is not read";
  for (size_t i = 0; mark && i < sizeof kinds / sizeof *kinds; i++)
    if (kinds[i].mark == mark) what = kinds[i].what;
  BROKEN(c,
         "%s: elements are '%s', %s; want integers of 1 to 8 bytes, bool, float16, float32 or "
         "float64: save a.astype('<i8')",
         c->path, word, what);
}

/* '<i4', and as other programs write it: '<u1', '=i8', 'i8'. */
static trm_status read_descr(cursor *c, trm__npy *a) {
  char word[MAX_WORD];
  if (peek(c) == '[' || peek(c) == '(')
    BROKEN(c, "%s: the array is structured, a record an element; save one field: a['NAME']",
           c->path);
  TRM_TRY(read_string(c, word));
  const bool marked = *word && strchr("<>=|", *word);
  for (int i = 0; i < TRM__NPY_N_TYPES; i++) {
    if (strcmp(word + marked, types[i].name + 1) != 0) continue;
    a->type = (trm__npy_type)i;
    a->swapped = *word == '>' && types[i].size > 1;
    return TRM_OK;
  }
  return refuse_type(c, word);
}

static trm_status read_order(cursor *c, trm__npy *a) {
  static const char *const words[] = {"False", "True"};
  for (int i = 0; i < 2; i++) {
    const size_t n = strlen(words[i]);
    if (c->end - c->at < n || memcmp(c->text + c->at, words[i], n) != 0) continue;
    c->at += n;
    a->fortran = i == 1;
    return TRM_OK;
  }
  BROKEN(c, "%s: byte %zu: want True or False for fortran_order", c->path, c->at);
}

static trm_status read_dim(cursor *c, int64_t *dim) {
  if (peek(c) < '0' || peek(c) > '9')
    BROKEN(c, "%s: byte %zu: want a dimension of the shape", c->path, c->at);
  int64_t v = 0;
  for (; peek(c) >= '0' && peek(c) <= '9'; c->at++) {
    const int digit = peek(c) - '0';
    if (v > (INT64_MAX - digit) / 10)
      BROKEN(c, "%s: byte %zu: a dimension of the shape is too large", c->path, c->at);
    v = v * 10 + digit;
  }
  if (peek(c) == 'L') c->at++; /* Python 2 wrote long integers so */
  *dim = v;
  return TRM_OK;
}

static trm_status read_shape(cursor *c, trm__npy *a) {
  TRM_TRY(want(c, '('));
  while (!take(c, ')')) {
    if (a->ndim == TRM__NPY_MAX_DIMS)
      BROKEN(c, "%s: the array has more than %d dimensions", c->path, TRM__NPY_MAX_DIMS);
    TRM_TRY(read_dim(c, &a->shape[a->ndim++]));
    if (!take(c, ',') && peek(c) != ')') return want(c, ')');
  }
  if (a->ndim == 0)
    BROKEN(c, "%s: the array is a single number, of no dimension; want one to three", c->path);
  return TRM_OK;
}

static const struct header_key {
  const char *name;
  trm_status (*read)(cursor *, trm__npy *);
} keys[] = {{"descr", read_descr}, {"fortran_order", read_order}, {"shape", read_shape}};
enum { N_KEYS = sizeof keys / sizeof keys[0] };

static trm_status read_entry(cursor *c, trm__npy *a, bool *seen) {
  char word[MAX_WORD];
  TRM_TRY(read_string(c, word));
  int k = 0;
  while (k < N_KEYS && strcmp(word, keys[k].name)) k++;
  if (k == N_KEYS) BROKEN(c, "%s: the .npy header has an unknown key '%s'", c->path, word);
  if (seen[k]) BROKEN(c, "%s: the .npy header has '%s' twice", c->path, word);
  seen[k] = true;
  TRM_TRY(want(c, ':'));
  return keys[k].read(c, a);
}

static trm_status read_dictionary(cursor *c, trm__npy *a) {
  bool seen[N_KEYS] = {false};
  TRM_TRY(want(c, '{'));
  while (!take(c, '}')) {
    TRM_TRY(read_entry(c, a, seen));
    if (!take(c, ',') && peek(c) != '}') return want(c, '}');
  }
  for (int k = 0; k < N_KEYS; k++) {
    if (!seen[k]) BROKEN(c, "%s: the .npy header has no '%s'", c->path, keys[k].name);
  }
  if (c->at != c->end) BROKEN(c, "%s: byte %zu: text after the .npy header", c->path, c->at);
  return TRM_OK;
}

/* --- the file --- */

static const unsigned char magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
static const char tag_mark[8] = {'t', 'r', 'm', ' ', 'p', 'a', 'r', 't'};
enum { TAG = 16 };
enum { PREFIX_V1 = 10, PREFIX_V2 = 12 }; /* magic, version, length of two or of four bytes */

/* Puts the cursor on the header's text. */
static trm_status read_prefix(cursor *c) {
  const unsigned char *p = c->text;
  const size_t size = c->end;
  if (size < PREFIX_V1 || memcmp(p, magic, sizeof magic)) {
    TRM_TRY(trm__foreign_look(TRM__WANT_ARRAY, c->path, p, size, c->err));
    TRM_FAIL_AT(c->err, TRM_E_FORMAT, 0, "%s: not a .npy file (%zu byte%s, no NUMPY mark)", c->path,
                size, TRM__S(size));
  }

  /* Formats 2.0 and 3.0 have four bytes for the length of the header, 1.0 has two. */
  const int major = p[6];
  if (major < 1 || major > 3)
    TRM_FAIL_AT(c->err, TRM_E_FORMAT, 6, "%s: .npy format %d.%d; want 1.0, 2.0 or 3.0", c->path,
                major, p[7]);
  c->at = major == 1 ? PREFIX_V1 : PREFIX_V2;
  size_t n = p[8] | (size_t)p[9] << 8;
  if (major > 1 && size >= PREFIX_V2) n |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
  if (size < c->at || n > size - c->at)
    TRM_FAIL_AT(c->err, TRM_E_FORMAT, size,
                "%s: truncated in its header: want %zu bytes of it, found %zu", c->path, n,
                size < c->at ? 0 : size - c->at);
  c->end = c->at + n;
  return TRM_OK;
}

/* Row and element counts; false when the bytes of the array exceed an int64. */
static bool count_elements(trm__npy *a) {
  int64_t room = INT64_MAX / (int64_t)types[a->type].size;
  a->row_count = 1;
  for (int i = 0; i < a->ndim; i++) {
    if (a->shape[i] > room) return false;
    if (a->shape[i] > 0) room /= a->shape[i];
    if (i > 0) a->row_count *= a->shape[i];
  }
  a->count = a->shape[0] * a->row_count;
  return true;
}

/* Of n bytes, of which the first n_head are there. */
static trm_status read_head(const char *path, const unsigned char *bytes, size_t n_head, size_t n,
                            trm__npy *a, trm_error *err) {
  cursor c = {.path = path, .text = bytes, .end = n_head, .err = err};
  TRM_TRY(read_prefix(&c));
  TRM_TRY(read_dictionary(&c, a));
  if (!count_elements(a)) BROKEN(&c, "%s: the array's shape is too large", path);
  a->fortran = a->fortran && a->ndim > 1;
  const uint64_t wanted = (uint64_t)a->count * types[a->type].size;
  size_t found = n - c.end;
  if (n == n_head && found >= TAG && found - TAG == wanted &&
      !memcmp(bytes + n - TAG, tag_mark, sizeof tag_mark))
    found -= TAG;
  if (wanted != found)
    TRM_FAIL_AT(err, TRM_E_FORMAT, n,
                "%s: %s after its header: the shape wants %" PRIu64 " bytes, found %zu", path,
                found < wanted ? "truncated" : "too long", wanted, found);
  a->data = bytes + c.end;
  return TRM_OK;
}

static trm_status read_file(const char *path, const unsigned char *bytes, size_t n, trm__npy *a,
                            trm_error *err) {
  return read_head(path, bytes, n, n, a, err);
}

size_t trm__npy_head_bytes(const unsigned char *prefix, size_t n) {
  if (n < TRM__NPY_PREFIX) return 0;
  return prefix[6] == 1 ? PREFIX_V1 + (size_t)(prefix[8] | prefix[9] << 8)
                        : PREFIX_V2 + (prefix[8] | (size_t)prefix[9] << 8 |
                                       (size_t)prefix[10] << 16 | (size_t)prefix[11] << 24);
}

trm_status trm__npy_from_head(const char *path, const unsigned char *head, size_t n_head, size_t n,
                              trm__npy *a, trm_error *err) {
  *a = (trm__npy){.shape = {1, 1, 1}};
  const trm_status st = read_head(path, head, n_head, n, a, err);
  if (st != TRM_OK) *a = (trm__npy){0};
  a->data = NULL;
  return st;
}

trm_status trm__npy_open(const char *path, trm__npy *a, trm_error *err) {
  *a = (trm__npy){.shape = {1, 1, 1}};
  TRM_TRY(trm__map_open(path, &a->map, err));
  const trm_status st = read_file(path, a->map.data, a->map.size, a, err);
  if (st != TRM_OK) trm__npy_close(a);
  return st;
}

void trm__npy_close(trm__npy *a) {
  trm__map_close(&a->map);
  *a = (trm__npy){0};
}

/* --- writing --- */

enum {
  ALIGN = 64,        /* of the first element, since NumPy 1.14 */
  GROWTH_DIGITS = 21 /* NumPy leaves room for the first dimension to grow to so many digits */
};

size_t trm__npy_header(char text[TRM__NPY_HEADER], trm__npy_type type, int ndim,
                       const int64_t *shape) {
  char *dict = text + PREFIX_V1;
  const size_t room = TRM__NPY_HEADER - PREFIX_V1;
  size_t n = (size_t)snprintf(dict, room, "{'descr': '%s', 'fortran_order': False, 'shape': (",
                              types[type].name);

  /* The shape as Python writes a tuple: one element has a comma, too. */
  int first_digits = 0;
  for (int i = 0; i < ndim; i++) {
    const int digits = snprintf(dict + n, room - n, "%" PRId64, shape[i]);
    if (i == 0) first_digits = digits;
    n += (size_t)digits;
    if (i + 1 < ndim || ndim == 1)
      n += (size_t)snprintf(dict + n, room - n, i + 1 < ndim ? ", " : ",");
  }

  /* NumPy leaves room for the first dimension to grow to so many digits, and fills the last line
   * with spaces. */
  n += (size_t)snprintf(dict + n, room - n, "), }");
  const size_t end = PREFIX_V1 + n + (size_t)(GROWTH_DIGITS - first_digits) + 1;
  const size_t total = end + ALIGN - end % ALIGN; /* a whole line more where it fits exactly */
  memset(text + PREFIX_V1 + n, ' ', total - PREFIX_V1 - n - 1);
  text[total - 1] = '\n';

  /* Version 1.0, and the length of what follows. */
  memcpy(text, magic, sizeof magic);
  text[6] = 1;
  text[7] = 0;
  text[8] = (char)((total - PREFIX_V1) & 0xFF);
  text[9] = (char)((total - PREFIX_V1) >> 8);
  return total;
}

trm_status trm__npy_create(trm__npy_writer *w, const char *path, trm__npy_type type, int ndim,
                           const int64_t *shape, trm_error *err) {
  *w = (trm__npy_writer){0};
  trm__npy a = {.type = type, .ndim = ndim};
  if (ndim < 1 || ndim > TRM__NPY_MAX_DIMS)
    TRM_FAIL(err, TRM_E_ARGUMENT, "%s: %d dimensions; want one to three", path, ndim);
  for (int i = 0; i < ndim; i++) {
    a.shape[i] = shape[i];
    if (shape[i] < 0) TRM_FAIL(err, TRM_E_ARGUMENT, "%s: a dimension is below zero", path);
  }
  if (!count_elements(&a)) TRM_FAIL(err, TRM_E_ARGUMENT, "%s: the shape is too large", path);
  TRM_TRY(trm__writer_open(&w->file, path, err));
  w->row_bytes = (size_t)a.row_count * types[type].size;
  w->rows = shape[0];
  char header[TRM__NPY_HEADER];
  trm__write(&w->file, header, trm__npy_header(header, type, ndim, shape));
  return TRM_OK;
}

void trm__npy_append(trm__npy_writer *w, const void *rows, int64_t n) {
  w->rows_written += n;
  if (w->rows_written <= w->rows) trm__write(&w->file, rows, (size_t)n * w->row_bytes);
}

trm_status trm__npy_commit(trm__npy_writer *w, trm_error *err) {
  if (w->rows_written != w->rows) {
    const trm_status st =
        trm__fail(err, TRM_E_ARGUMENT, -1, "%s: want %" PRId64 " rows, got %" PRId64,
                  w->file.draft.path, w->rows, w->rows_written);
    trm__npy_abort(w);
    return st;
  }
  return trm__writer_commit(&w->file, err);
}

void trm__npy_abort(trm__npy_writer *w) {
  trm__writer_abort(&w->file);
}

trm_status trm__npy_save(const char *path, trm__npy_type type, int ndim, const int64_t *shape,
                         const void *data, trm_error *err) {
  trm__npy_writer w;
  TRM_TRY(trm__npy_create(&w, path, type, ndim, shape, err));
  trm__npy_append(&w, data, shape[0]);
  return trm__npy_commit(&w, err);
}
