/* The tables of configuration fields: each field has one row, and what the row says of its range,
 * its words and its default holds in every door of the library. Those of the program are in
 * test_run_config.c. */
#include <math.h>

#include "base/field.h"
#include "base/number.h"
#include "choices.h"
#include "declared.h"
#include "io/field_json.h"
#include "io/safetensors.h"
#include "json_text.h"
#include "nn/model_config.h"
#include "small_data.h"
#include "small_model.h"

/* --- the two tables, by their public functions --- */

typedef union config {
  trm_model_config model;
  trm_trainer_config trainer;
} config;

typedef struct table {
  const char *header, *structure;
  const trm_field *(*at)(int i);
  bool trainer;
} table;

static const table tables[] = {
    {"model.h", "trm_model_config", trm_model_config_field, false},
    {"trainer.h", "trm_trainer_config", trm_trainer_config_field, true},
};

static config defaults(const table *t) {
  config c = {{0}};
  if (t->trainer)
    c.trainer = trm_trainer_config_default();
  else
    c.model = trm_model_config_default(TRM_ARCH_TRM);
  return c;
}

static trm_status set(const table *t, config *c, const char *name, const char *value,
                      trm_error *err) {
  return t->trainer ? trm_trainer_config_set(&c->trainer, name, value, err)
                    : trm_model_config_set(&c->model, name, value, err);
}

static trm_status get(const table *t, const config *c, const char *name, char *text, size_t size,
                      trm_error *err) {
  return t->trainer ? trm_trainer_config_get(&c->trainer, name, text, size, err)
                    : trm_model_config_get(&c->model, name, text, size, err);
}

static trm_status bounds(const table *t, const char *name, trm_bounds *out, trm_error *err) {
  return t->trainer ? trm_trainer_config_bounds(name, out, err)
                    : trm_model_config_bounds(name, out, err);
}

static const trm_field *row_of(const table *t, const char *name) {
  const trm_field *f, *found = NULL;
  for (int i = 0; (f = t->at(i)); i++) {
    if (strcmp(f->name, name) != 0) continue;
    if (found) fail_msg("%s.%s has two rows", t->structure, name);
    found = f;
  }
  return found;
}

static bool is_number(const trm_field *f) {
  return f->high > f->low;
}

/* --- one row for each field --- */

static void each_field_has_one_row(void **state) {
  (void)state;
  for (size_t k = 0; k < 2; k++) {
    const table *t = &tables[k];
    char names[4000];
    int fields = 0, rows = 0;
    declared(t->header, t->structure, names);
    for (const char *name = names; *name; name += strlen(name) + 1) {
      /* An object and a list, which are no number, word or name. */
      if (!strcmp(name, "puzzle") || !strcmp(name, "identifiers")) continue;
      if (!row_of(t, name)) fail_msg("%s.%s has no row", t->structure, name);
      fields++;
    }
    while (t->at(rows)) rows++;
    assert_int_equal(rows, fields);
    assert_true(rows > 15);
    assert_null(t->at(-1));
  }
}

static void names_and_synonyms_mean_one_field(void **state) {
  (void)state;
  for (size_t k = 0; k < 2; k++)
    for (int i = 0; tables[k].at(i); i++)
      for (int j = 0; tables[k].at(j); j++) {
        const trm_field *f = tables[k].at(i), *g = tables[k].at(j);
        if (i == j) continue;
        if (f->key && g->key) assert_string_not_equal(f->key, g->key);
        if (trm__word_is_listed(f->name, g->synonyms)) fail_msg("%s: %s", f->name, g->name);
        for (const char *at = f->synonyms; at && *at; at += strcspn(at, " "), at += *at == ' ') {
          char word[64];
          snprintf(word, sizeof word, "%.*s", (int)strcspn(at, " "), at);
          if (trm__field_is_called(g, word)) fail_msg("%s: %s and %s", word, f->name, g->name);
        }
      }
}

/* --- values --- */

static void sets(const table *t, const trm_field *f, const char *value, const char *want) {
  config c = defaults(t), other = c;
  char text[64];
  trm_error err;
  if (set(t, &c, f->name, value, &err) != TRM_OK) fail_msg("%s", err.msg);
  if (get(t, &c, f->name, text, sizeof text, &err) != TRM_OK) fail_msg("%s", err.msg);
  if (strcmp(text, want) != 0) fail_msg("%s: '%s' is read as '%s'", f->name, value, text);
  /* What was got sets the same, and nothing beside it. */
  assert_int_equal(set(t, &other, f->name, text, &err), TRM_OK);
  assert_memory_equal(&other, &c, sizeof c);
}

