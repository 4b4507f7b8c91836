/* NumPy's legacy generator: numbers that numpy 1.24 gave for the same calls. */
#include "base/mt19937.h"

#include "scratch.h"

enum { RANGES = 7, NINE = 9, TWELVE = 12 };

static const uint32_t range[RANGES] = {8, 8, 30, 2, 1, 1000, UINT32_C(1) << 31};

/* numpy.random.seed(seed); randint(0, n) for each range; randint(0, 2**32); permutation of 1..9;
 * shuffle of list(range(12)); randint(0, 1000000); the last of 1,300 randint(0, 2**32). */
static const struct {
  uint32_t seed, drawn[RANGES], word;
  uint8_t permutation[NINE];
  int32_t shuffled[TWELVE];
  uint32_t million, last;
} expected[] = {{0,
                 {4, 7, 21, 0, 0, 835, 1537364731},
                 UINT32_C(2340255427),
                 {9, 7, 5, 1, 3, 6, 4, 2, 8},
                 {5, 2, 3, 4, 9, 0, 11, 7, 6, 1, 10, 8},
                 924425,
                 UINT32_C(1717180074)},
                {42,
                 {6, 3, 28, 0, 0, 106, 1201263687},
                 UINT32_C(2571218620),
                 {4, 8, 1, 9, 6, 3, 2, 7, 5},
                 {10, 9, 0, 8, 6, 3, 1, 4, 5, 2, 11, 7},
                 184779,
                 UINT32_C(1056380406)},
                {UINT32_MAX,
                 {3, 2, 12, 1, 0, 948, 113049152},
                 UINT32_C(3350089942),
                 {9, 2, 6, 5, 7, 3, 4, 8, 1},
                 {3, 2, 0, 4, 9, 1, 5, 8, 11, 10, 7, 6},
                 913776,
                 UINT32_C(3558629313)}};

static void numbers_are_those_of_numpy(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof expected / sizeof *expected; k++) {
    trm__mt19937 mt;
    trm__mt19937_seed(&mt, expected[k].seed);
    for (int i = 0; i < RANGES; i++)
      assert_int_equal(trm__mt19937_below(&mt, range[i]), expected[k].drawn[i]);
    assert_int_equal(trm__mt19937_u32(&mt), expected[k].word);
    uint8_t digits[NINE] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    trm__mt19937_shuffle_bytes(&mt, digits, NINE);
    assert_memory_equal(digits, expected[k].permutation, NINE);
    int32_t list[TWELVE];
    for (int i = 0; i < TWELVE; i++) list[i] = i;
    trm__mt19937_shuffle(&mt, list, TWELVE);
    assert_memory_equal(list, expected[k].shuffled, sizeof list);
    assert_int_equal(trm__mt19937_below(&mt, 1000000), expected[k].million);
    uint32_t last = 0;
    for (int i = 0; i < 1300; i++) last = trm__mt19937_u32(&mt);
    assert_int_equal(last, expected[k].last);
  }
}

/* A range of one value costs no draw; neither does a list of one. */
static void a_single_value_draws_nothing(void **state) {
  (void)state;
  trm__mt19937 a, b;
  int32_t one = 7;
  trm__mt19937_seed(&a, 5);
  trm__mt19937_seed(&b, 5);
  assert_int_equal(trm__mt19937_below(&a, 1), 0);
  trm__mt19937_shuffle(&a, &one, 1);
  trm__mt19937_shuffle(&a, &one, 0);
  assert_int_equal(trm__mt19937_u32(&a), trm__mt19937_u32(&b));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(numbers_are_those_of_numpy),
                                     cmocka_unit_test(a_single_value_draws_nothing)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
