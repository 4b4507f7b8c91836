/* Two files of the kernel say which limits hold: /proc/self/cgroup has the group of this process
 * in each hierarchy, /proc/self/mountinfo where the hierarchies can be read. A mount may show a
 * part of its hierarchy only, as in a container; the group's path is then taken from there.
 *
 * Nothing here can fail: the worst a strange file does is to set no limit. Memory is on the stack
 * and bounded; a line that does not fit is passed over. */
#define _GNU_SOURCE 1 /* in front of every header: strtok_r */
#include "base/os_linux_cgroup.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/os_linux_lines.h"

enum { PATH_ROOM = 4096 };

/* --- limits of one group --- */

static bool first_line(const char *path, char *out, size_t room) {
  trm__system_lines r;
  if (!trm__system_lines_open(&r, path)) return false;
  const char *line = trm__system_lines_next(&r);
  const bool good = line && strlen(line) < room;
  if (good) memcpy(out, line, strlen(line) + 1);
  trm__system_lines_close(&r);
  return good;
}

static const uint64_t no_limit = TRM__NO_LIMIT;

/* The digits at *text, which moves behind them; no limit when there are none or too many. */
static uint64_t take_number(const char **text) {
  uint64_t value = 0;
  int digits = 0;
  for (; **text >= '0' && **text <= '9'; (*text)++, digits++)
    if (digits < 19) value = value * 10 + (uint64_t)(**text - '0');
  return digits > 0 && digits < 19 ? value : no_limit;
}

static uint64_t processors(uint64_t quota, uint64_t period) {
  if (!quota || quota == no_limit || !period || period == no_limit) return no_limit;
  const uint64_t n = quota / period + (quota % period != 0);
  return n < INT_MAX ? n : INT_MAX;
}

typedef char path_room[PATH_ROOM];

static bool join(path_room out, const char *a, const char *b, const char *c) {
  const int n = snprintf(out, PATH_ROOM, "%s%s%s", a, b, c);
  return n >= 0 && n < PATH_ROOM;
}

/* "max 100000" or "150000 100000", microseconds of processor time in so many of the clock. */
static uint64_t cpus_v2(const char *dir) {
  path_room path;
  char line[64];
  if (!join(path, dir, "/cpu.max", "") || !first_line(path, line, sizeof line)) return no_limit;
  const char *at = line;
  const uint64_t quota = take_number(&at);
  if (*at++ != ' ') return no_limit;
  const uint64_t period = take_number(&at);
  return *at ? no_limit : processors(quota, period);
}

/* A file of one number; "max" and -1, no limit, are no numbers here. */
static uint64_t number_in(const char *dir, const char *name) {
  path_room path;
  char line[64];
  if (!join(path, dir, name, "") || !first_line(path, line, sizeof line)) return no_limit;
  const char *at = line;
  const uint64_t value = take_number(&at);
  return *at ? no_limit : value;
}

static uint64_t cpus_v1(const char *dir) {
  return processors(number_in(dir, "/cpu.cfs_quota_us"), number_in(dir, "/cpu.cfs_period_us"));
}

void trm__numbers_after(const char *path, const char *const *names, int n, uint64_t *out) {
  trm__system_lines r;
  for (int i = 0; i < n; i++) out[i] = no_limit;
  if (!trm__system_lines_open(&r, path)) return;
  for (const char *line; (line = trm__system_lines_next(&r));)
    for (int i = 0; i < n; i++) {
      const size_t length = strlen(names[i]);
      if (strncmp(line, names[i], length) || line[length] != ' ') continue;
      const char *at = line + length + strspn(line + length, " ");
      out[i] = take_number(&at);
    }
  trm__system_lines_close(&r);
}

static uint64_t known(uint64_t number) {
  return number == no_limit ? 0 : number;
}

