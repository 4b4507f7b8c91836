/* See published.h. */
#include "run/published.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "io/foreign.h"
#include "io/json.h"
#include "io/tensor_set.h"
#include "run/run_config.h"
#include "run/tell.h"
#include "trm/maze.h"
#include "trm/sudoku.h"

/* ---- names ---- */

/* The length of a name without what a download's address leaves at its end: "step_3?download=true".
 */
static size_t plain_length(const char *name) {
  const char *query = strstr(name, "?download=");
  return query ? (size_t)(query - name) : strlen(name);
}

static bool ends_in(const char *name, const char *suffix) {
  const size_t n = plain_length(name), m = strlen(suffix);
  return n > m && trm__text_alike(name + n - m, suffix, m);
}

/* The bytes of "DIR/" in front of a file's name. */
static int folder_of(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? (int)(slash - path) + 1 : 0;
}

/* "DIR/all_config.yaml" beside a file. */
static trm_status yaml_beside(const char *path, char *yaml, trm_error *err) {
  return trm__path_format(yaml, err, "%.*sall_config.yaml", folder_of(path), path);
}

/* ---- ours or published ---- */

enum { MAX_CONFIG = 1 << 20 };

/* A config.json of a model folder of ours: its "arch" is a name; that of others, where they have
 * one, a map. One that cannot be read is taken for ours, to be refused as such. */
static trm_status is_our_config(const char *path, bool *ours, trm_error *err) {
  trm__kind kind;
  trm__json *root;
  trm_error cause;
  *ours = false;
  TRM_TRY(trm__path_look(path, &kind, err));
  if (kind != TRM__FILE) return TRM_OK;
  const trm_status st = trm__json_load(path, MAX_CONFIG, &root, &cause);
  *ours = st != TRM_OK || trm__json_is(trm__json_get(root, "arch"), TRM__JSON_STRING);
  if (st == TRM_OK) trm__json_free(root);
  return TRM_OK;
}

#define ABOVE "../all_config.yaml"
/* Where the configuration of a published checkpoint may be, seen from the checkpoint. */
static const char *const configs[] = {"all_config.yaml", "all_config.yaml?download=true",
                                      "config.json",     "config.json?download=true",
                                      "config.yaml",     ABOVE};
enum { N_CONFIGS = sizeof configs / sizeof *configs, N_OWN_CONFIGS = 4 /* of checkpoints alone */ };

/* The first of n that is there; *found false: none. */
static trm_status find_config(const char *path, int n, char *config, bool *found, trm_error *err) {
  *found = false;
  for (int i = 0; i < n && !*found; i++) {
    trm__kind kind;
    bool ours = false;
    TRM_TRY(trm__path_format(config, err, "%.*s%s", folder_of(path), path, configs[i]));
    TRM_TRY(trm__path_look(config, &kind, err));
    *found = kind != TRM__ABSENT && kind != TRM__DIR;
    if (*found && ends_in(configs[i], ".json")) TRM_TRY(is_our_config(config, &ours, err));
    *found = *found && !ours;
  }
  return TRM_OK;
}

/* A safetensors file is ours when it says what it is, or a config.json of ours is beside it, or
 * nothing that would be another's. */
static trm_status is_published_safetensors(const char *path, bool *is, trm_error *err) {
  char config[TRM__PATH_MAX];
  trm__safetensors *file;
  trm_error cause;
  *is = false;
  if (trm__safetensors_open(path, &file, &cause) == TRM_OK) {
    const bool whole = trm__safetensors_meta(file, "trm_config") != NULL;
    trm__safetensors_close(file);
    if (whole) return TRM_OK;
  }
  bool ours;
  TRM_TRY(trm__path_format(config, err, "%.*sconfig.json", folder_of(path), path));
  TRM_TRY(is_our_config(config, &ours, err));
  *is = !ours;
  return TRM_OK;
}

trm_status trm_published_is(const char *path, bool *is, trm_error *err) {
  trm__kind kind;
  TRM_TRY(trm__path_look(path, &kind, err));
  *is = kind == TRM__FILE;
  if (*is && ends_in(path, ".safetensors")) return is_published_safetensors(path, is, err);
  return TRM_OK;
}

