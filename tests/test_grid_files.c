/* Files of a user's own puzzles in all their forms: lines of other programs, packed texts, archives
 * of arrays. */
#include "grid_builds.h"
#include "gzip_bytes.h"
#include "io/npy.h"
#include "npy_forms.h"
#include "zip_bytes.h"

/* Lines of JSONL, of a vocabulary and of a grid in CSV end in three ways; a mark is no symbol. */
static void lines_end_in_three_ways(void **state) {
  /* A table and lines of JSON, with every end of line in the places marked. */
  static const char *const ends[] = {"\n", "\r\n", "\r"};
  static const struct {
    const char *name, *text;
  } files[] = {{"e.csv", "\xef\xbb\xbfquestion,answer%s\"12%s21%s\",12/21%s\"22%s11\",22/11%s"},
               {"e.jsonl",
                "\xef\xbb\xbf{\"input\": [[1, 2], [2, 1]], \"output\": [[1, 2], [2, 1]]}%s%s"
                "{\"input\": [[2, 2], [1, 1]],%.0s \"output\": [[2, 2], [1, 1]]}%s%.0s%.0s"}};
  scratch *s = *state;
  char paths[3][160], text[400], list[160];

  /* Each, with a vocabulary that has a mark and the same ends. */
  for (int e = 0; e < 3; e++)
    for (int k = 0; k < 2; k++) {
      const char *end = ends[e];
      snprintf(text, sizeof text, files[k].text, end, end, end, end, end, end);
      write_text(s, files[k].name, text);
      snprintf(text, sizeof text,
               "\xef\xbb\xbf"
               "2%s1%s",
               end, end);
      write_text(s, "marked.txt", text);
      snprintf(list, sizeof list, "%s", scratch_path(s, "marked.txt"));
      trm_grid_build_config c = config_in(s, paths, files[k].name, NULL);
      c.vocabulary = list;

      /* Both puzzles are there, with the symbols of the list in its order. */
      built b = build(&c);
      assert_int_equal(b.report.train_puzzles, 2);
      assert_string_equal(trm_puzzle_symbol(&trm_dataset_get_info(b.train)->puzzle, 1), "2");
      expect_example(b.train, 0, "1221", "1221");
      expect_example(b.train, 1, "2211", "2211");
      release(&b);
    }

  /* A control character is no symbol. */
  write_text(s, "c1.jsonl", "{\"input\": [[\"\xc2\x9b\"]], \"output\": [[1]]}");
  trm_grid_build_config c = config_in(s, paths, "c1.jsonl", NULL);
  char other[160];
  snprintf(other, sizeof other, "%s", scratch_path(s, "no_controls"));
  c.output_dir = other;
  expect_failure(&c, TRM_E_FORMAT, 1, "without control characters");
}

/* What other programs write beside the keys that are read is passed over, and 3.0 is 3. */
static void lines_of_other_programs(void **state) {
  char paths[3][160];
  write_text(
      *state, "o.ndjson",
      "{\"loss\": NaN, \"input\": [[1.0, 2], [3, 3.0]], \"output\": [[1, 2e0], [3, 3]], "
      "\"id\": 7}\r\n"
      "{\"hash\": 340282366920938463463374607431768211455, \"input\": [[2, 1], [3, 1]], "
      "\"output\": [[null, 1], [3, 1]], \"id\": 7.0, \"more\": [{\"x\": -Infinity}, 1e999]}\r\n"
      "{\"input\": [[3, 3], [3, 3]], \"output\": [[3, 3], [3, 3]], \"id\": 8}\r\n");
  trm_grid_build_config c = config_in(*state, paths, "o.ndjson", NULL);
  c.test_share = 0.34;
  built b = build(&c); /* both puzzles of the id 7 stay on one side */
  assert_int_equal(b.report.train_puzzles, 2);
  assert_int_equal(trm_puzzle_n_symbols(&trm_dataset_get_info(b.train)->puzzle), 3);
  expect_example(b.train, 0, "1233", "1233");
  expect_example(b.train, 1, "2131", "*131");
  release(&b);
}

/* --- packed texts --- */

static const char packed_csv[] = "\xef\xbb\xbfquestion,answer\r\n1.2.,1323\r\n";
static const char packed_jsonl[] =
    "\xef\xbb\xbf{\"input\": [[1, \".\"], [2, \".\"]], \"output\": [[1, 3], [2, 3]]}\n";

