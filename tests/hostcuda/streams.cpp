/* Streams that do at once what they are given, graphs that record it, and launches. A failed launch
 * stays, as after a kernel that died on a GPU. */
#include <time.h>

#include <map>
#include <thread>
#include <vector>

#include "runtime.h"
#include "threads.h"

using namespace hostcuda;

struct CUgraph_st {
  std::vector<Work> work;
};
struct CUgraphExec_st {
  std::vector<Work> work;
};
struct CUstream_st {
  int device;
  bool capturing, spoiled;
  std::thread::id by; /* who began the capture */
  cudaStreamCaptureMode mode;
  CUgraph_st *graph;
  std::vector<Work> late; /* copies from pinned memory, made when somebody waits for them */
};
struct CUevent_st {
  timespec at;
};

namespace {

enum { MOST_THREADS = 1024, MOST_THREADS_Z = 64, MOST_YZ = 65535, MOST_CLUSTER = 8 };

std::vector<cudaStream_t> streams, capturing;
std::map<const void *, size_t> shared_limits;
long launches = 0;

} /* namespace */

/* Of another thread only captures in the global mode mind. */
bool hostcuda::spoils_capture(void) {
  bool any = false;
  for (cudaStream_t s : capturing) {
    const bool own = s->by == std::this_thread::get_id();
    if (s->mode == cudaStreamCaptureModeRelaxed) continue;
    if (!own && s->mode == cudaStreamCaptureModeThreadLocal) continue;
    s->spoiled = any = true;
  }
  return any;
}

static void catch_up(cudaStream_t stream) {
  if (!stream || alive() != cudaSuccess) return;
  for (const Work &work : stream->late) work();
  stream->late.clear();
}

void hostcuda::catch_up_all(void) {
  for (cudaStream_t s : streams) catch_up(s);
}

cudaError_t hostcuda_enqueue(cudaStream_t stream, std::function<void()> work) {
  Guard guard(lock);
  if (alive() != cudaSuccess) return alive();
  if (stream && stream->capturing) {
    if (stream->spoiled) return say(cudaErrorStreamCaptureInvalidated);
    stream->graph->work.push_back(work);
    return cudaSuccess;
  }
  catch_up(stream);
  work();
  return alive();
}

/* --- copies ---------------------------------------------------------------------------------- */

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  Guard guard(lock);
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (bytes > 0 && kind != cudaMemcpyDefault &&
      (!(to_device ? on_device : on_host)(to, bytes) ||
       !(from_device ? on_device : on_host)(from, bytes)))
    return say(cudaErrorInvalidValue);
  const Work copy = [=] {
    if (bytes > 0) memmove(to, from, bytes);
  };
  if (!stream || stream->capturing || kind != cudaMemcpyHostToDevice || !on_pinned(from, bytes))
    return hostcuda_enqueue(stream, copy);
  stream->late.push_back(copy);
  return alive();
}
cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t stream) {
  Guard guard(lock);
  if (bytes > 0 && !on_device(to, bytes)) return say(cudaErrorInvalidValue);
  return hostcuda_enqueue(stream, [=] {
    hostcuda_count("memset");
    if (bytes > 0) memset(to, value, bytes);
  });
}