/* ---- a folder ---- */

/* What trainers write beside the weights, and the parts of an index. */
static bool is_beside_weights(const char *name) {
  static const char *const begins[] = {"optimizer", "scheduler",     "scaler",       "sampler",
                                       "rng_state", "random_states", "training_args"};
  for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
    if (!strncmp(name, begins[i], strlen(begins[i]))) return true;
  return strstr(name, "-of-0") != NULL && !ends_in(name, ".index.json");
}

static bool is_checkpoint_name(const char *name) {
  static const char *const endings[] = {".pt",  ".pth",         ".ckpt",
                                        ".bin", ".safetensors", ".index.json"};
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
    if (ends_in(name, endings[i])) return true;
  const size_t n = plain_length(name);
  return !strncmp(name, "step_", 5) && n > 5 && 5 + strspn(name + 5, "0123456789") == n;
}

/* A file of torch.save, whatever it is called: a zip archive whose first entry is NAME/data.pkl. */
static bool is_torch(const char *path) {
  static const char begin[] = "PK\3\4", entry[] = "/data.pkl";
  enum { NAME_AT = 30, NAME = 256 };
  trm__map map;
  bool found = false;
  if (trm__map_open(path, &map, NULL) != TRM_OK) return false;
  if (map.size > NAME_AT + NAME && !memcmp(map.data, begin, 4))
    for (size_t i = NAME_AT; i < NAME && !found; i++)
      found = !memcmp(map.data + i, entry, strlen(entry));
  trm__map_close(&map);
  return found;
}

/* The only one, or a list of which there are. */
typedef struct candidates {
  int n;
  char names[200];
} candidates;

static trm_status collect(const char *dir, const trm__names *in, char *file, candidates *c,
                          trm_error *err) {
  *c = (candidates){0};
  for (size_t i = 0; i < in->n; i++) {
    char path[TRM__PATH_MAX];
    trm__kind kind;
    if (in->v[i][0] == '.' || is_beside_weights(in->v[i])) continue;
    TRM_TRY(trm__path_format(path, err, "%s/%s", dir, in->v[i]));
    TRM_TRY(trm__path_look(path, &kind, err));
    if (kind != TRM__FILE || (!is_checkpoint_name(in->v[i]) && !is_torch(path))) continue;
    if (c->n++ == 0) memcpy(file, path, sizeof path);
    const size_t used = strlen(c->names);
    snprintf(c->names + used, sizeof c->names - used, "%s%.60s", used ? ", " : "", in->v[i]);
  }
  return TRM_OK;
}

static trm_status choose(const char *dir, const candidates *c, bool configured, bool *found,
                         trm_error *err) {
  *found = c->n == 1;
  if (*found || (!configured && c->n == 0)) return TRM_OK;
  if (c->n == 0)
    return trm__fail(err, TRM_E_IO, -1,
                     "%s: it has an all_config.yaml, but no checkpoint step_N beside it", dir);
  return trm__fail(err, TRM_E_IO, -1, "%s: name one of the %d checkpoints in it: %s", dir, c->n,
                   c->names);
}

trm_status trm_published_find(const char *dir, char *file, bool *found, trm_error *err) {
  char in_dir[TRM__PATH_MAX], config[TRM__PATH_MAX];
  bool configured;
  trm__kind kind;
  trm__dir d;
  trm__names names;
  candidates c;
  *found = false;
  TRM_TRY(trm__path_look(dir, &kind, err));
  if (kind != TRM__DIR) return TRM_OK;
  TRM_TRY(trm__path_format(in_dir, err, "%s/", dir));
  TRM_TRY(find_config(in_dir, N_OWN_CONFIGS, config, &configured, err));
  TRM_TRY(trm__path_look_at(&kind, err, "%s/log.jsonl", dir));
  if (!configured && kind != TRM__ABSENT) return TRM_OK; /* a run of ours, whatever lies in it */

  /* One file that looks like one, among whatever else was downloaded. */
  TRM_TRY(trm__dir_open(&d, dir, err));
  trm_status st = trm__dir_names(&d, &names, err);
  if (st == TRM_OK) st = collect(dir, &names, file, &c, err);
  if (st == TRM_OK) st = choose(dir, &c, configured, found, err);
  trm__names_free(&names);
  trm__dir_close(&d);
  return st;
}

