/* Products, attention and the fused mixer of the CUDA backend, each function against a naive
 * reference in double precision. Runs on a GPU (compiled by nvcc) or on the emulation of
 * tests/hostcuda. What a function writes is full of NaN before. */
#include "backend/cuda/attention.cuh"
#include "backend/cuda/hopper/mixer_groups.cuh"
#include "backend/cuda/mixer.cuh"
#include "backend/cuda/product.cuh"
#include "device_reals.h"

struct shape {
  int b, L, H, d;
};

/* o, lse and the gradient of every q, k and v (given d_o) of the values in qkv; row r has keys[r]
 * keys. */
static void reference_attention(shape s, const std::vector<int> &keys, const reals &qkv,
                                const reals &d_o, reals &o, reals &lse, reals &dqkv) {
  const int L = s.L, H = s.H, d = s.d, wide = H * d;
  const double scale = 1 / sqrt((double)d);
  reals p((size_t)L);
  o.assign(d_o.size(), 0);
  dqkv.assign(qkv.size(), 0);
  lse.assign((size_t)s.b * H * L, 0);
  for (int r = 0; r < s.b; r++)
    for (int h = 0; h < H; h++)
      for (int i = 0; i < L; i++) {
        auto of = [&](int j, int part) {
          return (((size_t)r * L + j) * 3 + part) * wide + (size_t)h * d;
        };

        /* p = softmax(q k / sqrt(d)), lse = log sum exp. */
        const size_t q = of(i, 0), out = ((size_t)r * L + i) * wide + (size_t)h * d;
        double most = -INFINITY, sum = 0, delta = 0;

        /* o = p v */
        for (int j = 0; j < keys[r]; j++) {
          p[j] = 0;
          for (int e = 0; e < d; e++) p[j] += qkv[q + e] * qkv[of(j, 1) + e] * scale;
          most = fmax(most, p[j]);
        }
        for (int j = 0; j < keys[r]; j++) sum += p[j] = exp(p[j] - most);
        lse[((size_t)r * H + h) * L + i] = most + log(sum);
        for (int j = 0; j < keys[r]; j++) {
          p[j] /= sum;
          for (int e = 0; e < d; e++) o[out + e] += p[j] * qkv[of(j, 2) + e];
        }

        /* ds = p (dp - delta) / sqrt(d) with dp = d_o v and delta = d_o o;
         * dq = ds k, dk = ds q, dv = p d_o */
        for (int e = 0; e < d; e++) delta += o[out + e] * d_o[out + e];
        for (int j = 0; j < keys[r]; j++) {
          double dp = 0;
          for (int e = 0; e < d; e++) dp += d_o[out + e] * qkv[of(j, 2) + e];
          double ds = p[j] * (dp - delta) * scale;
          for (int e = 0; e < d; e++) {
            dqkv[q + e] += ds * qkv[of(j, 1) + e];
            dqkv[of(j, 1) + e] += ds * qkv[q + e];
            dqkv[of(j, 2) + e] += p[j] * d_o[out + e];
          }
        }
      }
}

static reals part_of(const reals &qkv, int part, int wide) {
  reals x;
  for (size_t i = (size_t)part * wide; i < qkv.size(); i += (size_t)3 * wide)
    x.insert(x.end(), qkv.begin() + i, qkv.begin() + i + wide);
  return x;
}

/* Places of rows with so many tokens, of which the first of each row is in front. */
static std::vector<int32_t> places_of(const trm__dims &dims, const std::vector<int> &keys) {
  std::vector<int32_t> places;
  for (int length : keys)
    for (int i = 0; i < dims.S; i++)
      places.push_back(i < length - dims.P ? trm__place_of(i + 2, i % TRM__WALLS) : TRM__NO_PLACE);
  places.push_back(TRM__NO_PLACE); /* where S is 0 there are some, too */
  return places;
}

/* Values of -size .. size, q moved up and k moved down by `shift`, which lowers all scores (and
 * lets what rounding leaves of a sum of ds = 0 show in dq and dk). With `padding` each row ends in
 * more of that than the one before, about a third of L. */
