/* What a data set folder holds: counts, sizes, repetitions, and what test shares with train. Each
 * example compared becomes a 16-byte key; sorted keys show what is equal. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/canonical.h"
#include "data/dataset_index.h"
#include "data/splits.h"
#include "data/survey.h"

enum { TICK = 256 /* examples between two reports of progress */ };

/* --- shared with verifying --- */

trm_status trm__splits_agree(const char *dir, const trm_dataset *train, const trm_dataset *test,
                             trm_error *err) {
  const trm_dataset_info *a = &train->info, *b = &test->info;
  if (a->seq_len != b->seq_len || a->vocab_size != b->vocab_size)
    TRM_FAIL(err, TRM_E_SHAPE,
             "%s: train has seq_len %d and vocab_size %d, test %d and %d: a model cannot work with "
             "both",
             dir, a->seq_len, a->vocab_size, b->seq_len, b->vocab_size);
  if (a->puzzle.kind != b->puzzle.kind || a->puzzle.rows != b->puzzle.rows ||
      a->puzzle.cols != b->puzzle.cols || a->puzzle.sized != b->puzzle.sized ||
      memcmp(a->puzzle.vocabulary, b->puzzle.vocabulary, sizeof a->puzzle.vocabulary) != 0)
    TRM_FAIL(err, TRM_E_SHAPE,
             "%s: the tokens of train (%s, %d x %d) do not mean what those of test do (%s, %d x "
             "%d)",
             dir, trm_puzzle_kind_name(a->puzzle.kind), a->puzzle.rows, a->puzzle.cols,
             trm_puzzle_kind_name(b->puzzle.kind), b->puzzle.rows, b->puzzle.cols);
  return TRM_OK;
}

trm_status trm__tick(trm_progress_fn *progress, void *arg, int64_t done, int64_t total,
                     trm_error *err) {
  if (progress && !progress(arg, done, total))
    TRM_FAIL(err, TRM_E_INTERRUPTED, "stopped after %lld of %lld examples", (long long)done,
             (long long)total);
  return TRM_OK;
}

/* --- types --- */

typedef struct key_list {
  trm__grid_key *key;
  int64_t n;
} key_list;

/* A split being looked at. */
typedef struct split_job {
  const trm_dataset *d;
  trm_survey_split *out;
  int64_t step;             /* every step-th group is looked at */
  key_list literal, images; /* keys of the compared examples, of the originals */
  int64_t *size_count;      /* [rows of the canvas + 1, cols of the canvas + 1]; NULL: one size */
} split_job;

typedef struct survey_job {
  const trm_survey_config *config;
  trm__canonizer canonizer;
  int32_t *question, *label; /* [seq_len] */
  int64_t done, total;
} survey_job;

/* --- the index --- */

static int compare_ids(const void *left, const void *right) {
  const int32_t l = *(const int32_t *)left, r = *(const int32_t *)right;
  return (l > r) - (l < r);
}

static trm_status count_ids(split_job *s, trm_error *err) {
  int64_t n = s->d->info.puzzles;
  int32_t *ids;
  TRM_ALLOC(&ids, n, "the puzzle ids", err);
  memcpy(ids, s->d->puzzle_id, (size_t)n * sizeof *ids);
  qsort(ids, (size_t)n, sizeof *ids, compare_ids);
  for (int64_t i = 0; i < n; i++) s->out->ids += i == 0 || ids[i] != ids[i - 1];
  trm__free(ids);
  return TRM_OK;
}

/* The copies of a task are its images; of other puzzles each is compared. */
static bool compares_copies(const trm_dataset *d) {
  return !trm_puzzle_facts_of(&d->info.puzzle)->tasks;
}

/* Counts what the index tells, and how many keys there will be. */
static trm_status count_index(split_job *s, trm_error *err) {
  const trm_dataset *d = s->d;
  trm_survey_split *out = s->out;
  out->info = d->info;
  out->least_examples = INT64_MAX;
  for (int64_t p = 0; p < d->info.puzzles; p++) {
    int64_t n = d->puzzle_start[p + 1] - d->puzzle_start[p];
    if (n < out->least_examples) out->least_examples = n;
    if (n > out->most_examples) out->most_examples = n;
  }
  for (int64_t g = 0; g < d->info.groups; g++) {
    int64_t first = d->group_start[g], end = d->group_start[g + 1];
    if (first == end) continue;
    out->copies += end - first - 1;
    if (g % s->step) continue;
    int64_t originals = d->puzzle_start[first + 1] - d->puzzle_start[first];
    out->originals += originals;
    out->compared += compares_copies(d) ? d->puzzle_start[end] - d->puzzle_start[first] : originals;
  }
  return count_ids(s, err);
}

static trm_status begin_split(split_job *s, const trm_dataset *d, trm_survey_split *out,
                              const survey_job *job, trm_error *err) {
  int64_t most = job->config->max_groups;
  s->d = d;
  s->out = out;
  s->step = most > 0 && d->info.groups > most ? (d->info.groups + most - 1) / most : 1;
  TRM_TRY(count_index(s, err));
  TRM_ALLOC(&s->literal.key, out->compared, "the comparison of examples", err);
  TRM_ALLOC(&s->images.key, out->originals, "the comparison of examples", err);
  if (!trm_puzzle_is_sized(&d->info.puzzle)) return TRM_OK;
  size_t rows = (size_t)d->info.puzzle.rows + 1, cols = (size_t)d->info.puzzle.cols + 1;
  TRM_ALLOC(&s->size_count, rows * cols, "the sizes of grids", err);
  return TRM_OK;
}

static void end_split(split_job *s) {
  trm__free(s->literal.key);
  trm__free(s->images.key);
  trm__free(s->size_count);
}

