/* trm page: the page of trm serve, with models and the solver for web pages beside it, as files
 * that any static host can give out. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "cli/serve/answers.h"
#include "cli/serve/examples.h"
#include "cli/serve/page.h"
#include "cli/serve/served_models.h"

static const cli_manual manual = {
    "trm page OUT_FOLDER [MODEL ...]",
    "Writes the page of trm serve as a folder that needs no server of ours: any static host can\n"
    "give it out, and puzzles are solved in the reader's browser, where they stay. It has the\n"
    "page, the solver as a module of WebAssembly, and the models: each MODEL is what trm solve\n"
    "takes; without any all that `trm models` lists. A folder that an earlier `trm page` wrote is\n"
    "replaced as a whole. Answers have the same bits as those of TRM_ISA=portable trm solve.\n"
    "The module is a part of trm where clang, lld and wasi-libc were there when it was built\n"
    "(scripts/setup wasm installs them); docs/WASM.md says more.\n",
    "Examples:\n"
    "  trm page site && python3 -m http.server --directory site\n"
    "  trm page site sudoku9 runs/Maze10-trm/first\n"};

static const char index_name[] = "index.html", models_name[] = "models",
                  model_ending[] = ".safetensors";

/* ---- what is in such a folder ---- */

enum { MOST_NAMES = 64 };

/* Only what ends as models do may be in the folder of models. */
static trm_status check_models(const char *dir, trm_error *err) {
  trm__dir d;
  trm__names names;
  trm_status st = TRM_OK;
  CLI_TRY(trm__dir_open(&d, dir, err));
  st = trm__dir_names(&d, &names, err);
  for (size_t i = 0; i < names.n && st == TRM_OK; i++) {
    const char *ending = strrchr(names.v[i], '.');
    if (!ending || strcmp(ending, model_ending) != 0)
      st = cli_fail(err, TRM_E_IO, -1,
                    "%.300s holds '%.100s', which no page does: it is not replaced; choose another "
                    "output folder",
                    dir, names.v[i]);
  }
  trm__names_free(&names);
  trm__dir_close(&d);
  return st;
}

/* Other sites have an index.html and a folder of models, too; none has the module. */
static trm_status check_page(const char *dir, trm_error *err) {
  char models[TRM__PATH_MAX];
  trm__kind module, folder;
  CLI_TRY(trm__path_look_at(&module, err, "%s%s", dir, module_files[0].path));
  CLI_TRY(trm__path_format(models, err, "%s/%s", dir, models_name));
  CLI_TRY(trm__path_look(models, &folder, err));
  if (module != TRM__FILE)
    return cli_fail(err, TRM_E_IO, -1,
                    "%.300s is no page that `trm page` wrote: it is not replaced; choose another "
                    "output folder",
                    dir);
  return folder == TRM__DIR ? check_models(models, err) : TRM_OK;
}

/* The file's name in the folder: the server's "/" is index.html. */
static const char *name_in_folder(const page_file *f) {
  return f->path[1] ? f->path + 1 : index_name;
}

/* The module first, by which such a folder is known. */
static void list_names(const char *names[MOST_NAMES]) {
  int n = 0;
  for (const page_file *f = module_files; f->path && n < MOST_NAMES - 4; f++)
    names[n++] = name_in_folder(f);
  for (const page_file *f = page_files; f->path && n < MOST_NAMES - 4; f++)
    names[n++] = name_in_folder(f);
  names[n++] = "models.json";
  names[n++] = "examples.json";
  names[n++] = models_name;
  names[n] = NULL;
}

/* ---- writing ---- */

typedef struct page_out {
  const char *folder; /* where it grows */
  int64_t bytes;
} page_out;

static trm_status put(page_out *o, const char *name, const void *data, size_t n, trm_error *err) {
  char path[TRM__PATH_MAX];
  CLI_TRY(trm__path_format(path, err, "%s/%s", o->folder, name));
  o->bytes += (int64_t)n;
  return trm__writer_save(NULL, path, data, n, err);
}

/* `json` of trm__alloc, which is released; NULL: there was no memory. */
static trm_status put_json(page_out *o, const char *name, char *json, trm_error *err) {
  if (!json) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for %s", name);
  const trm_status st = put(o, name, json, strlen(json), err);
  trm__free(json);
  return st;
}

/* A static host sends no headers of ours: what the server's say is said in the page, as far as it
 * can be, and that it stands alone. */
static trm_status put_index(page_out *o, const page_file *f, trm_error *err) {
  static const char
      mark[] = "<!-- more -->",
      more[] =
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
          "script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; "
          "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'\">\n"
          "  <meta name=\"referrer\" content=\"no-referrer\">\n"
          "  <meta name=\"trm-offline\" content=\"yes\">";
  const char *text = (const char *)f->data;
  size_t at = 0;
  while (at + sizeof mark <= f->size && memcmp(text + at, mark, sizeof mark - 1) != 0) at++;
  const size_t rest = at + sizeof mark - 1, n = f->size - (sizeof mark - 1) + sizeof more - 1;
  char *out = malloc(n);
  if (!out) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for %s", index_name);
  memcpy(out, text, at);
  memcpy(out + at, more, sizeof more - 1);
  memcpy(out + at + sizeof more - 1, text + rest, f->size - rest);
  const trm_status st = put(o, index_name, out, n, err);
  free(out);
  return st;
}

