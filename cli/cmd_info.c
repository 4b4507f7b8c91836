/* trm info: what a folder holds. Each kind of folder is described as a JSON value, which is printed
 * as it is or as indented lines. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "published.h"
#include "puzzle_names.h"
#include "run_folder.h"

static const cli_manual manual = {
    "trm info MODEL|RUN|DATA [--json]",
    "Describes a model (a folder, a .safetensors file, a published checkpoint step_N): its\n"
    "configuration, costs and tensors, without loading the weights; where a run stands; what a\n"
    "data set says of itself (trm data info looks at its examples, too).\n",
    "Examples:\n"
    "  trm info runs/Sudoku6-trm/first\n"
    "  trm info runs/Sudoku6-trm/first/best --json\n"
    "  trm info published/step_10\n"
    "  trm info data/sudoku6\n"};

/* ---- descriptions ---- */

static trm_status no_memory(trm_error *err) {
  return cli_fail(err, TRM_E_MEMORY, -1, "no memory for a description");
}

/* Takes `value` over. */
static trm_status put(json_t *root, const char *key, json_t *value, trm_error *err) {
  return value && json_object_set_new(root, key, value) == 0 ? TRM_OK : no_memory(err);
}

static json_t *describe_puzzle(const trm_puzzle *p) {
  char text[320];
  if (p->kind == TRM_PUZZLE_NONE) return json_null();
  puzzle_describe(p, text, sizeof text);
  return json_string(text);
}

static json_t *describe_config(const trm_model_config *c) {
  return json_pack(
      "{s:s, s:i, s:i, s:i, s:o, s:i, s:i, s:f, s:i, s:i, s:i, s:i, s:b, s:s, s:f, s:f, s:i, s:i, "
      "s:i, s:f, s:b, s:s, s:s}",
      "arch", trm_arch_name(c->arch), "vocab_size", c->vocab_size, "seq_len", c->seq_len,
      "num_puzzle_identifiers", c->num_puzzle_identifiers, "puzzle", describe_puzzle(&c->puzzle),
      "hidden_size", c->hidden_size, "num_heads", c->num_heads, "expansion", c->expansion,
      "H_layers", c->H_layers, "L_layers", c->L_layers, "H_cycles", c->H_cycles, "L_cycles",
      c->L_cycles, "mlp_t", (int)c->mlp_t, "pos_encodings",
      trm_pos_encodings_name(c->pos_encodings), "rope_theta", c->rope_theta, "rms_norm_eps",
      c->rms_norm_eps, "puzzle_emb_ndim", c->puzzle_emb_ndim, "puzzle_emb_len", c->puzzle_emb_len,
      "halt_max_steps", c->halt_max_steps, "halt_exploration_prob", c->halt_exploration_prob,
      "no_ACT_continue", (int)c->no_ACT_continue, "loss_type", trm_loss_name(c->loss),
      "forward_dtype", trm_dtype_name(c->forward_dtype));
}

static json_t *describe_cost(const trm_model_cost *c) {
  return json_pack("{s:I, s:I, s:i, s:i, s:i, s:i, s:f, s:f, s:I, s:I}", "parameters",
                   (json_int_t)c->n_params, "puzzle_embedding_values", (json_int_t)c->n_puzzle_emb,
                   "positions", c->positions, "depth", c->depth, "latent_updates", c->n_updates,
                   "latent_updates_with_gradient", c->n_updates_with_grad, "gflop_forward",
                   1e-9 * c->flops_forward, "gflop_train", 1e-9 * c->flops_train,
                   "bytes_saved_per_row", (json_int_t)c->bytes_saved, "bytes_carry_per_row",
                   (json_int_t)c->bytes_carry);
}

