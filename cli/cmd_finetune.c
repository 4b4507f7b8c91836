/* trm finetune: a model learns tasks of ARC that it has never seen, and answers them. */
#include <stdlib.h>
#include <string.h>

#include "eval_report.h"
#include "grid_view.h"
#include "published.h"
#include "run_folder.h"

static const cli_manual manual = {
    "trm finetune MODEL --task FILE.json [options]",
    "A task whose id was not trained has an untrained puzzle embedding, and is answered no better\n"
    "than chance. This command trains embeddings for a new ARC task and symmetric copies of it on\n"
    "its demonstrations, alone (--freeze-weights) or together with the network, then answers its\n"
    "test inputs: every copy votes, and the two grids with most votes are the attempts. MODEL is "
    "a\n"
    "model or run folder, a .safetensors file of trm convert, or a published checkpoint. FILE is "
    "a\n"
    "task {\"train\": [{\"input\": grid, \"output\": grid}, ...], \"test\": [{\"input\": grid}, "
    "...]}, a\n"
    "file of several {\"ID\": task, ...}, or a folder with one task per file.\n",
    "Examples:\n"
    "  trm finetune runs/Arc-trm/first --task 0d3d703e.json --freeze-weights --steps 200\n"
    "  trm finetune step_518071 --task new.json --copies 64 --submission submission.json\n"
    "  trm finetune runs/Arc-trm/first --task tasks/ --out tuned --steps 500\n"};

enum { ATTEMPTS = 2 };

typedef struct finetune_args {
  const char *model, *task, *out, *submission;
  trm_finetune_config tune;
  trm_dtype dtype; /* TRM_DTYPES: the model's */
  int copies, answer_steps;
  bool json;
} finetune_args;

typedef struct finetune_run {
  trm_arc_tasks *tasks;
  trm_arc_data *data;
  trm_model *model, *tuned;
  trm_arc_votes *votes;
  cli_progress bar;
  double loss; /* smoothed, -1: none yet */
} finetune_run;

/* --- training --- */

static bool show_update(void *arg, int64_t update, int64_t total, const trm_metrics *m) {
  finetune_run *r = arg;
  char text[32];
  (void)total;
  r->loss = r->loss < 0 ? m->lm_loss : 0.9 * r->loss + 0.1 * m->lm_loss;
  snprintf(text, sizeof text, "loss %.3f", r->loss);
  cli_progress_update(&r->bar, update, text);
  return !cli_interrupted();
}

static trm_status train(const finetune_args *a, finetune_run *r, trm_error *err) {
  trm_finetune_config config = a->tune;
  config.progress = show_update;
  config.progress_arg = r;
  r->loss = -1;
  cli_progress_begin(&r->bar, "training", 0, config.steps, "updates", 1);
  trm_status st = trm_finetune(r->model, r->data->train, &config, &r->tuned, err);
  cli_progress_end(&r->bar);
  CLI_TRY(st);
  trm_model_free(r->model); /* a published one is large */
  r->model = NULL;
  return a->out ? trm_model_save(r->tuned, a->out, err) : TRM_OK;
}

/* --- answering --- */

static trm_status answer(const finetune_args *a, finetune_run *r, trm_error *err) {
  CLI_TRY(trm_arc_votes_create_for(r->tasks, r->data->names, r->data->n_names, &r->votes, err));
  trm_eval_report *report = calloc(1, sizeof *report);
  if (!report) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for an evaluation");
  const trm_eval_config config = {.votes = r->votes,
                                  .steps = a->answer_steps,
                                  .threads = a->tune.threads,
                                  .device = a->tune.device,
                                  .progress = cli_progress_tick,
                                  .progress_arg = &r->bar};
  cli_progress_begin(&r->bar, "answering", 0, 0, "copies", 1);
  trm_status st = trm_evaluate(r->tuned, r->data->test, &config, report, err);
  cli_progress_end(&r->bar);
  free(report);
  CLI_TRY(st);
  return a->submission ? trm_arc_votes_submit(r->votes, a->submission, err) : TRM_OK;
}

/* --- showing --- */

