/* One table of element types; elements are read and written as they lie in memory. */
#include "io/dtype.h"

#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "elements are read and written as they lie in memory: little-endian"
#endif

static float float_of_f64(const unsigned char *p) {
  double v;
  memcpy(&v, p, sizeof v);
  return (float)v;
}

static float float_of_bits(uint32_t bits) {
  float v;
  memcpy(&v, &bits, sizeof v);
  return v;
}

static float float_of_f32(const unsigned char *p) {
  float v;
  memcpy(&v, p, sizeof v);
  return v;
}

static float float_of_bf16(const unsigned char *p) {
  return float_of_bits((uint32_t)(p[0] | p[1] << 8) << 16);
}

static float float_of_f16(const unsigned char *p) {
  const uint32_t h = (uint32_t)(p[0] | p[1] << 8);
  const uint32_t sign = (h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 0x3FF;
  if (exponent == 31) return float_of_bits(sign | 0x7F800000 | fraction << 13);
  if (exponent == 0) { /* zero and subnormals: fraction * 2^-24 */
    const float v = (float)fraction * 0x1p-24f;
    return sign ? -v : v;
  }
  return float_of_bits(sign | (exponent + 127 - 15) << 23 | fraction << 13);
}

static const struct element_type {
  const char *name;
  size_t size;
  float (*as_float)(const unsigned char *); /* NULL: no float type */
} types[TRM__N_DTYPES] = {
    [TRM__F64] = {"F64", 8, float_of_f64},
    [TRM__I64] = {"I64", 8, NULL},
    [TRM__F32] = {"F32", 4, float_of_f32},
    [TRM__I32] = {"I32", 4, NULL},
    [TRM__BF16] = {"BF16", 2, float_of_bf16},
    [TRM__F16] = {"F16", 2, float_of_f16},
    [TRM__I16] = {"I16", 2, NULL},
    [TRM__U8] = {"U8", 1, NULL},
    [TRM__I8] = {"I8", 1, NULL},
    [TRM__BOOL] = {"BOOL", 1, NULL},
};

const char *trm__dtype_name(trm__dtype dtype) {
  return types[dtype].name;
}
size_t trm__dtype_size(trm__dtype dtype) {
  return types[dtype].size;
}
bool trm__dtype_is_float(trm__dtype dtype) {
  return types[dtype].as_float != NULL;
}

void trm__dtype_to_float(trm__dtype dtype, const void *data, int64_t stride, int64_t n,
                         float *out) {
  const struct element_type *type = &types[dtype];
  const unsigned char *p = data;
  const size_t step = (size_t)stride * type->size;
  for (int64_t i = 0; i < n; i++) out[i] = type->as_float(p + (size_t)i * step);
}

static uint16_t bf16_of(float v) {
  uint32_t bits;
  memcpy(&bits, &v, sizeof bits);
  if ((bits & 0x7FFFFFFF) > 0x7F800000) return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

void trm__dtype_from_float(trm__dtype dtype, const float *values, int64_t n, void *out) {
  unsigned char *p = out;
  if (dtype == TRM__F32) {
    memcpy(out, values, (size_t)n * sizeof *values);
    return;
  }
  for (int64_t i = 0; i < n; i++) {
    const uint16_t v = bf16_of(values[i]);
    memcpy(p + 2 * i, &v, sizeof v);
  }
}
