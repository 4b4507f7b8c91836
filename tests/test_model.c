/* Models: initial weights, sizes, copies, and folders that come back as they went. What a folder
 * may do wrong is in test_model_folder.c. */
#include <math.h>

#include "small_model.h"

static const trm_arch archs[] = {TRM_ARCH_TRM, TRM_ARCH_HRM, TRM_ARCH_SINGLEZ, TRM_ARCH_HIER6,
                                 TRM_ARCH_TRANSFORMER};
enum { N_ARCHS = sizeof archs / sizeof *archs };

static trm_model *make_model(const trm_model_config *c, uint64_t seed) {
  trm_model *m;
  trm_error err;
  if (trm_model_create(c, seed, &m, &err) != TRM_OK) fail_msg("%s", err.msg);
  return m;
}

/* --- initial weights --- */

/* Standard deviation that the reference gives a tensor; 0: all `*constant`. */
static double reference_std(const trm_tensor *t, int D, float *constant) {
  *constant = strcmp(t->name, "q_head.bias") ? 0 : -5;
  if (!strncmp(t->name, "q_head.", 7) || !strcmp(t->name, "puzzle_emb.weights")) return 0;
  if (!strncmp(t->name, "embed_", 6)) return 1 / sqrt(D);
  return t->ndim == 1 ? 1 : 1 / sqrt((double)t->shape[1]);
}

static void check_distribution(const trm_tensor *t, double std) {
  double n = (double)t->count, sum = 0, squares = 0, most = 0;
  for (int64_t i = 0; i < t->count; i++) {
    double v = (double)t->data[i];
    sum += v;
    squares += v * v;
    most = fmax(most, fabs(v));
  }
  /* Five standard errors: of the mean std / sqrt n, of the deviation less than std / sqrt 2n. */
  if (fabs(sum / n) > 5 * std / sqrt(n) || fabs(sqrt(squares / n) - std) > 5 * std / sqrt(2 * n))
    fail_msg("%s: mean %g, deviation %g; want 0 and %g", t->name, sum / n, sqrt(squares / n), std);
  double edge = 2 * std / 0.8796256610342398;
  if (most > edge * (1 + 1e-6) || (n > 4000 && most < 0.97 * edge))
    fail_msg("%s: largest value %g; want it cut at %g", t->name, most, edge);
}

static void initial_weights_are_the_references(void **state) {
  /* Every architecture, with attention and positions, and with the mixer and learned ones. */
  (void)state;
  for (int k = 0; k < 2 * N_ARCHS; k++) {
    trm_model_config c = small_config(archs[k / 2], 40);
    c.hidden_size = 64;
    c.puzzle_emb_len = 2;
    c.mlp_t = k % 2;
    c.pos_encodings = k % 2 ? TRM_POS_LEARNED : TRM_POS_ROPE;
    trm_model *m = make_model(&c, 7);
    assert_true(trm_model_tensor_count(m) > 8);

    /* Each tensor is drawn with the reference's deviation, or is its constant, and is found by its
     * name. */
    for (int i = 0; i < trm_model_tensor_count(m); i++) {
      trm_tensor t = trm_model_tensor_at(m, i);
      float constant;
      double std = reference_std(&t, c.hidden_size, &constant);
      if (std > 0) check_distribution(&t, std);
      for (int64_t j = 0; std == 0 && j < t.count; j++) assert_true(t.data[j] == constant);
      assert_ptr_equal(trm_model_tensor_named(m, t.name).data, t.data);
    }

    /* Others are not. */
    assert_null(trm_model_tensor_named(m, "no_such.weight").data);
    trm_model_free(m);
  }
}

static void a_seed_decides_every_bit(void **state) {
  (void)state;
  for (int k = 0; k < N_ARCHS; k++) {
    trm_model_config c = small_config(archs[k], 9);
    trm_model *a = make_model(&c, 1), *b = make_model(&c, 1), *other = make_model(&c, 2), *copy;
    assert_true(same_tensors(a, b));
    assert_int_equal(trm_model_clone(a, &copy, NULL), TRM_OK);
    assert_true(same_tensors(a, copy));
    for (int i = 0; i < trm_model_tensor_count(a); i++) {
      trm_tensor s = trm_model_tensor_at(a, i), t = trm_model_tensor_at(other, i);
      float constant;
      if (reference_std(&s, c.hidden_size, &constant) == 0) continue;
      assert_memory_not_equal(s.data, t.data, (size_t)s.count * sizeof *s.data);
      /* Each tensor has draws of its own: no two begin in proportion. */
      for (int j = 0; j < i; j++) {
        trm_tensor u = trm_model_tensor_at(a, j);
        assert_true(u.data[0] * s.data[1] != s.data[0] * u.data[1] || u.data[0] == u.data[1]);
      }
    }
    trm_model_tensor_named(copy, "lm_head.weight").data[0] += 1;
    assert_true(same_tensors(a, b) && !same_tensors(a, copy));
    trm_model_free(a);
    trm_model_free(b);
    trm_model_free(other);
    trm_model_free(copy);
  }
}

