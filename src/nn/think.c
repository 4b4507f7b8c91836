/* Several tries of each puzzle over one queue. A puzzle's tries enter the queue together; of those
 * that are done answers (and logits) are kept, mapped back; when all are done, or one that ends the
 * others, an answer is chosen (choose.h). Where there is one try of the puzzle as it is, the queue
 * alone does it all, and a puzzle's place is that of the queue. */
#include "trm/think.h"

#include <math.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/rng.h"
#include "nn/choose.h"
#include "nn/model.h"
#include "nn/pins.h"
#include "puzzle/augmenter.h"
#include "puzzle/puzzle.h"

static const trm__word select_rows[TRM_SELECTS] = {
    [TRM_SELECT_Q] = {"q", NULL},
    [TRM_SELECT_FIRST] = {"first", NULL},
    [TRM_SELECT_VOTE] = {"vote", NULL},
    [TRM_SELECT_MODE] = {"mode", NULL},
    [TRM_SELECT_RESIDUAL] = {"residual", NULL},
};
const trm__words trm__select_words = TRM__WORDS(select_rows, NULL);
TRM__WORDS_FUNCTIONS(trm_select, trm__select_words)

int trm_thinking_tries(const trm_thinking *how) {
  return (how->views ? how->views : 1) * (how->rollouts ? how->rollouts : 1);
}

/* Something of a try follows from its key. */
static bool is_drawn(const trm_thinking *how, const trm_model_config *model) {
  return how->noise > 0 || model->start_std > 0 || model->update_noise > 0;
}

bool trm_thinking_differs(const trm_thinking *how, const trm_model_config *model) {
  return how->rollouts <= 1 || is_drawn(how, model);
}

enum { LAST = 3 /* differences that a residual is the mean of */ };

typedef struct thought {
  bool taken, finished;
  trm_queue_puzzle asked; /* without inputs */
  uint64_t hash;
  int steps;       /* of all tries that are done or ended */
  int begun, left; /* tries of this round, and those that are neither done nor ended */
  /* Of a search, which is rounds of as many runs as there are tries: */
  int round;        /* 0: the tries themselves */
  int nodes, first; /* questions that are to be run, and the first of them in this round */
  int best, agree;  /* what was chosen of the tries */
} thought;

/* Which try the place of the queue holds. */
typedef struct holder {
  int puzzle, try;
} holder;

struct trm_thinker {
  trm_queue *queue;
  trm_thinking how;
  trm_puzzle puzzle;
  trm__augmenter images;
  bool single, logits, drawn;
  int tries, slots, S, V, n_places, n_free, n_done;
  /* By place of a puzzle: */
  thought *places;
  int *free, *done; /* lists of places */
  trm__try *of;     /* [places, slots]: one more than tries, for what a search begins from */
  int *at;          /* [places, tries]: of the queue; -1: it is not there */
  int32_t *inputs;  /* [places, S] */
  int32_t *answers; /* [places, slots, S], mapped back */
  real *kept;       /* [places, slots, S, V]: their logits; NULL: none are kept */
  int64_t *votes;   /* [places, S, V]; NULL: there are none */
  trm__pins *pins;  /* [places, search] */
  holder *held;     /* by place of the queue */
  /* Of one try: */
  trm__image image;
  real *before; /* by place of the queue: [S, V] the logits of the step before; NULL: … */
  double (*moved)[LAST]; /* and how far they moved, by step modulo their number */
  int32_t *asked;        /* [S]: its image, and what was voted for */
  real *turned;          /* [S, V]: its logits, mapped back */
};

/* --- creation --- */

