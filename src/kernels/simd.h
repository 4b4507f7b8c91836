/* The vector type of the kernel bodies: `vf`, VL values of `real`. One section per instruction set,
 * chosen by the file that includes it; the rest of the kernels knows no intrinsics. Where the
 * instruction set multiplies bfloat16 (TRM__SIMD_BF16), a `vf` may also carry VL pairs of such
 * values, as bits. */
#ifndef TRM_KERNELS_SIMD_H
#define TRM_KERNELS_SIMD_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernels/real.h"
#include "kernels/watched.h"

/* Before a loop of at most 16 rounds that are known when it is compiled: none is left of it, and
 * what it works on stays in registers. Clang puts off what a number asks for that is not the loop's
 * own, and by then an array is memory for good. */
#if defined(__clang__)
#define TRM__UNROLLED _Pragma("clang loop unroll(full)")
#else
#define TRM__UNROLLED _Pragma("GCC unroll 16")
#endif

#if defined(TRM__SIMD_AVX512)
#include <immintrin.h>
enum { VL = 16, MR = 14 };
typedef __m512 vf;
typedef __m512i vi;
TRM__INLINE vf v_load(const real *p) {
  return _mm512_loadu_ps(p);
}
TRM__INLINE void v_store(real *p, vf a) {
  _mm512_storeu_ps(p, a);
}
TRM__INLINE __mmask16 v_mask(int n) {
  return (__mmask16)((1u << n) - 1u);
}
TRM__INLINE vf v_loadn(const real *p, int n) {
  return _mm512_maskz_loadu_ps(v_mask(n), p);
}
TRM__INLINE void v_storen(real *p, vf a, int n) {
  _mm512_mask_storeu_ps(p, v_mask(n), a);
}
TRM__INLINE vf v_set(real x) {
  return _mm512_set1_ps(x);
}
TRM__INLINE vf v_fma(vf a, vf b, vf c) {
  return _mm512_fmadd_ps(a, b, c);
}
TRM__INLINE vf v_max(vf a, vf b) {
  return _mm512_max_ps(a, b);
}
TRM__INLINE vf v_min(vf a, vf b) {
  return _mm512_min_ps(a, b);
}
TRM__INLINE vf v_sqrt(vf a) {
  return _mm512_sqrt_ps(a);
}
TRM__INLINE vf v_abs(vf a) {
  return _mm512_abs_ps(a);
}
/* Without optimisation it is a macro of the compiler's, which gives its mask a sign. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
TRM__INLINE vf v_round(vf a) {
  return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT);
}
#pragma GCC diagnostic pop
/* 2^n for integral n in [-126, 127] */
TRM__INLINE vf v_pow2(vf n) {
  vi e = _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127));
  return _mm512_castsi512_ps(_mm512_slli_epi32(e, 23));
}
/* a 2^n for integral n */
TRM__INLINE vf v_scale2(vf a, vf n) {
  return _mm512_scalef_ps(a, n);
}
/* About 1 / a, to 2^-14 of its value */
TRM__INLINE vf v_recip(vf a) {
  return _mm512_rcp14_ps(a);
}
/* a > b ? x : y */
TRM__INLINE vf v_select_gt(vf a, vf b, vf x, vf y) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_GT_OQ), y, x);
}
TRM__INLINE vf v_copysign(vf mag, vf sign) {
  return _mm512_castsi512_ps(_mm512_ternarylogic_epi32(_mm512_set1_epi32((int)0x80000000u),
                                                       _mm512_castps_si512(sign),
                                                       _mm512_castps_si512(mag), 0xCA));
}

/* a0 b0 a1 b1 … of the lower and the upper halves */
TRM__INLINE vf v_zip_lo(vf a, vf b) {
  return _mm512_permutex2var_ps(
      a, _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23), b);
}
TRM__INLINE vf v_zip_hi(vf a, vf b) {
  return _mm512_permutex2var_ps(
      a, _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31), b);
}

