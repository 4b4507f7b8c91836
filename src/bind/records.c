/* The structures that bindings fill and read, by name: a row for each member that has none in the
 * table of a configuration. */
#include <string.h>

#include "nn/model_fields.h"
#include "train/trainer.h"
#include "trm.h"

/* --- rows --- */

/* A member of the structure S. Enumerations are their numbers. */
#define MEMBER(m, t) .name = #m, .offset = offsetof(S, m), .type = (t)
#define INT(m) \
  { MEMBER(m, &trm__field_int) }
#define INT64(m) \
  { MEMBER(m, &trm__field_int64) }
#define UINT64(m) \
  { MEMBER(m, &trm__field_seed) }
#define DOUBLE(m) \
  { MEMBER(m, &trm__field_double) }
#define FLOAT(m) \
  { MEMBER(m, &trm__field_float) }
#define BOOL(m) \
  { MEMBER(m, &trm__field_bool) }
#define POINTER(m) \
  { MEMBER(m, &trm__field_pointer) }
#define DEVICE(m) \
  { MEMBER(m, &trm__field_device) }
#define TEXT(m) \
  { MEMBER(m, &trm__field_chars), .count = sizeof((S *)0)->m }
#define BYTES(m) \
  { MEMBER(m, &trm__field_byte), .count = sizeof((S *)0)->m }
#define INT64S(m) \
  { MEMBER(m, &trm__field_int64), .count = LENGTH(((S *)0)->m) }
#define INNER(m, of) \
  { MEMBER(m, &trm__field_record), .inner = &(of) }
#define INNERS(m, of) \
  { MEMBER(m, &trm__field_record), .inner = &(of), .count = LENGTH(((S *)0)->m) }
#define LENGTH(array) sizeof(array) / sizeof *(array)

/* --- everywhere --- */

#define S trm_error
static const trm_field error_fields[] = {INT(code), INT64(pos), TEXT(msg)};
static const trm_record error = TRM__FIELDS(error_fields, "an error", S);
#undef S

#define S trm_puzzle
static const trm_field puzzle_fields[] = {INT(kind),     INT(rows),        INT(cols),
                                          INT(box_rows), INT(box_cols),    BOOL(sized),
                                          TEXT(rules),   TEXT(symmetries), BYTES(vocabulary)};
static const trm_record puzzle = TRM__FIELDS(puzzle_fields, "a puzzle", S);
#undef S

/* --- models --- */

#define S trm_model_cost
static const trm_field model_cost_fields[] = {
    INT64(n_params),    INT64(n_puzzle_emb),      INT(positions),        INT(depth),
    INT(n_updates),     INT(n_updates_with_grad), DOUBLE(flops_forward), DOUBLE(flops_train),
    INT64(bytes_saved), INT64(bytes_carry)};
static const trm_record model_cost = TRM__FIELDS(model_cost_fields, "the cost of a model", S);
#undef S

#define S trm_tensor
static const trm_field tensor_fields[] = {POINTER(name), INT(kind),    INT(ndim),
                                          INT64S(shape), INT64(count), POINTER(data)};
static const trm_record tensor = TRM__FIELDS(tensor_fields, "a tensor", S);
#undef S

/* --- solving --- */

#define S trm_solver_config
static const trm_field solver_config_fields[] = {INT(batch), INT(threads), DEVICE(device),
                                                 DOUBLE(noise), UINT64(seed)};
static const trm_record solver_config = TRM__FIELDS(solver_config_fields, "a solver", S);
#undef S

#define S trm_queue_config
static const trm_field queue_config_fields[] = {
    INT(rows),     INT(group),   INT64(puzzles), INT(waiting),  INT(trajectory), BOOL(logits),
    BOOL(latents), INT(threads), DEVICE(device), DOUBLE(noise), UINT64(seed)};
static const trm_record queue_config = TRM__FIELDS(queue_config_fields, "a queue", S);
#undef S

