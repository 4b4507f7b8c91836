/* The page for people: the files of page/, which the build puts into the program. */
#ifndef TRM_CLI_SERVE_PAGE_H
#define TRM_CLI_SERVE_PAGE_H

#include <stddef.h>

typedef struct page_file {
  const char *path; /* "/" is index.html */
  const char *type;
  const char *tag; /* in quotes, of its bytes: an ETag of HTTP */
  const unsigned char *data;
  size_t size;
} page_file;

/* Up to one without a path. */
extern const page_file page_files[];

/* NULL: there is none. Paths are compared with those of the files, and nothing is opened. */
const page_file *page_file_of(const char *path);

#endif
