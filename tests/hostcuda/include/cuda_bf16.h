/* bfloat16 as cuda_bf16.h has it, for tests/hostcuda: storage and conversions. */
#ifndef HOSTCUDA_CUDA_BF16_H
#define HOSTCUDA_CUDA_BF16_H

#include <stdint.h>
#include <string.h>

struct __nv_bfloat16 {
  uint16_t bits;
};
struct __nv_bfloat162 {
  __nv_bfloat16 x, y;
};

static inline float __bfloat162float(__nv_bfloat16 v) {
  const uint32_t bits = (uint32_t)v.bits << 16;
  float out;
  memcpy(&out, &bits, sizeof out);
  return out;
}
/* To nearest, ties to even; a NaN stays one. */
static inline __nv_bfloat16 __float2bfloat16(float v) {
  uint32_t bits;
  memcpy(&bits, &v, sizeof bits);
  if (v != v) return {(uint16_t)(bits >> 16 | 0x40)};
  return {(uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}
static inline __nv_bfloat16 __float2bfloat16_rn(float v) {
  return __float2bfloat16(v);
}
static inline __nv_bfloat162 __floats2bfloat162_rn(float x, float y) {
  return {__float2bfloat16(x), __float2bfloat16(y)};
}

#endif