#define S trm_queue_puzzle
static const trm_field queue_puzzle_fields[] = {
    POINTER(inputs), INT(puzzle_id), INT(steps), INT(halt), DOUBLE(halt_margin), UINT64(noise_key)};
static const trm_record queue_puzzle = TRM__FIELDS(queue_puzzle_fields, "a puzzle of a queue", S);
#undef S

#define S trm_queue_answer
static const trm_field queue_answer_fields[] = {INT(place),
                                                BOOL(done),
                                                INT(row),
                                                INT(steps),
                                                BOOL(halted),
                                                DOUBLE(margin),
                                                POINTER(inputs),
                                                POINTER(answer),
                                                POINTER(logits),
                                                FLOAT(q_halt),
                                                FLOAT(q_continue),
                                                POINTER(trajectory),
                                                POINTER(q_trajectory),
                                                POINTER(latents)};
static const trm_record queue_answer = TRM__FIELDS(queue_answer_fields, "an answer of a queue", S);
#undef S

#define S trm_thinking
static const trm_field thinking_fields[] = {INT(views),  INT(rollouts), DOUBLE(noise),
                                            INT(select), DOUBLE(bar),   BOOL(verify),
                                            INT(search), UINT64(seed)};
static const trm_record thinking = TRM__FIELDS(thinking_fields, "a way to think", S);
#undef S

#define S trm_choice
static const trm_field choice_fields[] = {INT(tries), INT(chosen), INT(agree), BOOL(accepted),
                                          INT(searched)};
static const trm_record choice = TRM__FIELDS(choice_fields, "a choice", S);
#undef S

/* --- training --- */

#define S trm_trainer_cost
static const trm_field trainer_cost_fields[] = {
    INT(threads), INT(teams),         INT(micro_batch), INT64(weights),   INT64(gradients),
    INT64(carry), INT64(activations), INT64(bytes),     INT64(evaluation)};
static const trm_record trainer_cost = TRM__FIELDS(trainer_cost_fields, "the cost of a trainer", S);
#undef S

#define S trm_batch
static const trm_field batch_fields[] = {POINTER(inputs), POINTER(labels), POINTER(puzzle_ids)};
static const trm_record batch = TRM__FIELDS(batch_fields, "a batch", S);
#undef S

#define S trm_metrics
static const trm_field metrics_fields[] = {DOUBLE(count),
                                           DOUBLE(accuracy),
                                           DOUBLE(exact_accuracy),
                                           DOUBLE(q_halt_accuracy),
                                           DOUBLE(steps),
                                           DOUBLE(lm_loss),
                                           DOUBLE(q_halt_loss),
                                           DOUBLE(q_continue_loss),
                                           DOUBLE(loss),
                                           DOUBLE(lr),
                                           DOUBLE(puzzle_emb_lr),
                                           DOUBLE(grad_norm),
                                           DOUBLE(aux_loss),
                                           DOUBLE(expert_load_min),
                                           DOUBLE(expert_load_max),
                                           DOUBLE(residual),
                                           DOUBLE(solver_iterations),
                                           DOUBLE(constraint_loss)};
static const trm_record metrics = TRM__FIELDS(metrics_fields, "the metrics of an update", S);
#undef S

#define S trm_finetune_config
static const trm_field finetune_config_fields[] = {
    INT64(steps),          INT64(warmup),        INT(batch_size),      DOUBLE(lr),
    DOUBLE(puzzle_emb_lr), DOUBLE(weight_decay), BOOL(freeze_weights), INT(augment),
    UINT64(seed),          INT(threads),         DEVICE(device),       POINTER(state),
    DOUBLE(state_seconds), POINTER(progress),    POINTER(enough),      POINTER(progress_arg)};
static const trm_record finetune_config = TRM__FIELDS(finetune_config_fields, "a fine-tuning", S);
#undef S

/* --- evaluation --- */

#define S trm_interval
static const trm_field interval_fields[] = {DOUBLE(low), DOUBLE(high)};
static const trm_record interval = TRM__FIELDS(interval_fields, "an interval", S);
#undef S

