/* What a user means by the path of a model, and what is there; see trm/run.h. */
#include <string.h>

#include "base/memory.h"
#include "base/pointer.h"
#include "run/checkpoints.h"
#include "run/published.h"
#include "run/run_folder.h"
#include "run/tell.h"

_Static_assert((int)TRM_PATH_SIZE == (int)TRM__PATH_MAX, "one length of paths, inside and outside");

/* The newest checkpoint of a run, as a model, and whether its best one is there. */
static trm_status look(const char *path, const trm_run_listener *to, trm__run_mark *mark,
                       bool *has_best, trm_error *err) {
  char name[TRM__CHECKPOINT_NAME];
  trm__run_place run = {.to = to};
  trm__kind kind = TRM__ABSENT;
  *mark = (trm__run_mark){.best_exact = -1};
  TRM_TRY(trm__dir_open(&run.dir, path, err));
  trm_status st = trm__checkpoints_newest_model(&run, mark, err);
  trm__checkpoint_name(mark->best_update, name);
  if (st == TRM_OK && mark->best_exact >= 0) st = trm__dir_look(&run.dir, name, &kind, err);
  trm__dir_close(&run.dir);
  *has_best = kind == TRM__DIR;
  return st;
}

trm_status trm_run_look(const char *folder, const trm_run_listener *listener, trm_run_state *out,
                        trm_error *err) {
  trm__run_mark mark;
  bool has_best;
  *out = (trm_run_state){.best_exact = -1};
  TRM_TRY(look(folder, listener, &mark, &has_best, err));
  *out = (trm_run_state){.folder = mark.update ? folder : NULL,
                         .update = mark.update,
                         .saved = mark.update,
                         .best_update = mark.best_update,
                         .best_exact = mark.best_exact};
  return TRM_OK;
}

/* The best, else the newest, checkpoint of the run at `path`; *which NULL: there is none. */
static trm_status find_checkpoint(const char *path, const trm_run_listener *to, char *file,
                                  const char **which, trm_error *err) {
  char name[TRM__CHECKPOINT_NAME];
  trm__run_mark mark;
  bool has_best;
  *which = NULL;
  TRM_TRY(look(path, to, &mark, &has_best, err));
  if (mark.update == 0) return TRM_OK;
  *which = has_best ? "best" : "last";
  trm__checkpoint_name(has_best ? mark.best_update : mark.update, name);
  return trm__path_format(file, err, "%s/%s", path, name);
}

/* model.safetensors is in it and ours. */
static trm_status is_model_folder(const char *dir, bool *is, trm_error *err) {
  char weights[TRM__PATH_MAX];
  trm__kind kind;
  TRM_TRY(trm__path_format(weights, err, "%s/model.safetensors", dir));
  TRM_TRY(trm__path_look(weights, &kind, err));
  *is = kind != TRM__ABSENT;
  bool published;
  TRM_TRY(trm_published_is(weights, &published, err));
  *is = *is && !published;
  return TRM_OK;
}

static trm_status fail_no_model(const char *path, trm_error *err) {
  char below[TRM__PATH_MAX];
  if (trm__run_folder_below(path, below))
    TRM_FAIL(err, TRM_E_IO, "%.150s: not a model or a run, but a folder with a run in it: %.200s",
             path, below);
  TRM_FAIL(err, TRM_E_IO,
           "%s: not a model folder (no model.safetensors), not a run with a checkpoint (no "
           "step_N), not a download (no all_config.yaml) and not a file",
           path);
}

trm_status trm_model_find(const char *path, const trm_run_listener *listener, char *file,
                          const char **which, trm_error *err) {
  char *target;
  trm__kind kind;
  bool found;
  *which = NULL;

  /* What it leads to, where it is a pointer, may be a model. */
  TRM_TRY(trm__pointer_follow(path, &target, err));
  const trm_status st = trm__path_format(file, err, "%s", target);
  trm__free(target);
  TRM_TRY(st);
  TRM_TRY(trm__path_look(file, &kind, err));
  if (kind == TRM__FILE) return TRM_OK;
  TRM_TRY(is_model_folder(file, &found, err));
  if (found) return TRM_OK;

  /* A download's step_N is a file, not a folder; a run has several models. */
  TRM_TRY(trm_published_find(path, file, &found, err));
  if (found) return TRM_OK;
  TRM_TRY(trm__path_look(path, &kind, err));
  if (kind == TRM__DIR) TRM_TRY(find_checkpoint(path, listener, file, which, err));
  if (*which) return TRM_OK;
  file[0] = 0;
  if (kind == TRM__ABSENT) return TRM_OK;
  return fail_no_model(path, err);
}

trm_status trm_model_open(const char *file, const trm_dataset_info *data,
                          const trm_run_listener *listener, trm_model **out, trm_error *err) {
  bool published;
  *out = NULL;
  TRM_TRY(trm_published_is(file, &published, err));
  const trm_status st = published ? trm__published_load(file, data, listener, out, err)
                                  : trm_model_load(file, out, err);
  if (st != TRM_E_CONFIG) return st;
  if (err) err->code = TRM_E_FORMAT; /* a bad value in a file is bad data, not bad usage */
  return TRM_E_FORMAT;
}
