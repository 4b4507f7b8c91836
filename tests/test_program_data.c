/* `trm data info`, `show` and `verify` as a user runs them, on a small set of each kind. */
#include <pty.h>
#include <sys/stat.h>

#include "json_text.h"
#include "launch.h"
#include "small_sets.h"
#include "xml.h"

static char sudoku[160], maze[160], arc[160], grid[160];

static trm__json *printed_json(void) {
  trm__json *root = json_of(out_text);
  if (!root) fail_msg("no JSON:\n%s", out_text);
  return root;
}

static int64_t number(const trm__json *root, const char *split, const char *key) {
  const trm__json *value = trm__json_get(split ? trm__json_get(root, split) : root, key);
  if (!trm__json_is(value, TRM__JSON_INTEGER)) fail_msg("no number %s in:\n%s", key, out_text);
  return trm__json_integer(value);
}

static void test_info(void **state) {
  /* Sudokus: what repeats within a split, and what both have in common, images included. */
  scratch *s = *state;
  want(RUN("data", "info", sudoku, "--json"), 0);
  trm__json *root = printed_json();
  assert_int_equal(number(root, "train", "copies"), 1);
  assert_int_equal(number(root, NULL, "overlap"), 1);
  assert_int_equal(number(root, NULL, "overlap_images"), 2);
  trm__json_free(root);

  /* ARC: ids are counted, and images of grids are not looked for. */
  want(RUN("data", "info", arc, "--json"), 0);
  root = printed_json();
  assert_int_equal(number(root, "train", "compared"), 3);
  assert_int_equal(number(root, "train", "ids"), 3);
  assert_int_equal(number(root, NULL, "overlap"), 1);
  assert_null(trm__json_get(root, "overlap_images"));
  trm__json_free(root);

  /* Sizes of grids, most frequent first. */
  want(RUN("data", "info", arc), 0);
  says(out_text, "ARC, grids up to 30x30");
  says(out_text, "2x2: 1, 2x3: 1");

  /* A limit bounds what is compared, and that is said. */
  want(RUN("data", "info", maze, "--limit", "1"), 0);
  says(out_text, "maze 3x4");
  says(out_text, "# ' ' S G o");
  says(err_text, "at most 1 groups were compared");

  /* A user's puzzles have their own symbols and sizes; without a test set nothing is compared. */
  want(RUN("data", "info", grid), 0);
  says(out_text, "grid up to 3x4, 4 symbols");
  says(out_text, "1x3: 1, 2x2: 1");
  assert_null(strstr(out_text, "training questions"));

  /* `trm info` knows a data set, too. */
  want(RUN("info", maze), 0);
  says(out_text, "maze 3x4");

  /* A folder that is not there, and none. */
  want(RUN("data", "info", "/nonexistent"), 1);
  want(RUN("data", "info"), 2);
}

static void test_verify(void **state) {
  scratch *s = *state;
  const char *const good[] = {sudoku, maze, arc, grid};
  for (int i = 0; i < 4; i++) {
    want(RUN("data", "verify", good[i]), 0);
    says(out_text, "ok      test: every grid is whole\n");
    assert_null(strstr(out_text, "FAILED"));
  }
  want(RUN("data", "verify", sudoku, "--limit", "2"), 0);
  says(out_text, "exactly one solution (in 2 of 3 examples)");
  char copy[160];
  snprintf(copy, sizeof copy, "%s", scratch_path(s, "spoilt"));
  write_maze_set(copy);
  write_beside(copy, "identifiers.json", "[]");
  want(RUN("data", "verify", copy), 3);
  says(out_text, "FAILED  identifiers.json names every id: ");
  says(out_text, "ok      test: labels obey the rules");
  says(err_text, "1 check failed");
  want(RUN("data", "verify", "/nonexistent"), 1);
}

static void test_show_text(void **state) {
  scratch *s = *state;
  want(RUN("data", "show", sudoku, "--count", "2"), 0);
  assert_string_equal(out_text,
                      "# test 0, solution 1234341221434321\n1...341221434.21\n"
                      "# test 1, solution 3214143223414123\n3...143223414.23\n");
  want(RUN("data", "show", maze), 0);
  assert_string_equal(out_text, "// test 0, solution ##oS/ooo#/G###\n##.S/...#/G###\n");
  want(RUN("data", "show", arc, "--split", "train", "--index", "2", "--text"), 0);
  assert_string_equal(out_text,
                      "# train 2, id 2, aaaa0001|||t3|||0213456789, solution 01/23\n10/32\n");
  want(RUN("data", "show", grid), 0);
  assert_string_equal(out_text, "# test 0, solution 12\n. <&> / 12 .\n");
  want(RUN("data", "show", grid, "--index", "2"), 2);
  says(err_text, "examples 0 to 1");
  want(RUN("data", "show", grid, "--text", "--grid"), 2);
}

