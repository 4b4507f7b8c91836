/* trm data: a table of what can be done with data sets. */
#include "cli/commands/data.h"

static const cli_action actions[] = {
    {"build", "sudoku", "a data set from files of Sudokus", cmd_data_build_sudoku},
    {"build", "maze", "the same of mazes", cmd_data_build_maze},
    {"build", "arc", "a data set of ARC tasks and their copies", cmd_data_build_arc},
    {"build", "grid", "a data set of your own puzzles", cmd_data_build_grid},
    {"gen", "sudoku", "a data set of generated puzzles", cmd_data_gen_sudoku},
    {"gen", "maze", "a data set of random mazes", cmd_data_gen_maze},
    {"info", NULL, "counts, sizes, repetitions, overlap", cmd_data_info},
    {"show", NULL, "examples as pictures or as text", cmd_data_show},
    {"verify", NULL, "checks everything in a data set", cmd_data_verify}};
static const cli_group group = {"data", "DIR", actions, sizeof actions / sizeof *actions};

int cmd_data(int argc, char **argv) {
  return cli_group_run(&group, argc, argv);
}
