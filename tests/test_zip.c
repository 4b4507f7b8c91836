/* Zip archives and .npz: what is written reads back, what zlib packs unpacks, archives beyond 4
 * GiB, and archives that are cut short, damaged or lie. */
#include <fcntl.h>
#include <unistd.h>

#include "base/memory.h"
#include "io/npz.h"
#include "io/zip.h"
#include "npy_forms.h"
#include "zip_bytes.h"

static zip_bytes z; /* of the test that runs */

static trm__zip *open_bytes(scratch *s, trm_error *err) {
  trm__zip *zip = NULL;
  write_bytes(scratch_path(s, "t.zip"), z.data, z.n);
  (void)trm__zip_open(s->path, &zip, err);
  return zip;
}

static trm__zip *open_good(scratch *s) {
  trm_error err;
  trm__zip *zip = open_bytes(s, &err);
  if (!zip) fail_msg("%s", err.msg);
  return zip;
}

static void refuses(scratch *s, const char *word) {
  trm_error err = {0};
  assert_null(open_bytes(s, &err));
  assert_int_equal(err.code, TRM_E_FORMAT);
  assert_true(speaks_of(&err, word));
}

static void written_entries_read_back_aligned(void **state) {
  scratch *s = *state;

  /* Entries of 0, 13, 26 and 39 bytes, so that each needs another padding; the last one is
   * empty. */
  static const char *const names[] = {"a/data.pkl", "a/data/0", "a/version", "b", "empty"};
  trm__zip_writer w;
  trm_error err;
  trm__zip *zip;
  assert_int_equal(trm__zip_create(&w, scratch_path(s, "w.zip"), &err), TRM_OK);
  for (size_t i = 0; i < 5; i++) {
    trm__zip_begin(&w, names[i], i < 4 ? 13 * i : 0);
    if (i < 4)
      for (size_t k = 0; k < i; k++) trm__zip_append(&w, "thirteen byte", 13);
    trm__zip_end(&w);
  }

  /* Each can be found, begins where a tensor may lie, and holds what was appended. */
  assert_int_equal(trm__zip_commit(&w, &err), TRM_OK);
  if (trm__zip_open(s->path, &zip, &err) != TRM_OK) fail_msg("%s", err.msg);
  assert_int_equal(trm__zip_count(zip), 5);
  for (size_t i = 0; i < 5; i++) {
    const trm__zip_entry *e = trm__zip_find(zip, names[i]);
    unsigned char *data;
    assert_non_null(e);
    assert_int_equal(e->size, i < 4 ? 13 * i : 0);
    assert_int_equal(e->offset % TRM__ZIP_ALIGN, 0);
    assert_int_equal(trm__zip_check(zip, e, &err), TRM_OK);
    assert_int_equal(trm__zip_read(zip, e, 100, &data, &err), TRM_OK);
    if (e->size) assert_memory_equal(data, "thirteen byte", 13);
    trm__free(data);
  }

  /* A folder of names is no entry. */
  assert_null(trm__zip_find(zip, "a"));
  trm__zip_close(zip);
}

static void an_abandoned_archive_leaves_nothing(void **state) {
  scratch *s = *state;
  trm__zip_writer w;
  assert_int_equal(trm__zip_create(&w, scratch_path(s, "gone.zip"), NULL), TRM_OK);
  trm__zip_begin(&w, "a", 3);
  trm__zip_append(&w, "abc", 3);
  trm__zip_abort(&w);
  trm__zip_abort(&w);
  assert_false(trm__path_exists(s->path));
}

