/* Made-up /proc and /sys below a scratch folder, and what the library reads of them. */
#ifndef TRM_TESTS_SYSTEM_TREES_H
#define TRM_TESTS_SYSTEM_TREES_H

#include "base/os_linux_cgroup.h"
#include "scratch.h"

/* Writes TREE/NAME, such as proc/self/cgroup, with its folders. */
static inline void put(const scratch *s, const char *tree, const char *name, const char *text) {
  char path[512], *slash;
  snprintf(path, sizeof path, "%s/%s/%s", s->dir, tree, name);
  slash = strrchr(path, '/');
  *slash = 0;
  assert_int_equal(trm__make_dirs(path, NULL), TRM_OK);
  *slash = '/';
  write_bytes(path, text, strlen(text));
}

/* The limit that groups of TREE set, TRM__NO_LIMIT without one. */
static inline uint64_t group_limit(const scratch *s, const char *tree,
                                   trm__cgroup_resource resource) {
  char root[256];
  snprintf(root, sizeof root, "%s/%s", s->dir, tree);
  return trm__cgroup_limit(root, resource);
}

#endif