TRM__INLINE vf v_round_bf16(vf a) {
  vi u = _mm512_castps_si512(a);
  vi odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
  vi up = _mm512_add_epi32(u, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  vf r = _mm512_castsi512_ps(_mm512_and_si512(up, _mm512_set1_epi32((int)0xffff0000u)));
  return _mm512_mask_mov_ps(r, _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q), a);
}
#if defined(TRM__SIMD_BF16)
/* Units of two bfloat16 values, the earlier along the depth in the high half: the instruction adds
 * the product of the low halves last, so a sum keeps the order of the depth. */
TRM__INLINE vf v_dot(vf a, vf b, vf c) {
  return _mm512_dpbf16_ps(c, (__m512bh)a, (__m512bh)b);
}
/* Lane i: a[i], then b[i]. */
TRM__INLINE vf v_pair_rows(vf a, vf b) {
  const vi order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8,
                                    23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_castsi512_ps(_mm512_permutexvar_epi16(order, (vi)_mm512_cvtne2ps_pbh(a, b)));
}
/* The a and the b of v_pair_rows, as rounded. */
TRM__INLINE vf v_pair_first(vf u) {
  return _mm512_castsi512_ps(
      _mm512_and_si512(_mm512_castps_si512(u), _mm512_set1_epi32((int)0xffff0000u)));
}
TRM__INLINE vf v_pair_second(vf u) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(u), 16));
}
/* Lane i: values 2 i and 2 i + 1 of the 32 values a, b. */
TRM__INLINE vf v_pair_along(vf a, vf b) {
  return _mm512_castsi512_ps(_mm512_rol_epi32((vi)_mm512_cvtne2ps_pbh(b, a), 16));
}
#endif

#elif defined(TRM__SIMD_AVX2)
#include <immintrin.h>
enum { VL = 8, MR = 6 };
typedef __m256 vf;
typedef __m256i vi;
TRM__INLINE vf v_load(const real *p) {
  return _mm256_loadu_ps(p);
}
TRM__INLINE void v_store(real *p, vf a) {
  _mm256_storeu_ps(p, a);
}
TRM__INLINE vi v_mask(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
TRM__INLINE vf v_loadn(const real *p, int n) {
  return _mm256_maskload_ps(p, v_mask(n));
}
TRM__INLINE void v_storen(real *p, vf a, int n) {
  _mm256_maskstore_ps(p, v_mask(n), a);
}
TRM__INLINE vf v_set(real x) {
  return _mm256_set1_ps(x);
}
TRM__INLINE vf v_fma(vf a, vf b, vf c) {
  return _mm256_fmadd_ps(a, b, c);
}
TRM__INLINE vf v_max(vf a, vf b) {
  return _mm256_max_ps(a, b);
}
TRM__INLINE vf v_min(vf a, vf b) {
  return _mm256_min_ps(a, b);
}
TRM__INLINE vf v_sqrt(vf a) {
  return _mm256_sqrt_ps(a);
}
TRM__INLINE vf v_abs(vf a) {
  return _mm256_and_ps(a, _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff)));
}
TRM__INLINE vf v_round(vf a) {
  return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
TRM__INLINE vf v_pow2(vf n) {
  vi e = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
  return _mm256_castsi256_ps(_mm256_slli_epi32(e, 23));
}
TRM__INLINE vf v_select_gt(vf a, vf b, vf x, vf y) {
  return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_GT_OQ));
}
TRM__INLINE vf v_copysign(vf mag, vf sign) {
  vf bit = _mm256_castsi256_ps(_mm256_set1_epi32((int)0x80000000u));
  return _mm256_or_ps(_mm256_and_ps(bit, sign), _mm256_andnot_ps(bit, mag));
}
TRM__INLINE vf v_zip_lo(vf a, vf b) {
  return _mm256_permute2f128_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b), 0x20);
}
TRM__INLINE vf v_zip_hi(vf a, vf b) {
  return _mm256_permute2f128_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b), 0x31);
}

