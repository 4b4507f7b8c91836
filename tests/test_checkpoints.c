/* Checkpoints of the field, read by the library: weights in dictionaries beside what is not read,
 * names of wrapped modules, averages, tensors that change no answer, and what is refused. */
#include "made_checkpoints.h"

enum { SEQ = 6, NOTE = 600 };

static trm_model *make_model(uint64_t seed) {
  trm_model_config c = small_config(TRM_ARCH_TRM, SEQ);
  c.mlp_t = true;
  c.pos_encodings = TRM_POS_NONE;
  return small_model(&c, seed);
}

/* What is imported, and what is told of it. */
static trm_model *import(const char *path, const trm_model *like, char *note) {
  trm_model *m = NULL;
  trm_error err;
  const trm_model_config *c = trm_model_get_config(like);
  if (trm_model_import_note(path, c, note, NOTE, &err) != TRM_OK ||
      trm_model_import(path, c, &m, &err) != TRM_OK)
    fail_msg("%s", err.msg);
  return m;
}

static void imports_as(const char *path, const trm_model *like, const char *told) {
  char note[NOTE];
  trm_model *m = import(path, like, note);
  made_same_weights(like, m);
  if (told && !strstr(note, told)) fail_msg("no '%s' in: %s", told, note);
  if (!told && *note) fail_msg("told: %s", note);
  trm_model_free(m);
}

static void refuses(const char *path, const trm_model *like, trm_status status, const char *word) {
  trm_model *m;
  trm_error err;
  assert_int_equal(trm_model_import(path, trm_model_get_config(like), &m, &err), status);
  assert_null(m);
  assert_true(speaks_of(&err, word));
}

/* Text and its length, for pickles, which hold zeros. */
#define BYTES(text) text, sizeof(text) - 1

/* As URM, EqR, Lightning and plain loops write them: the state dict beside counters, lists, states
 * of generators and objects of classes that nobody here has. */
