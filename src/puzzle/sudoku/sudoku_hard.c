/* Hard 9x9 Sudokus: as hard, for the built-in solver, as those of Sudoku-Extreme.
 *
 * Ratings are drawn from that set's distribution. Low ones are those of random minimal puzzles, of
 * which as many are made as it takes. High ones, which one random puzzle of some thousands has, are
 * found on walks that begin at random images of a few very hard puzzles. A step takes a given away
 * and, of the solutions there are then, rules some out by new givens, so that givens and solution
 * change. Almost all steps lead down, so the highest rating wanted is looked for first, but what is
 * met on the way is taken for whichever rating it has. What is given out is made minimal and shown
 * in a random symmetric image, and it is that image whose rating counts. */
#include <math.h>
#include <string.h>

#include "puzzle/sudoku/sudoku_shape.h"
#include "puzzle/sudoku/sudoku_symmetry.h"

enum {
  SIDE_CELLS = 81,
  HALF_OCTAVES = 23,
  EASY = 10,           /* half octaves that random puzzles reach: below 31 backtracks */
  MAX_GUESSES = 20000, /* of a rating; more than any half octave here has */
  MAX_RANDOM = 20000,  /* random puzzles tried for a rating */
  MAX_GAPS = 300,      /* givens taken away on the way to a puzzle */
  MAX_WALKS = 60,      /* begun for one call */
  LEAST_STEPS = 10,    /* taken from a seed or puzzle to the next puzzle */
  IMAGES = 16,         /* of a puzzle, among which the ratings are looked for */
  NEAR = 2,            /* half octaves below the lowest wanted, where images may reach it */
  LOST = 3,            /* half octaves below it, where the walk ends */
  GAP_SOLUTIONS = 16,
  STEPS_AT_GAP = 12 /* tried before another given is taken away */
};

/* How hard Sudoku-Extreme is: of 11,000 of its puzzles (train.csv and 10,000 of test.csv), those
 * with floor(2 log2(1 + backtracks)) = 0, 1, 2 ... */
static const int16_t census[HALF_OCTAVES] = {1269, 0,    541, 273, 352, 192,  198,  67,
                                             56,   26,   39,  158, 445, 1024, 1560, 1507,
                                             1442, 1009, 529, 214, 74,  18,   7};

/* Where walks begin: puzzles of 500 to 750 backtracks, each the end of a long walk of this kind
 * from a random puzzle. */
static const char *const seeds[] = {
    "1......5......3.1.82.......6.17......9....46.43..8......4.1...5.6...7......6..89.",
    "...2.43.........7..37.9......5......87.6...........9.4.4.95..8.7...8......8...1.6",
    "2..7.5............37.....4..9..3.5....5..4...1......2...1.9..826.....9...89.7.1.6",
    ".9...6.31.....9..7.......89..3125.....68...5.......4..1..4..7...48.1..2.....5....",
    "....7...6.9...6......85.4.7.....8..93..7..8....4.3..1....3..9.21...2.5....2......",
    "..7...2.....1.....62.4.31......6...8..1.........8.2.4.13.........5..6..9..857....",
    "4.....2.3.....9.7..6.4......7..9.....8...36..3....58....4...3.2....2...8.....8.9.",
    ".32.......7..31..5..98.......5...1.4....539..9.......7...39......4..5.7.2....45.6",
    ".4.......3.5.86.2...8.51........9.4...98.26..8...7.2...276..98..........1....7...",
    "........2..73...94..6..2.........9.....64..7...87...3..5.....8...9.867..8..43....",
    "...8......714....3........6.5....7...37..52.14....3........9.7.....3.5...9..67..2",
    "...........4...1...5..3........6..7.6..8....1.13.9.2...2...85....81..74.....2..69",
    "...8.......3.9.5....952.....1.7.....5...8.6....7.....3....1.83..6...7.1.2..9....5",
    "....9.4.5.826.........3..9...54.......6.7...21.......9...8.....6.........7.2..953",
    ".....6.8..15...9.......34....28...3...9.......4.1....2.6.34..7..9..2...8.....8..4",
    "...9.............6.8.24...7...3.7..9.51...3......2..4..3.6.492...5..1.....6.....8",
    "2...3.1.88.......3.....17.....16.9...62..........78..5.1....63.....1.4....53.....",
    "..3.7.18.1....5...7...4............5....8..4..7....39..39.....1.5..18.3.2..9..4..",
    "...4..7...1..9.....9..16............3...54....758...23..4..8.6.......3...63.4518.",
    "...1........43.8......7.93......43...1........78..2.65.....35848..6......3.2.....",
    "..2....7...5.74......8...423...8.5.......9....2..5...1.8.......7...3..181..5....3",
    "3..5..7.6...4.6......3...5...314...85............9.2.....8...2.6.7.......85.17.3.",
    "..84...2...9...18.........6...98...56.......7.5..4.3...3......21..8.2..9...37.6..",
    ".5...........78......23.5..........9.8....46.6.5.9.3....8.....1.1..6.94..6..49.3.",
    "8........7..3.2......8.....1.4..6..2.....76.3..72...9..5.7..8....6....3.4..95.2..",
    "3.....24.2.5.1.....1.3...7...7...8......9.....2.6.8..4..34......4..5..86.....9.1.",
    "..47....56.74.....1.9....4....3..7.4......5.3.3...1.....8....7.....2...9..58.6...",
    "..1..62........3...26.....99..5...........7158...4...2...1....8.6........39.2..4.",
};
enum { N_SEEDS = sizeof seeds / sizeof *seeds };

