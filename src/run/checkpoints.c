/* See checkpoints.h. */
#include "run/checkpoints.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "base/pointer.h"
#include "base/text.h"
#include "io/json.h"
#include "run/record.h"
#include "run/tell.h"
#include "train/trainer.h"

static const char mark_name[] = "run.json", config_name[] = "config.yaml",
                  trainer_name[] = "trainer.safetensors";
/* Of a checkpoint; a model needs the first two alone. */
static const char *const parts[] = {"config.json", "model.safetensors", trainer_name, mark_name};
enum { N_PARTS = sizeof parts / sizeof *parts, N_MODEL_PARTS = 2 };

static const char *const pointers[] = {"best", "last"};
enum { N_POINTERS = sizeof pointers / sizeof *pointers };

void trm__checkpoint_name(int64_t update, char name[TRM__CHECKPOINT_NAME]) {
  snprintf(name, TRM__CHECKPOINT_NAME, "step_%" PRId64, update);
}

/* ---- run.json ---- */

/* JSON has no whole numbers of 64 bits for everybody: they are texts. */
static void put_uint64(trm__json_out *o, const char *key, uint64_t v) {
  char text[24];
  snprintf(text, sizeof text, "%" PRIu64, v);
  trm__json_put_text(o, key, text);
}

static trm_status write_mark(const trm__run_mark *m, const char *dir, trm_error *err) {
  char path[TRM__PATH_MAX];
  TRM_TRY(trm__path_format(path, err, "%s/%s", dir, mark_name));
  trm__json_out o = trm__json_begin(TRM__JSON_INDENTED);
  trm__json_open(&o, NULL, '{');
  trm__json_put_int(&o, "update", m->update);
  trm__json_put_int(&o, "stream_position", m->stream_position);
  trm__json_put_int(&o, "evaluated", m->evaluated);
  trm__json_put_int(&o, "best_update", m->best_update);
  trm__json_put_real(&o, "best_exact_accuracy", m->best_exact);
  trm__json_put_int(&o, "log_bytes", m->log_bytes);
  put_uint64(&o, "seed", m->seed);
  put_uint64(&o, "data", m->data);
  trm__json_close(&o);
  return trm__json_save(path, &o, err);
}

static trm_status get_uint64(const trm__json *root, const char *path, const char *key,
                             uint64_t *out, trm_error *err) {
  const char *text;
  TRM_TRY(trm__json_string(root, path, key, &text, err));
  if (trm__number_uint64(text, out)) return TRM_OK;
  return trm__fail(err, TRM_E_FORMAT, -1,
                   "%s: \"%s\": want a whole number in quotes, found '%.40s'", path, key, text);
}

static trm_status take_mark(trm__run_mark *m, const trm__json *root, const char *path,
                            trm_error *err) {
  TRM_TRY(trm__json_int(root, path, "update", 0, INT64_MAX, &m->update, err));
  /* The stream gives one batch per update. */
  TRM_TRY(
      trm__json_int(root, path, "stream_position", m->update, m->update, &m->stream_position, err));
  TRM_TRY(trm__json_int(root, path, "evaluated", 0, m->update, &m->evaluated, err));
  TRM_TRY(trm__json_int(root, path, "best_update", 0, m->update, &m->best_update, err));
  TRM_TRY(trm__json_double(root, path, "best_exact_accuracy", -1, 1, &m->best_exact, err));
  TRM_TRY(trm__json_int(root, path, "log_bytes", 0, INT64_MAX, &m->log_bytes, err));
  TRM_TRY(get_uint64(root, path, "seed", &m->seed, err));
  return get_uint64(root, path, "data", &m->data, err);
}

trm_status trm__run_mark_read(trm__run_mark *m, const char *dir, trm_error *err) {
  enum { MARK_MAX = 1 << 16 };
  char path[TRM__PATH_MAX];
  trm__json *root;
  TRM_TRY(trm__path_format(path, err, "%s/%s", dir, mark_name));
  TRM_TRY(trm__json_load(path, MARK_MAX, &root, err));
  trm_status st = take_mark(m, root, path, err);
  trm__json_free(root);
  if (st != TRM_E_RANGE) return st;
  if (err) err->code = TRM_E_FORMAT;
  return TRM_E_FORMAT;
}

/* ---- looking ---- */

static trm_status path_in(const trm__run_place *run, const char *name, char *path, trm_error *err) {
  return trm__path_format(path, err, "%s/%s", run->dir.path, name);
}