static trm_status check_thinking(const trm_thinking *how, const trm_queue_config *c,
                                 const trm_model_config *m, trm_error *err) {
  const int most = TRM_MAX_TRIES;
  if (how->views < 0 || how->views > most || how->rollouts < 0 || how->rollouts > most ||
      trm_thinking_tries(how) > most)
    TRM_FAIL(err, TRM_E_ARGUMENT,
             "views = %d, rollouts = %d: expected 1 to %d tries of a puzzle in all", how->views,
             how->rollouts, most);
  if (!trm_thinking_differs(how, m))
    TRM_FAIL(
        err, TRM_E_ARGUMENT,
        "rollouts = %d: without noise they are all the same, for the model draws nothing itself "
        "(start_std, update_noise)",
        how->rollouts);
  if ((unsigned)how->select >= TRM_SELECTS || !isfinite(how->bar))
    TRM_FAIL(err, TRM_E_ARGUMENT,
             "select = %d, bar = %g: expected a rule, 0 to %d, and a finite number",
             (int)how->select, how->bar, TRM_SELECTS - 1);
  if (how->search < 0 || how->search > TRM_MAX_SEARCH)
    TRM_FAIL(err, TRM_E_ARGUMENT, "search = %d: expected 0 to %d runs of a puzzle", how->search,
             TRM_MAX_SEARCH);
  if ((trm_thinking_tries(how) > 1 || how->verify || how->search) && (c->trajectory || c->latents))
    TRM_FAIL(
        err, TRM_E_ARGUMENT,
        "trajectories and latents are those of one try that nothing ends before, but there are "
        "%d of each puzzle, or rules",
        trm_thinking_tries(how));
  return TRM_OK;
}

/* What is asked of the puzzle. */
static trm_status check_puzzle(trm_thinker *t, trm_error *err) {
  const trm_puzzle *p = &t->puzzle;
  if (t->how.views < 2 && !t->how.verify) return TRM_OK;
  if (t->how.views > 1) TRM_TRY(trm__augmenter_init_views(&t->images, p, err));
  if (p->rows * p->cols != t->S)
    TRM_FAIL(err, TRM_E_ARGUMENT, "%s: a puzzle of %d x %d cells is not the model's",
             t->how.views > 1 ? "views" : "rules", p->rows, p->cols);
  if (t->how.verify && !trm_puzzle_has_rules(p))
    TRM_FAIL(err, TRM_E_CONFIG, "verify: no rules are known of puzzles of kind %s",
             trm_puzzle_kind_name(p->kind));
  int32_t blanks[TRM_PUZZLE_MAX_BLANKS];
  if (t->how.search && (!trm__puzzle_rules_once(p) || trm_puzzle_blanks(p, blanks) == 0))
    TRM_FAIL(
        err, TRM_E_CONFIG,
        "search: it guesses symbols of open cells, and only where each symbol is once in every "
        "row, column and box do the rules say what may be there; of puzzles of kind %s they "
        "do not",
        trm_puzzle_kind_name(p->kind));
  return TRM_OK;
}

/* Whether one try may end the others, which therefore go side by side. */
static bool is_abreast(const trm_thinker *t) {
  return t->how.select == TRM_SELECT_FIRST || t->how.verify;
}

/* The queue of the tries. So that its rows are all in use while puzzles wait, there is room for the
 * tries of one puzzle beyond them; but those that go side by side take free rows, of which there
 * are always as many as tries. */
static trm_status open_queue(trm_thinker *t, const trm_model *model, trm_queue_config c,
                             trm_error *err) {
  c.noise = t->how.noise;
  c.seed = t->how.seed;
  if (t->single) return trm_queue_create(model, &c, &t->queue, err);
  if (c.waiting < 0 || c.puzzles < 0)
    TRM_FAIL(err, TRM_E_ARGUMENT, "waiting = %d, puzzles = %lld: expected none negative", c.waiting,
             (long long)c.puzzles);
  const bool abreast = is_abreast(t);
  c.puzzles = c.puzzles > INT64_MAX / t->tries ? 0 : c.puzzles * t->tries;
  c.group = abreast ? t->tries : 0;
  c.waiting = abreast ? 0 : t->tries;
  c.logits = c.logits || t->how.select == TRM_SELECT_VOTE || t->how.select == TRM_SELECT_RESIDUAL ||
             t->how.search;
  return trm_queue_create(model, &c, &t->queue, err);
}

