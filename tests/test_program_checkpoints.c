/* Checkpoints of the field, given to the program: configurations of the reference's forks, files
 * and folders as they are downloaded, and what is no checkpoint. */
#include <sys/stat.h>

#include "io/safetensors.h"
#include "launch.h"
#include "made_checkpoints.h"
#include "small_data.h"

enum { SEQ = 6, VOCAB = 7, PATH = 180 };

static char file[PATH], yaml[PATH], data[PATH];

static const char *place(scratch *s, char *out, const char *name) {
  snprintf(out, PATH, "%s/%s", s->dir, name);
  return out;
}

static void write_text(const char *path, const char *text) {
  write_bytes(path, text, strlen(text));
}

static trm_model_config config_of(trm_arch arch, bool mixer) {
  trm_model_config c = small_config(arch, SEQ);
  c.mlp_t = mixer;
  if (mixer) c.pos_encodings = TRM_POS_NONE;
  return c;
}
static trm_model *make_model(trm_arch arch, bool mixer) {
  const trm_model_config c = config_of(arch, mixer);
  return small_model(&c, 3);
}

/* DIR/step_7 with the model in it, and `file` and `yaml` for it and for DIR/all_config.yaml. */
static void make_folder(scratch *s, const char *dir, const trm_model *m) {
  static made l;
  char folder[PATH], name[60];
  l.n = 0;
  made_model(&l, m, "_orig_mod.model.inner.", "");
  assert_int_equal(trm__make_dirs(place(s, folder, dir), NULL), TRM_OK);
  snprintf(name, sizeof name, "%s/step_7", dir);
  made_save(&l, place(s, file, name));
  snprintf(name, sizeof name, "%s/all_config.yaml", dir);
  place(s, yaml, name);
}

static void make_data(scratch *s) {
  static const int32_t tokens[2 * SEQ] = {1, 2, 3, 4, 5, 6, 1, 1, 1, 1, 1, 1};
  static const int32_t ids[2] = {1, 2};
  write_small_data(place(s, data, "data"), 2, SEQ, VOCAB, 3, tokens, tokens, ids);
}

/* The configuration of make_model, under a name, with more keys. */
static void write_yaml(const char *name, const char *loss, bool mixer, const char *more) {
  char text[1500];
  snprintf(text, sizeof text,
           "arch:\n  name: %s\n  loss: {name: %s, loss_type: stablemax_cross_entropy}\n"
           "  H_cycles: 2\n  L_cycles: 2\n  num_heads: 2\n  puzzle_emb_len: 2\n"
           "  halt_max_steps: 4\n  halt_exploration_prob: 0.1\n  forward_dtype: float32\n"
           "  no_ACT_continue: true\n  mlp_t: %s\n  pos_encodings: %s\n%s",
           name, loss, mixer ? "true" : "false", mixer ? "none" : "rope", more);
  write_text(yaml, text);
}

/* What an evaluation measures, behind the line that names the model; every prediction too. */
static void evaluate(scratch *s, const char *model, char *measured, unsigned char **predictions,
                     size_t *n) {
  char preds[PATH];
  want(RUN("eval", model, data, "--threads", "1", "--save-preds", place(s, preds, "preds.npy")), 0);
  snprintf(measured, TEXT, "%s", strchr(out_text, '\n'));
  *predictions = read_bytes(preds, n);
  assert_int_equal(unlink(preds), 0);
}

/* A file of HRM with the names of its own repository: every cell is answered alike. */
static void an_hrm_under_its_first_names_answers_the_same(void **state) {
  scratch *s = *state;
  static char before[TEXT], after[TEXT];
  unsigned char *cells, *cells_after;
  size_t n, n_after;
  trm_model *m = make_model(TRM_ARCH_HRM, false);
  make_data(s);
  make_folder(s, "hrm", m);
  write_yaml("hrm", "losses@ACTLossHead", false, "");
  evaluate(s, file, before, &cells, &n);
  write_yaml("hrm.hrm_act_v1@HierarchicalReasoningModel_ACTV1", "losses@MyLossHead", false,
             "data_path: data/arc-aug-1000\nlr: 1e-4\n");
  evaluate(s, file, after, &cells_after, &n_after);
  assert_string_equal(after, before);
  assert_int_equal(n_after, n);
  assert_memory_equal(cells_after, cells, n);
  free(cells);
  free(cells_after);
  trm_model_free(m);
}