/* *why: "", or what a folder lacks of a checkpoint of `update` (-1: any), of which the first n
 * parts are needed. One without a mark is the best that is known. */
static trm_status examine_parts(const trm__run_place *run, const char *name, int n, int64_t update,
                                trm__run_mark *m, char why[TRM__PATH_MAX], trm_error *err) {
  char path[TRM__PATH_MAX];
  trm__dir d;
  trm__kind kind = TRM__ABSENT;
  trm_error cause = {0};
  why[0] = 0;
  *m = (trm__run_mark){.update = update, .best_exact = -1};
  TRM_TRY(path_in(run, name, path, err));

  /* All its files are there. */
  TRM_TRY(trm__dir_open(&d, path, err));
  trm_status st = TRM_OK;
  for (int i = 0; i < n && st == TRM_OK && !why[0]; i++) {
    st = trm__dir_look(&d, parts[i], &kind, err);
    if (st == TRM_OK && kind != TRM__FILE)
      st = trm__path_format(why, err, "it has no %s", parts[i]);
  }
  if (st == TRM_OK && n < N_PARTS) st = trm__dir_look(&d, mark_name, &kind, err);
  trm__dir_close(&d);
  if (st != TRM_OK || why[0] || kind != TRM__FILE) return st;

  /* Its mark can be read and is of this update. */
  st = trm__run_mark_read(m, path, &cause);
  if (st == TRM_E_FORMAT) return trm__path_format(why, err, "%s", cause.msg);
  if (st != TRM_OK) return trm__fail(err, st, cause.pos, "%s", cause.msg);
  if (update >= 0 && m->update != update)
    return trm__path_format(why, err, "its %s is of update %" PRId64, mark_name, m->update);
  return TRM_OK;
}

static trm_status examine(const trm__run_place *run, const char *name, int64_t update,
                          trm__run_mark *m, char why[TRM__PATH_MAX], trm_error *err) {
  return examine_parts(run, name, N_PARTS, update, m, why, err);
}

static bool is_of_run(const trm__run_mark *a, const trm__run_mark *b) {
  return a->seed == b->seed && a->data == b->data;
}

/* Gives what is in the way another name: "last" is "last.set-aside". */
static trm_status set_aside(const trm__run_place *run, const char *name, const char *why,
                            trm_error *err) {
  enum { TRIES = 1000 };
  char aside[128];
  for (int i = 1; i < TRIES; i++) {
    trm__kind kind;
    snprintf(aside, sizeof aside, i > 1 ? "%.80s.set-aside-%d" : "%.80s.set-aside", name, i);
    TRM_TRY(trm__dir_look(&run->dir, aside, &kind, err));
    if (kind != TRM__ABSENT) continue;
    TRM_TRY(trm__dir_rename(&run->dir, name, aside, err));
    trm__warn(run->to, "%s/%s %s: it is now called %s", run->dir.path, name, why, aside);
    return TRM_OK;
  }
  return trm__fail(err, TRM_E_IO, -1, "%s/%s %s, and %s is taken, too: remove them", run->dir.path,
                   name, why, aside);
}

/* ---- putting right ---- */

/* Files of the same name in two folders have the same bytes. */
static trm_status compare_files(const trm__dir *a, const trm__dir *b, const char *name, bool *same,
                                trm_error *err) {
  char fa[TRM__PATH_MAX], fb[TRM__PATH_MAX];
  trm__map ma, mb;
  trm__kind ka, kb;
  TRM_TRY(trm__path_format(fa, err, "%s/%s", a->path, name));
  TRM_TRY(trm__path_format(fb, err, "%s/%s", b->path, name));
  TRM_TRY(trm__path_look(fa, &ka, err));
  TRM_TRY(trm__path_look(fb, &kb, err));
  *same = ka == TRM__FILE && kb == TRM__FILE;
  if (!*same) return TRM_OK;

  TRM_TRY(trm__map_open(fa, &ma, err));
  const trm_status st = trm__map_open(fb, &mb, err);
  if (st == TRM_OK) {
    *same = ma.size == mb.size && (ma.size == 0 || !memcmp(ma.data, mb.data, ma.size));
    trm__map_close(&mb);
  }
  trm__map_close(&ma);
  return st;
}

