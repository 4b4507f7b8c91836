/* Variants of a model (docs/MODEL.md sections 5 to 7) from training to an answer: a run that is
 * stopped goes on, and what it leaves says the same as a run, as one file and as a file of torch.
 */
#include "tiny_runs.h"

enum { SETTINGS = 3, PATH = 200 };
#define STATE "step_4/trainer.safetensors"

static const struct variant {
  const char *name, *settings[SETTINGS];
  const char *says; /* of config.json; NULL: nothing of a model */
} variants[] = {
    {"tied", {"arch.tie_embeddings=true"}, "\"tie_embeddings\": true"},
    {"smoothed", {"arch.loss.label_smoothing=0.1"}, "\"label_smoothing\": 0.1"},
    {"softmax",
     {"arch.loss.loss_type=softmax_cross_entropy", "arch.loss.label_smoothing=0.2"},
     "\"loss_type\": \"softmax_cross_entropy\""},
    {"learned", {"arch.learned_latents=true", "arch.grad=all"}, "\"learned_latents\": true"},
    {"both",
     {"arch.tie_embeddings=true", "arch.learned_latents=true", "arch.H_cycles=1"},
     "\"learned_latents\": true"},
    {"nets", {"arch.nets=separate"}, "\"nets\": \"separate\""},
    {"last", {"arch.grad=last:4"}, "\"grad\": \"last:4\""},
    {"one_step", {"arch.grad=one_step", "arch.nets=separate"}, "\"grad\": \"one_step\""},
    {"always", {"arch.x_always=true"}, "\"x_always\": true"},
    {"never", {"arch.halting=never"}, "\"halting\": \"never\""},
    {"solved", {"arch.halting=solved", "arch.no_ACT_continue=false"}, "\"halting\": \"solved\""},
    {"hier", {"arch=trm_hier", "arch.L_cycles=3", "arch.L_layers=1"}, "\"arch\": \"trm_hier\""},
    {"experts", {"arch.moe=switch:3", "arch.nets=separate"}, "\"moe\": \"switch:3\""},
    {"all_experts",
     {"arch.moe=noisy_top2:4", "arch.moe_t=switch:2", "arch.no_ACT_continue=false"},
     "\"moe_t\": \"switch:2\""},
    {"muon", {"optimizer=muon", "arch.loss.q_weight=0.05", "grad_clip=0.5"}, "\"q_weight\": 0.05"},
    {"solver",
     {"arch.solver=anderson", "arch.solver_iterations=3", "arch.solver_grad=phantom:2"},
     "\"solver\": \"anderson\""},
    {"constrained", {"arch.loss.constraint_weight=0.3"}, "\"constraint_weight\": 0.3"},
    {"feedback", {"arch.feedback=true", "arch.feedback_corrupt_prob=0.9"}, "\"feedback\": true"},
    {"tables", {"arch.grid_tables=true", "arch.registers=2"}, "\"grid_tables\": true"},
    {"gates", {"arch.gate_norm=true", "arch.inner_norm_eps=1e-5"}, "\"gate_norm\": true"},
    {"heads",
     {"arch.qk_norm=true", "arch.mlp_t=false", "arch.attn_out_norm=true"},
     "\"attn_out_norm\": true"},
    {"rope2d",
     {"arch.rope_theta_cols=100", "arch.mlp_t=false", "arch.pos_encodings=rope2d"},
     "\"pos_encodings\": \"rope2d\""},
    {"drawn",
     {"arch.start_std=1", "arch.damping=0.1", "arch.update_noise=0.05"},
     "\"update_noise\": 0.05"},
    {"weighted",
     {"arch.loss.step_decay=0.7", "arch.loss.step_decay_q=true"},
     "\"step_decay\": 0.7"},
};
enum { N_VARIANTS = sizeof variants / sizeof *variants };

/* `arch=` resets what stands before it, so it comes first. */
static int train(scratch *s, const struct variant *v, const char *run, const char *updates) {
  const char *args[MAX_ARGS] = {"train", "-q", v->settings[0], TINY_RUN("1000")};
  char run_name[60], max_updates[40];
  int n = 0;
  while (args[n]) n++;
  snprintf(run_name, sizeof run_name, "run_name=%s", run);
  snprintf(max_updates, sizeof max_updates, "max_updates=%s", updates);
  for (int i = 1; i < SETTINGS && v->settings[i]; i++) args[n++] = v->settings[i];
  args[n++] = "project_name=Data4-trm"; /* whatever the architecture */
  args[n++] = run_name;
  args[n++] = max_updates;
  return run_with(s, &(launch){0}, args);
}

