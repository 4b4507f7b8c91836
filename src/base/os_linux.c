/* Linux: sleeping in the kernel, what the machine has and what limits leave of it; see os_thread.h
 * and os_machine.h. */
#define _GNU_SOURCE 1 /* in front of every header: Linux's functions beside C's */
#include <inttypes.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "base/os_linux_cgroup.h"
#include "base/os_linux_lines.h"
#include "base/os_machine.h"
#include "base/os_thread.h"

/* --- sleeping: a word is all that a futex needs --- */

_Static_assert(sizeof(atomic_uint) == sizeof(uint32_t), "a futex is a word of 32 bits");

void trm__os_bed_make(trm__os_bed *bed) {
  (void)bed;
}

/* Returns when woken, when a signal came, and at once when the word is not `seen`. */
void trm__os_sleep(trm__os_bed *bed, atomic_uint *word, unsigned seen) {
  (void)bed;
  (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

void trm__os_wake_all(trm__os_bed *bed, atomic_uint *word) {
  (void)bed;
  (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* --- processors --- */

enum { MOST_CPUS = 1 << 16 };

/* Of the affinity mask. */
static int allowed_processors(void) {
  _Alignas(cpu_set_t) unsigned char
      set[MOST_CPUS / 8]; /* the kernel refuses (EINVAL) one smaller than its own */
  cpu_set_t *cpus = (cpu_set_t *)(void *)set;
  const int count = sched_getaffinity(0, sizeof set, cpus) ? 0 : CPU_COUNT_S(sizeof set, cpus);
  if (count > 0) return count;
  const long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 && online <= MOST_CPUS ? (int)online : 1;
}

int trm__os_processors(void) {
  const uint64_t limit = trm__cgroup_limit("", TRM__CGROUP_CPUS);
  const int allowed = allowed_processors();
  return limit < (uint64_t)allowed ? (int)limit : allowed;
}

/* The first "model name" of /proc/cpuinfo, which x86 has. */
void trm__os_processor(char *text, size_t n) {
  static const char key[] = "model name";
  trm__system_lines r;
  if (n) text[0] = 0;
  if (!trm__system_lines_open(&r, "/proc/cpuinfo")) return;
  for (const char *line; (line = trm__system_lines_next(&r));) {
    if (strncmp(line, key, sizeof key - 1) != 0) continue;
    line += sizeof key - 1;
    (void)snprintf(text, n, "%s", line + strspn(line, "\t :"));
    break;
  }
  trm__system_lines_close(&r);
}

bool trm__os_has_arm_bf16(void) {
  return (getauxval(AT_HWCAP2) & 1ul << 14) != 0; /* HWCAP2_BF16, which not every libc names */
}

bool trm__os_has_arm_dot(void) {
#ifdef __aarch64__
  return (getauxval(AT_HWCAP) & 1ul << 20) != 0; /* HWCAP_ASIMDDP */
#else
  return false;
#endif
}

bool trm__os_has_avx_vnni(void) {
#ifdef __x86_64__
  unsigned a, b, c, d;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1u << 4);
#else
  return false;
#endif
}

/* Asks for tiles. */
static bool grants_amx_now(void) {
#if defined(__x86_64__) && defined(SYS_arch_prctl)
  enum { REQ_XCOMP_PERM = 0x1023, XTILEDATA = 18 }; /* of asm/prctl.h, which may be older */
  const unsigned wanted = 1u << 22 | 1u << 24;      /* AMX-BF16, AMX-TILE */
  unsigned a, b, c, d;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & wanted) == wanted &&
         syscall(SYS_arch_prctl, REQ_XCOMP_PERM, XTILEDATA) == 0;
#else
  return false;
#endif
}

bool trm__os_grants_amx(void) {
  enum { UNKNOWN, NO, YES };
  static atomic_int answer;
  int known = atomic_load(&answer);
  if (known == UNKNOWN) {
    const int now = grants_amx_now() ? YES : NO;
    if (atomic_compare_exchange_strong(&answer, &known, now)) known = now;
  }
  return known == YES;
}

/* --- memory --- */

static uint64_t machine_room(const char *root) {
  static const char *const names[] = {"MemAvailable:", "SwapFree:"};
  char path[4096];
  if (snprintf(path, sizeof path, "%s/proc/meminfo", root) >= (int)sizeof path)
    return TRM__NO_LIMIT;

  /* Swap is not everywhere; without the first number nothing is known. */
  uint64_t kib[2];
  trm__numbers_after(path, names, 2, kib);
  if (kib[0] == TRM__NO_LIMIT) return TRM__NO_LIMIT;
  return (kib[0] + (kib[1] == TRM__NO_LIMIT ? 0 : kib[1])) * 1024;
}

/* What a limit leaves beside the pages that this process has of its kind: of the address space, or
 * private memory. */
static uint64_t limit_room(int resource, bool whole) {
  struct rlimit limit;
  uint64_t size = 0, data = 0;
  if (getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return TRM__NO_LIMIT;
  trm__system_lines r;
  if (!trm__system_lines_open(&r, "/proc/self/statm")) return limit.rlim_cur;
  const char *line = trm__system_lines_next(&r);
  if (line) (void)sscanf(line, "%" SCNu64 " %*u %*u %*u %*u %" SCNu64, &size, &data);
  trm__system_lines_close(&r);
  const uint64_t used = (whole ? size : data) * (uint64_t)sysconf(_SC_PAGESIZE);
  return limit.rlim_cur > used ? limit.rlim_cur - used : 0;
}

size_t trm__os_limits(const char *root, trm__os_limit out[TRM__OS_LIMITS]) {
  size_t n = 0;
  out[n++] = (trm__os_limit){machine_room(root), "this machine's memory"};
  out[n++] = (trm__os_limit){trm__cgroup_limit(root, TRM__CGROUP_MEMORY),
                             "the memory limit of the control group (the container's, or the "
                             "service's)"};
  out[n++] = (trm__os_limit){limit_room(RLIMIT_AS, true), "the limit on address space (ulimit -v)"};
  out[n++] = (trm__os_limit){limit_room(RLIMIT_DATA, false), "the limit on data (ulimit -d)"};
  return n;
}

/* posix_memalign is called by name and here alone, so that a test can wrap it at link time and
 * refuse the n-th block. */
void *trm__os_block(size_t align, size_t bytes) {
  enum { HUGE_PAGE = 2 << 20 /* of x86-64, and of arm64 with pages of 4 KiB */ };
  void *p = NULL;
  if (posix_memalign(&p, align, bytes)) return NULL;
  /* Advice only: without huge pages the block is as good, with more TLB misses. */
  if (align == HUGE_PAGE) (void)madvise(p, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
  return p;
}
