/* Torch files: the checkpoint that the reference wrote, odd tensors that torch itself wrote
 * (tests/data: views, strides, all types), what is refused, and what we write. */
#include "io/torch_file.h"
#include "io/zip.h"
#include "scratch.h"

#define DATA(name) TRM_SOURCE_DIR "/tests/data/" name
#define GOLDEN TRM_SHARED_DIR "/golden/torch-checkpoint/"

static trm__torch_file *open_good(const char *path) {
  trm__torch_file *f;
  trm_error err;
  if (trm__torch_open(path, &f, &err) != TRM_OK) fail_msg("%s", err.msg);
  return f;
}

static const trm__torch_tensor *named(const trm__torch_file *f, const char *name) {
  for (int i = 0; i < trm__torch_count(f); i++)
    if (!strcmp(trm__torch_at(f, i)->name, name)) return trm__torch_at(f, i);
  fail_msg("no tensor %s", name);
  return NULL;
}

/* Element by element and in pieces of every size: the same values. */
static void has_values(const trm__torch_file *f, const char *name, const float *want, int64_t n) {
  const trm__torch_tensor *t = named(f, name);
  float got[32];
  assert_int_equal(t->count, n);
  assert_true(n <= 32);
  for (int64_t piece = 1; piece <= n; piece++) {
    for (int64_t i = 0; i < n; i += piece)
      trm__torch_to_float(t, i, n - i < piece ? n - i : piece, got + i);
    for (int64_t i = 0; i < n; i++) assert_true(got[i] == want[i]);
  }
}

static void has_shape(const trm__torch_file *f, const char *name, trm__dtype dtype, int ndim,
                      int64_t a, int64_t b) {
  const trm__torch_tensor *t = named(f, name);
  assert_int_equal(t->dtype, dtype);
  assert_int_equal(t->ndim, ndim);
  if (ndim > 0) assert_int_equal(t->shape[0], a);
  if (ndim > 1) assert_int_equal(t->shape[1], b);
}

/* a = arange(24).reshape(4, 6); t = a.T; s = a[1:3, 2:5]; ov: windows of 4, two apart, on a; ex: a
 * single 1 expanded to (3, 2). Both protocols. */
static void odd_tensors(void **state) {
  (void)state;

  /* What torch had in these tensors. */
  static const char *const files[] = {DATA("odd.pt"), DATA("odd_protocol4.pt")};
  float a[24], t[24], ov[20];
  const float s[] = {8, 9, 10, 14, 15, 16}, ones[] = {1, 1, 1, 1, 1, 1}, scalar[] = {3.5f};
  for (int i = 0; i < 24; i++) {
    a[i] = (float)i;
    t[i] = (float)(i % 4 * 6 + i / 4);
  }
  for (int i = 0; i < 20; i++) ov[i] = (float)(i / 4 * 2 + i % 4);

  /* Values, in the order of the view and not of its storage. */
  for (int k = 0; k < 2; k++) {
    trm__torch_file *f = open_good(files[k]);
    assert_int_equal(trm__torch_count(f), 13);
    has_values(f, "a", a, 24);
    has_values(f, "t", t, 24);
    has_values(f, "s", s, 6);
    has_values(f, "ov", ov, 20);
    has_values(f, "ex", ones, 6);
    has_values(f, "scalar", scalar, 1);

    /* Types and shapes, of a scalar and of nothing, too. */
    has_shape(f, "t", TRM__F32, 2, 6, 4);
    has_shape(f, "scalar", TRM__F32, 0, 0, 0);
    has_shape(f, "empty", TRM__F32, 2, 0, 3);
    assert_int_equal(named(f, "empty")->count, 0);
    has_shape(f, "bf", TRM__BF16, 2, 3, 5);
    has_shape(f, "half", TRM__F16, 1, 7, 0);
    has_shape(f, "i", TRM__I64, 1, 5, 0);
    has_shape(f, "b", TRM__BOOL, 1, 2, 0);
    has_shape(f, "p", TRM__F32, 2, 2, 2);
    has_shape(f, "d", TRM__F64, 1, 3, 0);

    /* Views of one storage share it. */
    assert_ptr_equal(named(f, "a")->data, named(f, "t")->data);

    /* Every checksum of the file is right. */
    trm_error err;
    for (int i = 0; i < 13; i++)
      assert_int_equal(trm__torch_check(f, trm__torch_at(f, i), &err), TRM_OK);
    trm__torch_close(f);
  }
}

