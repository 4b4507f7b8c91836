/* The little of XML that the program writes. */
#ifndef TRM_TESTS_XML_H
#define TRM_TESTS_XML_H

#include "launch.h"

/* Every tag is closed, in order, and every & begins an entity. */
static inline void check_xml(const char *xml) {
  char open[16][32];
  int depth = 0;
  for (const char *at = xml; *at; at++) {
    if (*at == '&' && strncmp(at, "&amp;", 5) && strncmp(at, "&lt;", 4) && strncmp(at, "&gt;", 4))
      fail_msg("a bare & at: %.40s", at);
    if (*at != '<') continue;
    const char *end = strchr(at, '>');
    assert_non_null(end);
    if (at[1] == '/') {
      size_t n = (size_t)(end - at) - 2;
      assert_true(depth > 0 && strlen(open[depth - 1]) == n);
      assert_memory_equal(open[--depth], at + 2, n);
    } else if (end[-1] != '/' && at[1] != '?') {
      assert_true(depth < 16);
      snprintf(open[depth++], 32, "%.*s", (int)strcspn(at + 1, " >"), at + 1);
    }
    at = end;
  }
  assert_int_equal(depth, 0);
}

#endif