static void refuses(const table *t, const trm_field *f, const char *value) {
  config c = defaults(t), before = c;
  trm_error err = {0};
  if (set(t, &c, f->name, value, &err) != TRM_E_CONFIG) fail_msg("%s takes '%s'", f->name, value);
  if (strncmp(err.msg, f->name, strlen(f->name)) || !speaks_of(&err, value) ||
      !speaks_of(&err, f->type->expected))
    fail_msg("%s: '%s' is refused by: %s", f->name, value, err.msg);
  assert_memory_equal(&c, &before, sizeof c);
}

static void put(double v, char text[TRM__NUMBER_SIZE]) {
  trm__number_format("%.17g", v, text);
}

/* The nearest value beyond a bound. */
static double beyond(const trm_field *f, bool high) {
  const double bound = high ? f->high : f->low;
  if (f->type->form != TRM__FORM_DOUBLE) return high ? bound + 1 : bound - 1;
  if (!high && f->use & TRM__ABOVE) return bound;
  return nextafter(bound, high ? INFINITY : -INFINITY);
}

static void what_is_set_is_got(void **state) {
  (void)state;
  for (size_t k = 0; k < 2; k++) {
    const trm_field *f;
    const table *t = &tables[k];
    for (int i = 0; (f = t->at(i)); i++) {
      char low[TRM__NUMBER_SIZE], text[64];
      const config c = defaults(t);
      if (f->type == &trm__field_pointer) continue; /* it has no text */

      /* Words, and the texts of a truth. */
      char word[CHOICE_TEXT];
      for (int most = 0; most < 2; most++)
        for (int w = 0; choice_value(f, w, most, word); w++) sets(t, f, word, word);
      if (f->type == &trm__field_bool) {
        sets(t, f, "True", "true");
        sets(t, f, "no", "false");
      }

      /* Both ends of a range. */
      if (is_number(f)) {
        put(f->use & TRM__ABOVE ? nextafter(f->low, INFINITY) : f->low, low);
        config got = c;
        assert_int_equal(set(t, &got, f->name, low, NULL), TRM_OK);
        put(f->high, low);
        assert_int_equal(set(t, &got, f->name, low, NULL), TRM_OK);
        assert_true(trm__field_number(f, &got) == f->high);
      }

      /* The default; what the data tell is not known by default, and cannot be set so. */
      assert_int_equal(get(t, &c, f->name, text, sizeof text, NULL), TRM_OK);
      if (f->use & TRM__DATA)
        assert_string_equal(text, "0");
      else
        sets(t, f, text, text);
    }
  }

  /* Texts that are printed otherwise than they are written. */
  sets(&tables[0], row_of(&tables[0], "L_cycles"), "1e2", "100");
  sets(&tables[0], row_of(&tables[0], "rms_norm_eps"), "1e-06", "1.0e-06");
  sets(&tables[0], row_of(&tables[0], "forward_dtype"), "bf16", "bfloat16");
  sets(&tables[0], row_of(&tables[0], "arch"),
       "recursive_reasoning.hrm@HierarchicalReasoningModel_ACTV1", "hrm");
  sets(&tables[1], row_of(&tables[1], "seed"), "18446744073709551615", "18446744073709551615");
  sets(&tables[1], row_of(&tables[1], "memory_budget"), "2GiB", "2147483648");
  sets(&tables[1], row_of(&tables[1], "device"), "cuda:3", "cuda:3");
  sets(&tables[1], row_of(&tables[1], "curriculum"), "[30%:T1n2, 60%:T2n3]", "[30%:T1n2,60%:T2n3]");
}

