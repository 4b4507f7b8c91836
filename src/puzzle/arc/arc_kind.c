/* Grids of ARC's tasks as a kind of puzzle. */
#include "puzzle/arc/arc_grid.h"
#include "puzzle/arc/arc_move.h"
#include "puzzle/kind.h"

static const char *const symbols[TRM__ARC_COLOURS] = {"0", "1", "2", "3", "4",
                                                      "5", "6", "7", "8", "9"};
/* The colours in which the tasks are published. */
static const uint32_t fill[TRM__ARC_COLOURS] = {0x000000, 0x0074D9, 0xFF4136, 0x2ECC40, 0xFFDC00,
                                                0xAAAAAA, 0xF012BE, 0xFF851B, 0x7FDBFF, 0x870C25};

static trm_status check(const trm_puzzle *p, const char *file, trm_error *err) {
  if (p->rows == p->cols && p->rows <= TRM__ARC_SIDE) return TRM_OK;
  TRM_FAIL(err, TRM_E_CONFIG,
           "%s: puzzle: %d x %d cells; expected a square of up to 30 x 30 of ARC", file, p->rows,
           p->cols);
}

/* The copies are as they were drawn when the data set was made, for an id stands for one of them;
 * what is fresh at every draw is where the pair lies. */
static void image(const trm_puzzle *p, trm__rng *rng, const int32_t *from_inputs,
                  const int32_t *from_labels, int32_t *inputs, int32_t *labels) {
  trm__arc_move(rng, p->rows, from_inputs, from_labels, inputs, labels);
}

/* Data that do not say what they hold are ARC's when they have the shape of the reference's. */
static bool fits(int seq_len, int vocab_size, trm_puzzle *p) {
  *p = (trm_puzzle){.kind = TRM_PUZZLE_ARC, .rows = TRM__ARC_SIDE, .cols = TRM__ARC_SIDE};
  return seq_len == TRM__ARC_CELLS && vocab_size == TRM__ARC_FIRST + TRM__ARC_COLOURS;
}

static bool is_id(const char *name) {
  size_t length;
  trm__arc_copy copy;
  return trm__arc_copy_parse(name, &length, &copy);
}

const trm__puzzle_kind trm__kind_arc = {
    .name = "arc",
    .facts = {.title = "ARC, grids",
              .build = "trm data build arc --num-aug 1000",
              .tasks = true,
              .pixels = true,
              .fill = fill,
              .n_fill = TRM__ARC_COLOURS},
    .symbols = symbols,
    .n_symbols = TRM__ARC_COLOURS,
    .sized = true,
    .check = check,
    .image = image,
    .fits = fits,
    .is_id = is_id,
    .wanted_id =
        "a task's id, or ID|||tK|||COLOURS of a copy (K 0 to 7, COLOURS 0 to 9 in any order)",
};
