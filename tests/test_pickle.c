/* Pickles built by hand: what a checkpoint needs is read, everything else is passed over, and
 * nothing that is cut short, changed or made to exhaust memory does harm. */
#include "base/error.h"
#include "io/pickle.h"
#include "scratch.h"

static const trm__pickle_global globals[] = {
    {"collections", "OrderedDict", TRM__PICKLE_MAKE_DICT},
    {"torch._utils", "_rebuild_tensor_v2", TRM__PICKLE_RECORD},
    {"torch", "FloatStorage", TRM__PICKLE_NAME},
    {NULL, NULL, TRM__PICKLE_NAME}};

typedef const trm__pickle_value value;

static trm_status read_pickle(const char *bytes, size_t n, trm__pickle **p, trm_error *err) {
  *err = (trm_error){0};
  return trm__pickle_read("test.pkl", (const unsigned char *)bytes, n, globals, p, err);
}

static trm__pickle *good(const char *bytes, size_t n) {
  trm__pickle *p;
  trm_error err;
  if (read_pickle(bytes, n, &p, &err) != TRM_OK) fail_msg("%s", err.msg);
  return p;
}

static void refuses(const char *bytes, size_t n, const char *word) {
  trm__pickle *p;
  trm_error err;
  assert_int_equal(read_pickle(bytes, n, &p, &err), TRM_E_FORMAT);
  assert_null(p);
  assert_true(speaks_of(&err, word));
  assert_true(err.pos >= 0);
}

#define REFUSES(text, word) refuses(text, sizeof text - 1, word)

/* {"a": (1, -2, 70000, 2**33, -1, 0.5, None, True), "b": []} in protocol 2. */
static const char plain[] =
    "\x80\x02}q\0(X\1\0\0\0a(K\1J\xfe\xff\xff\xffJ\x70\x11\1\0\x8a\5\0\0\0\0\2\x8a\1\xff"
    "G\x3f\xe0\0\0\0\0\0\0N\x88tX\1\0\0\0b]u.";

static void values_are_read(void **state) {
  /* A dictionary of a tuple and a list. */
  (void)state;
  static const int64_t want[] = {1, -2, 70000, (int64_t)1 << 33, -1};
  trm__pickle *p = good(plain, sizeof plain - 1);
  value *root = trm__pickle_root(p), *key, *v;
  int32_t at = 0;

  /* Its first member: integers of each length, a real, nothing and a truth. */
  assert_int_equal(root->kind, TRM__PICKLE_DICT);
  assert_true(trm__pickle_next(p, root, &at, &key, &v));
  assert_int_equal(key->kind, TRM__PICKLE_TEXT);
  assert_memory_equal(key->u.text.bytes, "a", 1);
  assert_int_equal(v->kind, TRM__PICKLE_TUPLE);
  assert_int_equal(v->u.items.n, 8);
  for (int i = 0; i < 5; i++) assert_int_equal(trm__pickle_item(p, v, i)->u.integer, want[i]);
  assert_true(trm__pickle_item(p, v, 5)->u.real == 0.5);
  assert_int_equal(trm__pickle_item(p, v, 6)->kind, TRM__PICKLE_NONE);
  assert_int_equal(trm__pickle_item(p, v, 7)->u.integer, 1);
  assert_null(trm__pickle_item(p, v, 8));

  /* Its second one, and no third. */
  assert_true(trm__pickle_next(p, root, &at, &key, &v));
  assert_int_equal(v->kind, TRM__PICKLE_LIST);
  assert_false(trm__pickle_next(p, root, &at, &key, &v));
  trm__pickle_free(p);
}

