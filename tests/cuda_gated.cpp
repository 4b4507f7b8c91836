/* The products with SwiGLU in their epilogue (hopper/gated.cuh) against a naive reference in double
 * precision, on a GPU of compute capability 9.0 or on the emulation of tests/hostcuda. */
#include "backend/cuda/hopper/gated.cuh"
#include "backend/cuda/product.cuh"
#include "backend/cuda/swiglu.cuh"
#include "device_reals.h"

static cudaDeviceProp prop; /* of the device */

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

  /* Gates and ups in one product with the weights as the kernel wants them. */
  const reals want = product(s.R, 2 * s.F, s.D, xv, wv);
  gated_pack_in(w.at, packed.at, s.D, s.F, 0);
  gated_forward(x.at, packed.at, gu.at, act.at, s.R, s.D, s.F, s.multiprocessors, 0);
  const reals kept = gu.read();
  expect("gates and ups", kept, want, 5e-3);

  /* act = g sigmoid(g) u of the gates and ups that were kept, as they are rounded. */
  reals want_act(half);
  for (int r = 0; r < s.R; r++)
    for (int f = 0; f < s.F; f++) {
      const double g = kept[(size_t)r * 2 * s.F + f], u = kept[(size_t)r * 2 * s.F + s.F + f];
      want_act[(size_t)r * s.F + f] = g * sigmoid(g) * u;
    }
  expect("activation", act.read(), want_act, 5e-3);

  /* Without keeping them the activations are the same bits. */
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

static double distance(const std::vector<bf16> &a, const std::vector<bf16> &b) {
  double error = 0, norm = 0;
  for (size_t i = 0; i < a.size(); i++) {
    const double e = to_float(a[i]) - to_float(b[i]);
    error += e * e;
    norm += to_float(b[i]) * to_float(b[i]);
  }
  return sqrt(error / norm);
}
static bool same(const std::vector<bf16> &a, const std::vector<bf16> &b) {
  return !memcmp(a.data(), b.data(), a.size() * sizeof a[0]);
}
static void copy(array<bf16> &to, const array<bf16> &from) {
  ok(cudaMemcpy(to.at, from.at, from.n * sizeof(bf16), cudaMemcpyDeviceToDevice));
}

/* Sudoku-MLP at batch 768 and some rows, against cuBLASLt and swiglu, and many times: there is one
 * order of sums, so whatever differs was a race. On the emulation, and with TRM_SMALL_TESTS (for
 * compute-sanitizer), a small one, twice. */
static void test_gated_at_full_size(void **state) {
  (void)state;
  const bool emulated = !strcmp(prop.name, "hostcuda") || getenv("TRM_SMALL_TESTS");
  const int R = emulated ? 300 : 74496 + 77, D = 512, F = emulated ? 256 : 1536;
  const int times = emulated ? 2 : 50, P = prop.multiProcessorCount;
  const size_t half = (size_t)R * F, workspace = 4 << 20;
  reals xv = random_values((size_t)R * D, 1.7), in = weights(2 * F, D), out = weights(D, F);
  real_array<bf16> x(xv), rows_in(in), rows_out(out);
  real_array<float> w_in(in), w_out(out);
  array<bf16> packed_in((size_t)gated_size(2 * F, D)), packed_out((size_t)gated_size(F, D));
  array<bf16> gu(2 * half), act(half), first_gu(2 * half), first_act(half);
  array<float> room(workspace / sizeof(float));
  Products products;
  assert_int_equal(products_create(&products, CUDA_R_16BF, room.at, workspace),
                   CUBLAS_STATUS_SUCCESS);
  gated_pack_in(w_in.at, packed_in.at, D, F, 0);
  gated_pack_out(w_out.at, packed_out.at, D, F, 0);

  gated_forward(x.at, packed_in.at, first_gu.at, first_act.at, R, D, F, P, 0);
  assert_int_equal(
      multiply(&products,
               {R, 2 * F, D, x.at, D, false, rows_in.at, D, true, gu.at, 2 * F, NULL, false}, 0),
      CUBLAS_STATUS_SUCCESS);
  swiglu(gu.at, act.at, R, F, 2 * F, F, 0);
  assert_true(distance(first_gu.read(), gu.read()) < 5e-3);
  assert_true(distance(first_act.read(), act.read()) < 5e-3);
  const std::vector<bf16> kept = first_gu.read(), activation = first_act.read();
  for (int i = 1; i < times; i++) {
    gated_forward(x.at, packed_in.at, gu.at, act.at, R, D, F, P, 0);
    assert_true(same(gu.read(), kept) && same(act.read(), activation));
  }

  array<bf16> gradients(2 * half);
  copy(gradients, first_gu);
  gated_backward(x.at, packed_out.at, gradients.at, first_act.at, R, D, F, P, 0);
  copy(gu, first_gu);
  assert_int_equal(
      multiply(&products, {R, F, D, x.at, D, false, rows_out.at, F, false, act.at, F, NULL, false},
               0),
      CUBLAS_STATUS_SUCCESS);
  swiglu_grad(gu.at, act.at, R, F, 2 * F, F, 0);
  assert_true(distance(gradients.read(), gu.read()) < 5e-3);
  assert_true(distance(first_act.read(), act.read()) < 5e-3);
  const std::vector<bf16> once = gradients.read(), again = first_act.read();
  for (int i = 1; i < times; i++) {
    copy(gu, first_gu);
    gated_backward(x.at, packed_out.at, gu.at, act.at, R, D, F, P, 0);
    assert_true(same(gu.read(), once) && same(act.read(), again));
  }
  products_destroy(&products);
}

static void test_gated_fits(void **state) {
  (void)state;
  assert_true(gated_fits(512, 1536));
  assert_false(gated_fits(520, 1536));
  assert_false(gated_fits(500, 1536));
  assert_false(gated_fits(512, 1600));
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
  if (cudaGetDeviceProperties(&prop, 0) != cudaSuccess || prop.major != 9 || prop.minor != 0) {
    puts("skipped: no CUDA device of compute capability 9.0");
    return 77;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_gated),
      cmocka_unit_test(test_gated_at_full_size),
      cmocka_unit_test(test_gated_fits),
      cmocka_unit_test(test_gated_parts),
  };
  return cmocka_run_group_tests_name("cuda_gated", tests, NULL, NULL);
}
