/* The page for people: the files of page/, and what it takes to solve without a server, the module
 * of wasm/ with its JavaScript. The build puts them into the program. */
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

/* Up to one without a path. module_files: the module is the first; none where the build had no
 * compiler for it. */
extern const page_file page_files[], module_files[];

/* Of the page; NULL: there is none. Paths are compared with those of the files, and nothing is
 * opened. */
const page_file *page_file_of(const char *path);

#endif