/* --- streams and graphs ---------------------------------------------------------------------- */

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned) {
  Guard guard(lock);
  if (alive() != cudaSuccess) return alive();
  *out = new CUstream_st();
  (*out)->device = current_device();
  streams.push_back(*out);
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  Guard guard(lock);
  if (stream && stream->capturing) {
    cudaGraph_t graph = NULL;
    cudaStreamEndCapture(stream, &graph);
    delete graph;
  }
  catch_up(stream);
  for (size_t i = streams.size(); i-- > 0;)
    if (streams[i] == stream) streams.erase(streams.begin() + (long)i);
  delete stream;
  return alive();
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  Guard guard(lock);
  if (stream && stream->capturing) {
    stream->spoiled = true;
    return say(cudaErrorStreamCaptureUnsupported);
  }
  catch_up(stream);
  return alive();
}
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  Guard guard(lock);
  if (alive() != cudaSuccess) return alive();
  if (!stream) return say(cudaErrorStreamCaptureUnsupported);
  if (stream->capturing) return say(cudaErrorIllegalState);
  catch_up(stream);
  *stream = {stream->device, true, false, std::this_thread::get_id(), mode, new CUgraph_st(), {}};
  capturing.push_back(stream);
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *out) {
  Guard guard(lock);
  *out = NULL;
  if (!stream || !stream->capturing) return say(cudaErrorIllegalState);
  stream->capturing = false;
  for (size_t i = capturing.size(); i-- > 0;)
    if (capturing[i] == stream) capturing.erase(capturing.begin() + (long)i);
  if (!stream->spoiled) *out = stream->graph;
  if (stream->spoiled) delete stream->graph;
  return stream->spoiled ? say(cudaErrorStreamCaptureInvalidated) : alive();
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long) {
  Guard guard(lock);
  *out = NULL;
  if (!graph) return say(cudaErrorInvalidValue);
  *out = new CUgraphExec_st{graph->work};
  return alive();
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
  if (!graph) return say(cudaErrorInvalidValue);
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
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return hostcuda_enqueue(stream, [event] { clock_gettime(CLOCK_MONOTONIC, &event->at); });
}
cudaError_t cudaEventSynchronize(cudaEvent_t) {
  Guard guard(lock);
  return alive();
}
cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t from, cudaEvent_t to) {
  Guard guard(lock);
  *ms = (float)(1e3 * (double)(to->at.tv_sec - from->at.tv_sec) +
                1e-6 * (double)(to->at.tv_nsec - from->at.tv_nsec));
  return alive();
}

/* --- launches -------------------------------------------------------------------------------- */

cudaError_t cudaFuncSetAttribute(const void *kernel, cudaFuncAttribute, int value) {
  Guard guard(lock);
  if (value < 0 || value > SHARED_MOST) return say(cudaErrorInvalidValue);
  shared_limits[kernel] = (size_t)value;
  return alive();
}

static bool fits(const dim3 &g, const dim3 &b) {
  return g.x && g.y && g.z && g.x <= INT32_MAX && g.y <= MOST_YZ && g.z <= MOST_YZ && b.x && b.y &&
         b.z && b.z <= MOST_THREADS_Z && (uint64_t)b.x * b.y <= MOST_THREADS &&
         (uint64_t)b.x * b.y * b.z <= MOST_THREADS;
}

static bool fits_clusters(const dim3 &g, const dim3 &c) {
  return c.x && c.y && c.z && c.x <= MOST_CLUSTER && c.y <= MOST_CLUSTER && c.z <= MOST_CLUSTER &&
         c.x * c.y * c.z <= MOST_CLUSTER && g.x % c.x == 0 && g.y % c.y == 0 && g.z % c.z == 0;
}

cudaError_t hostcuda_launch(const cudaLaunchConfig_t *config, const void *kernel, Work body) {
  /* The grid, and clusters where they are asked for. */
  Guard guard(lock);
  const dim3 g = config->gridDim, b = config->blockDim;
  const size_t shared = config->dynamicSmemBytes;
  const auto limit = shared_limits.find(kernel);
  dim3 c;
  for (unsigned i = 0; i < config->numAttrs; i++) {
    const cudaLaunchAttribute &a = config->attrs[i];
    if (a.id != cudaLaunchAttributeClusterDimension) return say(cudaErrorInvalidValue);
    c = dim3(a.val.clusterDim.x, a.val.clusterDim.y, a.val.clusterDim.z);
    if (!has_clusters()) return say(cudaErrorInvalidClusterSize);
  }

  /* What the device does not have is refused now, with the error of the manual. */
  if (!fits(g, b)) return say(cudaErrorInvalidConfiguration);
  if (!fits_clusters(g, c)) return say(cudaErrorInvalidClusterSize);
  if (shared > SHARED_DEFAULT && (limit == shared_limits.end() || shared > limit->second))
    return say(cudaErrorInvalidValue);
  if (config->stream && config->stream->device != current_device())
    return say(cudaErrorInvalidResourceHandle);

  /* What fails while it runs is known later, at the stream. */
  return hostcuda_enqueue(config->stream, [=] {
    if (alive() != cudaSuccess) return;
    const long fails = from_environment("HOSTCUDA_FAIL_AFTER", 0);
    if (fails && ++launches >= fails) {
      die();
      return;
    }
    hostcuda_count_kernel(kernel);
    run_grid(kernel, g, c, b, shared, body);
  });
}