/* Folders a and b of the run hold the same bytes under the same names. */
static trm_status compare_folders(const trm__run_place *run, const char *a, const char *b,
                                  bool *same, trm_error *err) {
  char path[TRM__PATH_MAX];
  trm__dir da = {0}, db = {0};
  trm__names na = {0}, nb = {0};
  trm_status st;
  TRM_GOTO(path_in(run, a, path, err));
  TRM_GOTO(trm__dir_open(&da, path, err));
  TRM_GOTO(path_in(run, b, path, err));
  TRM_GOTO(trm__dir_open(&db, path, err));
  TRM_GOTO(trm__dir_names(&da, &na, err));
  TRM_GOTO(trm__dir_names(&db, &nb, err));

  /* Names are sorted. */
  *same = na.n == nb.n;
  for (size_t i = 0; i < na.n && *same; i++) {
    *same = !strcmp(na.v[i], nb.v[i]);
    if (*same) TRM_GOTO(compare_files(&da, &db, na.v[i], same, err));
  }

done:
  trm__names_free(&na);
  trm__names_free(&nb);
  trm__dir_close(&da);
  trm__dir_close(&db);
  return st;
}

/* A copy of the run that followed its links, as older runs have them, made folders of them. */
static trm_status settle_folder(const trm__run_place *run, const char *name, trm_error *err) {
  char step[TRM__CHECKPOINT_NAME], why[TRM__PATH_MAX];
  trm__run_mark m;
  trm__kind kind;
  bool same = false;
  TRM_TRY(examine(run, name, -1, &m, why, err));
  if (why[0]) return set_aside(run, name, "is a folder and no checkpoint", err);

  /* The step it is a copy of may be gone, be the same, or be another one of that number. */
  trm__checkpoint_name(m.update, step);
  TRM_TRY(trm__dir_look(&run->dir, step, &kind, err));
  if (kind == TRM__ABSENT) return trm__dir_rename(&run->dir, name, step, err);
  if (kind == TRM__DIR) TRM_TRY(compare_folders(run, name, step, &same, err));
  if (same) return trm__dir_remove(&run->dir, name, err);
  return set_aside(run, name, "is another checkpoint than the step of its number", err);
}

static bool ends_in(const char *name, const char *suffix) {
  const size_t n = strlen(name), m = strlen(suffix);
  return n > m && !strcmp(name + n - m, suffix);
}

/* What a killed process left of what a run writes; older releases called it .tmp. */
static bool is_leftover(const char *name) {
  static const char *const ours[] = {"best", "last", config_name, "log.jsonl", trm__record_name};
  static const char *const suffixes[] = {TRM__PARTIAL, TRM__REPLACED, ".tmp"};
  char stem[64];
  const size_t n = strlen(name);
  bool good = false;
  snprintf(stem, sizeof stem, "%s", name);
  for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes && n < sizeof stem; i++)
    for (; ends_in(stem, suffixes[i]); good = true) stem[strlen(stem) - strlen(suffixes[i])] = 0;
  for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
    if (!strcmp(stem, ours[i])) return good;
  return good && trm__step_of_name(stem) >= 0;
}

trm_status trm__checkpoints_settle(const trm__run_place *run, trm_error *err) {
  trm__names names;
  TRM_TRY(trm__dir_names(&run->dir, &names, err));
  trm_status st = TRM_OK;
  for (size_t i = 0; i < names.n && st == TRM_OK; i++)
    if (is_leftover(names.v[i])) st = trm__dir_remove(&run->dir, names.v[i], err);
  trm__names_free(&names);
  for (int i = 0; i < N_POINTERS && st == TRM_OK; i++) {
    trm__kind kind;
    st = trm__dir_look(&run->dir, pointers[i], &kind, err);
    if (st == TRM_OK && kind == TRM__DIR) st = settle_folder(run, pointers[i], err);
  }
  return st;
}

/* ---- choosing ---- */

/* The newest name of a step below `below` that is there as a folder; -1: none. */
static trm_status newest_below(const trm__run_place *run, const trm__names *names, int64_t below,
                               int64_t *step, trm_error *err) {
  *step = -1;
  for (size_t i = 0; i < names->n; i++) {
    trm__kind kind;
    const int64_t n = trm__step_of_name(names->v[i]);
    if (n <= *step || n >= below) continue;
    TRM_TRY(trm__dir_look(&run->dir, names->v[i], &kind, err));
    if (kind == TRM__DIR)
      *step = n;
    else
      trm__warn(run->to, "%s/%s is no folder of this run: it is passed over", run->dir.path,
                names->v[i]);
  }
  return TRM_OK;
}

