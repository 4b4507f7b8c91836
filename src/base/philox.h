/* Philox4x32-10 (Salmon et al. 2011): ten rounds of multiply and exchange turn a key and a counter
 * into four words. Plain C that a GPU's compiler takes, too, so that a device draws what the host
 * would; sequences and purposes are in rng.h. */
#ifndef TRM_BASE_PHILOX_H
#define TRM_BASE_PHILOX_H

#include <math.h>
#include <stdint.h>

/* Of functions that are written once for the host and for devices. */
#ifdef __CUDACC__
#define TRM__EVERYWHERE static __host__ __device__ inline
#else
#define TRM__EVERYWHERE static inline
#endif

typedef struct trm__philox_words {
  uint32_t at[4];
} trm__philox_words;

/* Multipliers, and increments of the key (the golden ratio and sqrt(3) - 1 as fractions of 2^32),
 * are those of the paper (table 2 and section 3.2). */
TRM__EVERYWHERE trm__philox_words trm__philox(uint32_t k0, uint32_t k1, trm__philox_words c) {
  for (int round = 0; round < 10; round++) {
    const uint64_t p0 = (uint64_t)0xD2511F53 * c.at[0], p1 = (uint64_t)0xCD9E8D57 * c.at[2];
    c.at[0] = (uint32_t)(p1 >> 32) ^ c.at[1] ^ k0;
    c.at[1] = (uint32_t)p1;
    c.at[2] = (uint32_t)(p0 >> 32) ^ c.at[3] ^ k1;
    c.at[3] = (uint32_t)p0;
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return c;
}

/* Counter of a block of a sequence. Word 0: the running block, word 1: the row, word 2: the low
 * half of the step, word 3: the next 24 bits of the step below 8 bits of purpose. So two sequences
 * share no block while steps are below 2^56 and a sequence is shorter than 2^34 words. */
TRM__EVERYWHERE trm__philox_words trm__philox_counter(uint32_t purpose, uint64_t step, uint32_t row,
                                                      uint32_t block) {
  trm__philox_words c;
  c.at[0] = block;
  c.at[1] = row;
  c.at[2] = (uint32_t)step;
  c.at[3] = (purpose << 24) | ((uint32_t)(step >> 32) & 0xFFFFFF);
  return c;
}

/* Two words in (0, 1): odd multiples of 2^-53, exact in a double, and neither 0 nor 1 can occur. */
TRM__EVERYWHERE double trm__philox_uniform(uint32_t low, uint32_t high) {
  const uint64_t both = low | (uint64_t)high << 32;
  return (double)(both >> 11 | 1) * 1.1102230246251565e-16;
}

/* Four words as two of N(0, 1), by Box and Muller: a length and a direction. */
TRM__EVERYWHERE void trm__philox_normals(trm__philox_words w, double v[2]) {
  const double length = sqrt(-2 * log(trm__philox_uniform(w.at[0], w.at[1])));
  const double angle = 6.28318530717958648 * trm__philox_uniform(w.at[2], w.at[3]);
  v[0] = length * cos(angle);
  v[1] = length * sin(angle);
}

#endif
