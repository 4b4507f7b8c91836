/* See run_folder.h for the layout and what holds at any moment. */
#include "cli/run/run_folder.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/pointer.h"
#include "cli/run/named_models.h"
#include "cli/run/published.h"

static const char log_name[] = "log.jsonl", config_name[] = "config.yaml";

/* ---- names ---- */

static const char *const adjectives[] = {"amber", "brave",  "calm",  "clever", "eager",  "gentle",
                                         "happy", "keen",   "lucky", "merry",  "nimble", "patient",
                                         "quiet", "steady", "swift", "tidy"};
static const char *const animals[] = {"badger", "crane", "dolphin", "falcon", "heron", "ibex",
                                      "jackal", "koala", "lynx",    "marten", "newt",  "otter",
                                      "puffin", "raven", "stoat",   "tapir"};

static trm_status set_text(char **field, const char *text, trm_error *err) {
  char *copy = strdup(text);
  if (!copy) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for the name of the run");
  free(*field);
  *field = copy;
  return TRM_OK;
}

/* "Sudoku6-trm" from data/sudoku6. */
static trm_status name_project(run_config *c, trm_error *err) {
  char name[256];
  const char *path = c->data_paths.v[0], *end = path + strlen(path);
  while (end > path && end[-1] == '/') end--;
  const char *begin = end;
  while (begin > path && begin[-1] != '/') begin--;
  int n = snprintf(name, sizeof name, "%.*s-%s", (int)(end - begin), begin,
                   trm_arch_name(c->model.arch));
  if (n < 0 || (size_t)n >= sizeof name)
    return cli_fail(err, TRM_E_CONFIG, -1, "data_paths: the name is too long; set project_name");
  for (char *p = name; p < name + (end - begin); p++) *p = (char)tolower((unsigned char)*p);
  name[0] = (char)toupper((unsigned char)name[0]);
  return set_text(&c->project_name, name, err);
}

/* The k-th name of a run: an architecture and two words that depend on the seed. */
static trm_status name_run(run_config *c, int k, trm_error *err) {
  char name[96];
  uint64_t i = (c->trainer.seed + (uint64_t)k) * UINT64_C(0x9e3779b97f4a7c15);
  snprintf(name, sizeof name, "%s-%s-%s", trm_arch_name(c->model.arch), adjectives[i >> 60],
           animals[i >> 56 & 15]);
  size_t used = strlen(name);
  if (k >= 64) snprintf(name + used, sizeof name - used, "-%d", k);
  return set_text(&c->run_name, name, err);
}

static trm_status check_name(const char *key, const char *name, trm_error *err) {
  if (!name[0] || name[0] == '.' || strchr(name, '/'))
    return cli_fail(err, TRM_E_CONFIG, -1,
                    "%s: '%s' cannot name a folder: want no '/' and no '.' in front", key, name);
  return TRM_OK;
}

/* ---- the log, and its lock ---- */

static trm_status lock_log(const run_folder *r, trm_error *err) {
  trm__lock lock;
  CLI_TRY(trm__lock_take(r->log, r->path, &lock, err));
  if (lock == TRM__LOCK_BUSY)
    return cli_fail(err, TRM_E_IO, -1, "%s: another process is training in this folder", r->path);
  if (lock == TRM__LOCK_NONE)
    cli_warn("%s: its file system has no locks: see to it that nothing else trains there", r->path);
  return TRM_OK;
}

/* The log has a second name somewhere, and what is cut here would be cut there: a copy of it takes
 * its place. */
static trm_status part_log(run_folder *r, trm_error *err) {
  char path[CLI_PATH_MAX];
  trm__map map;
  trm__writer out;
  CLI_TRY(cli_path(path, err, "%s/%s", r->path, log_name));
  CLI_TRY(trm__map_open(path, &map, err));
  trm_status st = trm__writer_open_at(&out, &r->dir, log_name, err);
  if (st == TRM_OK) {
    trm__write(&out, map.data, map.size);
    st = trm__writer_commit(&out, err);
  }
  trm__map_close(&map);
  return st;
}

/* Opens the log and takes the lock that it carries. */
static trm_status open_log(run_folder *r, trm_error *err) {
  enum { FLAGS = O_RDWR | O_CREAT | O_APPEND };
  int links, old;
  CLI_TRY(trm__dir_open_file(&r->dir, log_name, FLAGS, &r->log, &links, err));
  CLI_TRY(lock_log(r, err));
  if (links < 2) return TRM_OK;
  CLI_TRY(part_log(r, err));
  old = r->log;
  trm_status st = trm__dir_open_file(&r->dir, log_name, FLAGS, &r->log, &links, err);
  close(old);
  return st == TRM_OK ? lock_log(r, err) : st;
}