/* What an evaluation measures, behind the line that names the model. */
static void evaluate(scratch *s, const char *model, char *measured) {
  want(RUN("eval", model, data_dir, "--threads", "1"), 0);
  snprintf(measured, TEXT, "%s", strchr(out_text, '\n'));
}

static void same_evaluation(scratch *s, const char *model, const char *expected) {
  static char measured[TEXT];
  evaluate(s, model, measured);
  assert_string_equal(measured, expected);
}

/* Two updates and two more are four. */
static void goes_on(scratch *s, const struct variant *v) {
  char whole[PATH], parts[PATH], part_name[40];
  snprintf(part_name, sizeof part_name, "%s_parts", v->name);
  want(train(s, v, v->name, "4"), 0);
  want(train(s, v, part_name, "2"), 0);
  snprintf(parts, sizeof parts, "%s", run_path(s, part_name, ""));
  want(RUN("train", "-q", "--resume", parts, "max_updates=4"), 0);
  snprintf(parts, sizeof parts, "%s", run_path(s, part_name, STATE));
  snprintf(whole, sizeof whole, "%s", run_path(s, v->name, STATE));
  same_files(whole, parts);
}

static void every_variant_is_trained_kept_and_used(void **state) {
  scratch *s = *state;
  static char measured[TEXT];
  for (const struct variant *v = variants; v < variants + N_VARIANTS; v++) {
    char run[PATH], file[PATH], torch[PATH], name[60];
    goes_on(s, v);
    snprintf(run, sizeof run, "%s", run_path(s, v->name, ""));
    want(RUN("info", run, "--json"), 0);
    says(out_text, v->says);
    evaluate(s, run, measured);
    want(RUN("solve", run, "--puzzle", "1..............."), 0);

    /* One file, and what torch reads, with the configuration beside it. */
    snprintf(name, sizeof name, "%s.safetensors", v->name);
    snprintf(file, sizeof file, "%s", scratch_path(s, name));
    want(RUN("convert", run, file), 0);
    same_evaluation(s, file, measured);
    snprintf(name, sizeof name, "torch_%s", v->name);
    assert_int_equal(trm__make_dirs(scratch_path(s, name), NULL), TRM_OK);
    snprintf(torch, sizeof torch, "%s/step_4.pt", s->path);
    want(RUN("convert", run, torch), 0);
    same_evaluation(s, torch, measured);
  }
}

/* What a variant is held to beside the labels. */
static void the_log_has_the_constraint_loss(void **state) {
  scratch *s = *state;
  static char text[TEXT];
  slurp(run_path(s, "constrained", "log.jsonl"), text);
  says(text, "\"train/constraint_loss\":0.");
  slurp(run_path(s, "tables", "log.jsonl"), text);
  assert_null(strstr(text, "constraint_loss"));
}

/* Another variant's weights are no start for a run; those of the same are. */
static void weights_of_another_variant_are_refused(void **state) {
  scratch *s = *state;
  static const struct {
    const char *from, *setting, *says;
  } cases[] = {
      {"tied", "seed=1", "the configuration has to say tie_embeddings = true"},
      {"smoothed", "arch.tie_embeddings=true", "the token embedding is the head, and there is no"},
      {"nets", "seed=1", "the configuration has to say nets = separate"},
      {"smoothed", "arch.nets=separate", "the configuration has to say nets = shared"},
      {"experts", "arch.nets=separate", "the configuration has to say moe = switch:N"},
      {"all_experts", "arch.moe=noisy_top2:4", "the configuration has to say moe_t = switch:N"},
      {"smoothed", "arch.moe=switch:3", "the configuration has to say moe = none"},
      {"feedback", "seed=1", "the configuration has to say feedback = true"},
      {"smoothed", "arch.feedback=true", "the configuration has to say feedback = false"},
      {"tables", "arch.registers=2", "the configuration has to say grid_tables = true"},
      {"tables", "arch.grid_tables=true", "the configuration has to say how many: registers = R"},
      {"smoothed", "arch.registers=2", "the configuration has to say registers = 0"},
      {"smoothed", "arch.grid_tables=true", "has to say grid_tables = false"},
      {"smoothed", "seed=1", NULL},
      {"tied", "arch.tie_embeddings=true", NULL},
      {"learned", "seed=1", NULL}, /* starts that stay as they were learned */
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char load[PATH + 40], name[60];
    snprintf(name, sizeof name, "run_name=start%zu", i);
    snprintf(load, sizeof load, "load_checkpoint=%s", run_path(s, cases[i].from, "step_4"));
    want(RUN("train", "-q", TINY_RUN("1000"), cases[i].setting, load, name, "max_updates=1"),
         cases[i].says ? 3 : 0);
    if (cases[i].says) says(err_text, cases[i].says);
  }
}

