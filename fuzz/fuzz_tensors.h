/* safetensors files for targets, whose length field a search can hardly keep right. */
#ifndef TRM_FUZZ_TENSORS_H
#define TRM_FUZZ_TENSORS_H

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

/* A file of `input` as it is or, when that begins with '{', of its length in eight bytes, the JSON
 * object and what follows it; `rest` stands for what follows when nothing does. */
static inline const char *fuzz_tensors(int slot, fuzz_bytes input, fuzz_bytes rest) {
  if (!input.size || input.data[0] != '{') return fuzz_file(slot, input.data, input.size);
  json_error_t end;
  json_decref(json_loadb((const char *)input.data, input.size, JSON_DISABLE_EOF_CHECK, &end));
  const uint64_t length = end.position > 0 ? (uint64_t)end.position : input.size;
  if (length < input.size) rest.size = 0;
  uint8_t *file = malloc(sizeof length + input.size + rest.size);
  FUZZ_CHECK(file && length <= input.size);
  memcpy(file, &length, sizeof length);
  memcpy(file + sizeof length, input.data, input.size);
  if (rest.size) memcpy(file + sizeof length + input.size, rest.data, rest.size);
  const char *path = fuzz_file(slot, file, sizeof length + input.size + rest.size);
  free(file);
  return path;
}

#endif