static void weights_lie_in_dictionaries(void **state) {
  scratch *s = *state;
  char from[200], to[200];
  trm_model *m = make_model(1);
  static made l;
  l.n = 0;
  made_model(&l, m, "_orig_mod.model.inner.", "");
  snprintf(from, sizeof from, "%s", scratch_path(s, "plain.pt"));
  snprintf(to, sizeof to, "%s", scratch_path(s, "wrapped.pt"));
  made_save(&l, from);

  /* A configuration of no architecture is refused before anything is read. */
  trm_model_config other = *trm_model_get_config(m);
  trm_error err;
  other.arch = (trm_arch)99;
  assert_int_equal(trm_model_complete_config(from, &other, &err), TRM_E_CONFIG);
  assert_true(speaks_of(&err, "arch = 99: want one of trm, hrm"));

/* Parts of what trainers write, the pickle around the weights, and what is told. */
#define STEP "X\4\0\0\0stepK\3"
#define OBJECT "X\6\0\0\0objectcsome.where\nThing\n)\x81}X\1\0\0\0aK\1sb"
#define SYSTEM "X\4\0\0\0evilcos\nsystem\nX\2\0\0\0ls\x85R"
#define PYTHON "X\6\0\0\0pythonK\3(K\1K\2K\3tN\x87"
#define STATES "X\x0a\0\0\0optimizers](}X\5\0\0\0state}K\0}ssK\1e"
  static const struct {
    const char *before;
    size_t n_before;
    const char *between;
    size_t n_between;
    const char *after;
    size_t n_after;
    const char *told;
  } cases[] = {
      {BYTES("}(" STEP "X\x10\0\0\0model_state_dict"), NULL, 0, BYTES(STATES "u."), NULL},
      {BYTES("}X\x0a\0\0\0state_dict"), NULL, 0, BYTES("s."), NULL},
      {BYTES("}(" OBJECT SYSTEM PYTHON "X\x0a\0\0\0state_dict"), NULL, 0, BYTES(OBJECT "u."), NULL},
      {BYTES("ccollections\nOrderedDict\n)R(" STEP "X\5\0\0\0model"), NULL, 0, BYTES("u."), NULL},
      {BYTES("}(X\5\0\0\0model"),
       BYTES("X\3\0\0\0ema}(X\2\0\0\0muG?\xf0\0\0\0\0\0\0X\6\0\0\0shadow"), BYTES("uu."),
       "\"ema.shadow\" (model.inner.…), the average, is taken, and not \"model\""},
      {BYTES("}(X\3\0\0\0ema"), BYTES("X\5\0\0\0model"), BYTES("u."),
       "\"ema\" (model.inner.…), the average, is taken"},
      {BYTES("}(X\5\0\0\0first"), BYTES("X\6\0\0\0schema"), BYTES("u."),
       "it has weights 2 times: \"first\" (model.inner.…) is taken"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    made_wrap(from, to, cases[i].before, cases[i].n_before, cases[i].between, cases[i].n_between,
              cases[i].after, cases[i].n_after);
    imports_as(to, m, cases[i].told);
  }

  /* Too deep to be looked for, in a list, and a model that would have to be made by a call. */
  made_wrap(from, to, BYTES("}X\1\0\0\0a}X\1\0\0\0b}X\1\0\0\0c}X\1\0\0\0d"), NULL, 0,
            BYTES("ssss."));
  refuses(to, m, TRM_E_FORMAT, "no tensor embed_tokens.embedding_weight among its 0");
  made_wrap(from, to, BYTES("}(" STEP "X\5\0\0\0model]"), NULL, 0, BYTES("au."));
  refuses(to, m, TRM_E_FORMAT, "it holds \"step\" (a whole number), \"model\" (a list)");
  made_wrap(from, to, BYTES("csome.where\nload\n"), NULL, 0, BYTES("\x85R."));
  refuses(to, m, TRM_E_FORMAT, "holds an object (some.where.load), want a dictionary of tensors");
  made_wrap(from, to, BYTES("}" OBJECT), NULL, 0, BYTES("s."));
  refuses(to, m, TRM_E_FORMAT, ""); /* a dictionary for a key */
  trm_model_free(m);
}

static void wrappers_may_stand_anywhere(void **state) {
  scratch *s = *state;
  static const char *const names[][2] = {
      {"", ""},
      {"module.model.inner.", ""},
      {"module._orig_mod.model.inner.", ""},
      {"_orig_mod.module.model.inner.", ""},
      {"model._orig_mod.inner.", ""},
      {"ema_model.", ""},
      {"ema_model.module._orig_mod.model.inner.", ""},
      {"_forward_module._orig_mod.model.inner.", ""},
      {"_forward_module.module.net.", "_orig_mod."},
      {"model.inner.", "_checkpoint_wrapped_module."},
      {"_fsdp_wrapped_module.model.inner.", "_fsdp_wrapped_module._checkpoint_wrapped_module."}};
  trm_model *m = make_model(2);

  /* Whatever wrapper's name stands in front or within, the tensors are found. */
  static made l;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    l.n = 0;
    made_model(&l, m, names[i][0], names[i][1]);
    made_save(&l, scratch_path(s, "names.pt"));
    imports_as(s->path, m, NULL);
  }

  /* Wrapped and not, the same name twice. */
  l.n = 0;
  made_model(&l, m, "model.inner.", "");
  made_add(&l, "module.model.inner.q_head.bias", 2, 0,
           trm_model_tensor_named(m, "q_head.bias").data);
  made_save(&l, s->path);
  refuses(s->path, m, TRM_E_FORMAT, "is there under two names");
  trm_model_free(m);
}

