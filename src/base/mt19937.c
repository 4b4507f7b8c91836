/* See mt19937.h. Ranges are drawn by masked rejection: the low bits of a word, drawn anew until
 * they are in the range. */
#include "base/mt19937.h"

enum { SHIFT = 397 };

void trm__mt19937_seed(trm__mt19937 *mt, uint32_t seed) {
  /* Knuth, The Art of Computer Programming, vol. 2, 3rd ed., p. 106. */
  mt->word[0] = seed;
  for (uint32_t i = 1; i < TRM__MT19937_WORDS; i++)
    mt->word[i] = UINT32_C(1812433253) * (mt->word[i - 1] ^ mt->word[i - 1] >> 30) + i;
  mt->used = TRM__MT19937_WORDS;
}

static void next_round(trm__mt19937 *mt) {
  uint32_t *w = mt->word;
  for (int i = 0; i < TRM__MT19937_WORDS; i++) {
    uint32_t next = w[(i + 1) % TRM__MT19937_WORDS];
    uint32_t mixed = (w[i] & UINT32_C(0x80000000)) | (next & UINT32_C(0x7fffffff));
    w[i] =
        w[(i + SHIFT) % TRM__MT19937_WORDS] ^ mixed >> 1 ^ (mixed & 1 ? UINT32_C(0x9908b0df) : 0);
  }
  mt->used = 0;
}

uint32_t trm__mt19937_u32(trm__mt19937 *mt) {
  if (mt->used == TRM__MT19937_WORDS) next_round(mt);
  uint32_t y = mt->word[mt->used++];
  y ^= y >> 11;
  y ^= y << 7 & UINT32_C(0x9d2c5680);
  y ^= y << 15 & UINT32_C(0xefc60000);
  return y ^ y >> 18;
}

uint32_t trm__mt19937_below(trm__mt19937 *mt, uint32_t n) {
  uint32_t most = n - 1, mask = most, v;
  if (!most) return 0;
  for (int shift = 1; shift < 32; shift *= 2) mask |= mask >> shift;
  do v = trm__mt19937_u32(mt) & mask;
  while (v > most);
  return v;
}

void trm__mt19937_shuffle(trm__mt19937 *mt, int32_t *v, int64_t n) {
  for (int64_t i = n - 1; i > 0; i--) {
    int64_t j = trm__mt19937_below(mt, (uint32_t)i + 1);
    int32_t swapped = v[i];
    v[i] = v[j];
    v[j] = swapped;
  }
}

void trm__mt19937_shuffle_bytes(trm__mt19937 *mt, uint8_t *v, int n) {
  for (int i = n - 1; i > 0; i--) {
    uint32_t j = trm__mt19937_below(mt, (uint32_t)i + 1);
    uint8_t swapped = v[i];
    v[i] = v[j];
    v[j] = swapped;
  }
}
