/* What body_int8.inc computes with beside simd.h: vectors of whole numbers and of their bytes. One
 * section per instruction set, as there. */
#ifndef TRM_KERNELS_SIMD_INT8_H
#define TRM_KERNELS_SIMD_INT8_H

#include "kernels/simd.h"

/* Products of int8 values are of solving on ordinary machines: pages are to stay small, and in
 * double there is nothing to round. */
#if defined(TRM_REAL_DOUBLE) || defined(TRM__SIMD_WASM) || defined(__wasm__)
#define TRM__NO_INT8
#else
/* VL of them, of 32 bits. */
typedef int32_t vq __attribute__((vector_size(4 * VL)));
typedef uint32_t vu __attribute__((vector_size(4 * VL)));
TRM__INLINE vf v_real(vq a) {
  return __builtin_convertvector(a, vf);
}

/* v_dot4: c + the sum of the four products of bytes in each lane. The bytes of a have no signs but
 * DOT4_OFFSET above them, or signs where that is 0; those of b have signs.
 * v_bytes: VL lanes of four bytes each, the lowest ones of the 4 VL values a, b, c, d in order. */
#if defined(TRM__SIMD_AVX512)
TRM__INLINE vq v_bytes(vf a, vf b, vf c, vf d) {
  __m512i r = _mm512_castsi128_si512(_mm512_cvtepi32_epi8(_mm512_castps_si512(a)));
  r = _mm512_inserti32x4(r, _mm512_cvtepi32_epi8(_mm512_castps_si512(b)), 1);
  r = _mm512_inserti32x4(r, _mm512_cvtepi32_epi8(_mm512_castps_si512(c)), 2);
  return (vq)_mm512_inserti32x4(r, _mm512_cvtepi32_epi8(_mm512_castps_si512(d)), 3);
}
#if defined(TRM__SIMD_VNNI)
enum { DOT4_OFFSET = 128 };
TRM__INLINE vq v_dot4(vq a, vq b, vq c) {
  return (vq)_mm512_dpbusd_epi32((__m512i)c, (__m512i)a, (__m512i)b);
}
#else
enum { DOT4_OFFSET = 0 };
/* Bytes as numbers of 16 bits, the even ones and the odd ones. */
TRM__INLINE vq v_dot4(vq a, vq b, vq c) {
  const __m512i x = (__m512i)a, y = (__m512i)b;
  const __m512i even = _mm512_madd_epi16(_mm512_srai_epi16(_mm512_slli_epi16(x, 8), 8),
                                         _mm512_srai_epi16(_mm512_slli_epi16(y, 8), 8));
  const __m512i odd = _mm512_madd_epi16(_mm512_srai_epi16(x, 8), _mm512_srai_epi16(y, 8));
  return c + (vq)even + (vq)odd;
}
#endif
#elif defined(TRM__SIMD_AVX2)
TRM__INLINE vq v_bytes(vf a, vf b, vf c, vf d) {
  const __m256i byte = _mm256_set1_epi32(255);
  const __m256i ab = _mm256_packus_epi32(_mm256_and_si256(_mm256_castps_si256(a), byte),
                                         _mm256_and_si256(_mm256_castps_si256(b), byte));
  const __m256i cd = _mm256_packus_epi32(_mm256_and_si256(_mm256_castps_si256(c), byte),
                                         _mm256_and_si256(_mm256_castps_si256(d), byte));
  return (vq)_mm256_permutevar8x32_epi32(_mm256_packus_epi16(ab, cd),
                                         _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}
#if defined(TRM__SIMD_VNNI)
enum { DOT4_OFFSET = 128 };
TRM__INLINE vq v_dot4(vq a, vq b, vq c) {
  return (vq)_mm256_dpbusd_avx_epi32((__m256i)c, (__m256i)a, (__m256i)b);
}
#else
enum { DOT4_OFFSET = 0 };
TRM__INLINE vq v_dot4(vq a, vq b, vq c) {
  const __m256i x = (__m256i)a, y = (__m256i)b;
  const __m256i even = _mm256_madd_epi16(_mm256_srai_epi16(_mm256_slli_epi16(x, 8), 8),
                                         _mm256_srai_epi16(_mm256_slli_epi16(y, 8), 8));
  const __m256i odd = _mm256_madd_epi16(_mm256_srai_epi16(x, 8), _mm256_srai_epi16(y, 8));
  return c + (vq)even + (vq)odd;
}
#endif
#elif defined(TRM__SIMD_NEON)
enum { DOT4_OFFSET = 0 };
TRM__INLINE vq v_bytes(vf a, vf b, vf c, vf d) {
  const uint16x8_t ab = vcombine_u16(vmovn_u32((uint32x4_t)a), vmovn_u32((uint32x4_t)b));
  const uint16x8_t cd = vcombine_u16(vmovn_u32((uint32x4_t)c), vmovn_u32((uint32x4_t)d));
  return (vq)vcombine_u8(vmovn_u16(ab), vmovn_u16(cd));
}
#if defined(__ARM_FEATURE_DOTPROD)
TRM__INLINE vq v_dot4(vq a, vq b, vq c) {
  return (vq)vdotq_s32((int32x4_t)c, (int8x16_t)b, (int8x16_t)a);
}
#else
TRM__INLINE vq v_dot4(vq a, vq b, vq c) {
  const int8x16_t x = (int8x16_t)a, y = (int8x16_t)b;
  const int32x4_t low = vpaddlq_s16(vmull_s8(vget_low_s8(x), vget_low_s8(y)));
  const int32x4_t high = vpaddlq_s16(vmull_s8(vget_high_s8(x), vget_high_s8(y)));
  return c + (vq)vpaddq_s32(low, high);
}
#endif
#else
enum { DOT4_OFFSET = 0 };
TRM__INLINE vq v_bytes(vf a, vf b, vf c, vf d) {
  const vf all[4] = {a, b, c, d};
  vu r = {0};
  for (int i = 0; i < 4 * VL; i++) r[i / 4] |= (((vu)all[i / VL])[i % VL] & 255) << (i % 4 * 8);
  return (vq)r;
}
TRM__INLINE vq v_dot4(vq a, vq b, vq c) {
  for (int i = 0; i < 32; i += 8)
    c += ((vq)((vu)a << (24 - i)) >> 24) * ((vq)((vu)b << (24 - i)) >> 24);
  return c;
}
#endif
#endif

#endif
