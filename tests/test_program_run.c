/* A run folder that was copied, cut, edited, or comes from a stranger: it goes on after its newest
 * complete checkpoint or says why not, and nothing outside of it changes. */
#include <sys/stat.h>

#include "launch.h"

static char data_setting[200], out_path[160];

#define TINY                                                                                    \
  "preset=sudoku4", data_setting, "arch.hidden_size=32", "arch.num_heads=1", "arch.H_cycles=1", \
      "arch.L_cycles=1", "arch.halt_max_steps=2", "global_batch_size=8", "lr_warmup_steps=0",   \
      "threads=1", "eval_limit=10", "seed=3"

/* A shell line in the scratch folder; what the system's own tools do to a folder. */
static void shell(scratch *s, const char *line) {
  char text[1200];
  snprintf(text, sizeof text, "cd %s && %s", s->dir, line);
  if (system(text) != 0) fail_msg("%s", text);
}

static int answers(scratch *s, const char *line) {
  char text[1200];
  snprintf(text, sizeof text, "cd %s && %s", s->dir, line);
  return system(text);
}

static const char *path_of(scratch *s, const char *name) {
  snprintf(out_path, sizeof out_path, "%s/%s", s->dir, name);
  return out_path;
}

/* The data; `run`, stopped after five updates; `whole`, the same up to nine. */
static int make_runs(void **state) {
  if (scratch_open(state)) return -1;
  scratch *s = *state;
  char at[200];
  want(RUN("data", "gen", "sudoku", "--size", "4", "--train", "60", "--test", "20", "--output-dir",
           path_of(s, "s4")),
       0);
  snprintf(data_setting, sizeof data_setting, "data_paths=[%s/s4]", s->dir);
  snprintf(at, sizeof at, "checkpoint_path=%s/whole", s->dir);
  want(RUN("train", TINY, at, "max_updates=9"), 0);
  snprintf(at, sizeof at, "checkpoint_path=%s/run", s->dir);
  want(RUN("train", TINY, at, "max_updates=5"), 0);
  return 0;
}

static int resume(scratch *s, const char *name) {
  char path[160];
  snprintf(path, sizeof path, "%s/%s", s->dir, name);
  return RUN("train", "--resume", path, "max_updates=9");
}

/* The run called `name` ended in the same bytes as one that never stopped. */
static void has_weights(scratch *s, const char *name) {
  char line[400];
  snprintf(line, sizeof line,
           "cmp whole/step_9/model.safetensors %s/step_9/model.safetensors && cmp "
           "whole/step_9/trainer.safetensors %s/step_9/trainer.safetensors",
           name, name);
  shell(s, line);
}

/* The same, and its log has a line for every update. */
static void is_whole(scratch *s, const char *name) {
  char line[200];
  has_weights(s, name);
  snprintf(line, sizeof line, "[ $(grep -c train.lm_loss %s/log.jsonl) = 9 ]", name);
  shell(s, line);
}

/* ---- copies ---- */

/* What copies make of a run, whether of this release, whose best and last are files, or of an older
 * one, whose best and last are links: the state is in the steps. */
