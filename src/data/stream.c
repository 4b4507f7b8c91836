/* Training batches. An iteration is `epochs_per_iter` epochs one after the other; each visits every
 * group once in its own random order. From a group one puzzle is picked and its examples are taken
 * until the batch is full; what does not fit is left. A batch still open at the end of an iteration
 * is dropped.
 *
 * Order, picks and symmetric images are functions of (seed, epoch), (seed, epoch, group) and
 * (seed, batch, row), never of what was drawn before; that is what makes seeking exact. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "data/dataset_index.h"
#include "data/identity.h"
#include "puzzle/augmenter.h"

struct trm_stream {
  const trm_dataset **set;
  trm__augmenter *augmenter; /* [n_sets] */
  int n_sets, seq_len;
  int64_t *set_group; /* [n_sets + 1]: first group of a set, counted over all sets */
  trm_stream_config config;
  int64_t groups, uniform;             /* uniform: examples of every puzzle, 0 when they differ */
  int64_t position, iteration, cursor; /* cursor: groups visited in this iteration */
  int64_t epoch;                       /* of which `order` is the order, -1: none yet */
  int32_t *order, *pick;               /* [groups]; [largest puzzle]: scratch */
  int32_t *row;                        /* [2, seq_len]: an example before its symmetry */
};

static int64_t puzzle_size(const trm_dataset *d, int64_t p) {
  return d->puzzle_start[p + 1] - d->puzzle_start[p];
}

/* What the data offer: fewest examples per epoch, largest puzzle, whether all sizes are equal. */
static int64_t survey(trm_stream *s, int64_t *largest) {
  int64_t total = 0;
  s->uniform = -1;
  *largest = 0;

  /* An epoch takes one puzzle of each group: at least the smallest. */
  for (int k = 0; k < s->n_sets; k++) {
    const trm_dataset *d = s->set[k];
    for (int64_t g = 0; g < d->info.groups; g++) {
      int64_t least = d->group_start[g] == d->group_start[g + 1] ? 0 : INT64_MAX;
      if (!least) s->uniform = 0;
      for (int64_t p = d->group_start[g]; p < d->group_start[g + 1]; p++) {
        int64_t n = puzzle_size(d, p);
        if (n < least) least = n;
        if (n > *largest) *largest = n;
        if (s->uniform < 0) s->uniform = n;
        if (n != s->uniform) s->uniform = 0;
      }
      total += least;
    }
  }

  /* Without a puzzle there is no common size. */
  if (s->uniform < 0) s->uniform = 0;
  return total;
}

static trm_status check_sets(const trm_dataset *const *sets, int n_sets,
                             const trm_stream_config *config, trm_error *err) {
  if (n_sets < 1) TRM_FAIL(err, TRM_E_ARGUMENT, "a stream needs at least one data set");
  if ((unsigned)config->augment > TRM_AUGMENT_ON_THE_FLY)
    TRM_FAIL(err, TRM_E_ARGUMENT, "augment = %d: unknown", (int)config->augment);
  if (config->batch_size < 1 || config->epochs_per_iter < 1 || config->epochs_per_iter > INT32_MAX)
    TRM_FAIL(err, TRM_E_ARGUMENT,
             "batch_size %d and epochs_per_iter %lld: both must be at least 1 and fit in 31 bits",
             config->batch_size, (long long)config->epochs_per_iter);

  /* All sets must be of one shape and kind: a batch mixes their rows. */
  int64_t groups = 0;
  for (int k = 0; k < n_sets; k++) {
    const trm_dataset_info *first = &sets[0]->info, *info = &sets[k]->info;
    if (info->seq_len != first->seq_len || info->vocab_size != first->vocab_size)
      TRM_FAIL(err, TRM_E_SHAPE,
               "data sets 1 and %d differ: seq_len %d and %d, vocab_size %d and %d", k + 1,
               first->seq_len, info->seq_len, first->vocab_size, info->vocab_size);
    char name[32];
    snprintf(name, sizeof name, "data set %d", k + 1);
    TRM_TRY(trm__puzzles_agree("data set 1", &first->puzzle, name, &info->puzzle, err));
    groups += info->groups;
  }

  /* The order of an epoch is a list of 31-bit numbers. */
  if (groups > INT32_MAX)
    TRM_FAIL(err, TRM_E_RANGE, "%lld groups are more than a stream can order (2^31 - 1)",
             (long long)groups);
  return TRM_OK;
}