/* The page of trainings, which only a server can tell of. */
static bool needs_server(const page_file *f) {
  return !strncmp(f->path, "/runs", 5);
}

static trm_status put_files(page_out *o, const page_file *files, trm_error *err) {
  for (const page_file *f = files; f->path; f++)
    if (!needs_server(f))
      CLI_TRY(name_in_folder(f) == index_name ? put_index(o, f, err)
                                              : put(o, name_in_folder(f), f->data, f->size, err));
  return TRM_OK;
}

/* The smaller format that loses nothing: answers are to be those of the model that was named. */
static trm_dtype dtype_without_loss(const trm_model *m) {
  for (int i = 0; i < trm_model_tensor_count(m); i++) {
    const trm_tensor t = trm_model_tensor_at(m, i);
    for (int64_t k = 0; k < t.count; k++) {
      uint32_t bits;
      memcpy(&bits, &t.data[k], sizeof bits);
      if (bits & 0xffff) return TRM_FLOAT32;
    }
  }
  return TRM_BFLOAT16;
}

static trm_status put_model(page_out *o, const char *folder, const char *name, const trm_model *m,
                            trm_error *err) {
  char path[TRM__PATH_MAX];
  trm__map file;
  CLI_TRY(trm__path_format(path, err, "%s/%s%s", folder, name, model_ending));
  CLI_TRY(trm_model_export(m, path, TRM_FILE_SAFETENSORS, dtype_without_loss(m), err));
  CLI_TRY(trm__map_open(path, &file, err));
  o->bytes += (int64_t)file.size;
  trm__map_close(&file);
  return TRM_OK;
}

static trm_status put_all(page_out *o, const served_models *m, trm_error *err) {
  char folder[TRM__PATH_MAX];
  CLI_TRY(put_files(o, module_files, err));
  CLI_TRY(put_files(o, page_files, err));
  CLI_TRY(put_json(o, "models.json", serve_models_json(m->v, m->n), err));
  CLI_TRY(put_json(o, "examples.json", serve_examples_json(m->v, m->n), err));
  CLI_TRY(trm__path_format(folder, err, "%s/%s", o->folder, models_name));
  CLI_TRY(trm__make_dirs(folder, err));
  for (int i = 0; i < m->n; i++) CLI_TRY(put_model(o, folder, m->v[i].name, m->owned[i], err));
  return TRM_OK;
}

static trm_status write_page(const char *out, const trm__folder_kind *kind, const served_models *m,
                             trm_error *err) {
  trm__folder f = {0};
  char shown[CLI_CLEAN], size[32];
  trm_status st = trm__folder_begin(&f, out, kind, err);
  page_out o = {.folder = f.path};
  if (st == TRM_OK) st = put_all(&o, m, err);
  if (st == TRM_OK) st = trm__folder_commit(&f, err);
  trm__folder_abort(&f);
  if (st != TRM_OK) return st;
  cli_format_bytes((double)o.bytes, size, sizeof size);
  cli_clean(shown, sizeof shown, out);
  printf(
      "%s: a page with %d model%s, %s, for any static host, such as\n"
      "python3 -m http.server --bind 127.0.0.1 --directory %s\n",
      shown, m->n, TRM__S(m->n), size, shown);
  return TRM_OK;
}

/* A place that is no page's is told of before models are read. */
static trm_status make_page(const char *out, int n, char **words, served_models *m,
                            trm_error *err) {
  const char *names[MOST_NAMES];
  const trm__folder_kind kind = {.noun = "page", .names = names, .check = check_page};
  if (!module_files[0].path)
    return cli_fail(
        err, TRM_E_SYSTEM, -1,
        "this trm has no solver for web pages: it was built without clang, lld and wasi-libc. "
        "Install them (`scripts/setup wasm`; on Debian the packages clang, lld, wasi-libc and "
        "libclang-rt-14-dev-wasm32) and build trm again");
  list_names(names);
  CLI_TRY(trm__folder_check(out, &kind, err));
  CLI_TRY(served_models_load(m, n, words, err));
  return write_page(out, &kind, m, err);
}

int cmd_page(int argc, char **argv) {
  const cli_option options[] = {{NULL, CLI_FLAG, NULL, NULL, NULL}};
  int code;
  trm_error err = {0};
  served_models models = {0};
  if (!cli_options_parse(&manual, options, &argc, argv, &code)) return code;
  if (argc < 1) return cli_usage_error("want OUT_FOLDER, got no argument; see --help");
  if (!cli_is_output(argv[0]))
    return cli_usage_error("OUT_FOLDER: want the name of a folder to write, got '%s'", argv[0]);
  cli_name_output(argv[0]);
  const trm_status st = make_page(argv[0], argc - 1, argv + 1, &models, &err);
  served_models_free(&models);
  return cli_finish_files(st == TRM_OK ? CLI_OK : cli_report_error(&err));
}
