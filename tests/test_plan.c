/* The plans of all architectures, as data, against the schedules written out by hand; what follows
 * from them (depth, parameters); and that inference and training walk a plan with the same bits,
 * whatever the instruction set, the number format, the team or the tile. */
#include "probe.h"

#include <stdio.h>
#include <stdlib.h>

#include "kernels/kernels.h"
#include "nn/model.h"
#include "nn/walk.h"

/* --- schedules --- */

static trm_model_config config_of(trm_arch arch, int n, int T) {
  trm_model_config c = trm_model_config_default(arch);
  c.vocab_size = 11;
  c.seq_len = 81;
  c.num_puzzle_identifiers = 1;
  if (arch != TRM_ARCH_TRANSFORMER) {
    c.L_cycles = n;
    c.H_cycles = T;
  }
  return c;
}

/* "L_level z_L<z_H+z_L+e" and so on, one step after the other, '|' before the first with gradient.
 */
static void describe(const trm__plan *p, char *out, size_t size) {
  size_t at = 0;
  out[0] = 0;
  for (int i = 0; i < p->n_steps; i++) {
    const trm__step *s = &p->steps[i];
    const char *plus = "";
    at += (size_t)snprintf(out + at, size - at, "%s%c:%s%c", i == p->first_grad ? "| " : "",
                           p->net[s->net][0], p->latent[s->dst], s->solved ? '=' : '<');
    for (int z = 0; z < p->n_latents; z++)
      if (s->src >> z & 1) {
        at += (size_t)snprintf(out + at, size - at, "%s%s", plus, p->latent[z]);
        plus = "+";
      }
    assert_int_equal(s->src >> p->n_latents, 0);
    at += (size_t)snprintf(out + at, size - at, "%s ", s->add_input ? "+e" : "");
    assert_true(at < size);
  }
}

#define ALL6 "z_H+z_L1+z_L2+z_L3+z_L4+z_L5+z_L6"
static const struct schedule {
  trm_arch arch;
  int n, T;
  const char *settings, *steps;
} schedules[] = {
    {TRM_ARCH_TRM, 2, 2, "",
     "L:z_L<z_H+z_L+e L:z_L<z_H+z_L+e L:z_H<z_H+z_L | L:z_L<z_H+z_L+e L:z_L<z_H+z_L+e "
     "L:z_H<z_H+z_L "},
    {TRM_ARCH_TRM, 1, 1, "", "| L:z_L<z_H+z_L+e L:z_H<z_H+z_L "},
    {TRM_ARCH_TRM, 3, 1, "", "| L:z_L<z_H+z_L+e L:z_L<z_H+z_L+e L:z_L<z_H+z_L+e L:z_H<z_H+z_L "},
    {TRM_ARCH_HRM, 2, 2, "",
     "L:z_L<z_H+z_L+e L:z_L<z_H+z_L+e H:z_H<z_H+z_L L:z_L<z_H+z_L+e | L:z_L<z_H+z_L+e "
     "H:z_H<z_H+z_L "},
    {TRM_ARCH_HRM, 1, 1, "", "| L:z_L<z_H+z_L+e H:z_H<z_H+z_L "},
    {TRM_ARCH_SINGLEZ, 2, 2, "",
     "L:z_L<z_L+e L:z_L<z_L+e L:z_L<z_L | L:z_L<z_L+e L:z_L<z_L+e L:z_L<z_L "},
    {TRM_ARCH_HIER6, 6, 1, "",
     "| L:z_L1<" ALL6 "+e L:z_L2<" ALL6 "+e L:z_L3<" ALL6 "+e L:z_L4<" ALL6 "+e L:z_L5<" ALL6
     "+e L:z_L6<" ALL6 "+e L:z_H<" ALL6 " "},
    {TRM_ARCH_HIER6, 1, 2, "",
     "L:z_L1<" ALL6 "+e L:z_H<" ALL6 " | L:z_L1<" ALL6 "+e L:z_H<" ALL6 " "},
    {TRM_ARCH_TRANSFORMER, 0, 0, "", "| H:z_H<z_H+e "},
    {TRM_ARCH_HIER, 2, 1, "",
     "| L:z_L1<z_H+z_L1+z_L2+e L:z_L2<z_H+z_L1+z_L2+e L:z_H<z_H+z_L1+z_L2 "},
    {TRM_ARCH_HIER, 1, 2, "",
     "L:z_L1<z_H+z_L1+e L:z_H<z_H+z_L1 | L:z_L1<z_H+z_L1+e L:z_H<z_H+z_L1 "},

    /* The ablations. */
    {TRM_ARCH_TRM, 2, 2, "nets=separate",
     "L:z_L<z_H+z_L+e L:z_L<z_H+z_L+e H:z_H<z_H+z_L | L:z_L<z_H+z_L+e L:z_L<z_H+z_L+e "
     "H:z_H<z_H+z_L "},
    {TRM_ARCH_HRM, 1, 1, "nets=shared", "| L:z_L<z_H+z_L+e L:z_H<z_H+z_L "},
    {TRM_ARCH_SINGLEZ, 2, 1, "x_always=true", "| L:z_L<z_L+e L:z_L<z_L+e L:z_L<z_L+e "},
    {TRM_ARCH_TRM, 1, 1, "x_always=true nets=separate", "| L:z_L<z_H+z_L+e H:z_H<z_H+z_L+e "},
    {TRM_ARCH_TRM, 2, 2, "grad=one_step",
     "L:z_L<z_H+z_L+e L:z_L<z_H+z_L+e L:z_H<z_H+z_L L:z_L<z_H+z_L+e | L:z_L<z_H+z_L+e "
     "L:z_H<z_H+z_L "},
    {TRM_ARCH_TRM, 1, 2, "grad=last:1",
     "L:z_L<z_H+z_L+e L:z_H<z_H+z_L L:z_L<z_H+z_L+e | L:z_H<z_H+z_L "},
    {TRM_ARCH_TRM, 1, 2, "grad=last:3",
     "L:z_L<z_H+z_L+e | L:z_H<z_H+z_L L:z_L<z_H+z_L+e L:z_H<z_H+z_L "},
    {TRM_ARCH_TRM, 1, 2, "grad=all",
     "| L:z_L<z_H+z_L+e L:z_H<z_H+z_L L:z_L<z_H+z_L+e L:z_H<z_H+z_L "},
    {TRM_ARCH_HRM, 2, 1, "grad=last_cycle", "| L:z_L<z_H+z_L+e L:z_L<z_H+z_L+e H:z_H<z_H+z_L "},
};

