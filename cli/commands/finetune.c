/* trm finetune: a model learns tasks of ARC that it has never seen, and answers them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/bench/tune_clock.h"
#include "cli/bench/tune_show.h"
#include "cli/files.h"
#include "cli/run/find_model.h"
#include "cli/run/ranks.h"

static const cli_manual manual = {
    "trm finetune MODEL --task FILE.json [options]",
    "A task whose id was not trained has an untrained puzzle embedding, and is answered no\n"
    "better than chance. This command trains embeddings for a new ARC task and symmetric\n"
    "copies of it on its demonstrations, alone (--freeze-weights) or together with the\n"
    "network. Then it answers the test inputs: every copy votes, and the two grids with most\n"
    "votes are the attempts.\n"
    "MODEL is a model or run folder, a .safetensors file of trm convert, a published\n"
    "checkpoint, or a name that `trm models` lists. FILE is one of\n"
    "  {\"train\": [{\"input\": grid, \"output\": grid}, ...], \"test\": [{\"input\": grid}, "
    "...]}\n"
    "  {\"ID\": task, ...}\n"
    "  a folder with one task per file\n"
    "The submission is complete: a test input that cannot be answered - its task has a grid\n"
    "above the model's canvas, or is no task, or the time is over - has a copy of itself for\n"
    "an answer, and how many those are is said. With --minutes N training and answers of all\n"
    "tasks take N minutes together, of which every task has the same share; as much is kept\n"
    "back for the answers as they are going to take.\n"
    "With --state FILE a fine-tuning that is stopped or killed goes on where it was when it\n"
    "is called again with the same options, also with the time that is left; FILE,\n"
    "FILE.answers and FILE.time are removed at the end.\n"
    "Without it Ctrl-C or SIGTERM ends the training, --out keeps what was learned so far and\n"
    "--submission is answered with it; asked to end again, the submission has the votes that\n"
    "are there.\n",
    "Examples:\n"
    "  trm finetune runs/Arc-trm/first --task 0d3d703e.json --freeze-weights --steps 200\n"
    "  trm finetune step_518071 --task new.json --copies 64 --submission submission.json\n"
    "  trm finetune runs/Arc-trm/first --task tasks/ --out tuned --steps 500\n"
    "  trm finetune step_518071 --task tasks/ --state tune.state --submission submission.json\n"
    "  trm finetune step_518071 --task arc-agi_test_challenges.json --minutes 690 \\\n"
    "      --state tune.state --submission submission.json\n"};

enum { ATTEMPTS = 2 };
/* Updates without --steps: with --minutes as many as there is time for, of which the first few warm
 * up. */
enum { STEPS = 100, ENDLESS = 1 << 30, WARMUP = 10 };

typedef struct finetune_args {
  const char *model, *task, *out, *submission, *state;
  trm_finetune_config tune;
  trm_dtype dtype; /* TRM_DTYPES: the model's */
  double minutes;
  int copies, answer_steps;
  cli_thinking think; /* rollouts of each copy; the surest votes */
  bool json;
} finetune_args;

typedef struct finetune_run {
  trm_arc_tasks *all, *tasks; /* of the file; those that can be learned and answered */
  trm_arc_invalid invalid;
  int canvas;
  tune_clock clock;
  trm_arc_data *data;
  trm_model *model, *tuned;
  trm_arc_votes *votes;
  cli_progress bar;
  cli_patience patience; /* until the first update */
  double loss;           /* of an example, smoothed; -1: none yet */
  double batch;          /* rows of an update */
  int64_t first;         /* the first update of this process; 0: none yet */
  double first_at;       /* when it was done: it takes longer than others */
  int64_t done;          /* updates */
  bool stopped; /* before the last update: the answers are of what was learned until then */
  char answers[TRM__PATH_MAX]; /* the state of the answers, beside that of the training */
} finetune_run;

/* --- training --- */

