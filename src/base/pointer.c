/* See pointer.h. */
#include "base/pointer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

enum { POINTER_MAX = 32 }; /* "step_", 19 digits and the end of a line */

int64_t trm__step_of_name(const char *name) {
  static const char prefix[] = "step_";
  int64_t n = 0;
  if (strncmp(name, prefix, sizeof prefix - 1) != 0) return -1;
  name += sizeof prefix - 1;
  if (!*name || (*name == '0' && name[1])) return -1; /* one name for each number */
  for (; *name; name++) {
    if (*name < '0' || *name > '9' || n > (INT64_MAX - 9) / 10) return -1;
    n = 10 * n + (*name - '0');
  }
  return n;
}

/* The step that a text of n bytes names, -1: none. Ends of lines behind it do no harm. */
static int64_t step_of_text(char *text, size_t n) {
  while (n > 0 && strchr("\r\n ", text[n - 1])) n--;
  text[n] = 0;
  return trm__step_of_name(text);
}

trm_status trm__pointer_read(const trm__dir *d, const char *name, int64_t *step, trm_error *err) {
  char text[POINTER_MAX + 1];
  trm__kind kind;
  size_t n = 0;
  *step = -1;
  TRM_TRY(trm__dir_look(d, name, &kind, err));
  if (kind != TRM__FILE && kind != TRM__LINK) return TRM_OK;
  const int cause = trm__os_read_small(d, name, text, POINTER_MAX, &n);
  if (cause) return trm__dir_fail(d, name, "cannot be read", cause, err);
  if (n < POINTER_MAX) *step = step_of_text(text, n);
  return TRM_OK;
}

trm_status trm__pointer_write(const trm__dir *d, const char *name, int64_t step, trm_error *err) {
  trm__writer w;
  TRM_TRY(trm__writer_open_at(&w, d, name, err));
  trm__writer_printf(&w, "step_%" PRId64 "\n", step);
  return trm__writer_commit(&w, err);
}

/* The length of the part of `path` that leads to a file, with what follows cut off; 0: none does.
 */
static trm_status find_file(char *path, size_t *length, trm_error *err) {
  *length = 0;
  for (size_t n = strlen(path), end = 1; end <= n; end++) {
    trm__kind kind;
    const char next = path[end];
    if (next && next != '/') continue;
    path[end] = 0;
    const trm_status st = trm__path_look(path, &kind, err);
    path[end] = next;
    if (st != TRM_OK || kind == TRM__ABSENT) return st;
    if (kind != TRM__FILE) continue;
    *length = end;
    return TRM_OK;
  }
  return TRM_OK;
}

/* *step: what the file at `path` names. *folder: where that is, a fresh block. */
static trm_status read_file(const char *path, int64_t *step, char **folder, trm_error *err) {
  trm__dir d;
  char *name;
  TRM_TRY(trm__dir_open_parent(&d, path, &name, err));
  trm_status st = trm__pointer_read(&d, name, step, err);
  *folder = trm__path_join("", d.path);
  if (st == TRM_OK && !*folder) st = trm__fail(err, TRM_E_MEMORY, -1, "no memory for a path");
  trm__free(name);
  trm__dir_close(&d);
  return st;
}

trm_status trm__pointer_follow(const char *path, char **target, trm_error *err) {
  enum { LONGEST = 32 };
  int64_t step = -1;
  size_t length;
  char *folder = NULL, place[LONGEST];
  char *whole = *target = trm__path_join("", path);
  if (!whole) TRM_FAIL(err, TRM_E_MEMORY, "no memory for a path");

  /* The first file on the way, if it is one. */
  trm_status st = find_file(whole, &length, err);
  const char kept = whole[length];
  whole[length] = 0;
  if (st == TRM_OK && length) st = read_file(whole, &step, &folder, err);
  whole[length] = kept;

  /* What it names, and what follows. */
  if (st == TRM_OK && step >= 0) {
    (void)snprintf(place, sizeof place, "step_%" PRId64, step);
    char *named = trm__path_join(folder, place);
    *target = named ? trm__path_join(named, whole + length + (kept == '/')) : NULL;
    if (*target && !kept) (*target)[strlen(named)] = 0; /* without a slash at its end */
    if (!*target) st = trm__fail(err, TRM_E_MEMORY, -1, "no memory for a path");
    trm__free(named);
    trm__free(whole);
    whole = NULL;
  }
  trm__free(folder);
  if (st == TRM_OK) return TRM_OK;
  trm__free(whole);
  *target = NULL;
  return st;
}
