/* The state of an evaluation as one safetensors file: which examples are done, what was counted and
 * added for them, and their votes. Its metadata say what it belongs to. */
#include <math.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/number.h"
#include "eval/arc_votes.h"
#include "eval/evaluation.h"
#include "io/safetensors.h"
#include "nn/model_fields.h"

enum { OWN_PARTS = 8, PARTS = OWN_PARTS + TRM__ARC_VOTES_TENSORS, TEXT = 400 };

/* --- what it belongs to --- */

/* FNV-1a with words of four bytes in place of single ones. */
static uint64_t mix(uint64_t hash, const void *data, size_t words) {
  const unsigned char *bytes = data;
  for (size_t i = 0; i < words; i++) {
    uint32_t word;
    memcpy(&word, bytes + i * sizeof word, sizeof word);
    hash = (hash ^ word) * TRM__HASH_PRIME;
    hash ^= hash >> 47;
  }
  return hash;
}

/* What a model's answers depend on in its configuration: whole numbers, then real ones, then by
 * name what an older release did not know. */
static void print_answers(const trm_model_config *c, trm__sink *s) {
  const trm__fields *all = &trm__model_fields;
  char real[TRM__NUMBER_SIZE];
  for (int form = 0; form < 3; form++)
    for (int i = 0; i < all->n; i++) {
      const trm_field *f = &all->v[i];
      const bool is_real = f->type->form == TRM__FORM_DOUBLE, is_later = f->use & TRM__LATER;
      if (!(f->use & TRM__ANSWERS) || form != (is_later ? 2 : is_real)) continue;
      if (trm__model_field_is_silent(f, c)) continue;
      if (is_later) trm__sink_put(s, " %s", f->name);
      trm__number_format(is_real ? "%a" : "%.0f", trm__field_number(f, c), real);
      trm__sink_put(s, s->n ? " %s" : "%s", real);
    }
}

/* But for the dtype, which is an option. */
static uint64_t model_fingerprint(const trm_model *model) {
  char text[8 * TEXT] = {0};
  trm__sink s = {text, sizeof text, 0};
  print_answers(trm_model_get_config(model), &s);
  TRM_ASSERT(s.n < sizeof text);

  /* With the zeros behind it, as ever, to the end of the first TEXT bytes or to its own. */
  const size_t used = s.n < TEXT ? TEXT : s.n + 3;
  uint64_t hash = mix(TRM__HASH_START, text, used / 4);
  for (int i = 0; i < trm_model_tensor_count(model); i++) {
    trm_tensor t = trm_model_tensor_at(model, i);
    hash = mix(hash, t.data, (size_t)t.count);
  }
  return hash;
}

/* The examples, which labels are ignored, and what the tokens mean: the rules are checked. */
static trm_status data_fingerprint(const trm__evaluation *e, uint64_t *hash, trm_error *err) {
  const trm_puzzle *p = &e->puzzle;
  const trm_dataset_info *d = trm_dataset_get_info(e->data);
  char text[TEXT];
  size_t vocabulary = 0;
  TRM_TRY(trm_dataset_fingerprint(e->data, hash, err));
  int n = snprintf(text, sizeof text, "%d %d %d %d %d %d %d %d %d %.15s", d->pad_id,
                   d->ignore_label_id, d->blank_identifier_id, (int)p->kind, p->rows, p->cols,
                   p->box_rows, p->box_cols, p->sized, p->rules);
  while (vocabulary < sizeof p->vocabulary && p->vocabulary[vocabulary]) {
    const char *word = p->vocabulary + vocabulary;
    const char *end = memchr(word, 0, sizeof p->vocabulary - vocabulary);
    vocabulary = end ? (size_t)(end + 1 - p->vocabulary) : sizeof p->vocabulary;
  }
  *hash = trm__hash_bytes(trm__hash_bytes(*hash, text, (size_t)n), p->vocabulary, vocabulary);
  return TRM_OK;
}

enum { FORMAT, MODEL, DATA, DTYPE, LIMIT, STEPS, HALT, KERNELS, OUTPUTS, VOTES, THINKING };

