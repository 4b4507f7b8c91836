/* Philox4x32-10: ten rounds of multiply and exchange turn (key, counter) into four words.
 *
 * Key: the seed. Counter: word 0 the running block, word 1 the row, word 2 the low half of
 * the step, word 3 the next 24 bits of the step below 8 bits of purpose. So two streams
 * share no block while steps are below 2^56 and a stream is shorter than 2^34 words. */
#include "base/rng.h"

#include <math.h>

enum { N_ROUNDS = 10, WORDS = 4 };

/* Multipliers and key increments of the paper (table 2 and section 3.2: the golden ratio
 * and sqrt(3) - 1 as fractions of 2^32). */
static const uint32_t mul0 = 0xD2511F53, mul1 = 0xCD9E8D57;
static const uint32_t weyl0 = 0x9E3779B9, weyl1 = 0xBB67AE85;

static void fill_block(trm__rng *r) {
  uint32_t k0 = r->key[0], k1 = r->key[1];
  uint32_t c0 = r->counter[0], c1 = r->counter[1], c2 = r->counter[2], c3 = r->counter[3];
  for (int round = 0; round < N_ROUNDS; round++) {
    const uint64_t p0 = (uint64_t)mul0 * c0, p1 = (uint64_t)mul1 * c2;
    c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    c1 = (uint32_t)p1;
    c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c3 = (uint32_t)p0;
    k0 += weyl0;
    k1 += weyl1;
  }
  r->block[0] = c0;
  r->block[1] = c1;
  r->block[2] = c2;
  r->block[3] = c3;
  r->counter[0]++;
  r->used = 0;
}

trm__rng trm__rng_at(uint64_t seed, trm__purpose purpose, uint64_t step, uint32_t row) {
  trm__rng r = {.key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
                .counter = {0, row, (uint32_t)step,
                            ((uint32_t)purpose << 24) | ((uint32_t)(step >> 32) & 0xFFFFFF)},
                .used = WORDS};
  return r;
}

uint32_t trm__rng_u32(trm__rng *r) {
  if (r->used >= WORDS) fill_block(r);
  return r->block[r->used++];
}

uint64_t trm__rng_u64(trm__rng *r) {
  const uint64_t low = trm__rng_u32(r);
  return low | (uint64_t)trm__rng_u32(r) << 32;
}

uint32_t trm__rng_below(trm__rng *r, uint32_t n) {
  /* The high word of n * u is uniform once the 2^32 mod n smallest low words are refused. */
  uint64_t product = (uint64_t)n * trm__rng_u32(r);
  if ((uint32_t)product < n) {
    const uint32_t refused = (0u - n) % n;
    while ((uint32_t)product < refused) product = (uint64_t)n * trm__rng_u32(r);
  }
  return (uint32_t)(product >> 32);
}

double trm__rng_uniform(trm__rng *r) {
  /* Odd multiples of 2^-53: exact in a double, and neither 0 nor 1 can occur. */
  return (double)(trm__rng_u64(r) >> 11 | 1) * 0x1p-53;
}

/* Box and Muller: a length and a direction. */
void trm__rng_normals(trm__rng *r, double v[2]) {
  const double length = sqrt(-2 * log(trm__rng_uniform(r)));
  const double angle = 6.28318530717958648 * trm__rng_uniform(r);
  v[0] = length * cos(angle);
  v[1] = length * sin(angle);
}

void trm__rng_seek(trm__rng *r, uint32_t block) {
  r->counter[0] = block;
  r->used = WORDS;
}

void trm__rng_shuffle(trm__rng *r, int32_t *v, int64_t n) {
  for (int64_t i = n - 1; i > 0; i--) {
    const int64_t j = trm__rng_below(r, (uint32_t)(i + 1));
    const int32_t t = v[i];
    v[i] = v[j];
    v[j] = t;
  }
}
