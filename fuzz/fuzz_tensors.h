/* safetensors files for targets, whose length field a search can hardly keep right; and a model
 * that is small enough for a good one to be an input. */
#ifndef TRM_FUZZ_TENSORS_H
#define TRM_FUZZ_TENSORS_H

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "fuzz.h"
#include "io/dtype.h"
#include "io/json.h"
#include "trm/model.h"

enum { FUZZ_TENSORS_MOST = 1 << 20 /* bytes of data in a file made from a longer input */ };

/* The bytes that a tensor's type and shape want. */
static inline size_t fuzz_tensor_bytes(const trm__json *entry) {
  const char *type = trm__json_text(trm__json_get(entry, "dtype"));
  const trm__json *shape = trm__json_get(entry, "shape");
  size_t bytes = 0;
  for (int i = 0; type && i < TRM__N_DTYPES; i++)
    if (!strcmp(type, trm__dtype_name((trm__dtype)i))) bytes = trm__dtype_size((trm__dtype)i);
  for (size_t i = 0; i < trm__json_n_items(shape); i++) {
    const int64_t n = trm__json_integer(trm__json_item(shape, i));
    bytes = n > 0 && n < 4096 && bytes < 65536 ? bytes * (size_t)n : 0;
  }
  return bytes;
}

/* A tensor with offsets as they should be, from *at on. */
static inline void fuzz_place_tensor(trm__json_out *o, const char *name, const trm__json *entry,
                                     size_t *at) {
  const size_t bytes = fuzz_tensor_bytes(entry);
  if (!trm__json_is(entry, TRM__JSON_OBJECT) || *at + bytes > FUZZ_TENSORS_MOST ||
      !strcmp(name, "__metadata__")) {
    trm__json_put_value(o, name, entry);
    return;
  }
  trm__json_open(o, name, '{');
  for (size_t i = 0; i < trm__json_n_members(entry); i++)
    if (strcmp(trm__json_key(entry, i), "data_offsets") != 0)
      trm__json_put_value(o, trm__json_key(entry, i), trm__json_member(entry, i));
  trm__json_open(o, "data_offsets", '[');
  trm__json_put_int(o, NULL, (int64_t)*at);
  trm__json_put_int(o, NULL, (int64_t)(*at + bytes));
  trm__json_close(o);
  trm__json_close(o);
  *at += bytes;
}

/* The header with all offsets set (trm__free), and the bytes of data it wants; NULL: it is deeper
 * than can be written. */
static inline char *fuzz_place_tensors(const trm__json *header, size_t *bytes) {
  trm__json_out o = trm__json_begin(TRM__JSON_COMPACT);
  char *text;
  *bytes = 0;
  trm__json_open(&o, NULL, '{');
  for (size_t i = 0; i < trm__json_n_members(header); i++)
    fuzz_place_tensor(&o, trm__json_key(header, i), trm__json_member(header, i), bytes);
  trm__json_close(&o);
  const trm_status st = trm__json_finish(&o, "a header", &text, NULL);
  FUZZ_CHECK(st == TRM_OK || st == TRM_E_ARGUMENT);
  return text;
}

/* A file of `input` as it is or, when that begins with '{' or '*', of a length in eight bytes, the
 * JSON object, and `data` with its last bytes replaced by what follows the object. With '*' the
 * object's offsets are made right and the data as long as they say. */
static inline const char *fuzz_tensors(int slot, fuzz_bytes input, fuzz_bytes data) {
  /* A file as it is. */
  if (!input.size || (input.data[0] != '{' && input.data[0] != '*'))
    return fuzz_file(slot, input.data, input.size);
  const bool place = input.data[0] == '*';
  input.data += place;
  input.size -= place;

  /* The header, and where it ends in the input; what follows it belongs to the data. */
  trm__json *header;
  trm__json_fault fault;
  size_t taken;
  if (trm__json_decode((const char *)input.data, input.size, &taken, &header, &fault) != TRM_OK)
    taken = fault.byte ? fault.byte : input.size;
  size_t tail = input.size - taken, bytes = data.size > tail ? data.size : tail;

  /* Offsets that are right, on demand. */
  char *text = NULL;
  if (place && trm__json_is(header, TRM__JSON_OBJECT)) text = fuzz_place_tensors(header, &bytes);
  trm__json_free(header);
  if (tail > bytes) tail = bytes;

  /* Length, header, data. */
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
  trm__free(text);
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