static void deflated_entries_unpack(void **state) {
  scratch *s = *state;

  /* A text that packs well, and one of no bytes, which must still be a stream that ends. */
  static unsigned char text[50000];
  for (size_t i = 0; i < sizeof text; i++) text[i] = (unsigned char)(i % 77);
  z = (zip_bytes){.n = 0};
  zip_add_deflated(&z, "long", text, sizeof text);
  zip_add_deflated(&z, "empty", text, 0);
  zip_end(&z);

  /* A packed entry has no bytes to look at in place: it is unpacked. */
  trm__zip *zip = open_good(s);
  unsigned char *data;
  trm_error err;
  const trm__zip_entry *e = trm__zip_find(zip, "long");
  assert_true(e->deflated && e->stored_size < 1000);
  assert_null(trm__zip_view(zip, e));
  assert_int_equal(trm__zip_read(zip, e, sizeof text, &data, &err), TRM_OK);
  assert_memory_equal(data, text, sizeof text);
  trm__free(data);

  /* The caller's limit is checked before memory is taken, and named. */
  assert_int_equal(trm__zip_read(zip, e, sizeof text - 1, &data, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, "at most 49999"));
  assert_int_equal(trm__zip_read(zip, trm__zip_find(zip, "empty"), 0, &data, &err), TRM_OK);
  trm__free(data);
  trm__zip_close(zip);
}

/* What the entry "x" reads as when its headers say so. */
static trm_status read_lie(scratch *s, int method, uint32_t crc, const void *stored, size_t n,
                           size_t size, trm_error *err) {
  unsigned char *data = NULL;
  z = (zip_bytes){.n = 0};
  zip_add_raw(&z, "x", method, crc, stored, n, size);
  zip_end(&z);
  trm__zip *zip = open_bytes(s, err);
  if (!zip) return err->code;
  const trm_status st = trm__zip_read(zip, trm__zip_find(zip, "x"), 1 << 20, &data, err);
  trm__free(data);
  trm__zip_close(zip);
  return st;
}

static void lies_are_found(void **state) {
  scratch *s = *state;
  trm_error err;
  const uint32_t crc = (uint32_t)crc32(0, (const unsigned char *)"hello", 5);
  static const unsigned char packed[] = {0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00}; /* hello */
  assert_int_equal(read_lie(s, 0, crc, "hello", 5, 5, &err), TRM_OK);
  assert_int_equal(read_lie(s, 8, crc, packed, sizeof packed, 5, &err), TRM_OK);
  assert_int_equal(read_lie(s, 0, crc + 1, "hello", 5, 5, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, "damaged"));
  assert_int_equal(read_lie(s, 8, crc + 1, packed, sizeof packed, 5, &err), TRM_E_FORMAT);
  assert_int_equal(read_lie(s, 0, crc, "hello", 5, 6, &err), TRM_E_FORMAT);
  assert_int_equal(read_lie(s, 8, crc, packed, sizeof packed, 4, &err), TRM_E_FORMAT);
  assert_int_equal(read_lie(s, 8, crc, packed, sizeof packed, 6, &err), TRM_E_FORMAT);
  assert_int_equal(read_lie(s, 8, crc, packed, sizeof packed - 1, 5, &err), TRM_E_FORMAT);
  assert_int_equal(read_lie(s, 8, crc, "\xff\xff\xff", 3, 5, &err), TRM_E_FORMAT);
  /* Nothing is taken for a size that the packed bytes cannot give. */
  assert_int_equal(read_lie(s, 8, crc, packed, sizeof packed, 1 << 20, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, "cannot come from"));
  assert_int_equal(read_lie(s, 12, crc, packed, sizeof packed, 5, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, "method 12"));
  z = (zip_bytes){.n = 0};
  zip_add(&z, "twice", "a", 1);
  zip_add(&z, "twice", "b", 1);
  zip_end(&z);
  refuses(s, "two entries are named");
  z = (zip_bytes){.n = 0};
  z.n = 22;
  refuses(s, "not a zip archive");
}

static void make_two(void) {
  z = (zip_bytes){.n = 0};
  zip_add(&z, "one", "hello", 5);
  zip_add_deflated(&z, "two", "hello, hello, hello", 19);
  zip_end(&z);
}

/* Reads all it can; what counts is that it comes back (under the sanitizers). */
static void read_all(scratch *s) {
  trm_error err;
  trm__zip *zip = open_bytes(s, &err);
  for (int i = 0; zip && i < trm__zip_count(zip); i++) {
    unsigned char *data = NULL;
    (void)trm__zip_read(zip, trm__zip_at(zip, i), 1 << 20, &data, &err);
    trm__free(data);
  }
  trm__zip_close(zip);
}

