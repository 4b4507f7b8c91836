/* Published checkpoints: torch files with the reference's names. The shapes of their tensors tell
 * most of a configuration; what is known from elsewhere must agree with them. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "io/torch_file.h"
#include "nn/model.h"
#include "nn/plan.h"

enum {
  CHUNK = 1024, /* values converted at a time */
  /* No layout has more: each layer has 4, beside them are the latents' starts and at most 7. */
  MAX_TENSORS = 4 * TRM__MAX_NETS * TRM__MAX_LAYERS + TRM__MAX_LATENTS + 7
};

typedef struct checkpoint {
  const char *path;
  trm__torch_file *file;
  trm_error *err;
} checkpoint;

/* A tensor's name without what the reference's wrappers put in front of it. */
static const char *plain_name(const char *name) {
  static const char *const prefixes[] = {"_orig_mod.", "model.", "inner."};
  for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
    const size_t n = strlen(prefixes[i]);
    if (!strncmp(name, prefixes[i], n)) name += n;
  }
  return name;
}

static const trm__torch_tensor *find_tensor(const checkpoint *c, const char *name) {
  for (int i = 0; i < trm__torch_count(c->file); i++) {
    const trm__torch_tensor *t = trm__torch_at(c->file, i);
    if (!strcmp(plain_name(t->name), name)) return t;
  }
  return NULL;
}

/* --- the configuration --- */

/* A field that a tensor shows: taken where it is unknown, compared where it is known. */
static trm_status settle(const checkpoint *c, const char *field, int *value, int64_t shown,
                         const trm__torch_tensor *t) {
  if (*value == 0 && shown <= INT_MAX) *value = (int)shown;
  if (*value != shown || shown < 1)
    TRM_FAIL(
        c->err, TRM_E_SHAPE,
        "%s: %s is [%lld, %lld], so %s is %lld, but the configuration says %d: are they of the "
        "same run?",
        c->path, t->name, (long long)t->shape[0], (long long)t->shape[1], field, (long long)shown,
        *value);
  return TRM_OK;
}

/* A tensor of two dimensions, NULL when there is none of that name. */
static trm_status find_matrix(const checkpoint *c, const char *name, const trm__torch_tensor **t) {
  *t = find_tensor(c, name);
  if (*t && (*t)->ndim != 2)
    TRM_FAIL(c->err, TRM_E_SHAPE, "%s: %s has %d dimensions, want 2", c->path, (*t)->name,
             (*t)->ndim);
  return TRM_OK;
}

static trm_status settle_sizes(const checkpoint *c, trm_model_config *m) {
  const trm__torch_tensor *tokens, *puzzles;
  TRM_TRY(find_matrix(c, "embed_tokens.embedding_weight", &tokens));
  TRM_TRY(find_matrix(c, "puzzle_emb.weights", &puzzles));
  if (!tokens)
    TRM_FAIL(
        c->err, TRM_E_FORMAT,
        "%s: no tensor embed_tokens.embedding_weight among its %d (the first is \"%.60s\"): not "
        "a checkpoint of a Tiny Recursive Model",
        c->path, trm__torch_count(c->file),
        trm__torch_count(c->file) ? trm__torch_at(c->file, 0)->name : "");
  TRM_TRY(settle(c, "vocab_size", &m->vocab_size, tokens->shape[0], tokens));
  TRM_TRY(settle(c, "hidden_size", &m->hidden_size, tokens->shape[1], tokens));
  if (puzzles) {
    TRM_TRY(settle(c, "num_puzzle_identifiers", &m->num_puzzle_identifiers, puzzles->shape[0],
                   puzzles));
    return settle(c, "puzzle_emb_ndim", &m->puzzle_emb_ndim, puzzles->shape[1], puzzles);
  }
  if (m->puzzle_emb_ndim)
    TRM_FAIL(c->err, TRM_E_SHAPE,
             "%s: no tensor puzzle_emb.weights, but the configuration says puzzle_emb_ndim = %d",
             c->path, m->puzzle_emb_ndim);
  if (m->num_puzzle_identifiers == 0) m->num_puzzle_identifiers = 1;
  return TRM_OK;
}

/* Layers 0 … of a net have tensors; how many, and a tensor of the last. */
static int count_layers(const checkpoint *c, const char *net, const trm__torch_tensor **last) {
  char name[72];
  int n = 0;
  for (;; n++) {
    snprintf(name, sizeof name, "%s.layers.%d.mlp.down_proj.weight", net, n);
    const trm__torch_tensor *t = find_tensor(c, name);
    if (!t || t->ndim != 2) return n;
    *last = t;
  }
}

/* The architecture says which nets there are: layers of another one are found when the tensors are
 * compared with the layout. */
