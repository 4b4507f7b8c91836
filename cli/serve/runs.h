/* Trainings that are watched while the server runs: all runs in a folder. One thread finds them and
 * reads what is new in their logs, another has their newest checkpoints solve puzzles of their
 * data. Nothing of a request but a key or a number is looked at, and only compared with what is
 * known: files are those that the folder has by itself. All functions may be called from any
 * thread, and none of them waits for a file. */
#ifndef TRM_CLI_SERVE_RUNS_H
#define TRM_CLI_SERVE_RUNS_H

#include "cli/cli.h"

enum { RUNS_MOST = 64 /* that are watched: those whose logs were written last */ };

typedef struct serve_runs serve_runs;

/* Errors: IO for what is no folder; SYSTEM where no thread can be had; MEMORY. */
trm_status serve_runs_create(const char *folder, serve_runs **out, trm_error *err);
/* Ends the threads, which takes no longer than a step of a model. NULL is fine. */
void serve_runs_free(serve_runs *r);

/* JSON in a fresh block (trm__free); NULL: no memory. All runs, ... */
char *serve_runs_json(serve_runs *r);
/* ... a figure of their logs, ... */
char *serve_runs_curve_json(serve_runs *r, const char *key);
/* ... and the puzzles of one; *there false: no run has that id. */
char *serve_runs_puzzles_json(serve_runs *r, int64_t id, bool *there);

#endif
