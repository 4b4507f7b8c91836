/* What a plan should make its reader think of before hours go into it: data that are not there,
 * puzzles that are learned by heart, a training of days. */
#include <string.h>

#include "cli/run/train.h"

/* Puzzles may be seen so often as they are: maze-small, which wants many mazes, sees each 14 times,
 * the published runs see each of theirs 50,000 times. */
enum { SEEN_OFTEN = 20 };
static const double long_run = 86400; /* seconds */

/* The preset that is in use, or else one that wants its data there. */
static const config_preset *preset_of_data(const run_config *c, const char *dir) {
  char setting[CLI_PATH_MAX];
  if (c->preset) return config_find_preset(c->preset);
  snprintf(setting, sizeof setting, "data_paths=[%s]", dir);
  for (const config_preset *p = config_presets; p->name; p++)
    for (const char *const *s = p->settings; *s; s++)
      if (!strcmp(*s, setting)) return p;
  return NULL;
}

trm_status train_advise_missing(const run_config *c, const char *dir, trm_error *err) {
  static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-+";
  const config_preset *p = preset_of_data(c, dir);
  const char *quote = dir[strspn(dir, plain)] ? "'" : "";
  if (!p)
    return cli_fail(err, TRM_E_IO, -1,
                    "%s does not exist: want a folder that `trm data gen` or `trm data build` made "
                    "(see their --help)",
                    dir);
  return cli_fail(
      err, TRM_E_IO, -1, "%s does not exist; make it with: %s --output-dir %s%s%s%s", dir, p->make,
      quote, dir, quote,
      strstr(p->make, " build ") ? " (docs/BUILD_DATA.md says where its files are from)" : "");
}

void train_advise_data(const run_config *c, const train_data *d, const train_schedule *s) {
  char puzzles[64], times[32];
  const double seen = (double)s->end / s->updates_per_epoch;
  if (c->augment != TRM_AUGMENT_NONE || seen <= SEEN_OFTEN) return;
  for (int i = 0; i < d->n_train; i++) {
    const trm_dataset_info *info = trm_dataset_get_info(d->train[i]);
    if (info->puzzles > info->groups || !trm_puzzle_has_images(&info->puzzle)) continue;
    cli_format_number(info->puzzles, "puzzle", "puzzles", puzzles, sizeof puzzles);
    cli_format_count((int64_t)seen, times, sizeof times);
    cli_warn(
        "%.200s: %s, each seen about %s times as it is and learned by heart: no symmetric copies "
        "are stored and none are drawn; set augment=on-the-fly, or build the data set with %s",
        c->data_paths.v[i], puzzles, times,
        info->puzzle.kind == TRM_PUZZLE_MAZE ? "--aug" : "--num-aug 1000");
  }
}

/* The smallest preset for a laptop that such puzzles fit. */
static const config_preset *small_preset(const trm_dataset_info *info) {
  const config_preset *best = NULL;
  for (const config_preset *p = config_presets; p->name; p++)
    if (p->kind == info->puzzle.kind && p->cells >= info->seq_len &&
        (!best || p->cells < best->cells))
      best = p;
  return best;
}

void train_advise_time(const run_config *c, const train_data *d, double seconds) {
  const config_preset *p = small_preset(trm_dataset_get_info(d->train[0]));
  const bool gpu = trm_device_resolve(c->trainer.device, NULL).kind != TRM_DEVICE_CPU;
  const char *faster = gpu ? "" : "a GPU (device=cuda:0) is far faster; ";
  if (seconds <= long_run) return;
  if (p && !(c->preset && !strcmp(c->preset, p->name)))
    cli_note(
        "more than a day: `trm train preset=%s data_paths=\"[%s]\"` trains a small model for such "
        "puzzles; %smax_updates= ends it sooner",
        p->name, c->data_paths.v[0], faster);
  else
    cli_note("more than a day: %smax_updates= ends it sooner", faster);
}