/* The bar shows updates, or with a time limit the seconds of it. */
static void show_progress(finetune_run *r, int64_t update, const char *text) {
  const bool timed = r->clock.budget > 0;
  cli_progress_update(&r->bar, timed ? (int64_t)tune_clock_used(&r->clock) : update, text);
}

/* How long a supervision step of a row takes here. */
static void measure(finetune_run *r, int64_t update) {
  const double n = (double)(update - r->first), now = cli_now();
  if (update == r->first) {
    r->first_at = now;
    if (r->clock.row_step <= 0) r->clock.row_step = (now - r->clock.started) / r->batch;
  } else {
    r->clock.row_step = (now - r->first_at) / (n * r->batch);
  }
}

static bool show_update(void *arg, int64_t update, int64_t total, const trm_metrics *m) {
  finetune_run *r = arg;
  char text[32];
  if (!r->first) {
    cli_patience_end(&r->patience);
    r->first = update;
    if (r->clock.budget == 0) r->bar.first = update - 1;
    if (update > 1 && r->clock.budget > 0)
      cli_note("going on after update %lld", (long long)update - 1);
    else if (update > 1)
      cli_note("going on after update %lld of %lld", (long long)update - 1, (long long)total);
  }

  /* The loss is smoothed over some ten updates. */
  r->done = update;
  measure(r, update);
  const double loss = m->loss / r->batch;
  r->loss = r->loss < 0 ? loss : 0.9 * r->loss + 0.1 * loss;
  snprintf(text, sizeof text, "loss %.3f", r->loss);
  show_progress(r, update, text);
  tune_clock_keep(&r->clock, false);
  return !cli_interrupted();
}

/* At least one update, whatever the time. */
static bool is_enough(void *arg, int64_t done) {
  finetune_run *r = arg;
  r->done = done;
  if (r->clock.trained >= 0) return done >= r->clock.trained;
  return done > 0 && tune_clock_answers_are_due(&r->clock);
}

/* A training that was stopped: kept in its state, else in what was asked for. */
static trm_status use_what_was_learned(const finetune_args *a, finetune_run *r, trm_error *err) {
  if (a->state || !r->tuned || (!a->out && !a->submission)) return TRM_E_INTERRUPTED;
  r->stopped = true;
  if (!a->submission) {
    CLI_TRY(trm_model_save(r->tuned, a->out, err));
    return TRM_E_INTERRUPTED;
  }
  cli_note(
      "%s: answering with what was learned until then; asked to end again, %s has the votes "
      "that are there",
      err->msg, a->submission);
  cli_interrupted_go_on();
  return TRM_OK;
}

/* What the answers are going to take. */
static void set_clock(const finetune_args *a, finetune_run *r) {
  const int steps = trm_model_get_config(r->model)->halt_max_steps;
  const int64_t rows = trm_dataset_get_info(r->data->test)->examples;
  r->clock.answers = (double)rows * (a->answer_steps ? a->answer_steps : steps) *
                     trm_thinking_tries(&a->think.how);
}

static trm_status train(const finetune_args *a, finetune_run *r, trm_error *err) {
  trm_finetune_config config = a->tune;
  const int64_t examples = trm_dataset_get_info(r->data->train)->examples;
  config.state = a->state;
  config.progress = show_update;
  config.enough = is_enough;
  config.progress_arg = r;

  /* What is shown: a loss per row, smoothed from the first update on. */
  r->loss = -1;
  r->batch = (double)(examples < config.batch_size ? examples : config.batch_size);
  set_clock(a, r);

  /* The bar shows what limits the training: seconds or updates. */
  if (r->clock.budget > 0)
    cli_progress_begin(&r->bar, "training", (int64_t)r->clock.used, (int64_t)r->clock.budget, "s",
                       1);
  else
    cli_progress_begin(&r->bar, "training", 0, config.steps, "updates", 1);
  cli_patience_begin(&r->patience, CLI_PATIENCE, "training: the first update takes a while");
  trm_status st = trm_finetune(r->model, r->data->train, &config, &r->tuned, err);
  cli_patience_end(&r->patience);
  cli_progress_end(&r->bar);

  /* Only the tuned model is needed from here on. */
  trm_model_free(r->model); /* a published one is large */
  r->model = NULL;

  /* What was learned is kept, also of a training that was stopped. */
  if (st == TRM_OK) r->clock.trained = r->done;
  tune_clock_keep(&r->clock, true);
  if (st == TRM_E_INTERRUPTED) st = use_what_was_learned(a, r, err);
  CLI_TRY(st);
  return a->out ? trm_model_save(r->tuned, a->out, err) : TRM_OK;
}