TRM__INLINE vf v_round_bf16(vf a) {
  vi u = _mm256_castps_si256(a);
  vi odd = _mm256_and_si256(_mm256_srli_epi32(u, 16), _mm256_set1_epi32(1));
  vi up = _mm256_add_epi32(u, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  vf r = _mm256_castsi256_ps(_mm256_and_si256(up, _mm256_set1_epi32((int)0xffff0000u)));
  return _mm256_blendv_ps(r, a, _mm256_cmp_ps(a, a, _CMP_UNORD_Q));
}

#elif defined(TRM__SIMD_NEON)
#include <arm_neon.h>
enum { VL = 4, MR = 8 };
typedef float32x4_t vf;
TRM__INLINE vf v_load(const real *p) {
  return vld1q_f32(p);
}
TRM__INLINE void v_store(real *p, vf a) {
  vst1q_f32(p, a);
}
TRM__INLINE vf v_loadn(const real *p, int n) { /* no masks here: by halves and single values */
  if (n == VL) return vld1q_f32(p);
  float32x2_t zero = vdup_n_f32(0), lo = n >= 2 ? vld1_f32(p) : vld1_lane_f32(p, zero, 0);
  return vcombine_f32(lo, n == 3 ? vld1_lane_f32(p + 2, zero, 0) : zero);
}
TRM__INLINE void v_storen(real *p, vf a, int n) {
  if (n == VL) {
    vst1q_f32(p, a);
    return;
  }
  if (n >= 2)
    vst1_f32(p, vget_low_f32(a));
  else
    vst1q_lane_f32(p, a, 0);
  if (n == 3) vst1q_lane_f32(p + 2, a, 2);
}
TRM__INLINE vf v_set(real x) {
  return vdupq_n_f32(x);
}
TRM__INLINE vf v_fma(vf a, vf b, vf c) {
  return vfmaq_f32(c, a, b);
}
TRM__INLINE vf v_max(vf a, vf b) { /* NaN in either stays */
  return vmaxq_f32(a, b);
}
TRM__INLINE vf v_min(vf a, vf b) {
  return vminq_f32(a, b);
}
TRM__INLINE vf v_sqrt(vf a) {
  return vsqrtq_f32(a);
}
TRM__INLINE vf v_abs(vf a) {
  return vabsq_f32(a);
}
TRM__INLINE vf v_round(vf a) {
  return vrndnq_f32(a);
}
TRM__INLINE vf v_pow2(vf n) {
  int32x4_t e = vaddq_s32(vcvtnq_s32_f32(n), vdupq_n_s32(127));
  return vreinterpretq_f32_s32(vshlq_n_s32(e, 23));
}
TRM__INLINE vf v_select_gt(vf a, vf b, vf x, vf y) {
  return vbslq_f32(vcgtq_f32(a, b), x, y);
}
TRM__INLINE vf v_copysign(vf mag, vf sign) {
  return vbslq_f32(vdupq_n_u32(0x80000000u), sign, mag);
}
TRM__INLINE vf v_zip_lo(vf a, vf b) {
  return vzip1q_f32(a, b);
}
TRM__INLINE vf v_zip_hi(vf a, vf b) {
  return vzip2q_f32(a, b);
}

TRM__INLINE vf v_round_bf16(vf a) {
  uint32x4_t u = vreinterpretq_u32_f32(a);
  uint32x4_t odd = vandq_u32(vshrq_n_u32(u, 16), vdupq_n_u32(1));
  uint32x4_t up = vaddq_u32(u, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
  up = vandq_u32(up, vdupq_n_u32(0xffff0000u));
  return vbslq_f32(vceqq_f32(a, a), vreinterpretq_f32_u32(up), a);
}
#if defined(TRM__SIMD_BF16)
/* a: one unit in all lanes. The instruction takes it from one lane, and adds the two products to
 * each other, then to the sum, each time rounding to odd: the order within a unit does not matter.
 */
TRM__INLINE vf v_dot(vf a, vf b, vf c) {
  const real unit = a[0];
  uint32_t bits;
  memcpy(&bits, &unit, sizeof bits);
  return vbfdotq_lane_f32(c, vreinterpretq_bf16_f32(b), vreinterpret_bf16_u64(vcreate_u64(bits)),
                          0);
}
TRM__INLINE vf v_pair_rows(vf a, vf b) {
  uint16x8_t lo = vreinterpretq_u16_bf16(vcvtq_low_bf16_f32(a));
  uint16x8_t hi = vreinterpretq_u16_bf16(vcvtq_low_bf16_f32(b));
  return vreinterpretq_f32_u16(vzip1q_u16(lo, hi));
}
TRM__INLINE vf v_pair_first(vf u) {
  return vreinterpretq_f32_u32(vshlq_n_u32(vreinterpretq_u32_f32(u), 16));
}
TRM__INLINE vf v_pair_second(vf u) {
  return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(u), vdupq_n_u32(0xffff0000u)));
}
TRM__INLINE vf v_pair_along(vf a, vf b) {
  return vreinterpretq_f32_bf16(vcvtq_high_bf16_f32(vcvtq_low_bf16_f32(a), b));
}
#endif