static json_t *describe_tensor(const trm_tensor *t) {
  static const char *const kinds[] = {[TRM_TENSOR_PARAM] = "parameter",
                                      [TRM_TENSOR_BUFFER] = "buffer",
                                      [TRM_TENSOR_PUZZLE_EMB] = "puzzle embedding"};
  json_t *shape = t->ndim == 2
                      ? json_pack("[I,I]", (json_int_t)t->shape[0], (json_int_t)t->shape[1])
                      : json_pack("[I]", (json_int_t)t->shape[0]);
  return json_pack("{s:s, s:o, s:I, s:s}", "name", t->name, "shape", shape, "values",
                   (json_int_t)t->count, "kind", kinds[t->kind]);
}

static trm_status describe_costs(const trm_model_config *config, json_t *root, trm_error *err) {
  trm_model_cost cost;
  if (config->seq_len == 0) {
    cli_note(
        "the file does not show seq_len, because attention with rotary positions works at any "
        "length: costs are left out");
    return put(json_object_get(root, "config"), "seq_len", json_null(), err);
  }
  CLI_TRY(trm_model_cost_of(config, &cost, err));
  return put(root, "cost", describe_cost(&cost), err);
}

static trm_status describe_weights(const trm_model *model, json_t *root, trm_error *err) {
  int kept;
  const trm_model_config *config = trm_model_get_config(model);
  CLI_TRY(put(root, "config", describe_config(config), err));
  CLI_TRY(describe_costs(config, root, err));
  if (trm_model_puzzle_ids(model, &kept))
    CLI_TRY(put(root, "puzzle_ids_kept", json_integer(kept), err));
  CLI_TRY(put(root, "tensors", json_array(), err));
  json_t *tensors = json_object_get(root, "tensors");
  for (int i = 0; i < trm_model_tensor_count(model); i++) {
    const trm_tensor t = trm_model_tensor_at(model, i);
    if (json_array_append_new(tensors, describe_tensor(&t)) != 0) return no_memory(err);
  }
  return TRM_OK;
}

static trm_status describe_model(const char *path, json_t *root, trm_error *err) {
  trm_model_config config;
  trm_model *model = NULL;
  bool published = published_is(path);
  trm_status st = published ? published_config(path, NULL, &config, err) : TRM_OK;
  if (st == TRM_OK) st = trm_model_peek(path, published ? &config : NULL, &model, err);
  if (st == TRM_OK) st = describe_weights(model, root, err);
  trm_model_free(model);
  if (st == TRM_E_CONFIG) st = err->code = TRM_E_FORMAT; /* a bad value in a file is bad data */
  return st;
}

/* A run: where it stands, and the model it would be used as. */
static trm_status describe_run(const char *path, json_t *root, trm_error *err) {
  char last[CLI_PATH_MAX], model[CLI_PATH_MAX];
  const char *which;
  run_mark m;
  CLI_TRY(put(root, "run", json_string(path), err));
  CLI_TRY(cli_path(last, err, "%s/last", path));
  if (!cli_exists(last)) return put(root, "update", json_integer(0), err);
  CLI_TRY(run_mark_read(&m, last, err));
  CLI_TRY(put(root, "update", json_integer(m.update), err));
  if (m.best_exact >= 0) {
    CLI_TRY(put(root, "best_update", json_integer(m.best_update), err));
    CLI_TRY(put(root, "best_exact_accuracy", json_real(m.best_exact), err));
  }
  CLI_TRY(run_folder_find_model(path, model, &which, err));
  CLI_TRY(put(root, "model", json_string(model), err));
  return describe_model(model, root, err);
}

static trm_status describe_split(const char *path, const char *split, json_t *root,
                                 trm_error *err) {
  trm_dataset *data = NULL;
  CLI_TRY(trm_dataset_open(path, split, &data, err));
  const trm_dataset_info *i = trm_dataset_get_info(data);
  json_t *about = json_pack("{s:I, s:I, s:I, s:f, s:i, s:i, s:i, s:i, s:i, s:i, s:o}", "examples",
                            (json_int_t)i->examples, "puzzles", (json_int_t)i->puzzles, "groups",
                            (json_int_t)i->groups, "mean_puzzle_examples", i->mean_puzzle_examples,
                            "vocab_size", i->vocab_size, "seq_len", i->seq_len,
                            "num_puzzle_identifiers", i->num_puzzle_identifiers, "pad_id",
                            i->pad_id, "ignore_label_id", i->ignore_label_id, "blank_identifier_id",
                            i->blank_identifier_id, "puzzle", describe_puzzle(&i->puzzle));
  trm_dataset_free(data);
  return put(root, split, about, err);
}

