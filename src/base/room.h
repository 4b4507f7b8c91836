/* How much memory this process can still take before the system refuses it or ends the process. */
#ifndef TRM_BASE_ROOM_H
#define TRM_BASE_ROOM_H

#include <stdint.h>

#include "base/error.h"

typedef struct trm__room {
  int64_t bytes;  /* INT64_MAX: nothing is known */
  const char *of; /* the limit that binds, as in "left of %s"; "" when nothing is known */
} trm__room;

/* The least of the limits that the system knows (base/os_machine.h): on Linux what the machine has
 * free (with swap), what the memory limits of the control groups leave, RLIMIT_AS and RLIMIT_DATA.
 * Files are looked for below `root`: "" is the machine. */
trm__room trm__memory_room(const char *root);

/* MEMORY when there is less room than `bytes`, with `what` needs it, the limit and `remedy`. Memory
 * is handed out on trust: without asking first, a process that takes too much is ended when it
 * writes to it. */
trm_status trm__room_for(int64_t bytes, const char *what, const char *remedy, trm_error *err);

#endif
