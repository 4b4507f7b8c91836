/* See run_folder.h for the layout and what holds at any moment. */
#include "run/run_folder.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/os_thread.h"
#include "base/pointer.h"
#include "base/text.h"
#include "run/tell.h"

static const char log_name[] = "log.jsonl", config_name[] = "config.yaml";

/* ---- names ---- */

static const char *const adjectives[] = {"amber", "brave",  "calm",  "clever", "eager",  "gentle",
                                         "happy", "keen",   "lucky", "merry",  "nimble", "patient",
                                         "quiet", "steady", "swift", "tidy"};
static const char *const animals[] = {"badger", "crane", "dolphin", "falcon", "heron", "ibex",
                                      "jackal", "koala", "lynx",    "marten", "newt",  "otter",
                                      "puffin", "raven", "stoat",   "tapir"};

static trm_status set_text(char **field, const char *text, trm_error *err) {
  char *copy = trm__text_copy(text, SIZE_MAX);
  if (!copy) return trm__fail(err, TRM_E_MEMORY, -1, "no memory for the name of the run");
  trm__free(*field);
  *field = copy;
  return TRM_OK;
}

/* "Sudoku6-trm" from data/sudoku6. */
static trm_status name_project(trm__run_config *c, trm_error *err) {
  char name[256];
  const char *path = c->data_paths.v[0], *end = path + strlen(path);
  while (end > path && end[-1] == '/') end--;
  const char *begin = end;
  while (begin > path && begin[-1] != '/') begin--;
  int n = snprintf(name, sizeof name, "%.*s-%s", (int)(end - begin), begin,
                   trm_arch_name(c->model.arch));
  if (n < 0 || (size_t)n >= sizeof name)
    return trm__fail(err, TRM_E_CONFIG, -1, "data_paths: the name is too long; set project_name");
  for (char *p = name; p < name + (end - begin); p++) *p = trm__small_letter(*p);
  name[0] = trm__capital_letter(name[0]);
  return set_text(&c->project_name, name, err);
}

/* The k-th name of a run: an architecture and two words that depend on the seed. */
static trm_status name_run(trm__run_config *c, int k, trm_error *err) {
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
    return trm__fail(err, TRM_E_CONFIG, -1,
                     "%s: '%s' cannot name a folder: want no '/' and no '.' in front", key, name);
  return TRM_OK;
}

/* ---- the log, and its lock ---- */

static trm_status lock_log(const trm__run_folder *r, trm_error *err) {
  const double patience = trm__os_seconds() + 0.1;
  trm__lock lock;
  TRM_TRY(trm__lock_take(r->log, r->path, &lock, err));
  while (lock == TRM__LOCK_BUSY && trm__os_seconds() < patience) {
    trm__os_yield(); /* who only looks at a run (run_record.c) has it for an instant */
    TRM_TRY(trm__lock_take(r->log, r->path, &lock, err));
  }
  if (lock == TRM__LOCK_BUSY)
    return trm__fail(err, TRM_E_IO, -1, "%s: another process is training in this folder", r->path);
  if (lock == TRM__LOCK_NONE)
    trm__warn(r->at.to,
              "%s: its file system has no locks: see to it that nothing else trains there",
              r->path);
  return TRM_OK;
}

/* The log has a second name somewhere, and what is cut here would be cut there: a copy of it takes
 * its place. */
static trm_status part_log(trm__run_folder *r, trm_error *err) {
  char path[TRM__PATH_MAX];
  trm__map map;
  TRM_TRY(trm__path_format(path, err, "%s/%s", r->path, log_name));
  TRM_TRY(trm__map_open(path, &map, err));
  const trm_status st = trm__writer_save(&r->at.dir, log_name, map.data, map.size, err);
  trm__map_close(&map);
  return st;
}