/* --- answering --- */

static bool show_answers(void *arg, int64_t done, int64_t total) {
  finetune_run *r = arg;
  tune_clock_keep(&r->clock, false);
  return cli_progress_tick(&r->bar, done, total) && !tune_clock_over(&r->clock);
}

static trm_status say_time_is_over(const finetune_run *r, trm_error *err) {
  trm_arc_counts counts;
  double pass;
  CLI_TRY(trm_arc_votes_count(r->votes, (const int[]){ATTEMPTS}, 1, &pass, &counts, err));
  const int64_t copies = trm_dataset_get_info(r->data->test)->examples;
  cli_note("the time is over: %lld of %lld %s of the test inputs voted", (long long)counts.votes,
           (long long)copies, copies == 1 ? "copy" : "copies");
  return TRM_OK;
}

/* Every copy votes; until the time is over, if it is limited. */
static trm_status vote(const finetune_args *a, finetune_run *r, trm_error *err) {
  trm_eval_report *report = calloc(1, sizeof *report);
  if (!report) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for an evaluation");
  const trm_eval_config config = {.votes = r->votes,
                                  .spread = true,
                                  .steps = a->answer_steps,
                                  .think = a->think.how,
                                  .threads = a->tune.threads,
                                  .device = a->tune.device,
                                  .state = a->state ? r->answers : NULL,
                                  .state_seconds = a->tune.state_seconds,
                                  .progress = show_answers,
                                  .progress_arg = r};

  /* The tuned model answers all copies, or as many as there is time for. */
  cli_progress_begin(&r->bar, "answering", 0, 0, "copies", 1);
  const trm_status st = trm_evaluate(r->tuned, r->data->test, &config, report, err);
  cli_progress_end(&r->bar);
  free(report);

  /* When it was the time that ended it, the votes so far are what there is. */
  tune_clock_keep(&r->clock, true);
  if (st != TRM_E_INTERRUPTED || cli_interrupted() || !tune_clock_over(&r->clock)) return st;
  return say_time_is_over(r, err);
}

static trm_status submit(const finetune_args *a, const finetune_run *r, trm_error *err) {
  int64_t stand_ins;
  char count[32], file[CLI_CLEAN];
  CLI_TRY(trm_arc_votes_submit_all(r->votes, r->all, a->submission, &stand_ins, err));
  cli_format_count(stand_ins, count, sizeof count);
  if (stand_ins)
    cli_warn("%s: test inputs without an answer: %s; a copy of each stands in for it",
             cli_clean(file, sizeof file, a->submission), count);
  return TRM_OK;
}

static trm_status answer(const finetune_args *a, finetune_run *r, trm_error *err) {
  CLI_TRY(trm_arc_votes_create_for(r->tasks, r->data->names, r->data->n_names, &r->votes, err));
  const trm_status st = vote(a, r, err);
  const bool some = st == TRM_E_INTERRUPTED;
  if (!a->submission || (st != TRM_OK && !some)) return st;
  trm_error failure;
  const trm_status written = submit(a, r, &failure);
  if (written != TRM_OK) {
    *err = failure;
    return written;
  }
  if (some) cli_note("%s has the votes of the answers until then", a->submission);
  return st;
}

/* --- the command --- */