static void keys_of_forks_are_passed_over_where_they_change_nothing(void **state) {
  scratch *s = *state;
  trm_model *m = make_model(TRM_ARCH_TRM, true);
  static const char trelis[] =
      "  puzzle_emb_dropout: 0.1\n  grid_token_dropout: 0.05\n  grid_noise_prob: 0.05\n"
      "  grid_noise_fraction: 0.02\n  halt_max_steps_eval: null\n  lora_rank: 0\n"
      "  lora_alpha: 16\n";
  static const struct {
    const char *name, *more;
    int code;
    const char *told;
  } cases[] = {
      {"recursive_reasoning.trm@TinyRecursiveReasoningModel_ACTV1", trelis, 0,
       "passed over, for it changes no answer: arch.puzzle_emb_dropout, arch.grid_token_dropout, "
       "arch.grid_noise_prob, arch.grid_noise_fraction, arch.lora_rank, arch.lora_alpha"},
      {"trm@TRMModel", "  short_name: TRM\n  board_height: null\n  act_inference: false\n", 0,
       "arch.short_name, arch.board_height, arch.act_inference"},
      {"trm.trm@TRM", "", 0, NULL},
      {"trm", "  halt_max_steps_eval: 2\n", 0, "halt_max_steps_eval: 2 steps are taken"},
      {"trm", "  halt_max_steps_eval: many\n", 3, "arch.halt_max_steps_eval: want a whole number"},
      {"trm", "  lora_rank: 4\n", 3,
       "arch.lora_rank = 4 changes the answers, and trm does not compute it"},
      {"trm", "  act_inference: true\n", 3, "arch.act_inference = true changes the answers"},
      {"trm", "  lambda_: 0.95\n", 3, "unknown key 'arch.lambda_'"},
      {"eqr@EqRModel", "  lambda_: 0.95\n", 3, "is an Equilibrium Reasoner, whose updates"},
      {"urm.urm@URM", "  loops: 16\n", 3, "is the Universal Reasoning Model, whose layers"},
      {"trm_moe@TinyRecursiveReasoningModel_ACTV1", "", 3, "arch.name: want one of trm, hrm"},
  };

  /* What they say is passed over, taken for ours, or refused by what it would change. */
  make_folder(s, "forks", m);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    write_yaml(cases[i].name, "losses@ACTLossHead", true, cases[i].more);
    want(RUN("info", file, "--json"), cases[i].code);
    if (cases[i].told) says(err_text, cases[i].told);
    if (!cases[i].told) assert_string_equal(err_text, "");
    if (!cases[i].code)
      says(out_text,
           strstr(cases[i].more, "eval: 2") ? "\"halt_max_steps\": 2" : "\"halt_max_steps\": 4");
  }

  /* A loss head has keys of its own; training would need them all. */
  write_text(yaml,
             "arch:\n  name: trm\n  loss: {name: losses@Mine, loss_type: stablemax_cross_entropy, "
             "q_scale: 0.5}\n  H_cycles: 2\n  L_cycles: 2\n  halt_max_steps: 4\n  mlp_t: true\n"
             "  pos_encodings: none\n  puzzle_emb_len: 2\n");
  want(RUN("info", file), 0);
  says(err_text, "passed over, for it changes no answer: arch.loss.q_scale");
  want(RUN("train", "arch.puzzle_emb_dropout=0.1"), 2);
  says(err_text, "unknown key");
  trm_model_free(m);
}