/* What a limit leaves to take. Cached files count as used, but give way. */
static uint64_t left_of(const char *dir, uint64_t limit, const char *used_name,
                        const char *const cached[2]) {
  path_room path;
  if (limit == no_limit) return no_limit;
  const uint64_t used = number_in(dir, used_name);
  if (used == no_limit || !join(path, dir, "/memory.stat", "")) return limit;
  uint64_t files[2];
  trm__numbers_after(path, cached, 2, files);
  const uint64_t given = known(files[0]) + known(files[1]);
  const uint64_t held = used > given ? used - given : 0;
  return limit > held ? limit - held : 0;
}

/* Above `high` a group is slowed down until it stands still. */
static uint64_t memory_v2(const char *dir) {
  static const char *const cached[] = {"inactive_file", "active_file"};
  const uint64_t max = number_in(dir, "/memory.max"), high = number_in(dir, "/memory.high");
  return left_of(dir, max < high ? max : high, "/memory.current", cached);
}

static uint64_t memory_v1(const char *dir) {
  static const char *const cached[] = {"total_inactive_file", "total_active_file"};
  return left_of(dir, number_in(dir, "/memory.limit_in_bytes"), "/memory.usage_in_bytes", cached);
}

/* --- from the process's group up to the mount --- */

/* A hierarchy with a limit: the two versions, which may both be mounted. */
typedef struct hierarchy {
  const char *type, *controller; /* of the file system; NULL: version 2 has one for all */
  uint64_t (*limit)(const char *dir);
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
static uint64_t limit_at_mount(const hierarchy *h, const char *root, const char *mount,
                               const char *path) {
  path_room dir;
  uint64_t least = no_limit;
  if (climbs(path) || !join(dir, root, mount, path)) return no_limit;
  const size_t top = strlen(root) + strlen(mount);
  for (size_t n = strlen(dir);;) {
    dir[n] = 0;
    const uint64_t limit = h->limit(dir);
    if (limit < least) least = limit;
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

static uint64_t limit_of(const hierarchy *h, const char *root, const mount *m) {
  if (strcmp(m->type, h->type)) return no_limit;
  if (h->controller && !has_word(m->options, h->controller)) return no_limit;
  const char *path = below(h->group, m->shown);
  return path ? limit_at_mount(h, root, m->at, path) : no_limit;
}

/* Finds the process's group, then every mount that shows it. */
static uint64_t limit_in(hierarchy *h, const char *root) {
  trm__system_lines r;
  mount m;
  uint64_t least = no_limit;
  if (!trm__system_lines_open_below(&r, root, "/proc/self/cgroup")) return no_limit;
  for (const char *line; (line = trm__system_lines_next(&r));) note_group(h, line);
  trm__system_lines_close(&r);
  if (!h->group[0] || !trm__system_lines_open_below(&r, root, "/proc/self/mountinfo"))
    return no_limit;
  for (char *line; (line = trm__system_lines_next(&r));) {
    const uint64_t limit = split_mount(line, &m) ? limit_of(h, root, &m) : no_limit;
    if (limit < least) least = limit;
  }
  trm__system_lines_close(&r);
  return least;
}

uint64_t trm__cgroup_limit(const char *root, trm__cgroup_resource resource) {
  static const struct {
    const char *controller;
    uint64_t (*v2)(const char *dir), (*v1)(const char *dir);
  } kinds[] = {[TRM__CGROUP_CPUS] = {"cpu", cpus_v2, cpus_v1},
               [TRM__CGROUP_MEMORY] = {"memory", memory_v2, memory_v1}};
  uint64_t least = no_limit;
  for (int version = 1; version <= 2; version++) {
    hierarchy h = {.type = version == 1 ? "cgroup" : "cgroup2",
                   .controller = version == 1 ? kinds[resource].controller : NULL,
                   .limit = version == 1 ? kinds[resource].v1 : kinds[resource].v2};
    const uint64_t limit = limit_in(&h, root);
    if (limit < least) least = limit;
  }
  return least;
}