static void test_show_grids(void **state) {
  scratch *s = *state;
  want(RUN("data", "show", sudoku, "--grid"), 0);
  says(out_text, "   1  . | .  . ");
  says(out_text, "  ------+------   ------+------\n");
  want(RUN("data", "show", maze, "--grid"), 0);
  says(out_text, "  # #   S    # # o S \n");
  want(RUN("data", "show", arc, "--grid", "--index", "1"), 0);
  says(out_text, "test 1, id 3, bbbb0002\n  question   answer\n  7 7 7      7 \n  7 7 7      \n");
  want(RUN("data", "show", grid, "--grid", "--index", "1"), 0);
  says(out_text, "   .    .    .       a b  a b  a b \n");
}

/* What a terminal of so many columns shows of an example. */
static void on_terminal(scratch *s, const char *dir, unsigned short columns, char *text,
                        size_t size) {
  /* A terminal of that width. */
  int master, slave;
  const struct winsize window = {24, columns, 0, 0};
  if (openpty(&master, &slave, NULL, NULL, &window) != 0) {
    print_message("no pseudo-terminal here\n");
    skip();
  }

  /* The program writes to it, with colours. */
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    dup2(slave, 1);
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    execl(TRM_PROGRAM, TRM_PROGRAM, "data", "show", dir, (char *)NULL);
    _exit(98);
  }

  /* All that it wrote, until it ended. */
  close(slave);
  size_t used = 0;
  for (ssize_t n; used < size - 1; used += (size_t)n)
    if ((n = read(master, text + used, size - 1 - used)) <= 0) break;
  text[used] = 0;
  close(master);
  want(finish(s, child), 0);
}

static void test_terminal(void **state) {
  static char text[TEXT];
  on_terminal(*state, arc, 100, text, sizeof text);
  says(text, "question   answer");
  says(text, "\033[48;5;16;38;5;231m  \033[0m"); /* black, without its 0 */
  on_terminal(*state, maze, 100, text, sizeof text);
  says(text, "S \033[0m");
  on_terminal(*state, maze, 12, text, sizeof text);
  assert_null(strstr(text, "question   answer"));
  says(text, "  answer\r\n");
  on_terminal(*state, sudoku, 100, text, sizeof text);
  says(text, "\033[1m 1 \033[0m");
}

static void test_svg(void **state) {
  scratch *s = *state;
  const char *const sets[] = {sudoku, maze, arc, grid};
  const char *const part[] = {"stroke-width=\"3\"", ">S</text>", "fill=\"#ff851b\"",
                              ">&lt;&amp;&gt;</text>"};
  for (int i = 0; i < 4; i++) {
    char path[160];
    size_t n;
    snprintf(path, sizeof path, "%s", scratch_path(s, "picture.svg"));
    want(RUN("data", "show", sets[i], "--count", "9", "--svg", path), 0);
    assert_string_equal(out_text, "");
    char *svg = (char *)read_bytes(path, &n);
    assert_int_equal(strlen(svg), n);
    check_xml(svg);
    says(svg, part[i]);
    says(svg, "test 0");
    free(svg);
  }
  want(RUN("data", "show", maze, "--svg", "/nonexistent/p.svg"), 1);
}

/* Names that a terminal would obey, and files that would be waited for. */
static void test_hostile_names(void **state) {
  scratch *s = *state;
  char dir[160], path[200];

  /* A set of ARC with a name that a terminal would obey, in each way of showing it. */
  snprintf(dir, sizeof dir, "%s", scratch_path(s, "hostile"));
  write_arc_set(dir);
  write_beside(dir, "identifiers.json",
               "[\"<blank>\", \"a\xc2\x9b"
               "2J\\u001b[2J\xe2\x80\xae\\u007f\xc3\xa9\", \"b\", \"c\"]");
  static const char clean[] = "test 0, id 1, a?2J?[2J??\xc3\xa9";
  want(RUN("data", "show", dir, "--text"), 0);
  says(out_text, clean);
  want(RUN("data", "show", dir, "--grid"), 0);
  says(out_text, clean);
  want(RUN("data", "show", dir, "--svg", "-"), 0);
  says(out_text, clean);
  check_xml(out_text);
  assert_int_equal(access("-", F_OK), -1);

  /* A folder whose name is one. */
  char odd[200];
  snprintf(odd, sizeof odd, "%s",
           scratch_path(s,
                        "o\xc2\x9b"
                        "d\xff"
                        "d"));
  write_maze_set(odd);
  want(RUN("data", "info", odd), 0);
  says(out_text, "/o?d?d\n");
  want(RUN("data", "info",
           scratch_path(s,
                        "x\xc2\x9b"
                        "1m")),
       1);
  says(err_text, "/x?1m");

  /* A pipe that stands for the names is not waited for. */
  snprintf(path, sizeof path, "%s/identifiers.json", dir);
  assert_int_equal(remove(path), 0);
  assert_int_equal(mkfifo(path, 0600), 0);
  want(RUN("data", "show", dir, "--text"), 1);
  says(err_text, "identifiers.json: is a device or pipe");

  want(RUN("data", "show", dir, "--count", "0"), 2);
}