/* EqR's copy of the model has no puzzle embedding, and no key that says so. */
static void a_class_without_puzzle_positions(void **state) {
  scratch *s = *state;
  trm_model_config c = small_config(TRM_ARCH_TRM, SEQ);
  trm_error err;
  trm_model *m;
  c.mlp_t = true;
  c.pos_encodings = TRM_POS_NONE;
  c.puzzle_emb_ndim = c.puzzle_emb_len = 0;
  assert_int_equal(trm_model_create(&c, 1, &m, &err), TRM_OK);
  make_folder(s, "eqr", m);
  write_text(yaml,
             "arch:\n  name: trm@TRMModel\n  H_cycles: 2\n  L_cycles: 2\n  halt_max_steps: 4\n"
             "  mlp_t: true\n  pos_encodings: none\n");
  want(RUN("info", file, "--json"), 0);
  says(out_text, "\"seq_len\": 6");
  trm_model_free(m);
}

/* ---- files that are not of torch.save ---- */

static const char json[] =
    "{\"arch\": {\"name\": \"trm.trm@TRM\", \"loss\": {\"name\": \"losses@ACTLossHead\", "
    "\"loss_type\": \"stablemax_cross_entropy\"}, \"H_cycles\": 2, \"L_cycles\": 2, "
    "\"num_heads\": 2, \"halt_max_steps\": 4, \"halt_exploration_prob\": 0.1, "
    "\"pos_encodings\": \"none\", \"mlp_t\": true, \"puzzle_emb_len\": 2, \"forward_dtype\": "
    "\"float32\", \"no_ACT_continue\": true}, \"lr\": 1e-4}";
static const char flat_json[] =
    "{\"name\": \"trm@TRMModel\", \"H_cycles\": 2, \"L_cycles\": 2, \"num_heads\": 2, "
    "\"halt_max_steps\": 4, \"pos_encodings\": \"none\", \"mlp_t\": true, \"puzzle_emb_len\": 2, "
    "\"forward_dtype\": \"float32\", \"vocab_size\": 7, \"seq_len\": 6, "
    "\"num_puzzle_identifiers\": 3, \"batch_size\": 768, \"causal\": false}";

static void save_safetensors(const char *path, const made *l, int first, int n) {
  static const trm__st_meta meta = {"format", "pt"};
  trm_error err;
  if (trm__safetensors_save(path, l->tensors + first, n, &meta, 1, &err) != TRM_OK)
    fail_msg("%s", err.msg);
}

/* A model folder of trm out of what `model` names has the weights of m. */
static void converts_to(scratch *s, const char *model, const trm_model *m) {
  char out[PATH];
  trm_model *back;
  trm_error err;
  want(RUN("convert", model, place(s, out, "converted.safetensors")), 0);
  if (trm_model_load(out, &back, &err) != TRM_OK) fail_msg("%s", err.msg);
  made_same_weights(m, back);
  trm_model_free(back);
}

