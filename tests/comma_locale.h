/* A locale whose decimal point is none, as a host program may have chosen one. */
#ifndef TRM_TESTS_COMMA_LOCALE_H
#define TRM_TESTS_COMMA_LOCALE_H

#include <locale.h>

#include "scratch.h"

/* Enters such a locale: an installed one, or one that localedef builds in the scratch folder; false
 * where neither can be had. Leave it with setlocale(LC_ALL, "C"). */
static inline bool enter_comma_locale(scratch *s) {
  static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "nl_NL.UTF-8"};
  char command[500], folder[100];
  for (int built = 0; built < 2; built++) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
      if (setlocale(LC_ALL, names[i]) && strcmp(localeconv()->decimal_point, ".") != 0) return true;
    (void)setlocale(LC_ALL, "C");
    snprintf(folder, sizeof folder, "%s/locales", s->dir);
    snprintf(
        command, sizeof command,
        "mkdir -p %s && localedef -i de_DE -f UTF-8 --no-archive %s/de_DE.UTF-8 >/dev/null 2>&1",
        folder, folder);
    if (built || system(command) != 0 || setenv("LOCPATH", folder, 1) != 0) break;
  }
  print_message(
      "skipped: no locale with a decimal comma, and localedef cannot build one (Debian: "
      "apt-get install locales)\n");
  return false;
}

#endif
