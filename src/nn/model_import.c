/* Published checkpoints: files with the reference's names. The shapes of their tensors tell
 * most of a configuration; what is known from elsewhere must agree with them. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "nn/import_choice.h"
#include "nn/model.h"
#include "nn/model_fields.h"
#include "nn/plan.h"

enum {
  CHUNK = 1024,                          /* values converted at a time */
  MAX_TENSORS = TRM__MOST_TENSORS + 1024 /* beside a model's, those that change no answer */
};

typedef struct checkpoint {
  const char *path;
  trm__tensor_set *set;
  trm__import_choice choice;
  trm_error *err;
} checkpoint;

/* The tensor of that name, NULL when there is none. */
static const trm__torch_tensor *find_tensor(const checkpoint *c, const char *name) {
  const trm__named_tensor *t = trm__import_find(&c->choice, name, false);
  return t ? t->tensor : NULL;
}

/* What an average of weights has no part of: buffers and puzzle embeddings. */
static bool is_beside(const trm__slot *s) {
  return s->kind != TRM_TENSOR_PARAM;
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
  const trm__named_tensor *found =
      trm__import_find(&c->choice, name, !strcmp(name, "puzzle_emb.weights"));
  *t = found ? found->tensor : NULL;
  if (*t && (*t)->ndim != 2)
    TRM_FAIL(c->err, TRM_E_SHAPE, "%s: %s has %d dimensions, want 2", c->path, (*t)->name,
             (*t)->ndim);
  return TRM_OK;
}

