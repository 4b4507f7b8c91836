/* What `trm bench` times of a model: its ops, a training update, a supervision step. */
#ifndef TRM_CLI_BENCH_MODEL_H
#define TRM_CLI_BENCH_MODEL_H

#include "cli/bench/bench_rows.h"

/* A shape is a preset with sizes in place of a data set. */
typedef struct bench_model {
  char name[40];
  trm_model_config model;
  trm_trainer_config trainer;
} bench_model;

void bench_print_models(FILE *f);
/* The shape of that name with n overrides in the notation of `trm train`; seq_len 0: the shape's.
 */
trm_status bench_model_load(bench_model *m, const char *name, int seq_len,
                            const char *const *overrides, int n, trm_error *err);

/* One combination to time; rows get `test` and what is known of it. */
typedef struct bench_case {
  const char *test;
  bench_model *model;
  trm_dtype dtype;
  trm_device device;
  int threads, threads_at; /* threads_at: position in the machine's list */
  int batch, runs;
} bench_case;

/* Each adds rows; a run that is interrupted leaves rows of what was measured. */
trm_status bench_ops(const bench_case *c, bench_table *t, trm_error *err);
trm_status bench_train(const bench_case *c, bench_table *t, trm_error *err);
trm_status bench_infer(const bench_case *c, bench_table *t, trm_error *err);
/* A row with the texts and numbers of the case. */
bench_row *bench_case_row(const bench_case *c, bench_table *t, trm_error *err);

#endif