/* There is no checkpoint: right for a run that never had one. */
static trm_status check_none(const trm__run_place *run, trm_error *err) {
  for (int i = 0; i < N_POINTERS; i++) {
    int64_t step;
    TRM_TRY(trm__pointer_read(&run->dir, pointers[i], &step, err));
    if (step >= 0)
      return trm__fail(err, TRM_E_IO, -1,
                       "%s/%s names step_%" PRId64
                       ", which is not here: copy it into the folder, or start a new run",
                       run->dir.path, pointers[i], step);
  }
  return TRM_OK;
}

static trm_status choose(const trm__run_place *run, const trm__names *names, int parts_needed,
                         trm__run_mark *m, trm_error *err) {
  char name[TRM__CHECKPOINT_NAME], why[TRM__PATH_MAX], first[256] = "";
  for (int64_t step, below = INT64_MAX;; below = step) {
    trm__run_mark found;
    TRM_TRY(newest_below(run, names, below, &step, err));
    if (step < 0) break;
    trm__checkpoint_name(step, name);
    TRM_TRY(examine_parts(run, name, parts_needed, step, &found, why, err));

    /* The newest that is whole; the first that was not is told. */
    if (!why[0]) {
      if (first[0]) trm__warn(run->to, "%s: going on after the one before, %s", first, name);
      *m = found;
      return TRM_OK;
    }
    if (!first[0])
      snprintf(first, sizeof first, "%.120s/%s is not complete: %.80s", run->dir.path, name, why);
  }
  if (first[0])
    return trm__fail(err, TRM_E_FORMAT, -1,
                     "%s, and there is no other checkpoint: copy it again, or move it out of the "
                     "way to start over",
                     first);
  return check_none(run, err);
}

static trm_status find_newest(const trm__run_place *run, int parts_needed, trm__run_mark *m,
                              trm_error *err) {
  trm__names names;
  *m = (trm__run_mark){.best_exact = -1};
  TRM_TRY(trm__dir_names(&run->dir, &names, err));
  const trm_status st = choose(run, &names, parts_needed, m, err);
  trm__names_free(&names);
  return st;
}

trm_status trm__checkpoints_newest(const trm__run_place *run, trm__run_mark *m, trm_error *err) {
  return find_newest(run, N_PARTS, m, err);
}

trm_status trm__checkpoints_newest_model(const trm__run_place *run, trm__run_mark *m,
                                         trm_error *err) {
  return find_newest(run, N_MODEL_PARTS, m, err);
}

/* ---- pointers ---- */

/* Makes a pointer say `step`, -1: be absent. */
static trm_status point(const trm__run_place *run, const char *name, int64_t step, trm_error *err) {
  trm__kind kind;
  int64_t now;
  TRM_TRY(trm__dir_look(&run->dir, name, &kind, err));
  if (kind == TRM__DIR) TRM_TRY(set_aside(run, name, "is a folder", err));
  if (step < 0) return kind == TRM__DIR ? TRM_OK : trm__dir_remove(&run->dir, name, err);
  TRM_TRY(trm__pointer_read(&run->dir, name, &now, err));
  if (kind == TRM__FILE && now == step) return TRM_OK;
  return trm__pointer_write(&run->dir, name, step, err);
}

trm_status trm__checkpoints_point(const trm__run_place *run, trm__run_mark *m, trm_error *err) {
  char name[TRM__CHECKPOINT_NAME];
  trm__kind kind;
  trm__checkpoint_name(m->best_update, name);
  TRM_TRY(trm__dir_look(&run->dir, name, &kind, err));
  if (m->best_exact >= 0 && kind != TRM__DIR) {
    trm__warn(run->to,
              "%s/%s, the best checkpoint, is gone: the next evaluation is the best so far",
              run->dir.path, name);
    m->best_exact = -1;
    m->best_update = 0;
  }
  TRM_TRY(point(run, "best", m->best_exact >= 0 ? m->best_update : -1, err));
  return point(run, "last", m->update > 0 ? m->update : -1, err);
}

/* ---- writing ---- */

