/* `trm solve` and the lines it reads: answers in the order of the puzzles, each when it is there,
 * and a line that cannot be read does not keep the others from theirs. */
#include <math.h>
#include <poll.h>
#include <pty.h>
#include <sys/stat.h>

#include "json_text.h"
#include "solve_models.h"

enum { MANY = 600 };

typedef struct solved {
  char puzzle[17], answer[17];
  double q;
  int steps;
} solved;

/* All that a run of `trm solve --json` says, in its order. */
static void solve_many(scratch *s, const char *halt, int steps, solved *got) {
  char command[1024], line[512];
  snprintf(command, sizeof command,
           "'%s' solve '%s/ones' '%s/puzzles.txt' --json --halt '%s' --steps %d", TRM_PROGRAM,
           s->dir, s->dir, halt, steps);
  FILE *answers = popen(command, "r");
  assert_non_null(answers);
  for (int i = 0; i < MANY; i++) {
    assert_non_null(fgets(line, sizeof line, answers));
    trm__json *root = json_of(line);
    assert_non_null(root);
    snprintf(got[i].puzzle, 17, "%s", trm__json_text(trm__json_get(root, "puzzle")));
    snprintf(got[i].answer, 17, "%s", trm__json_text(trm__json_get(root, "answer")));
    got[i].q = trm__json_number(trm__json_get(root, "q"));
    got[i].steps = (int)trm__json_integer(trm__json_get(root, "steps"));
    trm__json_free(root);
  }
  assert_null(fgets(line, sizeof line, answers));
  assert_int_equal(pclose(answers), 0);
}

/* A few puzzles among many stay to the last step: the others overtake them, as far as the program
 * lets them, and all are printed in their order with the answers that they have alone. */
static void answers_keep_the_order_of_the_puzzles(void **state) {
  static solved first[MANY], last[MANY], got[MANY];
  static char text[MANY * 17 + 1];

  /* Puzzles that differ in a few cells; every hundredth has no 1 where q looks. */
  scratch *s = *state;
  char halt[40];
  double slow = 0, quick = 1; /* the surest of the slow puzzles and the least sure of the others */
  for (int i = 0; i < MANY; i++) {
    char *line = text + 17 * i;
    memcpy(line, i % 100 ? "1...............\n" : "................\n", 17);
    for (int cell = 4; cell < 8; cell++)
      if (i >> cell % 4 & 1) line[cell] = "3421"[cell - 4];
    line[8 + i % 4] = i / 16 % 2 ? "4343"[i % 4] : "2232"[i % 4];
  }

  /* Each with the answers that it has after one step and after all. */
  make_model_for_ones(scratch_path(s, "ones"));
  write_bytes(scratch_path(s, "puzzles.txt"), text, MANY * 17);
  solve_many(s, "never", 1, first);
  solve_many(s, "never", 60, last);

  /* The two kinds are apart, so a threshold between them can be chosen. */
  for (int i = 0; i < MANY; i++) {
    if (i % 100 == 0) slow = fmax(slow, fmax(first[i].q, last[i].q));
    if (i % 100 != 0) quick = fmin(quick, first[i].q);
  }
  assert_true(slow < quick);

  /* With it most puzzles halt after one step and overtake the few others. */
  double bar = (slow + quick) / 2;
  snprintf(halt, sizeof halt, "q=%.9g", log(bar / (1 - bar)));
  solve_many(s, halt, 60, got);

  /* Nothing of that shows: order, answers, steps and q are those of each alone. */
  for (int i = 0; i < MANY; i++) {
    const solved *want_this = i % 100 ? &first[i] : &last[i];
    assert_memory_equal(got[i].puzzle, text + 17 * i, 16);
    assert_string_equal(got[i].answer, want_this->answer);
    assert_int_equal(got[i].steps, want_this->steps);
    assert_true(got[i].q == want_this->q);
  }
}

