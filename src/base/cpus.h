/* How many processors this process may keep busy: what it may run on, and what the CPU limits
 * of its control groups (a container's) leave of that. */
#ifndef TRM_BASE_CPUS_H
#define TRM_BASE_CPUS_H

/* Processors of the affinity mask, but not more than the control groups allow; at least 1. */
int trm__default_threads(void);
/* The CPU limit of this process's control groups in processors, rounded up (1.5 processors keep
 * two threads busy three quarters of the time, one thread would leave a third unused); 0: no
 * limit. Understands version 2 (cpu.max) and version 1 (cpu.cfs_quota_us, cpu.cfs_period_us) and
 * takes the smallest limit from the process's group up to the mount. All files are looked for
 * below `root`: "" is the machine. What cannot be read or understood sets no limit. */
int trm__cgroup_cpus(const char *root);

#endif
