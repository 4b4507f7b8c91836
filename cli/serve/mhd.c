/* See mhd.h. */
#ifdef TRM_MHD
#include "cli/serve/mhd.h"

#include <string.h>

#include "base/os_library.h"

/* The version of its interface that the header is of. */
#ifdef __APPLE__
#define LIBRARY "libmicrohttpd.12.dylib"
#else
#define LIBRARY "libmicrohttpd.so.12"
#endif

trm_status serve_mhd_load(serve_mhd *out, trm_error *err) {
  char why[256];
  void *library = trm__os_library_open(LIBRARY, why, sizeof why), *symbol;
  if (!library)
    return cli_fail(err, TRM_E_SYSTEM, -1,
                    "trm serve needs libmicrohttpd (the package libmicrohttpd12 of Debian): %.200s",
                    why);

    /* By memcpy, for C has no cast from an object to a function. */
#define LOAD(name)                                                                                 \
  symbol = trm__os_library_symbol(library, #name);                                                 \
  if (!symbol) return cli_fail(err, TRM_E_SYSTEM, -1, LIBRARY " has no %s: it is too old", #name); \
  memcpy(&out->name, &symbol, sizeof symbol);
  SERVE_MHD_FUNCTIONS(LOAD)
#undef LOAD
  return TRM_OK;
}
#else
typedef int serve_mhd_is_left_out; /* a file of C has a declaration */
#endif