/* Opens the log and takes the lock that it carries. */
static trm_status open_log(trm__run_folder *r, trm_error *err) {
  int links, old;
  TRM_TRY(trm__dir_open_log(&r->at.dir, log_name, &r->log, &links, err));
  r->open = true;
  TRM_TRY(lock_log(r, err));
  if (links < 2) return TRM_OK;
  TRM_TRY(part_log(r, err));
  old = r->log;
  const trm_status st = trm__dir_open_log(&r->at.dir, log_name, &r->log, &links, err);
  r->open = st == TRM_OK;
  trm__os_close(old);
  return st == TRM_OK ? lock_log(r, err) : st;
}

static trm_status fail_log(const trm__run_folder *r, const char *doing, int cause, trm_error *err) {
  TRM_FAIL(err, TRM_E_IO, "%s/%s: %s%s", r->path, log_name, doing, trm__os_text(cause));
}

/* The log ends where the newest checkpoint says. */
static trm_status cut_log(trm__run_folder *r, trm_error *err) {
  int64_t bytes = 0;
  int cause = trm__os_size(r->log, &bytes);
  if (cause) return fail_log(r, "", cause, err);
  if (bytes < r->mark.log_bytes) {
    trm__warn(r->at.to,
              "%s/%s is shorter than at the last checkpoint: lines are lost, training is not",
              r->path, log_name);
    r->mark.log_bytes = bytes;
  }
  if (bytes > r->mark.log_bytes) cause = trm__os_cut(r->log, r->mark.log_bytes);
  return cause ? fail_log(r, "cannot shorten: ", cause, err) : TRM_OK;
}

/* ---- creating and opening ---- */

trm_status trm__run_folder_write_config(const trm__run_folder *r, const trm__run_config *c,
                                        trm_error *err) {
  return trm__run_config_save(c, false, &r->at.dir, config_name, err);
}

/* Writes the configuration into the draft of the folder and gives that its name. */
static trm_status fill_folder(trm__run_folder *r, const trm__run_config *c, trm__draft *draft,
                              trm_error *err) {
  char path[TRM__PATH_MAX];
  TRM_TRY(trm__path_format(path, err, "%s" TRM__PARTIAL, draft->path));
  TRM_TRY(trm__dir_open(&r->at.dir, path, err));
  trm_status st = trm__run_folder_write_config(r, c, err);
  trm__dir_close(&r->at.dir);
  return st == TRM_OK ? trm__draft_place(draft, err) : st;
}

/* Makes the folder with its configuration, so that it appears complete. *taken: a folder of that
 * name exists, or is just being made. */
static trm_status place_folder(trm__run_folder *r, const trm__run_config *c, const char *path,
                               bool *taken, trm_error *err) {
  char parent[TRM__PATH_MAX];
  trm__draft draft;
  const char *slash = strrchr(path, '/');
  trm__kind kind;
  TRM_TRY(trm__path_look(path, &kind, err));
  *taken = kind != TRM__ABSENT;
  if (*taken) return TRM_OK;
  TRM_TRY(
      trm__path_format(parent, err, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : "."));
  if (slash && slash != path) TRM_TRY(trm__make_dirs(parent, err));

  /* Filled beside its place, which another process may have taken meanwhile. */
  trm_status st = trm__draft_open(&draft, NULL, path, true, err);
  *taken = st == TRM_E_SYSTEM;
  if (st != TRM_OK) return *taken ? TRM_OK : st;
  st = fill_folder(r, c, &draft, err);
  trm__draft_drop(&draft);
  if (st != TRM_OK) { /* another one may have been quicker */
    *taken = trm__path_look(path, &kind, NULL) == TRM_OK && kind != TRM__ABSENT;
    return *taken ? TRM_OK : st;
  }
  TRM_TRY(trm__path_format(r->path, err, "%s", path));
  return trm__dir_open(&r->at.dir, path, err);
}

static trm_status fail_taken(const char *path, trm_error *err) {
  return trm__fail(err, TRM_E_CONFIG, -1,
                   "%s exists; go on with `trm train --resume %s`, or choose another run_name",
                   path, path);
}

