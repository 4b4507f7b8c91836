/* The actions of trm data, each in a file of its own, and what they share. In all of them argv[0]
 * is the first argument after the action's words. */
#ifndef TRM_CLI_CMD_DATA_H
#define TRM_CLI_CMD_DATA_H

#include "cli/cli.h"

int cmd_data_build_arc(int argc, char **argv);
int cmd_data_build_grid(int argc, char **argv);
int cmd_data_build_maze(int argc, char **argv);
int cmd_data_build_sudoku(int argc, char **argv);
int cmd_data_gen_maze(int argc, char **argv);
int cmd_data_gen_sudoku(int argc, char **argv);
int cmd_data_show(int argc, char **argv);
int cmd_data_info(int argc, char **argv);
int cmd_data_verify(int argc, char **argv);

/* "TRAIN" or "TRAIN,TEST"; false after a usage error. `test` may be NULL. */
typedef struct data_inputs {
  char text[4096];
  const char *train, *test;
} data_inputs;
bool data_split_inputs(const char *text, data_inputs *in);
/* Says so when fewer training puzzles than the wanted subsample were there. */
void data_warn_subsample(int64_t wanted, const trm_build_report *r);
/* Prints what was written to `folder` and warns of duplicates and overlaps; an exit code. */
int data_report_build(const char *folder, const trm_build_report *r);

#endif
