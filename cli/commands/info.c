/* trm info: what a folder holds. Each kind of folder is described as a JSON value, which is printed
 * as it is or as indented lines. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/pointer.h"
#include "io/field_json.h"

#include "cli/json_print.h"
#include "cli/pictures/puzzle_names.h"
#include "cli/run/find_model.h"
#include "cli/run/model_data.h"
#include "cli/run/named_models.h"

static const cli_manual manual = {
    "trm info MODEL|RUN|DATA [--json]",
    "Describes a model (a folder, a .safetensors file, a published checkpoint step_N, or a\n"
    "name that `trm models` lists): its configuration, costs and tensors, without loading the\n"
    "weights; where a run stands; what a data set says of itself (trm data info looks at its\n"
    "examples, too).\n",
    "Examples:\n"
    "  trm info runs/Sudoku6-trm/first\n"
    "  trm info runs/Sudoku6-trm/first/best --json\n"
    "  trm info published/step_10\n"
    "  trm info data/sudoku6\n"};

/* ---- descriptions ---- */

static void put_puzzle(trm__json_out *o, const trm_puzzle *p) {
  char text[320];
  puzzle_describe(p, text, sizeof text);
  if (p->kind == TRM_PUZZLE_NONE)
    trm__json_put_null(o, "puzzle");
  else
    trm__json_put_text(o, "puzzle", text);
}

/* What ids mean: a text, or null where it is not known. */
static void put_identifiers(trm__json_out *o, const uint64_t *identifiers, int n) {
  char text[MODEL_IDENTIFIERS_ROOM];
  model_print_identifiers(identifiers, n, text);
  if (*text)
    trm__json_put_text(o, "identifiers", text);
  else
    trm__json_put_null(o, "identifiers");
}

/* Under the last part of its key; a size that is not known is null. */
static void put_field(trm__json_out *o, const trm_field *f, const trm_model_config *c) {
  const char *dot = strrchr(f->key, '.');
  if (f->use & TRM__DATA && trm__field_number(f, c) == 0)
    trm__json_put_null(o, dot + 1);
  else
    trm__field_put_json(o, dot + 1, f, c);
}

/* The data come first. */
static void put_config(trm__json_out *o, const trm_model_config *c) {
  const trm_field *f;
  trm__json_open(o, "config", '{');
  trm__json_put_text(o, "arch", trm_arch_name(c->arch));
  for (int i = 1; (f = trm_model_config_field(i)); i++)
    if (f->use & TRM__DATA) put_field(o, f, c);
  put_identifiers(o, c->identifiers, TRM_MODEL_ID_LISTS);
  put_puzzle(o, &c->puzzle);
  for (int i = 1; (f = trm_model_config_field(i)); i++)
    if (!(f->use & TRM__DATA)) put_field(o, f, c);
  trm__json_close(o);
}

static trm_status put_cost(trm__json_out *o, const trm_model_config *config, trm_error *err) {
  trm_model_cost c;
  if (config->seq_len == 0) {
    cli_note(
        "the file does not show seq_len, because attention with rotary positions works at any "
        "length: costs are left out; puzzle_emb_len is what its configuration says, for no tensor "
        "shows that either");
    return TRM_OK;
  }

  CLI_TRY(trm_model_cost_of(config, &c, err));
  trm__json_open(o, "cost", '{');
  trm__json_put_int(o, "parameters", c.n_params);
  trm__json_put_int(o, "puzzle_embedding_values", c.n_puzzle_emb);

  /* The recursion: how deep, and how much of it has a gradient. */
  trm__json_put_int(o, "positions", c.positions);
  trm__json_put_int(o, "depth", c.depth);
  trm__json_put_int(o, "latent_updates", c.n_updates);
  trm__json_put_int(o, "latent_updates_with_gradient", c.n_updates_with_grad);

  /* What one row takes. */
  trm__json_put_real(o, "gflop_forward", c.flops_forward / 1e9);
  trm__json_put_real(o, "gflop_train", c.flops_train / 1e9);
  trm__json_put_int(o, "bytes_saved_per_row", (int64_t)c.bytes_saved);
  trm__json_put_int(o, "bytes_carry_per_row", (int64_t)c.bytes_carry);
  trm__json_close(o);
  return TRM_OK;
}

static void put_tensor(trm__json_out *o, const trm_tensor *t) {
  static const char *const kinds[] = {[TRM_TENSOR_PARAM] = "parameter",
                                      [TRM_TENSOR_BUFFER] = "buffer",
                                      [TRM_TENSOR_PUZZLE_EMB] = "puzzle embedding"};
  trm__json_open(o, NULL, '{');
  trm__json_put_text(o, "name", t->name);
  trm__json_open(o, "shape", '[');
  for (int i = 0; i < t->ndim; i++) trm__json_put_int(o, NULL, t->shape[i]);
  trm__json_close(o);
  trm__json_put_int(o, "values", t->count);
  trm__json_put_text(o, "kind", kinds[t->kind]);
  trm__json_close(o);
}