static void what_is_out_of_range_is_refused(void **state) {
  (void)state;
  for (size_t k = 0; k < 2; k++) {
    const trm_field *f;
    const table *t = &tables[k];
    for (int i = 0; (f = t->at(i)); i++) {
      const trm__form form = f->type->form;
      if (f->type == &trm__field_pointer) continue;
      if (form == TRM__FORM_INT || form == TRM__FORM_INT64 || form == TRM__FORM_DOUBLE)
        assert_true(is_number(f));

      /* A text that is no value of any type. */
      refuses(t, f, "what?");
      refuses(t, f, "");

      /* Numbers beyond both ends, as a text. */
      for (int high = 0; is_number(f) && high < 2; high++) {
        char text[TRM__NUMBER_SIZE];
        config c = defaults(t);
        trm_error err = {0};
        put(beyond(f, high), text);
        refuses(t, f, text);

        /* The same in the structure. */
        trm__field_set_number(f, &c, beyond(f, high));
        assert_int_equal(trm__field_check(f, &c, &err), TRM_E_CONFIG);
        assert_true(speaks_of(&err, f->name) && speaks_of(&err, f->type->expected));
        if (f->type->form != TRM__FORM_DOUBLE) continue;
        trm__field_set_number(f, &c, NAN);
        assert_int_equal(trm__field_check(f, &c, &err), TRM_E_CONFIG);
      }

      /* A number where the word has none, none where it has one, and beyond both its ends. */
      for (int w = 0; f->type->form == TRM__FORM_COUNTED && w < f->words->n; w++) {
        const trm__counted_word *row = (const trm__counted_word *)f->words->rows + w;
        const int numbers[] = {row->most ? 0 : 1, row->least - 1, row->most + 1};
        for (size_t j = 0; j < sizeof numbers / sizeof *numbers; j++) {
          char word[64] = "";
          config bad = defaults(t);
          trm__sink s = {word, sizeof word, 0};
          if (!row->most && numbers[j] <= 0) continue;
          trm__sink_put(&s, "%s", row->word.name);
          if (numbers[j]) trm__sink_put(&s, ":%d", numbers[j]);
          refuses(t, f, word);
          *(trm__counted *)((char *)&bad + f->offset) = (trm__counted){w, numbers[j]};
          assert_int_equal(trm__field_check(f, &bad, NULL), TRM_E_CONFIG);
        }
      }

      /* A word beyond the last one has no name. */
      if (!f->words) continue;
      config c = defaults(t);
      trm__field_set_number(f, &c, f->words->n);
      assert_int_equal(trm__field_check(f, &c, NULL), TRM_E_CONFIG);
      char text[64];
      assert_int_equal(get(t, &c, f->name, text, sizeof text, NULL), TRM_E_CONFIG);
      assert_string_equal(text, "");
    }
  }
}

/* The same ranges in config.json. */
static void files_have_the_same_ranges(void **state) {
  scratch *s = *state;
  const trm_field *f;
  const trm_model_config good = small_config(TRM_ARCH_TRM, 9);
  char from[160], to[160];
  trm_error err;
  snprintf(from, sizeof from, "%s", scratch_path(s, "good.json"));
  snprintf(to, sizeof to, "%s", scratch_path(s, "bad.json"));
  assert_int_equal(trm__model_config_save(&good, from, &err), TRM_OK);
  for (int i = 0; (f = trm_model_config_field(i)); i++)
    for (int high = 0; high < 2; high++) {
      char text[TRM__NUMBER_SIZE] = "\"what?\"";
      trm_model_config c;
      if (is_number(f)) put(beyond(f, high), text);
      if (f->type == &trm__field_bool) continue; /* "what?" is of another type */
      json_change(from, f->name, text, to);
      if (trm__model_config_load(to, &c, &err) != TRM_E_CONFIG) fail_msg("%s = %s", f->name, text);
      if (!speaks_of(&err, "bad.json") || !speaks_of(&err, f->name) || !speaks_of(&err, "want "))
        fail_msg("%s = %s is refused by: %s", f->name, text, err.msg);
    }
}