#elif defined(TRM__SIMD_WASM)
/* The bits of plain C: a product and a sum round each for itself (the fused ones of relaxed SIMD
 * are left to the engine, so that machines would differ), and of two numbers the same one is the
 * larger where one is NaN. */
#include <wasm_simd128.h>
enum { VL = 4, MR = 4 }; /* engines use 16 registers, and a product takes one until it is added */
typedef float vf __attribute__((vector_size(16)));
TRM__INLINE vf v_load(const real *p) {
  return (vf)wasm_v128_load(p);
}
TRM__INLINE void v_store(real *p, vf a) {
  wasm_v128_store(p, (v128_t)a);
}
TRM__INLINE vf v_loadn(const real *p, int n) { /* no masks here: by halves and single values */
  if (n == VL) return v_load(p);
  v128_t a = n >= 2 ? wasm_v128_load64_zero(p) : wasm_v128_load32_zero(p);
  return (vf)(n == 3 ? wasm_v128_load32_lane(p + 2, a, 2) : a);
}
TRM__INLINE void v_storen(real *p, vf a, int n) {
  if (n == VL) {
    v_store(p, a);
    return;
  }
  if (n >= 2)
    wasm_v128_store64_lane(p, (v128_t)a, 0);
  else
    wasm_v128_store32_lane(p, (v128_t)a, 0);
  if (n == 3) wasm_v128_store32_lane(p + 2, (v128_t)a, 2);
}
TRM__INLINE vf v_set(real x) {
  return (vf)wasm_f32x4_splat(x);
}
TRM__INLINE vf v_fma(vf a, vf b, vf c) {
  return a * b + c;
}
TRM__INLINE vf v_max(vf a, vf b) { /* a > b ? a : b */
  return (vf)wasm_f32x4_pmax((v128_t)b, (v128_t)a);
}
TRM__INLINE vf v_min(vf a, vf b) { /* a < b ? a : b */
  return (vf)wasm_f32x4_pmin((v128_t)b, (v128_t)a);
}
TRM__INLINE vf v_sqrt(vf a) {
  return (vf)wasm_f32x4_sqrt((v128_t)a);
}
TRM__INLINE vf v_abs(vf a) {
  return (vf)wasm_f32x4_abs((v128_t)a);
}
TRM__INLINE vf v_round(vf a) { /* |a| < 2^22; with the sign of zero that plain C gives it */
  const vf magic = v_set(12582912.0f);
  return (a + magic) - magic;
}
TRM__INLINE vf v_pow2(vf n) { /* of NaN anything: the other factor is one, too */
  const v128_t e = wasm_i32x4_shl((v128_t)(n + v_set(12582912.0f)), 23); /* n in the lowest bits */
  return (vf)wasm_i32x4_add(e, wasm_i32x4_splat(127 << 23));
}
TRM__INLINE vf v_select_gt(vf a, vf b, vf x, vf y) {
  return (vf)wasm_v128_bitselect((v128_t)x, (v128_t)y, wasm_f32x4_gt((v128_t)a, (v128_t)b));
}
TRM__INLINE vf v_copysign(vf mag, vf sign) {
  return (vf)wasm_v128_bitselect((v128_t)sign, (v128_t)mag, wasm_u32x4_splat(0x80000000u));
}
TRM__INLINE vf v_zip_lo(vf a, vf b) {
  return (vf)wasm_i32x4_shuffle((v128_t)a, (v128_t)b, 0, 4, 1, 5);
}
TRM__INLINE vf v_zip_hi(vf a, vf b) {
  return (vf)wasm_i32x4_shuffle((v128_t)a, (v128_t)b, 2, 6, 3, 7);
}
TRM__INLINE vf v_round_bf16(vf a) {
  const v128_t u = (v128_t)a, odd = wasm_v128_and(wasm_u32x4_shr(u, 16), wasm_u32x4_splat(1));
  v128_t up = wasm_i32x4_add(u, wasm_i32x4_add(odd, wasm_u32x4_splat(0x7fff)));
  up = wasm_v128_and(up, wasm_u32x4_splat(0xffff0000u));
  return (vf)wasm_v128_bitselect(up, u, wasm_f32x4_eq(u, u));
}

