/* Which kernel table runs: what the CPU has and the operating system saves, or TRM_ISA. */
#include <stdlib.h>
#include <string.h>

#include "base/os_machine.h"
#include "kernels/kernels.h"
#include "trm.h"

static bool runs_always(void) {
  return true;
}

#ifdef TRM__HAVE_X86
/* __builtin_cpu_supports also asks the operating system (XGETBV) whether it saves the registers. */
static bool runs_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
static bool runs_avx512(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && runs_avx2();
}
static bool runs_avx512_vnni(void) {
  return runs_avx512() && __builtin_cpu_supports("avx512vnni");
}
#ifndef TRM__NO_AVX_VNNI
static bool runs_avx_vnni(void) {
  return runs_avx2() && trm__os_has_avx_vnni();
}
#endif
static bool runs_avx512_bf16(void) {
  return runs_avx512() && __builtin_cpu_supports("avx512bf16");
}
#endif
#ifdef TRM__HAVE_AMX
static bool runs_amx_bf16(void) {
  return runs_avx512_bf16() && trm__os_grants_amx();
}
#endif

/* Best first. */
static const struct isa {
  const trm__kernels *kernels;
  bool (*runs)(void);
} isa_table[] = {
#ifdef TRM__HAVE_AMX
    {&trm__kernels_amx_bf16, runs_amx_bf16},
#endif
#ifdef TRM__HAVE_X86
    {&trm__kernels_avx512_bf16, runs_avx512_bf16},
    {&trm__kernels_avx512, runs_avx512},
    {&trm__kernels_avx2, runs_avx2},
#endif
#ifdef TRM__HAVE_NEON
    {&trm__kernels_neon_bf16, trm__os_has_arm_bf16},
    {&trm__kernels_neon, runs_always},
#endif
    {&TRM__KERNELS_ALWAYS, runs_always},
};
enum { ISA_COUNT = sizeof isa_table / sizeof *isa_table };

/* Instructions for int8 that not every machine of a set has. */
static const struct quicker {
  const trm__kernels *set;
  const trm__product *product;
  bool (*runs)(void);
} quicker_table[] = {
#ifdef TRM__HAVE_AMX
    {&trm__kernels_amx_bf16, &trm__int8_avx512_vnni, runs_avx512_vnni},
#endif
#ifdef TRM__HAVE_X86
    {&trm__kernels_avx512_bf16, &trm__int8_avx512_vnni, runs_avx512_vnni},
    {&trm__kernels_avx512, &trm__int8_avx512_vnni, runs_avx512_vnni},
#ifndef TRM__NO_AVX_VNNI /* the build says: its compiler does not know the instructions */
    {&trm__kernels_avx2, &trm__int8_avx_vnni, runs_avx_vnni},
#endif
#endif
#ifdef TRM__HAVE_NEON
    {&trm__kernels_neon_bf16, &trm__int8_neon_dot, trm__os_has_arm_dot},
    {&trm__kernels_neon, &trm__int8_neon_dot, trm__os_has_arm_dot},
#endif
    {NULL, NULL, NULL}};

int trm__int8_products(const trm__kernels *k, const trm__product *out[TRM__INT8_PRODUCTS]) {
  int n = 0;
  if (k->product[TRM_INT8].gemm) out[n++] = &k->product[TRM_INT8];
  for (const struct quicker *q = quicker_table; q->set; q++)
    if (q->set == k && q->runs()) out[n++] = q->product;
  return n;
}
const trm__product *trm__product_of(const trm__kernels *k, trm_dtype dtype) {
  const trm__product *int8[TRM__INT8_PRODUCTS];
  const int n = dtype == TRM_INT8 ? trm__int8_products(k, int8) : 0;
  if (dtype != TRM_INT8) return &k->product[dtype];
  return n > 0 ? int8[n - 1] : NULL;
}

trm_status trm__kernels_select(const trm__kernels **out, trm_error *err) {
  const char *force = getenv("TRM_ISA");
  for (int i = 0; i < ISA_COUNT; i++) {
    const struct isa *isa = &isa_table[i];
    if (force && *force && strcmp(force, isa->kernels->name) != 0) continue;
    if (isa->runs()) {
      *out = isa->kernels;
      return TRM_OK;
    }
    if (force && *force)
      TRM_FAIL(err, TRM_E_CONFIG,
               "TRM_ISA=%s: this CPU does not have it, or the system does not grant it", force);
  }
  char names[128] = "";
  for (int i = 0; i < ISA_COUNT; i++) {
    if (i > 0) strcat(names, ", ");
    strcat(names, isa_table[i].kernels->name);
  }
  TRM_FAIL(err, TRM_E_CONFIG, "TRM_ISA=%s is unknown; this build has %s", force, names);
}

int trm__kernels_runnable(const trm__kernels **out, int max) {
  int n = 0;
  for (int i = 0; i < ISA_COUNT && n < max; i++)
    if (isa_table[i].runs()) out[n++] = isa_table[i].kernels;
  return n;
}

const char *trm_isa(void) {
  const trm__kernels *k;
  return trm__kernels_select(&k, NULL) == TRM_OK ? k->name : "none";
}
