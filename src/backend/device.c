/* Devices by name, and the plug-in behind those that are not the CPU. */
#include "trm/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/plugin.h"
#include "base/optional.h"
#include "base/os_file.h"
#include "base/os_library.h"
#include "trm/bench.h"

/* --- names ----------------------------------------------------------------------------------- */

enum { MOST_DEVICES = 1024 };

bool trm_device_from_name(const char *name, trm_device *out) {
  trm_device d = {TRM_DEVICE_CUDA, 0};
  if (!strcmp(name, "cpu")) {
    d.kind = TRM_DEVICE_CPU;
  } else if (!strcmp(name, "auto")) {
    d.kind = TRM_DEVICE_AUTO;
  } else if (strcmp(name, "cuda") != 0) {
    if (strncmp(name, "cuda:", 5) != 0 || name[5] < '0' || name[5] > '9') return false;
    char *end;
    unsigned long n = strtoul(name + 5, &end, 10);
    if (*end || n >= MOST_DEVICES) return false;
    d.index = (int)n;
  }
  *out = d;
  return true;
}

void trm_device_name(trm_device device, char *out, size_t n) {
  if (device.kind == TRM_DEVICE_CUDA)
    snprintf(out, n, "cuda:%d", device.index);
  else
    snprintf(out, n, "%s",
             device.kind == TRM_DEVICE_CPU    ? "cpu"
             : device.kind == TRM_DEVICE_AUTO ? "auto"
                                              : "unknown");
}

/* --- the plug-in ----------------------------------------------------------------------------- */

/* `there` becomes false when no file was found. */
static trm_status load_plugin(const trm__plugin **out, bool *there, trm_error *err) {
  char why[TRM__OPTIONAL_WHY];
  void *library = trm__optional_open(TRM__PLUGIN_FILE, why, there);
  if (!library)
    TRM_FAIL(err, TRM_E_SYSTEM,
             "no GPU support: %s cannot be loaded (%.200s); build it (docs/GPU.md says how), or "
             "choose the device cpu",
             TRM__PLUGIN_FILE, why);

  /* Of this build: nothing else of it is used before its version and interface are compared. */
  trm__plugin_fn *table = NULL;
  void *symbol = trm__os_library_symbol(library, TRM__PLUGIN_SYMBOL);
  memcpy(&table, &symbol, sizeof table);
  const trm__plugin *plugin = table ? table() : NULL;
  if (!plugin) TRM_FAIL(err, TRM_E_SYSTEM, "no GPU support: %.200s is no plug-in of trm", why);
  if (!plugin->version || strcmp(plugin->version, TRM_VERSION) != 0)
    TRM_FAIL(err, TRM_E_SYSTEM,
             "%.200s is of version %.40s, this is trm %s: build both from one source", why,
             plugin->version ? plugin->version : "?", TRM_VERSION);
  if (plugin->abi != trm__plugin_abi())
    TRM_FAIL(
        err, TRM_E_SYSTEM,
        "%.200s is of another build of trm %s, whose interface differs from this one's: build both "
        "from one source",
        why, TRM_VERSION);
  *out = plugin;
  return TRM_OK;
}

/* --- devices --------------------------------------------------------------------------------- */

trm_status trm_device_describe(trm_device device, char *out, size_t n, trm_error *err) {
  const trm__plugin *plugin;
  bool there;
  device = trm_device_resolve(device, NULL);
  if (device.kind == TRM_DEVICE_CPU) {
    const trm__kernels *k;
    TRM_TRY(trm__kernels_select(&k, err));
    snprintf(out, n, "CPU, %s kernels", k->name);
    return TRM_OK;
  }
  if (device.kind != TRM_DEVICE_CUDA)
    TRM_FAIL(err, TRM_E_ARGUMENT, "device kind %d: unknown", (int)device.kind);
  TRM_TRY(load_plugin(&plugin, &there, err));
  return plugin->describe(device.index, out, n, err);
}

