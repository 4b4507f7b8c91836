/* The base floor: error records, memory, Philox, files and folders. */
#include <math.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/carve.h"
#include "base/date.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/os_machine.h"
#include "base/rng.h"
#include "base/text.h"
#include "scratch.h"
#include "trm.h"

/* --- errors and memory --- */

static void an_error_is_one_bounded_line(void **state) {
  (void)state;
  trm_error err;
  char big[2000];
  memset(big, 'x', sizeof big - 1);
  big[sizeof big - 1] = 0;
  assert_int_equal(trm__fail(&err, TRM_E_SHAPE, 7, "a\nb\x1b[2J %s", big), TRM_E_SHAPE);
  assert_int_equal(err.code, TRM_E_SHAPE);
  assert_int_equal(err.pos, 7);
  assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
  assert_memory_equal(err.msg, "a?b?[2J xx", 10);
  trm__fail(&err, TRM_E_IO, -1, "short");
  assert_int_equal(trm__fail(&err, TRM_E_IO, -1, "longer: %s", err.msg), TRM_E_IO);
  assert_string_equal(err.msg, "longer: short");
  assert_int_equal(trm__fail(NULL, TRM_E_IO, -1, "nobody listens"), TRM_E_IO);
}

/* What a terminal obeys, in all the ways in which it can be written. */
static void texts_are_cleaned(void **state) {
  (void)state;

  /* Letters of all lengths stay; codes, reversed writing and bytes that are no text do not. */
  static const struct {
    const char *text, *clean;
  } cases[] = {{"plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\x8d",
                "plain \xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\x8d"},
               {"a\tb\r\n\x1b[2J\x7f", "a?b???[2J?"},
               {"\xc2\x9b"
                "31m \xc2\x80 \xc2\x9f \xc2\xa0",
                "?31m ? ? \xc2\xa0"},
               {"\xe2\x80\xae"
                "gnp.exe \xe2\x80\xa8 \xe2\x81\xa6",
                "?gnp.exe ? ?"},
               {"\xff \xc3 \x9b \xe2\x82", "? ? ? ??"},
               {"\xc0\x9b \xed\xa0\x80 \xf4\x90\x80\x80", "?? ??? ????"},
               {"", ""}};

  /* The length stays what it was. */
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[80];
    snprintf(text, sizeof text, "%s", cases[i].text);
    trm__text_clean(text);
    assert_string_equal(text, cases[i].clean);
  }

  /* Messages are cleaned on their way out. */
  trm_error err;
  trm__fail(&err, TRM_E_IO, -1, "%s",
            "x\xc2\x9b"
            "2J");
  assert_string_equal(err.msg, "x?2J");
}

