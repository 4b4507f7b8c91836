/* What a run writes into its record (record.h): a start before its first update, an end behind its
 * last one. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cpus.h"
#include "base/date.h"
#include "base/memory.h"
#include "base/os_machine.h"
#include "base/text.h"
#include "run/record.h"
#include "run/run_parts.h"
#include "run/tell.h"
#include "trm.h"

/* Names of machines and folders need not be UTF-8, which JSON is. */
static void put_clean(trm__json_out *o, const char *key, const char *text) {
  char clean[TRM__PATH_MAX];
  (void)snprintf(clean, sizeof clean, "%s", text);
  trm__text_clean(clean);
  trm__json_put_text(o, key, clean);
}

/* Whose length nothing bounds: a command line. */
static void put_long(trm__json_out *o, const char *key, const char *text) {
  char *clean = text ? trm__text_copy(text, SIZE_MAX) : NULL;
  if (clean) trm__text_clean(clean);
  if (clean)
    trm__json_put_text(o, key, clean);
  else
    trm__json_put_null(o, key);
  trm__free(clean);
}

static trm__json_out begin_line(const trm_run *run, const char *event) {
  struct timespec t = {0};
  char date[TRM__DATE_SIZE];
  (void)timespec_get(&t, TIME_UTC);
  trm__date_print((int64_t)t.tv_sec, date);
  trm__json_out line = trm__json_begin(TRM__JSON_COMPACT);
  trm__json_open(&line, NULL, '{');
  trm__json_put_text(&line, "event", event);
  trm__json_put_real(&line, "time", (double)t.tv_sec + 1e-9 * (double)t.tv_nsec);
  trm__json_put_text(&line, "date", date);
  trm__json_put_int(&line, "update", run->folder.mark.update);
  return line;
}

/* ---- a start ---- */

static void put_program(trm__json_out *o, const trm_run *run) {
  char text[256];
  trm__json_put_text(o, "version", trm_version());
  trm__json_put_text(o, "commit", trm_commit());
  put_long(o, "command", run->command);
  trm__os_host(text, sizeof text);
  put_clean(o, "host", text);
  trm__os_system(text, sizeof text);
  put_clean(o, "system", text);
  trm__os_processor(text, sizeof text);
  put_clean(o, "processor", text);
  trm__json_put_text(o, "kernels", trm_isa());
}

static void put_device(trm__json_out *o, const trm_run *run) {
  const trm_trainer_config *c = &run->plan.trainer;
  char text[256];
  trm_device_name(c->device, text, sizeof text);
  trm__json_put_text(o, "device", text);
  if (c->device.kind != TRM_DEVICE_CPU &&
      trm_device_describe(c->device, text, sizeof text, NULL) == TRM_OK)
    put_clean(o, "gpu", text);
  trm__json_put_int(o, "threads",
                    trm__useful_threads(c->threads ? c->threads : trm_default_threads()));
}

/* Path i of a key as it was given, and where it leads, from the root. */
static void put_path(trm__json_out *o, const trm_run *run, const char *key, int i,
                     const char *here) {
  char whole[TRM__PATH_MAX];
  const char *at = trm__run_path_at(run->config, key, i);
  trm__json_put_text(o, "key", key);
  put_clean(o, "path", trm_run_config_item(run->config, key, i));
  if (at[0] != '/' && trm__path_format(whole, NULL, "%s/%s", here, at) == TRM_OK) at = whole;
  put_clean(o, "at", at);
}

static trm_status put_set(trm__json_out *o, const trm_run *run, const char *key, int i,
                          const char *here, const char *split, const trm_dataset *set,
                          trm_error *err) {
  char text[32];
  uint64_t fingerprint;
  TRM_TRY(trm_dataset_fingerprint(set, &fingerprint, err));
  (void)snprintf(text, sizeof text, "%016" PRIx64, fingerprint);
  trm__json_open(o, NULL, '{');
  put_path(o, run, key, i, here);
  trm__json_put_text(o, "split", split);
  trm__json_put_int(o, "examples", trm_dataset_get_info(set)->examples);
  trm__json_put_text(o, "fingerprint", text);
  trm__json_close(o);
  return TRM_OK;
}

