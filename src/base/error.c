/* The error record: one bounded, printable sentence and a code. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

trm_status trm__fail(trm_error *err, trm_status code, int64_t pos, const char *fmt, ...) {
  if (!err) return code;
  /* Formatted apart, because an argument may be the message that is being replaced. */
  char msg[sizeof err->msg];
  va_list args;
  va_start(args, fmt);
  if (vsnprintf(msg, sizeof msg, fmt, args) < 0) msg[0] = 0;
  va_end(args);
  trm__text_clean(msg); /* names and texts out of hostile files */
  err->code = code;
  err->pos = pos;
  memcpy(err->msg, msg, sizeof msg);
  return code;
}

const char *trm_status_text(trm_status code) {
  static const char *const texts[] = {
#define TRM_STATUS_ENTRY(name, text) [name] = (text),
      TRM_STATUS_MAP(TRM_STATUS_ENTRY)
#undef TRM_STATUS_ENTRY
  };
  const size_t n = sizeof texts / sizeof texts[0];
  return (size_t)code < n ? texts[code] : "unknown status";
}
