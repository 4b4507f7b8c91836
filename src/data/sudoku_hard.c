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
  MAX_STEPS = 40000,   /* steps walked for a rating */
  LEAST_STEPS = 12,    /* taken between two puzzles */
  PATIENCE = 200,      /* steps refused before the puzzle is turned */
  MAX_NEW_GIVENS = 7   /* in a step */
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
  uint8_t question[TRM_SUDOKU_MAX_CELLS];
  int64_t backtracks;
} walk;

/* Backtracks of a puzzle with one solution; -1 when there are several, or it takes too long. */
static int64_t rate(const walk *w, const uint8_t *question, uint8_t *answer, uint8_t *other) {
  trm__sudoku_search search = {.shape = w->shape,
                               .limit = 2,
                               .max_guesses = MAX_GUESSES,
                               .answer = answer,
                               .other = other,
                               .forbidden_cell = -1};
  trm__sudoku_search_run(&search, question);
  return search.complete && search.solutions == 1 ? search.backtracks : -1;
}

static void begin_walk(walk *w) {
  const trm__sudoku_target any = {0};
  uint8_t answer[TRM_SUDOKU_MAX_CELLS];
  do {
    while (!trm__sudoku_generate(w->shape, &any, w->rng, w->question, answer)) {
    }
    w->backtracks = rate(w, w->question, answer, NULL);
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

/* A neighbour of the puzzle; its backtracks, or -1. */
static int64_t step(const walk *w, uint8_t *question) {
  uint8_t solution[2][TRM_SUDOKU_MAX_CELLS];
  memcpy(question, w->question, SIDE_CELLS);
  for (int taken = 1; taken;) {
    uint32_t cell = trm__rng_below(w->rng, SIDE_CELLS);
    taken -= question[cell] > 0;
    question[cell] = 0;
  }
  for (int i = 0; i < MAX_NEW_GIVENS; i++) {
    int64_t backtracks = rate(w, question, solution[0], solution[1]);
    if (backtracks >= 0) return backtracks;
    int cell = draw_difference(w->rng, solution[0], solution[1]);
    question[cell] = solution[trm__rng_below(w->rng, 2)][cell];
  }
  return rate(w, question, solution[0], NULL);
}

/* The puzzle in a random symmetric image, where the solver takes another way. */
static void turn(walk *w) {
  uint8_t image[TRM_SUDOKU_MAX_CELLS], answer[TRM_SUDOKU_MAX_CELLS];
  trm__symmetry g;
  trm__symmetry_draw(w->puzzle, w->rng, &g);
  trm__symmetry_apply(&g, w->question, image);
  int64_t backtracks = rate(w, image, answer, NULL);
  if (backtracks < 0) return;
  memcpy(w->question, image, SIDE_CELLS);
  w->backtracks = backtracks;
}

/* The puzzle without spare givens in a random image; the level of that, or -1. */
static int show(const walk *w, uint8_t *question, uint8_t *answer) {
  walk shown = *w;
  if (rate(w, shown.question, answer, NULL) < 0) return -1;
  trm__sudoku_minimise(w->shape, w->rng, shown.question, answer);
  turn(&shown);
  memcpy(question, shown.question, SIDE_CELLS);
  int64_t backtracks = rate(w, question, answer, NULL);
  return backtracks < 0 ? -1 : half_octave(backtracks);
}

/* Takes a step that leads nearer to a level, or not much further away. */
static bool take_step(walk *w, int level) {
  const double warmth = 0.6; /* half octaves, times a draw of mean 1 */
  uint8_t next[TRM_SUDOKU_MAX_CELLS];
  int64_t backtracks = step(w, next);
  if (backtracks < 0) return false;
  double target = level + 0.5, before = fabs(2 * log2(1 + (double)w->backtracks) - target),
         after = fabs(2 * log2(1 + (double)backtracks) - target);
  if (after > before - warmth * log(trm__rng_uniform(w->rng))) return false;
  memcpy(w->question, next, SIDE_CELLS);
  w->backtracks = backtracks;
  return true;
}

/* A puzzle of any level still wanted, walking to the lowest of them; the level, or -1. */
static int walk_to(walk *w, const int *wanted, uint8_t *question, uint8_t *answer) {
  int lowest = EASY;
  while (!wanted[lowest]) lowest++;
  for (int i = 0, taken = 0, refused = 0; i < MAX_STEPS; i++) {
    if (!take_step(w, lowest)) {
      if (++refused % PATIENCE == 0) turn(w);
      continue;
    }
    refused = 0;
    int near = half_octave(w->backtracks);
    if (++taken < LEAST_STEPS || near < lowest - 1 || near >= HALF_OCTAVES) continue;
    int level = show(w, question, answer);
    if (level >= EASY && level < HALF_OCTAVES && wanted[level]) return level;
  }
  return -1;
}

static bool draw_easy(walk *w, int level, uint8_t *question, uint8_t *answer) {
  const trm__sudoku_target any = {0};
  for (int i = 0; i < MAX_RANDOM; i++) {
    if (!trm__sudoku_generate(w->shape, &any, w->rng, question, answer)) continue;
    int64_t backtracks = rate(w, question, answer, NULL);
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
  while (hard-- > 0) {
    int level = walk_to(&w, wanted, questions + n * SIDE_CELLS, answers + n * SIDE_CELLS);
    if (level < 0) break;
    wanted[level]--;
    n++;
  }
  return n;
}