/* --- sizes --- */

static trm_model_cost cost_of(trm_arch arch, int seq_len, int vocab, bool mixer) {
  trm_model_config c = trm_model_config_default(arch);
  c.seq_len = seq_len;
  c.vocab_size = vocab;
  c.num_puzzle_identifiers = 1;
  c.mlp_t = mixer;
  if (mixer) c.pos_encodings = TRM_POS_NONE;
  trm_model_cost cost;
  trm_error err;
  if (trm_model_cost_of(&c, &cost, &err) != TRM_OK) fail_msg("%s", err.msg);
  return cost;
}

static void sizes_are_those_of_the_paper(void **state) {
  /* The mixer of Sudoku-Extreme: about 5 M parameters, T (n + 1) times two layers deep. */
  (void)state;
  trm_model_cost c = cost_of(TRM_ARCH_TRM, 81, 11, true);
  assert_int_equal(c.n_params, 5028866);
  assert_int_equal(c.n_puzzle_emb, 512);
  assert_int_equal(c.positions, 97);
  assert_int_equal(c.depth, 42); /* T (n + 1) layers */
  assert_int_equal(c.n_updates, 21);
  assert_int_equal(c.n_updates_with_grad, 7);

  /* With attention about 7 M. */
  c = cost_of(TRM_ARCH_TRM, 81, 11, false);
  assert_int_equal(c.n_params, 6828034);
  assert_int_equal(c.depth, 42);

  /* The mixer of Maze-Hard is about 18.8 M, most of it the length. */
  c = cost_of(TRM_ARCH_TRM, 900, 12, true);
  assert_true(c.n_params > 18750000 && c.n_params < 18900000); /* "about 18.8 M" */
  assert_int_equal(c.positions, 916);

  /* HRM is 27.3 M, with one puzzle position and two nets. */
  c = cost_of(TRM_ARCH_HRM, 81, 11, false);
  assert_true(c.n_params > 27250000 && c.n_params < 27350000); /* "27.3 M" */
  assert_int_equal(c.positions, 82);
  assert_int_equal(c.depth, 24);
  assert_int_equal(c.n_updates, 6);
  assert_int_equal(c.n_updates_with_grad, 2);

  /* The variants are as deep as TRM, with the gradient through the last cycle. */
  c = cost_of(TRM_ARCH_SINGLEZ, 81, 11, false);
  assert_int_equal(c.depth, 42);
  c = cost_of(TRM_ARCH_HIER6, 81, 11, false);
  assert_int_equal(c.depth, 42);
  assert_int_equal(c.n_updates_with_grad, 7);

  /* Direct prediction is one step. */
  c = cost_of(TRM_ARCH_TRANSFORMER, 81, 11, false);
  assert_int_equal(c.depth, 8);
  assert_int_equal(c.n_updates, 1);
}

/* A tied head is no table of its own; where latents learn to start, each has D weights more. */
static void sizes_of_variants(void **state) {
  (void)state;
  for (int i = 0; i < N_ARCHS; i++) {
    trm_model_config c = small_config(archs[i], 9);
    trm_model_cost usual, tied, learned;
    assert_int_equal(trm_model_cost_of(&c, &usual, NULL), TRM_OK);
    c.tie_embeddings = true;
    assert_int_equal(trm_model_cost_of(&c, &tied, NULL), TRM_OK);
    assert_int_equal(tied.n_params, usual.n_params - c.vocab_size * c.hidden_size);
    c.grad.kind = TRM_GRAD_ALL;
    c.learned_latents = true;
    assert_int_equal(trm_model_cost_of(&c, &learned, NULL), TRM_OK);
    const int64_t one = learned.bytes_carry / (int64_t)sizeof(float) / learned.positions;
    assert_int_equal(learned.n_params, tied.n_params + one);

    /* They are drawn as they are otherwise. */
    trm_model *m = make_model(&c, 4);
    for (int k = 0; k < trm_model_tensor_count(m); k++) {
      const trm_tensor t = trm_model_tensor_at(m, k);
      float constant;
      const double std = reference_std(&t, c.hidden_size, &constant);
      assert_true(t.kind != TRM_TENSOR_BUFFER);
      if (std > 0) check_distribution(&t, std);
    }
    trm_model_free(m);
  }
}