/* The log ends where the newest checkpoint says. */
static trm_status cut_log(run_folder *r, trm_error *err) {
  struct stat s;
  if (fstat(r->log, &s) != 0)
    return cli_fail(err, TRM_E_IO, -1, "%s/%s: %s", r->path, log_name, strerror(errno));
  if (s.st_size < r->mark.log_bytes) {
    cli_warn("%s/%s is shorter than at the last checkpoint: lines are lost, training is not",
             r->path, log_name);
    r->mark.log_bytes = s.st_size;
  }
  if (s.st_size > r->mark.log_bytes && ftruncate(r->log, (off_t)r->mark.log_bytes) != 0)
    return cli_fail(err, TRM_E_IO, -1, "%s/%s: cannot shorten: %s", r->path, log_name,
                    strerror(errno));
  return TRM_OK;
}

/* ---- creating and opening ---- */

trm_status run_folder_write_config(const run_folder *r, const run_config *c, trm_error *err) {
  trm__writer out;
  char *text;
  CLI_TRY(run_config_text(c, false, &text, err));
  trm_status st = trm__writer_open_at(&out, &r->dir, config_name, err);
  if (st == TRM_OK) {
    trm__write(&out, text, strlen(text));
    st = trm__writer_commit(&out, err);
  }
  free(text);
  return st;
}

/* Writes the configuration into the draft of the folder and gives that its name. */
static trm_status fill_folder(run_folder *r, const run_config *c, trm__draft *draft,
                              trm_error *err) {
  char path[CLI_PATH_MAX];
  CLI_TRY(cli_path(path, err, "%s" TRM__PARTIAL, draft->path));
  CLI_TRY(trm__dir_open(&r->dir, path, err));
  trm_status st = run_folder_write_config(r, c, err);
  trm__dir_close(&r->dir);
  return st == TRM_OK ? trm__draft_place(draft, err) : st;
}

/* Makes the folder with its configuration, so that it appears complete. *taken: a folder of that
 * name exists, or is just being made. */
static trm_status place_folder(run_folder *r, const run_config *c, const char *path, bool *taken,
                               trm_error *err) {
  char parent[CLI_PATH_MAX];
  trm__draft draft;
  const char *slash = strrchr(path, '/');
  trm__kind kind;
  CLI_TRY(trm__path_look(path, &kind, err));
  *taken = kind != TRM__ABSENT;
  if (*taken) return TRM_OK;
  CLI_TRY(cli_path(parent, err, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : "."));
  if (slash && slash != path) CLI_TRY(trm__make_dirs(parent, err));
  trm_status st = trm__draft_open(&draft, NULL, path, true, err);
  *taken = st == TRM_E_SYSTEM;
  if (st != TRM_OK) return *taken ? TRM_OK : st;
  st = fill_folder(r, c, &draft, err);
  trm__draft_drop(&draft);
  if (st != TRM_OK) { /* another one may have been quicker */
    *taken = trm__path_look(path, &kind, NULL) == TRM_OK && kind != TRM__ABSENT;
    return *taken ? TRM_OK : st;
  }
  CLI_TRY(cli_path(r->path, err, "%s", path));
  return trm__dir_open(&r->dir, path, err);
}

static trm_status fail_taken(const char *path, trm_error *err) {
  return cli_fail(err, TRM_E_CONFIG, -1,
                  "%s exists; go on with `trm train --resume %s`, or choose another run_name", path,
                  path);
}

/* The path of a named run: slashes at its end would make rename and strrchr disagree. */
static trm_status path_of_run(const run_config *c, char *path, trm_error *err) {
  if (c->checkpoint_path)
    CLI_TRY(cli_path(path, err, "%s", c->checkpoint_path));
  else
    CLI_TRY(cli_path(path, err, "%s/%s/%s", c->out, c->project_name, c->run_name));
  for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--) path[n - 1] = 0;
  return TRM_OK;
}

