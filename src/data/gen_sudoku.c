/* Generated Sudokus into a data set folder.
 *
 * Candidate i is a function of (seed, i). Which split it may go to is decided by a hash of its
 * canonical form, so that all symmetric images of a puzzle fall to one side: train and test are
 * disjoint up to symmetry by construction, without comparing them. Candidates are made in blocks by
 * all threads and taken in order of i, so the result does not depend on how many there are. */
#include <string.h>

#include "base/cpus.h"
#include "base/memory.h"
#include "base/rng.h"
#include "base/team.h"
#include "data/dataset_write.h"
#include "data/sudoku_shape.h"

enum {
  MIN_BLOCK = 64,
  MAX_BLOCK = 2048,
  MAX_BARREN = 50000, /* candidates in a row that give nothing new before giving up */
  MAX_PUZZLES = 100 * 1000 * 1000
};

typedef struct candidate {
  bool met; /* a puzzle that meets the target */
  trm__grid_key key;
  double side; /* in [0, 1), the same for all symmetric images */
  uint8_t question[TRM_SUDOKU_MAX_CELLS], answer[TRM_SUDOKU_MAX_CELLS];
} candidate;

typedef struct generation {
  const trm_sudoku_gen_config *config;
  trm_puzzle puzzle;
  trm__sudoku_shape shape;
  trm__sudoku_target target;
  trm__sudoku_list train, test;
  candidate *block;
  int64_t first, in_block, barren;
  trm__grid_key *seen; /* open addressing, all zero: free */
  uint64_t mask;
} generation;

/* --- candidates --- */

static void make_candidate(const generation *g, int64_t index, candidate *c) {
  trm__rng rng =
      trm__rng_at(g->config->seed, TRM__RNG_GENERATE, (uint64_t)index >> 32, (uint32_t)index);
  c->met = trm__sudoku_generate(&g->shape, &g->target, &rng, c->question, c->answer);
  if (!c->met) return;
  c->key = trm__grid_key_of(c->question, g->shape.cells, 0);
  c->side = 1;
  if (!g->config->n_test) return;
  uint8_t form[TRM_SUDOKU_MAX_CELLS];
  trm_sudoku_canonical(&g->puzzle, c->question, form);
  c->side = (double)(trm__grid_key_of(form, g->shape.cells, g->config->seed).a >> 11) * 0x1p-53;
}

static void make_share(void *arg, trm__lane *lane) {
  generation *g = arg;
  int64_t low, high;
  trm__lane_share(lane, g->in_block, 1, &low, &high);
  for (int64_t i = low; i < high; i++) make_candidate(g, g->first + i, &g->block[i]);
}

/* --- what is taken --- */

/* False when the key was there already. */
static bool remember(generation *g, trm__grid_key key) {
  if (!key.a && !key.b) key.a = 1;
  uint64_t slot = key.a & g->mask;
  for (; g->seen[slot].a || g->seen[slot].b; slot = (slot + 1) & g->mask)
    if (g->seen[slot].a == key.a && g->seen[slot].b == key.b) return false;
  g->seen[slot] = key;
  return true;
}

static void take_block(generation *g) {
  const trm_sudoku_gen_config *c = g->config;
  size_t cells = (size_t)g->shape.cells;
  double test_share = (double)c->n_test / (double)(c->n_train + c->n_test);
  for (int64_t i = 0; i < g->in_block; i++) {
    const candidate *from = &g->block[i];
    bool to_test = from->met && from->side < test_share;
    trm__sudoku_list *list = to_test ? &g->test : &g->train;
    g->barren++;
    if (!from->met || list->n == (to_test ? c->n_test : c->n_train)) continue;
    if (!remember(g, from->key)) continue;
    memcpy(list->question + (size_t)list->n * cells, from->question, cells);
    memcpy(list->answer + (size_t)list->n * cells, from->answer, cells);
    list->n++;
    g->barren = 0;
  }
}

static int64_t missing(const generation *g) {
  return g->config->n_train + g->config->n_test - g->train.n - g->test.n;
}

static trm_status fill_lists(generation *g, trm__pool *pool, trm_error *err) {
  const trm_sudoku_gen_config *c = g->config;
  int64_t total = missing(g);
  for (g->first = 0; missing(g); g->first += g->in_block) {
    int64_t want = missing(g) + missing(g) / 8;
    g->in_block = want < MIN_BLOCK ? MIN_BLOCK : want > MAX_BLOCK ? MAX_BLOCK : want;
    trm__pool_run(pool, 1, make_share, g);
    take_block(g);
    if (c->progress && !c->progress(c->progress_arg, total - missing(g), total))
      TRM_FAIL(err, TRM_E_INTERRUPTED, "stopped: nothing was written");
    if (g->barren > MAX_BARREN)
      TRM_FAIL(
          err, TRM_E_CONFIG,
          "only %lld of %lld training and %lld of %lld test puzzles of this kind were found in "
          "%lld tries, none in the last %d: ask for fewer, or loosen givens and backtracks",
          (long long)g->train.n, (long long)c->n_train, (long long)g->test.n, (long long)c->n_test,
          (long long)(g->first + g->in_block), MAX_BARREN);
  }
  return TRM_OK;
}

