/* trm convert: a model from one kind of file into another. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "cli/files.h"
#include "cli/run/find_model.h"
#include "cli/run/model_data.h"
#include "cli/run/onnx_file.h"

static const cli_manual manual = {
    "trm convert MODEL OUT.safetensors|OUT.pt|OUT.onnx|OUT_FOLDER [options]",
    "Writes a model in another form. MODEL is a model folder, a run folder, a .safetensors\n"
    "file of this command, a name that `trm models` lists, or a published checkpoint step_N\n"
    "with its all_config.yaml beside it. OUT is one of\n"
    "  OUT.safetensors   one file that says all of itself\n"
    "  OUT.pt, OUT.pth   a state dict for torch.load, and all_config.yaml beside it, with the\n"
    "                    reference's names in both\n"
    "  OUT.onnx          for ONNX Runtime, OpenVINO and others; Python writes it, from the\n"
    "                    package trm-solver[onnx]: python3, or the one that TRM_PYTHON names\n"
    "  OUT_FOLDER        a model folder, as training writes it, with a card for people and the\n"
    "                    Hugging Face hub: a name without an ending, or with '/' behind it, or\n"
    "                    that of a folder, whose model is replaced\n"
    "The puzzle embeddings of a published ARC checkpoint are nearly all of its 2.5 GB.\n"
    "--puzzle-emb drop keeps that of id 0 alone, used:DATA those of the ids in DATA. The\n"
    "model remembers which it has, and refuses the others.\n",
    "Examples:\n"
    "  trm convert arc_v1_public/step_518071 arc.safetensors --dtype bf16 \\\n"
    "      --puzzle-emb used:data/arc\n"
    "  trm convert maze/step_50000 maze.safetensors --data data/maze\n"
    "  trm convert runs/Sudoku6-trm/first sudoku6.pt\n"
    "  trm convert sudoku9 sudoku9.onnx\n"};

typedef struct convert_form convert_form;
typedef struct convert_args {
  const char *in, *out, *puzzle_emb, *data, *graph;
  const convert_form *form; /* of `out` */
  trm_dtype dtype;
  int seq_len;
} convert_args;

/* ---- forms ---- */

struct convert_form {
  const char *ending; /* NULL: a folder */
  /* `from`: the file or folder that the model was read from. */
  trm_status (*write)(const convert_args *a, const trm_model *model, const char *from,
                      trm_error *err);
  bool forgets; /* has no place for what puzzle ids mean */
};

static trm_status write_folder(const convert_args *a, const trm_model *model, const char *from,
                               trm_error *err) {
  return trm_model_publish(model, from, a->out, a->dtype, err);
}
static trm_status write_safetensors(const convert_args *a, const trm_model *model, const char *from,
                                    trm_error *err) {
  (void)from;
  return trm_model_export(model, a->out, TRM_FILE_SAFETENSORS, a->dtype, err);
}
static trm_status write_torch(const convert_args *a, const trm_model *model, const char *from,
                              trm_error *err) {
  (void)from;
  return trm_published_save(model, a->out, a->dtype, err);
}
static trm_status write_onnx(const convert_args *a, const trm_model *model, const char *from,
                             trm_error *err) {
  (void)from;
  CLI_TRY(cli_check_writable(a->out, err));
  return onnx_file_write(model, a->in, a->out, a->graph ? a->graph : "solve", a->dtype, err);
}

static const convert_form forms[] = {{".safetensors", write_safetensors, false},
                                     {".pt", write_torch, true},
                                     {".pth", write_torch, true},
                                     {".onnx", write_onnx, true},
                                     {NULL, write_folder, false}};
enum { FILE_FORMS = sizeof forms / sizeof *forms - 1 };

/* By the ending of its name, unless a folder is there; NULL after a usage error. */
static const convert_form *choose_form(const char *out, bool folder) {
  const char *ending = folder ? NULL : cli_ending(out);
  if (!cli_is_output(out)) {
    cli_usage_error("OUT: want the name of a file or folder to write, got '%s'", out);
    return NULL;
  }

  /* An ending that says nothing known is a slip, not the name of a folder. */
  if (!ending) return &forms[FILE_FORMS];
  for (int i = 0; i < FILE_FORMS; i++)
    if (!strcasecmp(ending, forms[i].ending)) return &forms[i];
  cli_usage_error(
      "%s: %s is nothing that is written; want NAME.safetensors, NAME.pt, NAME.pth, NAME.onnx, or "
      "a folder, whose name has no ending or a '/' behind it",
      out, ending);
  return NULL;
}

static const char with_data[] = "used:";

