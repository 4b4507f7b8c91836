/* NumPy's legacy generator (numpy.random.seed and the functions beside it), number for number: a
 * Mersenne Twister (Matsumoto and Nishimura 1998) and NumPy's way from its words to ranges. Data
 * sets of the reference are drawn with it; nothing else should be, see base/rng.h. */
#ifndef TRM_BASE_MT19937_H
#define TRM_BASE_MT19937_H

#include <stdint.h>

enum { TRM__MT19937_WORDS = 624 };

typedef struct trm__mt19937 {
  uint32_t word[TRM__MT19937_WORDS];
  int used; /* words of the present round already handed out */
} trm__mt19937;

/* numpy.random.seed(seed) */
void trm__mt19937_seed(trm__mt19937 *mt, uint32_t seed);
uint32_t trm__mt19937_u32(trm__mt19937 *mt);
/* numpy.random.randint(0, n), n >= 1; draws nothing for n = 1. */
uint32_t trm__mt19937_below(trm__mt19937 *mt, uint32_t n);
/* numpy.random.shuffle of n < 2^32 values; numpy.random.permutation of an array is the same on a
 * copy. */
void trm__mt19937_shuffle(trm__mt19937 *mt, int32_t *v, int64_t n);
void trm__mt19937_shuffle_bytes(trm__mt19937 *mt, uint8_t *v, int n);

#endif