static void the_cost_counts_what_is_created(void **state) {
  (void)state;
  for (int k = 0; k < N_ARCHS; k++) {
    trm_model_config c = small_config(archs[k], 9);
    trm_model *m = make_model(&c, 1);
    trm_model_cost cost;
    assert_int_equal(trm_model_cost_of(&c, &cost, NULL), TRM_OK);
    int64_t params = 0, ids = 0;
    for (int i = 0; i < trm_model_tensor_count(m); i++) {
      trm_tensor t = trm_model_tensor_at(m, i);
      assert_int_equal(t.count, t.shape[0] * (t.ndim == 2 ? t.shape[1] : 1));
      if (t.kind == TRM_TENSOR_PARAM) params += t.count;
      if (t.kind == TRM_TENSOR_PUZZLE_EMB) ids += t.count;
    }
    assert_int_equal(params, cost.n_params);
    assert_int_equal(ids, cost.n_puzzle_emb);
    assert_int_equal(ids, 3 * 20);
    trm_model_free(m);
  }
}

/* --- folders --- */

/* Every field away from its default. */
static trm_model_config unusual_config(trm_arch arch) {
  trm_model_config c = small_config(arch, 16);
  c.vocab_size = 6;
  c.puzzle =
      (trm_puzzle){.kind = TRM_PUZZLE_SUDOKU, .rows = 4, .cols = 4, .box_rows = 2, .box_cols = 2};
  c.num_puzzle_identifiers = 5;
  c.expansion = 1.0 / 3;
  c.mlp_t = true;
  c.pos_encodings = TRM_POS_LEARNED;
  c.rope_theta = 9999.1;
  c.rms_norm_eps = 1e-6 / 3;
  c.halt_max_steps = 9;
  c.halt_exploration_prob = 0.3;
  c.no_ACT_continue = !c.no_ACT_continue;
  c.loss = TRM_LOSS_SOFTMAX;
  c.forward_dtype = TRM_BFLOAT16;
  return c;
}

#define SAME(f) assert_true(a->f == b->f)
static void assert_same_config(const trm_model_config *a, const trm_model_config *b) {
  SAME(arch), SAME(vocab_size), SAME(seq_len), SAME(num_puzzle_identifiers);
  SAME(puzzle.kind), SAME(puzzle.rows), SAME(puzzle.cols), SAME(puzzle.box_rows);
  SAME(puzzle.box_cols), SAME(hidden_size), SAME(num_heads), SAME(expansion), SAME(H_layers);
  SAME(L_layers), SAME(H_cycles), SAME(L_cycles), SAME(mlp_t), SAME(pos_encodings);
  SAME(rope_theta), SAME(rms_norm_eps), SAME(puzzle_emb_ndim), SAME(puzzle_emb_len);
  SAME(halt_max_steps), SAME(halt_exploration_prob), SAME(no_ACT_continue), SAME(loss);
  SAME(forward_dtype);
}

static void folders_come_back_as_they_went(void **state) {
  /* Two folders, of which the first lies in one that is not there yet. */
  scratch *s = *state;
  char first[160], second[160];
  snprintf(first, sizeof first, "%s/deep/first", s->dir);
  snprintf(second, sizeof second, "%s/second", s->dir);

  /* Every architecture, with common and with unusual values of its fields. */
  for (int k = 0; k < 2 * N_ARCHS; k++) {
    trm_model_config c = k % 2 ? unusual_config(archs[k / 2]) : small_config(archs[k / 2], 9);
    trm_model *m = small_model(&c, (uint64_t)k), *back;

    /* Numbers that a careless text would lose. */
    trm_tensor t = trm_model_tensor_named(m, "lm_head.weight");
    t.data[0] = -0.0f;
    t.data[1] = 0x1p-149f; /* the least there is */
    t.data[2] = 0x1.fffffep127f;
    trm_error err;

    /* The model that comes back is the same. */
    if (trm_model_save(m, first, &err) != TRM_OK) fail_msg("%s", err.msg);
    if (trm_model_load(first, &back, &err) != TRM_OK) fail_msg("%s", err.msg);
    assert_same_config(trm_model_get_config(m), trm_model_get_config(back));
    assert_true(same_tensors(m, back));

    /* Written again, it is the same files. */
    if (trm_model_save(back, second, &err) != TRM_OK) fail_msg("%s", err.msg);
    same_in_folders(first, second, "config.json");
    same_in_folders(first, second, "model.safetensors");
    trm_model_free(m);
    trm_model_free(back);
  }
}

