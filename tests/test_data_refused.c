/* The system refuses the n-th block of memory, or the n-th thread: data sets, streams and builders
 * report it, give back all they took (the address sanitizer sees what they do not), and leave no
 * folder behind. */
#include "folder.h"
#include "gzip_bytes.h"
#include "io/npz.h"
#include "npy_forms.h"
#include "processors.h"
#include "refuse.h"
#include "resource_limits.h"
#include "trm/dataset.h"
#include "trm/grid.h"
#include "trm/sudoku_file.h"
#include "zip_bytes.h"

#include <unistd.h>

static trm_status open_set(scratch *s, trm_error *err) {
  trm_dataset *d;
  TRM_TRY(trm_dataset_open(scratch_path(s, "set"), "train", &d, err));
  trm_dataset_free(d);
  return TRM_OK;
}

static trm_status split_and_stream(scratch *s, trm_error *err) {
  trm_dataset *d, *rest = NULL, *held = NULL;
  trm_stream *stream = NULL;
  trm_stream_config config = {2, 1, 1, TRM_AUGMENT_ON_THE_FLY};
  TRM_TRY(trm_dataset_open(scratch_path(s, "set"), "train", &d, err));
  trm_status st;
  TRM_GOTO(trm_dataset_split(d, 0.5, 1, &rest, &held, err));
  TRM_GOTO(trm_stream_create((const trm_dataset *const *)&rest, 1, &config, &stream, err));
done:
  trm_stream_free(stream);
  trm_dataset_free(rest);
  trm_dataset_free(held);
  trm_dataset_free(d);
  return st;
}

static trm_status build(scratch *s, trm_error *err) {
  char csv[160];
  snprintf(csv, sizeof csv, "%s", scratch_path(s, "in.csv"));
  trm_sudoku_build_config config = {.train_csv = csv,
                                    .test_csv = csv,
                                    .output_dir = scratch_path(s, "made"),
                                    .subsample_size = 1,
                                    .num_aug = 2};
  return trm_build_sudoku(&config, NULL, err);
}

/* Sudokus that come in pieces, and games of XML, take memory as they are read. */
static trm_status read_pieces(scratch *s, trm_error *err) {
  /* A list with a long line, and a document of two games. */
  static const char *const texts[] = {
      "1...3......3....\nquite a long title, so that its line needs more room than the one before\n"
      "12..............\n",
      "<opensudoku><game data=\"12\"/>\n<game data=\"13\"/></opensudoku>\n"};
  const trm_sudoku_reader_config config = {.name = "pieces"};
  trm_status st = TRM_OK;
  (void)s;

  /* Fed one character at a time, so that every buffer grows. */
  for (int k = 0; st == TRM_OK && k < 2; k++) {
    trm_sudoku_reader *r;
    trm_sudoku_entry e;
    trm_sudoku_state state = TRM_SUDOKU_FOUND;
    TRM_TRY(trm_sudoku_reader_create(&config, &r, err));
    const char *at = texts[k];
    while (st == TRM_OK && state != TRM_SUDOKU_END) {
      st = trm_sudoku_reader_next(r, &e, &state, err);
      if (st == TRM_E_FORMAT) st = TRM_OK; /* no games of 81 cells; or no XML in this build */
      if (st != TRM_OK || state != TRM_SUDOKU_WANTS_MORE) continue;
      if (*at)
        trm_sudoku_reader_feed(r, at++, 1);
      else
        trm_sudoku_reader_end(r);
    }
    trm_sudoku_reader_free(r);
  }
  return st;
}

static trm_status generate(scratch *s, trm_error *err) {
  trm_sudoku_gen_config config = {
      .size = 4, .n_train = 5, .n_test = 5, .threads = 2, .output_dir = scratch_path(s, "made")};
  return trm_gen_sudoku(&config, NULL, err);
}

static trm_status build_grids(scratch *s, trm_error *err) {
  char csv[160];
  snprintf(csv, sizeof csv, "%s", scratch_path(s, "in.csv"));
  trm_grid_build_config config = {.train = csv,
                                  .test_share = 0.5,
                                  .symmetries = "dihedral,permute:1-4",
                                  .num_aug = 2,
                                  .output_dir = scratch_path(s, "made")};
  return trm_build_grid(&config, NULL, err);
}

static trm_status build_grids_from(scratch *s, const char *name, trm_error *err) {
  char path[160];
  snprintf(path, sizeof path, "%s", scratch_path(s, name));
  trm_grid_build_config config = {.train = path, .output_dir = scratch_path(s, "made")};
  return trm_build_grid(&config, NULL, err);
}

static trm_status build_grids_packed(scratch *s, trm_error *err) {
  return build_grids_from(s, "in.jsonl.gz", err);
}

static trm_status build_grids_of_arrays(scratch *s, trm_error *err) {
  return build_grids_from(s, "in.npz", err);
}

static void write_others(scratch *s) {
  static zip_bytes z;
  static const int64_t shape[] = {2, 4};
  static const double cells[] = {1, 2, 3, 4, 4, 3, 2, 1};
  unsigned char bytes[NPY_FORM_HEAD + sizeof cells];
  const size_t n = npy_form_make(bytes, (npy_form){">f4", true, 1}, 2, shape, cells);
  zip_add_deflated(&z, "inputs.npy", bytes, n);
  zip_add(&z, "labels.npy", bytes, n);
  zip_end(&z);
  write_bytes(scratch_path(s, "in.npz"), z.data, z.n);
  gzip_write(scratch_path(s, "in.jsonl.gz"),
             "{\"input\": [[1, 2]], \"output\": [[2, 1]], \"x\": 1e999}\n");
}