static void what_is_no_state_dict_names_the_remedy(void **state) {
  scratch *s = *state;
  static const struct {
    const char *path, *word;
  } cases[] = {{DATA("legacy.pt"), "before torch 1.6"},
               {DATA("script.pt"), "TorchScript"},
               {DATA("whole.pt"), "torch.nn.modules.container.Sequential"},
               {TRM_SOURCE_DIR "/README.md", "a text, not a model: it begins \"# trm\""}};
  trm__torch_file *f;
  trm_error err;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_int_equal(trm__torch_open(cases[i].path, &f, &err), TRM_E_FORMAT);
    assert_true(speaks_of(&err, cases[i].word));
  }
  assert_int_equal(trm__torch_open(scratch_path(s, "absent"), &f, &err), TRM_E_IO);
  f = open_good(DATA("module.pt")); /* a state_dict with its _metadata */
  assert_int_equal(trm__torch_count(f), 2);
  trm__torch_close(f);
}

static void the_reference_checkpoint(void **state) {
  (void)state;

  /* The checkpoint that the reference saved, and its weights as another reader saw them. */
  static const char prefix[] = "_orig_mod.model.inner.";
  trm__safetensors *want;
  trm_error err;
  if (!trm__path_exists(GOLDEN)) {
    print_message("skipped: no reference checkpoint beside the checkout\n");
    skip();
  }
  trm__torch_file *f = open_good(GOLDEN "step_10");
  if (trm__safetensors_open(GOLDEN "expected.safetensors", &want, &err) != TRM_OK)
    fail_msg("%s", err.msg);

  /* The same tensors, named with or without the prefix of the compiled module. */
  assert_int_equal(trm__torch_count(f), trm__safetensors_count(want));
  for (int i = 0; i < trm__torch_count(f); i++) {
    const trm__torch_tensor *t = trm__torch_at(f, i);
    const trm__st_tensor *w = trm__safetensors_find(want, t->name);
    if (!w) w = trm__safetensors_find(want, t->name + strlen(prefix));
    if (!w) fail_msg("expected.safetensors has no %s", t->name);
    assert_int_equal(t->count, w->count);

    /* The same values to the bit. */
    float *a = malloc((size_t)t->count * sizeof *a), *b = malloc((size_t)t->count * sizeof *b);
    assert_true(a && b);
    trm__torch_to_float(t, 0, t->count, a);
    assert_int_equal(trm__st_to_float(w, b, &err), TRM_OK);
    assert_memory_equal(a, b, (size_t)t->count * sizeof *a);
    free(a);
    free(b);
  }
  trm__safetensors_close(want);
  trm__torch_close(f);
}

static void written_files_read_back(void **state) {
  scratch *s = *state;

  /* A matrix, one that becomes bfloat16, integers, and one without rows. */
  const float v[] = {1, -2.5f, 3e-3f, 1e30f, 0, 7}, big[] = {1, -2.5f, 3.0059814453125e-3f};
  const int32_t ids[] = {0, 7, 1 << 30};
  const trm__st_tensor tensors[] = {
      {.name = "m", .dtype = TRM__F32, .ndim = 2, .shape = {2, 3}, .count = 6, .data = v},
      {.name = "bf",
       .dtype = TRM__BF16,
       .ndim = 1,
       .shape = {3},
       .count = 3,
       .data = v,
       .from_float = true},
      {.name = "ids", .dtype = TRM__I32, .ndim = 1, .shape = {3}, .count = 3, .data = ids},
      {.name = "none", .dtype = TRM__F32, .ndim = 2, .shape = {0, 3}, .count = 0, .data = v}};
  trm_error err;

  /* Written under a prefix. */
  if (trm__torch_save(scratch_path(s, "w.pt"), "pre.", tensors, 4, &err) != TRM_OK)
    fail_msg("%s", err.msg);

  /* Read back: values, rounded where they had to be, types and shapes. */
  trm__torch_file *f = open_good(s->path);
  assert_int_equal(trm__torch_count(f), 4);
  has_values(f, "pre.m", v, 6);
  has_values(f, "pre.bf", big, 3);
  has_shape(f, "pre.ids", TRM__I32, 1, 3, 0);
  assert_memory_equal(named(f, "pre.ids")->data, ids, sizeof ids);
  has_shape(f, "pre.none", TRM__F32, 2, 0, 3);
  trm__torch_close(f);

  /* A type that no model has is refused. */
  const trm__st_tensor byte = {.name = "b", .dtype = TRM__U8, .ndim = 1, .shape = {1}, .count = 1};
  assert_int_equal(trm__torch_save(s->path, "", &byte, 1, &err), TRM_E_ARGUMENT);
}

