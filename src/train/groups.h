/* The groups of tensors that an update works on, each with its rule, rate and decay. */
#ifndef TRM_TRAIN_GROUPS_H
#define TRM_TRAIN_GROUPS_H

#include "nn/layout.h"
#include "train/rules.h"

enum { TRM__MAX_GROUPS = 8 };

/* Which tensors, and how they are updated. */
typedef struct trm__group_spec {
  bool (*takes)(const trm__slot *); /* a tensor is of the first group that takes it */
  trm__rule rule;
  double lr, weight_decay; /* lr: where the schedule is at its top */
  bool frozen;             /* its weights stay; its state is kept all the same */
  bool per_head;           /* by matrix: heads apart */
  int steps;               /* of a rule that iterates */
} trm__group_spec;

/* A tensor of state, of all groups whose rules name it. */
typedef struct trm__rule_state {
  const char *name;
  bool never_negative;
  int64_t n;
  real *at; /* in the backend's memory */
} trm__rule_state;

typedef struct trm__groups {
  int n, n_segments, n_states;
  trm__group_spec spec[TRM__MAX_GROUPS];
  trm__group group[TRM__MAX_GROUPS];
  trm__segment *segments; /* of all groups, one after the other */
  trm__rule_state state[TRM__MAX_GROUPS * TRM__RULE_STATES];
  trm__adam *figures; /* [n] in the backend's memory */
  real *scratch;      /* the most that a group asks for */
} trm__groups;

/* The groups of a configuration: everything by its optimizer, where that works by matrix what is no
 * matrix of a net by AdamW, and the puzzle embedding by its own rule. Returns their number. */
int trm__group_specs(const trm_trainer_config *config, trm__group_spec out[TRM__MAX_GROUPS]);
/* Which tensor is in which group, without memory of the backend. ARGUMENT when nobody takes a
 * trained tensor. */
trm_status trm__groups_create(const trm__layout *layout, const trm__group_spec *specs, int n,
                              trm__groups *out, trm_error *err);
/* Reals of their state and their scratch. */
int64_t trm__groups_reals(const trm__groups *g);
/* Takes the state, zeroed, and what else they need. */
trm_status trm__groups_memory(trm__groups *g, trm__backend *be, trm_error *err);
/* be NULL: trm__groups_memory was never called. */
void trm__groups_free(trm__groups *g, trm__backend *be);

#endif