#define S trm_eval_row
static const trm_field eval_row_fields[] = {INT64(example),  INT(puzzle_id),  POINTER(inputs),
                                            POINTER(labels), POINTER(answer), BOOL(exact),
                                            BOOL(valid),     FLOAT(q_halt),   INT(steps)};
static const trm_record eval_row = TRM__FIELDS(eval_row_fields, "a row of an evaluation", S);
#undef S

#define S trm_eval_config
static const trm_field eval_config_fields[] = {
    INT64(limit),        BOOL(spread),           INT(steps),        INT(halt),
    DOUBLE(halt_margin), INNER(think, thinking), INT(batch),        INT(threads),
    DEVICE(device),      POINTER(row),           POINTER(row_arg),  POINTER(votes),
    POINTER(state),      DOUBLE(state_seconds),  UINT64(state_tag), POINTER(state_sync),
    POINTER(progress),   POINTER(progress_arg),  POINTER(comm)};
static const trm_record eval_config = TRM__FIELDS(eval_config_fields, "an evaluation", S);
#undef S

#define S trm_eval_step
static const trm_field eval_step_fields[] = {DOUBLE(accuracy), DOUBLE(exact_accuracy),
                                             INT64(halted)};
static const trm_record eval_step = TRM__FIELDS(eval_step_fields, "a step of an evaluation", S);
#undef S

#define S trm_eval_report
static const trm_field eval_report_fields[] = {INT64(examples),
                                               INT64(exact),
                                               INT64(cells),
                                               INT64(cells_right),
                                               DOUBLE(accuracy),
                                               DOUBLE(exact_accuracy),
                                               DOUBLE(q_halt_accuracy),
                                               DOUBLE(lm_loss),
                                               DOUBLE(q_halt_loss),
                                               DOUBLE(mean_steps),
                                               INT(tries),
                                               INT64(accepted),
                                               INT64(found),
                                               BOOL(rules),
                                               INT64(checked),
                                               INT64(valid),
                                               DOUBLE(q_valid_accuracy),
                                               INNER(valid_interval, interval),
                                               INNER(q_valid_interval, interval),
                                               INT64(untrained),
                                               INNER(exact_interval, interval),
                                               INNER(q_halt_interval, interval),
                                               INNER(cell_interval, interval),
                                               INT(n_steps),
                                               INNERS(step, eval_step)};
static const trm_record eval_report =
    TRM__FIELDS(eval_report_fields, "the report of an evaluation", S);
#undef S

/* --- runs --- */

#define S trm_run_progress
static const trm_field run_progress_fields[] = {BOOL(evaluating), INT64(done), INT64(total),
                                                DOUBLE(loss), DOUBLE(exact)};
static const trm_record run_progress = TRM__FIELDS(run_progress_fields, "progress of a run", S);
#undef S

#define S trm_run_listener
static const trm_field run_listener_fields[] = {POINTER(message), POINTER(progress), POINTER(sound),
                                                POINTER(arg),     POINTER(row),      POINTER(batch),
                                                POINTER(comm)};
static const trm_record run_listener = TRM__FIELDS(run_listener_fields, "a listener", S);
#undef S

#define S trm_run_preset
static const trm_field run_preset_fields[] = {POINTER(name), POINTER(about), POINTER(settings),
                                              POINTER(make), INT(kind),      INT(cells)};
static const trm_record run_preset = TRM__FIELDS(run_preset_fields, "a preset", S);
#undef S

#define S trm_run_plan
static const trm_field run_plan_fields[] = {POINTER(model),
                                            INNER(trainer, trm__trainer_fields),
                                            INT64(total),
                                            INT64(end),
                                            DOUBLE(updates_per_epoch),
                                            INT64(groups),
                                            INT64(tests),
                                            BOOL(held_back),
                                            INNER(evaluation, eval_config)};
static const trm_record run_plan = TRM__FIELDS(run_plan_fields, "the plan of a run", S);
#undef S

