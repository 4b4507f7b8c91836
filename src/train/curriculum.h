/* A depth curriculum: which cycles an update makes, and the plans of them. */
#ifndef TRM_TRAIN_CURRICULUM_H
#define TRM_TRAIN_CURRICULUM_H

#include "base/field.h"
#include "nn/plan.h"
#include "trm/trainer.h"

/* "[30%:T1n2,60%:T2n3]", or null for none. */
extern const trm__field_type trm__field_curriculum;

/* CONFIG: shares that do not rise, or no number of updates that they are shares of. */
trm_status trm__curriculum_check(const trm_trainer_config *c, trm_error *err);
/* The stage that `update` (the first is 0) belongs to; c->n: the model's own cycles. */
int trm__curriculum_stage(const trm_curriculum *c, int64_t update, int64_t total);
/* CONFIG: a stage that the model cannot have. */
trm_status trm__curriculum_fits(const trm_curriculum *c, const trm_model_config *model,
                                trm_error *err);
/* The plan of each stage, [c->n]: the model's with other cycles, which keeps no more than it does.
 * Errors: CONFIG, MEMORY; what was made by then is in `out`. */
trm_status trm__curriculum_plans(const trm_curriculum *c, const trm_model_config *model,
                                 trm__plan *out[TRM_STAGES], trm_error *err);

#endif
