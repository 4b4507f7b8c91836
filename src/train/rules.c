/* The rules: docs/MODEL.md section 4 has their equations. */
#include "train/rules.h"

const trm__rule_about trm__rules[TRM__RULES] = {
    [TRM_OPT_ADAM_ATAN2] = {.state = {"adam_m", "adam_v"}, .never_negative = {false, true}},
    [TRM_OPT_ADAMW] = {.state = {"adam_m", "adam_v"}, .never_negative = {false, true}},
    [TRM__RULE_SIGN_ROWS] = {.by_matrix = true},
};