static void print_grid(const trm_arc_answer *g) {
  const trm_puzzle arc = {.kind = TRM_PUZZLE_ARC, .rows = 30, .cols = 30};
  int32_t tokens[900] = {0};
  if (g->rows == 0) {
    printf("  (an empty grid)\n");
    return;
  }
  for (int i = 0; i < g->rows * g->cols; i++)
    tokens[i / g->cols * arc.cols + i % g->cols] = g->cell[i] + trm_puzzle_first_symbol(&arc);
  const grid_view view = {.puzzle = &arc,
                          .tokens = tokens,
                          .box = {0, 0, g->rows, g->cols},
                          .colour = cli_colour(stdout)};
  grid_view_draw(&view, stdout);
}

static void print_attempts(const char *id, int input, int inputs, bool known,
                           const trm_arc_answer *g, int n) {
  printf("task %s, test input %d of %d\n", id, input + 1, inputs);
  for (int i = 0; i < n; i++) {
    printf("attempt %d: %lld vote%s, q %.3f%s\n", i + 1, (long long)g[i].votes,
           g[i].votes == 1 ? "" : "s", g[i].q, known && g[i].right ? ", right" : "");
    print_grid(&g[i]);
  }
  if (n == 0) printf("no answer\n");
}

static json_t *grid_json(const trm_arc_answer *g) {
  json_t *rows = json_array();
  for (int i = 0; rows && i < g->rows; i++) {
    json_t *row = json_array();
    for (int j = 0; row && j < g->cols; j++)
      if (json_array_append_new(row, json_integer(g->cell[i * g->cols + j]))) break;
    if (json_array_append_new(rows, row)) break;
  }
  return rows;
}

static trm_status print_json(const char *id, int input, bool known, const trm_arc_answer *g, int n,
                             trm_error *err) {
  json_t *attempts = json_array();
  for (int i = 0; attempts && i < n; i++) {
    json_t *one =
        json_pack("{s:o, s:I, s:f, s:o}", "grid", grid_json(&g[i]), "votes", (json_int_t)g[i].votes,
                  "q", g[i].q, "right", known ? json_boolean(g[i].right) : json_null());
    if (json_array_append_new(attempts, one)) break;
  }
  json_t *line = json_pack("{s:s, s:i, s:o}", "task", id, "input", input, "attempts", attempts);
  if (!line) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for the answers");
  json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
  putchar('\n');
  json_decref(line);
  return TRM_OK;
}

static trm_status show(const finetune_args *a, const finetune_run *r, trm_error *err) {
  trm_arc_answer *best = calloc(ATTEMPTS, sizeof *best);
  if (!best) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for the answers");
  trm_status st = TRM_OK;
  for (int64_t task = 0; task < trm_arc_tasks_count(r->tasks); task++) {
    const char *id = trm_arc_tasks_id(r->tasks, task);
    int inputs = trm_arc_tasks_test_pairs(r->tasks, task), found;
    for (int input = 0; st == TRM_OK && input < inputs; input++) {
      bool known = trm_arc_tasks_test_solved(r->tasks, task, input);
      st = trm_arc_votes_answers(r->votes, task, input, ATTEMPTS, best, &found, err);
      if (st == TRM_OK && a->json)
        st = print_json(id, input, known, best, found, err);
      else if (st == TRM_OK)
        print_attempts(id, input, inputs, known, best, found);
    }
  }
  free(best);
  return st;
}

/* --- the command --- */

static trm_status check_tasks(const finetune_args *a, const finetune_run *r, trm_error *err) {
  for (int64_t i = 0; i < trm_arc_tasks_count(r->tasks); i++)
    if (trm_arc_tasks_test_pairs(r->tasks, i) == 0)
      return cli_fail(err, TRM_E_FORMAT, -1,
                      "%s: task %s has no \"test\" pair: there is nothing to answer", a->task,
                      trm_arc_tasks_id(r->tasks, i));
  return TRM_OK;
}

