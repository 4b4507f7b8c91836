/* `trm solve` on many puzzles: rows come and go, answers keep their order. */
#include <jansson.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scratch.h"
#include "trm.h"

enum { MANY = 600 };

typedef struct solved {
  char puzzle[17], answer[17];
  double q;
  int steps;
} solved;

/* A model whose blocks do next to nothing, so that y at the first cell stays near its embedding,
 * and whose q is how much that looks like a 1. */
static void make_model_for_ones(const char *dir) {
  trm_model_config c = trm_model_config_default(TRM_ARCH_TRM);
  c.vocab_size = 6;
  c.seq_len = 16;
  c.num_puzzle_identifiers = 1;
  c.puzzle = trm_sudoku_of_size(4);
  c.hidden_size = 32;
  c.num_heads = 2;
  c.H_cycles = c.L_cycles = 1;
  c.puzzle_emb_ndim = 0;
  trm_model *m;
  trm_error err;
  if (trm_model_create(&c, 1, &m, &err) != TRM_OK) fail_msg("%s", err.msg);
  for (int i = 0; i < trm_model_tensor_count(m); i++) {
    trm_tensor t = trm_model_tensor_at(m, i);
    for (int64_t k = 0; !strncmp(t.name, "L_level", 7) && k < t.count; k++) t.data[k] *= 0.1F;
  }
  trm_tensor q = trm_model_tensor_named(m, "q_head.weight");
  trm_tensor embed = trm_model_tensor_named(m, "embed_tokens.embedding_weight");
  assert_true(q.data && embed.data);
  memcpy(q.data, embed.data + 2 * c.hidden_size, (size_t)c.hidden_size * sizeof *q.data);
  trm_tensor bias = trm_model_tensor_named(m, "q_head.bias");
  bias.data[0] = 0;
  if (trm_model_save(m, dir, &err) != TRM_OK) fail_msg("%s", err.msg);
  trm_model_free(m);
}

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
    json_t *root = json_loads(line, 0, NULL);
    assert_non_null(root);
    snprintf(got[i].puzzle, 17, "%s", json_string_value(json_object_get(root, "puzzle")));
    snprintf(got[i].answer, 17, "%s", json_string_value(json_object_get(root, "answer")));
    got[i].q = json_real_value(json_object_get(root, "q"));
    got[i].steps = (int)json_integer_value(json_object_get(root, "steps"));
    json_decref(root);
  }
  assert_null(fgets(line, sizeof line, answers));
  assert_int_equal(pclose(answers), 0);
}

/* A few puzzles among many stay to the last step: the others overtake them, as far as the program
 * lets them, and all are printed in their order with the answers that they have alone. */
static void answers_keep_the_order_of_the_puzzles(void **state) {
  static solved first[MANY], last[MANY], got[MANY];
  static char text[MANY * 17 + 1];
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
  make_model_for_ones(scratch_path(s, "ones"));
  write_bytes(scratch_path(s, "puzzles.txt"), text, MANY * 17);
  solve_many(s, "never", 1, first);
  solve_many(s, "never", 60, last);
  for (int i = 0; i < MANY; i++) {
    if (i % 100 == 0) slow = fmax(slow, fmax(first[i].q, last[i].q));
    if (i % 100 != 0) quick = fmin(quick, first[i].q);
  }
  assert_true(slow < quick);
  double bar = (slow + quick) / 2;
  snprintf(halt, sizeof halt, "q=%.9g", log(bar / (1 - bar)));
  solve_many(s, halt, 60, got);
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
  scratch *s = *state;
  int to[2], from[2];
  char line[200];
  const char *model = scratch_path(s, "ones");
  make_model_for_ones(model);
  assert_true(pipe(to) == 0 && pipe(from) == 0);
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
  close(to[1]);
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  assert_int_equal(read(from[0], line, sizeof line), 0);
  close(from[0]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(answers_keep_the_order_of_the_puzzles),
      cmocka_unit_test(a_dialogue_is_not_kept_waiting),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