static trm_status thinker_memory(trm_thinker *t, trm_error *err) {
  const int64_t P = t->n_places, S = t->S, slots = P * t->slots, logits = S * t->V;
  TRM_ALLOC(&t->places, P, "the places of a thinker", err);
  TRM_ALLOC(&t->free, P, "the places of a thinker", err);
  TRM_ALLOC(&t->done, P, "the places of a thinker", err);
  TRM_ALLOC(&t->of, slots, "the tries of a thinker", err);
  TRM_ALLOC(&t->at, P * t->tries, "the tries of a thinker", err);
  TRM_ALLOC(&t->inputs, P * S, "the puzzles of a thinker", err);
  TRM_ALLOC(&t->answers, slots * S, "the answers of a thinker", err);
  TRM_ALLOC(&t->held, trm_queue_places(t->queue), "the tries of a thinker", err);
  TRM_ALLOC(&t->image.cell, S, "a view", err);
  TRM_ALLOC(&t->asked, S, "a view", err);
  TRM_ALLOC(&t->turned, logits, "a view", err);
  if (t->how.search) TRM_ALLOC(&t->pins, P * t->how.search, "the questions of a search", err);
  if (t->logits || t->how.search)
    TRM_ALLOC(&t->kept, slots * logits, "the logits of a thinker", err);
  const int64_t rows = trm_queue_places(t->queue);
  if (t->how.select == TRM_SELECT_RESIDUAL) {
    TRM_ALLOC(&t->before, rows * logits, "the logits of a thinker", err);
    TRM_ALLOC(&t->moved, rows, "the logits of a thinker", err);
  }
  if (t->how.select == TRM_SELECT_VOTE)
    TRM_ALLOC(&t->votes, P * logits, "the votes of a thinker", err);
  return TRM_OK;
}

trm_status trm_thinker_create(const trm_model *model, const trm_queue_config *config,
                              const trm_thinking *how, const trm_puzzle *puzzle, trm_thinker **out,
                              trm_error *err) {
  const trm_model_config *m = trm_model_get_config(model);
  trm_thinker *t;
  trm_status st;
  *out = NULL;
  TRM_TRY(check_thinking(how, config, m, err));
  TRM_ALLOC(&t, 1, "a thinker", err);
  t->how = *how;
  t->puzzle = puzzle ? *puzzle : m->puzzle;
  t->tries = trm_thinking_tries(how);
  t->how.verify = how->verify || how->search;
  t->slots = t->tries + 1;
  t->single = t->tries == 1 && !t->how.verify;
  t->logits = config->logits;
  t->drawn = is_drawn(how, m);
  t->S = m->seq_len;
  t->V = m->vocab_size;
  TRM_GOTO(check_puzzle(t, err));

  /* Puzzles that are under way, and one that is done beside them. */
  TRM_GOTO(open_queue(t, model, *config, err));
  t->n_places = trm_queue_places(t->queue) / t->tries + 1;
  if (!t->single) TRM_GOTO(thinker_memory(t, err));
  for (int i = t->n_places - 1; i >= 0 && !t->single; i--) t->free[t->n_free++] = i;
  *out = t;
  return TRM_OK;
done:
  trm_thinker_free(t);
  return st;
}

void trm_thinker_free(trm_thinker *t) {
  if (!t) return;
  trm_queue_free(t->queue);
  void *blocks[] = {t->places,     t->free,   t->done,  t->of,   t->at,    t->inputs,
                    t->answers,    t->kept,   t->votes, t->held, t->asked, t->turned,
                    t->image.cell, t->before, t->moved, t->pins};
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) trm__free(blocks[i]);
  trm__free(t);
}

int trm_thinker_places(const trm_thinker *t) {
  return t->single ? trm_queue_places(t->queue) : t->n_places;
}
int trm_thinker_room(const trm_thinker *t) {
  int room = trm_queue_room(t->queue) / t->tries;
  if (t->single) return room;

  /* Rounds of a search take the places of all tries again, whichever of them have ended. */
  const int left = trm_queue_places(t->queue) / t->tries - trm_thinker_busy(t);
  if (t->how.search && left < room) room = left;
  return room < t->n_free ? room : t->n_free;
}
int trm_thinker_busy(const trm_thinker *t) {
  return t->single ? trm_queue_busy(t->queue) : t->n_places - t->n_free - t->n_done;
}
bool trm_thinker_is_single(const trm_thinker *t) {
  return t->single;
}
trm_queue *trm_thinker_queue(trm_thinker *t) {
  return t->queue;
}