/* A program that sends one puzzle at a time and waits for its answer is not kept waiting. */
static void a_dialogue_is_not_kept_waiting(void **state) {
  /* Two pipes, to its input and from its output. */
  scratch *s = *state;
  int to[2], from[2];
  char line[200];
  const char *model = scratch_path(s, "ones");
  make_model_for_ones(model);
  assert_true(pipe(to) == 0 && pipe(from) == 0);

  /* The program, which must not hold any end but its own. */
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    dup2(to[0], 0);
    dup2(from[1], 1);
    const int ends[] = {to[0], to[1], from[0], from[1]};
    for (int i = 0; i < 4; i++) close(ends[i]);
    execl(TRM_PROGRAM, TRM_PROGRAM, "solve", model, "-", (char *)NULL);
    _exit(98);
  }

  /* The next puzzle is only sent when the last one's answer has come. */
  close(to[0]);
  close(from[1]);
  for (int i = 0; i < 3; i++) {
    struct pollfd answer = {.fd = from[0], .events = POLLIN};
    assert_int_equal(write(to[1], "12343412........\n", 17), 17);
    int came = poll(&answer, 1, 60000);
    if (came != 1) kill(child, SIGKILL);
    assert_int_equal(came, 1);
    ssize_t n = read(from[0], line, sizeof line - 1);
    assert_true(n > 16 && line[n - 1] == '\n');
  }

  /* The end of the input is the end of the program, with nothing left to say. */
  close(to[1]);
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  assert_int_equal(read(from[0], line, sizeof line), 0);
  close(from[0]);
}

/* --- lines that are not answered, and others --- */

/* A line that cannot be read has its place among the answers, and the others are not kept from
 * theirs. */
static void a_bad_line_is_answered_by_its_error(void **state) {
  scratch *s = *state;
  static char text[1 << 14];
  const char *line;
  char path[160];
  make_model_for_ones(place(s, "ones", path));
  /* Too short, a given twice, no symbol, far too long, a comment of that length. */
  int n = snprintf(text, sizeof text, GOOD "\n12\n11..............\n" OTHER "................x\n");
  for (int i = 0; i < 2; i++) {
    n += snprintf(text + n, sizeof text - (size_t)n, i ? "# " : "");
    memset(text + n, ' ', 4000);
    n += snprintf(text + n + 4000, sizeof text - (size_t)n - 4000, "1\n") + 4000;
  }
  snprintf(text + n, sizeof text - (size_t)n, "%s", GOOD);
  want(RUN_INPUT(text, "solve", path, "--steps", "2"), 3);
  assert_int_equal(count(out_text, "\n"), 7);
  static const char *const begins[] = {"", "error: stdin:2:3: ",  "error: stdin:3:2: '1' in row 1",
                                       "", "error: stdin:5:17: ", "error: stdin:6:",
                                       ""};
  line = out_text;
  for (int i = 0; i < 7; i++, line = strchr(line, '\n') + 1) {
    if (*begins[i] && strncmp(line, begins[i], strlen(begins[i])) != 0)
      fail_msg("line %d of the answers: %.60s", i + 1, line);
    if (!*begins[i]) assert_memory_equal(line + 16, "  valid: ", 9);
  }
  assert_int_equal(count(err_text, "trm: error: stdin:"), 4);
  says(err_text, "4 of 7 puzzles have no answer");
  /* As JSON, in the same order, also with --check and one at a time. */
  want(RUN_INPUT(text, "solve", path, "--steps", "2", "--json", "--check", "--show", "steps"), 3);
  line = out_text;
  for (int i = 0; i < 7; i++, line = strchr(line, '\n') + 1) {
    size_t used;
    trm__json *root = json_first(line, &used);
    assert_non_null(root);
    assert_int_equal(trm__json_is(trm__json_get(root, "error"), TRM__JSON_STRING), *begins[i] != 0);
    assert_int_equal(trm__json_is(trm__json_get(root, "answer"), TRM__JSON_STRING),
                     *begins[i] == 0);
    if (*begins[i])
      assert_int_equal(trm__json_integer(trm__json_get(root, "line")), i == 5 ? 6 : i + 1);
    trm__json_free(root);
  }
  want(RUN("solve", path, "--puzzle", "1"), 3);
  says(out_text, "error: --puzzle:1:2: ");
}

