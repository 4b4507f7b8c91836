/* Files that are cut, or whose disk fails, while they are mapped: reading them raises SIGBUS. The
 * rest of such a mapping is replaced by zeros, or the program ends at once with a message, so that
 * nothing is ever computed from what was not read. A fault anywhere else stays a crash. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/cli.h"

enum { NAME = 4096, READ = 2048, RANGES = 16 };

typedef struct range {
  uintptr_t first, end;
} range;

static struct sigaction before; /* what was done about SIGBUS */
static atomic_bool deferred, came;
static atomic_flag busy = ATOMIC_FLAG_INIT; /* threads may fault at the same time */
static range replaced[RANGES];              /* the last ones, under `busy` */
static unsigned n_replaced;
static char file_name[NAME]; /* of the first fault; complete once `came` is set */

/* --- /proc/self/maps, without stdio or memory: a handler reads it --- */

static const char *read_hex(const char *at, uintptr_t *out) {
  for (*out = 0;; at++) {
    const int digit = *at >= '0' && *at <= '9'   ? *at - '0'
                      : *at >= 'a' && *at <= 'f' ? *at - 'a' + 10
                                                 : -1;
    if (digit < 0) return at;
    *out = *out << 4 | (uintptr_t)digit;
  }
}

/* The name in "FIRST-END r--p OFFSET DEVICE INODE   NAME", when `at` lies in that mapping and it is
 * of a file that is only read. */
static const char *name_of(const char *line, uintptr_t at, range *r) {
  const char *perms = read_hex(read_hex(line, &r->first) + 1, &r->end) + 1;
  if (at < r->first || at >= r->end || strncmp(perms, "r--p", 4) != 0) return NULL;
  const char *name = strchr(line, '/');
  return name;
}

/* Finds the mapping of a file around `at`; its name goes to `name`. */
static bool find_file(uintptr_t at, range *r, char name[NAME]) {
  char block[READ], line[NAME];
  size_t n = 0;
  bool found = false;
  const int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;

  /* Line by line, whatever is longer than a line is cut; no allocation, no stdio in a handler. */
  for (ssize_t got; !found && (got = read(fd, block, sizeof block)) > 0;)
    for (ssize_t i = 0; i < got && !found; i++) {
      if (block[i] != '\n') {
        if (n + 1 < sizeof line) line[n++] = block[i];
        continue;
      }

      /* A line is complete: is the address in the mapping that it tells of? */
      line[n] = 0;
      n = 0;
      const char *path = name_of(line, at, r);
      if (!path) continue;
      memcpy(name, path, strlen(path) + 1);
      found = true;
    }
  close(fd);
  return found;
}

/* --- the handler --- */

static bool was_replaced(uintptr_t at) {
  for (int i = 0; i < RANGES; i++)
    if (at >= replaced[i].first && at < replaced[i].end) return true;
  return false;
}

static void end_at_once(const char *name) {
  static const char start[] = "trm: error: ", end[] = CLI_CUT_MESSAGE "\n";
  char text[NAME + sizeof start + sizeof end];
  size_t n = sizeof start - 1;
  memcpy(text, start, n);
  for (const unsigned char *c = (const unsigned char *)name; *c; c++)
    text[n++] = (char)(*c < 32 || *c >= 127 ? '?' : *c);
  memcpy(text + n, end, sizeof end);
  if (write(STDERR_FILENO, text, n + sizeof end - 1) < 0) _exit(CLI_FAILED);
  _exit(CLI_FAILED);
}

/* False where it was no file's page. */
static bool replace(uintptr_t at) {
  char name[NAME];
  range r;
  if (!find_file(at, &r, name)) return was_replaced(at); /* by another thread, just now */
  if (!atomic_load(&deferred)) end_at_once(name);
  r.first = at & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
  if (mmap((void *)r.first, r.end - r.first, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
           0) == MAP_FAILED)
    return false;
  replaced[n_replaced++ % RANGES] = r;
  if (!atomic_load(&came)) {
    memcpy(file_name, name, sizeof file_name);
    atomic_store(&came, true);
  }
  return true;
}

static void on_fault(int number, siginfo_t *info, void *context) {
  const int kept = errno;
  (void)context;
  while (atomic_flag_test_and_set(&busy)) {
  }
  const bool done = info->si_code == BUS_ADRERR && replace((uintptr_t)info->si_addr);
  atomic_flag_clear(&busy);
  if (!done) {
    sigaction(number, &before, NULL);
    raise(number);
  }
  errno = kept;
}

void cli_faults_install(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  sigemptyset(&action.sa_mask);
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGBUS, &action, &before);
}

/* --- what the program looks at --- */

void cli_faults_defer(void) {
  atomic_store(&deferred, true);
}

bool cli_faulted(void) {
  return atomic_load(&came);
}

trm_status cli_faults_check(trm_error *err) {
  if (!cli_faulted()) return TRM_OK;
  return cli_fail(err, TRM_E_IO, -1, "%.300s" CLI_CUT_MESSAGE, file_name);
}
