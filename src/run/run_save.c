/* What of a run's loop knows the trainer's inside, where ranks share it: an update that one of them
 * cannot begin, a checkpoint of rows that are everywhere, and what sharing has cost. */
#include "run/run_folder.h"
#include "run/tell.h"
#include "train/trainer.h"

trm_status trm__run_folder_save_all(trm__run_folder *r, const trm__run_config *c, trm_trainer *t,
                                    trm_error *err) {
  trm_comm *comm = t->config.comm;
  trm_error unserved;
  if (!trm__is_shared(t)) return trm__run_folder_save(r, c, t, err);

  /* Rank 0 writes, and the others hand over their rows when the file comes to them. */
  trm__comm_begin(comm);
  TRM_TRY(trm__trainer_check_ranks(t, r->path, err));
  trm_status st =
      trm__comm_leads(comm) ? trm__run_folder_save(r, c, t, err) : trm__trainer_serve(t, err);
  if (trm__comm_leads(comm) && trm__trainer_served(t, &unserved) != TRM_OK && st == TRM_OK)
    st = trm__fail(err, unserved.code, -1, "%s", unserved.msg);
  return trm__comm_settle(comm, st, err);
}

trm_status trm__run_step(trm_trainer *t, trm_status given, const trm_batch *fresh,
                         trm_metrics *metrics, bool *begun, trm_error *err) {
  return trm__trainer_step(t, given, fresh, metrics, begun, err);
}

void trm__run_tell_shared(const trm_run_listener *to, const trm_trainer *t) {
  const trm__shared_cost c = t->shared;
  if (!trm__is_shared(t) || !c.updates) return;
  const double n = (double)c.updates, ms = 1000 / n;
  trm__note(
      to,
      "an update of %d ranks took %.1f ms: %.1f of arithmetic, %.1f of waiting for the slowest, "
      "%.2f of exchange, in which a rank sends %.3f MB",
      t->config.comm->size, ms * c.update, ms * (c.update - c.waiting - c.talking), ms * c.waiting,
      ms * c.talking, 1e-6 * (double)c.bytes / n);
}
