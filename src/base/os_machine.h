/* The seam for the system (see os_thread.h): what the machine has, and what of it this process may
 * take. Nothing here fails: what a system does not say sets no limit. Any thread may ask. */
#ifndef TRM_BASE_OS_MACHINE_H
#define TRM_BASE_OS_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRM__NO_LIMIT UINT64_MAX

/* Processors that this process may keep busy: of its affinity mask, but not more than its control
 * groups (a container's) allow; at least 1, and 1 where there are no threads. */
int trm__os_processors(void);

/* A limit on memory. */
typedef struct trm__os_limit {
  uint64_t bytes; /* that can still be taken, TRM__NO_LIMIT */
  const char *of; /* as in "left of %s" */
} trm__os_limit;
enum { TRM__OS_LIMITS = 4 };
/* Those that the system knows: *out has so many. Files are looked for below `root`, "" is the
 * machine. */
size_t trm__os_limits(const char *root, trm__os_limit out[TRM__OS_LIMITS]);

/* `bytes` of memory, a multiple of 64, at a multiple of 64, and of `align` (a larger power of two)
 * where that gains something: as of large pages, which the system is then asked for. NULL when
 * there are none. What they hold is undefined; free() takes the block back. */
void *trm__os_block(size_t align, size_t bytes);

/* Names for people, cut where there is no room: of the machine; of the system with its version and
 * the instruction set; of the processor. "": unknown. */
void trm__os_host(char *text, size_t n);
void trm__os_system(char *text, size_t n);
void trm__os_processor(char *text, size_t n);

/* On 64-bit ARM: whether there are instructions for bfloat16, and for dot products of bytes, as far
 * as the system says. */
bool trm__os_has_arm_bf16(void);
bool trm__os_has_arm_dot(void);
/* On x86-64: whether there is AVX-VNNI, dot products of bytes in vectors of 256 bits, for which not
 * every compiler has a name. */
bool trm__os_has_avx_vnni(void);
/* On x86-64: whether there are matrix tiles for bfloat16 (AMX) and this process may use them, from
 * now on and in all its threads. Tiles are large, so that a system saves them only for processes
 * that asked, which this does. A thread's alternative signal stack then has to hold them, too:
 * where there is a smaller one already the answer is no. The first answer stays, whatever signal
 * stacks come and go: what one process computes is computed in one way. */
bool trm__os_grants_amx(void);

#endif