template <class T>
static void check_attention(shape s, double size, double shift, double tolerance,
                            bool padding = false) {
  const size_t n = (size_t)s.b * s.L * s.H * s.d, rows = (size_t)s.b * s.L * s.H;
  trm__dims dims = {};
  dims.L = s.L;
  dims.H = s.H;
  dims.d = s.d;
  dims.P = 1;
  dims.S = s.L - 1;
  dims.grid_cells = s.L + 2;
  std::vector<int> keys;
  for (int r = 0; r < s.b; r++) keys.push_back(padding ? s.L - (s.L / 3 + r) : s.L);
  const std::vector<int32_t> places_values = places_of(dims, keys);
  const array<int32_t> places(places_values);
  reals qkv_values = random_values(3 * n, size), d_o_values = random_values(n, 1), o, lse, dqkv;
  for (size_t i = 0, wide = (size_t)s.H * s.d; i < 3 * n; i++)
    qkv_values[i] += i / wide % 3 == 0 ? shift : i / wide % 3 == 1 ? -shift : 0;
  const size_t wide = (size_t)s.H * s.d; /* padding has no gradient */
  for (size_t i = 0; i < n; i++)
    if ((int)(i / wide % s.L) >= keys[i / wide / s.L]) d_o_values[i] = 0;
  real_array<T> qkv(qkv_values), d_o(d_o_values), got_o(n), got_dqkv(3 * n);
  real_array<float> got_lse(rows), delta(rows);
  char name[100];
  reference_attention(s, keys, qkv_values, d_o_values, o, lse, dqkv);
  attention_forward<T>(qkv.at, got_o.at, got_lse.at, s.b, dims, padding ? places.at : NULL, 0);
  snprintf(name, sizeof name, "b %d L %d H %d d %d, %d bytes: o", s.b, s.L, s.H, s.d,
           (int)sizeof(T));
  expect(name, got_o.read(), o, tolerance);
  expect("lse", got_lse.read(), lse, 1e-5);
  attention_backward<T>(qkv.at, got_o.at, got_lse.at, d_o.at, delta.at, got_dqkv.at, s.b, dims,
                        padding ? places.at : NULL, 0);
  const reals got = got_dqkv.read();
  const char *const parts[3] = {"dq", "dk", "dv"};
  for (int i = 0; i < 3; i++) {
    snprintf(name, sizeof name, "b %d L %d H %d d %d, %d bytes: %s", s.b, s.L, s.H, s.d,
             (int)sizeof(T), parts[i]);
    /* With one key p = 1, so ds is what rounding leaves of dp - delta. */
    if (s.L > 1 || i == 2)
      expect(name, part_of(got, i, s.H * s.d), part_of(dqkv, i, s.H * s.d), tolerance);
    else
      for (double v : part_of(got, i, s.H * s.d)) assert_true(fabs(v) < 100 * tolerance);
  }
}

static const shape SHAPES[] = {{1, 1, 1, 8},   {2, 6, 2, 6},    {3, 9, 2, 8},     {2, 63, 1, 16},
                               {1, 64, 2, 64}, {1, 65, 1, 32},  {2, 97, 2, 64},   {1, 81, 1, 64},
                               {1, 100, 2, 8}, {1, 130, 1, 80}, {1, 130, 2, 128}, {1, 97, 1, 50},
                               {1, 33, 2, 24}, {2, 20, 2, 64},  {1, 128, 1, 48},  {1, 130, 1, 64},
                               {1, 129, 1, 2}, {2, 11, 2, 33}};