trm_device trm_device_resolve(trm_device device, trm_error *why) {
  char text[256];
  trm_error unused;
  if (!why) why = &unused;
  why->msg[0] = 0;
  if (device.kind != TRM_DEVICE_AUTO) return device;
  const trm_device first = {TRM_DEVICE_CUDA, 0}, cpu = {TRM_DEVICE_CPU, 0};
  return trm_device_describe(first, text, sizeof text, why) == TRM_OK ? first : cpu;
}

bool trm_device_passed_over(char *why, size_t n) {
  static const char *const gpus[] = {"/dev/nvidia0", "/dev/nvidiactl", "/dev/dxg"};
  const trm__plugin *plugin;
  trm_error err;
  bool there;
  if (load_plugin(&plugin, &there, &err) == TRM_OK && plugin->describe(0, why, n, &err) == TRM_OK)
    return false;
  for (size_t i = 0; i < sizeof gpus / sizeof *gpus; i++) {
    trm__kind kind;
    there = there || (trm__os_look(NULL, gpus[i], &kind) == 0 && kind != TRM__ABSENT);
  }
  if (there) snprintf(why, n, "%s", err.msg);
  return there;
}

trm_status trm_bench_device_rates(trm_device device, trm_dtype dtype, const trm_bench_shape *s,
                                  double *flops, double *bytes, trm_error *err) {
  const trm__plugin *plugin;
  bool there;
  const int sizes[] = {s->m, s->n, s->k};
  device = trm_device_resolve(device, NULL);
  bool good = device.kind == TRM_DEVICE_CUDA && (dtype == TRM_FLOAT32 || dtype == TRM_BFLOAT16);
  for (int i = 0; i < 3; i++)
    good = good && sizes[i] >= 8 && sizes[i] <= 1 << 14 && sizes[i] % 8 == 0;
  if (!good)
    TRM_FAIL(
        err, TRM_E_ARGUMENT,
        "rates of a product of %d x %d x %d, number format %d: want a GPU, and multiples of 8 up "
        "to 16384",
        s->m, s->n, s->k, (int)dtype);
  TRM_TRY(load_plugin(&plugin, &there, err));
  return plugin->rates(device.index, dtype, s->m, s->n, s->k, flops, bytes, err);
}

trm_status trm__backend_create(trm_device device, const trm__dims *dims, const trm__outer *outer,
                               const trm__block *blocks, int n_blocks, bool training,
                               trm__backend **out, trm_error *err) {
  const trm__plugin *plugin;
  bool there;
  device = trm_device_resolve(device, NULL);
  if (dims->dtype == TRM_INT8 && device.kind == TRM_DEVICE_CUDA)
    TRM_FAIL(err, TRM_E_CONFIG, "int8 is for the device cpu; choose it, or bfloat16");
  if (device.kind == TRM_DEVICE_CPU)
    return trm__cpu_create(dims, outer, blocks, n_blocks, training, out, err);
  if (device.kind != TRM_DEVICE_CUDA)
    TRM_FAIL(err, TRM_E_ARGUMENT, "device kind %d: unknown", (int)device.kind);
#ifdef TRM_REAL_DOUBLE
  TRM_FAIL(err, TRM_E_CONFIG, "a build in double precision computes on the CPU only");
#endif
  TRM_TRY(load_plugin(&plugin, &there, err));
  return plugin->create(device.index, dims, outer, blocks, n_blocks, training, out, err);
}

trm_status trm__backend_alloc(trm__backend *be, int64_t n, size_t size, const char *what, void *out,
                              trm_error *err) {
  void *p = n >= 0 && (uint64_t)n <= SIZE_MAX / size ? be->ops->alloc(be, (size_t)n * size) : NULL;
  if (!p)
    TRM_FAIL(err, TRM_E_MEMORY, "%s: no memory for %s (%lld x %zu bytes)", be->ops->name, what,
             (long long)n, size);
  memcpy(out, &p, sizeof p);
  return TRM_OK;
}