/* An archive with one tensor "w" on a storage of 24 floats, whose description is `text`. */
static trm_status open_made(scratch *s, const char *text, size_t n, trm__torch_file **f,
                            trm_error *err) {
  const float storage[24] = {0};
  trm__zip_writer w;
  assert_int_equal(trm__zip_create(&w, scratch_path(s, "made.pt"), err), TRM_OK);
  trm__zip_begin(&w, "x/data.pkl", n);
  trm__zip_append(&w, text, n);
  trm__zip_end(&w);
  trm__zip_begin(&w, "x/data/0", sizeof storage);
  trm__zip_append(&w, storage, sizeof storage);
  trm__zip_end(&w);
  assert_int_equal(trm__zip_commit(&w, err), TRM_OK);
  return trm__torch_open(s->path, f, err);
}

/* requires_grad, hooks and what else there is; `id` begins with the kind of object. */
#define TENSOR_OF(id, numel, offset, shape, strides, extras)  \
  "\x80\2}X\1\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((" id \
  "ctorch\nFloatStorage\nX\1\0\0\0"                           \
  "0X\3\0\0\0cpu" numel "tQ" offset shape strides extras "tRs."
#define STORAGE "X\7\0\0\0storage"
#define TENSOR(numel, offset, shape, strides) \
  TENSOR_OF(STORAGE, numel, offset, shape, strides, "\x89}")

static void tensors_beyond_their_storage(void **state) {
  scratch *s = *state;
/* Texts of pickles that describe one view each of a storage of 24 values. */
#define CASE(good, numel, offset, shape, strides) \
  { TENSOR(numel, offset, shape, strides), sizeof TENSOR(numel, offset, shape, strides) - 1, good }
  static const struct {
    const char *text;
    size_t n;
    bool good;
  } cases[] = {
      CASE(true, "K\x18", "K\0", "K\4K\6\x86", "K\6K\1\x86"),
      CASE(true, "K\x18", "K\x17", "K\1\x85", "K\1\x85"),
      CASE(true, "K\x18", "K\x18", "K\0\x85", "K\1\x85"),
      CASE(false, "K\x19", "K\0", "K\4\x85", "K\1\x85"),   /* more than the bytes */
      CASE(false, "K\x18", "K\x18", "K\1\x85", "K\1\x85"), /* behind the end */
      CASE(false, "K\x18", "K\1", "K\4K\6\x86", "K\6K\1\x86"),
      CASE(false, "K\x18", "K\0", "K\4K\6\x86", "K\7K\1\x86"),
      CASE(false, "K\x18", "J\xff\xff\xff\xff", "K\1\x85", "K\1\x85"), /* -1 */
      CASE(false, "K\x18", "K\0", "K\2\x85", "J\xff\xff\xff\xff\x85"),
      CASE(false, "K\x18", "K\0", "K\2\x85", "K\2K\1\x86"),
      CASE(false, "K\x18", "K\0", "\x8a\x08\0\0\0\0\0\0\0\x40\x85", "K\0\x85"), /* 2^62 ones */
      CASE(false, "K\x18", "K\0", "J\0\0\0\1\x85", "K\0\x85"),
      CASE(false, "K\x18", "K\0", "K\2\x85", "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85"),
      CASE(false, "K\x18", "K\0", "(K\1K\1K\1K\1K\1K\1K\1K\1K\1t", "(K\1K\1K\1K\1K\1K\1K\1K\1K\1t"),
  };

  /* A view that leaves its storage is refused, whatever overflows on the way. */
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    trm__torch_file *f;
    trm_error err = {0};
    const trm_status st = open_made(s, cases[i].text, cases[i].n, &f, &err);
    if (st != (cases[i].good ? TRM_OK : TRM_E_FORMAT)) fail_msg("case %zu: %s", i, err.msg);
    trm__torch_close(f);
  }
}

