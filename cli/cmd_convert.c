/* trm convert: a model from one kind of file into another. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "published.h"
#include "run_folder.h"

static const cli_manual manual = {
    "trm convert MODEL OUT.safetensors|OUT.pt|OUT_FOLDER [options]",
    "Writes a model in another form. MODEL is a model folder, a run folder, a .safetensors file "
    "of\n"
    "this command, or a published checkpoint step_N with its all_config.yaml beside it. OUT is\n"
    "  OUT.safetensors   one file that says all of itself\n"
    "  OUT.pt            a state dict for torch.load, and all_config.yaml beside it, with the\n"
    "                    reference's names in both\n"
    "  OUT_FOLDER        a model folder, as training writes it\n"
    "The puzzle embeddings of a published ARC checkpoint are nearly all of its 2.5 GB.\n"
    "--puzzle-emb drop keeps that of id 0 alone, used:DATA those of the ids in DATA. The model\n"
    "remembers which it has, and refuses the others.\n",
    "Examples:\n"
    "  trm convert arc_v1_public/step_518071 arc.safetensors --puzzle-emb used:data/arc --dtype "
    "bf16\n"
    "  trm convert maze/step_50000 maze.safetensors --data data/maze\n"
    "  trm convert runs/Sudoku6-trm/first sudoku6.pt\n"};

typedef struct convert_args {
  const char *in, *out, *puzzle_emb, *data;
  trm_dtype dtype;
  int seq_len;
} convert_args;

static trm_file_format format_of(const char *out) {
  if (cli_ends_in(out, ".safetensors")) return TRM_FILE_SAFETENSORS;
  return cli_ends_in(out, ".pt") || cli_ends_in(out, ".pth") ? TRM_FILE_TORCH : TRM_FILE_FOLDER;
}

/* ---- which embeddings ---- */

/* Marks the ids of a split, if DATA has it. */
static trm_status mark_split(const char *dir, const char *split, uint8_t *used, int n_ids,
                             bool *found, trm_error *err) {
  char file[CLI_PATH_MAX];
  trm_dataset *data;
  CLI_TRY(cli_path(file, err, "%s/%s/dataset.json", dir, split));
  if (!cli_exists(file)) return TRM_OK;
  *found = true;
  CLI_TRY(trm_dataset_open(dir, split, &data, err));
  const trm_dataset_info *info = trm_dataset_get_info(data);
  trm_status st = TRM_OK;
  for (int64_t i = 0; i < info->examples && st == TRM_OK; i++) {
    int32_t id;
    trm_dataset_example(data, i, NULL, NULL, &id);
    if (id >= n_ids)
      st = cli_fail(err, TRM_E_SHAPE, i,
                    "%s/%s: example %lld has puzzle id %d, but the model knows 0 to %d: it was "
                    "trained on other data",
                    dir, split, (long long)i, id, n_ids - 1);
    else
      used[id] = 1;
  }
  trm_dataset_free(data);
  return st;
}

static trm_status mark_used(const char *dir, uint8_t *used, int n_ids, trm_error *err) {
  bool found = false;
  CLI_TRY(mark_split(dir, "train", used, n_ids, &found, err));
  CLI_TRY(mark_split(dir, "test", used, n_ids, &found, err));
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
  static const char with_data[] = "used:";
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
    st = mark_used(a->puzzle_emb + strlen(with_data), used, n_ids, err);
  if (st == TRM_OK) st = keep_marked(model, used, n_ids, err);
  free(used);
  return st;
}

/* ---- reading and writing ---- */

/* What is known of the data, from a folder or as a number. */
static trm_status learn_data(const convert_args *a, trm_dataset_info *info, trm_error *err) {
  char file[CLI_PATH_MAX];
  trm_dataset *data;
  *info = (trm_dataset_info){.seq_len = a->seq_len};
  if (!a->data) return TRM_OK;
  CLI_TRY(cli_path(file, err, "%s/test/dataset.json", a->data));
  CLI_TRY(trm_dataset_open(a->data, cli_exists(file) ? "test" : "train", &data, err));
  *info = *trm_dataset_get_info(data);
  trm_dataset_free(data);
  return TRM_OK;
}

/* What all_config.yaml beside a torch file says. The settings of its training are not known: they
 * are the defaults. */
static trm_status print_yaml(FILE *f, const trm_model_config *m, trm_error *err) {
  run_config c;
  CLI_TRY(run_config_load(&c, NULL, NULL, 0, err));
  c.model = *m;
  run_config_print_reference(&c, f);
  run_config_free(&c);
  return TRM_OK;
}

static trm_status write_yaml(const char *yaml, const trm_model_config *m, trm_error *err) {
  cli_outfile out;
  CLI_TRY(cli_outfile_open(&out, yaml, err));
  trm_status st = print_yaml(out.f, m, err);
  if (st == TRM_OK) return cli_outfile_commit(&out, err);
  cli_outfile_abort(&out);
  return st;
}

