/* Two files of the kernel say which limits hold: /proc/self/cgroup has the group of this process
 * in each hierarchy, /proc/self/mountinfo where the hierarchies can be read. A mount may show a
 * part of its hierarchy only, as in a container; the group's path is then taken from there.
 *
 * Nothing here can fail: the worst a strange file does is to set no limit. Memory is on the stack
 * and bounded; a line that does not fit is passed over. */
#include "base/cpus.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  PATH_ROOM = 4096,
  MAX_BYTES = 4 << 20, /* of a file: mountinfo has some hundred bytes for each mount */
  CPU_SET_MAX = 1 << 20
};

/* --- lines of a file --- */

typedef struct reader {
  int fd;
  size_t begin, end, total; /* bytes of the buffer not yet given out; bytes read */
  char buffer[2 * PATH_ROOM];
} reader;

static bool reader_open(reader *r, const char *path) {
  struct stat info;
  r->begin = r->end = r->total = 0;
  r->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not hang us */
  if (r->fd < 0) return false;
  if (fstat(r->fd, &info) == 0 && S_ISREG(info.st_mode)) return true;
  (void)close(r->fd);
  return false;
}

/* More bytes behind those not yet given out; false at the end or when there is no room. */
static bool reader_fill(reader *r) {
  memmove(r->buffer, r->buffer + r->begin, r->end - r->begin);
  r->end -= r->begin;
  r->begin = 0;
  const size_t room = sizeof r->buffer - r->end;
  const ssize_t n = room && r->total < MAX_BYTES ? read(r->fd, r->buffer + r->end, room) : 0;
  if (n <= 0) return false;
  r->end += (size_t)n;
  r->total += (size_t)n;
  return true;
}

/* The next whole line without its end, NULL after the last. */
static char *reader_line(reader *r) {
  bool whole = true;
  for (;;) {
    char *line = r->buffer + r->begin, *stop = memchr(line, '\n', r->end - r->begin);
    if (stop) {
      r->begin = (size_t)(stop + 1 - r->buffer);
      *stop = 0;
      if (whole) return line;
      whole = true;
      continue;
    }
    if (r->end - r->begin == sizeof r->buffer) { /* too long: drop what there is of it */
      r->begin = r->end;
      whole = false;
    }
    if (!reader_fill(r)) return NULL;
  }
}

static bool first_line(const char *path, char *out, size_t room) {
  reader r;
  if (!reader_open(&r, path)) return false;
  const char *line = reader_line(&r);
  const bool good = line && strlen(line) < room;
  if (good) memcpy(out, line, strlen(line) + 1);
  (void)close(r.fd);
  return good;
}

/* --- limits of one group --- */

/* The digits at *text, which moves behind them; 0 when there are none or too many. */
static uint64_t take_number(const char **text) {
  uint64_t value = 0;
  int digits = 0;
  for (; **text >= '0' && **text <= '9'; (*text)++, digits++)
    if (digits < 19) value = value * 10 + (uint64_t)(**text - '0');
  return digits < 19 ? value : 0;
}

static int processors(uint64_t quota, uint64_t period) {
  if (!quota || !period) return 0;
  const uint64_t n = quota / period + (quota % period != 0);
  return n < INT_MAX ? (int)n : INT_MAX;
}

typedef char path_room[PATH_ROOM];

static bool join(path_room out, const char *a, const char *b, const char *c) {
  const int n = snprintf(out, PATH_ROOM, "%s%s%s", a, b, c);
  return n >= 0 && n < PATH_ROOM;
}

/* "max 100000" or "150000 100000", microseconds of processor time in so many of the clock. */
static int limit_v2(const char *dir) {
  path_room path;
  char line[64];
  if (!join(path, dir, "/cpu.max", "") || !first_line(path, line, sizeof line)) return 0;
  const char *at = line;
  const uint64_t quota = take_number(&at);
  if (*at++ != ' ') return 0;
  const uint64_t period = take_number(&at);
  return *at ? 0 : processors(quota, period);
}

static uint64_t number_in(const char *dir, const char *name) {
  path_room path;
  char line[64];
  if (!join(path, dir, name, "") || !first_line(path, line, sizeof line)) return 0;
  const char *at = line;
  const uint64_t value = take_number(&at);
  return *at ? 0 : value; /* -1, no limit, is no number here */
}

static int limit_v1(const char *dir) {
  return processors(number_in(dir, "/cpu.cfs_quota_us"), number_in(dir, "/cpu.cfs_period_us"));
}

/* --- from the process's group up to the mount --- */

/* A hierarchy with a limit on processor time: the two versions, which may both be mounted. */
typedef struct hierarchy {
  const char *type, *controller; /* of the file system; NULL: version 2 has one for all */
  int (*limit)(const char *dir);
  path_room group; /* of this process; "": it has none here */
} hierarchy;

