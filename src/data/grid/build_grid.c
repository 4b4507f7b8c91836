/* A user's own puzzles into a data set folder: vocabulary and canvas are found, every example is
 * checked, a share may be held out for testing, and declared symmetries give stored copies. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/canonical.h"
#include "data/dataset_write.h"
#include "data/grid/grid_list.h"
#include "data/grid/grid_share.h"
#include "puzzle/grid_symmetry.h"
#include "puzzle/puzzle.h"
#include "trm/grid.h"

typedef struct entry {
  const trm__grid_list *list;
  const trm__grid_pair *pair;
  bool test;
} entry;

/* A build in progress. */
typedef struct build {
  const trm_grid_build_config *config;
  trm__grid_symbols symbols;
  trm__grid_list list[2]; /* of the files */
  uint8_t token[256];     /* of a symbol's index; TRM__GRID_NULL is handled before */
  trm_puzzle puzzle;
  trm__grid_symmetry symmetry;
  int64_t n, cells;
  entry *entry;                         /* [n] the training file's, then the test file's */
  trm__grid_key *literal, *canonical;   /* [n] of the inputs */
  int32_t *inputs, *labels;             /* [cells] the example at hand ... */
  int32_t *image_inputs, *image_labels; /* ... and its image */
  uint8_t *narrow;                      /* [2, cells] */
} build;

/* --- files, vocabulary, canvas --- */

static trm_status name_tokens(build *b, trm_error *err) {
  uint8_t order[TRM_PUZZLE_MAX_SYMBOLS];
  for (int i = 0; i < b->symbols.n; i++) order[i] = (uint8_t)i;
  if (!b->config->vocabulary) trm__grid_symbols_sort(&b->symbols, order);
  for (int i = 0; i < b->symbols.n; i++) {
    if (!trm__puzzle_add_symbol(&b->puzzle, b->symbols.text[order[i]]))
      TRM_FAIL(err, TRM_E_RANGE,
               "the symbols of the vocabulary are too long together: at most %zu "
               "bytes",
               sizeof b->puzzle.vocabulary - 2 - (size_t)b->symbols.n);
    b->token[order[i]] = (uint8_t)i; /* of the first symbol on, until the canvas is known */
  }
  return TRM_OK;
}

static trm_status read_files(build *b, trm_error *err) {
  const trm_grid_build_config *c = b->config;
  if (c->vocabulary) TRM_TRY(trm__grid_symbols_given(&b->symbols, c->vocabulary, err));
  for (int k = 0; k < 2; k++) {
    trm__grid_list *list = &b->list[k];
    list->path = k ? c->test : c->train;
    list->symbols = &b->symbols;
    list->columns = c->columns;
    list->progress = c->progress;
    list->progress_arg = c->progress_arg;
    if (!list->path) continue;
    TRM_TRY(trm__grid_read(list, c->rows, c->cols, err));
    if (!list->n) TRM_FAIL(err, TRM_E_FORMAT, "%s holds no puzzle", list->path);
    if (b->n + list->n > INT32_MAX)
      TRM_FAIL(err, TRM_E_RANGE, "more than 2^31 - 1 puzzles in both files");
    b->n += list->n;
    b->symbols.closed = true;
  }
  return name_tokens(b, err);
}

static trm_status list_entries(build *b, trm_error *err) {
  TRM_ALLOC(&b->entry, b->n, "the list of puzzles", err);
  entry *e = b->entry;
  for (int k = 0; k < 2; k++)
    for (int64_t i = 0; i < b->list[k].n; i++)
      *e++ = (entry){&b->list[k], &b->list[k].pair[i], k == 1};
  return TRM_OK;
}