/* The folder that says what a published checkpoint does not: seq_len, what tokens and ids mean. */
static const char *data_of(const convert_args *a) {
  if (a->data || a->seq_len) return a->data;
  const size_t n = strlen(with_data);
  return strncmp(a->puzzle_emb, with_data, n) ? NULL : a->puzzle_emb + n;
}

/* ---- which embeddings ---- */

static trm_status mark_ids(const trm_dataset *data, const char *dir, const char *split,
                           uint8_t *used, int n_ids, trm_error *err) {
  const int64_t n = trm_dataset_get_info(data)->examples;
  for (int64_t i = 0; i < n; i++) {
    int32_t id;
    trm_dataset_example(data, i, NULL, NULL, &id);
    if (id >= n_ids)
      return cli_fail(err, TRM_E_SHAPE, i,
                      "%s/%s: example %lld has puzzle id %d, but the model knows 0 to %d: it was "
                      "trained on other data",
                      dir, split, (long long)i, id, n_ids - 1);
    used[id] = 1;
  }
  return TRM_OK;
}

/* Marks the ids of a split, if DATA has it; both splits name their ids alike. */
static trm_status mark_split(const trm_model_config *c, const char *dir, const char *split,
                             uint8_t *used, bool *found, trm_error *err) {
  trm__kind kind;
  trm_dataset *data;
  CLI_TRY(trm__path_look_at(&kind, err, "%s/%s/dataset.json", dir, split));
  if (kind == TRM__ABSENT) return TRM_OK;
  CLI_TRY(trm_dataset_open(dir, split, &data, err));
  trm_status st = *found ? TRM_OK : model_check_data(c, trm_dataset_get_info(data), dir, err);
  if (st == TRM_OK) st = mark_ids(data, dir, split, used, c->num_puzzle_identifiers, err);
  *found = true;
  trm_dataset_free(data);
  return st;
}

static trm_status mark_used(const trm_model_config *c, const char *dir, uint8_t *used,
                            trm_error *err) {
  bool found = false;
  CLI_TRY(mark_split(c, dir, "train", used, &found, err));
  CLI_TRY(mark_split(c, dir, "test", used, &found, err));
  return found ? TRM_OK
               : cli_fail(err, TRM_E_IO, -1,
                          "%s: not a data set: it has no train/dataset.json or test/dataset.json",
                          dir);
}

/* Replaces *model by one that keeps the ids marked. */
static trm_status keep_marked(trm_model **model, const uint8_t *used, int n_ids, trm_error *err) {
  trm_model *kept;
  int32_t *ids = calloc((size_t)n_ids, sizeof *ids);
  int n = 0;
  if (!ids) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for %d puzzle ids", n_ids);
  for (int id = 0; id < n_ids; id++)
    if (used[id]) ids[n++] = id;
  trm_status st = trm_model_keep_puzzle_ids(*model, ids, n, &kept, err);
  free(ids);
  if (st != TRM_OK) return st;
  trm_model_free(*model);
  *model = kept;
  cli_note("%d of %d puzzle embeddings kept", n, n_ids);
  return TRM_OK;
}

static trm_status choose_embeddings(const convert_args *a, trm_model **model, trm_error *err) {
  const trm_model_config *c = trm_model_get_config(*model);
  const int n_ids = c->num_puzzle_identifiers;
  if (!strcmp(a->puzzle_emb, "all")) return TRM_OK;
  if (c->puzzle_emb_ndim == 0)
    return cli_fail(err, TRM_E_CONFIG, -1, "--puzzle-emb: %s has no puzzle embeddings", a->in);
  uint8_t *used = calloc((size_t)n_ids, 1);
  if (!used) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for %d puzzle ids", n_ids);
  used[0] = 1; /* the id of "no puzzle" */
  trm_status st = TRM_OK;
  if (strcmp(a->puzzle_emb, "drop") != 0)
    st = mark_used(c, a->puzzle_emb + strlen(with_data), used, err);
  if (st == TRM_OK) st = keep_marked(model, used, n_ids, err);
  free(used);
  return st;
}

/* ---- reading and writing ---- */

/* What is known of the data, from a folder or as a number. */
static trm_status learn_data(const convert_args *a, trm_dataset_info *info, trm_error *err) {
  trm__kind kind;
  trm_dataset *data;
  *info = (trm_dataset_info){.seq_len = a->seq_len};
  const char *dir = data_of(a);
  if (!dir) return TRM_OK;
  CLI_TRY(trm__path_look_at(&kind, err, "%s/test/dataset.json", dir));
  CLI_TRY(trm_dataset_open(dir, kind == TRM__ABSENT ? "train" : "test", &data, err));
  *info = *trm_dataset_get_info(data);
  trm_dataset_free(data);
  return TRM_OK;
}

