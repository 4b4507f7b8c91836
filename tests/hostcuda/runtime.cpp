/* The runtime of hostcuda: errors, devices that are alike, their memory. */
#include "runtime.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <map>

namespace hostcuda {

std::recursive_mutex lock;

namespace {

bool dead = false;
thread_local cudaError_t last = cudaSuccess;
thread_local int current = 0; /* device */

struct Owned {
  size_t bytes;
  int device;
};
/* By the complement of the address, so that the leak checker takes no pointer from here. */
std::map<uintptr_t, Owned> allocations;
std::map<uintptr_t, size_t> pinned; /* of the host */
std::map<int, size_t> used;         /* of each device */

size_t device_bytes(void) {
  return (size_t)from_environment("HOSTCUDA_MEMORY", 8L << 30);
}

const struct {
  cudaError_t error;
  const char *name, *text;
} errors[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration",
     "invalid configuration argument"},
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver",
     "CUDA driver version is insufficient for CUDA runtime version"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorIllegalState, "cudaErrorIllegalState",
     "the operation cannot be performed in the present state"},
    {cudaErrorInvalidClusterSize, "cudaErrorInvalidClusterSize", "invalid cluster size"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
     "operation not permitted when stream is capturing"},
    {cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated",
     "operation failed due to a previous error during capture"}};

/* The allocation that begins at or before p, or the end. */
std::map<uintptr_t, Owned>::iterator allocation_at(const void *p) {
  return allocations.lower_bound(~reinterpret_cast<uintptr_t>(p));
}

cudaError_t spoiled(void) {
  return say(cudaErrorStreamCaptureUnsupported);
}

} /* namespace */

long from_environment(const char *name, long otherwise) {
  const char *text = getenv(name);
  return text && *text ? atol(text) : otherwise;
}
cudaError_t say(cudaError_t error) {
  if (error != cudaSuccess) last = error;
  return error;
}
cudaError_t alive(void) {
  return dead ? say(cudaErrorLaunchFailure) : cudaSuccess;
}
void die(void) {
  dead = true;
  alive();
}
void compute_capability(int *major, int *minor) {
  const char *arch = getenv("HOSTCUDA_ARCH");
  if (arch && sscanf(arch, "%d.%d", major, minor) == 2) return;
  *major = 9;
  *minor = 0;
}
bool has_clusters(void) {
  int major, minor;
  compute_capability(&major, &minor);
  return major >= 9;
}
bool has_warp_groups(void) {
  int major, minor;
  compute_capability(&major, &minor);
  return major == 9 && minor == 0;
}
int current_device(void) {
  return current;
}
bool on_device(const void *p, size_t bytes) {
  const auto found = allocation_at(p);
  if (found == allocations.end()) return false;
  const size_t at = reinterpret_cast<uintptr_t>(p) - ~found->first;
  return at <= found->second.bytes && bytes <= found->second.bytes - at;
}
bool on_host(const void *p, size_t bytes) {
  const uintptr_t start = reinterpret_cast<uintptr_t>(p);
  const auto found = allocation_at(static_cast<const char *>(p) + (bytes ? bytes - 1 : 0));
  return found == allocations.end() || ~found->first + found->second.bytes <= start;
}

bool on_pinned(const void *p, size_t bytes) {
  const uintptr_t at = reinterpret_cast<uintptr_t>(p);
  auto found = pinned.upper_bound(at);
  if (found == pinned.begin()) return false;
  --found;
  return at - found->first <= found->second && bytes <= found->second - (at - found->first);
}

} /* namespace hostcuda */

using namespace hostcuda;

const char *cudaGetErrorString(cudaError_t error) {
  for (const auto &e : errors)
    if (e.error == error) return e.text;
  return "unrecognized error code";
}
const char *cudaGetErrorName(cudaError_t error) {
  for (const auto &e : errors)
    if (e.error == error) return e.name;
  return "unrecognized error code";
}
cudaError_t cudaGetLastError(void) {
  Guard guard(lock);
  const cudaError_t error = dead ? cudaErrorLaunchFailure : last;
  last = cudaSuccess;
  return error;
}
cudaError_t cudaPeekAtLastError(void) {
  Guard guard(lock);
  return dead ? cudaErrorLaunchFailure : last;
}