static trm_status find_canvas(build *b, trm_error *err) {
  const trm_grid_build_config *c = b->config;
  trm_puzzle *p = &b->puzzle;

  /* The canvas is the one asked for, else as high as the highest grid and as wide as the widest. */
  for (int64_t i = 0; i < b->n; i++)
    for (int g = 0; g < 2; g++) {
      const trm__grid_pair *pair = b->entry[i].pair;
      if (c->canvas_rows && (pair->rows[g] > c->canvas_rows || pair->cols[g] > c->canvas_cols))
        TRM_FAIL_AT(err, TRM_E_CONFIG, pair->line,
                    "%s %s %lld: a grid of %d x %d cells does not fit the canvas of %d x %d",
                    b->entry[i].list->path, b->entry[i].list->unit, pair->line, pair->rows[g],
                    pair->cols[g], c->canvas_rows, c->canvas_cols);
      if (pair->rows[g] > p->rows) p->rows = pair->rows[g];
      if (pair->cols[g] > p->cols) p->cols = pair->cols[g];
    }
  if (c->canvas_rows) p->rows = c->canvas_rows, p->cols = c->canvas_cols;

  /* Grids that do not fill it have end marks, and their token comes before those of the symbols. */
  for (int64_t i = 0; i < b->n && !p->sized; i++)
    for (int g = 0; g < 2; g++)
      p->sized |= b->entry[i].pair->rows[g] != p->rows || b->entry[i].pair->cols[g] != p->cols;
  for (int i = 0; i < b->symbols.n; i++)
    b->token[i] = (uint8_t)(b->token[i] + trm_puzzle_first_symbol(p));
  b->cells = (int64_t)p->rows * p->cols;
  return TRM_OK;
}

/* The checker must be one that there is. */
static trm_status take_rules(build *b, trm_error *err) {
  const char *name = b->config->rules ? b->config->rules : "";
  char known[128] = "";
  snprintf(b->puzzle.rules, sizeof b->puzzle.rules, "%s", name);
  if (!*name || (strlen(name) < sizeof b->puzzle.rules && trm_puzzle_has_rules(&b->puzzle)))
    return TRM_OK;
  size_t used = 0;
  for (int i = 0; trm_puzzle_rules_name(i) && used < sizeof known; i++)
    used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "",
                             trm_puzzle_rules_name(i));
  TRM_FAIL(err, TRM_E_CONFIG, "no rules are called '%.60s'; known are %s", name, known);
}

static trm_status describe_puzzle(build *b, trm_error *err) {
  trm_puzzle *p = &b->puzzle;
  const char *symmetries = b->config->symmetries ? b->config->symmetries : "";
  TRM_TRY(find_canvas(b, err));
  TRM_TRY(take_rules(b, err));
  TRM_TRY(trm__grid_symmetry_init(&b->symmetry, p, symmetries, "symmetries", p->symmetries, err));
  if (b->config->num_aug && trm__grid_symmetry_none(&b->symmetry))
    TRM_FAIL(err, TRM_E_CONFIG, "copies are images under symmetries, and none are declared");
  TRM_ALLOC(&b->inputs, b->cells, "a grid", err);
  TRM_ALLOC(&b->labels, b->cells, "a grid", err);
  TRM_ALLOC(&b->image_inputs, b->cells, "a grid", err);
  TRM_ALLOC(&b->image_labels, b->cells, "a grid", err);
  TRM_ALLOC(&b->narrow, 2 * b->cells, "a grid", err);
  return TRM_OK;
}

/* --- examples --- */

/* One of a pair's grids on the canvas. */
static void place(const build *b, const entry *e, int grid, int32_t *to) {
  const trm__grid_pair *pair = e->pair;
  int rows = pair->rows[grid], cols = pair->cols[grid];
  int32_t pad = grid == TRM__GRID_INPUT ? 0 : TRM_IGNORE_LABEL;
  const uint8_t *cell = e->list->cell + pair->at;
  if (grid == TRM__GRID_OUTPUT) cell += pair->rows[TRM__GRID_INPUT] * pair->cols[TRM__GRID_INPUT];
  for (int i = 0; i < b->puzzle.rows; i++, to += b->puzzle.cols)
    for (int j = 0; j < b->puzzle.cols; j++) {
      to[j] = pad;
      if (i < rows && j < cols) {
        if (*cell != TRM__GRID_NULL) to[j] = b->token[*cell];
        cell++;
      } else if ((i == rows && j < cols) || (j == cols && i < rows)) {
        to[j] = TRM_PUZZLE_END;
      }
    }
}

static void load(build *b, int64_t i) {
  place(b, &b->entry[i], TRM__GRID_INPUT, b->inputs);
  place(b, &b->entry[i], TRM__GRID_OUTPUT, b->labels);
}

static const uint8_t *narrowed(const int32_t *tokens, int64_t n, uint8_t *to) {
  for (int64_t i = 0; i < n; i++) to[i] = (uint8_t)(tokens[i] < 0 ? 0 : tokens[i]);
  return to;
}

