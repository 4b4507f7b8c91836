/* Which weights a group has, as stretches of the flat block, and where its state is. */
#include "train/groups.h"

#include <string.h>

#include "base/check.h"
#include "base/memory.h"

static bool is_dense(const trm__slot *s) {
  return s->kind == TRM_TENSOR_PARAM;
}
static bool is_matrix(const trm__slot *s) {
  return is_dense(s) && s->matrices > 0;
}
static bool is_puzzle_emb(const trm__slot *s) {
  return s->kind == TRM_TENSOR_PUZZLE_EMB;
}

int trm__group_specs(const trm_trainer_config *c, trm__group_spec out[TRM__MAX_GROUPS]) {
  const bool by_matrix = trm__rules[c->optimizer].by_matrix;
  int n = 0;
  out[n++] = (trm__group_spec){.takes = by_matrix ? is_matrix : is_dense,
                               .rule = (trm__rule)c->optimizer,
                               .lr = c->lr,
                               .weight_decay = c->weight_decay,
                               .frozen = c->freeze_weights,
                               .per_head = c->muon_per_head,
                               .steps = c->muon_steps};
  if (by_matrix)
    out[n++] = (trm__group_spec){.takes = is_dense,
                                 .rule = (trm__rule)TRM_OPT_ADAMW,
                                 .lr = c->adam_lr,
                                 .weight_decay = c->adam_weight_decay,
                                 .frozen = c->freeze_weights};
  out[n++] = (trm__group_spec){.takes = is_puzzle_emb,
                               .rule = TRM__RULE_SIGN_ROWS,
                               .lr = c->puzzle_emb_lr,
                               .weight_decay = c->puzzle_emb_weight_decay};
  return n;
}

/* --- segments -------------------------------------------------------------------------------- */

/* The group of a tensor, or -1. */
static int group_of(const trm__groups *g, const trm__slot *s) {
  for (int i = 0; i < g->n; i++)
    if (g->spec[i].takes(s)) return i;
  return -1;
}

/* Values of a tensor in its block, with what fills it up. */
static int64_t room_of(const trm__slot *s) {
  return (s->count + 15) / 16 * 16;
}

/* A tensor joins the stretch that it continues, in the same block; for a rule by matrix it stands
 * alone. `before`: the tensor added last, or NULL. */
static void add_tensor(trm__group *g, bool per_head, trm__segment *segments, int most,
                       const trm__slot *before, const trm__slot *s) {
  const bool alone = trm__rules[g->rule].by_matrix;
  const int count = per_head && s->matrices ? s->matrices : 1;
  trm__segment *last = before ? &segments[g->n_segments - 1] : NULL;
  if (!alone && last && before->kind == s->kind && last->at + last->n == s->offset) {
    last->n += room_of(s);
    return;
  }
  segments[trm__push(&g->n_segments, most)] =
      (trm__segment){.at = s->offset,
                     .n = alone ? s->count : room_of(s),
                     .state = last ? last->state + last->n : 0,
                     .count = alone ? count : 1,
                     .rows = alone ? (int)s->shape[0] / count : 0,
                     .cols = alone ? (int)s->shape[1] : 0};
}

/* --- state ----------------------------------------------------------------------------------- */

static int64_t group_reals(const trm__group *g) {
  const trm__segment *last = g->n_segments > 0 ? &g->segments[g->n_segments - 1] : NULL;
  return last ? last->state + last->n : 0;
}

static trm__rule_state *state_named(trm__groups *g, const char *name, bool never_negative) {
  for (int i = 0; i < g->n_states; i++)
    if (!strcmp(g->state[i].name, name)) return &g->state[i];
  const int at = trm__push(&g->n_states, TRM__MAX_GROUPS * TRM__RULE_STATES);
  g->state[at] = (trm__rule_state){.name = name, .never_negative = never_negative};
  return &g->state[at];
}

/* Calls for every tensor of state of every group, in their order; `place` says where the group's
 * part of it is, once there is memory. */
