/* See generate.h. */
#include "data/generate.h"

#include <stdatomic.h>
#include <string.h>

#include "base/cpus.h"
#include "base/memory.h"
#include "base/team.h"
#include "puzzle/kind.h"

enum {
  MIN_BLOCK = 64,
  MAX_BLOCK = 2048,
  BLOCK_CELLS = 1 << 22, /* a block of large puzzles is shorter */
  MAX_BARREN = 50000,    /* candidates in a row that give nothing new before giving up */
  MAX_UNMET = 10000,     /* the same before the first puzzle of all, of up to 100 cells */
  MIN_UNMET = 1000,      /* and of many cells */
  MAX_PUZZLES = 100 * 1000 * 1000
};

typedef struct candidate {
  bool met; /* there is a puzzle */
  trm__grid_key key;
  double side; /* in [0, 1), the same for all symmetric images */
} candidate;

typedef struct generation {
  const trm__generator *config;
  const trm__puzzle_kind *kind;
  int cells;
  trm__puzzle_list train, test;
  candidate *block;
  trm__puzzle_list grids; /* of the block */
  uint8_t *forms;
  int64_t first, in_block, least_in_block, most_in_block; /* tries */
  int64_t barren, total;
  atomic_bool stop;    /* asked for by the progress */
  trm__grid_key *seen; /* open addressing, all zero: free */
  uint64_t mask;
} generation;

/* --- tries --- */

/* Where a puzzle belongs. */
static void place_candidate(generation *g, int64_t slot) {
  const trm__generator *c = g->config;
  candidate *made = &g->block[slot];
  const uint8_t *question = g->grids.question + slot * g->cells;
  const uint8_t *answer = g->grids.answer + slot * g->cells;
  uint8_t *form = g->forms + slot * g->cells;
  made->met = true;
  made->key = trm__grid_key_of(question, g->cells, 0);
  made->side = 1;
  if (!c->n_test && c->yield == 1) return;
  g->kind->canonical(&c->puzzle, question, form);
  if (c->yield > 1) made->key = trm__grid_key_of(form, g->cells, 0);
  if (!c->n_test) return;
  if (c->yield > 1) g->kind->canonical(&c->puzzle, answer, form);
  made->side = (double)(trm__grid_key_of(form, g->cells, c->seed).a >> 11) * 0x1p-53;
}

static void make_try(generation *g, int64_t i) {
  const trm__generator *c = g->config;
  int64_t index = g->first + i, slot = i * c->yield;
  trm__rng rng = trm__rng_at(c->seed, TRM__RNG_GENERATE, (uint64_t)index >> 32, (uint32_t)index);
  int n = c->make(c->maker, &rng, g->grids.question + slot * g->cells,
                  g->grids.answer + slot * g->cells);
  for (int k = 0; k < c->yield; k++) g->block[slot + k].met = false;
  for (int k = 0; k < n; k++) place_candidate(g, slot + k);
}

static int64_t missing(const generation *g) {
  return g->config->n_train + g->config->n_test - g->train.n - g->test.n;
}

/* Tells the progress, on the caller's thread; false when it is to stop. */
static bool goes_on(generation *g) {
  const trm__generator *c = g->config;
  if (atomic_load(&g->stop)) return false; /* whoever stopped it is not asked again */
  if (c->progress && !c->progress(c->progress_arg, g->total - missing(g), g->total))
    atomic_store(&g->stop, true);
  return !atomic_load(&g->stop);
}

static void make_share(void *arg, trm__lane *lane) {
  generation *g = arg;
  int64_t low, high;
  trm__lane_share(lane, g->in_block, 1, &low, &high);
  for (int64_t i = low; i < high; i++) {
    /* A try may take long, and whoever stops it does not want to wait for a block. */
    if (!(lane->rank ? !atomic_load(&g->stop) : goes_on(g))) return;
    make_try(g, i);
  }
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
  const trm__generator *c = g->config;
  size_t cells = (size_t)g->cells;
  double test_share = (double)c->n_test / (double)(c->n_train + c->n_test);
  for (int64_t i = 0; i < g->in_block * c->yield; i++) {
    const candidate *from = &g->block[i];
    bool to_test = from->met && from->side < test_share;
    trm__puzzle_list *list = to_test ? &g->test : &g->train;
    g->barren++;
    if (!from->met || list->n == (to_test ? c->n_test : c->n_train)) continue;
    if (!remember(g, from->key)) continue;
    memcpy(list->question + (size_t)list->n * cells, g->grids.question + (size_t)i * cells, cells);
    memcpy(list->answer + (size_t)list->n * cells, g->grids.answer + (size_t)i * cells, cells);
    list->n++;
    g->barren = 0;
  }
}

/* Fails when the tries since the last puzzle that was new are too many. Before the first puzzle of
 * all fewer will do, the fewer the more cells it has. */
static trm_status check_barren(const generation *g, trm_error *err) {
  const trm__generator *c = g->config;
  const int64_t cells = g->cells, unmet = MAX_UNMET * 100 / cells * 100 / cells;
  const int first = (int)(unmet < MIN_UNMET ? MIN_UNMET : unmet < MAX_UNMET ? unmet : MAX_UNMET);
  const int most = g->train.n + g->test.n ? MAX_BARREN : first;
  if (g->barren <= most) return TRM_OK;
  TRM_FAIL(err, TRM_E_CONFIG,
           "only %lld of %lld training and %lld of %lld test puzzles of this kind were found in "
           "%lld tries, none in the last %d: ask for fewer, or loosen %s",
           (long long)g->train.n, (long long)c->n_train, (long long)g->test.n, (long long)c->n_test,
           (long long)(g->first + g->in_block), most, c->remedy);
}

