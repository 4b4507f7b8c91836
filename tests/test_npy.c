/* .npy files: every type and version, what NumPy writes byte for byte, and hostile files. */
#include "base/rng.h"
#include "io/npy.h"
#include "npy_forms.h"
#include "scratch.h"

/* A .npy file of the given version, header text and data. */
static size_t make_npy(unsigned char *out, int version, const char *dict, const void *data,
                       size_t bytes) {
  const size_t n = strlen(dict), prefix = version == 1 ? 10 : 12;
  memcpy(out, "\x93NUMPY", 6);
  out[6] = (unsigned char)version;
  out[7] = 0;
  for (size_t i = 8; i < prefix; i++) out[i] = (unsigned char)(n >> 8 * (i - 8));
  memcpy(out + prefix, dict, n);
  if (bytes) memcpy(out + prefix + n, data, bytes);
  return prefix + n + bytes;
}

static void every_type_reads_its_values(void **state) {
  scratch *s = *state;
  /* Two numbers of 8 bytes, -2 and 2, read as each type in turn. */
  static const unsigned char eight[] = {0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                        2,    0,    0,    0,    0,    0,    0,    0};
  static const struct {
    trm__npy_type type;
    int64_t first; /* of the bytes above, read as this type */
  } cases[] = {
      {TRM__NPY_B1, 0xFE},   {TRM__NPY_U1, 0xFE}, {TRM__NPY_I1, -2},
      {TRM__NPY_U2, 0xFFFE}, {TRM__NPY_I2, -2},   {TRM__NPY_U4, 0xFFFFFFFE},
      {TRM__NPY_I4, -2},     {TRM__NPY_I8, -2},   {TRM__NPY_U8, INT64_MAX},
  };

  /* Each version of the header. */
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const size_t size = trm__npy_type_size(cases[i].type);
    const int64_t n = (int64_t)(sizeof eight / size);
    for (int version = 1; version <= 3; version++) {
      unsigned char file[256];
      char dict[128]; /* an odd length: elements out of line */
      snprintf(dict, sizeof dict, "{\"shape\":(%d,),'fortran_order': False,'descr':'%s'}\n", (int)n,
               trm__npy_type_name(cases[i].type));
      write_bytes(scratch_path(s, "t.npy"), file,
                  make_npy(file, version, dict, eight, sizeof eight));

      /* What the header says is known, and integers are read as such and as doubles. */
      trm__npy a;
      trm_error err;
      assert_int_equal(trm__npy_open(s->path, &a, &err), TRM_OK);
      assert_int_equal(a.type, cases[i].type);
      assert_int_equal(a.ndim, 1);
      assert_int_equal(a.count, n);
      assert_int_equal(a.row_count, 1);
      assert_true(trm__npy_is_integer(&a));
      assert_int_equal(trm__npy_int(&a, 0), cases[i].first);
      assert_int_equal(trm__npy_int(&a, (int64_t)(8 / size)), 2);
      assert_true(trm__npy_double(&a, (int64_t)(8 / size)) == 2.0);
      trm__npy_close(&a);
    }
  }
}

static void floats_read_as_doubles(void **state) {
  scratch *s = *state;
  const float f[] = {1.5f, -0.25f};
  const double d[] = {1e300, -3};
  const int64_t shape[] = {2};
  trm__npy a;
  assert_int_equal(trm__npy_save(scratch_path(s, "f.npy"), TRM__NPY_F4, 1, shape, f, NULL), TRM_OK);
  assert_int_equal(trm__npy_open(s->path, &a, NULL), TRM_OK);
  assert_false(trm__npy_is_integer(&a));
  assert_true(trm__npy_double(&a, 0) == 1.5 && trm__npy_double(&a, 1) == -0.25);
  trm__npy_close(&a);
  assert_int_equal(trm__npy_save(scratch_path(s, "d.npy"), TRM__NPY_F8, 1, shape, d, NULL), TRM_OK);
  assert_int_equal(trm__npy_open(s->path, &a, NULL), TRM_OK);
  assert_true(trm__npy_double(&a, 0) == 1e300 && trm__npy_double(&a, 1) == -3);
  trm__npy_close(&a);
}

