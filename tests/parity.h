/* What parity.c and parity_recipe.c share: a case of reference numbers, and comparisons with it. */
#ifndef TRM_TESTS_PARITY_H
#define TRM_TESTS_PARITY_H

#include <math.h>

#include "io/json.h"
#include "io/safetensors.h"
#include "trm.h"

typedef struct group {
  const char *name;
  double tolerance, worst;
  char worst_name[128];
  int compared;
} group;

/* Errors of a case, by kind of figure. */
enum {
  G_LOGITS,
  G_Q,
  G_LATENT,
  G_LOSS,
  G_COUNT,
  G_GRAD,
  G_FINAL,
  G_EMA,
  /* Of recipes: */
  G_INPUT, /* the embedded question */
  G_FED,   /* what is fed back */
  G_RULES, /* the loss of broken rules */
  G_MOVE,  /* final weights, by the way that they went */
  N_GROUPS
};

enum { N_METRICS = 12 };

/* A figure of every training step, compared as the vector of its steps, like any other tensor: the
 * reference rounds a loss near zero in float32, where its last digits are noise. */
struct series {
  double diff, norm; /* squared */
  int n;
};
static inline void parity_add(struct series *s, double ours, double theirs) {
  s->diff += (ours - theirs) * (ours - theirs);
  s->norm += theirs * theirs;
  s->n++;
}
static inline double parity_size(const struct series *s) {
  return sqrt(s->norm > 0 ? s->diff / s->norm : s->diff);
}

typedef struct parity_case {
  const char *dir;
  trm__json *json;
  trm__safetensors *init, *batches, *eval, *train;
  trm_model *model;
  group groups[N_GROUPS];
  struct series series[N_METRICS];
  trm_error err;
} parity_case;

/* One more figure of a group. */
void parity_note(parity_case *c, int group, const char *name, double error);
/* ||a - b|| / ||b||; ||a|| where b is 0. */
double parity_error(int64_t n, const float *a, const float *b);

/* Of the case's files. */
static inline int int_of(const trm__json *o, const char *key, int otherwise) {
  const trm__json *v = trm__json_get(o, key);
  return trm__json_is(v, TRM__JSON_INTEGER) ? (int)trm__json_integer(v) : otherwise;
}
static inline double number_of(const trm__json *o, const char *key, double otherwise) {
  const trm__json *v = trm__json_get(o, key);
  return trm__json_is_number(v) ? trm__json_number(v) : otherwise;
}
static inline const char *string_of(const trm__json *o, const char *key, const char *otherwise) {
  const char *s = trm__json_text(trm__json_get(o, key));
  return s ? s : otherwise;
}

/* parity_recipe.c: whether a case is of a recipe around nets that the reference does not have. */
bool parity_is_recipe(const parity_case *c);
/* Creates its model with the weights of init.safetensors, which are the case's to close. */
trm_status parity_read_recipe(parity_case *c);
/* All its updates, on the CPU. */
trm_status parity_run_recipe(parity_case *c);

#endif
