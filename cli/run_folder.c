/* See run_folder.h for the layout and what holds at any moment. */
#include "run_folder.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "published.h"

/* ---- run.json ---- */

static trm_status write_mark(const run_mark *m, const char *dir, trm_error *err) {
  char path[CLI_PATH_MAX];
  cli_outfile out;
  CLI_TRY(cli_path(path, err, "%s/run.json", dir));
  CLI_TRY(cli_outfile_open(&out, path, err));
  fprintf(out.f,
          "{\n  \"update\": %" PRId64 ",\n  \"stream_position\": %" PRId64
          ",\n  \"evaluated\": %" PRId64 ",\n  \"best_update\": %" PRId64
          ",\n  \"best_exact_accuracy\": %.17g,\n  \"log_bytes\": %" PRId64
          ",\n  \"seed\": \"%" PRIu64 "\",\n  \"data\": \"%" PRIu64 "\"\n}\n",
          m->update, m->stream_position, m->evaluated, m->best_update, m->best_exact, m->log_bytes,
          m->seed, m->data);
  return cli_outfile_commit(&out, err);
}

trm_status run_mark_read(run_mark *m, const char *dir, trm_error *err) {
  char path[CLI_PATH_MAX];
  json_error_t problem;
  json_int_t update, position, evaluated, best_update, log_bytes;
  const char *seed = "", *data = "";
  CLI_TRY(cli_path(path, err, "%s/run.json", dir));
  json_t *root = json_load_file(path, 0, &problem);
  if (!root)
    return cli_fail(err, TRM_E_FORMAT, problem.line, "%s:%d: not readable as JSON: %s", path,
                    problem.line, problem.text);
  int bad = json_unpack_ex(root, &problem, 0, "{s:I, s:I, s:I, s:I, s:F, s:I, s:s, s:s}", "update",
                           &update, "stream_position", &position, "evaluated", &evaluated,
                           "best_update", &best_update, "best_exact_accuracy", &m->best_exact,
                           "log_bytes", &log_bytes, "seed", &seed, "data", &data);
  /* The stream gives one batch per update. */
  bool good = !bad && update >= 0 && position == update && log_bytes >= 0 &&
              cli_parse_uint64(seed, &m->seed) && cli_parse_uint64(data, &m->data);
  json_decref(root);
  if (!good)
    return cli_fail(err, TRM_E_FORMAT, -1, "%s: not the mark of a run: %s", path,
                    bad ? problem.text : "a value is out of its range");
  m->update = update;
  m->stream_position = position;
  m->evaluated = evaluated;
  m->best_update = best_update;
  m->log_bytes = log_bytes;
  return TRM_OK;
}

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

/* ---- creating and opening ---- */

trm_status run_folder_write_config(const run_folder *r, const run_config *c, trm_error *err) {
  char path[CLI_PATH_MAX];
  cli_outfile out;
  CLI_TRY(cli_path(path, err, "%s/config.yaml", r->path));
  CLI_TRY(cli_outfile_open(&out, path, err));
  run_config_print(c, out.f);
  return cli_outfile_commit(&out, err);
}