static void cut_anywhere_and_any_byte_changed(void **state) {
  scratch *s = *state;
  trm_error err;
  make_two();
  const size_t whole = z.n;
  for (size_t n = 0; n < whole; n++) {
    z.n = n;
    trm__zip *zip = open_bytes(s, &err);
    assert_null(zip);
  }
  for (size_t i = 0; i < whole; i++)
    for (int flip = 1; flip < 256; flip = flip * 4 + 3) {
      make_two();
      z.data[i] ^= (unsigned char)flip;
      read_all(s);
    }
}

/* The extra field with both sizes of a stored entry, in 64 bits. */
static size_t put_sizes(unsigned char *out, uint64_t size) {
  size_t n = put_number(out, 1, 2);
  n += put_number(out + n, 16, 2);
  n += put_number(out + n, size, 8);
  n += put_number(out + n, size, 8);
  return n;
}

/* Writes an archive of one stored entry of so many bytes, a hole but for the last one, which is a
 * '!'; the length of the file, 0 where the file system has no such files. The data are at *data_at.
 */
static uint64_t write_large(const char *path, uint64_t size, uint64_t *data_at) {
  /* The head: sizes that 32 bits do not hold stand in an extra field, behind the name. */
  unsigned char head[128], tail[512];
  size_t n = put_number(head, 0x04034b50, 4);
  n += put_common(head + n, 0, 0, UINT32_MAX, UINT32_MAX, "big");
  put_number(head + n - 2, 20, 2); /* the extra field */
  memcpy(head + n, "big", 3);
  n += 3;
  n += put_sizes(head + n, size);

  /* The row of the directory, with the same extra field. */
  const uint64_t directory_at = n + size;
  *data_at = n;
  size_t t = put_number(tail, 0x02014b50, 4);
  t += put_number(tail + t, 45, 2);
  t += put_common(tail + t, 0, 0, UINT32_MAX, UINT32_MAX, "big");
  put_number(tail + t - 2, 20, 2);
  t += put_number(tail + t, 0, 14); /* also where its header starts */
  memcpy(tail + t, "big", 3);
  t += 3;
  t += put_sizes(tail + t, size);

  /* The end of the directory, as zip64 and as what older programs look for. */
  const uint64_t directory_size = t;
  t += put_number(tail + t, 0x06064b50, 4); /* the end of a zip64 directory */
  t += put_number(tail + t, 44, 8);
  t += put_number(tail + t, 45, 2);
  t += put_number(tail + t, 45, 2);
  t += put_number(tail + t, 0, 8);
  t += put_number(tail + t, 1, 8);
  t += put_number(tail + t, 1, 8);
  t += put_number(tail + t, directory_size, 8);
  t += put_number(tail + t, directory_at, 8);
  t += put_number(tail + t, 0x07064b50, 4); /* where it is */
  t += put_number(tail + t, 0, 4);
  t += put_number(tail + t, directory_at + directory_size, 8);
  t += put_number(tail + t, 1, 4);
  t += put_number(tail + t, 0x06054b50, 4);
  t += put_number(tail + t, 0, 4);
  t += put_number(tail + t, UINT32_MAX, 4); /* the numbers are those of zip64 */
  t += put_number(tail + t, UINT64_MAX, 8);
  t += put_number(tail + t, 0, 2);

  /* All that lies between is a hole, so that the file takes a few KiB of a disk. */
  const int fd = open(path, O_CREAT | O_WRONLY, 0666);
  assert_true(fd >= 0);
  if (ftruncate(fd, (off_t)(directory_at + t)) != 0) {
    close(fd);
    return 0;
  }
  assert_int_equal(pwrite(fd, head, n, 0), n);
  assert_int_equal(pwrite(fd, "!", 1, (off_t)directory_at - 1), 1);
  assert_int_equal(pwrite(fd, tail, t, (off_t)directory_at), t);
  close(fd);
  return directory_at + t;
}