/* Calls are recorded, an OrderedDict is a dictionary, its attributes are dropped; protocol 4. */
static void calls_are_records(void **state) {
  (void)state;
  static const char text[] =
      "\x80\x04\x95\0\0\0\0\0\0\0\0ccollections\nOrderedDict\n)R\x94\x8c\1k"
      "\x8c\x0ctorch._utils\x8c\x12_rebuild_tensor_v2\x93(\x8c\1s\x8c\5torch\x8c\x0c"
      "FloatStorage\x93tQ\x85Rs}\x8c\x09_metadatah\0sb.";
  trm__pickle *p = good(text, sizeof text - 1);
  value *root = trm__pickle_root(p), *key, *call;
  int32_t at = 0;
  assert_int_equal(root->kind, TRM__PICKLE_DICT);
  assert_true(trm__pickle_next(p, root, &at, &key, &call));
  assert_int_equal(call->kind, TRM__PICKLE_CALL);
  assert_int_equal(call->global, 1);
  value *storage = trm__pickle_item(p, call, 0);
  assert_int_equal(storage->kind, TRM__PICKLE_PERSISTENT);
  assert_int_equal(trm__pickle_item(p, storage, 1)->kind, TRM__PICKLE_GLOBAL);
  assert_int_equal(trm__pickle_item(p, storage, 1)->global, 2);
  assert_false(trm__pickle_next(p, root, &at, &key, &call));
  trm__pickle_free(p);
}

/* MEMOIZE takes the place behind those in use; one that is used twice counts once. */
static void a_memo_counts_its_places(void **state) {
  (void)state;
  static const char text[] = "\x80\4(K\7q\0K\x08q\0K\x09\x94h\1t.";
  trm__pickle *p = good(text, sizeof text - 1);
  assert_int_equal(trm__pickle_item(p, trm__pickle_root(p), 3)->u.integer, 9);
  trm__pickle_free(p);
}

static void is_opaque(const char *bytes, size_t n, const char *name) {
  char text[200];
  trm__pickle *p = good(bytes, n);
  value *root = trm__pickle_root(p);
  int32_t at = 0;
  assert_int_equal(root->kind, TRM__PICKLE_OPAQUE);
  assert_false(trm__pickle_next(p, root, &at, NULL, &root));
  trm__pickle_describe(p, trm__pickle_root(p), text, sizeof text);
  assert_string_equal(text, name);
  trm__pickle_free(p);
}

#define OPAQUE(text, name) is_opaque(text, sizeof text - 1, name)

/* Whatever Python would make of it is one value without insides; only its name is known. */
static void what_would_act_is_not_read(void **state) {
  /* Calls, objects and states, as each protocol writes them. */
  (void)state;
  OPAQUE("\x80\2cos\nsystem\nX\2\0\0\0ls\x85R.", "an object (os.system)");
  OPAQUE("\x80\4\x8c\2os\x8c\6system\x93\x8c\2ls\x85R.", "an object (os.system)");
  OPAQUE("\x80\2cbuiltins\neval\n.", "an object (builtins.eval)");
  OPAQUE("\x80\2ccollections\nOrderedDict2\n.", "an object (collections.OrderedDict2)");
  OPAQUE("\x80\2ccollections\nOrderedDict\n)\x81.", "an object (collections.OrderedDict)");
  OPAQUE("\x80\2ctorch\nFloatStorage\n)R.", "an object (torch.FloatStorage)");
  OPAQUE("\x80\2ccollections\nOrderedDict\nK\1\x85R.", "an object (collections.OrderedDict)");
  OPAQUE("\x80\2ca\nb\n)R)R.", "an object (a.b)"); /* the result of a result */
  OPAQUE("\x80\2ca\nb\n)\x81K\1b.", "an object (a.b)");
  OPAQUE("\x80\2ca\nb\n)RK\1aK\1K\2s(K\1K\2u(K\1K\2K\3e}b.", "an object (a.b)");
  OPAQUE("\x80\4ca\nb\n)}\x92.", "an object (a.b)");

  /* Sets, bytes, and integers beyond 64 bits. */
  OPAQUE("\x80\4\x8f(K\1K\2\x90.", "an object");
  OPAQUE("\x80\4(K\1K\2\x91.", "an object");
  OPAQUE("\x80\3C\2\0\1.", "an object");
  OPAQUE("\x80\3B\2\0\0\0\0\1.", "an object");
  OPAQUE("\x80\4\x8e\1\0\0\0\0\0\0\0\1.", "an object");
  OPAQUE("\x80\5\x96\1\0\0\0\0\0\0\0\1.", "an object");
  OPAQUE("\x80\2\x8a\x09\1\1\1\1\1\1\1\1\1.", "an object");
  OPAQUE("\x80\2\x8b\2\0\0\0\1\1.", "an object");
  OPAQUE("\x80\2X\3\0\0\0a\0b.", "an object"); /* bytes, as protocol 2 writes them */
}

