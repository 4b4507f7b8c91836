/* The rules: docs/MODEL.md section 4 has their equations. */
#include "train/rules.h"

#include "backend/muon.h"

const trm__rule_about trm__rules[TRM__RULES] = {
    [TRM_OPT_ADAM_ATAN2] = {.word = {"adam_atan2", NULL},
                            .state = {"adam_m", "adam_v"},
                            .never_negative = {false, true}},
    [TRM_OPT_ADAMW] = {.word = {"adamw", NULL},
                       .state = {"adam_m", "adam_v"},
                       .never_negative = {false, true}},
    [TRM_OPT_MUON] = {.word = {"muon", NULL},
                      .state = {"muon_m"},
                      .by_matrix = true,
                      .scratch = trm__muon_scratch},
    [TRM__RULE_SIGN_ROWS] = {.word = {"sign_rows", NULL}, .by_matrix = true},
};

const trm__words trm__optimizer_words = {trm__rules, sizeof *trm__rules, TRM_OPTIMIZERS, NULL};

TRM__WORDS_FUNCTIONS(trm_optimizer, trm__optimizer_words)