trm_status run_folder_check(run_config *c, trm_error *err) {
  char path[CLI_PATH_MAX];
  if (!c->project_name) CLI_TRY(name_project(c, err));
  CLI_TRY(check_name("project_name", c->project_name, err));
  if (c->run_name) CLI_TRY(check_name("run_name", c->run_name, err));
  if (!c->run_name && !c->checkpoint_path) return TRM_OK;
  CLI_TRY(path_of_run(c, path, err));
  trm__kind kind;
  CLI_TRY(trm__path_look(path, &kind, err));
  return kind == TRM__ABSENT ? TRM_OK : fail_taken(path, err);
}

trm_status run_folder_create(run_folder *r, run_config *c, trm_error *err) {
  enum { TRIES = 4096 };
  char path[CLI_PATH_MAX];
  bool taken = true, named = c->run_name || c->checkpoint_path;
  *r = (run_folder){.log = -1, .keep_evaluated = c->checkpoint_every_eval};
  if (!c->project_name) CLI_TRY(name_project(c, err));
  CLI_TRY(check_name("project_name", c->project_name, err));
  for (int k = 0; taken && k < (named ? 1 : TRIES); k++) {
    if (!named) CLI_TRY(name_run(c, k, err));
    if (c->run_name) CLI_TRY(check_name("run_name", c->run_name, err));
    CLI_TRY(path_of_run(c, path, err));
    CLI_TRY(place_folder(r, c, path, &taken, err));
  }
  if (taken) return fail_taken(path, err);
  r->mark = (run_mark){.best_exact = -1, .seed = c->trainer.seed};
  return open_log(r, err);
}

/* A run folder has a configuration and is no checkpoint, which has one, too. */
static trm_status is_run(const char *path, bool *is, trm_error *err) {
  trm__kind config, model;
  CLI_TRY(cli_look(&config, err, "%s/%s", path, config_name));
  CLI_TRY(cli_look(&model, err, "%s/model.safetensors", path));
  *is = config != TRM__ABSENT && model == TRM__ABSENT;
  return TRM_OK;
}

/* Takes the last name off a path; false where there is none that is known. */
static bool cut_name(char *path) {
  size_t n = strlen(path);
  while (n > 1 && path[n - 1] == '/') n--;
  while (n > 0 && path[n - 1] != '/') n--;
  const char *name = path + n;
  if (!*name || !strcmp(name, ".") || !strcmp(name, "..")) return false;
  while (n > 1 && path[n - 1] == '/') n--;
  if (n == 0) path[n++] = '.';
  path[n] = 0;
  return true;
}

trm_status run_folder_check_is_run(const char *path, trm_error *err) {
  enum { UP = 2 }; /* RUN/step_N/model.safetensors */
  char above[CLI_PATH_MAX];
  bool is;
  trm__kind kind, model;
  CLI_TRY(is_run(path, &is, err));
  if (is) return TRM_OK;
  CLI_TRY(cli_path(above, err, "%s", path));
  for (int i = 0; i < UP && cut_name(above); i++) {
    CLI_TRY(is_run(above, &is, err));
    if (is)
      return cli_fail(err, TRM_E_IO, -1,
                      "%s is no run folder, but in one; the run goes on from its newest "
                      "checkpoint: trm train --resume %s",
                      path, above);
  }
  CLI_TRY(trm__path_look(path, &kind, err));
  if (kind == TRM__ABSENT) return cli_fail(err, TRM_E_IO, -1, "%s does not exist", path);
  CLI_TRY(cli_look(&model, err, "%s/model.safetensors", path));
  if (model != TRM__ABSENT)
    return cli_fail(err, TRM_E_IO, -1,
                    "%s: a model, not a run folder; load_checkpoint=%s starts a new run from it",
                    path, path);
  return cli_fail(err, TRM_E_IO, -1, "%s: not a run folder: it has no %s", path, config_name);
}

trm_status run_folder_open(run_folder *r, const char *path, trm_error *err) {
  *r = (run_folder){.log = -1, .mark = {.best_exact = -1}};
  CLI_TRY(cli_path(r->path, err, "%s", path));
  for (size_t n = strlen(path); n > 1 && r->path[n - 1] == '/'; n--) r->path[n - 1] = 0;
  CLI_TRY(trm__dir_open(&r->dir, r->path, err));
  CLI_TRY(open_log(r, err));
  CLI_TRY(checkpoints_settle(&r->dir, err));
  return checkpoints_newest(&r->dir, &r->mark, err);
}