static void copies_go_on(void **state) {
  /* Ways to copy a run, of which some leave its two names out, or make them say something else. */
  static const char *const makes[] = {
      "cp -r run copy",
      "cp -r run copy && rm copy/best copy/last",
      "cp -r run copy && cd copy && ln -sf step_5 best && ln -sf step_5 last",
      "cp -r run copy && cd copy && rm best last && cp -r step_5 best && cp -r step_5 last",
      "cp -r run copy && cd copy && rm best last && cp -r step_5 last && mv step_5 best",
      "cp -r run copy && cd copy && rm last && mv step_5 last",
      "cp -r run copy && cd copy && printf step_5 > best && printf 'step_5\\r\\n' > last",
      "cp -r run copy && cd copy && ln -sf /nowhere best && ln -sfn .. last",
      "cp -r run copy && cd copy && echo step_1 > last",
      "cp -r run copy && cd copy && rm last && mkdir last && touch last/mine",
      ("cp -r run copy && cp -r run/step_5 copy/step_7.trm-partial && cp -r run/step_5 "
       "copy/best.tmp"),
      "cp -r run copy && mkdir copy/best_models.tmp && touch copy/step_notes.tmp copy/last.old.tmp",
      "cp -al run copy",
  };

  /* Each goes on to the end of the run, whole. */
  scratch *s = *state;
  for (size_t i = 0; i < sizeof makes / sizeof *makes; i++) {
    shell(s, makes[i]);
    want(resume(s, "copy"), 0);
    is_whole(s, "copy");

    /* The names are written anew, drafts are gone, and what only looks like ours stays. */
    shell(s,
          "grep -qx step_9 copy/last && [ -f copy/best ] && [ ! -e copy/step_7.trm-partial ] && "
          "[ ! -e copy/best.tmp ]");
    if (strstr(makes[i], "notes")) /* names that only look like ours */
      shell(
          s,
          "[ -d copy/best_models.tmp ] && [ -f copy/step_notes.tmp ] && [ -f copy/last.old.tmp ]");
    if (strstr(makes[i], "mine")) shell(s, "[ -f copy/last.set-aside/mine ]");
    shell(s, "rm -r copy");
  }

  /* The run that was copied is as it was, and its log, which one copy shares, has not grown. */
  is_whole(s, "whole");
  shell(
      s,
      "[ $(wc -l < run/log.jsonl) -lt $(wc -l < whole/log.jsonl) ]"); /* the one copied by cp -al */
}

/* A run that another set of kernels began has other bits from now on: it goes on, and says so. */
static void other_kernels_are_told(void **state) {
  scratch *s = *state;
  char said[80];
  snprintf(said, sizeof said, "the kernels %s, not others as before update 5", trm_isa());
  shell(s,
        "cp -r run copy && sed -i 's/\"kernels\":\"[^\"]*\"/\"kernels\":\"others\"/' "
        "copy/record.jsonl");
  want(resume(s, "copy"), 0);
  says(err_text, said);
  is_whole(s, "copy");

  /* By now its newest start is of these. */
  want(resume(s, "copy"), 0);
  assert_null(strstr(err_text, "kernels"));
  shell(s, "rm -r copy && cp -r run copy");
  want(resume(s, "copy"), 0);
  assert_null(strstr(err_text, "kernels"));
  shell(s, "rm -r copy");
}

/* Another checkpoint where a copy of step_5 is expected is kept. */
static void what_is_not_a_copy_is_kept(void **state) {
  scratch *s = *state;
  shell(s,
        "cp -r run copy && cd copy && rm best && cp -r step_5 best && "
        "printf x >> best/model.safetensors");
  want(resume(s, "copy"), 0);
  says(err_text, "best.set-aside");
  is_whole(s, "copy");
  shell(s, "[ -f copy/best.set-aside/model.safetensors ] && rm -r copy");
}

/* ---- parts that are missing ---- */

static void an_incomplete_checkpoint_is_named(void **state) {
  static const char *const breaks[] = {
      "rm copy/step_7/run.json", "rm copy/step_7/model.safetensors",
      "rm copy/step_7/trainer.safetensors", "echo '{}' > copy/step_7/run.json"};
  scratch *s = *state;
  for (size_t i = 0; i < sizeof breaks / sizeof *breaks; i++) {
    /* With an older one that is complete it goes on from there. */
    shell(s, "cp -r run copy && cp -r whole/step_9 copy/step_7");
    shell(s, breaks[i]);
    want(resume(s, "copy"), 0);
    says(err_text, "step_7 is not complete");
    is_whole(s, "copy");
    shell(s, "[ -d copy/step_7 ]"); /* nothing is removed that could not be read */

    /* Without one it is refused, and stays. */
    shell(s, "rm -r copy/step_5 copy/step_9");
    want(resume(s, "copy"), 3);
    says(err_text, "step_7 is not complete");
    shell(s, "[ -d copy/step_7 ] && rm -r copy");
  }
}

