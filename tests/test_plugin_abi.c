/* The number by which a plug-in is known counts every struct that crosses to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "backend/plugin.h"

#define NAME(type, member) #type,
static const char *const counted[] = {TRM__CROSSING_STRUCTS(NAME)};

static int structs; /* of all headers */

/* The name of the struct that a line defines, or NULL. */
static const char *struct_of(char *line) {
  static const char *const starts[] = {"typedef struct ", "struct "};
  char *end = strstr(line, " {");
  for (size_t i = 0; end && i < sizeof starts / sizeof *starts; i++)
    if (strncmp(line, starts[i], strlen(starts[i])) == 0) {
      *end = 0;
      return line + strlen(starts[i]);
    }
  return NULL;
}

static void look_through(const char *header) {
  char path[1024], line[1024];
  snprintf(path, sizeof path, TRM_SOURCE_DIR "/src/%s", header);
  FILE *f = fopen(path, "r");
  if (!f) fail_msg("%s cannot be opened", path);
  while (fgets(line, sizeof line, f)) {
    const char *name = struct_of(line);
    bool found = !name;
    structs += name != NULL;
    for (size_t i = 0; !found && i < sizeof counted / sizeof *counted; i++)
      found = strcmp(counted[i], name) == 0;
    if (!found) fail_msg("%s: %s crosses, but is not in TRM__CROSSING_STRUCTS", header, name);
  }
  (void)fclose(f);
}

static void every_struct_is_counted(void **state) {
  (void)state;
  look_through("backend/backend.h");
  look_through("backend/plugin.h");
  look_through("base/units.h");
  assert_true(structs >= 15); /* else the search is wrong */
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_struct_is_counted)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
