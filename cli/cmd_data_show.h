/* An action of trm data in a file of its own. */
#ifndef TRM_CLI_CMD_DATA_SHOW_H
#define TRM_CLI_CMD_DATA_SHOW_H

/* argv[0] is the first argument after "show". */
int cmd_data_show(int argc, char **argv);

#endif
