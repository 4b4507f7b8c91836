/* What of a run's loop knows the trainer's inside, where ranks share it: an update that one of them
 * cannot begin, and a checkpoint of rows that are everywhere. */
#include "run/run_folder.h"
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
