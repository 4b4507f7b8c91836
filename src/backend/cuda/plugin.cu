/* The plug-in: devices, the object, its memory, and running programs as graphs.
 *
 * A program (one update, one supervision step) runs once as it is, which also loads kernels and
 * lets the products choose their algorithms; the next time it is recorded as a graph, and from then
 * on replayed: one launch for the thousand kernels of an update. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attention.cuh"
#include "backend.cuh"
#include "backend/rope.h"
#include "hopper/gated.cuh"
#include "hopper/mixer_groups.cuh"
#include "mixer.cuh"
#include "rates.cuh"
#include "vector.cuh"

static trm_status fail(trm_error *err, trm_status code, const char *format, ...) {
  if (err) {
    va_list args;
    va_start(args, format);
    err->code = code;
    err->pos = -1;
    vsnprintf(err->msg, sizeof err->msg, format, args);
    va_end(args);
  }
  return code;
}

/* --- devices --------------------------------------------------------------------------------- */

enum { LEAST_MAJOR = 8 }; /* compute capability 8.0: matrix units for bfloat16 */

static trm_status no_driver(cudaError_t error, trm_error *err) {
  int driver = 0, runtime = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  if (error == cudaErrorInsufficientDriver && driver == 0)
    return fail(
        err, TRM_E_SYSTEM,
        "there is no NVIDIA driver: install one for CUDA %d.%d or newer, or choose the device "
        "cpu",
        runtime / 1000, runtime % 1000 / 10);
  if (error == cudaErrorInsufficientDriver)
    return fail(
        err, TRM_E_SYSTEM,
        "the NVIDIA driver is too old: it knows CUDA %d.%d, trm was built with %d.%d; install "
        "a newer one, or choose the device cpu",
        driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
  return fail(err, TRM_E_SYSTEM, "no CUDA device can be used: %s; choose the device cpu",
              cudaGetErrorString(error));
}

static trm_status check_device(int index, cudaDeviceProp *prop, trm_error *err) {
  int n = 0;
  cudaError_t error = cudaGetDeviceCount(&n);
  if (error != cudaSuccess) return no_driver(error, err);
  if (index >= n)
    return fail(err, TRM_E_SYSTEM, "cuda:%d: this machine has %d CUDA device%s; use cuda:0%s",
                index, n, n == 1 ? "" : "s", n > 1 ? " or a later one" : "");
  error = cudaGetDeviceProperties(prop, index);
  if (error == cudaSuccess) error = cudaSetDevice(index);
  if (error != cudaSuccess)
    return fail(err, TRM_E_SYSTEM, "cuda:%d: %s", index, cudaGetErrorString(error));
  if (prop->major < LEAST_MAJOR)
    return fail(
        err, TRM_E_SYSTEM,
        "cuda:%d: %s has compute capability %d.%d, but trm needs 8.0 or newer (Ampere, Ada, "
        "Hopper, …); choose the device cpu",
        index, prop->name, prop->major, prop->minor);
  return TRM_OK;
}

/* What looking for a device leaves as the last error is not that of a backend in use. */
static trm_status describe(int index, char *out, size_t n, trm_error *err) {
  cudaDeviceProp prop;
  size_t room = 0, all = 0;
  trm_status st = check_device(index, &prop, err);
  const cudaError_t error = st == TRM_OK ? cudaMemGetInfo(&room, &all) : cudaSuccess;
  cudaGetLastError();
  if (st != TRM_OK) return st;
  if (error != cudaSuccess)
    return fail(err, TRM_E_SYSTEM, "cuda:%d: %s", index, cudaGetErrorString(error));
  snprintf(out, n, "%s, compute capability %d.%d, %.1f of %.1f GiB free", prop.name, prop.major,
           prop.minor, (double)room / (1 << 30), (double)all / (1 << 30));
  return TRM_OK;
}

/* --- failures -------------------------------------------------------------------------------- */

void note(CudaBackend *c, cudaError_t error) {
  if (c->failed == cudaSuccess) c->failed = error;
}
void note_product(CudaBackend *c, cublasStatus_t status) {
  if (c->product_failed == CUBLAS_STATUS_SUCCESS) c->product_failed = status;
}
void product(CudaBackend *c, const Product &x) {
  note_product(c, multiply(&c->products, x, c->stream));
}
void gradient(CudaBackend *c, const Product &x, bool accumulate) {
  note_product(c, multiply_gradient(&c->products, x, accumulate, c->parts, c->stream));
}

/* Waits for the stream; the first failure since the backend was made, if any. */
static trm_status finish(CudaBackend *c, trm_error *err) {
  note(c, cudaStreamSynchronize(c->stream));
  c->staged = 0;
  note(c, cudaGetLastError());
  if (c->failed == cudaErrorMemoryAllocation)
    return fail(err, TRM_E_MEMORY, "%s: out of memory: use a smaller micro_batch or batch",
                c->name);
  if (c->failed != cudaSuccess)
    return fail(err, TRM_E_SYSTEM,
                "%s: %s (%s); what was not saved or printed is lost: run it again, a training from "
                "its last save",
                c->name, cudaGetErrorString(c->failed), cudaGetErrorName(c->failed));
  /* Last, for a device that failed fails its products, too. */
  if (c->product_failed != CUBLAS_STATUS_SUCCESS)
    return fail(err, TRM_E_SYSTEM,
                "%s: a matrix product failed: %s; what was not saved or printed is lost: run it "
                "again, a training from its last save, on the device cpu if it fails again",
                c->name, cublasLtGetStatusString(c->product_failed));
  return TRM_OK;
}

/* --- memory ----------------------------------------------------------------------------------
 * A thread's current device is whatever it used last: each entry chooses its own. */

static void *take(CudaBackend *c, size_t bytes) {
  void *p = NULL;
  const cudaError_t error = cudaMalloc(&p, bytes ? bytes : 1);
  if (error != cudaSuccess) {
    cudaGetLastError(); /* that there is no memory is for the caller to report */
    if (error != cudaErrorMemoryAllocation) note(c, error);
    return NULL;
  }
  note(c, cudaMemsetAsync(p, 0, bytes ? bytes : 1, c->stream));
  return p;
}
static void *op_alloc(trm__backend *be, size_t bytes) {
  note(cuda_of(be), cudaSetDevice(cuda_of(be)->index));
  return take(cuda_of(be), bytes);
}
static void op_release(trm__backend *be, void *p) {
  note(cuda_of(be), cudaSetDevice(cuda_of(be)->index));
  if (p) note(cuda_of(be), cudaFree(p));
}

static void copy(CudaBackend *c, void *to, const void *from, size_t bytes, cudaMemcpyKind kind) {
  note(c, cudaSetDevice(c->index));
  if (bytes > 0) note(c, cudaMemcpyAsync(to, from, bytes, kind, c->stream));
  if (kind != cudaMemcpyDeviceToDevice) note(c, cudaStreamSynchronize(c->stream));
}

enum { STAGING = 4 << 20 /* the batch of an update, and what else is sent before it */ };

/* Without waiting: through pinned memory, which is free again when copy or finish has waited. */
static void op_put(trm__backend *be, void *to, const void *from, size_t bytes) {
  CudaBackend *c = cuda_of(be);
  if (bytes > STAGING) {
    copy(c, to, from, bytes, cudaMemcpyHostToDevice);
    return;
  }
  note(c, cudaSetDevice(c->index));
  if (bytes > STAGING - c->staged) {
    note(c, cudaStreamSynchronize(c->stream));
    c->staged = 0;
  }
  if (bytes == 0) return;
  memcpy(c->staging + c->staged, from, bytes);
  note(c, cudaMemcpyAsync(to, c->staging + c->staged, bytes, cudaMemcpyHostToDevice, c->stream));
  c->staged += (bytes + 15) / 16 * 16;
}
static void op_get(trm__backend *be, void *to, const void *from, size_t bytes) {
  copy(cuda_of(be), to, from, bytes, cudaMemcpyDeviceToHost);
}
static void op_copy(trm__backend *be, void *to, const void *from, size_t bytes) {
  copy(cuda_of(be), to, from, bytes, cudaMemcpyDeviceToDevice);
}

enum { WORKSPACE = 32 << 20 /* of products; what NVIDIA recommends for Hopper */ };

/* In bfloat16 through floats on the device, as many at a time as the work space of products holds,
 * which no product uses meanwhile. */
static void move_latents(trm__backend *be, int n, unsigned char *device, real *host, bool put) {
  CudaBackend *c = cuda_of(be);
  const int64_t all = (int64_t)n * be->dims.L * be->dims.D;
  if (!is_bf16(be)) {
    copy(c, put ? (void *)device : host, put ? (const void *)host : device,
         (size_t)all * sizeof *host, put ? cudaMemcpyHostToDevice : cudaMemcpyDeviceToHost);
    return;
  }

  note(c, cudaSetDevice(c->index));
  float *middle = static_cast<float *>(c->workspace);
  const int64_t most = WORKSPACE / (int64_t)sizeof(float);
  for (int64_t at = 0; at < all; at += most) {
    const int64_t count = all - at < most ? all - at : most;
    bf16 *values = reinterpret_cast<bf16 *>(device) + at;
    if (put) {
      copy(c, middle, host + at, (size_t)count * sizeof(float), cudaMemcpyHostToDevice);
      convert_rows(middle, values, 1, (int)count, (int)count, c->stream);
    } else {
      to_reals(values, middle, count, c->stream);
      copy(c, host + at, middle, (size_t)count * sizeof(float), cudaMemcpyDeviceToHost);
    }
  }
  note(c, cudaStreamSynchronize(c->stream));
}
static void op_put_latents(trm__backend *be, int n, real *to, const real *from) {
  move_latents(be, n, reinterpret_cast<unsigned char *>(to), const_cast<real *>(from), true);
}
static void op_get_latents(trm__backend *be, int n, real *to, const real *from) {
  move_latents(be, n, const_cast<unsigned char *>(reinterpret_cast<const unsigned char *>(from)),
               to, false);
}

/* Nine tenths of what is free: the rest is left to what runs beside. */
static int64_t op_budget(const trm__backend *be) {
  size_t room = 0, all = 0;
  if (cudaSetDevice(cuda_of(be)->index) != cudaSuccess ||
      cudaMemGetInfo(&room, &all) != cudaSuccess)
    return 0;
  return (int64_t)(room / 10 * 9);
}
static int64_t op_held_bytes(const trm__backend *be) {
  return cuda_of(be)->bytes;
}

/* --- programs -------------------------------------------------------------------------------- */

static void forget_graph(CudaBackend *c) {
  if (c->graph) note(c, cudaGraphExecDestroy(c->graph));
  c->graph = NULL;
}

static void record(CudaBackend *c, trm__program *program, void *arg) {
  cudaGraph_t graph = NULL;
  note(c, cudaStreamBeginCapture(c->stream, cudaStreamCaptureModeThreadLocal));
  program(arg);
  note(c, cudaStreamEndCapture(c->stream, &graph));
  if (!graph) return;
  note(c, cudaGraphInstantiate(&c->graph, graph, 0));
  note(c, cudaGraphDestroy(graph));
}

static trm_status op_run(trm__backend *be, trm__program *program, void *arg, int key,
                         trm_error *err) {
  CudaBackend *c = cuda_of(be);
  note(c, cudaSetDevice(c->index));
  if (!program || c->failed != cudaSuccess) return finish(c, err);
  const bool again = c->program == program && c->program_arg == arg && c->program_key == key;

  /* The first time as it is; the second time it is recorded, and replayed from then on. */
  if (!again) {
    forget_graph(c);
    c->program = program;
    c->program_arg = arg;
    c->program_key = key;
    program(arg);
    return finish(c, err);
  }
  if (!c->graph) record(c, program, arg);
  if (c->graph) note(c, cudaGraphLaunch(c->graph, c->stream));
  return finish(c, err);
}

/* --- creation -------------------------------------------------------------------------------- */

static bool number(const char **at, int *out) {
  const char *p = *at;
  for (*out = 0; *p >= '0' && *p <= '9' && p - *at < 3; p++) *out = 10 * *out + (*p - '0');
  const bool any = p > *at;
  *at = p;
  return any;
}
/* Whether Hopper's kernels are taken: on compute capability 9.0 alone (sm_90a is no subset of what
 * came later), unless TRM_CUDA_ARCH says an older one. */
static trm_status choose_kernels(const cudaDeviceProp *prop, const char *name, bool *hopper,
                                 trm_error *err) {
  const char *arch = getenv("TRM_CUDA_ARCH"), *at = arch;
  int major = prop->major, minor = prop->minor;
  if (arch && *arch) {
    const bool read = number(&at, &major) && *at++ == '.' && number(&at, &minor) && !*at;
    const bool older = major < prop->major || (major == prop->major && minor <= prop->minor);
    if (!read || major < LEAST_MAJOR || !older)
      return fail(
          err, TRM_E_CONFIG,
          "%s: TRM_CUDA_ARCH is %.20s, but should be a compute capability from %d.0 to this "
          "GPU's %d.%d, for example 8.0",
          name, arch, (int)LEAST_MAJOR, prop->major, prop->minor);
  }
  *hopper = prop->major == 9 && prop->minor == 0 && major == 9;
  return TRM_OK;
}

static trm_status check_model(const trm__dims *dims, const trm__block *blocks, int n_blocks,
                              const char *name, trm_error *err) {
  for (int i = 0; i < n_blocks; i++)
    if (!block_known(blocks[i].kind))
      return fail(
          err, TRM_E_CONFIG,
          "%s: the model has a kind of block that no GPU computes yet; choose the device cpu",
          name);
  if (dims->D % 8 != 0)
    return fail(err, TRM_E_CONFIG,
                "%s: hidden_size %d, but a GPU needs a multiple of 8; choose the device cpu", name,
                dims->D);
  if (dims->d > ATTENTION_MOST_D)
    return fail(
        err, TRM_E_CONFIG,
        "%s: heads of %d channels, but at most %d on a GPU: use more heads, or the device cpu",
        name, dims->d, (int)ATTENTION_MOST_D);
  return TRM_OK;
}

static void destroy(trm__backend *be) {
  CudaBackend *c = cuda_of(be);
  cudaSetDevice(c->index);
  if (c->stream) cudaStreamSynchronize(c->stream);
  forget_graph(c);
  products_destroy(&c->products);
  products_destroy(&c->exact);
  if (c->memory) cudaFree(c->memory);
  if (c->staging) cudaFreeHost(c->staging);
  if (c->stream) cudaStreamDestroy(c->stream);
  free(c->weights);
  free(be->blocks);
  free(c);
}

/* Carves the workspace of products, the weights as operands, and the tables. */
static void lay_out(CudaBackend *c, bool training, trm__carver *memory) {
  const trm__dims &dims = c->base.dims;
  const int64_t table = (int64_t)trm__grid_positions(&dims) * (dims.d / 2);
  const size_t value = (size_t)value_size(&c->base);
  int64_t parts = 0;
  c->workspace = trm__carve(memory, WORKSPACE, 1);

  /* Each weight as rows, and packed where a kernel reads it so; the most parts of a gradient. */
  for (int i = 0; i < c->base.n_blocks; i++) {
    BlockWeights *w = &c->weights[i];
    const trm__block &blk = c->base.blocks[i];
    for (int j = 0; j < blk.n_weights; j++) {
      w->w[j].ld = (blk.w[j].cols + 7) / 8 * 8;
      w->w[j].at = trm__carve(memory, blk.w[j].rows * (int64_t)w->w[j].ld, value);
      const int64_t scratch = gradient_scratch(blk.w[j].rows, blk.w[j].cols);
      parts = scratch > parts ? scratch : parts;
    }
    int64_t forward, backward;
    block_packed(c, blk.kind, &forward, &backward);
    if (forward) w->packed_forward = carve<bf16>(memory, forward);
    if (backward && training) w->packed_backward = carve<bf16>(memory, backward);
  }

  c->parts = carve<float>(memory, training ? parts : 0);
  c->cosine = carve<float>(memory, table);
  c->sine = carve<float>(memory, table);
}

/* Rotary positions, in double. */
static bool fill_tables(CudaBackend *c) {
  const trm__dims &dims = c->base.dims;
  const int half = dims.d / 2;
  const int positions = trm__grid_positions(&dims);
  const size_t n = (size_t)positions * (size_t)half;
  float *values = static_cast<float *>(malloc((2 * n + 1) * sizeof *values));
  if (!values) return false;
  for (int t = 0; t < positions && dims.rope; t++)
    for (int i = 0; i < half; i++) {
      const double angle = trm__rope_angle(&dims, t, i);
      values[t * half + i] = (float)cos(angle);
      values[n + t * half + i] = (float)sin(angle);
    }

  if (dims.rope) copy(c, c->cosine, values, n * sizeof *values, cudaMemcpyHostToDevice);
  if (dims.rope) copy(c, c->sine, values + n, n * sizeof *values, cudaMemcpyHostToDevice);
  free(values);
  return true;
}

static const char *op_kernels(const trm__backend *be) {
  return cuda_of(be)->kernels;
}

static void fill_ops(CudaBackend *c) {
  trm__backend_ops *o = &c->ops;
  o->name = c->name;
  o->host = false;
  o->kernels = op_kernels;
  o->slots = 1;
  o->block_positions = 2;
  o->destroy = destroy;
  o->alloc = op_alloc;
  o->release = op_release;
  o->put = op_put;
  o->get = op_get;
  o->copy = op_copy;
  o->put_latents = op_put_latents;
  o->get_latents = op_get_latents;
  o->budget = op_budget;
  o->held_bytes = op_held_bytes;
  o->run = op_run;
  set_ops(o);
  c->base.ops = o;
}

/* Everything behind the object. What CUDA refuses is noted, for finish to report. */
static trm_status begin(CudaBackend *c, const cudaDeviceProp *prop, const trm__block *blocks,
                        bool training, trm_error *err) {
  const trm__dims &dims = c->base.dims;
  const size_t n = (size_t)c->base.n_blocks;
  bool hopper = false;
  const trm_status st = choose_kernels(prop, c->name, &hopper, err);
  if (st != TRM_OK) return st;

  /* The host's part: a copy of the blocks, and which kernels serve these sizes. */
  c->kernels = hopper ? "cuda 9.0" : "cuda 8.0";
  c->base.blocks = static_cast<trm__block *>(malloc(n * sizeof *blocks));
  c->weights = static_cast<BlockWeights *>(calloc(n, sizeof *c->weights));
  if (!c->base.blocks || !c->weights) return fail(err, TRM_E_MEMORY, "no memory for %s", c->name);
  memcpy(c->base.blocks, blocks, n * sizeof *blocks);
  c->fused_mixer =
      is_bf16(&c->base) && !dims.gate_norm && mixer_fused_fits(dims.L, dims.D, dims.FL);
  c->mixer_groups = hopper && c->fused_mixer && mixer_groups_fits(dims.L, dims.D, dims.FL);
  c->gated = hopper && is_bf16(&c->base) && !dims.gate_norm && gated_fits(dims.D, dims.F);
  c->multiprocessors = prop->multiProcessorCount;

  /* The device's memory, in one block. */
  trm__carver count = {}, memory = {};
  note(c, cudaStreamCreateWithFlags(&c->stream, cudaStreamNonBlocking));
  lay_out(c, training, &count);
  c->bytes = count.bytes;
  c->memory = c->failed == cudaSuccess ? take(c, (size_t)c->bytes) : NULL;
  if (!c->memory && c->failed == cudaSuccess)
    return fail(
        err, TRM_E_MEMORY,
        "%s: no memory for weights and work space (%lld MiB): end what else uses the GPU, or "
        "choose the device cpu",
        c->name, (long long)(c->bytes >> 20));
  memory.block = static_cast<unsigned char *>(c->memory);
  lay_out(c, training, &memory);
  note_product(c, products_create(&c->products, is_bf16(&c->base) ? CUDA_R_16BF : CUDA_R_32F,
                                  c->workspace, WORKSPACE));
  if (training) note_product(c, products_create(&c->exact, CUDA_R_32F, c->workspace, WORKSPACE));

  /* Pinned memory of the host for what is sent; the tables of rotary positions. */
  if (c->failed == cudaSuccess) {
    const cudaError_t error = cudaMallocHost(&c->staging, STAGING);
    if (error == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      return fail(err, TRM_E_MEMORY, "%s: no memory of the host for what is sent to it (%d MiB)",
                  c->name, (int)(STAGING >> 20));
    }
    note(c, error);
  }
  if (c->failed == cudaSuccess && !fill_tables(c))
    return fail(err, TRM_E_MEMORY, "no memory for %s", c->name);
  return finish(c, err);
}

static trm_status create(int index, const trm__dims *dims, const trm__outer *outer,
                         const trm__block *blocks, int n_blocks, bool training, trm__backend **out,
                         trm_error *err) {
  cudaDeviceProp prop;
  trm_status st = check_device(index, &prop, err);
  cudaGetLastError();
  if (st != TRM_OK) return st;

  /* The object first: what cannot be finished is destroyed as what can. */
  CudaBackend *c = static_cast<CudaBackend *>(calloc(1, sizeof *c));
  if (!c) return fail(err, TRM_E_MEMORY, "no memory for cuda:%d", index);
  c->index = index;
  snprintf(c->name, sizeof c->name, "cuda:%d", index);
  c->base.dims = *dims;
  c->base.outer = *outer;
  c->base.n_blocks = n_blocks;
  fill_ops(c);

  st = check_model(dims, blocks, n_blocks, c->name, err);
  if (st == TRM_OK) st = begin(c, &prop, blocks, training, err);
  if (st != TRM_OK) {
    destroy(&c->base);
    return st;
  }
  *out = &c->base;
  return TRM_OK;
}

static trm_status rates(int index, trm_dtype dtype, int m, int n, int k, double *flops,
                        double *bytes, trm_error *err) {
  cudaDeviceProp prop;
  Rates r;
  const trm_status st = check_device(index, &prop, err);
  cudaGetLastError();
  if (st != TRM_OK) return st;
  const cudaError_t error = measure_rates(dtype == TRM_BFLOAT16, m, n, k, &r);
  cudaGetLastError();
  if (error != cudaSuccess || r.product != CUBLAS_STATUS_SUCCESS)
    return fail(
        err, error == cudaErrorMemoryAllocation ? TRM_E_MEMORY : TRM_E_SYSTEM,
        "cuda:%d: a product of %d x %d x %d cannot be timed: %s", index, m, n, k,
        error != cudaSuccess ? cudaGetErrorString(error) : cublasLtGetStatusString(r.product));
  *flops = r.flops;
  *bytes = r.bytes;
  return TRM_OK;
}

extern "C" TRM_API trm__plugin_fn trm__plugin_table;
const trm__plugin *trm__plugin_table(void) {
  static const trm__plugin table = {TRM_VERSION, trm__plugin_abi(), describe, create, rates};
  return &table;
}