static void safetensors_with_the_names_of_the_reference(void **state) {
  scratch *s = *state;
  trm_model *m = make_model(TRM_ARCH_TRM, true);
  char dir[PATH], config[PATH], cache[PATH];
  static made l;
  l.n = 0;
  made_model(&l, m, "_orig_mod.model.inner.", "");
  place(s, dir, "hub");
  place(s, file, "hub/model.safetensors");
  place(s, yaml, "hub/all_config.yaml");
  place(s, config, "hub/config.json");
  assert_int_equal(trm__make_dirs(place(s, cache, "hub/.cache/huggingface/download"), NULL),
                   TRM_OK);
  write_text(place(s, cache, "hub/.cache/huggingface/download/model.safetensors.metadata"), "x\n");
  write_text(place(s, cache, "hub/README.md"), "---\nlicense: mit\n---\n");
  write_text(place(s, cache, "hub/.gitattributes"), "*.safetensors filter=lfs\n");
  save_safetensors(file, &l, 0, l.n);

  /* Beside nothing, all_config.yaml, and config.json in two forms; as a file and as its folder. */
  want(RUN("info", file), 1);
  says(err_text, "no all_config.yaml beside it");
  write_yaml("trm", "losses@ACTLossHead", true, "");
  converts_to(s, file, m);
  converts_to(s, dir, m);
  assert_int_equal(unlink(yaml), 0);
  write_text(config, json);
  converts_to(s, file, m);
  converts_to(s, dir, m);
  write_text(config, flat_json);
  converts_to(s, dir, m);
  says(err_text, "arch.batch_size, arch.causal");
  write_text(config, "{\"model_type\": \"bert\"}");
  want(RUN("info", dir), 3);
  says(err_text, "config.json: no arch.name");
  write_text(config, json);
  want(RUN("info", dir), 0);
  make_data(s);
  want(RUN("eval", dir, data, "--threads", "1"), 0);

  /* What a trainer leaves beside it is no second model; another one is. */
  write_text(place(s, cache, "hub/optimizer.pt"), "x");
  write_text(place(s, cache, "hub/rng_state.pth"), "x");
  want(RUN("info", dir), 0);
  save_safetensors(place(s, cache, "hub/model2.safetensors"), &l, 0, l.n);
  want(RUN("info", dir), 1);
  says(err_text, "name one of the 2 checkpoints in it: model.safetensors, model2.safetensors");

  /* A folder of trm's stays what it was. */
  trm_error err;
  assert_int_equal(trm_model_save(m, place(s, cache, "ours"), &err), TRM_OK);
  write_yaml("trm", "losses@ACTLossHead", true, "");
  want(RUN("info", cache), 0);
  assert_string_equal(err_text, "");
  trm_model_free(m);
}

static void several_files_with_an_index(void **state) {
  /* A model in two files with an index. */
  scratch *s = *state;
  trm_model *m = make_model(TRM_ARCH_TRM, true);
  char dir[PATH], part[PATH], text[4000];
  static made l;
  l.n = 0;
  made_model(&l, m, "model.inner.", "");
  assert_int_equal(trm__make_dirs(place(s, dir, "shards"), NULL), TRM_OK);
  place(s, file, "shards/model.safetensors.index.json");
  write_text(place(s, part, "shards/config.json"), json);
  const int half = l.n / 2;
  save_safetensors(place(s, part, "shards/model-00001-of-00002.safetensors"), &l, 0, half);
  save_safetensors(place(s, part, "shards/model-00002-of-00002.safetensors"), &l, half, l.n - half);

  /* The index is right, then wrong in five ways. */
  for (int fault = 0; fault < 6; fault++) {
    size_t n = (size_t)snprintf(text, sizeof text, "{\"metadata\": {\"total_size\": 1},\n\"%s\": {",
                                fault == 1 ? "weights" : "weight_map");
    for (int i = 0; i < l.n - (fault == 2); i++)
      n += (size_t)snprintf(text + n, sizeof text - n,
                            "%s\"%s\": \"%smodel-0000%d-of-00002.safetensors\"", i ? ",\n" : "",
                            l.names[i], fault == 3 && i == 0 ? "../" : "",
                            (i >= half) != (fault == 4 && i == 0) ? 2 : 1);
    snprintf(text + n, sizeof text - n, "%s}}",
             fault == 5 ? ", \"more\": \"model-00001-of-00002.safetensors\"" : "");
    write_text(file, text);

    /* What is said of each. */
    static const char *const words[] = {NULL,
                                        "no index of weights: it has no \"weight_map\"",
                                        "is there, but by",
                                        "want the names of at most 1024 files beside it",
                                        "files of different models?",
                                        "but its files have"};

    /* The right one is read by its own name and by its folder's. */
    if (!words[fault]) {
      converts_to(s, file, m);
      converts_to(s, dir, m);
    } else {
      want(RUN("info", file), 3);
      says(err_text, words[fault]);
    }
  }

  /* A file that is missing is another error than a wrong index. */
  assert_int_equal(unlink(part), 0);
  write_text(file, text);
  want(RUN("info", file), 1);
  trm_model_free(m);
}

/* ---- names and places ---- */

