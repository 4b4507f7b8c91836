/* Between the two halves of hostcuda's runtime: errors, devices and memory (runtime.cpp), streams,
 * graphs and launches (streams.cpp). */
#ifndef HOSTCUDA_RUNTIME_H
#define HOSTCUDA_RUNTIME_H

#include <mutex>

#include "cuda_runtime.h"

namespace hostcuda {

typedef std::function<void()> Work;
typedef std::lock_guard<std::recursive_mutex> Guard;

enum { SHARED_DEFAULT = 48 << 10, SHARED_MOST = 227 << 10 }; /* of compute capability 9.0 */

extern std::recursive_mutex lock; /* held by every call; kernels run under it */

long from_environment(const char *name, long otherwise);
/* Remembers an error for this thread's cudaGetLastError. */
cudaError_t say(cudaError_t error);
/* cudaErrorLaunchFailure once a launch has failed: nothing but its end heals a process then. */
cudaError_t alive(void);
void die(void);
/* For what may not be done while the calling thread captures: spoils its capture, if any. */
bool spoils_capture(void);
/* Whether bytes from p on are within one allocation of the device, or all outside of any. */
bool on_device(const void *p, size_t bytes);
bool on_host(const void *p, size_t bytes);
/* Makes the copies of all streams that are under way. */
void catch_up_all(void);
/* Whether they are all of one block of cudaMallocHost. */
bool on_pinned(const void *p, size_t bytes);
/* Of the devices. */
void compute_capability(int *major, int *minor);
/* Whether they have clusters of blocks, and products by warp groups (sm_90a). */
bool has_clusters(void);
bool has_warp_groups(void);
/* The device that the calling thread has set. */
int current_device(void);

} /* namespace hostcuda */

#endif