static void test_attention_float(void **state) {
  (void)state;
  for (const shape &s : SHAPES) check_attention<float>(s, 1, 0, 1e-5);
}
static void test_attention_bf16(void **state) {
  (void)state;
  for (const shape &s : SHAPES) check_attention<bf16>(s, 1, 0, 1e-2);
}
/* Rows that end in padding: no query sees it, and what stands there has no gradient. */
static void test_attention_of_rows_with_padding(void **state) {
  (void)state;
  for (const shape &s : SHAPES) {
    if (s.L < 20) continue;
    check_attention<float>(s, 1, 0, 1e-5, true);
    check_attention<bf16>(s, 1, 0, 1e-2, true);
  }
  check_attention<float>({2, 260, 1, 64}, 1, 0, 1e-5, true);
  check_attention<bf16>({2, 260, 1, 64}, 1, 0, 1e-2, true);
}
/* Scores of some hundreds, where only differences from the greatest one can be raised to a power.
 */
static void test_attention_large_scores(void **state) {
  (void)state;
  check_attention<float>({1, 70, 1, 16}, 15, 0, 1e-4);
  check_attention<bf16>({1, 97, 1, 64}, 10, 0, 1e-2);
  check_attention<float>({1, 70, 1, 64}, 1, 4, 1e-4);
  check_attention<bf16>({1, 70, 1, 64}, 1, 4, 0.2);
  check_attention<bf16>({1, 130, 1, 64}, 1, 4, 0.2);
}

struct mixer_shape {
  int b, L, D, FL, more; /* columns that the weights have beyond the next multiple of 8 */
};
struct mixer_values {
  reals x, w_in, w_out, y, inv, g, u; /* g, u [b, FL, D] */
};
static int round_up(int n, int to) {
  return (n + to - 1) / to * to;
}

static void reference_mixer(mixer_shape s, int ld_in, int ld_out, double eps, mixer_values &m) {
  const int L = s.L, D = s.D, FL = s.FL;
  m.y.assign(m.x.size(), 0);
  m.inv.assign((size_t)s.b * D, 0);
  m.g.assign((size_t)s.b * FL * D, 0);
  m.u = m.g;
  for (int r = 0; r < s.b; r++) {
    const double *x = &m.x[(size_t)r * L * D];
    double *y = &m.y[(size_t)r * L * D];

    /* g = W_g x and u = W_u x over the positions; y = W_o (g sigmoid(g) u) */
    for (int f = 0; f < FL; f++) {
      double *g = &m.g[((size_t)r * FL + f) * D], *u = &m.u[((size_t)r * FL + f) * D];
      for (int l = 0; l < L; l++)
        for (int c = 0; c < D; c++) {
          g[c] += m.w_in[(size_t)f * ld_in + l] * x[(size_t)l * D + c];
          u[c] += m.w_in[(size_t)(FL + f) * ld_in + l] * x[(size_t)l * D + c];
        }
      for (int c = 0; c < D; c++) {
        double act = g[c] / (1 + exp(-g[c])) * u[c];
        for (int l = 0; l < L; l++) y[(size_t)l * D + c] += m.w_out[(size_t)l * ld_out + f] * act;
      }
    }

    /* y = (x + y) / rms(x + y), of each channel over its positions */
    for (int c = 0; c < D; c++) {
      double square = 0;
      for (int l = 0; l < L; l++) y[(size_t)l * D + c] += x[(size_t)l * D + c];
      for (int l = 0; l < L; l++) square += y[(size_t)l * D + c] * y[(size_t)l * D + c];
      double inv = 1 / sqrt(square / L + eps);
      m.inv[(size_t)r * D + c] = inv;
      for (int l = 0; l < L; l++) y[(size_t)l * D + c] *= inv;
    }
  }
}

