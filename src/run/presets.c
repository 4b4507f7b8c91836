/* Presets: the published runs, and runs for a laptop. Each is a list of settings in the notation of
 * the command line; what it does not set keeps its default. */
#include <string.h>

#include "trm/run.h"

/* The published Sudoku and maze runs share these. */
#define PAPER_SMALL_DATA                                                                     \
  "epochs=50000", "eval_interval=5000", "lr=1e-4", "puzzle_emb_lr=1e-4", "weight_decay=1.0", \
      "puzzle_emb_weight_decay=1.0", "ema=True"
#define PAPER_TRM(n) "arch=trm", "arch.L_layers=2", "arch.H_cycles=3", "arch.L_cycles=" #n

static const char *const sudoku_mlp[] = {
    PAPER_TRM(6),      "data_paths=[data/sudoku]", PAPER_SMALL_DATA,
    "arch.mlp_t=True", "arch.pos_encodings=none",  NULL};
/* The paper's puzzle embedding is the same for all Sudokus, and 15 of its 16 positions are zeros.
 */
static const char *const sudoku_mlp_nopad[] = {PAPER_TRM(6),
                                               "data_paths=[data/sudoku]",
                                               PAPER_SMALL_DATA,
                                               "arch.mlp_t=True",
                                               "arch.pos_encodings=none",
                                               "arch.puzzle_emb_ndim=0",
                                               "arch.puzzle_emb_len=0",
                                               NULL};
static const char *const sudoku_att[] = {PAPER_TRM(6), "data_paths=[data/sudoku]", PAPER_SMALL_DATA,
                                         NULL};
static const char *const maze_att[] = {PAPER_TRM(4), "data_paths=[data/maze]", PAPER_SMALL_DATA,
                                       NULL};
static const char *const arc1[] = {PAPER_TRM(4), "data_paths=[data/arc1]", "ema=True", NULL};
static const char *const arc2[] = {PAPER_TRM(4), "data_paths=[data/arc2]", "ema=True", NULL};
static const char *const hrm_sudoku[] = {"arch=hrm", "data_paths=[data/sudoku]", PAPER_SMALL_DATA,
                                         NULL};
static const char *const transformer_sudoku[] = {
    "arch=transformers_baseline", "data_paths=[data/sudoku]", PAPER_SMALL_DATA, NULL};

/* Small grids: the mixer, one puzzle position, augmentation in place of stored copies. */
#define LAPTOP                                                                                   \
  "arch=trm", "arch.num_heads=2", "arch.mlp_t=True", "arch.pos_encodings=none",                  \
      "arch.puzzle_emb_len=1", "arch.L_layers=2", "arch.H_cycles=2", "arch.L_cycles=3",          \
      "global_batch_size=128", "lr=2e-3", "lr_warmup_steps=100", "weight_decay=0.1", "ema=True", \
      "ema_rate=0.98", "augment=on-the-fly"

static const char *const sudoku4[] = {
    LAPTOP, "data_paths=[data/sudoku4]", "epochs=80", "eval_interval=20", "arch.hidden_size=64",
    NULL};
/* Muon and gate norms (sic), feedback (priml), small batches, and fewer cycles at first (CGAR): as
 * accurate for a fraction of the arithmetic of the reference's way, which the -adam and -small
 * presets are. */
#define FAST                                                                                     \
  "arch.gate_norm=true", "arch.feedback=true", "arch.loss.q_weight=0.1", "global_batch_size=32", \
      "optimizer=muon", "weight_decay=0.005", "grad_clip=1", "adam_weight_decay=0.1",            \
      "ema_rate=0.99", "curriculum=[60%:T1n2,80%:T2n2]", "eval_interval=null"

static const char *const sudoku6[] = {LAPTOP,
                                      FAST,
                                      "data_paths=[data/sudoku6]",
                                      "epochs=42",
                                      "arch.hidden_size=64",
                                      "arch.loss.constraint_weight=0.3",
                                      "lr=2e-2",
                                      "lr_min_ratio=0.05",
                                      "adam_lr=2e-3",
                                      NULL};
static const char *const sudoku6_adam[] = {
    LAPTOP, "data_paths=[data/sudoku6]", "epochs=100", "eval_interval=50", "arch.hidden_size=64",
    NULL};