static void lay_out_states(trm__groups *g, bool place) {
  for (int i = 0; i < g->n_states; i++) g->state[i].n = 0;
  for (int i = 0; i < g->n; i++) {
    const trm__rule_about *rule = &trm__rules[g->group[i].rule];
    for (int j = 0; j < TRM__RULE_STATES && rule->state[j]; j++) {
      trm__rule_state *s = state_named(g, rule->state[j], rule->never_negative[j]);
      if (place) g->group[i].state[j] = s->at + s->n;
      s->n += group_reals(&g->group[i]);
    }
  }
}

/* Reals of scratch that the most demanding segment takes. */
static int64_t scratch_of(const trm__groups *g) {
  int64_t most = 0;
  for (int i = 0; i < g->n; i++) {
    const trm__rule_about *rule = &trm__rules[g->group[i].rule];
    for (int j = 0; j < g->group[i].n_segments && rule->scratch; j++) {
      const int64_t n = rule->scratch(&g->group[i].segments[j]);
      if (n > most) most = n;
    }
  }
  return most;
}

int64_t trm__groups_reals(const trm__groups *g) {
  int64_t n = scratch_of(g);
  for (int i = 0; i < g->n_states; i++) n += g->state[i].n;
  return n;
}

/* --- groups ---------------------------------------------------------------------------------- */

trm_status trm__groups_create(const trm__layout *l, const trm__group_spec *specs, int n,
                              trm__groups *out, trm_error *err) {
  trm__groups g = {.n = n};
  TRM_ASSERT(n <= TRM__MAX_GROUPS);
  TRM_ALLOC(&g.segments, l->n_slots, "the groups of an update", err);

  /* Every trained tensor must be in a group. */
  for (int i = 0; i < n; i++) {
    g.spec[i] = specs[i];
    g.group[i].rule = specs[i].rule;
    g.group[i].steps = specs[i].steps;
  }
  for (int i = 0; i < l->n_slots; i++) {
    const trm__slot *s = &l->slots[i];
    if (s->kind == TRM_TENSOR_BUFFER || group_of(&g, s) >= 0) continue;
    trm__free(g.segments);
    TRM_FAIL(err, TRM_E_ARGUMENT, "no group of the update takes %s", s->name);
  }

  /* Each group's tensors in their order, as stretches; the groups' segments follow each other. */
  for (int i = 0; i < n; i++) {
    trm__segment *own = g.segments + g.n_segments;
    const trm__slot *before = NULL;
    for (int j = 0; j < l->n_slots; j++) {
      const trm__slot *s = &l->slots[j];
      if (s->kind == TRM_TENSOR_BUFFER || group_of(&g, s) != i) continue;
      add_tensor(&g.group[i], specs[i].per_head, own, l->n_slots - g.n_segments, before, s);
      before = s;
    }
    g.group[i].segments = own;
    g.n_segments += g.group[i].n_segments;
  }

  lay_out_states(&g, false);
  *out = g;
  return TRM_OK;
}

trm_status trm__groups_memory(trm__groups *g, trm__backend *be, trm_error *err) {
  const int64_t scratch = scratch_of(g);
  for (int i = 0; i < g->n; i++)
    if (!be->ops->has_rule(be, g->group[i].rule))
      TRM_FAIL(err, TRM_E_CONFIG,
               "%s: the optimizer is not there yet; choose another, or the "
               "device cpu",
               be->ops->name);

  /* State, one tensor for all groups that name it; figures; scratch that they take in turns. */
  for (int i = 0; i < g->n_states; i++)
    TRM_TRY(trm__backend_alloc(be, g->state[i].n, sizeof(real), g->state[i].name, &g->state[i].at,
                               err));
  lay_out_states(g, true);
  TRM_TRY(trm__backend_alloc(be, g->n, sizeof *g->figures, "rates", &g->figures, err));
  if (scratch)
    TRM_TRY(trm__backend_alloc(be, scratch, sizeof(real), "scratch of rules", &g->scratch, err));

  for (int i = 0; i < g->n; i++) {
    g->group[i].figures = g->figures + i;
    g->group[i].scratch = g->scratch;
  }
  return TRM_OK;
}

void trm__groups_free(trm__groups *g, trm__backend *be) {
  for (int i = 0; be && i < g->n_states; i++) be->ops->release(be, g->state[i].at);
  if (be) be->ops->release(be, g->figures);
  if (be) be->ops->release(be, g->scratch);
  trm__free(g->segments);
}