/* What the backward pass gives, from x, the weights and the rounded y; columns r D + c. */
struct mixer_gradients {
  reals dh, ds, xt, act, dgu;
};
static void reference_mixer_grad(mixer_shape s, int ld_in, int ld_out, const mixer_values &m,
                                 const reals &dy, mixer_gradients &o) {
  const int L = s.L, D = s.D, FL = s.FL;
  const size_t N = (size_t)s.b * D;
  o.dh.assign(m.x.size(), 0);
  o.ds.assign(L * N, 0);
  o.xt = o.ds;
  o.act.assign(FL * N, 0);
  o.dgu.assign(2 * FL * N, 0);
  for (int r = 0; r < s.b; r++)
    for (int c = 0; c < D; c++) {
      const size_t at = (size_t)r * L * D + c, col = (size_t)r * D + c;

      /* dh = ds = inv (dy - y mean(y dy)), the gradient of the norm */
      double mean = 0;
      for (int l = 0; l < L; l++) mean += dy[at + (size_t)l * D] * m.y[at + (size_t)l * D] / L;
      for (int l = 0; l < L; l++) {
        size_t i = at + (size_t)l * D;
        o.dh[i] = o.ds[l * N + col] = m.inv[col] * (dy[i] - m.y[i] * mean);
        o.xt[l * N + col] = m.x[i];
      }

      /* da = W_o^T ds; with s = sigmoid(g): dg = da u s (1 + g (1 - s)), du = da g s;
       * dh += W_g^T dg + W_u^T du */
      for (int f = 0; f < FL; f++) {
        double da = 0, g = m.g[((size_t)r * FL + f) * D + c], u = m.u[((size_t)r * FL + f) * D + c];
        double sigmoid = 1 / (1 + exp(-g));
        for (int l = 0; l < L; l++) da += m.w_out[(size_t)l * ld_out + f] * o.ds[l * N + col];
        double dg = da * u * sigmoid * (1 + g * (1 - sigmoid)), du = da * g * sigmoid;
        o.act[f * N + col] = g * sigmoid * u;
        o.dgu[f * N + col] = dg;
        o.dgu[(FL + f) * N + col] = du;
        for (int l = 0; l < L; l++)
          o.dh[at + (size_t)l * D] +=
              m.w_in[(size_t)f * ld_in + l] * dg + m.w_in[(size_t)(FL + f) * ld_in + l] * du;
      }
    }
}

/* Weights with zeros behind the columns. */
static reals random_weights(int rows, int cols, int ld) {
  reals w((size_t)rows * ld);
  for (int i = 0; i < rows; i++)
    for (int k = 0; k < cols; k++) w[(size_t)i * ld + k] = uniform() * 1.7 / sqrt((double)cols);
  return w;
}

static void check_mixer(mixer_shape s) {
  const int ld_in = round_up(s.L, 8) + s.more, ld_out = round_up(s.FL, 8) + s.more;
  const double eps = 1e-5;
  const size_t n = (size_t)s.b * s.L * s.D, N = (size_t)s.b * s.D;
  mixer_values m;
  m.x = random_values(n, 1.7);
  m.w_in = random_weights(2 * s.FL, s.L, ld_in);
  m.w_out = random_weights(s.L, s.FL, ld_out);
  real_array<bf16> x(m.x), w_in(m.w_in), w_out(m.w_out), y(n), same(m.x);
  real_array<float> inv(N);
  print_message("mixer b %d L %d D %d FL %d\n", s.b, s.L, s.D, s.FL);
  assert_true(mixer_fused_fits(s.L, s.D, s.FL));
  reference_mixer(s, ld_in, ld_out, eps, m);
  mixer_fused_forward(x.at, y.at, w_in.at, ld_in, w_out.at, ld_out, inv.at, s.b, s.L, s.D, s.FL,
                      (float)eps, 0);
  expect("y", y.read(), m.y, 1e-2);
  expect("inv", inv.read(), m.inv, 1e-2);
  mixer_fused_forward(same.at, same.at, w_in.at, ld_in, w_out.at, ld_out, NULL, s.b, s.L, s.D, s.FL,
                      (float)eps, 0);
  const reals once = y.read(), again = same.read();
  assert_memory_equal(once.data(), again.data(), n * sizeof *once.data());

  reals dy = random_values(n, 1);
  real_array<bf16> dh(dy), ds(s.L * N), xt(s.L * N), act(s.FL * N), dgu(2 * s.FL * N);
  mixer_gradients want;
  m.y = y.read();
  m.inv = inv.read();
  reference_mixer_grad(s, ld_in, ld_out, m, dy, want);
  mixer_fused_backward(x.at, y.at, inv.at, w_in.at, ld_in, w_out.at, ld_out, dh.at, ds.at, xt.at,
                       act.at, dgu.at, s.b, s.L, s.D, s.FL, 0);
  expect("dh", dh.read(), want.dh, 1e-2);
  expect("ds", ds.read(), want.ds, 1e-2);
  expect("xt", xt.read(), want.xt, 1e-9);
  expect("act", act.read(), want.act, 1e-2);
  expect("dgu", dgu.read(), want.dgu, 1e-2);
}

