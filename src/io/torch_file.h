/* Tensors in the files of torch.save: a zip archive NAME/data.pkl, NAME/data/0, NAME/data/1 …,
 * where the pickle holds a dictionary of names and tensors, maybe one or more levels down, and each
 * tensor is a window, with strides, on one of the numbered storages. What else such dictionaries
 * hold - counters, lists, states of optimisers and generators - is passed over. */
#ifndef TRM_IO_TORCH_FILE_H
#define TRM_IO_TORCH_FILE_H

#include "io/safetensors.h"

/* data: the first element in the file's mapping; an element at (i, j, …) is
 * i * stride[0] + j * stride[1] + … elements behind it: this was checked. A tensor may be spread,
 * transposed or overlap itself and others, but those of more than 2^20 elements are no larger than
 * their storage. */
typedef struct trm__torch_tensor {
  const char *name;
  const char *where; /* keys of the dictionaries around it: "ema.shadow"; "": the outermost */
  trm__dtype dtype;
  int ndim;
  int64_t shape[TRM__ST_MAX_DIMS], stride[TRM__ST_MAX_DIMS];
  int64_t count;
  const unsigned char *data;
  int entry; /* of the archive */
} trm__torch_tensor;

typedef struct trm__torch_file trm__torch_file;

/* Reads names and shapes, no elements. Errors: IO; MEMORY; FORMAT, for old (not zip) torch files
 * and TorchScript with what to do about it. */
trm_status trm__torch_open(const char *path, trm__torch_file **out, trm_error *err);
void trm__torch_close(trm__torch_file *file); /* NULL is fine */
int trm__torch_count(const trm__torch_file *file);
/* The i-th: outer dictionaries before inner ones, each in its order. */
const trm__torch_tensor *trm__torch_at(const trm__torch_file *file, int i);
/* What the outermost dictionary holds beside tensors: "\"step\" (a whole number), …", maybe cut. */
const char *trm__torch_top(const trm__torch_file *file);
/* FORMAT unless the tensor's whole storage has the CRC that the archive says, where it says one. */
trm_status trm__torch_check(const trm__torch_file *file, const trm__torch_tensor *t,
                            trm_error *err);
/* out[n] = elements first, first + 1 … in row-major order, of a tensor of a float type. */
void trm__torch_to_float(const trm__torch_tensor *t, int64_t first, int64_t n, float *out);

/* Writes tensors (F32, BF16 or I32; names distinct) as torch.save writes an OrderedDict of them,
 * complete or not at all; torch.load reads it, also with weights_only=True. `prefix` stands before
 * each name. Errors: ARGUMENT, IO, MEMORY. */
trm_status trm__torch_save(const char *path, const char *prefix, const trm__st_tensor *tensors,
                           int n, trm_error *err);

#endif
