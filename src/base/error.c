/* The error record: one bounded, printable sentence and a code. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

trm_status trm__fail(trm_error *err, trm_status code, int64_t pos, const char *fmt, ...) {
  if (!err) return code;
  /* Formatted apart, because an argument may be the message that is being replaced. */
  char msg[sizeof err->msg];
  va_list args;
  va_start(args, fmt);
  if (vsnprintf(msg, sizeof msg, fmt, args) < 0) msg[0] = 0;
  va_end(args);
  /* Names out of hostile files must not send control characters to a terminal. */
  for (char *c = msg; *c; c++) {
    if ((unsigned char)*c < ' ' || *c == 127) *c = '?';
  }
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
