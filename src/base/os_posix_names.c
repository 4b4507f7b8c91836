/* POSIX: what the machine and its system are called; see os_machine.h. */
#define _GNU_SOURCE 1 /* in front of every header: POSIX's functions beside C's */
#include <stdio.h>
#include <sys/utsname.h>

#include "base/os_machine.h"

void trm__os_host(char *text, size_t n) {
  struct utsname u;
  (void)snprintf(text, n, "%s", uname(&u) < 0 ? "" : u.nodename);
}

void trm__os_system(char *text, size_t n) {
  struct utsname u;
  if (uname(&u) < 0)
    (void)snprintf(text, n, "%s", "");
  else
    (void)snprintf(text, n, "%s %s %s", u.sysname, u.release, u.machine);
}
