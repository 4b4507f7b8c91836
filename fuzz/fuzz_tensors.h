/* safetensors files for targets, whose length field a search can hardly keep right; and a model
 * that is small enough for a good one to be an input. */
#ifndef TRM_FUZZ_TENSORS_H
#define TRM_FUZZ_TENSORS_H

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "io/dtype.h"
#include "trm/model.h"

enum { FUZZ_TENSORS_MOST = 1 << 20 /* bytes of data in a file made from a longer input */ };

/* Sets the offsets of a tensor to what its type and shape want, from *at on. */
static inline void fuzz_place_tensor(json_t *entry, size_t *at) {
  const char *type = json_string_value(json_object_get(entry, "dtype"));
  const json_t *shape = json_object_get(entry, "shape");
  size_t bytes = 0;
  for (int i = 0; type && i < TRM__N_DTYPES; i++)
    if (!strcmp(type, trm__dtype_name((trm__dtype)i))) bytes = trm__dtype_size((trm__dtype)i);
  for (size_t i = 0; i < json_array_size(shape); i++) {
    const json_int_t n = json_integer_value(json_array_get(shape, i));
    bytes = n > 0 && n < 4096 && bytes < 65536 ? bytes * (size_t)n : 0;
  }
  if (!json_is_object(entry) || *at + bytes > FUZZ_TENSORS_MOST) return;
  json_object_set_new(entry, "data_offsets",
                      json_pack("[I, I]", (json_int_t)*at, (json_int_t)(*at + bytes)));
  *at += bytes;
}

/* The header with all offsets set (free), and the bytes of data it wants. */
static inline char *fuzz_place_tensors(json_t *header, size_t *bytes) {
  const char *name;
  json_t *entry;
  *bytes = 0;
  json_object_foreach(header, name, entry) if (strcmp(name, "__metadata__"))
      fuzz_place_tensor(entry, bytes);
  char *text = json_dumps(header, JSON_COMPACT);
  FUZZ_CHECK(text);
  return text;
}

/* A file of `input` as it is or, when that begins with '{' or '*', of a length in eight bytes, the
 * JSON object, and `data` with its last bytes replaced by what follows the object. With '*' the
 * object's offsets are made right and the data as long as they say. */
static inline const char *fuzz_tensors(int slot, fuzz_bytes input, fuzz_bytes data) {
  if (!input.size || (input.data[0] != '{' && input.data[0] != '*'))
    return fuzz_file(slot, input.data, input.size);
  const bool place = input.data[0] == '*';
  input.data += place;
  input.size -= place;
  json_error_t end;
  json_t *header = json_loadb((const char *)input.data, input.size, JSON_DISABLE_EOF_CHECK, &end);
  const size_t taken =
      end.position > 0 && (size_t)end.position < input.size ? (size_t)end.position : input.size;
  size_t tail = input.size - taken, bytes = data.size > tail ? data.size : tail;
  char *text = NULL;
  if (place && json_is_object(header)) text = fuzz_place_tensors(header, &bytes);
  json_decref(header);
  if (tail > bytes) tail = bytes;
  const uint64_t length = text ? strlen(text) : taken;
  uint8_t *file = calloc(1, sizeof length + (size_t)length + bytes + 1), *at = file;
  FUZZ_CHECK(file);
  memcpy(at, &length, sizeof length);
  at += sizeof length;
  if (length) memcpy(at, text ? text : (const char *)input.data, (size_t)length);
  at += length;
  if (data.size) memcpy(at, data.data, data.size < bytes ? data.size : bytes);
  if (tail) memcpy(at + bytes - tail, input.data + taken, tail);
  const char *path = fuzz_file(slot, file, (size_t)(at - file) + bytes);
  free(text);
  free(file);
  return path;
}

enum { FUZZ_CELLS = 4 };

static inline trm_model_config fuzz_small_model(void) {
  trm_model_config c = trm_model_config_default(TRM_ARCH_TRM);
  c.vocab_size = 4;
  c.seq_len = FUZZ_CELLS;
  c.num_puzzle_identifiers = 2;
  c.hidden_size = 4;
  c.num_heads = 2;
  c.expansion = 1;
  c.L_layers = c.H_cycles = c.L_cycles = 1;
  c.puzzle_emb_ndim = 4;
  c.puzzle_emb_len = 1;
  c.halt_max_steps = 2;
  return c;
}

#endif
