/* What users bring in place of a file: named for what it is, so that nobody has to guess from the
 * failure of a reader. */
#ifndef TRM_IO_FOREIGN_H
#define TRM_IO_FOREIGN_H

#include <stddef.h>

#include "base/error.h"

/* What is wanted; of the kinds below a reader's own are no strangers to it. */
typedef enum trm__wanted {
  TRM__WANT_MODEL,
  TRM__WANT_ARRAY, /* .npy, .npz */
  TRM__WANT_TEXT,  /* JSON, YAML, CSV, lines */
} trm__wanted;

/* For a reader that failed. FORMAT when the n bytes, a file's first or all, begin as nothing does
 * that is wanted, with what they are and what to do: a pointer of Git LFS, a web page, a text, an
 * archive of another kind, an empty file. OK else. */
trm_status trm__foreign_look(trm__wanted wanted, const char *path, const void *bytes, size_t n,
                             trm_error *err);
/* The same of a file; OK also when it cannot be read: whoever reads it says why. */
trm_status trm__foreign_check(trm__wanted wanted, const char *path, trm_error *err);
/* Before a text is read whose lines may be anything: FORMAT for what no such text begins like, as
 * pointers of Git LFS, web pages, pictures, archives, and any other bytes that are no characters.
 * OK of text in UTF-16 and UTF-32. */
trm_status trm__foreign_page(const char *path, const void *bytes, size_t n, trm_error *err);

#endif