/* Why tasks of the file cannot be answered. */
typedef struct left_out {
  int64_t all, invalid, no_test, too_large;
  const char *without_test, *large; /* the first ids */
} left_out;

static left_out count_left_out(const finetune_run *r) {
  left_out l = {.all = trm_arc_tasks_count(r->all), .invalid = r->invalid.tasks};
  int64_t next = 0; /* of the tasks that are answered */
  for (int64_t i = 0; i < l.all; i++) {
    /* The tasks that are answered stand in the same order as all of them. */
    const char *id = trm_arc_tasks_id(r->all, i);
    if (next < trm_arc_tasks_count(r->tasks) && !strcmp(id, trm_arc_tasks_id(r->tasks, next))) {
      next++;
    } else if (trm_arc_tasks_train_pairs(r->all, i) == 0) {
      continue; /* no task at all */
    } else if (trm_arc_tasks_test_pairs(r->all, i) == 0) {
      if (!l.no_test++) l.without_test = id;
    } else if (!l.too_large++) {
      l.large = id;
    }
  }
  return l;
}

/* The tasks that can be answered, and what is said of the others. */
static trm_status choose_tasks(const finetune_args *a, finetune_run *r, trm_error *err) {
  CLI_TRY(trm_arc_tasks_possible(r->all, r->canvas, &r->tasks, err));
  const left_out l = count_left_out(r);
  const bool none = trm_arc_tasks_count(r->tasks) == 0;

  /* Without a task to answer, the first reason that applies is the error. */
  if (none && l.too_large)
    return cli_fail(err, TRM_E_SHAPE, -1,
                    "%s: task %s has a grid larger than the model's canvas of %d x %d cells%s",
                    a->task, l.large, r->canvas, r->canvas,
                    l.all > 1 ? ", and no other task can be answered" : "");
  if (none && l.no_test)
    return cli_fail(err, TRM_E_FORMAT, -1,
                    "%s: task %s has no \"test\" pair: there is nothing to answer", a->task,
                    l.without_test);
  if (none) {
    if (err) *err = r->invalid.why;
    return r->invalid.why.code;
  }

  /* Else the tasks that are left out are warned of, by their reasons. */
  if (l.too_large)
    cli_warn(
        "tasks with a grid larger than the model's canvas of %d x %d cells, not answered: "
        "%lld of %lld, the first is %s",
        r->canvas, r->canvas, (long long)l.too_large, (long long)l.all, l.large);
  if (l.no_test)
    cli_warn("tasks without a \"test\" pair: %lld of %lld, the first is %s", (long long)l.no_test,
             (long long)l.all, l.without_test);
  if (l.invalid)
    cli_warn("tasks that are not valid, not answered: %lld of %lld (%s%s); %s",
             (long long)l.invalid, (long long)l.all, r->invalid.ids, l.invalid > 5 ? ", ..." : "",
             r->invalid.why.msg);
  return TRM_OK;
}

/* The model, and its side of ARC's canvas, which a published checkpoint does not tell. */
static trm_status load_model(const finetune_args *a, finetune_run *r, trm_error *err) {
  static const trm_dataset_info published = {
      .vocab_size = 12, .seq_len = 900, .puzzle = {.kind = TRM_PUZZLE_ARC, .rows = 30, .cols = 30}};
  char path[TRM__PATH_MAX];
  CLI_TRY(cli_load_model(a->model, &published, path, &r->model, err));
  CLI_TRY(cli_check_draws(&a->think.how, r->model, err));
  const trm_model_config *c = trm_model_get_config(r->model);

  /* A published checkpoint knows its cells only: they must be a square of ARC's colours. */
  int side = 1;
  while (side * side < c->seq_len) side++;
  bool square = side * side == c->seq_len && side <= 30 && c->vocab_size == published.vocab_size;
  if (!trm_puzzle_facts_of(&c->puzzle)->tasks && (c->puzzle.kind != TRM_PUZZLE_NONE || !square))
    return cli_fail(err, TRM_E_FORMAT, -1,
                    "%s: its puzzles are no ARC grids: want a model that was trained on ARC tasks",
                    path);

  /* What was only inferred is said. */
  r->canvas = side;
  bool is_published;
  CLI_TRY(trm_published_is(path, &is_published, err));
  if (is_published)
    cli_note(
        "a checkpoint of PyTorch does not tell the size of its canvas: taken for %d x %d; a "
        "file of `trm convert %s OUT.safetensors --data DATA` tells it",
        side, side, path);
  return TRM_OK;
}

