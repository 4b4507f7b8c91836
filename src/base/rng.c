/* Sequences of Philox's blocks (philox.h), one after the other. */
#include "base/rng.h"

#include "base/philox.h"

enum { WORDS = 4 };

trm__rng trm__rng_at(uint64_t seed, trm__purpose purpose, uint64_t step, uint32_t row) {
  const trm__philox_words c = trm__philox_counter(purpose, step, row, 0);
  return (trm__rng){.key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
                    .counter = {c.at[0], c.at[1], c.at[2], c.at[3]},
                    .used = WORDS};
}

static void fill_block(trm__rng *r) {
  const uint32_t *c = r->counter;
  const trm__philox_words block =
      trm__philox(r->key[0], r->key[1], (trm__philox_words){{c[0], c[1], c[2], c[3]}});
  for (int i = 0; i < WORDS; i++) r->block[i] = block.at[i];
  r->counter[0]++;
  r->used = 0;
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
  const uint32_t low = trm__rng_u32(r);
  return trm__philox_uniform(low, trm__rng_u32(r));
}

void trm__rng_shuffle(trm__rng *r, int32_t *v, int64_t n) {
  for (int64_t i = n - 1; i > 0; i--) {
    const int64_t j = trm__rng_below(r, (uint32_t)(i + 1));
    const int32_t t = v[i];
    v[i] = v[j];
    v[j] = t;
  }
}