/* The file says byte for byte what would be written. */
static trm_status is_our_yaml(const char *yaml, const trm_model_config *m, bool *same,
                              trm_error *err) {
  char *text = NULL;
  size_t n = 0, i = 0;
  FILE *want = open_memstream(&text, &n), *found = fopen(yaml, "r");
  trm_status st =
      want ? print_yaml(want, m, err) : cli_fail(err, TRM_E_MEMORY, -1, "no memory for %s", yaml);
  if (want && fclose(want) != 0 && st == TRM_OK)
    st = cli_fail(err, TRM_E_MEMORY, -1, "no memory for %s", yaml);
  *same = st == TRM_OK && found;
  while (*same && i < n) *same = fgetc(found) == (unsigned char)text[i++];
  if (*same) *same = fgetc(found) == EOF;
  if (found) fclose(found);
  free(text);
  return st;
}

static trm_status write_model(const convert_args *a, const trm_model *model, trm_error *err) {
  char yaml[CLI_PATH_MAX];
  const trm_file_format format = format_of(a->out);
  if (format != TRM_FILE_TORCH) return trm_model_export(model, a->out, format, a->dtype, err);
  CLI_TRY(published_yaml(a->out, yaml, err));
  const bool there = cli_exists(yaml);
  bool same = false;
  if (there) CLI_TRY(is_our_yaml(yaml, trm_model_get_config(model), &same, err));
  if (there && !same)
    return cli_fail(err, TRM_E_IO, -1,
                    "%s is there already and belongs to another model; choose a folder without one",
                    yaml);
  if (!there) CLI_TRY(write_yaml(yaml, trm_model_get_config(model), err));
  trm_status st = trm_model_export(model, a->out, format, a->dtype, err);
  if (st != TRM_OK && !there) (void)remove(yaml);
  return st;
}

/* What was said of the data must be what the model was made for. */
static trm_status check_data(const convert_args *a, const trm_dataset_info *said,
                             const trm_model *model, trm_error *err) {
  const int seq_len = trm_model_get_config(model)->seq_len;
  if (!said->seq_len || said->seq_len == seq_len) return TRM_OK;
  return cli_fail(err, TRM_E_ARGUMENT, -1, "%s: seq_len is %d, but %s%s says %d", a->in, seq_len,
                  a->data ? "--data " : "--seq-len", a->data ? a->data : "", said->seq_len);
}

static trm_status convert(const convert_args *a, trm_model **model, trm_error *err) {
  char found[CLI_PATH_MAX];
  trm_dataset_info info;
  if (format_of(a->out) == TRM_FILE_FOLDER) CLI_TRY(cli_check_model_folder(a->out, err));
  CLI_TRY(learn_data(a, &info, err));
  CLI_TRY(
      run_folder_load_model_for(a->in, a->data || a->seq_len ? &info : NULL, found, model, err));
  CLI_TRY(check_data(a, &info, *model, err));
  CLI_TRY(choose_embeddings(a, model, err));
  CLI_TRY(write_model(a, *model, err));
  printf("%s: %s, weights in %s\n", a->out, trm_arch_name(trm_model_get_config(*model)->arch),
         trm_dtype_name(a->dtype));
  return TRM_OK;
}

static bool good_choice(const char *choice) {
  return !strcmp(choice, "all") || !strcmp(choice, "drop") ||
         (!strncmp(choice, "used:", 5) && choice[5]);
}

int cmd_convert(int argc, char **argv) {
  convert_args a = {.puzzle_emb = "all", .dtype = TRM_FLOAT32};
  const cli_option options[] = {
      {"dtype", CLI_DTYPE, &a.dtype, "FORMAT", "float32 (default) or bfloat16, half the size"},
      {"puzzle-emb", CLI_STRING, &a.puzzle_emb, "WHICH", "all (default), drop or used:DATA"},
      {"data", CLI_STRING, &a.data, "DATA",
       "data set that says what a published checkpoint does not: seq_len, meaning of tokens"},
      {"seq-len", CLI_INT, &a.seq_len, "N", "only seq_len"},
      {NULL, CLI_FLAG, NULL, NULL, NULL}};
  int code;
  trm_error err = {0};
  trm_model *model = NULL;
  if (!cli_options_parse(&manual, options, &argc, argv, &code)) return code;
  if (argc != 2) return cli_usage_error("want MODEL and OUT, got %d arguments; see --help", argc);
  if (!good_choice(a.puzzle_emb))
    return cli_usage_error("--puzzle-emb: want all, drop or used:DATA, got '%s'", a.puzzle_emb);
  if (a.data && a.seq_len) return cli_usage_error("--data says what --seq-len does; give one");
  a.in = argv[0];
  a.out = argv[1];
  const trm_status st = convert(&a, &model, &err);
  trm_model_free(model);
  return cli_finish(st == TRM_OK ? CLI_OK : cli_report_error(&err));
}