/* ema_pytorch keeps both under one roof; an average of parameters has no buffers. */
static void an_average_is_taken_and_its_buffers_from_beside(void **state) {
  scratch *s = *state;
  char note[NOTE];
  trm_model *raw = make_model(3), *average = make_model(4), *both;
  trm_error err;
  static made l;
  const float counter[] = {5};

  /* A file of both, with all tensors of the average, then without those that are no parameters. */
  for (int round = 0; round < 2; round++) {
    l.n = 0;
    made_model(&l, raw, "online_model.model.inner.", "");
    made_model(&l, average, "ema_model.model.inner.", "");
    made_add(&l, "initted", 1, 0, counter);
    made_add(&l, "step", 1, 0, counter);
    for (int i = 0; round && i < l.n; i++)
      if (!strncmp(l.names[i], "ema_", 4) &&
          (strstr(l.names[i], "_init") || strstr(l.names[i], "puzzle_emb"))) {
        for (int k = i; k + 1 < l.n; k++) {
          l.tensors[k] = l.tensors[k + 1];
          memcpy(l.names[k], l.names[k + 1], MADE_NAME);
          l.tensors[k].name = l.names[k];
        }
        l.n--;
        i--;
      }

    /* The average is taken, and what it lacks comes from the weights beside it. */
    made_save(&l, scratch_path(s, "ema.pt"));
    both = import(s->path, raw, note);
    assert_non_null(
        strstr(note, "ema_model.model.inner.…, the average, is taken, and not online_"));
    assert_int_equal(round, strstr(note, "only the weights beside it have H_init") != NULL);
    assert_non_null(strstr(note, "passed over, for it changes no answer: initted, step"));
    for (int i = 0; i < trm_model_tensor_count(both); i++) {
      const trm_tensor t = trm_model_tensor_at(both, i);
      const trm_model *from = round && t.kind != TRM_TENSOR_PARAM ? raw : average;
      assert_memory_equal(t.data, trm_model_tensor_named(from, t.name).data,
                          (size_t)t.count * sizeof *t.data);
    }
    trm_model_free(both);
  }

  /* A parameter that the average lacks is not taken from elsewhere. */
  for (int i = 0; i < l.n; i++)
    if (!strcmp(l.names[i], "ema_model.model.inner.lm_head.weight")) l.names[i][0] = 'x';
  made_save(&l, s->path);
  assert_int_equal(trm_model_import(s->path, trm_model_get_config(raw), &both, &err), TRM_E_FORMAT);
  assert_true(speaks_of(&err, "no tensor \"lm_head.weight\""));
  trm_model_free(raw);
  trm_model_free(average);
}

static void caches_are_passed_over_and_weights_are_not(void **state) {
  scratch *s = *state;
  /* Tensors that the reference or a fork of it writes beside the weights. */
  static const struct {
    const char *name;
    bool idle;
  } extra[] = {{"model.inner.puzzle_emb.local_weights", true},
               {"model.inner.puzzle_emb.local_ids", true},
               {"model.inner.rotary_emb.inv_freq", true},
               {"model.inner.rotary_emb.cos_cached", true},
               {"n_averaged", true},
               {"model.inner.absolute_pos_embedding", false},
               {"model.inner.L_level.layers.0.mlp.dwconv.weight", false},
               {"model.adapter.weight", false},
               {"lora_A", false}};

  /* Beside a whole model: a cache is passed over and told, weights of a part that is unknown are
   * refused. */
  const float values[16] = {0};
  trm_model *m = make_model(5);
  static made l;
  for (size_t i = 0; i < sizeof extra / sizeof *extra; i++) {
    l.n = 0;
    made_model(&l, m, "model.inner.", "");
    made_add(&l, extra[i].name, 4, 4, values);
    made_save(&l, scratch_path(s, "extra.pt"));
    if (extra[i].idle)
      imports_as(s->path, m, "passed over, for it changes no answer: ");
    else
      refuses(s->path, m, TRM_E_FORMAT, "is none of the model that the configuration describes");
  }
  trm_model_free(m);
}