/* random.getstate(), and what numpy.random.get_state() is in protocol 2, stand beside a value that
 * is read. */
static void states_of_generators_are_passed_over(void **state) {
  (void)state;
  static const char text[] =
      "\x80\2}(X\6\0\0\0pythonK\3(J\0\0\0\x80\x8a\5\xff\xff\xff\xff\0tN\x87X\5\0\0\0numpy"
      "X\7\0\0\0MT19937cnumpy._core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85"
      "c_codecs\nencode\nX\1\0\0\0bX\6\0\0\0latin1\x86R\x87R(K\1K\2\x85"
      "cnumpy\ndtype\n"
      "X\2\0\0\0u4\x89\x88\x87R(K\3X\1\0\0\0<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89"
      "c_codecs\nencode\nX\4\0\0\0\0\0\0\1X\6\0\0\0latin1\x86RtbK\0\x87X\1\0\0\0kK\7u.";
  trm__pickle *p = good(text, sizeof text - 1);
  value *key, *v, *array;
  int32_t at = 0;
  assert_true(trm__pickle_next(p, trm__pickle_root(p), &at, &key, &v));
  assert_int_equal(trm__pickle_item(p, trm__pickle_item(p, v, 1), 1)->u.integer, 0xffffffff);
  assert_true(trm__pickle_next(p, trm__pickle_root(p), &at, &key, &v));
  array = trm__pickle_item(p, v, 1);
  assert_int_equal(array->kind, TRM__PICKLE_OPAQUE);
  assert_true(trm__pickle_next(p, trm__pickle_root(p), &at, &key, &v));
  assert_int_equal(v->u.integer, 7);
  trm__pickle_free(p);
}

static void what_no_torch_file_has_is_refused_by_name(void **state) {
  (void)state;
  REFUSES("\x80\2(X\2\0\0\0lsios\nsystem\n.", "INST (0x69)");
  REFUSES("\x80\2N)R.", "want a name on the stack");
  REFUSES("\x80\2}X\1\0\0\0a\x85R.", "want a name on the stack");
  REFUSES("\x80\2N)\x81.", "want a name on the stack");
  REFUSES("\x80\2)\x81.", "want a name on the stack");
  REFUSES("\x80\2\x82\1.", "EXT1");
  REFUSES("\x80\5\x97.", "NEXT_BUFFER");
  REFUSES("\x80\2\xff.", "unknown (0xff)");
  REFUSES("\x80\1N.", "protocol 1");
  REFUSES("\x80\6N.", "protocol 6");
  REFUSES("\x80\2N}b.", "want a dictionary");
  REFUSES("\x80\2}Nb.", "want a dictionary");
  REFUSES("\x80\3B\3\0\0\0a.", "truncated");
}