static void texts_may_be_packed(void **state) {
  /* The bytes tell, not the name: a file that was unpacked on its way, and one that was not. */
  static const struct {
    const char *name, *text;
    bool packed;
  } files[] = {{"p.csv.gz", packed_csv, true},      {"q.csv", packed_csv, true},
               {"r.csv.gz", packed_csv, false},     {"p.jsonl.gz", packed_jsonl, true},
               {"p.NDJSON.GZ", packed_jsonl, true}, {"q.jsonl", packed_jsonl, true},
               {"r.jsonl.gz", packed_jsonl, false}};
  scratch *s = *state;
  char paths[3][160], list[160];
  gzip_write(scratch_path(s, "symbols.txt.gz"), "3\n.\n2\n1\n");
  snprintf(list, sizeof list, "%s", s->path);
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    if (files[i].packed)
      gzip_write(scratch_path(s, files[i].name), files[i].text);
    else
      write_text(s, files[i].name, files[i].text);
    trm_grid_build_config c = config_in(s, paths, files[i].name, NULL);
    c.vocabulary = list;
    built b = build(&c);
    assert_string_equal(trm_puzzle_symbol(&trm_dataset_get_info(b.train)->puzzle, 1), "3");
    expect_example(b.train, 0, "1.2.", "1323");
    release(&b);
  }
}

/* Whatever builder reads CSV or lines reads them packed. */
static void other_builders_take_packed_texts(void **state) {
  scratch *s = *state;
  char path[160], out[160];
  trm_error err;
  snprintf(out, sizeof out, "%s", scratch_path(s, "out"));
  static const char *const sudokus[] = {"question,answer\n1...3......3....,1234341221434321\n",
                                        "# a list\n12.4341.21434321\n"};
  for (int k = 0; k < 2; k++) {
    gzip_write(scratch_path(s, "sudokus.gz"), sudokus[k]);
    snprintf(path, sizeof path, "%s", s->path);
    if (trm_build_sudoku(&(trm_sudoku_build_config){.train_csv = path, .output_dir = out}, NULL,
                         &err) != TRM_OK)
      fail_msg("%s", err.msg);
  }
  gzip_write(scratch_path(s, "mazes.gz"), "question,answer\nS #G,So#G\n");
  snprintf(path, sizeof path, "%s", s->path);
  if (trm_build_maze(&(trm_maze_build_config){.train_csv = path, .output_dir = out}, NULL, &err) !=
      TRM_OK)
    fail_msg("%s", err.msg);
}

static void packed_texts_may_be_joined_and_padded(void **state) {
  static gzip_bytes g;
  const size_t n = sizeof packed_jsonl - 1;
  char paths[3][160];
  g.n = 0;
  gzip_add(&g, packed_jsonl, n / 2); /* members part a line */
  gzip_add(&g, "", 0);
  gzip_add(&g, packed_jsonl + n / 2, n - n / 2);
  gzip_add(&g, packed_jsonl + 3, n - 3);
  memset(g.data + g.n, 0, 512);
  write_bytes(scratch_path(*state, "j.jsonl.gz"), g.data, g.n + 512);
  trm_grid_build_config c = config_in(*state, paths, "j.jsonl.gz", NULL);
  built b = build(&c);
  assert_int_equal(b.report.train_puzzles, 2);
  expect_example(b.train, 1, "1.2.", "1323");
  release(&b);
}

static void damaged_packed_texts_are_refused(void **state) {
  /* A packed text. */
  static gzip_bytes g;
  char paths[3][160];
  g.n = 0;
  gzip_add(&g, packed_jsonl, sizeof packed_jsonl - 1);
  trm_grid_build_config c = config_in(*state, paths, "d.jsonl.gz", NULL);
  snprintf(paths[2], 160, "%s", scratch_path(*state, "none"));

  /* Every cut is said to be one. */
  for (size_t cut = 2; cut < g.n; cut++) {
    write_bytes(paths[0], g.data, cut);
    expect_failure(&c, TRM_E_FORMAT, -1, "truncated: the gzip data do not end");
  }

  /* So are a wrong sum, and something behind the end. */
  g.data[g.n - 8] ^= 1;
  write_bytes(paths[0], g.data, g.n);
  expect_failure(&c, TRM_E_FORMAT, -1, "broken gzip data: incorrect data check");
  g.data[g.n - 8] ^= 1;
  g.data[g.n] = 'x';
  write_bytes(paths[0], g.data, g.n + 1);
  expect_failure(&c, TRM_E_FORMAT, -1, "gzip data");

  /* What is unpacked is judged as a file is. */
  g.n = 0;
  gzip_add(&g, "\xff\xfe{\0", 4);
  write_bytes(paths[0], g.data, g.n);
  expect_failure(&c, TRM_E_FORMAT, 1, "UTF-16");
  g.n = 0;
  gzip_add(&g, "", 0);
  write_bytes(paths[0], g.data, g.n);
  expect_failure(&c, TRM_E_FORMAT, -1, "no puzzle");
}