/* ---- a file without a configuration ---- */

static bool has_names(const void *tensors, const char *part) {
  const trm__tensor_set *set = tensors;
  for (int i = 0; i < trm__tensor_set_count(set); i++)
    if (strstr(trm__tensor_set_at(set, i)->name, part)) return true;
  return false;
}

/* A size of the first tensor that is called so, behind any prefix; 0: there is none. */
static int64_t size_of(const trm__tensor_set *set, const char *ending, int dim) {
  for (int i = 0; i < trm__tensor_set_count(set); i++) {
    const trm__torch_tensor *t = trm__tensor_set_at(set, i);
    if (t->ndim == 2 && (!strcmp(t->name, ending) || trm__text_ends_in(t->name, ending)))
      return t->shape[dim];
  }
  return 0;
}

static bool is_square(int64_t n) {
  int64_t root = 2;
  while (root * root < n) root++;
  return root * root == n;
}

/* One for each position, cells and puzzle embedding alike: of a mixer, or of learned positions; 0:
 * the model has neither. */
static int64_t position_rows(const trm__tensor_set *set) {
  const int64_t mixer = size_of(set, ".mlp_t.down_proj.weight", 0);
  return mixer ? mixer : size_of(set, "embed_pos.embedding_weight", 0);
}

/* puzzle_emb_len: what such rows are beyond the cells of the data; without data beyond those of a
 * Sudoku with as many symbols, or of a square. The reference's where nothing shows it. */
static int64_t guess_puzzle_len(const trm__tensor_set *set, const trm_dataset_info *data) {
  enum { USUAL = 16, MOST_ROWS = 1 << 16 };
  const int64_t hidden = size_of(set, "embed_tokens.embedding_weight", 1);
  const int64_t ndim = size_of(set, "puzzle_emb.weights", 1);
  const int64_t rows = position_rows(set);
  const int64_t least = hidden > 0 ? ndim / hidden + (ndim % hidden > 0) : 1;
  if (rows < 1 || rows > MOST_ROWS) return USUAL;
  if (data && data->seq_len && rows - data->seq_len >= least) return rows - data->seq_len;

  const int64_t symbols = size_of(set, "embed_tokens.embedding_weight", 0) - 2;
  const trm_puzzle sudoku = trm_sudoku_of_size(symbols < MOST_ROWS ? (int)symbols : 0);
  const int64_t beyond = rows - (int64_t)sudoku.rows * sudoku.cols;
  if (sudoku.kind != TRM_PUZZLE_NONE && beyond >= least && beyond <= USUAL) return beyond;
  if (is_square(rows - USUAL)) return USUAL;
  for (int64_t n = least; n < USUAL; n++)
    if (is_square(rows - n)) return n;
  return rows > USUAL ? USUAL : least;
}

/* Tells the lines of a configuration that would be enough, by what the tensors show; the values
 * are the reference's, and only who trained it knows them. */
static void tell_lines(const char *yaml, const trm__tensor_set *set, const trm_dataset_info *data,
                       const trm_run_listener *to) {
  static const char *const counts[] = {"six", "seven", "eight", "nine"};
  trm_arch arch = TRM_ARCH_TRM; /* where the tensors are not all there */
  (void)trm_arch_of_tensors(has_names, set, &arch);
  const trm_model_config usual = trm_model_config_default(arch);
  const bool recursive = trm_arch_names_field(arch, "L_cycles");
  const bool mixer = has_names(set, ".mlp_t."), learned = has_names(set, "embed_pos.");
  const bool tied = !has_names(set, "lm_head.");
  const bool puzzles =
      trm_arch_names_field(arch, "puzzle_emb_len") && has_names(set, "puzzle_emb.weights");

  trm__note(to, "these %s lines in %s are enough, with the values of its training:",
            counts[recursive + puzzles + tied], yaml);
  trm__tell_line(to, "arch:");
  trm__tell_line(to, "  name: %s", trm_arch_name(arch));
  trm__tell_line(to, "  H_cycles: %d", usual.H_cycles);
  if (recursive) trm__tell_line(to, "  L_cycles: %d", usual.L_cycles);
  trm__tell_line(to, "  halt_max_steps: 16");
  trm__tell_line(to, "%s", mixer ? "  mlp_t: true" : "  num_heads: 8");
  trm__tell_line(to, "  pos_encodings: %s", learned ? "learned" : mixer ? "none" : "rope");
  if (tied) trm__tell_line(to, "  tie_embeddings: true");
  if (puzzles)
    trm__tell_line(to, "  puzzle_emb_len: %lld%s", (long long)guess_puzzle_len(set, data),
                   position_rows(set) ? "" : "  # no tensor shows it; the reference has 16");
}

