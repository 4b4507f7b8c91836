/* The texts and option tables of all commands in other forms than --help: man pages, completions
 * of shells. */
#ifndef TRM_CLI_MANUALS_H
#define TRM_CLI_MANUALS_H

#include "cli/cli.h"

typedef struct cli_program {
  cli_manual manual; /* of the program as a whole; its notes with environment and exit codes */
  const char *summary;
  const cli_command *commands;
  int n;
} cli_program;

/* Has every command, or the one named `only`, show itself to `tellers`. */
void manuals_walk(const cli_program *p, const char *only, const cli_tellers *tellers);
/* The words that call what a usage line is of: "data build sudoku" of "trm data build ...". */
enum { MANUALS_WORDS = 80 };
void manuals_words(const cli_manual *manual, char words[MANUALS_WORDS]);

/* Each prints to stdout. */
void manuals_man(const cli_program *p, const cli_command *c); /* NULL: of the program, trm(1) */
void manuals_bash(const cli_program *p);
void manuals_zsh(const cli_program *p);
void manuals_fish(const cli_program *p);

#endif