/* Halting by one logit: q_continue is 0, and no_ACT_continue whatever the configuration says. */
static void a_q_head_may_have_one_row(void **state) {
  scratch *s = *state;
  trm_model *m = make_model(6), *back;
  trm_model_config c = *trm_model_get_config(m);
  trm_error err;
  static made l;
  char note[NOTE];
  const int32_t inputs[SEQ] = {1, 2, 3, 4, 5, 6}, id = 1;
  l.n = 0;
  made_model(&l, m, "", "");
  for (int i = 0; i < l.n; i++)
    if (!strncmp(l.names[i], "q_head.", 7)) {
      l.tensors[i].shape[0] = 1;
      l.tensors[i].count /= 2;
    }
  made_save(&l, scratch_path(s, "one_row.pt"));
  c.no_ACT_continue = false;
  assert_int_equal(trm_model_import_note(s->path, &c, note, sizeof note, &err), TRM_OK);
  assert_non_null(strstr(note, "q_continue is 0, a row halts when q_halt > 0"));
  if (trm_model_import(s->path, &c, &back, &err) != TRM_OK) fail_msg("%s", err.msg);
  assert_true(trm_model_get_config(back)->no_ACT_continue);

  /* The same q_halt as with both rows, and nothing for going on. */
  float q[2];
  for (int k = 0; k < 2; k++) {
    trm_solver *solver;
    assert_int_equal(
        trm_solver_create(k ? back : m, &(trm_solver_config){.batch = 1}, &solver, &err), TRM_OK);
    assert_int_equal(trm_solver_start(solver, 1, inputs, &id, &err), TRM_OK);
    assert_int_equal(trm_solver_step(solver, &err), TRM_OK);
    q[k] = trm_solver_q_halt(solver)[0];
    if (k) assert_true(trm_solver_q_continue(solver)[0] == 0);
    trm_solver_free(solver);
  }
  assert_true(q[0] == q[1] && q[0] != 0);
  trm_model_free(back);
  trm_model_free(m);
}

/* Frameworks write a table that is embedding and head once, or under both names. */
static void a_tied_head_is_the_embedding(void **state) {
  scratch *s = *state;
  trm_model_config c = small_config(TRM_ARCH_TRM, SEQ);
  c.tie_embeddings = true;
  trm_model *m = small_model(&c, 8);
  c.tie_embeddings = false;
  trm_model *apart = small_model(&c, 8);
  static made l;
  const trm_tensor table = trm_model_tensor_named(m, "embed_tokens.embedding_weight");
  float other[7 * 16];
  assert_int_equal(table.count, 7 * 16);
  memcpy(other, table.data, sizeof other);
  other[7 * 16 - 1] += 1;
  assert_null(trm_model_tensor_named(m, "lm_head.weight").data);

  /* Once: a model with a head of its own misses it. */
  l.n = 0;
  made_model(&l, m, "model.inner.", "");
  made_save(&l, scratch_path(s, "tied.pt"));
  imports_as(s->path, m, NULL);
  refuses(s->path, apart, TRM_E_FORMAT,
          "no tensor \"lm_head.weight\", which the configuration wants; where the token embedding "
          "is the head, too, the configuration has to say tie_embeddings = true");

  /* Twice. */
  made_add(&l, "model.inner.lm_head.weight", 7, 16, table.data);
  made_save(&l, scratch_path(s, "both.pt"));
  imports_as(s->path, m, "passed over, for it changes no answer: lm_head.weight");

  /* A head of its own, by a value or by its shape, is none of a tied model. */
  l.tensors[l.n - 1].data = other;
  made_save(&l, scratch_path(s, "apart.pt"));
  refuses(s->path, m, TRM_E_FORMAT, "is not the token embedding, but the configuration says");
  l.tensors[l.n - 1].data = table.data;
  l.tensors[l.n - 1].shape[0] = 16;
  l.tensors[l.n - 1].shape[1] = 7;
  made_save(&l, scratch_path(s, "shape.pt"));
  refuses(s->path, m, TRM_E_FORMAT, "is not the token embedding, but the configuration says");

  /* Weights are not copied from one kind to the other. */
  trm_error err;
  assert_int_equal(trm_model_copy_weights(apart, m, NULL, &err), TRM_E_SHAPE);
  assert_true(
      speaks_of(&err, "the model has a tensor lm_head.weight, the checkpoint has none; where"));
  assert_int_equal(trm_model_copy_weights(m, apart, NULL, &err), TRM_E_SHAPE);
  assert_true(
      speaks_of(&err, "the checkpoint has a tensor lm_head.weight, the model has none; with"));
  trm_model_free(apart);
  trm_model_free(m);
}