static trm_status put_data(trm__json_out *o, const trm_run *run, const char *here, trm_error *err) {
  static const char trained[] = "data_paths";
  const trm__run_config *c = &run->config->now;
  const trm__run_data *d = &run->data;
  const char *tested = c->data_paths_test.n && !d->held_back ? "data_paths_test" : trained;
  const char *split = d->held_back ? "held back" : "test";

  /* What is trained on, and what it is measured on. */
  trm__json_open(o, "data", '[');
  for (int i = 0; i < d->n_train; i++)
    TRM_TRY(put_set(o, run, trained, i, here, "train", d->train[i], err));
  for (int i = 0; i < d->n_test; i++)
    TRM_TRY(
        put_set(o, run, tested, d->held_back ? i : d->test_path[i], here, split, d->test[i], err));
  trm__json_close(o);

  /* And the model it began with, if it did. */
  if (!c->load_checkpoint) return TRM_OK;
  trm__json_open(o, "from", '{');
  put_path(o, run, "load_checkpoint", 0, here);
  trm__json_close(o);
  return TRM_OK;
}

trm_status trm__run_record_start(trm_run *run, trm_error *err) {
  char *here = NULL;
  if (run->recorded) return TRM_OK;
  if (trm__os_real_path(".", &here)) here = NULL;

  /* Who trains, where, and on what. */
  trm__json_out line = begin_line(run, trm__record_start);
  trm__json_put_int(&line, "end", run->schedule.end);
  put_program(&line, run);
  put_device(&line, run);
  put_clean(&line, "folder", here ? here : "");
  const trm_status st = put_data(&line, run, here ? here : ".", err);
  trm__free(here);

  /* A line that is not whole is none. */
  if (st != TRM_OK) {
    trm__json_drop(&line);
    return st;
  }
  trm__json_close(&line);
  TRM_TRY(trm__record_add(&run->folder.at.dir, &line, err));
  run->recorded = true;
  return TRM_OK;
}

/* ---- an end ---- */

static const char done[] = "done";

/* Each set of kernels rounds otherwise: a run that goes on by another one (on another machine, say)
 * has not the bits of one that does not. */
static trm_status look_at_kernels(const trm_run *run, trm_error *err) {
  trm__json *start;
  int broken;
  if (run->folder.mark.update == 0 || run->plan.trainer.device.kind != TRM_DEVICE_CPU)
    return TRM_OK;
  TRM_TRY(trm__record_last(run->folder.path, trm__record_start, &start, &broken, err));
  const char *device = trm__json_text(trm__json_get(start, "device"));
  const char *kernels = trm__json_text(trm__json_get(start, "kernels"));
  if (device && !strcmp(device, "cpu") && kernels && strcmp(kernels, trm_isa()) != 0)
    trm__warn(
        &run->listener,
        "goes on with the kernels %s, not %.40s as before update %lld: its bits will be others "
        "than without the change (TRM_ISA chooses)",
        trm_isa(), kernels, (long long)run->folder.mark.update);
  trm__json_free(start);
  return TRM_OK;
}

trm_status trm__run_record_look(trm_run *run, trm_error *err) {
  trm__json *line;
  int broken;
  TRM_TRY(trm__record_last(run->folder.path, NULL, &line, &broken, err));
  if (broken)
    trm__warn(&run->listener, "%s/%s: its end cannot be read and tells nothing", run->folder.path,
              trm__record_name);
  const char *state = trm__json_text(trm__json_get(line, "state"));
  run->ended = state && !strcmp(state, done);
  trm__json_free(line);
  return look_at_kernels(run, err);
}

static const char *state_of(trm_status st) {
  return st == TRM_OK              ? done
         : st == TRM_E_INTERRUPTED ? "stopped"
         : st == TRM_E_NUMERIC     ? "diverged"
                                   : "failed";
}

/* Why training ended is known already, and what came of it is saved: that it could not be recorded
 * is only told. */
void trm__run_record_end(trm_run *run, trm_status why, const char *message) {
  trm_error err;
  if (!run->recorded) return;
  run->recorded = false;
  run->ended = why == TRM_OK;
  trm__json_out line = begin_line(run, trm__record_end);
  trm__json_put_text(&line, "state", state_of(why));
  if (message && why != TRM_OK) put_clean(&line, "message", message);
  trm__json_close(&line);
  if (trm__record_add(&run->folder.at.dir, &line, &err) != TRM_OK)
    trm__warn(&run->listener, "how this training ended could not be recorded: %.300s", err.msg);
}
