/* See examples.h. */
#include "cli/serve/examples.h"

#include <stdlib.h>
#include <string.h>

#include "io/json.h"

/* Made by trm data gen, seeds 12 and 3. */
static const char *const examples[] = {
    ".......4.1...43.",
    ".1...3.2......3.",
    "....42.......13.",
    "5......4......1.64....25.......2..56",
    "........14.5..31..4.....5....4.3..2.",
    ".5.14.......3..5....4.3....256......",
    "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79",
    ".1...9.2....3..6....8.4...9...71.5.45....48...9..2..1.4....2..8..........6....753",
    ".4...3..8.974..5.2..27...3...5....9.....4........12..6.8.27......9.352........8..",
    ".#.S.#.#../..##....#./.#.#..#.../.##.#####./......#.#./..##....../#......###/..#.#....#/"
    "###.....#./##..#G.#..",
    "....#...../.....#..../#...#....#/#.....#.../#..###..../......#.../.#.#..#..#/..#...S#G./"
    ".##....##./.###....#.",
    ".#.G##..../.....#.#../.###...#../..#...##../..##....../..#.#..#.#/#.#.###.##/..#....S../"
    "....#.#.#./#..###....",
};

static bool is_for(const serve_model *m, const char *text) {
  int32_t *tokens = calloc((size_t)m->config->seq_len, sizeof *tokens);
  const bool is =
      tokens && trm_puzzle_parse(&m->config->puzzle, text, strlen(text), tokens, NULL) == TRM_OK &&
      trm_puzzle_check(&m->config->puzzle, tokens, NULL) == TRM_OK;
  free(tokens);
  return is;
}

const char *serve_example_of(const serve_model *m) {
  for (size_t k = 0; k < sizeof examples / sizeof *examples; k++)
    if (is_for(m, examples[k])) return examples[k];
  return NULL;
}

char *serve_examples_json(const serve_model *models, int n) {
  trm__json_out o = trm__json_begin(TRM__JSON_COMPACT);
  char *text;
  trm__json_open(&o, NULL, '{');
  trm__json_open(&o, "examples", '[');
  for (int i = 0; i < n; i++)
    for (size_t k = 0; k < sizeof examples / sizeof *examples; k++) {
      if (!is_for(&models[i], examples[k])) continue;
      trm__json_open(&o, NULL, '{');
      trm__json_put_text(&o, "model", models[i].name);
      trm__json_put_text(&o, "puzzle", examples[k]);
      trm__json_close(&o);
    }
  trm__json_close(&o);
  trm__json_close(&o);
  return trm__json_finish(&o, "the examples", &text, NULL) == TRM_OK ? text : NULL;
}