/* A character is named as a reader would see it, or by its code. */
static void characters_are_named(void **state) {
  (void)state;
  static const struct {
    const char *text, *shown;
    size_t count;
  } cases[] = {{"x", "x", 1},
               {"\xc3\xa9t", "\xc3\xa9", 2},
               {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", 1},
               {"\xc2\xa0", "U+00A0", 1},
               {"\xe2\x80\x8bx", "U+200B", 2},
               {"\xe2\x80\xae", "U+202E", 1},
               {"\t", "\\x09", 1},
               {"\xb7\xb7", "\\xb7", 2}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char shown[TRM__TEXT_SHOWN];
    const size_t n = strlen(cases[i].text);
    assert_string_equal(trm__text_show(cases[i].text, n, shown), cases[i].shown);
    assert_int_equal(trm__text_count(cases[i].text, n), cases[i].count);
  }
  assert_int_equal(trm__text_code("\xf0\x9f\x98\x80", 4), 0x1f600);
}

static void lines_end_in_three_ways(void **state) {
  (void)state;
  assert_int_equal(trm__text_line_end("\n\r", 2), 1);
  assert_int_equal(trm__text_line_end("\r\n", 2), 2);
  assert_int_equal(trm__text_line_end("\r\n", 1), 1);
  assert_int_equal(trm__text_line_end("x", 1), 0);
  assert_int_equal(trm__text_mark("\xef\xbb\xbfx", 4), 3);
  assert_int_equal(trm__text_mark("\xef\xbb", 2), 0);
  assert_true(trm__text_is_wide("\xff\xfe"
                                "1",
                                3) &&
              trm__text_is_wide("\xfe\xff", 2));
  assert_false(trm__text_is_wide("\xff", 1) || trm__text_is_wide("12", 2));
}

static void every_status_has_a_text(void **state) {
  (void)state;
  assert_string_equal(trm_status_text(TRM_OK), "ok");
  for (int code = TRM_OK; code <= TRM_E_INTERRUPTED; code++)
    assert_string_not_equal(trm_status_text((trm_status)code), "unknown status");
  assert_string_equal(trm_status_text((trm_status)(TRM_E_INTERRUPTED + 1)), "unknown status");
  assert_string_equal(trm_status_text((trm_status)-1), "unknown status");
  assert_true(trm_default_threads() >= 1);
  char version[40];
  snprintf(version, sizeof version, "%d.%d.%d", TRM_VERSION_MAJOR, TRM_VERSION_MINOR,
           TRM_VERSION_PATCH);
  assert_string_equal(trm_version(), version);
  assert_true(TRM_VERSION_NUMBER < TRM_VERSION_OF(TRM_VERSION_MAJOR, TRM_VERSION_MINOR + 1, 0));
}

static void blocks_are_aligned_zeroed_and_checked(void **state) {
  (void)state;
  static const size_t sizes[] = {0, 1, 63, 64, 65, 4097, (2 << 20) - 1, 2 << 20, (4 << 20) + 3};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    unsigned char *p = trm__alloc(sizes[i], 1);
    assert_non_null(p);
    assert_int_equal((uintptr_t)p % 64, 0);
    for (size_t k = 0; k < sizes[i]; k++) assert_int_equal(p[k], 0);
    memset(p, 255, sizes[i]); /* so that a block handed out again is dirty */
    trm__free(p);
  }
  assert_null(trm__alloc(SIZE_MAX / 2, 3));
  assert_null(trm__alloc(SIZE_MAX, 1));
  assert_null(trm__alloc(1, SIZE_MAX - 10));
  assert_null(trm__alloc((size_t)1 << 32, (size_t)1 << 32));
  trm__free(NULL);
}

/* --- random numbers --- */

/* Known answers published with Random123 for philox4x32-10. */
/* A size function and the places it gives out: some parts, then others in their place. */
static void carve_parts(trm__carver *c, void *part[4]) {
  part[0] = trm__carve(c, 3, sizeof(float));
  part[1] = trm__carve(c, 100, sizeof(double));
  trm__carve_anew(c);
  part[2] = trm__carve(c, 0, sizeof(float));
  part[3] = trm__carve(c, TRM__CARVE_ALIGN, 1);
}

static void parts_are_carved_where_they_were_counted(void **state) {
  (void)state;
  trm__carver count = {0}, memory = {0};
  void *part[4];
  carve_parts(&count, part);
  for (int i = 0; i < 4; i++) assert_null(part[i]);
  assert_int_equal(count.most, 5 * TRM__CARVE_ALIGN); /* 12 and 800 bytes */
  assert_int_equal(count.bytes, TRM__CARVE_ALIGN);

  unsigned char *block = memory.block = trm__alloc((uint64_t)count.most, 1);
  assert_non_null(block);
  carve_parts(&memory, part);
  assert_ptr_equal(part[0], block);
  assert_ptr_equal(part[1], block + TRM__CARVE_ALIGN);
  assert_ptr_equal(part[2], block);
  assert_ptr_equal(part[3], block);
  assert_int_equal(memory.most, count.most);
  assert_int_equal(memory.bytes, count.bytes);
  trm__free(block);
}

