/* JSON where memory ends: the n-th block is refused, for every n, and each time that is the error;
 * what comes out when none is refused is what the text says, byte by byte. And little memory is
 * asked for. */
#include "base/memory.h"
#include "io/json.h"
#include "json_text.h"
#include "refuse.h"

static const char small[] =
    "{\"a\": [1, -2.5e-7, true, null, 123456789012345678], \"b\": {\"c\": \"\\u00fc\\ud83d\\ude00 "
    "text\"},"
    " \"name\": \"a name that is longer than a word of memory\", \"x\": {}, \"y\": []}";
static char large[200000];

/* A thousand members with escaped keys, so that all of the parser is passed through. */
static void make_large(void) {
  size_t at = (size_t)snprintf(large, sizeof large, "{");
  for (int i = 0; i < 1000; i++)
    at += (size_t)snprintf(large + at, sizeof large - at,
                           "%s\"k\\u00e4y %d\": [%d, \"%d\\n\", {\"v\": %d.5e-3}]", i ? "," : "", i,
                           i, i, i);
  snprintf(large + at, sizeof large - at, "}");
}

typedef struct job {
  scratch *s;
  const char *path, *text; /* the text is what the file holds */
  const trm__json *want;
} job;

static trm_status expect(trm__json *root, const trm__json *want) {
  if (!trm__json_same(root, want)) fail_msg("another value");
  trm__json_free(root);
  return TRM_OK;
}

static trm_status parse(const job *j, trm_error *err) {
  trm__json *root;
  TRM_TRY(trm__json_parse(j->text, strlen(j->text), "text", 1, &root, err));
  return expect(root, j->want);
}

static trm_status load(const job *j, trm_error *err) {
  trm__json *root;
  TRM_TRY(trm__json_load(j->path, 1 << 20, &root, err));
  return expect(root, j->want);
}

typedef struct walked {
  const job *j;
  size_t n;
} walked;

static trm_status take_member(void *arg, const char *key, const trm__json *value, trm_error *err) {
  walked *w = arg;
  (void)err;
  assert_string_equal(key, trm__json_key(w->j->want, w->n));
  assert_true(trm__json_same(value, trm__json_member(w->j->want, w->n)));
  w->n++;
  return TRM_OK;
}

static trm_status walk(const job *j, trm_error *err) {
  walked w = {j, 0};
  TRM_TRY(trm__json_members(j->path, 1 << 20, take_member, &w, err));
  assert_int_equal(w.n, trm__json_n_members(j->want));
  return TRM_OK;
}

static trm_status print(const job *j, trm_error *err) {
  trm__json_out o = trm__json_begin(TRM__JSON_SPACED);
  char *text;
  trm__json *again;
  trm__json_put_value(&o, NULL, j->want);
  TRM_TRY(trm__json_finish(&o, "a text", &text, err));
  const trm_status st = trm__json_parse(text, strlen(text), "text", 1, &again, err);
  trm__free(text);
  return st == TRM_OK ? expect(again, j->want) : st;
}

static trm_status save(const job *j, trm_error *err) {
  char path[160];
  snprintf(path, sizeof path, "%s/saved.json", j->s->dir);
  trm__json_out o = trm__json_begin(TRM__JSON_INDENTED);
  trm__json_put_value(&o, NULL, j->want);
  const trm_status st = trm__json_save(path, &o, err);
  if (st != TRM_OK) { /* complete or not at all */
    assert_false(trm__path_exists(path));
    return st;
  }
  trm__json *again;
  TRM_TRY(trm__json_load(path, 1 << 20, &again, err));
  return expect(again, j->want);
}

static void every_refusal_is_told(void **state) {
  /* Whatever takes memory while JSON is read or written, with a short text and with a long one. */
  static trm_status (*const jobs[])(const job *, trm_error *) = {parse, load, walk, print, save};
  make_large();
  const char *const texts[] = {small, large};
  for (int t = 0; t < 2; t++) {
    /* A file of the text, and its tree to compare with. */
    job j = {.s = *state, .path = scratch_path(*state, "a.json"), .text = texts[t]};
    char path[160];
    snprintf(path, sizeof path, "%s", j.path);
    j.path = path;
    write_bytes(path, j.text, strlen(j.text));
    trm__json *want = json_of(j.text);
    j.want = want;

    /* Each job with its first block refused, then its second, until none is. */
    for (size_t k = 0; k < sizeof jobs / sizeof *jobs; k++) {
      int n = 0;
      trm_status st;
      trm_error err;
      for (; REFUSING(n, st, err, jobs[k](&j, &err)); n++) {
        /* Any refusal is told, with a text. */
        if (st != TRM_E_MEMORY) fail_msg("job %zu, block %d: status %d: %s", k, n, st, err.msg);
        assert_int_equal(err.code, TRM_E_MEMORY);
        assert_true(strlen(err.msg) > 10);
        (void)trm__remove_tree(scratch_path(*state, "saved.json"), NULL);
      }
      (void)trm__remove_tree(scratch_path(*state, "saved.json"), NULL);

      /* Every job takes memory at least once. */
      assert_true(n >= 1);
    }
    trm__json_free(want);
  }
}

/* Sixteen bytes a value or key, and the strings: at most eight times the text. */
static void memory_is_bounded_by_the_text(void **state) {
  (void)state;
  enum { MANY = 1000000 };
  static const char *const items[] = {"0", "\"\"", "[]", "{}", "1.5", "{\"\":0}", "\"\\u20ac\""};
  char *text = malloc(16 * MANY);
  assert_non_null(text);

  /* A list of a million small values. */
  for (size_t k = 0; k < sizeof items / sizeof *items; k++) {
    const size_t length = strlen(items[k]);
    size_t n = 0;
    text[n++] = '[';
    for (int i = 0; i < MANY; i++) {
      if (i) text[n++] = ',';
      memcpy(text + n, items[k], length);
      n += length;
    }
    text[n++] = ']';

    trm__json *root;
    bytes_asked = 0;
    assert_int_equal(trm__json_decode(text, n, NULL, &root, NULL), TRM_OK);
    if (bytes_asked > 8 * n + 64)
      fail_msg("%s: %zu bytes for %zu", items[k], (size_t)bytes_asked, n);
    trm__json_free(root);

    /* And none for a text that is wrong at its end. */
    text[n - 1] = '}';
    bytes_asked = 0;
    assert_int_equal(trm__json_decode(text, n, NULL, &root, NULL), TRM_E_FORMAT);
    assert_int_equal(bytes_asked, 0);
  }
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_refusal_is_told),
                                     cmocka_unit_test(memory_is_bounded_by_the_text)};
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