/* Opens the log and takes the lock that it carries. */
static trm_status open_log(run_folder *r, trm_error *err) {
  char path[CLI_PATH_MAX];
  CLI_TRY(cli_path(path, err, "%s/log.jsonl", r->path));
  r->log = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (r->log < 0) return cli_fail(err, TRM_E_IO, -1, "%s: cannot write: %s", path, strerror(errno));
  if (flock(r->log, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
    return cli_fail(err, TRM_E_IO, -1, "%s: another process is training in this folder", r->path);
  return TRM_OK;
}

/* Calls fn for every name in the folder until one fails. */
static trm_status for_each_name(run_folder *r,
                                trm_status (*fn)(run_folder *, const char *, trm_error *),
                                trm_error *err) {
  DIR *d = opendir(r->path);
  if (!d) return cli_fail(err, TRM_E_IO, -1, "%s: %s", r->path, strerror(errno));
  trm_status st = TRM_OK;
  for (struct dirent *e; st == TRM_OK && (e = readdir(d));) st = fn(r, e->d_name, err);
  closedir(d);
  return st;
}

/* Removes a folder whose maker was killed before it had its name. */
static trm_status clean_new(run_folder *r, const char *name, trm_error *err) {
  char path[CLI_PATH_MAX];
  long pid;
  int n = 0;
  if (sscanf(name, ".new_%ld.tmp%n", &pid, &n) != 1 || !n || name[n] || pid <= 0) return TRM_OK;
  if (pid != (long)getpid() && (kill((pid_t)pid, 0) == 0 || errno != ESRCH)) return TRM_OK;
  CLI_TRY(cli_path(path, err, "%s/%s", r->path, name));
  return cli_remove_folder(path, err);
}

/* Makes the folder with its configuration under a temporary name, so that it appears complete.
 * *taken: a folder of that name exists. */
static trm_status place_folder(run_folder *r, const run_config *c, const char *path, bool *taken,
                               trm_error *err) {
  char parent[CLI_PATH_MAX];
  const char *slash = strrchr(path, '/');
  CLI_TRY(cli_path(parent, err, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : "."));
  if (slash == path) strcpy(parent, "/");
  *taken = cli_exists(path);
  if (*taken) return TRM_OK;
  CLI_TRY(cli_make_dirs(parent, err));
  CLI_TRY(cli_path(r->path, err, "%s", parent));
  CLI_TRY(for_each_name(r, clean_new, err));
  CLI_TRY(cli_path(r->path, err, "%s/.new_%ld.tmp", parent, (long)getpid()));
  CLI_TRY(cli_make_dirs(r->path, err));
  trm_status st = run_folder_write_config(r, c, err);
  if (st == TRM_OK && rename(r->path, path) != 0) {
    *taken = errno == EEXIST || errno == ENOTEMPTY;
    if (!*taken)
      st = cli_fail(err, TRM_E_IO, -1, "%s: cannot make the folder: %s", path, strerror(errno));
  }
  if (st != TRM_OK || *taken) {
    cli_remove_folder(r->path, NULL);
    return st;
  }
  CLI_TRY(cli_path(r->path, err, "%s", path));
  return cli_sync_dir(parent, err);
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
  return cli_exists(path) ? fail_taken(path, err) : TRM_OK;
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

static bool ends_in_tmp(const char *name) {
  size_t n = strlen(name);
  return n > 4 && !strcmp(name + n - 4, ".tmp");
}

/* N of "step_N"; -1 for another name. */
static int64_t step_of(const char *name) {
  int64_t n;
  bool good = !strncmp(name, "step_", 5) && isdigit((unsigned char)name[5]) &&
              cli_parse_int64(name + 5, &n);
  return good ? n : -1;
}

/* Removes a checkpoint or what is left of one: first out of its name, so that no half is seen. */
static trm_status remove_step(const run_folder *r, const char *name, trm_error *err) {
  char path[CLI_PATH_MAX], tmp[CLI_PATH_MAX];
  struct stat s;
  CLI_TRY(cli_path(path, err, "%s/%s", r->path, name));
  if (ends_in_tmp(name)) {
    if (lstat(path, &s) == 0 && !S_ISDIR(s.st_mode)) {
      if (unlink(path) == 0) return TRM_OK;
      return cli_fail(err, TRM_E_IO, -1, "%s: cannot remove: %s", path, strerror(errno));
    }
    return cli_remove_folder(path, err);
  }
  CLI_TRY(cli_path(tmp, err, "%s.tmp", path));
  CLI_TRY(cli_remove_folder(tmp, err));
  if (rename(path, tmp) != 0)
    return cli_fail(err, TRM_E_IO, -1, "%s: cannot remove: %s", path, strerror(errno));
  return cli_remove_folder(tmp, err);
}

/* After a kill: temporary names, and a checkpoint that was not yet linked as the last. */
static trm_status clean_name(run_folder *r, const char *name, trm_error *err) {
  bool ours = !strncmp(name, "step_", 5) || !strncmp(name, "last", 4) ||
              !strncmp(name, "best", 4) || !strncmp(name, "config.yaml", 11);
  if ((ours && ends_in_tmp(name)) || step_of(name) > r->mark.update)
    return remove_step(r, name, err);
  return TRM_OK;
}

/* True when `link` in the run folder points to `name`. */
static bool is_linked(const run_folder *r, const char *link, const char *name) {
  char path[CLI_PATH_MAX], target[64];
  if (cli_path(path, NULL, "%s/%s", r->path, link) != TRM_OK) return false;
  ssize_t n = readlink(path, target, sizeof target - 1);
  if (n < 0) return false;
  target[n] = 0;
  return !strcmp(target, name);
}

/* Removes a checkpoint that is no longer wanted. */
static trm_status prune_name(run_folder *r, const char *name, trm_error *err) {
  char path[CLI_PATH_MAX];
  run_mark mark;
  if (step_of(name) < 0 || is_linked(r, "last", name) || is_linked(r, "best", name)) return TRM_OK;
  CLI_TRY(cli_path(path, err, "%s/%s", r->path, name));
  if (r->keep_evaluated && run_mark_read(&mark, path, NULL) == TRM_OK &&
      mark.evaluated == mark.update)
    return TRM_OK;
  return remove_step(r, name, err);
}

/* A kill between the two links of a save leaves `best` at another checkpoint than the mark says. */
static trm_status restore_best(const run_folder *r, trm_error *err) {
  char name[32], dir[CLI_PATH_MAX], link[CLI_PATH_MAX];
  snprintf(name, sizeof name, "step_%" PRId64, r->mark.best_update);
  CLI_TRY(cli_path(dir, err, "%s/%s", r->path, name));
  CLI_TRY(cli_path(link, err, "%s/best", r->path));
  if (r->mark.best_exact >= 0 && cli_exists(dir)) {
    if (is_linked(r, "best", name)) return TRM_OK;
    return cli_swap_link(link, name, err);
  }
  if (unlink(link) != 0 && errno != ENOENT)
    return cli_fail(err, TRM_E_IO, -1, "%s: cannot remove: %s", link, strerror(errno));
  return TRM_OK;
}

trm_status run_folder_open(run_folder *r, const char *path, bool keep_evaluated, trm_error *err) {
  char last[CLI_PATH_MAX], config[CLI_PATH_MAX];
  *r = (run_folder){.log = -1, .keep_evaluated = keep_evaluated, .mark = {.best_exact = -1}};
  CLI_TRY(cli_path(r->path, err, "%s", path));
  for (size_t n = strlen(path); n > 1 && r->path[n - 1] == '/'; n--) r->path[n - 1] = 0;
  CLI_TRY(cli_path(config, err, "%s/config.yaml", r->path));
  if (!cli_exists(config))
    return cli_fail(err, TRM_E_IO, -1, "%s: not a run folder: it has no config.yaml", r->path);
  CLI_TRY(open_log(r, err));
  CLI_TRY(cli_path(last, err, "%s/last", r->path));
  if (cli_exists(last)) CLI_TRY(run_mark_read(&r->mark, last, err));
  CLI_TRY(restore_best(r, err));
  CLI_TRY(for_each_name(r, clean_name, err));
  CLI_TRY(for_each_name(r, prune_name, err));
  struct stat s;
  if (fstat(r->log, &s) != 0)
    return cli_fail(err, TRM_E_IO, -1, "%s/log.jsonl: %s", r->path, strerror(errno));
  if (s.st_size < r->mark.log_bytes) {
    cli_warn("%s/log.jsonl is shorter than at the last checkpoint: lines are lost, training is not",
             r->path);
    r->mark.log_bytes = s.st_size;
  }
  if (ftruncate(r->log, (off_t)r->mark.log_bytes) != 0)
    return cli_fail(err, TRM_E_IO, -1, "%s/log.jsonl: cannot shorten: %s", r->path,
                    strerror(errno));
  return TRM_OK;
}

void run_folder_close(run_folder *r) {
  if (r->log >= 0) close(r->log);
  r->log = -1;
}

void run_folder_discard(run_folder *r) {
  run_folder_close(r);
  cli_remove_folder(r->path, NULL);
  r->path[0] = 0;
}

trm_status run_folder_log(run_folder *r, json_t *line, trm_error *err) {
  char *text = line ? json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(13)) : NULL;
  json_decref(line);
  if (!text) return cli_fail(err, TRM_E_MEMORY, -1, "no memory for a line of the log");
  size_t n = strlen(text), done = 0;
  text[n++] = '\n'; /* in place of the terminating zero */
  while (done < n) {
    ssize_t wrote = write(r->log, text + done, n - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) break;
    done += (size_t)wrote;
  }
  int failure = errno;
  free(text);
  if (done == n) {
    r->mark.log_bytes += (int64_t)n;
    return TRM_OK;
  }
  if (ftruncate(r->log, (off_t)r->mark.log_bytes) != 0) failure = errno;
  return cli_fail(err, TRM_E_IO, -1, "%s/log.jsonl: cannot write: %s", r->path, strerror(failure));
}

/* ---- checkpoints ---- */

static trm_status fill_step(const run_folder *r, trm_trainer *t, const char *dir, trm_error *err) {
  char path[CLI_PATH_MAX];
  CLI_TRY(cli_make_dirs(dir, err));
  CLI_TRY(trm_trainer_sync(t, err));
  CLI_TRY(trm_model_save(trm_trainer_ema(t), dir, err));
  CLI_TRY(cli_path(path, err, "%s/trainer.safetensors", dir));
  CLI_TRY(trm_trainer_save(t, path, err));
  CLI_TRY(write_mark(&r->mark, dir, err));
  return cli_sync_dir(dir, err);
}

static trm_status write_step(const run_folder *r, trm_trainer *t, const char *dir, trm_error *err) {
  char tmp[CLI_PATH_MAX];
  CLI_TRY(cli_path(tmp, err, "%s.tmp", dir));
  CLI_TRY(cli_remove_folder(tmp, err));
  trm_status st = fill_step(r, t, tmp, err);
  if (st == TRM_OK && rename(tmp, dir) != 0)
    st = cli_fail(err, TRM_E_IO, -1, "%s: cannot rename: %s", tmp, strerror(errno));
  if (st != TRM_OK) {
    cli_remove_folder(tmp, NULL);
    return st;
  }
  return cli_sync_dir(r->path, err);
}

trm_status run_folder_save(run_folder *r, trm_trainer *t, bool best, trm_error *err) {
  char name[32], dir[CLI_PATH_MAX], link[CLI_PATH_MAX];
  snprintf(name, sizeof name, "step_%" PRId64, r->mark.update);
  CLI_TRY(cli_path(dir, err, "%s/%s", r->path, name));
  if (fsync(r->log) != 0 && errno != EINVAL)
    return cli_fail(err, TRM_E_IO, -1, "%s/log.jsonl: cannot sync: %s", r->path, strerror(errno));
  /* At the same update the weights are the same; only the mark can have moved. */
  if (cli_exists(dir))
    CLI_TRY(write_mark(&r->mark, dir, err));
  else
    CLI_TRY(write_step(r, t, dir, err));
  if (best) {
    CLI_TRY(cli_path(link, err, "%s/best", r->path));
    CLI_TRY(cli_swap_link(link, name, err));
  }
  CLI_TRY(cli_path(link, err, "%s/last", r->path));
  CLI_TRY(cli_swap_link(link, name, err));
  CLI_TRY(cli_sync_dir(r->path, err));
  return for_each_name(r, prune_name, err);
}

trm_status run_folder_find_model(const char *path, char *model, const char **which,
                                 trm_error *err) {
  static const char *const links[] = {"best", "last"};
  char file[CLI_PATH_MAX];
  *which = NULL;
  CLI_TRY(cli_path(model, err, "%s", path));
  if (cli_is_file(path)) return TRM_OK;
  CLI_TRY(cli_path(file, err, "%s/model.safetensors", path));
  if (cli_exists(file)) return TRM_OK;
  for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
    CLI_TRY(cli_path(file, err, "%s/%s/model.safetensors", path, links[i]));
    if (!cli_exists(file)) continue;
    *which = links[i];
    return cli_path(model, err, "%s/%s", path, links[i]);
  }
  return cli_fail(err, TRM_E_IO, -1,
                  "%s: not a model folder (no model.safetensors), not a run with a checkpoint (no "
                  "best or last) and not a file",
                  path);
}

trm_status run_folder_load_model_for(const char *path, const trm_dataset_info *data, char *model,
                                     trm_model **out, trm_error *err) {
  const char *which;
  CLI_TRY(run_folder_find_model(path, model, &which, err));
  if (which) cli_note("%s is a run; using its %s checkpoint", path, which);
  trm_status st =
      published_is(model) ? published_load(model, data, out, err) : trm_model_load(model, out, err);
  if (st != TRM_E_CONFIG) return st;
  if (err) err->code = TRM_E_FORMAT; /* a bad value in a file is bad data, not bad usage */
  return TRM_E_FORMAT;
}

trm_status run_folder_load_model(const char *path, char *model, trm_model **out, trm_error *err) {
  return run_folder_load_model_for(path, NULL, model, out, err);
}