static trm_status check_rules(const build *b, const entry *e, trm_error *err) {
  if (!*b->puzzle.rules) return TRM_OK;
  const trm__grid_pair *p = e->pair;
  if (p->rows[0] != p->rows[1] || p->cols[0] != p->cols[1])
    TRM_FAIL_AT(err, TRM_E_PUZZLE, p->line,
                "%s %s %lld: the input has %d x %d cells, the output %d x %d; by the rules of '%s' "
                "both have the same size",
                e->list->path, e->list->unit, p->line, p->rows[0], p->cols[0], p->rows[1],
                p->cols[1], b->puzzle.rules);
  if (trm_puzzle_solves(&b->puzzle, b->inputs, b->labels)) return TRM_OK;
  TRM_FAIL_AT(err, TRM_E_PUZZLE, e->pair->line,
              "%s %s %lld: the output is no right answer to the input by the rules of '%s'",
              e->list->path, e->list->unit, e->pair->line, b->puzzle.rules);
}

static trm_status tick(const build *b, int64_t done, int64_t total, trm_error *err) {
  return trm__build_tick(b->config->progress, b->config->progress_arg, done, total, err);
}

/* Looks at every example: its rules, and what tells it apart. */
static trm_status survey(build *b, trm_error *err) {
  TRM_ALLOC(&b->literal, b->n, "the search for duplicates", err);
  TRM_ALLOC(&b->canonical, b->n, "the search for duplicates", err);
  trm__canonizer forms = {0};
  trm_status st = trm__canonizer_init(&forms, &b->puzzle, (int)b->cells, err);
  for (int64_t i = 0; st == TRM_OK && i < b->n; i++) {
    load(b, i);
    st = check_rules(b, &b->entry[i], err);
    b->literal[i] = trm__literal_key(&forms, b->inputs, NULL);
    b->canonical[i] = trm__canonical_key(&forms, b->inputs);
    if (st == TRM_OK) st = tick(b, i, b->n, err);
  }
  trm__canonizer_free(&forms);
  return st;
}

static trm_status hold_out(build *b, trm_error *err) {
  if (b->config->test_share == 0) return TRM_OK;
  trm__share_item *item;
  TRM_ALLOC(&item, b->n, "the share for testing", err);
  for (int64_t i = 0; i < b->n; i++)
    item[i] = (trm__share_item){
        .form = b->canonical[i], .has_id = b->entry[i].pair->has_id, .id = b->entry[i].pair->id};
  trm_status st = trm__grid_share(item, b->n, b->config->test_share, b->config->seed, err);
  for (int64_t i = 0; st == TRM_OK && i < b->n; i++) b->entry[i].test = item[i].chosen;
  trm__free(item);
  return st;
}

/* Training keys to the front of a fresh array, test keys behind. */
static trm_status count(const build *b, bool canonical, trm_build_report *report, trm_error *err) {
  const trm__grid_key *key = canonical ? b->canonical : b->literal;
  trm__grid_key *sorted;
  int64_t at = 0, n_train = 0;
  TRM_ALLOC(&sorted, b->n, "the search for duplicates", err);
  for (int test = 0; test < 2; test++) {
    for (int64_t i = 0; i < b->n; i++)
      if (b->entry[i].test == test) sorted[at++] = key[i];
    if (!test) n_train = at;
  }
  trm__count_keys(sorted, n_train, sorted + n_train, b->n - n_train, canonical, report);
  trm__free(sorted);
  return TRM_OK;
}

/* --- the folder --- */

static void add(build *b, trm__split_writer *w, const int32_t *inputs, const int32_t *labels) {
  uint8_t *second = b->narrow + b->cells;
  trm__split_add(w, narrowed(inputs, b->cells, b->narrow), narrowed(labels, b->cells, second));
}

/* Example i and its images: one group. */
static void add_group(build *b, trm__split_writer *w, int64_t i) {
  load(b, i);
  add(b, w, b->inputs, b->labels);
  for (int64_t k = 1; k < w->copies; k++) {
    trm__rng rng = trm__rng_at(b->config->seed, TRM__RNG_AUGMENT, (uint64_t)i, (uint32_t)k);
    trm__grid_image image;
    trm__grid_image_draw(&b->symmetry, b->inputs, b->labels, &rng, &image);
    trm__grid_image_apply(&b->symmetry, &image, 0, b->inputs, b->image_inputs);
    trm__grid_image_apply(&b->symmetry, &image, TRM_IGNORE_LABEL, b->labels, b->image_labels);
    add(b, w, b->image_inputs, b->image_labels);
  }
}

