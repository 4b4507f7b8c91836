/* See solve_input.h. */
#include "solve_input.h"

#include <inttypes.h>

static trm_status open_data(solve_input *in, const solve_source *source,
                            const trm_model_config *model, trm_error *err) {
  CLI_TRY(trm_dataset_open(source->data, source->split, &in->data, err));
  const trm_dataset_info *info = trm_dataset_get_info(in->data);
  if (info->seq_len != model->seq_len || info->vocab_size != model->vocab_size)
    return cli_fail(err, TRM_E_SHAPE, -1,
                    "%s has seq_len %d and vocab_size %d, the model %d and %d: it was trained on "
                    "other puzzles",
                    source->data, info->seq_len, info->vocab_size, model->seq_len,
                    model->vocab_size);
  if (source->first >= info->examples)
    return cli_fail(err, TRM_E_ARGUMENT, -1,
                    "--index: %s/%s has examples 0 to %" PRId64 ", got %" PRId64, source->data,
                    source->split, info->examples - 1, source->first);
  if (in->puzzle.kind == TRM_PUZZLE_NONE) in->puzzle = info->puzzle;
  int64_t left = info->examples - source->first;
  in->blank_id = info->blank_identifier_id;
  in->next = source->first;
  in->end = source->first + (source->count < left ? source->count : left);
  return info->num_puzzle_identifiers > 1 ? puzzle_names_open(source->data, &in->names, err)
                                          : TRM_OK;
}

trm_status solve_input_open(solve_input *in, const solve_source *source,
                            const trm_model_config *model, trm_error *err) {
  const trm_puzzle *p = &in->puzzle;
  in->puzzle = model->puzzle;
  if (source->data) CLI_TRY(open_data(in, source, model, err));
  if (p->kind == TRM_PUZZLE_NONE || p->rows * p->cols != model->seq_len ||
      trm_puzzle_first_symbol(p) + trm_puzzle_n_symbols(p) > model->vocab_size)
    return cli_fail(err, TRM_E_CONFIG, -1,
                    "the model's config.json does not say what its tokens mean (\"puzzle\"), so "
                    "puzzles have no text; trm eval works with every model");
  if (source->data) return TRM_OK;
  if (source->puzzle) return puzzle_lines_open_text(&in->lines, p, "--puzzle", source->puzzle, err);
  return puzzle_lines_open(&in->lines, p, source->file, err);
}

void solve_input_close(solve_input *in) {
  puzzle_lines_close(&in->lines);
  puzzle_names_close(in->names);
  trm_dataset_free(in->data);
  in->names = NULL;
  in->data = NULL;
}

bool solve_input_ready(const solve_input *in) {
  return in->data || puzzle_lines_ready(&in->lines);
}

trm_status solve_input_next(solve_input *in, int32_t *question, int32_t *label, int32_t *id,
                            int64_t *index, bool *more, trm_error *err) {
  *id = 0;
  *index = -1;
  if (!in->data) return puzzle_lines_next(&in->lines, question, more, err);
  *more = in->next < in->end;
  if (!*more) return TRM_OK;
  *index = in->next++;
  trm_dataset_example(in->data, *index, question, label, id);
  return TRM_OK;
}