/* --- the folder --- */

static trm_status write_split(const generation *g, const trm__folder *f, const char *name,
                              const trm__sudoku_list *list, trm_error *err) {
  trm__split_writer w = {0};
  trm_status st = trm__split_begin(&w, f, name, &g->puzzle, list->n, 1, err);
  for (int64_t i = 0; st == TRM_OK && i < list->n; i++)
    trm__split_add_sudoku(&w, list->question + i * g->shape.cells,
                          list->answer + i * g->shape.cells);
  if (st == TRM_OK) st = trm__split_end(&w, err);
  trm__split_abort(&w);
  return st;
}

static trm_status write_folder(const generation *g, trm__folder *f, trm_error *err) {
  TRM_TRY(write_split(g, f, "train", &g->train, err));
  if (g->test.n) TRM_TRY(write_split(g, f, "test", &g->test, err));
  TRM_TRY(trm__folder_write_blank(f, err));
  return trm__folder_commit(f, err);
}

/* --- the whole --- */

static trm_status check_config(const trm_sudoku_gen_config *c, trm_error *err) {
  trm_puzzle p = trm_sudoku_of_size(c->size);
  int cells = p.rows * p.cols;
  if (p.kind == TRM_PUZZLE_NONE)
    TRM_FAIL(err, TRM_E_ARGUMENT, "size %d: want 4, 6, 8, 9, 10, 12 or 16", c->size);
  if (c->n_train < 1 || c->n_test < 0 || c->n_train > MAX_PUZZLES || c->n_test > MAX_PUZZLES)
    TRM_FAIL(err, TRM_E_ARGUMENT,
             "%lld training and %lld test puzzles: want at least 1 and 0, at most %d",
             (long long)c->n_train, (long long)c->n_test, MAX_PUZZLES);
  if (c->min_givens < 0 || c->max_givens < 0 || c->min_givens > cells || c->max_givens > cells ||
      (c->max_givens && c->min_givens > c->max_givens))
    TRM_FAIL(err, TRM_E_ARGUMENT, "%d to %d givens: want a range within 0 to %d", c->min_givens,
             c->max_givens, cells);
  if (c->min_backtracks < 0 || c->max_backtracks < 0 ||
      (c->max_backtracks && c->min_backtracks > c->max_backtracks))
    TRM_FAIL(err, TRM_E_ARGUMENT, "%lld to %lld backtracks: want a range of at least 0",
             (long long)c->min_backtracks, (long long)c->max_backtracks);
  if (c->threads < 0) TRM_FAIL(err, TRM_E_ARGUMENT, "%d threads: want 0 or more", c->threads);
  return TRM_OK;
}

static trm_status prepare(generation *g, trm_error *err) {
  const trm_sudoku_gen_config *c = g->config;
  g->puzzle = trm_sudoku_of_size(c->size);
  trm__sudoku_shape_init(&g->shape, &g->puzzle);
  g->target =
      (trm__sudoku_target){c->min_givens, c->max_givens, c->min_backtracks, c->max_backtracks};
  g->mask = 63;
  while (g->mask < 2 * (uint64_t)(c->n_train + c->n_test)) g->mask = g->mask * 2 + 1;
  TRM_ALLOC(&g->seen, g->mask + 1, "the puzzles seen", err);
  TRM_ALLOC(&g->block, MAX_BLOCK, "candidates", err);
  TRM_TRY(trm__sudoku_list_alloc(&g->train, c->n_train, g->shape.cells, err));
  return trm__sudoku_list_alloc(&g->test, c->n_test, g->shape.cells, err);
}

static trm_status run_generation(generation *g, trm_build_report *report, trm_error *err) {
  trm__folder folder = {0};
  trm__pool *pool = NULL;
  int threads = g->config->threads ? g->config->threads : trm__default_threads();
  trm_status st;
  TRM_GOTO(prepare(g, err));
  TRM_GOTO(trm__folder_begin(&folder, g->config->output_dir, err)); /* before the long part */
  TRM_GOTO(trm__pool_create(threads, &pool, err));
  TRM_GOTO(fill_lists(g, pool, err));
  TRM_GOTO(trm__count_duplicates(&g->puzzle, &g->train, &g->test, report, err));
  report->train_examples = g->train.n;
  report->test_examples = g->test.n;
  TRM_GOTO(write_folder(g, &folder, err));
done:
  trm__folder_abort(&folder);
  trm__pool_free(pool);
  return st;
}

trm_status trm_gen_sudoku(const trm_sudoku_gen_config *config, trm_build_report *report,
                          trm_error *err) {
  trm_build_report unused;
  if (!report) report = &unused;
  memset(report, 0, sizeof *report);
  TRM_TRY(check_config(config, err));
  generation *g;
  TRM_ALLOC(&g, 1, "a generator", err);
  g->config = config;
  trm_status st = run_generation(g, report, err);
  trm__sudoku_list_free(&g->train);
  trm__sudoku_list_free(&g->test);
  trm__free(g->seen);
  trm__free(g->block);
  trm__free(g);
  return st;
}