trm_status run_folder_go_on(run_folder *r, bool keep_evaluated, trm_error *err) {
  r->keep_evaluated = keep_evaluated;
  CLI_TRY(checkpoints_point(&r->dir, &r->mark, err));
  CLI_TRY(checkpoints_prune(&r->dir, &r->mark, keep_evaluated, err));
  return cut_log(r, err);
}

/* The file names all keys that the newest checkpoint's does, or all that there are. */
static trm_status check_whole(const run_folder *r, const char *saved, trm_error *err) {
  char path[CLI_PATH_MAX], *key;
  CLI_TRY(cli_path(path, err, "%s/%s", r->path, config_name));
  CLI_TRY(run_config_find_missing(path, saved, &key, err));
  if (!key) return TRM_OK;
  const trm_status st =
      cli_fail(err, TRM_E_FORMAT, -1, "%s: it does not say '%.60s': the file was cut; %s%s", path,
               key, saved ? "it is whole in " : "start a new run", saved ? saved : "");
  free(key);
  return st;
}

trm_status run_folder_check_config(const run_folder *r, const run_config *c, trm_error *err) {
  char name[CHECKPOINT_NAME_MAX], path[CLI_PATH_MAX];
  const char *key;
  run_config saved;
  checkpoint_name(r->mark.update, name);
  CLI_TRY(cli_path(path, err, "%s/%s/%s", r->path, name, config_name));
  if (r->mark.update == 0) return check_whole(r, NULL, err);
  trm__kind kind;
  CLI_TRY(trm__path_look(path, &kind, err));
  if (kind == TRM__ABSENT) return TRM_OK; /* older releases wrote none */
  CLI_TRY(check_whole(r, path, err));
  CLI_TRY(run_config_load(&saved, path, NULL, 0, err));
  trm_status st = run_config_compare(&saved, c, &key, err);
  run_config_free(&saved);
  if (st != TRM_OK || !key) return st;
  return cli_fail(err, TRM_E_CONFIG, -1,
                  "%s/%s: '%s' is not what it was when %s was saved: the file was edited, and a "
                  "resumed run keeps its configuration; %s/%s has it",
                  r->path, config_name, key, name, name, config_name);
}

trm_status run_folder_explain_config(const char *run, trm_status st, trm_error *err) {
  char name[CHECKPOINT_NAME_MAX];
  trm__dir d;
  run_mark mark = {0};
  trm__kind kind = TRM__ABSENT;
  const trm_error cause = *err;
  if (st != TRM_E_CONFIG && st != TRM_E_FORMAT) return st;
  if (trm__dir_open(&d, run, NULL) != TRM_OK) return st;
  const bool known = checkpoints_newest_model(&d, &mark, NULL) == TRM_OK && mark.update > 0;
  trm__dir_close(&d);
  checkpoint_name(mark.update, name);
  if (!known || cli_look(&kind, NULL, "%s/%s/%s", run, name, config_name) != TRM_OK ||
      kind != TRM__FILE)
    return st;
  return cli_fail(err, TRM_E_FORMAT, cause.pos,
                  "%.250s; a run's %s stays as it was: it is whole in %.100s/%s/%s", cause.msg,
                  config_name, run, name, config_name);
}

void run_folder_close(run_folder *r) {
  if (r->log >= 0) close(r->log);
  r->log = -1;
  trm__dir_close(&r->dir);
}

void run_folder_discard(run_folder *r) {
  (void)trm__remove_tree(r->path, NULL);
  run_folder_close(r);
  r->path[0] = 0;
}

trm_status run_folder_log(run_folder *r, trm__json_out *line, trm_error *err) {
  char *text;
  CLI_TRY(trm__json_finish(line, "a line of the log", &text, err));
  size_t n = strlen(text), done = 0;
  text[n++] = '\n'; /* in place of the terminating zero */
  while (done < n) {
    ssize_t wrote = write(r->log, text + done, n - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) break;
    done += (size_t)wrote;
  }
  int failure = errno;
  trm__free(text);
  if (done == n) {
    r->mark.log_bytes += (int64_t)n;
    return TRM_OK;
  }
  if (ftruncate(r->log, (off_t)r->mark.log_bytes) != 0) failure = errno;
  return cli_fail(err, TRM_E_IO, -1, "%s/%s: cannot write: %s", r->path, log_name,
                  strerror(failure));
}

/* ---- checkpoints ---- */

