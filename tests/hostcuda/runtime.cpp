/* The runtime of hostcuda: devices that are alike, streams that do at once what they are given,
 * graphs that record it. A failure stays, as after a kernel that died on a GPU. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <map>
#include <mutex>
#include <vector>

#include "cuda_runtime.h"
#include "threads.h"

typedef std::function<void()> Work;
struct CUgraph_st {
  std::vector<Work> work;
};
struct CUgraphExec_st {
  std::vector<Work> work;
};
struct CUstream_st {
  bool capturing, spoiled;
  CUgraph_st *graph;
  int device;
};
struct CUevent_st {
  timespec at;
};

namespace {

enum { SHARED_DEFAULT = 48 << 10, SHARED_MOST = 227 << 10, MOST_THREADS = 1024, MOST_YZ = 65535 };

struct Device {
  std::recursive_mutex lock;
  std::map<const void *, int> shared_limit;
  struct Owned {
    size_t bytes;
    int device;
  };
  std::map<void *, Owned> blocks;
  std::map<int, size_t> used; /* of each device */
  long launches = 0;
  cudaError_t last = cudaSuccess; /* what cudaGetLastError tells */
  bool dead = false;
  std::vector<cudaStream_t> capturing;
} device;
thread_local int current;

typedef std::lock_guard<std::recursive_mutex> Guard;

long from_environment(const char *name, long otherwise) {
  const char *text = getenv(name);
  return text && *text ? atol(text) : otherwise;
}
size_t device_bytes(void) {
  return (size_t)from_environment("HOSTCUDA_MEMORY", 8L << 30);
}

cudaError_t say(cudaError_t error) {
  if (error != cudaSuccess) device.last = error;
  return error;
}
cudaError_t alive(void) {
  return device.dead ? cudaErrorLaunchFailure : cudaSuccess;
}
/* What may not be done while a stream is captured spoils the capture. */
bool spoils(void) {
  for (cudaStream_t s : device.capturing) s->spoiled = true;
  return !device.capturing.empty();
}

