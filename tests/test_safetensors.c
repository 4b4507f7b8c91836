/* safetensors and JSON files: round trips, the reference's files, and hostile ones. */
#include <math.h>

#include "base/rng.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "scratch.h"

/* --- round trips --- */

/* Values of every type, with those at the ends of their ranges. */
static const float f32[] = {1, -2, 3.5f, 4, 5, 6};
static const double f64[] = {1e-300, 2};
static const uint16_t f16[] = {0x3C00, 0xC000, 0x0001, 0x7C00, 0x8000};
static const uint16_t bf16[] = {0x3F80, 0xC040};
static const int64_t i64[] = {-5, INT64_MAX};
static const int32_t i32[] = {7};
static const uint8_t u8[] = {1, 2, 3};

/* Names with signs, a scalar, and a tensor of nothing. */
static const trm__st_tensor samples[] = {
    {.name = "bytes", .dtype = TRM__U8, .ndim = 1, .shape = {3}, .data = u8},
    {.name = "a.weight", .dtype = TRM__F32, .ndim = 2, .shape = {2, 3}, .data = f32},
    {.name = "half", .dtype = TRM__F16, .ndim = 1, .shape = {5}, .data = f16},
    {.name = "brain \"b\"", .dtype = TRM__BF16, .ndim = 1, .shape = {2}, .data = bf16},
    {.name = "double", .dtype = TRM__F64, .ndim = 1, .shape = {2}, .data = f64},
    {.name = "wide", .dtype = TRM__I64, .ndim = 1, .shape = {2}, .data = i64},
    {.name = "scalar", .dtype = TRM__I32, .ndim = 0, .data = i32},
    {.name = "none", .dtype = TRM__F32, .ndim = 2, .shape = {0, 4}, .data = NULL},
};
enum { N = sizeof samples / sizeof samples[0] };

/* A file of them, with metadata of letters and lines; its path. */
static const char *save_all(scratch *s) {
  const trm__st_meta meta[] = {{"format", "pt"}, {"note", "ÿ\n"}};
  const char *path = scratch_path(s, "all.safetensors");
  assert_int_equal(trm__safetensors_save(path, samples, N, meta, 2, NULL), TRM_OK);
  return path;
}

static void tensors_come_back_as_they_went(void **state) {
  const char *path = save_all(*state);
  trm_error err;

  /* What is written is there, and what is not is not. */
  trm__safetensors *file;
  assert_int_equal(trm__safetensors_open(path, &file, &err), TRM_OK);
  assert_int_equal(trm__safetensors_count(file), N);
  assert_string_equal(trm__safetensors_meta(file, "format"), "pt");
  assert_string_equal(trm__safetensors_meta(file, "note"), "ÿ\n");
  assert_null(trm__safetensors_meta(file, "other"));
  assert_null(trm__safetensors_find(file, "other"));
  assert_null(trm__safetensors_find(file, "__metadata__"));

  /* Types, shapes, places and bytes of each; the order of the file is not that of writing. */
  for (int i = 0; i < N; i++) {
    const trm__st_tensor *t = trm__safetensors_find(file, samples[i].name);
    assert_non_null(t);
    assert_int_equal(t->dtype, samples[i].dtype);
    assert_int_equal(t->ndim, samples[i].ndim);
    int64_t count = 1;
    for (int k = 0; k < t->ndim; k++) {
      assert_int_equal(t->shape[k], samples[i].shape[k]);
      count *= t->shape[k];
    }
    assert_int_equal(t->count, count);
    assert_int_equal((uintptr_t)t->data % trm__dtype_size(t->dtype), 0);
    if (count)
      assert_memory_equal(t->data, samples[i].data, (size_t)count * trm__dtype_size(t->dtype));
    const trm__st_tensor *other = trm__safetensors_at(file, i);
    assert_ptr_equal(trm__safetensors_find(file, other->name), other);
  }
  trm__safetensors_close(file);
  trm__safetensors_close(NULL);

  /* The header is padded, so that the data lie where any type may. */
  size_t n;
  unsigned char *raw = read_bytes(path, &n);
  uint64_t header;
  memcpy(&header, raw, sizeof header);
  assert_int_equal(header % 8, 0);
  assert_int_equal(raw[8], '{');
  free(raw);
}