static int half_octave(int64_t backtracks) {
  return (int)(2 * log2(1 + (double)backtracks));
}

static int draw_half_octave(trm__rng *rng) {
  int total = 0, level = 0;
  for (int i = 0; i < HALF_OCTAVES; i++) total += census[i];
  int at = (int)trm__rng_below(rng, (uint32_t)total);
  while (at >= census[level]) at -= census[level++];
  return level;
}

/* A puzzle on the way. */
typedef struct walk {
  const trm_puzzle *puzzle;
  const trm__sudoku_shape *shape;
  trm__rng *rng;
  uint8_t question[SIDE_CELLS];
  int64_t backtracks;
} walk;

/* Backtracks of a puzzle with one solution, its answer; else -1, also when it takes too long. */
static int64_t rate(const walk *w, const uint8_t *question, uint8_t *answer) {
  trm__sudoku_search search = {.shape = w->shape,
                               .limit = 2,
                               .max_guesses = MAX_GUESSES,
                               .answer = answer,
                               .forbidden_cell = -1};
  trm__sudoku_search_run(&search, question);
  return search.complete && search.solutions == 1 ? search.backtracks : -1;
}

/* The random cell of those that differ; there is one. */
static int draw_difference(trm__rng *rng, const uint8_t *a, const uint8_t *b) {
  int picked = 0;
  uint32_t n = 0;
  for (int i = 0; i < SIDE_CELLS; i++)
    if (a[i] != b[i] && trm__rng_below(rng, ++n) == 0) picked = i;
  return picked;
}

/* The puzzle without one given, and solutions that there are then. */
typedef struct gap {
  uint8_t question[SIDE_CELLS];
  int n;
  uint8_t solution[GAP_SOLUTIONS][SIDE_CELLS];
} gap;

static void open_gap(const walk *w, gap *g) {
  uint32_t cell;
  memcpy(g->question, w->question, SIDE_CELLS);
  do cell = trm__rng_below(w->rng, SIDE_CELLS);
  while (!g->question[cell]);
  g->question[cell] = 0;
  trm__sudoku_search search = {.shape = w->shape,
                               .limit = GAP_SOLUTIONS,
                               .max_guesses = MAX_GUESSES,
                               .answer = g->solution[0],
                               .room = GAP_SOLUTIONS,
                               .forbidden_cell = -1};
  trm__sudoku_search_run(&search, g->question);
  g->n = search.solutions;
}

/* Givens that leave one of the solutions, drawn one by one among cells where two of them differ. */
static void close_gap(const walk *w, const gap *g, uint8_t *question) {
  const uint8_t *kept = g->solution[trm__rng_below(w->rng, (uint32_t)g->n)];
  memcpy(question, g->question, SIDE_CELLS);
  for (int i = 0; i < g->n; i++) {
    const uint8_t *other = g->solution[i];
    bool open = other != kept;
    for (int c = 0; open && c < SIDE_CELLS; c++) open = !question[c] || question[c] == other[c];
    if (!open) continue;
    int cell = draw_difference(w->rng, kept, other);
    question[cell] = kept[cell];
  }
}

/* Shows a puzzle in a random symmetric image, where the solver takes another way. */
static void turn(walk *w, const uint8_t *question) {
  uint8_t answer[SIDE_CELLS];
  do {
    trm__symmetry g;
    trm__symmetry_draw(w->puzzle, w->rng, &g);
    trm__symmetry_apply(&g, question, w->question);
    w->backtracks = rate(w, w->question, answer);
  } while (w->backtracks < 0);
}

static void begin_walk(walk *w) {
  uint8_t seed[SIDE_CELLS];
  const char *text = seeds[trm__rng_below(w->rng, N_SEEDS)];
  for (int i = 0; i < SIDE_CELLS; i++) seed[i] = text[i] == '.' ? 0 : (uint8_t)(text[i] - '0');
  turn(w, seed);
}

/* True when the walk may go on at a puzzle that has so many backtracks: nearer to the level, or not
 * much further away. */
static bool may_go(const walk *w, int level, int64_t backtracks) {
  const double warmth = 0.5; /* half octaves, times a draw of mean 1 */
  double target = level + 0.5, before = fabs(2 * log2(1 + (double)w->backtracks) - target),
         after = fabs(2 * log2(1 + (double)backtracks) - target);
  return after <= before - warmth * log(trm__rng_uniform(w->rng));
}