static trm_status fill_lists(generation *g, trm__pool *pool, trm_error *err) {
  g->total = missing(g);
  for (g->first = 0; missing(g); g->first += g->in_block) {
    int64_t want = (missing(g) + missing(g) / 8) / g->config->yield, least = g->least_in_block;
    g->in_block = want < least ? least : want > g->most_in_block ? g->most_in_block : want;
    trm__pool_run(pool, 1, make_share, g);
    if (!atomic_load(&g->stop)) take_block(g);
    if (!goes_on(g)) TRM_FAIL(err, TRM_E_INTERRUPTED, "stopped: nothing was written");
    TRM_TRY(check_barren(g, err));
  }
  return TRM_OK;
}

/* --- the folder --- */

static trm_status write_split(const generation *g, const trm__folder *f, const char *name,
                              const trm__puzzle_list *list, trm_error *err) {
  trm__split_writer w = {0};
  trm_status st = trm__split_begin(&w, f, name, &g->config->puzzle, list->n, 1, err);
  for (int64_t i = 0; st == TRM_OK && i < list->n; i++)
    trm__split_add(&w, list->question + i * g->cells, list->answer + i * g->cells);
  if (st == TRM_OK) st = trm__split_end(&w, err);
  trm__split_abort(&w);
  return st;
}

static trm_status write_folder(const generation *g, trm__folder *f, trm_error *err) {
  TRM_TRY(write_split(g, f, "train", &g->train, err));
  if (g->test.n) TRM_TRY(write_split(g, f, "test", &g->test, err));
  TRM_TRY(trm__dataset_folder_write_blank(f, err));
  return trm__folder_commit(f, err);
}

/* --- the whole --- */

static trm_status check_config(const trm__generator *c, trm_error *err) {
  if (c->n_train < 1 || c->n_test < 0 || c->n_train > MAX_PUZZLES || c->n_test > MAX_PUZZLES)
    TRM_FAIL(err, TRM_E_ARGUMENT,
             "%lld training and %lld test puzzles: want at least 1 and 0, at most %d",
             (long long)c->n_train, (long long)c->n_test, MAX_PUZZLES);
  if (c->threads < 0) TRM_FAIL(err, TRM_E_ARGUMENT, "%d threads: want 0 or more", c->threads);
  return TRM_OK;
}

static trm_status prepare(generation *g, int threads, trm_error *err) {
  const trm__generator *c = g->config;
  g->cells = c->puzzle.rows * c->puzzle.cols;
  int64_t most = BLOCK_CELLS / g->cells < MAX_BLOCK ? BLOCK_CELLS / g->cells : MAX_BLOCK;
  bool slow = c->yield > 1; /* a try that gives many takes long: blocks of a few seconds */
  g->least_in_block = slow ? threads : MIN_BLOCK;
  g->most_in_block = slow ? 8 * (int64_t)threads : most;
  int64_t slots = g->most_in_block * c->yield;
  g->mask = 63;
  while (g->mask < 2 * (uint64_t)(c->n_train + c->n_test)) g->mask = g->mask * 2 + 1;
  TRM_ALLOC(&g->seen, g->mask + 1, "the puzzles seen", err);
  TRM_ALLOC(&g->block, slots, "candidates", err);
  TRM_ALLOC(&g->forms, slots * g->cells, "canonical forms", err);
  TRM_TRY(trm__puzzle_list_alloc(&g->grids, slots, g->cells, err));
  TRM_TRY(trm__puzzle_list_alloc(&g->train, c->n_train, g->cells, err));
  return trm__puzzle_list_alloc(&g->test, c->n_test, g->cells, err);
}

static trm_status run_generation(generation *g, trm_build_report *report, trm_error *err) {
  const trm__generator *c = g->config;
  trm__folder folder = {0};
  trm__pool *pool = NULL;
  const int threads = trm__useful_threads(c->threads);
  trm_status st;
  TRM_GOTO(prepare(g, threads, err));
  TRM_GOTO(trm__dataset_folder_begin(&folder, c->output_dir, err)); /* before the long part */
  TRM_GOTO(trm__pool_create(threads, &pool, err));
  TRM_GOTO(fill_lists(g, pool, err));
  TRM_GOTO(trm__count_duplicates(&c->puzzle, &g->train, &g->test, c->progress, c->progress_arg,
                                 report, err));
  report->train_examples = g->train.n;
  report->test_examples = g->test.n;
  TRM_GOTO(write_folder(g, &folder, err));
done:
  trm__folder_abort(&folder);
  trm__pool_free(pool);
  return st;
}

trm_status trm__generate(const trm__generator *config, trm_build_report *report, trm_error *err) {
  trm_build_report unused;
  if (!report) report = &unused;
  memset(report, 0, sizeof *report);
  TRM_TRY(check_config(config, err));
  generation *g;
  TRM_ALLOC(&g, 1, "a generator", err);
  g->config = config;
  g->kind = trm__kind_of(&config->puzzle);
  trm_status st = run_generation(g, report, err);
  trm__puzzle_list_free(&g->train);
  trm__puzzle_list_free(&g->test);
  trm__puzzle_list_free(&g->grids);
  trm__free(g->forms);
  trm__free(g->seen);
  trm__free(g->block);
  trm__free(g);
  return st;
}
