/* See serve_text.h. */
#include "cli/serve/serve_text.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static bool make_room(serve_text *t, size_t n) {
  enum { FIRST = 512 };
  size_t room = t->room ? t->room : FIRST;
  while (room - t->n < n && room <= SIZE_MAX / 2) room *= 2;
  if (room - t->n < n) return false;
  char *grown = room > t->room ? realloc(t->at, room) : t->at;
  if (!grown) return false;
  t->at = grown;
  t->room = room;
  return true;
}

void serve_text_add(serve_text *t, const char *bytes, size_t n) {
  if (n == 0) return;
  t->failed = t->failed || !make_room(t, n);
  if (t->failed) return;
  memcpy(t->at + t->n, bytes, n);
  t->n += n;
}

void serve_text_say(serve_text *t, const char *fmt, ...) {
  char line[1000];
  va_list args;
  va_start(args, fmt);
  const int n = vsnprintf(line, sizeof line, fmt, args);
  va_end(args);
  if (n < 0 || (size_t)n >= sizeof line)
    t->failed = true;
  else
    serve_text_add(t, line, (size_t)n);
}

void serve_text_free(serve_text *t) {
  free(t->at);
  *t = (serve_text){0};
}