static void beyond_4_gib(void **state) {
  scratch *s = *state;
  const uint64_t size = (uint64_t)5 << 30;
  uint64_t data_at;
  const uint64_t length = write_large(scratch_path(s, "big.zip"), size, &data_at);
  if (!length) skip();

  /* The sizes of the extra fields count, and the last byte of the data is where they say. */
  trm__zip *zip;
  trm_error err;
  if (trm__zip_open(s->path, &zip, &err) != TRM_OK) fail_msg("%s", err.msg);
  const trm__zip_entry *e = trm__zip_find(zip, "big");
  assert_non_null(e);
  assert_int_equal(e->offset, data_at);
  assert_int_equal(e->size, size);
  assert_int_equal(trm__zip_view(zip, e)[size - 1], '!');
  trm__zip_close(zip);

  /* A directory that is cut by one byte is none. */
  assert_int_equal(truncate(s->path, (off_t)(length - 1)), 0);
  assert_int_equal(trm__zip_open(s->path, &zip, &err), TRM_E_FORMAT);
  assert_int_equal(unlink(s->path), 0);
}

/* What the writer makes of an entry of 5 GiB (a hole in the file, for which the CRC of nothing
 * stands) and of one that starts behind it. */
static void written_beyond_4_gib(void **state) {
  scratch *s = *state;

  /* The hole is made behind the writer's back, which believes that all was written. */
  const int64_t size = (int64_t)5 << 30;
  trm__zip_writer w;
  trm_error err;
  trm__zip *zip;
  assert_int_equal(trm__zip_create(&w, scratch_path(s, "big.zip"), &err), TRM_OK);
  trm__zip_begin(&w, "big", (uint64_t)size);
  if (fseeko(w.file.f, size - 1, SEEK_CUR) || fwrite("!", 1, 1, w.file.f) != 1 ||
      fflush(w.file.f)) {
    trm__zip_abort(&w);
    skip(); /* a file system without large files */
  }
  w.left = 0;
  trm__zip_end(&w);

  /* What starts beyond 32 bits needs its offset in an extra field. */
  trm__zip_begin(&w, "small", 5);
  trm__zip_append(&w, "hello", 5);
  trm__zip_end(&w);
  if (trm__zip_commit(&w, &err) != TRM_OK) fail_msg("%s", err.msg);

  /* Our own reader finds both, and the small one is whole. */
  if (trm__zip_open(s->path, &zip, &err) != TRM_OK) fail_msg("%s", err.msg);
  const trm__zip_entry *big = trm__zip_find(zip, "big"), *small = trm__zip_find(zip, "small");
  assert_true(big && small);
  assert_int_equal(big->size, size);
  assert_int_equal(trm__zip_view(zip, big)[size - 1], '!');
  assert_true(small->offset > (size_t)size && small->offset % TRM__ZIP_ALIGN == 0);
  assert_int_equal(trm__zip_check(zip, small, &err), TRM_OK);
  trm__zip_close(zip);
  assert_int_equal(unlink(s->path), 0);
}

static void a_wrong_announcement_is_an_error(void **state) {
  scratch *s = *state;
  for (uint64_t size = 4; size <= 6; size += 2) {
    trm__zip_writer w;
    trm_error err;
    assert_int_equal(trm__zip_create(&w, scratch_path(s, "wrong.zip"), &err), TRM_OK);
    trm__zip_begin(&w, "a", size);
    trm__zip_append(&w, "hello", 5);
    trm__zip_end(&w);
    assert_int_equal(trm__zip_commit(&w, &err), TRM_E_ARGUMENT);
    assert_false(trm__path_exists(s->path));
  }
}

/* --- .npz --- */

static void add_array(scratch *s, const char *name, trm__npy_type type, int ndim,
                      const int64_t *shape, const void *data, bool deflated) {
  size_t n;
  assert_int_equal(trm__npy_save(scratch_path(s, "a.npy"), type, ndim, shape, data, NULL), TRM_OK);
  unsigned char *bytes = read_bytes(s->path, &n);
  (deflated ? zip_add_deflated : zip_add)(&z, name, bytes, n);
  free(bytes);
}

