/* Configurations of a trainer: one row per field, and the schedule of the learning rates. */
#include <math.h>
#include <string.h>

#include "base/field.h"
#include "train/curriculum.h"
#include "train/rules.h"
#include "train/trainer.h"

/* --- devices --- */

static trm_status set_device(const trm_field *f, void *at, const trm__value *v) {
  (void)f;
  return !v->is_list && !v->quoted && trm_device_from_name(v->text, at) ? TRM_OK : TRM_E_CONFIG;
}

static void print_device(const trm_field *f, const void *at, trm__sink *s) {
  char name[32];
  (void)f;
  trm_device_name(*(const trm_device *)at, name, sizeof name);
  trm__sink_put(s, "%s", name);
}

const trm__field_type trm__field_device = {"device", "cpu, auto or cuda:N", TRM__FORM_OTHER,
                                           set_device, print_device};

/* --- schedules --- */

/* From 1 to 0 as progress goes from 0 to 1. */
typedef double wave_fn(double progress);
static double cosine(double progress) {
  return 0.5 * (1 + cos(3.14159265358979323846 * progress));
}
static double linear(double progress) {
  return 1 - progress;
}
static double constant(double progress) {
  (void)progress;
  return 1;
}

static const struct {
  trm__word word;
  wave_fn *wave;
} schedules[] = {[TRM_LR_COSINE] = {{"cosine", NULL}, cosine},
                 [TRM_LR_LINEAR] = {{"linear", NULL}, linear},
                 [TRM_LR_CONSTANT] = {{"constant", NULL}, constant}};
static const trm__words schedule_words = TRM__WORDS(schedules, NULL);

TRM__WORDS_FUNCTIONS(trm_lr_schedule, schedule_words)

/* --- the fields --- */

/* In float32 a rate of decay nearer to 1 would be 1, and without an eps AdamW divides 0 by 0 where
 * a weight has never had a gradient. */
#define MOST_DECAY (1 - 1e-6)
#define LEAST_EPS 1e-30

#define AT(f) .name = #f, .offset = offsetof(trm_trainer_config, f)
#define KEY(f) AT(f), .key = #f
#define NUMBER(kind, least, most, first) \
  .type = &trm__field_##kind, .low = (least), .high = (most), .initial = (first)

/* They came with Muon (Jordan 2024; defaults of sic, arXiv:2601.19085), and nothing else has them.
 */
#define MUONS .use = TRM__OURS | TRM__LATER | TRM__MATRICES

static const trm_field rows[] = {
    {AT(batch_size), .key = "global_batch_size", NUMBER(int, 1, 1 << 20, 768),
     .synonyms = "B batch", .help = "rows per update"},
    {AT(first_row), NUMBER(int64, 0, (double)UINT32_MAX - (1 << 20), 0),
     .help = "of the batch, where several trainers share one"},
    {KEY(seed), .type = &trm__field_seed, .help = "seed of all random draws"},
    {KEY(optimizer), .type = &trm__field_word, .words = &trm__optimizer_words,
     .initial = TRM_OPT_ADAM_ATAN2, .use = TRM__OURS,
     .help = "of the dense weights; muon: of the nets' matrices (lr=0.02 weight_decay=0.005)"},
    {KEY(lr), NUMBER(double, 0, 1e3, 1e-4), .synonyms = "learning_rate", .help = "learning rate"},
    {KEY(lr_schedule), .type = &trm__field_word, .words = &schedule_words, .initial = TRM_LR_COSINE,
     .use = TRM__OURS | TRM__LATER, .synonyms = "scheduler lr_scheduler",
     .help = "how all rates go to lr_min_ratio after the warm-up; constant: not at all"},
    {KEY(lr_min_ratio), NUMBER(double, 0, 1, 1),
     .help = "the schedule ends at this share of lr; 1: constant"},
    {KEY(grad_clip), NUMBER(double, 0, 1e9, 0), .use = TRM__OURS | TRM__LATER,
     .synonyms = "clip gradient_clipping max_grad_norm",
     .help = "most that the norm of the gradient may be; 0: any"},
    {KEY(lr_warmup_steps), NUMBER(int64, 0, 1e15, 2000), .synonyms = "warmup_steps warmup",
     .help = "updates of warm-up"},
    {AT(total_steps), NUMBER(int64, 0, 1e15, 0), .help = "updates until the schedule ends"},
    {KEY(curriculum), .type = &trm__field_curriculum, .use = TRM__OURS | TRM__LATER,
     .help = "fewer cycles until a share of the updates: [30%:T1n2,60%:T2n3] (CGAR)"},
    {KEY(beta1), NUMBER(double, 0, MOST_DECAY, 0.9), .help = "decay of the first moment"},
    {KEY(beta2), NUMBER(double, 0, MOST_DECAY, 0.95), .help = "decay of the second moment"},
    {AT(adam_eps), NUMBER(double, LEAST_EPS, 1, 1e-8), .synonyms = "eps epsilon",
     .help = "epsilon of AdamW"},
    {KEY(weight_decay), NUMBER(double, 0, 1e6, 0.1), .synonyms = "wd", .help = "weight decay"},
    {KEY(adam_lr), NUMBER(double, 0, 1e3, 1e-4), MUONS, .synonyms = "adamw_lr",
     .help = "optimizer=muon: learning rate of what is no matrix of a net (AdamW)"},
    {KEY(adam_weight_decay), NUMBER(double, 0, 1e6, 1), MUONS, .synonyms = "adamw_wd adam_wd",
     .help = "optimizer=muon: weight decay of the same"},
    {KEY(muon_momentum), NUMBER(double, 0, MOST_DECAY, 0.6), MUONS, .synonyms = "momentum",
     .help = "optimizer=muon: share of its mean gradient that an update keeps"},
    {KEY(muon_steps), NUMBER(int, 0, 100, 3), MUONS, .synonyms = "ns_steps",
     .help = "optimizer=muon: Newton-Schulz steps"},
    {KEY(muon_per_head), .type = &trm__field_bool, .initial = true, MUONS,
     .help = "optimizer=muon: each head's q, k and v apart"},
    {KEY(puzzle_emb_lr), NUMBER(double, 0, 1e3, 1e-2),
     .help = "learning rate of puzzle embeddings"},
    {KEY(puzzle_emb_weight_decay), NUMBER(double, 0, 1e6, 0.1),
     .help = "weight decay of puzzle embeddings"},
    {KEY(ema_rate), NUMBER(double, 0, MOST_DECAY, 0.999), .synonyms = "ema_decay",
     .help = "decay of the average of the weights"},
    {KEY(freeze_weights), .type = &trm__field_bool, .help = "train the puzzle embeddings only"},
    {KEY(device), .type = &trm__field_device, .use = TRM__OURS | TRM__FREE,
     .help = "cpu, cuda:N or auto: the first GPU if there is one"},
    {KEY(threads), NUMBER(int, 0, 1024, 0), .use = TRM__OURS | TRM__FREE, .synonyms = "num_threads",
     .help = "0: as many as the process may use"},
    {KEY(memory_budget), NUMBER(bytes, 0, 1e15, 0), .use = TRM__OURS | TRM__FREE,
     .help = "memory for activations, e.g. 2GiB; 0: 1.5 GiB, on a GPU what is free"},
    {KEY(micro_batch), NUMBER(int, 0, 1 << 20, 0), .use = TRM__OURS | TRM__FREE,
     .synonyms = "micro_batch_size", .help = "rows processed at once; 0: by memory_budget"},
    {AT(comm), .type = &trm__field_pointer, .help = "ranks that share the batch"},
};
const trm__fields trm__trainer_fields = TRM__FIELDS(rows, "a trainer", trm_trainer_config);