static trm_status finetune(const finetune_args *a, finetune_run *r, trm_error *err) {
  if (a->out) CLI_TRY(cli_check_model_folder(a->out, err));
  CLI_TRY(cli_check_writable(a->submission, err));
  CLI_TRY(cli_check_writable(a->state, err));
  if (a->state) CLI_TRY(trm__path_format(r->answers, err, "%s.answers", a->state));

  /* The time runs from here on, with all that is read. */
  CLI_TRY(tune_clock_begin(&r->clock, a->minutes, a->state, err));
  CLI_TRY(trm_arc_tasks_load_all(a->task, &r->all, &r->invalid, err));
  CLI_TRY(load_model(a, r, err));
  CLI_TRY(choose_tasks(a, r, err));
  cli_note_device(a->tune.device);

  /* Copies of the tasks to learn from, and to answer. */
  CLI_TRY(trm_arc_data_create(r->tasks, a->copies, r->canvas, a->tune.seed, &r->data, err));
  if (a->dtype != TRM_DTYPES) CLI_TRY(trm_model_set_dtype(r->model, a->dtype, err));
  CLI_TRY(train(a, r, err));
  CLI_TRY(answer(a, r, err));

  /* The time is part of what was asked for: a run that could not keep it has failed. */
  if (r->clock.status != TRM_OK) { /* the time could not be kept */
    *err = r->clock.error;
    return r->clock.status;
  }
  return tune_show(&(tune_answers){r->all, r->tasks, r->votes, a->json}, err);
}

/* The states go when everybody has what they were kept for: last the one that the other needs. */
static trm_status remove_states(const finetune_args *a, const finetune_run *r, trm_error *err) {
  const char *const files[] = {r->clock.file, r->answers, a->state};
  for (int i = *r->clock.file ? 0 : 1; a->state && i < 3; i++)
    if (unlink(files[i]) != 0 && errno != ENOENT)
      return cli_fail(err, TRM_E_IO, -1, "%s cannot be removed: %s", files[i], strerror(errno));
  return TRM_OK;
}

static int run(const finetune_args *a) {
  finetune_run r = {0};
  trm_error err = {0};
  int refused;
  if (ranks_refuse("a finetuning", &refused)) return refused;
  trm_status st = finetune(a, &r, &err);
  int code = st == TRM_OK ? CLI_OK : cli_report_error(&err);

  /* After a stop: where what was done is. */
  if (st == TRM_E_INTERRUPTED && a->state)
    cli_note("the same command goes on from %s", a->state);
  else if (st == TRM_E_INTERRUPTED && r.stopped && !a->submission)
    cli_note("%s is the model as learned until then", a->out);

  /* States are removed when the results are out; a model of a stopped run is no success. */
  code = a->submission ? cli_finish_files(code) : cli_finish(code);
  if (code == CLI_OK && remove_states(a, &r, &err) != TRM_OK) code = cli_report_error(&err);
  if (code == CLI_OK && r.stopped) code = CLI_INTERRUPTED;
  trm_arc_votes_free(r.votes);
  trm_arc_data_free(r.data);
  trm_arc_tasks_free(r.tasks);
  trm_arc_tasks_free(r.all);
  trm_model_free(r.model);
  trm_model_free(r.tuned);
  return code;
}