static trm_status describe_weights(const trm_model *model, trm__json_out *o, trm_error *err) {
  int kept;
  const trm_model_config *config = trm_model_get_config(model);
  put_config(o, config);
  CLI_TRY(put_cost(o, config, err));
  if (trm_model_puzzle_ids(model, &kept)) trm__json_put_int(o, "puzzle_ids_kept", kept);
  trm__json_open(o, "tensors", '[');
  for (int i = 0; i < trm_model_tensor_count(model); i++) {
    const trm_tensor t = trm_model_tensor_at(model, i);
    put_tensor(o, &t);
  }
  trm__json_close(o);
  return TRM_OK;
}

static trm_status describe_model(const char *path, trm__json_out *o, trm_error *err) {
  trm_model_config config;
  trm_model *model = NULL;
  bool published;
  CLI_TRY(trm_published_is(path, &published, err));
  trm_status st =
      published ? trm_published_config(path, NULL, &cli_listener, &config, err) : TRM_OK;
  if (st == TRM_OK) st = trm_model_peek(path, published ? &config : NULL, &model, err);
  if (st == TRM_OK) st = describe_weights(model, o, err);
  trm_model_free(model);
  if (st == TRM_E_CONFIG) st = err->code = TRM_E_FORMAT; /* a bad value in a file is bad data */
  return st;
}

/* A run: where it stands, and the model it would be used as. */
static trm_status describe_run(const char *path, trm__json_out *o, trm_error *err) {
  char model[TRM__PATH_MAX];
  const char *which;
  trm_run_state m;
  trm__json_put_text(o, "run", path);
  CLI_TRY(trm_run_look(path, &cli_listener, &m, err));
  trm__json_put_int(o, "update", m.update);
  if (m.update == 0) return TRM_OK;
  if (m.best_exact >= 0) {
    trm__json_put_int(o, "best_update", m.best_update);
    trm__json_put_real(o, "best_exact_accuracy", m.best_exact);
  }
  CLI_TRY(cli_find_model(path, model, &which, err));
  trm__json_put_text(o, "model", model);
  return describe_model(model, o, err);
}

static trm_status describe_split(const char *path, const char *split, trm__json_out *o,
                                 trm_error *err) {
  trm_dataset *data = NULL;
  CLI_TRY(trm_dataset_open(path, split, &data, err));
  const trm_dataset_info *i = trm_dataset_get_info(data);
  trm__json_open(o, split, '{');
  trm__json_put_int(o, "examples", i->examples);
  trm__json_put_int(o, "puzzles", i->puzzles);
  trm__json_put_int(o, "groups", i->groups);
  trm__json_put_real(o, "mean_puzzle_examples", i->mean_puzzle_examples);
  trm__json_put_int(o, "vocab_size", i->vocab_size);
  trm__json_put_int(o, "seq_len", i->seq_len);
  trm__json_put_int(o, "num_puzzle_identifiers", i->num_puzzle_identifiers);
  put_identifiers(o, &i->identifiers, 1);
  trm__json_put_int(o, "pad_id", i->pad_id);
  trm__json_put_int(o, "ignore_label_id", i->ignore_label_id);
  trm__json_put_int(o, "blank_identifier_id", i->blank_identifier_id);
  put_puzzle(o, &i->puzzle);
  trm__json_close(o);
  trm_dataset_free(data);
  return TRM_OK;
}

static trm_status describe_place(const char *path, trm__json_out *o, trm_error *err) {
  trm__kind kind, train, test;
  CLI_TRY(trm__path_look(path, &kind, err));
  const bool there = kind != TRM__ABSENT;
  if (kind == TRM__FILE) return describe_model(path, o, err);

  /* A folder of a model, unless a published checkpoint has the name of its file. */
  char file[TRM__PATH_MAX];
  bool found;
  CLI_TRY(trm__path_format(file, err, "%s/model.safetensors", path));
  CLI_TRY(trm__path_look(file, &kind, err));
  CLI_TRY(trm_published_is(file, &found, err));
  if (kind != TRM__ABSENT && !found) return describe_model(path, o, err);

  /* A data set, by its splits. */
  CLI_TRY(trm__path_look_at(&train, err, "%s/train/dataset.json", path));
  CLI_TRY(trm__path_look_at(&test, err, "%s/test/dataset.json", path));
  if (train != TRM__ABSENT) CLI_TRY(describe_split(path, "train", o, err));
  if (test != TRM__ABSENT) CLI_TRY(describe_split(path, "test", o, err));
  if (train != TRM__ABSENT || test != TRM__ABSENT) return TRM_OK;

  /* A download, then a run. */
  CLI_TRY(trm_published_find(path, file, &found, err));
  if (found) return describe_model(file, o, err);
  CLI_TRY(trm__path_look_at(&kind, err, "%s/config.yaml", path));
  if (kind != TRM__ABSENT) return describe_run(path, o, err);

  /* Nothing at all: perhaps a name that was mistyped. */
  if (!there) return named_model_missing(path, err);
  return cli_fail(
      err, TRM_E_IO, -1,
      "%s: not a folder of trm: want a model (model.safetensors, or a file), a run (config.yaml), "
      "a download (step_N, all_config.yaml) or a data set (train/dataset.json or "
      "test/dataset.json)",
      path);
}