static bool holds(const char *path, const char *name) {
  char file[CLI_PATH_MAX];
  return cli_path(file, NULL, "%s/%s", path, name) == TRM_OK && cli_exists(file);
}

static trm_status describe(const char *path, json_t *root, trm_error *err) {
  bool train = holds(path, "train/dataset.json"), test = holds(path, "test/dataset.json");
  if (cli_is_file(path) || holds(path, "model.safetensors")) return describe_model(path, root, err);
  if (holds(path, "config.yaml")) return describe_run(path, root, err);
  if (train) CLI_TRY(describe_split(path, "train", root, err));
  if (test) CLI_TRY(describe_split(path, "test", root, err));
  if (train || test) return TRM_OK;
  return cli_fail(
      err, TRM_E_IO, -1,
      "%s: %s: want a model (model.safetensors, or a file), a run (config.yaml) or a data set "
      "(train/dataset.json or test/dataset.json)",
      path, cli_exists(path) ? "not a folder of trm" : "no such folder");
}

/* ---- as text ---- */

static void print_tensors(const json_t *tensors) {
  size_t i;
  json_t *t;
  char values[32];
  printf("tensors\n");
  json_array_foreach(tensors, i, t) {
    char shape[64];
    const json_t *dims = json_object_get(t, "shape");
    cli_format_count(json_integer_value(json_object_get(t, "values")), values, sizeof values);
    int used = snprintf(shape, sizeof shape, "%lld",
                        (long long)json_integer_value(json_array_get(dims, 0)));
    if (json_array_size(dims) == 2)
      snprintf(shape + used, sizeof shape - (size_t)used, " x %lld",
               (long long)json_integer_value(json_array_get(dims, 1)));
    printf("  %-44s %-14s %12s  %s\n", json_string_value(json_object_get(t, "name")), shape, values,
           json_string_value(json_object_get(t, "kind")));
  }
}

static void print_scalar(const char *key, const json_t *value, int indent) {
  char count[32];
  printf("%*s%-*s ", indent, "", 30 - indent, key);
  if (json_is_string(value)) printf("%s\n", json_string_value(value));
  if (json_is_real(value)) printf("%.6g\n", json_real_value(value));
  if (json_is_boolean(value)) printf("%s\n", json_is_true(value) ? "true" : "false");
  if (json_is_null(value)) printf("-\n");
  if (!json_is_integer(value)) return;
  cli_format_count(json_integer_value(value), count, sizeof count);
  printf("%s\n", count);
}

/* Objects nest no deeper than root and its parts. */
static void print_text(json_t *root, int indent) {
  const char *key;
  json_t *value;
  json_object_foreach(root, key, value) {
    if (json_is_object(value)) {
      printf("%s\n", key);
      print_text(value, indent + 2);
    } else if (json_is_array(value)) {
      print_tensors(value);
    } else {
      print_scalar(key, value, indent);
    }
  }
}

int cmd_info(int argc, char **argv) {
  bool json = false;
  const cli_option options[] = {{"json", CLI_FLAG, &json, NULL, "print one JSON object"},
                                {NULL, CLI_FLAG, NULL, NULL, NULL}};
  int code;
  trm_error err = {0};
  if (!cli_options_parse(&manual, options, &argc, argv, &code)) return code;
  if (argc != 1) return cli_usage_error("want one folder, got %d arguments; see --help", argc);
  json_t *root = json_object();
  trm_status st = root ? describe(argv[0], root, &err) : no_memory(&err);
  if (st == TRM_OK && json) {
    json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    fputc('\n', stdout);
  } else if (st == TRM_OK) {
    print_text(root, 0);
  }
  json_decref(root);
  return cli_finish(st == TRM_OK ? CLI_OK : cli_report_error(&err));
}