/* --- views --- */

static int rollouts_of(const trm_thinker *t) {
  return t->how.rollouts ? t->how.rollouts : 1;
}

/* The view of a try: the same whenever it is asked for. */
static const trm__image *image_of(trm_thinker *t, const thought *p, int i) {
  const int view = i / rollouts_of(t);
  trm__rng rng = trm__rng_at(t->how.seed, TRM__RNG_VIEW, p->hash, (uint32_t)view);
  trm__augmenter_view(&t->images, view ? &rng : NULL, &t->image);
  return &t->image;
}

static void map_there(int S, const trm__image *g, const int32_t *from, int32_t *to) {
  for (int i = 0; i < S; i++) to[i] = trm__image_token(g->token, from[g->cell[i]]);
}
static void map_back(int S, const trm__image *g, const int32_t *from, int32_t *to) {
  for (int i = 0; i < S; i++) to[g->cell[i]] = trm__image_token(g->original, from[i]);
}
static void map_logits_back(int S, int V, const trm__image *g, const real *from, real *to) {
  for (int i = 0; i < S; i++)
    for (int v = 0; v < V; v++)
      to[(int64_t)g->cell[i] * V + trm__image_token(g->original, v)] = from[(int64_t)i * V + v];
}

/* --- puzzles come --- */

/* What the rule of the thinker makes of a puzzle's own rule of halting. */
static trm_status asked_of(const trm_thinker *t, const trm_queue_puzzle *puzzle,
                           trm_queue_puzzle *out, trm_error *err) {
  *out = *puzzle;
  if (t->how.select != TRM_SELECT_FIRST) return TRM_OK;
  if (puzzle->halt != TRM_HALT_NEVER)
    TRM_FAIL(err, TRM_E_ARGUMENT,
             "the first try above the bar ends a puzzle: want no other early exit beside it");
  out->halt = TRM_HALT_TWICE;
  out->halt_margin = t->how.bar;
  return TRM_OK;
}

static uint64_t hash_of(const trm_thinker *t, const trm_queue_puzzle *p) {
  const uint64_t hash =
      trm__hash_bytes(TRM__HASH_START, p->inputs, (size_t)t->S * sizeof *p->inputs);
  return trm__hash_bytes(hash, &p->puzzle_id, sizeof p->puzzle_id);
}
static uint64_t noise_key(uint64_t hash, int i) {
  const int32_t try = i;
  return trm__hash_bytes(hash, &try, sizeof try);
}

/* What try i of this round is asked: a view, or a question with guesses. */
static void question_of(trm_thinker *t, int place, int i) {
  const thought *th = &t->places[place];
  const int32_t *inputs = t->inputs + (int64_t)place * t->S;
  if (th->round == 0 && t->how.views > 1) {
    map_there(t->S, image_of(t, th, i), inputs, t->asked);
    return;
  }
  memcpy(t->asked, inputs, (size_t)t->S * sizeof *inputs);
  if (th->round > 0)
    trm__pins_apply(&t->pins[(int64_t)place * t->how.search + th->first + i], t->asked);
}

/* All tries of a round, or none: what is wrong with one is wrong with the first, as symmetries keep
 * tokens. */
static trm_status submit_tries(trm_thinker *t, int place, trm_error *err) {
  thought *th = &t->places[place];
  trm_queue_puzzle p = th->asked;
  p.inputs = t->asked;
  for (int i = 0; i < th->begun; i++) {
    int at;
    question_of(t, place, i);
    p.noise_key = noise_key(th->hash, th->round ? t->tries + th->first + i : i);
    const trm_status st = trm_queue_submit(t->queue, &p, &at, err);
    TRM_ASSERT((i == 0 && th->round == 0) || st == TRM_OK);
    if (st != TRM_OK) return st;
    t->held[at] = (holder){place, i};
    t->at[place * t->tries + i] = at;
    t->of[(int64_t)place * t->slots + i] = (trm__try){.done = false};
  }
  th->left = th->begun;
  return TRM_OK;
}