static void what_cannot_be_is_refused(void **state) {
  scratch *s = *state;
  static const struct {
    const char *settings[2], *says;
  } cases[] = {
      {{"arch.learned_latents=true", NULL}, "only the last 3 of 6 updates have one"},
      {{"arch.learned_latents=true", "arch.grad=last:5"}, "it needs grad = all"},
      {{"arch.loss.label_smoothing=1", NULL}, "want a number from 0 to 0.999999, got '1'"},
      {{"arch.loss.label_smoothing=-0.1", NULL}, "want a number from 0"},
      {{"label_smoothing=0.1", NULL}, "did you mean 'arch.loss.label_smoothing'?"},
      {{"arch.tie_word_embeddings=true", NULL}, "did you mean 'arch.tie_embeddings'?"},
      {{"arch.tie_embeddings=maybe", NULL}, "want True or False"},
      {{"arch.feedback=true", "arch.no_ACT_continue=false"}, "it needs no_ACT_continue = true"},
      {{"arch.feedback_corrupt_cells=1.5", NULL}, "want a number from 0 to 1"},
      {{"arch.nets=two", NULL}, "want one of shared, separate"},
      {{"arch.grad=last", NULL}, "last:N (N from 1 to"},
      {{"arch.grad=last:7", NULL}, "7 updates with gradient are wanted"},
      {{"arch.qk_norm=true", NULL}, "there is no attention"},
      {{"arch.inner_norm_eps=0", NULL}, "want a number above 0"},
      {{"arch.halting=sometimes", NULL}, "want one of q, never, solved"},
      {{"arch=trm_hier", "arch.L_cycles=17"}, "trm_hier has 16 latents"},
      {{"muon_steps=5", NULL}, "muon_steps: optimizer = adam_atan2 does not look at it"},
      {{"adam_lr=1e-3", "optimizer=adamw"}, "adam_lr: optimizer = adamw does not look at it"},
      {{"arch=transformers_baseline", "arch.nets=separate"}, "has one update"},
      {{"arch=transformers_baseline", "arch.grad=last:2"}, "2 updates with gradient are wanted"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const bool other = !strncmp(cases[i].settings[0], "arch=", 5);
    const char *last = cases[i].settings[1] ? cases[i].settings[1] : "seed=1";
    int code =
        other ? RUN("train", "--dry-run", data_setting, out_setting, cases[i].settings[0], last)
              : RUN("train", "--dry-run", TINY_RUN("1000"), cases[i].settings[0], last);
    if (code == 0) fail_msg("%s is taken", cases[i].settings[0]);
    says(err_text, cases[i].says);
  }
}

/* A file of torch whose configuration forgot its experts. */
static void a_torch_file_of_experts_needs_its_words(void **state) {
  scratch *s = *state;
  static const char words[] = "moe: switch:3";
  static char text[TEXT];
  char torch[PATH], yaml[PATH];
  snprintf(torch, sizeof torch, "%s", scratch_path(s, "torch_experts/step_4.pt"));
  snprintf(yaml, sizeof yaml, "%s", scratch_path(s, "torch_experts/all_config.yaml"));
  slurp(yaml, text);
  char *at = strstr(text, words);
  if (!at) fail_msg("%s has no %s", yaml, words);
  memset(at, ' ', strlen(words));
  FILE *f = fopen(yaml, "w");
  assert_non_null(f);
  fputs(text, f);
  assert_int_equal(fclose(f), 0);
  want(RUN("eval", torch, data_dir), 3);
  says(err_text, "no layers of L_level");
  says(err_text, "the configuration has to say moe = switch:N");
}

/* What no tensor shows and some options depend on, the size of the grid and its blanks, is said by
 * data or by a file of trm's own: whoever has neither is told of that. */
static void a_torch_file_says_that_it_wants_data(void **state) {
  scratch *s = *state;
  static const struct variant blind[] = {
      {"blind_feedback",
       {"arch.feedback=true", "arch.mlp_t=false", "arch.pos_encodings=rope"},
       NULL},
      {"blind_tables",
       {"arch.grid_tables=true", "arch.mlp_t=false", "arch.pos_encodings=rope"},
       NULL}};
  for (size_t i = 0; i < 2; i++) {
    char run[PATH], torch[PATH], file[PATH], name[60], remedy[2 * PATH];
    want(train(s, &blind[i], blind[i].name, "1"), 0);
    snprintf(run, sizeof run, "%s", run_path(s, blind[i].name, ""));
    snprintf(name, sizeof name, "torch_%s", blind[i].name);
    assert_int_equal(trm__make_dirs(scratch_path(s, name), NULL), TRM_OK);
    snprintf(torch, sizeof torch, "%s/step_1.pt", s->path);
    snprintf(file, sizeof file, "%s/model.safetensors", s->path);
    snprintf(remedy, sizeof remedy, "trm convert %s model.safetensors --data DATA", torch);
    want(RUN("convert", run, torch), 0);
    want(RUN("info", torch), 3);
    says(err_text, remedy);
    assert_int_not_equal(RUN("solve", torch, "--puzzle", "1..............."), 0);
    says(err_text, remedy);
    want(RUN("convert", torch, file, "--data", data_dir), 0);
    want(RUN("info", file), 0);
    want(RUN("solve", file, "--puzzle", "1..............."), 0);
  }
}

static void make_mazes(scratch *s, char mazes[PATH], char setting[PATH + 20]) {
  snprintf(mazes, PATH, "%s", scratch_path(s, "mazes"));
  (void)RUN("data", "gen", "maze", "--size", "5", "--train", "8", "--test", "4", "--min-path", "4",
            "--output-dir", mazes);
  snprintf(setting, PATH + 20, "data_paths=[%s]", mazes);
}

/* The same of the cells that are no walls, whose number is that of a maze. */
static void a_torch_file_of_open_cells_wants_data(void **state) {
  scratch *s = *state;
  static const char maze[] = "S    /#### /     / ####/    G";
  char mazes[PATH], torch[PATH], file[PATH], remedy[2 * PATH], paths[PATH + 20];
  make_mazes(s, mazes, paths);
  const struct variant open = {"open", {"arch.open_cells=true", "arch.mlp_t=false", paths}, NULL};
  want(train(s, &open, open.name, "1"), 0);
  assert_int_equal(trm__make_dirs(scratch_path(s, "torch_open"), NULL), TRM_OK);
  snprintf(torch, sizeof torch, "%s/step_1.pt", s->path);
  snprintf(file, sizeof file, "%s/model.safetensors", s->path);
  snprintf(remedy, sizeof remedy, "trm convert %s model.safetensors --data DATA", torch);
  want(RUN("convert", run_path(s, open.name, ""), torch), 0);
  want(RUN("info", torch), 3);
  says(err_text, remedy);
  want(RUN("convert", torch, file), 3);
  says(err_text, remedy);
  want(RUN("convert", torch, file, "--data", mazes), 0);
  want(RUN("solve", file, "--puzzle", maze), 0);
}

/* How many cells are open is counted in the data, and not asked for again. */
static void a_sweep_of_open_cells_is_found_again(void **state) {
  scratch *s = *state;
  char mazes[PATH], paths[PATH + 20];
  make_mazes(s, mazes, paths);
  static const char *const updates[] = {"max_updates=1", "max_updates=1", "max_updates=2"};
  for (size_t i = 0; i < 3; i++)
    want(RUN("train", "-q", TINY_RUN("1000"), "-m", "arch.open_cells=true", "arch.mlp_t=false",
             paths, "seed=1,2", "run_name=cells", updates[i]),
         0);
  assert_int_not_equal(
      RUN("train", "-q", TINY_RUN("1000"), "-m", "arch.open_cells=true", "arch.mlp_t=false",
          "arch.max_open_cells=25", paths, "seed=1,2", "run_name=cells", "max_updates=1"),
      0);
  says(err_text, "is a run of other settings: its arch.max_open_cells");
}

/* A resumed run keeps its variant. */
static void a_run_keeps_its_variant(void **state) {
  scratch *s = *state;
  char run[PATH];
  snprintf(run, sizeof run, "%s", run_path(s, "tied", ""));
  want(RUN("train", "-q", "--resume", run, "max_updates=6", "arch.tie_embeddings=false"), 2);
  says(err_text, "a resumed run keeps its configuration");
}

static int open_variants(void **state) {
  return open_runs(state, 40, 12, 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_variant_is_trained_kept_and_used),
      cmocka_unit_test(the_log_has_the_constraint_loss),
      cmocka_unit_test(weights_of_another_variant_are_refused),
      cmocka_unit_test(a_torch_file_of_experts_needs_its_words),
      cmocka_unit_test(a_torch_file_says_that_it_wants_data),
      cmocka_unit_test(a_torch_file_of_open_cells_wants_data),
      cmocka_unit_test(a_sweep_of_open_cells_is_found_again),
      cmocka_unit_test(a_run_keeps_its_variant),
      cmocka_unit_test(what_cannot_be_is_refused),
  };
  return cmocka_run_group_tests_name("program, variants", tests, open_variants, scratch_close);
}
