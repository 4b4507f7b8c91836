/* Batches for the training loop. Where the processor only waits for a GPU, a thread builds the next
 * batch meanwhile, all its rows, since which of them will be wanted is not known yet; else the
 * wanted rows are built when they are asked for. The batches are the same either way. */
#include "base/memory.h"
#include "base/os_thread.h"
#include "run/run_parts.h"

enum { STACK = 1 << 20 /* of the thread */ };

/* One block of memory with a batch, and the stream's position behind it. */
typedef struct slot {
  int32_t *inputs, *labels, *ids;
  trm_batch batch;
  int64_t position;
} slot;

/* Of the slot that was not handed out last: the thread is to build it, it is built, or the thread
 * is to end. */
enum { WANTED, READY, OVER };

struct trm__ahead {
  trm_stream *stream;
  slot slots[2];
  int at;     /* the slot handed out last */
  bool ahead; /* whether there is a thread */
  trm__os_thread thread;
  trm__os_bed bed;
  atomic_uint other;
};

static void build(trm__ahead *a, slot *s, const uint8_t *wants) {
  trm_stream_next(a->stream, wants, s->inputs, s->labels, s->ids);
  s->position = trm_stream_position(a->stream);
}

/* `at` changes only while the other slot is READY. */
static void *work(void *arg) {
  trm__ahead *a = arg;
  for (unsigned other; (other = atomic_load(&a->other)) != OVER;) {
    if (other == READY) {
      trm__os_sleep(&a->bed, &a->other, READY);
      continue;
    }
    build(a, &a->slots[1 - a->at], NULL);
    other = WANTED; /* or OVER by now, which stays */
    if (atomic_compare_exchange_strong(&a->other, &other, READY))
      trm__os_wake_all(&a->bed, &a->other);
  }
  return NULL;
}

trm_status trm__ahead_create(trm_stream *stream, int rows, int len, bool ahead, trm__ahead **out,
                             trm_error *err) {
  const uint64_t n = (uint64_t)rows, cells = n * (uint64_t)len;
  *out = NULL;
  trm__ahead *a;
  TRM_ALLOC(&a, 1, "a batch", err);
  a->stream = stream;

  /* Two batches: one that is used, and one that is built. */
  bool memory = true;
  for (int i = 0; i < 2; i++) {
    slot *s = &a->slots[i];
    s->inputs = trm__alloc(2 * cells + n, sizeof *s->inputs);
    memory = memory && s->inputs;
    if (!s->inputs) continue;
    s->labels = s->inputs + cells;
    s->ids = s->labels + cells;
    s->batch = (trm_batch){s->inputs, s->labels, s->ids};
  }
  if (!memory) {
    trm__ahead_free(a);
    TRM_FAIL(err, TRM_E_MEMORY, "no memory for a batch");
  }

  trm__os_bed_make(&a->bed);
  atomic_init(&a->other, WANTED);
  a->ahead = ahead && trm__os_thread_start(&a->thread, STACK, work, a) == 0;
  *out = a;
  return TRM_OK;
}

void trm__ahead_free(trm__ahead *a) {
  if (!a) return;
  if (a->ahead) {
    atomic_store(&a->other, OVER);
    trm__os_wake_all(&a->bed, &a->other);
    trm__os_thread_join(a->thread);
  }
  for (int i = 0; i < 2; i++) trm__free(a->slots[i].inputs);
  trm__free(a);
}

const trm_batch *trm__ahead_next(trm__ahead *a, const uint8_t *wants) {
  if (!a->ahead) {
    build(a, &a->slots[0], wants);
    return &a->slots[0].batch;
  }
  while (atomic_load(&a->other) != READY) trm__os_sleep(&a->bed, &a->other, WANTED);
  a->at = 1 - a->at;
  atomic_store(&a->other, WANTED);
  trm__os_wake_all(&a->bed, &a->other);
  return &a->slots[a->at].batch;
}

trm_status trm__ahead_change(trm__ahead *a, const trm_run_listener *by, int64_t update,
                             const uint8_t *wants, trm_error *err) {
  const slot *s = &a->slots[a->at];
  trm_error cause = {0};
  if (!by->batch) return TRM_OK;
  const trm_status st = by->batch(by->arg, update, wants, s->inputs, s->labels, s->ids, &cause);
  if (st == TRM_OK) return st;
  return trm__fail(err, st, cause.pos, "%s", cause.msg[0] ? cause.msg : "a batch was refused");
}

int64_t trm__ahead_position(const trm__ahead *a) {
  return a->slots[a->at].position;
}