/* torch.serialization.set_crc32_options(False) leaves 0 in place of each CRC. */
static void a_crc_of_zero_was_not_computed(void **state) {
  scratch *s = *state;
  trm_model *m = make_model(7);
  static made l;
  size_t n;
  l.n = 0;
  made_model(&l, m, "model.inner.", "");
  made_save(&l, scratch_path(s, "crc.pt"));
  unsigned char *bytes = read_bytes(s->path, &n);
  for (int wrong = 0; wrong < 2; wrong++) {
    for (size_t i = 0; i + TRM__ZIP_RECORD < n; i++)
      if (!memcmp(bytes + i, "PK\1\2", 4)) memset(bytes + i + 16, wrong ? 0x11 : 0, 4);
    write_bytes(s->path, bytes, n);
    if (wrong)
      refuses(s->path, m, TRM_E_FORMAT, "is damaged: its CRC is");
    else
      imports_as(s->path, m, NULL);
  }
  free(bytes);
  trm_model_free(m);
}

/* The classes of the field by FILE@CLASS; a shared class is told apart by its file. */
static void architectures_have_names_of_several_repositories(void **state) {
  /* Classes as published configurations name them; -1: of a model that would not compute the
   * same. */
  (void)state;
  static const struct {
    const char *name;
    int arch; /* -1: none */
  } cases[] = {
      {"recursive_reasoning.trm@TinyRecursiveReasoningModel_ACTV1", TRM_ARCH_TRM},
      {"recursive_reasoning.trm_singlez@TinyRecursiveReasoningModel_ACTV1", TRM_ARCH_SINGLEZ},
      {"models.recursive_reasoning.trm_hier6@TinyRecursiveReasoningModel_ACTV1", TRM_ARCH_HIER6},
      {"mine/trm@TinyRecursiveReasoningModel_ACTV1", TRM_ARCH_TRM},
      {"trm.trm@TRM", TRM_ARCH_TRM},
      {"trm@TRMModel", TRM_ARCH_TRM},
      {"hrm.hrm_act_v1@HierarchicalReasoningModel_ACTV1", TRM_ARCH_HRM},
      {"hrm.hrm@HierarchicalReasoningModel_ACTV1", TRM_ARCH_HRM},
      {"recursive_reasoning.hrm@HierarchicalReasoningModel_ACTV1", TRM_ARCH_HRM},
      {"hrm.hrm_act_v2@HierarchicalReasoningModel_ACTV2", TRM_ARCH_TRANSFORMER},
      {"recursive_reasoning.transformers_baseline@Model_ACTV2", TRM_ARCH_TRANSFORMER},
      {"urm.urm@URM", -1},
      {"eqr@EqRModel", -1},
      {"recursive_reasoning.trm_moe@TinyRecursiveReasoningModel_ACTV1", -1},
      {"TinyRecursiveReasoningModel_ACTV1", -1},
      {"trm@", -1},
      {"trm@TRMModel2", -1}};

  /* A name is known with its architecture, or not at all. */
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    trm_arch arch;
    const bool known = trm_arch_from_name(cases[i].name, &arch);
    if (known != (cases[i].arch >= 0) || (known && (int)arch != cases[i].arch))
      fail_msg("%s", cases[i].name);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(weights_lie_in_dictionaries),
      cmocka_unit_test(wrappers_may_stand_anywhere),
      cmocka_unit_test(an_average_is_taken_and_its_buffers_from_beside),
      cmocka_unit_test(caches_are_passed_over_and_weights_are_not),
      cmocka_unit_test(a_q_head_may_have_one_row),
      cmocka_unit_test(a_tied_head_is_the_embedding),
      cmocka_unit_test(a_crc_of_zero_was_not_computed),
      cmocka_unit_test(architectures_have_names_of_several_repositories),
  };
  return cmocka_run_group_tests_name("checkpoints", tests, scratch_open, scratch_close);
}