/* Whatever ends the lines, each puzzle is answered under its number. */
static void every_line_is_read(void **state) {
  scratch *s = *state;
  static const char *const texts[] = {
      "\xef\xbb\xbf" GOOD "\n" OTHER "z", GOOD "\r\n1...............\r\nz\r\n",
      GOOD "\r1...............\rz\r", GOOD "\r\n1...............\rz\n"};
  char model[160];
  make_model_for_ones(place(s, "ones", model));
  for (int i = 0; i < 4; i++) {
    want(RUN_INPUT(texts[i], "solve", model, "--steps", "1"), 3);
    assert_int_equal(count(out_text, "valid: "), 2);
    says(out_text, "\nerror: stdin:3:1: ");
  }
  want(RUN_INPUT("\xff\xfe"
                 "1.",
                 "solve", model),
       3);
  says(err_text, "stdin:1:1: text in UTF-16");
  assert_int_equal(count(out_text, "\n"), 1);
}

static void zero_may_be_the_last_digit(void **state) {
  scratch *s = *state;
  char line[258], model[160];
  const trm_puzzle p = trm_sudoku_of_size(16);
  make_copying_model(place(s, "sixteen", model), &p, 1, BLANK);
  memset(line, '.', 256);
  memcpy(line, "0F1", 3);
  memcpy(line + 256, "\n", 2);
  want(RUN_INPUT(line, "solve", model, "--json"), 0);
  says(out_text, "\"puzzle\":\"GF1...");
  says(err_text, "stdin:1: 0 is taken for the last digit, 'G'");
  line[3] = 'G'; /* then it is a blank, as ever */
  want(RUN_INPUT(line, "solve", model, "--json"), 0);
  says(out_text, "\"puzzle\":\".F1G...");
  assert_string_equal(err_text, "");
}

/* A text with zeros in it, and its length. */
#define BYTES(text) text, sizeof(text) - 1

/* What is no text is told once, and named where it is known; not a line of it is a puzzle. */
static void what_is_no_text_is_named(void **state) {
  scratch *s = *state;
  static const struct {
    const char *bytes;
    size_t n;
    const char *what;
  } files[] = {
      {BYTES("\x13\0\x80\n1...3......3....\n\x99\n"), "no text: its bytes are not characters"},
      {BYTES("\x20\1\0\0\0\0\0\0{\"a\":1}\n"), "a model (.safetensors), no text"},
      {BYTES("\x80\4\x95\0\0\0\n1...3......3....\n"), "a pickle of Python's"},
      {BYTES("\x93NUMPY\1\0\n\n"), "an array of NumPy"},
      {BYTES("\x89PNG\r\n\x1a\n\0\n"), "a picture (PNG)"},
      {BYTES("PK\3\4\n\n"), "a zip archive, a workbook"},
      {BYTES("%PDF-1.7\n\n"), "a PDF document"}};
  char sudoku[160], maze[160], path[160], command[900];
  const trm_puzzle p = {.kind = TRM_PUZZLE_MAZE, .rows = 3, .cols = 4};
  make_model_for_ones(place(s, "ones", sudoku));
  make_copying_model(place(s, "maze_text", maze), &p, 1, BLANK);
  place(s, "bytes", path);
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    write_bytes(path, files[i].bytes, files[i].n);
    for (int k = 0; k < 2; k++) {
      want(RUN("solve", k ? maze : sudoku, path), 3);
      says(err_text, files[i].what);
      assert_int_equal(count(err_text, "\n"), 1);

      /* From a pipe, too. */
      snprintf(command, sizeof command, "'%s' solve '%s' - <'%s' 2>&1 | tail -n +2", TRM_PROGRAM,
               k ? maze : sudoku, path);
      FILE *more = popen(command, "r");
      assert_non_null(more);
      assert_non_null(fgets(out_text, sizeof out_text, more));
      says(out_text, files[i].what);
      assert_null(fgets(out_text, sizeof out_text, more));
      pclose(more);
    }
    want(RUN("sudoku", "solve", path), 3);
    assert_int_equal(count(err_text, "\n"), 1);
  }
}

