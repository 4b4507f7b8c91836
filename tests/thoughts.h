/* Puzzles through a thinker: they go in while there is room for one, and answers come out as they
 * are done, in the order of the places that puzzles had. */
#ifndef TRM_TESTS_THOUGHTS_H
#define TRM_TESTS_THOUGHTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "trm.h"

enum { MOST_PLACES = 256, MOST_STEPS = 20000 /* else it hangs */ };

typedef struct thoughts {
  trm_thinker *thinker;
  const trm_queue_puzzle *puzzles; /* [n] */
  int n;
  int tries; /* of a puzzle: while some wait, fewer rows are free; 0: rows may be kept for others */
  /* What was taken last: */
  int puzzle;
  trm_queue_answer answer;
  trm_choice choice;
  /* How far it is. */
  int next, done, steps, of[MOST_PLACES];
} thoughts;

static inline void submit_thoughts(thoughts *r) {
  trm_thinker *t = r->thinker;
  for (; r->next < r->n && trm_thinker_room(t); r->next++) {
    int place;
    assert_int_equal(trm_thinker_submit(t, &r->puzzles[r->next], &place, NULL), TRM_OK);
    assert_in_range(place, 0, trm_thinker_places(t) - 1);
    assert_in_range(place, 0, MOST_PLACES - 1);
    r->of[place] = r->next;
  }
  if (r->tries && r->next < r->n)
    assert_in_range(trm_queue_room(trm_thinker_queue(t)), 0, r->tries - 1);
}

/* The next answer; false when there is none any more, and every row is free again. */
static inline bool next_thought(thoughts *r) {
  const trm_queue *q = trm_thinker_queue(r->thinker);
  while (!trm_thinker_take(r->thinker, &r->answer, &r->choice)) {
    if (r->done == r->n) {
      assert_int_equal(trm_thinker_busy(r->thinker), 0);
      assert_int_equal(trm_queue_room(q), trm_queue_places(q));
      return false;
    }
    submit_thoughts(r);
    assert_int_equal(trm_thinker_step(r->thinker, NULL), TRM_OK);
    assert_in_range(++r->steps, 1, MOST_STEPS);
  }
  assert_in_range(++r->done, 1, r->n);
  r->puzzle = r->of[r->answer.place];
  return true;
}

#endif