static void arrays_of_an_npz(void **state) {
  scratch *s = *state;

  /* Two arrays of numbers, one of which is packed; one of texts, and a file that is no array. */
  const int64_t shape[] = {2, 3}, line[] = {2};
  const int32_t v[] = {1, 2, 3, 4, 5, 6};
  const double d[] = {0.5, -2};
  trm__npz *npz;
  trm__npz_rows *a;
  trm_error err;
  z = (zip_bytes){.n = 0};
  add_array(s, "inputs.npy", TRM__NPY_I4, 2, shape, v, false);
  add_array(s, "x/packed.npy", TRM__NPY_F8, 1, line, d, true);
  zip_add(&z, "texts.npy", "\x93NUMPY\1\0\x03\0{}\n", 13);
  zip_add(&z, "other.txt", "text", 4);
  zip_end(&z);
  write_bytes(scratch_path(s, "t.npz"), z.data, z.n);

  /* Arrays are counted and named without their ending. */
  if (trm__npz_open(s->path, &npz, &err) != TRM_OK) fail_msg("%s", err.msg);
  assert_int_equal(trm__npz_count(npz), 3);
  assert_string_equal(trm__npz_name(npz, 0), "inputs");

  /* Rows come one by one, and asking for one too many is the caller's mistake. */
  assert_int_equal(trm__npz_find(npz, "inputs", &a, &err), TRM_OK);
  assert_true(a && trm__npz_array(a)->ndim == 2 && trm__npz_array(a)->row_count == 3);
  for (int row = 0; row < 2; row++) {
    assert_int_equal(trm__npz_next(a, &err), TRM_OK);
    for (int k = 0; k < 3; k++)
      assert_int_equal(trm__npy_int(trm__npz_array(a), k), 3 * row + k + 1);
  }
  assert_int_equal(trm__npz_next(a, &err), TRM_E_ARGUMENT);
  trm__npz_rows_close(a);

  /* An array can be found again and is read from its start. */
  for (int again = 0; again < 2; again++) {
    assert_int_equal(trm__npz_find(npz, "x/packed", &a, &err), TRM_OK);
    assert_int_equal(trm__npz_next(a, &err), TRM_OK);
    assert_true(trm__npy_double(trm__npz_array(a), 0) == 0.5);
    assert_int_equal(trm__npz_next(a, &err), TRM_OK);
    assert_true(trm__npy_double(trm__npz_array(a), 0) == -2);
    trm__npz_rows_close(a);
  }

  /* One that is missing is no error, one that is not understood is, with its name. */
  assert_int_equal(trm__npz_find(npz, "labels", &a, &err), TRM_OK);
  assert_null(a);
  assert_int_equal(trm__npz_find(npz, "texts", &a, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, "t.npz") && speaks_of(&err, "texts.npy"));
  trm__npz_close(npz);
}

/* Rows come in C order, whatever the array's, packed or not. */
static void arrays_of_an_npz_in_every_form(void **state) {
  scratch *s = *state;

  /* Three shapes of the same twelve values, in every type, order and version. */
  static const int64_t shapes[][3] = {{12, 1, 1}, {3, 4, 1}, {2, 3, 2}};
  static const double values[] = {5, 0, 1, 7, 100, 3, 2, 127, 64, 9, 33, 6};
  for (int f = 0; f < NPY_FORMS; f++)
    for (int ndim = 1; ndim <= 3; ndim++) {
      unsigned char bytes[NPY_FORM_HEAD + sizeof values];
      trm__npz *npz;
      trm__npz_rows *a;
      trm_error err;
      const size_t n = npy_form_make(bytes, npy_forms[f], ndim, shapes[ndim - 1], values);

      /* Every other form is packed. */
      z = (zip_bytes){.n = 0};
      (f % 2 ? zip_add_deflated : zip_add)(&z, "a.npy", bytes, n);
      zip_end(&z);
      write_bytes(scratch_path(s, "f.npz"), z.data, z.n);
      assert_int_equal(trm__npz_open(s->path, &npz, &err), TRM_OK);
      if (trm__npz_find(npz, "a", &a, &err) != TRM_OK) fail_msg("%s", err.msg);

      /* Numbers are found by their place in the row, whatever the order in the file. */
      const int cells = 12 / (int)shapes[ndim - 1][0];
      for (int i = 0; i < 12; i++) {
        if (i % cells == 0) assert_int_equal(trm__npz_next(a, &err), TRM_OK);
        assert_int_equal(trm__npy_int(trm__npz_array(a), i % cells), (int64_t)values[i]);
      }
      assert_int_equal(trm__npz_next(a, &err), TRM_E_ARGUMENT);
      trm__npz_rows_close(a);
      trm__npz_close(npz);
    }
}