static void floats_are_converted(void **state) {
  trm__safetensors *file;
  trm_error err;
  assert_int_equal(trm__safetensors_open(save_all(*state), &file, &err), TRM_OK);

  /* Half precision becomes float32 with its least number, infinity and sign of zero; others
   * round. */
  float out[6];
  assert_int_equal(trm__st_to_float(trm__safetensors_find(file, "half"), out, &err), TRM_OK);
  assert_true(out[0] == 1 && out[1] == -2 && out[2] == 0x1p-24f && isinf(out[3]));
  assert_true(out[4] == 0 && signbit(out[4]));
  assert_int_equal(trm__st_to_float(trm__safetensors_find(file, "brain \"b\""), out, &err), TRM_OK);
  assert_true(out[0] == 1 && out[1] == -3);
  assert_int_equal(trm__st_to_float(trm__safetensors_find(file, "double"), out, &err), TRM_OK);
  assert_true(out[0] == 0 && out[1] == 2);
  assert_int_equal(trm__st_to_float(trm__safetensors_find(file, "a.weight"), out, &err), TRM_OK);
  assert_memory_equal(out, f32, sizeof f32);

  /* Integers are not converted. */
  assert_int_equal(trm__st_to_float(trm__safetensors_find(file, "wide"), out, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, "wide") && speaks_of(&err, "I64"));
  trm__safetensors_close(file);
}

/* Every finite F16 value against its definition. */
static void halves_convert_exactly(void **state) {
  (void)state;
  for (uint32_t bits = 0; bits < 0x10000; bits++) {
    const uint16_t h = (uint16_t)bits;
    const int exponent = h >> 10 & 31, fraction = h & 1023;
    float got;
    const trm__st_tensor t = {.name = "h", .dtype = TRM__F16, .count = 1, .data = &h};
    assert_int_equal(trm__st_to_float(&t, &got, NULL), TRM_OK);
    if (exponent == 31 && fraction) {
      assert_true(isnan(got));
      continue;
    }
    double want = exponent == 31 ? INFINITY
                                 : ldexp(exponent ? 1024 + fraction : fraction,
                                         (exponent ? exponent : 1) - 25);
    if (h & 0x8000) want = -want;
    assert_true(got == want && !signbit(got) == !(h & 0x8000));
  }
}

static void names_that_cannot_be_written_are_refused(void **state) {
  scratch *s = *state;
  const uint8_t one = 1;
  trm__st_tensor t[2] = {{.name = "x", .dtype = TRM__U8, .ndim = 1, .shape = {1}, .data = &one},
                         {.name = "x", .dtype = TRM__U8, .ndim = 1, .shape = {1}, .data = &one}};
  const char *path = scratch_path(s, "never.safetensors");
  trm_error err;
  assert_int_equal(trm__safetensors_save(path, t, 2, NULL, 0, &err), TRM_E_ARGUMENT);
  assert_true(speaks_of(&err, "taken"));
  t[1].name = "__metadata__";
  assert_int_equal(trm__safetensors_save(path, t, 2, NULL, 0, &err), TRM_E_ARGUMENT);
  t[1].name = "\xff";
  assert_int_equal(trm__safetensors_save(path, t, 2, NULL, 0, &err), TRM_E_ARGUMENT);
  t[1].name = "y";
  t[1].shape[0] = -1;
  assert_int_equal(trm__safetensors_save(path, t, 2, NULL, 0, &err), TRM_E_ARGUMENT);
  const trm__st_meta meta = {"key", "\xff"};
  assert_int_equal(trm__safetensors_save(path, t, 1, &meta, 1, &err), TRM_E_ARGUMENT);
  assert_false(trm__path_exists(path));
}

/* --- hostile files --- */

