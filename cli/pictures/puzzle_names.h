/* What puzzles and their ids are called. */
#ifndef TRM_CLI_PUZZLE_NAMES_H
#define TRM_CLI_PUZZLE_NAMES_H

#include "cli/cli.h"

/* "Sudoku 9x9, boxes 3x3", "maze 30x30" ... in a text of `size` bytes. */
void puzzle_describe(const trm_puzzle *p, char *text, size_t size);

/* identifiers.json of a data set. */
typedef struct puzzle_names puzzle_names;
/* A folder without one that can be read is fine: ids then have no names. Errors: MEMORY, ARGUMENT.
 */
trm_status puzzle_names_open(const char *dir, puzzle_names **out, trm_error *err);
void puzzle_names_close(puzzle_names *n); /* NULL is fine */
/* NULL when the id has no name, or none that tells puzzles apart ("<blank>"). `n` may be NULL. */
const char *puzzle_name(const puzzle_names *n, int32_t id);

#endif
