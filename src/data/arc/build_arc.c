/* ARC data sets from files of tasks: loading, drawing, writing. Nothing big is ever held: what was
 * drawn takes some 40 bytes a copy and 2 an example, and the examples are made while they are
 * written. */
#include <string.h>

#include "base/cpus.h"
#include "base/memory.h"
#include "data/arc/arc_write.h"
#include "data/dataset_folder.h"
#include "trm/arc.h"

/* A build in progress. */
typedef struct build {
  const trm_arc_build_config *config;
  trm__arc_tasks *subset; /* [n_subsets] */
  trm__arc_plan plan;
  trm__arc_drawn drawn;
  trm__pool *pool;
  trm__folder folder;
} build;

static trm_status check_config(const trm_arc_build_config *c, int *test_subset, trm_error *err) {
  *test_subset = -1;
  if (!c->input_prefix || !c->subsets || c->n_subsets < 1)
    TRM_FAIL(err, TRM_E_ARGUMENT, "no input file prefix or no subset was named");
  if (c->seed > UINT32_MAX)
    TRM_FAIL(err, TRM_E_ARGUMENT, "seed %llu: want 0 to 4294967295", (unsigned long long)c->seed);
  if (c->canvas < 0 || c->canvas > TRM__ARC_SIDE)
    TRM_FAIL(err, TRM_E_ARGUMENT, "canvas %d: want 1 to 30, or 0 for 30", c->canvas);
  if (c->threads < 0) TRM_FAIL(err, TRM_E_ARGUMENT, "%d threads: want 0 or more", c->threads);
  for (int k = 0; k < c->n_subsets; k++) {
    for (int j = 0; j < k; j++)
      if (!strcmp(c->subsets[k], c->subsets[j]))
        TRM_FAIL(err, TRM_E_ARGUMENT, "the subset '%s' is named twice", c->subsets[k]);
    if (c->test_set_name && !strcmp(c->subsets[k], c->test_set_name)) *test_subset = k;
  }
  if (c->test_set_name && *test_subset < 0)
    TRM_FAIL(err, TRM_E_ARGUMENT, "the test set '%s' is none of the subsets", c->test_set_name);
  return TRM_OK;
}

static void join_invalid(trm_arc_invalid *all, const trm_arc_invalid *more) {
  enum { NAMED = 5 };
  const size_t used = strlen(all->ids);
  if (!all->tasks) all->why = more->why;
  if (more->tasks && all->tasks < NAMED)
    (void)snprintf(all->ids + used, sizeof all->ids - used, "%s%s", used ? ", " : "", more->ids);
  all->tasks += more->tasks;
}

static trm_status load_subsets(build *b, trm_arc_build_report *report, trm_error *err) {
  const trm_arc_build_config *c = b->config;
  int64_t kept = 0;
  TRM_ALLOC(&b->subset, c->n_subsets, "the subsets", err);

  /* Tasks that are not valid, or larger than the canvas, are counted and left out. */
  for (int k = 0; k < c->n_subsets; k++) {
    b->subset[k].lenient = c->skip_invalid;
    const trm_status st =
        trm__arc_tasks_load_subset(c->input_prefix, c->subsets[k], &b->subset[k], err);
    join_invalid(&report->invalid, &b->subset[k].invalid);
    TRM_TRY(st);
    (void)trm__arc_tasks_keep_valid(&b->subset[k]);
    report->too_large += trm__arc_tasks_keep_fitting(&b->subset[k], b->plan.canvas);

    /* The tested subset must have a task left, and so must all of them together. */
    kept += b->subset[k].n;
    if (!(k == b->plan.test_subset ? b->subset[k].n : kept + c->n_subsets - 1 - k))
      TRM_FAIL(err, TRM_E_RANGE, "subset %s: no task is valid and fits a canvas of %d x %d cells",
               c->subsets[k], b->plan.canvas, b->plan.canvas);

    /* What the report says of the files. */
    for (int64_t i = 0; i < b->subset[k].n; i++) report->listed += b->subset[k].task[i].listed;
    for (int64_t i = 0; i < b->subset[k].n; i++)
      for (int j = 0; j < b->subset[k].task[i].n_test; j++)
        report->unsolved += !b->subset[k].task[i].test[j].has_output;
  }
  return TRM_OK;
}

static void fill_report(const trm__arc_drawn *d, trm_arc_build_report *r) {
  const trm__arc_split *train = &d->split[TRM__ARC_TRAIN], *test = &d->split[TRM__ARC_TEST];
  r->tasks = d->tasks;
  r->train_tasks = train->groups;
  r->train_puzzles = train->puzzles;
  r->train_examples = train->examples;
  r->test_tasks = test->groups;
  r->test_puzzles = test->puzzles;
  r->test_examples = test->examples;
  r->identifiers = d->n_names;
  r->short_of_copies = d->short_of_copies;
  r->test_tasks_trained = d->repeated;
}

static trm_status write_folder(build *b, trm_error *err) {
  static const char *const names[TRM__ARC_SPLITS] = {"train", "test"};
  const trm_arc_build_config *c = b->config;
  trm__arc_writing w = {.folder = b->folder.path,
                        .drawn = &b->drawn,
                        .pool = b->pool,
                        .progress = c->progress,
                        .progress_arg = c->progress_arg};
  for (int k = 0; k < TRM__ARC_SPLITS; k++) w.total += b->drawn.split[k].examples;
  for (int k = 0; k < TRM__ARC_SPLITS; k++) {
    const trm__arc_split *s = &b->drawn.split[k];
    if (s->groups)
      TRM_TRY((c->compact ? trm__arc_write_compact : trm__arc_write_split)(&w, names[k], s, err));
  }
  TRM_TRY(trm__arc_write_identifiers(&w, err));
  const int test = b->plan.test_subset;
  TRM_TRY(trm__arc_write_tasks(&w, test < 0 ? NULL : &b->subset[test], err));
  return trm__folder_commit(&b->folder, err);
}

static trm_status run_build(build *b, trm_arc_build_report *report, trm_error *err) {
  const trm_arc_build_config *c = b->config;
  TRM_TRY(trm__dataset_folder_begin(&b->folder, c->output_dir, err));
  b->plan.canvas = c->canvas ? c->canvas : TRM__ARC_SIDE;
  TRM_TRY(load_subsets(b, report, err));
  b->plan.subset = b->subset;
  b->plan.n_subsets = c->n_subsets;
  b->plan.num_aug = c->num_aug;
  b->plan.seed = (uint32_t)c->seed;
  b->plan.progress = c->progress;
  b->plan.progress_arg = c->progress_arg;
  TRM_TRY(trm__arc_draw(&b->plan, &b->drawn, err));
  fill_report(&b->drawn, report);
  const int threads = trm__useful_threads(c->threads);
  TRM_TRY(trm__pool_create(threads < 2 ? 1 : 2, &b->pool, err)); /* one for each array */
  return write_folder(b, err);
}

trm_status trm_build_arc(const trm_arc_build_config *config, trm_arc_build_report *report,
                         trm_error *err) {
  trm_arc_build_report unused;
  if (!report) report = &unused;
  memset(report, 0, sizeof *report);
  build b = {.config = config};
  TRM_TRY(check_config(config, &b.plan.test_subset, err));
  const trm_status st = run_build(&b, report, err);
  trm__pool_free(b.pool);
  trm__folder_abort(&b.folder);
  trm__arc_drawn_free(&b.drawn);
  for (int k = 0; b.subset && k < config->n_subsets; k++) trm__arc_tasks_free(&b.subset[k]);
  trm__free(b.subset);
  return st;
}
