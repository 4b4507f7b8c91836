/* Steps that are solved, beside numbers of plain torch and of TorchDEQ (golden/recipes), where
 * these are beside the checkout: the iterates of each solver, the latents of a supervision step,
 * and the three ways of a gradient through a solution. */
#include <stdio.h>

#include "base/file.h"
#include "golden.h"
#include "nn/model.h"
#include "nn/walk.h"

enum { ROWS = 4, ITERATIONS = 9, Z_H = 0, Z_L = 1 };
#define CASE TRM_SHARED_DIR "/golden/recipes/deq_attention/"

/* --- the case -------------------------------------------------------------------------------- */

typedef struct reference {
  trm__safetensors *init, *batches, *expected;
} reference;

static float *values_of(const trm__safetensors *file, const char *name, int64_t n) {
  const trm__st_tensor *t = trm__safetensors_find(file, name);
  trm_error err;
  if (!t || t->count != n) fail_msg("%s: it is missing or has another size", name);
  float *v = trm__alloc((size_t)n, sizeof *v);
  assert_non_null(v);
  if (trm__st_to_float(t, v, &err) != TRM_OK) fail_msg("%s", err.msg);
  return v;
}

static void check_tensor(const reference *r, const char *name, int64_t n, const real *got,
                         double bound) {
  float *want = values_of(r->expected, name, n);
  probe_below(probe_error(got, want, n), bound, "%s", name);
  trm__free(want);
}

static trm_model_config config_of_case(trm_recursion solver) {
  trm_model_config c = trm_model_config_default(TRM_ARCH_TRM);
  c.vocab_size = 7;
  c.seq_len = 10;
  c.num_puzzle_identifiers = 3;
  c.hidden_size = 32;
  c.num_heads = 2;
  c.L_layers = 1;
  c.H_cycles = 2;
  c.puzzle_emb_ndim = 32;
  c.puzzle_emb_len = 2;
  c.halt_max_steps = 3;
  c.forward_dtype = TRM_FLOAT32;
  c.solver = solver;
  c.solver_tolerance = 1e-6;
  c.solver_iterations = 200;
  return c;
}

/* --- a model with the weights of the case ---------------------------------------------------- */

typedef struct bench {
  const reference *r;
  trm_model *model;
  const trm__layout *l;
  trm__backend *be;
  int64_t latent; /* values of all rows */
  const int32_t *inputs, *labels;
  const real *puzzle[ROWS];
  float *z[2];
  trm__lane lane;
} bench;

static bench bench_open(const reference *r, const trm_model_config *c) {
  bench t = {.r = r, .lane = {0, 1, 0, 1, NULL}};
  trm_error err;
  if (trm_model_create(c, 0, &t.model, &err) != TRM_OK) fail_msg("%s", err.msg);
  t.l = t.model->layout;
  for (int i = 0; i < trm_model_tensor_count(t.model); i++) {
    const trm_tensor to = trm_model_tensor_at(t.model, i);
    float *from = values_of(r->init, to.name, to.count);
    memcpy(to.data, from, (size_t)to.count * sizeof *from);
    trm__free(from);
  }
  const trm__dims *m = &t.l->dims;
  assert_int_equal(trm__cpu_create(m, &t.l->outer, t.l->blocks, t.l->n_blocks, true, &t.be, &err),
                   TRM_OK);
  t.be->ops->pack(t.be, &t.lane, t.model->params);

  t.latent = (int64_t)ROWS * m->L * m->D;
  t.inputs = trm__safetensors_find(r->batches, "inputs")->data;
  t.labels = trm__safetensors_find(r->batches, "labels")->data;
  t.z[Z_H] = values_of(r->batches, "z_H", t.latent);
  t.z[Z_L] = values_of(r->batches, "z_L", t.latent);
  const int32_t *ids = trm__safetensors_find(r->batches, "puzzle_identifiers")->data;
  for (int i = 0; i < ROWS; i++) t.puzzle[i] = t.model->puzzle_emb + (int64_t)ids[i] * m->E;
  return t;
}

static void bench_close(bench *t) {
  trm__free(t->z[Z_H]);
  trm__free(t->z[Z_L]);
  t->be->ops->destroy(t->be);
  trm_model_free(t->model);
}

static trm__walker *walker(const bench *t, bool training) {
  trm__walker *w;
  assert_int_equal(trm__walker_create(t->l, t->be, ROWS, 1, training, &w, NULL), TRM_OK);
  probe_spoil(w->memory, trm__walker_bytes(t->l, t->be, ROWS, 1, training) / (int64_t)sizeof(real));
  return w;
}

/* --- the iterates of a solver ---------------------------------------------------------------- */