/* Every iteration must fill a batch, whatever is picked. */
static trm_status check_enough(const trm_stream_config *c, int64_t examples, trm_error *err) {
  int64_t rounds = examples ? (c->batch_size + examples - 1) / examples : 0;
  if (examples && c->epochs_per_iter >= rounds) return TRM_OK;
  if (!examples) TRM_FAIL(err, TRM_E_RANGE, "the data set has no examples to train on");
  TRM_FAIL(
      err, TRM_E_CONFIG,
      "%lld epoch%s per iteration give %lld example%s, not enough for one batch of %d: lower the "
      "batch size to at most %lld, or raise the epochs per iteration (eval_interval) to at least "
      "%lld",
      (long long)c->epochs_per_iter, TRM__S(c->epochs_per_iter),
      (long long)(c->epochs_per_iter * examples), TRM__S(c->epochs_per_iter * examples),
      c->batch_size, (long long)(c->epochs_per_iter * examples), (long long)rounds);
}

static trm_status make_augmenters(trm_stream *s, trm_error *err) {
  TRM_ALLOC(&s->augmenter, s->n_sets, "the augmentation of a stream", err);
  for (int k = 0; k < s->n_sets && s->config.augment == TRM_AUGMENT_ON_THE_FLY; k++) {
    char name[32];
    snprintf(name, sizeof name, "training data set %d", k + 1);
    TRM_TRY(trm__augmenter_init(&s->augmenter[k], &s->set[k]->info.puzzle, name, err));
  }
  return TRM_OK;
}

static trm_status build_stream(trm_stream *s, const trm_dataset *const *sets, trm_error *err) {
  TRM_ALLOC(&s->set, s->n_sets, "the data sets of a stream", err);
  TRM_ALLOC(&s->set_group, s->n_sets + 1, "the data sets of a stream", err);
  for (int k = 0; k < s->n_sets; k++) {
    s->set[k] = sets[k];
    s->set_group[k + 1] = s->set_group[k] + sets[k]->info.groups;
  }
  TRM_TRY(make_augmenters(s, err));
  s->groups = s->set_group[s->n_sets];
  s->seq_len = sets[0]->info.seq_len;
  int64_t largest;
  TRM_TRY(check_enough(&s->config, survey(s, &largest), err));
  TRM_ALLOC(&s->order, s->groups, "the order of groups", err);
  TRM_ALLOC(&s->pick, largest, "the picks of a stream", err);
  TRM_ALLOC(&s->row, 2 * s->seq_len, "a row of a stream", err);
  return TRM_OK;
}

trm_status trm_stream_create(const trm_dataset *const *sets, int n_sets,
                             const trm_stream_config *config, trm_stream **out, trm_error *err) {
  *out = NULL;
  TRM_TRY(check_sets(sets, n_sets, config, err));
  trm_stream *s;
  TRM_ALLOC(&s, 1, "a stream", err);
  s->config = *config;
  s->n_sets = n_sets;
  s->epoch = -1;
  trm_status st = build_stream(s, sets, err);
  if (st != TRM_OK) {
    trm_stream_free(s);
    return st;
  }
  *out = s;
  return TRM_OK;
}

void trm_stream_free(trm_stream *s) {
  if (!s) return;
  trm__free(s->set);
  trm__free(s->augmenter);
  trm__free(s->set_group);
  trm__free(s->order);
  trm__free(s->pick);
  trm__free(s->row);
  trm__free(s);
}

/* One visit of a group: the puzzle picked, and the generator that picks its examples. */
typedef struct visit {
  const trm_dataset *set;
  const trm__augmenter *augmenter;
  int64_t puzzle, size;
  trm__rng rng;
} visit;

