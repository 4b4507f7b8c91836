/* Batches for the training loop. Where the processor only waits for a GPU, a thread builds the next
 * batch meanwhile, all its rows, since which of them will be wanted is not known yet; else the
 * wanted rows are built when they are asked for. The batches are the same either way. */
#include <pthread.h>
#include <stdlib.h>

#include "cli/run/train.h"

/* One block of memory with a batch, and the stream's position behind it. */
typedef struct slot {
  int32_t *inputs;
  trm_batch batch;
  int64_t position;
} slot;

struct train_ahead {
  trm_stream *stream;
  slot slots[2];
  int at;     /* the slot handed out last */
  bool ahead; /* whether there is a thread */
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t change;
  bool wanted, ready, over; /* of the other slot */
};

static void build(train_ahead *a, slot *s, const uint8_t *wants) {
  trm_stream_next(a->stream, wants, s->inputs, (int32_t *)(void *)s->batch.labels,
                  (int32_t *)(void *)s->batch.puzzle_ids);
  s->position = trm_stream_position(a->stream);
}

static void *work(void *arg) {
  train_ahead *a = arg;
  pthread_mutex_lock(&a->lock);
  for (;;) {
    while (!a->wanted && !a->over) pthread_cond_wait(&a->change, &a->lock);
    if (a->over) break;
    slot *s = &a->slots[1 - a->at];
    pthread_mutex_unlock(&a->lock);
    build(a, s, NULL);
    pthread_mutex_lock(&a->lock);
    a->wanted = false;
    a->ready = true;
    pthread_cond_signal(&a->change);
  }
  pthread_mutex_unlock(&a->lock);
  return NULL;
}

trm_status train_ahead_create(trm_stream *stream, int rows, int len, bool ahead, train_ahead **out,
                              trm_error *err) {
  size_t n = (size_t)rows, cells = n * (size_t)len;
  train_ahead *a = calloc(1, sizeof *a);
  if (!a) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for a batch");
  a->stream = stream;
  bool memory = true;
  for (int i = 0; i < 2; i++) {
    slot *s = &a->slots[i];
    s->inputs = calloc(2 * cells + n, sizeof *s->inputs);
    memory = memory && s->inputs;
    if (s->inputs) s->batch = (trm_batch){s->inputs, s->inputs + cells, s->inputs + 2 * cells};
  }
  pthread_mutex_init(&a->lock, NULL);
  pthread_cond_init(&a->change, NULL);
  a->wanted = true;
  if (memory) a->ahead = ahead && pthread_create(&a->thread, NULL, work, a) == 0;
  *out = a;
  if (memory) return TRM_OK;
  train_ahead_free(a);
  *out = NULL;
  return cli_fail(err, TRM_E_MEMORY, -1, "no memory for a batch");
}

void train_ahead_free(train_ahead *a) {
  if (!a) return;
  if (a->ahead) {
    pthread_mutex_lock(&a->lock);
    a->over = true;
    pthread_cond_signal(&a->change);
    pthread_mutex_unlock(&a->lock);
    pthread_join(a->thread, NULL);
  }
  pthread_cond_destroy(&a->change);
  pthread_mutex_destroy(&a->lock);
  for (int i = 0; i < 2; i++) free(a->slots[i].inputs);
  free(a);
}

const trm_batch *train_ahead_next(train_ahead *a, const uint8_t *wants) {
  if (!a->ahead) {
    build(a, &a->slots[0], wants);
    return &a->slots[0].batch;
  }
  pthread_mutex_lock(&a->lock);
  while (!a->ready) pthread_cond_wait(&a->change, &a->lock);
  a->at = 1 - a->at;
  a->ready = false;
  a->wanted = true;
  pthread_cond_signal(&a->change);
  pthread_mutex_unlock(&a->lock);
  return &a->slots[a->at].batch;
}

int64_t train_ahead_position(const train_ahead *a) {
  return a->slots[a->at].position;
}