static void philox_gives_the_published_words(void **state) {
  (void)state;
  static const struct {
    uint32_t counter[4], key[2], want[4];
  } known[] = {
      {{0}, {0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       {0xa4093822, 0x299f31d0},
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    trm__rng r = {.used = 4};
    memcpy(r.counter, known[i].counter, sizeof r.counter);
    memcpy(r.key, known[i].key, sizeof r.key);
    for (int w = 0; w < 4; w++) assert_int_equal(trm__rng_u32(&r), known[i].want[w]);
  }
}

static void a_stream_is_a_function_of_its_key(void **state) {
  (void)state;

  /* The same key, the same numbers. */
  trm__rng a = trm__rng_at(5, TRM__RNG_TEST, 6, 7), b = trm__rng_at(5, TRM__RNG_TEST, 6, 7);
  for (int i = 0; i < 100; i++) assert_int_equal(trm__rng_u64(&a), trm__rng_u64(&b));

  /* Keys that differ in one bit of one part. */
  const trm__rng streams[] = {
      trm__rng_at(5, TRM__RNG_TEST, 6, 7),
      trm__rng_at(6, TRM__RNG_TEST, 6, 7),
      trm__rng_at(5 | 1ull << 32, TRM__RNG_TEST, 6, 7),
      trm__rng_at(5, TRM__RNG_SPLIT, 6, 7),
      trm__rng_at(5, TRM__RNG_TEST, 7, 7),
      trm__rng_at(5, TRM__RNG_TEST, 6 | 1ull << 32, 7),
      trm__rng_at(5, TRM__RNG_TEST, 6 | 1ull << 55, 7),
      trm__rng_at(5, TRM__RNG_TEST, 6, 8),
  };

  /* Each has another stream. */
  const int n = sizeof streams / sizeof streams[0];
  for (int i = 0; i < n; i++) {
    for (int k = 0; k < i; k++) {
      trm__rng x = streams[i], y = streams[k];
      assert_true(trm__rng_u64(&x) != trm__rng_u64(&y));
    }
  }
}

static void uniform_is_uniform_in_the_open_interval(void **state) {
  (void)state;

  /* Moments of many draws, and how they fill twenty bins. */
  enum { N = 100000, BINS = 20 };
  trm__rng r = trm__rng_at(1, TRM__RNG_TEST, 0, 0);
  int bins[BINS] = {0};
  double sum = 0, squares = 0;
  for (int i = 0; i < N; i++) {
    const double u = trm__rng_uniform(&r);
    assert_true(u > 0 && u < 1);
    bins[(int)(u * BINS)]++;
    sum += u;
    squares += u * u;
  }

  /* Mean and mean square are those of the interval. */
  assert_true(fabs(sum / N - 0.5) < 0.005);
  assert_true(fabs(squares / N - 1.0 / 3) < 0.005);

  /* No bin is preferred. */
  double chi2 = 0;
  for (int i = 0; i < BINS; i++) chi2 += pow(bins[i] - (double)N / BINS, 2) / ((double)N / BINS);
  assert_true(chi2 < 50); /* 19 degrees of freedom: exceeded by chance once in 7,000 */

  /* The ends are left out even where all bits are ones or zeros. */
  trm__rng edge = {.block = {~0u, ~0u, 0, 0}};
  assert_true(trm__rng_uniform(&edge) < 1);
  assert_true(trm__rng_uniform(&edge) > 0);
}

static void below_stays_below_without_bias(void **state) {
  (void)state;
  trm__rng r = trm__rng_at(2, TRM__RNG_TEST, 0, 0);
  for (int i = 0; i < 10; i++) assert_int_equal(trm__rng_below(&r, 1), 0);
  /* 3 * 2^30: taking the remainder of 32 bits would give the first third twice as often. */
  const uint32_t n = 3u << 30;
  int thirds[3] = {0};
  for (int i = 0; i < 30000; i++) {
    const uint32_t v = trm__rng_below(&r, n);
    assert_true(v < n);
    thirds[v >> 30]++;
  }
  for (int i = 0; i < 3; i++) assert_in_range(thirds[i], 9600, 10400);
  /* 2^32 mod n words are refused for n = 2^32 - 1: the one whose low product word is 0. */
  trm__rng edge = {.block = {0, 5, 6, 7}};
  assert_int_equal(trm__rng_below(&edge, ~0u), 4);
  int seen[7] = {0};
  for (int i = 0; i < 7000; i++) seen[trm__rng_below(&r, 7)]++;
  for (int i = 0; i < 7; i++) assert_in_range(seen[i], 850, 1150);
}

static void shuffle_permutes_evenly(void **state) {
  (void)state;

  /* A thousand values in one shuffle. */
  enum { N = 1000 };
  int32_t v[N], seen[N] = {0};
  trm__rng r = trm__rng_at(3, TRM__RNG_TEST, 0, 0);
  for (int i = 0; i < N; i++) v[i] = i;
  trm__rng_shuffle(&r, v, N);

  /* All are still there, and few at their place. */
  int fixed = 0;
  for (int i = 0; i < N; i++) {
    assert_in_range(v[i], 0, N - 1);
    seen[v[i]]++;
    fixed += v[i] == i;
  }
  for (int i = 0; i < N; i++) assert_int_equal(seen[i], 1);
  assert_true(fixed < 10);

  /* Three values, many times. */
  int orders[27] = {0}; /* of three values, read as digits to base 3 */
  for (int i = 0; i < 6000; i++) {
    int32_t t[3] = {0, 1, 2};
    trm__rng_shuffle(&r, t, 3);
    orders[t[0] * 9 + t[1] * 3 + t[2]]++;
  }

  /* All six orders come about equally often. */
  int kinds = 0;
  for (int i = 0; i < 27; i++) {
    if (orders[i]) assert_in_range(orders[i], 850, 1150);
    kinds += orders[i] > 0;
  }
  assert_int_equal(kinds, 6);

  /* Nothing and one value are shuffled, too. */
  trm__rng_shuffle(&r, v, 0);
  trm__rng_shuffle(&r, v, 1);
}

/* --- files --- */

static int entries_in(const char *dir) {
  struct stat info;
  assert_int_equal(stat(dir, &info), 0);
  char command[200];
  snprintf(command, sizeof command, "ls -A '%s' | wc -l", dir);
  FILE *p = popen(command, "r");
  assert_non_null(p);
  int n = -1;
  assert_int_equal(fscanf(p, "%d", &n), 1);
  pclose(p);
  return n;
}

static void assert_content(const char *path, const char *want) {
  size_t n;
  unsigned char *data = read_bytes(path, &n);
  assert_string_equal((char *)data, want);
  free(data);
}

static void a_written_file_is_complete_or_absent(void **state) {
  scratch *s = *state;
  char dir[80], path[100];
  snprintf(dir, sizeof dir, "%s/writer", s->dir);
  snprintf(path, sizeof path, "%s/file", dir);
  trm_error err;
  assert_int_equal(trm__make_dirs(dir, &err), TRM_OK);
  trm__writer w;
  assert_int_equal(trm__writer_open(&w, path, &err), TRM_OK);
  trm__write(&w, "one ", 4);
  trm__writer_printf(&w, "%d", 2);
  assert_false(trm__path_exists(path));
  assert_int_equal(trm__writer_commit(&w, &err), TRM_OK);
  assert_content(path, "one 2");
  trm__writer_abort(&w); /* no effect */
  assert_content(path, "one 2");

  assert_int_equal(trm__writer_open(&w, path, &err), TRM_OK);
  trm__write(&w, "other", 5);
  trm__writer_abort(&w);
  assert_content(path, "one 2");
  assert_int_equal(entries_in(dir), 1);

  assert_int_equal(trm__writer_open(&w, path, &err), TRM_OK);
  trm__write(&w, "new", 3);
  assert_content(path, "one 2");
  assert_int_equal(trm__writer_commit(&w, &err), TRM_OK);
  assert_content(path, "new");
  assert_int_equal(entries_in(dir), 1);
  trm__writer_abort(&(trm__writer){0});
}

static void a_failed_write_leaves_the_old_file(void **state) {
  scratch *s = *state;
  char dir[80], path[100];
  snprintf(dir, sizeof dir, "%s/failing", s->dir);
  snprintf(path, sizeof path, "%s/file", dir);
  trm_error err;
  assert_int_equal(trm__make_dirs(dir, &err), TRM_OK);
  write_bytes(path, "old", 3);
  trm__writer w;
  assert_int_equal(trm__writer_open(&w, path, &err), TRM_OK);
  assert_non_null(freopen("/dev/full", "wb", w.f)); /* every byte to it: the disk is full */
  static const char much[100000];
  trm__write(&w, much, sizeof much);
  trm__write(&w, much, sizeof much);
  assert_int_equal(trm__writer_commit(&w, &err), TRM_E_IO);
  assert_true(speaks_of(&err, path) && speaks_of(&err, "disk is full") &&
              speaks_of(&err, "nothing at this path has changed"));
  assert_content(path, "old");
  assert_int_equal(entries_in(dir), 1);

  snprintf(path, sizeof path, "%s/absent/file", dir);
  assert_int_equal(trm__writer_open(&w, path, &err), TRM_E_IO);
  assert_true(speaks_of(&err, path) && speaks_of(&err, "No such file"));
  /* A folder cannot be replaced by a file: found at the end, nothing stays behind. */
  snprintf(path, sizeof path, "%s/folder", dir);
  assert_int_equal(mkdir(path, 0777), 0);
  assert_int_equal(trm__writer_open(&w, path, &err), TRM_OK);
  assert_int_equal(trm__writer_commit(&w, &err), TRM_E_IO);
  assert_true(trm__path_is_dir(path));
  assert_int_equal(entries_in(dir), 2);
}

/* Two hands at one path would mix what they write. */
static void one_process_writes_a_path_at_a_time(void **state) {
  scratch *s = *state;
  trm_error err;
  trm__writer w, other;
  const char *path = scratch_path(s, "busy");
  assert_int_equal(trm__writer_open(&w, path, &err), TRM_OK);
  assert_int_equal(trm__writer_open(&other, path, &err), TRM_E_SYSTEM);
  assert_true(speaks_of(&err, path) && speaks_of(&err, "another process is writing"));
  trm__write(&w, "mine", 4);
  assert_int_equal(trm__writer_commit(&w, &err), TRM_OK);
  assert_content(path, "mine");
  assert_int_equal(trm__writer_open(&other, path, &err), TRM_OK);
  trm__writer_abort(&other);
  assert_content(path, "mine");
}

/* Links, second names, pipes and folders at the draft's name: gone, and nothing behind them. */
static void what_lies_at_the_temporary_name_is_replaced(void **state) {
  scratch *s = *state;
  enum { LINK, SECOND_NAME, PIPE, FOLDER, N };
  char path[100], tmp[140], victim[100], inside[160];
  snprintf(path, sizeof path, "%s/stale", s->dir);
  snprintf(victim, sizeof victim, "%s/victim", s->dir);
  snprintf(tmp, sizeof tmp, "%s" TRM__PARTIAL, path);
  snprintf(inside, sizeof inside, "%s/link", tmp);
  write_bytes(victim, "keep", 4);
  for (int i = 0; i < N; i++) {
    if (i == LINK) assert_int_equal(symlink(victim, tmp), 0);
    if (i == SECOND_NAME) assert_int_equal(link(victim, tmp), 0);
    if (i == PIPE) assert_int_equal(mkfifo(tmp, 0600), 0);
    if (i == FOLDER) assert_int_equal(mkdir(tmp, 0700), 0);
    if (i == FOLDER) assert_int_equal(symlink(victim, inside), 0);
    trm__writer w;
    assert_int_equal(trm__writer_open(&w, path, NULL), TRM_OK);
    trm__write(&w, "x", 1);
    assert_int_equal(trm__writer_commit(&w, NULL), TRM_OK);
    assert_content(victim, "keep");
    assert_content(path, "x");
    assert_false(trm__path_exists(tmp));
  }

  /* The same of the name itself: a link is replaced, not followed. */
  assert_int_equal(unlink(path), 0);
  assert_int_equal(symlink(victim, path), 0);
  trm__writer w;
  assert_int_equal(trm__writer_open(&w, path, NULL), TRM_OK);
  trm__write(&w, "y", 1);
  assert_int_equal(trm__writer_commit(&w, NULL), TRM_OK);
  assert_content(victim, "keep");
  assert_content(path, "y");
}

static void maps_show_the_file_or_say_why_not(void **state) {
  scratch *s = *state;

  /* A small file, closed twice. */
  trm_error err;
  trm__map map;
  const char *path = scratch_path(s, "mapped");
  write_bytes(path, "hello", 5);
  assert_int_equal(trm__map_open(path, &map, &err), TRM_OK);
  assert_int_equal(map.size, 5);
  assert_memory_equal(map.data, "hello", 5);
  trm__map_close(&map);
  assert_null(map.data);
  trm__map_close(&map);

  /* It is a copy: cutting the file does no harm. */
  assert_int_equal(trm__map_open(path, &map, &err), TRM_OK);
  assert_int_equal(truncate(path, 0), 0);
  assert_memory_equal(map.data, "hello", 5);
  trm__map_close(&map);

  /* An empty file has no bytes, and is no error. */
  assert_int_equal(trm__map_open(path, &map, &err), TRM_OK);
  assert_int_equal(map.size, 0);
  assert_null(map.data);
  trm__map_close(&map);

  /* A missing file, a folder and a pipe are refused by what they are. */
  assert_int_equal(trm__map_open(scratch_path(s, "none"), &map, &err), TRM_E_IO);
  assert_true(speaks_of(&err, s->path) && speaks_of(&err, "No such file"));
  assert_int_equal(trm__map_open(s->dir, &map, &err), TRM_E_IO);
  assert_true(speaks_of(&err, "folder"));
  path = scratch_path(s, "pipe");
  assert_int_equal(mkfifo(path, 0600), 0);
  assert_int_equal(trm__map_open(path, &map, &err), TRM_E_IO);
  assert_true(speaks_of(&err, "pipe"));
}

static void folders_are_made_and_removed(void **state) {
  scratch *s = *state;
  trm_error err;
  char deep[200], link[240], outside[100], file[140];
  snprintf(deep, sizeof deep, "%s/tree/a//b/c/", s->dir);
  snprintf(outside, sizeof outside, "%s/outside", s->dir);
  assert_int_equal(trm__make_dirs(deep, &err), TRM_OK);
  assert_int_equal(trm__make_dirs(deep, &err), TRM_OK);
  assert_true(trm__path_is_dir(deep));
  assert_int_equal(trm__sync_dir(deep, &err), TRM_OK);
  assert_int_equal(trm__make_dirs(outside, &err), TRM_OK);
  snprintf(file, sizeof file, "%s/precious", outside);
  write_bytes(file, "1", 1);
  snprintf(link, sizeof link, "%s/link", deep);
  assert_int_equal(symlink(outside, link), 0);
  assert_int_equal(trm__remove_tree(scratch_path(s, "tree"), &err), TRM_OK);
  assert_false(trm__path_exists(s->path));
  assert_true(trm__path_exists(file));
  assert_int_equal(trm__remove_tree(s->path, &err), TRM_OK); /* absent */
  snprintf(link, sizeof link, "%s/root-link", s->dir);
  assert_int_equal(symlink(outside, link), 0);
  assert_int_equal(trm__remove_tree(link, &err), TRM_OK);
  assert_true(trm__path_exists(file));

  snprintf(deep, sizeof deep, "%s/below", file);
  assert_int_equal(trm__make_dirs(deep, &err), TRM_E_IO);
  assert_true(speaks_of(&err, file) && speaks_of(&err, "Not a directory"));
  assert_int_equal(trm__sync_dir(scratch_path(s, "none"), &err), TRM_E_IO);
}

static void paths_join_with_one_slash(void **state) {
  (void)state;
  static const char *const cases[][3] = {
      {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"}, {"/", "b", "/b"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char *path = trm__path_join(cases[i][0], cases[i][1]);
    assert_string_equal(path, cases[i][2]);
    trm__free(path);
  }
}

/* Values of the test suite that comes with the function's description. */
static void hashes_are_fnv_1a(void **state) {
  (void)state;
  assert_true(trm__hash_bytes(TRM__HASH_START, "", 0) == TRM__HASH_START);
  assert_true(trm__hash_bytes(TRM__HASH_START, "a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
  assert_true(trm__hash_bytes(TRM__HASH_START, "foobar", 6) == UINT64_C(0x85944171f73967e8));
  assert_true(trm__hash_bytes(trm__hash_bytes(TRM__HASH_START, "foo", 3), "bar", 3) ==
              UINT64_C(0x85944171f73967e8));
}

/* --- dates, and names of the machine --- */

/* Every day for 400 years from 1970, which have all kinds of years, and the ends of the range. */
static void dates_are_those_of_the_c_library(void **state) {
  char text[TRM__DATE_SIZE], want[40];
  (void)state;
  for (int64_t day = 0; day < 146097 + 400; day++) {
    const time_t t = (time_t)(day * 86400 + day * 7919 % 86400);
    struct tm utc;
    trm__date_print(t, text);
    strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &utc));
    if (strcmp(text, want) != 0) fail_msg("%s, not %s", text, want);
  }
  trm__date_print(INT64_MIN, text);
  assert_string_equal(text, "1970-01-01T00:00:00Z");
  trm__date_print(INT64_MAX, text);
  assert_string_equal(text, "9999-12-31T23:59:59Z");
}

static void the_machine_has_names(void **state) {
  char host[256], text[256], cut[4];
  (void)state;
  assert_int_equal(gethostname(host, sizeof host), 0);
  trm__os_host(text, sizeof text);
  assert_string_equal(text, host);
  trm__os_system(text, sizeof text);
  assert_non_null(strchr(text, ' '));
  trm__os_system(cut, sizeof cut);
  assert_memory_equal(cut, text, 3);
  assert_int_equal(cut[3], 0);
  trm__os_processor(text, sizeof text);
  assert_null(strchr(text, '\n'));
}

int main(void) {
  /* texts and errors */
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(hashes_are_fnv_1a),
      cmocka_unit_test(an_error_is_one_bounded_line),
      cmocka_unit_test(texts_are_cleaned),
      cmocka_unit_test(characters_are_named),
      cmocka_unit_test(lines_end_in_three_ways),
      cmocka_unit_test(every_status_has_a_text),

      /* memory */
      cmocka_unit_test(blocks_are_aligned_zeroed_and_checked),
      cmocka_unit_test(parts_are_carved_where_they_were_counted),

      /* random numbers */
      cmocka_unit_test(philox_gives_the_published_words),
      cmocka_unit_test(a_stream_is_a_function_of_its_key),
      cmocka_unit_test(uniform_is_uniform_in_the_open_interval),
      cmocka_unit_test(below_stays_below_without_bias),
      cmocka_unit_test(shuffle_permutes_evenly),

      /* files and folders */
      cmocka_unit_test(a_written_file_is_complete_or_absent),
      cmocka_unit_test(a_failed_write_leaves_the_old_file),
      cmocka_unit_test(one_process_writes_a_path_at_a_time),
      cmocka_unit_test(what_lies_at_the_temporary_name_is_replaced),
      cmocka_unit_test(maps_show_the_file_or_say_why_not),
      cmocka_unit_test(folders_are_made_and_removed),
      cmocka_unit_test(paths_join_with_one_slash),

      /* dates, and names of the machine */
      cmocka_unit_test(dates_are_those_of_the_c_library),
      cmocka_unit_test(the_machine_has_names),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
