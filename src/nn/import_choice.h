/* Which of a checkpoint's tensors are the model's: a file of the field may hold the weights and an
 * average of them, in dictionaries, under the names of whatever wrapped the model in training. */
#ifndef TRM_NN_IMPORT_CHOICE_H
#define TRM_NN_IMPORT_CHOICE_H

#include "io/tensor_set.h"

/* A tensor under the name that the reference's inner model has for it. */
typedef struct trm__named_tensor {
  const char *name;
  const trm__torch_tensor *tensor;
  int at; /* in the set */
} trm__named_tensor;

typedef struct trm__import_choice {
  trm__named_tensor *tensors;
  int n;        /* of the model, first in `tensors` */
  int n_second; /* behind them: of the weights beside an average, which has no buffers */
  int n_strays; /* behind them: what stands in the dictionary of the model but outside of it */
  char *names;  /* that `tensors` point into */
  char *about;  /* what was chosen of several, a sentence; "": there was no choice */
} trm__import_choice;

/* Errors: MEMORY; FORMAT when no tensor is the embedding of tokens, with what there is. */
trm_status trm__import_choose(const trm__tensor_set *set, const char *path, trm__import_choice *out,
                              trm_error *err);
void trm__import_choice_free(trm__import_choice *choice); /* a zeroed one is fine */
/* By the name; NULL: none. One that an average has no part of (`second`: a buffer) may come from
 * the weights beside it. */
const trm__named_tensor *trm__import_find(const trm__import_choice *choice, const char *name,
                                          bool second);
/* A tensor that changes no answer: caches, frequencies, counters. */
bool trm__import_is_idle(const char *name);

#endif