/* A file of the given header and `bytes` of data; its length. */
static size_t make_file(unsigned char *out, const char *header, size_t bytes) {
  const uint64_t n = strlen(header);
  memcpy(out, &n, 8);
  memcpy(out + 8, header, (size_t)n);
  memset(out + 8 + n, 0x3C, bytes);
  return 8 + (size_t)n + bytes;
}

static void broken_files_are_refused(void **state) {
  /* Headers that describe eight bytes wrongly, and two that describe them well. */
  scratch *s = *state;
  static const struct {
    const char *header, *word; /* word NULL: a good file */
  } cases[] = {
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", NULL},
      {"{\"a\":{\"shape\":[2],\"data_offsets\":[0,8],\"dtype\":\"F32\"}}   ", NULL},
      {"", "byte"},
      {"[]", "not a JSON object"},
      {"7", "not a JSON object"},
      {"{", "byte"},
      {"{} x", "byte"},
      {"{}", "belong to none"},
      {"{\"a\":7}", "\"a\""},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", "data_offsets"},
      {"{\"a\":{\"dtype\":7,\"shape\":[2],\"data_offsets\":[0,8]}}", "dtype"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"b\":1}}", "data_offsets"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", "data_offsets"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,8]}}", "data_offsets"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8.0]}}", "data_offsets"},
      {"{\"a\":{\"dtype\":\"F8\",\"shape\":[2],\"data_offsets\":[0,8]}}", "F8"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":2,\"data_offsets\":[0,8]}}", "shape"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}", "shape"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", "shape"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,2],\"data_offsets\":[0,8]}}", "shape"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,8]}}",
       "too large"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}",
       "too large"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,8]}}",
       "shape"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", "want 12"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,8]}}", "want 4"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]}}", "not within"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}", "not within"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", "not within"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", "belong to none"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", "gap"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[6],\"data_offsets\":[0,6]},"
       "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,8]}}",
       "overlap"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
       "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
       "duplicate"},
      {"{\"a\\u0000\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", "byte"},
      {"{\"__metadata__\":7,\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
       "__metadata__"},
      {"{\"__metadata__\":{\"k\":7},\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"
       "}",
       "\"k\""},
  };

  /* The message names the file and the fault. */
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    unsigned char raw[512];
    write_bytes(scratch_path(s, "bad.safetensors"), raw, make_file(raw, cases[i].header, 8));
    trm__safetensors *file;
    trm_error err;
    const trm_status st = trm__safetensors_open(s->path, &file, &err);
    if (!cases[i].word) {
      assert_int_equal(st, TRM_OK);
      trm__safetensors_close(file);
      continue;
    }
    if (st != TRM_E_FORMAT) print_message("%s\n", cases[i].header);
    assert_int_equal(st, TRM_E_FORMAT);
    assert_null(file);
    assert_true(speaks_of(&err, s->path) && speaks_of(&err, cases[i].word));
  }
}

/* A missing file, and lengths of headers that no file has. */
static void files_without_a_header_are_refused(void **state) {
  scratch *s = *state;
  trm__safetensors *file;
  trm_error err;
  assert_int_equal(trm__safetensors_open(scratch_path(s, "none"), &file, &err), TRM_E_IO);
  static const uint64_t lengths[] = {1, 101000000, UINT64_MAX, UINT64_MAX - 7, 1ull << 63};
  for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
    write_bytes(scratch_path(s, "length"), &lengths[i], 8);
    assert_int_equal(trm__safetensors_open(s->path, &file, &err), TRM_E_FORMAT);
  }
}

/* Reads all there is, so that an address sanitizer sees every byte that is promised. */
static double read_everything(const trm__safetensors *file) {
  double sum = 0;
  for (int i = 0; i < trm__safetensors_count(file); i++) {
    const trm__st_tensor *t = trm__safetensors_at(file, i);
    const unsigned char *p = t->data;
    const size_t bytes = (size_t)t->count * trm__dtype_size(t->dtype);
    for (size_t k = 0; k < bytes; k++) sum += p[k];
    sum += (double)strlen(t->name);
  }
  return sum;
}