/* Fills the folder `dir`, which is made. */
static trm_status fill(const trm__run_mark *m, const trm__run_config *c, trm_trainer *t,
                       const char *dir, trm_error *err) {
  char path[TRM__PATH_MAX];
  TRM_TRY(trm_trainer_sync(t, err));
  TRM_TRY(trm_model_save(trm_trainer_ema(t), dir, err));
  TRM_TRY(trm__path_format(path, err, "%s/%s", dir, trainer_name));
  TRM_TRY(trm__trainer_save(t, path, NULL, 0, err));
  TRM_TRY(trm__path_format(path, err, "%s/%s", dir, config_name));
  TRM_TRY(trm__run_config_save(c, false, NULL, path, err));
  TRM_TRY(write_mark(m, dir, err));
  return trm__sync_dir(dir, err);
}

static trm_status write_new(const trm__run_place *run, const trm__run_mark *m,
                            const trm__run_config *c, trm_trainer *t, const char *name,
                            trm_error *err) {
  char draft[TRM__CHECKPOINT_NAME + sizeof TRM__PARTIAL], path[TRM__PATH_MAX];
  snprintf(draft, sizeof draft, "%s" TRM__PARTIAL, name);
  TRM_TRY(path_in(run, draft, path, err));
  TRM_TRY(trm__dir_remove(&run->dir, draft, err));
  trm_status st = fill(m, c, t, path, err);
  if (st == TRM_OK) st = trm__dir_rename(&run->dir, draft, name, err);
  if (st != TRM_OK) {
    (void)trm__dir_remove(&run->dir, draft, NULL);
    return st;
  }
  return trm__dir_sync(&run->dir, err);
}

/* At the same update the weights are the same; only the mark can have moved. *done: that is all. */
static trm_status move_mark(const trm__run_place *run, const trm__run_mark *m, const char *name,
                            bool *done, trm_error *err) {
  char text[TRM__PATH_MAX];
  trm__run_mark found;
  TRM_TRY(examine(run, name, m->update, &found, text, err));
  *done = !text[0] && is_of_run(&found, m);
  if (!*done) return TRM_OK;
  TRM_TRY(path_in(run, name, text, err));
  return write_mark(m, text, err);
}

trm_status trm__checkpoints_write(const trm__run_place *run, const trm__run_mark *m,
                                  const trm__run_config *c, trm_trainer *t, trm_error *err) {
  char name[TRM__CHECKPOINT_NAME];
  trm__kind kind;
  bool done = false;
  trm__checkpoint_name(m->update, name);
  TRM_TRY(trm__dir_look(&run->dir, name, &kind, err));
  if (kind == TRM__DIR) TRM_TRY(move_mark(run, m, name, &done, err));
  if (done) return TRM_OK;
  if (kind != TRM__ABSENT) TRM_TRY(set_aside(run, name, "is no checkpoint of this run", err));
  return write_new(run, m, c, t, name, err);
}

/* ---- pruning ---- */

/* Out of its name first, so that no half is seen. */
static trm_status remove_step(const trm__run_place *run, const char *name, trm_error *err) {
  char draft[TRM__CHECKPOINT_NAME + sizeof TRM__PARTIAL];
  snprintf(draft, sizeof draft, "%s" TRM__PARTIAL, name);
  TRM_TRY(trm__dir_remove(&run->dir, draft, err));
  TRM_TRY(trm__dir_rename(&run->dir, name, draft, err));
  return trm__dir_remove(&run->dir, draft, err);
}

static trm_status prune_step(const trm__run_place *run, const trm__run_mark *m, bool keep_evaluated,
                             int64_t step, trm_error *err) {
  char name[TRM__CHECKPOINT_NAME], why[TRM__PATH_MAX];
  trm__kind kind;
  trm__run_mark old;
  if (step < 0 || step >= m->update || (m->best_exact >= 0 && step == m->best_update))
    return TRM_OK;
  trm__checkpoint_name(step, name);
  TRM_TRY(trm__dir_look(&run->dir, name, &kind, err));
  if (kind != TRM__DIR) return TRM_OK;
  TRM_TRY(examine(run, name, step, &old, why, err));
  if (why[0] || !is_of_run(&old, m)) return TRM_OK;
  return keep_evaluated && old.evaluated == old.update ? TRM_OK : remove_step(run, name, err);
}

trm_status trm__checkpoints_prune(const trm__run_place *run, const trm__run_mark *m,
                                  bool keep_evaluated, trm_error *err) {
  trm__names names;
  TRM_TRY(trm__dir_names(&run->dir, &names, err));
  trm_status st = TRM_OK;
  for (size_t i = 0; i < names.n && st == TRM_OK; i++)
    st = prune_step(run, m, keep_evaluated, trm__step_of_name(names.v[i]), err);
  trm__names_free(&names);
  return st;
}