/* The model, and its side of ARC's canvas, which a published checkpoint does not tell. */
static trm_status load_model(const finetune_args *a, finetune_run *r, int *canvas, trm_error *err) {
  static const trm_dataset_info published = {
      .vocab_size = 12, .seq_len = 900, .puzzle = {.kind = TRM_PUZZLE_ARC, .rows = 30, .cols = 30}};
  char path[CLI_PATH_MAX];
  CLI_TRY(run_folder_load_model_for(a->model, &published, path, &r->model, err));
  const trm_model_config *c = trm_model_get_config(r->model);
  int side = 1;
  while (side * side < c->seq_len) side++;
  bool square = side * side == c->seq_len && side <= 30 && c->vocab_size == published.vocab_size;
  if (c->puzzle.kind != TRM_PUZZLE_ARC && (c->puzzle.kind != TRM_PUZZLE_NONE || !square))
    return cli_fail(err, TRM_E_FORMAT, -1,
                    "%s: its puzzles are no ARC grids: want a model that was trained on ARC tasks",
                    path);
  *canvas = side;
  if (published_is(path))
    cli_note(
        "a checkpoint of PyTorch does not tell the size of its canvas: taken for %d x %d; a "
        "file of `trm convert %s OUT.safetensors --data DATA` tells it",
        side, side, path);
  return TRM_OK;
}

static trm_status finetune(const finetune_args *a, finetune_run *r, trm_error *err) {
  int canvas = 0;
  if (a->out) CLI_TRY(cli_check_model_folder(a->out, err));
  CLI_TRY(trm_arc_tasks_load(a->task, &r->tasks, err));
  CLI_TRY(check_tasks(a, r, err));
  CLI_TRY(load_model(a, r, &canvas, err));
  CLI_TRY(trm_arc_data_create(r->tasks, a->copies, canvas, a->tune.seed, &r->data, err));
  if (a->dtype != TRM_DTYPES) trm_model_set_dtype(r->model, a->dtype);
  CLI_TRY(train(a, r, err));
  CLI_TRY(answer(a, r, err));
  return show(a, r, err);
}

int cmd_finetune(int argc, char **argv) {
  finetune_args a = {.tune = trm_finetune_config_default(), .dtype = TRM_DTYPES, .copies = 32};
  const cli_option options[] = {
      {"task", CLI_STRING, &a.task, "FILE", "the task or tasks to learn and answer"},
      {"freeze-weights", CLI_FLAG, &a.tune.freeze_weights, NULL,
       "train the puzzle embeddings only, not the network"},
      {"steps", CLI_INT64, &a.tune.steps, "N", "updates (default 100)"},
      {"copies", CLI_INT, &a.copies, "K",
       "symmetric copies of each task to train on and to ask (default 32)"},
      {"batch", CLI_INT, &a.tune.batch_size, "B", "rows of an update (default 32)"},
      {"lr", CLI_DOUBLE, &a.tune.lr, "X", "learning rate of the network (default 1e-4)"},
      {"puzzle-emb-lr", CLI_DOUBLE, &a.tune.puzzle_emb_lr, "X",
       "learning rate of the embeddings (default 1e-2)"},
      {"answer-steps", CLI_INT, &a.answer_steps, "S",
       "supervision steps of an answer (0: as trained)"},
      {"seed", CLI_UINT64, &a.tune.seed, "S", "of copies and batches, below 2^32 (default 0)"},
      CLI_DEVICE_ROW(&a.tune.device),
      {"threads", CLI_INT, &a.tune.threads, "T", "0: as many as the process may use"},
      {"dtype", CLI_DTYPE, &a.dtype, "FORMAT", "float32 or bfloat16 (default: as trained)"},
      {"out", CLI_STRING, &a.out, "DIR", "keep the tuned model in this folder"},
      {"submission", CLI_STRING, &a.submission, "FILE", "write the attempts in Kaggle's format"},
      {"json", CLI_FLAG, &a.json, NULL, "one JSON object per test input"},
      {NULL, CLI_FLAG, NULL, NULL, NULL}};
  int code;
  finetune_run r = {0};
  trm_error err = {0};
  a.tune.augment = TRM_AUGMENT_ON_THE_FLY;
  a.tune.device = CLI_ANY_DEVICE;
  if (!cli_options_parse(&manual, options, &argc, argv, &code)) return code;
  if (argc != 1 || !a.task)
    return cli_usage_error("want MODEL and --task FILE.json; see trm finetune --help");
  a.model = argv[0];
  trm_status st = finetune(&a, &r, &err);
  trm_arc_votes_free(r.votes);
  trm_arc_data_free(r.data);
  trm_arc_tasks_free(r.tasks);
  trm_model_free(r.model);
  trm_model_free(r.tuned);
  return cli_finish(st == TRM_OK ? CLI_OK : cli_report_error(&err));
}
