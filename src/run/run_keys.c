/* The keys of a run: those of a model and of a trainer are the library's, the rest are rows here.
 * Names and meanings are the reference's where it has the key. */
#include "nn/choose.h"
#include "run/run_config.h"

static const trm__word loss_head_words[] = {{"losses@ACTLossHead", NULL}};
static const trm__word augment_words[] = {
    [TRM_AUGMENT_NONE] = {"none", NULL},
    [TRM_AUGMENT_ON_THE_FLY] = {"on-the-fly", NULL},
};
static const trm__words loss_heads = TRM__WORDS(loss_head_words, NULL),
                        augments = TRM__WORDS(augment_words, NULL);

#define AT(f) .offset = offsetof(trm__run_config, f)
#define KEY(f) .name = #f, .key = #f, AT(f)
#define NUMBER(kind, least, most, first) \
  .type = &trm__field_##kind, .low = (least), .high = (most), .initial = (first)

/* Of several tries in evaluations. */
#define TRY(f, member) \
  .name = #f, .key = #f, AT(tries.member), .use = TRM__OURS | TRM__FREE | TRM__LATER

static const trm_field rows[] = {
    {KEY(preset), .type = &trm__field_text, .use = TRM__OURS,
     .help = "settings to start from; `trm train --list-presets`"},
    {.name = "loss_head",
     .key = "arch.loss.name",
     AT(loss_head),
     .type = &trm__field_word,
     .words = &loss_heads,
     .help = "loss head"},
    {KEY(data_paths), .type = &trm__field_texts, .use = TRM__FREE,
     .synonyms = "data data_path data_dir dataset", .help = "folders of the training data"},
    {KEY(data_paths_test), .type = &trm__field_texts, .use = TRM__FREE,
     .help = "folders of the test data; []: the same as data_paths"},
    {KEY(evaluators), .type = &trm__field_texts,
     .help = "[arc@ARC]: evaluations count the votes for ARC's tasks, too; [] otherwise"},
    {KEY(epochs), NUMBER(int64, 1, 1e12, 100000), .use = TRM__FREE, .synonyms = "num_epochs",
     .help = "passes over the training data"},
    {KEY(eval_interval), NUMBER(limit, 0, 1e12, 10000),
     .help = "epochs between evaluations; null: only at the end"},
    {KEY(min_eval_interval), NUMBER(int64, 0, 1e12, 0),
     .help = "leave out the first so many evaluations"},
    {KEY(checkpoint_every_eval), .type = &trm__field_bool, .use = TRM__FREE,
     .help = "keep the checkpoint of every evaluation, not only the last and the best"},
    {KEY(project_name), .type = &trm__field_text,
     .help = "folder of the run's family; null: from the data"},
    {KEY(run_name), .type = &trm__field_text, .help = "folder of the run; null: a free name"},
    {KEY(load_checkpoint), .type = &trm__field_text,
     .help = "model to start from: folder, run, .safetensors or step_N; null: none"},
    {KEY(checkpoint_path), .type = &trm__field_text,
     .help = "the run folder itself; null: OUT/PROJECT_NAME/RUN_NAME"},
    {KEY(ema), .type = &trm__field_bool, .help = "evaluate and save an average of the weights"},
    {KEY(eval_save_outputs), .type = &trm__field_texts,
     .help = "must be []; `trm eval --save-preds` writes predictions"},
    {KEY(augment), .type = &trm__field_word, .words = &augments, .use = TRM__OURS,
     .help = "on-the-fly: a fresh symmetric image of a puzzle at every draw"},
    {KEY(validation_share), NUMBER(double, 0, 0.9, 0), .use = TRM__OURS,
     .help = "share of the training data held back to evaluate on, in place of the test data"},
    {KEY(max_updates), NUMBER(limit, 0, 1e12, 0), .use = TRM__OURS | TRM__FREE,
     .synonyms = "max_steps steps updates iterations",
     .help = "stop after so many; null: no limit"},
    {KEY(eval_limit), NUMBER(limit, 0, 1e12, 0), .use = TRM__OURS | TRM__FREE,
     .help = "evaluate on so many examples; null: all"},
    {TRY(eval_views, views), NUMBER(int, 1, TRM_MAX_TRIES, 1),
     .help = "symmetric images of each puzzle that an evaluation tries, itself the first"},
    {TRY(eval_rollouts, rollouts), NUMBER(int, 1, TRM_MAX_TRIES, 1),
     .help = "tries of each of these, with eval_noise or from random starts"},
    {TRY(eval_noise, noise), NUMBER(double, 0, TRM_MAX_NOISE, 0),
     .help = "standard deviation of noise on the latents before each step of a try"},
    {TRY(eval_select, select), .type = &trm__field_word, .words = &trm__select_words,
     .initial = TRM_SELECT_Q, .help = "whose answer counts, as `trm eval --select`"},
    {TRY(eval_bar, bar), NUMBER(double, -1e3, 1e3, TRM__RUN_BAR),
     .help = "logits of eval_select=first"},
    {KEY(log_interval), NUMBER(int64, 1, 1e12, 1), .use = TRM__OURS | TRM__FREE,
     .help = "updates between lines of log.jsonl"},
    {KEY(log_seconds), NUMBER(double, 0, 1e6, 30), .use = TRM__OURS | TRM__FREE,
     .help = "seconds between lines about the progress where there is no terminal; 0: none"},
    {KEY(checkpoint_interval), NUMBER(limit, 0, 1e12, 0), .use = TRM__OURS | TRM__FREE,
     .help = "updates between checkpoints; null: at evaluations and by time only"},
    {KEY(checkpoint_minutes), NUMBER(double, 0, 1e6, 10), .use = TRM__OURS | TRM__FREE,
     .help = "minutes between checkpoints; 0: never by time"},
    {KEY(out), .type = &trm__field_text, .use = TRM__OURS, .help = "root of the run folders"},
};

_Static_assert(sizeof(trm_select) == sizeof(int), "an enumeration is read and written as an int");

static const trm_field *own_field(int i) {
  return i < (int)(sizeof rows / sizeof *rows) ? &rows[i] : NULL;
}

static const struct {
  const trm_field *(*field)(int i);
  size_t base;
} tables[] = {[TRM__MODEL_KEYS] = {trm_model_config_field, offsetof(trm__run_config, model)},
              {trm_trainer_config_field, offsetof(trm__run_config, trainer)},
              {own_field, 0}};
enum { TABLES = sizeof tables / sizeof *tables };

/* What the data set tells, and what has no key, is none of the run's. */
bool trm__run_next_key(trm__run_key *k) {
  while (k->table < TABLES) {
    k->field = tables[k->table].field(k->row);
    k->base = tables[k->table].base;
    k->row++;
    if (!k->field)
      k->table++, k->row = 0;
    else if (k->field->key && !(k->field->use & TRM__DATA))
      return true;
  }
  return false;
}
