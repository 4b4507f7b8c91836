/* The architectures, one row each: whatever one of them has of its own is a column here. */
#ifndef TRM_NN_ARCHS_H
#define TRM_NN_ARCHS_H

#include "backend/backend.h"
#include "base/words.h"
#include "trm/model.h"

enum {
  TRM__MAX_NETS = 2,
  TRM__MAX_LAYERS = 64,                           /* of a net */
  TRM__MAX_EXPERTS = (TRM__BLOCK_WEIGHTS - 2) / 2 /* beside two matrices of the router */
};

typedef struct trm__step {
  uint8_t net, dst;
  uint32_t src;   /* bit i: z[i] is in the sum */
  bool add_input; /* e is in the sum */
  bool solved;    /* dst becomes the solution of z[dst] = net(sum), as the solver finds it */
} trm__step;

typedef struct trm__arch trm__arch;

typedef struct trm__latent {
  const char *name; /* "z_H", …, as in the reference's carry */
  const char *init; /* the buffer it starts from: "H_init", … */
} trm__latent;

typedef struct trm__net {
  const char *prefix; /* of its tensors: "L_level" */
  const char *layers; /* the field that says how many it has, */
  size_t offset;      /* and where that is in a configuration; where it is 0, */
  size_t otherwise;   /* the field that says it then; 0: there is none */
} trm__net;

struct trm__arch {
  trm__word word; /* the name, and the class in the reference's configurations */
  struct {
    const char *name, *file; /* of a class under which it is published; file NULL: any */
  } classes[6];              /* up to the first without a name */
  struct {
    const char *field;
    double value;
  } defaults[8]; /* that are not those of the fields' rows, up to the first without a name */
  trm__latent latents[TRM__MAX_LATENTS];
  trm__net nets[TRM__MAX_NETS]; /* the second, if any, with nets = separate */
  int n_latents, n_nets;        /* n_nets: by default */
  bool latent_per_update; /* n_latents are there at most: L_cycles of them beside the answer */
  /* Writes the steps of one cycle of n_latents latents; returns their number, at most n + 1 for n =
   * L_cycles. The last one is that of the answer: which net makes it, and whether it adds the
   * input, the plan settles. */
  int (*cycle)(int n_latents, int n, trm__step *out);
  bool once;            /* one cycle whatever H_cycles says, and L_cycles is not used */
  int most_L_cycles;    /* 0: no limit of its own */
  bool fills_positions; /* as many as the puzzle embedding needs, whatever puzzle_emb_len says */
  bool solvable;        /* a solver can stand for the updates of z_L */
  bool continue_loss;   /* has one, unless no_ACT_continue */
  const char *lacks;    /* fields that the reference's class does not have, between spaces */
};

/* NULL for a value outside of the enumeration. */
const trm__arch *trm__arch_of(trm_arch arch);
extern const trm__words trm__arch_words;
/* What a configuration has of the row. */
int trm__n_nets(const trm__arch *a, const trm_model_config *config);
int trm__n_latents(const trm__arch *a, const trm_model_config *config);
/* The layers that a configuration gives a net. */
int trm__net_layers(const trm__net *net, const trm_model_config *config);

#endif