trm_status trm_thinker_submit(trm_thinker *t, const trm_queue_puzzle *puzzle, int *out,
                              trm_error *err) {
  trm_queue_puzzle p;
  TRM_TRY(asked_of(t, puzzle, &p, err));
  if (t->single) {
    if (t->drawn) p.noise_key = noise_key(hash_of(t, puzzle), 0);
    return trm_queue_submit(t->queue, &p, out, err);
  }
  if (trm_thinker_room(t) == 0)
    TRM_FAIL(err, TRM_E_ARGUMENT,
             "there is no room for the tries of a puzzle, %d of them: step, and take answers",
             t->tries);

  /* Its place, and what its views follow from. */
  const size_t bytes = (size_t)t->S * sizeof *puzzle->inputs;
  const int place = t->free[t->n_free - 1];
  t->places[place] =
      (thought){.taken = true, .asked = p, .begun = t->tries, .hash = hash_of(t, puzzle)};
  memcpy(t->inputs + (int64_t)place * t->S, puzzle->inputs, bytes);
  if (t->votes)
    memset(t->votes + (int64_t)place * t->S * t->V, 0,
           (size_t)t->S * (size_t)t->V * sizeof *t->votes);

  const trm_status st = submit_tries(t, place, err);
  t->places[place].taken = st == TRM_OK;
  if (st != TRM_OK) return st;
  t->n_free--;
  if (out) *out = place;
  return TRM_OK;
}

/* --- and go --- */

/* A try leaves: what it costs counts. */
static void end_try(trm_thinker *t, int place, int i, int steps) {
  t->at[place * t->tries + i] = -1;
  t->places[place].left--;
  t->places[place].steps += steps;
}

/* How far the logits of a try moved in its last step, for RESIDUAL. */
static void measure(trm_thinker *t, const trm_queue_answer *a) {
  if (!t->before) return;
  const int64_t logits = (int64_t)t->S * t->V;
  const real *now = (const real *)(const void *)a->logits;
  real *before = t->before + a->place * logits;
  if (a->steps > 1)
    t->moved[a->place][a->steps % LAST] = trm__logits_distance(t->S, t->V, now, before);
  memcpy(before, now, (size_t)logits * sizeof *now);
}
/* The mean of the last ones; 0 after a single step. */
static double residual_of(const trm_thinker *t, const trm_queue_answer *a) {
  const int n = a->steps - 1 < LAST ? a->steps - 1 : LAST;
  double sum = 0;
  for (int k = 0; k < n; k++) sum += t->moved[a->place][(a->steps - k) % LAST];
  return n ? sum / n : 0;
}

/* The view that the try of an answer has; NULL: it is the puzzle itself. */
static const trm__image *view_of(trm_thinker *t, const holder *h) {
  const thought *th = &t->places[h->puzzle];
  return t->how.views > 1 && th->round == 0 ? image_of(t, th, h->try) : NULL;
}

/* The answer of a try, mapped back, at its place. */
static const int32_t *keep_answer(trm_thinker *t, const trm_queue_answer *a, const trm__image *g) {
  const holder *h = &t->held[a->place];
  int32_t *answer = t->answers + ((int64_t)h->puzzle * t->slots + h->try) * t->S;
  if (g)
    map_back(t->S, g, a->answer, answer);
  else
    memcpy(answer, a->answer, (size_t)t->S * sizeof *answer);
  return answer;
}

