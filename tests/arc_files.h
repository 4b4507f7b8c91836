/* Files of a few small ARC tasks that have everything a builder may stumble over: "test" before
 * "train", "output" before "input", an id beyond ASCII, one with a quote and a backslash, the same
 * task in two subsets, missing answers, too few different copies, one task per file. */
#ifndef TRM_TESTS_ARC_FILES_H
#define TRM_TESTS_ARC_FILES_H

#include <zlib.h>

#include "scratch.h"
#include "trm/arc.h"

static const struct {
  const char *name, *text;
} arc_files[] = {
    {"arc_a_challenges.json",
     "{\"one\": {\"test\": [{\"input\": [[1, 2], [3, 4]]}], \"train\": [{\"input\": [[1, 0, 2]], "
     "\"output\": [[2], [0], [1]]}, {\"output\": [[5, 5], [5, 6]], \"input\": [[7, 8], [9, 0]]}]}, "
     "\"gr\\u00fcn\\ud83d\\ude00\": {\"train\": [{\"input\": [[0, 1, 1], [0, 0, 2]], \"output\": "
     "[[4, 4, 4], [4, 4, 3]]}], \"test\": [{\"input\": [[8]]}, {\"input\": [[9, 9]]}]}}\n"},
    {"arc_a_solutions.json",
     "{\"gr\\u00fcn\\ud83d\\ude00\": [[[1, 2, 3]], [[3], [2]]], \"one\": [[[6, 6]]], \"other\": "
     "[]}"},
    {"arc_b_challenges.json",
     "{\"say \\\"hi\\\\\": {\"train\": [{\"input\": [[0, 0]], \"output\": [[0]]}, {\"input\": [[0, "
     "0]], \"output\": [[0]]}], \"test\": [{\"input\": [[0]]}]}, \"one\": {\"train\": [{\"input\": "
     "[[1, 0, 2]], \"output\": [[2], [0], [1]]}, {\"input\": [[3]], \"output\": [[3, 3]]}], "
     "\"test\": [{\"input\": [[1, 2], [3, 4]], \"output\": [[1]]}]}, \"two\": {\"test\": "
     "[{\"input\": [[2, 2, 2], [1, 1, 1], [7, 8, 9], [4, 5, 6]]}, {\"input\": [[1, 2]]}], "
     "\"train\": [{\"input\": [[4, 5]], \"output\": [[5, 4]]}]}}\n"},
    {"arc/c/z9.json",
     "{\"train\": [{\"input\": [[3, 1], [1, 3]], \"output\": [[1, 3, 1], [3, 1, 3]]}], \"test\": "
     "[{\"input\": [[2]], \"output\": [[2]]}]}\n"},
    {"arc/c/a0.json",
     "{\"train\": [{\"input\": [[6]], \"output\": [[7]]}, {\"input\": [[7]], \"output\": [[6]]}], "
     "\"test\": [{\"input\": [[1]], \"output\": [[8]]}]}\n"}};
enum { ARC_FILES = sizeof arc_files / sizeof *arc_files };

static inline void write_packed(const char *path, const char *text) {
  gzFile f = gzopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(gzwrite(f, text, (unsigned)strlen(text)), strlen(text));
  assert_int_equal(gzclose(f), Z_OK);
}

/* All of them below the scratch folder, packed by gzip or not; the input file prefix. */
static inline const char *write_arc_files(scratch *s, bool packed) {
  assert_int_equal(trm__make_dirs(scratch_path(s, "arc/c"), NULL), TRM_OK);
  for (int i = 0; i < ARC_FILES; i++) {
    char name[64];
    snprintf(name, sizeof name, "%s%s", arc_files[i].name, packed ? ".gz" : "");
    if (packed)
      write_packed(scratch_path(s, name), arc_files[i].text);
    else
      write_bytes(scratch_path(s, name), arc_files[i].text, strlen(arc_files[i].text));
  }
  return scratch_path(s, "arc");
}

#endif
