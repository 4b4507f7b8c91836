/* The rules: docs/MODEL.md section 4 has their equations. */
#include "train/rules.h"

#include "base/carve.h"

/* X and its successor, two squares of the shorter side. A GPU has these of all matrices at once and
 * partial norms; a CPU those of one, the norms of its rows, and an operand B, in whose panels
 * columns are missing. */
static int64_t muon_scratch(const trm__segment *s) {
  const int64_t side = s->rows < s->cols ? s->rows : s->cols, length = s->rows + s->cols - side;
  const int64_t of_one = 2 * side * length + 2 * side * side;
  const int64_t norms = 2 * (side * length / TRM__CHUNK + 1);
  const int64_t operand = (side + TRM__MOST_COLS) * (length + TRM__MOST_COLS);
  return s->count * (of_one + norms) + operand + side + 8 * TRM__CARVE_ALIGN;
}

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
                      .scratch = muon_scratch},
    [TRM__RULE_SIGN_ROWS] = {.word = {"sign_rows", NULL}, .by_matrix = true},
};

const trm__words trm__optimizer_words = {trm__rules, sizeof *trm__rules, TRM_OPTIMIZERS, NULL};

TRM__WORDS_FUNCTIONS(trm_optimizer, trm__optimizer_words)