/* Takes over what is known of a try that is done, or that the rules end. */
static void keep_try(trm_thinker *t, const trm_queue_answer *a) {
  const holder h = t->held[a->place];
  const int64_t logits = (int64_t)t->S * t->V, at = (int64_t)h.puzzle * t->slots + h.try;
  const trm__image *g = view_of(t, &h);
  const int32_t *answer = keep_answer(t, a, g), *inputs = t->inputs + (int64_t)h.puzzle * t->S;
  end_try(t, h.puzzle, h.try, a->steps);
  t->of[at] = (trm__try){.done = true,
                         .passed = a->halted,
                         .accepted = t->how.verify && trm_puzzle_solves(&t->puzzle, inputs, answer),
                         .steps = a->steps,
                         .q_halt = a->q_halt,
                         .q_continue = a->q_continue,
                         .margin = a->margin,
                         .residual = t->before ? residual_of(t, a) : 0,
                         .answer = answer};

  /* A queue's logits are `real`s behind the public type. */
  const real *from = (const real *)(const void *)a->logits;
  if (!t->kept && !t->votes) return;
  if (g) {
    map_logits_back(t->S, t->V, g, from, t->turned);
    from = t->turned;
  }
  if (t->kept) memcpy(t->kept + at * logits, from, (size_t)logits * sizeof *from);
  if (t->votes && t->places[h.puzzle].round == 0)
    trm__vote_add(t->S, t->V, from, t->votes + h.puzzle * logits);
}

/* The tries that one of them has ended, `steps` steps after they all began. */
static void end_others(trm_thinker *t, int place, int steps) {
  for (int i = 0; i < t->places[place].begun; i++) {
    const int at = t->at[place * t->tries + i];
    if (at < 0) continue;
    (void)trm_queue_cancel(t->queue, at, NULL);
    end_try(t, place, i, steps);
  }
}

/* Those under way whose answer the rules accept leave; from the last row on, none is missed. */
static void end_accepted(trm_thinker *t) {
  trm_queue_answer a;
  for (int i = trm_solver_rows(trm_queue_solver(t->queue)) - 1; i >= 0; i--) {
    (void)trm_queue_look(t->queue, i, &a);
    const holder *h = &t->held[a.place];
    const int32_t *answer = keep_answer(t, &a, view_of(t, h));
    if (!trm_puzzle_solves(&t->puzzle, t->inputs + (int64_t)h->puzzle * t->S, answer)) continue;
    keep_try(t, &a);
    (void)trm_queue_cancel(t->queue, a.place, NULL);
  }
}

/* --- search --- */

static bool any_accepted(const trm_thinker *t, int place) {
  bool any = false;
  for (int i = 0; i < t->places[place].begun; i++)
    any |= t->of[(int64_t)place * t->slots + i].accepted;
  return any;
}

/* What is answered if the search finds nothing, in the last slot. */
static void keep_best(trm_thinker *t, int place) {
  const int64_t first = (int64_t)place * t->slots, logits = (int64_t)t->S * t->V;
  const int64_t to = first + t->tries;
  thought *th = &t->places[place];
  th->best = trm__choose(t->how.select, t->tries, t->S, t->of + first);
  t->of[to] = t->of[first + th->best];
  int32_t *answer = t->answers + to * t->S;
  memcpy(answer, t->of[to].answer, (size_t)t->S * sizeof *answer);
  if (t->votes) trm__vote_count(t->S, t->V, t->votes + place * logits, answer);
  t->of[to].answer = answer;
  th->agree = trm__choose_agree(t->tries, t->S, t->of + first, answer);
  memcpy(t->kept + to * logits, t->kept + (first + th->best) * logits,
         (size_t)logits * sizeof *t->kept);
}

/* The questions that follow from one with those logits. */
static void grow(trm_thinker *t, int place, const trm__pins *from, int64_t slot) {
  thought *th = &t->places[place];
  trm__pins *all = t->pins + (int64_t)place * t->how.search;
  th->nodes += trm__pins_grow(&t->puzzle, t->V, t->inputs + (int64_t)place * t->S, from,
                              t->kept + slot * t->S * t->V, t->how.search - th->nodes,
                              all + th->nodes, t->asked);
}

/* After a round in which nothing was accepted: the next one; false: there is none. A puzzle's
 * places in the queue are free again, so that there is room. */
