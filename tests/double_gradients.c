/* The gradients of a whole supervision step against central differences: a line for every
 * architecture and every option of the net, the recursion and the loss. */
#include "step_gradients.h"

#include <stdlib.h>

#include "trm/maze.h"
#include "trm/sudoku.h"

/* What all lines have; rounding has no gradient. */
static const char ALL[] =
    "vocab_size=7 seq_len=11 num_puzzle_identifiers=5 hidden_size=16 num_heads=2 expansion=2 "
    "puzzle_emb_ndim=0 puzzle_emb_len=0 halt_max_steps=3 forward_dtype=float32";

/* z_L <- net(z_H + e), z_H <- net(z_L): an update that forgets the old value of its latent. */
static void forget(trm__plan *p) {
  for (int i = 0; i < p->n_steps; i++) p->steps[i].src = 1u << !p->steps[i].dst;
}

typedef struct line {
  const char *name;
  trm_arch arch;
  const char *settings; /* between spaces, behind those of all */
  enum { GRID_NONE, SUDOKU_4X4, MAZE_2X6, MAZE_4X4 } grid;
  edit_fn *edit;
} line;

#define TWO "H_cycles=2 L_cycles=2 L_layers=2 " /* cycles, updates, layers */
#define ONE "H_cycles=2 L_cycles=2 L_layers=1 "
#define HRM_TWO TWO "H_layers=2 "
#define HRM_ONE ONE "H_layers=1 "
#define PUZZLE "puzzle_emb_ndim=16 "
#define PADDED "puzzle_emb_ndim=16 puzzle_emb_len=2 "
#define CONTINUE "no_ACT_continue=false "
/* Small, for each difference solves it anew. */
#define SOLVED ONE PADDED "seq_len=4 hidden_size=8 solver_tolerance=1e-11 solver_iterations=200 "