/* A folder that does not say what its tokens mean: numbers, and no picture. */
static void test_unknown_kind(void **state) {
  scratch *s = *state;
  char dir[160];
  snprintf(dir, sizeof dir, "%s", scratch_path(s, "unknown"));
  trm_puzzle p = {.kind = TRM_PUZZLE_MAZE, .rows = 1, .cols = 3};
  write_split(dir, "test", &p, 1, &(small_split){.question = {"S.G"}, .answer = {"SoG"}});
  write_beside(dir, "test/dataset.json", "{\"vocab_size\": 9, \"seq_len\": 3}");
  write_beside(dir, "identifiers.json", "[\"<blank>\"]");
  want(RUN("data", "show", dir), 0);
  assert_string_equal(out_text, "# test 0\nquestion 3 2 4\nlabel    3 5 4\n");
  want(RUN("data", "show", dir, "--svg", scratch_path(s, "no.svg")), 2);
  says(err_text, "what its tokens mean is unknown");
  want(RUN("data", "verify", dir), 0);
  want(RUN("data", "info", dir), 0);
  says(out_text, "unknown");
}

static int set_up(void **state) {
  if (scratch_open(state) != 0) return -1;
  snprintf(sudoku, sizeof sudoku, "%s", scratch_path(*state, "sudoku"));
  snprintf(maze, sizeof maze, "%s", scratch_path(*state, "maze"));
  snprintf(arc, sizeof arc, "%s", scratch_path(*state, "arc"));
  snprintf(grid, sizeof grid, "%s", scratch_path(*state, "grid"));
  write_sudoku_set(sudoku);
  write_maze_set(maze);
  write_arc_set(arc);
  write_grid_set(grid);
  return 0;
}

/* As the published command has them, with commas, and one by one. */
static void subsets_may_be_words(void **state) {
  scratch *s = *state;

  /* Lists of pairs as files in two folders, of which each is a subset. */
  static const char list[] = "[[[[1]], [[2]]], [[[3]], [[4]]], [[[5]], [[6]]]]",
                    pink[] = "[[[[1]], [[2]]], [[[3]], [[10]]]]";
  char prefix[160], dir[3][160];
  snprintf(prefix, sizeof prefix, "%s", scratch_path(s, "raw"));
  for (int i = 0; i < 3; i++) snprintf(dir[i], sizeof dir[i], "%s/built%d", s->dir, i);
  assert_int_equal(trm__make_dirs(scratch_path(s, "raw/a"), NULL), TRM_OK);
  assert_int_equal(trm__make_dirs(scratch_path(s, "raw/b"), NULL), TRM_OK);
  write_bytes(scratch_path(s, "raw/a/one.json"), list, sizeof list - 1);
  write_bytes(scratch_path(s, "raw/b/two.json"), list, sizeof list - 1);

/* The same two subsets in three ways of naming them. */
#define BUILD "data", "build", "arc", "--input-file-prefix", prefix, "--num-aug", "1"
  want(RUN(BUILD, "--subsets", "a", "b", "--test-set-name", "b", "--output-dir", dir[0]), 0);
  says(out_text, "1 task, 2 puzzles with their copies, 2 examples");
  says(out_text, "of which the last is the test pair: 2");
  want(RUN(BUILD, "--test-set-name", "b", "--output-dir", dir[1], "--subsets", "a,b"), 0);
  want(RUN(BUILD, "--subsets=a", "--subsets=b", "--test-set-name", "b", "--output-dir", dir[2]), 0);

  /* Ids are the same in each. */
  for (int i = 1; i < 3; i++) same_in_folders(dir[0], dir[i], "identifiers.json");

  /* A name that comes twice, and one that is empty. */
  want(RUN(BUILD, "--subsets", "a", "a", "--output-dir", dir[0]), 2);
  says(err_text, "named twice");
  want(RUN(BUILD, "--subsets", "a,,b", "--output-dir", dir[0]), 2);

  /* A task that is not valid is refused with the option that leaves it out. */
  write_bytes(scratch_path(s, "raw/b/pink.json"), pink, sizeof pink - 1);
  want(RUN(BUILD, "--subsets", "a", "b", "--output-dir", dir[0]), 3);
  says(err_text, "--skip-invalid leaves out such tasks");

  /* Left out, it is named with what is wrong about it. */
  want(RUN(BUILD, "--subsets", "a", "b", "--skip-invalid", "--output-dir", dir[0]), 0);
  says(out_text, "not valid: 1 (pink)");
  says(err_text, "task pink: pair 2: \"output\": row 1, column 1");
}