/* --- the examples --- */

static void look_at_example(survey_job *job, split_job *s, int64_t source, bool original) {
  const trm_puzzle *p = &s->d->info.puzzle;
  bool pair = !compares_copies(s->d);
  trm__dataset_read(s->d, source, job->question, pair ? job->label : NULL);
  s->literal.key[s->literal.n++] =
      trm__literal_key(&job->canonizer, job->question, pair ? job->label : NULL);
  if (original && job->canonizer.symmetric)
    s->images.key[s->images.n++] = trm__canonical_key(&job->canonizer, job->question);
  if (!s->size_count) return;
  trm_puzzle_box box = trm_puzzle_locate(p, job->question);
  s->size_count[box.rows * (p->cols + 1) + box.cols]++;
}

static trm_status look_at_split(survey_job *job, split_job *s, trm_error *err) {
  const trm_dataset *d = s->d;
  for (int64_t g = 0; g < d->info.groups; g += s->step) {
    int64_t first = d->group_start[g], end = d->group_start[g + 1];
    if (end > first && !compares_copies(d)) end = first + 1;
    for (int64_t p = first; p < end; p++) {
      int64_t n = d->puzzle_start[p + 1] - d->puzzle_start[p];
      for (int64_t i = 0; i < n; i++) {
        if (job->done++ % TICK == 0)
          TRM_TRY(trm__tick(job->config->progress, job->config->progress_arg, job->done - 1,
                            job->total, err));
        look_at_example(job, s, d->source[p] + i, p == first);
      }
    }
  }
  return TRM_OK;
}

/* The most frequent sizes, in order; of equally frequent ones the smallest first. */
static void list_sizes(split_job *s) {
  const trm_puzzle *p = &s->d->info.puzzle;
  trm_survey_split *out = s->out;
  if (!s->size_count) {
    bool known = p->kind != TRM_PUZZLE_NONE;
    out->sizes = known;
    if (known) out->size[0] = (struct trm_survey_size){p->rows, p->cols, out->compared};
    return;
  }
  for (int row = 0; row <= p->rows; row++)
    for (int col = 0; col <= p->cols; col++) {
      struct trm_survey_size size = {row, col, s->size_count[row * (p->cols + 1) + col]};
      out->sizes += size.count > 0;
      for (int k = 0; k < TRM_SURVEY_SIZES && size.count > 0; k++)
        if (size.count > out->size[k].count) {
          struct trm_survey_size moved = out->size[k];
          out->size[k] = size;
          size = moved;
        }
    }
}

/* --- the folder --- */

static int64_t shared_keys(const key_list *train, const key_list *test) {
  return trm__grid_keys_shared(train->key, train->n, test->key, test->n);
}

static trm_status look_at_both(survey_job *job, split_job s[2], const trm_dataset *const d[2],
                               trm_survey *out, trm_error *err) {
  trm_survey_split *const split[] = {&out->train, &out->test};
  const trm_dataset_info *info = &(d[0] ? d[0] : d[1])->info;
  TRM_TRY(trm__canonizer_init(&job->canonizer, &info->puzzle, info->seq_len, err));
  TRM_ALLOC(&job->question, info->seq_len, "an example", err);
  TRM_ALLOC(&job->label, info->seq_len, "an example", err);

  /* Room for the keys; both splits count for the progress. */
  for (int k = 0; k < 2; k++) {
    if (!d[k]) continue;
    TRM_TRY(begin_split(&s[k], d[k], split[k], job, err));
    job->total += split[k]->compared;
  }

  /* Equal keys lie side by side once they are sorted. */
  for (int k = 0; k < 2; k++) {
    if (!d[k]) continue;
    TRM_TRY(look_at_split(job, &s[k], err));
    list_sizes(&s[k]);
    split[k]->repeated = trm__grid_keys_sort(s[k].literal.key, s[k].literal.n);
    split[k]->images = trm__grid_keys_sort(s[k].images.key, s[k].images.n);
  }

  /* What test shares with train, literally and up to symmetry. */
  out->symmetric = job->canonizer.symmetric;
  out->overlap = shared_keys(&s[0].literal, &s[1].literal);
  out->overlap_originals = shared_keys(&s[0].images, &s[1].images);
  return trm__tick(job->config->progress, job->config->progress_arg, job->total, job->total, err);
}

static trm_status look_at_folder(const trm_dataset *const d[2], const trm_survey_config *config,
                                 trm_survey *out, trm_error *err) {
  survey_job job = {.config = config};
  split_job s[2] = {0};
  trm_status st = look_at_both(&job, s, d, out, err);
  for (int k = 0; k < 2; k++) end_split(&s[k]);
  trm__canonizer_free(&job.canonizer);
  trm__free(job.question);
  trm__free(job.label);
  return st;
}

trm_status trm_dataset_survey(const char *dir, const trm_survey_config *config, trm_survey *out,
                              trm_error *err) {
  static const trm_survey_config whole = {0};
  trm_dataset *d[2] = {NULL, NULL};
  trm_status st;
  memset(out, 0, sizeof *out);
  TRM_TRY(trm__find_splits(dir, &out->has_train, &out->has_test, err));
  if (out->has_train) TRM_GOTO(trm__dataset_open_split(dir, "train", &d[0], err));
  if (out->has_test) TRM_GOTO(trm__dataset_open_split(dir, "test", &d[1], err));
  if (d[0] && d[1]) TRM_GOTO(trm__splits_agree(dir, d[0], d[1], err));
  const trm_dataset *const both[] = {d[0], d[1]};
  TRM_GOTO(look_at_folder(both, config ? config : &whole, out, err));
done:
  trm_dataset_free(d[0]);
  trm_dataset_free(d[1]);
  return st;
}
