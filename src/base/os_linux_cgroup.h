/* The limits that control groups (a container's) set to this process. */
#ifndef TRM_BASE_OS_LINUX_CGROUP_H
#define TRM_BASE_OS_LINUX_CGROUP_H

#include <stdint.h>

#include "base/os_machine.h"

typedef enum trm__cgroup_resource {
  /* Processors, rounded up (1.5 processors keep two threads busy three quarters of the time, one
   * thread would leave a third unused), of cpu.max (version 2), or cpu.cfs_quota_us and
   * cpu.cfs_period_us (version 1). */
  TRM__CGROUP_CPUS,
  /* Bytes that can still be taken: memory.max and memory.high, or memory.limit_in_bytes, less what
   * is used but for cached files, which give way. */
  TRM__CGROUP_MEMORY
} trm__cgroup_resource;

/* The smallest limit from the process's group up to the mount, TRM__NO_LIMIT if there is none. All
 * files are looked for below `root`: "" is the machine. What cannot be read or understood sets no
 * limit. */
uint64_t trm__cgroup_limit(const char *root, trm__cgroup_resource resource);

/* The numbers behind these words at the beginning of a line, one line each, as in /proc/meminfo
 * ("MemFree:   123 kB"); TRM__NO_LIMIT of one that is not there. The file is read once. */
void trm__numbers_after(const char *path, const char *const *names, int n, uint64_t *out);

#endif
