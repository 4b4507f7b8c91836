/* See manuals.h. */
#include "cli/manuals/manuals.h"

#include <string.h>

void manuals_walk(const cli_program *p, const char *only, const cli_tellers *tellers) {
  static char help[] = "--help";
  char *words[] = {help, NULL};
  cli_teller = tellers;
  for (int i = 0; i < p->n; i++)
    if (!only || !strcmp(only, p->commands[i].name)) (void)p->commands[i].run(1, words);
  cli_teller = NULL;
}

void manuals_words(const cli_manual *manual, char words[MANUALS_WORDS]) {
  const char *at = manual->usage + strlen("trm");
  size_t used = 0;
  for (; *at == ' '; at += strcspn(at, " \n")) {
    const size_t n = strspn(++at, "abcdefghijklmnopqrstuvwxyz");
    if (n == 0 || !strchr(" \n", at[n]) || used + n + 2 > MANUALS_WORDS) break;
    used +=
        (size_t)snprintf(words + used, MANUALS_WORDS - used, "%s%.*s", used ? " " : "", (int)n, at);
  }
  words[used] = 0;
}