/* Where answers and messages are seen together, a puzzle that cannot be read is told of once. */
static void shows_once(scratch *s, const char *const *args) {
  char text[4096] = "";
  int master, slave;
  if (openpty(&master, &slave, NULL, NULL, NULL) != 0) {
    print_message("no pseudo-terminal here\n");
    skip();
  }

  /* The program has the terminal as stdout and stderr. */
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    dup2(slave, 1);
    dup2(slave, 2);
    execv(TRM_PROGRAM, (char *const *)args);
    _exit(98);
  }
  close(slave);

  /* All that it shows, until it closes its end. */
  size_t used = 0;
  for (ssize_t n; used < sizeof text - 1; used += (size_t)n)
    if ((n = read(master, text + used, sizeof text - 1 - used)) <= 0) break;
  close(master);
  want(finish(s, child), 3);
  assert_int_equal(count(text, "--puzzle:1:"), 1);
}

static void a_terminal_shows_an_error_once(void **state) {
  scratch *s = *state;
  char model[160];
  make_model_for_ones(place(s, "ones", model));
  shows_once(s, ARGS(TRM_PROGRAM, "solve", model, "--puzzle", "12"));
  shows_once(s, ARGS(TRM_PROGRAM, "sudoku", "solve", "--puzzle", "12"));
}

/* A model that is surer than it is right stops too early; whoever asked it to is told. */
static void hasty_answers_are_told(void **state) {
  scratch *s = *state;
  char model[160];
  make_model_for_ones(place(s, "ones", model));
  want(RUN("solve", model, "--puzzle", GOOD, "--halt", "q=-100", "--steps", "3"), 0);
  says(out_text, "valid: no");
  says(err_text, "1 of the answers that --halt stopped early is wrong");
  want(RUN("solve", model, "--puzzle", GOOD, "--halt", "q=-100", "--steps", "1"), 0);
  assert_string_equal(err_text, "");
  want(RUN("solve", model, "--puzzle", GOOD, "--steps", "3"), 0);
  assert_string_equal(err_text, "");
}

/* Without noise; each try costs its steps, and the seed decides where they start, and so q. */
static void models_with_random_starts_have_rollouts(void **state) {
  scratch *s = *state;
  char model[160], first[sizeof out_text];
  make_starting_model(place(s, "starts", model), 1);
  want(RUN("solve", model, "--puzzle", GOOD, "--steps", "3", "--rollouts", "4", "--json"), 0);
  says(out_text, "\"steps\":12");
  snprintf(first, sizeof first, "%s", out_text);
  want(RUN("solve", model, "--puzzle", GOOD, "--steps", "3", "--rollouts", "4", "--json"), 0);
  assert_string_equal(out_text, first);
  want(RUN("solve", model, "--puzzle", GOOD, "--steps", "3", "--rollouts", "4", "--select",
           "residual", "--seed", "1", "--json"),
       0);
  assert_string_not_equal(out_text, first);
}

/* Tries of one puzzle: the first above the bar ends them, and what does not go together is told. */
static void puzzles_are_tried_in_views(void **state) {
  scratch *s = *state;
  char model[160];
  make_model_for_ones(place(s, "ones", model));
  want(RUN("solve", model, "--puzzle", GOOD, "--steps", "3", "--views", "4"), 0);
  says(out_text, "steps 12\n");
  want(RUN("solve", model, "--puzzle", GOOD, "--steps", "3", "--views", "4", "--select", "first",
           "--bar", "100"),
       0);
  says(out_text, "steps 12\n");
  want(RUN("solve", model, "--puzzle", GOOD, "--steps", "3", "--select", "first", "--bar", "0"), 0);
  says(out_text, "steps 2\n");
  /* The rules: an answer that they refuse is searched for, in vain. */
  want(RUN("solve", model, "--puzzle", GOOD, "--steps", "2", "--verify", "--search", "2"), 0);
  says(out_text, "valid: no");
  says(out_text, "steps 6  accepted: no\n");

  static const struct {
    const char *args[4], *words;
  } refused[] = {{{"--select", "best"}, "--select: want q"},
                 {{"--bar", "1"}, "--bar belongs to --select first"},
                 {{"--select", "first", "--halt", "q"}, "want no --halt"},
                 {{"--views", "1025"}, "at most 1024"},
                 {{"--rollouts", "2"}, "--rollouts wants --noise"},
                 {{"--rollouts", "2000", "--noise", "1"}, "--rollouts: want at most 1024 tries"},
                 {{"--noise", "1e7"}, "--noise: want at most"},
                 {{"--select", "mode"}, "--select mode is a choice among several tries"},
                 {{"--select", "q", "--noise", "1"}, "--select q is a choice among several tries"},
                 {{"--seed", "5"}, "--seed is of images and noise"},
                 {{"--bar", "-1"}, "--bar belongs to --select first"},
                 {{"--views", "2", "--show", "steps"}, "one try"},
                 {{"--views", "0"}, "--views"},
                 {{"--search", "3"}, "--search wants --verify"},
                 {{"--search", "5000", "--verify", "--json"}, "at most 4096"}};
  /* A logit of any sign; where a choice or a draw is of one image only, it may be asked for. */
  want(RUN("solve", model, "--puzzle", GOOD, "--select", "first", "--bar", "-1e3"), 0);
  says(out_text, "steps 2\n");
  want(RUN("solve", model, "--puzzle", GOOD, "--views", "1", "--select", "mode", "--seed", "5"), 0);
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    const char *const *a = refused[i].args;
    want(RUN("solve", model, "--puzzle", GOOD, a[0], a[1], a[2] ? a[2] : "--steps",
             a[3] ? a[3] : "3"),
         2);
    says(err_text, refused[i].words);
  }
}