/* What changes a tensor when torch reads it, or is not what torch.save writes. */
static void what_changes_a_tensor_is_refused(void **state) {
  scratch *s = *state;
/* Parts of a pickle that torch writes, around what is changed. */
#define EXTRAS(extras) TENSOR_OF(STORAGE, "K\x18", "K\0", "K\4\x85", "K\1\x85", extras)
#define TEXT(text) text, sizeof(text) - 1
#define PARAMETER(rest) "\x80\2}X\1\0\0\0wctorch._utils\n_rebuild_parameter\n(" rest "tRs."
#define PLAIN                                     \
  "ctorch._utils\n_rebuild_tensor_v2\n((" STORAGE \
  "ctorch\nFloatStorage\nX\1\0\0\0"               \
  "0X\3\0\0\0cpuK\x18tQK\0K\4\x85K\1\x85\x89}tR"

  /* Gradients, hooks and metadata, alone and in a parameter. */
  static const struct {
    const char *text;
    size_t n;
    const char *word; /* NULL: a good one */
  } cases[] = {
      {TEXT(EXTRAS("\x88N")), NULL},
      {TEXT(EXTRAS("\x89"
                   "ccollections\nOrderedDict\n)R")),
       NULL},
      {TEXT(EXTRAS("\x89}}")), NULL}, /* metadata without entries */
      {TEXT(EXTRAS("\x89}N")), NULL},
      {TEXT(EXTRAS("\x89}}X\3\0\0\0neg\x88s")), "resolve_neg"},
      {TEXT(EXTRAS("\x89}}X\4\0\0\0conj\x88s")), "metadata"},
      {TEXT(EXTRAS("\x89}}X\3\0\0\0neg\x89s")), "metadata"},
      {TEXT(EXTRAS("\x89}\x88")), "metadata"},
      {TEXT(EXTRAS("\x89}NN")), "arguments"},
      {TEXT(EXTRAS("\x89")), "arguments"},
      {TEXT(EXTRAS("\x89}K\1K\2s")), "hooks"},
      {TEXT(EXTRAS("K\1}")), "hooks"},
      {TEXT(EXTRAS("\x89]")), "hooks"},
      {TEXT(TENSOR_OF("X\6\0\0\0module", "K\x18", "K\0", "K\4\x85", "K\1\x85", "\x89}")),
       "its storage is not described"},
      {TEXT(PARAMETER(PLAIN "\x88}")), NULL},
      {TEXT(PARAMETER(PLAIN "\x88}K\1K\2s")), "hooks"},
      {TEXT(PARAMETER(PLAIN "\x88")), "hooks"},
      {TEXT(PARAMETER(PLAIN "\x88}}")), "hooks"},
  };

  /* What would change values is refused by its name; the rest is read. */
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    trm__torch_file *f;
    trm_error err = {0};
    const trm_status st = open_made(s, cases[i].text, cases[i].n, &f, &err);
    if (st != (cases[i].word ? TRM_E_FORMAT : TRM_OK)) fail_msg("case %zu: %s", i, err.msg);
    if (cases[i].word) assert_true(speaks_of(&err, cases[i].word));
    trm__torch_close(f);
  }
}

static void any_byte_changed(void **state) {
  scratch *s = *state;

  /* Each byte of a file changed in turn. */
  size_t n;
  unsigned char *bytes = read_bytes(DATA("odd.pt"), &n);
  for (size_t i = 0; i < n; i++) {
    trm__torch_file *f;
    trm_error err;
    bytes[i] ^= 0x21;
    write_bytes(scratch_path(s, "bad.pt"), bytes, n);

    /* What still opens can be read, which the sanitizers watch. */
    if (trm__torch_open(s->path, &f, &err) == TRM_OK) {
      float out[64];
      for (int k = 0; k < trm__torch_count(f); k++) {
        const trm__torch_tensor *t = trm__torch_at(f, k);
        if (trm__dtype_is_float(t->dtype))
          trm__torch_to_float(t, 0, t->count < 64 ? t->count : 64, out);
      }
      trm__torch_close(f);
    }

    /* The byte is put back. */
    bytes[i] ^= 0x21;
  }
  free(bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(odd_tensors),
      cmocka_unit_test(what_is_no_state_dict_names_the_remedy),
      cmocka_unit_test(the_reference_checkpoint),
      cmocka_unit_test(written_files_read_back),
      cmocka_unit_test(tensors_beyond_their_storage),
      cmocka_unit_test(what_changes_a_tensor_is_refused),
      cmocka_unit_test(any_byte_changed),
  };
  return cmocka_run_group_tests_name("torch", tests, scratch_open, scratch_close);
}