#else /* portable: four values by the compiler's vector extension; also the double build */
enum { VL = 4, MR = 4 };
typedef real vf __attribute__((vector_size(4 * sizeof(real))));
TRM__INLINE vf v_load(const real *p) {
  vf a;
  memcpy(&a, p, sizeof a);
  return a;
}
TRM__INLINE void v_store(real *p, vf a) {
  memcpy(p, &a, sizeof a);
}
TRM__INLINE vf v_loadn(const real *p, int n) {
  vf a = {0};
  for (int i = 0; i < n; i++) a[i] = p[i];
  return a;
}
TRM__INLINE void v_storen(real *p, vf a, int n) {
  for (int i = 0; i < n; i++) p[i] = a[i];
}
TRM__INLINE vf v_set(real x) {
  return (vf){x, x, x, x};
}
TRM__INLINE vf v_fma(vf a, vf b, vf c) {
  return a * b + c;
}
TRM__INLINE vf v_select_gt(vf a, vf b, vf x, vf y) {
  for (int i = 0; i < VL; i++) y[i] = a[i] > b[i] ? x[i] : y[i];
  return y;
}
TRM__INLINE vf v_max(vf a, vf b) {
  return v_select_gt(a, b, a, b);
}
TRM__INLINE vf v_min(vf a, vf b) {
  return v_select_gt(b, a, a, b);
} /* NaN in b stays */
TRM__INLINE vf v_sqrt(vf a) {
  for (int i = 0; i < VL; i++) a[i] = (real)sqrt((double)a[i]);
  return a;
}
TRM__INLINE vf v_abs(vf a) {
  for (int i = 0; i < VL; i++) a[i] = (real)fabs((double)a[i]);
  return a;
}
TRM__INLINE vf v_copysign(vf mag, vf sign) {
  for (int i = 0; i < VL; i++) mag[i] = (real)copysign((double)mag[i], (double)sign[i]);
  return mag;
}
TRM__INLINE vf v_round_bf16(vf a) {
  for (int i = 0; i < VL; i++) {
    float f = (float)a[i];
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    u = f == f ? (u + 0x7fff + (u >> 16 & 1)) & 0xffff0000u : u;
    memcpy(&f, &u, sizeof f);
    a[i] = f;
  }
  return a;
}
TRM__INLINE vf v_zip_lo(vf a, vf b) {
  return (vf){a[0], b[0], a[1], b[1]};
}
TRM__INLINE vf v_zip_hi(vf a, vf b) {
  return (vf){a[2], b[2], a[3], b[3]};
}
#ifndef TRM_REAL_DOUBLE
TRM__INLINE vf v_round(vf a) { /* |a| < 2^22 */
  vf magic = v_set(12582912.0f);
  return (a + magic) - magic;
}
TRM__INLINE vf v_pow2(vf n) {
  vf a;
  for (int i = 0; i < VL; i++) {
    uint32_t bits = (uint32_t)((n[i] == n[i] ? (int32_t)n[i] : 0) + 127) << 23;
    float f;
    memcpy(&f, &bits, sizeof f);
    a[i] = f;
  }
  return a;
}
#endif
#endif