static const line lines[] = {
    /* Architectures and positions. */
    {"trm, mixer", TRM_ARCH_TRM, .settings = TWO PADDED "mlp_t=true pos_encodings=none"},
    {"trm, rope", TRM_ARCH_TRM, .settings = TWO},
    {"trm, learned positions", TRM_ARCH_TRM,
     .settings = TWO "pos_encodings=learned hidden_size=20 puzzle_emb_ndim=27 puzzle_emb_len=3"},
    {"trm, no prefix, softmax, continue", TRM_ARCH_TRM,
     .settings = TWO CONTINUE "loss=softmax_cross_entropy H_cycles=1"},
    {"hrm", TRM_ARCH_HRM, .settings = HRM_TWO PUZZLE},
    {"trm_singlez", TRM_ARCH_SINGLEZ, .settings = TWO},
    {"trm_hier6", TRM_ARCH_HIER6, .settings = ONE "L_cycles=6"},
    {"trm_hier6 with two of its latents updated", TRM_ARCH_HIER6, .settings = TWO},
    {"trm_hier of three latents", TRM_ARCH_HIER, .settings = ONE "L_cycles=3"},
    {"transformers_baseline", TRM_ARCH_TRANSFORMER, .settings = "H_layers=2 puzzle_emb_ndim=10"},

    /* Norms within. */
    {"normed heads", TRM_ARCH_TRM, .settings = TWO "qk_norm=true inner_norm_eps=1e-3"},
    {"one normed head, learned positions", TRM_ARCH_TRM,
     .settings = ONE "qk_norm=true inner_norm_eps=1e-3 pos_encodings=learned num_heads=1"},
    {"normed gates, mixer", TRM_ARCH_TRM,
     .settings = TWO PADDED "gate_norm=true inner_norm_eps=1e-3 mlp_t=true"},
    {"hrm, rope2d, all norms", TRM_ARCH_HRM,
     .settings =
         HRM_ONE PUZZLE "gate_norm=true qk_norm=true attn_out_norm=true pos_encodings=rope2d "
                        "rope_theta_cols=30",
     .grid = MAZE_2X6},

    /* The recursion: which net, which updates have a gradient, the input in all, noise. */
    {"two nets", TRM_ARCH_TRM, .settings = ONE "nets=separate"},
    {"trm_singlez, two nets, x always", TRM_ARCH_SINGLEZ,
     .settings = TWO "nets=separate x_always=true"},
    {"gradient of one step", TRM_ARCH_TRM, .settings = ONE PUZZLE "grad=one_step"},
    {"gradient of the last", TRM_ARCH_TRM, .settings = ONE PUZZLE "grad=last:1"},
    {"gradient of the last four", TRM_ARCH_TRM, .settings = ONE PUZZLE "grad=last:4"},
    {"gradient of all", TRM_ARCH_TRM, .settings = ONE PUZZLE "grad=all"},
    {"hrm, gradient of all", TRM_ARCH_HRM, .settings = HRM_TWO "grad=all"},
    {"updates that forget", TRM_ARCH_TRM, .settings = TWO, .edit = forget},
    {"damped, mixer", TRM_ARCH_TRM, .settings = ONE "damping=0.3 mlp_t=true"},
    {"damped updates that forget", TRM_ARCH_TRM, .settings = ONE "damping=0.3 mlp_t=true",
     .edit = forget},
    {"damped, noise, mixer, continue", TRM_ARCH_TRM,
     .settings = ONE CONTINUE "damping=0.3 update_noise=0.5 mlp_t=true"},
    {"hrm, damped, noise, learned latents", TRM_ARCH_HRM,
     .settings = HRM_ONE "damping=0.3 update_noise=0.2 grad=all learned_latents=true"},
    {"learned latents", TRM_ARCH_TRM, .settings = ONE "learned_latents=true grad=all"},
    {"trm_hier6, learned latents of which two are updated", TRM_ARCH_HIER6,
     .settings = ONE "learned_latents=true H_cycles=1"},

    /* Solved steps. Of the solution the implicit gradient is that, by the theorem of the implicit
     * function; what the others are is their definition. */
    {"fixed point, implicit", TRM_ARCH_TRM,
     .settings = SOLVED "solver=fixed_point solver_grad=implicit"},
    {"broyden, implicit, gradient of all", TRM_ARCH_TRM,
     .settings = SOLVED "solver=broyden solver_grad=implicit grad=all"},
    {"broyden, one step", TRM_ARCH_TRM, .settings = SOLVED "solver=broyden solver_grad=one_step"},
    {"broyden, phantom", TRM_ARCH_TRM, .settings = SOLVED "solver=broyden solver_grad=phantom:3"},

    /* What stands beside the tokens. */
    {"tied embeddings", TRM_ARCH_TRM, .settings = ONE PUZZLE "tie_embeddings=true"},
    {"tied embeddings, learned positions, continue", TRM_ARCH_TRM,
     .settings = ONE PUZZLE CONTINUE "tie_embeddings=true pos_encodings=learned"},
    {"transformers_baseline, learned latent, tied embeddings", TRM_ARCH_TRANSFORMER,
     .settings = "H_layers=2 learned_latents=true tie_embeddings=true"},
    {"tables of the grid", TRM_ARCH_TRM, .settings = ONE "grid_tables=true", .grid = SUDOKU_4X4},
    {"tables of the grid, registers, a puzzle embedding, mixer", TRM_ARCH_TRM,
     .settings = ONE "grid_tables=true registers=2 mlp_t=true puzzle_emb_ndim=27",
     .grid = SUDOKU_4X4},
    {"transformers_baseline, the same, learned positions, tied embeddings", TRM_ARCH_TRANSFORMER,
     .settings =
         "H_layers=2 registers=1 grid_tables=true tie_embeddings=true pos_encodings=learned",
     .grid = SUDOKU_4X4},
    {"feedback", TRM_ARCH_TRM, .settings = ONE "feedback=true", .grid = SUDOKU_4X4},
    {"feedback, tables, tied embeddings, learned positions", TRM_ARCH_TRM,
     .settings =
         ONE "feedback=true grid_tables=true tie_embeddings=true pos_encodings=learned registers=1",
     .grid = SUDOKU_4X4},
    /* Tokens that are each row's own cells, before padding of which no gradient comes. */
    {"open cells", TRM_ARCH_TRM,
     .settings = TWO "pos_encodings=rope2d open_cells=true max_open_cells=9", .grid = MAZE_4X4},
    {"open cells, learned positions, tables, norms", TRM_ARCH_TRM,
     .settings =
         TWO "pos_encodings=learned open_cells=true max_open_cells=9 grid_tables=true qk_norm=true "
             "attn_out_norm=true gate_norm=true registers=1",
     .grid = MAZE_4X4},
    {"open cells, rope, tables, norms, feedback", TRM_ARCH_TRM,
     .settings = TWO "pos_encodings=rope open_cells=true max_open_cells=12 grid_tables=true "
                     "qk_norm=true attn_out_norm=true gate_norm=true registers=1 feedback=true",
     .grid = MAZE_4X4},

    /* Losses. */
    {"smoothed labels", TRM_ARCH_TRM, .settings = ONE "label_smoothing=0.3"},
    {"smoothed labels, softmax", TRM_ARCH_TRM,
     .settings = ONE "label_smoothing=0.3 loss=softmax_cross_entropy"},
    {"weighted q, continue", TRM_ARCH_TRM, .settings = ONE CONTINUE "q_weight=0.05"},
    {"weighted steps", TRM_ARCH_TRM, .settings = ONE "step_decay=0.7"},
    {"weighted steps and q, continue, smoothed labels", TRM_ARCH_TRM,
     .settings = ONE CONTINUE "step_decay=0.7 step_decay_q=true label_smoothing=0.1"},
    {"constraint loss", TRM_ARCH_TRM, .settings = ONE "constraint_weight=0.3", .grid = SUDOKU_4X4},
    {"constraint loss, weighted steps", TRM_ARCH_TRM,
     .settings = ONE "constraint_weight=0.3 step_decay=0.5", .grid = SUDOKU_4X4},
    {"constraint loss, softmax, continue, mixer", TRM_ARCH_TRM,
     .settings = ONE CONTINUE "constraint_weight=0.3 loss=softmax_cross_entropy mlp_t=true",
     .grid = SUDOKU_4X4},

    /* Experts. */
    {"switch", TRM_ARCH_TRM, .settings = ONE "moe=switch:3"},
    {"switch, damped, noise", TRM_ARCH_TRM,
     .settings = ONE "moe=switch:3 damping=0.3 update_noise=0.2"},
    {"experts in both, mixer, continue", TRM_ARCH_TRM,
     .settings = ONE CONTINUE "moe=noisy_top2:3 moe_t=switch:2 mlp_t=true"},
    {"hrm, noisy experts over the positions", TRM_ARCH_HRM,
     .settings = HRM_ONE PUZZLE "mlp_t=true moe_t=noisy_top2:3"},
};
enum { LINES = sizeof lines / sizeof *lines };

