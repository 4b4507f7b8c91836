/* See tell.h. */
#include "run/tell.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "comm/comm.h"

static void tell(const trm_run_listener *to, trm_run_level level, const char *fmt, va_list args) {
  char text[1024];
  if (!to || !to->message || !trm__comm_leads(to->comm)) return;
  (void)vsnprintf(text, sizeof text, fmt, args);
  trm__text_clean(text);
  to->message(to->arg, level, text);
}

void trm__note(const trm_run_listener *to, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  tell(to, TRM_RUN_NOTE, fmt, args);
  va_end(args);
}

void trm__warn(const trm_run_listener *to, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  tell(to, TRM_RUN_WARNING, fmt, args);
  va_end(args);
}

void trm__tell_line(const trm_run_listener *to, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  tell(to, TRM_RUN_LINE, fmt, args);
  va_end(args);
}

/* A listener may leave its record as it was. */
trm_status trm__ask_sound(const trm_run_listener *to, trm_error *err) {
  trm_error cause = {0};
  const trm_status st = to && to->sound ? to->sound(to->arg, &cause) : TRM_OK;
  if (st == TRM_OK) return TRM_OK;
  return trm__fail(err, st, cause.pos, "%s", cause.msg[0] ? cause.msg : "a read was not sound");
}

bool trm__tell_progress(const trm_run_listener *to, const trm_run_progress *p) {
  return !to || !to->progress || to->progress(to->arg, p);
}