static trm_status settle_sizes(const checkpoint *c, trm_model_config *m) {
  const trm__torch_tensor *tokens, *puzzles; /* tokens: the choice was made by it */
  TRM_TRY(find_matrix(c, "embed_tokens.embedding_weight", &tokens));
  TRM_TRY(find_matrix(c, "puzzle_emb.weights", &puzzles));
  TRM_TRY(settle(c, "vocab_size", &m->vocab_size, tokens->shape[0], tokens));
  TRM_TRY(settle(c, "hidden_size", &m->hidden_size, tokens->shape[1], tokens));

  /* Without a puzzle embedding one id stands for all. */
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

/* The second matrix of a SwiGLU over channels ("mlp") or positions ("mlp_t"): of the first expert
 * where it has experts, each of which is a share of one for all tokens. */
typedef char down_name[72];
static void name_down(down_name name, const char *net, int layer, const char *branch,
                      trm_router router) {
  snprintf(name, sizeof(down_name), "%.8s.layers.%d.%s%s.down_proj.weight", net, layer, branch,
           router ? ".experts.0" : "");
}

/* Layers 0 … of a net have tensors; how many, and a tensor of the last. */
static int count_layers(const checkpoint *c, const char *net, trm_router router,
                        const trm__torch_tensor **last) {
  down_name name;
  int n = 0;
  for (;; n++) {
    name_down(name, net, n, "mlp", router);
    const trm__torch_tensor *t = find_tensor(c, name);
    if (!t || t->ndim != 2) return n;
    *last = t;
  }
}

/* What a configuration has to say where the file has layers of the other kind. */
static const char *hint_of(const checkpoint *c, const char *net, const trm_model_config *m) {
  down_name name;
  name_down(name, net, 0, "mlp", m->moe.router ? TRM_ROUTER_NONE : TRM_ROUTER_SWITCH);
  return find_tensor(c, name) ? trm__experts_hint(name, m->moe.router, m->moe_t.router) : "";
}

/* The architecture says which nets there are: layers of another one are found when the tensors are
 * compared with the layout. */
static trm_status settle_layers(const checkpoint *c, trm_model_config *m) {
  const trm__arch *a = trm__arch_of(m->arch);
  for (int i = 0; i < trm__n_nets(a, m); i++) {
    const trm__net *net = &a->nets[i];
    const trm__torch_tensor *last = NULL;
    char what[64];
    const int n = count_layers(c, net->prefix, m->moe.router, &last);
    if (n == 0)
      TRM_FAIL(c->err, TRM_E_SHAPE, "%s: no layers of %s, which arch %s has%s%s", c->path,
               net->prefix, a->word.name, i ? " with nets = separate" : "",
               hint_of(c, net->prefix, m));
    snprintf(what, sizeof what, "%s (the layers of %s)", net->layers, net->prefix);
    TRM_TRY(settle(c, what, (int *)((char *)m + net->offset), n, last));
  }
  return TRM_OK;
}

/* The second matrix of a SwiGLU over `in` values, or of an expert with a share of its width. */
typedef struct shown_width {
  int in, shares;
  int64_t width; /* 0: there is none */
} shown_width;

static bool gives(double expansion, const shown_width *w) {
  return w->width == 0 || trm__swiglu_width(expansion, w->in) / w->shares == w->width;
}

/* An expansion that gives the widths of both kinds of SwiGLU. The usual 4 is tried first, then
 * halves. */
static double find_expansion(const shown_width *channels, const shown_width *positions) {
  for (int halves = 8, next = 1; next <= 128; halves = next++) {
    const double e = 0.5 * halves;
    if (gives(e, channels) && gives(e, positions)) return e;
  }
  return 0;
}

/* What the first layer shows: attention or mixer, the expansion, and with a mixer or learned
 * positions L and so seq_len. */
static trm_status settle_shape(const checkpoint *c, trm_model_config *m) {
  const char *net = trm__arch_of(m->arch)->nets[0].prefix;
  const trm__torch_tensor *down, *mixer, *learned;
  down_name name;
  name_down(name, net, 0, "mlp", m->moe.router);
  TRM_TRY(find_matrix(c, name, &down));
  name_down(name, net, 0, "mlp_t", m->moe_t.router);
  TRM_TRY(find_matrix(c, name, &mixer));
  TRM_TRY(find_matrix(c, "embed_pos.embedding_weight", &learned));

  /* Which block mixes the positions; the mixer and learned positions tell how many there are. */
  if ((mixer != NULL) != m->mlp_t)
    TRM_FAIL(c->err, TRM_E_SHAPE, "%s: %s tensor \"%s\", but the configuration says mlp_t = %s",
             c->path, mixer ? "has a" : "has no", name, m->mlp_t ? "true" : "false");
  const trm__torch_tensor *t = mixer ? mixer : learned; /* [L, F_L] or [L, D] */
  if (t && t->shape[0] <= INT_MAX)
    TRM_TRY(settle(c,
                   m->registers ? "seq_len (without registers and the positions of puzzle_emb_len)"
                                : "seq_len (without the positions of puzzle_emb_len)",
                   &m->seq_len, t->shape[0] - trm__front_positions(m), t));

  const shown_width channels = {m->hidden_size, trm__experts_chosen(m->moe.router), down->shape[1]};
  shown_width positions = {1, 1, 0};
  if (mixer)
    positions =
        (shown_width){(int)mixer->shape[0], trm__experts_chosen(m->moe_t.router), mixer->shape[1]};
  if (m->expansion == 0) m->expansion = find_expansion(&channels, &positions);
  return TRM_OK;
}

/* A q head of one row has no logit for going on: a row halts when q_halt > 0. */
static bool is_halt_only(const checkpoint *c) {
  const trm__torch_tensor *q = find_tensor(c, "q_head.weight");
  return q && q->ndim == 2 && q->shape[0] == 1;
}

static trm_status complete(const checkpoint *c, trm_model_config *m) {
  if (c->choice.n > MAX_TENSORS) /* names are searched one by one */
    TRM_FAIL(c->err, TRM_E_FORMAT,
             "%s: %d tensors, want at most %d: not a checkpoint of a Tiny Recursive Model", c->path,
             c->choice.n, MAX_TENSORS);
  TRM_TRY(trm__field_check(trm__fields_find(&trm__model_fields, "arch"), m, c->err));
  TRM_TRY(settle_sizes(c, m));
  TRM_TRY(settle_layers(c, m));
  if (is_halt_only(c)) m->no_ACT_continue = true;
  return settle_shape(c, m);
}

static void close_checkpoint(checkpoint *c) {
  trm__import_choice_free(&c->choice);
  trm__tensor_set_close(c->set);
}

static trm_status open_checkpoint(checkpoint *c, const char *path, trm_model_config *m,
                                  trm_error *err) {
  *c = (checkpoint){.path = path, .err = err};
  TRM_TRY(trm__tensor_set_open(path, &c->set, err));
  trm_status st = trm__import_choose(c->set, path, &c->choice, err);
  if (st == TRM_OK) st = complete(c, m);
  if (st != TRM_OK) close_checkpoint(c);
  return st;
}

trm_status trm_model_complete_config(const char *path, trm_model_config *config, trm_error *err) {
  checkpoint c;
  trm_model_config m = *config;
  TRM_TRY(open_checkpoint(&c, path, &m, err));
  close_checkpoint(&c);
  *config = m;
  return TRM_OK;
}

/* --- the weights --- */

static bool is_q_head(const trm__slot *s) {
  return !strncmp(s->name, "q_head.", 7);
}

static trm_status check_tensor(const checkpoint *c, const trm__layout *l, const trm__slot *s) {
  const int ndim = s->shape[1] ? 2 : 1;
  const int64_t rows = is_q_head(s) && is_halt_only(c) ? 1 : s->shape[0];
  const trm__named_tensor *found = trm__import_find(&c->choice, s->name, is_beside(s));
  if (!found)
    TRM_FAIL(c->err, TRM_E_FORMAT, "%s: no tensor \"%s\", which the configuration wants%s", c->path,
             s->name, trm__layout_hint(l, s->name));

  const trm__torch_tensor *t = found->tensor;
  if (t->ndim != ndim || t->shape[0] != rows || (ndim == 2 && t->shape[1] != s->shape[1]))
    TRM_FAIL(
        c->err, TRM_E_SHAPE,
        "%s: %s has %d dimensions, [%lld, %lld]; the configuration wants [%lld, %lld] (0: none)",
        c->path, t->name, t->ndim, (long long)t->shape[0], (long long)t->shape[1], (long long)rows,
        (long long)s->shape[1]);
  if (!trm__dtype_is_float(t->dtype))
    TRM_FAIL(c->err, TRM_E_FORMAT, "%s: %s holds %s, want floating-point numbers", c->path, t->name,
             trm__dtype_name(t->dtype));
  return TRM_OK;
}

/* The head of a tied model, which torch writes under both names; NULL: the file has none. */
static const trm__named_tensor *tied_head(const checkpoint *c, const trm__layout *l) {
  return trm__layout_is_tied(l) ? trm__import_find(&c->choice, TRM__LM_HEAD, false) : NULL;
}

/* A tensor beside the model's: one that changes no answer, or there is another model in the file
 * than the configuration describes. */
static trm_status check_other(const checkpoint *c, const trm__layout *l,
                              const trm__named_tensor *t) {
  if (trm__import_is_idle(t->name) || t == tied_head(c, l)) return TRM_OK;
  TRM_FAIL(c->err, TRM_E_FORMAT,
           "%s: tensor \"%.100s\" is none of the model that the configuration describes%s", c->path,
           t->tensor->name, trm__layout_hint(l, t->name));
}

/* Every tensor of the layout is there, once, and none beside them that could change an answer. */
static trm_status check_tensors(const checkpoint *c, const trm__layout *l) {
  const trm__import_choice *all = &c->choice;
  for (int i = 0; i < l->n_slots; i++) TRM_TRY(check_tensor(c, l, &l->slots[i]));
  for (int i = 0; i < all->n; i++) {
    const trm__named_tensor *t = &all->tensors[i];
    if (trm__layout_find(l, t->name) < 0) TRM_TRY(check_other(c, l, t));
    if (trm__import_find(all, t->name, false) != t)
      TRM_FAIL(c->err, TRM_E_FORMAT, "%s: tensor \"%.100s\" is there under two names", c->path,
               t->tensor->name);
  }
  for (int i = 0; i < all->n_strays; i++)
    TRM_TRY(check_other(c, l, &all->tensors[all->n + all->n_second + i]));
  return TRM_OK;
}

static trm_status read_tensor(const checkpoint *c, const trm__named_tensor *found, real *out) {
  float values[CHUNK];
  const trm__torch_tensor *t = found->tensor;
  TRM_TRY(trm__tensor_set_check(c->set, found->at, c->err));
  for (int64_t first = 0; first < t->count; first += CHUNK) {
    const int64_t n = t->count - first < CHUNK ? t->count - first : CHUNK;
    trm__torch_to_float(t, first, n, values);
    TRM_TRY(trm__store_weights(values, n, t->name, c->path, first, out, c->err));
  }
  return TRM_OK;
}

/* Every tensor of the layout. Where the file has one row of a q head for two, the other is 0, and
 * so is q_continue. */
static trm_status read_tensors(const checkpoint *c, trm_model *m) {
  for (int i = 0; i < m->layout->n_slots; i++) {
    const trm__slot *s = &m->layout->slots[i];
    TRM_TRY(
        read_tensor(c, trm__import_find(&c->choice, s->name, is_beside(s)), trm__model_slot(m, s)));
  }
  return TRM_OK;
}

/* The head of a tied model says the same as its embedding. */
static trm_status check_tied_head(const checkpoint *c, const trm_model *m) {
  const trm__named_tensor *head = tied_head(c, m->layout);
  const int64_t V = m->layout->dims.V, D = m->layout->dims.D, n = V * D;
  real *values;
  if (!head) return TRM_OK;
  const trm__torch_tensor *t = head->tensor;
  bool same = t->ndim == 2 && t->shape[0] == V && t->shape[1] == D && trm__dtype_is_float(t->dtype);
  if (same) {
    TRM_ALLOC(&values, n, "an output head", c->err);
    const trm_status st = read_tensor(c, head, values);
    for (int64_t i = 0; st == TRM_OK && i < n; i++)
      same = same && values[i] == m->params[m->layout->outer.embed_tokens + i];
    trm__free(values);
    TRM_TRY(st);
  }
  if (same) return TRM_OK;
  TRM_FAIL(c->err, TRM_E_FORMAT,
           "%s: tensor \"%.100s\" is not the token embedding, but the configuration says "
           "tie_embeddings = true: a model with a head of its own has tie_embeddings = false",
           c->path, t->name);
}

/* A model without weights of which the file is known to have every tensor. */
static trm_status outline_model(const checkpoint *c, const trm_model_config *config,
                                trm_model **out) {
  trm_model *m;
  trm_model_config some = *config;

  /* What the data will say, and no tensor depends on: how many cells there are, in which grid. */
  if (some.seq_len == 0) some.seq_len = some.max_open_cells > 0 ? some.max_open_cells : 1;
  if (some.pos_encodings == TRM_POS_ROPE2D && some.puzzle.kind == TRM_PUZZLE_NONE) {
    some.pos_encodings = TRM_POS_ROPE;
    some.rope_theta_cols = 0;
  }
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

  /* An outline shows whether the file has every tensor before memory for them is taken. */
  TRM_TRY(outline_model(c, config, &m));
  trm_model_free(m);
  TRM_TRY(trm__model_alloc(config, NULL, 0, &m, c->err));
  trm_status st = read_tensors(c, m);
  if (st == TRM_OK) st = check_tied_head(c, m);
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
  close_checkpoint(&c);
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

/* --- what is told --- */

/* Appends a sentence; what does not fit is cut. */
static void tell(char *text, size_t room, const char *sentence, const char *names) {
  const size_t used = strlen(text);
  snprintf(text + used, room - used, "%s%s%s", used ? "; " : "", sentence, names);
}

/* Names of tensors that are passed over, as many as there is room for. */
static void list_idle(const checkpoint *c, const trm__layout *l, char *names, size_t room) {
  const trm__import_choice *all = &c->choice;
  int n = 0;
  names[0] = 0;
  for (int i = 0; i < all->n + all->n_second + all->n_strays; i++) {
    const char *name = all->tensors[i].name;
    const size_t used = strlen(names);
    if ((i >= all->n && i < all->n + all->n_second) || trm__layout_find(l, name) >= 0) continue;
    if (n++ < 4) snprintf(names + used, room - used, "%s%.60s", used ? ", " : "", name);
  }
  if (n > 4) snprintf(names + strlen(names), room - strlen(names), " and %d more", n - 4);
}

static trm_status tell_all(const checkpoint *c, const trm_model_config *config, trm_model **out,
                           char *text, size_t room) {
  char names[320];
  TRM_TRY(outline_model(c, config, out));
  list_idle(c, (*out)->layout, names, sizeof names);
  if (*c->choice.about) tell(text, room, c->choice.about, "");
  for (int i = 0; i < (*out)->layout->n_slots; i++) {
    const trm__slot *s = &(*out)->layout->slots[i];
    if (!find_tensor(c, s->name)) tell(text, room, "only the weights beside it have ", s->name);
  }
  if (*names) tell(text, room, "passed over, for it changes no answer: ", names);
  if (is_halt_only(c))
    tell(text, room, "its q head has one row: q_continue is 0, a row halts when q_halt > 0", "");
  return TRM_OK;
}

trm_status trm_model_import_note(const char *path, const trm_model_config *config, char *text,
                                 size_t room, trm_error *err) {
  checkpoint c;
  trm_model_config m = *config;
  trm_model *outline = NULL;
  text[0] = 0;
  TRM_TRY(open_checkpoint(&c, path, &m, err));
  const trm_status st = tell_all(&c, &m, &outline, text, room);
  trm_model_free(outline);
  close_checkpoint(&c);
  return st;
}