/* Writes DIR/a.npz with inputs [2, 2, 3] of int32, one of them `odd`, and labels of int8. */
static void write_archive_with(scratch *s, int32_t odd, int n_labels, int dims,
                               const char *second) {
  const int32_t inputs[] = {3, 1, 4, 1, 5, 9, odd, 6, 5, 3, 5, 9};
  const int8_t labels[] = {3, -1, 9, 4};
  const int64_t in_shape[] = {2, 2, 3}, label_shape[] = {n_labels, 4 / n_labels, 1};
  static zip_bytes z;
  memset(&z, 0, sizeof z);
  for (int g = 0; g < 2; g++) {
    size_t n;
    const char *npy = scratch_path(s, "array.npy");
    trm_status st = g ? trm__npy_save(npy, TRM__NPY_I1, dims, label_shape, labels, NULL)
                      : trm__npy_save(npy, TRM__NPY_I4, 3, in_shape, inputs, NULL);
    assert_int_equal(st, TRM_OK);
    unsigned char *bytes = read_bytes(npy, &n);
    zip_add_deflated(&z, g ? second : "inputs.npy", bytes, n);
    free(bytes);
  }
  zip_end(&z);
  write_bytes(scratch_path(s, "a.npz"), z.data, z.n);
}

static void write_archive(scratch *s, int n_labels, int dims, const char *second) {
  write_archive_with(s, 2, n_labels, dims, second);
}

static void archives_of_arrays(void **state) {
  /* Inputs and labels of different shapes. */
  char paths[3][160];
  trm_grid_build_config c = config_in(*state, paths, "a.npz", NULL);

  /* Shapes of arrays are those of puzzles, and numbers are symbols in their order. */
  write_archive(*state, 2, 3, "labels.npy");
  built b = build(&c);
  const trm_puzzle *p = &trm_dataset_get_info(b.train)->puzzle;
  assert_int_equal(trm_puzzle_n_symbols(p), 7);
  assert_string_equal(trm_puzzle_symbol(p, 2), "1");
  expect_example(b.train, 0, "314159", "3|**|*");
  expect_example(b.train, 1, "265359", "9|*4|*");
  release(&b);

  /* A size that is said must be that of both. */
  snprintf(paths[2], 160, "%s", scratch_path(*state, "none"));
  c.rows = 3; /* said otherwise than it is */
  c.cols = 2;
  expect_failure(&c, TRM_E_SHAPE, -1,
                 "array 'inputs' have 2 rows and 3 columns, not 3 and 2 as said");
  c.rows = 2;
  c.cols = 3;
  expect_failure(&c, TRM_E_SHAPE, -1, "array 'labels' have 2 rows and 1 columns");

  /* Counts and dimensions must agree, and both arrays be there. */
  c.rows = c.cols = 0;
  write_archive(*state, 1, 3, "labels.npy");
  expect_failure(&c, TRM_E_SHAPE, -1, "2 inputs and 1 labels");
  write_archive(*state, 2, 1, "labels.npy");
  expect_failure(&c, TRM_E_SHAPE, -1, "'labels' has 1 dimension");
  write_archive(*state, 2, 3, "answers.npy");
  expect_failure(&c, TRM_E_FORMAT, -1, "no array 'labels'");

  /* A symbol that a given vocabulary lacks, and a number that cannot be one, are named by their
   * place. */
  write_archive(*state, 2, 3, "labels.npy");
  c.vocabulary = "1,3,4,5,9";
  expect_failure(&c, TRM_E_PUZZLE, 1, "row 1: input row 1, column 1: '2'");
  c.vocabulary = NULL;
  write_archive_with(*state, -2, 2, 3, "labels.npy");
  expect_failure(&c, TRM_E_FORMAT, 1, "row 1: array 'inputs' has -2 at row 1, column 1");
}