static const char *const sudoku9_small[] = {LAPTOP,
                                            "data_paths=[data/sudoku9]",
                                            "epochs=2000",
                                            "eval_interval=100",
                                            "arch.hidden_size=128",
                                            "arch.num_heads=4",
                                            "ema_rate=0.999",
                                            NULL};
/* Attention that knows rows, columns and boxes: the best of the ingredients in docs/RESULTS.md. */
#define SUDOKU9                                                                                   \
  LAPTOP, FAST, "arch.mlp_t=False", "arch.pos_encodings=rope", "arch.hidden_size=192",            \
      "arch.num_heads=3", "arch.puzzle_emb_ndim=0", "arch.puzzle_emb_len=0", "arch.registers=1",  \
      "arch.qk_norm=true", "arch.grid_tables=true", "arch.loss.constraint_weight=0.3", "lr=2e-2", \
      "lr_min_ratio=0.02", "adam_lr=1e-3", "lr_warmup_steps=50"

static const char *const sudoku9[] = {SUDOKU9, "data_paths=[data/sudoku9-hard,data/sudoku9]",
                                      "epochs=11", "ema_rate=0.998", NULL};
static const char *const sudoku_extreme_fast[] = {SUDOKU9, "data_paths=[data/sudoku-extreme]",
                                                  "epochs=2200", "ema_rate=0.998", NULL};
/* Paths are found by attention; fresh mazes in place of images, whose labels would break ties in
 * another direction. */
#define MAZE                                                                                \
  LAPTOP, "arch.mlp_t=False", "arch.num_heads=4", "arch.halt_max_steps=8", "ema_rate=0.99", \
      "augment=none"
#define FAST_MAZE                                                                                  \
  MAZE, FAST, "arch.open_cells=true", "arch.pos_encodings=rope2d", "arch.qk_norm=true", "lr=1e-2", \
      "lr_min_ratio=0.02", "adam_lr=1e-3"

static const char *const maze10[] = {FAST_MAZE, "data_paths=[data/maze10]", "epochs=2",
                                     "arch.hidden_size=96", NULL};
/* Images here, for there are a thousand mazes only. */
static const char *const maze30_fast[] = {FAST_MAZE,
                                          "data_paths=[data/maze30]",
                                          "epochs=200",
                                          "arch.hidden_size=128",
                                          "arch.halt_max_steps=16",
                                          "augment=on-the-fly",
                                          "global_batch_size=16",
                                          "ema_rate=0.998",
                                          NULL};
static const char *const maze_small[] = {MAZE,
                                         "data_paths=[data/maze10]",
                                         "epochs=14",
                                         "eval_interval=7",
                                         "arch.hidden_size=96",
                                         "arch.pos_encodings=rope",
                                         "lr=1e-3",
                                         "lr_min_ratio=0.1",
                                         NULL};
/* Some tens of ARC's smallest tasks on a small canvas. */
static const char *const arc_small[] = {LAPTOP,
                                        "data_paths=[data/arc-small]",
                                        "epochs=4000",
                                        "eval_interval=800",
                                        "arch.mlp_t=False",
                                        "arch.pos_encodings=rope",
                                        "arch.hidden_size=128",
                                        "arch.num_heads=4",
                                        "arch.puzzle_emb_len=2",
                                        "arch.puzzle_emb_ndim=256",
                                        "arch.halt_max_steps=4",
                                        "global_batch_size=64",
                                        "lr=1e-3",
                                        "lr_min_ratio=0.1",
                                        "puzzle_emb_lr=1e-2",
                                        "puzzle_emb_weight_decay=0.1",
                                        "ema_rate=0.999",
                                        "augment=none",
                                        NULL};
static const char *const grid_small[] = {
    LAPTOP, "data_paths=[data/mine]", "epochs=30", "eval_interval=10", "arch.hidden_size=64", NULL};

/* Files of the published data are where docs/BUILD_DATA.md says. */
#define SUDOKU_EXTREME \
  "trm data build sudoku --input sudoku-extreme/train.csv,sudoku-extreme/test.csv "
#define SUDOKU_STORED MAKE(SUDOKU_EXTREME "--subsample-size 1000 --num-aug 1000")
#define MAZE_HARD \
  "trm data build maze --input maze-30x30-hard-1k/train.csv,maze-30x30-hard-1k/test.csv"