enum { NR = 2 * VL }; /* columns of the register tile */

/* The loop over the depth of a product: rounds of steps between which it may end, and what stands
 * before it. V8, which compiles a module for the machine, moves the loads of steps that follow each
 * other without an end between them before the first sum, and then sums go to memory. */
#if defined(TRM__SIMD_WASM)
enum { DEPTH_ROUND = 4 };
#define TRM__ROUNDS_UNROLLED _Pragma("clang loop unroll(disable)")
#else
enum { DEPTH_ROUND = 1 };
#define TRM__ROUNDS_UNROLLED _Pragma("GCC unroll 4")
#endif

/* The first w lanes, w > 0; all when w >= VL. */
TRM__INLINE vf v_load_upto(const real *p, int w) {
  return w >= VL ? v_load(p) : v_loadn(p, w);
}
TRM__INLINE void v_store_upto(real *p, vf a, int w) {
  if (w >= VL)
    v_store(p, a);
  else
    v_storen(p, a, w);
}

/* The first w < VL lanes, zeros behind them. */
TRM__INLINE vf v_first(vf a, int w) {
  real t[VL];
  v_store(t, a);
  return v_loadn(t, w);
}

/* Sum of the lanes, always in the same order: upper half to lower half. */
#if defined(TRM__SIMD_AVX512)
TRM__INLINE real v_sum(vf a) {
  __m256 h = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
  __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
  q = _mm_add_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
}
#else
TRM__INLINE real v_sum(vf a) {
  real t[VL];
  v_store(t, a);
  for (int w = VL / 2; w > 0; w /= 2)
    for (int i = 0; i < w; i++) t[i] += t[i + w];
  return t[0];
}
#endif
TRM__INLINE real v_largest(vf a) {
  real t[VL], m;
  v_store(t, a);
  m = t[0];
  for (int i = 1; i < VL; i++) m = t[i] > m ? t[i] : m;
  return m;
}

/* Transposes a square of VL vectors: log2 VL rounds of perfect shuffles. */
TRM__INLINE void v_transpose(vf *a) {
  vf b[VL];
  TRM__UNROLLED
  for (int step = 1; step < VL; step *= 2) {
    TRM__UNROLLED
    for (int i = 0; i < VL / 2; i++) {
      b[2 * i] = v_zip_lo(a[i], a[i + VL / 2]);
      b[2 * i + 1] = v_zip_hi(a[i], a[i + VL / 2]);
    }
    TRM__UNROLLED
    for (int i = 0; i < VL; i++) a[i] = b[i];
  }
}

#ifdef TRM_REAL_DOUBLE
TRM__INLINE vf v_exp2(vf x) {
  for (int i = 0; i < VL; i++) x[i] = exp2(x[i]);
  return x;
}
TRM__INLINE vf v_atan2_pos(vf y, vf x) {
  for (int i = 0; i < VL; i++) y[i] = atan2(y[i], x[i]);
  return y;
}
#else
#if !defined(TRM__SIMD_AVX512)
TRM__INLINE vf v_scale2(vf a, vf n) {
  return a * v_pow2(n);
}
TRM__INLINE vf v_recip(vf a) {
  return v_set(1) / a;
}
#endif
/* 2^f for |f| <= 1/2 by the polynomial of degree 5 of least relative error, 7.5e-8. */
TRM__INLINE vf v_exp2_poly(vf f) {
  vf p = v_fma(v_set(1.3276472e-3f), f, v_set(9.6755413e-3f));
  p = v_fma(p, f, v_set(5.5507133e-2f));
  p = v_fma(p, f, v_set(2.4022120e-1f));
  p = v_fma(p, f, v_set(6.9314697e-1f));
  return v_fma(p, f, v_set(1.0f));
}
/* 2^x to 3 ulp, clamped to [-126, 126], where the result is a normal number. NaN stays NaN. */
TRM__INLINE vf v_exp2(vf x) {
  const vf magic = v_set(12582912.0f);                   /* 1.5 * 2^23 */
  vf c = v_min(v_set(126.0f), v_max(v_set(-126.0f), x)); /* NaN in the 2nd operand stays */
  vf n = (c + magic) - magic;
  return v_scale2(v_exp2_poly(c - n), n);
}
/* atan2(y, x) for x >= 0, to within 4 ulp: atan of the smaller over the larger by two argument
 * halvings' worth of an odd polynomial on [0, tan(pi/8)]. atan2(0, 0) = 0; (inf, inf) and NaN in x
 * give NaN. x is a square root, so either 0 or far above the smallest normal number, which as a
 * floor of the divisor keeps 0 / 0 away. */