/* True when `word` is one of the comma-separated words. */
static bool has_word(const char *words, const char *word) {
  const size_t n = strlen(word);
  for (const char *at = words; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
    if (!strncmp(at, word, n) && (at[n] == ',' || !at[n])) return true;
  return false;
}

/* What of the group's path lies below the part that a mount shows; NULL: the group is not there. */
static const char *below(const char *group, const char *shown) {
  const size_t n = strcmp(shown, "/") ? strlen(shown) : 0;
  if (strncmp(group, shown, n) || (group[n] && group[n] != '/')) return NULL;
  return group + n;
}

static bool climbs(const char *path) {
  for (const char *at = path; (at = strstr(at, "/..")); at += 3)
    if (!at[3] || at[3] == '/') return true;
  return false;
}

/* The smallest limit of the groups from `path` below the mount up to the mount itself. */
static int limit_at_mount(const hierarchy *h, const char *root, const char *mount,
                          const char *path) {
  path_room dir;
  int least = 0;
  if (climbs(path) || !join(dir, root, mount, path)) return 0;
  const size_t top = strlen(root) + strlen(mount);
  for (size_t n = strlen(dir);;) {
    dir[n] = 0;
    const int limit = h->limit(dir);
    if (limit && (!least || limit < least)) least = limit;
    if (n <= top) return least;
    while (n > top && dir[n] != '/') n--;
  }
}

/* "4:cpu,cpuacct:/path", "0::/path". */
static void note_group(hierarchy *h, const char *line) {
  const char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL;
  char list[256];
  if (!path || path[1] != '/' || strlen(path + 1) >= PATH_ROOM) return;
  const int n = snprintf(list, sizeof list, "%.*s", (int)(path - names - 1), names + 1);
  if (n < 0 || (size_t)n >= sizeof list) return;
  if (h->controller ? has_word(list, h->controller) : !strncmp(line, "0::", 3))
    memcpy(h->group, path + 1, strlen(path + 1) + 1);
}

/* Spaces, tabs, line ends and backslashes are written as three octal digits. */
static void unescape(char *text) {
  char *to = text;
  for (const char *at = text; *at; to++) {
    if (at[0] == '\\' && at[1] >= '0' && at[1] <= '3' && at[2] >= '0' && at[2] <= '7' &&
        at[3] >= '0' && at[3] <= '7') {
      *to = (char)((at[1] - '0') * 64 + (at[2] - '0') * 8 + at[3] - '0');
      at += 4;
    } else {
      *to = *at++;
    }
  }
  *to = 0;
}

/* One mount: "36 35 98:0 /shown /mount options ... - type source options". */
typedef struct mount {
  char *shown, *at, *type, *options;
} mount;

static bool split_mount(char *line, mount *m) {
  char *rest = strstr(line, " - "), *end;
  if (!rest) return false;
  *rest = 0;
  (void)strtok_r(line, " ", &end);
  (void)strtok_r(NULL, " ", &end);
  (void)strtok_r(NULL, " ", &end);
  m->shown = strtok_r(NULL, " ", &end);
  m->at = strtok_r(NULL, " ", &end);
  m->type = strtok_r(rest + 3, " ", &end);
  (void)strtok_r(NULL, " ", &end);
  m->options = strtok_r(NULL, " ", &end);
  if (!m->shown || !m->at || !m->options) return false;
  unescape(m->shown);
  unescape(m->at);
  return true;
}

static int limit_of(const hierarchy *h, const char *root, const mount *m) {
  if (!h->group[0] || strcmp(m->type, h->type)) return 0;
  if (h->controller && !has_word(m->options, h->controller)) return 0;
  const char *path = below(h->group, m->shown);
  return path ? limit_at_mount(h, root, m->at, path) : 0;
}

int trm__cgroup_cpus(const char *root) {
  hierarchy all[] = {{"cgroup2", NULL, limit_v2, ""}, {"cgroup", "cpu", limit_v1, ""}};
  enum { N = sizeof all / sizeof all[0] };
  path_room path;
  reader r;
  mount m;
  int least = 0;
  if (!join(path, root, "/proc/self/cgroup", "") || !reader_open(&r, path)) return 0;
  for (const char *line; (line = reader_line(&r));)
    for (int i = 0; i < N; i++) note_group(&all[i], line);
  (void)close(r.fd);
  if (!join(path, root, "/proc/self/mountinfo", "") || !reader_open(&r, path)) return 0;
  for (char *line; (line = reader_line(&r));) {
    if (!split_mount(line, &m)) continue;
    for (int i = 0; i < N; i++) {
      const int limit = limit_of(&all[i], root, &m);
      if (limit && (!least || limit < least)) least = limit;
    }
  }
  (void)close(r.fd);
  return least;
}

/* --- the affinity mask --- */

static int allowed_processors(void) {
  /* The kernel refuses (EINVAL) a set smaller than its own. */
  for (int n = CPU_SETSIZE; n <= CPU_SET_MAX; n *= 2) {
    cpu_set_t *set = CPU_ALLOC(n);
    if (!set) break;
    const size_t size = CPU_ALLOC_SIZE(n);
    const int count = sched_getaffinity(0, size, set) ? 0 : CPU_COUNT_S(size, set);
    CPU_FREE(set);
    if (count > 0) return count;
  }
  const long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 && online <= CPU_SET_MAX ? (int)online : 1;
}

int trm__default_threads(void) {
  const int allowed = allowed_processors(), limit = trm__cgroup_cpus("");
  return limit && limit < allowed ? limit : allowed;
}
