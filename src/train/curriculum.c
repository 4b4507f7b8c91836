/* See curriculum.h. */
#include "train/curriculum.h"

#include <string.h>

/* --- as a text --- */

/* A whole number of up to three digits between two texts: what is behind them, or NULL. */
static const char *read_number(const char *text, const char *before, int *out, const char *after) {
  int n = 0, digits = 0;
  if (strncmp(text, before, strlen(before)) != 0) return NULL;
  for (text += strlen(before); *text >= '0' && *text <= '9' && digits < 3; digits++)
    n = 10 * n + (*text++ - '0');
  *out = n;
  return digits && !strncmp(text, after, strlen(after)) ? text + strlen(after) : NULL;
}

/* One stage, of n bytes: "30%:T1n2". */
static bool read_stage(const char *text, size_t n, trm_stage *out) {
  char copy[32];
  while (n && *text == ' ') text++, n--;
  if (n >= sizeof copy) return false;
  memcpy(copy, text, n);
  copy[n] = 0;
  const char *at = read_number(copy, "", &out->percent, "%:");
  at = at ? read_number(at, "T", &out->H_cycles, "") : NULL;
  at = at ? read_number(at, "n", &out->L_cycles, "") : NULL;
  return at && !*at;
}

static bool add_stage(trm_curriculum *c, const char *text, size_t n) {
  return c->n < TRM_STAGES && read_stage(text, n, &c->stage[c->n]) && ++c->n;
}

static trm_status set_curriculum(const trm_field *f, void *at, const trm__value *v) {
  trm_curriculum got = {0};
  (void)f;
  if (v->is_list) {
    for (int i = 0; i < v->list.n; i++)
      if (!add_stage(&got, v->list.v[i], strlen(v->list.v[i]))) return TRM_E_CONFIG;
  } else if (v->quoted || strcmp(v->text, "null") != 0) {
    const char *text = v->text, *end = text + strlen(text);
    if (end - text < 2 || *text != '[' || end[-1] != ']') return TRM_E_CONFIG;
    for (text++, end--; text < end;) {
      const char *comma = memchr(text, ',', (size_t)(end - text));
      if (!comma) comma = end;
      if (!add_stage(&got, text, (size_t)(comma - text))) return TRM_E_CONFIG;
      text = comma + 1;
    }
  }
  *(trm_curriculum *)at = got;
  return TRM_OK;
}

static void print_curriculum(const trm_field *f, const void *at, trm__sink *s) {
  const trm_curriculum *c = at;
  (void)f;
  if (!c->n) trm__sink_put(s, "null");
  for (int i = 0; i < c->n && i < TRM_STAGES; i++)
    trm__sink_put(s, "%s%d%%:T%dn%d", i ? "," : "[", c->stage[i].percent, c->stage[i].H_cycles,
                  c->stage[i].L_cycles);
  if (c->n) trm__sink_put(s, "]");
}

const trm__field_type trm__field_curriculum = {"curriculum",
                                               "null or stages such as "
                                               "[30%:T1n2,60%:T2n3], 4 at most",
                                               TRM__FORM_OTHER, set_curriculum, print_curriculum};

/* --- in an update --- */

trm_status trm__curriculum_check(const trm_trainer_config *config, trm_error *err) {
  const trm_curriculum *c = &config->curriculum;
  if (c->n < 0 || c->n > TRM_STAGES)
    TRM_FAIL(err, TRM_E_CONFIG, "curriculum: %d stages; want at most %d", c->n, TRM_STAGES);
  for (int i = 0; i < c->n; i++) {
    const int before = i ? c->stage[i - 1].percent : 0;
    if (c->stage[i].percent <= before || c->stage[i].percent > 100)
      TRM_FAIL(err, TRM_E_CONFIG,
               "curriculum: stage %d ends at %d %% of the updates; want more than %d, up to 100",
               i + 1, c->stage[i].percent, before);
  }
  if (c->n && config->total_steps < 1)
    TRM_FAIL(err, TRM_E_CONFIG, "curriculum: its shares are of total_steps, which is 0");
  return TRM_OK;
}

int trm__curriculum_stage(const trm_curriculum *c, int64_t update, int64_t total) {
  int i = 0;
  while (i < c->n && (double)update * 100 >= c->stage[i].percent * (double)total) i++;
  return i;
}

/* The model's configuration in a stage. */
static trm_status stage_of(const trm_stage *stage, const trm_model_config *model,
                           trm_model_config *out, trm_error *err) {
  const trm__arch *arch = trm__arch_of(model->arch);
  *out = *model;
  if (arch->once || arch->latent_per_update)
    TRM_FAIL(err, TRM_E_CONFIG, "%s has %s", trm_arch_name(model->arch),
             arch->once ? "no cycles" : "a latent for every update of a cycle");
  if (stage->H_cycles > model->H_cycles || stage->L_cycles > model->L_cycles)
    TRM_FAIL(
        err, TRM_E_CONFIG,
        "the model has T = %d, n = %d, and a stage can have no more (curriculum=null: no stages)",
        model->H_cycles, model->L_cycles);
  out->H_cycles = stage->H_cycles;
  out->L_cycles = stage->L_cycles;
  return trm_model_config_check(out, err);
}

/* Of each stage its plan; out NULL: whether it can have one. */
static trm_status each_stage(const trm_curriculum *c, const trm_model_config *model,
                             trm__plan **out, trm_error *err) {
  for (int i = 0; i < c->n; i++) {
    trm_model_config stage;
    trm_error why = {0};
    trm_status st = stage_of(&c->stage[i], model, &stage, &why);
    if (st == TRM_OK && out) st = trm__plan_create(&stage, &out[i], &why);
    if (st != TRM_OK)
      TRM_FAIL(err, st, "curriculum: stage %d (T%dn%d): %s", i + 1, c->stage[i].H_cycles,
               c->stage[i].L_cycles, why.msg);
  }
  return TRM_OK;
}

trm_status trm__curriculum_fits(const trm_curriculum *c, const trm_model_config *model,
                                trm_error *err) {
  return each_stage(c, model, NULL, err);
}

trm_status trm__curriculum_plans(const trm_curriculum *c, const trm_model_config *model,
                                 trm__plan *out[TRM_STAGES], trm_error *err) {
  return each_stage(c, model, out, err);
}
