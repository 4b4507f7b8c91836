/* The commands that are tortured. */
#ifndef TRM_TORTURE_SCENARIOS_H
#define TRM_TORTURE_SCENARIOS_H

enum {
  REPORT_SAME,  /* the report of every run is the same */
  REPORT_TIMED, /* it has times in it */
  REPORT_FINDS  /* it may say itself what failed, with exit code 3 */
};

typedef struct scenario {
  const char *name;
  const char *before;  /* shell commands that add to the fixture; NULL: none */
  const char *command; /* arguments of trm, separated by spaces */
  const char *again;   /* the next run after a failure, alternatives separated by '|', the first
                          that succeeds counts; NULL: the command itself */
  const char *outputs; /* what may change, separated by spaces: each is as before or complete; with
                          '~' in front it holds progress, which only the next run makes complete;
                          with '^' an interruption (code 130) leaves in it what there was until
                          then */
  int report;          /* REPORT_... */
} scenario;

extern const scenario scenarios[];
extern const int n_scenarios;

#endif
