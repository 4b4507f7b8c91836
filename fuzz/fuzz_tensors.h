/* safetensors files for targets, whose length field a search can hardly keep right; and a model
 * that is small enough for a good one to be an input. */
#ifndef TRM_FUZZ_TENSORS_H
#define TRM_FUZZ_TENSORS_H

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "trm/model.h"

/* A file of `input` as it is or, when that begins with '{', of its length in eight bytes, the JSON
 * object, and `data` with its last bytes replaced by what follows the object. */
static inline const char *fuzz_tensors(int slot, fuzz_bytes input, fuzz_bytes data) {
  if (!input.size || input.data[0] != '{') return fuzz_file(slot, input.data, input.size);
  json_error_t end;
  json_decref(json_loadb((const char *)input.data, input.size, JSON_DISABLE_EOF_CHECK, &end));
  uint64_t length = end.position > 0 ? (uint64_t)end.position : input.size;
  if (length > input.size) length = input.size;
  const size_t tail = input.size - (size_t)length;
  data.size = tail < data.size ? data.size - tail : 0;
  uint8_t *file = malloc(sizeof length + input.size + data.size), *at = file;
  FUZZ_CHECK(file);
  memcpy(at, &length, sizeof length);
  memcpy(at += sizeof length, input.data, (size_t)length);
  at += length;
  if (data.size) memcpy(at, data.data, data.size);
  if (tail) memcpy(at + data.size, input.data + length, tail);
  const char *path = fuzz_file(slot, file, sizeof length + input.size + data.size);
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