static void any_damage_is_refused_or_harmless(void **state) {
  /* A good file of two tensors and metadata. */
  scratch *s = *state;
  const float f[3] = {1, 2, 3};
  const uint8_t u[5] = {1, 2, 3, 4, 5};
  const trm__st_tensor all[] = {
      {.name = "w", .dtype = TRM__F32, .ndim = 1, .shape = {3}, .data = f},
      {.name = "u", .dtype = TRM__U8, .ndim = 2, .shape = {5, 1}, .data = u}};
  const trm__st_meta meta = {"k", "v"};
  assert_int_equal(trm__safetensors_save(scratch_path(s, "ok"), all, 2, &meta, 1, NULL), TRM_OK);
  size_t n;
  unsigned char *good = read_bytes(s->path, &n), *bad = malloc(n);
  const char *path = scratch_path(s, "damaged");
  trm__safetensors *file;
  trm_error err;

  /* Every cut is seen. */
  for (size_t cut = 0; cut < n; cut++) {
    write_bytes(path, good, cut);
    assert_int_equal(trm__safetensors_open(path, &file, &err), TRM_E_FORMAT);
    assert_true(speaks_of(&err, path));
  }

  /* One to three bits are flipped: refused, or what it says can be read. */
  int refused = 0;
  for (uint32_t round = 0; round < 4000; round++) {
    trm__rng r = trm__rng_at(12, TRM__RNG_TEST, 0, round);
    memcpy(bad, good, n);
    for (uint32_t k = 1 + trm__rng_below(&r, 3); k; k--)
      bad[trm__rng_below(&r, (uint32_t)n)] ^= (unsigned char)(1u << trm__rng_below(&r, 8));
    write_bytes(path, bad, n);
    if (trm__safetensors_open(path, &file, &err) != TRM_OK) {
      assert_int_equal(err.code, TRM_E_FORMAT);
      refused++;
      continue;
    }
    assert_true(read_everything(file) > 0);
    trm__safetensors_close(file);
  }

  /* Most flips are seen. */
  assert_true(refused > 2000);
  free(good);
  free(bad);
}

static void the_reference_files_read(void **state) {
  /* Files of the reference, where they are beside the checkout. */
  (void)state;
  if (!trm__path_is_dir(TRM_SHARED_DIR "/golden")) {
    print_message("skipped: no folder %s/golden\n", TRM_SHARED_DIR);
    skip();
  }

  /* Weights, batches and results are numbers. */
  static const char *const names[] = {"init", "batches", "expected_train", "expected_eval"};
  for (int i = 0; i < 4; i++) {
    char path[512];
    snprintf(path, sizeof path, "%s/golden/parity/trm_mlp/%s.safetensors", TRM_SHARED_DIR,
             names[i]);
    trm__safetensors *file;
    trm_error err;
    if (trm__safetensors_open(path, &file, &err) != TRM_OK) fail_msg("%s", err.msg);
    assert_true(trm__safetensors_count(file) > 0);
    for (int k = 0; k < trm__safetensors_count(file); k++) {
      const trm__st_tensor *t = trm__safetensors_at(file, k);
      if (t->dtype != TRM__F32) continue;
      float *v = malloc((size_t)(t->count + 1) * sizeof *v);
      assert_int_equal(trm__st_to_float(t, v, &err), TRM_OK);
      for (int64_t e = 0; e < t->count; e++) assert_true(isfinite(v[e]));
      free(v);
    }
    trm__safetensors_close(file);
  }
}

/* --- JSON --- */