static trm_status settle_layers(const checkpoint *c, trm_model_config *m) {
  const trm__torch_tensor *low_last = NULL, *high_last = NULL;
  const bool low = m->arch != TRM_ARCH_TRANSFORMER;
  const bool high = m->arch == TRM_ARCH_TRANSFORMER || m->arch == TRM_ARCH_HRM;
  const int n_low = count_layers(c, "L_level", &low_last),
            n_high = count_layers(c, "H_level", &high_last);
  if ((low && n_low == 0) || (high && n_high == 0))
    TRM_FAIL(c->err, TRM_E_SHAPE, "%s: no layers of %s, which arch %s has", c->path,
             low && n_low == 0 ? "L_level" : "H_level", trm_arch_name(m->arch));
  if (low) TRM_TRY(settle(c, "L_layers (the layers of L_level)", &m->L_layers, n_low, low_last));
  if (high) TRM_TRY(settle(c, "H_layers (the layers of H_level)", &m->H_layers, n_high, high_last));
  return TRM_OK;
}

/* An expansion that gives the widths of both kinds of SwiGLU; width_l 0: there is only one. The
 * usual 4 is tried first, then halves. */
static double find_expansion(int in, int64_t width, int in_l, int64_t width_l) {
  for (int halves = 8, next = 1; next <= 128; halves = next++) {
    const double e = 0.5 * halves;
    if (trm__swiglu_width(e, in) == width &&
        (width_l == 0 || trm__swiglu_width(e, in_l) == width_l))
      return e;
  }
  return 0;
}

/* What the first layer shows: attention or mixer, the expansion, and with a mixer or learned
 * positions L and so seq_len. */
static trm_status settle_shape(const checkpoint *c, trm_model_config *m) {
  const char *net = m->arch == TRM_ARCH_TRANSFORMER ? "H_level" : "L_level";
  const trm__torch_tensor *down, *mixer, *learned;
  char name[72];
  snprintf(name, sizeof name, "%s.layers.0.mlp.down_proj.weight", net);
  TRM_TRY(find_matrix(c, name, &down));
  snprintf(name, sizeof name, "%s.layers.0.mlp_t.down_proj.weight", net);
  TRM_TRY(find_matrix(c, name, &mixer));
  TRM_TRY(find_matrix(c, "embed_pos.embedding_weight", &learned));
  if ((mixer != NULL) != m->mlp_t)
    TRM_FAIL(c->err, TRM_E_SHAPE, "%s: %s tensor \"%s\", but the configuration says mlp_t = %s",
             c->path, mixer ? "has a" : "has no", name, m->mlp_t ? "true" : "false");
  const trm__torch_tensor *t = mixer ? mixer : learned; /* [L, F_L] or [L, D] */
  if (t && t->shape[0] <= INT_MAX)
    TRM_TRY(settle(c, "seq_len (without the puzzle positions)", &m->seq_len,
                   t->shape[0] - trm__puzzle_positions(m), t));
  if (m->expansion == 0)
    m->expansion = find_expansion(m->hidden_size, down->shape[1], mixer ? (int)mixer->shape[0] : 0,
                                  mixer ? mixer->shape[1] : 0);
  return TRM_OK;
}

static trm_status complete(const checkpoint *c, trm_model_config *m) {
  if (trm__torch_count(c->file) > MAX_TENSORS) /* names are searched one by one */
    TRM_FAIL(c->err, TRM_E_FORMAT,
             "%s: %d tensors, want at most %d: not a checkpoint of a Tiny Recursive Model", c->path,
             trm__torch_count(c->file), MAX_TENSORS);
  TRM_TRY(settle_sizes(c, m));
  TRM_TRY(settle_layers(c, m));
  return settle_shape(c, m);
}

static trm_status open_checkpoint(checkpoint *c, const char *path, trm_model_config *m,
                                  trm_error *err) {
  *c = (checkpoint){.path = path, .err = err};
  TRM_TRY(trm__torch_open(path, &c->file, err));
  const trm_status st = complete(c, m);
  if (st != TRM_OK) trm__torch_close(c->file);
  return st;
}

trm_status trm_model_complete_config(const char *path, trm_model_config *config, trm_error *err) {
  checkpoint c;
  trm_model_config m = *config;
  TRM_TRY(open_checkpoint(&c, path, &m, err));
  trm__torch_close(c.file);
  *config = m;
  return TRM_OK;
}

/* --- the weights --- */