static void test_mixer(void **state) {
  (void)state;
  check_mixer({2, 9, 64, 64, 0});
  check_mixer({1, 16, 72, 256, 0});
  check_mixer({3, 81, 72, 256, 8});
  check_mixer({2, 97, 128, 512, 0});
  check_mixer({1, 81, 512, 256, 0});
  check_mixer({2, 128, 200, 40, 16});
  check_mixer({1, 1, 8, 8, 0});
  check_mixer({1, 50, 16, 100, 24});
  check_mixer({1, 113, 136, 36, 0});
}
/* The forward pass by warp groups, on several blocks and on one. */
static void check_mixer_groups(mixer_shape s, int multiprocessors) {
  const double eps = 1e-5;
  const size_t n = (size_t)s.b * s.L * s.D, N = (size_t)s.b * s.D;
  mixer_values m;
  m.x = random_values(n, 1.7);
  m.w_in = random_weights(2 * s.FL, s.L, s.L);
  m.w_out = random_weights(s.L, s.FL, s.FL);
  for (reals *w : {&m.w_in, &m.w_out}) /* floats that bfloat16 can hold */
    for (double &v : *w) v = to_float(from_float<bf16>((float)v));
  real_array<bf16> x(m.x), y(n), packed((size_t)mixer_groups_size(s.L, s.FL)), same(m.x);
  real_array<float> w_in(m.w_in), w_out(m.w_out), inv(N);
  print_message("mixer by warp groups b %d L %d D %d FL %d\n", s.b, s.L, s.D, s.FL);
  reference_mixer(s, s.L, s.FL, eps, m);

  /* Within the rounding of activations to bfloat16. */
  mixer_groups_pack(w_in.at, w_out.at, packed.at, s.L, s.FL, 0);
  mixer_groups_forward(x.at, y.at, packed.at, inv.at, s.b, s.L, s.D, s.FL, (float)eps,
                       multiprocessors, 0);
  expect("y", y.read(), m.y, 1e-2);
  expect("inv", inv.read(), m.inv, 1e-2);

  /* In the place of x, and without keeping inv: the same bits. */
  mixer_groups_forward(same.at, same.at, packed.at, NULL, s.b, s.L, s.D, s.FL, (float)eps,
                       multiprocessors, 0);
  const reals once = y.read(), again = same.read();
  assert_memory_equal(once.data(), again.data(), n * sizeof *once.data());
}
/* Sudoku-MLP at batch 768, against the kernel for older GPUs, and many times: whatever differs was
 * a race. On the emulation a small one, twice. */