#define S trm_run_state
static const trm_field run_state_fields[] = {POINTER(folder), INT64(update), INT64(saved),
                                             INT64(best_update), DOUBLE(best_exact)};
static const trm_record run_state = TRM__FIELDS(run_state_fields, "the state of a run", S);
#undef S

/* --- data --- */

#define S trm_dataset_info
static const trm_field dataset_info_fields[] = {INT(vocab_size),
                                                INT(seq_len),
                                                INT(num_puzzle_identifiers),
                                                INT(pad_id),
                                                INT(ignore_label_id),
                                                INT(blank_identifier_id),
                                                INT64(examples),
                                                INT64(puzzles),
                                                INT64(groups),
                                                DOUBLE(mean_puzzle_examples),
                                                INNER(puzzle, puzzle),
                                                UINT64(identifiers)};
static const trm_record dataset_info =
    TRM__FIELDS(dataset_info_fields, "what is known of a data set", S);
#undef S

#define S trm_dataset_arrays
static const trm_field dataset_arrays_fields[] = {
    INT(vocab_size),         INT(seq_len),           INT(num_puzzle_identifiers),
    INT64(examples),         INT64(puzzles),         INT64(groups),
    POINTER(inputs),         POINTER(labels),        POINTER(puzzle_identifiers),
    POINTER(puzzle_indices), POINTER(group_indices), INNER(puzzle, puzzle)};
static const trm_record dataset_arrays =
    TRM__FIELDS(dataset_arrays_fields, "the arrays of a data set", S);
#undef S

#define S trm_stream_config
static const trm_field stream_config_fields[] = {INT(batch_size), UINT64(seed),
                                                 INT64(epochs_per_iter), INT(augment)};
static const trm_record stream_config = TRM__FIELDS(stream_config_fields, "a stream", S);
#undef S

/* --- the list --- */

static void default_model(void *object) {
  trm_model_config *c = object;
  const trm_arch arch = trm_arch_name(c->arch) ? c->arch : TRM_ARCH_TRM;
  *c = trm_model_config_default(arch);
}
static void default_trainer(void *object) {
  *(trm_trainer_config *)object = trm_trainer_config_default();
}
static void default_finetune(void *object) {
  *(trm_finetune_config *)object = trm_finetune_config_default();
}

static const struct listed {
  const trm_record *record;
  void (*make)(void *object); /* the default; NULL: all zero */
} records[] = {
    {&trm__model_fields, default_model},
    {&trm__trainer_fields, default_trainer},
    {&error, NULL},
    {&puzzle, NULL},
    {&model_cost, NULL},
    {&tensor, NULL},
    {&solver_config, NULL},
    {&queue_config, NULL},
    {&queue_puzzle, NULL},
    {&queue_answer, NULL},
    {&thinking, NULL},
    {&choice, NULL},
    {&trainer_cost, NULL},
    {&batch, NULL},
    {&metrics, NULL},
    {&finetune_config, default_finetune},
    {&run_progress, NULL},
    {&run_listener, NULL},
    {&run_preset, NULL},
    {&run_plan, NULL},
    {&run_state, NULL},
    {&dataset_info, NULL},
    {&dataset_arrays, NULL},
    {&stream_config, NULL},
    {&interval, NULL},
    {&eval_row, NULL},
    {&eval_config, NULL},
    {&eval_step, NULL},
    {&eval_report, NULL},
};
enum { N_RECORDS = sizeof records / sizeof *records };

const trm_record *trm_record_at(int i) {
  return i >= 0 && i < N_RECORDS ? records[i].record : NULL;
}

const trm_record *trm_record_named(const char *structure) {
  for (int i = 0; i < N_RECORDS; i++)
    if (!strcmp(records[i].record->name, structure)) return records[i].record;
  return NULL;
}

void trm_record_default(const trm_record *record, void *object) {
  for (int i = 0; i < N_RECORDS; i++)
    if (records[i].record == record && records[i].make) {
      records[i].make(object);
      return;
    }
  memset(object, 0, record->size);
}