static void an_npz_with_a_damaged_array(void **state) {
  scratch *s = *state;

  /* One bit of the CRC, which stands last, is wrong. */
  const int64_t shape[] = {3};
  const int32_t v[] = {1, 2, 3};
  for (int deflated = 0; deflated < 2; deflated++) {
    z = (zip_bytes){.n = 0};
    add_array(s, "a.npy", TRM__NPY_I4, 1, shape, v, deflated);
    z.data[z.n - 4] ^= 1;
    zip_end(&z);
    write_bytes(scratch_path(s, "t.npz"), z.data, z.n);

    /* Rows may be handed out before the end is seen, but one of them fails. */
    trm__npz *npz;
    trm__npz_rows *a;
    trm_error err;
    assert_int_equal(trm__npz_open(s->path, &npz, &err), TRM_OK);
    assert_int_equal(trm__npz_find(npz, "a", &a, &err), TRM_OK);
    trm_status st = TRM_OK;
    for (int row = 0; row < 3 && st == TRM_OK; row++) st = trm__npz_next(a, &err);
    assert_int_equal(st, TRM_E_FORMAT);
    assert_true(speaks_of(&err, "damaged"));
    trm__npz_rows_close(a);
    trm__npz_close(npz);
  }
}

/* The CRC is wrong, too, but nothing is unpacked to see it. */
static void an_array_larger_than_its_header_says(void **state) {
  /* The directory says how large the array is: more than its shape needs, or less than it has. */
  static const struct {
    size_t size;
    const char *word;
  } cases[] = {{1 << 17, "the shape wants 12 bytes"}, {20, "truncated"}};
  scratch *s = *state;

  /* An array, followed by zeros up to 128 KiB, and packed: a bomb in small. */
  const int64_t shape[] = {3};
  const int32_t v[] = {1, 2, 3};
  size_t n;
  assert_int_equal(trm__npy_save(scratch_path(s, "a.npy"), TRM__NPY_I4, 1, shape, v, NULL), TRM_OK);
  unsigned char *bytes = read_bytes(s->path, &n), packed[1 << 17];
  bytes = realloc(bytes, 1 << 17);
  assert_non_null(bytes);
  memset(bytes + n, 0, (1 << 17) - n);
  z_stream stream = {
      .next_in = bytes, .avail_in = 1 << 17, .next_out = packed, .avail_out = sizeof packed};
  assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, 0), Z_OK);
  assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);

  /* Both are refused when the array is looked for, and the file and the array are named. */
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    trm__npz *npz;
    trm__npz_rows *a;
    trm_error err;
    z = (zip_bytes){.n = 0};
    zip_add_raw(&z, "a.npy", 8, 0, packed, stream.total_out, cases[i].size);
    zip_end(&z);
    write_bytes(scratch_path(s, "t.npz"), z.data, z.n);
    assert_int_equal(trm__npz_open(s->path, &npz, &err), TRM_OK);
    assert_int_equal(trm__npz_find(npz, "a", &a, &err), TRM_E_FORMAT);
    assert_true(speaks_of(&err, cases[i].word) && speaks_of(&err, "t.npz: a.npy"));
    trm__npz_close(npz);
  }
  deflateEnd(&stream);
  free(bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(written_entries_read_back_aligned),
      cmocka_unit_test(an_abandoned_archive_leaves_nothing),
      cmocka_unit_test(deflated_entries_unpack),
      cmocka_unit_test(lies_are_found),
      cmocka_unit_test(cut_anywhere_and_any_byte_changed),
      cmocka_unit_test(beyond_4_gib),
      cmocka_unit_test(written_beyond_4_gib),
      cmocka_unit_test(a_wrong_announcement_is_an_error),
      cmocka_unit_test(arrays_of_an_npz),
      cmocka_unit_test(arrays_of_an_npz_in_every_form),
      cmocka_unit_test(an_npz_with_a_damaged_array),
      cmocka_unit_test(an_array_larger_than_its_header_says),
  };
  return cmocka_run_group_tests_name("zip", tests, scratch_open, scratch_close);
}