static void a_lost_checkpoint_is_named(void **state) {
  scratch *s = *state;
  shell(s, "cp -r run copy && rm -r copy/step_5");
  want(resume(s, "copy"), 1);
  says(err_text, "names step_5, which is not here");
  shell(s, "[ -s copy/log.jsonl ] && rm copy/best copy/last");
  want(resume(s, "copy"), 0); /* nothing says that there ever was one */
  says(err_text, "starting at update 0");
  is_whole(s, "copy");
  shell(s, "rm -r copy");
}

static void a_lost_best_is_forgotten(void **state) {
  scratch *s = *state;
  shell(s,
        "cp -r run copy && cd copy && cp -r step_5 step_4 && sed -i 's/: 5/: 4/' "
        "step_4/run.json && sed -i 's/\"best_update\": 5/\"best_update\": 3/' step_5/run.json");
  want(resume(s, "copy"), 0);
  says(err_text, "step_3, the best checkpoint, is gone");
  shell(s, "[ ! -e copy/step_4 ] && rm -r copy"); /* older, of this run, and not the best */
}

/* ---- the configuration ---- */

static void a_cut_configuration_is_refused(void **state) {
  scratch *s = *state;
  static const char *const cuts[] = {"head -c 200 run/config.yaml > copy/config.yaml",
                                     "head -c 50 run/config.yaml > copy/config.yaml",

                                     ": > copy/config.yaml",
                                     "head -5 run/config.yaml > copy/config.yaml",
                                     "sed -i '/^lr:/d' copy/config.yaml",
                                     "sed -i 's/^lr:.*/lr: 0.5/' copy/config.yaml"};
  for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
    shell(s, "cp -r run copy");
    shell(s, cuts[i]);
    const int code = resume(s, "copy");
    if (code != 2 && code != 3) fail_msg("%s: exit %d\n%s", cuts[i], code, err_text);
    says(err_text, "step_5/config.yaml");
    shell(s, "[ -d copy/step_5 ] && [ ! -e copy/step_9 ] && cp copy/step_5/config.yaml copy");
    want(resume(s, "copy"), 0);
    is_whole(s, "copy");
    shell(s, "rm -r copy");
  }
}

/* The checkpoints have it, too: the message says which file to copy, and the copy goes on. */
static void a_lost_configuration_is_found(void **state) {
  scratch *s = *state;
  shell(s, "cp -r run copy && rm copy/config.yaml");
  want(resume(s, "copy"), 1);
  says(err_text, "copy has no config.yaml: copy its step_5/config.yaml there\n");
  shell(s, "cp copy/step_5/config.yaml copy");
  want(resume(s, "copy"), 0);
  is_whole(s, "copy");
  shell(s, "rm -r copy");
}

static void a_resumed_run_needs_no_file_to_start_from(void **state) {
  scratch *s = *state;
  char at[200], from[200];
  shell(s, "cp -r run/step_5 start");
  snprintf(from, sizeof from, "load_checkpoint=%s/start", s->dir);
  snprintf(at, sizeof at, "checkpoint_path=%s/on", s->dir);
  want(RUN("train", TINY, at, from, "max_updates=4"), 0);
  shell(s, "rm -r start");
  want(resume(s, "on"), 0);
  shell(s, "rm -r on");
}

/* A checkpoint has a configuration, too, and is no run. */
static void a_checkpoint_is_no_run_folder(void **state) {
  scratch *s = *state;
  want(resume(s, "run/step_5"), 1);
  says(err_text, "is no run folder, but in one");
  shell(s, "[ ! -e run/step_5/log.jsonl ]");
}

/* ---- names of checkpoints ---- */