static void check_mixer_groups_at_full_size(const cudaDeviceProp &prop) {
  const bool emulated = !strcmp(prop.name, "hostcuda") || getenv("TRM_SMALL_TESTS");
  const int b = emulated ? 2 : 768, L = 97, D = 512, FL = emulated ? 64 : 512;
  const int ld_in = round_up(L, 8), times = emulated ? 2 : 50;
  const size_t n = (size_t)b * L * D;

  /* The older kernel wants the rows of W padded, the other one packs them itself. */
  reals xv = random_values(n, 1.7), in = random_weights(2 * FL, L, ld_in);
  reals out = random_weights(L, FL, FL), dense;
  real_array<bf16> x(xv), rows_in(in), rows_out(out); /* rounds */
  for (int i = 0; i < 2 * FL; i++)
    dense.insert(dense.end(), in.begin() + i * ld_in, in.begin() + i * ld_in + L);
  real_array<float> w_in(dense), w_out(out);
  array<bf16> y(n), again(n), packed((size_t)mixer_groups_size(L, FL));
  array<float> inv((size_t)b * D);
  mixer_groups_pack(w_in.at, w_out.at, packed.at, L, FL, 0);
  mixer_groups_forward(x.at, y.at, packed.at, inv.at, b, L, D, FL, 1e-5f, prop.multiProcessorCount,
                       0);
  mixer_fused_forward(x.at, again.at, rows_in.at, ld_in, rows_out.at, FL, NULL, b, L, D, FL, 1e-5f,
                      0);
  const std::vector<bf16> once = y.read(), older = again.read();

  /* Both round to bfloat16 at other places: they agree on average. */
  double error = 0;
  for (size_t i = 0; i < n; i++) {
    const double e = to_float(once[i]) - to_float(older[i]);
    error += e * e;
  }
  assert_true(sqrt(error / (double)n) < 5e-3); /* of values whose mean square is 1 */

  /* The same kernel again, bit by bit. */
  for (int i = 1; i < times; i++) {
    mixer_groups_forward(x.at, again.at, packed.at, inv.at, b, L, D, FL, 1e-5f,
                         prop.multiProcessorCount, 0);
    assert_memory_equal(again.read().data(), once.data(), n * sizeof(bf16));
  }
}
static void test_mixer_groups(void **state) {
  (void)state;
  cudaDeviceProp prop;
  assert_int_equal(cudaGetDeviceProperties(&prop, 0), cudaSuccess);
  assert_false(mixer_groups_fits(64, 512, 512));
  assert_false(mixer_groups_fits(129, 512, 512));
  assert_false(mixer_groups_fits(97, 96, 512));
  assert_false(mixer_groups_fits(97, 512, 96));
  assert_true(mixer_groups_fits(97, 512, 512));
  if (prop.major != 9 || prop.minor != 0) return;
  check_mixer_groups({2, 97, 512, 512, 0}, 2);
  check_mixer_groups({5, 81, 64, 256, 0}, 1);
  check_mixer_groups({1, 65, 128, 64, 0}, 8);
  check_mixer_groups({3, 112, 192, 128, 0}, 2);
  check_mixer_groups({2, 128, 320, 64, 0}, 3);
  check_mixer_groups({2, 113, 64, 192, 0}, 1);
  check_mixer_groups_at_full_size(prop);
}

static void test_mixer_does_not_fit(void **state) {
  (void)state;
  assert_false(mixer_fused_fits(129, 512, 512));
  assert_false(mixer_fused_fits(97, 100, 512));
  assert_true(mixer_fused_fits(97, 512, 512));
}

/* --- products ----------------------------------------------------------------------------------
 */

static const size_t PRODUCT_WORKSPACE = 4 << 20;

/* Stored [rows, cols], or its transpose: element (row, col). */
static double element(const reals &x, bool transposed, int64_t ld, int64_t row, int64_t col) {
  return x[(size_t)(transposed ? col * ld + row : row * ld + col)];
}
static reals reference_product(int64_t m, int64_t n, int64_t k, const reals &a, bool a_transposed,
                               int64_t lda, const reals &b, bool b_transposed, int64_t ldb) {
  reals c((size_t)(m * n), 0);
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++)
      for (int64_t t = 0; t < k; t++)
        c[(size_t)(i * n + j)] +=
            element(a, a_transposed, lda, i, t) * element(b, b_transposed, ldb, t, j);
  return c;
}