trm_status run_folder_state(const run_folder *r, char *path, trm_error *err) {
  char name[CHECKPOINT_NAME_MAX];
  checkpoint_name(r->mark.update, name);
  return cli_path(path, err, "%s/%s/trainer.safetensors", r->path, name);
}

trm_status run_folder_save(run_folder *r, const run_config *c, trm_trainer *t, trm_error *err) {
  if (fsync(r->log) != 0 && errno != EINVAL)
    return cli_fail(err, TRM_E_IO, -1, "%s/%s: cannot sync: %s", r->path, log_name,
                    strerror(errno));
  CLI_TRY(checkpoints_write(&r->dir, &r->mark, c, t, err));
  CLI_TRY(checkpoints_point(&r->dir, &r->mark, err));
  return checkpoints_prune(&r->dir, &r->mark, r->keep_evaluated, err);
}

/* ---- models ---- */

/* The best, else the newest, checkpoint of the run at `path`; *which NULL: there is none. */
static trm_status find_checkpoint(const char *path, char *model, const char **which,
                                  trm_error *err) {
  char name[CHECKPOINT_NAME_MAX];
  trm__dir run;
  trm__kind kind = TRM__ABSENT;
  run_mark mark = {0};
  *which = NULL;
  CLI_TRY(trm__dir_open(&run, path, err));
  trm_status st = checkpoints_newest_model(&run, &mark, err);
  checkpoint_name(mark.best_update, name);
  if (st == TRM_OK && mark.best_exact >= 0) st = trm__dir_look(&run, name, &kind, err);
  trm__dir_close(&run);
  if (st != TRM_OK || mark.update == 0) return st;
  *which = kind == TRM__DIR ? "best" : "last";
  if (kind != TRM__DIR) checkpoint_name(mark.update, name);
  return cli_path(model, err, "%s/%s", path, name);
}

/* model.safetensors is in it and ours. */
static trm_status is_model_folder(const char *dir, bool *is, trm_error *err) {
  char weights[CLI_PATH_MAX];
  trm__kind kind;
  CLI_TRY(cli_path(weights, err, "%s/model.safetensors", dir));
  CLI_TRY(trm__path_look(weights, &kind, err));
  *is = kind != TRM__ABSENT;
  bool published;
  CLI_TRY(published_is(weights, &published, err));
  *is = *is && !published;
  return TRM_OK;
}

trm_status run_folder_find_model(const char *path, char *model, const char **which,
                                 trm_error *err) {
  char *target;
  trm__kind kind;
  *which = NULL;
  CLI_TRY(named_model_find(path, model, err));
  CLI_TRY(trm__pointer_follow(model, &target, err));
  trm_status st = cli_path(model, err, "%s", target);
  trm__free(target);
  CLI_TRY(st);
  CLI_TRY(trm__path_look(model, &kind, err));
  if (kind == TRM__FILE) return TRM_OK;
  bool found;
  CLI_TRY(is_model_folder(model, &found, err));
  if (found) return TRM_OK;
  CLI_TRY(published_find(path, model, &found, err)); /* its step_N is a file, not a folder */
  if (found) return TRM_OK;
  CLI_TRY(trm__path_look(path, &kind, err));
  if (kind == TRM__DIR) CLI_TRY(find_checkpoint(path, model, which, err));
  if (*which) return TRM_OK;
  if (kind == TRM__ABSENT) return named_model_missing(path, err);
  return cli_fail(err, TRM_E_IO, -1,
                  "%s: not a model folder (no model.safetensors), not a run with a checkpoint (no "
                  "step_N), not a download (no all_config.yaml) and not a file",
                  path);
}

trm_status run_folder_load_model_for(const char *path, const trm_dataset_info *data, char *model,
                                     trm_model **out, trm_error *err) {
  const char *which;
  CLI_TRY(run_folder_find_model(path, model, &which, err));
  if (which) cli_note("%s is a run; using its %s checkpoint", path, which);
  bool published;
  CLI_TRY(published_is(model, &published, err));
  trm_status st =
      published ? published_load(model, data, out, err) : trm_model_load(model, out, err);
  if (st != TRM_E_CONFIG) return st;
  if (err) err->code = TRM_E_FORMAT; /* a bad value in a file is bad data, not bad usage */
  return TRM_E_FORMAT;
}

trm_status run_folder_load_model(const char *path, char *model, trm_model **out, trm_error *err) {
  return run_folder_load_model_for(path, NULL, model, out, err);
}
