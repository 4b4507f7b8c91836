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

/* A builder or generator at work. Its configuration has cli_progress_tick with &bar as progress,
 * its call fills report and err. */
typedef struct data_work {
  cli_progress bar;
  trm_build_report report;
  trm_error err;
} data_work;
/* Begins to show how many `units` are done. A stop, or a file that is cut, ends the work from here
 * on where it looks at its progress: then what is half built is removed. */
void data_work_begin(data_work *w, const char *doing, const char *units);
/* Prints what was written to `folder` and warns of duplicates and overlaps, and of fewer training
 * puzzles than the wanted subsample (0: none was wanted), or reports the error; an exit code. */
int data_work_end(data_work *w, trm_status st, const char *folder, int64_t subsample);

#endif
