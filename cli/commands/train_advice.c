/* What a plan should make its reader think of before hours go into it: puzzles that are learned by
 * heart, a training of days. */
#include <string.h>

#include "cli/commands/train_plan.h"

/* Puzzles may be seen so often as they are: maze-small, which wants many mazes, sees each 14 times,
 * the published runs see each of theirs 50,000 times. */
enum { SEEN_OFTEN = 20 };
static const double long_run = 86400; /* seconds */

void train_advise_data(const trm_run *run) {
  const trm_run_plan *plan = trm_run_get_plan(run);
  const trm_run_config *c = trm_run_get_config(run);
  char puzzles[64], times[32], augment[32];
  const trm_dataset *data;
  const double seen = (double)plan->end / plan->updates_per_epoch;
  if (trm_run_config_get(c, "augment", augment, sizeof augment, NULL) != TRM_OK ||
      strcmp(augment, "none") != 0 || seen <= (double)SEEN_OFTEN)
    return;

  /* Of each data set by itself: whether copies are stored, or could be drawn. */
  for (int i = 0; (data = trm_run_training_set(run, i)); i++) {
    const trm_dataset_info *info = trm_dataset_get_info(data);
    if (info->puzzles > info->groups || !trm_puzzle_has_images(&info->puzzle)) continue;
    cli_format_number(info->puzzles, "puzzle", "puzzles", puzzles, sizeof puzzles);
    cli_format_count((int64_t)seen, times, sizeof times);
    const char *build = trm_puzzle_facts_of(&info->puzzle)->build;
    cli_warn(
        "%.200s: %s, each seen about %s times as it is and learned by heart: no symmetric copies "
        "are stored and none are drawn; set augment=on-the-fly%s%s",
        trm_run_config_item(c, "data_paths", i), puzzles, times,
        build ? ", or build the data set with " : "", build ? build : "");
  }
}

/* The smallest preset for a laptop that such puzzles fit. */
static const trm_run_preset *small_preset(const trm_dataset_info *info) {
  const trm_run_preset *best = NULL, *p;
  for (int i = 0; (p = trm_run_preset_at(i)); i++)
    if (p->kind == info->puzzle.kind && p->cells >= info->seq_len &&
        (!best || p->cells < best->cells))
      best = p;
  return best;
}

void train_advise_time(const trm_run *run, double seconds) {
  const trm_run_config *c = trm_run_get_config(run);
  const trm_run_preset *p = small_preset(trm_dataset_get_info(trm_run_training_set(run, 0)));
  const bool gpu = trm_run_get_plan(run)->trainer.device.kind != TRM_DEVICE_CPU;
  const char *faster = gpu ? "" : "a GPU (device=cuda:0) is far faster; ";
  const char *used = trm_run_config_item(c, "preset", 0);
  if (seconds <= long_run) return;
  if (p && !(used && !strcmp(used, p->name)))
    cli_note(
        "more than a day: `trm train preset=%s data_paths=\"[%s]\"` trains a small model for such "
        "puzzles; %smax_updates= ends it sooner",
        p->name, trm_run_config_item(c, "data_paths", 0), faster);
  else
    cli_note("more than a day: %smax_updates= ends it sooner", faster);
}