static void bounds_say_what_is_taken(void **state) {
  /* `small` has no room for most values. */
  trm_bounds b;
  trm_error err = {0};
  char small[3], text[64];
  trm_model_config c = trm_model_config_default(TRM_ARCH_TRM);
  (void)state;

  /* A range with its ends, one without its lower end, and a field without a key. */
  assert_int_equal(trm_model_config_bounds("L_cycles", &b, &err), TRM_OK);
  assert_string_equal(b.name, "L_cycles");
  assert_string_equal(b.key, "arch.L_cycles");
  assert_string_equal(b.type, "int");
  assert_true(b.low == 0 && b.high == 1024 && !b.above_low && strlen(b.help) > 5);
  assert_int_equal(trm_model_config_bounds("expansion", &b, &err), TRM_OK);
  assert_true(b.low == 0 && b.high == 64 && b.above_low);
  assert_int_equal(trm_trainer_config_bounds("total_steps", &b, &err), TRM_OK);
  assert_null(b.key);

  /* What the data tell has no bounds; a seed may be anything. */
  assert_int_equal(trm_model_config_bounds("vocab_size", &b, &err), TRM_OK);
  assert_null(b.key);
  assert_int_equal(trm_trainer_config_bounds("seed", &b, &err), TRM_OK);
  assert_true(b.low == b.high && !b.above_low);

  /* Every row of both tables has bounds and a help. */
  for (size_t k = 0; k < 2; k++)
    for (int i = 0; tables[k].at(i); i++) {
      assert_int_equal(bounds(&tables[k], tables[k].at(i)->name, &b, &err), TRM_OK);
      assert_non_null(b.help);
      assert_true(b.low <= b.high);
    }

  /* A text that has no room is refused, and so is a name that there is not. */
  assert_int_equal(trm_model_config_get(&c, "hidden_size", small, sizeof small, &err),
                   TRM_E_ARGUMENT);
  assert_int_equal(trm_model_config_get(&c, "nothing", text, sizeof text, &err), TRM_E_CONFIG);
}

/* A field of 64 bits, of which no table of what is kept as JSON has one yet. */
static void json_has_all_of_64_bits(void **state) {
  static const trm_field f = {.name = "n", .type = &trm__field_int64};
  const int64_t want = -(INT64_C(5) << 40);
  int64_t got = 0;
  char *text;
  trm__json *json;
  trm_error err;
  (void)state;
  trm__json_out o = trm__json_begin(TRM__JSON_INDENTED);
  trm__json_open(&o, NULL, '{');
  trm__field_put_json(&o, "n", &f, &want);
  trm__json_close(&o);
  assert_int_equal(trm__json_finish(&o, "a test", &text, NULL), TRM_OK);
  assert_int_equal(trm__json_parse(text, strlen(text), "a test", 1, &json, NULL), TRM_OK);
  if (trm__field_from_json(json, "a test", &f, &got, &err) != TRM_OK) fail_msg("%s", err.msg);
  assert_true(got == want);
  trm__json_free(json);
  trm__free(text);
}

static void unknown_names_are_told_the_right_one(void **state) {
  /* Letters of the paper, names of other programs, and slips. */
  static const struct {
    int table;
    const char *name, *meant;
  } cases[] = {{0, "n", "'L_cycles'"},
               {0, "T", "'H_cycles'"},
               {0, "N_sup", "'halt_max_steps'"},
               {0, "hidden_dim", "'hidden_size'"},
               {0, "num_layers", "'L_layers'"},
               {0, "L_cycle", "'L_cycles'"},
               {0, "loss_type", "'loss'"},
               {1, "learning_rate", "'lr'"},
               {1, "global_batch_size", "'batch_size'"},
               {1, "wd", "'weight_decay'"},
               {1, "nothing_like_it", NULL}};
  (void)state;

  /* Each is told what was meant, by whichever function it came. */
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const table *t = &tables[cases[i].table];
    config c = defaults(t);
    trm_bounds b;
    trm_error err = {0};
    assert_int_equal(set(t, &c, cases[i].name, "1", &err), TRM_E_CONFIG);
    assert_true(speaks_of(&err, "has no field '"));
    if (cases[i].meant && !speaks_of(&err, cases[i].meant)) fail_msg("%s", err.msg);
    assert_int_equal(bounds(t, cases[i].name, &b, NULL), TRM_E_CONFIG);
  }
}

/* --- architectures --- */

