/* See tree.h. */
#include "tree.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void give_up(const char *path) {
  perror(path);
  exit(2);
}

void path_format(char *out, size_t size, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  const int n = vsnprintf(out, size, fmt, args);
  va_end(args);
  if (n >= 0 && (size_t)n < size) return;
  fprintf(stderr, "torture: a path is too long: %s\n", out);
  exit(2);
}

/* Numbers that follow these words differ between two runs. */
static const char *const of_the_moment[] = {"\"time\":", "\"samples_per_s\":", "\"log_bytes\":"};

void tree_drop_times(char *text) {
  for (size_t i = 0; i < sizeof of_the_moment / sizeof *of_the_moment; i++) {
    const size_t length = strlen(of_the_moment[i]);
    for (char *at = text; (at = strstr(at, of_the_moment[i]));) {
      char *number = at + length;
      const size_t n = strspn(number, " 0123456789.e+-");
      memmove(number, number + n, strlen(number + n) + 1);
      at = number;
    }
  }
}

static uint64_t hash_bytes(const char *bytes, size_t n) {
  uint64_t h = 1469598103934665603u; /* FNV-1a */
  for (size_t i = 0; i < n; i++) h = (h ^ (unsigned char)bytes[i]) * 1099511628211u;
  return h;
}

static bool ends_in(const char *path, const char *suffix) {
  const size_t n = strlen(path), m = strlen(suffix);
  return n >= m && !strcmp(path + n - m, suffix);
}

static uint64_t hash_file(const char *path, size_t size) {
  FILE *f = fopen(path, "rb");
  char *bytes = malloc(size + 1);
  if (!f || !bytes) give_up(path);
  size_t n = fread(bytes, 1, size, f);
  fclose(f);
  bytes[n] = 0;
  /* These say how often a run was started, when, and how long it took. */
  if (ends_in(path, "record.jsonl") || ends_in(path, "results.jsonl") || ends_in(path, "table1.md"))
    n = 0;
  if (ends_in(path, "log.jsonl") || ends_in(path, "run.json")) {
    tree_drop_times(bytes);
    n = strlen(bytes);
  }
  const uint64_t h = hash_bytes(bytes, n);
  free(bytes);
  return h;
}

static void add(tree *t, const char *path, char kind, uint64_t content) {
  if (t->n == t->capacity) {
    t->capacity = 2 * t->capacity + 64;
    t->entries = realloc(t->entries, (size_t)t->capacity * sizeof *t->entries);
  }
  if (!t->entries) give_up(path);
  t->entries[t->n++] = (entry){strdup(path), kind, content};
}

static void read_below(tree *t, const char *dir, const char *below);

static void read_entry(tree *t, const char *dir, const char *path) {
  char whole[4096], target[4096];
  struct stat s;
  path_format(whole, sizeof whole, "%s/%s", dir, path);
  if (lstat(whole, &s) != 0) give_up(whole);
  if (S_ISDIR(s.st_mode)) {
    add(t, path, 'd', 0);
    read_below(t, dir, path);
  } else if (S_ISREG(s.st_mode)) {
    add(t, path, 'f', hash_file(whole, (size_t)s.st_size));
  } else if (S_ISLNK(s.st_mode)) {
    const ssize_t n = readlink(whole, target, sizeof target);
    add(t, path, 'l', hash_bytes(target, n < 0 ? 0 : (size_t)n));
  } else {
    add(t, path, '?', 0);
  }
}

static void read_below(tree *t, const char *dir, const char *below) {
  char path[4096];
  path_format(path, sizeof path, "%s/%s", dir, below);
  DIR *d = opendir(path);
  if (!d) give_up(path);
  for (struct dirent *e; (e = readdir(d));) {
    if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
    path_format(path, sizeof path, "%s%s%s", below, *below ? "/" : "", e->d_name);
    read_entry(t, dir, path);
  }
  closedir(d);
}

static int by_path(const void *a, const void *b) {
  return strcmp(((const entry *)a)->path, ((const entry *)b)->path);
}

tree tree_read(const char *dir) {
  tree t = {0};
  read_below(&t, dir, "");
  if (t.n) qsort(t.entries, (size_t)t.n, sizeof *t.entries, by_path);
  return t;
}

void tree_free(tree *t) {
  for (int i = 0; i < t->n; i++) free(t->entries[i].path);
  free(t->entries);
  *t = (tree){0};
}

const entry *tree_find(const tree *t, const char *path) {
  const entry key = {.path = (char *)(uintptr_t)path};
  return t->n ? bsearch(&key, t->entries, (size_t)t->n, sizeof key, by_path) : NULL;
}

bool tree_is_below(const char *path, const char *root) {
  const size_t n = strlen(root);
  return !strncmp(path, root, n) && (path[n] == 0 || path[n] == '/');
}

static bool same(const entry *a, const entry *b) {
  return a && b && a->kind == b->kind && a->content == b->content;
}

/* The first entry of `a` below `root` that `b` has not, or has otherwise. */
static const char *first_missing(const tree *a, const tree *b, const char *root) {
  for (int i = 0; i < a->n; i++) {
    const entry *e = &a->entries[i];
    if (root && !tree_is_below(e->path, root)) continue;
    if (!same(e, tree_find(b, e->path))) return e->path;
  }
  return NULL;
}

bool tree_same_below(const tree *a, const tree *b, const char *root) {
  return !first_missing(a, b, root) && !first_missing(b, a, root);
}

const char *tree_first_difference(const tree *a, const tree *b) {
  const char *path = first_missing(a, b, NULL);
  return path ? path : first_missing(b, a, NULL);
}