/* In whatever order they lie, elements have their row-major numbers. */
static void every_form_reads_the_same(void **state) {
  scratch *s = *state;
  static const int64_t shapes[][3] = {{12, 1, 1}, {3, 4, 1}, {2, 3, 2}};
  static const double values[] = {5, 0, 1, 7, 100, 3, 2, 127, 64, 9, 33, 6};
  for (int f = 0; f < NPY_FORMS; f++)
    for (int ndim = 1; ndim <= 3; ndim++) {
      trm__npy a;
      trm_error err;
      npy_form_save(scratch_path(s, "f.npy"), npy_forms[f], ndim, shapes[ndim - 1], values);
      if (trm__npy_open(s->path, &a, &err) != TRM_OK) fail_msg("%s", err.msg);
      assert_int_equal(a.ndim, ndim);
      assert_int_equal(a.count, 12);
      assert_int_equal(trm__npy_check_whole(&a, s->path, &err), TRM_OK);
      for (int i = 0; i < 12; i++)
        if (trm__npy_int(&a, i) != (int64_t)values[i] || trm__npy_double(&a, i) != values[i])
          fail_msg("%s%s, %d dimensions: element %d is %lld", npy_forms[f].descr,
                   npy_forms[f].fortran ? " in Fortran order" : "", ndim, i,
                   (long long)trm__npy_int(&a, i));
      trm__npy_close(&a);
    }
}

static void signs_and_large_values(void **state) {
  scratch *s = *state;
  /* Both signs at the ends of a byte, in types of either order of bytes. */
  static const int64_t shape[] = {2, 2};
  static const double values[] = {-100, -1, 127, -128};
  static const char *const descr[] = {">i8", ">i2", "<i1", ">f4", "<f2", ">f2"};
  trm__npy a;
  for (size_t f = 0; f < sizeof descr / sizeof *descr; f++) {
    npy_form_save(scratch_path(s, "s.npy"), (npy_form){descr[f], true, 1}, 2, shape, values);
    assert_int_equal(trm__npy_open(s->path, &a, NULL), TRM_OK);
    for (int i = 0; i < 4; i++) assert_int_equal(trm__npy_int(&a, i), (int64_t)values[i]);
    trm__npy_close(&a);
  }

  /* Beyond 64 bits a value is held to the nearest that there is, and is found as no integer. */
  static const double large[] = {0x1p53, -0x1p62, 0x1p63, -0x1p70};
  npy_form_save(scratch_path(s, "s.npy"), (npy_form){">f8", true, 1}, 2, shape, large);
  assert_int_equal(trm__npy_open(s->path, &a, NULL), TRM_OK);
  assert_true(trm__npy_int(&a, 0) == INT64_C(1) << 53);
  assert_true(trm__npy_int(&a, 1) == -(INT64_C(1) << 62));
  assert_true(trm__npy_int(&a, 2) == INT64_MAX && trm__npy_int(&a, 3) == INT64_MIN);
  assert_int_equal(trm__npy_find_fraction(&a, 4), 2); /* no int64 holds it */
  assert_int_equal(trm__npy_find_fraction(&a, 2), -1);
  trm__npy_close(&a);
}