/* How a refusal names them. */
static const struct {
  const char *key, *words;
  bool told; /* the texts say something to the user */
} identities[TRM__EVAL_METAS] = {
    [FORMAT] = {"format", "", false},
    [MODEL] = {"model", "another model (weights or architecture)", false},
    [DATA] = {"data", "other data (examples, ignored labels or puzzle)", false},
    [DTYPE] = {"dtype", "--dtype", true},
    [LIMIT] = {"limit", "--limit", true},
    [STEPS] = {"steps", "--steps", true},
    [HALT] = {"halt", "--halt", true},
    [KERNELS] = {"kernels", "the set of kernels (--device, TRM_ISA, TRM_CUDA_ARCH)", true},
    [OUTPUTS] = {"outputs", "other outputs (--save-preds, --save-q)", false},
    [VOTES] = {"votes", "other ARC votes (none, or other test tasks or names)", false},
    [THINKING] = {"thinking", "other tries of each example (--views, --rollouts, --select, …)",
                  false}};

static void set_hash(trm__eval_identity *id, int which, uint64_t hash) {
  (void)snprintf(id->text[which], sizeof id->text[which], "%016llx", (unsigned long long)hash);
}

static void set_text(trm__eval_identity *id, int which, const char *text) {
  (void)snprintf(id->text[which], sizeof id->text[which], "%s", text);
}

static void set_number(trm__eval_identity *id, int which, int64_t number) {
  (void)snprintf(id->text[which], sizeof id->text[which], "%lld", (long long)number);
}

static void set_halt(trm__eval_identity *id, trm_halt halt, double margin) {
  char real[TRM__NUMBER_SIZE];
  const char *name = halt == TRM_HALT_NEVER ? "never" : halt == TRM_HALT_Q ? "q" : "twice";
  set_text(id, HALT, name);
  if (halt == TRM_HALT_NEVER || margin == 0) return;
  (void)trm__number_print(margin, real);
  (void)snprintf(id->text[HALT], sizeof id->text[HALT], "%s=%s", name, real);
}

/* Every member, by name. */
static uint64_t thinking_hash(const trm_thinking *how) {
  char text[TEXT] = {0}, bar[TRM__NUMBER_SIZE], noise[TRM__NUMBER_SIZE];
  trm__number_format("%a", how->bar, bar);
  trm__number_format("%a", how->noise, noise);
  const int n =
      snprintf(text, sizeof text,
               "views %d rollouts %d noise %s select %d bar %s verify %d search %d seed %llu",
               how->views, how->rollouts, noise, (int)how->select, bar, how->verify, how->search,
               (unsigned long long)how->seed);
  return trm__hash_bytes(TRM__HASH_START, text, (size_t)n);
}

static trm_status identify(trm__evaluation *e, trm_error *err) {
  trm__eval_identity *id = &e->identity;
  const trm_eval_config *c = e->config;
  uint64_t data;
  TRM_TRY(data_fingerprint(e, &data, err));
  set_text(id, FORMAT, "trm evaluation state");
  set_hash(id, MODEL, model_fingerprint(e->model));
  set_hash(id, DATA, data);
  set_text(id, DTYPE, trm_dtype_name(trm_model_get_config(e->model)->forward_dtype));
  set_number(id, LIMIT, e->total);
  if (e->total == trm_dataset_get_info(e->data)->examples) set_text(id, LIMIT, "all");
  set_number(id, STEPS, e->steps);
  set_halt(id, c->halt, c->halt_margin);
  set_text(id, KERNELS, trm_solver_kernels(trm_queue_solver(trm_thinker_queue(e->thinker))));
  set_hash(id, OUTPUTS, c->state_tag);
  set_hash(id, VOTES, c->votes ? c->votes->tests.fingerprint : 0);
  set_hash(id, THINKING, thinking_hash(&c->think));
  const trm_thinking none = {0};
  id->n = TRM__EVAL_METAS - (thinking_hash(&none) == thinking_hash(&c->think));
  for (int i = 0; i < TRM__EVAL_METAS; i++)
    id->meta[i] = (trm__st_meta){identities[i].key, id->text[i]};
  return TRM_OK;
}