static void a_download_keeps_the_end_of_its_address(void **state) {
  scratch *s = *state;
  trm_model *m = make_model(TRM_ARCH_TRM, true);
  char dir[PATH], name[PATH];
  make_folder(s, "wget", m);
  place(s, dir, "wget");
  write_yaml("trm", "losses@ACTLossHead", true, "");
  assert_int_equal(rename(file, place(s, name, "wget/step_7?download=true")), 0);
  converts_to(s, name, m);
  char named[PATH];
  assert_int_equal(rename(yaml, place(s, named, "wget/all_config.yaml?download=true")), 0);
  converts_to(s, name, m);
  converts_to(s, dir, m);

  /* Any name, as HRM publishes "checkpoint"; and a configuration one folder above, as EqR's. */
  assert_int_equal(rename(name, place(s, file, "wget/checkpoint")), 0);
  converts_to(s, dir, m);
  assert_int_equal(trm__make_dirs(place(s, dir, "wget/checkpoints"), NULL), TRM_OK);
  assert_int_equal(rename(file, place(s, name, "wget/checkpoints/step_7_abc.pth")), 0);
  assert_int_equal(rename(named, yaml), 0);
  converts_to(s, dir, m);
  says(err_text, "checkpoints/../all_config.yaml is taken, one folder above the checkpoint");
  want(RUN("info", place(s, dir, "wget")), 1); /* nothing in it but the configuration */
  says(err_text, "no checkpoint step_N beside it");
  converts_to(s, name, m);

  /* URM's folder has a config.yaml, as a run of trm's, which may hold a file of weights, too. */
  assert_int_equal(rename(yaml, place(s, named, "wget/checkpoints/config.yaml")), 0);
  place(s, dir, "wget/checkpoints");
  want(RUN("info", dir), 0);
  says(out_text, "embed_tokens.embedding_weight");
  converts_to(s, dir, m);
  write_text(place(s, file, "wget/checkpoints/log.jsonl"), "");
  want(RUN("info", dir), 0);
  says(out_text, "update");
  want(RUN("convert", dir, place(s, file, "none.safetensors")), 1);
  says(err_text, "not a run with a checkpoint");
  trm_model_free(m);
}

/* A config.json that is there is not said to be missing. */
static void a_broken_configuration_is_told(void **state) {
  scratch *s = *state;
  static const struct {
    const char *text, *told;
  } cases[] = {{"<!DOCTYPE html>\n<html><head>", ": a web page, not the file"},
               {"{\"arch\": {\"name\": \"trm\",\n\"H_cycles\":",
                ": line 2, column 12: want a value, found the end"},
               {"", ": an empty file"}};
  static const char *const names[] = {"config.json", "config.json?download=true"};

  /* A model, and a configuration beside it under both names that a download has. */
  trm_model *m = make_model(TRM_ARCH_TRM, true);
  char dir[PATH], config[PATH], name[60], told[2 * PATH];
  make_folder(s, "broken", m);
  place(s, dir, "broken");
  for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
    snprintf(name, sizeof name, "broken/%s", names[k]);
    place(s, config, name);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
      snprintf(told, sizeof told, "%s%s", config, cases[i].told);
      write_text(config, cases[i].text);
      want(RUN("info", file), 3);
      says(err_text, told);
      assert_null(strstr(err_text, "no all_config.yaml beside it"));
      want(RUN("info", dir), 3);
      says(err_text, told);
    }
    assert_int_equal(unlink(config), 0);
  }

  /* Nor is a YAML file, which may be one of these, too. */
  write_text(yaml, cases[0].text);
  want(RUN("info", file), 3);
  says(err_text, "all_config.yaml: a web page, not the file");
  trm_model_free(m);
}