/* A config.json that cannot be read is nobody's, but there. */
static trm_status check_broken(const char *path, trm_error *err) {
  char config[TRM__PATH_MAX];
  for (int i = 0; i < N_OWN_CONFIGS; i++) {
    trm__kind kind;
    trm__json *root;
    if (!ends_in(configs[i], ".json")) continue;
    TRM_TRY(trm__path_format(config, err, "%.*s%s", folder_of(path), path, configs[i]));
    TRM_TRY(trm__path_look(config, &kind, err));
    if (kind != TRM__FILE) continue;
    TRM_TRY(trm__json_load(config, MAX_CONFIG, &root, err));
    trm__json_free(root);
  }
  return TRM_OK;
}

static trm_status fail_no_config(const char *path, const trm_dataset_info *data,
                                 const trm_run_listener *to, trm_error *err) {
  char yaml[TRM__PATH_MAX];
  trm__tensor_set *set;
  TRM_TRY(trm__tensor_set_open(path, &set, err)); /* what is no checkpoint is told first */
  const bool model = has_names(set, "embed_tokens.embedding_weight");
  trm_status st = check_broken(path, err);
  if (st == TRM_OK) st = yaml_beside(path, yaml, err);
  if (st == TRM_OK && model) tell_lines(yaml, set, data, to);
  trm__tensor_set_close(set);
  TRM_TRY(st);
  return trm__fail(err, TRM_E_IO, -1,
                   "%s: no all_config.yaml beside it, which says what the model is; it is "
                   "published with the checkpoint, maybe as config.json",
                   path);
}

static void learn_from_data(const char *path, const trm_dataset_info *data,
                            const trm_run_listener *to, trm_model_config *c) {
  if (c->seq_len == 0 && data->seq_len) {
    c->seq_len = data->seq_len;
    trm__note(to, "%s does not show seq_len: %d is assumed, which the data have", path, c->seq_len);
  }
  if (data->vocab_size && c->num_puzzle_identifiers == data->num_puzzle_identifiers)
    c->identifiers[0] = data->identifiers;
  if (c->seq_len == data->seq_len && c->vocab_size == data->vocab_size) c->puzzle = data->puzzle;
}

/* Some puzzle of those with rules makes the configuration a model. */
static bool fits_some_puzzle(const trm_model_config *c) {
  const trm_puzzle any[] = {trm_sudoku_of_size(9), trm_maze_of_size(128, 128)};
  for (size_t i = 0; i < sizeof any / sizeof *any; i++) {
    trm_model_config known = *c;
    known.puzzle = any[i];
    known.seq_len = any[i].rows * any[i].cols;
    known.vocab_size = trm_puzzle_first_symbol(&any[i]) + trm_puzzle_n_symbols(&any[i]);
    if (trm_model_config_check(&known, NULL) == TRM_OK) return true;
  }
  return false;
}

/* Some options of models depend on what the tokens mean, which only data tell: a failure that is
 * for want of them says so, and how a file is made that needs none. */
static trm_status tell_of_data(trm_status st, const char *path, const trm_dataset_info *data,
                               const trm_model_config *c, trm_error *err) {
  if (st != TRM_E_CONFIG || (data && data->vocab_size) || c->puzzle.kind != TRM_PUZZLE_NONE ||
      !fits_some_puzzle(c))
    return st;
  const trm_error cause = *err;
  TRM_FAIL(err, st,
           "%.300s: %.500s; make a file that says it: trm convert %.300s "
           "model.safetensors --data DATA",
           path, cause.msg, path);
}