static trm_status write_model(const convert_args *a, const trm_model *model, const char *from,
                              trm_error *err) {
  if (a->form->forgets && trm_model_get_config(model)->identifiers[0])
    cli_note("a file %s does not say what puzzle ids mean: keep the data set of the training",
             a->form->ending);
  return a->form->write(a, model, from, err);
}

/* What was said of the data must be what the model was made for. */
static trm_status check_data(const convert_args *a, const trm_dataset_info *said,
                             const trm_model *model, trm_error *err) {
  const int seq_len = trm_model_get_config(model)->seq_len;
  if (!said->seq_len || said->seq_len == seq_len) return TRM_OK;
  const char *dir = data_of(a);
  return cli_fail(err, TRM_E_ARGUMENT, -1, "%s: seq_len is %d, but %s%s says %d", a->in, seq_len,
                  dir ? "the data set " : "--seq-len", dir ? dir : "", said->seq_len);
}

static trm_status convert(const convert_args *a, trm_model **model, trm_error *err) {
  char found[TRM__PATH_MAX];
  trm_dataset_info info;
  if (!a->form->ending) CLI_TRY(cli_check_model_folder(a->out, err));
  CLI_TRY(learn_data(a, &info, err));
  CLI_TRY(cli_load_model(a->in, info.seq_len ? &info : NULL, found, model, err));
  CLI_TRY(check_data(a, &info, *model, err));
  CLI_TRY(choose_embeddings(a, model, err));
  CLI_TRY(write_model(a, *model, found, err));
  char out[CLI_CLEAN];
  printf("%s: %s, weights in %s\n", cli_clean(out, sizeof out, a->out),
         trm_arch_name(trm_model_get_config(*model)->arch), trm_dtype_name(a->dtype));
  return TRM_OK;
}

static bool good_choice(const char *choice) {
  return !strcmp(choice, "all") || !strcmp(choice, "drop") ||
         (!strncmp(choice, with_data, strlen(with_data)) && choice[strlen(with_data)]);
}

int cmd_convert(int argc, char **argv) {
  convert_args a = {.puzzle_emb = "all", .dtype = TRM_FLOAT32};
  const cli_option options[] = {
      {"dtype", CLI_DTYPE, &a.dtype, "FORMAT", "float32 (default) or bfloat16, half the size"},
      {"puzzle-emb", CLI_STRING, &a.puzzle_emb, "WHICH", "all (default), drop or used:DATA"},
      {"data", CLI_STRING, &a.data, "DATA",
       "data set that says what a published checkpoint does not"},
      {"seq-len", CLI_INT, &a.seq_len, "N", "only seq_len"},
      {"graph", CLI_STRING, &a.graph, "KIND",
       "of OUT.onnx: solve (default), all steps in a Loop; or step, one, with latents in and out"},
      {NULL, CLI_FLAG, NULL, NULL, NULL}};
  int code;
  trm_error err = {0};
  trm_model *model = NULL;
  if (!cli_options_parse(&manual, options, &argc, argv, &code)) return code;

  /* What contradicts itself is refused before anything is read. */
  if (argc != 2)
    return cli_usage_error("want MODEL and OUT, got %d argument%s; see --help", argc, TRM__S(argc));
  if (!good_choice(a.puzzle_emb))
    return cli_usage_error("--puzzle-emb: want all, drop or used:DATA, got '%s'", a.puzzle_emb);
  if (a.graph && strcmp(a.graph, "solve") != 0 && strcmp(a.graph, "step") != 0)
    return cli_usage_error("--graph: want solve or step, got '%s'", a.graph);
  if (a.data && a.seq_len) return cli_usage_error("--data says what --seq-len does; give one");

  /* The name of the output says which format it gets. */
  a.in = argv[0];
  a.out = argv[1];
  trm__kind kind;
  if (trm__path_look(a.out, &kind, &err) != TRM_OK) return cli_report_error(&err);
  a.form = choose_form(a.out, kind == TRM__DIR);
  if (!a.form) return CLI_USAGE;
  if (a.graph && a.form->write != write_onnx)
    return cli_usage_error("--graph: only an ONNX file (NAME.onnx) is a graph");
  if (a.dtype == TRM_INT8)
    return cli_usage_error("--dtype: files hold weights in float32 or bfloat16, got 'int8'");
  cli_name_output(a.out);

  /* Model and data are read, and the output is written. */
  const trm_status st = convert(&a, &model, &err);
  trm_model_free(model);
  return cli_finish_files(st == TRM_OK ? CLI_OK : cli_report_error(&err));
}