_Static_assert(sizeof(trm_optimizer) == sizeof(int) && sizeof(trm_lr_schedule) == sizeof(int),
               "an enumeration is read and written as an int");

/* --- by name --- */

const trm_field *trm_trainer_config_field(int i) {
  return trm__fields_at(&trm__trainer_fields, i);
}

trm_status trm_trainer_config_set(trm_trainer_config *config, const char *name, const char *value,
                                  trm_error *err) {
  return trm__fields_set(&trm__trainer_fields, config, name, value, err);
}

trm_status trm_trainer_config_get(const trm_trainer_config *config, const char *name, char *text,
                                  size_t size, trm_error *err) {
  return trm__fields_get(&trm__trainer_fields, config, name, text, size, err);
}

trm_status trm_trainer_config_bounds(const char *name, trm_bounds *out, trm_error *err) {
  return trm__fields_bounds(&trm__trainer_fields, name, out, err);
}

/* --- defaults, checks, schedule --- */

trm_trainer_config trm_trainer_config_default(void) {
  trm_trainer_config c = {0};
  trm__fields_default(&trm__trainer_fields, &c);
  return c;
}

/* What only optimisers of matrices look at would be for nothing with another. */
static trm_status check_matrices(const trm_trainer_config *c, trm_error *err) {
  if (trm__rules[c->optimizer].by_matrix) return TRM_OK;
  for (int i = 0; i < trm__trainer_fields.n; i++) {
    const trm_field *f = &trm__trainer_fields.v[i];
    if (!(f->use & TRM__MATRICES) || trm__field_number(f, c) == f->initial) continue;
    TRM_FAIL(err, TRM_E_CONFIG,
             "%s: optimizer = %s does not look at it; choose muon, or leave it out", f->name,
             trm_optimizer_name(c->optimizer));
  }
  return TRM_OK;
}

trm_status trm__trainer_check(const trm_trainer_config *c, trm_error *err) {
  TRM_TRY(trm__fields_check(&trm__trainer_fields, c, err));
  TRM_TRY(trm__comm_check(c->comm, err));
  if (c->batch_size < trm__comm_size(c->comm))
    TRM_FAIL(err, TRM_E_CONFIG, "batch_size = %d: each of %d ranks wants a row of it",
             c->batch_size, trm__comm_size(c->comm));
  TRM_TRY(check_matrices(c, err));
  if (c->lr_schedule == TRM_LR_LINEAR && c->lr_min_ratio == 1)
    TRM_FAIL(err, TRM_E_CONFIG,
             "lr_schedule = linear leads to lr_min_ratio = 1, which is where it begins; want a "
             "lr_min_ratio below 1");
  if (c->lr_schedule != TRM_LR_CONSTANT && c->lr_min_ratio != 1 &&
      c->total_steps <= c->lr_warmup_steps)
    TRM_FAIL(
        err, TRM_E_CONFIG,
        "lr_min_ratio = %g: a %s schedule needs total_steps (%lld) beyond lr_warmup_steps (%lld)",
        c->lr_min_ratio, trm_lr_schedule_name(c->lr_schedule), (long long)c->total_steps,
        (long long)c->lr_warmup_steps);
  return trm__curriculum_check(c, err);
}

double trm__schedule(const trm_trainer_config *c, double base, int64_t step) {
  if (step < c->lr_warmup_steps) return base * (double)step / (double)c->lr_warmup_steps;
  int64_t rest = c->total_steps - c->lr_warmup_steps;
  double progress = (double)(step - c->lr_warmup_steps) / (double)(rest > 1 ? rest : 1);
  const double wave = schedules[c->lr_schedule].wave(progress < 1 ? progress : 1);
  return base * (c->lr_min_ratio + (1 - c->lr_min_ratio) * wave);
}