/* --- devices --------------------------------------------------------------------------------- */

cudaError_t cudaDriverGetVersion(int *version) {
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int *version) {
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceCount(int *count) {
  Guard guard(lock);
  const long n = from_environment("HOSTCUDA_DEVICES", 1);
  *count = n > 0 ? (int)n : 0;
  if (n < 0) return say(cudaErrorInsufficientDriver);
  return n ? alive() : say(cudaErrorNoDevice);
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *prop, int index) {
  Guard guard(lock);
  const long n = from_environment("HOSTCUDA_DEVICES", 1);
  if (index < 0 || index >= n) return say(cudaErrorInvalidDevice);
  memset(prop, 0, sizeof *prop);
  snprintf(prop->name, sizeof prop->name, "hostcuda");
  prop->totalGlobalMem = device_bytes();
  prop->sharedMemPerBlockOptin = SHARED_MOST;
  prop->multiProcessorCount = (int)from_environment("HOSTCUDA_PROCESSORS", 4);
  prop->l2CacheSize = 1 << 20;
  compute_capability(&prop->major, &prop->minor);
  return alive();
}
cudaError_t cudaSetDevice(int index) {
  Guard guard(lock);
  const long n = from_environment("HOSTCUDA_DEVICES", 1);
  if (index < 0 || index >= n) return say(cudaErrorInvalidDevice);
  current = index;
  return alive();
}
cudaError_t cudaGetDevice(int *index) {
  *index = current;
  return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize(void) {
  Guard guard(lock);
  if (spoils_capture()) return spoiled();
  catch_up_all();
  return alive();
}

/* --- memory ---------------------------------------------------------------------------------- */

cudaError_t cudaMemGetInfo(size_t *room, size_t *all) {
  Guard guard(lock);
  *all = device_bytes();
  *room = *all > used[current] ? *all - used[current] : 0;
  return alive();
}
cudaError_t cudaMalloc(void **out, size_t bytes) {
  Guard guard(lock);
  *out = NULL;
  if (spoils_capture()) return spoiled();
  if (from_environment("HOSTCUDA_DEVICES", 1) < 1) return say(cudaErrorNoDevice);
  if (alive() != cudaSuccess) return alive();
  if (bytes == 0) return cudaSuccess;
  if (bytes > device_bytes() || used[current] > device_bytes() - bytes ||
      posix_memalign(out, 256, bytes))
    return say(cudaErrorMemoryAllocation);
  memset(*out, 0xff, bytes);
  allocations[~reinterpret_cast<uintptr_t>(*out)] = {bytes, current};
  used[current] += bytes;
  return cudaSuccess;
}
cudaError_t cudaFree(void *p) {
  Guard guard(lock);
  if (!p) return alive();
  if (spoils_capture()) return spoiled();
  const auto found = allocations.find(~reinterpret_cast<uintptr_t>(p));
  if (found == allocations.end()) return say(cudaErrorInvalidValue);
  catch_up_all();
  used[found->second.device] -= found->second.bytes;
  allocations.erase(found);
  free(p);
  return alive();
}
cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind kind) {
  Guard guard(lock);
  return spoils_capture() ? spoiled() : cudaMemcpyAsync(to, from, bytes, kind, NULL);
}
cudaError_t cudaMemset(void *to, int value, size_t bytes) {
  Guard guard(lock);
  return spoils_capture() ? spoiled() : cudaMemsetAsync(to, value, bytes, NULL);
}
cudaError_t cudaMallocHost(void **out, size_t bytes) {
  Guard guard(lock);
  *out = NULL;
  if (spoils_capture()) return spoiled();
  if (alive() != cudaSuccess) return alive();
  const long most = from_environment("HOSTCUDA_PINNED", LONG_MAX);
  *out = bytes <= (size_t)most ? malloc(bytes ? bytes : 1) : NULL;
  if (!*out) return say(cudaErrorMemoryAllocation);
  pinned[reinterpret_cast<uintptr_t>(*out)] = bytes;
  return cudaSuccess;
}
cudaError_t cudaFreeHost(void *p) {
  Guard guard(lock);
  catch_up_all();
  if (p && !pinned.erase(reinterpret_cast<uintptr_t>(p))) return say(cudaErrorInvalidValue);
  free(p);
  return alive();
}