/* Of each answer, and of all together: whether the rules ended it, and whether a search found it.
 */
static void what_the_rules_did_is_told_apart(void **state) {
  scratch *s = *state;
  char set[160];
  int64_t accepted = 0, found = 0;
  const trm_sudoku_gen_config gen = {.size = 6,
                                     .max_givens = 12,
                                     .n_train = 1,
                                     .n_test = 40,
                                     .seed = 7,
                                     .threads = 1,
                                     .output_dir = place(s, "six", set)};
  assert_int_equal(trm_gen_sudoku(&gen, NULL, NULL), TRM_OK);
#define SEARCH                                                                           \
  "solve", TRM_SOURCE_DIR "/models/sudoku6.safetensors", "--data", set, "--count", "40", \
      "--steps", "1", "--verify", "--search", "8"
  want(RUN(SEARCH, "--json"), 0);
  for (char *line = strtok(out_text, "\n"); line; line = strtok(NULL, "\n")) {
    trm__json *root = json_of(line);
    const bool ended = trm__json_is_true(trm__json_get(root, "accepted"));
    assert_int_equal(ended, trm__json_is_true(trm__json_get(root, "valid")));
    const bool searched = trm__json_is_true(trm__json_get(root, "found"));
    assert_int_equal(searched, ended && trm__json_integer(trm__json_get(root, "steps")) > 1);
    accepted += ended;
    found += searched;
    trm__json_free(root);
  }
  assert_true(found > 0 && accepted > found);

  /* The same of people's lines, with a sum of them. */
  char sum[100];
  snprintf(sum, sizeof sum, "accepted by the rules: %d of 40 answers, %d of them found by search",
           (int)accepted, (int)found);
  want(RUN(SEARCH), 0);
  says(err_text, sum);
  says(out_text, "steps 1  accepted: yes  label: equal");
  for (const char *at = out_text; (at = strstr(at, "accepted: by search")); at++) found--;
  assert_int_equal(found, 0);

  /* Where the rules were not asked, nothing is said of them. */
  want(RUN("solve", TRM_SOURCE_DIR "/models/sudoku6.safetensors", "--data", set, "--json"), 0);
  assert_null(strstr(out_text, "accepted"));
}

/* What cannot be written is said before the work. */
static void pictures_have_a_place(void **state) {
  scratch *s = *state;
  char model[160];
  make_model_for_ones(place(s, "ones", model));
  want(RUN("solve", model, "/nonexistent/puzzles", "--svg", "/nonexistent/a.svg"), 1);
  says(err_text, "/nonexistent/a.svg: cannot be written");
}

/* --- waiting for input --- */