trm_status trm__eval_ranks_meet(trm__evaluation *e, trm_error *err) {
  static const int compared[] = {MODEL, DATA, DTYPE, LIMIT, STEPS, HALT, KERNELS, VOTES, THINKING};
  const trm_eval_config *c = e->config;
  char text[48];
  if (trm__comm_size(c->comm) == 1) return TRM_OK;
  TRM_TRY(trm__comm_settle(c->comm, identify(e, err), err));
  for (size_t i = 0; i < sizeof compared / sizeof *compared; i++)
    TRM_TRY(trm__comm_same(c->comm, identities[compared[i]].key, e->identity.text[compared[i]],
                           "ranks evaluate one model on one data set, alike", err));

  /* What a state of one process does not mind. */
  (void)snprintf(text, sizeof text, "%s, rows %s", c->spread ? "spread" : "from the first on",
                 c->row ? "told" : "not told");
  return trm__comm_same(c->comm, "order", text, "", err);
}

/* A rule of halting may have been written with more digits. */
static bool same_halt(const char *a, const char *b) {
  const size_t n = strlen("q="), na = strlen(a), nb = strlen(b);
  if (na <= n || nb <= n || memcmp(a, b, n) != 0) return false;
  if (!trm__number_is_decimal(a + n, na - n) || !trm__number_is_decimal(b + n, nb - n))
    return false;
  const double x = trm__number_read(a + n, na - n), y = trm__number_read(b + n, nb - n);
  return !(x < y) && !(x > y);
}

static trm_status check_identity(const trm__evaluation *e, const trm__safetensors *file,
                                 trm_error *err) {
  const char *path = e->config->state;
  const trm__st_meta *now = e->identity.meta;
  for (int i = 0; i < TRM__EVAL_METAS; i++) {
    const bool wanted = i < e->identity.n;
    const char *found = trm__safetensors_meta(file, now[i].key);
    if (found ? wanted && !strcmp(found, now[i].value) : !wanted) continue;
    if (found && i == HALT && same_halt(found, now[i].value)) continue;
    if (i == FORMAT || (!found && i != THINKING))
      TRM_FAIL(err, TRM_E_FORMAT, "%s: not the state of an evaluation (no %s)", path, now[i].key);
    if (!identities[i].told)
      TRM_FAIL(err, TRM_E_CONFIG,
               "%.100s: the state of an evaluation with %s; repeat that one, or remove the file to "
               "begin anew",
               path, identities[i].words);
    TRM_FAIL(err, TRM_E_CONFIG,
             "%.100s: the state of another evaluation: %s was %.40s, now %s; repeat that one, or "
             "remove the file to begin anew",
             path, identities[i].words, found, now[i].value);
  }
  return TRM_OK;
}

/* --- what it holds --- */

typedef struct part {
  trm__st_tensor tensor;
  void *data;
  int64_t most; /* of a count */
} part;

/* How many there are. */
static int list_parts(const trm__evaluation *e, part parts[OWN_PARTS]) {
  const trm_thinking *how = &e->config->think;
  int64_t steps = e->told, S = e->shape.seq_len, cells = e->total * S;
  const struct {
    const char *name;
    trm__dtype dtype;
    int64_t count;
    void *data;
    int64_t most;
    bool held; /* not everything is counted of every evaluation */
  } list[OWN_PARTS] = {
      {"totals", TRM__I64, (int64_t)(sizeof *e->totals / sizeof(int64_t)), e->totals, cells, true},
      {"exact", TRM__I64, steps, e->exact, e->total, true},
      {"halted", TRM__I64, steps, e->halted, e->total, true},
      {"right", TRM__I64, steps * (S + 1), e->right, cells, true},
      {"losses", TRM__F64, 2 * e->total, e->loss, 0, true},
      {"done", TRM__U8, e->total, e->done, 1, true},
      {"q_valid", TRM__I64, 1, e->q_valid, e->total, trm_puzzle_has_rules(&e->puzzle)},
      {"taken", TRM__I64, TRM__TAKEN, e->taken,
       e->total * e->steps * (trm_thinking_tries(how) + how->search),
       !trm_thinker_is_single(e->thinker)}};

  int n = 0;
  for (int i = 0; i < OWN_PARTS; i++)
    if (list[i].held)
      parts[n++] = (part){{.name = list[i].name,
                           .dtype = list[i].dtype,
                           .ndim = 1,
                           .shape = {list[i].count},
                           .data = list[i].data},
                          list[i].data,
                          list[i].most};
  return n;
}