static void json_files_say_where_they_are_wrong(void **state) {
  scratch *s = *state;
  trm_error err;
  trm__json *v;
  const char *path = scratch_path(s, "a.json");
  write_bytes(path, "{\"a\": 1,\n \"b\" 2}\n", 17);
  assert_int_equal(trm__json_load(path, 1000, &v, &err), TRM_E_FORMAT);
  assert_null(v);
  assert_int_equal(err.pos, 2);
  assert_true(speaks_of(&err, path) && speaks_of(&err, "line 2, column"));
  write_bytes(path, "{\"a\": 1, \"a\": 2}", 16);
  assert_int_equal(trm__json_load(path, 1000, &v, &err), TRM_E_FORMAT);
  write_bytes(path, "", 0);
  assert_int_equal(trm__json_load(path, 1000, &v, &err), TRM_E_FORMAT);
  write_bytes(path, "[1, 2, 3]", 9);
  assert_int_equal(trm__json_load(path, 8, &v, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, "at most 8"));
  assert_int_equal(trm__json_load(path, 9, &v, &err), TRM_OK);
  trm__json_free(v);
  assert_int_equal(trm__json_load(scratch_path(s, "none.json"), 9, &v, &err), TRM_E_IO);
}

static void json_values_are_of_their_type_or_refused(void **state) {
  scratch *s = *state;
  trm_error err;
  trm__json *v;
  trm__json_out o = trm__json_begin(TRM__JSON_INDENTED);
  trm__json_open(&o, NULL, '{');
  trm__json_put_int(&o, "i", -7);
  trm__json_put_real(&o, "f", 0.1);
  trm__json_put_bool(&o, "b", true);
  trm__json_put_text(&o, "s", "text");
  trm__json_put_null(&o, "n");
  trm__json_close(&o);
  const char *path = scratch_path(s, "b.json");
  assert_int_equal(trm__json_save(path, &o, &err), TRM_OK);
  assert_int_equal(trm__json_load(path, 1000, &v, &err), TRM_OK);
  int64_t i;
  double f;
  bool b;
  const char *text;
  assert_int_equal(trm__json_int(v, path, "i", -7, 0, &i, &err), TRM_OK);
  assert_int_equal(i, -7);
  assert_int_equal(trm__json_double(v, path, "f", 0, 1, &f, &err), TRM_OK);
  assert_true(f == 0.1);
  assert_int_equal(trm__json_double(v, path, "i", -10, 0, &f, &err), TRM_OK);
  assert_true(f == -7);
  assert_int_equal(trm__json_bool(v, path, "b", &b, &err), TRM_OK);
  assert_true(b);
  assert_int_equal(trm__json_string(v, path, "s", &text, &err), TRM_OK);
  assert_string_equal(text, "text");

  assert_int_equal(trm__json_int(v, path, "i", -6, 0, &i, &err), TRM_E_RANGE);
  assert_true(speaks_of(&err, path) && speaks_of(&err, "\"i\"") && speaks_of(&err, "-6 to 0"));
  assert_int_equal(trm__json_double(v, path, "f", 0.2, 1, &f, &err), TRM_E_RANGE);
  assert_int_equal(trm__json_int(v, path, "f", 0, 1, &i, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, "found a number"));
  assert_int_equal(trm__json_int(v, path, "none", 0, 1, &i, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, "\"none\"") && speaks_of(&err, "found nothing"));
  assert_int_equal(trm__json_double(v, path, "s", 0, 1, &f, &err), TRM_E_FORMAT);
  assert_int_equal(trm__json_bool(v, path, "n", &b, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, "found null"));
  assert_int_equal(trm__json_string(v, path, "b", &text, &err), TRM_E_FORMAT);
  trm__json_free(v);
  assert_int_equal(trm__json_int(NULL, path, "i", 0, 1, &i, &err), TRM_E_FORMAT);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tensors_come_back_as_they_went),
      cmocka_unit_test(floats_are_converted),
      cmocka_unit_test(halves_convert_exactly),
      cmocka_unit_test(names_that_cannot_be_written_are_refused),
      cmocka_unit_test(broken_files_are_refused),
      cmocka_unit_test(files_without_a_header_are_refused),
      cmocka_unit_test(any_damage_is_refused_or_harmless),
      cmocka_unit_test(the_reference_files_read),
      cmocka_unit_test(json_files_say_where_they_are_wrong),
      cmocka_unit_test(json_values_are_of_their_type_or_refused),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