/* After iteration k: x is the next iterate. */
static void check_iteration(const bench *t, const char *solver, char iterate, int k, const real *x,
                            const trm__solved *rows, bool weights) {
  const int n = k + 2 < TRM__ANDERSON + 1 ? k + 1 : TRM__ANDERSON;
  char name[64];
  snprintf(name, sizeof name, "problem.%s.%c_%d", solver, iterate, k + 1);
  if (trm__safetensors_find(t->r->expected, name)) check_tensor(t->r, name, t->latent, x, 1e-5);

  /* Anderson's weights, in the order of the iterates. */
  snprintf(name, sizeof name, "problem.%s.alpha_%d", solver, k + 1);
  if (!weights || !trm__safetensors_find(t->r->expected, name)) return;
  real got[ROWS * TRM__ANDERSON];
  for (int row = 0; row < ROWS; row++)
    for (int j = 0; j < n; j++)
      got[row * n + j] = (real)rows[row].weight[(k + 1 - n + j) % TRM__ANDERSON];
  check_tensor(t->r, name, (int64_t)ROWS * n, got, 1e-4);
}

static void check_iterates(const reference *r, trm_recursion solver, char iterate, int n) {
  const trm_model_config c = config_of_case(solver);
  bench t = bench_open(r, &c);
  trm__walker *w = walker(&t, false);
  const trm__backend_ops *ops = t.be->ops;
  trm__workspace ws = {.lane = &t.lane, .shared = w->shared, .scratch = w->scratch};
  const trm__solving how = {solver, 0, false, ITERATIONS + 1, trm__solve_history(solver)};
  real *best = probe_reals(t.latent), residual[ROWS * ITERATIONS];
  trm__solved rows[ROWS];

  ops->embed(t.be, &ws, ROWS, t.inputs, NULL, t.puzzle, w->e);
  memcpy(w->x, t.z[Z_L], (size_t)t.latent * sizeof(real));
  for (int k = 0; k < n; k++) {
    /* f(x + z_H + e), and what the solver makes of it. */
    const real *src[] = {t.z[Z_H], w->x, w->e};
    ops->sum(t.be, &ws, t.latent, 3, src, w->f);
    for (int i = 0; i < t.l->n_blocks; i++)
      ops->block(t.be, &ws, &t.be->blocks[i], ROWS, w->f, w->f, NULL);
    for (int row = 0; row < ROWS; row++) {
      double sum = 0;
      for (int64_t i = row * t.latent / ROWS; i < (row + 1) * t.latent / ROWS; i++)
        sum += ((double)w->f[i] - (double)w->x[i]) * ((double)w->f[i] - (double)w->x[i]);
      residual[row * n + k] = (real)sqrt(sum);
    }
    ops->solve(t.be, &ws, &how, ROWS, k, w->x, w->f, w->f, best, w->history, rows);
    check_iteration(&t, trm_recursion_name(solver), iterate, k, w->x, rows,
                    solver == TRM_RECURSION_ANDERSON);
  }

  /* What a residual is: per value, the least. */
  char name[64];
  snprintf(name, sizeof name, "problem.%s.residual", trm_recursion_name(solver));
  check_tensor(r, name, (int64_t)ROWS * n, residual, 1e-4);
  for (int row = 0; row < ROWS; row++) {
    double least = INFINITY;
    for (int k = 0; k < n; k++) least = fmin(least, (double)residual[row * n + k]);
    probe_below(fabs(rows[row].residual * sqrt((double)t.latent / ROWS) / least - 1), 1e-5,
                "the least residual of row %d", row);
  }
  trm__free(best);
  trm__walker_free(w);
  bench_close(&t);
}

static void iterates_are_the_references(void **state) {
  check_iterates(*state, TRM_RECURSION_FIXED_POINT, 'z', 8);
  check_iterates(*state, TRM_RECURSION_ANDERSON, 'X', 9);
}

/* --- supervision steps ----------------------------------------------------------------------- */

static trm__tile tile_of(const bench *t, real *const *z, real *logits, real *q,
                         trm__solved *solved) {
  return (trm__tile){.rows = ROWS,
                     .z = {z[Z_H], z[Z_L]},
                     .inputs = t->inputs,
                     .puzzle = t->puzzle,
                     .labels = t->labels,
                     .logits = logits,
                     .q = q,
                     .max_steps = 3,
                     .solved = solved};
}

/* Every solver finds the same solution, and with it the step is the reference's. */
static void steps_are_the_references(void **state) {
  const reference *r = *state;
  static const trm_recursion solvers[] = {TRM_RECURSION_FIXED_POINT, TRM_RECURSION_ANDERSON,
                                          TRM_RECURSION_BROYDEN};
  for (size_t i = 0; i < sizeof solvers / sizeof *solvers; i++)
    for (int all = 0; all < 2; all++) {
      const trm_model_config c = config_of_case(solvers[i]);
      bench t = bench_open(r, &c);
      const trm__dims *m = &t.l->dims;
      if (!all) t.l->plan->n_steps = 1;
      trm__walker *w = walker(&t, false);
      real *z[] = {probe_copy(t.z[Z_H], t.latent), probe_copy(t.z[Z_L], t.latent)};
      real *logits = probe_reals((int64_t)ROWS * m->S * m->V), *q = probe_reals(2 * ROWS);
      trm__solved solved[ROWS];
      const trm__tile tile = tile_of(&t, z, logits, q, solved);
      trm__walk_infer(w, &t.lane, &tile);

      print_message("%s: residual %.2g in %d iterations\n", trm_recursion_name(solvers[i]),
                    solved[0].residual, solved[0].iterations);
      for (int row = 0; row < ROWS; row++)
        probe_true(solved[row].residual <= 1e-6 && solved[row].iterations < 200, "%s solves row %d",
                   trm_recursion_name(solvers[i]), row);
      check_tensor(r, all ? "step.z_L" : "problem.z_star", t.latent, z[Z_L], 1e-5);
      if (all) {
        check_tensor(r, "step.z_H", t.latent, z[Z_H], 1e-5);
        check_tensor(r, "step.logits", (int64_t)ROWS * m->S * m->V, logits, 1e-4);
        check_tensor(r, "step.q", 2 * ROWS, q, 1e-4);
      }

      trm__free(z[Z_H]);
      trm__free(z[Z_L]);
      trm__free(logits);
      trm__free(q);
      trm__walker_free(w);
      bench_close(&t);
    }
}