static bool search_on(trm_thinker *t, int place) {
  thought *th = &t->places[place];
  const int64_t first = (int64_t)place * t->slots;
  if (!t->how.search || any_accepted(t, place)) return false;
  if (th->round == 0) {
    keep_best(t, place);
    grow(t, place, &(trm__pins){.n = 0}, first + t->tries);
  } else {
    const trm__pins *run = t->pins + (int64_t)place * t->how.search + th->first;
    for (int i = 0; i < th->begun; i++) {
      const trm__pins from = run[i];
      grow(t, place, &from, first + i);
    }
  }
  const int next = th->round ? th->first + th->begun : 0;
  if (next == th->nodes) return false;
  th->round++;
  th->first = next;
  th->begun = th->nodes - next < t->tries ? th->nodes - next : t->tries;
  (void)submit_tries(t, place, NULL);
  return true;
}

/* --- after a step --- */

/* All that end the others after the same step are known before they do. */
static void settle(trm_thinker *t, int place) {
  thought *th = &t->places[place];
  if (!th->taken || th->finished) return;
  for (int i = 0; i < th->begun && th->left && is_abreast(t); i++) {
    const trm__try *one = &t->of[(int64_t)place * t->slots + i];
    if (one->done && (t->how.verify ? one->accepted : one->passed))
      end_others(t, place, one->steps);
  }
  if (th->left || search_on(t, place)) return;
  th->finished = true;
  t->done[t->n_done++] = place;
}

trm_status trm_thinker_step(trm_thinker *t, trm_error *err) {
  trm_queue_answer a;
  TRM_TRY(trm_queue_step(t->queue, err));
  if (t->single) return TRM_OK;
  for (int i = 0; t->before && trm_queue_look(t->queue, i, &a); i++) measure(t, &a);
  if (t->how.verify) end_accepted(t);
  while (trm_queue_take(t->queue, &a)) {
    measure(t, &a);
    keep_try(t, &a);
  }
  for (int place = 0; place < t->n_places; place++) settle(t, place);
  return TRM_OK;
}

/* --- what is known --- */

bool trm_thinker_look(const trm_thinker *t, int i, trm_queue_answer *out) {
  return t->single && trm_queue_look(t->queue, i, out);
}

static trm_queue_answer answer_of(trm_thinker *t, int place, trm_choice *choice) {
  const int64_t S = t->S, logits = S * t->V, first = (int64_t)place * t->slots;
  const thought *th = &t->places[place];
  const trm__try *tries = t->of + first;

  /* Of the tries, of the runs of a search, or what there was before it. */
  const bool in_vain = th->round > 0 && !any_accepted(t, place);
  const int slot = in_vain ? t->tries : trm__choose(t->how.select, th->begun, t->S, tries);
  const trm__try *one = &tries[slot];
  trm_queue_answer a = {.place = place,
                        .done = true,
                        .row = -1,
                        .steps = th->steps,
                        .halted = one->passed,
                        .margin = one->margin,
                        .inputs = t->inputs + place * S,
                        .answer = one->answer,
                        .q_halt = one->q_halt,
                        .q_continue = one->q_continue};
  if (t->logits) a.logits = (const float *)(const void *)(t->kept + (first + slot) * logits);
  if (t->votes && th->round == 0 && !one->accepted) {
    trm__vote_count(t->S, t->V, t->votes + place * logits, t->asked);
    a.answer = t->asked;
  }
  *choice = (trm_choice){.tries = t->tries,
                         .chosen = in_vain ? th->best : slot,
                         .accepted = one->accepted,
                         .searched = th->round ? th->first + th->begun : 0};
  choice->agree = in_vain ? th->agree : trm__choose_agree(th->begun, t->S, tries, a.answer);
  return a;
}

bool trm_thinker_take(trm_thinker *t, trm_queue_answer *out, trm_choice *choice) {
  trm_choice unasked;
  if (!choice) choice = &unasked;
  if (t->single) {
    *choice = (trm_choice){.tries = 1, .agree = 1};
    return trm_queue_take(t->queue, out);
  }
  if (t->n_done == 0) return false;
  const int place = t->done[0];
  memmove(t->done, t->done + 1, (size_t)--t->n_done * sizeof *t->done);
  *out = answer_of(t, place, choice);
  t->places[place].taken = false;
  t->free[t->n_free++] = place;
  return true;
}
