/* Hard 9x9 Sudokus: as hard, for the built-in solver, as those of Sudoku-Extreme.
 *
 * A rating is drawn from that set's distribution. Low ratings are those of random minimal puzzles,
 * of which as many are made as it takes. High ones, which one random puzzle of some thousands has,
 * are walked to: a step takes one or two givens away and, of the solutions there are then, rules
 * some out by new givens, so that givens and solution change; it is kept when it leads nearer to
 * the rating, or not much further away. What is given out is made minimal and shown in a random
 * symmetric image, and it is that image whose rating counts. The walk goes on from there to the
 * next puzzle, which is far enough away to have little in common with it. */
#include <math.h>
#include <string.h>

#include "data/augment.h"
#include "data/sudoku_shape.h"

enum {
  SIDE_CELLS = 81,
  HALF_OCTAVES = 23,
  EASY = 10,           /* half octaves that random puzzles reach: below 31 backtracks */
  MAX_GUESSES = 20000, /* of a rating; more than any half octave here has */
  MAX_RANDOM = 20000,  /* random puzzles tried for a rating */
  MAX_GAPS = 1500,     /* givens taken away on the way to a rating */
  MAX_WALKS = 40,      /* begun for one call */
  LEAST_STEPS = 8,     /* taken between two puzzles */
  PATIENCE = 20,       /* of them without a step before the puzzle is turned */
  IMAGES = 8,          /* of a puzzle, tried for a rating */
  GAP_SOLUTIONS = 16,
  STEPS_AT_GAP = 12 /* tried before another given is taken away */
};

/* How hard Sudoku-Extreme is: of 11,000 of its puzzles (train.csv and 10,000 of test.csv), those
 * with floor(2 log2(1 + backtracks)) = 0, 1, 2 ... */
static const int16_t census[HALF_OCTAVES] = {1269, 0,    541, 273, 352, 192,  198,  67,
                                             56,   26,   39,  158, 445, 1024, 1560, 1507,
                                             1442, 1009, 529, 214, 74,  18,   7};

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

/* A puzzle on the way; its answer follows. */
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

static void begin_walk(walk *w) {
  const trm__sudoku_target any = {0};
  uint8_t answer[SIDE_CELLS];
  do {
    while (!trm__sudoku_generate(w->shape, &any, w->rng, w->question, answer)) {
    }
    w->backtracks = rate(w, w->question, answer);
  } while (w->backtracks < 0);
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

/* The puzzle in a random symmetric image, where the solver takes another way. */
static void turn(walk *w) {
  uint8_t image[SIDE_CELLS], answer[SIDE_CELLS];
  trm__symmetry g;
  trm__symmetry_draw(w->puzzle, w->rng, &g);
  trm__symmetry_apply(&g, w->question, image);
  int64_t backtracks = rate(w, image, answer);
  if (backtracks < 0) return;
  memcpy(w->question, image, SIDE_CELLS);
  w->backtracks = backtracks;
}

/* The puzzle without spare givens in a random image of a level still wanted; the level, or -1. */
static int show(const walk *w, const int *wanted, uint8_t *question, uint8_t *answer) {
  walk shown = *w;
  if (rate(w, shown.question, answer) < 0) return -1;
  trm__sudoku_minimise(w->shape, w->rng, shown.question, answer);
  for (int i = 0; i < IMAGES; i++) {
    turn(&shown);
    int level = half_octave(shown.backtracks);
    if (level < EASY || level >= HALF_OCTAVES || !wanted[level]) continue;
    memcpy(question, shown.question, SIDE_CELLS);
    return rate(w, question, answer) < 0 ? -1 : level;
  }
  return -1;
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

/* A puzzle of any level still wanted, walking to the lowest of them; the level, or -1. Almost all
 * ways lead down, so a walk that has come far down goes back to where it was high. */
static int walk_to(walk *w, const int *wanted, uint8_t *question, uint8_t *answer) {
  int lowest = EASY, taken = 0, refused = 0;
  walk high = *w;
  while (!wanted[lowest]) lowest++;
  for (int i = 0; i < MAX_GAPS; i++) {
    if (!take_step(w, lowest)) {
      if (++refused % PATIENCE == 0) turn(w);
      continue;
    }
    refused = 0;
    taken++;
    int at = half_octave(w->backtracks), was = half_octave(high.backtracks);
    if (at >= lowest - 2 || at >= was) high = *w;
    if (at < lowest - 4 && at < was - 2) *w = high;
    if (taken < LEAST_STEPS || at < lowest - 1) continue;
    int level = show(w, wanted, question, answer);
    if (level >= 0) return level;
  }
  return -1;
}

static bool draw_easy(walk *w, int level, uint8_t *question, uint8_t *answer) {
  const trm__sudoku_target any = {0};
  for (int i = 0; i < MAX_RANDOM; i++) {
    if (!trm__sudoku_generate(w->shape, &any, w->rng, question, answer)) continue;
    int64_t backtracks = rate(w, question, answer);
    if (backtracks >= 0 && half_octave(backtracks) == level) return true;
  }
  return false;
}

int trm__sudoku_generate_hard(const trm_puzzle *p, const trm__sudoku_shape *s, trm__rng *rng,
                              int most, uint8_t *questions, uint8_t *answers) {
  walk w = {.puzzle = p, .shape = s, .rng = rng};
  int wanted[HALF_OCTAVES] = {0}, n = 0, hard = 0;
  for (int i = 0; i < most; i++) {
    int level = draw_half_octave(rng);
    if (level >= EASY) {
      wanted[level]++;
      hard++;
    } else {
      n += draw_easy(&w, level, questions + n * SIDE_CELLS, answers + n * SIDE_CELLS);
    }
  }
  begin_walk(&w);
  for (int walks = 1; hard > 0 && walks <= MAX_WALKS;) {
    int level = walk_to(&w, wanted, questions + n * SIDE_CELLS, answers + n * SIDE_CELLS);
    if (level < 0) {
      begin_walk(&w);
      walks++;
      continue;
    }
    wanted[level]--;
    hard--;
    n++;
  }
  return n;
}