/* Updates and how often they are kept, which depend on whether the time is limited. */
static void set_limits(finetune_args *a) {
  const bool endless = a->tune.steps < 0 && a->minutes > 0;
  if (a->tune.steps < 0) a->tune.steps = endless ? ENDLESS : STEPS;
  if (endless) a->tune.warmup = WARMUP;
  if (a->minutes > 0 && a->minutes < 20) a->tune.state_seconds = 3 * a->minutes; /* a 20th */
}

int cmd_finetune(int argc, char **argv) {
  finetune_args a = {.tune = trm_finetune_config_default(),
                     .dtype = TRM_DTYPES,
                     .copies = 32,
                     .think = CLI_ONE_TRY};
  const cli_option options[] = {
      {"task", CLI_STRING, &a.task, "FILE", "the task or tasks to learn and answer"},
      {"freeze-weights", CLI_FLAG, &a.tune.freeze_weights, NULL,
       "train the puzzle embeddings only, not the network"},
      {"steps", CLI_COUNT, &a.tune.steps, "N",
       "updates (default 100; with --minutes as many as there is time for)"},
      {"minutes", CLI_MINUTES, &a.minutes, "N", "the time for all tasks, training and answers"},
      {"copies", CLI_INT, &a.copies, "K",
       "symmetric copies of each task to train on and to ask (default 32)"},
      {"batch", CLI_SIZE, &a.tune.batch_size, "B", "rows of an update (default 32)"},
      {"lr", CLI_DOUBLE, &a.tune.lr, "X", "learning rate of the network (default 1e-4)"},
      {"puzzle-emb-lr", CLI_DOUBLE, &a.tune.puzzle_emb_lr, "X",
       "learning rate of the embeddings (default 1e-2)"},
      {"answer-steps", CLI_STEPS, &a.answer_steps, "S", "of an answer: " CLI_STEPS_HELP},
      {"rollouts", CLI_SIZE, &a.think.how.rollouts, "K",
       "answer each copy K times, with --noise or random starts; the surest votes"},
      {"noise", CLI_DOUBLE, &a.think.how.noise, "S",
       "on the latents before each step of an answer"},
      {"seed", CLI_UINT64, &a.tune.seed, "S", "of copies and batches, below 2^32 (default 0)"},
      CLI_QUIET_ROW,
      CLI_DEVICE_ROW(&a.tune.device),
      {"threads", CLI_INT, &a.tune.threads, "T", "0: as many as the process may use"},
      {"dtype", CLI_DTYPE, &a.dtype, "FORMAT", "float32 or bfloat16 (default: as trained)"},
      {"out", CLI_OUTPUT, &a.out, "DIR", "keep the tuned model in this folder"},
      {"submission", CLI_OUTPUT, &a.submission, "FILE.json",
       "write the attempts in Kaggle's format"},
      {"state", CLI_STATE, &a.state, "FILE", "keep what is done there; go on from it"},
      {"json", CLI_FLAG, &a.json, NULL, "one JSON object per test input"},
      {NULL, CLI_FLAG, NULL, NULL, NULL}};

  /* Defaults that differ from the library's. */
  int code;
  a.tune.augment = TRM_AUGMENT_ON_THE_FLY;
  a.tune.device = CLI_ANY_DEVICE;
  a.tune.steps = -1;
  if (!cli_options_parse(&manual, options, &argc, argv, &code)) return code;
  if (argc == 2 && !a.task)
    return cli_usage_error("want the tasks by --task, as in: trm finetune %s --task %s", argv[0],
                           argv[1]);
  if (argc != 1 || !a.task)
    return cli_usage_error("want MODEL and --task FILE.json; see trm finetune --help");
  if (a.dtype == TRM_INT8)
    return cli_usage_error("--dtype: int8 is for solving; learn in float32 or bfloat16");
  if (!cli_think(&a.think, TRM_HALT_NEVER)) return CLI_USAGE;
  a.think.how.seed = cli_thinks(&a.think.how) ? a.tune.seed : 0;
  a.model = argv[0];
  set_limits(&a);
  return run(&a);
}
