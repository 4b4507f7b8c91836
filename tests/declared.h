/* What the public headers declare, read from their text. */
#ifndef TRM_TESTS_DECLARED_H
#define TRM_TESTS_DECLARED_H

#include "scratch.h"

/* The names that a structure of a public header declares, each ended by a zero, and an empty one.
 */
static inline void declared(const char *header, const char *structure, char names[4000]) {
  char path[300], head[80], *to = names;
  size_t n;
  snprintf(path, sizeof path, "%s/include/trm/%s", TRM_SOURCE_DIR, header);
  snprintf(head, sizeof head, "typedef struct %s {", structure);
  char *text = (char *)read_bytes(path, &n);
  char *at = strstr(text, head), *end = at ? strstr(at, "\n}") : NULL;
  assert_non_null(end);
  at += strlen(head);
  *end = 0;
  /* Comments out; then each word in front of ',', ';' or '[' is a name. */
  for (char *c; (c = strstr(at, "/*"));) memset(c, ' ', (size_t)(strstr(c, "*/") + 2 - c));
  for (; *at; at++) {
    if (!strncmp(at, "(*", 2)) { /* a function: its arguments have names, too */
      const int length = (int)strcspn(at + 2, ")");
      to += sprintf(to, "%.*s", length, at + 2) + 1;
      at = strchr(at, ';');
      continue;
    }
    if (!strchr(",;[", *at)) continue;
    char *last = at;
    while (last[-1] == ' ' || last[-1] == '\n') last--;
    char *first = last;
    while (first[-1] != ' ' && first[-1] != '*') first--;
    to += sprintf(to, "%.*s", (int)(last - first), first) + 1;
    if (*at == '[') at = strpbrk(at, ",;"); /* of a list of names: the next follows */
  }
  *to = 0;
  free(text);
}

#endif