static void best_and_last_are_understood(void **state) {
  static const char *const names[] = {"run",       "run/",     "run/best",
                                      "run/best/", "run/last", "run/best/model.safetensors",
                                      "run/step_5"};
  scratch *s = *state;
  char path[200], data[200];
  snprintf(data, sizeof data, "%s/s4", s->dir);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    trm_model *m;
    snprintf(path, sizeof path, "%s/%s", s->dir, names[i]);
    want(RUN("eval", path, data, "--limit", "2"), 0);
    want(RUN("info", path), 0);
    if (i < 2) continue;
    assert_int_equal(trm_model_load(path, &m, NULL), TRM_OK);
    trm_model_free(m);
  }
  /* The state of the training is not needed for it. */
  shell(s, "cp -r run copy && cd copy && rm best last step_5/trainer.safetensors");
  snprintf(path, sizeof path, "%s/copy", s->dir);
  want(RUN("eval", path, data, "--limit", "2"), 0);
  says(err_text, "best checkpoint");
  shell(s, "rm -r copy");
}

/* ---- a folder from a stranger ---- */

/* Links under every name that is written, to a file (F) or a folder (D) outside. */
static const char *const hostile[] = {
    "ln -sf F log.jsonl",
    "rm log.jsonl; ln F log.jsonl",
    "ln -sf F config.yaml.trm-partial",
    "ln -sf F config.yaml.tmp",
    "ln -sf F log.jsonl.trm-partial",
    "ln -sf F last; ln -sf F best",
    "rm last best; ln -s D last; ln -s D best",
    "ln -sf F last.trm-partial; ln -sf D best.trm-partial",
    "ln -sf F last.tmp; ln -sf D best.tmp",
    "ln -s D step_9",
    "ln -s D step_7",
    "ln -s D step_2",
    "ln -s F step_9",
    "mkdir step_9; ln -s F step_9/run.json; ln -s F step_9/model.safetensors",
    "ln -s D step_9.trm-partial",
    "ln -s D step_9.tmp; ln -s D step_5.tmp",
    ("mkdir step_9.trm-partial; ln -s F step_9.trm-partial/run.json; ln -s D "
     "step_9.trm-partial/more"),
    "ln -s F step_5/run.json.trm-partial; ln -s F step_5/run.json.tmp",
    "ln step_5/run.json x; mv x step_5/run.json.trm-partial",
    "mv step_5/run.json x; ln -s ../x step_5/run.json",
    "mkdir last.set-aside; rm last; mkdir last; ln -s F last/run.json; ln -s D last/model",
    "rm -r step_5; cp -rL last step_5 2>/dev/null; ln -s D step_5",
    "for n in 6 7 8 9 10; do ln -s F step_$n; ln -s D step_$n.trm-partial; done",
};

static void nothing_outside_a_run_changes(void **state) {
  /* Files beside the run: what they hold, what they are and how many names they have. */
  scratch *s = *state;
  char line[1000];
  shell(s,
        "mkdir -p outside/d && echo keep > outside/f && cp -r run/step_5 outside/d/step && "
        "echo keep > outside/d/run.json && touch outside/d/model.safetensors && "
        "find outside -exec stat -c '%n %i %s %h' {} + | sort > before");

  /* A copy, of which something is a link to them. */
  for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
    shell(s, "rm -rf copy && cp -r run copy");
    snprintf(line, sizeof line,
             "F=$PWD/outside/f; D=$PWD/outside/d; cd copy; eval \"$(echo '%s' | "
             "sed \"s#\\\\bF\\\\b#$F#g; s#\\\\bD\\\\b#$D#g\")\"",
             hostile[i]);
    (void)answers(s, line);

    /* It goes on or says why not; what it writes is its own. */
    shell(s, "find outside -exec stat -c '%n %i %s %h' {} + | sort > linked");
    const int code = resume(s, "copy");
    if (code != 0 && code != 1 && code != 3)
      fail_msg("%s: exit %d\n%s", hostile[i], code, err_text);
    if (code == 0) has_weights(s, "copy");

    /* Nothing beside it has changed. */
    shell(s,
          "rm -r copy; find outside -exec stat -c '%n %i %s %h' {} + | sort > after; "
          "cut -d' ' -f1-3 before > a; cut -d' ' -f1-3 after > b; cmp a b && "
          "grep -qx keep outside/f && grep -qx keep outside/d/run.json");
  }
}