/* The group under the cursor, which moves on. */
static visit visit_group(trm_stream *s) {
  int64_t epoch = s->iteration * s->config.epochs_per_iter + s->cursor / s->groups;
  if (epoch != s->epoch) {
    for (int64_t i = 0; i < s->groups; i++) s->order[i] = (int32_t)i;
    trm__rng rng = trm__rng_at(s->config.seed, TRM__RNG_EPOCH, (uint64_t)epoch, 0);
    trm__rng_shuffle(&rng, s->order, s->groups);
    s->epoch = epoch;
  }
  int64_t group = s->order[s->cursor++ % s->groups];
  visit v = {.rng = trm__rng_at(s->config.seed, TRM__RNG_PICK, (uint64_t)epoch, (uint32_t)group)};
  int k = 0;
  while (group >= s->set_group[k + 1]) k++;
  v.set = s->set[k];
  v.augmenter = &s->augmenter[k];
  group -= s->set_group[k];
  int64_t first = v.set->group_start[group], n = v.set->group_start[group + 1] - first;
  if (!n) return v;
  v.puzzle = first + (n > 1 ? (int64_t)trm__rng_below(&v.rng, (uint32_t)n) : 0);
  v.size = puzzle_size(v.set, v.puzzle);
  return v;
}

/* `take` of the visit's examples without replacement, into s->pick. */
static void pick_examples(trm_stream *s, visit *v, int64_t take) {
  for (int64_t i = 0; i < v->size; i++) s->pick[i] = (int32_t)i;
  for (int64_t i = 0; i < take && i + 1 < v->size; i++) {
    int64_t j = i + (int64_t)trm__rng_below(&v->rng, (uint32_t)(v->size - i));
    int32_t swapped = s->pick[i];
    s->pick[i] = s->pick[j];
    s->pick[j] = swapped;
  }
}

static void build_row(trm_stream *s, const visit *v, int64_t source, uint32_t row, int32_t *inputs,
                      int32_t *labels) {
  if (s->config.augment == TRM_AUGMENT_NONE) {
    trm__dataset_read(v->set, source, inputs, labels);
    return;
  }
  trm__rng rng = trm__rng_at(s->config.seed, TRM__RNG_AUGMENT, (uint64_t)s->position, row);
  trm__dataset_read(v->set, source, s->row, s->row + s->seq_len);
  trm__augmenter_draw(v->augmenter, &rng, s->row, s->row + s->seq_len, inputs, labels);
}

static bool iteration_is_over(const trm_stream *s) {
  return s->cursor >= s->groups * s->config.epochs_per_iter;
}

void trm_stream_next(trm_stream *s, const uint8_t *want, int32_t *inputs, int32_t *labels,
                     int32_t *puzzle_ids) {
  int64_t filled = 0, batch = s->config.batch_size, len = s->seq_len;
  while (filled < batch) {
    if (iteration_is_over(s)) {
      s->iteration++;
      s->cursor = filled = 0;
    }
    visit v = visit_group(s);
    int64_t take = v.size < batch - filled ? v.size : batch - filled;
    if (inputs) pick_examples(s, &v, take);
    for (int64_t i = 0; i < take; i++, filled++) {
      if (!inputs || (want && !want[filled])) continue;
      build_row(s, &v, v.set->source[v.puzzle] + s->pick[i], (uint32_t)filled,
                inputs + filled * len, labels + filled * len);
      puzzle_ids[filled] = v.set->puzzle_id[v.puzzle];
    }
  }
  s->position++;
}

int64_t trm_stream_position(const trm_stream *s) {
  return s->position;
}

trm_status trm_stream_seek(trm_stream *s, int64_t position, trm_error *err) {
  if (position < 0)
    TRM_FAIL(err, TRM_E_ARGUMENT, "position %lld: want 0 or more", (long long)position);
  if (s->uniform) {
    int64_t per_batch = (s->config.batch_size + s->uniform - 1) / s->uniform;
    int64_t batches = s->groups * s->config.epochs_per_iter / per_batch;
    s->iteration = position / batches;
    s->cursor = position % batches * per_batch;
    s->position = position;
    return TRM_OK;
  }
  if (position < s->position) s->position = s->iteration = s->cursor = 0;
  while (s->position < position) trm_stream_next(s, NULL, NULL, NULL, NULL);
  return TRM_OK;
}