static void a_fraction_is_named_by_its_index(void **state) {
  scratch *s = *state;
  /* One value of twelve is none, at a place that has one, two or three indices. */
  static const struct {
    double value;
    int ndim;
    int64_t shape[3];
    const char *word;
  } cases[] = {{2.5, 1, {12}, "element [7] is 2.5;"},
               {-0.25, 2, {3, 4}, "element [1, 3] is -0.25;"},
               {NAN, 2, {3, 4}, "element [1, 3] is nan"},
               {INFINITY, 3, {2, 3, 2}, "element [1, 0, 1] is inf;"}};

  /* Every type of floating point, whatever the order of the file: the index is the array's. */
  for (size_t i = 0; i < 2; i++)
    for (int f = 0; f < NPY_FORMS; f++) {
      double values[12] = {0, 1, 2, 3, 4, 5, 6, cases[i].value};
      trm__npy a;
      trm_error err;
      if (!strchr(npy_forms[f].descr, 'f')) continue;
      npy_form_save(scratch_path(s, "x.npy"), npy_forms[f], cases[i].ndim, cases[i].shape, values);
      assert_int_equal(trm__npy_open(s->path, &a, &err), TRM_OK);
      assert_int_equal(trm__npy_check_whole(&a, s->path, &err), TRM_E_FORMAT);
      assert_true(speaks_of(&err, s->path) && speaks_of(&err, cases[i].word));
      assert_int_equal(err.pos, 7);
      trm__npy_close(&a);
    }

  /* Values that are no numbers, of float64 only: npy_forms.h makes no other halves. */
  for (size_t i = 2; i < 4; i++) {
    double values[12] = {0, 1, 2, 3, 4, 5, 6, cases[i].value};
    trm__npy a;
    trm_error err;
    npy_form_save(scratch_path(s, "x.npy"), (npy_form){"<f8", false, 1}, cases[i].ndim,
                  cases[i].shape, values);
    assert_int_equal(trm__npy_open(s->path, &a, &err), TRM_OK);
    assert_int_equal(trm__npy_check_whole(&a, s->path, &err), TRM_E_FORMAT);
    assert_true(speaks_of(&err, cases[i].word));
    assert_int_equal(trm__npy_int(&a, 7), i == 2 ? 0 : INT64_MAX);
    trm__npy_close(&a);
  }
}

/* numpy.save of numpy.arange(12, dtype='<i4').reshape(3, 4). */
static void the_bytes_are_those_of_numpy(void **state) {
  scratch *s = *state;
  static const char dict[] = "{'descr': '<i4', 'fortran_order': False, 'shape': (3, 4), }";
  int32_t v[12];
  for (int i = 0; i < 12; i++) v[i] = i;
  unsigned char want[128 + sizeof v];
  memset(want, ' ', sizeof want);
  memcpy(want, "\x93NUMPY\x01\x00\x76\x00", 10);
  memcpy(want + 10, dict, sizeof dict - 1);
  want[127] = '\n';
  memcpy(want + 128, v, sizeof v);
  const int64_t shape[] = {3, 4};
  assert_int_equal(trm__npy_save(scratch_path(s, "w.npy"), TRM__NPY_I4, 2, shape, v, NULL), TRM_OK);
  size_t n;
  unsigned char *got = read_bytes(s->path, &n);
  assert_int_equal(n, sizeof want);
  assert_memory_equal(got, want, n);
  free(got);
}