static trm_status write_split(build *b, const trm__folder *f, bool test, int64_t groups,
                              int64_t copies, trm_error *err) {
  trm__split_writer w = {0};
  int64_t done = 0;
  trm_status st = trm__split_begin(&w, f, test ? "test" : "train", &b->puzzle, groups, copies, err);
  for (int64_t i = 0; st == TRM_OK && i < b->n; i++) {
    if (b->entry[i].test != test) continue;
    add_group(b, &w, i);
    st = tick(b, done++, groups, err);
  }
  if (st == TRM_OK) st = trm__split_end(&w, err);
  trm__split_abort(&w);
  return st;
}

static trm_status write_folder(build *b, trm__folder *f, trm_build_report *report, trm_error *err) {
  int64_t copies = 1 + (int64_t)b->config->num_aug;
  TRM_TRY(trm__dataset_folder_begin(f, b->config->output_dir, err));
  TRM_TRY(write_split(b, f, false, report->train_puzzles, copies, err));
  if (report->test_puzzles) TRM_TRY(write_split(b, f, true, report->test_puzzles, 1, err));
  TRM_TRY(trm__dataset_folder_write_blank(f, err));
  report->train_examples = report->train_puzzles * copies;
  report->test_examples = report->test_puzzles;
  report->empty_rows = b->list[0].empty_rows + b->list[1].empty_rows;
  return trm__folder_commit(f, err);
}

static trm_status check_config(const trm_grid_build_config *c, trm_error *err) {
  if (!c->train) TRM_FAIL(err, TRM_E_ARGUMENT, "no file of training puzzles was named");
  if (!(c->test_share >= 0 && c->test_share < 1))
    TRM_FAIL(err, TRM_E_ARGUMENT, "test share %g: want 0 or more, less than 1", c->test_share);
  if (c->test && c->test_share > 0)
    TRM_FAIL(err, TRM_E_ARGUMENT,
             "a share for testing is taken from one file; here there is a test file, too");
  if (!c->rows != !c->cols || c->rows < 0 || c->cols < 0 || c->rows > TRM_PUZZLE_MAX_SIDE ||
      c->cols > TRM_PUZZLE_MAX_SIDE)
    TRM_FAIL(err, TRM_E_ARGUMENT, "rows %d and columns %d: want both, 1 to %d", c->rows, c->cols,
             TRM_PUZZLE_MAX_SIDE);
  if (!c->canvas_rows != !c->canvas_cols || c->canvas_rows < 0 || c->canvas_cols < 0 ||
      c->canvas_rows > TRM_PUZZLE_MAX_SIDE || c->canvas_cols > TRM_PUZZLE_MAX_SIDE)
    TRM_FAIL(err, TRM_E_ARGUMENT, "a canvas of %d x %d: want sides of 1 to %d", c->canvas_rows,
             c->canvas_cols, TRM_PUZZLE_MAX_SIDE);
  if (c->num_aug < 0) TRM_FAIL(err, TRM_E_ARGUMENT, "%d copies: want 0 or more", c->num_aug);
  return TRM_OK;
}

static trm_status run_build(build *b, trm_build_report *report, trm_error *err) {
  b->puzzle.kind = TRM_PUZZLE_GRID;
  TRM_TRY(read_files(b, err));
  TRM_TRY(list_entries(b, err));
  TRM_TRY(describe_puzzle(b, err));
  TRM_TRY(survey(b, err));
  TRM_TRY(hold_out(b, err));
  TRM_TRY(count(b, false, report, err));
  TRM_TRY(count(b, true, report, err));
  trm__folder folder = {0};
  trm_status st = write_folder(b, &folder, report, err);
  trm__folder_abort(&folder);
  return st;
}

trm_status trm_build_grid(const trm_grid_build_config *config, trm_build_report *report,
                          trm_error *err) {
  trm_build_report unused;
  if (!report) report = &unused;
  memset(report, 0, sizeof *report);
  TRM_TRY(check_config(config, err));
  build *b;
  TRM_ALLOC(&b, 1, "a build of a data set", err);
  b->config = config;
  trm_status st = run_build(b, report, err);
  void *const blocks[] = {b->entry,  b->literal,      b->canonical,    b->inputs,
                          b->labels, b->image_inputs, b->image_labels, b->narrow};
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) trm__free(blocks[i]);
  for (int k = 0; k < 2; k++) trm__grid_list_free(&b->list[k]);
  trm__free(b);
  return st;
}