trm_status trm__eval_state_save(const trm__evaluation *e, trm_error *err) {
  trm__st_tensor tensors[PARTS];
  trm__arc_votes_image image = {.block = {NULL}};
  part parts[OWN_PARTS];
  int n = list_parts(e, parts);
  for (int i = 0; i < n; i++) tensors[i] = parts[i].tensor;
  trm_status st = TRM_OK;
  if (e->config->votes) {
    st = trm__arc_votes_image_make(e->config->votes, &image, err);
    memcpy(tensors + n, image.tensor, sizeof image.tensor);
    n += TRM__ARC_VOTES_TENSORS;
  }
  if (st == TRM_OK)
    st = trm__safetensors_save(e->config->state, tensors, n, e->identity.meta, e->identity.n, err);
  trm__arc_votes_image_free(&image);
  return st;
}

static bool good_value(const part *p, int64_t i) {
  if (p->tensor.dtype == TRM__U8) return ((const uint8_t *)p->data)[i] <= p->most;
  if (p->tensor.dtype == TRM__F64) return isfinite(((const double *)p->data)[i]);
  int64_t value = ((const int64_t *)p->data)[i];
  return value >= 0 && value <= p->most;
}

static trm_status read_part(const part *p, const trm__safetensors *file, const char *path,
                            trm_error *err) {
  const trm__st_tensor *want = &p->tensor, *have = trm__safetensors_find(file, want->name);
  if (!have || have->dtype != want->dtype || have->count != want->shape[0])
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: %s is missing or has not %lld values of %s; remove it to evaluate from the start",
             path, want->name, (long long)want->shape[0], trm__dtype_name(want->dtype));
  size_t bytes = (size_t)have->count * trm__dtype_size(have->dtype);
  if (bytes) memcpy(p->data, have->data, bytes);
  for (int64_t i = 0; i < have->count; i++)
    if (!good_value(p, i))
      TRM_FAIL_AT(err, TRM_E_FORMAT, i, "%s: value %lld of %s is out of its range", path,
                  (long long)i, want->name);
  return TRM_OK;
}

/* Counts of one evaluation: none is larger than what it is a part of. */
static bool counts_agree(const trm__evaluation *e) {
  const trm__eval_totals *t = e->totals;
  const int64_t S = e->shape.seq_len;
  int64_t halted = 0;
  for (int i = 0; i < e->told; i++) {
    int64_t right = 0;
    for (int64_t k = 0; k <= S; k++) right += e->right[i * (S + 1) + k];
    if (e->exact[i] > t->rows || right > t->cells) return false;
    halted += e->halted[i];
  }
  return halted == t->rows && t->rows <= e->n_done && t->cells <= t->rows * S &&
         t->cells_right <= t->cells && t->q_right <= t->rows && t->checked <= e->n_done &&
         t->valid <= t->checked && *e->q_valid <= t->checked;
}

static trm_status read_all(trm__evaluation *e, const trm__safetensors *file, trm_error *err) {
  part parts[OWN_PARTS];
  TRM_TRY(check_identity(e, file, err));
  const int n = list_parts(e, parts);
  for (int i = 0; i < n; i++) TRM_TRY(read_part(&parts[i], file, e->config->state, err));
  if (e->config->votes)
    TRM_TRY(trm__arc_votes_restore(e->config->votes, file, e->config->state, err));
  for (int64_t i = 0; i < e->total; i++) e->n_done += e->done[i];
  if (!counts_agree(e))
    TRM_FAIL(err, TRM_E_FORMAT,
             "%s: its counts contradict each other; remove it to evaluate from the start",
             e->config->state);
  return TRM_OK;
}

trm_status trm__eval_state_open(trm__evaluation *e, bool *found, trm_error *err) {
  trm__safetensors *file;
  TRM_TRY(identify(e, err));
  trm__kind kind;
  TRM_TRY(trm__path_look(e->config->state, &kind, err));
  *found = kind != TRM__ABSENT;
  if (!*found) return TRM_OK;
  TRM_TRY(trm__safetensors_open(e->config->state, &file, err));
  trm_status st = read_all(e, file, err);
  trm__safetensors_close(file);
  return st;
}