static void rows_stream_into_a_file(void **state) {
  scratch *s = *state;
  const int64_t shape[] = {5, 2, 3};
  trm_error err;
  trm__npy_writer w;
  const char *path = scratch_path(s, "rows.npy");
  assert_int_equal(trm__npy_create(&w, path, TRM__NPY_U1, 3, shape, &err), TRM_OK);
  unsigned char rows[30];
  for (int i = 0; i < 30; i++) rows[i] = (unsigned char)i;
  trm__npy_append(&w, rows, 2);
  trm__npy_append(&w, rows + 12, 3);
  assert_false(trm__path_exists(path));
  assert_int_equal(trm__npy_commit(&w, &err), TRM_OK);
  trm__npy a;
  assert_int_equal(trm__npy_open(path, &a, &err), TRM_OK);
  assert_int_equal(a.ndim, 3);
  assert_int_equal(a.shape[0] * 100 + a.shape[1] * 10 + a.shape[2], 523);
  assert_int_equal(a.row_count, 6);
  assert_int_equal((uintptr_t)a.data % 64, 0);
  for (int i = 0; i < 30; i++) assert_int_equal(trm__npy_int(&a, i), i);
  trm__npy_close(&a);

  path = scratch_path(s, "short.npy");
  for (int got = 4; got <= 6; got += 2) { /* a row short, a row too many */
    assert_int_equal(trm__npy_create(&w, path, TRM__NPY_U1, 3, shape, &err), TRM_OK);
    for (int i = 0; i < got; i++) trm__npy_append(&w, rows, 1);
    assert_int_equal(trm__npy_commit(&w, &err), TRM_E_ARGUMENT);
    assert_true(speaks_of(&err, path) && speaks_of(&err, "want 5 rows"));
    assert_false(trm__path_exists(path));
  }
  assert_int_equal(trm__npy_create(&w, path, TRM__NPY_U1, 3, shape, &err), TRM_OK);
  trm__npy_abort(&w);
  trm__npy_abort(&w);
  assert_false(trm__path_exists(path));
  assert_int_equal(trm__npy_create(&w, path, TRM__NPY_U1, 4, shape, &err), TRM_E_ARGUMENT);
  const int64_t huge[] = {INT64_MAX, 3};
  assert_int_equal(trm__npy_create(&w, path, TRM__NPY_U1, 2, huge, &err), TRM_E_ARGUMENT);
  const int64_t empty[] = {0, 3};
  assert_int_equal(trm__npy_save(path, TRM__NPY_I8, 2, empty, NULL, &err), TRM_OK);
  assert_int_equal(trm__npy_open(path, &a, &err), TRM_OK);
  assert_int_equal(a.count, 0);
  assert_int_equal(a.row_count, 3);
  trm__npy_close(&a);
}

static void broken_headers_are_refused(void **state) {
  scratch *s = *state;
  /* One mistake of the header each, and the word that tells it. */
  static const struct {
    const char *dict, *word;
  } cases[] = {
      {"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "'|O', Python objects, pickled"},
      {"{'descr': '<U3', 'fortran_order': False, 'shape': (1,), }", "'<U3', texts"},
      {"{'descr': '|S1', 'fortran_order': False, 'shape': (1,), }", "'|S1', texts"},
      {"{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", "complex"},
      {"{'descr': '<M8[ns]', 'fortran_order': False, 'shape': (1,), }", "dates"},
      {"{'descr': '|V4', 'fortran_order': False, 'shape': (1,), }", "without a type"},
      {"{'descr': '<f16', 'fortran_order': False, 'shape': (1,), }", "'<f16', of a type"},
      {"{'descr': '', 'fortran_order': False, 'shape': (1,), }", "'', of a type"},
      {"{'descr': '<', 'fortran_order': False, 'shape': (1,), }", "'<', of a type"},
      {"{'descr': '<>i4', 'fortran_order': False, 'shape': (1,), }", "'<>i4'"},
      {"{'descr': '<i3', 'fortran_order': False, 'shape': (1,), }", "'<i3'"},
      {"{'descr': '<i44444444444444444444444444444444444444', }", "does not end"},
      {"{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (1,), }", "structured"},
      {"{'descr': '<i4', 'fortran_order': True, 'shape': (1,1,1,1), }", "more than 3"},
      {"{'descr': '<i4', 'fortran_order': 0, 'shape': (1,), }", "True or False"},
      {"{'descr': '<i4', 'fortran_order': Fals", "True or False"},
      {"{'descr': '<i4', 'fortran_order': False, 'shape': (), }", "no dimension"},
      {"{'descr': '<i4', 'fortran_order': False, 'shape': (1,1,1,1), }", "more than 3"},
      {"{'descr': '<i4', 'fortran_order': False, 'shape': (-1,), }", "a dimension"},
      {"{'descr': '<i4', 'fortran_order': False, 'shape': (1 1), }", "')'"},
      {"{'descr': '<i4', 'fortran_order': False, 'shape': (99999999999999999999,), }", "too large"},
      {"{'descr': '<i4', 'fortran_order': False, 'shape': (4294967296,4294967296), }", "too large"},
      {"{'descr': '<i4', 'fortran_order': False, 'shape': (4611686018427387904,), }", "too large"},
      {"{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }", "truncated"},
      {"{'descr': '<i4', 'fortran_order': False, 'shape': (0,), }", "too long"},
      {"{'descr': '<i4', 'fortran_order': False, 'shape': [1], }", "'('"},
      {"{'descr': '<i4', 'fortran_order': False, }", "no 'shape'"},
      {"{'descr': '<i4', 'descr': '<i4', 'fortran_order': False, 'shape': (1,)}", "twice"},
      {"{'descr': '<i4', 'fortran_order': False, 'shape': (1,), 'more': 1}", "unknown key"},
      {"{'descr' '<i4', 'fortran_order': False, 'shape': (1,), }", "':'"},
      {"{'descr': '<i4', 'fortran_order': False, 'shape': (1,), } x", "after"},
      {"{'descr': '<i4', 'fortran_order': False, 'shape': (1,), ", "quoted"},
      {"", "'{'"},
  };

  /* The message names the file, and the array is empty. */
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    unsigned char file[256];
    write_bytes(scratch_path(s, "bad.npy"), file, make_npy(file, 1, cases[i].dict, "\1\0\0\0", 4));
    trm__npy a;
    trm_error err;
    assert_int_equal(trm__npy_open(s->path, &a, &err), TRM_E_FORMAT);
    assert_true(speaks_of(&err, s->path) && speaks_of(&err, cases[i].word));
    assert_null(a.data);
  }

  /* A file that is missing, and one of a version to come. */
  trm__npy a;
  trm_error err;
  assert_int_equal(trm__npy_open(scratch_path(s, "none.npy"), &a, &err), TRM_E_IO);
  write_bytes(scratch_path(s, "v.npy"), "\x93NUMPY\x04\x00\x00\x00\x00\x00", 12);
  assert_int_equal(trm__npy_open(s->path, &a, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, "4.0"));
}