/* Takes a step if one is found around a given. */
static bool take_step(walk *w, int level) {
  gap g;
  open_gap(w, &g);
  for (int i = 0; g.n && i < STEPS_AT_GAP; i++) {
    uint8_t next[SIDE_CELLS], answer[SIDE_CELLS];
    close_gap(w, &g, next);
    int64_t backtracks = rate(w, next, answer);
    if (backtracks < 0 || !may_go(w, level, backtracks) || !memcmp(next, w->question, SIDE_CELLS))
      continue;
    memcpy(w->question, next, SIDE_CELLS);
    w->backtracks = backtracks;
    return true;
  }
  return false;
}

/* Puzzles being made: those at hand have a place each, in the order their levels were drawn in. */
typedef struct order {
  int n, hard;                       /* places; those that a walk has yet to fill */
  int level[TRM__SUDOKU_HARD_YIELD]; /* wanted, or FILLED */
  uint8_t *questions, *answers;
} order;

enum { FILLED = -1 };

/* The place of a level wanted; -1 when it is not. */
static int find_place(const order *o, int level) {
  for (int i = 0; i < o->n; i++)
    if (o->level[i] == level) return i;
  return -1;
}

static void fill_place(const walk *w, order *o, int place, const uint8_t *question) {
  memcpy(o->questions + place * SIDE_CELLS, question, SIDE_CELLS);
  rate(w, question, o->answers + place * SIDE_CELLS);
  o->level[place] = FILLED;
}

/* Gives out the puzzle without spare givens, in that of some images that is of the highest level
 * wanted; false when none is. */
static bool show(const walk *w, order *o) {
  walk shown = *w;
  int best = EASY - 1;
  uint8_t minimal[SIDE_CELLS], question[SIDE_CELLS], answer[SIDE_CELLS];
  memcpy(minimal, w->question, SIDE_CELLS);
  rate(w, minimal, answer);
  trm__sudoku_minimise(w->shape, w->rng, minimal, answer);
  for (int i = 0; i < IMAGES; i++) {
    turn(&shown, minimal);
    int level = half_octave(shown.backtracks);
    if (level <= best || find_place(o, level) < 0) continue;
    best = level;
    memcpy(question, shown.question, SIDE_CELLS);
  }
  if (best < EASY) return false;
  fill_place(w, o, find_place(o, best), question);
  o->hard--;
  return true;
}

/* Walks on to a puzzle of a level wanted; false when the walk has come down too far, or nowhere. */
static bool walk_on(walk *w, order *o) {
  int lowest = EASY, highest = HALF_OCTAVES - 1, taken = 0;
  while (find_place(o, lowest) < 0) lowest++;
  while (find_place(o, highest) < 0) highest--;
  for (int i = 0; i < MAX_GAPS; i++) {
    if (!take_step(w, highest)) continue;
    int at = half_octave(w->backtracks);
    if (at < lowest - LOST) return false;
    if (++taken >= LEAST_STEPS && at >= lowest - NEAR && show(w, o)) return true;
  }
  return false;
}

static void draw_easy(const walk *w, order *o, int place) {
  const trm__sudoku_target any = {0};
  uint8_t question[SIDE_CELLS], answer[SIDE_CELLS];
  for (int i = 0; i < MAX_RANDOM; i++) {
    if (!trm__sudoku_generate(w->shape, &any, w->rng, question, answer)) continue;
    int64_t backtracks = rate(w, question, answer);
    if (backtracks < 0 || half_octave(backtracks) != o->level[place]) continue;
    fill_place(w, o, place, question);
    return;
  }
}

/* Moves puzzles to where none was found; how many there are. */
static int close_ranks(const order *o) {
  int n = 0;
  for (int i = 0; i < o->n; i++) {
    if (o->level[i] != FILLED) continue;
    memmove(o->questions + n * SIDE_CELLS, o->questions + i * SIDE_CELLS, SIDE_CELLS);
    memmove(o->answers + n * SIDE_CELLS, o->answers + i * SIDE_CELLS, SIDE_CELLS);
    n++;
  }
  return n;
}

int trm__sudoku_generate_hard(const trm_puzzle *p, const trm__sudoku_shape *s, trm__rng *rng,
                              uint8_t *questions, uint8_t *answers) {
  walk w = {.puzzle = p, .shape = s, .rng = rng};
  order o = {.n = TRM__SUDOKU_HARD_YIELD, .questions = questions, .answers = answers};
  for (int i = 0; i < o.n; i++) {
    o.level[i] = draw_half_octave(rng);
    if (o.level[i] < EASY)
      draw_easy(&w, &o, i);
    else
      o.hard++;
  }
  for (int walks = 0; o.hard > 0 && walks < MAX_WALKS; walks++) {
    begin_walk(&w);
    while (o.hard > 0 && walk_on(&w, &o)) {
    }
  }
  return close_ranks(&o);
}
