/* Runs that are there, and runs to come: what the folder of a run says without training it, how
 * many of them compare, and the runs of a sweep over settings.
 *
 *   trm_runs_find(&folder, 1, &listener, &runs, &err);     // all runs below it
 *   for (int i = 0; i < trm_runs_count(runs); i++)
 *     use(trm_run_record_summary(trm_runs_at(runs, i)));
 *   trm_runs_free(runs);
 *
 * Nothing here locks, changes or repairs a run: what is read is what a process that trains it has
 * written so far. Reading configurations takes a build with libyaml (else SYSTEM).
 */
#ifndef TRM_RUNS_H
#define TRM_RUNS_H

#include "trm/run.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- one run --- */

typedef enum trm_run_stage {
  TRM_RUN_NEW,      /* has no update yet */
  TRM_RUN_STOPPED,  /* was stopped, killed or failed: it can go on */
  TRM_RUN_RUNNING,  /* a process is training it */
  TRM_RUN_DIVERGED, /* an update gave NaN or infinity, as it would again: that is its result */
  TRM_RUN_DONE,
  TRM_RUN_STAGES
} trm_run_stage;
/* "new", "stopped", "running", "diverged", "done". */
TRM_API const char *trm_run_stage_name(trm_run_stage stage);

typedef struct trm_run_summary {
  trm_run_stage stage;
  uint64_t seed;
  int64_t updates;               /* that its log and its record tell of */
  int64_t end;                   /* where it ends; 0: nothing says so yet */
  double seconds;                /* of training, without pauses between a stop and the next start */
  int64_t examples;              /* of the last evaluation; 0: there was none */
  int64_t best_update;           /* of the best evaluation, as training chose it */
  double best_exact, last_exact; /* exact accuracy, from 0 to 1; -1: no evaluation */
  int64_t last_update;           /* of the last evaluation */
  int64_t diverged_at;           /* the update that gave NaN or infinity; 0: none */
} trm_run_summary;

typedef struct trm_run_record trm_run_record;

/* Errors: IO and FORMAT for what is no run folder, or a broken one; CONFIG; MEMORY; SYSTEM. A last
 * line of its log that is not complete is passed over. */
TRM_API trm_status trm_run_record_open(const char *folder, trm_run_record **out, trm_error *err);
TRM_API void trm_run_record_free(trm_run_record *r);
/* Views, valid until it is freed. */
TRM_API const char *trm_run_record_folder(const trm_run_record *r);
TRM_API const trm_run_config *trm_run_record_config(const trm_run_record *r);
TRM_API const trm_run_summary *trm_run_record_summary(const trm_run_record *r);
/* Of the newest start that its record.jsonl tells of, a member by its name ("version", "commit",
 * "host", "device"; docs/TRAINING.md has all), as it is printed; "" where there is none. At most
 * `size` bytes with the zero that ends them. */
TRM_API void trm_run_record_text(const trm_run_record *r, const char *member, char *text,
                                 size_t size);
/* The same of how that ended, "state" and "message"; "" where it has no end: it was killed, or is
 * under way. */
TRM_API void trm_run_record_end(const trm_run_record *r, const char *member, char *text,
                                size_t size);

/* A figure of the log: where, and what. */
typedef struct trm_run_point {
  double update, seconds, samples; /* samples: rows of batches up to there */
  double value;
} trm_run_point;
/* All lines of the log that have the key, "train/lm_loss" or "all/exact_accuracy", with a number:
 * *points is yours (trm_run_points_free), NULL for none. Errors: IO, FORMAT, MEMORY. */
TRM_API trm_status trm_run_record_curve(const trm_run_record *r, const char *key,
                                        trm_run_point **points, int64_t *n, trm_error *err);
TRM_API void trm_run_points_free(trm_run_point *points);

/* --- one run as it grows --- */

/* A run that may be trained meanwhile, read piece by piece:
 *
 *   trm_run_follow("runs/Sudoku6-trm/first", &f, &err);
 *   for (;; wait_a_second()) {
 *     do trm_run_follower_read(f, 1 << 20, draw_figure, &chart, &left, &err); while (left);
 *     show(trm_run_record_summary(trm_run_follower_record(f)));
 *   }
 *
 * No file stays open or mapped between two reads, so that whoever trains may do with them what it
 * likes. One follower, one thread at a time. */
typedef struct trm_run_follower trm_run_follower;

/* A number of a line of the log by its key, line after line. key and point NULL: the log was cut,
 * for the run goes on from an earlier checkpoint, or replaced; what was told before holds no more,
 * and what follows is told from the beginning. Keys are whatever a file says, valid until it
 * returns. */
typedef void trm_run_figure_fn(void *arg, const char *key, const trm_run_point *point);

/* Reads nothing of the log yet. Errors: those of trm_run_record_open. */
TRM_API trm_status trm_run_follow(const char *folder, trm_run_follower **out, trm_error *err);
TRM_API void trm_run_follower_free(trm_run_follower *f); /* NULL is fine */
/* Reads the next lines, of about `most` bytes (at least a line, and 64 KiB), tells their figures
 * and brings the record up to date. *left: bytes that could be read at once. A line counts once it
 * is complete; what is no line, or is longer than 1 MiB, is passed over. Errors: as of
 * trm_run_record_open, also for a run that is no more; the follower is valid, and may be read
 * again.
 */
