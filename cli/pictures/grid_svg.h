/* Grids as an SVG picture. */
#ifndef TRM_CLI_GRID_SVG_H
#define TRM_CLI_GRID_SVG_H

#include "cli/cli.h"

/* A question and its answer, side by side below a title; tokens [rows * cols]. */
typedef struct grid_svg_pair {
  char title[160];
  const int32_t *question, *answer;
  trm_puzzle_box question_box, answer_box;
} grid_svg_pair;

/* Writes n pairs below each other, complete or not at all. */
trm_status grid_svg_write(const char *path, const trm_puzzle *p, const grid_svg_pair *pairs, int n,
                          trm_error *err);

#endif
