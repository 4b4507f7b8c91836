/* The named tensors of a checkpoint, whatever holds them: a file of torch.save, a safetensors file,
 * or the index (NAME.index.json) of several of either. */
#ifndef TRM_IO_TENSOR_SET_H
#define TRM_IO_TENSOR_SET_H

#include "io/torch_file.h"

typedef struct trm__tensor_set trm__tensor_set;

/* What a file is is seen in its first bytes. Reads names and shapes, no elements. Errors: IO;
 * MEMORY; FORMAT, where the file is something else with what it is. */
trm_status trm__tensor_set_open(const char *path, trm__tensor_set **out, trm_error *err);
void trm__tensor_set_close(trm__tensor_set *set); /* NULL is fine */
int trm__tensor_set_count(const trm__tensor_set *set);
/* trm__torch_to_float reads its elements. */
const trm__torch_tensor *trm__tensor_set_at(const trm__tensor_set *set, int i);
/* FORMAT unless the bytes of the i-th are what its file says of them, where it says so. */
trm_status trm__tensor_set_check(const trm__tensor_set *set, int i, trm_error *err);
/* What the file holds beside tensors, for a message; "" when it is nothing. */
const char *trm__tensor_set_rest(const trm__tensor_set *set);

#endif