/* A folder, a copy and copied weights: what was set goes along, but not with the weights alone. */
static void another_format_is_kept(void **state) {
  scratch *s = *state;
  const trm_model_config c = small_config(TRM_ARCH_TRM, 9);
  trm_model *m = make_model(&c, 1), *copy, *back, *other = make_model(&c, 2);
  assert_int_equal(trm_model_get_config(m)->forward_dtype, TRM_FLOAT32);
  assert_int_equal(trm_model_set_dtype(m, TRM_BFLOAT16, NULL), TRM_OK);
  assert_int_equal(trm_model_clone(m, &copy, NULL), TRM_OK);
  assert_int_equal(trm_model_save(m, scratch_path(s, "format"), NULL), TRM_OK);
  assert_int_equal(trm_model_load(s->path, &back, NULL), TRM_OK);
  assert_int_equal(trm_model_copy_weights(other, m, NULL, NULL), TRM_OK);
  assert_int_equal(trm_model_get_config(m)->forward_dtype, TRM_BFLOAT16);
  assert_int_equal(trm_model_get_config(copy)->forward_dtype, TRM_BFLOAT16);
  assert_int_equal(trm_model_get_config(back)->forward_dtype, TRM_BFLOAT16);
  assert_int_equal(trm_model_get_config(other)->forward_dtype, TRM_FLOAT32);
  assert_true(same_tensors(m, back) && same_tensors(m, other));
  trm_model_free(m);
  trm_model_free(copy);
  trm_model_free(back);
  trm_model_free(other);
}

/* --- copies --- */

static void copied_weights_and_other_ids(void **state) {
  /* A model, one of its shape, and one with more ids. */
  (void)state;
  trm_model_config c = small_config(TRM_ARCH_TRM, 9), more = c;
  more.num_puzzle_identifiers = 5;
  trm_model *from = small_model(&c, 1), *same = make_model(&c, 2), *to = make_model(&more, 3);
  bool reset = true;

  /* Into the same shape everything is copied. */
  assert_int_equal(trm_model_copy_weights(same, from, &reset, NULL), TRM_OK);
  assert_false(reset);
  assert_true(same_tensors(from, same));

  /* With other ids the weights are copied, and the new rows start from the mean of the old ones. */
  assert_int_equal(trm_model_copy_weights(to, from, &reset, NULL), TRM_OK);
  assert_true(reset);
  for (int i = 0; i < trm_model_tensor_count(to); i++) {
    trm_tensor a = trm_model_tensor_at(from, i), b = trm_model_tensor_at(to, i);
    if (a.kind != TRM_TENSOR_PUZZLE_EMB) {
      assert_memory_equal(a.data, b.data, (size_t)a.count * sizeof *a.data);
      continue;
    }
    for (int64_t j = 0; j < b.count; j++) {
      const float *column = a.data + j % 20;
      double mean = ((double)column[0] + (double)column[20] + (double)column[40]) / 3;
      assert_true(fabs((double)b.data[j] - mean) < 1e-6);
    }
  }

  /* The way back works as well, and nobody needs to ask for what was reset. */
  assert_int_equal(trm_model_copy_weights(from, to, NULL, NULL), TRM_OK);
  trm_model_free(from);
  trm_model_free(same);
  trm_model_free(to);
}

static void other_shapes_are_not_copied(void **state) {
  (void)state;
  trm_model_config c = small_config(TRM_ARCH_TRM, 9), other[4] = {c, c, c, c};
  other[0].hidden_size = 32;
  other[1].L_layers = 2;
  other[2].vocab_size = 8;
  other[3].mlp_t = true;
  trm_model *to = make_model(&c, 1), *untouched = make_model(&c, 1);
  for (int i = 0; i < 4; i++) {
    trm_model *from = make_model(&other[i], 2);
    trm_error err;
    assert_int_equal(trm_model_copy_weights(to, from, NULL, &err), TRM_E_SHAPE);
    assert_true(speaks_of(&err, "checkpoint"));
    assert_true(same_tensors(to, untouched));
    trm_model_free(from);
  }
  trm_model_free(to);
  trm_model_free(untouched);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(initial_weights_are_the_references),
      cmocka_unit_test(a_seed_decides_every_bit),
      cmocka_unit_test(sizes_are_those_of_the_paper),
      cmocka_unit_test(sizes_of_variants),
      cmocka_unit_test(the_cost_counts_what_is_created),
      cmocka_unit_test(folders_come_back_as_they_went),
      cmocka_unit_test(another_format_is_kept),
      cmocka_unit_test(copied_weights_and_other_ids),
      cmocka_unit_test(other_shapes_are_not_copied),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