static void a_stack_out_of_order_is_refused(void **state) {
  /* Values that are missing, left over, or marked wrongly. */
  (void)state;
  REFUSES(".", "too few values");
  REFUSES("\x80\2NN.", "1 values left over");
  REFUSES("\x80\2(.", "too few values");
  REFUSES("\x80\2Nt.", "no mark");
  REFUSES("\x80\2Nu.", "no mark");
  REFUSES("\x80\2(Nu.", "want a dictionary");
  REFUSES("\x80\2}(Nu.", "a key without a value");
  REFUSES("\x80\2(\x85.", "a mark inside a tuple");
  REFUSES("\x80\2\x87.", "too few values");

  /* Places of the memo that hold nothing. */
  REFUSES("\x80\2h\0.", "memo place 0 holds nothing");
  REFUSES("\x80\2q\0.", "nothing to remember");
  REFUSES("\x80\2Nr\xff\xff\xff\xff.", "memo place 4294967295");

  /* Pops of nothing, and texts that are longer than the file. */
  REFUSES(
      "\x80\2"
      "0.",
      "too few values");
  REFUSES(
      "\x80\2"
      "1.",
      "no mark");
  REFUSES("\x80\4\x8f\x90.", "no mark");
  REFUSES(
      "\x80\2X\xff\xff\xff\xff"
      "a.",
      "truncated");
  REFUSES(
      "\x80\4\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
      "a.",
      "truncated");
  REFUSES("\x80\2\x8a\x09\1\1.", "truncated");
  REFUSES("\x80\2cos", "truncated in a name");
}

static void cut_anywhere(void **state) {
  (void)state;
  for (size_t n = 0; n < sizeof plain - 1; n++) {
    trm__pickle *p;
    trm_error err;
    char *exact = malloc(n ? n : 1); /* so that a sanitizer sees what is read behind it */
    assert_non_null(exact);
    memcpy(exact, plain, n);
    assert_int_equal(read_pickle(exact, n, &p, &err), TRM_E_FORMAT);
    free(exact);
  }
}

static void any_byte_changed(void **state) {
  (void)state;
  char copy[sizeof plain];
  for (size_t i = 0; i < sizeof plain - 1; i++)
    for (int b = 0; b < 256; b++) {
      trm__pickle *p;
      trm_error err;
      memcpy(copy, plain, sizeof plain);
      copy[i] = (char)b;
      (void)read_pickle(copy, sizeof plain - 1, &p, &err);
      trm__pickle_free(p);
    }
}

/* Nesting is no recursion: a million lists in each other are read, and a stack of them refused. */
static void deep_and_long(void **state) {
  /* A stack of open lists is bounded. */
  (void)state;
  const size_t n = 1 << 20;
  char *text = malloc(2 * n + 16);
  trm__pickle *p;
  trm_error err;
  assert_non_null(text);
  memset(text, ']', n);
  refuses(text, n, "on the stack");

  /* Tuples in tuples take no stack, and are freed without one. */
  text[0] = ')';
  memset(text + 1, '\x85', n);
  text[n + 1] = '.';
  assert_int_equal(read_pickle(text, n + 2, &p, &err), TRM_OK);
  trm__pickle_free(p);

  /* Nor may marks grow without a bound. */
  memset(text, '(', n);
  refuses(text, n, "on the stack");
  free(text);

  /* The text itself has one. */
  text = calloc(1, TRM__PICKLE_MAX_BYTES + 1);
  assert_non_null(text);
  trm__pickle *none;
  assert_int_equal(read_pickle(text, TRM__PICKLE_MAX_BYTES + 1, &none, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, "at most 4194304"));
  free(text);
}

/* A list that holds itself: l.append(l). */
static void a_list_may_hold_itself(void **state) {
  (void)state;
  static const char text[] = "\x80\2]q\0h\0a.";
  trm__pickle *p = good(text, sizeof text - 1);
  assert_ptr_equal(trm__pickle_item(p, trm__pickle_root(p), 0), trm__pickle_root(p));
  trm__pickle_free(p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_are_read),
      cmocka_unit_test(calls_are_records),
      cmocka_unit_test(a_memo_counts_its_places),
      cmocka_unit_test(what_would_act_is_not_read),
      cmocka_unit_test(states_of_generators_are_passed_over),
      cmocka_unit_test(what_no_torch_file_has_is_refused_by_name),
      cmocka_unit_test(a_stack_out_of_order_is_refused),
      cmocka_unit_test(cut_anywhere),
      cmocka_unit_test(any_byte_changed),
      cmocka_unit_test(deep_and_long),
      cmocka_unit_test(a_list_may_hold_itself),
  };
  return cmocka_run_group_tests_name("pickle", tests, NULL, NULL);
}