const struct {
  cudaError_t error;
  const char *name, *text;
} errors[] = {{cudaSuccess, "cudaSuccess", "no error"},
              {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
              {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
              {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration",
               "invalid configuration argument"},
              {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver",
               "CUDA driver version is insufficient for CUDA runtime version"},
              {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
              {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
              {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle",
               "invalid resource handle"},
              {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
              {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
               "operation not permitted when stream is capturing"},
              {cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated",
               "operation failed due to a previous error during capture"}};

} /* namespace */

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
  Guard guard(device.lock);
  const cudaError_t error = device.last;
  device.last = alive();
  return error;
}
cudaError_t cudaPeekAtLastError(void) {
  return device.last;
}

/* --- devices -----------------------------------------------------------------------------------
 */

cudaError_t cudaDriverGetVersion(int *version) {
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int *version) {
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceCount(int *count) {
  const long n = from_environment("HOSTCUDA_DEVICES", 1);
  *count = n > 0 ? (int)n : 0;
  if (n < 0) return say(cudaErrorInsufficientDriver);
  return n ? alive() : say(cudaErrorNoDevice);
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *prop, int index) {
  int n = 0;
  cudaGetDeviceCount(&n);
  if (index < 0 || index >= n) return say(cudaErrorInvalidDevice);
  memset(prop, 0, sizeof *prop);
  snprintf(prop->name, sizeof prop->name, "hostcuda");
  prop->totalGlobalMem = device_bytes();
  prop->sharedMemPerBlockOptin = SHARED_MOST;
  prop->multiProcessorCount = 1;
  prop->l2CacheSize = 1 << 20;
  const char *arch = getenv("HOSTCUDA_ARCH");
  if (!arch || sscanf(arch, "%d.%d", &prop->major, &prop->minor) != 2) prop->major = 9;
  return alive();
}
cudaError_t cudaSetDevice(int index) {
  int n = 0;
  cudaGetDeviceCount(&n);
  if (index < 0 || index >= n) return say(cudaErrorInvalidDevice);
  current = index;
  return alive();
}
cudaError_t cudaGetDevice(int *index) {
  *index = current;
  return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize(void) {
  Guard guard(device.lock);
  return spoils() ? say(cudaErrorStreamCaptureUnsupported) : alive();
}

/* --- memory --------------------------------------------------------------------------------------
 */

cudaError_t cudaMemGetInfo(size_t *room, size_t *all) {
  Guard guard(device.lock);
  *all = device_bytes();
  const size_t used = device.used[current];
  *room = *all > used ? *all - used : 0;
  return alive();
}
cudaError_t cudaMalloc(void **out, size_t bytes) {
  Guard guard(device.lock);
  *out = NULL;
  if (spoils()) return say(cudaErrorStreamCaptureUnsupported);
  if (alive() != cudaSuccess) return alive();
  if (bytes > device_bytes() || device.used[current] > device_bytes() - bytes ||
      posix_memalign(out, 256, bytes ? bytes : 1))
    return say(cudaErrorMemoryAllocation);
  memset(*out, 0xff, bytes);
  device.blocks[*out] = {bytes, current};
  device.used[current] += bytes;
  return cudaSuccess;
}
cudaError_t cudaFree(void *p) {
  Guard guard(device.lock);
  if (!p) return alive();
  const auto found = device.blocks.find(p);
  if (found == device.blocks.end()) return say(cudaErrorInvalidValue);
  device.used[found->second.device] -= found->second.bytes;
  device.blocks.erase(found);
  free(p);
  return alive();
}
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind,
                            cudaStream_t stream) {
  return hostcuda_enqueue(stream, [=] { memmove(to, from, bytes); });
}
cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind kind) {
  Guard guard(device.lock);
  if (spoils()) return say(cudaErrorStreamCaptureUnsupported);
  return cudaMemcpyAsync(to, from, bytes, kind, NULL);
}
cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t stream) {
  return hostcuda_enqueue(stream, [=] {
    hostcuda_count("memset");
    memset(to, value, bytes);
  });
}
cudaError_t cudaMemset(void *to, int value, size_t bytes) {
  return cudaMemsetAsync(to, value, bytes, NULL);
}

/* --- streams and graphs
 * ---------------------------------------------------------------------------- */

cudaError_t hostcuda_enqueue(cudaStream_t stream, Work work) {
  Guard guard(device.lock);
  if (alive() != cudaSuccess) return say(alive());
  if (stream && stream->capturing) {
    stream->graph->work.push_back(work);
    return cudaSuccess;
  }
  work();
  return alive();
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned) {
  if (alive() != cudaSuccess) return say(alive());
  *out = new CUstream_st();
  (*out)->device = current;
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  delete stream;
  return alive();
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  Guard guard(device.lock);
  if (stream && stream->capturing) {
    stream->spoiled = true;
    return say(cudaErrorStreamCaptureUnsupported);
  }
  return say(alive());
}
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  Guard guard(device.lock);
  if (!stream || stream->capturing) return say(cudaErrorStreamCaptureUnsupported);
  stream->capturing = true;
  stream->spoiled = false;
  stream->graph = new CUgraph_st();
  device.capturing.push_back(stream);
  return alive();
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *out) {
  Guard guard(device.lock);
  *out = NULL;
  if (!stream || !stream->capturing) return say(cudaErrorInvalidValue);
  stream->capturing = false;
  for (size_t i = 0; i < device.capturing.size(); i++)
    if (device.capturing[i] == stream) device.capturing.erase(device.capturing.begin() + (long)i);
  if (!stream->spoiled) *out = stream->graph;
  if (stream->spoiled) delete stream->graph;
  return stream->spoiled ? say(cudaErrorStreamCaptureInvalidated) : alive();
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long) {
  *out = new CUgraphExec_st{graph->work};
  return alive();
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
  return hostcuda_enqueue(stream, [graph] {
    for (const Work &work : graph->work) work();
  });
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t *out) {
  *out = new CUevent_st();
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t) {
  clock_gettime(CLOCK_MONOTONIC, &event->at);
  return alive();
}
cudaError_t cudaEventSynchronize(cudaEvent_t) {
  return alive();
}
cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t from, cudaEvent_t to) {
  *ms = (float)(1e3 * (double)(to->at.tv_sec - from->at.tv_sec) +
                1e-6 * (double)(to->at.tv_nsec - from->at.tv_nsec));
  return alive();
}

/* --- launches
 * ------------------------------------------------------------------------------------- */

cudaError_t cudaFuncSetAttribute(const void *kernel, cudaFuncAttribute, int value) {
  Guard guard(device.lock);
  if (value < 0 || value > SHARED_MOST) return say(cudaErrorInvalidValue);
  device.shared_limit[kernel] = value;
  return alive();
}

cudaError_t hostcuda_launch(const cudaLaunchConfig_t *config, const void *kernel, Work body) {
  Guard guard(device.lock);
  const dim3 g = config->gridDim, b = config->blockDim;
  const size_t shared = config->dynamicSmemBytes;
  const auto limit = device.shared_limit.find(kernel);
  const size_t most =
      limit == device.shared_limit.end() ? (size_t)SHARED_DEFAULT : (size_t)limit->second;
  if (!g.x || !g.y || !g.z || g.x > INT32_MAX || g.y > MOST_YZ || g.z > MOST_YZ || !b.x || !b.y ||
      !b.z || (uint64_t)b.x * b.y * b.z > MOST_THREADS || b.z > 64)
    return say(cudaErrorInvalidConfiguration);
  if (shared > most && shared > SHARED_DEFAULT) return say(cudaErrorInvalidValue);
  if (config->stream && config->stream->device != current)
    return say(cudaErrorInvalidResourceHandle);
  return hostcuda_enqueue(config->stream, [=] {
    if (device.dead) return;
    const long fails = from_environment("HOSTCUDA_FAIL_AFTER", 0);
    if (fails && ++device.launches >= fails) {
      device.dead = true;
      device.last = cudaErrorLaunchFailure;
      return;
    }
    hostcuda_count_kernel(kernel);
    hostcuda_run_grid(g, b, shared, body);
  });
}
