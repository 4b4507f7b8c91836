/* See cli.h. */
#include "cli/cli.h"

static void *wait_and_say(void *arg) {
  cli_patience *p = arg;
  int waited = 0;
  pthread_mutex_lock(&p->lock);
  while (!p->over && waited == 0) waited = pthread_cond_timedwait(&p->change, &p->lock, &p->when);
  if (!p->over) cli_note("%s", p->text);
  pthread_mutex_unlock(&p->lock);
  return NULL;
}

void cli_patience_begin(cli_patience *p, double seconds, const char *text) {
  *p = (cli_patience){.text = text};
  if (cli_quiet) return;
  clock_gettime(CLOCK_REALTIME, &p->when); /* macOS knows no other clock for this */
  p->when.tv_sec += (time_t)seconds;
  pthread_mutex_init(&p->lock, NULL);
  pthread_cond_init(&p->change, NULL);
  p->waits = pthread_create(&p->thread, NULL, wait_and_say, p) == 0;
}

void cli_patience_end(cli_patience *p) {
  if (!p->waits) return;
  pthread_mutex_lock(&p->lock);
  p->over = true;
  pthread_cond_signal(&p->change);
  pthread_mutex_unlock(&p->lock);
  pthread_join(p->thread, NULL);
  pthread_cond_destroy(&p->change);
  pthread_mutex_destroy(&p->lock);
  p->waits = false;
}
