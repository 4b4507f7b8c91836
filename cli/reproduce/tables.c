/* See tables.h. What the rows of the paper leave open, and what was chosen: docs/REPRODUCE.md. */
#include "cli/reproduce/tables.h"

#include <string.h>

#include "base/check.h"

static const char *const scale_names[REPRO_SCALES] = {"laptop", "paper"};

const char *repro_scale_name(repro_scale scale) {
  return (unsigned)scale < REPRO_SCALES ? scale_names[scale] : NULL;
}

/* --- tasks --- */

#define ATTENTION "arch.mlp_t=False", "arch.pos_encodings=rope"
#define MIXER "arch.mlp_t=True", "arch.pos_encodings=none"
/* As the paper's but smaller: a constant rate, one evaluation at the end. */
#define LAPTOP                                                                                   \
  "arch=trm", "arch.L_layers=2", "arch.H_cycles=3", "arch.L_cycles=6", "arch.num_heads=2",       \
      "arch.puzzle_emb_len=1", "lr=1e-3", "lr_warmup_steps=100", "weight_decay=0.1", "ema=True", \
      "epochs=1000000000", "eval_interval=null", "checkpoint_minutes=2", "log_seconds=0"

static const char *const laptop_sudoku[] = {
    LAPTOP,          "arch.hidden_size=32", MIXER, "global_batch_size=32",
    "ema_rate=0.99", "max_updates=4000",    NULL};
/* n and the encoding of positions are the paper's for mazes. */
static const char *const laptop_maze[] = {LAPTOP,
                                          "arch.hidden_size=64",
                                          ATTENTION,
                                          "arch.L_cycles=4",
                                          "arch.halt_max_steps=8",
                                          "global_batch_size=64",
                                          "ema_rate=0.99",
                                          "max_updates=3000",
                                          NULL};
/* The one evaluation is at the end, and runs of days are kept every ten minutes. */
static const char *const paper_changes[] = {"eval_interval=null", NULL};

static trm_status generate_sudokus(const char *folder, uint64_t seed, cli_progress *bar,
                                   trm_error *err) {
  const trm_sudoku_gen_config c = {.size = 6,
                                   .n_train = 1200,
                                   .n_test = 1000,
                                   .max_givens = 12,
                                   .seed = seed,
                                   .output_dir = folder,
                                   .progress = cli_progress_tick,
                                   .progress_arg = bar};
  return trm_gen_sudoku(&c, NULL, err);
}

static trm_status generate_mazes(const char *folder, uint64_t seed, cli_progress *bar,
                                 trm_error *err) {
  const trm_maze_gen_config c = {.rows = 10,
                                 .cols = 10,
                                 .n_train = 20000,
                                 .n_test = 1000,
                                 .seed = seed,
                                 .output_dir = folder,
                                 .progress = cli_progress_tick,
                                 .progress_arg = bar};
  return trm_gen_maze(&c, NULL, err);
}

#define SUDOKU6 \
  { .kind = TRM_PUZZLE_SUDOKU, .rows = 6, .cols = 6, .box_rows = 2, .box_cols = 3 }
#define SUDOKU9 \
  { .kind = TRM_PUZZLE_SUDOKU, .rows = 9, .cols = 9, .box_rows = 3, .box_cols = 3 }
#define MAZE(side) \
  { .kind = TRM_PUZZLE_MAZE, .rows = side, .cols = side }

static const repro_task tasks[REPRO_SCALES][REPRO_TASKS] = {
    [REPRO_LAPTOP] =
        {[REPRO_SUDOKU] = {"sudoku", "6x6 Sudoku of at most 12 givens, 1,200 puzzles", NULL,
                           laptop_sudoku, SUDOKU6, 1000, generate_sudokus,
                           "trm data gen sudoku --size 6 --max-givens 12 --train 1200"},
         [REPRO_MAZE] = {"maze", "mazes of 10x10, 20,000 of them", NULL, laptop_maze, MAZE(10),
                         1000, generate_mazes, "trm data gen maze --size 10 --train 20000"}},
    [REPRO_PAPER] = {[REPRO_SUDOKU] = {"sudoku", "Sudoku-Extreme, 1,000 puzzles", "sudoku-mlp",
                                       paper_changes, SUDOKU9, 422786, NULL, NULL},
                     [REPRO_MAZE] = {"maze", "Maze-Hard, 1,000 mazes", "maze-att", paper_changes,
                                     MAZE(30), 1000, NULL, NULL}},
};

