/* The tables of the paper as data: which rows they have, what sets each apart from the base, and
 * what the paper says of it. A row is run on a task, which every scale has in a size of its own. */
#ifndef TRM_CLI_REPRODUCE_TABLES_H
#define TRM_CLI_REPRODUCE_TABLES_H

#include "cli/cli.h"

typedef enum repro_scale { REPRO_LAPTOP, REPRO_PAPER, REPRO_SCALES } repro_scale;
typedef enum repro_where { REPRO_SUDOKU, REPRO_MAZE, REPRO_TASKS } repro_where;

const char *repro_scale_name(repro_scale scale); /* NULL outside the enumeration */

/* What is learned, at one scale: how its base is trained, and on which data. */
typedef struct repro_task {
  const char *name;            /* begins the names of its runs and data: "sudoku" */
  const char *about;           /* "6x6 Sudoku, 100 puzzles" */
  const char *preset;          /* whose settings come first; NULL: none */
  const char *const *settings; /* then these, up to NULL */
  trm_puzzle puzzle;           /* of its data, for costs before there are any */
  int64_t tests;               /* examples of its test split */
  /* Makes the data of a seed, in the folder; NULL: they are the preset's, the same for all seeds.
   */
  trm_status (*generate)(const char *folder, uint64_t seed, cli_progress *bar, trm_error *err);
  const char *make; /* the command that makes them, without seed and folder */
} repro_task;
const repro_task *repro_task_of(repro_scale scale, repro_where where);

enum {
  REPRO_MAX_CHANGES = 10,
  REPRO_MAX_SETTINGS = 96,
  REPRO_NAME = 64,
  REPRO_MOST_SEEDS = 100,
  REPRO_MAX_ROWS = 64
};

/* One way to train, as settings that win over those of the task. */
typedef struct repro_variant {
  const char *name; /* on the command line and in the names of folders: "no-ema" */
  const char *changes[REPRO_MAX_CHANGES];
} repro_variant;

typedef enum repro_sign { REPRO_WORSE = -1, REPRO_SAME, REPRO_BETTER, REPRO_UNSAID } repro_sign;

typedef struct repro_row {
  const char *label;   /* as the table of the paper has it, or near to that */
  const char *variant; /* the name of one */
  repro_where where;
  bool base;          /* the others of its task are compared with it */
  double paper;       /* exact accuracy in percent; below 0: the paper has no figure */
  const char *said;   /* what it has in its place: "out of memory" */
  repro_sign against; /* where it has no figure, what it says of the row beside its base */
} repro_row;

typedef struct repro_table {
  const char *name, *title, *about;
  const repro_row *rows;
  int n;
} repro_table;
/* Table i; NULL after the last. */
const repro_table *repro_table_at(int i);
const repro_table *repro_table_find(const char *name); /* NULL: there is none */
const repro_row *repro_base_of(const repro_table *t, const repro_row *row);

/* "sudoku-no-ema": a row's task and variant, which tables share. */
void repro_row_name(const repro_row *row, char name[REPRO_NAME]);
/* Its settings on a scale: the task's, the user's n, and last what makes it this row; views.
 * Returns their number. */
int repro_row_settings(const repro_row *row, repro_scale scale, const char *const *user, int n,
                       const char *out[REPRO_MAX_SETTINGS]);

#endif
