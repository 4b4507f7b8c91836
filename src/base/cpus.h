/* How many processors this process may keep busy: what it may run on, and what the CPU limits
 * of its control groups (a container's) leave of that. */
#ifndef TRM_BASE_CPUS_H
#define TRM_BASE_CPUS_H

/* Processors of the affinity mask, but not more than the control groups allow; at least 1. */
int trm__default_threads(void);
/* Threads for work that asks for so many (0: by default): not more than there are processors, for
 * threads that meet at barriers are late where one of them waits for a processor, and no work gets
 * faster by more. What no pool takes (base/team.h) comes back as it is, to be refused there. */
int trm__useful_threads(int asked);

#endif