static void defaults_are_the_references(void **state) {
  /* The reference's configurations of each architecture, field by field. */
  static const char *const want[] = {
      "trm 0 0 0 512 8 4.0 0 2 3 6 false rope 10000.0 1.0e-05 512 16 16 0.1 true "
      "stablemax_cross_entropy bfloat16",
      "hrm 0 0 0 512 8 4.0 4 4 2 2 false rope 10000.0 1.0e-05 512 0 16 0.1 false "
      "stablemax_cross_entropy bfloat16",
      "trm_singlez 0 0 0 512 8 4.0 0 2 3 6 false rope 10000.0 1.0e-05 512 16 16 0.1 true "
      "stablemax_cross_entropy bfloat16",
      "trm_hier6 0 0 0 512 8 4.0 0 2 3 6 false rope 10000.0 1.0e-05 512 16 16 0.1 true "
      "stablemax_cross_entropy bfloat16",
      "transformers_baseline 0 0 0 512 8 4.0 8 0 1 0 false rope 10000.0 1.0e-05 512 0 16 0.1 false "
      "stablemax_cross_entropy bfloat16"};
  (void)state;

  /* Ours, but for the fields that the reference has not. */
  for (int arch = 0; arch < (int)(sizeof want / sizeof *want); arch++) {
    const trm_model_config c = trm_model_config_default((trm_arch)arch);
    const trm_field *f;
    char text[400] = "";
    trm__sink s = {text, sizeof text, 0};
    for (int i = 0; (f = trm_model_config_field(i)); i++) {
      if (f->use & TRM__LATER) continue; /* not the reference's */
      if (i) trm__sink_put(&s, " ");
      trm__field_print(f, &c, &s);
    }
    assert_string_equal(text, want[arch]);
  }
}

/* --- fingerprints --- */

static bool stop(void *arg, int64_t update, int64_t total, const trm_metrics *metrics) {
  (void)arg, (void)update, (void)total, (void)metrics;
  return false;
}

/* What a state file belongs to. */
static void says(const char *path, const char *key, const char *want) {
  trm__safetensors *file;
  assert_int_equal(trm__safetensors_open(path, &file, NULL), TRM_OK);
  assert_string_equal(trm__safetensors_meta(file, key), want);
  trm__safetensors_close(file);
}

/* States go on after an update of the program: what they say of a model is what the first release
 * said. */
static void fingerprints_stay(void **state) {
  enum { N = 6, LEN = 6 };
  scratch *s = *state;
  int32_t cells[N * LEN], ids[N];
  char path[160];
  trm_error err;
  trm_model *m, *out;
  trm_model_config mc = small_config(TRM_ARCH_HRM, LEN);
  mc.L_cycles = 3; /* unlike H_cycles */
  assert_int_equal(trm_model_create(&mc, 1, &m, NULL), TRM_OK);
  for (int i = 0; i < trm_model_tensor_count(m); i++) {
    trm_tensor t = trm_model_tensor_at(m, i);
    memset(t.data, 0, (size_t)t.count * sizeof *t.data);
  }
  for (int i = 0; i < N * LEN; i++) cells[i] = 1 + i % 5;
  for (int i = 0; i < N; i++) ids[i] = 1 + i % 2;
  write_small_data(scratch_path(s, "data"), N, LEN, mc.vocab_size, mc.num_puzzle_identifiers, cells,
                   cells, ids);
  trm_dataset *d = open_small_data(s->path);

  static trm_eval_report report;
  snprintf(path, sizeof path, "%s", scratch_path(s, "eval.state"));
  const trm_eval_config ec = {.state = path};
  if (trm_evaluate(m, d, &ec, &report, &err) != TRM_OK) fail_msg("%s", err.msg);
  says(path, "model", "120dcf0edf1f1ceb");

  snprintf(path, sizeof path, "%s", scratch_path(s, "tune.state"));
  trm_finetune_config fc = trm_finetune_config_default();
  fc.state = path;
  fc.progress = stop;
  if (trm_finetune(m, d, &fc, &out, &err) != TRM_E_INTERRUPTED) fail_msg("%s", err.msg);
  trm_model_free(out);
  says(path, "finetuned model", "45d70c9572a7e3c7");
  trm_dataset_free(d);
  trm_model_free(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_field_has_one_row),
      cmocka_unit_test(names_and_synonyms_mean_one_field),
      cmocka_unit_test(what_is_set_is_got),
      cmocka_unit_test(what_is_out_of_range_is_refused),
      cmocka_unit_test(files_have_the_same_ranges),
      cmocka_unit_test(bounds_say_what_is_taken),
      cmocka_unit_test(json_has_all_of_64_bits),
      cmocka_unit_test(unknown_names_are_told_the_right_one),
      cmocka_unit_test(defaults_are_the_references),
      cmocka_unit_test(fingerprints_stay),
  };
  return cmocka_run_group_tests(tests, scratch_open, scratch_close);
}