/* The path of a named run: slashes at its end would make rename and strrchr disagree. */
static trm_status path_of_run(const trm__run_config *c, char *path, trm_error *err) {
  if (c->checkpoint_path)
    TRM_TRY(trm__path_format(path, err, "%s", c->checkpoint_path));
  else
    TRM_TRY(trm__path_format(path, err, "%s/%s/%s", c->out, c->project_name, c->run_name));
  for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--) path[n - 1] = 0;
  return TRM_OK;
}

trm_status trm__run_folder_path(trm__run_config *c, char *path, trm_error *err) {
  path[0] = 0;
  if (!c->project_name) TRM_TRY(name_project(c, err));
  TRM_TRY(check_name("project_name", c->project_name, err));
  if (c->run_name) TRM_TRY(check_name("run_name", c->run_name, err));
  return c->run_name || c->checkpoint_path ? path_of_run(c, path, err) : TRM_OK;
}

trm_status trm__run_folder_check(trm__run_config *c, trm_error *err) {
  char path[TRM__PATH_MAX];
  TRM_TRY(trm__run_folder_path(c, path, err));
  if (!path[0]) return TRM_OK;
  trm__kind kind;
  TRM_TRY(trm__path_look(path, &kind, err));
  return kind == TRM__ABSENT ? TRM_OK : fail_taken(path, err);
}

trm_status trm__run_folder_create(trm__run_folder *r, trm__run_config *c, trm_error *err) {
  enum { TRIES = 4096 };
  char path[TRM__PATH_MAX];
  bool taken = true, named = c->run_name || c->checkpoint_path;
  *r = (trm__run_folder){.at.to = r->at.to, .keep_evaluated = c->checkpoint_every_eval};
  if (!c->project_name) TRM_TRY(name_project(c, err));
  TRM_TRY(check_name("project_name", c->project_name, err));

  /* A name that was chosen is tried once; names that are made, until one is free. */
  for (int k = 0; taken && k < (named ? 1 : TRIES); k++) {
    if (!named) TRM_TRY(name_run(c, k, err));
    if (c->run_name) TRM_TRY(check_name("run_name", c->run_name, err));
    TRM_TRY(path_of_run(c, path, err));
    TRM_TRY(place_folder(r, c, path, &taken, err));
  }
  if (taken) return fail_taken(path, err);
  r->mark = (trm__run_mark){.best_exact = -1, .seed = c->trainer.seed};
  const trm_status st = open_log(r, err);
  if (st != TRM_OK) trm__run_folder_close(r);
  return st;
}