#define ARC(subsets, test, ...)                                                   \
  MAKE("trm data build arc --input-file-prefix kaggle/arc-agi --subsets " subsets \
       " --test-set-name " test __VA_ARGS__)
#define MAKE(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NO_LAPTOP TRM_PUZZLE_NONE, 0

static const trm_run_preset presets[] = {
    {"sudoku-mlp", "the paper's Sudoku-Extreme run with the mixer", sudoku_mlp, SUDOKU_STORED,
     NO_LAPTOP},
    {"sudoku-mlp-nopad", "the same without puzzle positions: 27 % less arithmetic",
     sudoku_mlp_nopad, SUDOKU_STORED, NO_LAPTOP},
    {"sudoku-att", "the paper's Sudoku-Extreme run with attention", sudoku_att, SUDOKU_STORED,
     NO_LAPTOP},
    {"sudoku-extreme-fast", "the same puzzles by the recipe of sudoku9: hours on a laptop",
     sudoku_extreme_fast, MAKE(SUDOKU_EXTREME "--subsample-size 1000"), NO_LAPTOP},
    {"maze-att", "the paper's Maze-Hard run", maze_att, MAKE(MAZE_HARD " --aug"), NO_LAPTOP},
    {"maze30-fast", "the same mazes by their open cells alone: hours on a laptop", maze30_fast,
     MAKE(MAZE_HARD), NO_LAPTOP},
    {"arc1", "the paper's ARC-AGI-1 run", arc1, ARC("training,evaluation,concept", "evaluation"),
     NO_LAPTOP},
    {"arc2", "the paper's ARC-AGI-2 run", arc2, ARC("training2,evaluation2,concept", "evaluation2"),
     NO_LAPTOP},
    {"hrm-sudoku", "HRM on Sudoku-Extreme", hrm_sudoku, SUDOKU_STORED, NO_LAPTOP},
    {"transformer-sudoku", "direct prediction on Sudoku-Extreme", transformer_sudoku, SUDOKU_STORED,
     NO_LAPTOP},
    {"sudoku4", "4x4 Sudoku in less than a minute", sudoku4, MAKE("trm data gen sudoku --size 4"),
     TRM_PUZZLE_SUDOKU, 16},
    {"sudoku6", "6x6 Sudoku in minutes", sudoku6,
     MAKE("trm data gen sudoku --size 6 --max-givens 12"), TRM_PUZZLE_SUDOKU, 36},
    {"sudoku6-adam", "the same by the reference's optimiser alone, at 3.5 times the arithmetic",
     sudoku6_adam, MAKE("trm data gen sudoku --size 6 --max-givens 12"), NO_LAPTOP},
    {"sudoku9", "9x9 Sudoku, the hardest and those of newspapers", sudoku9,
     MAKE("trm data gen sudoku --hard --train 24000 --test 2000",
          "trm data gen sudoku --size 9 --train 12000 --min-givens 24 --max-givens 42"),
     TRM_PUZZLE_SUDOKU, 81},
    {"sudoku9-small", "9x9 Sudoku by the reference's optimiser alone, and a mixer", sudoku9_small,
     MAKE("trm data gen sudoku --size 9"), NO_LAPTOP},
    {"maze10", "10x10 mazes in minutes", maze10, MAKE("trm data gen maze --size 10 --count 50000"),
     TRM_PUZZLE_MAZE, 100},
    {"maze-small", "the same by the reference's optimiser alone, at 12 times the arithmetic",
     maze_small, MAKE("trm data gen maze --size 10 --count 50000"), NO_LAPTOP},
    {"arc-small", "tasks of ARC up to 6x6 with a small model", arc_small,
     ARC("training", "training", " --num-aug 64 --canvas 6 --compact"), TRM_PUZZLE_ARC, 36},
    {"grid-small", "your own grids, up to some 150 cells, with a small model", grid_small,
     MAKE("trm data build grid --input puzzles.csv --test-share 0.1 --symmetry dihedral"),
     TRM_PUZZLE_GRID, 150},
};
enum { N_PRESETS = sizeof presets / sizeof *presets };

const trm_run_preset *trm_run_preset_at(int i) {
  return i >= 0 && i < N_PRESETS ? &presets[i] : NULL;
}

const trm_run_preset *trm_run_preset_find(const char *name) {
  for (int i = 0; i < N_PRESETS; i++)
    if (!strcmp(presets[i].name, name)) return &presets[i];
  return NULL;
}
