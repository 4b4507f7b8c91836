/* Devices by name, and the plug-in behind those that are not the CPU. */
#include "trm/device.h"

#include <dlfcn.h>
#ifdef __linux__
#include <elf.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/plugin.h"
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
  static const char *const names[] = {
      [TRM_DEVICE_CPU] = "cpu", [TRM_DEVICE_AUTO] = "auto", [TRM_DEVICE_CUDA] = "cuda"};
  if (device.kind == TRM_DEVICE_CUDA)
    snprintf(out, n, "cuda:%d", device.index);
  else
    snprintf(out, n, "%s", names[device.kind]);
}

/* --- the plug-in ----------------------------------------------------------------------------- */

enum { MAX_PATH = 4096 };

/* The folder that this code was loaded from; "" when the system does not say. */
static void own_folder(char out[MAX_PATH]) {
  Dl_info info;
  out[0] = 0;
  /* An object pointer of this file stands for its functions, which ISO C does not let cast. */
  static const char here = 0;
  if (!dladdr(&here, &info) || !info.dli_fname) return;
  const char *slash = strrchr(info.dli_fname, '/');
  if (slash) snprintf(out, MAX_PATH, "%.*s/", (int)(slash - info.dli_fname), info.dli_fname);
}

/* False when the file ends before what its headers want mapped: the loader maps it all the same,
 * and the program dies where it touches what is not there. Other damage dlopen sees. */
static bool is_whole(FILE *file) {
#ifdef __linux__
  Elf64_Ehdr head;
  Elf64_Phdr part;
  if (fread(&head, sizeof head, 1, file) != 1 || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
      head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_phoff > INT64_MAX || fseek(file, 0, SEEK_END))
    return true;
  const uint64_t size = (uint64_t)ftell(file);
  for (int i = 0; i < head.e_phnum; i++) {
    if (fseek(file, (long)(head.e_phoff + (uint64_t)i * sizeof part), SEEK_SET) ||
        fread(&part, sizeof part, 1, file) != 1)
      return false;
    if (part.p_type == PT_LOAD && (part.p_offset > size || part.p_filesz > size - part.p_offset))
      return false;
  }
#else
  (void)file;
#endif
  return true;
}

static void *open_library(const char *folder, const char *below, char why[MAX_PATH]) {
  char path[2 * MAX_PATH];
  snprintf(path, sizeof path, "%s%s%s", folder, below, TRM__PLUGIN_FILE);
  if (strchr(path, '/')) {
    FILE *file = fopen(path, "rb"); /* so that a broken plug-in is not taken for a missing one */
    if (!file) return NULL;
    const bool whole = is_whole(file);
    fclose(file);
    if (!whole) {
      snprintf(why, MAX_PATH, "%.180s is cut off", path);
      return NULL;
    }
  }
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) snprintf(why, MAX_PATH, "%s", dlerror());
  return library;
}

static void *find_library(char why[MAX_PATH]) {
  static const char *const below[] = {"", "trm/", "../" TRM_LIBDIR "/trm/"};
  const char *named = getenv("TRM_PLUGINS");
  char folder[MAX_PATH];
  void *library = NULL;
  why[0] = 0;
  if (named && *named) {
    snprintf(folder, sizeof folder, "%s/", named);
    library = open_library(folder, "", why);
    if (!library && !why[0]) snprintf(why, MAX_PATH, "TRM_PLUGINS is %.2000s", named);
    return library;
  }
  own_folder(folder);
  for (size_t i = 0; folder[0] && i < sizeof below / sizeof *below && !library && !why[0]; i++)
    library = open_library(folder, below[i], why);
  if (!library && !why[0]) library = open_library("", "", why);
  return library;
}

static trm_status load_plugin(const trm__plugin **out, trm_error *err) {
  char why[MAX_PATH];
  /* Never closed: a backend may outlive any call, and the loader counts. */
  void *library = find_library(why);
  if (!library)
    TRM_FAIL(err, TRM_E_SYSTEM,
             "no GPU support: %s cannot be loaded (%.200s); build it with cmake --preset cuda, or "
             "choose the device cpu",
             TRM__PLUGIN_FILE, why);
  trm__plugin_fn *table = NULL;
  void *symbol = dlsym(library, TRM__PLUGIN_SYMBOL);
  memcpy(&table, &symbol, sizeof table);
  const trm__plugin *plugin = table ? table() : NULL;
  if (!plugin)
    TRM_FAIL(err, TRM_E_SYSTEM, "no GPU support: the %s that was found is no plug-in of trm",
             TRM__PLUGIN_FILE);
  if (strcmp(plugin->version, TRM_VERSION) != 0 || plugin->ops_size != sizeof(trm__backend_ops))
    TRM_FAIL(err, TRM_E_SYSTEM,
             "%s is of version %.40s, this is trm %s: build both from one source", TRM__PLUGIN_FILE,
             plugin->version, TRM_VERSION);
  *out = plugin;
  return TRM_OK;
}

/* --- devices --------------------------------------------------------------------------------- */

trm_status trm_device_describe(trm_device device, char *out, size_t n, trm_error *err) {
  const trm__plugin *plugin;
  device = trm_device_resolve(device, NULL);
  if (device.kind == TRM_DEVICE_CPU) {
    const trm__kernels *k;
    TRM_TRY(trm__kernels_select(&k, err));
    snprintf(out, n, "CPU, %s kernels", k->name);
    return TRM_OK;
  }
  TRM_TRY(load_plugin(&plugin, err));
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

trm_status trm_bench_device_rates(trm_device device, trm_dtype dtype, const trm_bench_shape *s,
                                  double *flops, double *bytes, trm_error *err) {
  const trm__plugin *plugin;
  const int sizes[] = {s->m, s->n, s->k};
  device = trm_device_resolve(device, NULL);
  bool good = device.kind == TRM_DEVICE_CUDA;
  for (int i = 0; i < 3; i++)
    good = good && sizes[i] >= 8 && sizes[i] <= 1 << 14 && sizes[i] % 8 == 0;
  if (!good)
    TRM_FAIL(err, TRM_E_ARGUMENT,
             "rates of a product of %d x %d x %d: want a GPU, and multiples of 8 up to 16384", s->m,
             s->n, s->k);
  TRM_TRY(load_plugin(&plugin, err));
  return plugin->rates(device.index, dtype, s->m, s->n, s->k, flops, bytes, err);
}

trm_status trm__backend_create(trm_device device, const trm__dims *dims, const trm__outer *outer,
                               const trm__block *blocks, int n_blocks, bool training,
                               trm__backend **out, trm_error *err) {
  const trm__plugin *plugin;
  device = trm_device_resolve(device, NULL);
  if (device.kind == TRM_DEVICE_CPU)
    return trm__cpu_create(dims, outer, blocks, n_blocks, training, out, err);
#ifdef TRM_REAL_DOUBLE
  TRM_FAIL(err, TRM_E_CONFIG, "a build in double precision computes on the CPU only");
#endif
  TRM_TRY(load_plugin(&plugin, err));
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