/* --- gradients ------------------------------------------------------------------------------- */

static void check_gradients(const reference *r, const trm_model_config *c, const char *mode) {
  bench t = bench_open(r, c);
  const trm__layout *l = t.l;
  const trm__dims *m = &l->dims;
  trm__walker *w = walker(&t, true);
  real *z[] = {probe_copy(t.z[Z_H], t.latent), probe_copy(t.z[Z_L], t.latent)};
  real *step[16], *sum = trm__alloc((size_t)l->n_params, sizeof *sum);
  real *d_puzzle = probe_reals((int64_t)ROWS * m->E);
  trm__row_loss loss[ROWS];
  static const int32_t steps[ROWS] = {1, 1, 1, 1};
  assert_non_null(sum);
  assert_true(l->plan->n_grads <= 16);
  for (int i = 0; i < l->plan->n_grads; i++)
    step[i] = probe_reals(l->net_offset[1] - l->net_offset[0]);

  trm__tile tile = tile_of(&t, z, NULL, NULL, NULL);
  tile.steps = steps;
  tile.loss = loss;
  tile.d_puzzle = d_puzzle;
  trm__walk_train(w, &t.lane, &tile, step, sum, sum, false);

  /* Of the mean over the rows: each tensor that the case has. */
  for (int s = 0; s < l->n_slots; s++) {
    const trm__slot *slot = &l->slots[s];
    char name[160];
    const int64_t at = slot->offset - l->net_offset[0];
    const bool of_net = slot->offset >= l->net_offset[0] && slot->offset < l->net_offset[1];
    if (slot->kind != TRM_TENSOR_PARAM) continue;
    for (int64_t j = 0; j < slot->count; j++) {
      for (int i = 0; i < l->plan->n_grads && of_net; i++) sum[slot->offset + j] += step[i][at + j];
      sum[slot->offset + j] /= ROWS;
    }
    snprintf(name, sizeof name, "grad.%s.%s", mode, slot->name);
    if (trm__safetensors_find(r->expected, name))
      check_tensor(r, name, slot->count, sum + slot->offset, 1e-3);
  }
  char name[64];
  snprintf(name, sizeof name, "grad.%s.puzzle_emb_local", mode);
  for (int i = 0; i < ROWS * m->E; i++) d_puzzle[i] /= ROWS;
  check_tensor(r, name, (int64_t)ROWS * m->E, d_puzzle, 1e-3);

  for (int i = 0; i < l->plan->n_grads; i++) trm__free(step[i]);
  trm__free(sum);
  trm__free(d_puzzle);
  trm__free(z[Z_H]);
  trm__free(z[Z_L]);
  trm__walker_free(w);
  bench_close(&t);
}

static void gradients_are_the_references(void **state) {
  for (int solver = TRM_RECURSION_FIXED_POINT; solver <= TRM_RECURSION_BROYDEN; solver++) {
    trm_model_config c = config_of_case((trm_recursion)solver);
    check_gradients(*state, &c, "phantom1");
    c.solver_grad = (trm_solver_grad){TRM_SOLVER_GRAD_PHANTOM, 1};
    check_gradients(*state, &c, "phantom1");
    c.solver_grad.steps = 3;
    c.solver_tau = 0.5;
    check_gradients(*state, &c, "phantom3");
    c.solver_grad = (trm_solver_grad){TRM_SOLVER_GRAD_IMPLICIT, 0};
    c.solver_tau = 1;
    check_gradients(*state, &c, "implicit");
  }
}

static int reference_open(void **state) {
  static reference r;
  r = (reference){golden_file(CASE "init.safetensors"), golden_file(CASE "batches.safetensors"),
                  golden_file(CASE "expected.safetensors")};
  *state = &r;
  return 0;
}
static int reference_close(void **state) {
  reference *r = *state;
  trm__safetensors_close(r->init);
  trm__safetensors_close(r->batches);
  trm__safetensors_close(r->expected);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(iterates_are_the_references),
      cmocka_unit_test(steps_are_the_references),
      cmocka_unit_test(gradients_are_the_references),
  };
  if (!trm__path_exists(CASE)) {
    printf("skipped: no reference numbers beside the checkout\n");
    return 77;
  }
  return cmocka_run_group_tests(tests, reference_open, reference_close);
}