static trm_status check_tensor(const checkpoint *c, const trm__slot *s,
                               const trm__torch_tensor *t) {
  const int ndim = s->shape[1] ? 2 : 1;
  if (!t)
    TRM_FAIL(c->err, TRM_E_FORMAT, "%s: no tensor \"%s\", which the configuration wants", c->path,
             s->name);
  if (t->ndim != ndim || t->shape[0] != s->shape[0] || (ndim == 2 && t->shape[1] != s->shape[1]))
    TRM_FAIL(
        c->err, TRM_E_SHAPE,
        "%s: %s has %d dimensions, [%lld, %lld]; the configuration wants [%lld, %lld] (0: none)",
        c->path, t->name, t->ndim, (long long)t->shape[0], (long long)t->shape[1],
        (long long)s->shape[0], (long long)s->shape[1]);
  if (!trm__dtype_is_float(t->dtype))
    TRM_FAIL(c->err, TRM_E_FORMAT, "%s: %s is %s; want F32, BF16, F16 or F64", c->path, t->name,
             trm__dtype_name(t->dtype));
  return TRM_OK;
}

/* Every tensor of the layout is there, once, and no other. */
static trm_status check_tensors(const checkpoint *c, const trm__layout *l) {
  for (int i = 0; i < l->n_slots; i++)
    TRM_TRY(check_tensor(c, &l->slots[i], find_tensor(c, l->slots[i].name)));
  for (int i = 0; i < trm__torch_count(c->file); i++) {
    const trm__torch_tensor *t = trm__torch_at(c->file, i);
    const char *name = plain_name(t->name);
    if (trm__layout_find(l, name) < 0)
      TRM_FAIL(c->err, TRM_E_FORMAT,
               "%s: tensor \"%.100s\" is none of the model that the configuration describes",
               c->path, t->name);
    if (find_tensor(c, name) != t)
      TRM_FAIL(c->err, TRM_E_FORMAT, "%s: tensor \"%.100s\" is there under two names", c->path,
               t->name);
  }
  return TRM_OK;
}

static trm_status read_tensor(const checkpoint *c, const trm__torch_tensor *t, real *out) {
  float values[CHUNK];
  TRM_TRY(trm__torch_check(c->file, t, c->err));
  for (int64_t first = 0; first < t->count; first += CHUNK) {
    const int64_t n = t->count - first < CHUNK ? t->count - first : CHUNK;
    trm__torch_to_float(t, first, n, values);
    TRM_TRY(trm__store_weights(values, n, t->name, c->path, first, out, c->err));
  }
  return TRM_OK;
}

/* A model without weights of which the file is known to have every tensor. */
static trm_status outline_model(const checkpoint *c, const trm_model_config *config,
                                trm_model **out) {
  trm_model *m;
  trm_model_config some = *config;
  if (some.seq_len == 0) some.seq_len = 1; /* no tensor depends on it */
  TRM_TRY(trm__model_outline(&some, NULL, 0, &m, c->err));
  const trm_status st = check_tensors(c, m->layout);
  m->config = *config;
  if (st == TRM_OK)
    *out = m;
  else
    trm_model_free(m);
  return st;
}

static trm_status read_model(const checkpoint *c, const trm_model_config *config, trm_model **out) {
  trm_model *m;
  if (config->seq_len == 0)
    TRM_FAIL(
        c->err, TRM_E_CONFIG,
        "%s: no tensor shows seq_len (attention with rotary positions works at any length); it "
        "must be given, for instance by the data set",
        c->path);
  TRM_TRY(outline_model(c, config, &m));
  trm_model_free(m);
  TRM_TRY(trm__model_alloc(config, NULL, 0, &m, c->err));
  trm_status st = TRM_OK;
  for (int i = 0; i < m->layout->n_slots && st == TRM_OK; i++) {
    const trm__slot *s = &m->layout->slots[i];
    st = read_tensor(c, find_tensor(c, s->name), trm__model_slot(m, s));
  }
  if (st == TRM_OK)
    *out = m;
  else
    trm_model_free(m);
  return st;
}

static trm_status open_model(const char *path, const trm_model_config *config,
                             trm_status (*make)(const checkpoint *, const trm_model_config *,
                                                trm_model **),
                             trm_model **out, trm_error *err) {
  checkpoint c;
  trm_model_config m = *config;
  *out = NULL;
  TRM_TRY(open_checkpoint(&c, path, &m, err));
  const trm_status st = make(&c, &m, out);
  trm__torch_close(c.file);
  return st;
}

trm_status trm_model_import(const char *path, const trm_model_config *config, trm_model **out,
                            trm_error *err) {
  return open_model(path, config, read_model, out, err);
}

trm_status trm_model_peek(const char *path, const trm_model_config *config, trm_model **out,
                          trm_error *err) {
  return config ? open_model(path, config, outline_model, out, err)
                : trm__model_open(path, false, out, err);
}