static void set_all(trm_model_config *c, const char *settings) {
  char text[512], *rest = text;
  assert_true(strlen(settings) < sizeof text);
  strcpy(text, settings);
  for (char *name; (name = strtok_r(rest, " ", &rest));) {
    char *value = strchr(name, '=');
    trm_error err;
    assert_non_null(value);
    *value++ = 0;
    if (trm_model_config_set(c, name, value, &err)) fail_msg("%s", err.msg);
  }
}

static void check_line(void **state) {
  const line *l = *state;
  trm_model_config c = trm_model_config_default(l->arch);
  set_all(&c, ALL);

  /* A grid has its own tokens. */
  if (l->grid == SUDOKU_4X4) c.puzzle = trm_sudoku_of_size(4);
  if (l->grid == MAZE_2X6) c.puzzle = (trm_puzzle){.kind = TRM_PUZZLE_MAZE, .rows = 2, .cols = 6};
  if (l->grid == MAZE_4X4) c.puzzle = trm_maze_of_size(4, 4);
  if (l->grid) {
    c.vocab_size = 6;
    c.seq_len = c.puzzle.rows * c.puzzle.cols;
  }

  set_all(&c, l->settings);
  check_step(l->name, &c, l->edit);
}

int main(void) {
  unsetenv("TRM_ISA"); /* in double there is only the portable table */
  struct CMUnitTest tests[LINES];
  for (int i = 0; i < LINES; i++)
    tests[i] = (struct CMUnitTest){
        .name = lines[i].name, .test_func = check_line, .initial_state = (void *)&lines[i]};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
