/* What lies below a folder, as lines that can be compared: names, kinds and contents. */
#ifndef TRM_TORTURE_TREE_H
#define TRM_TORTURE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct entry {
  char *path; /* below the folder, without a slash in front */
  char kind;  /* 'd' folder, 'f' file, 'l' link, '?' another */
  uint64_t content;
} entry;

typedef struct tree {
  entry *entries; /* sorted by path */
  int n, capacity;
} tree;

/* Reads the folder. What is of the moment is left out of a content: seconds in log.jsonl, and the
 * number of its bytes in run.json. Ends the program when memory or the folder fails. */
tree tree_read(const char *dir);
void tree_free(tree *t);

/* The entry of a path, or NULL. */
const entry *tree_find(const tree *t, const char *path);
/* Whether a path is `root`, or lies below it. */
bool tree_is_below(const char *path, const char *root);
/* Whether `root` and all below it are the same in both; absent in both counts. */
bool tree_same_below(const tree *a, const tree *b, const char *root);
/* The first path that differs, or NULL. */
const char *tree_first_difference(const tree *a, const tree *b);

/* snprintf that ends the program where the text does not fit. */
void path_format(char *out, size_t size, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The content of a text without what is of the moment, in place. */
void tree_drop_times(char *text);

#endif