/* A run folder has a configuration and is no checkpoint, which has one, too. */
static trm_status is_run(const char *path, bool *is, trm_error *err) {
  trm__kind config, model;
  TRM_TRY(trm__path_look_at(&config, err, "%s/%s", path, config_name));
  TRM_TRY(trm__path_look_at(&model, err, "%s/model.safetensors", path));
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

/* The newest complete checkpoint of what may be a run, if it has a configuration. */
static bool find_config(const char *run, char name[TRM__CHECKPOINT_NAME]) {
  trm__run_place at = {0};
  trm__run_mark mark = {0};
  trm__kind kind = TRM__ABSENT;
  if (trm__dir_open(&at.dir, run, NULL) != TRM_OK) return false;
  const bool known = trm__checkpoints_newest_model(&at, &mark, NULL) == TRM_OK && mark.update > 0;
  trm__dir_close(&at.dir);
  trm__checkpoint_name(mark.update, name);
  return known && trm__path_look_at(&kind, NULL, "%s/%s/%s", run, name, config_name) == TRM_OK &&
         kind == TRM__FILE;
}

/* The first run in a folder, or in a folder of it where `depth` is 2. */
static bool find_below(const char *path, int depth, char run[TRM__PATH_MAX]) {
  const char *slash = path[0] && path[strlen(path) - 1] == '/' ? "" : "/";
  char below[TRM__PATH_MAX];
  trm__names names = {0};
  trm__dir dir = {0};
  bool found = false;
  if (trm__dir_open(&dir, path, NULL) == TRM_OK) (void)trm__dir_names(&dir, &names, NULL);
  trm__dir_close(&dir);

  for (size_t i = 0; i < names.n && !found; i++) {
    if (trm__path_format(below, NULL, "%s%s%s", path, slash, names.v[i]) != TRM_OK) continue;
    if (is_run(below, &found, NULL) == TRM_OK && found)
      (void)trm__path_format(run, NULL, "%s", below);
    else if (depth > 1)
      found = find_below(below, depth - 1, run);
  }
  trm__names_free(&names);
  return found;
}

bool trm__run_folder_below(const char *path, char run[TRM__PATH_MAX]) {
  return find_below(path, 2, run); /* OUT/PROJECT/RUN */
}

/* A folder without a configuration: a run that has lost it, one that runs are in, or neither. */
static trm_status fail_no_config(const char *path, trm_error *err) {
  char run[TRM__PATH_MAX], name[TRM__CHECKPOINT_NAME];
  if (find_config(path, name))
    TRM_FAIL(err, TRM_E_IO, "%.300s has no %s: copy its %s/%s there", path, config_name, name,
             config_name);
  if (trm__run_folder_below(path, run))
    TRM_FAIL(err, TRM_E_IO,
             "%.150s: not a run folder, but one with a run in it: trm train --resume %.200s", path,
             run);
  TRM_FAIL(err, TRM_E_IO, "%s: not a run folder: it has no %s", path, config_name);
}

trm_status trm__run_folder_check_is_run(const char *path, trm_error *err) {
  enum { UP = 2 }; /* RUN/step_N/model.safetensors */
  char above[TRM__PATH_MAX];
  bool is;
  trm__kind kind, model;
  TRM_TRY(is_run(path, &is, err));
  if (is) return TRM_OK;

  /* A checkpoint, or a file of one, has its run above it. */
  TRM_TRY(trm__path_format(above, err, "%s", path));
  for (int i = 0; i < UP && cut_name(above); i++) {
    TRM_TRY(is_run(above, &is, err));
    if (is)
      return trm__fail(err, TRM_E_IO, -1,
                       "%s is no run folder, but in one; the run goes on from its newest "
                       "checkpoint: trm train --resume %s",
                       path, above);
  }

  /* What it is instead. */
  TRM_TRY(trm__path_look(path, &kind, err));
  if (kind == TRM__ABSENT) return trm__fail(err, TRM_E_IO, -1, "%s does not exist", path);
  TRM_TRY(trm__path_look_at(&model, err, "%s/model.safetensors", path));
  if (model != TRM__ABSENT)
    return trm__fail(err, TRM_E_IO, -1,
                     "%s: a model, not a run folder; load_checkpoint=%s starts a new run from it",
                     path, path);
  return fail_no_config(path, err);
}

trm_status trm__run_folder_open(trm__run_folder *r, const char *path, trm_error *err) {
  *r = (trm__run_folder){.at.to = r->at.to, .mark = {.best_exact = -1}};
  TRM_TRY(trm__path_format(r->path, err, "%s", path));
  for (size_t n = strlen(path); n > 1 && r->path[n - 1] == '/'; n--) r->path[n - 1] = 0;
  TRM_TRY(trm__dir_open(&r->at.dir, r->path, err));
  TRM_TRY(open_log(r, err));
  TRM_TRY(trm__checkpoints_settle(&r->at, err));
  return trm__checkpoints_newest(&r->at, &r->mark, err);
}

trm_status trm__run_folder_go_on(trm__run_folder *r, bool keep_evaluated, trm_error *err) {
  r->keep_evaluated = keep_evaluated;
  TRM_TRY(trm__checkpoints_point(&r->at, &r->mark, err));
  TRM_TRY(trm__checkpoints_prune(&r->at, &r->mark, keep_evaluated, err));
  return cut_log(r, err);
}

/* The file names all keys that the newest checkpoint's does, or all that there are. */
static trm_status check_whole(const trm__run_folder *r, const char *saved, trm_error *err) {
  char path[TRM__PATH_MAX], *key;
  TRM_TRY(trm__path_format(path, err, "%s/%s", r->path, config_name));
  TRM_TRY(trm__run_config_find_missing(path, saved, &key, err));
  if (!key) return TRM_OK;
  const trm_status st =
      trm__fail(err, TRM_E_FORMAT, -1, "%s: it does not say '%.60s': the file was cut; %s%s", path,
                key, saved ? "it is whole in " : "start a new run", saved ? saved : "");
  trm__free(key);
  return st;
}

trm_status trm__run_folder_check_config(const trm__run_folder *r, const trm__run_config *c,
                                        trm_error *err) {
  char name[TRM__CHECKPOINT_NAME], path[TRM__PATH_MAX];
  const char *key;
  trm__run_config saved;
  trm__checkpoint_name(r->mark.update, name);
  TRM_TRY(trm__path_format(path, err, "%s/%s/%s", r->path, name, config_name));
  if (r->mark.update == 0) return check_whole(r, NULL, err);

  /* The checkpoint has the configuration that it was trained with. */
  trm__kind kind;
  TRM_TRY(trm__path_look(path, &kind, err));
  if (kind == TRM__ABSENT) return TRM_OK; /* older releases wrote none */
  TRM_TRY(check_whole(r, path, err));
  TRM_TRY(trm__run_config_load(&saved, path, NULL, 0, err));
  trm_status st = trm__run_config_compare(&saved, c, &key, err);
  trm__run_config_free(&saved);
  if (st != TRM_OK || !key) return st;
  return trm__fail(err, TRM_E_CONFIG, -1,
                   "%s/%s: '%s' is not what it was when %s was saved: the file was edited, and a "
                   "resumed run keeps its configuration; %s/%s has it",
                   r->path, config_name, key, name, name, config_name);
}

trm_status trm__run_folder_explain_config(const char *run, trm_status st, trm_error *err) {
  char name[TRM__CHECKPOINT_NAME];
  if (!err || (st != TRM_E_CONFIG && st != TRM_E_FORMAT)) return st;
  const trm_error cause = *err;
  if (!find_config(run, name)) return st;
  TRM_FAIL_AT(err, TRM_E_FORMAT, cause.pos,
              "%.250s; a run's %s stays as it was: it is whole in %.100s/%s/%s", cause.msg,
              config_name, run, name, config_name);
}

void trm__run_folder_close(trm__run_folder *r) {
  if (r->open) trm__os_close(r->log);
  r->open = false;
  trm__dir_close(&r->at.dir);
}

void trm__run_folder_discard(trm__run_folder *r) {
  (void)trm__remove_tree(r->path, NULL);
  trm__run_folder_close(r);
  r->path[0] = 0;
}

trm_status trm__run_folder_log(trm__run_folder *r, trm__json_out *line, trm_error *err) {
  char *text;
  TRM_TRY(trm__json_finish(line, "a line of the log", &text, err));
  size_t n = strlen(text);
  text[n++] = '\n'; /* in place of the terminating zero */
  int cause = trm__os_append(r->log, text, n);
  trm__free(text);
  if (!cause) {
    r->mark.log_bytes += (int64_t)n;
    return TRM_OK;
  }

  /* No half of a line stays. */
  const int again = trm__os_cut(r->log, r->mark.log_bytes);
  if (again) cause = again;
  return fail_log(r, "cannot write: ", cause, err);
}

/* ---- checkpoints ---- */

trm_status trm__run_folder_state(const trm__run_folder *r, char *path, trm_error *err) {
  char name[TRM__CHECKPOINT_NAME];
  trm__checkpoint_name(r->mark.update, name);
  return trm__path_format(path, err, "%s/%s/trainer.safetensors", r->path, name);
}

trm_status trm__run_folder_save(trm__run_folder *r, const trm__run_config *c, trm_trainer *t,
                                trm_error *err) {
  const int cause = trm__os_sync_fd(r->log);
  if (cause) return fail_log(r, "cannot sync: ", cause, err);
  TRM_TRY(trm__checkpoints_write(&r->at, &r->mark, c, t, err));
  TRM_TRY(trm__checkpoints_point(&r->at, &r->mark, err));
  return trm__checkpoints_prune(&r->at, &r->mark, r->keep_evaluated, err);
}