static void other_files_are_called_by_their_names(void **state) {
  scratch *s = *state;
  static const struct {
    const char *bytes, *word;
  } cases[] = {{"\x1f\x8b\x08\x01\x01\x01\x01\x01\x01\x01\x01\x01", "gunzip"},
               {"PK\x03\x04 an archive", ".npz"},
               {"\x80\x04\x95 pickle.dump(a)", "numpy.save"},
               {"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "`git lfs pull`"},
               {"\n<!DOCTYPE html>\n<html>", "a web page"},
               {"1,2,3\n", "a text, not an array of NumPy: it begins \"1,2,3\""},
               {"\x01\x02\x03", "not a .npy file"},
               {"", "an empty file"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    trm__npy a;
    trm_error err;
    write_bytes(scratch_path(s, "o.npy"), cases[i].bytes, strlen(cases[i].bytes));
    assert_int_equal(trm__npy_open(s->path, &a, &err), TRM_E_FORMAT);
    assert_true(speaks_of(&err, "o.npy: ") && speaks_of(&err, cases[i].word));
  }
}

static void any_damage_is_refused_or_harmless(void **state) {
  scratch *s = *state;
  /* A good file of six numbers. */
  int16_t v[6] = {1, 2, 3, 4, 5, 6};
  const int64_t shape[] = {2, 3};
  assert_int_equal(trm__npy_save(scratch_path(s, "ok.npy"), TRM__NPY_I2, 2, shape, v, NULL),
                   TRM_OK);
  size_t n;
  unsigned char *good = read_bytes(s->path, &n), *bad = malloc(n);
  const char *path = scratch_path(s, "damaged.npy");
  trm__npy a;
  trm_error err;

  /* Every cut is seen, and the message tells what is left of the file. */
  for (size_t cut = 0; cut < n; cut++) {
    write_bytes(path, good, cut);
    assert_int_equal(trm__npy_open(path, &a, &err), TRM_E_FORMAT);
    assert_true(speaks_of(&err, path) && speaks_of(&err, cut == 0   ? "an empty file"
                                                         : cut < 10 ? "not a .npy"
                                                                    : "truncated"));
  }

  /* Up to three bytes are changed: the header is refused, or what it says can be read. */
  int refused = 0;
  for (uint32_t round = 0; round < 3000; round++) {
    trm__rng r = trm__rng_at(11, TRM__RNG_TEST, 0, round);
    memcpy(bad, good, n);
    for (uint32_t k = 1 + trm__rng_below(&r, 3); k; k--)
      bad[trm__rng_below(&r, (uint32_t)n)] = (unsigned char)trm__rng_below(&r, 256);
    write_bytes(path, bad, n);
    if (trm__npy_open(path, &a, &err) != TRM_OK) {
      assert_int_equal(err.code, TRM_E_FORMAT);
      refused++;
      continue;
    }

    /* Reading all of it is what the sanitizers watch. */
    double sum = 0;
    for (int64_t i = 0; i < a.count; i++)
      sum += trm__npy_is_integer(&a) ? (double)trm__npy_int(&a, i) : trm__npy_double(&a, i);
    assert_true(sum == sum || !trm__npy_is_integer(&a));
    trm__npy_close(&a);
  }

  /* Enough of the changes hit the header. */
  assert_true(refused > 1000);
  free(good);
  free(bad);
}

static void the_shared_files_read(void **state) {
  (void)state;
  /* Data of the reference, where they are beside the checkout. */
  trm__npy inputs, labels;
  trm_error err;
  if (!trm__path_is_dir(TRM_SHARED_DIR)) {
    print_message("skipped: no folder %s\n", TRM_SHARED_DIR);
    skip();
  }

  /* Inputs and labels of Sudoku-Extreme have one row for each puzzle. */
  assert_int_equal(
      trm__npy_open(TRM_SHARED_DIR "/data/sudoku-extreme/train50k_inputs.npy", &inputs, &err),
      TRM_OK);
  assert_int_equal(
      trm__npy_open(TRM_SHARED_DIR "/data/sudoku-extreme/train50k_labels.npy", &labels, &err),
      TRM_OK);
  assert_int_equal(inputs.shape[0], 50000);
  assert_int_equal(inputs.row_count, 81);

  /* A token is 1 for an empty cell and digit + 1 else, and labels keep what is given. */
  for (int64_t i = 0; i < inputs.count; i++) {
    const int64_t in = trm__npy_int(&inputs, i), label = trm__npy_int(&labels, i);
    if (in < 1 || in > 10 || label < 2 || label > 10 || (in > 1 && in != label))
      fail_msg("element %lld: %lld and %lld", (long long)i, (long long)in, (long long)label);
  }
  trm__npy_close(&inputs);
  trm__npy_close(&labels);

  /* Predictions in the format of the reference's evaluation are read, too. */
  assert_int_equal(trm__npy_open(TRM_SHARED_DIR "/golden/arc-vote/preds.npy", &inputs, &err),
                   TRM_OK);
  trm__npy_close(&inputs);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_type_reads_its_values),
      cmocka_unit_test(floats_read_as_doubles),
      cmocka_unit_test(every_form_reads_the_same),
      cmocka_unit_test(signs_and_large_values),
      cmocka_unit_test(a_fraction_is_named_by_its_index),
      cmocka_unit_test(other_files_are_called_by_their_names),
      cmocka_unit_test(the_bytes_are_those_of_numpy),
      cmocka_unit_test(rows_stream_into_a_file),
      cmocka_unit_test(broken_headers_are_refused),
      cmocka_unit_test(any_damage_is_refused_or_harmless),
      cmocka_unit_test(the_shared_files_read),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