TRM__INLINE vf v_atan2_pos(vf y, vf x) {
  vf ay = v_abs(y), big = v_max(ay, x), small = v_min(ay, x);
  vf t = small / v_max(big, v_set(1.17549435e-38f));
  /* above tan(pi/8): atan t = pi/4 + atan((t - 1) / (t + 1)) */
  vf edge = v_set(0.414213562373095f);
  vf z = v_select_gt(t, edge, (t - v_set(1.0f)) / (t + v_set(1.0f)), t);
  vf base = v_select_gt(t, edge, v_set(0.785398163397448f), v_set(0.0f));
  vf s = z * z;
  vf p = v_set(-1.0f / 15);
  p = v_fma(p, s, v_set(1.0f / 13));
  p = v_fma(p, s, v_set(-1.0f / 11));
  p = v_fma(p, s, v_set(1.0f / 9));
  p = v_fma(p, s, v_set(-1.0f / 7));
  p = v_fma(p, s, v_set(1.0f / 5));
  p = v_fma(p, s, v_set(-1.0f / 3));
  vf a = base + v_fma(p * s, z, z);
  a = v_select_gt(ay, x, v_set(1.57079632679489662f) - a, a);
  return v_copysign(a, y);
}
#endif

/* 1 / (1 + e^-x), NaN stays NaN: e^-x = 2^n 2^f with |f| <= 1/2, the second factor by the
 * polynomial of least relative error. v_sigmoid to 1e-6 of its value (degree 5: 7.5e-8), 2e-7 for
 * |x| < 8; v_sigmoid_bf16 to 1.4e-4 (degree 3), a small part of the rounding to bfloat16 that
 * follows. */
#ifdef TRM_REAL_DOUBLE
TRM__INLINE vf v_sigmoid(vf x) {
  return v_set(1) / (v_set(1) + v_exp2(x * v_set(-1.4426950408889634)));
}
TRM__INLINE vf v_sigmoid_bf16(vf x) {
  return v_sigmoid(x);
}
#else
/* -x log2 e = n + f */
TRM__INLINE vf v_sigmoid_split(vf x, vf *n) {
  const vf scale = v_set(-1.44269504088896341f), magic = v_set(12582912.0f); /* 1.5 * 2^23 */
  vf c = v_min(v_set(87.0f), v_max(v_set(-87.0f), x));
  vf t = v_fma(c, scale, magic);
  *n = t - magic;
  return v_fma(c, scale, magic - t);
}
TRM__INLINE vf v_sigmoid(vf x) {
  vf n, f = v_sigmoid_split(x, &n);
  return v_set(1) / (v_set(1) + v_scale2(v_exp2_poly(f), n));
}
TRM__INLINE vf v_sigmoid_bf16(vf x) {
  vf n, f = v_sigmoid_split(x, &n);
  vf p = v_fma(v_set(5.5171669e-2f), f, v_set(2.4261112e-1f));
  p = v_fma(p, f, v_set(6.9326099e-1f));
  p = v_fma(p, f, v_set(9.9992807e-1f));
  return v_recip(v_set(1) + v_scale2(p, n));
}
#endif

#endif
