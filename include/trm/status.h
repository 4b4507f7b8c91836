/* Status codes and the error record that every fallible call fills.
 *
 * A function that can fail returns trm_status and takes a `trm_error *` last;
 * the caller owns the record and may pass NULL when only the code matters.
 * The library never prints, exits or aborts.
 */
#ifndef TRM_STATUS_H
#define TRM_STATUS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define TRM_API __attribute__((visibility("default")))
#else
#define TRM_API
#endif

/* X(name, text): the one list of status codes. */
#define TRM_STATUS_MAP(X)                                                 \
  X(TRM_OK, "ok")                                                         \
  X(TRM_E_ARGUMENT, "an argument is out of its range")                    \
  X(TRM_E_CONFIG, "a configuration value is unknown or out of its range") \
  X(TRM_E_MEMORY, "out of memory")                                        \
  X(TRM_E_IO, "a file could not be read or written")                      \
  X(TRM_E_FORMAT, "a file is not what its format promises")               \
  X(TRM_E_SHAPE, "two shapes that must agree do not")                     \
  X(TRM_E_RANGE, "a value in the data is out of its range")               \
  X(TRM_E_PUZZLE, "a puzzle or its answer breaks its own rules")          \
  X(TRM_E_NUMERIC, "a computation gave NaN or infinity")                  \
  X(TRM_E_SYSTEM, "the operating system refused a request")               \
  X(TRM_E_INTERRUPTED, "stopped on request")

typedef enum trm_status {
#define TRM_STATUS_ENUM(name, text) name,
  TRM_STATUS_MAP(TRM_STATUS_ENUM)
#undef TRM_STATUS_ENUM
} trm_status;

typedef struct trm_error {
  trm_status code;
  int64_t pos;   /* line or byte the message speaks of, -1 when it has none */
  char msg[488]; /* one sentence, no newline, always terminated */
} trm_error;

/* The text of a status code; "unknown status" for a value outside the list. */
TRM_API const char *trm_status_text(trm_status code);

#ifdef __cplusplus
}
#endif
#endif
