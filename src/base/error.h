/* How library code reports a failure: fill the caller's record and return. */
#ifndef TRM_BASE_ERROR_H
#define TRM_BASE_ERROR_H

#include "trm/status.h"

#if defined(__GNUC__)
#define TRM__PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define TRM__PRINTF(fmt, args)
#endif

/* Writes code, position and message into `err` (NULL is fine); returns `code`. */
trm_status trm__fail(trm_error *err, trm_status code, int64_t pos, const char *fmt, ...)
    TRM__PRINTF(4, 5);

/* The end of "cells" and other plurals, by how many there are. */
#define TRM__S(n) ((n) == 1 ? "" : "s")

/* Return from the calling function with an error that has no position. The code is returned as
 * itself, not through the call, so that the compiler knows it is not TRM_OK. */
#define TRM_FAIL(err, code, ...) TRM_FAIL_AT(err, code, -1, __VA_ARGS__)
/* The same with a line or byte. */
#define TRM_FAIL_AT(err, code, pos, ...)                   \
  do {                                                     \
    trm__fail((err), (code), (int64_t)(pos), __VA_ARGS__); \
    return (code);                                         \
  } while (0)
/* Forward the failure of `call`, whose error record is already filled. */
#define TRM_TRY(call)                                    \
  do {                                                   \
    trm_status trm_try_status = (call);                  \
    if (trm_try_status != TRM_OK) return trm_try_status; \
  } while (0)
/* The same for functions with a single clean-up label `done` and a local `st`. */
#define TRM_GOTO(call)           \
  do {                           \
    st = (call);                 \
    if (st != TRM_OK) goto done; \
  } while (0)

#endif