/* The same of what other commands write: whatever has the name of a draft is not followed. */
static void nothing_behind_other_outputs_changes(void **state) {
  scratch *s = *state;
  char model[160], data[160], out[160], at[200];
  snprintf(model, sizeof model, "%s/run", s->dir);
  snprintf(data, sizeof data, "%s/s4", s->dir);
  shell(
      s,
      "mkdir -p there && for n in new.safetensors new.pt all_config.yaml preds.npy preds.npy.part "
      "q.npy.part state svg.svg; do ln -sf $PWD/outside/f there/$n.trm-partial; "
      "ln -sf $PWD/outside/f there/$n.tmp; done; ln -sfn $PWD/outside/d there/folder.trm-partial; "
      "ln -sfn $PWD/outside/d there/folder.trm-replaced; ln -sfn $PWD/outside/d "
      "there/set.trm-partial; ln -sfn $PWD/outside/d there/run.trm-partial");

  snprintf(out, sizeof out, "%s/there/new.safetensors", s->dir);
  want(RUN("convert", model, out), 0);
  snprintf(out, sizeof out, "%s/there/new.pt", s->dir);
  want(RUN("convert", model, out), 0);
  snprintf(out, sizeof out, "%s/there/folder", s->dir);
  for (int i = 0; i < 2; i++) want(RUN("convert", model, out), 0);
  snprintf(out, sizeof out, "%s/there/set", s->dir);
  for (int i = 0; i < 2; i++)
    want(RUN("data", "gen", "sudoku", "--size", "4", "--train", "9", "--test", "2", "--output-dir",
             out),
         0);
  snprintf(out, sizeof out, "%s/there/preds.npy", s->dir);
  want(RUN("eval", model, data, "--save-preds", out), 0);
  snprintf(at, sizeof at, "checkpoint_path=%s/there/run", s->dir);
  want(RUN("train", TINY, at, "max_updates=2"), 0);

  /* A part that an evaluation would go on with is refused as a link. */
  shell(s, "rm -f there/preds.npy && ln -s $PWD/outside/f there/preds.npy.part");
  want(RUN("eval", model, data, "--save-preds", out), 2);
  snprintf(at, sizeof at, "%s/there/state", s->dir);
  want(RUN("eval", model, data, "--save-preds", out, "--state", at), 1);
  shell(s,
        "find outside -exec stat -c '%n %i %s %h' {} + | sort > after && cmp before after && "
        "grep -qx keep outside/f; rm -r there");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(copies_go_on),
      cmocka_unit_test(other_kernels_are_told),
      cmocka_unit_test(what_is_not_a_copy_is_kept),
      cmocka_unit_test(an_incomplete_checkpoint_is_named),
      cmocka_unit_test(a_lost_checkpoint_is_named),
      cmocka_unit_test(a_lost_best_is_forgotten),
      cmocka_unit_test(a_cut_configuration_is_refused),
      cmocka_unit_test(a_lost_configuration_is_found),
      cmocka_unit_test(a_resumed_run_needs_no_file_to_start_from),
      cmocka_unit_test(a_checkpoint_is_no_run_folder),
      cmocka_unit_test(best_and_last_are_understood),
      cmocka_unit_test(nothing_outside_a_run_changes),
      cmocka_unit_test(nothing_behind_other_outputs_changes),
  };
  return cmocka_run_group_tests(tests, make_runs, scratch_close);
}