/* What is missing after a signal is said. It waits for the reader of a pipe that is full. */
static void an_interrupted_show_says_so(void **state) {
  /* The smallest pipe there is, and a data set whose text is longer. */
  scratch *s = *state;
  char text[4096];
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  assert_true(fcntl(ends[1], F_SETPIPE_SZ, 4096) > 0);
  want(RUN("data", "gen", "sudoku", "--size", "4", "--train", "300", "--test", "0", "--output-dir",
           scratch_path(s, "many")),
       0);

  /* The program writes into it. */
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    dup2(ends[1], 1);
    redirect(scratch_path(s, "err"), O_WRONLY | O_CREAT | O_TRUNC, 2);
    close(ends[0]);
    close(ends[1]);
    execl(TRM_PROGRAM, TRM_PROGRAM, "data", "show", scratch_path(s, "many"), "--split", "train",
          "--count", "300", (char *)NULL);
    _exit(98);
  }

  /* One byte is read: its handlers are set, and more waits to be read. */
  close(ends[1]);
  assert_true(read(ends[0], text, 1) == 1);

  /* Stopped, it ends as one that was interrupted, though its reader goes on. */
  assert_int_equal(kill(child, SIGTERM), 0);
  while (read(ends[0], text, sizeof text) > 0) {
  }
  close(ends[0]);
  assert_int_equal(finish(s, child), 130);
  says(err_text, "interrupted after");
}

/* Downloads that are no files of data: every reader calls them by their names. */
static void other_files_are_called_by_their_names(void **state) {
  /* What is often found under the name of a file of data. */
  scratch *s = *state;
  static const struct {
    const char *bytes, *told;
  } cases[] = {{"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 526776\n",
                "a pointer of Git LFS, not the file that it stands for"},
               {"\n<!DOCTYPE html>\n<html><head>", "a web page, not the file"},
               {"\xff\xd8\xff\xe0JFIF\n\n", "a picture (JPEG)"},
               {"%PDF-1.7\n1 0 obj\n", "a PDF document"}};

  /* A file of each kind that is read, which will be replaced. */
  char csv[160], jsonl[160], npz[160], challenges[160], prefix[160], out[160], file[200];
  snprintf(csv, sizeof csv, "%s", scratch_path(s, "other.csv"));
  snprintf(jsonl, sizeof jsonl, "%s", scratch_path(s, "other.jsonl"));
  snprintf(npz, sizeof npz, "%s", scratch_path(s, "other.npz"));
  snprintf(challenges, sizeof challenges, "%s", scratch_path(s, "other_a_challenges.json"));
  snprintf(prefix, sizeof prefix, "%s", scratch_path(s, "other"));
  snprintf(out, sizeof out, "%s", scratch_path(s, "other_out"));
  snprintf(file, sizeof file, "%s/test/all__inputs.npy", sudoku); /* of the last test */
  const char *const paths[] = {csv, jsonl, npz, challenges, file};

  /* Every command that reads one of them. */
  const char *const *const commands[] = {
      ARGS("data", "build", "sudoku", "--input", csv, "--output-dir", out),
      ARGS("data", "build", "maze", "--input", csv, "--output-dir", out),
      ARGS("data", "build", "grid", "--input", csv, "--output-dir", out),
      ARGS("data", "build", "grid", "--input", jsonl, "--output-dir", out),
      ARGS("data", "build", "grid", "--input", npz, "--output-dir", out),
      ARGS("data", "build", "arc", "--input-file-prefix", prefix, "--subsets", "a",
           "--test-set-name", "a", "--output-dir", out),
      ARGS("sudoku", "solve", csv),
      ARGS("train", "--config", csv),
      ARGS("data", "info", sudoku)};

  /* Each of them, whatever it wanted, calls the file by what it is. */
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    for (size_t k = 0; k < sizeof paths / sizeof *paths; k++)
      write_bytes(paths[k], cases[i].bytes, strlen(cases[i].bytes));
    for (size_t k = 0; k < sizeof commands / sizeof *commands; k++) {
      want(run_with(s, &(const launch){0}, commands[k]), 3);
      says(err_text, cases[i].told);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_info),
      cmocka_unit_test(test_verify),
      cmocka_unit_test(test_show_text),
      cmocka_unit_test(test_show_grids),
      cmocka_unit_test(test_terminal),
      cmocka_unit_test(test_svg),
      cmocka_unit_test(test_unknown_kind),
      cmocka_unit_test(test_hostile_names),
      cmocka_unit_test(an_interrupted_show_says_so),
      cmocka_unit_test(subsets_may_be_words),
      cmocka_unit_test(other_files_are_called_by_their_names),
  };
  return cmocka_run_group_tests(tests, set_up, scratch_close);
}