/* RUN/best and RUN/last are the checkpoints that they name. */
static trm_status describe(const char *path, trm__json_out *o, trm_error *err) {
  char named[TRM__PATH_MAX], *target;
  CLI_TRY(named_model_find(path, named, err));
  CLI_TRY(trm__pointer_follow(named, &target, err));
  const trm_status st = describe_place(target, o, err);
  trm__free(target);
  return st;
}

/* ---- as text ---- */

static void print_tensors(const trm__json *tensors) {
  char values[32];
  printf("tensors\n");
  for (size_t i = 0; i < trm__json_n_items(tensors); i++) {
    char shape[64];
    const trm__json *t = trm__json_item(tensors, i), *dims = trm__json_get(t, "shape");
    cli_format_count(trm__json_integer(trm__json_get(t, "values")), values, sizeof values);
    int used = snprintf(shape, sizeof shape, "%lld",
                        (long long)trm__json_integer(trm__json_item(dims, 0)));
    if (trm__json_n_items(dims) == 2)
      snprintf(shape + used, sizeof shape - (size_t)used, " x %lld",
               (long long)trm__json_integer(trm__json_item(dims, 1)));
    printf("  %-44s %-14s %12s  %s\n", trm__json_text(trm__json_get(t, "name")), shape, values,
           trm__json_text(trm__json_get(t, "kind")));
  }
}

static void print_scalar(const char *key, const trm__json *value, int indent) {
  char count[32], clean[CLI_CLEAN];
  printf("%*s%-*s ", indent, "", 30 - indent, key);
  switch (trm__json_kind_of(value)) {
    case TRM__JSON_STRING:
      printf("%s\n", cli_clean(clean, sizeof clean, trm__json_text(value)));
      break;
    case TRM__JSON_REAL:
      printf("%.6g\n", trm__json_number(value));
      break;
    case TRM__JSON_TRUE:
      printf("true\n");
      break;
    case TRM__JSON_FALSE:
      printf("false\n");
      break;
    case TRM__JSON_INTEGER:
      cli_format_count(trm__json_integer(value), count, sizeof count);
      printf("%s\n", count);
      break;
    default:
      printf("-\n");
  }
}

/* Objects nest no deeper than root and its parts. */
static void print_text(const trm__json *root, int indent) {
  for (size_t i = 0; i < trm__json_n_members(root); i++) {
    const char *key = trm__json_key(root, i);
    const trm__json *value = trm__json_member(root, i);
    if (trm__json_is(value, TRM__JSON_OBJECT)) {
      printf("%s\n", key);
      print_text(value, indent + 2);
    } else if (trm__json_is(value, TRM__JSON_ARRAY)) {
      print_tensors(value);
    } else {
      print_scalar(key, value, indent);
    }
  }
}

static trm_status print_lines(trm__json_out *o, trm_error *err) {
  char *text;
  trm__json *root;
  CLI_TRY(trm__json_finish(o, "a description", &text, err));
  const trm_status st = trm__json_parse(text, strlen(text), "a description", 1, &root, err);
  if (st == TRM_OK) print_text(root, 0);
  trm__json_free(root);
  trm__free(text);
  return st;
}

int cmd_info(int argc, char **argv) {
  bool json = false;
  const cli_option options[] = {{"json", CLI_FLAG, &json, NULL, "print one JSON object"},
                                {NULL, CLI_FLAG, NULL, NULL, NULL}};
  int code;
  trm_error err = {0};
  if (!cli_options_parse(&manual, options, &argc, argv, &code)) return code;
  if (argc != 1) return cli_usage_error("want one folder, got %d arguments; see --help", argc);
  trm__json_out o = trm__json_begin(TRM__JSON_INDENTED);
  trm__json_open(&o, NULL, '{');
  trm_status st = describe(argv[0], &o, &err);
  trm__json_close(&o);
  if (st == TRM_OK)
    st = json ? cli_print_json(&o, stdout, &err) : print_lines(&o, &err);
  else
    trm__json_drop(&o);
  return cli_finish(st == TRM_OK ? CLI_OK : cli_report_error(&err));
}