/* The lines that are said to be enough are. */
static void the_printed_lines_are_enough(void **state) {
  /* Architectures, and how many lines each needs. */
  scratch *s = *state;
  static const struct {
    trm_arch arch;
    bool mixer;
    const char *count;
    int lines;
    bool tied;
  } cases[] = {
      {TRM_ARCH_TRM, true, "eight", 8, false},       {TRM_ARCH_TRM, false, "eight", 8, false},
      {TRM_ARCH_TRM, false, "nine", 9, true},        {TRM_ARCH_HRM, false, "seven", 7, false},
      {TRM_ARCH_SINGLEZ, false, "eight", 8, false},  {TRM_ARCH_HIER6, false, "eight", 8, false},
      {TRM_ARCH_TRANSFORMER, false, "six", 6, false}};

  /* A checkpoint alone: the message has lines to copy. */
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char begin[PATH + 80], arch[80];
    trm_model_config c = config_of(cases[i].arch, cases[i].mixer);
    c.tie_embeddings = cases[i].tied;
    trm_model *m = small_model(&c, 3);
    make_folder(s, "alone", m);
    unlink(yaml);
    want(RUN("info", file), 1);
    says(err_text, "no all_config.yaml beside it");
    snprintf(begin, sizeof begin, "these %s lines in %s are enough", cases[i].count, yaml);
    says(err_text, begin);

    /* They are as many as it says. */
    const char *first = strstr(err_text, "\narch:\n") + 1, *end = strstr(first, "\ntrm: ") + 1;
    int lines = 0;
    for (const char *p = first; p < end; p++) lines += *p == '\n';
    assert_int_equal(lines, cases[i].lines);

    /* Copied out of the message, they make the checkpoint one that is known. */
    write_bytes(yaml, first, (size_t)(end - first));
    want(RUN("info", file, "--json"), 0);
    snprintf(arch, sizeof arch, "\"arch\": \"%s\"", trm_arch_name(cases[i].arch));
    says(out_text, arch);
    trm_model_free(m);
  }
}

/* Of a mixer as wide as P positions and the cells of a puzzle want; with the data, of any width. */
static void the_printed_lines_say_the_puzzle_positions(void **state) {
  scratch *s = *state;
  enum { NONE = 0 };
  static const struct {
    int seq, vocab, P, ndim;
    bool learned, with_data;
  } cases[] = {{16, 6, 1, 16, false, false},    {16, 6, 2, 16, false, false},
               {81, 11, 16, 16, false, false},  {36, 8, 1, 16, true, false},
               {81, 11, 1, 16, false, false},   {100, 6, 1, 16, false, false},
               {100, 6, 16, 16, true, false},   {16, 6, 1, NONE, false, false},
               {SEQ, VOCAB, 5, 16, false, true}};
  make_data(s);

  /* Each mixer or model of learned positions with puzzle positions, whose number the shapes tell or
   * not. */
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    trm_model_config c = small_config(TRM_ARCH_TRM, cases[i].seq);
    char told[60];
    c.vocab_size = cases[i].vocab;
    c.puzzle_emb_len = cases[i].P;
    c.puzzle_emb_ndim = cases[i].ndim;
    c.mlp_t = !cases[i].learned;
    c.pos_encodings = cases[i].learned ? TRM_POS_LEARNED : TRM_POS_NONE;
    trm_model *m;
    trm_error err;
    if (trm_model_create(&c, 1, &m, &err) != TRM_OK) fail_msg("%s", err.msg);

    /* Copied out of the message, the lines make a model of the same length. */
    make_folder(s, "lines", m);
    unlink(yaml);
    want(cases[i].with_data ? RUN("eval", file, data, "--threads", "1") : RUN("info", file), 1);
    const char *first = strstr(err_text, "\narch:\n") + 1, *end = strstr(first, "\ntrm: ") + 1;
    snprintf(told, sizeof told, "\n  puzzle_emb_len: %d\n", cases[i].P);
    if (cases[i].ndim) says(err_text, told);
    write_bytes(yaml, first, (size_t)(end - first));
    if (c.mlp_t && cases[i].with_data) want(RUN("eval", file, data, "--threads", "1"), 0);
    want(RUN("info", file, "--json"), 0);
    snprintf(told, sizeof told, "\"seq_len\": %d,", cases[i].seq);
    says(out_text, told);
    trm_model_free(m);
  }

  /* Positions that there is no room for are called by their key. */
  write_text(yaml,
             "arch:\n  name: trm\n  H_cycles: 3\n  L_cycles: 6\n  halt_max_steps: 16\n"
             "  mlp_t: true\n  pos_encodings: none\n");
  want(RUN("info", file), 3);
  says(err_text, "so seq_len (without the positions of puzzle_emb_len) is -5");
}