/* Starts the program with a pipe as its stdin; *to is its other end. */
static pid_t start_waiting(scratch *s, const char *model, const char *file, int *to) {
  /* The output of an earlier run must not be taken for this one's. */
  int ends[2];
  char out[200];
  assert_int_equal(pipe(ends), 0);
  (void)remove(scratch_path(s, "out"));

  /* The child has the reading end only; an alarm ends it should it wait for ever. */
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    alarm(60);
    dup2(ends[0], 0);
    close(ends[0]);
    close(ends[1]);
    snprintf(out, sizeof out, "%s/out", s->dir);
    redirect(out, O_WRONLY | O_CREAT | O_TRUNC, 1);
    snprintf(out, sizeof out, "%s/err", s->dir);
    redirect(out, O_WRONLY | O_CREAT | O_TRUNC, 2);
    execl(TRM_PROGRAM, TRM_PROGRAM, "solve", model, file, (char *)NULL);
    _exit(98);
  }

  /* The caller keeps the writing end, so the input does not end. */
  close(ends[0]);
  *to = ends[1];
  return child;
}

/* Until the program has answered something. */
static void await_answer(scratch *s) {
  for (int i = 0; i < 3000; i++, nap(20)) {
    if (access(scratch_path(s, "out"), R_OK) != 0) continue;
    slurp(scratch_path(s, "out"), out_text);
    if (strchr(out_text, '\n')) return;
  }
  fail_msg("no answer came");
}

/* The first signal ends a wait, and what was answered is there. */
static void a_signal_ends_the_wait(void **state) {
  scratch *s = *state;
  static const int signals[] = {SIGTERM, SIGINT};
  char model[160], fifo[160];
  make_model_for_ones(place(s, "ones", model));
  assert_int_equal(mkfifo(place(s, "fifo", fifo), 0600), 0);
  for (int i = 0; i < 2; i++) {
    int to;
    pid_t child = start_waiting(s, model, "-", &to);
    /* Part of a second line keeps nobody waiting either. */
    assert_int_equal(write(to, GOOD "\n12", 19), 19);
    await_answer(s);
    kill(child, signals[i]);
    want(finish(s, child), 130);
    close(to);
    says(out_text, "valid: ");
    says(err_text, "interrupted after 1 answer");
    /* A pipe that nobody has opened for writing is waited for as well. A signal that comes before
     * the program listens ends it by itself: then later. */
    int code = 1000 + signals[i];
    for (int wait = 100; code == 1000 + signals[i]; wait *= 2) {
      assert_in_range(wait, 0, 20000);
      child = start_waiting(s, model, fifo, &to);
      nap(wait);
      kill(child, signals[i]);
      code = finish(s, child);
      close(to);
    }
    want(code, 130);
    says(err_text, "interrupted after 0 answers");
  }
}

static void pipes_are_read(void **state) {
  scratch *s = *state;
  char model[160], fifo[160], command[800];
  make_model_for_ones(place(s, "ones", model));
  assert_int_equal(mkfifo(place(s, "named", fifo), 0600), 0);
  static const char *const inputs[] = {
      "'%1$s' solve '%2$s' '%3$s' & sleep 1; printf '" GOOD "\\n' > '%3$s'; wait $!",
      "printf '" GOOD "\\n' | '%1$s' solve '%2$s' /dev/stdin",
      "printf '" GOOD "\\n' > '%3$s' & '%1$s' solve '%2$s' '%3$s'"};
  for (int i = 0; i < 3; i++) {
    snprintf(command, sizeof command, inputs[i], TRM_PROGRAM, model, fifo);
    FILE *answers = popen(command, "r");
    assert_non_null(answers);
    assert_non_null(fgets(out_text, sizeof out_text, answers));
    says(out_text, "valid: ");
    assert_null(fgets(out_text, sizeof out_text, answers));
    assert_int_equal(pclose(answers), 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(answers_keep_the_order_of_the_puzzles),
      cmocka_unit_test(a_dialogue_is_not_kept_waiting),
      cmocka_unit_test(a_bad_line_is_answered_by_its_error),
      cmocka_unit_test(every_line_is_read),
      cmocka_unit_test(zero_may_be_the_last_digit),
      cmocka_unit_test(what_is_no_text_is_named),
      cmocka_unit_test(a_terminal_shows_an_error_once),
      cmocka_unit_test(hasty_answers_are_told),
      cmocka_unit_test(puzzles_are_tried_in_views),
      cmocka_unit_test(what_the_rules_did_is_told_apart),
      cmocka_unit_test(pictures_have_a_place),
      cmocka_unit_test(models_with_random_starts_have_rollouts),
      cmocka_unit_test(a_signal_ends_the_wait),
      cmocka_unit_test(pipes_are_read),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
