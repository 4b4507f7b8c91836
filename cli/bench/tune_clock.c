/* See tune_clock.h. */
#include "cli/bench/tune_clock.h"

#include <math.h>

#include "io/json.h"

enum { MAX_FILE = 4096 };
#define FOR_EVER 1e12 /* seconds */
#define MARGIN 1.25   /* of the answers, for a machine that is not always as fast */

static trm_status read_values(tune_clock *c, trm_error *err) {
  trm__json *json;
  CLI_TRY(trm__json_load(c->file, MAX_FILE, &json, err));
  trm_status st = trm__json_double(json, c->file, "seconds", 0, FOR_EVER, &c->used, err);
  if (st == TRM_OK)
    st = trm__json_double(json, c->file, "row_step", 0, FOR_EVER, &c->row_step, err);
  if (st == TRM_OK) st = trm__json_int(json, c->file, "trained", -1, INT64_MAX, &c->trained, err);
  trm__json_free(json);
  return st;
}

/* A file of somebody else's would be lost: it is replaced while the command runs. */
static trm_status read_file(tune_clock *c, trm_error *err) {
  trm_error cause;
  const trm_status st = read_values(c, &cause);
  if (st == TRM_OK) return TRM_OK;
  return cli_fail(err, st, cause.pos,
                  "%.700s; it would be replaced, for a fine-tuning keeps its time there: move it "
                  "away, or give --state another name",
                  cause.msg);
}

trm_status tune_clock_begin(tune_clock *c, double minutes, const char *state, trm_error *err) {
  trm__kind kind, clock;
  *c = (tune_clock){.budget = minutes > 0 ? 60 * minutes : 0, .trained = -1, .started = cli_now()};
  if (!state || c->budget <= 0) return TRM_OK;
  CLI_TRY(trm__path_format(c->file, err, "%s.time", state));
  CLI_TRY(trm__path_look(state, &kind, err));
  CLI_TRY(trm__path_look(c->file, &clock, err));
  if (clock != TRM__ABSENT) CLI_TRY(read_file(c, err));
  if (kind != TRM__ABSENT) return TRM_OK;
  c->used = c->row_step = 0; /* the time of a state that is gone */
  c->trained = -1;
  return TRM_OK;
}

double tune_clock_used(const tune_clock *c) {
  return c->used + cli_now() - c->started;
}

bool tune_clock_over(const tune_clock *c) {
  return c->budget > 0 && tune_clock_used(c) >= c->budget;
}

bool tune_clock_answers_are_due(const tune_clock *c) {
  const double needed = fmin(MARGIN * c->row_step * c->answers, c->budget / 2);
  return c->budget > 0 && tune_clock_used(c) >= c->budget - needed;
}

void tune_clock_keep(tune_clock *c, bool at_once) {
  if (!*c->file || (!at_once && cli_now() - c->saved_at < 1)) return;
  trm__json_out o = trm__json_begin(TRM__JSON_SPACED);
  trm__json_open(&o, NULL, '{');
  trm__json_put_real(&o, "seconds", tune_clock_used(c));
  trm__json_put_real(&o, "row_step", c->row_step);
  trm__json_put_int(&o, "trained", c->trained);
  trm__json_close(&o);
  c->status = trm__json_save(c->file, &o, &c->error);
  if (c->status != TRM_OK) c->file[0] = 0;
  c->saved_at = cli_now();
}