/* With rotary positions nothing shows them, and that is said. */
static void puzzle_positions_may_not_show(void **state) {
  scratch *s = *state;
  trm_model_config c = small_config(TRM_ARCH_TRM, 36);
  c.pos_encodings = TRM_POS_ROPE;
  trm_model *m;
  assert_int_equal(trm_model_create(&c, 1, &m, NULL), TRM_OK);
  make_folder(s, "rotary", m);
  trm_model_free(m);
  want(RUN("info", file), 1);
  const char *first = strstr(err_text, "\narch:\n") + 1, *end = strstr(first, "\ntrm: ") + 1;
  says(first, "\n  puzzle_emb_len: 16  # no tensor shows it");
  write_bytes(yaml, first, (size_t)(end - first));
  want(RUN("info", file, "--json"), 0);
  says(out_text, "\"puzzle_emb_len\": 16,");
  says(err_text, "puzzle_emb_len is what its configuration says");
}

static void what_is_no_model_is_named(void **state) {
  /* What is often found under the name of a model. */
  scratch *s = *state;
  static const struct {
    const char *text, *told;
  } cases[] = {
      {"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 526776\n",
       "a pointer of Git LFS, not the file that it stands for: fetch it with `git lfs pull`"},
      {"\n<!DOCTYPE html>\n<html><head>", "a web page, not the file that it is about"},
      {"<html>", "a web page"},
      {"Entry not found", "what a server answered in place of the file"},
      {"# trm\n\nTiny Recursive Models\n", "a text, not a model: it begins \"# trm\""},
      {"{\"arch\": {}}", "a JSON text, but no index of weights"},
      {"", "an empty file"},
      {"\x1f\x8b\x08\x01", "packed by gzip: unpack it first"},
      {"\x93NUMPY\1", "an array of NumPy"},
      {"\x80\2]q.", "a pickle by itself, not a file of torch.save"},
      {"GGUF\3", "a GGUF file"}};

  /* Under each name that a model has, with and without a configuration beside it. */
  static const char *const names[] = {"thing/step_3", "thing/model.safetensors", "thing/model.pt"};
  trm_model *m = make_model(TRM_ARCH_TRM, true);
  make_data(s);
  make_folder(s, "thing", m);
  assert_int_equal(unlink(file), 0);
  for (int configured = 0; configured < 2; configured++) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
      for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        /* It is called by what it is, whoever reads it. */
        write_text(place(s, file, names[k]), cases[i].text);
        want(RUN("info", file), 3);
        says(err_text, cases[i].told);
        says(err_text, names[k]);
        if (k == 0) {
          want(RUN("eval", file, data), 3);
          says(err_text, cases[i].told);
        }
        assert_int_equal(unlink(file), 0);
      }
    write_yaml("trm", "losses@ACTLossHead", true, "");
  }
  trm_model_free(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_hrm_under_its_first_names_answers_the_same),
      cmocka_unit_test(keys_of_forks_are_passed_over_where_they_change_nothing),
      cmocka_unit_test(a_class_without_puzzle_positions),
      cmocka_unit_test(safetensors_with_the_names_of_the_reference),
      cmocka_unit_test(several_files_with_an_index),
      cmocka_unit_test(a_download_keeps_the_end_of_its_address),
      cmocka_unit_test(a_broken_configuration_is_told),
      cmocka_unit_test(the_printed_lines_are_enough),
      cmocka_unit_test(the_printed_lines_say_the_puzzle_positions),
      cmocka_unit_test(puzzle_positions_may_not_show),
      cmocka_unit_test(what_is_no_model_is_named),
  };
  return cmocka_run_group_tests_name("program_checkpoints", tests, scratch_open, scratch_close);
}
