/* The products with SwiGLU in their epilogue (hopper/gated.cuh) against a naive reference in double
 * precision, on a GPU of compute capability 9.0 or on the emulation of tests/hostcuda. */
#include "backend/cuda/hopper/gated.cuh"
#include "device_reals.h"

struct sizes {
  int R, D, F, multiprocessors;
};

/* c [m, n] = a [m, k] b^T, b [n, k] */
static reals product(int m, int n, int k, const reals &a, const reals &b) {
  reals c((size_t)m * n);
  for (int i = 0; i < m; i++)
    for (int j = 0; j < n; j++)
      for (int t = 0; t < k; t++)
        c[(size_t)i * n + j] += a[(size_t)i * k + t] * b[(size_t)j * k + t];
  return c;
}

static reals transposed(const reals &w, int rows, int cols) {
  reals t(w.size());
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < cols; j++) t[(size_t)j * rows + i] = w[(size_t)i * cols + j];
  return t;
}

/* Masters are floats that bfloat16 can hold, so that the reference may use them. */
static reals weights(int rows, int cols) {
  reals w = random_values((size_t)rows * cols, 1.7 / sqrt((double)cols));
  for (double &v : w) v = to_float(from_float<bf16>((float)v));
  return w;
}

static double sigmoid(double x) {
  return 1 / (1 + exp(-x));
}

static void check_forward(sizes s) {
  const size_t half = (size_t)s.R * s.F;
  reals xv = random_values((size_t)s.R * s.D, 1.7), wv = weights(2 * s.F, s.D);
  real_array<bf16> x(xv), packed((size_t)gated_size(2 * s.F, s.D)), gu(2 * half), act(half),
      alone(half);
  real_array<float> w(wv);
  const reals want = product(s.R, 2 * s.F, s.D, xv, wv);
  gated_pack_in(w.at, packed.at, s.D, s.F, 0);
  gated_forward(x.at, packed.at, gu.at, act.at, s.R, s.D, s.F, s.multiprocessors, 0);
  const reals kept = gu.read();
  expect("gates and ups", kept, want, 5e-3);
  reals want_act(half);
  for (int r = 0; r < s.R; r++)
    for (int f = 0; f < s.F; f++) {
      const double g = kept[(size_t)r * 2 * s.F + f], u = kept[(size_t)r * 2 * s.F + s.F + f];
      want_act[(size_t)r * s.F + f] = g * sigmoid(g) * u;
    }
  expect("activation", act.read(), want_act, 5e-3);
  gated_forward(x.at, packed.at, NULL, alone.at, s.R, s.D, s.F, s.multiprocessors, 0);
  const reals once = act.read(), again = alone.read();
  assert_memory_equal(once.data(), again.data(), half * sizeof *once.data());
}

static void check_backward(sizes s) {
  const size_t half = (size_t)s.R * s.F;
  reals dhv = random_values((size_t)s.R * s.D, 1), wv = weights(s.D, s.F);
  reals guv = random_values(2 * half, 3);
  real_array<bf16> dh(dhv), packed((size_t)gated_size(s.F, s.D)), gu(guv), act(half);
  real_array<float> w(wv);
  const reals da = product(s.R, s.F, s.D, dhv, transposed(wv, s.D, s.F));
  gated_pack_out(w.at, packed.at, s.D, s.F, 0);
  gated_backward(dh.at, packed.at, gu.at, act.at, s.R, s.D, s.F, s.multiprocessors, 0);
  reals want_act(half), want(2 * half);
  for (int r = 0; r < s.R; r++)
    for (int f = 0; f < s.F; f++) {
      const size_t at = (size_t)r * 2 * s.F + f, i = (size_t)r * s.F + f;
      const double g = guv[at], u = guv[at + s.F], one = sigmoid(g);
      want_act[i] = g * one * u;
      want[at] = da[i] * u * one * (1 + g * (1 - one));
      want[at + s.F] = da[i] * g * one;
    }
  expect("activation again", act.read(), want_act, 5e-3);
  expect("gradients of gates and ups", gu.read(), want, 5e-3);
}

/* One row and one tile; rows, depths and columns that end within a tile, or one behind; one item
 * for several clusters, and several for one; as many tiles of depth as there can be. */
static void test_gated(void **state) {
  (void)state;
  const sizes all[] = {{1, 8, 128, 1},     {128, 64, 256, 132}, {300, 72, 256, 2},
                       {129, 512, 384, 8}, {257, 200, 512, 3},  {700, 64, 128, 4},
                       {260, 456, 128, 2}};
  for (const sizes &s : all) {
    print_message("gated R %d D %d F %d on %d\n", s.R, s.D, s.F, s.multiprocessors);
    check_forward(s);
    check_backward(s);
  }
}

static void test_gated_fits(void **state) {
  (void)state;
  assert_true(gated_fits(9, 0, 512, 1536));
  assert_false(gated_fits(8, 9, 512, 1536));
  assert_false(gated_fits(10, 0, 512, 1536)); /* sm_90a is no subset of what came later */
  assert_false(gated_fits(9, 0, 520, 1536));
  assert_false(gated_fits(9, 0, 500, 1536));
  assert_false(gated_fits(9, 0, 512, 1500));
}

/* Sudoku-MLP at batch 768: 291 pairs of tiles for 66 clusters would take five rounds for 4.4. */
static void test_gated_parts(void **state) {
  (void)state;
  assert_int_equal(gated_parts(291, 24, 66), 2);
  assert_int_equal(gated_parts(66, 24, 66), 1);
  assert_int_equal(gated_parts(1, 24, 66), 24);
  assert_int_equal(gated_parts(1, 1, 1), 1);
}

int main(void) {
  cudaDeviceProp prop;
  if (cudaGetDeviceProperties(&prop, 0) != cudaSuccess || prop.major != 9 || prop.minor != 0) {
    puts("skipped: no CUDA device of compute capability 9.0");
    return 77;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_gated),
      cmocka_unit_test(test_gated_fits),
      cmocka_unit_test(test_gated_parts),
  };
  return cmocka_run_group_tests_name("cuda_gated", tests, NULL, NULL);
}
