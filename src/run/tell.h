/* What is told to whoever uses a run (trm_run_listener). */
#ifndef TRM_RUN_TELL_H
#define TRM_RUN_TELL_H

#include "base/error.h"
#include "trm/run.h"

/* A message for a listener, NULL: nobody; what is longer than a line of some size is cut. */
void trm__note(const trm_run_listener *to, const char *fmt, ...) TRM__PRINTF(2, 3);
void trm__warn(const trm_run_listener *to, const char *fmt, ...) TRM__PRINTF(2, 3);
/* A line of a file, to be copied as it is. */
void trm__tell_line(const trm_run_listener *to, const char *fmt, ...) TRM__PRINTF(2, 3);
/* Whether what was read until now was whole, as the listener knows it. */
trm_status trm__ask_sound(const trm_run_listener *to, trm_error *err);
/* How far it is; false: the listener wants it to stop. */
bool trm__tell_progress(const trm_run_listener *to, const trm_run_progress *p);

#endif