/* "FIELD=VALUE FIELD=VALUE" */
static void set_all(trm_model_config *c, const char *settings) {
  char field[40], value[40];
  trm_error err;
  for (int n; sscanf(settings, " %39[^=]=%39s%n", field, value, &n) == 2; settings += n)
    if (trm_model_config_set(c, field, value, &err) != TRM_OK) fail_msg("%s", err.msg);
}

static void plans_are_the_schedules(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof schedules / sizeof *schedules; i++) {
    const struct schedule *s = &schedules[i];
    trm_model_config c = config_of(s->arch, s->n, s->T);
    trm__plan *p;
    char text[1024];
    set_all(&c, s->settings);
    assert_int_equal(trm__plan_create(&c, &p, NULL), TRM_OK);
    describe(p, text, sizeof text);
    assert_string_equal(text, s->steps);
    bool single = s->arch == TRM_ARCH_SINGLEZ;
    assert_string_equal(p->latent[p->answer], single ? "z_L" : "z_H");
    assert_string_equal(p->init[p->answer], single ? "L_init" : "H_init");
    trm__plan_free(p);
  }
}

/* What an architecture cannot have is refused, with the reason. */
static void plans_that_cannot_be_are_refused(void **state) {
  static const struct {
    trm_arch arch;
    const char *settings, *says;
  } cases[] = {
      {TRM_ARCH_TRM, "grad=last:15", "2 and L_cycles = 6 has 14"},
      {TRM_ARCH_TRM, "grad=last:14", NULL},
      {TRM_ARCH_TRANSFORMER, "nets=separate", "one update"},
      {TRM_ARCH_TRANSFORMER, "grad=one_step", "has 1"},
      {TRM_ARCH_HIER, "L_cycles=17", "16 latents: L_cycles = 17 is too many"},
      {TRM_ARCH_HIER, "L_cycles=16 nets=separate", NULL},
      {TRM_ARCH_HIER6, "L_cycles=7", "6 latents: L_cycles = 7 is too many"},
      {TRM_ARCH_TRM, "moe_t=switch:4", "mlp_t = true"},
      {TRM_ARCH_SINGLEZ, "solver=anderson", "no z_L of its own"},
      {TRM_ARCH_TRM, "solver_grad=implicit", "choose solver"},
      {TRM_ARCH_TRM, "solver=anderson moe=switch:4", "choose one of the two"},
      {TRM_ARCH_TRM, "learned_latents=true", "only the last 7 of 14 updates have one"},
      {TRM_ARCH_TRM, "learned_latents=true grad=all", NULL},
      {TRM_ARCH_TRM, "learned_latents=true grad=all solver=anderson", "would reach L_init"},
      {TRM_ARCH_TRM, "qk_norm=true mlp_t=true", "qk_norm: with mlp_t"},
      {TRM_ARCH_HRM, "attn_out_norm=true mlp_t=true", "attn_out_norm: with mlp_t"},
      {TRM_ARCH_TRM, "gate_norm=true moe=switch:4", "share the width"},
      {TRM_ARCH_TRM, "gate_norm=true mlp_t=true", NULL},
      {TRM_ARCH_TRM, "pos_encodings=rope2d", "nothing says that the data are grids"},
      {TRM_ARCH_TRM, "pos_encodings=rope2d mlp_t=true", "no attention whose queries"},
      {TRM_ARCH_TRM, "rope_theta_cols=100", "only pos_encodings = rope2d"},
      {TRM_ARCH_TRM, "grid_tables=true", "nobody knows the row and column of a cell"},
      {TRM_ARCH_HRM, "registers=64", NULL},
      {TRM_ARCH_TRM, "feedback=true", "nothing says which cells of the puzzle are given"},
      {TRM_ARCH_TRM, "constraint_weight=0.1", "no rule says that the puzzle has each symbol once"},
      {TRM_ARCH_TRM, "step_decay_q=true", "choose a step_decay below 1"},
      {TRM_ARCH_HRM, "step_decay=0.7 step_decay_q=true", NULL},
      {TRM_ARCH_TRM, "start_std=1 damping=0.05 update_noise=0.01", NULL},
      {TRM_ARCH_HIER, "start_std=1 damping=0.05 L_cycles=16", NULL},
      {TRM_ARCH_TRM, "start_std=1 solver=anderson", NULL},
      {TRM_ARCH_TRM, "start_std=1 learned_latents=true grad=all", "choose one of the two"},
      {TRM_ARCH_TRM, "damping=0.05 solver=anderson", "damping: a solver finds"},
      {TRM_ARCH_HRM, "update_noise=0.1 solver=broyden", "update_noise: a solver finds"},
      {TRM_ARCH_TRM, "L_cycles=1024 H_cycles=1024", NULL},
      {TRM_ARCH_TRM, "L_cycles=1024 H_cycles=2 grad=all", NULL},
      {TRM_ARCH_TRM, "L_cycles=1024 H_cycles=3 grad=all", "3075 applications of nets"},
      {TRM_ARCH_TRM, "H_cycles=63 grad=all solver=broyden solver_grad=phantom:31", NULL},
      {TRM_ARCH_TRM, "H_cycles=65 grad=all solver=broyden solver_grad=phantom:31",
       "2080 applications of nets"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    trm_model_config c = config_of(cases[i].arch, 6, 2);
    trm_error err = {0};
    set_all(&c, cases[i].settings);
    const trm_status st = trm_model_config_check(&c, &err);
    if (!cases[i].says)
      assert_int_equal(st, TRM_OK);
    else if (st != TRM_E_CONFIG || !strstr(err.msg, cases[i].says))
      fail_msg("%s %s: %s", trm_arch_name(c.arch), cases[i].settings, err.msg);
  }
}

/* A solver's solution is one update, whatever n says; a phantom gradient passes several
 * applications of its net. */
static void a_solution_is_one_update(void **state) {
  (void)state;
  static const struct {
    trm_grad grad;
    const char *steps;
    int n_grads; /* with phantom:3 */
  } cases[] = {
      {{TRM_GRAD_LAST_CYCLE, 0},
       "L:z_L=z_H+z_L+e L:z_H<z_H+z_L | L:z_L=z_H+z_L+e L:z_H<z_H+z_L ",
       4},
      {{TRM_GRAD_LAST, 1}, "L:z_L=z_H+z_L+e L:z_H<z_H+z_L L:z_L=z_H+z_L+e | L:z_H<z_H+z_L ", 1},
      {{TRM_GRAD_ALL, 0}, "| L:z_L=z_H+z_L+e L:z_H<z_H+z_L L:z_L=z_H+z_L+e L:z_H<z_H+z_L ", 8},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    for (int n = 1; n < 9; n += 5) {
      trm_model_config c = config_of(TRM_ARCH_TRM, n, 2);
      c.solver = TRM_RECURSION_ANDERSON;
      c.grad = cases[i].grad;
      c.solver_grad = (trm_solver_grad){TRM_SOLVER_GRAD_PHANTOM, 3};
      trm__plan *p;
      char text[1024];
      assert_int_equal(trm__plan_create(&c, &p, NULL), TRM_OK);
      describe(p, text, sizeof text);
      assert_string_equal(text, cases[i].steps);
      assert_int_equal(p->n_grads, cases[i].n_grads);
      trm__plan_free(p);
    }
}

/* The same for long schedules: the steps repeat, and so does what has gradient. */
static void long_plans_repeat(void **state) {
  (void)state;
  static const trm_arch archs[] = {TRM_ARCH_TRM, TRM_ARCH_HRM, TRM_ARCH_SINGLEZ, TRM_ARCH_HIER6};
  for (size_t a = 0; a < 4; a++)
    for (int n = 1; n <= 6; n++)
      for (int T = 1; T <= 6; T++) {
        trm_model_config c = config_of(archs[a], n, T);
        trm__plan *p;
        assert_int_equal(trm__plan_create(&c, &p, NULL), TRM_OK);
        assert_int_equal(p->n_steps, T * (n + 1));
        assert_int_equal(p->n_steps - p->first_grad, archs[a] == TRM_ARCH_HRM ? 2 : n + 1);
        for (int i = 0; i < p->n_steps; i++) {
          const trm__step *s = &p->steps[i], *first = &p->steps[i % (n + 1)];
          assert_true(s->net == first->net && s->dst == first->dst && s->src == first->src &&
                      s->add_input == first->add_input);
          assert_int_equal(s->add_input, i % (n + 1) < n);
          assert_int_equal(s->net, archs[a] == TRM_ARCH_HRM && i % (n + 1) == n);
        }
        trm__plan_free(p);
      }
}

/* --- what follows from a plan --- */

static trm_model_cost cost_of(const trm_model_config *c) {
  trm_model_cost cost;
  trm_error err;
  assert_int_equal(trm_model_cost_of(c, &cost, &err), TRM_OK);
  return cost;
}

static void depth_is_the_papers(void **state) {
  (void)state;
  for (int n = 1; n <= 6; n++)
    for (int T = 1; T <= 4; T++)
      for (int layers = 1; layers <= 4; layers++) {
        trm_model_config c = config_of(TRM_ARCH_TRM, n, T);
        c.L_layers = layers;
        assert_int_equal(cost_of(&c).depth, T * (n + 1) * layers);
        c = config_of(TRM_ARCH_HRM, n, T);
        c.L_layers = layers;
        c.H_layers = 3;
        assert_int_equal(cost_of(&c).depth, T * (n * layers + 3));
      }
  trm_model_config c = config_of(TRM_ARCH_TRANSFORMER, 0, 0);
  assert_int_equal(cost_of(&c).depth, 8);
  c = config_of(TRM_ARCH_TRM, 6, 3);
  c.nets = TRM_NETS_SEPARATE; /* 10 million weights (Table 1), at the same depth */
  assert_int_equal(cost_of(&c).depth, 42);
  assert_true(fabs((double)cost_of(&c).n_params - 13.6e6) < 0.1e6);
  c = config_of(TRM_ARCH_TRM, 6, 3);
  assert_int_equal(cost_of(&c).n_updates, 21);
  assert_int_equal(cost_of(&c).n_updates_with_grad, 7);
}

/* At most: as many applications as the solver may take; on the way back two for each of those that
 * have a gradient, and with the implicit function theorem two more, and one forward, for each of
 * its iterations but the first. */
static void solved_steps_cost_their_iterations(void **state) {
  (void)state;
  trm_model_config c = config_of(TRM_ARCH_TRM, 6, 3);
  c.L_cycles = 1;
  const trm_model_cost one = cost_of(&c);
  const double head = 2.0 * c.seq_len * c.vocab_size * c.hidden_size;
  const double net = (one.flops_forward - head) / 6;
  c.solver = TRM_RECURSION_BROYDEN;
  c.solver_iterations = 40;
  assert_int_equal(cost_of(&c).depth, 3 * (40 + 1) * 2);
  assert_int_equal(cost_of(&c).n_updates, 6);
  assert_true(cost_of(&c).flops_forward == 123 * net + head);
  assert_true(cost_of(&c).flops_train == (123 + 3 + 2) * net + 3 * head);
  assert_int_equal(cost_of(&c).bytes_saved, one.bytes_saved);

  c.solver_grad = (trm_solver_grad){TRM_SOLVER_GRAD_PHANTOM, 3};
  assert_true(cost_of(&c).flops_train == (123 + 9 + 2) * net + 3 * head);
  assert_int_equal(cost_of(&c).bytes_saved, 2 * one.bytes_saved);
  c.solver_grad = (trm_solver_grad){TRM_SOLVER_GRAD_IMPLICIT, 0};
  assert_true(cost_of(&c).flops_train == (123 + 3 + 2 + 3 * 39) * net + 3 * head);
}

/* No product more; one number is kept for each vector, of every application with gradient. */
static void norms_keep_little(void **state) {
  static const struct {
    const char *field;
    bool mlp_t;
    int heads, positions, channels; /* so many numbers of a layer */
  } norms[] = {{"qk_norm", false, 2, 0, 0},
               {"attn_out_norm", false, 0, 1, 0},
               {"gate_norm", false, 0, 1, 0},
               {"gate_norm", true, 0, 1, 1}};
  (void)state;
  for (size_t i = 0; i < sizeof norms / sizeof *norms; i++) {
    trm_model_config c = config_of(TRM_ARCH_TRM, 6, 3);
    c.mlp_t = norms[i].mlp_t;
    const trm_model_cost before = cost_of(&c);
    assert_int_equal(trm_model_config_set(&c, norms[i].field, "true", NULL), TRM_OK);
    const trm_model_cost after = cost_of(&c);
    const int64_t layers = (int64_t)before.n_updates_with_grad * c.L_layers;
    const int64_t numbers =
        before.positions * (int64_t)(norms[i].heads * c.num_heads + norms[i].positions) +
        norms[i].channels * (int64_t)c.hidden_size;
    const int64_t more = after.bytes_saved - before.bytes_saved - layers * 4 * numbers;
    assert_true(after.flops_forward == before.flops_forward &&
                after.flops_train == before.flops_train && after.n_params == before.n_params);
    assert_true(more >= 0 && more < layers * 2 * 256);
  }
}

/* Heads that two dimensions share have whole pairs for each. */
static void grids_need_heads_of_fours(void **state) {
  (void)state;
  trm_model_config c = config_of(TRM_ARCH_TRM, 6, 3);
  trm_error err;
  c.pos_encodings = TRM_POS_ROPE2D;
  c.puzzle =
      (trm_puzzle){.kind = TRM_PUZZLE_SUDOKU, .rows = 9, .cols = 9, .box_rows = 3, .box_cols = 3};
  assert_int_equal(c.seq_len, 81);
  assert_int_equal(trm_model_config_check(&c, &err), TRM_OK);
  c.num_heads = 256;
  assert_int_equal(trm_model_config_check(&c, &err), TRM_E_CONFIG);
  assert_non_null(strstr(err.msg, "multiple of 4"));
}

static void parameters_are_the_papers(void **state) {
  (void)state;
  trm_model_config c = config_of(TRM_ARCH_TRM, 6, 3);
  assert_int_equal(cost_of(&c).n_params, 6828034);
  assert_int_equal(cost_of(&c).positions, 97);
  c.mlp_t = true;
  c.pos_encodings = TRM_POS_NONE;
  assert_int_equal(cost_of(&c).n_params, 5028866);
  c.seq_len = 900;
  c.vocab_size = 12;
  assert_true(fabs((double)cost_of(&c).n_params - 18.8e6) < 0.05e6);
  assert_int_equal(cost_of(&c).positions, 916);
  c = config_of(TRM_ARCH_HRM, 2, 2);
  assert_true(fabs((double)cost_of(&c).n_params - 27.3e6) < 0.05e6);
  assert_int_equal(cost_of(&c).positions, 82);
}

/* --- walks --- */

enum { ROWS = 3, TEAMS = 3, MAX_ISA = 8 };

static trm_model_config tiny(trm_arch arch, bool mlp_t) {
  trm_model_config c = config_of(arch, 3, 2);
  c.seq_len = 19;
  c.hidden_size = 40;
  c.num_heads = 2;
  c.expansion = 2;
  c.mlp_t = mlp_t;
  c.puzzle_emb_ndim = 40;
  c.num_puzzle_identifiers = ROWS;
  if (c.H_layers) c.H_layers = 2;
  return c;
}

typedef struct bench {
  trm_model *model;
  const trm__layout *l;
  trm__backend *be;
  trm__pool *pool[TEAMS];
  int32_t inputs[ROWS * 19], labels[ROWS * 19], steps[ROWS];
  const real *puzzle[ROWS];
  real *start[TRM__MAX_LATENTS];
  int64_t latent, n_logits; /* of one row */
} bench;

/* What a walk leaves, of all rows. */
typedef struct outcome {
  real *z[TRM__MAX_LATENTS], *logits, *q;
  trm__row_loss loss[ROWS];
  trm__solved solved[ROWS];
} outcome;

static outcome outcome_new(const bench *t) {
  outcome o = {.logits = probe_reals(ROWS * t->n_logits), .q = probe_reals(2 * ROWS)};
  for (int i = 0; i < t->l->plan->n_latents; i++)
    o.z[i] = probe_copy(t->start[i], ROWS * t->latent);
  return o;
}
static void outcome_free(outcome *o) {
  for (int i = 0; i < TRM__MAX_LATENTS; i++) trm__free(o->z[i]);
  trm__free(o->logits);
  trm__free(o->q);
}
static void same_outcome(const bench *t, const outcome *a, const outcome *b, const char *what) {
  probe_true(probe_same(a->logits, b->logits, ROWS * t->n_logits), "logits %s", what);
  probe_true(probe_same(a->q, b->q, 2 * ROWS), "q %s", what);
  for (int i = 0; i < t->l->plan->n_latents; i++)
    probe_true(probe_same(a->z[i], b->z[i], ROWS * t->latent), "%s %s", t->l->plan->latent[i],
               what);
  probe_true(!memcmp(a->solved, b->solved, sizeof a->solved), "solved steps %s", what);
}

/* Short branches: each net approaches a fixed point, from where the rows start. */
static void make_contract(trm_model *m) {
  for (int net = 0; net < m->layout->n_blocks; net++) {
    const trm__block *blk = &m->layout->blocks[net];
    const trm__weight *w = &blk->w[blk->n_weights - 1];
    for (int64_t i = 0; i < (int64_t)w->rows * w->cols; i++) m->params[w->at + i] *= (real)0.3;
  }
}

static bench *bench_open(const trm_model_config *c) {
  /* A model with embeddings and a q head that are not all zero. */
  bench *t = trm__alloc(1, sizeof *t);
  trm__rng rng = probe_rng(21);
  trm_error err;
  assert_non_null(t);
  assert_int_equal(trm_model_create(c, 3, &t->model, &err), TRM_OK);
  t->l = t->model->layout;
  const trm__dims *m = &t->l->dims;
  t->latent = (int64_t)m->L * m->D;
  t->n_logits = (int64_t)m->S * m->V;
  probe_fill(t->model->puzzle_emb, t->l->n_puzzle_emb, 1, &rng);
  probe_fill(t->model->params + t->l->outer.q_weight, 2 * m->D, 1, &rng);
  if (c->solver != TRM_RECURSION_UPDATES) make_contract(t->model);

  /* Its backend, and teams of each size. */
  assert_int_equal(
      trm__cpu_create(m, &t->l->outer, t->l->blocks, t->l->n_blocks, true, &t->be, &err), TRM_OK);
  for (int i = 0; i < TEAMS; i++)
    assert_int_equal(trm__pool_create(i + 1, &t->pool[i], &err), TRM_OK);

  /* Random puzzles, of which some labels are ignored. */
  for (int i = 0; i < ROWS * m->S; i++) {
    t->inputs[i] = (int32_t)trm__rng_below(&rng, (uint32_t)m->V);
    t->labels[i] = (int32_t)trm__rng_below(&rng, (uint32_t)m->V) - 1;
  }

  /* Rows of different ids, at different steps. */
  for (int r = 0; r < ROWS; r++) {
    t->puzzle[r] = t->model->puzzle_emb + (int64_t)r * m->E;
    t->steps[r] = r + 1;
  }

  /* Latents that they start from. */
  for (int i = 0; i < t->l->plan->n_latents; i++)
    t->start[i] = probe_random(ROWS * t->latent, 1.7, &rng);
  return t;
}
static void bench_close(bench *t) {
  for (int i = 0; i < TRM__MAX_LATENTS; i++) trm__free(t->start[i]);
  for (int i = 0; i < TEAMS; i++) trm__pool_free(t->pool[i]);
  t->be->ops->destroy(t->be);
  trm_model_free(t->model);
  trm__free(t);
}

typedef struct job {
  bench *t;
  trm__walker *w;
  trm__tile tile;
  real *const *step_grads; /* NULL: inference */
  real *outer;
} job;

static void walk_lane(void *arg, trm__lane *lane) {
  job *j = arg;
  j->t->be->ops->pack(j->t->be, lane, j->t->model->params);
  trm__lane_barrier(lane);
  if (j->step_grads)
    trm__walk_train(j->w, lane, &j->tile, j->step_grads, j->outer, j->outer, false);
  else
    trm__walk_infer(j->w, lane, &j->tile);
}

static trm__tile tile_of(bench *t, outcome *o, int first, int rows) {
  const trm__dims *m = &t->l->dims;
  trm__tile tile = {.rows = rows,
                    .inputs = t->inputs + first * m->S,
                    .labels = t->labels + first * m->S,
                    .puzzle = t->puzzle + first,
                    .steps = t->steps + first,
                    .max_steps = 16,
                    .logits = o->logits + first * t->n_logits,
                    .q = o->q + 2 * first,
                    .loss = o->loss + first,
                    .solved = o->solved + first};
  for (int i = 0; i < t->l->plan->n_latents; i++) tile.z[i] = o->z[i] + first * t->latent;
  return tile;
}

static trm__walker *walker(bench *t, int rows, int members, bool training) {
  trm__walker *w;
  assert_int_equal(trm__walker_create(t->l, t->be, rows, members, training, &w, NULL), TRM_OK);
  return w;
}

static outcome infer(bench *t, int members, int rows_at_once) {
  outcome o = outcome_new(t);
  trm__walker *w = walker(t, rows_at_once, members, false);
  for (int r = 0; r < ROWS; r += rows_at_once) {
    job j = {.t = t,
             .w = w,
             .tile = tile_of(t, &o, r, r + rows_at_once < ROWS ? rows_at_once : ROWS - r)};
    trm__pool_run(t->pool[members - 1], 1, walk_lane, &j);
  }
  trm__walker_free(w);
  return o;
}

/* The losses and their gradients from the logits of inference. */
static void loss_lane(void *arg, trm__lane *lane) {
  job *j = arg;
  trm__workspace ws = {.lane = lane};
  j->t->be->ops->loss(j->t->be, &ws, ROWS, j->t->labels, j->t->steps, NULL, j->tile.logits,
                      j->tile.q, j->tile.loss);
}

/* Training computes its logits in the walker and turns them into gradients, which are equal in all
 * bits exactly when the logits were. The continue loss is left out: it has no part in inference. */
static void check_training(bench *t, const outcome *inferred, const char *what) {
  trm__walker *w = walker(t, ROWS, 1, true);
  const trm__plan *p = t->l->plan;
  int n = p->n_grads;
  real **grads = trm__alloc((size_t)n, sizeof *grads), *outer = probe_reals(t->l->n_params);
  real *d_puzzle = probe_reals((int64_t)ROWS * t->l->dims.E);
  assert_non_null(grads);
  for (int i = 0; i < n; i++) {
    int net = p->grad_net[i];
    grads[i] = probe_reals(t->l->net_offset[net + 1] - t->l->net_offset[net]);
  }
  outcome trained = outcome_new(t), from_inference = outcome_new(t);
  job j = {
      .t = t, .w = w, .tile = tile_of(t, &trained, 0, ROWS), .step_grads = grads, .outer = outer};
  j.tile.d_puzzle = d_puzzle;
  trm__pool_run(t->pool[0], 1, walk_lane, &j);
  for (int i = 0; i < p->n_latents; i++)
    probe_true(probe_same(trained.z[i], inferred->z[i], ROWS * t->latent), "%s %s in training",
               what, p->latent[i]);

  memcpy(from_inference.logits, inferred->logits, (size_t)(ROWS * t->n_logits) * sizeof(real));
  memcpy(from_inference.q, inferred->q, 2 * ROWS * sizeof(real));
  job again = {.t = t, .tile = tile_of(t, &from_inference, 0, ROWS)};
  trm__pool_run(t->pool[0], 1, loss_lane, &again);
  probe_true(probe_same(w->logits, from_inference.logits, ROWS * t->n_logits),
             "%s logits in training", what);
  for (int r = 0; r < ROWS; r++) {
    const trm__row_loss *a = &trained.loss[r], *b = &from_inference.loss[r];
    probe_true(a->lm == b->lm && a->q[0] == b->q[0] && a->q[1] == b->q[1] && a->valid == b->valid &&
                   a->right == b->right,
               "%s loss of row %d", what, r);
  }
  outcome_free(&trained);
  outcome_free(&from_inference);
  for (int i = 0; i < n; i++) trm__free(grads[i]);
  trm__free(grads);
  trm__free(outer);
  trm__free(d_puzzle);
  trm__walker_free(w);
}

static void check_walks(const trm_model_config *c, const char *what) {
  static const int cuts[][2] = {{1, 1}, {2, 2}, {3, 1}, {3, 3}}; /* members, rows at once */
  bench *t = bench_open(c);
  outcome first = infer(t, 1, ROWS);
  for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
    outcome o = infer(t, cuts[i][0], cuts[i][1]);
    same_outcome(t, &o, &first, what);
    outcome_free(&o);
  }
  check_training(t, &first, what);
  outcome_free(&first);
  bench_close(t);
}

static void walks_agree_in_every_bit(void **state) {
  (void)state;

  /* The instruction sets of this machine, which the environment forces one by one. */
  const trm__kernels *k[MAX_ISA];
  int isa = trm__kernels_runnable(k, MAX_ISA);
  char *before = getenv("TRM_ISA") ? strdup(getenv("TRM_ISA")) : NULL;

  /* Every architecture, with and without the mixer, in both formats. */
  for (int i = 0; i < isa; i++) {
    assert_int_equal(setenv("TRM_ISA", k[i]->name, 1), 0);
    for (int arch = TRM_ARCH_TRM; arch <= TRM_ARCH_TRANSFORMER; arch++)
      for (int way = 0; way < 4; way++) {
        char what[64];
        trm_model_config c = tiny((trm_arch)arch, way % 2);
        c.forward_dtype = (trm_dtype)(way / 2);
        snprintf(what, sizeof what, "%s %s %s%s", k[i]->name, trm_dtype_name(c.forward_dtype),
                 trm_arch_name(c.arch), c.mlp_t ? " mlp_t" : "");
        check_walks(&c, what);
      }
  }

  /* What was forced before is forced again. */
  if (before)
    setenv("TRM_ISA", before, 1);
  else
    unsetenv("TRM_ISA");
  free(before);
}

/* Rows that are solved leave one by one, whoever is beside them. */
static void solved_steps_agree_in_every_bit(void **state) {
  (void)state;
  for (int solver = TRM_RECURSION_FIXED_POINT; solver <= TRM_RECURSION_BROYDEN; solver++)
    for (int way = 0; way < 4; way++) {
      char what[64];
      trm_model_config c = tiny(way % 2 ? TRM_ARCH_HRM : TRM_ARCH_TRM, way / 2);
      c.solver = (trm_recursion)solver;
      c.solver_iterations = 30;
      c.solver_tolerance = 3e-4;
      c.forward_dtype = TRM_FLOAT32;
      c.grad.kind = TRM_GRAD_LAST_CYCLE;
      snprintf(what, sizeof what, "%s %s%s", trm_recursion_name(c.solver), trm_arch_name(c.arch),
               c.mlp_t ? " mlp_t" : "");
      check_walks(&c, what);
      c.solver_grad.kind = TRM_SOLVER_GRAD_IMPLICIT;
      check_walks(&c, what);

      /* What this test is about: not all take as long. (The mixer's nearly do.) */
      bench *t = bench_open(&c);
      outcome o = infer(t, 1, ROWS);
      bool differ = false;
      for (int r = 0; r < ROWS; r++) differ |= o.solved[r].iterations != o.solved[0].iterations;
      probe_true(differ || c.mlp_t, "%s: rows differ in their iterations", what);
      outcome_free(&o);
      bench_close(t);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_solution_is_one_update),
      cmocka_unit_test(solved_steps_cost_their_iterations),
      cmocka_unit_test(plans_are_the_schedules),
      cmocka_unit_test(plans_that_cannot_be_are_refused),
      cmocka_unit_test(norms_keep_little),
      cmocka_unit_test(grids_need_heads_of_fours),
      cmocka_unit_test(long_plans_repeat),
      cmocka_unit_test(depth_is_the_papers),
      cmocka_unit_test(parameters_are_the_papers),
      cmocka_unit_test(walks_agree_in_every_bit),
      cmocka_unit_test(solved_steps_agree_in_every_bit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
