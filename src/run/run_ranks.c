/* What ranks that share a run do together (trm_run_listener.comm). All of them have the
 * configuration, the data and the weights; rank 0 alone has the folder: it locks it, writes the
 * log, the record and the checkpoints, and says where the run is and how far. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "run/run_parts.h"
#include "trm.h"

/* ---- the same everywhere ---- */

/* Keys that a rank may have otherwise: how it computes, and where it finds what has a fingerprint.
 */
static bool is_own(const char *key) {
  static const char *const own[] = {
      "threads",         "memory_budget",   "micro_batch",     "data_paths",
      "data_paths_test", "load_checkpoint", "checkpoint_path", "out"};
  for (size_t i = 0; i < sizeof own / sizeof *own; i++)
    if (!strcmp(own[i], key)) return true;
  return false;
}

/* "KEY=VALUE" of the next key that all must have alike; false: there is none. */
static bool next_setting(const trm_run *run, trm__run_key *k, char text[160]) {
  char value[96] = "";
  while (trm__run_next_key(k)) {
    if (is_own(k->field->key)) continue;
    (void)trm_run_config_get(run->config, k->field->key, value, sizeof value, NULL);
    (void)snprintf(text, 160, "%.60s=%s", k->field->key, value);
    return true;
  }
  return false;
}

/* One comparison of all keys at once, and then of each, where one differs. */
static trm_status same_settings(const trm_run *run, trm_error *err) {
  trm_comm *c = run->listener.comm;
  char text[160], first[160];
  int64_t differ[1] = {0}, scratch[1];
  for (trm__run_key k = {0}; next_setting(run, &k, text);) {
    memcpy(first, text, sizeof first);
    TRM_TRY(trm__comm_broadcast(c, first, sizeof first, err));
    first[sizeof first - 1] = 0;
    differ[0] += strcmp(first, text) != 0;
  }
  TRM_TRY(trm__comm_add(c, differ, 1, scratch, err));
  if (!differ[0]) return TRM_OK;
  for (trm__run_key k = {0}; next_setting(run, &k, text);)
    TRM_TRY(trm__comm_same(c, "configuration", text, "start all ranks with one command", err));
  return TRM_OK;
}

trm_status trm__run_ranks_meet(const trm_run *run, uint64_t data, trm_error *err) {
  trm_comm *c = run->listener.comm;
  char text[160];
  if (trm__comm_size(c) == 1) return TRM_OK;
  TRM_TRY(trm__comm_same(c, "set of kernels", trm_isa(),
                         "they round differently; set TRM_ISA to one that all have", err));
  TRM_TRY(same_settings(run, err));
  (void)snprintf(text, sizeof text, "fingerprint %016" PRIx64 ", %lld to evaluate on", data,
                 (long long)run->plan.tests);
  return trm__comm_same(c, "data", text, "want the same in data_paths everywhere", err);
}

/* ---- rank 0 says ---- */

trm_status trm__run_ranks_follow(trm_run *run, trm_error *err) {
  trm_comm *c = run->listener.comm;
  trm__run_mark said = run->folder.mark;
  TRM_TRY(trm__comm_broadcast(c, run->folder.path, sizeof run->folder.path, err));
  run->folder.path[sizeof run->folder.path - 1] = 0;
  TRM_TRY(trm__comm_broadcast(c, &said, sizeof said, err));
  if (said.update < 0 || said.stream_position < 0)
    TRM_FAIL(err, TRM_E_SYSTEM, "rank 0 is after update %lld, as it says", (long long)said.update);
  run->folder.mark = said;
  return TRM_OK;
}

trm_status trm__run_ranks_stop(const trm_run *run, trm_status st, bool *stop, bool *due,
                               trm_error *err) {
  enum { FAILED, STOP, DUE, SAID };
  trm_comm *c = run->listener.comm;
  uint8_t said[TRM_COMM_MOST][SAID] = {{0}};
  const int rank = trm__comm_rank(c);
  bool failed = false;
  if (st != TRM_OK && c && c->agreed) return st;
  said[rank][FAILED] = st != TRM_OK;
  said[rank][STOP] = *stop;
  said[rank][DUE] = *due;
  TRM_TRY(trm__comm_gather_equal(c, said, sizeof *said, err));
  for (int r = 0; r < trm__comm_size(c); r++) {
    failed = failed || said[r][FAILED];
    *stop = *stop || said[r][STOP];
  }
  *due = said[0][DUE];
  return failed ? trm__comm_settle(c, st, err) : TRM_OK;
}