trm_status trm_published_config(const char *path, const trm_dataset_info *data,
                                const trm_run_listener *listener, trm_model_config *c,
                                trm_error *err) {
  char yaml[TRM__PATH_MAX], note[600];
  bool found;
  TRM_TRY(find_config(path, N_CONFIGS, yaml, &found, err));
  if (!found) return fail_no_config(path, data, listener, err);
  if (!strcmp(yaml + folder_of(path), ABOVE))
    trm__note(listener, "%s is taken, one folder above the checkpoint", yaml);

  /* The file, then the tensors' shapes, then the data say what they know. */
  TRM_TRY(trm__run_config_load_model(c, yaml, listener, err));
  TRM_TRY(trm_model_complete_config(path, c, err));
  if (data) learn_from_data(path, data, listener, c);

  /* Without data, a vocabulary and a length that fit a Sudoku are taken for one. */
  if (!data || data->vocab_size == 0) {
    const trm_puzzle sudoku = trm_sudoku_of_size(c->vocab_size - 2);
    if (sudoku.kind != TRM_PUZZLE_NONE && sudoku.rows * sudoku.cols == c->seq_len)
      c->puzzle = sudoku;
  }

  /* Which tensors there are depends on all of it. */
  const trm_status st = trm_model_import_note(path, c, note, sizeof note, err);
  if (st != TRM_OK) return tell_of_data(st, path, data, c, err);
  if (*note) trm__note(listener, "%s: %s", path, note);
  return TRM_OK;
}

trm_status trm__published_load(const char *path, const trm_dataset_info *data,
                               const trm_run_listener *to, trm_model **out, trm_error *err) {
  trm_model_config c;
  TRM_TRY(trm_published_config(path, data, to, &c, err));
  if (c.seq_len == 0)
    return trm__fail(
        err, TRM_E_CONFIG, -1,
        "%s does not show seq_len, because attention with rotary positions works at any "
        "length; make a file that says it: trm convert %s model.safetensors --data DATA",
        path, path);
  return tell_of_data(trm_model_import(path, &c, out, err), path, data, &c, err);
}

/* ---- writing ---- */

/* The file says byte for byte what would be written. */
static trm_status is_our_yaml(const char *yaml, const char *text, bool *same, trm_error *err) {
  trm__map found;
  TRM_TRY(trm__map_open(yaml, &found, err));
  *same = found.size == strlen(text) && !memcmp(found.data, text, found.size);
  trm__map_close(&found);
  return TRM_OK;
}

/* What all_config.yaml says of the model, a fresh block. */
static trm_status yaml_text(const trm_model_config *m, char **text, trm_error *err) {
  trm__run_config c;
  TRM_TRY(trm__run_config_load(&c, NULL, NULL, 0, err));
  c.model = *m;
  const trm_status st = trm__run_config_text(&c, true, text, err);
  trm__run_config_free(&c);
  return st;
}

/* all_config.yaml beside the file; *made: it was not there. */
static trm_status place_yaml(const char *yaml, const trm_model_config *m, bool *made,
                             trm_error *err) {
  trm__kind kind;
  char *text;
  bool same = true;
  TRM_TRY(trm__path_look(yaml, &kind, err));
  *made = kind == TRM__ABSENT;
  TRM_TRY(yaml_text(m, &text, err));
  const trm_status st = *made ? trm__writer_save(NULL, yaml, text, strlen(text), err)
                              : is_our_yaml(yaml, text, &same, err);
  trm__free(text);
  if (st != TRM_OK || same) return st;
  TRM_FAIL(err, TRM_E_IO,
           "%s is there already and belongs to another model; choose a folder without one", yaml);
}

trm_status trm_published_save(const trm_model *model, const char *file, trm_dtype dtype,
                              trm_error *err) {
  char yaml[TRM__PATH_MAX];
  bool made;
  TRM_TRY(yaml_beside(file, yaml, err));
  TRM_TRY(place_yaml(yaml, trm_model_get_config(model), &made, err));
  const trm_status st = trm_model_export(model, file, TRM_FILE_TORCH, dtype, err);
  if (st != TRM_OK && made) (void)trm__remove_tree(yaml, NULL);
  return st;
}
