/* How kernels that are bound by memory go through it: 16 bytes per access, neighbours in a warp on
 * neighbouring addresses. */
#ifndef TRM_BACKEND_CUDA_PACK_CUH
#define TRM_BACKEND_CUDA_PACK_CUH

#include "device.cuh"

/* 16 bytes of values. */
template <class T>
struct Pack {
  enum { N = 16 / sizeof(T) };
  float v[N];

  __device__ static Pack load(const T *p) {
    const uint4 raw = *reinterpret_cast<const uint4 *>(p);
    T values[N];
    Pack out;
    memcpy(values, &raw, sizeof raw);
    for (int i = 0; i < N; i++) out.v[i] = to_float(values[i]);
    return out;
  }
  __device__ void store(T *p) const {
    uint4 raw;
    T values[N];
    for (int i = 0; i < N; i++) values[i] = from_float<T>(v[i]);
    memcpy(&raw, values, sizeof raw);
    *reinterpret_cast<uint4 *>(p) = raw;
  }
};

/* --- columns: a block takes 32 packs of them, whose values 8 threads share ---------------------
 */

enum { GROUPS = 8 };

/* The sums of all groups, in their order, for the thread's channels. */
template <class T>
__device__ void sum_groups(float part[GROUPS][WARP][Pack<T>::N], Pack<T> *sum) {
  for (int i = 0; i < Pack<T>::N; i++) part[threadIdx.y][threadIdx.x][i] = sum->v[i];
  __syncthreads();
  for (int i = 0; i < Pack<T>::N; i++) {
    sum->v[i] = 0;
    for (int g = 0; g < GROUPS; g++) sum->v[i] += part[g][threadIdx.x][i];
  }
}
/* Of N columns, with blocks of dim3(WARP, GROUPS). */
template <class T>
dim3 column_grid(int64_t N) {
  return dim3((unsigned)divide_up(N, WARP * Pack<T>::N));
}

#endif