/* The weights' gradients of both kinds of block: dy^T x over rows, dy x^T over columns. */
template <class T>
static void check_gradient(int64_t m, int64_t n, int64_t k, bool over_rows, int parts) {
  const size_t size = (size_t)(m * n);
  assert_int_equal(gradient_parts(m, n, k), parts);
  reals av = random_values((size_t)(m * k), 1), bv = random_values((size_t)(n * k), 1);
  reals cv = random_values(size, 50);
  real_array<T> a(av), b(bv);
  real_array<float> c(cv), scratch((size_t)gradient_scratch(m, n));
  real_array<float> workspace(PRODUCT_WORKSPACE / sizeof(float));

  /* What is expected: the product, and the product added to what C holds. */
  const int64_t lda = over_rows ? m : k, ldb = over_rows ? n : k;
  const reals once = reference_product(m, n, k, av, over_rows, lda, bv, !over_rows, ldb);
  reals sum = cv;
  for (size_t i = 0; i < size; i++) sum[i] += once[i];

  /* The product adds up its parts in scratch, onto what is there or in its place. */
  Products products;
  const cudaDataType_t type = sizeof(T) == 4 ? CUDA_R_32F : CUDA_R_16BF;
  assert_int_equal(products_create(&products, type, workspace.at, PRODUCT_WORKSPACE),
                   CUBLAS_STATUS_SUCCESS);
  const Product x = {m, n, k, a.at, lda, over_rows, b.at, ldb, !over_rows, c.at, n, NULL, true};
  for (bool accumulate : {true, false}) {
    assert_int_equal(multiply_gradient(&products, x, accumulate, scratch.at, 0),
                     CUBLAS_STATUS_SUCCESS);
    expect(accumulate ? "added gradient" : "gradient", c.read(), accumulate ? sum : once, 4e-6);
  }
  products_destroy(&products);
}

static void test_gradient(void **state) {
  (void)state;
  check_gradient<float>(16, 24, 100, true, 1);
  check_gradient<bf16>(16, 24, 8192, true, 2);
  check_gradient<bf16>(16, 24, 8192, false, 2);
  check_gradient<float>(16, 9, 12288, true, 3); /* rows of 9 floats are not aligned */
  check_gradient<bf16>(8, 5, 12288, false, 3);
  check_gradient<float>(8, 5, 8193, false, 1); /* no equal parts of aligned length */
  check_gradient<bf16>(8, 8, 5 * 4096 + 8, true, 1);
  assert_int_equal(gradient_parts(3072, 512, 74496), 4);
  assert_int_equal(gradient_parts(512, 97, 393216), 64);
}

/* A result in bfloat16 is a sum in float32 that is rounded once, however cuBLASLt splits it. */
static void test_product_is_rounded_once(void **state) {
  (void)state;
  const int64_t m = 16, n = 8, k = 8192;
  reals av = random_values((size_t)(m * k), 1), bv = random_values((size_t)(k * n), 1);
  real_array<bf16> a(av), b(bv), c((size_t)(m * n));
  real_array<float> workspace(PRODUCT_WORKSPACE / sizeof(float));
  Products products;
  assert_int_equal(products_create(&products, CUDA_R_16BF, workspace.at, PRODUCT_WORKSPACE),
                   CUBLAS_STATUS_SUCCESS);
  assert_int_equal(
      multiply(&products, {m, n, k, a.at, k, false, b.at, n, false, c.at, n, NULL, false}, 0),
      CUBLAS_STATUS_SUCCESS);
  const reals got = c.read(), want = reference_product(m, n, k, av, false, k, bv, false, n);
  for (size_t i = 0; i < got.size(); i++) /* half a unit in the last place, and float32's error */
    if (!(fabs(got[i] - want[i]) <= fabs(want[i]) / 256 + 1e-3))
      fail_msg("result %zu is %g, not %g", i, got[i], want[i]);
  products_destroy(&products);
}

int main(void) {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    puts("skipped: no CUDA device");
    return 77;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_attention_float),
      cmocka_unit_test(test_attention_bf16),
      cmocka_unit_test(test_attention_of_rows_with_padding),
      cmocka_unit_test(test_attention_large_scores),
      cmocka_unit_test(test_mixer),
      cmocka_unit_test(test_mixer_does_not_fit),
      cmocka_unit_test(test_mixer_groups),
      cmocka_unit_test(test_gradient),
      cmocka_unit_test(test_product_is_rounded_once),
  };
  return cmocka_run_group_tests_name("cuda_kernels", tests, NULL, NULL);
}
