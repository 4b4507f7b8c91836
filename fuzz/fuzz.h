/* What the fuzz targets share: inputs as files in memory, inputs of several parts, and the check
 * that turns a broken promise into a crash.
 *
 * A target is LLVMFuzzerTestOneInput: it gives one input to the code that reads such input from
 * outside, and always returns 0. Built with libFuzzer it is searched with; else replay.c calls it
 * for each file of its corpus. Beside the sanitizers' findings a target checks what the headers
 * promise: how errors look, and that what was accepted can be written and read again. */
#ifndef TRM_FUZZ_H
#define TRM_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trm/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the process with the place and the condition when it does not hold. */
#define FUZZ_CHECK(condition)                                                 \
  do {                                                                        \
    if (!(condition)) fuzz_failed(__FILE__, __LINE__, #condition, (void *)0); \
  } while (0)
/* For steps that only a broken machine or target can fail: shows the message, too. */
#define FUZZ_MUST(call)                                                           \
  do {                                                                            \
    trm_error fuzz_error;                                                         \
    if ((call) != TRM_OK) fuzz_failed(__FILE__, __LINE__, #call, fuzz_error.msg); \
  } while (0)
_Noreturn void fuzz_failed(const char *file, int line, const char *what, const char *message);

/* Checks that a failure has a code that a file may cause and a printable message; true when st is
 * TRM_OK. Out of memory is none: no input of a fuzzer's size may ask for so much. */
bool fuzz_accepted(trm_status st, const trm_error *err);
/* The same for a message of the program, which makes it printable when it is shown. */
bool fuzz_accepted_cli(trm_status st, const trm_error *err);

typedef struct fuzz_bytes {
  const uint8_t *data;
  size_t size;
} fuzz_bytes;

/* Splits an input at lines "====" into up to n parts; those that are absent are empty. */
void fuzz_split(const uint8_t *data, size_t size, fuzz_bytes *parts, int n);

enum { FUZZ_FILES = 10 };

/* The path of a file in memory with these bytes; slot < FUZZ_FILES names the file, whose bytes stay
 * until the next call. */
const char *fuzz_file(int slot, const void *data, size_t size);

/* The same with the part of an input or, where that is empty, with what stands for it. */
const char *fuzz_part(int slot, fuzz_bytes part, const void *good, size_t size);

/* The path of a folder of this process (in $TMPDIR, else in /dev/shm), removed when it ends. */
const char *fuzz_folder(void);
/* FOLDER/name; valid until the next call but three. */
const char *fuzz_path(const char *name);
/* A file of those bytes there. */
void fuzz_put_file(const char *name, const void *data, size_t size);
/* Makes fuzz_path(name) a link to the file of a slot. */
void fuzz_link(const char *name, int slot);

#endif