/* Writes DIR/f.npz with both arrays in these forms. */
static void write_forms(scratch *s, npy_form inputs, npy_form labels, int ndim,
                        const int64_t *shape, const double *in, const double *out) {
  static zip_bytes z;
  unsigned char bytes[NPY_FORM_HEAD + 8 * 64];
  memset(&z, 0, sizeof z);
  zip_add_deflated(&z, "inputs.npy", bytes, npy_form_make(bytes, inputs, ndim, shape, in));
  zip_add(&z, "labels.npy", bytes, npy_form_make(bytes, labels, ndim, shape, out));
  zip_end(&z);
  write_bytes(scratch_path(s, "f.npz"), z.data, z.n);
}

static void archives_of_any_form(void **state) {
  static const int64_t grids[] = {2, 2, 3}, rows[] = {2, 6};
  static const double in[] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 9};
  static const double out[] = {9, 1, 4, 1, 5, 3, 3, 6, 5, 2, 5, 9};
  char paths[3][160];
  trm_grid_build_config c = config_in(*state, paths, "f.npz", NULL);
  for (int f = 0; f < NPY_FORMS; f++)
    for (int ndim = 2; ndim <= 3; ndim++) {
      write_forms(*state, npy_forms[f], npy_forms[NPY_FORMS - 1 - f], ndim,
                  ndim == 3 ? grids : rows, in, out);
      c.rows = ndim == 2 ? 2 : 0;
      c.cols = ndim == 2 ? 3 : 0;
      built b = build(&c);
      const trm_puzzle *p = &trm_dataset_get_info(b.train)->puzzle;
      assert_true(p->rows == 2 && p->cols == 3 && trm_puzzle_n_symbols(p) == 7);
      expect_example(b.train, 0, "314159", "914153");
      expect_example(b.train, 1, "265359", "365259");
      release(&b);
    }
}

static void rows_of_cells_have_a_size(void **state) {
  /* Arrays whose rows are not grids yet. */
  static const int64_t six[] = {2, 6}, four[] = {3, 4}, none[] = {2, 0}, empty[] = {0, 4};
  static const double in[] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 9};
  static const npy_form plain = {"<i8", false, 1};
  const double half[] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3.5, 5, 9}, gone[12] = {3, NAN};
  char paths[3][160];
  trm_grid_build_config c = config_in(*state, paths, "f.npz", NULL);

  /* Rows of four cells are squares. */
  write_forms(*state, plain, plain, 2, four, in, in);
  built b = build(&c); /* square */
  expect_example(b.train, 2, "5359", "5359");
  assert_int_equal(trm_dataset_get_info(b.train)->puzzle.rows, 2);
  release(&b);

  /* Rows of six are not, and must be said to be 2 by 3. */
  snprintf(paths[2], 160, "%s", scratch_path(*state, "none"));
  write_forms(*state, plain, plain, 2, six, in, in);
  expect_failure(&c, TRM_E_SHAPE, -1, "rows of 6 cells are no square: say how many");
  c.rows = 2;
  c.cols = 2;
  expect_failure(&c, TRM_E_SHAPE, -1, "rows of 6 cells are not as many");
  c.rows = c.cols = 0;

  /* No cells, and no rows. */
  write_forms(*state, plain, plain, 2, none, in, in);
  expect_failure(&c, TRM_E_FORMAT, -1, "0 x 0 cells");
  write_forms(*state, plain, plain, 2, empty, in, in);
  expect_failure(&c, TRM_E_FORMAT, -1, "holds no puzzle");

  /* Elements that are no numbers, and numbers that are not whole, with their place. */
  write_forms(*state, plain, (npy_form){"|O8", false, 1}, 2, four, in, in);
  expect_failure(&c, TRM_E_FORMAT, -1, "f.npz: labels.npy: elements are '|O8', Python objects");
  c.rows = 2;
  c.cols = 3;
  write_forms(*state, plain, (npy_form){">f8", true, 1}, 2, six, in, half);
  expect_failure(&c, TRM_E_FORMAT, 1,
                 "row 1: array 'labels' has 3.5 at row 2, column 1; want whole numbers");
  write_forms(*state, (npy_form){"<f8", false, 1}, plain, 2, six, gone, in);
  expect_failure(&c, TRM_E_FORMAT, 0, "row 0: array 'inputs' has nan at row 1, column 2");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lines_end_in_three_ways),
      cmocka_unit_test(lines_of_other_programs),
      cmocka_unit_test(texts_may_be_packed),
      cmocka_unit_test(other_builders_take_packed_texts),
      cmocka_unit_test(packed_texts_may_be_joined_and_padded),
      cmocka_unit_test(damaged_packed_texts_are_refused),
      cmocka_unit_test(archives_of_arrays),
      cmocka_unit_test(archives_of_any_form),
      cmocka_unit_test(rows_of_cells_have_a_size),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