const repro_task *repro_task_of(repro_scale scale, repro_where where) {
  return &tasks[scale][where];
}

/* --- variants --- */

#define CYCLES(T, n) "arch.H_cycles=" #T, "arch.L_cycles=" #n
/* Wang et al. have attention, two nets of four layers and no average of the weights. */
#define HRM(k, T) \
  { "arch=hrm", "arch.H_layers=4", "arch.L_layers=4", CYCLES(T, k), ATTENTION, "ema=False", NULL }
/* Twice the work of n = 6; the 40 applications that TorchDEQ takes at most would be six times it.
 */
#define SOLVER(name, gradient) \
  { "arch.solver=" #name, "arch.solver_grad=" #gradient, "arch.solver_iterations=12" }

static const repro_variant variants[] = {
    {"trm", {NULL}},
    {"act", {"arch.no_ACT_continue=False"}},
    {"separate", {"arch.nets=separate"}},
    {"no-ema", {"ema=False"}},
    {"four-layers", {"arch.L_layers=4", "arch.L_cycles=3"}},
    {"att", {ATTENTION}},
    {"mlp", {MIXER}},
    {"one-step", {"arch.grad=one_step"}},
    {"single-z", {"arch=trm_singlez", "arch.x_always=true"}},
    {"single-z-code", {"arch=trm_singlez"}},
    {"multi-z", {"arch=trm_hier6"}},
    {"direct",
     {"arch=transformers_baseline", "arch.H_layers=8", "arch.L_layers=0", CYCLES(1, 0), ATTENTION,
      "ema=False"}},
    {"hrm", HRM(2, 2)},
    /* Table 3 */
    {"trm-n2-t1", {CYCLES(1, 2)}},
    {"trm-n4-t2", {CYCLES(2, 4)}},
    {"trm-n2-t2", {CYCLES(2, 2)}},
    {"trm-n8-t4", {CYCLES(4, 8)}},
    {"trm-n12-t3", {CYCLES(3, 12)}},
    {"trm-n6-t6", {CYCLES(6, 6)}},
    {"trm-n12-t6", {CYCLES(6, 12)}},
    {"hrm-n1-t1", HRM(1, 1)},
    {"hrm-n3-t3", HRM(3, 3)},
    {"hrm-n4-t4", HRM(4, 4)},
    {"hrm-n6-t3", HRM(6, 3)},
    {"hrm-n3-t6", HRM(3, 6)},
    {"hrm-n6-t6", HRM(6, 6)},
    /* what failed */
    {"moe-switch", {"arch.moe=switch:4"}},
    {"moe-noisy", {"arch.moe=noisy_top2:8"}},
    {"moe-t-switch", {"arch.moe_t=switch:4"}},
    {"moe-t-noisy", {"arch.moe_t=noisy_top2:8"}},
    {"last-4", {"arch.grad=last:4"}},
    {"last-14", {"arch.grad=last:14"}},
    {"all", {"arch.grad=all"}},
    {"no-act", {"arch.halting=never"}},
    {"no-act-solved", {"arch.halting=solved", "arch.halt_exploration_prob=0"}},
    {"tied", {"arch.tie_embeddings=true"}},
    {"fixed-point", SOLVER(fixed_point, one_step)},
    {"anderson", SOLVER(anderson, one_step)},
    {"broyden", SOLVER(broyden, one_step)},
    {"anderson-implicit", SOLVER(anderson, implicit)},
};
enum { N_VARIANTS = sizeof variants / sizeof *variants };

static const repro_variant *find_variant(const char *name) {
  for (int i = 0; i < N_VARIANTS; i++)
    if (!strcmp(variants[i].name, name)) return &variants[i];
  return NULL;
}

/* --- tables --- */

#define BASE(label, variant, where, paper) \
  { label, variant, where, true, paper, NULL, REPRO_UNSAID }
#define ROW(label, variant, where, paper) \
  { label, variant, where, false, paper, NULL, REPRO_UNSAID }
#define SAID(label, variant, where, said, against) \
  { label, variant, where, false, -1, said, against }

static const repro_row table1[] = {
    BASE("TRM (T = 3, n = 6)", "trm", REPRO_SUDOKU, 87.4),
    ROW("w/ ACT (two passes)", "act", REPRO_SUDOKU, 86.1),
    ROW("w/ separate f_H, f_L", "separate", REPRO_SUDOKU, 82.4),
    ROW("no EMA", "no-ema", REPRO_SUDOKU, 79.9),
    ROW("w/ 4 layers, n = 3", "four-layers", REPRO_SUDOKU, 79.5),
    ROW("w/ self-attention", "att", REPRO_SUDOKU, 74.7),
    ROW("w/ T = 2, n = 2", "trm-n2-t2", REPRO_SUDOKU, 73.7),
    ROW("w/ 1-step gradient", "one-step", REPRO_SUDOKU, 56.5),
    ROW("HRM", "hrm", REPRO_SUDOKU, 55.0),
};
static const repro_row table2[] = {
    BASE("TRM y, z", "trm", REPRO_SUDOKU, 87.4),
    ROW("multi-scale z, n + 1 = 7 features", "multi-z", REPRO_SUDOKU, 77.6),
    ROW("single z, as the paper has it: x in all updates", "single-z", REPRO_SUDOKU, 71.9),
    ROW("single z, as the code has it: no x in the last", "single-z-code", REPRO_SUDOKU, 71.9),
};
#define OUT_OF_MEMORY(label, variant) \
  SAID(label, variant, REPRO_SUDOKU, "out of memory", REPRO_UNSAID)
static const repro_row table3[] = {
    BASE("TRM n = 6, T = 3", "trm", REPRO_SUDOKU, 87.4),
    ROW("TRM n = 2, T = 1", "trm-n2-t1", REPRO_SUDOKU, 63.2),
    ROW("TRM n = 4, T = 2", "trm-n4-t2", REPRO_SUDOKU, 81.9),
    ROW("TRM n = 8, T = 4", "trm-n8-t4", REPRO_SUDOKU, 84.2),
    OUT_OF_MEMORY("TRM n = 12, T = 3", "trm-n12-t3"),
    ROW("TRM n = 6, T = 6", "trm-n6-t6", REPRO_SUDOKU, 85.8),
    OUT_OF_MEMORY("TRM n = 12, T = 6", "trm-n12-t6"),
    ROW("HRM n = 1, T = 1", "hrm-n1-t1", REPRO_SUDOKU, 46.4),
    ROW("HRM n = 2, T = 2", "hrm", REPRO_SUDOKU, 55.0),
    ROW("HRM n = 3, T = 3", "hrm-n3-t3", REPRO_SUDOKU, 61.6),
    ROW("HRM n = 4, T = 4", "hrm-n4-t4", REPRO_SUDOKU, 59.5),
    ROW("HRM n = 6, T = 3", "hrm-n6-t3", REPRO_SUDOKU, 62.3),
    ROW("HRM n = 3, T = 6", "hrm-n3-t6", REPRO_SUDOKU, 58.8),
    ROW("HRM n = 6, T = 6", "hrm-n6-t6", REPRO_SUDOKU, 57.5),
};
/* Of mazes the paper's own, with attention, is the base: the mixer solves none of 30x30. */
static const repro_row table4[] = {
    BASE("Sudoku: TRM-MLP", "trm", REPRO_SUDOKU, 87.4),
    ROW("Sudoku: TRM-Att", "att", REPRO_SUDOKU, 74.7),
    ROW("Sudoku: HRM", "hrm", REPRO_SUDOKU, 55.0),
    ROW("Sudoku: direct prediction", "direct", REPRO_SUDOKU, 0.0),
    BASE("Maze: TRM-Att", "att", REPRO_MAZE, 85.3),
    ROW("Maze: TRM-MLP", "mlp", REPRO_MAZE, 0.0),
    ROW("Maze: HRM", "hrm", REPRO_MAZE, 74.5),
    ROW("Maze: direct prediction", "direct", REPRO_MAZE, 0.0),
};
#define FAILED(label, variant, said, against) SAID(label, variant, REPRO_SUDOKU, said, against)
static const repro_row failed[] = {
    BASE("TRM (T = 3, n = 6)", "trm", REPRO_SUDOKU, 87.4),
    FAILED("channels: 4 experts, 1 used (Switch)", "moe-switch", "massively worse", REPRO_WORSE),
    FAILED("channels: 8 experts, 2 used, noisy", "moe-noisy", "massively worse", REPRO_WORSE),
    FAILED("positions: 4 experts, 1 used (Switch)", "moe-t-switch", "massively worse", REPRO_WORSE),
    FAILED("positions: 8 experts, 2 used, noisy", "moe-t-noisy", "massively worse", REPRO_WORSE),
    ROW("gradient of the last 2 updates (\"1-step\")", "one-step", REPRO_SUDOKU, 56.5),
    FAILED("gradient of the last 4 updates", "last-4", "no help", REPRO_SAME),
    FAILED("gradient of the last 14 updates (2 cycles)", "last-14", "not tried", REPRO_UNSAID),
    FAILED("gradient of all 21 updates", "all", "not tried", REPRO_UNSAID),
    FAILED("no ACT: every puzzle stays 16 steps", "no-act", "significantly worse", REPRO_WORSE),
    FAILED("no ACT: a puzzle leaves when it is solved", "no-act-solved", "significantly worse",
           REPRO_WORSE),
    FAILED("tied embedding and head", "tied", "massively worse", REPRO_WORSE),
    FAILED("fixed point by iteration, 1-step gradient", "fixed-point", "worse", REPRO_WORSE),
    FAILED("fixed point by Anderson, 1-step gradient", "anderson", "worse", REPRO_WORSE),
    FAILED("fixed point by Broyden, 1-step gradient", "broyden", "worse", REPRO_WORSE),
    FAILED("fixed point by Anderson, implicit gradient", "anderson-implicit", "worse", REPRO_WORSE),
};

#define ROWS(array) (array), sizeof(array) / sizeof *(array)
static const repro_table tables[] = {
    {"table1", "Table 1", "what TRM is made of, one thing at a time", ROWS(table1)},
    {"table2", "Table 2", "more or fewer latents", ROWS(table2)},
    {"table3", "Table 3", "how often to recurse, TRM and HRM", ROWS(table3)},
    {"table4", "Table 4", "direct prediction, HRM and TRM on Sudokus and mazes", ROWS(table4)},
    {"failed", "Ideas that failed", "what the paper says did not work, without figures",
     ROWS(failed)},
};
enum { N_TABLES = sizeof tables / sizeof *tables };

const repro_table *repro_table_at(int i) {
  return i >= 0 && i < N_TABLES ? &tables[i] : NULL;
}

const repro_table *repro_table_find(const char *name) {
  for (int i = 0; i < N_TABLES; i++)
    if (!strcmp(tables[i].name, name)) return &tables[i];
  return NULL;
}

const repro_row *repro_base_of(const repro_table *t, const repro_row *row) {
  const repro_row *base = t->rows;
  while (!base->base || base->where != row->where) base++;
  return base;
}

/* --- rows --- */

void repro_row_name(const repro_row *row, char name[REPRO_NAME]) {
  snprintf(name, REPRO_NAME, "%s-%s", tasks[0][row->where].name, row->variant);
}

static void push_all(const char *out[REPRO_MAX_SETTINGS], int *n, const char *const *list) {
  for (; *list; list++) out[trm__push(n, REPRO_MAX_SETTINGS)] = *list;
}

int repro_row_settings(const repro_row *row, repro_scale scale, const char *const *user, int n,
                       const char *out[REPRO_MAX_SETTINGS]) {
  const repro_task *task = repro_task_of(scale, row->where);
  const repro_variant *variant = find_variant(row->variant);
  int used = 0;
  TRM_ASSERT(variant);
  if (task->preset) push_all(out, &used, trm_run_preset_find(task->preset)->settings);
  push_all(out, &used, task->settings);
  for (int i = 0; i < n; i++) out[trm__push(&used, REPRO_MAX_SETTINGS)] = user[i];
  push_all(out, &used, variant->changes);
  return used;
}