static trm_status survey(scratch *s, trm_error *err) {
  trm_survey report;
  return trm_dataset_survey(scratch_path(s, "set"), NULL, &report, err);
}

static trm_status verify(scratch *s, trm_error *err) {
  int failures;
  return trm_dataset_verify(scratch_path(s, "set"), NULL, &failures, err);
}

static void every_refusal_is_reported(void **state) {
  /* Whatever takes memory while data are read or made. */
  scratch *s = *state;
  static trm_status (*const actions[])(scratch *, trm_error *) = {
      open_set,           split_and_stream,      build,  read_pieces, generate, build_grids,
      build_grids_packed, build_grids_of_arrays, survey, verify};

  /* What they read. */
  folder f = folder_good();
  char dir[160];
  snprintf(dir, sizeof dir, "%s", scratch_path(s, "set"));
  folder_write(&f, dir, "train");
  static const char csv[] =
      "question,answer\n1...3......3....,1234341221434321\n12..............,1234341221434321\n";
  write_bytes(scratch_path(s, "in.csv"), csv, sizeof csv - 1);
  write_others(s);

  /* Each action with its first call refused, then its second, until none is. */
  for (size_t k = 0; k < sizeof actions / sizeof *actions; k++) {
    int reported = 0;
    trm_status st;
    trm_error err;
    for (int n = 0; REFUSING(n, st, err, actions[k](s, &err)); n++) {
      /* A refusal is an error of memory or of the system and leaves no folder, or it is made up
       * for. */
      if (st != TRM_OK) {
        assert_true(st == TRM_E_MEMORY || st == TRM_E_SYSTEM);
        assert_false(trm__path_exists(scratch_path(s, "made")));
        reported++;
      }
      assert_int_equal(trm__remove_tree(scratch_path(s, "made"), NULL), TRM_OK);
    }

    /* Most refusals are reported. */
    assert_true(reported > 3);
    assert_int_equal(trm__remove_tree(scratch_path(s, "made"), NULL), TRM_OK);
  }
}

/* 80 KB stand for 72 MB, and are read with the memory of a row. */
static void packed_arrays_take_a_row_of_memory(void **state) {
  /* A large array of zeros, packed. */
  enum { ROWS = 10000, CELLS = 900 };
  static zip_bytes z;
  const char *path = scratch_path(*state, "zeros.npz");
  const int64_t shape[] = {ROWS, 30, 30};
  int64_t *zeros = calloc((size_t)ROWS * CELLS, sizeof *zeros);
  assert_non_null(zeros);
  assert_int_equal(trm__npy_save(path, TRM__NPY_I8, 3, shape, zeros, NULL), TRM_OK);
  free(zeros);
  size_t n;
  unsigned char *bytes = read_bytes(path, &n);
  zip_add_deflated(&z, "a.npy", bytes, n);
  free(bytes);
  zip_end(&z);
  write_bytes(path, z.data, z.n);

  /* Read to its end, it takes as little as one of its rows and the buffers. */
  trm__npz *npz;
  trm__npz_rows *rows;
  bytes_asked = 0;
  assert_int_equal(trm__npz_open(path, &npz, NULL), TRM_OK);
  assert_int_equal(trm__npz_find(npz, "a", &rows, NULL), TRM_OK);
  for (int i = 0; i < ROWS; i++) assert_int_equal(trm__npz_next(rows, NULL), TRM_OK);
  assert_in_range(bytes_asked, 1, 1 << 18);
  trm__npz_rows_close(rows);
  trm__npz_close(npz);
}

/* A packed text says nothing of its length: it is measured, and refused where memory is short. */
static void packed_texts_that_do_not_fit_are_refused(void **state) {
  /* 64 MiB of zeros, packed, and room for a third of them. */
  enum { ZEROS = 64 << 20, ROOM = 24 << 20 };
  static gzip_bytes g;
  struct rlimit limit, less;
  long long data = 0;
  trm_error err;
  if (!limits_work()) skip();
  char *zeros = calloc(ZEROS, 1);
  assert_non_null(zeros);
  g.n = 0;
  gzip_add(&g, zeros, ZEROS);
  free(zeros);
  write_bytes(scratch_path(*state, "in.jsonl.gz"), g.data, g.n);

  /* What this process has now, to which the room is added. */
  FILE *statm = fopen("/proc/self/statm", "r");
  if (!statm || fscanf(statm, "%*u %*u %*u %*u %*u %lld", &data) != 1) skip();
  (void)fclose(statm);
  assert_int_equal(getrlimit(RLIMIT_DATA, &limit), 0);
  less = limit;
  less.rlim_cur = (rlim_t)(data * sysconf(_SC_PAGESIZE) + ROOM);
  assert_int_equal(setrlimit(RLIMIT_DATA, &less), 0);

  /* The text is refused, with the remedy, and the limit is taken back first. */
  const trm_status st = build_grids_packed(*state, &err);
  assert_int_equal(setrlimit(RLIMIT_DATA, &limit), 0);
  assert_int_equal(st, TRM_E_MEMORY);
  assert_true(speaks_of(&err, "in.jsonl.gz: unpacked it has more than") &&
              speaks_of(&err, "gunzip"));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_refusal_is_reported),
                                     cmocka_unit_test(packed_arrays_take_a_row_of_memory),
                                     cmocka_unit_test(packed_texts_that_do_not_fit_are_refused)};
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