TRM_API trm_status trm_run_follower_read(trm_run_follower *f, int64_t most,
                                         trm_run_figure_fn *figure, void *arg, int64_t *left,
                                         trm_error *err);
/* What is known by what was read; a view, valid until it is read again. */
TRM_API const trm_run_record *trm_run_follower_record(const trm_run_follower *f);

/* --- many runs --- */

typedef struct trm_runs trm_runs;

/* The runs in n folders: each is a run, or has runs below it at any depth. In the order of the
 * folders, below one by their paths, each run once. What cannot be read is told as a warning and
 * passed over, but for a folder that is named and cannot be looked into. Errors: IO, MEMORY. */
TRM_API trm_status trm_runs_find(const char *const *folders, int n,
                                 const trm_run_listener *listener, trm_runs **out, trm_error *err);
TRM_API void trm_runs_free(trm_runs *runs);
/* The folders of these runs, one by one, and nothing in them is opened; false ends the search. Not
 * each path is a run of its own: links may lead to the same one. Errors: IO, MEMORY. */
typedef bool trm_run_folder_fn(void *arg, const char *folder);
TRM_API trm_status trm_runs_look(const char *const *folders, int n,
                                 const trm_run_listener *listener, trm_run_folder_fn *found,
                                 void *arg, trm_error *err);
TRM_API int trm_runs_count(const trm_runs *runs);
TRM_API const trm_run_record *trm_runs_at(const trm_runs *runs, int i);
/* Key i of those in which the runs differ, but for the seed, for names of presets and folders, and
 * for what changes no result: threads, memory, intervals of log and checkpoints. NULL after the
 * last. */
TRM_API const char *trm_runs_key(const trm_runs *runs, int i);

/* Which runs have the same values of n keys: group[i] is the number of run i's group, from 0 in the
 * order of their first runs; *groups: how many there are. Errors: CONFIG for an unknown key;
 * MEMORY. */
TRM_API trm_status trm_runs_group(const trm_runs *runs, const char *const *keys, int n, int *group,
                                  int *groups, trm_error *err);

/* Mean and standard deviation (of a sample, n - 1) of n numbers; those that are not finite are left
 * out. deviation 0: fewer than two. */
typedef struct trm_spread {
  int n;
  double mean, deviation;
} trm_spread;
TRM_API trm_spread trm_spread_of(const double *values, int n);

/* --- sweeps --- */

typedef struct trm_sweep trm_sweep;

/* The Cartesian product of settings in Hydra's notation, in its order, the last key fastest:
 * {"seed=0,1", "lr=1e-4", "arch.L_cycles=3,6"} are four runs. Commas within brackets, braces,
 * parentheses and quotes separate nothing; choice(a,b) and range(start,stop[,step]) are lists, too.
 * Errors: CONFIG for what is no such setting, a value that is there twice, more than a million
 * runs, other functions of Hydra (glob, interval, shuffle, sort, tag), and for checkpoint_path,
 * which names the folder of one run; MEMORY. */
TRM_API trm_status trm_sweep_create(const char *const *settings, int n, trm_sweep **out,
                                    trm_error *err);
TRM_API void trm_sweep_free(trm_sweep *sweep);
TRM_API int trm_sweep_count(const trm_sweep *sweep);
/* The settings of run i, of which the last is its run_name, as trm_run_config_load takes them: n of
 * them, a view until the next call. Errors: MEMORY. */
TRM_API trm_status trm_sweep_settings(trm_sweep *sweep, int i, const char *const **settings, int *n,
                                      trm_error *err);
/* The folder's name of run i, "seed=0_L_cycles=3", behind "NAME_" where the settings have a
 * run_name; a view until the next call. Values that cannot stand in a name are shortened, with a
 * hash behind them. Errors: MEMORY. */
TRM_API trm_status trm_sweep_name(trm_sweep *sweep, int i, const char **name, trm_error *err);

/* The folder that a configuration names, by checkpoint_path or OUT/PROJECT_NAME/RUN_NAME,
 * [TRM_PATH_SIZE]; *there: a run of these settings is in it, but for those that may change when it
 * goes on. Errors: CONFIG with the key in which they differ, for a name that is left open and for
 * one that cannot be; IO, FORMAT for what else is there; ARGUMENT; MEMORY. */
TRM_API trm_status trm_run_find(trm_run_config *config, char *folder, bool *there, trm_error *err);
/* That run, as trm_run_open has it with the configuration's settings, or where there is none a new
 * one as trm_run_create makes it. Takes the configuration over, also when it fails. Errors: those
 * of all three. */
TRM_API trm_status trm_run_continue(trm_run_config *config, const trm_run_listener *listener,
                                    trm_run **out, trm_error *err);

#ifdef __cplusplus
}
#endif
#endif
